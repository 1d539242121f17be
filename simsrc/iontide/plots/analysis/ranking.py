"""Sensitivities of a steady state as bars: the parameters that change each output, the strongest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ...errors import UsageError
from ..drawing.line_labels import shortened, text_width
from ..drawing.margins import write_title
from ..drawing.names import number_text
from ..drawing.style import (
    FAINT,
    LABEL_SIZE,
    SINGLE_COLUMN,
    SMALL_SIZE,
    TEXT_GREY,
    PaperFigure,
    paper_style,
)

if TYPE_CHECKING:
    from ...analysis.steady_sensitivity import Sensitivities

#: Height of a bar with its gap, between panels, above the first, below the last, mm; at the edges of the page.
_BAR, _GAP, _HEAD, _FOOT, _EDGE = 3.4, 13.5, 10.0, 13.0, 2.0

#: Bars of a panel, and panels of a page, at most; bars shorter than this part of the longest are not drawn.
MOST_BARS, MOST_PANELS, LEAST_BAR = 12, 8, 2e-3

_UP, _DOWN = "#D55E00", "#0072B2"


def sensitivity_figure(
    result: Sensitivities, outputs: Sequence[str] | None = None, width_mm: float = SINGLE_COLUMN
) -> PaperFigure:
    """Draw the change of each output (in its unit) for +1 % of each parameter, as bars.

    Parameters
    ----------
    result : Sensitivities
    outputs : sequence of str, optional
        Some of those of the result; all if not given.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds elasticities, one column an output, one row a parameter.

    Raises
    ------
    UsageError
        There is no such output, or nothing to draw.
    """
    names = list(result.outputs if outputs is None else outputs)
    missing = [name for name in names if name not in result.outputs]
    if missing:
        raise UsageError(f"there is no output {missing[0]}; there are {', '.join(result.outputs)}")
    moving = {name: _worth_a_bar(result, name) for name in names}
    names = [name for name in names if moving[name]][:MOST_PANELS]
    if not names:
        raise UsageError("no parameter changes any of these outputs: there is nothing to draw")
    with paper_style():
        bars = {name: moving[name][:MOST_BARS] for name in names}
        height = _HEAD + _FOOT + sum(_BAR * len(shown) for shown in bars.values()) + _GAP * (len(names) - 1)
        figure = PaperFigure(width_mm, height)
        left = (
            _EDGE + 2.0 + max(text_width(figure, p, LABEL_SIZE, math=False) for shown in bars.values() for p in shown)
        )
        right = 14.0
        top = height - _HEAD
        for k, name in enumerate(names):
            tall = _BAR * len(bars[name])
            box = (left / width_mm, (top - tall) / height, (width_mm - left - right) / width_mm, tall / height)
            _draw(figure.add_axes(box), result, name, bars[name])
            letter = f"{chr(ord('a') + k)}  " if len(names) > 1 else ""
            heading = f"{letter}{name}"
            figure.text(
                _EDGE / width_mm,
                (top + 1.4) / height,
                heading,
                fontsize=LABEL_SIZE,
                fontweight="bold",
                parse_math=False,
            )
            top -= tall + _GAP
        title = shortened(figure, result.steady.trajectory.model.title, width_mm - 2.0 * _EDGE)
        write_title(figure, title, _EDGE)
        note = "At the steady state. Grey: relative change of the output over that of the parameter."
        figure.text(_EDGE / width_mm, 1.0 / height, note, fontsize=SMALL_SIZE - 0.5, color=TEXT_GREY)
        figure.data = {
            f"∂ ln {name} / ∂ ln p ({', '.join(result.parameters)})": result.relative[result.outputs.index(name)]
            for name in names
        }
        return figure


def _worth_a_bar(result: Sensitivities, output: str) -> list[str]:
    ranked = result.ranked(output)
    least = LEAST_BAR * abs(_change(result, output, ranked[0])) if ranked else 0.0
    return [p for p in ranked if abs(_change(result, output, p)) > least]


def _change(result: Sensitivities, output: str, parameter: str) -> float:
    """Change of an output for +1 % of a parameter, SI."""
    row, column = result.outputs.index(output), result.parameters.index(parameter)
    return 0.01 * float(result.scaled[row, column])


def _draw(axes: Axes, result: Sensitivities, output: str, parameters: Sequence[str]) -> None:
    unit, scale = result.unit_of(output)
    values = np.array([scale * _change(result, output, p) for p in parameters])
    places = np.arange(len(parameters))[::-1]
    axes.barh(places, values, height=0.62, color=np.where(values > 0.0, _UP, _DOWN))
    reach = 1.02 * float(np.abs(values).max())
    axes.set_xlim(min(0.0, values.min()) and -reach, max(0.0, values.max()) and reach)
    axes.set_ylim(-0.5, len(parameters) - 0.5)
    axes.axvline(0.0, color=FAINT, linewidth=0.6, zorder=0.5)
    axes.set_yticks(places, parameters, parse_math=False)
    axes.tick_params(axis="y", length=0.0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    axes.set_xlabel(f"change for +1 % ({unit})".replace("-", "−"))
    for place, name in zip(places, parameters, strict=True):
        relative = result.relative[result.outputs.index(output), result.parameters.index(name)]
        axes.text(
            1.02,
            (place + 0.5) / len(parameters),
            number_text(float(relative)),
            transform=axes.transAxes,
            fontsize=SMALL_SIZE,
            color=TEXT_GREY,
            verticalalignment="center_baseline",
        )
