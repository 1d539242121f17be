"""``iontide sweep submit`` and ``work``: sweeps in the job arrays of Slurm, from outside and from inside."""

from __future__ import annotations

import json
import shlex
import time
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..progress import LOG_INTERVAL
from .commands import load, take_failed_away, tell_of_compiling
from .output import say

if TYPE_CHECKING:
    from ...sweeps.backends.slurm import Submission
    from ...sweeps.backends.work import BlockReport
    from ...sweeps.store.store import Store


def submit(arguments: Namespace) -> int:
    """``iontide sweep submit``: a job array for what is missing, and a job after it."""
    from ...sweeps.backends import slurm
    from ...sweeps.backends.slurm_options import SlurmOptions
    from ...sweeps.forecast import forecast
    from ...sweeps.store.store import Store

    options = SlurmOptions.read(arguments.slurm)
    if Path(arguments.source).is_dir():
        if arguments.set or arguments.output:
            raise UsageError("--set and -o go with a file; the folder of a sweep is as it is")
        store = Store.open(arguments.source)
    else:
        plan, folder = load(arguments)
        store = Store.create(folder, plan)
    if arguments.failed:
        take_failed_away(store, arguments.quiet)
    seconds = None
    if store.missing() and not slurm.submissions(store.folder):
        tell_of_compiling(store.plan, arguments.quiet)
        seconds = forecast(store.plan).seconds
    then = () if arguments.then == "nothing" else (arguments.then,)
    made = slurm.resubmit(store.folder, options, then=then, seconds=seconds, dry_run=arguments.dry_run)
    if arguments.json:
        print(json.dumps({"folder": str(store.folder), "submission": made and asdict(made)}))
    elif made and made.job:
        print(made.job)
    if not arguments.quiet:
        _tell_of_jobs(store, made, arguments)
    return 0


def _tell_of_jobs(store: Store, made: Submission | None, arguments: Namespace) -> None:
    folder = shlex.quote(str(store.folder))
    if made is None:
        say(f"{store.folder}: nothing is missing that is not in the queue already")
    elif not made.job:
        say(f"would submit {store.folder / made.script} as job array {made.array}, each one of {made.parts} parts")
    else:
        after = f", and job {made.after} to {arguments.then} after it" if made.after else ""
        say(f"submitted job array {made.job}: {made.array} of {made.parts} parts{after}")
        say(f"how far it is: iontide sweep status {folder}")
        say(f"once more, for what got lost: iontide sweep submit {folder}")


def work(arguments: Namespace) -> int:
    """``iontide sweep work``: what an element of a job array calls."""
    from ...sweeps.backends.slurm import work_on_part

    done = points = failed = 0
    last = time.monotonic()

    def report(block: BlockReport) -> None:
        nonlocal done, points, failed, last
        done, points, failed = done + 1, points + block.points, failed + block.failed
        if not block.points:
            say("\n".join(block.messages))
        if not arguments.quiet and time.monotonic() - last >= LOG_INTERVAL:
            last = time.monotonic()
            tell()

    def tell() -> None:
        say(f"part {arguments.part}: {done:,} blocks computed, {points:,} points, {failed:,} of them failed")

    code = work_on_part(arguments.source, arguments.part, report, say)
    if not arguments.quiet:
        tell()
    return code
