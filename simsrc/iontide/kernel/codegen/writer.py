"""LLVM IR of one module, for one number at a time or for a vector of SIMD lanes: the one writer of all printers.

A ``Module`` collects functions and declarations. A ``Writer`` prints the body of one function: its values are Python
objects, and an operation on them prints a line. A ``Vector`` is one LLVM value of one or several doubles, a ``Mask`` a
truth value for each of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: Instructions or statements in one printed function: one long function compiles worse than linearly.
CHUNK = 400


@dataclass(frozen=True)
class Kind:
    """How LLVM writes numbers that come ``width`` at a time: ``double``, or a vector of them."""

    width: int = 1

    def _of(self, element: str) -> str:
        return element if self.width == 1 else f"<{self.width} x {element}>"

    @property
    def number(self) -> str:
        return self._of("double")

    @property
    def integer(self) -> str:
        return self._of("i64")

    @property
    def flag(self) -> str:
        return self._of("i1")

    @property
    def suffix(self) -> str:
        """Ends the name of an intrinsic function of these numbers."""
        return "f64" if self.width == 1 else f"v{self.width}f64"

    def splat(self, element: str, text: str) -> str:
        """One constant for all of them."""
        return text if self.width == 1 else "<" + ", ".join([f"{element} {text}"] * self.width) + ">"

    def literal(self, value: float) -> str:
        """A number, exactly."""
        return self.splat("double", f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}")


class Module:
    """The functions of one module; ``lanes`` doubles make one number of their arrays."""

    def __init__(self, lanes: int = 1) -> None:
        self.lanes, self.kind = lanes, Kind(lanes)
        self.parts: list[str] = []
        self.names: set[str] = set()
        self._declared: set[str] = set()

    def text(self) -> str:
        """The whole module."""
        return "\n".join([*sorted(self._declared), *self.parts]) + "\n"

    def declare(self, name: str, result: str, *arguments: str) -> str:
        """Declare a function of another library, or an intrinsic one; returns its name."""
        self._declared.add(f"declare {result} @{name}({', '.join(arguments)})")
        return name

    def define(
        self,
        name: str,
        arguments: str | Sequence[str],
        lines: Iterable[str],
        attributes: str = "",
        internal: bool = False,
        result: str = "void",
    ) -> None:
        """Add a function.

        Parameters
        ----------
        name : str
        arguments : str or sequence of str
            As LLVM writes them; or the names of pointers that do not overlap.
        lines : iterable of str
            Its body; without the last line, where it returns nothing.
        attributes : str
            Beside ``nounwind``.
        internal : bool
            Whether it is for this module alone.
        result : str
            Type of what it returns.
        """
        if not isinstance(arguments, str):
            arguments = ", ".join(f"ptr noalias %{a}" for a in arguments)
        body = "\n".join([*lines, "  ret void"] if result == "void" else lines)
        linkage, hint = "internal " if internal else "", f"{attributes} " if attributes else ""
        self.parts.append(f"define {linkage}{result} @{name}({arguments}) {hint}nounwind {{\nentry:\n{body}\n}}")
        self.names.add(name)

    def define_in_pieces(
        self, name: str, pointers: Sequence[str], pieces: Sequence[Sequence[str]], attributes: str = ""
    ) -> None:
        """Add a function of pointers that does one piece after another, each a function where there are several."""
        if len(pieces) > 1:
            for i, piece in enumerate(pieces):
                # Inlined into one again, they would compile as slowly as one.
                self.define(f"{name}.{i}", pointers, piece, "noinline", internal=True)
            passed = ", ".join(f"ptr %{pointer}" for pointer in pointers)
            pieces = [[f"  call void @{name}.{i}({passed})" for i in range(len(pieces))]]
        self.define(name, pointers, pieces[0], attributes)


def in_chunks(items: Sequence[Any]) -> list[Sequence[Any]]:
    """Cut into parts that are each printed as one function; one that is empty, where there is nothing."""
    return [items[i : i + CHUNK] for i in range(0, max(len(items), 1), CHUNK)]


class Writer:
    """The body of one function of a module."""

    def __init__(self, module: Module) -> None:
        self.module, self.kind, self.lanes = module, module.kind, module.lanes
        self.lines: list[str] = []
        self._count = 0

    def take_lines(self) -> list[str]:
        """The lines printed so far; the next ones begin anew."""
        lines, self.lines = self.lines, []
        return lines

    def fresh(self) -> str:
        """A name that no value has yet."""
        self._count += 1
        return f"%x{self._count}"

    def emit(self, text: str) -> str:
        """A line that gives a new value; returns its name."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def constant(self, value: float, kind: Kind | None = None) -> Vector:
        """A number, exactly, in every lane."""
        kind = kind or self.kind
        return Vector(self, kind.literal(value), kind)

    def argument(self, name: str) -> Vector:
        return Vector(self, f"%{name}", self.kind)

    def lift(self, value: Any, kind: Kind | None = None) -> Vector:
        return value if isinstance(value, Vector) else self.constant(float(value), kind)

    def broadcast(self, x: Vector, kind: Kind) -> Vector:
        """A number known at run time, in every place of a vector."""
        if kind == x.kind:
            return x
        one = self.emit(f"insertelement {kind.number} undef, double {x.name}, i32 0")
        mask = f"<{kind.width} x i32> {kind.splat('i32', '0')}"
        return Vector(self, self.emit(f"shufflevector {kind.number} {one}, {kind.number} undef, {mask}"), kind)

    # -- memory ---------------------------------------------------------------------------------------------------

    def address(self, base: str, place: int | str) -> str:
        """Of number ``place`` of an array; the place is known now, or is a value of the function."""
        if place == 0:
            return base
        return self.emit(f"getelementptr inbounds {self.kind.number}, ptr {base}, i64 {place}")

    def load(self, base: str, place: int | str = 0, kind: Kind | None = None) -> Vector:
        """A number of an array, or several from there on."""
        kind = kind or self.kind
        return Vector(self, self.emit(f"load {kind.number}, ptr {self.address(base, place)}, align 8"), kind)

    def store(self, value: Vector, base: str, place: int | str = 0) -> None:
        self.lines.append(f"  store {value.kind.number} {value.name}, ptr {self.address(base, place)}, align 8")

    # -- functions ------------------------------------------------------------------------------------------------

    def call(self, function: str, *arguments: Vector, result: str = "") -> Vector:
        """A function of numbers; ``result`` is the type of what it returns, if it is not one such number."""
        kind = arguments[0].kind
        passed = ", ".join(f"{a.kind.number} {a.name}" for a in arguments)
        return Vector(self, self.emit(f"call {result or kind.number} @{function}({passed})"), kind)

    def library(self, name: str, *arguments: Vector) -> Vector:
        """A function that this module only declares."""
        kind = arguments[0].kind
        return self.call(self.module.declare(name, kind.number, *[kind.number] * len(arguments)), *arguments)

    def intrinsic(self, name: str, *arguments: Vector) -> Vector:
        """An LLVM function that exists for numbers and for vectors, as ``llvm.fabs``."""
        return self.library(f"{name}.{arguments[0].kind.suffix}", *arguments)

    def run(self, function: str, *pointers: str) -> None:
        """Call a function of pointers that returns nothing."""
        self.lines.append(f"  call void @{function}({', '.join(f'ptr {p}' for p in pointers)})")

    # -- products that are added ----------------------------------------------------------------------------------

    def contracted(self, op: str, a: Vector, b: Vector) -> Vector:
        """An operation that LLVM may fuse with another such."""
        return Vector(self, self.emit(f"{op} contract {a.kind.number} {a.name}, {b.name}"), a.kind)

    def polynomial(self, x: Vector, coefficients: Sequence[float], fused: bool = True) -> Vector:
        """From the constant term up, by Estrin's scheme: half as many operations one after another as Horner's.

        Products are added by ``plus_product``, or where they need not be rounded once by ``plus_contracted``.
        """
        terms, power = [self.constant(c) for c in coefficients], x
        while len(terms) > 1:
            pairs = [
                a.plus_product(power, b) if fused else a.plus_contracted(power, b)
                for a, b in zip(terms[::2], terms[1::2], strict=False)
            ]
            terms = pairs + terms[len(pairs) * 2 :]
            power = power * power
        return terms[0]

    # -- whole numbers: the bits of a double ----------------------------------------------------------------------

    def bits(self, x: Vector) -> str:
        return self.emit(f"bitcast {self.kind.number} {x.name} to {self.kind.integer}")

    def from_bits(self, bits: str) -> Vector:
        return Vector(self, self.emit(f"bitcast {self.kind.integer} {bits} to {self.kind.number}"), self.kind)

    def whole(self, op: str, a: str, b: str | int) -> str:
        """An operation on whole numbers: ``add``, ``sub``, ``shl``, ``ashr``."""
        other = b if isinstance(b, str) else self.kind.splat("i64", str(b))
        return self.emit(f"{op} {self.kind.integer} {a}, {other}")

    def from_whole(self, whole: str) -> Vector:
        """A whole number as a double."""
        return Vector(self, self.emit(f"sitofp {self.kind.integer} {whole} to {self.kind.number}"), self.kind)


