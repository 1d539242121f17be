"""Every scenario of the library runs to its end, keeps its charge, and comes out where theory says."""

from __future__ import annotations

import tomllib
from functools import cache
from math import asinh, log

import numpy as np
import pytest
import scipy

import iontide
from iontide.analysis.audit.diagnostics import summary
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from tests.support.paths import SCENARIO_FILES

NAMES = sorted(name for name, path in SCENARIO_FILES.items() if path.parent.name != "published")
#: Scenarios that are about more, or something else, than a cell in a bath.
OF_SEVERAL_CELLS = {"epithelium", "saetra_2020"}
OF_SEVERAL_CELLS |= {"ion_selective_electrode", "ph_glass_electrode", "concentration_cell", "oxygen_sensor"}
PUBLISHED = sorted(set(SCENARIO_FILES) - set(NAMES))

WARM, COLD, ROOM = 310.15, 293.15, 298.15
AREA, VOLUME, CAPACITANCE = 1256.637e-12, 4.18879e-15, 0.01


@cache
def trajectory_of(name):
    """Its run, shared by the tests."""
    return iontide.run(SCENARIO_FILES[name])


def nernst(valence, inside, outside, temperature=WARM):
    """E, V."""
    return R * temperature / (valence * F) * log(outside / inside)


def charged(valence, inside, outside, temperature=WARM, area=AREA, volume=VOLUME):
    """E of the one ion that charges the membrane of a cell, with the charge that this takes: one equation in V."""
    taken = CAPACITANCE * area / (valence * F * volume)

    def mismatch(v):
        return v - nernst(valence, inside + taken * v, outside, temperature)

    low, high = (0.0, -inside / taken - 1e-12) if taken < 0 else (-inside / taken + 1e-12, 0.0)
    if mismatch(low) * mismatch(high) > 0.0:  # V has the other sign, where the ion does not run out
        low, high = sorted((0.0, 0.5 if taken > 0 else -0.5))
    return scipy.optimize.brentq(mismatch, low, high, xtol=1e-16)


def plateaus(name, membrane="plasma"):
    """Membrane potential at the end of every stretch of the protocol, V."""
    trajectory = trajectory_of(name)
    last = np.append(np.flatnonzero(np.diff(trajectory.segment)), len(trajectory) - 1)
    return trajectory.membrane_potential(membrane)[last]


# -- what holds for all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES + PUBLISHED)
def test_it_opens_with_what_it_is(name):
    text = SCENARIO_FILES[name].read_text(encoding="utf-8")
    written = tomllib.loads(text)
    assert list(written)[:3] == ["title", "description", "source"]
    assert written["title"]
    assert len(written["description"]) > 200  # what it shows, and what to look at
    assert written["source"]
    if name not in OF_SEVERAL_CELLS:
        assert {"cell", "bath"} <= set(written["compartments"])
        assert "plasma" in written["membranes"]
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_runs_to_its_end_keeps_its_balances_and_is_saved_whole(name, tmp_path):
    trajectory = trajectory_of(name)
    assert trajectory.status == "done"
    assert trajectory.time[-1] == trajectory.model.simulation.duration
    assert np.all(np.isfinite(trajectory.states))
    balance = summary(trajectory)
    assert balance.max_charge_drift < 1e-12
    assert balance.max_mass_drift < 1e-10
    # As a file, of fewer samples.
    short = {"simulation.duration": "1 s", "recording.times": {"spacing": "linear", "points": 11}, "protocol": []}
    kept = iontide.run(SCENARIO_FILES[name], set=short)
    again = iontide.open(kept.save(tmp_path / "kept.h5"))
    assert again.model == kept.model
    np.testing.assert_array_equal(again.states, kept.states)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_to_its_end_and_keeps_its_charge(name):
    trajectory = trajectory_of(name)
    model, start = trajectory.model, trajectory.run.initial
    assert trajectory.status == "done"
    assert trajectory.time[-1] == model.simulation.duration
    assert np.all(np.isfinite(trajectory.states))
    for c in model.compartments.values():
        if c.kind != "finite":
            continue
        ions = [model.species[x].valence * trajectory.amount(c.name, x) for x in c.concentrations]
        fixed = start.residual_charge[c.name] + sum(
            i.valence * start.impermeant_amounts[c.name, i.name] for i in c.impermeants
        )
        held = sum(
            trajectory.value(f"membranes.{m.name}.specific_capacitance")
            * trajectory.area(m.name)
            * trajectory.membrane_potential(m.name)
            * (1.0 if m.inside == c.name else -1.0)
            for m in model.membranes.values()
            if c.name in (m.inside, m.outside)
        )
        scale = F * (sum(abs(n[0]) for n in ions) + abs(fixed))
        assert np.max(np.abs(F * (sum(ions) + fixed) - held)) < 1e-10 * scale


