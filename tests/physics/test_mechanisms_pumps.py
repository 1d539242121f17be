"""Pumps: what they saturate at, and where the thermodynamic ones stop and turn back."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.physics.mechanisms import LAWS
from iontide.physics.mechanisms.atp_cycles import free_energy_of_atp
from iontide.physics.mechanisms.binding import hill, sigmoid
from tests.support.membrane_sides import (
    INSIDE,
    NA_K,
    OUTSIDE,
    T,
    any_sides,
    arguments_of,
    driving_force,
    moved,
    sides_of,
)

SATURATING = {"rate": 1.0, "half_saturation.Na_inside": 12.0, "half_saturation.K_outside": 4.5}


@pytest.mark.parametrize(
    ("law", "arguments", "expected"),
    [
        ("na_k_atpase_constant", {"rate": 1.4e-6}, 1.4e-6),
        ("na_k_atpase_linear", {"rate": 1e-7}, 1e-7 * 12.0 / 3),
        ("na_k_atpase_power", {"rate": 1e-4}, 1e-4 * (12.0 / 145.0) ** 3),
        ("na_k_atpase_cubic", SATURATING, 1 / 8 / 4),
        ("na_k_atpase_hill", SATURATING | {"exponent.Na_inside": 1.5, "exponent.K_outside": 1.0}, 1 / 4),
        (
            "na_k_atpase_sigmoidal",
            {
                "rate": 1.0,
                "half.Na_inside": 12.0,
                "slope.Na_inside": 3.0,
                "half.K_outside": 4.5,
                "slope.K_outside": 1.0,
            },
            1 / 4,
        ),
    ],
)
def test_na_k_pumps_at_half_saturation(law, arguments, expected):
    assert LAWS[law](sides_of(), NA_K, arguments) == pytest.approx(expected, rel=1e-14)


def test_hill_with_the_exponents_of_independent_sites_is_not_cubic_but_like_it():
    """One bound site in place of three: the same limits, another way between."""
    arguments = SATURATING | {"exponent.Na_inside": 3.0, "exponent.K_outside": 2.0}
    full = sides_of({**INSIDE, "Na": 1e7}, {**OUTSIDE, "K": 1e7})
    for law in ("na_k_atpase_cubic", "na_k_atpase_hill"):
        assert LAWS[law](full, NA_K, arguments) == pytest.approx(1.0, rel=1e-5)
    assert LAWS["na_k_atpase_hill"](sides_of(), NA_K, arguments) > LAWS["na_k_atpase_cubic"](
        sides_of(), NA_K, arguments
    )


@pytest.mark.parametrize(
    ("law", "stoichiometry", "side"),
    [
        ("pmca", {"Ca": 1}, "inside"),
        ("pmca", {"Ca": 1, "H": -2}, "inside"),
        ("pmca", {"H": 2, "Ca": -1}, "outside"),
        ("serca", {"Ca": -2}, "outside"),
        ("serca", {"Ca": 2}, "inside"),
        ("h_atpase", {"H": 1}, "inside"),
        ("h_atpase", {"H": -2}, "outside"),
    ],
)
def test_pumps_of_one_ion_look_at_the_side_that_it_leaves(law, stoichiometry, side):
    ion = "H" if law == "h_atpase" else "Ca"
    half = {"inside": INSIDE, "outside": OUTSIDE}[side][ion]
    arguments = {"rate": 1e-7, f"half_saturation.{ion}": half, f"exponent.{ion}": 2.0}
    assert LAWS[law](sides_of(), stoichiometry, arguments) == pytest.approx(0.5e-7, rel=1e-13)
    arguments[f"half_saturation.{ion}"] = half / 3
    assert LAWS[law](sides_of(), stoichiometry, arguments) == pytest.approx(0.9e-7, rel=1e-13)


def test_pieces_neither_overflow_nor_divide_by_zero():
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert hill(np.array([0.0, 1e-3, 1e9]), 1.0, 10.0) == pytest.approx([0.0, 1e-30, 1.0], abs=1e-31)
        assert sigmoid(np.array([-1e6, 0.0, 1e6])) == pytest.approx([0.0, 0.5, 1.0], abs=1e-100)


# -- thermodynamic cycles ---------------------------------------------------------------------------------------------

REVERSIBLE = {"rate": 1e-6, "half_saturation.Na_inside": 10.0, "half_saturation.K_outside": 1.5}
FUEL = {"ATP": 5.0, "ADP": 0.05, "Pi": 5.0, "half_saturation.ATP": 0.5, "standard_free_energy": -31e3}


@given(s=any_sides())
def test_the_pump_stops_and_turns_at_the_free_energy_of_atp(s):
    work = driving_force(s, NA_K)
    law = LAWS["na_k_atpase_reversible"]
    full = law(s, NA_K, REVERSIBLE | {"free_energy": -1e6})
    assert abs(law(s, NA_K, REVERSIBLE | {"free_energy": work})) <= 1e-12 * full
    for affinity in (1.0, 1e3, 1e5):
        assert law(s, NA_K, REVERSIBLE | {"free_energy": work - affinity}) > 0
        assert law(s, NA_K, REVERSIBLE | {"free_energy": work + affinity}) < 0


@given(s=any_sides(), stoichiometry=moved(), free_energy=st.floats(-80e3, 0.0))
def test_any_reversible_pump_dissipates(s, stoichiometry, free_energy):
    """J (D − ΔG) ≥ 0: what ATP spends and the gradients spend is never less than 0 together."""
    affinity = driving_force(s, stoichiometry) - free_energy
    assume(abs(affinity) > 1e-6 * R * s.temperature)
    arguments = arguments_of("atpase_reversible", stoichiometry) | {"free_energy": free_energy}
    assert LAWS["atpase_reversible"](s, stoichiometry, arguments) * affinity > 0


@given(s=any_sides())
def test_far_from_equilibrium_it_is_the_cubic_law_and_in_deep_reversal_it_saturates(s):
    s = replace(s, inside_activity=s.inside, outside_activity=s.outside)
    law, cubic = LAWS["na_k_atpase_reversible"], LAWS["na_k_atpase_cubic"](s, NA_K, REVERSIBLE)
    assert law(s, NA_K, REVERSIBLE | {"free_energy": -5e5}) == pytest.approx(cubic, rel=1e-12)
    assert law(s, NA_K, REVERSIBLE | {"free_energy": 5e5}) == pytest.approx(-1e-6, rel=1e-6)


def test_reversal_potential_of_the_pump():
    """F V_rev = ΔG − R T ln(Na_i³ K_o² / (Na_o³ K_i²)): near −200 mV in a cell (Läuger 1991)."""
    free_energy = -57e3
    ratio = 12.0**3 * 4.5**2 / (145.0**3 * 135.0**2)
    reversal = (free_energy - R * T * math.log(ratio)) / F
    assert -0.25 < reversal < -0.15
    law, arguments = LAWS["na_k_atpase_reversible"], REVERSIBLE | {"free_energy": free_energy}
    at = [law(sides_of(potential=v), NA_K, arguments) for v in (reversal - 0.01, reversal, reversal + 0.01, -0.07, 0.0)]
    assert at[0] < 0 < at[2] < at[3] < at[4]  # depolarisation speeds it up
    assert abs(at[1]) < 1e-13 * at[4]


def test_fuel_as_concentrations():
    s = sides_of()
    free_energy = -31e3 + R * T * math.log(0.05e-3 * 5e-3 / 5e-3)
    assert free_energy_of_atp(s, FUEL) == pytest.approx(free_energy, rel=1e-14)
    assert free_energy_of_atp(s, {"free_energy": -5e4}) == -5e4
    law = LAWS["na_k_atpase_reversible"]
    loose = law(s, NA_K, REVERSIBLE | FUEL | {"half_saturation.ATP": 1e-12})
    assert loose == pytest.approx(law(s, NA_K, REVERSIBLE | {"free_energy": free_energy}), rel=1e-11)
    # It stops where the gradients are worth ΔG, however well ATP binds, and needs no logarithm of what is not there.
    balanced = REVERSIBLE | FUEL | {"standard_free_energy": driving_force(s, NA_K) - (free_energy + 31e3)}
    assert abs(law(s, NA_K, balanced)) < 1e-13 * law(s, NA_K, REVERSIBLE | FUEL)
    assert law(s, NA_K, REVERSIBLE | FUEL | {"ATP": 0.0}) < 0
    assert law(sides_of({**INSIDE, "Na": 0.0}), NA_K, REVERSIBLE | FUEL) < 0
