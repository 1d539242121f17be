"""Sweeps as job arrays of Slurm: many blocks an element, sized by the limits of the site, and what is missing again.

An element is a part of all blocks, the same at every submission; it skips what is there. So an element that was
killed, requeued or stopped before its time limit goes on where it was, and to submit again is always safe.
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
from .local import Tell, integrator_of, run_locally, untold
from .slurm_options import SlurmOptions, minutes_of
from .work import Report, StopRequest, Workplace, part_of, read_part, unheard

if TYPE_CHECKING:
    from ..plan.plan import Plan

#: Seconds that a command of Slurm may take; a busy controller answers late.
PATIENCE = 60.0

#: Elements of an array unless asked for otherwise: enough to fill a partition, few enough not to crowd the queue.
USUAL_ELEMENTS = 100

#: Seconds of work below which one more element costs more than it brings, and the share of a time limit that is filled.
LEAST_SECONDS, FILLED = 60.0, 0.5

#: How ``iontide`` is called in a job: by this very interpreter, which a job finds on the same file system.
COMMAND = (sys.executable, "-m", "iontide")


@dataclass(frozen=True)
class Limits:
    """What a site allows.

    Attributes
    ----------
    array_size : int
        ``MaxArraySize``: one more than the largest index of an array.
    job_count : int
        ``MaxJobCount``: jobs of everyone that the controller holds.
    partition : str
    minutes, usual_minutes : float or None
        The partition's ``MaxTime`` and ``DefaultTime``; None for none.
    """

    array_size: int
    job_count: int
    partition: str = ""
    minutes: float | None = None
    usual_minutes: float | None = None

    def time_limit(self, options: SlurmOptions) -> float | None:
        """Time limit of a job with these options, min; None without any."""
        asked = options.minutes
        if asked is not None and self.minutes is not None and asked > self.minutes:
            raise UsageError(
                f"Slurm: time={options['time']} is longer than partition {self.partition} allows, "
                f"{self.minutes:g} min (MaxTime)"
            )
        return next((t for t in (asked, self.usual_minutes, self.minutes) if t is not None), None)

    @property
    def most_elements(self) -> int:
        """Elements of one array, with room for the job after it. Elements count from 1."""
        return min(self.array_size - 1, self.job_count - 2)


@dataclass(frozen=True)
class Submission:
    """One job array, as ``jobs.json`` remembers it.

    Attributes
    ----------
    job : str
        Number that Slurm gave it.
    after : str
        Number of the job that waits for its end; empty without one.
    parts : int
        Into how many parts the blocks were divided.
    array : str
        Parts that were submitted, as ``1-4,7``.
    options : dict of str to str
    script, submitted : str
        Path within the folder; time, UTC.
    """

    job: str
    after: str
    parts: int
    array: str
    options: dict[str, str]
    script: str
    submitted: str


def read_limits(partition: str = "") -> Limits:
    """Ask Slurm for its limits, and those of a partition (of the default one without a name)."""
    found = dict(re.findall(r"^(\w+) *= *(\S+)", _ask("scontrol", "show", "config"), re.MULTILINE))
    lines = _ask("scontrol", "--oneliner", "show", "partition").splitlines()
    site = {words["PartitionName"]: words for line in lines if (words := dict(re.findall(r"(\w+)=(\S*)", line)))}
    # Several may be named; a job then goes to whichever starts it first, and must fit one of them.
    names = partition.split(",") if partition else [name for name in site if site[name].get("Default") == "YES"]
    for name in names:
        if name not in site:
            raise UsageError(f"Slurm: there is no partition {name}; there are {', '.join(site)}")
    longest = [minutes_of(site[name].get("MaxTime", "UNLIMITED")) for name in names]
    usual = [minutes_of(site[name].get("DefaultTime", "NONE")) for name in names]
    if not found.get("MaxArraySize", "").isdigit() or not found.get("MaxJobCount", "").isdigit():
        raise IontideError("scontrol show config does not tell MaxArraySize and MaxJobCount; which Slurm is this?")
    return Limits(
        int(found["MaxArraySize"]),
        int(found["MaxJobCount"]),
        ",".join(names),
        max((t for t in longest if t), default=None) if all(longest) else None,
        min((t for t in usual if t), default=None),
    )


def choose_elements(blocks: int, limits: Limits, options: SlurmOptions, seconds: float | None = None) -> int:
    """Elements of the array: as many as asked for; or as fill a part of the time limit each; within what is allowed.

    Parameters
    ----------
    blocks : int
        Of the plan: no element is empty.
    seconds : float, optional
        What the whole sweep would take on one core, s.
    """
    most = min(blocks, limits.most_elements)
    if limits.most_elements < 1:
        raise UsageError(f"Slurm: job arrays are switched off here (MaxArraySize={limits.array_size})")
    if options.elements is not None:
        if options.elements > limits.most_elements:
            raise UsageError(
                f"Slurm: {options.elements} elements are more than the {limits.most_elements} that this site allows "
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
    """Submit what is missing of a sweep and not in the queue already, as one job array and a job after it.

    Parameters
    ----------
    folder : path
        Of the sweep, on a file system that all nodes see.
    options : SlurmOptions
    then : sequence of str
        Words of ``iontide sweep`` for the job that runs when all elements have ended, however they ended; the folder
        follows the first. None is submitted for an empty sequence.
    seconds : float, optional
        What the whole sweep would take on one core, s.
    command : sequence of str
        How to call ``iontide`` in a job.
    dry_run : bool
        Write the script, but submit nothing; the job's number is empty then.

    Returns
    -------
    Submission or None
        None where nothing is missing that is not in the queue.
    """
    folder = Path(folder).resolve()
    store = Workplace(folder).store
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
    made = Submission("", "", parts, array, dict(options), script, when)
    if dry_run:
        return made
    warm_up(store.plan)
    throttle = f"%{options.at_once}" if options.at_once else ""
    made = replace(made, job=_sbatch(folder, f"--array={array}{throttle}", script))
    _remember(folder, [*earlier, made])
    if then:
        after = _write_script(
            folder,
            f"after_{number}.sh",
            [*options.lines_after(), "--output=logs/after_%j.log"],
            [*command, "sweep", then[0], str(folder), *then[1:]],
        )
        made = replace(made, after=_sbatch(folder, f"--dependency=afterany:{made.job}", after))
        _remember(folder, [*earlier, made])
    return made


def resubmit(folder: str | Path, options: SlurmOptions | None = None, **more: object) -> Submission | None:
    """``submit`` once more with the options of the last time, those given now over them."""
    earlier = submissions(Path(folder))
    last = SlurmOptions(earlier[-1].options) if earlier else SlurmOptions({})
    return submit(folder, SlurmOptions({**last, **(options or {})}), **more)  # type: ignore[arg-type]


def work_on_part(folder: str | Path, part: str, report: Report = unheard, tell: Tell = untold) -> int:
    """What an element of an array does (``iontide sweep work FOLDER --part 3/8``), on the processors of its job.

    Returns
    -------
    int
        Exit code: 0 where all is done, 5 where points failed or blocks are not there; of a clean stop on a signal 128
        and its number, as 138 for the one (USR1) that Slurm sends before the time limit.
    """
    place = part_of(Workplace(folder).store.plan.blocks, *read_part(part))
    with StopRequest() as stop:
        outcome = run_locally(folder, place, stop, report, tell=tell)
    return stop.exit_code if outcome.stopped else outcome.exit_code


def warm_up(plan: Plan) -> None:
    """Compile the integrator of a plan once, before a hundred elements would do so at the same time."""
    from ...kernel.build import object_files

    object_files.load(integrator_of(plan))


def _write_script(folder: Path, name: str, options: list[str], words: Sequence[str], last: str = "") -> str:
    """Write a batch script into the folder's logs; returns its path within the folder."""
    lines = ["#!/bin/bash", f"# iontide {__version__}; submitted from the folder of the sweep."]
    lines += [f"#SBATCH {option}" for option in [f"--job-name={_job_name(folder)}", *options]]
    # Before the worker listens, the signal must not kill the shell; the worker takes the shell's place, so that the
    # signal, which goes to the shell alone, reaches it.
    lines.append("trap '' USR1")
    for variable in ("IONTIDE_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH"):
        if os.environ.get(variable):
            lines.append(f"export {variable}={shlex.quote(os.environ[variable])}")
    lines += [f"exec {shlex.join(words)} {last}".rstrip(), ""]
    script = Path("logs", name)
    with replacing(folder / script) as descriptor:
        write_all(descriptor, memoryview("\n".join(lines).encode()))
    return str(script)