# -- what each comes to ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ion", "valence", "inside", "outside"),
    [
        ("nernst_potassium", "K", 1, 140.0, 5.0),
        ("nernst_chloride", "Cl", -1, 4.0, 110.0),
        ("nernst_calcium", "Ca", 2, 1e-4, 1.5),
    ],
)
def test_one_ion_comes_to_its_nernst_potential(name, ion, valence, inside, outside):
    trajectory = trajectory_of(name)
    v, e = trajectory.membrane_potential("plasma"), trajectory.reversal_potential("plasma", ion)
    assert v[0] == 0.0
    assert e[0] == pytest.approx(nernst(valence, inside, outside), abs=1e-12)
    assert v[-1] == pytest.approx(charged(valence, inside, outside), abs=1e-9)
    assert v[-1] == pytest.approx(e[-1], abs=1e-9)
    efflux, influx = trajectory.unidirectional_fluxes("plasma", ion)
    assert efflux[-1] == pytest.approx(influx[-1], rel=1e-7)
    assert efflux[-1] > 0.0


def test_calcium_as_the_description_has_it():
    trajectory = trajectory_of("nernst_calcium")
    gained = trajectory.concentration("cell", "Ca")[-1] - 1e-4
    assert 1e3 * gained == pytest.approx(1.4, abs=0.05)  # µM
    assert 1e3 * trajectory.membrane_potential("plasma")[-1] == pytest.approx(92.0, abs=0.5)
    egg = iontide.run(SCENARIO_FILES["nernst_calcium"], set={"parameters.radius": "1 mm"})
    assert 1e3 * egg.membrane_potential("plasma")[-1] == pytest.approx(126.0, abs=0.5)


def test_valence_sign_gives_mirror_images():
    trajectory = trajectory_of("valence_sign")
    for_k, for_cl = plateaus("valence_sign")
    assert for_k == pytest.approx(charged(1, 100.0, 10.0), abs=1e-9)
    assert for_cl == pytest.approx(-for_k, abs=1e-6)
    e_k, e_cl = (trajectory.reversal_potential("plasma", x) for x in ("K", "Cl"))
    np.testing.assert_allclose(e_cl, -e_k, atol=1e-6)
    # Begun with Cl in the place of K, the first half is its own mirror image, all along.
    swapped = iontide.run(
        SCENARIO_FILES["valence_sign"], set={"parameters.P_K": "0 m/s", "parameters.P_Cl": "4e-8 m/s"}
    )
    first = trajectory.time <= 0.05
    np.testing.assert_allclose(
        swapped.membrane_potential("plasma")[first][:-1],
        -trajectory.membrane_potential("plasma")[first][:-1],
        atol=1e-12,
    )


