"""Recordings from files: CSV with units in its header, or datasets of an HDF5 file with their ``units``."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, UsageError
from ...formulas.display import size_text
from ...formulas.units import UnitError, parse_unit

#: Largest file that is read, bytes.
_MOST = 2_000_000_000


@dataclass(frozen=True)
class Recording:
    """Times (s) and potentials (V) of a recording, and what its column was called."""

    time: NDArray
    potential: NDArray
    column: str


def read_recording(path: str, column: str | None, time_column: str | None, unit: str, electrode: str) -> Recording:
    """A recording from a CSV or HDF5 file.

    The columns of a CSV file are recognised by the units in its header; ``column`` and ``time_column`` choose one if
    there are several. In an HDF5 file they name datasets, the first in ``unit``, the second in s; by default those of
    ``electrode`` in a result file.
    """
    file = Path(path)
    if not file.is_file():
        raise FileError(f"{path}: there is no such file.")
    if file.stat().st_size > _MOST:
        raise FileError(f"{path} is larger than {size_text(_MOST)}, the largest recording that is read; shorten it.")
    with file.open("rb") as opened:
        is_hdf5 = opened.read(8) == b"\x89HDF\r\n\x1a\n"
    if is_hdf5:
        from ...storage import read_arrays

        names = (time_column or "timeseries/time", column or f"timeseries/{electrode}.V_recorded")
        time, potential = read_arrays(path, names)
        recording = Recording(time, _factor(unit) * potential, names[1])
    else:
        recording = _from_csv(path, column, time_column)
    time, potential = recording.time, recording.potential
    if len(time) != len(potential) or not len(time):
        raise UsageError(
            f"{path} has {len(time)} times and {len(potential)} potentials; it must have one potential for each time"
        )
    if not (np.isfinite(time).all() and np.isfinite(potential).all()):
        raise UsageError(
            f"{path}: {recording.column} or its time has a value that is no finite number; leave out these samples"
        )
    return recording


def _factor(unit: str) -> float:
    if not _is(unit, "V"):
        raise UsageError(f"--unit: {unit!r} is no unit of potential; write e.g. mV")
    return parse_unit(unit)[0]


def _from_csv(path: str, column: str | None, time_column: str | None) -> Recording:
    columns = _csv_columns(path)
    times = [name for name, (unit, _) in columns.items() if _is(unit, "s")]
    potentials = [name for name, (unit, _) in columns.items() if _is(unit, "V")]
    for option, kind, held, wanted in (
        ("--time", "time", times, time_column),
        ("--column", "potential", potentials, column),
    ):
        if wanted is not None and wanted not in held:
            raise UsageError(f"{path}: no {kind} is called {wanted}; there are {', '.join(held) or 'none'}")
        if wanted is None and len(held) != 1:
            raise UsageError(
                f"{path} has {len(held)} columns with a unit of {kind} in the header, such as 'time (s)' and 'V (mV)'"
                + (f"; choose one with {option}: {', '.join(held)}" if held else "")
            )
    time_column, column = time_column or times[0], column or potentials[0]
    time, potential = (parse_unit(columns[name][0])[0] * columns[name][1] for name in (time_column, column))
    return Recording(time, potential, column)


def _is(unit: str, of: str) -> bool:
    try:
        return bool(unit) and parse_unit(unit)[1] == parse_unit(of)[1]
    except UnitError:
        return False


def _csv_columns(path: str) -> dict[str, tuple[str, NDArray]]:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(line for line in file if not line.startswith("#"))
            header = next(rows, [])
            lines = [row for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path} cannot be read as CSV: {error}.") from None
    if len(set(header)) < len(header):
        raise UsageError(f"{path}: two columns have the same name; rename one")
    columns = {}
    for k, name in enumerate(header):
        unit = re.search(r"[(\[]([^()\[\]]+)[)\]]\s*$", name)
        if unit is None:
            continue
        try:
            columns[name.strip()] = (unit[1], np.array([float(row[k]) for row in lines]))
        except (ValueError, IndexError):
            continue  # a column with gaps is no recording
    return columns
