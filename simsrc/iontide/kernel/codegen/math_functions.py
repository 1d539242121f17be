"""exp, log, powers and tanh of a vector of lanes, as printed functions: the C library knows one number at a time.

Each is within two units in the last place (a test measures it). What stands in one lane never depends on another.

Sources: the reduction and series of exp and log as in W. Cody & W. Waite, Software Manual for the Elementary Functions
(1980), ch. 6 and 5; the coefficients of log(1 + f) and the split of ln 2 of K. C. Ng's fdlibm (e_log.c, 1993);
those of tanh of S. L. Moshier, Methods and Programs for Mathematical Functions (1989), tanh.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .vector_writer import Vector, Writer

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
    1.479819860511658591e-01,
]

_TANH_OVER = [-1.61468768441708447952e3, -9.92877231001918586564e1, -9.64399179425052238628e-1]
_TANH_UNDER = [4.84406305325125486048e3, 2.23548839060100448583e3, 1.12811678491632931402e2, 1.0]

#: Up to this exponent a power is a product.
_PRODUCTS = 64


def _exp(w: Writer, x: Vector) -> Vector:
    """2^n · exp(r), r = x − n ln 2, |r| ≤ ½ ln 2."""
    bounded = x.at_most(_EXP_HIGHEST).at_least(_EXP_LOWEST)
    shifted = w.constant(_ROUNDER).plus_product(bounded, 1.0 / math.log(2.0))
    n = shifted - _ROUNDER
    r = bounded.plus_product(n, -_LN2_HIGH).plus_product(n, -_LN2_LOW)
    tail = w.polynomial(r, [1.0 / math.factorial(k) for k in range(2, 14)])
    value = 1.0 + r.plus_product(r * r, tail)
    scaled = w.from_bits(w.whole("add", w.bits(value), w.whole("shl", w.bits(shifted), 52)))
    found = (x > _EXP_HIGHEST).choose(math.inf, (x < _EXP_LOWEST).choose(0.0, scaled))
    return x.is_nan().choose(x, found)


def _log(w: Writer, x: Vector) -> Vector:
    """k ln 2 + log(1 + f), with 1 + f between √½ and √2."""
    tiny = x < float.fromhex("0x1p-1022")
    normal = tiny.choose(x * 2.0**54, x)
    bits = w.bits(normal)
    k_whole = w.whole("ashr", w.whole("sub", bits, 0x3FE6A09E667F3BCD), 52)
    f = w.from_bits(w.whole("sub", bits, w.whole("shl", k_whole, 52))) - 1.0
    k = Vector(w, w.emit(f"sitofp {w.integer} {k_whole} to {w.number}")) - tiny.choose(54.0, 0.0)
    s = f / (2.0 + f)
    square = s * s
    rest = square * w.polynomial(square, _LOG)
    half = 0.5 * f * f
    found = k * _LN2_HIGH - ((half - (s * (half + rest) + k * _LN2_LOW)) - f)
    found = (x.equals(math.inf) | x.is_nan()).choose(x, found)
    return (x <= 0.0).choose(x.equals(0.0).choose(-math.inf, math.nan), found)


def _tanh(w: Writer, x: Vector) -> Vector:
    square = x * x
    near = x.plus_product(x * square, w.polynomial(square, _TANH_OVER) / w.polynomial(square, _TANH_UNDER))
    size = abs(x)
    far = 1.0 - 2.0 / (w.call("lanes.exp", 2.0 * size) + 1.0)
    far = (x < 0.0).choose(-far, far)
    found = (size < 0.625).choose(near, far)
    return x.is_nan().choose(x, found)


_BODIES: dict[str, Callable[[Writer, Vector], Vector]] = {"exp": _exp, "log": _log, "tanh": _tanh}


def function_text(name: str, lanes: int) -> tuple[str, set[str]]:
    """The function ``lanes.exp``, ``lanes.log`` or ``lanes.tanh``, and the declarations that it needs."""
    w = Writer(lanes)
    result = _BODIES[name](w, w.argument("x"))
    lines = "\n".join(w.lines)
    head = f"define internal {w.number} @lanes.{name}({w.number} %x) nounwind"
    return f"{head} {{\nentry:\n{lines}\n  ret {w.number} {result.name}\n}}", w.declared


def power_steps(exponent: float) -> list[str] | None:
    """How to make a whole power by products: ``s`` squares, ``m`` multiplies by the base; None where it is not one."""
    if not exponent.is_integer() or not 1.0 <= abs(exponent) <= _PRODUCTS:
        return None
    return [step for bit in f"{abs(int(exponent)):b}"[1:] for step in ("s" + "m" * (bit == "1"))]