def _job_name(folder: Path) -> str:
    return "iontide-" + (re.sub(r"[^A-Za-z0-9_.-]", "_", folder.name)[:40] or "sweep")


def _sbatch(folder: Path, option: str, script: str) -> str:
    """Submit a script; returns the number of the job."""
    answer = _ask("sbatch", "--parsable", option, script, cwd=folder).strip()
    number = answer.splitlines()[-1].split(";")[0] if answer else ""
    if not number.isdigit():
        raise IontideError(f"sbatch did not answer with the number of a job but {answer!r}; see squeue")
    return number


def _ask(*words: str, cwd: Path | None = None) -> str:
    """Run a command of Slurm and return what it prints."""
    if not shutil.which(words[0]):
        raise UsageError(f"{words[0]} is not found: submit on a machine of the cluster where Slurm's commands are")
    # What is read must not depend on the user's own wishes for the looks of it.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SQUEUE_", "SLURM_TIME_FORMAT"))}
    try:
        result = subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, errors="replace", timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        hint = "; whether the job was taken, squeue will tell" if words[0] == "sbatch" else ""
        raise IontideError(f"{words[0]} gave no answer in {PATIENCE:g} s: is Slurm's controller up?{hint}") from None
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be run: {error.strerror}") from None
    if result.returncode:
        said = " ".join((result.stderr or result.stdout).split()) or f"exit code {result.returncode}"
        raise UsageError(f"Slurm refused ({' '.join(words[:2])}): {said}")
    return result.stdout


