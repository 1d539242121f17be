"""Figures: what is on them is what was computed, and the files are exact, whole and the same every time."""

from __future__ import annotations

import csv
import math
import re
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from iontide.cli.parser import build_parser
from iontide.errors import FileError, UsageError
from iontide.formulas.formula import parse_formula
from iontide.formulas.units import parse_unit
from iontide.model.model import (
    Compartment,
    Impermeant,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Recording,
    Simulation,
    Species,
)
from iontide.plots import (
    plot,
    run_figure,
    write_figure,
)
from iontide.plots.choices import RUN_KINDS
from iontide.plots.drawing import decimation as decimation_module
from iontide.plots.drawing.decimation import visible_samples
from iontide.plots.drawing.line_labels import PITCH, spread
from iontide.plots.drawing.names import name_label, number_text, species_label, symbol_label, time_text, unit_label
from iontide.plots.drawing.panels import current_panel, volume_panel
from iontide.plots.drawing.style import ION_STYLES, PaperFigure, species_styles
from iontide.plots.drawing.time_axis import TimeAxis, time_axis_for
from iontide.plots.runs.protocol_marks import protocol_marks, shade
from iontide.simulation.simulate import simulate

RADIUS = 10e-6
AREA, VOLUME = 4 * math.pi * RADIUS**2, 4 / 3 * math.pi * RADIUS**3
HOUR = 3600.0
LOGARITHMIC = Recording("log", 200, 1e-5)
SPECIES = {
    name: Species(name, valence) for name, valence in (("K", 1), ("Na", 1), ("Cl", -1), ("Ca", 2), ("glucose", 0))
}


def leaky(**permeability: float) -> tuple[Pathway, ...]:
    return tuple(Pathway(f"permeability.{name}", "ghk", {name: 1}, {"": p}) for name, p in permeability.items())


def pump_leak(recording: Recording = LOGARITHMIC, sodium: float = 10.0) -> Model:
    """A cell with a pump that is blocked from 3 h to 5 h."""
    pump = Pathway(
        "pathways.pump",
        "na_k_atpase_cubic",
        {"Na": 3, "K": -2},
        {"rate": parse_formula("pump_rate"), "half_saturation.Na_inside": 10.0, "half_saturation.K_outside": 1.5},
    )
    cell = Compartment(
        "cell",
        volume=VOLUME,
        concentrations={"K": 140.0, "Na": sodium, "Cl": 10.0},
        impermeants=(Impermeant("A", -1),),
    )
    bath = Compartment("bath", "bath", concentrations={"K": 4.0, "Na": 146.0, "Cl": 150.0})
    leaks = leaky(K=1e-8, Na=4e-10, Cl=4e-9)
    return Model(
        {name: SPECIES[name] for name in ("K", "Na", "Cl")},
        {"cell": cell, "bath": bath},
        {"plasma": Membrane("plasma", "cell", "bath", AREA, 0.01, 0.0, (*leaks, pump))},
        Simulation(10 * HOUR),
        temperature=310.15,
        parameters={"pump_rate": Parameter("pump_rate", 2e-6, parse_unit("mol/m^2/s")[1])},
        protocol=(ParameterStep(3 * HOUR, 5 * HOUR, {"pump_rate": 0.0}),),
        recording=recording,
        title="A cell with $ome pump",
    )


def epithelium() -> Model:
    """Two membranes in series; Ca over four decades, glucose without charge, an ohmic conductance."""
    lumen = {"K": 5.0, "Na": 140.0, "Cl": 148.0, "Ca": 2.0, "glucose": 10.0}
    inside = {"K": 140.0, "Na": 10.0, "Cl": 10.0, "Ca": 1e-4, "glucose": 1.0}
    compartments = {
        "lumen": Compartment("lumen", "floating bath", None, lumen, (Impermeant("B", -1),)),
        "cell": Compartment("cell", "finite", VOLUME, inside, (Impermeant("A", -1),)),
        "bath": Compartment("bath", "bath", None, lumen | {"glucose": 5.0}),
    }
    ohmic = Pathway("conductance.Na", "ohmic", {"Na": 1}, {"": 0.01})
    apical = (*leaky(K=1e-8, Na=1e-8, Cl=1e-9, Ca=1e-12, glucose=1e-8),)
    basal = (*leaky(K=4e-8, Cl=1e-9, Ca=1e-12, glucose=3e-8), ohmic)
    membranes = {
        "apical": Membrane("apical", "cell", "lumen", AREA, 0.01, "ghk", apical),
        "basal": Membrane("basal", "cell", "bath", AREA, 0.01, -0.06, basal),
    }
    return Model(SPECIES, compartments, membranes, Simulation(HOUR), recording=Recording("log", 100, 1e-5))


