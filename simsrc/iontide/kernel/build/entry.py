"""The integrators as C functions, compiled by numba once on a machine and stored as object files.

numba takes a second to start, most of it for what compiled code does not need. So what is stored is not numba's own
cache but the object code of ``integrate_table`` and ``integrate_lanes_table``, which ``object_files`` loads through
LLVM alone. Their one argument is a table of the addresses of all arrays, in the order of the tuples of
``layout.problem`` and ``layout.batch_problem``, and of their sizes.
"""

from __future__ import annotations

import re
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import carray, cfunc, types
from numba.extending import intrinsic

from ..batch.integrator import integrate_lanes
from ..codegen.optimization import optimized
from ..integrator.rosenbrock import integrate
from ..layout import batch_problem, batch_rows, problem
from ..layout.functions import LANE_FUNCTIONS, RUN_FUNCTIONS
from ..layout.tableau import STAGES
from .symbols import LANES as LANES_KIND
from .symbols import symbol

LANES, ROWS = batch_problem.LANES, batch_rows.ROWS
RUN_CODES, LANE_CODES = len(RUN_FUNCTIONS), len(LANE_FUNCTIONS)

# numba takes constants from the globals of this module.
PROBLEM, PROGRESS, SAMPLES = problem.PROBLEM_AT, problem.PROGRESS_AT, problem.SAMPLES_AT
SCRATCH, SIZES, LENGTH = problem.SCRATCH_AT, problem.SIZES_AT, problem.LENGTH
QUEUE, WORKSPACE = batch_problem.QUEUE_AT, batch_problem.WORKSPACE_AT
BATCH_SIZES, BATCH_LENGTH = batch_problem.SIZES_AT, batch_problem.LENGTH


@intrinsic
def reals(typingctx, address):
    """An address as a pointer to float64."""
    return types.CPointer(types.float64)(types.int64), _to_pointer(ir.DoubleType())


@intrinsic
def integers(typingctx, address):
    """An address as a pointer to int64."""
    return types.CPointer(types.int64)(types.int64), _to_pointer(ir.IntType(64))


def _to_pointer(kind: Any) -> Any:
    return lambda context, builder, sig, args: builder.inttoptr(args[0], kind.as_pointer())


# The shapes here are those of ``problem_shapes`` and the like, by which arrays are checked before they come here.


def integrate_table(table):
    """``integrate`` on the arrays whose addresses are in the table; returns its status."""
    t = carray(table, (LENGTH,))
    s, n, w = t[SIZES.segments], t[SIZES.states], t[SIZES.watched]
    room, crossings = t[SIZES.samples], t[SIZES.crossings]
    to_integrate = problem.Problem(
        carray(integers(t[PROBLEM.code]), (RUN_CODES,)),
        carray(reals(t[PROBLEM.mass]), (s, t[SIZES.masses])),
        carray(reals(t[PROBLEM.constants]), (s, t[SIZES.constants])),
        carray(reals(t[PROBLEM.lengths]), (s,)),
        carray(reals(t[PROBLEM.absolute]), (n,)),
        carray(reals(t[PROBLEM.options]), (3,)),
        carray(integers(t[PROBLEM.counts]), (3,)),
        carray(integers(t[PROBLEM.watched]), (w, 2)),
    )
    progress = problem.Progress(
        carray(reals(t[PROGRESS.y]), (n,)),
        carray(reals(t[PROGRESS.real]), (5,)),
        carray(integers(t[PROGRESS.counters]), (9,)),
        carray(reals(t[PROGRESS.dense]), (5, n)),
        carray(reals(t[PROGRESS.levels]), (w,)),
    )
    samples = problem.Samples(
        carray(reals(t[SAMPLES.times]), (room,)),
        carray(integers(t[SAMPLES.segments]), (room,)),
        carray(reals(t[SAMPLES.states]), (room, n)),
        carray(integers(t[SAMPLES.mode]), (2,)),
        carray(reals(t[SAMPLES.crossed_at]), (crossings,)),
        carray(integers(t[SAMPLES.crossed]), (crossings, 2)),
    )
    scratch = problem.Scratch(
        carray(reals(t[SCRATCH.u]), (STAGES, n)),
        carray(reals(t[SCRATCH.linear]), (n * (n + 2),)),
        carray(reals(t[SCRATCH.stage]), (n,)),
        carray(reals(t[SCRATCH.first]), (n,)),
        carray(reals(t[SCRATCH.second]), (n,)),
        carray(reals(t[SCRATCH.clock]), (2,)),
        carray(reals(t[SCRATCH.work]), (t[SIZES.work],)),
        carray(reals(t[SCRATCH.lu]), (t[SIZES.factors],)),
        carray(reals(t[SCRATCH.levels]), (2, w)),
    )
    return integrate(to_integrate, progress, samples, scratch, t[SIZES.budget])


