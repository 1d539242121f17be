"""Free energy that a model stores, J, and its rate of change.

chemical    Σ n (R T (ln a − 1) − level) over the finite compartments, impermeants (ideal, measured from 1 mM) too, and
            R T w (osmolarity of the bath) for their water: the derivative by an amount is its chemical potential, that
            by a volume R T (osm_bath − osm). An activity coefficient that is given is part of a. One that an
            activity model computes depends on all amounts: then R T n ln gamma becomes R T n ∫ ln gamma(λ c) dλ, λ
            from 0 to 1 (impermeants as they are), whose derivatives by the amounts are the potentials as far as the
            model obeys the Gibbs–Duhem equation.
electrical  ½ Σ C A V² over the membranes.
elastic     the work against each wall, ∫ p dw.

The rate of change does not come of differences between samples, nor (but for what a ramp moves) of these sums: it is
Σ mu dn/dt + Σ p dw/dt + Σ psi dQ/dt …, with the rates of the states and with the potentials that the laws see,
whatever the activity model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...equations.evaluation import Evaluation
from ...model.model import Compartment, Membrane, Model
from ...physics.activity import log_gamma
from ...simulation.state_rates import state_rates
from ...simulation.trajectory import Trajectory
from .potentials import Levels, Potentials

KINDS = ("chemical", "electrical", "elastic")

#: Nodes and weights between 0 and 1, for the integral of ln gamma; it begins with the root of λ, so λ = x² is taken.
_NODES, _WEIGHTS = (0.5 * (np.polynomial.legendre.leggauss(12)[0] + 1.0), 0.5 * np.polynomial.legendre.leggauss(12)[1])

#: Step of time by which what moves within a segment is differentiated: part of the segment, and at most so much, s.
_STEP_PART, _MOST_STEP = 1e-4, 1e-4

#: Weights of a central difference of fourth order, by the multiple of the step.
_DIFFERENCE = {1: 8.0 / 12.0, -1: -8.0 / 12.0, 2: -1.0 / 12.0, -2: 1.0 / 12.0}


def stored_energy(potentials: Potentials) -> dict[str, Any]:
    """Energy stored, J, by ``KINDS``."""
    evaluation, model = potentials.evaluation, potentials.model
    finite = [c for c in model.compartments.values() if c.is_finite]
    return {
        "chemical": sum((_chemical(potentials, c) for c in finite), 0.0),
        "electrical": sum(
            (0.5 * evaluation.capacity(m) * evaluation.membrane_potential(m) ** 2 for m in _capacitors(model)), 0.0
        ),
        "elastic": sum(
            (_elastic(evaluation, m) for m in model.membranes.values() if m.elastic_modulus is not None), 0.0
        ),
    }


def _chemical(potentials: Potentials, c: Compartment) -> Any:
    evaluation = potentials.evaluation
    computed = _mean_log_gamma(potentials, c)
    total: Any = evaluation.volume(c.name) * potentials.levels.osmolarity(evaluation)
    for name in c.concentrations:
        amount = evaluation.amount(c.name, name)
        level = potentials.levels.of(evaluation, name)
        if name in computed:
            total = total + _mixing(amount, evaluation.concentration(c.name, name)) + amount * (computed[name] - level)
        else:
            gamma = evaluation.activity_coefficient(c.name, name)
            total = total + _mixing(amount, gamma * evaluation.concentration(c.name, name)) - amount * level
    for impermeant in c.impermeants:
        amount = evaluation.impermeant_amount(c.name, impermeant.name)
        total = total + _mixing(amount, evaluation.impermeant_concentration(c.name, impermeant.name))
    return potentials.thermal * total


def _mixing(amount: Any, activity: Any) -> Any:
    """n (ln a − 1), mol; 0 of nothing."""
    present = np.asarray(activity) > 0.0
    return amount * np.where(present, np.log(np.where(present, activity, 1.0)) - 1.0, 0.0)


def _mean_log_gamma(potentials: Potentials, c: Compartment) -> Mapping[str, Any]:
    """∫ ln gamma(λ c) dλ of every species whose coefficient an activity model computes."""
    if c.activity == "ideal":
        return {}
    evaluation, model = potentials.evaluation, potentials.model
    solutes = {name: model.species[name] for name in c.concentrations}
    held = {name: evaluation.concentration(c.name, name) for name in solutes}
    mobile = sum(0.5 * model.species[name].valence ** 2 * value for name, value in held.items())
    fixed, temperature = evaluation.ionic_strength(c.name) - mobile, evaluation.temperature
    total: dict[str, Any] = {}
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        part = node**2
        logarithms = log_gamma(
            c.activity,
            solutes,
            fixed + part * mobile,
            temperature,
            {name: part * value for name, value in held.items()},
        )
        for name, value in logarithms.items():
            if name not in c.activity_coefficients:
                total[name] = total.get(name, 0.0) + 2.0 * node * weight * value
    return total


def _elastic(evaluation: Evaluation, membrane: Membrane) -> Any:
    path = f"membranes.{membrane.name}"
    slack = evaluation.given(f"{path}.slack_volume")
    stretch = np.maximum(evaluation.enclosed_volume(membrane) / slack - 1.0, 0.0)
    return 0.5 * evaluation.given(f"{path}.elastic_modulus") * slack * stretch**2


class Storing:
    """Rates of change of the stored energy at the samples of a run; each is computed when it is first read.

    Attributes
    ----------
    rates : array, shape (samples, n)
        Of the states, SI per s.
    by_kind : dict of str to array, shape (samples,)
        W, by ``KINDS``.
    of_area : array or float
        What the change of areas brings in, W: a membrane that grows while its charge stays lowers its energy.
    of_protocol : array or float
        What is brought in by that which moves between protocol steps: temperature, baths, capacitances, coefficients.
    """

    def __init__(self, trajectory: Trajectory, levels: Levels, potentials: Potentials) -> None:
        self.trajectory, self.levels, self.potentials = trajectory, levels, potentials
        self.evaluation, self.model, self.layout = trajectory.evaluation, trajectory.model, trajectory.run.layout
        self._moving = moves_between_steps(self.model)

    @cached_property
    def rates(self) -> NDArray:
        """Rates of the states, SI per s, shape (samples, n)."""
        return state_rates(self.trajectory)

    @cached_property
    def by_kind(self) -> dict[str, Any]:
        """Rate of change of each of ``KINDS``, W."""
        rates = {"chemical": self._chemical(), "electrical": self._electrical(), "elastic": self._elastic()}
        return {kind: rates[kind] + drift for kind, drift in self._drifts.items()} if self._moving else rates

    @cached_property
    def of_protocol(self) -> Any:
        """Power from what changes between protocol steps, W."""
        total: Any = 0.0
        for drift in self._drifts.values():
            total = total + drift
        if self._moving:
            # Water that follows a bath at once is given by that bath.
            for c in self._at_equilibrium():
                moved = self.potentials.water(c) * self.drift(lambda evaluation, c=c: evaluation.volume(c))
                total = total - moved
        return total

    @cached_property
    def _drifts(self) -> dict[str, NDArray]:
        """Rate of change of each of ``KINDS`` while the states stay as they are, W; empty where nothing else moves."""
        return {
            kind: self.drift(lambda evaluation, kind=kind: stored_energy(Potentials(self.levels, evaluation))[kind])
            for kind in (KINDS if self._moving else ())
        }

    def amount(self, compartment: str, species: str) -> Any:
        """dn/dt, mol s⁻¹."""
        i = self.layout.amount_index.get((compartment, species))
        return 0.0 if i is None else self.rates[:, i]

    def volume(self, compartment: str) -> Any:
        """dw/dt, m³ s⁻¹."""
        moved = self._volume_by_state(compartment)
        if self._moving and self.model.compartments[compartment].water == "equilibrium":
            moved = moved + self.drift(lambda evaluation: evaluation.volume(compartment))
        return moved

    def _volume_by_state(self, compartment: str) -> Any:
        """dw/dt for a world that stays as it is."""
        c = self.model.compartments[compartment]
        if c.water == "equilibrium":
            # At the osmolarity of the bath, which is its osmolarity too.
            entering = sum((self.amount(compartment, s) for s in c.concentrations), 0.0)
            return entering / self.evaluation.osmolarity(compartment)
        i = self.layout.volume_index.get(compartment)
        return 0.0 if i is None else self.rates[:, i]

    def _at_equilibrium(self) -> list[str]:
        return [c.name for c in self.model.compartments.values() if c.water == "equilibrium"]

    def _chemical(self) -> Any:
        total: Any = 0.0
        for c in self.model.compartments.values():
            if not c.is_finite:
                continue
            for name in c.concentrations:
                if (c.name, name) in self.layout.amount_index:
                    total = total + self.potentials.chemical(c.name, name) * self.amount(c.name, name)
            if c.water != "fixed":
                total = total + self.potentials.water(c.name) * self._volume_by_state(c.name)
        return total

    def _electrical(self) -> Any:
        total: Any = self.of_area
        if not self.layout.charges:
            for m in _capacitors(self.model):
                moved = self._potential(m.inside) - self._potential(m.outside)
                total = total + self.evaluation.capacity(m) * self.evaluation.membrane_potential(m) * moved
            return total
        charge = {c: self.rates[:, i] for c, i in self.layout.potential_index.items() if self.layout.holds_charge(c)}
        for root, part in self.layout.floats.items():  # a floating part holds no charge as a whole
            charge[root] = -sum((charge[c] for c in part if c != root), np.zeros(len(self.trajectory)))
        for c, moved in charge.items():
            total = total + self.evaluation.potential(c) * moved
        return total

    def _potential(self, compartment: str) -> Any:
        i = self.layout.potential_index.get(compartment)
        return 0.0 if i is None else self.rates[:, i]

    @cached_property
    def of_area(self) -> Any:
        """−½ C V² dA/dt: areas go with the volume, of a sphere as w^(2/3), of a cylinder as w^(1/2)."""
        total: Any = 0.0
        for m in _capacitors(self.model):
            if m.geometry != "given":
                power = 2.0 / 3.0 if m.geometry == "sphere" else 0.5
                grown = power * self._volume_by_state(m.inside) / self.evaluation.volume(m.inside)
                total = total - 0.5 * self.evaluation.capacity(m) * self.evaluation.membrane_potential(m) ** 2 * grown
        return total

    def _elastic(self) -> Any:
        total: Any = 0.0
        for m in self.model.membranes.values():
            if m.elastic_modulus is not None:
                grown = sum(map(self._volume_by_state, self.model.enclosed[m.inside]))
                total = total + self.evaluation.turgor(m) * grown
        return total

    def drift(self, quantity: Any) -> NDArray:
        """Derivative by time of a function of an evaluation while the states stay as they are, per s."""
        run = self.trajectory.run
        lengths = np.array([s.end - s.start for s in run.segments])[self.trajectory.segment]
        step = np.minimum(_STEP_PART * lengths, _MOST_STEP)
        total = np.zeros(len(self.trajectory))
        for multiple, weight in _DIFFERENCE.items():
            here = self.evaluation
            later = Evaluation(here.model, here.layout, here.given, here.state, here.within + multiple * step)
            total = total + weight * np.asarray(quantity(later), dtype=float)
        return total / step


def moves_between_steps(model: Model) -> bool:
    """Whether something else than the state moves the stored energy between two steps of the protocol."""
    quantities = [model.temperature]
    for c in model.compartments.values():
        quantities += c.activity_coefficients.values()
        if not c.is_finite:
            quantities += c.concentrations.values()
    for m in model.membranes.values():
        quantities += [m.area, m.specific_capacitance]
    return not all(map(model.is_settled, quantities))


def _capacitors(model: Model) -> list[Membrane]:
    return [m for m in model.membranes.values() if m.has_capacitance]
