"""The initial state: amounts, potentials, and the impermeant charge that makes the charge of every cell exact.

In every finite compartment ``F Σ z n + F Q = Σ C A V`` over its membranes, with Q the impermeant charge.
An impermeant declared as ``"balance"`` is given the amount that makes it so. Elsewhere what is left over (rounded
concentrations, or the charge of the membrane itself, a few µM) is kept as a fixed charge and reported; a scenario
with a gross excess has been refused before.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY
from ..errors import Fault, ScenarioError
from ..formulas.formula import FormulaError
from ..model.circuit import grounds, membranes_of
from ..model.model import Compartment, Impermeant, Membrane, Model
from ..model.schedule import Segment, segments_of, values_of
from ..numerics.current_root_scan import SEARCH_LIMIT, zero_current_potential_of_each, zero_current_potentials
from .evaluation import Evaluation
from .states import Layout, lay_out
from .tracer_fluxes import given_share

#: Most Newton steps, the difference (V) that gives a slope, and a step (V) so small that a floating part is settled.
FLOAT_STEPS, FLOAT_PROBE, FLOAT_SETTLED = 100, 1e-6, 1e-10


@dataclass(frozen=True)
class InitialState:
    """Where a run starts.

    Attributes
    ----------
    y : array, shape (n,)
        State vector: mol and V.
    impermeant_amounts : mapping of (compartment, impermeant) to float
        mol.
    residual_charge : mapping of str to float
        Fixed charge (mol of elementary charges) added to a finite compartment to make its charge exact.
    """

    y: NDArray
    impermeant_amounts: Mapping[tuple[str, str], float]
    residual_charge: Mapping[str, float]


def initial_state(model: Model, layout: Layout, values: Mapping[str, Any], cells: int = 0) -> InitialState:
    """Initial state of a model at the given values (SI, by path).

    Values may be arrays, of so many ``cells``; then so is what follows from them (``y`` has a row for each), and where
    one cell has no initial state, a number in its row is NaN. A potential that floats is sought for one cell alone.

    Raises
    ------
    ScenarioError
        Where a potential is asked for that does not exist, or does not follow from what is given.
    """
    # On top of the values, which stay as they are, not a copy of them: a sweep looks which of them are asked for.
    at_first = _starting_values(model, values) | {"segment.start": 0.0}
    known: ChainMap[str, float] = ChainMap(at_first, cast("MutableMapping", values))
    known |= {f"parameters.{name}.slope": 0.0 for name in model.ramped}
    for c in model.compartments.values():
        for impermeant in c.impermeants if c.is_finite else ():
            known[f"compartments.{c.name}.impermeant_amounts.{impermeant.name}"] = _given_amount(c, impermeant, known)
    membrane_potentials = {
        m.name: value
        for m in model.membranes.values()
        if (value := _membrane_potential(model, layout, m, known, cells)) is not None
    }
    potentials = compartment_potentials(model, layout, membrane_potentials)
    potentials = _settled_floats(model, layout, known, potentials)
    residual: dict[str, float] = {}
    # A volume in osmotic equilibrium depends on the balancing impermeant, which depends (a little) on the area.
    for _ in range(4 if any(c.water == "equilibrium" for c in model.compartments.values()) else 1):
        for c in model.compartments.values():
            if c.is_finite:
                residual[c.name] = _balance(model, c, _at_start(model, layout, known, potentials), known)
    evaluation = _at_start(model, layout, known, potentials)
    y = [evaluation.amount(c, name) for c, name in layout.amounts]
    y += [known[f"compartments.{c}.initial_volume"] for c in layout.volumes]
    every = {tracer.name: tracer for tracer in model.tracers}
    y += [given_share(evaluation, every[t], c) * evaluation.amount(c, name) for c, t, name in layout.tracers]
    y += [_initial_gate(evaluation, layout, key) for key in layout.gates]
    y += [0.0] * len(layout.supplies)
    y += [_stored_charge(evaluation, c) if layout.holds_charge(c) else potentials[c] for c in layout.potentials]
    amounts = {
        (c.name, i.name): known[f"compartments.{c.name}.impermeant_amounts.{i.name}"]
        for c in model.compartments.values()
        if c.is_finite
        for i in c.impermeants
    }
    start = np.stack(np.broadcast_arrays(*y), axis=-1).astype(float) if y else np.zeros(0)
    start.setflags(write=False)  # shared by all runs of the model
    return InitialState(start, amounts, residual)


def check_start(model: Model) -> None:
    """Look whether a model has an initial state, without making it ready to run.

    Raises
    ------
    ScenarioError, FormulaError
        It has none.
    """
    initial_state(model, lay_out(model), values_of(model, segments_of(model)[:1])[0])


def complete_values(
    model: Model,
    segments: Sequence[Segment],
    at_start: Mapping[str, float],
    values: Sequence[Mapping[str, float]],
    initial: InitialState,
) -> list[Mapping[str, float]]:
    """The values of each segment, with what the equations need besides: what holds from the start, and slopes.

    ``at_start`` are the values of the first segment of the run.
    """
    start = _starting_values(model, at_start)
    start |= {f"compartments.{c}.impermeant_amounts.{i}": n for (c, i), n in initial.impermeant_amounts.items()}
    return [
        ChainMap(
            {"segment.start": segment.start}
            | {f"parameters.{name}.slope": segment.slopes.get(name, 0.0) for name in model.ramped},
            start,
            *(own.maps if isinstance(own, ChainMap) else (own,)),
        )
        for segment, own in zip(segments, values, strict=True)
    ]


def _starting_values(model: Model, values: Mapping[str, float]) -> dict[str, float]:
    """Volumes and concentrations of the finite compartments as they are at the start, whatever a protocol does."""
    start = {}
    for c in model.compartments.values():
        path = f"compartments.{c.name}"
        if c.is_finite:
            start[f"{path}.initial_volume"] = values[f"{path}.volume"]
            for name in c.concentrations:
                start[f"{path}.initial_concentrations.{name}"] = values[f"{path}.concentrations.{name}"]
    return start


def _at_start(model: Model, layout: Layout, known: Mapping[str, float], potentials: Mapping[str, Any]) -> Evaluation:
    """The model at t = 0, with gates at their steady values and amounts as given."""

    def state(i: int) -> float:
        if i < len(layout.amounts):
            c, name = layout.amounts[i]
            path = f"compartments.{c}"
            return known[f"{path}.initial_concentrations.{name}"] * known[f"{path}.initial_volume"]
        return known[f"compartments.{layout.volumes[i - len(layout.amounts)]}.initial_volume"]

    return Evaluation(model, layout, known.__getitem__, state, 0.0, potentials=potentials, starting_gates=True)


def _given_amount(c: Compartment, impermeant: Impermeant, known: Mapping[str, float]) -> float:
    """Amount of an impermeant as declared, mol; 0 for one that is to balance the charge."""
    path = f"compartments.{c.name}"
    if impermeant.amount is not None:
        return known[f"{path}.impermeants.{impermeant.name}.amount"]
    if impermeant.concentration is not None:
        return known[f"{path}.impermeants.{impermeant.name}.concentration"] * known[f"{path}.initial_volume"]
    return 0.0


def _balance(model: Model, c: Compartment, evaluation: Evaluation, known: MutableMapping[str, float]) -> float:
    """Give the balancing impermeant its amount; returns the charge (mol) that is left over without one."""
    path = f"compartments.{c.name}"
    volume = known[f"{path}.initial_volume"]
    missing = _stored_charge(evaluation, c.name) / FARADAY
    for name in c.concentrations:
        missing -= model.species[name].valence * evaluation.amount(c.name, name)
    balancing = None
    for impermeant in c.impermeants:
        if impermeant.balances:
            balancing = impermeant
        else:
            missing -= impermeant.valence * known[f"{path}.impermeant_amounts.{impermeant.name}"]
    if balancing is None:
        return missing
    amount = missing / balancing.valence
    if isinstance(amount, np.ndarray):
        amount = np.where(amount < 0.0, np.nan, amount)
    elif amount < 0.0:
        message = (
            f"the impermeant {balancing.name} (valence {balancing.valence:g}) cannot balance "
            f"{-missing / volume:+.4g} mM of charge: it would need a negative amount; give it the other sign"
        )
        raise ScenarioError("<model>", [Fault(0, f"{path}.impermeants.{balancing.name}", message)])
    known[f"{path}.impermeant_amounts.{balancing.name}"] = amount
    return 0.0


def _stored_charge(evaluation: Evaluation, compartment: str) -> Any:
    """Σ ± C A V over the membranes of a compartment, C."""
    return sum(
        sign * evaluation.capacity(m) * evaluation.membrane_potential(m)
        for m, sign in membranes_of(evaluation.model, compartment)
    )


def _initial_gate(evaluation: Evaluation, layout: Layout, key: tuple[str, str, str]) -> Any:
    """Where a gate starts. A potential at which its formulas mean nothing is a fault like any other."""
    membrane = evaluation.model.membranes[key[0]]
    pathway = next(p for p in membrane.pathways if p.name == key[1])
    gate = next(g for g in pathway.gates if g.name == key[2])
    try:
        return evaluation.gate(membrane, pathway, gate)
    except FormulaError as error:
        volt = float(evaluation.membrane_potential(membrane))
        path = f"membranes.{membrane.name}.{pathway.name}"
        message = f"the gate {gate.name} has no value at the initial potential of {volt:g} V: {error}"
        raise ScenarioError("<model>", [Fault(0, path, message)]) from None


class Columns(Mapping[str, Any]):
    """Values of many cells, each array as a column, to be set against a row of potentials."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        return value[:, np.newaxis] if isinstance(value, np.ndarray) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _membrane_current(
    model: Model, layout: Layout, membrane: Membrane, known: Mapping[str, float], potential: NDArray
) -> NDArray:
    """Net outward current density at the start if the membrane potential were the given one, A m⁻²."""
    potentials: dict[str, Any] = dict.fromkeys(model.compartments, 0.0)
    potentials[membrane.inside] = potential
    with np.errstate(all="ignore"):
        found = _at_start(model, layout, known, potentials).current_density(membrane)
    return np.asarray(found, dtype=float)


