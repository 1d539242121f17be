"""A pool of worker processes for the blocks of a sweep.

A worker is a new interpreter: a fork would inherit locks that are never released, and the processes of
``multiprocessing`` would each run the caller's script again. If a worker is killed, only its current block is lost, and
another worker computes it.
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
from .work import STOP_SIGNALS, BlockWorker, Outcome
from .worker_log import BlockFailure, WorkerLog, try_block

#: Time between two checks whether to stop, s.
CHECK_INTERVAL = 0.2

#: Time that workers have to finish their blocks when asked to stop, s; unfinished blocks are dropped.
GRACE = 5.0

#: Each worker is one thread, so its linear algebra must use one thread.
_ONE_THREAD = {
    f"{library}_NUM_THREADS": "1"
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR", "NUMBA")
}


def serve(descriptor: int, folder: str) -> None:
    """The main function of a worker: compute the blocks whose numbers it receives, until the connection closes."""
    # Ctrl-C goes to all processes of a terminal; the parent process decides when its workers end.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError), Connection(descriptor) as connection:
        try:
            worker = BlockWorker(folder)
        except IontideError as error:
            connection.send(BlockFailure(str(error), error.exit_code))
            return
        connection.send(None)
        while True:
            connection.send(try_block(worker, *connection.recv()))


def _worker_command(descriptor: int, folder: Path) -> list[str]:
    """The command of a worker, with the module path of this process."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve({descriptor}, {str(folder)!r})"
    return [sys.executable, "-c", code]


class _Worker:
    """One worker process, as seen from the parent process."""

    def __init__(self, folder: Path, log: int) -> None:
        self.connection, theirs = Pipe()
        try:
            self.process = subprocess.Popen(
                _worker_command(theirs.fileno(), folder),
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

    def assign(self, number: int, ignore_lock: bool) -> None:
        self.block = number
        # A worker that was just killed is noticed when its answer is read.
        with contextlib.suppress(OSError):
            self.connection.send((number, ignore_lock))

    def end(self) -> str:
        """End the process if it runs, and return how it ended."""
        self.connection.close()
        try:
            code = self.process.wait(CHECK_INTERVAL)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if code >= 0:
            return f"ended with code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        memory = ", possibly by the system because memory ran out" if -code == signal.SIGKILL else ""
        return f"was killed ({name}{memory})"


class WorkerPool:
    """The worker processes of one sweep."""

    def __init__(self, folder: Path, count: int, worker_log: WorkerLog) -> None:
        self._folder, self._count, self._worker_log = folder, count, worker_log
        self._workers: list[_Worker] = []
        self._log_file = folder / "logs" / "workers.log"

    def run(self, stop: Callable[[], bool]) -> Outcome:
        """Run until all blocks are done or ``stop`` returns True."""
        log = self._open_log()
        stopped = False
        try:
            while not (stopped := stop()):
                self._assign_blocks(log)
                if not self._busy_workers() and self._worker_log.is_empty:
                    break
                self._receive(CHECK_INTERVAL)
            deadline = time.monotonic() + GRACE
            while self._busy_workers() and time.monotonic() < deadline:
                self._receive(CHECK_INTERVAL)
        finally:
            for worker in self._workers:
                if worker.block is not None:
                    worker.process.kill()
            for worker in self._workers:
                worker.end()
            os.close(log)
        return self._worker_log.outcome(stopped)

    def _open_log(self) -> int:
        """Open the file for the output of workers, such as error messages of a crash."""
        with contextlib.suppress(OSError):
            self._log_file.parent.mkdir(exist_ok=True)
            return os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    def _busy_workers(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.block is not None]

    def _assign_blocks(self, log: int) -> None:
        """Assign a block to each idle worker, and start workers as long as blocks are waiting."""
        for worker in self._workers:
            if worker.is_ready and worker.block is None and (due := self._worker_log.next()):
                worker.assign(*due)
        while len(self._workers) < self._count and not self._worker_log.is_empty:
            self._workers.append(_Worker(self._folder, log))

    def _receive(self, seconds: float) -> None:
        """Receive the results of workers, waiting for at most so long (s)."""
        for connection in wait([worker.connection for worker in self._workers], seconds):
            worker = next(w for w in self._workers if w.connection is connection)
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                self._workers.remove(worker)
                self._record_lost(worker)
                continue
            if not worker.is_ready:
                if isinstance(answer, BlockFailure):
                    self._worker_log.record(-1, answer)
                worker.is_ready = True
            else:
                number, worker.block = worker.block, None
                assert number is not None
                self._worker_log.record(number, answer)

    def _record_lost(self, worker: _Worker) -> None:
        how = worker.end()
        if not worker.is_ready:
            raise IontideError(f"a worker process {how} before it could compute; its output is in {self._log_file}")
        if worker.block is not None:
            self._worker_log.record_killed(worker.block, how)
