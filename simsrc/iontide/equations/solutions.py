"""The solutions of a model at some moment: amounts, volumes, concentrations, activities, over any kind of number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..formulas.formula import Formula
from ..model.model import Compartment, Model, Quantity
from ..physics.activity import ionic_strength, log_gamma
from ..symbolic.expression import FUNCTIONS, exp
from .states import Layout


class Solutions:
    """The compartments of a model at a moment.

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
    """

    def __init__(
        self,
        model: Model,
        layout: Layout,
        given: Callable[[str], Any],
        state: Callable[[int], Any],
        within: Any,
    ) -> None:
        self.model, self.layout = model, layout
        self.given, self.state, self.within = given, state, within
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
        """Value of a quantity; ``local`` resolves the names that its formula may use besides the parameters."""
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
            return self._solutes(c) / self.osmolarity(self.osmotic_reference(compartment))
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
        c = self.model.compartments[compartment]
        if c.is_finite:
            return self.impermeant_amount(compartment, impermeant) / self.volume(compartment)
        balancing = next((i for i in c.impermeants if i.balances and i.name == impermeant), None)
        if balancing is None:
            return self.given(f"compartments.{compartment}.impermeants.{impermeant}.concentration")
        charge: Any = 0.0
        for name in c.concentrations:
            charge = charge + self.model.species[name].valence * self.concentration(compartment, name)
        for other in c.impermeants:
            if not other.balances:
                charge = charge + other.valence * self.impermeant_concentration(compartment, other.name)
        return charge / -balancing.valence

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

    def osmotic_reference(self, compartment: str) -> str:
        """The bath that sets the osmolarity of a compartment in osmotic equilibrium."""
        for m in self.model.membranes.values():
            for a, b in ((m.inside, m.outside), (m.outside, m.inside)):
                if a == compartment and not self.model.compartments[b].is_finite:
                    return b
        raise KeyError(compartment)
