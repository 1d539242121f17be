"""Compiled code reads arrays by their addresses and trusts their sizes; so they are checked before it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_REAL, _WHOLE = np.dtype(np.float64), np.dtype(np.int64)

#: Fields of the tuples of this package that hold whole numbers; the others hold doubles.
WHOLE_NUMBERS = frozenset({"code", "counts", "watched", "counters", "segments", "mode", "crossed", "status", "place"})


def check_arrays(owner: str, arrays: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check all fields of a tuple of arrays.

    Parameters
    ----------
    owner : str
        What the tuple is, for the message.
    arrays : named tuple of array
    shapes : mapping of str to tuple of int
        Shape of each field.

    Raises
    ------
    ValueError
        An array has another shape, type or order in memory than compiled code takes.
    """
    for name, shape in shapes.items():
        fault = _fault_of(getattr(arrays, name), shape, _WHOLE if name in WHOLE_NUMBERS else _REAL)
        if fault:
            raise ValueError(f"{name} of {owner}: {fault}")


def check_array(what: str, array: NDArray, shape: tuple[int, ...]) -> None:
    """Check one array of doubles.

    Raises
    ------
    ValueError
        It has another shape, type or order in memory than compiled code takes.
    """
    fault = _fault_of(array, shape, _REAL)
    if fault:
        raise ValueError(f"{what}: {fault}")


def _fault_of(array: NDArray, shape: tuple[int, ...], kind: np.dtype) -> str:
    """What is wrong with an array; empty where nothing is."""
    if array.shape != shape:
        return f"the shape must be {shape}, got {array.shape}"
    if array.dtype != kind:
        return f"the numbers must be {kind}, got {array.dtype}"
    return "" if array.flags.c_contiguous else "the array must be C-contiguous"
