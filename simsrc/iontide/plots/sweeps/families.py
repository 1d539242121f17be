"""Families of trajectories: one thin line for each point, coloured by a varied parameter or an output."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from ...errors import UsageError
from ..choices import TimeScale
from ..drawing.line_labels import text_width
from ..drawing.scales import scale_for, set_axis
from ..drawing.style import LABEL_SIZE, SINGLE_COLUMN, PaperFigure, paper_style
from ..drawing.time_axis import time_axis_for
from .page import category_colours, category_patches, colour_bar, finish, legend, settle, sheet, width_of, wrapped
from .points import SweepColumn, SweepPoints, count_text, describe_points, names_of, require_values

#: Most lines of a figure.
MOST_LINES = 200

#: Height of the axes with their labels, mm.
_BODY = 56.0

#: If half of all samples lie within this fraction of the time, the axis is not linear.
_EARLY = 0.05


def families_figure(
    points: SweepPoints,
    quantity: str | None = None,
    by: str | None = None,
    time_axis: TimeScale | None = None,
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """Trajectories of a quantity, coloured by a varied parameter or another output.

    Parameters
    ----------
    points : SweepPoints
    quantity : str, optional
        An output over time; by default the first.
    by : str, optional
        A varied path or an output with one value at each point; by default the first varied path.
    time_axis : {"linear", "log", "symlog"}, optional
        By default symlog if most samples are early, else linear.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the time and the lines, one column each.

    Raises
    ------
    UsageError
        If there are no trajectories, no such output, or no values.
    """
    column = points.trajectory(quantity)
    assert points.time is not None
    require_values(points, column)
    colour = colour_column(points, by)
    time = points.time
    if time_axis is None:
        time_axis = "symlog" if float(np.median(time)) < _EARLY * float(time[-1]) else "linear"
    drawable = np.flatnonzero(column.has_value.any(axis=1) & colour.has_value)
    if not len(drawable):
        raise UsageError(f"no point has both a trajectory of {column.name} and a value of {colour.name}")
    rows = evenly_through(colour.values[drawable], MOST_LINES)
    rows = drawable[rows]
    others = [a for a in points.axes if a.name != colour.name]
    caption = [
        f"{count_text(len(rows))} trajectories."
        if len(rows) == len(drawable)
        else f"{count_text(len(rows))} of {count_text(len(drawable))} trajectories, evenly through "
        f"{names_of([colour])}.",
        describe_points(points, column) if len(drawable) < len(points) else "",
        f"Varied too: {names_of(others)}." if others else "",
    ]
    with paper_style():
        figure = sheet(width_mm, _BODY, points.title, caption)
        axes = figure.add_subplot()
        axis = time_axis_for(time_axis, time)
        axis.apply(axes)
        values = column.values[rows]
        scale = scale_for(values[np.isfinite(values)], column.logarithmic)
        factor = set_axis(axes, "y", scale, _BODY - 9.0)
        shades = colour.scale()
        lines = LineCollection(
            [np.column_stack([axis.positions(time), v]) for v in values],
            linewidths=0.8 if len(rows) <= 60 else 0.5,
            alpha=1.0 if len(rows) <= 30 else 0.7,
            rasterized=len(rows) * len(time) > 100_000,
            label="_family",
        )
        colour_values = colour.values[rows]
        if colour.categories:
            lines.set_color([category_colours(colour.categories)[int(k)] for k in colour_values])
            legend(figure, category_patches(colour, colour_values), colour.text)
        else:
            lines.set(array=colour_values, cmap=shades.colours, norm=shades.norm())
            colour_bar(figure, lines, axes, colour, shades, _BODY - 9.0)
        axes.add_collection(lines)
        axes.set_xlabel(axis.label)
        axes.set_ylabel(wrapped(column.label(factor), _BODY - 9.0))
        settle(figure)
        axis.set_ticks(axes, width_of(axes), partial(text_width, figure, size=LABEL_SIZE))
        figure.data = {"time (s)": time} | {
            f"{column.name} ({column.unit or '1'}) of point {row} [{_level(colour, row)}]": column.values[row]
            for row in rows
        }
        finish(figure)
        return figure


def colour_column(points: SweepPoints, by: str | None) -> SweepColumn:
    """The varied path or output that determines the colours; by default the first varied path."""
    if by is None:
        numbers = [a for a in points.axes if not a.categories]
        if not points.axes:
            raise UsageError("this sweep varies nothing; name an output to colour by")
        return (numbers or list(points.axes))[0]
    if by in points.outputs or by.partition("[")[0] in points.outputs:
        return points.scalar(by)
    return points.axis(by)


def evenly_through(values: NDArray, most: int) -> NDArray:
    """Places of at most so many values, evenly chosen in ascending order, with the least and the greatest."""
    order = np.argsort(values, kind="stable")
    if len(order) <= most:
        return order
    return order[np.round(np.linspace(0, len(order) - 1, most)).astype(int)]


def _level(column: SweepColumn, row: int) -> str:
    value = column.values[row]
    if column.categories:
        return f"{column.name} = {column.categories[int(value)]}"
    return f"{column.name} = {value:.6g} {column.unit}".rstrip()
