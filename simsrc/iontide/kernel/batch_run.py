"""Many runs of one program at once: from arrays to arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .build import object_files
from .build.symbols import LANES
from .codegen.machine_code import MachineCode
from .layout import problem as single
from .layout.batch_problem import (
    LENGTH,
    SIZES,
    WAITING,
    WORKSPACE,
    Queue,
    Sizes,
    Workspace,
    queue_shapes,
    workspace_shapes,
)
from .layout.checks import check_arrays
from .run import address

#: Whole cache lines, so that no vector of lanes lies across two.
_ALIGNMENT = 64


def empty_queue(
    code: MachineCode,
    problem: single.Problem,
    constants: NDArray,
    mass: NDArray,
    lengths: NDArray,
    absolute: NDArray,
    start: NDArray,
    times: NDArray,
    segments: NDArray,
    measure_ends: bool = False,
) -> Queue:
    """A queue of runs that all wait, with arrays for their results; see ``Queue`` for the shapes.

    Parameters
    ----------
    code : MachineCode
        Of the lanes.
    problem : Problem
        A single run of the same program, for tolerance, most steps and kinds of states.
    constants, mass, lengths, absolute, start : array
        Of each run.
    times, segments : array, shape (m,)
        Of the samples, the same for all runs.
    measure_ends : bool
        Whether to measure how far an end is from a steady state.

    Raises
    ------
    ValueError
        An array is not as long as the code takes it, or as the others are.
    """
    runs, n = start.shape
    stop = problem.options[single.STOP_AT_STEADY_STATE] > 0.0
    kinds = problem.counts[[single.NONNEGATIVE, single.ALGEBRAIC, single.SAMPLE_BY_STEPS]]
    queue = Queue(
        code=_whole(code.addresses),
        counts=_whole([*kinds, stop, measure_ends]),
        options=_reals(problem.options[[single.RELATIVE, single.MOST_STEPS]]),
        constants=_reals(constants),
        mass=_reals(mass),
        lengths=_reals(lengths),
        absolute=_reals(absolute),
        start=_reals(start),
        times=_reals(times),
        segments=_whole(segments),
        status=np.full(runs, WAITING, dtype=np.int64),
        counters=np.zeros((runs, 4), dtype=np.int64),
        reached=np.zeros(runs),
        end=np.full((runs, n), np.nan),
        away=np.full(runs, np.nan),
        samples=np.full((runs, len(times), n), np.nan),
    )
    check_queue(queue, code)
    return queue


def check_queue(queue: Queue, code: MachineCode) -> None:
    """Check that the arrays of a queue are as long as the code of its lanes takes them, and as the others are.

    Raises
    ------
    ValueError
        They are not.
    """
    sizes = len(queue.start), queue.lengths.shape[-1], code.states, code.masses, code.constants, len(queue.times)
    check_arrays("the queue", queue, queue_shapes(*sizes))


def integrate(queue: Queue, code: MachineCode) -> None:
    """Integrate every run that waits in a queue, and store in it how each ended.

    Other Python threads run meanwhile, and may integrate queues of their own.

    Raises
    ------
    ValueError
        An array is not as long as the code takes it, or as the others are.
    """
    check_queue(queue, code)
    workspace = _workspace(workspace_shapes(code.states, code.constants, code.masses, code.factors, code.work))
    table = np.zeros(LENGTH, dtype=np.int64)
    table[:WORKSPACE] = [address(a) for a in queue]
    table[WORKSPACE:SIZES] = [address(a) for a in workspace]
    table[SIZES:] = Sizes(
        runs=len(queue.start),
        segments=queue.lengths.shape[1],
        constants=code.constants,
        masses=code.masses,
        states=code.states,
        samples=len(queue.times),
        factors=code.factors,
        work=code.work,
    )
    object_files.load(LANES)(address(table))


def _reals(array: ArrayLike) -> NDArray:
    return np.ascontiguousarray(array, dtype=np.float64)


def _whole(array: ArrayLike) -> NDArray:
    return np.ascontiguousarray(array, dtype=np.int64)


def _workspace(shapes: dict[str, tuple[int, int]]) -> Workspace:
    """A workspace, each array at the start of a cache line. What is in no lane yet is 1, so that nothing is 0/0."""
    arrays: dict[str, Any] = {}
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        memory = np.ones(size + _ALIGNMENT // 8)
        skip = (-address(memory) % _ALIGNMENT) // 8
        arrays[name] = memory[skip : skip + size].reshape(shape)
    arrays["control"][:] = 0.0
    arrays["linear"][:] = 0.0  # what is always 0 of the Jacobian, no tape writes
    arrays["place"] = np.zeros(shapes["place"], dtype=np.int64)
    return Workspace(**arrays)
