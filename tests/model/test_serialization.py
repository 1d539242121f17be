"""A model goes to JSON and comes back equal, in the same order; nonsense is refused in one sentence."""

import copy
import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iontide.formulas.formula import Formula, parse_formula
from iontide.formulas.units import Dimension
from iontide.model.model import (
    Compartment,
    Impermeant,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Recording,
    Simulation,
    Species,
)
from iontide.model.protocol import RECORDING_GROUPS
from iontide.model.serialization import canonical_json, model_from_json, model_to_json, run_id
from tests.support.models import closed_pair, p1, pump_leak, series

names = st.text(min_size=1, max_size=6)
floats = st.floats(allow_nan=False, allow_infinity=False)
formulas = st.sampled_from(["a", "2 mM * a", "max(a, b) / 3", "where(a < b, 1, 0)"]).map(parse_formula)
quantities = floats | formulas
exponents = st.integers(-4, 4) | st.fractions(min_value=-3, max_value=3, max_denominator=4).filter(
    lambda f: f.denominator > 1
)


def named(part, /, **fields):
    """Mapping of names to parts with these names."""
    return st.dictionaries(names, st.fixed_dictionaries(fields), max_size=3).map(
        lambda parts: {name: part(name=name, **rest) for name, rest in parts.items()}
    )


quantity_maps = st.dictionaries(names, quantities, max_size=3)


def consistent(parameters, protocol, recording, simulation, **rest):
    """A model of these parts, with what the model itself would refuse taken out: it is the writing that is tested."""
    settled = {n for n, p in parameters.items() if not isinstance(p.value, Formula)}
    steps = [replace(step, settings={n: v for n, v in step.settings.items() if n in settled}) for step in protocol]
    if recording.spacing == "list":
        times = tuple(sorted({t for t in recording.times if 0.0 <= t <= simulation.duration}))
        recording = replace(recording, times=times) if times else replace(recording, spacing="steps")
    return Model(
        parameters=parameters, protocol=tuple(steps), recording=recording, simulation=simulation, membranes={}, **rest
    )


models = st.builds(
    consistent,
    species=named(Species, valence=st.integers(-8, 8), ion_size=st.none() | floats, source=st.text()),
    compartments=named(
        Compartment,
        kind=st.sampled_from(["finite", "bath", "floating bath"]),
        volume=st.none() | quantities,
        concentrations=quantity_maps,
        impermeants=st.lists(
            st.builds(Impermeant, names, floats, concentration=st.none() | quantities, amount=st.none() | quantities),
            max_size=2,
        ).map(tuple),
        activity_coefficients=quantity_maps,
    ),
    simulation=st.builds(Simulation, floats, floats, st.booleans(), st.integers(0, 10**15)),
    temperature=quantities,
    parameters=named(
        Parameter, value=quantities, dimension=st.lists(exponents, min_size=6, max_size=6).map(lambda e: Dimension(*e))
    ),
    protocol=st.lists(st.builds(ParameterStep, floats, st.none() | floats, quantity_maps), max_size=2).map(tuple),
    recording=st.builds(
        Recording,
        st.sampled_from(["linear", "log", "list", "steps"]),
        st.integers(2, 10**8),
        st.none() | floats,
        st.lists(floats, max_size=3).map(tuple),
        st.none() | st.lists(st.sampled_from(list(RECORDING_GROUPS)), max_size=3).map(tuple),
    ),
    title=st.text(),
    description=st.text(),
    references=st.lists(st.text(), max_size=2).map(tuple),
)


def there_and_back(model):
    return model_from_json(json.loads(canonical_json(model_to_json(model))))


def ordered(value):
    """Everything in a model with the order of its mappings, and with the sign of zero."""
    return repr(value)


@given(models)
def test_round_trip_is_lossless(model):
    again = there_and_back(model)
    assert again == model
    assert ordered(again) == ordered(model)


@pytest.mark.parametrize("make", [p1, pump_leak, series, closed_pair])
def test_round_trip_of_whole_models(make):
    assert ordered(there_and_back(make())) == ordered(make())


@pytest.mark.parametrize("potential", [None, "ghk", -0.07, parse_formula("v")])
def test_every_form_of_a_potential(potential):
    model = p1()
    plasma = replace(model.membranes["plasma"], potential=potential)
    model = replace(model, membranes={"plasma": plasma})
    assert there_and_back(model).membranes["plasma"].potential == potential


def test_fractional_dimensions_survive():
    parameter = Parameter("a", 1.0, Dimension(m=Fraction(1, 2), s=-1))
    assert there_and_back(replace(p1(), parameters={"a": parameter})).parameters["a"] == parameter


def test_order_of_compartments_survives_sorted_keys():
    model = series()
    swapped = replace(model, compartments=dict(reversed(model.compartments.items())))
    assert list(there_and_back(swapped).compartments) == ["right", "middle", "left"]
    assert run_id(swapped) != run_id(model)


def test_whole_numbers_and_lists_come_back_as_the_model_declares_them():
    pathway = Pathway("permeability.K", "ghk", {"K": 1}, {"": 1})
    model = replace(p1(), membranes={"m": Membrane("m", "cell", "bath", 1, 1, 0, [pathway])})
    again = there_and_back(model).membranes["m"]
    assert (type(again.area), type(again.pathways)) == (float, tuple)


def test_run_id_depends_on_the_last_digit_and_on_nothing_else():
    model = p1()
    assert run_id(model) == run_id(p1())
    assert len(run_id(model)) == 16
    assert run_id(replace(model, temperature=310.15000000000003)) != run_id(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_not_written(value):
    with pytest.raises(ValueError, match=r"model\.temperature must be finite"):
        model_to_json(replace(p1(), temperature=value))


def damaged(path, value):
    document = copy.deepcopy(model_to_json(pump_leak()))
    at = document
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["model_version"], 2, "version 2, but this iontide reads version 1"),
        (["model_version"], True, "version True"),
        (["model"], [], "model must be a model"),
        (["model", "surprise"], 1, "surprise, which this version of iontide does not know"),
        (["model", "simulation"], ..., r"model\.simulation is missing"),
        (["model", "temperature"], "310 K", "must be a finite number"),
        (["model", "temperature"], True, "must be a finite number"),
        (["model", "temperature"], float("nan"), "must be a finite number"),
        (["model", "temperature"], 10**400, "must be a finite number"),
        (["model", "temperature"], {"formula": "1 +"}, "."),
        (["model", "temperature"], {"formula": "1", "more": 1}, "must be a formula"),
        (["model", "title"], None, "must be text"),
        (["model", "recording", "spacing"], "cubic", "must be one of linear, log, list, steps"),
        (["model", "recording", "points"], 3.0, "must be a whole number"),
        (["model", "species"], {}, "must be a list"),
        (["model", "species", 0], ["K"], "must be a pair"),
        (["model", "species", 0, 0], "Na", "must be the name"),
        (["model", "species", 0, 1, "valence"], 1.0, "must be a whole number"),
        (["model", "parameters", 0, 1, "dimension"], [0, 0], "must be 6 exponents"),
        (["model", "parameters", 0, 1, "dimension"], ["1/0"] * 6, "must be exponents"),
        (["model", "membranes", 0, 1, "inside"], "nowhere", "there is no compartment nowhere"),
    ],
)
def test_nonsense_is_refused(path, value, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        model_from_json(damaged(path, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"model": {}}, {"model_version": 1, "model": {}, "x": 1}])
def test_a_document_that_is_not_a_model_is_refused(document):
    with pytest.raises(ValueError, match="this is not a model of iontide"):
        model_from_json(document)
