"""Quantities as people write them (``145 mM``, ``1 uF/cm^2``, ``37 degC``), read into SI over a fixed table.

Grammar::

    quantity := number [" "] unit | number            a bare number is a pure number
    unit     := ["/"] factor { ("/" | "." | "·" | " ") factor }
    factor   := NAME [ "^" INTEGER | superscript ]    as in m^2, m^-2, m², s⁻¹

``/`` divides by the one factor after it (``mol/m^2/s`` is mol m⁻² s⁻¹) and is written without spaces, except before a
unit that begins with it, where the space is needed (``600 /mM/s``): so a quantity means the same here and in a
formula, where any other slash divides. Scales are exact rationals and a literal is rounded once, at the end:
the result is the double nearest to what was written.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from ..constants import ZERO_CELSIUS
from ..errors import IontideError, nearest, suggestion

#: Longest text that is read, in characters.
MAX_LENGTH = 200

_MAX_EXPONENT, _QUOTE_LENGTH = 20, 60


class UnitError(IontideError, ValueError):
    """A quantity or a unit that cannot be read; the message names it and what is allowed, in one sentence."""


def quoted(text: str) -> str:
    """The text between backticks for a message: one line, shortened if long, no control characters."""
    line = " ".join(text.split())
    line = line if len(line) <= _QUOTE_LENGTH else line[: _QUOTE_LENGTH - 1] + "…"
    return "`" + "".join(c if c.isprintable() else "�" for c in line) + "`"


@dataclass(frozen=True, slots=True)
class Dimension:
    """The dimension of a quantity: the powers of the SI base units in it.

    Attributes
    ----------
    kg, m, s, A, K, mol : int or Fraction
        Exponents; a whole one is stored as an int.
    """

    kg: int | Fraction = 0
    m: int | Fraction = 0
    s: int | Fraction = 0
    A: int | Fraction = 0
    K: int | Fraction = 0
    mol: int | Fraction = 0

    def __post_init__(self) -> None:
        for base, power in zip(_BASES, self.exponents, strict=True):
            if isinstance(power, Fraction) and power.denominator == 1:
                object.__setattr__(self, base, power.numerator)

    @property
    def exponents(self) -> tuple[int | Fraction, ...]:
        """Exponents of (kg, m, s, A, K, mol)."""
        return (self.kg, self.m, self.s, self.A, self.K, self.mol)

    @property
    def is_dimensionless(self) -> bool:
        """Whether this is the dimension of a pure number."""
        return not any(self.exponents)

    def __mul__(self, other: Dimension) -> Dimension:
        return Dimension(*(a + b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __truediv__(self, other: Dimension) -> Dimension:
        return Dimension(*(a - b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __pow__(self, power: int | Fraction) -> Dimension:
        if not isinstance(power, int | Fraction):
            return NotImplemented
        return Dimension(*(a * power for a in self.exponents))

    def __str__(self) -> str:
        """The SI unit in the field's terms (``mol/m^2/s``, ``F/m^2``), or ``a pure number``."""
        if self.is_dimensionless:
            return "a pure number"
        powers, rest = [], self
        for symbol, power in _derived_unit(self):
            powers.append((symbol, power))
            rest = self / _DERIVED[symbol] ** power
        powers += [(base, getattr(rest, base)) for base in _PRINT_ORDER]
        above = "·".join(_power_text(symbol, power) for symbol, power in powers if power > 0)
        return (above or "1") + "".join(f"/{_power_text(symbol, -p)}" for symbol, p in powers if p < 0)


_BASES = tuple(field.name for field in fields(Dimension))
_PRINT_ORDER = ("kg", "A", "m", "mol", "K", "s")

#: Dimension of a pure number.
DIMENSIONLESS = Dimension()

_LENGTH, _TIME, _CURRENT, _TEMPERATURE = Dimension(m=1), Dimension(s=1), Dimension(A=1), Dimension(K=1)
_MASS, _AMOUNT = Dimension(kg=1), Dimension(mol=1)
_VOLUME, _CONCENTRATION = _LENGTH**3, _AMOUNT / _LENGTH**3
_FORCE = _MASS * _LENGTH / _TIME**2
_PRESSURE, _ENERGY = _FORCE / _LENGTH**2, _FORCE * _LENGTH
_VOLTAGE, _CHARGE = _ENERGY / _TIME / _CURRENT, _CURRENT * _TIME
_RESISTANCE, _CAPACITANCE = _VOLTAGE / _CURRENT, _CHARGE / _VOLTAGE


