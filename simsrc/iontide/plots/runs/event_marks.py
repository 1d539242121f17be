"""Events in a figure: dashed lines for a few, ticks at the top of a panel for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..drawing.names import time_text
from ..drawing.panels import Panel
from ..drawing.style import TEXT_GREY
from ..drawing.time_axis import TimeAxis
from .protocol_marks import Mark

if TYPE_CHECKING:
    from ...simulation.run import Run

#: An event that occurred more often than FEW is drawn as ticks; all events together have at most MOST_LINES lines.
FEW, MOST_LINES = 3, 4

#: Rows of ticks at the top of a panel, one an event; their length and their distance, mm.
ROWS, LENGTH, PITCH = 2, 0.9, 1.3

#: Ticks nearer than this part of the axis are one.
_APART = 1 / 400

_DASHES = (0, (3, 2))


@dataclass(frozen=True)
class Occurrences:
    """An event and its times, s; ``on`` is the membrane or compartment that it watches."""

    name: str
    on: str
    times: NDArray


@dataclass(frozen=True)
class EventMarks:
    """The events of a run: those drawn as lines, those drawn as ticks, and those for which there is no room."""

    lines: tuple[Occurrences, ...] = ()
    ticks: tuple[Occurrences, ...] = ()
    left_out: tuple[Occurrences, ...] = ()

    @property
    def labels(self) -> list[Mark]:
        """Labels above the lines."""
        return [Mark(t, t, event.name) for event in self.lines for t in event.times.tolist()]

    def sentences(self) -> list[str]:
        """Sentences for the caption."""
        parts = [f"{_when(event)} (dashed)" for event in self.lines]
        rows = ["ticks at the top"] if len(self.ticks) == 1 else ["upper ticks", "lower ticks"]
        parts += [f"{_when(event)} ({row})" for event, row in zip(self.ticks, rows, strict=False)]
        parts += [f"{_when(event)} (not drawn)" for event in self.left_out]
        return [f"Events: {'; '.join(parts)}."] if parts else []


def event_marks(run: Run) -> EventMarks:
    """The events of a run, sorted by how they are drawn."""
    on = {event.name: event.on for event in run.model.events}
    lines: list[Occurrences] = []
    others: list[Occurrences] = []
    drawn = 0
    for name, times in run.crossing_times().items():
        if not times:
            continue
        if len(times) <= FEW and drawn + len(times) <= MOST_LINES:
            drawn += len(times)
            lines.append(Occurrences(name, on[name], np.array(times)))
        else:
            others.append(Occurrences(name, on[name], np.array(times)))
    return EventMarks(tuple(lines), tuple(others[:ROWS]), tuple(others[ROWS:]))


def rows_of(marks: EventMarks, panels: Sequence[Panel], number: int) -> int:
    """Number of rows of ticks at the top of a panel: those of potentials have them, or else the first."""
    ticked = [k for k, panel in enumerate(panels) if panel.kind == "potential"] or [0]
    return len(marks.ticks) if number in ticked else 0


def headroom(low: float, high: float, rows: int, height: float) -> float:
    """The upper end of an axis of this height (mm) that leaves room above the curves for rows of ticks."""
    return high + (high - low) * rows * PITCH / (height - rows * PITCH)


def draw_lines_of_events(axes: Axes, marks: EventMarks, axis: TimeAxis) -> None:
    """A thin dashed line at every occurrence of the events that are drawn as lines."""
    for event in marks.lines:
        for at in axis.positions(event.times).tolist():
            axes.axvline(at, color=TEXT_GREY, linewidth=0.5, linestyle=_DASHES, zorder=0.3)


def draw_ticks(axes: Axes, marks: EventMarks, axis: TimeAxis, height: float) -> None:
    """Ticks at the top of axes of this height, mm; one row an event."""
    for row, event in enumerate(marks.ticks):
        _, first = np.unique(np.floor(axis.fractions(event.times) / _APART), return_index=True)
        top = 1 - (0.2 + row * PITCH) / height
        axes.vlines(
            axis.positions(event.times[first]),
            top - LENGTH / height,
            top,
            transform=axes.get_xaxis_transform(),
            color=TEXT_GREY,
            linewidth=0.4,
            label="_events",
        )


def _when(event: Occurrences) -> str:
    first, last = time_text(event.times[0]), time_text(event.times[-1])
    if len(event.times) == 1:
        return f"{event.name} at {first}"
    return f"{event.name} {len(event.times)} times, {first} to {last}"
