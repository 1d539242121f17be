"""A tape printed as LLVM IR, at one lane for a run or at any number of SIMD lanes for a sweep.

The printed function is ``void name(double* t, double* y, double* k, double* work, double* out)``; each pointer
addresses numbers of ``lanes`` doubles (structure of arrays), ``out`` holds the output arrays one after another.
One long function compiles worse than linearly, so a long tape is printed as several functions that hand values
on through ``work``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from ...symbolic.tape import Instruction, Tape
from .math_functions import function_text, power_steps

#: Instructions in one printed function.
CHUNK = 400

#: Up to this |x| the Bernoulli function comes from Lambert's continued fraction, above it from exp.
NEAR_LIMIT = 6.0

#: Depth of the continued fraction: relative error of x coth x below 1e-16 for |x| / 2 ≤ 3 (a test measures it).
LAMBERT_DEPTH = 12

_BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARISON = {"less": "olt", "less_equal": "ole", "equal": "oeq"}
_INTRINSIC = {"abs": "llvm.fabs", "exp": "llvm.exp", "log": "llvm.log", "sqrt": "llvm.sqrt", "pow": "llvm.pow"}


def lambert_polynomials(depth: int = LAMBERT_DEPTH) -> tuple[list[float], list[float]]:
    """Numerator and denominator, in s = x², of ``H = (x coth x − 1) / x² = 1 / (3 + s / (5 + s / (7 + …)))``.

    Coefficients from the constant term up, exact integers scaled so that the denominator opens with 1. Source:
    Lambert's continued fraction of tanh, DLMF 4.39.1 with its reciprocal.
    """
    numerator, denominator = [1], [2 * depth + 1]
    for k in range(depth - 1, 0, -1):
        shifted = [0, *numerator]
        longest = max(len(shifted), len(denominator))
        scaled = [(2 * k + 1) * c for c in denominator] + [0] * (longest - len(denominator))
        shifted += [0] * (longest - len(shifted))
        numerator, denominator = denominator, [a + b for a, b in zip(scaled, shifted, strict=True)]
    lead = denominator[0]
    return [c / lead for c in numerator], [c / lead for c in denominator]


class Printer:
    """Prints tapes of one lane count into one module."""

    def __init__(self, lanes: int = 1) -> None:
        self.lanes = lanes
        self.type = "double" if lanes == 1 else f"<{lanes} x double>"
        self.suffix = "f64" if lanes == 1 else f"v{lanes}f64"
        self.flag = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.parts: list[str] = []
        self.declared: set[str] = set()

    def literal(self, value: float) -> str:
        """A number as LLVM writes it, exactly."""
        bits = f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
        if self.lanes == 1:
            return bits
        return "<" + ", ".join([f"double {bits}"] * self.lanes) + ">"

    def module(self) -> str:
        """The whole module as text."""
        return "\n".join([*sorted(self.declared), *self.parts]) + "\n"

    def declare(self, name: str, result: str, *arguments: str) -> str:
        self.declared.add(f"declare {result} @{name}({', '.join(arguments)})")
        return f"@{name}"

    def print_tape(self, name: str, tape: Tape, offsets: Mapping[str, int]) -> int:
        """Print a tape as function ``name``; return how many numbers of ``work`` it needs.

        ``offsets`` says where each output array starts within ``out``.
        """
        instructions = tape.instructions
        chunks = [range(i, min(i + CHUNK, len(instructions))) for i in range(0, max(len(instructions), 1), CHUNK)]
        chunk_of = [i // CHUNK for i in range(len(instructions))]
        shared: dict[int, int] = {}  # register → place in work, for values that outlive their chunk
        for i, instruction in enumerate(instructions):
            for a in _registers(instruction):
                if chunk_of[a] != chunk_of[i] and not _is_load(instructions[a]):
                    shared.setdefault(a, len(shared))
        outputs: dict[int, list[int]] = {}
        for o in tape.outputs:
            outputs.setdefault(o.register, []).append(offsets[o.array] + o.slot)
        arguments = "ptr noalias %t, ptr noalias %y, ptr noalias %k, ptr noalias %work, ptr noalias %out"
        # The pieces of a long tape would be inlined into one again, which compiles worse than linearly.
        hint = "noinline" if len(chunks) > 1 else "alwaysinline"
        for c, chunk in enumerate(chunks):
            body = _Body(self, instructions)
            for i in chunk:
                if i in outputs or i in shared or not _is_load(instructions[i]):
                    value = body.value(i, shared)
                    if i in shared:
                        body.store(value, "%work", shared[i])
                    for slot in outputs.get(i, []):
                        body.store(value, "%out", slot)
            lines = "\n".join(body.lines)
            self.parts.append(
                f"define internal void @{name}.{c}({arguments}) {hint} nounwind {{\nentry:\n{lines}\n  ret void\n}}"
            )
        calls = "\n".join(
            f"  call void @{name}.{c}(ptr %t, ptr %y, ptr %k, ptr %work, ptr %out)" for c in range(len(chunks))
        )
        self.parts.append(f"define void @{name}({arguments}) nounwind {{\nentry:\n{calls}\n  ret void\n}}")
        return len(shared)

    def lane_function(self, name: str) -> str:
        """Define (once) ``exp``, ``log`` or ``tanh`` of every lane and return its name."""
        if name == "tanh":
            self.lane_function("exp")
        text, declared = function_text(name, self.lanes)
        if text not in self.parts:
            self.declared |= declared
            self.parts.append(text)
        return f"@lanes.{name}"

    def bernoulli_function(self) -> str:
        """Define (once) the function u → {B(u), B(−u), B'(u), B'(−u)} and return its name."""
        name = "@bernoulli"
        t, lit = self.type, self.literal
        four = f"{{{t}, {t}, {t}, {t}}}"
        if any(part.startswith(f"define internal {four} {name}(") for part in self.parts):
            return name
        fabs = self.declare(f"llvm.fabs.{self.suffix}", t, t)
        exp = self.lane_function("exp") if self.lanes > 1 else self.declare("llvm.exp.f64", t, t)
        flag = self.flag
        out = [
            f"define internal {four} {name}({t} %u) alwaysinline nounwind {{",
            "entry:",
            f"  %x = fmul {t} %u, {lit(0.5)}",
            f"  %s = fmul {t} %x, %x",
        ]
        numerator, denominator = lambert_polynomials()
        out += [f"  %s2 = fmul {t} %s, %s", f"  %s4 = fmul {t} %s2, %s2"]
        for letter, coefficients in (("num", numerator), ("den", denominator)):
            out += self._polynomial(letter, coefficients)
        out += [
            f"  %h = fdiv {t} %num, %den",
            f"  %sh = fmul contract {t} %s, %h",
            f"  %g = fadd contract {t} %sh, {lit(1.0)}",
            f"  %near.p = fsub {t} %g, %x",
            f"  %near.m = fadd {t} %g, %x",
            # d(x coth x)/dx = x (1 − G H), so B' = ½ (± x (1 − G H) − 1)
            f"  %gh = fmul contract {t} %g, %h",
            f"  %og = fsub contract {t} {lit(1.0)}, %gh",
            f"  %w = fmul {t} %x, %og",
            f"  %wp = fsub {t} %w, {lit(1.0)}",
            f"  %near.dp = fmul {t} %wp, {lit(0.5)}",
            f"  %wm = fadd {t} %w, {lit(1.0)}",
            f"  %near.dm = fmul {t} %wm, {lit(-0.5)}",
            f"  %v = call {t} {fabs}({t} %u)",
            f"  %is.far = fcmp ogt {t} %v, {lit(NEAR_LIMIT)}",
        ]
        if self.lanes == 1:
            out.append("  br i1 %is.far, label %far, label %done")
        else:
            any_of = self.declare(f"llvm.vector.reduce.or.v{self.lanes}i1", "i1", flag)
            out.append(f"  %any = call i1 {any_of}({flag} %is.far)")
            out.append("  br i1 %any, label %far, label %done")
        out += [
            "far:",  # v = |u| > 6, so exp(v) − 1 loses nothing; an infinite exp gives B = 0, as it should
            f"  %e = call {t} {exp}({t} %v)",
            f"  %e1 = fsub {t} %e, {lit(1.0)}",
            f"  %b = fdiv {t} %v, %e1",
            f"  %bv = fadd {t} %b, %v",
            f"  %r0 = fsub {t} {lit(1.0)}, %v",
            f"  %r1 = fsub {t} %r0, %b",
            f"  %r2 = fmul {t} %r1, %b",
            f"  %db = fdiv {t} %r2, %v",
            f"  %dbv0 = fadd {t} %db, {lit(1.0)}",
            f"  %dbv = fneg {t} %dbv0",
            f"  %pos = fcmp ogt {t} %u, {lit(0.0)}",
        ]
        for result, when_positive, when_negative in (
            ("p", "%b", "%bv"),
            ("m", "%bv", "%b"),
            ("dp", "%db", "%dbv"),
            ("dm", "%dbv", "%db"),
        ):
            out.append(f"  %far0.{result} = select {flag} %pos, {t} {when_positive}, {t} {when_negative}")
            out.append(f"  %far.{result} = select {flag} %is.far, {t} %far0.{result}, {t} %near.{result}")
        out += ["  br label %done", "done:"]
        for result in ("p", "m", "dp", "dm"):
            out.append(f"  %{result} = phi {t} [ %near.{result}, %entry ], [ %far.{result}, %far ]")
        previous = "undef"
        for i, result in enumerate(("p", "m", "dp", "dm")):
            out.append(f"  %out{i} = insertvalue {four} {previous}, {t} %{result}, {i}")
            previous = f"%out{i}"
        out += [f"  ret {four} {previous}", "}"]
        self.parts.append("\n".join(out))
        return name

    def _polynomial(self, name: str, coefficients: list[float]) -> list[str]:
        """Lines that set ``%name`` to a polynomial of degree ≤ 7 in ``%s``, by Estrin's scheme.

        It needs half as many operations one after another as Horner's, and the integrator waits for their latency.
        """
        lines: list[str] = []

        def scheme(values: list[float], label: str) -> str:
            """Value of the polynomial with these coefficients: low half + s^(half) · high half."""
            if len(values) == 1:
                return self.literal(values[0])
            half = 4 if len(values) > 4 else 2 if len(values) > 2 else 1
            low, high = scheme(values[:half], label + "l"), scheme(values[half:], label + "h")
            power = {1: "%s", 2: "%s2", 4: "%s4"}[half]
            lines.append(f"  {label}m = fmul contract {self.type} {power}, {high}")
            lines.append(f"  {label} = fadd contract {self.type} {label}m, {low}")
            return label

        scheme(coefficients, f"%{name}")
        return lines


def _registers(instruction: Instruction) -> list[int]:
    if _is_load(instruction):
        return []
    return [r for r in (instruction.a, instruction.b, instruction.c) if r >= 0]


def _is_load(instruction: Instruction) -> bool:
    return instruction.op in ("state", "constant", "time", "literal")


class _Body:
    """The lines of one printed function."""

    def __init__(self, printer: Printer, instructions: tuple[Instruction, ...]) -> None:
        self.printer, self.instructions = printer, instructions
        self.lines: list[str] = []
        self.known: dict[int, str] = {}
        self.bernoullis: dict[int, str] = {}
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def store(self, value: str, base: str, place: int) -> None:
        p = self.address(base, place)
        self.lines.append(f"  store {self.printer.type} {value}, ptr {p}, align 8")

    def load(self, base: str, place: int) -> str:
        p, r = self.address(base, place), self.fresh()
        self.lines.append(f"  {r} = load {self.printer.type}, ptr {p}, align 8")
        return r

    def address(self, base: str, place: int) -> str:
        p = self.fresh()
        self.lines.append(f"  {p} = getelementptr inbounds {self.printer.type}, ptr {base}, i64 {place}")
        return p

    def value(self, i: int, shared: Mapping[int, int]) -> str:
        """Name of register ``i`` in this function, computing or loading it where it is not there yet."""
        if i in self.known:
            return self.known[i]
        instruction = self.instructions[i]
        op, a, b, number, c = instruction
        t = self.printer.type
        if op == "literal":
            r = self.printer.literal(number)
        elif op in ("state", "constant", "time"):
            base = {"state": "%y", "constant": "%k", "time": "%t"}[op]
            r = self.load(base, max(a, 0))
        elif op.startswith("bernoulli"):
            r = self.bernoulli(op, a, shared)
        else:
            x = self.operand(a, shared)
            if op in _BINARY:
                y = self.operand(b, shared)
                r = self.fresh()
                self.lines.append(f"  {r} = {_BINARY[op]} contract {t} {x}, {y}")
            elif op in _COMPARISON:  # a truth value is kept as 1 or 0, so that it can pass through work
                y = self.operand(b, shared)
                truth, r = self.fresh(), self.fresh()
                self.lines.append(f"  {truth} = fcmp {_COMPARISON[op]} {t} {x}, {y}")
                self.lines.append(f"  {r} = uitofp {self.printer.flag} {truth} to {t}")
            elif op == "where":
                chosen, otherwise = self.operand(b, shared), self.operand(c, shared)
                truth, r = self.fresh(), self.fresh()
                self.lines.append(f"  {truth} = fcmp une {t} {x}, {self.printer.literal(0.0)}")
                self.lines.append(f"  {r} = select {self.printer.flag} {truth}, {t} {chosen}, {t} {otherwise}")
            elif self.printer.lanes > 1 and op in ("exp", "log", "tanh"):
                r = self.lane_function(op, x)
            elif self.printer.lanes > 1 and op == "pow":
                r = self.lane_power(x, number)
            elif op == "tanh":  # LLVM has no such intrinsic in all versions we admit
                r = self.fresh()
                self.lines.append(f"  {r} = call double {self.printer.declare('tanh', 'double', 'double')}(double {x})")
            elif op == "neg":
                r = self.fresh()
                self.lines.append(f"  {r} = fneg {t} {x}")
            else:
                extra = [self.printer.literal(number)] if op == "pow" else []
                function = self.printer.declare(f"{_INTRINSIC[op]}.{self.printer.suffix}", t, *([t] * (1 + len(extra))))
                r = self.fresh()
                given = ", ".join(f"{t} {v}" for v in [x, *extra])
                self.lines.append(f"  {r} = call {t} {function}({given})")
        self.known[i] = r
        return r

    def operand(self, i: int, shared: Mapping[int, int]) -> str:
        """Value of an argument: from this function if it is computed here, else from ``work``."""
        if i not in self.known and i in shared:
            self.known[i] = self.load("%work", shared[i])
        return self.value(i, shared)

    def lane_function(self, name: str, x: str) -> str:
        """exp, log or tanh of every lane."""
        r = self.fresh()
        self.lines.append(
            f"  {r} = call {self.printer.type} {self.printer.lane_function(name)}({self.printer.type} {x})"
        )
        return r

    def lane_power(self, x: str, exponent: float) -> str:
        """A constant power of every lane: a product where it is whole and small, else exp(exponent · log x)."""
        t, steps = self.printer.type, power_steps(exponent)

        def multiply(a: str, b: str) -> str:
            r = self.fresh()
            self.lines.append(f"  {r} = fmul {t} {a}, {b}")
            return r

        if steps is None:
            return self.lane_function("exp", multiply(self.lane_function("log", x), self.printer.literal(exponent)))
        value = x
        for step in steps:
            value = multiply(value, value if step == "s" else x)
        if exponent < 0.0:
            r = self.fresh()
            self.lines.append(f"  {r} = fdiv {t} {self.printer.literal(1.0)}, {value}")
            return r
        return value

    def bernoulli(self, op: str, a: int, shared: Mapping[int, int]) -> str:
        """B or B' of a register; B(u), B(−u) and their slopes share one evaluation."""
        minus = self.instructions[a].op == "neg"
        root = self.instructions[a].a if minus else a
        t = self.printer.type
        four = f"{{{t}, {t}, {t}, {t}}}"
        if root not in self.bernoullis:
            u = self.operand(root, shared)
            r = self.fresh()
            self.lines.append(f"  {r} = call {four} {self.printer.bernoulli_function()}({t} {u})")
            self.bernoullis[root] = r
        place = (2 if op == "bernoulli_slope" else 0) + (1 if minus else 0)
        r = self.fresh()
        self.lines.append(f"  {r} = extractvalue {four} {self.bernoullis[root]}, {place}")
        return r
