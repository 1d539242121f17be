"""One step of Rodas5P printed as LLVM IR for one system: sparse LU in a static order, stages as whole vectors.

The pattern of ``W = M/(h γ) − J`` is known when the tape is, so elimination is straight-line code without pivoting,
indices or zeros (amounts come first and potentials last, which keeps the pivots safe). The states of a stage are one
vector value, so a stage's linear combination is a few fused multiply-adds whatever the number of states.

Printed functions (all pointers to doubles; ``time`` is {t, h}, ``linear`` is [f, J, f_t] as the tape leaves them):

* ``factor(time, mass, linear, lu)``: LU of W for the step h; the diagonal of U is kept as reciprocals;
* ``solve(lu, b)``: in place;
* ``step(time, y, k, mass, linear, u, stage, work)``: all stages. ``u`` (8 n) are the stage vectors, ``stage`` (n)
  becomes y at t + h. A pivot of 0 shows as NaN in the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from ...symbolic.tape import Program
from ..layout import tableau
from .sparse_lu_printer import TablePrinter
from .tape_printer import CHUNK, Printer
from .vector_writer import Lines

#: Up to this many states a step is printed number by number, above it vector by vector.
REGISTER_LIMIT = 12

#: Up to this many products the elimination is straight-line code, above it loops over tables (``llvm_tables``).
STRAIGHT_LIMIT = 500


class Elimination:
    """LU of a static pattern: which entries exist (with fill), where they lie, and in which order they change."""

    def __init__(self, size: int, pattern: Iterable[tuple[int, int]]) -> None:
        filled = set(pattern) | {(i, i) for i in range(size)}
        self.size = size
        for p in range(size):
            rows = [i for i in range(p + 1, size) if (i, p) in filled]
            columns = [j for j in range(p + 1, size) if (p, j) in filled]
            filled |= {(i, j) for i in rows for j in columns}
        self.entries = sorted(filled)
        self.place = {entry: i for i, entry in enumerate(self.entries)}

    def below(self, p: int) -> list[int]:
        """Rows of the multipliers of pivot ``p``."""
        return [i for i in range(p + 1, self.size) if (i, p) in self.place]

    def right(self, p: int) -> list[int]:
        """Columns of row ``p`` of U beyond its diagonal."""
        return [j for j in range(p + 1, self.size) if (p, j) in self.place]

    @cached_property
    def products(self) -> int:
        """How many products a factorisation takes."""
        return sum(len(self.below(p)) * len(self.right(p)) for p in range(self.size))


def elimination_of(program: Program) -> Elimination:
    """The elimination of ``W`` for a program."""
    n = program.size
    pattern = {divmod(o.slot, n) for o in program.linearised.outputs if o.array == "J"}
    return Elimination(n, pattern | set(zip(program.mass_rows, program.mass_columns, strict=True)))


class StepPrinter(Lines):
    """Prints ``factor``, ``solve`` and ``step`` of one program into a printer's module."""

    def __init__(self, printer: Printer, program: Program) -> None:
        super().__init__()
        self.printer, self.program = printer, program
        self.elimination = elimination_of(program)
        few = printer.lanes > 1 or program.size <= REGISTER_LIMIT
        self.number = printer.type
        self.kind = self.number if few else f"<{program.size} x double>"
        self.parts = program.size if few else 1
        self.total = ""

    def print_all(self, tape_work: int) -> int:
        """Print the three functions; return the doubles of ``work`` that ``step`` needs."""
        if self.printer.lanes == 1 and self.elimination.products > STRAIGHT_LIMIT:
            TablePrinter(self.printer, self.program, self.elimination).print_both()
        else:
            self._print_factor()
            self._print_solve()
        self._print_step(tape_work)
        return self._work_size(tape_work)

    def _work_size(self, tape_work: int) -> int:
        # LU, the rates, M Σ C u, the time of a stage, and the tape's own work
        return len(self.elimination.entries) + 2 * self.program.size + 1 + tape_work

    # -- printing tools -------------------------------------------------------------------------------------------

    def _address(self, base: str, place: int) -> str:
        return self._emit(f"getelementptr inbounds {self.number}, ptr {base}, i64 {place}") if place else base

    def _load(self, base: str, place: int, kind: str = "") -> str:
        return self._emit(f"load {kind or self.number}, ptr {self._address(base, place)}, align 8")

    def _store(self, value: str, base: str, place: int, kind: str = "") -> None:
        self.lines.append(f"  store {kind or self.number} {value}, ptr {self._address(base, place)}, align 8")

    def _close(self, name: str, arguments: str, internal: bool = False) -> None:
        body = "\n".join(self.lines)
        linkage = "internal " if internal else ""
        # The pieces of a long function would be inlined into one again, which compiles worse than linearly.
        few = self.parts == self.program.size
        hint = "noinline " if internal else "alwaysinline " if few and name == "solve" else ""
        self.printer.parts.append(
            f"define {linkage}void @{name}({arguments}) {hint}nounwind {{\nentry:\n{body}\n  ret void\n}}"
        )
        self.lines = []

    def _chunked(self, name: str, arguments: str, statements: list[str]) -> None:
        """A function of many small statements (each a method call already recorded as text), cut into pieces."""
        pieces = [statements[i : i + CHUNK] for i in range(0, len(statements), CHUNK)] or [[]]
        if len(pieces) == 1:
            self.lines = pieces[0]
            self._close(name, arguments)
            return
        passed = ", ".join(f"ptr {word}" for word in arguments.replace(",", " ").split() if word.startswith("%"))
        for i, piece in enumerate(pieces):
            self.lines = piece
            self._close(f"{name}.{i}", arguments, internal=True)
        self.lines = [f"  call void @{name}.{i}({passed})" for i in range(len(pieces))]
        self._close(name, arguments)

    def _statement(self, statements: list[str]) -> None:
        """Take the lines printed so far as one statement (it must not use values of another)."""
        statements.append("\n".join(self.lines))
        self.lines = []

    # -- the three functions --------------------------------------------------------------------------------------

    def _print_factor(self) -> None:
        n, place = self.program.size, self.elimination.place
        slopes = {divmod(o.slot, n) for o in self.program.linearised.outputs if o.array == "J"}
        mass_of: dict[tuple[int, int], list[int]] = {}
        for e, entry in enumerate(zip(self.program.mass_rows, self.program.mass_columns, strict=True)):
            mass_of.setdefault(entry, []).append(e)
        gamma = self.printer.literal(tableau.GAMMA)
        one = self.printer.literal(1.0)
        statements: list[str] = []
        for (i, j), at in place.items():
            value = None
            if (i, j) in mass_of:
                h = self._load("%time", 1)
                scaled = self._emit(f"fmul {self.number} {h}, {gamma}")
                scale = self._emit(f"fdiv {self.number} {one}, {scaled}")
                for e in mass_of[i, j]:
                    m = self._emit(f"fmul {self.number} {self._load('%mass', e)}, {scale}")
                    value = m if value is None else self._emit(f"fadd {self.number} {value}, {m}")
            if (i, j) in slopes:
                slope = self._load("%linear", n + i * n + j)
                change = f"fneg {self.number} {slope}" if value is None else f"fsub {self.number} {value}, {slope}"
                value = self._emit(change)
            self._store(value or self.printer.literal(0.0), "%lu", at)
            self._statement(statements)
        for p in range(n):
            self._store(self._emit(f"fdiv {self.number} {one}, {self._load('%lu', place[p, p])}"), "%lu", place[p, p])
            self._statement(statements)
            for i in self.elimination.below(p):
                below, pivot = self._load("%lu", place[i, p]), self._load("%lu", place[p, p])
                multiple = self._emit(f"fmul {self.number} {below}, {pivot}")
                self._store(multiple, "%lu", place[i, p])
                self._statement(statements)
                for j in self.elimination.right(p):
                    self._subtract_product("%lu", place[i, j], "%lu", place[i, p], "%lu", place[p, j])
                    self._statement(statements)
        self._chunked(
            "factor", "ptr noalias %time, ptr noalias %mass, ptr noalias %linear, ptr noalias %lu", statements
        )

    def _print_solve(self) -> None:
        n, place = self.program.size, self.elimination.place
        statements: list[str] = []
        for p in range(n):
            for i in self.elimination.below(p):
                self._subtract_product("%b", i, "%lu", place[i, p], "%b", p)
                self._statement(statements)
        for i in range(n - 1, -1, -1):
            for j in self.elimination.right(i):
                self._subtract_product("%b", i, "%lu", place[i, j], "%b", j)
                self._statement(statements)
            scaled = self._emit(f"fmul {self.number} {self._load('%b', i)}, {self._load('%lu', place[i, i])}")
            self._store(scaled, "%b", i)
            self._statement(statements)
        self._chunked("solve", "ptr noalias %lu, ptr noalias %b", statements)

    def _subtract_product(self, a: str, i: int, b: str, j: int, c: str, k: int) -> None:
        """a[i] −= b[j] c[k]."""
        product = self._emit(f"fmul contract {self.number} {self._load(b, j)}, {self._load(c, k)}")
        self._store(self._emit(f"fsub contract {self.number} {self._load(a, i)}, {product}"), a, i)

    def _print_step(self, tape_work: int) -> None:
        n = self.program.size
        lu_size = len(self.elimination.entries)
        lu, f, self.total = "%work", self._address("%work", lu_size), self._address("%work", lu_size + n)
        clock = self._address("%work", lu_size + 2 * n)
        tape = self._address("%work", lu_size + 2 * n + 1)
        self.lines.append(f"  call void @factor(ptr %time, ptr %mass, ptr %linear, ptr {lu})")
        t, h = self._load("%time", 0), self._load("%time", 1)
        per_h = self._emit(f"fdiv {self.number} {self.printer.literal(1.0)}, {h}")
        y = self._load_all("%y", 0)
        slope = None if self.program.autonomous else self._load_all("%linear", n + n * n)
        u: list[list[str]] = []
        stage = y
        for r in range(tableau.STAGES):
            if r == 0:
                b = self._load_all("%linear", 0)
            else:
                if r < 6:
                    stage = self._combine(y, tableau.A[r, :r], u)
                else:
                    stage = self._add(stage, u[r - 1])
                self._store_all(stage, "%stage", 0)
                later = self._emit(f"fmul {self.number} {h}, {self.printer.literal(tableau.NODES[r])}")
                self._store(self._emit(f"fadd {self.number} {t}, {later}"), clock, 0)
                self.lines.append(f"  call void @rates(ptr {clock}, ptr %stage, ptr %k, ptr {tape}, ptr {f})")
                b = self._mass_product(f, self._combine(None, tableau.C[r, :r], u), per_h)
            if slope is not None and tableau.TIME_WEIGHTS[r]:
                weight = self._emit(f"fmul {self.number} {h}, {self.printer.literal(tableau.TIME_WEIGHTS[r])}")
                b = self._add_scaled(b, weight, slope)
            self._store_all(b, "%u", r * n)
            self.lines.append(f"  call void @solve(ptr {lu}, ptr {self._address('%u', r * n)})")
            u.append(self._load_all("%u", r * n))
        self._store_all(self._add(stage, u[-1]), "%stage", 0)
        names = ("time", "y", "k", "mass", "linear", "u", "stage", "work")
        self._close("step", ", ".join(f"ptr noalias %{name}" for name in names))

    # -- vectors of n numbers: as single numbers where they are few (and all stays in registers), else as one value ----

    def _load_all(self, base: str, place: int) -> list[str]:
        return [self._load(base, place + i, self.kind) for i in range(self.parts)]

    def _store_all(self, values: list[str], base: str, place: int) -> None:
        for i, value in enumerate(values):
            self._store(value, base, place + i, self.kind)

    def _combine(self, start: list[str] | None, factors: Iterable[float], vectors: list[list[str]]) -> list[str]:
        """start + Σ factor · vector."""
        result = start
        for factor, vector in zip(factors, vectors, strict=True):
            if factor:
                products = [self._emit(f"fmul contract {self.kind} {self._constant(factor)}, {x}") for x in vector]
                result = products if result is None else self._add(result, products)
        assert result is not None
        return result

    def _add(self, a: list[str], b: list[str]) -> list[str]:
        return [self._emit(f"fadd contract {self.kind} {x}, {y}") for x, y in zip(a, b, strict=True)]

    def _add_scaled(self, a: list[str], factor: str, b: list[str]) -> list[str]:
        """a + factor b, the factor being one number known at run time."""
        wide = self._splat(factor)
        return self._add(a, [self._emit(f"fmul contract {self.kind} {wide}, {x}") for x in b])

    def _mass_product(self, f: str, vector: list[str], scale: str) -> list[str]:
        """f + scale M vector; ``f`` is an address, and is changed."""
        entries = list(zip(self.program.mass_rows, self.program.mass_columns, strict=True))
        wide = self._splat(scale)
        scaled = [self._emit(f"fmul {self.kind} {x}, {wide}") for x in vector]
        if self.parts == 1 and self.program.size > 1:
            self._store_all(scaled, self.total, 0)
            for e, (row, column) in enumerate(entries):
                mass, moved = self._load("%mass", e), self._load(self.total, column)
                product = self._emit(f"fmul contract {self.number} {mass}, {moved}")
                self._store(self._emit(f"fadd contract {self.number} {self._load(f, row)}, {product}"), f, row)
            return self._load_all(f, 0)
        result = self._load_all(f, 0)
        for e, (row, column) in enumerate(entries):
            product = self._emit(f"fmul contract {self.number} {self._load('%mass', e)}, {scaled[column]}")
            result[row] = self._emit(f"fadd contract {self.number} {result[row]}, {product}")
        return result

    def _constant(self, value: float) -> str:
        literal = self.printer.literal(value)
        if self.kind == self.number:
            return literal
        return "<" + ", ".join([f"double {literal}"] * self.program.size) + ">"

    def _splat(self, scalar: str) -> str:
        if self.kind == self.number:
            return scalar
        one = self._emit(f"insertelement {self.kind} undef, double {scalar}, i32 0")
        mask = "<" + ", ".join(["i32 0"] * self.program.size) + ">"
        return self._emit(f"shufflevector {self.kind} {one}, {self.kind} undef, <{self.program.size} x i32> {mask}")
