"""What the integrator of one run reads and writes: tuples of C-contiguous arrays, so that it is compiled once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .functions import RUN_FUNCTIONS, linear_size
from .tableau import STAGES


class Problem(NamedTuple):
    """What is integrated: s segments, n states, e entries of the mass matrix M, m constants, q watched quantities.

    Attributes
    ----------
    code : int64 (6,)
        Addresses of the machine code, in the order of ``functions.RUN_FUNCTIONS``.
    mass : float64 (s, e)
        Entries of M in each segment.
    constants : float64 (s, m)
        Constants of the tape in each segment.
    lengths : float64 (s,)
        Duration of each segment, s.
    absolute : float64 (n,)
        Absolute tolerance of each state.
    options : float64 (3,)
        See ``options_of``.
    counts : int64 (3,)
        See ``counts_of``.
    watched : int64 (q, 2)
        Of each quantity that is watched for passing through 0, see ``DIRECTION`` and ``INTERRUPTS``.
    """

    code: np.ndarray
    mass: np.ndarray
    constants: np.ndarray
    lengths: np.ndarray
    absolute: np.ndarray
    options: np.ndarray
    counts: np.ndarray
    watched: np.ndarray


#: Places in Problem.options.
RELATIVE, STOP_AT_STEADY_STATE, MOST_STEPS = range(3)

#: Places in Problem.counts.
NONNEGATIVE, ALGEBRAIC, SAMPLE_BY_STEPS = range(3)

#: Columns of Problem.watched: 1 for upward alone, −1 for downward, 0 for either, ``NEVER``; and whether passing through
#: 0 ends the call (1) or is only recorded (0).
DIRECTION, INTERRUPTS = 0, 1

#: Direction of what is not watched.
NEVER = 2


def options_of(rtol: float, stop_at_steady_state: bool, most_steps: float) -> NDArray:
    """``Problem.options``: relative tolerance; whether a steady state ends the run; most steps."""
    return np.array([rtol, float(stop_at_steady_state), float(most_steps)])


def counts_of(nonnegative: int, algebraic: bool, sample_by_steps: bool) -> NDArray:
    """``Problem.counts``.

    Parameters
    ----------
    nonnegative : int
        How many states, the first ones, must not become negative.
    algebraic : bool
        Whether some state may be algebraic.
    sample_by_steps : bool
        Whether a sample between two steps is made by a step that leads to it, not by interpolation.
    """
    return np.array([nonnegative, algebraic, sample_by_steps], dtype=np.int64)


def problem_shapes(segments: int, states: int, masses: int, constants: int, watched: int) -> dict[str, tuple[int, ...]]:
    """Shape of each array of a ``Problem``."""
    return {
        "code": (len(RUN_FUNCTIONS),),
        "mass": (segments, masses),
        "constants": (segments, constants),
        "lengths": (segments,),
        "absolute": (states,),
        "options": (3,),
        "counts": (3,),
        "watched": (watched, 2),
    }


class Progress(NamedTuple):
    """How far the integration is; changed in place, so that a later call goes on.

    Attributes
    ----------
    y : float64 (n,)
        State at ``real[T]``.
    real : float64 (5,)
        See the names of its places below.
    counters : int64 (9,)
        See the names of its places below.
    dense : float64 (5, n)
        The last step: see the names of its rows below.
    levels : float64 (q,)
        The watched quantities at ``real[T]``; NaN before they are first evaluated.
    """

    y: np.ndarray
    real: np.ndarray
    counters: np.ndarray
    dense: np.ndarray
    levels: np.ndarray


#: Places in Progress.real: time within the segment and the step to try next; size and error of the last accepted
#: step (0: none yet in this segment); whether the state is still to be recorded, when every step is.
T, NEXT_STEP, LAST_STEP, LAST_ERROR, UNRECORDED = range(5)

#: Places in Progress.counters: segment, phase, steps accepted and rejected, Jacobians, the state that limited the last
#: step, samples and crossings written to the present block, and what passed through 0 so that the call ends (from 1).
SEGMENT, PHASE, STEPS, REJECTED, JACOBIANS, WORST, SAMPLE, CROSSING, CAUSE = range(9)

#: Values of PHASE: at the start of a segment, or within it.
START, STEPPING = 0, 1

#: Rows of Progress.dense: y before and after the step, and the first of the three vectors of its interpolant.
BEFORE, AFTER, BOW = 0, 1, 2


def progress_shapes(states: int, watched: int) -> dict[str, tuple[int, ...]]:
    """Shape of each array of a ``Progress``."""
    return {"y": (states,), "real": (5,), "counters": (9,), "dense": (5, states), "levels": (watched,)}


def empty_progress() -> Progress:
    """Of an integration of no states."""
    arrays = {name: np.zeros(shape) for name, shape in progress_shapes(0, 0).items()}
    return Progress(**arrays | {"counters": arrays["counters"].astype(np.int64)})


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
        See the names of its places below.
    crossed_at : float64 (c,)
        Written: when a watched quantity passed through 0, from the start of the segment, s.
    crossed : int64 (c, 2)
        Written: the segment, and the number of the quantity.
    """

    times: np.ndarray
    segments: np.ndarray
    states: np.ndarray
    mode: np.ndarray
    crossed_at: np.ndarray
    crossed: np.ndarray


