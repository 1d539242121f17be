"""Sweeps on this machine through all that may befall them: kills at any moment, lost workers, full disks, Ctrl-C.

After each every point is there exactly once, and bit for bit what an undisturbed sweep makes of it.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import iontide
from iontide.errors import FileError, IontideError, UsageError
from iontide.sweeps.backends import worker_log, worker_pool
from iontide.sweeps.backends.local import available_cores, run_locally
from iontide.sweeps.backends.work import BlockReport, BlockWorker, work
from iontide.sweeps.store.progress import Pace, Watch
from iontide.sweeps.store.status_index import Progress, index_of, read_status
from iontide.sweeps.store.store import Store
from tests.support.paths import ROOT
from tests.support.sweep_checks import assert_whole_and_same, contents, make_sweep

#: A worker to which something happens before it computes a block, then one of the usual kind.
TROUBLED = """
import os, signal, sys, time
sys.path[:] = {path!r}
from iontide.sweeps.backends import work, worker_pool
compute = work.BlockWorker.compute
def troubled(self, number, ignore_lock=False):
    {what}
    return compute(self, number, ignore_lock)
work.BlockWorker.compute = troubled
worker_pool.serve({descriptor}, {folder!r})
"""


def make_trouble(monkeypatch, what: str) -> None:
    """Have the workers that this process starts do something before each block, ``number`` being its number."""

    def arguments(descriptor: int, folder: Path) -> list[str]:
        code = TROUBLED.format(path=sys.path, what=what, descriptor=descriptor, folder=str(folder))
        return [sys.executable, "-c", code]

    monkeypatch.setattr(worker_pool, "_worker_command", arguments)


#: The command, with workers that rest before each block.
SLOW = """
import sys
sys.path.append(sys.argv.pop(1))
from tests.sweeps import test_local
class Patch:
    setattr = staticmethod(setattr)
