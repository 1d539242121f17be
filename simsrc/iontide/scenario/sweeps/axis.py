"""One axis of a sweep as written: its values or its rule, converted to SI."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...formulas.units import DIMENSIONLESS, NUMBER_PATTERN, Dimension, UnitError, parse_quantity
from ..schema.quantity_kinds import show
from ..schema.sweep import SpreadTable
from ..schema.sweep_messages import EXAMPLE, RULES
from ..text.faults import Faults
from ..text.key_lines import KeyPath

#: Most distinct categories of an axis, each of which needs a model of its own.
MOST_CATEGORIES = 64

_NUMBER = re.compile(rf"\s*[+-]?{NUMBER_PATTERN}\s*(.*?)\s*", re.DOTALL)

#: A number followed by what must be a unit, so that it is no formula.
_PLAIN = re.compile(rf"\s*[+-]?{NUMBER_PATTERN}\s*[^\s()*+,-]+\s*")

_CELSIUS = ("degC", "°C")


@dataclass(frozen=True)
class AxisForm:
    """The values over which one path is varied.

    Attributes
    ----------
    path : str
    rule : str
        ``values``, or one of ``RULES``.
    written : tuple of str or float
        The values, or the two numbers of the rule, as in the file.
    numbers : tuple of float
        The same in SI; empty if some value is no quantity: then all are categories.
    unit : str
        Unit of the first; empty for a pure number.
    dimension : Dimension
    points : int
        Number of values of a linear or log rule; else 0.
    within : (float, float) or None
        Truncation of a distribution, SI.
    is_factor : bool
        Whether the numbers are factors of the value in the scenario.
    """

    path: str
    rule: str
    written: tuple[str | float, ...]
    numbers: tuple[float, ...]
    unit: str = ""
    dimension: Dimension = DIMENSIONLESS
    points: int = 0
    within: tuple[float, float] | None = None
    is_factor: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers."""
        return bool(self.numbers)

    @property
    def levels(self) -> int:
        """Number of values; 0 for a distribution."""
        return len(self.written) if self.rule == "values" else self.points


def read_values(
    path: str, written: Sequence[str | float], places: Sequence[KeyPath], place: KeyPath, faults: Faults
) -> AxisForm | None:
    """An axis of listed values: numbers if all are quantities of one dimension, else categories.

    Parameters
    ----------
    path : str
    written : sequence of str or float
    places : sequence of tuple
        The place of each of them in the file.
    place : tuple
        The place of the list.
    faults : Faults
    """
    if not written:
        faults.add(place, "is empty; name at least one value")
        return None
    read = [_quantity(value) for value in written]
    for number, (value, quantity) in enumerate(zip(written, read, strict=True)):
        if quantity is None and isinstance(value, str) and _PLAIN.fullmatch(value):
            faults.add(places[number], _unreadable(value))
            return None
    known = [quantity for quantity in read if quantity is not None]
    if len(known) < len(written):
        distinct = len(set(written))
        if distinct > MOST_CATEGORIES:
            faults.add(
                place,
                f"has {distinct} different texts, each of which needs a model of its own; at most {MOST_CATEGORIES}",
            )
            return None
        return AxisForm(path, "values", tuple(written), ())
    dimension, unit = known[0][1:]
    for number, (_, other, _) in enumerate(known):
        if other != dimension:
            faults.add(places[number], f"must be {_in_words(dimension)} like the first of these values, got {other}")
            return None
    return AxisForm(path, "values", tuple(written), tuple(k[0] for k in known), unit, dimension)


def read_rule(path: str, table: SpreadTable, place: KeyPath, faults: Faults) -> AxisForm | None:
    """An axis with values by one of ``RULES``."""
    given = [rule for rule in RULES if getattr(table, rule) is not None]
    if len(given) != 1:
        if given:
            faults.add(place, f"has both {given[0]} and {given[1]}; an axis has one rule")
        else:
            faults.add(place, f"has no values ({EXAMPLE})")
        return None
    rule = given[0]
    pair: list[str | float] = getattr(table, rule)
    below = (*place, rule)
    if len(pair) != 2:
        faults.add(below, f"needs two numbers, {_meaning(rule)}; got {len(pair)}")
        return None
    is_stepped = rule in ("linear", "log")
    if is_stepped and table.points is None and not faults.is_faulty(*place, "points"):
        distribution = "uniform" if rule == "linear" else "log_uniform"
        message = f"missing; {rule} needs the number of values, as points = 11; for a distribution write {distribution}"
        faults.add((*place, "points"), message)
    if not is_stepped and table.points is not None:
        faults.add(
            (*place, "points"), f"applies only to linear and log; write {_stepped(rule)}, or give points in [sweep]"
        )
    if is_stepped and table.within is not None:
        faults.add((*place, "within"), f"truncates a distribution; {rule} has its ends already")
    if faults.is_faulty_within(*place):
        return None
    read = [_checked_quantity(value, (*below, k), faults) for k, value in enumerate(pair)]
    if read[0] is None or read[1] is None:
        return None
    (first, dimension, unit), (second, other, unit_of_second) = read[0], read[1]
    due = DIMENSIONLESS if rule == "log_normal" else dimension
    if other != due:
        faults.add((*below, 1), f"must be {_in_words(due)}{_reason(rule)}, got {other}")
        return None
    message = _fault(rule, pair, first, second, unit, unit_of_second)
    if message:
        faults.add(below, message)
        return None
    within = _within(rule, table.within, dimension, place, faults)
    if faults.is_faulty_within(*place):
        return None
    return AxisForm(path, rule, tuple(pair), (first, second), unit, dimension, table.points or 0, within)


