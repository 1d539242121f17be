"""Figures of a sweep, from its folder or merged file, with their numbers as CSV."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, UsageError

if TYPE_CHECKING:
    from ...plots.choices import SweepKind, TimeScale
    from ...plots.sweeps.points import SweepColumn, SweepPoints
    from ...sweeps.dataset import Sweep
    from ...sweeps.sobol_indices import Indices

#: Rules of an axis with values evenly distributed in the logarithm.
_LOGARITHMIC = ("log", "log_uniform", "log_normal")


def draw_sweep(file: str | os.PathLike[str], arguments: Namespace) -> list[Path]:
    """``iontide plot FOLDER``: draw a sweep; returns the files written."""
    return plot_sweep(
        file,
        arguments.output,
        arguments.kind,
        quantities=arguments.quantity or (),
        x=arguments.x,
        y=arguments.y,
        by=arguments.by,
        at=_levels(arguments.at or ()),
        time_axis=arguments.time,
        width_mm=arguments.width,
    )


def plot_sweep(
    source: Sweep | str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    kind: SweepKind | None = None,
    *,
    quantities: str | Sequence[str] = (),
    x: str | None = None,
    y: str | None = None,
    by: str | None = None,
    at: Mapping[str, float | str] | None = None,
    time_axis: TimeScale | None = None,
    width_mm: float | None = None,
) -> list[Path]:
    """Draw a sweep into a file.

    Parameters
    ----------
    source : Sweep or path
        The result of ``open_sweep``, the folder of a sweep, finished or not, or a merged file.
    output : path, optional
        File name that ends in ``.pdf``, ``.svg`` or ``.png``; by default ``FOLDER/KIND.pdf``, or ``FILE.KIND.pdf`` next
        to a merged file.
    kind : {"curves", "map", "contours", "verdicts", "marginals", "families", "indices"}, optional
        By default curves for one parameter, a map for two, marginals for more, families if all outputs are
        trajectories, indices for a saltelli design.
    quantities : str or sequence of str
        Names of outputs; ``end[NAME]`` for one state. By default the first that fits.
    x, y : str, optional
        Varied paths along the axes; the last part of a path suffices.
    by : str, optional
        What determines the colour of families.
    at : mapping of str to float or str, optional
        Values of the parameters that a map does not show, in the unit of the plan.
    time_axis : {"linear", "log", "symlog"}, optional
    width_mm : float, optional

    Returns
    -------
    list of Path
        The figure and its CSV file.

    Raises
    ------
    UsageError
        If this figure cannot be drawn for this sweep.
    FileError
        If a file cannot be read or written.
    """
    from ...plots.files import checked_suffix, write_figure
    from ...plots.sweeps.kinds import SweepOptions, fitting_kind, sweep_figure

    if output is not None:
        checked_suffix(Path(output))  # before the sweep is read
    points, indices = points_of(source)
    chosen = (quantities,) if isinstance(quantities, str) else tuple(quantities)
    options = SweepOptions(chosen, x, y, by, dict(at or {}), time_axis, width_mm)
    kind = kind or fitting_kind(points, options)
    figure = sweep_figure(points, kind, options, indices)
    return write_figure(figure, Path(output) if output is not None else _default_output(source, kind))


def points_of(
    source: Sweep | str | os.PathLike[str],
) -> tuple[SweepPoints, Callable[[SweepColumn], Indices] | None]:
    """The data for figures of a sweep, and a function for Sobol indices; None if it is no saltelli design."""
    from ...plots.sweeps.points import SweepColumn, SweepPoints
    from ...sweeps.dataset import open_sweep
    from ...sweeps.sobol_indices import is_saltelli, sobol_indices, split_saltelli

    sweep = open_sweep(source) if isinstance(source, str | os.PathLike) else source
    title, rules, design = _of_plan(source)
    axes = tuple(
        SweepColumn(
            path,
            _codes(sweep, path),
            sweep.unit(path),
            sweep.categories(path),
            logarithmic=rules.get(path) in _LOGARITHMIC or None,
        )
        for path in sweep.paths
    )
    outputs = _Outputs(sweep)
    over_time = any(sweep.dimensions(name) == ("time",) for name in sweep.names)
    time = sweep.coordinate("time") if over_time else None
    values = np.column_stack([axis.values for axis in axes]) if axes else np.zeros((sweep.size, 0))
    saltelli = is_saltelli(values)
    points = SweepPoints(
        title,
        axes,
        _plot_statuses(sweep.status),
        outputs,
        time,
        "saltelli" if saltelli else design.replace("saltelli", ""),
    )

    def indices(column: SweepColumn) -> Indices:
        return sobol_indices(*split_saltelli(values, column.values))

    return points, indices if saltelli else None


class _Outputs(Mapping[str, "SweepColumn"]):
    """The outputs of a sweep, each read when it is looked up."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._read: dict[str, SweepColumn] = {}

    def __getitem__(self, name: str) -> SweepColumn:
        from ...plots.sweeps.points import SweepColumn

        sweep = self._sweep
        if name not in sweep.names:
            raise KeyError(name)
        if name not in self._read:
            dimension = next(iter(sweep.dimensions(name)), "")
            parts = () if dimension in ("", "time") else tuple(str(part) for part in sweep.coordinate(dimension))
            self._read[name] = SweepColumn(
                name,
                sweep.output(name),
                sweep.unit(name),
                sweep.categories(name),
                sweep.long_name(name),
                dimension,
                parts,
            )
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._sweep.names

    def __iter__(self) -> Iterator[str]:
        return iter(self._sweep.names)

    def __len__(self) -> int:
        return len(self._sweep.names)


