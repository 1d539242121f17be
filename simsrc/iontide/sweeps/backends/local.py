"""Sweeps on this machine: on as many of its processors as are to be had, by processes of their own or in this one."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from .work import Outcome, Report, Workplace, never, unheard
from .worker_log import LOOK, Ledger, Tell, attempt
from .worker_pool import Crew

if TYPE_CHECKING:
    from ..plan.plan import Plan


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
    """The kind of integrator (of ``kernel.native``) that the points of a plan go through."""
    from ...equations.states import lay_out
    from ...kernel.build.symbols import LANES, RUN
    from ..compute.engine import MOST_STATES

    model = plan.scenario.model
    return RUN if model.events or lay_out(model).size > MOST_STATES else LANES


def _compile_once(plan: Plan) -> None:
    """See to it that the integrator is kept compiled, so that not every worker compiles it."""
    from ...kernel.build import object_files

    if object_files.must_compile(integrator_of(plan)):
        object_files.load(integrator_of(plan))


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
        in their hands if that takes no longer than ``crew.GRACE``.
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
        Where no worker can be started, or no block be computed.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be 1 or more, got {workers}")
    place = Workplace(folder)
    missing = (
        [number for number in blocks if not place.store.has(number)] if blocks is not None else place.store.missing()
    )
    ledger = Ledger(place, missing, report, tell)
    count = min(workers or available_cores(), len(missing))
    if count > 1:
        _compile_once(place.store.plan)
        return Crew(Path(folder).resolve(), count, ledger).run(stop)
    while not ledger.is_empty:
        if stop():
            return ledger.outcome(stopped=True)
        due = ledger.next()
        if due is None:
            time.sleep(LOOK)
        else:
            ledger.note(due[0], attempt(place, *due))
    return ledger.outcome(stopped=False)
