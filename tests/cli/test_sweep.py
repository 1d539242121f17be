"""``iontide sweep`` as a user meets it: messages, exit codes, files; the tutorial's commands for Slurm and Dask."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import iontide
from iontide.cli import main
from iontide.cli.sweeps.output import SweepDisplay, progress_line, speed
from iontide.sweeps.backends.work import work
from iontide.sweeps.store.status_index import Progress, read_status
from iontide.sweeps.store.store import Store
from tests.support.paths import ROOT
from tests.support.slurm_loopback import Loopback, free_ports, slurm

__all__ = ["slurm"]

TUTORIAL = (ROOT / "docs/tutorials/cluster_sweep.md").read_text(encoding="utf-8")
PUMP_LEAK_SWEEP = ROOT / "scenarios/cells_and_tissues/pump_leak_sweep.toml"

#: Of the pump-leak cell, with a point that no solver can do anything with, and two that are left out.
PLAN = f"""
scenario = "{ROOT / "scenarios/cells_and_tissues/pump_leak_cell.toml"}"
set      = {{ "membranes.plasma.potential" = "-60 mV" }}

[sweep]
vary."parameters.P_K"       = ["1e-8 m/s", "2e-8 m/s", "1e150 m/s", "3e-8 m/s"]
vary."parameters.pump_rate" = ["1e-6 mol/m^2/s", "1e-7 mol/m^2/s"]
where                       = "parameters.P_K > 1.5e-8 m/s"
keep                        = ["plasma.V", "verdict"]
block                       = 2
"""


def iontide_(*arguments: str, folder: Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command, which has to end with an exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "iontide", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the scenarios in it, and a plan."""
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    (tmp_path / "cells.toml").write_text(PLAN)
    return tmp_path


# -- before anything runs ---------------------------------------------------------------------------------------------


def test_a_dry_run_says_how_many_how_long_how_large_and_writes_nothing(folder):
    before = sorted(folder.iterdir())
    done = iontide_(
        "sweep",
        "plan",
        "scenarios/cells_and_tissues/pump_leak_sweep.toml",
        "--dry-run",
        "--workers",
        "2",
        folder=folder,
    )
    assert done.stdout == ""
    message = done.stderr
    assert "1,681 points (grid)" in message
    assert "parameters.P_Na: 1e-10 to 1e-08 m/s, 41 values, evenly spaced in the logarithm" in message
    assert re.search(
        r"about [\d.]+ m?s on 2 processes here, [\d.]+ m?s on one\n .*estimated from [\d,]+ points", message
    )
    assert re.search(r"about \d+ kB in outputs/pump_leak_sweep\.sweep", message)
    message = iontide_("sweep", "run", "cells.toml", "--dry-run", "--json", "-q", folder=folder)
    plan = json.loads(message.stdout)
    assert message.stderr == ""
    assert (plan["points"], plan["excluded"], plan["blocks"]) == (8, 2, 4)
    assert plan["folder"] == "outputs/cells.sweep"
    assert plan["seconds"] > 0
    assert sorted(folder.iterdir()) == before


def test_room_is_foretold(folder):
    plan = json.loads(
        iontide_(
            "sweep", "plan", "scenarios/cells_and_tissues/pump_leak_sweep.toml", "--dry-run", "--json", folder=folder
        ).stdout
    )
    work(Store.create(folder / "it", iontide.sweeps.plan.plan.load_plan(PUMP_LEAK_SWEEP)).folder)
    taken = sum(shard.stat().st_size for shard in (folder / "it" / "shards").iterdir())
    assert plan["bytes"] == pytest.approx(taken, rel=0.02)


