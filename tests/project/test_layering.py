"""Packages import downwards only, and within each package too; what a quick command must not wait for."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import iontide

ROOT = Path(iontide.__file__).parent

#: From the ground up: what stands on a floor imports from the floors below it.
FLOORS = (
    "constants errors",
    "numerics formulas symbolic",
    "model kernel",
    "physics",
    "equations scenario",
    "simulation",
    "analysis electrode",
    "storage",
    "plots sweeps reports",
    "cli",
    "__main__",
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}

#: The two ways upward, imported when they are called: ``Trajectory.save`` and ``Branch.save``.
UPWARD = {("simulation.trajectory", "storage"), ("analysis.continuation.continuation", "storage")}

#: Third-party packages that have one home (or a few).
HOMES = {
    "numba": {"kernel"},
    "llvmlite": {"kernel"},
    "pydantic": {"scenario"},
    "h5py": {"storage", "reports", "sweeps"},
    "matplotlib": {"plots"},
    "rich": {"cli"},
    "tomllib": {"scenario"},
}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
    if path != ROOT / "__init__.py"
}


def imports_of(name: str) -> Iterator[tuple[str, bool, bool]]:
    """(module, whether it is ours, whether the import stands within a function); what only types need is left out."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    at_top = {id(node) for node in tree.body}
    package = MODULES[name].relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, False, id(node) not in at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module), False, id(node) not in at_top
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            for alias in node.names:
                parts = [part for part in [*base, alias.name] if part]
                while parts and ".".join(parts) not in MODULES:
                    parts.pop()
                if parts:
                    yield ".".join(parts), True, id(node) not in at_top


def test_packages_import_downwards():
    assert {name.split(".")[0] for name in MODULES} == set(FLOOR)
    used = set()
    for name in MODULES:
        here = name.split(".")[0]
        for target, ours, inside in imports_of(name):
            there = target.split(".")[0]
            if not ours or there == here:
                continue
            if inside and (name, there) in UPWARD:
                used.add((name, there))
            else:
                assert FLOOR[there] < FLOOR[here], f"{name} imports {target}, which is not below it"
    assert used == UPWARD  # an exception that nothing needs any more is to be taken off the list


@pytest.mark.parametrize("package", sorted(name for name, path in MODULES.items() if path.name == "__init__.py"))
def test_within_a_package_nothing_is_imported_in_a_circle(package):
    """The modules and subpackages right below a package can be put in an order."""
    below: dict[str, set[str]] = {}
    inside = f"{package}."
    for name in MODULES:
        if name.startswith(inside):
            child = name[len(inside) :].split(".")[0]
            targets = (target for target, ours, _ in imports_of(name) if ours and target.startswith(inside))
            below.setdefault(child, set()).update(target[len(inside) :].split(".")[0] for target in targets)
    TopologicalSorter({child: targets - {child} for child, targets in below.items()}).prepare()


def test_third_party_packages_stay_at_home():
    for name in MODULES:
        for target, ours, _ in imports_of(name):
            package = target.split(".")[0]
            if not ours:
                assert package not in HOMES or name.split(".")[0] in HOMES[package], f"{name} imports {package}"
                assert package != "iontide", f"{name}: import from within by a relative name"


def test_the_reader_of_imports_sees_them():
    """The machinery above, on modules whose imports are known."""
    assert {("numba", False), ("kernel.integrator.call", True), ("kernel.layout.tableau", True)} <= {
        found[:2] for found in imports_of("kernel.integrator.rosenbrock")
    }
    assert ("model.model", True) in {found[:2] for found in imports_of("equations.states")}
    assert ("storage", True, True) in set(imports_of("simulation.trajectory"))


def test_modules_and_functions_are_short_and_their_names_say_something():
    empty = {"utils", "util", "core", "base", "manager", "helpers", "common", "misc"}
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        assert name.split(".")[-1] not in empty
        assert text.count("\n") <= 400, f"{name} has {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[0]
                is_documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                start = first.end_lineno if is_documented else node.lineno
                assert node.end_lineno - start <= 80, f"{name}.{node.name} is long"


def test_every_package_says_what_it_is_for():
    for name, path in MODULES.items():
        if path.name == "__init__.py":
            assert len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") > 20, name
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py", "constants.py", "errors.py"}


# -- what is imported when --------------------------------------------------------------------------------------------

HEAVY = ("numpy", "scipy", "numba", "llvmlite", "h5py", "matplotlib", "pydantic")


def imported_by(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter has imported after running some code."""
    code += f"\nimport sys; print('\\n' + ' '.join(n for n in {HEAVY!r} if n in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import contextlib\nfrom iontide.cli import main\n"
        f"with contextlib.suppress(SystemExit):\n    main({arguments!r})\n"
    )
    assert imported_by(code) == set()


def test_numba_waits_until_something_runs():
    assert imported_by("import iontide") == set()
    assert "numba" not in imported_by("import iontide.simulation.simulate")
    assert not {"numba", "llvmlite", "h5py", "matplotlib"} & imported_by("import iontide.scenario.read")


def test_every_public_name_can_be_had():
    for name in iontide.__all__:
        assert getattr(iontide, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = iontide.nonsense
    assert set(iontide.__all__) <= set(dir(iontide))
