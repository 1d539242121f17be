"""Sobol indices of a saltelli design: the share of the variance of an output that each parameter explains.

The first order of a parameter is the share of the variance that would vanish if it were known; the total order the
share that would remain if all others were known. They are estimated from two independent sample matrices A and B,
and AB_i, which is A with column i of B. Saltelli et al. 2010 (doi:10.1016/j.cpc.2009.09.018), Table 2: (b) for the
first order; (f), Jansen's (doi:10.1016/S0010-4655(98)00154-4), for the total order. They have the least error of those
compared there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

#: Number of bootstrap resamples for the intervals, and most numbers at once.
RESAMPLES = 1000
_AT_ONCE = 2**22

#: Least number of base samples for an estimate.
LEAST_SAMPLES = 8

#: A variance below this fraction of the squared mean is rounding.
_ROUNDING = 1e-24


@dataclass(frozen=True)
class Indices:
    """Sobol indices of one quantity.

    Attributes
    ----------
    first, total : array, shape (parameters,)
    first_interval, total_interval : array, shape (parameters, 2)
        Ends of the interval, quantiles of the bootstrap distribution.
    confidence : float
        Of the intervals, for example 0.95.
    samples : int
        Base samples used.
    left_out : int
        Base samples left out because a point has no value.
    """

    first: NDArray
    total: NDArray
    first_interval: NDArray
    total_interval: NDArray
    confidence: float
    samples: int
    left_out: int


def sobol_indices(
    a: NDArray,
    b: NDArray,
    ab: NDArray,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Indices:
    """First and total order of every parameter, with bootstrap intervals.

    Parameters
    ----------
    a, b : array, shape (samples,)
        The output at the rows of A and of B.
    ab : array, shape (parameters, samples)
        At the rows of each AB_i.
    confidence : float
        Of the intervals, between 0 and 1.
    resamples : int
        Number of bootstrap resamples of the base samples.
    seed : int
        Of the resampling.

    Raises
    ------
    UsageError
        If fewer than ``LEAST_SAMPLES`` base samples have all their values, or the values do not vary.
    """
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"the confidence of an interval is between 0 and 1, got {confidence:g}")
    whole = np.isfinite(a) & np.isfinite(b) & np.isfinite(ab).all(axis=0)
    count, left_out = int(np.count_nonzero(whole)), int(np.count_nonzero(~whole))
    if count < LEAST_SAMPLES:
        raise UsageError(
            f"Sobol indices need at least {LEAST_SAMPLES} base samples with a value at each of their points; "
            f"{count} of {count + left_out} have them"
        )
    a, b, ab = a[whole], b[whole], ab[:, whole]
    mean = float(np.concatenate([a, b]).mean())
    terms = _terms(a - mean, b - mean, ab - mean)
    variance = _variance(terms.mean(axis=0))
    if not variance > _ROUNDING * mean**2:
        raise UsageError("the output is the same at all points, so that it has no variance")
    first, total = _from_means(terms.mean(axis=0)[np.newaxis])
    resampled = [_from_means(means) for means in _resampled(terms, resamples, seed)]
    ends = [50.0 * (1.0 - confidence), 50.0 * (1.0 + confidence)]
    intervals = [np.nanpercentile(np.concatenate(d), ends, axis=0).T for d in zip(*resampled, strict=True)]
    return Indices(first[0], total[0], intervals[0], intervals[1], confidence, count, left_out)


def _terms(a: NDArray, b: NDArray, ab: NDArray) -> NDArray:
    """The terms whose means give the estimates, shape (samples, 2 + 3 parameters).

    A resample then needs the means of its rows only: (a + b)/2, (a² + b²)/2, and of each parameter
    b (AB − A), AB − A, (A − AB)²/2.
    """
    change = (ab - a).T
    return np.column_stack([0.5 * (a + b), 0.5 * (a**2 + b**2), b[:, np.newaxis] * change, change, 0.5 * change**2])


def _variance(means: NDArray) -> NDArray:
    """Of A and B together."""
    return means[..., 1] - means[..., 0] ** 2


def _from_means(means: NDArray) -> tuple[NDArray, NDArray]:
    """First and total order, each of shape (rows, parameters), from means of ``_terms``, one row a resample."""
    product, change, half_square = np.split(means[:, 2:], 3, axis=1)
    with np.errstate(all="ignore"):
        variance = _variance(means)[:, np.newaxis]
        variance = np.where(variance > 0.0, variance, np.nan)
        # B less the mean of A and B, so that a large mean does not drown the rest (as scipy does it too).
        return (product - means[:, :1] * change) / variance, half_square / variance


def _resampled(terms: NDArray, resamples: int, seed: int) -> list[NDArray]:
    """Means of the terms over base samples drawn with replacement, some rows at a time."""
    generator = np.random.default_rng(seed)
    count = len(terms)
    rows = max(1, min(resamples, _AT_ONCE // count))
    found = []
    for start in range(0, resamples, rows):
        some = min(rows, resamples - start)
        weights = np.empty((some, count))
        for k in range(some):
            weights[k] = np.bincount(generator.integers(0, count, count), minlength=count)
        found.append(weights @ terms / count)
    return found


def split_saltelli(values: NDArray, results: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Results at A, B and every AB_i, identified by the values of the points, in whatever order they are.

    Parameters
    ----------
    values : array, shape (points, parameters)
        Values of the points, base sample by base sample or matrix by matrix.
    results : array, shape (points,)

    Returns
    -------
    a, b : array, shape (samples,)
    ab : array, shape (parameters, samples)

    Raises
    ------
    UsageError
        If the points are no saltelli design.
    """
    found = _parts(values)
    if found is None:
        raise UsageError(
            'Sobol indices need the points of a saltelli design; run the sweep with design = "saltelli" and samples = N'
        )
    a, b, ab = found
    return results[a], results[b], results[ab]


def is_saltelli(values: NDArray) -> bool:
    """Whether points with these values, shape (points, parameters), are a saltelli design."""
    return _parts(values) is not None


def _parts(values: NDArray) -> tuple[NDArray, NDArray, NDArray] | None:
    """The numbers of the points of A, B and AB_i; None for other designs."""
    points, parameters = values.shape
    samples, rest = divmod(points, parameters + 2)
    if not parameters or samples < 2 or rest:
        return None
    numbers = np.arange(points)
    by_sample = numbers.reshape(samples, parameters + 2).T
    by_matrix = numbers.reshape(parameters + 2, samples)
    for rows in (by_sample, by_matrix):
        for place in (parameters + 1, 1):  # A, AB_1 …, B or A, B, AB_1 …
            mixed = [k for k in range(1, parameters + 2) if k != place]
            if _is_design(values, rows[0], rows[place], rows[mixed]):
                return rows[0], rows[place], rows[mixed]
    return None


def _is_design(values: NDArray, a: NDArray, b: NDArray, ab: NDArray) -> bool:
    """Whether every AB_i is A with column i of B."""
    if (values[a] == values[b]).all():  # nothing varies
        return False
    for i, rows in enumerate(ab):
        expected = values[a].copy()
        expected[:, i] = values[b, i]
        if not np.array_equal(values[rows], expected, equal_nan=True):
            return False
    return True
