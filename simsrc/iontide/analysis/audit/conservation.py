"""Totals that a model conserves, from its structure alone; an audit checks that they do not change.

A *pool* is one species in all the finite compartments between which it can move. It is closed unless a bath, an
injection or a reaction supplies it; of closed pools that react with one another certain sums (CO2 + HCO3) are
conserved: the null space of the stoichiometry.

The stoichiometry is that of the model, not that of the tape, which is what is audited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np

from ...model.model import Clamp, Model
from ...numerics.grouping import connected_groups
from ...numerics.null_space import cancelling_combinations

#: The weights of a conserved sum are fractions with denominators up to this.
MOST_PARTS = 10_000

#: A reaction as the change of each pool in it, by the place of the pool.
Stoichiometry = Mapping["Pool", int]


@dataclass(frozen=True)
class Pool:
    """One species in the finite compartments that exchange it.

    Attributes
    ----------
    species : str
    compartments : tuple of str
    sources : tuple of str
        Baths, injections, and (where another source is there) reactions that supply or take it.
    """

    species: str
    compartments: tuple[str, ...]
    sources: tuple[str, ...]


def exchange_pools(model: Model) -> tuple[list[Pool], list[Stoichiometry]]:
    """All pools of a model, in its order, and its reactions as changes of pools."""
    groups = {(c, species): group for species in model.species for group in _groups(model, species) for c in group}
    pools: dict[tuple[str, str], Pool] = {}
    for (c, species), group in groups.items():
        finite = tuple(name for name in group if model.compartments[name].is_finite)
        if (c, species) in pools or not finite:
            continue
        sources = [name for name in group if not model.compartments[name].is_finite]
        sources += [
            f"injection {i.name}"
            for i in model.injections
            if i.carried_by == species and (i.compartment in finite) != (i.out_of in finite)
        ]
        sources += [
            f"ion clamp {held.name}"
            for held in model.ion_clamps
            if held.species == species and held.compartment in finite
        ]
        sources += [
            f"clamp {clamp.name}"
            for clamp in model.clamps
            if clamp.carried_by == species and _is_half_outside(model, clamp, finite)
        ]
        sources += [f"source {f.name}" for f in model.sources if species in f.stoichiometry and f.compartment in finite]
        if sources:
            sources += [
                f"reaction {r.name}"
                for r in model.reactions
                if r.compartment in finite and species in {*r.reactants, *r.products}
            ]
        pools |= dict.fromkeys(((name, species) for name in group), Pool(species, finite, tuple(sources)))
    reactions: list[Stoichiometry] = []
    for r in model.reactions:
        if not model.compartments[r.compartment].is_finite:
            continue
        reactions.append({pools[r.compartment, name]: count for name, count in r.change.items()})
    return list(dict.fromkeys(pools.values())), reactions


def _groups(model: Model, species: str) -> Iterator[tuple[str, ...]]:
    """Compartments joined by whatever moves a species; one where it only reacts or is injected is a group by itself."""
    joins = list(_joins(model, species))
    for group in connected_groups(dict.fromkeys(c for join in joins for c in join), joins):
        yield tuple(c for c in model.compartments if c in group)


def _joins(model: Model, species: str) -> Iterator[tuple[str, ...]]:
    """Compartments between which each process of a model moves a species, or the one in which it changes it."""
    for membrane in model.membranes.values():
        if any(species in p.stoichiometry for p in membrane.pathways):
            yield membrane.inside, membrane.outside
    for exchange in model.exchanges:
        if all(species in model.compartments[c].concentrations for c in (exchange.inside, exchange.outside)):
            yield exchange.inside, exchange.outside
    for source in model.sources:
        if species in source.stoichiometry:
            yield (source.compartment,)
    for reaction in model.reactions:
        if species in {*reaction.reactants, *reaction.products}:
            yield (reaction.compartment,)
    for injection in model.injections:
        if injection.carried_by == species:
            yield injection.compartment, injection.out_of or injection.compartment
    for clamp in model.ion_clamps:
        if clamp.species == species:
            yield (clamp.compartment,)
    for voltage_clamp in model.clamps:
        if voltage_clamp.carried_by == species:
            # What comes in on one side leaves on the other.
            membrane = model.membranes[voltage_clamp.membrane]
            yield membrane.inside, membrane.outside


def _is_half_outside(model: Model, clamp: Clamp, finite: tuple[str, ...]) -> bool:
    """Whether a clamp brings ions to these compartments that it does not take from one of them."""
    membrane = model.membranes[clamp.membrane]
    return (membrane.inside in finite) != (membrane.outside in finite)


def conserved_sums(closed: Sequence[Pool], reactions: Sequence[Stoichiometry]) -> list[dict[Pool, int]]:
    """Whole-number weights of closed pools whose sums no reaction changes, a basis of all such.

    Pools that do not react are sums by themselves. The products of reactions are eliminated first, so that the usual
    ``A + B ⇌ AB`` gives A + AB and B + AB rather than a difference.
    """
    made = {pool for change in reactions for pool, count in change.items() if count > 0}
    changes = np.array([[change.get(pool, 0) for change in reactions] for pool in closed], dtype=float)
    eliminated = sorted(range(len(closed)), key=lambda i: (closed[i] not in made, i))
    combinations = cancelling_combinations(changes.reshape(len(closed), len(reactions)), eliminated[::-1])
    sums = []
    for row in combinations:
        weights = [Fraction(weight).limit_denominator(MOST_PARTS) for weight in row]
        scale = lcm(*(w.denominator for w in weights))
        whole = {pool: int(w * scale) for pool, w in zip(closed, weights, strict=True) if w}
        divisor = gcd(*whole.values()) * (1 if next(iter(whole.values())) > 0 else -1)
        sums.append({pool: weight // divisor for pool, weight in whole.items()})
    place = {pool: i for i, pool in enumerate(closed)}
    return sorted(sums, key=lambda weights: [place[pool] for pool in weights])


def closed_water(model: Model) -> list[tuple[str, ...]]:
    """Groups of compartments that exchange water with one another and with nothing else."""
    leaky = ((m.inside, m.outside) for m in model.membranes.values() if m.water_permeability is not None)
    return [
        tuple(group)
        for group in connected_groups(model.compartments, leaky)
        if len(group) > 1
        and all(model.compartments[c].is_finite and model.compartments[c].water == "osmotic" for c in group)
    ]
