"""The steps of the batch integrator, printed for one program: all lanes go on until one of them needs attention.

Each lane is a separate run, with a separate time, step, constants and tolerances; nothing in one depends on another, so
that a run is the same to the last bit in whatever lane, and whatever runs are in the others. What is printed does what
``integrator.rosenbrock`` does for one run, with masks in the place of branches; the decisions are those of
``step_control``. What differs is rounding: error norms are sums of products rounded once, and the fifth root of an
error is taken once a step and by exp and log.

* ``begin``: the first step of a segment, into the row ``FIRST_STEP`` of ``control``;
* ``advance``: steps, accepted or not, until some lanes have reached the end of their segment, or one has passed a
  sample, may be steady or cannot go on;
* ``newton``: one linearised step of the length in ``clock`` from the present state, into ``move``, and its norm into
  ``MOVE_NORM``: for consistent algebraic states (a step of no length) and for whether a state is steady (a very long
  one).

``control`` has a row of numbers for each of ``ROWS``; all arrays have one number a lane for each of theirs.
"""

from __future__ import annotations

from typing import Any

from ...symbolic.tape import Program
from ..layout import batch_rows as row
from ..layout import step_control as control
from ..layout.functions import STEP_LENGTH, TIME, linear_offsets
from ..layout.status import STEP_TOO_SMALL
from ..layout.tableau import GAMMA, STAGES
from .math_functions import power
from .writer import Mask, Module, Vector, Writer

#: So many lanes at the end of their segment are worth a call: what is done at an end and a beginning is done for all of
#: them at once, and until then they wait.
ENDED_TOGETHER = 8

ADVANCE = ("control", "clock", "y", "before", "k", "mass", "absolute", "linear", "u", "stage", "work")
BEGIN = ("control", "clock", "y", "k", "mass", "absolute", "linear", "lu", "speed", "move", "work")
NEWTON = ("control", "clock", "y", "k", "mass", "absolute", "linear", "lu", "move", "work")


