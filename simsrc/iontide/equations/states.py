"""The state vector of a model: amounts, volumes, tracers, gates, supplies of clamps, potentials, in this order.

An amount is a state where its compartment is finite and some pathway moves it. A potential is a state where its
compartment is not a ground: grounds are the baths, and in a part of the model that has no bath the compartment that
the file names last. Amounts come first, and the potentials that have no capacitance last, because the linear algebra
then needs no pivoting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from types import MappingProxyType
from typing import Any

from ..model.circuit import floating_parts, grounds
from ..model.model import Clamp, Model
from ..symbolic.expression import maximum, where

#: Scale of a potential, V, and the fraction of a scale below which an absolute tolerance holds.
POTENTIAL_SCALE = 0.1
ABSOLUTE_FRACTION = 0.01


@dataclass(frozen=True)
class Layout:
    """The state vector of a model.

    Attributes
    ----------
    compartments : tuple of str
        All of the model. (Not the model itself: what is cached for a model must not keep it alive.)
    amounts : tuple of (compartment, species)
    volumes : tuple of str
        Compartments whose volume is a state.
    tracers : tuple of (compartment, tracer, species)
        Amounts of labelled species.
    gates : tuple of (membrane, pathway, gate)
    supplies : tuple of str
        Clamps, each with what it has brought in since the start as its state: charge (C), or amount of an ion (mol).
    potentials : tuple of str
        Compartments whose potential is free, those in ``floats`` last.
    floats : mapping of str to tuple of str
        The floating parts of the model (see ``model.circuit``) by the compartment whose potential represents the whole:
        it is algebraic, the root of the net current into the part.
    charges : bool
        Whether the states of ``potentials`` are their charges (C) and not their potentials (V): so wherever an area
        or a capacitance changes, since then it is charge that is conserved. Those in ``floats`` are potentials always.
    """

    compartments: tuple[str, ...]
    amounts: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...]
    tracers: tuple[tuple[str, str, str], ...]
    gates: tuple[tuple[str, str, str], ...]
    supplies: tuple[str, ...]
    potentials: tuple[str, ...]
    floats: Mapping[str, tuple[str, ...]]
    charges: bool

    @property
    def size(self) -> int:
        return self.nonnegative + len(self.gates) + len(self.supplies) + len(self.potentials)

    @property
    def nonnegative(self) -> int:
        """Number of the states, the first ones, that must not become negative."""
        return len(self.amounts) + len(self.volumes) + len(self.tracers)

    @cached_property
    def amount_index(self) -> dict[tuple[str, str], int]:
        return {key: i for i, key in enumerate(self.amounts)}

    @cached_property
    def volume_index(self) -> dict[str, int]:
        return {name: len(self.amounts) + i for i, name in enumerate(self.volumes)}

    @cached_property
    def tracer_index(self) -> dict[tuple[str, str, str], int]:
        return {key: len(self.amounts) + len(self.volumes) + i for i, key in enumerate(self.tracers)}

    @cached_property
    def gate_index(self) -> dict[tuple[str, str, str], int]:
        return {key: self.nonnegative + i for i, key in enumerate(self.gates)}

    @cached_property
    def supply_index(self) -> dict[str, int]:
        return {name: self.nonnegative + len(self.gates) + i for i, name in enumerate(self.supplies)}

    @cached_property
    def potential_index(self) -> dict[str, int]:
        return {name: self.size - len(self.potentials) + i for i, name in enumerate(self.potentials)}

    @cached_property
    def floating_part(self) -> dict[str, str]:
        """The compartment that represents the floating part of each compartment that is in one."""
        return {name: root for root, part in self.floats.items() for name in part}

    def holds_charge(self, compartment: str) -> bool:
        """Whether the state of a free compartment is its charge and not its potential."""
        return self.charges and compartment not in self.floats

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each state, as messages use it: ``amount of K in cell``."""
        return (
            *(f"amount of {s} in {c}" for c, s in self.amounts),
            *(f"volume of {c}" for c in self.volumes),
            *(f"amount of {t} (as {s}) in {c}" for c, t, s in self.tracers),
            *(f"gate {g} of {p.split('.', 1)[1]} in {m}" for m, p, g in self.gates),
            *(f"supply of the {c.replace('_', ' ', 1)}" for c in self.supplies),
            *(f"{'charge' if self.holds_charge(c) else 'potential'} of {c}" for c in self.potentials),
        )

    def scales(
        self,
        values: Mapping[str, float],
        capacities: Mapping[str, float] = MappingProxyType({}),
        supplied: Mapping[str, float] = MappingProxyType({}),
    ) -> list[Any]:
        """Natural size of each state.

        For an amount its start, or (where it starts near nothing) a thousandth of the most concentrated
        compartment's, times the volume; for a tracer that, times its largest share at the start; for a volume its
        start; 1 for a gate; 100 mV for a potential, and that times the capacitance around the compartment
        (``capacities``, F) where its charge is the state; for the supply of a clamp that in ``supplied`` (C or mol).
        """
        scales = []
        for compartment, name in self.amounts:
            initial = values[f"compartments.{compartment}.initial_concentrations.{name}"]
            # Of a bath the concentrations, of a finite compartment those at its start; a bath's may be moving.
            most = reduce(
                maximum,
                (
                    values.get(f"compartments.{c}.{key}.{name}", 0.0)
                    for c in self.compartments
                    for key in ("initial_concentrations", "concentrations")
                ),
            )
            size = maximum(initial, 1e-3 * most)
            size = where(size == 0.0, 1.0, size)
            scales.append(size * values[f"compartments.{compartment}.initial_volume"])
        scales += [values[f"compartments.{c}.initial_volume"] for c in self.volumes]
        for compartment, tracer, name in self.tracers:
            most = reduce(maximum, (values.get(f"tracers.{tracer}.share.{c}", 0.0) for c in self.compartments))
            scales.append(scales[self.amount_index[compartment, name]] * where(most == 0.0, 1.0, most))
        scales += [1.0] * len(self.gates)
        scales += [supplied[name] for name in self.supplies]
        return scales + [POTENTIAL_SCALE * (capacities[c] if self.holds_charge(c) else 1.0) for c in self.potentials]


