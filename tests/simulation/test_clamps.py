"""Voltage clamps, ideal and through a resistance, and clamps of ions: what they hold, supply and keep in balance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy

import iontide
from iontide import run
from iontide.analysis.audit.diagnostics import charge_balance, mass_balance, summary
from iontide.constants import FARADAY
from iontide.equations import assembly as equations
from iontide.equations.clamp_rows import Rows
from iontide.errors import SolverError, UnknownNameError
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Clamp,
    Compartment,
    Hold,
    Impermeant,
    Injection,
    IonClamp,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Recording,
    Simulation,
)
from iontide.scenario.read import loads
from tests.support.models import (
    AREA,
    CAPACITANCE,
    TEMPERATURE,
    VOLUME,
    by_name,
    ghk,
    pump_leak,
    series,
    single_ion,
    two_cells,
    with_recording,
)


def held_cell(carried_by: str | None = None, resistance: float | None = None, **changes: Any) -> Model:
    """The pump-leak cell, held at −80 mV from 10 to 100 s, but at −20 mV from 20 to 30 s."""
    model = pump_leak()
    switches = {name: Parameter(name, 0.0) for name in ("rest", "test")}
    holds = (Hold(parse_formula("rest"), -0.08), Hold(parse_formula("test"), -0.02))
    return replace(
        model,
        parameters={**model.parameters, **switches},
        clamps=(Clamp("plasma", "plasma", holds, carried_by, resistance),),
        protocol=(
            ParameterStep(10.0, 100.0, {"rest": 1.0}),
            ParameterStep(20.0, 30.0, {"rest": 0.0, "test": 1.0}),
        ),
        simulation=Simulation(200.0),
        **changes,
    )


@pytest.mark.parametrize("carried_by", [None, "K", "Cl"])
def test_an_ideal_clamp_holds_its_potentials_and_lets_go(carried_by):
    trajectory = run(with_recording(held_cell(carried_by), points=401))
    v, t = trajectory.membrane_potential("plasma"), trajectory.time
    segment = trajectory.segment
    assert [s.start for s in trajectory.run.segments] == [0.0, 10.0, 20.0, 30.0, 100.0]
    for number, potential in ((1, -0.08), (2, -0.02), (3, -0.08)):
        np.testing.assert_allclose(v[segment == number], potential, atol=1e-13)
    # Free before and after: no current, and nothing jumps when it lets go.
    np.testing.assert_allclose(trajectory.clamp_current("plasma")[(segment == 0) | (segment == 4)], 0.0, atol=1e-25)
    assert v[segment == 4][0] == pytest.approx(-0.08, abs=1e-12)
    assert abs(v[-1] + 0.08) > 4e-3
    assert (np.diff(t) >= 0.0).all()


@pytest.mark.parametrize("carried_by", [None, "K", "Cl"])
@pytest.mark.parametrize("resistance", [None, 1e7])
def test_charge_and_mass_are_exact_under_a_clamp(carried_by, resistance):
    trajectory = run(held_cell(carried_by, resistance))
    found = summary(trajectory)
    assert found.max_charge_drift < 1e-14
    assert list(charge_balance(trajectory)) == ["cell"]
    sources = {b.what: b.sources for b in mass_balance(trajectory)}
    assert ("clamp plasma" in sources.get("K", ())) == (carried_by == "K")


def test_the_audit_can_fail(monkeypatch):
    # A clamp whose jump leaves its ion behind: the row of the carrier is not coupled to the potential.
    coupled = Rows.subtract

    def forgetful(self: Rows, row: int, other: int, factor: Any) -> None:
        before = dict(self.mass)
        coupled(self, row, other, factor)
        if row < self.layout.nonnegative:
            self.mass.clear()
            self.mass.update(before)

    monkeypatch.setattr(Rows, "subtract", forgetful)
    monkeypatch.setattr(equations, "_programs", {})
    trajectory = run(held_cell("K"))
    assert summary(trajectory).max_charge_drift > 1e-8


def test_the_current_is_the_rate_of_the_charge_supplied():
    trajectory = run(with_recording(held_cell("K"), points=20_001))
    current, charge = trajectory.clamp_current("plasma"), trajectory.clamp_supply("plasma")
    for number in (1, 2, 3):
        rows = trajectory.segment == number
        summed = scipy.integrate.cumulative_trapezoid(current[rows], trajectory.time[rows], initial=0.0)
        np.testing.assert_allclose(charge[rows] - charge[rows][0], summed, atol=1e-6 * np.abs(charge).max())
    # At rest under the clamp it is all that flows out; the jump took the charge of the capacitance at once.
    ionic = trajectory.current_density("plasma") * AREA
    held = np.isin(trajectory.segment, (1, 2, 3))
    np.testing.assert_allclose(current[held], ionic[held], rtol=1e-9)
    left, right = (trajectory.segment == 1).nonzero()[0][-1], (trajectory.segment == 2).nonzero()[0][0]
    assert trajectory.time[left] == trajectory.time[right] == 20.0
    assert charge[right] - charge[left] == pytest.approx(CAPACITANCE * AREA * 0.06, rel=1e-9)
    jump = trajectory.amount("cell", "K")[right] - trajectory.amount("cell", "K")[left]
    assert jump == pytest.approx(CAPACITANCE * AREA * 0.06 / FARADAY, rel=1e-6)


@pytest.mark.parametrize("capacitance", [CAPACITANCE, 0.0])
def test_a_command_that_moves_takes_the_current_of_the_capacitance(capacitance):
    model = pump_leak()
    plasma = replace(model.membranes["plasma"], specific_capacitance=capacitance)
    plasma = replace(plasma, potential=0.0 if capacitance else None)
    command = parse_formula("-60 mV + 20 mV * tanh((t - 5 s) / 1 s)")
    model = replace(
        model,
        membranes={"plasma": plasma},
        clamps=(Clamp("plasma", "plasma", (Hold(1.0, command),), "K"),),
        protocol=(),
        simulation=Simulation(10.0, 1e-9),
        recording=Recording("linear", 201),
    )
    trajectory = run(model)
    wanted = -0.06 + 0.02 * np.tanh(trajectory.time - 5.0)
    np.testing.assert_allclose(trajectory.membrane_potential("plasma"), wanted, atol=1e-9)
    slope = 0.02 / np.cosh(trajectory.time - 5.0) ** 2
    expected = AREA * (trajectory.current_density("plasma") + capacitance * slope)
    np.testing.assert_allclose(trajectory.clamp_current("plasma"), expected, rtol=1e-6, atol=1e-20)
    assert summary(trajectory).max_charge_drift < 1e-14


def test_a_smaller_resistance_comes_nearer_to_the_ideal():
    errors = []
    ideal = run(with_recording(held_cell("K"), "list", times=(15.0, 25.0, 50.0))).concentration("cell", "K")
    for resistance in (1e6, 1e5):
        trajectory = run(with_recording(held_cell("K", resistance), "list", times=(15.0, 25.0, 50.0)))
        errors.append(np.abs(trajectory.concentration("cell", "K") - ideal).max())
        across = np.where(trajectory.segment == 2, -0.02, -0.08) - trajectory.membrane_potential("plasma")
        held = np.isin(trajectory.segment, (1, 2, 3))
        np.testing.assert_allclose(trajectory.clamp_current("plasma")[held], across[held] / resistance, rtol=1e-9)
    assert errors[1] == pytest.approx(0.1 * errors[0], rel=0.05)


def test_a_clamp_across_the_membrane_of_an_organelle_leaves_the_cell_free():
    inside = {"K": 140.0, "Cl": 20.0}
    cell = Compartment("cell", "finite", VOLUME, inside, (Impermeant("A", -1.0),))
    store = Compartment("store", "finite", 0.1 * VOLUME, {"K": 100.0, "Cl": 30.0}, (Impermeant("A", -1.0),))
    bath = Compartment("bath", "bath", None, {"K": 5.0, "Cl": 5.0})
    membranes = [
        Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, -0.06, (ghk("K", 1e-8), ghk("Cl", 1e-9))),
        Membrane("inner", "store", "cell", 0.1 * AREA, CAPACITANCE, -0.02, (ghk("K", 1e-8), ghk("Cl", 2e-8))),
    ]
    base = Model(
        species=by_name([pump_leak().species[name] for name in ("K", "Cl")]),
        compartments=by_name([store, cell, bath]),
        membranes=by_name(membranes),
        simulation=Simulation(2000.0),
        temperature=TEMPERATURE,
    )
    for clamps in (
        (Clamp("inner", "inner", (Hold(1.0, -0.05),), "K"),),
        (Clamp("inner", "inner", (Hold(1.0, -0.05),), "K"), Clamp("plasma", "plasma", (Hold(1.0, -0.03),))),
        (Clamp("plasma", "plasma", (Hold(1.0, -0.03),)), Clamp("inner", "inner", (Hold(1.0, -0.05),), "K")),
    ):
        trajectory = run(replace(base, clamps=clamps))
        np.testing.assert_allclose(trajectory.membrane_potential("inner"), -0.05, atol=1e-12)
        plasma = trajectory.membrane_potential("plasma")
        if len(clamps) == 2:
            np.testing.assert_allclose(plasma, -0.03, atol=1e-12)
        else:
            assert np.ptp(plasma[1:]) > 1e-4
        assert summary(trajectory).max_charge_drift < 1e-14
        # K goes from the cell into the store and back: its clamp brings none in from outside.
        assert all("clamp inner" not in b.sources for b in mass_balance(trajectory))


def test_two_cells_each_clamped_show_the_current_of_their_junction():
    model = two_cells()
    clamps = (
        Clamp("left", "left", (Hold(1.0, -0.06),), "K"),
        Clamp("right", "right", (Hold(1.0, -0.055),), "K"),
    )
    trajectory = run(replace(model, clamps=clamps, simulation=Simulation(300.0)))
    junction = trajectory.current_density("junction") * trajectory.area("junction")
    for side, sign in (("left", 1.0), ("right", -1.0)):
        own = trajectory.current_density(side) * trajectory.area(side)
        np.testing.assert_allclose(trajectory.clamp_current(side), own + sign * junction, rtol=1e-9, atol=1e-20)
    assert summary(trajectory).max_charge_drift < 1e-14


def test_a_clamp_while_the_volume_moves_keeps_charge():
    model = pump_leak()
    cell = replace(model.compartments["cell"], water="osmotic")
    plasma = replace(model.membranes["plasma"], geometry="sphere", water_permeability=2e-5)
    model = replace(
        model,
        compartments={**model.compartments, "cell": cell},
        membranes={"plasma": plasma},
        clamps=(Clamp("plasma", "plasma", (Hold(1.0, -0.03),), "K"),),
        simulation=Simulation(3000.0),
    )
    trajectory = run(model)
    assert trajectory.run.layout.charges
    assert np.ptp(trajectory.area("plasma")) > 1e-3 * AREA
    np.testing.assert_allclose(trajectory.membrane_potential("plasma"), -0.03, atol=1e-11)
    assert summary(trajectory).max_charge_drift < 1e-13


def test_an_injection_beside_a_clamp_is_made_up_for():
    base = replace(held_cell("K"), clamps=(Clamp("plasma", "plasma", (Hold(1.0, -0.05),), "K"),), protocol=())
    with_current = replace(base, injections=(Injection("i", "cell", "Na", 1e-11),))
    plain, injected = (run(m) for m in (base, with_current))
    difference = injected.clamp_current("plasma")[1] - plain.clamp_current("plasma")[1]
    ionic = AREA * (injected.current_density("plasma")[1] - plain.current_density("plasma")[1])
    assert difference == pytest.approx(-1e-11 + ionic, rel=1e-6)


def test_an_ion_clamp_keeps_its_concentration_and_what_it_brings_is_counted():
    model = pump_leak()
    model = replace(
        model,
        ion_clamps=(IonClamp("cell_Na", "cell", "Na", (Hold(parse_formula("on"), 15.0),)),),
        parameters={**model.parameters, "on": Parameter("on", 0.0)},
        protocol=(ParameterStep(1000.0, 2000.0, {"on": 1.0}),),
        simulation=Simulation(4000.0),
        recording=Recording("linear", 4001),
    )
    trajectory = run(model)
    held = trajectory.segment == 1
    np.testing.assert_allclose(trajectory.concentration("cell", "Na")[held], 15.0, rtol=1e-14)
    assert trajectory.concentration("cell", "Na")[~held][-1] != pytest.approx(15.0, rel=1e-3)
    assert summary(trajectory).max_charge_drift < 1e-13
    # While it holds, it brings in what the membrane takes out.
    np.testing.assert_allclose(
        trajectory.ion_clamp_rate("cell_Na")[held], (AREA * trajectory.flux("plasma", "Na"))[held], rtol=1e-7
    )
    (sodium,) = (b for b in mass_balance(trajectory) if b.what == "Na")
    assert "ion clamp cell_Na" in sodium.sources
    # The potential takes no notice of the charge: it came with its counter-charge.
    v = trajectory.membrane_potential("plasma")
    edge = held.nonzero()[0][0]
    assert v[edge] == pytest.approx(v[edge - 1], abs=1e-9)


def test_a_clamp_that_would_use_up_its_ion_stops_the_run():
    model = held_cell("Na")
    cell = model.compartments["cell"]
    contents = {**cell.concentrations, "Na": 1e-6, "K": cell.concentrations["K"] + 10.0 - 1e-6}
    model = replace(model, compartments={**model.compartments, "cell": replace(cell, concentrations=contents)})
    quick = replace(model, protocol=(ParameterStep(0.0, None, {"rest": 1.0}),))
    with pytest.raises(
        iontide.SolverError, match="a clamp would have to remove more than the amount of Na in cell"
    ) as caught:
        run(quick)
    assert caught.value.trajectory is not None


def test_clamps_come_back_from_the_file(tmp_path):
    trajectory = run(held_cell("K"))
    again = iontide.open(trajectory.save(tmp_path / "clamped.h5"))
    assert again.model == trajectory.model
    np.testing.assert_array_equal(again.clamp_current("plasma"), trajectory.clamp_current("plasma"))
    with pytest.raises(UnknownNameError, match=r"there is no clamp nucleus \(there is plasma"):
        again.clamp_current("nucleus")


def test_a_model_whose_clamp_has_no_place_is_refused():
    model = pump_leak()
    with pytest.raises(ValueError, match="there is no membrane inner"):
        replace(model, clamps=(Clamp("c", "inner", ()),))
    with pytest.raises(ValueError, match="gives no concentration of Ca"):
        replace(model, clamps=(Clamp("c", "plasma", (), "Ca"),))
    with pytest.raises(ValueError, match="no finite compartment bath with K"):
        replace(model, ion_clamps=(IonClamp("c", "bath", "K", ()),))


def test_gates_under_a_clamp_relax_as_they_must():
    """A step of the squid axon: n relaxes with its time constant at the held potential, exactly."""
    from tests.simulation.test_gates import squid

    model = squid(-0.065, 15e-3)
    holds = (Hold(parse_formula("1 - step"), -0.065), Hold(parse_formula("step"), -0.02))
    model = replace(
        model,
        clamps=(Clamp("plasma", next(iter(model.membranes)), holds),),
        injections=(),
        parameters={**model.parameters, "step": Parameter("step", 0.0)},
        protocol=(ParameterStep(5e-3, None, {"step": 1.0}),),
        simulation=Simulation(15e-3, 1e-9),
        recording=Recording("linear", 151),
    )
    trajectory = run(model)
    (membrane,) = model.membranes.values()
    pathway = next(p for p in membrane.pathways if any(g.name == "n" for g in p.gates))
    n = trajectory.gate(membrane.name, pathway.name, "n")
    after = trajectory.segment == 1
    v = -20.0
    alpha = 0.01 * (v + 55.0) / (1.0 - np.exp(-(v + 55.0) / 10.0))
    beta = 0.125 * np.exp(-(v + 65.0) / 80.0)
    t = 1e3 * (trajectory.time[after] - 5e-3)
    steady = alpha / (alpha + beta)
    expected = steady + (n[after][0] - steady) * np.exp(-(alpha + beta) * t)
    np.testing.assert_allclose(n[after], expected, rtol=1e-7)


def test_a_jump_that_takes_more_of_an_ion_than_there_is_leaves_the_state_before_it():
    model = held_cell("Cl")
    model = replace(model, clamps=(replace(model.clamps[0], holds=(Hold(parse_formula("rest"), 0.08),)),))
    inside = {**model.compartments["cell"].concentrations, "Cl": 1e-4}
    plasma = model.membranes["plasma"]
    model = replace(
        model,
        compartments={**model.compartments, "cell": replace(model.compartments["cell"], concentrations=inside)},
        membranes={
            "plasma": replace(plasma, pathways=tuple(p for p in plasma.pathways if "Cl" not in p.stoichiometry))
        },
    )
    with pytest.raises(
        SolverError,
        match="stopped at t = 10 s: to reach its potential in one step, a clamp would have to remove more than "
        "the amount of Cl in cell",
    ) as caught:
        run(model)
    trajectory = caught.value.trajectory
    assert trajectory is not None
    assert trajectory.time[-1] == 10.0
    np.testing.assert_array_equal(trajectory.run.end_state, trajectory.states[-1])
    assert (trajectory.states[:, : trajectory.run.layout.nonnegative] >= 0.0).all()


def test_a_model_whose_clamps_hold_one_another_is_refused():
    on = (Hold(1.0, -0.05),)
    model = series()
    faults = {
        "is already fixed by the other clamps and grounds": (Clamp("a", "first", on), Clamp("b", "second", on)),
        "first has another clamp": (Clamp("a", "first", on), Clamp("b", "first", on, series_resistance=1e6)),
    }
    for message, clamps in faults.items():
        with pytest.raises(ValueError, match=message):
            replace(model, clamps=clamps)
    run(replace(model, clamps=(Clamp("a", "first", on), Clamp("b", "second", on, series_resistance=1e6))))
    with pytest.raises(ValueError, match="X has no charge, so it carries no current"):
        replace(single_ion(0), clamps=(Clamp("a", "plasma", on, "X"),))
    with pytest.raises(ValueError, match="X has no charge, so it carries no current"):
        replace(single_ion(0), injections=(Injection("a", "cell", "X", 1e-12),))
    plasma = model.membranes["first"]
    with pytest.raises(ValueError, match="membrane first: both its sides are middle"):
        replace(model, membranes={"first": replace(plasma, outside="middle")})


def test_a_clamp_away_from_the_ground_where_areas_follow_volumes():
    """The charge of the cell says nothing of V between it and the store: it is the store's that the clamp must set."""
    trajectory = run(loads(STORE))
    np.testing.assert_allclose(trajectory.membrane_potential("store")[trajectory.segment == 1], -0.06, atol=1e-12)
    for drift in charge_balance(trajectory).values():
        np.testing.assert_allclose(drift, 0.0, atol=1e-12)


STORE = """
title = "a store in a cell that swells"
[simulation]
duration = "1 s"
temperature = "10 degC"
[compartments.cell]
volume = "0.5 pL"
water = "osmotic"
concentrations = { K = "57 mM", Cl = "57 mM" }
impermeants = { inert = { concentration = "1 mM", valence = 0 } }
[compartments.store]
volume = "0.5 pL"
concentrations = { K = "1 mM", Cl = "1 mM" }
[compartments.bath]
bath = true
concentrations = { K = "50 mM", Cl = "50 mM" }
[membranes.store]
inside = "cell"
outside = "store"
area = "sphere"
specific_capacitance = "0.5 uF/cm^2"
potential = "66 mV"
permeability = { K = "1e-9 m/s", Cl = "1e-9 m/s" }
[membranes.plasma]
inside = "cell"
outside = "bath"
area = "300 um^2"
specific_capacitance = "0.5 uF/cm^2"
potential = "0 mV"
permeability = { K = "1e-9 m/s", Cl = "1e-9 m/s" }
water_permeability = "1e-5 m/s"
[[protocol]]
from = "0.1 s"
to = "0.5 s"
clamp = { membrane = "store", potential = "-60 mV", carried_by = "K" }
"""
