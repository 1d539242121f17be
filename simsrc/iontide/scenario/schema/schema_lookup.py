"""Look up places of the file in the schema: the keys that a table may have, the type of the value at a path."""

from __future__ import annotations

import types
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from .document import Document, PathwayTable
from .fields import Table
from .protocol import TargetValues, ValuesTable
from .quantity_kinds import Kind

#: A place where any value is allowed, as in the arguments of a law.
ANYTHING = object()


@cache
def fields(table: type[Table]) -> dict[str, Any]:
    """Annotation of each key of a table, by the name it has in the file."""
    hints = get_type_hints(table, include_extras=True)
    return {info.alias or name: hints[name] for name, info in table.model_fields.items()}


def alternatives(annotation: Any) -> list[Any]:
    """The plain types, kinds and tables that an annotation allows."""
    if get_origin(annotation) is Annotated:
        kind = next((m for m in get_args(annotation)[1:] if isinstance(m, Kind)), None)
        return [kind] if kind else alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [a for arg in get_args(annotation) for a in alternatives(arg)]
    return [] if annotation is type(None) else [annotation]


def below(annotation: Any, key: str | int) -> Any | None:
    """The annotation of the value under a key of something so annotated; None where there is no such key."""
    for choice in alternatives(annotation):
        origin = get_origin(choice)
        if isinstance(choice, type) and issubclass(choice, Table):
            if key in fields(choice):
                return fields(choice)[str(key)]
            if issubclass(choice, PathwayTable):
                return ANYTHING
            if issubclass(choice, ValuesTable):
                return TargetValues
        elif origin is dict or (origin is list and isinstance(key, int)):
            return get_args(choice)[-1]
        elif choice is ANYTHING:
            return ANYTHING
    return None


def at(path: Sequence[str | int]) -> Any | None:
    """The annotation at a path of the file; None where the schema has no such place."""
    annotation: Any = Document
    for key in path:
        annotation = below(annotation, key)
        if annotation is None:
            return None
    return annotation


def table_at(path: Sequence[str | int]) -> type[Table] | None:
    """The table at a path, or None."""
    for choice in alternatives(at(path)):
        if isinstance(choice, type) and issubclass(choice, Table):
            return choice
    return None


def is_required(table: type[Table], key: str) -> bool:
    """Whether a key of a table is required."""
    return any(info.is_required() for name, info in table.model_fields.items() if (info.alias or name) == key)


def description(path: Sequence[str | int]) -> str:
    """The description of a key in the schema."""
    table = table_at(path[:-1])
    infos = table.model_fields.items() if table else ()
    return next((info.description or "" for name, info in infos if (info.alias or name) == path[-1]), "")


def placeholder(annotation: Any) -> Any:
    """A placeholder that a place accepts, for a value that was missing or faulty."""
    choice = alternatives(annotation)[0]
    origin = get_origin(choice)
    if isinstance(choice, Kind):
        return choice.example
    if isinstance(choice, type) and issubclass(choice, Table):
        return {key: placeholder(a) for key, a in fields(choice).items() if is_required(choice, key)}
    if origin is Literal:
        return get_args(choice)[0]
    if origin is dict:
        return {}
    if origin is list:
        return []
    return {str: "?", int: 2, float: 1.0, bool: False}[choice]