test_local.make_trouble(Patch, "time.sleep(0.03)")
from iontide.cli import main
sys.exit(main(sys.argv[1:]))
"""


def start(*arguments: str, slow: bool = False, **more: object) -> subprocess.Popen[str]:
    """``iontide sweep …`` in a process group of its own, as a shell starts it."""
    command = ["-c", SLOW, str(ROOT)] if slow else ["-m", "iontide"]
    return subprocess.Popen(
        [sys.executable, *command, "sweep", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def shards(store: Store) -> int:
    """How many files of blocks there are."""
    return len(list((store.folder / "shards").glob("[0-9]*.h5")))


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 300.0) -> None:
    """Wait for what a process is to bring about, or its end."""
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.001)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The worker processes of a command."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children]


# -- the same, whatever the workers -----------------------------------------------------------------------------------


def test_one_worker_and_two_and_any_order_make_the_same(tmp_path):
    stores = [make_sweep(tmp_path / name, points=60) for name in ("one", "two", "shuffled")]
    one, two = (run_locally(store.folder, workers=k) for k, store in enumerate(stores[:2], 1))
    order = list(range(15))
    random.Random(5).shuffle(order)
    assert work(stores[2].folder, order).blocks == one.blocks == two.blocks == 15
    assert one.exit_code == two.exit_code == 0
    for store in stores:
        assert_whole_and_same(store)
    first, *others = ({k: v.tobytes() for k, v in contents(store.folder).items()} for store in stores)
    assert all(other == first for other in others)


def test_only_the_blocks_asked_for_and_none_that_is_there(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=32)
    assert run_locally(store.folder, [1, 2], workers=1).points == 8
    reports: list[BlockReport] = []
    assert run_locally(store.folder, [], workers=2).blocks == 0
    assert run_locally(store.folder, report=reports.append, workers=2).blocks == 6
    assert sorted(report.block for report in reports) == [0, 3, 4, 5, 6, 7]
    assert_whole_and_same(store)


def test_as_many_workers_as_there_are_processors_to_use(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.setattr(Path, "read_text", lambda _: "max 100000")
    assert available_cores() == 6
    monkeypatch.setattr(Path, "read_text", lambda _: "350000 100000")
    assert available_cores() == 4
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert available_cores() == 3


@pytest.mark.parametrize("workers", [0, -2])
def test_workers_are_counted_from_one(tmp_path, workers):
    with pytest.raises(UsageError, match=f"1 or more, got {workers}"):
        run_locally(make_sweep(tmp_path / "sweep", points=4).folder, workers=workers)


def test_a_script_without_a_guard_is_not_run_again_by_its_workers(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=16)
    script = tmp_path / "script.py"
    script.write_text(
        f"import iontide\nprint('once')\nsweep = iontide.sweep({str(tmp_path / 'sweep.toml')!r}, "
        f"{str(store.folder)!r}, workers=2)\nprint(sweep.counts)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.stdout == "once\n{'done': 16}\n", done.stderr


# -- kills ------------------------------------------------------------------------------------------------------------


def test_kills_at_random_moments(tmp_path):
    """SIGKILL to all processes of a sweep at once, again and again, until it is done."""
    store = make_sweep(tmp_path / "sweep", points=480, block=8)
    chance = random.Random(2026)
    kills = 0
    while store.missing():
        before = shards(store)
        after = before + chance.randint(0, 25)
        process = start("resume", str(store.folder), "--workers", "2", "-q")
        wait_until(lambda after=after: shards(store) > after, process)
        time.sleep(chance.uniform(0.0, 0.01))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
        assert shards(store) > before
    assert kills >= 3
    done = start("resume", str(store.folder), "-q")
    assert done.communicate(timeout=300)[1] == ""
    assert done.returncode == 0
    assert not any((store.folder / "locks").glob("[0-9]*"))
    assert_whole_and_same(store)


def test_workers_leave_when_the_one_that_gives_them_work_is_killed(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=480, block=8)
    process = start("resume", str(store.folder), "--workers", "2", "-q", slow=True)
    wait_until(lambda: shards(store) > 2, process)
    workers = workers_of(process)
    assert len(workers) == 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 300.0
    while any(os.path.exists(f"/proc/{worker}") for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    left = store.missing()
    assert left
    assert run_locally(store.folder, left[-2:], workers=1).blocks == 2, "no claim is in the way"


def test_a_worker_that_is_killed_is_told_of_and_replaced(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=480, block=8)
    process = start("resume", str(store.folder), "--workers", "2", slow=True)
    wait_until(lambda: shards(store) > 3, process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert (
        "a worker was killed (SIGKILL, possibly by the system because memory ran out) while it computed block" in told
    )
    assert "which goes to another" in told
    assert_whole_and_same(store)


def test_a_block_that_kills_its_workers_is_given_up_and_no_other(tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=32)
    make_trouble(monkeypatch, "number == 3 and os.kill(os.getpid(), signal.SIGKILL)")
    told: list[str] = []
    reports: list[BlockReport] = []
    outcome = run_locally(store.folder, report=reports.append, workers=2, warn=told.append)
    assert (outcome.blocks, list(outcome.given_up), outcome.exit_code) == (7, [3], 5)
    assert outcome.given_up[3] == (
        "block 3 (points 12 to 15) was given up: 2 workers ended while they computed it, the last one was killed "
        "(SIGKILL, possibly by the system because memory ran out)"
    )
    assert len(told) == 1
    assert [r.messages for r in reports if not r.points] == [(outcome.given_up[3],)]
    assert store.missing() == [3]
    monkeypatch.undo()
    assert run_locally(store.folder, workers=1).blocks == 1
    assert_whole_and_same(store)


def test_a_block_that_cannot_be_computed_stops_no_other(tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=20)
    make_trouble(monkeypatch, "bytearray(1 << 62 if number == 2 else 0)")
    outcome = run_locally(store.folder, workers=2)
    assert (outcome.blocks, list(outcome.given_up)) == (4, [2])
    assert "not enough memory" in outcome.given_up[2]
    block = iontide.sweeps.compute.engine.Engine.block

    def faulty(self, start, stop):
        if start == 8:
            raise ZeroDivisionError("of a kind\nthat nobody thought of")
        return block(self, start, stop)

    monkeypatch.setattr("iontide.sweeps.compute.engine.Engine.block", faulty)
    other = make_sweep(tmp_path / "other", points=20)
    outcome = run_locally(other.folder, workers=1)
    assert outcome.blocks == 4
    assert outcome.given_up[2].endswith("given up: ZeroDivisionError: of a kind that nobody thought of")


@pytest.mark.parametrize("workers", [1, 2])
def test_where_nothing_can_be_computed_not_everything_is_tried(tmp_path, monkeypatch, workers):
    store = make_sweep(tmp_path / "sweep", points=40)
    tried: list[BlockReport] = []
    monkeypatch.setattr("iontide.sweeps.compute.engine.Engine.block", None)
    make_trouble(monkeypatch, "raise TypeError")
    with pytest.raises(IontideError, match="none of the first blocks can be computed") as caught:
        run_locally(store.folder, report=tried.append, workers=workers)
    assert caught.value.exit_code == 5
    assert len(tried) == worker_log.MOST_FAILED


def test_workers_that_cannot_start_are_told_of(tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=8)
    monkeypatch.setattr(
        worker_pool, "_worker_command", lambda *_: [sys.executable, "-c", "import nothing_of_that_name"]
    )
    with pytest.raises(IontideError, match=r"ended with code 1 before it could compute.*workers\.log"):
        run_locally(store.folder, workers=2)
    assert "nothing_of_that_name" in (store.folder / "logs" / "workers.log").read_text()
    monkeypatch.setattr(worker_pool, "_worker_command", lambda *_: [str(tmp_path / "no_python")])
    with pytest.raises(IontideError, match="a worker process cannot be started: No such file"):
        run_locally(store.folder, workers=2)


# -- two at once ------------------------------------------------------------------------------------------------------


def test_two_resumes_at_once(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=480, block=8)
    both = [start("resume", str(store.folder), "--workers", "1", "--json", "-q") for _ in range(2)]
    told = [iontide_json(process) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(one["computed"] for one in told) == 480
    assert all(one["computed"] and one["counts"]["missing"] == 0 for one in told)
    assert_whole_and_same(store)


def iontide_json(process: subprocess.Popen[str]) -> dict:
    """What a command prints as JSON."""
    import json

    out, err = process.communicate(timeout=300)
    assert err == ""
    return json.loads(out)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_another_has_in_hand_for_too_long_is_computed_here(tmp_path, monkeypatch, workers):
    store = make_sweep(tmp_path / "sweep", points=12)
    monkeypatch.setattr(worker_log, "PATIENCE", 0.5)
    assert store.lock(1), "by this process, which lives and does nothing"
    outcome = run_locally(store.folder, workers=workers)
    assert (outcome.blocks, outcome.exit_code) == (3, 0)
    assert_whole_and_same(store)


# -- stops ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_stopped_by_a_signal(tmp_path, number, to_all):
    """A Ctrl-C goes to all processes of a terminal, a termination to the first."""
    store = make_sweep(tmp_path / "sweep", points=480, block=8)
    process = start("resume", str(store.folder), "--workers", "2", slow=True)
    wait_until(lambda: shards(store) > 5, process)
    workers = workers_of(process)
    (os.killpg if to_all else os.kill)(process.pid, number)
    out, told = process.communicate(timeout=300)
    assert process.returncode == 128 + number, told
    assert out == f"{store.folder}\n"
    assert "stopping: workers finish their blocks" in told
    assert f"are missing; to resume: iontide sweep resume {store.folder}" in told
    assert "Traceback" not in told
    assert not any(os.path.exists(f"/proc/{worker}") for worker in workers)
    assert not any((store.folder / "locks").glob("[0-9]*"))
    assert 5 < shards(store) < 60
    assert read_status(store.folder).missing == 8 * len(store.missing())
    assert run_locally(store.folder, workers=1).exit_code == 0
    assert_whole_and_same(store)


def test_a_second_ctrl_c_drops_what_is_in_hand(tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=32)
    make_trouble(monkeypatch, "time.sleep(100.0 * (number == 5))")
    asked = []

    def stop() -> bool:
        if store.missing() == [5]:
            asked.append(time.monotonic())
            if len(asked) > 1:
                raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        run_locally(store.folder, stop=stop, workers=2)
    assert time.monotonic() - asked[0] < 60.0  # the block in hand takes 100 s


def test_a_block_that_takes_too_long_to_be_waited_for_is_dropped(tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=32)
    make_trouble(monkeypatch, "time.sleep(100.0 * (number == 5))")
    monkeypatch.setattr(worker_pool, "GRACE", 0.3)
    outcome = run_locally(store.folder, stop=lambda: store.missing() == [5], workers=2)
    assert outcome.stopped
    assert outcome.blocks == 7
    monkeypatch.undo()
    assert run_locally(store.folder, workers=1).blocks == 1
    assert_whole_and_same(store)


# -- a full disk ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_disk_that_is_full(tmp_path, workers):
    """As a limit on the size of files, which a shard passes and the rest does not."""
    store = make_sweep(tmp_path / "sweep", points=64, block=16)
    run_locally(store.folder, [0], workers=1)
    limit = store.shard(0).stat().st_size - 1
    full = start(
        *("resume", str(store.folder), "--workers", workers),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _, told = full.communicate(timeout=300)
    assert full.returncode == 6, told
    assert "the file would be larger than the system allows" in told
    assert f"to resume: iontide sweep resume {store.folder}" in told
    assert "Traceback" not in told
    assert shards(store) == 1
    assert run_locally(store.folder, workers=1).blocks == 3
    assert_whole_and_same(store)


# -- how far it is ----------------------------------------------------------------------------------------------------


def test_the_pace_is_that_of_late():
    pace = Pace(0.0, 100)
    assert pace.rate is None
    pace.record(3.0, 100)
    assert pace.rate is None
    pace.record(10.0, 200)
    assert pace.rate == 10.0
    pace.record(11.0, 200)
    pace.record(12.0, 300)
    assert pace.rate == 50.0, "the start of the workers is no measure of the rest"
    for second in range(13, 200):
        pace.record(float(second), 300 + second)
    assert pace.rate == pytest.approx(1.0)


def test_a_watch_counts_what_is_there_whoever_made_it(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=40)
    seen: list[Progress] = []
    now = [100.0]
    watch = Watch(store, seen.append, lambda: now[0])
    watch()
    work(store.folder, range(4))
    watch()
    assert [p.missing for p in seen] == [40], "not looked at again so soon"
    now[0] += 2.0
    watch()
    assert (seen[1].done, seen[1].missing, seen[1].rate, seen[1].remaining) == (16, 24, 8.0, 3.0)
    assert read_status(store.folder) == seen[1]
    work(store.folder)
    assert watch.scan().remaining == 0.0
    assert index_of(store).counts["done"] == read_status(store.folder).done == 40


# -- from Python ------------------------------------------------------------------------------------------------------


def test_from_python(tmp_path):
    store = make_sweep(tmp_path / "elsewhere", points=24)
    file = tmp_path / "elsewhere.toml"
    seen: list[Progress] = []
    sweep = iontide.sweep(file, tmp_path / "sweep", workers=1, progress=seen.append)
    assert sweep.counts == {"done": 24}
    assert seen[-1].done == 24
    assert sweep.output("end").shape == (24, 4)
    assert np.allclose(np.diff(np.log(sweep.values("parameters.P_K"))), np.log(1e3) / 23)
    again = iontide.sweep(store.plan, tmp_path / "sweep")
    assert (again.output("end") == sweep.output("end")).all()
    with pytest.raises(FileError, match="the sweep of another plan: points in a block: 4 there, 2 here"):
        iontide.sweep(file, tmp_path / "sweep", set={"sweep.block": 2})
    with pytest.raises(UsageError, match="set applies only to the name of a file"):
        iontide.sweep(store.plan, tmp_path / "sweep", set={"sweep.block": 2})
    assert iontide.open_sweep(tmp_path / "sweep").digest == store.plan.digest


def test_from_python_what_is_given_up_is_a_warning(tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=16)
    block = iontide.sweeps.compute.engine.Engine.block

    def faulty(self, start, stop):
        if start == 8:
            raise ZeroDivisionError("oh")
        return block(self, start, stop)

    monkeypatch.setattr("iontide.sweeps.compute.engine.Engine.block", faulty)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sweep = iontide.sweep(store.plan, store.folder, workers=1)
    assert sweep.counts == {"done": 12, "missing": 4}
    told = [str(w.message) for w in caught]
    assert told[0] == "block 2 (points 8 to 11) was given up: ZeroDivisionError: oh"
    assert told[1].endswith("1 of 4 blocks are missing")


def test_a_plan_that_was_changed_is_refused(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=16)
    path = store.folder / "plan.json"
    path.write_text(path.read_text().replace("1e-6 m/s", "2e-6 m/s"))
    with pytest.raises(FileError, match="was changed after it was made"):
        BlockWorker(store.folder)
