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
from .output import SweepDisplay, counts_told, failure_lines, plan_lines, progress_line, say, speed

if TYPE_CHECKING:
    from ...sweeps.backends.work import Outcome
    from ...sweeps.plan.plan import Plan
    from ...sweeps.store.status_index import Index
    from ...sweeps.store.store import Store

#: Points up to which those that a constraint excludes are counted before anything runs.
MOST_COUNTED = 10_000_000

#: Seconds after which what status.json says of the pace is old.
OLD = 120.0

#: Blocks that were given up of which the reason is told.
MOST_GIVEN_UP = 3


# -- plan -------------------------------------------------------------------------------------------------------------


def plan(arguments: Namespace) -> int:
    """``iontide sweep plan``: say what is to come, and make the folder unless it is a dry run."""
    made, folder = load(arguments)
    if not arguments.dry_run:
        from ...sweeps.store.store import Store

        Store.create(folder, made)
    told = described(made, folder, arguments.workers, arguments.quiet)
    if arguments.json:
        print(json.dumps(told))
    elif not arguments.dry_run:
        print(folder)
    if not arguments.quiet and not arguments.json:
        say("\n".join(plan_lines(told)))
    return 0


def load(arguments: Namespace) -> tuple[Plan, Path]:
    """The plan of a file, and the folder that its sweep goes to."""
    from ...sweeps.plan.plan import load_plan

    made = load_plan(arguments.source, dict(arguments.set))
    folder = Path(arguments.output) if arguments.output else Path("outputs") / f"{Path(arguments.source).stem}.sweep"
    return made, folder


def described(made: Plan, folder: Path, workers: int | None, quiet: bool = True) -> dict[str, Any]:
    """All that can be said of a plan before it runs, with what points that are tried say of time and room."""
    from ...sweeps.backends.local import available_cores
    from ...sweeps.forecast import forecast

    excluded = None
    if made.size <= MOST_COUNTED:
        excluded = sum(int(made.excluded(*made.span(block)).sum()) for block in range(made.blocks))
    tell_of_compiling(made, quiet)
    expected = forecast(made)
    return {
        **made.summary(),
        "folder": str(folder),
        "excluded": excluded,
        "workers": min(workers or available_cores(), made.blocks),
        "seconds": expected.seconds,
        "bytes": expected.bytes,
        "tried": expected.tried,
        "failed": expected.failed,
    }


def tell_of_compiling(made: Plan, quiet: bool) -> None:
    from ...kernel.build import object_files
    from ...sweeps.backends.local import integrator_of

    if not quiet and object_files.must_compile(integrator_of(made)):
        say("compiling the integrator for sweeps on this machine (once, some twenty seconds) …")


# -- run and resume ---------------------------------------------------------------------------------------------------


def run(arguments: Namespace) -> int:
    """``iontide sweep run``."""
    if arguments.dry_run:
        return plan(arguments)
    made, folder = load(arguments)
    from ...sweeps.store.store import Store

    return _compute(Store.create(folder, made), arguments)


def resume(arguments: Namespace) -> int:
    """``iontide sweep resume``."""
    from ...sweeps.store.store import Store

    store = Store.open(arguments.source)
    if arguments.failed:
        take_failed_away(store, arguments.quiet)
    return _compute(store, arguments)


def take_failed_away(store: Store, quiet: bool) -> None:
    from ...sweeps.api import remove_failed

    removed = remove_failed(store)
    if not quiet:
        say(f"blocks with points that failed, to be computed again: {removed}")


def _compute(store: Store, arguments: Namespace) -> int:
    """Compute what is missing, and tell what came of it."""
    from ...sweeps.api import compute
    from ...sweeps.backends.work import StopRequest
    from ...sweeps.store.progress import Watch
    from ...sweeps.store.status_index import index_of

    before = len(store.missing())
    if before and not (arguments.scheduler or arguments.dask_jobs):
        tell_of_compiling(store.plan, arguments.quiet)
    began = time.perf_counter()
    with SweepDisplay(store.folder.name, arguments.quiet) as display, StopRequest() as request, _going_on(store.folder):
        outcome = compute(
            store,
            Watch(store, display),
            _told_once(request, arguments.quiet),
            workers=arguments.workers,
            backend=_backend(arguments),
            tell=_few_of(arguments.quiet),
        )
    seconds = time.perf_counter() - began
    index = index_of(store)
    if arguments.json:
        print(json.dumps(_as_json(store, index) | {"computed": outcome.points, "seconds": seconds}))
    else:
        print(store.folder)
    if not arguments.quiet:
        _tell(store, index, outcome, seconds, before)
    return request.exit_code if outcome.stopped else index.exit_code


