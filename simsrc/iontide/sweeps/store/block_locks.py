"""Advisory locks on the blocks of a sweep, so that two processes do not compute the same block.

A lock is a file that only one process can create (``O_EXCL``); it holds the name of that process. The locks only save
work: results are correct also where locks are lost or cannot be made, for a block computed twice is the same twice.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from pathlib import Path

#: Time without a heartbeat after which a process on another machine counts as ended, and time between heartbeats, s.
TIMEOUT = 600.0
HEARTBEAT = 60.0

#: The same for a lock without a name in it, of a process that is about to write the name or was killed before, s.
TIMEOUT_WITHOUT_NAME = 10.0

#: A file in the folder of locks that is touched to read the clock of the file system.
_CLOCK = ".clock"

_NAME = re.compile(r"([\w.-]{1,64})~(\w*)~(\d{1,10})~(\d{0,20})")


def process_name() -> str:
    """A unique name for this process: host, PID namespace, PID, start time."""
    host = re.sub(r"[^\w.-]", "_", socket.gethostname(), flags=re.ASCII)[:64] or "_"
    return f"{host}~{_pid_namespace()}~{os.getpid()}~{_start_time('self')}"


def has_ended(name: str) -> bool | None:
    """Whether the process of a name (``this_process``) has ended; None where that cannot be seen from here."""
    other, this = _NAME.fullmatch(name), _NAME.fullmatch(process_name())
    if other is None or this is None or other.group(1, 2) != this.group(1, 2):
        return None
    try:
        os.kill(int(other[3]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # it runs, but belongs to another user
        pass
    return _start_time(other[3]) != other[4]


def _pid_namespace() -> str:
    """The PID namespace: two containers may have the same host name, each with PIDs of its own."""
    with contextlib.suppress(OSError):
        return re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
    return ""


def _start_time(process: str) -> str:
    """Start time of a process in clock ticks since boot; empty if the system does not provide it."""
    try:
        # The name of the program, in parentheses, may hold any characters.
        fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


def _age_of(path: Path, locks: Path) -> float:
    """Time since a file was touched, s, by the clock of its file system, which may be on another machine.

    Raises
    ------
    OSError
        If the file is gone.
    """
    touched = path.stat().st_mtime
    clock = locks / _CLOCK
    clock.touch()
    return clock.stat().st_mtime - touched


class BlockLocks:
    """The locks of a sweep, as seen from one process.

    Parameters
    ----------
    folder : Path
        Holds the lock files; made with the first lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[int, str] = {}
        self._lock = threading.Lock()
        self._heartbeat_thread: threading.Thread | None = None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:07d}"

    def lock(self, number: int) -> bool:
        """Lock a block; False if another process holds the lock."""
        path, name = self._path(number), process_name()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._make(path, name) and not (is_stale(path) and self._take_over(path, name)):
                return False
        except OSError:
            return True  # where no lock file can be made, blocks are computed all the same
        with self._lock:
            self._held[number] = name
            if self._heartbeat_thread is None or not self._heartbeat_thread.is_alive():
                self._heartbeat_thread = threading.Thread(target=self._send_heartbeats, daemon=True)
                self._heartbeat_thread.start()
        return True

    def unlock(self, number: int) -> None:
        """Release a lock; no effect if it is not held or was taken over."""
        with self._lock:
            name = self._held.pop(number, None)
        path = self._path(number)
        with contextlib.suppress(OSError):
            if name is not None and _read(path) == name:
                path.unlink()

    @staticmethod
    def _make(path: Path, name: str) -> bool:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, name.encode())
        finally:
            os.close(descriptor)
        return True

    def _take_over(self, path: Path, name: str) -> bool:
        """Replace a stale lock; only one process at a time can try."""
        taking = path.with_name(f".{path.name}.taking")
        if not self._make(taking, name):
            if is_stale(taking):  # of a process that was killed while it tried
                taking.unlink(missing_ok=True)
            return False
        if is_stale(path):
            os.replace(taking, path)
            return True
        taking.unlink(missing_ok=True)  # another process has replaced the lock meanwhile
        return False

    def _send_heartbeats(self) -> None:
        """Touch the lock files that are held, as long as there are any."""
        idle = threading.Event()
        while not idle.wait(HEARTBEAT):
            with self._lock:
                held = list(self._held)
                if not held:
                    self._heartbeat_thread = None
                    return
            for number in held:
                with contextlib.suppress(OSError):
                    os.utime(self._path(number))


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(200).decode("utf-8", "replace")


def is_stale(path: Path) -> bool:
    """Whether the process that made a lock has ended or counts as ended."""
    try:
        name = _read(path)
        ended = has_ended(name)
        if ended is None:
            return _age_of(path, path.parent) > (TIMEOUT if name else TIMEOUT_WITHOUT_NAME)
    except OSError:
        return False
    return ended


def clear_stale_locks(folder: Path) -> None:
    """Remove the locks of processes that have ended from a folder of locks."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            path = Path(entry.path)
            if entry.name != _CLOCK and is_stale(path):
                with contextlib.suppress(OSError):
                    path.unlink()


def clear_unfinished_files(folder: Path, locks: Path) -> None:
    """Remove the unfinished files of processes that have ended from a folder of shards (``storage.replacing``).

    Parameters
    ----------
    folder : Path
    locks : Path
        The folder of locks beside it.
    """
    with contextlib.suppress(OSError):
        parts = [entry.name for entry in os.scandir(folder) if entry.name.endswith(".part")]
        for match in filter(None, (re.fullmatch(r"\.\d+\.h5\.(.+)\.[0-9a-f]{8}\.part", part) for part in parts)):
            path = folder / match[0]
            with contextlib.suppress(OSError):
                ended = has_ended(match[1])
                if ended or (ended is None and _age_of(path, locks) > TIMEOUT):
                    path.unlink()
