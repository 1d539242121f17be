"""The library for ``iontide laws``: rate laws with their arguments and sources, and transporters by name.

It is read from the tables by which scenario files are checked. Quick to import.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import UsageError
from ..scenario.library.laws import EVERY_ION, FORMULA, LIBRARY, RATE_OF_ORDER, TABLES, Law, rate_of_order
from ..scenario.library.transporters import TRANSPORTERS
from ..scenario.schema.quantity_kinds import Kind

#: Width of the page, letters.
WIDTH = 100

_HEAD = (
    "Rates are cycles outward (inside to outside), mol/m^2/s; a half saturation, half or slope is written as a table: "
    'half_saturation = { Na_inside = "10 mM" }.'
)


def catalogue(names: Collection[str] = ()) -> dict[str, Any]:
    """Laws and transporters as plain values that JSON can hold; only those named, if names are given.

    A law has ``written``, how a scenario names it; ``description``, with its formula; ``arguments``, the SI unit of
    each; ``choices``, groups of further arguments of which one is given; ``stoichiometry``, what a cycle may carry
    outward (empty: any, as the pathway defines); ``driven_by``, ``is_thermodynamic``, ``source``.

    Raises
    ------
    UsageError
        A name is neither a law nor a transporter.
    """
    laws = [*(_table_law(name) for name in TABLES), *map(_law, (*LIBRARY.values(), FORMULA))]
    transporters = [
        {
            "name": t.name,
            "description": t.description,
            "stoichiometry": dict(t.stoichiometry),
            "driven_by": t.driven_by,
            "source": t.source,
        }
        for t in TRANSPORTERS.values()
    ]
    known = [*(law["name"] for law in laws), *TRANSPORTERS]
    for name in names:
        if name not in known:
            from ..errors import did_you_mean

            raise UsageError(f"there is no law or transporter {name}{did_you_mean(name, known)}")
    return {
        "laws": [law for law in laws if not names or law["name"] in names],
        "transporters": [t for t in transporters if not names or t["name"] in names],
    }


def _table_law(table: str) -> dict[str, Any]:
    law = TABLES[table]
    return {
        "name": law.name,
        "written": f"{table} = {{ ION = … }}",
        "description": law.description,
        "arguments": {table: law.kind.unit},
        "choices": [],
        "stoichiometry": [],
        "driven_by": "",
        "is_thermodynamic": True,
        "source": law.source,
    }


def _law(law: Law) -> dict[str, Any]:
    return {
        "name": law.name,
        "written": f'law = "{law.name}"' if law is not FORMULA else 'stoichiometry = { … }, rate = "…"',
        "description": law.description,
        "arguments": _units(law.arguments),
        "choices": [_units(group) for group in law.choices],
        "stoichiometry": [dict(stoichiometry) for stoichiometry in law.stoichiometries],
        "driven_by": law.driven_by,
        "is_thermodynamic": law.is_thermodynamic,
        "source": law.source,
    }


def _units(arguments: Mapping[str, Kind]) -> dict[str, str]:
    return {path: _unit(kind) for path, kind in arguments.items()}


def _unit(kind: Kind) -> str:
    if kind is RATE_OF_ORDER:
        return f"{rate_of_order(1).unit} for one ion, {rate_of_order(2).unit} for two, …"
    return kind.unit or "1"


def catalogue_text(content: Mapping[str, Any]) -> str:
    """Laws and transporters, from ``catalogue``, as a page of plain text, without a line end."""
    blocks = [_wrapped(_HEAD)] if len(content["laws"]) > 1 else []
    blocks += [_law_text(law) for law in content["laws"]]
    if content["transporters"]:
        blocks.append("\n".join(_transporter_lines(content["transporters"])))
    return "\n\n".join(blocks)


def _law_text(law: Mapping[str, Any]) -> str:
    takes = [_listed(law["arguments"]), " or ".join(map(_listed, law["choices"]))]
    stoichiometry = " or ".join(_counts(m) for m in law["stoichiometry"][:4]) + (
        " or …" if len(law["stoichiometry"]) > 4 else ""
    )
    rows = {"takes": "; and ".join(filter(None, takes)), "stoichiometry": stoichiometry}
    if law["name"] not in law["written"]:
        rows["written"] = law["written"]
    rows["source"] = law["source"]
    lines = [law["name"], _wrapped(law["description"], "  ", "  ")]
    width = max(map(len, rows)) + 1
    lines += [_wrapped(text, f"  {label.ljust(width)}", " " * (width + 2)) for label, text in rows.items() if text]
    return "\n".join(lines)


def _listed(arguments: Mapping[str, str]) -> str:
    """``rate (mol/m^2/s), half_saturation.ION (mol/m^3)``."""
    units = {path: "a number" if unit == "1" else unit for path, unit in arguments.items()}
    return ", ".join(f"{path.replace(EVERY_ION, 'ION')} ({unit})" for path, unit in units.items())


def _transporter_lines(transporters: list[Mapping[str, Any]]) -> list[str]:
    lines = ['Transporters: write transporter = "NAME" beside a law instead of stoichiometry.']
    for t in transporters:
        driven = f"; driven by {t['driven_by']}" if t["driven_by"] else ""
        entry = f"{_counts(t['stoichiometry'])}  {t['description']}{driven} ({t['source']})"
        lines.append(_wrapped(entry, f"  {t['name'].ljust(12)} ", " " * 15))
    return lines


def _counts(stoichiometry: Mapping[str, int]) -> str:
    return "{ " + ", ".join(f"{ion} = {count}" for ion, count in stoichiometry.items()) + " }"


def _wrapped(text: str, first: str = "", other: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False
    )
