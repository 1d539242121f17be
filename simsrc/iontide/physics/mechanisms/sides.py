"""The arguments of a rate law: the two solutions at a membrane and the potential between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...constants import FARADAY, GAS_CONSTANT
from ...model.model import Membrane, Model
from ...symbolic.expression import Number
from ..electrochemical import reversal_potential_in_laws


@dataclass(frozen=True)
class Sides:
    """The two solutions that a membrane parts, and the potential between them.

    Attributes
    ----------
    valence : mapping of str to int
    inside, outside : mapping of str to number, array or Expression
        Concentrations, mol m⁻³.
    inside_activity, outside_activity : mapping of str to number, array or Expression
        Activities (as concentrations), mol m⁻³.
    potential : number, array or Expression
        Inside minus outside, V.
    temperature : number, array or Expression
        K.
    """

    valence: Mapping[str, int]
    inside: Mapping[str, Number]
    outside: Mapping[str, Number]
    inside_activity: Mapping[str, Number]
    outside_activity: Mapping[str, Number]
    potential: Number
    temperature: Number

    @property
    def reduced_potential(self) -> Number:
        """phi = F V / (R T)."""
        return FARADAY / (GAS_CONSTANT * self.temperature) * self.potential

    def reversal_potential(self, ion: str) -> Number:
        """Nernst potential of an ion, V."""
        inside, outside = self.inside_activity[ion], self.outside_activity[ion]
        return reversal_potential_in_laws(self.valence[ion], inside, outside, self.temperature)


def sides_of(
    model: Model,
    membrane: Membrane,
    concentration: Callable[[str, str], Number],
    activity_coefficient: Callable[[str, str], Number],
    potential: Callable[[str], Number],
    temperature: Number,
) -> Sides:
    """The sides of one membrane, from functions of (compartment, species) and of compartment."""
    inside, outside = membrane.inside, membrane.outside
    names = [
        name for name in model.compartments[inside].concentrations if name in model.compartments[outside].concentrations
    ]
    c_in = {name: concentration(inside, name) for name in names}
    c_out = {name: concentration(outside, name) for name in names}
    return Sides(
        valence={name: model.species[name].valence for name in names},
        inside=c_in,
        outside=c_out,
        inside_activity={name: activity_coefficient(inside, name) * c for name, c in c_in.items()},
        outside_activity={name: activity_coefficient(outside, name) * c for name, c in c_out.items()},
        potential=potential(inside) - potential(outside),
        temperature=temperature,
    )
