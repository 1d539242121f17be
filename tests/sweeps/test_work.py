"""The worker's loop: what is there is skipped, what another has in hand is left or taken; a stop between blocks."""

from __future__ import annotations

import os
import signal

import pytest

from iontide.errors import FileError
from iontide.sweeps.backends.work import DONE_BEFORE, BlockReport, BlockWorker, Outcome, StopRequest, work
from tests.support.sweep_checks import assert_whole_and_same, make_sweep


def test_every_block_is_computed_once_and_reported(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=22)
    reports: list[BlockReport] = []
    assert work(store.folder, [1, 3], report=reports.append).blocks == 2
    outcome = work(store.folder, report=reports.append)
    assert (outcome.blocks, outcome.done_before, outcome.points) == (4, 2, 14)
    assert [report.block for report in reports] == [1, 3, 0, 2, 4, 5]
    assert [report.points for report in reports] == [4, 4, 4, 4, 4, 2]
    assert_whole_and_same(store)


def test_a_worker_that_finds_all_done_builds_no_engine(tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=8)
    work(store.folder)
    monkeypatch.setattr("iontide.sweeps.compute.engine.Engine", None)
    assert work(store.folder) == Outcome(done_before=2)


def test_a_shard_that_is_cut_short_does_not_count(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=8)
    work(store.folder)
    os.truncate(store.shard(1), 1000)
    outcome = work(store.folder)
    assert (outcome.blocks, outcome.done_before) == (1, 1)
    assert_whole_and_same(store)


def test_a_stop_comes_between_blocks(tmp_path):
    store = make_sweep(tmp_path / "sweep")
    reports: list[BlockReport] = []
    outcome = work(store.folder, stop=lambda: len(reports) == 3, report=reports.append)
    assert outcome.stopped
    assert outcome.exit_code == 5
    assert store.missing() == list(range(3, 24))
    assert not any((store.folder / "locks").glob("[0-9]*"))


def test_what_another_has_in_hand_is_left_unless_insisted_on(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=16)
    assert store.lock(2)
    outcome = work(store.folder)
    assert (outcome.blocks, outcome.locked_blocks, outcome.exit_code) == (3, (2,), 5)
    outcome = work(store.folder, ignore_lock=True)
    assert (outcome.blocks, outcome.done_before, outcome.locked_blocks, outcome.exit_code) == (1, 3, (), 0)
    assert (store.folder / "locks" / "0000002").exists(), "a lock is released by its owner only"
    assert_whole_and_same(store)


def test_a_block_that_is_finished_between_two_looks_is_not_computed_again(tmp_path, monkeypatch):
    store = make_sweep(tmp_path / "sweep", points=4)
    block_worker = BlockWorker(store.folder)
    lock = block_worker.store.lock

    def lock_late(number: int) -> bool:
        work(store.folder)
        return lock(number)

    monkeypatch.setattr(block_worker.store, "lock", lock_late)
    assert block_worker.compute(0) == DONE_BEFORE
    assert block_worker.stored_report(0) == BlockReport(0, 4, 0, 0.0)


def test_a_shard_that_cannot_be_written_ends_the_work_and_takes_the_claim_back(tmp_path):
    store = make_sweep(tmp_path / "sweep", points=8)
    store.shard(0).mkdir()  # in the way of the file
    with pytest.raises(FileError, match="cannot write"):
        work(store.folder)
    assert not any((store.folder / "locks").glob("[0-9]*"))


def test_a_folder_that_is_no_sweep_is_refused(tmp_path):
    with pytest.raises(FileError, match="not the folder of a sweep"):
        work(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_asks_to_stop(number):
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop()
        assert stop.exit_code == 0
        os.kill(os.getpid(), number)
        assert stop()
        assert stop.exit_code == 128 + number
        if number == signal.SIGINT:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
