"""Entries of a protocol with a table of values by time: in steps, or linear from one to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

from ....errors import did_you_mean
from ....model.model import ParameterStep, Quantity
from ...schema import quantity_kinds, schema_lookup
from ...schema.protocol import ProtocolTable, ValuesTable
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from .recording import DURATION_PATH
from .targets import check_targets, is_sound, parameter_of, read_value, values_in
from .trains import exactly


def read_table(draft: Draft, path: KeyPath, entry: ProtocolTable, table: ValuesTable) -> None:
    """Read the times of a table, which must increase, and for each of them a value of every target."""
    faults, place = draft.faults, (*path, "table")
    for key, given in (("from", entry.from_), ("to", entry.to)):
        if given is not None:
            message = "a table has at instead of from and to, as its last value holds: write at = …"
            faults.add((*path, key), message)
            return
    _read_times(draft, path, table)
    check_targets(draft, place, values_in(table))
    for target, values in values_in(table).items():
        here = (*place, target)
        if faults.is_faulty(*here) or not _is_target(draft, here, target):
            continue
        if not faults.is_faulty(*place, "times") and len(values) != len(table.times):
            message = f"needs a value for each of the {len(table.times)} times, got {len(values)}"
            faults.add(here, message)
            continue
        for number, raw in enumerate(values):
            if not faults.is_faulty(*here, number):
                read_value(draft, (*here, number), target, raw)
    if not values_in(table) and not faults.is_faulty_within(*place):
        message = 'names nothing to change; write as table = { times = ["0 s", "10 s"], "parameters.NAME" = [ …, … ] }'
        faults.add(place, message)


def _is_target(draft: Draft, path: KeyPath, target: str) -> bool:
    if "." not in target:
        near = did_you_mean(target, schema_lookup.fields(ValuesTable))
        if near:
            draft.faults.add(path, f"no such key, nor a target{near}")
            return False
    return is_sound(draft, path, target)


def _read_times(draft: Draft, path: KeyPath, table: ValuesTable) -> None:
    place = (*path, "table", "times")
    faults = draft.faults
    if faults.is_faulty(*place):
        return
    least = 1 if table.between == "steps" else 2
    if len(table.times) < least:
        needs = "at least one time" if least == 1 else "at least two times for linear change"
        faults.add(place, f"a table needs {needs}, got {len(table.times)}")
        return
    at, duration = draft.value(*path, "at"), draft.value(*DURATION_PATH)
    before: float | None = None
    for number, raw in enumerate(table.times):
        value = draft.quantities.read((*place, number), raw, quantity_kinds.TIME, constant=True)
        if value is None:
            continue
        if before is not None and value <= before:
            faults.add(
                (*place, number), f"the times of a table must increase; {raw} comes after {table.times[number - 1]}"
            )
            return
        if at is not None and duration is not None and exactly(at) + exactly(value) > exactly(duration):
            comes = float(exactly(at) + exactly(value))
            message = f"must not be after the end, {draft.document.simulation.duration}"
            faults.add((*place, number), f"{message}, but at plus this time is {comes:.9g} s")
            return
        before = value


def table_steps(draft: Draft, path: KeyPath, table: ValuesTable) -> Iterator[ParameterStep]:
    """The steps of a table without a fault."""
    times = _times(draft, path, table)
    ends = [*times[1:], None]
    if table.between == "steps":
        for number, (start, end) in enumerate(zip(times, ends, strict=True)):
            yield ParameterStep(start, end, _row(draft, path, table, number))
        return
    yield ParameterStep(times[0], times[1], _row(draft, path, table, 0))
    for number, (start, end) in enumerate(pairwise(times)):
        yield ParameterStep(start, None, _row(draft, path, table, number + 1), _between(start, end))


def table_rows(
    draft: Draft, path: KeyPath, table: ValuesTable
) -> Iterator[tuple[KeyPath, float, float | None, dict[str, Quantity]]]:
    """Every row of a table: its place, its interval (s), and its values."""
    times, targets = _times(draft, path, table), list(values_in(table))
    key = targets[0] if len(targets) == 1 else "times"
    for number, (start, end) in enumerate(zip(times, [*times[1:], None], strict=True)):
        yield (*path, "table", key, number), start, end, _row(draft, path, table, number)


def _times(draft: Draft, path: KeyPath, table: ValuesTable) -> list[float]:
    """Times of the rows, s since the start of the run."""
    values = draft.quantities.values
    at = exactly(values[(*path, "at")])
    return [float(at + exactly(values[(*path, "table", "times", k)])) for k in range(len(table.times))]


def _row(draft: Draft, path: KeyPath, table: ValuesTable, number: int) -> dict[str, Quantity]:
    every: Mapping[KeyPath, Quantity] = draft.quantities.quantities
    return {parameter_of(target): every[(*path, "table", target, number)] for target in values_in(table)}


def _between(start: float, end: float) -> float:
    """The time from ``start`` to ``end`` that adds up exactly, if there is one, so that lines join without a gap."""
    over = end - start
    near = (over, math.nextafter(over, 0.0), math.nextafter(over, math.inf))
    return next((time for time in near if start + time == end), near[1])
