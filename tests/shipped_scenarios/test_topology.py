"""Scenarios of topology, reactions, clamps and events, each held to a closed form, a conservation, a limit or SciPy."""

from __future__ import annotations

from functools import cache
from math import asinh, exp, expm1, log, log10
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

import iontide
from iontide.analysis.audit.diagnostics import summary, warnings
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.simulation.trajectory import Trajectory
from tests.support.paths import SCENARIO_FILES

NAMES = [
    "calcium_store",
    "carbon_dioxide",
    "epithelium",
    "gap_junction",
    "plant_cell",
    "spike_feedback",
    "voltage_clamp",
]
COLD, WARM = 293.15, 310.15
OUTSIDE = {"K": 4.0, "Na": 146.0, "Cl": 150.0}
VALENCE = {"K": 1, "Na": 1, "Cl": -1}


@cache
def trajectory_of(name: str) -> Trajectory:
    """Its run, shared by the tests."""
    return iontide.run(SCENARIO_FILES[name])


def run_of(name: str, **changes: Any) -> Trajectory:
    """Its run with changes, whose keys are paths with ``__`` for dots."""
    return iontide.run(SCENARIO_FILES[name], set={key.replace("__", "."): value for key, value in changes.items()})


def at(trajectory: Trajectory, time: float, values: NDArray) -> float:
    """The last sample before a time, s."""
    return float(values[np.searchsorted(trajectory.time, time) - 1])


def ghk(permeability: float, valence: int, v: float, inside: float, outside: float, temperature: float) -> float:
    """Flux outward by the constant field, mol m⁻² s⁻¹."""
    u = valence * F * v / (R * temperature)
    if abs(u) < 1e-9:
        return permeability * (inside - outside)
    return permeability * u * (inside - outside * exp(-u)) / -expm1(-u)


@pytest.mark.parametrize("name", NAMES)
def test_its_balances_are_exact_and_there_is_nothing_to_warn_of(name):
    trajectory = trajectory_of(name)
    assert trajectory.status == "done"
    found = summary(trajectory)
    assert found.max_charge_drift < 1e-12
    assert found.max_mass_drift < 1e-12
    assert not list(warnings(trajectory))


# -- epithelium --------------------------------------------------------------------------------------------------------

SKIN, RINGER = 1e-4, {"Na": 115.0, "K": 2.5, "Cl": 117.5}


def pump_cycles(na: float, rate: float = 1e-5, k: float = 2.5) -> float:
    return rate * (na / (na + 10.0)) ** 3 * (k / (k + 1.5)) ** 2


def skin_pump_cycles(na: float, k: float, v: float) -> float:
    """That law with the affinity of its cycle: 57 kJ/mol less the work on 3 Na out and 2 K in."""
    work = -(3.0 * (R * COLD * log(na / RINGER["Na"]) + F * v) - 2.0 * (R * COLD * log(k / RINGER["K"]) + F * v))
    forward, back = pump_cycles(na, 1.0), exp((work - 57e3) / (R * COLD))
    return 1e-5 * forward * (1.0 - back) / (1.0 + forward * back)


def steady_skin(fixed: float, shorted: bool) -> tuple[float, float, float]:
    """Na of the cell, its potential and that across the skin, by the equations of the steady state alone."""

    def equations(x: NDArray) -> list[float]:
        na, v, across = x[0], x[1] / 1e3, 0.0 if shorted else x[2] / 1e3
        cl = RINGER["Cl"] * exp(F * v / (R * COLD))
        entry = -ghk(1.5e-8, 1, v + across, na, RINGER["Na"], COLD)
        k_out = ghk(2e-7, 1, v, fixed + cl - na, RINGER["K"], COLD)
        cycles = skin_pump_cycles(na, fixed + cl - na, v)
        leak = sum(z * ghk(2e-9, z, across, RINGER[i], RINGER[i], COLD) for i, z in VALENCE.items())
        last = x[2] if shorted else 1e6 * (leak - entry)
        return [1e6 * (entry - 3.0 * cycles), 1e6 * (k_out - 2.0 * cycles), last]

    found = scipy.optimize.root(equations, [15.0, -70.0, 0.0 if shorted else 70.0], tol=1e-13)
    assert np.max(np.abs(found.fun)) < 1e-9
    return found.x[0], found.x[1] / 1e3, found.x[2] / 1e3


