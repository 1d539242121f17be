"""Fluxes of tracers over any kind of number: they move with the species that they label, in proportion to their share.

With the share s of a species that is labelled on either side, a tracer moves

* through a pathway whose law gives one-way fluxes (GHK) with both: ``efflux · s_in − influx · s_out``, whatever the net
  flux: it is exchanged at equilibrium too;
* through any other (ohmic conductances, cotransporters, pumps, formulas) with the net flux alone, at the share of the
  side that this takes from: ``max(J, 0) · s_in + min(J, 0) · s_out``. Such a law does not give what it swaps one for
  one: where a carrier does, the label moves faster than here;
* with an exchange of volume, both ways; with what is injected or supplied, unlabelled where it comes from outside of
  the model, at the share of where it is taken from elsewhere;
* in a reaction with its forward and its backward rate, each at the share of what it takes, shared out among what it
  gives.

It adds no charge and no osmotic weight, being part of what has them. Nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY
from ..errors import UnknownNameError, UsageError
from ..model.model import Membrane, Model, Pathway
from ..model.tracers import Tracer, labels_in
from ..physics.mechanisms import LAWS, UNIDIRECTIONAL
from ..symbolic.expression import maximum, minimum
from .evaluation import Evaluation

#: Amount (mol) below which there is not a thousandth of an ion, so that no share of it need be exact.
SMALLEST_AMOUNT = 1e-27


def given_share(evaluation: Evaluation, tracer: Tracer, compartment: str) -> Any:
    """Share that is labelled as the model gives it: in a bath, or at the start."""
    if compartment not in tracer.shares:
        return 0.0
    return evaluation.quantity(f"tracers.{tracer.name}.share.{compartment}", tracer.shares[compartment])


def share(evaluation: Evaluation, tracer: Tracer, compartment: str, species: str) -> Any:
    """Share of a species in a compartment that is labelled, 0 to 1: its specific activity, that of the pure label 1."""
    i = evaluation.layout.tracer_index.get((compartment, tracer.name, species))
    if i is None:
        return given_share(evaluation, tracer, compartment)
    return evaluation.state(i) / maximum(evaluation.amount(compartment, species), SMALLEST_AMOUNT)


def tracer_concentration(evaluation: Evaluation, tracer: Tracer, compartment: str, species: str) -> Any:
    """Concentration of a tracer as one species, mol m⁻³."""
    i = evaluation.layout.tracer_index.get((compartment, tracer.name, species))
    if i is None:
        return given_share(evaluation, tracer, compartment) * evaluation.concentration(compartment, species)
    return evaluation.state(i) / evaluation.volume(compartment)


def tracer_flux(evaluation: Evaluation, tracer: Tracer, membrane: Membrane, pathway: Pathway, species: str) -> Any:
    """Net flux of a tracer through a pathway as one species, positive outward, mol m⁻² s⁻¹; see the module."""
    sides = (membrane.inside, membrane.outside)
    if pathway.law in UNIDIRECTIONAL:
        # These laws are linear in the activities: the same with those of the labelled part alone.
        inside, outside = (
            evaluation.activity_coefficient(c, species) * tracer_concentration(evaluation, tracer, c, species)
            for c in sides
        )
        labelled = replace(
            evaluation.sides(membrane), inside_activity={species: inside}, outside_activity={species: outside}
        )
        cycles: Any = LAWS[pathway.law](labelled, pathway.stoichiometry, evaluation.arguments(membrane, pathway))
        return pathway.stoichiometry[species] * cycles
    net = pathway.stoichiometry[species] * evaluation.cycles(membrane, pathway)
    s_in, s_out = (share(evaluation, tracer, c, species) for c in sides)
    return maximum(net, 0.0) * s_in + minimum(net, 0.0) * s_out


def add_tracers(evaluation: Evaluation, add: Callable[[int | None, Any], None]) -> None:
    """Give the rates of all tracers (mol s⁻¹) to ``add``, by their places in the state vector."""
    for tracer in evaluation.model.tracers:
        for species in tracer.of:
            into = partial(_into, evaluation, add, tracer)
            _add_pathways(evaluation, tracer, species, into)
            _add_exchanges(evaluation, tracer, species, into)
            _add_supplies(evaluation, tracer, species, into)
        _add_reactions(evaluation, tracer, partial(_into, evaluation, add, tracer))


def _into(
    evaluation: Evaluation,
    add: Callable[[int | None, Any], None],
    tracer: Tracer,
    compartment: str,
    species: str,
    rate: Any,
) -> None:
    add(evaluation.layout.tracer_index.get((compartment, tracer.name, species)), rate)


def _add_pathways(evaluation: Evaluation, tracer: Tracer, species: str, into: Callable[[str, str, Any], None]) -> None:
    for membrane in evaluation.model.membranes.values():
        for pathway in membrane.pathways:
            if species in pathway.stoichiometry:
                leaving = evaluation.area(membrane) * tracer_flux(evaluation, tracer, membrane, pathway, species)
                into(membrane.inside, species, -leaving)
                into(membrane.outside, species, leaving)


def _add_exchanges(evaluation: Evaluation, tracer: Tracer, species: str, into: Callable[[str, str, Any], None]) -> None:
    for exchange in evaluation.model.exchanges:
        a, b = exchange.inside, exchange.outside
        if all(species in evaluation.model.compartments[c].concentrations for c in (a, b)):
            rate = evaluation.quantity(f"exchange.{exchange.name}.rate", exchange.rate) * evaluation.volume(a)
            here, there = (tracer_concentration(evaluation, tracer, c, species) for c in (a, b))
            into(a, species, -rate * (here - there))
            into(b, species, rate * (here - there))


def _add_supplies(evaluation: Evaluation, tracer: Tracer, species: str, into: Callable[[str, str, Any], None]) -> None:
    for source in evaluation.model.sources:
        if species in source.stoichiometry:
            taken = minimum(source.stoichiometry[species] * evaluation.supply_rate(source), 0.0)
            into(source.compartment, species, taken * share(evaluation, tracer, source.compartment, species))
    for injection in evaluation.model.injections:
        if injection.carried_by == species:
            entering = evaluation.injected_current(injection) / (FARADAY * evaluation.model.species[species].valence)
            target, origin = injection.compartment, injection.out_of
            labelled = 0.0 if origin is None else share(evaluation, tracer, origin, species)
            moved = maximum(entering, 0.0) * labelled + minimum(entering, 0.0) * share(
                evaluation, tracer, target, species
            )
            into(target, species, moved)
            if origin is not None:
                into(origin, species, -moved)


def _add_reactions(evaluation: Evaluation, tracer: Tracer, into: Callable[[str, str, Any], None]) -> None:
    for reaction in evaluation.model.reactions:
        total, _ = labels_in(tracer, reaction)
        if not total:
            continue
        c = reaction.compartment
        forward, backward = evaluation.reaction_rates(reaction)
        for rate, taken, given in (
            (forward, reaction.reactants, reaction.products),
            (backward, reaction.products, reaction.reactants),
        ):
            per_second = evaluation.volume(c) * rate
            lost = {
                name: count * share(evaluation, tracer, c, name) for name, count in taken.items() if name in tracer.of
            }
            mean = sum(lost.values()) / total
            for name, labelled in lost.items():
                into(c, name, -per_second * labelled)
            for name, count in given.items():
                if name in tracer.of:
                    into(c, name, per_second * (count * mean))


class TracerReadings:
    """Amounts, shares and fluxes of the tracers of a trajectory."""

    if TYPE_CHECKING:

        @property
        def evaluation(self) -> Evaluation: ...
        @property
        def model(self) -> Model: ...
        def _full(self, value: Any) -> NDArray: ...

    def tracer_amount(self, compartment: str, tracer: str, species: str | None = None) -> NDArray:
        """Amount of a tracer in a compartment, as one species or as all that may carry it, mol.

        Raises ``UsageError`` for a bath, which has concentrations but no amounts.
        """
        if not self.model.compartment(compartment).is_finite:
            raise UsageError(f"{compartment} is a bath: it has concentrations, but no amounts")
        volume = self.evaluation.volume(compartment)
        return self._full(sum(volume * c for _, c, _ in self._carriers(compartment, tracer, species)))

    def tracer_share(self, compartment: str, tracer: str, species: str | None = None) -> NDArray:
        """Share of a species, or of all that may carry the label, that is labelled in a compartment, 0 to 1.

        It is the specific activity there, in units of that of the pure label. NaN where there is nothing to label.
        """
        carriers = self._carriers(compartment, tracer, species)
        labelled, every = self._full(sum(c for _, c, _ in carriers)), self._full(sum(c for _, _, c in carriers))
        return np.where(every > 0.0, labelled / np.where(every > 0.0, every, 1.0), np.nan)

    def tracer_flux(self, membrane: str, tracer: str) -> NDArray:
        """Net flux of a tracer through all pathways of a membrane, positive outward, mol m⁻² s⁻¹."""
        m, label = self.model.membrane(membrane), self._tracer(tracer)
        flows = [
            tracer_flux(self.evaluation, label, m, p, s) for s in label.of for p in m.pathways if s in p.stoichiometry
        ]
        return self._full(sum(flows))

    def _carriers(self, compartment: str, tracer: str, species: str | None) -> list[tuple[str, Any, Any]]:
        """Species in a compartment that may carry a label, with the concentrations of the labelled part and of all."""
        label, held = self._tracer(tracer), self.model.compartment(compartment).concentrations
        names = [name for name in label.of if name in held and species in (None, name)]
        if not names:
            raise UnknownNameError(
                f"species in {compartment} that {tracer} labels", species or " or ".join(label.of), held
            )
        evaluation = self.evaluation
        return [
            (n, tracer_concentration(evaluation, label, compartment, n), evaluation.concentration(compartment, n))
            for n in names
        ]

    def _tracer(self, name: str) -> Tracer:
        for tracer in self.model.tracers:
            if tracer.name == name:
                return tracer
        raise UnknownNameError("tracer", name, [t.name for t in self.model.tracers])
