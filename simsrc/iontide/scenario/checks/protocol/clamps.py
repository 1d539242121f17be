"""Clamps in a protocol: membranes held at a potential, ions held at a concentration."""

from __future__ import annotations

from collections.abc import Iterator

from ....errors import listed
from ....formulas.formula import parse_formula
from ....model.model import Clamp, Hold, IonClamp
from ...schema import quantity_kinds
from ...schema.protocol import ClampTable
from ...text.faults import no_such
from ...text.key_lines import KeyPath
from ..contents.solutions import absent, holds
from ..context.draft import Draft
from ..context.names import EVERYWHERE
from ..context.potentials import Tied
from ..context.references import names_compartment

_NEEDS = "a clamp needs a membrane and its potential, or a compartment, an ion and its concentration"


def read_clamp(draft: Draft, path: KeyPath, table: ClampTable) -> None:
    """Read the clamp of one entry of the protocol."""
    faults, place = draft.faults, (*path, "clamp")
    given = {key for key in ("membrane", "compartment") if getattr(table, key) is not None}
    given |= {key for key in ("membrane", "compartment") if faults.is_faulty(*place, key)}
    if len(given) == 2:
        faults.add(place, f"{_NEEDS}; got both membrane and compartment", spoils=False)
    elif not given:
        faults.add(place, f"{_NEEDS}; got neither membrane nor compartment", spoils=False)
    elif given == {"membrane"}:
        _read_membrane(draft, place, table)
    else:
        _read_ion(draft, place, table)


def _read_membrane(draft: Draft, place: KeyPath, table: ClampTable) -> None:
    faults, every = draft.faults, draft.document.membranes
    _refuse(draft, place, table, ("ion", "concentration"), "applies only to an ion clamp, which has a compartment")
    if table.potential is None and not faults.is_faulty(*place, "potential"):
        faults.add(
            (*place, "potential"), f'missing; a voltage clamp needs a potential (as "{quantity_kinds.HELD.example}")'
        )
    draft.quantities.read((*place, "potential"), table.potential, quantity_kinds.HELD, local=EVERYWHERE)
    draft.quantities.read((*place, "series_resistance"), table.series_resistance, quantity_kinds.RESISTANCE)
    name = table.membrane
    if name is None or faults.is_faulty(*place, "membrane") or faults.is_faulty("membranes", name):
        return
    if name not in every:
        if name in draft.document.diffusion:
            message = f"{name} is electrodiffusion within one medium, which cannot be clamped"
            faults.add((*place, "membrane"), f"{message} (membranes are {listed(every)})")
        else:
            faults.add((*place, "membrane"), no_such("membrane", name, every))
        return
    sides = (every[name].inside, every[name].outside)
    ion = table.carried_by
    if ion is None or name not in draft.membranes() or faults.is_faulty("species", ion):
        return
    for side in sides:
        if not holds(draft, side, ion) and not faults.is_faulty("compartments", side, "concentrations"):
            faults.add((*place, "carried_by"), absent(draft, side, ion))
            return
    if ion in draft.species and draft.species[ion].valence == 0:
        faults.add((*place, "carried_by"), f"{ion} has no charge, so it carries no current")


def _read_ion(draft: Draft, place: KeyPath, table: ClampTable) -> None:
    faults, every = draft.faults, draft.document.compartments
    keys = ("potential", "series_resistance", "carried_by")
    _refuse(draft, place, table, keys, "applies only to a voltage clamp, which has a membrane")
    for key, kind in (
        ("ion", "an ion"),
        ("concentration", f'a concentration (as "{quantity_kinds.CONCENTRATION.example}")'),
    ):
        if getattr(table, key) is None and not faults.is_faulty(*place, key):
            faults.add((*place, key), f"missing; an ion clamp needs {kind}")
    draft.quantities.read(
        (*place, "concentration"), table.concentration, quantity_kinds.CONCENTRATION, local=EVERYWHERE
    )
    name, ion = table.compartment, table.ion
    if name is None or not names_compartment(draft, (*place, "compartment"), name):
        return
    if every[name].bath:
        message = f"{name} is a bath, whose concentrations are fixed; change them"
        faults.add((*place, "compartment"), f'{message} by set = {{ "compartments.{name}.{ion}" = … }}')
    elif ion is not None and not faults.is_faulty("species", ion) and not holds(draft, name, ion):
        faults.add((*place, "ion"), absent(draft, name, ion))


