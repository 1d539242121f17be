"""What goes into the integrator and comes out: tuples of C-contiguous arrays, so that it is compiled for one type."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Problem(NamedTuple):
    """What is integrated: s segments, n states, e entries of the mass matrix M, m constants.

    Attributes
    ----------
    code : int64 (6,)
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
    counts : int64 (5,)
        How many states, the first ones, must not become negative; doubles of ``work``; doubles of an LU; whether some
        state may be algebraic (0 or 1); whether a sample between two steps is made by a step of its own (0 or 1).
    watched : int64 (e, 2)
        Of each quantity that is watched for passing through 0: 1 for upward alone, −1 for downward, 0 for either,
        ``NEVER``; and whether that ends the call (1) or is only recorded (0).
    """

    code: np.ndarray
    mass: np.ndarray
    constants: np.ndarray
    lengths: np.ndarray
    absolute: np.ndarray
    options: np.ndarray
    counts: np.ndarray
    watched: np.ndarray


class Progress(NamedTuple):
    """Where the integration stands; changed in place, so that a later call goes on.

    Attributes
    ----------
    y : float64 (n,)
        State at ``real[T]``.
    real : float64 (5,)
        See the names of its places below.
    counters : int64 (9,)
        See the names of its places below.
    dense : float64 (5, n)
        y before and after the last step, and the three vectors of its interpolant.
    levels : float64 (e,)
        What is watched, at ``real[T]``; NaN before the first look.
    """

    y: np.ndarray
    real: np.ndarray
    counters: np.ndarray
    dense: np.ndarray
    levels: np.ndarray


def empty_progress(states: int = 0) -> Progress:
    """An integration that has not begun."""
    return Progress(np.zeros(states), np.zeros(5), np.zeros(9, dtype=np.int64), np.zeros((5, states)), np.zeros(0))


#: Places in Progress.real: time within the segment and the step to try next; size and error of the last accepted
#: step (0: none yet in this segment); whether the state waits to be recorded, when every step is.
T, NEXT_STEP, LAST_STEP, LAST_ERROR, UNRECORDED = range(5)

#: Places in Progress.counters: segment, phase, steps accepted and rejected, Jacobians, the state that limited the last
#: step, samples and crossings written to the present block, and what passed through 0 so that the call ends (from 1).
SEGMENT, PHASE, STEPS, REJECTED, JACOBIANS, WORST, SAMPLE, CROSSING, CAUSE = range(9)

#: Direction of what is not watched.
NEVER = 2

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
    crossed_at : float64 (c,)
        Written: when something watched passed through 0, from the start of the segment, s.
    crossed : int64 (c, 2)
        Written: the segment, and what it was.
    """

    times: np.ndarray
    segments: np.ndarray
    states: np.ndarray
    mode: np.ndarray
    crossed_at: np.ndarray
    crossed: np.ndarray


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
    levels : float64 (2, e)
        What is watched, at the end of a step and at a time within it.
    """

    u: np.ndarray
    linear: np.ndarray
    stage: np.ndarray
    first: np.ndarray
    second: np.ndarray
    clock: np.ndarray
    work: np.ndarray
    lu: np.ndarray
    levels: np.ndarray


#: Places in the table of addresses that the compiled integrator is given: where those of the arrays of progress,
#: samples and scratch begin (of the problem at 0), where the sizes begin, and its length.
PROGRESS = len(Problem._fields)
SAMPLES = PROGRESS + len(Progress._fields)
SCRATCH = SAMPLES + len(Samples._fields)
SIZES = SCRATCH + len(Scratch._fields)
LENGTH = SIZES + 8