def _plot_statuses(status: NDArray) -> NDArray:
    """The status of each point for a figure, from its status in the sweep."""
    from ...plots.sweeps import points as sweep_points
    from ...sweeps.compute import block

    codes = np.full(len(block.STATUSES), sweep_points.COMPUTED, dtype=np.int8)
    codes[[block.MISSING, block.FAILED, block.EXCLUDED]] = (
        sweep_points.MISSING,
        sweep_points.FAILED,
        sweep_points.EXCLUDED,
    )
    return codes[status]


def _codes(sweep: Sweep, path: str) -> NDArray:
    """Values of a path; codes of its categories."""
    values, categories = sweep.values(path), sweep.categories(path)
    if not categories:
        return np.asarray(values, dtype=float)
    codes = {category: k for k, category in enumerate(categories)}
    return np.array([codes.get(str(value), -1) for value in values])


def _of_plan(source: Sweep | str | os.PathLike[str]) -> tuple[str, dict[str, str], str]:
    """Title, rule of each axis and design from the plan in a folder; for a merged file only its name."""
    from ...sweeps.store.store import Store

    if not isinstance(source, str | os.PathLike):
        return "", {}, ""
    path = Path(source)
    if not path.is_dir():
        return path.stem, {}, ""
    plan = Store.open(path).plan
    return plan.scenario.model.title or path.name, {a.path: a.rule for a in plan.axes}, plan.design_name


def _default_output(source: Sweep | str | os.PathLike[str], kind: str) -> Path:
    if not isinstance(source, str | os.PathLike):
        return Path("outputs") / f"sweep.{kind}.pdf"
    path = Path(source)
    return path / f"{kind}.pdf" if path.is_dir() else path.with_name(f"{path.stem}.{kind}.pdf")


def _levels(settings: Sequence[str]) -> dict[str, float | str]:
    """Values by path, from ``PATH=VALUE``."""
    found: dict[str, float | str] = {}
    for text in settings:
        path, equals, value = text.partition("=")
        if not equals or not path.strip() or not value.strip():
            raise UsageError(
                f"--at must be PATH=VALUE, for example parameters.P_K=5e-8 in the unit of the plan, got {text!r}"
            )
        found[path.strip()] = value.strip()
    return found


def is_sweep(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder or a merged file of a sweep."""
    from ...storage.reader import checked_file, read_table
    from ...sweeps.store.contents import FORMAT

    if Path(path).is_dir():
        return True  # it is no result file; opening it reports what is wrong
    try:
        with checked_file(path) as file:
            return bool(read_table(file, "header").get("format") == FORMAT)
    except FileError:
        return False
