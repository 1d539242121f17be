"""Tables of values in a protocol: in steps, in straight lines, of any target; and what is wrong with them."""

from __future__ import annotations

import numpy as np

import iontide
from iontide.model.model import ParameterStep
from iontide.model.schedule import segments_of, values_of
from iontide.scenario.jsonschema import json_schema
from iontide.scenario.read import loads
from iontide.storage import open_trajectory
from tests.support.effort import grows_in_proportion
from tests.support.scenario_text import CELL, changed, faults_of, model_of, run_of

STEPS = """
[[protocol]]
at = "10 s"
table = { times = ["0 s", "10 s", "30 s"], "parameters.P_K" = ["1e-8 m/s", "0 m/s", "2e-8 m/s"], between = "steps" }
"""
LINES = """
[[protocol]]
at = "10 s"
[protocol.table]
times = ["0 s", "20 s", "50 s", "60 s"]
"compartments.bath.K" = ["4 mM", "40 mM", "40 mM", "10 mM"]
"simulation.temperature" = ["37 degC", "27 degC", "37 degC", "40 degC"]
"""
KNOTS = [0.0, 10.0, 30.0, 60.0, 70.0, 100.0]


def test_a_table_of_steps():
    model = model_of(more=STEPS)
    assert model.protocol == (
        ParameterStep(10.0, 20.0, {"P_K": 1e-8}),
        ParameterStep(20.0, 40.0, {"P_K": 0.0}),
        ParameterStep(40.0, None, {"P_K": 2e-8}),
    )
    assert [(s.start, dict(s.settings)) for s in segments_of(model)] == [
        (0.0, {}), (10.0, {"P_K": 1e-8}), (20.0, {"P_K": 0.0}), (40.0, {"P_K": 2e-8}),
    ]  # fmt: skip
    assert not model.moving


def test_a_table_of_lines():
    run = run_of(("4e-8 m/s", "4e-6 m/s"), more=LINES)
    expected = np.interp(run.time, KNOTS, [4.0, 4.0, 40.0, 40.0, 10.0, 10.0])
    np.testing.assert_allclose(run.concentration("bath", "K"), expected, rtol=1e-12)
    kelvin = np.interp(run.time, KNOTS, [310.15, 310.15, 300.15, 310.15, 313.15, 313.15])
    np.testing.assert_allclose(run.temperature, kelvin, rtol=1e-12)
    assert [s.start for s in run.run.segments] == KNOTS[:-1]


def test_before_a_table_begins_nothing_changes_and_then_it_is_at_its_first_value():
    more = LINES.replace('"0 s", "20 s"', '"5 s", "20 s"').replace('["4 mM"', '["8 mM"')
    run = run_of(more=more)
    k = run.concentration("bath", "K")
    assert set(k[run.time < 15.0]) == {4.0}
    assert k[run.segment == 1][0] == 8.0
    inside = (run.time > 15.0) & (run.time < 30.0)
    np.testing.assert_allclose(k[inside], np.interp(run.time[inside], [15.0, 30.0], [8.0, 40.0]), rtol=1e-12)


def test_lines_are_ramps():
    """The same as written with ramp, one after the other."""
    ramps = "".join(
        f'\n[[protocol]]\nat = "{at} s"\nramp = {{ "compartments.bath.K" = "{k} mM", over = "{over} s" }}\n'
        for at, k, over in ((10, 40, 20), (60, 10, 10))
    )
    table = "\n".join(line for line in LINES.splitlines() if "temperature" not in line)
    a, b = run_of(more=table), run_of(more=ramps)
    np.testing.assert_allclose(a.states[-1], b.states[-1], rtol=1e-7)


def test_values_may_be_formulas_and_a_later_entry_counts():
    more = STEPS.replace('"2e-8 m/s"', '"P_K / 2"').replace('P_K" =', 'P" =') + (
        '\n[[protocol]]\nfrom = "15 s"\nto = "25 s"\nset = { "parameters.P" = "7e-8 m/s" }\n'
    )
    run = run_of(('P_K = "4e-8 m/s"', 'P_K = "4e-8 m/s"\nP = "P_K"'), ('{ K = "P_K" }', '{ K = "P" }'), more=more)
    p = run.parameter("P")
    for moment, value in ((5.0, 4e-8), (12.0, 1e-8), (22.0, 7e-8), (30.0, 0.0), (50.0, 2e-8)):
        assert p[np.searchsorted(run.time, moment)] == value


def test_a_table_goes_through_a_file(tmp_path):
    run = run_of(more=LINES)
    again = open_trajectory(run.save(tmp_path / "table.h5"))
    assert again.model == run.model
    np.testing.assert_array_equal(again.temperature, run.temperature)


