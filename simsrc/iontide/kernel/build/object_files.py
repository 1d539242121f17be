"""The compiled integrators in this process: from their stored object files, or compiled first."""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from ..codegen.optimization import optimized
from . import cache
from .symbols import RUN, symbol

_loaded: dict[str, tuple[Callable[[int], int], Any]] = {}
_lock = threading.Lock()


def must_compile(kind: str = RUN) -> bool:
    """Whether the next run has to compile the integrator first (up to a minute), where there is no object file."""
    return kind not in _loaded and _stored(kind) is None


def load(kind: str = RUN) -> Callable[[int], int]:
    """An integrator: a function of the address of its table (see ``entry``), which returns a status."""
    return (_loaded.get(kind) or _load(kind))[0]


def _load(kind: str) -> tuple[Callable[[int], int], Any]:
    with _lock:
        if kind not in _loaded:
            code = _stored(kind)
            if code is None:
                from .entry import object_code

                code = object_code(kind)
                _store(kind, code)
            engine, machine = _engine()
            engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            engine.finalize_object()
            function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(engine.get_function_address(symbol(kind)))
            _loaded[kind] = function, (engine, machine)
        return _loaded[kind]


def _engine() -> tuple[Any, Any]:
    module, machine = optimized(llvm.parse_assembly(""))
    return llvm.create_mcjit_compiler(module, machine), machine


def _stored(kind: str) -> bytes | None:
    """The object code in the cache, if it is whole: it begins with its own digest."""
    folder = cache.usable_cache_folder()
    if folder is None:
        return None
    try:
        content = (folder / f"{kind}.o").read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _store(kind: str, code: bytes) -> None:
    """Put object code into the cache, whole or not at all; where that fails, the next process compiles again."""
    folder = cache.usable_cache_folder()
    if folder is None:
        return
    try:
        descriptor, name = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(name, folder / f"{kind}.o")
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return
