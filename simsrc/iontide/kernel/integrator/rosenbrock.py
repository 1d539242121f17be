"""The integrator: Rodas5P for ``M y' = f(t, y)``, compiled once for all models.

It knows nothing of membranes: it calls the tape's machine code by address, steps, writes samples by interpolation
(the steps never depend on them), stops exactly at the end of every *segment* (the time between two protocol steps;
time runs from 0 in each, so that nothing is lost to rounding late in a run) and hands filled buffers back. What it
returns is a status code; ``simulate`` makes the sentence.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..layout import tableau
from ..layout.problem import (
    CAUSE,
    CROSSING,
    JACOBIANS,
    LAST_ERROR,
    LAST_STEP,
    NEXT_STEP,
    PHASE,
    REJECTED,
    SAMPLE,
    SEGMENT,
    START,
    STEPPING,
    STEPS,
    UNRECORDED,
    WORST,
    T,
)
from ..layout.status import (
    BUFFER_FULL,
    CROSSED,
    DONE,
    NEGATIVE_AMOUNT,
    NO_CONSISTENT_STATE,
    NON_FINITE,
    PAUSED,
    STEADY,
    STEP_TOO_SMALL,
    TOO_MANY_STEPS,
)
from .call import call
from .events import fit_interpolant, interpolate, look_at_start, look_within_step

STAGES, GAMMA = tableau.STAGES, tableau.GAMMA

# Step size control after Gustafsson (Hairer & Wanner, Solving ODEs II, IV.8, eq. 8.25), with the limits of RODAS.
SAFETY, SHRINK_MOST, GROW_MOST = 0.9, 0.2, 6.0
EXPONENT = 1.0 / tableau.ORDER

#: A step, in units of the segment's length, in which nothing moves but what is algebraic; and most Newton iterations.
INSTANT, MOST_ITERATIONS = 1e-30, 50

#: Last Newton step, in units of the tolerance, after which a state is consistent: the next is quadratically smaller.
CONSISTENT = 1e-3

#: A millionth of one particle, mol (and far less than one molecule's volume, m³): what falls below 0 by less is gone.
NOTHING = 1e-30

#: How far ahead, in units of the time since the last protocol step, a steady state must stay put.
STEADY_HORIZON = 1e6


@njit(error_model="numpy")
def weighted_norm(x, y, absolute, relative):
    """Root mean square of x in units of the tolerance at y."""
    total = 0.0
    for i in range(x.shape[0]):
        q = x[i] / (absolute[i] + relative * abs(y[i]))
        total += q * q
    return np.sqrt(total / x.shape[0])


@njit(error_model="numpy")
def first_step(problem, mass, scratch, y, length):
    """A first step from the speed of y and of its speed: of the order of the fastest transient that matters."""
    n = y.shape[0]
    linear, clock, lu, speed, change = scratch.linear, scratch.clock, scratch.lu, scratch.first, scratch.second
    factor, solve = problem.code[2], problem.code[3]
    tiny = 1e-12 * length
    clock[1] = tiny
    call(factor, (clock, mass, linear, lu))
    for i in range(n):
        speed[i] = linear[i]
    call(solve, (lu, speed))  # = γ tiny M⁻¹ f, near enough
    for i in range(n):
        speed[i] /= GAMMA * tiny
    for i in range(n):
        change[i] = 0.0
        for j in range(n):
            change[i] += linear[n + i * n + j] * speed[j]
    call(solve, (lu, change))
    for i in range(n):
        change[i] /= GAMMA * tiny
    relative = problem.options[0]
    first = weighted_norm(speed, y, problem.absolute, relative)
    second = weighted_norm(change, y, problem.absolute, relative)
    if not (np.isfinite(first) and np.isfinite(second)):
        return tiny
    if first == 0.0:
        return 1e-3 * length
    if second <= first / length:
        return min(length, max(tiny, 0.1 / first))
    period = first / second
    # A transient of size A = first · period (in tolerances) and time constant `period` errs by A (h/period)^5 / 50.
    return min(length, period * min(1.0, (50.0 / max(1.0, first * period)) ** EXPONENT))


@njit(error_model="numpy")
def stays_put(problem, mass, scratch, y, t):
    """Whether the linearised equations move y by less than the tolerance, however long they go on."""
    n = y.shape[0]
    move = scratch.first
    scratch.clock[1] = STEADY_HORIZON * t
    call(problem.code[2], (scratch.clock, mass, scratch.linear, scratch.lu))
    for i in range(n):
        move[i] = scratch.linear[i]
    call(problem.code[3], (scratch.lu, move))
    relative = problem.options[0]
    still = True
    for i in range(n):
        still = still and abs(move[i]) <= problem.absolute[i] + relative * abs(y[i])
    return still


@njit(error_model="numpy")
def make_consistent(problem, progress, scratch, k, mass, length):
    """Bring the algebraic states to where their equations hold, by Newton steps; returns DONE or why not.

    Each is a linearised step of no duration, ``(M/(h γ) − J) δ = f`` with h → 0, so that M δ = 0: what M y holds
    (charge, the ions that carry it) stays, and a potential that jumps takes along what its jump moves. Where there is
    no such state, or an amount would be negative in it, y stays what it was.
    """
    y, absolute, relative = progress.y, problem.absolute, problem.options[0]
    linear, clock, lu, move, before = scratch.linear, scratch.clock, scratch.lu, scratch.first, scratch.second
    n = y.shape[0]
    status = NO_CONSISTENT_STATE
    for i in range(n):
        before[i] = y[i]
    for _ in range(MOST_ITERATIONS):
        clock[0] = 0.0
        call(problem.code[1], (clock, y, k, scratch.work, linear))
        clock[1] = INSTANT * length
        call(problem.code[2], (clock, mass, linear, lu))
        for i in range(n):
            move[i] = linear[i]
        call(problem.code[3], (lu, move))
        size = weighted_norm(move, y, absolute, relative)
        progress.counters[JACOBIANS] += 1
        if not np.isfinite(size):
            break
        for i in range(n):
            y[i] += move[i]
        if size < CONSISTENT:
            status = DONE
            break
    for i in range(problem.counts[0]):
        if status == DONE and y[i] < 0.0:
            progress.counters[WORST] = i
            status = NEGATIVE_AMOUNT
    if status != DONE:
        for i in range(n):
            y[i] = before[i]
    return status


@njit(error_model="numpy")
def sample_by_own_step(problem, progress, samples, scratch, k, mass, i):
    """Replace a sample by the end of a step that leads from the last one's start to it.

    What follows at once (an algebraic state, a potential after a command that moves) bounds no step, and the
    interpolant knows little of it. Where the step leads to no number, or to less than nothing, the sample stays.
    """
    dense, clock, stage, n = progress.dense, scratch.clock, scratch.stage, samples.states.shape[1]
    before = progress.real[T] - progress.real[LAST_STEP]
    clock[0], clock[1] = before, samples.times[i] - before
    if not clock[1] > 0.0:
        return
    call(problem.code[1], (clock, dense[0], k, scratch.work, scratch.linear))
    call(problem.code[4], (clock, dense[0], k, mass, scratch.linear, scratch.u, stage, scratch.work))
    good = True
    for j in range(n):
        good = good and np.isfinite(stage[j]) and not (j < problem.counts[0] and stage[j] < 0.0)
    for j in range(n):
        if good:
            samples.states[i, j] = stage[j]


@njit(error_model="numpy")
def integrate(problem, progress, samples, scratch, budget):
    """Integrate until done, steady, stuck, out of room for samples, or ``budget`` steps are made; returns a status."""
    y, real, count, dense = progress.y, progress.real, progress.counters, progress.dense
    absolute = problem.absolute
    relative, stop_when_steady, most_steps = problem.options[0], problem.options[1] > 0.0, problem.options[2]
    nonnegative = problem.counts[0]
    linearised, step = problem.code[1], problem.code[4]
    every_step, more = samples.mode[0] > 0, samples.mode[1] > 0
    n, room, segments = y.shape[0], samples.times.shape[0], problem.lengths.shape[0]
    watched = problem.watched.shape[0]

    u, linear, stage, clock, work = scratch.u, scratch.linear, scratch.stage, scratch.clock, scratch.work

    while True:
        s = count[SEGMENT]
        length, k, mass = problem.lengths[s], problem.constants[s], problem.mass[s]
        t, h = real[T], real[NEXT_STEP]

        if count[PHASE] == START and problem.counts[3] > 0:
            found = make_consistent(problem, progress, scratch, k, mass, length)
            if found != DONE:
                return found

        if count[PHASE] == START and watched > 0 and count[CAUSE] == 0:
            if samples.crossed_at.shape[0] - count[CROSSING] < 2 * watched:
                return PAUSED
            look_at_start(problem, progress, samples, scratch, k)

        # Samples that the last step, or the start of the segment, has brought within reach.
        if every_step:
            if real[UNRECORDED] > 0.0 or count[PHASE] == START:
                if count[SAMPLE] == room:
                    return BUFFER_FULL
                samples.times[count[SAMPLE]] = t
                samples.segments[count[SAMPLE]] = s
                for i in range(n):
                    samples.states[count[SAMPLE], i] = y[i]
                count[SAMPLE] += 1
                real[UNRECORDED] = 0.0
        else:
            while count[SAMPLE] < room:
                i = count[SAMPLE]
                if samples.segments[i] != s or samples.times[i] > t:
                    break
                if count[PHASE] == START:
                    for j in range(n):
                        samples.states[i, j] = y[j]
                else:
                    theta = 1.0 - (t - samples.times[i]) / real[LAST_STEP]
                    interpolate(dense, theta, nonnegative, samples.states, i)
                    if problem.counts[4] > 0 and theta < 1.0:
                        sample_by_own_step(problem, progress, samples, scratch, k, mass, i)
                count[SAMPLE] += 1
            if count[SAMPLE] == room and more:
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

        clock[0] = t
        call(linearised, (clock, y, k, work, linear))
        count[JACOBIANS] += 1
        if count[PHASE] == START:
            h = first_step(problem, mass, scratch, y, length)
            real[LAST_ERROR] = 0.0
            count[PHASE] = STEPPING
        elif stop_when_steady and s + 1 == segments:
            still = True
            for i in range(n):
                moved = abs(dense[1, i] - dense[0, i]) * t
                if moved > real[LAST_STEP] * (absolute[i] + relative * abs(y[i])):
                    still = False
                    break
            if still and stays_put(problem, mass, scratch, y, t):
                return STEADY

        # One step, with as many attempts as it takes.
        cause = STEP_TOO_SMALL
        rejected_before = False
        while True:
            if count[STEPS] + count[REJECTED] >= most_steps:
                return TOO_MANY_STEPS
            left = length - t
            if h >= left * (1.0 - 1e-12):
                h = left
            elif h > 0.5 * left:
                h = 0.5 * left
            if t + 0.01 * h == t or h < 1e-25 * length:
                real[NEXT_STEP] = h
                return cause
            clock[1] = h
            call(step, (clock, y, k, mass, linear, u, stage, work))

            error, largest, negative, worst = 0.0, -1.0, -1, 0
            for i in range(n):
                q = u[STAGES - 1, i] / (absolute[i] + relative * max(abs(y[i]), abs(stage[i])))
                q *= q
                error += q
                # The worst state is the first that is no number, else the one with the largest error.
                if q > largest or (np.isnan(q) and not np.isnan(largest)):
                    largest, worst = q, i
                if i < nonnegative and stage[i] < 0.0:
                    if stage[i] > -NOTHING:
                        stage[i] = 0.0
                    else:
                        negative = i
            error = np.sqrt(error / n)
            count[WORST] = worst
            if not np.isfinite(error):
                h *= 0.25
                cause = NON_FINITE
            else:
                shrink = max(1.0 / GROW_MOST, min(1.0 / SHRINK_MOST, error**EXPONENT / SAFETY))
                if error > 1.0:
                    h /= shrink
                    cause = STEP_TOO_SMALL
                elif negative >= 0:
                    count[WORST] = negative
                    h *= 0.5
                    cause = NEGATIVE_AMOUNT
                else:
                    break
            count[REJECTED] += 1
            rejected_before = True

        if not every_step and (
            (count[SAMPLE] == room and more)
            or (count[SAMPLE] < room and samples.segments[count[SAMPLE]] == s and samples.times[count[SAMPLE]] <= t + h)
        ):
            fit_interpolant(dense, u)
        for i in range(n):
            dense[0, i] = y[i]
            dense[1, i] = stage[i]
            y[i] = stage[i]
        count[STEPS] += 1
        real[T] = length if h == left else t + h
        if watched > 0:
            h = look_within_step(problem, progress, samples, scratch, k, t, h)
        if real[LAST_ERROR] > 0.0:
            predicted = (real[LAST_STEP] / h) * (error * error / real[LAST_ERROR]) ** EXPONENT / SAFETY
            shrink = max(shrink, max(1.0 / GROW_MOST, min(1.0 / SHRINK_MOST, predicted)))
        if rejected_before:
            shrink = max(shrink, 1.0)
        real[LAST_STEP], real[LAST_ERROR], real[UNRECORDED] = h, max(error, 1e-2), 1.0
        real[NEXT_STEP] = h / shrink
        budget -= 1
        if samples.crossed_at.shape[0] - count[CROSSING] < 2 * watched:
            budget = 0
        if budget <= 0 and real[T] < length:
            return PAUSED