@pytest.mark.parametrize("shorted", [True, False])
def test_a_skin_comes_to_the_root_of_its_equations(shorted):
    held = [{"at": "0 s", "clamp": {"membrane": "paracellular", "potential": "0 mV"}}] if shorted else []
    skin = run_of("epithelium", simulation__duration="20 h", protocol=held)
    contents = [z * skin.concentration("cell", i)[-1] for i, z in VALENCE.items()]
    na, v, across = steady_skin(sum(contents), shorted)
    assert skin.concentration("cell", "Na")[-1] == pytest.approx(na, rel=1e-6)
    assert skin.membrane_potential("basolateral")[-1] == pytest.approx(v, abs=1e-7)
    assert skin.membrane_potential("paracellular")[-1] == pytest.approx(across, abs=1e-7)
    if shorted:
        # Short-circuit current is active transport of Na.
        transported = 3.0 * F * SKIN * skin.pathway_cycles("basolateral", "pump")[-1]
        assert -skin.clamp_current("paracellular")[-1] == pytest.approx(transported, rel=1e-6)
        assert 1e6 * transported == pytest.approx(42.0, abs=0.1)  # µA, of 1 cm²
    else:
        assert 1e3 * across == pytest.approx(81.0, abs=0.1)


def test_a_skin_by_itself_and_shorted():
    skin = trajectory_of("epithelium")
    across, current = skin.membrane_potential("paracellular"), skin.clamp_current("paracellular")
    apical, basolateral = skin.membrane_potential("apical"), skin.membrane_potential("basolateral")
    np.testing.assert_allclose(across, apical - basolateral, atol=1e-14)
    shorted = (skin.time > 1200.0) & (skin.time < 3600.0)
    np.testing.assert_allclose(across[shorted], 0.0, atol=1e-13)
    np.testing.assert_allclose(current[~shorted & (np.abs(skin.time - 2400.0) > 1201.0)], 0.0, atol=1e-18)
    # Shorted, nothing goes past the cell; the two sides are at one potential, and share its change as 1 to 8 uF/cm².
    np.testing.assert_allclose(skin.current_density("paracellular")[shorted], 0.0, atol=1e-12)
    shared = SKIN * (8.0 * skin.current_density("apical") - skin.current_density("basolateral")) / 9.0
    np.testing.assert_allclose(current[shorted], shared[shorted], rtol=1e-9, atol=1e-15)
    # Amiloride: no current, no potential.
    assert at(skin, 2690.0, current) == pytest.approx(0.0, abs=1e-6 * abs(at(skin, 2090.0, current)))
    assert at(skin, 5090.0, across) == pytest.approx(0.0, abs=1e-6)
    assert at(skin, 5090.0, basolateral) == pytest.approx(at(skin, 5090.0, apical), abs=1e-6)
    # By itself, what goes through the cell comes back past it.
    through, past = (skin.current_density(m)[-1] for m in ("apical", "paracellular"))
    assert through == pytest.approx(-past, rel=1e-6)


# -- gap junction ------------------------------------------------------------------------------------------------------

AREA, VOLUME, PLAQUE, CAPACITANCE = 1256.637e-12, 4.18879e-15, 1e-12, 0.01
LEAKS = {"K": 4e-8, "Na": 0.04 * 4e-8, "Cl": 0.45 * 4e-8}


def mammalian_pump(na: float) -> float:
    return pump_cycles(na, 1.4e-6, 4.0)


