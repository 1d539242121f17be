"""Panels on a page: rows of panels, columns of time axes, everything placed in mm so that the width is exact."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from ..choices import TimeScale
from ..drawing import line_labels
from ..drawing.decimation import WHOLE
from ..drawing.line_labels import text_width
from ..drawing.margins import (
    CAPTION_LINE,
    caption_lines,
    check_room,
    tick_label_width,
    write_caption,
    write_letter,
    write_title,
)
from ..drawing.names import time_text
from ..drawing.panels import HAIRLINE, Panel
from ..drawing.style import INCH, LABEL_SIZE, SMALL_SIZE, TITLE_SIZE, PaperFigure, paper_style
from ..drawing.time_axis import TimeAxis, time_axis_for
from .draw import draw_lines, leaves_out_start
from .event_marks import event_marks
from .protocol_marks import LANE, Mark, arrange, protocol_marks, write

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: Between columns; from the axes to the edge of the page; between rows; mm.
_COLUMN_GAP, _EDGE, _ROW_GAP = 5.5, 1.0, 7.5

#: From the axes to their tick labels, mm.
_TICK = 2.2

#: Axes narrower than this show nothing, mm.
_LEAST_WIDTH = 15.0

#: Room for tick labels and label of the time axis; for the label of a vertical axis (one line of it); mm.
_TIME_LABELS, _AXIS_LABEL = 8.5, 3.2

#: Line of the title, mm; width of a letter in it, in parts of its size.
_TITLE_LINE, _TITLE_LETTER = 5.2, 0.58


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
        marks = protocol_marks(trajectory.model, float(trajectory.time[-1]), trajectory.run.crossings)
        events = event_marks(trajectory.run)
        grid = draw_lines(figure, trajectory, page.panels, columns, marks, events, page.row_height)
        caption = [*page.caption, *events.sentences(), *_cut_off(page, columns)]
        if len(trajectory) > WHOLE:
            caption.append(f"Drawn from {len(trajectory)} samples, of which the extremes are kept.")
        _place(figure, page, columns, [*marks, *events.labels], grid, caption)
        return figure


def _cut_off(page: Page, columns: Sequence[TimeAxis]) -> list[str]:
    """A sentence of the caption on panels that leave out the first moments."""
    n = len(columns)
    cut = [r for r, panel in enumerate(page.panels) if leaves_out_start(panel, columns, 0)]
    if not cut:
        return []
    there, full = (", ".join(_letter(r * n + c) for r in cut) for c in (0, n - 1))
    moment = time_text(HAIRLINE * columns[0].end)
    return [f"Currents before {moment} lie outside {there}: see {full}."]


def _letter(index: int) -> str:
    return chr(ord("a") + index)


def _place(
    figure: PaperFigure,
    page: Page,
    columns: list[TimeAxis],
    marks: list[Mark],
    grid: list[list[Axes]],
    caption: list[str],
) -> None:
    """Give the axes their places, with margins as wide as the labels need, then write the labels."""
    height, n = page.row_height, len(columns)
    labels = [line_labels.end_labels([(c.label, c.middle, c.colour) for c in p.curves if c.label]) for p in page.panels]
    direct = [line_labels.fits(len(row), height) for row in labels]
    own_scale = [leaves_out_start(panel, columns, 0) for panel in page.panels]

    # Across: the margins first, the axes share what is left.
    ticks = max(tick_label_width(figure, row[0]) for row in grid)
    label_lines = max(panel.axis_label.count("\n") + 1 for panel in page.panels)
    left = _EDGE + _AXIS_LABEL * label_lines + ticks + _TICK
    right = _EDGE + max(
        _labels_width(figure, texts) if ok else _legend_width(figure, row[-1], height)
        for row, ok, texts in zip(grid, direct, labels, strict=True)
    )
    inner = [tick_label_width(figure, row[-1]) for row, separate in zip(grid, own_scale, strict=True) if separate]
    gap = _COLUMN_GAP + max(inner, default=0.0)
    width = (page.width - left - right - gap * (n - 1)) / n
    check_room(figure, width, _LEAST_WIDTH)

    # Down: the labels above the first row and the caption below the last determine the height of the page.
    arranged = [
        arrange(marks, axis, width, partial(text_width, figure, size=SMALL_SIZE, math=False)) for axis in columns
    ]
    unlabelled = max(missing for _, missing in arranged)
    if unlabelled:
        caption = [*caption, f"Protocol steps not labelled for want of room: {unlabelled}."]
    lanes = max((label.lane + 1 for placed, _ in arranged for label in placed), default=0) * LANE
    lines = caption_lines(caption, page.width - 2 * _EDGE)
    head = _TITLE_LINE * bool(page.title) + lanes + 4.2
    foot = _TIME_LABELS + CAPTION_LINE * len(lines) + 1.5 * bool(lines)
    total = head + len(grid) * height + (len(grid) - 1) * _ROW_GAP + foot
    figure.set_height(total)

    for r, row in enumerate(grid):
        bottom = total - head - r * (height + _ROW_GAP) - height
        for c, (axes, axis) in enumerate(zip(row, columns, strict=True)):
            x = left + c * (width + gap)
            axes.set_position((x / page.width, bottom / total, width / page.width, height / total))
            axis.set_ticks(axes, width, partial(text_width, figure, size=LABEL_SIZE))
            if r < len(grid) - 1:
                axes.tick_params(axis="x", labelbottom=False)
            else:
                axes.set_xlabel(axis.label)
            if c and not own_scale[r]:
                axes.tick_params(axis="y", labelleft=False)
            up = 1 + (1.4 + (lanes if r == 0 else 0.0)) / height
            several = n * len(grid) > 1
            if several:
                write_letter(axes, _letter(r * n + c), up)
            if c == 0:
                place = page.panels[r].place
                indent = 4.0 * several / width
                axes.text(indent, up, place, transform=axes.transAxes, fontsize=LABEL_SIZE, parse_math=False)
        row[0].set_ylabel(page.panels[r].axis_label)
        row[0].yaxis.set_label_coords(-(ticks + _TICK + 0.4) / width, 0.5)
        if direct[r]:
            line_labels.draw_end_labels(row[-1], labels[r], height)
        else:
            line_labels.draw_legend(row[-1], height)
    for axes, (placed, _) in zip(grid[0], arranged, strict=True):
        write(axes, placed, width, height)
    if page.title:
        letters = int((page.width - 2 * _EDGE) / (TITLE_SIZE * _TITLE_LETTER / 72 * INCH))
        write_title(figure, textwrap.shorten(page.title, letters, placeholder=" …"), _EDGE)
    write_caption(figure, lines, _EDGE)


def _labels_width(figure: PaperFigure, labels: list[line_labels.EndLabel]) -> float:
    widths = [text_width(figure, label.text, line_labels.LABEL_TEXT_SIZE) for label in labels]
    return line_labels.GAP + max(widths, default=0.0)


def _legend_width(figure: PaperFigure, axes: Axes, height: float) -> float:
    line_labels.draw_legend(axes, height)
    legend = axes.get_legend()
    assert legend is not None
    box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    legend.remove()
    return float(box.width) / figure.dpi * INCH + 1.5
