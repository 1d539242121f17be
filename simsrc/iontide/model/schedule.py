"""Schedule of a run: the segments between protocol steps, and the sample times."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..formulas.formula import Formula, evaluate_float
from .model import Model, ParameterStep, Quantity, Recording, dependency_order


@dataclass(frozen=True)
class Segment:
    """An interval of time, s, in which every parameter that the protocol sets is constant or changes linearly.

    ``settings`` are the values, at the start of the segment, of the parameters that differ from those of the model;
    ``slopes`` are the rates of change of the ramped ones, per s.
    """

    start: float
    end: float
    settings: Mapping[str, Quantity]
    slopes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Crossing:
    """The occurrence of an event: its name and the time, s."""

    event: str
    time: float


def triggered_steps(model: Model, crossings: Iterable[Crossing]) -> list[ParameterStep]:
    """The protocol steps caused by events, in the order of their occurrence.

    A value without a duration applies until the protocol sets it again. An event that counts only once gives a step
    even if it sets nothing.
    """
    events = {event.name: event for event in model.events if event.interrupts and event.action != "stop"}
    steps = []
    for crossing in crossings:
        event = events.get(crossing.event)
        if event is None:
            continue
        if event.duration is not None:
            steps.append(ParameterStep(crossing.time, crossing.time + event.duration, event.settings))
            continue
        ends: dict[float | None, dict[str, Quantity]] = {} if event.settings else {None: {}}
        for name, value in event.settings.items():
            later = (s.start for s in model.protocol if name in s.settings and s.start > crossing.time)
            ends.setdefault(min(later, default=None), {})[name] = value
        steps += [ParameterStep(crossing.time, end, settings) for end, settings in ends.items()]
    return steps


def still_counting(steps: Sequence[ParameterStep], time: float) -> list[ParameterStep]:
    """The triggered steps, all of which have begun, that still affect the settings after a time."""
    effective: list[ParameterStep] = []
    for step in reversed(steps):
        is_over = step.end is not None and step.end <= time
        covered = any(
            step.settings.keys() <= later.settings.keys()
            and (later.end is None or (step.end is not None and step.end <= later.end))
            for later in effective
        )
        if not is_over and not covered:
            effective.append(step)
    return effective[::-1]


def segments_of(model: Model, triggered: Sequence[ParameterStep] = ()) -> list[Segment]:
    """The segments of a run, in order; at least one. ``triggered`` are the steps added by events."""
    duration, protocol = model.simulation.duration, (*model.protocol, *triggered)
    times = {0.0, duration}
    for step in protocol:
        ends = (step.start, step.end, step.start + step.over if step.over else None)
        times |= {t for t in ends if t is not None and 0.0 < t < duration}
    steps = _Steps(protocol)
    segments = []
    origin: dict[tuple[int, str], float] = {}  # initial value of each ramp
    for start, end in pairwise(sorted(times)):
        settings: dict[str, Quantity] = {}
        slopes: dict[str, float] = {}
        for number in steps.at(start):
            step = protocol[number]
            if step.over:
                _ramp(model, number, step, start, settings, slopes, origin)
            else:
                settings.update(step.settings)
                for name in step.settings:
                    slopes.pop(name, None)
        steps.drop_superseded()
        segments.append(Segment(start, end, settings, slopes))
    return segments


class _Steps:
    """The steps of a protocol that are active at a time, queried in the order of time.

    A step is dropped once it is permanently superseded: the next entry of the protocol that has not ended sets all of
    its parameters and has begun. Without this, the cost of a long table of values would grow with the square of its
    length.
    """

    def __init__(self, protocol: Sequence[ParameterStep]) -> None:
        self._protocol = protocol
        self._waiting = sorted(range(len(protocol)), key=lambda n: protocol[n].start, reverse=True)
        self._ends: list[tuple[float, int]] = []
        self._active: list[int] = []
        self._last: list[int] = []  # those that may supersede the entries before them
        # Previous and next entry of the protocol, without those that have ended; one more entry closes the ring.
        self._before, self._after = list(range(-1, len(protocol))), [*range(1, len(protocol) + 1), 0]
        self._before[0] = len(protocol)

    def at(self, time: float) -> list[int]:
        """Numbers of the active steps, in the order of the protocol."""
        while self._waiting and self._protocol[self._waiting[-1]].start <= time:
            number = self._waiting.pop()
            insort(self._active, number)
            end = self._protocol[number].end
            if end is None or self._protocol[number].over:
                self._last.append(number)
            else:
                heappush(self._ends, (end, number))
        while self._ends and self._ends[0][0] <= time:
            number = heappop(self._ends)[1]
            if self._is_active(number):
                self._drop(number)
        return self._active

    def drop_superseded(self) -> None:
        """Drop the superseded steps; to be called after the steps at a time have been used."""
        for number in self._last:
            names = self._protocol[number].settings.keys()
            before = self._before[number]
            while self._is_active(before) and self._protocol[before].settings.keys() <= names:
                self._drop(before)
                before = self._before[number]
        self._last = []

    def _is_active(self, number: int) -> bool:
        place = bisect_left(self._active, number)
        return place < len(self._active) and self._active[place] == number

    def _drop(self, number: int) -> None:
        del self._active[bisect_left(self._active, number)]
        before, after = self._before[number], self._after[number]
        self._after[before], self._before[after] = after, before


def _ramp(
    model: Model,
    number: int,
    step: ParameterStep,
    start: float,
    settings: dict[str, Quantity],
    slopes: dict[str, float],
    origin: dict[tuple[int, str], float],
) -> None:
    """Set the values of the parameters of a ramp at ``start``, and their slopes."""
    before = {name: q for name in step.settings if not isinstance(q := _value_of(model, settings, name), Formula)}
    after = {name: q for name, q in step.settings.items() if not isinstance(q, Formula)}
    if len(before) < len(step.settings) and not all((number, name) in origin for name in step.settings):
        before = model.parameter_values(settings)
    if len(after) < len(step.settings):
        after = model.parameter_values(settings | dict(step.settings))
    for name in step.settings:
        first = origin[number, name] if (number, name) in origin else origin.setdefault((number, name), before[name])
        slope = (after[name] - first) / step.over
        # The end as computed for the segments: start - step.start may fall short of step.over by rounding.
        if start < step.start + step.over:
            settings[name], slopes[name] = first + slope * (start - step.start), slope
        else:
            settings[name] = after[name]
            slopes.pop(name, None)


def _value_of(model: Model, settings: Mapping[str, Quantity], name: str) -> Quantity:
    return settings[name] if name in settings else model.parameters[name].value


def values_of(model: Model, segments: Sequence[Segment]) -> list[Mapping[str, float]]:
    """``model.values`` of every segment; only values that differ from those of the first segment are recomputed."""
    first = segments[0].settings
    values = model.values(first)
    parameters = model.parameter_values(first)
    plans: dict[frozenset[str], tuple[list[str], list[tuple[str, Formula]]]] = {}
    cached: dict[tuple, Mapping[str, float]] = {}
    result: list[Mapping[str, float]] = []
    for segment in segments:
        settings = segment.settings
        key = tuple(settings.items())
        if key not in cached:
            if any(isinstance(q, Formula) for q in (*first.values(), *settings.values())):
                cached[key] = model.values(settings)
            else:
                names = frozenset(
                    n for n in first.keys() | settings.keys() if n not in first or first[n] != settings.get(n)
                )
                if names not in plans:
                    plans[names] = _dependents(model, names)
                cached[key] = ChainMap(_renewed(model, settings, parameters, plans[names]), values)
        result.append(cached[key])
    return result


def _dependents(model: Model, names: Set[str]) -> tuple[list[str], list[tuple[str, Formula]]]:
    """The parameters that depend on these, in the order of evaluation, and the dependent settled quantities.

    A parameter that depends on time is left out, as in ``Model.parameter_values``.
    """
    dependents = model.made_of(names)
    order = dependency_order({name: model.parameters[name].value for name in model.parameters if name in dependents})
    quantities = [
        (path, q)
        for path, q in model.settled_quantities()
        if isinstance(q, Formula) and q.names & dependents and not path.startswith("parameters.")
    ]
    return [name for name in order if name in model.ramped or name not in model.moving], quantities


def _renewed(
    model: Model,
    settings: Mapping[str, Quantity],
    parameters: Mapping[str, float],
    plan: tuple[list[str], list[tuple[str, Formula]]],
) -> dict[str, float]:
    """Values by path of the parameters and quantities of a plan (see ``_dependents``)."""
    known = dict(parameters)
    for name in plan[0]:
        q = _value_of(model, settings, name)
        known[name] = evaluate_float(q, known) if isinstance(q, Formula) else q
    renewed = {f"parameters.{name}": known[name] for name in plan[0]}
    return renewed | {path: evaluate_float(formula, known) for path, formula in plan[1]}


def sample_count_limit(recording: Recording, segments: int) -> int:
    """An upper bound of the number of scheduled samples."""
    return 2 * segments + 2 + (len(recording.times) if recording.spacing == "list" else recording.points)


def scheduled_samples(
    recording: Recording, segments: list[Segment], block: int, first: int = 0
) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    """Sample times in blocks of at most about ``block``: time (s), time within its segment (s), number of the segment.

    The boundary of two segments is sampled on both sides: the same time occurs twice, once with the number of each
    segment. Samples of segments before number ``first`` are left out.
    """
    pieces: list[tuple[NDArray, NDArray, NDArray]] = []
    pending = 0
    for piece in _pieces(recording, segments, block, first):
        if pending and pending + len(piece[0]) > block:
            yield _joined(pieces)
            pieces, pending = [], 0
        pieces.append(piece)
        pending += len(piece[0])
    yield _joined(pieces)


def _joined(pieces: list[tuple[NDArray, NDArray, NDArray]]) -> tuple[NDArray, NDArray, NDArray]:
    if len(pieces) == 1:
        return pieces[0]
    time, within, segment = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    return time, within, segment


def _pieces(
    recording: Recording, segments: list[Segment], block: int, first: int
) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    """The samples of ``scheduled_samples`` in pieces, each within one segment."""
    duration = segments[-1].end
    position = 0
    total = len(recording.times) if recording.spacing == "list" else recording.points + (recording.spacing == "log")
    if first:  # the start of that segment is always sampled

        def time_of(index: int) -> float:
            return float(_base_times(recording, duration, index, index + 1)[0])

        position = bisect_right(range(total), segments[first].start, key=time_of)
    for number, segment in enumerate(segments):
        if number < first:
            continue
        if number:
            yield _block(np.array([segment.start]), segment, number)
        last = number == len(segments) - 1
        while position < total:
            times = _base_times(recording, duration, position, min(position + block, total))
            times = times[: np.searchsorted(times, segment.end, side="right" if last else "left")]
            # The start of a later segment has been sampled already.
            inside = times[times > segment.start] if number else times
            position += len(times)
            if len(inside):
                yield _block(inside, segment, number)
            if not len(times):
                break
        if not last:
            yield _block(np.array([segment.end]), segment, number)


def _block(times: NDArray, segment: Segment, number: int) -> tuple[NDArray, NDArray, NDArray]:
    within = np.minimum(times - segment.start, segment.end - segment.start)
    return times, within, np.full(len(times), number, dtype=np.int64)


def _base_times(recording: Recording, duration: float, start: int, stop: int) -> NDArray:
    """Samples ``start`` to ``stop`` of those that the recording defines, s; the last one is exactly the end."""
    if recording.spacing == "list":
        return np.array(recording.times[start:stop], dtype=float)
    index = np.arange(start, stop, dtype=float)
    if recording.spacing == "linear":
        return np.minimum(index * (duration / (recording.points - 1)), duration)
    first = recording.first
    assert first is not None, "a logarithmic recording has a first time"
    fraction = (index - 1.0) / (recording.points - 1)
    times = np.exp(np.log(first) + fraction * (np.log(duration) - np.log(first)))
    times[index == 0] = 0.0
    times[index == recording.points] = duration
    return np.minimum(times, duration)
