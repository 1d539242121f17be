"""What each command does. Imports stand in the functions: a command loads what it needs and no more."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import IontideError, ScenarioError, SolverError, UsageError

if TYPE_CHECKING:
    from ..scenario.read import Scenario
    from ..simulation.run import Run
    from ..simulation.trajectory import Trajectory

#: Numbers (samples × states) above which a recording goes to its file block by block.
STREAM_ABOVE = 4_000_000

#: Membranes whose potential the closing line of a run tells.
MOST_POTENTIALS = 3


def run(arguments: Namespace) -> int:
    """``iontide run``."""
    scenario = _load(arguments)
    output = Path(arguments.output) if arguments.output else Path("outputs") / (Path(scenario.source).stem + ".h5")
    from ..storage import check_target, open_overview, open_trajectory, save, stream

    check_target(output)
    if arguments.dry_run:
        return _describe(scenario, output, arguments)

    from ..analysis.audit.diagnostics import warnings
    from ..kernel.build import object_files
    from ..simulation.simulate import Integration, collect, origin_of
    from .progress import ProgressDisplay

    if object_files.must_compile() and not arguments.quiet:
        print("compiling the integrator for this machine (once, some ten seconds) …", file=sys.stderr)
    began, started = time.perf_counter(), datetime.now(UTC)
    with scenario.locating():
        integration = Integration(scenario.model, origin_of(scenario))
    numbers = _sample_count(scenario) * max(1, integration.layout.size)
    samples: Trajectory | None = None
    with ProgressDisplay(Path(scenario.source).stem, arguments.quiet) as display:
        if numbers > STREAM_ABOVE:
            outcome = stream(integration, output, display)
        else:
            samples = collect(integration, display)
            save(samples, output, started=started)
            outcome = samples.run
    elapsed = time.perf_counter() - began
    written = [output]
    if arguments.plot:
        from ..plots import run_figure, write_pair

        written += write_pair(run_figure(samples or open_trajectory(output)), output)
    _tell(outcome, scenario, written, elapsed, arguments)
    if not arguments.quiet:
        for sentence in warnings(samples) if samples is not None else open_overview(output).warnings:
            print(f"warning: {sentence}", file=sys.stderr)
    if outcome.status == "failed":
        raise SolverError(f"{scenario.source}: {outcome.message}. The run up to there is in {output}.")
    return 0


def _load(arguments: Namespace) -> Scenario:
    from ..scenario.read import load

    settings: dict[str, Any] = dict(arguments.set)
    if getattr(arguments, "rtol", None) is not None:
        settings["simulation.rtol"] = arguments.rtol
    return load(arguments.scenario, set=settings)


def _sample_count(scenario: Scenario) -> int:
    from ..model.schedule import sample_count_limit, segments_of

    recording = scenario.model.recording
    return 0 if recording.spacing == "steps" else sample_count_limit(recording, len(segments_of(scenario.model)))


def _describe(scenario: Scenario, output: Path, arguments: Namespace) -> int:
    from ..equations.states import lay_out

    layout = lay_out(scenario.model)
    samples = _sample_count(scenario)
    plan = {
        "scenario": scenario.source,
        "output": str(output),
        "states": list(layout.names),
        "duration_s": scenario.model.simulation.duration,
        "samples": samples or None,
        "state_bytes": 8 * samples * layout.size,
    }
    if arguments.json:
        print(json.dumps(plan))
        return 0
    many = f"{samples} samples" if samples else "a sample after every step of the solver"
    print(
        f"would run {scenario.source}: {layout.size} states ({', '.join(layout.names)}), "
        f"{scenario.model.simulation.duration:g} s, {many}, into {output}",
        file=sys.stderr,
    )
    return 0


def _tell(outcome: Run, scenario: Scenario, written: list[Path], elapsed: float, arguments: Namespace) -> None:
    """The outcome: files on standard output, the story on standard error."""
    if arguments.json:
        print(
            json.dumps(
                {
                    "scenario": scenario.source,
                    "status": outcome.status,
                    "message": outcome.message,
                    "files": [str(path) for path in written],
                    "end_time_s": outcome.end_time,
                    "end_state": dict(zip(outcome.layout.names, outcome.end_state.tolist(), strict=True)),
                    "events_s": outcome.crossing_times(),
                    "statistics": asdict(outcome.statistics),
                    "seconds": elapsed,
                }
            )
        )
    else:
        for path in written:
            print(path)
    if arguments.quiet:
        return
    from ..reports.info import told_times

    ended = {
        "done": "ran to",
        "steady": "reached a steady state at",
        "stopped": f"{outcome.message} at",
        "failed": "stopped at",
    }[outcome.status]
    potentials = _told_potentials(outcome)
    print(
        f"{outcome.model.title or scenario.source}: {ended} t = {outcome.end_time:g} s; {potentials} "
        f"({outcome.statistics.steps} steps, {elapsed * 1e3:.0f} ms)",
        file=sys.stderr,
    )
    for name, times in outcome.crossing_times().items():
        print(f"event {name}: {told_times(times)}", file=sys.stderr)
    if arguments.verbose:
        print(
            f"rejected steps: {outcome.statistics.rejected}; Jacobians: {outcome.statistics.jacobians}; "
            f"states: {', '.join(outcome.layout.names)}",
            file=sys.stderr,
        )


def _told_potentials(outcome: Run) -> str:
    """V of the membranes at the end, of many the first ones."""
    names = list(outcome.model.membranes)
    shown = names[:MOST_POTENTIALS]
    told = ", ".join(f"{name} {1e3 * _end_potential(outcome, name):.5f} mV" for name in shown)
    return told + (f" … and {len(names) - len(shown)} more" if len(names) > len(shown) else "")


def _end_potential(outcome: Run, membrane: str) -> float:
    import numpy as np

    from ..simulation.trajectory import Trajectory

    last = next(i for i, s in reversed(list(enumerate(outcome.segments))) if s.start <= outcome.end_time)
    end = Trajectory(outcome, np.array([outcome.end_time]), np.array([last]), outcome.end_state[np.newaxis])
    return float(end.membrane_potential(membrane)[0])


def plot(arguments: Namespace) -> int:
    """``iontide plot``."""
    from ..plots import plot as draw

    if arguments.output and len(arguments.file) > 1:
        raise UsageError("-o names one figure, but there are several result files; leave it out, or plot one by one")
    from ..plots.choices import SWEEP_KINDS
    from ..storage import is_branch
    from .sweeps.figures import draw_sweep, is_sweep

    asked = {name: getattr(arguments, name) for name in ("quantity", "x", "y", "by", "at")}
    for file in arguments.file:
        if is_sweep(file):
            print(*draw_sweep(file, arguments), sep="\n")
            continue
        if arguments.kind in SWEEP_KINDS or any(asked.values()):
            words = [f"--{name}" for name, value in asked.items() if value] or [f"--kind {arguments.kind}"]
            raise UsageError(f"{', '.join(words)}: that is of sweeps, and {file} is none")
        if is_branch(file):
            from .continuation import draw_branch

            print(*draw_branch(file, arguments), sep="\n")
            continue
        paths = draw(
            file,
            arguments.output,
            kind=arguments.kind or "overview",
            time_axis=arguments.time or "linear",
            membrane=arguments.membrane,
            width_mm=arguments.width,
        )
        for path in paths:
            print(path)
    return 0


def info(arguments: Namespace) -> int:
    """``iontide info``."""
    from ..storage import is_branch

    if is_branch(arguments.file):
        from .continuation import tell_branch

        return tell_branch(arguments)
    from ..reports.info import info as read_info
    from ..reports.info import info_text

    content = read_info(arguments.file)
    print(json.dumps(content) if arguments.json else info_text(arguments.file, content))
    return 0


def validate(arguments: Namespace) -> int:
    """``iontide validate``: every file is looked at, whatever is wrong with the others."""
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

    found = catalogue(arguments.name)
    print(json.dumps(found, ensure_ascii=False) if arguments.json else catalogue_text(found))
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
    """``iontide warmup``: run the smallest of all models, which compiles what every model needs, and what sweeps do."""
    from ..kernel.build import object_files
    from ..kernel.build.cache import usable_cache_folder
    from ..kernel.build.symbols import LANES
    from ..model.model import Compartment, Membrane, Model, Pathway, Simulation, Species
    from ..simulation.simulate import simulate

    compiles = object_files.must_compile(), object_files.must_compile(LANES)
    began = time.perf_counter()
    if compiles[0] and not arguments.quiet:
        print("compiling the integrator for this machine (once, some ten seconds) …", file=sys.stderr)
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
        print("compiling the integrator for sweeps on this machine (once, some twenty seconds) …", file=sys.stderr)
    object_files.load(LANES)
    if not arguments.quiet:
        folder = usable_cache_folder()
        kept = f"kept in {folder}" if folder else "kept nowhere: no cache folder can be written (set IONTIDE_CACHE_DIR)"
        done = "compiled" if any(compiles) else "already compiled"
        print(f"{done}, {kept} ({time.perf_counter() - began:.1f} s)", file=sys.stderr)
    return 0
