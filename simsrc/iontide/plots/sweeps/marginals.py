"""Marginals: a quantity against each parameter alone, over all values of the others, and how it is distributed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from ...errors import UsageError
from ..drawing.scales import Scale, set_axis
from ..drawing.style import DOUBLE_COLUMN, FAINT, PaperFigure, paper_style
from .page import (
    MARK_NAMES,
    MOST_VECTORS,
    finish,
    legend,
    letter,
    rug,
    rug_sentence,
    sheet,
    word_colours,
    word_patches,
    wrapped,
)
from .points import SweepColumn, SweepPoints, count_text, names_of, numbers_beside, require_values, tell_points
from .summaries import Bins, bands, bins_along, shares, spread_of_medians

#: Panels of a page, at most; of a row, at a width of 183 mm.
MOST_PANELS, _IN_A_ROW = 12, 4

#: Height of a row with its labels, mm.
_ROW = 44.0

#: Dots of a panel, at most; all points count for the median and the band.
MOST_DOTS = 4000

#: Of more points than this, the numbers beside the figure are those of the dots.
MOST_BESIDE = 100_000

#: Bars of a histogram, at least and at most.
_BARS = (8, 40)

_DOTS, _BAND, _MEDIAN = "#0072B2", "#E69F00", "black"


@dataclass(frozen=True)
class _Marginal:
    """One panel: a parameter, its bins, and of how much account it is."""

    axis: SweepColumn
    bins: Bins
    weight: float


def marginal_figure(points: SweepPoints, quantity: str | None = None, width_mm: float = DOUBLE_COLUMN) -> PaperFigure:
    """A number against each parameter: points, running median and 10–90 % band, and its histogram; shares of a word.

    Parameters
    ----------
    points : SweepPoints
    quantity : str, optional
        With one value a point; the first number that is kept if not given.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds all points; of very many, those that are drawn as dots.

    Raises
    ------
    UsageError
        Nothing is varied, there is no such quantity, or nothing to draw.
    """
    column = points.scalar(quantity)
    require_values(points, column)
    if not points.axes:
        raise UsageError("nothing is varied in this sweep: there are no marginals")
    marginals = [_marginal(axis, column) for axis in points.axes]
    room = MOST_PANELS - (not column.words)
    shown = marginals
    if len(marginals) > room:
        ranked = sorted(range(len(marginals)), key=lambda k: -marginals[k].weight)[:room]
        shown = [marginals[k] for k in sorted(ranked)]
    dots = np.flatnonzero(column.there)
    if len(dots) > MOST_DOTS:
        dots = dots[np.round(np.linspace(0, len(dots) - 1, MOST_DOTS)).astype(int)]
    left_out = [m.axis for m in marginals if m not in shown]
    caption = [
        "Shares of the points of each bin." if column.words else "Line: median; band: 10 to 90 %.",
        tell_points(points, column, {} if column.words else MARK_NAMES),
        "" if column.words else rug_sentence(points),
        ""
        if column.words or len(dots) == np.count_nonzero(column.there)
        else f"Shown: {count_text(len(dots))} of them; line, band and histogram are of all.",
        f"Not shown, being of less account: {names_of(left_out)}." if left_out else "",
    ]
    panels = len(shown) + (not column.words)
    columns = min(panels, max(1, round(_IN_A_ROW * width_mm / DOUBLE_COLUMN)))
    rows = -(-panels // columns)
    with paper_style():
        figure = sheet(width_mm, rows * _ROW, points.title, caption)
        grid = figure.add_gridspec(rows, columns, wspace=0.06)
        length = width_mm / columns - 11.0
        for k in range(panels):
            axes = figure.add_subplot(grid[k // columns, k % columns])
            first = k % columns == 0
            if k < len(shown) and column.words:
                _draw_shares(axes, shown[k], column, length, first)
            elif k < len(shown):
                _draw_marginal(axes, points, shown[k], column, dots, length, first)
            else:
                _draw_histogram(axes, column, first)
            if panels > 1:
                letter(axes, k)
        if column.words:
            none = [] if column.there.all() else [Patch(facecolor="white", edgecolor="black", lw=0.4, label="no value")]
            legend(figure, [*word_patches(column, column.values), *none], wrapped(column.text, 22.0))
        beside = dots if len(points) > MOST_BESIDE and not column.words else slice(None)
        figure.data = {name: values[beside] for name, values in numbers_beside(points, column).items()}
        finish(figure)
        return figure


def _marginal(axis: SweepColumn, column: SweepColumn) -> _Marginal:
    bins = bins_along(axis)
    if column.words:
        parts = shares(bins, column.values, len(column.words))
        return _Marginal(axis, bins, float(np.ptp(parts, axis=0).max()))
    return _Marginal(axis, bins, spread_of_medians(bins, column.values, column.there))


def _draw_marginal(
    axes: Axes,
    points: SweepPoints,
    marginal: _Marginal,
    column: SweepColumn,
    dots: np.ndarray,
    length: float,
    first: bool,
) -> None:
    axis, bins = marginal.axis, marginal.bins
    factor = set_axis(axes, "x", axis.scale(), length)
    _value_axis(axes, "y", column, first)
    axes.scatter(
        axis.values[dots],
        column.values[dots],
        s=3.0 if len(dots) < 500 else 1.5,
        color=_DOTS,
        alpha=float(np.clip(500.0 / len(dots), 0.2, 0.7)),
        linewidths=0.0,
        label="_points",
        zorder=1.0,
        rasterized=len(dots) > MOST_VECTORS,
    )
    found = bands(bins, column.values, column.there)
    if axis.words:
        axes.errorbar(
            bins.centre,
            found[:, 1],
            yerr=[found[:, 1] - found[:, 0], found[:, 2] - found[:, 1]],
            fmt="o",
            markersize=3.0,
            color=_MEDIAN,
            elinewidth=1.0,
            capsize=2.0,
            label="_median",
            zorder=3.0,
        )
    else:
        axes.fill_between(
            bins.centre, found[:, 0], found[:, 2], color=_BAND, alpha=0.35, linewidth=0.0, label="_band", zorder=2.0
        )
        for edge in (0, 2):
            axes.plot(bins.centre, found[:, edge], color=_BAND, linewidth=0.6, label="_edge", zorder=2.0)
        axes.plot(bins.centre, found[:, 1], color=_MEDIAN, linewidth=1.2, label="_median", zorder=3.0)
    rug(axes, points, axis.values)
    axes.set_xlabel(wrapped(axis.label(factor), length))


def _draw_histogram(axes: Axes, column: SweepColumn, first: bool) -> None:
    """How often, with the values upward as in the other panels."""
    scale = _value_axis(axes, "y", column, first)
    own = column.values[column.there]
    placed = scale.placed(own)
    count = len(np.histogram_bin_edges(placed, "auto")) - 1 if np.ptp(placed) > 0.0 else 1
    ends = scale.between(np.linspace(0.0, 1.0, int(np.clip(count, *_BARS)) + 1))
    if scale.high == scale.low:
        ends = np.array(scale.limits())
    ends[0], ends[-1] = min(ends[0], scale.low), max(ends[-1], scale.high)
    counts, _ = np.histogram(own, bins=ends)
    axes.barh(
        ends[:-1],
        counts,
        height=np.diff(ends),
        align="edge",
        color=FAINT,
        edgecolor="white",
        linewidth=0.2,
        label="_histogram",
    )
    axes.axhline(float(np.median(own)), color=_MEDIAN, linewidth=1.0, label="_median")
    set_axis(axes, "x", Scale(0.0, float(counts.max())), 30.0, (0.0, 1.05 * float(counts.max())))
    axes.set_xlabel("Points")


def _value_axis(axes: Axes, which: str, column: SweepColumn, first: bool) -> Scale:
    scale = column.scale()
    factor = set_axis(axes, which, scale, _ROW - 12.0, scale.limits(0.08))
    if first:
        axes.set_ylabel(wrapped(column.label(factor), _ROW - 10.0))
    else:
        axes.tick_params(axis="y", labelleft=False)
    return scale


def _draw_shares(axes: Axes, marginal: _Marginal, column: SweepColumn, length: float, first: bool) -> None:
    axis, bins = marginal.axis, marginal.bins
    low, high = float(bins.edges.min()), float(bins.edges.max())
    factor = set_axis(axes, "x", axis.scale(), length, None if axis.words else (low, high))
    set_axis(axes, "y", Scale(0.0, 100.0), _ROW - 12.0, (0.0, 100.0))
    parts = 100.0 * shares(bins, column.values, len(column.words))
    below = np.zeros(len(bins))
    left, width = bins.edges[:-1], np.diff(bins.edges)
    for k, colour in enumerate([*word_colours(column.words), "white"]):
        axes.bar(
            left,
            parts[:, k],
            width,
            below,
            align="edge",
            color=colour,
            linewidth=0.3,
            edgecolor="white",
            label=f"_{column.words[k] if k < len(column.words) else 'none'}",
        )
        below = below + parts[:, k]
    axes.set_xlabel(wrapped(axis.label(factor), length))
    if first:
        axes.set_ylabel("Share of the points (%)")
    else:
        axes.tick_params(axis="y", labelleft=False)
