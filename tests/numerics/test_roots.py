"""Roots in brackets, in a range, and of small systems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iontide.numerics.roots import bracket_around, damped_newton, rising_roots, rising_roots_in

GRID = np.linspace(-1.0, 1.0, 201)


def test_roots_in_brackets():
    """A kink, a steep and a flat function side by side; a bracket without a root gives NaN and spoils no other."""
    power, shift = np.array([1.0, 3.0, 9.0, 1.0]), np.array([0.3, -0.2, 0.7, 5.0])

    def function(x):
        d = x - shift
        return np.sign(d) * np.abs(d) ** power, power * np.abs(d) ** (power - 1.0)

    root = rising_roots(function, np.full(4, -1.0), np.full(4, 2.0), 1e-3)
    assert np.isnan(root[3])
    np.testing.assert_allclose(root[:3], shift[:3], atol=1e-13)
    assert rising_roots(lambda x: (x, np.ones_like(x)), np.array([0.0]), np.array([1.0]), 1.0)[0] == 0.0


@given(st.lists(st.floats(-0.99, 0.99), min_size=1, max_size=6))
def test_a_function_that_grows_all_the_way_has_one_root(shifts):
    shift = np.array(shifts)[:, np.newaxis]
    roots = rising_roots_in(lambda x: np.sinh(3.0 * (x - shift)), GRID, 1e-3)
    assert roots.shape == (len(shifts), 1)
    np.testing.assert_allclose(roots, shift, atol=1e-15)


@pytest.mark.parametrize("many", [1, 3, 2000])
def test_a_bracket_is_narrowed_to_neighbouring_numbers(many):
    """Of any number of functions at once, each alone; a root at 0 ends where its digits no longer matter."""
    shift = np.linspace(-0.9, 0.9, many)[:, np.newaxis] if many > 1 else np.array([[0.3]])
    roots = rising_roots_in(lambda x: x - shift, GRID, 1e-3)[:, 0]
    assert (np.abs(roots - shift[:, 0]) <= np.spacing(np.abs(shift[:, 0]) + 1e-3)).all()
    assert rising_roots_in(lambda x: x + np.zeros((many, 1)), GRID, 1e-3)[:, 0] == pytest.approx(0.0, abs=1e-18)


def test_every_rising_root_in_a_range():
    """Of sin(2 pi f x) those where it rises, one every 1 / f; of a constant none; falling roots do not count."""
    frequency = np.array([[1.0], [2.0], [0.0]])

    def function(x):
        return np.where(frequency > 0.0, np.sin(2.0 * np.pi * frequency * (x - 0.1)), 1.0)

    roots = rising_roots_in(function, GRID, 1e-3)
    assert roots.shape == (3, 4)
    np.testing.assert_allclose(roots[0, :2], [-0.9, 0.1], atol=1e-14)
    np.testing.assert_allclose(roots[1], [-0.9, -0.4, 0.1, 0.6], atol=1e-14)
    assert np.isnan(roots[0, 2:]).all()
    assert np.isnan(roots[2]).all()
    assert np.isnan(rising_roots_in(lambda x: -x + np.zeros((1, 1)), GRID, 1e-3)).all()


@pytest.mark.parametrize(("start", "root"), [(0.3, 0.1), (-0.3, 0.1), (0.7, 1.1), (1.3, 1.1)])
def test_a_bracket_is_looked_for_the_way_the_value_points(start, root):
    """Down where the value is positive, up where it is negative."""

    def function(x):
        return np.sin(2.0 * np.pi * (x - 0.1)), 2.0 * np.pi * np.cos(2.0 * np.pi * (x - 0.1))

    low, high = bracket_around(function, np.array([start]), 1e-3, 11)
    assert rising_roots(function, low, high, 1e-3)[0] == pytest.approx(root, abs=1e-14)


def test_brackets_at_rest_and_nowhere():
    low, high = bracket_around(lambda x: (x, np.ones_like(x)), np.array([0.0]), 1e-3, 4)
    assert low[0] == high[0] == 0.0
    low, high = bracket_around(lambda x: (0.0 * x, 0.0 * x), np.array([0.0]), 1e-3, 4)
    assert np.isnan([low[0], high[0]]).all()
    low, high = bracket_around(lambda x: (0.0 * x + 1.0, 0.0 * x), np.array([0.0]), 1e-3, 4)
    assert np.isnan(low[0])


def test_a_small_system():
    def function(x):
        return np.array([np.exp(x[0]) - 2.0, x[0] + 3.0 * x[1]])

    root = damped_newton(function, 2, 1e-6, 0.1, 1e-10, 100)
    np.testing.assert_allclose(root, [np.log(2.0), -np.log(2.0) / 3.0], atol=1e-12)
    assert damped_newton(lambda x: np.array([x[0] - x[1], x[0] - x[1] + 1.0]), 2, 1e-6, 0.1, 1e-10, 100) is None
    assert damped_newton(lambda x: np.exp(x), 1, 1e-6, 0.1, 1e-10, 100) is None
