"""The folder of a sweep: shards are there whole or count as missing, whoever was killed, and nothing is lost."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iontide.errors import FileError
from iontide.sweeps.compute.block import FAILED, STATUSES, Block, OutputValues
from iontide.sweeps.store import status_index as indexing
from iontide.sweeps.store import store as storing
from iontide.sweeps.store.shards import TYPES, read_shard, shard_bytes, verify_shard, write_shard
from iontide.sweeps.store.status_index import (
    index_of,
    progress_of,
    read_status,
    read_statuses,
    rebuild_index,
    write_status,
)
from iontide.sweeps.store.store import Store
from tests.support.paths import ROOT
from tests.support.plain_plan import PlainPlan, differences, everything, made_block


@pytest.fixture(autouse=True)
def plain_plans(monkeypatch):
    monkeypatch.setattr(storing, "Plan", PlainPlan)


@pytest.fixture
def store(tmp_path):
    """A sweep of which everything is done."""
    store = Store.create(tmp_path / "sweep", everything())
    for number in range(store.plan.blocks):
        store.write(made_block(store.plan, number))
    return store


def start_script(code, *arguments):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run_script(code, *arguments):
    with start_script(code, *arguments) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    return out


# -- blocks through shards ------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_characters="\0"), max_size=12)
NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=12)


@st.composite
def blocks(draw):
    points = draw(st.integers(1, 6))
    start = draw(st.integers(0, 10**12))

    def quantity(rows):
        more = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
        shape = (*rows, *more) or (2,)
        values = draw(hnp.arrays(draw(st.sampled_from(TYPES)), shape))
        dimensions = tuple(draw(NAMES) for _ in shape[len(rows) :])
        return OutputValues(values, draw(TEXT), dimensions, tuple(draw(st.lists(TEXT, max_size=3))), draw(TEXT))

    return Block(
        start=start,
        status=draw(hnp.arrays(np.int8, points, elements=st.integers(1, len(STATUSES) - 1))),
        time=draw(hnp.arrays(float, points)),
        steps=draw(hnp.arrays(np.int64, points)),
        outputs={name: quantity((points,)) for name in draw(st.sets(NAMES, max_size=3))},
        coordinates={name: quantity(()) for name in draw(st.sets(NAMES, max_size=2))},
        messages=draw(st.dictionaries(st.integers(start, start + points - 1), st.text(max_size=20))),
    )


@settings(max_examples=60)
@given(block=blocks())
def test_a_block_comes_back_bit_for_bit(block, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "block.h5"
    head = write_shard(path, block, "d" * 64)
    assert verify_shard(path, "d" * 64, (block.start, block.stop)) == head
    assert head.counts == tuple(np.bincount(block.status, minlength=len(STATUSES)))
    assert differences(read_shard(path, block.start, block.stop), block) == []


@pytest.mark.parametrize("name", ["a/b", "a_b", ".", "..", "/", "100% K+ µ", "max(plasma.V)", " ", "\ud800"])
def test_any_name_can_be_kept(tmp_path, name):
    block = replace(
        made_block(everything(), 0), outputs={name: OutputValues(np.arange(4.0)), "a_b ": OutputValues(np.arange(4))}
    )
    write_shard(tmp_path / "x.h5", block, "d")
    assert differences(read_shard(tmp_path / "x.h5", 0, 4), block) == []


def test_a_block_always_becomes_the_same_bytes(tmp_path):
    code = """
        import hashlib
        from tests.support.plain_plan import everything, made_block
        from iontide.sweeps.store.shards import shard_bytes
        print(hashlib.sha256(shard_bytes(made_block(everything(), 1), "d" * 64)[1]).hexdigest())
    """
    time.sleep(1.1)  # HDF5 knows time by the second
    here = hashlib.sha256(shard_bytes(made_block(everything(), 1), "d" * 64)[1]).hexdigest()
    assert run_script(code).strip() == here


def test_a_shard_opens_in_h5py_and_says_what_it_is(store):
    with h5py.File(store.shard(1)) as file:
        assert file.attrs["format"] == "iontide-sweep-shard"
        assert (file.attrs["start"], file.attrs["stop"], file.attrs["plan"]) == (4, 8, store.plan.digest)
        highest = file["outputs/max(plasma.V)"]
        assert highest.attrs["units"] == "mV"
        assert highest.attrs["long_name"] == "the highest V"
        assert list(file["outputs/verdict"].attrs["categories"]) == list(
            made_block(store.plan, 1).outputs["verdict"].categories
        )
    head = json.loads(store.shard(1).read_bytes()[64:1024])
    assert head["counts"] == list(np.bincount(made_block(store.plan, 1).status, minlength=6))


@pytest.mark.parametrize(
    "change",
    [
        {"time": np.zeros(3)},
        {"status": np.zeros(4, dtype=np.int8)},
        {"outputs": {"x": OutputValues(np.zeros(5))}},
        {"outputs": {"x": OutputValues(np.zeros((4, 2)))}},
        {"outputs": {"x": OutputValues(np.zeros(4, dtype=complex))}},
        {"start": 1},
    ],
)
def test_what_is_no_block_of_the_plan_is_not_written(store, change):
    before = store.shard(0).read_bytes()
    with pytest.raises(ValueError):
        store.write(replace(made_block(store.plan, 0), **change))
    assert store.shard(0).read_bytes() == before


# -- folders --------------------------------------------------------------------------------------------------------


def test_a_folder_of_the_same_plan_is_gone_on_with(store):
    again = Store.create(store.folder, store.plan)
    assert again.missing() == []
    assert differences(again.read(2), made_block(store.plan, 2)) == []
    store.remove(1)
    assert Store.open(store.folder).missing() == [1]
    assert not store.has(1)
    with pytest.raises(FileError, match=r"0000001\.h5 is missing"):
        store.read(1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"shape": (7, 3)}, "points: 15 there, 21 here"),
        ({"block": 5}, "points in a block: 4 there, 5 here"),
        ({"keep": ("end",)}, "keep: .*verdict.* there, end here"),
        ({"shape": (15,)}, "varied: membranes.plasma.permeability.K, compartments.cell.activity there, membranes"),
        ({"seed": 1}, "seed: 0 there, 1 here"),
        ({"design_name": "sobol"}, "design: grid there, sobol here"),
    ],
)
def test_a_changed_plan_is_refused_with_what_differs(store, change, told):
    other = replace(store.plan, **change)
    with pytest.raises(FileError, match=told) as caught:
        Store.create(store.folder, other)
    assert store.plan.digest[:12] in str(caught.value)
    assert other.digest[:12] in str(caught.value)
    assert Store.open(store.folder).missing() == []


def test_what_is_no_folder_of_a_sweep_is_refused(tmp_path, store):
    with pytest.raises(FileError, match=r"is not the folder of a sweep: it has no plan\.json"):
        Store.open(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    with pytest.raises(FileError, match=r"holds other files \(thesis.tex\)"):
        Store.create(tmp_path / "other", everything())
    with pytest.raises(FileError, match="is a file; name a folder for the sweep"):
        Store.create(tmp_path / "other" / "thesis.tex", everything())
    for text in ("", "{", "[" * 10**5, "[]", "{}", '{"digest": 1}', store.plan.digest):
        (store.folder / "plan.json").write_text(text)
        with pytest.raises(FileError, match=r"plan\.json: "):
            Store.open(store.folder)
    told = store.plan.to_json()
    (store.folder / "plan.json").write_text(json.dumps(told | {"seed": 5}))
    with pytest.raises(FileError, match="the plan is not the one of its digest"):
        Store.open(store.folder)


def test_it_is_told_where_a_sweep_comes_from(store):
    told = json.loads((store.folder / "provenance.json").read_text())
    assert {"created", "argv", "iontide", "cpu", "numpy"} <= set(told)


# -- shards that do not count ---------------------------------------------------------------------------------------


def sealed(data):
    """The bytes of a shard with a checksum that fits: what follows is no accident."""
    return hashlib.sha256(data[64:]).hexdigest().encode() + data[64:]


def spoil(path, how, plan):
    data = path.read_bytes()
    head = json.loads(data[64:1024])
    if how == "garbage":
        path.write_bytes(np.random.default_rng(0).bytes(len(data)))
    elif how == "zeros":
        path.write_bytes(bytes(len(data)))
    elif how == "longer":
        path.write_bytes(data + b"x")
    elif how == "other plan":
        write_shard(path, made_block(plan, 1), replace(plan, seed=1).digest)
    elif how == "other points":
        write_shard(path, made_block(plan, 2), plan.digest)
    elif how == "other version":
        line = json.dumps(head | {"format_version": 99}).encode().ljust(959) + b"\n"
        path.write_bytes(sealed(data[:64] + line + data[1024:]))
    elif how == "no counts":
        line = json.dumps(head | {"counts": [1, "a"]}).encode().ljust(959) + b"\n"
        path.write_bytes(sealed(data[:64] + line + data[1024:]))
    elif how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "pipe":
        path.unlink()
        os.mkfifo(path)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("garbage", "this is no shard of a sweep"),
        ("zeros", "this is no shard of a sweep"),
        ("longer", "its checksum does not match its content"),
        ("other plan", "this is a shard of another plan"),
        ("other points", "holds the points 8 to 12"),
        ("other version", "its format is version 99"),
        ("no counts", "the counts of its points are missing"),
        ("folder", "not a regular file|is a directory"),
        ("pipe", "not a regular file"),
    ],
)
def test_a_shard_that_is_not_sound_counts_as_missing_and_is_told(store, how, told):
    spoil(store.shard(1), how, store.plan)
    for seen in (store, Store.open(store.folder)):  # also by the one that knew it as sound
        assert seen.missing() == [1]
        assert list(seen.faults) == [1]
        with pytest.raises(FileError, match=told):
            seen.read(1)
    found = rebuild_index(store.folder)
    assert (found.missing, list(found.faults), found.counts["missing"]) == ((1,), [1], 4)
    if how not in ("folder", "pipe"):
        store.write(made_block(store.plan, 1))
        assert store.missing() == []
        assert store.faults == {}


def test_a_shard_that_was_cut_anywhere_counts_as_missing(store):
    data = store.shard(0).read_bytes()
    rng = np.random.default_rng(3)
    for length in (0, 1, 63, 64, 65, 1023, 1024, 1025, len(data) - 1, *rng.integers(1025, len(data), 20)):
        store.shard(0).write_bytes(data[:length])
        assert not store.has(0)
        assert "\n" not in store.faults[0]


def test_a_flipped_bit_anywhere_is_seen(store):
    data = store.shard(0).read_bytes()
    rng = np.random.default_rng(4)
    for place in (*range(0, 1024, 31), *rng.integers(1024, len(data), 100)):
        spoiled = bytearray(data)
        spoiled[place] ^= 1 << int(rng.integers(8))
        store.shard(0).write_bytes(spoiled)
        assert not Store.open(store.folder).has(0), place


@pytest.mark.parametrize("how", ["external", "link", "chunked", "enormous", "about", "categories"])
def test_a_shard_made_to_do_harm_is_one_error(store, tmp_path, how):
    """The checksum fits; what it stands for must not be followed, allocated or believed all the same."""
    path = store.shard(1)
    (tmp_path / "secret").write_bytes(bytes(1000))
    with h5py.File(path, "r+") as file:
        if how == "about":
            del file["about"]
            file["about"] = np.frombuffer(b"[" * 10**5, dtype=np.uint8)
        elif how == "categories":
            told = file["about"][()].tobytes().replace(b'"shape": []', b'"shape": 77')
            del file["about"]
            file["about"] = np.frombuffer(told, dtype=np.uint8)
        else:
            del file["status"]
        if how == "external":
            file.create_dataset("status", (4,), dtype="i1", external=[(str(tmp_path / "secret"), 0, 4)])
        elif how == "link":
            file["status"] = h5py.ExternalLink(str(store.shard(0)), "status")
        elif how == "chunked":
            file.create_dataset("status", data=np.zeros(4, dtype="i1"), chunks=(2,))
        elif how == "enormous":
            file.create_dataset("status", (2**50,), dtype="i1")
    data = path.read_bytes()
    path.write_bytes(sealed(data))
    assert store.has(1)
    with pytest.raises(FileError, match=r"0000001\.h5: ") as caught:
        store.read(1)
    assert "\n" not in str(caught.value)


# -- killed writers -------------------------------------------------------------------------------------------------

WRITER = """
    import sys
    from tests.support.plain_plan import PlainPlan, made_block, stand_in
    stand_in()
    from iontide.sweeps.store.store import Store
    store = Store.open(sys.argv[1])
    blocks = [made_block(store.plan, number, scalars=5) for number in range(store.plan.blocks)]
    print("ready", flush=True)
    for turn in range(int(sys.argv[2])):
        for number, block in enumerate(blocks):
            if turn or not store.has(number):
                store.lock(number)
                store.write(block)
                store.unlock(number)