def swelling(volumes: dict[str, float], water: str = "osmotic") -> Model:
    """Cells in one bath, that swell while their pumps are blocked, and one of fixed volume."""
    base = pump_leak()
    cells = {
        name: replace(base.compartments["cell"], name=name, volume=volume, water=water)
        for name, volume in volumes.items()
    } | {"fixed": replace(base.compartments["cell"], name="fixed")}
    membranes = {
        f"m_{name}": replace(
            base.membranes["plasma"],
            name=f"m_{name}",
            inside=name,
            water_permeability=0.0 if name == "fixed" else 2e-5,
        )
        for name in cells
    }
    compartments = cells | {"bath": base.compartments["bath"]}
    return replace(base, compartments=compartments, membranes=membranes, water_molar_volume=18e-6)


@pytest.fixture(scope="module")
def run():
    return simulate(pump_leak())


@pytest.fixture(scope="module")
def swollen():
    return simulate(swelling({"big": VOLUME, "small": VOLUME / 2}))


@pytest.fixture(scope="module")
def series():
    return simulate(epithelium())


def curves(axes) -> dict[str, np.ndarray]:
    """The labelled lines of axes, by label."""
    return {line.get_label(): line.get_xydata() for line in axes.get_lines() if line.get_label()[0] != "_"}


def columns(path) -> dict[str, np.ndarray]:
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    values = [[float(cell) if cell else np.nan for cell in row] for row in rows]
    return dict(zip(header, np.array(values).T, strict=True))


# -- what is drawn ----------------------------------------------------------------------------------------------------


def test_potentials_are_those_of_the_run(run):
    (axes,) = run_figure(run, "potential").axes
    lines = curves(axes)
    assert set(lines) == {symbol_label("V"), *(symbol_label("E", ion) for ion in ("K", "Na", "Cl"))}
    np.testing.assert_array_equal(lines[symbol_label("V")][:, 0], run.time / HOUR)
    np.testing.assert_array_equal(lines[symbol_label("V")][:, 1], run.membrane_potential("plasma") * 1e3)
    for ion in ("K", "Na", "Cl"):
        expected = run.reversal_potential("plasma", ion) * 1e3
        np.testing.assert_array_equal(lines[symbol_label("E", ion)][:, 1], expected)
    assert axes.get_ylabel() == "Potential (mV)"
    assert axes.get_xlabel() == "Time (h)"


def test_currents_are_outward_positive_and_sum(run):
    (axes,) = run_figure(run, "currents", time_axis="symlog").axes
    lines = curves(axes)
    assert axes.get_ylabel().replace("\n", " ") == "I (µA cm⁻²), outward positive"
    time, sodium = lines[symbol_label("I", "Na")].T
    assert (sodium[(time > 3.1 * HOUR) & (time < 4.9 * HOUR)] < 0).all(), "with the pump blocked, Na runs in"
    total = sum(lines[symbol_label("I", ion)][:, 1] for ion in ("K", "Na", "Cl"))
    np.testing.assert_allclose(lines["sum"][:, 1], total, atol=1e-12 * np.abs(total).max())
    np.testing.assert_allclose(lines["sum"][:, 1], run.current_density("plasma") * 100, rtol=1e-12)


def test_concentrations_are_logarithmic_only_where_they_must(run, series):
    (axes,) = run_figure(run, "concentrations").axes
    assert axes.get_yscale() == "linear"
    (wide,) = [a for a in run_figure(series, "concentrations").axes if "cell" in [t.get_text() for t in a.texts]]
    assert wide.get_yscale() == "log"
    label = species_label("Ca", 2)
    np.testing.assert_array_equal(curves(wide)[label][:, 1], series.concentration("cell", "Ca"))
    assert species_label("glucose", 0) in curves(wide)


