"""The engine of sweeps: points of a block against single runs of the same scenario, and what is kept of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import iontide
from iontide.analysis.classification import KINDS, verdict_of
from iontide.errors import IontideError
from iontide.formulas.formula import Formula
from iontide.scenario.read import loads
from iontide.sweeps.compute.batch_inputs import ModelBatch
from iontide.sweeps.compute.block import DONE, EXCLUDED, FAILED, STEADY
from iontide.sweeps.compute.engine import Engine
from iontide.sweeps.compute.groups import ModelGroups
from iontide.sweeps.compute.model_variants import with_values
from iontide.sweeps.plan.outputs import bytes_per_point, check_outputs, quantities_by_name
from iontide.sweeps.plan.plan import Plan, load_plan
from tests.support.paths import SCENARIO_FILES
from tests.support.random_models import models

#: With a protocol of two hours.
CELL = (SCENARIO_FILES["pump_leak_cell"]).read_text(encoding="utf-8")
PUMPED = """
vary = { "parameters.pump_rate" = { log = ["1e-7 mol/m^2/s", "1e-5 mol/m^2/s"], points = 6 },
         "parameters.P_K" = { log = ["1e-8 m/s", "1e-7 m/s"], points = 5 } }
"""


def plan_of(tmp_path: Path, scenario: str, sweep: str, **given) -> Plan:
    """A plan from the text of a scenario and of its table ``[sweep]``."""
    path = tmp_path / "scenario.toml"
    one_line = sweep.replace(",\n", ", ")
    path.write_text(f"{scenario}\n[sweep]\n{one_line}", encoding="utf-8")
    return load_plan(path, **given)


def single(plan: Plan, point: int):
    """The run of one point, as a person would make it."""
    return iontide.run(plan.scenario_of(point))


def same(a, b) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


# -- points against single runs ---------------------------------------------------------------------------------------


def test_every_point_is_the_run_that_a_person_would_make(tmp_path):
    keep = 'keep = ["end", "verdict", "plasma.V", "max(plasma.V)", "min(plasma.V)", "mean(cell.Na)", "range(cell.K)", '
    keep += '"time_of_min(plasma.V)", "trajectory(plasma.V)", "plasma.E.K"]'
    plan = plan_of(tmp_path, CELL, PUMPED + keep)
    block = Engine(plan).block(0, plan.size)
    assert plan.size == 30
    assert (block.status == DONE).all()
    assert not block.messages
    outputs = {name: k.values for name, k in block.outputs.items()}
    for point in (0, 7, 29):
        run = single(plan, point)
        v, time = 1e3 * run.membrane_potential("plasma"), run.time
        # Between single run and lane the last bits differ, and steps with them: by some tolerances.
        near = {"rtol": 1e-6, "atol": 1e-6}
        np.testing.assert_allclose(outputs["end"][point], run.run.end_state, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(outputs["trajectory(plasma.V)"][point], v, **near)
        np.testing.assert_allclose(block.coordinates["time"].values, time)
        np.testing.assert_allclose(outputs["plasma.V"][point], v[-1], **near)
        np.testing.assert_allclose(outputs["max(plasma.V)"][point], v.max(), **near)
        np.testing.assert_allclose(outputs["min(plasma.V)"][point], v.min(), **near)
        reversal = 1e3 * run.reversal_potential("plasma", "K")[-1]
        np.testing.assert_allclose(outputs["plasma.E.K"][point], reversal, **near)
        na, k = run.concentration("cell", "Na"), run.concentration("cell", "K")
        np.testing.assert_allclose(outputs["mean(cell.Na)"][point], np.trapezoid(na, time) / time[-1], **near)
        np.testing.assert_allclose(outputs["range(cell.K)"][point], k.max() - k.min(), **near)
        assert outputs["time_of_min(plasma.V)"][point] in time
        assert KINDS[outputs["verdict"][point]] == verdict_of(run).kind
        assert block.steps[point] == pytest.approx(run.statistics.steps, abs=2)
    assert block.outputs["max(plasma.V)"].unit == "mV"
    assert block.coordinates["state"].categories == tuple(single(plan, 0).run.layout.names)


def test_a_point_is_the_same_in_any_stretch_to_the_last_bit(tmp_path):
    plan = plan_of(tmp_path, CELL, PUMPED + 'keep = ["end", "verdict", "max(plasma.V)", "trajectory(cell.K)"]')
    engine = Engine(plan)
    whole = engine.block(0, 30)
    for start, stop in ((0, 7), (7, 30), (29, 30), (3, 20)):
        part = Engine(plan).block(start, stop)
        for name, outputs in part.outputs.items():
            assert same(outputs.values, whole.outputs[name].values[start:stop]), name
        for name in ("status", "time", "steps"):
            assert same(getattr(part, name), getattr(whole, name)[start:stop]), name


def test_words_and_settings_are_models_of_their_own(tmp_path):
    sweep = """
vary = { "compartments.cell.activity" = ["ideal", "debye_hueckel"], "compartments.bath.activity" = ["ideal", "davies"],
         "simulation.duration" = ["2 h", "2.5 h"], "parameters.P_K" = ["2e-8 m/s", "4e-8 m/s"] }
