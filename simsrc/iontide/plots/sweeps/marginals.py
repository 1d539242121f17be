"""Marginals: an output against each parameter over all values of the others, and its distribution."""

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
    category_colours,
    category_patches,
    finish,
    legend,
    letter,
    rug,
    rug_sentence,
    sheet,
    wrapped,
)
from .points import SweepColumn, SweepPoints, count_text, csv_columns, describe_points, names_of, require_values
from .summaries import Bins, bands, bins_along, shares, spread_of_medians

#: Most panels of a page, and of a row at a width of 183 mm.
MOST_PANELS, _IN_A_ROW = 12, 4

#: Height of a row with its labels, mm.
_ROW = 44.0

#: Most dots of a panel; median and band are those of all points.
MOST_DOTS = 4000

#: With more points than this, the CSV file contains the dots only.
MOST_BESIDE = 100_000

#: Least and most bars of a histogram.
_BARS = (8, 40)

_DOTS, _BAND, _MEDIAN = "#0072B2", "#E69F00", "black"


@dataclass(frozen=True)
class _Marginal:
    """One panel: a parameter, its bins, and its effect on the quantity."""

    axis: SweepColumn
    bins: Bins
    effect: float


def marginal_figure(points: SweepPoints, quantity: str | None = None, width_mm: float = DOUBLE_COLUMN) -> PaperFigure:
    """A number against each parameter, with running median, 10–90 % band and histogram; or shares of categories.

    Parameters
    ----------
    points : SweepPoints
    quantity : str, optional
        With one value at each point; by default the first numerical output.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds all points; if there are very many, those drawn as dots.

    Raises
    ------
    UsageError
        If nothing is varied, there is no such output, or it has no values.
    """
    column = points.scalar(quantity)
    require_values(points, column)
    if not points.axes:
        raise UsageError("this sweep varies nothing, so that it has no marginals")
    marginals = [_marginal(axis, column) for axis in points.axes]
    most = MOST_PANELS - (not column.categories)
    shown = marginals
    if len(marginals) > most:
        ranked = sorted(range(len(marginals)), key=lambda k: -marginals[k].effect)[:most]
        shown = [marginals[k] for k in sorted(ranked)]
    dots = np.flatnonzero(column.has_value)
    if len(dots) > MOST_DOTS:
        dots = dots[np.round(np.linspace(0, len(dots) - 1, MOST_DOTS)).astype(int)]
    left_out = [m.axis for m in marginals if m not in shown]
    caption = [
        "Shares of the points of each bin." if column.categories else "Line: median; band: 10 to 90 %.",
        describe_points(points, column, {} if column.categories else MARK_NAMES),
        "" if column.categories else rug_sentence(points),
        ""
        if column.categories or len(dots) == np.count_nonzero(column.has_value)
        else f"Shown: {count_text(len(dots))} of them; line, band and histogram are of all.",
        f"Not shown, because their effect is smaller: {names_of(left_out)}." if left_out else "",
    ]
    panels = len(shown) + (not column.categories)
    columns = min(panels, max(1, round(_IN_A_ROW * width_mm / DOUBLE_COLUMN)))
    rows = -(-panels // columns)
    with paper_style():
        figure = sheet(width_mm, rows * _ROW, points.title, caption)
        grid = figure.add_gridspec(rows, columns, wspace=0.06)
        length = width_mm / columns - 11.0
        for k in range(panels):
            axes = figure.add_subplot(grid[k // columns, k % columns])
            first = k % columns == 0
            if k < len(shown) and column.categories:
                _draw_shares(axes, shown[k], column, length, first)
            elif k < len(shown):
                _draw_marginal(axes, points, shown[k], column, dots, length, first)
            else:
                _draw_histogram(axes, column, first)
            if panels > 1:
                letter(axes, k)
        if column.categories:
            none = (
                []
                if column.has_value.all()
                else [Patch(facecolor="white", edgecolor="black", lw=0.4, label="no value")]
            )
            legend(figure, [*category_patches(column, column.values), *none], wrapped(column.text, 22.0))
        beside = dots if len(points) > MOST_BESIDE and not column.categories else slice(None)
        figure.data = {name: values[beside] for name, values in csv_columns(points, column).items()}
        finish(figure)
        return figure


def _marginal(axis: SweepColumn, column: SweepColumn) -> _Marginal:
    bins = bins_along(axis)
    if column.categories:
        parts = shares(bins, column.values, len(column.categories))
        return _Marginal(axis, bins, float(np.ptp(parts, axis=0).max()))
    return _Marginal(axis, bins, spread_of_medians(bins, column.values, column.has_value))


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
    found = bands(bins, column.values, column.has_value)
    if axis.categories:
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
    """The histogram of the quantity, with its values on the y axis as in the other panels."""
    scale = _value_axis(axes, "y", column, first)
    values = column.values[column.has_value]
    placed = scale.placed(values)
    count = len(np.histogram_bin_edges(placed, "auto")) - 1 if np.ptp(placed) > 0.0 else 1
    ends = scale.between(np.linspace(0.0, 1.0, int(np.clip(count, *_BARS)) + 1))
    if scale.high == scale.low:
        ends = np.array(scale.limits())
    ends[0], ends[-1] = min(ends[0], scale.low), max(ends[-1], scale.high)
    counts, _ = np.histogram(values, bins=ends)
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
    axes.axhline(float(np.median(values)), color=_MEDIAN, linewidth=1.0, label="_median")
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
    factor = set_axis(axes, "x", axis.scale(), length, None if axis.categories else (low, high))
    set_axis(axes, "y", Scale(0.0, 100.0), _ROW - 12.0, (0.0, 100.0))
    parts = 100.0 * shares(bins, column.values, len(column.categories))
    below = np.zeros(len(bins))
    left, width = bins.edges[:-1], np.diff(bins.edges)
    for k, colour in enumerate([*category_colours(column.categories), "white"]):
        axes.bar(
            left,
            parts[:, k],
            width,
            below,
            align="edge",
            color=colour,
            linewidth=0.3,
            edgecolor="white",
            label=f"_{column.categories[k] if k < len(column.categories) else 'none'}",
        )
        below = below + parts[:, k]
    axes.set_xlabel(wrapped(axis.label(factor), length))
    if first:
        axes.set_ylabel("Share of the points (%)")
    else:
        axes.tick_params(axis="y", labelleft=False)
