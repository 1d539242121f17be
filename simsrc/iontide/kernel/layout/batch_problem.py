"""What the compiled integrator over lanes is given: a queue of runs, where their results go, and room to work in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .batch_rows import ROWS
from .tableau import STAGES

#: Runs that go on side by side: two registers of eight doubles, or four of four.
LANES = 16

#: Places in Queue.code.
LINEARISED, STEP_CODE, ADVANCE, BEGIN, NEWTON = range(5)

#: Places in Queue.counts: states that must not become negative; whether some may be algebraic; whether samples between
#: two steps are made by steps of their own; whether a steady state ends a run; whether to tell how far an end is from
#: one.
NONNEGATIVE, ALGEBRAIC, OWN_STEPS, SETTLING, JUDGING = range(5)

#: Status of a run that waits in the queue; one with any other status is left alone.
WAITING = 1000


class Queue(NamedTuple):
    """p runs of n states over s segments, with m samples each.

    Attributes
    ----------
    code : int64 (5,)
        Addresses of the printed ``linearised``, ``step``, ``advance``, ``begin`` and ``newton``.
    counts : int64 (5,)
    options : float64 (2,)
        Relative tolerance, most steps.
    constants : float64 (p, s, e)
        What the prologue of the program makes of the values of each run and segment; ``mass`` (p, s, w) likewise.
    lengths : float64 (p, s)
        Of the segments, s.
    absolute, start : float64 (p, n)
        Absolute tolerances, and initial states.
    times, segments : float64 and int64 (m,)
        Of the samples, from the start of their segment, s; the same for all runs.
    status : int64 (p,)
        ``WAITING``, and then how the run ended (see ``status``).
    counters : int64 (p, 4)
        Written: the segment in which it ended, steps accepted and rejected, the state that limited the last step.
    reached : float64 (p,)
        Written: time within that segment, s.
    end : float64 (p, n)
        Written: the last state.
    away : float64 (p,)
        Written where asked for: how far, in tolerances, the linearised equations would still take the last state.
    samples : float64 (p, m, n)
        Written as far as the run came; NaN beyond.
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


class Bench(NamedTuple):
    """Room in which the lanes are at work: a row of ``LANES`` numbers for each number of one run.

    Attributes
    ----------
    control : float64 (ROWS, LANES)
    clock : float64 (2, LANES)
        Time and step, as the machine code reads them.
    y, before, stage, absolute, speed, move : float64 (n, LANES)
    u : float64 (8 n, LANES)
    linear : float64 (n (n + 2), LANES)
    k, mass, lu, work : float64 (…, LANES)
    dense : float64 (5, n)
        The interpolant of one lane.
    place : int64 (4, LANES)
        Of each lane: its run, its segment, its next sample, and what is still to be done.
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
    place: np.ndarray


#: Rows of Bench.place, and values of the last one: nothing, a segment begins, samples are due.
RUN, SEGMENT, CURSOR, TASK = range(4)
NO_TASK, BEGINS, SAMPLES_DUE = range(3)


def bench_shapes(states: int, constants: int, mass: int, factors: int, work: int) -> dict[str, tuple[int, int]]:
    """Shape of each array of a ``Bench``, by its name."""
    n, lanes = states, LANES
    shapes = {"control": (len(ROWS), lanes), "clock": (2, lanes)}
    shapes |= dict.fromkeys(("y", "before", "stage", "absolute", "speed", "move"), (n, lanes))
    shapes |= {"u": (STAGES * n, lanes), "linear": (n * (n + 2), lanes)}
    sizes = {"k": constants, "mass": mass, "lu": factors, "work": work}
    shapes |= {name: (max(size, 1), lanes) for name, size in sizes.items()}
    return shapes | {"dense": (5, n), "place": (4, lanes)}


#: Places in the table of addresses that the compiled integrator is given: the queue's arrays from 0, then those of the
#: bench, then the sizes p, s, e, w, n, m, lu, work.
BENCH = len(Queue._fields)
SIZES = BENCH + len(Bench._fields)
LENGTH = SIZES + 8
