"""Maps over two parameters: a number as colours and contours, or a word (as a verdict) as areas."""

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
    colour_bar,
    fate_handles,
    finish,
    legend,
    mark_fates,
    sheet,
    word_colours,
    word_patches,
    wrapped,
)
from .points import (
    COMPUTED,
    EXCLUDED,
    SweepColumn,
    SweepPoints,
    count_text,
    numbers_beside,
    require_values,
    tell_points,
)

#: Height of the axes with their labels, mm.
_BODY = 62.0

#: More scattered points than this have no ring around them, nor a dot in a contour map, and are seen all the same.
_MOST_RINGED = 2000

#: Levels of a contour map, about; those so near to the ends, in parts of all values, have no label.
_LEVELS, _UNLABELLED = 9, 0.03

#: Size of a mark, points, and the least; more marks than this are drawn smaller.
_MARK, _LEAST_MARK, _FEW_MARKS = 2.6, 0.8, 120


@dataclass(frozen=True)
class _Map:
    """What is to be drawn: the points of a plane, the quantity over it, and the axes as drawn."""

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
    """A quantity with one value a point over two parameters; of words as areas with a legend.

    A grid is drawn cell by cell, each around its point; scattered points are joined to triangles and shown. Points
    that failed or are missing leave a gap, with a mark in it.

    Parameters
    ----------
    points : SweepPoints
    quantity : str, optional
        The first number that is kept if not given.
    x, y : str, optional
        What is varied along the axes; the first two numbers if not given.
    at : mapping of str to float or str, optional
        Levels at which other parameters are held, in their units; the middle ones if not given.
    contours : bool
        Draw lines of equal value, with their values, and areas between them.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the points drawn.

    Raises
    ------
    UsageError
        There are no two parameters, no such quantity, or nothing to draw.
    """
    column = points.scalar(quantity)
    plane = plane_of(points, x, y, at)
    if column.words and contours:
        raise UsageError(f"{column.name} is a word and has no contours; draw it as a map")
    whole, every = points.of(plane.rows), column.of(plane.rows)
    require_values(whole, every)
    grid = grid_of(plane)
    if grid is None:
        plane = thinned(plane)
    shown, own = points.of(plane.rows), column.of(plane.rows)
    what = _Map(shown, plane, own, grid, plane.x.scale(), plane.y.scale(), contours)
    marks = MARK_NAMES | ({EXCLUDED: "grey"} if grid is not None else {})
    caption = [plane.sentence(), tell_points(whole, every, marks), _of_points(what)]
    if len(shown) < len(whole):
        caption.append(f"Drawn: {count_text(len(shown))} of the points, whatever became of them.")
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
        if column.words:
            _draw_words(axes, what)
            handles = [*word_patches(own, own.values), *fate_handles(shown, what.grid is not None)]
            legend(figure, handles, wrapped(own.text, 22.0))
        else:
            scale = own.scale()
            drawn = _draw_contours(axes, what, scale) if contours else _draw_colours(axes, what, scale)
            colour_bar(figure, drawn, axes, own, scale, _BODY - 9.0)
        _mark(axes, what, length)
        figure.data = numbers_beside(shown, own)
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
    """Where in two parameters which verdict (or another word) holds; parameters as of `map_figure`.

    Raises
    ------
    UsageError
        No words are kept, or there are no two parameters.
    """
    if quantity is None:
        words = [name for name, column in points.kept.items() if column.words]
        if not words:
            raise UsageError('no verdict is kept in this sweep; keep it with keep = ["verdict"]')
        quantity = "verdict" if "verdict" in words else words[0]
    elif not points.scalar(quantity).words:
        raise UsageError(f"{quantity} is a number and no verdict; draw it as a map")
    return map_figure(points, quantity, x, y, at, width_mm=width_mm)


def _of_points(what: _Map) -> str:
    if what.grid is not None:
        return "Contours between the points of a grid." if what.contours else ""
    if what.column.words or what.plane.free:
        return ""
    dots = "" if what.contours and len(what.plane.rows) > _MOST_RINGED else " (dots)"
    return f"Linear between the points{dots}." if what.contours else f"A triangle has the mean of its points{dots}."


def _draw_words(axes: Axes, what: _Map) -> None:
    own = what.column
    colours = ListedColormap(word_colours(own.words))
    norm = BoundaryNorm(np.arange(-0.5, len(own.words)), len(own.words))
    if what.grid is not None:
        _draw_cells(axes, what, np.ma.masked_where(~own.there, own.values), colours, norm)
    else:
        axes.scatter(
            what.plane.x.values[own.there],
            what.plane.y.values[own.there],
            c=own.values[own.there],
            cmap=colours,
            norm=norm,
            s=_dot_size(len(own.values)) ** 2,
            linewidths=0.0,
            label="_points",
            rasterized=len(own.values) > MOST_VECTORS,
        )


