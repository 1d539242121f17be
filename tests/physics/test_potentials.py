"""Nernst and GHK potentials of given solutions: printed numbers, closed forms, a root at forty digits, and refusals."""

from __future__ import annotations

import csv
from math import log, nan

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iontide
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.constants import ZERO_CELSIUS
from iontide.errors import UsageError
from iontide.physics.electrochemical import driving_force, log_ratio, reversal_potential, reversal_potential_in_laws
from iontide.physics.ghk_nernst import ghk_currents
from iontide.physics.ions import find_ion
from tests.support.paths import REFERENCE

BODY = 310.15
INSIDE, OUTSIDE = {"K": 140.0, "Na": 10.0, "Cl": 10.0}, {"K": 4.0, "Na": 146.0, "Cl": 150.0}
RATIOS = {"K": 1.0, "Na": 0.04, "Cl": 0.45}


def rows(name):
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [pytest.param(row, id=row["id"]) for row in csv.DictReader(file)]


def held_to_publication(row, found, published, tolerance):
    """Within the printed rounding; a row whose note says why it disagrees must disagree still."""
    if row[published]:
        agrees = abs(found - float(row[published])) <= float(row[tolerance])
        assert agrees == (row["status"] != "DISAGREES")
        assert agrees or row["note"]


@pytest.mark.parametrize("row", rows("nernst"))
def test_published_nernst_potentials(row):
    gammas = (float(row["gamma_in"] or 1.0), float(row["gamma_out"] or 1.0))
    kelvin = float(row["T_C"]) + ZERO_CELSIUS
    found = 1e3 * iontide.nernst_potential(int(row["z"]), float(row["c_in"]), float(row["c_out"]), kelvin, *gammas)
    assert found == pytest.approx(float(row["E_recomputed_mV"]), abs=6e-4)
    held_to_publication(row, found, "E_published_mV", "published_rounding_mV")


def listed(text):
    return {name: float(value) for name, value in (pair.split("=") for pair in text.split(";"))}


@pytest.mark.parametrize("row", rows("ghk"))
def test_published_ghk_potentials(row):
    permeability, inside, outside = (listed(row[key]) for key in ("permeability_ratio", "c_in_mM", "c_out_mM"))
    found = 1e3 * iontide.ghk_potential(permeability, inside, outside, float(row["T_C"]) + ZERO_CELSIUS)
    assert found == pytest.approx(float(row["V_recomputed_mV"]), abs=6e-5)
    held_to_publication(row, found, "V_published_mV", "published_tol_mV")


def test_nernst_by_hand_and_over_arrays():
    assert iontide.nernst_potential(1, 140.0, 4.0, BODY) == pytest.approx(R * BODY / F * log(4 / 140), rel=1e-15)
    assert isinstance(iontide.nernst_potential(1, 140.0, 4.0, BODY), float)
    valences, inside = np.array([[1], [-2]]), np.array([1.0, 10.0, 100.0])
    found = iontide.nernst_potential(valences, inside, 10.0, BODY, gamma_inside=0.5)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, R * BODY / (valences * F) * np.log(10.0 / (0.5 * inside)), rtol=1e-14)
    np.testing.assert_allclose(found[0], -2.0 * found[1], rtol=1e-15)  # z = 1 and z = −2
    assert iontide.nernst_potential(1, 1e-300, 1e300, BODY) == pytest.approx(R * BODY / F * 600 * log(10.0))


def test_what_concentrations_miss():
    """ΔE = (R T / z F) ln(gamma_out / gamma_in), whatever the concentrations."""
    for z in (1, -1, 2):
        wrong = iontide.nernst_potential(z, 140.0, 4.0, BODY)
        true = iontide.nernst_potential(z, 140.0, 4.0, BODY, 0.7, 0.8)
        assert true - wrong == pytest.approx(R * BODY / (z * F) * log(0.8 / 0.7), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1.0, 1.0, BODY), "valence must not be 0"),
        ((1, 0.0, 1.0, BODY), "inside must be greater than 0, got 0"),
        ((1, 1.0, -1.0, BODY), "outside must be greater than 0"),
        ((1, 1.0, 1.0, 0.0), "temperature must be greater than 0"),
        ((1, nan, 1.0, BODY), "inside must be greater than 0, got nan"),
        ((1, 1.0, 1.0, BODY, 0.0), "gamma_inside must be greater than 0"),
    ],
)
def test_no_nernst_potential(arguments, message):
    with pytest.raises(UsageError, match=message):
        iontide.nernst_potential(*arguments)


