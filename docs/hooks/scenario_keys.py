"""The keys of a scenario file, table by table, from the schema by which files are checked."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic_core import PydanticUndefined

from formula_names import GROUPS, group_of, places_read
from iontide.scenario.library.laws import FORMULA, TABLES
from iontide.scenario.schema.document import Document, PathwayTable
from iontide.scenario.schema.fields import Table
from iontide.scenario.schema.quantity_kinds import Kind
from iontide.scenario.text.size import CAPS
from markdown_tables import code, listed, table

#: What stands for a name that the author of the file chooses.
NAME, ION = "NAME", "ION"

#: Tables whose keys are species.
_BY_SPECIES = {
    "concentrations", "activity_coefficients", "permeability", "conductance", "reflection", "filling", "bridge",
    "selectivity", "diffusion_coefficients", "stoichiometry",
}  # fmt: skip


def _parts(annotation: Any) -> Iterator[Any]:
    """The types and marks that an annotation is made of, from the outside in."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        yield from marks
        yield from _parts(inner)
    elif origin in (Union, types.UnionType):
        for choice in get_args(annotation):
            yield from _parts(choice)
    else:
        yield annotation


def _one(annotation: Any, wanted: type) -> Any:
    return next((part for part in _parts(annotation) if isinstance(part, wanted)), None)


def _tables(annotation: Any) -> Iterator[type[Table]]:
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, Table):
            yield part


def _fields(owner: type[Table]) -> Iterator[tuple[str, Any, Any]]:
    """The keys of a table: each with its field and its whole annotation."""
    for name, field in owner.model_fields.items():
        annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        yield field.alias or name, field, annotation


def _walk(owner: type[Table], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[Table]]]:
    """Every table of a file with its path, the outer before the inner."""
    yield path, owner
    for key, _, annotation in _fields(owner):
        yield from _below(annotation, (*path, key), key)


def _below(annotation: Any, path: tuple[str, ...], key: str) -> Iterator[tuple[tuple[str, ...], type[Table]]]:
    for inner in _tables(annotation):
        yield from _walk(inner, path)
    for part in _parts(annotation):
        if get_origin(part) is dict:
            yield from _below(get_args(part)[1], (*path, ION if key in _BY_SPECIES else NAME), key)
        elif get_origin(part) is list:
            yield from _below(get_args(part)[0], path, key)


@cache
def quantity_keys() -> Mapping[tuple[str, ...], str]:
    """Every key of the schema that takes a quantity, and the group of names that a formula there may use.

    Raises
    ------
    LookupError
        The example file lacks a key of the schema.
    """
    groups = {}
    for path, owner in _walk(Document, ()):
        for key, _, annotation in _fields(owner):
            whole = (*path, key)
            for where in _quantities(annotation, whole, key):
                groups[where] = _group(where)
        if owner is PathwayTable:
            groups |= {(*path, key): _group((*path, key)) for key in _OF_LAWS}
    return groups


def _quantities(annotation: Any, path: tuple[str, ...], key: str) -> Iterator[tuple[str, ...]]:
    if _one(annotation, Kind) is not None:
        yield path
    for part in _parts(annotation):
        if get_origin(part) is dict:
            yield from _quantities(get_args(part)[1], (*path, ION if key in _BY_SPECIES else NAME), key)
        elif get_origin(part) is list:
            yield from _quantities(get_args(part)[0], path, key)


#: Keys of a pathway that its law asks for, which the schema leaves open.
_OF_LAWS = ("conductance", "permeability", "rate")


def _group(path: tuple[str, ...]) -> str:
    # These are read against what they name, by the rules of that place.
    if path[0] == "parameters" or path[-2:-1] in (("set",), ("ramp",)):
        return "parameters"
    if path[0] == "sweep":
        return "none"
    found = {group_of(place) for place in places_read() if _matches(path, place.path)}
    if not found:
        raise LookupError(f"docs/hooks/every_key.toml has no {'.'.join(path)}")
    return max(found, key=list(GROUPS).index)


