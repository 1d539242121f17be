"""The data of a sweep, one quantity at a time, from the shards in its folder or from one merged file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError
from ...storage.reader import checked_file, read_header
from ...storage.untrusted import MAX_TEXT, Checked, physical_memory
from ..compute.block import MISSING
from ..plan.designs import Grid
from ..plan.plan import Plan
from .shards import CheckedShard, ColumnDescription, open_shard, parsed_messages
from .store import Store

FORMAT = "iontide-sweep"
FORMAT_VERSION = 2

#: What is stored of every point besides its outputs, by the name in a shard.
STATUS = ColumnDescription("status", "status", "|i1", (), "", "status of the point", (), ())
TIME = ColumnDescription("time", "time", "<f8", (), "s", "time reached", (), ())
STEPS = ColumnDescription("steps", "steps", "<i8", (), "", "accepted steps of the integrator", (), ())


@dataclass(frozen=True)
class Varied:
    """A varied path, the unit of its values, and its categories if its values are no numbers."""

    path: str
    unit: str
    categories: tuple[str, ...]


class Contents(Protocol):
    """A sweep opened for reading.

    Attributes
    ----------
    name : str
        Of the folder or file.
    size : int
        Points.
    digest : str
        Of the plan.
    shape : tuple of int
        Shape of the grid in C order, one axis for each varied path; empty if the points form no grid.
    varied : tuple of Varied
    outputs, coordinates : mapping of str to ColumnDescription
    faults : tuple of str
        Why some files are ignored.
    """

    name: str
    size: int
    digest: str
    shape: tuple[int, ...]
    varied: tuple[Varied, ...]
    outputs: Mapping[str, ColumnDescription]
    coordinates: Mapping[str, ColumnDescription]
    faults: tuple[str, ...]

    def axis(self, place: int) -> NDArray:
        """The values of a varied path in its unit, or the codes of its categories."""

    def column(self, column: ColumnDescription) -> NDArray:
        """The values of one column at all points: one of ``outputs``, ``STATUS``, ``TIME`` or ``STEPS``."""

    def coordinate(self, name: str) -> NDArray:
        """The coordinate of a dimension: numbers, or texts if it has categories."""

    def messages(self) -> dict[int, str]:
        """Why points failed, by the number of the point."""


def decode_categories(codes: NDArray, categories: tuple[str, ...]) -> NDArray:
    """The category of each code; an empty text for a code that has none."""
    known = np.array([*categories, ""])
    return known[np.where((codes >= 0) & (codes < len(categories)), codes, len(categories))]


class FolderContents:
    """The contents of the folder of a sweep: of the shards that were present and valid when it was opened.

    Raises
    ------
    FileError
        If shards hold different quantities.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.name, plan = os.fspath(store.folder), store.plan
        self.size, self.digest = plan.size, plan.digest
        self.shape = tuple(plan.design.counts) if isinstance(plan.design, Grid) else ()
        self.varied = tuple(Varied(a.path, a.unit, tuple(a.categories)) for a in plan.axes)
        self.present = np.fromiter((store.has(b) for b in range(plan.blocks)), dtype=bool, count=plan.blocks)
        self.faults = tuple(store.faults[b] for b in sorted(store.faults))
        self.outputs: Mapping[str, ColumnDescription] = {}
        self.coordinates: Mapping[str, ColumnDescription] = {}
        self._about = ""
        self._coordinate_values: dict[str, NDArray] = {}
        if self.present.any():
            with open_shard(store.shard(int(np.argmax(self.present)))) as shard:
                outputs, coordinates = shard.about()
                self.outputs = {k.name: k for k in outputs}
                self.coordinates = {c.name: c for c in coordinates}
                self._about = shard.json_text("about")
                for c in coordinates:
                    values = shard.coordinate(c)
                    self._coordinate_values[c.name] = (
                        decode_categories(values, c.categories) if c.categories else values
                    )

    @property
    def missing(self) -> int:
        """Number of points in missing blocks."""
        spans = (self.store.plan.span(int(b)) for b in np.flatnonzero(~self.present))
        return sum(stop - start for start, stop in spans)

    def blocks(self) -> Iterator[tuple[int, int, CheckedShard | None]]:
        """Start, stop and shard of every block; None for a missing shard."""
        for number, present in enumerate(self.present):
            start, stop = self.store.plan.span(number)
            if not present:
                yield start, stop, None
                continue
            with open_shard(self.store.shard(number)) as shard:
                if shard.json_text("about") != self._about:
                    raise shard.fault("holds other quantities than the first shard of the sweep; remove it and resume")
                yield start, stop, shard

    @staticmethod
    def piece(shard: CheckedShard | None, column: ColumnDescription, points: int) -> NDArray:
        """The values of a column at the points of one block; fill values for a missing block."""
        if shard is not None:
            return shard.column(column, points)
        fill = MISSING if column is STATUS else column.fill
        return np.full((points, *column.shape), fill, dtype=column.dtype)

    def axis(self, place: int) -> NDArray:
        plan = self.store.plan
        values = np.empty(self.size, dtype=np.int32 if self.varied[place].categories else float)
        for number in range(plan.blocks):
            start, stop = plan.span(number)
            values[start:stop] = axis_piece(plan, place, start, stop)
        return values

    def column(self, column: ColumnDescription) -> NDArray:
        values = _room(self.name, column, self.size)
        for start, stop, shard in self.blocks():
            values[start:stop] = self.piece(shard, column, stop - start)
        return values

    def coordinate(self, name: str) -> NDArray:
        return self._coordinate_values[name]

    def messages(self) -> dict[int, str]:
        messages: dict[int, str] = {}
        for _, _, shard in self.blocks():
            messages |= {} if shard is None else shard.messages()
        return messages


