"""The folder in which the compiled integrator is stored, so that only the first run on a machine waits for it.

The folder is private to the user and named by everything the code in it depends on: the source of this package's
kernel, the versions of numba and Python, and the processor. It holds machine code, so it is never shared and is never
put among results. ``IONTIDE_CACHE_DIR`` moves it; an unusable folder means no cache, never a failed run.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

#: Modules of this package that numba compiles, or whose constants become part of the compiled code.
COMPILED_SOURCES = (
    *("build/entry", "build/symbols", "codegen/optimization"),
    *("layout/problem", "layout/functions", "layout/status", "layout/tableau", "layout/step_control"),
    *("layout/batch_problem", "layout/batch_rows", "batch/integrator", "batch/samples"),
    *("integrator/call", "integrator/control", "integrator/start", "integrator/events", "integrator/recording"),
    "integrator/rosenbrock",
)


def cache_root() -> Path:
    """Folder that holds the caches of all versions."""
    chosen = os.environ.get("IONTIDE_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "iontide"


def cache_folder() -> Path:
    """Folder for exactly this code on exactly this kind of machine."""
    digest = hashlib.sha256()
    for name in COMPILED_SOURCES:
        digest.update(name.encode() + b"\0" + (Path(__file__).parent.parent / f"{name}.py").read_bytes())
    digest.update(f"{version('numba')} {version('llvmlite')} {sys.version} {platform.machine()}".encode())
    digest.update(_processor().encode())
    return cache_root() / digest.hexdigest()[:24]


def _processor() -> str:
    """Name and abilities of the CPU, as numba's compiled code depends on both."""
    import llvmlite.binding as llvm

    return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def usable_cache_folder() -> Path | None:
    """The cache folder, made if need be, private and writable; None where there can be none."""
    try:
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if hasattr(os, "getuid") and status.st_uid != os.getuid():
            return None
        if stat.S_IMODE(status.st_mode) & 0o077:
            folder.chmod(0o700)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: no home folder
        return None
