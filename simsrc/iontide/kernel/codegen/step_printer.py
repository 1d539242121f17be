"""One step of Rodas5P printed as LLVM IR for one system: sparse LU in a static order, stages as whole vectors.

The pattern of ``W = M/(h γ) − J`` is known when the tape is, so elimination is straight-line code without pivoting,
indices or zeros (amounts come first and potentials last, so that no pivot is near zero). The states of a stage
are one vector value, so a stage's linear combination is a few fused multiply-adds whatever the number of states.

Printed functions (all pointers to doubles; ``time`` is {t, h}, ``linear`` is [f, J, f_t] as the tape leaves them):

* ``factor(time, mass, linear, lu)``: LU of W for the step h; the diagonal of U is stored as reciprocals;
* ``solve(lu, b)``: in place;
* ``step(time, y, k, mass, linear, u, stage, work)``: all stages. ``u`` (8 n) are the stage vectors, ``stage`` (n)
  becomes y at t + h. A pivot of 0 shows as NaN in the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from ...symbolic.tape import Program
from ..layout import tableau
from ..layout.functions import STEP_LENGTH, TIME, linear_offsets
from .sparse_lu_printer import SparseLUPrinter
from .writer import Kind, Module, Vector, Writer, in_chunks

#: Up to this many states a step is printed number by number, above it vector by vector.
REGISTER_LIMIT = 12

#: Up to this many products the elimination is straight-line code, above it loops over tables (``sparse_lu_printer``).
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


class StepPrinter:
    """Prints ``factor``, ``solve`` and ``step`` of one program into a module."""

    def __init__(self, module: Module, program: Program) -> None:
        self.module, self.program = module, program
        self.elimination = elimination_of(program)
        #: Whether the states are printed number by number: where they are few, all stays in registers.
        self.few = module.lanes > 1 or program.size <= REGISTER_LIMIT
        self.kind = module.kind if self.few else Kind(program.size)
        self.parts = program.size if self.few else 1

    def print_all(self, tape_work: int) -> int:
        """Print the three functions; return the doubles of ``work`` that ``step`` needs."""
        if self.module.lanes == 1 and self.elimination.products > STRAIGHT_LIMIT:
            SparseLUPrinter(self.module, self.program, self.elimination).print_both()
        else:
            self._print_factor()
            self._print_solve()
        return self._print_step(tape_work)

    # -- the linear system ----------------------------------------------------------------------------------------

    def _print_factor(self) -> None:
        place = self.elimination.place
        w, statements = Writer(self.module), _Statements()
        self._print_matrix(w, statements)
        for p in range(self.program.size):
            w.store(1.0 / w.load("%lu", place[p, p]), "%lu", place[p, p])
            statements.end(w)
            for i in self.elimination.below(p):
                w.store(w.load("%lu", place[i, p]) * w.load("%lu", place[p, p]), "%lu", place[i, p])
                statements.end(w)
                for j in self.elimination.right(p):
                    _subtract_product(w, ("%lu", place[i, j]), ("%lu", place[i, p]), ("%lu", place[p, j]))
                    statements.end(w)
        self.module.define_in_pieces("factor", ("time", "mass", "linear", "lu"), statements.pieces())

    def _print_matrix(self, w: Writer, statements: _Statements) -> None:
        """``W = M/(h γ) − J`` into ``lu``."""
        n = self.program.size
        slopes = {divmod(o.slot, n) for o in self.program.linearised.outputs if o.array == "J"}
        mass_of: dict[tuple[int, int], list[int]] = {}
        for e, entry in enumerate(zip(self.program.mass_rows, self.program.mass_columns, strict=True)):
            mass_of.setdefault(entry, []).append(e)
        for (i, j), at in self.elimination.place.items():
            value: Vector | None = None
            if (i, j) in mass_of:
                scale = 1.0 / (w.load("%time", STEP_LENGTH) * tableau.GAMMA)
                for e in mass_of[i, j]:
                    scaled = w.load("%mass", e) * scale
                    value = scaled if value is None else value + scaled
            if (i, j) in slopes:
                slope = w.load("%linear", linear_offsets(n)["J"] + i * n + j)
                value = -slope if value is None else value - slope
            w.store(w.constant(0.0) if value is None else value, "%lu", at)
            statements.end(w)

    def _print_solve(self) -> None:
        n, place = self.program.size, self.elimination.place
        w, statements = Writer(self.module), _Statements()
        for p in range(n):
            for i in self.elimination.below(p):
                _subtract_product(w, ("%b", i), ("%lu", place[i, p]), ("%b", p))
                statements.end(w)
        for i in range(n - 1, -1, -1):
            for j in self.elimination.right(i):
                _subtract_product(w, ("%b", i), ("%lu", place[i, j]), ("%b", j))
                statements.end(w)
            w.store(w.load("%b", i) * w.load("%lu", place[i, i]), "%b", i)
            statements.end(w)
        hint = "alwaysinline" if self.few else ""
        self.module.define_in_pieces("solve", ("lu", "b"), statements.pieces(), hint)

    # -- the stages -----------------------------------------------------------------------------------------------

    def _print_step(self, tape_work: int) -> int:
        n, w = self.program.size, Writer(self.module)
        # Of the work: LU, the rates, M Σ C u, the time of a stage, and the work of the tape.
        rates_at = len(self.elimination.entries)
        total_at, clock_at, tape_at = rates_at + n, rates_at + 2 * n, rates_at + 2 * n + 1
        lu, f, total = "%work", w.address("%work", rates_at), w.address("%work", total_at)
        clock, tape = w.address("%work", clock_at), w.address("%work", tape_at)
        w.run("factor", "%time", "%mass", "%linear", lu)
        t, h = w.load("%time", TIME), w.load("%time", STEP_LENGTH)
        per_h = 1.0 / h
        y = self._load_all(w, "%y", 0)
        slope = None if self.program.autonomous else self._load_all(w, "%linear", linear_offsets(n)["f_t"])
        u: list[list[Vector]] = []
        stage = y
        for r in range(tableau.STAGES):
            if r == 0:
                b = self._load_all(w, "%linear", 0)
            else:
                if r < tableau.FIRST_AT_END:
                    stage = self._combine(w, y, tableau.A[r, :r], u)
                else:
                    stage = _add(w, stage, u[r - 1])
                self._store_all(w, stage, "%stage", 0)
                w.store(t + h * tableau.NODES[r], clock)
                w.run("rates", clock, "%stage", "%k", tape, f)
                b = self._mass_product(w, f, self._combine(w, None, tableau.C[r, :r], u), per_h, total)
            if slope is not None and tableau.TIME_WEIGHTS[r]:
                weight = w.broadcast(h * tableau.TIME_WEIGHTS[r], self.kind)
                b = _add(w, b, [w.contracted("fmul", weight, x) for x in slope])
            self._store_all(w, b, "%u", r * n)
            w.run("solve", lu, w.address("%u", r * n))
            u.append(self._load_all(w, "%u", r * n))
        self._store_all(w, _add(w, stage, u[-1]), "%stage", 0)
        self.module.define("step", ("time", "y", "k", "mass", "linear", "u", "stage", "work"), w.lines)
        return tape_at + tape_work

    def _load_all(self, w: Writer, base: str, place: int) -> list[Vector]:
        return [w.load(base, place + i, self.kind) for i in range(self.parts)]

    def _store_all(self, w: Writer, values: Sequence[Vector], base: str, place: int) -> None:
        for i, value in enumerate(values):
            w.store(value, base, place + i)

    def _combine(
        self, w: Writer, start: list[Vector] | None, factors: Iterable[float], vectors: list[list[Vector]]
    ) -> list[Vector]:
        """start + Σ factor · vector."""
        result = start
        for factor, vector in zip(factors, vectors, strict=True):
            if factor:
                constant = w.constant(factor, self.kind)
                products = [w.contracted("fmul", constant, x) for x in vector]
                result = products if result is None else _add(w, result, products)
        assert result is not None
        return result

    def _mass_product(self, w: Writer, f: str, vector: list[Vector], scale: Vector, total: str) -> list[Vector]:
        """f + scale M vector; ``f`` is an address, and the arrays there and at ``total`` are changed."""
        entries = list(zip(self.program.mass_rows, self.program.mass_columns, strict=True))
        wide = w.broadcast(scale, self.kind)
        scaled = [x * wide for x in vector]
        if not self.few:
            self._store_all(w, scaled, total, 0)
            for e, (row, column) in enumerate(entries):
                mass, moved = w.load("%mass", e), w.load(total, column)
                w.store(w.load(f, row).plus_contracted(mass, moved), f, row)
            return self._load_all(w, f, 0)
        result = self._load_all(w, f, 0)
        for e, (row, column) in enumerate(entries):
            result[row] = result[row].plus_contracted(w.load("%mass", e), scaled[column])
        return result


class _Statements:
    """Statements of a long function, none of which uses values of another, so that it can be cut between them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def end(self, w: Writer) -> None:
        """Take the lines printed since the last one as a statement."""
        self.lines.append("\n".join(w.take_lines()))

    def pieces(self) -> list[Sequence[str]]:
        return in_chunks(self.lines)


def _add(w: Writer, a: Sequence[Vector], b: Sequence[Vector]) -> list[Vector]:
    return [w.contracted("fadd", x, y) for x, y in zip(a, b, strict=True)]


def _subtract_product(w: Writer, a: tuple[str, int], b: tuple[str, int], c: tuple[str, int]) -> None:
    """a −= b c, each a place of an array."""
    product = w.contracted("fmul", w.load(*b), w.load(*c))
    w.store(w.contracted("fsub", w.load(*a), product), *a)
