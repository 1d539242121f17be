"""Claims: two processes do not do the same block, and those of processes that are gone are in nobody's way."""

import os
import subprocess
import sys
import threading
import time

import pytest

from iontide.sweeps.store import block_locks as claims
from iontide.sweeps.store import store as storing
from iontide.sweeps.store.block_locks import Claims, is_gone, this_process
from iontide.sweeps.store.store import Store
from tests.support.plain_plan import PlainPlan


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "claims"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(storing, "Plan", PlainPlan)
    return Store.create(tmp_path / "sweep", PlainPlan())


def name_with(machine=None, process=None, beginning=None):
    parts = this_process().split("~")
    return "~".join([machine or parts[0], parts[1], str(process or parts[2]), str(beginning or parts[3])])


def ended_process():
    """The name of a process that was there a moment ago."""
    code = "from iontide.sweeps.store.block_locks import this_process; print(this_process())"
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
    one, other = Claims(folder), Claims(folder)
    assert one.take(3)
    assert not other.take(3)
    assert not one.take(3)
    assert other.take(4)
    other.release(3)  # not its own
    assert not other.take(3)
    one.release(3)
    assert other.take(3)


def test_of_many_who_want_a_block_at_once_one_has_it(folder):
    for stale in (False, True):
        for number in range(20):
            if stale:
                leave(folder, name_with(beginning=1), number + 100)
            start = threading.Barrier(6)
            won = []

            def want(number=number + 100 * stale, start=start, won=won):
                mine = Claims(folder)
                start.wait()
                won.append(mine.take(number))

            threads = [threading.Thread(target=want) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sum(won) == 1


def test_who_is_gone_and_who_is_not():
    assert is_gone(this_process()) is False
    assert is_gone(ended_process()) is True
    assert is_gone(name_with(beginning=1)) is True, "the number was given to another process since"
    assert is_gone(name_with(machine="elsewhere")) is None
    for text in ("", "nonsense", "a~b", this_process() + "x", "\0" * 50):
        assert is_gone(text) is None


def test_a_process_that_was_killed_and_not_yet_waited_for_is_gone():
    code = "from iontide.sweeps.store.block_locks import this_process; print(this_process(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        name = p.stdout.readline().strip()
        assert is_gone(name) is False
        p.kill()
        os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(name) is True


@pytest.mark.parametrize(
    ("name", "age", "free"),
    [
        (lambda: ended_process(), 0, True),
        (lambda: name_with(machine="elsewhere"), 0, False),
        (lambda: name_with(machine="elsewhere"), claims.SILENCE - 30, False),
        (lambda: name_with(machine="elsewhere"), claims.SILENCE + 30, True),
        (lambda: "", 0, False),
        (lambda: "", claims.SILENCE_WITHOUT_NAME + 5, True),
        (lambda: this_process(), 10**6, False),
    ],
)
def test_claims_are_taken_over_from_who_is_gone_or_silent(folder, name, age, free):
    path = leave(folder, name(), age=age)
    own = Claims(folder)
    assert own.take(3) is free
    if free:
        assert path.read_text() == this_process()
        assert not Claims(folder).take(3)
        own.release(3)
        assert not path.exists()
    assert [n for n in os.listdir(folder) if n.startswith(".")] in ([], [".clock"])


def test_a_claim_that_was_taken_over_is_not_released_by_its_former_owner(folder):
    own = Claims(folder)
    own.take(3)
    path = leave(folder, name_with(machine="elsewhere"))
    own.release(3)
    assert path.exists()


def test_who_is_at_work_gives_signs_of_life(folder, monkeypatch):
    monkeypatch.setattr(claims, "PULSE", 0.05)
    own = Claims(folder)
    own.take(3)
    path = leave(folder, this_process(), age=1000)
    for _ in range(2000):
        if time.time() - path.stat().st_mtime < 10:
            break
        time.sleep(0.05)
    else:
        pytest.fail("no sign of life")
    own.release(3)
    own._pulse and own._pulse.join(10)
    assert own._pulse is None, "nothing is held, so nothing runs"
    own.take(4)
    assert own._pulse is not None


def test_without_a_place_for_claims_everybody_works(tmp_path):
    (tmp_path / "claims").write_text("a file")
    assert Claims(tmp_path / "claims").take(3)
    Claims(tmp_path / "claims").release(3)


def test_opening_a_sweep_clears_what_those_who_are_gone_have_left(store):
    shards, claimed = store.folder / "shards", store.folder / "claims"
    gone, elsewhere = ended_process(), name_with(machine="elsewhere")
    stay = {f".0000001.h5.{this_process()}.0123abcd.part", f".0000002.h5.{elsewhere}.0123abcd.part", "notes.part"}
    for name in (*stay, f".0000000.h5.{gone}.0123abcd.part", f".0000003.h5.{elsewhere}.0123abcd.part"):
        (shards / name).write_bytes(b"unfinished")
    os.utime(shards / f".0000003.h5.{elsewhere}.0123abcd.part", (0, 0))
    leave(claimed, gone, 0)
    leave(claimed, this_process(), 1)
    leave(claimed, elsewhere, 2)
    Store.open(store.folder)
    assert set(os.listdir(shards)) == stay
    assert set(os.listdir(claimed)) == {"0000001", "0000002", ".clock"}
    assert store.claim(0)
    assert not store.claim(1)
    assert not store.claim(2)
    store.release(0)
    assert store.claim(0)
