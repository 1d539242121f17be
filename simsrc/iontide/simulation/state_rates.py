"""How fast the states of a trajectory move at its samples: y' of ``M y' = f(t, y)``, algebraic equations included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..equations.assembly import build_program

if TYPE_CHECKING:
    from .trajectory import Trajectory

#: Samples that are solved for at once, so that the matrices take little room.
ROWS = 4096


def state_rates(trajectory: Trajectory, state: int | None = None) -> NDArray:
    """Rate of one state, or of all, at every sample, SI per s.

    A row of M that is zero is an algebraic equation 0 = f_i(t, y); its derivative by time, ``∂f_i/∂y y' = −∂f_i/∂t``,
    takes its place.

    Parameters
    ----------
    trajectory : Trajectory
    state : int, optional
        Its place in the state vector; None: all of them.

    Returns
    -------
    array, shape (samples,), or (samples, n) of all
    """
    _, program = build_program(trajectory.model)
    if program is None:
        assert state is None, "what has a state has a program"
        return np.empty((len(trajectory), 0))
    every_constant, every_mass = program.prepare_all(trajectory.run.values)
    starts = np.array([s.start for s in trajectory.run.segments])
    n = program.size
    result = np.empty(len(trajectory) if state is not None else (len(trajectory), n))
    sizes = {"f": n, "J": n * n, "f_t": n}
    for number in np.unique(trajectory.segment):
        constants, mass = every_constant[number], every_mass[number]
        matrix = program.mass_matrix(mass)
        algebraic = ~matrix.any(axis=1)
        of_segment = np.flatnonzero(trajectory.segment == number)
        for first in range(0, len(of_segment), ROWS):
            rows = of_segment[first : first + ROWS]
            within = trajectory.time[rows] - starts[number]
            found = program.linearised.run(within, trajectory.states[rows].T, constants[:, np.newaxis], sizes)
            f, slopes, f_t = (np.broadcast_to(found[name], (sizes[name], len(rows))) for name in sizes)
            left = np.repeat(matrix[np.newaxis], len(rows), axis=0)
            left[:, algebraic] = np.moveaxis(slopes.reshape(n, n, -1), -1, 0)[:, algebraic]
            right = np.where(algebraic, -f_t.T, f.T)
            moved = np.linalg.solve(left, right[..., np.newaxis])[..., 0]
            result[rows] = moved if state is None else moved[:, state]
    return result
