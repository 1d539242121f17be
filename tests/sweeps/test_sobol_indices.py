"""Sobol indices: against scipy, closed forms and what must hold of any; and how a design is told by its points."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from iontide.errors import UsageError
from iontide.sweeps.plan.designs import Saltelli
from iontide.sweeps.sobol_indices import is_saltelli, sobol_indices, split_saltelli

#: Of the Ishigami function with a = 7, b = 0.1 (Ishigami & Homma 1990), in closed form.
ISHIGAMI_VARIANCE = 7.0**2 / 8 + 0.1 * np.pi**4 / 5 + 0.1**2 * np.pi**8 / 18 + 0.5
ISHIGAMI_FIRST = np.array([0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2, 7.0**2 / 8, 0.0]) / ISHIGAMI_VARIANCE
ISHIGAMI_TOTAL = ISHIGAMI_FIRST + np.array([1.0, 0.0, 1.0]) * 8 * 0.1**2 * np.pi**8 / 225 / ISHIGAMI_VARIANCE


def ishigami(x: np.ndarray) -> np.ndarray:
    """Of angles between −π and π, shape (…, 3)."""
    return np.sin(x[..., 0]) + 7.0 * np.sin(x[..., 1]) ** 2 + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])


def design(samples: int, parameters: int, seed: int = 0) -> np.ndarray:
    """Points of the plan's own design, between 0 and 1."""
    saltelli = Saltelli(samples, parameters, seed)
    return saltelli.shares(0, saltelli.size)


def angles(shares: np.ndarray) -> np.ndarray:
    return (2.0 * shares - 1.0) * np.pi


def test_indices_are_those_of_scipy():
    x = angles(design(256, 3))
    a, b, ab = split_saltelli(x, ishigami(x))
    found = sobol_indices(a, b, ab, resamples=10)
    # scipy wants f_A, f_B of shape (outputs, n) and f_AB of shape (parameters, outputs, n).
    oracle = scipy.stats.sobol_indices(func={"f_A": a[None], "f_B": b[None], "f_AB": ab[:, None]}, n=len(a))
    np.testing.assert_allclose(found.first, np.ravel(oracle.first_order), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.total, np.ravel(oracle.total_order), rtol=1e-10, atol=1e-12)


def test_indices_are_those_of_the_closed_form():
    x = angles(design(8192, 3))
    found = sobol_indices(*split_saltelli(x, ishigami(x)))
    np.testing.assert_allclose(found.first, ISHIGAMI_FIRST, atol=5e-3)
    np.testing.assert_allclose(found.total, ISHIGAMI_TOTAL, atol=5e-3)
    for interval, exact in ((found.first_interval, ISHIGAMI_FIRST), (found.total_interval, ISHIGAMI_TOTAL)):
        assert (interval[:, 0] <= exact + 1e-3).all()
        assert (interval[:, 1] >= exact - 1e-3).all()


def test_of_a_sum_first_and_total_order_agree_and_shares_are_those_of_the_variances():
    weights = np.array([1.0, 2.0, 3.0, 0.0])
    x = design(4096, 4)
    found = sobol_indices(*split_saltelli(x, x @ weights))
    np.testing.assert_allclose(found.total, weights**2 / (weights**2).sum(), atol=2e-3)
    np.testing.assert_allclose(found.first, found.total, atol=5e-3)
    assert found.first[3] == found.total[3] == 0.0


def test_neither_unit_nor_offset_matters():
    x = angles(design(128, 3))
    plain = sobol_indices(*split_saltelli(x, ishigami(x)))
    other = sobol_indices(*split_saltelli(x, -1e-3 * ishigami(x) + 70.0))
    for name in ("first", "total", "first_interval", "total_interval"):
        np.testing.assert_allclose(getattr(other, name), getattr(plain, name), atol=1e-9)


def test_intervals_hold_what_they_promise():
    """Of many small independent designs, about 90 % of the intervals hold the true value."""
    rng = np.random.default_rng(1)
    held = np.zeros(2)
    repeats = 200
    for _ in range(repeats):
        a, b = rng.random((2, 200, 2))
        ab = np.stack([np.column_stack([b[:, 0], a[:, 1]]), np.column_stack([a[:, 0], b[:, 1]])])
        found = sobol_indices(a.sum(1), b.sum(1), ab.sum(2), confidence=0.9, resamples=200)
        for k, interval in enumerate((found.first_interval, found.total_interval)):
            held[k] += interval[0, 0] <= 0.5 <= interval[0, 1]
    assert (np.abs(held / repeats - 0.9) < 0.07).all()


