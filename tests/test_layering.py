"""Modules import downwards only, held by reading the imports; and what a quick command must not wait for."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import iontide

ROOT = Path(iontide.__file__).parent

#: From the ground up: a module imports from its own package, or from tiers below its own.
TIERS = [
    {"constants", "errors"},
    {"units", "ions", "expression", "linear", "oscillation", "roots"},
    {"formula_syntax", "formula_floats", "differentiation"},
    {"formula", "activity", "potentials"},
    {"parts"},
    {"parts_in_time", "parts_of_rigs", "tracers"},
    {"model_faults"},
    {"model"},
    {"circuit"},
    {"model_json", "scenario", "layout", "conservation", "schedule", "mechanisms", "tape"},
    {"solutions", "plausibility", "stoichiometry"},
    {"evaluation", "kernel"},
    {"tracing"},
    {"clamping", "zero_current", "tangents", "current_voltage"},
    {"initial"},
    {"equations"},
    {"rates", "failures"},
    {"prepare", "trajectory"},
    {"dissipation", "equilibration", "dependence"},
    {"simulate", "diagnostics", "energy", "electrode", "modes"},
    {"steady"},
    {"verdict", "sensitivity", "forward"},
    {"family", "basin_scan"},
    {"arclength"},
    {"branching"},
    {"continuation"},
    {"storage"},
    {"plots", "report", "catalogue", "sweep"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, tier in enumerate(TIERS) for name in tier}

#: Upward, within a function that is called to go there: (from, to).
DOORS = {("trajectory", "storage"), ("continuation", "storage")}

#: Third-party packages that have one home (or two).
HOMES = {
    "numba": {"kernel"},
    "llvmlite": {"kernel"},
    "pydantic": {"scenario"},
    "h5py": {"storage", "report", "sweep"},
    "matplotlib": {"plots"},
    "rich": {"cli"},
    "tomllib": {"scenario"},
}

MOST_LINES = 400

MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]


def part_of(path: Path) -> str:
    """The module, or the package, right below ``iontide``."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[tuple[str, bool, bool]]:
    """(dotted name, whether it is ours, whether it stands within a function); what only types need is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    at_top = {id(node) for node in tree.body}
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        inside = id(node) not in at_top
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False, inside
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module), False, inside
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield ".".join([*base, alias.name]), True, inside
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module" and len(node.args) == 2:
            target = node.args[0]
            if isinstance(target, ast.Constant) and isinstance(target.value, str):
                yield ".".join([*package, target.value.lstrip(".")]), True, inside


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_imports_go_downwards(path):
    here = part_of(path)
    assert here in RANK, f"give {here} a tier in this table"
    for name, ours, inside in imports_of(path):
        target = name.split(".")[0]
        if not ours or target == here or target == "__version__":
            continue
        assert target in RANK, f"{here} imports {name}, which has no tier"
        if not (inside and (here, target) in DOORS):
            assert RANK[target] < RANK[here], f"{here} imports {name}, which is not below it"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_packages_stay_at_home(path):
    for name, ours, _ in imports_of(path):
        if not ours:
            package = name.split(".")[0]
            assert package not in HOMES or part_of(path) in HOMES[package], f"{package} in {path.name}"
            assert package != "iontide", "import from within by a relative name"


def test_doors_are_used():
    """An exception that nothing needs any more is to be taken off the list."""
    seen = ((part_of(path), *found) for path in MODULES for found in imports_of(path))
    used = {(here, name.split(".")[0]) for here, name, _, inside in seen if inside}
    assert used >= DOORS


def test_the_reader_of_imports_sees_them():
    """The machinery above, on modules whose imports are known."""
    seen = {(name, ours) for name, ours, _ in imports_of(ROOT / "kernel" / "rosenbrock.py")}
    assert {("numba", False), ("kernel.call.call", True), ("kernel.tableau", True)} <= seen
    assert ("model.Model", True) in {(name, ours) for name, ours, _ in imports_of(ROOT / "layout.py")}
    assert any(inside for name, _, inside in imports_of(ROOT / "trajectory.py") if name.startswith("storage"))


@pytest.mark.parametrize("path", [*MODULES, ROOT / "__init__.py"], ids=[*NAMES, "__init__.py"])
def test_no_module_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_module_has_a_name_that_says_nothing():
    empty = {"utils", "util", "core", "base", "manager", "helpers", "common", "misc"}
    assert not {path.stem for path in MODULES} & empty


# -- what is imported when --------------------------------------------------------------------------------------------

HEAVY = ("numpy", "scipy", "numba", "llvmlite", "h5py", "matplotlib", "pydantic")


def imported_by(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter has imported after running some code."""
    code += f"\nimport sys; print('\\n' + ' '.join(n for n in {HEAVY!r} if n in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_import_iontide_imports_nothing_heavy():
    assert imported_by("import iontide") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import contextlib\nfrom iontide.cli import main\n"
        f"with contextlib.suppress(SystemExit):\n    main({arguments!r})\n"
    )
    assert imported_by(code) == set()


def test_numba_waits_until_something_runs():
    assert "numba" not in imported_by("import iontide.simulation.simulate")
    assert not {"numba", "llvmlite", "h5py", "matplotlib"} & imported_by("import iontide.scenario.read")


def test_every_public_name_can_be_had():
    for name in iontide.__all__:
        assert getattr(iontide, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = iontide.nonsense
    assert set(iontide.__all__) <= set(dir(iontide))
