"""The integrator over lanes, printed for one program: it goes on by itself until some lane needs attention.

Each lane is a run of its own, with its own time, step, constants and tolerances; nothing in one depends on another, so
that a run is the same to the last bit in whatever lane and company. What is printed does what ``rosenbrock`` does for
one run (the same formulas, written down there with their sources), with masks in the place of branches:

* ``begin``: the first step of a segment, into the row ``FIRST`` of ``control``;
* ``advance``: steps, accepted or not, until some lanes have come to the end of their segment, or one past a sample, or
  to where it may be steady or cannot go on;
* ``newton``: one linearised step of the length in ``clock`` from the present state, into ``move``, its size into
  ``SIZE``: for consistent algebraic states (no length) and for whether a state stays put (a very great one).

``control`` has a row of numbers for each of ``ROWS``; all arrays have one number a lane for each of theirs.
"""

from __future__ import annotations

from typing import Any

from ...symbolic.tape import Program
from ..layout.batch_rows import (
    ACTIVE,
    ATTENTION,
    BEFORE,
    CAUSE,
    DUE,
    EXHAUSTED,
    FIRST,
    LAST_ROOT,
    LAST_STEP,
    LENGTH,
    MAY_BE_STEADY,
    MOST,
    NEXT_SAMPLE,
    REJECTED,
    RELATIVE,
    SIZE,
    STEP,
    STEPS,
    STUCK,
    WATCH_STEADY,
    T,
)
from ..layout.status import NEGATIVE_AMOUNT, NON_FINITE, STEP_TOO_SMALL
from ..layout.tableau import GAMMA, ORDER, STAGES
from .math_functions import function_text
from .tape_printer import Printer
from .vector_writer import Mask, Vector, Writer

# As in ``rosenbrock``.
SAFETY, SHRINK_MOST, GROW_MOST = 0.9, 0.2, 6.0
NOTHING = 1e-30

#: So many lanes at the end of their segment are worth a call: what is done at an end and a beginning is done for all of
#: them at once, and until then they wait.
ENDED_TOGETHER = 8

ADVANCE = ("control", "clock", "y", "before", "k", "mass", "absolute", "linear", "u", "stage", "work")
BEGIN = ("control", "clock", "y", "k", "mass", "absolute", "linear", "lu", "speed", "change", "work")
NEWTON = ("control", "clock", "y", "k", "mass", "absolute", "linear", "lu", "move", "work")


