"""The initial state: amounts, potentials, and the impermeant charge that makes the charge of every cell exact.

In every finite compartment ``F Σ z n + F Q = Σ C A V`` over its membranes, with Q the impermeant charge (PHYSICS §5).
An impermeant declared as ``"balance"`` is given the amount that makes it so. Elsewhere what is left over (rounded
concentrations, or the charge of the membrane itself, a few µM) is kept as a fixed charge and reported; a scenario
with a gross excess has been refused before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .constants import FARADAY
from .errors import Fault, ScenarioError
from .layout import Layout, grounds, membranes_of
from .mechanisms import LAWS, sides_of
from .model import Membrane, Model, argument_path

#: Potentials between which a zero-current potential is looked for, V.
SEARCH_LIMIT = 2.0


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


def initial_state(model: Model, layout: Layout, values: Mapping[str, float]) -> InitialState:
    """Initial state of a model at the given values (SI, by path).

    Raises
    ------
    ScenarioError
        Where a potential is asked for that does not exist, or does not follow from what is given.
    """
    membrane_potentials = {
        m.name: value
        for m in model.membranes.values()
        if (value := _membrane_potential(model, m, values)) is not None
    }
    potentials = _compartment_potentials(model, membrane_potentials)
    y = [
        values[f"compartments.{c}.concentrations.{name}"] * values[f"compartments.{c}.volume"]
        for c, name in layout.amounts
    ]
    y += [potentials[c] for c in layout.potentials]
    impermeants: dict[tuple[str, str], float] = {}
    residual: dict[str, float] = {}
    for compartment in model.compartments.values():
        if not compartment.is_finite:
            continue
        path = f"compartments.{compartment.name}"
        volume = values[f"{path}.volume"]
        charge = sum(
            model.species[name].valence * values[f"{path}.concentrations.{name}"] * volume
            for name in compartment.concentrations
        )
        stored = sum(
            sign
            * values[f"membranes.{m.name}.capacitance"]
            * values[f"membranes.{m.name}.area"]
            * (potentials[m.inside] - potentials[m.outside])
            for m, sign in membranes_of(model, compartment.name)
        )
        missing = stored / FARADAY - charge
        balancing = None
        for impermeant in compartment.impermeants:
            own = f"{path}.impermeants.{impermeant.name}"
            if impermeant.balances:
                balancing = impermeant
                continue
            amount = (
                values[f"{own}.amount"]
                if impermeant.amount is not None
                else values[f"{own}.concentration"] * volume
            )
            impermeants[compartment.name, impermeant.name] = amount
            missing -= impermeant.valence * amount
        if balancing is not None:
            amount = missing / balancing.valence
            if amount < 0.0:
                message = (
                    f"the impermeant {balancing.name} (valence {balancing.valence:g}) cannot balance "
                    f"{-missing / volume:+.4g} mM of charge: it would need a negative amount; give it the other sign"
                )
                raise ScenarioError("<model>", [Fault(0, f"{path}.impermeants.{balancing.name}", message)])
            impermeants[compartment.name, balancing.name] = amount
            missing = 0.0
        residual[compartment.name] = missing
    return InitialState(np.array(y, dtype=float), impermeants, residual)


def zero_current_potential(current: Callable[[float], float]) -> float | None:
    """Root of a current that grows with the potential, V; None where there is none within ± 2 V.

    Bisection: it needs no derivative and cannot leave the bracket, and sixty halvings of 4 V reach rounding.
    """
    low, high = -SEARCH_LIMIT, SEARCH_LIMIT
    if not current(low) <= 0.0 <= current(high):
        return None
    for _ in range(64):
        middle = 0.5 * (low + high)
        if current(middle) > 0.0:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


def membrane_current(
    model: Model, membrane: Membrane, values: Mapping[str, float], potential: float
) -> float:
    """Net outward current density at the initial concentrations and a given potential, A m⁻²."""
    sides = sides_of(
        model,
        membrane,
        lambda c, name: values[f"compartments.{c}.concentrations.{name}"],
        lambda c, name: values.get(f"compartments.{c}.activity_coefficients.{name}", 1.0),
        lambda c: potential if c == membrane.inside else 0.0,
        values["simulation.temperature"],
    )
    total = 0.0
    for pathway in membrane.pathways:
        arguments = {a: values[argument_path(membrane, pathway, a)] for a in pathway.arguments}
        charge = sum(count * model.species[name].valence for name, count in pathway.moves.items())
        if charge:
            total += FARADAY * charge * float(LAWS[pathway.law](sides, pathway.moves, arguments))
    return total


def _membrane_potential(model: Model, membrane: Membrane, values: Mapping[str, float]) -> float | None:
    if membrane.potential is None:
        return None
    if membrane.potential != "ghk":
        return values[f"membranes.{membrane.name}.potential"]
    found = zero_current_potential(lambda v: membrane_current(model, membrane, values, v))
    if found is None:
        message = (
            f'"ghk" finds no potential between -{SEARCH_LIMIT:g} V and {SEARCH_LIMIT:g} V at which the net current '
            'of this membrane is 0; give a value, as potential = "-70 mV"'
        )
        raise ScenarioError("<model>", [Fault(0, f"membranes.{membrane.name}.potential", message)])
    return found


def _compartment_potentials(model: Model, membrane_potentials: Mapping[str, float]) -> dict[str, float]:
    """Potential of each compartment against its ground, from the potentials of the membranes between."""
    potentials = dict.fromkeys(grounds(model), 0.0)
    moved = True
    while moved:
        moved = False
        for m in model.membranes.values():
            v = membrane_potentials.get(m.name)
            if v is None:
                continue
            if m.outside in potentials and m.inside not in potentials:
                potentials[m.inside] = potentials[m.outside] + v
                moved = True
            elif m.inside in potentials and m.outside not in potentials:
                potentials[m.outside] = potentials[m.inside] - v
                moved = True
    for m in model.membranes.values():
        for c in (m.inside, m.outside):
            if c not in potentials:
                message = (
                    f"the initial potential of {c} does not follow from what is given; "
                    'write potential = "-70 mV" or potential = "ghk" on one of its membranes'
                )
                raise ScenarioError("<model>", [Fault(0, f"membranes.{m.name}", message)])
        v = membrane_potentials.get(m.name)
        actual = potentials[m.inside] - potentials[m.outside]
        if v is not None and abs(v - actual) > 1e-9:
            message = (
                f"its potential of {v * 1e3:.6g} mV contradicts the other membranes, by which it is "
                f"{actual * 1e3:.6g} mV; leave one of them out"
            )
            raise ScenarioError("<model>", [Fault(0, f"membranes.{m.name}.potential", message)])
    for c in model.compartments:
        potentials.setdefault(c, 0.0)
    return potentials
