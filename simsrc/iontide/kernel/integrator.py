"""The door to the compiled integrator: loads it (from the disk cache where it can), and survives a broken cache."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from . import cache

_loaded: ModuleType | None = None


def must_compile() -> bool:
    """Whether the next run has to compile the integrator first (some ten seconds), for want of a cache."""
    return _loaded is None and not cache.holds_code(cache.usable_cache_folder())


def load_numba_alone() -> None:
    """See to it that ``load`` does without the third of a second that numba spends on scipy.linalg.

    numba looks for BLAS so that compiled code may multiply matrices; ours does not. For the command line only: a
    program that imports iontide may want numba whole.
    """
    if "numba" not in sys.modules and "scipy.linalg" not in sys.modules:
        sys.modules["scipy.linalg"] = None  # type: ignore[assignment]


def load(problem: Any, progress: Any, samples: Any) -> ModuleType:
    """The module ``rosenbrock`` with its integrator compiled for arguments of these types.

    numba raises whatever unpickling a damaged file raises; then the cache is removed and made anew, and where even
    that fails the integrator is compiled for this process alone.
    """
    global _loaded
    if _loaded is not None:
        return _loaded
    from numba import typeof

    signature = (typeof(problem), typeof(progress), typeof(samples), typeof(0))
    for attempt in ("cached", "cleaned", "uncached"):
        from . import compiled

        if attempt == "uncached":
            compiled.CACHE = False
        sys.modules.pop(f"{__package__}.rosenbrock", None)
        try:
            module = importlib.import_module(".rosenbrock", __package__)
            module.integrate.compile(signature)
            if sys.modules.get("scipy.linalg", module) is None:
                del sys.modules["scipy.linalg"]
        except Exception:
            if attempt == "uncached":
                raise
            if compiled.FOLDER is not None:
                cache.remove(compiled.FOLDER)
                cache.usable_cache_folder()
            continue
        _loaded = module
        return module
    raise AssertionError("unreachable")
