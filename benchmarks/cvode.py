"""CVODE driven from machine code: right-hand side, Jacobian and the loop over outputs are compiled by numba.

It calls the SUNDIALS libraries that the wheel of scikit-sundae brings along, without its Python callbacks:
what CVODE takes in a C program that makes its solver once. Tied to that wheel's SUNDIALS 7, 32-bit indices.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_double, c_int, c_long, c_void_p
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray
from problems import jacobian, rates

_BDF, _NORMAL = 2, 1
_PARTS = ("core", "nvecserial", "sunmatrixdense", "sunlinsoldense", "cvode")


@intrinsic
def _pointer(typingctx, address):  # type: ignore[no-untyped-def]
    """An address as a pointer to doubles."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], cgutils.ir.DoubleType().as_pointer())

    return types.CPointer(types.float64)(types.uint64), generate


def _libraries() -> dict[str, ctypes.CDLL]:
    found = find_spec("sksundae")
    if found is None or found.origin is None:
        raise ImportError("scikit-sundae is not installed")
    import sksundae.cvode  # noqa: F401 (loads the libraries, which then find each other)

    folder = Path(found.origin).parent.parent / "scikit_sundae.libs"
    libraries = {}
    for part in _PARTS:
        files = sorted(folder.glob(f"libsundials_{part}-*.so*"))
        if not files:
            raise ImportError(f"no SUNDIALS library {part}")
        libraries[part] = ctypes.CDLL(str(files[0]))
    return libraries


class Cvode:
    """A solver at one tolerance; ``solve`` may be called many times."""

    _loaded: dict[str, Any] | None = None

    @classmethod
    def load(cls) -> dict[str, Any]:
        """Libraries and compiled callbacks, once."""
        if cls._loaded is None:
            cls._loaded = _load()
        return cls._loaded

    def __init__(self, rtol: float, atol: float) -> None:
        c = self.load()
        self._c = c
        context = c_void_p()
        c["SUNContext_Create"](0, byref(context))
        self._y = np.zeros(4)
        self._p = np.zeros(10)
        self._vector = c["N_VMake_Serial"](4, self._y.ctypes.data, context)
        self._memory = c["CVodeCreate"](_BDF, context)
        matrix = c["SUNDenseMatrix"](4, 4, context)
        linear = c["SUNLinSol_Dense"](self._vector, matrix, context)
        for status in (
            c["CVodeInit"](self._memory, c["rates"].address, 0.0, self._vector),
            c["CVodeSStolerances"](self._memory, rtol, atol),
            c["CVodeSetUserData"](self._memory, self._p.ctypes.data),
            c["CVodeSetMaxNumSteps"](self._memory, 1_000_000),
            c["CVodeSetLinearSolver"](self._memory, linear, matrix),
            c["CVodeSetJacFn"](self._memory, c["jacobian"].address),
        ):
            if status != 0:
                raise RuntimeError(f"CVODE: status {status}")

    def solve(self, y: NDArray, p: NDArray, times: NDArray) -> NDArray:
        """States at ``times``, of which the first is 0; not-a-number from where CVODE gives up."""
        self._p[:] = p
        self._y[:] = y
        states = np.empty((len(times), 4))
        self._c["drive"](self._memory, self._vector, self._y, times, states)
        return states


def _load() -> dict[str, Any]:
    libraries = _libraries()

    def function(part: str, name: str, result: Any, *arguments: Any) -> Any:
        f = getattr(libraries[part], name)
        f.restype, f.argtypes = result, arguments
        return f

    p = c_void_p
    made = {
        "SUNContext_Create": function("core", "SUNContext_Create", c_int, c_int, POINTER(p)),
        "N_VMake_Serial": function("nvecserial", "N_VMake_Serial", p, c_int, p, p),
        "SUNDenseMatrix": function("sunmatrixdense", "SUNDenseMatrix", p, c_int, c_int, p),
        "SUNLinSol_Dense": function("sunlinsoldense", "SUNLinSol_Dense", p, p, p, p),
        "CVodeCreate": function("cvode", "CVodeCreate", p, c_int, p),
        "CVodeInit": function("cvode", "CVodeInit", c_int, p, p, c_double, p),
        "CVodeSStolerances": function("cvode", "CVodeSStolerances", c_int, p, c_double, c_double),
        "CVodeSetUserData": function("cvode", "CVodeSetUserData", c_int, p, p),
        "CVodeSetMaxNumSteps": function("cvode", "CVodeSetMaxNumSteps", c_int, p, c_long),
        "CVodeSetLinearSolver": function("cvode", "CVodeSetLinearSolver", c_int, p, p, p),
        "CVodeSetJacFn": function("cvode", "CVodeSetJacFn", c_int, p, p),
    }
    data = function("core", "N_VGetArrayPointer", p, p)
    matrix_data = function("sunmatrixdense", "SUNDenseMatrix_Data", p, p)
    restart = function("cvode", "CVodeReInit", c_int, p, c_double, p)
    advance = function("cvode", "CVode", c_int, p, c_double, p, p, c_int)
    pointer = types.voidptr

    @cfunc(types.int32(types.float64, pointer, pointer, types.CPointer(types.float64)))
    def right_hand_side(t, y, f, p):  # type: ignore[no-untyped-def]
        rates(t, carray(_pointer(data(y)), (4,)), carray(p, (10,)), carray(_pointer(data(f)), (4,)))
        return 0

    @cfunc(
        types.int32(types.float64, pointer, pointer, pointer, types.CPointer(types.float64), pointer, pointer, pointer)
    )
    def slopes(t, y, f, matrix, p, a, b, c):  # type: ignore[no-untyped-def]
        by_columns = carray(_pointer(matrix_data(matrix)), (4, 4))
        jacobian(t, carray(_pointer(data(y)), (4,)), carray(p, (10,)), by_columns.T)
        return 0

    @njit
    def drive(memory, vector, y, times, states):  # type: ignore[no-untyped-def]
        reached = np.zeros(1)
        states[0] = y
        restart(memory, 0.0, vector)
        for i in range(1, len(times)):
            if advance(memory, times[i], vector, reached.ctypes.data, _NORMAL) < 0:
                states[i:] = np.nan
                return
            states[i] = y

    made |= {"rates": right_hand_side, "jacobian": slopes, "drive": drive}
    return made
