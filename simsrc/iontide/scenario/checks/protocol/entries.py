"""Checks of the entries of a protocol: their times, and what they change."""

from __future__ import annotations

from ...schema import quantity_kinds
from ...schema.protocol import InjectionTable, ProtocolTable
from ...schema.quantity_kinds import show
from ...text.key_lines import KeyPath
from ..contents.solutions import absent, holds
from ..context.draft import Draft
from ..context.potentials import is_ground
from ..context.references import names_compartment
from .clamps import check_clamps, read_clamp
from .recording import check_before_end
from .tables import read_table
from .targets import check_targets, read_setting
from .trains import check_number, read_train


def read_protocol(draft: Draft) -> None:
    """Read the times and the new values of every entry of the protocol."""
    for index, entry in enumerate(draft.document.protocol):
        path = ("protocol", index)
        if draft.faults.is_faulty(*path):
            continue
        _read_times(draft, path, entry)
        read_train(draft, path, entry)
        parts = {"set": bool(entry.set), "ramp": bool(entry.ramp)}
        parts |= {key: getattr(entry, key) is not None for key in ("table", "inject", "clamp")}
        if not any(parts.values()) and not any(draft.faults.is_faulty_within(*path, key) for key in parts):
            message = 'sets nothing; write as set = { "parameters.NAME" = … }, or give a ramp, table, inject or clamp'
            draft.faults.add((*path, "set"), message)
        check_targets(draft, (*path, "set"), entry.set)
        for target, raw in entry.set.items():
            read_setting(draft, (*path, "set", target), target, raw)
        if entry.ramp:
            _read_ramp(draft, path, entry)
        if entry.table is not None:
            read_table(draft, path, entry, entry.table)
        if entry.inject is not None:
            read_injection(draft, path, entry.inject)
        if entry.clamp is not None:
            read_clamp(draft, path, entry.clamp)
    check_clamps(draft)
    check_number(draft)


def _read_ramp(draft: Draft, path: KeyPath, entry: ProtocolTable) -> None:
    place = (*path, "ramp")
    check_targets(draft, place, [target for target in entry.ramp if target != "over"])
    for target, raw in entry.ramp.items():
        if target != "over":
            read_setting(draft, (*place, target), target, raw)
    over = entry.ramp.get("over")
    if over is None and not draft.faults.is_faulty(*place, "over"):
        draft.faults.add((*place, "over"), 'missing; a ramp needs the time that it takes (as "30 s")')
    message = quantity_kinds.RAMP_TIME.written_fault(over) if over is not None else None
    if message is not None:
        draft.faults.add((*place, "over"), message)
    else:
        draft.quantities.read((*place, "over"), over, quantity_kinds.RAMP_TIME, constant=True)
    if not entry.ramp.keys() - {"over"} and not draft.faults.is_faulty_within(*place):
        draft.faults.add(place, 'names nothing to change; write as ramp = { "parameters.NAME" = …, over = "30 s" }')
    for key, given in (("from", entry.from_), ("to", entry.to)):
        if given is not None:
            problem = "a ramp has at instead of from and to: write at = …, and another ramp to return"
            draft.faults.add((*path, key), problem)
            return


def _read_times(draft: Draft, path: KeyPath, entry: ProtocolTable) -> None:
    given = {"at": entry.at, "from": entry.from_, "to": entry.to}
    for key, raw in given.items():
        value = draft.quantities.read((*path, key), raw, quantity_kinds.TIME, constant=True)
        check_before_end(draft, (*path, key), raw, value)
    named = {key for key, raw in given.items() if raw is not None or draft.faults.is_faulty(*path, key)}
    if named not in ({"at"}, {"from", "to"}):
        written = " and ".join(key for key in given if key in named) or "none of them"
        message = f"an entry needs at (for a permanent change), or from and to (for a temporary one), got {written}"
        draft.faults.add(path, message, spoils=False)
    start, end = draft.value(*path, "from"), draft.value(*path, "to")
    if start is not None and end is not None and end <= start:
        draft.faults.add((*path, "to"), f"must be after from = {show(entry.from_)}, got {entry.to}")


def read_injection(draft: Draft, path: KeyPath, table: InjectionTable) -> None:
    """Read an injected current: into a compartment, or from one into another."""
    faults, place = draft.faults, (*path, "inject")
    draft.quantities.read((*place, "current"), table.current, quantity_kinds.CURRENT)
    ends = {"into": table.into} if table.out_of is None else {"into": table.into, "out_of": table.out_of}
    if not all(_is_end(draft, (*place, key), name) for key, name in ends.items()):
        return
    if table.into == table.out_of:
        faults.add((*place, "out_of"), f"must be another compartment than into, got {table.out_of} for both")
    elif table.out_of is None:
        _check_way_out(draft, (*place, "into"), table.into)
    for name in ends.values():
        _check_carrier(draft, (*place, "carried_by"), name, table.carried_by)


def _is_end(draft: Draft, place: KeyPath, name: str) -> bool:
    """Whether a current can begin or end in a compartment."""
    if not names_compartment(draft, place, name):
        return False
    joined = {side for m in draft.membranes().values() for side in (m.inside, m.outside)}
    joined |= {side for pair in draft.couplings() for side in pair}
    if _membranes_known(draft) and name not in joined:
        draft.faults.add(place, f"{name} has no membrane that a current could charge")
        return False
    return True


def _membranes_known(draft: Draft) -> bool:
    return not draft.faults.faulty_below("membranes") and set(draft.membranes()) == set(draft.document.membranes)


def _check_way_out(draft: Draft, place: KeyPath, name: str) -> None:
    """A current from outside of the model needs a ground by which it can return."""
    if draft.document.compartments[name].bath is True:
        draft.faults.add(place, f"{name} is a grounded bath, so a current into it has no effect")
    elif _membranes_known(draft) and is_ground(draft, name):
        message = f"{name} is the ground of a model without a grounded bath, so a current into it has no effect"
        hint = "give out_of, the compartment that it comes from"
        draft.faults.add(place, f"{message}; {hint} (the last compartment of the file is the ground)")


def _check_carrier(draft: Draft, place: KeyPath, name: str, ion: str | None) -> None:
    faults = draft.faults
    if ion is None or faults.is_faulty(*place) or faults.is_faulty("species", ion):
        return
    if not holds(draft, name, ion):
        faults.add(place, absent(draft, name, ion))
    elif ion in draft.species and draft.species[ion].valence == 0:
        faults.add(place, f"{ion} has no charge, so it carries no current")
