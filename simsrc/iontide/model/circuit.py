"""The model as an electric circuit: connected compartments, grounds, and floating parts.

Compartments connected by capacitances form a *capacitive part*: potential differences within it are states, because
charging a capacitance takes time. A capacitive part without a ground *floats*: no capacitance connects it to the rest,
so its potential as a whole is always the one at which the net current into the part is zero. A compartment that borders
on no capacitance is a part by itself.
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
    """Compartments grouped by the membranes that connect them electrically, in the order of the model."""
    conducting = (m for m in model.membranes.values() if m.has_capacitance or carries_charge(model, m))
    return connected_groups(model.compartments, ((m.inside, m.outside) for m in conducting))


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
    bordering = {side for m in model.membranes.values() for side in (m.inside, m.outside)}
    return [part for part in parts if bordering & set(part) and not grounded & set(part)]


def capacitances_from_ground(model: Model, grounded: Iterable[str]) -> dict[str, int]:
    """Number of capacitances between each compartment and the nearest of these; unconnected ones are left out."""
    distance = dict.fromkeys(grounded, 0)
    queue = list(distance)
    while queue:
        here = queue.pop(0)
        for membrane, _ in membranes_of(model, here):
            there = membrane.outside if membrane.inside == here else membrane.inside
            if membrane.has_capacitance and there not in distance:
                distance[there] = distance[here] + 1
                queue.append(there)
    return distance


def membranes_of(model: Model, compartment: str) -> list[tuple[Membrane, int]]:
    """Membranes that border a compartment, with +1 where it is the inside and −1 where it is the outside."""
    return [
        (m, 1 if m.inside == compartment else -1)
        for m in model.membranes.values()
        if compartment in (m.inside, m.outside)
    ]
