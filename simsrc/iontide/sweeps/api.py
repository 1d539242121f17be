"""``iontide.sweep``: a plan computed into a folder, and opened to read, in one call."""

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

#: Shards that do not count of which a warning tells why.
_MOST_TOLD = 3


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
    """Compute all points of a sweep that are not there yet, and open it.

    Points that fail have the status ``failed`` and a sentence in ``Sweep.messages``; they stop nothing. Interrupted, or
    killed, it goes on where it was when it is called again with the same plan and folder.

    Parameters
    ----------
    plan : Plan or path
        A scenario file with ``[sweep]``, a plan file that names a scenario, or what ``load_plan`` made of one.
    folder : path
        Of the sweep: a new one, or the one of this very plan.
    set : mapping of str to value, optional
        Other values by dotted path, of the scenario and of the sweep (``{"sweep.points": 1000}``).
    workers : int, optional
        Processes on this machine; as many as there are processors without it, 1 for none but this one.
    scheduler : str, path or object, optional
        A Dask cluster to compute on instead: address, scheduler file, cluster or client.
    again : bool
        Compute the blocks with points that failed once more.
    progress : callable, optional
        Called about once a second with how far it is (``Progress``).

    Returns
    -------
    Sweep
        Arrays by path and name, or a Dataset of xarray.

    Raises
    ------
    FileError
        The folder is of another plan, or cannot be written, as on a full disk.
    ScenarioError
        With all faults of the plan or the scenario.
    UsageError
        A path in ``set`` leads nowhere, or it is given with a plan that is made already.

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
            raise UsageError("set goes with the name of a file; a plan that is made already is as it is")
    else:
        plan = load_plan(plan, set)
    store = Store.create(Path(folder), plan)
    if again:
        remove_failed(store)
    watch = Watch(store, progress or _unshown)
    outcome = compute(store, watch, never, workers=workers, backend=_on_dask(scheduler), tell=_warn)
    index = index_of(store)
    if index.missing:
        told = [] if outcome.given_up else list(index.faults.values())[:_MOST_TOLD]
        _warn("\n".join([f"{store.folder}: missing are {len(index.missing)} of {index.blocks} blocks", *told]))
    return open_sweep(folder)


def compute(
    store: Store,
    watch: Watch,
    stop: Callable[[], bool],
    *,
    workers: int | None = None,
    backend: Backend | None = None,
    tell: Callable[[str], None],
) -> Outcome:
    """Compute what is missing of a sweep, on this machine or on another backend, and look at it meanwhile.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of that store; it has looked once more at the end.
    stop : callable
        Says whether to stop, with blocks left.
    workers : int, optional
        Processes on this machine.
    backend : callable, optional
        Computes what is missing of a folder in place of this machine, from the folder, ``stop`` and ``report``.
    tell : callable
        Called with a sentence where something went wrong that can be mended.
    """

    def asked() -> bool:  # several times a second: the occasion for a look
        watch()
        return stop()

    def report(block: BlockReport) -> None:
        watch()
        if not block.points:
            tell("\n".join(block.messages))

    watch.look()
    if backend is not None:
        outcome = backend(store.folder, asked, report)
    else:
        outcome = run_locally(store.folder, None, asked, report, workers=workers, tell=tell)
    watch.look()
    return outcome


def _on_dask(scheduler: Any) -> Backend | None:
    if scheduler is None:
        return None
    from .backends.dask import run_on_dask

    return lambda folder, stop, report: run_on_dask(folder, scheduler, None, stop, report)


def remove_failed(store: Store) -> int:
    """Take away the blocks that hold points that failed, so that they are computed again; returns how many."""
    failed = store.failed()
    for number in failed:
        store.remove(number)
    return len(failed)


def _unshown(progress: Progress) -> None:
    """Nobody is looking."""


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=3)