def test_cells_that_nothing_joins_are_as_if_alone():
    joined = trajectory_of("gap_junction")
    start = {"potential": "ghk", "concentrations": {"K": "140 mM", "Na": "10 mM", "Cl": "10 mM"}}
    for name, membrane, rate in (("cell", "plasma", "1.4e-6 mol/m^2/s"), ("neighbour", "plasma_2", "0 mol/m^2/s")):
        alone = iontide.run(
            SCENARIO_FILES["pump_leak_cell"],
            set={
                "parameters.pump_rate": rate,
                "compartments.cell.concentrations": start["concentrations"],
                "compartments.cell.impermeants.A.concentration": "balance",
                "simulation.duration": "1 h",
                "protocol": [],
                "recording.times": {"spacing": "linear", "points": 181},
            },
        )
        v, na = joined.membrane_potential(membrane)[:181], joined.concentration(name, "Na")[:181]
        np.testing.assert_allclose(v, alone.membrane_potential("plasma"), atol=1e-7)
        np.testing.assert_allclose(na, alone.concentration("cell", "Na"), rtol=1e-6)
    # The neighbour ends at its Donnan equilibrium.
    fixed = sum(z * joined.concentration("neighbour", i)[-1] for i, z in VALENCE.items())
    assert joined.membrane_potential("plasma_2")[-1] == pytest.approx(R * WARM / F * asinh(-fixed / 300.0), abs=2e-5)


def test_joined_cells_come_to_the_root_of_their_equations():
    joined = run_of("gap_junction", parameters__open=1, protocol=[], simulation__duration="60 h")
    cells = (("cell", "plasma"), ("neighbour", "plasma_2"))
    found = [[joined.concentration(c, i)[-1] for i in VALENCE] + [joined.membrane_potential(m)[-1]] for c, m in cells]
    fixed = [sum(z * x for z, x in zip(VALENCE.values(), own[:3], strict=True)) for own in found]

    def equations(x: NDArray) -> list[float]:
        own = [dict(zip((*VALENCE, "V"), part, strict=True)) for part in (x[:4], x[4:])]
        v = [part["V"] / 1e3 for part in own]
        left = []
        for ion, z in VALENCE.items():
            through = PLAQUE * ghk(9.2e-6, z, v[0] - v[1], own[0][ion], own[1][ion], WARM)
            leak = [AREA * ghk(LEAKS[ion], z, v[n], own[n][ion], OUTSIDE[ion], WARM) for n in (0, 1)]
            pumped = AREA * {"Na": 3.0, "K": -2.0, "Cl": 0.0}[ion] * mammalian_pump(own[0]["Na"])
            left += [1e18 * (leak[0] + pumped + through), 1e18 * (leak[1] - through)]
        left += [sum(z * own[n][ion] for ion, z in VALENCE.items()) - fixed[n] for n in (0, 1)]
        return left

    solved = scipy.optimize.root(equations, [110.0, 40.0, 12.0, -65.0, 60.0, 95.0, 15.0, -60.0], tol=1e-13)
    assert np.max(np.abs(solved.fun)) < 1e-9
    expected = solved.x.reshape(2, 4) * [1.0, 1.0, 1.0, 1e-3]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # The one pump moves what leaks into both, and the junction carries the neighbour's part.
    cycles = joined.pathway_cycles("plasma", "pump")[-1]
    leaks = [joined.pathway_cycles(m, "permeability.Na")[-1] for _, m in cells]
    assert sum(leaks) == pytest.approx(-3.0 * cycles, rel=1e-6)
    assert PLAQUE * joined.flux("junction", "Na")[-1] == pytest.approx(AREA * leaks[1], rel=1e-6)


