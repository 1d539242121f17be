"""``iontide.sweep``: compute a plan into a folder and open it, in one call."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .backends.local import run_locally
from .backends.work import BlockReport, Outcome, Report, never
from .dataset import Sweep, open_sweep
from .plan.plan import Plan, load_plan
from .store.progress import Watch
from .store.status_index import Progress, index_of
from .store.store import Store

Backend = Callable[[Path, Callable[[], bool], Report], Outcome]

#: Ignored shards of which a warning gives the reason.
_MOST_FAULTS = 3


def sweep(
    plan: Plan | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    set: Mapping[str, Any] | None = None,
    workers: int | None = None,
    scheduler: Any = None,
    again: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Sweep:
    """Compute all missing points of a sweep, and open it.

    Points that fail have the status ``failed`` and a message in ``Sweep.messages``; the others are computed all the
    same. After an interruption, another call with the same plan and folder computes what is missing.

    Parameters
    ----------
    plan : Plan or path
        A scenario file with ``[sweep]``, a plan file that names a scenario, or the result of ``load_plan``.
    folder : path
        A new folder, or the folder of a sweep of this plan.
    set : mapping of str to value, optional
        Values by dotted path that replace those of the scenario or the sweep (``{"sweep.points": 1000}``).
    workers : int, optional
        Processes on this machine, by default one for each processor; with 1 the points are computed in this process.
    scheduler : str, path or object, optional
        A Dask cluster to compute on: address, scheduler file, cluster or client.
    again : bool
        Also recompute the blocks with failed points.
    progress : callable, optional
        Called about once a second with a ``Progress``.

    Returns
    -------
    Sweep
        The points as arrays, or as a Dataset of xarray.

    Raises
    ------
    FileError
        The folder belongs to another plan, or cannot be written.
    ScenarioError
        With all faults of the plan or the scenario.
    UsageError
        A path in ``set`` does not exist, or ``set`` is given together with a ``Plan``.

    Examples
    --------
    >>> vary = {"parameters.P_Na": ["1e-9 m/s", "2e-9 m/s"], "parameters.pump_rate": ["1e-6 mol/m^2/s"]}
    >>> scenario = "scenarios/cells_and_tissues/pump_leak_sweep.toml"
    >>> points = iontide.sweep(scenario, "two.sweep", set={"sweep.vary": vary}, workers=1)
    >>> points.counts
    {'done': 2}
    """
    if isinstance(plan, Plan):
        if set:
            raise UsageError("set applies only to the name of a file; the plan given is a Plan already")
    else:
        plan = load_plan(plan, set)
    store = Store.create(Path(folder), plan)
    if again:
        remove_failed(store)
    watch = Watch(store, progress or _ignore_progress)
    outcome = compute(store, watch, never, workers=workers, backend=_on_dask(scheduler), warn=_warn)
    index = index_of(store)
    if index.missing:
        faults = [] if outcome.given_up else list(index.faults.values())[:_MOST_FAULTS]
        _warn("\n".join([f"{store.folder}: {len(index.missing)} of {index.blocks} blocks are missing", *faults]))
    return open_sweep(folder)


def compute(
    store: Store,
    watch: Watch,
    stop: Callable[[], bool],
    *,
    workers: int | None = None,
    backend: Backend | None = None,
    warn: Callable[[str], None],
) -> Outcome:
    """Compute the missing blocks of a sweep, on this machine or another backend, and watch its progress.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of that store; it scans the folder once more at the end.
    stop : callable
        Returns whether to stop before all blocks are done.
    workers : int, optional
        Processes on this machine.
    backend : callable, optional
        Computes the missing blocks of a folder in place of this machine; called with the folder, ``stop`` and
        ``report``.
    warn : callable
        Called with a message where a block could not be computed or a worker was lost.
    """

    def stop_and_watch() -> bool:  # called several times a second
        watch()
        return stop()

    def report(block: BlockReport) -> None:
        watch()
        if not block.points:
            warn("\n".join(block.messages))

    watch.scan()
    if backend is not None:
        outcome = backend(store.folder, stop_and_watch, report)
    else:
        outcome = run_locally(store.folder, None, stop_and_watch, report, workers=workers, warn=warn)
    watch.scan()
    return outcome


def _on_dask(scheduler: Any) -> Backend | None:
    if scheduler is None:
        return None
    from .backends.dask import run_on_dask

    return lambda folder, stop, report: run_on_dask(folder, scheduler, None, stop, report)


def remove_failed(store: Store) -> int:
    """Remove the blocks that hold failed points, so that they are computed again; returns their number."""
    failed = store.failed()
    for number in failed:
        store.remove(number)
    return len(failed)


def _ignore_progress(progress: Progress) -> None:
    """The default for ``progress``."""


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)