def test_small_currents_are_in_a_unit_that_reads_well(run):
    resting = run.part(slice(*np.searchsorted(run.time, (0.5 * HOUR, 2.5 * HOUR))))
    panel = current_panel(resting, "plasma")
    assert "nA cm⁻²" in panel.axis_label
    largest = max(np.abs(curve.values).max() for curve in panel.curves)
    assert 0.1 <= largest < 1e3


def test_a_neutral_species_has_no_potential_and_no_current(series):
    for figure in (run_figure(series, "potential"), run_figure(series, "currents")):
        assert not [label for axes in figure.axes for label in curves(axes) if "glucose" in label]


def test_an_undefined_reversal_potential_is_a_gap():
    model = pump_leak(Recording("linear", 21), sodium=0.0)
    cell = replace(model.compartments["cell"], impermeants=(Impermeant("A", -1),))
    trajectory = simulate(replace(model, compartments=model.compartments | {"cell": cell}))
    figure = run_figure(trajectory, "potential")
    values = curves(figure.axes[0])[symbol_label("E", "Na")][:, 1]
    assert np.isnan(values[0])
    assert np.isfinite(values[1:]).all()
    assert np.isfinite(figure.axes[0].get_ylim()).all()


def test_volumes_that_change_are_drawn_in_litres(swollen):
    (axes,) = run_figure(swollen, "volumes").axes
    lines = curves(axes)
    assert set(lines) == {name_label("big"), name_label("small")}
    for name in ("big", "small"):
        time, volume = lines[name_label(name)].T
        np.testing.assert_array_equal(time, swollen.time / HOUR)
        np.testing.assert_allclose(volume, swollen.volume(name) * 1e15, rtol=1e-12)
    assert lines[name_label("big")][0, 1] == pytest.approx(4.18879)
    assert lines[name_label("big")][:, 1].max() > 4.5
    assert axes.get_ylabel() == "Volume (pL)"
    (alone,) = run_figure(swollen, "volumes", membrane="m_big").axes
    assert set(curves(alone)) == {name_label("big")}


@pytest.mark.parametrize(("scale", "unit", "size"), [(1e-3, "fL", 1e-18), (1.0, "pL", 1e-15), (1e3, "nL", 1e-12)])
def test_volumes_are_in_a_unit_that_fits_their_size(swollen, scale, unit, size):
    layout = swollen.run.layout
    states = swollen.states.copy()
    states[:, [layout.volume_index["big"], layout.volume_index["small"]]] *= scale
    scaled = replace(swollen, states=states)
    panel = volume_panel(scaled, ["big"])
    assert (panel.axis_label, panel.place) == (f"Volume ({unit})", "big")
    (curve,) = panel.curves
    assert curve.column == f"big.volume ({unit})"
    np.testing.assert_allclose(curve.values, scaled.volume("big") / size, rtol=1e-12)


def test_volumes_far_apart_are_logarithmic(swollen):
    states = swollen.states.copy()
    states[:, swollen.run.layout.volume_index["small"]] *= 1e-3
    (axes,) = run_figure(replace(swollen, states=states), "volumes").axes
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert all(low < line[:, 1].min() and line[:, 1].max() < high for line in curves(axes).values())


def test_without_a_change_of_volume_there_is_none_to_draw(run, swollen, tmp_path):
    with pytest.raises(UsageError, match="no compartment changes its volume in this run"):
        plot(run, tmp_path / "f.pdf", "volumes")
    with pytest.raises(UsageError, match="at the membrane `m_fixed`"):
        run_figure(swollen, "volumes", membrane="m_fixed")
    with pytest.raises(UsageError, match="there is no membrane `apical`"):
        run_figure(swollen, "volumes", membrane="apical")
    assert not list(tmp_path.iterdir())


def test_both_sides_of_a_protocol_step_are_drawn(run):
    (axes,) = run_figure(run, "currents").axes
    time, current = curves(axes)[symbol_label("I", "Na")].T
    (at,) = np.flatnonzero(np.diff(time) == 0)[:1]
    assert time[at] == pytest.approx(3.0)
    pumped = run.pathway_current_density("plasma", "pump")[at] * 1.5 * 2 * 100  # 3 Na for each charge moved
    assert current[at] - current[at + 1] == pytest.approx(pumped)


