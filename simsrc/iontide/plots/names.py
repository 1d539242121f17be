"""How species are written in a figure: ``HCO3`` with valence −1 as HCO₃⁻, its reversal potential as E with a subscript."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")
_SPECIAL = re.compile(r"([_$%#&{} ])")


def species_label(name: str, valence: int) -> str:
    """A species with its charge, as mathtext; a name that is no chemical formula stays as it is."""
    if not _FORMULA.fullmatch(name):
        return f"${_body(name)}$"
    size = "" if abs(valence) == 1 else str(abs(valence))
    charge = f"^{{{size}{'+' if valence > 0 else '-'}}}" if valence else ""
    return f"${_body(name)}{charge}$"


def symbol_label(symbol: str, name: str = "") -> str:
    """A symbol in italics with a species as its subscript, as mathtext: ``symbol_label("E", "K")``."""
    subscript = f"_{{{_body(name)}}}" if name else ""
    return rf"$\mathit{{{symbol}}}{subscript}$"


def _body(name: str) -> str:
    if _FORMULA.fullmatch(name):
        return re.sub(r"(\d+)", r"_{\1}", name)
    return _SPECIAL.sub(r"\\\1", re.sub(r"[\\^~]", "", name))
