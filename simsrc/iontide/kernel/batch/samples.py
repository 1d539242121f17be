"""Samples of runs in lanes: by the interpolant of the step just made, or by steps that lead to them."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..integrator.call import call
from ..integrator.events import fit_interpolant, interpolate
from ..layout import batch_problem as place
from ..layout import batch_rows as row
from ..layout import functions
from ..layout.batch_problem import LANES, NEXT_SAMPLE, NO_TASK, RUN, SAMPLES_DUE, SEGMENT, TASK
from ..layout.problem import AFTER, BEFORE
from ..layout.tableau import STAGES


@njit(error_model="numpy")
def next_sample(queue, workspace, lane):
    """Time of the next sample in this segment, infinite where there is none."""
    i = workspace.place[NEXT_SAMPLE, lane]
    if i < queue.times.shape[0] and queue.segments[i] == workspace.place[SEGMENT, lane]:
        return queue.times[i]
    return np.inf


@njit(error_model="numpy")
def write_samples_at_start(queue, workspace, lane):
    """Write the samples at the start of a segment."""
    run = workspace.place[RUN, lane]
    while next_sample(queue, workspace, lane) <= 0.0:
        for i in range(workspace.y.shape[0]):
            queue.samples[run, workspace.place[NEXT_SAMPLE, lane], i] = workspace.y[i, lane]
        workspace.place[NEXT_SAMPLE, lane] += 1
    workspace.control[row.NEXT_SAMPLE, lane] = next_sample(queue, workspace, lane)


@njit(error_model="numpy")
def record_samples(queue, workspace):
    """Write the samples that the last steps have passed."""
    tasks, control = workspace.place[TASK], workspace.control
    for lane in range(LANES):
        if tasks[lane] == SAMPLES_DUE:
            first = workspace.place[NEXT_SAMPLE, lane]
            interpolate_samples(queue, workspace, lane)
            if queue.counts[place.SAMPLE_BY_STEPS] > 0:
                workspace.place[NEXT_SAMPLE, lane] = first
            else:
                tasks[lane] = NO_TASK
                control[row.NEXT_SAMPLE, lane] = next_sample(queue, workspace, lane)
    left = queue.counts[place.SAMPLE_BY_STEPS] > 0
    while left:
        left = sample_by_steps(queue, workspace)


@njit(error_model="numpy")
def interpolate_samples(queue, workspace, lane):
    """Write the samples of a lane by the interpolant of the step just made."""
    t, n = workspace.control[row.T, lane], workspace.y.shape[0]
    if next_sample(queue, workspace, lane) > t:
        return
    dense, run = workspace.dense, workspace.place[RUN, lane]
    for q in range(STAGES):
        for i in range(n):
            workspace.stages[q, i] = workspace.u[q * n + i, lane]
    fit_interpolant(dense, workspace.stages)
    for i in range(n):
        dense[BEFORE, i] = workspace.before[i, lane]
        dense[AFTER, i] = workspace.y[i, lane]
    while next_sample(queue, workspace, lane) <= t:
        i = workspace.place[NEXT_SAMPLE, lane]
        theta = 1.0 - (t - queue.times[i]) / workspace.control[row.LAST_STEP, lane]
        interpolate(dense, theta, queue.counts[place.NONNEGATIVE], queue.samples[run], i)
        workspace.place[NEXT_SAMPLE, lane] += 1


@njit(error_model="numpy")
def sample_by_steps(queue, workspace):
    """One sample of each lane that has some due, by a step from where the last one began; whether more are left.

    Where that step leads to no number, or to a negative amount, the sample of the interpolant remains.
    """
    tasks, control, n = workspace.place[TASK], workspace.control, workspace.y.shape[0]
    wanted = False
    for lane in range(LANES):
        if tasks[lane] != SAMPLES_DUE:
            continue
        t, due = control[row.T, lane], next_sample(queue, workspace, lane)
        if due > t:
            tasks[lane] = NO_TASK
            control[row.NEXT_SAMPLE, lane] = due
            continue
        wanted = True
        workspace.clock[functions.TIME, lane] = t - control[row.LAST_STEP, lane]
        workspace.clock[functions.STEP_LENGTH, lane] = due - workspace.clock[functions.TIME, lane]
    if not wanted:
        return False
    call(
        queue.code[functions.LANE_LINEARISED],
        (workspace.clock, workspace.before, workspace.k, workspace.work, workspace.linear),
    )
    call(
        queue.code[functions.LANE_STEP],
        (
            workspace.clock,
            workspace.before,
            workspace.k,
            workspace.mass,
            workspace.linear,
            workspace.u,
            workspace.stage,
            workspace.work,
        ),
    )
    for lane in range(LANES):
        if tasks[lane] != SAMPLES_DUE:
            continue
        run, i = workspace.place[RUN, lane], workspace.place[NEXT_SAMPLE, lane]
        theta = 1.0 - (control[row.T, lane] - queue.times[i]) / control[row.LAST_STEP, lane]
        good = theta < 1.0
        for j in range(n):
            value = workspace.stage[j, lane]
            good = good and np.isfinite(value) and not (j < queue.counts[place.NONNEGATIVE] and value < 0.0)
        for j in range(n):
            if good:
                queue.samples[run, i, j] = workspace.stage[j, lane]
        workspace.place[NEXT_SAMPLE, lane] += 1
    return True
