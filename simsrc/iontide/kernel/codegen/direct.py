"""The tape's machine code called from Python at one state: what a root finder needs, some microseconds a call."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from .machine_code import FUNCTIONS, MachineCode

_TAPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)


class Direct:
    """Right-hand side and Jacobian of one program at given constants."""

    def __init__(self, code: MachineCode, states: int, constants: NDArray) -> None:
        self._code = code  # kept alive: what follows are addresses into it
        self._linearised = _TAPE(code.addresses[FUNCTIONS.index("linearised")])
        self._states = states
        self._constants = np.ascontiguousarray(constants, dtype=float)
        self._work = np.zeros(code.work + 1)

    def __call__(self, time: float, y: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """f, ∂f/∂y and ∂f/∂t at a time within the segment (s), shapes (n,), (n, n), (n,)."""
        n = self._states
        state, clock, out = np.ascontiguousarray(y, dtype=float), np.array([time]), np.zeros(n * (n + 2))
        arrays = (clock, state, self._constants, self._work, out)
        self._linearised(*(array.ctypes.data for array in arrays))
        return out[:n], out[n : n + n * n].reshape(n, n), out[n + n * n :]
