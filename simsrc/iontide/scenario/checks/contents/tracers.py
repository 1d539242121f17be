"""Checks of tracers: what is labelled, and where."""

from __future__ import annotations

from ....errors import did_you_mean, listed
from ....model.tracers import Tracer
from ...schema import quantity_kinds
from ...schema.document import TracerTable
from ...text.faults import no_such
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from .reactions import equation_of
from .solutions import holds


def read_tracers(draft: Draft) -> None:
    """Read every tracer: the species that it labels, and the labelled share in each compartment."""
    for name, table in draft.document.tracers.items():
        if draft.faults.is_faulty("tracers", name):
            continue
        if name in draft.species:
            message = f"{name} is a species already; a tracer needs a different name"
            draft.faults.add(("tracers", name), message, spoils=False)
        _read_tracer(draft, ("tracers", name), table)


def _read_tracer(draft: Draft, path: KeyPath, table: TracerTable) -> None:
    faults, every, place = draft.faults, draft.document.compartments, (*path, "of")
    if not faults.is_faulty(*place):
        if not table.of:
            faults.add(place, 'must name the labelled species (as "Na")')
        for name in table.of:
            if name not in draft.species and not faults.is_faulty_within("compartments"):
                message = f"no compartment holds {name}{did_you_mean(name, draft.species)}"
                faults.add(place, f"{message} (species are {listed(draft.species)})")
    for c, raw in table.share.items():
        here = (*path, "share", c)
        if c not in every and not faults.is_faulty("compartments", c):
            faults.add(here, no_such("compartment", c, every))
            continue
        labelled = faults.is_faulty_within(*place) or faults.is_faulty("compartments", c, "concentrations")
        if not labelled and not any(holds(draft, c, name) for name in table.of):
            faults.add(here, f"{c} gives no concentration of {' or '.join(table.of)}")
        draft.quantities.read(here, raw, quantity_kinds.SHARE)
    if not faults.is_faulty_within(*place):
        _check_label_is_conserved(draft, place, table.of)


def _check_label_is_conserved(draft: Draft, place: KeyPath, of: list[str]) -> None:
    """Reactions must pass the label on to labelled species, and a labelled ion must not be injected by a clamp."""
    for name, table in draft.document.reactions.items():
        sides = None if draft.faults.is_faulty_within("reactions", name) else equation_of(table.equation)
        if sides is None:
            continue
        taken, given = (sum(side.get(species, 0) for species in of) for side in sides)
        if taken != given:
            more = [x for x in sides[taken > given] if x not in of]
            message = f"the reaction {name} consumes {taken} and produces {given} of {', '.join(of)}"
            hint = f'; name all species that carry it, as of = ["{of[0]}", "{more[0]}"]' if more else ""
            draft.faults.add(place, f"{message}, so the label is not conserved{hint}")
            return
    for entry in draft.document.protocol:
        clamp = entry.clamp
        injected = None if clamp is None else clamp.carried_by or clamp.ion
        if injected in of:
            draft.faults.add(place, f"a clamp of the protocol injects {injected}, which tracers do not support yet")
            return


def build_tracers(draft: Draft) -> tuple[Tracer, ...]:
    """The tracers of a draft without faults."""
    return tuple(
        Tracer(
            name,
            tuple(dict.fromkeys(table.of)),
            {c: draft.quantities.quantities["tracers", name, "share", c] for c in table.share},
        )
        for name, table in draft.document.tracers.items()
    )
