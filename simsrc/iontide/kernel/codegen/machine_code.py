"""Printed LLVM IR to machine code in this process, and the address by which the integrator calls it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import llvmlite.binding as llvm

from ...symbolic.tape import Program
from ..layout.batch_problem import LANES
from ..layout.functions import LANE_FUNCTIONS, RUN_FUNCTIONS, linear_offsets
from .batch_step_printer import BatchStepPrinter
from .optimization import optimized
from .step_printer import StepPrinter
from .tape_printer import print_tape
from .writer import Module

_lock = threading.Lock()
#: Code by the identity of its program (stored with it, so that no other program gets that identity) and its variant.
_compiled: dict[tuple[int, ...], tuple[Program, MachineCode]] = {}
_MOST_COMPILED = 64


@dataclass(frozen=True)
class MachineCode:
    """Compiled tapes of one program.

    Attributes
    ----------
    addresses : tuple of int
        Of its functions, in the order of ``RUN_FUNCTIONS`` or of ``LANE_FUNCTIONS``.
    states, constants, masses, watched : int
        How many numbers it reads: states, constants of the tapes, entries of the mass matrix; and how many quantities
        are watched for passing through 0.
    work : int
        Doubles of scratch space that any of them needs.
    factors : int
        Doubles that the sparse LU of W takes.
    """

    addresses: tuple[int, ...]
    states: int
    constants: int
    masses: int
    watched: int
    work: int
    factors: int
    _alive: tuple[Any, ...] = field(repr=False)


def compile_program(program: Program) -> MachineCode:
    """Machine code for single runs of a program, made once."""
    return _compiled_once((id(program),), program, _for_one_run)


def compile_lanes(program: Program, nonnegative: int) -> MachineCode:
    """Machine code for many runs of a program at once, made once; the first states must not become negative."""
    return _compiled_once((id(program), nonnegative), program, lambda p: _for_lanes(p, nonnegative))


def _compiled_once(key: tuple[int, ...], program: Program, make: Callable[[Program], MachineCode]) -> MachineCode:
    with _lock:
        entry = _compiled.get(key)
        if entry is None:
            code = make(program)
            while len(_compiled) >= _MOST_COMPILED:
                _compiled.pop(next(iter(_compiled)))
            entry = _compiled[key] = program, code
        return entry[1]


def _for_one_run(program: Program) -> MachineCode:
    module = Module()
    crossings_work = print_tape(module, "crossings", program.crossings, {"g": 0})
    work, factors = _print_equations(module, program, crossings_work)
    return _compile(module.text(), program, work, factors, RUN_FUNCTIONS)


def _for_lanes(program: Program, nonnegative: int) -> MachineCode:
    module = Module(LANES)
    work, factors = _print_equations(module, program)
    BatchStepPrinter(module, program, nonnegative).print_all()
    return _compile(module.text(), program, work, factors, LANE_FUNCTIONS)


def _print_equations(module: Module, program: Program, least_work: int = 0) -> tuple[int, int]:
    """Print the tapes and the step of a program; returns the doubles of ``work`` and of an LU."""
    tape_work = max(
        least_work,
        print_tape(module, "rates", program.rates, {"f": 0}),
        print_tape(module, "linearised", program.linearised, linear_offsets(program.size)),
    )
    step = StepPrinter(module, program)
    return step.print_all(tape_work), len(step.elimination.entries)


def _compile(text: str, program: Program, work: int, factors: int, functions: tuple[str, ...]) -> MachineCode:
    module, machine = optimized(llvm.parse_assembly(text))
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return MachineCode(
        addresses=tuple(engine.get_function_address(name) for name in functions),
        states=program.size,
        constants=program.constants,
        masses=len(program.mass_rows),
        watched=program.watched,
        work=work,
        factors=factors,
        _alive=(engine, module),
    )