keep = ["plasma.V", "plasma.E.K"]
"""
    plan = plan_of(tmp_path, CELL, sweep)
    block = Engine(plan).block(0, plan.size)
    assert plan.size == 16
    assert (block.status == DONE).all()
    assert set(block.time) == {7200.0, 9000.0}
    for point in range(0, 16, 5):
        run = single(plan, point)
        assert block.outputs["plasma.V"].values[point] == pytest.approx(
            1e3 * run.membrane_potential("plasma")[-1], rel=1e-6
        )
        reversal = 1e3 * run.reversal_potential("plasma", "K")[-1]
        assert block.outputs["plasma.E.K"].values[point] == pytest.approx(reversal, rel=1e-6)
    assert len(set(block.outputs["plasma.E.K"].values)) == 16


def test_what_is_one_number_of_the_model_is_told_from_what_is_more(tmp_path):
    text = CELL.replace(
        'A = { concentration = "140 mM", valence = -1 }', 'A = { concentration = "balance", valence = -1 }'
    )
    vary = {
        "parameters.P_K": '["2e-8 m/s", "3e-8 m/s"]',
        "compartments.cell.concentrations.K": '["90 mM", "110 mM"]',
        "compartments.cell.volume": '["4 pL", "5 pL"]',
        "simulation.rtol": "[1e-6, 1e-7]",
        "simulation.temperature": '["36 degC", "38 degC"]',
    }
    told = ", ".join(f'"{path}" = {values}' for path, values in vary.items())
    structure = ModelGroups(plan_of(tmp_path, text, f'vary = {{ {told} }}\nkeep = ["end"]'))
    assert structure._paths == [
        *("parameters.P_K", "compartments.cell.concentrations.K", "compartments.cell.volume", "simulation.temperature")
    ]


def test_models_with_events_are_run_one_by_one(tmp_path):
    text = (SCENARIO_FILES["spike_feedback"]).read_text(encoding="utf-8")
    model = loads(text).model
    path = next(p for p, v in model.quantities() if p.startswith("parameters.") and isinstance(v, float))
    membrane = next(iter(model.membranes))
    sweep = f'vary = {{ "{path}" = {{ times = [0.9, 1.0] }} }}\nkeep = ["{membrane}.V", "max({membrane}.V)", "verdict"]'
    plan = plan_of(tmp_path, text, sweep)
    block = Engine(plan).block(0, 2)
    for point in range(2):
        run = single(plan, point)
        v = 1e3 * run.membrane_potential(membrane)
        assert block.outputs[f"max({membrane}.V)"].values[point] == v.max()
        assert block.outputs[f"{membrane}.V"].values[point] == v[-1]
        assert block.time[point] == run.run.end_time


def test_events_are_counted_and_those_that_only_record_change_nothing(tmp_path):
    text = (SCENARIO_FILES["hodgkin_huxley"]).read_text(encoding="utf-8")
    membrane = next(iter(loads(text).model.membranes))
    event = "spike"
    text += f'\n[[events]]\nwhen = "V rises through 0 mV"\nrecord = "{event}"\n'
    sweep = 'vary = {{ "simulation.temperature" = ["6 degC", "7 degC"] }}\nkeep = [{keep}]'
    both = f'"count({event})", "first({event})", "{membrane}.V"'
    counted = Engine(plan_of(tmp_path, text, sweep.format(keep=both))).block(0, 2)
    plan = plan_of(tmp_path, text, sweep.format(keep=f'"{membrane}.V"'))
    plain = Engine(plan).block(0, 2)
    for point in range(2):
        times = single(plan, point).event_times(event)
        assert counted.outputs[f"count({event})"].values[point] == len(times)
        assert counted.outputs[f"first({event})"].values[point] == times[0]
    v = f"{membrane}.V"
    np.testing.assert_allclose(plain.outputs[v].values, counted.outputs[v].values, rtol=1e-4)
    told = list(check_outputs(plan.scenario.model, ["count(nothing)"]))
    assert told == ["count(nothing): there is no such event; there are spike"]


# -- what becomes of a point ------------------------------------------------------------------------------------------


def test_a_poison_point_fails_with_its_sentence_and_the_others_are_what_they_are(tmp_path):
    """Too much Cl for little K and Na: no anion is left to balance them, and the point has no start."""
    text = CELL.replace('concentration = "140 mM"', 'concentration = "balance"')
    sweep = """
vary = { "compartments.cell.concentrations.K" = ["100 mM", "60 mM", "20 mM"],
         "compartments.cell.concentrations.Na" = ["50 mM", "30 mM", "5 mM"],
         "compartments.cell.concentrations.Cl" = ["10 mM", "35 mM", "60 mM"] }
