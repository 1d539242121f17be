"""Datasets that grow row by row, and are written chunk by chunk, each chunk once and whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

import h5py
import numpy as np
from numpy.typing import NDArray

from ...storage.datasets import FILTERS
from ...storage.untrusted import MAX_CHUNK

#: What a chunk holds where it can be chosen freely, bytes, and what a chunk costs beyond its data, at most.
CHUNK = 1 << 16
_CHUNK_COST = 256


def chunk_shape(rows: int, shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """How a dataset of so many rows, each of a shape, is cut into chunks: of about ``CHUNK`` bytes, along the rows."""
    row = [max(1, n) for n in shape]
    # A row that is longer than any chunk may be is cut along its own axes, the first of them first.
    for axis in range(len(row)):
        while row[axis] > 1 and math.prod(row) * itemsize > MAX_CHUNK // 2:
            row[axis] = math.ceil(row[axis] / 2)
    return (max(1, min(rows, CHUNK // (math.prod(row) * itemsize))), *row)


def size_limit(rows: int, shape: Sequence[int], itemsize: int) -> int:
    """Bytes that such a dataset takes at most, in data that no filter can shrink."""
    chunk = chunk_shape(rows, shape, itemsize)
    chunks = math.prod(math.ceil(n / c) for n, c in zip((rows, *shape), chunk, strict=True))
    # deflate adds at most 5 bytes per 16 kB block and a few more to data it cannot shrink.
    return chunks * (math.ceil(math.prod(chunk) * itemsize * 1.002) + _CHUNK_COST)


class Appender:
    """A new dataset, filled from the first row to the last.

    Parameters
    ----------
    group : h5py.Group
    name : str
    dtype : str
    rows : int
        How many there will be; with ``open_end`` how many there may be in a chunk.
    shape : sequence of int
        Of a row.
    open_end : bool
        Whether the number of rows is not known before.
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
        self._held: list[NDArray] = []
        self._count = 0

    def add(self, values: NDArray) -> None:
        """The next rows."""
        self._held.append(values)
        self._count += len(values)
        whole = self._count - self._count % self._chunk
        if whole:
            rows = np.concatenate(self._held)
            self._write(rows[:whole])
            # A copy, so that the rest does not keep all of it alive.
            self._held, self._count = [rows[whole:].copy()], self._count - whole

    def finish(self) -> None:
        """Write what is left."""
        if self._count:
            self._write(np.concatenate(self._held))
        self._held, self._count = [], 0

    def _write(self, rows: NDArray) -> None:
        start, self._written = self._written, self._written + len(rows)
        if self._written > len(self.dataset):
            self.dataset.resize(self._written, axis=0)
        self.dataset[start : self._written] = rows