def test_activities_move_the_potential_by_the_ratio_of_their_coefficients():
    by_concentration, by_activity = plateaus("activities")
    assert by_concentration == pytest.approx(nernst(1, 100.0, 10.0, ROOM), abs=1e-9)
    shift = R * ROOM / F * log(0.901 / 0.768)
    assert by_activity - by_concentration == pytest.approx(shift, abs=1e-6)  # the charge that moved it: 0.03 µV
    assert 1e3 * by_activity == pytest.approx(-55.056, abs=1e-3)  # N50 of the reference tables, turned round


def test_donnan_equilibrium_by_its_closed_form():
    trajectory = trajectory_of("donnan_equilibrium")
    v = trajectory.membrane_potential("plasma")[-1]
    salt, fixed = 150.0, -140.0
    thermal = R * WARM / F

    def closed_form(potential):
        """asinh(X / 2c), with the charge of the membrane counted to X."""
        held = CAPACITANCE * AREA * potential / (F * VOLUME)
        return thermal * asinh((fixed - held) / (2.0 * salt))

    exact = scipy.optimize.brentq(lambda x: x - closed_form(x), -0.05, 0.0, xtol=1e-17)
    assert 1e3 * v == pytest.approx(1e3 * exact, abs=1e-6)
    assert 1e3 * v == pytest.approx(-12.05904, abs=2e-5)
    ratios = [
        (trajectory.concentration("bath", x)[-1] / trajectory.concentration("cell", x)[-1]) ** z
        for x, z in (("K", 1), ("Na", 1), ("Cl", -1))
    ]
    np.testing.assert_allclose(ratios, np.exp(v / thermal), rtol=1e-7)


def test_ghk_resting_potential_by_the_voltage_equation():
    inside, outside = {"K": 345.0, "Na": 72.0, "Cl": 61.0}, {"K": 10.0, "Na": 455.0, "Cl": 540.0}

    def voltage(k, na, cl):
        above = k * outside["K"] + na * outside["Na"] + cl * inside["Cl"]
        below = k * inside["K"] + na * inside["Na"] + cl * outside["Cl"]
        return R * COLD / F * log(above / below)

    found = plateaus("ghk_resting_potential")
    rest = voltage(1.0, 0.04, 0.45)
    expected = [rest, voltage(1.0, 20.0, 0.45), voltage(1.8, 0.0, 0.45), rest]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(1e3 * found[:3], [-59.6816, 38.0272, -74.3947], atol=1e-4)  # G01, G02, G03
    trajectory = trajectory_of("ghk_resting_potential")
    currents = np.array([trajectory.current_density("plasma", x)[-1] for x in ("K", "Na", "Cl")])
    assert np.all(np.abs(currents) > 0.01)  # A/m²: every ion flows
    assert abs(currents.sum()) < 1e-9


def test_ghk_walks_to_nernst_as_one_ion_dominates():
    found = plateaus("ghk_to_nernst")
    e_k = nernst(1, 140.0, 4.0)
    for v, dominance in zip(found, [1.0, 10.0, 100.0, 1e3, 1e4], strict=True):
        above = dominance * 4.0 + 0.04 * 146.0 + 0.45 * 10.0
        below = dominance * 140.0 + 0.04 * 10.0 + 0.45 * 150.0
        assert v == pytest.approx(R * WARM / F * log(above / below), abs=1e-9)
    distance = found - e_k
    assert np.all(distance > 0.0)
    assert distance[-1] < 1e-5
    np.testing.assert_allclose(distance[2:-1] / distance[3:], 10.0, rtol=0.02)


def test_potentials_of_two_membranes_in_series_add_up():
    trajectory = trajectory_of("two_membranes_in_series")
    across_skin = -trajectory.potential("pond")  # bath minus pond
    apical, plasma = (trajectory.membrane_potential(m) for m in ("apical", "plasma"))
    np.testing.assert_allclose(across_skin, apical - plasma, atol=1e-15)
    # One ion charges each membrane, so each has its own closed form.
    expected_apical = [charged(1, 10.0, na, COLD, area=300e-12) for na in (115.0, 11.5, 115.0, 115.0, 115.0)]
    expected_plasma = [charged(1, 120.0, k, COLD) for k in (2.5, 2.5, 2.5, 25.0, 2.5)]
    np.testing.assert_allclose(plateaus("two_membranes_in_series", "apical"), expected_apical, atol=1e-8)
    np.testing.assert_allclose(plateaus("two_membranes_in_series", "plasma"), expected_plasma, atol=1e-8)
    assert 1e3 * across_skin[-1] == pytest.approx(159.0, abs=0.6)


