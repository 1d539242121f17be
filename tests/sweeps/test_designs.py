"""Designs and axes of sweeps: held against SciPy, against what they promise of balance, and against what is written."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from iontide.formulas.units import parse_quantity
from iontide.sweeps.plan.axes import LARGEST_SHARE, LEAST_SHARE, Axis, in_unit, to_si
from iontide.sweeps.plan.designs import Grid, LatinHypercube, Random, Saltelli, Sobol, Zipped, middles_of_cells
from iontide.sweeps.plan.plan import block_size

# -- axes -------------------------------------------------------------------------------------------------------------


def test_steps_are_what_a_person_would_write():
    axis = Axis("x", "V", (), "linear", (0.0, 0.1), parse_quantity("1 V")[1], 101)
    assert axis.levels.tolist() == [parse_quantity(f"{v} mV")[0] for v in range(101)]
    axis = Axis("x", "mM", (), "log", (1e-3, 1e3), parse_quantity("1 mM")[1], 7)
    assert axis.levels.tolist() == [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1000.0]
    axis = Axis("x", "m/s", (), "log", (3e-9, 7e-7), parse_quantity("1 m/s")[1], 5)
    assert axis.levels == pytest.approx(np.geomspace(3e-9, 7e-7, 5), rel=1e-14)
    assert axis.levels[[0, -1]].tolist() == [3e-9, 7e-7]


@pytest.mark.parametrize("unit", ["mV", "uF/cm^2", "um^2", "pL", "degC", "mol/m^2/s", "h", "%", ""])
def test_units_of_an_axis(unit):
    numbers = np.array([0.5, 3.0, 37.0, 140.0])
    expected = [parse_quantity(f"{number!r} {unit}".strip())[0] for number in numbers.tolist()]
    assert to_si(numbers, unit) == pytest.approx(expected, rel=2e-16)
    assert in_unit(to_si(numbers, unit), unit) == pytest.approx(numbers, rel=1e-13)


# -- designs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "axes", "seed"), [(1, 1, 0), (5, 3, 1), (4096, 2, 2), (9000, 7, 3)])
@pytest.mark.filterwarnings("ignore:The balance properties")
def test_sobol_points_are_those_of_scipy(size, axes, seed):
    reference = scipy.stats.qmc.Sobol(axes, scramble=True, bits=32, seed=np.random.default_rng(seed)).random(size)
    assert np.array_equal(Sobol(size, axes, seed).shares(0, size), reference + 2.0**-33)


def test_a_late_sobol_point_is_that_of_scipy():
    reference = scipy.stats.qmc.Sobol(3, scramble=True, bits=32, seed=np.random.default_rng(4))
    reference.fast_forward(10**7 + 77)
    found = Sobol(2 * 10**7, 3, 4).shares(10**7 + 77, 10**7 + 79)
    assert np.array_equal(found, reference.random(2) + 2.0**-33)


def test_sobol_points_are_balanced():
    shares = Sobol(1024, 2, 5).shares(0, 1024)
    for bits in range(11):  # one point in every elementary rectangle of area 1/1024
        cells = np.floor(shares * [2**bits, 2 ** (10 - bits)])
        assert len(np.unique(cells, axis=0)) == 1024


def test_a_latin_hypercube_has_a_point_in_every_slice():
    shares = LatinHypercube(501, 4, 6).shares(0, 501)
    for column in np.floor(shares * 501).T:
        assert np.array_equal(np.sort(column), np.arange(501))
    reference = scipy.stats.qmc.LatinHypercube(4, seed=np.random.default_rng(6)).random(501)
    assert np.abs(shares - reference).max() <= 2.0**-52


def test_random_points_are_independent_and_even():
    shares = Random(20000, 3, 7).shares(0, 20000)
    assert all(scipy.stats.kstest(column, "uniform").pvalue > 1e-4 for column in shares.T)
    assert np.abs(np.corrcoef(shares.T) - np.eye(3)).max() < 0.04
    assert np.abs(np.corrcoef(shares[:-1, 0], shares[1:, 0])[0, 1]) < 0.04
    assert len(np.unique(shares[:, 0])) == 20000  # no stretch is drawn twice


def test_saltelli_points():
    samples, axes = 100, 3
    design = Saltelli(samples, axes, 8)
    shares = design.shares(0, design.size)
    assert len(shares) == design.size == samples * (axes + 2)
    pairs = Sobol(samples, 2 * axes, 8).shares(0, samples)
    a, b = shares[design.points_of("A")], shares[design.points_of("B")]
    assert np.array_equal(a, pairs[:, :axes])
    assert np.array_equal(b, pairs[:, axes:])
    for axis in range(axes):
        mixed = a.copy()
        mixed[:, axis] = b[:, axis]
        assert np.array_equal(shares[design.points_of(axis)], mixed)
    with pytest.raises(IndexError):
        design.points_of(3)


def test_saltelli_points_give_the_indices_of_a_known_function():
    """Ishigami & Homma 1990: S1 = 0.3139, 0.4424, 0; ST = 0.5576, 0.4424, 0.2437 (a = 7, b = 0.1)."""
    design = Saltelli(4096, 3, 1)
    x = math.pi * (2.0 * design.shares(0, design.size) - 1.0)
    y = np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    a, b = y[design.points_of("A")], y[design.points_of("B")]
    mixed = [y[design.points_of(axis)] for axis in range(3)]
    variance = np.var(np.concatenate([a, b]))
    assert [np.mean(b * (m - a)) / variance for m in mixed] == pytest.approx([0.3139, 0.4424, 0.0], abs=0.02)
    assert [np.mean((a - m) ** 2) / variance / 2 for m in mixed] == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)


@pytest.mark.parametrize("design", [Random, LatinHypercube, Sobol, Saltelli])
def test_a_seed_changes_what_is_drawn(design):
    first, second, again = (design(64, 2, seed).shares(0, 64) for seed in (1, 2, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_no_share_is_0_or_1():
    for design in (Random(10**5, 1, 0), Sobol(10**5, 1, 0), LatinHypercube(10**5, 1, 0)):
        shares = design.shares(0, 10**5)
        assert shares.min() > 0.0
        assert shares.max() < 1.0
    assert middles_of_cells(np.array([0.0, 1.0])).tolist() == [LEAST_SHARE, LARGEST_SHARE]


def test_grids_count_far():
    grid = Grid((10**4, 10**3, 10))
    assert grid.places(10**8 - 1, 10**8).tolist() == [[9999, 999, 9]]
    assert Zipped(10**8, 2).places(10**8 - 1, 10**8).tolist() == [[10**8 - 1] * 2]


SHARES = np.array([2.0**-53, 1e-9, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0 - 2.0**-53])


def test_distributions(subtests):
    for rule, numbers, within, expected in [
        ("uniform", (-2.0, 5.0), None, scipy.stats.uniform(-2.0, 7.0)),
        ("log_uniform", (1e-8, 1e-4), None, scipy.stats.loguniform(1e-8, 1e-4)),
        ("normal", (3.0, 0.5), None, scipy.stats.norm(3.0, 0.5)),
        ("log_normal", (4.0, 1.5), None, scipy.stats.lognorm(math.log(1.5), scale=4.0)),
        ("normal", (3.0, 0.5), (2.0, 3.2), scipy.stats.truncnorm(-2.0, 0.4, 3.0, 0.5)),
        ("normal", (0.0, 1.0), (4.0, 5.0), scipy.stats.truncnorm(4.0, 5.0)),
        ("normal", (0.0, 1.0), (-5.0, -4.0), scipy.stats.truncnorm(-5.0, -4.0)),
        ("normal", (0.0, 1.0), (5.5, 6.0), scipy.stats.truncnorm(5.5, 6.0)),
    ]:
        with subtests.test(rule=rule, numbers=numbers, within=within):
            axis = Axis("x", "", (), rule, numbers, within=within)
            assert axis.at_share(SHARES) == pytest.approx(expected.ppf(SHARES), rel=1e-9, abs=1e-12)
            least, largest = axis.ends
            assert least <= axis.middle <= largest
            assert least == pytest.approx(expected.ppf(SHARES[0]), rel=1e-9, abs=1e-12)


def test_a_log_normal_is_cut_off():
    axis = Axis("x", "", (), "log_normal", (4.0, 1.5), within=(0.0, 8.0))
    drawn = scipy.stats.lognorm(math.log(1.5), scale=4.0)
    assert axis.at_share(SHARES) == pytest.approx(drawn.ppf(SHARES * drawn.cdf(8.0)), rel=1e-9)


# -- blocks ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**8), st.integers(40, 10**6))
def test_blocks_are_of_a_good_size(size, room):
    block = block_size(size, room)
    assert 16 <= block <= 16384
    assert block % 16 == 0
    assert block == 16 or block * room <= 16e6 + 16 * room
    assert -(-size // block) <= 10_000 or block == 16384 or (block + 16) * room > 16e6