def carriers_of(model: Model, clamp: Clamp) -> list[tuple[str, str, int]]:
    """Finite compartments whose ion carries the current of a clamp: +1 where it comes in, −1 where it leaves."""
    membrane = model.membranes[clamp.membrane]
    return [
        (side, clamp.carried_by, sign)
        for side, sign in ((membrane.inside, 1), (membrane.outside, -1))
        if clamp.carried_by is not None and model.compartments[side].is_finite
    ]


def lay_out(model: Model) -> Layout:
    """Choose the states of a model."""
    moved = {
        (side, name)
        for membrane in model.membranes.values()
        for pathway in membrane.pathways
        for name in pathway.stoichiometry
        for side in (membrane.inside, membrane.outside)
    }
    moved |= {(r.compartment, name) for r in model.reactions for name in (*r.reactants, *r.products)}
    moved |= {(f.compartment, name) for f in model.sources for name in f.stoichiometry}
    moved |= {(c, name) for e in model.exchanges for c in (e.inside, e.outside) for name in model.species}
    moved |= {(c, i.carried_by) for i in model.injections if i.carried_by for c in (i.compartment, i.out_of) if c}
    moved |= {(c, name) for clamp in model.clamps for c, name, _ in carriers_of(model, clamp)}
    moved |= {(clamp.compartment, clamp.species) for clamp in model.ion_clamps}
    amounts = tuple(
        (c.name, name)
        for c in model.compartments.values()
        if c.is_finite
        for name in c.concentrations
        if (c.name, name) in moved
    )
    volumes = tuple(c.name for c in model.compartments.values() if c.water == "osmotic")
    tracers = tuple((c, t.name, s) for t in model.tracers for s in t.of for c, name in amounts if name == s)
    gates = tuple(
        (m.name, p.name, g.name) for m in model.membranes.values() for p in m.pathways for g in p.gates if g.is_state
    )
    grounded = grounds(model)
    floats = {part[-1]: tuple(part) for part in floating_parts(model)}
    joined = {side for m in model.membranes.values() for side in (m.inside, m.outside)}
    free = [c for c in model.compartments if c in joined and c not in grounded]
    charges = any(model.changes(q) for m in model.membranes.values() for q in (m.area, m.specific_capacitance)) or any(
        m.geometry != "given" and model.compartments[m.inside].water != "fixed" for m in model.membranes.values()
    )
    return Layout(
        compartments=tuple(model.compartments),
        amounts=amounts,
        volumes=volumes,
        tracers=tracers,
        gates=gates,
        supplies=tuple(clamp.name for clamp in model.every_clamp),
        potentials=(*(c for c in free if c not in floats), *floats),
        floats=floats,
        charges=charges,
    )
