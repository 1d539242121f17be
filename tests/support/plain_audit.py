"""What a run must keep, in plain NumPy from the samples and the model, for models of everything the language has.

Nothing of the equations, the tape or the library's own diagnostics: rates are summed up here once more, over floats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

import iontide
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.equations.evaluation import Evaluation
from iontide.model.circuit import connected_parts, grounds
from iontide.simulation.trajectory import Trajectory
from tests.support.random_models import DISSOCIATION

# -- conservation ---------------------------------------------------------------------------------------------------


def integral(trajectory: Trajectory, quantity, path: str) -> NDArray | None:
    """Integral over time of a quantity of the model; None where it moves within a segment."""
    if not trajectory.model.is_settled(quantity):
        return None
    segments = trajectory.run.segments
    values = np.array([v[path] for v in trajectory.run.values])
    whole = np.array([s.end - s.start for s in segments]) * values
    before = np.concatenate(([0.0], np.cumsum(whole)[:-1]))
    k = trajectory.segment
    return before[k] + (trajectory.time - np.array([s.start for s in segments])[k]) * values[k]


def injected(trajectory: Trajectory) -> list[tuple]:
    """Every injection with its charge so far, C (None: not known)."""
    found = []
    for i in trajectory.model.injections:
        found.append((i, integral(trajectory, i.current, f"injections.{i.name}.current")))
    return found


def charge_excess(trajectory: Trajectory) -> Iterator[tuple[str, NDArray]]:
    """``F Σ z n + F Q − Σ ± C A V − what came in without an ion``, over all charge there is; by finite compartment.

    A compartment is left out where a current of unknown integral flows, and where it is the ground of a part of the
    model that is rinsed by another part, for then the ground makes up for what the rinse takes.
    """
    model, run = trajectory.model, trajectory.run
    part_of = {c: i for i, part in enumerate(connected_parts(model)) for c in part}
    for c in model.compartments.values():
        if not c.is_finite:
            continue
        if c.name in grounds(model) and any(part_of[e.inside] != part_of[e.outside] for e in model.exchanges):
            continue
        terms = [model.species[x].valence * trajectory.amount(c.name, x) for x in c.concentrations]
        terms.append(np.full(len(trajectory), run.initial.residual_charge[c.name]))
        terms += [
            np.full(len(trajectory), i.valence * run.initial.impermeant_amounts[c.name, i.name]) for i in c.impermeants
        ]
        for m in model.membranes.values():
            for end, sign in ((m.inside, -1.0), (m.outside, 1.0)):
                if end == c.name:
                    terms.append(sign * trajectory.evaluation.capacity(m) * trajectory.membrane_potential(m.name) / F)
        known = True
        for i, charge in injected(trajectory):
            for end, sign in ((i.compartment, 1.0), (i.out_of, -1.0)):
                if end == c.name and i.carried_by is None:
                    known = known and charge is not None
                    terms.append(0.0 if charge is None else sign * charge / F)
        for clamp in model.clamps:
            m = model.membranes[clamp.membrane]
            if clamp.carried_by is None and c.name in (m.inside, m.outside):
                terms.append((1.0 if c.name == m.inside else -1.0) * trajectory.clamp_supply(clamp.name) / F)
        for held in model.ion_clamps:
            if held.compartment == c.name:
                terms.append(-model.species[held.species].valence * trajectory.clamp_supply(held.name))
        if known:
            yield c.name, sum(terms) / sum(np.abs(term) for term in terms)


#: What stands together in a total: a reaction turns ``Ca + Buf`` into ``CaBuf``.
ELEMENTS = {"Ca": ("Ca", "CaBuf"), "Buf": ("Buf", "CaBuf")}


def mass_excess(trajectory: Trajectory) -> Iterator[tuple[str, NDArray]]:
    """Change of each closed total that nothing known has brought, over all that is or was there; water too."""
    model = trajectory.model
    for element in model.species:
        names = ELEMENTS.get(element, (element,)) if model.reactions else (element,)
        if model.reactions and element == "CaBuf":
            continue
        for group in reached(trajectory, names):
            change = brought(trajectory, group, names)
            if change is None:
                continue
            total = sum(trajectory.amount(c, x) for c in group for x in names)
            start = sum(at_start(trajectory, c, x) for c in group for x in names)
            yield f"{element} in {group}", (total - start - change) / (np.maximum(total, start) + np.abs(change))
    water = {c.name for c in model.compartments.values() if c.water == "osmotic"}
    for group in joined(model, [(m.inside, m.outside) for m in model.membranes.values() if m.water_permeability]):
        if len(group) > 1 and set(group) <= water:
            total = sum(trajectory.volume(c) for c in group)
            yield f"water in {group}", total / total[0] - 1.0


def at_start(trajectory: Trajectory, compartment: str, species: str) -> float:
    """Amount before anything happens: a clamp that is on at t = 0 has acted on the first sample."""
    row = trajectory.run.layout.amount_index.get((compartment, species))
    return trajectory.amount(compartment, species)[0] if row is None else trajectory.run.initial.y[row]


def joined(model, pairs) -> list[tuple[str, ...]]:
    """Compartments grouped by what joins them."""
    part = {c: {c} for c in model.compartments}
    for a, b in pairs:
        both = part[a] | part[b]
        part |= dict.fromkeys(both, both)
    return [tuple(c for c in model.compartments if c in p) for p in {id(p): p for p in part.values()}.values()]


def reached(trajectory: Trajectory, names) -> Iterator[tuple[str, ...]]:
    """Groups of finite compartments, closed to baths, between which these species move."""
    model = trajectory.model
    pairs = [
        (m.inside, m.outside)
        for m in model.membranes.values()
        if any(x in p.stoichiometry for p in m.pathways for x in names)
        or any(k.membrane == m.name and k.carried_by in names for k in model.clamps)
    ]
    pairs += [(e.inside, e.outside) for e in model.exchanges]
    for group in joined(model, pairs):
        if all(model.compartments[c].is_finite for c in group):
            yield group


def brought(trajectory: Trajectory, group, names) -> NDArray | None:
    """Amount that sources, clamps and injections have brought, mol; None where it is not known."""
    model, total = trajectory.model, np.zeros(len(trajectory))
    for source in model.sources:
        share = sum(count for x, count in source.stoichiometry.items() if x in names)
        if source.compartment in group and share:
            amount = integral(trajectory, source.rate, f"sources.{source.name}.rate")
            if amount is None:
                return None
            total = total + share * amount
    for i, charge in injected(trajectory):
        for end, sign in ((i.compartment, 1.0), (i.out_of, -1.0)):
            if i.carried_by in names and end in group:
                if charge is None:
                    return None
                total = total + sign * charge / (F * model.species[i.carried_by].valence)
    for held in model.ion_clamps:
        if held.species in names and held.compartment in group:
            total = total + trajectory.clamp_supply(held.name)
    return total


# -- free energy ----------------------------------------------------------------------------------------------------


def free_energy(trajectory: Trajectory) -> tuple[NDArray, float]:
    """Σ n R T (ln a − 1) − Σ n R T ln a_bath + R T osm_bath w + ½ Σ C A V² + what walls store, J; and its grain.

    For ideal or constant activity coefficients, one temperature, at most one bath, areas that do not move, and no
    reflection (a solute that is let through pulls no water): there it falls in every passive model. Impermeants count
    as solutes; with volumes that move, the bath's osmolarity is what water comes from.
    """
    model = trajectory.model
    thermal = R * trajectory.temperature[0]
    bath = next((c for c in model.compartments.values() if not c.is_finite), None)
    terms = []
    for c in model.compartments.values():
        if not c.is_finite:
            continue
        w = trajectory.volume(c.name)
        for x in c.concentrations:
            n, a = trajectory.amount(c.name, x), trajectory.activity(c.name, x)
            terms.append(n * thermal * (np.log(np.where(a > 0.0, a, 1.0)) - 1.0))
            if bath is not None:
                terms.append(-n * thermal * np.log(trajectory.activity(bath.name, x)))
            if bath is None and x == "CaBuf":  # its standard potential: of a bath it is in equilibrium with the rest
                terms.append(n * thermal * np.log(DISSOCIATION))
        for i in c.impermeants:
            n = trajectory.run.initial.impermeant_amounts[c.name, i.name]
            terms.append(n * thermal * (np.log(np.maximum(n, 1e-300) / w) - 1.0))
        if bath is not None:
            terms.append(thermal * trajectory.osmolarity(bath.name) * w)
    for m in model.membranes.values():
        terms.append(0.5 * trajectory.evaluation.capacity(m) * trajectory.membrane_potential(m.name) ** 2)
        if m.elastic_modulus is not None:
            held = sum(trajectory.volume(name) for name in within(model, m.inside))
            stretch = np.maximum(held - m.slack_volume, 0.0)
            terms.append(0.5 * m.elastic_modulus / m.slack_volume * stretch**2)
    return sum(terms), float(np.max(sum(np.abs(term) for term in terms)))


def within(model: iontide.Model, compartment: str) -> set[str]:
    """A compartment and what has no way out but into it, from within."""
    found = {compartment}
    for _ in model.compartments:
        for name in model.compartments:
            around = [m for m in model.membranes.values() if name in (m.inside, m.outside)]
            ways = {(m.inside == name, m.outside) for m in around}
            if model.compartments[name].is_finite and len(ways) == 1 and ways <= {(True, outer) for outer in found}:
                found.add(name)
    return found


# -- rates, once more -----------------------------------------------------------------------------------------------


def evaluation(trajectory: Trajectory, y: NDArray) -> Evaluation:
    """The model in any state, with the values of the last segment."""
    values = trajectory.run.values[-1]
    return Evaluation(trajectory.model, trajectory.run.layout, values.__getitem__, lambda i: float(y[i]), 0.0)


def rates(trajectory: Trajectory, y: NDArray) -> NDArray:
    """What flows into every state of a model without clamps: mol/s, m³/s, 1/s; for a potential the current, A."""
    at, model, layout = evaluation(trajectory, y), trajectory.model, trajectory.run.layout
    found = np.zeros(layout.size)

    def add(index: Mapping, key, amount: float) -> None:
        if key in index:
            found[index[key]] += amount

    def move(source: str | None, target: str | None, x: str, amount: float) -> None:
        add(layout.amount_index, (source, x), -amount)
        add(layout.amount_index, (target, x), amount)

    def carry(source: str | None, target: str | None, current: float) -> None:
        for c, sign in ((source, -1.0), (target, 1.0)):
            root = layout.floating_part.get(c)
            if c not in layout.floats:
                add(layout.potential_index, c, sign * current)
            if root is not None:
                add(layout.potential_index, root, sign * current)

    for m in model.membranes.values():
        area = at.area(m)
        for p in m.pathways:
            cycles = area * at.cycles(m, p)
            for x, count in p.stoichiometry.items():
                move(m.inside, m.outside, x, count * cycles)
                carry(m.inside, m.outside, F * model.species[x].valence * count * cycles)
            for g in p.gates:
                if g.is_state:
                    add(layout.gate_index, (m.name, p.name, g.name), at.gate_rate(m, p, g))
        if m.water_permeability is not None:
            add(layout.volume_index, m.inside, -area * at.water_flux(m))
            add(layout.volume_index, m.outside, area * at.water_flux(m))
    for r in model.reactions:
        events = at.volume(r.compartment) * at.reaction_rate(r)
        for x, count in r.reactants.items():
            move(r.compartment, None, x, count * events)
        for x, count in r.products.items():
            move(None, r.compartment, x, count * events)
    for e in model.exchanges:
        for x, leaving in at.exchange_rates(e).items():
            move(e.inside, e.outside, x, leaving)
            carry(e.inside, e.outside, F * model.species[x].valence * leaving)
    for source in model.sources:
        for x, count in source.stoichiometry.items():
            move(None, source.compartment, x, count * at.supply_rate(source))
    for i in model.injections:
        current = at.injected_current(i)
        carry(i.out_of, i.compartment, current)
        if i.carried_by is not None:
            move(i.out_of, i.compartment, i.carried_by, current / (F * model.species[i.carried_by].valence))
    return found


def held(trajectory: Trajectory, y: NDArray) -> NDArray:
    """What the rates are the rates of: the states, but of a potential the charge Σ ± C A V (0 of a floating part)."""
    at, model, layout = evaluation(trajectory, y), trajectory.model, trajectory.run.layout
    found = np.array(y, dtype=float)
    for c, row in layout.potential_index.items():
        found[row] = 0.0
        if c in layout.floats:
            continue
        for m in model.membranes.values():
            for end, sign in ((m.inside, 1.0), (m.outside, -1.0)):
                if end == c:
                    found[row] += sign * at.capacity(m) * at.membrane_potential(m)
    return found
