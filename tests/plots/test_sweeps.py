"""Figures of sweeps: what is drawn is what was computed, nothing that failed is hidden, and nothing overlaps."""

from __future__ import annotations

import csv
import json
import math
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import LogNorm, to_hex

from iontide.analysis.classification import KIND_NAMES, KINDS
from iontide.cli.sweeps.figures import draw_sweep, is_sweep, plot_sweep, points_of
from iontide.errors import UsageError
from iontide.plots.choices import SWEEP_KINDS
from iontide.plots.drawing.scales import Scale, scale_for
from iontide.plots.files import write_figure
from iontide.plots.sweeps.curves import curve_figure
from iontide.plots.sweeps.families import MOST_LINES, evenly_through, families_figure
from iontide.plots.sweeps.grids import edges, grid_of, plane_of
from iontide.plots.sweeps.indices import indices_figure
from iontide.plots.sweeps.kinds import SweepOptions, fitting_kind, sweep_figure
from iontide.plots.sweeps.maps import map_figure, verdict_figure
from iontide.plots.sweeps.marginals import marginal_figure
from iontide.plots.sweeps.page import KIND_COLOURS, category_colours
from iontide.plots.sweeps.points import COMPUTED, EXCLUDED, FAILED, MISSING, SweepColumn, SweepPoints, describe_points
from iontide.plots.sweeps.summaries import bands, bins_along, shares
from iontide.sweeps.backends.work import work
from iontide.sweeps.dataset import open_sweep
from iontide.sweeps.plan.plan import load_plan
from iontide.sweeps.sobol_indices import sobol_indices, split_saltelli
from iontide.sweeps.store.merging import merge
from iontide.sweeps.store.store import Store
from tests.support.paths import SCENARIO_FILES

THERMAL = 26.7  # mV
RATIO, POTASSIUM = "parameters.Na_to_K", "compartments.bath.concentrations.K"


def ghk(ratio: np.ndarray, potassium: np.ndarray) -> np.ndarray:
    """Potential, mV, over P_Na/P_K and K outside, mM."""
    return THERMAL * np.log((potassium + 145.0 * ratio) / (140.0 + 10.0 * ratio))


def sweep_of(ratio: np.ndarray, potassium: np.ndarray, status: np.ndarray | None = None, design: str = "grid"):
    status = np.zeros(len(ratio), dtype=np.int8) if status is None else status
    v = np.where(status == COMPUTED, ghk(ratio, potassium), np.nan)
    verdict = np.where(v < -50.0, 1, 2)
    verdict = np.where(status == COMPUTED, verdict, np.where(status == FAILED, 4, -1))
    time = np.linspace(0.0, 10.0, 21)
    along = v[:, np.newaxis] * (1.0 - np.exp(-time))
    state = np.column_stack([potassium, 2.0 * potassium])
    name = "membrane potential of plasma, inside minus outside"
    outputs = {
        "plasma.V": SweepColumn("plasma.V", v, "mV", long_name=name),
        "verdict": SweepColumn("verdict", verdict, categories=KINDS, long_name="verdict"),
        "end": SweepColumn("end", state, dimension="state", parts=("amount K cell", "amount Na cell")),
        "trajectory(plasma.V)": SweepColumn("trajectory(plasma.V)", along, "mV", long_name=name, dimension="time"),
    }
    axes = (SweepColumn(RATIO, ratio), SweepColumn(POTASSIUM, potassium, "mM"))
    return SweepPoints("GHK potential", axes, status, outputs, time, design)


def gridded(status: np.ndarray | None = None) -> SweepPoints:
    ratio, potassium = np.meshgrid(np.logspace(-3, 0, 7), np.linspace(2.0, 20.0, 5), indexing="ij")
    return sweep_of(ratio.ravel(), potassium.ravel(), status)


def scattered(count: int = 60, status: np.ndarray | None = None) -> SweepPoints:
    rng = np.random.default_rng(0)
    return sweep_of(10.0 ** rng.uniform(-3, 0, count), rng.uniform(2, 20, count), status, "random")


