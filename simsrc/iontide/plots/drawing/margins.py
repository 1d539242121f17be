"""What surrounds the axes of a page: title, caption, letters of panels, and the room that tick labels take."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes

from ...errors import UsageError
from .style import INCH, SMALL_SIZE, TEXT_GREY, TITLE_SIZE, PaperFigure

#: Line of a caption, mm.
CAPTION_LINE = 2.7

#: Width of a letter in a wide font, in parts of its size; captions are broken by it.
LETTER = 0.57


def caption_lines(sentences: Sequence[str], width: float) -> list[str]:
    """The sentences of a caption, broken into lines of a width (mm)."""
    letters = int(width / (SMALL_SIZE * LETTER / 72 * INCH))
    return textwrap.wrap(" ".join(sentences), max(20, letters))


def write_title(figure: PaperFigure, title: str, edge: float) -> None:
    """Write a title in bold type at the top of a page, at a distance (mm) from its left edge."""
    width, height = _size(figure)
    figure.text(
        edge / width,
        1.0 - 0.8 / height,
        title,
        fontsize=TITLE_SIZE,
        fontweight="bold",
        verticalalignment="top",
        parse_math=False,
    )


def write_caption(figure: PaperFigure, lines: Sequence[str], edge: float) -> None:
    """Write lines in small grey type at the foot of a page, at a distance (mm) from its left edge."""
    width, height = _size(figure)
    for k, line in enumerate(reversed(lines)):
        y = (1.0 + k * CAPTION_LINE) / height
        figure.text(edge / width, y, line, fontsize=SMALL_SIZE, color=TEXT_GREY, parse_math=False)


def write_letter(axes: Axes, letter: str, up: float) -> None:
    """Write the letter of a panel at the left above its axes, at a height in parts of theirs."""
    axes.text(0.0, up, letter, transform=axes.transAxes, fontsize=TITLE_SIZE, fontweight="bold")


def tick_label_width(figure: PaperFigure, axes: Axes) -> float:
    """Width of the widest tick label of the vertical axis, mm."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [label.get_window_extent(renderer) for label in axes.get_yticklabels()]
    return max((box.width for box in boxes), default=0.0) / figure.dpi * INCH


def check_room(figure: PaperFigure, room: float, least: float) -> None:
    """Refuse a page whose labels leave less room (mm) between them than the axes need.

    Raises
    ------
    UsageError
    """
    if room < least:
        raise UsageError(f"a figure {_size(figure)[0]:g} mm wide leaves no room between its labels; make it wider")


def _size(figure: PaperFigure) -> tuple[float, float]:
    """Width and height, mm."""
    return figure.get_figwidth() * INCH, figure.get_figheight() * INCH
