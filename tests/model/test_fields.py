"""The fields of a model: every quantity is listed, can be changed, and is part of the key of the tape."""

from __future__ import annotations

import pytest

import iontide
from iontide.equations.assembly import structure_of
from iontide.formulas.formula import Formula, parse_formula
from iontide.model.fields import fields_of, quantities_in, with_changed
from iontide.model.model import Model
from tests.support.paths import SCENARIO_FILES

MODELS = ["saetra_2020", "pump_leak_swelling", "voltage_clamp", "tracer_exchange", "calcium_store", "carbon_dioxide"]


@pytest.fixture(scope="module", params=MODELS)
def model(request) -> Model:
    return iontide.load(SCENARIO_FILES[request.param]).model


def test_paths_are_unique_and_each_quantity_is_where_its_path_says(model):
    listed = list(quantities_in(model))
    assert len({path for path, _ in listed}) == len(listed)
    expected = {f"parameters.{name}": p.value for name, p in model.parameters.items()}
    expected |= {
        f"membranes.{m.name}.{p.name}.{a}": q
        for m in model.membranes.values()
        for p in m.pathways
        for a, q in p.arguments.items()
        if a
    }
    expected |= {
        f"compartments.{c.name}.concentrations.{s}": q
        for c in model.compartments.values()
        for s, q in c.concentrations.items()
    }
    assert expected
    assert expected.items() <= dict(listed).items()


def test_each_quantity_can_be_changed_alone(model):
    paths = [path for path, quantity in quantities_in(model) if not isinstance(quantity, Formula)]
    assert paths
    for chosen in paths:
        other = with_changed(model, lambda path, quantity, chosen=chosen: 7.25 if path == chosen else quantity)
        differing = [a for (a, p), (_, q) in zip(quantities_in(model), quantities_in(other), strict=True) if p != q]
        assert differing == [chosen]


def test_the_key_of_the_tape_sees_formulas_of_time_and_no_numbers(model):
    key = structure_of(model)
    numbers = [path for path, quantity in quantities_in(model) if not isinstance(quantity, Formula)]
    # A capacitance of 0 is a different structure; events and clamps do not accept every number.
    numbers = [p for p in numbers if not p.endswith("capacitance") and not p.startswith(("events", "clamps"))]
    assert structure_of(with_changed(model, lambda path, q: q * 1.01 if path in numbers else q)) == key
    timed = parse_formula("t * 1 /s")
    for chosen in numbers[:: max(1, len(numbers) // 8)]:
        if not chosen.startswith("parameters"):
            other = with_changed(model, lambda path, q, chosen=chosen: timed if path == chosen else q)
            assert structure_of(other) != key, chosen


def test_every_field_of_a_model_is_on_the_tape_or_said_not_to_be():
    off = {f.name for f, _ in fields_of(Model) if not f.metadata.get("on_tape", True)}
    assert off == {"simulation", "protocol", "recording", "electrodes", "title", "description", "references"}