def test_wide_open_the_two_are_one_cell_with_half_the_pump():
    wide = {"K": "open * 0.1 m/s", "Na": "open * 0.1 m/s", "Cl": "open * 0.1 m/s"}
    changes = {"membranes.junction.permeability": wide, "parameters.open": 1, "protocol": []}
    two = iontide.run(SCENARIO_FILES["gap_junction"], set=changes)
    one = run_of("gap_junction", parameters__pump_rate="0.7e-6 mol/m^2/s", protocol=[])
    for cell, membrane in (("cell", "plasma"), ("neighbour", "plasma_2")):
        v, na = two.membrane_potential(membrane), two.concentration(cell, "Na")
        np.testing.assert_allclose(v[1:], one.membrane_potential("plasma")[1:], atol=2e-5)
        np.testing.assert_allclose(na, one.concentration("cell", "Na"), rtol=2e-3)


# -- calcium store -----------------------------------------------------------------------------------------------------


def total_calcium(trajectory: Trajectory) -> NDArray:
    """mol, free and bound, in cell and store."""
    held = (("cell", "Ca"), ("cell", "CaB"), ("store", "Ca"), ("store", "CaS"))
    return np.sum([trajectory.amount(*of) for of in held], axis=0)


def test_calcium_is_bound_as_its_buffers_have_it():
    cell = trajectory_of("calcium_store")
    for space, buffer, half in (("cell", "B", 5e-3), ("store", "S", 1.0)):
        free, bound, rest = (cell.concentration(space, x) for x in ("Ca", f"Ca{buffer}", buffer))
        expected = (bound + rest) * free / (free + half)
        np.testing.assert_allclose(bound, expected, rtol=1e-3)  # while Ca moves it lags by a little
        assert bound[-1] == pytest.approx(expected[-1], rel=1e-9)
        whole = cell.amount(space, buffer) + cell.amount(space, f"Ca{buffer}")
        np.testing.assert_allclose(whole, whole[0], rtol=1e-12)


def test_calcium_at_rest_is_what_its_pumps_make_of_the_leaks():
    cell = trajectory_of("calcium_store")
    free = cell.concentration("cell", "Ca")
    rest = 2e-4 * (4e-9 / (2e-8 - 4e-9)) ** 0.5
    assert rest == pytest.approx(1e-4)
    assert free[-1] == pytest.approx(rest, rel=1e-7)
    assert 5.0 < free.max() / rest < 7.0
    # SERCA against a store that is open: one equation in Ca of the store.
    uptake = 2.0 * 1.75e-9 * free[-1] ** 2 / (free[-1] ** 2 + 1e-8)
    v = cell.membrane_potential("reticulum")[-1]
    stored = scipy.optimize.brentq(lambda x: ghk(2.58e-8, 2, v, x, free[-1], WARM) - uptake, 1e-4, 10.0, xtol=1e-15)
    assert cell.concentration("store", "Ca")[-1] == pytest.approx(stored, rel=1e-6)
    k = [cell.concentration(c, "K")[-1] for c in ("store", "cell")]
    assert v == pytest.approx(R * WARM / F * log(k[1] / k[0]), abs=1e-9)


def test_a_closed_cell_keeps_its_calcium():
    closed = run_of("calcium_store", parameters__entry="0 mol/m^2/s", parameters__PMCA_rate="0 mol/m^2/s")
    held = total_calcium(closed)
    np.testing.assert_allclose(held, held[0], rtol=1e-12)
    free = closed.concentration("cell", "Ca")
    assert free.max() > 5.0 * free[0]
    assert free[-1] > 1.5 * free[0]  # the store is open, and there is nowhere else to go
    opened = total_calcium(trajectory_of("calcium_store"))
    assert opened[-1] < 0.6 * opened[0]


# -- carbon dioxide ----------------------------------------------------------------------------------------------------

KA_CO2, KA_BUFFER, CARBONIC = 10**-3.1, 10**-4.2, 1.1


def ph(trajectory: Trajectory) -> NDArray:
    """−log₁₀ of the activity of H in M."""
    return 3.0 - np.log10(trajectory.activity("cell", "H"))


