"""A sweep for reading: arrays by path and name, or a Dataset of xarray."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .compute.block import EXCLUDED, FAILED, MISSING, STATUSES
from .store.contents import STATUS, STEPS, TIME, Contents, Described, open_contents, worded

if TYPE_CHECKING:
    import xarray

#: Paths and names that are listed before the rest is only counted.
_MOST_LISTED = 12


def open_sweep(path: str | os.PathLike[str]) -> Sweep:
    """Open a sweep: its folder, finished or not, or a merged file.

    Parameters
    ----------
    path : path

    Returns
    -------
    Sweep
        Of a folder, what was there and sound when it was opened.

    Raises
    ------
    FileError
        Where it is neither, damaged, or not to be trusted.

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
    """The points of a sweep: what was varied, what became of them, and what was kept.

    Every quantity is read when it is asked for, as one array over all points in the order of the plan.

    Attributes
    ----------
    size : int
        Points of the plan.
    paths : tuple of str
        What was varied, in the order of the plan.
    names : tuple of str
        What was kept.
    shape : tuple of int
        Of the grid that the points make, an axis for each path, the last running fastest; empty where they make none.
    digest : str
        Of the plan.
    faults : tuple of str
        What is wrong with shards that do not count.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.size, self.shape, self.digest = contents.size, contents.shape, contents.digest
        self.paths = tuple(axis.path for axis in contents.varied)
        self.names = tuple(contents.kept)
        self.faults = contents.faults

    # -- what was varied ----------------------------------------------------------------------------------------------

    def values(self, path: str) -> NDArray:
        """The values of a varied path, shape (points,): in ``unit(path)``, or words."""
        place = self._place(path)
        values, words = self._contents.axis(place), self._contents.varied[place].words
        return worded(values, words) if words else values

    def unit(self, name: str) -> str:
        """The unit of a varied path or a kept quantity; empty for pure numbers and words."""
        if name in self.paths:
            return self._contents.varied[self._place(name)].unit
        return self._described(name).unit

    def words(self, name: str) -> tuple[str, ...]:
        """What the whole numbers of a kept quantity, or the values of a path, are one of; empty of numbers."""
        if name in self.paths:
            return self._contents.varied[self._place(name)].words
        return self._described(name).words

    # -- what became of the points ------------------------------------------------------------------------------------

    @cached_property
    def status(self) -> NDArray[np.int8]:
        """Codes of ``STATUSES``: missing, done, steady, stopped, failed, excluded."""
        return self._contents.column(STATUS)

    @property
    def counts(self) -> dict[str, int]:
        """Points by status, of those that there are."""
        found = np.bincount(self.status, minlength=len(STATUSES))
        return {name: int(n) for name, n in zip(STATUSES, found, strict=True) if n}

    @property
    def time(self) -> NDArray:
        """Time that each point reached, s; NaN where it is missing."""
        return self._contents.column(TIME)

    @property
    def steps(self) -> NDArray:
        """Accepted steps of the integrator; −1 where the point is missing."""
        return self._contents.column(STEPS)

    @cached_property
    def messages(self) -> Mapping[int, str]:
        """By the number of the point, why it failed."""
        return self._contents.messages()

    # -- what was kept ------------------------------------------------------------------------------------------------

    def kept(self, name: str) -> NDArray:
        """A kept quantity, shape (points, …), in ``unit(name)``; NaN (or −1) where there is none.

        Whole numbers that stand for words are places in ``words(name)``; ``kept_words`` has the words themselves.
        """
        return self._contents.column(self._described(name))

    def kept_words(self, name: str) -> NDArray:
        """A kept quantity in words, as a verdict; an empty one where there is none."""
        described = self._described(name)
        if not described.words:
            raise UsageError(f"{name} is a number, not a word")
        return worded(self._contents.column(described), described.words)

    def long_name(self, name: str) -> str:
        """What a kept quantity is, as an axis says it."""
        return self._described(name).long_name or name

    def dimensions(self, name: str) -> tuple[str, ...]:
        """Of the axes of a kept quantity after that of the points, as ``("time",)``."""
        return self._described(name).dimensions

    def coordinate(self, dimension: str) -> NDArray:
        """What stands along a dimension: times, s, or the names of states."""
        if dimension not in self._contents.coordinates:
            raise UsageError(f"there is no dimension {dimension}; there are {_listed(self._contents.coordinates)}")
        return self._contents.coordinate(dimension)

    # -- for xarray ---------------------------------------------------------------------------------------------------

    def to_xarray(self, names: Iterable[str] | None = None, *, grid: bool | None = None) -> xarray.Dataset:
        """The sweep as a Dataset, with the varied paths as coordinates.

        Parameters
        ----------
        names : iterable of str, optional
            Kept quantities to read; all without it.
        grid : bool, optional
            Whether the points stand along the grid's own dimensions, each named by the path that varies along it,
            rather than along ``point``; without it, wherever they make a grid.

        Raises
        ------
        UsageError
            Where xarray is not installed, there is no such quantity, or the points make no grid.
        """
        try:
            import xarray
        except ImportError as error:
            raise UsageError("xarray is not installed: pip install 'iontide[xarray]'") from error
        if grid and not self.shape:
            raise UsageError("the points of this sweep make no grid")
        unstack = bool(self.shape) if grid is None else grid
        dimensions = self.paths if unstack else ("point",)
        shape = self.shape if unstack else (self.size,)

        def laid(values: NDArray, more: tuple[str, ...], attributes: dict[str, Any]) -> tuple[Any, ...]:
            return (*dimensions, *more), values.reshape(*shape, *values.shape[1:]), attributes

        coordinates: dict[str, Any] = {"point": laid(np.arange(self.size), (), {"long_name": "number of the point"})}
        for axis, path in enumerate(self.paths):
            values, attributes = self.values(path), _attributes(self.unit(path), path)
            if unstack:
                line = np.moveaxis(values.reshape(shape), axis, 0).reshape(shape[axis], -1)[:, 0]
                coordinates[path] = (path, line, attributes)
            else:
                coordinates[path] = laid(values, (), attributes)
        chosen = self.names if names is None else tuple(names)
        used = {dimension for name in chosen for dimension in self.dimensions(name)}
        for name, described in self._contents.coordinates.items():
            if used.intersection(described.dimensions):
                attributes = _attributes(described.unit, described.long_name)
                coordinates[name] = (described.dimensions, self.coordinate(name), attributes)
        data: dict[str, Any] = {
            "status": laid(self.status, (), _attributes("", STATUS.long_name, STATUSES, "|i1")),
            "time_reached": laid(self.time, (), _attributes("s", TIME.long_name)),
            "steps": laid(self.steps, (), _attributes("", STEPS.long_name)),
        }
        for name in chosen:
            d = self._described(name)
            data[name] = laid(self.kept(name), d.dimensions, _attributes(d.unit, d.long_name, d.words, d.dtype))
        return xarray.Dataset(data, coordinates, {"plan": self.digest})

    # -----------------------------------------------------------------------------------------------------------------

    def _place(self, path: str) -> int:
        if path not in self.paths:
            raise UsageError(f"{path} is not varied; varied are {_listed(self.paths)}")
        return self.paths.index(path)

    def _described(self, name: str) -> Described:
        if name not in self._contents.kept:
            raise UsageError(f"{name} is not kept; kept are {_listed(self.names)}")
        return self._contents.kept[name]

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        grid = f", a grid of {' × '.join(map(str, self.shape))}" if self.shape else ""
        counts = self.counts
        lines = [
            f"Sweep of {self.size} points{grid} ({self._contents.name})",
            f"  varied: {_listed([f'{path} ({self.unit(path)})' if self.unit(path) else path for path in self.paths])}",
            f"  kept:   {_listed([f'{name} ({self.unit(name)})' if self.unit(name) else name for name in self.names])}",
            f"  status: {', '.join(f'{n} {name}' for name, n in counts.items())}",
        ]
        told = [STATUSES[code] for code in (MISSING, FAILED, EXCLUDED)]
        if any(name in counts for name in told[:2]):
            lines.append("  points that are missing or failed hold NaN (whole numbers: −1)")
        if self.faults:
            lines.append(f"  shards that do not count: {len(self.faults)}, the first: {self.faults[0]}")
        return "\n".join(lines)


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    more = len(all_names) - _MOST_LISTED
    some = ", ".join(all_names[:_MOST_LISTED]) or "none"
    return f"{some} and {more} more" if more > 0 else some


def _attributes(unit: str, long_name: str, words: tuple[str, ...] = (), dtype: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    if unit:
        found["units"] = unit
    if long_name:
        found["long_name"] = long_name
    if words:
        found["flag_values"] = np.arange(len(words), dtype=dtype)
        found["flag_meanings"] = " ".join(word.replace(" ", "_") for word in words)
    return found
