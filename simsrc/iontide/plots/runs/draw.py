"""The lines of a page of panels, on axes with scales and limits, but not yet at their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

from ..drawing.decimation import WHOLE, visible_samples
from ..drawing.panels import Curve, Panel
from ..drawing.style import FAINT, PaperFigure
from ..drawing.time_axis import TimeAxis
from .event_marks import EventMarks, draw_lines_of_events, draw_ticks, headroom, rows_of
from .protocol_marks import Mark, shade

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: Least distance of labelled ticks on a vertical axis, mm.
_TICK_PITCH = 6.0


def draw_lines(
    figure: PaperFigure,
    trajectory: Trajectory,
    panels: Sequence[Panel],
    columns: Sequence[TimeAxis],
    marks: Sequence[Mark],
    events: EventMarks,
    height: float,
) -> list[list[Axes]]:
    """Axes for every panel (rows) and time axis (columns), with lines, shades, events and vertical ticks.

    Every sample that is drawn in some panel goes into ``figure.data``, with the values of all curves at that time.

    Parameters
    ----------
    height : float
        Of the axes, mm.
    """
    time = trajectory.time
    drawn = np.zeros(len(time), dtype=bool)
    grid = []
    for r, panel in enumerate(panels):
        row: list[Axes] = []
        ticks = rows_of(events, panels, r)
        for c, axis in enumerate(columns):
            axes = figure.add_axes((0.1 + 0.01 * c, 0.1 + 0.01 * r, 0.5, 0.5))
            axis.apply(axes)
            low, high = panel.limits
            if panel.settled is not None and leaves_out_start(panel, columns, c):
                low, high = panel.settled
            if ticks and not panel.logarithmic:
                high = headroom(low, high, ticks, height)
            _vertical_axis(axes, panel.logarithmic, low, high, height)
            shade(axes, marks, axis)
            draw_lines_of_events(axes, events, axis)
            if ticks:
                draw_ticks(axes, events, axis, height)
            if low < 0 < high and panel.kind != "concentrations":
                axes.axhline(0.0, color=FAINT, linewidth=0.5, zorder=0.2)
            x = axis.positions(time)
            bands = [curve for curve in panel.curves if curve.base is not None]
            for curve in panel.curves:
                visible: slice | NDArray = slice(None)
                if len(time) > WHOLE:
                    # Bands share their edges, so they must share their samples.
                    shown = bands if curve.base is not None else [curve]
                    visible = np.unique(
                        np.concatenate([visible_samples(axis.fractions(time), other.values) for other in shown])
                    )
                drawn[visible] = True
                if curve.base is not None:
                    draw_band(axes, x[visible], curve.base[visible], curve.values[visible], curve)
                    continue
                axes.plot(
                    x[visible],
                    curve.values[visible],
                    color=curve.colour,
                    linestyle=curve.dash,
                    linewidth=curve.width,
                    label=curve.label,
                    marker="o" if len(time) == 1 else None,
                    markersize=3.0,
                )
            row.append(axes)
        grid.append(row)
    figure.data = {"time (s)": time[drawn]} | {
        curve.column: curve.numbers[drawn] for panel in panels for curve in panel.curves
    }
    return grid


def draw_band(axes: Axes, x: NDArray, low: NDArray, high: NDArray, curve: Curve) -> None:
    """A filled band where it is wide enough to be seen; its edge is so thin that only spikes show it."""
    bottom, top = axes.get_ylim()
    there = np.abs(high - low) > 5e-4 * (top - bottom)
    there[:-1] |= there[1:].copy()
    there[1:] |= there[:-1].copy()
    axes.fill_between(
        x,
        low,
        high,
        where=there.tolist(),
        step="post" if curve.stepped else None,
        facecolor=curve.colour,
        edgecolor=curve.colour,
        linewidth=0.15,
        zorder=1.0,
    )
    axes.plot([], [], color=curve.colour, linewidth=3.0, label=curve.label or "_unnamed")  # what a legend shows


def leaves_out_start(panel: Panel, columns: Sequence[TimeAxis], column: int) -> bool:
    """Whether the first moments may leave this axis: only a linear one, and only where another shows them."""
    return panel.settled is not None and columns[column].scale == "linear" and columns[-1].scale != "linear"


def _vertical_axis(axes: Axes, logarithmic: bool, low: float, high: float, height: float) -> None:
    most = max(3, int(height / _TICK_PITCH))
    if not logarithmic:
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        return
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(numticks=most))
    # Marks at 2 … 9 where every decade has its label; between decades that are skipped they would be misread.
    each = np.log10(high / low) < most - 1
    subs = tuple(range(2, 10)) if each else (1,)
    axes.yaxis.set_minor_locator(LogLocator(subs=subs, numticks=100))
    plain = low >= 1e-3 and high < 1e4
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if plain else _power_text(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _power_text(value: float) -> str:
    return f"$10^{{{round(np.log10(value))}}}$"
