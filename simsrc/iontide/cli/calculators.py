"""The pocket calculators: ``iontide nernst`` and ``iontide ghk``. Potentials are inside minus outside."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from math import log
from typing import Any

from ..errors import UsageError
from ..formulas.display import table_lines, temperature_text
from ..physics.electrochemical import thermal_potential
from ..physics.ghk_nernst import ghk_currents, ghk_potential, nernst_potential
from .solutions import Solution, ion_of, pairs_of, permeabilities_of, quantity_of, solution_of

#: The sign convention, printed with every result.
CONVENTION = "inside minus outside"


def nernst(arguments: Namespace) -> int:
    """``iontide nernst``."""
    temperature, (inside, outside) = _temperature(arguments), _solutions(arguments)
    both = [name for name in inside.concentrations if name in outside.concentrations]
    for name in arguments.ion:
        if name not in both:
            raise UsageError(f"--inside and --outside must both give a concentration of {name}, e.g. {name}=4 mM")
    asked = arguments.ion or [name for name in both if ion_of(name).valence]
    if not asked:
        raise UsageError(
            "--inside and --outside have no ion in common; give the concentrations of an ion on both sides"
        )
    ions = {name: _nernst_of(name, inside, outside, temperature, name in arguments.ion) for name in asked}
    content = _common(arguments, temperature, inside, outside) | {"ions": ions}
    if arguments.json:
        print(json.dumps(content))
        return 0
    rows = [["", "z", "inside, mM", "outside, mM", "E, mV", "RT/zF, mV", "mV per decade"]]
    corrected = _has_activities(inside, outside)
    rows[0] += ["gamma inside", "gamma outside", "E by concentrations, mV", "dE, mV"] if corrected else []
    for name, ion in ions.items():
        row = [name, f"{ion['valence']:+d}", _cell(ion["inside_mM"]), _cell(ion["outside_mM"]), _cell(ion["E_mV"])]
        row += [_cell(ion["RT_over_zF_mV"]), _cell(ion["slope_per_decade_mV"])]
        keys = ("gamma_inside", "gamma_outside", "E_by_concentrations_mV", "dE_mV") if corrected else ()
        rows.append(row + [_cell(ion[key]) for key in keys])
    print_table(
        f"Nernst potentials, {CONVENTION}, at {temperature_text(temperature)}{_by(arguments, inside, outside)}", rows
    )
    warn(content["warnings"])
    return 0


def _nernst_of(name: str, inside: Solution, outside: Solution, temperature: float, asked: bool) -> dict[str, Any]:
    z = ion_of(name).valence
    c_in, c_out = inside.concentrations[name], outside.concentrations[name]
    if z == 0:
        raise UsageError(f"{name} has no Nernst potential: it is uncharged")
    if asked and not (c_in > 0.0 and c_out > 0.0):
        raise UsageError(f"{name} has no Nernst potential: its concentration is 0 on one side")
    per_unit = 1e3 * thermal_potential(temperature, z)
    e, by_concentrations = (
        _nernst_mV(z, c_in, c_out, temperature, a, b)
        for a, b in ((inside.gamma[name], outside.gamma[name]), (1.0, 1.0))
    )
    return {
        "valence": z,
        "inside_mM": c_in,
        "outside_mM": c_out,
        "gamma_inside": inside.gamma[name],
        "gamma_outside": outside.gamma[name],
        "E_mV": e,
        "E_by_concentrations_mV": by_concentrations,
        "dE_mV": per_unit * log(outside.gamma[name] / inside.gamma[name]),
        "RT_over_zF_mV": per_unit,
        "slope_per_decade_mV": per_unit * log(10.0),
    }


def _nernst_mV(
    z: int, c_in: float, c_out: float, temperature: float, gamma_in: float, gamma_out: float
) -> float | None:
    """None if the ion is on one side only."""
    if not (c_in > 0.0 and c_out > 0.0):
        return None
    return 1e3 * nernst_potential(z, c_in, c_out, temperature, gamma_in, gamma_out)


def ghk(arguments: Namespace) -> int:
    """``iontide ghk``."""
    temperature, (inside, outside) = _temperature(arguments), _solutions(arguments)
    permeability, absolute = permeabilities_of(arguments.permeability)
    for name in permeability:
        lacking = [s.side for s in (inside, outside) if name not in s.concentrations]
        if lacking:
            raise UsageError(f"--{lacking[0]} gives no concentration of {name}; write {name}=0 mM if there is none")
    v = ghk_potential(permeability, inside.activities, outside.activities, temperature)
    by_concentrations = ghk_potential(permeability, inside.concentrations, outside.concentrations, temperature)
    currents = ghk_currents(permeability, inside.activities, outside.activities, temperature, v)
    slope = sum(g for _, g in currents.values())
    outward = sum(i for i, _ in currents.values() if i > 0.0)
    ions: dict[str, dict[str, Any]] = {}
    for name, p in permeability.items():
        current, conductance = currents.get(name, (0.0, 0.0))
        z = ion_of(name).valence
        a, b = inside.gamma[name], outside.gamma[name]
        e = _nernst_mV(z, inside.concentrations[name], outside.concentrations[name], temperature, a, b) if z else None
        ions[name] = {
            "valence": z,
            "permeability_m_per_s" if absolute else "permeability_ratio": p,
            "E_mV": e,
            "fractional_slope_conductance": conductance / slope,
            "current_uA_per_cm2": 1e2 * current if absolute else None,
            "current_share": current / outward if outward > 0.0 else 0.0,
        }
    content = _common(arguments, temperature, inside, outside) | {
        "V_mV": 1e3 * v,
        "V_by_concentrations_mV": 1e3 * by_concentrations,
        "dV_mV": 1e3 * (v - by_concentrations),
        "slope_conductance_mS_per_cm2": 0.1 * slope if absolute else None,
        "ions": ions,
    }
    if arguments.json:
        print(json.dumps(content))
        return 0
    heads = ["", "z", "P, m/s" if absolute else "P ratio", "E, mV", "share of g, %", "current out, % of all outward"]
    rows = [heads + (["current out, uA/cm^2"] if absolute else [])]
    for name, ion in ions.items():
        row = [name, f"{ion['valence']:+d}", f"{permeability[name]:g}", _cell(ion["E_mV"])]
        row += [_cell(100.0 * ion["fractional_slope_conductance"], 4), _cell(100.0 * ion["current_share"], 4)]
        rows.append(row + ([_cell(ion["current_uA_per_cm2"], 5)] if absolute else []))
    title = f"V = {1e3 * v:.6g} mV, {CONVENTION}: the net GHK current is 0 there, at {temperature_text(temperature)}"
    if _has_activities(inside, outside):
        title += (
            f"\nby concentrations {1e3 * by_concentrations:.6g} mV: off by dV = {1e3 * (v - by_concentrations):.4g} mV"
        )
    print_table(f"{title}{_by(arguments, inside, outside)}", rows)
    warn(content["warnings"])
    return 0


def _temperature(arguments: Namespace) -> float:
    kelvin = quantity_of("--temperature", arguments.temperature, "K")
    if kelvin <= 0.0:
        raise UsageError(f"--temperature: must be above absolute zero, got {arguments.temperature}")
    return kelvin


def _solutions(arguments: Namespace) -> tuple[Solution, Solution]:
    temperature = _temperature(arguments)
    sides = []
    for side in ("inside", "outside"):
        written = _by_name(arguments, side)
        gammas = _by_name(arguments, f"gamma_{side}") if getattr(arguments, f"gamma_{side}") else {}
        sides.append(solution_of(side, written, arguments.activity, gammas, temperature))
    return sides[0], sides[1]


def _by_name(arguments: Namespace, key: str) -> dict[str, str]:
    """The values of an option by ion; if one ION is named, its value may be given alone."""
    texts: Sequence[str] = getattr(arguments, key)
    ions: Sequence[str] = getattr(arguments, "ion", [])
    if len(ions) == 1 and len(texts) == 1 and "=" not in texts[0]:
        return {ions[0]: texts[0]}
    return pairs_of(f"--{key.replace('_', '-')}", texts)


def _common(arguments: Namespace, temperature: float, inside: Solution, outside: Solution) -> dict[str, Any]:
    return {
        "convention": CONVENTION,
        "temperature_K": temperature,
        "activity": arguments.activity,
        "ionic_strength_mM": {s.side: s.ionic_strength for s in (inside, outside)},
        "warnings": [*inside.warnings, *outside.warnings],
    }


def _has_activities(*solutions: Solution) -> bool:
    return any(gamma != 1.0 for s in solutions for gamma in s.gamma.values())


def _by(arguments: Namespace, inside: Solution, outside: Solution) -> str:
    if arguments.activity == "ideal":
        return ""
    strengths = " and ".join(f"{s.ionic_strength:.4g} mM {s.side}" for s in (inside, outside))
    return f"\nactivities by {arguments.activity}, ionic strength {strengths}"


def _cell(value: float | None, digits: int = 6) -> str:
    return "none" if value is None else f"{value:.{digits}g}"


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print a title and a table."""
    print(title, *table_lines(rows), sep="\n")


def warn(sentences: Sequence[str]) -> None:
    """Print warnings to standard error."""
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr)
