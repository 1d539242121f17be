"""One integration in progress: its arrays, and the table by which the compiled integrator finds them."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .build import object_files
from .layout.problem import (
    LENGTH,
    PROGRESS,
    SAMPLES,
    SCRATCH,
    SIZES,
    Problem,
    Progress,
    Samples,
    Scratch,
    empty_progress,
)
from .layout.tableau import STAGES

#: Counters of an integration.
COUNTERS = len(empty_progress().counters)


def address(array: NDArray) -> int:
    """Where the data of an array lie (``array.ctypes.data``, four times as fast)."""
    return int(array.__array_interface__["data"][0])


class Table(NamedTuple):
    """What the table of every integration of one problem has in common.

    Attributes
    ----------
    start : int64 (LENGTH,)
        The table, with the places of one integration still empty.
    places : int64
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
    watched = len(problem.watched)
    start = np.zeros(LENGTH, dtype=np.int64)
    start[:PROGRESS] = [address(a) for a in problem]
    segments, entries = problem.mass.shape
    start[SIZES : SIZES + 5] = segments, entries, problem.constants.shape[1], n, watched
    # Progress: y, real, counters, dense, levels. Scratch: u, linear, stage, first, second, clock, work, lu, levels.
    sizes = [n, 5, COUNTERS, 5 * n, watched, STAGES * n, n * (n + 2), n, n, n, 2, work, lu, 2 * watched]
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
        counters, dense = n + 5, n + 5 + COUNTERS
        levels = room[dense + 5 * n : dense + 5 * n + int(table.start[SIZES + 4])]
        levels[:] = np.nan
        self.progress = Progress(
            y=room[:n],
            real=room[n : n + 5],
            counters=room[counters:dense].view(np.int64),
            dense=room[dense : dense + 5 * n].reshape(5, n),
            levels=levels,
        )
        self._table = table.start.copy()
        places = table.places + address(room)
        self._table[PROGRESS:SAMPLES] = places[: SAMPLES - PROGRESS]
        self._table[SCRATCH:SIZES] = places[SAMPLES - PROGRESS :]

    def advance(self, samples: Samples, budget: int) -> int:
        """Go on for at most ``budget`` steps, or until the samples are full; returns a status."""
        table = self._table
        table[SAMPLES:SCRATCH] = [address(a) for a in samples]
        table[SIZES + 5 :] = len(samples.times), len(samples.crossed_at), budget
        return object_files.load()(address(table))
