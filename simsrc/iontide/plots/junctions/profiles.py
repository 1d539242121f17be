"""Liquid junctions: the profile across one, and potentials of several by several methods, as a table and as dots."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ...constants import ZERO_CELSIUS
from ...electrode.junctions.liquid_junction import CONVENTION, METHODS
from ...errors import UsageError
from ..drawing import line_labels
from ..drawing.line_labels import shortened, text_width
from ..drawing.margins import LETTER, check_room, tick_label_width, write_letter
from ..drawing.names import species_label
from ..drawing.panels import LINEAR_RANGE, LOG_FLOOR, Curve, linear_limits
from ..drawing.scales import Scale, set_axis
from ..drawing.style import (
    DOUBLE_COLUMN,
    FAINT,
    INCH,
    LABEL_SIZE,
    SINGLE_COLUMN,
    SMALL_SIZE,
    TEXT_GREY,
    TOTAL_WIDTH,
    PaperFigure,
    paper_style,
    species_styles,
)
from ..sweeps.page import CATEGORY_COLOURS, sheet

if TYPE_CHECKING:
    from ...electrode.junctions.liquid_junction import Junction

#: Pairs of solutions and methods of one table, at most; height of a page, mm.
MOST_ROWS, MOST_METHODS, MOST_HEIGHT = 12, 6, 240.0

#: Colours and markers of the methods, one after the other.
_COLOURS, _MARKERS = ("#0072B2", "#D55E00", "#009E73", *CATEGORY_COLOURS[6:9]), "osD^vP"

#: Height of the panel of concentrations, of potentials, between the two, below both; mm.
_TALL, _LOW, _GAP, _FOOT = 38.0, 26.0, 7.0, 12.5

#: Line of a key of colours; the stroke before a name in it; mm.
KEY_LINE, _STROKE = 3.2, 3.6

#: From the top of a page to what is on it; from its edge; from tick labels to the label of their axis; mm.
HEAD, EDGE, AXIS_LABEL = 9.5, 1.0, 6.0

#: Of a table: line of text, what a row has besides, one dot, between columns, the axis below; mm.
_LINE, _PADDING, _DOT, _BETWEEN, _BELOW = 2.9, 1.9, 1.35, 3.0, 8.5

#: Narrowest column of solutions, narrowest dot plot, mm; the part of the page that the dot plot has at least.
_LEAST_LABELS, _LEAST_DOTS, _DOTS_PART = 15.0, 22.0, 0.3

#: Head of the first column of a table; space between a number and its unit, where a caption must not be broken.
_SOLUTIONS, NBSP = "Solutions", "\u00a0"

#: Shade of every other row.
_BAND = "#f3f3f3"

#: Least length of an axis of potentials, mV: below it, what is seen would be rounding.
LEAST_SPAN = 0.02


def junction_figure(junction: Junction, width_mm: float = SINGLE_COLUMN) -> PaperFigure:
    """Draw a stationary junction: concentrations and potential from the pipette to the bath.

    The potential is against the pipette, so that its value at the bath is the liquid junction potential.

    Parameters
    ----------
    junction : Junction
        By ``nernst-planck``.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn: mM and mV.

    Raises
    ------
    UsageError
        The method gives no profile between the solutions, or the width leaves no room.
    """
    profile = junction.profile()
    styles = species_styles(junction.ions)
    curves = [
        Curve(species_label(ion.name, ion.valence), f"{ion.name} (mM)", values, *styles[ion.name])
        for ion, values in zip(junction.pair.ions, profile.concentrations, strict=True)
    ]
    value = f"{signed(1e3 * junction.potential)}{NBSP}mV"
    potential = Curve(value, "potential (mV)", 1e3 * profile.potential, width=TOTAL_WIDTH)
    with paper_style():
        probe = sheet(width_mm, 50.0, "", [])  # to measure texts on
        names = max(text_width(probe, c.label, line_labels.LABEL_TEXT_SIZE) for c in curves)
        value_width = text_width(probe, value, line_labels.LABEL_TEXT_SIZE)
        right = EDGE + line_labels.GAP + max(names, value_width)
        # A name that would take the room of the lines goes below them.
        direct = line_labels.fits(len(curves), _TALL) and right < 0.35 * width_mm
        if not direct:
            right = EDGE + line_labels.GAP + value_width
        columns, _ = key_columns(probe, [c.label for c in curves], width_mm - 2.0 * EDGE)
        below = 0.0 if direct else KEY_LINE * -(-len(curves) // columns) + 1.5
        body = HEAD + _TALL + _GAP + _LOW + _FOOT + below - 5.2
        title = f"Liquid junction potential {value}".replace(NBSP, " ")
        if shortened(probe, title, width_mm - 2.0 * EDGE) != title:
            title = f"LJP {value}"
        figure = sheet(width_mm, body, title, _caption(junction))
        figure.set_layout_engine("none")
        upper, lower = figure.add_axes((0.1, 0.5, 0.5, 0.3)), figure.add_axes((0.1, 0.1, 0.5, 0.3))
        for axes, drawn in ((upper, curves), (lower, [potential])):
            for curve in drawn:
                style = {"color": curve.colour, "linestyle": curve.dash, "linewidth": curve.width}
                axes.plot(profile.position, curve.values, label=curve.label, **style)
            axes.set_xlim(0.0, 1.0)
        scale, limits = concentration_scale(np.array([c.values for c in curves]))
        factor = set_axis(upper, "y", scale, _TALL, limits)
        limits = linear_limits([potential], least=LEAST_SPAN, zero=True)
        set_axis(lower, "y", Scale(*limits), _LOW, limits)
        lower.axhline(0.0, color=FAINT, linewidth=0.5, zorder=0.2)
        lower.plot(1.0, potential.values[-1], "o", color="black", markersize=3.2, clip_on=False, label="_final")
        ticks = max(tick_label_width(figure, axes) for axes in (upper, lower))
        left = EDGE + AXIS_LABEL + ticks
        width = width_mm - left - right
        check_room(figure, width, 20.0)
        place_axes(figure, upper, left, HEAD, width, _TALL)
        place_axes(figure, lower, left, HEAD + _TALL + _GAP, width, _LOW)
        for axes, tall, letter in ((upper, _TALL, "a"), (lower, _LOW, "b")):
            write_letter(axes, letter, 1.0 + 1.4 / tall)
            axes.yaxis.set_label_coords(-(ticks + 2.6) / width, 0.5)
            axes.set_xticks([0.0, 0.5, 1.0] if width < 35.0 else [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
        upper.tick_params(axis="x", labelbottom=False)
        upper.set_ylabel(f"Concentration ({unit_times(factor, 'mM')})")
        lower.set_ylabel("Potential (mV)")
        between = [f"{tick:g}" for tick in lower.get_xticks()[1:-1]]
        lower.set_xticks(lower.get_xticks(), ["0\npipette", *between, "1\nbath"])
        lower.set_xlabel("Position in the junction")
        for axes, drawn, tall in ((upper, curves if direct else [], _TALL), (lower, [potential], _LOW)):
            ends = line_labels.end_labels([(c.label, c.values, c.colour) for c in drawn])
            line_labels.draw_end_labels(axes, ends, tall)
        if not direct:
            key = [(c.label, c.colour, c.dash) for c in curves]
            draw_key(figure, key, width_mm - 2.0 * EDGE, HEAD + _TALL + _GAP + _LOW + _FOOT)
        figure.data = {"position (0 pipette; 1 bath)": profile.position} | {
            curve.column: curve.values for curve in (*curves, potential)
        }
        return figure


def junction_table_figure(
    rows: Sequence[tuple[str, Mapping[str, Junction | None]]], width_mm: float = DOUBLE_COLUMN
) -> PaperFigure:
    """Draw liquid junction potentials as a table of solutions by methods, and beside it as dots on one axis.

    Every potential is that of the bath relative to the pipette.

    Parameters
    ----------
    rows : sequence of (str, mapping of str to Junction or None)
        What the pair of solutions is called, and its junction by each method; None where the method does not apply.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the potentials in mV, a column for each method and a row for each pair.

    Raises
    ------
    UsageError
        There are no rows, or more than a page has room for; two have the same name; there are more methods than can be
        distinguished, or no potential at all; the width leaves no room.
    """
    labels = [label for label, _ in rows]
    methods = _methods(rows)
    volts = [[np.nan if (j := row.get(method)) is None else j.potential for method in methods] for _, row in rows]
    values = 1e3 * np.array(volts)
    if not np.isfinite(values).any():
        raise UsageError("no method applies to any of these solutions: there is no potential to draw")
    with paper_style():
        probe = sheet(width_mm, 50.0, "", [])  # to measure texts on
        heads = [re.split(r"(?<=-)| ", method) for method in methods]
        texts = [["—" if np.isnan(v) else signed(v) for v in row] for row in values]
        columns = [
            max(text_width(probe, part, LABEL_SIZE, math=False) for part in (*head, *(row[k] for row in texts)))
            for k, head in enumerate(heads)
        ]
        numbers = sum(columns) + _BETWEEN * len(columns)
        room = width_mm - 2.0 * EDGE - numbers - _BETWEEN - max(_LEAST_DOTS, _DOTS_PART * width_mm)
        if room < _LEAST_LABELS:
            raise UsageError(
                f"a figure {width_mm:g} mm wide leaves no room for {len(methods)} methods and dots; make it wider"
            )
        letters = int(room / (LABEL_SIZE * LETTER / 72 * INCH))
        lines = [textwrap.wrap(label, letters, break_on_hyphens=False) or [""] for label in labels]
        named = max(
            text_width(probe, line, LABEL_SIZE, math=False) for label in (*lines, [_SOLUTIONS]) for line in label
        )
        heights = [max(_LINE * len(label), _DOT * len(methods)) + _PADDING for label in lines]
        head = 6.5 + _LINE * (1 + max(len(parts) for parts in heads)) + 1.0
        body = head + sum(heights) + _BELOW
        if body > MOST_HEIGHT:
            raise UsageError(
                f"a table of these solutions would be {body:.0f} mm high, and a page holds {MOST_HEIGHT:.0f}; "
                "give shorter labels or fewer rows"
            )
        figure = sheet(width_mm, body - 5.2 + 1.0, "Liquid junction potentials", _table_caption(rows))
        figure.set_layout_engine("none")
        ends = EDGE + named + np.cumsum(np.add(columns, _BETWEEN))  # right edges of the columns of numbers
        _write_head(figure, heads, ends.tolist(), head)
        top = head
        for k, (label, row, height) in enumerate(zip(lines, texts, heights, strict=True)):
            if k % 2:
                _band(figure, top, height)
            for n, line in enumerate(label):
                write(figure, line, EDGE, top + 0.5 * height + (n - 0.5 * (len(label) - 1)) * _LINE)
            for text, end in zip(row, ends.tolist(), strict=True):
                write(figure, text, end, top + 0.5 * height, horizontalalignment="right")
            top += height
        for place in (head, top):
            (x0, y), (x1, _) = on_page(figure, EDGE, place), on_page(figure, float(ends[-1]), place)
            figure.add_artist(Line2D([x0, x1], [y, y], color="black", linewidth=0.6))
        left = float(ends[-1]) + 2.0 * _BETWEEN
        axes, width = figure.add_axes((0.1, 0.1, 0.5, 0.5)), width_mm - left - EDGE - 2.5
        place_axes(figure, axes, left, head, width, top - head)
        _draw_dots(axes, values, np.array(heights), width)
        numbered = "; ".join(f"{k} {label}" for k, label in enumerate(labels))
        figure.data = {f"solutions ({numbered})": np.arange(len(rows), dtype=float)} | {
            f"LJP {method} (mV)": values[:, k] for k, method in enumerate(methods)
        }
        return figure


def concentration_scale(values: NDArray, zero: bool = True, log: bool = True) -> tuple[Scale, tuple[float, float]]:
    """Scale and ends of an axis for concentrations, the last axis of which is the place; linear where it must be.

    Otherwise logarithmic where they are more than two decades apart; what an ion has on its way to an end without it
    does not count.
    """
    ends = values[..., [0, -1]]
    there = np.concatenate([values[(values > 0.0).all(axis=-1)].ravel(), ends[ends > 0.0]])
    top = float(values.max(initial=0.0))
    bottom = max(float(there.min(initial=top)), top * LOG_FLOOR)
    if log and top > LINEAR_RANGE * bottom:
        bottom = bottom / 3.0 if (ends <= 0.0).any() else bottom  # so that a line is seen to fall
        margin = (top / bottom) ** 0.05
        return Scale(bottom, top, logarithmic=True), (bottom / margin, top * margin)
    low, high = linear_limits([Curve("", "", values.ravel())], least=1e-9, zero=zero)
    return Scale(low, high), (max(low, -0.03 * high) if zero else low, high)


def unit_times(factor: float, unit: str) -> str:
    """A unit with the power of ten that the numbers on an axis are in, as mathtext."""
    return unit if factor == 1.0 else f"$10^{{{round(np.log10(factor))}}}$ {unit}"


def signed(millivolts: float) -> str:
    """A potential with its sign, to 0.01 mV."""
    text = f"{millivolts:+.2f}"
    return text[1:] if not float(text) else text.replace("-", "−")


def on_page(figure: PaperFigure, left: float, top: float) -> tuple[float, float]:
    """The place so far from the left and from the top of the page, mm, in parts of the page."""
    return left / (figure.get_figwidth() * INCH), 1.0 - top / (figure.get_figheight() * INCH)


def place_axes(figure: PaperFigure, axes: Axes, left: float, top: float, width: float, height: float) -> None:
    """Put axes so far from the left and from the top of the page, mm."""
    (x0, y0), (x1, y1) = on_page(figure, left, top + height), on_page(figure, left + width, top)
    axes.set_position((x0, y0, x1 - x0, y1 - y0))


def key_columns(figure: PaperFigure, labels: Sequence[str], width: float) -> tuple[int, float]:
    """Number of entries of a key side by side in a width (mm), and the width of each, mm."""
    widest = max(text_width(figure, label, SMALL_SIZE) for label in labels) + _STROKE + 3.5
    return max(1, min(len(labels), int((width + 2.0) / widest))), widest


def draw_key(figure: PaperFigure, handles: Sequence[tuple[str, str, Any]], width: float, top: float) -> None:
    """Names, colours and dashes of lines in rows across a page of this width, from so far below its top on, mm."""
    columns, widest = key_columns(figure, [label for label, _, _ in handles], width)
    for k, (label, colour, dash) in enumerate(handles):
        left, y = EDGE + k % columns * widest, top + (k // columns + 0.5) * KEY_LINE
        (x0, up), (x1, _) = on_page(figure, left, y), on_page(figure, left + _STROKE, y)
        figure.add_artist(Line2D([x0, x1], [up, up], color=colour, linestyle=dash, linewidth=1.0))
        write(figure, label, left + _STROKE + 1.0, y, size=SMALL_SIZE, parse_math=True)


def _caption(junction: Junction) -> list[str]:
    pair = junction.pair
    return [
        f"Stationary junction, method {junction.method}, activities {pair.activity}, {_celsius(pair.temperature)}.",
        f"LJP {signed(1e3 * junction.potential)}{NBSP}mV, {CONVENTION}.",
        *(f"{warning[:1].upper()}{warning[1:]}." for warning in junction.warnings),
    ]


def _celsius(kelvin: float) -> str:
    return f"{kelvin - ZERO_CELSIUS:.4g}{NBSP}°C".replace("-", "−")


def _methods(rows: Sequence[tuple[str, Mapping[str, Junction | None]]]) -> list[str]:
    """The methods in the columns of a table, those of the library first."""
    if not rows:
        raise UsageError("a table needs at least one pair of solutions, got none")
    if len(rows) > MOST_ROWS:
        raise UsageError(f"a table has room for {MOST_ROWS} pairs of solutions, got {len(rows)}; draw several")
    labels = [label for label, _ in rows]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"the labels of the pairs of solutions must differ, got {twice!r} twice")
    given = list(dict.fromkeys(method for _, row in rows for method in row))
    if len(given) > MOST_METHODS:
        raise UsageError(f"a table has room for {MOST_METHODS} methods, got {len(given)}: {', '.join(given)}")
    return [m for m in METHODS if m in given] + [m for m in given if m not in METHODS]


def _table_caption(rows: Sequence[tuple[str, Mapping[str, Junction | None]]]) -> list[str]:
    pairs = [junction.pair for _, row in rows for junction in row.values() if junction is not None]
    activities = list(dict.fromkeys(pair.activity for pair in pairs))
    temperatures = [_celsius(kelvin) for kelvin in dict.fromkeys(pair.temperature for pair in pairs)]
    every = {method for _, row in rows for method in row}
    gaps = any(row.get(method) is None for _, row in rows for method in every)
    return [
        f"LJP in mV, {CONVENTION}.",
        f"Activities: {', '.join(activities)}; {', '.join(temperatures)}.",
        "A dash: the method does not apply." if gaps else "",
    ]


def write(figure: PaperFigure, text: str, left: float, top: float, size: float = LABEL_SIZE, **options: Any) -> None:
    """A text that begins so far from the left and is centred so far below the top of the page, mm."""
    style: dict[str, Any] = {"parse_math": False, "verticalalignment": "center_baseline"} | options
    figure.text(*on_page(figure, left, top), text, fontsize=size, **style)


def _write_head(figure: PaperFigure, heads: list[list[str]], ends: list[float], height: float) -> None:
    """Names of the columns, that of a method with its marker above; ``height`` is where the head ends, mm."""
    base, most = height - 2.2, max(len(parts) for parts in heads)
    write(figure, _SOLUTIONS, EDGE, base)
    for k, (parts, end) in enumerate(zip(heads, ends, strict=True)):
        for n, part in enumerate(reversed(parts)):
            write(figure, part, end, base - n * _LINE, horizontalalignment="right")
        (x, y), style = on_page(figure, end - 0.8, base - most * _LINE), _dot(k)
        figure.add_artist(Line2D([x], [y], **style | {"markersize": 4.0}))


def _band(figure: PaperFigure, top: float, height: float) -> None:
    """The shade of a row, across the page."""
    x, y = on_page(figure, 0.5 * EDGE, top + height)
    up = on_page(figure, 0.0, top)[1]
    figure.add_artist(Rectangle((x, y), 1.0 - 2.0 * x, up - y, facecolor=_BAND, linewidth=0.0, zorder=-2.0))


def _dot(method: int) -> dict[str, Any]:
    return {"marker": _MARKERS[method], "color": _COLOURS[method], "markeredgewidth": 0.0, "linestyle": "none"}


def _draw_dots(axes: Axes, values: NDArray, heights: NDArray, width: float) -> None:
    """Every potential at the height of its row; the methods one below the other, so that equal ones can be seen."""
    axes.patch.set_visible(False)
    low, high = linear_limits([Curve("", "", values.ravel())], least=1.0)
    if low < 0.0 < high or min(abs(low), abs(high)) < 0.5 * (high - low):
        low, high = linear_limits([Curve("", "", values.ravel())], least=1.0, zero=True)
        axes.axvline(0.0, color=TEXT_GREY, linewidth=0.6, zorder=0.5)
    set_axis(axes, "x", Scale(low, high), width, (low, high))
    axes.grid(axis="x", color=FAINT, linewidth=0.3, zorder=0.2)
    axes.set_axisbelow(True)
    middles = np.cumsum(heights) - 0.5 * heights
    axes.set_ylim(float(heights.sum()), 0.0)
    for k, column in enumerate(values.T):
        places = middles + _DOT * (k - 0.5 * (values.shape[1] - 1))
        axes.plot(column, places, label=f"_dots {k}", markersize=3.4, clip_on=False, **_dot(k))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("LJP (mV)")