CATIONS_AND_ANIONS = ["K", "Na", "Cl", "HCO3", "Ca", "Mg", "SO4", "Al"]
IONS = st.lists(st.sampled_from(CATIONS_AND_ANIONS), min_size=2, max_size=6, unique=True)


@given(ions=IONS, seed=st.integers(0, 2**32 - 1), kelvin=st.floats(273.15, 373.15))
def test_it_is_the_root_to_rounding(ions, seed, kelvin):
    """Against Σ z F J at forty digits, its sign on both sides; in any order of the ions the same to the bit."""
    rng = np.random.default_rng(seed)
    p, a, b = ({ion: float(10.0 ** rng.uniform(low, 3)) for ion in ions} for low in (-3, -5, -5))
    v = iontide.ghk_potential(p, a, b, kelvin)
    with mp.workdps(40):
        per_volt = mp.mpf(F) / (mp.mpf(R) * mp.mpf(kelvin))

        def current(potential):
            total = mp.mpf(0)
            for ion in ions:
                z = find_ion(ion).valence
                x = z * per_volt * potential
                total += z * mp.mpf(p[ion]) * (x / -mp.expm1(-x) * mp.mpf(a[ion]) - x / mp.expm1(x) * mp.mpf(b[ion]))
            return total

        width = mp.mpf(1e-14) * (abs(mp.mpf(v)) + mp.mpf(0.001))
        assert current(mp.mpf(v) - width) < 0 < current(mp.mpf(v) + width)
    turned = list(ions)
    rng.shuffle(turned)
    assert iontide.ghk_potential(*({ion: x[ion] for ion in turned} for x in (p, a, b)), kelvin) == v


def test_the_closed_form_of_monovalent_ions_is_the_root_of_their_current():
    v = iontide.ghk_potential(RATIOS, INSIDE, OUTSIDE, BODY)
    assert v == pytest.approx(
        R * BODY / F * log((4.0 + 0.04 * 146.0 + 0.45 * 10.0) / (140.0 + 0.04 * 10.0 + 0.45 * 150.0)), rel=1e-15
    )
    currents = ghk_currents(RATIOS, INSIDE, OUTSIDE, BODY, v)
    assert abs(sum(i for i, _ in currents.values())) < 1e-14 * max(abs(i) for i, _ in currents.values())
    # A trace of a divalent ion takes the other way, to the same number.
    traces = iontide.ghk_potential(RATIOS | {"Ca": 1e-30}, INSIDE | {"Ca": 1.0}, OUTSIDE | {"Ca": 1.0}, BODY)
    assert traces == pytest.approx(v, rel=1e-14)


def test_the_limit_of_one_ion_is_its_nernst_potential():
    for ion in RATIOS:
        e = iontide.nernst_potential(find_ion(ion).valence, INSIDE[ion], OUTSIDE[ion], BODY)
        alone = {name: float(name == ion) for name in RATIOS}
        assert iontide.ghk_potential(alone, INSIDE, OUTSIDE, BODY) == e
        assert iontide.ghk_potential({ion: 3e-8}, INSIDE, OUTSIDE, BODY) == e
        distances = [
            abs(iontide.ghk_potential(RATIOS | {ion: 10.0**k}, INSIDE, OUTSIDE, BODY) - e) for k in range(3, 8)
        ]
        np.testing.assert_allclose(np.divide(distances[1:], distances[:-1]), 0.1, rtol=0.01)
    assert iontide.ghk_potential({"Ca": 2.0}, {"Ca": 1e-4}, {"Ca": 2.0}, BODY) == iontide.nernst_potential(
        2, 1e-4, 2.0, BODY
    )


def test_bi_ionic_and_mixed_cases():
    """Each ion on one side only; and calcium against potassium by its quadratic (Lewis 1979)."""
    v = iontide.ghk_potential({"K": 2.0, "Na": 1.0}, {"K": 0.0, "Na": 100.0}, {"K": 100.0, "Na": 0.0}, BODY)
    assert v == pytest.approx(R * BODY / F * log(2.0), rel=1e-14)
    v = iontide.ghk_potential({"K": 1.0, "Ca": 0.5}, {"K": 100.0, "Ca": 0.0}, {"K": 0.0, "Ca": 30.0}, BODY)
    x = ((1.0 + 16.0 * 0.5 * 30.0 / 100.0) ** 0.5 - 1.0) / 2.0  # 4 P_Ca Ca / (P_K K) = x² + x
    assert v == pytest.approx(R * BODY / F * log(x), rel=1e-13)
    # What does not pass, or is nowhere, changes nothing.
    more = {"Na": 0.0, "Mg": 3.0}
    sides = ({"K": 100.0, "Ca": 0.0, "Mg": 0.0}, {"K": 0.0, "Ca": 30.0, "Mg": 0.0, "Cl": 7.0})
    assert iontide.ghk_potential({"K": 1.0, "Ca": 0.5} | more, *sides, BODY) == v
    # Equal solutions: no potential at all.
    assert abs(iontide.ghk_potential(RATIOS | {"Ca": 1.0}, INSIDE | {"Ca": 1.0}, INSIDE | {"Ca": 1.0}, BODY)) < 1e-17