def submissions(folder: str | Path) -> list[Submission]:
    """All submissions of a sweep, the first first."""
    path = Path(folder) / "jobs.json"
    try:
        return [Submission(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))["submissions"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} cannot be read as the list of submitted jobs: {error}") from None


def _remember(folder: Path, made: list[Submission]) -> None:
    text = json.dumps({"submissions": [asdict(submission) for submission in made]}, indent=2)
    with replacing(folder / "jobs.json") as descriptor:
        write_all(descriptor, memoryview(text.encode()))


def parts_in_queue(folder: str | Path) -> dict[tuple[str, int], str]:
    """What Slurm has in its queue of a sweep: state, as ``PD`` or ``R``, by (job, part)."""
    ours = {submission.job for submission in submissions(folder)}
    if not ours:
        return {}
    lines = _ask("squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%F|%K|%t").splitlines()
    rows = [line.strip().split("|") for line in lines if line.count("|") == 2]
    return {(job, int(part)): state for job, part, state in rows if job in ours and part.isdigit()}


def blocks_in_queue(folder: str | Path, blocks: int) -> set[int]:
    """Blocks of elements that wait or run (those that are completing will do no more)."""
    parts = {submission.job: submission.parts for submission in submissions(folder)}
    queue = parts_in_queue(folder)
    return {
        block
        for (job, part), state in queue.items()
        if state != "CG" and part <= parts[job]
        for block in part_of(blocks, part, parts[job])
    }


def is_in_queue(job: str) -> bool:
    """Whether a job, whoever submitted it, waits or runs."""
    states = _ask("squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%t").splitlines()
    return any(line.strip().split("|")[0] == job and not line.strip().endswith("|CG") for line in states)


def try_options(options: SlurmOptions) -> None:
    """Ask Slurm whether it would take a job with these options.

    Raises
    ------
    UsageError
        With what Slurm says.
    """
    read_limits(options.get("partition", "")).time_limit(options)
    _ask("sbatch", "--test-only", *options.directives(), "--ntasks=1", "--wrap=true")


def ranges(numbers: Iterable[int]) -> str:
    """Rising numbers as Slurm writes an array: ``1-3,7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