def along_one(status: np.ndarray | None = None) -> SweepPoints:
    points = sweep_of(np.logspace(-3, 0, 13), np.full(13, 4.0), status)
    return replace(points, axes=points.axes[:1])


def marred(count: int) -> np.ndarray:
    status = np.zeros(count, dtype=np.int8)
    status[[1, 8]], status[12], status[3] = FAILED, MISSING, EXCLUDED
    return status


def artists(axes, label: str):
    return [a for a in axes.get_children() if a.get_label() == label]


def caption(figure) -> str:
    return " ".join(text.get_text() for text in reversed(figure.texts))


# -- families ---------------------------------------------------------------------------------------------------------


def test_families_are_the_trajectories_coloured_by_what_is_varied():
    points = gridded()
    figure = families_figure(points)
    axes, bar = figure.axes
    (family,) = artists(axes, "_family")
    assert isinstance(family, LineCollection)
    assert isinstance(family.norm, LogNorm)
    order = np.argsort(points.axes[0].values, kind="stable")
    np.testing.assert_array_equal(family.get_array(), points.axes[0].values[order])
    drawn = np.array(family.get_segments())
    np.testing.assert_allclose(drawn[:, :, 1], points.outputs["trajectory(plasma.V)"].values[order])
    assert bar.get_ylabel() == "Na_to_K"
    assert "35 trajectories" in caption(figure)
    assert "Varied too: concentration of K in bath" in caption(figure)
    assert len(figure.data) == 36


def test_of_many_trajectories_some_are_drawn_and_it_is_said():
    figure = families_figure(scattered(1000))
    (family,) = artists(figure.axes[0], "_family")
    assert len(family.get_segments()) == MOST_LINES
    assert f"{MOST_LINES} of 1000 trajectories" in caption(figure)


def test_those_drawn_are_spread_evenly_with_both_ends():
    values = np.random.default_rng(0).random(1000)
    chosen = values[evenly_through(values, 50)]
    assert (np.diff(chosen) > 0).all()
    assert (chosen[0], chosen[-1]) == (values.min(), values.max())


def test_families_may_be_coloured_by_a_verdict():
    points = gridded(marred(35))
    figure = families_figure(points, by="verdict")
    assert len(figure.axes) == 1
    (family,) = artists(figure.axes[0], "_family")
    assert len(family.get_segments()) == 31
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["Donnan equilibrium", "driven steady state"]
    colours = {to_hex(c).upper() for c in family.get_colors()}
    assert colours == {"#009E73", "#E69F00"}
    assert "2 failed, 1 missing, 1 excluded" in caption(figure)


def test_trajectories_recorded_early_have_a_symlog_axis():
    points = replace(gridded(), time=np.concatenate([[0.0], np.logspace(-4, 3, 20)]))
    assert families_figure(points).axes[0].get_xscale() == "symlog"
    assert families_figure(gridded()).axes[0].get_xscale() == "linear"


# -- maps -------------------------------------------------------------------------------------------------------------


def test_a_grid_is_drawn_cell_by_cell_around_its_points():
    points = gridded()
    figure = map_figure(points)
    axes, bar = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    (cells,) = artists(axes, "_cells")
    assert isinstance(cells, QuadMesh)
    np.testing.assert_allclose(cells.get_array(), points.outputs["plasma.V"].values.reshape(7, 5).T)
    corners = cells.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], np.logspace(-3.25, 0.25, 8))
    np.testing.assert_allclose(corners[:, 0, 1], np.linspace(-0.25, 22.25, 6))
    assert bar.get_ylabel().replace("\n", " ") == "Membrane potential of plasma, inside minus outside (mV)"
    assert axes.get_ylabel() == "Concentration of K in bath (mM)"


def test_a_grid_in_any_order_of_points_is_the_same():
    points = gridded()
    order = np.random.default_rng(1).permutation(35)
    shuffled = replace(points.of(order), outputs={k: c.of(order) for k, c in points.outputs.items()})
    first, second = (artists(map_figure(p).axes[0], "_cells")[0].get_array() for p in (points, shuffled))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("contours", [False, True])
