"""The command line as a user meets it: exit codes, what goes to which stream, files, signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

from tests.support.paths import ROOT

DONNAN = str(ROOT / "scenarios/first_principles/donnan_equilibrium.toml")
PUMP_LEAK = str(ROOT / "scenarios/cells_and_tissues/pump_leak_cell.toml")


def iontide(*words: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "iontide", *words],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_run_names_its_file_and_tells_its_story(tmp_path: Path) -> None:
    done = iontide("run", DONNAN, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "outputs/donnan_equilibrium.h5\n"
    assert "ran to t = 36000 s" in done.stderr
    assert "plasma -12.05906 mV" in done.stderr
    with h5py.File(tmp_path / "outputs/donnan_equilibrium.h5") as file:
        assert file.attrs["status"] == "done"
        assert file["timeseries/plasma.V"][-1] == pytest.approx(-12.0590565, abs=1e-6)


def test_run_with_settings_figures_and_json(tmp_path: Path) -> None:
    done = iontide(
        "run", PUMP_LEAK, "-o", "deep/er/x.h5", "--set", "parameters.pump_rate=1e-6 mol/m^2/s", "--rtol", "1e-6",
        "--plot", "--json", "-q", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    outcome = json.loads(done.stdout)
    assert outcome["status"] == "done"
    assert [Path(name).suffix for name in outcome["files"]] == [".h5", ".pdf", ".csv", ".png"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in outcome["files"])
    info = json.loads(iontide("info", "deep/er/x.h5", "--json", folder=tmp_path).stdout)
    assert info["overrides"] == {"parameters.pump_rate": "1e-6 mol/m^2/s", "simulation.rtol": "1e-6"}
    assert info["rtol"] == 1e-6


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = iontide("run", DONNAN, "--dry-run", "--json", folder=tmp_path)
    plan = json.loads(done.stdout)
    assert plan["output"] == "outputs/donnan_equilibrium.h5"
    assert plan["states"][0] == "amount of K in cell"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["run"], 2, "SCENARIO"),
        (["fly"], 2, "fly"),
        (["run", DONNAN, "--set", "parameters.P_K"], 2, "PATH=VALUE"),
        (["run", DONNAN, "--set", "parameters.P_k=1 m/s"], 2, "P_K"),
        (["run", DONNAN, "--set", "parameters.P_K=1 mV"], 3, "--set"),
        (["run", DONNAN, "--rtol", "fast"], 3, "rtol"),
        (["run", "nowhere.toml"], 6, "nowhere.toml"),
        (["run", DONNAN, "-o", "/proc/x.h5"], 6, "/proc/x.h5"),
        (["info", DONNAN], 6, "donnan_equilibrium.toml"),
        (["plot", "nowhere.h5"], 6, "nowhere.h5"),
        (["validate", DONNAN, "nowhere.toml"], 6, "nowhere.toml"),
    ],
)
def test_exit_codes(words: list[str], code: int, told: str, tmp_path: Path) -> None:
    done = iontide(*words, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_failed_run_keeps_what_there_is(tmp_path: Path) -> None:
    done = iontide("run", DONNAN, "-o", "x.h5", "--set", "simulation.max_steps=20", folder=tmp_path)
    assert done.returncode == 4
    assert "20 steps were not enough" in done.stderr
    assert "The run up to there is in x.h5" in done.stderr
    with h5py.File(tmp_path / "x.h5") as file:
        assert file.attrs["status"] == "failed"
        assert 0 < file["timeseries/time"][-1] < 36000


def test_validate_looks_at_every_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(Path(DONNAN).read_text(encoding="utf-8").replace('"10 h"', '"10 mV"'), encoding="utf-8")
    done = iontide("validate", str(bad), DONNAN, "--json")
    assert done.returncode == 3
    first, second = json.loads(done.stdout)
    assert [first["valid"], second["valid"]] == [False, True]
    assert first["faults"][0]["path"] == "simulation.duration"
    assert "no faults" in done.stderr


def test_schema_is_json() -> None:
    assert json.loads(iontide("schema").stdout)["type"] == "object"


def test_plot_kinds(tmp_path: Path) -> None:
    iontide("run", PUMP_LEAK, "-o", "x.h5", folder=tmp_path)
    done = iontide("plot", "x.h5", "--kind", "currents", "--time", "symlog", "-o", "i.svg", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["i.svg", "i.csv"]


def test_options_of_sweeps_are_refused_for_a_run(tmp_path: Path) -> None:
    iontide("run", PUMP_LEAK, "-o", "x.h5", folder=tmp_path)
    for words, told in (
        (["--quantity", "plasma.V"], "--quantity applies only to sweeps; x.h5 is a run"),
        (["--x", "parameters.P_K", "--kind", "map"], "--x and --kind map apply only to sweeps; x.h5 is a run"),
    ):
        done = iontide("plot", "x.h5", *words, folder=tmp_path)
        assert (done.returncode, done.stderr) == (2, told + "\n")


def test_plot_refuses_one_name_for_two(tmp_path: Path) -> None:
    done = iontide("plot", "a.h5", "b.h5", "-o", "c.pdf", folder=tmp_path)
    assert done.returncode == 2
    assert "one figure" in done.stderr


def test_broken_pipe_is_silent(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "iontide", "schema"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=300
    )
    os.close(writer)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("number", "code", "told"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals_leave_no_half_file(number: int, code: int, told: str, tmp_path: Path) -> None:
    # 10^8 samples: minutes of work, so the signal falls into the middle of it.
    with subprocess.Popen(
        [sys.executable, "-m", "iontide", "run", DONNAN, "-o", "x.h5", "--set", "recording.times.points=100000000"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 300
        while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(number)
        _, told_there = process.communicate(timeout=300)
    assert process.returncode == code, told_there
    assert told in told_there
    assert list(tmp_path.iterdir()) == []


def test_start_up_imports_are_light() -> None:
    code = "import sys, iontide.cli.parser as p; p.build_parser().format_help(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "numba", "pydantic", "h5py", "matplotlib", "scipy", "rich"}


def test_run_never_overwrites_what_is_no_result(tmp_path: Path) -> None:
    scenario = tmp_path / "own.toml"
    scenario.write_text(Path(DONNAN).read_text(encoding="utf-8"), encoding="utf-8")
    notes = tmp_path / "notes.h5"
    notes.write_text("my notes", encoding="utf-8")
    for target, code in ((scenario, 2), (notes, 6)):
        before = target.read_text(encoding="utf-8")
        done = iontide("run", str(scenario), "-o", str(target))
        assert done.returncode == code, done.stderr
        assert str(target) in done.stderr
        assert target.read_text(encoding="utf-8") == before


def test_run_tells_its_warnings(tmp_path: Path) -> None:
    done = iontide("run", PUMP_LEAK, "-o", "x.h5", folder=tmp_path)
    assert "warning" not in done.stderr
    done = iontide("run", PUMP_LEAK, "-o", "x.h5", "--set", "simulation.temperature=37 K", folder=tmp_path)
    assert "warning: a temperature of 37 K" in done.stderr


def test_a_fault_of_the_start_is_told_with_its_line_by_every_command(tmp_path: Path) -> None:
    """Found only when gates and potentials get their first values, and yet a fault of the file."""
    text = (ROOT / "scenarios/neurons/hodgkin_huxley.toml").read_text()
    assert len(re.findall(r'^potential += "-65 mV"', text, re.MULTILINE)) == 1
    (tmp_path / "x.toml").write_text(text.replace('"-65 mV"', '"-65 V"', 1))
    for command in ("validate", "run", "steady"):
        done = iontide(command, "x.toml", folder=tmp_path)
        assert done.returncode == 3, command
        assert "x.toml:40: membranes.plasma.pathways.Na_transient: the gate m has no value" in done.stderr
        assert "-65 V" in done.stderr
    done = iontide("run", PUMP_LEAK, "--set", "parameters.pump_rate=1 mmol/m^2/s", folder=tmp_path)
    assert done.returncode == 3
    assert 'pump_leak_cell.toml:37: membranes.plasma.potential: "ghk" finds no potential' in done.stderr


def test_a_signal_that_falls_into_a_destructor_is_not_lost(tmp_path: Path) -> None:
    code = """
import time
from iontide.cli import signals
class Fallen:
    def __del__(self):
        signals._handle(15, None)
signals.listen()
try:
    Fallen()
    time.sleep(60.0)
except signals.Stopped as stop:
    print(stop.exit_code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("143\n", "")


def test_the_closing_line_names_three_membranes_at_most(tmp_path: Path) -> None:
    layers = str(ROOT / "scenarios/neurons/potassium_in_layers.toml")
    done = iontide("run", layers, "-o", "x.h5", "--set", "simulation.duration=1 s", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "ran to t = 1 s" in line]
    assert "plasma_1 -" in line
    assert "plasma_3 -" in line
    assert "mV … and 17 more (" in line
    assert "plasma_4" not in line
