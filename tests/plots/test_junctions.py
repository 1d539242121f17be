"""Figures of liquid junctions: the numbers drawn are those of the junction, and nothing overlaps or is cut off."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from iontide.electrode import junction
from iontide.electrode.junctions.liquid_junction import CONVENTION, METHODS
from iontide.electrode.junctions.transient import form_junction
from iontide.errors import UsageError
from iontide.plots import forming_figure, junction_figure, junction_table_figure, write_pair
from iontide.plots.junctions.profiles import MOST_ROWS, concentration_scale, signed

GLUCONATE = ({"K-gluconate": 140, "NaCl": 10}, {"NaCl": 140, "KCl": 5})
INSIDE = (
    dict.fromkeys(("Ca", "H", "OH"), 1e-4)
    | dict.fromkeys(("NH4", "Li", "SO4", "H2PO4"), 1)
    | {"Mg": 5, "HCO3": 5, "EGTA2": 5, "ATP4": 2, "GTP4": 0.3, "aspartate": 3, "Cs": 10, "HEPES": 10, "Na": 10}
    | {"K": 120, "Cl": 20, "gluconate": 40, "methanesulfonate": 50}
)
OUTSIDE = {"K": 4, "Na": 140, "Ca": 2, "Mg": 1, "H": 5e-5, "OH": 2e-4, "HCO3": 24, "Cl": 120, "H2PO4": 1, "SO4": 0.5}
CASES = {
    "two": ({"NaCl": 1000}, {"NaCl": 100}),
    "four": GLUCONATE,
    "seven": (
        {"K-gluconate": 120, "KCl": 20, "NaCl": 20, "K": 10, "HEPES": 10, "MgCl2": 2},
        {"NaCl": 140, "KCl": 5, "CaCl2": 2, "MgCl2": 1},
    ),
    "twenty": (INSIDE, OUTSIDE),
    "equal": ({"NaCl": 100, "KCl": 5}, {"NaCl": 100, "KCl": 5}),
    "ratio": ({"NaCl": 1000}, {"NaCl": 0.1}),
    "long": ({"hexaamminecobalt": 1, "tris_ethylenediamine_cobalt": 2, "Cl": 9}, {"NaCl": 9}),
    "dilute": ({"NaCl": 1e-3}, {"KCl": 1e-3}),
}


@pytest.fixture(scope="module")
def solved():
    return {name: junction(*pair, balance="Cl" if name == "twenty" else None) for name, pair in CASES.items()}


@pytest.fixture(scope="module")
def forming(solved):
    """Junctions in time, of the cases above and a few besides."""
    others = {
        "poisson": ("four", {"width": 50e-9, "poisson": True}),
        "single": ("four", {"times": [100.0]}),
    }
    return {
        name: (solved[case], formed(solved[case], **options))
        for name, (case, options) in ({case: (case, {}) for case in CASES if case != "dilute"} | others).items()
    }


def formed(found, **options):
    pair = found.pair
    return form_junction(pair.valences, pair.diffusion_coefficients, pair.pipette, pair.bath, **options)


def by_every_method(pipette, bath, **options):
    """A row of a table; None where a method does not apply."""
    row = {}
    for method in METHODS:
        try:
            row[method] = junction(pipette, bath, method=method, **options)
        except UsageError:
            row[method] = None
    return row


@pytest.fixture(scope="module")
def table():
    long = "K-gluconate 120, KCl 20, NaCl 10, Na-HEPES 10, MgCl2 2 | NaCl 140, KCl 5, CaCl2 2, MgCl2 1 (whole $cell$)"
    salts = [(f"{cation}Cl 100 | NaCl 100", {f"{cation}Cl": 100}, {"NaCl": 100}) for cation in ("H", "Li", "K", "Cs")]
    pairs = [*salts, ("gluconate", *GLUCONATE), (long, *CASES["seven"]), ("equal", {"KCl": 1}, {"KCl": 1})]
    pairs += [(f"NaCl {c} | NaCl 100", {"NaCl": c}, {"NaCl": 100}) for c in (0.1, 10, 200, 500, 3000)]
    assert len(pairs) == MOST_ROWS
    return [(label, by_every_method(*pair)) for label, *pair in pairs]


def drawn(axes, label: str) -> list:
    return [line for line in axes.get_lines() if line.get_label() == label]


def caption(figure) -> str:
    return " ".join(text.get_text() for text in reversed(figure.texts)).replace("\u00a0", " ")


def read(path) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    values = [[float(cell) if cell else np.nan for cell in row] for row in rows]
    return dict(zip(header, np.array(values).T, strict=True))


def assert_tidy(figure) -> None:
    """No text overlaps another or lies within axes, and everything is on the page."""
    figure.canvas.draw()
    page, renderer = figure.bbox, figure.canvas.get_renderer()
    boxes = []
    for axes in figure.axes:
        texts = [axes.xaxis.label, axes.yaxis.label, *axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()]
        boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_visible() and t.get_text()]
        boxes.append(("axes", axes.get_window_extent(renderer)))
    boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in figure.texts]
    inner = [box.padded(-1.5) for _, box in boxes]
    for k, (name, box) in enumerate(boxes):
        assert page.x0 <= box.x0, name
        assert box.x1 <= page.x1, name
        assert page.y0 <= box.y0, name
        assert box.y1 <= page.y1, name
        for (other, _), second in zip(boxes[k + 1 :], inner[k + 1 :], strict=True):
            assert not inner[k].overlaps(second), (name, other)


# -- one junction -----------------------------------------------------------------------------------------------------


def test_profile_drawn_is_that_of_the_junction(solved):
    found = solved["four"]
    profile = found.profile()
    figure = junction_figure(found)
    upper, lower = figure.axes
    for k, name in enumerate(found.ions):
        np.testing.assert_array_equal(figure.data[f"{name} (mM)"], profile.concentrations[k])
        np.testing.assert_array_equal(upper.get_lines()[k].get_ydata(), profile.concentrations[k])
    position = figure.data["position (0 pipette; 1 bath)"]
    assert (position[0], position[-1]) == (0.0, 1.0)
    np.testing.assert_allclose(figure.data["potential (mV)"], 1e3 * profile.potential)
    (final,) = drawn(lower, "_final")
    assert final.get_xydata()[0] == pytest.approx([1.0, 1e3 * found.potential])
    assert [upper.get_ylabel(), lower.get_ylabel()] == ["Concentration (mM)", "Potential (mV)"]
    ticks = [label.get_text() for label in lower.get_xticklabels()]
    assert (ticks[0], ticks[-1]) == ("0\npipette", "1\nbath")


def test_what_is_said_of_a_junction(solved):
    words = caption(junction_figure(solved["twenty"]))
    assert CONVENTION in words
    assert f"LJP {signed(1e3 * solved['twenty'].potential)} mV" in words
    assert "method nernst-planck, activities ideal, 25 °C" in words
    assert "Bath: Cl taken as 124 mM, in place of 120, to balance the charges." in words
    davies = junction(*GLUCONATE, temperature=310.15, activity="davies")
    assert "activities davies, 37 °C" in caption(junction_figure(davies))


def test_concentrations_are_logarithmic_where_they_are_far_apart(solved):
    scales = {name: junction_figure(solved[name]).axes[0].get_yscale() for name in ("two", "four", "ratio", "twenty")}
    assert scales == {"two": "linear", "four": "linear", "ratio": "log", "twenty": "log"}


def test_an_ion_on_its_way_to_nothing_makes_no_axis_logarithmic():
    falling, level = np.linspace(100.0, 0.0, 1001), np.full(1001, 50.0)
    scale, (low, high) = concentration_scale(np.array([falling, level]))
    assert not scale.logarithmic
    assert low < 0.0 < 100.0 < high
    # Where others are far apart, its line leaves below the least of them.
    scale, (low, high) = concentration_scale(np.array([falling, level / 500.0]))
    assert scale.logarithmic
    assert 0.0 < low < 0.1 < 100.0 < high
    # A dip between the two ends counts as any other concentration.
    assert concentration_scale(np.array([100.0, 0.5, 100.0]))[0].logarithmic


def test_many_ions_and_long_names_have_a_key_of_all_of_them(solved):
    for name in ("twenty", "long"):
        found = solved[name]
        figure = junction_figure(found)
        labels = {line.get_label() for line in figure.axes[0].get_lines()}
        assert len(labels) == len(found.ions)
        assert labels <= {text.get_text() for text in figure.texts}
    beside = junction_figure(solved["four"])
    labels = {line.get_label() for line in beside.axes[0].get_lines()} - {"_stroke"}
    assert labels <= {text.get_text() for text in beside.axes[0].texts}


@pytest.mark.parametrize("name", CASES)
def test_a_junction_is_drawn_tidily(solved, name):
    assert_tidy(junction_figure(solved[name]))


def test_a_junction_is_drawn_tidily_at_other_widths(solved):
    for name, width in (("four", 50.0), ("twenty", 60.0), ("seven", 183.0)):
        figure = junction_figure(solved[name], width)
        assert figure.get_figwidth() * 25.4 == pytest.approx(width, rel=1e-12)
        assert_tidy(figure)


def test_what_cannot_be_drawn_of_a_junction_is_refused(solved):
    with pytest.raises(UsageError, match="henderson gives no profile between"):
        junction_figure(junction(*GLUCONATE, method="henderson"))
    for width in (10.0, 0.0, float("nan")):
        with pytest.raises(UsageError, match="must be 50 to 1000 mm"):
            junction_figure(solved["two"], width)


# -- a table ----------------------------------------------------------------------------------------------------------


def test_table_holds_the_potentials_of_all_methods(table):
    figure = junction_table_figure(table)
    (axes,) = figure.axes
    texts = [text.get_text() for text in figure.texts]
    for k, method in enumerate(METHODS):
        expected = [np.nan if row[method] is None else 1e3 * row[method].potential for _, row in table]
        np.testing.assert_array_equal(figure.data[f"LJP {method} (mV)"], expected)
        (dots,) = drawn(axes, f"_dots {k}")
        np.testing.assert_array_equal(dots.get_xdata(), expected)
        assert {signed(value) for value in expected if np.isfinite(value)} <= set(texts)
    assert texts.count("—") == sum(row["lewis-sargent"] is None for _, row in table) > 0
    assert "A dash: the method does not apply." in caption(figure)
    assert CONVENTION in caption(figure)
    (codes,) = [name for name in figure.data if name.startswith("solutions (0 HCl 100 | NaCl 100; 1 LiCl")]
    np.testing.assert_array_equal(figure.data[codes], np.arange(len(table)))
    assert len({to_hex(drawn(axes, f"_dots {k}")[0].get_color()) for k in range(len(METHODS))}) == len(METHODS)


def test_dots_are_at_the_height_of_their_row(table):
    figure = junction_table_figure(table)
    figure.canvas.draw()
    (axes,) = figure.axes
    (dots,) = drawn(axes, "_dots 1")  # of three methods the middle one
    up = axes.transData.transform(dots.get_xydata())[:, 1]
    for (_, row), y in zip(table, up, strict=True):
        told = signed(1e3 * row["henderson"].potential)
        boxes = [text.get_window_extent() for text in figure.texts if text.get_text() == told]
        assert any(box.y0 < y < box.y1 for box in boxes)


def test_signs_are_written_and_nothing_has_none():
    assert [signed(x) for x in (4.826, -15.2, 0.0, -0.0, -0.004, 1234.5)] == [
        *("+4.83", "−15.20", "0.00", "0.00", "0.00", "+1234.50")
    ]


def test_more_methods_have_their_own_columns(table):
    more = [(label, row | {"henderson, davies": row["henderson"], "planck": None}) for label, row in table[:4]]
    del more[2][1]["henderson"]  # what is not given is as what does not apply
    figure = junction_table_figure(more)
    given = [name.removeprefix("LJP ").removesuffix(" (mV)") for name in list(figure.data)[1:]]
    assert given == [*METHODS, "henderson, davies", "planck"]
    assert np.isnan(figure.data["LJP henderson (mV)"]).tolist() == [False, False, True, False]
    assert_tidy(figure)


@pytest.mark.parametrize(("rows", "width"), [(12, 183.0), (12, 89.0), (1, 183.0), (3, 120.0)])
def test_a_table_is_drawn_tidily(table, rows, width):
    assert_tidy(junction_table_figure(table[-rows:], width))


def test_a_table_that_finds_no_room_is_refused(table):
    with pytest.raises(UsageError, match="room for 12 pairs of solutions, got 13"):
        junction_table_figure([*table, ("one more", table[0][1])])
    with pytest.raises(UsageError, match="at least one pair"):
        junction_table_figure([])
    with pytest.raises(UsageError, match="'gluconate' twice"):
        junction_table_figure([table[4], table[4]])
    with pytest.raises(UsageError, match="no method applies"):
        junction_table_figure([("none", {"lewis-sargent": None})])
    with pytest.raises(UsageError, match="has room for 6 methods, got 7"):
        junction_table_figure([("many", {f"method {k}": table[0][1]["henderson"] for k in range(7)})])
    with pytest.raises(UsageError, match="60 mm wide leaves no room for 3 methods"):
        junction_table_figure(table, 60.0)
    with pytest.raises(UsageError, match="a page holds 240; give shorter labels"):
        junction_table_figure([(label * 9, row) for label, row in table], 89.0)


# -- in time ----------------------------------------------------------------------------------------------------------


def numbers(column: np.ndarray, count: int) -> np.ndarray:
    assert np.isnan(column[count:]).all()
    return column[:count]


def test_junction_in_time_is_drawn_as_it_was_computed(forming):
    found, run = forming["four"]
    figure = forming_figure(found.ions, run, stationary=found.potential)
    data, (first, *profiles) = figure.data, figure.axes
    np.testing.assert_array_equal(numbers(data["time (s)"], len(run.time)), run.time)
    volts = numbers(data["junction potential (mV)"], len(run.time))
    np.testing.assert_array_equal(volts, 1e3 * run.junction_potential)
    assert numbers(data["stationary potential (mV)"], len(run.time)) == pytest.approx(1e3 * found.potential)
    # Both stand for the same thing with the same sign.
    assert volts[-1] == pytest.approx(1e3 * found.potential, abs=0.01)
    np.testing.assert_allclose(numbers(data["position (mm)"], len(run.position)), 1e3 * run.position)
    assert (first.get_xscale(), first.get_xlim()) == ("symlog", (0.0, run.time[-1]))
    (line,) = drawn(first, "_potential")
    np.testing.assert_array_equal(line.get_xydata(), np.column_stack([run.time, volts])[1:])
    (start,) = drawn(first, "_first")
    np.testing.assert_array_equal(start.get_ydata(), volts[:2])
    assert drawn(first, "_stationary")[0].get_ydata()[0] == pytest.approx(1e3 * found.potential)

    moments = [int(np.searchsorted(run.time, dot.get_xdata()[0])) for dot in drawn(first, "_moment")]
    assert (moments[0], moments[-1], len(moments)) == (0, len(run.time) - 1, 5)
    assert len(profiles) == len(found.ions) + 1
    for n, m in enumerate(moments):
        at = f"at {run.time[m]:.6g} s"
        for k, name in enumerate(found.ions):
            expected = run.concentrations[m, :, k]
            np.testing.assert_array_equal(numbers(data[f"{name} {at} (mM)"], len(run.position)), expected)
            np.testing.assert_array_equal(drawn(profiles[k], "_profile")[n].get_ydata(), expected)
        np.testing.assert_array_equal(drawn(profiles[-1], "_profile")[n].get_ydata(), 1e3 * run.potential[m])
        colours = {to_hex(drawn(axes, "_profile")[n].get_color()) for axes in profiles}
        assert colours == {to_hex(drawn(first, "_moment")[n].get_color())}
    assert CONVENTION in caption(figure)


def test_moments_show_what_happens_fast_and_what_happens_late(forming):
    """With Gauss's law the potential rises in nanoseconds, and the ions take a thousand times as long."""
    found, run = forming["poisson"]
    dots = np.array([dot.get_xydata()[0] for dot in drawn(forming_figure(found.ions, run).axes[0], "_moment")])
    half = 0.5 * run.junction_potential.max() * 1e3
    assert (np.abs(dots[:, 1] - half) < 0.15 * half).any()
    profiles = run.concentrations[np.searchsorted(run.time, dots[:, 0])]
    changed = np.abs(profiles - profiles[0]).mean(axis=(1, 2))
    assert ((0.05 * changed[-1] < changed) & (changed < 0.7 * changed[-1])).any()


