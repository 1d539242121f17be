"""How far a sweep is: a status a point, made from the shards whenever it is asked for, and told in numbers.

``index.h5`` only spares the shards that have not changed another look. It is rebuilt where it is missing or not sound,
and nothing else depends on it.
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
from .block_locks import this_process
from .shards import message_lines, open_shard, parsed_messages, stamp_of
from .store import Store, read_json, write_json

FORMAT = "iontide-sweep-index"
FORMAT_VERSION = 1

INDEX = "index.h5"
STATUS = "status.json"

#: Points whose failure is told of in an index; all are in the shards.
MOST_FAILURES = 1000


@dataclass(frozen=True)
class Index:
    """What became of the points of a sweep so far.

    Attributes
    ----------
    size, blocks : int
        Points and blocks of the plan.
    counts : mapping of str to int
        Points by status, as of ``STATUSES``; they add up to ``size``.
    missing : tuple of int
        Blocks that are not there.
    faults : mapping of int to str
        Those of them that have a shard which does not count, and why.
    failures : mapping of int to str
        By the number of the point, why it failed; of the first ``MOST_FAILURES`` only.
    """

    size: int
    blocks: int
    counts: Mapping[str, int]
    missing: tuple[int, ...]
    faults: Mapping[int, str]
    failures: Mapping[int, str]

    @property
    def done(self) -> int:
        """Points that were computed to an end, whatever it is."""
        return sum(self.counts[STATUSES[code]] for code in (DONE, STEADY, STOPPED))

    @property
    def exit_code(self) -> int:
        """0 where every point is there and none failed, else 5."""
        return 5 if self.counts[STATUSES[MISSING]] or self.counts[STATUSES[FAILED]] else 0


@dataclass(frozen=True)
class _Before:
    """What an older index says."""

    stamps: NDArray
    counts: NDArray
    statuses: NDArray
    failures: Mapping[int, Mapping[int, str]]  # by block


def rebuild_index(folder: str | os.PathLike[str]) -> Index:
    """Read every shard through and write the index anew, in memory that does not grow with the number of points.

    Raises
    ------
    FileError
        Where the folder is no sweep, or the index cannot be written.
    """
    return index_of(Store.open(folder), again=True)


def index_of(store: Store, again: bool = False) -> Index:
    """How far a sweep is; only shards that are new or have changed are read. The index is written if any has.

    Parameters
    ----------
    store : Store
    again : bool
        Read all shards, also those that an older index knows; memory is then the same for any number of points,
        else a byte a point.

    Raises
    ------
    FileError
        Where the index cannot be written.
    """
    path = store.folder / INDEX
    before = None if again else _read_before(path, store)
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
                own, told = before.statuses[start:stop], before.failures.get(number, {})
            elif (head := store.head(number)) is not None:
                stamps[number], counts[number] = head.stamp, head.counts
                with open_shard(store.shard(number)) as shard:
                    own = shard.array("status", "|i1", (stop - start,))
                    told = shard.messages() if len(failures) < MOST_FAILURES else {}
            else:
                counts[number, MISSING] = stop - start
                own, told = np.full(stop - start, MISSING, dtype=np.int8), {}
                if number in store.faults:
                    faults[number] = store.faults[number]
            statuses.add(own)
            if len(failures) < MOST_FAILURES:
                failures |= {point: told[point] for point in sorted(told)[: MOST_FAILURES - len(failures)]}
        statuses.finish()
        for name, table in (("stamps", stamps), ("counts", counts)):
            rows = Appender(file, name, "<i8", store.plan.blocks, table.shape[1:])
            rows.add(table)
            rows.finish()
        write_text(file, "failures", message_lines(failures))
        write_text(file, "header", json.dumps(_header(store)))
    if before is None or not np.array_equal(before.stamps, stamps):
        with replacing(path, writer=this_process()) as descriptor:
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


def _read_before(path: Path, store: Store) -> _Before | None:
    """The older index; None where it is missing, not sound or of another plan, which is no loss."""
    try:
        with checked_file(path) as file:
            if json.loads(file.text("header")) != _header(store):
                return None
            failures: dict[int, dict[int, str]] = {}
            for point, sentence in parsed_messages(file.text("failures").splitlines()).items():
                failures.setdefault(point // store.plan.block, {})[point] = sentence
            return _Before(
                file.array("stamps", "<i8", (store.plan.blocks, 3)),
                file.array("counts", "<i8", (store.plan.blocks, len(STATUSES))),
                file.array("status", "|i1", (store.plan.size,)),
                failures,
            )
    except (FileError, ValueError):
        return None


def read_statuses(folder: str | os.PathLike[str]) -> NDArray[np.int8]:
    """The status of every point, from the index.

    Raises
    ------
    FileError
        Where there is no sound index.
    """
    with checked_file(Path(folder) / INDEX) as file:
        return file.array("status", "|i1", (None,))


# -- progress for programs --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """How far a sweep is, as ``status.json`` tells it.

    Attributes
    ----------
    points : int
        Of the plan: ``done + failed + excluded + missing``.
    done, failed, excluded, missing : int
        Points.
    rate : float or None
        Points a second of late; None where it is not known.
    remaining : float or None
        Seconds until all is done, at this rate.
    updated : str
        When it was so, ISO 8601, UTC.
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
    """The progress now, from an index and how many points are done a second."""
    missing = index.counts[STATUSES[MISSING]]
    sound = rate if rate is not None and math.isfinite(rate) and rate > 0 else None
    remaining = 0.0 if not missing else None if sound is None else missing / sound
    failed, excluded = (index.counts[STATUSES[code]] for code in (FAILED, EXCLUDED))
    return Progress(index.size, index.done, failed, excluded, missing, sound, remaining, utc_now())


def write_status(folder: str | os.PathLike[str], progress: Progress) -> None:
    """Write ``status.json``, whole or not at all; raises ``FileError``."""
    write_json(Path(folder) / STATUS, asdict(progress))


def read_status(folder: str | os.PathLike[str]) -> Progress:
    """What ``status.json`` tells; raises ``FileError`` where it is missing or not sound."""
    path = Path(folder) / STATUS
    told = read_json(path)
    names = [field.name for field in fields(Progress)]
    if not isinstance(told, dict) or sorted(told) != sorted(names):
        raise FileError(f"{path}: damaged, or written by another version of iontide")
    return Progress(**told)
