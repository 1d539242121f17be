"""The README's commands on junctions and recordings run, and its electrode is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import iontide
from iontide.cli import main
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## What an electrode sees") : README.index("## What is here, and what is not yet")]
COMMANDS = re.findall(r"^\$ iontide (.*)$", SECTION, flags=re.MULTILINE)


def test_the_commands_run(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recording.csv").write_text("time (s),V (mV)\n0,-80\n1,-60\n")
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        assert main(shlex.split(command)) == 0, command
        out, _ = capsys.readouterr()
        assert "bath relative to pipette" in out or "recording.corrected.csv" in out
    for name in ("junction.png", "junction.csv", "forming.pdf", "recording.corrected.csv"):
        assert Path(name).exists(), name


def test_the_electrode_records() -> None:
    shown = re.search(r"^```toml\n(.*?)^```", SECTION, flags=re.MULTILINE | re.DOTALL)
    assert shown
    shipped = (ROOT / "scenarios/cells_and_tissues/pump_leak_cell.toml").read_text(encoding="utf-8")
    trajectory = iontide.run(iontide.loads(shipped + "\n" + shown[1]))
    reading = iontide.electrode_reading(trajectory, "patch")
    assert reading.tip_junction == pytest.approx(0.0)
    assert abs(reading.error).max() < 0.05


def test_the_python_is_true() -> None:
    call = re.search(r"`(iontide\.junction_potential\(.*?\))`", SECTION)
    assert call
    assert 1e3 * eval(call[1], {"iontide": iontide}) == pytest.approx(16.37, abs=0.01)
