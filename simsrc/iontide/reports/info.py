"""What a result file holds, for a person or a program, without reading its samples.

No import here is slow: ``iontide info`` answers before one has looked up.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..analysis.energy import budget, energetics
from ..constants import BOLTZMANN
from ..formulas.display import fitting_unit, size_text, table_lines
from ..model.model import Clamp, IonClamp
from ..simulation.trajectory import Trajectory
from ..storage import open_overview


def info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """All that ``iontide info`` tells of a result file, as plain values fit for JSON, units in the names of the keys.

    A number that is undefined or not finite is None. Of a membrane, ``largest_activity_correction_mV`` is the ΔE of
    each ion where it is largest in the run (``Trajectory.activity_correction``), of ions whose activity may differ from
    their concentration; ``pump_current_uA_per_cm2`` is that part of the net current which pathways carry that
    something pays for. What a clamp has brought in since the start is positive into the inside of its membrane, or into
    its compartment. The other numbers are those of the end.

    Raises
    ------
    FileError
        Where the file is no result, or damaged.
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


def info_text(path: str | os.PathLike[str], found: dict[str, Any] | None = None) -> str:
    """The same for a person: a page of plain text, without a line end.

    Parameters
    ----------
    path : path
    found : dict, optional
        What ``info`` returned, where the caller has it.

    Raises
    ------
    FileError
        As for ``info``.
    """
    found = info(path) if found is None else found
    blocks = [
        _head(found),
        compartment_lines(found["compartments"], "at the end, mM") + _tracer_lines(found["compartments"]),
        *(_membrane_lines(name, membrane) for name, membrane in found["membranes"].items()),
        _energy_lines(found["energy"], found["temperature_K"]),
        _pump_lines(found["energy"]["pumps"]),
        [_clamp_line(name, clamp) for name, clamp in found["clamps"].items()],
        _tail(found),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


_ENDS = {
    "done": "ran to its end",
    "steady": "stopped at a steady state",
    "stopped": "stopped by an event",
    "failed": "FAILED",
}


def _head(found: dict[str, Any]) -> list[str]:
    lines = [
        found["title"] or "(no title)",
        f"{found['file']}, {size_text(found['size_bytes'])}, run {found['run_id']}",
    ]
    span = f"{_ENDS[found['status']]} at t = {found['end_time_s']:g} s"
    if found["end_time_s"] < found["duration_s"]:
        span += f" of {found['duration_s']:g} s"
    lines.append(f"{span}; {found['samples']} samples, {found['segments']} segment(s), {found['states']} states")
    if found["message"]:
        lines.append(found["message"])
    if found["verdict"]:
        lines.append(f"{found['verdict'][:1].upper()}{found['verdict'][1:]}.")
    return lines


def state_of(end: Trajectory) -> dict[str, Any]:
    """What ``info`` tells of every compartment, of a trajectory of one sample."""
    with np.errstate(all="ignore"):
        return {name: _compartment(end, name) for name in end.model.compartments}


def compartment_lines(compartments: dict[str, Any], heading: str) -> list[str]:
    """A table of compartments as ``state_of`` gives them."""
    if not compartments:
        return []
    solutes = list(
        dict.fromkeys(s for c in compartments.values() for s in (*c["concentrations_mM"], *c["impermeants_mM"]))
    )
    rows = [[heading, *solutes, "potential, mV", "volume, pL"]]
    for name, c in compartments.items():
        held = c["concentrations_mM"] | c["impermeants_mM"]
        amounts = [_cell(held.get(s), 5) if s in held else "" for s in solutes]
        volume = _cell(c["volume_pL"], 5) if c["kind"] == "finite" else c["kind"]
        rows.append([name, *amounts, _cell(c["potential_mV"], 5), volume])
    return table_lines(rows)


def _tracer_lines(compartments: dict[str, Any]) -> list[str]:
    """Which share of what a tracer labels is labelled, where."""
    names = dict.fromkeys(t for c in compartments.values() for t in c["tracer_shares"])
    lines = []
    for t in names:
        own = [f"{_cell(c['tracer_shares'][t], 5)} in {n}" for n, c in compartments.items() if t in c["tracer_shares"]]
        lines.append(f"labelled with {t}, as a share: {', '.join(own)}")
    return lines


def _membrane_lines(name: str, membrane: dict[str, Any]) -> list[str]:
    title = f"membrane {name}, {membrane['inside']} | {membrane['outside']}: V = {_cell(membrane['V_mV'], 6)} mV"
    corrections = membrane["largest_activity_correction_mV"]
    # Of the whole run; where it is 0 throughout, nobody misses it.
    shown = any(corrections.values())
    heads = ["", "E, mV", "largest dE (activities), mV"] if shown else ["", "E, mV"]
    rows = [[*heads, "flux out, umol/m^2/s", "share of g, %", "current out, uA/cm^2"]]
    for species, flux in membrane["flux_umol_per_m2_per_s"].items():
        charged = species in membrane["E_mV"]
        e = _cell(membrane["E_mV"][species], 6) if charged else ""
        current = _cell(membrane["current_uA_per_cm2"][species], 5) if charged else ""
        more = [_cell(corrections[species], 4) if species in corrections else ""] if shown else []
        share = membrane["fractional_slope_conductances"].get(species)
        share_text = _cell(None if share is None else 100.0 * share, 4) if charged else ""
        rows.append([species, e, *more, _cell(flux, 5), share_text, current])
    blank = [""] * (len(heads) + 1)
    rows.append(["all", *blank, _cell(membrane["net_current_uA_per_cm2"], 5)])
    rows += [[f"of it {name}", *blank, _cell(i, 5)] for name, i in membrane["pump_current_uA_per_cm2"].items()]
    return [title, *(f"  {line}" for line in table_lines(rows)), *_zero_current_line(membrane)]


def _zero_current_line(membrane: dict[str, Any]) -> list[str]:
    """Of a membrane that some ion can cross: where its current would be 0, and how fast V is drawn there."""
    if not membrane["E_mV"]:
        return []
    where, slope = membrane["zero_current_potential_mV"], membrane["slope_conductance_mS_per_cm2"]
    return [f"  no net current at {_cell(where, 6)} mV; slope conductance {_cell(slope, 5)} mS/cm^2"]


#: In the text, terms of the budget that are less than this part of the largest stand together in one line.
_MINOR_POWER = 1e-3


def _energy_lines(energy: dict[str, Any], temperature: float | None) -> list[str]:
    """The budget at the end; what is less than a thermal quantum a second is nothing."""
    terms = [
        *((term["label"], 0, term["pW"]) for term in energy["power_in"].values()),
        *((term["label"], 1, term["pW"]) for term in energy["dissipation"].values()),
        *((f"{kind}, stored", 2, rate) for kind, rate in energy["storing_pW"].items()),
    ]
    largest = max((abs(value) for _, _, value in terms if value is not None), default=0.0)
    if largest <= BOLTZMANN * (temperature or 0.0) * 1e12 and all(value is not None for _, _, value in terms):
        return ["energy at the end: nothing comes in, nothing is dissipated"]
    unit, watts = fitting_unit(1e-12 * largest, "W")
    size = 1e12 * watts
    rows = [[f"energy at the end, {unit}", "in", "dissipated", "change"]]
    minor: list[float] = []
    for label, column, value in terms:
        if value is None or abs(value) >= _MINOR_POWER * largest:
            cells = ["", "", ""]
            cells[column] = _cell(None if value is None else value / size, 4)
            rows.append([label, *cells])
        elif value:
            minor.append(abs(value))
    totals = [energy["total_power_in_pW"], energy["total_dissipation_pW"], _sum(energy["storing_pW"].values())]
    told = [None if t is None else t / size * (abs(t) > 1e-9 * largest) for t in totals]
    rows.append(["all", *(_cell(t, 4) for t in told)])
    lines = table_lines(rows)
    if minor:
        lines.append(f"({len(minor)} more, each at most {_cell(max(minor) / size, 2)} {unit})")
    return lines


def _pump_lines(pumps: dict[str, Any]) -> list[str]:
    if not pumps:
        return []
    table = [["pump", "driven by", "turnover, amol/s", "dG, kJ/mol", "efficiency"]]
    for path, pump in pumps.items():
        _, membrane, name = path.split(".", 2)
        label = f"{name.removeprefix('pathways.')} of {membrane}"
        worth = "" if pump["free_energy_kJ_per_mol"] is None else _cell(pump["free_energy_kJ_per_mol"], 4)
        gain = "" if pump["efficiency"] is None else f"{100.0 * pump['efficiency']:.3g} %"
        table.append([label, pump["driven_by"], _cell(pump["turnover_amol_per_s"], 4), worth, gain])
    return table_lines(table)


def _sum(values: Iterable[float | None]) -> float | None:
    every = list(values)
    return None if None in every else sum(v for v in every if v is not None)


def _clamp_line(name: str, clamp: dict[str, Any]) -> str:
    if "membrane" in clamp:
        now, since = (_cell(clamp[key], 5) for key in ("current_pA", "charge_pC"))
        return f"clamp of {name}: {now} pA at the end, {since} pC since the start, into the inside"
    now, since = (_cell(clamp[key], 5) for key in ("rate_fmol_per_s", "amount_fmol"))
    where = f"{clamp['ion']} in {clamp['compartment']}"
    return f"clamp of {where}: brings {now} fmol/s at the end, {since} fmol since the start"


def _tail(found: dict[str, Any]) -> list[str]:
    count = ", ".join(f"{name} {value}" for name, value in found["statistics"].items())
    lines = [
        f"solver: {count}; relative tolerance {found['rtol']:g}",
        f"balance: charge off by {_cell(found['max_charge_drift'], 2)}, mass by {_cell(found['max_mass_drift'], 2)}"
        " (relative, at most)",
    ]
    lines += [f"event {name}: {event_times_text(times)}" for name, times in found["events_s"].items()]
    lines += [f"warning: {warning}" for warning in found["warnings"]]
    changed = "".join(f", with {path} = {value}" for path, value in found["overrides"].items())
    if found["scenario"] or changed:
        lines.append(f"scenario: {found['scenario']}{changed}")
    origin = found["provenance"]
    made = f"made {found['created']} by iontide {origin.get('iontide', '?')} on {origin.get('cpu', 'an unknown CPU')}"
    if "git_commit" in origin:
        modified = {"yes": ", modified", "unknown": ", perhaps modified"}.get(origin.get("git_modified", ""), "")
        made += f"; the working folder at commit {origin['git_commit'][:10]}{modified}"
    return [*lines, made]


def event_times_text(times: list[float]) -> str:
    """How often an event came about, and when."""
    if not times:
        return "never"
    if len(times) == 1:
        return f"once, at t = {times[0]:.6g} s"
    return f"{len(times)} times, first at t = {times[0]:.6g} s, last at t = {times[-1]:.6g} s"


def _cell(value: float | None, digits: int) -> str:
    return "undefined" if value is None else f"{value:.{digits}g}"
