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
from ...formulas.display import temperature_text
from ...physics.ions import Ion, find_ion
from ..calculators import print_table, warn
from ..solutions import pairs_of, quantity_of

#: A solution by name, mol m⁻³.
Solution = tuple[str, Mapping[str, float]]


def junction(arguments: Namespace) -> int:
    """``iontide junction``."""
    temperature = quantity_of("--temperature", arguments.temperature, "K")
    ions, compartments = given_ions(arguments), {}
    if arguments.scenario:
        from ...electrode.starting_solutions import solutes_of, starting_solutions
        from ...scenario.read import load

        scenario = load(arguments.scenario)
        with scenario.locating():
            compartments = starting_solutions(scenario.model)
        ions = {**solutes_of(scenario.model), **ions}
    sides = [
        [named_solution(f"--{side}", text, compartments) for text in getattr(arguments, side)]
        for side in ("pipette", "bath")
    ]
    rows: list[tuple[str, dict[str, Junction | None]]] = []
    reasons: list[str] = []
    for (pipette, held), (bath, outside) in product(*sides):
        pair = solution_pair(held, outside, temperature, arguments.activity, arguments.balance, ions)
        junctions, why_not = _by_method(pair, arguments.method)
        reasons += [reason for reason in why_not if reason not in reasons]
        rows.append((f"{pipette} | {bath}", junctions))
    if arguments.width is not None:
        return _in_time(arguments, rows)
    warnings = list(dict.fromkeys(w for _, junctions in rows for j in junctions.values() if j for w in j.warnings))
    if arguments.plot:
        _draw(rows, arguments.plot)
    if arguments.json:
        print(json.dumps(_document(rows, temperature, arguments.activity, warnings)))
        return 0
    methods = [arguments.method] if arguments.method else list(METHODS)
    table = [["pipette | bath", *(f"{method}, mV" for method in methods), "error, mV"]]
    for name, junctions in rows:
        cells = ["none" if (j := junctions.get(m)) is None else f"{1e3 * j.potential:+.4f}" for m in methods]
        solved = junctions.get("nernst-planck")
        table.append([name, *cells, "" if solved is None else f"{1e3 * solved.error:.0e}"])
    print_table(
        f"Liquid junction potentials, {CONVENTION},\n"
        f"at {temperature_text(temperature)}, activities: {arguments.activity}",
        table,
    )
    for reason in reasons if arguments.method is None else []:
        print(f"none: {reason}")
    warn(warnings)
    return 0


