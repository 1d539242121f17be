"""Every quantity of a model at some moment, over any kind of number.

The same lines draw the equations (over expressions), compute what follows from a trajectory (over arrays of samples)
and find the initial state (over floats): they differ only in what a state, a given value and the time are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from .activity import ionic_strength, log_gamma
from .constants import FARADAY, GAS_CONSTANT
from .expression import FUNCTIONS, exp, maximum, sqrt
from .formula import Formula
from .layout import Layout
from .linear import solve_linear
from .mechanisms import LAWS, Sides, sides_of
from .model import Compartment, Exchange, Gate, Injection, Membrane, Model, Pathway, Quantity, Reaction, argument_path


class Evaluation:
    """A model at a moment.

    Parameters
    ----------
    model : Model
    layout : Layout
    given : callable
        From a path to the value (SI) that holds throughout a segment.
    state : callable
        From a place in the state vector to its value, mol, m³, 1, V or C.
    within : number
        Time since the start of the segment, s.
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
        self.model, self.layout = model, layout
        self.given, self.state, self.within = given, state, within
        self.starting_gates = starting_gates
        self._potentials: dict[str, Any] | None = None if potentials is None else dict(potentials)
        self._parameters: dict[str, Any] = {}
        self._log_gamma: dict[str, dict[str, Any]] = {}

    # -- numbers and formulas ---------------------------------------------------------------------------------------

    @property
    def time(self) -> Any:
        """Time since the start of the run, s."""
        return self.given("segment.start") + self.within

    @property
    def temperature(self) -> Any:
        """K."""
        return self.quantity("simulation.temperature", self.model.temperature)

    def parameter(self, name: str) -> Any:
        """Value of a parameter, SI."""
        if name not in self._parameters:
            value = self.model.parameters[name].value
            if name in self.model.ramped:
                slope = self.given(f"parameters.{name}.slope")
                self._parameters[name] = self.given(f"parameters.{name}") + slope * self.within
            elif name in self.model.moving:
                assert isinstance(value, Formula)
                self._parameters[name] = value.evaluate(lambda other: self._name(other, None), FUNCTIONS)
            else:
                self._parameters[name] = self.given(f"parameters.{name}")
        return self._parameters[name]

    def quantity(self, path: str, value: Quantity, local: Callable[[str], Any] | None = None) -> Any:
        """Value of a quantity; ``local`` gives the names that its place knows besides the parameters."""
        if self.model.is_settled(value):
            return self.given(path)
        assert isinstance(value, Formula)
        return value.evaluate(lambda name: self._name(name, local), FUNCTIONS)

    def _name(self, name: str, local: Callable[[str], Any] | None) -> Any:
        if name in self.model.parameters:
            return self.parameter(name)
        if name == "t":
            return self.time
        if name == "T":
            return self.temperature
        if local is None:
            raise KeyError(name)
        return local(name)

    # -- compartments -----------------------------------------------------------------------------------------------

    def amount(self, compartment: str, species: str) -> Any:
        """Amount in a finite compartment, mol."""
        i = self.layout.amount_index.get((compartment, species))
        if i is not None:
            return self.state(i)
        path = f"compartments.{compartment}"
        # Nothing moves it: it stays what it was at the start.
        return self.given(f"{path}.initial_concentrations.{species}") * self.given(f"{path}.initial_volume")

    def impermeant_amount(self, compartment: str, impermeant: str) -> Any:
        """Amount of an impermeant in a finite compartment, mol; it never changes."""
        return self.given(f"compartments.{compartment}.impermeant_amounts.{impermeant}")

    def volume(self, compartment: str) -> Any:
        """Solvent volume of a finite compartment, m³."""
        c = self.model.compartments[compartment]
        if c.water == "equilibrium":
            return self._solutes(c) / self.osmolarity(self._osmotic_reference(compartment))
        i = self.layout.volume_index.get(compartment)
        if i is not None:
            return self.state(i)
        return self.given(f"compartments.{compartment}.initial_volume")

    def concentration(self, compartment: str, species: str) -> Any:
        """mol m⁻³."""
        c = self.model.compartments[compartment]
        if not c.is_finite:
            path = f"compartments.{compartment}.concentrations.{species}"
            return self.quantity(path, c.concentrations[species])
        if c.water == "fixed" and (compartment, species) not in self.layout.amount_index:
            return self.given(f"compartments.{compartment}.initial_concentrations.{species}")
        return self.amount(compartment, species) / self.volume(compartment)

    def activity_coefficient(self, compartment: str, species: str) -> Any:
        """Activity coefficient; the number 1 of an ideal solution leaves no trace in the tape."""
        c = self.model.compartments[compartment]
        given = c.activity_coefficients
        if species not in given:
            if c.activity == "ideal":
                return 1.0
            if compartment not in self._log_gamma:
                self._log_gamma[compartment] = self._activity_model(c)
            return exp(self._log_gamma[compartment][species])
        return self.quantity(f"compartments.{compartment}.activity_coefficients.{species}", given[species])

    def ionic_strength(self, compartment: str) -> Any:
        """½ Σ z² c over all solutes, impermeants too, mol m⁻³."""
        c = self.model.compartments[compartment]
        contents = {name: self.concentration(compartment, name) for name in c.concentrations}
        valence: dict[str, float] = {name: self.model.species[name].valence for name in contents}
        for impermeant in c.impermeants:
            key = f"impermeants.{impermeant.name}"
            contents[key] = self.impermeant_concentration(compartment, impermeant.name)
            valence[key] = impermeant.valence
        return ionic_strength(contents, valence)

    def _activity_model(self, c: Compartment) -> dict[str, Any]:
        return log_gamma(
            c.activity,
            {name: self.model.species[name] for name in c.concentrations},
            self.ionic_strength(c.name),
            self.temperature,
            {name: self.concentration(c.name, name) for name in c.concentrations},
        )

    def impermeant_concentration(self, compartment: str, impermeant: str) -> Any:
        """mol m⁻³."""
        if self.model.compartments[compartment].is_finite:
            return self.impermeant_amount(compartment, impermeant) / self.volume(compartment)
        return self.given(f"compartments.{compartment}.impermeants.{impermeant}.concentration")

    def osmolarity(self, compartment: str, reflection: Mapping[str, Any] | None = None) -> Any:
        """Σ c of all solutes, impermeants too, each times its reflection coefficient (1 where none is given)."""
        c = self.model.compartments[compartment]
        weights = reflection or {}
        total: Any = 0.0
        for name in c.concentrations:
            total = total + weights.get(name, 1.0) * self.concentration(compartment, name)
        for impermeant in c.impermeants:
            here = self.impermeant_concentration(compartment, impermeant.name)
            total = total + weights.get(impermeant.name, 1.0) * here
        return total

    def _solutes(self, c: Compartment) -> Any:
        """Amount of all solutes in a finite compartment, mol."""
        total: Any = 0.0
        for name in c.concentrations:
            total = total + self.amount(c.name, name)
        for impermeant in c.impermeants:
            total = total + self.impermeant_amount(c.name, impermeant.name)
        return total

    def _osmotic_reference(self, compartment: str) -> str:
        """The bath that sets the osmolarity of a compartment in osmotic equilibrium."""
        for m in self.model.membranes.values():
            for a, b in ((m.inside, m.outside), (m.outside, m.inside)):
                if a == compartment and not self.model.compartments[b].is_finite:
                    return b
        raise KeyError(compartment)

    def potential(self, compartment: str) -> Any:
        """V against the ground."""
        if self._potentials is None:
            self._potentials = self._solve_charges() if self.layout.charges else {}
        if compartment in self._potentials:
            return self._potentials[compartment]
        i = self.layout.potential_index.get(compartment)
        return 0.0 if i is None else self.state(i)

    def _solve_charges(self) -> dict[str, Any]:
        """Potentials from charges: ``Σ C A (psi_in − psi_out) = Q`` for every free compartment, by elimination."""
        free = self.layout.potentials
        place = {c: i for i, c in enumerate(free)}
        rows: list[list[Any]] = [[0.0] * len(free) for _ in free]
        right: list[Any] = [self.state(self.layout.potential_index[c]) for c in free]
        for m in self.model.membranes.values():
            capacity = self.capacity(m)
            ends = [c for c in (m.inside, m.outside) if c in place]
            for a in ends:
                for b in ends:
                    rows[place[a]][place[b]] = rows[place[a]][place[b]] + (capacity if a == b else -capacity)
        solved = solve_linear(rows, right)
        return {c: solved[i] for c, i in place.items()} | {c: 0.0 for c in self.model.compartments if c not in place}

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
        path = f"membranes.{membrane.name}.capacitance"
        return self.quantity(path, membrane.specific_capacitance) * self.area(membrane)

    def sides(self, membrane: Membrane) -> Sides:
        """What the laws of a membrane see."""
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
        return LAWS[pathway.law](self.sides(membrane), pathway.moves, self.arguments(membrane, pathway))

    def arguments(self, membrane: Membrane, pathway: Pathway) -> dict[str, Any]:
        """The law's numbers, SI, by the path below the pathway."""
        local = self.membrane_names(membrane, pathway)
        return {
            name: self.quantity(argument_path(membrane, pathway, name), value, local)
            for name, value in pathway.arguments.items()
        }

    def membrane_names(self, membrane: Membrane, pathway: Pathway | None = None) -> Callable[[str], Any]:
        """What a formula on a membrane may name: ``V``, ``E.K``, ``K.inside.activity``, gates (``K_delayed.n``), …"""
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
        """Volume flux of water outward, m s⁻¹: ``P_f v_w (Σ sigma (osm_out − osm_in) + p / (R T))``."""
        path = f"membranes.{membrane.name}"
        assert membrane.water_permeability is not None
        permeability = self.quantity(f"{path}.water_permeability", membrane.water_permeability)
        weights = {name: self.given(f"{path}.reflection.{name}") for name in membrane.reflection}
        drive = self.osmolarity(membrane.outside, weights) - self.osmolarity(membrane.inside, weights)
        if membrane.elastic_modulus is not None:
            drive = drive + self.turgor(membrane) / (GAS_CONSTANT * self.temperature)
        return permeability * self.given("simulation.water_molar_volume") * drive

    def turgor(self, membrane: Membrane) -> Any:
        """Pressure of the inside against its wall, Pa; 0 while the wall is slack."""
        path = f"membranes.{membrane.name}"
        stretch = self.volume(membrane.inside) / self.given(f"{path}.slack_volume") - 1.0
        return self.given(f"{path}.elastic_modulus") * maximum(stretch, 0.0)

    # -- within and between compartments ----------------------------------------------------------------------------

    def compartment_names(self, compartment: str) -> Callable[[str], Any]:
        """What a formula in a compartment may name: ``volume``, ``potential``, ``K``, ``K.activity``."""

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
        local = self.compartment_names(reaction.compartment)
        path = f"reactions.{reaction.name}"
        forward = self.quantity(f"{path}.forward", reaction.forward, local)
        backward = self.quantity(f"{path}.backward", reaction.backward, local)
        for name, count in reaction.reactants.items():
            forward = forward * self.concentration(reaction.compartment, name) ** count
        for name, count in reaction.products.items():
            backward = backward * self.concentration(reaction.compartment, name) ** count
        return forward - backward

    def exchange_rates(self, exchange: Exchange) -> dict[str, Any]:
        """What leaves ``inside`` for ``outside``, mol s⁻¹, by species."""
        rate = self.quantity(f"exchange.{exchange.name}.rate", exchange.rate) * self.volume(exchange.inside)
        here, there = (self.model.compartments[c].concentrations for c in (exchange.inside, exchange.outside))
        return {
            name: rate * (self.concentration(exchange.inside, name) - self.concentration(exchange.outside, name))
            for name in here
            if name in there
        }

    def injected_current(self, injection: Injection) -> Any:
        """A, positive into the compartment."""
        path = f"injections.{injection.name}.current"
        return self.quantity(path, injection.current, self.compartment_names(injection.compartment))

    def charge_of(self, pathway: Pathway) -> int:
        """Charges carried outward per cycle."""
        return sum(count * self.model.species[name].valence for name, count in pathway.moves.items())

    def current_density(self, membrane: Membrane) -> Any:
        """Net ionic current density of a membrane, positive outward, A m⁻²."""
        carrying = [p for p in membrane.pathways if self.charge_of(p)]
        return sum((FARADAY * self.charge_of(p) * self.cycles(membrane, p) for p in carrying), 0.0)
