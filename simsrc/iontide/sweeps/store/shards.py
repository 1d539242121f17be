"""One block of a sweep as one file with a checksum: the shard.

::

    1024 bytes      (the user block of HDF5) the SHA-256 of all that follows it, and a line of JSON: format,
                    format_version, plan (its digest), start, stop, counts (points by status), iontide, cpu
    /               plan, start and stop again as attributes, for other programs
    /status         int8; /time: reached, s; /steps: accepted steps
    /outputs        one dataset for each output, with units, long_name and categories
    /coordinates    coordinates of the other axes of the outputs
    /about          JSON: names, units, categories, dimensions, types and shapes of the two groups, used by the reader
    /messages       lines of JSON, [point, message]: why points failed

Equal blocks give equal bytes. The checksum is verified before HDF5 opens the file, because one flipped bit can send
HDF5 into an endless loop. Datasets are contiguous and uncompressed: gzip would take three times as long as all the
rest and save a sixth.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...errors import FileError
from ...simulation.quantities import unique_name
from ...storage.provenance import cpu_name
from ...storage.replacing import replacing, write_all
from ...storage.untrusted import MAX_TEXT, Checked
from ...storage.writer import FILE_OPTIONS, plain
from ..compute.block import STATUSES, Block, OutputValues
from .block_locks import process_name

FORMAT = "iontide-sweep-shard"
FORMAT_VERSION = 2

#: Bytes before HDF5 begins, and how many of them are the checksum.
_HEAD = 1024
_SUM = 64

#: Types of numbers that an output can have.
TYPES = ("<f8", "<f4", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1")

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Head:
    """The head of a verified shard.

    Attributes
    ----------
    counts : tuple of int
        Points by status, in the order of ``STATUSES``.
    iontide, cpu : str
        Version and processor that computed it.
    stamp : tuple of int
        Size, modification time and inode of the file: while they are unchanged, so is the file.
    """

    counts: tuple[int, ...]
    iontide: str
    cpu: str
    stamp: Stamp


@dataclass(frozen=True)
class ColumnDescription:
    """An output or a coordinate without its values.

    Attributes
    ----------
    name : str
        In the plan.
    dataset : str
        Path within the file.
    dtype : str
        One of ``TYPES``.
    shape : tuple of int
        Of the axes after the first.
    unit, long_name, categories, dimensions
        As of ``OutputValues``.
    """

    name: str
    dataset: str
    dtype: str
    shape: tuple[int, ...]
    unit: str
    long_name: str
    categories: tuple[str, ...]
    dimensions: tuple[str, ...]

    def with_values(self, values: NDArray) -> OutputValues:
        return OutputValues(values, self.unit, self.dimensions, self.categories, self.long_name)

    @property
    def fill(self) -> float:
        """The fill value for missing data: NaN, −1, or 0 of unsigned types."""
        return {"f": math.nan, "i": -1}.get(np.dtype(self.dtype).kind, 0)

    def to_json(self) -> dict[str, Any]:
        lists = {name: list(getattr(self, name)) for name in ("shape", "categories", "dimensions")}
        return vars(self) | lists

    @classmethod
    def from_json(cls, entry: Any) -> ColumnDescription:
        """The inverse of ``to_json``; raises ``ValueError``, ``TypeError`` or ``KeyError`` for any other document."""
        shape = tuple(entry["shape"])
        texts = [entry[key] for key in ("name", "dataset", "unit", "long_name")]
        categories, dimensions = tuple(entry["categories"]), tuple(entry["dimensions"])
        if entry["dtype"] not in TYPES or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError("the types or shapes are not those of a sweep")
        name, dataset, unit, long_name = texts
        if not all(isinstance(text, str) for text in (*texts, *categories, *dimensions)):
            raise ValueError("the names are not those of a sweep")
        if len(dimensions) != len(shape):
            raise ValueError("the dimensions do not match the shape")
        return cls(name, dataset, entry["dtype"], shape, unit, long_name, categories, dimensions)


def describe(quantities: Mapping[str, OutputValues], group: str, first_axis: int) -> list[ColumnDescription]:
    """Descriptions of the outputs of a block, each with the name of its dataset; ``first_axis`` axes are left out."""
    taken: set[str] = set()
    columns = []
    for name, output in quantities.items():
        values, dtype = output.values, output.values.dtype.newbyteorder("<").str
        if dtype not in TYPES or len(output.dimensions) != values.ndim - first_axis:
            raise ValueError(f"{name}: {values.dtype} of shape {values.shape} cannot be stored")
        column = ColumnDescription(
            name=name,
            dataset=f"{group}/{dataset_name(name, taken)}",
            dtype=dtype,
            shape=values.shape[first_axis:],
            unit=output.unit,
            long_name=output.long_name,
            categories=tuple(output.categories),
            dimensions=output.dimensions,
        )
        columns.append(column)
    return columns


def dataset_name(name: str, taken: set[str]) -> str:
    """A valid name for HDF5, with a number appended where it is in ``taken``; it is added to ``taken``."""
    free_name = unique_name(plain(name if name.strip(".") else f"_{name}"), taken)
    taken.add(free_name)
    return free_name


# -- writing ----------------------------------------------------------------------------------------------------------


def write_shard(path: Path, block: Block, digest: str) -> Head:
    """Write a block, whole or not at all.

    Parameters
    ----------
    digest : str
        Of the plan.

    Raises
    ------
    FileError
        If it cannot be written; no unfinished file is left.
    """
    counts, data = shard_bytes(block, digest)
    with replacing(path, writer=process_name()) as descriptor:
        write_all(descriptor, data)
        stamp = _stamp(os.fstat(descriptor))
    return Head(counts, __version__, _cpu(), stamp)


def shard_bytes(block: Block, digest: str) -> tuple[tuple[int, ...], memoryview]:
    """A block as the bytes of its file, and how many points it has by status."""
    points = len(block.status)
    status = np.asarray(block.status).astype("|i1")
    counts = tuple(int(n) for n in np.bincount(status, minlength=len(STATUSES)))
    outputs = describe(block.outputs, "outputs", 1)
    coordinates = describe(block.coordinates, "coordinates", 0)
    columns = [block.time, block.steps, *(k.values for k in block.outputs.values())]
    if not all(len(column) == points for column in columns) or len(counts) != len(STATUSES) or counts[0]:
        raise ValueError("a block has one status and one value of each output for each of its points")
    head = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "plan": digest,
        "start": block.start,
        "stop": block.stop,
        "counts": counts,
        "iontide": __version__,
        "cpu": _cpu(),
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=_HEAD, **FILE_OPTIONS) as file:
        file.attrs.update({name: head[name] for name in ("format", "format_version", "plan", "start", "stop")})
        file.create_dataset("status", data=status)
        file.create_dataset("time", data=np.asarray(block.time, dtype="<f8")).attrs["units"] = "s"
        file.create_dataset("steps", data=np.asarray(block.steps, dtype="<i8"))
        quantities = (*block.outputs.values(), *block.coordinates.values())
        for column, quantity in zip((*outputs, *coordinates), quantities, strict=True):
            dataset = file.create_dataset(column.dataset, data=np.asarray(quantity.values, dtype=column.dtype))
            for name, text in (("units", column.unit), ("long_name", column.long_name)):
                if text:
                    dataset.attrs[name] = plain(text)
            if column.categories:
                dataset.attrs["categories"] = [plain(category) for category in column.categories]
        about = {"outputs": [k.to_json() for k in outputs], "coordinates": [c.to_json() for c in coordinates]}
        for name, text in (("about", json.dumps(about)), ("messages", message_lines(block.messages))):
            file.create_dataset(name, data=np.frombuffer(text.encode(), dtype=np.uint8))
    data = buffer.getbuffer()
    line = json.dumps(head).encode()
    data[_SUM:_HEAD] = b"\n" + line + b" " * (_HEAD - _SUM - 2 - len(line)) + b"\n"
    data[:_SUM] = hashlib.sha256(data[_SUM:]).hexdigest().encode()
    return counts, data


@cache
def _cpu() -> str:
    return cpu_name()[:100]


def message_lines(messages: Mapping[int, str]) -> str:
    """Messages by point as lines of JSON, in the order of the points."""
    return "".join(json.dumps([int(point), messages[point]]) + "\n" for point in sorted(messages))


# -- reading ----------------------------------------------------------------------------------------------------------


def _stamp(file_status: os.stat_result) -> Stamp:
    return file_status.st_size, file_status.st_mtime_ns, file_status.st_ino


def stamp_of(path: Path) -> Stamp | None:
    """Of the file at a path; None where there is none."""
    try:
        return _stamp(os.stat(path))
    except OSError:
        return None


def verify_shard(path: Path, digest: str, span: tuple[int, int]) -> Head:
    """Verify that a shard is complete, of the plan, and of the right points.

    Raises
    ------
    FileError
        If it is not, with the reason.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as file:
            file_status = os.fstat(descriptor)
            if not stat.S_ISREG(file_status.st_mode):
                raise FileError(f"{path}: this is not a regular file")
            head = _read_exactly(file, _HEAD)
            fields = _parsed(head)
            if fields is None:
                raise FileError(f"{path}: this is no shard of a sweep, or it is cut short")
            version, points = fields["format_version"], (fields.get("start"), fields.get("stop"))
            if version != FORMAT_VERSION:
                raise FileError(f"{path}: its format is version {version}; this iontide reads version {FORMAT_VERSION}")
            if fields.get("plan") != digest:
                raise FileError(f"{path}: this is a shard of another plan")
            if points != span:
                raise FileError(
                    f"{path}: holds the points {points[0]} to {points[1]} in place of {span[0]} to {span[1]}"
                )
            checksum = hashlib.sha256(head[_SUM:])
            while piece := file.read(1 << 20):
                checksum.update(piece)
    except OSError as error:
        raise FileError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if checksum.hexdigest().encode() != head[:_SUM]:
        raise FileError(f"{path}: damaged or cut short: its checksum does not match its content")
    counts = fields.get("counts")
    if not isinstance(counts, list) or len(counts) != len(STATUSES) or not all(type(n) is int for n in counts):
        raise FileError(f"{path}: the counts of its points are missing")
    return Head(tuple(counts), str(fields.get("iontide")), str(fields.get("cpu")), _stamp(file_status))


