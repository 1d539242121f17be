"""The resolved model: what a scenario means, in SI units, immutable; also buildable from Python without a file.

A number may be given as a float (SI) or as a ``Formula`` over the model's parameters; either is a ``Quantity``.
Every quantity that enters the equations has a dotted *path* (``membranes.plasma.permeability.K``), the same one
by which a scenario file, ``--set``, a protocol or a sweep speaks of it. The equations are built over paths, never
over values, so a changed number never changes the program that is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .formula import Formula, evaluate_float
from .units import DIMENSIONLESS, Dimension

Quantity = float | Formula


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
    """

    name: str
    valence: int
    diffusion_coefficient: float | None = None
    ion_size: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Impermeant:
    """A solute that no membrane lets through: it counts in the charge (and the osmolarity) of its compartment.

    Attributes
    ----------
    name : str
    valence : float
        Mean charge number; need not be whole.
    concentration : Quantity or None
        Initial concentration, mol m⁻³; its amount is kept thereafter.
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
class Compartment:
    """A well-stirred solution.

    Attributes
    ----------
    name : str
    kind : {"finite", "bath", "floating bath"}
        ``finite``: amounts follow the fluxes. ``bath``: composition kept, potential 0 (ground).
        ``floating bath``: composition kept, potential free.
    volume : Quantity or None
        Solvent volume, m³; None for a bath.
    concentrations : mapping of str to Quantity
        Initial concentration of each mobile species, mol m⁻³.
    impermeants : tuple of Impermeant
    activity_coefficients : mapping of str to Quantity
        Constant activity coefficient of a species (1 where none is given).
    """

    name: str
    kind: Literal["finite", "bath", "floating bath"] = "finite"
    volume: Quantity | None = None
    concentrations: Mapping[str, Quantity] = field(default_factory=dict)
    impermeants: tuple[Impermeant, ...] = ()
    activity_coefficients: Mapping[str, Quantity] = field(default_factory=dict)

    @property
    def is_finite(self) -> bool:
        return self.kind == "finite"


@dataclass(frozen=True)
class Pathway:
    """One way through a membrane: what one cycle moves, and the law that gives its rate.

    Attributes
    ----------
    name : str
        Its place below the membrane: ``permeability.K``, ``conductance.Na``, ``pathways.pump``.
    law : str
        Name of a rate law in ``iontide.mechanisms``.
    moves : mapping of str to int
        Ions carried outward (inside → outside) per cycle; negative inward.
    arguments : mapping of str to Quantity
        The law's numbers, SI, by the path below ``name`` ("" for the pathway's own value).
    driven_by : str
        What pays for it (``"ATP"``); empty for a passive pathway, which must never run uphill.
    """

    name: str
    law: str
    moves: Mapping[str, int]
    arguments: Mapping[str, Quantity] = field(default_factory=dict)
    driven_by: str = ""

    @property
    def label(self) -> str:
        """Name for a person: ``K``, ``pump``."""
        return self.name.split(".", 1)[1]


@dataclass(frozen=True)
class Membrane:
    """A membrane between two compartments; outward is from ``inside`` to ``outside``.

    Attributes
    ----------
    name, inside, outside : str
    area : Quantity
        m².
    specific_capacitance : Quantity
        F m⁻², greater than 0.
    potential : Quantity or "ghk" or None
        Initial potential, inside minus outside, V; ``"ghk"``: the potential at which the net current of this
        membrane is 0; None: it follows from the other membranes.
    pathways : tuple of Pathway
    """

    name: str
    inside: str
    outside: str
    area: Quantity
    specific_capacitance: Quantity
    potential: Quantity | Literal["ghk"] | None = None
    pathways: tuple[Pathway, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """A named value that formulas refer to and that ``--set``, a protocol or a sweep may change.

    Attributes
    ----------
    name : str
    value : Quantity
        SI; a formula may refer to parameters, in any order but not in a circle.
    dimension : Dimension
        What it is measured in; a new value must be of the same dimension.
    """

    name: str
    value: Quantity
    dimension: Dimension = DIMENSIONLESS


@dataclass(frozen=True)
class ParameterStep:
    """From ``start`` (s) to ``end`` (s; None: for good) the parameters in ``settings`` have other values (SI).

    Where two overlap, the one that comes later in the protocol counts.
    """

    start: float
    end: float | None
    settings: Mapping[str, Quantity]


@dataclass(frozen=True)
class Recording:
    """When samples are taken.

    ``linear``: ``points`` samples evenly from 0 to the end. ``log``: 0, then ``points`` samples from ``first`` (s)
    to the end, evenly in log t. ``list``: at ``times`` (s). ``steps``: at 0 and after every step of the solver.
    Both sides of every protocol step are recorded besides. The steps of the solver never depend on it.
    """

    spacing: Literal["linear", "log", "list", "steps"] = "linear"
    points: int = 501
    first: float | None = None
    times: tuple[float, ...] = ()
    quantities: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Simulation:
    """How long and how exactly: duration (s), relative tolerance, whether to stop at a steady state."""

    duration: float
    relative_tolerance: float = 1e-7
    stop_at_steady_state: bool = False
    max_steps: int = 10_000_000


@dataclass(frozen=True)
class Model:
    """A whole system. Build it from a file with ``iontide.load``, or in Python from its parts.

    ``Model.check`` (run on construction) raises ``ValueError`` where the parts do not fit together; a scenario
    file has been told of such faults, with lines, before it comes to that.
    """

    species: Mapping[str, Species]
    compartments: Mapping[str, Compartment]
    membranes: Mapping[str, Membrane]
    simulation: Simulation
    temperature: Quantity = 298.15
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    protocol: tuple[ParameterStep, ...] = ()
    recording: Recording = Recording()
    title: str = ""
    description: str = ""
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for membrane in self.membranes.values():
            for side in (membrane.inside, membrane.outside):
                if side not in self.compartments:
                    raise ValueError(f"membrane {membrane.name}: there is no compartment {side}")
            for pathway in membrane.pathways:
                for name in pathway.moves:
                    if name not in self.species:
                        raise ValueError(f"membrane {membrane.name}: there is no species {name}")
                    for side in (membrane.inside, membrane.outside):
                        if name not in self.compartments[side].concentrations:
                            raise ValueError(
                                f"membrane {membrane.name}: {side} gives no concentration of {name}"
                            )

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """Every quantity that enters the equations or the initial state, with its path, in a fixed order."""
        yield "simulation.temperature", self.temperature
        for compartment in self.compartments.values():
            path = f"compartments.{compartment.name}"
            if compartment.volume is not None:
                yield f"{path}.volume", compartment.volume
            for name, value in compartment.concentrations.items():
                yield f"{path}.concentrations.{name}", value
            for impermeant in compartment.impermeants:
                if impermeant.concentration is not None:
                    yield f"{path}.impermeants.{impermeant.name}.concentration", impermeant.concentration
                if impermeant.amount is not None:
                    yield f"{path}.impermeants.{impermeant.name}.amount", impermeant.amount
            for name, value in compartment.activity_coefficients.items():
                yield f"{path}.activity_coefficients.{name}", value
        for membrane in self.membranes.values():
            path = f"membranes.{membrane.name}"
            yield f"{path}.area", membrane.area
            yield f"{path}.capacitance", membrane.specific_capacitance
            if membrane.potential is not None and membrane.potential != "ghk":
                yield f"{path}.potential", membrane.potential
            for pathway in membrane.pathways:
                for argument, value in pathway.arguments.items():
                    yield argument_path(membrane, pathway, argument), value

    def values(self, settings: Mapping[str, Quantity] | None = None) -> dict[str, float]:
        """The value (SI) of every quantity by path, with the parameters in ``settings`` replaced.

        Raises
        ------
        FormulaError
            Where a formula refers to what is not there, goes round in a circle, or does not come out finite.
        """
        parameters = self.parameter_values(settings)
        return {
            path: evaluate_float(q, parameters) if isinstance(q, Formula) else q
            for path, q in self.quantities()
        }

    def parameter_values(self, settings: Mapping[str, Quantity] | None = None) -> dict[str, float]:
        """The value (SI) of every parameter by name, with those in ``settings`` replaced."""
        chosen = {name: p.value for name, p in self.parameters.items()} | dict(settings or {})
        values: dict[str, float] = {}
        for name in dependency_order(chosen):
            q = chosen[name]
            values[name] = evaluate_float(q, values) if isinstance(q, Formula) else q
        return values


def dependency_order(quantities: Mapping[str, Quantity]) -> list[str]:
    """Names so ordered that each comes after those its formula refers to.

    Raises
    ------
    ValueError
        Where the definitions go round in a circle; the message names the circle.
    """
    order: list[str] = []
    done: set[str] = set()
    for root in quantities:
        stack: list[tuple[str, Iterator[str]]] = []
        trail: list[str] = []

        def enter(name: str) -> None:
            value = quantities[name]
            needs = sorted(value.names) if isinstance(value, Formula) else []
            stack.append((name, iter([n for n in needs if n in quantities])))  # noqa: B023
            trail.append(name)  # noqa: B023

        if root in done:
            continue
        enter(root)
        while stack:
            name, needs = stack[-1]
            for need in needs:
                if need in done:
                    continue
                if need in trail:
                    circle = [*trail[trail.index(need) :], need]
                    raise ValueError("the definitions go round in a circle: " + " → ".join(circle))
                enter(need)
                break
            else:
                stack.pop()
                trail.pop()
                done.add(name)
                order.append(name)
    return order


def argument_path(membrane: Membrane, pathway: Pathway, argument: str) -> str:
    """Path of one argument of a pathway: ``membranes.plasma.permeability.K``."""
    path = f"membranes.{membrane.name}.{pathway.name}"
    return f"{path}.{argument}" if argument else path
