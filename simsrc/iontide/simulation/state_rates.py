"""Rates of the states of a trajectory at its samples: y' of ``M y' = f(t, y)``, algebraic equations included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..equations.assembly import build_program

if TYPE_CHECKING:
    from .trajectory import Trajectory

#: Number of samples solved at once, which limits the memory of the matrices.
ROWS = 4096


def state_rates(trajectory: Trajectory, state: int | None = None) -> NDArray:
    """Rate of change of one state, or of all, at every sample, SI per s.

    A zero row of M is an algebraic equation 0 = f_i(t, y); it is replaced by its time derivative,
    ``∂f_i/∂y y' = −∂f_i/∂t``.

    Parameters
    ----------
    trajectory : Trajectory
    state : int, optional
        Index of the state; None: all of them.

    Returns
    -------
    array, shape (samples,), or (samples, n) for all states
    """
    _, program = build_program(trajectory.model)
    if program is None:
        assert state is None, "a model with states has a program"
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
        rates = np.linalg.solve(left, right[..., np.newaxis])[..., 0]
        result[rows] = rates if state is None else rates[:, state]
    return result
