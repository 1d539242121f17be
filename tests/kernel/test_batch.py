"""Many runs at once: the printed functions of a lane, and runs in lanes against the same runs alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import iontide
from iontide.errors import ScenarioError, SolverError
from iontide.kernel.batch_run import empty_queue, integrate
from iontide.kernel.codegen.machine_code import compile_lanes
from iontide.kernel.codegen.math_functions import power_steps
from iontide.kernel.codegen.tape_printer import print_tape
from iontide.kernel.codegen.writer import Module
from iontide.kernel.layout import problem as single
from iontide.kernel.layout import status
from iontide.kernel.layout.batch_problem import ENDED_IN, LANES, REJECTED, STEPS, WORST, Queue
from iontide.model.model import Model, Recording
from iontide.simulation.prepare import prepare
from iontide.simulation.simulate import Integration, collect
from iontide.sweeps.compute.batch_inputs import ModelBatch
from iontide.symbolic.tape import Instruction, Output, Tape
from tests.kernel.test_codegen import Compiled
from tests.simulation.test_algebraic_potentials import layers
from tests.simulation.test_volume import p2
from tests.support.models import closed_pair, p1, series, single_ion, two_cells, with_recording, with_simulation
from tests.support.paths import SCENARIO_FILES, SCENARIOS
from tests.support.random_models import models

# -- functions of a lane ----------------------------------------------------------------------------------------------


def of_lanes(op: str, x: NDArray, number: float = 0.0) -> NDArray:
    """A function of the tape, printed for 16 lanes, of many numbers."""
    tape = Tape((Instruction("state", 0, -1, 0.0, -1), Instruction(op, 0, -1, number, -1)), (Output("f", 0, 1),))
    module = Module(LANES)
    print_tape(module, "f", tape, {"f": 0})
    compiled, room = Compiled(module.text()), np.zeros((1, LANES))
    padded = np.resize(x, -(-len(x) // LANES) * LANES).reshape(-1, LANES)
    values = np.empty_like(padded)
    for row, out in zip(padded, values, strict=True):
        result = np.zeros((1, LANES))
        compiled("f", room, np.ascontiguousarray(row[np.newaxis]), room, room.copy(), result)
        out[:] = result[0]
    return values.ravel()[: len(x)]


def units_apart(values: NDArray, x: NDArray, exact) -> NDArray:
    """Distance from the exact value, in units of its last place."""
    with mpmath.workdps(40):
        want = [exact(mpmath.mpf(float(v))) for v in x]
        apart = [abs(mpmath.mpf(float(f)) - w) for f, w in zip(values, want, strict=True)]
        return np.array([float(a) / np.spacing(abs(float(w))) for a, w in zip(apart, want, strict=True)])


RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("op", "x", "exact"),
    [
        ("exp", np.concatenate([RANDOM.uniform(-700, 709, 400), RANDOM.uniform(-1, 1, 400)]), mpmath.exp),
        ("log", np.concatenate([10.0 ** RANDOM.uniform(-300, 300, 400), RANDOM.uniform(0.5, 2, 400)]), mpmath.log),
        ("tanh", np.concatenate([RANDOM.uniform(-20, 20, 200), RANDOM.uniform(-0.7, 0.7, 300)]), mpmath.tanh),
    ],
)
def test_functions_of_lanes_are_within_two_units_of_the_last_place(op, x, exact):
    assert units_apart(of_lanes(op, x), x, exact).max() < 2.0


def test_functions_of_lanes_know_the_ends_of_the_number_line():
    tiny = float.fromhex("0x1p-1060")
    np.testing.assert_array_equal(
        of_lanes("exp", np.array([-np.inf, np.inf, np.nan, 0.0, 710.0, -800.0])),
        [0.0, np.inf, np.nan, 1.0, np.inf, 0.0],
    )
    logarithms = of_lanes("log", np.array([0.0, -0.0, -1.0, np.inf, np.nan, 1.0, tiny]))
    np.testing.assert_array_equal(logarithms[:6], [-np.inf, -np.inf, np.nan, np.inf, np.nan, 0.0])
    assert logarithms[6] == pytest.approx(-1060 * np.log(2.0), rel=1e-15)
    np.testing.assert_array_equal(
        of_lanes("tanh", np.array([np.inf, -np.inf, np.nan, 0.0, -0.0])), [1, -1, np.nan, 0, 0]
    )


@pytest.mark.parametrize("exponent", [-3.0, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 3.0, 7.0, 64.0, 101.0])
def test_powers_of_lanes(exponent):
    x = np.concatenate([10.0 ** RANDOM.uniform(-3, 3, 200), [0.0, 1.0]])
    with np.errstate(divide="ignore"):
        want = np.power(x, exponent)
    # By exp and log where it is no whole number: the rounding of the logarithm, times what it is multiplied by.
    close = 1e-15 * (10.0 if power_steps(exponent) is None else 1.0) * max(1.0, abs(exponent) * 7.0)
    np.testing.assert_allclose(of_lanes("pow", x, exponent), want, rtol=close)


# -- runs in lanes ----------------------------------------------------------------------------------------------------


def queue_of(model: Model, points: NDArray | None = None, paths: Sequence[str] = (), measure_ends: bool = False):
    """The queue of a model's points, and its code; of one run without points."""
    batch_model = ModelBatch(model, paths)
    inputs = batch_model.inputs(np.zeros((1, 0)) if points is None else points)
    problem, program = batch_model.prepared.problem, batch_model.prepared.program
    assert not inputs.faults
    assert problem is not None
    assert program is not None
    blocks = list(batch_model.prepared.sample_blocks(model)) if model.recording.spacing != "steps" else []
    within = np.concatenate([b[1] for b in blocks]) if blocks else np.zeros(0)
    number = np.concatenate([b[2] for b in blocks]) if blocks else np.zeros(0, dtype=int)
    code = compile_lanes(program, int(problem.counts[single.NONNEGATIVE]))
    starts = (inputs.constants, inputs.mass, inputs.lengths, inputs.absolute, inputs.start)
    return empty_queue(code, problem, *starts, within, number, measure_ends), code