def test_over_arrays_each_by_itself():
    outside = np.array([1.0, 4.0, 40.0])
    for calcium in ({}, {"Ca": 0.3}):
        p, a = RATIOS | calcium, INSIDE | {"Ca": 1e-4}
        found = iontide.ghk_potential(p, a, OUTSIDE | {"K": outside, "Ca": 2.0}, BODY)
        each = [iontide.ghk_potential(p, a, OUTSIDE | {"K": c, "Ca": 2.0}, BODY) for c in outside]
        np.testing.assert_array_equal(found, each)


def test_the_votes_are_slopes():
    p = {ion: 4e-8 * ratio for ion, ratio in RATIOS.items()} | {"Ca": 1e-8}
    sides, v, h = (INSIDE | {"Ca": 1e-4}, OUTSIDE | {"Ca": 2.0}), -0.05, 1e-5
    currents, above, below = (ghk_currents(p, *sides, BODY, v + d) for d in (0.0, h, -h))
    for ion, (_, slope) in currents.items():
        assert slope == pytest.approx((above[ion][0] - below[ion][0]) / (2 * h), rel=1e-6)
        assert slope > 0.0
    z, x = 2, 2 * F * v / (R * BODY)
    by_hand = z * F * 1e-8 * (-x / np.expm1(-x) * 1e-4 - x / np.expm1(x) * 2.0)
    assert currents["Ca"][0] == pytest.approx(by_hand, rel=1e-13)


@pytest.mark.parametrize(
    ("permeability", "inside", "outside", "message"),
    [
        ({}, {}, {}, "no ion passes"),
        ({"K": 0.0}, INSIDE, OUTSIDE, "no ion passes"),
        ({"K": 1.0}, {"K": 0.0}, {"K": 0.0}, "no ion passes"),
        ({"K": 1.0}, {"K": 1.0}, {"K": 0.0}, "in one direction only"),
        ({"K": 1.0, "Cl": 1.0}, {"K": 1.0, "Cl": 0.0}, {"K": 0.0, "Cl": 1.0}, "in one direction only"),
        ({"K": 1.0}, {}, OUTSIDE, "inside lacks K"),
        ({"Kk": 1.0}, INSIDE, OUTSIDE, "no ion Kk in the library; did you mean K"),
        ({"K": -1.0}, INSIDE, OUTSIDE, "permeability of K must be a number ≥ 0, got -1"),
        ({"K": 1.0}, {"K": nan}, OUTSIDE, "concentration of K inside must be a number ≥ 0"),
        ({"K": 1.0, "Ca": 1.0}, {"K": 1.0, "Ca": [1.0, 1.0]}, {"K": 1.0, "Ca": -1.0}, "concentration of Ca outside"),
    ],
)
def test_no_ghk_potential(permeability, inside, outside, message):
    with pytest.raises(UsageError, match=message):
        iontide.ghk_potential(permeability, inside, outside, BODY)


@given(
    st.sampled_from([-2, -1, 1, 2, 3]), st.floats(1e-12, 1e6), st.floats(1e-12, 1e6), st.floats(250.0, 1200.0),
    st.floats(-0.3, 0.3),
)  # fmt: skip
def test_the_driving_force_is_z_f_times_the_distance_from_the_nernst_potential(z, inside, outside, kelvin, v):
    e = reversal_potential(z, inside, outside, kelvin)
    force = driving_force(z, log_ratio(inside, outside), v, kelvin)
    assert force == pytest.approx(z * F * (v - e), rel=1e-12, abs=1e-9)
    assert reversal_potential_in_laws(z, inside, outside, kelvin) == pytest.approx(e, rel=1e-13, abs=1e-15)
    assert e == iontide.nernst_potential(z, inside, outside, kelvin)


def test_the_logarithm_of_a_ratio_that_is_no_number():
    np.testing.assert_allclose(
        log_ratio(np.array([1e200, 3.0]), np.array([1e-200, 2.0])), [400 * np.log(10), np.log(1.5)]
    )
    assert log_ratio(0.0, 1.0) == -np.inf
