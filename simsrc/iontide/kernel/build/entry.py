"""The integrators as C functions, compiled by numba once on a machine and kept as object files.

numba takes a second to start, most of it for what compiled code does not need. So what is kept is not numba's own
cache but the object code of ``integrate_table`` and ``integrate_lanes_table``, which ``native`` loads through LLVM
alone. Their one argument is a table of the addresses of all arrays, in the order of the tuples of ``problem`` and
``lane_problem``, and of their sizes.
"""

from __future__ import annotations

import re
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import carray, cfunc, types
from numba.extending import intrinsic

from ..batch.integrator import integrate_lanes
from ..codegen.machine_code import optimized
from ..integrator.rosenbrock import integrate
from ..layout import batch_problem, batch_rows
from ..layout.problem import LENGTH, PROGRESS, SAMPLES, SCRATCH, SIZES, Problem, Progress, Samples, Scratch
from .symbols import LANES as LANES_KIND
from .symbols import symbol

LANES, ROWS = batch_problem.LANES, len(batch_rows.ROWS)


@intrinsic
def floats(typingctx, address):
    """An address as a pointer to float64."""
    return types.CPointer(types.float64)(types.int64), _to_pointer(ir.DoubleType())


@intrinsic
def integers(typingctx, address):
    """An address as a pointer to int64."""
    return types.CPointer(types.int64)(types.int64), _to_pointer(ir.IntType(64))


def _to_pointer(kind: Any) -> Any:
    return lambda context, builder, sig, args: builder.inttoptr(args[0], kind.as_pointer())


@cfunc(types.int64(types.CPointer(types.int64)))
def integrate_table(table):
    """``integrate`` on the arrays whose addresses stand in the table; returns its status."""
    t = carray(table, (LENGTH,))
    s, e, m, n, w = t[SIZES], t[SIZES + 1], t[SIZES + 2], t[SIZES + 3], t[SIZES + 4]
    room, crossings, budget = t[SIZES + 5], t[SIZES + 6], t[SIZES + 7]
    counts = carray(integers(t[6]), (5,))
    problem = Problem(
        carray(integers(t[0]), (6,)),
        carray(floats(t[1]), (s, e)),
        carray(floats(t[2]), (s, m)),
        carray(floats(t[3]), (s,)),
        carray(floats(t[4]), (n,)),
        carray(floats(t[5]), (3,)),
        counts,
        carray(integers(t[7]), (w, 2)),
    )
    progress = Progress(
        carray(floats(t[PROGRESS]), (n,)),
        carray(floats(t[PROGRESS + 1]), (5,)),
        carray(integers(t[PROGRESS + 2]), (9,)),
        carray(floats(t[PROGRESS + 3]), (5, n)),
        carray(floats(t[PROGRESS + 4]), (w,)),
    )
    samples = Samples(
        carray(floats(t[SAMPLES]), (room,)),
        carray(integers(t[SAMPLES + 1]), (room,)),
        carray(floats(t[SAMPLES + 2]), (room, n)),
        carray(integers(t[SAMPLES + 3]), (2,)),
        carray(floats(t[SAMPLES + 4]), (crossings,)),
        carray(integers(t[SAMPLES + 5]), (crossings, 2)),
    )
    scratch = Scratch(
        carray(floats(t[SCRATCH]), (8, n)),
        carray(floats(t[SCRATCH + 1]), (n * (n + 2),)),
        carray(floats(t[SCRATCH + 2]), (n,)),
        carray(floats(t[SCRATCH + 3]), (n,)),
        carray(floats(t[SCRATCH + 4]), (n,)),
        carray(floats(t[SCRATCH + 5]), (2,)),
        carray(floats(t[SCRATCH + 6]), (counts[1],)),
        carray(floats(t[SCRATCH + 7]), (counts[2],)),
        carray(floats(t[SCRATCH + 8]), (2, w)),
    )
    return integrate(problem, progress, samples, scratch, budget)


@cfunc(types.int64(types.CPointer(types.int64)))
def integrate_lanes_table(table):
    """``integrate_lanes`` on the arrays whose addresses stand in the table."""
    t = carray(table, (batch_problem.LENGTH,))
    z, b = batch_problem.SIZES, batch_problem.BENCH
    p, s, e, w, n, m, factors, work = t[z], t[z + 1], t[z + 2], t[z + 3], t[z + 4], t[z + 5], t[z + 6], t[z + 7]
    queue = batch_problem.Queue(
        carray(integers(t[0]), (5,)),
        carray(integers(t[1]), (5,)),
        carray(floats(t[2]), (2,)),
        carray(floats(t[3]), (p, s, e)),
        carray(floats(t[4]), (p, s, w)),
        carray(floats(t[5]), (p, s)),
        carray(floats(t[6]), (p, n)),
        carray(floats(t[7]), (p, n)),
        carray(floats(t[8]), (m,)),
        carray(integers(t[9]), (m,)),
        carray(integers(t[10]), (p,)),
        carray(integers(t[11]), (p, 4)),
        carray(floats(t[12]), (p,)),
        carray(floats(t[13]), (p, n)),
        carray(floats(t[14]), (p,)),
        carray(floats(t[15]), (p, m, n)),
    )
    bench = batch_problem.Bench(
        carray(floats(t[b]), (ROWS, LANES)),
        carray(floats(t[b + 1]), (2, LANES)),
        carray(floats(t[b + 2]), (n, LANES)),
        carray(floats(t[b + 3]), (n, LANES)),
        carray(floats(t[b + 4]), (n, LANES)),
        carray(floats(t[b + 5]), (n, LANES)),
        carray(floats(t[b + 6]), (n, LANES)),
        carray(floats(t[b + 7]), (n, LANES)),
        carray(floats(t[b + 8]), (8 * n, LANES)),
        carray(floats(t[b + 9]), (n * (n + 2), LANES)),
        carray(floats(t[b + 10]), (e, LANES)),
        carray(floats(t[b + 11]), (w, LANES)),
        carray(floats(t[b + 12]), (factors, LANES)),
        carray(floats(t[b + 13]), (work, LANES)),
        carray(floats(t[b + 14]), (5, n)),
        carray(integers(t[b + 15]), (4, LANES)),
    )
    integrate_lanes(queue, bench)
    return 0


def object_code(kind: str) -> bytes:
    """Object code of an integrator, which needs nothing of numba or Python.

    The integrator allocates nothing and raises nothing; what numba adds for code that does is never reached, and is
    put in as such, so that LLVM drops it.
    """
    function = integrate_lanes_table if kind == LANES_KIND else integrate_table
    text = function._library.get_llvm_str()
    text = text.replace(function.native_name, symbol(kind))
    text = re.sub(
        r"^declare (?:noalias )?(\S+) @((?:numba_|NRT_|Py)\w+)\(([^)]*)\)[^\n]*$",
        lambda found: f"define internal {found[1]} @{found[2]}({found[3]}) {{\n  unreachable\n}}",
        text,
        flags=re.MULTILINE,
    )
    module, machine = optimized(llvm.parse_assembly(text))
    return machine.emit_object(module)
