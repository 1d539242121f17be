"""The engine of a sweep: computes consecutive points of a plan and returns a block of results.

Points of one model are integrated together, as the SIMD lanes of one batch. Where events act or are counted, or where
the code for many lanes of a large system would take longer to compile than to run, each point is integrated as a single
run. Which of the two it is depends on the model alone, never on the other points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...analysis.classification import KINDS, NO_STEADY_STATE, classify_ends, verdict_of
from ...errors import IontideError
from ...kernel.batch_run import empty_queue, integrate
from ...kernel.codegen.machine_code import compile_lanes
from ...kernel.layout import status as kernel_status
from ...kernel.layout.batch_problem import ENDED_IN, LANES, NONNEGATIVE, STEPS, WORST, Queue
from ...model.model import Model
from ...model.schedule import scheduled_samples
from ...scenario.read import Scenario
from ...simulation.failures import failure_of
from ...simulation.prepare import prepare
from ...simulation.simulate import Integration, collect
from ...simulation.trajectory import Trajectory
from ..plan.outputs import COUNT, END, REDUCTIONS, TIME_TO_STEADY, VERDICT, Output, parse_outputs
from .batch_inputs import BatchInputs, ModelBatch
from .batch_trajectory import batch_trajectory
from .block import DONE, EXCLUDED, FAILED, STEADY, STOPPED, Block, OutputValues
from .groups import ModelGroups

#: Systems of more states than this are integrated point by point: their code for many lanes takes too long to compile.
MOST_STATES = 40

#: Most numbers in the samples of one batch of points: 256 MB.
MOST_NUMBERS = 2**25

_STATUS = {"done": DONE, "steady": STEADY, "stopped": STOPPED, "failed": FAILED}


class PlanLike(Protocol):
    """What the engine needs of a plan."""

    @property
    def scenario(self) -> Scenario: ...

    @property
    def axes(self) -> Sequence[Any]: ...

    @property
    def size(self) -> int: ...

    @property
    def keep(self) -> tuple[str, ...]: ...

    def values(self, start: int, stop: int) -> NDArray: ...

    def excluded(self, start: int, stop: int) -> NDArray: ...


@dataclass
class Rows:
    """Results of the points of a block, filled in part by part."""

    status: NDArray
    time: NDArray
    steps: NDArray
    outputs: dict[str, NDArray]
    messages: dict[int, str]


class Engine:
    """Computes the blocks of one plan.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: PlanLike) -> None:
        self.plan = plan
        self.model_groups = ModelGroups(plan)
        self.samples = _SampleTimes(self.model_groups.base)
        self.outputs, faults = parse_outputs(self.model_groups.base, plan.keep)
        assert not faults, faults

    def block(self, start: int, stop: int) -> Block:
        """Compute the points ``start`` to ``stop - 1`` of the plan."""
        values, excluded = self.plan.values(start, stop), self.plan.excluded(start, stop)
        count = stop - start
        rows = Rows(
            status=np.where(excluded, EXCLUDED, FAILED).astype(np.int8),
            time=np.full(count, np.nan),
            steps=np.zeros(count, dtype=np.int64),
            outputs={output.name: self._empty(output, count) for output in self.outputs},
            messages={},
        )
        for group in self.model_groups.groups(values, np.flatnonzero(~excluded)):
            if group.batch_model is None:
                rows.messages |= dict.fromkeys(map(int, group.rows), group.fault)
            else:
                self._compute(group.batch_model, group.points, group.rows, rows)
        outputs = {output.name: self._output_values(output, rows.outputs[output.name]) for output in self.outputs}
        messages = {start + row: text for row, text in sorted(rows.messages.items())}
        return Block(start, rows.status, rows.time, rows.steps, outputs, self._coordinates(), messages)

    # -- shapes of results --------------------------------------------------------------------------------------------

    def _empty(self, output: Output, count: int) -> NDArray:
        if output.reduction == "trajectory":
            return np.full((count, len(self.samples.time)), np.nan)
        if output.special == END:
            return np.full((count, len(self.model_groups.layout.names)), np.nan)
        return np.full(count, -1, dtype=np.int8) if output.special == VERDICT else np.full(count, np.nan)

    def _output_values(self, output: Output, values: NDArray) -> OutputValues:
        categories = KINDS if output.special == VERDICT else ()
        dimensions = ("time",) if output.reduction == "trajectory" else ("state",) if output.special == END else ()
        return OutputValues(values, output.unit, dimensions, categories, output.long_name)

    def _coordinates(self) -> Mapping[str, OutputValues]:
        coordinates: dict[str, OutputValues] = {}
        if any(output.reduction == "trajectory" for output in self.outputs):
            coordinates["time"] = OutputValues(self.samples.time, "s", ("time",), (), "time")
        if any(output.special == END for output in self.outputs):
            names = tuple(self.model_groups.layout.names)
            codes = np.arange(len(names), dtype=np.int64)
            coordinates["state"] = OutputValues(codes, "", ("state",), names, "state of the model, SI")
        return coordinates

    # -- computing ----------------------------------------------------------------------------------------------------

    def _compute(self, batch_model: ModelBatch, points: NDArray, rows: NDArray, results: Rows) -> None:
        model, prepared = batch_model.model, batch_model.prepared
        has_events = any(e.interrupts for e in model.events) or any(output.event for output in self.outputs)
        if prepared.problem is None or has_events or len(prepared.initial.y) > MOST_STATES:
            for point, row in zip(points, rows, strict=True):
                self._run_single(batch_model, point, int(row), results)
            return
        sampled = len(self.samples.time) if any(output.over_time for output in self.outputs) else 0
        batch = max(LANES, MOST_NUMBERS // max(1, (sampled + 1) * len(prepared.initial.y)) // LANES * LANES)
        for first in range(0, len(points), batch):
            part = slice(first, first + batch)
            self._run_batch(batch_model, points[part], rows[part], results)

    def _run_batch(self, batch_model: ModelBatch, points: NDArray, rows: NDArray, results: Rows) -> None:
        inputs = batch_model.inputs(points)
        results.messages |= {int(rows[i]): text for i, text in inputs.faults.items()}
        if not len(inputs.rows):
            return
        prepared, problem = batch_model.prepared, batch_model.prepared.problem
        assert problem is not None
        queue = self._integrated(batch_model, inputs)
        rows = rows[inputs.rows]
        failed = queue.status < 0
        starts = np.array([s.start for s in prepared.segments])
        time = starts[queue.counters[:, ENDED_IN]] + queue.reached
        results.status[rows] = np.where(failed, FAILED, np.where(queue.status == kernel_status.STEADY, STEADY, DONE))
        results.time[rows] = time
        results.steps[rows] = queue.counters[:, STEPS]
        for i in np.flatnonzero(failed):
            status, worst, at_a_step = (
                int(queue.status[i]),
                int(queue.counters[i, WORST]),
                bool(queue.reached[i] == 0.0),
            )
            message = failure_of(batch_model.model, prepared.layout, status, float(time[i]), worst, at_a_step)
            results.messages[int(rows[i])] = message
        for name, values in self._outputs_of_batch(batch_model, inputs, queue, time).items():
            results.outputs[name][rows] = values

    def _integrated(self, batch_model: ModelBatch, inputs: BatchInputs) -> Queue:
        """The queue of all points of a batch, integrated."""
        problem, program = batch_model.prepared.problem, batch_model.prepared.program
        assert problem is not None
        assert program is not None
        samples = self.samples if any(output.over_time for output in self.outputs) else _NO_SAMPLES
        code = compile_lanes(program, int(problem.counts[NONNEGATIVE]))
        measure_ends = any(output.special == VERDICT for output in self.outputs)
        queue = empty_queue(
            code,
            problem,
            *(inputs.constants, inputs.mass, inputs.lengths, inputs.absolute, inputs.start),
            samples.within,
            samples.segment,
            measure_ends,
        )
        integrate(queue, code)
        return queue

    def _outputs_of_batch(
        self, batch_model: ModelBatch, inputs: BatchInputs, queue: Queue, time: NDArray
    ) -> dict[str, NDArray]:
        """The values of all outputs at the points of a batch; ``time`` is that reached by each, s."""
        model, prepared = batch_model.model, batch_model.prepared
        failed = queue.status < 0
        end = np.where(failed[:, np.newaxis], np.nan, queue.end)
        segment = queue.counters[:, [ENDED_IN]]
        ends = batch_trajectory(model, prepared, inputs, time[:, np.newaxis], segment, end[:, np.newaxis])
        whole, times = ends, time[:, np.newaxis]
        if any(output.over_time for output in self.outputs):
            count = len(time)
            times = np.concatenate([np.tile(self.samples.time, (count, 1)), times], axis=1)
            segments = np.concatenate([np.tile(self.samples.segment, (count, 1)), segment], axis=1)
            states = np.concatenate([queue.samples, end[:, np.newaxis]], axis=1)
            states[failed] = np.nan
            whole = batch_trajectory(model, prepared, inputs, times, segments, states)
        values: dict[str, NDArray] = {}
        for output in self.outputs:
            if output.special == END:
                values[output.name] = end
            elif output.special == VERDICT:
                # The distance of one linearised step over a long time stands in for that to a root (``classify_ends``).
                tolerance = model.simulation.rtol
                values[output.name] = classify_ends(ends, tolerance, queue.away, failed).kind
            elif output.special == TIME_TO_STEADY:
                values[output.name] = np.where(queue.status == kernel_status.STEADY, time, np.nan)
            elif output.over_time:
                values[output.name] = _reduced(output, whole, times)
            else:
                values[output.name] = _reduced(output, ends, time[:, np.newaxis])
        return values

    def _run_single(self, batch_model: ModelBatch, point: NDArray, row: int, results: Rows) -> None:
        try:
            integration = Integration(batch_model.variant(point))
            trajectory = collect(integration)
            if integration.status < 0:
                results.messages[row] = integration.failure()
                results.time[row] = integration.time
                for output in self.outputs:
                    if output.special == VERDICT:
                        results.outputs[output.name][row] = NO_STEADY_STATE
                return
        except (IontideError, ValueError) as error:
            results.messages[row] = " ".join(str(error).split())
            return
        run = trajectory.run
        results.status[row], results.time[row], results.steps[row] = (
            *(_STATUS[run.status], run.end_time),
            run.statistics.steps,
        )
        end = Trajectory(run, np.array([run.end_time]), np.array([len(run.segments) - 1]), run.end_state[np.newaxis])
        for output in self.outputs:
            results.outputs[output.name][row] = self._output_of_run(output, trajectory, end)

    def _output_of_run(self, output: Output, trajectory: Trajectory, end: Trajectory) -> Any:
        """The value of an output at a point that was integrated as a single run."""
        if output.special == END:
            return end.states[0]
        if output.special == VERDICT:
            return KINDS.index(verdict_of(trajectory).kind)
        if output.event:
            times = trajectory.event_times(output.event)
            return len(times) if output.reduction == COUNT else times[0] if len(times) else np.nan
        if output.special == TIME_TO_STEADY:
            return trajectory.run.end_time if trajectory.status == "steady" else np.nan
        assert output.column is not None
        last = output.column.values(end)
        if output.reduction == "end":
            return last[0]
        times, values = trajectory.time, output.column.values(trajectory)
        if output.reduction == "trajectory":
            # Events may have put protocol steps at other times than in other runs: interpolated to the planned times.
            return np.interp(self.samples.time, times, values, right=np.nan)
        row = np.concatenate([values, last])[np.newaxis]
        return REDUCTIONS[output.reduction](np.append(times, trajectory.run.end_time)[np.newaxis], row)[0]


class _SampleTimes:
    """Scheduled samples: time (s), time within the segment (s) and its number."""

    def __init__(self, model: Model | None) -> None:
        none = np.zeros(0)
        self.time, self.within, self.segment = none, none, none.astype(np.int64)
        if model is not None and model.recording.spacing != "steps":
            segments = list(prepare(model).segments)
            blocks = list(scheduled_samples(model.recording, segments, 2**31))
            self.time, self.within, self.segment = (np.concatenate(a) for a in zip(*blocks, strict=True))


_NO_SAMPLES = _SampleTimes(None)


def _reduced(output: Output, trajectory: Trajectory, times: NDArray) -> NDArray:
    """The values of an output from the samples of many points, the last sample of each being its end."""
    assert output.column is not None
    values = output.column.values(trajectory).reshape(times.shape)
    return values[:, :-1] if output.reduction == "trajectory" else REDUCTIONS[output.reduction](times, values)
