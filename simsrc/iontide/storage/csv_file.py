"""Columns of numbers in a CSV file: a header with units, and every number in full precision."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .replacing import replacing, write_all


def write_csv(path: str | os.PathLike[str], columns: Mapping[str, NDArray]) -> Path:
    """Write columns to a file, completely or not at all.

    Parameters
    ----------
    path : path
    columns : mapping of str to array, shape (rows,)
        Columns by their name in the header, which ends in the unit: ``plasma.V (mV)``. A number has as many digits as
        are needed to read the same double again; NaN is an empty field.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileError
        If it cannot be written; an existing file is then unchanged.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_fields(column) for column in columns.values()), strict=True))
    with replacing(path) as descriptor:
        write_all(descriptor, memoryview(text.getvalue().encode()))
    return Path(path)


def _fields(column: NDArray) -> list[str]:
    return ["" if np.isnan(value) else repr(value).removesuffix(".0") for value in column.tolist()]