def test_a_plan_makes_the_folder_and_a_run_goes_on_with_it(folder):
    done = iontide_("sweep", "plan", "cells.toml", "-o", "here", "--set", "parameters.P_K=5e-8 m/s", folder=folder)
    assert done.stdout == "here\n"
    assert Store.open(folder / "here").missing() == [0, 1, 2, 3]
    assert "2 of them are excluded by: parameters.P_K > 1.5e-8 m/s" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["sweep"], 2, "ACTION"),
        (["sweep", "run"], 2, "FILE"),
        (["sweep", "run", "cells.toml", "--workers", "0"], 2, "workers must be 1 or more, got 0"),
        (["sweep", "run", "cells.toml", "--set", "sweep.blocks=2"], 2, "sweep.blocks"),
        (["sweep", "run", "cells.toml", "--scheduler", "tcp://x:1", "--dask-jobs", ""], 2, "not allowed with"),
        (["sweep", "run", "cells.toml", "--set", "sweep.keep=plasma.W"], 3, "plasma.W"),
        (["sweep", "run", "scenarios/cells_and_tissues/pump_leak_cell.toml"], 3, "a sweep needs it"),
        (["sweep", "run", "nowhere.toml"], 6, "nowhere.toml"),
        (["sweep", "run", "cells.toml", "-o", "scenarios"], 6, "name a new or empty folder for the sweep"),
        (["sweep", "status", "nowhere"], 6, "nowhere is not the folder of a sweep"),
        (["sweep", "resume", "scenarios"], 6, "scenarios is not the folder of a sweep"),
        (["sweep", "merge", "nowhere"], 6, "nowhere"),
        (["sweep", "work", "nowhere", "--part", "1/2"], 6, "nowhere"),
        (["sweep", "submit", "cells.toml", "--slurm", "colour=blue"], 2, "colour"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(folder, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(folder)
    try:
        ended: object = main(arguments)
    except SystemExit as exit:
        ended = exit.code
    assert ended == code
    assert message in capsys.readouterr().err


# -- from a plan to one file ------------------------------------------------------------------------------------------


def test_a_poison_point_has_its_sentence_and_stops_no_other(folder):
    done = iontide_("sweep", "run", "cells.toml", "--workers", "2", folder=folder, code=5)
    assert done.stdout == "outputs/cells.sweep\n"
    first, *failures = done.stderr.splitlines()
    assert first.startswith("outputs/cells.sweep: 8 points: 4 done, 2 failed, 2 excluded; in ")
    assert first.endswith("points/s)")
    assert [line.split(":")[0] for line in failures] == [
        f"point {number} (parameters.P_K = 1e+150 m/s, parameters.pump_rate = {rate} mol/m^2/s)"
        for number, rate in ((4, "1e-06"), (5, "1e-07"))
    ]
    sweep = iontide.open_sweep(folder / "outputs/cells.sweep")
    assert sweep.counts == {"done": 4, "failed": 2, "excluded": 2}
    assert list(sweep.messages) == [4, 5]
    alone = iontide.run(
        ROOT / "scenarios/cells_and_tissues/pump_leak_cell.toml", set={**SETTINGS, "parameters.P_K": "3e-8 m/s"}
    )
    assert sweep.output("plasma.V")[6] == pytest.approx(1e3 * alone.membrane_potential("plasma")[-1], abs=1e-4)

    # Again: nothing to do. Another plan: refused. What failed: once more.
    done = iontide_("sweep", "run", "cells.toml", "--json", "-q", folder=folder, code=5)
    message = json.loads(done.stdout)
    assert done.stderr == ""
    assert message["computed"] == 0
    assert message["counts"]["failed"] == 2
    assert set(message["failures"]) == {"4", "5"}
    done = iontide_("sweep", "run", "cells.toml", "--set", "sweep.block=4", folder=folder, code=6)
    assert "outputs/cells.sweep is the sweep of another plan: points in a block: 2 there, 4 here" in done.stderr
    done = iontide_("sweep", "resume", "outputs/cells.sweep", "--failed", folder=folder, code=5)
    assert "2 points computed now" in done.stderr

    # How far it is, for people and programs.
    done = iontide_("sweep", "status", "outputs/cells.sweep", folder=folder, code=5)
    assert done.stderr == ""
    assert "8 points: 4 done, 2 failed, 2 excluded\npoint 4 (" in done.stdout
    message = json.loads(iontide_("sweep", "status", "outputs/cells.sweep", "--json", folder=folder, code=5).stdout)
    assert message["progress"]["remaining"] == 0.0
    assert read_status(folder / "outputs/cells.sweep").failed == 2


SETTINGS = {"membranes.plasma.potential": "-60 mV", "parameters.pump_rate": "1e-6 mol/m^2/s"}


def test_parts_make_a_whole_which_is_merged(folder):
    iontide_("sweep", "plan", "cells.toml", "--set", "parameters.P_K=3e-8 m/s", "-q", folder=folder)
    one = {"SLURM_CPUS_PER_TASK": "1"}
    done = iontide_("sweep", "work", "outputs/cells.sweep", "--part", "2/2", folder=folder, code=5, **one)
    assert done.stderr == "part 2/2: 2 blocks computed, 4 points, 2 of them failed\n"
    done = iontide_("sweep", "status", "outputs/cells.sweep", folder=folder, code=5)
    assert "2 of 4 blocks are missing: 4 of 8 points (50.0 %), 2 failed" in done.stdout
    done = iontide_("sweep", "merge", "outputs/cells.sweep", folder=folder, code=5)
    assert "4 of 8 points are missing" in done.stderr
    iontide_("sweep", "work", "outputs/cells.sweep", "--part", "1/2", "-q", folder=folder, **one)
    done = iontide_("sweep", "merge", "outputs/cells.sweep", folder=folder)
    assert done.stdout == "outputs/cells.sweep.h5\n"
    whole = iontide.open_sweep(folder / "outputs/cells.sweep.h5")
    assert whole.counts == {"done": 4, "failed": 2, "excluded": 2}
    done = iontide_("sweep", "merge", "outputs/cells.sweep", "--virtual", "-o", "v.h5", "--json", "-q", folder=folder)
    assert json.loads(done.stdout)["file"] == "v.h5"


# -- what is said -----------------------------------------------------------------------------------------------------


def test_speeds_for_a_person():
    assert [speed(n) for n in (0.0123, 99.9, 12_345.6)] == ["0.0123 points/s", "99.9 points/s", "12,346 points/s"]


def test_a_log_gets_a_line_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = Progress(10_000, 2_990, 10, 0, 7_000, 512.0, 13.7, "")
    assert progress_line(progress) == "3,000 of 10,000 points (30.0 %), 10 failed, 512 points/s, 14 s left"
    with SweepDisplay("cells") as display:
        for second in range(100):
            now[0] = float(second)
            display(progress)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"cells: {progress_line(progress)}"] * 3
    with SweepDisplay("cells", quiet=True) as display:
        now[0] += 100.0
        display(progress)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(tmp_path):
    """A terminal of 100 columns, and the sweep in it."""
    import pty

    (tmp_path / "cells.toml").write_text(PLAN)
    ours, terminal = pty.openpty()
    arguments = [sys.executable, "-m", "iontide", "sweep", "run", "cells.toml", "--workers", "2"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    assert process.wait() == 5
    assert b"0/8" in seen
    assert b"8 points: 4 done, 2 failed, 2 excluded" in seen


# -- the tutorial -----------------------------------------------------------------------------------------------------


def commands_with(text: str) -> list[list[str]]:
    """The commands of the tutorial's blocks that contain a text."""
    blocks = re.findall(r"^```sh\n(.*?)^```", TUTORIAL, flags=re.MULTILINE | re.DOTALL)
    chosen = [block for block in blocks if text in block]
    return [shlex.split(line, comments=True) for block in chosen for line in block.splitlines()]


def test_the_sweep_shown_is_that_of_the_scenario():
    shown = re.findall(r"^```toml\n(.*?)^```", TUTORIAL, flags=re.MULTILINE | re.DOTALL)[0]
    assert tomllib.loads(shown)["sweep"] == tomllib.loads(PUMP_LEAK_SWEEP.read_text())["sweep"]


def test_the_whole_sweep_of_the_tutorial_on_this_machine(folder):
    plan, store = "scenarios/cells_and_tissues/pump_leak_sweep.toml", "outputs/pump_leak_sweep.sweep"
    for arguments in (
        ("plan", plan, "--dry-run"),
        ("run", plan),
        ("status", store),
        ("merge", store),
    ):
        done = iontide_("sweep", *arguments, folder=folder)
    assert done.stdout == f"{store}.h5\n"
    iontide_("plot", store, "--kind", "verdicts", folder=folder)
    pytest.importorskip("xarray")
    with contextlib.chdir(folder):
        sweep = iontide.open_sweep(store)
        assert sweep.counts == {"done": 1681}
        row = sweep.to_xarray()["plasma.V"].sel({"parameters.P_Na": 1e-9}, method="nearest")
        assert dict(row.sizes) == {"parameters.pump_rate": 41}


def test_what_the_tutorial_does_with_slurm(slurm: Loopback, folder):
    warmup, submit, status = (arguments[1:] for arguments in commands_with("--slurm"))
    again = commands_with("submit outputs")[0][1:]
    assert warmup == ["warmup"]
    done = iontide_(*submit, folder=folder)
    assert "submitted job array" in done.stderr
    message = subprocess.run([sys.executable, "-m", "iontide", *status], cwd=folder, capture_output=True, text=True)
    assert message.returncode in (0, 5)
    assert "1,681 points" in message.stdout
    assert "all missing blocks are in the queue already" in iontide_(*again, folder=folder).stderr
    merged = folder / "outputs/pump_leak_sweep.sweep.h5"
    slurm.wait_until(merged.exists)
    assert iontide.open_sweep(merged).counts == {"done": 1681}
    iontide_(*status, folder=folder)


def test_what_the_tutorial_does_with_dask(folder):
    pytest.importorskip("distributed")
    (port,) = free_ports(1)
    scheduler, worker, run = (
        [word.replace("8786", str(port)) for word in arguments] for arguments in commands_with("dask scheduler")[:3]
    )
    started = []
    try:
        for arguments in (scheduler, worker):
            assert (arguments[0], arguments.pop()) == ("dask", "&")
            command = [sys.executable, "-m", f"distributed.cli.dask_{arguments[1]}", *arguments[2:]]
            with open(folder / "dask.log", "ab") as log:
                started.append(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
        done = iontide_(*run[1:], folder=folder)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)
    assert "1,681 points: 1,681 done" in done.stderr
    assert iontide.open_sweep(folder / "outputs/pump_leak_sweep.sweep").counts == {"done": 1681}
