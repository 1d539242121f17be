"""What a sweep holds, quantity by quantity, from the shards in its folder or from one merged file."""

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
from .shards import CheckedShard, Described, open_shard, parsed_messages
from .store import Store

FORMAT = "iontide-sweep"
FORMAT_VERSION = 1

#: What a point has of its own beside what is kept, by its name in a shard.
STATUS = Described("status", "status", "|i1", (), "", "what became of the point", (), ())
TIME = Described("time", "time", "<f8", (), "s", "time reached", (), ())
STEPS = Described("steps", "steps", "<i8", (), "", "accepted steps of the integrator", (), ())


@dataclass(frozen=True)
class Varied:
    """A varied path: its name, the unit of its values, and the words that whole numbers stand for, if any."""

    path: str
    unit: str
    words: tuple[str, ...]


class Contents(Protocol):
    """A sweep as it is read.

    Attributes
    ----------
    name : str
        Of the folder or file.
    size : int
        Points.
    digest : str
        Of the plan.
    shape : tuple of int
        Of the grid that the points make, in C order and one axis a varied path; empty where they make none.
    varied : tuple of Varied
    kept, coordinates : mapping of str to Described
    faults : tuple of str
        What is wrong with files that do not count.
    """

    name: str
    size: int
    digest: str
    shape: tuple[int, ...]
    varied: tuple[Varied, ...]
    kept: Mapping[str, Described]
    coordinates: Mapping[str, Described]
    faults: tuple[str, ...]

    def axis(self, place: int) -> NDArray:
        """The values of a varied path in its unit, or the places of its words."""

    def column(self, described: Described) -> NDArray:
        """A quantity of all points: one of ``kept``, ``STATUS``, ``TIME`` or ``STEPS``."""

    def coordinate(self, name: str) -> NDArray:
        """What stands along a dimension; texts where it is texts."""

    def messages(self) -> dict[int, str]:
        """Why points failed, by point."""


def worded(codes: NDArray, words: tuple[str, ...]) -> NDArray:
    """The words that codes stand for; an empty one for a code that stands for none."""
    known = np.array([*words, ""])
    return known[np.where((codes >= 0) & (codes < len(words)), codes, len(words))]


