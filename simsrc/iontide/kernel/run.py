"""One integration in progress: its arrays, and the table by which the compiled integrator reads and writes them."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .build import object_files
from .codegen.machine_code import MachineCode
from .layout.checks import check_arrays
from .layout.problem import (
    LENGTH,
    PROGRESS,
    SAMPLES,
    SCRATCH,
    SIZES,
    SIZES_AT,
    Problem,
    Progress,
    Samples,
    Sizes,
    problem_shapes,
    progress_shapes,
    sample_shapes,
    scratch_shapes,
)


def address(array: NDArray) -> int:
    """Where the data of an array begin in memory (``array.ctypes.data``, four times as fast)."""
    return int(array.__array_interface__["data"][0])


class Table(NamedTuple):
    """What all integrations of one problem have in common.

    Attributes
    ----------
    start : int64 (LENGTH,)
        The table of addresses, with those of one integration still empty.
    places : int64
        Where the arrays of progress and scratch begin within the memory of an integration, bytes.
    size : int
        Doubles of that memory.
    progress : dict of str to (slice, shape)
        The part of it that is each array of ``Progress``.
    problem : Problem
        The arrays and the code that the table points to, which must live as long as it does; ``code`` likewise.
    """

    start: NDArray
    places: NDArray
    size: int
    progress: dict[str, tuple[slice, tuple[int, ...]]]
    problem: Problem
    code: MachineCode

    @property
    def states(self) -> int:
        """How many there are."""
        return self.code.states


def table_of(problem: Problem, code: MachineCode) -> Table:
    """The table of a problem.

    Raises
    ------
    ValueError
        An array of the problem is not as long as its machine code takes it.
    """
    segments, n, watched = len(problem.lengths), code.states, code.watched
    check_arrays("the problem", problem, problem_shapes(segments, n, code.masses, code.constants, watched))
    sizes = Sizes(segments, code.masses, code.constants, n, watched, code.work, code.factors, 0, 0, 0)
    start = np.zeros(LENGTH, dtype=np.int64)
    start[:PROGRESS] = [address(a) for a in problem]
    start[SIZES:] = sizes
    progress = progress_shapes(n, watched)
    shapes = [*progress.values(), *scratch_shapes(n, watched, code.work, code.factors).values()]
    *places, size = accumulate(map(prod, shapes), initial=0)
    parts = {
        name: (slice(first, first + prod(shape)), shape)
        for (name, shape), first in zip(progress.items(), places, strict=False)
    }
    return Table(start, 8 * np.array(places, dtype=np.int64), size, parts, problem, code)


class Integrator:
    """The compiled integrator with one problem; ``progress`` is how far it is.

    All arrays of one integration are parts of one, so that it begins in a few microseconds.

    Parameters
    ----------
    table : Table
    y : array, shape (n,)
        The state at the start, SI.

    Raises
    ------
    ValueError
        The state at the start is not as long as the problem has states.
    """

    def __init__(self, table: Table, y: NDArray) -> None:
        if y.shape != (table.states,):  # of any type and order: it is copied
            raise ValueError(f"the state at the start: the shape must be {(table.states,)}, got {y.shape}")
        self._problem, self._code = table.problem, table.code  # which the addresses point to
        memory = self._memory = np.zeros(table.size)
        parts = {name: memory[part].reshape(shape) for name, (part, shape) in table.progress.items()}
        parts["counters"] = parts["counters"].view(np.int64)
        self.progress = Progress(**parts)
        self.progress.y[:] = y
        self.progress.levels[:] = np.nan
        self._table = table.start.copy()
        places = table.places + address(memory)
        self._table[PROGRESS:SAMPLES] = places[: SAMPLES - PROGRESS]
        self._table[SCRATCH:SIZES] = places[SAMPLES - PROGRESS :]

    def advance(self, samples: Samples, budget: int) -> int:
        """Go on for at most ``budget`` steps, or until the samples are full; returns a status.

        Raises
        ------
        ValueError
            The arrays of the samples do not go together, or not with the states.
        """
        count, crossings = len(samples.times), len(samples.crossed_at)
        check_arrays("the samples", samples, sample_shapes(count, len(self.progress.y), crossings))
        table = self._table
        table[SAMPLES:SCRATCH] = [address(a) for a in samples]
        table[SIZES_AT.samples], table[SIZES_AT.crossings], table[SIZES_AT.budget] = count, crossings, budget
        return object_files.load()(address(table))