keep = ["plasma.V", "end"]
"""
    plan = plan_of(tmp_path, text, sweep)
    block = Engine(plan).block(0, 27)
    k, na, cl = plan.values(0, 27).T
    poison = k + na < cl
    assert 0 < poison.sum() < 5
    np.testing.assert_array_equal(block.status, np.where(poison, FAILED, DONE))
    assert list(block.messages) == np.flatnonzero(poison).tolist()
    assert all("cannot balance" in told for told in block.messages.values())
    assert np.isnan(block.outputs["end"].values[poison]).all()
    assert np.isnan(block.outputs["plasma.V"].values[poison]).all()
    for start, stop in ((0, 9), (9, 18), (18, 27)):
        assert same(Engine(plan).block(start, stop).outputs["end"].values, block.outputs["end"].values[start:stop])


def test_runs_that_cannot_go_on_fail_with_what_a_single_run_would_say(tmp_path):
    plan = plan_of(tmp_path, CELL, PUMPED + 'keep = ["end"]', set={"simulation.max_steps": 110})
    block = Engine(plan).block(0, 30)
    assert {FAILED, DONE} == set(block.status.tolist())
    for point in list(block.messages)[:2]:
        with pytest.raises(IontideError) as error:
            single(plan, point)
        assert "110 steps were not enough" in block.messages[point]
        assert block.messages[point].split(" s: ")[1] in str(error.value)


def test_points_that_do_not_meet_a_constraint_keep_their_number(tmp_path):
    plan = plan_of(tmp_path, CELL, PUMPED + 'keep = ["plasma.V"]\nwhere = ["parameters.P_K > 3e-8 m/s"]')
    block = Engine(plan).block(0, 30)
    out = block.status == EXCLUDED
    assert 0 < out.sum() < 30
    np.testing.assert_array_equal(out, plan.excluded(0, 30))
    assert np.isnan(block.outputs["plasma.V"].values[out]).all()
    assert np.isfinite(block.outputs["plasma.V"].values[~out]).all()


def test_the_time_to_the_steady_state(tmp_path):
    given = {"simulation.stop_at_steady_state": True, "simulation.duration": "1000 h"}
    text = CELL[: CELL.index("[[protocol]]")] if "[[protocol]]" in CELL else CELL
    plan = plan_of(tmp_path, text, PUMPED + 'keep = ["time_to_steady", "end", "verdict"]', set=given)
    block = Engine(plan).block(0, 30)
    assert (block.status == STEADY).all()
    np.testing.assert_array_equal(block.outputs["time_to_steady"].values, block.time)
    run = single(plan, 11)
    assert block.time[11] == pytest.approx(run.run.end_time, rel=1e-6)
    assert KINDS[block.outputs["verdict"].values[11]] == verdict_of(run).kind


# -- what may be kept -------------------------------------------------------------------------------------------------


def test_what_cannot_be_kept_is_said():
    model = loads(CELL).model
    told = list(check_outputs(model, ["end", "plasma.W", "max(cell.K", "time_to_steady", "end"]))
    assert len(told) == 4
    assert "did you mean plasma.V?" in told[0]
    assert "stop_at_steady_state" in told[2]
    assert "twice" in told[3]
    assert not list(check_outputs(model, ["end", "verdict", "cell.volume", "max(plasma.V)"]))
    assert {"plasma.V", "cell.K", "cell.volume", "plasma.E.K", "plasma.flux.K"} <= quantities_by_name(model).keys()


def test_room_is_reckoned_from_what_is_kept():
    model = loads(CELL).model
    few, many = bytes_per_point(model, ["plasma.V"]), bytes_per_point(model, ["trajectory(plasma.V)"])
    assert few < 64
    assert many > 8 * 500


# -- starts of many ---------------------------------------------------------------------------------------------------


@given(models(without={"event"}, features=6), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_points_made_at_once_are_those_made_one_by_one(model, random):
    """For any model and any of its numbers: the same starts, tolerances and constants, and the same points without."""
    numbers = [p for p, q in model.quantities() if not isinstance(q, Formula) and q and not p.startswith("clamps")]
    paths = random.sample(numbers, min(3, len(numbers)))
    values = dict(model.quantities())
    points = np.array([[values[p] * random.uniform(0.7, 1.4) for p in paths] for _ in range(5)])
    try:
        batch_model = ModelBatch(model, paths)
    except IontideError:
        assume(False)
    assume(batch_model.prepared.problem is not None)
    at_once, one_by_one = batch_model.inputs(points), batch_model._one_by_one(points, np.arange(5))
    np.testing.assert_array_equal(at_once.rows, one_by_one.rows)
    assert at_once.faults == one_by_one.faults
    for name in ("constants", "mass", "lengths", "absolute", "start"):
        a, b = getattr(at_once, name), getattr(one_by_one, name)
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13 * np.abs(b).max(initial=0.0), err_msg=name)


@given(models(features=8), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_any_quantity_of_any_model_can_be_replaced(model, random):
    values = dict(model.quantities())
    path = random.choice([p for p, q in values.items() if not isinstance(q, Formula) and q])
    changed = with_values(model, {path: 1.01 * values[path]})
    differing = {p for p, q in changed.quantities() if values[p] != q}
    assert differing == {path}
    assert with_values(changed, {path: values[path]}) == model
    with pytest.raises(KeyError, match="nowhere"):
        with_values(model, {"nowhere.at.all": 1.0})
