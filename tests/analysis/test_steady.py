"""Steady states: where runs end, what is conserved, how fast they settle, and what has no end."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iontide.analysis.steady import SteadyState, steady_state
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.equations.invariants import conserved_combinations, stoichiometry_of
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Compartment,
    Event,
    Impermeant,
    Injection,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Simulation,
    Species,
)
from iontide.scenario.read import load
from iontide.simulation.prepare import prepare
from iontide.simulation.simulate import simulate
from tests.support.models import (
    by_name,
    closed_pair,
    ghk,
    p1,
    pump_leak,
    series,
    single_ion,
    two_cells,
    with_simulation,
)
from tests.support.paths import SCENARIO_FILES, SCENARIOS

#: Shipped scenarios that have no steady state, and why.
ENDLESS = {
    "kay_2017": "the volume of cell diverges",
    "hodgkin_huxley_ion_dynamics": "it does not come to rest",
    "voltage_clamp": "the amount of K in cell is used up",  # it is held for ever, and K carries the current
}
FILES = sorted(SCENARIOS.glob("**/*.toml"))


def states_of(found: SteadyState) -> np.ndarray:
    return found.trajectory.states[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_scenario_ends_where_its_run_does(path):
    model = load(path).model
    found = steady_state(model)
    if path.stem in ENDLESS:
        assert found.status == "none"
        assert ENDLESS[path.stem] in found.message
        return
    assert found.status == "steady", found.message
    assert found.residual < 1e-11
    assert found.is_stable
    assert all(abs(total.drift) < 1e-13 for total in found.conserved)
    if not found.modes:
        return
    slowest = max(mode.time_constant for mode in found.modes)
    late = simulate(with_simulation(model, duration=model.simulation.duration + 60.0 * slowest, rtol=1e-10))
    size = np.abs(states_of(found)) + 1e-3 * np.abs(late.states).max(axis=0)
    assert np.max(np.abs(late.states[-1] - states_of(found)) / size) < 1e-8


def test_the_donnan_cell_ends_in_its_closed_form():
    found = steady_state(p1())
    end = found.trajectory
    ratio = math.exp(-float(end.membrane_potential("plasma")[0]) * FARADAY / (GAS_CONSTANT * 310.15))
    for ion, outside in (("K", 4.0), ("Na", 146.0)):
        assert float(end.concentration("cell", ion)[0]) / outside == pytest.approx(ratio, rel=1e-12)
    assert 150.0 / float(end.concentration("cell", "Cl")[0]) == pytest.approx(ratio, rel=1e-12)
    (charge,) = found.conserved
    assert charge.what == "charge of cell"
    # The charging of the membrane is the fastest mode, the exchange of the contents are the slow ones.
    constants = [mode.time_constant for mode in found.modes]
    assert len(constants) == 3
    assert constants[0] == pytest.approx(911.0, rel=1e-2)
    assert constants[2] < 2e-3
    assert "potential of cell" in found.modes[2].states


def test_time_constants_are_those_of_the_run():
    model = single_ion(0)
    (mode,) = steady_state(model).modes
    run = simulate(with_simulation(model, rtol=1e-10))
    excess = run.concentration("cell", "X") - 10.0
    rows = (excess > 1e-3) & (run.time > 0)
    slope = np.polyfit(run.time[rows], np.log(excess[rows]), 1)[0]
    assert mode.time_constant == pytest.approx(-1.0 / slope, rel=1e-6)
    assert mode.states == ("amount of X in cell",)


def test_closed_totals_are_derived_and_conserved():
    found = steady_state(closed_pair())
    labels = {total.what for total in found.conserved}
    assert labels == {"charge of a", "K in a and b", "Na in a and b", "Cl in a and b"}
    end = found.trajectory
    model = closed_pair()
    for ion in ("K", "Na", "Cl"):
        before = sum(c.volume * c.concentrations[ion] for c in model.compartments.values())
        after = sum(float(end.amount(c, ion)[0]) for c in ("a", "b"))
        assert after == pytest.approx(before, rel=1e-14)


def test_sums_that_reactions_conserve():
    found = steady_state(load(SCENARIO_FILES["huebel_dahlem_2014"]).model)
    labels = {total.what for total in found.conserved}
    assert {"K in cell + K in space + KB in space", "B in space + KB in space", "Na in cell and space"} <= labels


def test_the_combinations_cancel_whatever_the_state():
    for model in (closed_pair(), two_cells(), load(SCENARIO_FILES["saetra_2020"]).model):
        prepared = prepare(model)
        assert prepared.program is not None
        assert prepared.problem is not None
        n, constants = prepared.layout.size, prepared.problem.constants[-1]
        matrix, _ = stoichiometry_of(prepared.program.rates, constants, n)
        conserved = conserved_combinations(matrix, sorted(prepared.layout.potential_index.values()))
        rng = np.random.default_rng(1)
        for _ in range(5):
            y = prepared.initial.y * rng.uniform(0.5, 2.0, n)
            f = prepared.program.evaluate_rates(0.0, y, constants)
            assert np.max(np.abs(conserved @ f) / (np.abs(conserved) @ np.abs(f))) < 1e-12


@settings(max_examples=15, deadline=None)
@given(st.floats(1.0, 90.0))
def test_the_neuron_forgets_its_chloride(chloride):
    model = load(SCENARIO_FILES["duesterwald_2018"], set={"parameters.initial_Cl": f"{chloride} mM"}).model
    end = steady_state(model).trajectory
    assert float(end.concentration("cell", "Cl")[0]) == pytest.approx(5.164828, rel=1e-6)
    assert 1e3 * float(end.membrane_potential("plasma")[0]) == pytest.approx(-72.58811, abs=2e-5)


def test_a_cell_that_nothing_holds_has_no_end():
    model = p1()
    cell = replace(model.compartments["cell"], water="osmotic")
    plasma = replace(model.membranes["plasma"], water_permeability=2e-5)
    found = steady_state(
        replace(model, compartments={**model.compartments, "cell": cell}, membranes={"plasma": plasma})
    )
    assert found.status == "none"
    assert found.message.startswith("the volume of cell diverges")
    assert not found.is_stable


def test_what_is_used_up_has_no_end():
    model = p1()
    injected = Injection("sink", "cell", "Na", -1e-9)
    found = steady_state(replace(model, injections=(injected,)))
    assert found.status == "none"
    assert "amount of Na in cell is used up" in found.message


def test_a_model_that_follows_the_time_has_none():
    model = pump_leak()
    moving = Parameter("pump_rate", parse_formula("1.4e-6 mol/m^2/s * (1 + 0.1 * t / 1 s)"))
    found = steady_state(replace(model, parameters={"pump_rate": moving}, protocol=()))
    assert found.status == "none"
    assert "follow the time" in found.message


def test_it_is_that_of_the_end_of_the_protocol():
    blocked = ParameterStep(10_000.0, None, {"pump_rate": 0.0})
    found = steady_state(replace(pump_leak(), protocol=(blocked,)))
    assert found.trajectory.membrane_potential("plasma")[0] == pytest.approx(-0.0120590565, abs=1e-9)
    restored = steady_state(pump_leak())
    assert restored.trajectory.membrane_potential("plasma")[0] == pytest.approx(-0.0746285112, abs=1e-9)


def test_a_given_start_determines_the_totals():
    model = closed_pair()
    y = np.array(prepare(model).initial.y)
    y[:3] *= 1.1
    y[-1] = 0.0
    found = steady_state(model, start=y)
    assert found.status == "steady"
    assert sum(states_of(found)[[0, 3]]) == pytest.approx(y[0] + y[3], rel=1e-13)


def test_baths_that_differ_hold_a_steady_state_out_of_equilibrium():
    found = steady_state(series())
    run = simulate(with_simulation(series(), duration=1e7, rtol=1e-10))
    np.testing.assert_allclose(states_of(found), run.states[-1], rtol=1e-8)
    flux = [float(found.trajectory.flux(m, "K")[0] * found.trajectory.area(m)[0]) for m in ("first", "second")]
    assert sum(flux) == pytest.approx(0.0, abs=1e-9 * abs(flux[0]))
    assert abs(flux[0]) > 0.0


def test_a_model_without_states_is_at_rest():
    model = Model(
        species={},
        compartments={"sea": Compartment("sea", "bath", None, {}, (Impermeant("X", 0.0, concentration=1.0),))},
        membranes={},
        simulation=p1().simulation,
    )
    found = steady_state(model)
    assert (found.status, found.basin) == ("steady", "the model has no state that could move")


def test_events_do_not_keep_it_from_its_end():
    event = Event("low", "plasma", parse_formula("V"), -0.05, "passes", "set", {"pump_rate": 0.0}, 10.0)
    found = steady_state(replace(pump_leak(), events=(event,)))
    assert found.status == "steady"


@pytest.mark.parametrize(
    ("celsius", "fixed", "valence", "salt", "cation", "cation_valence", "millivolt"),
    [
        (25.0, 200.0, -1.0, 150.0, "Na", 1, -16.06159),
        (25.0, 1000.0, -1.0, 10.0, "Na", 1, -118.32127),
        (37.0, 16.0, -1.0, 150.0, "Na", 1, -1.42475),
        (25.0, 100.0, -1.0, 100.0, "Na", 1, -12.36357),
        (37.0, 75.0, -2.0, 150.0, "Na", 1, -12.86118),
        (25.0, 50.0, -1.0, 2.0, "Ca", 2, -32.73055),
        (25.0, 100.0, -1.0, 10.0, "Ca", 2, -21.73319),
    ],
)
def test_donnan_potentials_are_those_of_the_tables(celsius, fixed, valence, salt, cation, cation_valence, millivolt):
    """Gels and membranes with fixed charges in one salt: rows D11 to D17 of the reference (arcsinh form)."""
    inside = {cation: (salt * cation_valence - valence * fixed) / cation_valence, "Cl": salt * cation_valence}
    cell = Compartment("cell", "finite", 1e-12, inside, (Impermeant("X", valence, concentration=fixed),))
    bath = Compartment("bath", "bath", None, {cation: salt, "Cl": salt * cation_valence})
    wall = Membrane("wall", "cell", "bath", 1e-9, 0.0, None, (ghk(cation, 1e-7), ghk("Cl", 1e-7)))
    model = Model(
        species=by_name([Species(cation, cation_valence), Species("Cl", -1)]),
        compartments=by_name([cell, bath]),
        membranes=by_name([wall]),
        simulation=Simulation(1e4),
        temperature=273.15 + celsius,
    )
    end = steady_state(model).trajectory
    assert 1e3 * float(end.membrane_potential("wall")[0]) == pytest.approx(millivolt, abs=6e-6)
    # The ratios (a_out / a_in)^(1/z) are all the same.
    ratios = [
        (float(end.concentration("bath", x)[0]) / float(end.concentration("cell", x)[0])) ** (1.0 / z)
        for x, z in ((cation, cation_valence), ("Cl", -1))
    ]
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-12)


def test_the_neuron_without_its_pump_swells_to_its_donnan_end():
    """Row D20 of the reference: Düsterwald's neuron, pump rate 0, held by the impermeants outside."""
    path = SCENARIO_FILES["duesterwald_2018"]
    pumped, still = (steady_state(load(path, set=own).model) for own in ({}, {"parameters.pump_rate": "0 mol/m^2/s"}))
    end = still.trajectory
    expected = {"Na": 142.8090, "K": 3.4471, "Cl": 120.8257}
    for ion, value in expected.items():
        assert float(end.concentration("cell", ion)[0]) == pytest.approx(value, abs=2e-3)
    assert 1e3 * float(end.membrane_potential("plasma")[0]) == pytest.approx(0.4069, abs=1e-3)
    assert float(end.volume("cell")[0] / pumped.trajectory.volume("cell")[0]) == pytest.approx(5.1795, abs=1e-3)


