"""How figures look: type, lines, widths, and the colour of each ion. Applied only to the figures of this package."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import matplotlib.font_manager
import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

#: Widths of one and of two columns in most journals, mm.
SINGLE_COLUMN, DOUBLE_COLUMN = 89.0, 183.0

#: mm in an inch: matplotlib measures figures in inches.
INCH = 25.4

#: Sizes of type, points: labels of axes, small texts, titles.
LABEL_SIZE, SMALL_SIZE, TITLE_SIZE = 7.0, 6.0, 8.0

#: Greys of lines, shades and texts in the background.
FAINT, SHADE, TEXT_GREY = "#b0b0b0", "#ececec", "#555555"

#: Line widths, points: V and the sum lie under the ions' lines, so they are wider.
TOTAL_WIDTH, ION_WIDTH = 1.8, 0.8

#: On every axis of currents.
CURRENT_CONVENTION = "outward positive"

#: Dash patterns, in line widths; the second channel beside colour.
SOLID: Any = "-"
DASHED: Any = (0, (4, 1.5))

# Okabe & Ito 2008 (jfly.uni-koeln.de/color): eight colours that all common forms of colour vision tell apart. Black
# is V and the sum; their yellow is too pale for a line on white and is left out.
_OKABE_ITO = {
    "K": "#0072B2",  # blue
    "Na": "#D55E00",  # vermilion
    "Cl": "#009E73",  # bluish green
    "Ca": "#CC79A7",  # reddish purple
    "HCO3": "#E69F00",  # orange
    "H": "#56B4E9",  # sky blue
}
# P. Tol, Colour Schemes (SRON/EPS/TN/09-002), scheme "muted": for what the eight do not reach.
_MUTED = ("#999933", "#332288", "#882255", "#44AA99", "#CC6677", "#117733", "#AA4499", "#DDCC77", "#88CCEE")

#: Colour and dash of the usual ions; the same in every figure.
ION_STYLES: dict[str, tuple[str, Any]] = {name: (colour, SOLID) for name, colour in _OKABE_ITO.items()} | {
    "Mg": (_MUTED[0], SOLID)
}
_OTHERS = [(colour, SOLID) for colour in _MUTED[1:]] + [(colour, DASHED) for colour in (*_OKABE_ITO.values(), *_MUTED)]

# Helvetica and its metric twins where the machine has them, then the font that comes with matplotlib, which also lends
# single glyphs that the others lack. A family that is not installed must not be named: matplotlib would log it.
_FAMILIES = ("Arial", "Helvetica", "Liberation Sans", "Nimbus Sans")

_RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": LABEL_SIZE,
    "axes.labelsize": LABEL_SIZE,
    "axes.titlesize": LABEL_SIZE,
    "xtick.labelsize": LABEL_SIZE,
    "ytick.labelsize": LABEL_SIZE,
    "legend.fontsize": SMALL_SIZE,
    "legend.frameon": False,
    "mathtext.fontset": "custom",
    "mathtext.rm": "sans",
    "mathtext.it": "sans:italic",
    "mathtext.bf": "sans:bold",
    "mathtext.bfit": "sans:italic:bold",
    "mathtext.sf": "sans",
    "mathtext.cal": "sans:italic",  # not used, but looked up: the default is found on few machines
    "mathtext.default": "regular",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "lines.linewidth": ION_WIDTH,
    "lines.solid_joinstyle": "round",
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.3,
    "ytick.minor.size": 1.3,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "axes.labelpad": 2.0,
    "figure.dpi": 150.0,
    "savefig.dpi": 300.0,
    "savefig.bbox": None,  # "tight" would change the width
    "text.hinting": "no_hinting",  # the same widths at every resolution
    # Type in PDF and PS as TrueType (42), in SVG as text: editable, and what journals ask for.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "iontide",  # ids in an SVG depend on nothing but the figure
}

# The settings of matplotlib belong to the whole process; two threads must not change them at once.
_LOCK = threading.RLock()


@contextmanager
def paper_style() -> Iterator[None]:
    """Matplotlib's defaults with the settings of this module, whatever the user's settings are; restored at the end."""
    with _LOCK, matplotlib.style.context(["default", _RC | {"font.sans-serif": _installed_families()}]):
        yield


def _installed_families() -> list[str]:
    installed = {font.name for font in matplotlib.font_manager.fontManager.ttflist}
    return [*(family for family in _FAMILIES if family in installed), "DejaVu Sans"]


class PaperFigure(Figure):
    """A figure of exact size that is always drawn in ``paper_style``.

    Ticks and fonts are chosen when a figure is drawn, so the style must apply then too, in a notebook or a file.

    Parameters
    ----------
    width, height : float
        mm.

    Attributes
    ----------
    data : dict of str to array
        The numbers drawn, by column name with unit.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width / INCH, height / INCH))
        FigureCanvasAgg(self)
        self.data: dict[str, NDArray] = {}

    def draw(self, renderer: Any) -> None:
        with paper_style():
            super().draw(renderer)

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        with paper_style():
            super().savefig(*args, **kwargs)

    def set_height(self, height: float) -> None:
        """Change the height, mm, but not the width."""
        self.set_size_inches(self.get_figwidth(), height / INCH)


def species_styles(names: Iterable[str]) -> dict[str, tuple[str, Any]]:
    """Colour and dash of each species.

    The usual ions always have the same. Any other gets one from its name, or the next free one if another species of
    the same model has it already; the order of the names does not matter.
    """
    wanted = list(names)
    chosen = {name: ION_STYLES[name] for name in wanted if name in ION_STYLES}
    taken: set[int] = set()
    for name in sorted(set(wanted) - set(chosen)):
        slot = zlib.crc32(name.encode()) % len(_MUTED[1:])
        # Solid lines first; once there are more species than styles, they must share.
        free = [k % len(_OTHERS) for k in range(slot, slot + len(_OTHERS)) if k % len(_OTHERS) not in taken]
        solid = [k for k in (*free, *range(len(_MUTED[1:]))) if k < len(_MUTED[1:]) and k not in taken]
        index = (solid or free or [slot])[0]
        taken.add(index)
        chosen[name] = _OTHERS[index]
    return {name: chosen[name] for name in wanted}
