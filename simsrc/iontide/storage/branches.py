"""Files of branches (curves of steady states): written completely or not at all, validated when read.

::

    /               NXroot; format, format_version, run_id, created, parameter, title
    /branch         NXentry: parameter (SI), unstable_modes, and one dataset per quantity (potentials, concentrations,
                    volumes, as in the time series of a run) with units and long_name, along the branch
    /special        kinds, places, values (SI), periods (s; NaN if there is none)
    /state          states (points, n) in SI, unrounded; names
    /varying        paths, and values (points, paths) of the quantities of the model that differ along the branch
    /ends           reason why the branch ends, at its first and at its last point
    /provenance     as in the file of a run
"""

from __future__ import annotations

import io
import json
import os
from collections import ChainMap
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from ..analysis.continuation.continuation import Branch, SpecialPoint, trajectory_along
from ..simulation.quantities import quantities_of
from ..simulation.run import Origin
from .datasets import FILTERS, write_array, write_texts
from .provenance import finished, provenance_of, utc_now
from .reader import checked_file, read_header, read_model, read_table
from .replacing import replacing, write_all
from .untrusted import Checked
from .writer import FILE_OPTIONS, plain, write_provenance

FORMAT = "iontide-branch"
FORMAT_VERSION = 2

#: Maximum number of rows in a chunk.
_ROWS = 8192

_KINDS = ("fold", "hopf", "branch")
_GROUPS = ("potentials", "concentrations")


def save_branch(branch: Branch, path: str | os.PathLike[str]) -> Path:
    """Write a branch to an HDF5 file, completely or not at all.

    Parameters
    ----------
    branch : Branch
    path : path
        Used as given; missing parent folders are created, an existing file is replaced.

    Returns
    -------
    Path

    Raises
    ------
    FileError
        If it cannot be written; an existing file is then unchanged.
    """
    run = branch.trajectory.run
    provenance = finished(provenance_of(run))
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "run_id": provenance.run_id,
        "created": utc_now(),
        "parameter": branch.parameter,
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **FILE_OPTIONS) as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "branch"
        file.attrs.update({name: plain(str(text)) for name, text in header.items()})
        file.attrs["title"] = plain(run.model.title)
        _write_columns(file.create_group("branch", track_order=True), branch)
        special = file.create_group("special")
        write_texts(special, "kinds", [point.kind for point in branch.special])
        write_array(special, "places", np.array([point.place for point in branch.special], dtype=np.int64))
        write_array(special, "values", np.array([point.value for point in branch.special], dtype=float), units="SI")
        periods = [np.nan if point.period is None else point.period for point in branch.special]
        write_array(special, "periods", np.array(periods, dtype=float), units="s")
        state = file.create_group("state")
        _write_matrix(state, "states", branch.states)
        write_texts(state, "names", run.layout.names)
        paths, values = _varying(branch)
        varying = file.create_group("varying")
        write_texts(varying, "paths", paths)
        _write_matrix(varying, "values", values)
        write_texts(file, "ends", branch.ends)
        group = file.create_group("provenance")
        contents = header | {"provenance": dict(provenance.attributes)}
        write_texts(group, "header", [json.dumps(contents)])
        write_provenance(group, provenance)
    with replacing(path) as descriptor:
        write_all(descriptor, buffer.getbuffer())
    return Path(path)


def _write_columns(group: h5py.Group, branch: Branch) -> None:
    group.attrs["NX_class"] = "NXentry"
    name = f"{branch.parameter}, along which the steady state is followed"
    scale = _write_vector(group, "parameter", branch.values, units="SI", long_name=name)
    scale.make_scale("parameter")
    growing = "how many disturbances of the steady state grow; 0 where it is stable"
    modes = _write_vector(group, "unstable_modes", branch.unstable_modes.astype(np.int64), units="1", long_name=growing)
    modes.dims[0].attach_scale(scale)
    model = branch.trajectory.model
    for quantity in quantities_of(model, _GROUPS):
        dataset = _write_vector(group, quantity.name, quantity.values(branch.trajectory), **quantity.attributes)
        dataset.dims[0].attach_scale(scale)


