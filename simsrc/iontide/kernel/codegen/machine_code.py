"""Printed LLVM IR to machine code in this process, and the address by which the integrator calls it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import llvmlite.binding as llvm

from ...symbolic.tape import Program
from ..layout.batch_problem import LANES
from .batch_step_printer import LanePrinter
from .step_printer import StepPrinter
from .tape_printer import Printer

_lock = threading.Lock()
_ready = False
#: Code by the identity of its program (which is kept, so that the identity stays its own).
_compiled: dict[int, tuple[Program, MachineCode]] = {}
_MOST_COMPILED = 64


@dataclass(frozen=True)
class MachineCode:
    """Compiled tapes of one program.

    Attributes
    ----------
    addresses : tuple of int
        Of ``rates``, ``linearised``, ``factor``, ``solve``, ``step`` and ``crossings``, in the order of ``FUNCTIONS``;
        or of ``LANE_FUNCTIONS``.
    work : int
        Doubles of scratch space that any of them needs.
    factors : int
        Doubles that the sparse LU of W takes.
    """

    addresses: tuple[int, ...]
    work: int
    factors: int
    _keep: tuple[Any, ...] = field(repr=False)


#: Names of the functions, in the order of ``MachineCode.addresses``.
FUNCTIONS = ("rates", "linearised", "factor", "solve", "step", "crossings")


def compile_program(program: Program) -> MachineCode:
    """Machine code for a program, made once."""
    with _lock:
        found = _compiled.get(id(program))
        if found is None:
            n = program.size
            printer = Printer()
            tape_work = max(
                printer.print_tape("rates", program.rates, {"f": 0}),
                printer.print_tape("linearised", program.linearised, {"f": 0, "J": n, "f_t": n + n * n}),
                printer.print_tape("crossings", program.crossings, {"g": 0}),
            )
            step = StepPrinter(printer, program)
            work = step.print_all(tape_work)
            code = _compile(printer.module(), work, len(step.elimination.entries))
            while len(_compiled) >= _MOST_COMPILED:
                _compiled.pop(next(iter(_compiled)))
            found = _compiled[id(program)] = program, code
        return found[1]


#: Of the code over lanes, in the order of ``Queue.code``.
LANE_FUNCTIONS = ("linearised", "step", "advance", "begin", "newton")

_compiled_lanes: dict[tuple[int, int], tuple[Program, MachineCode]] = {}


def compile_lanes(program: Program, nonnegative: int) -> MachineCode:
    """Machine code for many runs of a program side by side, made once; the first states must not become negative."""
    key = id(program), nonnegative
    with _lock:
        found = _compiled_lanes.get(key)
        if found is None:
            n = program.size
            printer = Printer(LANES)
            tape_work = max(
                printer.print_tape("rates", program.rates, {"f": 0}),
                printer.print_tape("linearised", program.linearised, {"f": 0, "J": n, "f_t": n + n * n}),
            )
            step = StepPrinter(printer, program)
            work = step.print_all(tape_work)
            LanePrinter(printer, program, nonnegative).print_all()
            code = _compile(printer.module(), work, len(step.elimination.entries), LANE_FUNCTIONS)
            while len(_compiled_lanes) >= _MOST_COMPILED:
                _compiled_lanes.pop(next(iter(_compiled_lanes)))
            found = _compiled_lanes[key] = program, code
        return found[1]


def optimized(module: Any) -> tuple[Any, Any]:
    """A module after LLVM's passes for this processor, and the target machine it is for.

    An execution engine owns its target machine: one each, kept alive with the code.
    """
    global _ready
    if not _ready:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _ready = True
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2, jit=True
    )
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False  # vector stores next to scalar loads stall
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module, machine


def _compile(text: str, work: int, factors: int, functions: tuple[str, ...] = FUNCTIONS) -> MachineCode:
    module, machine = optimized(llvm.parse_assembly(text))
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return MachineCode(
        addresses=tuple(engine.get_function_address(name) for name in functions),
        work=work,
        factors=factors,
        _keep=(engine, module),
    )