def test_carbon_dioxide_and_its_wash_out_by_mass_action_alone():
    closed = run_of("carbon_dioxide", parameters__NHE_rate="0 mol/m^2/s", parameters__P_H="0 m/s")
    h, hco3, hb = (closed.concentration("cell", x) for x in ("H", "HCO3", "HB"))
    # Each CO2 that became HCO3 left an H, free or bound.
    start = h[0] + hb[0]
    np.testing.assert_allclose(h + hb - hco3, start, rtol=1e-10)

    def mismatch(x: float) -> float:
        return x + 50.0 * x / (x + KA_BUFFER) - KA_CO2 * CARBONIC / x - start

    expected = 3.0 - log10(scipy.optimize.brentq(mismatch, 1e-6, 1e-2, xtol=1e-18))
    acid = ph(closed)
    assert at(closed, 2399.0, acid) == pytest.approx(expected, abs=1e-7)
    assert expected == pytest.approx(6.932, abs=1e-3)
    assert at(closed, 2399.0, closed.concentration("cell", "CO2")) == pytest.approx(CARBONIC, rel=1e-6)
    assert acid[0] == pytest.approx(7.2, abs=1e-9)
    assert acid[-1] == pytest.approx(7.2, abs=1e-6)


def test_exchange_brings_the_cell_back_and_the_wash_out_beyond():
    cell = trajectory_of("carbon_dioxide")
    found = ph(cell)
    before, acid, recovered = (at(cell, t, found) for t in (599.0, 610.0, 2399.0))
    assert before == pytest.approx(7.2, abs=0.01)
    assert acid == pytest.approx(6.94, abs=0.01)
    assert recovered - acid > 0.8 * (before - acid)
    assert found.max() == pytest.approx(7.64, abs=0.01)
    assert cell.time[found.argmax()] == pytest.approx(2430.0, abs=30.0)
    # HCO3 and H are with CO2, and H with the buffer, as mass action has it; HCO3 is what recovery has left behind.
    h, hco3, co2, b, hb = (cell.concentration("cell", x) for x in ("H", "HCO3", "CO2", "B", "HB"))
    during = (cell.time > 660.0) & (cell.time < 2400.0)
    np.testing.assert_allclose(h[during] * hco3[during], KA_CO2 * co2[during], rtol=1e-3)
    np.testing.assert_allclose(h * b / hb, KA_BUFFER, rtol=1e-4)
    np.testing.assert_allclose(b + hb, 50.0, rtol=1e-12)
    assert np.all(np.diff(hco3[during]) > 0.0)
    # All that moves H but the reactions are the leak and the exchange: at the end of the CO2 they nearly balance.
    cycles = cell.pathway_cycles("plasma", "NHE")
    assert cycles[during].min() > 0.0
    # The exchange takes in as much Na as H out: electroneutral.
    assert cell.pathway_current_density("plasma", "NHE") == pytest.approx(0.0, abs=1e-20)


def test_exchange_stops_where_its_two_ions_say():
    # With nothing else that moves Na or H, and slow volume: a bath so alkaline that exchange runs until H/H = Na/Na.
    off = {"parameters.P_H": "0 m/s", "parameters.NHE_rate": "1e-4 mol/m^2/s", "protocol": []}
    cell = iontide.run(SCENARIO_FILES["carbon_dioxide"], set=off | {"simulation.duration": "2000 h"})
    ratio = {x: cell.concentration("cell", x)[-1] / cell.concentration("bath", x)[-1] for x in ("H", "Na")}
    assert ratio["H"] == pytest.approx(ratio["Na"], rel=1e-5)


# -- plant cell --------------------------------------------------------------------------------------------------------

SLACK, MODULUS, FILTRATION, SIDE = 65.45e-15, 5e6, 1e-4, 7854e-12


