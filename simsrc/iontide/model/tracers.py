"""What a tracer is: a labelled copy of a species, and where it starts from. How it moves is in ``tracing``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .fields import Quantity, placed
from .parts import Reaction

if TYPE_CHECKING:
    from .model import Model


@dataclass(frozen=True)
class Tracer:
    """A label on part of a species, as 24Na on Na: it goes where that goes and changes nothing.

    Attributes
    ----------
    name : str
        Neither that of a species nor of another tracer.
    of : tuple of str
        The species that may bear the label, one atom of it each: more than one where reactions hand it on, as from Ca
        to the buffer that binds it.
    shares : mapping of str to Quantity
        Share of these species that is labelled, 0 to 1, by compartment (0 where none is given): of a bath at any time,
        of a finite compartment at the start.
    """

    name: str
    of: tuple[str, ...]
    shares: Mapping[str, Quantity] = placed("share", default_factory=dict)


def labels_in(tracer: Tracer, reaction: Reaction) -> tuple[int, int]:
    """How many molecules that may bear the label a reaction takes, and how many it gives."""
    taken, given = reaction.reactants, reaction.products
    return sum(taken.get(name, 0) for name in tracer.of), sum(given.get(name, 0) for name in tracer.of)


def tracer_faults(model: Model) -> Iterator[str]:
    """What does not fit together in the tracers of a model, one sentence each."""
    if len({t.name for t in model.tracers}) < len(model.tracers):
        yield "two tracers bear the same name"
    for t in model.tracers:
        told = f"tracer {t.name}: "
        if t.name in model.species:
            yield f"{told}there is a species of that name"
        missing = [name for name in t.of if name not in model.species]
        yield from (f"{told}there is no species {name}" for name in missing or ([] if t.of else ["to be labelled"]))
        for c in t.shares:
            if c not in model.compartments:
                yield f"{told}there is no compartment {c}"
        for r in model.reactions:
            taken, given = labels_in(t, r)
            if taken != given:
                yield f"{told}the reaction {r.name} takes {taken} and gives {given} of {', '.join(t.of)}"
        for clamp in model.clamps:
            if clamp.carried_by in t.of:
                yield f"{told}the clamp {clamp.name} brings {clamp.carried_by}, which no tracer can follow yet"
        for held in model.ion_clamps:
            if held.species in t.of:
                yield f"{told}the clamp {held.name} brings {held.species}, which no tracer can follow yet"
