"""Numbers with a unit that fits their size, for messages, tables and labels: times, powers, currents, bytes.

Units are in ASCII (``us``, ``uW``), as in scenario files. Figures set them in their own type.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..constants import ZERO_CELSIUS
from .units import Dimension, UnitError, format_quantity

#: Units of time, s.
TIME_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

#: Prefixes of other units, the largest first.
_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18}

#: A number that rounds to 1 of a unit is written in this unit: 59.999 s is 1 min.
_ROUNDING = 1e-4

#: Up to which time (s) it is written with which two units.
_PAIRS_OF_UNITS = ((3600.0, "min", "s"), (86400.0, "h", "min"), (math.inf, "d", "h"))


def duration_text(seconds: float) -> str:
    """A time to three digits, in the largest unit in which it is at least 1: ``1.8 ms``, ``1.5 min``, ``13 h``."""
    if seconds == 0:
        return "0 s"
    fitting = [unit for unit, size in TIME_UNITS.items() if abs(seconds) >= size * (1 - _ROUNDING)]
    unit = fitting[-1] if fitting else "ns"
    number = float(f"{seconds / TIME_UNITS[unit]:.3g}")
    return f"{number:.0f} {unit}" if abs(number) >= 1000 else f"{number:g} {unit}"


def waiting_time_text(seconds: float) -> str:
    """A time for someone who waits, in two units: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``5 h 10 min``, ``2 d 3 h``."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    _, large, small = next(units for units in _PAIRS_OF_UNITS if seconds < units[0])
    small_size = int(TIME_UNITS[small])
    whole, rest = divmod(round(seconds / small_size), int(TIME_UNITS[large]) // small_size)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def fitting_unit(largest: float, unit: str) -> tuple[str, float]:
    """The prefixed unit in which a quantity of so much (SI) is at least 1, and its size (SI): ``("pW", 1e-12)``."""
    fitting = ((prefix, size) for prefix, size in _PREFIXES.items() if abs(largest) >= size)
    prefix, size = next(fitting, ("a", 1e-18))
    return f"{prefix}{unit}", size


def power_text(watts: float) -> str:
    """A power to three digits: ``1.26 aW``, ``42 pW``."""
    if watts == 0.0:
        return "0 W"
    unit, size = fitting_unit(watts, "W")
    return f"{watts / size:.3g} {unit}"


def size_text(count: float) -> str:
    """A number of bytes to three digits: ``12.3 kB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def temperature_text(kelvin: float) -> str:
    """A temperature in both units: ``37 degC (310.15 K)``."""
    return f"{kelvin - ZERO_CELSIUS:.6g} degC ({kelvin:.6g} K)"


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table as lines: the first column aligned to the left, the others to the right, two blanks between."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))] if rows else []
    return [
        "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def quantity_text(value_si: float, dimension: Dimension, digits: int = 6) -> str:
    """A quantity to so many digits in its lab unit (``-70.123 mV``); the bare number in SI if it is not finite."""
    try:
        number, _, unit = format_quantity(float(value_si), dimension).partition(" ")
    except UnitError:
        return f"{value_si:.{digits}g}"
    return f"{float(number):.{digits}g} {unit}".rstrip()
