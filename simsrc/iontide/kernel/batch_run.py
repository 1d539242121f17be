"""Many runs of one program at once: from arrays to arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .build import object_files
from .build.symbols import LANES
from .codegen.machine_code import MachineCode
from .layout.batch_problem import BENCH, LENGTH, SIZES, WAITING, Bench, Queue, bench_shapes
from .run import address

#: Whole cache lines, so that no vector of lanes lies across two.
_ALIGNMENT = 64


def empty_queue(
    code: MachineCode,
    counts: NDArray,
    options: NDArray,
    constants: NDArray,
    mass: NDArray,
    lengths: NDArray,
    absolute: NDArray,
    start: NDArray,
    times: NDArray,
    segments: NDArray,
) -> Queue:
    """A queue of runs that all wait, with room for their results; see ``Queue`` for the shapes."""
    runs, n = start.shape

    def reals(array: NDArray) -> NDArray:
        return np.ascontiguousarray(array, dtype=np.float64)

    return Queue(
        code=np.array(code.addresses, dtype=np.int64),
        counts=np.ascontiguousarray(counts, dtype=np.int64),
        options=reals(options),
        constants=reals(constants),
        mass=reals(mass),
        lengths=reals(lengths),
        absolute=reals(absolute),
        start=reals(start),
        times=reals(times),
        segments=np.ascontiguousarray(segments, dtype=np.int64),
        status=np.full(runs, WAITING, dtype=np.int64),
        counters=np.zeros((runs, 4), dtype=np.int64),
        reached=np.zeros(runs),
        end=np.full((runs, n), np.nan),
        away=np.full(runs, np.nan),
        samples=np.full((runs, len(times), n), np.nan),
    )


def integrate(queue: Queue, code: MachineCode) -> None:
    """Integrate every run that waits in a queue, and write down in it how each ended.

    Other Python threads go on meanwhile, and may integrate queues of their own.
    """
    runs, n = queue.start.shape
    segments, constants = queue.constants.shape[1:]
    mass = queue.mass.shape[2]
    bench = _bench(bench_shapes(n, constants, mass, code.factors, code.work))
    table = np.zeros(LENGTH, dtype=np.int64)
    table[:BENCH] = [address(a) for a in queue]
    table[BENCH:SIZES] = [address(a) for a in bench]
    table[SIZES:] = runs, segments, constants, mass, n, len(queue.times), code.factors, code.work
    object_files.load(LANES)(address(table))


def _bench(shapes: dict[str, tuple[int, int]]) -> Bench:
    """The arrays of a bench, each at the start of a cache line. What is in no lane yet is 1, so that nothing is 0/0."""
    arrays = {}
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        room = np.ones(size + _ALIGNMENT // 8)
        skip = (-address(room) % _ALIGNMENT) // 8
        arrays[name] = room[skip : skip + size].reshape(shape)
    arrays["control"][:] = 0.0
    arrays["linear"][:] = 0.0  # what is always 0 of the Jacobian, no tape writes
    arrays["place"] = np.zeros(shapes["place"], dtype=np.int64)
    return Bench(**arrays)