class Vector:
    """A number in every lane."""

    __slots__ = ("kind", "name", "writer")

    def __init__(self, writer: Writer, name: str, kind: Kind) -> None:
        self.writer, self.name, self.kind = writer, name, kind

    def _of(self, op: str, other: Any, swapped: bool = False) -> Vector:
        a, b = self, self.writer.lift(other, self.kind)
        if swapped:
            a, b = b, a
        return Vector(self.writer, self.writer.emit(f"{op} {self.kind.number} {a.name}, {b.name}"), self.kind)

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
        return Vector(self.writer, self.writer.emit(f"fneg {self.kind.number} {self.name}"), self.kind)

    def plus_product(self, a: Any, b: Any) -> Vector:
        """self + a b, rounded once."""
        lift = self.writer.lift
        return self.writer.intrinsic("llvm.fma", lift(a, self.kind), lift(b, self.kind), self)

    def plus_contracted(self, a: Vector, b: Vector) -> Vector:
        """self + a b, rounded once where the processor does that as fast as twice."""
        return self.writer.contracted("fadd", self, self.writer.contracted("fmul", a, b))

    def minus_contracted(self, a: Vector, b: Vector) -> Vector:
        """self − a b, likewise."""
        return self.writer.contracted("fsub", self, self.writer.contracted("fmul", a, b))

    def compare(self, op: str, other: Any) -> Mask:
        """A comparison by LLVM's name of it: ``olt``, ``une``."""
        other = self.writer.lift(other, self.kind)
        return Mask(self.writer, self.writer.emit(f"fcmp {op} {self.kind.number} {self.name}, {other.name}"), self.kind)

    def __lt__(self, other: Any) -> Mask:
        return self.compare("olt", other)

    def __le__(self, other: Any) -> Mask:
        return self.compare("ole", other)

    def __gt__(self, other: Any) -> Mask:
        return self.compare("ogt", other)

    def __ge__(self, other: Any) -> Mask:
        return self.compare("oge", other)

    def equals(self, other: Any) -> Mask:
        return self.compare("oeq", other)

    def is_nan(self) -> Mask:
        return self.compare("uno", self)

    def __abs__(self) -> Vector:
        return self.writer.intrinsic("llvm.fabs", self)

    def at_least(self, other: Any) -> Vector:
        """The larger of two; the other where this is NaN."""
        return (self > other).choose(self, other)

    def at_most(self, other: Any) -> Vector:
        """The smaller of two; the other where this is NaN."""
        return (self < other).choose(self, other)


