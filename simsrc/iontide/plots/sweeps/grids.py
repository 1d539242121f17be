"""Points over two parameters: the plane that is shown, its grid if it has one, and the edges of the cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.tri import TriAnalyzer, Triangulation
from numpy.typing import NDArray

from ...errors import UsageError
from ..drawing.scales import Scale
from .points import SweepColumn, SweepPoints, names_of

#: A parameter has levels, of which one can be shown, if each value occurs at least so often on average.
_REPEATED = 4

#: Most scattered points that are drawn.
MOST_SCATTERED = 20_000


@dataclass(frozen=True)
class Plane:
    """The points of a sweep that a map over two parameters shows.

    Attributes
    ----------
    x, y : SweepColumn
        The varied values along the axes, of these points.
    rows : array of int
        The numbers of these points in the sweep.
    held : tuple of (SweepColumn, float)
        Other parameters with the level that is shown.
    free : tuple of SweepColumn
        Other parameters that vary among the points shown.
    """

    x: SweepColumn
    y: SweepColumn
    rows: NDArray
    held: tuple[tuple[SweepColumn, float], ...]
    free: tuple[SweepColumn, ...]

    def sentence(self) -> str:
        """The sentence of the caption about the other parameters."""
        levels = [f"{c.description} = {level_text(c, level)}" for c, level in self.held]
        sentences = [f"At {', '.join(levels)}."] if levels else []
        if self.free:
            sentences.append(f"Varied too, so that neighbours differ: {names_of(self.free)}.")
        return " ".join(sentences)


@dataclass(frozen=True)
class Grid:
    """Every value of x with every value of y.

    Attributes
    ----------
    x, y : array
        The levels, ascending.
    place : int array, shape (len(y), len(x))
        The point at each place of the grid.
    """

    x: NDArray
    y: NDArray
    place: NDArray


def plane_of(
    points: SweepPoints,
    x: str | None = None,
    y: str | None = None,
    at: Mapping[str, float | str] | None = None,
) -> Plane:
    """The points over two parameters, at one level of each other parameter that has levels.

    Parameters
    ----------
    points : SweepPoints
    x, y : str, optional
        Varied paths; by default the first numerical ones.
    at : mapping of str to float or str, optional
        The level (the nearest one) of other parameters that is shown, in their units; by default the middle one.

    Raises
    ------
    UsageError
        If there are not two parameters, or no such ones.
    """
    if len(points.axes) < 2:
        known = ", ".join(a.name for a in points.axes) or "none"
        raise UsageError(f"a map needs two varied parameters; varied is {known}")
    across, up = _chosen(points, x, y)
    at = {points.axis(name).name: value for name, value in (at or {}).items()}
    rows = np.arange(len(points))
    held, free = [], []
    for other in points.axes:
        if other.name in (across.name, up.name):
            if other.name in at:
                raise UsageError(f"{other.name} is on an axis of the map; --at applies only to the other parameters")
            continue
        levels = np.unique(other.values[np.isfinite(other.values)])
        if len(levels) * _REPEATED > len(points) and len(levels) > 1:
            if other.name in at:
                raise UsageError(f"{other.name} has scattered values and no levels, so that --at does not apply to it")
            free.append(other)
            continue
        level = _level(other, levels, at.get(other.name))
        held.append((other, level))
        rows = rows[other.values[rows] == level]
    return Plane(across.of(rows), up.of(rows), rows, tuple(held), tuple(free))


def _chosen(points: SweepPoints, x: str | None, y: str | None) -> tuple[SweepColumn, SweepColumn]:
    named = [points.axis(name) if name is not None else None for name in (x, y)]
    taken = {a.name for a in named if a is not None}
    # Numbers first: a map over categories is rarely wanted.
    left = [a for a in sorted(points.axes, key=lambda a: bool(a.categories)) if a.name not in taken]
    across, up = (a if a is not None else left.pop(0) for a in named)
    if across.name == up.name:
        raise UsageError(f"a map needs two different parameters, got {across.name} twice")
    return across, up


def _level(column: SweepColumn, levels: NDArray, wanted: float | str | None) -> float:
    if wanted is None:
        return float(levels[0 if column.categories else (len(levels) - 1) // 2])
    if column.categories:
        if wanted not in column.categories:
            raise UsageError(f"{column.name} has no value `{wanted}`; there are {', '.join(column.categories)}")
        return float(column.categories.index(str(wanted)))
    try:
        number = float(wanted)
    except ValueError:
        unit = f" in {column.unit}" if column.unit else ""
        raise UsageError(f"--at {column.name} needs a number{unit}, got `{wanted}`") from None
    return float(levels[np.argmin(np.abs(levels - number))])


def level_text(column: SweepColumn, level: float) -> str:
    """A value of a parameter with its unit."""
    if column.categories:
        return column.categories[int(level)]
    return f"{level:.4g} {column.unit}".replace("-", "−", level < 0).rstrip()


def grid_of(plane: Plane) -> Grid | None:
    """The points as a grid; None unless every pair of values occurs exactly once."""
    x, column = np.unique(plane.x.values, return_inverse=True)
    y, row = np.unique(plane.y.values, return_inverse=True)
    if len(x) * len(y) != len(plane.rows) or (len(x) < 2 and len(y) < 2):
        return None
    place = np.full((len(y), len(x)), -1)
    place[row, column] = np.arange(len(plane.rows))
    return None if (place < 0).any() else Grid(x, y, place)


def thinned(plane: Plane) -> Plane:
    """At most ``MOST_SCATTERED`` points, evenly chosen by their numbers."""
    count = len(plane.rows)
    if count <= MOST_SCATTERED:
        return plane
    chosen = np.round(np.linspace(0, count - 1, MOST_SCATTERED)).astype(int)
    return replace(plane, x=plane.x.of(chosen), y=plane.y.of(chosen), rows=plane.rows[chosen])


def edges(levels: NDArray, scale: Scale) -> NDArray:
    """Edges of the cells around these levels, in the middle between two on the axis as it is drawn."""
    if scale.words:
        return np.append(levels - 0.5, levels[-1] + 0.5)
    drawn = np.log(levels) if scale.logarithmic else levels.astype(float)
    if len(drawn) == 1:
        half = 0.5 if scale.logarithmic else 0.05 * abs(float(drawn[0])) or 0.5
        found = np.array([drawn[0] - half, drawn[0] + half])
    else:
        middle = 0.5 * (drawn[1:] + drawn[:-1])
        found = np.concatenate([[2 * drawn[0] - middle[0]], middle, [2 * drawn[-1] - middle[-1]]])
    return np.exp(found) if scale.logarithmic else found


def triangles_of(plane: Plane, has_value: NDArray, scales: tuple[Scale, Scale]) -> tuple[Triangulation, NDArray]:
    """Triangles between scattered points with values, and which points they join.

    Parameters
    ----------
    there : bool array
        Which points have a value.
    scales : (Scale, Scale)
        Of the axes: neighbours are determined on the axes as drawn.

    Raises
    ------
    UsageError
        If there are fewer than three points, or all lie on one line.
    """
    x, y = plane.x.values, plane.y.values
    # Of points at the same position only one can belong to a triangle.
    placed = np.column_stack([scales[0].placed(x), scales[1].placed(y)])
    _, first = np.unique(placed, axis=0, return_index=True)
    joined = np.sort(first)
    x, y, placed = x[joined], y[joined], placed[joined]
    try:
        found = Triangulation(placed[:, 0], placed[:, 1])
    except (ValueError, RuntimeError):
        raise UsageError(
            f"a map needs points that are spread over {plane.x.name} and {plane.y.name}; these lie on a line"
        ) from None
    hidden = ~has_value[joined][found.triangles].all(axis=1) | TriAnalyzer(found).get_flat_tri_mask(0.005)
    return Triangulation(x, y, found.triangles, hidden if hidden.any() else None), joined
