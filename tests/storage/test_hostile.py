"""Result files that are damaged, foreign or made to do harm: each is one ``FileError``, and nothing worse."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from iontide import storage
from iontide.errors import FileError
from iontide.storage import untrusted as checked
from iontide.storage.datasets import FILTERS, write_array, write_text
from tests.support.storage_checks import differences, small_trajectory


@pytest.fixture(scope="module")
def trajectory():
    return small_trajectory()


@pytest.fixture(scope="module")
def sound(trajectory, tmp_path_factory):
    return storage.save(trajectory, tmp_path_factory.mktemp("sound") / "x.h5")


@pytest.fixture
def path(sound, tmp_path):
    """A copy to spoil."""
    return Path(shutil.copy(sound, tmp_path / "x.h5"))


def refusal(path):
    """The sentence by which a file is refused: one line that opens with its name; and the overview is no softer."""
    with pytest.raises(FileError) as caught:
        storage.open_trajectory(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    assert caught.value.exit_code == 6
    return sentence


def replaced(file, name, **options):
    """Put another dataset in the place of one."""
    del file[name]
    return file.create_dataset(name, **options)


# -- no result at all -----------------------------------------------------------------------------------------------


def test_no_file(tmp_path):
    assert refusal(tmp_path / "x.h5").endswith("no such file or directory")


def test_a_folder(tmp_path):
    assert refusal(tmp_path).endswith("it is not a regular file")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.h5")
    assert refusal(tmp_path / "x.h5").endswith("it is not a regular file")


@pytest.mark.parametrize("content", [b"", b"\x89HDF", b"time,V\n0,-70\n", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_hdf5(tmp_path, content):
    (tmp_path / "x.h5").write_bytes(content)
    assert re.search("not an HDF5 file|damaged or was cut short", refusal(tmp_path / "x.h5"))


def test_foreign_hdf5(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["provenance/elsewhere"] = 1
    assert refusal(tmp_path / "x.h5").endswith("this HDF5 file is not a result of iontide")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = 1
    assert refusal(tmp_path / "x.h5").endswith("this HDF5 file is not a result of iontide")


# -- damage ---------------------------------------------------------------------------------------------------------


def test_a_file_cut_short_anywhere(path):
    data = path.read_bytes()
    for length in np.linspace(8, len(data) - 1, 40).astype(int):
        path.write_bytes(data[:length])
        refusal(path)


def test_a_flipped_bit_is_seen_or_does_no_harm(trajectory, path):
    """Random bits all over the file: refused, or what is read is what was saved. Never a hang, never a crash."""
    data = path.read_bytes()
    rng = np.random.default_rng(3)
    refused = 0
    for position in rng.choice(len(data), 400, replace=False):
        spoiled = bytearray(data)
        spoiled[position] ^= 1 << rng.integers(8)
        path.write_bytes(spoiled)
        try:
            again = storage.open_trajectory(path)
        except FileError:
            refused += 1
        else:
            assert differences(again, trajectory) == [], position
    assert refused > 50


def test_texts_in_attributes_are_never_read(path):
    """HDF5 stores them in its global heap without a checksum; some flipped bits there make HDF5 loop for ever."""
    data = path.read_bytes()
    heap = data.index(b"NXroot")
    for position in range(heap - 24, heap + 24):
        spoiled = bytearray(data)
        spoiled[position] ^= 0xFF
        path.write_bytes(spoiled)
        storage.open_trajectory(path)
        storage.open_overview(path)


def test_zeros_in_the_middle(path):
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    path.write_bytes(data)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    "name",
    [
        "timeseries",
        "timeseries/time",
        "timeseries/segment",
        "state/states",
        "state/names",
        "state/initial",
        "checkpoint/state",
        "checkpoint/impermeant_names",
        "checkpoint/impermeant_amounts",
        "checkpoint/residual_charge",
        "diagnostics/message",
        "provenance/model",
        "provenance/scenario",
    ],
)
def test_a_missing_part(path, name):
    with h5py.File(path, "r+") as file:
        del file[name]
    assert re.search(rf"{name}(/\w+)? is missing", refusal(path))


@pytest.mark.parametrize(
    ("owner", "name", "value", "sentence"),
    [
        ("checkpoint", "end_time", None, "the attribute end_time of checkpoint is missing"),
        ("checkpoint", "end_time", "now", "is not a floating-point number"),
        ("checkpoint", "end_time", [1.0, 2.0], "is not a single value"),
        ("checkpoint", "end_time", np.nan, "is not finite"),
        ("diagnostics", "steps", 1.5, "is not a whole number"),
    ],
)
def test_attributes_that_do_not_fit(path, owner, name, value, sentence):
    with h5py.File(path, "r+") as file:
        del file[owner].attrs[name]
        if value is not None:
            file[owner].attrs[name] = value
    assert sentence in refusal(path)


# -- types, shapes and contents -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("timeseries/time", np.zeros(45, "f4"), "has the type float32, not float64"),
        ("timeseries/time", np.zeros(45, ">f8"), "has the type >f8, not float64"),
        ("timeseries/time", np.zeros((45, 1)), "state/states|has the shape"),
        ("timeseries/time", np.zeros(44), "has the shape"),
        ("timeseries/time", np.full(45, np.nan), "timeseries/time is not finite and increasing"),
        ("timeseries/time", np.arange(45.0)[::-1].copy(), "timeseries/time is not finite and increasing"),
        (
            "timeseries/segment",
            np.full(45, 3, "i4"),
            "timeseries/segment has a number that is not a segment of the protocol",
        ),
        (
            "timeseries/segment",
            np.full(45, -1, "i4"),
            "timeseries/segment has a number that is not a segment of the protocol",
        ),
        ("timeseries/segment", np.zeros(45, "i8"), "has the type int64, not int32"),
        ("state/states", np.zeros((45, 3)), r"has the shape \(45, 3\), expected 45 x 4"),
        ("checkpoint/state", np.zeros(5), "has the shape"),
        ("state/initial", np.zeros(4, "c16"), "has the type complex128"),
        ("state/names", np.zeros(4), "is not a list of texts"),
        ("checkpoint/impermeant_amounts", np.zeros(2), "has the shape"),
    ],
)
def test_arrays_that_do_not_fit(path, name, values, sentence):
    with h5py.File(path, "r+") as file:
        parent, _, last = name.rpartition("/")
        del file[name]
        write_array(file[parent], last, values)
    assert re.search(sentence, refusal(path))


def with_text(path, name, change):
    with h5py.File(path, "r+") as file:
        text = file[f"provenance/{name}"].asstr()[0]
        del file[f"provenance/{name}"]
        write_text(file["provenance"], name, change(text))


def with_header(path, **changes):
    with_text(path, "header", lambda text: json.dumps(json.loads(text) | changes))


def with_model(path, text):
    """Another model under a run_id that fits it: an attacker can do that much."""
    with_header(path, run_id=hashlib.sha256(text.encode()).hexdigest()[:16])
    with_text(path, "model", lambda _: text)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "other"}, "this HDF5 file is not a result of iontide"),
        ({"format_version": 1}, "the file has format version 1, but this iontide reads version 2"),
        ({"format_version": "2"}, "the file has format version 2, but this"),
        ({"status": "fine"}, "the status must be one of done, steady, stopped, failed, got 'fine'"),
        ({"status": 1}, "the header in the file lacks status"),
        ({"run_id": "0" * 16}, "the model in the file does not match its run_id"),
        ({"provenance": None}, "the header in the file lacks provenance"),
    ],
)
def test_headers_that_do_not_fit(path, changes, sentence):
    with_header(path, **changes)
    assert sentence in refusal(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "nan", "\u00b5"])
def test_a_header_that_is_no_table(path, text):
    with_text(path, "header", lambda _: text)
    assert "the header in the file" in refusal(path)


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"model":{},"model_version":1}'])
def test_a_model_that_is_none(path, text):
    with_model(path, text)
    assert "the model in the file cannot be read" in refusal(path)


def test_another_model_than_that_of_the_states(path):
    with h5py.File(path) as file:
        document = json.loads(file["provenance/model"].asstr()[0])
    document["model"]["membranes"] = []
    with_model(path, json.dumps(document))
    assert "the states in the file do not match its model" in refusal(path)


def test_a_formula_in_the_model_is_not_executed(path, tmp_path):
    with h5py.File(path) as file:
        document = json.loads(file["provenance/model"].asstr()[0])
    for text in (f"__import__('os').mkdir('{tmp_path}/trap')", "9^9^9^9", "pump_rate", "1/0"):
        document["model"]["parameters"][0][1]["value"] = {"formula": text}
        with_model(path, json.dumps(document))
        refusal(path)
    assert not (tmp_path / "trap").exists()


# -- made to do harm ------------------------------------------------------------------------------------------------


def test_a_size_that_is_not_there(path):
    """1e15 numbers that were never written, which HDF5 would fill in from nothing."""
    with h5py.File(path, "r+") as file:
        replaced(file, "timeseries/time", shape=(10**15,), dtype="f8", chunks=(8192,), fillvalue=1.0, **FILTERS)
    assert "more than the file can contain" in refusal(path)


def test_missing_chunks(path):
    with h5py.File(path, "r+") as file:
        dataset = replaced(file, "timeseries/time", shape=(45,), dtype="f8", chunks=(10,), **FILTERS)
        dataset[:40] = np.arange(40.0)
    assert "is incomplete" in refusal(path)


def test_data_that_are_not_in_chunks(path):
    with h5py.File(path, "r+") as file:
        replaced(file, "timeseries/time", data=np.arange(45.0))
    assert "is not stored in chunks of this file" in refusal(path)


@pytest.mark.parametrize("missing", ["fletcher32", "compression", "shuffle"])
def test_data_without_a_filter(path, missing):
    options = {k: v for k, v in FILTERS.items() if not k.startswith(missing)}
    with h5py.File(path, "r+") as file:
        replaced(file, "timeseries/time", data=np.arange(45.0), chunks=(45,), **options)
    assert "is not stored with the filters" in refusal(path)


def test_external_storage_is_not_read(path, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(400))
    with h5py.File(path, "r+") as file:
        del file["timeseries/time"]
        file.create_dataset("timeseries/time", shape=(45,), dtype="f8", external=[(tmp_path / "secret", 0, 360)])
    assert "is not stored in chunks of this file" in refusal(path)


@pytest.mark.parametrize("name", ["state/states", "state", "timeseries", "provenance/model", "provenance"])
def test_links_are_not_followed(path, sound, name):
    for link in (h5py.ExternalLink(str(sound), name), h5py.SoftLink("/elsewhere")):
        with h5py.File(path, "r+") as file:
            if "elsewhere" not in file:
                file.move(name, "elsewhere")
            else:
                del file[name]
            file[name] = link
        assert re.search("is not a hard link|is not a result of iontide", refusal(path))


def test_virtual_data_are_not_followed(path, sound):
    with h5py.File(path, "r+") as file:
        del file["timeseries/time"]
        layout = h5py.VirtualLayout(shape=(45,), dtype="f8")
        layout[:] = h5py.VirtualSource(str(sound), "timeseries/time", shape=(45,))
        file.create_virtual_dataset("timeseries/time", layout)
    assert "is not stored in chunks of this file" in refusal(path)


def test_chunks_that_are_larger_than_any_of_ours(path):
    with h5py.File(path, "r+") as file:
        replaced(file, "timeseries/time", data=np.zeros(45), chunks=(10**8,), maxshape=(None,), **FILTERS)
    assert "declares chunks of 800000000 bytes" in refusal(path)


def bomb(file, name, shape, chunk, data, mask=0):
    dataset = replaced(file, name, shape=shape, dtype="f8", chunks=chunk, **FILTERS)
    dataset.id.write_direct_chunk((0,) * len(shape), data, filter_mask=mask)


def test_a_chunk_that_inflates_without_limit(path):
    """HDF5 inflates until the stream ends, whatever the chunk declares: 100 MB from 100 kB here."""
    with h5py.File(path, "r+") as file:
        bomb(file, "timeseries/time", (45,), (45,), zlib.compress(bytes(10**8), 9) + b"\0\0\0\0")
    assert "has a chunk that is larger than it can be" in refusal(path)


def test_a_chunk_without_its_checksum(path):
    with h5py.File(path, "r+") as file:
        bomb(file, "timeseries/time", (45,), (45,), zlib.compress(bytes(360)), mask=0b100)
    assert "lacks the checksum of a chunk" in refusal(path)


def test_more_than_the_memory_holds(path, monkeypatch):
    monkeypatch.setattr(checked, "physical_memory", lambda: 100)
    assert "bytes of memory, more than this machine has" in refusal(path)


def test_a_text_without_end(path):
    with h5py.File(path, "r+") as file:
        text_type = h5py.string_dtype("utf-8", 1 << 30)
        replaced(file, "provenance/model", shape=(1,), dtype=text_type, chunks=(1,), **FILTERS)
    assert "longer than any text of a result file" in refusal(path)


def test_the_harmful_files_cost_neither_memory_nor_time(path):
    """The largest claim again, in a process of its own, with a limit on its memory."""
    with h5py.File(path, "r+") as file:
        replaced(file, "state/states", shape=(45, 4), dtype="f8", chunks=(8192, 4), maxshape=(None, 4), **FILTERS)
        replaced(file, "timeseries/time", shape=(10**15,), dtype="f8", chunks=(8192,), **FILTERS)
    code = """if True:
        import resource, sys
        from iontide.errors import FileError
        from iontide.storage import open_overview, open_trajectory
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        for read in (open_trajectory, open_overview):
            try:
                read(sys.argv[1])
            except FileError:
                print("refused")
    """
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=300)
    assert done.stdout == "refused\nrefused\n", done.stderr
