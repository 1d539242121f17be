"""Draw the pictures of the documentation into ``docs/images``: ``python docs/hooks/pictures.py``, a minute or so.

They are made from shipped scenarios and from the files that the tutorials show, and are kept in the repository, so that
the site is built without running anything.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import iontide
from iontide.cli import main as iontide_command
from iontide.plots import plot

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"


def _of_tutorial(page: str, name: str) -> iontide.Scenario:
    """A scenario file that a page shows."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    match = re.search(rf"<!-- file {re.escape(name)} -->\n```toml\n(.*?)```", text, flags=re.DOTALL)
    assert match is not None, f"{page} has no {name}"
    return iontide.loads(match[1], name)


def _first_cell(path: Path) -> None:
    plot(
        iontide.run(_of_tutorial("tutorials/first_scenario.md", "cell.toml")),
        path,
        time_axis="symlog",
        kind="potential",
    )


def _pump(path: Path) -> None:
    plot(iontide.run(_of_tutorial("tutorials/first_scenario.md", "pump.toml")), path)


def _currents(path: Path) -> None:
    plot(iontide.run(SCENARIOS / "neurons/voltage_clamp.toml"), path, kind="currents")


def _swelling(path: Path) -> None:
    plot(iontide.run(SCENARIOS / "cells_and_tissues/pump_leak_swelling.toml"), path, kind="volumes")


def _power(path: Path) -> None:
    plot(iontide.run(SCENARIOS / "cells_and_tissues/pump_leak_cell.toml"), path, kind="power")


def _verdicts(path: Path) -> None:
    vary = {
        "parameters.P_Na": {"log": ["1e-10 m/s", "1e-8 m/s"], "points": 21},
        "parameters.pump_rate": {"log": ["1e-8 mol/m^2/s", "1e-5 mol/m^2/s"], "points": 21},
    }
    scenario = SCENARIOS / "cells_and_tissues/pump_leak_sweep.toml"
    folder = path.with_suffix(".sweep")
    iontide.sweep(scenario, folder, set={"sweep.vary": vary}, workers=1)
    iontide_command(["plot", str(folder), "--kind", "map", "--quantity", "plasma.V", "-o", str(path)])


#: Every picture by its name.
PICTURES: Mapping[str, Callable[[Path], None]] = {
    "first_cell.png": _first_cell,
    "pump.png": _pump,
    "clamp_currents.png": _currents,
    "swelling.png": _swelling,
    "power.png": _power,
    "sweep_map.png": _verdicts,
}


def main() -> None:
    """Draw every picture."""
    with tempfile.TemporaryDirectory() as folder:
        for name, draw in PICTURES.items():
            draw(Path(folder) / name)
            shutil.copy(Path(folder) / name, ROOT / "docs/images" / name)


if __name__ == "__main__":
    main()
