"""Sweeps on this machine: in worker processes on the available processors, or in this process."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from .work import BlockWorker, Outcome, Report, ignore_report, never
from .worker_log import CHECK_INTERVAL, Warn, WorkerLog, try_block
from .worker_pool import WorkerPool

if TYPE_CHECKING:
    from ..plan.plan import Plan


def ignore_warning(message: str) -> None:
    """The default for ``warn``."""


def available_cores() -> int:
    """Number of processors that this process may use, by its affinity, its Slurm job and the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    in_job = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE", "")
    if in_job.isdigit():
        cores = min(cores, int(in_job))
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def integrator_of(plan: Plan) -> str:
    """Which integrator (of ``kernel.build.symbols``) the points of a plan need."""
    from ...equations.states import lay_out
    from ...kernel.build.symbols import LANES, RUN
    from ..compute.engine import MOST_STATES

    model = plan.scenario.model
    return RUN if model.events or lay_out(model).size > MOST_STATES else LANES


def _compile_once(plan: Plan) -> None:
    """Compile the integrator into the cache, so that not every worker compiles it."""
    from ...kernel.build import object_files

    if object_files.must_compile(integrator_of(plan)):
        object_files.load(integrator_of(plan))


def run_locally(
    folder: str | Path,
    blocks: Iterable[int] | None = None,
    stop: Callable[[], bool] = never,
    report: Report = ignore_report,
    *,
    workers: int | None = None,
    warn: Warn = ignore_warning,
) -> Outcome:
    """Compute the missing blocks of a sweep on this machine.

    Parameters
    ----------
    folder : path
        Folder of the sweep.
    blocks : iterable of int, optional
        Blocks to compute; by default all that are missing.
    stop : callable
        Called several times a second, with one worker before every block. When it returns True, workers finish their
        blocks if that takes no longer than ``worker_pool.GRACE``.
    report : callable
        As in ``work``.
    workers : int, optional
        Number of processes, by default one for each processor; with 1 the blocks are computed in this process.
    warn : callable
        Called with a message when a worker is lost.

    Raises
    ------
    FileError
        If the folder cannot be read or a shard cannot be written.
    IontideError
        If no worker can be started, or no block can be computed.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be 1 or more, got {workers}")
    worker = BlockWorker(folder)
    missing = (
        [number for number in blocks if not worker.store.has(number)] if blocks is not None else worker.store.missing()
    )
    worker_log = WorkerLog(worker, missing, report, warn)
    count = min(workers or available_cores(), len(missing))
    if count > 1:
        _compile_once(worker.store.plan)
        return WorkerPool(Path(folder).resolve(), count, worker_log).run(stop)
    while not worker_log.is_empty:
        if stop():
            return worker_log.outcome(stopped=True)
        due = worker_log.next()
        if due is None:
            time.sleep(CHECK_INTERVAL)
        else:
            worker_log.record(due[0], try_block(worker, *due))
    return worker_log.outcome(stopped=False)
