"""A file for HDF5 whose writes cannot fail: its space is reserved first, and what fails even so is kept and told of.

HDF5 crashes the interpreter at exit once the write of a chunk has failed, so it must never see a failure. HDF5 writes
here through h5py's driver for Python file objects; ``reserve`` allocates the space of what comes next, and is where a
full disk shows. Should a write fail all the same, its bytes are kept in memory so that HDF5 reads back what it wrote,
``failure`` holds the error, and the writer gives up at the next opportunity.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

#: A file grows by at least so much at a time, bytes, where it is not known how long it will be.
GROWTH = 64 << 20


class ReservedFile:
    """File object over a descriptor, as h5py wants one.

    Attributes
    ----------
    failure : OSError or None
        The first write that failed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._reserved = 0
        self._size = 0
        self._lost: list[tuple[int, bytes]] = []
        self.failure: OSError | None = None

    def reserve(self, size: int) -> None:
        """See to it that the file can grow to ``size`` bytes.

        Raises
        ------
        OSError
            Where the disk, a quota or a limit does not allow it.
        """
        if size <= self._reserved:
            return
        try:
            os.posix_fallocate(self._descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
            # A file system that cannot reserve: the writes themselves will tell, through ``failure``.
        self._reserved = size

    def reserve_more(self, size: int) -> None:
        """Reserve ``size`` bytes beyond the present end, in large strides."""
        if self._size + size > self._reserved:
            self.reserve(self._size + size + max(GROWTH, self._reserved // 4))

    def check(self) -> None:
        """Raise the failure of an earlier write, if there was one."""
        if self.failure is not None:
            raise self.failure

    # -- what HDF5 calls ------------------------------------------------------------------------------------------

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.failure is None:
            try:
                done += os.pwrite(self._descriptor, view[done:], self._position + done)
            except OSError as error:
                self.failure = error
        if done < len(view):
            self._lost.append((self._position + done, bytes(view[done:])))
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes; h5py knows a file object by this method, and calls ``readinto``."""
        data = bytearray(size)
        self.readinto(data)
        return bytes(data)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        done = 0
        while part := os.pread(self._descriptor, len(view) - done, self._position + done):
            view[done : done + len(part)] = part
            done += len(part)
        for start, data in self._lost:
            first, last = max(start, self._position), min(start + len(data), self._position + len(view))
            if first < last:
                view[first - self._position : last - self._position] = data[first - start : last - start]
        self._position += len(view)
        return len(view)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None) -> int:
        # Only the length is noted: shrinking the file now would give the reserved space away.
        self._size = self._position if size is None else size
        return self._size

    def flush(self) -> None:
        """Nothing is buffered here."""

    def finish(self) -> None:
        """Cut the file to its true length; raises ``OSError`` if any of it could not be written."""
        self.check()
        os.ftruncate(self._descriptor, self._size)

    def release(self) -> None:
        """Let go of the descriptor: a late call from HDF5 must not reach a file that got its number since."""
        self._descriptor = -1


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put Ctrl-C and termination off until the block is done: raised in a callback of HDF5, it is a failed write."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled in the main thread only
        return
    pending: list[tuple[int, FrameType | None]] = []
    former = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        handler = signal.getsignal(number)
        if callable(handler):
            former[number] = handler
            signal.signal(number, lambda n, frame: pending.append((n, frame)))
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    for n, frame in pending[:1]:
        former[signal.Signals(n)](n, frame)
