"""Verdicts: what kind of end it is, of steady states and of runs, in files and on the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import iontide
from iontide.analysis.classification import KINDS, classify_ends, verdict_of, verdict_of_steady
from iontide.analysis.steady import steady_after, steady_state
from iontide.cli import main
from iontide.constants import FARADAY
from iontide.formulas.formula import parse_formula
from iontide.model.model import Clamp, Event, Hold, Injection, Parameter, ParameterStep, Species
from iontide.numerics.period import period_of
from iontide.reports.info import info
from iontide.scenario.read import load
from iontide.simulation.simulate import simulate
from tests.support.models import closed_pair, p1, pump_leak, series, single_ion, with_recording, with_simulation
from tests.support.paths import SCENARIO_FILES


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        (single_ion(1), "nernst_equilibrium", "Nernst equilibrium: no force on anything that can pass, with -61.5"),
        (single_ion(0), "nernst_equilibrium", "Nernst equilibrium"),
        (
            p1(),
            "donnan_equilibrium",
            "Donnan equilibrium: no force on anything that can pass, with -12.06 mV across plasma",
        ),
        (closed_pair(), "donnan_equilibrium", "Donnan equilibrium"),
        (pump_leak(), "driven_steady_state", "driven steady state, maintained by pump of plasma"),
        (series(), "driven_steady_state", "driven steady state, maintained by the baths, which differ"),
    ],
)
def test_the_end_is_called_by_its_name(model, kind, words):
    found = verdict_of_steady(steady_state(model))
    assert found.kind == kind
    assert found.sentence.startswith(words)
    # A run that is long enough comes to the same end.
    run = simulate(with_simulation(model, duration=1e6))
    assert verdict_of(run).kind == kind


def test_the_power_of_a_pump_is_what_the_leaks_dissipate():
    found = verdict_of_steady(steady_state(pump_leak()))
    power = found.numbers["power_of_pump_of_plasma_W"]
    assert power == pytest.approx(found.numbers["dissipation_W"], rel=1e-9)
    end = steady_state(pump_leak()).trajectory
    work = 3.0 * end.driving_force("plasma", "Na")[0] - 2.0 * end.driving_force("plasma", "K")[0]
    assert power == pytest.approx(-work * end.pathway_cycles("plasma", "pump")[0] * end.area("plasma")[0], rel=1e-12)


def test_what_an_event_sets_for_good_counts_at_the_end_of_a_run():
    event = Event("change", "", parse_formula("t"), 30_000.0, "rises", "set", {"pump_rate": 0.7e-6})
    model = with_simulation(replace(pump_leak(), events=(event,)), duration=1e6)
    run = simulate(model)
    assert len(run.run.crossings) == 1
    found = verdict_of(run)
    assert found.kind == "driven_steady_state", found.sentence
    assert found.sentence == verdict_of_steady(steady_after(run)).sentence
    assert "what the event change sets permanently is left out" in steady_state(model).basin


def test_a_run_that_an_event_stops_is_judged_by_what_held_then():
    model = pump_leak()
    later = ParameterStep(5e5, None, {"pump_rate": 0.0})
    stop = Event("enough", "", parse_formula("t"), 4e5, "rises", "stop")
    run = simulate(with_simulation(replace(model, protocol=(later,), events=(stop,)), duration=1e6))
    assert run.run.status == "stopped"
    found = verdict_of(run)
    assert found.kind == "driven_steady_state", found.sentence
    # Left to itself it would have gone on to the end of the protocol, where there is no pump.
    assert verdict_of_steady(steady_state(run.model)).kind != "driven_steady_state"


def test_a_shape_in_time_that_has_settled_has_an_end():
    model = replace(pump_leak(), protocol=())
    rate = replace(model.parameters["pump_rate"], value=parse_formula("1.4e-6 mol/m^2/s * (1 + 0.1 * tanh(t / 1 h))"))
    shaped = with_simulation(replace(model, parameters={**model.parameters, "pump_rate": rate}), duration=1e6)
    raised = replace(model.parameters["pump_rate"], value=1.1 * 1.4e-6)
    there = steady_state(replace(model, parameters={**model.parameters, "pump_rate": raised}))
    found = steady_state(shaped)
    assert found.status == "steady", found.message
    np.testing.assert_allclose(found.trajectory.states, there.trajectory.states, rtol=1e-8)
    # A wave does not settle, whatever its phase at the end.
    wave = replace(rate, value=parse_formula("1.4e-6 mol/m^2/s * (1 + 0.1 * tanh(1e-3 * abs(t / 1e6 s - 1)))"))
    waving = with_simulation(replace(model, parameters={**model.parameters, "pump_rate": wave}), duration=1e6)
    assert "follow the time" in steady_state(waving).message


def test_donnan_is_told_membrane_by_membrane():
    """One ion through each of two membranes is two Nernst potentials, whatever else is in the cell."""
    found = verdict_of_steady(steady_state(load(SCENARIO_FILES["two_membranes_in_series"]).model))
    assert found.kind == "nernst_equilibrium"
    # Charge that cannot pass need not be called an impermeant.
    fixed = Species("X", -1)
    model = p1()
    cell = model.compartments["cell"]
    (impermeant,) = cell.impermeants
    amount = impermeant.concentration or impermeant.amount / cell.volume
    cell = replace(cell, impermeants=(), concentrations={**cell.concentrations, "X": amount})
    model = replace(
        model,
        species={**model.species, "X": fixed},
        compartments={**model.compartments, "cell": cell},
    )
    assert verdict_of_steady(steady_state(model)).kind == "donnan_equilibrium"


def test_the_late_half_of_a_run_is_looked_at_whether_the_first_is_there_or_not():
    time = np.linspace(0.0, 1.0, 4001)
    phase = np.where(time < 0.75, time / 0.05, 15.0 + (time - 0.75) / 0.02)  # faster in the last quarter: no one period
    for wave, period in ((phase, None), (time / 0.02, pytest.approx(0.02, rel=1e-3))):
        potential = 0.01 * np.sin(2 * np.pi * wave)
        late = time > 0.5
        assert period_of(time, potential) == period
        assert period_of(time[late], potential[late]) == period


def test_few_samples_do_not_make_a_period():
    """Seen three times in two periods, a wave looks like a slow one."""
    longer = {"simulation.duration": "0.601 s", "protocol.0.to": "0.6009 s"}
    model = load(SCENARIO_FILES["hodgkin_huxley"], set=longer).model
    fine = verdict_of(simulate(with_recording(model, points=6001)))
    assert fine.numbers["period_s"] < 0.03, fine.sentence
    # A result file keeps the late half for it, a figure has all: they say the same.
    run = simulate(with_recording(model, points=6001))
    late = run.part(slice(int(np.argmax(run.time > 0.5 * run.time[-1])), None))
    assert verdict_of(late).sentence == fine.sentence
    coarse = verdict_of(simulate(with_recording(model, points=61)))
    assert "period_s" not in coarse.numbers


def test_a_clamp_feeds_what_it_holds():
    clamp = Clamp("plasma", "plasma", (Hold(1.0, -0.08),), "K")
    found = verdict_of_steady(steady_state(replace(pump_leak(), clamps=(clamp,))))
    assert found.kind == "driven_steady_state"
    assert "the clamp of plasma" in found.sentence
    # All that is dissipated comes from the pump and the clamp: there is one bath.
    fed = found.numbers["power_of_the_clamp_of_plasma_W"] + found.numbers["power_of_pump_of_plasma_W"]
    assert fed == pytest.approx(found.numbers["dissipation_W"], rel=1e-6)


def test_an_injected_current_feeds_too():
    model = replace(p1(), injections=(Injection("i", "cell", "K", 1e-12),))
    found = verdict_of_steady(steady_state(model))
    assert found.kind == "driven_steady_state"
    assert found.numbers["power_of_the_current_into_cell_W"] == pytest.approx(found.numbers["dissipation_W"], rel=1e-6)
    end = steady_state(model).trajectory
    assert end.flux("plasma", "K")[0] * end.area("plasma")[0] == pytest.approx(1e-12 / FARADAY, rel=1e-9)


def test_what_runs_down_is_named_and_not_the_gate_that_follows():
    """An axon without a pump is at rest for hours, until its gradients are gone."""
    found = verdict_of(simulate(load(SCENARIO_FILES["hodgkin_huxley"]).model))
    assert found.kind == "not_converged"
    assert "the amount of Na in cell has" in found.sentence


def test_a_run_that_is_too_short_is_not_there_yet():
    found = verdict_of(simulate(with_simulation(p1(), duration=500.0)))
    assert found.kind == "not_converged"
    assert "to go, and the slowest time constant is 15.2 min" in found.sentence
    assert found.numbers["slowest_time_constant_s"] == pytest.approx(911.0, rel=1e-2)


def test_a_slow_drift_is_not_passed_off_as_rest():
    # V is where it will be for minutes, but the contents exchange over days.
    model = p1()
    plasma = model.membranes["plasma"]
    slow = tuple(replace(p, arguments={"": 1e-3 * float(p.arguments[""])}) for p in plasma.pathways)  # type: ignore[arg-type]
    model = replace(model, membranes={"plasma": replace(plasma, pathways=slow)})
    run = simulate(with_simulation(model, duration=3600.0))
    v = run.membrane_potential("plasma")
    assert abs(v[-1] - v[-20]) < 1e-4
    assert verdict_of(run).kind == "not_converged"


def test_an_oscillation_has_its_period():
    run = iontide.run(SCENARIO_FILES["hodgkin_huxley_ion_dynamics"], set={"simulation.duration": "1 s"})
    found = verdict_of(run)
    assert found.kind == "no_steady_state"
    assert found.numbers["period_s"] == pytest.approx(0.0139, rel=0.05)


def test_what_runs_away_is_no_result():
    model = p1()
    cell = replace(model.compartments["cell"], water="osmotic")
    plasma = replace(model.membranes["plasma"], water_permeability=2e-5)
    model = replace(model, compartments={**model.compartments, "cell": cell}, membranes={"plasma": plasma})
    for found in (verdict_of_steady(steady_state(model)), verdict_of(simulate(model))):
        assert found.kind == "no_steady_state"
        assert "the volume of cell diverges" in found.sentence


def test_what_holds_at_the_end_decides():
    # The run ends while the pump is blocked: that is what the verdict is of.
    blocked = with_simulation(pump_leak(), duration=19_999.0)
    found = verdict_of(simulate(blocked))
    assert found.kind == "donnan_equilibrium"


def test_a_run_that_uses_something_up_has_no_end():
    model = replace(p1(), injections=(Injection("sink", "cell", "Na", -1e-9),))
    with pytest.raises(iontide.SolverError) as caught:
        simulate(model)
    assert verdict_of(caught.value.trajectory).sentence == "no steady state: the amount of Na in cell is used up"


def test_a_run_that_fails_otherwise_has_no_verdict():
    model = with_simulation(pump_leak(), max_steps=10)
    with pytest.raises(iontide.SolverError) as caught:
        simulate(model)
    assert verdict_of(caught.value.trajectory).sentence.startswith("no verdict: the run stopped")


def test_a_force_that_the_tolerance_hides_is_rest_and_a_larger_one_is_not():
    model = p1()
    moved = replace(model, parameters={"x": Parameter("x", 1.0)})
    run = simulate(with_simulation(moved, duration=1e6))
    end = np.array(run.states[-1])
    assert verdict_of(run).kind == "donnan_equilibrium"
    end[0] *= 1.0 + 1e-3
    nudged = iontide.Trajectory(run.run, run.time[-1:], run.segment[-1:], end[np.newaxis])
    assert verdict_of(nudged).kind == "not_converged"


@pytest.mark.parametrize(("nudge", "kind"), [(1e-5, "donnan_equilibrium"), (1e-2, "driven_steady_state")])
def test_a_force_is_none_below_a_thousand_tolerances_of_rt(nudge, kind):
    rest = steady_state(closed_pair()).trajectory  # without a bath, so that nothing but the force decides
    states = rest.states.copy()
    states[0, 0] *= 1.0 + nudge
    found = classify_ends(iontide.Trajectory(rest.run, rest.time, rest.segment, states), 1e-6)
    assert found.largest_force[0] == pytest.approx(nudge, rel=0.1)
    assert KINDS[found.kind[0]] == kind


def test_the_verdict_is_in_the_file_and_on_the_command_line(tmp_path, capsys):
    path = simulate(with_recording(with_simulation(p1(), duration=1e5), points=101)).save(tmp_path / "p1.h5")
    assert info(path)["verdict"].startswith("Donnan equilibrium")
    assert main(["info", str(path)]) == 0
    assert "Donnan equilibrium: no force on anything that can pass, with -12.06 mV" in capsys.readouterr().out


def test_the_command_tells_where_it_ends(capsys):
    scenario = str(SCENARIO_FILES["pump_leak_swelling"])
    assert main(["steady", scenario]) == 0
    printed = capsys.readouterr().out
    for words in (
        "maintained by pump of plasma",
        "stable: every small disturbance decays",
        "conserved by the equations",
        "-75.9517 mV",
    ):
        assert words in printed
    assert main(["steady", scenario, "--json", "--set", "parameters.pump_rate=7e-7 mol/m^2/s"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["kind"] == "driven_steady_state"
    assert content["stable"] is True
    assert content["conserved"][0]["what"] == "charge of cell"
    assert content["quantities"]["plasma.V"] > -75.9
    assert main(["steady", scenario, "--sensitivities"]) == 0
    assert "what +1 % of each parameter changes" in capsys.readouterr().out
    assert main(["steady", scenario, "--sensitivities", "--json"]) == 0
    slopes = json.loads(capsys.readouterr().out)["sensitivities"]["plasma.V"]
    assert slopes["pump_rate"] == pytest.approx(-slopes["P_K"], rel=0.5)
    assert main(["steady", str(SCENARIO_FILES["kay_2017"])]) == 0
    assert "No steady state: the volume of cell diverges" in capsys.readouterr().out


def test_a_formula_that_runs_uphill_is_not_counted_as_equilibrium():
    model = p1()
    plasma = model.membranes["plasma"]
    pushed = replace(
        plasma.pathways[0], name="pathways.push", law="formula", arguments={"rate": parse_formula("1e-9 mol/m^2/s")}
    )
    model = replace(model, membranes={"plasma": replace(plasma, pathways=(*plasma.pathways, pushed))})
    assert verdict_of_steady(steady_state(model)).kind == "driven_steady_state"
