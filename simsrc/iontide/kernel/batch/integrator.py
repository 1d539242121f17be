"""Many runs of one program, a lane each: a lane that is done takes the next run from the queue.

The printed ``advance`` (see ``lane_step``) makes the steps; what stands here is done for one lane at a time, when a
segment ends, a sample is due or a run is over. It is compiled once for all models, like ``rosenbrock``, whose single
run it repeats in what it does and in what order.

``forceinline``: a call hands on some three hundred words (every array with its shape), more than most of these do.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..integrator.call import call
from ..integrator.rosenbrock import CONSISTENT, INSTANT, MOST_ITERATIONS, STEADY_HORIZON
from ..layout import batch_problem as place
from ..layout import batch_rows as row
from ..layout.status import DONE, NEGATIVE_AMOUNT, NO_CONSISTENT_STATE, STEADY, TOO_MANY_STEPS
from ..layout.tableau import STAGES
from .samples import record_samples, write_samples_at_start

LANES = place.LANES
RUN, SEGMENT, CURSOR, TASK = place.RUN, place.SEGMENT, place.CURSOR, place.TASK
NO_TASK, BEGINS, SAMPLES_DUE = place.NO_TASK, place.BEGINS, place.SAMPLES_DUE


@njit(error_model="numpy")
def integrate_lanes(queue, bench):
    """Integrate every run that waits in the queue."""
    control, tasks = bench.control, bench.place[TASK]
    waiting = 0
    for lane in range(LANES):
        waiting = take_run(queue, bench, lane, waiting)
    code = queue.code
    while True:
        while begin_segments(queue, bench):
            waiting = refill(queue, bench, waiting)
        busy = False
        for lane in range(LANES):
            busy = busy or control[row.ACTIVE, lane] > 0.0
        if not busy:
            return
        call(
            code[place.ADVANCE],
            (
                *(control, bench.clock, bench.y, bench.before, bench.k, bench.mass),
                *(bench.absolute, bench.linear, bench.u, bench.stage, bench.work),
            ),
        )
        settling = False
        for lane in range(LANES):
            need = control[row.ATTENTION, lane]
            if control[row.ACTIVE, lane] == 0.0 or need == row.NOTHING_DUE:
                continue
            if need == row.STUCK or need == row.EXHAUSTED:
                status = TOO_MANY_STEPS if need == row.EXHAUSTED else int(control[row.CAUSE, lane])
                finish(queue, bench, lane, status, limiting_state(queue, bench, lane))
                continue
            if need != row.MAY_BE_STEADY:
                tasks[lane] = SAMPLES_DUE
            settling = settling or need >= row.MAY_BE_STEADY
        record_samples(queue, bench)
        if settling:
            end_where_steady(queue, bench)
        if queue.counts[place.JUDGING] > 0:
            judge_ends(queue, bench)
        for lane in range(LANES):
            if control[row.ACTIVE, lane] > 0.0 and control[row.T, lane] >= control[row.LENGTH, lane]:
                end_segment(queue, bench, lane)
        waiting = refill(queue, bench, waiting)


@njit(error_model="numpy", forceinline=True)
def refill(queue, bench, waiting):
    """Give every lane that is free a run from the queue; returns where in the queue to look next."""
    for lane in range(LANES):
        if bench.control[row.ACTIVE, lane] == 0.0:
            waiting = take_run(queue, bench, lane, waiting)
    return waiting


@njit(error_model="numpy", forceinline=True)
def take_run(queue, bench, lane, waiting):
    """Put the next run that waits into a lane; without one, the lane stays as it is, at rest."""
    control = bench.control
    runs = queue.status.shape[0]
    while waiting < runs and queue.status[waiting] != place.WAITING:
        waiting += 1
    if waiting == runs:
        control[row.ACTIVE, lane] = 0.0
        return waiting
    for i in range(bench.y.shape[0]):
        bench.y[i, lane] = queue.start[waiting, i]
        bench.before[i, lane] = queue.start[waiting, i]
        bench.absolute[i, lane] = queue.absolute[waiting, i]
    bench.place[RUN, lane] = waiting
    bench.place[CURSOR, lane] = 0
    for r in (row.STEPS, row.REJECTED, row.CAUSE, row.ATTENTION):
        control[r, lane] = 0.0
    control[row.ACTIVE, lane] = 1.0
    control[row.RELATIVE, lane] = queue.options[0]
    control[row.MOST, lane] = queue.options[1]
    enter_segment(queue, bench, lane, 0)
    return waiting + 1


@njit(error_model="numpy", forceinline=True)
def enter_segment(queue, bench, lane, segment):
    """Set a lane to the start of a segment, with the values that hold there."""
    control, run = bench.control, bench.place[RUN, lane]
    for i in range(queue.constants.shape[2]):
        bench.k[i, lane] = queue.constants[run, segment, i]
    for i in range(queue.mass.shape[2]):
        bench.mass[i, lane] = queue.mass[run, segment, i]
    bench.place[SEGMENT, lane] = segment
    bench.place[TASK, lane] = BEGINS
    for r in (row.T, row.LAST_STEP, row.LAST_ROOT, row.BEFORE, row.STEP):
        control[r, lane] = 0.0
    control[row.LENGTH, lane] = queue.lengths[run, segment]
    last = segment + 1 == queue.lengths.shape[1]
    control[row.WATCH_STEADY, lane] = 1.0 if last and queue.counts[place.SETTLING] > 0 else 0.0


@njit(error_model="numpy", forceinline=True)
def end_segment(queue, bench, lane):
    """What comes after the end of a segment: the next one, or the end."""
    segment = bench.place[SEGMENT, lane]
    if segment + 1 == queue.lengths.shape[1]:
        finish(queue, bench, lane, DONE, 0)
    else:
        enter_segment(queue, bench, lane, segment + 1)


@njit(error_model="numpy", forceinline=True)
def finish(queue, bench, lane, status, worst):
    """Write down how a run ended, and leave the lane free."""
    run, control = bench.place[RUN, lane], bench.control
    queue.status[run] = status
    queue.reached[run] = control[row.T, lane]
    queue.counters[run, 0] = bench.place[SEGMENT, lane]
    queue.counters[run, 1] = int(control[row.STEPS, lane])
    queue.counters[run, 2] = int(control[row.REJECTED, lane])
    queue.counters[run, 3] = worst
    for i in range(bench.y.shape[0]):
        queue.end[run, i] = bench.y[i, lane]
    control[row.ACTIVE, lane] = 0.0
    bench.place[TASK, lane] = NO_TASK


@njit(error_model="numpy")
def limiting_state(queue, bench, lane):
    """The state that keeps a run from going on: largest in its error, first that is no number, or used up."""
    n = bench.y.shape[0]
    if int(bench.control[row.CAUSE, lane]) == NEGATIVE_AMOUNT:
        worst, least = 0, np.inf
        for i in range(queue.counts[place.NONNEGATIVE]):
            left = min(bench.stage[i, lane], bench.y[i, lane]) / bench.absolute[i, lane]
            if left < least:
                worst, least = i, left
        return worst
    worst, largest = 0, -1.0
    for i in range(n):
        q = abs(bench.u[(STAGES - 1) * n + i, lane]) / (
            bench.absolute[i, lane] + queue.options[0] * abs(bench.y[i, lane])
        )
        if np.isnan(q):
            return i
        if q > largest:
            worst, largest = i, q
    return worst


# -- the start of a segment -------------------------------------------------------------------------------------------


@njit(error_model="numpy", forceinline=True)
def begin_segments(queue, bench):
    """Consistent states, the samples of this moment and a first step, for the lanes whose segment begins.

    Returns whether there was any: where a run has no consistent state, another may have to begin in its place.
    """
    control, tasks = bench.control, bench.place[TASK]
    anything = False
    for lane in range(LANES):
        anything = anything or tasks[lane] == BEGINS
    if not anything:
        return False
    if queue.counts[place.ALGEBRAIC] > 0:
        make_consistent(queue, bench)
    for lane in range(LANES):
        if tasks[lane] == BEGINS:
            write_samples_at_start(queue, bench, lane)
    call(
        queue.code[place.BEGIN],
        (
            *(control, bench.clock, bench.y, bench.k, bench.mass, bench.absolute),
            *(bench.linear, bench.lu, bench.speed, bench.move, bench.work),
        ),
    )
    for lane in range(LANES):
        if tasks[lane] == BEGINS:
            control[row.STEP, lane] = control[row.FIRST, lane]
            tasks[lane] = NO_TASK
    return True


@njit(error_model="numpy", forceinline=True)
def newton(queue, bench):
    """A linearised step of the lengths in ``clock``, from the times there, into ``move``."""
    call(
        queue.code[place.NEWTON],
        (
            *(bench.control, bench.clock, bench.y, bench.k, bench.mass),
            *(bench.absolute, bench.linear, bench.lu, bench.move, bench.work),
        ),
    )


@njit(error_model="numpy")
def make_consistent(queue, bench):
    """Algebraic states to where their equations hold, as ``rosenbrock.make_consistent``."""
    control, tasks, y, n = bench.control, bench.place[TASK], bench.y, bench.y.shape[0]
    settled, left = control[row.FIRST], 0  # a row that is free until there is a first step
    for lane in range(LANES):
        if tasks[lane] == BEGINS:
            left += 1
            for i in range(n):
                bench.before[i, lane] = y[i, lane]
        settled[lane] = 0.0
    for _ in range(MOST_ITERATIONS):
        if left == 0:
            break
        for lane in range(LANES):
            bench.clock[0, lane] = 0.0
            bench.clock[1, lane] = INSTANT * control[row.LENGTH, lane]
        newton(queue, bench)
        for lane in range(LANES):
            if tasks[lane] != BEGINS or settled[lane] > 0.0:
                continue
            size = control[row.SIZE, lane]
            if not np.isfinite(size):
                settled[lane] = 1.0
                left -= 1
                abandon(queue, bench, lane, NO_CONSISTENT_STATE, 0)
                continue
            for i in range(n):
                y[i, lane] += bench.move[i, lane]
            if size < CONSISTENT:
                settled[lane] = 1.0
                left -= 1
                for i in range(queue.counts[place.NONNEGATIVE]):
                    if tasks[lane] == BEGINS and y[i, lane] < 0.0:
                        abandon(queue, bench, lane, NEGATIVE_AMOUNT, i)
    for lane in range(LANES):
        if tasks[lane] == BEGINS and settled[lane] == 0.0:
            abandon(queue, bench, lane, NO_CONSISTENT_STATE, 0)


@njit(error_model="numpy")
def abandon(queue, bench, lane, status, worst):
    """End a run that has no consistent state in the one that it had."""
    for i in range(bench.y.shape[0]):
        bench.y[i, lane] = bench.before[i, lane]
    finish(queue, bench, lane, status, worst)


# -- the end ----------------------------------------------------------------------------------------------------------


@njit(error_model="numpy")
def end_where_steady(queue, bench):
    """End the runs that may be steady and whose linearised equations keep them where they are, however long."""
    control = bench.control
    for lane in range(LANES):
        bench.clock[0, lane] = control[row.T, lane]
        bench.clock[1, lane] = STEADY_HORIZON * max(control[row.T, lane], 1e-300)
    newton(queue, bench)
    for lane in range(LANES):
        need = control[row.ATTENTION, lane]
        watched = need == row.MAY_BE_STEADY or need == row.DUE_AND_STEADY
        if control[row.ACTIVE, lane] == 0.0 or not watched or control[row.T, lane] >= control[row.LENGTH, lane]:
            continue
        away = distance(queue, bench, lane)
        if away <= 1.0:
            queue.away[bench.place[RUN, lane]] = away
            finish(queue, bench, lane, STEADY, 0)


@njit(error_model="numpy", forceinline=True)
def distance(queue, bench, lane):
    """The largest part of ``move`` in units of the tolerance at y; not a number where one of them is none."""
    largest = 0.0
    for i in range(bench.y.shape[0]):
        allowed = bench.absolute[i, lane] + queue.options[0] * abs(bench.y[i, lane])
        moved = abs(bench.move[i, lane]) / allowed
        if not moved <= largest:
            largest = moved
    return largest


@njit(error_model="numpy")
def judge_ends(queue, bench):
    """How far from a steady state the runs are that have come to their end."""
    control, last = bench.control, queue.lengths.shape[1] - 1
    ended = False
    for lane in range(LANES):
        over = control[row.T, lane] >= control[row.LENGTH, lane] and bench.place[SEGMENT, lane] == last
        ended = ended or (control[row.ACTIVE, lane] > 0.0 and over)
        bench.clock[0, lane] = control[row.T, lane]
        bench.clock[1, lane] = STEADY_HORIZON * max(control[row.T, lane], 1e-300)
    if not ended:
        return
    newton(queue, bench)
    for lane in range(LANES):
        over = control[row.T, lane] >= control[row.LENGTH, lane] and bench.place[SEGMENT, lane] == last
        if control[row.ACTIVE, lane] > 0.0 and over:
            queue.away[bench.place[RUN, lane]] = distance(queue, bench, lane)
