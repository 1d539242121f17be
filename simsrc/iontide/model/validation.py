"""Consistency checks made when a model is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..formulas.formula import Formula
from .parts import Quantity
from .protocol import RECORDING_GROUPS
from .tracers import tracer_faults

if TYPE_CHECKING:
    from .model import Model

#: Activity models by the name used in a compartment (a test compares them with those of ``physics.activity``).
ACTIVITY_MODEL_NAMES = ("ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer")


def faults_of(model: Model) -> Iterator[str]:
    """The inconsistencies in a model, one sentence each (for a scenario file they are reported earlier, with lines)."""
    yield from _membrane_faults(model)
    yield from _compartment_faults(model)
    yield from _reaction_faults(model)
    yield from _clamp_faults(model)
    yield from tracer_faults(model)
    yield from _electrode_faults(model)
    yield from _source_faults(model)
    yield from _recording_faults(model)
    yield from _injection_faults(model)
    yield from _protocol_faults(model)


def _membrane_faults(model: Model) -> Iterator[str]:
    for m in model.membranes.values():
        prefix = f"membrane {m.name}: "
        missing = [side for side in (m.inside, m.outside) if side not in model.compartments]
        yield from (f"{prefix}there is no compartment {side}" for side in missing)
        if missing:
            continue
        inside = model.compartments[m.inside]
        if m.inside == m.outside:
            yield f"{prefix}both its sides are {m.inside}"
        for pathway in m.pathways:
            for name in pathway.stoichiometry:
                if name not in model.species:
                    yield f"{prefix}there is no species {name}"
                for side in (m.inside, m.outside):
                    if name not in model.compartments[side].concentrations:
                        yield f"{prefix}{side} gives no concentration of {name}"
        if m.geometry != "given" and not inside.is_finite:
            yield f"{prefix}its area follows the volume of {m.inside}, but a bath has none"
        if m.geometry == "cylinder" and m.length is None:
            yield f"{prefix}a cylinder needs a length"
        if (m.elastic_modulus is None) != (m.slack_volume is None):
            yield f"{prefix}a wall needs both elastic_modulus and slack_volume"
        if (m.elastic_modulus is not None or m.reflection) and inside.water == "equilibrium":
            yield f"{prefix}a wall or reflection coefficients have no effect with water in equilibrium in {m.inside}"


def _compartment_faults(model: Model) -> Iterator[str]:
    for c in model.compartments.values():
        if c.activity not in ACTIVITY_MODEL_NAMES:
            every = ", ".join(ACTIVITY_MODEL_NAMES)
            yield f"compartment {c.name}: there is no activity model {c.activity}; there are {every}"
        adjacent = {
            b
            for m in model.membranes.values()
            for a, b in ((m.inside, m.outside), (m.outside, m.inside))
            if a == c.name and b in model.compartments
        }
        if c.water == "equilibrium" and all(model.compartments[b].is_finite for b in adjacent):
            yield f"compartment {c.name}: water in equilibrium needs an adjacent bath"


def _reaction_faults(model: Model) -> Iterator[str]:
    for r in model.reactions:
        for name in (*r.reactants, *r.products):
            if r.compartment not in model.compartments or name not in model.compartments[r.compartment].concentrations:
                yield f"reaction {r.name}: {r.compartment} gives no concentration of {name}"


def _electrode_faults(model: Model) -> Iterator[str]:
    for e in model.electrodes:
        for name in (e.compartment, e.reference.compartment):
            if name not in model.compartments:
                yield f"electrode {e.name}: there is no compartment {name}"
        if e.membrane is not None and e.membrane not in model.membranes:
            yield f"electrode {e.name}: there is no membrane {e.membrane}"
        if e.zeroed_at is not None and not 0.0 <= e.zeroed_at <= model.simulation.duration:
            yield f"electrode {e.name}: it must be zeroed from 0 to the end of the run, not at {e.zeroed_at:g} s"


def _source_faults(model: Model) -> Iterator[str]:
    for f in model.sources:
        into = model.compartments.get(f.compartment)
        missing = [n for n in f.stoichiometry if into is None or not into.is_finite or n not in into.concentrations]
        yield from (f"source {f.name}: there is no finite {f.compartment} with {name} in it" for name in missing)
        if not missing and sum(count * model.species[name].valence for name, count in f.stoichiometry.items()) != 0:
            yield f"source {f.name}: its solutes have a net charge; add the counter-ion, or use an injection"


def _recording_faults(model: Model) -> Iterator[str]:
    for group in model.recording.quantities or ():
        if group not in RECORDING_GROUPS:
            yield f"recording: there is no group of quantities {group}; there are {', '.join(RECORDING_GROUPS)}"
    if model.recording.spacing == "list":
        times = model.recording.times
        if not times or times[0] < 0.0 or times[-1] > model.simulation.duration or sorted(set(times)) != list(times):
            yield "the recording needs at least one time; its times must increase, from 0 to the duration at most"
    elif model.recording.points < 2:
        yield f"a recording needs at least 2 points, got {model.recording.points}"


def _injection_faults(model: Model) -> Iterator[str]:
    for i in model.injections:
        for side in (i.compartment, i.out_of or i.compartment):
            if side not in model.compartments:
                yield f"injection {i.name}: there is no compartment {side}"
            elif i.carried_by is not None and i.carried_by not in model.compartments[side].concentrations:
                yield f"injection {i.name}: {side} gives no concentration of {i.carried_by}"
        if i.carried_by and i.carried_by in model.species and model.species[i.carried_by].valence == 0:
            yield f"injection {i.name}: {i.carried_by} has no charge, so it carries no current"


def _protocol_faults(model: Model) -> Iterator[str]:
    for event in model.events:
        if event.on and event.on not in model.membranes and event.place not in model.compartments:
            yield f"event {event.name}: there is no membrane or compartment {event.on}"
    if len({event.name for event in model.events}) < len(model.events):
        yield "two events have the same name"
    for settings in model.every_setting:
        for name, value in settings.items():
            if name not in model.parameters:
                yield f"the protocol sets {name}, which is not a parameter"
            elif _changes_within_segments(model, model.parameters[name].value):
                yield f"the protocol sets {name}, which depends on time or on a ramp: set what it depends on"
            elif _changes_within_segments(model, value):
                yield f"the protocol sets {name} to a value that changes with time ({value}); make {name} a formula"


def _clamp_faults(model: Model) -> Iterator[str]:
    clamped: set[str] = set()
    tied = {c.name: "ground" if c.kind == "bath" else c.name for c in model.compartments.values()}
    for clamp in model.clamps:
        prefix = f"clamp {clamp.name}: "
        membrane = model.membranes.get(clamp.membrane)
        if membrane is None:
            yield f"{prefix}there is no membrane {clamp.membrane}"
            continue
        for side in (membrane.inside, membrane.outside):
            ion = clamp.carried_by
            if ion is not None and ion not in model.compartments[side].concentrations:
                yield f"{prefix}{side} gives no concentration of {ion}"
        if clamp.carried_by and clamp.carried_by in model.species and model.species[clamp.carried_by].valence == 0:
            yield f"{prefix}{clamp.carried_by} has no charge, so it carries no current"
        if clamp.membrane in clamped:
            yield f"{prefix}{clamp.membrane} has another clamp; give all the potentials to one of them"
        elif clamp.series_resistance is None:
            a, b = tied[membrane.inside], tied[membrane.outside]
            if a == b:
                yield f"{prefix}the potential of {clamp.membrane} is already fixed by the other clamps and grounds"
            tied = {name: a if root == b else root for name, root in tied.items()}
        clamped.add(clamp.membrane)
    for ion_clamp in model.ion_clamps:
        c = model.compartments.get(ion_clamp.compartment)
        if c is None or not c.is_finite or ion_clamp.species not in c.concentrations:
            place = f"finite compartment {ion_clamp.compartment} with {ion_clamp.species} in it"
            yield f"clamp {ion_clamp.name}: there is no {place}"
    names = [clamp.name for clamp in model.every_clamp]
    if len(set(names)) < len(names):
        yield f"two clamps have the same name: {', '.join(names)}"


def _changes_within_segments(model: Model, value: Quantity) -> bool:
    return isinstance(value, Formula) and bool(value.names & (model.moving | {"t"}))
