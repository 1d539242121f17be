"""The contents of a result file as plain values, without reading its samples; quick to import."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..analysis.energy import budget, energetics
from ..model.model import Clamp, IonClamp
from ..simulation.trajectory import Trajectory
from ..storage import open_overview


def info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The contents of a result file as plain values that JSON can hold, with units in the names of the keys.

    All numbers are those at the end of the run, unless stated otherwise; one that is undefined or not finite is None.
    For a membrane, ``largest_activity_correction_mV`` is the largest ΔE of each ion during the run
    (``Trajectory.activity_correction``), of ions whose activity may differ from their concentration;
    ``pump_current_uA_per_cm2`` is the part of the net current that is carried by driven pathways. The charge or amount
    supplied by a clamp since the start is positive into the inside of its membrane, or into its compartment.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict

    Raises
    ------
    FileError
        The file is no result file, or it is damaged.
    """
    overview = open_overview(path)
    run, end = overview.run, overview.end
    with np.errstate(all="ignore"):  # the end of a failed run may lie outside of a law
        compartments = state_of(end)
        membranes = {name: _membrane(end, name, overview.activity_corrections) for name in run.model.membranes}
        energy = budget(energetics(end))
        clamps = {clamp.name: _clamp(end, clamp) for clamp in run.model.every_clamp}
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
        "compartments": compartments,
        "membranes": membranes,
        "energy": energy,
        "clamps": clamps,
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


def state_of(end: Trajectory) -> dict[str, Any]:
    """The contents of every compartment as in ``info``, from a trajectory of one sample."""
    with np.errstate(all="ignore"):
        return {name: _compartment(end, name) for name in end.model.compartments}


def _compartment(end: Trajectory, name: str) -> dict[str, Any]:
    compartment = end.model.compartments[name]
    impermeants = {}
    if compartment.is_finite:
        volume = _last(end.volume(name))
        impermeants = {
            x.name: _number(end.run.initial.impermeant_amounts[name, x.name] / volume) if volume else None
            for x in compartment.impermeants
        }
    return {
        "kind": compartment.kind,
        "volume_pL": _last(end.volume(name), 1e15) if compartment.is_finite else None,
        "potential_mV": _last(end.potential(name), 1e3),
        "concentrations_mM": {s: _last(end.concentration(name, s)) for s in compartment.concentrations},
        "impermeants_mM": impermeants,
        "tracer_shares": {
            t.name: _last(end.tracer_share(name, t.name))
            for t in end.model.tracers
            if compartment.concentrations.keys() & set(t.of)
        },
    }


def _membrane(end: Trajectory, name: str, corrections: Mapping[tuple[str, str], float]) -> dict[str, Any]:
    membrane, species = end.model.membranes[name], end.model.species
    moved = end.ions(name)
    ions = [s for s in moved if species[s].valence]
    return {
        "inside": membrane.inside,
        "outside": membrane.outside,
        "V_mV": _last(end.membrane_potential(name), 1e3),
        "E_mV": {s: _last(end.reversal_potential(name, s), 1e3) for s in ions},
        "largest_activity_correction_mV": {
            s: _number(corrections[name, s] * 1e3) for s in ions if (name, s) in corrections
        },
        "flux_umol_per_m2_per_s": {s: _last(end.flux(name, s), 1e6) for s in moved},
        "current_uA_per_cm2": {s: _last(end.current_density(name, s), 1e2) for s in ions},
        "net_current_uA_per_cm2": _last(end.current_density(name), 1e2),
        "zero_current_potential_mV": _last(end.zero_current_potential(name), 1e3),
        "slope_conductance_mS_per_cm2": _last(end.slope_conductance(name), 0.1),
        "fractional_slope_conductances": {s: _last(end.fractional_slope_conductance(name, s)) for s in ions},
        "pump_current_uA_per_cm2": {
            p.label: _last(end.pathway_current_density(name, p.name), 1e2)
            for p in membrane.pathways
            if p.driven_by and sum(count * species[s].valence for s, count in p.stoichiometry.items())
        },
    }


def _clamp(end: Trajectory, clamp: Clamp | IonClamp) -> dict[str, Any]:
    supplied = end.clamp_supply(clamp.name)
    try:
        rate = end.clamp_current(clamp.name) if isinstance(clamp, Clamp) else end.ion_clamp_rate(clamp.name)
    except np.linalg.LinAlgError:  # of a failed run
        rate = np.array([np.nan])
    if isinstance(clamp, Clamp):
        return {"membrane": clamp.membrane, "current_pA": _last(rate, 1e12), "charge_pC": _last(supplied, 1e12)}
    return {
        "compartment": clamp.compartment,
        "ion": clamp.species,
        "rate_fmol_per_s": _last(rate, 1e15),
        "amount_fmol": _last(supplied, 1e15),
    }


def _last(values: Any, scale: float = 1.0) -> float | None:
    return _number(float(values[-1]) * scale)


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
