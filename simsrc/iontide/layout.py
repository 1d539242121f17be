"""Which numbers of a model are states, and in which order: amounts, volumes, gates, potentials.

An amount is a state where its compartment is finite and some pathway moves it. A potential is a state where its
compartment is not a ground: grounds are the baths, and in a part of the model that has no bath the compartment that
the file names last. Amounts come first because the linear algebra then needs no pivoting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .model import Membrane, Model

#: Scale of a potential, V, and the fraction of a scale below which an absolute tolerance holds.
POTENTIAL_SCALE = 0.1
ABSOLUTE_FRACTION = 0.01


@dataclass(frozen=True)
class Layout:
    """The state vector of a model.

    Attributes
    ----------
    compartments : tuple of str
        All of the model. (Not the model itself: what is kept for a model must not keep it alive.)
    amounts : tuple of (compartment, species)
    volumes : tuple of str
        Compartments whose volume is a state.
    gates : tuple of (membrane, pathway, gate)
    potentials : tuple of str
        Compartments whose potential is free.
    charges : bool
        Whether the states of ``potentials`` are their charges (C) and not their potentials (V): so wherever an area
        or a capacitance changes, since then it is charge that is conserved.
    """

    compartments: tuple[str, ...]
    amounts: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...]
    gates: tuple[tuple[str, str, str], ...]
    potentials: tuple[str, ...]
    charges: bool

    @property
    def size(self) -> int:
        return len(self.amounts) + len(self.volumes) + len(self.gates) + len(self.potentials)

    @property
    def nonnegative(self) -> int:
        """How many states, the first ones, must not become negative."""
        return len(self.amounts) + len(self.volumes)

    @cached_property
    def amount_index(self) -> dict[tuple[str, str], int]:
        return {key: i for i, key in enumerate(self.amounts)}

    @cached_property
    def volume_index(self) -> dict[str, int]:
        return {name: len(self.amounts) + i for i, name in enumerate(self.volumes)}

    @cached_property
    def gate_index(self) -> dict[tuple[str, str, str], int]:
        return {key: self.nonnegative + i for i, key in enumerate(self.gates)}

    @cached_property
    def potential_index(self) -> dict[str, int]:
        return {name: self.nonnegative + len(self.gates) + i for i, name in enumerate(self.potentials)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each state, as messages use it: ``amount of K in cell``."""
        last = "charge" if self.charges else "potential"
        return (
            *(f"amount of {s} in {c}" for c, s in self.amounts),
            *(f"volume of {c}" for c in self.volumes),
            *(f"gate {g} of {p.split('.', 1)[1]} in {m}" for m, p, g in self.gates),
            *(f"{last} of {c}" for c in self.potentials),
        )

    def scales(self, values: Mapping[str, float], capacities: Mapping[str, float] | None = None) -> list[float]:
        """Natural size of each state.

        For an amount its start, or (where it starts near nothing) a thousandth of the most concentrated
        compartment's, times the volume; for a volume its start; 1 for a gate; 100 mV for a potential, and that
        times the capacitance around the compartment (``capacities``, F; needed only where charges are states).
        """
        scales = []
        for compartment, name in self.amounts:
            own = values[f"compartments.{compartment}.initial_concentrations.{name}"]
            # Of a bath the concentrations, of a finite compartment those at its start; a bath's may be moving.
            most = max(
                values.get(f"compartments.{c}.{key}.{name}", 0.0)
                for c in self.compartments
                for key in ("initial_concentrations", "concentrations")
            )
            size = max(own, 1e-3 * most) or 1.0
            scales.append(size * values[f"compartments.{compartment}.initial_volume"])
        scales += [values[f"compartments.{c}.initial_volume"] for c in self.volumes]
        scales += [1.0] * len(self.gates)
        if self.charges:
            assert capacities is not None
            return scales + [POTENTIAL_SCALE * capacities[c] for c in self.potentials]
        return scales + [POTENTIAL_SCALE] * len(self.potentials)


def lay_out(model: Model) -> Layout:
    """Choose the states of a model."""
    moved = {
        (side, name)
        for membrane in model.membranes.values()
        for pathway in membrane.pathways
        for name in pathway.moves
        for side in (membrane.inside, membrane.outside)
    }
    moved |= {(r.compartment, name) for r in model.reactions for name in (*r.reactants, *r.products)}
    moved |= {(c, name) for e in model.exchanges for c in (e.inside, e.outside) for name in model.species}
    moved |= {(i.compartment, i.carried_by) for i in model.injections if i.carried_by}
    amounts = tuple(
        (c.name, name)
        for c in model.compartments.values()
        if c.is_finite
        for name in c.concentrations
        if (c.name, name) in moved
    )
    volumes = tuple(c.name for c in model.compartments.values() if c.water == "osmotic")
    gates = tuple(
        (m.name, p.name, g.name) for m in model.membranes.values() for p in m.pathways for g in p.gates if g.is_state
    )
    grounded = grounds(model)
    joined = {side for m in model.membranes.values() for side in (m.inside, m.outside)}
    potentials = tuple(c for c in model.compartments if c in joined and c not in grounded)
    charges = any(model.changes(q) for m in model.membranes.values() for q in (m.area, m.specific_capacitance)) or any(
        m.geometry != "given" and model.compartments[m.inside].water != "fixed" for m in model.membranes.values()
    )
    return Layout(tuple(model.compartments), amounts, volumes, gates, potentials, charges)


def grounds(model: Model) -> set[str]:
    """Compartments whose potential is 0 by definition, at least one in every connected part of the model."""
    grounded = {c.name for c in model.compartments.values() if c.kind == "bath"}
    for part in connected_parts(model):
        if not grounded & set(part):
            grounded.add(part[-1])
    return grounded


def connected_parts(model: Model) -> list[list[str]]:
    """Compartments grouped by the membranes that join them, in the order of the model."""
    part = {name: {name} for name in model.compartments}
    for membrane in model.membranes.values():
        a, b = part[membrane.inside], part[membrane.outside]
        if a is not b:
            a |= b
            for name in b:
                part[name] = a
    unique = {id(p): p for p in part.values()}
    return [[name for name in model.compartments if name in p] for p in unique.values()]


def membranes_of(model: Model, compartment: str) -> list[tuple[Membrane, int]]:
    """Membranes that border a compartment, with +1 where it is the inside and −1 where it is the outside."""
    return [
        (m, 1 if m.inside == compartment else -1)
        for m in model.membranes.values()
        if compartment in (m.inside, m.outside)
    ]
