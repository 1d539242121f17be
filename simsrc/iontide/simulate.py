"""Run a model: from its values to samples of its state, by the compiled integrator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import SolverError, UsageError
from .kernel import status
from .kernel.integrator import Integrator
from .kernel.problem import JACOBIANS, REJECTED, SAMPLE, SEGMENT, STEPS, WORST, Samples, T, empty_progress
from .model import Model
from .prepare import BLOCK, prepare
from .schedule import sample_count_limit
from .trajectory import Origin, Run, Statistics, Trajectory

if TYPE_CHECKING:
    from .scenario.read import Scenario

#: Steps between two looks at the clock (progress, Ctrl-C): a fraction of a second.
BUDGET = 200_000

#: Called with the time reached and the duration, s.
ProgressCallback = Callable[[float, float], None]

#: A block of samples: time (s), number of the segment, states, shape (samples, n).
Block = tuple[NDArray, NDArray, NDArray]


def simulate(
    model: Model,
    progress: ProgressCallback | None = None,
    origin: Origin = Origin(),  # noqa: B008
) -> Trajectory:
    """Integrate a model and keep its samples in memory.

    Parameters
    ----------
    model : Model
    progress : callable, optional
        Called now and then with the time reached and the duration, s.
    origin : Origin, optional
        The file that the model was read from, to be kept with the results.

    Returns
    -------
    Trajectory

    Raises
    ------
    SolverError
        Where the integration cannot go on; the trajectory up to there is its ``trajectory``.
    ScenarioError
        Where there is no initial state.
    """
    integration = Integration(model, origin)
    trajectory = collect(integration, progress)
    if integration.status < 0:
        raise SolverError(integration.failure(), trajectory)
    return trajectory


def collect(integration: Integration, progress: ProgressCallback | None = None) -> Trajectory:
    """Drive an integration to its end, well or not, and keep its samples in memory."""
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
        Values to put in place of those in the file, by path and written as in the file:
        ``{"parameters.pump_rate": "0 mol/m^2/s", "simulation.rtol": 1e-9}``.
    progress : callable, optional
        Called now and then with the time reached and the duration, s.

    Returns
    -------
    Trajectory

    Raises
    ------
    ScenarioError
        The file cannot be run; all its faults at once.
    SolverError
        The integration could not go on; ``error.trajectory`` is what there is.
    UsageError
        ``set`` with something that is not a file: change the model itself (``dataclasses.replace``).
    """
    if isinstance(scenario, Model):
        if set:
            raise UsageError("set= changes a scenario file; change a Model with dataclasses.replace")
        return simulate(scenario, progress)
    from .scenario.read import Scenario, load

    if not isinstance(scenario, Scenario):
        scenario = load(scenario, set=set)
    elif set:
        raise UsageError("set= changes a scenario file; give it to iontide.load")
    return simulate(scenario.model, progress, origin_of(scenario))


def origin_of(scenario: Scenario) -> Origin:
    """What results keep of the file they come from."""
    return Origin(name=scenario.source, text=scenario.text, overrides=dict(scenario.overrides))


def _enlarged(array: NDArray, filled: int, rows: int) -> NDArray:
    larger = np.empty((rows, *array.shape[1:]), dtype=array.dtype)
    larger[:filled] = array[:filled]
    return larger


