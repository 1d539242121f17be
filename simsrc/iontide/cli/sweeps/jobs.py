"""``iontide sweep submit`` and ``work``: submit a sweep as a Slurm job array, and compute one part of it."""

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
from .commands import announce_compiling, load, remove_failed_blocks
from .output import say

if TYPE_CHECKING:
    from ...sweeps.backends.slurm import Submission
    from ...sweeps.backends.work import BlockReport
    from ...sweeps.store.store import Store


def submit(arguments: Namespace) -> int:
    """``iontide sweep submit``: submit a job array for the missing blocks, and a job after it."""
    from ...sweeps.backends import slurm
    from ...sweeps.backends.slurm_options import SlurmOptions
    from ...sweeps.cost_estimate import estimate_cost
    from ...sweeps.store.store import Store

    options = SlurmOptions.read(arguments.slurm)
    if Path(arguments.source).is_dir():
        if arguments.set or arguments.output:
            raise UsageError(f"--set and -o apply only to a file; {arguments.source} is the folder of a sweep")
        store = Store.open(arguments.source)
    else:
        plan, folder = load(arguments)
        store = Store.create(folder, plan)
    if arguments.failed:
        remove_failed_blocks(store, arguments.quiet)
    seconds = None
    if store.missing() and not slurm.submissions(store.folder):
        announce_compiling(store.plan, arguments.quiet)
        seconds = estimate_cost(store.plan).seconds
    then = () if arguments.then == "nothing" else (arguments.then,)
    submission = slurm.resubmit(store.folder, options, then=then, seconds=seconds, dry_run=arguments.dry_run)
    if arguments.json:
        print(json.dumps({"folder": str(store.folder), "submission": submission and asdict(submission)}))
    elif submission and submission.job:
        print(submission.job)
    if not arguments.quiet:
        _print_jobs(store, submission, arguments)
    return 0


def _print_jobs(store: Store, submission: Submission | None, arguments: Namespace) -> None:
    folder = shlex.quote(str(store.folder))
    if submission is None:
        say(f"{store.folder}: all missing blocks are in the queue already")
    elif not submission.job:
        script, array, parts = store.folder / submission.script, submission.array, submission.parts
        say(f"would submit {script} as job array {array}, each one of {parts} parts")
    else:
        after = f", and job {submission.after} to {arguments.then} after it" if submission.after else ""
        say(f"submitted job array {submission.job}: {submission.array} of {submission.parts} parts{after}")
        say(f"progress: iontide sweep status {folder}")
        say(f"to submit blocks that were lost: iontide sweep submit {folder}")


def work(arguments: Namespace) -> int:
    """``iontide sweep work``: compute one part, as an element of a job array."""
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
            print_progress()

    def print_progress() -> None:
        say(f"part {arguments.part}: {done:,} blocks computed, {points:,} points, {failed:,} of them failed")

    code = work_on_part(arguments.source, arguments.part, report, say)
    if not arguments.quiet:
        print_progress()
    return code
