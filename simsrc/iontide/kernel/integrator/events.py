"""Within a step: its interpolant, and when what is watched passes through 0."""

from __future__ import annotations

from numba import njit

from ..layout import tableau
from ..layout.problem import CAUSE, CROSSING, SEGMENT, T
from .call import call

H, STAGES = tableau.H, tableau.STAGES

#: Halvings that bring a time within a step down to rounding.
HALVINGS = 52


@njit(error_model="numpy")
def fit_interpolant(dense, u):
    """The three vectors of the interpolant of a step, from its stages."""
    for r in range(3):
        for i in range(dense.shape[1]):
            dense[2 + r, i] = 0.0
        for q in range(STAGES):
            for i in range(dense.shape[1]):
                dense[2 + r, i] += H[r, q] * u[q, i]


@njit(error_model="numpy")
def interpolate(dense, theta, nonnegative, states, row):
    """State at fraction ``theta`` of the last step.

    Where the polynomial dips below zero for an amount that is positive at both ends, all states are drawn towards
    the chord by the one factor that keeps it at zero: that moves them by less than the error of the polynomial and,
    unlike a clip, keeps charge and mass.
    """
    n = states.shape[1]
    rest = 1.0 - theta
    keep = 1.0
    for i in range(n):
        chord = rest * dense[0, i] + theta * dense[1, i]
        bow = theta * rest * (dense[2, i] + theta * (dense[3, i] + theta * dense[4, i]))
        states[row, i] = chord + bow
        if i < nonnegative and states[row, i] < 0.0 and chord + keep * bow < 0.0:
            keep = chord / -bow
    if keep < 1.0:
        for i in range(n):
            chord = rest * dense[0, i] + theta * dense[1, i]
            states[row, i] = chord + keep * (states[row, i] - chord)
            if i < nonnegative and states[row, i] < 0.0:  # rounding of the line above, where it lands on zero
                states[row, i] = 0.0


@njit(error_model="numpy")
def passes(before, after, direction):
    """Whether a quantity goes through 0, in the direction that counts: to 0 or beyond, from what was not 0."""
    upward = before < 0.0 and after >= 0.0 and (direction == 0 or direction == 1)
    return upward or (before > 0.0 and after <= 0.0 and (direction == 0 or direction == -1))


@njit(error_model="numpy")
def note(problem, progress, samples, e, t):
    """Record that something passed through 0, and whether that ends the call."""
    count = progress.counters
    samples.crossed_at[count[CROSSING]] = t
    samples.crossed[count[CROSSING], 0] = count[SEGMENT]
    samples.crossed[count[CROSSING], 1] = e
    count[CROSSING] += 1
    if problem.watched[e, 1] > 0 and count[CAUSE] == 0:
        count[CAUSE] = e + 1


@njit(error_model="numpy")
def look(problem, progress, scratch, k, t, y, row):
    """Evaluate what is watched into a row of ``scratch.levels``."""
    scratch.clock[0] = t
    call(problem.code[5], (scratch.clock, y, k, scratch.work, scratch.levels[row]))


@njit(error_model="numpy")
def look_at_start(problem, progress, samples, scratch, k):
    """Look at the start of a segment, where a jump may have taken something through 0."""
    look(problem, progress, scratch, k, 0.0, progress.y, 0)
    for e in range(problem.watched.shape[0]):
        if passes(progress.levels[e], scratch.levels[0, e], problem.watched[e, 0]):
            note(problem, progress, samples, e, 0.0)
        progress.levels[e] = scratch.levels[0, e]


@njit(error_model="numpy")
def look_within_step(problem, progress, samples, scratch, k, t, h):
    """Find what passed through 0 within the step just made, from ``t`` over ``h``; returns the length of the step.

    Each crossing is located on the interpolant. Where one ends the call, the step is cut off there, and what would
    come after it has not happened.
    """
    watched, levels, now = problem.watched, progress.levels, scratch.levels[0]
    look(problem, progress, scratch, k, progress.real[T], progress.y, 0)
    found, end, cause = False, 1.0, -1
    for e in range(watched.shape[0]):
        if passes(levels[e], now[e], watched[e, 0]):
            if not found:
                fit_interpolant(progress.dense, scratch.u)
                found = True
            if watched[e, 1] > 0:
                theta = locate(problem, progress, scratch, k, t, h, e)
                if cause < 0 or theta < end:
                    end, cause = theta, e
    if found:
        for e in range(watched.shape[0]):
            if passes(levels[e], now[e], watched[e, 0]):
                theta = locate(problem, progress, scratch, k, t, h, e)
                if theta <= end:
                    note(problem, progress, samples, e, t + theta * h)
        if cause >= 0 and end < 1.0:
            cut_step(problem, progress, scratch, end)
            progress.real[T] = t + end * h
            look(problem, progress, scratch, k, progress.real[T], progress.y, 0)
    for e in range(watched.shape[0]):
        levels[e] = now[e]
    return end * h


@njit(error_model="numpy")
def locate(problem, progress, scratch, k, t, h, e):
    """Fraction of the step at which a quantity has just passed through 0, by bisection."""
    before, low, high = progress.levels[e], 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        interpolate(progress.dense, middle, problem.counts[0], scratch.u, 0)
        look(problem, progress, scratch, k, t + middle * h, scratch.u[0], 1)
        if scratch.levels[1, e] * before > 0.0:
            low = middle
        else:
            high = middle
    return high


@njit(error_model="numpy")
def cut_step(problem, progress, scratch, theta):
    """End the step just made at a fraction of it: a polynomial of degree 4 is one over part of its interval too."""
    dense = progress.dense
    interpolate(dense, theta, problem.counts[0], scratch.u, 0)
    for i in range(dense.shape[1]):
        square = (dense[3, i] - dense[2, i]) * theta**2
        cubic = (dense[4, i] - dense[3, i]) * theta**3
        dense[4, i] *= theta**4
        dense[3, i] = dense[4, i] - cubic
        dense[2, i] = dense[3, i] - square
        dense[1, i] = progress.y[i] = scratch.u[0, i]