def axis_piece(plan: Plan, place: int, start: int, stop: int) -> NDArray:
    """The values of a varied path in its unit at some points, or the codes of its categories (int32)."""
    axis, values = plan.axes[place], plan.values(start, stop)[:, place]
    return values.astype(np.int32) if axis.categories else np.asarray(axis.from_si(values), dtype=float)


def _room(name: str, column: ColumnDescription, size: int) -> NDArray:
    needed = size * math.prod(column.shape) * np.dtype(column.dtype).itemsize
    if needed > physical_memory():
        raise FileError(f"{name}: {column.name} needs {needed} bytes of memory, more than this machine has")
    return np.empty((size, *column.shape), dtype=column.dtype)


class FileContents:
    """The contents of a merged file with data of its own; the file is opened for each quantity that is read.

    Raises
    ------
    FileError
        If the file is no merged sweep, or is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Any]) -> None:
        self._path, self.name = path, os.fspath(path)
        self.faults: tuple[str, ...] = ()
        try:
            self.size, self.digest = int(header["size"]), str(header["run_id"])
            self.shape = tuple(int(n) for n in header["shape"])
            axes = [(Varied(a["path"], a["unit"], tuple(a["categories"])), a["dataset"]) for a in header["varied"]]
            self.outputs: Mapping[str, ColumnDescription] = {
                k.name: k for k in map(ColumnDescription.from_json, header["outputs"])
            }
            self.coordinates: Mapping[str, ColumnDescription] = {
                c.name: c for c in map(ColumnDescription.from_json, header["coordinates"])
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(f"{self.name}: the header is not one that iontide wrote") from error
        self.varied = tuple(axis for axis, _ in axes)
        if self.shape and (len(self.shape) != len(axes) or math.prod(self.shape) != self.size):
            raise FileError(f"{self.name}: the shape of the grid does not match the number of points")
        self._datasets = tuple(str(dataset) for _, dataset in axes)

    def axis(self, place: int) -> NDArray:
        with checked_file(self._path) as file:
            return file.array(self._datasets[place], "<i4" if self.varied[place].categories else "<f8", (self.size,))

    def column(self, column: ColumnDescription) -> NDArray:
        dataset = "time_reached" if column is TIME else column.dataset
        with checked_file(self._path) as file:
            return file.array(dataset, column.dtype, (self.size, *column.shape))

    def coordinate(self, name: str) -> NDArray:
        column = self.coordinates[name]
        with checked_file(self._path) as file:
            if column.categories:
                return np.array(file.texts(column.dataset, column.shape[0]))
            return file.array(column.dataset, column.dtype, column.shape)

    def messages(self) -> dict[int, str]:
        with checked_file(self._path) as file:
            if file.length("failures/messages") > MAX_TEXT:
                raise file.fault("failures/messages is longer than any text of a result file")
            lines = file.array("failures/messages", "|u1", (None,)).tobytes().decode()
            return parsed_messages(lines.splitlines())


def read_merged_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header of a merged file; raises ``FileError`` for any other file."""

    def header(file: Checked) -> dict[str, Any]:
        return read_header(file, FORMAT, FORMAT_VERSION)

    with checked_file(path) as file:
        return header(file)


def open_contents(path: str | os.PathLike[str]) -> Contents:
    """The contents of a sweep from its folder or a merged file; for a virtual file the folder is read and verified.

    Raises
    ------
    FileError
        If it is neither, or is damaged.
    """
    if os.path.isdir(path):
        return FolderContents(Store.open(path))
    header = read_merged_header(path)
    folder = header.get("virtual")
    if folder is None:
        return FileContents(path, header)
    target = Path(os.path.realpath(path)).parent / str(folder)
    contents = FolderContents(Store.open(target))
    if contents.digest != header["run_id"]:
        raise FileError(f"{os.fspath(path)} refers to the folder {target}, which is now the sweep of another plan")
    if contents.missing > header.get("missing", 0):
        raise FileError(
            f"{os.fspath(path)} refers to the folder {target}, where {contents.missing} points are missing; "
            f"{header.get('missing', 0)} were missing when the file was made"
        )
    return contents
