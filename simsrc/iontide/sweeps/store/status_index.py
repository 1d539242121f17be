"""Progress of a sweep: the status of each point, updated from the shards on request.

``index.h5`` is a cache, so that unchanged shards are not read again. It is rebuilt if it is missing or not valid, and
nothing else depends on it.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ...errors import FileError
from ...storage.datasets import write_text
from ...storage.provenance import utc_now
from ...storage.reader import checked_file
from ...storage.replacing import replacing, write_all
from ...storage.writer import FILE_OPTIONS
from ..compute.block import DONE, EXCLUDED, FAILED, MISSING, STATUSES, STEADY, STOPPED
from .append_dataset import Appender
from .block_locks import process_name
from .shards import message_lines, open_shard, parsed_messages, stamp_of
from .store import Store, read_json, write_json

FORMAT = "iontide-sweep-index"
FORMAT_VERSION = 2

INDEX = "index.h5"
STATUS = "status.json"

#: Most messages of failed points in an index; all are in the shards.
MOST_FAILURES = 1000


@dataclass(frozen=True)
class Index:
    """The status of the points of a sweep.

    Attributes
    ----------
    size, blocks : int
        Points and blocks of the plan.
    counts : mapping of str to int
        Points by status (``STATUSES``); they add up to ``size``.
    missing : tuple of int
        Blocks that are not done.
    faults : mapping of int to str
        Those of them that have an invalid shard, and why it is invalid.
    failures : mapping of int to str
        By the number of the point, why it failed; only the first ``MOST_FAILURES``.
    """

    size: int
    blocks: int
    counts: Mapping[str, int]
    missing: tuple[int, ...]
    faults: Mapping[int, str]
    failures: Mapping[int, str]

    @property
    def done(self) -> int:
        """Points that were computed without failure."""
        return sum(self.counts[STATUSES[code]] for code in (DONE, STEADY, STOPPED))

    @property
    def exit_code(self) -> int:
        """0 if every point is done and none failed, else 5."""
        return 5 if self.counts[STATUSES[MISSING]] or self.counts[STATUSES[FAILED]] else 0


@dataclass(frozen=True)
class _OldIndex:
    """The content of the index file."""

    stamps: NDArray
    counts: NDArray
    statuses: NDArray
    failures: Mapping[int, Mapping[int, str]]  # by block


def rebuild_index(folder: str | os.PathLike[str]) -> Index:
    """Read every shard and rewrite the index, in memory that does not grow with the number of points.

    Raises
    ------
    FileError
        If the folder is no sweep, or the index cannot be written.
    """
    return index_of(Store.open(folder), again=True)


def index_of(store: Store, again: bool = False) -> Index:
    """The status of the points of a sweep. Only new and changed shards are read; the index is then rewritten.

    Parameters
    ----------
    store : Store
    again : bool
        Read all shards, also those in the existing index. The memory needed is then independent of the number of
        points; otherwise it is one byte for each point.

    Raises
    ------
    FileError
        If the index cannot be written.
    """
    path = store.folder / INDEX
    before = None if again else _read_old_index(path, store)
    stamps = np.zeros((store.plan.blocks, 3), dtype=np.int64)
    counts = np.zeros((store.plan.blocks, len(STATUSES)), dtype=np.int64)
    failures: dict[int, str] = {}
    faults: dict[int, str] = {}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **FILE_OPTIONS) as file:
        statuses = Appender(file, "status", "|i1", store.plan.size)
        for number in range(store.plan.blocks):
            start, stop = store.plan.span(number)
            stamp = stamp_of(store.shard(number))
            if before is not None and tuple(before.stamps[number]) == stamp:
                stamps[number], counts[number] = stamp, before.counts[number]
                status, messages = before.statuses[start:stop], before.failures.get(number, {})
            elif (head := store.head(number)) is not None:
                stamps[number], counts[number] = head.stamp, head.counts
                with open_shard(store.shard(number)) as shard:
                    status = shard.array("status", "|i1", (stop - start,))
                    messages = shard.messages() if len(failures) < MOST_FAILURES else {}
            else:
                counts[number, MISSING] = stop - start
                status, messages = np.full(stop - start, MISSING, dtype=np.int8), {}
                if number in store.faults:
                    faults[number] = store.faults[number]
            statuses.add(status)
            if len(failures) < MOST_FAILURES:
                some = sorted(messages)[: MOST_FAILURES - len(failures)]
                failures |= {point: messages[point] for point in some}
        statuses.finish()
        for name, table in (("stamps", stamps), ("counts", counts)):
            rows = Appender(file, name, "<i8", store.plan.blocks, table.shape[1:])
            rows.add(table)
            rows.finish()
        write_text(file, "failures", message_lines(failures))
        write_text(file, "header", json.dumps(_header(store)))
    if before is None or not np.array_equal(before.stamps, stamps):
        with replacing(path, writer=process_name()) as descriptor:
            write_all(descriptor, buffer.getbuffer())
    return Index(
        size=store.plan.size,
        blocks=store.plan.blocks,
        counts=dict(zip(STATUSES, (int(n) for n in counts.sum(axis=0)), strict=True)),
        missing=tuple(int(number) for number in np.flatnonzero(counts[:, MISSING])),
        faults=faults,
        failures=failures,
    )


def _header(store: Store) -> dict[str, Any]:
    return {"format": FORMAT, "format_version": FORMAT_VERSION, "plan": store.plan.digest}


def _read_old_index(path: Path, store: Store) -> _OldIndex | None:
    """The existing index; None if it is missing, not valid or of another plan."""
    try:
        with checked_file(path) as file:
            if json.loads(file.text("header")) != _header(store):
                return None
            failures: dict[int, dict[int, str]] = {}
            for point, sentence in parsed_messages(file.text("failures").splitlines()).items():
                failures.setdefault(point // store.plan.block, {})[point] = sentence
            return _OldIndex(
                file.array("stamps", "<i8", (store.plan.blocks, 3)),
                file.array("counts", "<i8", (store.plan.blocks, len(STATUSES))),
                file.array("status", "|i1", (store.plan.size,)),
                failures,
            )
    except (FileError, ValueError):
        return None


def read_statuses(folder: str | os.PathLike[str]) -> NDArray[np.int8]:
    """The status of every point, from the index file.

    Raises
    ------
    FileError
        If there is no valid index.
    """
    with checked_file(Path(folder) / INDEX) as file:
        return file.array("status", "|i1", (None,))


# -- progress for programs --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """Progress of a sweep, the content of ``status.json``.

    Attributes
    ----------
    points : int
        Points of the plan: ``done + failed + excluded + missing``.
    done, failed, excluded, missing : int
        Points.
    rate : float or None
        Recent points per second; None if not known.
    remaining : float or None
        Seconds until all points are done at this rate; None if not known.
    updated : str
        Time of this status, ISO 8601, UTC.
    """

    points: int
    done: int
    failed: int
    excluded: int
    missing: int
    rate: float | None
    remaining: float | None
    updated: str


def progress_of(index: Index, rate: float | None = None) -> Progress:
    """Progress from an index and a rate in points per second."""
    missing = index.counts[STATUSES[MISSING]]
    known_rate = rate if rate is not None and math.isfinite(rate) and rate > 0 else None
    remaining = 0.0 if not missing else None if known_rate is None else missing / known_rate
    failed, excluded = (index.counts[STATUSES[code]] for code in (FAILED, EXCLUDED))
    return Progress(index.size, index.done, failed, excluded, missing, known_rate, remaining, utc_now())


def write_status(folder: str | os.PathLike[str], progress: Progress) -> None:
    """Write ``status.json`` atomically; raises ``FileError``."""
    write_json(Path(folder) / STATUS, asdict(progress))


def read_status(folder: str | os.PathLike[str]) -> Progress:
    """Read ``status.json``; raises ``FileError`` if it is missing or not valid."""
    path = Path(folder) / STATUS
    content = read_json(path)
    names = [field.name for field in fields(Progress)]
    if not isinstance(content, dict) or sorted(content) != sorted(names):
        raise FileError(f"{path}: damaged, or written by another version of iontide")
    return Progress(**content)