def _membrane_potential(model: Model, layout: Layout, membrane: Membrane, known: Mapping[str, Any], cells: int) -> Any:
    if membrane.potential is None or not membrane.has_capacitance:
        return None
    if membrane.potential != "ghk":
        return known[f"membranes.{membrane.name}.potential"]

    def current(v: NDArray) -> NDArray:
        return _membrane_current(model, layout, membrane, known, v)

    if cells:
        known = Columns(known)
        return zero_current_potential_of_each(lambda v: np.broadcast_to(current(v), (cells, v.shape[1])))
    found = zero_current_potentials(lambda v: np.broadcast_to(current(v), v.shape))
    if len(found) == 1:
        return found[0]
    if found:
        told = ", ".join(f"{1e3 * v:.4g} mV" for v in found)
        message = (
            f'"ghk" finds several potentials at which the net current of this membrane is 0: {told}; '
            f'say which is meant, as potential = "{1e3 * found[0]:.4g} mV"'
        )
    else:
        message = (
            f'"ghk" finds no potential between -{SEARCH_LIMIT:g} V and {SEARCH_LIMIT:g} V at which the net current '
            'of this membrane is 0; give a value, as potential = "-70 mV"'
        )
    raise ScenarioError("<model>", [Fault(0, f"membranes.{membrane.name}.potential", message)])


