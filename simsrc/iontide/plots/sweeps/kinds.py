"""The kinds of figures of a sweep: which fits by default, and the function that draws any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...errors import UsageError
from ..choices import SWEEP_KINDS, SweepKind, TimeScale
from ..drawing.style import DOUBLE_COLUMN, SINGLE_COLUMN, PaperFigure
from .curves import curve_figure
from .families import families_figure
from .indices import IndicesLike, indices_figure
from .maps import map_figure, verdict_figure
from .marginals import marginal_figure
from .points import SweepColumn, SweepPoints

#: Kinds that draw more than one quantity.
_MANY = ("curves", "indices")


@dataclass(frozen=True)
class SweepOptions:
    """Options of a figure of a sweep.

    Attributes
    ----------
    quantities : tuple of str
        Outputs to draw; if empty the default of the kind.
    x, y : str, optional
        Varied paths along the axes of maps and curves.
    by : str, optional
        What determines the colour of families.
    at : mapping of str to float or str
        Levels of the parameters that a map does not show.
    time_axis : {"linear", "log", "symlog"}, optional
        Of families.
    width : float, optional
        mm; by default that of the kind.
    """

    quantities: tuple[str, ...] = ()
    x: str | None = None
    y: str | None = None
    by: str | None = None
    at: Mapping[str, float | str] = field(default_factory=dict)
    time_axis: TimeScale | None = None
    width: float | None = None


def fitting_kind(points: SweepPoints, options: SweepOptions) -> SweepKind:
    """The default kind for the design and the output: curves for one parameter, a map for two, marginals or indices."""
    named = options.quantities[0] if options.quantities else None
    if named is not None and named in points.outputs and points.outputs[named].dimension == "time":
        return "families"
    scalars = any(column.dimension != "time" for column in points.outputs.values())
    if points.outputs and not scalars:
        return "families"
    if len(points.axes) == 1 and points.design != "saltelli":
        return "curves"
    categories = points.scalar(named).categories if points.outputs else ()
    if points.design == "saltelli" and not categories:
        return "indices"
    # Several quantities have no map together.
    if len(points.axes) == 2:
        return "verdicts" if categories else "map"
    return "marginals"


def sweep_figure(
    points: SweepPoints,
    kind: SweepKind | None = None,
    options: SweepOptions | None = None,
    indices: Callable[[SweepColumn], IndicesLike] | None = None,
) -> PaperFigure:
    """Draw a sweep.

    Parameters
    ----------
    points : SweepPoints
    kind : {"curves", "map", "contours", "verdicts", "marginals", "families", "indices"}, optional
        By default that of ``fitting_kind``.
    options : SweepOptions, optional
    indices : callable, optional
        The Sobol indices of an output, in the order of ``points.axes``; None if it is no saltelli design.

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn.

    Raises
    ------
    UsageError
        If the kind is unknown, or cannot be drawn for this sweep with these options.
    """
    options = options or SweepOptions()
    kind = fitting_kind(points, options) if kind is None else kind
    if kind not in SWEEP_KINDS:
        raise UsageError(f"there is no figure `{kind}` of a sweep; there are {', '.join(SWEEP_KINDS)}")
    _check(kind, options)
    width = options.width or (DOUBLE_COLUMN if kind == "marginals" and len(points.axes) > 1 else SINGLE_COLUMN)
    one = options.quantities[0] if options.quantities else None
    if kind == "curves":
        return curve_figure(points, options.quantities, options.x, width)
    if kind == "verdicts":
        return verdict_figure(points, one, options.x, options.y, options.at, width)
    if kind in ("map", "contours"):
        return map_figure(points, one, options.x, options.y, options.at, kind == "contours", width)
    if kind == "marginals":
        return marginal_figure(points, one, width)
    if kind == "families":
        return families_figure(points, one, options.by, options.time_axis, width)
    columns = [points.scalar(name) for name in options.quantities or (None,)]
    for column in columns:
        if column.categories:
            raise UsageError(f"{column.name} has categories; Sobol indices need a number")
    if indices is None:
        raise UsageError(
            'Sobol indices need a saltelli design: design = "saltelli" with samples = N; '
            "of other designs draw marginals"
        )
    return indices_figure(points.title, points.axes, [(column, indices(column)) for column in columns], width)


def _check(kind: SweepKind, options: SweepOptions) -> None:
    """Refuse options that this kind ignores."""
    if len(options.quantities) > 1 and kind not in _MANY:
        raise UsageError(f"a figure of kind {kind} shows one quantity, got {', '.join(options.quantities)}")
    takers = {
        "x": ("curves", "map", "contours", "verdicts"),
        "y": ("map", "contours", "verdicts"),
        "at": ("map", "contours", "verdicts"),
        "by": ("families",),
        "time_axis": ("families",),
    }
    for name, kinds in takers.items():
        if getattr(options, name) and kind not in kinds:
            description = "a time axis" if name == "time_axis" else name
            raise UsageError(
                f"a figure of kind {kind} takes no {description.removeprefix('a ')}; {', '.join(kinds)} do"
            )
