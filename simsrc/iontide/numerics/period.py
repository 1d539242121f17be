"""The period of an oscillation, from the samples of a potential."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Intervals between crossings may differ by this much, relative, in an oscillation.
REGULAR = 0.2

#: Samples within a period, at least, of an oscillation that is reported.
LEAST_SAMPLES = 8


def period_of(time: NDArray, potential: NDArray) -> float | None:
    """Period (s) of an oscillation of a potential (V) that lasts until the end; None where none is certain.

    From its crossings upward through the middle, in the second half of the time from 0 s on; samples of the first half
    may be there or not.
    """
    late = time > 0.5 * time[-1] if len(time) > 2 else np.zeros(len(time), dtype=bool)
    if late.sum() < 20:
        return None
    t, v = time[late], potential[late]
    if v.max() - v.min() < 1e-3:
        return None
    middle = 0.5 * (v.max() + v.min())
    up = np.flatnonzero((v[:-1] < middle) & (v[1:] >= middle))
    between = np.diff(t[up])
    # Fewer samples in a period could be those of a faster wave.
    if len(between) < 3 or np.diff(up).min() < LEAST_SAMPLES or between.std() >= REGULAR * between.mean():
        return None
    return float(between.mean()) if t[-1] - t[up[-1]] < 2.0 * between.mean() else None
