"""Check names of compartments in the file."""

from __future__ import annotations

from collections.abc import Sequence

from ...schema.quantity_kinds import show
from ...text.faults import no_such
from ...text.key_lines import KeyPath
from .draft import Draft


def names_compartment(draft: Draft, place: KeyPath, name: str) -> bool:
    """Whether a name is that of a compartment without fault; reports it if there is none of that name."""
    every = draft.document.compartments
    if draft.faults.is_faulty(*place) or draft.faults.is_faulty("compartments", name):
        return False
    if name not in every:
        draft.faults.add(place, no_such("compartment", name, every))
        return False
    return True


def names_pair(draft: Draft, place: KeyPath, names: Sequence[str], example: str) -> bool:
    """Whether a list names two compartments without fault; reports what is wrong with it."""
    if draft.faults.is_faulty_within(*place):
        return False
    if len(names) != 2 or names[0] == names[1]:
        draft.faults.add(place, f"must name two compartments, as {example}, got {written(names)}")
        return False
    known = [names_compartment(draft, (*place, index), name) for index, name in enumerate(names)]
    return all(known)


def written(names: Sequence[str]) -> str:
    """As the file would write a list of names."""
    return "[" + ", ".join(show(name) for name in names[:6]) + ("" if len(names) <= 6 else ", …") + "]"
