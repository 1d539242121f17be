"""Many points of one model as one trajectory: what reads a trajectory reads them all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...equations.evaluation import Evaluation
from ...equations.initial_state import InitialState
from ...model.model import Model
from ...simulation.prepare import Preparation
from ...simulation.run import Origin, Run, Statistics
from ...simulation.trajectory import Trajectory
from ...symbolic.tape import Program
from .batch_inputs import BatchInputs


@dataclass(frozen=True)
class BatchTrajectory(Trajectory):
    """The samples of all points, one point after another.

    Every quantity of the model that varies from point to point is taken for each sample from its own point. Samples
    that a run did not reach are NaN.

    Attributes
    ----------
    point : int array, shape (samples,)
        The point that a sample belongs to, a row of ``members``.
    members : BatchInputs
    """

    point: NDArray
    inputs: BatchInputs

    @cached_property
    def evaluation(self) -> Evaluation:
        """The model at every sample of every point."""
        states, values = self.states, dict[str, Any]()

        def given(path: str) -> Any:
            if path not in values:
                values[path] = self.value(path)
            return values[path]

        within = self.time - np.array([s.start for s in self.run.segments])[self.segment]
        return Evaluation(self.model, self.run.layout, given, lambda i: states[:, i], within)

    def part(self, rows: slice | NDArray) -> BatchTrajectory:
        """The same points with some of their samples."""
        point = self.point[rows]
        initial = replace(self.run.initial, impermeant_amounts=_at_points(self.inputs.impermeants, point))
        run = replace(self.run, initial=initial)
        return BatchTrajectory(run, self.time[rows], self.segment[rows], self.states[rows], point, self.inputs)

    def value(self, path: str) -> NDArray:
        """A settled quantity of the model at every sample, SI, by its path."""
        result = np.empty(len(self.time))
        for number, values in enumerate(self.inputs.values):
            rows = self.segment == number
            if rows.any():
                value = values[path]
                result[rows] = value[self.point[rows]] if isinstance(value, np.ndarray) else value
        return result

    def program_values(self, program: Program, most: int) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
        """Constants of the tapes and entries of the mass matrix at each sample; see ``Trajectory.program_values``."""
        for first in range(0, len(self), most):
            rows = np.arange(first, min(first + most, len(self)))
            place = self.point[rows], self.segment[rows]
            yield rows, self.inputs.constants[place], self.inputs.mass[place]


def batch_trajectory(
    model: Model, prepared: Preparation, inputs: BatchInputs, time: NDArray, segment: NDArray, states: NDArray
) -> BatchTrajectory:
    """The samples of many points as one trajectory.

    Parameters
    ----------
    model : Model
    prepared : Preparation
        Of the model.
    members : BatchInputs
    time : array, shape (points, samples)
        s.
    segment : int array, shape (points, samples)
    states : array, shape (points, samples, n)
    """
    points, samples = time.shape
    point = np.repeat(np.arange(points), samples)
    initial = prepared.initial
    run = Run(
        model=model,
        layout=prepared.layout,
        segments=prepared.segments,
        values=prepared.values,
        initial=InitialState(initial.y, _at_points(inputs.impermeants, point), initial.residual_charge),
        status="done",
        message="",
        end_time=float(prepared.segments[-1].end),
        end_state=initial.y,
        statistics=Statistics(),
        origin=Origin(),
    )
    rows = states.reshape(points * samples, states.shape[2])
    return BatchTrajectory(run, time.ravel(), segment.ravel(), rows, point, inputs)


def _at_points(amounts: Mapping[tuple[str, str], Any], point: NDArray) -> dict[tuple[str, str], Any]:
    return {key: value[point] if isinstance(value, np.ndarray) else value for key, value in amounts.items()}
