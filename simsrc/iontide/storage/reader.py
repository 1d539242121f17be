"""Read a result file exactly as it was saved, or raise an error of one sentence."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import h5py
import numpy as np

from ..equations.initial_state import InitialState, complete_values
from ..equations.states import lay_out
from ..errors import FileError
from ..model.model import Model
from ..model.schedule import Crossing, segments_of, triggered_steps, values_of
from ..model.serialization import model_from_json, run_id_of_text
from ..simulation.run import Origin, Run, Statistics
from ..simulation.trajectory import Trajectory
from .datasets import FORMAT, FORMAT_VERSION
from .untrusted import Checked

#: Values of ``Run.status``.
_STATES = ("done", "steady", "stopped", "failed")


@dataclass(frozen=True)
class Overview:
    """A file without its samples.

    Attributes
    ----------
    run : Run
    run_id : str
    samples : int
    first_time, last_time : float
        s; NaN if there is no sample.
    end : Trajectory
        The end of the run as a trajectory of one sample.
    max_charge_drift, max_mass_drift : float
        Relative.
    activity_corrections : mapping of (str, str) to float
        ΔE of largest magnitude in the run, by membrane and ion, V, signed; for the ions whose activity may differ from
        their concentration.
    warnings : tuple of str
    verdict : str
        Classification of the end of the run; empty if nothing was recorded.
    provenance : mapping of str to str
        Versions, commit, CPU, times.
    created : str
        ISO 8601, UTC.
    argv : tuple of str
    size : int
        Of the file, bytes.
    """

    run: Run
    run_id: str
    samples: int
    first_time: float
    last_time: float
    end: Trajectory
    max_charge_drift: float
    max_mass_drift: float
    activity_corrections: Mapping[tuple[str, str], float]
    warnings: tuple[str, ...]
    verdict: str
    provenance: Mapping[str, str]
    created: str
    argv: tuple[str, ...]
    size: int


def open_trajectory(path: str | os.PathLike[str]) -> Trajectory:
    """Read a trajectory from a result file.

    Returns
    -------
    Trajectory
        Its arrays are identical to the saved ones bit for bit.

    Raises
    ------
    FileError
        If the file does not exist, is not a result of this format, is damaged, or cannot be trusted.
    """
    with checked_file(path) as file:
        run = _read_run(file, _read_header(file))
        samples = file.length("timeseries/time")
        time = file.array("timeseries/time", "<f8", (samples,))
        segment = file.array("timeseries/segment", "<i4", (samples,))
        n = run.layout.size
        states = file.array("state/states", "<f8", (samples, n)) if n else np.zeros((samples, 0))
        if not np.isfinite(time).all() or (np.diff(time) < 0).any():
            raise file.fault("timeseries/time is not finite and increasing")
        if samples and not 0 <= segment.min() <= segment.max() < len(run.segments):
            raise file.fault("timeseries/segment has a number that is not a segment of the protocol")
        return Trajectory(run, time, segment, states)


def open_overview(path: str | os.PathLike[str]) -> Overview:
    """Read everything in a file except its samples: fast however long the recording is.

    Raises
    ------
    FileError
        As for ``open_trajectory``.
    """
    with checked_file(path) as file:
        header = _read_header(file)
        run = _read_run(file, header)
        samples = file.length("timeseries/time")
        first, last = (
            (float(file.array("timeseries/time", "<f8", (samples,), row)) for row in (0, samples - 1))
            if samples
            else (float("nan"), float("nan"))
        )
        number = max(i for i, s in enumerate(run.segments) if i == 0 or s.start < run.end_time)
        end = Trajectory(run, np.array([run.end_time]), np.array([number], dtype=np.int32), run.end_state[np.newaxis])
        return Overview(
            run=run,
            run_id=header["run_id"],
            samples=samples,
            first_time=first,
            last_time=last,
            end=end,
            max_charge_drift=file.number("diagnostics", "max_charge_drift", float),
            max_mass_drift=file.number("diagnostics", "max_mass_drift", float),
            activity_corrections=_read_activity_corrections(file, run.model),
            warnings=tuple(file.texts("diagnostics/warnings")),
            verdict=file.text("diagnostics/verdict") if file.has("diagnostics/verdict") else "",
            provenance={str(k): str(v) for k, v in header["provenance"].items()},
            created=header["created"],
            argv=tuple(file.texts("provenance/argv")),
            size=os.stat(path).st_size,
        )


@contextlib.contextmanager
def checked_file(path: str | os.PathLike[str]) -> Iterator[Checked]:
    """Open an untrusted file; every failure is raised as a ``FileError``."""
    name = os.fspath(path)
    try:
        file_status = os.stat(path)
    except OSError as error:
        raise FileError(f"cannot read {name}: {(error.strerror or str(error)).lower()}") from error
    if not stat.S_ISREG(file_status.st_mode):
        raise FileError(f"cannot read {name}: it is not a regular file")
    try:
        with open(path, "rb") as raw:
            signature = raw.read(8)
    except OSError as error:
        raise FileError(f"cannot read {name}: {(error.strerror or str(error)).lower()}") from error
    if signature != b"\x89HDF\r\n\x1a\n":
        raise FileError(f"{name}: this is not an HDF5 file, so it is not a result of iontide")
    try:
        # Results are never changed in place, so locks are not needed, and they fail on some network disks.
        with h5py.File(path, "r", locking=False, rdcc_nbytes=1 << 20) as file:
            yield Checked(file, name, file_status.st_size)
    except FileError:
        raise
    except Exception as error:
        # Any exception here is caused by the file: HDF5 and the model report damage by many types of exception.
        message = str(error.args[0]) if error.args else ""
        reason = message.splitlines()[0][:200] if message else type(error).__name__
        raise FileError(f"{name}: the file is damaged or was cut short ({reason})") from error


def _read_header(file: Checked) -> dict[str, Any]:
    header = read_header(file, FORMAT, FORMAT_VERSION)
    if not isinstance(header.get("status"), str):
        raise file.fault("the header in the file lacks status")
    if header["status"] not in _STATES:
        raise file.fault(f"the status must be one of {', '.join(_STATES)}, got {header['status'][:40]!r}")
    return header


def read_header(file: Checked, kind: str, expected_version: int) -> dict[str, Any]:
    """The header of a file, which must have this format and version."""
    if not file.has("provenance") or not file.has("provenance/header"):
        raise file.fault("this HDF5 file is not a result of iontide")
    header = read_table(file, "header")
    if header.get("format") != kind:
        raise file.fault(_other_format(header.get("format"), kind))
    version = header.get("format_version")
    if version != expected_version:
        raise file.fault(f"the file has format version {version}, but this iontide reads version {expected_version}")
    for name in ("run_id", "created"):
        if not isinstance(header.get(name), str):
            raise file.fault(f"the header in the file lacks {name}")
    if not isinstance(header.get("provenance"), dict):
        raise file.fault("the header in the file lacks provenance")
    return header


def _other_format(actual: Any, expected: str) -> str:
    contents = {
        "iontide-trajectory": "a run",
        "iontide-branch": "a branch of steady states",
        "iontide-sweep": "a sweep",
    }
    if actual in contents:
        return f"the file contains {contents[actual]}, not {contents[expected]}"
    return "this HDF5 file is not a result of iontide"


def read_table(file: Checked, name: str) -> dict[str, Any]:
    """A table stored in the file as JSON."""
    try:
        table = json.loads(file.text(f"provenance/{name}"))
    except (ValueError, RecursionError) as error:
        raise file.fault(f"the {name} in the file cannot be read: {error}") from error
    if not isinstance(table, dict):
        raise file.fault(f"the {name} in the file is not a table")
    return table


def read_model(file: Checked, header: Mapping[str, Any]) -> Model:
    """The resolved model, which must match the run_id of the file."""
    text = file.text("provenance/model")
    if not text.isascii() or run_id_of_text(text) != header["run_id"]:
        raise file.fault("the model in the file does not match its run_id")
    try:
        return model_from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise file.fault(f"the model in the file cannot be read: {error}") from error


def _read_run(file: Checked, header: Mapping[str, Any]) -> Run:
    model = read_model(file, header)
    layout = lay_out(model)
    if tuple(file.texts("state/names")) != layout.names:
        raise file.fault("the states in the file do not match its model; another version of iontide wrote it")
    n = layout.size
    crossings = _read_crossings(file, model)
    segments = tuple(segments_of(model, triggered_steps(model, crossings)))
    initial = _read_initial(file, model, n)
    settled = values_of(model, segments)
    values = complete_values(model, segments, settled[0], settled, initial)
    return Run(
        model=model,
        layout=layout,
        segments=segments,
        values=tuple(values),
        initial=initial,
        status=header["status"],
        message=file.text("diagnostics/message"),
        end_time=file.number("checkpoint", "end_time", float),
        end_state=file.array("checkpoint/state", "<f8", (n,)),
        statistics=Statistics(**{f.name: file.number("diagnostics", f.name, int) for f in fields(Statistics)}),
        origin=Origin(
            file.text("provenance/scenario_name"), file.text("provenance/scenario"), read_table(file, "overrides")
        ),
        crossings=crossings,
    )


def _read_crossings(file: Checked, model: Model) -> tuple[Crossing, ...]:
    count = file.length("diagnostics/event_times")
    times = file.array("diagnostics/event_times", "<f8", (count,))
    numbers = file.array("diagnostics/event_numbers", "<i4", (count,))
    names = [event.name for event in model.events]
    if count and not (0 <= numbers.min() <= numbers.max() < len(names) and np.isfinite(times).all()):
        raise file.fault("the events in the file do not match its model")
    return tuple(Crossing(names[k], float(t)) for k, t in zip(numbers, times, strict=True))


def _read_activity_corrections(file: Checked, model: Model) -> dict[tuple[str, str], float]:
    group = "diagnostics/activity_correction"
    if not file.has(group):
        return {}
    membranes = file.texts(f"{group}/membranes")
    ions = file.texts(f"{group}/ions", len(membranes))
    largest = file.array(f"{group}/largest", "<f8", (len(membranes),))
    keys = list(zip(membranes, ions, strict=True))
    if not all(m in model.membranes and s in model.species for m, s in keys):
        raise file.fault("the activity corrections in the file do not match its model")
    return {key: float(value) * 1e-3 for key, value in zip(keys, largest, strict=True)}


def _read_initial(file: Checked, model: Model, n: int) -> InitialState:
    compartments = file.texts("checkpoint/impermeant_compartments")
    names = file.texts("checkpoint/impermeant_names", len(compartments))
    amounts = file.array("checkpoint/impermeant_amounts", "<f8", (len(names),))
    charged = file.texts("checkpoint/residual_charge_compartments")
    residual = file.array("checkpoint/residual_charge", "<f8", (len(charged),))
    finite = [c for c in model.compartments.values() if c.is_finite]
    if charged != [c.name for c in finite] or set(zip(compartments, names, strict=True)) != {
        (c.name, x.name) for c in finite for x in c.impermeants
    }:
        raise file.fault("the impermeants in the file do not match its model")
    return InitialState(
        y=file.array("state/initial", "<f8", (n,)),
        impermeant_amounts={
            key: float(value) for key, value in zip(zip(compartments, names, strict=True), amounts, strict=True)
        },
        residual_charge={name: float(value) for name, value in zip(charged, residual, strict=True)},
    )