def _write_vector(group: h5py.Group, name: str, values: NDArray, **attributes: str) -> h5py.Dataset:
    chunks = (max(1, min(_ROWS, len(values))),)
    dataset = group.create_dataset(name, data=values, chunks=chunks, maxshape=(max(1, len(values)),), **FILTERS)
    dataset.attrs.update(attributes)
    return dataset


def _write_matrix(group: h5py.Group, name: str, values: NDArray) -> None:
    rows, columns = (max(1, length) for length in values.shape)
    chunks = (min(_ROWS, rows), 1)
    group.create_dataset(name, data=values, chunks=chunks, maxshape=(rows, columns), **FILTERS)


def _varying(branch: Branch) -> tuple[list[str], NDArray]:
    values = branch.trajectory.run.values
    first = dict(values[0])
    paths = [path for path, value in first.items() if any(at_point[path] != value for at_point in values[1:])]
    rows = [[at_point[path] for path in paths] for at_point in values]
    return paths, np.array(rows, dtype=float).reshape(len(values), -1)


def is_branch(path: str | os.PathLike[str]) -> bool:
    """Whether the format attribute of a file is that of a branch; False if the file cannot be read."""
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == FORMAT)
    except (OSError, ValueError, TypeError, RuntimeError):
        return False


def open_branch(path: str | os.PathLike[str]) -> Branch:
    """Read a branch back, bit for bit.

    Raises
    ------
    FileError
        If the file does not exist, is not a branch of this format, is damaged, or cannot be trusted.
    """
    with checked_file(path) as file:
        header = read_header(file, FORMAT, FORMAT_VERSION)
        parameter = header.get("parameter")
        if not isinstance(parameter, str):
            raise file.fault("the header in the file lacks parameter")
        model = read_model(file, header)
        values = file.array("branch/parameter", "<f8", (None,))
        states = file.array("state/states", "<f8", (len(values), None))
        paths = file.texts("varying/paths")
        varying = file.array("varying/values", "<f8", (len(values), len(paths)))
        base, names = trajectory_along(model, states), tuple(file.texts("state/names"))
        if base.run.layout.names != names or states.shape[1] != len(names):
            raise file.fault("the states in the file do not match its model; another version of iontide wrote it")
        if not np.isfinite(values).all() or any(path not in base.run.values[0] for path in paths):
            raise file.fault(
                "the varying quantities in the file do not match its model, or its parameter is not finite"
            )
        point_values = [
            ChainMap(dict(zip(paths, row.tolist(), strict=True)), dict(base.run.values[0])) for row in varying
        ]
        origin = Origin(
            file.text("provenance/scenario_name"), file.text("provenance/scenario"), read_table(file, "overrides")
        )
        first, last = file.texts("ends", 2)
        return Branch(
            parameter=parameter,
            values=values,
            trajectory=replace(base, run=replace(base.run, values=tuple(point_values), origin=origin)),
            unstable_modes=file.array("branch/unstable_modes", "<i8", (len(values),)),
            special=_read_special(file, len(values)),
            ends=(first, last),
        )


def _read_special(file: Checked, points: int) -> tuple[SpecialPoint, ...]:
    kinds = file.texts("special/kinds")
    places = file.array("special/places", "<i8", (len(kinds),))
    values, periods = (file.array(f"special/{name}", "<f8", (len(kinds),)) for name in ("values", "periods"))
    if any(kind not in _KINDS for kind in kinds) or (len(kinds) and not 0 <= places.min() <= places.max() < points):
        raise file.fault("the special points in the file do not match its branch")
    return tuple(
        SpecialPoint(kind, int(place), float(value), None if np.isnan(period) else float(period))  # type: ignore[arg-type]
        for kind, place, value, period in zip(kinds, places, values, periods, strict=True)
    )
