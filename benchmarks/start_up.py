"""Time to first result: each command in a fresh interpreter, from the shell to its exit, cold and warm.

    python benchmarks/start_up.py [--repeats 9] [--cold-repeats 1] [--json FILE]

*Warm*: the integrator's compiled code is in the cache. *Cold*: ``IONTIDE_CACHE_DIR`` is a new, empty folder,
as on the first run on a machine. A command that does not work prints why instead of a time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

SCENARIO = Path(__file__).parent.parent / "scenarios" / "first_principles/donnan_equilibrium.toml"

IN_PYTHON = "import sys, iontide; print(iontide.run(sys.argv[1]).membrane_potential('plasma')[-1])"


class Failed(Exception):
    """A command did not exit with 0."""


def seconds_of(command: list[str], cache: Path) -> float:
    """Wall time of a command."""
    environment = os.environ | {"IONTIDE_CACHE_DIR": str(cache)}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - began
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise Failed(lines[-1] if lines else f"exit code {done.returncode}")
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, help="runs of each command (default: %(default)s)")
    parser.add_argument("--cold-repeats", type=int, default=1, help="runs without a cache (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write every measurement")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        cache, result = Path(folder) / "cache", Path(folder) / "result.h5"
        iontide = [sys.executable, "-m", "iontide"]
        run = [*iontide, "run", str(SCENARIO), "-q", "-o", str(result)]
        warm: dict[str, tuple[list[str], float | None]] = {
            "`python -c pass`": ([sys.executable, "-c", "pass"], None),
            "`python -c 'import numpy, numba'`": ([sys.executable, "-c", "import numpy, numba"], None),
            "`iontide --help`": ([*iontide, "--help"], 0.4),
            "`iontide validate SCENARIO`": ([*iontide, "validate", str(SCENARIO)], 0.4),
            "`iontide info FILE`": ([*iontide, "info", str(result)], 0.4),
            "`iontide run SCENARIO` to HDF5, warm": (run, 1.0),
            "`iontide.run(SCENARIO)` to arrays, warm": (
                [sys.executable, "-c", IN_PYTHON, str(SCENARIO)],
                None,
            ),
        }
        rows: list[tuple[str, list[float] | str, float | None]] = []

        def measure(name: str, command: list[str], repeats: int, target: float | None, cold: bool) -> None:
            try:
                times = []
                for i in range(repeats):
                    own = Path(folder) / f"{name.strip('`')[:12].replace(' ', '_')}_{i}" if cold else cache
                    times.append(seconds_of(command, own))
                rows.append((name, times, target))
            except Failed as error:
                rows.append((name, str(error), target))

        measure("`iontide run SCENARIO` to HDF5, cold", run, arguments.cold_repeats, 15.0, cold=True)
        measure("`iontide warmup`, cold", [*iontide, "warmup", "-q"], arguments.cold_repeats, 15.0, cold=True)
        for command in (run, warm["`iontide.run(SCENARIO)` to arrays, warm"][0]):
            try:  # fills the cache, and makes the file for `info`
                seconds_of(command, cache)
            except Failed:
                continue
        for name, (command, target) in warm.items():
            measure(name, command, arguments.repeats, target, cold=False)

    print(f"{machine.description()}\n")
    print("| from the shell to the exit | median | least | target |\n| --- | ---: | ---: | ---: |")
    for name, times, target in rows:
        wanted = "" if target is None else f"≤ {target:g} s"
        if isinstance(times, str):
            print(f"| {name} | failed: {times} | | {wanted} |")
        else:
            print(f"| {name} | {statistics.median(times):.2f} s | {min(times):.2f} s | {wanted} |")
    if arguments.json:
        content = {"machine": machine.description(), "seconds": {name: times for name, times, _ in rows}}
        Path(arguments.json).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
