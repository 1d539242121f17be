"""The log of a sweep on this machine: blocks still to be computed, and the results of the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ...errors import FileError, IontideError
from .work import DONE_BEFORE, BlockReport, BlockWorker, Outcome, Report

#: Workers that may be killed while computing one block before it is given up.
MOST_KILLED = 2

#: If so many blocks are given up before any was computed, the others are not tried.
MOST_FAILED = 3

#: Least time to wait for a block that another process has locked before it is computed here too, and the time between
#: two checks whether it is done, s.
PATIENCE, CHECK_INTERVAL = 5.0, 0.2

Warn = Callable[[str], None]


class CannotCompute(IontideError):
    """No block can be computed; finished blocks stay, and the sweep can be resumed."""

    exit_code = 5


@dataclass(frozen=True)
class BlockFailure:
    """Why a block could not be computed or written.

    Attributes
    ----------
    message : str
    exit_code : int
        Exit code of an error that would occur in every block; 0 of one that concerns this block.
    """

    message: str
    exit_code: int = 0


def try_block(worker: BlockWorker, number: int, ignore_lock: bool) -> BlockReport | str | BlockFailure:
    """``worker.compute``, with errors returned as ``BlockFailure``."""
    try:
        return worker.compute(number, ignore_lock)
    except IontideError as error:
        return BlockFailure(str(error), error.exit_code)
    except MemoryError:
        return BlockFailure("not enough memory; make sweep.block smaller, or list fewer outputs in sweep.keep")
    except Exception as error:  # of one block; the others are computed all the same
        return BlockFailure(f"{type(error).__name__}: {' '.join(str(error).split())}")


class WorkerLog:
    """Blocks still to be computed, and the results of the others."""

    def __init__(self, worker: BlockWorker, blocks: Iterable[int], report: Report, warn: Warn) -> None:
        self._plan, self._report, self._warn = worker.store.plan, report, warn
        self._waiting = deque(blocks)
        # Locked by another process: since when, and when to check again.
        self._locked_since: dict[int, float] = {}
        self._locked: deque[tuple[float, int]] = deque()
        self._killed: dict[int, int] = {}
        self._longest = 0.0
        self._outcome = Outcome()

    @property
    def is_empty(self) -> bool:
        return not self._waiting and not self._locked

    def outcome(self, stopped: bool) -> Outcome:
        """The outcome so far."""
        return replace(self._outcome, locked_blocks=tuple(number for _, number in self._locked), stopped=stopped)

    def next(self) -> tuple[int, bool] | None:
        """The next block, and whether to compute it although another process has locked it; None if none is due yet."""
        if self._waiting:
            return self._waiting.popleft(), False
        now = time.monotonic()
        if not self._locked or self._locked[0][0] > now:
            return None
        _, number = self._locked.popleft()
        return number, now - self._locked_since[number] > max(PATIENCE, 2.0 * self._longest)

    def record(self, number: int, answer: BlockReport | str | BlockFailure) -> None:
        """Record the result of a block; raises errors that would occur in every block."""
        if isinstance(answer, BlockFailure):
            if answer.exit_code == FileError.exit_code:
                raise FileError(answer.message)
            if answer.exit_code:
                error = IontideError(answer.message)
                error.exit_code = answer.exit_code
                raise error
            self._give_up(number, answer.message)
        elif isinstance(answer, BlockReport):
            self._longest = max(self._longest, answer.seconds)
            self._outcome = self._outcome.with_block(answer)
            self._report(answer)
        elif answer == DONE_BEFORE:
            self._outcome = replace(self._outcome, done_before=self._outcome.done_before + 1)
        else:
            now = time.monotonic()
            self._locked_since.setdefault(number, now)
            self._locked.append((now + CHECK_INTERVAL, number))

    def record_killed(self, number: int, how: str) -> None:
        """Record that a worker ended while it computed a block."""
        self._killed[number] = times = self._killed.get(number, 0) + 1
        if times < MOST_KILLED:
            self._waiting.append(number)
            self._warn(f"a worker {how} while it computed {self._label(number)}, which goes to another worker")
        else:
            self._give_up(number, f"{times} workers ended while they computed it, the last one {how}")

    def _give_up(self, number: int, why: str) -> None:
        message = f"{self._label(number)} was given up: {why}"
        self._outcome = replace(self._outcome, given_up={**self._outcome.given_up, number: message})
        self._report(BlockReport(number, 0, 0, 0.0, (message,)))
        if not self._outcome.blocks and len(self._outcome.given_up) >= MOST_FAILED:
            raise CannotCompute("none of the first blocks can be computed, so the others were not tried")

    def _label(self, number: int) -> str:
        start, stop = self._plan.span(number)
        return f"block {number} (points {start} to {stop - 1})"
