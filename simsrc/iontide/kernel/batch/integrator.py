"""Many runs of one program, a lane each: a lane that is done takes the next run from the queue.

The printed ``advance`` (see ``codegen.batch_step_printer``) makes the steps; this module does the rest, for one lane at
a time, when a segment ends, a sample is due or a run is over. It is compiled once for all models, like
``integrator.rosenbrock``, and does what that does for a single run, in the same order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..integrator.call import call
from ..layout import batch_problem as place
from ..layout import batch_rows as row
from ..layout import functions
from ..layout.status import DONE, NEGATIVE_AMOUNT, NO_CONSISTENT_STATE, STEADY, TOO_MANY_STEPS
from ..layout.step_control import CONSISTENT, INSTANT, MOST_ITERATIONS, STEADY_HORIZON
from ..layout.tableau import STAGES
from .samples import record_samples, write_samples_at_start

LANES = place.LANES
RUN, SEGMENT, NEXT_SAMPLE, TASK = place.RUN, place.SEGMENT, place.NEXT_SAMPLE, place.TASK
NO_TASK, BEGINS, SAMPLES_DUE = place.NO_TASK, place.BEGINS, place.SAMPLES_DUE

#: In place of a time of 0 (of a lane without a run), s: a step must have a length.
LEAST_TIME = 1e-300


@njit(error_model="numpy")
def integrate_lanes(queue, workspace):
    """Integrate every run that waits in the queue."""
    control, tasks = workspace.control, workspace.place[TASK]
    waiting = 0
    for lane in range(LANES):
        waiting = take_run(queue, workspace, lane, waiting)
    code = queue.code
    while True:
        while begin_segments(queue, workspace):
            waiting = refill(queue, workspace, waiting)
        busy = False
        for lane in range(LANES):
            busy = busy or control[row.ACTIVE, lane] > 0.0
        if not busy:
            return
        call(
            code[functions.LANE_ADVANCE],
            (
                *(control, workspace.clock, workspace.y, workspace.before, workspace.k, workspace.mass),
                *(workspace.absolute, workspace.linear, workspace.u, workspace.stage, workspace.work),
            ),
        )
        settling = False
        for lane in range(LANES):
            need = control[row.ATTENTION, lane]
            if control[row.ACTIVE, lane] == 0.0 or need == row.NOTHING_DUE:
                continue
            if need == row.STUCK or need == row.EXHAUSTED:
                status = TOO_MANY_STEPS if need == row.EXHAUSTED else int(control[row.CAUSE, lane])
                finish(queue, workspace, lane, status, limiting_state(queue, workspace, lane))
                continue
            if need != row.MAY_BE_STEADY:
                tasks[lane] = SAMPLES_DUE
            settling = settling or need >= row.MAY_BE_STEADY
        record_samples(queue, workspace)
        if settling:
            end_where_steady(queue, workspace)
        if queue.counts[place.MEASURE_ENDS] > 0:
            measure_ends(queue, workspace)
        for lane in range(LANES):
            if control[row.ACTIVE, lane] > 0.0 and control[row.T, lane] >= control[row.LENGTH, lane]:
                end_segment(queue, workspace, lane)
        waiting = refill(queue, workspace, waiting)


@njit(error_model="numpy")
def refill(queue, workspace, waiting):
    """Give every lane that is free a run from the queue; returns where in the queue to look next."""
    for lane in range(LANES):
        if workspace.control[row.ACTIVE, lane] == 0.0:
            waiting = take_run(queue, workspace, lane, waiting)
    return waiting


@njit(error_model="numpy")
def take_run(queue, workspace, lane, waiting):
    """Put the next run that waits into a lane; without one, the lane is inactive."""
    control = workspace.control
    runs = queue.status.shape[0]
    while waiting < runs and queue.status[waiting] != place.WAITING:
        waiting += 1
    if waiting == runs:
        control[row.ACTIVE, lane] = 0.0
        return waiting
    for i in range(workspace.y.shape[0]):
        workspace.y[i, lane] = queue.start[waiting, i]
        workspace.before[i, lane] = queue.start[waiting, i]
        workspace.absolute[i, lane] = queue.absolute[waiting, i]
    workspace.place[RUN, lane] = waiting
    workspace.place[NEXT_SAMPLE, lane] = 0
    for r in (row.STEPS, row.REJECTED, row.CAUSE, row.ATTENTION):
        control[r, lane] = 0.0
    control[row.ACTIVE, lane] = 1.0
    control[row.RELATIVE, lane] = queue.options[place.RELATIVE]
    control[row.MOST_STEPS, lane] = queue.options[place.MOST_STEPS]
    enter_segment(queue, workspace, lane, 0)
    return waiting + 1


@njit(error_model="numpy")
def enter_segment(queue, workspace, lane, segment):
    """Set a lane to the start of a segment, with the values that hold there."""
    control, run = workspace.control, workspace.place[RUN, lane]
    for i in range(queue.constants.shape[2]):
        workspace.k[i, lane] = queue.constants[run, segment, i]
    for i in range(queue.mass.shape[2]):
        workspace.mass[i, lane] = queue.mass[run, segment, i]
    workspace.place[SEGMENT, lane] = segment
    workspace.place[TASK, lane] = BEGINS
    for r in (row.T, row.LAST_STEP, row.LAST_ROOT, row.AFTER_REJECTION, row.STEP):
        control[r, lane] = 0.0
    control[row.LENGTH, lane] = queue.lengths[run, segment]
    last = segment + 1 == queue.lengths.shape[1]
    control[row.WATCH_STEADY, lane] = 1.0 if last and queue.counts[place.STOP_AT_STEADY_STATE] > 0 else 0.0


@njit(error_model="numpy")
def end_segment(queue, workspace, lane):
    """Enter the next segment, or end the run with the last one."""
    segment = workspace.place[SEGMENT, lane]
    if segment + 1 == queue.lengths.shape[1]:
        finish(queue, workspace, lane, DONE, 0)
    else:
        enter_segment(queue, workspace, lane, segment + 1)


@njit(error_model="numpy")
def finish(queue, workspace, lane, status, worst):
    """Store how a run ended, and free its lane."""
    run, control = workspace.place[RUN, lane], workspace.control
    queue.status[run] = status
    queue.reached[run] = control[row.T, lane]
    queue.counters[run, place.ENDED_IN] = workspace.place[SEGMENT, lane]
    queue.counters[run, place.STEPS] = int(control[row.STEPS, lane])
    queue.counters[run, place.REJECTED] = int(control[row.REJECTED, lane])
    queue.counters[run, place.WORST] = worst
    for i in range(workspace.y.shape[0]):
        queue.end[run, i] = workspace.y[i, lane]
    control[row.ACTIVE, lane] = 0.0
    workspace.place[TASK, lane] = NO_TASK


@njit(error_model="numpy")
def limiting_state(queue, workspace, lane):
    """The state because of which a run cannot go on: the largest error, the first that is no number, or the lowest."""
    n = workspace.y.shape[0]
    if int(workspace.control[row.CAUSE, lane]) == NEGATIVE_AMOUNT:
        worst, least = 0, np.inf
        for i in range(queue.counts[place.NONNEGATIVE]):
            left = min(workspace.stage[i, lane], workspace.y[i, lane]) / workspace.absolute[i, lane]
            if left < least:
                worst, least = i, left
        return worst
    worst, largest = 0, -1.0
    for i in range(n):
        q = abs(workspace.u[(STAGES - 1) * n + i, lane]) / (
            workspace.absolute[i, lane] + queue.options[place.RELATIVE] * abs(workspace.y[i, lane])
        )
        if np.isnan(q):
            return i
        if q > largest:
            worst, largest = i, q
    return worst


# -- the start of a segment -------------------------------------------------------------------------------------------


@njit(error_model="numpy")
def begin_segments(queue, workspace):
    """Consistent states, the samples of this moment and a first step, for the lanes whose segment begins.

    Returns whether there was any: where a run has no consistent state, another may begin in its place.
    """
    control, tasks = workspace.control, workspace.place[TASK]
    anything = False
    for lane in range(LANES):
        anything = anything or tasks[lane] == BEGINS
    if not anything:
        return False
    if queue.counts[place.ALGEBRAIC] > 0:
        make_consistent(queue, workspace)
    for lane in range(LANES):
        if tasks[lane] == BEGINS:
            write_samples_at_start(queue, workspace, lane)
    call(
        queue.code[functions.LANE_BEGIN],
        (
            *(control, workspace.clock, workspace.y, workspace.k, workspace.mass, workspace.absolute),
            *(workspace.linear, workspace.lu, workspace.speed, workspace.move, workspace.work),
        ),
    )
    for lane in range(LANES):
        if tasks[lane] == BEGINS:
            control[row.STEP, lane] = control[row.FIRST_STEP, lane]
            tasks[lane] = NO_TASK
    return True


@njit(error_model="numpy")
def newton(queue, workspace):
    """A linearised step of the lengths in ``clock``, from the times there, into ``move``."""
    call(
        queue.code[functions.LANE_NEWTON],
        (
            *(workspace.control, workspace.clock, workspace.y, workspace.k, workspace.mass),
            *(workspace.absolute, workspace.linear, workspace.lu, workspace.move, workspace.work),
        ),
    )


@njit(error_model="numpy")
def make_consistent(queue, workspace):
    """Bring algebraic states to where their equations hold, as ``integrator.start.make_consistent``."""
    control, tasks, y, n = workspace.control, workspace.place[TASK], workspace.y, workspace.y.shape[0]
    settled, left = control[row.FIRST_STEP], 0  # a row that is free until there is a first step
    for lane in range(LANES):
        if tasks[lane] == BEGINS:
            left += 1
            for i in range(n):
                workspace.before[i, lane] = y[i, lane]
        settled[lane] = 0.0
    for _ in range(MOST_ITERATIONS):
        if left == 0:
            break
        for lane in range(LANES):
            workspace.clock[functions.TIME, lane] = 0.0
            workspace.clock[functions.STEP_LENGTH, lane] = INSTANT * control[row.LENGTH, lane]
        newton(queue, workspace)
        for lane in range(LANES):
            if tasks[lane] != BEGINS or settled[lane] > 0.0:
                continue
            size = control[row.MOVE_NORM, lane]
            if not np.isfinite(size):
                settled[lane] = 1.0
                left -= 1
                abandon(queue, workspace, lane, NO_CONSISTENT_STATE, 0)
                continue
            for i in range(n):
                y[i, lane] += workspace.move[i, lane]
            if size < CONSISTENT:
                settled[lane] = 1.0
                left -= 1
                for i in range(queue.counts[place.NONNEGATIVE]):
                    if tasks[lane] == BEGINS and y[i, lane] < 0.0:
                        abandon(queue, workspace, lane, NEGATIVE_AMOUNT, i)
    for lane in range(LANES):
        if tasks[lane] == BEGINS and settled[lane] == 0.0:
            abandon(queue, workspace, lane, NO_CONSISTENT_STATE, 0)


@njit(error_model="numpy")
def abandon(queue, workspace, lane, status, worst):
    """End a run that has no consistent state in the one that it had."""
    for i in range(workspace.y.shape[0]):
        workspace.y[i, lane] = workspace.before[i, lane]
    finish(queue, workspace, lane, status, worst)


# -- the end ----------------------------------------------------------------------------------------------------------


@njit(error_model="numpy")
def step_far_ahead(queue, workspace):
    """A linearised step over a very long time, for all lanes: what it moves is how far they are from a steady state."""
    for lane in range(LANES):
        time = workspace.control[row.T, lane]
        workspace.clock[functions.TIME, lane] = time
        workspace.clock[functions.STEP_LENGTH, lane] = STEADY_HORIZON * max(time, LEAST_TIME)
    newton(queue, workspace)


@njit(error_model="numpy")
def end_where_steady(queue, workspace):
    """End the runs that may be steady and that the linearised equations do not move, over a very long time."""
    control = workspace.control
    step_far_ahead(queue, workspace)
    for lane in range(LANES):
        need = control[row.ATTENTION, lane]
        watched = need == row.MAY_BE_STEADY or need == row.DUE_AND_STEADY
        if control[row.ACTIVE, lane] == 0.0 or not watched or control[row.T, lane] >= control[row.LENGTH, lane]:
            continue
        away = distance(queue, workspace, lane)
        if away <= 1.0:
            queue.away[workspace.place[RUN, lane]] = away
            finish(queue, workspace, lane, STEADY, 0)


@njit(error_model="numpy")
def distance(queue, workspace, lane):
    """The largest part of ``move`` in units of the tolerance at y; NaN where one of them is NaN."""
    largest = 0.0
    for i in range(workspace.y.shape[0]):
        allowed = workspace.absolute[i, lane] + queue.options[place.RELATIVE] * abs(workspace.y[i, lane])
        moved = abs(workspace.move[i, lane]) / allowed
        if not moved <= largest:
            largest = moved
    return largest


@njit(error_model="numpy")
def measure_ends(queue, workspace):
    """Store how far from a steady state the runs are that have reached their end."""
    control, last = workspace.control, queue.lengths.shape[1] - 1
    ended = False
    for lane in range(LANES):
        over = control[row.T, lane] >= control[row.LENGTH, lane] and workspace.place[SEGMENT, lane] == last
        ended = ended or (control[row.ACTIVE, lane] > 0.0 and over)
    if not ended:
        return
    step_far_ahead(queue, workspace)
    for lane in range(LANES):
        over = control[row.T, lane] >= control[row.LENGTH, lane] and workspace.place[SEGMENT, lane] == last
        if control[row.ACTIVE, lane] > 0.0 and over:
            queue.away[workspace.place[RUN, lane]] = distance(queue, workspace, lane)