def _refuse(draft: Draft, place: KeyPath, table: ClampTable, keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        if getattr(table, key) is not None:
            draft.faults.add((*place, key), f"{key} {why}; leave it out")


def check_clamps(draft: Draft) -> None:
    """Entries that clamp the same thing must agree, and clamps of other membranes must not fix its potential."""
    first: dict[str, tuple[int, ClampTable]] = {}
    tied = Tied(draft.compartments())
    grounds = [name for name in draft.compartments() if draft.kind_of(name) == "bath"]
    for ground in grounds[1:]:
        tied.tie(ground, grounds[0], 0.0)
    for index, table in clamp_tables(draft):
        path = ("protocol", index, "clamp")
        if draft.faults.is_faulty_within(*path) or table.membrane is None:
            continue
        if table.membrane in first:
            before, other = first[table.membrane]
            for key in ("carried_by", "series_resistance"):
                was = getattr(other, key)
                if getattr(table, key) != was:
                    setting = f'{key} = "{was}"' if was else f"no {key}"
                    message = f"must be as in protocol.{before}, which clamps {table.membrane} too with {setting}"
                    draft.faults.add((*path, key), message)
            continue
        first[table.membrane] = (index, table)
        sides = draft.membranes().get(table.membrane)
        if table.series_resistance is not None or sides is None:
            continue
        if tied.tie(sides.inside, sides.outside, 0.0) is not None:
            message = f"the potential of {table.membrane} is determined by the other clamps and grounds already"
            draft.faults.add((*path, "membrane"), f"{message}; clamp it through a series_resistance")


def clamp_tables(draft: Draft) -> Iterator[tuple[int, ClampTable]]:
    """The clamps of the protocol, by the number of their entry."""
    for index, entry in enumerate(draft.document.protocol):
        if entry.clamp is not None:
            yield index, entry.clamp


def clamp_name(table: ClampTable) -> str:
    """``plasma``, or ``cell.Na`` for an ion: no membrane can have a dot in its name."""
    return table.membrane if table.membrane is not None else f"{table.compartment}.{table.ion}"


def switch_of(draft: Draft, index: int) -> str:
    """The parameter that is 1 while the clamp of an entry of the protocol is on, else 0."""
    tables = dict(clamp_tables(draft))
    name = clamp_name(tables[index])
    number = sum(clamp_name(table) == name for i, table in tables.items() if i <= index)
    return f"clamps.{name}.hold_{number}"


def switches(draft: Draft, index: int) -> dict[str, float]:
    """Values of the switches during an entry: on for its own clamp, off for earlier entries of the same clamp."""
    tables = dict(clamp_tables(draft))
    name = clamp_name(tables[index])
    earlier = [i for i, table in tables.items() if i < index and clamp_name(table) == name]
    return {switch_of(draft, i): 0.0 for i in earlier} | {switch_of(draft, index): 1.0}


def build_clamps(draft: Draft) -> tuple[tuple[Clamp, ...], tuple[IonClamp, ...]]:
    """The clamps of a draft without faults."""
    quantities = draft.quantities.quantities
    grouped: dict[str, list[int]] = {}
    tables = dict(clamp_tables(draft))
    for index, table in tables.items():
        grouped.setdefault(clamp_name(table), []).append(index)
    voltage, ions = [], []
    for name, indices in grouped.items():
        table = tables[indices[0]]
        key = "potential" if table.membrane is not None else "concentration"
        held = tuple(Hold(parse_formula(switch_of(draft, i)), quantities["protocol", i, "clamp", key]) for i in indices)
        if table.membrane is not None:
            resistance = quantities.get(("protocol", indices[0], "clamp", "series_resistance"))
            voltage.append(Clamp(name, table.membrane, held, table.carried_by, resistance))
        elif table.compartment is not None and table.ion is not None:
            ions.append(IonClamp(name, table.compartment, table.ion, held))
    return tuple(voltage), tuple(ions)
