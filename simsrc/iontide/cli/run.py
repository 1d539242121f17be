"""``iontide run``: simulate a scenario, write the result file, and report the outcome."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SolverError

if TYPE_CHECKING:
    from ..scenario.read import Scenario
    from ..simulation.trajectory import Run, Trajectory

#: Numbers (samples × states) above which a recording is written block by block.
STREAM_ABOVE = 4_000_000

#: Membranes whose potential is printed at the end of a run.
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
        print("compiling the integrator for this machine (once, up to a minute or so) …", file=sys.stderr)
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
    if arguments.json:
        print(json.dumps(_as_json(outcome, scenario, written, elapsed)))
    else:
        print(*written, sep="\n")
    if not arguments.quiet:
        _report(outcome, scenario, elapsed, arguments.verbose)
        for sentence in warnings(samples) if samples is not None else open_overview(output).warnings:
            print(f"warning: {sentence}", file=sys.stderr)
    if outcome.status == "failed":
        raise SolverError(f"{scenario.source}: {outcome.message}. The run up to there is in {output}.")
    return 0


def _load(arguments: Namespace) -> Scenario:
    from ..scenario.read import load

    settings: dict[str, Any] = dict(arguments.set)
    if arguments.rtol is not None:
        settings["simulation.rtol"] = arguments.rtol
    return load(arguments.scenario, set=settings)


def _sample_count(scenario: Scenario) -> int:
    from ..model.schedule import sample_count_limit, segments_of

    recording = scenario.model.recording
    return 0 if recording.spacing == "steps" else sample_count_limit(recording, len(segments_of(scenario.model)))


def _describe(scenario: Scenario, output: Path, arguments: Namespace) -> int:
    """What a run would do."""
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
    sampling = f"{samples} samples" if samples else "a sample after every step of the solver"
    print(
        f"would run {scenario.source}: {layout.size} states ({', '.join(layout.names)}), "
        f"{scenario.model.simulation.duration:g} s, {sampling}, into {output}",
        file=sys.stderr,
    )
    return 0


def _as_json(outcome: Run, scenario: Scenario, written: list[Path], elapsed: float) -> dict[str, Any]:
    return {
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


def _report(outcome: Run, scenario: Scenario, elapsed: float, verbose: bool) -> None:
    """Print how the run ended, with the potentials and events, to standard error."""
    from ..reports.info_text import event_times_text

    ended = {
        "done": "ran to",
        "steady": "reached a steady state at",
        "stopped": f"{outcome.message} at",
        "failed": "stopped at",
    }[outcome.status]
    potentials = _end_potentials(outcome)
    print(
        f"{outcome.model.title or scenario.source}: {ended} t = {outcome.end_time:g} s"
        f"{f'; {potentials}' if potentials else ''} ({outcome.statistics.steps} steps, {elapsed * 1e3:.0f} ms)",
        file=sys.stderr,
    )
    for name, times in outcome.crossing_times().items():
        print(f"event {name}: {event_times_text(times)}", file=sys.stderr)
    if verbose:
        print(
            f"rejected steps: {outcome.statistics.rejected}; Jacobians: {outcome.statistics.jacobians}; "
            f"states: {', '.join(outcome.layout.names)}",
            file=sys.stderr,
        )


def _end_potentials(outcome: Run) -> str:
    """Potentials of the membranes at the end, of many the first ones."""
    names = list(outcome.model.membranes)
    shown = names[:MOST_POTENTIALS]
    potentials = ", ".join(f"{name} {1e3 * _end_potential(outcome, name):.5f} mV" for name in shown)
    return potentials + (f" … and {len(names) - len(shown)} more" if len(names) > len(shown) else "")


def _end_potential(outcome: Run, membrane: str) -> float:
    import numpy as np

    from ..simulation.trajectory import Trajectory

    last = next(i for i, s in reversed(list(enumerate(outcome.segments))) if s.start <= outcome.end_time)
    end = Trajectory(outcome, np.array([outcome.end_time]), np.array([last]), outcome.end_state[np.newaxis])
    return float(end.membrane_potential(membrane)[0])
