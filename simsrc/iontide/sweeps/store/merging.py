"""All shards of a sweep merged into one HDF5 file, with the varied parameters as coordinates, for xarray and others.

::

    /               point (its number), status, time_reached, steps; one dataset for each varied path and each output,
                    along the dimension ``point``; ``time`` and ``state``, coordinates of other dimensions
    /failures       messages: lines of JSON, [point, message]
    /provenance     header (JSON): what iontide needs to read the file; plan (JSON); versions, commit, times

Categorical data have the attributes ``flag_values`` and ``flag_meanings`` (CF conventions) and ``categories``.
In a virtual file the data of the points stay in the shards, to which it refers by relative paths.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from ...errors import FileError, UsageError
from ...simulation.quantities import unique_name
from ...storage import check_target
from ...storage.datasets import write_array, write_text, write_texts
from ...storage.provenance import Provenance, surroundings, utc_now
from ...storage.replacing import replacing
from ...storage.reserved import ReservedFile, uninterrupted
from ...storage.saving import opened_hdf5
from ...storage.writer import plain, write_provenance
from ..compute.block import MISSING, STATUSES
from .append_dataset import Appender, size_limit
from .contents import FORMAT, FORMAT_VERSION, STATUS, STEPS, TIME, FolderContents, Varied, axis_piece
from .shards import ColumnDescription, dataset_name, message_lines
from .store import Store

#: HDF5 opens all source files of a virtual dataset at once, and treats those for which it has no file descriptors as
#: missing; many systems allow a process 1024.
MOST_VIRTUAL = 500

#: Upper limits of the overhead of a file, of a dataset, and of one source of a virtual dataset, bytes.
_FIXED_SIZE = 1 << 20
_DATASET_SIZE = 10_000
_SOURCE_SIZE = 600


class IncompleteSweep(FileError):
    """Points of the sweep are missing."""

    exit_code = 5


def merge(
    folder: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    virtual: bool = False,
    allow_missing: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Merge all shards into one file, written atomically, in memory that does not grow with the number of points.

    Parameters
    ----------
    folder : path
        Folder of the sweep.
    target : path
        HDF5 file to write; an existing one is replaced.
    virtual : bool
        Leave the data in the shards and only refer to them: the file is small, and useless without the folder.
    allow_missing : bool
        Write NaN (or −1) and the status ``missing`` for missing points; otherwise they raise ``IncompleteSweep``.
    progress : callable, optional
        Called after each block with the number of blocks done and the number of all blocks.

    Returns
    -------
    Path

    Raises
    ------
    IncompleteSweep
        Points are missing.
    UsageError
        The name of the target does not end in .h5 or .hdf5, or there are too many shards for a virtual file.
    FileError
        If it cannot be read or written; an existing file is then unchanged.
    """
    check_target(target)
    contents = FolderContents(Store.open(folder))
    if contents.missing and not allow_missing:
        raise IncompleteSweep(_missing_message(contents))
    if virtual and len(contents.present) > MOST_VIRTUAL:
        raise UsageError(
            f"the sweep has {len(contents.present)} shards, and a virtual file can refer to {MOST_VIRTUAL}; "
            "merge it into a file that holds the data itself"
        )
    merger = _Merger(contents, Path(os.path.realpath(target)), virtual)
    with replacing(target) as descriptor:
        file = ReservedFile(descriptor)
        try:
            merger.write(file, progress)
            file.finish()
        finally:
            file.release()
    return Path(target)


def _missing_message(contents: FolderContents) -> str:
    blocks = np.flatnonzero(~contents.present)
    some = ", ".join(str(b) for b in blocks[:5]) + (", …" if len(blocks) > 5 else "")
    text = (
        f"{contents.name}: {contents.missing} of {contents.size} points are missing (blocks {some}); "
        "resume the sweep, or allow missing points"
    )
    return "\n".join([text, *contents.faults[:3]])


