"""The start of a run: amounts, potentials, and the impermeant charge that makes the charge of every cell exact.

In every finite compartment ``F Σ z n + F Q = Σ C A V`` over its membranes, with Q the impermeant charge.
An impermeant declared as ``"balance"`` is given the amount that makes it so. Elsewhere what is left over (rounded
concentrations, or the charge of the membrane itself, a few µM) becomes a fixed charge and is reported; a scenario
with a gross excess has been refused before.

``start_of`` computes it over any kind of number: over floats for a run, over arrays for many cells, over expressions
for derivatives.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY
from ..errors import Fault, ScenarioError
from ..formulas.formula import FormulaError
from ..model.circuit import membranes_of
from ..model.model import Compartment, Impermeant, Model
from ..model.schedule import Segment, segments_of, values_of
from ..symbolic.expression import Expression
from .evaluation import Evaluation
from .initial_potentials import ComputedRoots, Roots, initial_potentials
from .states import Layout, lay_out
from .tracer_fluxes import given_share

#: Passes over the balancing impermeants where a volume is in osmotic equilibrium: it depends on them, and they depend
#: (a little) on the area that follows from it.
_PASSES = 4


@dataclass(frozen=True)
class InitialState:
    """The initial state of a run.

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


@dataclass(frozen=True)
class Start:
    """The initial state of a run and what belongs to it, over any kind of number.

    Attributes
    ----------
    states : list of number, array or Expression
        In the order of the layout: mol, m³, 1, C, V.
    constants : mapping of str to number, array or Expression
        What holds from the start on, by path: initial volumes and concentrations, amounts of impermeants.
    residual_charge : mapping of str to number, array or Expression
        As of ``InitialState``.
    """

    states: list[Any]
    constants: Mapping[str, Any]
    residual_charge: Mapping[str, Any]


def start_of(model: Model, layout: Layout, values: Mapping[str, Any], roots: Roots) -> Start:
    """Start of a run of a model from its settled values.

    Parameters
    ----------
    model, layout
    values : mapping of str to number, array or Expression
        SI, by path.
    roots : Roots
        How the potentials are obtained at which a net current is 0.

    Raises
    ------
    ScenarioError
        As of ``initial_state``; over expressions nothing is checked that depends on a number.
    """
    constants = starting_values(model, values)
    for c in model.compartments.values():
        for impermeant in c.impermeants if c.is_finite else ():
            path = f"compartments.{c.name}.impermeant_amounts.{impermeant.name}"
            constants[path] = _given_amount(c, impermeant, constants, values)
    moment = {"segment.start": 0.0} | {f"parameters.{name}.slope": 0.0 for name in model.ramped}
    # On top of the values, not in a copy of them: a sweep records which of them are read.
    known: ChainMap[str, Any] = ChainMap(constants, moment, cast("MutableMapping", values))
    potentials = initial_potentials(
        model, layout, known, roots, lambda given, potentials: _at_start(model, layout, given, potentials)
    )
    residual: dict[str, Any] = {}
    for _ in range(_PASSES if any(c.water == "equilibrium" for c in model.compartments.values()) else 1):
        for c in model.compartments.values():
            if c.is_finite:
                residual[c.name] = _balance(model, c, _at_start(model, layout, known, potentials), constants)
    evaluation = _at_start(model, layout, known, potentials)
    states = [evaluation.amount(c, name) for c, name in layout.amounts]
    states += [known[f"compartments.{c}.initial_volume"] for c in layout.volumes]
    every = {tracer.name: tracer for tracer in model.tracers}
    states += [given_share(evaluation, every[t], c) * evaluation.amount(c, name) for c, t, name in layout.tracers]
    states += [_initial_gate(evaluation, key) for key in layout.gates]
    states += [0.0] * len(layout.supplies)
    states += [_stored_charge(evaluation, c) if layout.holds_charge(c) else potentials[c] for c in layout.potentials]
    return Start(states, constants, residual)


def initial_state(model: Model, layout: Layout, values: Mapping[str, Any], cells: int = 0) -> InitialState:
    """Initial state of a model at the given values (SI, by path).

    Values may be arrays, one number for each of ``cells`` cells; then so is what follows from them (``y`` has a row for
    each), and where one cell has no initial state, a number in its row is NaN. A potential that floats is sought for
    one cell alone.

    Raises
    ------
    ScenarioError
        Where a potential is asked for that does not exist, or does not follow from what is given.
    """
    start = start_of(model, layout, values, ComputedRoots(cells))
    amounts = {
        (c.name, i.name): start.constants[f"compartments.{c.name}.impermeant_amounts.{i.name}"]
        for c in model.compartments.values()
        if c.is_finite
        for i in c.impermeants
    }
    y = np.stack(np.broadcast_arrays(*start.states), axis=-1).astype(float) if start.states else np.zeros(0)
    y.setflags(write=False)  # shared by all runs of the model
    return InitialState(y, amounts, start.residual_charge)


