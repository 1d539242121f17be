"""One integration in progress: its arrays, and the table by which the compiled integrator finds them."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import native
from .problem import Problem, Progress, Samples, Scratch
from .tableau import STAGES

#: Places in the table: where the addresses of progress, samples and scratch, and where the sizes begin.
_PROGRESS, _SAMPLES, _SCRATCH, _SIZES, _LENGTH = 7, 11, 15, 23, 29


def address(array: NDArray) -> int:
    """Where the data of an array lie (``array.ctypes.data``, four times as fast)."""
    return int(array.__array_interface__["data"][0])


class Table(NamedTuple):
    """What the table of every integration of one problem has in common.

    Attributes
    ----------
    start : int64 (29,)
        The table, with the places of one integration still empty.
    places : int64 (12,)
        Where the arrays of progress and scratch lie within the room of an integration, bytes.
    room : int
        Its size, doubles.
    """

    start: NDArray
    places: NDArray
    room: int


def table_of(problem: Problem) -> Table:
    """The table of a problem."""
    n, work, lu = len(problem.absolute), int(problem.counts[1]), int(problem.counts[2])
    start = np.zeros(_LENGTH, dtype=np.int64)
    start[:_PROGRESS] = [address(a) for a in problem]
    segments, entries = problem.mass.shape
    start[_SIZES : _SIZES + 4] = segments, entries, problem.constants.shape[1], n
    # Progress: y, real, counters, dense. Scratch: u, linear, stage, first, second, clock, work, lu.
    sizes = [n, 5, 7, 5 * n, STAGES * n, n * (n + 2), n, n, n, 2, work, lu]
    assert len(sizes) == len(Progress._fields) + len(Scratch._fields)
    *places, room = accumulate(sizes, initial=0)
    return Table(start, 8 * np.array(places, dtype=np.int64), room)


class Integrator:
    """The compiled integrator at work on one problem; ``progress`` says how far it has come.

    All arrays of one integration are parts of one, so that it begins in a few microseconds.
    """

    def __init__(self, table: Table, y: NDArray) -> None:
        n = len(y)
        room = self._room = np.zeros(table.room)
        room[:n] = y
        counters = room[n + 5 : n + 12].view(np.int64)
        self.progress = Progress(room[:n], room[n : n + 5], counters, room[n + 12 : 6 * n + 12].reshape(5, n))
        self._table = table.start.copy()
        places = table.places + address(room)
        self._table[_PROGRESS:_SAMPLES] = places[: _SAMPLES - _PROGRESS]
        self._table[_SCRATCH:_SIZES] = places[_SAMPLES - _PROGRESS :]

    def advance(self, samples: Samples, budget: int) -> int:
        """Go on for at most ``budget`` steps, or until the samples are full; returns a status."""
        table = self._table
        table[_SAMPLES:_SCRATCH] = [address(a) for a in samples]
        table[_SIZES + 4 :] = len(samples.times), budget
        return native.load()(address(table))