def test_a_table_is_overridden():
    text = changed(CELL, more=STEPS)
    values = ["3e-8 m/s", "3e-8 m/s", "3e-8 m/s"]
    model = loads(text, set={"protocol.0.table.parameters.P_K": values}).model
    assert [step.settings["P_K"] for step in model.protocol] == [3e-8] * 3
    assert loads(text, set={"protocol.0.table.between": "lines"}).model.ramped == {"P_K"}


def test_faults_of_tables(subtests):
    for old, new, message in [
        (', "2e-8 m/s"]', "]", "table.parameters.P_K: needs a value for each of the 3 times, got 2"),
        (
            '"10 s", "30 s"',
            '"30 s", "10 s"',
            "table.times.2: the times of a table must increase; 10 s comes after 30 s",
        ),
        ('"10 s", "30 s"', '"10 s", "91 s"', "table.times.2: must not be after the end, 100 s, but at plus this time"),
        ('["0 s", "10 s", "30 s"]', "[]", "table.times: a table needs at least one time"),
        ('"10 s", "30 s"', '"10 s", 30', 'table.times.2: a time needs a unit (as "20 s"), got 30'),
        ('"10 s", "30 s"', '"10 mV", "30 s"', "table.times.1: V does not fit, a time is s"),
        ('"0 m/s"', '"0 mV"', "table.parameters.P_K.1: V does not fit, the parameter P_K is m/s"),
        ('"0 m/s"', "0", "table.parameters.P_K.1: the parameter P_K needs a unit"),
        ('"0 m/s"', '"-1e-8 m/s"', "table.parameters.P_K.1: makes membranes.plasma.permeability.K -"),
        ('"0 m/s"', "true", "table.parameters.P_K.1: a parameter is written in quotes"),
        ('"0 m/s"', '"1e-8 m/s * t / 1 s"', "table.parameters.P_K.1: no such parameter as t"),
        (
            '["1e-8 m/s", "0 m/s", "2e-8 m/s"]',
            '"1e-8 m/s"',
            "table.parameters.P_K: must be a list of values, one for each",
        ),
        ("parameters.P_K", "parameters.P_Na", "table.parameters.P_Na: no such parameter as P_Na (parameters are P_K)"),
        ("parameters.P_K", "compartments.cell.K", "table.compartments.cell.K: cell is not a bath"),
        (
            'between = "steps"',
            'between = "stpes"',
            'table.between: must be "lines" or "steps", got "stpes"; did you mean',
        ),
        (
            'between = "steps"',
            'betwen = "steps"',
            "table.betwen: must be a list of values, one for each time; did you mean",
        ),
        ('at = "10 s"', 'from = "10 s"\nto = "20 s"', "from: a table has at instead of from and to"),
        ("times =", "time =", "table.times: missing"),
        ('"parameters.P_K" = ["1e-8 m/s", "0 m/s", "2e-8 m/s"], ', "", "table: names nothing to change"),
    ]:
        with subtests.test(message=message):
            assert old in STEPS
            found = faults_of(more=STEPS.replace(old, new))
            assert any(fault.startswith(f"protocol.0.{message}") for fault in found), found


def test_lines_need_two_times_and_what_is_ramped_stands_nowhere_else():
    one = STEPS.replace(', between = "steps"', "").replace(', "10 s", "30 s"', "").replace(', "0 m/s", "2e-8 m/s"', "")
    assert "at least two times" in faults_of(more=one)[0]
    capacity = ('"1 uF/cm^2"', '"1 uF/cm^2 * P_K / 4e-8 m/s"')
    lines = STEPS.replace(', between = "steps"', "").replace("0 m/s", "5e-8 m/s")
    assert "this value must be constant during the run, but P_K is ramped" in faults_of(capacity, more=lines)[0]


def test_the_schema_knows_tables():
    table = json_schema()["$defs"]["ValuesTable"]
    assert {"times", "between"} <= table["properties"].keys()
    assert table["required"] == ["times"]
    assert table["additionalProperties"]["type"] == "array"


def test_a_long_table_is_read_and_prepared_in_proportion():
    models = {}

    def read(rows):
        times = ", ".join(f'"{k} ms"' for k in range(rows))
        values = ", ".join(f'"{4 + k % 7} mM"' for k in range(rows))
        more = f'\n[[protocol]]\nat = "1 s"\ntable = {{ times = [{times}], "compartments.bath.K" = [{values}] }}\n'
        models[rows] = model_of(more=more)

    def prepare_segments(rows):
        segments = segments_of(models[rows])
        values_of(models[rows], segments)
        assert len(segments) == rows + 1

    assert grows_in_proportion(read, 500, 5000)
    assert grows_in_proportion(prepare_segments, 500, 5000)
    assert len(iontide.run(models[5000])) > 5000
