"""Elements in the ions of the library, from their names: a reaction must conserve every element."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from ...physics.ions import find_ion

#: Elements of the library's ions whose names are formulas.
SYMBOLS = frozenset(
    re.findall(
        "[A-Z][a-z]?",
        "HLiBeBCNOFNaMgAlSiPSClKCaScCrMnFeCoNiCuZnAsSeBrRbSrYMoAgCdSnSbICsBaLaCePrNdSmEuGdDyHoErTmYbWReHgTlPbRaU",
    )
)

_ATOM = re.compile(r"([A-Z][a-z]?)(\d*)")


def elements_of(name: str) -> Counter[str] | None:
    """Atoms of an ion of the library by element; None where its name is not a formula, and for any other solute."""
    if find_ion(name) is None:
        return None
    formula = re.sub(r"(?<=[a-z])II+$", "", name)  # FeII
    if not re.fullmatch(rf"(?:{_ATOM.pattern})+", formula):
        return None
    atoms: Counter[str] = Counter()
    for symbol, count in _ATOM.findall(formula):
        atoms[symbol] += int(count or 1)
    return atoms if atoms.keys() <= SYMBOLS else None


def elements_left_over(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    """Atoms on the left less those on the right, of ions by their number; empty where they balance, or are not known.

    Water is not written in an equation, so H and O may be left over in its proportion.
    """
    atoms: Counter[str] = Counter()
    for side, sign in ((left, 1), (right, -1)):
        for name, number in side.items():
            composition = elements_of(name)
            if composition is None:
                return {}
            for symbol, count in composition.items():
                atoms[symbol] += sign * number * count
    if atoms["H"] == 2 * atoms["O"]:
        del atoms["H"], atoms["O"]
    return {symbol: count for symbol, count in atoms.items() if count}
