"""The kind of end of a point of a sweep is that of a run: one function, over one end or many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import iontide
from iontide.analysis.classification import KINDS, classify_ends, verdict_of
from iontide.errors import IontideError
from iontide.formulas.formula import Formula
from iontide.simulation.simulate import Integration
from iontide.simulation.state_rates import state_rates
from iontide.sweeps.compute.batch_inputs import ModelBatch
from iontide.sweeps.compute.batch_trajectory import batch_trajectory
from iontide.sweeps.compute.engine import Engine
from iontide.sweeps.plan.plan import load_plan
from tests.support.paths import SCENARIO_FILES
from tests.support.random_models import models

#: What Newton's method finds to have no steady state, and a sweep, which does not search for one, to be on its way.
WITHOUT_END = {
    "hodgkin_huxley_ion_dynamics": "it oscillates",
    "kay_2017": "the volume of cell diverges",
    "voltage_clamp": "the amount of K in cell is used up",
}

#: Their program for many points takes half a minute to compile.
LARGE = {"saetra_2020"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in SCENARIO_FILES]
)
def test_a_scenario_ends_alike_as_a_run_and_as_a_point_of_a_sweep(name, tmp_path):
    scenario = SCENARIO_FILES[name]
    run = iontide.run(scenario)
    tolerance = run.model.simulation.rtol
    file = tmp_path / "plan.toml"
    vary = f'vary = {{ "simulation.rtol" = [{tolerance!r}] }}'
    file.write_text(f'scenario = "{scenario}"\n[sweep]\n{vary}\nkeep = ["verdict"]\n', encoding="utf-8")
    block = Engine(load_plan(file)).block(0, 1)
    assert not block.messages
    verdict, kind = verdict_of(run), KINDS[block.outputs["verdict"].values[0]]
    if name in WITHOUT_END:
        assert (verdict.kind, kind) == ("no_steady_state", "not_converged")
        assert WITHOUT_END[name] in verdict.sentence
    else:
        assert kind == verdict.kind


def test_among_the_shipped_scenarios_is_every_kind_of_end():
    kinds = {verdict_of(iontide.run(SCENARIO_FILES[name])).kind for name in ("nernst_potassium", "donnan_equilibrium")}
    kinds |= {verdict_of(iontide.run(SCENARIO_FILES[name])).kind for name in ("ghk_to_nernst", "neutral_solute")}
    assert kinds == set(KINDS) - {"no_steady_state"}


@given(models(without={"event"}, features=6), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_many_ends_are_classified_as_each_of_them_alone(model, random):
    """Forces, dissipation, what drives it, and the rates on which clamps rest, whatever varies from point to point."""
    numbers = [p for p, q in model.quantities() if not isinstance(q, Formula) and q and not p.startswith("clamps")]
    paths = random.sample(numbers, min(3, len(numbers)))
    values = dict(model.quantities())
    points = np.array([[values[p] * random.uniform(0.8, 1.25) for p in paths] for _ in range(4)])
    try:
        batch_model = ModelBatch(model, paths)
    except IontideError:
        assume(False)
    assume(batch_model.prepared.problem is not None)
    inputs = batch_model.inputs(points)
    count, last = len(inputs.rows), len(batch_model.prepared.segments) - 1
    assume(count)
    end = batch_model.prepared.segments[-1].end
    shape = (count, 1)
    batch = batch_trajectory(
        model,
        batch_model.prepared,
        inputs,
        np.full(shape, end),
        np.full(shape, last),
        inputs.start[:, np.newaxis],
    )
    distance = np.where(np.arange(count) == 1, np.inf, 0.0)
    found, rates = classify_ends(batch, 1e-6, distance), state_rates(batch)
    drivers = dict(found.drivers)
    for k, row in enumerate(inputs.rows):
        run = Integration(batch_model.variant(points[row])).outcome()
        alone = iontide.Trajectory(run, np.array([end]), np.array([last]), inputs.start[[k]])
        expected = state_rates(alone)
        np.testing.assert_allclose(rates[k], expected[0], rtol=1e-6, atol=1e-9 * np.abs(expected).max(initial=0.0))
        if k == 1:
            assert KINDS[found.kind[k]] == "not_converged"
            assert np.isnan(found.dissipation[k])
            continue
        one = classify_ends(alone, 1e-6)
        assert KINDS[found.kind[k]] == KINDS[one.kind[0]]
        np.testing.assert_allclose(found.largest_force[k], one.largest_force[0], rtol=1e-6)
        np.testing.assert_allclose(found.dissipation[k], one.dissipation[0], rtol=1e-6)
        # The power of a bath or a reaction depends on the level from which potentials are measured.
        for label, power in one.drivers:
            if " of " in label and "drive of" not in label:
                np.testing.assert_allclose(drivers[label][k], power[0], rtol=1e-6, err_msg=label)
