"""Save a run that is in memory, or stream one to its file while it is integrated.

A small file is built in memory and written in one go. A large one is written block by block into a file whose space
was reserved before (``reserved``). Both stand at their path whole or not at all (``replacing``), with the same content.
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

#: Files that may become larger than this, bytes, are not built in memory.
IN_MEMORY = 64 << 20


def save(trajectory: Trajectory, path: str | os.PathLike[str], *, started: datetime | None = None) -> Path:
    """Write a trajectory to an HDF5 file, whole or not at all.

    Parameters
    ----------
    trajectory : Trajectory
    path : path
        Taken as it is; missing parent folders are made, an older file is replaced.
    started : datetime, optional
        When the run began, for its provenance.

    Returns
    -------
    Path

    Raises
    ------
    FileError
        Where it cannot be written; an older file is then as it was.
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
    """Integrate, writing the samples as they come, in memory that does not grow with their number.

    A run that fails is written up to there, with the status ``failed``; the caller looks at the run returned.

    Parameters
    ----------
    integration : Integration
        Not yet begun.
    path : path
        As for ``save``.
    progress : callable, optional
        Called now and then with the time reached and the duration, s.

    Returns
    -------
    Run

    Raises
    ------
    FileError
        Where it cannot be written, if possible before anything is computed; an older file is then as it was.
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
    held: list[Block] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += len(block[0])
        if count < rows:
            continue
        time, segment, states = (np.concatenate(column) for column in zip(*held, strict=True))
        whole = count - count % rows
        for i in range(0, whole, rows):
            yield time[i : i + rows], segment[i : i + rows], states[i : i + rows]
        count -= whole
        # Copies, so that the rest does not keep all of it alive.
        held = [(time[whole:].copy(), segment[whole:].copy(), states[whole:].copy())]
    if count:
        time, segment, states = (np.concatenate(column) for column in zip(*held, strict=True))
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
    # The message and the warnings come on top of what is known of the texts now.
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
    """A new HDF5 file in what is reserved for it, closed whatever happens within."""
    with uninterrupted():
        file = h5py.File(target, "w", **FILE_OPTIONS)
    try:
        yield file
    finally:
        with uninterrupted():
            file.close()
