"""Does one entry of a protocol at a time say what a value is? Two owners of one value would contradict each other.

Of two entries that change the same thing the one that stands later in the file counts while both hold. That is meant
where one is a while within the other, or takes over for good. It is not where two whiles overlap in part, nor where an
entry never counts because one that stands after it holds all the time: these are told.
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
from .steps import stretches_of
from .trains import repeats, times_of


@dataclass(frozen=True)
class Claim:
    """That one entry says what a value is, from when to when (s; infinite: for good)."""

    entry: int
    path: KeyPath
    start: float
    end: float


def check_owners(draft: Draft) -> None:
    """Tell entries of the protocol that claim one thing against each other. Only for a draft without faults."""
    claims: dict[str, list[Claim]] = {}
    for target, claim in _claims(draft):
        claims.setdefault(target, []).append(claim)
    for target, own in claims.items():
        if len({claim.entry for claim in own}) > 1:
            _check(draft, target, _in_order(own))
        for name in _made_of(draft, target) & claims.keys():
            _check_below(draft, target, name, _in_order([*own, *claims[name]]), set(own))


def _in_order(claims: list[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda c: (c.start, -c.end, c.entry))


def _made_of(draft: Draft, target: str) -> set[str]:
    """Parameters that the file makes a value of which is no parameter itself."""
    quantity = draft.quantities.quantities.get(tuple(target.split(".")))
    found: set[str] = set()
    coming = set(quantity.names) if isinstance(quantity, Formula) else set()
    while coming:
        found |= coming
        made = (draft.quantities.parameters[name].value for name in coming if name in draft.quantities.parameters)
        coming = set().union(*(q.names for q in made if isinstance(q, Formula))) - found
    return found


def _claims(draft: Draft) -> Iterator[tuple[str, Claim]]:
    """What each entry changes, with every while for which it does."""
    infinite = float("inf")
    for index, entry in enumerate(draft.document.protocol):
        tabled: set[str] = set()
        for stretch in stretches_of(draft, index):
            if stretch.path[2] == "table":  # one claim from its first time on, whatever its rows are
                for target in stretch.settings.keys() - tabled:
                    yield target, Claim(index, stretch.path[:3], stretch.start, infinite)
                tabled |= stretch.settings.keys()
                continue
            end = infinite if stretch.end is None else stretch.end
            start = stretch.start
            if stretch.path[2] == "ramp":
                start = draft.quantities.values["protocol", index, "at"]
            for target in stretch.settings:
                yield target, Claim(index, stretch.path[:3], start, end)
        if entry.clamp is not None:
            path: KeyPath = ("protocol", index, "clamp")
            what = f"the clamp of {clamp_name(entry.clamp)}"
            for start, end in _whiles(draft, index):
                yield what, Claim(index, path, start, end)


def _whiles(draft: Draft, index: int) -> Iterator[tuple[float, float]]:
    """From when to when an entry holds, s."""
    path, entry = ("protocol", index), draft.document.protocol[index]
    if entry.every is not None:
        yield from (times_of(draft, path, number) for number in range(repeats(draft, path)))
        return
    start = draft.value(*path, "at" if entry.at is not None else "from")
    end = draft.value(*path, "to")
    assert start is not None
    yield start, float("inf") if end is None else end


def _meetings(claims: list[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Of claims in the order of time, each with every earlier one that still holds when it begins."""
    holding: list[Claim] = []
    for claim in claims:
        holding = [other for other in holding if other.end > claim.start]
        yield from ((other, claim) for other in holding)
        holding.append(claim)


def _check(draft: Draft, target: str, claims: list[Claim]) -> None:
    """Of two entries that say what one thing is, tell where one never counts, or where both hold in part."""
    told: set[tuple[int, int]] = set()
    for other, claim in _meetings(claims):
        pair = (other.entry, claim.entry)
        if other.entry == claim.entry or pair in told:
            continue
        told.add(pair)
        if (other.start, other.end) == (claim.start, claim.end) and other.path[2] == claim.path[2]:
            message = (
                f"protocol.{other.entry} says what {target} is {_span(other)} as well: "
                "two at once; leave one of them out"
            )
            draft.faults.add(claim.path, message)
        elif other.entry > claim.entry and claim.end <= other.end:
            message = (
                f"never counts: protocol.{other.entry}, which stands after it, says what {target} is "
                f"{_span(other)}; put this entry after that one"
            )
            draft.faults.add(claim.path, message)
        elif other.end < claim.end < float("inf"):
            message = (
                f"protocol.{other.entry} says what {target} is {_span(other)}, this entry {_span(claim)}: "
                "two at once; let one end where the other begins, or hold within it"
            )
            draft.faults.add(claim.path, message)


def _check_below(draft: Draft, target: str, name: str, claims: list[Claim], direct: set[Claim]) -> None:
    """Of a value and a parameter that it is made of: two whiles must not overlap in part."""
    told: set[tuple[int, int]] = set()
    for other, claim in _meetings(claims):
        pair = (other.entry, claim.entry)
        overlap = other.start < claim.start and other.end < claim.end < float("inf")
        if not overlap or (other in direct) == (claim in direct) or pair in told:
            continue
        told.add(pair)
        one, two = (target, name) if other in direct else (name, target)
        message = (
            f"protocol.{other.entry} says what {one} is {_span(other)}, this entry says what {two} is "
            f"{_span(claim)}, and {target} is made of {name}: two at once; let one end where the other begins"
        )
        draft.faults.add(claim.path, message)


def _span(claim: Claim) -> str:
    start = format_quantity(claim.start, SECOND)
    if claim.end == float("inf"):
        return f"from {start} on"
    return f"from {start} to {format_quantity(claim.end, SECOND)}"
