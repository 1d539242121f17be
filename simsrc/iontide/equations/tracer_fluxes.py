"""How tracers move, over any kind of number: with the species that they label, part for part.

With the share s of a species that is labelled on either side, a tracer goes

* through a pathway whose law knows one-way fluxes (GHK) with both: ``efflux · s_in − influx · s_out``, whatever the net
  flux: exchange goes on at equilibrium;
* through any other (ohmic conductances, cotransporters, pumps, formulas) with the net flux alone, at the share of the
  side that this takes from: ``max(J, 0) · s_in + min(J, 0) · s_out``. Such a law does not say what it exchanges one for
  one: where a carrier does, the label moves faster than it is told here;
* with an exchange of volume, both ways; with what is injected or supplied, unlabelled where it comes from outside of
  the model, at the share of where it is taken from elsewhere;
* in a reaction with its forward and its backward rate, each at the share of what it takes, shared out among what it
  gives.

It bears no charge and no osmotic weight of its own, being part of what does. Nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY
from ..model.model import Membrane, Model, Pathway
from ..model.tracers import Tracer, labels_in
from ..physics.mechanisms import LAWS, UNIDIRECTIONAL
from ..symbolic.expression import maximum, minimum
from .evaluation import Evaluation

#: Amount (mol) below which there is not a thousandth of an ion, so that no share of it need be told exactly.
SMALLEST_AMOUNT = 1e-27


def given_share(at: Evaluation, tracer: Tracer, compartment: str) -> Any:
    """Share that is labelled as the model gives it: in a bath, or at the start."""
    if compartment not in tracer.shares:
        return 0.0
    return at.quantity(f"tracers.{tracer.name}.share.{compartment}", tracer.shares[compartment])


def share(at: Evaluation, tracer: Tracer, compartment: str, species: str) -> Any:
    """Share of a species in a compartment that is labelled, 0 to 1: its specific activity, that of the pure label 1."""
    i = at.layout.tracer_index.get((compartment, tracer.name, species))
    if i is None:
        return given_share(at, tracer, compartment)
    return at.state(i) / maximum(at.amount(compartment, species), SMALLEST_AMOUNT)


def tracer_concentration(at: Evaluation, tracer: Tracer, compartment: str, species: str) -> Any:
    """Concentration of a tracer as one species, mol m⁻³."""
    i = at.layout.tracer_index.get((compartment, tracer.name, species))
    if i is None:
        return given_share(at, tracer, compartment) * at.concentration(compartment, species)
    return at.state(i) / at.volume(compartment)


def tracer_flux(at: Evaluation, tracer: Tracer, membrane: Membrane, pathway: Pathway, species: str) -> Any:
    """Net flux of a tracer through a pathway as one species, positive outward, mol m⁻² s⁻¹; see the module."""
    sides = (membrane.inside, membrane.outside)
    if pathway.law in UNIDIRECTIONAL:
        # These laws are linear in the activities: the same with those of the labelled part alone.
        inside, outside = (
            at.activity_coefficient(c, species) * tracer_concentration(at, tracer, c, species) for c in sides
        )
        labelled = replace(at.sides(membrane), inside_activity={species: inside}, outside_activity={species: outside})
        own: Any = LAWS[pathway.law](labelled, pathway.moves, at.arguments(membrane, pathway))
        return pathway.moves[species] * own
    net = pathway.moves[species] * at.cycles(membrane, pathway)
    s_in, s_out = (share(at, tracer, c, species) for c in sides)
    return maximum(net, 0.0) * s_in + minimum(net, 0.0) * s_out


def add_tracers(at: Evaluation, add: Callable[[int | None, Any], None]) -> None:
    """Give the rates of all tracers (mol s⁻¹) to ``add``, by their places in the state vector."""
    for tracer in at.model.tracers:
        for species in tracer.of:
            into = partial(_into, at, add, tracer)
            _add_pathways(at, tracer, species, into)
            _add_exchanges(at, tracer, species, into)
            _add_supplies(at, tracer, species, into)
        _add_reactions(at, tracer, partial(_into, at, add, tracer))


def _into(
    at: Evaluation, add: Callable[[int | None, Any], None], tracer: Tracer, compartment: str, species: str, rate: Any
) -> None:
    add(at.layout.tracer_index.get((compartment, tracer.name, species)), rate)


def _add_pathways(at: Evaluation, tracer: Tracer, species: str, into: Callable[[str, str, Any], None]) -> None:
    for membrane in at.model.membranes.values():
        for pathway in membrane.pathways:
            if species in pathway.moves:
                leaving = at.area(membrane) * tracer_flux(at, tracer, membrane, pathway, species)
                into(membrane.inside, species, -leaving)
                into(membrane.outside, species, leaving)


def _add_exchanges(at: Evaluation, tracer: Tracer, species: str, into: Callable[[str, str, Any], None]) -> None:
    for exchange in at.model.exchanges:
        a, b = exchange.inside, exchange.outside
        if all(species in at.model.compartments[c].concentrations for c in (a, b)):
            rate = at.quantity(f"exchange.{exchange.name}.rate", exchange.rate) * at.volume(a)
            here, there = (tracer_concentration(at, tracer, c, species) for c in (a, b))
            into(a, species, -rate * (here - there))
            into(b, species, rate * (here - there))


def _add_supplies(at: Evaluation, tracer: Tracer, species: str, into: Callable[[str, str, Any], None]) -> None:
    for feed in at.model.feeds:
        if species in feed.brings:
            taken = minimum(feed.brings[species] * at.supply_rate(feed), 0.0)
            into(feed.compartment, species, taken * share(at, tracer, feed.compartment, species))
    for injection in at.model.injections:
        if injection.carried_by == species:
            entering = at.injected_current(injection) / (FARADAY * at.model.species[species].valence)
            target, source = injection.compartment, injection.out_of
            labelled = 0.0 if source is None else share(at, tracer, source, species)
            moved = maximum(entering, 0.0) * labelled + minimum(entering, 0.0) * share(at, tracer, target, species)
            into(target, species, moved)
            if source is not None:
                into(source, species, -moved)


def _add_reactions(at: Evaluation, tracer: Tracer, into: Callable[[str, str, Any], None]) -> None:
    for reaction in at.model.reactions:
        total, _ = labels_in(tracer, reaction)
        if not total:
            continue
        c = reaction.compartment
        forward, backward = at.reaction_rates(reaction)
        for rate, taken, given in (
            (forward, reaction.reactants, reaction.products),
            (backward, reaction.products, reaction.reactants),
        ):
            per_second = at.volume(c) * rate
            lost = {name: count * share(at, tracer, c, name) for name, count in taken.items() if name in tracer.of}
            mean = sum(lost.values()) / total
            for name, labelled in lost.items():
                into(c, name, -per_second * labelled)
            for name, count in given.items():
                if name in tracer.of:
                    into(c, name, per_second * (count * mean))


class TracerReadings:
    """What a trajectory tells of its tracers."""

    if TYPE_CHECKING:

        @property
        def at(self) -> Evaluation: ...
        @property
        def model(self) -> Model: ...
        def _full(self, value: Any) -> NDArray: ...
        def _membrane(self, name: str) -> Membrane: ...

    def tracer_amount(self, compartment: str, tracer: str, species: str | None = None) -> NDArray:
        """Amount of a tracer in a compartment, as one species or as all that may bear it, mol.

        Raises ``KeyError`` for a bath, which has concentrations but no amounts.
        """
        if not self.model.compartments[compartment].is_finite:
            raise KeyError(f"{compartment} is a bath: it has concentrations, but no amounts")
        volume = self.at.volume(compartment)
        return self._full(sum(volume * c for _, c, _ in self._borne(compartment, tracer, species)))

    def tracer_share(self, compartment: str, tracer: str, species: str | None = None) -> NDArray:
        """Share of a species, or of all that may bear the label, that is labelled in a compartment, 0 to 1.

        It is the specific activity there, in units of that of the pure label. NaN where there is nothing to label.
        """
        borne = self._borne(compartment, tracer, species)
        labelled, every = self._full(sum(c for _, c, _ in borne)), self._full(sum(c for _, _, c in borne))
        return np.where(every > 0.0, labelled / np.where(every > 0.0, every, 1.0), np.nan)

    def tracer_flux(self, membrane: str, tracer: str) -> NDArray:
        """Net flux of a tracer through all pathways of a membrane, positive outward, mol m⁻² s⁻¹."""
        m, found = self._membrane(membrane), self._tracer(tracer)
        flows = [tracer_flux(self.at, found, m, p, s) for s in found.of for p in m.pathways if s in p.moves]
        return self._full(sum(flows))

    def _borne(self, compartment: str, tracer: str, species: str | None) -> list[tuple[str, Any, Any]]:
        """Species in a compartment that may bear a label, with the concentrations of the labelled part and of all."""
        found, held = self._tracer(tracer), self.model.compartments[compartment].concentrations
        names = [name for name in found.of if name in held and species in (None, name)]
        if not names:
            raise KeyError(f"{compartment} has no {species or ' or '.join(found.of)} that {tracer} could label")
        at = self.at
        return [(n, tracer_concentration(at, found, compartment, n), at.concentration(compartment, n)) for n in names]

    def _tracer(self, name: str) -> Tracer:
        for tracer in self.model.tracers:
            if tracer.name == name:
                return tracer
        raise KeyError(
            f"there is no tracer {name}; there are {', '.join(t.name for t in self.model.tracers) or 'none'}"
        )
