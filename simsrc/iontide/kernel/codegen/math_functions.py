"""Functions of one number, printed once for a single number and for a vector of lanes.

For a single number exp, log, powers and tanh are the C library's: quick, and as exact as they come. It has none for
vectors, so those for lanes are printed here, each within two units in the last place (a test measures it). The value
in one lane never depends on another. The Bernoulli function is the same description for both.

Sources: the reduction and series of exp and log as in W. Cody & W. Waite, Software Manual for the Elementary Functions
(1980), ch. 6 and 5; the coefficients of log(1 + f) and the split of ln 2 of K. C. Ng's fdlibm (e_log.c, 1993);
those of tanh of S. L. Moshier, Methods and Programs for Mathematical Functions (1989), tanh; Lambert's continued
fraction of tanh, DLMF 4.39.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .writer import Module, Vector, Writer

_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42feep-1"), 1.90821492927058770002e-10

#: Beyond these exp is infinite; and less than what the lowest normal numbers are.
_EXP_HIGHEST, _EXP_LOWEST = 709.782712893384, -707.7

#: 1.5 · 2^52: added to a number, it leaves the nearest whole number in the last bits.
_ROUNDER = 6755399441055744.0

_LOG = [
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860510658591e-01,
]

_TANH_OVER = [-1.61468768441708447952e3, -9.92877231001918586564e1, -9.64399179425052238628e-1]
_TANH_UNDER = [4.84406305325125486048e3, 2.23548839060100448583e3, 1.12811678491632931402e2, 1.0]

#: Up to this exponent a power is a product.
_PRODUCTS = 64

#: Up to this |x| the Bernoulli function comes from Lambert's continued fraction, above it from exp.
NEAR_LIMIT = 6.0

#: Depth of the continued fraction: relative error of x coth x below 1e-16 for |x| / 2 ≤ 3 (a test measures it).
LAMBERT_DEPTH = 12

_INTRINSIC = {"abs": "llvm.fabs", "exp": "llvm.exp", "log": "llvm.log", "sqrt": "llvm.sqrt"}


def function_value(w: Writer, name: str, x: Vector, number: float = 0.0) -> Vector:
    """``abs``, ``sqrt``, ``exp``, ``log``, ``tanh``, or ``pow`` with the exponent ``number``."""
    if name == "pow":
        return power(w, x, number)
    if w.lanes > 1 and name in _OF_LANES:
        return w.call(_lane_function(w.module, name), x)
    if name == "tanh":  # LLVM has no such intrinsic in all versions we admit
        return w.library("tanh", x)
    return w.intrinsic(_INTRINSIC[name], x)


def power(w: Writer, x: Vector, exponent: float) -> Vector:
    """x to a constant power: over lanes a product where it is whole and small, else exp(exponent · log x)."""
    if w.lanes == 1:
        return w.intrinsic("llvm.pow", x, w.constant(exponent))
    steps = power_steps(exponent)
    if steps is None:
        return function_value(w, "exp", function_value(w, "log", x) * exponent)
    value = x
    for step in steps:
        value = value * (value if step == "s" else x)
    return 1.0 / value if exponent < 0.0 else value


def power_steps(exponent: float) -> list[str] | None:
    """How to make a whole power by products: ``s`` squares, ``m`` multiplies by the base; None where it is not one."""
    if not exponent.is_integer() or not 1.0 <= abs(exponent) <= _PRODUCTS:
        return None
    return [step for bit in f"{abs(int(exponent)):b}"[1:] for step in ("s" + "m" * (bit == "1"))]


# -- exp, log and tanh of every lane ----------------------------------------------------------------------------------


def _lane_function(module: Module, name: str) -> str:
    """Define (once) the function of a vector of lanes, and return its name."""
    of_lanes = f"lanes.{name}"
    if of_lanes not in module.names:
        w = Writer(module)
        value = _OF_LANES[name](w, w.argument("x"))
        number = module.kind.number
        lines = [*w.lines, f"  ret {number} {value.name}"]
        module.define(of_lanes, f"{number} %x", lines, internal=True, result=number)
    return of_lanes


def _exp(w: Writer, x: Vector) -> Vector:
    """2^n · exp(r), r = x − n ln 2, |r| ≤ ½ ln 2."""
    bounded = x.at_most(_EXP_HIGHEST).at_least(_EXP_LOWEST)
    shifted = w.constant(_ROUNDER).plus_product(bounded, 1.0 / math.log(2.0))
    n = shifted - _ROUNDER
    r = bounded.plus_product(n, -_LN2_HIGH).plus_product(n, -_LN2_LOW)
    tail = w.polynomial(r, [1.0 / math.factorial(k) for k in range(2, 14)])
    value = 1.0 + r.plus_product(r * r, tail)
    scaled = w.from_bits(w.whole("add", w.bits(value), w.whole("shl", w.bits(shifted), 52)))
    result = (x > _EXP_HIGHEST).choose(math.inf, (x < _EXP_LOWEST).choose(0.0, scaled))
    return x.is_nan().choose(x, result)


def _log(w: Writer, x: Vector) -> Vector:
    """k ln 2 + log(1 + f), with 1 + f between √½ and √2."""
    tiny = x < float.fromhex("0x1p-1022")
    normal = tiny.choose(x * 2.0**54, x)
    bits = w.bits(normal)
    k_whole = w.whole("ashr", w.whole("sub", bits, 0x3FE6A09E667F3BCD), 52)
    f = w.from_bits(w.whole("sub", bits, w.whole("shl", k_whole, 52))) - 1.0
    k = w.from_whole(k_whole) - tiny.choose(54.0, 0.0)
    s = f / (2.0 + f)
    square = s * s
    rest = square * w.polynomial(square, _LOG)
    half = 0.5 * f * f
    result = k * _LN2_HIGH - ((half - (s * (half + rest) + k * _LN2_LOW)) - f)
    result = (x.equals(math.inf) | x.is_nan()).choose(x, result)
    return (x <= 0.0).choose(x.equals(0.0).choose(-math.inf, math.nan), result)


def _tanh(w: Writer, x: Vector) -> Vector:
    square = x * x
    near = x.plus_product(x * square, w.polynomial(square, _TANH_OVER) / w.polynomial(square, _TANH_UNDER))
    size = abs(x)
    far = 1.0 - 2.0 / (function_value(w, "exp", 2.0 * size) + 1.0)
    far = (x < 0.0).choose(-far, far)
    result = (size < 0.625).choose(near, far)
    return x.is_nan().choose(x, result)


_OF_LANES: dict[str, Callable[[Writer, Vector], Vector]] = {"exp": _exp, "log": _log, "tanh": _tanh}


# -- the Bernoulli function -------------------------------------------------------------------------------------------


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


def bernoulli_values(w: Writer, u: Vector) -> tuple[Vector, ...]:
    """B(u), B(−u), B'(u) and B'(−u), by one evaluation."""
    number = w.kind.number
    four = f"{{{number}, {number}, {number}, {number}}}"
    if "bernoulli" not in w.module.names:
        _define_bernoulli(w.module, four)
    result = w.call("bernoulli", u, result=four)
    return tuple(Vector(w, w.emit(f"extractvalue {four} {result.name}, {i}"), w.kind) for i in range(4))


def _define_bernoulli(module: Module, four: str) -> None:
    """Both branches are exact to rounding; over lanes the far one is computed where some lane needs it."""
    w = Writer(module)
    u = w.argument("u")
    near = _bernoulli_near(w, u)
    size = abs(u)
    is_far = size > NEAR_LIMIT
    w.lines += [f"  br i1 {is_far.any()}, label %far, label %done", "far:"]
    far = [is_far.choose(a, b) for a, b in zip(_bernoulli_far(w, u, size), near, strict=True)]
    w.lines += ["  br label %done", "done:"]
    result, number = "undef", module.kind.number
    values = [w.emit(f"phi {number} [ {a.name}, %entry ], [ {b.name}, %far ]") for a, b in zip(near, far, strict=True)]
    for i, value in enumerate(values):
        result = w.emit(f"insertvalue {four} {result}, {number} {value}, {i}")
    lines = [*w.lines, f"  ret {four} {result}"]
    module.define("bernoulli", f"{number} %u", lines, "alwaysinline", internal=True, result=four)


def _bernoulli_near(w: Writer, u: Vector) -> tuple[Vector, ...]:
    """B(±u) = G ∓ x and its slopes, with x = u / 2, G = x coth x = 1 + s H, s = x²."""
    x = u * 0.5
    s = x * x
    one = w.constant(1.0)
    numerator, denominator = (w.polynomial(s, coefficients, fused=False) for coefficients in lambert_polynomials())
    h = numerator / denominator
    g = one.plus_contracted(s, h)
    # d(x coth x)/dx = x (1 − G H), so B' = ½ (± x (1 − G H) − 1)
    slope = x * one.minus_contracted(g, h)
    return g - x, g + x, (slope - 1.0) * 0.5, (slope + 1.0) * -0.5


def _bernoulli_far(w: Writer, u: Vector, size: Vector) -> tuple[Vector, ...]:
    """From exp: |u| > 6, so exp(|u|) − 1 loses nothing; an infinite exp gives B = 0, as it should."""
    value = size / (function_value(w, "exp", size) - 1.0)
    opposite = value + size
    slope = (1.0 - size - value) * value / size
    opposite_slope = -(slope + 1.0)
    positive = u > 0.0
    pairs = ((value, opposite), (opposite, value), (slope, opposite_slope), (opposite_slope, slope))
    return tuple(positive.choose(a, b) for a, b in pairs)
