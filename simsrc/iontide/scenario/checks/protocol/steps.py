"""The steps that the entries of a protocol make, in seconds and SI: for the model, and to be checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....model.model import ParameterStep, Quantity
from ...schema.protocol import ProtocolTable
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from .clamps import switches
from .tables import table_rows, table_steps
from .targets import parameter_of
from .trains import repeats, times_of


@dataclass(frozen=True)
class Interval:
    """Values that an entry of the protocol sets in an interval of time (s; end None: permanently).

    Attributes
    ----------
    path : tuple
        Where they are in the file; two intervals with the same path have the same values.
    """

    path: KeyPath
    start: float
    end: float | None
    settings: dict[str, Quantity]


def steps_of(draft: Draft, index: int) -> Iterator[ParameterStep]:
    """The steps that one entry of the protocol makes."""
    entry, path = draft.document.protocol[index], ("protocol", index)
    for interval in _held(draft, index):
        yield ParameterStep(interval.start, interval.end, interval.settings)
    if entry.ramp:
        start, over = (
            draft.quantities.values[(*path, start_key(entry))],
            draft.quantities.values[(*path, "ramp", "over")],
        )
        yield ParameterStep(start, None, _reached(draft, index), over)
    if entry.table is not None:
        yield from table_steps(draft, path, entry.table)


def intervals_of(draft: Draft, index: int) -> Iterator[Interval]:
    """Every value that one entry sets or reaches, with its interval; injected currents are left out."""
    entry, path = draft.document.protocol[index], ("protocol", index)
    if entry.set:
        yield from _held(draft, index)
    if entry.ramp:
        reached = draft.quantities.values[(*path, start_key(entry))] + draft.quantities.values[(*path, "ramp", "over")]
        yield Interval((*path, "ramp"), reached, None, _reached(draft, index))
    if entry.table is not None:
        yield from (Interval(*row) for row in table_rows(draft, path, entry.table))


def _held(draft: Draft, index: int) -> Iterator[Interval]:
    """The values that an entry sets, its injected current and its clamp included."""
    entry, path = draft.document.protocol[index], ("protocol", index)
    every = draft.quantities.quantities
    settings = {parameter_of(target): every[(*path, "set", target)] for target in entry.set}
    if entry.inject is not None:
        settings[injection_parameter(draft, index)] = every[(*path, "inject", "current")]
    if entry.clamp is not None:
        settings |= switches(draft, index)
    if settings:
        if entry.every is None:
            start, end = draft.quantities.values[(*path, start_key(entry))], draft.value(*path, "to")
            yield Interval((*path, "set"), start, end, settings)
            return
        for number in range(repeats(draft, path)):
            yield Interval((*path, "set"), *times_of(draft, path, number), settings)


def _reached(draft: Draft, index: int) -> dict[str, Quantity]:
    """The values at the end of a ramp."""
    return {
        parameter_of(target): draft.quantities.quantities["protocol", index, "ramp", target]
        for target in draft.document.protocol[index].ramp
        if target != "over"
    }


def injection_parameter(draft: Draft, index: int) -> str:
    """The parameter that holds the current which an entry of the protocol injects."""
    number = 1 + sum(entry.inject is not None for entry in draft.document.protocol[:index])
    return f"injections.injection_{number}.current"


def start_key(entry: ProtocolTable) -> str:
    """Key of the time at which an entry begins."""
    return "at" if entry.at is not None else "from"
