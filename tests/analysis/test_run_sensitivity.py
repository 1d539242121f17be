"""Sensitivities of trajectories: against differences of runs along the transient, closed forms, and steady states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import iontide
from iontide.analysis.parameter_derivatives import Dependence
from iontide.analysis.run_sensitivity import TrajectorySensitivities, trajectory_sensitivities
from iontide.analysis.steady_sensitivity import steady_sensitivities
from iontide.errors import UnknownNameError, UsageError
from iontide.formulas.formula import parse_formula
from iontide.model.model import Compartment, Event, Membrane, Model, Parameter, Simulation
from iontide.simulation.prepare import prepare
from tests.support.models import (
    AREA,
    CAPACITANCE,
    P_K,
    TEMPERATURE,
    K,
    by_name,
    ghk,
    ohmic,
    p1,
    pump_leak,
    with_recording,
)
from tests.support.paths import SCENARIO_FILES


def exactly(model: Model, tolerance: float) -> Model:
    return replace(model, simulation=replace(model.simulation, rtol=tolerance))


def moved(model: Model, name: str, value: float) -> Model:
    return replace(model, parameters={**model.parameters, name: replace(model.parameters[name], value=value)})


def worst(model: Model, result: TrajectorySensitivities, name: str, step: float) -> np.ndarray:
    """Largest difference from fourth-order central differences of runs at 1e-11, for each state.

    Relative to the largest sensitivity of the state along the run, or a thousandth of proportionality.
    """
    value, model = model.parameters[name].value, exactly(model, 1e-11)
    runs = [iontide.run(moved(model, name, value * (1.0 + c * step))).states for c in (-2, -1, 1, 2)]
    found = ((runs[0] - runs[3]) + 8.0 * (runs[2] - runs[1])) / (12.0 * step * value)
    own = result.states[:, :, result.parameters.index(name)]
    size = np.abs(own).max(axis=0) + 1e-3 * np.abs(runs[0]).max(axis=0) / abs(value)
    return np.abs(found - own).max(axis=0) / np.where(size > 0.0, size, 1.0)


@pytest.mark.parametrize(
    ("scenario", "names", "duration", "tolerance"),
    [
        ("pump_leak_cell", ("pump_rate", "P_K"), None, 1e-6),  # a ghk start; a protocol that sets pump_rate itself
        ("pump_leak_swelling", ("pump_rate", "P_K"), None, 1e-6),  # volumes, areas
        ("duesterwald_2018", ("initial_X", "initial_Cl", "radius", "pump_rate"), None, 1e-5),
        ("hodgkin_huxley", ("stimulus", "radius"), None, 1e-4),  # gates that start at rest; spikes
        ("voltage_clamp", ("rest", "radius"), None, 1e-5),  # the membrane is held; what the clamp brings
        ("epithelium", ("P_Na", "P_gap"), None, 1e-6),  # potentials that are algebraic
        ("saetra_2020", ("pump_rate",), 1.0, 1e-4),  # electrodiffusion between parts
        ("tracer_exchange", ("labelled", "P_K", "pump_rate"), None, 1e-6),  # a label that is taken up and washed out
    ],
)
def test_differences_of_runs(scenario, names, duration, tolerance):
    model = with_recording(iontide.load(SCENARIO_FILES[scenario]).model, points=31)
    if duration:
        model = replace(model, simulation=replace(model.simulation, duration=duration))
    result = trajectory_sensitivities(exactly(model, 1e-10), names)
    for name in names:
        assert worst(model, result, name, 1e-3 if tolerance < 1e-4 else 2e-4).max() < tolerance, name


def test_the_start_of_a_tracer_follows_its_share_and_the_amount():
    """A cell that is labelled from the start: ∂(share · c · volume) by each of the three."""
    scenario = SCENARIO_FILES["tracer_exchange"].read_text(encoding="utf-8")
    model = iontide.loads(scenario.replace("share = { bath", 'share = { cell = "0.5 * labelled", bath')).model
    names = ["labelled", "compartments.cell.concentrations.Na", "compartments.cell.volume"]
    prepared = prepare(model)
    slopes = Dependence(model, prepared, names).initial[1]
    place = prepared.layout.tracer_index["cell", "Na24", "Na"]
    sodium = prepared.initial.y[prepared.layout.amount_index["cell", "Na"]]
    volume, concentration = (prepared.values[0][name] for name in reversed(names[1:]))
    assert slopes[place] == pytest.approx([0.5 * sodium, 0.5 * volume, 0.5 * concentration], rel=1e-14)


@pytest.mark.parametrize("name", sorted(SCENARIO_FILES))
def test_the_start_has_as_many_derivatives_as_the_layout_has_states(name):
    model = iontide.load(SCENARIO_FILES[name]).model
    path, _ = next(model.settled_quantities())
    layout = prepare(model).layout
    assert Dependence(model, prepare(model), [path]).initial[1].shape == (layout.size, 1)


def charging() -> Model:
    """One ohmic pathway between two solutions that are held: V = E (1 − exp(−g t / C)) from 0."""
    return Model(
        species=by_name([K]),
        compartments=by_name(
            [
                Compartment("cell", "floating bath", None, {"K": 140.0}),
                Compartment("bath", "bath", None, {"K": 4.0}),
            ]
        ),
        membranes=by_name(
            [
                Membrane(
                    "plasma",
                    "cell",
                    "bath",
                    AREA,
                    parse_formula("C"),
                    parse_formula("V_0"),
                    (ohmic("K", parse_formula("g")),),
                )
            ]
        ),
        simulation=Simulation(0.05, 1e-10),
        temperature=TEMPERATURE,
        parameters=by_name([Parameter("C", CAPACITANCE), Parameter("g", 1.0), Parameter("V_0", 0.0)]),
    )


def test_closed_form_of_a_membrane_that_charges():
    """∂V/∂g, ∂V/∂C (by way of the mass matrix) and ∂V/∂V₀ of a parameter that is 0."""
    model = with_recording(charging(), points=26)
    result = trajectory_sensitivities(model, ["g", "C", "V_0"])
    t = result.trajectory.time
    reversal = result.trajectory.reversal_potential("plasma", "K")[0]
    decay = np.exp(-t / CAPACITANCE)
    assert result.trajectory.membrane_potential("plasma") == pytest.approx(reversal * (1 - decay), rel=1e-8)
    assert result.membrane_potential("plasma", "g") == pytest.approx(reversal * t / CAPACITANCE * decay, abs=1e-9)
    by_capacitance = -reversal * t / CAPACITANCE**2 * decay
    assert result.membrane_potential("plasma", "C") == pytest.approx(by_capacitance, abs=1e-7)
    assert result.membrane_potential("plasma", "V_0") == pytest.approx(decay, abs=1e-9)
    assert result.of_state("potential of cell", "V_0") == pytest.approx(decay, abs=1e-9)


def test_the_end_of_a_run_answers_as_its_steady_state():
    model = replace(pump_leak(), protocol=())
    model = replace(model, simulation=replace(model.simulation, duration=3e5, rtol=1e-9))
    result = trajectory_sensitivities(model, ["pump_rate"])
    end = steady_sensitivities(model)
    assert result.states[-1] == pytest.approx(end.states, rel=1e-6)
    last = result.concentration("cell", "Na", "pump_rate")[-1]
    assert last == pytest.approx(end.of("cell.Na", "pump_rate"), rel=1e-6)


def test_what_a_protocol_sets_does_not_count_for_itself():
    """From 0 on the pump is stopped: its rate is not felt at all; stopped later, what it did before goes on to be."""
    model = pump_leak()
    stopped = replace(model, protocol=(replace(model.protocol[0], start=0.0, end=None),))
    assert not trajectory_sensitivities(with_recording(stopped, points=11), ["pump_rate"]).states.any()
    later = trajectory_sensitivities(with_recording(model, points=37), ["pump_rate"])
    v = np.abs(later.membrane_potential("plasma", "pump_rate"))
    assert v[later.trajectory.time == 15_000.0].min() > 0.0
    # Its own current is gone at once; what is left of ∂V/∂p is by way of what the cell holds.
    assert v[later.trajectory.segment == 1][1] < v[later.trajectory.segment == 0][-1]


def test_direct_dependence_of_what_is_read():
    """The concentration of a bath is a parameter's own: ∂c/∂p = 1 while the state needs not move."""
    model = p1()
    bath = replace(model.compartments["bath"], concentrations={"K": parse_formula("K_o"), "Na": 146.0, "Cl": 150.0})
    model = replace(
        model, compartments={**model.compartments, "bath": bath}, parameters=by_name([Parameter("K_o", 4.0)])
    )
    result = trajectory_sensitivities(with_recording(model, points=5), ["K_o"])
    assert (result.concentration("bath", "K", "K_o") == 1.0).all()
    assert result.membrane_potential("plasma", "K_o")[0] == 0.0
    assert result.volume("cell", "K_o")[-1] == 0.0


