"""The functions of the formula language over plain floats, which never raise, like machine code."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

from ..constants import GAS_CONSTANT

# Arithmetic of IEEE 754, as machine code does it: Python itself raises on overflow and division by 0.


def divide(a: float, b: float) -> float:
    """a / b; by 0 infinite, or NaN."""
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def power(a: float, b: float) -> float:
    """a to the b; infinite where it overflows, NaN where it is not real."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 == 1 else math.inf
    except ValueError:  # 0 to a negative power, or a negative number to one that is not whole
        return math.inf if a == 0 else math.nan


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _log(x: float) -> float:
    return math.log(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def _linexp(x: float) -> float:
    # The second form is the same with numerator and denominator multiplied by exp(x), so that exp does not overflow.
    if x == 0 or math.isinf(x):
        return 1.0 if x == 0 else max(x, 0.0)
    return -x / math.expm1(-x) if x > 0 else x * math.exp(x) / math.expm1(x)


def _q10(factor: float, reference: float, temperature: float) -> float:
    if math.isnan(factor) or factor < 0:
        return math.nan
    return power(factor, (temperature - reference) / 10.0)


def _arrhenius(energy: float, reference: float, temperature: float) -> float:
    return _exp(energy / GAS_CONSTANT * divide(temperature - reference, reference * temperature))


def _poisoned(function: Callable[[float, float], float]) -> Callable[[float, float], float]:
    """The function with NaN for NaN: neither a comparison nor a minimum may hide a NaN."""
    return lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else float(function(a, b))


#: Every function of the language, and the three comparisons (1.0 or 0.0), for plain floats. None raises on
#: any float: overflow is infinity, a value outside of the domain NaN.
FLOAT_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "exp": _exp,
    "log": _log,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
    "tanh": math.tanh,
    "abs": math.fabs,
    "min": _poisoned(min),
    "max": _poisoned(max),
    "where": lambda condition, a, b: math.nan if math.isnan(condition) else (a if condition else b),
    "linexp": _linexp,
    "q10": _q10,
    "arrhenius": _arrhenius,
    "less": _poisoned(operator.lt),
    "less_equal": _poisoned(operator.le),
    "equal": _poisoned(operator.eq),
}
