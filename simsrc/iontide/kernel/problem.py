"""What goes into the integrator and comes out: tuples of C-contiguous arrays, so that it is compiled for one type."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Problem(NamedTuple):
    """What is integrated: s segments, n states, e entries of the mass matrix M, m constants.

    Attributes
    ----------
    code : int64 (5,)
        Addresses of the machine code, in the order of ``machine_code.FUNCTIONS``.
    mass : float64 (s, e)
        Entries of M in each segment.
    constants : float64 (s, m)
        Constants of the tape in each segment.
    lengths : float64 (s,)
        Duration of each segment, s.
    absolute : float64 (n,)
        Absolute tolerance of each state.
    options : float64 (3,)
        Relative tolerance; whether to stop at a steady state (0 or 1); most steps.
    counts : int64 (4,)
        How many states, the first ones, must not become negative; doubles of ``work``; doubles of an LU; whether some
        state may be algebraic (0 or 1).
    """

    code: np.ndarray
    mass: np.ndarray
    constants: np.ndarray
    lengths: np.ndarray
    absolute: np.ndarray
    options: np.ndarray
    counts: np.ndarray


class Progress(NamedTuple):
    """Where the integration stands; changed in place, so that a later call goes on.

    Attributes
    ----------
    y : float64 (n,)
        State at ``real[T]``.
    real : float64 (5,)
        See the names of its places below.
    counters : int64 (7,)
        See the names of its places below.
    dense : float64 (5, n)
        y before and after the last step, and the three vectors of its interpolant.
    """

    y: np.ndarray
    real: np.ndarray
    counters: np.ndarray
    dense: np.ndarray


def empty_progress(states: int = 0) -> Progress:
    """An integration that has not begun."""
    return Progress(np.zeros(states), np.zeros(5), np.zeros(7, dtype=np.int64), np.zeros((5, states)))


#: Places in Progress.real: time within the segment and the step to try next; size and error of the last accepted
#: step (0: none yet in this segment); whether the state waits to be recorded, when every step is.
T, NEXT_STEP, LAST_STEP, LAST_ERROR, UNRECORDED = range(5)

#: Places in Progress.counters: segment, phase, steps accepted and rejected, Jacobians, the state that limited the last
#: step, and samples written to the present block.
SEGMENT, PHASE, STEPS, REJECTED, JACOBIANS, WORST, SAMPLE = range(7)

#: Values of PHASE: at the start of a segment, or within it.
START, STEPPING = 0, 1


class Samples(NamedTuple):
    """Where m samples go.

    Attributes
    ----------
    times : float64 (m,)
        From the start of the segment, s; given, or written where every step is recorded.
    segments : int64 (m,)
        Likewise.
    states : float64 (m, n)
        Written.
    mode : int64 (2,)
        Whether every step is recorded; whether another block of samples follows this one.
    """

    times: np.ndarray
    segments: np.ndarray
    states: np.ndarray
    mode: np.ndarray


class Scratch(NamedTuple):
    """Room that the integrator works in; nothing in it outlives a call.

    Attributes
    ----------
    u : float64 (8, n)
        Stage vectors.
    linear : float64 (n (n + 2),)
        f, its Jacobian row by row, its derivative by time.
    stage, first, second : float64 (n,)
    clock : float64 (2,)
        Time and step, as the machine code reads them.
    work, lu : float64
        Of the machine code, and of a factorisation.
    """

    u: np.ndarray
    linear: np.ndarray
    stage: np.ndarray
    first: np.ndarray
    second: np.ndarray
    clock: np.ndarray
    work: np.ndarray
    lu: np.ndarray
