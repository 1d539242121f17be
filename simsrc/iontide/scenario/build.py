"""A checked draft made into a Model."""

from __future__ import annotations

from typing import Literal, cast

from ..model import (
    Compartment,
    Impermeant,
    Membrane,
    Model,
    ParameterStep,
    Pathway,
    Quantity,
    Recording,
    Simulation,
)
from .crossings import flattened
from .draft import Draft
from .laws import LIBRARY, TABLES
from .lines import KeyPath
from .schedule import start_key
from .schema import MembraneTable, TimesTable
from .stoichiometry import moves_of


def build_model(draft: Draft) -> Model:
    """The model that a draft without faults describes."""
    document = draft.document
    return Model(
        species=draft.species,
        compartments={name: _compartment(draft, name) for name in document.compartments},
        membranes={name: _membrane(draft, name, table) for name, table in document.membranes.items()},
        simulation=_simulation(draft),
        temperature=_quantity(draft, "simulation", "temperature"),
        parameters=draft.quantities.parameters,
        protocol=tuple(_step(draft, index) for index in range(len(document.protocol))),
        recording=_recording(draft),
        title=document.title,
        description=document.description,
        sources=tuple(document.source),
    )


def _quantity(draft: Draft, *path: str | int) -> Quantity:
    return draft.quantities.quantities[path]


def _optional(draft: Draft, *path: str | int) -> Quantity | None:
    return draft.quantities.quantities.get(path)


def _value(draft: Draft, *path: str | int) -> float:
    return draft.quantities.values[path]


def _simulation(draft: Draft) -> Simulation:
    table = draft.document.simulation
    duration = _value(draft, "simulation", "duration")
    if table.max_steps is None:
        return Simulation(duration, table.rtol, table.stop_at_steady_state)
    return Simulation(duration, table.rtol, table.stop_at_steady_state, table.max_steps)


def _compartment(draft: Draft, name: str) -> Compartment:
    table, path = draft.document.compartments[name], ("compartments", name)
    return Compartment(
        name,
        cast(Literal["finite", "bath", "floating bath"], draft.kind_of(name)),
        _optional(draft, *path, "volume"),
        {ion: _quantity(draft, *path, "concentrations", ion) for ion in table.concentrations},
        tuple(
            Impermeant(
                solute,
                given.valence,
                _optional(draft, *path, "impermeants", solute, "concentration"),
                _optional(draft, *path, "impermeants", solute, "amount"),
            )
            for solute, given in table.impermeants.items()
        ),
        {ion: _quantity(draft, *path, "activity_coefficients", ion) for ion in table.activity_coefficients},
    )


def _membrane(draft: Draft, name: str, table: MembraneTable) -> Membrane:
    path = ("membranes", name)
    pathways = [
        Pathway(f"{law.table}.{ion}", law.name, {ion: 1}, {"": _quantity(draft, *path, law.table, ion)})
        for law in TABLES.values()
        for ion in getattr(table, law.table)
    ]
    for pathway, given in table.pathways.items():
        law = LIBRARY[given.law]
        below: KeyPath = (*path, "pathways", pathway)
        moves, present = moves_of(given, law), flattened(given.model_extra or {})
        arguments = {
            argument: _quantity(draft, *below, *argument.split("."))
            for argument in law.every_kind(moves)
            if argument in present
        }
        pathways.append(Pathway(f"pathways.{pathway}", law.name, dict(moves), arguments, law.driven_by))
    return Membrane(
        name,
        table.inside,
        table.outside,
        _quantity(draft, *path, "area"),
        _quantity(draft, *path, "capacitance"),
        "ghk" if table.potential == "ghk" else _optional(draft, *path, "potential"),
        tuple(pathways),
    )


def _step(draft: Draft, index: int) -> ParameterStep:
    entry, path = draft.document.protocol[index], ("protocol", index)
    start = _value(draft, *path, start_key(entry))
    settings = {target.removeprefix("parameters."): _quantity(draft, *path, "set", target) for target in entry.set}
    return ParameterStep(start, draft.value(*path, "to"), settings)


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
