"""Many points of one model as one trajectory: what reads a trajectory reads them all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...equations.evaluation import Evaluation
from ...equations.initial_state import InitialState
from ...model.model import Model
from ...simulation.prepare import Preparation
from ...simulation.trajectory import Origin, Run, Statistics, Trajectory
from .batch_start import Members


@dataclass(frozen=True)
class SideBySide(Trajectory):
    """The samples of all points, one point after another.

    What changes from point to point in the model is taken for each sample from its own point. Of a run that ended
    early the samples that it did not come to are NaN.

    Attributes
    ----------
    point : int array, shape (samples,)
        The point that a sample belongs to, a row of the members.
    values : sequence of mappings, one a segment
        As of ``Members``.
    """

    point: NDArray
    values: Any

    @cached_property
    def evaluation(self) -> Evaluation:
        """The model at every sample of every point."""
        states, found = self.states, dict[str, Any]()

        def given(path: str) -> Any:
            if path not in found:
                found[path] = self._of_samples(path)
            return found[path]

        within = self.time - np.array([s.start for s in self.run.segments])[self.segment]
        return Evaluation(self.model, self.run.layout, given, lambda i: states[:, i], within)

    def value(self, path: str) -> NDArray:
        """A settled quantity of the model at every sample, SI, by its path."""
        return self._of_samples(path)

    def _of_samples(self, path: str) -> NDArray:
        result = np.empty(len(self.time))
        for number, values in enumerate(self.values):
            rows = self.segment == number
            if rows.any():
                value = values[path]
                result[rows] = value[self.point[rows]] if isinstance(value, np.ndarray) else value
        return result


def side_by_side(
    model: Model, prepared: Preparation, members: Members, time: NDArray, segment: NDArray, states: NDArray
) -> SideBySide:
    """From times (s) and segments, shape (points, samples), and states, shape (points, samples, n)."""
    points, samples = time.shape
    point = np.repeat(np.arange(points), samples)
    run = Run(
        model=model,
        layout=prepared.layout,
        segments=prepared.segments,
        values=prepared.values,
        initial=InitialState(prepared.initial.y, _spread(members.impermeants, point), prepared.initial.residual_charge),
        status="done",
        message="",
        end_time=float(prepared.segments[-1].end),
        end_state=prepared.initial.y,
        statistics=Statistics(),
        origin=Origin(),
    )
    rows = states.reshape(points * samples, states.shape[2])
    return SideBySide(run, time.ravel(), segment.ravel(), rows, point, members.values)


def _spread(amounts: Mapping[tuple[str, str], Any], point: NDArray) -> dict[tuple[str, str], Any]:
    return {key: value[point] if isinstance(value, np.ndarray) else value for key, value in amounts.items()}
