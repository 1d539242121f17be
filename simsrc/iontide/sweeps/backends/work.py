"""The loop of a worker, the same on every backend: compute and write each block that is missing.

A worker writes shards atomically, so that it may be killed at any moment; when asked to stop, it finishes its current
block. Two workers on one block write the same shard: that costs time, but does no harm.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UsageError
from ..compute.block import FAILED

if TYPE_CHECKING:
    from ..compute.engine import Engine
    from ..store.store import Store

#: Signals that ask a worker to stop: from a person, the system, or Slurm some time before the limit of a job.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

#: Most messages of failed points in one report.
MOST_MESSAGES = 3

#: Results of ``BlockWorker.compute`` for a block that was not computed: it was done already, or another process holds
#: its lock.
DONE_BEFORE, LOCKED = "done before", "locked"


@dataclass(frozen=True)
class BlockReport:
    """The result of one block.

    Attributes
    ----------
    block : int
        Its number in the plan.
    points : int
        Points in it; 0 for a block that could not be computed.
    failed : int
        Points that failed.
    seconds : float
        Wall time of computing and writing it.
    messages : tuple of str
        Why the first few points failed, or why the block could not be computed.
    """

    block: int
    points: int
    failed: int
    seconds: float
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The result of a worker, or of a backend with many workers.

    Attributes
    ----------
    blocks, points, failed : int
        Blocks computed, points in them, and points that failed.
    done_before : int
        Blocks that were done already.
    locked_blocks : tuple of int
        Blocks that another process has locked.
    given_up : mapping of int to str
        Blocks that could not be computed, and why.
    stopped : bool
        Whether it ended on request before all blocks were done.
    """

    blocks: int = 0
    points: int = 0
    failed: int = 0
    done_before: int = 0
    locked_blocks: tuple[int, ...] = ()
    given_up: dict[int, str] = field(default_factory=dict)
    stopped: bool = False

    def with_block(self, report: BlockReport) -> Outcome:
        """The outcome with one more block computed."""
        return replace(
            self, blocks=self.blocks + 1, points=self.points + report.points, failed=self.failed + report.failed
        )

    @property
    def exit_code(self) -> int:
        """0 if all blocks are done, 5 if points failed or blocks are missing."""
        return 5 if self.failed or self.locked_blocks or self.given_up or self.stopped else 0


Report = Callable[[BlockReport], None]


def never() -> bool:
    """The default for ``stop``: never stop."""
    return False


def ignore_report(report: BlockReport) -> None:
    """The default for ``report``."""


