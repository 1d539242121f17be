"""Save a run that is in memory, or stream one to its file while it is integrated.

A small file is built in memory and written at once. A large one is written block by block into a file whose space
was reserved before (``reserved``). Both are written completely or not at all (``replacing``), with the same content.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from ..model.schedule import sample_count_limit
from ..simulation.run import Run
from ..simulation.trajectory import Trajectory
from .provenance import finished, provenance_of
from .replacing import replacing, write_all
from .reserved import ReservedFile, uninterrupted
from .writer import FILE_OPTIONS, Plan, Writer

if TYPE_CHECKING:
    from ..simulation.simulate import Block, Integration, ProgressCallback

#: Largest file that is built in memory, bytes.
IN_MEMORY = 64 << 20


def save(trajectory: Trajectory, path: str | os.PathLike[str], *, started: datetime | None = None) -> Path:
    """Write a trajectory to an HDF5 file, completely or not at all.

    Parameters
    ----------
    trajectory : Trajectory
    path : path
        Used as given; missing parent folders are created, an existing file is replaced.
    started : datetime, optional
        Time at which the run began, for its provenance.

    Returns
    -------
    Path

    Raises
    ------
    FileError
        If it cannot be written; an existing file is then unchanged.
    """
    run = trajectory.run
    plan = Plan(run.model, run.layout, len(trajectory))
    parts = (trajectory.part(slice(i, i + plan.block_rows)) for i in range(0, len(trajectory), plan.block_rows))
    _write(path, plan, run, parts, len(trajectory), lambda: run, started or datetime.now(UTC))
    return Path(path)


def stream(
    integration: Integration,
    path: str | os.PathLike[str],
    progress: ProgressCallback | None = None,
) -> Run:
    """Integrate, writing the samples as they are computed, in memory that does not grow with their number.

    A run that fails is written up to the failure, with the status ``failed``; the caller must check that of the result.

    Parameters
    ----------
    integration : Integration
        Not yet begun.
    path : path
        As for ``save``.
    progress : callable, optional
        Called repeatedly with the time reached and the duration, s.

    Returns
    -------
    Run

    Raises
    ------
    FileError
        If it cannot be written, if possible before anything is computed; an existing file is then unchanged.
    """

    model = integration.model
    samples = None
    if model.recording.spacing != "steps":
        samples = sample_count_limit(model.recording, len(integration.segments)) + 1
    plan = Plan(model, integration.layout, samples)

    def parts() -> Iterator[Trajectory]:
        for time, segment, states in gathered(integration.blocks(progress), plan.block_rows):
            yield Trajectory(integration.outcome(), time, segment.astype(np.int32), states)

    _write(path, plan, integration.outcome(), parts(), samples, integration.outcome, datetime.now(UTC))
    return integration.outcome()


def gathered(blocks: Iterable[Block], rows: int) -> Iterator[Block]:
    """The same samples in blocks of exactly ``rows``; only the last may be shorter."""
    pending: list[Block] = []
    count = 0
    for block in blocks:
        pending.append(block)
        count += len(block[0])
        if count < rows:
            continue
        time, segment, states = (np.concatenate(column) for column in zip(*pending, strict=True))
        whole = count - count % rows
        for i in range(0, whole, rows):
            yield time[i : i + rows], segment[i : i + rows], states[i : i + rows]
        count -= whole
        # Copies, because views would keep the whole arrays in memory.
        pending = [(time[whole:].copy(), segment[whole:].copy(), states[whole:].copy())]
    if count:
        time, segment, states = (np.concatenate(column) for column in zip(*pending, strict=True))
        yield time, segment, states


def _write(
    path: str | os.PathLike[str],
    plan: Plan,
    head: Run,
    parts: Iterable[Trajectory],
    samples: int | None,
    run_at_end: Callable[[], Run],
    started: datetime,
) -> None:
    provenance = provenance_of(head, started)
    # The message and the warnings are added at the end; 64 kB are reserved for them.
    texts = sum(len(t) for t in (*provenance.texts.values(), *provenance.argv)) * 4 + (1 << 16)
    rest = plan.fixed_size_limit(texts)
    size = None if samples is None else plan.size_limit(samples) + rest
    with replacing(path) as descriptor:
        if size is not None and size <= IN_MEMORY:
            buffer = io.BytesIO()
            with h5py.File(buffer, "w", **FILE_OPTIONS) as file:
                writer = Writer(file, plan, head.layout)
                for part in parts:
                    writer.add(part)
                writer.finish(run_at_end(), finished(provenance))
            write_all(descriptor, buffer.getbuffer())
            return
        target = ReservedFile(descriptor)
        target.reserve(rest if size is None else size)
        try:
            with opened_hdf5(target) as file:
                with uninterrupted():
                    writer = Writer(file, plan, head.layout)
                for part in parts:
                    if size is None:
                        target.reserve_more(plan.size_limit(len(part)) + rest)
                    with uninterrupted():
                        writer.add(part)
                    target.check()
                with uninterrupted():
                    writer.finish(run_at_end(), finished(provenance))
            target.finish()
        finally:
            target.release()


@contextlib.contextmanager
def opened_hdf5(target: ReservedFile) -> Iterator[h5py.File]:
    """A new HDF5 file in a reserved file, closed at the end of the block even after an exception."""
    with uninterrupted():
        file = h5py.File(target, "w", **FILE_OPTIONS)
    try:
        yield file
    finally:
        with uninterrupted():
            file.close()
