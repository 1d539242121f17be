"""Checks of what happens when: duration, protocol, sample times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..formula import Formula, FormulaError, evaluate_float
from ..model import Quantity, dependency_order
from ..units import format_quantity
from . import kinds, places
from .draft import Draft
from .faults import did_you_mean, listed
from .kinds import Kind, show
from .lines import KeyPath
from .schema import ProtocolTable, TimesTable

DURATION_PATH: KeyPath = ("simulation", "duration")
TIMES_PATH: KeyPath = ("recording", "times")


def read_simulation(draft: Draft) -> None:
    """Read duration and temperature."""
    table = draft.document.simulation
    draft.quantities.read(DURATION_PATH, table.duration, kinds.DURATION, constant=True)
    draft.quantities.read(("simulation", "temperature"), table.temperature, kinds.TEMPERATURE)
    molar_volume = ("simulation", "water_molar_volume")
    draft.quantities.read(molar_volume, table.water_molar_volume, kinds.WATER_MOLAR_VOLUME)


def read_protocol(draft: Draft) -> None:
    """Read the times and the new values of every entry of the protocol."""
    for index, entry in enumerate(draft.document.protocol):
        path = ("protocol", index)
        if draft.faults.is_faulty(*path):
            continue
        _read_times(draft, path, entry)
        if not entry.set and not draft.faults.is_faulty_within(*path, "set"):
            draft.faults.add((*path, "set"), 'sets nothing; write as set = { "parameters.NAME" = … }')
        for target, raw in entry.set.items():
            _read_setting(draft, (*path, "set", target), target, raw)


def _read_times(draft: Draft, path: KeyPath, entry: ProtocolTable) -> None:
    given = {"at": entry.at, "from": entry.from_, "to": entry.to}
    for key, raw in given.items():
        value = draft.quantities.read((*path, key), raw, kinds.TIME, constant=True)
        _check_before_end(draft, (*path, key), raw, value)
    named = {key for key, raw in given.items() if raw is not None or draft.faults.is_faulty(*path, key)}
    if named not in ({"at"}, {"from", "to"}):
        written = " and ".join(key for key in given if key in named) or "none of them"
        told = f"an entry says at (a change for good), or from and to (for a while); this one says {written}"
        draft.faults.add(path, told, spoils=False)
    start, end = draft.value(*path, "from"), draft.value(*path, "to")
    if start is not None and end is not None and end <= start:
        draft.faults.add((*path, "to"), f"must be after from = {show(entry.from_)}, got {entry.to}")


def _check_before_end(draft: Draft, path: KeyPath, raw: str | None, value: float | None) -> None:
    duration = draft.value(*DURATION_PATH)
    if value is not None and duration is not None and value >= duration:
        end = draft.document.simulation.duration
        hint = "; for a change that stays write at = …" if path[-1] == "to" else ""
        draft.faults.add(path, f"must be before the end, {end}, got {raw}{hint}")


def _read_setting(draft: Draft, path: KeyPath, target: str, raw: str | float) -> None:
    if draft.faults.is_faulty(*path):
        return
    written = draft.document.parameters
    table, _, name = target.partition(".")
    if table == "parameters" and name in written:
        if not draft.faults.is_faulty("parameters", name):
            parameter = draft.quantities.parameters[name]
            kind = replace(kinds.PARAMETER, noun=f"the parameter {name}")
            draft.quantities.read(path, raw, kind, dimension=parameter.dimension)
    elif draft.faults.is_faulty("parameters", name) and table == "parameters":
        return
    elif table == "parameters" or not name:
        hint = did_you_mean(name or target, written)
        every = listed(written)
        draft.faults.add(path, f"no such parameter as {name or target}{hint} (parameters are {every})")
    elif places.at(target.split(".")) is None:
        draft.faults.add(path, 'no such place; what changes is a parameter, as "parameters.NAME"')
    else:
        draft.faults.add(
            path,
            "only a parameter can change: name this value in [parameters], write that name in its place, "
            'and set "parameters.NAME"',
        )


def start_key(entry: ProtocolTable) -> str:
    """Key that tells when an entry begins."""
    return "at" if entry.at is not None else "from"


def check_steps(draft: Draft) -> None:
    """Whatever the protocol sets, every quantity must keep to its range. Only for a draft without faults."""
    entries = draft.document.protocol
    settings = [
        {target.partition(".")[2]: draft.quantities.quantities["protocol", i, "set", target] for target in entry.set}
        for i, entry in enumerate(entries)
    ]
    starts = [draft.value("protocol", i, start_key(entry)) or 0.0 for i, entry in enumerate(entries)]
    ends = [draft.value("protocol", i, "to") for i in range(len(entries))]
    for moment in sorted({*starts, *(end for end in ends if end is not None)}):
        active: dict[str, Quantity] = {}
        latest = -1
        for i, setting in enumerate(settings):
            end = ends[i]
            if starts[i] <= moment and (end is None or moment < end):
                active |= setting
                latest = i
        if latest >= 0:
            _check_step(draft, ("protocol", latest, "set"), active)


def _check_step(draft: Draft, path: KeyPath, active: Mapping[str, Quantity]) -> None:
    """Values of all formulas while these settings hold."""
    quantities = draft.quantities
    chosen = {name: p.value for name, p in quantities.parameters.items()} | dict(active)
    values: dict[str, float] = {}
    place: KeyPath = ()
    try:
        for name in dependency_order(chosen):
            q = chosen[name]
            place = ("parameters", name)
            values[name] = evaluate_float(q, values) if isinstance(q, Formula) else q
        for place, quantity in quantities.quantities.items():
            if isinstance(quantity, Formula) and place[0] != "protocol":
                value = evaluate_float(quantity, values)
                rule = quantities.kinds[place].range_fault(value)
                if rule is not None:
                    came_to = _shown(value, quantities.kinds[place])
                    draft.faults.add(path, f"makes {'.'.join(map(str, place))} {came_to}: it {rule}")
                    return
    except FormulaError as error:
        draft.faults.add(path, f"with it {'.'.join(map(str, place))} has no value: {error}")
    except ValueError as error:
        draft.faults.add(path, f"with it {error}")


def _shown(value: float, kind: Kind) -> str:
    return format_quantity(value, kind.dimension) if kind.dimension else f"{value:.6g}"


def read_recording(draft: Draft) -> None:
    """Read the sample times."""
    times = draft.document.recording.times
    if isinstance(times, TimesTable):
        _read_spaced(draft, times)
    elif isinstance(times, list):
        _read_list(draft, times)


def _read_spaced(draft: Draft, times: TimesTable) -> None:
    path = (*TIMES_PATH, "first")
    if draft.faults.is_faulty(*TIMES_PATH, "spacing"):
        return
    if times.spacing == "linear":
        if times.first is not None:
            draft.faults.add(path, 'goes with spacing = "log" only; even spacing starts at 0')
        return
    first = draft.quantities.read(path, times.first, kinds.DURATION, constant=True)
    if times.first is None and not draft.faults.is_faulty(*path):
        draft.faults.add(path, 'missing; spacing = "log" needs the first time after 0 (as "1 ms")')
    _check_before_end(draft, path, times.first, first)


def _read_list(draft: Draft, times: list[str]) -> None:
    duration = draft.value(*DURATION_PATH)
    before: float | None = None
    if not times:
        draft.faults.add(TIMES_PATH, "is empty; name at least one time")
    for index, raw in enumerate(times):
        path = (*TIMES_PATH, index)
        value = draft.quantities.read(path, raw, kinds.TIME, constant=True)
        if value is None:
            continue
        if before is not None and value <= before:
            draft.faults.add(path, f"sample times must increase; {raw} comes after {times[index - 1]}")
        elif duration is not None and value > duration:
            end = draft.document.simulation.duration
            draft.faults.add(path, f"must not be after the end, {end}, got {raw}")
        before = value
