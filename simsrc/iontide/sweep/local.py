"""Sweeps on this machine: worker processes over blocks, each with an engine of its own, and one that hands blocks out.

A worker is a fresh interpreter: a fork would inherit locks that nobody holds any more, and the processes of
``multiprocessing`` would each run the caller's script again. A worker that is killed takes nothing along but the block
in its hands, which goes to another.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileError, IontideError, UsageError
from .work import STOP_SIGNALS, BlockReport, Outcome, Report, Workplace, never, unheard

if TYPE_CHECKING:
    from .plan import Plan

#: Seconds between looks at whether to stop.
LOOK = 0.2

#: Seconds that workers have to finish the blocks in their hands when asked to stop; what is not finished is dropped.
GRACE = 5.0

#: Workers that one block may kill before it is given up.
MOST_KILLED = 2

#: Seconds to wait for a block that another command has in hand before it is computed here too, at least.
PATIENCE = 5.0

#: Each worker is one thread; so should be the linear algebra in it.
_ONE_THREAD = {
    f"{library}_NUM_THREADS": "1"
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR", "NUMBA")
}

Tell = Callable[[str], None]


def untold(sentence: str) -> None:
    """Nobody wants to know."""


def available_cores() -> int:
    """Processors that this process may use: by its affinity, its job of Slurm, and the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    of_job = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE", "")
    if of_job.isdigit():
        cores = min(cores, int(of_job))
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def integrator_of(plan: Plan) -> str:
    """The kind of integrator (of ``kernel.native``) that the points of a plan go through, so that it is compiled once."""
    from ..kernel import native
    from ..layout import lay_out
    from .engine import MOST_STATES

    model = plan.scenario.model
    return native.RUN if model.events or lay_out(model).size > MOST_STATES else native.LANES


# -- what one block came to -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trouble:
    """Why a block could not be computed or written.

    Attributes
    ----------
    sentence : str
    exit_code : int
        Of the error, where it would befall every block; 0 where the next may well do better.
    """

    sentence: str
    exit_code: int = 0


def attempt(place: Workplace, number: int, insist: bool) -> BlockReport | str | Trouble:
    """``place.take``, whatever it comes to."""
    try:
        return place.take(number, insist)
    except IontideError as error:
        return Trouble(str(error), error.exit_code)
    except MemoryError:
        return Trouble("there is not enough memory for it; make sweep.block smaller, or keep less of each point")
    except Exception as error:  # of one block; the others shall not suffer for it
        return Trouble(f"{type(error).__name__}: {' '.join(str(error).split())}")


class _Ledger:
    """Blocks that are to be done, and what has come of the others."""

    def __init__(self, place: Workplace, blocks: Iterable[int], report: Report, tell: Tell) -> None:
        self._plan, self._report, self._tell = place.store.plan, report, tell
        self._waiting = deque(blocks)
        # In the hands of another command: since when, and when to look again.
        self._since: dict[int, float] = {}
        self._later: deque[tuple[float, int]] = deque()
        self._killed: dict[int, int] = {}
        self._longest = 0.0
        self._outcome = Outcome()

    @property
    def is_empty(self) -> bool:
        return not self._waiting and not self._later

    def outcome(self, stopped: bool) -> Outcome:
        """All that is known by now."""
        return replace(self._outcome, elsewhere=tuple(number for _, number in self._later), stopped=stopped)

    def next(self) -> tuple[int, bool] | None:
        """A block to compute, and whether to do so although another has claimed it; None where none is due yet."""
        if self._waiting:
            return self._waiting.popleft(), False
        now = time.monotonic()
        if not self._later or self._later[0][0] > now:
            return None
        _, number = self._later.popleft()
        return number, now - self._since[number] > max(PATIENCE, 2.0 * self._longest)

    def note(self, number: int, answer: BlockReport | str | Trouble) -> None:
        """What has become of a block; raises what would befall every block."""
        if isinstance(answer, Trouble):
            if answer.exit_code == FileError.exit_code:
                raise FileError(answer.sentence)
            if answer.exit_code:
                error = IontideError(answer.sentence)
                error.exit_code = answer.exit_code
                raise error
            self._give_up(number, answer.sentence)
        elif isinstance(answer, BlockReport):
            self._longest = max(self._longest, answer.seconds)
            self._outcome = self._outcome.with_block(answer)
            self._report(answer)
        elif answer == "there":
            self._outcome = replace(self._outcome, there=self._outcome.there + 1)
        else:
            now = time.monotonic()
            self._since.setdefault(number, now)
            self._later.append((now + LOOK, number))

    def note_killed(self, number: int, how: str) -> None:
        """A worker has ended with a block in its hands."""
        self._killed[number] = times = self._killed.get(number, 0) + 1
        if times < MOST_KILLED:
            self._waiting.append(number)
            self._tell(f"a worker {how} while it computed {self._named(number)}, which goes to another")
        else:
            self._give_up(number, f"{times} workers that computed it ended, the last one {how}")

    def _give_up(self, number: int, why: str) -> None:
        sentence = f"{self._named(number)} was given up: {why}"
        self._outcome = replace(self._outcome, given_up={**self._outcome.given_up, number: sentence})
        self._report(BlockReport(number, 0, 0, 0.0, (sentence,)))

    def _named(self, number: int) -> str:
        start, stop = self._plan.span(number)
        return f"block {number} (points {start} to {stop - 1})"


# -- workers ----------------------------------------------------------------------------------------------------------