"""


def unfinished(folder):
    """How many files somebody is writing, or was when killed."""
    return sum(name.endswith(".part") for name in os.listdir(folder / "shards"))


def test_writers_killed_at_any_moment_leave_whole_shards_only_and_nothing_is_lost(tmp_path):
    plan = PlainPlan((60_000,), 3000)
    store = Store.create(tmp_path / "sweep", plan)
    rng = np.random.default_rng(11)
    seen, parts = 0, 0
    for turn in range(10):
        with start_script(WRITER, store.folder, 1000) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.06 * rng.random())
            while turn % 2 and not unfinished(store.folder):
                pass
            process.send_signal(signal.SIGKILL)
        parts += unfinished(store.folder)
        again = Store.open(store.folder)
        there = [number for number in range(plan.blocks) if again.has(number)]
        assert again.faults == {}
        assert len(there) >= seen, "what was there is there"
        seen = len(there)
        assert len(os.listdir(store.folder / "shards")) == seen, "what killed writers leave is cleared away"
        assert set(os.listdir(store.folder / "locks")) <= {".clock"}
    assert parts, "no writer was killed while it wrote"
    run_script(WRITER, store.folder, 1)
    again = Store.open(store.folder)
    assert again.missing() == []
    for number in range(plan.blocks):
        assert differences(again.read(number), made_block(plan, number, scalars=5)) == []


def test_two_writers_of_the_same_blocks_do_no_harm(tmp_path):
    store = Store.create(tmp_path / "sweep", PlainPlan((8000,), 1000))
    writers = [start_script(WRITER, store.folder, 5) for _ in range(2)]
    try:
        while any(writer.poll() is None for writer in writers):
            for number in range(store.plan.blocks):
                store.has(number)
                assert store.faults == {}
    finally:
        for writer in writers:
            out, err = writer.communicate()
            assert (out, err, writer.returncode) == ("ready\n", "", 0)
    assert len(os.listdir(store.folder / "shards")) == store.plan.blocks
    for number in range(store.plan.blocks):
        assert differences(store.read(number), made_block(store.plan, number, scalars=5)) == []


# -- full disks -----------------------------------------------------------------------------------------------------

LIMITED = """
    import os, resource, sys
    from tests.support.plain_plan import PlainPlan, made_block, stand_in
    stand_in()
    from iontide.errors import FileError
    from iontide.sweeps.store.store import Store
    from iontide.sweeps.store.merging import merge
    folder, limit = sys.argv[1], int(sys.argv[2])
    store = Store.create(folder, PlainPlan((12_000,), 4000))
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        for number in range(store.plan.blocks):
            store.write(made_block(store.plan, number, scalars=5))
    except FileError as error:
        print(error)
    print(len(os.listdir(folder + "/shards")), len(store.missing()), store.faults)