def compartment_potentials(model: Model, layout: Layout, membrane_potentials: Mapping[str, Any]) -> dict[str, Any]:
    """Potential of each compartment against its ground, from the potentials of the membranes between.

    What floats is put at 0, to be settled when the rest is known.
    """
    potentials: dict[str, Any] = dict.fromkeys((*grounds(model), *layout.floats), 0.0)
    capacitive = [m for m in model.membranes.values() if m.has_capacitance]
    moved = True
    while moved:
        moved = False
        for m in capacitive:
            v = membrane_potentials.get(m.name)
            if v is None:
                continue
            if m.outside in potentials and m.inside not in potentials:
                potentials[m.inside] = potentials[m.outside] + v
                moved = True
            elif m.inside in potentials and m.outside not in potentials:
                potentials[m.outside] = potentials[m.inside] - v
                moved = True
    for m in capacitive:
        for c in (m.inside, m.outside):
            if c not in potentials:
                message = (
                    f"the initial potential of {c} does not follow from what is given; "
                    'write potential = "-70 mV" or potential = "ghk" on one of its membranes'
                )
                raise ScenarioError("<model>", [Fault(0, f"membranes.{m.name}", message)])
        v = membrane_potentials.get(m.name)
        actual = potentials[m.inside] - potentials[m.outside]
        if v is None:
            continue
        apart = np.abs(v - actual) > 1e-9
        if isinstance(apart, np.ndarray):
            potentials = {c: np.where(apart, np.nan, value) for c, value in potentials.items()}
        elif apart:
            message = (
                f"its potential of {v * 1e3:.6g} mV contradicts the other membranes, by which it is "
                f"{actual * 1e3:.6g} mV; leave one of them out"
            )
            raise ScenarioError("<model>", [Fault(0, f"membranes.{m.name}.potential", message)])
    for c in model.compartments:
        potentials.setdefault(c, 0.0)
    return potentials