def test_what_failed_is_missing_or_excluded_is_a_gap_with_a_mark(contours):
    status = marred(35)
    points = gridded(status)
    figure = map_figure(points, contours=contours)
    axes = figure.axes[0]
    for label, code in (("_failed", FAILED), ("_missing", MISSING)):
        (marks,) = artists(axes, label)
        expected = np.column_stack([a.values[status == code] for a in points.axes])
        np.testing.assert_allclose(marks.get_offsets(), expected)
    assert artists(axes, "_excluded")[0].get_array().count() == 1
    if not contours:
        assert artists(axes, "_cells")[0].get_array().count() == 31
    assert "35 points: 2 failed (×), 1 missing (□), 1 excluded (grey)." in caption(figure)


def test_a_verdict_of_a_point_that_failed_is_none():
    """The engine leaves a word for no verdict there, which must not be drawn as if it were one."""
    points = gridded(marred(35))
    figure = verdict_figure(points)
    (cells,) = artists(figure.axes[0], "_cells")
    assert cells.get_array().count() == 31
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [
        "Donnan equilibrium",
        "driven steady state",
        "failed",
        "missing",
        "excluded",
    ]


def test_verdicts_have_their_colours():
    figure = verdict_figure(gridded())
    (cells,) = artists(figure.axes[0], "_cells")
    drawn = cells.cmap(cells.norm(np.arange(5)))
    assert [to_hex(c).upper() for c in drawn] == [c.upper() for c in category_colours(KINDS)]
    assert set(KIND_COLOURS) == set(KINDS)
    assert len(set(category_colours([*KINDS, "a", "b", "c"]))) == 8


def test_scattered_points_are_joined_and_shown():
    points = scattered(60)
    figure = map_figure(points)
    axes = figure.axes[0]
    (dots,) = artists(axes, "_points")
    assert isinstance(dots, PathCollection)
    np.testing.assert_allclose(dots.get_array(), points.outputs["plasma.V"].values)
    (triangles,) = artists(axes, "_triangles")
    v = points.outputs["plasma.V"].values
    assert v.min() <= triangles.get_array().min() <= triangles.get_array().max() <= v.max()
    assert "points (dots)" in caption(figure)


def test_no_triangle_touches_a_point_that_failed():
    status = marred(60)
    points = scattered(60, status)
    (triangles,) = artists(map_figure(points).axes[0], "_triangles")
    corners = np.concatenate([p.vertices[:3] for p in triangles.get_paths()])
    failed = np.flatnonzero(status != COMPUTED)
    assert len(failed)
    for row in failed:
        place = np.array([a.values[row] for a in points.axes])
        assert not np.isclose(corners, place, rtol=1e-12).all(axis=1).any()


@pytest.mark.parametrize("points", [gridded(), scattered(400)])
def test_contours_lie_where_the_value_is(points):
    figure = map_figure(points, contours=True)
    axes = figure.axes[0]
    lines = [a for a in axes.collections if hasattr(a, "levels") and not a.filled]
    ends = [(level, p.vertices) for a in lines for level, p in zip(a.levels, a.get_paths(), strict=True)]
    assert sum(len(vertices) for _, vertices in ends) > 20
    for level, vertices in ends:
        if len(vertices):
            assert np.abs(ghk(*vertices.T) - level).max() < 5.0


def test_contours_are_exact_of_what_is_linear_along_the_axes_as_drawn():
    points = gridded()
    level = np.log10(points.axes[0].values)
    points.outputs["plasma.V"] = SweepColumn("plasma.V", level, "mV")
    figure = map_figure(points, contours=True)
    lines = [a for a in figure.axes[0].collections if hasattr(a, "levels") and not a.filled]
    assert any(len(path.vertices) for a in lines for path in a.get_paths())
    for a in lines:
        for value, path in zip(a.levels, a.get_paths(), strict=True):
            np.testing.assert_allclose(np.log10(path.vertices[:, 0]), value, atol=1e-9)


