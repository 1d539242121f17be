"""The library as ``iontide laws`` tells it: rate laws with their arguments and sources, transporters by name.

All of it is read off the tables by which scenario files are checked, so that it cannot say anything else. No import
here is slow.
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
    """Laws and transporters, as plain values fit for JSON; only those named, where names are given.

    Of a law: ``written``, how a scenario names it; ``description``, with its formula; ``arguments``, the SI unit of
    each; ``choices``, groups of further arguments of which one is given; ``stoichiometry``, what a cycle may carry
    outward (empty: whatever the pathway says); ``driven_by``, ``is_thermodynamic``, ``source``.

    Raises
    ------
    UsageError
        For a name that is no law and no transporter.
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


def catalogue_text(found: Mapping[str, Any]) -> str:
    """The same for a person: a page of plain text, without a line end."""
    blocks = [_wrapped(_HEAD)] if len(found["laws"]) > 1 else []
    blocks += [_law_text(law) for law in found["laws"]]
    if found["transporters"]:
        blocks.append("\n".join(_transporter_lines(found["transporters"])))
    return "\n\n".join(blocks)


def _law_text(law: Mapping[str, Any]) -> str:
    takes = [_listed(law["arguments"]), " or ".join(map(_listed, law["choices"]))]
    stoichiometry = " or ".join(_moves(m) for m in law["stoichiometry"][:4]) + (
        " or …" if len(law["stoichiometry"]) > 4 else ""
    )
    rows = {"takes": "; and ".join(filter(None, takes)), "stoichiometry": stoichiometry}
    if law["name"] not in law["written"]:
        rows["written"] = law["written"]
    rows["source"] = law["source"]
    lines = [law["name"], _wrapped(law["description"], "  ", "  ")]
    lines += [_wrapped(text, f"  {label.ljust(8)}", " " * 10) for label, text in rows.items() if text]
    return "\n".join(lines)


def _listed(arguments: Mapping[str, str]) -> str:
    """``rate (mol/m^2/s), half_saturation.ION (mol/m^3)``."""
    units = {path: "a number" if unit == "1" else unit for path, unit in arguments.items()}
    return ", ".join(f"{path.replace(EVERY_ION, 'ION')} ({unit})" for path, unit in units.items())


def _transporter_lines(transporters: list[Mapping[str, Any]]) -> list[str]:
    lines = ['Transporters: transporter = "NAME" beside a law stands for moves.']
    for t in transporters:
        paid = f"; driven by {t['driven_by']}" if t["driven_by"] else ""
        told = f"{_moves(t['stoichiometry'])}  {t['description']}{paid} ({t['source']})"
        lines.append(_wrapped(told, f"  {t['name'].ljust(12)} ", " " * 15))
    return lines


def _moves(stoichiometry: Mapping[str, int]) -> str:
    return "{ " + ", ".join(f"{ion} = {count}" for ion, count in stoichiometry.items()) + " }"


def _wrapped(text: str, first: str = "", other: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False
    )
