"""The contents of a result file as a page of plain text, for ``iontide info``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..constants import BOLTZMANN
from ..formulas.display import fitting_unit, size_text, table_lines


def info_text(content: dict[str, Any]) -> str:
    """The contents of a result file, from ``info``, as a page of plain text, without a line end."""
    blocks = [
        _head(content),
        compartment_lines(content["compartments"], content["quantities"], "at the end, mM") + _tracer_lines(content),
        *(_membrane_lines(name, membrane, content) for name, membrane in content["membranes"].items()),
        _energy_lines(content["energy"], content["temperature_K"]),
        _pump_lines(content["energy"]["pumps"]),
        [_clamp_line(name, clamp, content["quantities"]) for name, clamp in content["clamps"].items()],
        _tail(content),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


_ENDS = {
    "done": "ran to its end",
    "steady": "stopped at a steady state",
    "stopped": "stopped by an event",
    "failed": "FAILED",
}


def _head(content: dict[str, Any]) -> list[str]:
    lines = [
        content["title"] or "(no title)",
        f"{content['file']}, {size_text(content['size_bytes'])}, run {content['run_id']}",
    ]
    span = f"{_ENDS[content['status']]} at t = {content['end_time_s']:g} s"
    if content["end_time_s"] < content["duration_s"]:
        span += f" of {content['duration_s']:g} s"
    lines.append(f"{span}; {content['samples']} samples, {content['segments']} segment(s), {content['states']} states")
    if content["message"]:
        lines.append(content["message"])
    if content["verdict"]:
        lines.append(f"{content['verdict'][:1].upper()}{content['verdict'][1:]}.")
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
    return table_lines(rows)


def _tracer_lines(content: Mapping[str, Any]) -> list[str]:
    """The share that each tracer labels, by compartment."""
    places: dict[str, list[str]] = {}
    for name, c in content["compartments"].items():
        for tracer in c["tracers"]:
            share = _cell(content["quantities"][f"{name}.{tracer}.share"], 5)
            places.setdefault(tracer, []).append(f"{share} in {name}")
    return [f"labelled with {tracer}, as a share: {', '.join(shares)}" for tracer, shares in places.items()]


def _membrane_lines(name: str, membrane: Mapping[str, Any], content: Mapping[str, Any]) -> list[str]:
    quantities = content["quantities"]
    title = f"membrane {name}, {membrane['inside']} | {membrane['outside']}: V = {_cell(quantities[f'{name}.V'], 6)} mV"
    # Of the whole run; left out where every one is 0 throughout.
    corrections = {k: v for k, v in content["largest_activity_corrections"].items() if k.startswith(f"{name}.dE.")}
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
    lines = [title, *(f"  {line}" for line in table_lines(rows))]
    if any(f"{name}.E.{species}" in quantities for species in membrane["species"]):
        where, slope = quantities[f"{name}.zero_current_potential"], quantities[f"{name}.slope_conductance"]
        lines.append(f"  no net current at {_cell(where, 6)} mV; slope conductance {_cell(slope, 5)} mS/cm^2")
    return lines


#: Terms of the budget below this part of the largest are summarised in one line.
_MINOR_POWER = 1e-3


def _energy_lines(energy: dict[str, Any], temperature: float | None) -> list[str]:
    """The energy budget at the end; a power below k T per second counts as none."""
    terms = [
        *((term["label"], 0, term["pW"]) for term in energy["power_in"].values()),
        *((term["label"], 1, term["pW"]) for term in energy["dissipation"].values()),
        *((f"{kind}, stored", 2, rate) for kind, rate in energy["storing_pW"].items()),
    ]
    largest = max((abs(value) for _, _, value in terms if value is not None), default=0.0)
    if largest <= BOLTZMANN * (temperature or 0.0) * 1e12 and all(value is not None for _, _, value in terms):
        return ["energy at the end: no power comes in, none is dissipated"]
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
    sums = [None if t is None else t / size * (abs(t) > 1e-9 * largest) for t in totals]
    rows.append(["all", *(_cell(t, 4) for t in sums)])
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


def _clamp_line(name: str, clamp: Mapping[str, Any], quantities: Mapping[str, float | None]) -> str:
    if "membrane" in clamp:
        now, since = (_cell(quantities[f"{name}.{key}"], 5) for key in ("clamp_current", "clamp_charge"))
        return f"clamp of {name}: {now} pA at the end, {since} pC since the start, into the inside"
    now, since = (_cell(quantities[f"{name}.{key}"], 5) for key in ("clamp_rate", "clamp_amount"))
    where = f"{clamp['ion']} in {clamp['compartment']}"
    return f"clamp of {where}: supplies {now} fmol/s at the end, {since} fmol since the start"


def _tail(content: dict[str, Any]) -> list[str]:
    count = ", ".join(f"{name} {value}" for name, value in content["statistics"].items())
    lines = [
        f"solver: {count}; relative tolerance {content['rtol']:g}",
        f"balance: charge off by {_cell(content['max_charge_drift'], 2)}, mass by {_cell(content['max_mass_drift'], 2)}"
        " (relative, at most)",
    ]
    lines += [f"event {name}: {event_times_text(times)}" for name, times in content["events_s"].items()]
    lines += [f"warning: {warning}" for warning in content["warnings"]]
    changed = "".join(f", with {path} = {value}" for path, value in content["overrides"].items())
    if content["scenario"] or changed:
        lines.append(f"scenario: {content['scenario']}{changed}")
    origin = content["provenance"]
    made = (
        f"written {content['created']} by iontide {origin.get('iontide', '?')} on {origin.get('cpu', 'an unknown CPU')}"
    )
    if "git_commit" in origin:
        modified = {"yes": ", modified", "unknown": ", perhaps modified"}.get(origin.get("git_modified", ""), "")
        made += f"; the working folder at commit {origin['git_commit'][:10]}{modified}"
    return [*lines, made]


def event_times_text(times: list[float]) -> str:
    """How often an event occurred, and when."""
    if not times:
        return "never"
    if len(times) == 1:
        return f"once, at t = {times[0]:.6g} s"
    return f"{len(times)} times, first at t = {times[0]:.6g} s, last at t = {times[-1]:.6g} s"


def _cell(value: float | None, digits: int) -> str:
    return "undefined" if value is None else f"{value:.{digits}g}"
