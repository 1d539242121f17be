"""Which totals a model keeps, from its structure alone: what its audit must find unchanged.

A *pool* is one species in all the finite compartments between which it can move. It is closed unless a bath, an
injection or a reaction supplies it; closed pools that react with one another keep certain sums (CO2 + HCO3), which are
the null space of the stoichiometry, found in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from ...model.model import Clamp, Model

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
    """Compartments joined by whatever moves a species; those where it reacts or is injected stand alone if need be."""
    part: dict[str, set[str]] = {}

    def join(*names: str) -> None:
        joined = set(names).union(*(part.get(name, ()) for name in names))
        part.update(dict.fromkeys(joined, joined))

    for membrane in model.membranes.values():
        if any(species in p.stoichiometry for p in membrane.pathways):
            join(membrane.inside, membrane.outside)
    for exchange in model.exchanges:
        if all(species in model.compartments[c].concentrations for c in (exchange.inside, exchange.outside)):
            join(exchange.inside, exchange.outside)
    for source in model.sources:
        if species in source.stoichiometry:
            join(source.compartment)
    for reaction in model.reactions:
        if species in {*reaction.reactants, *reaction.products}:
            join(reaction.compartment)
    for injection in model.injections:
        if injection.carried_by == species:
            join(injection.compartment, injection.out_of or injection.compartment)
    for held in model.ion_clamps:
        if held.species == species:
            join(held.compartment)
    for clamp in model.clamps:
        if clamp.carried_by == species:
            # What comes in on one side leaves on the other.
            join(model.membranes[clamp.membrane].inside, model.membranes[clamp.membrane].outside)
    unique = {id(group): group for group in part.values()}
    for group in unique.values():
        yield tuple(c for c in model.compartments if c in group)


def _is_half_outside(model: Model, clamp: Clamp, finite: tuple[str, ...]) -> bool:
    """Whether a clamp brings ions to these compartments that it does not take from one of them."""
    membrane = model.membranes[clamp.membrane]
    return (membrane.inside in finite) != (membrane.outside in finite)


def conserved_sums(closed: Sequence[Pool], reactions: Sequence[Stoichiometry]) -> list[dict[Pool, int]]:
    """Whole-number weights of closed pools whose sums no reaction changes, a basis of all such.

    Pools that do not react come out alone. The products of reactions are eliminated first, so that the usual
    ``A + B ⇌ AB`` gives A + AB and B + AB rather than a difference.
    """
    order = {pool: i for i, pool in enumerate(closed)}
    made = {pool for change in reactions for pool, count in change.items() if count > 0}
    columns = sorted(closed, key=lambda pool: (pool not in made, order[pool]))
    rows = [[Fraction(change.get(pool, 0)) for pool in columns] for change in reactions]
    pivots: list[int] = []
    for column in range(len(columns)):
        top = len(pivots)
        found = next((r for r in range(top, len(rows)) if rows[r][column]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        rows[top] = [value / rows[top][column] for value in rows[top]]
        for r in range(len(rows)):
            if r != top and rows[r][column]:
                rows[r] = [a - rows[r][column] * b for a, b in zip(rows[r], rows[top], strict=True)]
        pivots.append(column)
    sums = []
    for free in (i for i in range(len(columns)) if i not in pivots):
        weights = {columns[free]: Fraction(1)} | {columns[p]: -rows[r][free] for r, p in enumerate(pivots)}
        scale = lcm(*(w.denominator for w in weights.values()))
        whole = {pool: int(w * scale) for pool, w in weights.items() if w}
        ordered = sorted(whole, key=order.__getitem__)
        divisor = gcd(*whole.values()) * (1 if whole[ordered[0]] > 0 else -1)
        sums.append({pool: whole[pool] // divisor for pool in ordered})
    return sorted(sums, key=lambda weights: [order[pool] for pool in weights])


def closed_water(model: Model) -> list[tuple[str, ...]]:
    """Groups of compartments that exchange water with one another and with nothing else."""
    part = {name: {name} for name in model.compartments}
    for m in model.membranes.values():
        if m.water_permeability is not None:
            joined = part[m.inside] | part[m.outside]
            part |= dict.fromkeys(joined, joined)
    unique = {id(group): group for group in part.values() if len(group) > 1}
    return [
        tuple(c for c in model.compartments if c in group)
        for group in unique.values()
        if all(model.compartments[c].is_finite and model.compartments[c].water == "osmotic" for c in group)
    ]