class LanePrinter:
    """Prints the three functions into the module of a printer that has printed the program's tapes and step."""

    def __init__(self, printer: Printer, program: Program, nonnegative: int) -> None:
        self.printer, self.program, self.nonnegative = printer, program, nonnegative

    def print_all(self) -> None:
        """Print all three."""
        for name in ("exp", "log"):
            text, declared = function_text(name, self.printer.lanes)
            if text not in self.printer.parts:
                self.printer.parts.append(text)
                self.printer.declared |= declared
        self._print_advance()
        self._print_begin()
        self._print_newton()

    def _writer(self) -> Writer:
        return Writer(self.printer.lanes)

    def _close(self, w: Writer, name: str, arguments: tuple[str, ...], body: str) -> None:
        self.printer.declared |= w.declared
        given = ", ".join(f"ptr noalias %{a}" for a in arguments)
        self.printer.parts.append(f"define void @{name}({given}) nounwind {{\nentry:\n{body}\n}}")

    def _linearise(self, w: Writer) -> None:
        w.lines.append("  call void @linearised(ptr %clock, ptr %y, ptr %k, ptr %work, ptr %linear)")

    def _norm(self, w: Writer, move: str, offset: int = 0) -> Vector:
        """Root mean square of n numbers in units of the tolerance at y."""
        relative = w.load("%control", RELATIVE)
        total: Vector | None = None
        for i in range(self.program.size):
            q = w.load(move, offset + i) / w.load("%absolute", i).plus_product(relative, abs(w.load("%y", i)))
            total = q * q if total is None else total.plus_product(q, q)
        assert total is not None
        return w.intrinsic("llvm.sqrt", total * (1.0 / self.program.size))

    # -- steps --------------------------------------------------------------------------------------------------------

    def _print_advance(self) -> None:
        w = self._writer()
        taken = w.load("%control", ACTIVE) > 0.0
        t, wanted, length = (w.load("%control", row) for row in (T, STEP, LENGTH))
        active = taken & (t < length)
        left = length - t
        last = wanted >= left * (1.0 - 1e-12)
        h = last.choose(left, (wanted > 0.5 * left).choose(0.5 * left, wanted))
        steps, rejected = w.load("%control", STEPS), w.load("%control", REJECTED)
        stuck = active & ((t + 0.01 * h).equals(t) | (h < 1e-25 * length))
        many = active & (steps + rejected >= w.load("%control", MOST))
        going = active & ~stuck & ~many
        w.store(t, "%clock", 0)
        w.store(h, "%clock", 1)
        self._linearise(w)
        passed = "ptr %clock, ptr %y, ptr %k, ptr %mass, ptr %linear, ptr %u, ptr %stage, ptr %work"
        w.lines.append(f"  call void @step({passed})")
        error, lowest, still = self._measure(w, h)
        finite = error < float("inf")
        exponent = 1.0 / ORDER
        # error^(1/5), once; of the error before it stands in LAST_ROOT.
        root = self._power(w, error, exponent)
        shrink = self._bounded(root * (1.0 / SAFETY))
        small, whole = error <= 1.0, lowest >= -NOTHING
        accepted = going & finite & small & whole
        refused = going & ~accepted

        last_step, last_root = w.load("%control", LAST_STEP), w.load("%control", LAST_ROOT)
        after_error = last_root > 0.0
        ratio = root * root / after_error.choose(last_root, 1.0)
        predicted = self._bounded(after_error.choose(last_step, h) / h * ratio * (1.0 / SAFETY))
        growing = after_error.choose(shrink.at_least(predicted), shrink)
        growing = (w.load("%control", BEFORE) > 0.0).choose(growing.at_least(1.0), growing)
        again = finite.choose(small.choose(0.5 * h, h / shrink), 0.25 * h)
        cause = finite.choose(small.choose(NEGATIVE_AMOUNT, STEP_TOO_SMALL), NON_FINITE)
        reached = last.choose(length, t + h)

        def put(row: int, mask: Mask, value: Any, otherwise: Vector | None = None) -> None:
            old = w.load("%control", row) if otherwise is None else otherwise
            w.store(mask.choose(value, old), "%control", row)

        put(T, accepted, reached, t)
        put(STEP, accepted, h / growing, refused.choose(again, wanted))
        put(LAST_STEP, accepted, h, last_step)
        put(LAST_ROOT, accepted, root.at_least(1e-2**exponent), last_root)
        put(STEPS, accepted, steps + 1.0, steps)
        put(REJECTED, refused, rejected + 1.0, rejected)
        put(BEFORE, accepted, 0.0, refused.choose(1.0, w.load("%control", BEFORE)))
        put(CAUSE, refused, cause, accepted.choose(float(STEP_TOO_SMALL), w.load("%control", CAUSE)))
        for i in range(self.program.size):
            y, new = w.load("%y", i), w.load("%stage", i)
            if i < self.nonnegative:
                new = new.at_least(0.0)
            w.store(accepted.choose(y, w.load("%before", i)), "%before", i)
            w.store(accepted.choose(new, y), "%y", i)
        due = accepted & (reached >= w.load("%control", NEXT_SAMPLE))
        settled = accepted & still & (w.load("%control", WATCH_STEADY) > 0.0)
        needs = due.choose(float(DUE), 0.0) + settled.choose(float(MAY_BE_STEADY), 0.0)
        attention = many.choose(float(EXHAUSTED), stuck.choose(float(STUCK), needs))
        w.store(attention, "%control", ATTENTION)
        ended = taken & (accepted.choose(reached, t) >= length)
        enough = w.emit(f"icmp uge i{w.lanes} {ended.count()}, {ENDED_TOGETHER}")
        nobody = w.emit(f"xor i1 {(taken & ~ended).any()}, true")
        called = w.emit(f"or i1 {w.emit(f'or i1 {enough}, {nobody}')}, {(due | settled | stuck | many).any()}")
        lines = "\n".join(w.lines)
        body = f"  br label %loop\nloop:\n{lines}\n  br i1 {called}, label %done, label %loop\ndone:\n  ret void"
        self._close(w, "advance", ADVANCE, body)

    def _measure(self, w: Writer, h: Vector) -> tuple[Vector, Vector, Mask]:
        """Error of a step in units of the tolerance, the lowest amount after it, and whether hardly anything moved."""
        n, relative = self.program.size, w.load("%control", RELATIVE)
        reached = w.load("%control", T) + h
        total, lowest = w.constant(0.0), w.constant(0.0)
        still: Mask | None = None
        for i in range(n):
            y, new, absolute = w.load("%y", i), w.load("%stage", i), w.load("%absolute", i)
            scale = absolute.plus_product(relative, abs(y).at_least(abs(new)))
            q = w.load("%u", (STAGES - 1) * n + i) / scale
            total = total.plus_product(q, q)
            if i < self.nonnegative:
                lowest = new.at_most(lowest)
            moved = abs(new - y) * reached <= h * absolute.plus_product(relative, abs(new))
            still = moved if still is None else still & moved
        assert still is not None
        return w.intrinsic("llvm.sqrt", total * (1.0 / n)), lowest, still

    def _bounded(self, shrink: Vector) -> Vector:
        return shrink.at_most(1.0 / SHRINK_MOST).at_least(1.0 / GROW_MOST)

    def _power(self, w: Writer, x: Vector, exponent: float) -> Vector:
        return w.call("lanes.exp", w.call("lanes.log", x) * exponent)

    # -- the first step of a segment -----------------------------------------------------------------------------------

    def _print_begin(self) -> None:
        w, n = self._writer(), self.program.size
        length = w.load("%control", LENGTH)
        tiny = 1e-12 * length
        w.store(w.constant(0.0), "%clock", 0)
        w.store(tiny, "%clock", 1)
        self._linearise(w)
        w.lines.append("  call void @factor(ptr %clock, ptr %mass, ptr %linear, ptr %lu)")
        per_time = 1.0 / (GAMMA * tiny)
        for i in range(n):
            w.store(w.load("%linear", i), "%speed", i)
        w.lines.append("  call void @solve(ptr %lu, ptr %speed)")
        for i in range(n):
            w.store(w.load("%speed", i) * per_time, "%speed", i)
        slopes: dict[int, list[int]] = {}
        for output in self.program.linearised.outputs:
            if output.array == "J":
                row, column = divmod(output.slot, n)
                slopes.setdefault(row, []).append(column)
        for i in range(n):
            total = w.constant(0.0)
            for j in sorted(set(slopes.get(i, []))):
                total = total.plus_product(w.load("%linear", n + i * n + j), w.load("%speed", j))
            w.store(total, "%change", i)
        w.lines.append("  call void @solve(ptr %lu, ptr %change)")
        first = self._norm(w, "%speed")
        second = self._norm(w, "%change") * per_time
        period = first / second
        over = (first * period).at_least(1.0)
        bent = period * self._power(w, 50.0 / over, 1.0 / ORDER).at_most(1.0)
        straight = (0.1 / first).at_least(tiny)
        found = (second <= first / length).choose(straight, bent).at_most(length)
        found = first.equals(0.0).choose(1e-3 * length, found)
        known = (first < float("inf")) & (second < float("inf"))
        w.store(known.choose(found, tiny), "%control", FIRST)
        self._close(w, "begin", BEGIN, "\n".join([*w.lines, "  ret void"]))

    # -- a linearised step ---------------------------------------------------------------------------------------------

    def _print_newton(self) -> None:
        w, n = self._writer(), self.program.size
        self._linearise(w)
        w.lines.append("  call void @factor(ptr %clock, ptr %mass, ptr %linear, ptr %lu)")
        for i in range(n):
            w.store(w.load("%linear", i), "%move", i)
        w.lines.append("  call void @solve(ptr %lu, ptr %move)")
        w.store(self._norm(w, "%move"), "%control", SIZE)
        self._close(w, "newton", NEWTON, "\n".join([*w.lines, "  ret void"]))
