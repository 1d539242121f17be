"""What the batch integrator reads and writes: a queue of runs with their results, and the workspace of the lanes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .batch_rows import ROWS
from .functions import LANE_FUNCTIONS, linear_size
from .tableau import STAGES

#: Runs that go on side by side: two registers of eight doubles, or four of four.
LANES = 16

#: Status of a run that waits in the queue; one with any other status is not run.
WAITING = 1000


class Queue(NamedTuple):
    """p runs of n states over s segments, with m samples each.

    Attributes
    ----------
    code : int64 (5,)
        Addresses of the machine code, in the order of ``functions.LANE_FUNCTIONS``.
    counts : int64 (5,)
        See the names of its places below.
    options : float64 (2,)
        See the names of its places below.
    constants : float64 (p, s, e)
        Constants of the tape in each run and segment; ``mass`` (p, s, w) likewise the entries of the mass matrix.
    lengths : float64 (p, s)
        Of the segments, s.
    absolute, start : float64 (p, n)
        Absolute tolerances, and initial states.
    times, segments : float64 and int64 (m,)
        Of the samples, from the start of their segment, s; the same for all runs.
    status : int64 (p,)
        ``WAITING``, and then how the run ended (see ``status``).
    counters : int64 (p, 4)
        Written: see the names of its columns below.
    reached : float64 (p,)
        Written: time within the segment in which it ended, s.
    end : float64 (p, n)
        Written: the last state.
    away : float64 (p,)
        Written if ``counts[MEASURE_ENDS]``: how far, in tolerances, the linearised equations would still take the last
        state.
    samples : float64 (p, m, n)
        Written as far as the run got; NaN beyond.
    """

    code: np.ndarray
    counts: np.ndarray
    options: np.ndarray
    constants: np.ndarray
    mass: np.ndarray
    lengths: np.ndarray
    absolute: np.ndarray
    start: np.ndarray
    times: np.ndarray
    segments: np.ndarray
    status: np.ndarray
    counters: np.ndarray
    reached: np.ndarray
    end: np.ndarray
    away: np.ndarray
    samples: np.ndarray


#: Places in Queue.counts: how many states, the first ones, must not become negative; whether some may be algebraic;
#: whether samples between two steps are made by steps that lead to them; whether a steady state ends a run; whether to
#: measure how far an end is from a steady state.
NONNEGATIVE, ALGEBRAIC, SAMPLE_BY_STEPS, STOP_AT_STEADY_STATE, MEASURE_ENDS = range(5)

#: Places in Queue.options: relative tolerance, most steps.
RELATIVE, MOST_STEPS = 0, 1

#: Columns of Queue.counters: the segment in which the run ended, steps accepted and rejected, the state that limited
#: the last step.
ENDED_IN, STEPS, REJECTED, WORST = range(4)


def queue_shapes(
    runs: int, segments: int, states: int, masses: int, constants: int, samples: int
) -> dict[str, tuple[int, ...]]:
    """Shape of each array of a ``Queue``."""
    shapes: dict[str, tuple[int, ...]] = {"code": (len(LANE_FUNCTIONS),), "counts": (5,), "options": (2,)}
    shapes |= {"constants": (runs, segments, constants), "mass": (runs, segments, masses), "lengths": (runs, segments)}
    shapes |= dict.fromkeys(("absolute", "start", "end"), (runs, states))
    shapes |= dict.fromkeys(("times", "segments"), (samples,)) | dict.fromkeys(("status", "reached", "away"), (runs,))
    return shapes | {"counters": (runs, 4), "samples": (runs, samples, states)}


class Workspace(NamedTuple):
    """What the lanes work in: a row of ``LANES`` numbers for each number of one run.

    Attributes
    ----------
    control : float64 (ROWS, LANES)
        See ``batch_rows``.
    clock : float64 (2, LANES)
        Time and step, as the machine code reads them.
    y, before, stage, absolute, speed, move : float64 (n, LANES)
    u : float64 (8 n, LANES)
    linear : float64 (n (n + 2), LANES)
    k, mass, lu, work : float64 (…, LANES)
    dense, stages : float64 (5, n), (8, n)
        Of one lane: its interpolant, as in ``Progress``, and the stage vectors from which that is made.
    place : int64 (4, LANES)
        See the names of its rows below.
    """

    control: np.ndarray
    clock: np.ndarray
    y: np.ndarray
    before: np.ndarray
    stage: np.ndarray
    absolute: np.ndarray
    speed: np.ndarray
    move: np.ndarray
    u: np.ndarray
    linear: np.ndarray
    k: np.ndarray
    mass: np.ndarray
    lu: np.ndarray
    work: np.ndarray
    dense: np.ndarray
    stages: np.ndarray
    place: np.ndarray


#: Rows of Workspace.place: the lane's run, its segment, its next sample, and what is still to be done for it.
RUN, SEGMENT, NEXT_SAMPLE, TASK = range(4)

#: Values of TASK: nothing, a segment begins, samples are due.
NO_TASK, BEGINS, SAMPLES_DUE = range(3)


def workspace_shapes(states: int, constants: int, masses: int, factors: int, work: int) -> dict[str, tuple[int, int]]:
    """Shape of each array of a ``Workspace``."""
    n, lanes = states, LANES
    shapes = {"control": (ROWS, lanes), "clock": (2, lanes)}
    shapes |= dict.fromkeys(("y", "before", "stage", "absolute", "speed", "move"), (n, lanes))
    shapes |= {"u": (STAGES * n, lanes), "linear": (linear_size(n), lanes)}
    sizes = {"k": constants, "mass": masses, "lu": factors, "work": work}
    shapes |= {name: (max(size, 1), lanes) for name, size in sizes.items()}
    return shapes | {"dense": (5, n), "stages": (STAGES, n), "place": (4, lanes)}


class Sizes(NamedTuple):
    """Numbers in the table of addresses from which the sizes of all arrays follow."""

    runs: int
    segments: int
    constants: int
    masses: int
    states: int
    samples: int
    factors: int
    work: int


#: Where in the table of addresses that the compiled integrator reads the arrays of the workspace begin (those of the
#: queue at 0), then the sizes; and its length.
WORKSPACE = len(Queue._fields)
SIZES = WORKSPACE + len(Workspace._fields)
LENGTH = SIZES + len(Sizes._fields)

#: The place in the table of each of them, by its name.
QUEUE_AT = Queue._make(range(WORKSPACE))
WORKSPACE_AT = Workspace._make(range(WORKSPACE, SIZES))
SIZES_AT = Sizes._make(range(SIZES, LENGTH))
