"""Where things lie in the project."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
TESTS = ROOT / "tests"
REFERENCE = TESTS / "reference"

#: Every shipped scenario by its name, which is that of its file.
SCENARIO_FILES = {path.stem: path for path in sorted(SCENARIOS.rglob("*.toml"))}
