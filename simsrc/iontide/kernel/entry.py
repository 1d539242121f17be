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
from .problem import Problem, Progress, Samples, Scratch
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
    t = carray(table, (29,))
    s, e, m, n, room, budget = t[23], t[24], t[25], t[26], t[27], t[28]
    counts = carray(integers(t[6]), (4,))
    problem = Problem(
        carray(integers(t[0]), (5,)),
        carray(floats(t[1]), (s, e)),
        carray(floats(t[2]), (s, m)),
        carray(floats(t[3]), (s,)),
        carray(floats(t[4]), (n,)),
        carray(floats(t[5]), (3,)),
        counts,
    )
    progress = Progress(
        carray(floats(t[7]), (n,)),
        carray(floats(t[8]), (5,)),
        carray(integers(t[9]), (7,)),
        carray(floats(t[10]), (5, n)),
    )
    samples = Samples(
        carray(floats(t[11]), (room,)),
        carray(integers(t[12]), (room,)),
        carray(floats(t[13]), (room, n)),
        carray(integers(t[14]), (2,)),
    )
    scratch = Scratch(
        carray(floats(t[15]), (8, n)),
        carray(floats(t[16]), (n * (n + 2),)),
        carray(floats(t[17]), (n,)),
        carray(floats(t[18]), (n,)),
        carray(floats(t[19]), (n,)),
        carray(floats(t[20]), (2,)),
        carray(floats(t[21]), (counts[1],)),
        carray(floats(t[22]), (counts[2],)),
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
