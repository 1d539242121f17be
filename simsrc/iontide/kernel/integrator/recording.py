"""Samples of one run: every step, or those at given times that a step has passed."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..layout.functions import LINEARISED, STEP, STEP_LENGTH, TIME
from ..layout.problem import (
    BEFORE,
    EVERY_STEP,
    LAST_STEP,
    MORE,
    NONNEGATIVE,
    PHASE,
    SAMPLE,
    SAMPLE_BY_STEPS,
    SEGMENT,
    START,
    UNRECORDED,
    T,
)
from .call import call
from .events import interpolate


@njit(error_model="numpy")
def record(problem, progress, samples, scratch, k, mass):
    """Write the samples that the last step, or the start of the segment, has reached; whether there is no more room."""
    if samples.mode[EVERY_STEP] > 0:
        return record_step(progress, samples)
    return record_passed(problem, progress, samples, scratch, k, mass)


@njit(error_model="numpy")
def record_step(progress, samples):
    """Write the state itself, unless it is written already."""
    real, count = progress.real, progress.counters
    if not (real[UNRECORDED] > 0.0 or count[PHASE] == START):
        return False
    i = count[SAMPLE]
    if i == samples.times.shape[0]:
        return True
    samples.times[i] = real[T]
    samples.segments[i] = count[SEGMENT]
    for j in range(progress.y.shape[0]):
        samples.states[i, j] = progress.y[j]
    count[SAMPLE] += 1
    real[UNRECORDED] = 0.0
    return False


@njit(error_model="numpy")
def record_passed(problem, progress, samples, scratch, k, mass):
    """Write the samples of this segment at times up to that of the state, by interpolation within the last step."""
    real, count, room = progress.real, progress.counters, samples.times.shape[0]
    while count[SAMPLE] < room:
        i = count[SAMPLE]
        if samples.segments[i] != count[SEGMENT] or samples.times[i] > real[T]:
            break
        if count[PHASE] == START:
            for j in range(progress.y.shape[0]):
                samples.states[i, j] = progress.y[j]
        else:
            theta = 1.0 - (real[T] - samples.times[i]) / real[LAST_STEP]
            interpolate(progress.dense, theta, problem.counts[NONNEGATIVE], samples.states, i)
            if problem.counts[SAMPLE_BY_STEPS] > 0 and theta < 1.0:
                sample_by_step(problem, progress, samples, scratch, k, mass, i)
        count[SAMPLE] += 1
    return count[SAMPLE] == room and samples.mode[MORE] > 0


@njit(error_model="numpy")
def is_sample_due(progress, samples, segment, time):
    """Whether a sample may have to be interpolated up to a time in a segment: one is due, or the next is not known."""
    i, room = progress.counters[SAMPLE], samples.times.shape[0]
    if samples.mode[EVERY_STEP] > 0:
        return False
    if i == room:
        return samples.mode[MORE] > 0
    return samples.segments[i] == segment and samples.times[i] <= time


@njit(error_model="numpy")
def sample_by_step(problem, progress, samples, scratch, k, mass, i):
    """Replace a sample by the end of a step that leads from the start of the last one to it.

    States that follow at once (an algebraic state, a potential after a command that moves) bound no step, and the
    interpolant is poor in them. Where the step leads to no number, or to a negative amount, the sample remains.
    """
    dense, clock, stage, n = progress.dense, scratch.clock, scratch.stage, samples.states.shape[1]
    before = progress.real[T] - progress.real[LAST_STEP]
    clock[TIME], clock[STEP_LENGTH] = before, samples.times[i] - before
    if not clock[STEP_LENGTH] > 0.0:
        return
    y = dense[BEFORE]
    call(problem.code[LINEARISED], (clock, y, k, scratch.work, scratch.linear))
    call(problem.code[STEP], (clock, y, k, mass, scratch.linear, scratch.u, stage, scratch.work))
    good = True
    for j in range(n):
        good = good and np.isfinite(stage[j]) and not (j < problem.counts[NONNEGATIVE] and stage[j] < 0.0)
    for j in range(n):
        if good:
            samples.states[i, j] = stage[j]
