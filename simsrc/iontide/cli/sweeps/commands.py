"""``iontide sweep``: plan, run, resume, status, merge."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import FileError, IontideError
from ...formulas.display import size_text, waiting_time_text
from .output import SweepDisplay, counts_text, failure_lines, plan_lines, progress_line, say, speed

if TYPE_CHECKING:
    from ...sweeps.backends.work import Outcome
    from ...sweeps.plan.plan import Plan
    from ...sweeps.store.status_index import Index
    from ...sweeps.store.store import Store

#: Largest number of points at which the excluded points are counted before the run.
MOST_COUNTED = 10_000_000

#: Age at which the rate in status.json is no longer used, s.
OLD = 120.0

#: Most warnings that are printed.
MOST_WARNINGS = 3


# -- plan -------------------------------------------------------------------------------------------------------------


def plan(arguments: Namespace) -> int:
    """``iontide sweep plan``: print the plan and its estimated cost, and make the folder unless it is a dry run."""
    sweep_plan, folder = load(arguments)
    if not arguments.dry_run:
        from ...sweeps.store.store import Store

        Store.create(folder, sweep_plan)
    summary = describe_plan(sweep_plan, folder, arguments.workers, arguments.quiet)
    if arguments.json:
        print(json.dumps(summary))
    elif not arguments.dry_run:
        print(folder)
    if not arguments.quiet and not arguments.json:
        say("\n".join(plan_lines(summary)))
    return 0


def load(arguments: Namespace) -> tuple[Plan, Path]:
    """The plan of a file, and the folder of its sweep."""
    from ...sweeps.plan.plan import load_plan

    sweep_plan = load_plan(arguments.source, dict(arguments.set))
    folder = Path(arguments.output) if arguments.output else Path("outputs") / f"{Path(arguments.source).stem}.sweep"
    return sweep_plan, folder


def describe_plan(sweep_plan: Plan, folder: Path, workers: int | None, quiet: bool = True) -> dict[str, Any]:
    """A summary of a plan, with the estimated time and disk space from a trial."""
    from ...sweeps.backends.local import available_cores
    from ...sweeps.cost_estimate import estimate_cost

    excluded = None
    if sweep_plan.size <= MOST_COUNTED:
        excluded = sum(int(sweep_plan.excluded(*sweep_plan.span(block)).sum()) for block in range(sweep_plan.blocks))
    announce_compiling(sweep_plan, quiet)
    cost = estimate_cost(sweep_plan)
    return {
        **sweep_plan.summary(),
        "folder": str(folder),
        "excluded": excluded,
        "workers": min(workers or available_cores(), sweep_plan.blocks),
        "seconds": cost.seconds,
        "bytes": cost.bytes,
        "tried": cost.tried,
        "failed": cost.failed,
    }


def announce_compiling(sweep_plan: Plan, quiet: bool) -> None:
    from ...kernel.build import object_files
    from ...sweeps.backends.local import integrator_of

    if not quiet and object_files.must_compile(integrator_of(sweep_plan)):
        say("compiling the integrator for sweeps (once on this machine, up to a minute or so) …")


# -- run and resume ---------------------------------------------------------------------------------------------------


def run(arguments: Namespace) -> int:
    """``iontide sweep run``."""
    if arguments.dry_run:
        return plan(arguments)
    sweep_plan, folder = load(arguments)
    from ...sweeps.store.store import Store

    return _compute(Store.create(folder, sweep_plan), arguments)


def resume(arguments: Namespace) -> int:
    """``iontide sweep resume``."""
    from ...sweeps.store.store import Store

    store = Store.open(arguments.source)
    if arguments.failed:
        remove_failed_blocks(store, arguments.quiet)
    return _compute(store, arguments)


def remove_failed_blocks(store: Store, quiet: bool) -> None:
    from ...sweeps.api import remove_failed

    removed = remove_failed(store)
    if not quiet:
        say(f"blocks with failed points, to be computed again: {removed}")


def _compute(store: Store, arguments: Namespace) -> int:
    """Compute the missing blocks, and print the result."""
    from ...sweeps.api import compute
    from ...sweeps.backends.work import StopRequest
    from ...sweeps.store.progress import Watch
    from ...sweeps.store.status_index import index_of

    before = len(store.missing())
    if before and not (arguments.scheduler or arguments.dask_jobs):
        announce_compiling(store.plan, arguments.quiet)
    began = time.perf_counter()
    with (
        SweepDisplay(store.folder.name, arguments.quiet) as display,
        StopRequest() as request,
        _resume_hint(store.folder),
    ):
        outcome = compute(
            store,
            Watch(store, display),
            _announced_stop(request, arguments.quiet),
            workers=arguments.workers,
            backend=_backend(arguments),
            warn=_first_few(arguments.quiet),
        )
    seconds = time.perf_counter() - began
    index = index_of(store)
    if arguments.json:
        print(json.dumps(_as_json(store, index) | {"computed": outcome.points, "seconds": seconds}))
    else:
        print(store.folder)
    if not arguments.quiet:
        _print_result(store, index, outcome, seconds, before)
    return request.exit_code if outcome.stopped else index.exit_code


def _backend(arguments: Namespace) -> Callable[..., Outcome] | None:
    """The backend chosen by the arguments; None for this machine."""
    if arguments.scheduler:
        from ...sweeps.backends.dask import run_on_dask

        return lambda folder, stop, report: run_on_dask(folder, arguments.scheduler, None, stop, report)
    if arguments.dask_jobs is not None:
        from ...sweeps.backends.dask_jobqueue import run_in_slurm_jobs
        from ...sweeps.backends.slurm_options import SlurmOptions

        options = SlurmOptions.read(arguments.dask_jobs)
        return lambda folder, stop, report: run_in_slurm_jobs(folder, options, None, stop, report)
    return None


@contextlib.contextmanager
def _resume_hint(folder: Path) -> Iterator[None]:
    """Print how to resume the sweep if an error or a second Ctrl-C ends the command."""
    hint = f"finished blocks are in {folder}; to resume: iontide sweep resume {shlex.quote(str(folder))}"
    try:
        yield
    except IontideError as error:
        error.args = (f"{error}\n{hint}",)
        raise
    except KeyboardInterrupt:
        from ..signals import Stopped

        say(hint)
        raise Stopped(signal.SIGINT) from None


def _announced_stop(request: Any, quiet: bool) -> Callable[[], bool]:
    """Whether to stop; printed once."""
    announced = False

    def stop() -> bool:
        nonlocal announced
        if request() and not announced and not quiet:
            say("stopping: workers finish their blocks if that is quick (a second Ctrl-C drops them) …")
        announced = bool(request())
        return announced

    return stop


def _first_few(quiet: bool) -> Callable[[str], None]:
    """Prints the first different messages: where one block fails, many may."""
    printed: set[str] = set()

    def warn(message: str) -> None:
        if not quiet and len(printed) < MOST_WARNINGS and message not in printed:
            say(message)
            printed.add(message)

    return warn


def _print_result(store: Store, index: Index, outcome: Outcome, seconds: float, before: int) -> None:
    """Print the number of points by status, the failures, and how to resume."""
    now = "" if outcome.points == index.size else f"{outcome.points:,} points computed now "
    took = f"; {now}in {waiting_time_text(seconds)} ({speed(outcome.points / seconds)})" if outcome.points else ""
    say(f"{store.folder}: {index.size:,} points: {counts_text(index)}{took if before else '; no block was missing'}")
    for line in failure_lines(store.plan, index):
        say(line)
    if index.missing:
        many = f"{len(index.missing):,} of {index.blocks:,} blocks are missing"
        say(f"{many}; to resume: iontide sweep resume {shlex.quote(str(store.folder))}")


def _title(store: Store) -> str:
    scenario = store.plan.scenario
    return scenario.model.title or scenario.source


def _as_json(store: Store, index: Index) -> dict[str, Any]:
    return {
        "folder": str(store.folder),
        "plan": store.plan.digest,
        "points": index.size,
        "counts": dict(index.counts),
        "blocks": index.blocks,
        "missing_blocks": list(index.missing),
        "faults": {str(block): fault for block, fault in index.faults.items()},
        "failures": {str(point): sentence for point, sentence in index.failures.items()},
    }


# -- status and merge -------------------------------------------------------------------------------------------------


def status(arguments: Namespace) -> int:
    """``iontide sweep status``; exit code 5 as long as points are missing or failed."""
    from ...sweeps.store.status_index import index_of, progress_of, write_status
    from ...sweeps.store.store import Store

    store = Store.open(arguments.source)
    index = index_of(store)
    progress = progress_of(index, _recent_rate(store.folder))
    with contextlib.suppress(FileError):
        write_status(store.folder, progress)
    queue = _queue_of(store.folder)
    if arguments.json:
        print(json.dumps(_as_json(store, index) | {"progress": asdict(progress), "queue": queue}))
        return index.exit_code
    print(f"{store.folder}: {_title(store)}")
    print(f"{index.size:,} points: {counts_text(index)}")
    if index.missing:
        print(f"{len(index.missing):,} of {index.blocks:,} blocks are missing: {progress_line(progress)}")
    for state, count in queue.items():
        print(f"Slurm: {count} elements {state}")
    for line in failure_lines(store.plan, index):
        print(line)
    return index.exit_code


def _recent_rate(folder: Path) -> float | None:
    """The rate in ``status.json`` if a running command has written it recently, points per second."""
    from datetime import UTC, datetime

    from ...sweeps.store.status_index import read_status

    with contextlib.suppress(FileError, ValueError, TypeError):
        status = read_status(folder)
        if (datetime.now(UTC) - datetime.fromisoformat(status.updated)).total_seconds() < OLD:
            return status.rate
    return None


def _queue_of(folder: Path) -> dict[str, int]:
    """Number of array elements by state; empty if there are none, or Slurm does not answer."""
    from ...sweeps.backends.slurm import parts_in_queue

    counts: dict[str, int] = {}
    with contextlib.suppress(IontideError):
        for state in parts_in_queue(folder).values():
            text = {"PD": "waiting", "R": "running", "CG": "completing"}.get(state, f"in state {state}")
            counts[text] = counts.get(text, 0) + 1
    return counts


def merge(arguments: Namespace) -> int:
    """``iontide sweep merge``."""
    from ...sweeps.store.merging import merge as merge_shards

    folder = Path(arguments.source)
    target = Path(arguments.output) if arguments.output else folder.parent / f"{folder.resolve().name}.h5"
    began = time.perf_counter()
    merge_shards(folder, target, virtual=arguments.virtual, allow_missing=arguments.allow_missing)
    written = target.stat().st_size
    if arguments.json:
        print(json.dumps({"file": str(target), "bytes": written, "seconds": time.perf_counter() - began}))
    else:
        print(target)
    if not arguments.quiet:
        say(f"merged {folder} into {target} ({size_text(written)}, {waiting_time_text(time.perf_counter() - began)})")
    return 0
