"""A result file is written completely or not at all: killed writers, full disks, signals; bounded memory of streams."""

import errno
import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
import weakref
from dataclasses import replace

import h5py
import numpy as np
import pytest

import iontide
from iontide import storage
from iontide.analysis.audit.diagnostics import Audit
from iontide.simulation.simulate import Integration, simulate
from iontide.storage import reserved, saving, writer
from iontide.storage.reserved import ReservedFile, uninterrupted
from tests.support.models import p1, pump_leak, with_recording, with_simulation
from tests.support.paths import ROOT
from tests.support.storage_checks import Replay, differences, enlarged, small_trajectory


@pytest.fixture(scope="module")
def trajectory():
    return small_trajectory()


@pytest.fixture(scope="module")
def seed(trajectory, tmp_path_factory):
    """A small result file for the scripts to enlarge: to run the model in each would cost seconds."""
    return storage.save(trajectory, tmp_path_factory.mktemp("seed") / "seed.h5")


@pytest.fixture
def on_disk(monkeypatch):
    """Every file is written block by block, as a long one; with small chunks, so that there are many blocks."""
    monkeypatch.setattr(saving, "IN_MEMORY", 0)
    monkeypatch.setattr(writer, "CHUNK_ROWS", 64)
    monkeypatch.setattr(writer, "BLOCK_NUMBERS", 20_000)


def run_script(code, *arguments, check=True, **options):
    """Run Python in a separate process, with the modules of the tests."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, **options)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def leftovers(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".part"))


# -- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("steps", [False, True])
def test_a_stream_holds_the_same_as_a_file_built_in_memory(trajectory, tmp_path, monkeypatch, steps):
    large = enlarged(trajectory, 3001)
    source = Replay(large, steps=steps)
    large = replace(large, run=source.outcome())
    storage.stream(source, tmp_path / "streamed.h5")
    monkeypatch.setattr(saving, "IN_MEMORY", 1 << 40)
    storage.save(large, tmp_path / "whole.h5")
    streamed, whole = (storage.open_trajectory(tmp_path / f"{name}.h5") for name in ("streamed", "whole"))
    assert differences(streamed, whole) == []
    assert differences(streamed, large) == []
    assert leftovers(tmp_path) == []
    with h5py.File(tmp_path / "streamed.h5") as one, h5py.File(tmp_path / "whole.h5") as other:
        for group in ("timeseries", "diagnostics/balance"):
            assert set(one[group]) == set(other[group])
            for name, dataset in one[group].items():
                if isinstance(dataset, h5py.Dataset):
                    assert dataset[()].tobytes() == other[group][name][()].tobytes(), name
        assert dict(one["diagnostics"].attrs) == dict(other["diagnostics"].attrs)
        assert list(one["diagnostics/warnings"]) == list(other["diagnostics/warnings"])


@pytest.mark.usefixtures("on_disk")
def test_a_real_integration_streams_what_simulate_keeps(tmp_path):
    model = with_recording(pump_leak(), points=2000)
    run = storage.stream(Integration(model), tmp_path / "x.h5")
    in_memory = simulate(model)
    assert differences(storage.open_trajectory(tmp_path / "x.h5"), in_memory) == []
    assert run.status == "done"


@pytest.mark.parametrize("spacing", ["linear", "steps"])
def test_a_short_integration_streams_too(tmp_path, spacing):
    model = replace(pump_leak(), recording=replace(pump_leak().recording, spacing=spacing))
    storage.stream(Integration(model), tmp_path / "x.h5")
    assert differences(storage.open_trajectory(tmp_path / "x.h5"), simulate(model)) == []


@pytest.mark.usefixtures("on_disk")
def test_a_failed_run_is_streamed_up_to_there(tmp_path):
    run = storage.stream(Integration(with_simulation(p1(), max_steps=20)), tmp_path / "x.h5")
    again = storage.open_trajectory(tmp_path / "x.h5")
    assert run.status == again.status == "failed"
    assert again.run.message == run.message != ""
    assert again.time[-1] == run.end_time


def test_save_of_a_long_trajectory_goes_the_way_of_a_stream(trajectory, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "IN_MEMORY", 0)
    large = enlarged(trajectory, 50_000)
    storage.save(large, tmp_path / "x.h5")
    assert differences(storage.open_trajectory(tmp_path / "x.h5"), large) == []


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("samples", [1, 63, 64, 65, 640, 5000])
def test_the_reserved_space_suffices_for_what_cannot_shrink(trajectory, tmp_path, monkeypatch, samples):
    sizes = {}
    reserve, finish = ReservedFile.reserve, ReservedFile.finish
    monkeypatch.setattr(ReservedFile, "reserve", lambda f, size: (sizes.update(reserved=size), reserve(f, size))[1])
    monkeypatch.setattr(ReservedFile, "finish", lambda f: (sizes.update(used=f._size), finish(f))[1])
    large = enlarged(trajectory, samples)
    storage.save(large, tmp_path / "x.h5")
    assert sizes["used"] == os.path.getsize(tmp_path / "x.h5") < sizes["reserved"]


@pytest.mark.usefixtures("on_disk")
def test_the_space_of_a_stream_of_unknown_length_grows_ahead_of_it(trajectory, tmp_path, monkeypatch):
    monkeypatch.setattr(reserved, "GROWTH", 4096)
    short = []
    write = ReservedFile.write

    def watched(file, data):
        done = write(file, data)
        if file._size > file._reserved:
            short.append(file._size)
        return done

    monkeypatch.setattr(ReservedFile, "write", watched)
    storage.stream(Replay(enlarged(trajectory, 20_000), steps=True), tmp_path / "x.h5")
    assert short == []


@pytest.mark.slow
def test_streaming_takes_no_more_memory_for_more_samples(tmp_path):
    code = """
        import resource, sys
        from dataclasses import replace
        from tests.support.models import pump_leak, with_recording
        from iontide import storage
        from iontide.simulation.simulate import Integration
        model = with_recording(pump_leak(), points=int(sys.argv[1]), quantities=("potentials",))
        model = replace(model, protocol=())
        storage.stream(Integration(model), sys.argv[2])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    peaks = [int(run_script(code, n, tmp_path / f"{n}.h5").stdout) for n in (1_000_000, 3_000_000)]
    # The samples of the longer one are 84 MB more in states alone, and 160 MB more with what is derived from them.
    assert peaks[1] - peaks[0] < 10_000, peaks


