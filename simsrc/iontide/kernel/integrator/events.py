"""Within a step: its interpolant, and when watched quantities pass through 0."""

from __future__ import annotations

from numba import njit

from ..layout.functions import CROSSINGS, TIME
from ..layout.problem import (
    AFTER,
    AT_END,
    BEFORE,
    BOW,
    CAUSE,
    CROSSED_QUANTITY,
    CROSSED_SEGMENT,
    CROSSING,
    DIRECTION,
    INTERRUPTS,
    NONNEGATIVE,
    SEGMENT,
    WITHIN,
    T,
)
from ..layout.tableau import STAGES, H
from .call import call

#: Halvings that bring a time within a step down to rounding.
HALVINGS = 52


@njit(error_model="numpy")
def fit_interpolant(dense, u):
    """The three vectors of the interpolant of a step, from its stages."""
    for r in range(3):
        for i in range(dense.shape[1]):
            dense[BOW + r, i] = 0.0
        for q in range(STAGES):
            for i in range(dense.shape[1]):
                dense[BOW + r, i] += H[r, q] * u[q, i]


@njit(error_model="numpy")
def interpolate(dense, theta, nonnegative, states, row):
    """State at fraction ``theta`` of the last step.

    Where the polynomial is below zero for an amount that is positive at both ends, all states are moved towards the
    chord by the one factor that makes it zero: that changes them by less than the error of the polynomial and, unlike a
    clip, conserves charge and mass.
    """
    n = states.shape[1]
    rest = 1.0 - theta
    factor = 1.0
    for i in range(n):
        chord = rest * dense[BEFORE, i] + theta * dense[AFTER, i]
        bow = theta * rest * (dense[BOW, i] + theta * (dense[BOW + 1, i] + theta * dense[BOW + 2, i]))
        states[row, i] = chord + bow
        if i < nonnegative and states[row, i] < 0.0 and chord + factor * bow < 0.0:
            factor = chord / -bow
    if factor < 1.0:
        for i in range(n):
            chord = rest * dense[BEFORE, i] + theta * dense[AFTER, i]
            states[row, i] = chord + factor * (states[row, i] - chord)
            if i < nonnegative and states[row, i] < 0.0:  # rounding of the line above, at zero
                states[row, i] = 0.0


@njit(error_model="numpy")
def passes(before, after, direction):
    """Whether a quantity passes through 0 in the direction that counts: to 0 or beyond, from what was not 0."""
    upward = before < 0.0 and after >= 0.0 and (direction == 0 or direction == 1)
    return upward or (before > 0.0 and after <= 0.0 and (direction == 0 or direction == -1))


@njit(error_model="numpy")
def record_crossing(problem, progress, samples, e, t):
    """Record that a quantity passed through 0, and whether that ends the call."""
    count = progress.counters
    samples.crossed_at[count[CROSSING]] = t
    samples.crossed[count[CROSSING], CROSSED_SEGMENT] = count[SEGMENT]
    samples.crossed[count[CROSSING], CROSSED_QUANTITY] = e
    count[CROSSING] += 1
    if problem.watched[e, INTERRUPTS] > 0 and count[CAUSE] == 0:
        count[CAUSE] = e + 1


@njit(error_model="numpy")
def evaluate_watched(problem, progress, scratch, k, t, y, row):
    """Evaluate the watched quantities into a row of ``scratch.levels``."""
    scratch.clock[TIME] = t
    call(problem.code[CROSSINGS], (scratch.clock, y, k, scratch.work, scratch.levels[row]))


@njit(error_model="numpy")
def record_jumps(problem, progress, samples, scratch, k):
    """Record what passed through 0 by a jump at the start of a segment."""
    evaluate_watched(problem, progress, scratch, k, 0.0, progress.y, AT_END)
    now = scratch.levels[AT_END]
    for e in range(problem.watched.shape[0]):
        if passes(progress.levels[e], now[e], problem.watched[e, DIRECTION]):
            record_crossing(problem, progress, samples, e, 0.0)
        progress.levels[e] = now[e]


@njit(error_model="numpy")
def record_crossings(problem, progress, samples, scratch, k, t, h):
    """Record what passed through 0 within the step just made, from ``t`` over ``h``; returns the length of the step.

    Each crossing is located on the interpolant. Where one ends the call, the step is cut off there, and what would
    come after it has not happened.
    """
    watched, levels, now = problem.watched, progress.levels, scratch.levels[AT_END]
    evaluate_watched(problem, progress, scratch, k, progress.real[T], progress.y, AT_END)
    any_passed, end, cause = False, 1.0, -1
    for e in range(watched.shape[0]):
        if passes(levels[e], now[e], watched[e, DIRECTION]):
            if not any_passed:
                fit_interpolant(progress.dense, scratch.u)
                any_passed = True
            if watched[e, INTERRUPTS] > 0:
                theta = locate(problem, progress, scratch, k, t, h, e)
                if cause < 0 or theta < end:
                    end, cause = theta, e
    if any_passed:
        for e in range(watched.shape[0]):
            if passes(levels[e], now[e], watched[e, DIRECTION]):
                theta = locate(problem, progress, scratch, k, t, h, e)
                if theta <= end:
                    record_crossing(problem, progress, samples, e, t + theta * h)
        if cause >= 0 and end < 1.0:
            cut_step(problem, progress, scratch, end)
            progress.real[T] = t + end * h
            evaluate_watched(problem, progress, scratch, k, progress.real[T], progress.y, AT_END)
    for e in range(watched.shape[0]):
        levels[e] = now[e]
    return end * h


@njit(error_model="numpy")
def locate(problem, progress, scratch, k, t, h, e):
    """Fraction of the step at which a quantity has just passed through 0, by bisection."""
    before, low, high = progress.levels[e], 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        interpolate(progress.dense, middle, problem.counts[NONNEGATIVE], scratch.u, 0)
        evaluate_watched(problem, progress, scratch, k, t + middle * h, scratch.u[0], WITHIN)
        if scratch.levels[WITHIN, e] * before > 0.0:
            low = middle
        else:
            high = middle
    return high


@njit(error_model="numpy")
def cut_step(problem, progress, scratch, theta):
    """End the step just made at a fraction of it: a polynomial of degree 4 is one over part of its interval too."""
    dense = progress.dense
    interpolate(dense, theta, problem.counts[NONNEGATIVE], scratch.u, 0)
    for i in range(dense.shape[1]):
        square = (dense[BOW + 1, i] - dense[BOW, i]) * theta**2
        cubic = (dense[BOW + 2, i] - dense[BOW + 1, i]) * theta**3
        dense[BOW + 2, i] *= theta**4
        dense[BOW + 1, i] = dense[BOW + 2, i] - cubic
        dense[BOW, i] = dense[BOW + 1, i] - square
        dense[AFTER, i] = progress.y[i] = scratch.u[0, i]