class BatchStepPrinter:
    """Prints the three functions into a module that has the program's tapes and step."""

    def __init__(self, module: Module, program: Program, nonnegative: int) -> None:
        self.module, self.program, self.nonnegative = module, program, nonnegative

    def print_all(self) -> None:
        """Print all three."""
        self._print_advance()
        self._print_begin()
        self._print_newton()

    def _linearise(self, w: Writer) -> None:
        w.run("linearised", "%clock", "%y", "%k", "%work", "%linear")

    def _norm(self, w: Writer, move: str) -> Vector:
        """Root mean square of n numbers in units of the tolerance at y."""
        relative = w.load("%control", row.RELATIVE)
        total: Vector | None = None
        for i in range(self.program.size):
            q = w.load(move, i) / w.load("%absolute", i).plus_product(relative, abs(w.load("%y", i)))
            total = q * q if total is None else total.plus_product(q, q)
        assert total is not None
        return w.intrinsic("llvm.sqrt", total * (1.0 / self.program.size))

    # -- steps --------------------------------------------------------------------------------------------------------

    def _print_advance(self) -> None:
        w = Writer(self.module)
        w.lines += ["  br label %loop", "loop:"]
        has_run = w.load("%control", row.ACTIVE) > 0.0
        t, wanted, length = (w.load("%control", r) for r in (row.T, row.STEP, row.LENGTH))
        active = has_run & (t < length)
        left = length - t
        h = control.fitted_step(wanted, left)
        steps, rejected = w.load("%control", row.STEPS), w.load("%control", row.REJECTED)
        stuck = active & control.is_too_small(t, h, length)
        exhausted = active & (steps + rejected >= w.load("%control", row.MOST_STEPS))
        going = active & ~stuck & ~exhausted
        w.store(t, "%clock", TIME)
        w.store(h, "%clock", STEP_LENGTH)
        self._linearise(w)
        w.run("step", "%clock", "%y", "%k", "%mass", "%linear", "%u", "%stage", "%work")
        error, lowest, still = self._measure(w, h)
        finite, small = error < float("inf"), error <= 1.0
        accepted = going & finite & small & (lowest >= -control.NEGLIGIBLE_AMOUNT)
        refused = going & ~accepted
        reached = control.time_after(t, h, left, length)

        root = power(w, error, control.EXPONENT)
        shrink = control.bounded(root * (1.0 / control.SAFETY))
        self._store_control(w, accepted, refused, (t, wanted, h, reached), (root, shrink, finite, small))
        self._store_states(w, accepted)

        due = accepted & (reached >= w.load("%control", row.NEXT_SAMPLE))
        settled = accepted & still & (w.load("%control", row.WATCH_STEADY) > 0.0)
        needs = due.choose(float(row.DUE), 0.0) + settled.choose(float(row.MAY_BE_STEADY), 0.0)
        attention = exhausted.choose(float(row.EXHAUSTED), stuck.choose(float(row.STUCK), needs))
        w.store(attention, "%control", row.ATTENTION)
        ended = has_run & (accepted.choose(reached, t) >= length)
        enough = w.emit(f"icmp uge i{w.lanes} {ended.count()}, {ENDED_TOGETHER}")
        nobody = w.emit(f"xor i1 {(has_run & ~ended).any()}, true")
        called = w.emit(f"or i1 {w.emit(f'or i1 {enough}, {nobody}')}, {(due | settled | stuck | exhausted).any()}")
        w.lines += [f"  br i1 {called}, label %done, label %loop", "done:"]
        self.module.define("advance", ADVANCE, w.lines)

    def _store_control(
        self,
        w: Writer,
        accepted: Mask,
        refused: Mask,
        steps: tuple[Vector, Vector, Vector, Vector],
        errors: tuple[Vector, Vector, Mask, Mask],
    ) -> None:
        """The rows of ``control`` after a step: times, what to try next, and what there was."""
        (t, wanted, h, reached), (root, shrink, finite, small) = steps, errors
        last_step, last_root = w.load("%control", row.LAST_STEP), w.load("%control", row.LAST_ROOT)
        after_rejection = w.load("%control", row.AFTER_REJECTION)
        has_predecessor = last_root > 0.0
        ratio = root * root / has_predecessor.choose(last_root, 1.0)
        predicted = control.bounded(has_predecessor.choose(last_step, h) / h * ratio * (1.0 / control.SAFETY))
        growing = control.shrink_after(shrink, predicted, has_predecessor, after_rejection > 0.0)
        again = control.retried_step(h, shrink, finite, small)
        least_root = control.LEAST_ERROR**control.EXPONENT

        def put(place: int, where: Mask, value: Any, otherwise: Any = None) -> None:
            old = w.load("%control", place) if otherwise is None else otherwise
            w.store(where.choose(value, old), "%control", place)

        put(row.T, accepted, reached, t)
        put(row.STEP, accepted, h / growing, refused.choose(again, wanted))
        put(row.LAST_STEP, accepted, h, last_step)
        put(row.LAST_ROOT, accepted, control.larger(root, least_root), last_root)
        put(row.STEPS, accepted, w.load("%control", row.STEPS) + 1.0)
        put(row.REJECTED, refused, w.load("%control", row.REJECTED) + 1.0)
        put(row.AFTER_REJECTION, accepted, 0.0, refused.choose(1.0, after_rejection))
        old_cause = accepted.choose(float(STEP_TOO_SMALL), w.load("%control", row.CAUSE))
        put(row.CAUSE, refused, control.cause_of_rejection(finite, small), old_cause)

    def _store_states(self, w: Writer, accepted: Mask) -> None:
        """The states after a step that was accepted, and those before it."""
        for i in range(self.program.size):
            y, new = w.load("%y", i), w.load("%stage", i)
            if i < self.nonnegative:
                new = new.at_least(0.0)
            w.store(accepted.choose(y, w.load("%before", i)), "%before", i)
            w.store(accepted.choose(new, y), "%y", i)

    def _measure(self, w: Writer, h: Vector) -> tuple[Vector, Vector, Mask]:
        """Error of a step in units of the tolerance, the lowest amount after it, and whether hardly anything moved."""
        n, relative = self.program.size, w.load("%control", row.RELATIVE)
        reached = w.load("%control", row.T) + h
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

    # -- the first step of a segment -----------------------------------------------------------------------------------

    def _print_begin(self) -> None:
        w, n = Writer(self.module), self.program.size
        length = w.load("%control", row.LENGTH)
        trial = control.TRIAL_STEP * length
        w.store(w.constant(0.0), "%clock", TIME)
        w.store(trial, "%clock", STEP_LENGTH)
        self._linearise(w)
        w.run("factor", "%clock", "%mass", "%linear", "%lu")
        per_time = 1.0 / (GAMMA * trial)
        for i in range(n):
            w.store(w.load("%linear", i), "%speed", i)
        w.run("solve", "%lu", "%speed")
        for i in range(n):
            w.store(w.load("%speed", i) * per_time, "%speed", i)
        slopes: dict[int, list[int]] = {}
        for output in self.program.linearised.outputs:
            if output.array == "J":
                of, by = divmod(output.slot, n)
                slopes.setdefault(of, []).append(by)
        for i in range(n):
            total = w.constant(0.0)
            for j in sorted(set(slopes.get(i, []))):
                total = total.plus_product(w.load("%linear", linear_offsets(n)["J"] + i * n + j), w.load("%speed", j))
            w.store(total, "%move", i)
        w.run("solve", "%lu", "%move")
        speed, acceleration = self._norm(w, "%speed"), self._norm(w, "%move") * per_time
        root = power(w, control.transient_ratio(speed, acceleration), control.EXPONENT)
        w.store(control.first_step(speed, acceleration, length, root), "%control", row.FIRST_STEP)
        self.module.define("begin", BEGIN, w.lines)

    # -- a linearised step ---------------------------------------------------------------------------------------------

    def _print_newton(self) -> None:
        w = Writer(self.module)
        self._linearise(w)
        w.run("factor", "%clock", "%mass", "%linear", "%lu")
        for i in range(self.program.size):
            w.store(w.load("%linear", i), "%move", i)
        w.run("solve", "%lu", "%move")
        w.store(self._norm(w, "%move"), "%control", row.MOVE_NORM)
        self.module.define("newton", NEWTON, w.lines)
