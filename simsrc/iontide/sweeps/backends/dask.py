"""Sweeps on Dask: on a running scheduler, or a cluster object (one made of jobs of Slurm: ``dask_in_slurm``).

Tasks carry the folder and the number of a block, and answer with a few counts; the points go as files. Only so many
tasks are in the scheduler's hands at once as keep the workers busy, so that its memory does not grow with the sweep.
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
from .work import BlockReport, Outcome, Report, Workplace, never, unheard

if TYPE_CHECKING:
    from distributed import Client, Future

#: Tasks in the scheduler's hands for every thread of the workers, and the fewest and most of them.
TASKS_A_THREAD, FEWEST_TASKS, MOST_TASKS = 3, 4, 5000

#: Seconds between looks at the workers and at whether to stop.
LOOK = 0.5

#: Seconds without any worker after which a sweep on a running scheduler ends.
PATIENCE = 300.0

#: Seconds for a few counts to come from a worker that has them ready.
HEARING = 2.0

#: Seconds that a scheduler may take to answer.
ANSWER = 20.0


class NotYet(IontideError):
    """A cluster does not do what it should; what is finished stays, and the sweep can be resumed."""


_at_hand = threading.local()


def _workplace(folder: str) -> Workplace:
    """The workplace of this thread, opened once for each sweep: a folder may be made anew under the same name."""
    try:
        status = os.stat(os.path.join(folder, "plan.json"))
    except OSError as error:
        raise FileError(f"{folder} cannot be read as the folder of a sweep: {error.strerror}") from None
    key = (folder, status.st_ino, status.st_mtime_ns, status.st_size)
    if getattr(_at_hand, "key", None) != key:
        _at_hand.workplace, _at_hand.key = Workplace(folder), key
    place: Workplace = _at_hand.workplace
    return place


def compute_block(folder: str, number: int) -> BlockReport:
    """The task: compute a block and write it, on a worker; of one that is there, tell what it holds.

    The scheduler gives a block to one worker at a time; one that is claimed was in the hands of a worker that has
    been killed, or is in those of another command, which does no harm.
    """
    workplace = _workplace(folder)
    report = workplace.take(number, insist=True)
    if isinstance(report, BlockReport):
        return report
    found = workplace.found(number)
    return found if found is not None else compute_block(folder, number)


def import_distributed() -> Any:
    """The package, or a sentence on how to get it."""
    try:
        import distributed
    except ImportError:
        raise UsageError('sweeps on Dask need the package distributed: pip install "iontide[dask]"') from None
    return distributed


@contextlib.contextmanager
def connected(cluster: Any) -> Iterator[Client]:
    """A client of a cluster: given as address (``tcp://host:8786``), as scheduler file, as object of Dask."""
    distributed = import_distributed()
    if isinstance(cluster, distributed.Client):
        yield cluster
        return
    try:
        if isinstance(cluster, str | os.PathLike) and os.fspath(cluster).endswith(".json"):
            client = distributed.Client(scheduler_file=os.fspath(cluster), timeout=ANSWER, set_as_default=False)
        else:
            client = distributed.Client(cluster, timeout=ANSWER, set_as_default=False)
    except (OSError, TimeoutError, ValueError, ImportError) as error:
        raise NotYet(f"no Dask scheduler answers at {cluster}: {_first_line(error)}") from None
    try:
        yield client
    finally:
        with contextlib.suppress(OSError, TimeoutError):
            client.close(timeout=ANSWER)


class _Flight:
    """What is under way: futures by block, and what has come back."""

    def __init__(self, client: Client, folder: str) -> None:
        self.client, self.folder = client, folder
        self.under_way: dict[int, Future] = {}
        self.answered = False
        self._back: queue.SimpleQueue[tuple[int, Future]] = queue.SimpleQueue()
        # One name for all tasks, which the scheduler keeps statistics of, and new numbers when a block is sent again.
        self._name, self._sent = f"iontide-sweep-{secrets.token_hex(8)}", 0

    def send(self, number: int) -> None:
        """Hand a block to the scheduler."""
        self._sent += 1
        future = self.client.submit(compute_block, self.folder, number, pure=False, key=(self._name, self._sent))
        self.under_way[number] = future
        future.add_done_callback(lambda done: self._back.put((number, done)))

    def next(self) -> tuple[int, Future] | None:
        """One that has come back, if any does within a moment."""
        try:
            number, future = self._back.get(timeout=LOOK)
        except queue.Empty:
            return None
        del self.under_way[number]
        return number, future

    def call_back(self) -> None:
        """Take what is not begun off the scheduler; blocks that are begun are finished, and do no harm."""
        if self.under_way:
            with contextlib.suppress(Exception):
                self.client.cancel(list(self.under_way.values()), force=True)
            self.under_way.clear()

    def is_cut_off(self, future: Future) -> bool:
        """Whether a future that is neither finished nor failed is so because there is no scheduler any more."""
        return future.status == "cancelled" or self.client.status != "running"

    def threads(self) -> int:
        """Threads of all workers together; 0 while the scheduler does not answer."""
        try:
            return sum(self.client.nthreads().values())
        except (OSError, TimeoutError, ValueError):
            return 0


def run_on_dask(
    folder: str | Path,
    cluster: Any,
    blocks: Iterable[int] | None = None,
    stop: Callable[[], bool] = never,
    report: Report = unheard,
    *,
    patience: float = PATIENCE,
    to_come: Callable[[], bool] = never,
) -> Outcome:
    """Compute the blocks of a sweep that are not there on the workers of a Dask cluster.

    A block whose worker is killed is computed by another. One whose workers are killed again and again (as often as
    the scheduler's ``allowed-failures``) is set aside with those that happened to lie beside it; they are tried once
    more at the end, each alone, and what kills its workers alone is given up. A worker must see the folder under the
    same path.

    Parameters
    ----------
    folder : path
    cluster : str, path or object
        Address of a scheduler, as ``tcp://host:8786``; a scheduler file; a cluster or client object of Dask.
    blocks : iterable of int, optional
        Only these; all that are missing without it.
    stop, report : callable
        As of ``work``. After a stop, blocks that workers have begun are finished by them.
    patience : float
        Seconds to wait while there is no worker at all.
    to_come : callable
        Asked then whether to wait as long again, as for workers whose jobs are in a queue.

    Raises
    ------
    FileError
        Where a worker cannot read the folder or write a shard.
    IontideError
        Where the scheduler does not answer, goes away, or has no workers.
    """
    path = str(Path(folder).resolve())
    workplace = Workplace(path)
    waiting = deque(workplace.store.missing() if blocks is None else blocks)
    outcome = Outcome()
    if not waiting:
        return outcome
    with connected(cluster) as client:
        flight = _Flight(client, path)
        crew = _Crew(flight, patience, to_come)
        try:
            outcome, suspects = _fly(flight, crew, workplace, waiting, outcome, stop, report, alone=False)
            if suspects and not outcome.stopped:
                outcome, _ = _fly(flight, crew, workplace, deque(suspects), outcome, stop, report, alone=True)
        finally:
            flight.call_back()
    return outcome


class _Crew:
    """How many threads the workers have, looked at now and then; and whether there have been none for too long."""

    def __init__(self, flight: _Flight, patience: float, to_come: Callable[[], bool]) -> None:
        self._flight, self._patience, self._to_come = flight, patience, to_come
        self._threads, self._looked, self._seen = 0, -LOOK, time.monotonic()

    def room(self) -> int:
        """Tasks that the scheduler may have at once."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            self._threads, self._looked = self._flight.threads(), now
            if self._threads:
                self._seen = now
            elif now - self._seen > self._patience:
                if not self._to_come():
                    raise NotYet(
                        f"the Dask cluster has had no worker for {self._patience:.0f} s; "
                        f"what is finished is in {self._flight.folder}"
                    )
                self._seen = now
        return min(MOST_TASKS, max(FEWEST_TASKS, TASKS_A_THREAD * self._threads))


def _fly(
    flight: _Flight,
    crew: _Crew,
    workplace: Workplace,
    waiting: deque[int],
    outcome: Outcome,
    stop: Callable[[], bool],
    report: Report,
    alone: bool,
) -> tuple[Outcome, list[int]]:
    """Keep the workers busy until all blocks are back; returns also those whose workers were killed."""
    killed_worker = import_distributed().KilledWorker
    suspects: list[int] = []
    while waiting or flight.under_way:
        if stop():
            return replace(outcome, stopped=True), suspects
        room = crew.room()
        while waiting and len(flight.under_way) < (1 if alone else room):
            flight.send(waiting.popleft())
        came = flight.next()
        if came is None:
            continue
        number, future = came
        if future.status == "finished":
            flight.answered = True
            result = _result(future) or workplace.found(number)
            if result is None:
                waiting.append(number)
            else:
                outcome = outcome.with_block(result)
                report(result)
            continue
        if future.status != "error":
            if flight.is_cut_off(future):
                raise NotYet(f"the Dask scheduler has gone away; what is finished is in {flight.folder}")
            # It was finished, and its worker was killed before we looked.
            waiting.append(number)
            continue
        error = future.exception()
        if isinstance(error, killed_worker) and not alone:
            suspects.append(number)
        else:
            outcome = _give_up(outcome, number, error, flight, report, isinstance(error, killed_worker))
    return outcome, suspects


def _result(future: Future) -> BlockReport | None:
    """What a task says; None where its worker was killed before it was heard, and the shard must speak for it."""
    try:
        report: BlockReport = future.result(timeout=HEARING)
    except Exception:  # that of a timeout, a cancellation or a killed worker, which differ between versions of Dask
        return None
    return report


def _give_up(
    outcome: Outcome, number: int, error: BaseException | None, flight: _Flight, report: Report, killed: bool
) -> Outcome:
    """A block that cannot be computed is told of; what would befall every block ends the sweep."""
    if killed:
        sentence = f"block {number} was given up: each worker that computed it was killed (memory? see their logs)"
    elif isinstance(error, FileError):
        raise error
    elif isinstance(error, IontideError | ImportError) or not flight.answered:
        raise NotYet(f"a Dask worker cannot compute: {_first_line(error)}; is iontide installed there as it is here?")
    else:
        sentence = f"block {number} was given up: {_first_line(error)}"
    report(BlockReport(number, 0, 0, 0.0, (sentence,)))
    return replace(outcome, given_up={**outcome.given_up, number: sentence})


def _first_line(error: BaseException | None) -> str:
    """Kind and first line of an error."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
