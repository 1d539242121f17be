"""The disk cache of the compiled integrator: private, keyed by what it depends on, never why a run fails."""

from __future__ import annotations

import ast
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iontide.kernel.build import cache, object_files, symbols
from iontide.simulation.simulate import simulate
from tests.kernel.test_integrator import fingerprint
from tests.support.models import p1
from tests.support.paths import ROOT

KERNEL = Path(cache.__file__).parent.parent


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache root for one test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("IONTIDE_CACHE_DIR", str(folder))
    return folder


# -- the folder -------------------------------------------------------------------------------------------------------


def test_folder_is_private(root):
    folder = cache.usable_cache_folder()
    assert folder is not None
    assert folder.parent == root
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_that_was_open_is_closed(root):
    folder = cache.cache_folder()
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert cache.usable_cache_folder() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_of_somebody_else_is_refused(root, monkeypatch):
    assert cache.usable_cache_folder() is not None
    monkeypatch.setattr(os, "getuid", lambda: os.stat(root).st_uid + 1)
    assert cache.usable_cache_folder() is None


def test_folder_that_cannot_be_made_is_no_folder(tmp_path, monkeypatch):
    """Below a plain file: a way that is barred to root, too."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IONTIDE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert cache.usable_cache_folder() is None


def test_no_home_is_no_folder(monkeypatch):
    monkeypatch.delenv("IONTIDE_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert cache.usable_cache_folder() is None


def test_where_the_root_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("IONTIDE_CACHE_DIR", str(tmp_path / "local"))
    assert cache.cache_root() == tmp_path / "local"
    monkeypatch.delenv("IONTIDE_CACHE_DIR")
    assert cache.cache_root() == tmp_path / "xdg" / "iontide"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_root() == Path.home() / ".cache" / "iontide"


def test_name_of_the_folder_follows_what_the_code_depends_on(root, monkeypatch):
    name = cache.cache_folder().name
    assert cache.cache_folder().name == name
    with monkeypatch.context() as patch:
        patch.setattr(cache, "version", lambda package: "0.0")
        assert cache.cache_folder().name != name
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_processor", lambda: "another")
        assert cache.cache_folder().name != name
    read = Path.read_bytes
    for source in cache.COMPILED_SOURCES:
        with monkeypatch.context() as patch:
            changed = KERNEL / f"{source}.py"
            patch.setattr(Path, "read_bytes", lambda p, c=changed: read(p) + (b"#" if p == c else b""))
            assert cache.cache_folder().name != name, source


def test_every_source_that_numba_compiles_is_in_the_name():
    """All that the compiled functions import from this package, and what those modules import."""

    def imported(module: str) -> Iterator[str]:
        folder = (KERNEL / module).parent
        for node in ast.walk(ast.parse((KERNEL / f"{module}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                package = folder if node.level == 1 else folder.parent
                for alias in node.names:
                    parts = [*(node.module or "").split("."), alias.name]
                    while not (path := package.joinpath(*parts).with_suffix(".py")).exists():
                        parts.pop()
                    assert path.is_relative_to(KERNEL), f"{module} imports from outside of the kernel"
                    yield str(path.relative_to(KERNEL).with_suffix(""))

    closure, waiting = set(), ["build/entry"]
    while waiting:
        module = waiting.pop()
        if module not in closure:
            closure.add(module)
            waiting += imported(module)
    assert {"integrator/rosenbrock", "batch/integrator", "layout/tableau"} <= closure
    assert set(cache.COMPILED_SOURCES) == closure


@pytest.mark.parametrize("kind", [symbols.RUN, symbols.LANES])
def test_must_compile_says_whether_one_has_to_wait(root, monkeypatch, kind):
    monkeypatch.setattr(object_files, "_loaded", {})
    assert object_files.must_compile(kind)
    folder = cache.usable_cache_folder()
    assert folder is not None
    object_files._store(kind, b"object code")
    assert not object_files.must_compile(kind)
    assert object_files._stored(kind) == b"object code"
    file = folder / f"{kind}.o"
    for spoilt in (b"", file.read_bytes()[:-1], file.read_bytes() + b"x", b"x" + file.read_bytes()[1:]):
        file.write_bytes(spoilt)
        assert object_files.must_compile(kind)


# -- a run, whatever the cache ----------------------------------------------------------------------------------------


def run_elsewhere(root: Path) -> str:
    """Fingerprint of P1 run in a fresh process with this cache root."""
    code = (
        "from tests.support.models import p1; from tests.kernel.test_integrator import fingerprint; "
        "from iontide.simulation.simulate import simulate; "
        "print(fingerprint(simulate(p1())))"
    )
    environment = os.environ | {"IONTIDE_CACHE_DIR": str(root)}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.fixture
def warm_copy(tmp_path: Path) -> Path:
    """A cache root with a copy of the cache that this process uses."""
    simulate(p1())
    folder = cache.usable_cache_folder()
    assert folder is not None
    assert (folder / f"{symbols.RUN}.o").exists()
    shutil.copytree(folder, tmp_path / "cache" / folder.name)
    return tmp_path / "cache"


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "garbled": bytes(b ^ 0x5A for b in data), "empty": b""}[how])


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut", "garbled", "empty"])
def test_a_broken_cache_is_made_anew(warm_copy, how):
    """The run is right, and the object file whole again."""
    (file,) = warm_copy.rglob(f"{symbols.RUN}.o")
    whole = file.read_bytes()
    damage(file, how)
    assert run_elsewhere(warm_copy) == fingerprint(simulate(p1()))
    assert len(file.read_bytes()) == len(whole)


@pytest.mark.slow
def test_no_folder_means_no_cache_and_the_same_result(tmp_path):
    (tmp_path / "file").write_text("")
    assert run_elsewhere(tmp_path / "file" / "cache") == fingerprint(simulate(p1()))
