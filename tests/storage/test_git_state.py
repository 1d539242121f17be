"""The state of a git repository is read as git reports it, without running git, and without failing."""

import os
import subprocess
from pathlib import Path

import pytest

from iontide.storage.git_state import git_state


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        git("init", "-q")
    except FileNotFoundError:
        pytest.skip("there is no git here")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file.txt").write_text("one\n")
    (tmp_path / "other.txt").write_text("two\n")
    git("add", "-A")
    git("commit", "-q", "-m", "m")
    return tmp_path, git


def test_git_commit_and_a_clean_folder(repository):
    folder, git = repository
    expected = {"commit": git("rev-parse", "HEAD"), "modified": "no"}
    assert git_state(folder) == expected
    assert git_state(folder / "sub") == expected
    git("pack-refs", "--all")
    assert git_state(folder) == expected
    git("checkout", "-q", "--detach")
    assert git_state(folder) == expected


@pytest.mark.parametrize("text", ["one more\n", "eno\n"])
def test_git_sees_a_changed_file(repository, text):
    folder, _ = repository
    (folder / "sub" / "file.txt").write_text(text)
    os.utime(folder / "sub" / "file.txt", (1, 1))
    assert git_state(folder)["modified"] == "yes"


def test_git_sees_a_removed_file_and_forgives_a_touched_one(repository):
    folder, _ = repository
    os.utime(folder / "other.txt", (1, 1))
    assert git_state(folder)["modified"] == "no"
    (folder / "other.txt").unlink()
    assert git_state(folder)["modified"] == "yes"


def test_git_worktree(repository):
    folder, git = repository
    git("worktree", "add", "-q", str(folder / "tree"), "-b", "side")
    assert git_state(folder / "tree") == {"commit": git("rev-parse", "side"), "modified": "no"}


@pytest.mark.parametrize("damage", ["HEAD", "index"])
def test_git_damage_is_tolerated(repository, damage):
    folder, _ = repository
    (folder / ".git" / damage).write_bytes(b"\xff\x00DIRC")
    assert git_state(folder).get("modified") in (None, "unknown")


def test_no_git(tmp_path):
    assert git_state(Path(tmp_path.anchor) / "nowhere") == {}
