"""Sweeps as job arrays, on a real Slurm on loopback: elements killed, requeued, out of time; nothing lost."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

from iontide.errors import IontideError, UsageError
from iontide.sweeps.backends import slurm as slurm_backend
from iontide.sweeps.backends.slurm import Limits, choose_elements, ranges, read_limits, resubmit, submissions, submit
from iontide.sweeps.backends.slurm_options import SlurmOptions, minutes_of
from iontide.sweeps.backends.work import part_of, read_part
from tests.support.slurm_loopback import MAX_ARRAY_SIZE, Loopback, slurm
from tests.support.sweep_checks import SLOW_IONTIDE, assert_whole_and_same, make_sweep

__all__ = ["slurm"]


def slowly(seconds: float) -> tuple[str, ...]:
    """The command ``iontide`` with so much time for each block."""
    return (sys.executable, str(SLOW_IONTIDE), str(seconds))


# -- parts and options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("blocks", "parts"), [(1, 1), (10, 3), (7, 7), (1000, 37), (5, 9)])
def test_parts_are_all_blocks_in_order_and_of_equal_size(blocks, parts):
    made = [part_of(blocks, part, parts) for part in range(1, parts + 1)]
    assert [block for part in made for block in part] == list(range(blocks))
    assert max(map(len, made)) - min(map(len, made)) <= 1


def test_a_part_is_read():
    assert read_part("3/8") == (3, 8)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5", ""])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(UsageError, match="I/N"):
        read_part(text)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *[("90", 90.0), ("1:30", 1.5), ("1:30:00", 90.0), ("2-12", 3600.0), ("1-0:30", 1470.0), ("0-0:0:30", 0.5)],
        *[("UNLIMITED", None), ("NONE", None)],
    ],
)
def test_times_of_slurm(text, minutes):
    assert minutes_of(text) == minutes


def test_options_are_passed_through():
    options = SlurmOptions.read("partition=short,time=1:00:00,account=lab,mem=2G,cpus=2,exclude=n1,n[3-5],elements=7")
    assert options["exclude"] == "n1,n[3-5]"
    assert options.elements == 7
    assert options.lines(60.0) == [
        *("--partition=short", "--time=1:00:00", "--account=lab", "--mem=2G", "--cpus-per-task=2"),
        *("--exclude=n1,n[3-5]", "--ntasks=1", "--signal=B:USR1@60"),
    ]
    assert "--cpus-per-task=2" not in options.lines_after()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("color=red", "unknown option 'color'; there are partition"),
        ("partition", "must be NAME=VALUE"),
        ("partition=a b", "a single word"),
        ("comment=x\n#SBATCH --uid=0", "a single word"),
        ("account=$(id)", "a single word"),
        ("elements=0", "whole number from 1"),
        ("cpus=many", "whole number from 1"),
        ("time=soon", "time must be"),
        ("mem=1G,mem=2G", "given twice"),
    ],
)
def test_wrong_options_are_refused(text, sentence):
    with pytest.raises(UsageError, match=sentence.replace("(", "\\(")):
        SlurmOptions.read(text)


def test_the_warning_fits_into_a_short_time_limit():
    options = SlurmOptions({})
    assert [options.warning(minutes) for minutes in (1.0, 5.0, 60.0, None)] == [6, 30, 60, 60]
    assert SlurmOptions({"signal": "300"}).warning(60.0) == 300


def test_elements_keep_within_the_limits():
    limits = Limits(array_size=1001, job_count=10000, partition="short", minutes=60.0)
    few, many = SlurmOptions({}), SlurmOptions({"elements": "300"})
    assert choose_elements(100_000, limits, few) == 100
    assert choose_elements(7, limits, few) == 7
    assert choose_elements(100_000, limits, many) == 300
    assert choose_elements(100_000, Limits(41, 10000), few) == 40
    assert choose_elements(100_000, Limits(1001, 50), few) == 48
    # A sweep of two minutes is not worth a hundred jobs; one of 500 hours needs more than a hundred of an hour each.
    assert choose_elements(100_000, limits, few, seconds=120.0) == 3
    assert choose_elements(100_000, limits, few, seconds=500 * 3600.0) == 1000
    assert choose_elements(100_000, limits, SlurmOptions({"cpus": "4"}), seconds=500 * 3600.0) == 251
    with pytest.raises(UsageError, match=r"more than this site allows, 40 \(MaxArraySize=41"):
        choose_elements(100_000, Limits(41, 10000), many)
    with pytest.raises(UsageError, match="disabled at this site"):
        choose_elements(100_000, Limits(1, 10000), few)
    with pytest.raises(UsageError, match="time=2:00:00 is longer than partition short allows, 60 min"):
        limits.time_limit(SlurmOptions({"time": "2:00:00"}))


def test_ranges():
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
    assert ranges([]) == ""


# -- a Slurm that is not there, or refuses ----------------------------------------------------------------------------


def test_without_slurm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="scontrol is not found: submit on a machine that has the commands of Slurm"):
        submit(make_sweep(tmp_path / "sweep").folder, SlurmOptions({}))


def test_a_slurm_that_gives_no_answer(tmp_path, monkeypatch):
    deaf = tmp_path / "scontrol"
    deaf.write_text("#!/bin/sh\nexec sleep 60\n")
    deaf.chmod(deaf.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm_backend, "TIMEOUT", 0.3)
    with pytest.raises(IontideError, match=r"scontrol did not answer within 0\.3 s"):
        read_limits()


def test_a_broken_list_of_jobs_is_refused(tmp_path):
    (tmp_path / "jobs.json").write_text("{")
    with pytest.raises(IontideError, match=r"jobs\.json cannot be read"):
        submissions(tmp_path)


# -- the real thing ---------------------------------------------------------------------------------------------------


def test_limits_are_read(slurm: Loopback):
    assert read_limits() == Limits(MAX_ARRAY_SIZE, 500, "debug", None, None)
    assert read_limits("brief").minutes == 1.0
    assert read_limits("brief,debug").minutes is None
    with pytest.raises(UsageError, match="no partition long; there are debug, brief"):
        read_limits("long")


def test_what_slurm_refuses_is_told(slurm: Loopback, tmp_path):
    store = make_sweep(tmp_path / "sweep")
    with pytest.raises(UsageError, match=r"Slurm refused .*constraint|Slurm refused .*feature"):
        submit(store.folder, SlurmOptions({"constraint": "unobtainium"}), then=())
    with pytest.raises(UsageError, match="longer than partition brief allows"):
        submit(store.folder, SlurmOptions({"partition": "brief", "time": "10"}), then=())
    assert submissions(store.folder) == []


def test_a_whole_sweep(slurm: Loopback, tmp_path):
    """In a folder whose name is no simple word, by elements of two processors."""
    store = make_sweep(tmp_path / "my 100% sweep", points=97)
    made = submit(store.folder, SlurmOptions.read("partition=debug,time=10,mem=200M,cpus=2,elements=5,at_once=3"))
    assert made is not None
    assert (made.parts, made.array) == (5, "1-5")
    assert resubmit(store.folder) is None, "all that is missing is in the queue"
    slurm.wait_for(made.job, made.after)
    assert slurm.told(made.after)["JobState"] == "COMPLETED"
    assert_whole_and_same(store)
    assert submit(store.folder, SlurmOptions({})) is None
    logs = {path.name for path in (store.folder / "logs").iterdir()}
    assert {f"{made.job}_{part}.log" for part in range(1, 6)} | {f"after_{made.after}.log"} <= logs
    (remembered,) = json.loads((store.folder / "jobs.json").read_text())["submissions"]
    assert (remembered["job"], remembered["after"]) == (made.job, made.after)


def test_a_dry_run_submits_nothing(slurm: Loopback, tmp_path, monkeypatch):
    monkeypatch.setenv("IONTIDE_CACHE_DIR", "/some where/cache")
    store = make_sweep(tmp_path / "sweep")
    made = submit(store.folder, SlurmOptions({"time": "30"}), dry_run=True)
    assert made is not None
    assert made.job == ""
    assert submissions(store.folder) == []
    script = (store.folder / made.script).read_text()
    assert "#SBATCH --time=30\n" in script
    assert "#SBATCH --signal=B:USR1@60\n" in script
    assert "export IONTIDE_CACHE_DIR='/some where/cache'\n" in script


def test_elements_killed_cancelled_and_requeued(slurm: Loopback, tmp_path):
    store = make_sweep(tmp_path / "sweep")  # 24 blocks: six for each of four elements
    command = slowly(0.6)
    made = submit(store.folder, SlurmOptions({"elements": "4"}), command=command, then=("status",))
    assert made is not None
    job = made.job
    slurm.wait_until(lambda: all(has_begun(store, part) for part in range(1, 5)))
    # As by the memory killer; by a person; and by a site that needs the node.
    os.kill(process_of(slurm, job, 1), signal.SIGKILL)
    slurm.ask("scancel", f"{job}_2")
    done_before = set(range(24)) - set(store.missing())
    times = {block: shard_time(store, block) for block in done_before}
    slurm.ask("scontrol", "requeue", f"{job}_3")
    slurm.wait_until(lambda: set(slurm.queue(job)) <= {3})
    lost = {block for part in (1, 2) for block in part_of(24, part, 4)} & set(store.missing())
    assert lost, "the test was too slow to kill anything in its midst"
    assert slurm.told(f"{job}_1")["JobState"] == "FAILED"
    assert slurm.told(f"{job}_2")["JobState"] == "CANCELLED"

    # Slurm lets a requeued job wait for up to two minutes; this one need not.
    slurm.wait_until(lambda: slurm.queue(job).get(3) == "PENDING")
    again = resubmit(store.folder, command=command, then=())
    assert again is not None
    assert again.array == "1-2", "the third is in the queue"
    assert again.parts == 4
    slurm.ask("scontrol", "update", f"JobId={job}_3", "StartTime=now")
    slurm.wait_for(job, again.job, made.after)
    assert slurm.told(f"{job}_3")["Restarts"] == "1"
    assert_whole_and_same(store)
    assert {block: shard_time(store, block) for block in done_before} == times, "what was there was computed again"
    assert [submission.job for submission in submissions(store.folder)] == [job, again.job]


@pytest.mark.slow
def test_an_element_past_its_time_limit_stops_cleanly_and_goes_on_when_resubmitted(slurm: Loopback, tmp_path):
    store = make_sweep(tmp_path / "sweep", points=800)
    command = slowly(0.4)  # 80 s for an element of 200 blocks
    made = submit(store.folder, SlurmOptions.read("partition=brief,time=1,elements=1"), command=command, then=())
    assert made is not None
    slurm.wait_for(made.job, seconds=120.0)
    told = slurm.told(f"{made.job}_1")
    assert told["JobState"] == "FAILED"
    assert told["ExitCode"] == f"{128 + signal.SIGUSR1}:0", "the mark of a clean stop before the limit"
    left = len(store.missing())
    assert 0 < left < store.plan.blocks
    assert not list((store.folder / "locks").iterdir())
    again = resubmit(store.folder, SlurmOptions({"elements": "4"}), then=())
    assert again is not None
    slurm.wait_for(again.job)
    assert_whole_and_same(store)


def has_begun(store, part: int) -> bool:
    """Whether one of the four elements has computed some of its blocks."""
    return any(store.has(block) for block in part_of(24, part, 4))


def process_of(slurm: Loopback, job: str, part: int) -> int:
    """The worker of an element: it has taken the place of the batch script's shell."""
    number = slurm.told(f"{job}_{part}")["JobId"]
    lines = [line.split() for line in slurm.ask("scontrol", "listpids", number).splitlines()[1:]]
    found = [int(arguments[0]) for arguments in lines if arguments[2] == "batch" and arguments[0].isdigit()]
    (worker,) = [pid for pid in found if b"work" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    return worker


def shard_time(store, block: int) -> int:
    """When a shard was written, ns."""
    (shard,) = [path for path in (store.folder / "shards").iterdir() if int(path.stem) == block]
    return shard.stat().st_mtime_ns


def test_the_cost_of_an_element(slurm: Loopback, tmp_path, record_property):
    """Seconds from submission to the end that are not work: start of the job, of Python, of the engine."""
    store = make_sweep(tmp_path / "sweep", points=8)
    began = time.perf_counter()
    made = submit(store.folder, SlurmOptions({"elements": "1"}), then=())
    assert made is not None
    slurm.wait_for(made.job)
    seconds = time.perf_counter() - began
    record_property("seconds", seconds)
    assert store.missing() == []
