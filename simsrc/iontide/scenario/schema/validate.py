"""Check that every key of the file is known and every value of its type; pydantic's errors become sentences.

What is faulty is reported once and removed, or replaced by a placeholder where a value is required, so that
the rest of the file can be checked as if the fault were not there.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, get_args

from pydantic import ValidationError

from ...errors import did_you_mean, listed, nearest
from ..text.faults import Faults
from ..text.key_lines import KeyPath
from . import schema_lookup
from .document import FORMS, Document
from .protocol import TargetValues
from .quantity_kinds import Kind, show
from .sweep_messages import listless_axis, unknown_axis_key

_LISTS = {
    "protocol": "must be a list of tables, each opened by [[protocol]]",
    "events": "must be a list of tables, each opened by [[events]]",
    "source": "must be text in quotes, or a list of texts",
}

#: Rounds of pruning after which something is wrong with this module, not with the file.
MAX_ROUNDS = 100


def check_structure(raw: dict[str, Any], faults: Faults) -> Document:
    """The document as typed tables, pruned of what is faulty.

    Parameters
    ----------
    raw : dict
        The file as tomllib reads it, with overrides; not changed.
    faults : Faults
        Receives the faults; its faulty places are those that were removed.
    """
    try:
        return Document.model_validate(raw)
    except ValidationError as error:
        pruned = deepcopy(raw)
        _tell(error, pruned, faults)
    # Removing one fault can reveal another only where a table has both, so two or three rounds are usual.
    for _ in range(MAX_ROUNDS):
        try:
            return Document.model_validate(pruned)
        except ValidationError as error:
            _tell(error, pruned, faults)
    raise RuntimeError("the schema refuses the placeholder for a faulty value")


def _tell(error: ValidationError, raw: dict[str, Any], faults: Faults) -> None:
    items = [(_path(item["loc"]), item) for item in error.errors(include_url=False)]
    for path, item in items:
        if item["type"] == "extra_forbidden":
            # A misspelt key is one fault, not two: the key that was meant is not reported as missing.
            for meant in nearest(path[-1], _known_keys(path)):
                if meant not in _table_in(raw, path[:-1]):
                    faults.mark((*path[:-1], meant))
    for path, item in items:
        if not faults.is_faulty(*path):
            faults.add(path, _sentence(item, path))
        _prune(raw, path)


def _table_in(raw: dict[str, Any], path: KeyPath) -> Any:
    """The table of the file at a path."""
    table: Any = raw
    for key in path:
        table = table[key]
    return table


def _path(location: tuple[str | int, ...]) -> KeyPath:
    """Path in the file of a place as pydantic names it, which counts the branch of a union as a key."""
    for place, forms in FORMS.items():
        above, below = location[: len(place)], location[len(place) :]
        is_there = len(above) == len(place) and all(key in ("*", a) for key, a in zip(place, above, strict=True))
        if is_there and below and below[0] in forms:
            location = (*above, *below[1:])
    return location


def _prune(raw: dict[str, Any], path: KeyPath) -> None:
    """Remove the value at a path from the file, or put a placeholder there where it is required."""
    parent, key = _table_in(raw, path[:-1]), path[-1]
    table = schema_lookup.table_at(path[:-1])
    # An element of a list is not removed, as that would change the numbers of those after it.
    if isinstance(key, int) or (table is not None and schema_lookup.is_required(table, key)):
        parent[key] = schema_lookup.placeholder(schema_lookup.at(path))
    else:
        parent.pop(key, None)


def _sentence(item: Any, path: KeyPath) -> str:
    """The rule, the value, and what is allowed."""
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "missing":
        return _missing(path)
    if kind == "list_type" and schema_lookup.at(path) == TargetValues:
        near = did_you_mean(path[-1], _known_keys(path))
        return f"must be a list of values, one for each time{near}, got {show(value)}"
    if kind == "extra_forbidden":
        return unknown_axis_key(path) or unknown_key(path)
    if kind == "list_type" and (message := listless_axis(path)):
        return f"{message}, got {show(value)}"
    if kind == "sentence":
        return str(context["sentence"])
    if kind == "literal_error":
        allowed = [show(word) for word in get_args(schema_lookup.alternatives(schema_lookup.at(path))[-1])]
        choices = " or ".join(allowed) if len(allowed) < 4 else "one of " + ", ".join(allowed)
        return f"must be {choices}, got {show(value)}" + did_you_mean(value, [word.strip('"') for word in allowed])
    if kind == "dict_type" and path == ("sources",):
        return f"must be tables, as [sources.NAME], got {show(value)}; where a scenario comes from is its source"
    if kind == "dict_type" and path[-1] == "stoichiometry":
        return f"must be a table of counts (as {{ K = 1, Cl = 1 }}), got {show(value)}"
    if kind == "string_pattern_mismatch":
        return f"a name is a letter, then letters, digits or _, got {show(value)}"
    rule = {
        "string_type": "must be text in quotes",
        "string_too_short": "must not be empty",
        "int_type": "must be a whole number, without quotes",
        "float_type": "must be a number, without quotes",
        "bool_type": "must be true or false, without quotes",
        "finite_number": "must be finite",
        "greater_than_equal": f"must be ≥ {context.get('ge', 0):g}",
        "less_than_equal": f"must be ≤ {context.get('le', 0):g}",
        "list_type": _LISTS.get(str(path[-1]), "must be a list"),
        "dict_type": "must be a table",
        "model_type": "must be a table",
        "union_tag_not_found": 'must be a table (as { spacing = "log", first = "1 ms", points = 400 }), '
        'a list of times, or "steps"',
    }.get(kind, "cannot be read here")
    return f"{rule}, got {show(value)}"


def _missing(path: KeyPath) -> str:
    table = schema_lookup.table_at(path[:-1])
    noun = table.noun if table else "it"
    choice = schema_lookup.alternatives(schema_lookup.at(path))[0]
    if isinstance(choice, Kind):
        example = choice.example if choice.unit == "" else f'"{choice.example}"'
        return f"missing; {noun} needs {choice.noun} (as {example})"
    meaning = schema_lookup.description(path)
    return f"missing; {noun} needs it" + (f" ({meaning[0].lower()}{meaning[1:]})" if meaning else "")


def unknown_key(path: KeyPath) -> str:
    """The message about a key that the schema does not have."""
    table = schema_lookup.table_at(path[:-1])
    known = _known_keys(path)
    if table is None:
        return "no such key"
    return f"no such key{did_you_mean(path[-1], known)} ({table.noun} has {listed(known, most=20)})"


def _known_keys(path: KeyPath) -> list[str]:
    """Keys that are allowed in the table of this one."""
    table = schema_lookup.table_at(path[:-1])
    return list(schema_lookup.fields(table)) if table else []