def _quantity(value: str | float) -> tuple[float, Dimension, str] | None:
    """Value (SI), dimension and unit of a quantity; None for any other text."""
    if not isinstance(value, str):
        return float(value), DIMENSIONLESS, ""
    try:
        si, dimension = parse_quantity(value)
    except UnitError:
        return None
    match = _NUMBER.fullmatch(value)
    return si, dimension, match[1] if match else ""


def _unreadable(value: str | float) -> str:
    """The message for a text that is no quantity."""
    if isinstance(value, str) and _NUMBER.fullmatch(value) and not _PLAIN.fullmatch(value):
        return f"must be a number with its unit, not a formula, got {show(value)}"
    try:
        parse_quantity(str(value))
    except UnitError as error:
        return str(error)
    return f"must be a number with its unit, got {show(value)}"


def _checked_quantity(value: str | float, place: KeyPath, faults: Faults) -> tuple[float, Dimension, str] | None:
    quantity = _quantity(value)
    if quantity is None:
        faults.add(place, _unreadable(value))
    return quantity


def _meaning(rule: str) -> str:
    meanings = {"normal": "the mean and the standard deviation", "log_normal": "the median and a factor"}
    return meanings.get(rule, "the first and the last" if rule in ("linear", "log") else "the least and the largest")


def _in_words(dimension: Dimension) -> str:
    return str(dimension) if dimension.is_dimensionless else f"a quantity in {dimension}"


def _reason(rule: str) -> str:
    """Why the second number of a rule must have its dimension."""
    return ", the factor of log_normal" if rule == "log_normal" else " like the first number"


def _stepped(rule: str) -> str:
    return "log" if rule.startswith("log") else "linear"


def _fault(rule: str, pair: list[str | float], first: float, second: float, unit: str, unit_of_second: str) -> str:
    """The message for wrong numbers of a rule, whose dimensions are right; empty if they are valid."""
    shown = f"got {show(pair[0])}, {show(pair[1])}"
    if rule.startswith("log") and unit in _CELSIUS:
        return f"the logarithm needs an absolute scale: write K in place of {unit}"
    if rule == "normal":
        if unit_of_second in _CELSIUS:
            return f"a standard deviation is a difference: write it in K, got {show(pair[1])}"
        return "" if second > 0.0 else f"the standard deviation must be greater than 0, {shown}"
    if rule == "log_normal":
        if not first > 0.0:
            return f"the median must be greater than 0, {shown}"
        return "" if second > 1.0 else f"the factor must be greater than 1, {shown}"
    if rule in ("log", "log_uniform") and not min(first, second) > 0.0:
        return f"both numbers of {rule} must be greater than 0, {shown}"
    if first == second:
        return f"the two numbers must differ, {shown}"
    if rule in ("uniform", "log_uniform") and first > second:
        return f"the smaller number must come first, {shown}"
    return "" if math.isfinite(second - first) else f"the range is too wide for double precision, {shown}"


def _within(
    rule: str, pair: list[str | float] | None, dimension: Dimension, place: KeyPath, faults: Faults
) -> tuple[float, float] | None:
    """The truncation of a distribution."""
    if pair is None:
        return None
    below = (*place, "within")
    if rule not in ("normal", "log_normal"):
        faults.add(below, f"applies only to normal and log_normal; {rule} has its ends already")
        return None
    if len(pair) != 2:
        faults.add(below, f"needs two numbers, the least and the largest; got {len(pair)}")
        return None
    read = [_checked_quantity(value, (*below, k), faults) for k, value in enumerate(pair)]
    if read[0] is None or read[1] is None:
        return None
    for k, quantity in enumerate(read):
        if quantity is not None and quantity[1] != dimension:
            faults.add((*below, k), f"must be {_in_words(dimension)} like the values, got {quantity[1]}")
            return None
    least, largest = read[0][0], read[1][0]
    if not least < largest or (rule == "log_normal" and not least >= 0.0):
        rest = ", neither below 0" if rule == "log_normal" else ""
        faults.add(below, f"the smaller number must come first{rest}, got {show(pair[0])}, {show(pair[1])}")
        return None
    return least, largest
