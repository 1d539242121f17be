"""Maps over two parameters: numbers as colours or contours, categories (such as a verdict) as areas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.contour import ContourSet
from matplotlib.path import Path
from matplotlib.ticker import LogLocator, MaxNLocator
from matplotlib.tri import Triangulation
from numpy.typing import NDArray

from ...errors import UsageError
from ..drawing.names import number_text
from ..drawing.scales import Scale, set_axis
from ..drawing.style import INCH, SHADE, SINGLE_COLUMN, SMALL_SIZE, PaperFigure, paper_style
from .grids import Grid, Plane, edges, grid_of, plane_of, thinned, triangles_of
from .page import (
    MARK_NAMES,
    MOST_VECTORS,
    category_colours,
    category_patches,
    colour_bar,
    finish,
    legend,
    mark_statuses,
    sheet,
    status_handles,
    wrapped,
)
from .points import (
    COMPUTED,
    EXCLUDED,
    SweepColumn,
    SweepPoints,
    count_text,
    csv_columns,
    describe_points,
    require_values,
)

#: Height of the axes with their labels, mm.
_BODY = 62.0

#: Most scattered points with a ring around them, or with a dot in a contour map.
_MOST_RINGED = 2000

#: Approximate number of levels of a contour map; levels within this fraction of the ends have no label.
_LEVELS, _UNLABELLED = 9, 0.03

#: Usual and least size of a mark, points; with more marks than the third number they are smaller.
_MARK, _LEAST_MARK, _FEW_MARKS = 2.6, 0.8, 120


@dataclass(frozen=True)
class _Map:
    """The points of a plane, the quantity over it, and the axes."""

    points: SweepPoints
    plane: Plane
    column: SweepColumn
    grid: Grid | None
    across: Scale
    up: Scale
    contours: bool

    @property
    def limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        if self.grid is None:
            return self.across.limits(), self.up.limits()
        if self.contours:
            return (self.across.low, self.across.high), (self.up.low, self.up.high)
        ends = [edges(v, s)[[0, -1]] for v, s in ((self.grid.x, self.across), (self.grid.y, self.up))]
        return (float(ends[0][0]), float(ends[0][1])), (float(ends[1][0]), float(ends[1][1]))


def map_figure(
    points: SweepPoints,
    quantity: str | None = None,
    x: str | None = None,
    y: str | None = None,
    at: Mapping[str, float | str] | None = None,
    contours: bool = False,
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """An output with one value at each point over two parameters.

    A grid is drawn as cells around its points, scattered points as triangles and dots. Points that failed or are
    missing leave a gap with a mark.

    Parameters
    ----------
    points : SweepPoints
    quantity : str, optional
        By default the first numerical output.
    x, y : str, optional
        The varied paths along the axes; by default the first two numerical ones.
    at : mapping of str to float or str, optional
        Levels of the other parameters, in their units; by default the middle ones.
    contours : bool
        Draw labelled contour lines and the areas between them.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the points.

    Raises
    ------
    UsageError
        If there are not two parameters, no such output, or no values.
    """
    column = points.scalar(quantity)
    plane = plane_of(points, x, y, at)
    if column.categories and contours:
        raise UsageError(f"{column.name} has categories and no contours; draw it as a map")
    whole, whole_column = points.of(plane.rows), column.of(plane.rows)
    require_values(whole, whole_column)
    grid = grid_of(plane)
    if grid is None:
        plane = thinned(plane)
    shown, values = points.of(plane.rows), column.of(plane.rows)
    what = _Map(shown, plane, values, grid, plane.x.scale(), plane.y.scale(), contours)
    marks = MARK_NAMES | ({EXCLUDED: "grey"} if grid is not None else {})
    caption = [plane.sentence(), describe_points(whole, whole_column, marks), _interpolation_sentence(what)]
    if len(shown) < len(whole):
        caption.append(f"Drawn: {count_text(len(shown))} of the points.")
    with paper_style():
        figure = sheet(width_mm, _BODY, points.title, caption)
        axes = figure.add_subplot()
        (left, right), (low, high) = what.limits
        length = width_mm - 32.0
        across = set_axis(axes, "x", what.across, length, (left, right))
        up = set_axis(axes, "y", what.up, _BODY - 9.0, (low, high))
        axes.set_xlabel(wrapped(plane.x.label(across), length))
        axes.set_ylabel(wrapped(plane.y.label(up), _BODY - 9.0))
        for side in ("top", "right"):
            axes.spines[side].set_visible(True)
        if column.categories:
            _draw_categories(axes, what)
            handles = [*category_patches(values, values.values), *status_handles(shown, what.grid is not None)]
            legend(figure, handles, wrapped(values.text, 22.0))
        else:
            scale = values.scale()
            drawn = _draw_contours(axes, what, scale) if contours else _draw_colours(axes, what, scale)
            colour_bar(figure, drawn, axes, values, scale, _BODY - 9.0)
        _mark(axes, what, length)
        figure.data = csv_columns(shown, values)
        finish(figure)
        return figure


def verdict_figure(
    points: SweepPoints,
    quantity: str | None = None,
    x: str | None = None,
    y: str | None = None,
    at: Mapping[str, float | str] | None = None,
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """The verdict (or another categorical output) over two parameters; parameters as of `map_figure`.

    Raises
    ------
    UsageError
        If there is no categorical output, or there are not two parameters.
    """
    if quantity is None:
        names = [name for name, column in points.outputs.items() if column.categories]
        if not names:
            raise UsageError('this sweep has no verdict; add "verdict" to sweep.keep')
        quantity = "verdict" if "verdict" in names else names[0]
    elif not points.scalar(quantity).categories:
        raise UsageError(f"{quantity} is a number and has no categories; draw it as a map")
    return map_figure(points, quantity, x, y, at, width_mm=width_mm)


def _interpolation_sentence(what: _Map) -> str:
    if what.grid is not None:
        return "Contours between the points of a grid." if what.contours else ""
    if what.column.categories or what.plane.free:
        return ""
    dots = "" if what.contours and len(what.plane.rows) > _MOST_RINGED else " (dots)"
    return f"Linear between the points{dots}." if what.contours else f"A triangle has the mean of its points{dots}."


def _draw_categories(axes: Axes, what: _Map) -> None:
    column = what.column
    colours = ListedColormap(category_colours(column.categories))
    norm = BoundaryNorm(np.arange(-0.5, len(column.categories)), len(column.categories))
    if what.grid is not None:
        _draw_cells(axes, what, np.ma.masked_where(~column.has_value, column.values), colours, norm)
    else:
        axes.scatter(
            what.plane.x.values[column.has_value],
            what.plane.y.values[column.has_value],
            c=column.values[column.has_value],
            cmap=colours,
            norm=norm,
            s=_dot_size(len(column.values)) ** 2,
            linewidths=0.0,
            label="_points",
            rasterized=len(column.values) > MOST_VECTORS,
        )


def _draw_colours(axes: Axes, what: _Map, scale: Scale) -> ScalarMappable:
    column = what.column
    if what.grid is not None:
        return _draw_cells(
            axes, what, np.ma.masked_where(~column.has_value, column.values), scale.colours, scale.norm()
        )
    if not what.plane.free:
        found, joined = triangles_of(what.plane, column.has_value, (what.across, what.up))
        values = np.where(column.has_value, column.values, 0.0)[joined]  # points without a value belong to no triangle
        if scale.logarithmic:  # geometric mean of the three
            values = np.exp(np.log(np.where(values > 0.0, values, 1.0))[found.triangles].mean(axis=1))
        else:
            values = values[found.triangles].mean(axis=1)
        axes.tripcolor(
            found, facecolors=values, cmap=scale.colours, norm=scale.norm(), rasterized=True, label="_triangles"
        )
    ringed = not what.plane.free and len(column.values) <= _MOST_RINGED
    return axes.scatter(
        what.plane.x.values[column.has_value],
        what.plane.y.values[column.has_value],
        c=column.values[column.has_value],
        cmap=scale.colours,
        norm=scale.norm(),
        s=_dot_size(len(column.values)) ** 2,
        linewidths=0.25 if ringed else 0.0,
        edgecolors="white" if ringed else "none",
        label="_points",
        zorder=3,
        rasterized=len(column.values) > MOST_VECTORS,
    )


def _draw_cells(axes: Axes, what: _Map, values: NDArray, colours: Colormap, norm: Normalize) -> ScalarMappable:
    grid = what.grid
    assert grid is not None
    axes.set_facecolor("white")
    corners = edges(grid.x, what.across), edges(grid.y, what.up)
    _grey_out(axes, what, grid)
    return axes.pcolormesh(
        *corners, values[grid.place], cmap=colours, norm=norm, label="_cells", rasterized=True, linewidth=0.0
    )


def _grey_out(axes: Axes, what: _Map, grid: Grid) -> None:
    """Grey cells of excluded points."""
    excluded = what.points.status == EXCLUDED
    if excluded.any():
        axes.pcolormesh(
            edges(grid.x, what.across),
            edges(grid.y, what.up),
            np.ma.masked_where(~excluded, np.zeros(len(excluded)))[grid.place],
            cmap=ListedColormap([SHADE]),
            label="_excluded",
            rasterized=True,
            linewidth=0.0,
        )


def _draw_contours(axes: Axes, what: _Map, scale: Scale) -> ScalarMappable:
    column = what.column
    levels = _levels(scale)
    ends = (scale.low, scale.high) if scale.high > scale.low else scale.limits()
    style: dict[str, Any] = {
        "cmap": scale.colours,
        "norm": scale.norm(),
        "levels": np.unique([ends[0], *levels, ends[1]]),
    }
    black: dict[str, Any] = {"colors": "black", "linewidths": 0.4, "levels": levels, "linestyles": "solid"}
    if what.grid is not None:
        if min(what.grid.place.shape) < 2:
            raise UsageError("contours need at least two values of either parameter; draw a map")
        _grey_out(axes, what, what.grid)
        values = np.ma.masked_where(~column.has_value, column.values)[what.grid.place]
        places = what.across.placed(what.grid.x), what.up.placed(what.grid.y)
        areas: ContourSet = axes.contourf(*places, values, **style)
        lines: ContourSet = axes.contour(*places, values, **black)
    else:
        if what.plane.free:
            names = ", ".join(c.name for c in what.plane.free)
            raise UsageError(f"contours over two parameters need the others to have levels; {names} have none")
        found, joined = triangles_of(what.plane, column.has_value, (what.across, what.up))
        values = np.where(column.has_value, column.values, 0.0)[joined]  # points without a value belong to no triangle
        found = Triangulation(what.across.placed(found.x), what.up.placed(found.y), found.triangles, found.mask)
        areas, lines = axes.tricontourf(found, values, **style), axes.tricontour(found, values, **black)
        dots = len(column.values) <= _MOST_RINGED
        axes.plot(
            what.plane.x.values[column.has_value & dots],
            what.plane.y.values[column.has_value & dots],
            linestyle="none",
            marker=".",
            markersize=1.2,
            markeredgewidth=0.0,
            color="black",
            label="_points",
        )
    for drawn in (areas, lines):  # interpolated linearly on the axes as drawn
        drawn.set_paths([_in_data_units(path, what) for path in drawn.get_paths()])
    areas.set_rasterized(True)
    factor = scale.ticks(*ends, 8).factor
    # A line near the least or greatest value is short or runs along the edge, where its label does not fit.
    inner = np.abs(scale.placed(levels) - 0.5) < 0.5 - _UNLABELLED
    axes.clabel(
        lines,
        levels[inner],
        fontsize=SMALL_SIZE,
        fmt=lambda value: number_text(value / factor + 0.0),
        inline_spacing=2.0,
    )
    return areas


def _in_data_units(path: Path, what: _Map) -> Path:
    """A path in data units from one with coordinates between 0 and 1."""
    x, y = path.vertices.T  # type: ignore[union-attr]
    return Path(np.column_stack([what.across.between(x), what.up.between(y)]), path.codes)


def _levels(scale: Scale) -> NDArray:
    """Round numbers within the range of the values, at least one."""
    if scale.logarithmic and scale.high > 30.0 * scale.low:
        every = max(1, int(np.log10(scale.high / scale.low) / 2.5))
        subs = (1.0,) if every > 1 else (1.0, 2.0, 5.0)
        found = np.asarray(LogLocator(subs=subs, numticks=100).tick_values(scale.low, scale.high))
    else:
        locator = MaxNLocator(nbins=_LEVELS, steps=[1, 2, 5, 10])
        found = np.asarray(locator.tick_values(scale.low, scale.high))
    inside = found[(found > scale.low) & (found < scale.high)]
    if len(inside) < 1:
        low, high = scale.limits() if scale.high == scale.low else (scale.low, scale.high)
        return np.array([0.5 * (low + high)])
    return inside


def _dot_size(count: int) -> float:
    """Diameter of the dot of a scattered point, points."""
    return float(np.clip(60.0 / np.sqrt(max(count, 1)), _LEAST_MARK, 3.2))


def _mark(axes: Axes, what: _Map, length: float) -> None:
    if not (what.points.status != COMPUTED).any() and what.column.has_value.all():
        return
    unvalued = int(np.count_nonzero(what.points.status != COMPUTED))
    size = float(np.clip(_MARK * np.sqrt(_FEW_MARKS / max(unvalued, 1)), _LEAST_MARK, _MARK))
    if what.grid is not None:
        cell = min(length / len(what.grid.x), _BODY / len(what.grid.y)) / INCH * 72
        size = float(np.clip(0.55 * cell, _LEAST_MARK, _MARK))
    mark_statuses(axes, what.points, what.plane.x.values, what.plane.y.values, size)