def _matches(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    plain = tuple(part for part in path if not part.isdecimal())
    return len(plain) == len(pattern) and all(a in (NAME, ION, b) for a, b in zip(pattern, plain, strict=True))


def tables() -> str:
    """One section a table: its keys, what each takes, its default, what its formula may name, what it means."""
    parts, seen = [], set()
    for path, owner in _walk(Document, ()):
        if (path, owner) in seen:
            continue
        seen.add((path, owner))
        parts.append(_section(path, owner))
    return "\n".join(parts)


def _section(path: tuple[str, ...], owner: type[Table]) -> str:
    title = ".".join(path) or "At the top of the file"
    is_list = path[:1] in (("protocol",), ("events",)) and len(path) == 1
    shown = title if not path else code(f"[[{title}]]" if is_list else f"[{title}]")
    level = "##" if len(path) < 2 else "###"
    doc = (owner.__doc__ or "").strip().splitlines()[0]
    rows = [_row(path, key, field, annotation) for key, field, annotation in _fields(owner)]
    if owner is PathwayTable:
        rows += _rows_of_laws(path)
    limit = (
        f" At most {CAPS[path[0]]} in one file."
        if len(path) in (1, 2) and path[-1] in (NAME, path[0]) and path[0] in CAPS
        else ""
    )
    head = ["key", "value", "default", "formula", "meaning"]
    return f"{level} {shown} {{ #{anchor(path)} }}\n\n{doc}{limit}\n\n{table(head, rows)}"


def _rows_of_laws(path: tuple[str, ...]) -> list[list[str]]:
    """What a pathway holds besides, by the kind of pathway that it is."""
    kinds = {law.table: (law.kind, f"Of a channel (`ion`): {law.name} pathway of one ion") for law in TABLES.values()}
    kinds["rate"] = (FORMULA.arguments["rate"], "Of a pathway without `law`: cycles outward, as a formula")
    rows = []
    for key, (kind, meaning) in kinds.items():
        group = quantity_keys()[(*path, key)]
        rows.append([code(key), _kind_text(kind), "", f"[{GROUPS[group][0]}](formulas.md#names-{group})", meaning])
    others = "What the law asks for: see [Rate laws](laws.md)"
    return [*rows, ["…", "", "", "[membrane and gates](formulas.md#names-channel)", others]]


def anchor(path: tuple[str, ...]) -> str:
    """The anchor of a table."""
    return "-".join(path).lower() or "top"


def _row(path: tuple[str, ...], key: str, field: Any, annotation: Any) -> list[str]:
    keys = quantity_keys()
    groups = [keys[where] for where in _quantities(annotation, (*path, key), key) if where in keys]
    formula = f"[{GROUPS[groups[0]][0]}](formulas.md#names-{groups[0]})" if groups else ""
    kind = _one(annotation, Kind)
    meaning = field.description or (kind.noun[:1].upper() + kind.noun[1:] if kind else "")
    return [code(key), _value(annotation, (*path, key), key), _default(field), formula, meaning]


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value in (None, PydanticUndefined, {}, []) or isinstance(value, Table):
        return ""
    return code(
        {True: "true", False: "false"}.get(value, repr(value).replace("'", '"'))
        if isinstance(value, bool)
        else (f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"'))
    )


def _value(annotation: Any, path: tuple[str, ...], key: str) -> str:
    kind = _one(annotation, Kind)
    texts = [_kind_text(kind)] if kind else []
    bounds = _bounds(annotation)
    for part in _parts(annotation):
        origin = get_origin(part)
        if origin is Literal:
            texts.append(listed(f'"{v}"' if isinstance(v, str) else str(v).lower() for v in get_args(part)))
        elif origin is dict:
            inside = ION if key in _BY_SPECIES else NAME
            texts.append(f"a table: {inside} = {_value(get_args(part)[1], (*path, inside), key) or 'value'}")
        elif origin is list:
            texts.append(f"a list of {_value(get_args(part)[0], path, key) or 'values'}")
        elif isinstance(part, type) and issubclass(part, Table):
            texts.append(f"[{part.noun}](#{anchor(path)})")
        elif not kind and part in _PLAIN:
            texts.append(_PLAIN[part] + bounds)
    return " or ".join(dict.fromkeys(filter(None, texts)))


_PLAIN = {str: "text", int: "a whole number", float: "a number", bool: "`true`, `false`"}


def _bounds(annotation: Any) -> str:
    least, most = (
        next((getattr(part, name) for part in _flat(annotation) if isinstance(part, kind)), None)
        for kind, name in ((annotated_types.Ge, "ge"), (annotated_types.Le, "le"))
    )
    if least is None and most is None:
        return ""
    if most is None:
        return f" ≥ {least:g}"
    return f" from {least:g} to {most:g}"


def _flat(annotation: Any) -> Iterator[Any]:
    for part in _parts(annotation):
        yield part
        yield from getattr(part, "metadata", [])


def _kind_text(kind: Kind) -> str:
    unit = {None: "any unit", "": "a pure number"}.get(kind.unit, kind.unit or "")
    text = f"{code(chr(34) + kind.example + chr(34))} ({unit}{_range(kind)})"
    return text + "".join(f' or `"{word}"`' for word in kind.keywords)


def _range(kind: Kind) -> str:
    if kind.lowest is None:
        return ""
    low = f"{'≥' if kind.lowest_allowed else '>'} {kind.lowest:g}"
    return f", {low}" + (f", ≤ {kind.highest:g}" if kind.highest is not None else "")
