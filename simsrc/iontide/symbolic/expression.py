"""Expression graph: formulas as hash-consed nodes, with exact derivatives.

A rate law is written once, as a plain Python function with operators and the functions of this module; called with
expressions it builds the graph, called with floats or arrays it computes (that is how the diagnostics recompute
fluxes without the tape). Equal subexpressions are one node, so nothing is computed twice, and what depends on
parameters alone is gathered to the left of products so that it can be hoisted out of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import GAS_CONSTANT


class Graph:
    """Owner of all nodes of one system of equations; nodes are numbered so that arguments come first."""

    def __init__(self) -> None:
        self.nodes: list[Expression] = []
        self._index: dict[tuple, Expression] = {}

    def node(self, op: str, args: tuple[Expression, ...] = (), value: Any = None, varies: int = 0) -> Expression:
        key = (op, tuple(a.index for a in args), value)
        node = self._index.get(key)
        if node is None:
            for a in args:
                varies |= a.varies
            node = Expression(self, op, args, value, len(self.nodes), varies)
            self.nodes.append(node)
            self._index[key] = node
        return node

    def constant(self, value: float) -> Expression:
        value = float(value)
        # 0.0 and -0.0 are equal as keys but not as numbers; the graph needs only one zero.
        return self.node("const", value=0.0 if value == 0.0 else value)

    def input(self, path: str) -> Expression:
        """A quantity that does not change between two protocol steps, by its path in the model."""
        return self.node("input", value=path)

    def state(self, i: int) -> Expression:
        """State variable ``i``. Bit ``i`` of ``Expression.varies`` says that a node depends on it."""
        return self.node("state", value=i, varies=1 << (i + 1))

    def time(self) -> Expression:
        """Time, s; bit 0 of ``varies``."""
        return self.node("time", varies=1)


class Expression:
    """A node: ``op`` applied to ``args``. ``varies`` is the bit set of states (and time) it depends on."""

    __slots__ = ("args", "graph", "index", "op", "value", "varies")

    def __init__(
        self, graph: Graph, op: str, args: tuple[Expression, ...], value: Any, index: int, varies: int
    ) -> None:
        self.graph, self.op, self.args, self.value = graph, op, args, value
        self.index, self.varies = index, varies

    def __repr__(self) -> str:
        if self.op in ("const", "input", "state", "time"):
            return f"{self.op}({self.value})" if self.op != "const" else repr(self.value)
        return f"{self.op}({', '.join(map(repr, self.args))})"

    def _lift(self, other: Any) -> Expression:
        return other if isinstance(other, Expression) else self.graph.constant(other)

    def __add__(self, other: Any) -> Expression:
        return _add(self, self._lift(other))

    def __radd__(self, other: Any) -> Expression:
        return _add(self._lift(other), self)

    def __sub__(self, other: Any) -> Expression:
        return _add(self, _negate(self._lift(other)))

    def __rsub__(self, other: Any) -> Expression:
        return _add(self._lift(other), _negate(self))

    def __mul__(self, other: Any) -> Expression:
        return _multiply(self, self._lift(other))

    def __rmul__(self, other: Any) -> Expression:
        return _multiply(self._lift(other), self)

    def __truediv__(self, other: Any) -> Expression:
        return _divide(self, self._lift(other))

    def __rtruediv__(self, other: Any) -> Expression:
        return _divide(self._lift(other), self)

    def __neg__(self) -> Expression:
        return _negate(self)

    def __pow__(self, exponent: Any) -> Expression:
        return power(self, exponent)

    def __rpow__(self, base: Any) -> Expression:
        return power(self._lift(base), self)


def is_constant(x: Expression, value: float | None = None) -> bool:
    """Whether the node is a number (that number, if one is given)."""
    return x.op == "const" and (value is None or x.value == value)


def _add(a: Expression, b: Expression) -> Expression:
    if is_constant(a) and is_constant(b):
        return a.graph.constant(a.value + b.value)
    if is_constant(a, 0.0):
        return b
    if is_constant(b, 0.0):
        return a
    if a.op == "neg" and b.op != "neg":
        a, b = b, a
    if b.op == "neg":
        if a is b.args[0]:
            return a.graph.constant(0.0)
        if a.op == "neg":
            return _negate(_add(a.args[0], b.args[0]))
        return a.graph.node("sub", (a, b.args[0]))
    return a.graph.node("add", (a, b) if a.index <= b.index else (b, a))


def _negate(a: Expression) -> Expression:
    if is_constant(a):
        return a.graph.constant(-a.value)
    if a.op == "neg":
        return a.args[0]
    if a.op == "sub":
        return a.graph.node("sub", (a.args[1], a.args[0]))
    if a.op == "mul" and is_constant(a.args[0]):
        return _multiply(a.graph.constant(-a.args[0].value), a.args[1])
    return a.graph.node("neg", (a,))


def _multiply(a: Expression, b: Expression) -> Expression:
    if is_constant(a) and is_constant(b):
        return a.graph.constant(a.value * b.value)
    # The factor that varies less goes left: numbers, then what depends on inputs alone, then the rest.
    if (is_constant(b), not b.varies, -b.index) > (is_constant(a), not a.varies, -a.index):
        a, b = b, a
    if is_constant(a, 0.0):
        return a
    if is_constant(a, 1.0):
        return b
    if is_constant(a, -1.0):
        return _negate(b)
    if a.op == "neg":
        return _negate(_multiply(a.args[0], b))
    if b.op == "neg":
        return _negate(_multiply(a, b.args[0]))
    # (c · x) · y = c · (x · y): what is fixed between protocol steps collects on the left, to be hoisted whole.
    if not a.varies and b.varies and b.op == "mul" and not b.args[0].varies:
        return _multiply(_multiply(a, b.args[0]), b.args[1])
    if a.varies and a.op == "mul" and not a.args[0].varies:
        return _multiply(a.args[0], _multiply(a.args[1], b))
    if b.varies and a.varies and b.op == "mul" and not b.args[0].varies:
        return _multiply(b.args[0], _multiply(a, b.args[1]))
    return a.graph.node("mul", (a, b))


def _divide(a: Expression, b: Expression) -> Expression:
    if is_constant(b):
        return _multiply(a.graph.constant(1.0 / b.value), a) if b.value else a.graph.node("div", (a, b))
    if is_constant(a, 0.0) or is_constant(b, 1.0):
        return a
    if a.op == "neg":
        return _negate(_divide(a.args[0], b))
    if b.op == "neg":
        return _negate(_divide(a, b.args[0]))
    if not b.varies:  # one reciprocal, hoisted, in place of a division at every call
        return _multiply(a.graph.node("div", (a.graph.constant(1.0), b)), a)
    return a.graph.node("div", (a, b))


def power(a: Expression, exponent: Any) -> Expression:
    if isinstance(exponent, Expression):
        if not is_constant(exponent):
            return exp(exponent * log(a))
        exponent = exponent.value
    exponent = float(exponent)
    if is_constant(a):
        with np.errstate(all="ignore"):  # as a run would: 0 to a negative power is infinite, not an error
            return a.graph.constant(float(np.power(a.value, exponent)))
    if exponent.is_integer() and abs(exponent) <= 16:
        count, result, square = int(abs(exponent)), a.graph.constant(1.0), a
        while count:
            if count & 1:
                result = _multiply(result, square)
            count >>= 1
            if count:
                square = _multiply(square, square)
        return result if exponent >= 0 else _divide(a.graph.constant(1.0), result)
    return a.graph.node("pow", (a,), value=exponent)


def _function(op: str, x: Any, numeric: Any) -> Any:
    if not isinstance(x, Expression):
        return numeric(x)
    if is_constant(x):
        with np.errstate(all="ignore"):
            return x.graph.constant(float(numeric(x.value)))
    return x.graph.node(op, (x,))


def exp(x: Any) -> Any:
    """e to the x."""
    return _function("exp", x, np.exp)


def log(x: Any) -> Any:
    """Natural logarithm."""
    return _function("log", x, np.log)


def sqrt(x: Any) -> Any:
    """Square root."""
    return _function("sqrt", x, np.sqrt)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return _function("tanh", x, np.tanh)


def absolute(x: Any) -> Any:
    """|x|."""
    return _function("abs", x, np.abs)


def linexp(x: Any) -> Any:
    """x / (1 − exp(−x)), exactly 1 at 0: the form of the classical gate rates; it is B(−x)."""
    return bernoulli(-x)


def q10(factor: Any, reference: Any, temperature: Any) -> Any:
    """factor^((T − reference) / 10 K), temperatures in K: by how much a rate grows, given its growth over 10 K.

    The rule is van 't Hoff's (Études de dynamique chimique, 1884). In the gates of Hodgkin & Huxley 1952, J Physiol
    117:500, doi:10.1113/jphysiol.1952.sp004764, the factor is 3 and the reference 6.3 °C.
    """
    return factor ** ((temperature - reference) / 10.0)


def arrhenius(energy: Any, reference: Any, temperature: Any) -> Any:
    """exp(E_a / R · (1 / reference − 1 / T)): by how much a rate grows over an activation energy, J mol⁻¹.

    Arrhenius 1889, Z Phys Chem 4:226, doi:10.1515/zpch-1889-0416; 1 at the reference temperature, K.
    """
    return exp(energy / GAS_CONSTANT * ((temperature - reference) / (reference * temperature)))


def _pair(op: str, a: Any, b: Any, numeric: Any) -> Any:
    """A node of two arguments, or its value where both are numbers."""
    graph = a.graph if isinstance(a, Expression) else b.graph if isinstance(b, Expression) else None
    if graph is None:
        return numeric(a, b)
    left, right = (x if isinstance(x, Expression) else graph.constant(x) for x in (a, b))
    if is_constant(left) and is_constant(right):
        return graph.constant(float(numeric(left.value, right.value)))
    return graph.node(op, (left, right))


def less(a: Any, b: Any) -> Any:
    """1 where a < b, else 0 (a truth value, for ``where``)."""
    return _pair("less", a, b, np.less)


def less_equal(a: Any, b: Any) -> Any:
    """1 where a ≤ b, else 0."""
    return _pair("less_equal", a, b, np.less_equal)


def equal(a: Any, b: Any) -> Any:
    """1 where a = b, else 0."""
    return _pair("equal", a, b, np.equal)


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b; what is not chosen may be anything, even NaN."""
    graph = next((x.graph for x in (condition, a, b) if isinstance(x, Expression)), None)
    if graph is None:
        return np.where(condition, a, b)[()]
    nodes = tuple(x if isinstance(x, Expression) else graph.constant(x) for x in (condition, a, b))
    if is_constant(nodes[0]):
        return nodes[1] if nodes[0].value else nodes[2]
    return nodes[1] if nodes[1] is nodes[2] else graph.node("where", nodes)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two."""
    return where(less(b, a), b, a)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two."""
    return where(less(a, b), b, a)


