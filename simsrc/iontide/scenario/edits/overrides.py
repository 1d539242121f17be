"""Values given on the command line or in a call (``--set path=value``), instead of those of the file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ...errors import UsageError, did_you_mean, listed, suggestion
from ..schema import schema_lookup
from ..schema.quantity_kinds import Kind
from ..schema.validate import unknown_key
from ..text.key_lines import KeyPath
from .repeat import REPEATABLE, says_repeat

#: Tables whose names are given in the file: an override changes an existing one, a new name is a mistake.
_NAMED = {
    "parameters": "parameter",
    "compartments": "compartment",
    "membranes": "membrane",
    "diffusion": "diffusion",
    "reactions": "reaction",
    "exchange": "exchange",
    "sources": "source",
    "tracers": "tracer",
    "electrodes": "electrode",
}
_NAMED_BELOW = {"pathways": "pathway", "impermeants": "impermeant", "gates": "gate"}


def apply_overrides(
    raw: dict[str, Any], settings: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[KeyPath, Any], dict[str, Any]]:
    """A copy of the file's tables with other values, those values by path, and the settings left for single pieces.

    What is set in a repeated table holds for all of its pieces. A setting that names one piece
    (``compartments.layer_3.volume``) is left until the pieces exist, and then applied in the same way.

    Parameters
    ----------
    raw : dict
        The file as tomllib reads it; not changed.
    settings : mapping of str to value
        By dotted path, as ``parameters.pump_rate`` or ``protocol.0.from``; values as in the file.
        Text is read as a number, a boolean, a list or a table where one of these is expected.

    Raises
    ------
    UsageError
        A path does not exist; names all such paths.
    """
    if not settings:
        return raw, {}, {}
    changed = deepcopy(raw)
    applied: dict[KeyPath, Any] = {}
    wrong = {}
    for dotted, value in settings.items():
        try:
            path, parent = _find(changed, str(dotted))
        except LookupError as error:
            wrong[dotted] = f"--set {dotted}: {error.args[0]}"
            continue
        applied[path] = parent[path[-1]] = _typed(schema_lookup.at(path), _copied(value))
    of_pieces = {dotted: settings[dotted] for dotted in wrong if _may_be_piece(changed, str(dotted))}
    if wrong.keys() - of_pieces.keys():
        raise UsageError("\n".join(message for dotted, message in wrong.items() if dotted not in of_pieces))
    return changed, applied, of_pieces


def _may_be_piece(raw: dict[str, Any], dotted: str) -> bool:
    """Whether a path that does not exist may do so once repetition is written out."""
    table, _, rest = dotted.partition(".")
    name, _, key = rest.partition(".")
    if table not in REPEATABLE or key in ("repeat", "along") or not says_repeat(raw):
        return False
    every = raw.get(table)
    return isinstance(every, dict) and any(name.startswith(f"{plain}_") for plain in every)


def _find(raw: dict[str, Any], dotted: str) -> tuple[KeyPath, Any]:
    """The key path that a dotted path means, and the table (or list) that holds its last key.

    Tables that are absent but known to the schema are added.
    """
    keys = dotted.split(".")
    path: KeyPath = ()
    here: Any = raw
    while True:
        if path[:1] in (("protocol",), ("events",)) and path[2:] in (("set",), ("ramp",), ("table",)):
            keys = [".".join(keys)]  # the keys of these tables contain dots themselves
        word = keys.pop(0)
        key: str | int = word
        if isinstance(here, list):
            if not (word.isdecimal() and len(word) < 9 and int(word) < len(here)):
                raise LookupError(f"there are {len(here)} entries in {'.'.join(map(str, path))}, counted from 0")
            key = int(word)
        elif not isinstance(here, dict):
            raise LookupError(f"{'.'.join(map(str, path))} contains nothing")
        if not (isinstance(here, dict) and key in here):
            _check_new(raw, path, key, here)
        path = (*path, key)
        if not keys:
            return path, here
        here = here.setdefault(key, {}) if isinstance(here, dict) else here[key]


def _check_new(raw: dict[str, Any], path: KeyPath, key: str | int, here: Any) -> None:
    """Raise LookupError for a key that the file does not contain and that may not be added."""
    if isinstance(here, list):
        return
    if not path and isinstance(raw.get("parameters"), dict) and key in raw["parameters"]:
        raise LookupError(f"no such key{suggestion([f'parameters.{key}'])}")
    if len(path) == 2 and path[0] == "compartments" and key in here.get("concentrations", ()):
        raise LookupError(f"no such key{suggestion([f'{path[0]}.{path[1]}.concentrations.{key}'])}")
    if schema_lookup.at((*path, key)) is None:
        raise LookupError(unknown_key((*path, key)))
    noun = _NAMED.get(str(path[0])) if len(path) == 1 else _NAMED_BELOW.get(str(path[-1])) if path else None
    if noun:
        raise LookupError(f"there is no {noun} {key}{did_you_mean(key, here)} ({noun}s are {listed(here)})")


def _copied(value: Any) -> Any:
    """A copy of the tables and lists of a value, so that the caller's are not changed."""
    if isinstance(value, Mapping):
        return {str(key): _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list | tuple) else value


def _typed(annotation: Any, value: Any) -> Any:
    """Text as the number, boolean, list or table that is expected at a place; anything else unchanged."""
    if not isinstance(value, str):
        return value
    choices = schema_lookup.alternatives(annotation)
    is_text = annotation is schema_lookup.ANYTHING or any(
        isinstance(choice, Kind) or choice is str for choice in choices
    )
    is_list = (
        value.lstrip().startswith("[") and str not in choices
    )  # one value for each piece of a repeated compartment
    if is_text and not is_list:
        return value
    try:
        table = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return value
    # Text with a line end could hold more than one value.
    return table["value"] if len(table) == 1 else value
