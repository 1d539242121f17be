"""One axis of a sweep as it is written: its values or its rule, read into SI."""

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

#: Distinct words of an axis: each is a model of its own.
MOST_WORDS = 64

_NUMBER = re.compile(rf"\s*[+-]?{NUMBER_PATTERN}\s*(.*?)\s*", re.DOTALL)

#: A number and what must be its unit, so that it is no formula.
_PLAIN = re.compile(rf"\s*[+-]?{NUMBER_PATTERN}\s*[^\s()*+,-]+\s*")

_CELSIUS = ("degC", "°C")


@dataclass(frozen=True)
class AxisForm:
    """What one path is varied over.

    Attributes
    ----------
    path : str
    rule : str
        ``values``, or one of ``RULES``.
    written : tuple of str or float
        Values, or the two numbers of the rule, as in the file.
    numbers : tuple of float
        The same, SI; empty where some value is no quantity: then all are words.
    unit : str
        Of the first; empty of a pure number.
    dimension : Dimension
    points : int
        Of a linear or log rule; else 0.
    within : (float, float) or None
        What a distribution is cut off at, SI.
    is_factor : bool
        Whether the numbers multiply the scenario's own value.
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
        """How many values it has; 0 of a distribution."""
        return len(self.written) if self.rule == "values" else self.points


def read_values(
    path: str, written: Sequence[str | float], places: Sequence[KeyPath], place: KeyPath, faults: Faults
) -> AxisForm | None:
    """An axis of listed values: numbers where all are quantities of one dimension, else words.

    Parameters
    ----------
    path : str
    written : sequence of str or float
    places : sequence of tuple
        Where each of them stands in the file.
    place : tuple
        Where they stand as a whole.
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
        if distinct > MOST_WORDS:
            faults.add(
                place, f"{distinct} different words are too many, each is a model of its own; at most {MOST_WORDS}"
            )
            return None
        return AxisForm(path, "values", tuple(written), ())
    dimension, unit = known[0][1:]
    for number, (_, other, _) in enumerate(known):
        if other != dimension:
            told = f"{other} does not fit, the first of these values is {dimension}"
            faults.add(places[number], told)
            return None
    return AxisForm(path, "values", tuple(written), tuple(k[0] for k in known), unit, dimension)


def read_rule(path: str, table: SpreadTable, place: KeyPath, faults: Faults) -> AxisForm | None:
    """An axis that is spread by one of ``RULES``."""
    given = [rule for rule in RULES if getattr(table, rule) is not None]
    if len(given) != 1:
        told = f"has both {given[0]} and {given[1]}; an axis has one rule" if given else f"says no values ({EXAMPLE})"
        faults.add(place, told)
        return None
    rule = given[0]
    pair: list[str | float] = getattr(table, rule)
    below = (*place, rule)
    if len(pair) != 2:
        faults.add(below, f"takes two numbers, {_meaning(rule)}; got {len(pair)}")
        return None
    is_stepped = rule in ("linear", "log")
    if is_stepped and table.points is None and not faults.is_faulty(*place, "points"):
        told = f"missing; {rule} needs how many values there are (as points = 11); for a distribution write "
        faults.add((*place, "points"), told + ("uniform" if rule == "linear" else "log_uniform"))
    if not is_stepped and table.points is not None:
        faults.add((*place, "points"), f"a distribution has none; write {_stepped(rule)}, or give points below [sweep]")
    if is_stepped and table.within is not None:
        faults.add((*place, "within"), f"cuts off a distribution; {rule} has its ends already")
    if faults.is_faulty_within(*place):
        return None
    read = [_told(value, (*below, k), faults) for k, value in enumerate(pair)]
    if read[0] is None or read[1] is None:
        return None
    (first, dimension, unit), (second, other, unit_of_second) = read[0], read[1]
    due = DIMENSIONLESS if rule == "log_normal" else dimension
    if other != due:
        faults.add((*below, 1), f"{other} does not fit, {_second(rule, due)}")
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
    """Value (SI), dimension and unit of a quantity; None of any other text."""
    if not isinstance(value, str):
        return float(value), DIMENSIONLESS, ""
    try:
        si, dimension = parse_quantity(value)
    except UnitError:
        return None
    match = _NUMBER.fullmatch(value)
    return si, dimension, match[1] if match else ""


