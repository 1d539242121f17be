"""Where a result file is written: folders, links, names, and what must never be replaced."""

import os

import pytest

from iontide import storage
from iontide.errors import FileError
from tests.support.storage_checks import small_trajectory


@pytest.fixture(scope="module")
def trajectory():
    return small_trajectory()


def leftovers(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".part"))


def test_missing_folders_are_made(trajectory, tmp_path):
    path = storage.save(trajectory, tmp_path / "a" / "b" / "x.h5")
    assert len(storage.open_trajectory(path)) == len(trajectory)


def test_a_relative_path_is_as_good(trajectory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(storage.save(trajectory, "x.h5")) == "x.h5"
    assert os.listdir(tmp_path) == ["x.h5"]


def test_a_symbolic_link_stays_a_link(trajectory, tmp_path):
    target, link = tmp_path / "target.h5", tmp_path / "link.h5"
    link.symlink_to(target)
    storage.save(trajectory, link)
    assert link.is_symlink()
    assert len(storage.open_trajectory(target)) == len(trajectory)


def test_the_mode_is_that_of_an_ordinary_new_file(trajectory, tmp_path):
    (tmp_path / "plain").write_text("")
    path = storage.save(trajectory, tmp_path / "x.h5")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_long_name_is_no_trouble(trajectory, tmp_path):
    storage.save(trajectory, tmp_path / ("µ" * 120 + ".h5"))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda p: p.mkdir(), "it is a folder"),
        (lambda p: os.mkfifo(p), "it is not a regular file"),
        (lambda p: p.parent.rmdir() or p.parent.write_text(""), "a part of the path is a file, not a folder"),
    ],
)
def test_what_cannot_be_a_result_file_is_refused_and_left_alone(trajectory, tmp_path, make, reason):
    folder = tmp_path / "folder"
    folder.mkdir()
    make(folder / "x.h5")
    with pytest.raises(FileError, match=rf"^cannot write .*x\.h5: ({reason}); nothing was written$"):
        storage.save(trajectory, folder / "x.h5")


def test_a_device_is_never_replaced(trajectory):
    with pytest.raises(FileError, match="cannot write /dev/null: it is not a regular file"):
        storage.save(trajectory, "/dev/null")


def test_a_name_too_long_is_reported(trajectory, tmp_path):
    with pytest.raises(FileError, match="the name is too long"):
        storage.save(trajectory, tmp_path / ("x" * 300))
