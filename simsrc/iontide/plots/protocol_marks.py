"""Protocol steps in a figure: a shade while they last, and above it what they set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ..formula import Formula
from ..units import DIMENSIONLESS, lab_unit, parse_unit
from .style import FAINT, SHADE, SMALL_SIZE, TEXT_GREY
from .time_axis import TimeAxis

if TYPE_CHECKING:
    from ..model import Model, ParameterStep

#: Rows of labels above a panel, and the height of one, mm.
LANES, LANE = 2, 2.7

#: From this many steps of one kind on, only the first is labelled, with their number.
_TRAIN = 3


@dataclass(frozen=True)
class Mark:
    """One protocol step: from ``start`` to ``end`` (s), and what it sets, in a few words."""

    start: float
    end: float
    text: str


def protocol_marks(model: Model, end: float) -> list[Mark]:
    """The protocol steps that fall within a run that ended at ``end`` (s)."""
    marks = []
    for step in model.protocol:
        stop = end if step.end is None else min(step.end, end)
        if step.start < end and stop > max(step.start, 0.0):
            marks.append(Mark(max(step.start, 0.0), stop, _text(model, step)))
    return marks


def shade(axes: Axes, marks: Iterable[Mark], axis: TimeAxis) -> None:
    """Shade the time of every step, with a fine line where it begins and where it ends within the run."""
    for mark in marks:
        start, stop = axis.positions(np.array([mark.start, mark.end]))
        axes.axvspan(start, stop, color=SHADE, linewidth=0, zorder=0)
        for edge, at in ((mark.start, start), (mark.end, stop)):
            if 0 < edge < axis.end:
                axes.axvline(at, color=FAINT, linewidth=0.4, zorder=0.1)


def write_labels(
    axes: Axes,
    marks: list[Mark],
    axis: TimeAxis,
    width: float,
    height: float,
    text_width: Callable[[str], float],
) -> int:
    """Write above the axes what the steps set, in up to `LANES` rows.

    Parameters
    ----------
    axes : Axes
    marks : list of Mark
    axis : TimeAxis
    width, height : float
        Of the axes, mm.
    text_width : callable
        Width of a label, mm.

    Returns
    -------
    int
        How many labels found no room.
    """
    taken: list[list[tuple[float, float]]] = [[] for _ in range(LANES)]
    left_out = 0
    for mark in _labelled(marks):
        start, stop = axis.drawn(np.array([mark.start, mark.end])) * width
        half = text_width(mark.text) / 2
        if 2 * half > width:
            left_out += 1
            continue
        centre = min(max((start + stop) / 2, half), width - half)
        for lane, spans in enumerate(taken):
            if all(centre + half + 1.5 < low or centre - half - 1.5 > high for low, high in spans):
                spans.append((centre - half, centre + half))
                axes.text(
                    centre / width,
                    1 + (0.8 + lane * LANE) / height,
                    mark.text,
                    transform=axes.transAxes,
                    fontsize=SMALL_SIZE,
                    color=TEXT_GREY,
                    horizontalalignment="center",
                    parse_math=False,  # names are the user's: a dollar sign is no formula
                )
                break
        else:
            left_out += 1
    return left_out


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


def _text(model: Model, step: ParameterStep) -> str:
    """``pump_rate = 0``; of several settings the first two."""
    values = model.parameter_values(step.settings) if _has_formula(step) else dict(step.settings)
    parts = [f"{name} = {_quantity(model, name, float(values[name]))}" for name in step.settings]  # type: ignore[arg-type]
    return ", ".join(parts[:2]) + (", …" if len(parts) > 2 else "")


def _has_formula(step: ParameterStep) -> bool:
    return any(isinstance(value, Formula) for value in step.settings.values())


def _quantity(model: Model, name: str, value: float) -> str:
    """A value to three digits in its lab unit; 0 needs none."""
    dimension = model.parameters[name].dimension if name in model.parameters else DIMENSIONLESS
    if value == 0 or dimension.is_dimensionless:
        return f"{value:.3g}"
    unit = lab_unit(dimension)
    return f"{value / parse_unit(unit)[0]:.3g} {unit.replace('^2', '²').replace('^3', '³').replace('uA', 'µA')}"
