"""Outputs against one parameter, with one line for each level of a second parameter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from numpy.typing import NDArray

from ...errors import UsageError
from ..drawing.scales import set_axis
from ..drawing.style import SINGLE_COLUMN, PaperFigure, paper_style
from .grids import level_text
from .page import (
    MARK_NAMES,
    category_colours,
    category_patches,
    colour_bar,
    finish,
    legend,
    letter,
    rug,
    rug_sentence,
    sheet,
    wrapped,
)
from .points import SweepColumn, SweepPoints, count_text, csv_columns, describe_points, names_of, require_values

#: Most panels of a page; height of a single panel and of one of several with its labels, mm.
MOST_PANELS, _ALONE, _AMONG = 6, 52.0, 38.0

#: Most points of a line with markers; most lines.
_MOST_MARKERS, MOST_LINES = 60, 200

_COLOUR = "#0072B2"


def curve_figure(
    points: SweepPoints,
    quantities: Sequence[str] | None = None,
    along: str | None = None,
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """Outputs with one value at each point against a parameter, one panel each, coloured by a second parameter.

    Parameters
    ----------
    points : SweepPoints
    quantities : sequence of str, optional
        By default the first numerical output.
    along : str, optional
        The varied path along the axis; by default the first numerical one.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the points.

    Raises
    ------
    UsageError
        If not one or two parameters are varied, there is no such output, or it has no values.
    """
    names = list(quantities) if quantities else [None]
    columns = [points.scalar(name) for name in names]
    if len(columns) > MOST_PANELS:
        raise UsageError(f"a page has room for {MOST_PANELS} quantities, got {len(columns)}")
    for column in columns:
        require_values(points, column)
    if not 1 <= len(points.axes) <= 2:
        varied = names_of(points.axes) or "none"
        raise UsageError(f"curves need one or two varied parameters; varied are {varied}: draw marginals")
    numbers = [a for a in points.axes if not a.categories] or list(points.axes)
    axis = points.axis(along) if along is not None else numbers[0]
    second = next((a for a in points.axes if a.name != axis.name), None)
    groups = _groups(second)
    shown = groups
    if len(groups) > MOST_LINES:
        shown = [groups[k] for k in np.round(np.linspace(0, len(groups) - 1, MOST_LINES)).astype(int)]
    caption = [
        describe_points(points, columns[0] if len(columns) == 1 else None, MARK_NAMES),
        rug_sentence(points),
        f"Shown: {count_text(len(shown))} of {count_text(len(groups))} lines." if len(shown) < len(groups) else "",
        f"At {names_of([second])} = {level_text(second, float(second.values[0]))}."
        if second is not None and len(groups) == 1
        else "",
    ]
    with paper_style():
        row = _ALONE if len(columns) == 1 else _AMONG
        figure = sheet(width_mm, row * len(columns) + 3.0 * (len(columns) > 1), points.title, caption)
        grid = figure.add_gridspec(len(columns), 1)
        every = []
        mapped: ScalarMappable | None = None
        for k, column in enumerate(columns):
            axes = figure.add_subplot(grid[k, 0])
            every.append(axes)
            length = width_mm - 18.0 - (12.0 if len(groups) > 1 else 0.0)
            factor = set_axis(axes, "x", axis.scale(), length)
            up = set_axis(axes, "y", column.scale(), row - 10.0, column.scale().limits(0.08))
            axes.set_ylabel(wrapped(column.label(up), row - 8.0))
            if k == len(columns) - 1:
                axes.set_xlabel(wrapped(axis.label(factor), length))
            else:
                axes.tick_params(axis="x", labelbottom=False)
            if len(columns) > 1:
                letter(axes, k)
            mapped = _draw(axes, axis, column, second, shown) or mapped
            rug(axes, points, axis.values)
        if second is not None and second.categories:
            legend(figure, category_patches(second, second.values), second.text)
        elif second is not None and mapped is not None:
            colour_bar(figure, mapped, every, second, second.scale(), row * len(columns) - 9.0)
        figure.data = csv_columns(points, *columns)
        finish(figure)
        return figure


def _groups(second: SweepColumn | None) -> list[NDArray | slice]:
    """The points of each line."""
    if second is None:
        return [slice(None)]
    return [second.values == level for level in np.unique(second.values)]


def _draw(
    axes: Axes, axis: SweepColumn, column: SweepColumn, second: SweepColumn | None, groups: list[NDArray | slice]
) -> ScalarMappable | None:
    mapped = None
    if second is not None and not second.categories and len(groups) > 1:
        mapped = ScalarMappable(second.scale().norm(), second.scale().colours)
    for group in groups:
        x, y = axis.values[group], np.where(column.has_value[group], column.values[group], np.nan)
        order = np.argsort(x, kind="stable")
        colour = _COLOUR
        if mapped is not None and second is not None:
            colour = mapped.to_rgba(second.values[group][:1])[0]
        elif second is not None and second.categories:
            colour = category_colours(second.categories)[int(second.values[group][0])]
        # No line through categories, nor through several points at one value.
        apart = bool(column.categories or axis.categories) or len(np.unique(x)) < len(x)
        axes.plot(
            x[order],
            y[order],
            color=colour,
            linestyle="none" if apart else "-",
            marker="o" if apart or (len(x) <= _MOST_MARKERS and len(groups) <= 12) else None,
            markersize=2.2,
            markeredgewidth=0.0,
            linewidth=1.0 if len(groups) <= 20 else 0.6,
            label="_curve",
            rasterized=len(x) > 20_000,
        )
    return mapped