def _power_text(symbol: str, power: int | Fraction) -> str:
    written = str(power) if isinstance(power, int) else f"({power})"
    return symbol if power == 1 else f"{symbol}^{written}"


_PREFIXES = dict(zip("GMkdcmunpfa", (9, 6, 3, -1, -2, -3, -6, -9, -12, -15, -18), strict=True))
_MICRO_SIGNS = ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}")

_TABLE = (  # name, the prefixes it is used with, its size in SI, its dimension
    ("m", "dcmun", "1", _LENGTH),
    ("Angstrom", "", "1e-10", _LENGTH),
    ("\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", "", "1e-10", _LENGTH),
    ("\N{ANGSTROM SIGN}", "", "1e-10", _LENGTH),
    ("L", "munpf", "1e-3", _VOLUME),
    ("l", "", "1e-3", _VOLUME),
    ("s", "mun", "1", _TIME),
    ("min", "", "60", _TIME),
    ("h", "", "3600", _TIME),
    ("d", "", "86400", _TIME),
    ("Hz", "k", "1", DIMENSIONLESS / _TIME),
    ("K", "", "1", _TEMPERATURE),
    ("V", "kmu", "1", _VOLTAGE),
    ("A", "munpf", "1", _CURRENT),
    ("S", "munp", "1", DIMENSIONLESS / _RESISTANCE),
    ("ohm", "kMG", "1", _RESISTANCE),
    ("\N{GREEK CAPITAL LETTER OMEGA}", "kMG", "1", _RESISTANCE),
    ("\N{OHM SIGN}", "kMG", "1", _RESISTANCE),
    ("F", "munp", "1", _CAPACITANCE),
    ("C", "munpf", "1", _CHARGE),
    ("mol", "munpfa", "1", _AMOUNT),
    ("M", "munp", "1e3", _CONCENTRATION),
    ("Osm", "m", "1e3", _CONCENTRATION),  # the field says mOsm for mOsm per litre
    ("g", "kmu", "1e-3", _MASS),
    ("N", "munp", "1", _FORCE),
    ("Pa", "kM", "1", _PRESSURE),
    ("bar", "", "1e5", _PRESSURE),
    ("atm", "", "101325", _PRESSURE),
    ("mmHg", "", "133.322387415", _PRESSURE),
    ("J", "k", "1", _ENERGY),
    ("cal", "k", "4.184", _ENERGY),  # the thermochemical calorie
    ("W", "munp", "1", _ENERGY / _TIME),
    ("%", "", "0.01", DIMENSIONLESS),
)


def _table() -> dict[str, tuple[Fraction, Dimension]]:
    units: dict[str, tuple[Fraction, Dimension]] = {}
    for name, prefixes, size, dimension in _TABLE:
        units[name] = (Fraction(size), dimension)
        for prefix in prefixes:
            scaled = Fraction(size) * Fraction(10) ** _PREFIXES[prefix]
            for spelling in ("u", *_MICRO_SIGNS) if prefix == "u" else (prefix,):
                units[spelling + name] = (scaled, dimension)
    return units


_UNITS = _table()
# Units that stand for the kg and the A of a dimension when it is printed; of equally good ones the first.
_DERIVED = {name: _UNITS[name][1] for name in ("V", "A", "C", "S", "F", "ohm", "J", "W", "N", "Pa", "kg")}


def _derived_unit(dimension: Dimension) -> list[tuple[str, int]]:
    """The power of a derived unit that contains all kg and A and leaves the smallest remainder, or none."""
    if not (dimension.kg or dimension.A):
        return []
    best: list[tuple[str, int]] = []
    least = Fraction(100)
    for power in (1, -1, 2, -2):
        for symbol, unit in _DERIVED.items():
            rest = dimension / unit**power
            left = abs(power) + sum((abs(Fraction(exponent)) for exponent in rest.exponents), Fraction(0))
            if not (rest.kg or rest.A) and left < least:
                best, least = [(symbol, power)], left
    return best