"""


def test_a_shard_over_the_limit_of_the_system_is_one_clean_error(tmp_path):
    told, found = run_script(LIMITED, tmp_path / "sweep", 100_000).splitlines()
    shard = tmp_path / "sweep" / "shards" / "0000000.h5"
    assert told == f"cannot write {shard}: the file would be larger than the system allows; nothing was written"
    assert found == "0 3 {}"


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_clean_error_and_what_was_there_stays(small_disk):
    told, found = run_script(LIMITED, small_disk / "sweep", 0).splitlines()
    assert told.startswith(f"cannot write {small_disk}/sweep/shards/000000")
    assert told.endswith(": no space left on the device; nothing was written")
    there, missing, faults = found.split()
    assert int(there) + int(missing) == 3
    assert int(there) > 0
    assert faults == "{}"


# -- the index ------------------------------------------------------------------------------------------------------


def test_the_index_says_what_became_of_every_point(store):
    store.remove(2)
    found = rebuild_index(store.folder)
    blocks = [made_block(store.plan, number) for number in (0, 1, 3)]
    statuses = np.concatenate([blocks[0].status, blocks[1].status, np.zeros(4, dtype=np.int8), blocks[2].status])
    assert read_statuses(store.folder).tolist() == statuses.tolist()
    assert list(found.counts.values()) == np.bincount(statuses, minlength=6).tolist()
    assert (found.size, found.blocks, found.missing, found.faults, found.exit_code) == (15, 4, (2,), {}, 5)
    assert found.failures == {point: text for block in blocks for point, text in block.messages.items()}
    assert store.failed() == [number for number in (0, 1, 3) if FAILED in made_block(store.plan, number).status]


def test_the_index_that_is_kept_equals_the_one_rebuilt_and_reads_only_what_is_new(store, monkeypatch):
    looks = []
    verify = storing.verify_shard
    monkeypatch.setattr(storing, "verify_shard", lambda *given: (looks.append(given[0].stem), verify(*given))[1])
    store.remove(3)
    index_of(Store.open(store.folder))
    assert looks == ["0000000", "0000001", "0000002"]
    looks.clear()
    changed = os.stat(store.folder / "index.h5").st_ino
    index_of(Store.open(store.folder))
    assert looks == []
    assert os.stat(store.folder / "index.h5").st_ino == changed
    store.write(made_block(store.plan, 3))
    store.remove(0)
    outputs = index_of(Store.open(store.folder))
    assert looks == ["0000003"]
    statuses = read_statuses(store.folder)
    (store.folder / "index.h5").unlink()
    assert rebuild_index(store.folder) == outputs
    assert (read_statuses(store.folder) == statuses).all()
    for spoiled in (b"", b"garbage", (store.folder / "index.h5").read_bytes()[:-500]):
        (store.folder / "index.h5").write_bytes(spoiled)
        assert index_of(store) == outputs
        assert (read_statuses(store.folder) == statuses).all()


def test_an_index_of_another_plan_is_not_believed(store, tmp_path):
    rebuild_index(store.folder)
    other = Store.create(tmp_path / "other", replace(store.plan, seed=1))
    (other.folder / "index.h5").write_bytes((store.folder / "index.h5").read_bytes())
    assert index_of(other).missing == (0, 1, 2, 3)


def test_only_so_many_failures_are_told_of(store, monkeypatch):
    everyone = rebuild_index(store.folder).failures
    monkeypatch.setattr(indexing, "MOST_FAILURES", 1)
    assert rebuild_index(store.folder).failures == dict(list(everyone.items())[:1])


def test_progress_is_told_to_programs(store):
    store.remove(2)
    progress = progress_of(rebuild_index(store.folder), rate=8.0)
    write_status(store.folder, progress)
    told = json.loads((store.folder / "status.json").read_text())
    assert (told["points"], told["missing"], told["rate"], told["remaining"]) == (15, 4, 8.0, 0.5)
    assert told["done"] + told["failed"] + told["excluded"] + told["missing"] == 15
    assert read_status(store.folder) == progress
    for rate in (None, 0.0, float("nan"), float("inf")):
        unknown = progress_of(index_of(store), rate)
        assert (unknown.rate, unknown.remaining) == (None, None)
    store.write(made_block(store.plan, 2))
    assert progress_of(index_of(store)).remaining == 0.0
    (store.folder / "status.json").write_text("{}")
    with pytest.raises(FileError, match=r"status\.json"):
        read_status(store.folder)
