"""Peak memory against the number of recorded samples: the whole process, each count in a fresh one.

    python benchmarks/memory.py [--samples 10000 1000000 10000000] [--folder FOLDER] [--json FILE]

*In memory*: ``iontide.run`` keeps every sample (8 · (states + 1) + 4 bytes each). *To file*: ``iontide run``
hands blocks over to the HDF5 file. P1 is recorded at equal intervals; the solver's steps do not depend on it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import machine

SCENARIO = Path(__file__).parent.parent / "scenarios" / "first_principles/donnan_equilibrium.toml"

#: Bytes; the target for ten million samples.
TARGET = 1e9

# Prints the peak memory of a child process in bytes (ru_maxrss is in KiB on Linux, in bytes on macOS).
_PEAK = """
import resource, sys
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("peak", peak * (1 if sys.platform == "darwin" else 1024), file=sys.stderr)
"""

_LOAD = """
import sys
import iontide
scenario = sys.argv[1]
"""

_IN_MEMORY = _LOAD + "trajectory = iontide.run(scenario)\nassert len(trajectory) == int(sys.argv[2])\n" + _PEAK

_TO_FILE = (
    "import sys\nfrom iontide.cli import main\n"
    "code = main(['run', sys.argv[1], '-q', '-o', sys.argv[2]])\n" + _PEAK + "sys.exit(code)\n"
)

_NOTHING = (
    "import iontide, iontide.simulation.simulate, iontide.scenario.read, h5py\n"
    "import iontide.kernel.integrator.rosenbrock\n" + _PEAK
)


def peak_of(code: str, *arguments: str) -> int | str:
    """Peak memory of a fresh interpreter, bytes, or why it failed."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.strip().splitlines()
    if done.returncode or not lines or not lines[-1].startswith("peak"):
        faults = [line for line in lines if not line.startswith("peak")]
        return faults[-1] if faults else f"exit code {done.returncode}"
    return int(lines[-1].split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument("--folder", metavar="FOLDER", help="where the result files go (default: temporary)")
    parser.add_argument("--json", metavar="FILE", help="write every measurement")
    arguments = parser.parse_args()

    print(f"{machine.description()}\n")
    peaks: dict[str, dict[str, int | str]] = {"imports alone": {"0": peak_of(_NOTHING)}}
    print(f"imports alone: {_megabytes(peaks['imports alone']['0'])}\n")
    print("| samples of P1 | in memory | to file | size of the file | target |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    text = SCENARIO.read_text()
    head, recording = text.split("[recording]")
    assert "\n[" not in recording
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for samples in arguments.samples:
            scenario = Path(folder) / f"p1_{samples}.toml"
            spacing = f'[recording]\ntimes = {{ spacing = "linear", points = {samples} }}\n'
            scenario.write_text(head + spacing)
            result = scenario.with_suffix(".h5")
            kept = peak_of(_IN_MEMORY, str(scenario), str(samples))
            streamed = peak_of(_TO_FILE, str(scenario), str(result))
            size = os.path.getsize(result) if result.exists() else None
            result.unlink(missing_ok=True)
            target = f"< {_megabytes(int(TARGET))}" if samples == 10_000_000 else ""
            written = "" if size is None else _megabytes(size)
            print(
                f"| {samples} | {_megabytes(kept)} | {_megabytes(streamed)} | {written} | {target} |",
                flush=True,
            )
            peaks[str(samples)] = {"in memory": kept, "to file": streamed, "file": size or 0}
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"machine": machine.description(), "bytes": peaks}, indent=1) + "\n")


def _megabytes(count: int | str) -> str:
    return f"failed: {count}" if isinstance(count, str) else f"{count / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