def test_other_parameters_are_held_at_a_level_and_it_is_said():
    points = gridded()
    pump = np.repeat([1.0, 2.0, 4.0], 35)
    three = SweepPoints(
        "three",
        (*(replace(a, values=np.tile(a.values, 3)) for a in points.axes), SweepColumn("parameters.pump", pump, "mM")),
        np.zeros(105, dtype=np.int8),
        {"V": SweepColumn("V", np.arange(105.0), "mV")},
    )
    figure = map_figure(three)
    assert "At pump = 2 mM." in caption(figure)
    np.testing.assert_array_equal(np.sort(artists(figure.axes[0], "_cells")[0].get_array().ravel()), np.arange(35, 70))
    figure = map_figure(three, at={"pump": "3.9"})
    assert "At pump = 4 mM." in caption(figure)
    assert len(figure.data["V (mV)"]) == 35
    assert [c.name for c in (plane_of(three, x="pump").x, plane_of(three, x="pump").y)] == ["parameters.pump", RATIO]


def test_where_others_vary_all_over_points_are_not_joined():
    points = scattered(60)
    other = SweepColumn("parameters.P_Cl", np.random.default_rng(5).random(60), "m/s")
    three = replace(points, axes=(*points.axes, other))
    figure = map_figure(three)
    assert not artists(figure.axes[0], "_triangles")
    assert "Varied too, so that neighbours differ: P_Cl." in caption(figure)
    with pytest.raises(UsageError, match="need the others to have levels"):
        map_figure(three, contours=True)


def test_edges_are_halfway_as_drawn():
    np.testing.assert_allclose(edges(np.array([1.0, 2.0, 4.0]), Scale(1, 4)), [0.5, 1.5, 3.0, 5.0])
    np.testing.assert_allclose(edges(np.array([1.0, 100.0]), Scale(1, 100, True)), [0.1, 10.0, 1000.0])
    np.testing.assert_allclose(edges(np.array([0.0, 1.0]), Scale(0, 1, words=("a", "b"))), [-0.5, 0.5, 1.5])


def test_a_list_with_a_point_twice_or_a_hole_is_no_grid():
    points = gridded()
    assert grid_of(plane_of(points)) is not None
    rows = np.arange(35)
    rows[3] = 4
    assert grid_of(plane_of(points.of(rows))) is None
    assert grid_of(plane_of(points.of(rows[:-1]))) is None


# -- curves, marginals, indices ---------------------------------------------------------------------------------------


def test_a_curve_is_the_quantity_against_the_parameter_with_gaps():
    status = np.zeros(13, dtype=np.int8)
    status[[2, 5]], status[7] = FAILED, MISSING
    points = along_one(status)
    figure = curve_figure(points, ["plasma.V", "verdict"])
    first, second = figure.axes
    (curve,) = artists(first, "_curve")
    np.testing.assert_array_equal(curve.get_ydata(), points.outputs["plasma.V"].values)
    (failed,), (missing,) = artists(first, "_failed"), artists(first, "_missing")
    np.testing.assert_array_equal(failed.get_xdata(), points.axes[0].values[[2, 5]])
    np.testing.assert_array_equal(missing.get_xdata(), points.axes[0].values[[7]])
    assert artists(second, "_curve")[0].get_linestyle() == "None"
    assert [t.get_text() for t in second.get_yticklabels()] == [KIND_NAMES[kind] for kind in KINDS]


def test_curves_have_a_line_for_every_level_of_a_second_parameter():
    points = gridded()
    figure = curve_figure(points, along="K")
    lines = artists(figure.axes[0], "_curve")
    assert len(lines) == 7
    for k, line in enumerate(lines):
        np.testing.assert_allclose(line.get_ydata(), points.outputs["plasma.V"].values[5 * k : 5 * k + 5])
    assert len({to_hex(line.get_color()) for line in lines}) == 7


def test_bands_are_quantiles_of_the_points_of_a_bin():
    rng = np.random.default_rng(2)
    axis = SweepColumn("parameters.P", rng.random(1000))
    bins = bins_along(axis)
    assert set(np.bincount(bins.which)) == {40}
    v = rng.normal(size=1000)
    has_value = rng.random(1000) > 0.1
    found = bands(bins, v, has_value)
    own = (bins.which == 3) & has_value
    np.testing.assert_allclose(found[3], np.quantile(v[own], [0.1, 0.5, 0.9]))
    assert (axis.values[bins.which == 3].max() <= axis.values[bins.which == 4].min()).all()