def test_protocol_steps_are_shaded_and_named(run):
    figure = run_figure(run)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("pump_rate = 0") == 2  # above the first row, in both columns
    for axes in figure.axes:
        (shade,) = [patch for patch in axes.patches if patch.get_width() > 0]
        unit = HOUR if axes.get_xscale() == "linear" else 1.0
        assert (shade.get_x() * unit, shade.get_width() * unit) == pytest.approx((3 * HOUR, 2 * HOUR))


def test_a_step_tells_its_value_in_lab_units():
    model = pump_leak()
    steps = (ParameterStep(0.0, None, {"pump_rate": parse_formula("1e-6 mol/m^2/s * 2")}),)
    (mark,) = protocol_marks(replace(model, protocol=steps), 10.0)
    assert mark.text == "pump_rate = 2×10⁻⁶ mol m⁻² s⁻¹"
    assert (mark.start, mark.end) == (0.0, 10.0)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("simulation.temperature", "T = 14.8 °C"),
        ("compartments.bath.concentrations.K", "K in bath = 288"),
    ],
)
def test_what_is_no_parameter_of_the_file_has_a_short_label(name, label):
    steps = (ParameterStep(0.0, None, {name: 288.0}),)
    model = replace(pump_leak(), parameters={name: Parameter(name, 300.0)}, membranes={}, protocol=steps)
    (mark,) = protocol_marks(model, 10.0)
    assert mark.text == label


def test_thousands_of_steps_are_shaded_as_few():
    steps = tuple(ParameterStep(i * 1e-3, i * 1e-3 + 1e-4, {"pump_rate": 0.0}) for i in range(5000))
    later = (ParameterStep(8.0, 9.0, {"pump_rate": 0.0}),)
    marks = protocol_marks(replace(pump_leak(), protocol=steps + later), 10.0)
    axes = Figure().subplots()
    shade(axes, marks, TimeAxis("linear", "s", 0.0, 10.0))
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    assert spans == [(0.0, pytest.approx(4.9991)), (8.0, pytest.approx(9.0))]


def test_pulse_trains_have_one_label_and_crowds_are_counted():
    pulses = tuple(ParameterStep(k * HOUR, (k + 0.5) * HOUR, {"pump_rate": 0.0}) for k in range(1, 9))
    figure = run_figure(simulate(replace(pump_leak(), protocol=pulses)), "potential")
    assert "pump_rate = 0 (×8)" in [text.get_text() for text in figure.axes[0].texts]
    crowd = tuple(replace(p, settings={"pump_rate": 1e-6 * k}) for k, p in enumerate(pulses))
    figure = run_figure(simulate(replace(pump_leak(), protocol=crowd)), "potential")
    assert any("not labelled" in text.get_text() for text in figure.texts)


def test_overview_has_its_panels(run, series):
    figure = run_figure(run)
    assert len(figure.axes) == 6
    letters = [axes.texts[0].get_text() for axes in figure.axes]
    assert letters == list("abcdef")
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "symlog"] * 3
    words = " ".join(text.get_text() for text in figure.texts)
    assert "A cell with $ome pump" in words
    assert "t = 10 h" in words
    figure.draw_without_rendering()  # a dollar sign in the title is no formula
    assert len(run_figure(series).axes) == 10
    assert len(run_figure(series, membrane="basal").axes) == 6


def test_overview_has_volumes_only_where_they_change(run, series, swollen, tmp_path):
    for trajectory in (run, series):
        figure = run_figure(trajectory)
        assert not [axes for axes in figure.axes if "Volume" in axes.get_ylabel()]
        assert not [column for column in figure.data if "volume" in column]
    one = run_figure(swollen, membrane="m_big")
    first, symlog = one.axes[4:6]
    words = [axes.get_ylabel().split(" (")[0] for axes in one.axes[::2]]
    assert words == ["Potential", "Concentration", "Volume", "I"]
    for axes, unit in ((first, HOUR), (symlog, 1.0)):
        np.testing.assert_allclose(
            curves(axes)[name_label("big")],
            np.column_stack([swollen.time / unit, swollen.volume("big") * 1e15]),
        )
    whole = run_figure(swollen)
    assert len(whole.axes) == 12  # no more rows than before: a compartment gives way, and is named
    assert "1 of 3 compartments (big)" in " ".join(text.get_text() for text in whole.texts)
    _, numbers = plot(swollen, tmp_path / "f.pdf")
    table = columns(numbers)
    assert not [column for column in table if "volume fixed" in column]
    for name in ("big", "small"):
        np.testing.assert_allclose(table[f"{name}.volume (pL)"], swollen.volume(name) * 1e15, rtol=1e-11)


