"""How species, numbers and units are written in a figure: ``HCO3`` with valence −1 as HCO₃⁻, ``mol/m^2`` as mol m⁻²."""

from __future__ import annotations

import re

from ...formulas.display import duration_text, fitting_unit

_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MICRO = re.compile(r"u([A-Z]|m$|s$|mol$)")
_SPECIAL = re.compile(r"([_$%#&{} ])")


def species_label(name: str, valence: int) -> str:
    """A species with its charge, as mathtext; a name that is no chemical formula stays as it is."""
    if not _FORMULA.fullmatch(name):
        return f"${_body(name)}$"
    size = "" if abs(valence) == 1 else str(abs(valence))
    # The sign is in braces: otherwise it is set as an operator, with space around it.
    charge = f"^{{{size}{{{'+' if valence > 0 else '-'}}}}}" if valence else ""
    return f"${_body(name)}{charge}$"


def symbol_label(symbol: str, name: str = "") -> str:
    """A symbol in italics with a species as its subscript, as mathtext: ``symbol_label("E", "K")``."""
    subscript = f"_{{{_body(name)}}}" if name else ""
    return rf"$\mathit{{{symbol}}}{subscript}$"


def name_label(name: str) -> str:
    """A name as it is, upright, as mathtext."""
    return f"${_escaped(name)}$"


def number_text(value: float) -> str:
    """A number to three digits, with a power of ten where it is very large or small: ``4×10⁻⁶``."""
    text = f"{value:.3g}"
    if "e" not in text:
        return text.replace("-", "−")
    mantissa, exponent = text.split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    return power if mantissa == "1" else f"{mantissa}×{power}".replace("-", "−")


def time_text(seconds: float) -> str:
    """A time (s) to three digits, in the largest unit in which it is at least 1: ``10 µs``."""
    number, _, unit = duration_text(seconds).partition(" ")
    return f"{number} {unit_label(unit)}"


def current_text(amperes: float) -> str:
    """A current (A) to three digits, in the largest unit in which it is at least 1: ``−27 pA``."""
    unit, size = fitting_unit(amperes * (1.0 + 1e-9), "A")  # 0.9999… pA, from a division, is 1 pA
    return f"{number_text(amperes / size)} {unit_label(unit)}"


def unit_label(unit: str) -> str:
    """A unit as journals print it: ``mol/m^2/s`` as ``mol m⁻² s⁻¹``."""
    above, *below = unit.split("/")
    factors = above.replace("·", " ").split() + [f"{f if '^' in f else f + '^1'}".replace("^", "^-") for f in below]
    symbols = []
    for factor in factors:
        symbol, _, power = factor.partition("^")
        symbol = "MΩ" if symbol == "Mohm" else "µ" + symbol[1:] if _MICRO.match(symbol) else symbol
        symbols.append(symbol + power.translate(_SUPERSCRIPT))
    return " ".join(symbol for symbol in symbols if symbol != "1")


def _body(name: str) -> str:
    if _FORMULA.fullmatch(name):
        return re.sub(r"(\d+)", r"_{\1}", name)
    return _escaped(name)


def _escaped(name: str) -> str:
    return _SPECIAL.sub(r"\\\1", re.sub(r"[\\^~]", "", name))
