"""Checks of what is brought into compartments, or taken out of them, from outside of the model."""

from __future__ import annotations

from ....errors import did_you_mean
from ...schema import quantity_kinds
from ...schema.document import SourceTable
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from ..context.names import compartment_names
from ..context.references import names_compartment
from .solutions import holds
from .stoichiometry import signed


def read_sources(draft: Draft) -> None:
    """Read every source: where it leads, what it brings, and how fast."""
    for name, table in draft.document.sources.items():
        if not draft.faults.is_faulty("sources", name):
            _read_source(draft, ("sources", name), table)


def _read_source(draft: Draft, path: KeyPath, table: SourceTable) -> None:
    faults, every = draft.faults, draft.document.compartments
    place = (*path, "into")
    if not names_compartment(draft, place, table.into):
        return
    if every[table.into].bath:
        faults.add(place, f"{table.into} is a bath, which keeps its composition; what is brought there changes nothing")
        return
    _check_brings(draft, (*path, "stoichiometry"), table)
    draft.quantities.read(
        (*path, "rate"), table.rate, quantity_kinds.SUPPLY, local=compartment_names(draft, table.into)
    )


def _check_brings(draft: Draft, place: KeyPath, table: SourceTable) -> None:
    """What is brought must be held there, and carry no charge in all."""
    faults, held = draft.faults, draft.document.compartments[table.into].concentrations
    if faults.is_faulty_within(*place) or faults.is_faulty("compartments", table.into, "concentrations"):
        return
    if not table.stoichiometry:
        faults.add(place, "must name what is brought (as { glucose = 1 }; negative counts are taken out)")
        return
    for species, count in table.stoichiometry.items():
        if count == 0:
            faults.add((*place, species), "must not be 0; leave out what is not brought")
        elif not holds(draft, table.into, species) and not faults.is_faulty("species", species):
            told = f"{table.into} gives no concentration of {species}{did_you_mean(species, held)}"
            faults.add((*place, species), f'{told}; write {species} = "0 mM" there if there is none at the start')
    if not faults.is_faulty_within(*place) and table.stoichiometry.keys() <= draft.species.keys():
        charge = sum(count * draft.species[species].valence for species, count in table.stoichiometry.items())
        if charge:
            told = f"brings {signed(charge)} charge{'s' if abs(charge) > 1 else ''}, which nothing balances"
            faults.add(place, f"{told}; add the counter-ion, or use inject with carried_by in the protocol")
