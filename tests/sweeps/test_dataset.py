"""One file of all shards, copied or virtual, for iontide and for xarray; and what open_sweep makes of it."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace

import h5py
import numpy as np
import pytest

from iontide import storage
from iontide.errors import FileError, UsageError
from iontide.storage.reserved import ReservedFile
from iontide.sweeps.compute.block import STATUSES, Block, OutputValues
from iontide.sweeps.dataset import open_sweep
from iontide.sweeps.store import append_dataset as appending
from iontide.sweeps.store import merging
from iontide.sweeps.store import store as storing
from iontide.sweeps.store.append_dataset import chunk_shape
from iontide.sweeps.store.merging import IncompleteSweep, merge
from iontide.sweeps.store.shards import write_shard
from iontide.sweeps.store.store import Store
from tests.support.paths import ROOT
from tests.support.plain_plan import CATEGORIES, PlainPlan, everything, made_block
from tests.support.storage_checks import small_trajectory

K, ACTIVITY = "membranes.plasma.permeability.K", "compartments.cell.activity"


@pytest.fixture(autouse=True)
def plain_plans(monkeypatch):
    monkeypatch.setattr(storing, "Plan", PlainPlan)


def make(folder, plan, without=()):
    store = Store.create(folder, plan)
    for number in set(range(plan.blocks)) - set(without):
        store.write(made_block(plan, number))
    return store


@pytest.fixture
def store(tmp_path):
    return make(tmp_path / "sweep", everything())


def all_blocks(plan):
    return [made_block(plan, number) for number in range(plan.blocks)]


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# -- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["folder", "copied", "virtual"])
def test_everything_is_read_back_bit_for_bit(store, tmp_path, what):
    path = store.folder if what == "folder" else merge(store.folder, tmp_path / "m.h5", virtual=what == "virtual")
    sweep, plan, blocks = open_sweep(path), store.plan, all_blocks(store.plan)
    assert (sweep.size, len(sweep), sweep.shape, sweep.digest) == (15, 15, (5, 3), plan.digest)
    assert sweep.paths == (K, ACTIVITY)
    assert sweep.names == plan.keep
    assert same(sweep.values(K), plan.values(0, 15)[:, 0] * 100.0)
    assert (sweep.unit(K), sweep.unit("max(plasma.V)"), sweep.unit("verdict")) == ("cm/s", "mV", "")
    assert sweep.values(ACTIVITY).tolist() == ["ideal", "davies", "debye hueckel"] * 5
    assert sweep.categories(ACTIVITY) == ("ideal", "davies", "debye hueckel")
    assert sweep.categories("verdict") == CATEGORIES
    for name in plan.keep:
        assert same(sweep.output(name), np.concatenate([block.outputs[name].values for block in blocks])), name
    for name in ("status", "time", "steps"):
        assert same(getattr(sweep, name), np.concatenate([getattr(block, name) for block in blocks])), name
    assert sweep.messages == {point: text for block in blocks for point, text in block.messages.items()}
    assert sweep.long_name("max(plasma.V)") == "the highest V"
    assert sweep.dimensions("trajectory(plasma.V)") == ("time",)
    assert sweep.coordinate("time").tolist() == [0.0, 1.0, 10.0]
    assert sweep.coordinate("state").tolist() == ["cell.K", "cell µ"]
    codes = sweep.output("verdict")
    assert sweep.output_categories("verdict").tolist() == ["" if code < 0 else CATEGORIES[code] for code in codes]
    assert sweep.faults == ()
    assert sum(sweep.counts.values()) == 15
    told = repr(sweep)
    assert "15 points, a grid of 5 × 3" in told
    assert f"{K} (cm/s), {ACTIVITY}" in told
    assert "2 failed" in told


def test_what_there_is_not_is_told_with_what_there_is(store):
    sweep = open_sweep(store.folder)
    for ask, told in [
        (lambda: sweep.values("parameters.x"), f"parameters.x is not varied; varied are {K}"),
        (lambda: sweep.output("end.V"), r"this sweep has no output end.V; it has max\(plasma.V\), verdict"),
        (lambda: sweep.output_categories("end"), "end is a number and has no categories"),
        (lambda: sweep.coordinate("space"), "there is no dimension space; there are time, state"),
        (lambda: sweep.to_xarray(["nonsense"]), "this sweep has no output nonsense"),
    ]:
        with pytest.raises(UsageError, match=told):
            ask()


def test_an_unfinished_folder_is_read_as_it_is(tmp_path):
    store = make(tmp_path / "sweep", everything(), without=(1, 3))
    store.shard(1).write_bytes(b"not a shard")
    sweep = open_sweep(store.folder)
    missing = np.isin(np.arange(15) // 4, (1, 3))
    assert ((sweep.status == 0) == missing).all()
    assert np.isnan(sweep.time[missing]).all()
    assert np.isnan(sweep.output("end")[missing]).all()
    assert (sweep.output("verdict")[missing] == -1).all()
    assert (sweep.steps[missing] == -1).all()
    assert len(sweep.faults) == 1
    assert "7 missing" in repr(sweep)
    assert "ignored shards: 1, the first: " in repr(sweep)
    # What comes later belongs to the next look.
    store.write(made_block(store.plan, 1))
    assert np.isnan(sweep.output("end")[missing]).all()
    nothing = open_sweep(make(tmp_path / "empty", everything(), without=range(4)).folder)
    assert (nothing.names, nothing.counts) == ((), {"missing": 15})


def test_shards_that_hold_other_quantities_are_refused(store):
    write_shard(store.shard(2), replace(made_block(store.plan, 2), outputs={}), store.plan.digest)
    with pytest.raises(FileError, match=r"0000002\.h5: holds other quantities than the first shard"):
        open_sweep(store.folder).output("end")
    with pytest.raises(FileError, match="holds other quantities"):
        merge(store.folder, store.folder.with_name("m.h5"))
    assert not store.folder.with_name("m.h5").exists()


# -- xarray ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("virtual", [False, True])
def test_a_merged_file_opens_in_xarray_with_coordinates(store, tmp_path, virtual):
    import xarray  # takes long to import

    path = merge(store.folder, tmp_path / "m.h5", virtual=virtual)
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert dict(data.sizes) == {"point": 15, "time": 3, "state": 2}
        assert set(data.coords) == {"point", "time", "state", K, ACTIVITY}
        assert data[K].dims == ("point",)
        assert data[K].attrs["units"] == "cm/s"
        assert (data[K].values == open_sweep(store.folder).values(K)).all()
        assert data["time"].attrs["units"] == "s"
        assert data["state"].values.tolist() == ["cell.K", "cell µ"]
        assert data["max(plasma.V)"].attrs["units"] == "mV"
        assert data["max(plasma.V)"].attrs["long_name"] == "the highest V"
        assert data["end"].dims == ("point", "state")
        assert data["verdict"].attrs["flag_meanings"] == "rests depolarises_for_good swells"
        assert data["verdict"].attrs["flag_values"].tolist() == [0, 1, 2]
        assert data["status"].attrs["flag_meanings"].split() == list(STATUSES)
        assert data[ACTIVITY].attrs["flag_meanings"] == "ideal davies debye_hueckel"
        assert data.attrs["grid_shape"].tolist() == [5, 3]
        for name in store.plan.keep:
            assert (data[name].values.tobytes()) == open_sweep(store.folder).output(name).tobytes()


def test_copied_and_virtual_hold_the_same(store, tmp_path):
    import xarray  # takes long to import

    copied, virtual = (merge(store.folder, tmp_path / f"{v}.h5", virtual=v) for v in (False, True))
    one, other = (xarray.load_dataset(path, engine="h5netcdf") for path in (copied, virtual))
    one.attrs["created"] = other.attrs["created"] = ""
    xarray.testing.assert_identical(one, other)


def test_a_grid_is_unstacked_into_its_own_dimensions(store):
    data = open_sweep(store.folder).to_xarray()
    assert dict(data.sizes) == {K: 5, ACTIVITY: 3, "time": 3, "state": 2}
    assert data[K].values.tolist() == (1e-8 * np.arange(1.0, 6.0) * 100.0).tolist()
    assert data[ACTIVITY].values.tolist() == ["ideal", "davies", "debye hueckel"]
    flat = open_sweep(store.folder).to_xarray(grid=False)
    assert dict(flat.sizes) == {"point": 15, "time": 3, "state": 2}
    for point in range(15):
        where = {K: flat[K].values[point], ACTIVITY: flat[ACTIVITY].values[point]}
        cell = data.sel(where)
        assert cell["point"] == point
        assert cell["end"].values.tobytes() == flat["end"].values[point].tobytes()
        assert cell["status"] == flat["status"][point]
    few = open_sweep(store.folder).to_xarray(["verdict"])
    assert set(few.data_vars) == {"status", "time_reached", "steps", "verdict"}
    assert set(few.coords) == {"point", K, ACTIVITY}


def test_a_grid_with_axes_of_one_value_is_a_grid(tmp_path):
    data = open_sweep(make(tmp_path / "s", everything(shape=(1, 3, 1))).folder).to_xarray()
    assert dict(data.sizes) == {K: 1, ACTIVITY: 3, "parameters.p0": 1, "time": 3, "state": 2}


def test_points_that_make_no_grid_stay_in_a_row(tmp_path):
    store = make(tmp_path / "s", everything(design_name="sobol"))
    for path in (store.folder, merge(store.folder, tmp_path / "m.h5")):
        sweep = open_sweep(path)
        assert sweep.shape == ()
        assert dict(sweep.to_xarray().sizes) == {"point": 15, "time": 3, "state": 2}
        with pytest.raises(UsageError, match="form no grid"):
            sweep.to_xarray(grid=True)


# -- merging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("virtual", [False, True])
def test_missing_points_are_refused_unless_they_are_allowed(tmp_path, virtual):
    import xarray  # takes long to import

    store = make(tmp_path / "sweep", everything(), without=(1, 3))
    with pytest.raises(IncompleteSweep, match=r"7 of 15 points are missing \(blocks 1, 3\)") as caught:
        merge(store.folder, tmp_path / "m.h5", virtual=virtual)
    assert caught.value.exit_code == 5
    assert not (tmp_path / "m.h5").exists()
    path = merge(store.folder, tmp_path / "m.h5", virtual=virtual, allow_missing=True)
    of_file, of_folder = open_sweep(path), open_sweep(store.folder)
    for name in store.plan.keep:
        assert same(of_file.output(name), of_folder.output(name))
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert data["status"].values.tolist() == of_folder.status.tolist()
        assert np.isnan(data["max(plasma.V)"].values[4:8]).all()
        assert data["verdict"].values[4:8].tolist() == [-1] * 4
        assert data["steps"].values[4:8].tolist() == [-1] * 4
        assert data.attrs["missing"] == 7


def test_a_virtual_file_and_its_folder_can_be_moved_together(tmp_path):
    place = tmp_path / "100% K+ µ"
    store = make(place / "sweep", everything(keep=("end", "max(plasma.V)")))
    merge(store.folder, place / "seen" / "m.h5", virtual=True)
    outputs = open_sweep(store.folder).output("end")
    moved = tmp_path / "elsewhere"
    shutil.move(place, moved)
    with h5py.File(moved / "seen" / "m.h5") as file:
        assert file["end"].is_virtual
        assert same(file["end"][()], outputs)
    assert same(open_sweep(moved / "seen" / "m.h5").output("end"), outputs)


def test_a_virtual_file_does_not_pass_off_lost_shards_as_nan(store, tmp_path):
    path = merge(store.folder, tmp_path / "m.h5", virtual=True)
    store.remove(2)
    with pytest.raises(FileError, match=r"4 points are missing; 0 were missing when the file was made"):
        open_sweep(path)
    shutil.rmtree(store.folder)
    with pytest.raises(FileError, match="is not the folder of a sweep"):
        open_sweep(path)
    make(store.folder, replace(store.plan, seed=3))
    with pytest.raises(FileError, match="is now the sweep of another plan"):
        open_sweep(path)


def test_a_virtual_file_over_more_shards_than_hdf5_opens_is_refused(tmp_path, monkeypatch):
    store = make(tmp_path / "sweep", everything())
    monkeypatch.setattr(merging, "MOST_VIRTUAL", 3)
    with pytest.raises(UsageError, match="has 4 shards, and a virtual file can refer to 3"):
        merge(store.folder, tmp_path / "m.h5", virtual=True)
    merge(store.folder, tmp_path / "m.h5")


def test_any_name_can_be_merged(tmp_path):
    import xarray  # takes long to import

    names = ["a/b", "a b", "a_b", ".", "100%s", "status", "point", "time", "provenance", K, "µ"]
    plan = everything(keep=tuple(names))
    store = Store.create(tmp_path / "sweep", plan)
    for number in range(plan.blocks):
        points = np.arange(*plan.span(number), dtype=float)
        outputs = {name: OutputValues(points + 100 * k, "mV") for k, name in enumerate(names)}
        n = len(points)
        store.write(Block(int(points[0]), np.ones(n, dtype=np.int8), points, np.arange(n), outputs))
    for virtual in (False, True):
        path = merge(store.folder, tmp_path / "m.h5", virtual=virtual)
        with xarray.open_dataset(path, engine="h5netcdf") as data:
            assert set(data.coords) == {"point", K, ACTIVITY}
            assert data["100%s"].values.tolist() == (np.arange(15.0) + 400).tolist()
        for k, name in enumerate(names):
            assert open_sweep(path).output(name).tolist() == (np.arange(15.0) + 100 * k).tolist()


@pytest.mark.parametrize("chunk", [8, 16, 24, 1 << 16])
def test_blocks_and_chunks_need_not_match(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(appending, "CHUNK", chunk)
    for block in (1, 4, 7, 15, 20):
        store = make(tmp_path / f"sweep{block}", everything(block=block))
        path = merge(store.folder, tmp_path / "m.h5")
        for name in store.plan.keep:
            assert same(open_sweep(path).output(name), open_sweep(store.folder).output(name))


def test_long_rows_are_cut_too():
    assert chunk_shape(10**6, (), 8) == (8192,)
    assert chunk_shape(10, (), 8) == (10,)
    assert chunk_shape(10**6, (1000,), 8) == (8, 1000)
    long = chunk_shape(10, (10**6, 3), 8)
    assert long[0] == 1
    assert np.prod(long) * 8 <= 1 << 20
    assert chunk_shape(10, (0, 5), 8)[1:] == (1, 5)


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("points", [1, 100, 20_000])
def test_the_reserved_space_suffices(tmp_path, monkeypatch, points, virtual):
    sizes = {}
    finish = ReservedFile.finish
    monkeypatch.setattr(
        ReservedFile, "finish", lambda f: (sizes.update(used=f._size, reserved=f._reserved), finish(f))[1]
    )
    store = make(tmp_path / "sweep", everything(shape=(points,), block=max(1, points // 200)))
    merge(store.folder, tmp_path / "m.h5", virtual=virtual)
    assert sizes["used"] == os.path.getsize(tmp_path / "m.h5") <= sizes["reserved"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), MemoryError()])
def test_a_merge_that_is_broken_off_leaves_the_old_file(store, tmp_path, error):
    target = merge(store.folder, tmp_path / "m.h5")
    before = target.read_bytes()

    def break_off(done, blocks):
        if done == 2:
            raise error

    with pytest.raises(FileError if isinstance(error, OSError) else type(error)):
        merge(store.folder, target, progress=break_off)
    assert target.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["m.h5", "sweep"]


def test_a_full_disk_is_told_and_leaves_nothing(store, tmp_path, monkeypatch):
    def full(file, size):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(ReservedFile, "reserve", full)
    with pytest.raises(FileError, match="no space left on the device; nothing was written"):
        merge(store.folder, tmp_path / "m.h5")
    assert os.listdir(tmp_path) == ["sweep"]


def test_only_hdf5_files_are_replaced(store, tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.h5"):
        merge(store.folder, tmp_path / "m.nc")
    (tmp_path / "thesis.h5").write_text("a thesis")
    with pytest.raises(FileError, match="is not a result file"):
        merge(store.folder, tmp_path / "thesis.h5")


def test_it_is_told_where_a_merged_file_comes_from(store, tmp_path):
    with h5py.File(merge(store.folder, tmp_path / "m.h5")) as file:
        header = json.loads(file["provenance/header"][0])
        assert json.loads(file["provenance/plan"][0]) == json.loads(json.dumps(store.plan.to_json()))
        assert {"iontide", "h5py", "cpu"} <= set(file["provenance"].attrs)
    assert [machine[0] for machine in header["computed_by"]] == [header["provenance"]["iontide"]]


# -- files that are not to be trusted -------------------------------------------------------------------------------


def read_everything(path):
    sweep = open_sweep(path)
    for name in sweep.names:
        sweep.output(name)
    return repr(sweep), sweep.values(K), sweep.messages, sweep.to_xarray()


def refusal(path):
    with pytest.raises(FileError) as caught:
        read_everything(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_files_are_refused(tmp_path, store):
    run = storage.save(small_trajectory(), tmp_path / "run.h5")
    assert refusal(run).endswith("the file contains a run, not a sweep")
    assert "not a result of iontide" in refusal(store.shard(0)) or "not an HDF5 file" in refusal(store.shard(0))
    (tmp_path / "x.h5").write_text("text")
    assert "not an HDF5 file" in refusal(tmp_path / "x.h5")
    assert "no such file" in refusal(tmp_path / "nowhere.h5")
    merged = merge(store.folder, tmp_path / "m.h5")
    with pytest.raises(FileError, match="the file contains a sweep, not a run"):
        storage.open_trajectory(merged)


@pytest.mark.parametrize("how", ["size", "shape", "outputs", "types", "grid", "link", "external", "messages"])
def test_a_merged_file_made_to_do_harm_is_one_error(store, tmp_path, how):
    path = merge(store.folder, tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        header = json.loads(file["provenance/header"][0])
        if how == "size":
            header["size"] = 10**15
        elif how == "shape":
            header["shape"] = "5x3"
        elif how == "outputs":
            header["outputs"] = [1]
        elif how == "types":
            header["outputs"][0]["dtype"] = "O"
        elif how == "grid":
            header["shape"] = [5, 4]
        elif how == "link":
            del file["end"]
            file["end"] = h5py.ExternalLink(str(store.shard(0)), "outputs/end")
        elif how == "external":
            del file["end"]
            file.create_dataset("end", (15, 2), dtype="f8", external=[(str(store.shard(0)), 0, 240)])
        elif how == "messages":
            file["failures/messages"][0] = ord("}")
        del file["provenance/header"]
        storage.datasets.write_text(file["provenance"], "header", json.dumps(header))
    assert str(path) in refusal(path)


def test_a_merged_file_that_was_cut_short_is_refused(store, tmp_path):
    path = merge(store.folder, tmp_path / "m.h5")
    data = path.read_bytes()
    for length in (10, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert re.match(f"{re.escape(str(path))}: ", refusal(path))


# -- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_index_and_merge_take_no_more_memory_for_more_points(tmp_path):
    code = """
        import resource, sys
        from dataclasses import replace
        from tests.support.plain_plan import PlainPlan, made_block, stand_in
        stand_in()
        from iontide.sweeps.store.status_index import rebuild_index
        from iontide.sweeps.store.merging import merge
        from iontide.sweeps.store.store import Store
        store = Store.create(sys.argv[1], PlainPlan((int(sys.argv[2]),), 4096))
        for number in range(store.plan.blocks):
            store.write(replace(made_block(store.plan, number), messages={}))
        assert rebuild_index(store.folder).missing == ()
        merge(store.folder, sys.argv[1] + ".h5")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    peaks = []
    for points in (200_000, 1_200_000):
        command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / str(points)), str(points)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    # A million points more are 32 MB more in what is merged.
    assert peaks[1] - peaks[0] < 8_000, peaks
