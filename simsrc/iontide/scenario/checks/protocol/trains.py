"""Repeated entries of a protocol: their number and their times.

Times are computed in decimals, as they are written: the third repeat of 50 ms is at 150 ms to the last bit, and so
coincides with another entry at 150 ms.
"""

from __future__ import annotations

from decimal import Decimal

from ...schema import quantity_kinds
from ...schema.protocol import ProtocolTable
from ...schema.quantity_kinds import show
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from .recording import DURATION_PATH

#: Most steps of all entries of a protocol together.
MOST_STEPS = 100_000

#: Smallest pause between two pulses, relative to a pulse.
_TOUCHING = Decimal("1e-9")


def exactly(seconds: float) -> Decimal:
    """The shortest decimal that rounds to a time."""
    return Decimal(repr(seconds))


def read_train(draft: Draft, path: KeyPath, entry: ProtocolTable) -> None:
    """Read the repetition of an entry: it needs from and to, a pause after each repeat, and an end within the run."""
    faults, place = draft.faults, (*path, "every")
    every = draft.quantities.read(place, entry.every, quantity_kinds.INTERVAL, constant=True)
    if entry.every is None:
        if entry.count is not None and not faults.is_faulty(*place):
            faults.add(place, 'missing; count needs every, the interval between repeats (as "50 ms")')
        return
    if entry.at is not None or faults.is_faulty(*path, "at"):
        faults.add(place, "a repeated entry needs from and to instead of at")
        return
    start, end = draft.value(*path, "from"), draft.value(*path, "to")
    if every is None or start is None or end is None or end <= start:
        return
    lasts = exactly(end) - exactly(start)
    if exactly(every) <= lasts * (1 + _TOUCHING):
        message = f"must be longer than the repeated entry, which lasts {float(lasts):.9g} s, got {entry.every}"
        faults.add(place, message)
        return
    fits = _fitting(draft, path, every)
    if fits is None or faults.is_faulty(*path, "count"):
        return
    if entry.count is not None and entry.count > fits:
        first, last = times_of(draft, path, fits)
        ends = f"repeat {fits + 1} of {entry.count} would last from {first:.9g} s to {last:.9g} s, after the end, "
        ends += f"{draft.document.simulation.duration}"
        faults.add((*path, "count"), f"{ends}; write count = {fits}, or leave it out to repeat until the end")


def repeats(draft: Draft, path: KeyPath) -> int:
    """Number of repeats of an entry without a fault: 1, ``count``, or as many as fit into the run."""
    entry, every = draft.document.protocol[int(path[1])], draft.value(*path, "every")
    if every is None:
        return 1
    return entry.count or _fitting(draft, path, every) or 1


def times_of(draft: Draft, path: KeyPath, number: int) -> tuple[float, float]:
    """Begin and end, s, of one repeat of an entry, counted from 0."""
    start, end, every = (exactly(draft.quantities.values[(*path, key)]) for key in ("from", "to", "every"))
    return float(start + number * every), float(end + number * every)


def _fitting(draft: Draft, path: KeyPath, every: float) -> int | None:
    """Number of repeats that end within the run; None where its duration is not known."""
    duration, end = draft.value(*DURATION_PATH), draft.value(*path, "to")
    if duration is None or end is None:
        return None
    return int((exactly(duration) - exactly(end)) / exactly(every)) + 1


def check_number(draft: Draft) -> None:
    """Limit the number of steps of all entries together."""
    total = 0
    for index, entry in enumerate(draft.document.protocol):
        path = ("protocol", index)
        if draft.faults.is_faulty_within(*path):
            continue
        total += repeats(draft, path) + (len(entry.table.times) if entry.table is not None else 0)
        if total > MOST_STEPS:
            key = "count" if entry.count is not None else "every" if entry.every is not None else "at"
            message = f"makes {total} protocol steps, more than {MOST_STEPS}"
            draft.faults.add(
                (*path, key), message + (f"; {show(entry.every)} is too short for this run" if entry.every else "")
            )
            return
