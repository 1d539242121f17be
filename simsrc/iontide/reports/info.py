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
from ..formulas.display import fitting_unit, size_text
from ..model.model import Clamp, IonClamp, Membrane, Model
from ..simulation.quantities import quantities_of
from ..simulation.trajectory import Trajectory
from ..storage import open_overview


def info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """All that ``iontide info`` prints of a result file, as plain values fit for JSON.

    ``quantities`` holds the end of the run by the names of ``simulation.quantities``, in the ``units`` given beside
    them; besides these ``<compartment>.potential`` and ``<clamp>.clamp_amount``, what an ion clamp has brought into its
    compartment since the start. A number that is undefined or not finite is None. ``largest_activity_corrections`` are the
    ``<membrane>.dE.<ion>`` where they are largest in the run, mV, of ions whose activity may differ from their
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
        compartment_lines(found["compartments"], found["quantities"], "at the end, mM") + _tracer_lines(found),
        *(_membrane_lines(name, membrane, found) for name, membrane in found["membranes"].items()),
        _energy_lines(found["energy"], found["temperature_K"]),
        _pump_lines(found["energy"]["pumps"]),
        [_clamp_line(name, clamp, found["quantities"]) for name, clamp in found["clamps"].items()],
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


def compartment_lines(
    compartments: Mapping[str, Any], quantities: Mapping[str, float | None], heading: str
) -> list[str]:
    """A table of the solutes, potentials and volumes of compartments.

    Parameters
    ----------
    compartments : mapping
        As of ``compartments_of``.
    quantities : mapping of str to float or None
        As of ``values_at_end``.
    heading : str
        Of the first column.
    """
    if not compartments:
        return []
    solutes = list(dict.fromkeys(s for c in compartments.values() for s in c["solutes"]))
    rows = [[heading, *solutes, "potential, mV", "volume, pL"]]
    for name, c in compartments.items():
        concentrations = [_cell(quantities[f"{name}.{s}"], 5) if s in c["solutes"] else "" for s in solutes]
        volume = _cell(quantities[f"{name}.volume"], 5) if c["kind"] == "finite" else c["kind"]
        rows.append([name, *concentrations, _cell(quantities[f"{name}.potential"], 5), volume])
    return _table(rows)


def _tracer_lines(found: Mapping[str, Any]) -> list[str]:
    """The share that each tracer labels, by compartment."""
    places: dict[str, list[str]] = {}
    for name, c in found["compartments"].items():
        for tracer in c["tracers"]:
            share = _cell(found["quantities"][f"{name}.{tracer}.share"], 5)
            places.setdefault(tracer, []).append(f"{share} in {name}")
    return [f"labelled with {tracer}, as a share: {', '.join(shares)}" for tracer, shares in places.items()]


def _membrane_lines(name: str, membrane: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    quantities = found["quantities"]
    title = f"membrane {name}, {membrane['inside']} | {membrane['outside']}: V = {_cell(quantities[f'{name}.V'], 6)} mV"
    # Of the whole run; left out where every one is 0 throughout.
    corrections = {k: v for k, v in found["largest_activity_corrections"].items() if k.startswith(f"{name}.dE.")}
    shown = any(corrections.values())
    heads = ["", "E, mV", "largest dE (activities), mV"] if shown else ["", "E, mV"]
    rows = [[*heads, "flux out, umol/m^2/s", "share of g, %", "current out, uA/cm^2"]]
    for species in membrane["species"]:
        is_ion = f"{name}.E.{species}" in quantities
        e = _cell(quantities[f"{name}.E.{species}"], 6) if is_ion else ""
        current = _cell(quantities[f"{name}.current.{species}"], 5) if is_ion else ""
        dE = f"{name}.dE.{species}"
        more = [_cell(corrections[dE], 4) if dE in corrections else ""] if shown else []
        share = quantities.get(f"{name}.fractional_slope_conductance.{species}")
        share_text = _cell(None if share is None else 100.0 * share, 4) if is_ion else ""
        rows.append([species, e, *more, _cell(quantities[f"{name}.flux.{species}"], 5), share_text, current])
    blank = [""] * (len(heads) + 1)
    rows.append(["all", *blank, _cell(quantities[f"{name}.current"], 5)])
    rows += [[f"of it {p}", *blank, _cell(quantities[f"{name}.{p}.current"], 5)] for p in membrane["pumps"]]
    lines = [title, *(f"  {line}" for line in _table(rows))]
    if any(f"{name}.E.{species}" in quantities for species in membrane["species"]):
        where, slope = quantities[f"{name}.zero_current_potential"], quantities[f"{name}.slope_conductance"]
        lines.append(f"  no net current at {_cell(where, 6)} mV; slope conductance {_cell(slope, 5)} mS/cm^2")
    return lines


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
    lines = [line.rstrip() for line in _table(rows)]
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
    return [line.rstrip() for line in _table(table)]


def _sum(values: Iterable[float | None]) -> float | None:
    every = list(values)
    return None if None in every else sum(v for v in every if v is not None)


def _clamp_line(name: str, clamp: Mapping[str, Any], quantities: Mapping[str, float | None]) -> str:
    if "membrane" in clamp:
        now, since = (_cell(quantities[f"{name}.{key}"], 5) for key in ("clamp_current", "clamp_charge"))
        return f"clamp of {name}: {now} pA at the end, {since} pC since the start, into the inside"
    now, since = (_cell(quantities[f"{name}.{key}"], 5) for key in ("clamp_rate", "clamp_amount"))
    where = f"{clamp['ion']} in {clamp['compartment']}"
    return f"clamp of {where}: brings {now} fmol/s at the end, {since} fmol since the start"


def _tail(found: dict[str, Any]) -> list[str]:
    count = ", ".join(f"{name} {value}" for name, value in found["statistics"].items())
    lines = [
        f"solver: {count}; relative tolerance {found['rtol']:g}",
        f"balance: charge off by {_cell(found['max_charge_drift'], 2)}, mass by {_cell(found['max_mass_drift'], 2)}"
        " (relative, at most)",
    ]
    lines += [f"event {name}: {told_times(times)}" for name, times in found["events_s"].items()]
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


def told_times(times: list[float]) -> str:
    """How often an event came about, and when."""
    if not times:
        return "never"
    if len(times) == 1:
        return f"once, at t = {times[0]:.6g} s"
    return f"{len(times)} times, first at t = {times[0]:.6g} s, last at t = {times[-1]:.6g} s"


def _table(rows: list[list[str]]) -> list[str]:
    """Columns to the right but for the first, two blanks between."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lined = [zip(row, widths, strict=True) for row in rows]
    return ["  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(line)).rstrip() for line in lined]


def _cell(value: float | None, digits: int) -> str:
    return "undefined" if value is None else f"{value:.{digits}g}"
