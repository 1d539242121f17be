"""The page of a figure of a sweep: exact width, title, caption, and the axes in the remaining space.

The size of colour bars, legends and long names is not known before they are drawn, so the constrained layout of
matplotlib places the axes; the size of the page is fixed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from ...errors import UsageError
from ..drawing.line_labels import shortened
from ..drawing.scales import Scale
from ..drawing.style import FAINT, INCH, LABEL_SIZE, SHADE, SMALL_SIZE, TEXT_GREY, TITLE_SIZE, PaperFigure
from .points import EXCLUDED, FAILED, MISSING, STATUSES, SweepColumn, SweepPoints, count_text

#: Colours of categories, in this order: Okabe & Ito's, then Tol's "muted".
CATEGORY_COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#332288", "#999933", "#882255", "#44AA99", "#117733", "#DDCC77"),
)

#: Colours of the kinds of end, the same in every figure.
KIND_COLOURS: dict[str, str] = {
    "nernst_equilibrium": "#0072B2",
    "donnan_equilibrium": "#009E73",
    "driven_steady_state": "#E69F00",
    "not_converged": "#CC79A7",
    "no_steady_state": FAINT,
}

#: Marker and colour of points without a value, by their status.
MARKS = {FAILED: ("x", "black"), MISSING: ("s", TEXT_GREY)}

#: The markers in a caption.
MARK_NAMES = {FAILED: "×", MISSING: "□"}

#: Least width of a figure, mm: in narrower ones labels overlap.
LEAST_WIDTH = 50.0

#: Height of a line of the caption and of the title, margin of the page, mm.
_CAPTION_LINE, _TITLE_LINE, _EDGE = 2.7, 5.2, 1.0

#: Width of a letter of a wide font relative to its size.
_LETTER = 0.55

#: With more marks than this they are rasterised; most marks at the foot of a panel.
MOST_VECTORS, MOST_IN_RUG = 2000, 60


def sheet(width: float, body: float, title: str, caption: Sequence[str]) -> PaperFigure:
    """A page with title and caption, and space between for the axes with their labels.

    Parameters
    ----------
    width, body : float
        Width of the page, height of the space for the axes, mm.
    title : str
        Shortened to the width of the page.
    caption : sequence of str
        Sentences.
    """
    if not LEAST_WIDTH <= width <= 1000.0:
        raise UsageError(f"the width of a figure must be {LEAST_WIDTH:g} to 1000 mm, got {width:g}")
    letters = int((width - 2 * _EDGE) / (SMALL_SIZE * _LETTER / 72 * INCH))
    lines = textwrap.wrap(" ".join(sentence for sentence in caption if sentence), max(20, letters))
    foot = _CAPTION_LINE * len(lines) + 1.5
    head = _TITLE_LINE if title else _EDGE
    height = head + body + foot
    figure = PaperFigure(width, height)
    for k, line in enumerate(reversed(lines)):
        y = (1.0 + k * _CAPTION_LINE) / height
        figure.text(_EDGE / width, y, line, fontsize=SMALL_SIZE, color=TEXT_GREY, parse_math=False).set_in_layout(False)
    if title:
        text = figure.text(
            _EDGE / width,
            1.0 - 0.8 / height,
            shortened(figure, title, width - 2 * _EDGE),
            fontsize=TITLE_SIZE,
            fontweight="bold",
            verticalalignment="top",
            parse_math=False,
        )
        text.set_in_layout(False)
    figure.set_layout_engine(
        "constrained",
        rect=(_EDGE / width, foot / height, 1.0 - 2 * _EDGE / width, body / height),
        w_pad=0.6 / INCH,
        h_pad=0.6 / INCH,
        wspace=0.03,
        hspace=0.03,
    )
    return figure


def settle(figure: PaperFigure) -> None:
    """Apply the layout now."""
    figure.canvas.draw()


def finish(figure: PaperFigure) -> None:
    """Fix the positions of the axes: each further pass of the layout would move them a little."""
    for _ in range(2):
        figure.canvas.draw()
    figure.set_layout_engine("none")


def width_of(axes: Axes) -> float:
    """Width of the axes, mm."""
    return float(axes.get_window_extent().width) / axes.figure.dpi * INCH


def wrapped(label: str, length: float) -> str:
    """A label wrapped to the length of its axis (mm)."""
    return "\n".join(
        textwrap.wrap(label, max(12, int(length / (LABEL_SIZE * 0.5 / 72 * INCH))), break_long_words=False)
    )


def letter(axes: Axes, index: int) -> None:
    """Label a panel a, b, c …"""
    axes.set_title(chr(ord("a") + index), loc="left", fontsize=TITLE_SIZE, fontweight="bold", pad=3.0)


def colour_bar(
    figure: PaperFigure,
    drawn: ScalarMappable,
    axes: Axes | Sequence[Axes],
    column: SweepColumn,
    scale: Scale,
    length: float,
) -> Colorbar:
    """A colour bar to the right of the axes with the name and unit of its quantity.

    Parameters
    ----------
    length : float
        Approximate length of the bar, mm.
    """
    bar = figure.colorbar(drawn, ax=axes, fraction=0.06, pad=0.02, aspect=22)
    low, high = (scale.low, scale.high) if scale.high > scale.low else scale.limits()
    if scale.has_both_signs:
        bar.ax.set_ylim(low, high)
    ticks = scale.ticks(low, high, max(2, int(length / 8.0)))
    bar.set_ticks(ticks.places, labels=ticks.labels)
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(width=0.4, length=1.8)
    bar.set_label(wrapped(column.label(ticks.factor), length))
    if bar.solids is not None:
        bar.solids.set_alpha(1.0)
    return bar


def category_colours(categories: Sequence[str]) -> list[str]:
    """A colour for each category; kinds of end always have the same."""
    taken = {KIND_COLOURS[c] for c in categories if c in KIND_COLOURS}
    free = iter([c for c in CATEGORY_COLOURS if c not in taken] * len(categories))
    return [KIND_COLOURS[c] if c in KIND_COLOURS else next(free) for c in categories]


def category_patches(column: SweepColumn, shown: NDArray) -> list[Patch | Line2D]:
    """Legend entries for the categories of a column that occur among these codes."""
    colours = category_colours(column.categories)
    codes = np.unique(shown[shown >= 0]).astype(int)
    return [Patch(facecolor=colours[k], label=column.labels[k]) for k in codes]


def status_handles(points: SweepPoints, excluded: bool = False) -> list[Patch | Line2D]:
    """Legend entries for the statuses of points without a value that occur."""
    handles: list[Patch | Line2D] = []
    for code, (marker, colour) in MARKS.items():
        if (points.status == code).any():
            name = STATUSES[code]
            style: dict[str, Any] = {
                "markerfacecolor": "none",
                "markeredgewidth": 0.7,
                "markersize": 3.0,
                "linestyle": "none",
            }
            handles.append(Line2D([], [], marker=marker, markeredgecolor=colour, label=name, **style))
    if excluded and (points.status == EXCLUDED).any():
        handles.append(Patch(facecolor=SHADE, label="excluded"))
    return handles


def legend(figure: PaperFigure, handles: Sequence[Patch | Line2D], title: str = "", above: bool = False) -> None:
    """A legend to the right of all axes, or in a line above them; the axes share the remaining space."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    left, bottom, width, height = engine.get()["rect"]
    found = figure.legend(
        handles=list(handles),
        loc="upper right" if above else "upper left",
        bbox_to_anchor=(left, bottom, width, height),
        ncols=len(handles) if above else 1,
        title=title or None,
        title_fontsize=SMALL_SIZE,
        alignment="left",
        handlelength=1.0,
        handleheight=0.9,
        handletextpad=0.5,
        labelspacing=0.3,
        columnspacing=1.2,
        borderpad=0.0,
        borderaxespad=0.2,
    )
    found.set_in_layout(False)
    box = found.get_window_extent().transformed(figure.transFigure.inverted())
    if above:
        engine.set(rect=(left, bottom, width, height - box.height - 0.5 / INCH / figure.get_figheight()))
    else:
        width -= box.width + 2.5 / INCH / figure.get_figwidth()
        engine.set(rect=(left, bottom, width, height))
        found.set_bbox_to_anchor((left + width + 1.5 / INCH / figure.get_figwidth(), bottom, 1.0, height))