def _draw_colours(axes: Axes, what: _Map, scale: Scale) -> ScalarMappable:
    own = what.column
    if what.grid is not None:
        return _draw_cells(axes, what, np.ma.masked_where(~own.there, own.values), scale.colours, scale.norm())
    if not what.plane.free:
        found, joined = triangles_of(what.plane, own.there, (what.across, what.up))
        values = np.where(own.there, own.values, 0.0)[joined]  # those of no triangle
        if scale.logarithmic:  # the mean of the three as drawn
            values = np.exp(np.log(np.where(values > 0.0, values, 1.0))[found.triangles].mean(axis=1))
        else:
            values = values[found.triangles].mean(axis=1)
        axes.tripcolor(
            found, facecolors=values, cmap=scale.colours, norm=scale.norm(), rasterized=True, label="_triangles"
        )
    ringed = not what.plane.free and len(own.values) <= _MOST_RINGED
    return axes.scatter(
        what.plane.x.values[own.there],
        what.plane.y.values[own.there],
        c=own.values[own.there],
        cmap=scale.colours,
        norm=scale.norm(),
        s=_dot_size(len(own.values)) ** 2,
        linewidths=0.25 if ringed else 0.0,
        edgecolors="white" if ringed else "none",
        label="_points",
        zorder=3,
        rasterized=len(own.values) > MOST_VECTORS,
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
    """Cells of points that do not meet the constraints of the plan."""
    excluded = what.points.fate == EXCLUDED
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
    own = what.column
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
        values = np.ma.masked_where(~own.there, own.values)[what.grid.place]
        places = what.across.placed(what.grid.x), what.up.placed(what.grid.y)
        areas: ContourSet = axes.contourf(*places, values, **style)
        lines: ContourSet = axes.contour(*places, values, **black)
    else:
        if what.plane.free:
            names = ", ".join(c.name for c in what.plane.free)
            raise UsageError(f"contours over two parameters need the others to have levels; {names} have none")
        found, joined = triangles_of(what.plane, own.there, (what.across, what.up))
        values = np.where(own.there, own.values, 0.0)[joined]  # those of no triangle
        found = Triangulation(what.across.placed(found.x), what.up.placed(found.y), found.triangles, found.mask)
        areas, lines = axes.tricontourf(found, values, **style), axes.tricontour(found, values, **black)
        dots = len(own.values) <= _MOST_RINGED
        axes.plot(
            what.plane.x.values[own.there & dots],
            what.plane.y.values[own.there & dots],
            linestyle="none",
            marker=".",
            markersize=1.2,
            markeredgewidth=0.0,
            color="black",
            label="_points",
        )
    for drawn in (areas, lines):  # straight between neighbours along the axes as they are drawn
        drawn.set_paths([_placed_back(path, what) for path in drawn.get_paths()])
    areas.set_rasterized(True)
    factor = scale.ticks(*ends, 8).factor
    # A line at the very top or bottom of all values is short, or runs along the edge: its label finds no room there.
    inner = np.abs(scale.placed(levels) - 0.5) < 0.5 - _UNLABELLED
    axes.clabel(
        lines,
        levels[inner],
        fontsize=SMALL_SIZE,
        fmt=lambda value: number_text(value / factor + 0.0),
        inline_spacing=2.0,
    )
    return areas


def _placed_back(path: Path, what: _Map) -> Path:
    """A path between 0 and 1 along either axis, in the units of the axes."""
    x, y = path.vertices.T  # type: ignore[union-attr]
    return Path(np.column_stack([what.across.between(x), what.up.between(y)]), path.codes)


def _levels(scale: Scale) -> NDArray:
    """Round numbers within the values, two at least."""
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
    if not (what.points.fate != COMPUTED).any() and what.column.there.all():
        return
    gone = int(np.count_nonzero(what.points.fate != COMPUTED))
    size = float(np.clip(_MARK * np.sqrt(_FEW_MARKS / max(gone, 1)), _LEAST_MARK, _MARK))
    if what.grid is not None:
        cell = min(length / len(what.grid.x), _BODY / len(what.grid.y)) / INCH * 72
        size = float(np.clip(0.55 * cell, _LEAST_MARK, _MARK))
    mark_fates(axes, what.points, what.plane.x.values, what.plane.y.values, size)
