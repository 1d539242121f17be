"""The tape's machine code called from Python at one state: what a root finder needs, some microseconds a call."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from ..layout.checks import check_array
from ..layout.functions import LINEARISED, linear_offsets, linear_size
from .machine_code import MachineCode

_TAPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)


class Direct:
    """Right-hand side and Jacobian of one program at given constants.

    Parameters
    ----------
    code : MachineCode
        For single runs.
    constants : array, shape (m,)
        From the prologue of the program.

    Raises
    ------
    ValueError
        There are not as many constants as the code reads.
    """

    def __init__(self, code: MachineCode, constants: NDArray) -> None:
        self._code = code  # alive as long as the address of its function is used
        self._linearised = _TAPE(code.addresses[LINEARISED])
        self._constants = np.ascontiguousarray(constants, dtype=float)
        check_array("constants of the program", self._constants, (code.constants,))
        self._work = np.zeros(code.work + 1)

    def __call__(self, time: float, y: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """f, ∂f/∂y and ∂f/∂t at a time within the segment (s), shapes (n,), (n, n), (n,).

        Raises
        ------
        ValueError
            The state has not as many numbers as the program has states.
        """
        n = self._code.states
        state, clock, linear = np.ascontiguousarray(y, dtype=float), np.array([time]), np.zeros(linear_size(n))
        check_array("the state", state, (n,))
        arrays = (clock, state, self._constants, self._work, linear)
        self._linearised(*(array.ctypes.data for array in arrays))
        at = linear_offsets(n)
        return linear[:n], linear[at["J"] : at["f_t"]].reshape(n, n), linear[at["f_t"] :]
