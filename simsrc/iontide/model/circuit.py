"""The model as an electric circuit: what is joined to what, where the ground is, and what floats.

Compartments that capacitances join form a *capacitive part*: within one, differences of potential are states, for
charge takes time to move. A capacitive part that holds no ground *floats*: its potential as a whole has no capacitance
to charge, so it is at every moment that at which the net current into the part is zero. A compartment that borders on
no capacitance at all is a part of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..numerics.grouping import connected_groups
from .model import Membrane, Model


def carries_charge(model: Model, membrane: Membrane) -> bool:
    """Whether some pathway of a membrane carries a current."""
    return any(
        sum(count * model.species[name].valence for name, count in p.stoichiometry.items()) != 0
        for p in membrane.pathways
    )


def connected_parts(model: Model) -> list[list[str]]:
    """Compartments grouped by the membranes that join them electrically, in the order of the model."""
    joins = (m for m in model.membranes.values() if m.has_capacitance or carries_charge(model, m))
    return connected_groups(model.compartments, ((m.inside, m.outside) for m in joins))


def grounds(model: Model) -> set[str]:
    """Compartments whose potential is 0 by definition, at least one in every connected part of the model."""
    grounded = {c.name for c in model.compartments.values() if c.kind == "bath"}
    for part in connected_parts(model):
        if not grounded & set(part):
            grounded.add(part[-1])
    return grounded


def floating_parts(model: Model) -> list[list[str]]:
    """Capacitive parts without a ground, each in the order of the model."""
    grounded = grounds(model)
    capacitive = ((m.inside, m.outside) for m in model.membranes.values() if m.has_capacitance)
    parts = connected_groups(model.compartments, capacitive)
    joined = {side for m in model.membranes.values() for side in (m.inside, m.outside)}
    return [part for part in parts if joined & set(part) and not grounded & set(part)]


def capacitances_from_ground(model: Model, grounded: Iterable[str]) -> dict[str, int]:
    """How many capacitances lie between each compartment and the nearest of these; those that none joins left out."""
    distance = dict.fromkeys(grounded, 0)
    coming = list(distance)
    while coming:
        here = coming.pop(0)
        for membrane, _ in membranes_of(model, here):
            there = membrane.outside if membrane.inside == here else membrane.inside
            if membrane.has_capacitance and there not in distance:
                distance[there] = distance[here] + 1
                coming.append(there)
    return distance


def membranes_of(model: Model, compartment: str) -> list[tuple[Membrane, int]]:
    """Membranes that border a compartment, with +1 where it is the inside and −1 where it is the outside."""
    return [
        (m, 1 if m.inside == compartment else -1)
        for m in model.membranes.values()
        if compartment in (m.inside, m.outside)
    ]
