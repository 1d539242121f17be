"""A branch of steady states: potentials, concentrations and volumes against the parameter that is varied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ...formulas.units import DIMENSIONLESS, lab_unit, parse_quantity, parse_unit
from ..drawing import line_labels
from ..drawing.line_labels import shortened
from ..drawing.margins import CAPTION_LINE, caption_lines, write_caption, write_letter, write_title
from ..drawing.names import name_label, symbol_label, unit_label
from ..drawing.panels import (
    LINEAR_RANGE,
    Curve,
    Panel,
    changing_volumes,
    concentration_panel,
    linear_limits,
    volume_panel,
)
from ..drawing.style import (
    DASHED,
    LABEL_SIZE,
    SINGLE_COLUMN,
    SOLID,
    TOTAL_WIDTH,
    PaperFigure,
    paper_style,
)

if TYPE_CHECKING:
    from ...analysis.continuation.continuation import Branch
    from ...simulation.trajectory import Trajectory

#: More panels than this are not legible on a page.
MOST_PANELS = 6

#: Height of a panel, between two, above the first, below the last; left and right of the axes; mm.
_HEIGHT, _GAP, _HEAD, _FOOT, _LEFT, _RIGHT = 34.0, 8.0, 10.0, 9.0, 14.5, 17.0

#: A parameter that varies by more than this factor is drawn on a logarithmic axis.
_LOGARITHMIC = 30.0

#: Marker and filling of each kind of special point.
_MARKS = {"fold": ("o", True), "hopf": ("o", False), "branch": ("s", False)}
_NAMES = {"fold": "fold", "hopf": "Hopf point", "branch": "branch point"}


def branch_figure(branch: Branch, width_mm: float = SINGLE_COLUMN) -> PaperFigure:
    """Draw a branch; stable stretches solid, unstable ones dashed, folds and Hopf points marked.

    Parameters
    ----------
    branch : Branch
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn.
    """
    with paper_style():
        panels = _panels(branch)
        name, column, values = _along(branch)
        caption = caption_lines(_caption(branch), width_mm - 2.0)
        height = _HEAD + len(panels) * _HEIGHT + (len(panels) - 1) * _GAP + _FOOT + CAPTION_LINE * len(caption) + 1.5
        figure = PaperFigure(width_mm, height)
        for k, panel in enumerate(panels):
            bottom = height - _HEAD - (k + 1) * _HEIGHT - k * _GAP
            width = width_mm - _LEFT - _RIGHT
            axes = figure.add_axes((_LEFT / width_mm, bottom / height, width / width_mm, _HEIGHT / height))
            _draw(axes, panel, branch, values)
            if k == len(panels) - 1:
                axes.set_xlabel(name)
            else:
                axes.tick_params(axis="x", labelbottom=False)
            if len(panels) > 1:
                up = 1.0 + 1.4 / _HEIGHT
                write_letter(axes, chr(ord("a") + k), up)
                axes.text(4.0 / width, up, panel.place, transform=axes.transAxes, fontsize=LABEL_SIZE, parse_math=False)
            line_labels.draw_legend(axes, _HEIGHT)
        write_title(figure, shortened(figure, branch.trajectory.model.title, width_mm - 2.0), 1.0)
        write_caption(figure, caption, 1.0)
        figure.data = {column: values, "unstable modes": branch.unstable_modes.astype(float)} | {
            curve.column: curve.values for panel in panels for curve in panel.curves
        }
        return figure


def _panels(branch: Branch) -> list[Panel]:
    trajectory = branch.trajectory
    model = trajectory.model
    panels = [_potential_panel(trajectory, m) for m in model.membranes]
    held = {c for c, _ in trajectory.run.layout.amounts}
    panels += [_what_changes(concentration_panel(trajectory, c)) for c in model.compartments if c in held]
    volumes = changing_volumes(trajectory, list(model.compartments))
    return [*panels[:MOST_PANELS], *([volume_panel(trajectory, volumes)] if volumes else [])]


def _potential_panel(trajectory: Trajectory, membrane: str) -> Panel:
    """V alone: with reversal potentials, solid and dashed, the lines would be too many."""
    v = Curve(symbol_label("V"), f"{membrane}.V (mV)", 1e3 * trajectory.membrane_potential(membrane), width=TOTAL_WIDTH)
    return Panel("potential", membrane, "Potential (mV)", (v,), False, linear_limits([v], least=1e-3))


def _what_changes(panel: Panel) -> Panel:
    """Without species that do not change along the branch, if others do; these would determine the axis."""
    moving = tuple(c for c in panel.curves if np.ptp(c.values) > 1e-9 * np.abs(c.values).max())
    if not moving or len(moving) == len(panel.curves):
        return panel
    shown = np.concatenate([c.values[c.values > 0.0] for c in moving])
    low, high = float(shown.min()), float(shown.max())
    if panel.logarithmic and high > LINEAR_RANGE * low:
        margin = (high / low) ** 0.05
        return replace(panel, curves=moving, limits=(low / margin, high * margin))
    low, high = linear_limits(list(moving), least=1e-9, zero=True)
    return replace(panel, curves=moving, logarithmic=False, limits=(min(low, -0.03 * high), high))


def _along(branch: Branch) -> tuple[str, str, NDArray]:
    """The horizontal axis: its label, the name of its column, and the values in its unit."""
    model = branch.trajectory.model
    if branch.parameter in model.parameters:
        dimension = model.parameters[branch.parameter].dimension
        unit = lab_unit(dimension)
        name = name_label(branch.parameter)
    else:
        what = branch.parameter.removeprefix("total:")
        dimension = parse_quantity("1 pL" if what.startswith("volume") else "1 mol")[1]
        unit = lab_unit(dimension)
        name = f"total of {what}"
    values = branch.values / parse_unit(unit)[0] if dimension != DIMENSIONLESS else branch.values
    shown = f" ({unit_label(unit)})" if unit != "1" else ""
    return f"{name}{shown}", f"{branch.parameter} ({unit})", values


def _draw(axes: Axes, panel: Panel, branch: Branch, values: NDArray) -> None:
    positive = float(values.min()) > 0.0
    if positive and values.max() > _LOGARITHMIC * values.min():
        axes.set_xscale("log")
    if panel.logarithmic:
        axes.set_yscale("log")
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.set_ylim(*panel.limits)
    axes.set_xlim(float(values.min()), float(values.max()))
    axes.set_ylabel(panel.axis_label)
    for curve in panel.curves:
        _draw_curve(axes, curve, branch, values)
    for point in branch.special:
        marker, filled = _MARKS[point.kind]
        for curve in panel.curves:
            axes.plot(
                values[point.place],
                curve.values[point.place],
                marker=marker,
                markersize=3.2,
                markerfacecolor=curve.colour if filled else "white",
                markeredgecolor=curve.colour,
                markeredgewidth=0.7,
                linestyle="none",
                label="_mark",
                zorder=3,
            )


def _draw_curve(axes: Axes, curve: Curve, branch: Branch, values: NDArray) -> None:
    """Piece by piece: between two points the branch is stable if both are; a special point counts as either."""
    stable = branch.stable.copy()
    special = {point.place for point in branch.special}
    ends = stable[:-1] & stable[1:]
    for place in special:  # the stretch on either side goes by the neighbour
        if place:
            ends[place - 1] = stable[place - 1] or place - 1 in special
        if place < len(ends):
            ends[place] = stable[place + 1] or place + 1 in special
    labelled = False
    start = 0
    for k in range(1, len(ends) + 1):
        if k == len(ends) or ends[k] != ends[start]:
            rows = slice(start, k + 1)
            axes.plot(
                values[rows],
                curve.values[rows],
                color=curve.colour,
                linewidth=curve.width,
                linestyle=SOLID if ends[start] else DASHED,
                label="_more" if labelled else curve.label,
            )
            labelled = True
            start = k


def _caption(branch: Branch) -> list[str]:
    """What the line styles and markers mean, in sentences."""
    sentences = ["Steady states: stable solid, unstable dashed."]
    for kind, (_, filled) in _MARKS.items():
        count = sum(point.kind == kind for point in branch.special)
        if count:
            shape = "square" if kind == "branch" else "filled circle" if filled else "open circle"
            many = f"{count} {_NAMES[kind]}{'s' if count > 1 else ''}"
            sentences.append(f"{many} ({shape}).")
    return sentences
