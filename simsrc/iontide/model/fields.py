"""The fields of the model's records: what is a quantity, at which path, and what enters the equations' tape.

Enumerations of a model's parts are driven from here: a record or a field added to the model is listed, changed by
sweeps and told apart in the key of compiled tapes without a change elsewhere. Where a field's place in a path is not
its own name, or it is no part of a path or of the tape, its declaration says so (``placed``, ``off_tape``).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..formulas.formula import Formula

#: A number of a model: SI, or a formula.
Quantity = float | Formula


def placed(path: str, **more: Any) -> Any:
    """Declare a field whose place in the paths of quantities is ``path``; ``more`` goes to ``dataclasses.field``."""
    return field(metadata={"path": path}, **more)


def off_tape(**more: Any) -> Any:
    """Declare a field that is no part of the equations or of the initial state; ``more`` goes to ``field``."""
    return field(metadata={"path": None, "on_tape": False}, **more)


@cache
def fields_of(kind: type) -> tuple[tuple[Field, Any], ...]:
    """Fields of a record and their types, annotations resolved."""
    hints = get_type_hints(kind)
    return tuple((f, hints[f.name]) for f in fields(kind) if f.init)


#: What a field holds: a quantity, several by name, records in which there are some, or nothing of the kind.
_Holds = Literal["quantity", "quantities", "records", "named records", "mapping", "other"]


@cache
def _held_by(kind: type) -> tuple[tuple[str, str, _Holds], ...]:
    """Fields of a record that hold quantities, their places in a path, and what each holds."""
    return tuple(
        (f.name, path, holds)
        for f, hint in fields_of(kind)
        if (path := f.metadata.get("path", f.name)) is not None and (holds := _holds(hint)) not in ("mapping", "other")
    )


@cache
def _on_tape(kind: type) -> tuple[tuple[str, _Holds], ...]:
    """Fields of a record that enter the tape, and what each holds."""
    return tuple((f.name, _holds(hint)) for f, hint in fields_of(kind) if f.metadata.get("on_tape", True))


def _holds(hint: Any) -> _Holds:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if Formula in arguments:
            return "quantity"
        return next((found for found in map(_holds, arguments) if found != "other"), "other")
    if origin is tuple and is_dataclass(arguments[0]):
        return "records"
    if origin is Mapping:
        if is_dataclass(arguments[1]):
            return "named records"
        return "quantities" if _holds(arguments[1]) == "quantity" else "mapping"
    return "other"


def quantities_in(record: Any, path: str = "") -> Iterator[tuple[str, Quantity]]:
    """Every quantity of a record and of the records in it, with its path, in the order of the fields."""
    for name, place, holds in _held_by(record.__class__):
        value, here = getattr(record, name), _joined(path, place)
        if holds == "quantity":
            if _is_given(record, name, value):
                yield here, value
        elif holds == "quantities":
            yield from ((_joined(here, key), quantity) for key, quantity in value.items())
        else:
            for key, item in _named(value):
                yield from quantities_in(item, _joined(here, key))


def with_changed(record: Any, change: Callable[[str, Quantity], Quantity], path: str = "") -> Any:
    """The record with each of its quantities replaced by ``change(path, quantity)``."""
    changed: dict[str, Any] = {}
    for name, place, holds in _held_by(record.__class__):
        value, here = getattr(record, name), _joined(path, place)
        if holds == "quantity":
            if _is_given(record, name, value):
                changed[name] = change(here, value)
        elif holds == "quantities":
            changed[name] = {key: change(_joined(here, key), quantity) for key, quantity in value.items()}
        else:
            items = [with_changed(item, change, _joined(here, key)) for key, item in _named(value)]
            changed[name] = tuple(items) if holds == "records" else dict(zip(value, items, strict=True))
    return replace(record, **changed)


def structure_in(record: Any, form: Callable[[Quantity], str]) -> tuple:
    """Everything about a record that enters the tape, hashable; of a quantity, what ``form`` makes of it."""
    found: list[Any] = []
    for name, holds in _on_tape(record.__class__):
        value = getattr(record, name)
        if value is None or holds == "other":
            found.append(value)
        elif holds == "quantity":
            found.append(value if isinstance(value, str) else form(value))
        elif holds == "quantities":
            found.append(tuple([(key, form(quantity)) for key, quantity in value.items()]))
        elif holds == "mapping":
            found.append(tuple(value.items()))
        else:
            items = value if holds == "records" else value.values()
            found.append(tuple([structure_in(item, form) for item in items]))
    return tuple(found)


def _is_given(record: Any, name: str, value: Any) -> bool:
    return value is not None and not isinstance(value, str) and name not in getattr(record, "unused", ())


def _named(records: Any) -> Iterator[tuple[str, Any]]:
    """Records with their places: the name of each, or ``hold_1`` and so on by kind where they have none."""
    items = records.values() if isinstance(records, Mapping) else records
    for number, item in enumerate(items, 1):
        yield getattr(item, "name", f"{type(item).__name__.lower()}_{number}"), item


def _joined(*places: str) -> str:
    return ".".join(place for place in places if place)