def test_what_finds_no_room_is_named():
    model = pump_leak()
    cells = {f"c{k}": replace(model.compartments["cell"], name=f"c{k}") for k in range(8)}
    membranes = {f"m{k}": replace(model.membranes["plasma"], name=f"m{k}", inside=f"c{k}") for k in range(8)}
    many = replace(model, compartments=cells | {"bath": model.compartments["bath"]}, membranes=membranes)
    trajectory = simulate(many)
    lines = sorted(run_figure(trajectory).texts, key=lambda text: -text.get_position()[1])
    words = " ".join(text.get_text() for text in lines)
    assert "2 of 8 membranes (m0, m1)" in words
    assert "2 of 8 compartments (c0, c1)" in words
    figure = run_figure(trajectory, "potential")
    assert len(figure.axes) == 6
    assert "of 8" in " ".join(text.get_text() for text in figure.texts)


def test_a_charging_current_does_not_flatten_the_rest(run):
    *_, linear, symlog = run_figure(run).axes
    resting = np.abs(run.current_density("plasma", "Na")[run.time > 0.01 * run.time[-1]]).max() * 100
    assert linear.get_ylim()[1] <= symlog.get_ylim()[1]
    assert linear.get_ylim()[1] >= resting
    # Alone, without another axis that shows it, the whole is drawn.
    (alone,) = run_figure(run, "currents").axes
    assert alone.get_ylim() == symlog.get_ylim()


def test_a_single_sample_and_a_steady_model_can_be_drawn(run):
    figure = run_figure(run.part(slice(0, 1)))
    assert figure.axes[0].get_lines()[-1].get_marker() == "o"
    flat = run_figure(run.part(slice(150, 152)))
    assert all(high > low for low, high in (axes.get_ylim() for axes in flat.axes))


def test_a_failed_run_says_so_in_every_figure(run):
    failed = replace(run, run=replace(run.run, status="failed", message="the K ran out"))
    for figure in (run_figure(failed), run_figure(failed, "potential")):
        assert any("Failed: the K ran out" in text.get_text() for text in figure.texts)


# -- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
def test_tick_labels_do_not_overlap(run, series, scale):
    for trajectory, width in ((run, 89.0), (series, 60.0), (series, 183.0)):
        figure = run_figure(trajectory, "potential", time_axis=scale, width_mm=width)
        figure.draw_without_rendering()
        for axes in figure.axes:
            boxes = sorted(
                (box.x0, box.x1)
                for label in axes.get_xticklabels()
                if label.get_text() and axes.get_xlim()[0] <= label.get_position()[0] <= axes.get_xlim()[1]
                for box in [label.get_window_extent()]
            )
            assert bool(boxes) == (axes is figure.axes[-1])  # the times are below the last row
            assert all(a[1] < b[0] for a, b in pairwise(boxes))


def test_line_labels_do_not_overlap_and_stay_on_the_page(series):
    figure = run_figure(series)
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height for box in boxes)
        labels = sorted((b.y0 + b.y1) / 2 for b in boxes if b.x0 > axes.bbox.x1)
        pitch = PITCH / 25.4 * figure.dpi
        assert all(b - a > 0.6 * pitch for a, b in pairwise(labels))


