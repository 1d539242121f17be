"""Protocol steps in a figure: a shade while they last, and a label above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ...model.schedule import triggered_steps
from ..drawing.mark_labels import step_text
from ..drawing.style import FAINT, SHADE, SMALL_SIZE, TEXT_GREY
from ..drawing.time_axis import TimeAxis

if TYPE_CHECKING:
    from ...model.model import Model, ParameterStep
    from ...model.schedule import Crossing

#: Rows of labels above a panel, and the height of one, mm.
LANES, LANE = 2, 2.7

#: Least space between two labels, mm.
_CLEARANCE = 1.5

#: Steps shorter than this part of the axis are drawn as a line.
_SHORT = 0.01

#: More steps than this are drawn as one where the pause between them is less than this part of the axis.
_MANY, _PAUSE = 100, 0.005

#: From this many steps of one kind on, only the first is labelled, with their number.
_TRAIN = 3


@dataclass(frozen=True)
class Mark:
    """One protocol step: from ``start`` to ``end`` (s), and what it changes, as a short text."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Placed:
    """A label above a panel: its centre from the left of the axes and half its width, mm; its row from below."""

    text: str
    centre: float
    half: float
    lane: int


def protocol_marks(model: Model, end: float, crossings: Iterable[Crossing] = ()) -> list[Mark]:
    """The protocol steps, and those that events made, that fall within a run that ended at ``end`` (s)."""
    marks = []
    steps = [*model.protocol, *triggered_steps(model, crossings)]
    for step, stop in zip(steps, _stops(steps, end), strict=True):
        if step.start < end and stop > max(step.start, 0.0):
            text = step_text(model, step)
            if text:
                marks.append(Mark(max(step.start, 0.0), stop, text))
    return marks


def _stops(steps: list[ParameterStep], end: float) -> list[float]:
    """When each step is over, s: at its end, or when a later permanent one sets the same quantities."""
    stops = [end if step.end is None else min(step.end, end) for step in steps]
    taken: dict[frozenset[str], float] = {}  # start of the next permanent step, by the quantities that it sets
    for place in range(len(steps) - 1, -1, -1):
        step, names = steps[place], frozenset(steps[place].settings)
        if names in taken and taken[names] >= step.start:
            stops[place] = min(stops[place], taken[names])
        if step.end is None:
            taken[names] = step.start
    return stops


def shade(axes: Axes, marks: Iterable[Mark], axis: TimeAxis) -> None:
    """Shade the time of every step, with a fine line where it begins and where it ends within the run."""
    for mark in _apart(list(marks), axis):
        span = np.array([mark.start, mark.end])
        start, stop = axis.positions(span)
        axes.axvspan(start, stop, color=SHADE, linewidth=0, zorder=0)
        # A step too short for its shade to be seen is one pale line: two dark ones would outshine the curves.
        short = bool(np.diff(axis.fractions(span)) < _SHORT)
        for edge, at in [(mark.start, start), (mark.end, stop)][: 1 if short else 2]:
            if 0 < edge < axis.end:
                axes.axvline(at, color=SHADE if short else FAINT, linewidth=0.4, zorder=0.1)


def _apart(marks: list[Mark], axis: TimeAxis) -> list[Mark]:
    """The marks to shade: all, or of very many those that can be distinguished."""
    if len(marks) <= _MANY:
        return marks
    ordered = sorted(marks, key=lambda mark: mark.start)
    drawn = axis.fractions(np.array([(mark.start, mark.end) for mark in ordered]).ravel()).reshape(-1, 2)
    apart = [ordered[0]]
    reach = drawn[0, 1]
    for mark, (start, stop) in zip(ordered[1:], drawn[1:], strict=True):
        if start - reach < _PAUSE:
            apart[-1] = Mark(apart[-1].start, max(apart[-1].end, mark.end), "")
        else:
            apart.append(mark)
        reach = max(reach, stop)
    return apart


def arrange(
    marks: list[Mark], axis: TimeAxis, width: float, text_width: Callable[[str], float]
) -> tuple[list[Placed], int]:
    """Find room above a panel for the labels of steps.

    Parameters
    ----------
    marks : list of Mark
    axis : TimeAxis
    width : float
        Of the axes, mm.
    text_width : callable
        Width of a label, mm.

    Returns
    -------
    list of Placed
        The labels that have room.
    int
        Number of steps without room.
    """
    placed: list[Placed] = []
    left_out = 0
    for mark in _labelled(marks):
        start, stop = axis.fractions(np.array([mark.start, mark.end])) * width
        half = text_width(mark.text) / 2
        centre = min(max((start + stop) / 2, half), width - half)
        for lane in range(LANES if 2 * half <= width else 0):
            in_the_way = [p for p in placed if p.lane == lane and abs(centre - p.centre) < half + p.half + _CLEARANCE]
            if not in_the_way:
                placed.append(Placed(mark.text, centre, half, lane))
                break
            if any(p.text == mark.text for p in in_the_way):
                break  # the same label is there already
        else:
            left_out += mark.end > mark.start  # the caption names every event besides
    return placed, left_out


def write(axes: Axes, labels: Iterable[Placed], width: float, height: float) -> None:
    """Write labels above axes of this size, mm."""
    for label in labels:
        axes.text(
            label.centre / width,
            1 + (0.8 + label.lane * LANE) / height,
            label.text,
            transform=axes.transAxes,
            fontsize=SMALL_SIZE,
            color=TEXT_GREY,
            horizontalalignment="center",
            parse_math=False,  # names are the user's: a dollar sign is no formula
        )


def _labelled(marks: list[Mark]) -> list[Mark]:
    """One mark for each label; a train of like pulses has one, at its first pulse."""
    counts = Counter(mark.text for mark in marks)
    result, seen = [], set()
    for mark in marks:
        many = counts[mark.text]
        if many < _TRAIN:
            result.append(mark)
        elif mark.text not in seen:
            seen.add(mark.text)
            result.append(Mark(mark.start, mark.end, f"{mark.text} (×{many})"))
    return result
