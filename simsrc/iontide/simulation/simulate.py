"""Run a model: integrate it by the compiled integrator and sample its states."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SolverError, UsageError
from ..kernel.layout import status
from ..kernel.layout.problem import (
    CROSSING,
    JACOBIANS,
    REJECTED,
    SAMPLE,
    SEGMENT,
    STEPS,
    WORST,
    Samples,
    T,
    empty_progress,
)
from ..kernel.run import Integrator
from ..model.model import Model
from ..model.schedule import Crossing, Segment, sample_count_limit
from .failures import failure_of
from .prepare import BLOCK, prepare
from .run import Origin, Run, Statistics
from .trajectory import Trajectory

if TYPE_CHECKING:
    from ..scenario.read import Scenario

#: Number of steps between progress reports and checks for Ctrl-C: a fraction of a second.
BUDGET = 200_000

#: Maximum number of interruptions of a run by events, in total and at one time.
MAX_INTERRUPTIONS, MAX_AT_ONE_TIME = 100_000, 100

_NO_CROSSINGS = (np.zeros(0), np.zeros((0, 2), dtype=np.int64))

#: Called with the time reached and the duration, s.
ProgressCallback = Callable[[float, float], None]

#: A block of samples: time (s), number of the segment, states, shape (samples, n).
Block = tuple[NDArray, NDArray, NDArray]


def simulate(
    model: Model,
    progress: ProgressCallback | None = None,
    origin: Origin = Origin(),  # noqa: B008
) -> Trajectory:
    """Integrate a model and collect its samples in memory.

    Parameters
    ----------
    model : Model
    progress : callable, optional
        Called repeatedly with the time reached and the duration, s.
    origin : Origin, optional
        The file from which the model was read, to be stored with the results.

    Returns
    -------
    Trajectory

    Raises
    ------
    SolverError
        If the integration fails; the trajectory up to that time is its ``trajectory``.
    ScenarioError
        If there is no initial state.
    """
    integration = Integration(model, origin)
    trajectory = collect(integration, progress)
    if integration.status < 0:
        raise SolverError(integration.failure(), trajectory)
    return trajectory


def collect(integration: Integration, progress: ProgressCallback | None = None) -> Trajectory:
    """Run an integration to its end, or to its failure, and collect its samples in memory."""
    recording, n = integration.model.recording, integration.layout.size
    rows = 1024 if recording.spacing == "steps" else sample_count_limit(recording, len(integration.segments))
    store: Block = (np.empty(rows), np.empty(rows, dtype=np.int32), np.empty((rows, n)))
    filled = 0
    for block in integration.blocks(progress):
        end = filled + len(block[0])
        if end > len(store[0]):
            time, segment, states = (_enlarged(array, filled, max(end, 2 * filled)) for array in store)
            store = (time, segment, states)
        for array, part in zip(store, block, strict=True):
            array[filled:end] = part
        filled = end
    return Trajectory(integration.outcome(), store[0][:filled], store[1][:filled], store[2][:filled])


def run(
    scenario: str | os.PathLike[str] | Scenario | Model,
    set: Mapping[str, Any] | None = None,
    progress: ProgressCallback | None = None,
) -> Trajectory:
    """Run a scenario file, or a model.

    Parameters
    ----------
    scenario : path, Scenario or Model
    set : mapping of str to value, optional
        Values that replace those in the file, by path and written as in the file:
        ``{"parameters.pump_rate": "0 mol/m^2/s", "simulation.rtol": 1e-9}``.
    progress : callable, optional
        Called repeatedly with the time reached and the duration, s.

    Returns
    -------
    Trajectory

    Raises
    ------
    ScenarioError
        If the file cannot be run; all its faults are reported together.
    SolverError
        If the integration fails; ``error.trajectory`` is the trajectory up to that time.
    UsageError
        If ``set`` is given for something that is not a file: change the model itself (``dataclasses.replace``).

    Examples
    --------
    >>> trajectory = iontide.run("scenarios/first_principles/nernst_potassium.toml")
    >>> trajectory.status, round(1e3 * float(trajectory["plasma.V"][-1]), 1)  # mV
    ('done', -89.1)
    """
    if isinstance(scenario, Model):
        if set:
            raise UsageError("set= changes a scenario file; change a Model with dataclasses.replace")
        return simulate(scenario, progress)
    from ..scenario.read import Scenario, load

    if not isinstance(scenario, Scenario):
        scenario = load(scenario, set=set)
    elif set:
        raise UsageError("set= changes a scenario file; give it to iontide.load")
    with scenario.locating():
        return simulate(scenario.model, progress, origin_of(scenario))


def origin_of(scenario: Scenario) -> Origin:
    """The origin of results, from the scenario that was run."""
    return Origin(name=scenario.source, text=scenario.text, overrides=dict(scenario.overrides))


def _enlarged(array: NDArray, filled: int, rows: int) -> NDArray:
    larger = np.empty((rows, *array.shape[1:]), dtype=array.dtype)
    larger[:filled] = array[:filled]
    return larger


class Integration:
    """The integration of one run: ``blocks`` computes its samples; ``outcome`` is its result.

    Attributes
    ----------
    status : int
        As in ``kernel.layout.status``, of the last call.
    time : float
        Time reached, s.
    """

    def __init__(self, model: Model, origin: Origin = Origin()) -> None:  # noqa: B008
        self.model, self.origin = model, origin
        self.prepared = prepare(model)
        self.layout = self.prepared.layout
        self.initial, self.program = self.prepared.initial, self.prepared.program
        self.status = status.PAUSED
        table = self.prepared.table
        self._integrator = None if table is None else Integrator(table, self.initial.y)
        self._progress = self._integrator.progress if self._integrator else empty_progress()
        self.crossings: list[Crossing] = []
        self._interruptions: list[float] = []
        self._spent = [0, 0, 0]  # by the integrators before the last event
        room = 64 * len(model.events) + 1024 if model.events else 0
        self._crossing_buffers = (np.zeros(room), np.zeros((room, 2), dtype=np.int64)) if room else _NO_CROSSINGS

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments of the run; events may add some."""
        return self.prepared.segments

    @property
    def time(self) -> float:
        if not self.layout.size:
            return self.segments[-1].end
        segment, within = self.segments[self._segment], float(self._progress.real[T])
        return segment.end if within == segment.end - segment.start else segment.start + within

    @property
    def _segment(self) -> int:
        return self.prepared.first + int(self._progress.counters[SEGMENT])

    def _since_start(self, segment: NDArray, within: NDArray) -> NDArray:
        """Time of the run from the time within segments, s; exact at the end of a segment."""
        time = np.empty(len(within))
        for number in np.unique(segment):
            rows, piece = segment == number, self.segments[number]
            time[rows] = np.where(within[rows] == piece.end - piece.start, piece.end, piece.start + within[rows])
        return time

    @property
    def state(self) -> NDArray:
        """The state reached, shape (n,)."""
        return self._progress.y

    def blocks(self, progress: ProgressCallback | None = None) -> Iterator[Block]:
        """Integrate and yield the samples block by block, to the end of the run or to its failure.

        The last sample is always the final state.
        """
        last = -1.0
        for time, segment, states in self._integrated(progress):
            if len(time):
                last = time[-1]
                yield time, segment, states
        if last != self.time and self.layout.size:
            yield (
                np.array([self.time]),
                np.array([self._segment], dtype=np.int32),
                self.state[np.newaxis].copy(),
            )

    def _integrated(self, progress: ProgressCallback | None) -> Iterator[Block]:
        if self.prepared.problem is None:
            for time, _, segment in self.prepared.sample_blocks(self.model):
                yield time, segment, np.zeros((len(time), 0))
            self.status = status.DONE
            return
        every_step = self.model.recording.spacing == "steps"
        sampled = self._sample_steps if every_step else self._sample_schedule
        while True:
            yield from sampled(progress)
            if self.status != status.CROSSED or self._stopping_event is not None:
                return
            if self.time >= self.segments[-1].end:
                self.status = status.DONE
                return
            if not every_step:  # sample the state before the event; the state after it starts the next segment
                yield np.array([self.time]), np.array([self._segment], dtype=np.int32), self.state[np.newaxis].copy()
            self._continue_after_event()
            if self.status < 0:
                return

    def _sample_steps(self, progress: ProgressCallback | None) -> Iterator[Block]:
        within, segment = np.zeros(BLOCK), np.zeros(BLOCK, dtype=np.int64)
        while True:
            states = np.empty((BLOCK, self.layout.size))
            filled = self._fill(within, segment, states, (1, 1), progress)
            numbers = segment[:filled] + self.prepared.first
            yield self._since_start(numbers, within[:filled]), numbers, states[:filled]
            if self.status != status.BUFFER_FULL:
                return

    def _sample_schedule(self, progress: ProgressCallback | None) -> Iterator[Block]:
        blocks = self.prepared.sample_blocks(self.model)
        upcoming = next(blocks)
        while upcoming is not None:
            (time, within, segment), upcoming = upcoming, next(blocks, None)  # type: ignore[assignment]
            states = np.empty((len(time), self.layout.size))
            segment_of_problem = segment - self.prepared.first
            filled = self._fill(within, segment_of_problem, states, (0, upcoming is not None), progress)
            yield time[:filled], segment[:filled], states[:filled]
            if self.status != status.BUFFER_FULL:
                return

    def _fill(
        self,
        within: NDArray,
        segment: NDArray,
        states: NDArray,
        mode: tuple[int, int],
        progress: ProgressCallback | None,
    ) -> int:
        """Integrate until the arrays are full or the run ends; return the number of samples."""
        order = np.array(mode, dtype=np.int64)
        samples = Samples(within, segment, states, order, *self._crossing_buffers)
        assert self._integrator is not None
        counters = self._progress.counters
        counters[SAMPLE] = 0
        while True:
            counters[CROSSING] = 0
            self.status = self._integrator.advance(samples, BUDGET)
            self._append_crossings(int(counters[CROSSING]))
            if progress is not None:
                progress(self.time, self.segments[-1].end)
            if self.status != status.PAUSED:
                return int(counters[SAMPLE])

    def _append_crossings(self, count: int) -> None:
        """Append the crossings recorded by the integrator, in the order of time."""
        if count:
            crossed_at, crossed = (array[:count] for array in self._crossing_buffers)
            time = self._since_start(crossed[:, 0] + self.prepared.first, crossed_at)
            order = np.argsort(time, kind="stable")
            names = [event.name for event in self.model.events]
            self.crossings += [Crossing(names[crossed[k, 1]], float(time[k])) for k in order]

    def _just_crossed(self) -> list[Crossing]:
        """The events that occurred at the time reached."""
        latest = self.crossings[-len(self.model.events) :]
        return [c for c in latest if c.time == self.time]

    @property
    def _stopping_event(self) -> str | None:
        """The event that stopped the run."""
        if self.status != status.CROSSED:
            return None
        stops = {event.name for event in self.model.events if event.action == "stop"}
        return next((c.event for c in self._just_crossed() if c.event in stops), None)

    def _continue_after_event(self) -> None:
        """Continue the integration with the protocol as changed by events."""
        self._interruptions.append(self.time)
        recent = self._interruptions[-MAX_AT_ONE_TIME:]
        if len(self._interruptions) > MAX_INTERRUPTIONS or (len(recent) == MAX_AT_ONE_TIME and recent[0] == self.time):
            self.status = status.TOO_MANY_EVENTS
            return
        levels = self._progress.levels.copy()
        self._spent = self._spent_so_far()
        number, state = self._segment, self.state
        over = {e.name for e in self.model.events if e.once} & {c.event for c in self.crossings}
        self.prepared = self.prepared.after(self.model, self._just_crossed(), number, over)
        assert self.prepared.table is not None
        self._integrator = Integrator(self.prepared.table, state)
        self._progress = self._integrator.progress
        self._progress.levels[:] = levels

    def _spent_so_far(self) -> list[int]:
        """Steps, rejected steps and Jacobians since the start."""
        count = self._progress.counters
        return [before + int(count[k]) for before, k in zip(self._spent, (STEPS, REJECTED, JACOBIANS), strict=True)]

    def outcome(self) -> Run:
        """The run without its samples."""
        stopped = self._stopping_event
        ends = {status.STEADY: "steady", status.CROSSED: "stopped"}
        return Run(
            model=self.model,
            layout=self.layout,
            segments=self.segments,
            values=self.prepared.values,
            initial=self.initial,
            status="failed" if self.status < 0 else ends.get(self.status, "done"),
            message=self.failure() if self.status < 0 else f"stopped by the event {stopped}" if stopped else "",
            end_time=self.time,
            end_state=self.state.copy(),
            origin=self.origin,
            statistics=Statistics(*self._spent_so_far()),
            crossings=tuple(self.crossings),
        )

    def failure(self) -> str:
        """Message for a run that failed: the fault, the state, the time, and what to try."""
        return failure_of(
            self.model,
            self.layout,
            self.status,
            self.time,
            int(self._progress.counters[WORST]),
            at_a_step=not self._progress.real[T],
            interruptions=len(self._interruptions),
            events=[c.event for c in self.crossings[-MAX_AT_ONE_TIME:]],
        )