def _read_exactly(file: io.FileIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := file.read(size - len(data))):
        data += piece
    return data


def _parsed(head: bytes) -> dict[str, Any] | None:
    """The line of JSON at the head of a file; None if it is no shard."""
    try:
        fields = json.loads(head[_SUM:])
    except (ValueError, RecursionError):
        return None
    is_shard = isinstance(fields, dict) and fields.get("format") == FORMAT and "format_version" in fields
    return fields if is_shard else None


class CheckedShard(Checked):
    """A shard open for reading with the checks of ``Checked``; its datasets are contiguous."""

    def _verify_storage(self, dataset: h5py.Dataset, path: str, most: int = MAX_TEXT) -> None:
        layout = dataset.id.get_create_plist()
        if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count() or layout.get_nfilters():
            raise self.fault(f"{path} is not stored contiguously in this file")
        declared = math.prod(dataset.shape) * dataset.dtype.itemsize
        start = dataset.id.get_offset() or 0
        if declared and (not start or start + declared > self._size or dataset.id.get_storage_size() != declared):
            raise self.fault(f"{path} declares {declared} bytes, more than the file holds")

    def json_text(self, path: str) -> str:
        """The text of a dataset of bytes."""
        try:
            return self.array(path, "|u1", (None,)).tobytes().decode()
        except UnicodeDecodeError:
            raise self.fault(f"{path} is not text in UTF-8") from None

    def about(self) -> tuple[list[ColumnDescription], list[ColumnDescription]]:
        """Descriptions of the outputs and of the coordinates."""
        about = json.loads(self.json_text("about"))
        outputs, coordinates = (
            [ColumnDescription.from_json(entry) for entry in about[key]] for key in ("outputs", "coordinates")
        )
        return outputs, coordinates

    def column(self, column: ColumnDescription, points: int) -> NDArray:
        """The values of an output at all points of the block."""
        return self.array(column.dataset, column.dtype, (points, *column.shape))

    def coordinate(self, column: ColumnDescription) -> NDArray:
        return self.array(column.dataset, column.dtype, column.shape)

    def messages(self) -> dict[int, str]:
        return parsed_messages(self.json_text("messages").splitlines())


