"""The parts that a model is made of: plain immutable records in SI units.

A number may be given as a float (SI) or as a ``Formula``; either is a ``Quantity``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..formulas.formula import Formula
from .fields import Quantity, off_tape, placed


@dataclass(frozen=True)
class Species:
    """A mobile species: an ion, or a neutral solute (valence 0).

    Attributes
    ----------
    name : str
    valence : int
        Signed charge number.
    diffusion_coefficient : float or None
        In water at 25 °C, m² s⁻¹.
    ion_size : float or None
        Kielland's ion size parameter, m.
    source : str
        Where valence, mobility and size come from.
    truesdell_jones : tuple of float or None
        a0 (m) and b (kg mol⁻¹) of the Truesdell–Jones activity coefficient.
    """

    name: str
    valence: int
    diffusion_coefficient: float | None = off_tape(default=None)
    ion_size: float | None = None
    source: str = off_tape(default="")
    truesdell_jones: tuple[float, float] | None = None


@dataclass(frozen=True)
class Impermeant:
    """A solute that crosses no membrane but contributes to the charge and the osmolarity of its compartment.

    Attributes
    ----------
    name : str
    valence : float
        Mean charge number; need not be whole.
    concentration : Quantity or None
        Initial concentration, mol m⁻³; its amount is constant thereafter.
    amount : Quantity or None
        mol. Where both are None, the amount is the one that balances the charge of the compartment.
    """

    name: str
    valence: float
    concentration: Quantity | None = None
    amount: Quantity | None = None

    @property
    def balances(self) -> bool:
        """Whether the amount is chosen so that the charge of the compartment is exact."""
        return self.concentration is None and self.amount is None


@dataclass(frozen=True)
class Gate:
    """A gate of a channel: an open probability used in the formula of the pathway, such as ``m^3 * h``.

    Attributes
    ----------
    name : str
    alpha, beta : Formula or None
        Rates of opening and closing, s⁻¹: ``dx/dt = speed (alpha (1 − x) − beta x)``.
    steady, time_constant : Formula or None
        ``dx/dt = speed (steady − x) / time_constant``. A gate with ``steady`` alone always has its steady value
        and is not a state; ``steady`` may refer to ``alpha`` and ``beta``.
    speed : Quantity
        Temperature factor.
    initial : Quantity or None
        Initial value; None: its steady value.
    """

    name: str
    alpha: Quantity | None = None
    beta: Quantity | None = None
    steady: Quantity | None = None
    time_constant: Quantity | None = None
    speed: Quantity = 1.0
    initial: Quantity | None = None

    @property
    def is_state(self) -> bool:
        """Whether it is a state with a rate of change, not always at its steady value."""
        return self.time_constant is not None or (self.alpha is not None and self.steady is None)


@dataclass(frozen=True)
class Compartment:
    """A well-stirred solution.

    Attributes
    ----------
    name : str
    kind : {"finite", "bath", "floating bath"}
        ``finite``: amounts change with the fluxes. ``bath``: constant composition, potential 0 (ground).
        ``floating bath``: constant composition, free potential.
    volume : Quantity or None
        Solvent volume, m³; None for a bath.
    concentrations : mapping of str to Quantity
        Initial concentration of each mobile species, mol m⁻³.
    impermeants : tuple of Impermeant
    activity_coefficients : mapping of str to Quantity
        Constant activity coefficient of a species (1 where none is given).
    activity : str
        Name of the activity model (``physics.activity.ACTIVITY_MODELS``) for the species without an entry in
        ``activity_coefficients``.
    water : {"fixed", "osmotic", "equilibrium"}
        Whether the volume is constant, changes with the water fluxes through its membranes, or is always the one at
        which its osmolarity equals that of the adjacent bath.
    """

    name: str
    kind: Literal["finite", "bath", "floating bath"] = "finite"
    volume: Quantity | None = None
    concentrations: Mapping[str, Quantity] = field(default_factory=dict)
    impermeants: tuple[Impermeant, ...] = ()
    activity_coefficients: Mapping[str, Quantity] = field(default_factory=dict)
    water: Literal["fixed", "osmotic", "equilibrium"] = "fixed"
    activity: str = "ideal"

    @property
    def is_finite(self) -> bool:
        return self.kind == "finite"


@dataclass(frozen=True)
class Pathway:
    """A transport pathway through a membrane: the stoichiometry of one cycle, and the law that gives its rate.

    Attributes
    ----------
    name : str
        Its path below the membrane: ``permeability.K``, ``conductance.Na``, ``pathways.pump``.
    law : str
        Name of a rate law in ``physics.mechanisms``.
    stoichiometry : mapping of str to int
        Solutes carried outward (inside → outside) per cycle; negative inward.
    arguments : mapping of str to Quantity
        Arguments of the law, SI, by the path below ``name`` ("" for the value of the pathway itself).
    gates : tuple of Gate
        Gates, whose values the formulas of the arguments may use by name.
    driven_by : str
        Energy source (``"ATP"``); empty for a passive pathway, which must never transport against its driving force.
    """

    name: str
    law: str
    stoichiometry: Mapping[str, int]
    arguments: Mapping[str, Quantity] = placed("", default_factory=dict)
    driven_by: str = ""
    gates: tuple[Gate, ...] = ()

    @property
    def label(self) -> str:
        """Short name for display: ``K``, ``pump``."""
        return self.name.split(".", 1)[1]


@dataclass(frozen=True)
class Membrane:
    """A membrane between two compartments; outward is from ``inside`` to ``outside``.

    Attributes
    ----------
    name, inside, outside : str
    area : Quantity
        m²; not used if ``geometry`` makes the area a function of the inside volume.
    specific_capacitance : Quantity
        F m⁻²: greater than 0, or the number 0; with 0 the potential is the one at which no net current flows.
    potential : Quantity or "ghk" or None
        Initial potential, inside minus outside, V; ``"ghk"``: the potential at which the net current of this
        membrane is 0; None: it is determined by other membranes, or by the zero net current without a capacitance.
    pathways : tuple of Pathway
    geometry : {"given", "sphere", "cylinder"}
        Whether the area is given, or is that of a sphere, or of the lateral surface of a cylinder of fixed ``length``,
        with the volume of the inside.
    length : Quantity or None
        m, of a cylinder.
    water_permeability : Quantity or None
        Osmotic permeability P_f, m s⁻¹; None: no water passes.
    reflection : mapping of str to Quantity
        Reflection coefficient of a solute, 0 to 1 (1 where none is given).
    elastic_modulus, slack_volume : Quantity or None
        An elastic wall: above ``slack_volume`` it exerts a pressure ``elastic_modulus · (w / slack_volume − 1)``, Pa,
        on the inside and its organelles; w is their total volume.
    """

    name: str
    inside: str
    outside: str
    area: Quantity
    specific_capacitance: Quantity
    potential: Quantity | Literal["ghk"] | None = None
    pathways: tuple[Pathway, ...] = placed("", default=())
    geometry: Literal["given", "sphere", "cylinder"] = "given"
    length: Quantity | None = None
    water_permeability: Quantity | None = None
    reflection: Mapping[str, Quantity] = field(default_factory=dict)
    elastic_modulus: Quantity | None = None
    slack_volume: Quantity | None = None

    @property
    def unused(self) -> tuple[str, ...]:
        """Quantities that are not used: the area, if it is a function of the volume."""
        return () if self.geometry == "given" else ("area",)

    @property
    def has_capacitance(self) -> bool:
        """Whether it has a capacitance: only the number 0, not a formula, means that it has none."""
        return isinstance(self.specific_capacitance, Formula) or self.specific_capacitance != 0.0


@dataclass(frozen=True)
class Reaction:
    """Reversible mass action within a compartment: ``forward Π [reactants] − backward Π [products]``, mol m⁻³ s⁻¹."""

    name: str
    compartment: str
    reactants: Mapping[str, int]
    products: Mapping[str, int]
    forward: Quantity
    backward: Quantity

    @property
    def change(self) -> dict[str, int]:
        """Net change of each species in one reaction event; negative if it is consumed."""
        change = dict(self.products)
        for name, count in self.reactants.items():
            change[name] = change.get(name, 0) - count
        return change


@dataclass(frozen=True)
class Exchange:
    """Perfusion of a finite compartment from another: ``rate`` (s⁻¹) is the fraction of its solution replaced per time.

    Solutes and their charge are exchanged with the solution.
    """

    name: str
    inside: str
    outside: str
    rate: Quantity


@dataclass(frozen=True)
class Source:
    """A supply of solutes to a finite compartment from outside of the model, or their removal, without net charge.

    Attributes
    ----------
    name, compartment : str
    stoichiometry : mapping of str to int
        Count of each species (negative: removed); their charges add up to 0.
    rate : Quantity
        mol s⁻¹, by which each count is multiplied.
    """

    name: str
    compartment: str
    stoichiometry: Mapping[str, int]
    rate: Quantity