def in_lanes(model: Model, *given, **more) -> Queue:
    queue, code = queue_of(model, *given, **more)
    integrate(queue, code)
    return queue


def alone(model: Model):
    """The run by the integrator of one, whatever becomes of it."""
    integration = Integration(model)
    return integration, collect(integration)


def check_same(model: Model, close: float = 1e-9) -> None:
    """A run in a lane does what it does alone: the same steps, but for rounding."""
    integration, trajectory = alone(model)
    queue = in_lanes(model)
    assert queue.status[0] == integration.status
    run = trajectory.run
    starts = np.array([s.start for s in run.segments])
    scale = prepare(model).problem.absolute / (0.01 * model.simulation.rtol)
    assert starts[queue.counters[0, ENDED_IN]] + queue.reached[0] == pytest.approx(run.end_time, rel=1e-6, abs=1e-12)
    np.testing.assert_allclose(
        queue.counters[0, [STEPS, REJECTED]], [run.statistics.steps, run.statistics.rejected], rtol=0.02, atol=2
    )
    if queue.status[0] >= 0:
        np.testing.assert_allclose(queue.end[0], run.end_state, rtol=close, atol=close * scale.max())
    there = min(len(trajectory), queue.samples.shape[1])  # alone, a run may record its end once more
    apart = np.abs(queue.samples[0, :there] - trajectory.states[:there]) / (np.abs(trajectory.states[:there]) + scale)
    assert np.nanmax(apart, initial=0.0) < close
    assert np.isnan(queue.samples[0, there:]).all()