def check_start(model: Model) -> None:
    """Check that a model has an initial state, without preparing a run.

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
    start = starting_values(model, at_start)
    start |= {f"compartments.{c}.impermeant_amounts.{i}": n for (c, i), n in initial.impermeant_amounts.items()}
    return [
        ChainMap(
            {"segment.start": segment.start}
            | {f"parameters.{name}.slope": segment.slopes.get(name, 0.0) for name in model.ramped},
            start,
            *(of_segment.maps if isinstance(of_segment, ChainMap) else (of_segment,)),
        )
        for segment, of_segment in zip(segments, values, strict=True)
    ]


def starting_values(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Volumes and concentrations of the finite compartments as they are at the start, whatever a protocol does."""
    start = {}
    for c in model.compartments.values():
        path = f"compartments.{c.name}"
        if c.is_finite:
            start[f"{path}.initial_volume"] = values[f"{path}.volume"]
            for name in c.concentrations:
                start[f"{path}.initial_concentrations.{name}"] = values[f"{path}.concentrations.{name}"]
    return start


def _at_start(model: Model, layout: Layout, known: Mapping[str, Any], potentials: Mapping[str, Any]) -> Evaluation:
    """The model at t = 0, with gates at their steady values and amounts as given."""

    def state(i: int) -> Any:
        if i < len(layout.amounts):
            c, name = layout.amounts[i]
            path = f"compartments.{c}"
            return known[f"{path}.initial_concentrations.{name}"] * known[f"{path}.initial_volume"]
        return known[f"compartments.{layout.volumes[i - len(layout.amounts)]}.initial_volume"]

    return Evaluation(model, layout, known.__getitem__, state, 0.0, potentials=potentials, starting_gates=True)


def _given_amount(
    c: Compartment, impermeant: Impermeant, constants: Mapping[str, Any], values: Mapping[str, Any]
) -> Any:
    """Amount of an impermeant as declared, mol; 0 for one that is to balance the charge."""
    path = f"compartments.{c.name}"
    if impermeant.amount is not None:
        return values[f"{path}.impermeants.{impermeant.name}.amount"]
    if impermeant.concentration is not None:
        return values[f"{path}.impermeants.{impermeant.name}.concentration"] * constants[f"{path}.initial_volume"]
    return 0.0


def _balance(model: Model, c: Compartment, evaluation: Evaluation, constants: dict[str, Any]) -> Any:
    """Give the balancing impermeant its amount; returns the charge (mol) that is left over without one."""
    path = f"compartments.{c.name}"
    missing = _stored_charge(evaluation, c.name) / FARADAY
    for name in c.concentrations:
        missing = missing - model.species[name].valence * evaluation.amount(c.name, name)
    balancing = None
    for impermeant in c.impermeants:
        if impermeant.balances:
            balancing = impermeant
        else:
            missing = missing - impermeant.valence * constants[f"{path}.impermeant_amounts.{impermeant.name}"]
    if balancing is None:
        return missing
    amount = missing / balancing.valence
    if isinstance(amount, np.ndarray):
        amount = np.where(amount < 0.0, np.nan, amount)
    elif not isinstance(amount, Expression) and amount < 0.0:
        message = (
            f"the impermeant {balancing.name} (valence {balancing.valence:g}) cannot balance "
            f"{-missing / constants[f'{path}.initial_volume']:+.4g} mM of charge: it would need a negative amount; "
            "give it the other sign"
        )
        raise ScenarioError("<model>", [Fault(0, f"{path}.impermeants.{balancing.name}", message)])
    constants[f"{path}.impermeant_amounts.{balancing.name}"] = amount
    return 0.0


def _stored_charge(evaluation: Evaluation, compartment: str) -> Any:
    """Σ ± C A V over the membranes of a compartment, C."""
    return sum(
        sign * evaluation.capacity(m) * evaluation.membrane_potential(m)
        for m, sign in membranes_of(evaluation.model, compartment)
    )


def _initial_gate(evaluation: Evaluation, key: tuple[str, str, str]) -> Any:
    """Initial value of a gate; a fault of the scenario where its formulas have none at the initial potential."""
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