def _unreadable(value: str | float) -> str:
    """Why a text is no quantity."""
    if isinstance(value, str) and _NUMBER.fullmatch(value) and not _PLAIN.fullmatch(value):
        return f"must be a number with its unit, not a formula, got {show(value)}"
    try:
        parse_quantity(str(value))
    except UnitError as error:
        return str(error)
    return f"must be a number with its unit, got {show(value)}"


def _told(value: str | float, place: KeyPath, faults: Faults) -> tuple[float, Dimension, str] | None:
    quantity = _quantity(value)
    if quantity is None:
        faults.add(place, _unreadable(value))
    return quantity


def _meaning(rule: str) -> str:
    meanings = {"normal": "the mean and the standard deviation", "log_normal": "the median and a factor"}
    return meanings.get(rule, "the first and the last" if rule in ("linear", "log") else "the least and the largest")


def _second(rule: str, due: Dimension) -> str:
    if rule == "log_normal":
        return "the second number of log_normal is a factor, a pure number"
    return f"the first number is {due}"


def _stepped(rule: str) -> str:
    return "log" if rule.startswith("log") else "linear"


def _fault(rule: str, pair: list[str | float], first: float, second: float, unit: str, unit_of_second: str) -> str:
    """What is wrong with the two numbers of a rule, which are of the dimensions that they must have; or nothing."""
    shown = f"got {show(pair[0])}, {show(pair[1])}"
    if rule.startswith("log") and unit in _CELSIUS:
        return f"{unit} has no logarithm, for its zero is not that of K; write K"
    if rule == "normal":
        if unit_of_second in _CELSIUS:
            return f"a standard deviation is a difference: write it in K, got {show(pair[1])}"
        return "" if second > 0.0 else f"the standard deviation must be greater than 0, {shown}"
    if rule == "log_normal":
        if not first > 0.0:
            return f"the median must be greater than 0, {shown}"
        return "" if second > 1.0 else f"the factor must be greater than 1, {shown}"
    if rule in ("log", "log_uniform") and not min(first, second) > 0.0:
        return f"{rule} goes between numbers greater than 0, {shown}"
    if first == second:
        return f"goes from a number to the same, {shown}"
    if rule in ("uniform", "log_uniform") and first > second:
        return f"the least comes first, {shown}"
    return "" if math.isfinite(second - first) else f"is too wide for numbers of double precision, {shown}"


def _within(
    rule: str, pair: list[str | float] | None, dimension: Dimension, place: KeyPath, faults: Faults
) -> tuple[float, float] | None:
    """What a distribution is cut off at."""
    if pair is None:
        return None
    below = (*place, "within")
    if rule not in ("normal", "log_normal"):
        faults.add(below, f"cuts off normal and log_normal; {rule} has its ends already")
        return None
    if len(pair) != 2:
        faults.add(below, f"takes two numbers, the least and the largest; got {len(pair)}")
        return None
    read = [_told(value, (*below, k), faults) for k, value in enumerate(pair)]
    if read[0] is None or read[1] is None:
        return None
    for k, quantity in enumerate(read):
        if quantity is not None and quantity[1] != dimension:
            faults.add((*below, k), f"{quantity[1]} does not fit, what is drawn is {dimension}")
            return None
    least, largest = read[0][0], read[1][0]
    if not least < largest or (rule == "log_normal" and not least >= 0.0):
        rest = ", none below 0" if rule == "log_normal" else ""
        faults.add(below, f"the least comes first{rest}, got {show(pair[0])}, {show(pair[1])}")
        return None
    return least, largest