def bernoulli(x: Any) -> Any:
    """Bernoulli function B(x) = x / (exp(x) − 1), with B(0) = 1; never 0/0, never overflowing."""
    return _function("bernoulli", x, bernoulli_value)


def bernoulli_value(x: Any) -> Any:
    """B(x) in NumPy, relative error of a few ulp for every finite x (overflows of expm1 end in B = 0)."""
    x = np.asarray(x, dtype=float)
    small = np.abs(x) < 1e-4
    safe = np.where(small, 1.0, x)
    with np.errstate(over="ignore"):
        far = safe / np.expm1(safe)
        return np.where(small, 1.0 - x / 2 + x * x / 12, far)[()]


def bernoulli_slope_value(x: Any) -> Any:
    """dB/dx in NumPy: B (1 − x − B) / x away from 0, its power series near it."""
    x = np.asarray(x, dtype=float)
    near = np.abs(x) < 0.25
    s = np.where(near, x, 0.0)
    squared = s * s
    # From the Bernoulli numbers: B(x) = 1 − x/2 + x²/12 − x⁴/720 + x⁶/30240 − x⁸/1209600 + …
    series = -0.5 + s * (
        1 / 6
        + squared
        * (-1 / 180 + squared * (1 / 5040 + squared * (-1 / 151200 + squared * (1 / 4790016 - squared / 157703131.75))))
    )
    safe = np.where(near, 1.0, np.maximum(x, -745.0))
    value = bernoulli_value(np.abs(safe))
    right = value * (1.0 - np.abs(safe) - value) / np.abs(safe)  # at |x|: no cancellation there
    return np.where(near, series, np.where(safe > 0, right, -1.0 - right))[()]


