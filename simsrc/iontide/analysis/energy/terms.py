"""Sources and sinks of the energy of a model, term by term, W.

Every process moves something from one potential to another. What crosses a membrane dissipates its driving force; a
pump adds the free energy of its fuel; an injection, a clamp or a source adds the work of bringing matter and charge in;
and matter that leaves a bath brings in its potential energy, counted as power from the bath.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...constants import FARADAY
from ...model.model import Clamp, Membrane, Pathway, Reaction
from ...physics.mechanisms.atp_cycles import REVERSIBLE, free_energy_of_atp
from ...simulation.trajectory import Trajectory
from .potentials import Potentials
from .stored import Storing

Kind = Literal[
    "pathway", "pump", "water", "reaction", "exchange", "resistance",
    "injection", "clamp", "source", "bath", "area", "protocol",
]  # fmt: skip


@dataclass(frozen=True)
class Power:
    """One term of the balance.

    Attributes
    ----------
    path : str
        What it is, by its place in the model: ``membranes.plasma.permeability.K``.
    label : str
        As figures and tables print it.
    kind : str
        ``pathway``, ``pump``, ``water``, ``reaction``, ``exchange``, ``resistance``; among what brings power in also
        ``injection``, ``clamp``, ``source``, ``bath``, ``area``, ``protocol``.
    values : array, shape (samples,)
        W.
    """

    path: str
    label: str
    kind: Kind
    values: NDArray


@dataclass(frozen=True)
class PumpPower:
    """A pathway that something pays for.

    Attributes
    ----------
    membrane, pathway : str
    driven_by : str
        ``ATP``, or what else the scenario names.
    turnover : array, shape (samples,)
        ATP hydrolysed, mol s⁻¹, one a cycle; < 0 where the pump makes it. Of what is driven by something else, cycles.
    free_energy : array, shape (samples,)
        Of ATP hydrolysis, J mol⁻¹ (negative); NaN where something else pays.
    work : array, shape (samples,)
        Power delivered to the ions, W: ``−A J Σ nu Δmu~``, positive where it runs uphill.
    fuel : array, shape (samples,)
        Power that the fuel pays, W. Where that is not known, what is delivered.
    """

    membrane: str
    pathway: str
    driven_by: str
    turnover: NDArray
    free_energy: NDArray
    work: NDArray
    fuel: NDArray

    @property
    def efficiency(self) -> NDArray:
        """Work delivered over fuel spent; NaN where it does not run, or where the fuel is not known."""
        runs = (self.fuel != 0.0) & np.isfinite(self.free_energy)
        return np.where(runs, self.work / np.where(runs, self.fuel, 1.0), np.nan)


class Terms:
    """All terms of the balance of a run.

    Attributes
    ----------
    sources, sinks : list of Power
        Power that enters (negative where it leaves that way), and power that is dissipated (negative where a law is
        wrong).
    pumps : dict of str to PumpPower
        By the path of the pathway.
    """

    def __init__(self, trajectory: Trajectory, potentials: Potentials, storing: Storing) -> None:
        self.trajectory, self.potentials, self.storing = trajectory, potentials, storing
        self.evaluation, self.model = trajectory.evaluation, trajectory.model
        self.sources: list[Power] = []
        self.sinks: list[Power] = []
        self.pumps: dict[str, PumpPower] = {}
        self._given: dict[str, Any] = {}  # by reservoir
        for membrane in self.model.membranes.values():
            for pathway in membrane.pathways:
                if pathway.stoichiometry:
                    self._pathway(membrane, pathway)
            if membrane.water_permeability is not None:
                self._water(membrane)
        for c in self.model.compartments.values():
            if c.water == "equilibrium":
                self._take_water(self.evaluation.osmotic_reference(c.name), storing.volume(c.name))
        for reaction in self.model.reactions:
            self._reaction(reaction)
        self._exchanges()
        self._rig()
        for name, given in self._given.items():
            self._in(f"compartments.{name}", name, "bath", given)
        if any(m.geometry != "given" for m in self.model.membranes.values()):
            self._in("area", "change of area", "area", storing.of_area)
        if np.ndim(storing.of_protocol):
            self._in("protocol", "what the protocol moves", "protocol", storing.of_protocol)

    def _in(self, path: str, label: str, kind: Kind, values: Any) -> None:
        self.sources.append(Power(path, label, kind, self._full(values)))

    def _out(self, path: str, label: str, kind: Kind, values: Any) -> None:
        self.sinks.append(Power(path, label, kind, self._full(values)))

    def _full(self, values: Any) -> NDArray:
        return np.broadcast_to(np.asarray(values, dtype=float), (len(self.trajectory),)).copy()

    # -- what reservoirs give -----------------------------------------------------------------------------------------

    def _take(self, compartment: str | None, species: str, rate: Any) -> None:
        """Take so much of a species (mol s⁻¹) out of a compartment; of a bath that is power that it gives."""
        if compartment is not None and not self.model.compartments[compartment].is_finite:
            given = self.potentials.chemical(compartment, species) * rate
            self._given[compartment] = self._given.get(compartment, 0.0) + given

    def _take_water(self, compartment: str, rate: Any) -> None:
        """Take so much water (m³ s⁻¹) out of a compartment; one of constant volume gives power so."""
        if compartment not in self.trajectory.run.layout.volume_index:
            given = self.potentials.water(compartment) * rate
            self._given[compartment] = self._given.get(compartment, 0.0) + given

    # -- membranes ----------------------------------------------------------------------------------------------------

    def _pathway(self, membrane: Membrane, pathway: Pathway) -> None:
        rate = self.evaluation.area(membrane) * self.evaluation.cycles(membrane, pathway)
        force: Any = 0.0
        for name, count in pathway.stoichiometry.items():
            force = force + count * self.potentials.difference(membrane.inside, membrane.outside, name)
            self._take(membrane.inside, name, count * rate)
            self._take(membrane.outside, name, -count * rate)
        path, label = f"membranes.{membrane.name}.{pathway.name}", self._label(membrane, pathway.label)
        if not pathway.driven_by:
            self._out(path, label, "pathway", rate * force)
            return
        work = self._full(-rate * force)
        turnover, free_energy = self._full(rate), np.full(len(self.trajectory), np.nan)
        fuel = work
        if pathway.driven_by == "ATP":
            if pathway.law not in REVERSIBLE:
                turnover = np.abs(turnover)  # a cycle that is counted the other way costs no less
            free_energy = self._full(self._free_energy(membrane, pathway))
            fuel = -turnover * free_energy
        self.pumps[path] = PumpPower(membrane.name, pathway.name, pathway.driven_by, turnover, free_energy, work, fuel)
        self._in(path, f"{pathway.driven_by} of {label}", "pump", fuel)
        self._out(path, label, "pump", fuel - work)

    def _free_energy(self, membrane: Membrane, pathway: Pathway) -> Any:
        arguments = self.evaluation.arguments(membrane, pathway)
        if pathway.law in REVERSIBLE:
            return free_energy_of_atp(self.evaluation.sides(membrane), arguments)
        return self.evaluation.quantity("simulation.atp_free_energy", self.model.atp_free_energy)

    def _label(self, membrane: Membrane, name: str) -> str:
        return name if len(self.model.membranes) == 1 else f"{name} ({membrane.name})"

    def _water(self, membrane: Membrane) -> None:
        flow = self.evaluation.area(membrane) * self.evaluation.water_flux(membrane)
        force = self.potentials.water(membrane.inside) - self.potentials.water(membrane.outside)
        pressure = self.evaluation.pressure_difference(membrane)
        if pressure is not None:
            force = force + pressure
        self._take_water(membrane.inside, flow)
        self._take_water(membrane.outside, -flow)
        self._out(f"membranes.{membrane.name}.water", self._label(membrane, "water"), "water", flow * force)

    # -- within and between compartments ------------------------------------------------------------------------------

    def _reaction(self, reaction: Reaction) -> None:
        """R T ln(forward / backward) is dissipated; what its constants require beyond the levels is supplied."""
        path, volume = f"reactions.{reaction.name}", self.evaluation.volume(reaction.compartment)
        forward, backward = self.evaluation.reaction_rates(reaction)
        released: Any = 0.0
        for name, nu in reaction.change.items():
            released = released - nu * self.potentials.chemical(reaction.compartment, name)
        per_second = volume * (forward - backward)
        both = (np.asarray(forward) > 0.0) & (np.asarray(backward) > 0.0)
        ratio = np.log(np.where(both, forward, 1.0)) - np.log(np.where(both, backward, 1.0))
        affinity = np.where(both, self.potentials.thermal * ratio, released)
        self._in(path, f"drive of {reaction.name}", "reaction", per_second * (affinity - released))
        self._out(path, reaction.name, "reaction", per_second * affinity)

    def _exchanges(self) -> None:
        for exchange in self.model.exchanges:
            lost: Any = 0.0
            for name, leaving in self.evaluation.exchange_rates(exchange).items():
                lost = lost + leaving * self.potentials.difference(exchange.inside, exchange.outside, name)
                self._take(exchange.inside, name, leaving)
                self._take(exchange.outside, name, -leaving)
            self._out(f"exchange.{exchange.name}", exchange.name, "exchange", lost)

    # -- the rig ------------------------------------------------------------------------------------------------------

    def _rig(self) -> None:
        for injection in self.model.injections:
            current = self.evaluation.injected_current(injection)
            power = current * (self.evaluation.potential(injection.compartment) - self._psi(injection.out_of))
            if injection.carried_by is not None:
                power = power + self._bring(injection.carried_by, current, injection.compartment, injection.out_of)
            self._in(f"injections.{injection.name}", injection.name, "injection", power)
        for source in self.model.sources:
            rate, power = self.evaluation.supply_rate(source), 0.0
            for name, count in source.stoichiometry.items():
                power = power + count * rate * self.potentials.chemical(source.compartment, name)
            self._in(f"sources.{source.name}", source.name, "source", power)
        for clamp in self.model.clamps:
            self._clamp(clamp)
        for held in self.model.ion_clamps:
            rate = self.storing.rates[:, self.trajectory.run.layout.supply_index[held.name]]
            power = rate * self.potentials.chemical(held.compartment, held.species)
            self._in(f"clamps.{held.name}", f"clamp of {held.species} in {held.compartment}", "clamp", power)

    def _psi(self, compartment: str | None) -> Any:
        return 0.0 if compartment is None else self.evaluation.potential(compartment)

    def _bring(self, species: str, current: Any, target: str, origin: str | None) -> Any:
        """Chemical work of a current that an ion carries from one compartment to another, W."""
        rate = current / (FARADAY * self.model.species[species].valence)
        self._take(origin, species, rate)
        self._take(target, species, -rate)
        there = 0.0 if origin is None else self.potentials.chemical(origin, species)
        return rate * (self.potentials.chemical(target, species) - there)

    def _clamp(self, clamp: Clamp) -> None:
        membrane = self.model.membranes[clamp.membrane]
        current = self.storing.rates[:, self.trajectory.run.layout.supply_index[clamp.name]]
        across = self.evaluation.membrane_potential(membrane)
        path, label = f"clamps.{clamp.name}", f"clamp of {membrane.name}"
        power = current * across
        if clamp.carried_by is not None:
            power = power + self._bring(clamp.carried_by, current, membrane.inside, membrane.outside)
        if clamp.series_resistance is not None:
            lost = current**2 * self.evaluation.given(f"{path}.series_resistance")
            power = power + lost
            self._out(f"{path}.series_resistance", f"series resistance of the {label}", "resistance", lost)
        self._in(path, label, "clamp", power)
