"""Roots of functions of one variable, many at once, and of small systems.

Every zero-current potential of the program is a root at which a current turns from inward to outward as the potential
rises. With exact slopes ``rising_roots`` computes it in a bracket, from a caller that knows bounds or from
``bracket_around``; without slopes ``rising_roots_in`` finds every one in a range. Potentials of several floating parts
are roots of a small system (``damped_newton``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Most steps; a bracket of doubles is halved to nothing in fewer than this.
MOST_STEPS = 200

#: Steps, over the argument, that are rounding where they no longer shrink.
STALLED = 1e-12

#: A scan evaluates every eighth place first: a function that grows from each to the next has at most one root.
COARSE = 8

#: Places at which brackets are scanned at once while they are narrowed, of all functions together.
PLACES = 1024

#: From an array of arguments to the values and the slopes there.
Function = Callable[[NDArray], tuple[NDArray, NDArray]]


def rising_roots(function: Function, low: NDArray, high: NDArray, scale: float) -> NDArray:
    """Roots at which functions pass through 0 from below, to rounding; NaN where a bracket does not contain one.

    A Newton step is taken while it stays within the bracket and at least halves the step before last; otherwise the
    bracket is halved. Each root is computed by itself: its neighbours in the array do not change it.

    Parameters
    ----------
    function : callable
        From an array of arguments to the values and the slopes there.
    low, high : array
        Brackets; the value must be ≤ 0 at ``low`` and ≥ 0 at ``high``.
    scale : float
        Size of an argument below which its last digits no longer matter.

    Returns
    -------
    array
        Of the shape of ``low``.
    """
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    with np.errstate(all="ignore"):
        at_low, at_high = function(low)[0], function(high)[0]
        holds = (at_low <= 0.0) & (at_high >= 0.0)
        root = np.where(holds, 0.5 * (low + high), np.nan)
        root = np.where(holds & (at_low == 0.0), low, np.where(holds & (at_high == 0.0), high, root))
        open_ = holds & (at_low < 0.0) & (at_high > 0.0)
        step = before = high - low  # the last step, and the one before it
        for _ in range(MOST_STEPS):
            if not open_.any():
                break
            value, slope = function(root)
            high = np.where(value > 0.0, root, high)
            low = np.where(value < 0.0, root, low)
            newton = -value / slope
            fits = (root + newton > low) & (root + newton < high) & (np.abs(newton) <= 0.5 * np.abs(before))
            tiny = np.abs(newton) <= 2.0 * np.spacing(np.maximum(np.abs(root), scale))  # may lie on the bracket
            # Steps that no longer shrink where they are small already: what is left is rounding of the function.
            stalled = ~fits & (np.abs(newton) <= STALLED * np.maximum(np.abs(root), scale))
            move = np.where(fits | tiny, newton, 0.5 * (low + high) - root)
            move = np.where(stalled & ~tiny, np.clip(root + newton, low, high) - root, move)
            move = np.where(value == 0.0, 0.0, move)
            before, step = step, move
            moved = root + move
            settled = (value == 0.0) | tiny | stalled | (moved == root) | np.isnan(value)
            root = np.where(open_, np.where(np.isnan(value), np.nan, moved), root)
            open_ = open_ & ~settled
    return root


def rising_roots_in(function: Callable[[NDArray], NDArray], grid: NDArray, scale: float) -> NDArray:
    """Every root of functions within a range, of each function those at which it passes through 0 from below.

    A scan over the grid gives brackets, so that two roots between neighbouring places are missed; scans of the brackets
    narrow them to rounding. Where a function grows from each eighth place to the next, it has at most one root, and the
    places between are left out.

    Parameters
    ----------
    function : callable
        From arguments, shape (1, m) or (functions, m), to the values, shape (functions, m).
    grid : array, shape (places,)
        Rising.
    scale : float
        Size of an argument below which its last digits no longer matter.

    Returns
    -------
    array, shape (functions, most)
        The roots of each function, rising, then NaN; ``most`` is at least 1.
    """
    few = np.concatenate([grid[:1], grid[1:-1:COARSE], grid[-1:]])
    values = function(few[np.newaxis])
    rises = (values[:, :-1] <= 0.0) & (values[:, 1:] > 0.0)
    place = rises.argmax(axis=1)
    low, high = (np.where(rises.any(axis=1), few[place + k], np.nan)[:, np.newaxis] for k in (0, 1))
    grows = np.asarray((np.diff(values, axis=1) > 0.0).all(axis=1))
    if not grows.all():
        values = function(grid[np.newaxis])
        rises = (values[:, :-1] <= 0.0) & (values[:, 1:] > 0.0)
        most = max(1, int(rises[~grows].sum(axis=1).max()))
        # The places of the brackets of each function, first to last, by a sort that keeps their order.
        places = np.argsort(~rises, axis=1, kind="stable")[:, :most]
        there = np.take_along_axis(rises, places, axis=1)
        low, high = (
            np.where(
                grows[:, np.newaxis], np.where(np.arange(most) == 0, coarse, np.nan), np.where(there, fine, np.nan)
            )
            for coarse, fine in ((low, grid[places]), (high, grid[places + 1]))
        )
    return np.stack([_narrowed(function, low[:, k], high[:, k], scale) for k in range(low.shape[1])], axis=1)


def _narrowed(function: Callable[[NDArray], NDArray], low: NDArray, high: NDArray, scale: float) -> NDArray:
    """Middles of brackets, each narrowed about the first of its roots until it is no wider than rounding."""
    share = np.arange(1, max(2, PLACES // len(low))) / max(2, PLACES // len(low))
    rows = np.arange(len(low))
    for _ in range(MOST_STEPS):
        inner = low[:, np.newaxis] + (high - low)[:, np.newaxis] * share
        places = np.column_stack([low, inner, high])
        above = np.column_stack([~(function(inner) <= 0.0), np.ones(len(low), dtype=bool)])
        first = above.argmax(axis=1)
        before = low, high
        low, high = places[rows, first], places[rows, first + 1]
        unchanged = (low == before[0]) & (high == before[1])
        if (unchanged | ~(high - low > np.spacing(scale))).all():
            break
    return 0.5 * (low + high)


def bracket_around(function: Function, x: NDArray, first_step: float, doublings: int) -> tuple[NDArray, NDArray]:
    """Places between which functions rise through 0, the first reached from x on in widening steps; NaN if none.

    The search goes down where the value at x is positive, up where it is negative. Where it is 0, the bracket is x
    itself, unless the function does not depend on its argument there.

    Parameters
    ----------
    function : callable
        As of ``rising_roots``, with slopes.
    x : array
    first_step : float
        Doubled up to ``doublings`` times.
    """
    with np.errstate(all="ignore"):
        here, slope = function(x)
        near, far, sign = x.copy(), np.full(x.shape, np.nan), np.sign(here)
        step = first_step
        for _ in range(doublings + 1):
            probe = x - sign * step
            passed = np.isnan(far) & (sign * function(probe)[0] <= 0.0)
            far = np.where(passed, probe, far)
            near = np.where(np.isnan(far), probe, near)
            if not (np.isnan(far) & (sign != 0.0)).any():
                break
            step *= 2.0
        low, high = np.where(sign > 0.0, far, near), np.where(sign > 0.0, near, far)
        low, high = np.where(sign == 0.0, x, low), np.where(sign == 0.0, x, high)
        flat = (sign == 0.0) & ~(np.abs(slope) > 0.0)
        return np.where(flat, np.nan, low), np.where(flat, np.nan, high)


def damped_newton(
    function: Callable[[NDArray], NDArray], unknowns: int, probe: float, most_move: float, settled: float, steps: int
) -> NDArray | None:
    """Root of a small system by Newton steps from 0, with slopes from differences; None where it does not settle.

    Parameters
    ----------
    function : callable
        From an array of unknowns to as many values.
    unknowns : int
    probe : float
        Difference that gives a slope.
    most_move : float
        Most that an unknown moves in one step: longer steps are shortened, all unknowns alike.
    settled : float
        Size of a step below which the root is reached.
    steps : int
        Most of them.
    """
    x = np.zeros(unknowns)
    for _ in range(steps):
        here = function(x)
        slopes = np.array([(function(x + d) - here) / probe for d in probe * np.eye(unknowns)]).T
        try:
            move = -np.linalg.solve(slopes, here)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(move).all():
            return None
        x = x + move * min(1.0, most_move / max(float(np.abs(move).max()), 1e-300))
        if np.abs(move).max() < settled:
            return x
    return None