def test_of_many_ions_those_that_change_most_are_shown(forming):
    found, run = forming["twenty"]
    figure = forming_figure(found.ions, run)
    shown = [name.removesuffix(" at 0 s (mM)") for name in figure.data if name.endswith(" at 0 s (mM)")]
    change = dict(zip(found.ions, np.abs(found.pair.bath - found.pair.pipette), strict=True))
    assert set(shown) == set(sorted(found.ions, key=change.__getitem__)[-6:])
    assert "Shown are 6 of 20 ions" in caption(figure)


@pytest.mark.parametrize(
    ("width", "unit", "size"), [(1e-3, "mm", 1e3), (5e-5, "um", 1e6), (1e-6, "um", 1e6), (5e-8, "nm", 1e9)]
)
def test_positions_are_in_a_unit_that_fits_the_junction(forming, width, unit, size):
    found, run = forming["two"]
    scaled = replace(run, position=run.position * width / 1e-3, widths=run.widths * width / 1e-3)
    data = forming_figure(found.ions, scaled).data
    np.testing.assert_allclose(numbers(data[f"position ({unit})"], len(run.position)), size * scaled.position)


def test_few_samples_and_equal_solutions_are_drawn(forming):
    found, run = forming["single"]
    axes = forming_figure(found.ions, run).axes[0]
    assert axes.get_xscale() == "linear"
    assert len(drawn(axes, "_moment")) == 2
    found, run = forming["equal"]
    figure = forming_figure(found.ions, run)
    assert len(drawn(figure.axes[0], "_moment")) == 2
    assert not drawn(figure.axes[0], "_stationary")
    assert not [name for name in figure.data if "stationary" in name]


