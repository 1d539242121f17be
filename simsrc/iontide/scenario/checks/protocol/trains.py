"""Entries of a protocol that repeat: how often, and when.

Times are reckoned in decimals, as they are written: the third repeat of 50 ms is at 150 ms to the last bit, and so
falls together with what another entry does at 150 ms.
"""

from __future__ import annotations

from decimal import Decimal

from ...schema import quantity_kinds
from ...schema.protocol import ProtocolTable
from ...schema.quantity_kinds import show
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from .recording import DURATION_PATH

#: Most steps that the entries of a protocol may come to, all counted.
MOST_STEPS = 100_000

#: Between two pulses that touch, or nearly, there would be no pause.
_TOUCHING = Decimal("1e-9")


def exactly(seconds: float) -> Decimal:
    """The shortest decimal that a time is the double of."""
    return Decimal(repr(seconds))


def read_train(draft: Draft, path: KeyPath, entry: ProtocolTable) -> None:
    """Read how an entry repeats: it must have a from and a to, a pause after each, and end before the run does."""
    faults, place = draft.faults, (*path, "every")
    every = draft.quantities.read(place, entry.every, quantity_kinds.INTERVAL, constant=True)
    if entry.every is None:
        if entry.count is not None and not faults.is_faulty(*place):
            faults.add(place, 'missing; count says how often, every says how soon again (as "50 ms")')
        return
    if entry.at is not None or faults.is_faulty(*path, "at"):
        faults.add(place, "what repeats lasts for a while each time: write from = … and to = … in the place of at")
        return
    start, end = draft.value(*path, "from"), draft.value(*path, "to")
    if every is None or start is None or end is None or end <= start:
        return
    lasts = exactly(end) - exactly(start)
    if exactly(every) <= lasts * (1 + _TOUCHING):
        told = f"must be longer than what it repeats, which lasts {float(lasts):.9g} s, got {entry.every}"
        faults.add(place, told)
        return
    fits = _fitting(draft, path, every)
    if fits is None or faults.is_faulty(*path, "count"):
        return
    if entry.count is not None and entry.count > fits:
        first, last = times_of(draft, path, fits)
        ends = f"number {fits + 1} of {entry.count} would last from {first:.9g} s to {last:.9g} s, after the end, "
        ends += f"{draft.document.simulation.duration}"
        faults.add((*path, "count"), f"{ends}; write count = {fits}, or leave it out to repeat until the end")


def repeats(draft: Draft, path: KeyPath) -> int:
    """How often an entry without a fault happens: once, ``count`` times, or until the end of the run."""
    entry, every = draft.document.protocol[int(path[1])], draft.value(*path, "every")
    if every is None:
        return 1
    return entry.count or _fitting(draft, path, every) or 1


def times_of(draft: Draft, path: KeyPath, number: int) -> tuple[float, float]:
    """Begin and end, s, of one repeat of an entry, counted from 0."""
    start, end, every = (exactly(draft.quantities.values[(*path, key)]) for key in ("from", "to", "every"))
    return float(start + number * every), float(end + number * every)


def _fitting(draft: Draft, path: KeyPath, every: float) -> int | None:
    """How many repeats end before the run does, or with it; None where it is not known when that is."""
    duration, end = draft.value(*DURATION_PATH), draft.value(*path, "to")
    if duration is None or end is None:
        return None
    return int((exactly(duration) - exactly(end)) / exactly(every)) + 1


def check_number(draft: Draft) -> None:
    """The steps of a protocol must not be too many, all entries together."""
    total = 0
    for index, entry in enumerate(draft.document.protocol):
        path = ("protocol", index)
        if draft.faults.is_faulty_within(*path):
            continue
        total += repeats(draft, path) + (len(entry.table.times) if entry.table is not None else 0)
        if total > MOST_STEPS:
            key = "count" if entry.count is not None else "every" if entry.every is not None else "at"
            told = f"with it the protocol comes to {total} steps, more than {MOST_STEPS}"
            draft.faults.add(
                (*path, key), told + (f"; {show(entry.every)} is short for this run" if entry.every else "")
            )
            return