def parsed_messages(lines: Iterable[str]) -> dict[int, str]:
    """The inverse of ``message_lines``; raises ``ValueError`` or ``TypeError`` for any other lines."""
    return {int(point): str(sentence) for point, sentence in map(json.loads, lines)}


@contextlib.contextmanager
def open_shard(path: Path) -> Iterator[CheckedShard]:
    """Open a verified shard; anything wrong with it raises ``FileError``."""
    try:
        size = os.stat(path).st_size
        with h5py.File(path, "r", locking=False) as file:
            yield CheckedShard(file, os.fspath(path), size)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or 'HDF5 cannot open it'}") from error
    except (ValueError, TypeError, KeyError, RuntimeError, RecursionError) as error:
        raise FileError(f"{path}: the shard is not as iontide writes it ({type(error).__name__})") from error


def read_shard(path: Path, start: int, stop: int) -> Block:
    """Read the block of a verified shard, bit for bit.

    Raises
    ------
    FileError
        If the file does not match its head.
    """
    points = stop - start
    with open_shard(path) as shard:
        outputs, coordinates = shard.about()
        return Block(
            start=start,
            status=shard.array("status", "|i1", (points,)),
            time=shard.array("time", "<f8", (points,)),
            steps=shard.array("steps", "<i8", (points,)),
            outputs={k.name: k.with_values(shard.column(k, points)) for k in outputs},
            coordinates={c.name: c.with_values(shard.coordinate(c)) for c in coordinates},
            messages=shard.messages(),
        )