@pytest.mark.parametrize("name", ["seven", "twenty", "ratio", "long", "poisson", "single"])
def test_a_junction_in_time_is_drawn_tidily(forming, name):
    found, run = forming[name]
    assert_tidy(forming_figure(found.ions, run, 183.0 if name == "twenty" else 89.0, stationary=found.potential))


def test_a_narrow_junction_in_time_is_drawn_tidily(forming):
    found, run = forming["four"]
    assert_tidy(forming_figure(found.ions, run, 60.0, stationary=found.potential))


def test_what_does_not_fit_a_junction_in_time_is_refused(forming):
    found, run = forming["two"]
    with pytest.raises(UsageError, match="holds 2 ions, and 1 names are given: Na"):
        forming_figure(["Na"], run)
    with pytest.raises(UsageError, match="names of the ions must differ, got Na, Na"):
        forming_figure(["Na", "Na"], run)
    with pytest.raises(UsageError, match="finite number of V, got nan"):
        forming_figure(found.ions, run, stationary=float("nan"))
    with pytest.raises(UsageError, match="must be 50 to 1000 mm"):
        forming_figure(found.ions, run, 10.0)
    with pytest.raises(UsageError, match="leaves no room"):
        forming_figure(["Na", "a_name_that_is_longer_than_the_page_is_wide_and_goes_on_and_on_and_on"], run)


# -- files ------------------------------------------------------------------------------------------------------------


def test_figures_are_written_with_their_numbers_beside(solved, table, forming, tmp_path):
    found, run = forming["four"]
    figures = {
        "profile": junction_figure(solved["four"]),
        "table": junction_table_figure(table[:5]),
        "forming": forming_figure(found.ions, run, stationary=found.potential),
    }
    for name, figure in figures.items():
        files = write_pair(figure, tmp_path / name)
        assert [path.suffix for path in files] == [".pdf", ".csv", ".png"]
        assert b"/FontType 3" not in files[0].read_bytes()
        written = read(files[1])
        assert list(written) == list(figure.data)
        for column, values in figure.data.items():
            np.testing.assert_allclose(written[column], values, rtol=1e-11, atol=1e-300)