def test_a_part_of_a_run_is_gone_when_it_is_done_with():
    """Without the garbage collector, which does not come often where there are few but large things."""
    part = iontide.run(pump_leak()).part(slice(0, 10))
    Audit().add(part)
    left = weakref.ref(part)
    gc.disable()
    try:
        del part
        assert left() is None
    finally:
        gc.enable()


# -- killed writers -------------------------------------------------------------------------------------------------

REWRITER = """
    import sys
    from tests.support.storage_checks import enlarged
    from dataclasses import replace
    from iontide import storage
    from iontide.storage import saving, writer
    if sys.argv[2] == "streamed":
        saving.IN_MEMORY, writer.CHUNK_ROWS, writer.BLOCK_NUMBERS = 0, 64, 20_000
    large = enlarged(storage.open_trajectory(sys.argv[-1]), 2000)
    storage.save(large, sys.argv[1])
    print("ready", flush=True)
    number = 0
    while True:
        number += 1
        storage.save(replace(large, run=replace(large.run, message=f"version {number}")), sys.argv[1])
"""


@pytest.mark.parametrize("how", ["in memory", "streamed"])
def test_a_killed_writer_leaves_the_old_or_the_new_file_whole(seed, tmp_path, how):
    path = tmp_path / "x.h5"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", textwrap.dedent(REWRITER), str(path), how, str(seed)]
    rng = np.random.default_rng(7)
    seen = set()
    for _ in range(6):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.02 + 0.3 * rng.random())
            process.send_signal(signal.SIGKILL)
        again = storage.open_trajectory(path)
        assert len(again) == 2000
        seen.add(again.run.message)
        storage.open_overview(path)
    assert len(seen) > 1
    # What a killed writer leaves is hidden, and no later one stumbles over it.
    assert all(name.startswith(".x.h5.") for name in leftovers(tmp_path))
    storage.save(again, path)


