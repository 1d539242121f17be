"""``iontide correct``: the membrane potential from a recording."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...electrode.configurations import PLACEMENTS, corrected
from ...electrode.junctions.liquid_junction import CONVENTION, junction_of
from ...electrode.junctions.pair import solution_pair
from ...errors import UsageError
from ...storage.csv_file import write_csv
from ..solutions import quantity_of
from .junction import given_ions, named_solution
from .recordings import Recording, read_recording


def correct(arguments: Namespace) -> int:
    """``iontide correct``."""
    by_model = arguments.scenario is not None
    given = [name for name in ("pipette", "bath", "configuration", "cell", "resting") if getattr(arguments, name)]
    if by_model and given:
        raise UsageError(f"--{given[0]} cannot be combined with --scenario, whose electrode defines it; leave out one")
    recording = read_recording(
        arguments.recording, arguments.column, arguments.time, arguments.unit, arguments.electrode or "electrode"
    )
    potential, description = _by_model(arguments, recording) if by_model else _by_solutions(arguments, recording)
    output = Path(arguments.output or f"{Path(arguments.recording).with_suffix('')}.corrected.csv")
    if output.resolve() == Path(arguments.recording).resolve():
        raise UsageError(f"{output} is the recording itself, which is not overwritten; give another name with -o")
    columns = {
        "time (s)": recording.time,
        "recorded (mV)": 1e3 * recording.potential,
        "V inside minus outside (mV)": 1e3 * potential,
    }
    write_csv(output, columns)
    if arguments.json:
        removed = 1e3 * (recording.potential - potential)
        span = [float(removed.min()), float(removed.max())]
        print(json.dumps({"file": str(output), "convention": CONVENTION, "subtracted_mV": span}))
        return 0
    print(output)
    print(f"{description}; {CONVENTION}", file=sys.stderr)
    return 0


def _by_model(arguments: Namespace, recording: Recording) -> tuple[NDArray, str]:
    """The membrane potential (V) by the electrode of a scenario, and how it was found."""
    from ...electrode.correction import correct_recording
    from ...scenario.read import load
    from ...simulation.simulate import run

    scenario = load(arguments.scenario, set=dict(arguments.set))
    names = [e.name for e in scenario.model.electrodes if e.membrane is not None]
    name = arguments.electrode or (names[0] if len(names) == 1 else None)
    if name is None:
        raise UsageError(
            f"name the electrode with --electrode; {arguments.scenario} has {', '.join(names) or 'none'} on a membrane"
        )
    with scenario.locating():
        trajectory = run(scenario)
    potential = correct_recording(trajectory, name, recording.time, recording.potential)
    return potential, f"{recording.column} as {name} of {arguments.scenario} records it"


def _by_solutions(arguments: Namespace, recording: Recording) -> tuple[NDArray, str]:
    """The membrane potential (V) by the solutions and the placement of the pipette, and how it was found."""
    for name in ("pipette", "bath", "configuration"):
        if not getattr(arguments, name):
            raise UsageError(f"give either --scenario, or --pipette, --bath and --configuration; --{name} is missing")
    configuration = arguments.configuration
    for option, of in (("cell", "sharp"), ("resting", "cell-attached")):
        is_given = getattr(arguments, option) is not None
        if is_given != (configuration == of):
            raise UsageError(f"--{option} {'applies only to' if is_given else 'is needed for'} --configuration {of}")
    temperature = quantity_of("--temperature", arguments.temperature, "K")
    ions = given_ions(arguments)
    _, pipette = named_solution("--pipette", arguments.pipette)

    def against(option: str) -> float:
        _, other = named_solution(f"--{option}", getattr(arguments, option))
        pair = solution_pair(pipette, other, temperature, arguments.activity, arguments.balance, ions)
        return junction_of(pair, arguments.method or "nernst-planck").potential

    junction = against("bath")
    inner = against("cell") if arguments.cell is not None else 0.0
    resting = quantity_of("--resting", arguments.resting, "V") if arguments.resting is not None else 0.0
    potential = corrected(configuration, recording.potential, junction, inner, resting)
    description = f"{recording.column} in the {configuration} configuration, LJP {1e3 * junction:+.4f} mV"
    if PLACEMENTS[configuration].open_tip:
        description += f", inside relative to pipette {1e3 * inner:+.4f} mV"
    return np.asarray(potential), description
