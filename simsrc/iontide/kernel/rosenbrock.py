"""The integrator: Rodas5P for ``M y' = f(t, y)``, compiled once for all models.

It knows nothing of membranes: it calls the tape's machine code by address, steps, writes samples by interpolation
(the steps never depend on them), stops exactly at the end of every *segment* (the time between two protocol steps;
time runs from 0 in each, so that nothing is lost to rounding late in a run) and hands filled buffers back. What it
returns is a status code; ``simulate`` makes the sentence.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import tableau
from .call import call_tape
from .compiled import CACHE
from .problem import JACOBIANS, PHASE, RATES, REJECTED, SAMPLE, SEGMENT, START, STEPPING, STEPS, WORST
from .status import (
    BUFFER_FULL,
    DONE,
    NEGATIVE_AMOUNT,
    NON_FINITE,
    PAUSED,
    STEADY,
    STEP_TOO_SMALL,
    TOO_MANY_STEPS,
)

STAGES, GAMMA = tableau.STAGES, tableau.GAMMA
A, C, H, NODES, TIME_WEIGHTS = tableau.A, tableau.C, tableau.H, tableau.NODES, tableau.TIME_WEIGHTS

# Step size control after Gustafsson (Hairer & Wanner, Solving ODEs II, IV.8, eq. 8.25), with the limits of RODAS.
SAFETY, SHRINK_MOST, GROW_MOST = 0.9, 0.2, 6.0
EXPONENT = 1.0 / tableau.ORDER

#: How far ahead, in units of the time since the last protocol step, a steady state must stay put.
STEADY_HORIZON = 1e6


@njit(cache=CACHE, error_model="numpy")
def factor(w):
    """LU in place without pivoting (amounts first, potentials last keeps the pivots safe); False on a bad pivot."""
    n = w.shape[0]
    for p in range(n):
        pivot = w[p, p]
        if pivot == 0.0 or not np.isfinite(pivot):
            return False
        reciprocal = 1.0 / pivot
        w[p, p] = reciprocal
        for i in range(p + 1, n):
            if w[i, p] != 0.0:
                multiple = w[i, p] * reciprocal
                w[i, p] = multiple
                for j in range(p + 1, n):
                    w[i, j] -= multiple * w[p, j]
    return True


@njit(cache=CACHE, error_model="numpy")
def solve(w, b):
    """Solve in place with the factors of ``factor`` (whose diagonal holds reciprocals)."""
    n = w.shape[0]
    for i in range(n):
        total = b[i]
        for j in range(i):
            total -= w[i, j] * b[j]
        b[i] = total
    for i in range(n - 1, -1, -1):
        total = b[i]
        for j in range(i + 1, n):
            total -= w[i, j] * b[j]
        b[i] = total * w[i, i]


@njit(cache=CACHE, error_model="numpy")
def form(w, linear, rows, columns, mass, h):
    """W = M/(h γ) − J, factored; False on a bad pivot."""
    n = w.shape[0]
    for i in range(n):
        for j in range(n):
            w[i, j] = -linear[n + i * n + j]
    scale = 1.0 / (h * GAMMA)
    for e in range(rows.shape[0]):
        w[rows[e], columns[e]] += mass[e] * scale
    return factor(w)


@njit(cache=CACHE, error_model="numpy")
def weighted_norm(x, y, absolute, relative):
    """Root mean square of x in units of the tolerance at y."""
    total = 0.0
    for i in range(x.shape[0]):
        q = x[i] / (absolute[i] + relative * abs(y[i]))
        total += q * q
    return np.sqrt(total / x.shape[0])


@njit(cache=CACHE, error_model="numpy")
def first_step(w, linear, problem, s, y, length):
    """A first step from the speed of y and of its speed: of the order of the fastest transient that matters."""
    n = y.shape[0]
    relative = problem.options[0]
    tiny = 1e-12 * length
    if not form(w, linear, problem.mass_rows, problem.mass_columns, problem.mass[s], tiny):
        return tiny
    speed = linear[:n].copy()
    solve(w, speed)  # = γ tiny M⁻¹ f, near enough
    speed /= GAMMA * tiny
    change = np.zeros(n)
    for i in range(n):
        for j in range(n):
            change[i] += linear[n + i * n + j] * speed[j]
    solve(w, change)
    change /= GAMMA * tiny
    first = weighted_norm(speed, y, problem.absolute, relative)
    second = weighted_norm(change, y, problem.absolute, relative)
    if not (np.isfinite(first) and np.isfinite(second)):
        return tiny
    if first == 0.0:
        return 1e-3 * length
    if second <= first / length:
        return min(length, max(tiny, 0.1 / first))
    period = first / second
    # A transient of size A = first · period (in tolerances) and time constant `period` loses about A (h/period)^5 / 50.
    return min(length, period * min(1.0, (50.0 / max(1.0, first * period)) ** EXPONENT))


@njit(cache=CACHE, error_model="numpy")
def stays_put(w, linear, problem, s, y, t):
    """Whether the linearised equations move y by less than the tolerance, however long they go on."""
    n = y.shape[0]
    if not form(w, linear, problem.mass_rows, problem.mass_columns, problem.mass[s], STEADY_HORIZON * t):
        return False
    move = linear[:n].copy()
    solve(w, move)
    relative = problem.options[0]
    for i in range(n):
        if not abs(move[i]) <= problem.absolute[i] + relative * abs(y[i]):
            return False
    return True


@njit(cache=CACHE, error_model="numpy")
def interpolate(dense, theta, nonnegative, out):
    """State at fraction ``theta`` of the last step.

    Where the polynomial dips below zero for an amount that is positive at both ends, all states are drawn towards
    the chord by the one factor that keeps it at zero: that moves them by less than the error of the polynomial and,
    unlike a clip, keeps charge and mass.
    """
    n = out.shape[0]
    rest = 1.0 - theta
    keep = 1.0
    for i in range(n):
        chord = rest * dense[0, i] + theta * dense[1, i]
        bow = theta * rest * (dense[2, i] + theta * (dense[3, i] + theta * dense[4, i]))
        out[i] = chord + bow
        if i < nonnegative and out[i] < 0.0 and chord + keep * bow < 0.0:
            keep = chord / -bow
    if keep < 1.0:
        for i in range(n):
            chord = rest * dense[0, i] + theta * dense[1, i]
            out[i] = chord + keep * (out[i] - chord)
            if i < nonnegative and out[i] < 0.0:  # rounding of the line above, where it lands on zero
                out[i] = 0.0


@njit(cache=CACHE, error_model="numpy")
def integrate(problem, progress, samples, budget):
    """Integrate until done, steady, stuck, out of room for samples, or ``budget`` steps are made; returns a status."""
    y, real, count, dense = progress.y, progress.real, progress.count, progress.dense
    rows, columns, absolute = problem.mass_rows, problem.mass_columns, problem.absolute
    relative, stop_when_steady, most_steps = problem.options[0], problem.options[1] > 0.0, problem.options[2]
    nonnegative, moving = problem.counts[0], problem.counts[1] > 0
    rates, linearised = problem.code[0], problem.code[1]
    every_step, more = samples.mode[0] > 0, samples.mode[1] > 0
    n, room, entries = y.shape[0], samples.times.shape[0], rows.shape[0]

    u = np.zeros((STAGES, n))
    w = np.zeros((n, n))
    linear = np.zeros(n + n * n + n)
    f = np.zeros(n)
    stage = np.zeros(n)
    total = np.zeros(n)
    clock = np.zeros(1)
    work = np.zeros(problem.counts[2])

    while True:
        s = count[SEGMENT]
        length, k, mass = problem.lengths[s], problem.constants[s], problem.mass[s]
        t, h = real[0], real[1]

        # Samples that the last step, or the start of the segment, has brought within reach.
        if every_step:
            if real[2] != 0.0 or count[PHASE] == START:
                if count[SAMPLE] == room:
                    return BUFFER_FULL
                samples.times[count[SAMPLE]] = t
                samples.segments[count[SAMPLE]] = s
                samples.states[count[SAMPLE]] = y
                count[SAMPLE] += 1
                real[2] = 0.0
        else:
            while count[SAMPLE] < room:
                i = count[SAMPLE]
                if samples.segments[i] != s or samples.times[i] > t:
                    break
                if count[PHASE] == START:
                    samples.states[i] = y
                else:
                    theta = 1.0 - (t - samples.times[i]) / real[2]
                    interpolate(dense, theta, nonnegative, samples.states[i])
                count[SAMPLE] += 1
            if count[SAMPLE] == room and more:
                return BUFFER_FULL

        if count[PHASE] == STEPPING and t >= length:
            if s + 1 == problem.lengths.shape[0]:
                return DONE
            count[SEGMENT] = s + 1
            count[PHASE] = START
            real[0] = 0.0
            real[2] = 0.0
            continue

        clock[0] = t
        call_tape(linearised, clock, y, k, work, linear)
        count[JACOBIANS] += 1
        if count[PHASE] == START:
            h = first_step(w, linear, problem, s, y, length)
            real[3] = 0.0
            count[PHASE] = STEPPING
        elif stop_when_steady and s + 1 == problem.lengths.shape[0]:
            still = True
            for i in range(n):
                if abs(dense[1, i] - dense[0, i]) * t > real[4] * (absolute[i] + relative * abs(y[i])):
                    still = False
                    break
            if still and stays_put(w, linear, problem, s, y, t):
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
                real[1] = h
                return cause
            if not form(w, linear, rows, columns, mass, h):
                h *= 0.5
                cause = NON_FINITE
                count[REJECTED] += 1
                continue
            for i in range(n):
                u[0, i] = linear[i]
                if moving:
                    u[0, i] += h * TIME_WEIGHTS[0] * linear[n + n * n + i]
            solve(w, u[0])
            scale = 1.0 / h
            for r in range(1, STAGES):
                for i in range(n):
                    if r < 6:
                        at = y[i]
                        for q in range(r):
                            at += A[r, q] * u[q, i]
                        stage[i] = at
                    else:
                        stage[i] += u[r - 1, i]
                    sum_c = 0.0
                    for q in range(r):
                        sum_c += C[r, q] * u[q, i]
                    total[i] = sum_c * scale
                clock[0] = t + NODES[r] * h
                call_tape(rates, clock, stage, k, work, f)
                for i in range(n):
                    u[r, i] = f[i]
                    if moving:
                        u[r, i] += h * TIME_WEIGHTS[r] * linear[n + n * n + i]
                for e in range(entries):
                    u[r, rows[e]] += mass[e] * total[columns[e]]
                solve(w, u[r])
            count[RATES] += STAGES - 1

            error, largest, negative, worst = 0.0, -1.0, -1, 0
            for i in range(n):
                stage[i] += u[STAGES - 1, i]
                q = u[STAGES - 1, i] / (absolute[i] + relative * max(abs(y[i]), abs(stage[i])))
                q *= q
                error += q
                if not q <= largest:
                    largest, worst = q, i
                if i < nonnegative and stage[i] < 0.0:
                    negative = i
            error = np.sqrt(error / n)
            count[WORST] = worst
            if not np.isfinite(error):
                h *= 0.25
                cause = NON_FINITE
                count[REJECTED] += 1
                rejected_before = True
                continue
            factor_h = max(1.0 / GROW_MOST, min(1.0 / SHRINK_MOST, error**EXPONENT / SAFETY))
            if error > 1.0:
                h /= factor_h
                cause = STEP_TOO_SMALL
                count[REJECTED] += 1
                rejected_before = True
                continue
            if negative >= 0:
                count[WORST] = negative
                h *= 0.5
                cause = NEGATIVE_AMOUNT
                count[REJECTED] += 1
                rejected_before = True
                continue
            break

        if not every_step and (
            count[SAMPLE] == room
            and more
            or count[SAMPLE] < room
            and samples.segments[count[SAMPLE]] == s
            and samples.times[count[SAMPLE]] <= t + h
        ):
            for r in range(3):
                for i in range(n):
                    bow = 0.0
                    for q in range(STAGES):
                        bow += H[r, q] * u[q, i]
                    dense[2 + r, i] = bow
        for i in range(n):
            dense[0, i] = y[i]
            dense[1, i] = stage[i]
            y[i] = stage[i]
        count[STEPS] += 1
        real[0] = length if h == length - t else t + h
        real[2] = h
        real[4] = h
        if real[3] > 0.0:  # real[3], real[5]: error and size of the accepted step before
            predicted = (real[5] / h) * (error * error / real[3]) ** EXPONENT / SAFETY
            factor_h = max(factor_h, max(1.0 / GROW_MOST, min(1.0 / SHRINK_MOST, predicted)))
        real[3] = max(error, 1e-2)
        real[5] = h
        if rejected_before:
            factor_h = max(factor_h, 1.0)
        real[1] = h / factor_h
        budget -= 1
        if budget <= 0 and real[0] < length:
            return PAUSED