def test_a_parameter_with_levels_is_summed_up_level_by_level():
    bins = bins_along(gridded().axes[0])
    np.testing.assert_allclose(bins.centre, np.logspace(-3, 0, 7))
    np.testing.assert_allclose(bins.edges, np.logspace(-3.25, 0.25, 8))


def test_shares_add_up_to_one_with_those_that_have_no_word():
    bins = bins_along(gridded().axes[1])
    places = np.where(np.arange(35) % 7 == 0, -1, np.arange(35) % 2)
    found = shares(bins, places, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    np.testing.assert_allclose(found[0, 2], np.mean(places[bins.which == 0] < 0))


def test_marginals_have_a_panel_a_parameter_and_a_histogram():
    status = np.zeros(600, dtype=np.int8)
    status[:20] = FAILED
    points = scattered(600, status)
    figure = marginal_figure(points)
    first, second, histogram = figure.axes
    assert math.isclose(sum(bar.get_width() for bar in histogram.patches), 580)
    for axes, axis in ((first, points.axes[0]), (second, points.axes[1])):
        assert len(artists(axes, "_points")[0].get_offsets()) == 580
        assert len(artists(axes, "_failed")[0].get_xdata()) == 20
        bins = bins_along(axis)
        column = points.scalar("plasma.V")
        expected = bands(bins, column.values, column.has_value)
        np.testing.assert_allclose(artists(axes, "_median")[0].get_ydata(), expected[:, 1])
    assert first.get_ylim() == second.get_ylim() == histogram.get_ylim()
    assert len(figure.data["plasma.V (mV)"]) == 600


def test_of_very_many_points_some_are_drawn_and_it_is_said():
    status = np.zeros(120_000, dtype=np.int8)
    status[np.random.default_rng(3).choice(120_000, 1200, replace=False)] = FAILED
    points = scattered(120_000, status)
    figure = marginal_figure(points)
    axes = figure.axes[0]
    assert len(artists(axes, "_points")[0].get_offsets()) == len(figure.data["plasma.V (mV)"]) == 4000
    assert len(artists(axes, "_failed")[0].get_xdata()) == 60
    texts = caption(figure)
    assert "120 000 points: 1200 failed (×)." in texts
    assert "Marked of those that are failed (one in 20)." in texts
    assert math.isclose(sum(bar.get_width() for bar in figure.axes[2].patches), 118_800)
    figure = map_figure(points)
    (failed,) = artists(figure.axes[0], "_failed")
    assert 150 < len(failed.get_offsets()) < 250
    assert "Drawn: 20 000 of the points" in caption(figure)


def test_marginals_of_a_verdict_are_shares_and_what_failed_is_among_them():
    status = marred(35)
    figure = marginal_figure(gridded(status), "verdict")
    axes = figure.axes[0]
    heights = [sum(b.get_height() for c in axes.containers for b in [c.patches[k]]) for k in range(7)]
    np.testing.assert_allclose(heights, 100.0)
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels == ["Donnan equilibrium", "driven steady state", "no value"]


def saltelli(samples: int = 128):
    a, b = np.random.default_rng(4).random((2, samples, 2))
    rows = np.repeat(a[:, np.newaxis], 4, axis=1)
    rows[:, 1, 0], rows[:, 2, 1], rows[:, 3] = b[:, 0], b[:, 1], b
    shares_of = rows.reshape(-1, 2)
    points = sweep_of(10.0 ** (-3 + 3 * shares_of[:, 0]), 2 + 18 * shares_of[:, 1], design="saltelli")
    values = np.column_stack([c.values for c in points.axes])
    return points, lambda column: sobol_indices(*split_saltelli(values, column.values))


def test_indices_are_bars_with_intervals_the_greatest_first():
    points, of = saltelli()
    found = of(points.outputs["plasma.V"])
    reversed_axes = points.axes[::-1]
    flipped = replace(
        found,
        **{name: getattr(found, name)[::-1] for name in ("first", "total", "first_interval", "total_interval")},
    )
    figure = indices_figure("title", reversed_axes, [(points.outputs["plasma.V"], flipped)])
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["Na_to_K", "Concentration of K in bath"]
    assert axes.get_yticks()[0] > axes.get_yticks()[1]
    total, first = axes.containers
    np.testing.assert_allclose([b.get_width() for b in total], found.total)
    np.testing.assert_allclose([b.get_width() for b in first], found.first)
    (intervals,) = artists(axes, "_total_interval")
    np.testing.assert_allclose(np.array(intervals.get_segments())[:, :, 0], found.total_interval)
    assert "95 %, bootstrap over 128 base samples" in caption(figure)


# -- which figure, and what is refused --------------------------------------------------------------------------------


def test_the_kind_that_suits_is_drawn():
    def kind(points, *quantities):
        return fitting_kind(points, SweepOptions(quantities))

    assert kind(along_one()) == "curves"
    assert kind(gridded()) == "map"
    assert kind(gridded(), "verdict") == "verdicts"
    assert kind(gridded(), "trajectory(plasma.V)") == "families"
    only = replace(gridded(), outputs={k: c for k, c in gridded().outputs.items() if c.dimension == "time"})
    assert kind(only) == "families"
    three = replace(gridded(), axes=(*gridded().axes, SweepColumn("parameters.P", np.arange(35.0))))
    assert kind(three) == "marginals"
    points, _ = saltelli()
    assert kind(points) == "indices"
    assert kind(points, "verdict") == "verdicts"


def test_one_state_of_the_end_can_be_drawn():
    points = gridded()
    np.testing.assert_array_equal(points.scalar("end[amount Na cell]").values, 2.0 * points.axes[1].values)
    only = replace(points, outputs={"end": points.outputs["end"]})
    assert only.scalar().name == "end[amount K cell]"


@pytest.mark.parametrize(
    ("points", "kind", "options", "texts"),
    [
        (gridded(), "map", {"quantities": ("V",)}, "this sweep has no output `V`; it has plasma.V, verdict"),
        (gridded(), "map", {"quantities": ("trajectory(plasma.V)",)}, "is a trajectory: draw it with --kind families"),
        (gridded(), "map", {"quantities": ("end",)}, r"name one of end\[amount K cell\]"),
        (gridded(), "map", {"quantities": ("end[x]",)}, "has no `x`"),
        (gridded(), "map", {"x": "Na"}, "`Na` is not varied"),
        (gridded(), "map", {"x": "K", "y": "K"}, "two different parameters"),
        (gridded(), "map", {"at": {"K": 4.0}}, "is on an axis of the map"),
        (gridded(), "map", {"by": "K"}, "takes no by"),
        (gridded(), "map", {"quantities": ("plasma.V", "verdict")}, "shows one quantity"),
        (gridded(), "contours", {"quantities": ("verdict",)}, "has categories and no contours"),
        (gridded(), "verdicts", {"quantities": ("plasma.V",)}, "is a number and has no categories"),
        (along_one(), "map", {}, "needs two varied parameters"),
        (
            replace(gridded(), outputs={"V": gridded().outputs["plasma.V"]}),
            "families",
            {},
            "this sweep has no trajectories",
        ),
        (replace(gridded(), outputs={"V": gridded().outputs["plasma.V"]}), "verdicts", {}, "this sweep has no verdict"),
        (gridded(), "families", {"quantities": ("plasma.V",)}, r"is no trajectory.*trajectory\(plasma.V\)"),
        (gridded(), "indices", {}, "need a saltelli design"),
        (gridded(), "indices", {"quantities": ("verdict",)}, "has categories"),
        (gridded(), "curves", {"width": 20.0}, "50 to 1000 mm"),
        (gridded(np.full(35, FAILED)), "map", {}, "no value at any point .35 points: 35 failed"),
        (gridded(np.full(35, MISSING)), "families", {}, "no value at any point"),
        (gridded(), "pie", {}, "there is no figure `pie`"),
    ],
)
def test_what_cannot_be_drawn_is_told(points, kind, options, texts):
    with pytest.raises(UsageError, match=texts):
        sweep_figure(points, kind, SweepOptions(**options))


def test_points_on_a_line_have_no_map():
    points = sweep_of(np.linspace(0.1, 0.9, 9), np.linspace(2.0, 20.0, 9), design="zip")
    with pytest.raises(UsageError, match="these lie on a line"):
        map_figure(points)


def test_points_without_a_value_are_counted_too():
    points = gridded(marred(35))
    column = points.scalar("plasma.V")
    column.values[20] = np.nan
    assert describe_points(points, column).endswith("2 failed, 1 missing, 1 excluded, 1 without a value.")


# -- scales, layout, files --------------------------------------------------------------------------------------------


def test_an_axis_is_logarithmic_where_its_values_are_even_in_the_logarithm():
    assert scale_for(np.logspace(-8, -6, 9)).logarithmic
    assert not scale_for(np.linspace(1.0, 100.0, 9)).logarithmic
    assert scale_for(np.linspace(1.0, 100.0, 9), True).logarithmic
    assert not scale_for(np.array([0.0, 1.0, 10.0, 100.0]), True).logarithmic
    assert not scale_for(np.linspace(-90.0, 40.0, 9)).logarithmic
    assert scale_for(np.linspace(-90.0, 40.0, 9)).has_both_signs


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize(("low", "high"), [(1e-9, 1e-7), (2.0, 20.0), (137.0, 141.0), (3e-4, 5e4), (1e-20, 1e3)])
def test_ticks_lie_within_and_say_their_value(low, high, logarithmic):
    ticks = Scale(low, high, logarithmic).ticks(low, high, 5)
    assert 2 <= len(ticks.places) <= 6
    assert low - 1e-9 * high <= min(ticks.places)
    assert max(ticks.places) <= high * (1 + 1e-9)
    for place, label in zip(ticks.places, ticks.labels, strict=True):
        number = label.strip("$").replace(r"{\times}", "*").replace("10^{", "1e").replace("}", "")
        value = math.prod(float(part) for part in number.split("*"))
        assert math.isclose(value * ticks.factor, place, rel_tol=1e-9, abs_tol=1e-12 * high)


OTHERS = {
    "scattered": lambda marked: map_figure(scattered(60, marred(60))),
    "narrow": lambda marked: map_figure(marked, width_mm=60.0),
    "shares": lambda marked: marginal_figure(marked, "verdict"),
    "words": lambda marked: families_figure(marked, by="verdict"),
    "panels": lambda marked: curve_figure(along_one(), ["plasma.V", "verdict", "end[amount K cell]"]),
}


@pytest.mark.parametrize("kind", [*SWEEP_KINDS, *OTHERS])
def test_nothing_overlaps_and_all_is_on_the_page(kind, tmp_path):
    marked = gridded(marred(35))
    points, of = saltelli()
    if kind in OTHERS:
        figure = OTHERS[kind](marked)
    else:
        figure = sweep_figure(points if kind == "indices" else marked, kind, indices=of)
    figure.canvas.draw()
    page = figure.bbox
    renderer = figure.canvas.get_renderer()
    boxes = []
    for axes in figure.axes:
        texts = [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title]
        texts += [t for t in (*axes.get_xticklabels(), *axes.get_yticklabels()) if t.get_visible()]
        boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]
        boxes.append(("axes", axes.get_window_extent(renderer)))
    boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in figure.texts]
    boxes += [("legend", legend.get_window_extent(renderer)) for legend in figure.legends]
    inner = [b.padded(-1.5) for _, b in boxes]
    for k, (name, box) in enumerate(boxes):
        assert page.x0 <= box.x0, name
        assert box.x1 <= page.x1, name
        assert page.y0 <= box.y0, name
        assert box.y1 <= page.y1, name
        for (other, _), second in list(zip(boxes, inner, strict=True))[k + 1 :]:
            assert not inner[k].overlaps(second), (name, other)
    for suffix in (".pdf", ".png"):
        first = write_figure(figure, tmp_path / f"{kind}{suffix}")
        content = first[0].read_bytes()
        assert write_figure(figure, tmp_path / f"{kind}{suffix}")[0].read_bytes() == content
    assert b"/FontType 3" not in (tmp_path / f"{kind}.pdf").read_bytes()