MODELS = {
    "P1": p1,
    "P2": p2,
    "series": series,
    "closed pair": closed_pair,
    "two cells": two_cells,
    "divalent": lambda: single_ion(2),
    "algebraic": lambda: layers(duration=100.0),
    "steady": lambda: with_simulation(p1(), duration=1e9, stop_at_steady_state=True),
    "few samples": lambda: with_recording(p1(), "list", times=(0.0, 1e-3, 77.0, 36000.0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_run_in_a_lane_is_the_run_alone(name):
    check_same(MODELS[name]())


def scenarios_without_events() -> list[Path]:
    paths = []
    for path in sorted(SCENARIOS.rglob("*.toml")):
        text = path.read_text(encoding="utf-8")
        if "[events" not in text and 'spacing = "steps"' not in text and "[sweep]" not in text:
            paths.append(path)
    return paths


@pytest.mark.parametrize("path", scenarios_without_events(), ids=lambda path: path.stem)
def test_every_scenario_without_events_runs_in_a_lane(path):
    model = iontide.load(path).model
    states = len(prepare(model).initial.y)
    if not states:
        pytest.skip("nothing moves, so nothing is integrated")
    if states > 24:
        pytest.skip("a large system: its code over lanes takes its time")
    check_same(model, 100.0 * model.simulation.rtol)  # a train of spikes multiplies rounding


@pytest.mark.slow
@given(models(without={"event"}, features=6))
@settings(max_examples=60, deadline=None)
def test_any_model_runs_in_a_lane(model):
    try:
        integration, _ = alone(model)
    except (ScenarioError, SolverError):
        assume(False)
    assume(integration.status >= 0 and integration.layout.size)
    check_same(model, 1e-5)


def test_a_run_depends_on_nothing_but_itself():
    """Neither on its place in the queue, nor on the other runs, nor on how many there are: to the last bit."""
    model = with_recording(p2(), "log", points=30, first=1e-3)
    paths = ["parameters.pump_rate", "membranes.plasma.permeability.K"]
    random = np.random.default_rng(2)
    points = np.array([1.4e-6, 4e-8]) * 10.0 ** random.uniform(-0.5, 0.5, (70, 2))
    whole = in_lanes(model, points, paths, measure_ends=True)
    for order in (np.arange(70)[::-1], random.permutation(70), np.arange(33), np.array([5])):
        part = in_lanes(model, points[order], paths, measure_ends=True)
        for name in ("status", "counters", "reached", "end", "away", "samples"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[order])


def test_runs_that_fail_say_why_and_let_the_others_be():
    """Some need more steps than they are allowed; a lane in which that happens takes the next run."""
    model = iontide.load(SCENARIO_FILES["pump_leak_cell"]).model
    model = replace(model, simulation=replace(model.simulation, max_steps=60), recording=Recording("linear", points=5))
    points = np.array([[1e-8], [4e-8], [1e-7]] * 11)
    queue = in_lanes(model, points, ["parameters.P_K"])
    integrations = [alone(ModelBatch(model, ["parameters.P_K"]).variant(p))[0] for p in points[:3]]
    for k in range(3):
        assert (queue.status[k::3] == integrations[k].status).all()
        assert queue.counters[k, WORST] == integrations[k]._progress.counters[single.WORST] or queue.status[k] >= 0
    assert status.TOO_MANY_STEPS in queue.status


def test_how_far_an_end_is_from_rest():
    model = replace(p1(), recording=Recording("list", times=(0.0,)))
    late = in_lanes(with_simulation(model, duration=1e6), measure_ends=True)
    early = in_lanes(with_simulation(model, duration=50.0), measure_ends=True)
    assert late.away[0] < 1.0
    assert early.away[0] > 1e4


def test_nothing_in_the_queue_is_nothing_to_do():
    queue = in_lanes(p1(), np.zeros((0, 1)), ["membranes.plasma.permeability.K"])
    assert len(queue.status) == 0


@given(st.lists(st.floats(0.3, 3.0), min_size=1, max_size=40))
@settings(max_examples=15, deadline=None)
def test_any_number_of_runs(factors):
    points = 4e-8 * np.array(factors)[:, np.newaxis]
    model = replace(p1(), recording=Recording("list", times=(0.0,)))
    queue = in_lanes(with_simulation(model, rtol=1e-5), points, ["membranes.plasma.permeability.K"])
    assert (queue.status == status.DONE).all()
    one = in_lanes(with_simulation(model, rtol=1e-5), points[-1:], ["membranes.plasma.permeability.K"])
    np.testing.assert_array_equal(queue.end[-1], one.end[0])