_CELSIUS = ("degC", "°C")
_ZERO_CELSIUS = Fraction(repr(ZERO_CELSIUS))

#: Every unit that is known by name, prefixes included.
UNIT_NAMES: frozenset[str] = frozenset(_UNITS) | frozenset(_CELSIUS)

#: A number, unsigned: decimal or scientific, nothing else.
NUMBER_PATTERN = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_QUANTITY = re.compile(rf"([+-]?{NUMBER_PATTERN})(\s*)(.*)", re.DOTALL)
_FACTOR = re.compile(r"([^\s/.·^⁻⁰¹²³⁴-⁹]+)(?:\^(-?[0-9]+)|(⁻?[⁰¹²³⁴-⁹]+))?")
_SEPARATOR = re.compile(r"[/.·]|\s+")


def is_unit(name: str) -> bool:
    """Whether a bare name (no powers, no products) is a known unit."""
    return name in UNIT_NAMES


def near_units(name: str) -> list[str]:
    """The known units that an unknown name may be meant for, likeliest first; may be empty."""
    squared = re.fullmatch(r"(\D+)([2-4])", name)
    if squared and is_unit(squared[1]):
        return [f"{squared[1]}^{squared[2]}"]
    # The likeliest mistake is a wrong case (mv, Mm, khz), the next a wrong letter.
    same = sorted(unit for unit in UNIT_NAMES if unit.lower() == name.lower())
    return same or nearest(name, sorted(UNIT_NAMES))


def _unknown(name: str) -> UnitError:
    known = ", ".join(row[0] for row in _TABLE if row[0].isascii())
    hint = suggestion(near_units(name)) or f"; known are degC, {known}, and with prefixes as in mM or uF"
    return UnitError(f"unknown unit {quoted(name)}{hint}")


@lru_cache(maxsize=1024)
def _exact_unit(text: str) -> tuple[Fraction, Dimension]:
    """Exact scale to SI, and dimension, of a unit expression."""
    _check_length(text, "unit")
    scale, dimension = Fraction(1), DIMENSIONLESS
    position, separator = (1, "/") if text.startswith("/") else (0, "")
    while True:
        factor = _FACTOR.match(text, position)
        if factor is None:
            break
        name, digits, superscript = factor.groups()
        if name in _CELSIUS:
            raise UnitError(
                f"{name} cannot be combined with other units (its zero is not that of K); "
                f"write K in {quoted(text)}, as in K/min"
            )
        if name not in _UNITS:
            raise _unknown(name)
        power = _exponent(factor[0], digits or superscript)
        power = -power if separator == "/" else power
        scale *= _UNITS[name][0] ** power
        dimension *= _UNITS[name][1] ** power
        if factor.end() == len(text):
            return scale, dimension
        follows = _SEPARATOR.match(text, factor.end())
        if follows is None:
            break
        position, separator = follows.end(), follows[0]
    raise UnitError(f"cannot read {quoted(text)} as a unit; write as in mS/cm^2 or mol/m^2/s, no space around /")


def _exponent(factor: str, digits: str | None) -> int:
    if digits is None:
        return 1
    power = int(digits.translate(_SUPERSCRIPTS))
    if not 0 < abs(power) <= _MAX_EXPONENT:
        raise UnitError(
            f"the exponent in {quoted(factor)} must be whole, not 0, and at most {_MAX_EXPONENT} either way"
        )
    return power


def _check_length(text: str, kind: str) -> None:
    if len(text) > MAX_LENGTH:
        raise UnitError(f"a {kind} of {len(text)} characters is too long, at most {MAX_LENGTH} are read")


def _as_float(exact: Fraction, text: str) -> float:
    """The double nearest to an exact value; an error where it is too large or too small."""
    try:
        value = float(exact)
    except OverflowError:
        raise UnitError(f"{quoted(text)} is too large for a number of double precision") from None
    if exact and not value:
        raise UnitError(f"{quoted(text)} is too small for a number of double precision")
    return value


