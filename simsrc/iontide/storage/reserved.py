"""A file for HDF5 whose writes cannot fail: its space is reserved first, and failed writes are buffered and recorded.

HDF5 crashes the interpreter at exit once the write of a chunk has failed, so failures are hidden from it. HDF5 writes
here through the driver of h5py for Python file objects; ``reserve`` allocates the space of the next writes and raises
if the disk is full. If a write fails nevertheless, its bytes are buffered in memory so that HDF5 can read them back,
``failure`` stores the error, and the writer raises it at its next ``check``.
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

#: Smallest growth of a file of unknown length, bytes.
GROWTH = 64 << 20


class ReservedFile:
    """File object over a descriptor, with the methods that h5py needs.

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
        self._unwritten: list[tuple[int, bytes]] = []
        self.failure: OSError | None = None

    def reserve(self, size: int) -> None:
        """Reserve space so that the file can grow to ``size`` bytes.

        Raises
        ------
        OSError
            If the disk, a quota or a limit does not allow it.
        """
        if size <= self._reserved:
            return
        try:
            os.posix_fallocate(self._descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
            # The file system cannot reserve space: a full disk is detected by the writes, through ``failure``.
        self._reserved = size

    def reserve_more(self, size: int) -> None:
        """Reserve ``size`` bytes beyond the present end, in large steps."""
        if self._size + size > self._reserved:
            self.reserve(self._size + size + max(GROWTH, self._reserved // 4))

    def check(self) -> None:
        """Raise the error of an earlier write, if there was one."""
        if self.failure is not None:
            raise self.failure

    # -- called by HDF5 -------------------------------------------------------------------------------------------

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.failure is None:
            try:
                done += os.pwrite(self._descriptor, view[done:], self._position + done)
            except OSError as error:
                self.failure = error
        if done < len(view):
            self._unwritten.append((self._position + done, bytes(view[done:])))
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes. h5py recognises a file object by this method, but calls ``readinto``."""
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
        for start, data in self._unwritten:
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
        # Only the length is recorded: shrinking the file now would release the reserved space.
        self._size = self._position if size is None else size
        return self._size

    def flush(self) -> None:
        """Nothing is buffered here."""

    def finish(self) -> None:
        """Truncate the file to its final length; raises ``OSError`` if any part could not be written."""
        self.check()
        os.ftruncate(self._descriptor, self._size)

    def release(self) -> None:
        """Forget the descriptor, so that a late call from HDF5 cannot write to another file with the same number."""
        self._descriptor = -1


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer Ctrl-C and termination to the end of the block: an exception in a callback of HDF5 is a failed write."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled in the main thread only
        return
    pending: list[tuple[int, FrameType | None]] = []
    previous = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        handler = signal.getsignal(number)
        if callable(handler):
            previous[number] = handler
            signal.signal(number, lambda n, frame: pending.append((n, frame)))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    for n, frame in pending[:1]:
        previous[signal.Signals(n)](n, frame)
