"""The resolved model: what a scenario means, in SI units, immutable; also buildable from Python without a file.

Every quantity that enters the equations has a dotted *path* (``membranes.plasma.permeability.K``), the same one
by which a scenario file, ``--set``, a protocol or a sweep refers to it. The equations are built over paths, never
over values, so a changed number never changes the compiled program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import UnknownNameError
from ..formulas.formula import Formula, evaluate_float
from .electrodes import Electrode, Reference
from .fields import off_tape, placed, quantities_in
from .parts import Compartment, Exchange, Gate, Impermeant, Membrane, Pathway, Quantity, Reaction, Source, Species
from .protocol import Clamp, Event, Hold, Injection, IonClamp, Parameter, ParameterStep, Recording, Simulation
from .tracers import Tracer
from .validation import ACTIVITY_MODEL_NAMES, faults_of

__all__ = [
    "ACTIVITY_MODEL_NAMES",
    "Clamp",
    "Compartment",
    "Electrode",
    "Event",
    "Exchange",
    "Gate",
    "Hold",
    "Impermeant",
    "Injection",
    "IonClamp",
    "Membrane",
    "Model",
    "Parameter",
    "ParameterStep",
    "Pathway",
    "Quantity",
    "Reaction",
    "Recording",
    "Reference",
    "Simulation",
    "Source",
    "Species",
    "Tracer",
    "argument_path",
    "dependency_order",
]


@dataclass(frozen=True)
class Model:
    """A whole system. Build it from a file with ``iontide.load``, or in Python from its parts.

    Construction raises ``ValueError`` if the parts are inconsistent; for a scenario file such faults are reported
    earlier, with line numbers.
    """

    species: Mapping[str, Species]
    compartments: Mapping[str, Compartment]
    membranes: Mapping[str, Membrane]
    simulation: Simulation = off_tape()
    temperature: Quantity = placed("simulation.temperature", default=298.15)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    protocol: tuple[ParameterStep, ...] = off_tape(default=())
    recording: Recording = off_tape(default_factory=Recording)
    reactions: tuple[Reaction, ...] = ()
    exchanges: tuple[Exchange, ...] = placed("exchange", default=())
    injections: tuple[Injection, ...] = ()
    sources: tuple[Source, ...] = ()
    clamps: tuple[Clamp, ...] = ()
    ion_clamps: tuple[IonClamp, ...] = placed("clamps", default=())
    events: tuple[Event, ...] = ()
    tracers: tuple[Tracer, ...] = ()
    electrodes: tuple[Electrode, ...] = off_tape(default=())
    water_molar_volume: Quantity = placed("simulation.water_molar_volume", default=1.8069e-5)
    #: Of ATP hydrolysis, J mol⁻¹, for pumps whose law does not give it; in cytosol about −50 to −65 kJ/mol: Veech et
    #: al. 1979, J Biol Chem 254:6538; Golding, Teague & Dobson 1995, J Exp Biol 198:1775.
    atp_free_energy: Quantity = placed("simulation.atp_free_energy", default=-57e3)
    title: str = off_tape(default="")
    description: str = off_tape(default="")
    references: tuple[str, ...] = off_tape(default=())

    def __post_init__(self) -> None:
        fault = next(faults_of(self), None)
        if fault is not None:
            raise ValueError(fault)

    def membrane(self, name: str) -> Membrane:
        """The membrane with this name; raises ``UnknownNameError`` if there is none."""
        if name not in self.membranes:
            raise UnknownNameError("membrane", name, self.membranes)
        return self.membranes[name]

    def compartment(self, name: str) -> Compartment:
        """The compartment with this name; raises ``UnknownNameError`` if there is none."""
        if name not in self.compartments:
            raise UnknownNameError("compartment", name, self.compartments)
        return self.compartments[name]

    @property
    def every_clamp(self) -> tuple[Clamp | IonClamp, ...]:
        """The clamps of membranes, then those of ions."""
        return (*self.clamps, *self.ion_clamps)

    @property
    def every_setting(self) -> tuple[Mapping[str, Quantity], ...]:
        """New values of parameters: those of the protocol, then those of events."""
        return (*(step.settings for step in self.protocol), *(event.settings for event in self.events))

    @cached_property
    def ramped(self) -> frozenset[str]:
        """Parameters that some protocol entry ramps linearly."""
        return frozenset(name for step in self.protocol if step.over for name in step.settings)

    @cached_property
    def moving(self) -> frozenset[str]:
        """Parameters that change within a segment: ramped, or dependent on time or on another such parameter."""
        return self.made_of(self.ramped | {"t"}) - {"t"}

    @cached_property
    def changing(self) -> frozenset[str]:
        """Parameters that change during a run: set by protocol or events, moving, or dependent on such parameters."""
        return self.made_of(self.moving | {name for settings in self.every_setting for name in settings})

    def made_of(self, names: Set[str]) -> frozenset[str]:
        """These names, and the parameters whose formulas depend on them, directly or through other parameters."""
        dependents = set(names)
        while True:
            more = {
                name
                for name, p in self.parameters.items()
                if name not in dependents and isinstance(p.value, Formula) and p.value.names & dependents
            }
            if not more:
                return frozenset(dependents)
            dependents |= more

    @cached_property
    def enclosed(self) -> Mapping[str, tuple[str, ...]]:
        """Each compartment with those enclosed by it: itself, its organelles, and their organelles.

        An organelle is on the inside of all its membranes, and the same compartment is on the outside of all of them.
        """
        enclosed: dict[str, tuple[str, ...]] = {name: (name,) for name in self.compartments}
        for name in self.compartments:
            inner = name
            while (outer := self._surroundings(inner)) is not None:
                enclosed[outer] = (*enclosed[outer], name)
                inner = outer
        return enclosed

    def _surroundings(self, compartment: str) -> str | None:
        """The compartment that encloses an organelle; None if the compartment is not an organelle."""
        around = [m for m in self.membranes.values() if compartment in (m.inside, m.outside)]
        outsides = {m.outside for m in around}
        is_organelle = self.compartments[compartment].is_finite and len(outsides) == 1 and compartment not in outsides
        return outsides.pop() if is_organelle else None

    @cached_property
    def walls_around(self) -> Mapping[str, tuple[str, ...]]:
        """For each compartment, the membranes whose wall exerts pressure on it."""
        walls = [m for m in self.membranes.values() if m.elastic_modulus is not None]
        return {name: tuple(m.name for m in walls if name in self.enclosed[m.inside]) for name in self.compartments}

    def has_activity_correction(self, membrane: str, species: str) -> bool:
        """Whether the Nernst potential of an ion may differ from the one calculated with concentrations.

        True if it is charged and its activity coefficient on at least one side of the membrane is given by an activity
        model, by a formula, or by a number other than 1.
        """
        m = self.membranes[membrane]
        sides = (self.compartments[m.inside], self.compartments[m.outside])
        return self.species[species].valence != 0 and any(
            c.activity_coefficients.get(species, 1.0 if c.activity == "ideal" else None) != 1.0 for c in sides
        )

    def changes(self, quantity: Quantity) -> bool:
        """Whether a quantity changes during the run because of the parameters or the time in its formula."""
        return isinstance(quantity, Formula) and bool(quantity.names & (self.changing | {"t"}))

    def is_settled(self, quantity: Quantity) -> bool:
        """Whether a quantity changes at protocol steps only: a number, or a formula of such parameters."""
        return not isinstance(quantity, Formula) or quantity.names <= self._settled_names

    @cached_property
    def _settled_names(self) -> Set[str]:
        return self.parameters.keys() - self.moving

    def settled_quantities(self) -> Iterator[tuple[str, Quantity]]:
        """The quantities that are constant within each segment, with their paths; parameters included."""
        for path, quantity in self.quantities():
            if self.is_settled(quantity):
                yield path, quantity

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """Every quantity that enters the equations or the initial state, with its path, in a fixed order."""
        return quantities_in(self)

    def values(self, settings: Mapping[str, Quantity] | None = None) -> dict[str, float]:
        """The value (SI) of every settled quantity by path, with the parameters in ``settings`` replaced.

        Raises
        ------
        FormulaError
            If a formula refers to an unknown name, is circular, or has no finite value.
        """
        parameters = self.parameter_values(settings)
        values = {
            path: evaluate_float(q, parameters) if isinstance(q, Formula) else q
            for path, q in self.settled_quantities()
        }
        return values | {f"parameters.{name}": value for name, value in parameters.items()}

    def parameter_values(self, settings: Mapping[str, Quantity] | None = None) -> dict[str, float]:
        """The value (SI) of every parameter by name, with those in ``settings`` replaced.

        Parameters that depend on time, directly or through others, are left out; a ramped one has the value given in
        ``settings``.
        """
        chosen = {name: p.value for name, p in self.parameters.items()} | dict(settings or {})
        timed = {name for name in self.moving if name not in self.ramped}
        values: dict[str, float] = {}
        for name in dependency_order(chosen):
            q = chosen[name]
            if name not in timed:
                values[name] = evaluate_float(q, values) if isinstance(q, Formula) else q
        return values


def dependency_order(quantities: Mapping[str, Quantity]) -> list[str]:
    """Names in an order in which each comes after those its formula refers to.

    Raises
    ------
    ValueError
        If definitions are circular; the message lists the cycle.
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
                    cycle = [*trail[trail.index(need) :], need]
                    raise ValueError("the definitions are circular: " + " → ".join(cycle))
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
