"""Panels on a page: rows of panels, columns of time axes, everything placed in mm so that the width is exact."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from . import line_labels
from .decimation import WHOLE, visible_samples
from .panels import Panel
from .protocol_marks import LANE, LANES, Mark, protocol_marks, shade, write_labels
from .style import (
    FAINT,
    INCH,
    LABEL_SIZE,
    SMALL_SIZE,
    TEXT_GREY,
    TITLE_SIZE,
    PaperFigure,
    paper_style,
)
from .time_axis import TimeAxis, TimeScale, time_axis_for

if TYPE_CHECKING:
    from ..trajectory import Trajectory

#: Between columns; from the axes to the edge of the page; between rows; mm.
_COLUMN_GAP, _EDGE, _ROW_GAP = 5.0, 1.0, 7.5

#: Room for tick labels and label of the time axis; for the label of a vertical axis (one line of it); mm.
_TIME_LABELS, _AXIS_LABEL = 8.5, 3.2

#: Line of the title and of the caption, mm.
_TITLE_LINE, _CAPTION_LINE = 4.2, 2.7

#: Mean width of a letter, in parts of its size; captions are broken by it.
_LETTER = 0.5


@dataclass(frozen=True)
class Page:
    """What a figure is to show, and how large.

    Attributes
    ----------
    panels : sequence of Panel
        One a row.
    scales : sequence of {"linear", "log", "symlog"}
        One a column.
    width : float
        Of the page, mm.
    row_height : float
        Of the axes of one row, mm.
    title : str
    caption : sequence of str
        Sentences.
    """

    panels: Sequence[Panel]
    scales: Sequence[TimeScale]
    width: float
    row_height: float
    title: str = ""
    caption: Sequence[str] = ()


def compose(trajectory: Trajectory, page: Page) -> PaperFigure:
    """Draw a page of panels; its numbers are in ``figure.data``."""
    with paper_style():
        figure = PaperFigure(page.width, 100.0)
        columns = [time_axis_for(scale, trajectory.time) for scale in page.scales]
        marks = protocol_marks(trajectory.model, float(trajectory.time[-1]))
        grid = _draw_lines(figure, trajectory, page, columns, marks)
        caption = list(page.caption)
        if len(trajectory) > WHOLE:
            caption.append(f"Drawn from {len(trajectory)} samples: the extremes of every hairline are kept.")
        _place(figure, page, columns, marks, grid, caption)
        return figure


def _draw_lines(
    figure: PaperFigure, trajectory: Trajectory, page: Page, columns: list[TimeAxis], marks: list[Mark]
) -> list[list[Axes]]:
    """Axes for every panel and time axis, with their lines; not yet in their places."""
    time = trajectory.time
    drawn = np.zeros(len(time), dtype=bool)
    grid = []
    for r, panel in enumerate(page.panels):
        row: list[Axes] = []
        for c, axis in enumerate(columns):
            # A place of its own each: axes in one place would be taken for one.
            axes = figure.add_axes((0.1 + 0.01 * c, 0.1 + 0.01 * r, 0.5, 0.5))
            axis.apply(axes)
            if panel.logarithmic:
                axes.set_yscale("log")
            axes.set_ylim(*panel.limits)
            shade(axes, marks, axis)
            if panel.limits[0] < 0 < panel.limits[1] and not panel.logarithmic:
                axes.axhline(0.0, color=FAINT, linewidth=0.5, zorder=0.2)
            x = axis.positions(time)
            for curve in panel.curves:
                kept = visible_samples(axis.drawn(time), curve.values) if len(time) > WHOLE else slice(None)
                drawn[kept] = True
                axes.plot(
                    x[kept],
                    curve.values[kept],
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
        curve.column: curve.values[drawn] for panel in page.panels for curve in panel.curves
    }
    return grid


def _place(
    figure: PaperFigure,
    page: Page,
    columns: list[TimeAxis],
    marks: list[Mark],
    grid: list[list[Axes]],
    caption: list[str],
) -> None:
    """Give the axes their places, with margins as wide as the labels need, then write the labels."""
    height = page.row_height
    for row, panel in zip(grid, page.panels, strict=True):
        _vertical_axis(row, panel, height)
    labels = [line_labels.end_labels([(c.label, c.values, c.colour) for c in p.curves]) for p in page.panels]
    direct = [line_labels.fits(len(p.curves), height) for p in page.panels]

    # Heights are needed to know how many ticks there are, so the axes first get theirs.
    head = _TITLE_LINE * bool(page.title) + LANE * LANES * bool(marks) + 4.0
    lines = _caption_lines(caption, page.width)
    foot = _TIME_LABELS + _CAPTION_LINE * len(lines) + 1.5 * bool(lines)
    total = head + len(grid) * height + (len(grid) - 1) * _ROW_GAP + foot
    figure.set_height(total)
    rows = [total - head - r * (height + _ROW_GAP) - height for r in range(len(grid))]
    for row, y in zip(grid, rows, strict=True):
        for axes in row:
            axes.set_position((0.2, y / total, 0.5, height / total))

    ticks = max(_tick_label_width(figure, row[0]) for row in grid)
    label_lines = max(panel.axis_label.count("\n") + 1 for panel in page.panels)
    left = _EDGE + _AXIS_LABEL * label_lines + ticks + 2.2
    right = _EDGE + max(
        _legend_width(figure, row[-1], height) if not ok else _labels_width(figure, own)
        for row, ok, own in zip(grid, direct, labels, strict=True)
    )
    width = (page.width - left - right - _COLUMN_GAP * (len(columns) - 1)) / len(columns)

    def tick_width(text: str) -> float:
        return line_labels.text_width(figure, text, LABEL_SIZE)

    for r, (row, y) in enumerate(zip(grid, rows, strict=True)):
        for c, (axes, axis) in enumerate(zip(row, columns, strict=True)):
            x = left + c * (width + _COLUMN_GAP)
            axes.set_position((x / page.width, y / total, width / page.width, height / total))
            axis.set_ticks(axes, width, tick_width)
            if r < len(grid) - 1:
                axes.tick_params(axis="x", labelbottom=False)
            else:
                axes.set_xlabel(axis.label)
            if c:
                axes.tick_params(axis="y", labelleft=False)
            _letter(axes, r * len(columns) + c, page, r if c == 0 else None, width, height, bool(marks) and r == 0)
        row[0].set_ylabel(page.panels[r].axis_label)
        row[0].yaxis.set_label_coords(-(ticks + 2.6) / width, 0.5)
        if direct[r]:
            line_labels.draw_end_labels(row[-1], labels[r], height)
        else:
            line_labels.draw_legend(row[-1], height)

    unlabelled = 0
    for axes, axis in zip(grid[0], columns, strict=True):
        missing = write_labels(
            axes,
            marks,
            axis,
            width,
            height,
            lambda text: line_labels.text_width(figure, text, SMALL_SIZE, math=False),
        )
        unlabelled = max(unlabelled, missing)
    _head_and_foot(figure, page, lines, left, total)


def _vertical_axis(row: list[Axes], panel: Panel, height: float) -> None:
    for axes in row:
        if panel.logarithmic:
            axes.yaxis.set_major_locator(LogLocator(numticks=max(3, int(height / 5))))
            axes.yaxis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)), numticks=int(height / 2)))
            axes.yaxis.set_major_formatter(FuncFormatter(_decade_text))
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.yaxis.set_major_locator(MaxNLocator(nbins=max(3, int(height / 7)), steps=[1, 2, 2.5, 5, 10]))
            axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def _decade_text(value: float, _: object = None) -> str:
    if 1e-2 <= value <= 1e3:
        return f"{value:g}"
    return f"$10^{{{round(np.log10(value))}}}$"


def _tick_label_width(figure: PaperFigure, axes: Axes) -> float:
    """Widest tick label of the vertical axis, mm."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [label.get_window_extent(renderer) for label in axes.get_yticklabels()]
    return max((box.width for box in boxes), default=0.0) / figure.dpi * INCH


