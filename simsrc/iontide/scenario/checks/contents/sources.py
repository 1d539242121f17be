"""Checks of sources: species supplied to compartments, or removed, from outside of the model."""

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
    """Read every source: its compartment, its stoichiometry and its rate."""
    for name, table in draft.document.sources.items():
        if not draft.faults.is_faulty("sources", name):
            _read_source(draft, ("sources", name), table)


def _read_source(draft: Draft, path: KeyPath, table: SourceTable) -> None:
    faults, every = draft.faults, draft.document.compartments
    place = (*path, "into")
    if not names_compartment(draft, place, table.into):
        return
    if every[table.into].bath:
        faults.add(place, f"{table.into} is a bath, whose composition is fixed, so a source there has no effect")
        return
    _check_stoichiometry(draft, (*path, "stoichiometry"), table)
    draft.quantities.read(
        (*path, "rate"), table.rate, quantity_kinds.SUPPLY, local=compartment_names(draft, table.into)
    )


def _check_stoichiometry(draft: Draft, place: KeyPath, table: SourceTable) -> None:
    """The compartment must have every species supplied, and the supply must carry no net charge."""
    faults, held = draft.faults, draft.document.compartments[table.into].concentrations
    if faults.is_faulty_within(*place) or faults.is_faulty("compartments", table.into, "concentrations"):
        return
    if not table.stoichiometry:
        faults.add(place, "must name the species supplied (as { glucose = 1 }; negative counts are removed)")
        return
    for species, count in table.stoichiometry.items():
        if count == 0:
            faults.add((*place, species), "must not be 0; leave out species that are not supplied")
        elif not holds(draft, table.into, species) and not faults.is_faulty("species", species):
            message = f"{table.into} gives no concentration of {species}{did_you_mean(species, held)}"
            faults.add((*place, species), f'{message}; write {species} = "0 mM" there if there is none at the start')
    if not faults.is_faulty_within(*place) and table.stoichiometry.keys() <= draft.species.keys():
        charge = sum(count * draft.species[species].valence for species, count in table.stoichiometry.items())
        if charge:
            message = f"supplies a net charge of {signed(charge)}"
            faults.add(place, f"{message}; add the counter-ion, or use inject with carried_by in the protocol")