def test_turgor_is_the_osmotic_difference():
    cell = trajectory_of("plant_cell")
    pressure = MODULUS * (cell.volume("cell") / SLACK - 1.0)
    drawn = R * COLD * (cell.osmolarity("cell") - cell.osmolarity("bath"))
    bath = 2.0 * (0.5 + 1e-3) + 100.0  # the anion that balances is a solute too
    assert at(cell, 599.0, cell.osmolarity("bath")) == pytest.approx(bath, rel=1e-12)
    for time in (599.0, 2399.0, 4201.0):
        assert at(cell, time, pressure) == pytest.approx(at(cell, time, drawn), rel=1e-6)
    assert [1e-6 * at(cell, t, pressure) for t in (599.0, 2399.0)] == pytest.approx([0.261, 0.484], abs=1e-3)
    assert at(cell, 611.0, pressure) > at(cell, 599.0, pressure) + 0.99 * 0.223e6


def test_a_plant_cell_at_rest_has_potassium_in_equilibrium_and_as_much_h_in_as_out():
    cell = run_of("plant_cell", simulation__duration="20 h", protocol=[])
    v, e = cell.membrane_potential("plasma")[-1], cell.reversal_potential("plasma", "K")[-1]
    assert v == pytest.approx(e, abs=1e-7)
    assert 1e3 * v == pytest.approx(-134.0, abs=0.5)
    h = cell.concentration("cell", "H")[-1]
    pumped = 4e-7 * h / (h + 1e-4)
    assert pumped == pytest.approx(-ghk(2e-5, 1, v, h, 1e-3, COLD), rel=1e-5)
    assert cell.gate("plasma", "K_channel", "open")[-1] == pytest.approx(1.0 / (1.0 + exp((v + 0.1) / 0.015)), rel=1e-9)


def test_water_comes_with_the_half_time_of_wall_and_solutes():
    # A small step from a cell at rest: w relaxes at A P v (n / w² + modulus / (slack R T)).
    small = [{"at": "3 h", "set": {"parameters.sorbitol": "99.9 mM"}}]
    times = [f"{10_799.0 + 0.05 * i:.2f} s" for i in range(101)]
    cell = run_of(
        "plant_cell", simulation__duration="3.5 h", simulation__rtol=1e-10, protocol=small, recording__times=times
    )
    w, t = cell.volume("cell"), cell.time
    start, water = w[0], cell.value("simulation.water_molar_volume")[0]
    solutes = at(cell, 10_800.0, cell.osmolarity("cell")) * start
    rate = SIDE * FILTRATION * water * (solutes / start**2 + MODULUS / (SLACK * R * COLD))
    final = start + SIDE * FILTRATION * water * 0.1 / rate
    after = t >= 10_800.0
    expected = final + (start - final) * np.exp(-rate * (t[after] - 10_800.0))
    np.testing.assert_allclose(w[after] - start, expected - start, atol=2e-3 * (final - start))
    assert log(2.0) / rate == pytest.approx(1.0, abs=0.5)  # s


def test_a_balancing_impermeant_of_a_bath_counts_in_its_ionic_strength():
    # 2.5 mM of K, 115 mM of Na and 58.75 mM of a divalent anion: the activity coefficient follows from all three.
    changes = {"compartments.bath.activity": "davies"}
    skin = iontide.run(SCENARIO_FILES["two_membranes_in_series"], set=changes)
    given = {"concentration": "58.75 mM", "valence": -2}
    same = iontide.run(
        SCENARIO_FILES["two_membranes_in_series"],
        set=changes | {"compartments.bath.impermeants.SO4": given},
    )
    np.testing.assert_allclose(
        skin.activity_coefficient("bath", "K"), same.activity_coefficient("bath", "K"), rtol=1e-13
    )
    assert skin.activity_coefficient("bath", "K")[0] < 0.9


# -- voltage clamp -----------------------------------------------------------------------------------------------------

STEPS = {-0.04: 0.01, -0.02: 0.07, 0.0: 0.13, 0.02: 0.19, 0.04: 0.25, 0.06: 0.31}
CABLE = 2.0 * 3.14159265359 * 250e-6 * 1e-2


def linexp(x: float) -> float:
    return 1.0 + x / 2.0 if abs(x) < 1e-9 else x / -expm1(-x)


