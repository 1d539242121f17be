"""One block of a sweep as one file, whole and verifiable: the shard.

::

    1024 bytes      (the user block of HDF5) the SHA-256 of all that follows it, and a line of JSON: format,
                    format_version, plan (its digest), start, stop, counts (points by status), iontide, cpu
    /               what it is of as attributes, for people
    /status         int8; /time (s) and /steps: reached, and taken to get there
    /kept           one dataset a kept quantity, with units, long_name and words
    /coordinates    what their other axes stand for
    /about          JSON: names, units, words, dimensions, types and shapes of the two groups; the reader goes by it
    /messages       lines of JSON, [point, sentence]: why points failed

A block always becomes the same bytes. The checksum is looked at before HDF5 touches the file, for one flipped bit can
send HDF5 into an endless loop. The data lie in one piece each, unfiltered: gzip would take three times as long as all
the rest and save a sixth.
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
from ..compute.block import STATUSES, Block, Kept
from .block_locks import this_process

FORMAT = "iontide-sweep-shard"
FORMAT_VERSION = 1

#: Bytes before HDF5 begins, and how many of them are the checksum.
_HEAD = 1024
_SUM = 64

#: Types of numbers that are kept.
TYPES = ("<f8", "<f4", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1")

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Head:
    """What a verified shard says of itself.

    Attributes
    ----------
    counts : tuple of int
        Points by status, in the order of ``STATUSES``.
    iontide, cpu : str
        By which version on which processor it was computed.
    stamp : tuple of int
        Length, time of change and number of the file: as long as they are the same, so is the file.
    """

    counts: tuple[int, ...]
    iontide: str
    cpu: str
    stamp: Stamp


@dataclass(frozen=True)
class Described:
    """A kept quantity or a coordinate without its numbers.

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
    unit, long_name, words, dimensions
        As of ``Kept``.
    """

    name: str
    dataset: str
    dtype: str
    shape: tuple[int, ...]
    unit: str
    long_name: str
    words: tuple[str, ...]
    dimensions: tuple[str, ...]

    def with_values(self, values: NDArray) -> Kept:
        return Kept(values, self.unit, self.dimensions, self.words, self.long_name)

    @property
    def fill(self) -> float:
        """What stands for no value: NaN, or −1, or 0 where there is no −1."""
        return {"f": math.nan, "i": -1}.get(np.dtype(self.dtype).kind, 0)

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"shape": list(self.shape), "words": list(self.words), "dimensions": list(self.dimensions)}

    @classmethod
    def from_json(cls, told: Any) -> Described:
        """Raises ``ValueError`` (or ``TypeError``, ``KeyError``) for what was not made by ``to_json``."""
        shape = tuple(told["shape"])
        texts = [told[key] for key in ("name", "dataset", "unit", "long_name")]
        words, dimensions = tuple(told["words"]), tuple(told["dimensions"])
        if told["dtype"] not in TYPES or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError("types and shapes are not of a sweep")
        if not all(isinstance(text, str) for text in (*texts, *words, *dimensions)) or len(dimensions) != len(shape):
            raise ValueError("names are not of a sweep")
        return cls(texts[0], texts[1], told["dtype"], shape, texts[2], texts[3], words, dimensions)


def describe(quantities: Mapping[str, Kept], group: str, first_axis: int) -> list[Described]:
    """The quantities of a block, each with a name for its dataset; ``first_axis`` is how many axes stand before."""
    taken: set[str] = set()
    found = []
    for name, kept in quantities.items():
        dtype = kept.values.dtype.newbyteorder("<").str
        dataset = dataset_name(name, taken)
        if dtype not in TYPES or len(kept.dimensions) != kept.values.ndim - first_axis:
            raise ValueError(f"{name}: {kept.values.dtype} of shape {kept.values.shape} cannot be kept")
        shape, dimensions = kept.values.shape[first_axis:], kept.dimensions
        path = f"{group}/{dataset}"
        found.append(Described(name, path, dtype, shape, kept.unit, kept.long_name, tuple(kept.words), dimensions))
    return found


def dataset_name(name: str, taken: set[str]) -> str:
    """The name as HDF5 can bear it, with a number behind it where it is taken; it is taken then."""
    found = unique_name(plain(name if name.strip(".") else f"_{name}"), taken)
    taken.add(found)
    return found


# -- writing ----------------------------------------------------------------------------------------------------------


def write_shard(path: Path, block: Block, digest: str) -> Head:
    """Write a block, whole or not at all.

    Parameters
    ----------
    digest : str
        Of the plan that it is of.

    Raises
    ------
    FileError
        Where it cannot be written; nothing is then left behind.
    """
    counts, data = shard_bytes(block, digest)
    with replacing(path, writer=this_process()) as descriptor:
        write_all(descriptor, data)
        stamp = _stamp(os.fstat(descriptor))
    return Head(counts, __version__, _cpu(), stamp)


def shard_bytes(block: Block, digest: str) -> tuple[tuple[int, ...], memoryview]:
    """A block as the bytes of its file, and how many points it has by status."""
    points = len(block.status)
    status = np.asarray(block.status).astype("|i1")
    counts = tuple(int(n) for n in np.bincount(status, minlength=len(STATUSES)))
    kept = describe(block.kept, "kept", 1)
    coordinates = describe(block.coordinates, "coordinates", 0)
    columns = [block.time, block.steps, *(k.values for k in block.kept.values())]
    if not all(len(column) == points for column in columns) or len(counts) != len(STATUSES) or counts[0]:
        raise ValueError("a block has one status and one value of everything for each of its points")
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
        quantities = (*block.kept.values(), *block.coordinates.values())
        for described, own in zip((*kept, *coordinates), quantities, strict=True):
            dataset = file.create_dataset(described.dataset, data=np.asarray(own.values, dtype=described.dtype))
            for name, text in (("units", own.unit), ("long_name", own.long_name)):
                if text:
                    dataset.attrs[name] = plain(text)
            if own.words:
                dataset.attrs["words"] = [plain(word) for word in own.words]
        about = {"kept": [k.to_json() for k in kept], "coordinates": [c.to_json() for c in coordinates]}
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
    """Sentences by point as lines of JSON, in the order of the points."""
    return "".join(json.dumps([int(point), messages[point]]) + "\n" for point in sorted(messages))


# -- reading ----------------------------------------------------------------------------------------------------------


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_size, found.st_mtime_ns, found.st_ino


def stamp_of(path: Path) -> Stamp | None:
    """Of the file at a path; None where there is none."""
    try:
        return _stamp(os.stat(path))
    except OSError:
        return None


def verify_shard(path: Path, digest: str, span: tuple[int, int]) -> Head:
    """See to it that a shard is whole, of a plan, and of the points that it should be of.

    Raises
    ------
    FileError
        Where it is not, with why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise FileError(f"{path}: this is not a regular file")
            head = _read_exactly(file, _HEAD)
            told = _parsed(head)
            if told is None:
                raise FileError(f"{path}: this is no shard of a sweep, or it was cut short")
            if told["format_version"] != FORMAT_VERSION:
                raise FileError(f"{path}: written in version {told['format_version']} of the format, read is version 1")
            if told.get("plan") != digest:
                raise FileError(f"{path}: this is a shard of another plan")
            if (told.get("start"), told.get("stop")) != span:
                raise FileError(f"{path}: holds the points {told.get('start')} to {told.get('stop')}, due are others")
            checksum = hashlib.sha256(head[_SUM:])
            while piece := file.read(1 << 20):
                checksum.update(piece)
    except OSError as error:
        raise FileError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if checksum.hexdigest().encode() != head[:_SUM]:
        raise FileError(f"{path}: damaged or cut short: its checksum is not that of its content")
    counts = told.get("counts")
    if not isinstance(counts, list) or len(counts) != len(STATUSES) or not all(type(n) is int for n in counts):
        raise FileError(f"{path}: does not say what became of its points")
    return Head(tuple(counts), str(told.get("iontide")), str(told.get("cpu")), _stamp(found))