def test_a_neutral_solute_fills_and_empties_by_exponentials():
    trajectory = trajectory_of("neutral_solute")
    t, tau = trajectory.time, VOLUME / (1e-8 * AREA)
    filling = 10.0 * -np.expm1(-(t - 300.0) / tau)
    emptying = 10.0 * -np.expm1(-1800.0 / tau) * np.exp(-(t - 2100.0) / tau)
    exact = np.where(t <= 300.0, 0.0, np.where(t <= 2100.0, filling, emptying))
    np.testing.assert_allclose(trajectory.concentration("cell", "glycerol"), exact, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(trajectory.membrane_potential("plasma"), nernst(1, 140.0, 4.0), atol=1e-12)


def test_the_pump_leak_cell_settles_is_blocked_and_recovers():
    trajectory = trajectory_of("pump_leak_cell")
    rest, blocked, recovered = plateaus("pump_leak_cell")
    assert recovered == pytest.approx(rest, abs=1e-7)
    settled = np.searchsorted(trajectory.time, 1800.0) - 1
    for i in (settled, len(trajectory) - 1):
        # A steady state that is no equilibrium: every sum is 0, no flux is.
        pump = trajectory.pathway_cycles("plasma", "pump")[i]
        leak = {x: trajectory.pathway_cycles("plasma", f"permeability.{x}")[i] for x in ("K", "Na", "Cl")}
        assert pump > 1e-7
        assert leak["Na"] == pytest.approx(-3.0 * pump, rel=1e-5)
        assert leak["K"] == pytest.approx(2.0 * pump, rel=1e-5)
        assert abs(leak["Cl"]) < 1e-5 * pump
        assert abs(trajectory.current_density("plasma")[i]) < 1e-6 * F * pump
        # Mullins & Noda 1963: with 3 : 2 and Cl at rest, the pump counts as P_K times 3/2.
        c = {x: trajectory.concentration("cell", x)[i] for x in ("K", "Na")}
        above, below = 1.5 * 4.0 + 0.04 * 146.0, 1.5 * c["K"] + 0.04 * c["Na"]
        v = trajectory.membrane_potential("plasma")[i]
        assert v == pytest.approx(R * WARM / F * log(above / below), abs=1e-7)
        assert trajectory.reversal_potential("plasma", "Cl")[i] == pytest.approx(v, abs=1e-7)
    # Blocked, V loses the pump's own current at once, and the cell is on its way to the Donnan equilibrium.
    charge = trajectory.run.initial.impermeant_amounts["cell", "A"] / VOLUME
    donnan = R * WARM / F * asinh(-charge / 300.0)
    assert 0.0 < donnan - blocked < 2e-3
    v = trajectory.membrane_potential("plasma")
    soon = np.interp(1810.0, trajectory.time, v)
    assert 4.0 < 1e3 * (soon - rest) < 5.0
    sodium = trajectory.concentration("cell", "Na")
    during = (trajectory.time > 1800.0) & (trajectory.time < 5400.0)
    assert np.all(np.diff(sodium[during]) > 0.0)
    assert sodium[during][-1] > 220.0
    assert sodium[-1] == pytest.approx(sodium[settled], rel=1e-5)


def test_a_tracer_shows_the_exchange_that_a_steady_state_hides():
    trajectory = trajectory_of("tracer_exchange")
    t, label = trajectory.time, trajectory.tracer_amount("cell", "Na24")
    efflux, influx = trajectory.unidirectional_fluxes("plasma", "Na")
    still = t < 1200.0
    for ion in ("K", "Na", "Cl"):
        c = trajectory.concentration("cell", ion)[still]
        assert np.ptp(c) < 1e-3 * c[0]  # it is at rest but for the rounding of its contents
    k = AREA * influx[0] / trajectory.amount("cell", "Na")[0]
    assert 60.0 * k == pytest.approx(0.6, abs=0.005)
    share = trajectory.tracer_share("cell", "Na24")
    loading, washing = trajectory.segment == 0, trajectory.segment == 1
    np.testing.assert_allclose(share[loading], -np.expm1(-k * t[loading]), atol=1e-4)
    np.testing.assert_allclose(share[washing], share[loading][-1] * np.exp(-k * (t[washing] - 600.0)), atol=1e-4)
    # Ouabain: what is left leaves by the leak alone.
    poisoned = trajectory.segment == 2
    leak = AREA * efflux / trajectory.amount("cell", "Na")
    slope = np.gradient(np.log(label[poisoned]), t[poisoned])
    np.testing.assert_allclose(slope[2:-2], -leak[poisoned][2:-2], rtol=1e-2)
    assert 80.0 < k / leak[poisoned][0] < 120.0
    ratio, expected = trajectory.ussing_ratio("plasma", "Na")
    np.testing.assert_allclose(ratio, expected, rtol=1e-12)
    assert ratio[0] < 0.01


def test_glia_carry_potassium_from_layer_to_layer():
    glia = trajectory_of("potassium_in_layers")
    alone = iontide.run(SCENARIO_FILES["potassium_in_layers"], set={"parameters.P_glia": "0 m/s"})
    layers = [f"layer_{i}" for i in range(1, 11)]

    def potassium(trajectory, t):
        return np.array([np.interp(t, trajectory.time, trajectory.concentration(layer, "K")) for layer in layers])

    # Diffusion alone: nothing has come to the far end after 10 s, and it is slow to clear.
    assert potassium(alone, 0.0).argmax() == potassium(alone, 30.0).argmax() == 4
    assert potassium(alone, 10.0)[9] == pytest.approx(3.0, abs=0.01)
    assert potassium(glia, 10.0)[9] > 3.5
    assert potassium(glia, 10.0)[4] < potassium(alone, 10.0)[4] - 1.5
    assert np.all(potassium(glia, 300.0)[1:] - 3.0 < 0.5 * (potassium(alone, 300.0)[1:] - 3.0))
    # Late, K fades by the slowest mode of ten layers with half a step to the bath (Na and Cl are far in excess).
    h, d = 100e-6, glia.model.species["K"].diffusion_coefficient / 1.6**2
    chain = d / h**2 * (np.diag([3.0, *[2.0] * 8, 1.0]) - np.eye(10, k=1) - np.eye(10, k=-1))
    slowest = np.linalg.eigvalsh(chain)[0]
    fading = np.log((potassium(alone, 400.0)[9] - 3.0) / (potassium(alone, 600.0)[9] - 3.0)) / 200.0
    assert fading == pytest.approx(slowest, rel=0.15)
    # The glial current enters about layer 5 and leaves farther off; the sum is what charges the cell, nearly nothing.
    i = np.searchsorted(glia.time, 5.0)
    currents = np.array([glia.current_density(f"plasma_{k}")[i] for k in range(1, 11)])
    assert np.all(currents[3:6] < 0.0)
    assert np.all(np.delete(currents, [3, 4, 5]) > 0.0)
    assert currents.argmin() == 4
    assert abs(currents.sum()) < 2e-3 * abs(currents[4])
    assert -3e-3 < glia.potential("layer_5").min() < -1e-3
    # What leaves the column goes out through its surface: nothing is lost on the way.
    out = sum(glia.concentration(layer, "K") for layer in layers)
    assert np.all(np.diff(out) < 1e-9)