def _backend(arguments: Namespace) -> Callable[..., Outcome] | None:
    """What computes instead of this machine."""
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
def _going_on(folder: Path) -> Iterator[None]:
    """Say how to go on with a sweep where an error or a second Ctrl-C ends the command."""
    hint = f"what is finished is in {folder}; go on with it by: iontide sweep resume {shlex.quote(str(folder))}"
    try:
        yield
    except IontideError as error:
        error.args = (f"{error}\n{hint}",)
        raise
    except KeyboardInterrupt:
        from ..signals import Stopped

        say(hint)
        raise Stopped(signal.SIGINT) from None


def _told_once(request: Any, quiet: bool) -> Callable[[], bool]:
    """Whether to stop; said when it is first seen."""
    told = False

    def stop() -> bool:
        nonlocal told
        if request() and not told and not quiet:
            say("stopping: blocks in hand are finished if that is quick (a second Ctrl-C drops them) …")
        told = bool(request())
        return told

    return stop


def _few_of(quiet: bool) -> Callable[[str], None]:
    """Says the first sentences that come, each once: where one block fails, many may."""
    said: set[str] = set()

    def tell(sentence: str) -> None:
        if not quiet and len(said) < MOST_GIVEN_UP and sentence not in said:
            say(sentence)
            said.add(sentence)

    return tell


def _tell(store: Store, index: Index, outcome: Outcome, seconds: float, before: int) -> None:
    """The closing lines."""
    now = "" if outcome.points == index.size else f"{outcome.points:,} points computed now "
    took = f"; {now}in {waiting_time_text(seconds)} ({speed(outcome.points / seconds)})" if outcome.points else ""
    say(f"{store.folder}: {index.size:,} points: {counts_told(index)}{took if before else '; nothing was missing'}")
    for line in failure_lines(store.plan, index):
        say(line)
    if index.missing:
        many = f"{len(index.missing):,} of {index.blocks:,} blocks are missing"
        say(f"{many}; go on with: iontide sweep resume {shlex.quote(str(store.folder))}")


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
    progress = progress_of(index, _pace_of(store.folder))
    with contextlib.suppress(FileError):
        write_status(store.folder, progress)
    queue = _queue_of(store.folder)
    if arguments.json:
        print(json.dumps(_as_json(store, index) | {"progress": asdict(progress), "queue": queue}))
        return index.exit_code
    print(f"{store.folder}: {_title(store)}")
    print(f"{index.size:,} points: {counts_told(index)}")
    if index.missing:
        print(f"{len(index.missing):,} of {index.blocks:,} blocks are missing: {progress_line(progress)}")
    for state, count in queue.items():
        print(f"Slurm: {count} elements {state}")
    for line in failure_lines(store.plan, index):
        print(line)
    return index.exit_code


def _pace_of(folder: Path) -> float | None:
    """Points a second as a command that is at work has told a moment ago."""
    from datetime import UTC, datetime

    from ...sweeps.store.status_index import read_status

    with contextlib.suppress(FileError, ValueError, TypeError):
        told = read_status(folder)
        if (datetime.now(UTC) - datetime.fromisoformat(told.updated)).total_seconds() < OLD:
            return told.rate
    return None


def _queue_of(folder: Path) -> dict[str, int]:
    """Elements of job arrays by what they do; empty where there are none, or Slurm cannot be asked."""
    from ...sweeps.backends.slurm import parts_in_queue

    found: dict[str, int] = {}
    with contextlib.suppress(IontideError):
        for state in parts_in_queue(folder).values():
            told = {"PD": "wait", "R": "run", "CG": "are about to end"}.get(state, f"are in state {state}")
            found[told] = found.get(told, 0) + 1
    return found


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
