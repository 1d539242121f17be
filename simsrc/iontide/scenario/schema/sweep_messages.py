"""Error messages for an axis of ``[sweep]`` of the wrong form."""

from __future__ import annotations

from ...errors import did_you_mean, listed
from ..text.key_lines import KeyPath
from .sweep import AxisTable

#: The rules for the values of an axis, which has one of them.
RULES = ("linear", "log", "uniform", "log_uniform", "normal", "log_normal")

#: An example of an axis, for messages.
EXAMPLE = 'as ["1 mM", "5 mM"], or { log = ["1 mM", "100 mM"], points = 11 }'


def is_axis(path: KeyPath) -> bool:
    """Whether the path is that of an axis of a sweep."""
    return len(path) == 3 and path[:2] == ("sweep", "vary")


def listless_axis(path: KeyPath) -> str | None:
    """The message for values that are neither a list nor a table; None at other paths."""
    if is_axis(path) or (is_axis(path[:-1]) and path[-1] == "times"):
        return f"must be a list of values or a table with a rule ({EXAMPLE})"
    if is_axis(path[:-1]) or is_axis(path[:-2]):
        return 'must be a list of two values (as ["1 mM", "100 mM"])'
    return None


def unknown_axis_key(path: KeyPath) -> str | None:
    """The message for an unknown key of an axis; None at other paths."""
    if not is_axis(path[:-1]):
        return None
    known = list(AxisTable.model_fields)
    near = did_you_mean(path[-1], known)
    dotted = f"{path[-2]}.{path[-1]}"
    hint = near or f'; a path with dots is one key, in quotes: "{dotted}" = …'
    return f"no such key{hint} (an axis has {listed(known)})"
