"""Write a file completely or not at all: under a temporary name, synchronised to disk, then renamed.

A killed writer leaves at most a hidden ``.NAME.XXXXXXXX.part`` in the same folder, which is never read as a result.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import FileError

_REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than the system allows",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "the name is too long",
}


def cannot_write(path: str | os.PathLike[str], error: OSError) -> FileError:
    """The error to report, from that of the operating system."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return FileError(f"cannot write {os.fspath(path)}: {reason}; nothing was written")


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, writer: str = "") -> Iterator[int]:
    """Yield the descriptor of a temporary file that replaces the file at ``path`` when the block ends.

    Missing parent folders are created. If the block raises anything, the temporary file is removed and an existing file
    at ``path`` is unchanged. A symbolic link is followed: its target is replaced. If ``writer`` is given, it is part of
    the temporary name, ``.NAME.WRITER.XXXXXXXX.part``, so that leftovers can be attributed to their writer.

    Raises
    ------
    FileError
        If the operating system refuses any of this, and for every ``OSError`` of the block.
    """
    try:
        target = Path(os.path.realpath(path))
        _refuse_special(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_name(target, writer)
        # The mode is that of open(); O_EXCL: never write into a file that another process has created.
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise
    _sync_folder(target.parent)


def _refuse_special(target: Path) -> None:
    """Raise ``OSError`` for a folder, and for a device or a pipe, which the rename would replace."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


def _temporary_name(target: Path, writer: str) -> Path:
    # The limit of 255 for a name is in bytes, not characters.
    stem = os.fsdecode(os.fsencode(target.name)[: 200 - len(os.fsencode(writer))])
    owner = f"{writer}." if writer else ""
    return target.with_name(f".{stem}.{owner}{secrets.token_hex(4)}.part")


def _sync_folder(folder: Path) -> None:
    """Make the rename durable. Some file systems cannot sync a folder; the file is complete nevertheless."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_all(descriptor: int, data: memoryview) -> None:
    """Write all of ``data`` at the start of the file; a single system call may write only a part."""
    position = 0
    while position < len(data):
        position += os.pwrite(descriptor, data[position : position + (1 << 26)], position)
