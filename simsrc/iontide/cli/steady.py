"""``iontide steady``: where a scenario ends, told without a result file."""

from __future__ import annotations

import json
import math
import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from ..scenario.read import load

if TYPE_CHECKING:
    from ..analysis.classification import Verdict
    from ..analysis.steady import SteadyState

#: Modes that are told, the slowest ones.
MOST_MODES = 12


def steady(arguments: Namespace) -> int:
    """Find the steady state of a scenario and tell of it."""
    scenario = load(arguments.scenario, set=dict(arguments.set))
    from ..analysis.classification import verdict_of_steady
    from ..analysis.steady import steady_state
    from ..kernel.build import object_files

    object_files.load()
    began = time.perf_counter()
    with scenario.locating():
        found = steady_state(scenario.model)
    seconds = time.perf_counter() - began
    verdict = verdict_of_steady(found)
    content = _as_json(found, verdict, seconds)
    lines = _lines(found, verdict, seconds, scenario.model.title or scenario.source)
    if arguments.sensitivities and found.status == "steady":
        from ..analysis.steady_sensitivity import sensitivity_lines, steady_sensitivities

        answer = steady_sensitivities(scenario.model, steady=found)
        lines += ["", *sensitivity_lines(answer)]
        content["sensitivities"] = {
            output: {p: None if math.isnan(x) else float(x) for p, x in zip(answer.parameters, row, strict=True)}
            for output, row in zip(answer.outputs, answer.relative, strict=True)
        }
    print(json.dumps(content) if arguments.json else "\n".join(lines))
    return 0


def _as_json(found: SteadyState, verdict: Verdict, seconds: float) -> dict[str, Any]:
    from ..reports.info import values_at_end

    values, units = values_at_end(found.trajectory, ("potentials", "concentrations"))
    return {
        "status": found.status,
        "verdict": verdict.sentence,
        "kind": verdict.kind,
        "numbers": dict(verdict.numbers),
        "stable": found.is_stable,
        "basin": found.basin,
        "residual": found.residual,
        "quantities": values,
        "units": units,
        "conserved": [{"what": c.what, "value": c.value, "drift": c.drift} for c in found.conserved],
        "modes": [
            {
                "eigenvalue_per_s": [mode.eigenvalue.real, mode.eigenvalue.imag],
                "time_constant_s": mode.time_constant,
                "states": list(mode.states),
            }
            for mode in found.modes
        ],
        "seconds": seconds,
    }


def _lines(found: SteadyState, verdict: Verdict, seconds: float, title: str) -> list[str]:
    from ..reports.info import compartment_lines, compartments_of, values_at_end

    lines = [title, f"{verdict.sentence[:1].upper()}{verdict.sentence[1:]}.", ""]
    if found.status == "none":
        return lines[:-1]
    end = found.trajectory
    values, _ = values_at_end(end, ("potentials", "concentrations"))
    lines += compartment_lines(compartments_of(end.model), values, "at rest, mM")
    lines.append("")
    for m, membrane in end.model.membranes.items():
        lines.append(
            f"V of {m} = {1e3 * float(end.membrane_potential(m)[0]):.6g} mV ({membrane.inside} against "
            f"{membrane.outside})"
        )
    if found.modes:
        lines += ["", "stable: every disturbance dies away" if found.is_stable else "UNSTABLE: a disturbance grows"]
        for mode in found.modes[:MOST_MODES]:
            turning = (
                f", turning at {abs(mode.eigenvalue.imag) / 6.283185307179586:.4g} Hz" if mode.eigenvalue.imag else ""
            )
            lines.append(f"  time constant {mode.time_constant:.4g} s{turning}: moves {', '.join(mode.states)}")
        if len(found.modes) > MOST_MODES:
            lines.append(f"  and {len(found.modes) - MOST_MODES} faster ones")
    if found.conserved:
        lines += ["", "conserved by the equations: " + "; ".join(total.what for total in found.conserved)]
    lines.append(f"reached from {found.basin}; residual {found.residual:.1g}; {1e3 * seconds:.0f} ms")
    return lines
