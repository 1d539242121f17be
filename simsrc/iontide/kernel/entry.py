"""The integrator as one C function, compiled by numba once on a machine and kept as an object file.

numba takes a second to start, most of it for what compiled code does not need. So what is kept is not numba's own
cache but the object code of ``integrate_table``, which ``native`` loads through LLVM alone. Its one argument is a
table of the addresses of all arrays, in the order of the tuples of ``problem``, and of their sizes.
"""

from __future__ import annotations

import re
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import carray, cfunc, types
from numba.extending import intrinsic

from .machine_code import optimized
from .native import SYMBOL
from .problem import LENGTH, PROGRESS, SAMPLES, SCRATCH, SIZES, Problem, Progress, Samples, Scratch
from .rosenbrock import integrate


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


def object_code() -> bytes:
    """Object code that defines ``SYMBOL`` and needs nothing of numba or Python.

    The integrator allocates nothing and raises nothing; what numba adds for code that does is never reached, and is
    put in as such, so that LLVM drops it.
    """
    text = integrate_table._library.get_llvm_str()
    text = text.replace(integrate_table.native_name, SYMBOL)
    text = re.sub(
        r"^declare (?:noalias )?(\S+) @((?:numba_|NRT_|Py)\w+)\(([^)]*)\)[^\n]*$",
        lambda found: f"define internal {found[1]} @{found[2]}({found[3]}) {{\n  unreachable\n}}",
        text,
        flags=re.MULTILINE,
    )
    module, machine = optimized(llvm.parse_assembly(text))
    return machine.emit_object(module)
