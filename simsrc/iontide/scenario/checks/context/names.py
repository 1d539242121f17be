"""The names that a formula may use besides parameters, by its place, with their dimensions."""

from __future__ import annotations

from ....formulas.units import DIMENSIONLESS, Dimension, parse_quantity
from ....physics.ions import find_ion
from ...schema import quantity_kinds
from .draft import Draft

SECOND = parse_quantity("1 s")[1]
KELVIN = parse_quantity("1 K")[1]
VOLT = parse_quantity("1 V")[1]
SQUARE_METRE = parse_quantity("1 m^2")[1]
CUBIC_METRE = parse_quantity("1 m^3")[1]
MOLAR = parse_quantity("1 mol/m^3")[1]

#: Names in every formula that may use more than parameters.
EVERYWHERE = {"T": KELVIN, "t": SECOND}


def membrane_names(draft: Draft, membrane: str, pathway: str | None = None) -> dict[str, Dimension]:
    """The names that a formula on a membrane may use: ``V``, ``area``, ``E.K``, ``K.inside``, ``K.inside.activity``, …

    Gates of other pathways than ``pathway`` are named with theirs, as ``K_delayed.n``.
    """
    table = draft.document.membranes[membrane]
    names = {"V": VOLT, **EVERYWHERE, "area": SQUARE_METRE}
    every = draft.document.compartments
    sides = {side: getattr(table, side) for side in ("inside", "outside")}
    held = {side: dict.fromkeys(every[c].concentrations) if c in every else {} for side, c in sides.items()}
    for ion in held["inside"]:
        if ion in held["outside"] and _valence(draft, ion):
            names[f"E.{ion}"] = VOLT
    for side, ions in held.items():
        for ion in ions:
            names |= {f"{ion}.{side}": MOLAR, f"{ion}.{side}.activity": MOLAR}
    for side, compartment in sides.items():
        if compartment in every and not every[compartment].bath:
            names[f"volume.{side}"] = CUBIC_METRE
    return {**_gates_of_others(draft, membrane, pathway), **names}


def _gates_of_others(draft: Draft, membrane: str, pathway: str | None) -> dict[str, Dimension]:
    """The gates of the pathways of a membrane but one, also faulty ones; ``E.`` is reserved for reversal potentials."""
    names: dict[str, Dimension] = {}
    for other, given in draft.document.membranes[membrane].pathways.items():
        if other not in (pathway, "E"):
            faulty = map(str, draft.faults.faulty_below("membranes", membrane, "pathways", other, "gates"))
            names |= gate_names(f"{other}.{gate}" for gate in (*given.gates, *faulty))
    return names


def compartment_names(draft: Draft, compartment: str) -> dict[str, Dimension]:
    """The names that a formula in a compartment may use: ``K``, ``K.activity``, ``volume``, ``potential``."""
    names = {**EVERYWHERE, "volume": CUBIC_METRE, "potential": VOLT}
    for ion in draft.document.compartments[compartment].concentrations:
        names |= {ion: MOLAR, f"{ion}.activity": MOLAR}
    return names


def gate_names(gates: object) -> dict[str, Dimension]:
    """The gates of a pathway, which are pure numbers."""
    return dict.fromkeys(gates, DIMENSIONLESS)  # type: ignore[call-overload]


def gate_rates() -> dict[str, Dimension]:
    """The names of the gate itself that its steady value may use."""
    opening = quantity_kinds.OPENING.dimension
    assert opening is not None
    return {"alpha": opening, "beta": opening}


def _valence(draft: Draft, ion: str) -> int:
    if ion in draft.species:
        return draft.species[ion].valence
    known = find_ion(ion)
    return known.valence if known else 0
