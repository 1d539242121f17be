"""Statistics over many points: medians and bands along a parameter, and shares of categories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .points import SweepColumn

#: Quantiles of the lower end of the band, the median, and the upper end.
QUANTILES = (0.1, 0.5, 0.9)

#: A parameter with at most so many values, each at least so often on average, has one bin for each value; otherwise the
#: bins have equally many points.
MOST_LEVELS, REPEATED = 200, 3

#: Least points of a bin; most bins.
LEAST_IN_BIN, MOST_BINS = 10, 25


@dataclass(frozen=True)
class Bins:
    """Points in bins along a parameter.

    Attributes
    ----------
    which : int array, shape (points,)
        The bin of each point.
    centre : array, shape (bins,)
        Median of the parameter in each bin.
    edges : array, shape (bins + 1,)
        Edges of the bins; of levels in the middle between two.
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
    """Bins of a parameter: one for each value if these are few, else with equally many points."""
    values = column.values
    levels, which = np.unique(values, return_inverse=True)
    scale = column.scale()
    if column.categories or len(levels) < 3 or (len(levels) <= MOST_LEVELS and len(levels) * REPEATED <= len(values)):
        drawn = scale.placed(levels)
        # Bars of unevenly spaced levels must not overlap.
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


def bands(bins: Bins, values: NDArray, has_value: NDArray) -> NDArray:
    """Quantiles of values in each bin, shape (bins, 3): 10 %, median, 90 %; NaN where a bin has no value."""
    quantiles = np.full((len(bins), len(QUANTILES)), np.nan)
    for k in range(len(bins)):
        in_bin = values[(bins.which == k) & has_value]
        if len(in_bin):
            quantiles[k] = np.quantile(in_bin, QUANTILES)
    return quantiles


def shares(bins: Bins, codes: NDArray, count: int) -> NDArray:
    """Share of each of ``count`` categories in the points of each bin, shape (bins, count + 1); last: no category."""
    result = np.zeros((len(bins), count + 1))
    for k in range(len(bins)):
        in_bin = codes[bins.which == k].astype(int)
        result[k] = np.bincount(np.where(in_bin < 0, count, in_bin), minlength=count + 1) / max(1, len(in_bin))
    return result


def spread_of_medians(bins: Bins, values: NDArray, has_value: NDArray) -> float:
    """Range of the medians of the bins relative to the range of all values."""
    medians = bands(bins, values, has_value)[:, 1]
    whole = float(np.ptp(values[has_value])) if has_value.any() else 0.0
    return float(np.nanmax(medians) - np.nanmin(medians)) / whole if whole > 0.0 else 0.0
