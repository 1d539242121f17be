"""Limits of the size of a scenario, checked before anything else, as they bound the work."""

from __future__ import annotations

from typing import Any

from .faults import Faults
from .key_lines import KeyPath

#: Most entries of the tables (and the list) at the top level; every other table may have `MOST_KEYS`.
CAPS = {
    "parameters": 1000,
    "species": 200,
    "compartments": 200,
    "membranes": 200,
    "diffusion": 200,
    "reactions": 200,
    "exchange": 200,
    "sources": 200,
    "tracers": 50,
    "protocol": 1000,
    "events": 100,
    "electrodes": 50,
}
MOST_KEYS = 200


def check_size(raw: dict[str, Any], faults: Faults) -> bool:
    """Report every table with too many entries; returns whether there is none.

    Parameters
    ----------
    raw : dict
        The file as tomllib reads it.
    faults : Faults
    """
    fits = True
    pending: list[tuple[KeyPath, Any]] = [((), raw)]
    while pending:
        path, here = pending.pop()
        if isinstance(here, dict):
            pending += [((*path, key), value) for key, value in here.items() if isinstance(value, dict | list)]
        elif path not in (("protocol",), ("events",)):
            continue  # a list of sample times is as long as the file allows
        else:
            pending += [((*path, index), value) for index, value in enumerate(here)]
        most = CAPS.get(str(path[0]), MOST_KEYS) if len(path) == 1 else MOST_KEYS
        if path[-1:] in (("set",), ("ramp",), ("table",)):
            most = CAPS["parameters"]
        if len(here) > most:
            fits = False
            faults.add(path, f"at most {most} of these in one scenario, got {len(here)}")
    return fits
