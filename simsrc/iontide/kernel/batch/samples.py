"""Samples of runs in lanes: by the interpolant of the step just made, or by steps of their own."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..integrator.call import call
from ..integrator.events import interpolate
from ..layout import batch_problem as place
from ..layout import batch_rows as row
from ..layout.batch_problem import CURSOR, LANES, NO_TASK, RUN, SAMPLES_DUE, SEGMENT, TASK
from ..layout.tableau import STAGES, H


@njit(error_model="numpy", forceinline=True)
def next_sample(queue, bench, lane):
    """Time of the next sample in this segment, infinite where there is none."""
    i = bench.place[CURSOR, lane]
    if i < queue.times.shape[0] and queue.segments[i] == bench.place[SEGMENT, lane]:
        return queue.times[i]
    return np.inf


@njit(error_model="numpy", forceinline=True)
def write_samples_at_start(queue, bench, lane):
    """Samples of the moment in which a segment begins."""
    run = bench.place[RUN, lane]
    while next_sample(queue, bench, lane) <= 0.0:
        for i in range(bench.y.shape[0]):
            queue.samples[run, bench.place[CURSOR, lane], i] = bench.y[i, lane]
        bench.place[CURSOR, lane] += 1
    bench.control[row.NEXT_SAMPLE, lane] = next_sample(queue, bench, lane)


@njit(error_model="numpy", forceinline=True)
def record_samples(queue, bench):
    """Samples that the last steps have brought within reach."""
    tasks, control = bench.place[TASK], bench.control
    for lane in range(LANES):
        if tasks[lane] == SAMPLES_DUE:
            first = bench.place[CURSOR, lane]
            interpolate_samples(queue, bench, lane)
            if queue.counts[place.OWN_STEPS] > 0:
                bench.place[CURSOR, lane] = first
            else:
                tasks[lane] = NO_TASK
                control[row.NEXT_SAMPLE, lane] = next_sample(queue, bench, lane)
    left = queue.counts[place.OWN_STEPS] > 0
    while left:
        left = sample_by_own_steps(queue, bench)


@njit(error_model="numpy")
def interpolate_samples(queue, bench, lane):
    """By the interpolant of the step just made."""
    t, n = bench.control[row.T, lane], bench.y.shape[0]
    if next_sample(queue, bench, lane) > t:
        return
    dense, run = bench.dense, bench.place[RUN, lane]
    for r in range(3):
        for i in range(n):
            dense[2 + r, i] = 0.0
        for q in range(STAGES):
            weight = H[r, q]
            for i in range(n):
                dense[2 + r, i] += weight * bench.u[q * n + i, lane]
    for i in range(n):
        dense[0, i] = bench.before[i, lane]
        dense[1, i] = bench.y[i, lane]
    while next_sample(queue, bench, lane) <= t:
        i = bench.place[CURSOR, lane]
        theta = 1.0 - (t - queue.times[i]) / bench.control[row.LAST_STEP, lane]
        interpolate(dense, theta, queue.counts[place.NONNEGATIVE], queue.samples[run], i)
        bench.place[CURSOR, lane] += 1


@njit(error_model="numpy")
def sample_by_own_steps(queue, bench):
    """One sample of each lane that has some due, by a step from where the last one began; whether more are left.

    Where that step leads to no number, or to less than nothing, the sample of the interpolant stays.
    """
    tasks, control, n = bench.place[TASK], bench.control, bench.y.shape[0]
    wanted = False
    for lane in range(LANES):
        if tasks[lane] != SAMPLES_DUE:
            continue
        t, due = control[row.T, lane], next_sample(queue, bench, lane)
        if due > t:
            tasks[lane] = NO_TASK
            control[row.NEXT_SAMPLE, lane] = due
            continue
        wanted = True
        bench.clock[0, lane] = t - control[row.LAST_STEP, lane]
        bench.clock[1, lane] = due - bench.clock[0, lane]
    if not wanted:
        return False
    call(queue.code[place.LINEARISED], (bench.clock, bench.before, bench.k, bench.work, bench.linear))
    call(
        queue.code[place.STEP_CODE],
        (bench.clock, bench.before, bench.k, bench.mass, bench.linear, bench.u, bench.stage, bench.work),
    )
    for lane in range(LANES):
        if tasks[lane] != SAMPLES_DUE:
            continue
        run, i = bench.place[RUN, lane], bench.place[CURSOR, lane]
        theta = 1.0 - (control[row.T, lane] - queue.times[i]) / control[row.LAST_STEP, lane]
        good = theta < 1.0
        for j in range(n):
            value = bench.stage[j, lane]
            good = good and np.isfinite(value) and not (j < queue.counts[place.NONNEGATIVE] and value < 0.0)
        for j in range(n):
            if good:
                queue.samples[run, i, j] = bench.stage[j, lane]
        bench.place[CURSOR, lane] += 1
    return True
