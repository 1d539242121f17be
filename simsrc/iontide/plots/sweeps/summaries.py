"""What many points say together: medians and bands along a parameter, and shares of words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .points import SweepColumn

#: Parts of the values below the band, in its middle, and below its upper end.
QUANTILES = (0.1, 0.5, 0.9)

#: A parameter with no more values than this, each of them so often, is summed up value by value, else in bins of
#: equally many points.
MOST_LEVELS, REPEATED = 200, 3

#: Points that a bin needs to have a band; bins, at most.
LEAST_IN_BIN, MOST_BINS = 10, 25


@dataclass(frozen=True)
class Bins:
    """Points in bins along a parameter.

    Attributes
    ----------
    which : int array, shape (points,)
        The bin of each point.
    centre : array, shape (bins,)
        Median of the parameter within each.
    edges : array, shape (bins + 1,)
        In the middle between two neighbours; of levels too.
    levels : bool
        Whether a bin is one value of the parameter.
    """

    which: NDArray
    centre: NDArray
    edges: NDArray
    levels: bool

    def __len__(self) -> int:
        return len(self.centre)


def bins_along(column: SweepColumn) -> Bins:
    """Bins of a parameter: its values where these are few, else bins of equally many points."""
    values = column.values
    levels, which = np.unique(values, return_inverse=True)
    scale = column.scale()
    if column.words or len(levels) < 3 or (len(levels) <= MOST_LEVELS and len(levels) * REPEATED <= len(values)):
        drawn = scale.placed(levels)
        # Bars of levels must not overlap where these lie close in one place and far apart in another.
        middle = 0.5 * (drawn[1:] + drawn[:-1])
        half = 0.5 * float(np.diff(drawn).min()) if len(drawn) > 1 else 0.05
        edges = np.concatenate([[drawn[0] - half], middle, [drawn[-1] + half]])
        return Bins(which, levels, scale.between(edges), True)
    count = int(np.clip(len(values) // LEAST_IN_BIN, 1, MOST_BINS))
    count = min(count, max(1, int(np.sqrt(len(values)))))
    order = np.argsort(values, kind="stable")
    which = np.empty(len(values), dtype=int)
    which[order] = np.arange(len(values)) * count // len(values)
    centre = np.array([np.median(values[which == k]) for k in range(count)])
    low = np.array([values[which == k].min() for k in range(count)])
    edges = np.append(low, values.max())
    return Bins(which, centre, edges, False)


def bands(bins: Bins, values: NDArray, there: NDArray) -> NDArray:
    """Quantiles of values in each bin, shape (bins, 3): 10 %, median, 90 %; NaN where a bin has no value."""
    found = np.full((len(bins), len(QUANTILES)), np.nan)
    for k in range(len(bins)):
        own = values[(bins.which == k) & there]
        if len(own):
            found[k] = np.quantile(own, QUANTILES)
    return found


def shares(bins: Bins, places: NDArray, count: int) -> NDArray:
    """Part of the points of each bin that has each of so many words, shape (bins, words + 1); last: none of them."""
    found = np.zeros((len(bins), count + 1))
    for k in range(len(bins)):
        own = places[bins.which == k].astype(int)
        found[k] = np.bincount(np.where(own < 0, count, own), minlength=count + 1) / max(1, len(own))
    return found


def spread_of_medians(bins: Bins, values: NDArray, there: NDArray) -> float:
    """How far the medians of the bins lie apart, in parts of the spread of all values."""
    medians = bands(bins, values, there)[:, 1]
    whole = float(np.ptp(values[there])) if there.any() else 0.0
    return float(np.nanmax(medians) - np.nanmin(medians)) / whole if whole > 0.0 else 0.0
