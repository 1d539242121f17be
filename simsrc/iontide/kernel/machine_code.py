"""Printed LLVM IR to machine code in this process, and the address by which the integrator calls it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import llvmlite.binding as llvm

from ..tape import Program
from .llvm_text import Printer

_lock = threading.Lock()
_ready = False
_compiled: dict[tuple[str, int], MachineCode] = {}


@dataclass(frozen=True)
class MachineCode:
    """Compiled tapes of one program.

    Attributes
    ----------
    rates : int
        Address of ``void (t, y, k, work, f)``.
    linearised : int
        Address of ``void (t, y, k, work, [f, J, f_t])``.
    work : int
        Doubles (times lanes) of scratch space that either needs.
    lanes : int
    """

    rates: int
    linearised: int
    work: int
    lanes: int
    _keep: tuple[Any, ...] = field(repr=False)


def compile_program(program: Program, lanes: int = 1) -> MachineCode:
    """Machine code for a program; the same tapes give the same code, kept for the life of the process."""
    n = program.size
    printer = Printer(lanes)
    work = max(
        printer.print_tape("rates", program.rates, {"f": 0}),
        printer.print_tape("linearised", program.linearised, {"f": 0, "J": n, "f_t": n + n * n}),
    )
    text = printer.module()
    with _lock:
        code = _compiled.get((text, lanes))
        if code is None:
            code = _compiled[text, lanes] = _compile(text, work, lanes)
    return code


def _compile(text: str, work: int, lanes: int) -> MachineCode:
    global _ready
    if not _ready:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _ready = True
    module = llvm.parse_assembly(text)
    module.verify()
    # An execution engine owns its target machine: one each, kept alive with the code.
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2, jit=True
    )
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return MachineCode(
        rates=engine.get_function_address("rates"),
        linearised=engine.get_function_address("linearised"),
        work=work,
        lanes=lanes,
        _keep=(engine, module),
    )
