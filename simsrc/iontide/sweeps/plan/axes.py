"""The axes of a sweep: the values at places on an axis, and at shares of its distribution between 0 and 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...constants import ZERO_CELSIUS
from ...formulas.units import DIMENSIONLESS, Dimension, lab_unit, parse_unit

#: The least and the largest share that any design uses.
LEAST_SHARE, LARGEST_SHARE = 2.0**-53, 1.0 - 2.0**-53

_CELSIUS = ("degC", "°C")


@dataclass(frozen=True)
class Axis:
    """One varied path.

    Attributes
    ----------
    path : str
        As ``--set`` takes it: ``parameters.P_K``, ``compartments.cell.activity``.
    unit : str
        Unit in the plan; empty for pure numbers and categories.
    categories : tuple of str
        Values that are no numbers, each of which needs a scenario of its own; else empty. The value of a point is then
        the code of its category.
    rule : str
        ``values``, ``linear``, ``log``, or a distribution: ``uniform``, ``log_uniform``, ``normal``, ``log_normal``.
    numbers : tuple of float
        The values (SI, or codes of categories), or the two numbers of the rule.
    dimension : Dimension
    points : int
        Values of a linear or log axis.
    within : (float, float) or None
        Truncation of a distribution, SI.
    """

    path: str
    unit: str
    categories: tuple[str, ...]
    rule: str
    numbers: tuple[float, ...]
    dimension: Dimension = DIMENSIONLESS
    points: int = 0
    within: tuple[float, float] | None = None

    @cached_property
    def levels(self) -> NDArray:
        """The values of an axis with a finite number of them, SI, shape (levels,); empty for a distribution.

        Computed once for the whole axis, so that a place always gives the same value.
        """
        if self.rule == "values":
            return np.array(self.numbers)
        if self.rule not in ("linear", "log"):
            return np.zeros(0)
        first, last = self.numbers
        # In the lab unit, so that the third of 11 values from 0 to 100 mV is 20 mV to the last digit.
        unit = "" if self.dimension.is_dimensionless else lab_unit(self.dimension)
        low, high = in_unit(self.numbers, unit)
        place = np.arange(self.points, dtype=float)
        if self.rule == "linear":
            values = to_si(low + place * (high - low) / (self.points - 1), unit)
        else:
            a, b = np.log10(low), np.log10(high)
            values = to_si(10.0 ** (a + place * (b - a) / (self.points - 1)), unit)
        values[0], values[-1] = first, last
        return values

    @property
    def is_distribution(self) -> bool:
        """Whether it is a continuous distribution."""
        return self.rule not in ("values", "linear", "log")

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest value that any point can have, SI."""
        if self.rule in ("normal", "log_normal"):
            least, largest = self.at_share(np.array([LEAST_SHARE, LARGEST_SHARE])).tolist()
            return self.within or (least, largest)
        return min(self.numbers), max(self.numbers)

    @property
    def middle(self) -> float:
        """A value inside the range, by correctly rounded arithmetic: the same on every machine."""
        first, last = self.numbers[0], self.numbers[-1]
        if self.rule == "values":
            return self.numbers[len(self.numbers) // 2]
        if self.rule in ("linear", "uniform"):
            return 0.5 * first + 0.5 * last
        if self.rule in ("log", "log_uniform"):
            return math.sqrt(first) * math.sqrt(last)
        if self.within and not self.within[0] <= first <= self.within[1]:
            return 0.5 * self.within[0] + 0.5 * self.within[1]
        return first

    def at_level(self, places: NDArray) -> NDArray:
        """Values, SI, at places from 0."""
        return self.levels[places]

    def at_share(self, shares: NDArray) -> NDArray:
        """Values at these shares of the axis, SI: the inverse of its cumulative distribution.

        Parameters
        ----------
        shares : array
            Between 0 and 1, both excluded.
        """
        if not self.is_distribution:
            count = len(self.levels)
            return self.levels[np.minimum((shares * count).astype(np.int64), count - 1)]
        first, second = self.numbers
        if self.rule == "uniform":
            return np.clip(first + shares * (second - first), first, second)
        if self.rule == "log_uniform":
            a, b = math.log10(first), math.log10(second)
            return np.clip(10.0 ** (a + shares * (b - a)), first, second)
        deviations = self._deviations(shares)
        values = first + second * deviations if self.rule == "normal" else first * second**deviations
        return values if self.within is None else np.clip(values, *self.within)

    def _deviations(self, shares: NDArray) -> NDArray:
        """Values at these shares, in standard deviations from the middle."""
        from scipy.special import ndtr, ndtri

        if self.within is None:
            return ndtri(shares)
        low, high = self._cut()
        if low > 0.0:  # from the other side, because 1 − (a small number) has too few digits
            return -ndtri(ndtr(-low) - shares * (ndtr(-low) - ndtr(-high)))
        return ndtri(ndtr(low) + shares * (ndtr(high) - ndtr(low)))

    def _cut(self) -> tuple[float, float]:
        """``within``, in standard deviations from the middle."""
        assert self.within is not None
        first, second = self.numbers
        if self.rule == "normal":
            return (self.within[0] - first) / second, (self.within[1] - first) / second
        low, high = (math.log(value / first) / math.log(second) if value > 0.0 else -math.inf for value in self.within)
        return low, high

    def share_within(self) -> float:
        """The share of the distribution that the truncation leaves."""
        from scipy.special import ndtr

        if self.within is None:
            return 1.0
        low, high = self._cut()
        return float(ndtr(-low) - ndtr(-high) if low > 0.0 else ndtr(high) - ndtr(low))

    def to_si(self, values: ArrayLike) -> NDArray:
        """SI values from values in ``unit``; codes of categories are unchanged."""
        return to_si(values, self.unit)

    def from_si(self, values: ArrayLike) -> NDArray:
        """Values in ``unit`` from SI values."""
        return in_unit(values, self.unit)

    def setting(self, value: float) -> str:
        """This value of a point as text for ``--set``, exact to the last bit."""
        return self.categories[int(value)] if self.categories else written(value, self.dimension)

    def shown(self, value: float) -> str:
        """This value of a point as text, in the unit of the plan, to six digits."""
        return (
            self.categories[int(value)] if self.categories else f"{float(self.from_si(value)):.6g} {self.unit}".rstrip()
        )

    def identity(self) -> dict[str, Any]:
        """Everything that determines the values of its points, for the digest; the unit in the plan does not."""
        return {
            "path": self.path,
            "categories": list(self.categories),
            "rule": self.rule,
            "numbers": list(self.numbers),
            "points": self.points,
            "within": None if self.within is None else list(self.within),
        }


def written(value: float, dimension: Dimension) -> str:
    """A number with its SI unit as text that reads back as the same double."""
    unit = "" if dimension.is_dimensionless else str(dimension)
    return f"{float(value)!r} {unit.removeprefix('1') if unit.startswith('1/') else unit}".rstrip()


def _scale(unit: str) -> tuple[float, bool]:
    """Scale of a unit in SI units, or its inverse (True) where that is a whole number and therefore exact."""
    scale = parse_unit(unit)[0] if unit else 1.0
    inverse = 1.0 / scale
    is_inverse = scale < 1.0 and inverse == round(inverse) and inverse < 2.0**53
    return (float(round(inverse)), True) if is_inverse else (scale, False)


def to_si(values: ArrayLike, unit: str) -> NDArray:
    """SI values from values in a unit (also degC; empty for a pure number)."""
    numbers = np.asarray(values, dtype=float)
    if unit in _CELSIUS:
        return numbers + ZERO_CELSIUS
    scale, is_inverse = _scale(unit)
    return numbers / scale if is_inverse else numbers * scale


def in_unit(values: ArrayLike, unit: str) -> NDArray:
    """Values in a unit from SI values."""
    numbers = np.asarray(values, dtype=float)
    if unit in _CELSIUS:
        return numbers - ZERO_CELSIUS
    scale, is_inverse = _scale(unit)
    return numbers * scale if is_inverse else numbers / scale