class Mask:
    """True or false in every lane."""

    __slots__ = ("kind", "name", "writer")

    def __init__(self, writer: Writer, name: str, kind: Kind) -> None:
        self.writer, self.name, self.kind = writer, name, kind

    def _of(self, op: str, other: str) -> Mask:
        return Mask(self.writer, self.writer.emit(f"{op} {self.kind.flag} {self.name}, {other}"), self.kind)

    def __and__(self, other: Mask) -> Mask:
        return self._of("and", other.name)

    def __or__(self, other: Mask) -> Mask:
        return self._of("or", other.name)

    def __invert__(self) -> Mask:
        return self._of("xor", self.kind.splat("i1", "true"))

    def choose(self, a: Any, b: Any) -> Vector:
        """The first where true, else the second."""
        w, number = self.writer, self.kind.number
        first, second = w.lift(a, self.kind), w.lift(b, self.kind)
        text = f"select {self.kind.flag} {self.name}, {number} {first.name}, {number} {second.name}"
        return Vector(w, w.emit(text), self.kind)

    def as_number(self) -> Vector:
        """1 where true, else 0."""
        text = f"uitofp {self.kind.flag} {self.name} to {self.kind.number}"
        return Vector(self.writer, self.writer.emit(text), self.kind)

    def count(self) -> str:
        """In how many lanes it is true: a whole number of as many bits as there are lanes."""
        w, kind = self.writer, f"i{self.kind.width}"
        bits = w.emit(f"bitcast {self.kind.flag} {self.name} to {kind}")
        return w.emit(f"call {kind} @{w.module.declare(f'llvm.ctpop.{kind}', kind, kind)}({kind} {bits})")

    def any(self) -> str:
        """Whether it is true in some lane: an ``i1``."""
        w = self.writer
        if self.kind.width == 1:
            return self.name
        name = w.module.declare(f"llvm.vector.reduce.or.v{self.kind.width}i1", "i1", self.kind.flag)
        return w.emit(f"call i1 @{name}({self.kind.flag} {self.name})")
