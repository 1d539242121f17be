"""Build the Model from a checked draft."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, cast

from ..formulas.formula import parse_formula
from ..formulas.units import Dimension
from ..model.model import (
    Compartment,
    Exchange,
    Gate,
    Impermeant,
    Injection,
    Membrane,
    Model,
    Parameter,
    Pathway,
    Quantity,
    Reaction,
    Recording,
    Simulation,
    Source,
)
from .checks.contents.reactions import equation_of, rinsed
from .checks.contents.stoichiometry import stoichiometry_of
from .checks.contents.tracers import build_tracers
from .checks.context.draft import Draft
from .checks.electrodes import build_electrodes
from .checks.membranes.diffusion import coupling
from .checks.membranes.pathways import flattened
from .checks.membranes.water import shape_of
from .checks.protocol.clamps import build_clamps, switch_of
from .checks.protocol.events import build_event
from .checks.protocol.recording import TEMPERATURE_PATH
from .checks.protocol.steps import injection_parameter, steps_of
from .checks.protocol.targets import changed_places, kind_of_place
from .library.laws import FORMULA, LIBRARY, TABLES
from .library.transporters import TRANSPORTERS
from .schema import quantity_kinds
from .schema.document import GateTable, MembraneTable, ReactionTable
from .schema.protocol import TimesTable
from .text.key_lines import KeyPath

#: Molar volume of water, m³ mol⁻¹, where the file gives none.
WATER_MOLAR_VOLUME = 1.8069e-5


def build_model(draft: Draft) -> Model:
    """The model that a draft without faults describes."""
    document = draft.document
    implicit = _implicit_parameters(draft)
    clamps, ion_clamps = build_clamps(draft)
    return Model(
        species=draft.species,
        compartments={name: _compartment(draft, name, implicit) for name in document.compartments},
        membranes={name: _membrane(draft, name, table) for name, table in document.membranes.items()}
        | {name: coupling(draft, name, table) for name, table in document.diffusion.items()},
        simulation=_simulation(draft),
        temperature=_changeable(draft, implicit, *TEMPERATURE_PATH),
        water_molar_volume=_or_default(draft, WATER_MOLAR_VOLUME, "simulation", "water_molar_volume"),
        atp_free_energy=_or_default(draft, Model.atp_free_energy, "simulation", "atp_free_energy"),
        parameters={**draft.quantities.parameters, **implicit},
        protocol=tuple(step for index in range(len(document.protocol)) for step in steps_of(draft, index)),
        recording=_recording(draft),
        reactions=tuple(_reaction(draft, name, table) for name, table in document.reactions.items()),
        exchanges=tuple(
            Exchange(name, *rinsed(draft, table), _quantity(draft, "exchange", name, "rate"))
            for name, table in document.exchange.items()
        ),
        sources=tuple(
            Source(name, table.into, table.stoichiometry, _quantity(draft, "sources", name, "rate"))
            for name, table in document.sources.items()
        ),
        injections=tuple(
            Injection(
                parameter.split(".")[1],
                entry.inject.into,
                entry.inject.carried_by,
                parse_formula(parameter),
                entry.inject.out_of,
            )
            for index, entry in enumerate(document.protocol)
            if entry.inject is not None
            for parameter in [injection_parameter(draft, index)]
        ),
        clamps=clamps,
        ion_clamps=ion_clamps,
        events=tuple(build_event(draft, index, table) for index, table in enumerate(document.events)),
        tracers=build_tracers(draft),
        electrodes=build_electrodes(draft),
        title=document.title,
        description=document.description,
        references=tuple(document.source),
    )


def _quantity(draft: Draft, *path: str | int) -> Quantity:
    return draft.quantities.quantities[path]


def _optional(draft: Draft, *path: str | int) -> Quantity | None:
    return draft.quantities.quantities.get(path)


def _or_default(draft: Draft, default: Quantity, *path: str | int) -> Quantity:
    return draft.quantities.quantities.get(path, default)


def _value(draft: Draft, *path: str | int) -> float:
    return draft.quantities.values[path]


def _simulation(draft: Draft) -> Simulation:
    table = draft.document.simulation
    duration = _value(draft, "simulation", "duration")
    if table.max_steps is None:
        return Simulation(duration, table.rtol, table.stop_at_steady_state)
    return Simulation(duration, table.rtol, table.stop_at_steady_state, table.max_steps)


def _changeable(draft: Draft, implicit: Collection[str], *path: str | int) -> Quantity:
    """The quantity in the file, or the parameter that represents it where the protocol changes it."""
    parameter = ".".join(map(str, path))
    return parse_formula(parameter) if parameter in implicit else _quantity(draft, *path)


def _implicit_parameters(draft: Draft) -> dict[str, Parameter]:
    """The parameters that represent other quantities which the protocol changes, by their dotted paths."""
    parameters: dict[str, Parameter] = {}
    for name, place in changed_places(draft).items():
        dimension = kind_of_place(place).dimension
        parameters[name] = Parameter(name, _quantity(draft, *place), cast(Dimension, dimension))
    for index, entry in enumerate(draft.document.protocol):
        if entry.inject is not None:
            name = injection_parameter(draft, index)
            parameters[name] = Parameter(name, 0.0, cast(Dimension, quantity_kinds.CURRENT.dimension))
        if entry.clamp is not None:
            parameters[switch_of(draft, index)] = Parameter(switch_of(draft, index), 0.0)
    return parameters


def _reaction(draft: Draft, name: str, table: ReactionTable) -> Reaction:
    sides = equation_of(table.equation)
    assert sides is not None
    forward, backward = (_quantity(draft, "reactions", name, key) for key in ("forward", "backward"))
    return Reaction(name, table.in_, *sides, forward, backward)


def _compartment(draft: Draft, name: str, implicit: Collection[str]) -> Compartment:
    table, path = draft.document.compartments[name], ("compartments", name)
    return Compartment(
        name,
        cast(Literal["finite", "bath", "floating bath"], draft.kind_of(name)),
        _optional(draft, *path, "volume"),
        {ion: _changeable(draft, implicit, *path, "concentrations", ion) for ion in table.concentrations},
        tuple(
            Impermeant(
                solute,
                _value(draft, *path, "impermeants", solute, "valence"),
                _optional(draft, *path, "impermeants", solute, "concentration"),
                _optional(draft, *path, "impermeants", solute, "amount"),
            )
            for solute in table.impermeants
        ),
        {ion: _quantity(draft, *path, "activity_coefficients", ion) for ion in table.activity_coefficients},
        table.water,
        table.activity,
    )


def _membrane(draft: Draft, name: str, table: MembraneTable) -> Membrane:
    path = ("membranes", name)
    pathways = [
        Pathway(f"{law.table}.{ion}", law.name, {ion: 1}, {"": _quantity(draft, *path, law.table, ion)})
        for law in TABLES.values()
        for ion in getattr(table, law.table)
    ]
    for pathway, given in table.pathways.items():
        below: KeyPath = (*path, "pathways", pathway)
        gates = tuple(_gate(draft, (*below, "gates", gate), gate, given.gates[gate]) for gate in given.gates)
        if given.ion is not None:
            channel = next(law for law in TABLES.values() if law.table in (given.model_extra or {}))
            value = _quantity(draft, *below, channel.table)
            pathways.append(Pathway(f"pathways.{pathway}", channel.name, {given.ion: 1}, {"": value}, gates=gates))
            continue
        law = LIBRARY[given.law] if given.law is not None else FORMULA
        stoichiometry, present = stoichiometry_of(given, law), flattened(given.model_extra or {})
        arguments = {
            argument: _quantity(draft, *below, *argument.split("."))
            for argument in law.every_kind(stoichiometry)
            if argument in present
        }
        driven_by = given.driven_by or law.driven_by
        if law is FORMULA and given.driven_by is None and given.transporter is not None:
            driven_by = TRANSPORTERS[given.transporter].driven_by
        pathways.append(Pathway(f"pathways.{pathway}", law.name, dict(stoichiometry), arguments, driven_by, gates))
    shape, wall = shape_of(table), (*path, "wall")
    return Membrane(
        name,
        table.inside,
        table.outside,
        _quantity(draft, *path, "area") if shape == "given" else _value(draft, *path, "area"),
        _quantity(draft, *path, "specific_capacitance"),
        "ghk" if table.potential == "ghk" else _optional(draft, *path, "potential"),
        tuple(pathways),
        cast(Literal["given", "sphere", "cylinder"], shape),
        _optional(draft, *path, "area", "cylinder", "length"),
        _optional(draft, *path, "water_permeability"),
        {solute: _quantity(draft, *path, "reflection", solute) for solute in table.reflection},
        _optional(draft, *wall, "elastic_modulus"),
        _optional(draft, *wall, "slack_volume"),
    )


def _gate(draft: Draft, path: KeyPath, name: str, table: GateTable) -> Gate:
    given = {key: _optional(draft, *path, key) for key in ("alpha", "beta", "steady", "time_constant", "initial")}
    return Gate(name, **given, speed=_or_default(draft, 1.0, *path, "speed"))


def _recording(draft: Draft) -> Recording:
    table = draft.document.recording
    quantities = None if table.quantities is None else tuple(table.quantities)
    path = ("recording", "times")
    times = table.times
    if isinstance(times, TimesTable):
        return Recording(times.spacing, times.points, draft.value(*path, "first"), quantities=quantities)
    if isinstance(times, list):
        sampled = tuple(_value(draft, *path, index) for index in range(len(times)))
        return Recording("list", points=len(sampled), times=sampled, quantities=quantities)
    if times == "steps":
        return Recording("steps", quantities=quantities)
    return Recording(quantities=quantities)
