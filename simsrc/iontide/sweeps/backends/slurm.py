"""Sweeps as Slurm job arrays: many blocks for each element, sized by the limits of the site.

An element computes one part of all blocks, the same at every submission, and skips blocks that are done. So an element
that was killed, requeued or stopped before its time limit continues where it was, and submitting again is always safe.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...errors import FileError, IontideError, UsageError
from ...storage.replacing import replacing, write_all
from .local import Warn, ignore_warning, integrator_of, run_locally
from .slurm_options import SlurmOptions, minutes_of
from .work import BlockWorker, Report, StopRequest, ignore_report, part_of, read_part

if TYPE_CHECKING:
    from ..plan.plan import Plan

#: Timeout for a command of Slurm, s; a busy controller answers late.
TIMEOUT = 60.0

#: Elements of an array unless given: enough to fill a partition, few enough not to crowd the queue.
USUAL_ELEMENTS = 100

#: Least work of an element, s, and the fraction of a time limit that its work should fill.
LEAST_SECONDS, FILLED = 60.0, 0.5

#: How ``iontide`` is called in a job: by this interpreter, which is on a shared file system.
COMMAND = (sys.executable, "-m", "iontide")


@dataclass(frozen=True)
class Limits:
    """Limits of a site.

    Attributes
    ----------
    array_size : int
        ``MaxArraySize``: the largest index of an array plus one.
    job_count : int
        ``MaxJobCount``: most jobs of all users.
    partition : str
    minutes, usual_minutes : float or None
        ``MaxTime`` and ``DefaultTime`` of the partition, min; None for no limit.
    """

    array_size: int
    job_count: int
    partition: str = ""
    minutes: float | None = None
    usual_minutes: float | None = None

    def time_limit(self, options: SlurmOptions) -> float | None:
        """Time limit of a job with these options, min; None if unlimited."""
        asked = options.minutes
        if asked is not None and self.minutes is not None and asked > self.minutes:
            raise UsageError(
                f"Slurm: time={options['time']} is longer than partition {self.partition} allows, "
                f"{self.minutes:g} min (MaxTime)"
            )
        return next((t for t in (asked, self.usual_minutes, self.minutes) if t is not None), None)

    @property
    def most_elements(self) -> int:
        """Most elements of one array, with room for the job after it. Elements count from 1."""
        return min(self.array_size - 1, self.job_count - 2)


@dataclass(frozen=True)
class Submission:
    """One submitted job array, an entry of ``jobs.json``.

    Attributes
    ----------
    job : str
        Job number of the array.
    after : str
        Number of the job after the array; empty if there is none.
    parts : int
        Number of parts into which the blocks are divided.
    array : str
        Submitted parts, for example ``1-4,7``.
    options : dict of str to str
    script, submitted : str
        Path of the batch script within the folder; time of submission, UTC.
    """

    job: str
    after: str
    parts: int
    array: str
    options: dict[str, str]
    script: str
    submitted: str


def read_limits(partition: str = "") -> Limits:
    """Ask Slurm for its limits and those of a partition, by default of the default partition."""
    config = dict(re.findall(r"^(\w+) *= *(\S+)", _ask("scontrol", "show", "config"), re.MULTILINE))
    lines = _ask("scontrol", "--oneliner", "show", "partition").splitlines()
    site = {
        arguments["PartitionName"]: arguments for line in lines if (arguments := dict(re.findall(r"(\w+)=(\S*)", line)))
    }
    # Several partitions may be named; a job then runs in the first that can start it, and must fit one of them.
    names = partition.split(",") if partition else [name for name in site if site[name].get("Default") == "YES"]
    for name in names:
        if name not in site:
            raise UsageError(f"Slurm: there is no partition {name}; there are {', '.join(site)}")
    longest = [minutes_of(site[name].get("MaxTime", "UNLIMITED")) for name in names]
    usual = [minutes_of(site[name].get("DefaultTime", "NONE")) for name in names]
    if not config.get("MaxArraySize", "").isdigit() or not config.get("MaxJobCount", "").isdigit():
        raise IontideError("the output of scontrol show config has no MaxArraySize and MaxJobCount")
    return Limits(
        int(config["MaxArraySize"]),
        int(config["MaxJobCount"]),
        ",".join(names),
        max((t for t in longest if t), default=None) if all(longest) else None,
        min((t for t in usual if t), default=None),
    )


def choose_elements(blocks: int, limits: Limits, options: SlurmOptions, seconds: float | None = None) -> int:
    """Number of elements of the array: as given, or so that each fills part of the time limit, within the limits.

    Parameters
    ----------
    blocks : int
        Number of blocks of the plan.
    seconds : float, optional
        Time of the whole sweep on one core, s.
    """
    most = min(blocks, limits.most_elements)
    if limits.most_elements < 1:
        raise UsageError(f"Slurm: job arrays are disabled at this site (MaxArraySize={limits.array_size})")
    if options.elements is not None:
        if options.elements > limits.most_elements:
            raise UsageError(
                f"Slurm: {options.elements} elements are more than this site allows, {limits.most_elements} "
                f"(MaxArraySize={limits.array_size}, MaxJobCount={limits.job_count})"
            )
        return min(options.elements, blocks)
    elements = USUAL_ELEMENTS
    if seconds is not None:
        elements = min(elements, int(seconds / LEAST_SECONDS) + 1)
        minutes = limits.time_limit(options)
        if minutes:
            elements = max(elements, int(seconds / (FILLED * 60.0 * minutes * options.cpus)) + 1)
    return max(1, min(elements, most))


def submit(
    folder: str | Path,
    options: SlurmOptions,
    *,
    then: Sequence[str] = ("status",),
    seconds: float | None = None,
    command: Sequence[str] = COMMAND,
    dry_run: bool = False,
) -> Submission | None:
    """Submit the blocks that are missing and not in the queue, as one job array and a job after it.

    Parameters
    ----------
    folder : path
        Folder of the sweep, on a file system that all nodes share.
    options : SlurmOptions
    then : sequence of str
        Arguments of ``iontide sweep`` for the job that runs when all elements have ended, failed or not; the folder is
        inserted after the first. If empty, there is no such job.
    seconds : float, optional
        Time of the whole sweep on one core, s.
    command : sequence of str
        How to call ``iontide`` in a job.
    dry_run : bool
        Write the script, but submit nothing; the job number is then empty.

    Returns
    -------
    Submission or None
        None if all missing blocks are in the queue already.
    """
    folder = Path(folder).resolve()
    store = BlockWorker(folder).store
    earlier = submissions(folder)
    waiting = blocks_in_queue(folder, store.plan.blocks) if earlier else set()
    missing = set(store.missing()) - waiting
    if not missing:
        return None
    limits = read_limits(options.get("partition", ""))
    limit = limits.time_limit(options)
    if earlier and options.elements is None and earlier[-1].parts <= limits.most_elements:
        parts = earlier[-1].parts
    else:
        parts = choose_elements(store.plan.blocks, limits, options, seconds)
    array = ranges(
        part for part in range(1, parts + 1) if not missing.isdisjoint(part_of(store.plan.blocks, part, parts))
    )
    (folder / "logs").mkdir(exist_ok=True)
    number = len(earlier) + 1
    script = _write_script(
        folder,
        f"array_{number}.sh",
        [*options.lines(limit), "--output=logs/%A_%a.log", "--open-mode=append", "--requeue"],
        [*command, "sweep", "work", str(folder), "--part"],
        f'"${{SLURM_ARRAY_TASK_ID}}/{parts}"',
    )
    when = datetime.now(UTC).isoformat(timespec="seconds")
    submission = Submission("", "", parts, array, dict(options), script, when)
    if dry_run:
        return submission
    warm_up(store.plan)
    throttle = f"%{options.at_once}" if options.at_once else ""
    submission = replace(submission, job=_sbatch(folder, f"--array={array}{throttle}", script))
    _save_submissions(folder, [*earlier, submission])
    if then:
        after = _write_script(
            folder,
            f"after_{number}.sh",
            [*options.lines_after(), "--output=logs/after_%j.log"],
            [*command, "sweep", then[0], str(folder), *then[1:]],
        )
        submission = replace(submission, after=_sbatch(folder, f"--dependency=afterany:{submission.job}", after))
        _save_submissions(folder, [*earlier, submission])
    return submission


def resubmit(folder: str | Path, options: SlurmOptions | None = None, **more: object) -> Submission | None:
    """``submit`` with the options of the last submission, replaced by those given."""
    earlier = submissions(Path(folder))
    last = SlurmOptions(earlier[-1].options) if earlier else SlurmOptions({})
    return submit(folder, SlurmOptions({**last, **(options or {})}), **more)  # type: ignore[arg-type]


def work_on_part(folder: str | Path, part: str, report: Report = ignore_report, warn: Warn = ignore_warning) -> int:
    """Compute one part of a sweep, as an element of an array (``iontide sweep work FOLDER --part 3/8``).

    Returns
    -------
    int
        Exit code: 0 if all blocks are done, 5 if points failed or blocks are missing; after a stop by a signal 128 plus
        its number, for example 138 for USR1, which Slurm sends before the time limit.
    """
    blocks = part_of(BlockWorker(folder).store.plan.blocks, *read_part(part))
    with StopRequest() as stop:
        outcome = run_locally(folder, blocks, stop, report, warn=warn)
    return stop.exit_code if outcome.stopped else outcome.exit_code


def warm_up(plan: Plan) -> None:
    """Compile the integrator of a plan once, so that the elements do not all compile it at the same time."""
    from ...kernel.build import object_files

    object_files.load(integrator_of(plan))


def _write_script(folder: Path, name: str, options: list[str], arguments: Sequence[str], last: str = "") -> str:
    """Write a batch script into ``logs``; returns its path within the folder."""
    lines = ["#!/bin/bash", f"# iontide {__version__}; submitted from the folder of the sweep."]
    lines += [f"#SBATCH {option}" for option in [f"--job-name={_job_name(folder)}", *options]]
    # Until the worker handles the signal, it must not kill the shell. ``exec`` replaces the shell by the worker,
    # because the signal is sent to the shell only.
    lines.append("trap '' USR1")
    for variable in ("IONTIDE_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH"):
        if os.environ.get(variable):
            lines.append(f"export {variable}={shlex.quote(os.environ[variable])}")
    lines += [f"exec {shlex.join(arguments)} {last}".rstrip(), ""]
    script = Path("logs", name)
    with replacing(folder / script) as descriptor:
        write_all(descriptor, memoryview("\n".join(lines).encode()))
    return str(script)


def _job_name(folder: Path) -> str:
    return "iontide-" + (re.sub(r"[^A-Za-z0-9_.-]", "_", folder.name)[:40] or "sweep")


def _sbatch(folder: Path, option: str, script: str) -> str:
    """Submit a script; returns the job number."""
    answer = _ask("sbatch", "--parsable", option, script, cwd=folder).strip()
    number = answer.splitlines()[-1].split(";")[0] if answer else ""
    if not number.isdigit():
        raise IontideError(f"sbatch returned no job number but {answer!r}; see squeue")
    return number


def _ask(*arguments: str, cwd: Path | None = None) -> str:
    """Run a command of Slurm and return its output."""
    if not shutil.which(arguments[0]):
        raise UsageError(f"{arguments[0]} is not found: submit on a machine that has the commands of Slurm")
    # The output must not depend on the format settings of the user.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SQUEUE_", "SLURM_TIME_FORMAT"))}
    try:
        result = subprocess.run(
            arguments, cwd=cwd, env=environment, capture_output=True, text=True, errors="replace", timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        hint = "; squeue shows whether the job was accepted" if arguments[0] == "sbatch" else ""
        raise IontideError(
            f"{arguments[0]} did not answer within {TIMEOUT:g} s: is the controller of Slurm running?{hint}"
        ) from None
    except OSError as error:
        raise UsageError(f"{arguments[0]} cannot be run: {error.strerror}") from None
    if result.returncode:
        output = " ".join((result.stderr or result.stdout).split()) or f"exit code {result.returncode}"
        raise UsageError(f"Slurm refused ({' '.join(arguments[:2])}): {output}")
    return result.stdout


def submissions(folder: str | Path) -> list[Submission]:
    """All submissions of a sweep, the oldest first."""
    path = Path(folder) / "jobs.json"
    try:
        return [Submission(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))["submissions"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} cannot be read as the list of submitted jobs: {error}") from None


def _save_submissions(folder: Path, entries: list[Submission]) -> None:
    text = json.dumps({"submissions": [asdict(submission) for submission in entries]}, indent=2)
    with replacing(folder / "jobs.json") as descriptor:
        write_all(descriptor, memoryview(text.encode()))


def parts_in_queue(folder: str | Path) -> dict[tuple[str, int], str]:
    """The parts of a sweep in the queue of Slurm: their state, such as ``PD`` or ``R``, by (job, part)."""
    jobs = {submission.job for submission in submissions(folder)}
    if not jobs:
        return {}
    lines = _ask("squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%F|%K|%t").splitlines()
    rows = [line.strip().split("|") for line in lines if line.count("|") == 2]
    return {(job, int(part)): state for job, part, state in rows if job in jobs and part.isdigit()}


def blocks_in_queue(folder: str | Path, blocks: int) -> set[int]:
    """Blocks of elements that wait or run (elements that are completing compute no more)."""
    parts = {submission.job: submission.parts for submission in submissions(folder)}
    queue = parts_in_queue(folder)
    return {
        block
        for (job, part), state in queue.items()
        if state != "CG" and part <= parts[job]
        for block in part_of(blocks, part, parts[job])
    }


def is_in_queue(job: str) -> bool:
    """Whether a job waits or runs."""
    states = _ask("squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%t").splitlines()
    return any(line.strip().split("|")[0] == job and not line.strip().endswith("|CG") for line in states)


def try_options(options: SlurmOptions) -> None:
    """Ask Slurm whether it would accept a job with these options.

    Raises
    ------
    UsageError
        With the message of Slurm.
    """
    read_limits(options.get("partition", "")).time_limit(options)
    _ask("sbatch", "--test-only", *options.directives(), "--ntasks=1", "--wrap=true")


def ranges(numbers: Iterable[int]) -> str:
    """Increasing numbers in the notation of Slurm arrays: ``1-3,7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
