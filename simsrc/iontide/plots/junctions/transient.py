"""A liquid junction in time: its potential, and the profiles across it at a few moments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from ...electrode.junctions.liquid_junction import CONVENTION
from ...errors import UsageError
from ..drawing import line_labels
from ..drawing.line_labels import text_width
from ..drawing.margins import check_room, tick_label_width, write_letter
from ..drawing.names import species_label, time_text, unit_label
from ..drawing.panels import Curve, linear_limits
from ..drawing.scales import Scale, set_axis
from ..drawing.style import (
    DASHED,
    FAINT,
    INCH,
    LABEL_SIZE,
    SINGLE_COLUMN,
    SOLID,
    TEXT_GREY,
    PaperFigure,
    paper_style,
)
from ..drawing.time_axis import TimeAxis, time_axis_for
from ..sweeps.page import sheet
from .profiles import (
    AXIS_LABEL,
    EDGE,
    HEAD,
    KEY_LINE,
    LEAST_SPAN,
    NBSP,
    concentration_scale,
    draw_key,
    key_columns,
    place_axes,
    signed,
    unit_times,
)

if TYPE_CHECKING:
    from ...electrode.junctions.transient import FormingJunction

#: Ions of a page, and moments, at most.
MOST_IONS, MOST_MOMENTS = 6, 5

#: Height of the panel over time, its axis with label and key below; of a profile, between two, the axis below; mm.
_TALL, _TIME_AXIS, _LOW, _GAP, _FOOT = 32.0, 11.5, 21.0, 8.5, 8.5

#: Narrowest profile with its tick labels, mm; between two of them, mm.
_PROFILE, _BETWEEN = 38.0, 4.0

#: Parts of the whole change of the profiles at which moments are shown, the first choice first.
_PARTS = (0.5, 0.2, 0.8)

#: Least distance of two moments along the time axis, as a part of it; least change of the potential that is
#: considered, over its largest value.
_APART, _LEAST_WAY = 0.03, 0.01

#: Changes of a concentration, over the largest of all, that are no more than rounding.
_ROUNDING = 1e-10

#: Units of positions, m: the largest in which the junction is at least 0.1 wide is used.
_LENGTHS = {"mm": 1e-3, "um": 1e-6, "nm": 1e-9}


def forming_figure(
    names: Sequence[str],
    forming: FormingJunction,
    width_mm: float = SINGLE_COLUMN,
    *,
    stationary: float | None = None,
) -> PaperFigure:
    """Draw a liquid junction from contact on: its potential over time, and profiles across it at a few moments.

    Potentials are those of the bath relative to the pipette. The moments are spread over the change of the
    concentrations and of the potential.

    Parameters
    ----------
    names : sequence of str
        Of the ions, in their order in ``forming``.
    forming : FormingJunction
    width_mm : float
    stationary : float, optional
        The stationary potential, V, drawn as a dashed line.

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn: over time, and over position at each moment. Columns are as long as the
        longest, and are undefined (NaN) beyond their end.

    Raises
    ------
    UsageError
        The names do not fit the ions, the stationary potential is not finite, or the width leaves no room.
    """
    _check(names, forming, stationary)
    shown = _shown(forming)
    axis = time_axis_for("symlog", forming.time)
    moments = _moments(forming, axis)
    colours = [to_hex(c) for c in matplotlib.colormaps["viridis"](np.linspace(0.0, 0.88, len(moments)))]
    texts = [time_text(t) for t in forming.time[moments].tolist()]
    fitting = ((unit, size) for unit, size in _LENGTHS.items() if forming.widths.sum() >= 0.1 * size)
    unit, size = next(fitting, ("nm", 1e-9))
    panels = [(species_label(names[k], 0), "mM", forming.concentrations[moments][:, :, k]) for k in shown]
    panels.append(("Potential", "mV", 1e3 * forming.potential[moments]))
    with paper_style():
        probe = sheet(width_mm, 50.0, "", [])  # to measure texts on
        across = width_mm - 2.0 * EDGE
        least = max(_PROFILE, 8.0 + max(text_width(probe, f"{name} ({of})", LABEL_SIZE) for name, of, _ in panels))
        columns = max(1, min(len(panels), int((across + _BETWEEN) / (least + _BETWEEN))))
        rows = -(-len(panels) // columns)
        key = KEY_LINE * -(-len(moments) // key_columns(probe, texts, across)[0])
        profiles = HEAD + _TALL + _TIME_AXIS + key + 7.0
        body = profiles + rows * _LOW + (rows - 1) * _GAP + _FOOT - 5.2
        figure = sheet(
            width_mm, body, "Liquid junction in time", _caption(names, shown, forming, axis.scale, stationary)
        )
        figure.set_layout_engine("none")
        _draw_time(figure, forming, axis, moments, colours, stationary)
        handles = [(text, colour, SOLID) for text, colour in zip(texts, colours, strict=True)]
        draw_key(figure, handles, across, HEAD + _TALL + _TIME_AXIS)
        drawn = [_draw_profiles(figure, forming.position / size, values, colours, of) for _, of, values in panels]
        titles = [f"{panels[k][0]} ({unit_times(factor, panels[k][1])})" for k, (_, factor) in enumerate(drawn)]
        _place(figure, [axes for axes, _ in drawn], titles, columns, profiles, unit, forming.widths.sum() / size)
        figure.data = _data(names, shown, forming, moments, stationary, unit, size)
        return figure


def _check(names: Sequence[str], forming: FormingJunction, stationary: float | None) -> None:
    ions = forming.concentrations.shape[2]
    if len(names) != ions:
        raise UsageError(f"the junction holds {ions} ions, and {len(names)} names are given: {', '.join(names)}")
    if len(set(names)) < len(names):
        raise UsageError(f"the names of the ions must differ, got {', '.join(names)}")
    if stationary is not None and not np.isfinite(stationary):
        raise UsageError(f"the stationary potential must be a finite number of V, got {stationary}")


def _shown(forming: FormingJunction) -> list[int]:
    """The ions that have a panel: of many those that change most, in the order given."""
    spans = np.ptp(forming.concentrations, axis=(0, 1))
    return sorted(np.argsort(-spans, kind="stable")[:MOST_IONS].tolist())


def _moments(forming: FormingJunction, axis: TimeAxis) -> list[int]:
    """Samples whose profiles are shown: the first, the last, and some between."""
    c, volts, last = forming.concentrations, forming.junction_potential, len(forming.time) - 1
    spans = np.ptp(c, axis=(0, 1))
    changing = spans > _ROUNDING * c.max()
    moved = np.einsum("tci,c->ti", np.abs(c - c[0]), forming.widths)[:, changing] / spans[changing]
    way = np.maximum.accumulate(moved.sum(axis=1))
    wanted = [int(np.searchsorted(way, part * way[-1])) for part in _PARTS] if changing.any() else []
    # The potential leaves its first value at once, so its change is counted from the next sample on.
    path = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(volts[1:])))])
    if path[-1] > _LEAST_WAY * np.abs(volts).max():
        wanted.insert(2, 1 + int(np.searchsorted(path, 0.5 * path[-1])))
    places, chosen = axis.fractions(forming.time), [0, last]
    for k in wanted:
        if len(chosen) < MOST_MOMENTS and np.abs(places[chosen] - places[k]).min() > _APART:
            chosen.append(k)
    return sorted(chosen)


def _draw_time(
    figure: PaperFigure,
    forming: FormingJunction,
    axis: TimeAxis,
    moments: Sequence[int],
    colours: Sequence[str],
    stationary: float | None,
) -> None:
    """The potential over time, with a dot at each moment in its colour."""
    axes = figure.add_axes((0.1, 0.6, 0.5, 0.3))
    axis.apply(axes)
    x, volts = axis.positions(forming.time), 1e3 * forming.junction_potential
    wide = figure.get_figwidth() * INCH
    right = EDGE + 2.0
    start = 0
    if axis.scale == "symlog":
        start = 1
        axes.plot(x[:2], volts[:2], color=FAINT, label="_first")
    axes.plot(x[start:], volts[start:], color="black", linewidth=1.2, label="_potential")
    for k, colour in zip(moments, colours, strict=True):
        axes.plot(x[k], volts[k], "o", color=colour, markersize=3.4, clip_on=False, zorder=4, label="_moment")
    curves = [Curve("", "", volts)]
    if stationary is not None:
        axes.axhline(1e3 * stationary, color=TEXT_GREY, linestyle=DASHED, linewidth=0.8, label="_stationary")
        curves.append(Curve("stationary", "", np.array([1e3 * stationary]), TEXT_GREY))
        right = EDGE + line_labels.GAP + text_width(figure, "stationary", line_labels.LABEL_TEXT_SIZE)
    limits = linear_limits(curves, least=LEAST_SPAN)
    set_axis(axes, "y", Scale(*limits), _TALL, limits)
    ticks = tick_label_width(figure, axes)
    width = wide - EDGE - AXIS_LABEL - ticks - right
    place_axes(figure, axes, EDGE + AXIS_LABEL + ticks, HEAD, width, _TALL)
    axis.set_ticks(axes, width, partial(text_width, figure, size=LABEL_SIZE))
    label = axis.label if text_width(figure, axis.label, LABEL_SIZE) < width + 10.0 else axis.label.replace("; ", ";\n")
    axes.set_xlabel(label)
    axes.set_ylabel("Junction potential (mV)")
    axes.yaxis.set_label_coords(-(ticks + 2.6) / width, 0.5)
    write_letter(axes, "a", 1.0 + 1.4 / _TALL)
    ends = line_labels.end_labels([(c.label, c.values, c.colour) for c in curves[1:]])
    line_labels.draw_end_labels(axes, ends, _TALL)


def _draw_profiles(
    figure: PaperFigure, x: NDArray, values: NDArray, colours: Sequence[str], unit: str
) -> tuple[Axes, float]:
    """A panel of profiles, shape (moments, cells), and the power of ten of its ticks."""
    axes = figure.add_axes((0.1, 0.1, 0.2, 0.2), label=f"_{len(figure.axes)}")
    for moment, colour in zip(values, colours, strict=True):
        axes.plot(x, moment, color=colour, label="_profile")
    if unit == "mM":
        # An ion that is absent from one side has every concentration down to 0.
        everywhere = bool((values[0] > 0.0).all())
        zero = bool(values.min() < 0.5 * values.max())
        scale, limits = concentration_scale(values, zero, everywhere)
    else:
        limits = linear_limits([Curve("", "", values.ravel())], least=LEAST_SPAN, zero=True)
        scale = Scale(*limits)
        axes.axhline(0.0, color=FAINT, linewidth=0.5, zorder=0.2)
    return axes, set_axis(axes, "y", scale, 1.4 * _LOW, limits)


def _place(
    figure: PaperFigure,
    drawn: Sequence[Axes],
    titles: Sequence[str],
    columns: int,
    top: float,
    unit: str,
    length: float,
) -> None:
    """Profiles in rows, the vertical axes of a column one below the other; ``length`` is that of the junction."""
    wide = figure.get_figwidth() * INCH
    pitch = (wide - 2.0 * EDGE + _BETWEEN) / columns
    for c in range(columns):
        ticks = max(tick_label_width(figure, axes) for axes in drawn[c::columns]) + 2.4
        width = pitch - ticks - _BETWEEN - 1.5
        titled = max(4.0 + text_width(figure, title, LABEL_SIZE) for title in titles[c::columns])
        check_room(figure, min(width, pitch - ticks - titled), 0.0)
        for k in range(c, len(drawn), columns):
            axes, row = drawn[k], k // columns
            place_axes(figure, axes, EDGE + c * pitch + ticks, top + row * (_LOW + _GAP), width, _LOW)
            set_axis(axes, "x", Scale(0.0, length), width, (0.0, length))
            if k + columns < len(drawn):
                axes.tick_params(axis="x", labelbottom=False)
            else:
                axes.set_xlabel(f"Position ({unit_label(unit)})")
            write_letter(axes, chr(ord("b") + k), 1.0 + 1.4 / _LOW)
            axes.text(4.0 / width, 1.0 + 1.4 / _LOW, titles[k], transform=axes.transAxes, fontsize=LABEL_SIZE)


def _caption(
    names: Sequence[str], shown: Sequence[int], forming: FormingJunction, scale: str, stationary: float | None
) -> list[str]:
    ended = f"{signed(1e3 * float(forming.junction_potential[-1]))}{NBSP}mV"
    moment = time_text(float(forming.time[-1])).replace(" ", NBSP)
    arrives = "" if stationary is None else f", stationary {signed(1e3 * stationary)}{NBSP}mV (dashed)"
    return [
        f"Ideal solutions, in contact from t = 0; colours: moments. LJP {ended} after {moment}{arrives}, {CONVENTION}.",
        "Positions from the pipette (0) to the bath; potentials there are against the pipette.",
        "Grey: between t = 0 and the first sample after it." if scale == "symlog" else "",
        f"Shown are {len(shown)} of {len(names)} ions, those that change most." if len(shown) < len(names) else "",
    ]


def _data(
    names: Sequence[str],
    shown: Sequence[int],
    forming: FormingJunction,
    moments: Sequence[int],
    stationary: float | None,
    unit: str,
    size: float,
) -> dict[str, NDArray]:
    """Columns of one length."""
    columns = {"time (s)": forming.time, "junction potential (mV)": 1e3 * forming.junction_potential}
    if stationary is not None:
        columns["stationary potential (mV)"] = np.full(len(forming.time), 1e3 * stationary)
    columns[f"position ({unit})"] = forming.position / size
    for m in moments:
        at = f"at {forming.time[m]:.6g} s"
        columns |= {f"{names[k]} {at} (mM)": forming.concentrations[m, :, k] for k in shown}
        columns[f"potential {at} (mV)"] = 1e3 * forming.potential[m]
    longest = max(len(column) for column in columns.values())
    return {name: np.append(column, np.full(longest - len(column), np.nan)) for name, column in columns.items()}