class BlockWorker:
    """Computes blocks of one sweep: its store, and an engine for its plan.

    Parameters
    ----------
    folder : path
        Folder of the sweep.

    Raises
    ------
    FileError
        If the folder or its plan cannot be read, or the plan was changed.
    """

    def __init__(self, folder: str | Path) -> None:
        from ..store.store import Store

        self.store: Store = Store.open(Path(folder))
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine, built for the first block: a worker that finds all blocks done does not compile."""
        if self._engine is None:
            from ..compute.engine import Engine

            self._engine = Engine(self.store.plan)
        return self._engine

    def compute(self, number: int, ignore_lock: bool = False) -> BlockReport | str:
        """Compute and write a block, unless it is done or another process holds its lock.

        Parameters
        ----------
        number : int
            Of the block.
        ignore_lock : bool
            Compute it although another process, which may have been killed, holds its lock.

        Returns
        -------
        BlockReport or str
            ``DONE_BEFORE`` or ``LOCKED`` for a block that was not computed.

        Raises
        ------
        FileError
            If the shard cannot be written.
        """
        if self.store.has(number):
            return DONE_BEFORE
        began = time.perf_counter()
        locked = self.store.lock(number)
        try:
            if locked and self.store.has(number):  # done by another process meanwhile
                return DONE_BEFORE
            if not locked and not ignore_lock:
                return LOCKED
            block = self.engine.block(*self.store.plan.span(number))
            self.store.write(block)
        finally:
            if locked:
                self.store.unlock(number)
        return BlockReport(
            number,
            len(block.status),
            int(np.count_nonzero(block.status == FAILED)),
            time.perf_counter() - began,
            tuple(block.messages[point] for point in sorted(block.messages)[:MOST_MESSAGES]),
        )

    def stored_report(self, number: int) -> BlockReport | None:
        """The report on a block that is done; None for any other."""
        head = self.store.head(number)
        return None if head is None else BlockReport(number, sum(head.counts), head.counts[FAILED], 0.0)


def work(
    folder: str | Path,
    blocks: Iterable[int] | None = None,
    stop: Callable[[], bool] = never,
    report: Report = ignore_report,
    *,
    ignore_lock: bool = False,
) -> Outcome:
    """Compute the missing blocks of a sweep one after the other, until done or asked to stop.

    Parameters
    ----------
    folder : path
        Folder of the sweep, on a file system that all machines share.
    blocks : iterable of int, optional
        Blocks to compute, in this order; by default all of the plan.
    stop : callable
        Called before every block; the worker ends when it returns True.
    report : callable
        Called with a ``BlockReport`` after every block that was computed.
    ignore_lock : bool
        At the end also compute the blocks locked by other processes, which may have been killed.

    Raises
    ------
    FileError
        If the folder cannot be read or a shard cannot be written. A point that fails raises nothing: it has a status.
    """
    block_worker = BlockWorker(folder)
    wanted = range(block_worker.store.plan.blocks) if blocks is None else blocks
    outcome, locked_blocks = _go_through(block_worker, wanted, Outcome(), stop, report, False)
    if ignore_lock and locked_blocks and not outcome.stopped:
        outcome, locked_blocks = _go_through(block_worker, locked_blocks, outcome, stop, report, True)
    return replace(outcome, locked_blocks=tuple(locked_blocks))


def _go_through(
    block_worker: BlockWorker,
    blocks: Iterable[int],
    outcome: Outcome,
    stop: Callable[[], bool],
    report: Report,
    ignore_lock: bool,
) -> tuple[Outcome, list[int]]:
    """Compute each block once; returns also the blocks that other processes have locked."""
    locked_blocks: list[int] = []
    for number in blocks:
        if stop():
            return replace(outcome, stopped=True), locked_blocks
        result = block_worker.compute(number, ignore_lock)
        if isinstance(result, BlockReport):
            outcome = outcome.with_block(result)
            report(result)
        elif result == DONE_BEFORE:
            outcome = replace(outcome, done_before=outcome.done_before + 1)
        else:
            locked_blocks.append(number)
    return outcome, locked_blocks


def part_of(blocks: int, part: int, parts: int) -> range:
    """The blocks of one of several parts: contiguous, the sizes of the parts differing by at most one block.

    All blocks are divided, done or not, so that a part is the same at every submission.

    Parameters
    ----------
    blocks : int
        Number of blocks of the plan.
    part, parts : int
        ``part`` from 1 to ``parts``, as in 3/8.
    """
    return range((part - 1) * blocks // parts, part * blocks // parts)


def read_part(text: str) -> tuple[int, int]:
    """``(3, 8)`` from ``"3/8"``, the third of eight parts."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise UsageError(f"a part must be I/N, for example 3/8, got {text!r}")
    return part, parts


class StopRequest:
    """Whether a signal has asked to stop: a context that handles signals, and a function that returns it.

    A second Ctrl-C ends the process at once. Only the main thread of a process can handle signals.

    Attributes
    ----------
    number : int
        Of the first signal; 0 before there is one.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self.number != 0

    def __enter__(self) -> StopRequest:
        self._before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.number:
            self.number = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as in a shell: 130, 143, and 138 for that of Slurm before a time limit."""
        return 128 + self.number if self.number else 0
