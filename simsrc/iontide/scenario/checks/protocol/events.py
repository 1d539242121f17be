"""State events: ``when = "V rises through 0 mV"``, and what happens then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, cast

from ....errors import listed
from ....formulas.formula import FormulaError, parse_formula
from ....formulas.units import Dimension, UnitError
from ....model.model import Event
from ...schema import quantity_kinds
from ...schema.events import EventTable
from ...schema.quantity_kinds import show
from ...text.faults import no_such
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from ..context.names import EVERYWHERE, compartment_names, membrane_names
from .targets import check_targets, parameter_of, read_setting

_VERB = re.compile(r"\s(rises|falls|passes)\s+through\s")


def read_events(draft: Draft) -> None:
    """Read every event: its condition and its action."""
    taken: dict[str, int] = {}
    for index, table in enumerate(draft.document.events):
        path = ("events", index)
        if draft.faults.is_faulty(*path):
            continue
        _read_when(draft, path, table)
        _read_action(draft, path, table)
        name = event_name(index, table)
        if name in taken:
            message = f"events.{taken[name]} is called {name} already; choose another name in record"
            draft.faults.add((*path, "record"), message)
        taken.setdefault(name, index)


def event_name(index: int, table: EventTable) -> str:
    """The name of an event: ``record``, else by its number."""
    return table.record or f"event_{index + 1}"


def _parts(when: str) -> tuple[str, str, str] | None:
    """Value, direction and level of a condition; None where the text does not have this form."""
    parts = _VERB.split(" ".join(when.split()))
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 and parts[0] and parts[2] else None


def _read_when(draft: Draft, path: KeyPath, table: EventTable) -> None:
    place = (*path, "when")
    names = _names(draft, path, table)
    if names is None or draft.faults.is_faulty(*place):
        return
    parts = _parts(table.when)
    if parts is None:
        message = 'must name a value and a level, as "V rises through 0 mV" (rises, falls, or passes for either)'
        draft.faults.add(place, f"{message}, got {show(table.when)}")
        return
    value, _, level = parts
    if not watched_place(draft, table) and (message := _of_a_place(draft, f"{value} - ({level})", names)):
        draft.faults.add(place, message)
        return
    dimension = draft.quantities.read_dimension((*place, "value"), value, names)
    if dimension is None:
        return
    for key, written in (("value", value), ("level", level)):
        draft.quantities.read((*place, key), written, quantity_kinds.WATCHED, dimension=dimension, local=names)


def _of_a_place(draft: Draft, text: str, names: Mapping[str, Dimension]) -> str:
    """The message about a formula with names that only a membrane or a compartment has; else empty."""
    try:
        formula = parse_formula(text)
    except (FormulaError, UnitError):
        return ""
    document = draft.document
    for name in sorted(formula.names - names.keys() - document.parameters.keys()):
        for key, every, known in (
            ("membrane", document.membranes, membrane_names),
            ("compartment", document.compartments, compartment_names),
        ):
            places = [where for where in every if name in known(draft, where)]
            if places:
                return (
                    f'{name} belongs to a {key}; name the {key}, as {key} = "{places[0]}" ({key}s are {listed(every)})'
                )
    return ""


def _names(draft: Draft, path: KeyPath, table: EventTable) -> Mapping[str, Dimension] | None:
    """The names that ``when`` may use; None where a fault leaves them unknown."""
    faults = draft.faults
    if table.membrane is not None and table.compartment is not None:
        faults.add(path, "an event has either a membrane or a compartment, got both", spoils=False)
        return None
    for key, every in (("membrane", draft.document.membranes), ("compartment", draft.document.compartments)):
        name = getattr(table, key)
        if name is not None and name not in every and not faults.is_faulty(f"{key}s", name):
            faults.add((*path, key), no_such(key, name, every))
        if faults.is_faulty(*path, key) or (name is not None and faults.is_faulty(f"{key}s", name)):
            return None
    where = watched_place(draft, table)
    if where in draft.document.membranes:
        return membrane_names(draft, where)
    return compartment_names(draft, where.removeprefix("compartments.")) if where else EVERYWHERE


def watched_place(draft: Draft, table: EventTable) -> str:
    """The membrane or compartment of an event (see ``Event.on``); the only membrane where it names none."""
    if table.compartment in draft.document.membranes:
        return f"compartments.{table.compartment}"
    named = table.membrane or table.compartment
    if named is None and len(draft.document.membranes) == 1:
        return next(iter(draft.document.membranes))
    return named or ""


def _read_action(draft: Draft, path: KeyPath, table: EventTable) -> None:
    faults = draft.faults
    if not (table.record or table.stop or table.set) and not faults.is_faulty_within(*path):
        message = (
            'does nothing; write record = "NAME" to record its times, stop = true, or set = { "parameters.NAME" = … }'
        )
        faults.add(path, message, spoils=False)
    if table.stop and table.set:
        faults.add((*path, "stop"), "an event that stops the run cannot set anything; leave out stop or set")
    check_targets(draft, (*path, "set"), table.set)
    for target, raw in table.set.items():
        read_setting(draft, (*path, "set", target), target, raw)
    draft.quantities.read((*path, "for"), table.for_, quantity_kinds.DURATION, constant=True)
    if table.for_ is not None and not table.set:
        faults.add((*path, "for"), "applies only to set, as the time for which the new values hold; leave it out")


def build_event(draft: Draft, index: int, table: EventTable) -> Event:
    """The event that a table without faults describes."""
    path = ("events", index)
    quantities = draft.quantities.quantities
    parts = _parts(table.when)
    assert parts is not None
    return Event(
        name=event_name(index, table),
        on=watched_place(draft, table),
        value=quantities[(*path, "when", "value")],
        level=quantities[(*path, "when", "level")],
        direction=cast(Literal["rises", "falls", "passes"], parts[1]),
        action="stop" if table.stop else "set" if table.set else "record",
        settings={parameter_of(target): quantities[(*path, "set", target)] for target in table.set},
        duration=draft.value(*path, "for"),
        once=table.once,
    )
