"""Commit of the working folder, and whether tracked files were modified; read from ``.git`` without running git.

A git process takes tens of milliseconds, may run hooks, and may not be installed. Each tracked file is compared with
its staged version, as ``git diff`` does; a change that is staged but not committed is not detected.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from pathlib import Path

#: With more tracked files, or more bytes to hash, the comparison is skipped because it would take too long.
MAX_FILES = 3000
MAX_BYTES = 2 << 20

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def git_state(folder: Path) -> dict[str, str]:
    """``commit`` and ``modified`` ("yes", "no" or "unknown") of the repository around a folder; empty without one."""
    try:
        top = next((f for f in (folder, *folder.parents) if (f / ".git").exists()), None)
        if top is None:
            return {}
        git = _git_folder(top / ".git")
        commit = _commit(git)
    except (OSError, ValueError):
        return {}
    if commit is None:
        return {}
    try:
        modified = _is_modified(top, git)
    except (OSError, ValueError, IndexError, struct.error):
        modified = None
    return {"commit": commit, "modified": {True: "yes", False: "no", None: "unknown"}[modified]}


def _git_folder(entry: Path) -> Path:
    """The git folder; in a worktree or a submodule ``.git`` is a file that points to it."""
    if entry.is_dir():
        return entry
    return entry.parent / entry.read_text().removeprefix("gitdir:").strip()


def _commit(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head if _COMMIT.fullmatch(head) else None
    ref = head.removeprefix("ref:").strip()
    common = git / (git / "commondir").read_text().strip() if (git / "commondir").exists() else git
    for place in (git, common):
        if (place / ref).is_file():
            commit = (place / ref).read_text().strip()
            return commit if _COMMIT.fullmatch(commit) else None
    packed = common / "packed-refs"
    for line in packed.read_text().splitlines() if packed.exists() else ():
        commit, _, name = line.partition(" ")
        if name == ref and _COMMIT.fullmatch(commit):
            return commit
    return None


def _is_modified(top: Path, git: Path) -> bool | None:
    """Compare each entry of the index (format 2 and 3, gitformat-index(5)) with its file."""
    index = (git / "index").read_bytes()
    signature, version, count = struct.unpack_from(">4sII", index)
    if signature != b"DIRC" or version not in (2, 3) or count > MAX_FILES:
        return None
    position, budget = 12, MAX_BYTES
    for _ in range(count):
        seconds, nanoseconds, mode, size = struct.unpack_from(">8xII8xI8xI", index, position)
        digest = index[position + 40 : position + 60]
        (flags,) = struct.unpack_from(">H", index, position + 60)
        start = position + (64 if flags & 0x4000 else 62)
        end = index.index(b"\0", start)
        # Entries are padded with 1 to 8 NUL to a multiple of 8.
        position += (end - position + 8) // 8 * 8
        path = top / os.fsdecode(index[start:end])
        if mode >> 12 != 0b1000:  # symbolic links and submodules: not compared
            continue
        try:
            status = path.lstat()
        except FileNotFoundError:
            return True
        if status.st_size & 0xFFFFFFFF != size:
            return True
        if (status.st_mtime_ns // 10**9 & 0xFFFFFFFF, status.st_mtime_ns % 10**9) == (seconds, nanoseconds):
            continue
        # The time stamp differs; the content may not.
        budget -= size
        if budget < 0:
            return None
        data = path.read_bytes()
        if hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest() != digest:
            return True
    return False
