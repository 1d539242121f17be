"""The compiled integrator in this process: from its object file where one is kept, else compiled first."""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from . import cache
from .machine_code import optimized

#: Name of the function in the object code, and of the file that keeps it.
SYMBOL = "iontide_integrate"
FILE = "integrator.o"

_loaded: tuple[Callable[[int], int], Any] | None = None


def must_compile() -> bool:
    """Whether the next run has to compile the integrator first (some ten seconds), for want of an object file."""
    return _loaded is None and _kept() is None


def load() -> Callable[[int], int]:
    """The integrator: a function of the address of its table (see ``entry``), which returns a status."""
    global _loaded
    if _loaded is None:
        code = _kept()
        if code is None:
            from .entry import object_code

            code = object_code()
            _keep(code)
        engine, machine = _engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(engine.get_function_address(SYMBOL))
        _loaded = function, (engine, machine)
    return _loaded[0]


def _engine() -> tuple[Any, Any]:
    module, machine = optimized(llvm.parse_assembly(""))
    return llvm.create_mcjit_compiler(module, machine), machine


def _kept() -> bytes | None:
    """The object code that lies in the cache, if it is whole: it opens with its own digest."""
    folder = cache.usable_cache_folder()
    if folder is None:
        return None
    try:
        content = (folder / FILE).read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _keep(code: bytes) -> None:
    """Put object code into the cache, whole or not at all; where that fails, the next process compiles again."""
    folder = cache.usable_cache_folder()
    if folder is None:
        return
    try:
        descriptor, name = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(name, folder / FILE)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return
