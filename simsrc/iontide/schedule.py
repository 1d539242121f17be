"""When things happen in a run: the segments between protocol steps, and the times at which samples are taken."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .model import Model, ParameterStep, Quantity, Recording


@dataclass(frozen=True)
class Segment:
    """A stretch of time, s, in which every parameter stays or goes in a straight line.

    ``settings`` are the parameters that differ from the model's values, at the start of the stretch; ``slopes`` how
    fast those change that ramp, per s.
    """

    start: float
    end: float
    settings: Mapping[str, Quantity]
    slopes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Crossing:
    """That an event came about: its name and when, s."""

    event: str
    time: float


def triggered_steps(model: Model, crossings: Iterable[Crossing]) -> tuple[ParameterStep, ...]:
    """What events have done to the protocol; one that counts only once makes a step though it sets nothing."""
    events = {event.name: event for event in model.events if event.interrupts and event.action != "stop"}
    return tuple(
        ParameterStep(c.time, None if e.duration is None else c.time + e.duration, e.settings)
        for c in crossings
        for e in [events.get(c.event)]
        if e is not None
    )


def segments_of(model: Model, triggered: Sequence[ParameterStep] = ()) -> list[Segment]:
    """The segments of a run, in order; at least one. ``triggered`` are the steps that events have added."""
    duration = model.simulation.duration
    times = {0.0, duration}
    protocol = (*model.protocol, *triggered)
    for step in protocol:
        ends = (step.start, step.end, step.start + step.over if step.over else None)
        times |= {t for t in ends if t is not None and 0.0 < t < duration}
    ordered = sorted(times)
    segments = []
    origin: dict[tuple[int, str], float] = {}  # where a ramp set out from
    for start, end in pairwise(ordered):
        settings: dict[str, Quantity] = {}
        slopes: dict[str, float] = {}
        for number, step in enumerate(protocol):
            if step.over:
                if step.start <= start:
                    _ramp(model, number, step, start, settings, slopes, origin)
            elif step.start <= start and (step.end is None or start < step.end):
                settings.update(step.settings)
                for name in step.settings:
                    slopes.pop(name, None)
        segments.append(Segment(start, end, settings, slopes))
    return segments


def _ramp(
    model: Model,
    number: int,
    step: ParameterStep,
    start: float,
    settings: dict[str, Quantity],
    slopes: dict[str, float],
    origin: dict[tuple[int, str], float],
) -> None:
    """Where the parameters of a ramp stand at ``start``, and how fast they go on."""
    before = model.parameter_values(settings)
    after = model.parameter_values(settings | dict(step.settings))
    for name in step.settings:
        first = origin.setdefault((number, name), before[name])
        slope = (after[name] - first) / step.over
        # The end as the segments have it: start - step.start may fall short of step.over by rounding.
        if start < step.start + step.over:
            settings[name], slopes[name] = first + slope * (start - step.start), slope
        else:
            settings[name] = after[name]
            slopes.pop(name, None)


def sample_count_limit(recording: Recording, segments: int) -> int:
    """An upper bound of the number of scheduled samples."""
    return 2 * segments + 2 + (len(recording.times) if recording.spacing == "list" else recording.points)


def scheduled_samples(
    recording: Recording, segments: list[Segment], block: int, first: int = 0
) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    """Sample times in blocks of at most about ``block``: absolute time (s), time within its segment (s), its number.

    Where two segments meet, both sides are sampled: the same time stands twice, once with each segment's number.
    Those of the segments before number ``first`` are left out.
    """
    pieces: list[tuple[NDArray, NDArray, NDArray]] = []
    waiting = 0
    for piece in _pieces(recording, segments, block, first):
        if waiting and waiting + len(piece[0]) > block:
            yield _joined(pieces)
            pieces, waiting = [], 0
        pieces.append(piece)
        waiting += len(piece[0])
    yield _joined(pieces)


def _joined(pieces: list[tuple[NDArray, NDArray, NDArray]]) -> tuple[NDArray, NDArray, NDArray]:
    if len(pieces) == 1:
        return pieces[0]
    time, within, segment = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    return time, within, segment


def _pieces(
    recording: Recording, segments: list[Segment], block: int, first: int
) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    """The samples of ``scheduled_samples``, none of a piece in another segment than the rest."""
    duration = segments[-1].end
    position = 0
    total = len(recording.times) if recording.spacing == "list" else recording.points + (recording.spacing == "log")
    if first:  # a sample at the very start of that segment is there by itself

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
            # A sample asked for at the very start of a later segment is there already.
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
    """Samples ``start`` to ``stop`` of what the recording asks for, s; the last one is exactly the end."""
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