def parse_quantity(text: str) -> tuple[float, Dimension]:
    """Read a quantity such as ``145 mM``, ``-70 mV``, ``600 /mM/s``, ``37 degC`` or ``0.85``.

    Returns
    -------
    value : float
        In SI: the double nearest to the quantity as written. A temperature in degC is converted to K.
    dimension : Dimension
        Of the unit; ``DIMENSIONLESS`` for a bare number.

    Raises
    ------
    UnitError
        No number, an unknown unit, or a value beyond double precision.
    """
    _check_length(text, "quantity")
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise UnitError(
            f"{quoted(text)} is not a quantity; it must begin with a decimal number, as in 145 mM or 4e-6 cm/s"
        )
    literal, space, unit = match.groups()
    if unit.startswith("/") and not space:
        raise UnitError(f"{quoted(text)} needs a space before the slash of its unit, as in 600 /mM/s")
    mantissa, _, exponent = literal.lower().partition("e")
    if not mantissa.strip("+-.0"):
        number = Fraction(0)
    elif abs(int(exponent or 0)) > 1000:
        # Before any arithmetic: 10 to a power of nine digits would not fit in memory.
        raise UnitError(f"{quoted(text)} is beyond the range of a number of double precision")
    else:
        number = Fraction(literal)
    if unit in _CELSIUS:
        if number < -_ZERO_CELSIUS:
            raise UnitError(f"{quoted(text)} is below absolute zero, {-ZERO_CELSIUS} degC")
        return float(number + _ZERO_CELSIUS), _TEMPERATURE
    scale, dimension = _exact_unit(unit) if unit else (Fraction(1), DIMENSIONLESS)
    return _as_float(number * scale, text), dimension


def parse_unit(text: str) -> tuple[float, Dimension]:
    """Read a unit such as ``uF/cm^2``, ``/s`` or ``1/s``; ``1`` is the unit of pure numbers.

    Returns
    -------
    scale, dimension : float, Dimension
        How many SI units it is, and of what.

    Raises
    ------
    UnitError
        An unknown unit, or degC, which is more than a scale (see `convert`).
    """
    scale, dimension = _exact_label(text)
    return _as_float(scale, text), dimension


def _exact_label(text: str) -> tuple[Fraction, Dimension]:
    stripped = text.strip()
    if stripped == "1":
        return Fraction(1), DIMENSIONLESS
    return _exact_unit(stripped[1:] if stripped.startswith("1/") else stripped)


def convert(value_si: float, unit_text: str) -> float:
    """Express an SI value, as its shortest decimal says it, in a unit (also degC); NaN and infinity stay.

    Raises
    ------
    UnitError
        An unknown unit, or a result beyond double precision.
    """
    if unit_text.strip() in _CELSIUS:
        scale, zero = Fraction(1), _ZERO_CELSIUS
    else:
        (scale, _), zero = _exact_label(unit_text), Fraction(0)
    if not math.isfinite(value_si):
        return value_si
    return _as_float((Fraction(repr(float(value_si))) - zero) / scale, unit_text)


# What people read on their instruments; each a power of ten from SI: writing one shifts its point.
_LAB_UNITS = {
    parse_unit(unit)[1]: unit
    for unit in (
        *("mV", "pA", "nS", "pF", "Mohm", "um", "um^2", "pL", "mM", "fmol"),
        *("uF/cm^2", "mS/cm^2", "uA/cm^2"),
    )
}


def lab_unit(dimension: Dimension) -> str:
    """The unit people read such a quantity in (``mV``), else its SI unit; ``1`` for pure numbers."""
    if dimension.is_dimensionless:
        return "1"
    return _LAB_UNITS.get(dimension) or str(dimension)


def format_quantity(value_si: float, dimension: Dimension) -> str:
    """Write an SI value in its `lab_unit` with all its digits; `parse_quantity` reads the same value back.

    Raises
    ------
    UnitError
        A value that is not finite.
    """
    if not math.isfinite(value_si):
        raise UnitError(f"{value_si} is not a quantity; it must be finite")
    unit = lab_unit(dimension)
    shift = Decimal(repr(parse_unit(unit)[0])).adjusted() if dimension in _LAB_UNITS else 0
    number = Decimal(repr(float(value_si))).scaleb(-shift).normalize()
    digits = f"{number:f}" if -5 <= number.adjusted() < 16 else f"{number:e}"
    return digits if unit == "1" else f"{digits} {unit.removeprefix('1') if unit.startswith('1/') else unit}"
