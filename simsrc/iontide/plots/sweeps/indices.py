"""Sobol indices as bars: the share of the variance that each parameter explains, in descending order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ...errors import UsageError
from ..drawing.scales import Scale, set_axis
from ..drawing.style import FAINT, LABEL_SIZE, SINGLE_COLUMN, PaperFigure, paper_style
from .page import finish, legend, sheet, wrapped
from .points import SweepColumn, count_text

#: Height of the two bars of a parameter and of the rest of a panel, mm; most parameters of a panel; most panels.
_BAR, _BESIDE, MOST_BARS, MOST_PANELS = 5.2, 15.0, 20, 6

_FIRST, _TOTAL = "#0072B2", "#E69F00"


class IndicesLike(Protocol):
    """First and total order with their intervals, as ``sweeps.sobol_indices.Indices``."""

    @property
    def first(self) -> NDArray: ...
    @property
    def total(self) -> NDArray: ...
    @property
    def first_interval(self) -> NDArray: ...
    @property
    def total_interval(self) -> NDArray: ...
    @property
    def confidence(self) -> float: ...
    @property
    def samples(self) -> int: ...
    @property
    def left_out(self) -> int: ...


def indices_figure(
    title: str,
    axes: Sequence[SweepColumn],
    found: Sequence[tuple[SweepColumn, IndicesLike]],
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """Bars of first and total order with their intervals, sorted by the total order; one panel for each output.

    Parameters
    ----------
    title : str
    axes : sequence of SweepColumn
        The parameters, in the order of the indices.
    found : sequence of (SweepColumn, Indices)
        Each output, of which the values are not needed, with its indices.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the indices with their intervals, one row for each parameter in the order of ``axes``.

    Raises
    ------
    UsageError
        If there is no output, or more than a page has room for.
    """
    if not 1 <= len(found) <= MOST_PANELS:
        raise UsageError(f"a figure has room for 1 to {MOST_PANELS} quantities with their indices, got {len(found)}")
    bars = min(len(axes), MOST_BARS)
    used = [result.samples for _, result in found]
    left_out = [result.left_out for _, result in found]
    confidence = f"{100.0 * found[0][1].confidence:g}"
    caption = [
        f"Intervals: {confidence} %, bootstrap over {_range(used)} base samples.",
        f"Left out with a point that has no value: {_range(left_out)} base samples." if any(left_out) else "",
        f"Shown: {bars} of {len(axes)} parameters." if bars < len(axes) else "",
    ]
    with paper_style():
        row = _BESIDE + _BAR * bars
        figure = sheet(width_mm, row * len(found), title, caption)
        grid = figure.add_gridspec(len(found), 1)
        for k, (column, result) in enumerate(found):
            panel = figure.add_subplot(grid[k, 0])
            _draw(panel, axes, result, bars, width_mm - 40.0)
            panel.set_xlabel("Share of the variance")
            panel.set_title(wrapped(column.text, width_mm - 42.0), loc="left", fontsize=LABEL_SIZE, x=0.0, pad=3.0)
        entries = [Patch(facecolor=_TOTAL, label="total"), Patch(facecolor=_FIRST, label="first order")]
        legend(figure, entries, above=True)
        figure.data = {"parameter": np.arange(1.0, len(axes) + 1.0)}
        for column, result in found:
            for order, values, interval in (
                ("first", result.first, result.first_interval),
                ("total", result.total, result.total_interval),
            ):
                name = f"{order} order of {column.name}"
                figure.data |= {
                    f"{name} ({', '.join(a.name for a in axes)})": values,
                    f"{name}, {confidence} % from": interval[:, 0],
                    f"{name}, {confidence} % to": interval[:, 1],
                }
        finish(figure)
        return figure


def _draw(panel: Axes, axes: Sequence[SweepColumn], result: IndicesLike, bars: int, length: float) -> None:
    order = np.argsort(-result.total, kind="stable")[:bars]
    places = np.arange(bars, dtype=float)[::-1]
    for values, interval, up, colour, name in (
        (result.total, result.total_interval, 0.2, _TOTAL, "total"),
        (result.first, result.first_interval, -0.2, _FIRST, "first"),
    ):
        sorted_values, low, high = values[order], interval[order, 0], interval[order, 1]
        panel.barh(places + up, sorted_values, height=0.36, color=colour, label=f"_{name}")
        # An interval of quantiles need not contain the estimate.
        panel.hlines(places + up, low, high, color="black", linewidth=0.7, label=f"_{name}_interval")
        for end in (low, high):
            panel.vlines(end, places + up - 0.1, places + up + 0.1, color="black", linewidth=0.7)
    low = min(0.0, float(result.first_interval.min()), float(result.first.min()), float(result.total.min()))
    high = max(1.0, float(result.total_interval.max()), float(result.first_interval.max()))
    set_axis(panel, "x", Scale(low, high), length, (low - 0.02 * (low < 0.0), 1.02 * high))
    panel.axvline(0.0, color=FAINT, linewidth=0.6, zorder=0.5)
    panel.set_ylim(-0.6, bars - 0.4)
    panel.set_yticks(places, [axes[k].text for k in order])
    panel.tick_params(axis="y", length=0.0)


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return count_text(low) if low == high else f"{count_text(low)} to {count_text(high)}"
