"""Sweeps on Dask, on real clusters of processes: workers killed, poisoned blocks, a full disk; nothing lost."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iontide.errors import FileError, IontideError, UsageError
from iontide.sweeps.backends import dask as dask_cluster
from iontide.sweeps.backends.dask import compute_block, run_on_dask
from iontide.sweeps.backends.dask_jobqueue import run_in_slurm_jobs, slurm_cluster
from iontide.sweeps.backends.slurm_options import SlurmOptions
from iontide.sweeps.backends.work import BlockReport
from tests.support.slurm_loopback import Loopback, free_ports, slurm
from tests.support.sweep_checks import assert_whole_and_same, make_sweep

__all__ = ["slurm"]


@pytest.fixture(scope="module")
def local() -> Iterator[object]:
    """Two worker processes of one thread each, started anew when killed."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as cluster:
        yield cluster


def slowly(seconds: float) -> Callable[[str, int], object]:
    """The task, after a while; defined within, so that workers need not have this file."""

    def task(folder, number):
        import time

        from iontide.sweeps.backends.dask import compute_block

        time.sleep(seconds)
        return compute_block(folder, number)

    return task


def deadly(*blocks: int) -> Callable[[str, int], object]:
    """The task, which for some blocks kills its worker as the system does when memory runs out."""

    def task(folder, number):
        import os
        import signal

        from iontide.sweeps.backends.dask import compute_block

        if number in blocks:
            os.kill(os.getpid(), signal.SIGKILL)
        return compute_block(folder, number)

    return task


# -- the task ---------------------------------------------------------------------------------------------------------


def test_a_folder_made_anew_is_opened_anew(tmp_path):
    """A worker lives longer than a folder: it must not write points of the old plan into the new sweep."""
    folder = make_sweep(tmp_path / "sweep", points=8).folder
    assert compute_block(str(folder), 0).points == 4
    folder.rename(tmp_path / "old")
    make_sweep(tmp_path / "sweep", points=6, block=3)
    assert compute_block(str(folder), 0).points == 3


def test_a_block_that_is_there_or_claimed(tmp_path):
    store = make_sweep(tmp_path / "sweep")
    assert isinstance(compute_block(str(store.folder), 0), BlockReport)
    assert compute_block(str(store.folder), 0) == BlockReport(0, 4, 0, 0.0)
    assert store.lock(1)
    assert isinstance(compute_block(str(store.folder), 1), BlockReport), "whoever claimed it was killed"


def test_a_folder_that_a_worker_does_not_see(tmp_path):
    with pytest.raises(FileError, match="cannot be read as the folder of a sweep: No such file"):
        compute_block(str(tmp_path / "nowhere"), 0)


# -- a cluster that is not there --------------------------------------------------------------------------------------


def test_without_dask_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r'pip install "iontide\[dask\]"'):
        run_on_dask(make_sweep(tmp_path / "sweep").folder, "tcp://127.0.0.1:1")


def test_without_a_scheduler_it_says_so(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_cluster, "SCHEDULER_TIMEOUT", 0.5)
    (port,) = free_ports(1)
    with pytest.raises(IontideError, match=f"no Dask scheduler answers at tcp://127.0.0.1:{port}"):
        run_on_dask(make_sweep(tmp_path / "sweep").folder, f"tcp://127.0.0.1:{port}")
    with pytest.raises(IontideError, match="no Dask scheduler answers at nonsense://x"):
        run_on_dask(tmp_path / "sweep", "nonsense://x")


# -- a cluster on this machine ----------------------------------------------------------------------------------------


def test_a_whole_sweep(local, tmp_path):
    store = make_sweep(tmp_path / "sweep", points=97)
    reports: list[BlockReport] = []
    outcome = run_on_dask(store.folder, local, report=reports.append)
    assert (outcome.blocks, outcome.points) == (25, 97)
    assert sorted(report.block for report in reports) == list(range(25))
    assert sum(report.failed for report in reports) == outcome.failed
    assert_whole_and_same(store)
    assert run_on_dask(store.folder, local).blocks == 0


def test_workers_of_several_threads(tmp_path):
    distributed = pytest.importorskip("distributed")
    store = make_sweep(tmp_path / "sweep")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=3, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as cluster:
        assert run_on_dask(store.folder, cluster).blocks == 24
    assert_whole_and_same(store)