def test_a_cell_that_impermeants_outside_hold_swells_to_where_they_say():
    """Row D18 of the reference: a neuron without pump in a bath with an uncharged impermeant; 2 pL at the start."""
    inside = {"Na": 40.0, "K": 118.0068, "Cl": 10.0}
    cell = Compartment("cell", "finite", 2e-15, inside, (Impermeant("A", -1.0, amount=296.01358e-15),), water="osmotic")
    outside = (Impermeant("X", 0.0, concentration=20.0068),)
    bath = Compartment("bath", "bath", None, {"Na": 152.0, "K": 3.0, "Cl": 135.0}, outside)
    ways = (ghk("Na", 1e-8), ghk("K", 1e-7), ghk("Cl", 1e-7))
    plasma = Membrane("plasma", "cell", "bath", 1e-9, 0.0, None, ways, water_permeability=2e-5)
    model = Model(
        species=by_name([Species("Na", 1), Species("K", 1), Species("Cl", -1)]),
        compartments=by_name([cell, bath]),
        membranes=by_name([plasma]),
        simulation=Simulation(1e4),
        temperature=310.0,
    )
    end = steady_state(model).trajectory
    assert 1e15 * float(end.volume("cell")[0]) == pytest.approx(14.7960, abs=5e-4)
    for ion, value in {"Na": 152.0033, "K": 3.0001, "Cl": 134.9970}.items():
        assert float(end.concentration("cell", ion)[0]) == pytest.approx(value, abs=2e-4)


@pytest.mark.parametrize(("start", "end"), [(-0.0401, -0.07), (-0.0399, 0.02)])
def test_from_beside_an_unstable_state_it_goes_to_a_stable_one(start, end):
    """A law with two stable potentials, -70 and 20 mV, and an unstable one at -40 mV between them."""
    law = parse_formula("1e-6 mol/m^2/s * (V + 70 mV) * (V + 40 mV) * (V - 20 mV) / 1000 mV / 10 mV / 10 mV")
    model = single_ion(1)
    pathway = Pathway("pathways.custom", "formula", {"X": 1}, {"rate": law}, driven_by="light")
    plasma = replace(model.membranes["plasma"], pathways=(pathway,), potential=start)
    found = steady_state(replace(model, membranes={"plasma": plasma}))
    assert found.is_stable
    assert found.trajectory.membrane_potential("plasma")[0] == pytest.approx(end, abs=1e-9)
