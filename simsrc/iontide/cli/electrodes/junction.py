"""``iontide junction``: liquid junction potentials of the bath relative to the pipette."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Mapping
from itertools import product
from typing import Any

from ...electrode.junctions.liquid_junction import CONVENTION, METHODS, Junction, junction_of
from ...electrode.junctions.pair import SolutionPair, solution_pair
from ...errors import UsageError
from ...physics.ions import Ion, find_ion
from ..calculators import print_table, told_temperature, warn
from ..solutions import pairs_of, quantity_of

#: A solution by name, mol m⁻³.
Solution = tuple[str, Mapping[str, float]]


def junction(arguments: Namespace) -> int:
    """``iontide junction``."""
    temperature = quantity_of("--temperature", arguments.temperature, "K")
    ions, compartments = own_ions(arguments), {}
    if arguments.scenario:
        from ...electrode.starting_solutions import solutes_of, starting_solutions
        from ...scenario.read import load

        scenario = load(arguments.scenario)
        with scenario.locating():
            compartments = starting_solutions(scenario.model)
        ions = {**solutes_of(scenario.model), **ions}
    sides = [
        [written_solution(f"--{side}", text, compartments) for text in getattr(arguments, side)]
        for side in ("pipette", "bath")
    ]
    rows: list[tuple[str, dict[str, Junction | None]]] = []
    reasons: list[str] = []
    for (pipette, held), (bath, outside) in product(*sides):
        pair = solution_pair(held, outside, temperature, arguments.activity, arguments.balance, ions)
        found, why = _by_method(pair, arguments.method)
        reasons += [reason for reason in why if reason not in reasons]
        rows.append((f"{pipette} | {bath}", found))
    if arguments.width is not None:
        return _in_time(arguments, rows)
    warnings = list(dict.fromkeys(w for _, found in rows for j in found.values() if j for w in j.warnings))
    if arguments.plot:
        _draw(rows, arguments.plot)
    if arguments.json:
        print(json.dumps(_document(rows, temperature, arguments.activity, warnings)))
        return 0
    methods = [arguments.method] if arguments.method else list(METHODS)
    table = [["pipette | bath", *(f"{method}, mV" for method in methods), "solved to, mV"]]
    for name, found in rows:
        cells = ["none" if (j := found.get(m)) is None else f"{1e3 * j.potential:+.4f}" for m in methods]
        solved = found.get("nernst-planck")
        table.append([name, *cells, "" if solved is None else f"{1e3 * solved.error:.0e}"])
    print_table(
        f"Liquid junction potentials, {CONVENTION},\n"
        f"at {told_temperature(temperature)}, activities: {arguments.activity}",
        table,
    )
    for reason in reasons if arguments.method is None else []:
        print(f"none: {reason}")
    warn(warnings)
    return 0


def _in_time(arguments: Namespace, rows: list[tuple[str, dict[str, Junction | None]]]) -> int:
    """The junction as it forms from a step."""
    from ...electrode.junctions.transient import form_junction

    if len(rows) > 1:
        raise UsageError("--width follows one junction; give one pipette and one bath")
    if arguments.activity != "ideal":
        raise UsageError("--width holds for ideal solutions only; leave --activity out")
    solved = rows[0][1].get("nernst-planck")
    if solved is None:
        raise UsageError("--width solves the Nernst–Planck equations; leave --method out")
    pair = solved.pair
    forming = form_junction(
        pair.valences,
        pair.diffusion_coefficients,
        pair.pipette,
        pair.bath,
        temperature=pair.temperature,
        width=quantity_of("--width", arguments.width, "m"),
        duration=None if arguments.duration is None else quantity_of("--duration", arguments.duration, "s"),
        ends=arguments.ends,
        poisson=arguments.poisson,
    )
    stationary = solved.potential if arguments.ends == "held" else None
    if arguments.plot:
        from ...plots import forming_figure, write_figure

        figure = forming_figure(solved.ions, forming, stationary=stationary)
        for written in write_figure(figure, arguments.plot, figure.data):
            print(written)
    potentials = (1e3 * forming.junction_potential).tolist()
    if arguments.json:
        found = {"convention": CONVENTION, "time_s": forming.time.tolist(), "LJP_mV": potentials}
        print(json.dumps(found | {"stationary_mV": None if stationary is None else 1e3 * stationary}))
        return 0
    shown = sorted({*range(0, len(potentials), max(1, len(potentials) // 16)), len(potentials) - 1})
    table = [["time, s", "LJP, mV"], *([f"{forming.time[k]:.4g}", f"{potentials[k]:+.4f}"] for k in shown)]
    end = "" if stationary is None else f"; stationary {1e3 * stationary:+.4f} mV"
    print_table(f"Liquid junction potential as it forms, {CONVENTION}{end}", table)
    warn(solved.warnings)
    return 0


def _by_method(pair: SolutionPair, only: str | None) -> tuple[dict[str, Junction | None], list[str]]:
    """The junction by each method, and why some do not apply."""
    if only is not None:
        return {only: junction_of(pair, only)}, []
    found: dict[str, Junction | None] = {}
    why: list[str] = []
    for method in METHODS:
        try:
            found[method] = junction_of(pair, method)
        except UsageError as error:
            found[method] = None
            why.append(str(error))
    return found, why


def written_solution(option: str, text: str, compartments: Mapping[str, Mapping[str, float]] | None = None) -> Solution:
    """A solution as it was written, with its name."""
    label, colon, rest = text.partition(":")
    name, body = (label.strip(), rest) if colon else (text.strip(), text)
    if compartments and body.strip() in compartments:
        return name, compartments[body.strip()]
    found: dict[str, float] = {}
    for part in re.split(r"[,;]", body):
        written = re.fullmatch(r"\s*([^\s=]+)\s*[=\s]\s*(.+?)\s*", part)
        if written is None:
            known = f", nor a compartment ({', '.join(compartments)})" if compartments else ""
            raise UsageError(
                f"{option}: {part.strip()!r} is no salt or ion with its concentration, as 'K-gluconate 140 mM'{known}"
            )
        if written[1] in found:
            raise UsageError(f"{option}: {written[1]} is given twice")
        found[written[1]] = quantity_of(option, written[2], "mM")
    return name, found


def own_ions(arguments: Namespace) -> dict[str, Ion]:
    """Ions with a valence or a diffusion coefficient of their own."""
    valences = pairs_of("--valence", arguments.valence) if arguments.valence else {}
    given = pairs_of("--diffusion-coefficient", arguments.diffusion_coefficient)
    found: dict[str, Ion] = {}
    for name in dict.fromkeys([*valences, *given]):
        library = find_ion(name)
        if library is None and name not in valences:
            raise UsageError(f"--diffusion-coefficient: the library does not know {name}; give its --valence too")
        try:
            valence = int(valences[name]) if name in valences else library.valence  # type: ignore[union-attr]
        except ValueError:
            raise UsageError(f"--valence: that of {name} must be a whole number, as -2, got {valences[name]}") from None
        d = library.diffusion_coefficient if library else None
        if name in given:
            d = quantity_of("--diffusion-coefficient", given[name], "m^2/s")
            if d < 0.0:
                raise UsageError(f"--diffusion-coefficient: that of {name} must be ≥ 0, got {given[name]}")
        own = library.name if library else name
        found[own] = Ion(own, valence, d, library.ion_size if library else None)
    return found


def _draw(rows: list[tuple[str, dict[str, Junction | None]]], path: str) -> None:
    from ...plots import junction_figure, junction_table_figure, write_figure

    solved = rows[0][1].get("nernst-planck")
    figure = junction_table_figure(rows) if len(rows) > 1 or solved is None else junction_figure(solved)
    for written in write_figure(figure, path, figure.data):
        print(written)


def _document(
    rows: list[tuple[str, dict[str, Junction | None]]], temperature: float, activity: str, warnings: list[str]
) -> dict[str, Any]:
    junctions = [
        {
            "pipette": dict(zip(pair.ions_named, pair.pipette.tolist(), strict=True)),
            "bath": dict(zip(pair.ions_named, pair.bath.tolist(), strict=True)),
            "name": name,
            "LJP_mV": {m: None if j is None else 1e3 * j.potential for m, j in found.items()},
            "error_mV": {m: None if j is None else 1e3 * j.error for m, j in found.items()},
        }
        for name, found in rows
        for pair in [next(j.pair for j in found.values() if j is not None)]
    ]
    return {
        "convention": CONVENTION,
        "temperature_K": temperature,
        "activity": activity,
        "junctions": junctions,
        "mobilities": {
            ion.name: {"valence": ion.valence, "D_m2_per_s": ion.diffusion_coefficient, "source": ion.source}
            for _, found in rows
            for j in found.values()
            if j is not None
            for ion in j.pair.ions
        },
        "warnings": warnings,
    }
