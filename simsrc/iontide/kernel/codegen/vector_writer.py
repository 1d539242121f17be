"""Numbers of a printed function as Python values: what is computed with them is printed, line by line.

A ``Vector`` is one LLVM value of as many doubles as there are lanes (or one double), a ``Mask`` a truth value for each.
"""

from __future__ import annotations

import struct
from typing import Any


class Lines:
    """The lines of a function as they are printed, one value a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def _fresh(self) -> str:
        self.count += 1
        return f"%x{self.count}"

    def _emit(self, text: str) -> str:
        name = self._fresh()
        self.lines.append(f"  {name} = {text}")
        return name


class Writer(Lines):
    """The body of one function over a number of lanes."""

    def __init__(self, lanes: int) -> None:
        super().__init__()
        self.lanes = lanes
        self.number = "double" if lanes == 1 else f"<{lanes} x double>"
        self.integer = "i64" if lanes == 1 else f"<{lanes} x i64>"
        self.flag = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.suffix = "f64" if lanes == 1 else f"v{lanes}f64"
        self.declared: set[str] = set()

    def splat(self, kind: str, text: str) -> str:
        """One number in every lane."""
        return text if self.lanes == 1 else "<" + ", ".join([f"{kind} {text}"] * self.lanes) + ">"

    def constant(self, value: float) -> Vector:
        """A number, exactly, in every lane."""
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        return Vector(self, self.splat("double", f"0x{bits:016X}"))

    def argument(self, name: str) -> Vector:
        return Vector(self, f"%{name}")

    def lift(self, value: Any) -> Vector:
        return value if isinstance(value, Vector) else self.constant(float(value))

    def emit(self, text: str) -> str:
        """A line that gives a new value; returns its name."""
        return self._emit(text)

    def address(self, base: str, place: int) -> str:
        """Of number ``place`` of an array."""
        return self.emit(f"getelementptr inbounds {self.number}, ptr {base}, i64 {place}") if place else base

    def load(self, base: str, place: int = 0) -> Vector:
        return Vector(self, self.emit(f"load {self.number}, ptr {self.address(base, place)}, align 8"))

    def store(self, value: Vector, base: str, place: int = 0) -> None:
        self.lines.append(f"  store {self.number} {value.name}, ptr {self.address(base, place)}, align 8")

    def intrinsic(self, name: str, *arguments: Vector) -> Vector:
        """An LLVM function that exists for vectors, as ``llvm.fabs``."""
        kinds = ", ".join([self.number] * len(arguments))
        self.declared.add(f"declare {self.number} @{name}.{self.suffix}({kinds})")
        given = ", ".join(f"{self.number} {a.name}" for a in arguments)
        return Vector(self, self.emit(f"call {self.number} @{name}.{self.suffix}({given})"))

    def call(self, function: str, *arguments: Vector) -> Vector:
        """A function of this module, of vectors to a vector."""
        given = ", ".join(f"{self.number} {a.name}" for a in arguments)
        return Vector(self, self.emit(f"call {self.number} @{function}({given})"))

    def polynomial(self, x: Vector, coefficients: list[float]) -> Vector:
        """From the constant term up, by Estrin's scheme: half as many operations one after another as Horner's."""
        terms, power = [self.constant(c) for c in coefficients], x
        while len(terms) > 1:
            pairs = [a.plus_product(power, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
            terms = pairs + terms[len(pairs) * 2 :]
            power = power * power
        return terms[0]

    # -- whole numbers: the bits of a double ----------------------------------------------------------------------

    def bits(self, x: Vector) -> str:
        return self.emit(f"bitcast {self.number} {x.name} to {self.integer}")

    def from_bits(self, bits: str) -> Vector:
        return Vector(self, self.emit(f"bitcast {self.integer} {bits} to {self.number}"))

    def whole(self, op: str, a: str, b: str | int) -> str:
        """An operation on whole numbers: ``add``, ``sub``, ``shl``, ``ashr``."""
        other = b if isinstance(b, str) else self.splat("i64", str(b))
        return self.emit(f"{op} {self.integer} {a}, {other}")


class Vector:
    """A number in every lane."""

    __slots__ = ("name", "writer")

    def __init__(self, writer: Writer, name: str) -> None:
        self.writer, self.name = writer, name

    def _of(self, op: str, other: Any, swapped: bool = False) -> Vector:
        a, b = self, self.writer.lift(other)
        if swapped:
            a, b = b, a
        return Vector(self.writer, self.writer.emit(f"{op} {self.writer.number} {a.name}, {b.name}"))

    def __add__(self, other: Any) -> Vector:
        return self._of("fadd", other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Vector:
        return self._of("fsub", other)

    def __rsub__(self, other: Any) -> Vector:
        return self._of("fsub", other, swapped=True)

    def __mul__(self, other: Any) -> Vector:
        return self._of("fmul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Vector:
        return self._of("fdiv", other)

    def __rtruediv__(self, other: Any) -> Vector:
        return self._of("fdiv", other, swapped=True)

    def __neg__(self) -> Vector:
        return Vector(self.writer, self.writer.emit(f"fneg {self.writer.number} {self.name}"))

    def plus_product(self, a: Any, b: Any) -> Vector:
        """self + a b, rounded once."""
        return self.writer.intrinsic("llvm.fma", self.writer.lift(a), self.writer.lift(b), self)

    def _compare(self, op: str, other: Any) -> Mask:
        w = self.writer
        return Mask(w, w.emit(f"fcmp {op} {w.number} {self.name}, {w.lift(other).name}"))

    def __lt__(self, other: Any) -> Mask:
        return self._compare("olt", other)

    def __le__(self, other: Any) -> Mask:
        return self._compare("ole", other)

    def __gt__(self, other: Any) -> Mask:
        return self._compare("ogt", other)

    def __ge__(self, other: Any) -> Mask:
        return self._compare("oge", other)

    def equals(self, other: Any) -> Mask:
        return self._compare("oeq", other)

    def is_nan(self) -> Mask:
        return self._compare("uno", self)

    def __abs__(self) -> Vector:
        return self.writer.intrinsic("llvm.fabs", self)

    def at_least(self, other: Any) -> Vector:
        """The larger of two; the other where this is NaN."""
        other = self.writer.lift(other)
        return (self > other).choose(self, other)

    def at_most(self, other: Any) -> Vector:
        """The smaller of two; the other where this is NaN."""
        other = self.writer.lift(other)
        return (self < other).choose(self, other)


class Mask:
    """True or false in every lane."""

    __slots__ = ("name", "writer")

    def __init__(self, writer: Writer, name: str) -> None:
        self.writer, self.name = writer, name

    def _of(self, op: str, other: str) -> Mask:
        return Mask(self.writer, self.writer.emit(f"{op} {self.writer.flag} {self.name}, {other}"))

    def __and__(self, other: Mask) -> Mask:
        return self._of("and", other.name)

    def __or__(self, other: Mask) -> Mask:
        return self._of("or", other.name)

    def __invert__(self) -> Mask:
        return self._of("xor", self.writer.splat("i1", "true"))

    def choose(self, a: Any, b: Any) -> Vector:
        """The first where true, else the second."""
        w = self.writer
        first, second = w.lift(a), w.lift(b)
        return Vector(w, w.emit(f"select {w.flag} {self.name}, {w.number} {first.name}, {w.number} {second.name}"))

    def count(self) -> str:
        """In how many lanes it is true: a whole number of as many bits as there are lanes."""
        w = self.writer
        kind = f"i{w.lanes}"
        w.declared.add(f"declare {kind} @llvm.ctpop.{kind}({kind})")
        bits = w.emit(f"bitcast {w.flag} {self.name} to {kind}")
        return w.emit(f"call {kind} @llvm.ctpop.{kind}({kind} {bits})")

    def any(self) -> str:
        """Whether it is true in some lane: an ``i1``."""
        w = self.writer
        if w.lanes == 1:
            return self.name
        name = f"llvm.vector.reduce.or.v{w.lanes}i1"
        w.declared.add(f"declare i1 @{name}({w.flag})")
        return w.emit(f"call i1 @{name}({w.flag} {self.name})")
