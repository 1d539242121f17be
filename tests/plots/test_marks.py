"""What a figure says of a protocol and of events, in plain words; clamp currents; gates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from iontide.errors import UsageError
from iontide.model.schedule import Crossing
from iontide.plots import run_figure
from iontide.plots.drawing.names import current_text, name_label, symbol_label
from iontide.plots.runs.event_marks import FEW, ROWS, event_marks
from iontide.plots.runs.protocol_marks import protocol_marks
from iontide.scenario.read import loads
from iontide.simulation.simulate import simulate
from tests.support.paths import ROOT

SOMA = """
title = "a soma"
[parameters]
half    = "25 pA"
command = "-80 mV"
K_o     = "3 mM"
[simulation]
duration = "100 ms"
temperature = "37 degC"
[compartments.soma]
volume = "4 pL"
concentrations = { K = "140 mM", Na = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }
[compartments.bath]
bath = true
concentrations = { K = "3 mM", Na = "145 mM" }
impermeants = { B = { concentration = "balance", valence = -1 } }
[membranes.plasma]
inside = "soma"
outside = "bath"
area = "1200 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"
conductance = { K = "0.5 mS/cm^2", Na = "0.02 mS/cm^2" }
"""


def texts_of(*entries: str) -> list[str]:
    model = loads(SOMA + "".join(f"[[protocol]]\n{entry}\n" for entry in entries)).model
    return [mark.text for mark in protocol_marks(model, 0.1)]


HELD = 'from = "10 ms"\nto = "20 ms"\n'


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ('clamp = { membrane = "plasma", potential = "-80 mV" }', "plasma held at −80 mV"),
        ('clamp = { membrane = "plasma", potential = "command + 5 mV" }', "plasma held at −75 mV"),
        ('clamp = { membrane = "plasma", potential = "0 mV" }', "plasma held at 0 mV"),
        ('clamp = { membrane = "plasma", potential = "command + 1 mV * t / 1 ms" }', "plasma clamped"),
        ('clamp = { compartment = "soma", ion = "Na", concentration = "15 mM" }', "Na held at 15 mM in soma"),
        (
            'clamp = { compartment = "soma", ion = "Na", concentration = "15 mM + 1 mM * t / 1 s" }',
            "Na clamped in soma",
        ),
        ('inject = { into = "soma", current = "36 pA", carried_by = "K" }', "36 pA into soma (K)"),
        ('inject = { into = "soma", current = "-2 * half" }', "−50 pA into soma"),
        ('inject = { into = "soma", current = "3.5 nA" }', "3.5 nA into soma"),
        ('inject = { into = "soma", current = "0 pA" }', "no current into soma"),
        ('set = { "simulation.temperature" = "25 degC" }', "T = 25 °C"),
        ('set = { "compartments.bath.K" = "10 mM" }', "K in bath = 10 mM"),
        ('set = { "parameters.half" = "10 pA" }', "half = 10 pA"),
    ],
)
def test_a_step_is_told_in_plain_words(entry: str, text: str) -> None:
    assert texts_of(HELD + entry) == [text]


def test_a_ramp_tells_where_it_leads_and_how_long_it_takes() -> None:
    entry = 'at = "10 ms"\nramp = { "simulation.temperature" = "25 degC", over = "50 ms" }'
    assert texts_of(entry) == ["T to 25 °C in 50 ms"]


def test_a_current_between_compartments_tells_both() -> None:
    text = SOMA.replace("bath = true\n", 'volume = "4 pL"\n') + "[[protocol]]\n" + HELD
    text += 'inject = { into = "soma", out_of = "bath", current = "36 pA", carried_by = "K" }\n'
    (mark,) = protocol_marks(loads(text).model, 0.1)
    assert mark.text == "36 pA from bath into soma (K)"


def test_a_command_that_the_protocol_changes_is_not_told_as_a_number() -> None:
    step = HELD + 'clamp = { membrane = "plasma", potential = "command" }'
    assert texts_of(step, 'at = "15 ms"\nset = { "parameters.command" = "-60 mV" }') == [
        "plasma clamped",
        "command = −60 mV",
    ]


def test_several_clamps_name_their_own_command_and_no_switch() -> None:
    first = HELD + 'clamp = { membrane = "plasma", potential = "-80 mV" }'
    second = 'from = "20 ms"\nto = "30 ms"\nclamp = { membrane = "plasma", potential = "-60 mV" }'
    assert texts_of(first, second) == ["plasma held at −80 mV", "plasma held at −60 mV"]


def test_a_train_of_pulses_is_counted_in_the_figure() -> None:
    entry = 'from = "10 ms"\nto = "12 ms"\nevery = "10 ms"\ncount = 5\n'
    entry += 'inject = { into = "soma", current = "36 pA", carried_by = "K" }\n'
    figure = run_figure(simulate(loads(SOMA + "[[protocol]]\n" + entry).model), "potential")
    assert "36 pA into soma (K) (×5)" in [text.get_text() for text in figure.axes[0].texts]


def test_currents_are_told_in_a_unit_that_fits() -> None:
    given = (1.57e-6, -27e-12, 1e-12, 2e-16, 2.0, 12 * (1.0 - 0.9))
    assert [current_text(i) for i in given] == ["1.57 µA", "−27 pA", "1 pA", "200 aA", "2 A", "1.2 A"]
    assert current_text(1e-12 * (1.0 - 1e-10)) == "1 pA"


# -- events -----------------------------------------------------------------------------------------------------------

SPIKES = (ROOT / "scenarios/neurons/hodgkin_huxley.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def spiking():
    events = '\n[[events]]\nwhen = "V rises through 0 mV"\nrecord = "spike"\n'
    events += '\n[[events]]\nwhen = "V rises through 39 mV"\nrecord = "highest"\n'
    events += '\n[[events]]\nwhen = "V rises through 60 mV"\nrecord = "beyond"\n'
    return simulate(loads(SPIKES + events).model)


def words(figure) -> str:
    """The title and the caption, from the top."""
    return " ".join(text.get_text() for text in sorted(figure.texts, key=lambda text: -text.get_position()[1]))


def ticks(axes) -> list[np.ndarray]:
    return [c.get_segments() for c in axes.collections if c.get_label() == "_events"]


def dashed(axes) -> list[float]:
    return [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]


def test_few_events_are_dashed_lines_with_a_name_and_many_are_ticks(spiking) -> None:
    figure = run_figure(spiking)
    times = spiking.event_times("spike")
    assert len(times) > FEW
    told = words(figure)
    assert f"spike {len(times)} times" in told
    assert "(ticks at the top)" in told
    assert "highest at 1" in told
    assert "(dashed)" in told
    assert "beyond" not in told
    for column, unit in ((0, 1e-3), (1, 1.0)):
        (segments,) = ticks(figure.axes[column])
        np.testing.assert_allclose([s[0, 0] * unit for s in segments], times)
        assert not ticks(figure.axes[2 + column])
        assert "highest" in [text.get_text() for text in figure.axes[column].texts]
    (highest,) = spiking.event_times("highest")
    for axes in figure.axes[::2]:
        assert dashed(axes) == pytest.approx([1e3 * highest])


def test_ticks_stay_clear_of_the_curves(spiking) -> None:
    figure = run_figure(spiking, "potential")
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    (segments,) = ticks(axes)
    lowest = low + (high - low) * min(s[:, 1].min() for s in segments)
    curves = [line.get_ydata() for line in axes.lines if not line.get_label().startswith("_")]
    assert max(np.nanmax(y) for y in curves) < lowest


def test_thousands_of_events_are_a_few_hundred_ticks(spiking) -> None:
    every = np.linspace(1e-3, 0.0999, 5000)
    crossings = tuple(Crossing("spike", float(t)) for t in every)
    many = replace(spiking, run=replace(spiking.run, crossings=crossings))
    figure = run_figure(many, "potential")
    (segments,) = ticks(figure.axes[0])
    assert 300 < len(segments) <= 401
    assert "spike 5000 times, 1 ms to 99.9 ms" in words(figure)


def test_events_beyond_the_rows_are_named_as_left_out(spiking) -> None:
    names = ("spike", "highest", "beyond")
    crossings = tuple(Crossing(name, t) for t in np.linspace(0.01, 0.09, 50).tolist() for name in names)
    many = replace(spiking, run=replace(spiking.run, crossings=crossings))
    assert [len(group) for group in (event_marks(many.run).ticks, event_marks(many.run).left_out)] == [ROWS, 1]
    figure = run_figure(many, "potential")
    told = words(figure)
    assert "(upper ticks)" in told
    assert "(lower ticks)" in told
    assert "beyond 50 times, 10 ms to 90 ms (not drawn)" in told
    assert len(ticks(figure.axes[0])) == ROWS


def test_what_an_event_sets_is_shaded_from_then_on() -> None:
    text = SOMA + '[[events]]\nwhen = "V falls through -75 mV"\nset = { "parameters.K_o" = "6 mM" }\nrecord = "low"\n'
    text = text.replace('bath = true\nconcentrations = { K = "3 mM"', 'bath = true\nconcentrations = { K = "K_o"')
    trajectory = simulate(loads(text).model)
    (at,) = trajectory.event_times("low")
    (mark,) = protocol_marks(trajectory.model, 0.1, trajectory.run.crossings)
    assert (mark.start, mark.end, mark.text) == (at, 0.1, "K_o = 6 mM")


def test_a_run_that_an_event_stopped_says_so() -> None:
    text = SOMA + '[[events]]\nwhen = "V falls through -75 mV"\nstop = true\nrecord = "low"\n'
    assert "Stopped by the event low, at t =" in words(run_figure(simulate(loads(text).model)))


# -- clamp currents and gates -----------------------------------------------------------------------------------------


def test_the_current_of_a_clamp_is_a_panel_in_picoampere() -> None:
    entry = "[[protocol]]\n" + HELD + 'clamp = { membrane = "plasma", potential = "-80 mV", carried_by = "K" }\n'
    trajectory = simulate(loads(SOMA + entry).model)
    current = trajectory.clamp_current("plasma")
    for axes in (run_figure(trajectory, "currents").axes[-1], run_figure(trajectory).axes[-2]):
        figure = axes.figure
        assert axes.get_ylabel() == "I (pA),\ninto the inside"
        (line,) = [line for line in axes.lines if line.get_label() == "clamp"]
        np.testing.assert_allclose(line.get_ydata(), current / 1e-12)
        np.testing.assert_allclose(figure.data["plasma.clamp_current (pA)"], current / 1e-12)
    low, high = axes.get_ylim()
    assert high - low < 1.3 * np.ptp(current) / 1e-12
    without = simulate(loads(SOMA).model)
    assert not [name for name in run_figure(without, "currents").data if "clamp" in name]


def test_gates_are_drawn_from_0_to_1(spiking) -> None:
    (axes,) = run_figure(spiking, "gates").axes
    low, high = axes.get_ylim()
    assert (low, high) == (pytest.approx(-0.03), pytest.approx(1.03, abs=0.05))
    lines = {line.get_label(): line.get_ydata() for line in axes.lines if not line.get_label().startswith("_")}
    assert set(lines) == {name_label(gate) for gate in "mhn"}
    pathway = next(p for p in spiking.model.membranes["plasma"].pathways if p.gates and p.gates[0].name == "n")
    np.testing.assert_array_equal(lines[name_label("n")], spiking.gate("plasma", pathway.label, "n"))
    assert symbol_label("V") not in lines


def test_gates_of_one_name_are_told_apart_by_their_pathway() -> None:
    gate = 'gates = { n = { alpha = "0.1 /ms", beta = "0.2 /ms" } }\n'
    table = "".join(
        f'[membranes.plasma.pathways.{name}]\nion = "K"\nconductance = "1 mS/cm^2 * n"\n{gate}' for name in ("a", "b")
    )
    (axes,) = run_figure(simulate(loads(SOMA + table).model), "gates").axes
    assert {name_label("a.n"), name_label("b.n")} <= {line.get_label() for line in axes.lines}


def test_a_model_without_gates_says_so() -> None:
    trajectory = simulate(loads(SOMA).model)
    with pytest.raises(UsageError, match="no pathway in this model has a gate"):
        run_figure(trajectory, "gates")
    with pytest.raises(UsageError, match="no pathway on the membrane `plasma` has a gate"):
        run_figure(trajectory, "gates", membrane="plasma")
    with pytest.raises(UsageError, match="there is no membrane `apical`; there are plasma"):
        run_figure(trajectory, "gates", membrane="apical")


def test_twenty_layers_fit_a_page_and_the_rest_is_named() -> None:
    text = (ROOT / "scenarios/neurons/potassium_in_layers.toml").read_text(encoding="utf-8")
    trajectory = simulate(loads(text.replace("= 10  ", "= 20  ")).model)
    figure = run_figure(trajectory)
    assert len(figure.axes) <= 14
    assert figure.get_size_inches()[1] * 25.4 < 260
    assert "Shown: 2 of 40 membranes (plasma_1, plasma_2)." in words(figure)
    assert "Shown: 2 of 21 compartments (cell, layer_1)." in words(figure)


def test_what_a_later_step_takes_over_ends_there():
    """A table by straight lines is one step after the other, and a ramp is told until the next one begins."""
    values = '"compartments.bath.K" = ["3 mM", "9 mM", "3 mM"]'
    table = f'at = "10 ms"\ntable = {{ times = ["0 ms", "20 ms", "50 ms"], {values} }}\n'
    ramps = [
        f'at = "{at} ms"\nramp = {{ "simulation.temperature" = "{t} degC", over = "5 ms" }}\n'
        for at, t in ((70, 25), (90, 37))
    ]
    pulse = 'from = "75 ms"\nto = "80 ms"\nset = { "simulation.temperature" = "30 degC" }\n'
    model = loads(SOMA + "".join(f"[[protocol]]\n{entry}" for entry in (table, *ramps, pulse))).model
    marks = {mark.text: (mark.start, mark.end) for mark in protocol_marks(model, 0.1)}
    assert marks == {
        "K in bath to 9 mM in 20 ms": (0.01, 0.03),
        "K in bath to 3 mM in 30 ms": (0.03, 0.1),
        "T to 25 °C in 5 ms": (0.07, 0.09),
        "T to 37 °C in 5 ms": (0.09, 0.1),
        "T = 30 °C": (0.075, 0.08),
    }