def test_the_numbers_lie_beside_the_figure(tmp_path):
    points = gridded(marred(35))
    _, numbers = write_figure(map_figure(points), tmp_path / "map.pdf")
    with numbers.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 35
    assert rows[0][f"{POTASSIUM} (mM)"] == "2"
    assert rows[1]["plasma.V (mV)"] == ""
    assert [row["point (0 computed; 1 failed; 2 missing; 3 excluded)"] for row in rows[:4]] == ["0", "1", "0", "3"]


# -- from a folder to a file ------------------------------------------------------------------------------------------

PLAN = """
scenario = {scenario}
[sweep]
design = {design}
{size}
vary."parameters.P_K" = {{ {rule} = ["1e-8 m/s", "1e-7 m/s"]{points} }}
vary."compartments.bath.activity" = ["ideal", "davies"]
keep = ["plasma.V", "verdict", "end"]
"""


def computed(folder, design: str, size: str, rule: str, points: str):
    scenario = SCENARIO_FILES["ghk_resting_potential"]
    plan = folder / "plan.toml"
    texts = {"scenario": json.dumps(str(scenario)), "design": json.dumps(design)}
    plan.write_text(PLAN.format(size=size, rule=rule, points=points, **texts))
    Store.create(folder / "sweep", load_plan(plan))
    assert work(folder / "sweep").points
    return folder / "sweep"


