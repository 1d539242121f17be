"""Checks of volumes and areas that change: water, walls, and areas that follow the volume inside."""

from __future__ import annotations

import math

from ....errors import did_you_mean, listed
from ...schema import quantity_kinds
from ...schema.document import MembraneTable, ShapeTable
from ...schema.quantity_kinds import show
from ..context.draft import Draft
from ..context.names import EVERYWHERE


def read_area(draft: Draft, name: str, table: MembraneTable) -> None:
    """Read the area; where it follows the volume its value is the initial one."""
    path = ("membranes", name, "area")
    if draft.faults.is_faulty(*path):
        return
    shape = shape_of(table)
    if shape == "given":
        draft.quantities.read(path, str(table.area), quantity_kinds.AREA)
        return
    if name in draft.membranes() and draft.document.compartments[table.inside].bath:
        message = f"the area follows the volume of the inside, but {table.inside} is a bath, which has none"
        draft.faults.add(path, f'{message}; give the area (as "{quantity_kinds.AREA.example}")')
        return
    volume = draft.value("compartments", table.inside, "volume")
    if shape == "sphere":
        area = None if volume is None else (36.0 * math.pi) ** (1.0 / 3.0) * volume ** (2.0 / 3.0)
    else:
        assert isinstance(table.area, ShapeTable)
        length = draft.quantities.read((*path, "cylinder", "length"), table.area.cylinder.length, quantity_kinds.LENGTH)
        area = None if volume is None or length is None else 2.0 * math.sqrt(math.pi * length * volume)
    if area is not None:
        draft.quantities.values[path] = area


def shape_of(table: MembraneTable) -> str:
    """``given``, ``sphere`` or ``cylinder``."""
    if isinstance(table.area, ShapeTable):
        return "cylinder"
    return "sphere" if table.area == "sphere" else "given"


def read_water(draft: Draft, name: str, table: MembraneTable) -> None:
    """Read the water permeability of a membrane, its reflection coefficients and its wall."""
    path = ("membranes", name)
    permeability = (*path, "water_permeability")
    draft.quantities.read(permeability, table.water_permeability, quantity_kinds.WATER_PERMEABILITY, local=EVERYWHERE)
    passes = table.water_permeability is not None or draft.faults.is_faulty(*path, "water_permeability")
    solutes = _solutes(draft, name, table)
    for solute, raw in table.reflection.items():
        place = (*path, "reflection", solute)
        if solutes is not None and solute not in solutes and not draft.faults.is_faulty(*place):
            problem = f"neither {table.inside} nor {table.outside} has {solute}{did_you_mean(solute, solutes)}"
            draft.faults.add(place, f"{problem} (solutes at this membrane are {listed(solutes)})")
        draft.quantities.read(place, raw, quantity_kinds.REFLECTION)
    if table.wall is not None:
        wall = (*path, "wall")
        draft.quantities.read((*wall, "elastic_modulus"), table.wall.elastic_modulus, quantity_kinds.ELASTIC_MODULUS)
        slack = quantity_kinds.VOLUME.positive("a slack volume", quantity_kinds.VOLUME.example)
        draft.quantities.read((*wall, "slack_volume"), table.wall.slack_volume, slack)
        if name in draft.membranes() and not draft.faults.is_faulty("compartments", table.inside, "water"):
            water = draft.document.compartments[table.inside].water
            if water != "osmotic":
                problem = f"a wall needs an inside whose volume changes by osmosis, but {table.inside} has"
                draft.faults.add(wall, f'{problem} water = "{water}"; write water = "osmotic" there', spoils=False)
    for key, given in (("reflection", bool(table.reflection)), ("wall", table.wall is not None)):
        if given and not passes and not draft.faults.is_faulty(*path, key):
            message = 'has no effect without water_permeability; give it (as "2e-5 m/s")'
            draft.faults.add((*path, key), message, spoils=False)


def _solutes(draft: Draft, name: str, table: MembraneTable) -> list[str] | None:
    """Every solute on either side of a membrane; None where that is not known."""
    if name not in draft.membranes():
        return None
    solutes: dict[str, None] = {}
    for side in (table.inside, table.outside):
        for key in ("concentrations", "impermeants"):
            if draft.faults.is_faulty("compartments", side, key):
                return None
            solutes |= dict.fromkeys(getattr(draft.document.compartments[side], key))
            solutes |= dict.fromkeys(map(str, draft.faults.faulty_below("compartments", side, key)))
    return list(solutes)


def check_water(draft: Draft) -> None:
    """A volume that changes must be that of a compartment that water can reach."""
    faults = draft.faults
    uncertain = set(draft.membranes()) != set(draft.document.membranes) or faults.is_faulty_within("membranes")
    for name in draft.compartments():
        table, place = draft.document.compartments[name], ("compartments", name, "water")
        if table.water == "fixed" or faults.is_faulty(*place):
            continue
        if table.bath:
            message = f"a bath has no volume that could change, got {show(table.water)}"
            faults.add(place, f"{message}; leave it out")
        elif not uncertain and table.water == "osmotic":
            around = [m for m in draft.membranes().values() if name in (m.inside, m.outside)]
            if all(m.water_permeability is None for m in around):
                message = f"no membrane of {name} is permeable to water; give one a water_permeability"
                faults.add(place, f'{message} (as "2e-5 m/s"), or write water = "fixed"', spoils=False)
        elif not uncertain:
            beside = [
                b
                for m in draft.membranes().values()
                for a, b in ((m.inside, m.outside), (m.outside, m.inside))
                if a == name and draft.document.compartments[b].bath
            ]
            if not beside:
                message = f"{name} has no neighbouring bath that could determine its osmolarity"
                faults.add(place, f'{message}; write water = "osmotic" and give a water_permeability', spoils=False)
            elif not _has_solutes(draft, beside[0]):
                message = f"{beside[0]} has no solute, so {name} has no volume at which the osmolarities are equal"
                faults.add(place, message, spoils=False)


def _has_solutes(draft: Draft, bath: str) -> bool:
    """Whether a bath has any solute, as far as is known."""
    table, path = draft.document.compartments[bath], ("compartments", bath)
    held = [draft.value(*path, "concentrations", ion) for ion in table.concentrations]
    held += [draft.value(*path, "impermeants", solute, "concentration") for solute in table.impermeants]
    return any(value is None or value > 0 for value in held)
