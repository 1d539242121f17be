"""Whole sweeps: what files, processes, Dask and Slurm cost besides the engine, and memory against the number of points.

    python benchmarks/sweeps.py [--points 100000] [--memory 10000 100000 1000000]

P1 as a scenario (rtol 1e-5), two permeabilities drawn, end states kept, into a folder that is thrown away. Each
backend is run as a user would run it, from the shell to its exit; "engine alone" is that in one process, without
files. Slurm is the tests' own on loopback, where it is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parents[1]
PLAN = """
scenario = "{scenario}"
set = {{ "simulation.rtol" = 1e-5 }}
[sweep]
vary = {{ "membranes.plasma.permeability.K" = {{ log_uniform = ["1e-8 m/s", "1e-7 m/s"] }}, "membranes.plasma.permeability.Cl" = {{ log_uniform = ["1e-8 m/s", "1e-7 m/s"] }} }}
design = "sobol"
points = {points}
keep = ["end"]
"""  # noqa: E501
COMMAND = [sys.executable, "-m", "iontide", "sweep"]


def plan_file(folder: Path, points: int) -> Path:
    path = folder / f"p1_{points}.toml"
    path.write_text(
        PLAN.format(scenario=ROOT / "scenarios" / "first_principles/donnan_equilibrium.toml", points=points)
    )
    return path


def engine_alone(plan_path: Path) -> float:
    """Seconds of all blocks in this process, nothing written."""
    from iontide.sweeps.compute.engine import Engine
    from iontide.sweeps.plan.plan import load_plan

    plan = load_plan(plan_path)
    engine = Engine(plan)
    engine.block(0, 1)
    began = time.perf_counter()
    for block in range(plan.blocks):
        engine.block(*plan.span(block))
    return time.perf_counter() - began


def run(plan: Path, folder: Path, *words: str) -> tuple[float, float]:
    """Seconds from the shell to the exit, and the peak memory (MB) of the largest process so far."""
    began = time.perf_counter()
    subprocess.run([*COMMAND, "run", plan, "-o", folder, "-q", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


@contextlib.contextmanager
def dask(workers: int) -> Iterator[str]:
    """The address of a Dask cluster of processes on loopback."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def slurm_seconds(plan: Path, folder: Path, elements: int) -> float | None:
    """Seconds from submission to the end of the last element; None without Slurm."""
    sys.path.insert(0, str(ROOT / "tests"))
    from slurm_loopback import MISSING, Loopback

    if MISSING:
        return None
    with tempfile.TemporaryDirectory(prefix="slurm", dir="/tmp") as place:
        loopback = Loopback(Path(place))
        try:
            loopback.start()
            words = ["--slurm", f"partition=debug,time=10,elements={elements}", "--then", "nothing", "-q"]
            began = time.perf_counter()
            subprocess.run([*COMMAND, "submit", plan, "-o", folder, *words], check=True, stdout=subprocess.DEVNULL)
            while subprocess.run([*COMMAND, "status", folder], capture_output=True, check=False).returncode:
                time.sleep(0.2)
            return time.perf_counter() - began
        finally:
            loopback.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--memory", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    print(machine.description())
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        plan = plan_file(place, arguments.points)
        bare = engine_alone(plan)
        print(f"\n{arguments.points} points; engine alone {bare:.2f} s\n")
        print("| backend | seconds | more than the engine on as many processes |\n| --- | ---: | ---: |")
        for workers in (1, 2):
            seconds, _ = run(plan, place / f"local{workers}", "--workers", str(workers))
            print(f"| {workers} process{'es' * (workers > 1)} | {seconds:.2f} | {seconds - bare / workers:.2f} |")
        for workers in (1, 2):
            with dask(workers) as address:
                seconds, _ = run(plan, place / f"dask{workers}", "--scheduler", address)
            print(f"| Dask, workers: {workers} | {seconds:.2f} | {seconds - bare / workers:.2f} |")
        for elements in (1, 2):
            found = slurm_seconds(plan, place / f"slurm{elements}", elements)
            if found is not None:
                print(f"| Slurm, elements: {elements} | {found:.2f} | {found - bare / elements:.2f} |")
        print("\n| points | seconds, two processes | peak memory of a process, MB |\n| ---: | ---: | ---: |")
        for points in arguments.memory:
            seconds, peak = run(plan_file(place, points), place / f"memory{points}")
            print(f"| {points} | {seconds:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
