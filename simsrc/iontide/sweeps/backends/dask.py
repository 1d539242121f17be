"""Sweeps on Dask: on a running scheduler or a cluster object (for one in Slurm jobs see ``dask_jobqueue``).

A task gets the folder and the number of a block and returns a few counts; the results are written to files. The number
of tasks submitted at once is limited to what keeps the workers busy, so that the memory of the scheduler does not grow
with the sweep.
"""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import FileError, IontideError, UsageError
from .work import BlockReport, BlockWorker, Outcome, Report, ignore_report, never

if TYPE_CHECKING:
    from distributed import Client, Future

#: Submitted tasks for each thread of the workers, and the least and most of them.
TASKS_A_THREAD, FEWEST_TASKS, MOST_TASKS = 3, 4, 5000

#: Time between two checks of the workers and whether to stop, s.
CHECK_INTERVAL = 0.5

#: Time without any worker after which a sweep on a running scheduler ends, s.
PATIENCE = 300.0

#: Timeout for the result of a finished task, s.
RESULT_TIMEOUT = 2.0

#: Timeout for the scheduler, s.
SCHEDULER_TIMEOUT = 20.0


class ClusterError(IontideError):
    """A cluster fails; finished blocks stay, and the sweep can be resumed."""


_per_thread = threading.local()


def _block_worker(folder: str) -> BlockWorker:
    """The worker of this thread, opened once for each sweep; a folder may be replaced by another of the same name."""
    try:
        status = os.stat(os.path.join(folder, "plan.json"))
    except OSError as error:
        raise FileError(f"{folder} cannot be read as the folder of a sweep: {error.strerror}") from None
    key = (folder, status.st_ino, status.st_mtime_ns, status.st_size)
    if getattr(_per_thread, "key", None) != key:
        _per_thread.block_worker, _per_thread.key = BlockWorker(folder), key
    block_worker: BlockWorker = _per_thread.block_worker
    return block_worker


def compute_block(folder: str, number: int) -> BlockReport:
    """The task: compute and write a block on a worker; for a block that is done, return its stored report.

    The scheduler gives a block to one worker at a time. A lock on it is that of a worker that was killed or of another
    command; computing it twice does no harm.
    """
    block_worker = _block_worker(folder)
    report = block_worker.compute(number, ignore_lock=True)
    if isinstance(report, BlockReport):
        return report
    stored = block_worker.stored_report(number)
    return stored if stored is not None else compute_block(folder, number)


def import_distributed() -> Any:
    """Import distributed, or raise an error that says how to install it."""
    try:
        import distributed
    except ImportError:
        raise UsageError('sweeps on Dask need the package distributed: pip install "iontide[dask]"') from None
    return distributed


