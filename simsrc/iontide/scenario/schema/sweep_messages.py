"""What to say of an axis of ``[sweep]`` that has not the form of one."""

from __future__ import annotations

from ...errors import did_you_mean, listed
from ..text.key_lines import KeyPath
from .sweep import AxisTable

#: The rules by which an axis has its values; one of them each.
RULES = ("linear", "log", "uniform", "log_uniform", "normal", "log_normal")

#: How an axis may be written.
EXAMPLE = 'as ["1 mM", "5 mM"], or { log = ["1 mM", "100 mM"], points = 11 }'


def is_axis(path: KeyPath) -> bool:
    """Whether an axis of a sweep stands at the path."""
    return len(path) == 3 and path[:2] == ("sweep", "vary")


def listless_axis(path: KeyPath) -> str | None:
    """The rule for what is neither a list nor a table where values are due; None elsewhere."""
    if is_axis(path) or (is_axis(path[:-1]) and path[-1] == "times"):
        return f"must be a list of values or a table that says how they are spread ({EXAMPLE})"
    if is_axis(path[:-1]) or is_axis(path[:-2]):
        return 'must be a list of two values (as ["1 mM", "100 mM"])'
    return None


def unknown_axis_key(path: KeyPath) -> str | None:
    """What to say of a key that an axis does not have; None elsewhere."""
    if not is_axis(path[:-1]):
        return None
    known = list(AxisTable.model_fields)
    near = did_you_mean(path[-1], known)
    dotted = f"{path[-2]}.{path[-1]}"
    hint = near or f'; a path with dots is one key, in quotes: "{dotted}" = …'
    return f"no such key{hint} (an axis has {listed(known)})"