def test_more_lines_than_labels_can_be_followed_get_a_legend():
    names = ["K", "Na", "Cl", "Ca", "Mg", "H", "Li", "Rb", "Cs", "NH4"]
    base = pump_leak()
    ions = {name: Species(name, 1) for name in names}
    cell = replace(
        base.compartments["cell"], concentrations=dict.fromkeys(names, 10.0), impermeants=(Impermeant("A", -1),)
    )
    bath = replace(base.compartments["bath"], concentrations=dict.fromkeys(names, 20.0))
    membrane = replace(base.membranes["plasma"], pathways=leaky(**dict.fromkeys(names, 1e-8)))
    model = replace(
        base,
        species=ions,
        compartments={"cell": cell, "bath": bath},
        membranes={"plasma": membrane},
        protocol=(),
    )
    figure = run_figure(simulate(model), "potential")
    figure.draw_without_rendering()
    legend = figure.axes[0].get_legend()
    assert len(legend.get_texts()) == len(names) + 1
    assert legend.get_window_extent().x1 <= figure.bbox.x1


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=12),
    st.floats(0.1, 3),
)
def test_spread_keeps_distance_order_and_bounds(wanted, pitch):
    low, high = -20.0, 20.0
    placed = spread(np.array(wanted), pitch, low, high)
    ordered = np.sort(placed)
    assert np.all(np.diff(ordered) >= pitch - 1e-9)
    assert ordered[0] >= low - 1e-9
    assert ordered[-1] <= high + 1e-9
    assert np.all(np.diff(placed[np.argsort(wanted, kind="stable")])[np.diff(np.sort(wanted)) > 0] > 0)


def test_spread_leaves_alone_what_has_room():
    wanted = np.array([1.0, 9.0, 5.0])
    np.testing.assert_allclose(spread(wanted, 2.0, 0.0, 10.0), wanted)


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "unit"),
    [(5e-4, "us"), (0.02, "ms"), (60.0, "s"), (1800.0, "min"), (36000.0, "h"), (86400.0 * 30, "d")],
)
def test_a_linear_axis_is_read_in_a_fitting_unit(end, unit):
    axis = time_axis_for("linear", np.linspace(0, end, 11))
    assert axis.unit == unit
    assert axis.label == f"Time ({unit.replace('us', 'µs')})"


def test_symlog_begins_at_zero_and_its_threshold_is_the_first_sample(run):
    (axes,) = run_figure(run, "potential", time_axis="symlog").axes
    assert axes.get_xlim() == (0.0, run.time[-1])
    assert axes.xaxis.get_transform().linthresh == pytest.approx(1e-5)
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert {"0", "1 ms", "1 s", "1 h"} <= set(labels)


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
def test_places_along_the_axis_are_those_of_matplotlib(run, scale):
    (axes,) = run_figure(run, "potential", time_axis=scale).axes
    axis = time_axis_for(scale, run.time)
    time = run.time[1:]
    points = np.column_stack([axis.positions(time), np.zeros(len(time))])
    expected = (axes.transScale + axes.transLimits).transform(points)[:, 0]
    np.testing.assert_allclose(axis.fractions(time), expected, atol=1e-9)


def test_times_are_written_with_the_letter_for_micro():
    assert [time_text(t) for t in (0.0, 1e-5, 90.0)] == ["0 s", "10 µs", "1.5 min"]


# -- names and colours ------------------------------------------------------------------------------------------------


def test_labels_are_chemistry_or_plain_names():
    assert species_label("K", 1) == "$K^{{+}}$"
    assert species_label("Ca", 2) == "$Ca^{2{+}}$"
    assert species_label("HCO3", -1) == "$HCO_{3}^{{-}}$"
    assert species_label("my_ion", 1) == r"$my\_ion$"
    assert symbol_label("E", "K") == r"$\mathit{E}_{K}$"


def test_numbers_and_units_are_printed_as_in_journals():
    assert [number_text(x) for x in (0.0, -70.0, 4e-6, 1e-9, -2.5e7)] == ["0", "−70", "4×10⁻⁶", "10⁻⁹", "−2.5×10⁷"]
    assert unit_label("mol/m^2/s") == "mol m⁻² s⁻¹"
    assert unit_label("uA/cm^2") == "µA cm⁻²"
    assert unit_label("1/s") == "s⁻¹"
    assert unit_label("Mohm") == "MΩ"


def test_usual_ions_keep_their_colour_and_others_get_their_own():
    names = ["K", "Na", "Cl", "Li", "gluconate", "TEA"]
    styles = species_styles(names)
    assert styles["K"] == ION_STYLES["K"]
    assert styles == species_styles(reversed(names))
    assert len(set(styles.values())) == len(names)
    assert len(set(species_styles([f"x{k}" for k in range(20)]).values())) == 20
    species_styles([f"x{k}" for k in range(100)])


# -- style ------------------------------------------------------------------------------------------------------------