#: Places in Samples.mode: whether every step is recorded; whether another block of samples follows this one.
EVERY_STEP, MORE = 0, 1

#: Columns of Samples.crossed.
CROSSED_SEGMENT, CROSSED_QUANTITY = 0, 1


def sample_shapes(samples: int, states: int, crossings: int) -> dict[str, tuple[int, ...]]:
    """Shape of each array of ``Samples``."""
    return {
        "times": (samples,),
        "segments": (samples,),
        "states": (samples, states),
        "mode": (2,),
        "crossed_at": (crossings,),
        "crossed": (crossings, 2),
    }


class Scratch(NamedTuple):
    """Arrays that the integrator works in; nothing in them is used by a later call.

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
    levels : float64 (2, q)
        The watched quantities at the end of a step and at a time within it.
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


#: Rows of Scratch.levels.
AT_END, WITHIN = 0, 1


def scratch_shapes(states: int, watched: int, work: int, factors: int) -> dict[str, tuple[int, ...]]:
    """Shape of each array of a ``Scratch``."""
    vectors = dict.fromkeys(("stage", "first", "second"), (states,))
    shapes = {"u": (STAGES, states), "linear": (linear_size(states),), **vectors}
    return shapes | {"clock": (2,), "work": (work,), "lu": (factors,), "levels": (2, watched)}


class Sizes(NamedTuple):
    """Numbers in the table of addresses from which the sizes of all arrays follow, and the most steps of the call."""

    segments: int
    masses: int
    constants: int
    states: int
    watched: int
    work: int
    factors: int
    samples: int
    crossings: int
    budget: int


#: Where in the table of addresses that the compiled integrator reads the arrays of each tuple begin, then the sizes;
#: and its length.
PROGRESS = len(Problem._fields)
SAMPLES = PROGRESS + len(Progress._fields)
SCRATCH = SAMPLES + len(Samples._fields)
SIZES = SCRATCH + len(Scratch._fields)
LENGTH = SIZES + len(Sizes._fields)

#: The place in the table of each of them, by its name.
PROBLEM_AT = Problem._make(range(PROGRESS))
PROGRESS_AT = Progress._make(range(PROGRESS, SAMPLES))
SAMPLES_AT = Samples._make(range(SAMPLES, SCRATCH))
SCRATCH_AT = Scratch._make(range(SCRATCH, SIZES))
SIZES_AT = Sizes._make(range(SIZES, LENGTH))