def openings(v: float) -> dict[str, tuple[float, float]]:
    """alpha and beta of each gate of 1952, /s, at a potential in V."""
    mv = 1e3 * v
    return {
        "m": (1e3 * linexp((mv + 40.0) / 10.0), 4e3 * exp(-(mv + 65.0) / 18.0)),
        "h": (70.0 * exp(-(mv + 65.0) / 20.0), 1e3 / (1.0 + exp(-(mv + 35.0) / 10.0))),
        "n": (100.0 * linexp((mv + 55.0) / 10.0), 125.0 * exp(-(mv + 65.0) / 80.0)),
    }


def gates_in_closed_form(times: NDArray, segments: NDArray) -> dict[str, NDArray]:
    """Each gate under the steps: one exponential after another."""
    stretches = [(0.0, -0.065)]
    for v, start in STEPS.items():
        stretches += [(start, v), (start + 0.015, -0.065)]
    gates: dict[str, NDArray] = {}
    for gate in "mhn":
        alpha, beta = openings(-0.065)[gate]
        x, values = alpha / (alpha + beta), np.empty_like(times)
        for number, (start, v) in enumerate(stretches):
            alpha, beta = openings(v)[gate]
            steady, rate = alpha / (alpha + beta), alpha + beta
            rows = segments == number
            values[rows] = steady + (x - steady) * np.exp(-rate * (times[rows] - start))
            end = stretches[number + 1][0] if number + 1 < len(stretches) else 0.37
            x = steady + (x - steady) * exp(-rate * (end - start))
        gates[gate] = values
    return gates


def test_currents_under_the_clamp_are_those_of_the_gates():
    axon = trajectory_of("voltage_clamp")
    t, v = axon.time, axon.membrane_potential("plasma")
    gates = gates_in_closed_form(t, axon.segment)
    for name, pathway in (("m", "Na_transient"), ("h", "Na_transient"), ("n", "K_delayed")):
        np.testing.assert_allclose(axon.gate("plasma", pathway, name), gates[name], atol=1e-6)
    e_na, e_k = (axon.reversal_potential("plasma", x) for x in ("Na", "K"))
    sodium = 1200.0 * gates["m"] ** 3 * gates["h"] * (v - e_na)
    potassium = 360.0 * gates["n"] ** 4 * (v - e_k)
    np.testing.assert_allclose(axon.current_density("plasma", "Na"), sodium, atol=1e-5 * np.abs(sodium).max())
    np.testing.assert_allclose(axon.current_density("plasma", "K"), potassium, atol=1e-5 * potassium.max())
    for number, (held, start) in enumerate(STEPS.items()):
        rows = axon.segment == 2 * number + 1
        np.testing.assert_allclose(v[rows], held, atol=1e-13)
        peak = np.abs(sodium[rows]).argmax()
        found = axon.current_density("plasma", "Na")[rows]
        assert found[peak] == pytest.approx(sodium[rows][peak], rel=1e-4)
        assert (found[peak] < 0.0) == (held < 0.05)  # beyond E_Na it flows outward
        assert 0.2e-3 < t[rows][peak] - start < 3e-3
        # K is steady at the end of the greater steps.
        alpha, beta = openings(held)["n"]
        steady = 360.0 * (alpha / (alpha + beta)) ** 4 * (held + 0.077)
        nearly = 1.0 - 4.0 * exp(-(alpha + beta) * 0.015)
        assert axon.current_density("plasma", "K")[rows][-1] == pytest.approx(steady, rel=2e-3 + 1.0 - nearly)