@pytest.mark.parametrize("in_memory", [0, 1 << 40])
def test_who_reads_the_old_file_goes_on_reading_it(trajectory, tmp_path, monkeypatch, in_memory):
    """A new file takes the old one's name, not its place on the disk: at no moment is there half of one."""
    monkeypatch.setattr(saving, "IN_MEMORY", in_memory)
    path = storage.save(trajectory, tmp_path / "x.h5")
    before = path.read_bytes()
    with open(path, "rb") as reader:
        storage.save(enlarged(trajectory, 500), path)
        assert reader.read() == before
    assert len(storage.open_trajectory(path)) == 500


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError, ValueError])
@pytest.mark.parametrize("long", [False, True])
def test_an_exception_on_the_way_leaves_the_old_file_and_nothing_else(trajectory, tmp_path, monkeypatch, error, long):
    path = storage.save(trajectory, tmp_path / "x.h5")
    before = path.read_bytes()
    if long:
        monkeypatch.setattr(saving, "IN_MEMORY", 0)

    class Broken(Replay):
        def blocks(self, progress=None):
            yield from list(super().blocks())[:3]
            raise error("now")

    with pytest.raises(error):
        storage.stream(Broken(trajectory), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.h5"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_hdf5_writes_end_the_run_cleanly(seed, tmp_path, number):
    """Signals sent from within HDF5's own calls, all over a run: the worst moments."""
    code = """
        import os, signal, sys
        from tests.support.storage_checks import Replay, enlarged
        from iontide import storage
        from iontide.storage import saving, writer
        from iontide.storage.reserved import ReservedFile
        saving.IN_MEMORY, writer.CHUNK_ROWS, writer.BLOCK_NUMBERS = 0, 64, 20_000
        number, path = int(sys.argv[1]), sys.argv[2]
        large = enlarged(storage.open_trajectory(sys.argv[-1]), 2000)
        def end(n, frame):
            raise KeyboardInterrupt
        signal.signal(number, end)
        write, count, at = ReservedFile.write, 0, None
        def interrupted(file, data):
            global count
            count += 1
            try:
                if count == at:
                    os.kill(os.getpid(), number)
                return write(file, data)
            except KeyboardInterrupt:
                print("HDF5 was interrupted")
                raise
        ReservedFile.write = interrupted
        storage.stream(Replay(large), path)
        os.unlink(path)
        total = count
        for k in range(12):
            count, at = 0, 1 + (total - 1) * k // 11
            try:
                storage.stream(Replay(large), path)
            except KeyboardInterrupt:
                print("interrupted")
            assert signal.getsignal(number) is end
            assert os.listdir(os.path.dirname(path)) == []
    """
    done = run_script(code, int(number), tmp_path / "x.h5", seed)
    assert done.stdout == "interrupted\n" * 12


def test_signals_are_put_off_and_not_lost():
    reached = []

    def interrupted_at_once():
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            reached.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted_at_once()
    assert reached == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# -- full disks -----------------------------------------------------------------------------------------------------

LIMITED = """
    import os, resource, sys
    from tests.support.storage_checks import Replay, enlarged
    from iontide import storage
    from iontide.errors import FileError
    from iontide.storage import saving, writer
    from iontide.storage.reserved import ReservedFile
    path, how, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if how != "in memory":
        saving.IN_MEMORY, writer.CHUNK_ROWS, writer.BLOCK_NUMBERS = 0, 64, 20_000
    if how == "unreserved":  # a file system that cannot reserve: the writes themselves fail
        ReservedFile.reserve = lambda file, size: None
    large = enlarged(storage.open_trajectory(sys.argv[-1]), 2000)
    computed = []
    class Watched(Replay):
        def blocks(self, progress=None):
            for block in super().blocks():
                computed.append(1)
                yield block
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        if how == "in memory":
            storage.save(large, path)
        else:
            storage.stream(Watched(large, steps=how == "growing"), path)
    except FileError as error:
        print(error)
    print(len(computed) > 0)
"""


@pytest.mark.parametrize("how", ["in memory", "streamed", "growing", "unreserved"])
@pytest.mark.parametrize("limit", [1000, 200_000])
def test_a_file_over_the_limit_of_the_system_is_one_clean_error(trajectory, seed, tmp_path, how, limit):
    path = storage.save(trajectory, tmp_path / "x.h5")
    before = path.read_bytes()
    done = run_script(LIMITED, path, how, limit, seed)
    message, computed = done.stdout.splitlines()
    assert message == f"cannot write {path}: the file would be larger than the system allows; nothing was written"
    assert done.stderr == ""
    # Where the length is known, a full disk shows before anything is computed.
    assert how != "streamed" or computed == "False"
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.h5"]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("how", ["in memory", "streamed", "growing", "unreserved"])
def test_a_full_disk_is_one_clean_error(seed, small_disk, how):
    path = small_disk / "x.h5"
    done = run_script(LIMITED, path, how, 0, seed)
    assert done.stdout.splitlines()[0] == f"cannot write {path}: no space left on the device; nothing was written"
    assert done.stderr == ""
    assert os.listdir(small_disk) == []


def test_a_failed_write_is_read_back_and_reported(tmp_path, monkeypatch):
    """HDF5 must read what it believes to have written, or it crashes the interpreter at exit."""
    descriptor = os.open(tmp_path / "x", os.O_RDWR | os.O_CREAT)
    try:
        file = ReservedFile(descriptor)
        assert file.write(b"0123456789") == 10
        pwrite = os.pwrite

        def short(descriptor, data, offset):
            if offset >= 12:
                raise OSError(errno.ENOSPC, "full")
            return pwrite(descriptor, data[: 12 - offset], offset)

        monkeypatch.setattr(os, "pwrite", short)
        file.seek(8)
        assert file.write(b"abcdefgh") == 8
        file.seek(2)
        assert file.write(b"XY") == 2
        file.seek(0)
        assert file.read(18) == b"01XY4567abcdefgh\0\0"
        assert file.tell() == 18
        with pytest.raises(OSError, match="full"):
            file.check()
        with pytest.raises(OSError, match="full"):
            file.finish()
    finally:
        os.close(descriptor)
