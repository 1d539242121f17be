"""``iontide steady``: the steady state of a scenario, its stability and its sensitivities."""

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

#: Modes that are printed, the slowest ones.
MOST_MODES = 12


def steady(arguments: Namespace) -> int:
    """``iontide steady``."""
    scenario = load(arguments.scenario, set=dict(arguments.set))
    from ..analysis.classification import verdict_of_steady
    from ..analysis.steady import steady_state
    from ..kernel.build import object_files

    object_files.load()
    began = time.perf_counter()
    with scenario.locating():
        state = steady_state(scenario.model)
    seconds = time.perf_counter() - began
    verdict = verdict_of_steady(state)
    content = _as_json(state, verdict, seconds)
    lines = _lines(state, verdict, seconds, scenario.model.title or scenario.source)
    if arguments.sensitivities and state.status == "steady":
        from ..analysis.steady_sensitivity import sensitivity_lines, steady_sensitivities

        answer = steady_sensitivities(scenario.model, steady=state)
        lines += ["", *sensitivity_lines(answer)]
        content["sensitivities"] = {
            output: {p: None if math.isnan(x) else float(x) for p, x in zip(answer.parameters, row, strict=True)}
            for output, row in zip(answer.outputs, answer.relative, strict=True)
        }
    print(json.dumps(content) if arguments.json else "\n".join(lines))
    return 0


def _as_json(state: SteadyState, verdict: Verdict, seconds: float) -> dict[str, Any]:
    from ..reports.info import values_at_end

    values, units = values_at_end(state.trajectory, ("potentials", "concentrations"))
    return {
        "status": state.status,
        "verdict": verdict.sentence,
        "kind": verdict.kind,
        "numbers": dict(verdict.numbers),
        "stable": state.is_stable,
        "basin": state.basin,
        "residual": state.residual,
        "quantities": values,
        "units": units,
        "conserved": [{"what": c.what, "value": c.value, "drift": c.drift} for c in state.conserved],
        "modes": [
            {
                "eigenvalue_per_s": [mode.eigenvalue.real, mode.eigenvalue.imag],
                "time_constant_s": mode.time_constant,
                "states": list(mode.states),
            }
            for mode in state.modes
        ],
        "seconds": seconds,
    }


def _lines(state: SteadyState, verdict: Verdict, seconds: float, title: str) -> list[str]:
    from ..reports.info import compartments_of, values_at_end
    from ..reports.info_text import compartment_lines

    lines = [title, f"{verdict.sentence[:1].upper()}{verdict.sentence[1:]}.", ""]
    if state.status == "none":
        return lines[:-1]
    end = state.trajectory
    values, _ = values_at_end(end, ("potentials", "concentrations"))
    lines += compartment_lines(compartments_of(end.model), values, "at rest, mM")
    lines.append("")
    for m, membrane in end.model.membranes.items():
        lines.append(
            f"V of {m} = {1e3 * float(end.membrane_potential(m)[0]):.6g} mV ({membrane.inside} against "
            f"{membrane.outside})"
        )
    if state.modes:
        lines += [
            "",
            "stable: every small disturbance decays" if state.is_stable else "UNSTABLE: a small disturbance grows",
        ]
        for mode in state.modes[:MOST_MODES]:
            frequency = abs(mode.eigenvalue.imag) / (2.0 * math.pi)
            oscillating = f", oscillating at {frequency:.4g} Hz" if frequency else ""
            lines.append(f"  time constant {mode.time_constant:.4g} s{oscillating}: {', '.join(mode.states)}")
        if len(state.modes) > MOST_MODES:
            lines.append(f"  and {len(state.modes) - MOST_MODES} faster ones")
    if state.conserved:
        lines += ["", "conserved by the equations: " + "; ".join(total.what for total in state.conserved)]
    lines.append(f"reached from {state.basin}; residual {state.residual:.1g}; {1e3 * seconds:.0f} ms")
    return lines
