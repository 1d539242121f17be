"""Sparse LU of a large system as loops over constant tables, printed as LLVM IR.

Straight-line elimination (``llvm_step``) is the fastest code, but to compile it takes longer the more there is of it:
1.7 s for sixty states. The same operations in the same order, their places read from tables, are code of constant
length; they run a little slower and compile in no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from ...symbolic.tape import Program
from ..layout import tableau
from .tape_printer import Printer
from .vector_writer import Lines

if TYPE_CHECKING:
    from .step_printer import Elimination


class TablePrinter(Lines):
    """Prints ``factor`` and ``solve`` (see ``llvm_step``) of one elimination as loops into a printer's module."""

    def __init__(self, printer: Printer, program: Program, elimination: Elimination) -> None:
        super().__init__()
        self.printer, self.program, self.elimination = printer, program, elimination
        self.block = "entry"

    # -- printing tools -------------------------------------------------------------------------------------------

    def _table(self, name: str, numbers: Iterable[int]) -> str:
        """A constant table of integers; returns its name."""
        listed = list(numbers)
        entries = ", ".join(f"i32 {number}" for number in listed)
        value = f"[{entries}]" if listed else "zeroinitializer"
        self.printer.parts.append(f"@{name} = private unnamed_addr constant [{len(listed)} x i32] {value}, align 4")
        return f"@{name}"

    def _entry(self, table: str, place: str, after: int = 0) -> str:
        """The integer at a place of a table."""
        if after:
            place = self._emit(f"add i64 {place}, {after}")
        address = self._emit(f"getelementptr inbounds i32, ptr {table}, i64 {place}")
        return self._emit(f"zext i32 {self._emit(f'load i32, ptr {address}, align 4')} to i64")

    def _address(self, base: str, place: str) -> str:
        return self._emit(f"getelementptr inbounds double, ptr {base}, i64 {place}")

    def _load(self, base: str, place: str) -> str:
        return self._emit(f"load double, ptr {self._address(base, place)}, align 8")

    def _store(self, value: str, base: str, place: str) -> None:
        self.lines.append(f"  store double {value}, ptr {self._address(base, place)}, align 8")

    def _subtract_product(self, base: str, place: str, a: str, b: str) -> None:
        """base[place] −= a b."""
        product = self._emit(f"fmul contract double {a}, {b}")
        self._store(self._emit(f"fsub contract double {self._load(base, place)}, {product}"), base, place)

    def _loop(self, start: str, end: str, body: Callable[[str], None], down: bool = False) -> None:
        """``for i in range(start, end)``, or from ``end − 1`` to ``start`` where it goes down."""
        self.count += 1
        head, inside, done = (f"{word}{self.count}" for word in ("head", "inside", "done"))
        first = self._emit(f"sub i64 {end}, 1") if down else start
        self.lines += [f"  br label %{head}", f"{head}:"]
        position, place = self._fresh(), len(self.lines)
        more = self._emit(f"icmp {'sge' if down else 'slt'} i64 {position}, {start if down else end}")
        self.lines += [f"  br i1 {more}, label %{inside}, label %{done}", f"{inside}:"]
        before, self.block = self.block, inside
        body(position)
        following = self._emit(f"add i64 {position}, {-1 if down else 1}")
        self.lines.insert(place, f"  {position} = phi i64 [ {first}, %{before} ], [ {following}, %{self.block} ]")
        self.lines += [f"  br label %{head}", f"{done}:"]
        self.block = done

    def _close(self, name: str, arguments: Sequence[str]) -> None:
        body = "\n".join(self.lines)
        given = ", ".join(f"ptr noalias %{argument}" for argument in arguments)
        self.printer.parts.append(f"define void @{name}({given}) nounwind {{\nentry:\n{body}\n  ret void\n}}")
        self.lines, self.block = [], "entry"

    # -- the two functions ----------------------------------------------------------------------------------------

    def print_both(self) -> None:
        """Print ``factor`` and ``solve``."""
        self._print_factor()
        self._print_solve()

    def _print_factor(self) -> None:
        n, place = self.program.size, self.elimination.place
        one = self.printer.literal(1.0)
        zero = self.printer.literal(0.0)
        slots = {divmod(o.slot, n): n + o.slot for o in self.program.linearised.outputs if o.array == "J"}
        self._loop("0", str(len(place)), lambda i: self._store(zero, "%lu", i))

        to = self._table("factor.slope", (place[entry] for entry in slots))
        source = self._table("factor.slot", slots.values())

        def take_slope(i: str) -> None:
            slope = self._load("%linear", self._entry(source, i))
            self._store(self._emit(f"fneg double {slope}"), "%lu", self._entry(to, i))

        self._loop("0", str(len(slots)), take_slope)
        h = self._load("%time", "1")
        scale = self._emit(
            f"fdiv double {one}, {self._emit(f'fmul double {h}, {self.printer.literal(tableau.GAMMA)}')}"
        )
        entries = list(zip(self.program.mass_rows, self.program.mass_columns, strict=True))
        mass = self._table("factor.mass", (place[entry] for entry in entries))

        def add_mass(i: str) -> None:
            at = self._entry(mass, i)
            scaled = self._emit(f"fmul double {self._load('%mass', i)}, {scale}")
            self._store(self._emit(f"fadd double {self._load('%lu', at)}, {scaled}"), "%lu", at)

        self._loop("0", str(len(entries)), add_mass)
        self._print_elimination(place, one)
        self._close("factor", ("time", "mass", "linear", "lu"))

    def _print_elimination(self, place: Mapping[tuple[int, int], int], one: str) -> None:
        n, below, right = self.program.size, self.elimination.below, self.elimination.right
        rows = [(p, i) for p in range(n) for i in below(p)]
        diagonal = self._table("factor.diagonal", (place[p, p] for p in range(n)))
        row_start = self._table("factor.row.start", accumulate((len(below(p)) for p in range(n)), initial=0))
        multiplier = self._table("factor.multiplier", (place[i, p] for p, i in rows))
        start = self._table("factor.start", accumulate((len(right(p)) for p, _ in rows), initial=0))
        changed = self._table("factor.changed", (place[i, j] for p, i in rows for j in right(p)))
        pivotal = self._table("factor.pivotal", (place[p, j] for p, _ in rows for j in right(p)))

        def eliminate(p: str) -> None:
            at = self._entry(diagonal, p)
            reciprocal = self._emit(f"fdiv double {one}, {self._load('%lu', at)}")
            self._store(reciprocal, "%lu", at)

            def change_row(q: str) -> None:
                here = self._entry(multiplier, q)
                multiple = self._emit(f"fmul double {self._load('%lu', here)}, {reciprocal}")
                self._store(multiple, "%lu", here)

                def change(k: str) -> None:
                    pivot = self._load("%lu", self._entry(pivotal, k))
                    self._subtract_product("%lu", self._entry(changed, k), multiple, pivot)

                self._loop(self._entry(start, q), self._entry(start, q, 1), change)

            self._loop(self._entry(row_start, p), self._entry(row_start, p, 1), change_row)

        self._loop("0", str(n), eliminate)

    def _print_solve(self) -> None:
        n, place = self.program.size, self.elimination.place
        tables = {}
        for name, others in (("below", self.elimination.below), ("right", self.elimination.right)):
            pairs = [(p, q) for p in range(n) for q in others(p)]
            tables[name] = (
                self._table(f"solve.{name}.start", accumulate((len(others(p)) for p in range(n)), initial=0)),
                self._table(f"solve.{name}.other", (q for _, q in pairs)),
                self._table(f"solve.{name}.place", (place[(q, p) if name == "below" else (p, q)] for p, q in pairs)),
            )
        diagonal = self._table("solve.diagonal", (place[p, p] for p in range(n)))

        def forward(p: str) -> None:
            start, other, at = tables["below"]
            known = self._load("%b", p)

            def subtract(k: str) -> None:
                multiple = self._load("%lu", self._entry(at, k))
                self._subtract_product("%b", self._entry(other, k), multiple, known)

            self._loop(self._entry(start, p), self._entry(start, p, 1), subtract)

        def backward(p: str) -> None:
            start, other, at = tables["right"]

            def subtract(k: str) -> None:
                value = self._load("%b", self._entry(other, k))
                self._subtract_product("%b", p, self._load("%lu", self._entry(at, k)), value)

            self._loop(self._entry(start, p), self._entry(start, p, 1), subtract)
            reciprocal = self._load("%lu", self._entry(diagonal, p))
            self._store(self._emit(f"fmul double {self._load('%b', p)}, {reciprocal}"), "%b", p)

        self._loop("0", str(n), forward)
        self._loop("0", str(n), backward, down=True)
        self._close("solve", ("lu", "b"))
