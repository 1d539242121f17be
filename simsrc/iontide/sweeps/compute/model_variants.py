"""A model with other numbers in some places: what a point of a sweep is run with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ...model.model import Clamp, Model, Quantity, argument_path
from ...model.parts import Compartment, Gate, Membrane, Pathway

#: From a path and what stands there to what is to stand there.
Change = Callable[[str, Quantity], Quantity]

#: Quantities of a membrane, and their names in its path where these differ.
_OF_MEMBRANE = {
    "area": "area",
    "specific_capacitance": "capacitance",
    "potential": "potential",
    "length": "length",
    "water_permeability": "water_permeability",
    "elastic_modulus": "elastic_modulus",
    "slack_volume": "slack_volume",
}
_OF_GATE = ("alpha", "beta", "steady", "time_constant", "speed", "initial")


def with_values(model: Model, values: Mapping[str, Quantity]) -> Model:
    """The model with other quantities at some of the paths of ``Model.quantities``.

    Raises
    ------
    KeyError
        For a path that the model does not have.
    """
    used: set[str] = set()

    def change(path: str, quantity: Quantity) -> Quantity:
        if path in values:
            used.add(path)
            return values[path]
        return quantity

    changed = _changed(model, change)
    if len(used) < len(values):
        raise KeyError(", ".join(sorted(values.keys() - used)))
    return changed


def _changed(model: Model, change: Change) -> Model:
    return replace(
        model,
        temperature=change("simulation.temperature", model.temperature),
        water_molar_volume=change("simulation.water_molar_volume", model.water_molar_volume),
        atp_free_energy=change("simulation.atp_free_energy", model.atp_free_energy),
        parameters={n: replace(p, value=change(f"parameters.{n}", p.value)) for n, p in model.parameters.items()},
        compartments={n: _compartment(c, change) for n, c in model.compartments.items()},
        membranes={n: _membrane(m, change) for n, m in model.membranes.items()},
        reactions=tuple(_fields(r, f"reactions.{r.name}", ("forward", "backward"), change) for r in model.reactions),
        exchanges=tuple(_fields(e, f"exchange.{e.name}", ("rate",), change) for e in model.exchanges),
        sources=tuple(_fields(s, f"sources.{s.name}", ("rate",), change) for s in model.sources),
        injections=tuple(_fields(i, f"injections.{i.name}", ("current",), change) for i in model.injections),
        clamps=tuple(_clamp(c, change) for c in model.clamps),
        ion_clamps=tuple(_held(c, change) for c in model.ion_clamps),
        events=tuple(_fields(e, f"events.{e.name}", ("value", "level"), change) for e in model.events),
        tracers=tuple(_mapping(t, "shares", f"tracers.{t.name}.share", change) for t in model.tracers),
    )


def _fields(part: Any, path: str, names: tuple[str, ...], change: Change) -> Any:
    """A part with the quantities in these of its fields changed; None stays None."""
    return replace(part, **{n: change(f"{path}.{n}", q) for n in names if (q := getattr(part, n)) is not None})


def _mapping(part: Any, name: str, path: str, change: Change) -> Any:
    return replace(part, **{name: {key: change(f"{path}.{key}", q) for key, q in getattr(part, name).items()}})


def _held(clamp: Any, change: Change) -> Any:
    holds = (
        _fields(h, f"clamps.{clamp.name}.hold_{k}", ("active", "value"), change) for k, h in enumerate(clamp.holds, 1)
    )
    return replace(clamp, holds=tuple(holds))


def _clamp(clamp: Clamp, change: Change) -> Clamp:
    return _fields(_held(clamp, change), f"clamps.{clamp.name}", ("series_resistance",), change)


def _compartment(c: Compartment, change: Change) -> Compartment:
    path = f"compartments.{c.name}"
    c = _fields(c, path, ("volume",), change)
    c = _mapping(c, "concentrations", f"{path}.concentrations", change)
    c = _mapping(c, "activity_coefficients", f"{path}.activity_coefficients", change)
    impermeants = (
        _fields(i, f"{path}.impermeants.{i.name}", ("concentration", "amount"), change) for i in c.impermeants
    )
    return replace(c, impermeants=tuple(impermeants))


def _membrane(m: Membrane, change: Change) -> Membrane:
    path = f"membranes.{m.name}"
    numbers: dict[str, Any] = {
        name: change(f"{path}.{spoken}", q)
        for name, spoken in _OF_MEMBRANE.items()
        if (q := getattr(m, name)) is not None and q != "ghk"
    }
    m = replace(m, pathways=tuple(_pathway(m, p, change) for p in m.pathways), **numbers)
    return _mapping(m, "reflection", f"{path}.reflection", change)


def _pathway(m: Membrane, p: Pathway, change: Change) -> Pathway:
    arguments = {name: change(argument_path(m, p, name), q) for name, q in p.arguments.items()}
    gates: tuple[Gate, ...] = tuple(
        _fields(g, f"membranes.{m.name}.{p.name}.gates.{g.name}", _OF_GATE, change) for g in p.gates
    )
    return replace(p, arguments=arguments, gates=gates)
