"""The fields of the model's records: which are quantities, at which path, and which enter the tape of the equations.

Everything that enumerates the parts of a model uses this module: a record or a field added to the model is listed,
changed by sweeps and included in the key of compiled tapes without a change elsewhere. A field whose element of a path
is not its name, or that belongs to no path or not to the tape, is declared so (``placed``, ``off_tape``).
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
    """Declare a field that is ``path`` in the paths of quantities; ``more`` is passed to ``dataclasses.field``."""
    return field(metadata={"path": path}, **more)


def off_tape(**more: Any) -> Any:
    """Declare a field that enters neither equations nor initial state; ``more`` is passed to ``dataclasses.field``."""
    return field(metadata={"path": None, "on_tape": False}, **more)


@cache
def fields_of(kind: type) -> tuple[tuple[Field, Any], ...]:
    """Fields of a record and their types, annotations resolved."""
    hints = get_type_hints(kind)
    return tuple((f, hints[f.name]) for f in fields(kind) if f.init)


#: Content of a field: a quantity, several by name, records that contain quantities, or something else.
_Content = Literal["quantity", "quantities", "records", "named records", "mapping", "other"]


@cache
def _quantity_fields(kind: type) -> tuple[tuple[str, str, _Content], ...]:
    """Fields of a record that contain quantities: name, element of a path, and content."""
    return tuple(
        (f.name, path, content)
        for f, hint in fields_of(kind)
        if (path := f.metadata.get("path", f.name)) is not None
        and (content := _content_of(hint)) not in ("mapping", "other")
    )


@cache
def _on_tape(kind: type) -> tuple[tuple[str, _Content], ...]:
    """Fields of a record that enter the tape: name and content."""
    return tuple((f.name, _content_of(hint)) for f, hint in fields_of(kind) if f.metadata.get("on_tape", True))


def _content_of(hint: Any) -> _Content:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if Formula in arguments:
            return "quantity"
        return next((content for content in map(_content_of, arguments) if content != "other"), "other")
    if origin is tuple and is_dataclass(arguments[0]):
        return "records"
    if origin is Mapping:
        if is_dataclass(arguments[1]):
            return "named records"
        return "quantities" if _content_of(arguments[1]) == "quantity" else "mapping"
    return "other"


def quantities_in(record: Any, path: str = "") -> Iterator[tuple[str, Quantity]]:
    """Every quantity of a record and of the records in it, with its path, in the order of the fields."""
    for name, place, content in _quantity_fields(record.__class__):
        value, here = getattr(record, name), _joined(path, place)
        if content == "quantity":
            if _is_used(record, name, value):
                yield here, value
        elif content == "quantities":
            yield from ((_joined(here, key), quantity) for key, quantity in value.items())
        else:
            for key, item in _named(value):
                yield from quantities_in(item, _joined(here, key))


def with_changed(record: Any, change: Callable[[str, Quantity], Quantity], path: str = "") -> Any:
    """The record with each of its quantities replaced by ``change(path, quantity)``."""
    changed: dict[str, Any] = {}
    for name, place, content in _quantity_fields(record.__class__):
        value, here = getattr(record, name), _joined(path, place)
        if content == "quantity":
            if _is_used(record, name, value):
                changed[name] = change(here, value)
        elif content == "quantities":
            changed[name] = {key: change(_joined(here, key), quantity) for key, quantity in value.items()}
        else:
            items = [with_changed(item, change, _joined(here, key)) for key, item in _named(value)]
            changed[name] = tuple(items) if content == "records" else dict(zip(value, items, strict=True))
    return replace(record, **changed)


def structure_in(record: Any, form: Callable[[Quantity], str]) -> tuple:
    """Everything about a record that enters the tape, hashable; a quantity is represented by ``form(quantity)``."""
    structure: list[Any] = []
    for name, content in _on_tape(record.__class__):
        value = getattr(record, name)
        if value is None or content == "other":
            structure.append(value)
        elif content == "quantity":
            structure.append(value if isinstance(value, str) else form(value))
        elif content == "quantities":
            structure.append(tuple([(key, form(quantity)) for key, quantity in value.items()]))
        elif content == "mapping":
            structure.append(tuple(value.items()))
        else:
            items = value if content == "records" else value.values()
            structure.append(tuple([structure_in(item, form) for item in items]))
    return tuple(structure)


def _is_used(record: Any, name: str, value: Any) -> bool:
    return value is not None and not isinstance(value, str) and name not in getattr(record, "unused", ())


def _named(records: Any) -> Iterator[tuple[str, Any]]:
    """Records with their elements of a path: the name of each, or its kind and number (``hold_1``) if it has none."""
    items = records.values() if isinstance(records, Mapping) else records
    for number, item in enumerate(items, 1):
        yield (item.name if hasattr(item, "name") else f"{type(item).__name__.lower()}_{number}"), item


def _joined(*places: str) -> str:
    return ".".join(place for place in places if place)
