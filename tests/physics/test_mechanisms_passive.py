"""Coupled passive transport: it stops exactly at Σ nu Δmu~ = 0, dissipates everywhere else, and knows no inside."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given

from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.physics.mechanisms import LAWS
from iontide.scenario.library.transporters import TRANSPORTERS
from tests.support.membrane_sides import (
    INSIDE,
    KCC,
    NA_K,
    NKCC,
    OUTSIDE,
    PASSIVE,
    VALENCE,
    T,
    any_sides,
    arguments_of,
    at_equilibrium,
    driving_force,
    moved,
    sides_of,
    swapped,
)


def strength(law, s, stoichiometry, arguments):
    """What the rate is a small difference of, where it is small."""
    if law in ("linear_force", "log_ratio"):
        scale = {"linear_force": arguments["rate"] * R * s.temperature, "log_ratio": arguments["rate"]}[law]
        return scale * sum(
            abs(n)
            * (abs(math.log(s.inside_activity[i] / s.outside_activity[i])) + abs(F * s.potential / R / 275.0) + 1)
            for i, n in stoichiometry.items()
        )
    half = {i: arguments[f"half_saturation.{i}"] if law == "saturating" else 1.0 for i in stoichiometry}
    force = math.exp(sum(n * VALENCE[i] for i, n in stoichiometry.items()) * F * s.potential / (2 * R * s.temperature))
    sides = [
        (s.inside_activity, s.outside_activity) if n > 0 else (s.outside_activity, s.inside_activity)
        for n in stoichiometry.values()
    ]
    taken = force * math.prod(
        (a[i] / half[i]) ** abs(n) for (i, n), (a, _) in zip(stoichiometry.items(), sides, strict=True)
    )
    released = (
        math.prod((b[i] / half[i]) ** abs(n) for (i, n), (_, b) in zip(stoichiometry.items(), sides, strict=True))
        / force
    )
    return arguments["rate"] * (taken + released) / (1.0 + taken + released if law == "saturating" else 1.0)


@pytest.mark.parametrize("law", PASSIVE)
@given(s=any_sides(), stoichiometry=moved())
def test_a_passive_law_stops_exactly_at_equilibrium(law, s, stoichiometry):
    s = at_equilibrium(s, stoichiometry)
    arguments = arguments_of(law, stoichiometry)
    assert abs(LAWS[law](s, stoichiometry, arguments)) <= 2e-13 * strength(law, s, stoichiometry, arguments)


@pytest.mark.parametrize("law", PASSIVE)
@given(s=any_sides(), stoichiometry=moved())
def test_a_passive_law_dissipates(law, s, stoichiometry):
    force = driving_force(s, stoichiometry)
    assume(abs(force) > 1e-6 * R * s.temperature)
    flux = LAWS[law](s, stoichiometry, arguments_of(law, stoichiometry))
    assert flux * force > 0


@pytest.mark.parametrize("law", PASSIVE)
@given(s=any_sides(), stoichiometry=moved())
def test_inside_and_outside_are_only_names(law, s, stoichiometry):
    arguments = arguments_of(law, stoichiometry)
    flux = LAWS[law](s, stoichiometry, arguments)
    assert LAWS[law](swapped(s), stoichiometry, arguments) == pytest.approx(
        -flux, rel=1e-12, abs=1e-13 * strength(law, s, stoichiometry, arguments)
    )
    other_way = {ion: -count for ion, count in stoichiometry.items()}
    assert LAWS[law](s, other_way, arguments) == pytest.approx(
        -flux, rel=1e-12, abs=1e-13 * strength(law, s, stoichiometry, arguments)
    )


@given(s=any_sides())
def test_a_switched_law_is_passive_too(s):
    arguments = {"rate": 1e-6, "half.K_outside": 16.0, "slope.K_outside": 1.0}
    force = driving_force(s, NKCC)
    assume(abs(force) > 1e-6 * R * s.temperature)
    assert LAWS["nkcc1_sigmoidal"](s, NKCC, arguments) * force > 0


def test_mass_action_of_an_electroneutral_cotransporter():
    flux = LAWS["mass_action"](sides_of(), KCC, {"rate": 1e-10})
    assert flux == pytest.approx(1e-10 * (135.0 * 8.0 - 4.5 * 115.0), rel=1e-15)
    assert flux == LAWS["mass_action"](sides_of(potential=0.05), KCC, {"rate": 1e-10})


def test_mass_action_of_an_electrogenic_exchanger():
    """NCX: one way Na outside and Ca inside, the other Na inside and Ca outside, half of the field each."""
    stoichiometry = TRANSPORTERS["NCX"].stoichiometry
    half_field = math.exp(-0.07 * -1 * F / (2 * R * T))
    forward, backward = 145.0**3 * 1e-4 * half_field, 12.0**3 * 1.5 / half_field
    flux = LAWS["mass_action"](sides_of(), stoichiometry, {"rate": 1e-15})
    assert flux == pytest.approx(1e-15 * (forward - backward), rel=1e-13)


def test_mass_action_of_one_neutral_solute_is_its_permeability():
    assert LAWS["mass_action"](sides_of(), {"glucose": 1}, {"rate": 1e-8}) == pytest.approx(-4e-8, rel=1e-15)


def test_saturating_half_and_full():
    """Half the rate at the half saturation with nothing on the other side; all of it far above."""
    outside = {**OUTSIDE, "glucose": 0.0}
    for concentration, fraction in ((5.0, 0.5), (5e9, 1.0), (0.0, 0.0)):
        s = sides_of({**INSIDE, "glucose": concentration}, outside)
        flux = LAWS["saturating"](s, {"glucose": 1}, {"rate": 2.0, "half_saturation.glucose": 5.0})
        assert flux == pytest.approx(2.0 * fraction, rel=1e-8, abs=1e-300)


def test_linear_force_is_the_conductance_form_of_kcc2():
    """J = g (E_Cl − E_K) / F outward: what Düsterwald 2018 writes as g (E_K − E_Cl) / F inward."""
    s = sides_of()
    e_k, e_cl = s.reversal_potential("K"), s.reversal_potential("Cl")
    flux = LAWS["linear_force"](s, KCC, {"conductance": 0.2})
    assert flux == pytest.approx(-0.2 * (e_k - e_cl) / F, rel=1e-13)
    assert e_k < e_cl
    assert flux > 0  # KCC2 extrudes Cl
    assert LAWS["linear_force"](s, KCC, {"rate": 0.2 / F**2}) == pytest.approx(flux, rel=1e-13)


def test_logarithmic_laws_of_edpr():
    """Sætra et al. 2020, pump.py, at their initial concentrations."""
    s = sides_of({"Na": 18.0, "K": 99.0, "Cl": 7.0}, {"Na": 140.0, "K": 4.3, "Cl": 134.0})
    kcc2 = LAWS["log_ratio"](s, KCC, {"rate": 7.00e-7})
    assert kcc2 == pytest.approx(7.00e-7 * math.log(99.0 * 7.0 / (4.3 * 134.0)), rel=1e-13)
    nkcc1 = LAWS["nkcc1_sigmoidal"](s, NKCC, {"rate": 2.33e-7, "half.K_outside": 16.0, "slope.K_outside": 1.0})
    logs = math.log(99.0 * 7.0 / (4.3 * 134.0)) + math.log(18.0 * 7.0 / (140.0 * 134.0))
    assert nkcc1 == pytest.approx(2.33e-7 / (1 + math.exp(16 - 4.3)) * logs, rel=1e-13)
    pump = LAWS["na_k_atpase_sigmoidal"](
        s,
        NA_K,
        {
            "rate": 1.87e-6,
            "half.Na_inside": 25.0,
            "slope.Na_inside": 3.0,
            "half.K_outside": 3.5,
            "slope.K_outside": 1.0,
        },
    )
    assert pump == pytest.approx(1.87e-6 / (1 + math.exp((25 - 18) / 3)) / (1 + math.exp(3.5 - 4.3)), rel=1e-14)


def test_glut_is_michaelis_menten_from_one_side_and_still_where_both_are_equal():
    arguments = {"rate": 2e-6, "half_saturation.glucose": 5.0}
    empty, equal = {**INSIDE, "glucose": 0.0}, {**INSIDE, "glucose": OUTSIDE["glucose"]}
    for potential in (-0.07, 0.05):  # glucose has no charge
        into_empty = LAWS["glut"](sides_of(empty, potential=potential), {"glucose": 1}, arguments)
        assert into_empty == pytest.approx(-2e-6 * 5.0 / (5.0 + 5.0), rel=1e-14)
        assert LAWS["glut"](sides_of(equal, potential=potential), {"glucose": 1}, arguments) == 0.0
