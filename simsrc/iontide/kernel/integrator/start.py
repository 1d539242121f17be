"""The start of a segment: consistent algebraic states, and the first step."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..layout.functions import FACTOR, LINEARISED, SOLVE, STEP_LENGTH, TIME
from ..layout.problem import ALGEBRAIC, CAUSE, CROSSING, JACOBIANS, NONNEGATIVE, RELATIVE, WORST
from ..layout.status import DONE, NEGATIVE_AMOUNT, NO_CONSISTENT_STATE, PAUSED
from ..layout.step_control import CONSISTENT, EXPONENT, INSTANT, MOST_ITERATIONS, TRIAL_STEP
from ..layout.tableau import GAMMA
from . import control
from .call import call
from .events import record_jumps


@njit(error_model="numpy")
def begin_segment(problem, progress, samples, scratch, k, mass, length):
    """Make the state consistent and record what jumped through 0; returns DONE, or how the call ends."""
    count, watched = progress.counters, problem.watched.shape[0]
    if problem.counts[ALGEBRAIC] > 0:
        status = make_consistent(problem, progress, scratch, k, mass, length)
        if status != DONE:
            return status
    if watched > 0 and count[CAUSE] == 0:
        if samples.crossed_at.shape[0] - count[CROSSING] < 2 * watched:
            return PAUSED
        record_jumps(problem, progress, samples, scratch, k)
    return DONE


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
    """A first step from the speed of y and of its speed (see ``step_control.first_step``)."""
    n = y.shape[0]
    linear, clock, lu, speed, change = scratch.linear, scratch.clock, scratch.lu, scratch.first, scratch.second
    factor, solve = problem.code[FACTOR], problem.code[SOLVE]
    trial = TRIAL_STEP * length
    clock[STEP_LENGTH] = trial
    call(factor, (clock, mass, linear, lu))
    for i in range(n):
        speed[i] = linear[i]
    call(solve, (lu, speed))  # = γ trial M⁻¹ f, near enough
    for i in range(n):
        speed[i] /= GAMMA * trial
    for i in range(n):
        change[i] = 0.0
        for j in range(n):
            change[i] += linear[n + i * n + j] * speed[j]
    call(solve, (lu, change))
    for i in range(n):
        change[i] /= GAMMA * trial
    relative = problem.options[RELATIVE]
    first = weighted_norm(speed, y, problem.absolute, relative)
    second = weighted_norm(change, y, problem.absolute, relative)
    root = control.transient_ratio(first, second) ** EXPONENT
    return control.first_step(first, second, length, root)


@njit(error_model="numpy")
def make_consistent(problem, progress, scratch, k, mass, length):
    """Bring the algebraic states to where their equations hold, by Newton steps; returns DONE or why not.

    Each is a linearised step of no duration, ``(M/(h γ) − J) δ = f`` with h → 0, so that M δ = 0: what M y holds
    (charge, the ions that carry it) does not change, and with a potential that jumps changes what is bound to it. Where
    there is no such state, or an amount would be negative in it, y is left as it was.
    """
    y, absolute, relative = progress.y, problem.absolute, problem.options[RELATIVE]
    linear, clock, lu, move, before = scratch.linear, scratch.clock, scratch.lu, scratch.first, scratch.second
    n = y.shape[0]
    status = NO_CONSISTENT_STATE
    for i in range(n):
        before[i] = y[i]
    for _ in range(MOST_ITERATIONS):
        clock[TIME] = 0.0
        call(problem.code[LINEARISED], (clock, y, k, scratch.work, linear))
        clock[STEP_LENGTH] = INSTANT * length
        call(problem.code[FACTOR], (clock, mass, linear, lu))
        for i in range(n):
            move[i] = linear[i]
        call(problem.code[SOLVE], (lu, move))
        size = weighted_norm(move, y, absolute, relative)
        progress.counters[JACOBIANS] += 1
        if not np.isfinite(size):
            break
        for i in range(n):
            y[i] += move[i]
        if size < CONSISTENT:
            status = DONE
            break
    for i in range(problem.counts[NONNEGATIVE]):
        if status == DONE and y[i] < 0.0:
            progress.counters[WORST] = i
            status = NEGATIVE_AMOUNT
    if status != DONE:
        for i in range(n):
            y[i] = before[i]
    return status
