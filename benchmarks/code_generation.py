"""From model to machine code against the number of states: what it takes to make, and to run.

    python benchmarks/code_generation.py [--compartments 1 2 4 8 10] [--json FILE]

A chain of finite compartments, each with five ions (K, Na, Cl, Ca, HCO3) and its potential as states, and a
bath at its end: six states a compartment. *Tape*: equations, exact Jacobian, registers. *Code*: LLVM IR and
machine code.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import machine
import numpy as np
from numba import njit
from problems import AREA, CAPACITANCE, TEMPERATURE, VOLUME

import iontide.equations.assembly as equations
from iontide import Compartment, Impermeant, Membrane, Model, Pathway, Recording, Simulation, Species
from iontide.kernel.codegen.machine_code import compile_program
from iontide.kernel.codegen.step_printer import StepPrinter
from iontide.kernel.codegen.tape_printer import print_tape
from iontide.kernel.codegen.writer import Module
from iontide.kernel.integrator.call import call
from iontide.kernel.layout.functions import LINEARISED, RATES, linear_offsets, linear_size
from iontide.simulation.simulate import Integration

IONS = {"K": 1, "Na": 1, "Cl": -1, "Ca": 2, "HCO3": -1}
INSIDE = {"K": 140.0, "Na": 10.0, "Cl": 10.0, "Ca": 1e-4, "HCO3": 15.0}
OUTSIDE = {"K": 4.0, "Na": 144.0, "Cl": 129.0, "Ca": 1.5, "HCO3": 22.0}
PERMEABILITY = {"K": 4e-8, "Na": 1.6e-9, "Cl": 1.8e-8, "Ca": 1e-11, "HCO3": 2e-9}


def chain(compartments: int) -> Model:
    """Compartments in series, the last bordering on a bath."""
    names = [f"cell_{i}" for i in range(compartments)]
    inside = {name: {ion: c * (1.0 + 0.03 * i) for ion, c in INSIDE.items()} for i, name in enumerate(names)}
    cells = {name: Compartment(name, "finite", VOLUME, inside[name], (Impermeant("A", -1.0),)) for name in names}
    bath = Compartment("bath", "bath", None, OUTSIDE)
    membranes = {}
    for i, (a, b) in enumerate(zip(names, [*names[1:], "bath"], strict=True)):
        name = f"membrane_{i}"
        pathways = tuple(Pathway(f"permeability.{ion}", "ghk", {ion: 1}, {"": p}) for ion, p in PERMEABILITY.items())
        membranes[name] = Membrane(name, a, b, AREA, CAPACITANCE, -0.01, pathways)
    return Model(
        species={ion: Species(ion, z) for ion, z in IONS.items()},
        compartments=cells | {"bath": bath},
        membranes=membranes,
        simulation=Simulation(36_000.0, 1e-7),
        temperature=TEMPERATURE,
        recording=Recording("log", 100, 1e-5),
    )


@njit
def _call_rates(address, arrays, count):
    for _ in range(count):
        call(address, arrays)


def seconds_of(work: Callable[[], object], repeats: int) -> float:
    """Least wall time of a piece of work."""
    best = math.inf
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def measure(compartments: int, repeats: int) -> dict[str, float]:
    """All figures of one size, s."""
    model = chain(compartments)
    equations._programs.clear()
    tapes, codes, texts = [], [], []
    for _ in range(repeats):
        equations._programs.clear()
        began = time.perf_counter()
        layout, program = equations.build_program(model)
        tapes.append(time.perf_counter() - began)
        began = time.perf_counter()
        code = compile_program(program)
        codes.append(time.perf_counter() - began)
        began = time.perf_counter()
        n = program.size
        module = Module()
        work = print_tape(module, "rates", program.rates, {"f": 0})
        work = max(work, print_tape(module, "linearised", program.linearised, linear_offsets(n)))
        StepPrinter(module, program).print_all(work)
        module.text()
        texts.append(time.perf_counter() - began)
    integration = Integration(model)
    list(integration.blocks())
    if integration.status < 0:
        raise RuntimeError(integration.failure())
    statistics = integration.outcome().statistics

    ready = [Integration(model) for _ in range(repeats + 2)]
    run = seconds_of(lambda: list(ready.pop().blocks()), repeats + 2)

    constants, _ = program.prepare(integration.prepared.values[0])
    work_space = np.zeros(code.work + 1)
    y, f, j = integration.initial.y, np.zeros(n), np.zeros(linear_size(n))
    clock = np.zeros(2)

    def per_call(address: int, out: np.ndarray) -> float:
        _call_rates(address, (clock, y, constants, work_space, out), 10)
        return (
            seconds_of(lambda: _call_rates(address, (clock, y, constants, work_space, out), 2000), repeats + 2) / 2000
        )

    return {
        "compartments": compartments,
        "states": layout.size,
        "instructions": len(program.linearised.instructions),
        "tape": min(tapes),
        "text": min(texts),
        "code": min(codes),
        "rates": per_call(code.addresses[RATES], f),
        "linearised": per_call(code.addresses[LINEARISED], j),
        "step": run / (statistics.steps + statistics.rejected),
        "steps": statistics.steps,
        "run": run,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compartments", type=int, nargs="+", default=[1, 2, 3, 4, 6, 8, 10])
    parser.add_argument("--repeats", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write every measurement")
    arguments = parser.parse_args()

    measure(1, 1)  # loads the integrator and LLVM
    print(f"{machine.description()}\n")
    print(
        "| states | operations with Jacobian | tape | of the code: LLVM IR as text | code in all "
        "| rates | with Jacobian | a step, all in | steps to 10 h at rtol 1e-7 |"
    )
    print("| ---: " * 9 + "|")
    rows = []
    for compartments in arguments.compartments:
        row = measure(compartments, arguments.repeats)
        rows.append(row)
        print(
            f"| {row['states']} | {row['instructions']} | {1e3 * row['tape']:.0f} ms "
            f"| {1e3 * row['text']:.0f} ms | {1e3 * row['code']:.0f} ms "
            f"| {1e9 * row['rates']:.0f} ns | {1e9 * row['linearised']:.0f} ns "
            f"| {1e6 * row['step']:.2f} µs | {row['steps']} |",
            flush=True,
        )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"machine": machine.description(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
