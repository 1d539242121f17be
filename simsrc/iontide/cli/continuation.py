"""``iontide continue``: follow a steady state along a parameter; write and draw the branch."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..formulas.display import quantity_text
from ..formulas.units import Dimension, UnitError, parse_quantity
from ..scenario.read import load

if TYPE_CHECKING:
    from ..analysis.continuation.continuation import Branch
    from ..model.model import Model

_NAMES = {"fold": "fold", "hopf": "Hopf point", "branch": "branch point"}


def continuation(arguments: Namespace) -> int:
    """``iontide continue``."""
    scenario = load(arguments.scenario, set=dict(arguments.set))
    along = arguments.along.removeprefix("parameters.")
    dimension = _dimension(scenario.model, along)
    low = _value("--from", arguments.low, dimension, along)
    high = _value("--to", arguments.high, dimension, along)
    output = Path(arguments.output) if arguments.output else _default(scenario.source, along)
    from ..analysis.continuation.continuation import continue_steady_state
    from ..kernel.build import object_files
    from ..simulation.simulate import origin_of
    from ..storage import check_target, save_branch

    check_target(output)
    object_files.load()
    began = time.perf_counter()
    with scenario.locating():
        branch = continue_steady_state(scenario.model, along, min(low, high), max(low, high))
    branch = branch.with_origin(origin_of(scenario))
    seconds = time.perf_counter() - began
    written = [save_branch(branch, output)]
    if arguments.plot:
        from ..plots import branch_figure, write_pair

        written += write_pair(branch_figure(branch), output)
    if arguments.json:
        print(json.dumps(_as_json(branch, written, seconds)))
        return 0
    print(*written, sep="\n")
    if not arguments.quiet:
        print("\n".join(_lines(branch, dimension, seconds)), file=sys.stderr)
    return 0


def branch_info(arguments: Namespace) -> int:
    """``iontide info`` of the file of a branch."""
    from ..storage import open_branch

    branch = open_branch(arguments.file)
    if arguments.json:
        print(json.dumps(_as_json(branch, [Path(arguments.file)], None)))
        return 0
    dimension = _dimension(branch.trajectory.model, branch.parameter.removeprefix("parameters."))
    print("\n".join(_lines(branch, dimension, None)))
    return 0


def draw_branch(file: str, arguments: Namespace) -> list[Path]:
    """``iontide plot`` of the file of a branch, which has one figure."""
    if arguments.kind not in (None, "overview") or arguments.membrane:
        raise UsageError(f"{file} is a branch of steady states, which has one figure; leave out --kind and --membrane")
    from ..plots import branch_figure, write_figure
    from ..storage import open_branch

    return write_figure(branch_figure(open_branch(file)), arguments.output or Path(file).with_suffix(".pdf"))


def _default(source: str, along: str) -> Path:
    word = "_".join("".join(c if c.isalnum() or c in "_-." else " " for c in along).split())
    return Path("outputs") / f"{Path(source).stem}.along_{word}.h5"


def _dimension(model: Model, along: str) -> Dimension:
    if along.startswith("total:"):
        what = along.removeprefix("total:").strip()
        return parse_quantity("1 pL" if what.startswith("volume") else "1 mol")[1]
    if along in model.parameters:
        return model.parameters[along].dimension
    from ..analysis.parameter_derivatives import path_of

    path_of(model, along)  # raises if there is no such quantity, with what there is
    raise UsageError(
        f"--along takes a parameter or a total, and {along} is neither; name this value in [parameters] of the scenario"
    )


def _value(option: str, text: str, dimension: Dimension, along: str) -> float:
    try:
        value, given = parse_quantity(text)
    except UnitError as error:
        raise UsageError(f"{option}: {error}") from error
    if given != dimension:
        raise UsageError(f"{option}: {along} is in {dimension}, got {text}")
    return value


def _as_json(branch: Branch, written: list[Path], seconds: float | None) -> dict[str, Any]:
    trajectory = branch.trajectory
    return {
        "files": [str(path) for path in written],
        "parameter": branch.parameter,
        "points": len(branch),
        "ends": list(branch.ends),
        "special": [
            {
                "kind": point.kind,
                "value": point.value,
                "period_s": point.period,
                "quantities": {
                    f"{m}.V": 1e3 * float(trajectory.membrane_potential(m)[point.place])
                    for m in trajectory.model.membranes
                },
            }
            for point in branch.special
        ],
        "units": {f"{m}.V": "mV" for m in trajectory.model.membranes},
        "seconds": seconds,
    }


def _lines(branch: Branch, dimension: Dimension, seconds: float | None) -> list[str]:
    trajectory = branch.trajectory
    elapsed = "" if seconds is None else f" ({seconds:.1f} s)"
    lines = [
        f"{trajectory.model.title}: {len(branch)} steady states along {branch.parameter}, "
        f"{int(branch.stable.sum())} of them stable{elapsed}"
    ]
    for end, place in zip(branch.ends, (0, -1), strict=True):
        lines.append(
            f"  one end at {quantity_text(branch.values[place], dimension, 8)}, {_potentials(branch, place)}: {end}"
        )
    for point in branch.special:
        period = f", period {point.period:.4g} s" if point.period is not None else ""
        where = f"{quantity_text(point.value, dimension, 8)}, {_potentials(branch, point.place)}"
        lines.append(f"  {_NAMES[point.kind]} at {where}{period}")
    return lines


def _potentials(branch: Branch, place: int) -> str:
    trajectory = branch.at(place)
    return ", ".join(
        f"V of {m} {1e3 * float(trajectory.membrane_potential(m)[0]):.4f} mV"
        for m in list(trajectory.model.membranes)[:3]
    )
