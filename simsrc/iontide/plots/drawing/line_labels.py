"""Names beside the right ends of the lines, moved apart where they would overlap; a legend where there are too many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import Affine2D, ScaledTranslation, blended_transform_factory
from numpy.typing import NDArray

from .style import INCH, SMALL_SIZE, TITLE_SIZE, PaperFigure

#: Distance from one label to the next, from the axes to the labels, and how far labels may go beyond the axes, mm.
PITCH, GAP, OVERHANG = 2.75, 2.6, 1.5

#: More labels than this become a legend: where all lines end together, more strokes than this are a thicket.
MOST_LABELS = 9

#: Size of their type, points.
LABEL_TEXT_SIZE = SMALL_SIZE + 0.5


@dataclass(frozen=True)
class EndLabel:
    """The name of a line, and the value at which it ends."""

    text: str
    value: float
    colour: str


def end_labels(lines: list[tuple[str, NDArray, str]]) -> list[EndLabel]:
    """Labels for lines given as (text, values, colour), at their last defined value; none for a line without one."""
    labels = []
    for text, values, colour in lines:
        defined = values[np.isfinite(values)]
        if len(defined):
            labels.append(EndLabel(text, float(defined[-1]), colour))
    return labels


def fits(count: int, height: float) -> bool:
    """Whether so many labels have room beside axes of this height (mm) and their strokes remain legible."""
    return count <= MOST_LABELS and (count - 1) * PITCH <= height + 2 * OVERHANG


def spread(wanted: NDArray, pitch: float, low: float, high: float) -> NDArray:
    """Positions at least ``pitch`` apart within ``low`` … ``high``, as near as possible to those wanted.

    The order is preserved (of equals, the first given is the highest). Least squares: neighbours that collide form a
    block around the mean of their wanted positions, and blocks that collide merge (isotonic regression).

    Parameters
    ----------
    wanted : array, shape (n,)
    pitch, low, high : float
        In the same unit; there must be room for n − 1 times the pitch.
    """
    n = len(wanted)
    order = np.lexsort((-np.arange(n), wanted))
    shifted = wanted[order] - pitch * np.arange(n)
    blocks: list[tuple[float, int]] = []
    for value in shifted:
        mean, size = float(value), 1
        while blocks and blocks[-1][0] >= mean:
            before, many = blocks.pop()
            mean, size = (before * many + mean * size) / (many + size), many + size
        blocks.append((mean, size))
    level = np.concatenate([np.full(size, mean) for mean, size in blocks]) if blocks else np.zeros(0)
    placed = np.clip(level, low, high - pitch * (n - 1)) + pitch * np.arange(n)
    result = np.empty(n)
    result[order] = placed
    return result


def draw_end_labels(axes: Axes, labels: list[EndLabel], height: float) -> None:
    """Write the labels right of the axes, each joined to the end of its line by a short stroke.

    Parameters
    ----------
    axes : Axes
        With its final limits.
    labels : list of EndLabel
    height : float
        Of the axes, mm.
    """
    if not labels:
        return
    figure = axes.figure
    values = np.array([label.value for label in labels])
    to_axes = (axes.transScale + axes.transLimits).transform
    ends = np.clip([to_axes((0.0, value))[1] for value in values], 0.0, 1.0) * height
    places = spread(ends, PITCH, -OVERHANG, height + OVERHANG)

    # Across in mm from the right edge of the axes, up in parts of their height.
    right_edge = ScaledTranslation(1.0, 0.0, axes.transAxes)  # type: ignore[arg-type]  # it is affine
    across = Affine2D().scale(1 / INCH) + figure.dpi_scale_trans + right_edge
    beside = blended_transform_factory(across, axes.transAxes)
    for label, end, place in zip(labels, ends, places, strict=True):
        axes.text(
            GAP,
            place / height,
            label.text,
            transform=beside,
            color=label.colour,
            fontsize=LABEL_TEXT_SIZE,
            verticalalignment="center_baseline",
        )
        stroke = Line2D(
            [0.4, GAP - 0.5],
            [end / height, place / height],
            transform=beside,
            color=label.colour,
            linewidth=0.5,
            clip_on=False,
            label="_stroke",  # an underscore keeps it out of legends
        )
        axes.add_artist(stroke)


def draw_legend(axes: Axes, height: float) -> None:
    """A legend right of the axes, in as many columns as its entries need."""
    handles = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
    rows = max(1, int(height / PITCH))
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        ncols=-(-len(handles) // rows),
        borderaxespad=0.5,
        handlelength=1.2,
        labelspacing=0.15,
        columnspacing=0.8,
        handletextpad=0.4,
        borderpad=0.0,
    )


def text_width(figure: PaperFigure, text: str, size: float, math: bool = True) -> float:
    """Width of a text, mm."""
    probe = figure.text(0, 0, text, fontsize=size, parse_math=math)
    box = probe.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    probe.remove()
    return float(box.width) / figure.dpi * INCH


def shortened(figure: PaperFigure, title: str, width: float) -> str:
    """A title in bold type, shortened by whole words to a width, mm."""
    words = title.split()
    for count in range(len(words), 0, -1):
        text = " ".join(words[:count]) + (" …" if count < len(words) else "")
        if 1.12 * text_width(figure, text, TITLE_SIZE, math=False) <= width:  # bold type is an eighth wider
            return text
    return ""