class FolderContents:
    """The contents of a folder at one moment: of the shards that were there and sound when it was looked at.

    Raises
    ------
    FileError
        Where shards do not hold the same quantities.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.name, plan = os.fspath(store.folder), store.plan
        self.size, self.digest = plan.size, plan.digest
        self.shape = tuple(plan.design.counts) if isinstance(plan.design, Grid) else ()
        self.varied = tuple(Varied(a.path, a.unit, tuple(a.words)) for a in plan.axes)
        self.there = np.fromiter((store.has(b) for b in range(plan.blocks)), dtype=bool, count=plan.blocks)
        self.faults = tuple(store.faults[b] for b in sorted(store.faults))
        self.kept: Mapping[str, Described] = {}
        self.coordinates: Mapping[str, Described] = {}
        self._about = ""
        self._coordinate_values: dict[str, NDArray] = {}
        if self.there.any():
            with open_shard(store.shard(int(np.argmax(self.there)))) as shard:
                kept, coordinates = shard.about()
                self.kept = {k.name: k for k in kept}
                self.coordinates = {c.name: c for c in coordinates}
                self._about = shard.json_text("about")
                for c in coordinates:
                    values = shard.coordinate(c)
                    self._coordinate_values[c.name] = worded(values, c.words) if c.words else values

    @property
    def missing(self) -> int:
        """Points of blocks that are not there."""
        spans = (self.store.plan.span(int(b)) for b in np.flatnonzero(~self.there))
        return sum(stop - start for start, stop in spans)

    def blocks(self) -> Iterator[tuple[int, int, CheckedShard | None]]:
        """Start, stop and shard of every block, None for one that is not there."""
        for number, there in enumerate(self.there):
            start, stop = self.store.plan.span(number)
            if not there:
                yield start, stop, None
                continue
            with open_shard(self.store.shard(number)) as shard:
                if shard.json_text("about") != self._about:
                    raise shard.fault("holds other quantities than the first shard of the sweep; remove it and resume")
                yield start, stop, shard

    @staticmethod
    def piece(shard: CheckedShard | None, described: Described, points: int) -> NDArray:
        """A quantity of the points of one block; of one that is not there, what stands for no value."""
        if shard is not None:
            return shard.column(described, points)
        fill = MISSING if described is STATUS else described.fill
        return np.full((points, *described.shape), fill, dtype=described.dtype)

    def axis(self, place: int) -> NDArray:
        plan = self.store.plan
        values = np.empty(self.size, dtype=np.int32 if self.varied[place].words else float)
        for number in range(plan.blocks):
            start, stop = plan.span(number)
            values[start:stop] = axis_piece(plan, place, start, stop)
        return values

    def column(self, described: Described) -> NDArray:
        values = _room(self.name, described, self.size)
        for start, stop, shard in self.blocks():
            values[start:stop] = self.piece(shard, described, stop - start)
        return values

    def coordinate(self, name: str) -> NDArray:
        return self._coordinate_values[name]

    def messages(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for _, _, shard in self.blocks():
            found |= {} if shard is None else shard.messages()
        return found


def axis_piece(plan: Plan, place: int, start: int, stop: int) -> NDArray:
    """The values of a varied path in its unit for some points, or the places of its words (int32)."""
    axis, values = plan.axes[place], plan.values(start, stop)[:, place]
    return values.astype(np.int32) if axis.words else np.asarray(axis.from_si(values), dtype=float)


def _room(name: str, described: Described, size: int) -> NDArray:
    needed = size * math.prod(described.shape) * np.dtype(described.dtype).itemsize
    if needed > physical_memory():
        raise FileError(f"{name}: {described.name} needs {needed} bytes of memory, more than this machine has")
    return np.empty((size, *described.shape), dtype=described.dtype)


class FileContents:
    """The contents of a merged file that holds its data itself; the file is opened anew for each quantity.

    Raises
    ------
    FileError
        Where the file is no merged sweep, damaged, or not to be trusted.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Any]) -> None:
        self._path, self.name = path, os.fspath(path)
        self.faults: tuple[str, ...] = ()
        try:
            self.size, self.digest = int(header["size"]), str(header["run_id"])
            self.shape = tuple(int(n) for n in header["shape"])
            axes = [(Varied(a["path"], a["unit"], tuple(a["words"])), a["dataset"]) for a in header["varied"]]
            self.kept: Mapping[str, Described] = {k.name: k for k in map(Described.from_json, header["kept"])}
            self.coordinates: Mapping[str, Described] = {
                c.name: c for c in map(Described.from_json, header["coordinates"])
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(f"{self.name}: the header in the file is not as iontide writes it") from error
        self.varied = tuple(axis for axis, _ in axes)
        if self.shape and (len(self.shape) != len(axes) or math.prod(self.shape) != self.size):
            raise FileError(f"{self.name}: the grid in the file is not one of its points")
        self._datasets = tuple(str(dataset) for _, dataset in axes)

    def axis(self, place: int) -> NDArray:
        with checked_file(self._path) as file:
            return file.array(self._datasets[place], "<i4" if self.varied[place].words else "<f8", (self.size,))

    def column(self, described: Described) -> NDArray:
        dataset = "time_reached" if described is TIME else described.dataset
        with checked_file(self._path) as file:
            return file.array(dataset, described.dtype, (self.size, *described.shape))

    def coordinate(self, name: str) -> NDArray:
        described = self.coordinates[name]
        with checked_file(self._path) as file:
            if described.words:
                return np.array(file.texts(described.dataset, described.shape[0]))
            return file.array(described.dataset, described.dtype, described.shape)

    def messages(self) -> dict[int, str]:
        with checked_file(self._path) as file:
            if file.length("failures/messages") > MAX_TEXT:
                raise file.fault("failures/messages is longer than any text of a result file")
            lines = file.array("failures/messages", "|u1", (None,)).tobytes().decode()
            return parsed_messages(lines.splitlines())


def read_merged_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a merged file says of itself; raises ``FileError`` for any other file."""

    def header(file: Checked) -> dict[str, Any]:
        return read_header(file, FORMAT, FORMAT_VERSION)

    with checked_file(path) as file:
        return header(file)


def open_contents(path: str | os.PathLike[str]) -> Contents:
    """The contents of a sweep: a folder, or a merged file. Behind a virtual one the folder is read, and verified.

    Raises
    ------
    FileError
        Where it is neither, damaged, or not to be trusted.
    """
    if os.path.isdir(path):
        return FolderContents(Store.open(path))
    header = read_merged_header(path)
    folder = header.get("virtual")
    if folder is None:
        return FileContents(path, header)
    behind = Path(os.path.realpath(path)).parent / str(folder)
    contents = FolderContents(Store.open(behind))
    if contents.digest != header["run_id"]:
        raise FileError(f"{os.fspath(path)}: the folder {behind}, which it shows, is of another plan")
    if contents.missing > header.get("missing", 0):
        raise FileError(
            f"{os.fspath(path)}: {contents.missing} points are missing in {behind}, which it shows; "
            f"{header.get('missing', 0)} were when it was made"
        )
    return contents