def test_intervals_are_the_bootstrap_of_the_estimators():
    """The way by means of terms against drawing the base samples anew and estimating again."""
    x = angles(design(32, 3))
    a, b, ab = split_saltelli(x, ishigami(x))
    found = sobol_indices(a, b, ab, resamples=50, seed=7)
    rng = np.random.default_rng(7)
    drawn = []
    for _ in range(50):
        rows = rng.integers(0, 32, 32)
        again = sobol_indices(a[rows], b[rows], ab[:, rows], resamples=2)
        drawn.append([again.first, again.total])
    ends = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    np.testing.assert_allclose(found.first_interval, ends[:, 0].T, atol=1e-9)
    np.testing.assert_allclose(found.total_interval, ends[:, 1].T, atol=1e-9)


def test_intervals_are_the_same_every_time_and_narrower_with_more_samples():
    widths = []
    for samples in (64, 1024):
        x = angles(design(samples, 3))
        parts = split_saltelli(x, ishigami(x))
        first, second = sobol_indices(*parts), sobol_indices(*parts)
        np.testing.assert_array_equal(first.total_interval, second.total_interval)
        widths.append(np.ptp(first.total_interval, axis=1))
    assert (widths[1] < 0.5 * widths[0]).all()


def test_a_base_sample_with_a_point_without_a_value_is_left_out():
    x = angles(design(128, 3))
    values = ishigami(x)
    values[[2, 5 * 7]] = np.nan  # of base samples 0 and 7
    found = sobol_indices(*split_saltelli(x, values))
    assert (found.samples, found.left_out) == (126, 2)
    keep = np.setdiff1d(np.arange(128), [0, 7])
    a, b, ab = split_saltelli(x, ishigami(x))
    expected = sobol_indices(a[keep], b[keep], ab[:, keep])
    np.testing.assert_allclose(found.total, expected.total, rtol=1e-12)


def test_too_few_samples_no_variance_and_no_confidence_are_told():
    x = design(16, 2)
    with pytest.raises(UsageError, match="the same at all points"):
        sobol_indices(*split_saltelli(x, np.full(len(x), -70.0)))
    values = x.sum(axis=1)
    values[: 4 * 10] = np.nan
    with pytest.raises(UsageError, match="6 of 16 have"):
        sobol_indices(*split_saltelli(x, values))
    with pytest.raises(UsageError, match="between 0 and 1, got 95"):
        sobol_indices(*split_saltelli(x, x.sum(axis=1)), confidence=95)


def matrices(parameters: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    a, b = np.random.default_rng(3).random((2, 5, parameters))
    mixed = []
    for i in range(parameters):
        ab = a.copy()
        ab[:, i] = b[:, i]
        mixed.append(ab)
    return a, b, mixed


@pytest.mark.parametrize("parameters", [1, 2, 4])
@pytest.mark.parametrize("by_sample", [True, False])
@pytest.mark.parametrize("b_last", [True, False])
def test_parts_of_a_design_are_found_in_every_usual_order(parameters, by_sample, b_last):
    a, b, mixed = matrices(parameters)
    parts = np.stack([a, *mixed, b] if b_last else [a, b, *mixed])
    points = parts.transpose(1, 0, 2) if by_sample else parts
    x = points.reshape(-1, parameters)
    assert is_saltelli(x)
    weights = np.arange(1.0, parameters + 1)
    found = split_saltelli(x, x @ weights)
    np.testing.assert_allclose(found[0], a @ weights)
    np.testing.assert_allclose(found[1], b @ weights)
    np.testing.assert_allclose(found[2], np.stack(mixed) @ weights)


def test_parts_are_those_of_the_plan():
    saltelli = Saltelli(8, 3, 0)
    x = saltelli.shares(0, saltelli.size)
    number = np.arange(float(len(x)))
    a, b, ab = split_saltelli(x, number)
    np.testing.assert_array_equal(a, number[saltelli.points_of("A")])
    np.testing.assert_array_equal(b, number[saltelli.points_of("B")])
    for axis in range(3):
        np.testing.assert_array_equal(ab[axis], number[saltelli.points_of(axis)])


def test_what_is_no_design_is_refused():
    rng = np.random.default_rng(0)
    grid = np.array([(x, y) for x in range(4) for y in range(4)], dtype=float)
    for x in (rng.random((20, 3)), grid, np.zeros((20, 3)), np.zeros((10, 0)), design(16, 3)[1:]):
        assert not is_saltelli(x)
        with pytest.raises(UsageError, match='design = "saltelli"'):
            split_saltelli(x, np.zeros(len(x)))