def test_the_style_is_not_left_behind_nor_the_users_taken_over(run):
    with matplotlib.rc_context({"font.size": 23.0, "axes.spines.top": True}):
        before = dict(matplotlib.rcParams)
        figure = run_figure(run)
        figure.draw_without_rendering()
        assert dict(matplotlib.rcParams) == before
        assert all(label.get_fontsize() == 7.0 for axes in figure.axes for label in axes.get_xticklabels())
        assert not any(axes.spines["top"].get_visible() for axes in figure.axes)


def test_figures_can_be_drawn_in_threads(run, tmp_path):
    done = []

    def work(k: int) -> None:
        done.append(plot(run, tmp_path / f"{k}.svg", "potential")[0].read_bytes())

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    assert len(set(done)) == 1


def test_matplotlib_is_imported_only_for_a_figure():
    code = (
        "import sys, iontide.plots as p; assert 'matplotlib' not in sys.modules; "
        "p.plot; assert 'matplotlib' in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
@pytest.mark.parametrize("width", [89.0, 183.0])
def test_widths_are_exact(run, tmp_path, suffix, width):
    figure = run_figure(run, "potential", width_mm=width)
    assert figure.get_size_inches()[0] == pytest.approx(width / 25.4, rel=1e-12)
    path, _ = write_figure(figure, tmp_path / f"f{suffix}")
    if suffix == ".pdf":
        box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", path.read_bytes())
        assert float(box.group(1)) / 72 * 25.4 == pytest.approx(width, rel=1e-6)
    elif suffix == ".svg":
        points = re.search(r'<svg [^>]*width="([\d.]+)pt"', path.read_text())
        assert float(points.group(1)) / 72 * 25.4 == pytest.approx(width, rel=1e-6)
    else:
        assert matplotlib.image.imread(path).shape[1] == int(width / 25.4 * 300)


def test_type_in_files_is_truetype_and_text(run, tmp_path):
    pdf = plot(run, tmp_path / "f.pdf", "potential")[0].read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/CIDFontType2" in pdf
    assert b"/Subtype /Type3" not in pdf
    svg = plot(run, tmp_path / "f.svg", "potential")[0].read_text()
    assert re.search(r"<text [^>]*>Potential \(mV\)</text>", svg)


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_equal_figures_are_equal_files(run, tmp_path, suffix):
    first = plot(run, tmp_path / f"a{suffix}", "currents")
    second = plot(run, tmp_path / f"b{suffix}", "currents")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert not re.search(rb"CreationDate|<dc:date>", first[0].read_bytes())


def test_the_numbers_lie_beside_the_figure(run, tmp_path):
    figure, numbers = plot(run, tmp_path / "f.pdf")
    assert numbers == tmp_path / "f.csv"
    table = columns(numbers)
    assert list(table)[:3] == ["time (s)", "plasma.V (mV)", "plasma.E.K (mV)"]
    assert {"cell.K (mM)", "plasma.current.Na (uA/cm^2)", "plasma.current (uA/cm^2)"} <= set(table)
    np.testing.assert_array_equal(table["time (s)"], run.time)
    np.testing.assert_array_equal(table["plasma.V (mV)"], run.membrane_potential("plasma") * 1e3)
    np.testing.assert_array_equal(table["cell.K (mM)"], run.concentration("cell", "K"))
    assert figure.exists()


def test_undefined_numbers_are_empty_cells(tmp_path):
    figure = PaperFigure(89.0, 50.0)
    _, numbers = write_figure(
        figure, tmp_path / "f.svg", {"time (s)": np.arange(2.0), "E (mV)": np.array([np.nan, 1.5])}
    )
    assert numbers.read_text() == "time (s),E (mV)\n0,\n1,1.5\n"
    assert write_figure(figure, tmp_path / "g.svg") == [tmp_path / "g.svg"]


def test_other_suffixes_are_refused(run, tmp_path):
    for name in ("f.jpg", "f", "f.pdf.gz"):
        with pytest.raises(UsageError, match=r"\.pdf, \.svg, \.png"):
            plot(run, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_told_and_leaves_nothing(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match=r"f\.pdf"):
        plot(run, tmp_path / "file" / "f.pdf", "potential")
    (tmp_path / "taken.pdf").mkdir()
    with pytest.raises(FileError, match=r"taken\.pdf"):
        plot(run, tmp_path / "taken.pdf", "potential")
    assert {p.name for p in tmp_path.iterdir()} == {"file", "taken.pdf"}


def test_the_command_line_knows_every_kind(swollen, tmp_path):
    for kind in RUN_KINDS:
        assert build_parser().parse_args(["plot", "x.h5", "--kind", kind]).kind == kind
    file = str(swollen.save(tmp_path / "cell.h5"))
    options = build_parser().parse_args(["plot", file, "--kind", "volumes"])
    assert not options.command(options)
    assert "big.volume (pL)" in columns(tmp_path / "cell.volumes.csv")


def test_wrong_choices_name_the_right_ones(run, tmp_path):
    out = tmp_path / "f.pdf"
    with pytest.raises(UsageError, match="overview, potential"):
        plot(run, out, "voltages")
    with pytest.raises(UsageError, match=r"no figure `currnts` of a run; did you mean currents\?"):
        plot(run, out, "currnts")
    with pytest.raises(UsageError, match="linear, log, symlog"):
        plot(run, out, "potential", time_axis="cubic")
    with pytest.raises(UsageError, match=r"`apical`; there are plasma"):
        plot(run, out, membrane="apical")
    with pytest.raises(UsageError, match="50 to 1000 mm"):
        plot(run, out, width_mm=3.0)
    with pytest.raises(UsageError, match="no samples"):
        plot(run.part(slice(0, 0)), out)


def test_a_run_without_a_file_is_drawn_into_outputs(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = replace(run, run=replace(run.run, origin=replace(run.run.origin, name="scenarios/my_cell.toml")))
    paths = plot(named, kind="potential")
    assert [str(path) for path in paths] == ["outputs/my_cell.potential.pdf", "outputs/my_cell.potential.csv"]
    assert all(path.exists() for path in paths)


def test_a_result_file_is_drawn_beside_itself_as_its_run_is(run, tmp_path):
    file = run.save(tmp_path / "cell.h5")
    figure, numbers = plot(file, kind="concentrations")
    assert (figure.name, numbers.name) == ("cell.concentrations.pdf", "cell.concentrations.csv")
    direct = plot(run, tmp_path / "direct.pdf", "concentrations")
    assert [figure.read_bytes(), numbers.read_bytes()] == [path.read_bytes() for path in direct]
    with pytest.raises(FileError):
        plot(tmp_path / "none.h5")


# -- long recordings --------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 2000))
def test_decimation_keeps_ends_extremes_and_gaps_of_every_column(seed, cut, n):
    rng = np.random.default_rng(seed)
    position = np.sort(rng.random(n))
    values = np.where(rng.random(n) < 0.05, np.nan, rng.standard_normal(n))
    kept = visible_samples(position, values, cut)
    assert np.all(np.diff(kept) > 0)
    if n <= 4 * cut:
        assert len(kept) == n
        return
    assert len(kept) <= 5 * cut
    assert {0, n - 1} <= set(kept)
    column = np.minimum(((position - position[0]) * (cut / (position[-1] - position[0]))).astype(int), cut - 1)
    for k in np.unique(column):
        whole, part = values[column == k], values[kept][column[kept] == k]
        assert np.isnan(whole).any() == np.isnan(part).any()
        if np.isfinite(whole).any():
            assert np.nanmax(whole) == np.nanmax(part)
            assert np.nanmin(whole) == np.nanmin(part)


@pytest.mark.parametrize("scale", ["linear", "symlog"])
def test_a_long_recording_is_a_small_file_with_all_its_spikes(scale, tmp_path):
    trajectory = simulate(pump_leak(Recording("linear", 100_001)))
    states = trajectory.states.copy()
    spike = 77_777
    states[spike, -1] = 0.123
    trajectory = replace(trajectory, states=states)
    figure = run_figure(trajectory, "potential", time_axis=scale)
    line = curves(figure.axes[0])[symbol_label("V")]
    assert len(line) < 5 * decimation_module.COLUMNS
    assert line[:, 1].max() == pytest.approx(123.0)
    path, numbers = write_figure(figure, tmp_path / "f.pdf")
    assert path.stat().st_size < 500_000
    table = columns(numbers)
    assert table["plasma.V (mV)"].max() == pytest.approx(123.0)
    assert trajectory.time[spike] in table["time (s)"]
