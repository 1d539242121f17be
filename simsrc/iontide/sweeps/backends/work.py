"""The worker's loop, the same on every backend: take a block that is not there, compute it, write it, go on.

What a worker leaves behind is whole shards or nothing, so that it may be killed at any moment; asked to stop, it
finishes the block in hand. Two workers on one block do no harm (both make the same shard), only needless work.
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

#: What asks a worker to stop: a person, the system, and Slurm some time before the limit of a job.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

#: Most messages of failed points that one report carries.
MOST_MESSAGES = 3


@dataclass(frozen=True)
class BlockReport:
    """What became of one block.

    Attributes
    ----------
    block : int
        Its number in the plan.
    points : int
        Points in it; 0 of a block that was given up.
    failed : int
        Points of status ``failed``.
    seconds : float
        Wall time of computing and writing it.
    messages : tuple of str
        Why points failed, of the first few; of a block that was given up, why.
    """

    block: int
    points: int
    failed: int
    seconds: float
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a worker, or a backend with many, made of its blocks.

    Attributes
    ----------
    blocks, points, failed : int
        Blocks computed here and now, points in them, and those of status ``failed``.
    there : int
        Blocks that had been there already.
    elsewhere : tuple of int
        Blocks that another worker has in hand.
    given_up : mapping of int to str
        Blocks that no worker could compute, and why.
    stopped : bool
        Whether it ended on request, with blocks left.
    """

    blocks: int = 0
    points: int = 0
    failed: int = 0
    there: int = 0
    elsewhere: tuple[int, ...] = ()
    given_up: dict[int, str] = field(default_factory=dict)
    stopped: bool = False

    def with_block(self, report: BlockReport) -> Outcome:
        """The same with one more block computed."""
        return replace(
            self, blocks=self.blocks + 1, points=self.points + report.points, failed=self.failed + report.failed
        )

    @property
    def exit_code(self) -> int:
        """0 where all is done, 5 where points failed or blocks are not there."""
        return 5 if self.failed or self.elsewhere or self.given_up or self.stopped else 0


Report = Callable[[BlockReport], None]


def never() -> bool:
    """No stop is asked for."""
    return False


def unheard(report: BlockReport) -> None:
    """Nobody wants to know."""


class Workplace:
    """The store of one sweep with one engine for its plan, opened once by a worker.

    Parameters
    ----------
    folder : path
        Of a sweep.

    Raises
    ------
    FileError
        Where the folder or its plan cannot be read or trusted.
    """

    def __init__(self, folder: str | Path) -> None:
        from ..store.store import Store

        self.store: Store = Store.open(Path(folder))
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """Built when a first block is due: a worker that finds all done need not compile."""
        if self._engine is None:
            from ..compute.engine import Engine

            self._engine = Engine(self.store.plan)
        return self._engine

    def take(self, number: int, insist: bool = False) -> BlockReport | str:
        """Compute and write a block, unless it is there or another worker has it in hand.

        Parameters
        ----------
        number : int
            Of the block.
        insist : bool
            Compute it although another has claimed it, who may have been killed.

        Returns
        -------
        BlockReport or str
            ``"there"`` or ``"elsewhere"`` of a block that was not computed here.

        Raises
        ------
        FileError
            Where the shard cannot be written.
        """
        if self.store.has(number):
            return "there"
        began = time.perf_counter()
        claimed = self.store.claim(number)
        try:
            if claimed and self.store.has(number):  # finished by another between the two looks
                return "there"
            if not claimed and not insist:
                return "elsewhere"
            block = self.engine.block(*self.store.plan.span(number))
            self.store.write(block)
        finally:
            if claimed:
                self.store.release(number)
        return BlockReport(
            number,
            len(block.status),
            int(np.count_nonzero(block.status == FAILED)),
            time.perf_counter() - began,
            tuple(block.messages[point] for point in sorted(block.messages)[:MOST_MESSAGES]),
        )

    def found(self, number: int) -> BlockReport | None:
        """What a block holds that is there; None of one that is not."""
        head = self.store.head(number)
        return None if head is None else BlockReport(number, sum(head.counts), head.counts[FAILED], 0.0)


def work(
    folder: str | Path,
    blocks: Iterable[int] | None = None,
    stop: Callable[[], bool] = never,
    report: Report = unheard,
    *,
    insist: bool = False,
) -> Outcome:
    """Compute the blocks of a sweep that are not there, one after the other, until done or asked to stop.

    Parameters
    ----------
    folder : path
        Of the sweep; on a cluster one that all machines see.
    blocks : iterable of int, optional
        Only these, in this order; all of the plan without it.
    stop : callable
        Asked before every block; the worker returns when it says True.
    report : callable
        Called with a ``BlockReport`` after every block that was computed here.
    insist : bool
        At the end compute also the blocks that another worker has claimed and not finished, as of one that was killed.

    Raises
    ------
    FileError
        Where the folder cannot be read or a shard not be written, as on a full disk. A point that fails is a status.
    """
    workplace = Workplace(folder)
    wanted = range(workplace.store.plan.blocks) if blocks is None else blocks
    outcome, elsewhere = _go_through(workplace, wanted, Outcome(), stop, report, False)
    if insist and elsewhere and not outcome.stopped:
        outcome, elsewhere = _go_through(workplace, elsewhere, outcome, stop, report, True)
    return replace(outcome, elsewhere=tuple(elsewhere))


def _go_through(
    workplace: Workplace,
    blocks: Iterable[int],
    outcome: Outcome,
    stop: Callable[[], bool],
    report: Report,
    insist: bool,
) -> tuple[Outcome, list[int]]:
    """Take each block once; returns also the blocks that others have in hand."""
    elsewhere: list[int] = []
    for number in blocks:
        if stop():
            return replace(outcome, stopped=True), elsewhere
        result = workplace.take(number, insist)
        if isinstance(result, BlockReport):
            outcome = outcome.with_block(result)
            report(result)
        elif result == "there":
            outcome = replace(outcome, there=outcome.there + 1)
        else:
            elsewhere.append(number)
    return outcome, elsewhere


def part_of(blocks: int, part: int, parts: int) -> range:
    """The blocks of one part of several: contiguous, and as many as in any other part or one less.

    All blocks are parted, done or not, so that a part is the same at every submission.

    Parameters
    ----------
    blocks : int
        Number of blocks of the plan.
    part, parts : int
        As in 3/8: ``part`` from 1 to ``parts``.
    """
    return range((part - 1) * blocks // parts, part * blocks // parts)


def read_part(text: str) -> tuple[int, int]:
    """``(3, 8)`` from ``"3/8"``, the third of eight parts."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise UsageError(f"a part is given as I/N, as 1/8 to 8/8, got {text!r}")
    return part, parts


class StopRequest:
    """Whether a signal has asked to stop: called, it says so; a context within which it listens.

    A second Ctrl-C ends the process at once. Only the main thread of a process can listen.

    Attributes
    ----------
    number : int
        Of the first signal that came; 0 before.
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
        """128 and the number of the signal, as a shell says it: 130, 143, and 138 for Slurm's before a time limit."""
        return 128 + self.number if self.number else 0
