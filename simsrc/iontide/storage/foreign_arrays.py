"""Arrays from an HDF5 file that another program has written."""

from __future__ import annotations

import os
from collections.abc import Sequence

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FileError

#: Largest array that is read, numbers.
_MOST = 100_000_000


def read_arrays(path: str | os.PathLike[str], names: Sequence[str]) -> list[NDArray]:
    """Datasets of one dimension by their paths, as floats.

    Nothing outside of the file is followed, and no more is allocated than the file declares within reason.

    Raises
    ------
    FileError
        No HDF5 file, no such dataset, or one that is no list of numbers.
    """
    told = os.fspath(path)
    try:
        with h5py.File(path, "r") as file:
            return [_read(file, name, told) for name in names]
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise FileError(f"{told} cannot be read as HDF5: {str(error).splitlines()[0][:200]}.") from None


def _read(file: h5py.File, name: str, told: str) -> NDArray:
    here: h5py.Group | h5py.Dataset = file
    for part in [part for part in name.split("/") if part]:
        if not isinstance(here, h5py.Group) or part not in here:
            raise FileError(f"{told}: there is no dataset {name}.")
        if not isinstance(here.get(part, getlink=True), h5py.HardLink):
            raise FileError(f"{told}: {name} leads out of the file, where nothing is read.")
        here = here[part]
    if not isinstance(here, h5py.Dataset) or here.ndim != 1 or here.dtype.kind not in "fiu":
        raise FileError(f"{told}: {name} is no list of numbers.")
    if here.is_virtual or here.external:
        raise FileError(f"{told}: {name} is stored outside of the file, where nothing is read.")
    if here.size > _MOST:
        raise FileError(f"{told}: {name} has {here.size} numbers, more than the {_MOST} that are read.")
    return np.asarray(here[()], dtype=float)