def _read_exactly(file: io.FileIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := file.read(size - len(data))):
        data += piece
    return data


def _parsed(head: bytes) -> dict[str, Any] | None:
    """The line of JSON at the head of a file; None of one that is no shard."""
    try:
        told = json.loads(head[_SUM:])
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and told.get("format") == FORMAT and "format_version" in told else None


class CheckedShard(Checked):
    """A shard open for reading, as distrustful as ``Checked``; its data lie in one piece each."""

    def _verify_storage(self, dataset: h5py.Dataset, path: str, most: int = MAX_TEXT) -> None:
        layout = dataset.id.get_create_plist()
        if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count() or layout.get_nfilters():
            raise self.fault(f"{path} is not stored in one piece of this file")
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

    def about(self) -> tuple[list[Described], list[Described]]:
        """The kept quantities and the coordinates."""
        told = json.loads(self.json_text("about"))
        kept, coordinates = ([Described.from_json(entry) for entry in told[key]] for key in ("kept", "coordinates"))
        return kept, coordinates

    def column(self, described: Described, points: int) -> NDArray:
        """A kept quantity of all points of the block."""
        return self.array(described.dataset, described.dtype, (points, *described.shape))

    def coordinate(self, described: Described) -> NDArray:
        return self.array(described.dataset, described.dtype, described.shape)

    def messages(self) -> dict[int, str]:
        return parsed_messages(self.json_text("messages").splitlines())


def parsed_messages(lines: Iterable[str]) -> dict[int, str]:
    """Raises ``ValueError`` or ``TypeError`` for what ``message_lines`` has not made."""
    return {int(point): str(sentence) for point, sentence in map(json.loads, lines)}


@contextlib.contextmanager
def open_shard(path: Path) -> Iterator[CheckedShard]:
    """Open a shard that was verified; whatever is wrong with it all the same is a ``FileError``."""
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
        Where the file is not what its head says.
    """
    points = stop - start
    with open_shard(path) as shard:
        kept, coordinates = shard.about()
        return Block(
            start=start,
            status=shard.array("status", "|i1", (points,)),
            time=shard.array("time", "<f8", (points,)),
            steps=shard.array("steps", "<i8", (points,)),
            kept={k.name: k.with_values(shard.column(k, points)) for k in kept},
            coordinates={c.name: c.with_values(shard.coordinate(c)) for c in coordinates},
            messages=shard.messages(),
        )
