"""Which numbers of a model are states, and in which order: amounts first, potentials last.

An amount is a state where its compartment is finite and some pathway moves it. A potential is a state where its
compartment is not a ground: grounds are the baths, and in a part of the model that has no bath the compartment that
the file names last. Amounts come first because the linear algebra then needs no pivoting.
"""

from __future__ import annotations

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
    model : Model
    amounts : tuple of (compartment, species)
    potentials : tuple of str
        Compartments whose potential is a state.
    """

    model: Model
    amounts: tuple[tuple[str, str], ...]
    potentials: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.amounts) + len(self.potentials)

    @cached_property
    def amount_index(self) -> dict[tuple[str, str], int]:
        return {key: i for i, key in enumerate(self.amounts)}

    @cached_property
    def potential_index(self) -> dict[str, int]:
        return {name: len(self.amounts) + i for i, name in enumerate(self.potentials)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each state, as messages use it: ``amount of K in cell``."""
        return tuple(f"amount of {s} in {c}" for c, s in self.amounts) + tuple(
            f"potential of {c}" for c in self.potentials
        )

    def scales(self, values: dict[str, float]) -> list[float]:
        """Natural size of each state: 100 mV for a potential; for an amount its start, or (where it starts near
        nothing) a thousandth of the most concentrated compartment's, times the volume."""
        scales = []
        for compartment, name in self.amounts:
            path = f"compartments.{compartment}"
            own = values[f"{path}.concentrations.{name}"]
            most = max(
                values[f"compartments.{c.name}.concentrations.{name}"]
                for c in self.model.compartments.values()
                if name in c.concentrations
            )
            scales.append((max(own, 1e-3 * most) or 1.0) * values[f"{path}.volume"])
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
    amounts = tuple(
        (c.name, name)
        for c in model.compartments.values()
        if c.is_finite
        for name in c.concentrations
        if (c.name, name) in moved
    )
    grounded = grounds(model)
    joined = {side for m in model.membranes.values() for side in (m.inside, m.outside)}
    potentials = tuple(c for c in model.compartments if c in joined and c not in grounded)
    return Layout(model, amounts, potentials)


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
