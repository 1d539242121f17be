"""Datasets that grow row by row, and are written chunk by chunk, each chunk once and whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

import h5py
import numpy as np
from numpy.typing import NDArray

from ...storage.datasets import FILTERS
from ...storage.untrusted import MAX_CHUNK

#: Size of a chunk where it can be chosen freely, and upper limit of its overhead, bytes.
CHUNK = 1 << 16
_CHUNK_COST = 256


def chunk_shape(rows: int, shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Shape of the chunks, of about ``CHUNK`` bytes along the rows, of a dataset with rows of a given shape."""
    row = [max(1, n) for n in shape]
    # A row larger than the largest chunk is divided along its axes, the first axis first.
    for axis in range(len(row)):
        while row[axis] > 1 and math.prod(row) * itemsize > MAX_CHUNK // 2:
            row[axis] = math.ceil(row[axis] / 2)
    return (max(1, min(rows, CHUNK // (math.prod(row) * itemsize))), *row)


def size_limit(rows: int, shape: Sequence[int], itemsize: int) -> int:
    """Upper limit of the size of such a dataset with incompressible data, bytes."""
    chunk = chunk_shape(rows, shape, itemsize)
    chunks = math.prod(math.ceil(n / c) for n, c in zip((rows, *shape), chunk, strict=True))
    # deflate adds at most 5 bytes per block of 16 kB and a few more to incompressible data.
    return chunks * (math.ceil(math.prod(chunk) * itemsize * 1.002) + _CHUNK_COST)


class Appender:
    """A new dataset that is filled from the first row to the last.

    Parameters
    ----------
    group : h5py.Group
    name : str
    dtype : str
    rows : int
        Number of rows; with ``open_end`` the most rows of a chunk.
    shape : sequence of int
        Of a row.
    open_end : bool
        Whether the number of rows is not known in advance.
    """

    def __init__(
        self,
        group: h5py.Group,
        name: str,
        dtype: str,
        rows: int,
        shape: Sequence[int] = (),
        open_end: bool = False,
    ) -> None:
        chunks = chunk_shape(rows, shape, np.dtype(dtype).itemsize)
        self.dataset = group.create_dataset(
            name,
            shape=(0 if open_end else rows, *shape),
            maxshape=(None if open_end else max(1, rows), *(max(1, n) for n in shape)),
            dtype=dtype,
            chunks=chunks,
            **FILTERS,
        )
        self._chunk = chunks[0]
        self._written = 0
        self._pending: list[NDArray] = []
        self._count = 0

    def add(self, values: NDArray) -> None:
        """Append rows."""
        self._pending.append(values)
        self._count += len(values)
        whole = self._count - self._count % self._chunk
        if whole:
            rows = np.concatenate(self._pending)
            self._write(rows[:whole])
            # A copy, so that the remainder does not keep the whole array in memory.
            self._pending, self._count = [rows[whole:].copy()], self._count - whole

    def finish(self) -> None:
        """Write the remaining rows."""
        if self._count:
            self._write(np.concatenate(self._pending))
        self._pending, self._count = [], 0

    def _write(self, rows: NDArray) -> None:
        start, self._written = self._written, self._written + len(rows)
        if self._written > len(self.dataset):
            self.dataset.resize(self._written, axis=0)
        self.dataset[start : self._written] = rows
