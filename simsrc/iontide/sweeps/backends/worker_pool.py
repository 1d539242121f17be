"""Worker processes over the blocks of a sweep, and who hands the blocks out.

A worker is a fresh interpreter: a fork would inherit locks that nobody holds any more, and the processes of
``multiprocessing`` would each run the caller's script again. A worker that is killed takes nothing along but the block
in its hands, which goes to another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

from ...errors import IontideError
from .work import STOP_SIGNALS, Outcome, Workplace
from .worker_log import Ledger, Trouble, attempt

#: Seconds between looks at whether to stop.
LOOK = 0.2

#: Seconds that workers have to finish the blocks in their hands when asked to stop; what is not finished is dropped.
GRACE = 5.0

#: Each worker is one thread; so should be the linear algebra in it.
_ONE_THREAD = {
    f"{library}_NUM_THREADS": "1"
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR", "NUMBA")
}


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


class Crew:
    """The workers of one sweep."""

    def __init__(self, folder: Path, count: int, ledger: Ledger) -> None:
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
