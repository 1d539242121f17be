"""Entries of a protocol that repeat, tables of values, and protocols of many steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from iontide.equations.assembly import build_program
from iontide.formulas.formula import parse_formula
from iontide.model.model import Model, Parameter, ParameterStep, Pathway, Simulation
from iontide.model.schedule import segments_of, values_of
from iontide.scenario.jsonschema import json_schema
from iontide.simulation.prepare import prepare
from tests.support.effort import grows_in_proportion
from tests.support.models import by_name, p1
from tests.support.scenario_text import faults_of, model_of, run_of

TRAIN = """
[[protocol]]
from  = "10 ms"
to    = "15 ms"
every = "50 ms"
count = 10
inject = { into = "cell", current = "2 pA", carried_by = "K" }
"""
CURRENT = "injections.injection_1.current"


# -- trains -----------------------------------------------------------------------------------------------------------


def test_a_train_is_its_pulses():
    model = model_of(more=TRAIN)
    assert model.protocol[0] == ParameterStep(0.01, 0.015, {CURRENT: 2e-12})
    # To the last bit what one would write by hand, which a sum in doubles is not.
    assert [step.start for step in model.protocol] == [float(f"{10 + 50 * k}e-3") for k in range(10)]
    assert [step.end for step in model.protocol] == [float(f"{15 + 50 * k}e-3") for k in range(10)]


def test_a_train_of_fifty_milliseconds():
    model = model_of(more=TRAIN.replace('"10 ms"', '"0 ms"').replace('"15 ms"', '"5 ms"'))
    assert [step.start for step in model.protocol] == [float(f"{50 * k}e-3") for k in range(10)]


def test_a_train_without_a_count_goes_on_to_the_end():
    more = TRAIN.replace("count = 10\n", "").replace('"50 ms"', '"7 s"')
    model = model_of(more=more)
    assert [step.start for step in model.protocol] == [0.01 + 7 * k for k in range(15)]
    # The last may end with the run, but not after it.
    to_the_end = more.replace('"10 ms"', '"1 s"').replace('"15 ms"', '"2 s"')
    assert model_of(more=to_the_end).protocol[-1] == ParameterStep(99.0, 100.0, {CURRENT: 2e-12})
    over_it = to_the_end.replace('"2 s"', '"2.1 s"')
    assert model_of(more=over_it).protocol[-1].start == 92.0


def test_a_train_of_settings():
    more = TRAIN.replace('inject = { into = "cell", current = "2 pA", carried_by = "K" }', "") + (
        'set = { "parameters.P_K" = "0 m/s", "compartments.bath.K" = "40 mM" }\n'
    )
    model = model_of(more=more)
    assert len(model.protocol) == 10
    assert model.protocol[9].settings == {"P_K": 0.0, "compartments.bath.concentrations.K": 40.0}


def test_every_pulse_of_a_train_charges_the_membrane():
    run = run_of(('permeability = { K = "P_K" }', ""), ('"100 s"', '"600 ms"'), more=TRAIN)
    per_pulse = 2e-12 * 5e-3 / (1e-9 * 0.01)
    assert run.membrane_potential("plasma")[-1] == pytest.approx(-0.07 + 10 * per_pulse, rel=1e-9)


def test_faults_of_trains(subtests):
    for old, new, message in [
        ('"50 ms"', '"5 ms"', "every: must be longer than the repeated entry, which lasts 0.005 s, got 5 ms"),
        ('"50 ms"', '"4 ms"', "every: must be longer than the repeated entry, which lasts 0.005 s, got 4 ms"),
        ('"50 ms"', '"0 ms"', "every: must be greater than 0, got 0 ms"),
        ('"50 ms"', '"50 mM"', "every: mol/m^3 does not fit, an interval is s"),
        ('every = "50 ms"\n', "", "every: missing; count needs every, the interval between repeats"),
        ("count = 10", "count = 0", "count: must be ≥ 1, got 0"),
        ("count = 10", 'count = "10"', "count: must be a whole number, without quotes"),
        (
            "count = 10",
            "count = 3000",
            "count: repeat 2001 of 3000 would last from 100.01 s to 100.015 s, after the end",
        ),
        (
            'from  = "10 ms"\nto    = "15 ms"',
            'at = "1 s"',
            "every: a repeated entry needs from and to instead of at",
        ),
        ('"50 ms"\ncount = 10', '"6 ms"\ncoutn = 10', "coutn: no such key; did you mean count?"),
    ]:
        with subtests.test(message=message):
            found = faults_of(more=TRAIN.replace(old, new))
            assert any(fault.startswith(f"protocol.0.{message}") for fault in found), found


def test_a_protocol_of_too_many_steps():
    short = TRAIN.replace("count = 10\n", "").replace('"15 ms"', '"10.1 ms"').replace('"50 ms"', '"0.9 ms"')
    (fault,) = faults_of(more=short)
    assert fault.startswith("protocol.0.every: makes 111100 protocol steps, more than 100000")
    half = short.replace('"0.9 ms"', '"1.8 ms"')
    assert faults_of(more=half + half)[0].startswith("protocol.1.every: makes 111100 protocol steps")


def test_the_values_of_a_train_are_checked_once():
    more = TRAIN.replace('inject = { into = "cell", current = "2 pA", carried_by = "K" }', "")
    (fault,) = faults_of(more=more + 'set = { "parameters.P_K" = "-1e-8 m/s" }\n')
    assert fault.startswith("protocol.0.set: makes membranes.plasma.permeability.K -")


def test_the_schema_knows_trains():
    entry = json_schema()["$defs"]["ProtocolTable"]["properties"]
    assert entry["every"]["type"] == "string"
    assert entry["count"]["type"] == "integer"


# -- many segments ----------------------------------------------------------------------------------------------------


def slowly(model: Model) -> list[tuple[float, float, dict, dict]]:
    """Segments as one would find them without any thought of time: every step looked at in every segment."""
    times = {0.0, model.simulation.duration}
    for step in model.protocol:
        ends = (step.start, step.end, step.start + step.over if step.over else None)
        times |= {t for t in ends if t is not None and 0.0 < t < model.simulation.duration}
    found, origin = [], {}
    ordered = sorted(times)
    for start, end in pairwise(ordered):
        settings, slopes = {}, {}
        for number, step in enumerate(model.protocol):
            if step.over and step.start <= start:
                before = model.parameter_values(settings)
                after = model.parameter_values(settings | dict(step.settings))
                for name in step.settings:
                    first = origin.setdefault((number, name), before[name])
                    slope = (after[name] - first) / step.over
                    if start < step.start + step.over:
                        settings[name], slopes[name] = first + slope * (start - step.start), slope
                    else:
                        settings[name] = after[name]
                        slopes.pop(name, None)
            elif not step.over and step.start <= start and (step.end is None or start < step.end):
                settings.update(step.settings)
                for name in step.settings:
                    slopes.pop(name, None)
        found.append((start, end, settings, slopes))
    return found


VALUES = st.integers(1, 9).map(float) | st.sampled_from(["2 * d", "d + 1"]).map(parse_formula)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.none() | st.integers(1, 5),
        st.booleans(),
        st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1),
    ),
    max_size=9,
)


def model_with(protocol: list[ParameterStep]) -> Model:
    made = parse_formula("a + 2 * b")
    parameters = by_name([*(Parameter(name, 0.5) for name in "abd"), Parameter("c", made)])
    quantity = parse_formula("1e-9 * (a + b + c + 1)")
    first = Pathway("permeability.K", "ghk", {"K": 1}, {"": quantity})
    plasma = p1().membranes["plasma"]
    return replace(
        p1(),
        parameters=parameters,
        protocol=tuple(protocol),
        simulation=Simulation(10.0),
        membranes={"plasma": replace(plasma, pathways=(first, *plasma.pathways[1:]))},
    )


@given(STEPS)
def test_segments_and_values_are_those_of_the_slow_way(steps):
    protocol = [
        ParameterStep(float(start), None, settings, float(length))
        if ramped and length
        else ParameterStep(float(start), length and float(start + length), settings)
        for start, length, ramped, settings in steps
    ]
    try:
        model = model_with(protocol)
    except ValueError:  # c is set, and moves by itself
        reject()
    segments, expected = segments_of(model), slowly(model)
    assert [(s.start, s.end, dict(s.settings), dict(s.slopes)) for s in segments] == expected
    assert [dict(v) for v in values_of(model, segments)] == [model.values(s.settings) for s in segments]


def test_constants_of_many_segments_are_those_of_each():
    model = model_of(more=TRAIN)
    program = build_program(model)[1]
    prepared = prepare(model)
    for number in (0, 1, 2, -1):
        constants, mass = program.prepare(prepared.values[number])
        np.testing.assert_allclose(prepared.problem.constants[number], constants, rtol=1e-15)
        np.testing.assert_allclose(prepared.problem.mass[number], mass, rtol=1e-15)


def test_thousands_of_pulses_are_prepared_in_proportion():
    trains = {count: ('every = "50 ms"\ncount = 10', f'every = "10 ms"\ncount = {count}') for count in (500, 5000)}
    models = {count: model_of(more=TRAIN.replace(*train)) for count, train in trains.items()}

    def prepare_segments(count):
        segments = segments_of(models[count])
        values = values_of(models[count], segments)
        assert len(segments) == len(values) == 2 * count + 1

    assert grows_in_proportion(prepare_segments, 500, 5000)