def _settled_floats(
    model: Model, layout: Layout, known: Mapping[str, float], potentials: Mapping[str, float]
) -> dict[str, float]:
    """The potentials with each floating part where the net current into it is 0, by damped Newton steps.

    The integrator settles them again at every protocol step; here they are needed for gates to start from.
    """
    roots = list(layout.floats)

    def placed(offsets: NDArray) -> dict[str, float]:
        offset = dict(zip(roots, offsets, strict=True))
        return {c: v + offset.get(layout.floating_part.get(c, ""), 0.0) for c, v in potentials.items()}

    def currents(offsets: NDArray) -> NDArray:
        totals = currents_into_parts(_at_start(model, layout, known, placed(offsets)))
        return np.array([float(totals[root]) for root in roots])

    offsets = np.zeros(len(roots))
    for _ in range(FLOAT_STEPS if roots else 0):
        here = currents(offsets)
        slopes = np.array([(currents(offsets + d) - here) / FLOAT_PROBE for d in FLOAT_PROBE * np.eye(len(roots))]).T
        try:
            move = -np.linalg.solve(slopes, here)
        except np.linalg.LinAlgError:
            break
        if not np.isfinite(move).all():
            break
        offsets = offsets + move * min(1.0, 0.1 / max(float(np.abs(move).max()), 1e-300))
        if np.abs(move).max() < FLOAT_SETTLED:
            return placed(offsets)
    if roots:
        message = (
            f"no potential is found for {', '.join(roots)} at which the net current into it is 0: without a "
            "capacitance that is what its potential is. Give a membrane beside it a capacitance, or see that an ion "
            "can cross one"
        )
        raise ScenarioError("<model>", [Fault(0, f"compartments.{roots[0]}", message)])
    return dict(potentials)


def currents_into_parts(evaluation: Evaluation) -> dict[str, Any]:
    """Net current into each floating part, A, by the compartment that stands for it."""
    total: dict[str, Any] = dict.fromkeys(evaluation.layout.floats, 0.0)
    flows = [
        (m.inside, m.outside, evaluation.area(m) * evaluation.current_density(m))
        for m in evaluation.model.membranes.values()
    ]
    flows += [(i.out_of or "", i.compartment, evaluation.injected_current(i)) for i in evaluation.model.injections]
    flows += [(e.inside, e.outside, evaluation.exchange_current(e)) for e in evaluation.model.exchanges]
    for source, target, current in flows:
        for c, sign in ((source, -1.0), (target, 1.0)):
            if c in evaluation.layout.floating_part:
                part = evaluation.layout.floating_part[c]
                total[part] = total[part] + sign * current
    return total
