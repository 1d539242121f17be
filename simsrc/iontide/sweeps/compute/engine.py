"""The engine of a sweep: a stretch of a plan in, a block of results out, whatever becomes of each point.

Points of one structure go through the integrator over lanes together. Where events act or are counted, or a system
is so large that its code over lanes would take longer to make than to run, each point is a run of its own, by the same
compiled integrator as a single run. Which way a point takes is a matter of its model, never of its neighbours.
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
from ...kernel.layout.batch_problem import ENDED_IN, NONNEGATIVE, STEPS, WORST, Queue
from ...model.model import Model
from ...model.schedule import scheduled_samples
from ...scenario.read import Scenario
from ...simulation.failures import failure_of
from ...simulation.prepare import prepare
from ...simulation.simulate import Integration, collect
from ...simulation.trajectory import Trajectory
from ..plan.outputs import COUNT, DRAWS, END, TIME_TO_STEADY, VERDICT, Keep, parse_keep
from .batch_start import Members, Population
from .batch_trajectory import batch_trajectory
from .block import DONE, EXCLUDED, FAILED, STEADY, STOPPED, Block, Kept
from .groups import Structure

#: Systems of more states than this go point by point: printed straight on, their code over lanes takes too long.
MOST_STATES = 40

#: Numbers in the samples of one batch of points, at most: 256 MB.
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
    """Results of some points of a block, as they are gathered."""

    status: NDArray
    time: NDArray
    steps: NDArray
    kept: dict[str, NDArray]
    messages: dict[int, str]


class Engine:
    """Computes the blocks of one plan.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: PlanLike) -> None:
        self.plan = plan
        self.structure = Structure(plan)
        self.samples = _SampleTimes(self.structure.base)

    def block(self, start: int, stop: int) -> Block:
        """Points ``start`` to ``stop`` of the plan."""
        values, excluded = self.plan.values(start, stop), self.plan.excluded(start, stop)
        count = stop - start
        keeps, faults = parse_keep(self.structure.base, self.plan.keep)
        assert not faults, faults
        rows = Rows(
            status=np.where(excluded, EXCLUDED, FAILED).astype(np.int8),
            time=np.full(count, np.nan),
            steps=np.zeros(count, dtype=np.int64),
            kept={k.name: self._empty(k, count) for k in keeps},
            messages={},
        )
        for group in self.structure.groups(values, np.flatnonzero(~excluded)):
            if group.population is None:
                rows.messages |= dict.fromkeys(map(int, group.rows), group.fault)
            else:
                self._compute(group.population, keeps, group.points, group.rows, rows)
        kept = {k.name: self._kept(k, rows.kept[k.name]) for k in keeps}
        messages = {start + row: text for row, text in sorted(rows.messages.items())}
        return Block(start, rows.status, rows.time, rows.steps, kept, self._coordinates(keeps), messages)

    # -- shapes of results --------------------------------------------------------------------------------------------

    def _empty(self, keep: Keep, count: int) -> NDArray:
        if keep.draw == "trajectory":
            return np.full((count, len(self.samples.time)), np.nan)
        if keep.name == END:
            return np.full((count, len(self.structure.layout.names)), np.nan)
        return np.full(count, -1, dtype=np.int8) if keep.name == VERDICT else np.full(count, np.nan)

    def _kept(self, keep: Keep, values: NDArray) -> Kept:
        words = KINDS if keep.name == VERDICT else ()
        dimensions = ("time",) if keep.draw == "trajectory" else ("state",) if keep.name == END else ()
        return Kept(values, keep.unit, dimensions, words, keep.long_name)

    def _coordinates(self, keeps: list[Keep]) -> Mapping[str, Kept]:
        found: dict[str, Kept] = {}
        if any(k.draw == "trajectory" for k in keeps):
            found["time"] = Kept(self.samples.time, "s", ("time",), (), "time")
        if any(k.name == END for k in keeps):
            names = tuple(self.structure.layout.names)
            places = np.arange(len(names), dtype=np.int64)
            found["state"] = Kept(places, "", ("state",), names, "state of the model, SI")
        return found

    # -- computing ----------------------------------------------------------------------------------------------------

    def _compute(self, population: Population, keeps: list[Keep], points: NDArray, rows: NDArray, into: Rows) -> None:
        model, prepared = population.model, population.prepared
        alone = any(e.interrupts for e in model.events) or any(k.event for k in keeps)
        if prepared.problem is None or alone or len(prepared.initial.y) > MOST_STATES:
            for point, row in zip(points, rows, strict=True):
                self._run_alone(population, keeps, point, int(row), into)
            return
        over_time = any(k.over_time for k in keeps)
        sampled = len(self.samples.time) if over_time else 0
        batch = max(16, MOST_NUMBERS // max(1, (sampled + 1) * len(prepared.initial.y)) // 16 * 16)
        for first in range(0, len(points), batch):
            part = slice(first, first + batch)
            self._run_in_lanes(population, keeps, points[part], rows[part], into)

    def _run_in_lanes(
        self, population: Population, keeps: list[Keep], points: NDArray, rows: NDArray, into: Rows
    ) -> None:
        members = population.members(points)
        into.messages |= {int(rows[i]): text for i, text in members.faults.items()}
        if not len(members.rows):
            return
        prepared, problem, program = population.prepared, population.prepared.problem, population.prepared.program
        assert problem is not None
        assert program is not None
        samples = self.samples if any(k.over_time for k in keeps) else _NO_SAMPLES
        code = compile_lanes(program, int(problem.counts[NONNEGATIVE]))
        judging = any(k.name == VERDICT for k in keeps)
        queue = empty_queue(
            code,
            problem,
            *(members.constants, members.mass, members.lengths, members.absolute, members.start),
            samples.within,
            samples.segment,
            judging,
        )
        integrate(queue, code)
        rows = rows[members.rows]
        failed = queue.status < 0
        starts = np.array([s.start for s in prepared.segments])
        time = starts[queue.counters[:, ENDED_IN]] + queue.reached
        into.status[rows] = np.where(failed, FAILED, np.where(queue.status == kernel_status.STEADY, STEADY, DONE))
        into.time[rows] = time
        into.steps[rows] = queue.counters[:, STEPS]
        for i in np.flatnonzero(failed):
            status, worst, at_a_step = int(queue.status[i]), int(queue.counters[i, WORST]), queue.reached[i] == 0.0
            told = failure_of(population.model, prepared.layout, status, float(time[i]), worst, bool(at_a_step))
            into.messages[int(rows[i])] = told
        found = self._kept_of_lanes(population, keeps, members, queue, time)
        for name, values in found.items():
            into.kept[name][rows] = values

    def _kept_of_lanes(
        self, population: Population, keeps: list[Keep], members: Members, queue: Queue, time: NDArray
    ) -> dict[str, NDArray]:
        model, prepared = population.model, population.prepared
        failed = queue.status < 0
        end = np.where(failed[:, np.newaxis], np.nan, queue.end)
        segment = queue.counters[:, [ENDED_IN]]
        ends = batch_trajectory(model, prepared, members, time[:, np.newaxis], segment, end[:, np.newaxis])
        along = ends
        times = time[:, np.newaxis]
        if any(k.over_time for k in keeps):
            count = len(time)
            times = np.concatenate([np.tile(self.samples.time, (count, 1)), times], axis=1)
            segments = np.concatenate([np.tile(self.samples.segment, (count, 1)), segment], axis=1)
            states = np.concatenate([queue.samples, end[:, np.newaxis]], axis=1)
            states[failed] = np.nan
            along = batch_trajectory(model, prepared, members, times, segments, states)
        found: dict[str, NDArray] = {}
        for keep in keeps:
            if keep.name == END:
                found[keep.name] = end
            elif keep.name == VERDICT:
                tolerance = model.simulation.rtol
                found[keep.name] = classify_ends(ends, tolerance, queue.away, failed).kind
            elif keep.name == TIME_TO_STEADY:
                found[keep.name] = np.where(queue.status == kernel_status.STEADY, time, np.nan)
            elif keep.over_time:
                found[keep.name] = _drawn(keep, along, times)
            else:
                found[keep.name] = _drawn(keep, ends, time[:, np.newaxis])
        return found

    def _run_alone(self, population: Population, keeps: list[Keep], point: NDArray, row: int, into: Rows) -> None:
        try:
            integration = Integration(population.variant(point))
            trajectory = collect(integration)
            if integration.status < 0:
                into.messages[row] = integration.failure()
                into.time[row] = integration.time
                if VERDICT in into.kept:
                    into.kept[VERDICT][row] = NO_STEADY_STATE
                return
        except (IontideError, ValueError) as error:
            into.messages[row] = " ".join(str(error).split())
            return
        run = trajectory.run
        into.status[row], into.time[row], into.steps[row] = _STATUS[run.status], run.end_time, run.statistics.steps
        end = Trajectory(run, np.array([run.end_time]), np.array([len(run.segments) - 1]), run.end_state[np.newaxis])
        for keep in keeps:
            into.kept[keep.name][row] = self._of_one(keep, trajectory, end)

    def _of_one(self, keep: Keep, trajectory: Trajectory, end: Trajectory) -> Any:
        """What is kept of a run that was made alone."""
        if keep.name == END:
            return end.states[0]
        if keep.name == VERDICT:
            return KINDS.index(verdict_of(trajectory).kind)
        if keep.event:
            times = trajectory.event_times(keep.event)
            return len(times) if keep.draw == COUNT else times[0] if len(times) else np.nan
        if keep.name == TIME_TO_STEADY:
            return trajectory.run.end_time if trajectory.status == "steady" else np.nan
        assert keep.column is not None
        last = keep.column.values(end)
        if keep.draw == "end":
            return last[0]
        times, along = trajectory.time, keep.column.values(trajectory)
        if keep.draw == "trajectory":
            # Events may have put protocol steps elsewhere than in the others: as it was at the planned times.
            return np.interp(self.samples.time, times, along, right=np.nan)
        row = np.concatenate([along, last])[np.newaxis]
        return DRAWS[keep.draw](np.append(times, trajectory.run.end_time)[np.newaxis], row)[0]


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


def _drawn(keep: Keep, trajectory: Trajectory, times: NDArray) -> NDArray:
    """What is kept of a quantity, from the samples of points side by side, the last of each being its end."""
    assert keep.column is not None
    values = keep.column.values(trajectory).reshape(times.shape)
    return values[:, :-1] if keep.draw == "trajectory" else DRAWS[keep.draw](times, values)