def _in_time(arguments: Namespace, rows: list[tuple[str, dict[str, Junction | None]]]) -> int:
    """Simulate how the junction forms from a step, and print its potential."""
    from ...electrode.junctions.transient import form_junction

    if len(rows) > 1:
        raise UsageError("--width simulates one junction; give one pipette and one bath")
    if arguments.activity != "ideal":
        raise UsageError("--width applies only to ideal solutions; leave out --activity")
    solved = rows[0][1].get("nernst-planck")
    if solved is None:
        raise UsageError("--width solves the Nernst-Planck equations; leave out --method")
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

        print(*write_figure(forming_figure(solved.ions, forming, stationary=stationary), arguments.plot), sep="\n")
    potentials = (1e3 * forming.junction_potential).tolist()
    if arguments.json:
        content = {"convention": CONVENTION, "time_s": forming.time.tolist(), "LJP_mV": potentials}
        print(json.dumps(content | {"stationary_mV": None if stationary is None else 1e3 * stationary}))
        return 0
    shown = sorted({*range(0, len(potentials), max(1, len(potentials) // 16)), len(potentials) - 1})
    table = [["time, s", "LJP, mV"], *([f"{forming.time[k]:.4g}", f"{potentials[k]:+.4f}"] for k in shown)]
    end = "" if stationary is None else f"; stationary {1e3 * stationary:+.4f} mV"
    print_table(f"Liquid junction potential as it forms, {CONVENTION}{end}", table)
    warn(solved.warnings)
    return 0


def _by_method(pair: SolutionPair, only: str | None) -> tuple[dict[str, Junction | None], list[str]]:
    """The junction by each method (None if it does not apply), and the reasons why some do not apply."""
    if only is not None:
        return {only: junction_of(pair, only)}, []
    junctions: dict[str, Junction | None] = {}
    reasons: list[str] = []
    for method in METHODS:
        try:
            junctions[method] = junction_of(pair, method)
        except UsageError as error:
            junctions[method] = None
            reasons.append(str(error))
    return junctions, reasons


def named_solution(option: str, text: str, compartments: Mapping[str, Mapping[str, float]] | None = None) -> Solution:
    """Name and concentrations of a solution on the command line; a compartment is a solution, too."""
    label, colon, rest = text.partition(":")
    name, body = (label.strip(), rest) if colon else (text.strip(), text)
    if compartments and body.strip() in compartments:
        return name, compartments[body.strip()]
    concentrations: dict[str, float] = {}
    for part in re.split(r"[,;]", body):
        written = re.fullmatch(r"\s*([^\s=]+)\s*[=\s]\s*(.+?)\s*", part)
        if written is None:
            known = f", nor a compartment ({', '.join(compartments)})" if compartments else ""
            raise UsageError(
                f"{option}: {part.strip()!r} is no salt or ion with its concentration, e.g. 'K-gluconate 140 mM'{known}"
            )
        if written[1] in concentrations:
            raise UsageError(f"{option}: {written[1]} is given twice; write it once")
        concentrations[written[1]] = quantity_of(option, written[2], "mM")
    return name, concentrations


def given_ions(arguments: Namespace) -> dict[str, Ion]:
    """Ions whose valence or diffusion coefficient is given by ``--valence`` or ``--diffusion-coefficient``."""
    valences = pairs_of("--valence", arguments.valence) if arguments.valence else {}
    coefficients = pairs_of("--diffusion-coefficient", arguments.diffusion_coefficient)
    ions: dict[str, Ion] = {}
    for name in dict.fromkeys([*valences, *coefficients]):
        library = find_ion(name)
        if library is None and name not in valences:
            raise UsageError(f"--diffusion-coefficient: the library does not know {name}; give its --valence too")
        try:
            valence = int(valences[name]) if name in valences else library.valence  # type: ignore[union-attr]
        except ValueError:
            raise UsageError(
                f"--valence: the valence of {name} must be a whole number, e.g. -2, got {valences[name]}"
            ) from None
        d = library.diffusion_coefficient if library else None
        if name in coefficients:
            d = quantity_of("--diffusion-coefficient", coefficients[name], "m^2/s")
            if d < 0.0:
                raise UsageError(f"--diffusion-coefficient: the value of {name} must be ≥ 0, got {coefficients[name]}")
        key = library.name if library else name
        ions[key] = Ion(key, valence, d, library.ion_size if library else None)
    return ions


def _draw(rows: list[tuple[str, dict[str, Junction | None]]], path: str) -> None:
    from ...plots import junction_figure, junction_table_figure, write_figure

    solved = rows[0][1].get("nernst-planck")
    figure = junction_table_figure(rows) if len(rows) > 1 or solved is None else junction_figure(solved)
    print(*write_figure(figure, path), sep="\n")


def _document(
    rows: list[tuple[str, dict[str, Junction | None]]], temperature: float, activity: str, warnings: list[str]
) -> dict[str, Any]:
    pairs = [
        {
            "pipette": dict(zip(pair.ions_named, pair.pipette.tolist(), strict=True)),
            "bath": dict(zip(pair.ions_named, pair.bath.tolist(), strict=True)),
            "name": name,
            "LJP_mV": {m: None if j is None else 1e3 * j.potential for m, j in junctions.items()},
            "error_mV": {m: None if j is None else 1e3 * j.error for m, j in junctions.items()},
        }
        for name, junctions in rows
        for pair in [next(j.pair for j in junctions.values() if j is not None)]
    ]
    return {
        "convention": CONVENTION,
        "temperature_K": temperature,
        "activity": activity,
        "junctions": pairs,
        "mobilities": {
            ion.name: {"valence": ion.valence, "D_m2_per_s": ion.diffusion_coefficient, "source": ion.source}
            for _, junctions in rows
            for j in junctions.values()
            if j is not None
            for ion in j.pair.ions
        },
        "warnings": warnings,
    }
