"""The contents of a result file as plain values, without reading its samples; quick to import."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..analysis.energy import budget, energetics
from ..model.model import Clamp, IonClamp, Membrane, Model
from ..simulation.quantities import quantities_of
from ..simulation.trajectory import Trajectory
from ..storage import open_overview


def info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The contents of a result file as plain values that JSON can hold.

    ``quantities`` holds the end of the run by the names of ``simulation.quantities``, in the ``units`` given beside
    them; besides these ``<compartment>.potential``, and ``<clamp>.clamp_amount``, the amount that an ion clamp has
    supplied since the start. A number that is undefined or not finite is None. ``largest_activity_corrections`` are
    the ``<membrane>.dE.<ion>`` where they are largest in the run, mV, of ions whose activity may differ from their
    concentration.

    Raises
    ------
    FileError
        Where the file is no result, or damaged.
    """
    overview = open_overview(path)
    run, end = overview.run, overview.end
    with np.errstate(all="ignore"):  # the end of a failed run may lie outside of a law
        values, units = values_at_end(end, GROUPS_AT_END)
        energy = budget(energetics(end))
    return {
        "file": os.fspath(path),
        "title": run.model.title,
        "description": run.model.description,
        "run_id": overview.run_id,
        "status": run.status,
        "message": run.message,
        "created": overview.created,
        "samples": overview.samples,
        "first_time_s": _number(overview.first_time),
        "last_time_s": _number(overview.last_time),
        "end_time_s": run.end_time,
        "duration_s": run.model.simulation.duration,
        "segments": len(run.segments),
        "states": run.layout.size,
        "temperature_K": _last(end.temperature),
        "quantities": values,
        "units": units,
        "largest_activity_corrections": {
            f"{m}.dE.{s}": _number(1e3 * value) for (m, s), value in overview.activity_corrections.items()
        },
        "compartments": compartments_of(run.model),
        "membranes": {name: _membrane(run.model, m) for name, m in run.model.membranes.items()},
        "clamps": {clamp.name: _clamp(clamp) for clamp in run.model.every_clamp},
        "energy": energy,
        "statistics": vars(run.statistics).copy(),
        "rtol": run.model.simulation.rtol,
        "events_s": run.crossing_times(),
        "verdict": overview.verdict,
        "max_charge_drift": _number(overview.max_charge_drift),
        "max_mass_drift": _number(overview.max_mass_drift),
        "warnings": list(overview.warnings),
        "scenario": run.origin.name,
        "overrides": dict(run.origin.overrides),
        "references": list(run.model.references),
        "provenance": dict(overview.provenance),
        "argv": list(overview.argv),
        "size_bytes": overview.size,
    }


#: Groups of quantities that are shown of an end.
GROUPS_AT_END = (
    *("potentials", "concentrations", "reversal_potentials", "fluxes", "currents", "tracers"),
    *("zero_current_potentials", "slope_conductances"),
)


def values_at_end(end: Trajectory, groups: Iterable[str]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Quantities of some groups at the last sample of a trajectory, by name, and their units.

    None stands for what is undefined or not finite.
    """
    values, units = {}, {}
    last = end.part(slice(len(end) - 1, None))
    for quantity in quantities_of(end.model, groups):
        try:
            values[quantity.name] = _number(float(quantity.values(last)[-1]))
        except np.linalg.LinAlgError:  # the rates at the end of a failed run
            values[quantity.name] = None
        units[quantity.name] = quantity.units
    with np.errstate(all="ignore"):
        for name in end.model.compartments:
            values[f"{name}.potential"], units[f"{name}.potential"] = _last(last.potential(name), 1e3), "mV"
        for clamp in end.model.ion_clamps:
            values[f"{clamp.name}.clamp_amount"] = _last(last.clamp_supply(clamp.name), 1e15)
            units[f"{clamp.name}.clamp_amount"] = "fmol"
    return values, units


def compartments_of(model: Model) -> dict[str, Any]:
    """Of every compartment its kind, and the solutes and tracers in it."""
    return {
        name: {
            "kind": c.kind,
            "solutes": [*c.concentrations, *(x.name for x in c.impermeants if c.is_finite)],
            "tracers": [t.name for t in model.tracers if c.concentrations.keys() & set(t.of)],
        }
        for name, c in model.compartments.items()
    }


def _membrane(model: Model, membrane: Membrane) -> dict[str, Any]:
    species, crossing = model.species, {s for p in membrane.pathways for s in p.stoichiometry}
    return {
        "inside": membrane.inside,
        "outside": membrane.outside,
        "species": [name for name in species if name in crossing],
        "pumps": [
            p.label
            for p in membrane.pathways
            if p.driven_by and sum(count * species[s].valence for s, count in p.stoichiometry.items())
        ],
    }


def _clamp(clamp: Clamp | IonClamp) -> dict[str, Any]:
    if isinstance(clamp, Clamp):
        return {"membrane": clamp.membrane}
    return {"compartment": clamp.compartment, "ion": clamp.species}


def _last(values: Any, scale: float = 1.0) -> float | None:
    return _number(float(values[-1]) * scale)


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
