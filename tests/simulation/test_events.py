"""State events: when they are, that they stop and act exactly there, and what a run with them keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy

import iontide
from iontide import run
from iontide.analysis.audit.diagnostics import summary
from iontide.errors import UnknownNameError
from iontide.formulas.formula import parse_formula
from iontide.model import schedule
from iontide.model.model import Event, Model, Parameter, ParameterStep, Recording, Simulation
from tests.support.models import P_K, pump_leak, single_ion, two_cells, with_recording
from tests.support.paths import SCENARIO_FILES


def watching(*events: Event, **changes: Any) -> Model:
    """The pump-leak cell whose pump does not run, with events."""
    model = pump_leak()
    given: dict[str, Any] = {
        "parameters": {"pump_rate": Parameter("pump_rate", 0.0)},
        "protocol": (),
        "simulation": Simulation(20_000.0),
        "events": events,
        **changes,
    }
    return replace(model, **given)


def sodium(name: str, level: float, direction: Any, **changes: Any) -> Event:
    return Event(name, "plasma", parse_formula("Na.inside"), level, direction, **changes)


def test_a_crossing_is_when_the_closed_form_says():
    # A neutral solute goes from 100 to 10 mM exponentially: through 50 mM at tau ln(90/40).
    model = single_ion(0)
    area, volume = 4e-12 * np.pi * 100.0, 4e-18 / 3.0 * np.pi * 1000.0
    tau = volume / (area * P_K)
    event = Event("half", "cell", parse_formula("X"), 50.0, "falls")
    trajectory = run(replace(model, events=(event,), simulation=Simulation(2000.0, 1e-10)))
    (time,) = trajectory.event_times("half")
    assert time == pytest.approx(tau * np.log(90.0 / 40.0), rel=1e-8)


@pytest.mark.parametrize("direction", ["rises", "falls", "passes"])
def test_directions_count_what_they_say(direction):
    # A triangle wave of time alone, through 0 every half second.
    wave = parse_formula("abs(abs(abs(abs(t - 4 s) - 2 s) - 1 s) - 0.5 s) - 0.25 s")
    model = watching(Event("wave", "", wave, 0.0, direction), simulation=Simulation(8.0))
    times = run(model).event_times("wave")
    grid = np.linspace(0.0, 8.0, 800_001)
    values = np.abs(np.abs(np.abs(np.abs(grid - 4) - 2) - 1) - 0.5) - 0.25
    upward = grid[1:][(values[:-1] < 0) & (values[1:] >= 0)]
    downward = grid[1:][(values[:-1] > 0) & (values[1:] <= 0)]
    expected = {"rises": upward, "falls": downward, "passes": np.sort([*upward, *downward])}[direction]
    # The solver may step over both sides of a corner where nothing else moves; it never invents one.
    found = [np.abs(expected - t).min() for t in times]
    assert times.size
    assert max(found) < 1e-4


def test_an_event_that_is_only_recorded_changes_nothing():
    plain = run(with_recording(watching(), points=101))
    recorded = run(with_recording(watching(sodium("full", 20.0, "rises")), points=101))
    np.testing.assert_array_equal(plain.states, recorded.states)
    assert plain.statistics == recorded.statistics
    (time,) = recorded.event_times("full")
    before, after = np.searchsorted(recorded.time, time) - 1, np.searchsorted(recorded.time, time)
    assert recorded.concentration("cell", "Na")[before] < 20.0 < recorded.concentration("cell", "Na")[after]


@pytest.mark.parametrize("spacing", ["linear", "log", "steps", "list"])
def test_a_run_stops_at_the_level_itself(spacing):
    event = sodium("full", 20.0, "rises", action="stop")
    first = {"first": 1e-3} if spacing == "log" else {"times": (1.0, 100.0, 19_000.0)} if spacing == "list" else {}
    trajectory = run(with_recording(watching(event), spacing, **first))
    assert trajectory.status == "stopped"
    assert trajectory.run.message == "stopped by the event full"
    assert trajectory.concentration("cell", "Na")[-1] == pytest.approx(20.0, abs=1e-9)
    assert trajectory.time[-1] == trajectory.event_times("full")[0] == trajectory.run.end_time
    assert (np.diff(trajectory.time) >= 0.0).all()
    np.testing.assert_array_equal(trajectory.states[-1], trajectory.run.end_state)
    assert summary(trajectory).max_charge_drift < 1e-13


def test_a_cut_step_is_interpolated_as_if_it_had_not_been():
    whole = run(with_recording(watching(simulation=Simulation(20_000.0, 1e-5)), points=4001))
    event = sodium("full", 20.0, "rises", action="stop")
    cut = run(with_recording(watching(event, simulation=Simulation(20_000.0, 1e-5)), points=4001))
    rows = len(cut) - 1
    np.testing.assert_allclose(cut.states[:rows], whole.states[:rows], rtol=1e-13, atol=1e-25)


def thermostat(duration: float = 200.0, **changes: Any) -> Model:
    """The pump is switched on where Na inside reaches 14 mM, and off where it falls below 12 mM."""
    return watching(
        sodium("on", 14.0, "rises", action="set", settings={"pump_rate": 1e-5}),
        sodium("off", 12.0, "falls", action="set", settings={"pump_rate": 0.0}),
        **{"simulation": Simulation(duration), **changes},
    )


@pytest.mark.parametrize("spacing", ["linear", "log", "steps"])
def test_events_act_in_turn_and_each_side_is_recorded(spacing):
    first = {"first": 1e-3} if spacing == "log" else {}
    trajectory = run(with_recording(thermostat(), spacing, **first))
    on, off = trajectory.event_times("on"), trajectory.event_times("off")
    assert len(on) > 5
    assert len(off) in (len(on), len(on) - 1)
    alternating = np.empty(len(on) + len(off))
    alternating[::2], alternating[1::2] = on, off
    assert (np.diff(alternating) > 0.0).all()
    na = trajectory.concentration("cell", "Na")
    after = trajectory.time > on[0]
    assert na[after].min() > 12.0 - 1e-6
    assert na[after].max() < 14.0 + 1e-6
    assert summary(trajectory).max_charge_drift < 1e-12
    assert len(trajectory.run.segments) == len(alternating) + 1
    for number, time in enumerate(alternating):
        sides = np.flatnonzero(trajectory.time == time)
        assert list(trajectory.segment[sides]) == [number, number + 1]
        np.testing.assert_array_equal(trajectory.states[sides[0]], trajectory.states[sides[1]])
        rates = trajectory.parameter("pump_rate")[sides]
        assert sorted(rates) == [0.0, 1e-5]
    assert (np.diff(trajectory.time) >= 0.0).all()


def test_the_times_do_not_depend_on_the_recording():
    few = run(with_recording(thermostat(), points=2)).run.crossings
    many = run(with_recording(thermostat(), points=3001)).run.crossings
    assert few == many


def test_a_thermostat_is_the_one_of_an_independent_solver():
    model = thermostat(simulation=Simulation(100.0, 1e-9))
    trajectory = run(model)
    from iontide.equations.assembly import build_program

    _, program = build_program(model)
    time, y, events, state = 0.0, trajectory.run.initial.y, [], 0
    volume = trajectory.volume("cell")[0]
    row = trajectory.run.layout.amount_index["cell", "Na"]
    while time < 100.0:
        values = trajectory.run.values[1 if state else 0]
        k, mass = program.prepare(dict(values))
        inverse = np.linalg.inv(program.mass_matrix(mass))

        def rates(t, y, k=k, inverse=inverse):
            return inverse @ program.evaluate_rates(t, y, k)

        def crossing(t, y, level=12.0 if state else 14.0):
            return y[row] / volume - level

        crossing.terminal, crossing.direction = True, -1.0 if state else 1.0  # type: ignore[attr-defined]
        scale = np.abs(y) * 1e-9 + 1e-24
        found = scipy.integrate.solve_ivp(rates, (time, 100.0), y, "Radau", rtol=1e-9, atol=scale, events=crossing)
        time, y = found.t[-1], found.y[:, -1]
        if found.t_events[0].size:
            events.append(float(time))
            state = 1 - state
    assert [c.time for c in trajectory.run.crossings] == pytest.approx(events, rel=1e-6)


def test_a_change_for_a_while_and_only_once():
    event = sodium("rescue", 12.0, "rises", action="set", settings={"pump_rate": 1e-5}, duration=300.0, once=True)
    trajectory = run(watching(event))
    (time,) = trajectory.event_times("rescue")
    starts = [s.start for s in trajectory.run.segments]
    assert starts == [0.0, time, time + 300.0]
    rate = trajectory.parameter("pump_rate")
    assert set(rate[trajectory.segment == 1]) == {1e-5}
    assert set(rate[trajectory.segment != 1]) == {0.0}
    again = run(watching(replace(event, once=False)))
    assert len(again.event_times("rescue")) > 1


def test_an_event_recorded_once_is_recorded_once():
    many = thermostat()
    first = sodium("first", 13.0, "rises", once=True)
    trajectory = run(replace(many, events=(*many.events, first)))
    assert len(trajectory.event_times("first")) == 1
    assert len(trajectory.event_times("on")) > 5


def test_a_jump_of_the_level_counts_as_passing_it():
    event = Event("over", "plasma", parse_formula("Na.inside"), parse_formula("level"), "passes")
    model = watching(
        event,
        parameters={"pump_rate": Parameter("pump_rate", 0.0), "level": Parameter("level", 100.0)},
        protocol=(ParameterStep(50.0, None, {"level": 5.0}),),
        simulation=Simulation(100.0),
    )
    assert list(run(model).event_times("over")) == [50.0]


def test_an_event_beside_a_protocol_step_keeps_both():
    event = sodium("on", 14.0, "rises", action="set", settings={"pump_rate": 1e-5}, duration=100.0)
    step = ParameterStep(1000.0, None, {"pump_rate": 2e-5})
    trajectory = run(watching(event, protocol=(step,)))
    assert len(trajectory.event_times("on")) >= 1
    late = trajectory.time > 1000.0
    assert set(trajectory.parameter("pump_rate")[late]) <= {1e-5, 2e-5}
    assert {s.start for s in trajectory.run.segments} >= {0.0, 1000.0, *trajectory.event_times("on")}


def test_events_come_back_from_the_file(tmp_path):
    trajectory = run(with_recording(thermostat(), points=201))
    again = iontide.open(trajectory.save(tmp_path / "events.h5"))
    assert again.run.crossings == trajectory.run.crossings
    assert again.run.segments == trajectory.run.segments
    assert again.model == trajectory.model
    np.testing.assert_array_equal(again.flux("plasma", "Na"), trajectory.flux("plasma", "Na"))
    with pytest.raises(UnknownNameError, match=r"there is no event spike \(there are on, off\)"):
        again.event_times("spike")


def test_more_crossings_than_fit_one_call():
    levels = [sodium(f"l{i}", 10.0 + 0.01 * (i + 1), "rises") for i in range(150)]
    trajectory = run(watching(*levels))
    times = [trajectory.event_times(f"l{i}") for i in range(150)]
    assert all(len(t) == 1 for t in times)
    assert (np.diff(np.concatenate(times)) > 0.0).all()


def test_recording_of_every_step_counts_them_all():
    trajectory = run(replace(thermostat(), recording=Recording("steps")))
    assert len(trajectory) >= trajectory.statistics.steps
    assert len(trajectory.event_times("on")) > 5


def test_models_whose_events_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="there is no membrane or compartment inner"):
        watching(Event("e", "inner", 0.0, 0.0))
    with pytest.raises(ValueError, match="two events have the same name"):
        watching(sodium("e", 1.0, "rises"), sodium("e", 2.0, "rises"))
    with pytest.raises(ValueError, match="sets leak, which is not a parameter"):
        watching(sodium("e", 1.0, "rises", action="set", settings={"leak": 1.0}))


def test_thousands_of_events_take_seconds_not_minutes():
    trajectory = run(with_recording(thermostat(20_000.0), points=501))
    assert len(trajectory.run.crossings) > 2000
    assert len(trajectory.run.segments) == len(trajectory.run.crossings) + 1
    again = schedule.segments_of(trajectory.model, schedule.triggered_steps(trajectory.model, trajectory.run.crossings))
    assert tuple(again) == trajectory.run.segments


def test_events_that_set_one_another_off_are_told():
    level = parse_formula("level")
    model = watching(
        sodium("on", 12.0, "rises", action="set", settings={"level": 1.0}),
        Event("up", "", level, 0.5, "rises", "set", {"level": 0.0}),
        Event("down", "", level, 0.5, "falls", "set", {"level": 1.0}),
        parameters={name: Parameter(name, 0.0) for name in ("pump_rate", "level")},
    )
    with pytest.raises(iontide.SolverError, match="set their levels further apart") as caught:
        run(model)
    assert caught.value.trajectory.status == "failed"


def test_the_protocol_takes_over_from_what_an_event_set_for_good():
    event = sodium("on", 12.0, "rises", action="set", settings={"pump_rate": 1e-6}, once=True)
    step = ParameterStep(1000.0, None, {"pump_rate": 2e-5})
    trajectory = run(watching(event, protocol=(step,)))
    late = trajectory.time > 1000.0
    assert set(trajectory.parameter("pump_rate")[late]) == {2e-5}
    between = (trajectory.time > trajectory.event_times("on")[0]) & (trajectory.time < 1000.0)
    assert set(trajectory.parameter("pump_rate")[between]) == {1e-6}


def test_a_compartment_is_told_from_the_membrane_of_its_name(tmp_path):
    # Each cell of the pair has a membrane of the same name.
    model = two_cells()
    event = Event("fallen", "compartments.left", parse_formula("K"), 139.9, "falls")
    (time,) = run(replace(model, events=(event,))).event_times("fallen")
    watched = replace(event, on="left", value=parse_formula("K.inside"))
    assert run(replace(model, events=(watched,))).event_times("fallen") == [time]

    text = (SCENARIO_FILES["nernst_potassium"]).read_text().replace("membranes.plasma", "membranes.cell")
    text += '\n[[events]]\ncompartment = "cell"\nwhen = "K falls through 139.999 mM"\nrecord = "fallen"\n'
    (tmp_path / "x.toml").write_text(text)
    assert iontide.load(tmp_path / "x.toml").model.events[0].on == "compartments.cell"
    assert len(run(tmp_path / "x.toml").event_times("fallen")) == 1


def test_what_comes_about_in_the_moment_of_a_step_is_kept_in_the_file(tmp_path):
    """The step itself lifts the bath over the level: one stretch before, one after, in the run and in its file."""
    model = watching(
        Event("high", "plasma", parse_formula("K.outside"), 10.0, "rises", "set", {"pump_rate": 0.0}),
        parameters={**pump_leak().parameters, "K_bath": Parameter("K_bath", 4.0)},
        protocol=(ParameterStep(600.0, None, {"K_bath": 20.0}),),
    )
    bath = model.compartments["bath"]
    bath = replace(bath, concentrations={**bath.concentrations, "K": parse_formula("K_bath")})
    trajectory = run(replace(model, compartments={**model.compartments, "bath": bath}))
    assert [c.time for c in trajectory.run.crossings] == [600.0]
    assert [s.start for s in trajectory.run.segments] == [0.0, 600.0]
    assert trajectory.run.segments[1].settings["pump_rate"] == 0.0
    opened = iontide.open(trajectory.save(tmp_path / "x.h5"))
    assert opened.run.segments == trajectory.run.segments
    for name in ("time", "segment", "states"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(trajectory, name))
