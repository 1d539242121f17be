"""Arrays from an HDF5 file written by another program."""

from __future__ import annotations

import os
from collections.abc import Sequence

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FileError

#: Largest number of elements of an array that is read.
_MAX_SIZE = 100_000_000


def read_arrays(path: str | os.PathLike[str], names: Sequence[str]) -> list[NDArray]:
    """One-dimensional datasets by their paths, as floats.

    Links out of the file are not followed, and the size of an array is limited.

    Raises
    ------
    FileError
        If the file is not HDF5, or a dataset does not exist or is not a list of numbers.
    """
    shown = os.fspath(path)
    try:
        with h5py.File(path, "r") as file:
            return [_read(file, name, shown) for name in names]
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise FileError(f"{shown} cannot be read as HDF5: {str(error).splitlines()[0][:200]}.") from None


def _read(file: h5py.File, name: str, shown: str) -> NDArray:
    node: h5py.Group | h5py.Dataset = file
    for part in [part for part in name.split("/") if part]:
        if not isinstance(node, h5py.Group) or part not in node:
            raise FileError(f"{shown}: there is no dataset {name}.")
        if not isinstance(node.get(part, getlink=True), h5py.HardLink):
            raise FileError(f"{shown}: {name} is a link out of the file, which is not followed.")
        node = node[part]
    if not isinstance(node, h5py.Dataset) or node.ndim != 1 or node.dtype.kind not in "fiu":
        raise FileError(f"{shown}: {name} is not a one-dimensional list of numbers.")
    if node.is_virtual or node.external:
        raise FileError(f"{shown}: {name} is stored outside of the file and is not read.")
    if node.size > _MAX_SIZE:
        raise FileError(f"{shown}: {name} has {node.size} numbers, more than the limit of {_MAX_SIZE}.")
    return np.asarray(node[()], dtype=float)
