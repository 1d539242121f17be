"""Claims: two processes do not do the same block, and those of processes that are gone are in nobody's way."""

import os
import subprocess
import sys
import threading
import time

import pytest

from iontide.sweeps.store import block_locks as locks
from iontide.sweeps.store import store as storing
from iontide.sweeps.store.block_locks import BlockLocks, has_ended, process_name
from iontide.sweeps.store.store import Store
from tests.support.plain_plan import PlainPlan


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "locks"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(storing, "Plan", PlainPlan)
    return Store.create(tmp_path / "sweep", PlainPlan())


def name_with(machine=None, process=None, beginning=None):
    parts = process_name().split("~")
    return "~".join([machine or parts[0], parts[1], str(process or parts[2]), str(beginning or parts[3])])


def ended_process():
    """The name of a process that was there a moment ago."""
    code = "from iontide.sweeps.store.block_locks import process_name; print(process_name())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def leave(folder, name, number=3, age=0.0):
    """A claim as another left it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{number:07d}"
    path.write_text(name)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def test_a_block_is_claimed_once_until_it_is_released(folder):
    one, other = BlockLocks(folder), BlockLocks(folder)
    assert one.lock(3)
    assert not other.lock(3)
    assert not one.lock(3)
    assert other.lock(4)
    other.unlock(3)  # not its own
    assert not other.lock(3)
    one.unlock(3)
    assert other.lock(3)


def test_of_many_who_want_a_block_at_once_one_has_it(folder):
    for stale in (False, True):
        for number in range(20):
            if stale:
                leave(folder, name_with(beginning=1), number + 100)
            start = threading.Barrier(6)
            won = []

            def want(number=number + 100 * stale, start=start, won=won):
                mine = BlockLocks(folder)
                start.wait()
                won.append(mine.lock(number))

            threads = [threading.Thread(target=want) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sum(won) == 1


def test_who_is_gone_and_who_is_not():
    assert has_ended(process_name()) is False
    assert has_ended(ended_process()) is True
    assert has_ended(name_with(beginning=1)) is True, "the number was given to another process since"
    assert has_ended(name_with(machine="elsewhere")) is None
    for text in ("", "nonsense", "a~b", process_name() + "x", "\0" * 50):
        assert has_ended(text) is None


def test_a_process_that_was_killed_and_not_yet_waited_for_is_gone():
    code = "from iontide.sweeps.store.block_locks import process_name; print(process_name(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        name = p.stdout.readline().strip()
        assert has_ended(name) is False
        p.kill()
        os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(name) is True


@pytest.mark.parametrize(
    ("name", "age", "free"),
    [
        (lambda: ended_process(), 0, True),
        (lambda: name_with(machine="elsewhere"), 0, False),
        (lambda: name_with(machine="elsewhere"), locks.TIMEOUT - 30, False),
        (lambda: name_with(machine="elsewhere"), locks.TIMEOUT + 30, True),
        (lambda: "", 0, False),
        (lambda: "", locks.TIMEOUT_WITHOUT_NAME + 5, True),
        (lambda: process_name(), 10**6, False),
    ],
)
def test_locks_are_taken_over_from_who_is_gone_or_silent(folder, name, age, free):
    path = leave(folder, name(), age=age)
    own = BlockLocks(folder)
    assert own.lock(3) is free
    if free:
        assert path.read_text() == process_name()
        assert not BlockLocks(folder).lock(3)
        own.unlock(3)
        assert not path.exists()
    assert [n for n in os.listdir(folder) if n.startswith(".")] in ([], [".clock"])


def test_a_claim_that_was_taken_over_is_not_released_by_its_former_owner(folder):
    own = BlockLocks(folder)
    own.lock(3)
    path = leave(folder, name_with(machine="elsewhere"))
    own.unlock(3)
    assert path.exists()


def test_who_is_at_work_gives_signs_of_life(folder, monkeypatch):
    monkeypatch.setattr(locks, "HEARTBEAT", 0.05)
    own = BlockLocks(folder)
    own.lock(3)
    path = leave(folder, process_name(), age=1000)
    for _ in range(2000):
        if time.time() - path.stat().st_mtime < 10:
            break
        time.sleep(0.05)
    else:
        pytest.fail("no sign of life")
    own.unlock(3)
    own._heartbeat_thread and own._heartbeat_thread.join(10)
    assert own._heartbeat_thread is None, "nothing is held, so nothing runs"
    own.lock(4)
    assert own._heartbeat_thread is not None


def test_without_a_place_for_locks_everybody_works(tmp_path):
    (tmp_path / "locks").write_text("a file")
    assert BlockLocks(tmp_path / "locks").lock(3)
    BlockLocks(tmp_path / "locks").unlock(3)


def test_opening_a_sweep_clears_what_those_who_are_gone_have_left(store):
    shards, locked = store.folder / "shards", store.folder / "locks"
    gone, locked_blocks = ended_process(), name_with(machine="elsewhere")
    stay = {f".0000001.h5.{process_name()}.0123abcd.part", f".0000002.h5.{locked_blocks}.0123abcd.part", "notes.part"}
    for name in (*stay, f".0000000.h5.{gone}.0123abcd.part", f".0000003.h5.{locked_blocks}.0123abcd.part"):
        (shards / name).write_bytes(b"unfinished")
    os.utime(shards / f".0000003.h5.{locked_blocks}.0123abcd.part", (0, 0))
    leave(locked, gone, 0)
    leave(locked, process_name(), 1)
    leave(locked, locked_blocks, 2)
    Store.open(store.folder)
    assert set(os.listdir(shards)) == stay
    assert set(os.listdir(locked)) == {"0000001", "0000002", ".clock"}
    assert store.lock(0)
    assert not store.lock(1)
    assert not store.lock(2)
    store.unlock(0)
    assert store.lock(0)
