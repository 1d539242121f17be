"""Tracers: labelled species and their initial distribution. Fluxes are in ``equations.tracer_fluxes``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .fields import Quantity, placed
from .parts import Reaction

if TYPE_CHECKING:
    from .model import Model


_NOT_SUPPORTED = "tracers of a species supplied by a clamp are not supported"


@dataclass(frozen=True)
class Tracer:
    """A label on part of a species, such as 24Na on Na: it moves with the species and does not affect the model.

    Attributes
    ----------
    name : str
        Different from the names of species and of other tracers.
    of : tuple of str
        The species that may carry the label, one atom each: more than one if reactions transfer it, as from Ca to its
        complex with a buffer.
    shares : mapping of str to Quantity
        Labelled fraction of these species, 0 to 1, by compartment (0 if not given): of a bath at any time, of a finite
        compartment at the start.
    """

    name: str
    of: tuple[str, ...]
    shares: Mapping[str, Quantity] = placed("share", default_factory=dict)


def labels_in(tracer: Tracer, reaction: Reaction) -> tuple[int, int]:
    """Numbers of molecules that may carry the label among the reactants and among the products of a reaction."""
    reactants, products = reaction.reactants, reaction.products
    return sum(reactants.get(name, 0) for name in tracer.of), sum(products.get(name, 0) for name in tracer.of)


def tracer_faults(model: Model) -> Iterator[str]:
    """The inconsistencies in the tracers of a model, one sentence each."""
    if len({t.name for t in model.tracers}) < len(model.tracers):
        yield "two tracers have the same name"
    for t in model.tracers:
        prefix = f"tracer {t.name}: "
        if t.name in model.species:
            yield f"{prefix}there is a species of that name"
        missing = [name for name in t.of if name not in model.species]
        yield from (f"{prefix}there is no species {name}" for name in missing or ([] if t.of else ["to be labelled"]))
        for c in t.shares:
            if c not in model.compartments:
                yield f"{prefix}there is no compartment {c}"
        for r in model.reactions:
            consumed, produced = labels_in(t, r)
            if consumed != produced:
                yield f"{prefix}the reaction {r.name} consumes {consumed} and produces {produced} of {', '.join(t.of)}"
        for clamp in model.clamps:
            if clamp.carried_by in t.of:
                yield f"{prefix}the clamp {clamp.name} supplies {clamp.carried_by}; {_NOT_SUPPORTED}"
        for ion_clamp in model.ion_clamps:
            if ion_clamp.species in t.of:
                yield f"{prefix}the clamp {ion_clamp.name} supplies {ion_clamp.species}; {_NOT_SUPPORTED}"