def bernoulli_curvature(x: Any) -> Any:
    """d²B/dx², an even function: −(B + x B' + 2 B B') / x (from x B' = B (1 − x − B)), near 0 its power series."""
    size = absolute(x)
    value, slope = bernoulli(size), _function("bernoulli_slope", size, bernoulli_slope_value)
    far = -(value + size * slope + 2.0 * (value * slope)) / size
    s = x * x
    # Twice differentiated, from the Bernoulli numbers: 1/6 − x²/60 + x⁴/1008 − x⁶/21600 + x⁸/532224 − …
    series = 1 / 6 + s * (
        -1 / 60 + s * (1 / 1008 + s * (-1 / 21600 + s * (1 / 532224 + s * (-691 / 9906624000 + s / 410572800))))
    )
    return where(less(s, 0.1), series, far)


def bernoulli_curvature_value(x: float) -> float:
    """d²B/dx² of a number."""
    with np.errstate(all="ignore"):
        return float(bernoulli_curvature(float(x)))


#: The functions of the formula language, over any kind of number.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "tanh": tanh,
    "abs": absolute,
    "min": minimum,
    "max": maximum,
    "where": where,
    "linexp": linexp,
    "q10": q10,
    "arrhenius": arrhenius,
    "less": less,
    "less_equal": less_equal,
    "equal": equal,
}


#: What a law or formula is evaluated over: a float, an array with one entry a sample, or an expression.
Number = float | NDArray | Expression
