"""Lossless conversion of a model to JSON and back: the resolved model as a result file stores it.

The JSON follows the dataclasses of ``model`` field by field, driven by their annotations, so that a field added there
is written and read without a change here. An ordered mapping is a list of ``[key, value]`` pairs, because the order
of compartments and species is the order of the state vector and JSON objects have none; a formula is
``{"formula": text}``; a dimension the list of its exponents of (kg, m, s, A, K, mol), a fraction as ``"1/2"``.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from typing import Any, Literal, Union, get_args, get_origin

from ..formulas.formula import Formula, parse_formula
from ..formulas.units import Dimension
from .fields import fields_of
from .model import Model

#: Increased by changes that an older reader could misinterpret; not by a new field with a default.
VERSION = 1


def model_to_json(model: Model) -> dict[str, Any]:
    """A model as dicts, lists, strings and numbers, fit for ``json.dumps``.

    Raises
    ------
    ValueError
        If a number is not finite, or the key of a part differs from its name.
    """
    return {"model_version": VERSION, "model": _encode(model, Model, "model")}


def model_from_json(document: Any) -> Model:
    """The model from which ``model_to_json`` made the document, equal and in the same order.

    Raises
    ------
    ValueError
        One sentence: the place in the document and the fault.
    """
    if not isinstance(document, dict) or set(document) != {"model_version", "model"}:
        raise ValueError("this is not a model of iontide: it must have the keys model_version and model, and no others")
    if type(document["model_version"]) is not int or document["model_version"] != VERSION:
        raise ValueError(
            f"the model has version {str(document['model_version'])[:40]}, but this iontide reads version {VERSION}"
        )
    model: Model = _decode(document["model"], Model, "model")
    return model


def canonical_json(document: Any) -> str:
    """The one JSON text of a document: sorted keys, no blanks, ASCII, every float with all its digits."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def run_id(model: Model) -> str:
    """Sixteen hexadecimal digits that identify the resolved model: equal for two runs of the same model."""
    return run_id_of_text(canonical_json(model_to_json(model)))


def run_id_of_text(canonical: str) -> str:
    """``run_id`` from the canonical JSON text of a model."""
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:16]


def _encode(value: Any, kind: Any, place: str) -> Any:
    if isinstance(value, Formula):
        return {"formula": value.text}
    if isinstance(value, Dimension):
        return [e if isinstance(e, int) else str(e) for e in value.exponents]
    if value is None or isinstance(value, str | bool):
        return value
    if get_origin(kind) in (Union, types.UnionType):
        kind = next((k for k in get_args(kind) if k in (float, int)), _container(kind))
    if kind is float:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{place} must be finite, got {number}")
        return number
    if kind is int:
        return int(value)
    if is_dataclass(kind):
        return {f.name: _encode(getattr(value, f.name), t, f"{place}.{f.name}") for f, t in fields_of(kind)}  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        return [_encode(item, get_args(kind)[0], f"{place}[{i}]") for i, item in enumerate(value)]
    if get_origin(kind) is Mapping:
        for key, item in value.items():
            if getattr(item, "name", key) != key:
                raise ValueError(f"{place}: the key of {item.name} is {key}; it must be the name")
        return [[key, _encode(item, get_args(kind)[1], f"{place}.{key}")] for key, item in value.items()]
    raise TypeError(f"{place}: fields of type {kind} cannot be written as JSON; add the type to serialization")


def _container(union: Any) -> Any:
    """The member of a union that is a tuple, a mapping or a dataclass, for values that are not scalars."""
    return next((k for k in get_args(union) if get_origin(k) in (tuple, Mapping) or is_dataclass(k)), None)


def _decode(value: Any, kind: Any, place: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(value, get_args(kind), place)
    if origin is Literal:
        if isinstance(value, str) and value in get_args(kind):
            return value
        raise _fault(place, "one of " + ", ".join(map(str, get_args(kind))), value)
    if origin is tuple:
        return tuple(_decode(v, get_args(kind)[0], f"{place}[{i}]") for i, v in enumerate(_list(value, place)))
    if origin is Mapping:
        return _decode_mapping(value, get_args(kind)[1], place)
    if kind is float:
        if type(value) in (float, int) and abs(value) <= sys.float_info.max:
            return float(value)
        raise _fault(place, "a finite number", value)
    if kind in (int, bool, str):
        if type(value) is kind:
            return value
        raise _fault(place, {int: "a whole number", bool: "true or false", str: "text"}[kind], value)
    if kind is Formula:
        if isinstance(value, dict) and set(value) == {"formula"} and isinstance(value["formula"], str):
            return parse_formula(value["formula"])
        raise _fault(place, "a formula", value)
    if kind is Dimension:
        return _decode_dimension(value, place)
    return _decode_dataclass(value, kind, place)


def _decode_union(value: Any, kinds: tuple[Any, ...], place: str) -> Any:
    """Decode a value of a union; its JSON form identifies the member, because no two members share one."""
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, dict) and Formula in kinds:
        return _decode(value, Formula, place)
    if isinstance(value, str):
        texts = [k for k in kinds if k is str or get_origin(k) is Literal]
        if texts:
            return _decode(value, texts[0], place)
    rest = [k for k in kinds if k not in (Formula, str, type(None)) and get_origin(k) is not Literal]
    if not rest:
        raise _fault(place, "text or nothing", value)
    return _decode(value, rest[0], place)


def _decode_mapping(value: Any, kind: Any, place: str) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for i, pair in enumerate(_list(value, place)):
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise _fault(f"{place}[{i}]", "a pair of a name and a value", pair)
        name, item = pair[0], _decode(pair[1], kind, f"{place}.{pair[0]}")
        if name in mapping:
            raise ValueError(f"{place}: {name[:80]} occurs twice")
        if getattr(item, "name", name) != name:
            raise ValueError(f"{place}: the key of {item.name[:80]} is {name[:80]}; it must be the name")
        mapping[name] = item
    return mapping


def _decode_dimension(value: Any, place: str) -> Dimension:
    exponents: list[int | Fraction] = []
    for item in _list(value, place):
        if isinstance(item, str) and len(item) <= 12:
            try:
                fraction = Fraction(item)
            except (ValueError, ZeroDivisionError):
                raise _fault(place, "exponents", item) from None
            exponents.append(int(fraction) if fraction.denominator == 1 else fraction)
        else:
            exponents.append(_decode(item, int, place))
    if len(exponents) != len(fields(Dimension)):
        raise _fault(place, f"{len(fields(Dimension))} exponents", value)
    return Dimension(*exponents)


def _decode_dataclass(value: Any, kind: type, place: str) -> Any:
    if not isinstance(value, dict):
        raise _fault(place, f"a {kind.__name__.lower()}", value)
    rest = dict(value)
    arguments = {}
    for f, hint in fields_of(kind):
        if f.name in rest:
            arguments[f.name] = _decode(rest.pop(f.name), hint, f"{place}.{f.name}")
        elif f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{place}.{f.name} is missing")
    if rest:
        raise ValueError(f"{place} has {str(next(iter(rest)))[:80]}, which this version of iontide does not know")
    return kind(**arguments)


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise _fault(place, "a list", value)
    return value


def _fault(place: str, expected: str, value: Any) -> ValueError:
    shown = repr(value)
    return ValueError(f"{place[:200]} must be {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}")