class _Merger:
    """Lays out one merged file and fills it."""

    def __init__(self, contents: FolderContents, target: Path, virtual: bool) -> None:
        self._contents, self._target, self._virtual = contents, target, virtual
        taken = {"point", "failures", "provenance"}

        def named(column: ColumnDescription, name: str) -> ColumnDescription:
            # CF lists coordinates with spaces between them.
            return replace(column, dataset=dataset_name(name.replace(" ", "_"), taken))

        fixed = [named(STATUS, "status"), named(TIME, "time_reached"), named(STEPS, "steps")]
        self.coordinates = {c.name: named(c, c.name) for c in contents.coordinates.values()}
        self.varied = [named(_of_axis(axis), axis.path) for axis in contents.varied]
        self.outputs = [named(k, k.name) for k in contents.outputs.values()]
        sources = [STATUS, TIME, STEPS, *contents.outputs.values()]
        #: Columns that come from the shards: as described in a shard, and in the merged file.
        self.columns = list(zip(sources, [*fixed, *self.outputs], strict=True))

    def size(self) -> int:
        """Upper limit of the size of the file without its messages, bytes."""
        points, shards = self._contents.size, len(self._contents.present)
        filled = [*self.varied, _of_axis(Varied("point", "", ("",)))]
        filled += [] if self._virtual else [here for _, here in self.columns]
        data = sum(size_limit(points, d.shape, np.dtype(d.dtype).itemsize) for d in filled) + 8 * points
        datasets = len(self.columns) + len(self.varied) + len(self.coordinates) + 1
        categories = sum(len(word) * 8 + 64 for d in (*self.outputs, *self.varied) for word in d.categories)
        along = sum(math.prod(c.shape) * 8 + sum(map(len, c.categories)) * 8 for c in self.coordinates.values())
        sources_size = shards * len(self.columns) * (_SOURCE_SIZE + 2 * len(str(self._target))) if self._virtual else 0
        texts = 4 * len(json.dumps(self._contents.store.plan.to_json())) + 4 * len(json.dumps(self._header({})))
        return _FIXED_SIZE + data + datasets * _DATASET_SIZE + categories + along + sources_size + texts

    def write(self, target: ReservedFile, progress: Callable[[int, int], None] | None) -> None:
        room = self.size()
        target.reserve(room)
        points = self._contents.size
        with opened_hdf5(target) as file:
            with uninterrupted():
                scale = Appender(file, "point", "<i8", points)
                scale.dataset.make_scale("point")
                scale.dataset.attrs["long_name"] = "number of the point in the plan"
                scales = self._write_coordinates(file) | {"point": scale.dataset}
                varied = [self._appender(file, here, scales) for here in self.varied]
                columns = [] if self._virtual else [self._appender(file, here, scales) for _, here in self.columns]
                messages = Appender(file.create_group("failures"), "messages", "|u1", 1 << 16, open_end=True)
            machines: dict[tuple[str, str], None] = {}
            for number, (start, stop, shard) in enumerate(self._contents.blocks()):
                messages_text = b"" if shard is None else message_lines(shard.messages()).encode()
                room += 2 * len(messages_text)
                target.reserve(room)
                with uninterrupted():
                    scale.add(np.arange(start, stop))
                    for place, appender in enumerate(varied):
                        appender.add(axis_piece(self._contents.store.plan, place, start, stop))
                    for (present, _), appender in zip(self.columns, columns, strict=False):
                        appender.add(self._contents.piece(shard, present, stop - start))
                    messages.add(np.frombuffer(messages_text, dtype=np.uint8))
                target.check()
                head = self._contents.store.head(number)
                if head is not None:
                    machines[head.iontide, head.cpu] = None
                if progress is not None:
                    progress(number + 1, len(self._contents.present))
            with uninterrupted():
                for appender in (scale, *varied, *columns, messages):
                    appender.finish()
                if self._virtual:
                    self._write_virtual(file, scales)
                self._finish(file, list(machines))
            target.check()

    def _write_coordinates(self, file: h5py.File) -> dict[str, h5py.Dataset]:
        """Write the coordinates of dimensions other than ``point``, as dimension scales where they have one axis."""
        scales: dict[str, h5py.Dataset] = {}
        for name, column in self.coordinates.items():
            values = self._contents.coordinate(name)
            if column.categories:
                write_texts(file, column.dataset, list(values))
                # As xarray marks strings of fixed length.
                file[column.dataset].attrs["_Encoding"] = "utf-8"
            else:
                write_array(file, column.dataset, values)
            _add_texts(file[column.dataset], replace(column, categories=()))
            if column.dimensions == (name,):
                file[column.dataset].make_scale(name)
                scales[name] = file[column.dataset]
        for column in (*self.coordinates.values(), *self.outputs):
            for dimension, length in zip(column.dimensions, column.shape, strict=True):
                if dimension not in scales:
                    scales[dimension] = write_array(file, unique_name(dimension, set(file)), np.arange(length))
                    scales[dimension].make_scale(dimension)
        return scales

    def _appender(self, file: h5py.File, here: ColumnDescription, scales: dict[str, h5py.Dataset]) -> Appender:
        appender = Appender(file, here.dataset, here.dtype, self._contents.size, here.shape)
        self._attach(appender.dataset, here, scales)
        return appender

    def _attach(self, dataset: h5py.Dataset, here: ColumnDescription, scales: dict[str, h5py.Dataset]) -> None:
        for axis, dimension in enumerate(("point", *here.dimensions)):
            dataset.dims[axis].attach_scale(scales[dimension])
        _add_texts(dataset, here)
        if here not in self.varied and self.varied:
            dataset.attrs["coordinates"] = " ".join(v.dataset for v in self.varied)

    def _write_virtual(self, file: h5py.File, scales: dict[str, h5py.Dataset]) -> None:
        """Virtual datasets over the shards, by paths relative to the file: both can be moved together."""
        store = self._contents.store
        for present, here in self.columns:
            layout = h5py.VirtualLayout((self._contents.size, *here.shape), dtype=here.dtype)
            for number in np.flatnonzero(self._contents.present):
                start, stop = store.plan.span(int(number))
                path = os.path.relpath(os.path.realpath(store.shard(int(number))), self._target.parent)
                # HDF5 reads a percent sign as the start of a pattern.
                source, dataset = path.replace("%", "%%"), present.dataset.replace("%", "%%")
                layout[start:stop] = h5py.VirtualSource(source, dataset, shape=(stop - start, *here.shape))
            fill = MISSING if present is STATUS else here.fill
            self._attach(file.create_virtual_dataset(here.dataset, layout, fillvalue=fill), here, scales)

    def _header(self, versions: dict[str, str], machines: Sequence[tuple[str, str]] = ()) -> dict[str, object]:
        contents = self._contents
        folder = os.path.relpath(os.path.realpath(contents.store.folder), self._target.parent)
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "run_id": contents.digest,
            "created": utc_now(),
            "size": contents.size,
            "missing": contents.missing,
            "shape": list(contents.shape),
            "virtual": folder if self._virtual else None,
            "varied": [
                vars(axis) | {"categories": list(axis.categories), "dataset": here.dataset}
                for axis, here in zip(contents.varied, self.varied, strict=True)
            ],
            "outputs": [k.to_json() for k in self.outputs],
            "coordinates": [c.to_json() for c in self.coordinates.values()],
            "computed_by": [list(machine) for machine in machines],
            "provenance": versions,
        }

    def _finish(self, file: h5py.File, machines: Sequence[tuple[str, str]]) -> None:
        versions = surroundings()
        header = self._header(versions, machines)
        for name in ("format", "format_version", "run_id", "created", "size", "missing"):
            file.attrs[name] = header[name]
        if self._contents.shape:
            file.attrs["grid_shape"] = self._contents.shape
        group = file.create_group("provenance")
        plan = json.dumps(self._contents.store.plan.to_json())
        write_text(group, "header", json.dumps(header))
        write_provenance(group, Provenance(self._contents.digest, versions, {"plan": plan}, tuple(sys.argv)))


def _of_axis(axis: Varied) -> ColumnDescription:
    """A varied path as a column: numbers in its unit, or the codes of its categories."""
    return ColumnDescription(
        axis.path, "", "<i4" if axis.categories else "<f8", (), axis.unit, axis.path, axis.categories, ()
    )


def _add_texts(dataset: h5py.Dataset, here: ColumnDescription) -> None:
    """Unit and name as attributes; categories as attributes of the CF conventions and as ``categories``."""
    categories = STATUSES if here.name == STATUS.name and here.dataset == "status" else here.categories
    for name, text in (("units", here.unit), ("long_name", here.long_name)):
        if text:
            dataset.attrs[name] = plain(text)
    if categories:
        dataset.attrs["flag_values"] = np.arange(len(categories), dtype=here.dtype)
        dataset.attrs["flag_meanings"] = " ".join(plain(category).replace(" ", "_") for category in categories)
        dataset.attrs["categories"] = [plain(category) for category in categories]
