"""What the documentation says is true: its snippets run, its tables are complete."""

from __future__ import annotations

import argparse
import doctest
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

import iontide
from iontide.cli.parser import build_parser
from iontide.formulas.units import UNIT_NAMES
from iontide.plots.choices import RUN_KINDS, SWEEP_KINDS
from iontide.reports.citations import SOFTWARE
from iontide.scenario.jsonschema import json_schema
from iontide.scenario.library.laws import LIBRARY, TABLES
from iontide.scenario.library.transporters import TRANSPORTERS
from iontide.scenario.schema.protocol import Group
from tests.support.paths import ROOT, SCENARIO_FILES
from tests.support.snippets import run_page, snippets_of

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(snippets_of(page))], ids=lambda page: str(page.relative_to(ROOT))
)
def test_snippets_of_a_page_run(page: Path, folder: Path) -> None:
    run_page(page, folder)


def test_every_fence_is_read() -> None:
    for page in PAGES:
        fences = len(re.findall(r"^ *```", page.read_text(encoding="utf-8"), flags=re.MULTILINE))
        assert fences == 2 * len(list(snippets_of(page))), page


def test_the_readme_is_short_and_installs_as_ci_does() -> None:
    assert len(README.splitlines()) <= 150
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert 'pip install --quiet -e ".[docs,test]"' in ci
    assert 'pip install -e ".[test]"' in README
    assert "python -m pytest -n 2" in ci
    assert "python -m pytest -n 2" in README
    assert "mkdocs build --strict" in ci


def commands() -> list[str]:
    parser = build_parser()
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return list(action.choices)


def test_every_command_is_in_the_readme() -> None:
    assert sorted(re.findall(r"^\| `iontide (\w+)", README, flags=re.MULTILINE)) == sorted(commands())


def test_files_that_are_named_exist() -> None:
    for page in PAGES:
        for path in re.findall(r"`([\w/.]+/[\w.]+\.(?:py|csv|toml|md|png))`", page.read_text(encoding="utf-8")):
            assert any((root / path).exists() for root in (ROOT, ROOT / "simsrc/iontide")), f"{page}: {path}"


def test_the_citation_file_is_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {iontide.__version__}\n" in text
    assert "\nlicense: MIT\n" in text
    assert SOFTWARE.title in text


def test_every_scenario_is_told() -> None:
    table = text_of("reference/scenarios.md")
    assert set(re.findall(r"`(\w+)`", table)) == set(SCENARIO_FILES)
    published = text_of("tutorials/published_model.md")
    named = set(re.findall(r"^\| `(\w+)`", published, flags=re.MULTILINE))
    assert named == {path.stem for path in (ROOT / "scenarios/published").glob("*.toml")}


# -- what is generated ------------------------------------------------------------------------------------------------


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that imports a module of ``docs/hooks``, as MkDocs does."""
    monkeypatch.syspath_prepend(str(DOCS / "hooks"))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def test_every_unit_is_in_the_reference(hook: Any) -> None:
    written = set(re.findall(r"`([^`]+)`", hook("unit_table").units()))
    assert {name for name in UNIT_NAMES if not name.startswith(("µ", "μ"))} <= written


def test_every_law_and_transporter_is_in_the_reference(hook: Any) -> None:
    laws = re.findall(r"^## `(\w+)`", hook("library").laws(), flags=re.MULTILINE)
    assert set(LIBRARY) | {law.name for law in TABLES.values()} <= set(laws)
    assert set(re.findall(r"^\| `(\w+)`", hook("library").transporters(), flags=re.MULTILINE)) == set(TRANSPORTERS)


def test_every_table_and_key_is_in_the_reference(hook: Any) -> None:
    """Held against the JSON Schema, which is made from the same classes by another way."""
    sections = re.split(r"^##+ ", hook("scenario_keys").tables(), flags=re.MULTILINE)[1:]
    told = {key for section in sections for key in re.findall(r"^\| `(\w+)`", section, flags=re.MULTILINE)}
    schema = json_schema()
    tables = [schema, *schema["$defs"].values()]
    keys = {
        key for table in tables if "oneOf" not in table or "properties" in table for key in table.get("properties", {})
    }
    assert keys <= told
    assert len(sections) == len({section.splitlines()[0] for section in sections}) > len(schema["$defs"])


def test_names_of_a_formula_are_those_of_its_place(hook: Any) -> None:
    groups = hook("scenario_keys").quantity_keys()
    membrane = "membranes", "NAME"
    assert groups[*membrane, "permeability", "ION"] == "membrane"
    assert groups[*membrane, "pathways", "NAME", "gates", "NAME", "steady"] == "gate"
    assert groups[*membrane, "pathways", "NAME", "conductance"] == "channel"
    assert groups["reactions", "NAME", "forward"] == "compartment"
    assert groups["simulation", "duration"] == "none"
    names = hook("formula_names").names_by_place()
    for name in ("V", "E.ION", "ION.inside.activity", "volume.outside", "PATHWAY.GATE", "alpha", "potential"):
        assert f"| `{name}` |" in names
    hook("formula_names").functions()  # raises where a function is missing


def test_every_group_of_quantities_is_in_the_reference(hook: Any) -> None:
    told = re.findall(r"^### `(\w+)`", hook("result_quantities").groups(), flags=re.MULTILINE)
    assert told == list(get_args(Group))


def test_every_command_is_in_the_reference(hook: Any) -> None:
    told = re.findall(r"^## `iontide (\w+)`", hook("command_line").commands(), flags=re.MULTILINE)
    assert told == commands()


def test_every_kind_of_figure_is_in_the_reference(hook: Any) -> None:
    told = re.findall(r"^\| a (?:run|sweep) \| `(\w+)`", hook("command_line").figure_kinds(), flags=re.MULTILINE)
    assert told == [*RUN_KINDS, *SWEEP_KINDS]


def public_names(page: str) -> list[str]:
    lines = re.findall(r"<!-- generated: api (.*?) -->", text_of(page))
    return [name for line in lines for name in line.split()]


def test_every_public_name_is_in_the_reference_once() -> None:
    functions, classes = public_names("reference/functions.md"), public_names("reference/classes.md")
    assert sorted(functions + classes) == sorted(iontide.__all__)
    assert all(inspect.isclass(getattr(iontide, name)) for name in classes)


@pytest.mark.parametrize("name", public_names("reference/functions.md"))
def test_the_example_of_a_public_function_runs(name: str, folder: Path) -> None:
    (folder / "scenarios").symlink_to(ROOT / "scenarios")
    docstring = inspect.getdoc(getattr(iontide, name)) or ""
    test = doctest.DocTestParser().get_doctest(docstring, {"iontide": iontide}, name, None, 0)
    assert test.examples, f"{name} has no example"
    assert not any(doctest.SKIP in example.options for example in test.examples)
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=failures.append)
    assert not runner.failures, "".join(failures)
