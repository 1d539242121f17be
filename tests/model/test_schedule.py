"""When things happen: segments between protocol steps, and sample times whole, in order and independent of blocks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iontide.model.model import Model, Parameter, ParameterStep, Recording, Simulation
from iontide.model.schedule import Segment, sample_count_limit, scheduled_samples, segments_of
from tests.support.models import p1, with_recording


def model_with(protocol: list[ParameterStep], duration: float = 100.0) -> Model:
    parameters = {name: Parameter(name, 0.0) for name in ("a", "b")}
    return replace(p1(), parameters=parameters, protocol=tuple(protocol), simulation=Simulation(duration))


def spans(model: Model) -> list[tuple[float, float, dict]]:
    return [(s.start, s.end, dict(s.settings)) for s in segments_of(model)]


# -- segments ---------------------------------------------------------------------------------------------------------


def test_no_protocol_is_one_segment():
    assert spans(model_with([])) == [(0.0, 100.0, {})]


def test_a_step_for_good_and_a_pulse():
    protocol = [ParameterStep(10.0, None, {"a": 1.0}), ParameterStep(20.0, 30.0, {"b": 2.0})]
    assert spans(model_with(protocol)) == [
        (0.0, 10.0, {}),
        (10.0, 20.0, {"a": 1.0}),
        (20.0, 30.0, {"a": 1.0, "b": 2.0}),
        (30.0, 100.0, {"a": 1.0}),
    ]


def test_where_two_overlap_the_later_in_the_protocol_counts():
    protocol = [ParameterStep(10.0, 40.0, {"a": 1.0}), ParameterStep(20.0, 30.0, {"a": 2.0})]
    values = {start: settings.get("a") for start, _, settings in spans(model_with(protocol))}
    assert values == {0.0: None, 10.0: 1.0, 20.0: 2.0, 30.0: 1.0, 40.0: None}
    values = {start: settings.get("a") for start, _, settings in spans(model_with(protocol[::-1]))}
    assert values == {0.0: None, 10.0: 1.0, 20.0: 1.0, 30.0: 1.0, 40.0: None}


def test_a_step_from_the_very_start_and_one_beyond_the_end():
    protocol = [ParameterStep(0.0, 100.0, {"a": 1.0}), ParameterStep(100.0, None, {"b": 1.0})]
    assert spans(model_with(protocol)) == [(0.0, 100.0, {"a": 1.0})]
    assert spans(model_with([ParameterStep(50.0, 500.0, {"a": 1.0})])) == [(0.0, 50.0, {}), (50.0, 100.0, {"a": 1.0})]


def course(model: Model, name: str, t: float) -> float:
    """Value of a parameter at a moment, from the segments alone."""
    (segment,) = [s for s in segments_of(model) if s.start <= t < s.end]
    return segment.settings.get(name, 0.0) + segment.slopes.get(name, 0.0) * (t - segment.start)


def test_a_ramp_goes_in_a_straight_line_and_stays():
    model = model_with([ParameterStep(10.0, None, {"a": 4.0}, over=40.0)])
    assert [(s.start, s.end) for s in segments_of(model)] == [(0.0, 10.0), (10.0, 50.0), (50.0, 100.0)]
    for t, value in [(5.0, 0.0), (10.0, 0.0), (20.0, 1.0), (49.0, 3.9), (50.0, 4.0), (99.0, 4.0)]:
        assert course(model, "a", t) == pytest.approx(value, abs=1e-14)


def test_a_ramp_goes_on_across_another_step_and_starts_from_where_things_are():
    protocol = [
        ParameterStep(0.0, None, {"a": 2.0}),
        ParameterStep(10.0, None, {"a": 4.0}, over=40.0),
        ParameterStep(30.0, 40.0, {"b": 1.0}),
    ]
    model = model_with(protocol)
    for t, value in [(5.0, 2.0), (20.0, 2.5), (30.0, 3.0), (35.0, 3.25), (45.0, 3.75), (60.0, 4.0)]:
        assert course(model, "a", t) == pytest.approx(value, abs=1e-14)
    assert course(model, "b", 35.0) == 1.0


def test_a_later_step_ends_a_ramp():
    protocol = [ParameterStep(10.0, None, {"a": 4.0}, over=40.0), ParameterStep(30.0, None, {"a": 7.0})]
    model = model_with(protocol)
    for t, value in [(20.0, 1.0), (30.0, 7.0), (45.0, 7.0), (60.0, 7.0)]:
        assert course(model, "a", t) == pytest.approx(value, abs=1e-14)


def test_a_ramp_that_the_end_of_the_run_cuts():
    model = model_with([ParameterStep(80.0, None, {"a": 4.0}, over=40.0)])
    assert course(model, "a", 90.0) == pytest.approx(1.0)
    assert segments_of(model)[-1].end == 100.0


@given(
    st.lists(
        st.tuples(st.floats(0, 120), st.none() | st.floats(0, 120), st.sampled_from("ab"), st.integers(1, 9)),
        max_size=6,
    ),
    st.lists(st.floats(0, 99.999), min_size=1, max_size=20),
)
def test_settings_hold_at_every_moment(steps, moments):
    """Segments tile the run without gap; at any moment the last matching entry of the protocol counts."""
    protocol = [ParameterStep(s, e, {name: float(v)}) for s, e, name, v in steps if e is None or e > s]
    segments = segments_of(model_with(protocol))
    assert segments[0].start == 0.0
    assert segments[-1].end == 100.0
    assert all(a.end == b.start for a, b in pairwise(segments))
    assert all(s.start < s.end for s in segments)
    for t in moments:
        (segment,) = [s for s in segments if s.start <= t < s.end]
        for name in "ab":
            matching = [
                p.settings[name]
                for p in protocol
                if name in p.settings and p.start <= t and (p.end is None or t < p.end)
            ]
            assert segment.settings.get(name) == (matching[-1] if matching else None)


# -- samples ----------------------------------------------------------------------------------------------------------


def scheduled(recording: Recording, segments: list[Segment], block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    blocks = list(scheduled_samples(recording, segments, block))
    assert all(0 < len(time) <= block for time, _, _ in blocks)
    return tuple(np.concatenate(columns) for columns in zip(*blocks, strict=True))  # type: ignore[return-value]


def segments(*ends: float) -> list[Segment]:
    starts = [0.0, *ends]
    return [Segment(a, b, {}) for a, b in zip(starts, ends, strict=False)]


def test_linear():
    time, within, number = scheduled(Recording("linear", points=5), segments(8.0), 100)
    np.testing.assert_array_equal(time, [0, 2, 4, 6, 8])
    np.testing.assert_array_equal(within, time)
    np.testing.assert_array_equal(number, 0)


def test_logarithmic():
    time, _, _ = scheduled(Recording("log", points=7, first=1e-3), segments(1e3), 100)
    np.testing.assert_allclose(time, [0, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000], rtol=1e-14)
    assert time[-1] == 1e3


def test_both_sides_of_a_step():
    """Time within the segment starts again at 0; a sample asked for at the boundary is there once for each side."""
    time, within, number = scheduled(Recording("list", times=(0.0, 3.0, 4.0, 6.0, 8.0)), segments(4.0, 5.0, 8.0), 100)
    np.testing.assert_array_equal(time, [0, 3, 4, 4, 5, 5, 6, 8])
    np.testing.assert_array_equal(within, [0, 3, 4, 0, 1, 0, 1, 3])
    np.testing.assert_array_equal(number, [0, 0, 0, 1, 1, 2, 2, 2])


def test_a_list_need_not_reach_either_end():
    time, _, number = scheduled(Recording("list", times=(6.0,)), segments(4.0, 8.0), 100)
    np.testing.assert_array_equal(time, [4, 4, 6])
    np.testing.assert_array_equal(number, [0, 1, 1])


@st.composite
def recordings(draw: Any) -> Recording:
    spacing = draw(st.sampled_from(["linear", "log", "list"]))
    if spacing == "list":
        times = sorted(set(draw(st.lists(st.sampled_from([i / 8 for i in range(801)]), min_size=1, max_size=30))))
        return Recording("list", times=tuple(times))
    first = draw(st.floats(1e-6, 50.0)) if spacing == "log" else None
    return Recording(spacing, points=draw(st.integers(2, 60)), first=first)


EIGHTHS = st.sampled_from([i / 8 for i in range(1, 800)])


@given(recordings(), st.lists(EIGHTHS, max_size=6, unique=True), st.integers(1, 70))
def test_schedule_is_whole_ordered_and_independent_of_blocks(recording, inner, block):
    pieces = segments(*sorted(inner), 100.0)
    time, within, number = scheduled(recording, pieces, 10_000)
    for a, b in zip((time, within, number), scheduled(recording, pieces, block), strict=True):
        np.testing.assert_array_equal(a, b)
    # In order, and twice only where two segments meet.
    assert np.all(np.diff(time) >= 0)
    assert np.all(np.diff(number) >= 0)
    same = np.flatnonzero(np.diff(time) == 0)
    assert sorted(time[same]) == sorted(inner)
    assert np.all(np.diff(number)[same] == 1)
    assert len(time) <= sample_count_limit(recording, len(pieces))
    # All that the recording asks for is there, and nothing else but the two sides of every step.
    if recording.spacing == "list":
        asked = np.array(recording.times)
    elif recording.spacing == "linear":
        asked = np.linspace(0.0, 100.0, recording.points)
    else:
        asked = np.concatenate([[0.0], np.geomspace(recording.first, 100.0, recording.points)])
    assume(np.abs(asked[:, None] - np.array([*inner, 1e9])).min() > 1e-9 or recording.spacing == "list")
    np.testing.assert_allclose(np.unique(time), np.unique([*asked, *inner]), rtol=1e-13, atol=1e-300)
    # Every sample lies in its segment.
    for n, piece in enumerate(pieces):
        in_segment = number == n
        assert np.all((time[in_segment] >= piece.start) & (time[in_segment] <= piece.end))
        assert np.all((within[in_segment] >= 0.0) & (within[in_segment] <= piece.end - piece.start))
        np.testing.assert_allclose(within[in_segment], time[in_segment] - piece.start, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("spacing", "changes"), [("linear", {"points": 7}), ("log", {"points": 7, "first": 1e-5})])
def test_the_last_sample_is_exactly_the_end(spacing, changes):
    """Even where points times the spacing is not the duration to the last bit."""
    for duration in (0.1, 1 / 3, 36_000.0, 1e7 / 9):
        model = with_recording(model_with([], duration), spacing, **changes)
        time, within, _ = scheduled(model.recording, segments_of(model), 100)
        assert time[-1] == within[-1] == duration
