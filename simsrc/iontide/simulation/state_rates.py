"""Rates of the states of a trajectory at its samples: y' of ``M y' = f(t, y)``, algebraic equations included."""

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
    n = program.size
    result = np.empty(len(trajectory) if state is not None else (len(trajectory), n))
    sizes = {"f": n, "J": n * n, "f_t": n}
    starts = np.array([s.start for s in trajectory.run.segments])
    for rows, constants, mass in trajectory.program_values(program, ROWS):
        within = trajectory.time[rows] - starts[trajectory.segment[rows]]
        values = program.linearised.run(within, trajectory.states[rows].T, constants.T, sizes)
        f, slopes, f_t = (np.broadcast_to(values[name], (sizes[name], len(rows))).T for name in sizes)
        matrix = program.mass_matrix(mass)
        algebraic = ~np.any(matrix, axis=2)
        left = np.where(algebraic[..., np.newaxis], slopes.reshape(len(rows), n, n), matrix)
        right = np.where(algebraic, -f_t, f)
        moved = np.linalg.solve(left, right[..., np.newaxis])[..., 0]
        result[rows] = moved if state is None else moved[:, state]
    return result