def _labels_width(figure: PaperFigure, labels: list[line_labels.EndLabel]) -> float:
    widths = [line_labels.text_width(figure, label.text, line_labels.LABEL_TEXT_SIZE) for label in labels]
    return line_labels.GAP + max(widths, default=0.0)


def _legend_width(figure: PaperFigure, axes: Axes, height: float) -> float:
    line_labels.draw_legend(axes, height)
    legend = axes.get_legend()
    assert legend is not None
    box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    legend.remove()
    return float(box.width) / figure.dpi * INCH + 1.5


def _letter(
    axes: Axes, index: int, page: Page, row: int | None, width: float, height: float, raised: bool
) -> None:
    """The letter of a panel above its upper left corner and, in the first column, of what it is."""
    several = len(page.panels) * len(page.scales) > 1
    up = 1 + (1.2 + (LANE * LANES if raised else 0.0)) / height
    if several:
        axes.text(
            0.0, up, chr(ord("a") + index), transform=axes.transAxes, fontsize=TITLE_SIZE, fontweight="bold"
        )
    if row is not None:
        axes.text(
            (4.0 if several else 0.0) / width,
            up,
            page.panels[row].place,
            transform=axes.transAxes,
            fontsize=LABEL_SIZE,
            parse_math=False,
        )


def _caption_lines(caption: list[str], width: float) -> list[str]:
    letter = SMALL_SIZE * _LETTER / 72 * INCH
    return textwrap.wrap(" ".join(caption), max(20, int((width - 2 * _EDGE) / letter)))


def _head_and_foot(figure: PaperFigure, page: Page, caption: list[str], left: float, total: float) -> None:
    if page.title:
        letters = int((page.width - 2 * _EDGE) / (TITLE_SIZE * 0.58 / 72 * INCH))
        figure.text(
            _EDGE / page.width,
            1 - 0.8 / total,
            textwrap.shorten(page.title, letters, placeholder=" …"),
            fontsize=TITLE_SIZE,
            fontweight="bold",
            verticalalignment="top",
            parse_math=False,
        )
    for k, line in enumerate(reversed(caption)):
        figure.text(
            _EDGE / page.width,
            (1.0 + k * _CAPTION_LINE) / total,
            line,
            fontsize=SMALL_SIZE,
            color=TEXT_GREY,
            parse_math=False,
        )



