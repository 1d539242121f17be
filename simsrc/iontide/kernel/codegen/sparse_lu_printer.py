"""Sparse LU of a large system as loops over constant tables, printed as LLVM IR.

Straight-line elimination (``step_printer``) is the fastest code, but to compile it takes longer the more there is of
it: 1.7 s for sixty states. The same operations in the same order, their places read from tables, are code of constant
length; they run a little slower and compile in no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import TYPE_CHECKING

from ...symbolic.tape import Program
from ..layout import tableau
from ..layout.functions import STEP_LENGTH, linear_offsets
from .writer import Module, Vector, Writer

if TYPE_CHECKING:
    from .step_printer import Elimination


class LoopWriter(Writer):
    """The body of a function with loops over places, which are whole numbers (``i64``)."""

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self._block = "entry"

    def loop(self, start: str, end: str, body: Callable[[str], None], down: bool = False) -> None:
        """``for i in range(start, end)``, or from ``end − 1`` to ``start`` where it goes down."""
        number = self.fresh().removeprefix("%")
        head, inside, done = (f"{name}.{number}" for name in ("head", "inside", "done"))
        first = self.emit(f"sub i64 {end}, 1") if down else start
        self.lines += [f"  br label %{head}", f"{head}:"]
        position, at = self.fresh(), len(self.lines)
        more = self.emit(f"icmp {'sge' if down else 'slt'} i64 {position}, {start if down else end}")
        self.lines += [f"  br i1 {more}, label %{inside}, label %{done}", f"{inside}:"]
        before, self._block = self._block, inside
        body(position)
        next_position = self.emit(f"add i64 {position}, {-1 if down else 1}")
        phi = f"  {position} = phi i64 [ {first}, %{before} ], [ {next_position}, %{self._block} ]"
        self.lines.insert(at, phi)
        self.lines += [f"  br label %{head}", f"{done}:"]
        self._block = done

    def entry(self, table: str, place: str, after: int = 0) -> str:
        """The integer at a place of a table."""
        if after:
            place = self.emit(f"add i64 {place}, {after}")
        address = self.emit(f"getelementptr inbounds i32, ptr {table}, i64 {place}")
        return self.emit(f"zext i32 {self.emit(f'load i32, ptr {address}, align 4')} to i64")

    def ranges(self, starts: str, i: str) -> tuple[str, str]:
        """Where the i-th stretch of a table begins and ends."""
        return self.entry(starts, i), self.entry(starts, i, 1)

    def subtract_product(self, base: str, place: str, a: Vector, b: Vector) -> None:
        """base[place] −= a b."""
        product = self.contracted("fmul", a, b)
        self.store(self.contracted("fsub", self.load(base, place), product), base, place)


class SparseLUPrinter:
    """Prints ``factor`` and ``solve`` (see ``step_printer``) of one elimination as loops into a module."""

    def __init__(self, module: Module, program: Program, elimination: Elimination) -> None:
        self.module, self.program, self.elimination = module, program, elimination

    def print_both(self) -> None:
        """Print ``factor`` and ``solve``."""
        self._print_factor()
        self._print_solve()

    def _table(self, name: str, numbers: Iterable[int]) -> str:
        """A constant table of integers; returns its name."""
        listed = list(numbers)
        entries = ", ".join(f"i32 {number}" for number in listed)
        value = f"[{entries}]" if listed else "zeroinitializer"
        self.module.parts.append(f"@{name} = private unnamed_addr constant [{len(listed)} x i32] {value}, align 4")
        return f"@{name}"

    def _starts(self, name: str, counts: Iterable[int]) -> str:
        """A table of where stretches of so many entries begin, and where the last one ends."""
        return self._table(name, accumulate(counts, initial=0))

    def _print_factor(self) -> None:
        n, place, w = self.program.size, self.elimination.place, LoopWriter(self.module)
        first = linear_offsets(n)["J"]
        slots = {divmod(o.slot, n): first + o.slot for o in self.program.linearised.outputs if o.array == "J"}
        w.loop("0", str(len(place)), lambda i: w.store(w.constant(0.0), "%lu", i))

        to = self._table("factor.slope", (place[entry] for entry in slots))
        source = self._table("factor.slot", slots.values())

        def take_slope(i: str) -> None:
            w.store(-w.load("%linear", w.entry(source, i)), "%lu", w.entry(to, i))

        w.loop("0", str(len(slots)), take_slope)
        scale = 1.0 / (w.load("%time", STEP_LENGTH) * tableau.GAMMA)
        entries = list(zip(self.program.mass_rows, self.program.mass_columns, strict=True))
        mass = self._table("factor.mass", (place[entry] for entry in entries))

        def add_mass(i: str) -> None:
            at = w.entry(mass, i)
            w.store(w.load("%lu", at) + w.load("%mass", i) * scale, "%lu", at)

        w.loop("0", str(len(entries)), add_mass)
        self._print_elimination(w)
        self.module.define("factor", ("time", "mass", "linear", "lu"), w.lines)

    def _print_elimination(self, w: LoopWriter) -> None:
        n, below, right = self.program.size, self.elimination.below, self.elimination.right
        place = self.elimination.place
        rows = [(p, i) for p in range(n) for i in below(p)]
        diagonal = self._table("factor.diagonal", (place[p, p] for p in range(n)))
        row_starts = self._starts("factor.row.start", (len(below(p)) for p in range(n)))
        multiplier = self._table("factor.multiplier", (place[i, p] for p, i in rows))
        starts = self._starts("factor.start", (len(right(p)) for p, _ in rows))
        changed = self._table("factor.changed", (place[i, j] for p, i in rows for j in right(p)))
        pivotal = self._table("factor.pivotal", (place[p, j] for p, _ in rows for j in right(p)))

        def eliminate(p: str) -> None:
            at = w.entry(diagonal, p)
            reciprocal = 1.0 / w.load("%lu", at)
            w.store(reciprocal, "%lu", at)

            def change_row(q: str) -> None:
                here = w.entry(multiplier, q)
                multiple = w.load("%lu", here) * reciprocal
                w.store(multiple, "%lu", here)

                def change(k: str) -> None:
                    pivot = w.load("%lu", w.entry(pivotal, k))
                    w.subtract_product("%lu", w.entry(changed, k), multiple, pivot)

                w.loop(*w.ranges(starts, q), change)

            w.loop(*w.ranges(row_starts, p), change_row)

        w.loop("0", str(n), eliminate)

    def _print_solve(self) -> None:
        n, place, w = self.program.size, self.elimination.place, LoopWriter(self.module)
        tables = {}
        for name, others in (("below", self.elimination.below), ("right", self.elimination.right)):
            pairs = [(p, q) for p in range(n) for q in others(p)]
            tables[name] = (
                self._starts(f"solve.{name}.start", (len(others(p)) for p in range(n))),
                self._table(f"solve.{name}.other", (q for _, q in pairs)),
                self._table(f"solve.{name}.place", (place[(q, p) if name == "below" else (p, q)] for p, q in pairs)),
            )
        diagonal = self._table("solve.diagonal", (place[p, p] for p in range(n)))

        def forward(p: str) -> None:
            starts, other, at = tables["below"]
            known = w.load("%b", p)

            def subtract(k: str) -> None:
                multiple = w.load("%lu", w.entry(at, k))
                w.subtract_product("%b", w.entry(other, k), multiple, known)

            w.loop(*w.ranges(starts, p), subtract)

        def backward(p: str) -> None:
            starts, other, at = tables["right"]

            def subtract(k: str) -> None:
                value = w.load("%b", w.entry(other, k))
                w.subtract_product("%b", p, w.load("%lu", w.entry(at, k)), value)

            w.loop(*w.ranges(starts, p), subtract)
            reciprocal = w.load("%lu", w.entry(diagonal, p))
            w.store(w.load("%b", p) * reciprocal, "%b", p)

        w.loop("0", str(n), forward)
        w.loop("0", str(n), backward, down=True)
        self.module.define("solve", ("lu", "b"), w.lines)