def integrate_lanes_table(table):
    """``integrate_lanes`` on the arrays whose addresses are in the table."""
    t = carray(table, (BATCH_LENGTH,))
    p, s, n, m = t[BATCH_SIZES.runs], t[BATCH_SIZES.segments], t[BATCH_SIZES.states], t[BATCH_SIZES.samples]
    constants, masses = t[BATCH_SIZES.constants], t[BATCH_SIZES.masses]
    queue = batch_problem.Queue(
        carray(integers(t[QUEUE.code]), (LANE_CODES,)),
        carray(integers(t[QUEUE.counts]), (5,)),
        carray(reals(t[QUEUE.options]), (2,)),
        carray(reals(t[QUEUE.constants]), (p, s, constants)),
        carray(reals(t[QUEUE.mass]), (p, s, masses)),
        carray(reals(t[QUEUE.lengths]), (p, s)),
        carray(reals(t[QUEUE.absolute]), (p, n)),
        carray(reals(t[QUEUE.start]), (p, n)),
        carray(reals(t[QUEUE.times]), (m,)),
        carray(integers(t[QUEUE.segments]), (m,)),
        carray(integers(t[QUEUE.status]), (p,)),
        carray(integers(t[QUEUE.counters]), (p, 4)),
        carray(reals(t[QUEUE.reached]), (p,)),
        carray(reals(t[QUEUE.end]), (p, n)),
        carray(reals(t[QUEUE.away]), (p,)),
        carray(reals(t[QUEUE.samples]), (p, m, n)),
    )
    workspace = batch_problem.Workspace(
        carray(reals(t[WORKSPACE.control]), (ROWS, LANES)),
        carray(reals(t[WORKSPACE.clock]), (2, LANES)),
        carray(reals(t[WORKSPACE.y]), (n, LANES)),
        carray(reals(t[WORKSPACE.before]), (n, LANES)),
        carray(reals(t[WORKSPACE.stage]), (n, LANES)),
        carray(reals(t[WORKSPACE.absolute]), (n, LANES)),
        carray(reals(t[WORKSPACE.speed]), (n, LANES)),
        carray(reals(t[WORKSPACE.move]), (n, LANES)),
        carray(reals(t[WORKSPACE.u]), (STAGES * n, LANES)),
        carray(reals(t[WORKSPACE.linear]), (n * (n + 2), LANES)),
        carray(reals(t[WORKSPACE.k]), (constants, LANES)),
        carray(reals(t[WORKSPACE.mass]), (masses, LANES)),
        carray(reals(t[WORKSPACE.lu]), (t[BATCH_SIZES.factors], LANES)),
        carray(reals(t[WORKSPACE.work]), (t[BATCH_SIZES.work], LANES)),
        carray(reals(t[WORKSPACE.dense]), (5, n)),
        carray(reals(t[WORKSPACE.stages]), (STAGES, n)),
        carray(integers(t[WORKSPACE.place]), (4, LANES)),
    )
    integrate_lanes(queue, workspace)
    return 0


def object_code(kind: str) -> bytes:
    """Compile an integrator to object code, which needs nothing of numba or Python.

    The arrays belong to Python: numba's counting of references to them does nothing but take time, and is left out. The
    integrator allocates nothing and raises nothing: what numba adds for code that does is never reached, and is
    defined as unreachable, so that LLVM drops it. All functions but the entry are internal: LLVM inlines those that are
    called once, as a call passes some three hundred numbers (every array with its shape).
    """
    entry = integrate_lanes_table if kind == LANES_KIND else integrate_table
    function = cfunc(types.int64(types.CPointer(types.int64)))(entry)
    text = function._library.get_llvm_str()
    text = text.replace(function.native_name, symbol(kind))
    text = re.sub(
        r"^define linkonce_odr void @(NRT_(?:incref|decref))\(.*?^\}$",
        r"define internal void @\1(ptr %0) alwaysinline {\n  ret void\n}",
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    text = text.replace("define linkonce_odr ", "define internal ")
    text = re.sub(
        r"^declare (?:noalias )?(\S+) @((?:numba_|NRT_|Py)\w+)\(([^)]*)\)[^\n]*$",
        lambda match: f"define internal {match[1]} @{match[2]}({match[3]}) {{\n  unreachable\n}}",
        text,
        flags=re.MULTILINE,
    )
    module, machine = optimized(llvm.parse_assembly(text))
    return machine.emit_object(module)
