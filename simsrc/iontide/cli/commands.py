"""The short commands: ``info``, ``validate``, ``laws``, ``schema``, ``warmup``.

Imports are in the functions: a command loads only what it needs.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from ..errors import IontideError, ScenarioError


def info(arguments: Namespace) -> int:
    """``iontide info``."""
    from ..storage import is_branch

    if is_branch(arguments.file):
        from .continuation import branch_info

        return branch_info(arguments)
    from ..reports.info import info as read_info
    from ..reports.info_text import info_text

    content = read_info(arguments.file)
    print(json.dumps(content) if arguments.json else info_text(content))
    return 0


def validate(arguments: Namespace) -> int:
    """``iontide validate``: every file is checked, also after one with faults."""
    from ..analysis.audit.plausibility import plausibility_warnings
    from ..equations.initial_state import check_start
    from ..scenario.read import load

    worst = 0
    report = []
    for source in arguments.scenario:
        faults: list[dict[str, Any]] = []
        warnings: list[str] = []
        try:
            scenario = load(source, set=dict(arguments.set))
            warnings = plausibility_warnings(scenario.model)
            with scenario.locating():
                check_start(scenario.model)
        except ScenarioError as error:
            worst = max(worst, error.exit_code)
            faults = [asdict(fault) for fault in error.faults]
            print(error, file=sys.stderr)
        except IontideError as error:
            worst = max(worst, error.exit_code)
            faults = [{"line": 0, "path": "", "message": str(error)}]
            print(error, file=sys.stderr)
        else:
            print(f"{source}: no faults", file=sys.stderr)
        for sentence in warnings:
            print(f"{source}: warning: {sentence}", file=sys.stderr)
        report.append({"scenario": source, "valid": not faults, "faults": faults, "warnings": warnings})
    if arguments.json:
        print(json.dumps(report))
    return worst


def laws(arguments: Namespace) -> int:
    """``iontide laws``."""
    from ..reports.laws import catalogue, catalogue_text

    content = catalogue(arguments.name)
    print(json.dumps(content, ensure_ascii=False) if arguments.json else catalogue_text(content))
    return 0


def cite(arguments: Namespace) -> int:
    """``iontide cite``."""
    from ..reports.citations import citations, citations_json, citations_text

    found = citations(arguments.file)
    print(json.dumps(citations_json(found), ensure_ascii=False) if arguments.json else citations_text(found))
    return 0


def schema(arguments: Namespace) -> int:
    """``iontide schema``."""
    from ..scenario.jsonschema import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0


def warmup(arguments: Namespace) -> int:
    """``iontide warmup``: compile what all models and sweeps share, by a run of a very small model."""
    from ..kernel.build import object_files
    from ..kernel.build.cache import usable_cache_folder
    from ..kernel.build.symbols import LANES
    from ..model.model import Compartment, Membrane, Model, Pathway, Simulation, Species
    from ..simulation.simulate import simulate

    compiles = object_files.must_compile(), object_files.must_compile(LANES)
    began = time.perf_counter()
    if compiles[0] and not arguments.quiet:
        print("compiling the integrator for this machine (once, up to a minute or so) …", file=sys.stderr)
    simulate(
        Model(
            species={"K": Species("K", 1)},
            compartments={
                "cell": Compartment("cell", volume=1e-15, concentrations={"K": 100.0}),
                "bath": Compartment("bath", kind="bath", concentrations={"K": 5.0}),
            },
            membranes={
                "plasma": Membrane(
                    "plasma", "cell", "bath", 1e-9, 0.01, 0.0, (Pathway("permeability.K", "ghk", {"K": 1}, {"": 1e-8}),)
                )
            },
            simulation=Simulation(1.0),
        )
    )
    if compiles[1] and not arguments.quiet:
        print("compiling the integrator for sweeps on this machine (once, up to a minute or so) …", file=sys.stderr)
    object_files.load(LANES)
    if not arguments.quiet:
        folder = usable_cache_folder()
        where = f"cached in {folder}" if folder else "not cached: no cache folder is writable (set IONTIDE_CACHE_DIR)"
        done = "compiled" if any(compiles) else "already compiled"
        print(f"{done}, {where} ({time.perf_counter() - began:.1f} s)", file=sys.stderr)
    return 0
