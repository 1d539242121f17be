"""Who is at work on which block, so that two do not make the same one; a courtesy, and no more than that.

A claim is a file that only one can make (``O_EXCL``), with who made it. Nothing is wrong with a sweep where claims are
lost, doubled or cannot be made: a block that is computed twice is the same twice.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from pathlib import Path

#: A process of another machine that gave no sign of life for so long, s, is taken for gone. It gives one every PULSE.
SILENCE = 600.0
PULSE = 60.0

#: A claim without a name in it was made by a process that is just about to write it, or was killed there.
SILENCE_WITHOUT_NAME = 10.0

#: A file in the folder of claims that is touched to see what time it is there.
_CLOCK = ".clock"

_NAME = re.compile(r"([\w.-]{1,64})~(\w*)~(\d{1,10})~(\d{0,20})")


def this_process() -> str:
    """A name for this process that no other has had: machine, namespace of its number, number, when it began."""
    machine = re.sub(r"[^\w.-]", "_", socket.gethostname(), flags=re.ASCII)[:64] or "_"
    return f"{machine}~{_namespace()}~{os.getpid()}~{_beginning('self')}"


def is_gone(name: str) -> bool | None:
    """Whether the process of a name (``this_process``) has ended; None where that cannot be seen from here."""
    found, own = _NAME.fullmatch(name), _NAME.fullmatch(this_process())
    if found is None or own is None or found.group(1, 2) != own.group(1, 2):
        return None
    try:
        os.kill(int(found[3]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # it is there, and another user's
        pass
    return _beginning(found[3]) != found[4]


def _namespace() -> str:
    """Two containers may bear the name of one machine, each with process numbers of its own."""
    with contextlib.suppress(OSError):
        return re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
    return ""


def _beginning(process: str) -> str:
    """When a process began, in ticks since the machine was started; empty where the system does not tell."""
    try:
        # The name of the program, in parentheses, may hold anything.
        fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


def _age_of(path: Path, claims: Path) -> float:
    """How long ago a file was touched, s, by the clock of its own file system, which may be another machine's.

    Raises
    ------
    OSError
        Where it is gone.
    """
    touched = path.stat().st_mtime
    clock = claims / _CLOCK
    clock.touch()
    return clock.stat().st_mtime - touched


class Claims:
    """The claims of a sweep, seen from one process.

    Parameters
    ----------
    folder : Path
        Where the files are; made when a first claim is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[int, str] = {}
        self._lock = threading.Lock()
        self._pulse: threading.Thread | None = None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:07d}"

    def take(self, number: int) -> bool:
        """Claim a block; False where another is at work on it."""
        path, name = self._path(number), this_process()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._make(path, name) and not (is_stale(path) and self._take_over(path, name)):
                return False
        except OSError:
            return True  # a disk on which no claim can be made is no reason not to work
        with self._lock:
            self._held[number] = name
            if self._pulse is None or not self._pulse.is_alive():
                self._pulse = threading.Thread(target=self._give_signs_of_life, daemon=True)
                self._pulse.start()
        return True

    def release(self, number: int) -> None:
        """Give a claim back; nothing happens where it is not held, or was taken over."""
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
        """Put one's own claim in the place of a stale one; of several who try, one at a time."""
        taking = path.with_name(f".{path.name}.taking")
        if not self._make(taking, name):
            if is_stale(taking):  # of one that was killed right here
                taking.unlink(missing_ok=True)
            return False
        if is_stale(path):
            os.replace(taking, path)
            return True
        taking.unlink(missing_ok=True)  # between the two looks another took it over, or made it anew
        return False

    def _give_signs_of_life(self) -> None:
        """Touch what is held, as long as anything is."""
        idle = threading.Event()
        while not idle.wait(PULSE):
            with self._lock:
                held = list(self._held)
                if not held:
                    self._pulse = None
                    return
            for number in held:
                with contextlib.suppress(OSError):
                    os.utime(self._path(number))


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(200).decode("utf-8", "replace")


def is_stale(path: Path) -> bool:
    """Whether the process that made a claim is gone, or taken for gone."""
    try:
        name = _read(path)
        gone = is_gone(name)
        if gone is None:
            return _age_of(path, path.parent) > (SILENCE if name else SILENCE_WITHOUT_NAME)
    except OSError:
        return False
    return gone


def clear_claims(folder: Path) -> None:
    """Remove what processes that are gone have left in a folder of claims."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            path = Path(entry.path)
            if entry.name != _CLOCK and is_stale(path):
                with contextlib.suppress(OSError):
                    path.unlink()


def clear_parts(folder: Path, claims: Path) -> None:
    """Remove the unfinished files of writers that are gone from a folder of shards (``storage.replacing``).

    Parameters
    ----------
    folder : Path
    claims : Path
        The folder of claims beside it.
    """
    with contextlib.suppress(OSError):
        parts = [entry.name for entry in os.scandir(folder) if entry.name.endswith(".part")]
        for found in filter(None, (re.fullmatch(r"\.\d+\.h5\.(.+)\.[0-9a-f]{8}\.part", part) for part in parts)):
            path = folder / found[0]
            with contextlib.suppress(OSError):
                gone = is_gone(found[1])
                if gone or (gone is None and _age_of(path, claims) > SILENCE):
                    path.unlink()
