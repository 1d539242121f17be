"""``iontide correct``: a recording made into a membrane potential."""

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
from .junction import own_ions, written_solution
from .recordings import Recording, read_recording


def correct(arguments: Namespace) -> int:
    """``iontide correct``."""
    by_model = arguments.scenario is not None
    alone = [name for name in ("pipette", "bath", "configuration", "cell", "resting") if getattr(arguments, name)]
    if by_model and alone:
        raise UsageError(f"--{alone[0]} goes without --scenario, whose electrode says it")
    recording = read_recording(
        arguments.recording, arguments.column, arguments.time, arguments.unit, arguments.electrode or "electrode"
    )
    potential, told = _by_model(arguments, recording) if by_model else _by_solutions(arguments, recording)
    output = Path(arguments.output or f"{Path(arguments.recording).with_suffix('')}.corrected.csv")
    if output.resolve() == Path(arguments.recording).resolve():
        raise UsageError(f"{output}: the recording itself is not overwritten; give another name with -o")
    columns = {
        "time (s)": recording.time,
        "recorded (mV)": 1e3 * recording.potential,
        "V inside minus outside (mV)": 1e3 * potential,
    }
    write_csv(output, columns)
    moved = recording.potential - potential
    if arguments.json:
        low, high = 1e3 * float(moved.min()), 1e3 * float(moved.max())
        print(json.dumps({"file": str(output), "convention": CONVENTION, "taken_away_mV": [low, high]}))
        return 0
    print(output)
    print(f"{told}; {CONVENTION}", file=sys.stderr)
    return 0


def _by_model(arguments: Namespace, recording: Recording) -> tuple[NDArray, str]:
    from ...electrode.correction import correct_recording
    from ...scenario.read import load
    from ...simulation.simulate import run

    scenario = load(arguments.scenario, set=dict(arguments.set))
    names = [e.name for e in scenario.model.electrodes if e.membrane is not None]
    name = arguments.electrode or (names[0] if len(names) == 1 else None)
    if name is None:
        raise UsageError(f"--electrode: which one? {arguments.scenario} has {', '.join(names) or 'none'} on a membrane")
    with scenario.locating():
        trajectory = run(scenario)
    potential = correct_recording(trajectory, name, recording.time, recording.potential)
    return potential, f"{recording.column} as {name} of {arguments.scenario} records it"


def _by_solutions(arguments: Namespace, recording: Recording) -> tuple[NDArray, str]:
    for name in ("pipette", "bath", "configuration"):
        if not getattr(arguments, name):
            raise UsageError(f"give either --scenario, or --pipette, --bath and --configuration; --{name} is missing")
    configuration = arguments.configuration
    for option, of in (("cell", "sharp"), ("resting", "cell-attached")):
        given = getattr(arguments, option) is not None
        if given != (configuration == of):
            raise UsageError(f"--{option} {'goes with' if given else 'is needed for'} --configuration {of}")
    temperature = quantity_of("--temperature", arguments.temperature, "K")
    ions = own_ions(arguments)
    pipette = written_solution("--pipette", arguments.pipette)[1]

    def against(option: str) -> float:
        other = written_solution(f"--{option}", getattr(arguments, option))[1]
        pair = solution_pair(pipette, other, temperature, arguments.activity, arguments.balance, ions)
        return junction_of(pair, arguments.method or "nernst-planck").potential

    junction = against("bath")
    inner = against("cell") if arguments.cell is not None else 0.0
    resting = quantity_of("--resting", arguments.resting, "V") if arguments.resting is not None else 0.0
    potential = corrected(configuration, recording.potential, junction, inner, resting)
    told = f"{recording.column} in the {configuration} configuration, LJP {1e3 * junction:+.4f} mV"
    told += f", inside relative to pipette {1e3 * inner:+.4f} mV" if PLACEMENTS[configuration].open_tip else ""
    return np.asarray(potential), told