@contextlib.contextmanager
def connected(cluster: Any) -> Iterator[Client]:
    """A client of a cluster given by address (``tcp://host:8786``), by scheduler file, or as an object of Dask."""
    distributed = import_distributed()
    if isinstance(cluster, distributed.Client):
        yield cluster
        return
    try:
        if isinstance(cluster, str | os.PathLike) and os.fspath(cluster).endswith(".json"):
            client = distributed.Client(
                scheduler_file=os.fspath(cluster), timeout=SCHEDULER_TIMEOUT, set_as_default=False
            )
        else:
            client = distributed.Client(cluster, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
    except (OSError, TimeoutError, ValueError, ImportError) as error:
        raise ClusterError(f"no Dask scheduler answers at {cluster}: {_first_line(error)}") from None
    try:
        yield client
    finally:
        with contextlib.suppress(OSError, TimeoutError):
            client.close(timeout=SCHEDULER_TIMEOUT)


class _Tasks:
    """The submitted tasks: futures by block, and a queue of those that have ended."""

    def __init__(self, client: Client, folder: str) -> None:
        self.client, self.folder = client, folder
        self.running: dict[int, Future] = {}
        self.answered = False
        self._ended: queue.SimpleQueue[tuple[int, Future]] = queue.SimpleQueue()
        # One name for all tasks, for the statistics of the scheduler, and a new number when a block is submitted again.
        self._name, self._sent = f"iontide-sweep-{secrets.token_hex(8)}", 0

    def submit(self, number: int) -> None:
        """Submit a block."""
        self._sent += 1
        future = self.client.submit(compute_block, self.folder, number, pure=False, key=(self._name, self._sent))
        self.running[number] = future
        future.add_done_callback(lambda done: self._ended.put((number, done)))

    def next(self) -> tuple[int, Future] | None:
        """A task that has ended, if one does within ``CHECK_INTERVAL``."""
        try:
            number, future = self._ended.get(timeout=CHECK_INTERVAL)
        except queue.Empty:
            return None
        del self.running[number]
        return number, future

    def cancel(self) -> None:
        """Cancel the tasks that have not begun; blocks that have are finished by their workers."""
        if self.running:
            with contextlib.suppress(Exception):
                self.client.cancel(list(self.running.values()), force=True)
            self.running.clear()

    def lost_scheduler(self, future: Future) -> bool:
        """Whether a future that neither finished nor failed lost its scheduler."""
        return future.status == "cancelled" or self.client.status != "running"

    def threads(self) -> int:
        """Number of threads of all workers; 0 while the scheduler does not answer."""
        try:
            return sum(self.client.nthreads().values())
        except (OSError, TimeoutError, ValueError):
            return 0


def run_on_dask(
    folder: str | Path,
    cluster: Any,
    blocks: Iterable[int] | None = None,
    stop: Callable[[], bool] = never,
    report: Report = ignore_report,
    *,
    patience: float = PATIENCE,
    workers_expected: Callable[[], bool] = never,
) -> Outcome:
    """Compute the missing blocks of a sweep on the workers of a Dask cluster.

    A block whose worker is killed is computed by another worker. A block whose workers are killed repeatedly (as often
    as ``allowed-failures`` of the scheduler) is set aside, with others that were on the same workers; these are tried
    again at the end one at a time, and one whose workers are killed again is given up. The folder must have the same
    path on all workers.

    Parameters
    ----------
    folder : path
    cluster : str, path or object
        Address of a scheduler, as ``tcp://host:8786``; a scheduler file; a cluster or client object of Dask.
    blocks : iterable of int, optional
        Blocks to compute; by default all that are missing.
    stop, report : callable
        As in ``work``. After a stop, workers finish the blocks that they have begun.
    patience : float
        Time to wait while there are no workers, s.
    workers_expected : callable
        Called after that time; returns whether to wait again, for example for jobs in a queue.

    Raises
    ------
    FileError
        If a worker cannot read the folder or write a shard.
    IontideError
        If the scheduler does not answer, ends, or has no workers.
    """
    path = str(Path(folder).resolve())
    block_worker = BlockWorker(path)
    waiting = deque(block_worker.store.missing() if blocks is None else blocks)
    outcome = Outcome()
    if not waiting:
        return outcome
    with connected(cluster) as client:
        tasks = _Tasks(client, path)
        capacity = _Capacity(tasks, patience, workers_expected)
        try:
            outcome, suspects = _compute(tasks, capacity, block_worker, waiting, outcome, stop, report, alone=False)
            if suspects and not outcome.stopped:
                outcome, _ = _compute(tasks, capacity, block_worker, deque(suspects), outcome, stop, report, alone=True)
        finally:
            tasks.cancel()
    return outcome


class _Capacity:
    """How many tasks the workers have room for, checked from time to time; an error if there are none for too long."""

    def __init__(self, tasks: _Tasks, patience: float, workers_expected: Callable[[], bool]) -> None:
        self._tasks, self._patience, self._workers_expected = tasks, patience, workers_expected
        self._threads, self._looked, self._seen = 0, -CHECK_INTERVAL, time.monotonic()

    def room(self) -> int:
        """Number of tasks that may be submitted at once."""
        now = time.monotonic()
        if now - self._looked >= CHECK_INTERVAL:
            self._threads, self._looked = self._tasks.threads(), now
            if self._threads:
                self._seen = now
            elif now - self._seen > self._patience:
                if not self._workers_expected():
                    raise ClusterError(
                        f"the Dask cluster has had no worker for {self._patience:.0f} s; "
                        f"finished blocks are in {self._tasks.folder}"
                    )
                self._seen = now
        return min(MOST_TASKS, max(FEWEST_TASKS, TASKS_A_THREAD * self._threads))


def _compute(
    tasks: _Tasks,
    capacity: _Capacity,
    block_worker: BlockWorker,
    waiting: deque[int],
    outcome: Outcome,
    stop: Callable[[], bool],
    report: Report,
    alone: bool,
) -> tuple[Outcome, list[int]]:
    """Compute blocks until all have ended; returns also the blocks whose workers were killed."""
    killed_worker = import_distributed().KilledWorker
    suspects: list[int] = []
    while waiting or tasks.running:
        if stop():
            return replace(outcome, stopped=True), suspects
        room = capacity.room()
        while waiting and len(tasks.running) < (1 if alone else room):
            tasks.submit(waiting.popleft())
        ended = tasks.next()
        if ended is None:
            continue
        number, future = ended
        if future.status == "finished":
            tasks.answered = True
            result = _result(future) or block_worker.stored_report(number)
            if result is None:
                waiting.append(number)
            else:
                outcome = outcome.with_block(result)
                report(result)
            continue
        if future.status != "error":
            if tasks.lost_scheduler(future):
                raise ClusterError(f"the Dask scheduler has ended; finished blocks are in {tasks.folder}")
            # The task had finished, and its worker was killed before its result was read.
            waiting.append(number)
            continue
        error = future.exception()
        if isinstance(error, killed_worker) and not alone:
            suspects.append(number)
        else:
            outcome = _give_up(outcome, number, error, tasks, report, isinstance(error, killed_worker))
    return outcome, suspects


def _result(future: Future) -> BlockReport | None:
    """The result of a task; None if its worker was killed before the result was read (the shard has it then)."""
    try:
        report: BlockReport = future.result(timeout=RESULT_TIMEOUT)
    except Exception:  # timeout, cancellation or killed worker: the types differ between versions of Dask
        return None
    return report


def _give_up(
    outcome: Outcome, number: int, error: BaseException | None, tasks: _Tasks, report: Report, killed: bool
) -> Outcome:
    """Report a block that cannot be computed; an error that would occur in every block ends the sweep."""
    if killed:
        message = f"block {number} was given up: each worker that computed it was killed (memory? see their logs)"
    elif isinstance(error, FileError):
        raise error
    elif isinstance(error, IontideError | ImportError) or not tasks.answered:
        raise ClusterError(
            f"a Dask worker cannot compute: {_first_line(error)}; is iontide installed there as it is here?"
        )
    else:
        message = f"block {number} was given up: {_first_line(error)}"
    report(BlockReport(number, 0, 0, 0.0, (message,)))
    return replace(outcome, given_up={**outcome.given_up, number: message})


def _first_line(error: BaseException | None) -> str:
    """Type and first line of an error."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
