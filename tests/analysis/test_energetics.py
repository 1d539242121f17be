"""Energy over a run: closed forms, the balance on everything that is shipped, and what must be caught."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import scipy
from hypothesis import given, settings

import iontide
from iontide.analysis.energy import stored
from iontide.cli import main
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.errors import UsageError
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Clamp,
    Compartment,
    Exchange,
    Hold,
    Impermeant,
    Injection,
    IonClamp,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Reaction,
    Recording,
    Simulation,
    Source,
    Species,
)
from iontide.physics import mechanisms
from iontide.plots import plot
from iontide.reports.info import info
from iontide.reports.info_text import info_text
from tests.simulation.test_invariants import EXAMPLES, passive_models
from tests.support.models import (
    AREA,
    CAPACITANCE,
    TEMPERATURE,
    VOLUME,
    by_name,
    closed_pair,
    ghk,
    ohmic,
    p1,
    pump_leak,
    series,
    single_ion,
    two_cells,
    with_recording,
    with_simulation,
)
from tests.support.paths import SCENARIO_FILES

SHIPPED = sorted(SCENARIO_FILES)

#: Shipped scenarios in which nothing is driven: no pump, no rig, one bath or none.
PASSIVE = (
    "activities",
    "donnan_equilibrium",
    "nernst_calcium",
    "nernst_chloride",
    "nernst_potassium",
    "potassium_in_layers",
    "valence_sign",
)

_runs: dict[str, iontide.Trajectory] = {}


def shipped(name):
    """Its run, shared by the tests."""
    if name not in _runs:
        _runs[name] = iontide.run(SCENARIO_FILES[name])
    return _runs[name]


def two_baths(*pathways, inside=None, outside=None, potential=0.0, kind="floating bath", **changes):
    """A membrane between two solutions that stay as they are; the potential of the inside is free."""
    inside, outside = inside or {"K": 140.0, "Na": 10.0}, outside or {"K": 5.0, "Na": 145.0}
    species = {name: Species(name, {"Cl": -1}.get(name, 1)) for name in (*inside, *outside)}
    model = Model(
        species=species,
        compartments=by_name([Compartment("in", kind, None, inside), Compartment("out", "bath", None, outside)]),
        membranes={"m": Membrane("m", "in", "out", AREA, CAPACITANCE, potential, pathways)},
        simulation=Simulation(1.0),
        temperature=TEMPERATURE,
    )
    return replace(model, **changes)


def sink(found, path):
    return next(p.values for p in found.sinks if p.path == path)


def source(found, path):
    return next(p.values for p in found.sources if p.path == path)


# -- closed forms ---------------------------------------------------------------------------------------------------


def test_a_conductance_dissipates_the_square_of_its_current():
    model = two_baths(ohmic("K", 3.0), kind="bath", potential=None)
    trajectory = iontide.run(model)
    found = iontide.energetics(trajectory)
    current = AREA * trajectory.current_density("m", "K")
    np.testing.assert_allclose(sink(found, "membranes.m.conductance.K"), current**2 / (3.0 * AREA), rtol=1e-13)
    # The baths differ, and that pays for it: the first is the measure, so the second gives all.
    np.testing.assert_allclose(source(found, "compartments.out"), found.dissipation, rtol=1e-13)
    assert [p.path for p in found.sources] == ["compartments.out"]


def test_a_capacitor_that_discharges_dissipates_what_it_held():
    held = {"K": 100.0}
    model = two_baths(ohmic("K", 3.0), inside=held, outside=held, potential=-0.08)
    model = with_recording(with_simulation(model, duration=0.1, rtol=1e-11), points=8001)
    found = iontide.energetics(iontide.run(model))
    lost = scipy.integrate.simpson(found.dissipation, x=found.time)
    assert lost == pytest.approx(0.5 * CAPACITANCE * AREA * 0.08**2, rel=1e-9)
    assert found.stored["electrical"][0] == pytest.approx(0.5 * CAPACITANCE * AREA * 0.08**2, rel=1e-14)
    assert found.power_in == pytest.approx(0.0)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_thermodynamic_pump_near_its_stalling_point_wastes_nothing(direction):
    forces = {s: R * TEMPERATURE * np.log(i / o) + F * -0.07 for s, i, o in (("Na", 10.0, 145.0), ("K", 140.0, 5.0))}
    worth = 3.0 * forces["Na"] - 2.0 * forces["K"]
    arguments = {"rate": 1e-6, "half_saturation.Na_inside": 10.0, "half_saturation.K_outside": 1.5}

    def near(offset):
        pump = Pathway("pathways.pump", "na_k_atpase_reversible", {"Na": 3, "K": -2},
                       arguments | {"free_energy": worth * (1.0 + direction * offset)}, "ATP")  # fmt: skip
        model = two_baths(pump, potential=-0.07)
        found = iontide.energetics(iontide.run(model).part(slice(0, 1)))
        assert np.sign(found.pumps["membranes.m.pathways.pump"].turnover[0]) == direction
        assert found.dissipation[0] > 0.0
        return found.pumps["membranes.m.pathways.pump"].efficiency[0]

    for offset in (1e-3, 1e-5):  # backwards, its ions spend more than the ATP that it makes is worth
        assert near(offset) == pytest.approx(1.0 / (1.0 + direction * offset), rel=1e-9)


def test_what_atp_is_worth_and_how_much_of_it_is_spent():
    found = iontide.energetics(iontide.run(pump_leak()))
    pump = found.pumps["membranes.plasma.pathways.pump"]
    cycles = AREA * iontide.run(pump_leak()).pathway_cycles("plasma", "pump")
    np.testing.assert_allclose(pump.turnover, cycles, rtol=1e-14)
    np.testing.assert_allclose(pump.fuel, 57e3 * cycles, rtol=1e-14)
    cheaper = iontide.energetics(iontide.run(replace(pump_leak(), atp_free_energy=-50e3)))
    np.testing.assert_allclose(cheaper.pumps["membranes.plasma.pathways.pump"].fuel, 50e3 * cycles, rtol=1e-14)
    np.testing.assert_allclose(cheaper.pumps["membranes.plasma.pathways.pump"].work, pump.work, rtol=1e-14)
    stopped = pump.turnover == 0.0
    assert stopped.any()
    assert np.isnan(pump.efficiency[stopped]).all()


def test_atp_by_its_reactants():
    fuel = {"ATP": 5.0, "ADP": 0.05, "Pi": 5.0, "half_saturation.ATP": 0.1, "standard_free_energy": -31e3}
    half = {"half_saturation.Na": 10.0, "half_saturation.K": 1.5}
    pump = Pathway("pathways.pump", "atpase_reversible", {"Na": 3, "K": -2}, fuel | half | {"rate": 1e-6}, "ATP")
    found = iontide.energetics(iontide.run(two_baths(pump, potential=-0.07)))
    worth = -31e3 + R * TEMPERATURE * np.log(0.05 * 5.0 / (5.0 * 1000.0))
    np.testing.assert_allclose(found.pumps["membranes.m.pathways.pump"].free_energy, worth, rtol=1e-14)
    assert found.closure.max() < 1e-9


def test_what_something_else_than_atp_drives_pays_exactly_its_work():
    pump = Pathway("pathways.light", "formula", {"K": -1}, {"rate": -1e-7}, "light")  # its cycles run backwards
    found = iontide.energetics(iontide.run(two_baths(pump, ghk("K", 1e-8), potential=-0.07)))
    light = found.pumps["membranes.m.pathways.light"]
    np.testing.assert_allclose(light.fuel, light.work)
    assert np.isnan(light.efficiency).all()
    np.testing.assert_allclose(sink(found, "membranes.m.pathways.light"), 0.0)
    assert found.closure.max() < 1e-9


def test_an_irreversible_pump_costs_as_much_whichever_way_its_cycle_is_written():
    ways = [({"Na": 3, "K": -2}, 1e-7), ({"Na": -3, "K": 2}, -1e-7)]
    pumps = [Pathway("pathways.pump", "formula", stoichiometry, {"rate": rate}, "ATP") for stoichiometry, rate in ways]
    one, other = (iontide.energetics(iontide.run(two_baths(p, ghk("K", 1e-8)))) for p in pumps)
    np.testing.assert_allclose(one.power_in, other.power_in, rtol=1e-12)
    assert one.pumps["membranes.m.pathways.pump"].turnover[0] == pytest.approx(AREA * 1e-7)


def test_water_dissipates_against_osmotic_and_hydrostatic_pressure():
    """A wall stands against the osmotic pressure: at rest the water is driven by nothing."""
    model = walled()
    found = iontide.energetics(iontide.run(model))
    trajectory = iontide.run(model)
    difference = R * TEMPERATURE * (trajectory.osmolarity("bath") - trajectory.osmolarity("cell"))
    pressure = 1e6 * np.maximum(trajectory.volume("cell") / VOLUME - 1.0, 0.0)
    flow = trajectory.area("plasma") * trajectory.water_flux("plasma")
    np.testing.assert_allclose(sink(found, "membranes.plasma.water"), flow * (difference + pressure), rtol=1e-9)
    assert (sink(found, "membranes.plasma.water") >= 0.0).all()
    stretch = np.maximum(trajectory.volume("cell") / VOLUME - 1.0, 0.0)
    np.testing.assert_allclose(found.stored["elastic"], 0.5e6 * VOLUME * stretch**2, rtol=1e-12)
    assert found.stored["elastic"][-1] > found.stored["elastic"][0]
    assert found.closure.max() < 1e-9


def walled():
    """A cell of impermeants in a wall, which water enters; its membrane is a sphere."""
    return Model(
        species={"K": Species("K", 1), "Cl": Species("Cl", -1)},
        compartments=by_name(
            [
                Compartment("cell", "finite", VOLUME, {"K": 145.0, "Cl": 5.0}, (Impermeant("A", -1.0, 140.0),),
                            water="osmotic"),
                Compartment("bath", "bath", None, {"K": 100.0, "Cl": 100.0}),
            ]
        ),
        membranes={
            "plasma": Membrane(
                "plasma", "cell", "bath", AREA, CAPACITANCE, -0.03, (ghk("K", 1e-8), ghk("Cl", 1e-8)),
                geometry="sphere", water_permeability=2e-5, elastic_modulus=1e6, slack_volume=VOLUME,
            )
        },
        simulation=Simulation(3000.0, 1e-9),
        temperature=TEMPERATURE,
        recording=Recording("log", 400, 1e-5),
    )  # fmt: skip


def tissue(*more, **organelle):
    """Two baths of half strength on either side of a cell in one wall, water through both its membranes."""
    K_Cl = (ghk("K", 1e-8), ghk("Cl", 1e-8))
    bath = {"K": 50.0, "Cl": 50.0}
    parts = [
        Compartment(
            "cell", "finite", VOLUME, {"K": 145.0, "Cl": 5.0}, (Impermeant("A", -1.0, 140.0),), water="osmotic"
        ),
        Compartment("left", "bath", None, bath),
        Compartment("right", "bath", None, bath),
    ]
    bare = Membrane("bare", "cell", "right", AREA, CAPACITANCE, -0.03, K_Cl, water_permeability=2e-5)
    changes = {"name": "wall", "outside": "left", "elastic_modulus": 1e7, "slack_volume": VOLUME} | organelle
    return Model(
        species={"K": Species("K", 1), "Cl": Species("Cl", -1)},
        compartments=by_name([*parts, *(c for c in more if isinstance(c, Compartment))]),
        membranes=by_name([replace(bare, **changes), bare, *(m for m in more if isinstance(m, Membrane))]),
        simulation=Simulation(1e5, 1e-9),
        temperature=TEMPERATURE,
        recording=Recording("log", 200, 1e-4),
    )


def test_the_pressure_of_a_wall_drives_water_through_every_membrane_of_the_cell():
    """One cell, one pressure: no water goes round, in by the membrane without the wall and out by the other."""
    trajectory = iontide.run(tissue())
    found = iontide.energetics(trajectory)
    assert falls(found)
    assert found.closure.max() < 1e-9
    pressure = 1e7 * (trajectory.volume("cell")[-1] / VOLUME - 1.0)
    osmotic = R * TEMPERATURE * (trajectory.osmolarity("cell") - trajectory.osmolarity("left"))[-1]
    assert pressure > 1e5
    assert osmotic == pytest.approx(pressure, rel=1e-5)
    for membrane in ("wall", "bare"):
        flow = trajectory.water_flux(membrane)
        assert abs(flow[-1]) < 1e-5 * np.abs(flow).max()


def test_a_wall_presses_on_the_vacuole_too():
    """A vacuole swells within the cell: the wall is stretched by both, and stands between them and the bath alone."""
    acid = Impermeant("malate", -1.0, 100.0)
    sap = Compartment("vacuole", "finite", VOLUME, {"K": 150.0, "Cl": 50.0}, (acid,), water="osmotic")
    K_Cl = (ghk("K", 1e-8), ghk("Cl", 1e-8))
    tonoplast = Membrane("tonoplast", "vacuole", "cell", AREA, CAPACITANCE, 0.0, K_Cl, water_permeability=2e-5)
    trajectory = iontide.run(tissue(sap, tonoplast, slack_volume=2 * VOLUME))
    found = iontide.energetics(trajectory)
    assert falls(found)
    assert found.closure.max() < 1e-9
    both = trajectory.volume("cell") + trajectory.volume("vacuole")
    pressure = 1e7 * (both[-1] / (2 * VOLUME) - 1.0)
    assert pressure > 1e5
    osmolarity = {name: trajectory.osmolarity(name)[-1] for name in ("vacuole", "cell", "left")}
    assert R * TEMPERATURE * (osmolarity["cell"] - osmolarity["left"]) == pytest.approx(pressure, rel=1e-5)
    assert osmolarity["vacuole"] == pytest.approx(osmolarity["cell"], rel=1e-5)


def test_a_reaction_dissipates_its_affinity():
    found = iontide.energetics(iontide.run(reacting()))
    trajectory = iontide.run(reacting())
    a, b, ab = (trajectory.concentration("cell", name) for name in ("A", "B", "AB"))
    affinity = R * TEMPERATURE * np.log(0.01 * a * b / (0.5 * ab))
    rate = VOLUME * (0.01 * a * b - 0.5 * ab)
    np.testing.assert_allclose(sink(found, "reactions.binding"), rate * affinity, rtol=1e-9, atol=1e-30)
    assert (sink(found, "reactions.binding") >= 0.0).all()
    # Its levels are those of its constants, so that nothing else pays.
    assert np.abs(source(found, "reactions.binding")).max() < 1e-12 * found.dissipation.max()
    assert falls(found)
    assert found.free_energy[0] - found.free_energy[-1] == pytest.approx(
        scipy.integrate.simpson(found.dissipation, x=found.time), rel=1e-6
    )


def reacting(**changes):
    """A + B ⇌ AB in a cell, from far away."""
    held = {"A": 10.0, "B": 20.0, "AB": 1.0}
    binding = Reaction("binding", "cell", {"A": 1, "B": 1}, {"AB": 1}, 0.01, 0.5)
    return replace(
        Model(
            species={name: Species(name, 0) for name in held},
            compartments=by_name([Compartment("cell", "finite", VOLUME, held), Compartment("bath", "bath", None, {})]),
            membranes={"plasma": Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, 0.0)},
            simulation=Simulation(20.0, 1e-10),
            temperature=TEMPERATURE,
            recording=Recording("linear", 2001),
            reactions=(binding,),
        ),
        **changes,
    )


# -- the balance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_the_balance_closes_on_every_shipped_scenario(name):
    found = iontide.energetics(shipped(name))
    assert found.closure.max() < 1e-9
    # Solutions that only electrodes look at exchange nothing.
    assert (found.throughput.max() > 0.0) == bool(shipped(name).model.membranes)


def rig_of_everything():
    """Injections with and without an ion, a source, an exchange, an ion clamp, a clamp through a resistance, a wall."""
    model = pump_leak()
    cell = replace(model.compartments["cell"], water="osmotic")
    plasma = replace(
        model.membranes["plasma"], geometry="sphere", water_permeability=2e-5, elastic_modulus=1e5,
        slack_volume=VOLUME, reflection={"K": 0.9},
    )  # fmt: skip
    return replace(
        model,
        compartments=model.compartments | {"cell": cell},
        membranes={"plasma": plasma},
        injections=(
            Injection("with_K", "cell", "K", 1e-12),
            Injection("bare", "cell", None, parse_formula("1 pA * tanh(t / 7 s - 3)")),
            Injection("from_bath", "cell", "Na", 2e-12, "bath"),
        ),
        sources=(Source("salt", "cell", {"K": 1, "Cl": 1}, 1e-17),),
        exchanges=(Exchange("rinse", "cell", "bath", 1e-5),),
        ion_clamps=(IonClamp("chloride", "cell", "Cl", (Hold(1.0, 15.0),)),),
        clamps=(Clamp("plasma", "plasma", (Hold(1.0, -0.06),), "K", 5e9),),
        protocol=(),
        simulation=Simulation(500.0),
        recording=Recording("log", 200, 1e-3),
    )


@pytest.mark.parametrize("carried_by", [None, "K"])
@pytest.mark.parametrize("resistance", [None, 1e8])
def test_it_closes_under_a_clamp_and_its_resistance_is_a_sink(carried_by, resistance):
    model = with_simulation(replace(pump_leak(), protocol=()), duration=100.0)
    command = parse_formula("-60 mV + 20 mV * tanh((t - 50 s) / 10 s)")
    model = replace(model, clamps=(Clamp("plasma", "plasma", (Hold(1.0, command),), carried_by, resistance),))
    trajectory = iontide.run(model)
    found = iontide.energetics(trajectory)
    assert found.closure.max() < 1e-9
    current, across = trajectory.clamp_current("plasma"), trajectory.membrane_potential("plasma")
    wanted = current * (across - (trajectory.reversal_potential("plasma", "K") if carried_by else 0.0))
    if resistance:
        lost = current**2 * resistance
        np.testing.assert_allclose(sink(found, "clamps.plasma.series_resistance"), lost, rtol=1e-12)
        wanted = wanted + lost
    np.testing.assert_allclose(source(found, "clamps.plasma"), wanted, rtol=1e-9, atol=1e-20)


def test_it_closes_with_all_that_a_rig_can_do():
    found = iontide.energetics(iontide.run(rig_of_everything()))
    assert found.closure.max() < 1e-9
    assert {p.kind for p in found.sources} >= {"pump", "injection", "clamp", "source", "area"}
    assert {p.kind for p in found.sinks} >= {"pathway", "pump", "water", "exchange", "resistance"}


@pytest.mark.parametrize("model", [p1(), series(), two_cells(), closed_pair(), single_ion(-2), walled(), reacting()])
def test_it_closes_on_the_models_of_the_tests(model):
    assert iontide.energetics(iontide.run(model)).closure.max() < 1e-9


MOVED = {
    "simulation.temperature": ("temperature", 300.0),
    "bath": ("K", 20.0),
    "capacitance": ("capacitance", 0.02),
}


@pytest.mark.parametrize("what", MOVED)
def test_it_closes_while_a_protocol_moves_something(what):
    """And what is stored changes by as much as is said: the integral of the rates is the difference of the sums."""
    model, (_, target) = pump_leak(), MOVED[what]
    start = {"simulation.temperature": TEMPERATURE, "bath": 4.0, "capacitance": CAPACITANCE}[what]
    parameters = model.parameters | {"moved": Parameter("moved", start)}
    moved = parse_formula("moved")
    model = replace(
        model,
        parameters=parameters,
        protocol=(ParameterStep(20.0, None, {"moved": target}, over=50.0),),
        recording=Recording("linear", 4001),
        simulation=Simulation(100.0, 1e-10),
    )
    if what == "bath":
        bath = model.compartments["bath"]
        bath = replace(bath, concentrations=dict(bath.concentrations) | {"K": moved})
        model = replace(model, compartments=model.compartments | {"bath": bath})
    elif what == "capacitance":
        model = replace(model, membranes={"plasma": replace(model.membranes["plasma"], specific_capacitance=moved)})
    else:
        model = replace(model, temperature=moved)
    found = iontide.energetics(iontide.run(model))
    assert found.closure.max() < 1e-8
    assert "protocol" in {p.kind for p in found.sources}
    check_that_stored_energy_is_the_integral_of_its_rate(iontide.run(model), 1e-6, skipped=1)


def check_that_stored_energy_is_the_integral_of_its_rate(trajectory, tolerance, skipped=0):
    found = iontide.energetics(trajectory)
    rate = np.sum(list(found.storing.values()), axis=0)
    for number in np.unique(trajectory.segment)[skipped:]:
        rows = trajectory.segment == number
        change = scipy.integrate.cumulative_simpson(rate[rows], x=found.time[rows], initial=0.0)
        size = np.max(np.abs(change)) + 1e-12 * np.max(np.abs(found.free_energy))
        np.testing.assert_allclose(found.free_energy[rows] - found.free_energy[rows][0], change, atol=tolerance * size)


@pytest.mark.parametrize("activity", ["ideal", "davies", "debye_hueckel"])
def test_what_is_stored_is_the_integral_of_its_rate(activity):
    """Davies and Debye–Hückel with one ion size obey the Gibbs–Duhem equation: theirs is a free energy."""
    model = replace(p1(), species={n: replace(s, ion_size=4e-10) for n, s in p1().species.items()})
    compartments = {n: replace(c, activity=activity) for n, c in model.compartments.items()}
    model = replace(model, compartments=compartments, recording=Recording("linear", 4001))
    trajectory = iontide.run(with_simulation(model, duration=0.05, rtol=1e-11))
    check_that_stored_energy_is_the_integral_of_its_rate(trajectory, 1e-6)


@pytest.mark.parametrize("name", ["duesterwald_2018", "kay_2017", "pump_leak_swelling"])
def test_volumes_and_areas_that_move_change_what_is_stored_by_as_much_as_is_said(name):
    model = shipped(name).model
    model = replace(model, protocol=(), recording=Recording("linear", 8001))
    trajectory = iontide.run(with_simulation(model, duration=0.2, rtol=1e-10))
    check_that_stored_energy_is_the_integral_of_its_rate(trajectory, 1e-5)


def test_a_wrong_law_is_caught(monkeypatch):
    """The laws are changed after the run: what it did is not what they say."""
    trajectory = iontide.run(pump_leak())
    assert iontide.energetics(trajectory).closure.max() < 1e-9
    right = mechanisms.LAWS["ghk"]
    for wrong in (lambda *a: -right(*a), lambda *a: (1.0 + 1e-6) * right(*a)):
        fresh = iontide.run(pump_leak())
        with monkeypatch.context() as patch:
            patch.setitem(mechanisms.LAWS, "ghk", wrong)
            assert iontide.energetics(fresh).closure.max() > 1e-8


def test_a_wrong_sign_is_caught(monkeypatch):
    trajectory = iontide.run(walled())
    right = stored.Storing._elastic
    monkeypatch.setattr(stored.Storing, "_elastic", lambda self: -right(self))
    assert iontide.energetics(trajectory).closure.max() > 1e-3


def test_a_passive_pathway_that_runs_uphill_is_a_negative_sink():
    wrong = Pathway("pathways.wrong", "formula", {"K": 1}, {"rate": -1e-8})
    found = iontide.energetics(iontide.run(two_baths(wrong, ghk("Na", 1e-9), ghk("K", 1e-8))))
    assert (sink(found, "membranes.m.pathways.wrong") < 0.0).any()
    assert found.closure.max() < 1e-9


# -- the second law -------------------------------------------------------------------------------------------------


def falls(found):
    """Whether the free energy never rises, but for rounding."""
    drop = found.free_energy[0] - found.free_energy[-1]
    return bool(np.all(np.diff(found.free_energy) <= 1e-6 * drop + 1e-14 * np.abs(found.free_energy[0])))


@pytest.mark.parametrize("name", PASSIVE)
def test_free_energy_falls_in_every_passive_shipped_scenario(name):
    trajectory = shipped(name)
    for number in np.unique(trajectory.segment):  # a step of the protocol may lift it
        rows = np.flatnonzero(trajectory.segment == number)
        found = iontide.energetics(trajectory.part(slice(rows[0], rows[-1] + 1)))
        assert not found.power_in.any()
        assert all((p.values >= -1e-12 * found.throughput.max()).all() for p in found.sinks)
        assert falls(found)


@given(passive_models())
@settings(max_examples=max(1, 10 * EXAMPLES // 100))
def test_free_energy_falls_in_random_passive_models(model):
    found = iontide.energetics(iontide.run(with_recording(model, "steps")))
    assert found.closure.max() < 1e-6
    assert falls(found)
    assert all((p.values >= -1e-10 * found.throughput.max()).all() for p in found.sinks)


def test_at_rest_what_comes_in_is_dissipated():
    found = iontide.energetics(shipped("pump_leak_cell"))
    assert found.power_in[-1] == pytest.approx(found.dissipation[-1], rel=1e-9)
    squid = iontide.energetics(shipped("ghk_resting_potential"))
    assert {p.kind for p in squid.sources} == {"bath"}
    assert squid.power_in[-1] == pytest.approx(squid.dissipation[-1], rel=1e-9)
    assert squid.power_in[-1] > 0.0


def test_driving_forces_are_those_of_the_trajectory():
    trajectory = shipped("pump_leak_cell")
    found = iontide.energetics(trajectory)
    np.testing.assert_array_equal(found.driving_forces["plasma", "Na"], trajectory.driving_force("plasma", "Na"))


def test_what_is_dissipated_into_nothing_is_finite_and_balanced():
    found = iontide.energetics(iontide.run(single_ion(1, outside=0.0)))
    assert np.isfinite(found.dissipation).all()
    assert found.closure.max() < 1e-9


# -- the file, the page, the figures ----------------------------------------------------------------------------------


def test_the_scenario_says_what_atp_is_worth(tmp_path):
    text = SCENARIO_FILES["pump_leak_cell"].read_text()
    assert iontide.loads(text).model.atp_free_energy == -57e3
    said = text.replace("[simulation]\n", '[simulation]\natp_free_energy = "-50 kJ/mol"\n')
    trajectory = iontide.run(iontide.loads(said))
    pump = iontide.energetics(trajectory).pumps["membranes.plasma.pathways.pump"]
    np.testing.assert_allclose(pump.free_energy, -50e3)
    wrong = text.replace("[simulation]\n", '[simulation]\natp_free_energy = "50 kJ/mol"\n')
    with pytest.raises(iontide.ScenarioError, match="atp_free_energy: must be ≤ 0"):
        iontide.loads(wrong)
    again = iontide.open(trajectory.save(tmp_path / "x.h5"))
    np.testing.assert_array_equal(iontide.energetics(again).power_in, iontide.energetics(trajectory).power_in)


def test_info_has_the_budget(tmp_path, capsys):
    path = shipped("pump_leak_swelling").save(tmp_path / "x.h5")
    found = iontide.energetics(shipped("pump_leak_swelling"))
    energy = info(path)["energy"]
    key = "membranes.plasma.pathways.pump"
    assert energy["power_in"][key]["pW"] == pytest.approx(found.power_in[-1] * 1e12, rel=1e-9)
    assert energy["total_dissipation_pW"] == pytest.approx(found.dissipation[-1] * 1e12, rel=1e-9)
    assert energy["pumps"][key]["efficiency"] == pytest.approx(found.pumps[key].efficiency[-1])
    assert energy["balance_closes_to"] < 1e-9
    text = info_text(info(path))
    assert any(line.split()[:5] == ["energy", "at", "the", "end,", "pW"] for line in text.splitlines())
    assert any(line.startswith("pump of plasma") and line.endswith("70.4 %") for line in text.splitlines())
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert main(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["energy"] == energy


def test_info_at_rest_says_so(tmp_path):
    path = iontide.run(with_simulation(single_ion(1, 10.0, 10.0), duration=1e6)).save(tmp_path / "x.h5")
    assert "energy at the end: no power comes in, none is dissipated" in info_text(info(path))


def test_the_recording_has_a_group_for_it(tmp_path):
    model = rig_of_everything()
    model = replace(model, recording=replace(model.recording, quantities=("potentials", "energetics")))
    trajectory = iontide.run(model)
    found = iontide.energetics(trajectory)
    with h5py.File(trajectory.save(tmp_path / "x.h5")) as file:
        series_ = file["timeseries"]
        for name, expected in (
            ("plasma.pump.power", sink(found, "membranes.plasma.pathways.pump")),
            ("plasma.pump.fuel", source(found, "membranes.plasma.pathways.pump")),
            ("plasma.water.power", sink(found, "membranes.plasma.water")),
            ("rinse.power", sink(found, "exchange.rinse")),
            ("with_K.power_in", source(found, "injections.with_K")),
            ("chloride.power_in", source(found, "clamps.chloride")),
            ("power_in", found.power_in),
            ("dissipation", found.dissipation),
            ("free_energy.elastic", found.stored["elastic"]),
        ):
            np.testing.assert_allclose(series_[name][:], expected * 1e12, rtol=1e-12)
        np.testing.assert_allclose(
            series_["plasma.pump.turnover"][:], found.pumps["membranes.plasma.pathways.pump"].turnover * 1e18
        )
    with h5py.File(iontide.run(pump_leak()).save(tmp_path / "y.h5")) as file:
        assert not [name for name in file["timeseries"] if "power" in name]


@pytest.mark.parametrize("name", ["pump_leak_cell", "saetra_2020", "hodgkin_huxley", "ghk_resting_potential"])
@pytest.mark.parametrize("kind", ["power", "budget"])
def test_figures(tmp_path, name, kind):
    picture, numbers = plot(shipped(name), tmp_path / "x.pdf", kind)
    assert picture.stat().st_size > 1000
    with open(numbers, newline="") as file:
        header, *rows = csv.reader(file)
    columns = dict(zip(header, np.array(rows, dtype=float).T, strict=True))
    if kind == "budget":
        whole = sum(max(v[0], 0.0) for v in columns.values())
        assert abs(sum(v[0] for v in columns.values())) < 5e-3 * whole
    else:
        ways = [np.sum([v for n, v in columns.items() if f", {way} (" in n], axis=0) for way in ("in", "out")]
        np.testing.assert_allclose(ways[0], -ways[1], atol=0.02 * np.max(ways[0]))


def test_figures_tell_what_they_cannot_draw(tmp_path):
    with pytest.raises(UsageError, match="whole model"):
        plot(shipped("pump_leak_cell"), tmp_path / "x.pdf", "power", membrane="plasma")
    with pytest.raises(UsageError, match="at rest"):
        plot(shipped("nernst_potassium"), tmp_path / "x.pdf", "budget")
    with pytest.raises(UsageError, match="no power"):
        plot(iontide.run(with_simulation(single_ion(1, 10.0, 10.0), duration=1.0)), tmp_path / "x.pdf", "power")
    with pytest.raises(UsageError, match="make it wider"):
        plot(shipped("pump_leak_cell"), tmp_path / "x.pdf", "budget", width_mm=50.0)
