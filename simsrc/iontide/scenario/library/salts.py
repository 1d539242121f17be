"""Salts such as NaCl, written where the concentrations of ions are required."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ...physics.ions import Ion, find_ion

#: Longest name of a salt, in characters.
_LONGEST = 60


def ions_of_salt(name: str) -> dict[str, int] | None:
    """Ions of the library that a salt is made of, each with its count, the cation first; None if it is not a salt.

    ``CaCl2``, ``NaHCO3``, ``K-gluconate``, ``Ca(NO3)2``, ``Na2ATP``: a cation and an anion as the library spells them,
    in neutral proportions.
    """
    for end in range(1, min(len(name), _LONGEST)):
        cation = find_ion(name[:end])
        if cation is None or cation.valence <= 0:
            continue
        match = re.fullmatch(r"(\d*)[-_ ]?(\D.*)", name[end:])
        if match is None:
            continue
        count = int(match[1] or 1)
        for anion, number in _anions(match[2], count * cation.valence):
            if anion.valence < 0 and count * cation.valence + number * anion.valence == 0:
                return {cation.name: count, anion.name: number}
    return None


def _anions(text: str, charge: int) -> list[tuple[Ion, int]]:
    """Possible meanings of the second half of a salt: an ion, several of an ion, or one named with its charge."""
    several = re.fullmatch(r"\((.+)\)(\d+)", text) or re.fullmatch(r"(.*\D)(\d+)", text)
    ways = [(text, 1), (f"{text}{charge}", 1)]
    if several is not None:
        ways.insert(1, (several[1], int(several[2])))
    return [(ion, number) for spelling, number in ways if (ion := find_ion(spelling)) is not None]


def instead_of_salt(name: str, ions: Mapping[str, int], value: object, held: Collection[str]) -> str:
    """What to write instead of a salt: ``write Ca = "2 mM" and Cl = "2 * 2 mM"``.

    Parameters
    ----------
    name : str
    ions : mapping of str to int
    value : object
        The concentration of the salt in the file.
    held : collection of str
        Ions whose concentration the solution gives already.
    """
    text = value if isinstance(value, str) and len(value) <= 30 else None
    parts = []
    for ion, count in ions.items():
        amount = "…" if text is None else f'"{text}"' if count == 1 else f'"{count} * {_grouped(text)}"'
        parts.append(f"{amount} more of {ion}" if ion in held else f"{ion} = {amount}")
    return f"{name} is {'not an ion' if {'H', 'OH'} & ions.keys() else 'a salt'}: write {' and '.join(parts)}"


def _grouped(text: str) -> str:
    """A value as a factor."""
    return text if re.fullmatch(r"\s*[\d.eE]+\s*[A-Za-z]*\s*", text) else f"({text})"
