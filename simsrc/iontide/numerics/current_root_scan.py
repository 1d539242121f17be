"""Potentials at which a membrane lets no net current pass: of one cell, or of many at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Potentials between which a zero-current potential is looked for, V.
SEARCH_LIMIT = 2.0

#: The middle of that range, V, in which they are looked for one by one, and at how many places.
SCAN_LIMIT, SCAN_POINTS = 0.2, 801

#: Of many cells, at first every so many of these places: a current that grows from each to the next has one root.
_COARSE = 8

#: Halvings of a bracket of half a millivolt, down to rounding.
_HALVINGS = 46

_GRID = np.concatenate([[-SEARCH_LIMIT], np.linspace(-SCAN_LIMIT, SCAN_LIMIT, SCAN_POINTS), [SEARCH_LIMIT]])
_COARSE_GRID = np.concatenate([_GRID[:1], _GRID[1:-1:_COARSE], _GRID[-1:]])


def zero_current_potentials(current: Callable[[NDArray], NDArray]) -> list[float]:
    """Every potential within ± 2 V at which a current grows through 0, V: where it falls through 0 none can stay.

    A scan in steps of half a millivolt, then of what lies between two of them, down to rounding: it needs no
    derivative, cannot leave its bracket, and each scan is one evaluation over an array.
    """
    found = []
    for low, high in _brackets(current, _GRID):
        while np.nextafter(low, high) < high and high - low > 1e-18:
            finer = np.linspace(low, high, SCAN_POINTS)
            bracket = next(iter(_brackets(current, finer)), None)
            if bracket is None or bracket == (low, high):
                break
            low, high = bracket
        found.append(0.5 * (low + high))
    return found


def _brackets(current: Callable[[NDArray], NDArray], grid: NDArray) -> list[tuple[float, float]]:
    """Neighbouring points of a grid between which a current grows through 0."""
    values = current(grid)
    return [(float(grid[k]), float(grid[k + 1])) for k in np.flatnonzero((values[:-1] <= 0.0) & (values[1:] > 0.0))]


def zero_current_potential_of_each(current: Callable[[NDArray], NDArray]) -> NDArray:
    """The one potential of each of many cells at which its current grows through 0, V; NaN where there is not just one.

    Parameters
    ----------
    current : callable
        From potentials, shape (1, m) or (cells, 1), to the current of every cell at each, shape (cells, …).
    """
    values = current(_COARSE_GRID[np.newaxis])
    rises = (values[:, :-1] <= 0.0) & (values[:, 1:] > 0.0)
    # Where a current does not grow all the way, there may be more than one root between two places: look closely.
    plain = (np.diff(values, axis=1) > 0.0).all(axis=1)
    low = np.where(rises.any(axis=1), _COARSE_GRID[rises.argmax(axis=1)], np.nan)
    high = np.where(rises.any(axis=1), _COARSE_GRID[rises.argmax(axis=1) + 1], np.nan)
    if not plain.all():
        values = current(_GRID[np.newaxis])
        rises = (values[:, :-1] <= 0.0) & (values[:, 1:] > 0.0)
        one, place = rises.sum(axis=1) == 1, rises.argmax(axis=1)
        low = np.where(plain, low, np.where(one, _GRID[place], np.nan))
        high = np.where(plain, high, np.where(one, _GRID[place + 1], np.nan))
    for _ in range(_HALVINGS + 12):
        middle = 0.5 * (low + high)
        below = current(middle[:, np.newaxis])[:, 0] <= 0.0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)
