"""What the README says is true: its commands run, its Python runs, its scenario is the shipped one."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from iontide.plots.choices import RUN_KINDS
from iontide.scenario.read import loads
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the scenarios in it, as after a clone."""
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    return tmp_path


def iontide_commands() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [
        part.strip().removeprefix(".venv/bin/") for line in lines for part in line.split("&&") if "iontide " in part
    ]


def test_there_are_commands() -> None:
    assert len(iontide_commands()) >= 2


@pytest.mark.parametrize("command", iontide_commands())
def test_commands_run(command: str, folder: Path) -> None:
    words = shlex.split(command)
    assert words[0] == "iontide"
    done = run([sys.executable, "-m", "iontide", *words[1:]], folder)
    assert done.returncode == 0, done.stderr
    written = [folder / line for line in done.stdout.split()]
    assert written
    assert all(path.stat().st_size > 1000 for path in written)


def test_python_runs(folder: Path) -> None:
    code = next(block for block in blocks("python") if block.startswith("import iontide"))
    done = run([sys.executable, "-c", code + "\nassert (again.states == trajectory.states).all()"], folder)
    assert done.returncode == 0, done.stderr


def test_scenario_is_the_shipped_one() -> None:
    shown = blocks("toml")[0]
    shipped = (ROOT / "scenarios/cells_and_tissues/pump_leak_cell.toml").read_text(encoding="utf-8")
    assert shown.strip() == shipped[shipped.index("[parameters]") :].strip()


def test_what_a_file_can_say_besides_is_without_fault() -> None:
    shipped = (ROOT / "scenarios/cells_and_tissues/pump_leak_cell.toml").read_text(encoding="utf-8")
    _, *more = blocks("toml")
    model = loads(shipped + "\n" + "\n".join(more)).model
    assert len(model.membranes["plasma"].pathways) == 3 + 1 + 4
    assert len(model.protocol) == 1 + 10 + 1 + 3 + 1
    assert len(model.clamps) == len(model.events) == 1
    assert len(model.sources) == 1


def test_scenarios_named_are_those_shipped() -> None:
    table = README[README.index("| scenario | shows |") : README.index("## Commands")]
    named = set(re.findall(r"`(\w+)`", table))
    assert named == {path.stem for path in (ROOT / "scenarios").glob("**/*.toml")}


def test_install_commands_are_those_of_ci() -> None:
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert 'pip install --quiet -e ".[test]"' in ci
    assert "python -m pytest -n 2" in ci
    assert "python -m pytest -n 2" in README


def test_sample_fault_is_what_a_user_gets(folder: Path) -> None:
    text = (ROOT / "scenarios/cells_and_tissues/pump_leak_cell.toml").read_text(encoding="utf-8")
    (folder / "pump.toml").write_text(text.replace('{ K = "P_K", Na', '{ Kk = "P_K", Na'), encoding="utf-8")
    done = run([sys.executable, "-m", "iontide", "validate", "pump.toml"], folder)
    assert done.returncode == 3
    sample = re.search(r"^pump\.toml:\d+: (.*)$", README, flags=re.MULTILINE)
    assert sample is not None
    assert sample.group(1) in done.stderr


def quoted_lines() -> list[tuple[str, str]]:
    """Each file that the README quotes, with the lines."""
    found = re.findall(r"^<!-- lines of (\S+) -->\n```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    return [(path, lines) for path, lines in found]


def test_adding_a_transporter_is_shown_whole() -> None:
    assert [path.removeprefix("simsrc/iontide/") for path, _ in quoted_lines()] == [
        "mechanisms/carriers.py",
        "mechanisms/__init__.py",
        "mechanisms/__init__.py",
        "scenario/laws.py",
        "tests/test_mechanisms_passive.py",
    ]
    assert len(blocks("python")) == 1 + len(quoted_lines())


@pytest.mark.parametrize(("path", "lines"), quoted_lines())
def test_lines_quoted_are_those_of_the_file(path: str, lines: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert f"\n{lines}" in text


def test_commands_told_are_those_there_are() -> None:
    told = set(re.findall(r"^\| `iontide (\w+)", README, flags=re.MULTILINE))
    helped = run([sys.executable, "-m", "iontide", "--help"], ROOT).stdout
    there = set(re.findall(r"^    (\w+)  +\w", helped, flags=re.MULTILINE))
    assert told == there
    row = next(line for line in README.splitlines() if line.startswith("| `iontide plot"))
    kinds = row[row.index("--kind") : row.index("--time")].replace("--kind ", "`")
    assert re.findall(r"`(\w+)`", kinds) == list(RUN_KINDS)