def test_a_sweep_is_drawn_from_its_folder_and_from_its_merged_file(tmp_path):
    folder = computed(tmp_path, "grid", "", "log", ", points = 4")
    points, indices = points_of(folder)
    assert indices is None
    assert [a.categories for a in points.axes] == [(), ("ideal", "davies")]
    assert points.title.startswith(points_of(open_sweep(folder))[0].title)
    np.testing.assert_array_equal(points.outputs["plasma.V"].values, open_sweep(folder).output("plasma.V"))
    assert (points.status == COMPUTED).all()
    figure, numbers = plot_sweep(folder, tmp_path / "map.pdf", "map")
    assert figure.read_bytes().startswith(b"%PDF")
    assert len(numbers.read_text().splitlines()) == 9
    assert plot_sweep(folder, quantities="verdict")[0] == folder / "verdicts.pdf"
    state = points.outputs["end"].parts[0]
    assert plot_sweep(folder, tmp_path / "state.png", "marginals", quantities=f"end[{state}]")
    merged = merge(folder, tmp_path / "merged.h5")
    assert is_sweep(folder)
    assert is_sweep(merged)
    assert not is_sweep(tmp_path / "plan.toml")
    assert plot_sweep(merged, kind="curves")[0] == tmp_path / "merged.curves.pdf"


def test_indices_are_drawn_of_a_saltelli_design(tmp_path):
    folder = computed(tmp_path, "saltelli", "samples = 16", "log_uniform", "")
    (figure, numbers) = plot_sweep(folder)
    assert figure.name == "indices.pdf"
    with numbers.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    with pytest.raises(UsageError, match="has categories"):
        plot_sweep(folder, kind="indices", quantities=("verdict",))


def test_the_arguments_of_the_command_line_reach_the_figure(tmp_path):
    folder = computed(tmp_path, "grid", "", "log", ", points = 4")
    given = {
        "output": None,
        "kind": "map",
        "quantity": ["plasma.V"],
        "x": "activity",
        "y": "P_K",
        "by": None,
        "at": None,
    }
    paths = draw_sweep(folder, Namespace(**given, time=None, width=120.0))
    assert [p.name for p in paths] == ["map.pdf", "map.csv"]
    with pytest.raises(UsageError, match=r"--at must be PATH=VALUE.*'P_K'"):
        draw_sweep(folder, Namespace(**(given | {"at": ["P_K"]}), time=None, width=None))