def test_the_tolerance_holds_the_sensitivities_too():
    """A hundred times the tolerance: an error some hundred times as large, and no more than the tolerance says."""
    model = with_recording(iontide.load(SCENARIO_FILES["pump_leak_cell"]).model, points=31)
    exact = trajectory_sensitivities(exactly(model, 1e-11), ["P_K"]).states
    size = np.abs(exact).max(axis=0)
    errors = [
        (np.abs(trajectory_sensitivities(exactly(model, rtol), ["P_K"]).states - exact).max(axis=0) / size).max()
        for rtol in (1e-5, 1e-7, 1e-9)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[1] < 1e-4
    assert errors[2] < 1e-6


def test_refusals():
    model = pump_leak()
    event = Event("spike", "plasma", parse_formula("V"), 0.0, "rises", action="stop")
    with pytest.raises(UsageError, match="event spike interrupts"):
        trajectory_sensitivities(replace(model, events=(event,)), ["pump_rate"])
    with pytest.raises(UsageError, match="spacing other than steps"):
        trajectory_sensitivities(with_recording(model, "steps"), ["pump_rate"])
    ramp = replace(model.protocol[0], end=None, over=100.0)
    with pytest.raises(UsageError, match="ramps pump_rate"):
        trajectory_sensitivities(replace(model, protocol=(ramp,)), ["pump_rate"])
    with pytest.raises(UnknownNameError, match="pump_rate"):
        trajectory_sensitivities(model, ["pump_rate"]).membrane_potential("plasma", "P_K")


def test_the_permeability_of_the_common_cell():
    """A model without parameters, by the path of a number."""
    model = with_recording(p1(), points=11)
    result = trajectory_sensitivities(model, ["membranes.plasma.permeability.K"])
    assert ghk("K", P_K).arguments[""] == P_K
    assert result.membrane_potential("plasma", "membranes.plasma.permeability.K")[0] == 0.0
    assert abs(result.membrane_potential("plasma", "membranes.plasma.permeability.K")[1:]).min() > 0.0
