"""Check that protocol entries do not contradict one another.

Of two entries that set the same quantity the later one in the file has effect while both are active. That is meant
where one interval lies within the other, or where the later entry is permanent. It is not meant where two intervals
overlap in part, nor where an entry has no effect as a later one is active all the time: these are reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....formulas.formula import Formula
from ....formulas.units import format_quantity
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from ..context.names import SECOND
from .clamps import clamp_name
from .steps import intervals_of
from .trains import repeats, times_of


@dataclass(frozen=True)
class Setting:
    """An interval (s; the end is infinite for a permanent change) in which one entry sets a quantity."""

    entry: int
    path: KeyPath
    start: float
    end: float


def check_conflicts(draft: Draft) -> None:
    """Report entries of the protocol that contradict one another. Only for a draft without faults."""
    settings: dict[str, list[Setting]] = {}
    for target, setting in _settings(draft):
        settings.setdefault(target, []).append(setting)
    for target, of_target in settings.items():
        if len({setting.entry for setting in of_target}) > 1:
            _check(draft, target, _in_order(of_target))
        for name in _parameters_of(draft, target) & settings.keys():
            _check_below(draft, target, name, _in_order([*of_target, *settings[name]]), set(of_target))


def _in_order(settings: list[Setting]) -> list[Setting]:
    return sorted(settings, key=lambda c: (c.start, -c.end, c.entry))


def _parameters_of(draft: Draft, target: str) -> set[str]:
    """Parameters that a quantity of the file depends on."""
    quantity = draft.quantities.quantities.get(tuple(target.split(".")))
    parameters: set[str] = set()
    coming = set(quantity.names) if isinstance(quantity, Formula) else set()
    while coming:
        parameters |= coming
        made = (draft.quantities.parameters[name].value for name in coming if name in draft.quantities.parameters)
        coming = set().union(*(q.names for q in made if isinstance(q, Formula))) - parameters
    return parameters


def _settings(draft: Draft) -> Iterator[tuple[str, Setting]]:
    """Every quantity that an entry sets, with each interval."""
    infinite = float("inf")
    for index, entry in enumerate(draft.document.protocol):
        tabled: set[str] = set()
        for interval in intervals_of(draft, index):
            if interval.path[2] == "table":  # one setting from its first time on, for all rows
                for target in interval.settings.keys() - tabled:
                    yield target, Setting(index, interval.path[:3], interval.start, infinite)
                tabled |= interval.settings.keys()
                continue
            end = infinite if interval.end is None else interval.end
            start = interval.start
            if interval.path[2] == "ramp":
                start = draft.quantities.values["protocol", index, "at"]
            for target in interval.settings:
                yield target, Setting(index, interval.path[:3], start, end)
        if entry.clamp is not None:
            path: KeyPath = ("protocol", index, "clamp")
            clamp = f"the clamp of {clamp_name(entry.clamp)}"
            for start, end in _intervals(draft, index):
                yield clamp, Setting(index, path, start, end)


def _intervals(draft: Draft, index: int) -> Iterator[tuple[float, float]]:
    """The intervals in which an entry is active, s."""
    path, entry = ("protocol", index), draft.document.protocol[index]
    if entry.every is not None:
        yield from (times_of(draft, path, number) for number in range(repeats(draft, path)))
        return
    start = draft.value(*path, "at" if entry.at is not None else "from")
    end = draft.value(*path, "to")
    assert start is not None
    yield start, float("inf") if end is None else end


def _overlaps(settings: list[Setting]) -> Iterator[tuple[Setting, Setting]]:
    """Of settings in the order of time, each with every earlier one that is active when it begins."""
    holding: list[Setting] = []
    for setting in settings:
        holding = [other for other in holding if other.end > setting.start]
        yield from ((other, setting) for other in holding)
        holding.append(setting)


def _check(draft: Draft, target: str, settings: list[Setting]) -> None:
    """Report, of two entries that set the same quantity, one without effect, or that they overlap in part."""
    reported: set[tuple[int, int]] = set()
    for other, setting in _overlaps(settings):
        pair = (other.entry, setting.entry)
        if other.entry == setting.entry or pair in reported:
            continue
        reported.add(pair)
        if (other.start, other.end) == (setting.start, setting.end) and other.path[2] == setting.path[2]:
            message = f"protocol.{other.entry} sets {target} {_span(other)} as well; leave one of them out"
            draft.faults.add(setting.path, message)
        elif other.entry > setting.entry and setting.end <= other.end:
            message = (
                f"has no effect: protocol.{other.entry}, which comes later in the file, sets {target} "
                f"{_span(other)}; put this entry after that one"
            )
            draft.faults.add(setting.path, message)
        elif other.end < setting.end < float("inf"):
            message = (
                f"protocol.{other.entry} sets {target} {_span(other)}, this entry {_span(setting)}: "
                "they overlap; let one end where the other begins, or lie within it"
            )
            draft.faults.add(setting.path, message)


def _check_below(draft: Draft, target: str, name: str, settings: list[Setting], direct: set[Setting]) -> None:
    """The intervals of a quantity and of a parameter that it depends on must not overlap in part."""
    reported: set[tuple[int, int]] = set()
    for other, setting in _overlaps(settings):
        pair = (other.entry, setting.entry)
        overlap = other.start < setting.start and other.end < setting.end < float("inf")
        if not overlap or (other in direct) == (setting in direct) or pair in reported:
            continue
        reported.add(pair)
        one, two = (target, name) if other in direct else (name, target)
        message = (
            f"protocol.{other.entry} sets {one} {_span(other)}, this entry sets {two} {_span(setting)}, and {target} "
            f"depends on {name}: they overlap; let one end where the other begins"
        )
        draft.faults.add(setting.path, message)


def _span(setting: Setting) -> str:
    start = format_quantity(setting.start, SECOND)
    if setting.end == float("inf"):
        return f"from {start} on"
    return f"from {start} to {format_quantity(setting.end, SECOND)}"