class Integration:
    """One run in the making. ``blocks`` drives it; ``outcome`` tells of it afterwards.

    Attributes
    ----------
    status : int
        As in ``kernel.status``, of the last call.
    time : float
        How far it has come, s.
    """

    def __init__(self, model: Model, origin: Origin = Origin()) -> None:  # noqa: B008
        self.model, self.origin = model, origin
        self.prepared = prepare(model)
        self.layout, self.segments = self.prepared.layout, self.prepared.segments
        self.initial, self.program = self.prepared.initial, self.prepared.program
        self.status = status.PAUSED
        table = self.prepared.table
        self._integrator = None if table is None else Integrator(table, self.initial.y)
        self._progress = self._integrator.progress if self._integrator else empty_progress()

    @property
    def time(self) -> float:
        if not self.layout.size:
            return self.segments[-1].end
        segment, within = self.segments[self._progress.counters[SEGMENT]], float(self._progress.real[T])
        return segment.end if within == segment.end - segment.start else segment.start + within

    def _since_start(self, segment: NDArray, within: NDArray) -> NDArray:
        """Time of the run from the time within segments, s; the end of a segment is met exactly."""
        starts, ends = (np.array([getattr(s, name) for s in self.segments])[segment] for name in ("start", "end"))
        return np.where(within == ends - starts, ends, starts + within)

    @property
    def state(self) -> NDArray:
        """The state reached, shape (n,)."""
        return self._progress.y

    def blocks(self, progress: ProgressCallback | None = None) -> Iterator[Block]:
        """Integrate, handing over samples block by block; ends when the run ends, well or not.

        The state at which it ended is always the last sample.
        """
        last = -1.0
        for time, segment, states in self._driven(progress):
            if len(time):
                last = time[-1]
                yield time, segment, states
        if last != self.time and self.layout.size:
            yield (
                np.array([self.time]),
                np.array([self._progress.counters[SEGMENT]], dtype=np.int32),
                self.state[np.newaxis].copy(),
            )

    def _driven(self, progress: ProgressCallback | None) -> Iterator[Block]:
        if self.prepared.problem is None:
            for time, _, segment in self.prepared.sample_blocks(self.model):
                yield time, segment, np.zeros((len(time), 0))
            self.status = status.DONE
            return
        if self.model.recording.spacing == "steps":
            within, segment = np.zeros(BLOCK), np.zeros(BLOCK, dtype=np.int64)
            while self.status > status.STEADY:
                states = np.empty((BLOCK, self.layout.size))
                filled = self._fill(within, segment, states, (1, 1), progress)
                time = self._since_start(segment[:filled], within[:filled])
                yield time, segment[:filled], states[:filled]
            return
        ahead = self.prepared.sample_blocks(self.model)
        following = next(ahead)
        while following is not None and self.status > status.STEADY:
            (time, within, segment), following = following, next(ahead, None)  # type: ignore[assignment]
            states = np.empty((len(time), self.layout.size))
            filled = self._fill(within, segment, states, (0, following is not None), progress)
            yield time[:filled], segment[:filled], states[:filled]

    def _fill(
        self,
        within: NDArray,
        segment: NDArray,
        states: NDArray,
        mode: tuple[int, int],
        progress: ProgressCallback | None,
    ) -> int:
        """Go on until the arrays are full or the run ends; return how many samples there are."""
        samples = Samples(within, segment, states, np.array(mode, dtype=np.int64))
        assert self._integrator is not None
        self._progress.counters[SAMPLE] = 0
        while True:
            self.status = self._integrator.advance(samples, BUDGET)
            if progress is not None:
                progress(self.time, self.segments[-1].end)
            if self.status != status.PAUSED:
                return int(self._progress.counters[SAMPLE])

    def outcome(self) -> Run:
        """What a trajectory keeps of the run besides its samples."""
        count = self._progress.counters
        return Run(
            model=self.model,
            layout=self.layout,
            segments=self.segments,
            values=self.prepared.values,
            initial=self.initial,
            status="steady" if self.status == status.STEADY else "failed" if self.status < 0 else "done",
            message=self.failure() if self.status < 0 else "",
            end_time=self.time,
            end_state=self.state.copy(),
            origin=self.origin,
            statistics=Statistics(
                steps=int(count[STEPS]),
                rejected=int(count[REJECTED]),
                jacobians=int(count[JACOBIANS]),
            ),
        )

    def failure(self) -> str:
        """Why the run ended before its time: what, where, when, and what to try."""
        worst = self.layout.names[int(self._progress.counters[WORST])]
        at = f"at t = {self.time:.9g} s"
        if self.status == status.NEGATIVE_AMOUNT:
            return (
                f"the run stopped {at}: the {worst} is used up and would become negative. "
                "A pathway goes on moving what is no longer there: look at the laws that move it"
            )
        if self.status == status.NON_FINITE:
            return (
                f"the run stopped {at}: the rate of change is not finite (first in the {worst}). "
                "A value has left the range of a law: look for a concentration that reaches 0 under an ohmic "
                "conductance, or for a parameter of extreme size"
            )
        if self.status == status.TOO_MANY_STEPS:
            return (
                f"the run stopped {at}: {self.model.simulation.max_steps} steps were not enough; the {worst} limits "
                "the step. Raise simulation.max_steps or simulation.rtol, or shorten simulation.duration"
            )
        if self.status == status.NO_CONSISTENT_STATE:
            floating = ", ".join(self.layout.floats)
            what = f"of {floating} at which no net current flows into it" if floating else "that the clamp can hold"
            return (
                f"the run stopped {at}: there is no potential {what}. Without a capacitance the potential follows the "
                "currents at once: look for what lets none of them pass"
            )
        return (
            f"the run stopped {at}: the step became too small to go on; the {worst} changes fastest. "
            "It may run away there; try a larger simulation.rtol, or look at the laws that move it"
        )