def mark_statuses(axes: Axes, points: SweepPoints, x: NDArray, y: NDArray, size: float = 2.6) -> None:
    """Mark the points that failed or are missing at their positions.

    Parameters
    ----------
    size : float
        Size of a mark, points.
    """
    for code, (marker, colour) in MARKS.items():
        marked = points.status == code
        if marked.any():
            filling: dict[str, Any] = (
                {"color": colour} if marker == "x" else {"facecolors": "none", "edgecolors": colour}
            )
            axes.scatter(
                x[marked],
                y[marked],
                s=size**2,
                marker=marker,
                linewidths=0.7 if size > 1.5 else 0.4,
                label=f"_{STATUSES[code]}",
                zorder=4,
                clip_on=False,
                rasterized=bool(np.count_nonzero(marked) > MOST_VECTORS),
                **filling,
            )


def rug(axes: Axes, points: SweepPoints, x: NDArray) -> None:
    """Mark the points without a value at the foot of a panel; if they are many, evenly chosen ones."""
    for code, (marker, colour) in MARKS.items():
        marked = np.flatnonzero(points.status == code)[:: _every(points, code)]
        if len(marked):
            axes.plot(
                x[marked],
                np.full(len(marked), 0.03),
                transform=axes.get_xaxis_transform(),
                linestyle="none",
                marker=marker,
                markersize=2.6,
                markeredgecolor=colour,
                markerfacecolor="none",
                markeredgewidth=0.6,
                label=f"_{STATUSES[code]}",
                zorder=4,
            )


def rug_sentence(points: SweepPoints) -> str:
    """The sentence of a caption if ``rug`` does not mark all of these points."""
    parts = [
        f"{STATUSES[code]} (one in {count_text(_every(points, code))})" for code in MARKS if _every(points, code) > 1
    ]
    return f"Marked of those that are {' and '.join(parts)}." if parts else ""


def _every(points: SweepPoints, code: int) -> int:
    return -(-int(np.count_nonzero(points.status == code)) // MOST_IN_RUG) or 1
