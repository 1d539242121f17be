"""A sweep for reading: arrays by path and name, or a Dataset of xarray."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .compute.block import FAILED, MISSING, STATUSES
from .store.contents import STATUS, STEPS, TIME, ColumnDescription, Contents, decode_categories, open_contents

if TYPE_CHECKING:
    import xarray

#: Most paths and names in a list; the rest is only counted.
_MOST_LISTED = 12


def open_sweep(path: str | os.PathLike[str]) -> Sweep:
    """Open a sweep: its folder, finished or not, or a merged file.

    Parameters
    ----------
    path : path

    Returns
    -------
    Sweep
        Of a folder, the blocks that were done when it was opened.

    Raises
    ------
    FileError
        If it is neither, or is damaged.

    Examples
    --------
    >>> vary = {"parameters.P_Na": ["1e-9 m/s", "2e-9 m/s"], "parameters.pump_rate": ["1e-6 mol/m^2/s"]}
    >>> scenario = "scenarios/cells_and_tissues/pump_leak_sweep.toml"
    >>> points = iontide.sweep(scenario, "two.sweep", set={"sweep.vary": vary}, workers=1)
    >>> iontide.open_sweep("two.sweep").values("parameters.P_Na")
    array([1.e-09, 2.e-09])
    """
    return Sweep(open_contents(path))


class Sweep:
    """The points of a sweep: varied values, status and outputs.

    Every quantity is read when it is requested, as one array over all points in the order of the plan.

    Attributes
    ----------
    size : int
        Points of the plan.
    paths : tuple of str
        Varied paths, in the order of the plan.
    names : tuple of str
        Names of the outputs.
    shape : tuple of int
        Shape of the grid, one axis for each path, the last varying fastest; empty if the points form no grid.
    digest : str
        Of the plan.
    faults : tuple of str
        Why some shards are ignored.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.size, self.shape, self.digest = contents.size, contents.shape, contents.digest
        self.paths = tuple(axis.path for axis in contents.varied)
        self.names = tuple(contents.outputs)
        self.faults = contents.faults

    # -- varied values ------------------------------------------------------------------------------------------------

    def values(self, path: str) -> NDArray:
        """The values of a varied path, shape (points,): in ``unit(path)``, or categories as texts."""
        place = self._place(path)
        values, categories = self._contents.axis(place), self._contents.varied[place].categories
        return decode_categories(values, categories) if categories else values

    def unit(self, name: str) -> str:
        """The unit of a varied path or an output; empty for pure numbers and categories."""
        if name in self.paths:
            return self._contents.varied[self._place(name)].unit
        return self._described(name).unit

    def categories(self, name: str) -> tuple[str, ...]:
        """The categories of a varied path or an output; empty for numbers."""
        if name in self.paths:
            return self._contents.varied[self._place(name)].categories
        return self._described(name).categories

    # -- status of the points -----------------------------------------------------------------------------------------

    @cached_property
    def status(self) -> NDArray[np.int8]:
        """Codes of ``STATUSES``: missing, done, steady, stopped, failed, excluded."""
        return self._contents.column(STATUS)

    @property
    def counts(self) -> dict[str, int]:
        """Number of points by status, for the statuses that occur."""
        numbers = np.bincount(self.status, minlength=len(STATUSES))
        return {name: int(n) for name, n in zip(STATUSES, numbers, strict=True) if n}

    @property
    def time(self) -> NDArray:
        """Simulated time reached, s; NaN where a point is missing."""
        return self._contents.column(TIME)

    @property
    def steps(self) -> NDArray:
        """Accepted steps of the integrator; −1 where a point is missing."""
        return self._contents.column(STEPS)

    @cached_property
    def messages(self) -> Mapping[int, str]:
        """Why points failed, by the number of the point."""
        return self._contents.messages()

    # -- outputs ------------------------------------------------------------------------------------------------------

    def output(self, name: str) -> NDArray:
        """The values of an output, shape (points, …), in ``unit(name)``; NaN (or −1) where there is none.

        A categorical output has codes, places in ``categories(name)``; ``output_categories`` gives the categories.
        """
        return self._contents.column(self._described(name))

    def output_categories(self, name: str) -> NDArray:
        """The category of a categorical output, such as a verdict, at each point; an empty text where there is none."""
        column = self._described(name)
        if not column.categories:
            raise UsageError(f"{name} is a number and has no categories; use output({name!r})")
        return decode_categories(self._contents.column(column), column.categories)

    def long_name(self, name: str) -> str:
        """The label of an output on an axis."""
        return self._described(name).long_name or name

    def dimensions(self, name: str) -> tuple[str, ...]:
        """Names of the axes of an output after that of the points, such as ``("time",)``."""
        return self._described(name).dimensions

    def coordinate(self, dimension: str) -> NDArray:
        """The coordinate of a dimension: times, s, or the names of states."""
        if dimension not in self._contents.coordinates:
            raise UsageError(f"there is no dimension {dimension}; there are {_listed(self._contents.coordinates)}")
        return self._contents.coordinate(dimension)

    # -- for xarray ---------------------------------------------------------------------------------------------------

    def to_xarray(self, names: Iterable[str] | None = None, *, grid: bool | None = None) -> xarray.Dataset:
        """The sweep as a Dataset, with the varied paths as coordinates.

        Parameters
        ----------
        names : iterable of str, optional
            Outputs to read; all by default.
        grid : bool, optional
            Whether to use the dimensions of the grid, each named by the path that varies along it, in place of
            ``point``; by default wherever the points form a grid.

        Raises
        ------
        UsageError
            If xarray is not installed, there is no such output, or the points form no grid.
        """
        try:
            import xarray
        except ImportError as error:
            raise UsageError("xarray is not installed: pip install 'iontide[xarray]'") from error
        if grid and not self.shape:
            raise UsageError("the points of this sweep form no grid")
        unstack = bool(self.shape) if grid is None else grid
        dimensions = self.paths if unstack else ("point",)
        shape = self.shape if unstack else (self.size,)

        def variable(values: NDArray, more: tuple[str, ...], attributes: dict[str, Any]) -> tuple[Any, ...]:
            return (*dimensions, *more), values.reshape(*shape, *values.shape[1:]), attributes

        coordinates: dict[str, Any] = {
            "point": variable(np.arange(self.size), (), {"long_name": "number of the point"})
        }
        for axis, path in enumerate(self.paths):
            values, attributes = self.values(path), _attributes(self.unit(path), path)
            if unstack:
                line = np.moveaxis(values.reshape(shape), axis, 0).reshape(shape[axis], -1)[:, 0]
                coordinates[path] = (path, line, attributes)
            else:
                coordinates[path] = variable(values, (), attributes)
        chosen = self.names if names is None else tuple(names)
        used = {dimension for name in chosen for dimension in self.dimensions(name)}
        for name, column in self._contents.coordinates.items():
            if used.intersection(column.dimensions):
                attributes = _attributes(column.unit, column.long_name)
                coordinates[name] = (column.dimensions, self.coordinate(name), attributes)
        data: dict[str, Any] = {
            "status": variable(self.status, (), _attributes("", STATUS.long_name, STATUSES, "|i1")),
            "time_reached": variable(self.time, (), _attributes("s", TIME.long_name)),
            "steps": variable(self.steps, (), _attributes("", STEPS.long_name)),
        }
        for name in chosen:
            d = self._described(name)
            data[name] = variable(
                self.output(name), d.dimensions, _attributes(d.unit, d.long_name, d.categories, d.dtype)
            )
        return xarray.Dataset(data, coordinates, {"plan": self.digest})

    # -----------------------------------------------------------------------------------------------------------------

    def _place(self, path: str) -> int:
        if path not in self.paths:
            raise UsageError(f"{path} is not varied; varied are {_listed(self.paths)}")
        return self.paths.index(path)

    def _described(self, name: str) -> ColumnDescription:
        if name not in self._contents.outputs:
            raise UsageError(f"this sweep has no output {name}; it has {_listed(self.names)}")
        return self._contents.outputs[name]

    def _with_unit(self, name: str) -> str:
        return f"{name} ({self.unit(name)})" if self.unit(name) else name

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        grid = f", a grid of {' × '.join(map(str, self.shape))}" if self.shape else ""
        counts = self.counts
        lines = [
            f"Sweep of {self.size} points{grid} ({self._contents.name})",
            f"  varied:  {_listed(map(self._with_unit, self.paths))}",
            f"  outputs: {_listed(map(self._with_unit, self.names))}",
            f"  status:  {', '.join(f'{n} {name}' for name, n in counts.items())}",
        ]
        if any(STATUSES[code] in counts for code in (MISSING, FAILED)):
            lines.append("  points that are missing or failed hold NaN (whole numbers: −1)")
        if self.faults:
            lines.append(f"  ignored shards: {len(self.faults)}, the first: {self.faults[0]}")
        return "\n".join(lines)


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    more = len(all_names) - _MOST_LISTED
    some = ", ".join(all_names[:_MOST_LISTED]) or "none"
    return f"{some} and {more} more" if more > 0 else some


def _attributes(unit: str, long_name: str, categories: tuple[str, ...] = (), dtype: str = "") -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if unit:
        attributes["units"] = unit
    if long_name:
        attributes["long_name"] = long_name
    if categories:
        attributes["flag_values"] = np.arange(len(categories), dtype=dtype)
        attributes["flag_meanings"] = " ".join(category.replace(" ", "_") for category in categories)
    return attributes