def test_the_clamp_brings_what_the_membrane_and_its_capacitance_take():
    axon = trajectory_of("voltage_clamp")
    ionic = CABLE * axon.current_density("plasma")
    np.testing.assert_allclose(axon.clamp_current("plasma"), ionic, rtol=1e-9, atol=1e-16)
    charge, k = axon.clamp_supply("plasma"), axon.amount("cell", "K")
    for number, held in enumerate(STEPS):
        left = np.flatnonzero(axon.segment == 2 * number)[-1]
        right = np.flatnonzero(axon.segment == 2 * number + 1)[0]
        assert axon.time[left] == axon.time[right]
        taken = CAPACITANCE * CABLE * (held + 0.065)
        assert charge[right] - charge[left] == pytest.approx(taken, rel=1e-6)
        assert k[right] - k[left] == pytest.approx(taken / F, rel=1e-4)  # of 8e-10 mol


# -- spike feedback ----------------------------------------------------------------------------------------------------


def spikes_with_feedback(pause: float, reversal: dict[str, float]) -> list[float]:
    """Times (s) of the spikes of the equations of 1952, each of which silences the current for a while."""

    def slopes(t: float, y: NDArray, current: float) -> list[float]:
        v, gates = y[0], openings(y[0])
        ionic = 1200.0 * y[1] ** 3 * y[2] * (v - reversal["Na"]) + 360.0 * y[3] ** 4 * (v - reversal["K"])
        ionic += 3.0 * (v - reversal["Cl"])
        stoichiometry = [a * (1.0 - x) - b * x for x, (a, b) in zip(y[1:], gates.values(), strict=True)]
        return [(current - ionic) / CAPACITANCE, *stoichiometry]

    def spike(t: float, y: NDArray, current: float) -> float:
        return float(y[0])

    spike.direction, spike.terminal = 1.0, True  # type: ignore[attr-defined]
    start = [a / (a + b) for a, b in openings(-0.065).values()]
    t, y, silent, found = 0.0, np.array([-0.065, *start]), 0.01, []
    while t < 0.22:
        is_on = silent <= t < 0.2
        end = min(x for x in (silent, 0.2, 0.22) if x > t)
        options = {
            "method": "DOP853",
            "rtol": 1e-11,
            "atol": 1e-12,
            "max_step": 1e-4,
            "events": spike,
            "args": (0.1 * is_on,),
        }
        part = scipy.integrate.solve_ivp(slopes, (t, end), y, **options)
        t, y = float(part.t[-1]), part.y[:, -1]
        if part.t_events[0].size:
            found.append(t)
            silent = t + pause
            y = np.array([1e-15, *y[1:]])  # past the level
    return found


def test_each_spike_silences_the_stimulus_as_by_an_independent_solver():
    axon = trajectory_of("spike_feedback")
    reversal = {x: axon.reversal_potential("plasma", x)[0] for x in ("K", "Na", "Cl")}
    expected = spikes_with_feedback(0.01, reversal)
    found = axon.event_times("spike")
    assert len(found) == len(expected) == 15
    # The run knows that each spike moves a millionth of the ions, which by the last makes half a microsecond.
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert 1e3 * np.diff(found)[1:] == pytest.approx(12.83, abs=0.01)
    # The stimulus is off for 10 ms from each spike on, to the sample.
    on = axon.parameter("stimulus") > 0.0
    since = axon.time[:, None] - found[None, :]
    silent = np.any((since > 1e-9) & (since < 0.01 - 1e-9), axis=1)
    assert not np.any(on & silent)
    edges = np.min(np.abs(np.concatenate([since, since - 0.01], axis=1)), axis=1) < 1e-9
    assert np.all(on | silent | edges)
    # One undershoot follows each spike.
    under = axon.event_times("undershoot")
    assert len(under) == 15
    assert np.all((under - found > 2e-3) & (under - found < 3e-3))


def test_after_a_long_pause_each_spike_is_as_the_first():
    rested = iontide.run(SCENARIO_FILES["spike_feedback"], set={"events.0.for": "40 ms"})
    intervals = np.diff(rested.event_times("spike"))
    first = rested.event_times("spike")[0] - 0.01
    np.testing.assert_allclose(intervals, 0.04 + first, atol=1e-6)
    assert 1e3 * first == pytest.approx(1.9, abs=0.05)
