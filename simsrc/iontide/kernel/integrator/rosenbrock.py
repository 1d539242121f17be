"""The integrator: Rodas5P for ``M y' = f(t, y)``, compiled once for all models.

It has nothing of membranes in it: it calls the tape's machine code by address, makes steps, writes samples by
interpolation (the steps never depend on them), stops exactly at the end of every *segment* (the time between two
protocol steps; time runs from 0 in each, so that nothing is lost to rounding late in a run) and returns when a buffer
is full. What it returns is a status code; ``simulation.failures`` makes the message.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..layout.functions import FACTOR, LINEARISED, SOLVE, STEP, STEP_LENGTH, TIME
from ..layout.problem import (
    AFTER,
    BEFORE,
    CAUSE,
    CROSSING,
    JACOBIANS,
    LAST_ERROR,
    LAST_STEP,
    MOST_STEPS,
    NEXT_STEP,
    NONNEGATIVE,
    PHASE,
    REJECTED,
    RELATIVE,
    SEGMENT,
    START,
    STEPPING,
    STEPS,
    STOP_AT_STEADY_STATE,
    UNRECORDED,
    WORST,
    T,
)
from ..layout.status import BUFFER_FULL, CROSSED, DONE, PAUSED, STEADY, STEP_TOO_SMALL, TOO_MANY_STEPS
from ..layout.step_control import EXPONENT, LEAST_ERROR, NEGLIGIBLE_AMOUNT, SAFETY, STEADY_HORIZON
from ..layout.tableau import STAGES
from . import control
from .call import call
from .events import fit_interpolant, record_crossings
from .recording import is_sample_due, record
from .start import begin_segment, first_step


@njit(error_model="numpy")
def integrate(problem, progress, samples, scratch, budget):
    """Integrate until done, steady, stuck, out of room for samples, or ``budget`` steps are made; returns a status."""
    y, real, count, clock = progress.y, progress.real, progress.counters, scratch.clock
    segments, watched = problem.lengths.shape[0], problem.watched.shape[0]
    while True:
        s = count[SEGMENT]
        length, k, mass = problem.lengths[s], problem.constants[s], problem.mass[s]
        t, h = real[T], real[NEXT_STEP]
        if count[PHASE] == START:
            status = begin_segment(problem, progress, samples, scratch, k, mass, length)
            if status != DONE:
                return status
        if record(problem, progress, samples, scratch, k, mass):
            return BUFFER_FULL
        if count[CAUSE] > 0:
            return CROSSED
        if count[PHASE] == STEPPING and t >= length:
            if s + 1 == segments:
                return DONE
            count[SEGMENT] = s + 1
            count[PHASE] = START
            real[T] = 0.0
            continue

        clock[TIME] = t
        call(problem.code[LINEARISED], (clock, y, k, scratch.work, scratch.linear))
        count[JACOBIANS] += 1
        if count[PHASE] == START:
            h = first_step(problem, mass, scratch, y, length)
            real[LAST_ERROR] = 0.0
            count[PHASE] = STEPPING
        elif (
            problem.options[STOP_AT_STEADY_STATE] > 0.0
            and s + 1 == segments
            and has_hardly_moved(problem, progress)
            and stays_put(problem, mass, scratch, y, t)
        ):
            return STEADY

        status, h, error, shrink, rejected = attempt_step(problem, progress, scratch, k, mass, length, h)
        if status != DONE:
            return status
        accept_step(problem, progress, samples, scratch, k, length, h, error, shrink, rejected)
        budget -= 1
        if samples.crossed_at.shape[0] - count[CROSSING] < 2 * watched:
            budget = 0
        if budget <= 0 and real[T] < length:
            return PAUSED


@njit(error_model="numpy")
def attempt_step(problem, progress, scratch, k, mass, length, h):
    """One step, with as many attempts as it takes.

    Returns
    -------
    tuple
        DONE, or a status why there is none; its length, s; its error in units of the tolerance; what the error divides
        the next step by; whether other lengths were rejected. The state that it leads to is in ``scratch.stage``.
    """
    real, count, t = progress.real, progress.counters, progress.real[T]
    cause, rejected = STEP_TOO_SMALL, False
    while True:
        if count[STEPS] + count[REJECTED] >= problem.options[MOST_STEPS]:
            return TOO_MANY_STEPS, h, 0.0, 1.0, rejected
        h = control.fitted_step(h, length - t)
        if control.is_too_small(t, h, length):
            real[NEXT_STEP] = h
            return cause, h, 0.0, 1.0, rejected
        scratch.clock[STEP_LENGTH] = h
        call(
            problem.code[STEP],
            (scratch.clock, progress.y, k, mass, scratch.linear, scratch.u, scratch.stage, scratch.work),
        )
        error, worst, negative = error_of_step(problem, progress, scratch)
        count[WORST] = worst
        shrink = control.bounded(error**EXPONENT / SAFETY)
        is_finite, is_small = np.isfinite(error), error <= 1.0
        if is_finite and is_small:
            if negative < 0:
                return DONE, h, error, shrink, rejected
            count[WORST] = negative
        cause = control.cause_of_rejection(is_finite, is_small)
        h = control.retried_step(h, shrink, is_finite, is_small)
        count[REJECTED] += 1
        rejected = True


@njit(error_model="numpy")
def error_of_step(problem, progress, scratch):
    """Error in units of the tolerance, the worst state, and a state that became negative (−1: none).

    An amount that is negative by less than any amount is set to 0.
    """
    y, stage, u = progress.y, scratch.stage, scratch.u
    absolute, relative, nonnegative = problem.absolute, problem.options[RELATIVE], problem.counts[NONNEGATIVE]
    total, largest, negative, worst = 0.0, -1.0, -1, 0
    for i in range(y.shape[0]):
        q = u[STAGES - 1, i] / (absolute[i] + relative * max(abs(y[i]), abs(stage[i])))
        q *= q
        total += q
        # The worst state is the first that is no number, else the one with the largest error.
        if q > largest or (np.isnan(q) and not np.isnan(largest)):
            largest, worst = q, i
        if i < nonnegative and stage[i] < 0.0:
            if stage[i] > -NEGLIGIBLE_AMOUNT:
                stage[i] = 0.0
            else:
                negative = i
    return np.sqrt(total / y.shape[0]), worst, negative


@njit(error_model="numpy")
def accept_step(problem, progress, samples, scratch, k, length, h, error, shrink, rejected):
    """Go to the end of a step, or to where an event ends it, and choose the length of the next one."""
    y, real, count, dense, stage = progress.y, progress.real, progress.counters, progress.dense, scratch.stage
    t = real[T]
    if is_sample_due(progress, samples, count[SEGMENT], t + h):
        fit_interpolant(dense, scratch.u)
    for i in range(y.shape[0]):
        dense[BEFORE, i] = y[i]
        dense[AFTER, i] = stage[i]
        y[i] = stage[i]
    count[STEPS] += 1
    real[T] = control.time_after(t, h, length - t, length)
    if problem.watched.shape[0] > 0:
        h = record_crossings(problem, progress, samples, scratch, k, t, h)
    has_predecessor = real[LAST_ERROR] > 0.0
    if has_predecessor:
        predicted = (real[LAST_STEP] / h) * (error * error / real[LAST_ERROR]) ** EXPONENT / SAFETY
    else:
        predicted = shrink
    shrink = control.shrink_after(shrink, control.bounded(predicted), has_predecessor, rejected)
    real[LAST_STEP], real[LAST_ERROR], real[UNRECORDED] = h, max(error, LEAST_ERROR), 1.0
    real[NEXT_STEP] = h / shrink


# -- steady states ----------------------------------------------------------------------------------------------------


@njit(error_model="numpy")
def has_hardly_moved(problem, progress):
    """Whether the last step, were it as long as all the time so far, would move y by less than the tolerance."""
    y, real, dense = progress.y, progress.real, progress.dense
    for i in range(y.shape[0]):
        moved = abs(dense[AFTER, i] - dense[BEFORE, i]) * real[T]
        if moved > real[LAST_STEP] * (problem.absolute[i] + problem.options[RELATIVE] * abs(y[i])):
            return False
    return True


@njit(error_model="numpy")
def stays_put(problem, mass, scratch, y, t):
    """Whether the linearised equations move y by less than the tolerance over a very long time."""
    n = y.shape[0]
    move = scratch.first
    scratch.clock[STEP_LENGTH] = STEADY_HORIZON * t
    call(problem.code[FACTOR], (scratch.clock, mass, scratch.linear, scratch.lu))
    for i in range(n):
        move[i] = scratch.linear[i]
    call(problem.code[SOLVE], (scratch.lu, move))
    relative = problem.options[RELATIVE]
    still = True
    for i in range(n):
        still = still and abs(move[i]) <= problem.absolute[i] + relative * abs(y[i])
    return still
