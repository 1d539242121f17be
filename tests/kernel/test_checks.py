"""Compiled code is never given an array of another length than it reads: each is refused where Python hands it over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from iontide.kernel.batch_run import empty_queue, integrate
from iontide.kernel.codegen.direct import Direct
from iontide.kernel.codegen.machine_code import compile_lanes
from iontide.kernel.layout.checks import check_array
from iontide.kernel.layout.problem import NONNEGATIVE, Samples
from iontide.kernel.run import Integrator, table_of
from iontide.simulation.prepare import Preparation, prepare
from tests.support.models import p1, pump_leak


@pytest.fixture
def prepared() -> Preparation:
    return prepare(pump_leak())


def shorter(array: np.ndarray) -> np.ndarray:
    """Without its last number, row by row."""
    return np.ascontiguousarray(array[..., :-1])


@pytest.mark.parametrize("change", [shorter, lambda y: np.append(y, 0.0), lambda y: y[np.newaxis]])
def test_a_start_state_of_the_wrong_shape_is_refused(prepared, change):
    y = change(prepared.initial.y)
    with pytest.raises(ValueError, match=r"the state at the start: the shape must be \(4,\), got"):
        Integrator(prepared.table, y)


@pytest.mark.parametrize("name", ["code", "mass", "constants", "absolute", "options", "counts", "watched"])
def test_a_problem_with_an_array_that_is_too_short_is_refused(prepared, name):
    changed = shorter(getattr(prepared.problem, name))
    with pytest.raises(ValueError, match=f"{name} of the problem: the shape must be"):
        table_of(prepared.problem._replace(**{name: changed}), prepared.code)


def test_a_problem_with_more_segments_than_values_for_them_is_refused(prepared):
    longer = np.append(prepared.problem.lengths, 1.0)
    with pytest.raises(ValueError, match="mass of the problem: the shape must be"):
        table_of(prepared.problem._replace(lengths=longer), prepared.code)


def test_a_problem_with_the_code_of_another_is_refused(prepared):
    other = prepare(p1())
    assert other.code.constants != prepared.code.constants
    with pytest.raises(ValueError, match="of the problem: the shape must be"):
        table_of(prepared.problem, other.code)


def samples_of(**changes: Any) -> Samples:
    """Room for three samples of four states."""
    arrays = {
        "times": np.zeros(3),
        "segments": np.zeros(3, dtype=np.int64),
        "states": np.zeros((3, 4)),
        "mode": np.zeros(2, dtype=np.int64),
        "crossed_at": np.zeros(8),
        "crossed": np.zeros((8, 2), dtype=np.int64),
    }
    return Samples(**arrays | changes)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("states", np.zeros((3, 3))),
        ("states", np.zeros((2, 4))),
        ("segments", np.zeros(2, dtype=np.int64)),
        ("mode", np.zeros(1, dtype=np.int64)),
        ("crossed", np.zeros((7, 2), dtype=np.int64)),
    ],
)
def test_samples_that_do_not_fit_are_refused(prepared, name, array):
    integrator = Integrator(prepared.table, prepared.initial.y)
    with pytest.raises(ValueError, match=f"{name} of the samples: the shape must be"):
        integrator.advance(samples_of(**{name: array}), 10)


def test_other_numbers_and_other_orders_in_memory_are_refused(prepared):
    integrator = Integrator(prepared.table, prepared.initial.y)
    with pytest.raises(ValueError, match="segments of the samples: the numbers must be int64, got int32"):
        integrator.advance(samples_of(segments=np.zeros(3, dtype=np.int32)), 10)
    with pytest.raises(ValueError, match="states of the samples: the array must be C-contiguous"):
        integrator.advance(samples_of(states=np.zeros((4, 3)).T), 10)
    check_array("nothing", np.zeros((0, 2)), (0, 2))


def arrays_of_runs(prepared: Preparation, runs: int = 3) -> dict[str, np.ndarray]:
    problem = prepared.problem
    return {
        "constants": np.repeat(problem.constants[np.newaxis], runs, axis=0),
        "mass": np.repeat(problem.mass[np.newaxis], runs, axis=0),
        "lengths": np.repeat(problem.lengths[np.newaxis], runs, axis=0),
        "absolute": np.repeat(problem.absolute[np.newaxis], runs, axis=0),
        "start": np.repeat(prepared.initial.y[np.newaxis], runs, axis=0),
        "times": np.zeros(2),
        "segments": np.zeros(2, dtype=np.int64),
    }


@pytest.mark.parametrize("name", ["constants", "mass", "lengths", "absolute", "start", "segments"])
def test_runs_of_a_queue_with_an_array_that_is_too_short_are_refused(prepared, name):
    code = compile_lanes(prepared.program, int(prepared.problem.counts[NONNEGATIVE]))
    arrays = arrays_of_runs(prepared)
    queue = empty_queue(code, prepared.problem, **arrays)
    with pytest.raises(ValueError, match="of the queue: the shape must be"):
        empty_queue(code, prepared.problem, **arrays | {name: shorter(arrays[name])})
    with pytest.raises(ValueError, match="of the queue: the shape must be"):
        integrate(queue._replace(**{name: shorter(arrays[name])}), code)
    with pytest.raises(ValueError, match="of the queue: the shape must be"):
        integrate(queue._replace(**{name: arrays[name][:-1]}), code)


def test_right_hand_sides_of_a_state_or_constants_that_are_too_short_are_refused(prepared):
    constants, y = prepared.problem.constants[-1], prepared.initial.y
    with pytest.raises(ValueError, match="constants of the program: the shape must be"):
        Direct(prepared.code, constants[:-1])
    direct = Direct(prepared.code, constants)
    with pytest.raises(ValueError, match=r"the state: the shape must be \(4,\), got \(3,\)"):
        direct(0.0, y[:-1])
    assert [part.shape for part in direct(0.0, y)] == [(4,), (4, 4), (4,)]