def serve(descriptor: int, folder: str) -> None:
    """What a worker does: blocks by their numbers, until there is nobody left to tell of them."""
    # A Ctrl-C goes to all processes of a terminal; what is to become of the workers is for the first one to say.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError), Connection(descriptor) as connection:
        try:
            place = Workplace(folder)
        except IontideError as error:
            connection.send(Trouble(str(error), error.exit_code))
            return
        connection.send(None)
        while True:
            connection.send(attempt(place, *connection.recv()))


def _words(descriptor: int, folder: Path) -> list[str]:
    """The command of a worker, which finds modules where this process does."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve({descriptor}, {str(folder)!r})"
    return [sys.executable, "-c", code]


class _Worker:
    """One worker, as seen by the process that hands blocks out."""

    def __init__(self, folder: Path, log: int) -> None:
        self.connection, theirs = Pipe()
        try:
            self.process = subprocess.Popen(
                _words(theirs.fileno(), folder),
                env=os.environ | _ONE_THREAD,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        except OSError as error:
            self.connection.close()
            raise IontideError(f"a worker process cannot be started: {error.strerror or error}") from None
        finally:
            theirs.close()
        self.is_ready = False
        self.block: int | None = None

    def give(self, number: int, insist: bool) -> None:
        self.block = number
        # A worker that has just been killed is noticed when it is listened to.
        with contextlib.suppress(OSError):
            self.connection.send((number, insist))

    def end(self) -> str:
        """See to it that it is gone, and say how it went."""
        self.connection.close()
        try:
            code = self.process.wait(LOOK)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if code >= 0:
            return f"ended with code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        memory = ", as by the system when memory runs out" if -code == signal.SIGKILL else ""
        return f"was killed ({name}{memory})"


class _Crew:
    """The workers of one sweep."""

    def __init__(self, folder: Path, count: int, ledger: _Ledger) -> None:
        self._folder, self._count, self._ledger = folder, count, ledger
        self._workers: list[_Worker] = []
        self._log_file = folder / "logs" / "workers.log"

    def run(self, stop: Callable[[], bool]) -> Outcome:
        """Until all is done, or it is asked to stop."""
        log = self._open_log()
        stopped = False
        try:
            while not (stopped := stop()):
                self._hand_out(log)
                if not self._workers_at_work() and self._ledger.is_empty:
                    break
                self._listen(LOOK)
            deadline = time.monotonic() + GRACE
            while self._workers_at_work() and time.monotonic() < deadline:
                self._listen(LOOK)
        finally:
            for worker in self._workers:
                if worker.block is not None:
                    worker.process.kill()
            for worker in self._workers:
                worker.end()
            os.close(log)
        return self._ledger.outcome(stopped)

    def _open_log(self) -> int:
        """What workers say, and would confuse a person with: of modules that are missing, or of a crash."""
        with contextlib.suppress(OSError):
            self._log_file.parent.mkdir(exist_ok=True)
            return os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    def _workers_at_work(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.block is not None]

    def _hand_out(self, log: int) -> None:
        """A block to each worker that has none; as many workers as there is work for."""
        for worker in self._workers:
            if worker.is_ready and worker.block is None and (due := self._ledger.next()):
                worker.give(*due)
        while len(self._workers) < self._count and not self._ledger.is_empty:
            self._workers.append(_Worker(self._folder, log))

    def _listen(self, seconds: float) -> None:
        """Hear what workers have to say, for so long at most."""
        for connection in wait([worker.connection for worker in self._workers], seconds):
            worker = next(w for w in self._workers if w.connection is connection)
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                self._workers.remove(worker)
                self._lost(worker)
                continue
            if not worker.is_ready:
                if isinstance(answer, Trouble):
                    self._ledger.note(-1, answer)
                worker.is_ready = True
            else:
                number, worker.block = worker.block, None
                assert number is not None
                self._ledger.note(number, answer)

    def _lost(self, worker: _Worker) -> None:
        how = worker.end()
        if not worker.is_ready:
            raise IontideError(f"a worker process {how} before it could work; what it said is in {self._log_file}")
        if worker.block is not None:
            self._ledger.note_killed(worker.block, how)


def run_locally(
    folder: str | Path,
    blocks: Iterable[int] | None = None,
    stop: Callable[[], bool] = never,
    report: Report = unheard,
    *,
    workers: int | None = None,
    tell: Tell = untold,
) -> Outcome:
    """Compute the blocks of a sweep that are not there on this machine.

    Parameters
    ----------
    folder : path
        Of the sweep.
    blocks : iterable of int, optional
        Only these; all that are missing without it.
    stop : callable
        Asked several times a second, with one worker before every block. When it says True, workers finish the blocks
        in their hands if that takes no longer than ``GRACE``.
    report : callable
        As of ``work``.
    workers : int, optional
        Processes; as many as there are processors without it. One works in this very process.
    tell : callable
        Called with a sentence when a worker is lost.

    Raises
    ------
    FileError
        Where the folder cannot be read or a shard not be written, as on a full disk.
    IontideError
        Where no worker can be started.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be 1 or more, got {workers}")
    place = Workplace(folder)
    missing = (
        [number for number in blocks if not place.store.has(number)] if blocks is not None else place.store.missing()
    )
    ledger = _Ledger(place, missing, report, tell)
    count = min(workers or available_cores(), len(missing))
    if count > 1:
        return _Crew(Path(folder).resolve(), count, ledger).run(stop)
    while not ledger.is_empty:
        if stop():
            return ledger.outcome(stopped=True)
        due = ledger.next()
        if due is None:
            time.sleep(LOOK)
        else:
            ledger.note(due[0], attempt(place, *due))
    return ledger.outcome(stopped=False)
