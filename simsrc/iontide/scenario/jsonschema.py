"""The JSON Schema of a scenario file, by which editors complete and check it (``#:schema`` in line 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .checks.check import NAME_PATTERN
from .edits.repeat import REPEATABLE
from .library.laws import EVERY_ION, LIBRARY, TABLES, Law, TableLaw
from .library.transporters import TRANSPORTERS
from .schema.document import Document
from .schema.quantity_kinds import FORMULA_RATE, QUANTITY, Kind
from .text.repeat_references import JOINING, REFERENCES
from .text.size import CAPS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file, with what each key means and an example of each quantity."""
    schema = Document.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    for table in (schema, *definitions.values()):
        _polish(table)
    definitions["PathwayTable"] = _pathway(definitions["PathwayTable"])
    _allow_repetition(schema)
    for name, most in CAPS.items():
        key = schema["properties"][name]
        key["maxItems" if key["type"] == "array" else "maxProperties"] = most
        if key["type"] == "object":
            key["propertyNames"] = {"pattern": f"^{NAME_PATTERN}$"}
    source = schema["properties"]["source"]
    schema["properties"]["source"] = {
        "description": source.pop("description"),
        "anyOf": [{"type": "string"}, source],
    }
    return {"$schema": DIALECT, "title": "iontide scenario"} | {k: v for k, v in schema.items() if k != "title"}


def _allow_repetition(schema: dict[str, Any]) -> None:
    """Allow a list with one quantity for each piece in repeatable tables, and ``along`` instead of two sides."""
    definitions = schema["$defs"]
    pending: list[Any] = [schema["properties"][table] for table in REPEATABLE if table in schema["properties"]]
    for table in JOINING:
        name = schema["properties"][table]["additionalProperties"]["$ref"].rpartition("/")[2]
        sides = REFERENCES[table]
        required = [key for key in definitions[name]["required"] if key not in sides]
        definitions[name] |= {"required": required, "oneOf": [{"required": [*sides]}, {"required": ["along"]}]}
    valence = definitions["ImpermeantTable"]["properties"]["valence"]
    one = {key: value for key, value in valence.items() if key != "description"}
    valence_or_list = {"description": valence["description"], "anyOf": [one, {"type": "array", "items": one}]}
    definitions["ImpermeantTable"]["properties"]["valence"] = valence_or_list
    seen: set[str] = set()
    while pending:
        here = pending.pop()
        if isinstance(here, list):
            pending += here
        elif isinstance(here, dict):
            name = str(here.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                pending.append(definitions[name])
            if here.get("$comment") == QUANTITY and "items" not in here:
                plain = here["type"]
                here |= {"type": [*([plain] if isinstance(plain, str) else plain), "array"], "items": {"type": plain}}
            pending += here.values()


def _polish(table: dict[str, Any]) -> None:
    """Simplify what pydantic writes: no titles made from names, no null (TOML has none)."""
    table["title"] = table["title"].removesuffix("Table").lower()
    for name, key in table.get("properties", {}).items():
        key.pop("title", None)
        choices = [choice for choice in key.get("anyOf", []) if choice != {"type": "null"}]
        if len(choices) == 1:
            del key["anyOf"]
            table["properties"][name] = key = choices[0] | key
        elif choices:
            key["anyOf"] = choices
        if not isinstance(key.get("default", 0), bool | int | float | str):
            del key["default"]


def _pathway(table: dict[str, Any]) -> dict[str, Any]:
    """A pathway: one of the laws of the library, with the arguments of that law."""
    return {
        "title": table["title"],
        "description": table["description"],
        "oneOf": [
            *(_law(law, choice, table) for law in LIBRARY.values() for choice in law.choices or ({},)),
            _own_rate(table),
            *(_channel(law, table) for law in TABLES.values()),
        ],
    }


def _law(law: Law, choice: Mapping[str, Kind], pathway: dict[str, Any]) -> dict[str, Any]:
    """One law with one of its alternative groups of arguments."""
    nested: dict[str, Any] = {}
    for path, kind in {**law.arguments, **choice}.items():
        *tables, last = path.split(".")
        here = nested
        for table in tables:
            here = here.setdefault(table, {})
        here[last] = kind
    schema = _object(nested)
    name = {"const": law.name, "description": f"{law.description} ({law.source})"}
    every: dict[str, Any] = {
        key: pathway["properties"][key] for key in ("stoichiometry", "transporter", "charge", "gates")
    }
    every["transporter"] = every["transporter"] | {
        "enum": [t.name for t in TRANSPORTERS.values() if t.driven_by == law.driven_by]
    }
    if law.stoichiometries:
        every["stoichiometry"] = every["stoichiometry"] | {
            "enum": [dict(stoichiometry) for stoichiometry in law.stoichiometries]
        }
        ways: dict[str, Any] = {}
    else:
        ways = {"oneOf": [{"required": ["stoichiometry"]}, {"required": ["transporter"]}]}
    properties = {"law": name} | every | schema["properties"]
    return schema | ways | {"properties": properties, "required": ["law", *schema["required"]]}


def _own_rate(pathway: dict[str, Any]) -> dict[str, Any]:
    """A pathway that gives its stoichiometry, and its rate as a formula."""
    every = {
        key: pathway["properties"][key] for key in ("stoichiometry", "transporter", "charge", "driven_by", "gates")
    }
    every["transporter"] = every["transporter"] | {"enum": list(TRANSPORTERS)}
    return {
        "type": "object",
        "properties": every | {"rate": FORMULA_RATE.schema()},
        "required": ["rate"],
        "oneOf": [{"required": ["stoichiometry"]}, {"required": ["transporter"]}],
        "additionalProperties": False,
    }


def _channel(law: TableLaw, pathway: dict[str, Any]) -> dict[str, Any]:
    """A channel of one ion."""
    every = {key: pathway["properties"][key] for key in ("ion", "gates")}
    return {
        "type": "object",
        "properties": every | {law.table: law.kind.schema()},
        "required": ["ion", law.table],
        "additionalProperties": False,
    }


def _object(keys: dict[str, Any]) -> dict[str, Any]:
    every = {key: v.schema() if isinstance(v, Kind) else _object(v) for key, v in keys.items()}
    rest = every.pop(EVERY_ION, False)  # one for each ion
    return {"type": "object", "properties": every, "required": list(every), "additionalProperties": rest}
