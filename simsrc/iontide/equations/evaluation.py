"""Every quantity of a model at some moment, over any kind of number.

The same code builds the equations (over expressions), computes what follows from a trajectory (over arrays of samples)
and computes the initial state (over floats): they differ only in what a state, a given value and the time are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..constants import FARADAY, GAS_CONSTANT
from ..model.model import (
    Clamp,
    Event,
    Exchange,
    Gate,
    Injection,
    IonClamp,
    Membrane,
    Model,
    Pathway,
    Reaction,
    Source,
    argument_path,
)
from ..numerics.linear import solve_linear
from ..physics.mechanisms import LAWS, Sides, sides_of
from ..symbolic.expression import maximum, sqrt
from .solutions import Solutions
from .states import Layout


class Evaluation(Solutions):
    """A model at a moment.

    Parameters
    ----------
    model, layout, given, state, within
        As of ``Solutions``.
    potentials : mapping of str to number, optional
        Potentials of compartments, V, where they are known and not to be taken from the state.
    starting_gates : bool
        Take every gate where it starts, as given or at its steady value (before there is a state).
    """

    def __init__(
        self,
        model: Model,
        layout: Layout,
        given: Callable[[str], Any],
        state: Callable[[int], Any],
        within: Any,
        potentials: Mapping[str, Any] | None = None,
        starting_gates: bool = False,
    ) -> None:
        super().__init__(model, layout, given, state, within)
        self.starting_gates = starting_gates
        self._potentials: dict[str, Any] | None = None if potentials is None else dict(potentials)

    def potential(self, compartment: str) -> Any:
        """V against the ground."""
        if self._potentials is None:
            self._potentials = self._solve_charges() if self.layout.charges else {}
        if compartment in self._potentials:
            return self._potentials[compartment]
        i = self.layout.potential_index.get(compartment)
        return 0.0 if i is None else self.state(i)

    def _solve_charges(self) -> dict[str, Any]:
        """Potentials from charges: ``Σ C A (psi_in − psi_out) = Q`` for every free compartment, by elimination.

        Of a compartment that represents a floating part, the potential is the state itself.
        """
        index = self.layout.potential_index
        known: dict[str, Any] = {c: 0.0 for c in self.model.compartments if c not in index}
        known |= {c: self.state(index[c]) for c in self.layout.floats}
        free = [c for c in self.layout.potentials if c not in known]
        place = {c: i for i, c in enumerate(free)}
        rows: list[list[Any]] = [[0.0] * len(free) for _ in free]
        right: list[Any] = [self.state(index[c]) for c in free]
        for m in self.model.membranes.values():
            if not m.has_capacitance:
                continue
            capacity = self.capacity(m)
            for a, b in ((m.inside, m.outside), (m.outside, m.inside)):
                if a in place:
                    rows[place[a]][place[a]] = rows[place[a]][place[a]] + capacity
                    if b in place:
                        rows[place[a]][place[b]] = rows[place[a]][place[b]] - capacity
                    elif b in self.layout.floats:
                        right[place[a]] = right[place[a]] + capacity * known[b]
        solved = solve_linear(rows, right)
        return known | {c: solved[i] for c, i in place.items()}

    # -- membranes --------------------------------------------------------------------------------------------------

    def membrane_potential(self, membrane: Membrane) -> Any:
        """Inside minus outside, V."""
        return self.potential(membrane.inside) - self.potential(membrane.outside)

    def area(self, membrane: Membrane) -> Any:
        """m²; of a sphere or of the side of a cylinder where it follows the inside volume."""
        if membrane.geometry == "given":
            return self.quantity(f"membranes.{membrane.name}.area", membrane.area)
        volume = self.volume(membrane.inside)
        if membrane.geometry == "sphere":
            return (36.0 * math.pi) ** (1.0 / 3.0) * volume ** (2.0 / 3.0)
        return 2.0 * sqrt(math.pi * self.given(f"membranes.{membrane.name}.length") * volume)

    def capacity(self, membrane: Membrane) -> Any:
        """Capacitance times area, F."""
        path = f"membranes.{membrane.name}.specific_capacitance"
        return self.quantity(path, membrane.specific_capacitance) * self.area(membrane)

    def sides(self, membrane: Membrane) -> Sides:
        """The solutions on both sides of a membrane and the potential between them, as rate laws take them."""
        return sides_of(
            self.model,
            membrane,
            self.concentration,
            self.activity_coefficient,
            self.potential,
            self.temperature,
        )

    def cycles(self, membrane: Membrane, pathway: Pathway) -> Any:
        """Rate of a pathway, cycles outward, mol m⁻² s⁻¹."""
        return LAWS[pathway.law](self.sides(membrane), pathway.stoichiometry, self.arguments(membrane, pathway))

    def arguments(self, membrane: Membrane, pathway: Pathway) -> dict[str, Any]:
        """The law's numbers, SI, by the path below the pathway."""
        local = self.membrane_names(membrane, pathway)
        return {
            name: self.quantity(argument_path(membrane, pathway, name), value, local)
            for name, value in pathway.arguments.items()
        }

    def membrane_names(self, membrane: Membrane, pathway: Pathway | None = None) -> Callable[[str], Any]:
        """Resolver of names in a formula on a membrane: ``V``, ``E.K``, ``K.inside.activity``, ``K_delayed.n`` …"""
        gates = {g.name: g for g in pathway.gates} if pathway else {}

        def local(name: str) -> Any:
            if name == "V":
                return self.membrane_potential(membrane)
            if name == "area":
                return self.area(membrane)
            if pathway is not None and name in gates:
                return self.gate(membrane, pathway, gates[name])
            first, _, rest = name.partition(".")
            if first == "E":
                return self.sides(membrane).reversal_potential(rest)
            side, _, what = rest.partition(".")
            if side not in ("inside", "outside"):
                other = next(p for p in membrane.pathways if p.name == f"pathways.{first}")
                return self.gate(membrane, other, next(g for g in other.gates if g.name == rest))
            compartment = membrane.inside if side == "inside" else membrane.outside
            if first == "volume":
                return self.volume(compartment)
            value = self.concentration(compartment, first)
            return self.activity_coefficient(compartment, first) * value if what == "activity" else value

        return local

    def gate(self, membrane: Membrane, pathway: Pathway, gate: Gate) -> Any:
        """Value of a gate, 0 to 1."""
        if gate.is_state and not self.starting_gates:
            return self.state(self.layout.gate_index[membrane.name, pathway.name, gate.name])
        if gate.is_state and gate.initial is not None:
            return self.quantity(self._gate_path(membrane, pathway, gate, "initial"), gate.initial)
        return self._gate_formulas(membrane, pathway, gate)["steady"]

    def gate_rate(self, membrane: Membrane, pathway: Pathway, gate: Gate) -> Any:
        """dx/dt of a gate that is a state, s⁻¹."""
        x = self.gate(membrane, pathway, gate)
        known = self._gate_formulas(membrane, pathway, gate)
        speed = self.quantity(self._gate_path(membrane, pathway, gate, "speed"), gate.speed)
        if "time_constant" in known:
            return speed * ((known["steady"] - x) / known["time_constant"])
        return speed * (known["alpha"] * (1.0 - x) - known["beta"] * x)

    def _gate_formulas(self, membrane: Membrane, pathway: Pathway, gate: Gate) -> dict[str, Any]:
        known: dict[str, Any] = {}
        around = self.membrane_names(membrane, pathway)

        def local(name: str) -> Any:
            return known[name] if name in known else around(name)

        for key in ("alpha", "beta", "steady", "time_constant"):
            value = getattr(gate, key)
            if value is not None:
                known[key] = self.quantity(self._gate_path(membrane, pathway, gate, key), value, local)
        if "steady" not in known:
            known["steady"] = known["alpha"] / (known["alpha"] + known["beta"])
        return known

    def _gate_path(self, membrane: Membrane, pathway: Pathway, gate: Gate, key: str) -> str:
        return f"membranes.{membrane.name}.{pathway.name}.gates.{gate.name}.{key}"

    def water_flux(self, membrane: Membrane) -> Any:
        """Volume flux of water outward, m s⁻¹: ``P_f v_w (Σ sigma (osm_out − osm_in) + (p_in − p_out) / (R T))``."""
        path = f"membranes.{membrane.name}"
        assert membrane.water_permeability is not None
        permeability = self.quantity(f"{path}.water_permeability", membrane.water_permeability)
        weights = {name: self.given(f"{path}.reflection.{name}") for name in membrane.reflection}
        drive = self.osmolarity(membrane.outside, weights) - self.osmolarity(membrane.inside, weights)
        pressure = self.pressure_difference(membrane)
        if pressure is not None:
            drive = drive + pressure / (GAS_CONSTANT * self.temperature)
        return permeability * self.given("simulation.water_molar_volume") * drive

    def pressure_difference(self, membrane: Membrane) -> Any:
        """Hydrostatic pressure of the inside less that of the outside, Pa; None where no wall makes one.

        A wall presses alike on all that is within it, and so on the water of every membrane that leads out of it.
        """
        inside, outside = (self.model.walls_around[side] for side in (membrane.inside, membrane.outside))
        terms = [self.turgor(self.model.membranes[name]) for name in inside if name not in outside]
        terms += [-self.turgor(self.model.membranes[name]) for name in outside if name not in inside]
        return sum(terms[1:], terms[0]) if terms else None

    def turgor(self, membrane: Membrane) -> Any:
        """Pressure of a wall on all that is within it, Pa; 0 while the wall is slack."""
        path = f"membranes.{membrane.name}"
        stretch = self.enclosed_volume(membrane) / self.given(f"{path}.slack_volume") - 1.0
        return self.given(f"{path}.elastic_modulus") * maximum(stretch, 0.0)

    def enclosed_volume(self, membrane: Membrane) -> Any:
        """Volume of the inside of a membrane and the organelles in it, m³."""
        first, *others = self.model.enclosed[membrane.inside]
        return sum(map(self.volume, others), self.volume(first))

    # -- within and between compartments ----------------------------------------------------------------------------

    def compartment_names(self, compartment: str) -> Callable[[str], Any]:
        """Resolver of the names in a formula in a compartment: ``volume``, ``potential``, ``K``, ``K.activity``."""

        def local(name: str) -> Any:
            if name == "volume":
                return self.volume(compartment)
            if name == "potential":
                return self.potential(compartment)
            species, _, what = name.partition(".")
            value = self.concentration(compartment, species)
            return self.activity_coefficient(compartment, species) * value if what == "activity" else value

        return local

    def reaction_rate(self, reaction: Reaction) -> Any:
        """Net forward rate, mol m⁻³ s⁻¹."""
        forward, backward = self.reaction_rates(reaction)
        return forward - backward

    def reaction_rates(self, reaction: Reaction) -> tuple[Any, Any]:
        """Forward and backward rate, mol m⁻³ s⁻¹."""
        local = self.compartment_names(reaction.compartment)
        path = f"reactions.{reaction.name}"
        forward = self.quantity(f"{path}.forward", reaction.forward, local)
        backward = self.quantity(f"{path}.backward", reaction.backward, local)
        for name, count in reaction.reactants.items():
            forward = forward * self.concentration(reaction.compartment, name) ** count
        for name, count in reaction.products.items():
            backward = backward * self.concentration(reaction.compartment, name) ** count
        return forward, backward

    def exchange_rates(self, exchange: Exchange) -> dict[str, Any]:
        """Net amount that leaves ``inside`` for ``outside``, mol s⁻¹, by species."""
        rate = self.quantity(f"exchange.{exchange.name}.rate", exchange.rate) * self.volume(exchange.inside)
        here, there = (self.model.compartments[c].concentrations for c in (exchange.inside, exchange.outside))
        return {
            name: rate * (self.concentration(exchange.inside, name) - self.concentration(exchange.outside, name))
            for name in here
            if name in there
        }

    def supply_rate(self, source: Source) -> Any:
        """mol s⁻¹, into the compartment."""
        return self.quantity(f"sources.{source.name}.rate", source.rate, self.compartment_names(source.compartment))

    def exchange_current(self, exchange: Exchange) -> Any:
        """A, that leaves ``inside`` for ``outside`` with what is exchanged."""
        total: Any = 0.0
        for name, leaving in self.exchange_rates(exchange).items():
            total = total + (FARADAY * self.model.species[name].valence) * leaving
        return total

    def injected_current(self, injection: Injection) -> Any:
        """A, positive into the compartment."""
        path = f"injections.{injection.name}.current"
        return self.quantity(path, injection.current, self.compartment_names(injection.compartment))

    def held(self, clamp: Clamp | IonClamp) -> tuple[Any, Any]:
        """Whether a clamp is on (1 or 0), and what it then holds, V or mol m⁻³ (0 where it is off)."""
        switch: Any = 0.0
        value: Any = 0.0
        for k, hold in enumerate(clamp.holds, 1):
            path = f"clamps.{clamp.name}.hold_{k}"
            active = self.quantity(f"{path}.active", hold.active)
            switch = switch + active
            value = value + active * self.quantity(f"{path}.value", hold.value)
        return switch, value

    def beyond(self, event: Event) -> Any:
        """The quantity that an event watches less its level, SI."""
        names = None
        if event.on in self.model.membranes:
            names = self.membrane_names(self.model.membranes[event.on])
        elif event.on:
            names = self.compartment_names(event.place)
        path = f"events.{event.name}"
        return self.quantity(f"{path}.value", event.value, names) - self.quantity(f"{path}.level", event.level, names)

    def charge_of(self, pathway: Pathway) -> int:
        """Charges carried outward per cycle."""
        return sum(count * self.model.species[name].valence for name, count in pathway.stoichiometry.items())

    def current_density(self, membrane: Membrane) -> Any:
        """Net ionic current density of a membrane, positive outward, A m⁻²."""
        carrying = [p for p in membrane.pathways if self.charge_of(p)]
        return sum((FARADAY * self.charge_of(p) * self.cycles(membrane, p) for p in carrying), 0.0)
