"""A small scenario as text, what becomes of it after changes, and a check of tables against a JSON Schema."""

from __future__ import annotations

import re

import pytest

import iontide
from iontide.errors import ScenarioError
from iontide.scenario.read import loads

CELL = """\
title = "A cell in a bath"

[parameters]
P_K = "4e-8 m/s"

[simulation]
duration = "100 s"
temperature = "37 degC"

[compartments.cell]
volume = "4 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }

[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "146 mM", Cl = "150 mM" }

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1000 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"
permeability = { K = "P_K" }
"""


def changed(text, *pairs, more=""):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text + more


def model_of(*pairs, more="", text=CELL):
    return loads(changed(text, *pairs, more=more)).model


def run_of(*pairs, more="", text=CELL):
    return iontide.run(loads(changed(text, *pairs, more=more)))


def faults_of(*pairs, more="", text=CELL):
    with pytest.raises(ScenarioError) as caught:
        loads(changed(text, *pairs, more=more))
    return [f"{fault.path}: {fault.message}" for fault in caught.value.faults]


def misfit(value, schema, root):
    """Why a value does not conform to a schema, by the few keywords that ours uses; None if it does."""
    if "$ref" in schema:
        return misfit(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for word, most in (("anyOf", None), ("oneOf", 1)):
        if word in schema:
            fitting = sum(misfit(value, choice, root) is None for choice in schema[word])
            if not fitting or (most and fitting > most):
                return f"{fitting} of {word} fit {value!r}"
    if "const" in schema and value != schema["const"]:
        return f"{value!r} is not {schema['const']!r}"
    if "enum" in schema and not any(value is word or value == word != 1 for word in schema["enum"]):
        return f"{value!r} is not in {schema['enum']}"
    types = {
        "string": str,
        "number": int | float,
        "integer": int,
        "boolean": bool,
        "object": dict,
        "array": list,
    }
    if "type" in schema:
        allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(isinstance(value, types[name]) for name in allowed):
            return f"{value!r} is no {allowed}"
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{value} is out of range"
    if isinstance(value, dict):
        missing = set(schema.get("required", [])) - set(value)
        if missing:
            return f"{missing} missing"
        pattern = schema.get("propertyNames", {}).get("pattern", "")
        for key, inner in value.items():
            below = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
            if below is False or not re.search(pattern, key):
                return f"{key} is not allowed"
            if below is not True and (fault := misfit(inner, below, root)):
                return f"{key}: {fault}"
    if isinstance(value, list):
        faults = [misfit(item, schema.get("items", {}), root) for item in value]
        return next((fault for fault in faults if fault), None)
    return None
