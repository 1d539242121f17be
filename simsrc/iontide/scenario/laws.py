"""The rate laws of the library as a scenario file knows them: what each moves, and what numbers it takes.

The formulas themselves live with the mechanisms; here stands only what is needed to read a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .kinds import CONCENTRATION, CONDUCTANCE, PERMEABILITY, RATE, Kind


@dataclass(frozen=True)
class Law:
    """A rate law that ``[membranes.X.pathways.NAME]`` may name.

    Attributes
    ----------
    name : str
    description : str
        What it says, in one line, with its formula.
    source : str
    moves : mapping of str to int
        Ions carried outward per cycle; negative inward.
    arguments : mapping of str to Kind
        What it asks for, by the path below the pathway; all are required.
    """

    name: str
    description: str
    source: str
    moves: Mapping[str, int]
    arguments: Mapping[str, Kind]


@dataclass(frozen=True)
class TableLaw:
    """A law written as a table of the membrane, one number an ion: ``permeability = { K = "4e-8 m/s" }``."""

    name: str
    table: str
    description: str
    kind: Kind


#: Laws by the name a pathway gives.
LIBRARY: Mapping[str, Law] = {
    law.name: law
    for law in (
        Law(
            name="na_k_atpase_cubic",
            description="Na,K-ATPase with three equal, independent sites for Na inside, two for K outside: "
            "rate * (Na.inside / (Na.inside + K_Na))^3 * (K.outside / (K.outside + K_K))^2",
            source="Garay & Garrahan 1973, doi:10.1113/jphysiol.1973.sp010234 (Na sites); "
            "Läuger, Electrogenic Ion Pumps, 1991",
            moves={"Na": 3, "K": -2},
            arguments={
                "rate": RATE,
                "half_saturation.Na_inside": CONCENTRATION.positive("a half saturation", "10 mM"),
                "half_saturation.K_outside": CONCENTRATION.positive("a half saturation", "1.5 mM"),
            },
        ),
    )
}

#: Laws that are tables of a membrane, by the key of the table, in the order in which their pathways stand.
TABLES: Mapping[str, TableLaw] = {
    law.table: law
    for law in (
        TableLaw("ghk", "permeability", "Goldman-Hodgkin-Katz flux, passive, one ion each", PERMEABILITY),
        TableLaw("ohmic", "conductance", "conductance * (V - E_ion), passive, one ion each", CONDUCTANCE),
    )
}
