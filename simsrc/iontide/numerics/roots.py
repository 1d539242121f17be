"""Roots of functions of one variable, many at once: Newton steps that cannot leave a bracket."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Most steps; a bracket of doubles is halved to nothing in fewer than this.
MOST_STEPS = 200

#: Steps, over the argument, that are rounding where they no longer shrink.
STALLED = 1e-12


def rising_roots(
    function: Callable[[NDArray], tuple[NDArray, NDArray]], low: NDArray, high: NDArray, scale: float
) -> NDArray:
    """Where functions pass through 0 from below, to rounding; NaN where a bracket does not hold one.

    A Newton step is taken while it stays within the bracket and at least halves the step before last; otherwise the
    bracket is halved. Each root is found by itself: what stands beside it in the array does not change it.

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
