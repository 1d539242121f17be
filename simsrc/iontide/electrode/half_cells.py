"""Metals that exchange an ion with the solution: their potential against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..physics.electrochemical import reversal_potential

#: Activities are over 1 mol L⁻¹, in mol m⁻³.
STANDARD = 1e3


@dataclass(frozen=True)
class HalfCell:
    """A half-cell with ``E = E° + s (R T / F) ln a``.

    Attributes
    ----------
    ion : str
        Of the solution, whose activity counts.
    standard_potential : float
        E° against the standard hydrogen electrode at 25 °C, V; used at any temperature, for between two wires of one
        kind it is no matter.
    sign : int
        s: −1 for an anion that the metal's salt releases.
    source : str
    """

    ion: str
    standard_potential: float
    sign: int
    source: str


HALF_CELLS = {
    "Ag/AgCl": HalfCell("Cl", 0.22233, -1, "Ag | AgCl | Cl-; Bates & Bower 1954, J Res Natl Bur Stand 53:283"),
    "calomel": HalfCell("Cl", 0.26808, -1, "Hg | Hg2Cl2 | Cl-; CRC Handbook of Chemistry and Physics"),
    "hydrogen": HalfCell("H", 0.0, 1, "Pt | H2 at 1 bar | H+: the standard itself"),
}


def half_cell_potential(wire: str, activity: Any, temperature: Any) -> Any:
    """Potential of a metal against the solution that it is in, V.

    Parameters
    ----------
    wire : str
        A name in ``HALF_CELLS``.
    activity : float or array
        Of its ion, mol m⁻³, greater than 0.
    temperature : float or array
        K.
    """
    cell = HALF_CELLS[wire]
    return cell.standard_potential + reversal_potential(cell.sign, STANDARD, activity, temperature)