def test_a_stop_leaves_whole_blocks_and_the_rest_can_be_resumed(local, tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep")
    monkeypatch.setattr(dask_cluster, "compute_block", slowly(0.1))
    seen: list[BlockReport] = []
    outcome = run_on_dask(store.folder, local.scheduler_address, stop=lambda: len(seen) > 3, report=seen.append)
    assert outcome.stopped
    assert 3 < outcome.blocks < 24
    assert not run_on_dask(store.folder, local).stopped
    assert_whole_and_same(store)


def test_few_tasks_are_in_the_scheduler_at_once(local, tmp_path):
    """However many blocks the sweep has."""
    store = make_sweep(tmp_path / "sweep", points=600, block=2)
    most = 0

    def look(report: BlockReport) -> None:
        nonlocal most
        most = max(most, len(local.scheduler.tasks))

    run_on_dask(store.folder, local, report=look)
    assert store.missing() == []
    assert most <= 2 * dask_cluster.TASKS_A_THREAD * 2


def test_a_poisoned_block_is_given_up_and_all_others_are_computed(local, tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=40)
    monkeypatch.setattr(dask_cluster, "compute_block", deadly(3))
    reports: list[BlockReport] = []
    outcome = run_on_dask(store.folder, local, report=reports.append)
    assert list(outcome.given_up) == [3]
    assert "block 3 was given up: each worker that computed it was killed" in outcome.given_up[3]
    assert [report.messages for report in reports if not report.points] == [(outcome.given_up[3],)]
    assert outcome.exit_code == 5
    assert store.missing() == [3]
    monkeypatch.undo()
    run_on_dask(store.folder, local)
    assert_whole_and_same(store)


def test_a_full_disk_ends_the_sweep_with_a_sentence(local, tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep")

    def task(folder, number):
        from iontide.errors import FileError

        raise FileError("cannot write shard: no space left on the device; nothing was written")

    monkeypatch.setattr(dask_cluster, "compute_block", task)
    with pytest.raises(FileError, match="no space left"):
        run_on_dask(store.folder, local)


def test_a_worker_without_iontide_ends_the_sweep_with_a_sentence(local, tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep")

    def task(folder, number):
        import iontide_of_the_future

        return iontide_of_the_future

    monkeypatch.setattr(dask_cluster, "compute_block", task)
    with pytest.raises(IontideError, match=r"ModuleNotFoundError.*is iontide installed there"):
        run_on_dask(store.folder, local)


# -- processes of their own -------------------------------------------------------------------------------------------


class Processes:
    """``dask scheduler`` and ``dask worker`` as a user starts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (port,) = free_ports(1)
        self.address = f"tcp://127.0.0.1:{port}"
        self.started: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-jupyter")

    def worker(self) -> subprocess.Popen[bytes]:
        """One more, without a nanny to start it anew."""
        return self._start("worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[0]}_{len(self.started)}.log").open("wb") as log:
            self.started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
                    *(-1, None, subprocess.DEVNULL, log, log),
                    cwd=self.folder,
                )
            )
        return self.started[-1]

    def end(self) -> None:
        for process in reversed(self.started):
            process.kill()
            process.wait()


@pytest.fixture
def processes(tmp_path) -> Iterator[Processes]:
    pytest.importorskip("distributed")
    made = Processes(tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_a_worker_killed_in_the_midst_of_a_sweep(processes: Processes, tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep")
    victim, _ = processes.worker(), processes.worker()
    monkeypatch.setattr(dask_cluster, "compute_block", slowly(0.2))
    seen: list[BlockReport] = []

    def kill_in_the_midst(report: BlockReport) -> None:
        seen.append(report)
        if len(seen) == 6:
            os.kill(victim.pid, signal.SIGKILL)
        if len(seen) == 9:
            processes.worker()

    outcome = run_on_dask(store.folder, processes.address, report=kill_in_the_midst)
    assert victim.wait() == -signal.SIGKILL
    assert not outcome.given_up
    assert_whole_and_same(store)


def test_a_cluster_without_workers_is_waited_for_and_then_told(processes: Processes, tmp_path):
    store = make_sweep(tmp_path / "sweep")
    with pytest.raises(IontideError, match="the Dask cluster has had no worker for 1 s"):
        run_on_dask(store.folder, processes.address, patience=1.0)


def test_a_scheduler_that_goes_away_is_told(processes: Processes, tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep")
    processes.worker()
    monkeypatch.setattr(dask_cluster, "compute_block", slowly(0.2))
    began: list[float] = []

    def kill_the_scheduler(report: BlockReport) -> None:
        if not began:
            began.append(time.monotonic())
            processes.started[0].kill()

    with pytest.raises(IontideError, match="the Dask scheduler has ended; finished blocks are in"):
        run_on_dask(store.folder, processes.address, report=kill_the_scheduler, patience=3.0)
    assert time.monotonic() - began[0] < 300.0


# -- workers in jobs of Slurm -----------------------------------------------------------------------------------------

with_jobqueue = pytest.mark.skipif(
    importlib.util.find_spec("dask_jobqueue") is None, reason="dask-jobqueue is not installed"
)


@with_jobqueue
def test_whoever_listens_for_ctrl_c_still_does():
    code = (
        "import signal\nfrom iontide.sweeps.backends.dask_jobqueue import import_jobqueue\nimport_jobqueue()\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@with_jobqueue
def test_workers_in_jobs_of_slurm(slurm: Loopback, tmp_path):
    store = make_sweep(tmp_path / "sweep")
    outcome = run_in_slurm_jobs(store.folder, SlurmOptions.read("partition=debug,time=10,mem=500M,cpus=1,elements=2"))
    assert outcome.blocks == 24
    assert_whole_and_same(store)
    slurm.wait_until(lambda: not slurm.ask("squeue", "-h").strip())
    assert list((store.folder / "logs").glob("dask_*.log"))


@with_jobqueue
def test_what_slurm_refuses_is_told(slurm: Loopback, tmp_path):
    store = make_sweep(tmp_path / "sweep")
    with pytest.raises(UsageError, match="Slurm refused"):
        run_in_slurm_jobs(store.folder, SlurmOptions({"constraint": "unobtainium"}))
    with pytest.raises(UsageError, match="there is no partition long"):
        run_in_slurm_jobs(store.folder, SlurmOptions({"partition": "long"}))
    with pytest.raises(UsageError, match="cannot handle the path"):
        run_in_slurm_jobs(make_sweep(tmp_path / "my sweep").folder, SlurmOptions({}))


@with_jobqueue
def test_jobs_that_end_without_becoming_workers_are_told(slurm: Loopback, tmp_path):
    store = make_sweep(tmp_path / "sweep")
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(slurm_cluster(SlurmOptions({"elements": "1"}), store.folder))
        slurm.wait_until(lambda: slurm.ask("squeue", "-h").strip())
        slurm.ask("scancel", f"--user={getpass.getuser()}")
        with pytest.raises(IontideError, match="has had no worker"):
            run_on_dask(
                store.folder, cluster, patience=1.0, workers_expected=lambda: bool(slurm.ask("squeue", "-h").strip())
            )
