"""Scales of axes and colours in figures of sweeps: linear, logarithmic or words, with ticks that can be read."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator
from numpy.typing import NDArray

#: Positive values through more than this factor may have a logarithmic axis, of kept quantities and of what is varied.
LOGARITHMIC = 8.0

#: Numbers within these are written out on an axis.
_PLAIN = (1e-3, 1e5)

#: Words of more letters than this are cut short on an axis.
_LONGEST_WORD = 19

#: Where the lesser side of 0 reaches this part of the other, colours part at 0.
_BOTH_SIDES = 0.15


@dataclass(frozen=True)
class Ticks:
    """Where an axis is marked, and how.

    Attributes
    ----------
    places : list of float
    labels : list of str
        One a place.
    minor : list of float
    factor : float
        Labels are in this many of the unit.
    """

    places: list[float]
    labels: list[str]
    minor: list[float]
    factor: float = 1.0


@dataclass(frozen=True)
class Scale:
    """An axis from ``low`` to ``high``.

    Attributes
    ----------
    low, high : float
        Of the values, without margins.
    logarithmic : bool
    words : tuple of str
        What 0, 1, … stand for.
    """

    low: float
    high: float
    logarithmic: bool = False
    words: tuple[str, ...] = ()

    def limits(self, margin: float = 0.04) -> tuple[float, float]:
        """With a margin, as a part of the length."""
        if self.words:
            return -0.5, len(self.words) - 0.5
        if self.logarithmic:
            factor = (self.high / self.low) ** margin if self.high > self.low else 2.0
            return self.low / factor, self.high * factor
        span = self.high - self.low or abs(self.low) * 0.1 or 1.0
        return self.low - margin * span, self.high + margin * span

    def placed(self, values: NDArray) -> NDArray:
        """Where values come to lie along the axis, 0 to 1."""
        if self.logarithmic:
            with np.errstate(all="ignore"):
                values, low, high = np.log(values), np.log(self.low), np.log(self.high)
        else:
            low, high = self.low, self.high
        return (np.asarray(values, dtype=float) - low) / (high - low or 1.0)

    def between(self, parts: NDArray) -> NDArray:
        """The inverse of ``placed``."""
        if self.logarithmic:
            return self.low * (self.high / self.low) ** parts
        return self.low + (self.high - self.low) * parts

    def ticks(self, low: float, high: float, most: int) -> Ticks:
        """Ticks of an axis with these limits, at most so many with a label."""
        if self.words:
            labels = [w if len(w) <= _LONGEST_WORD else f"{w[: _LONGEST_WORD - 1]}…" for w in self.words]
            return Ticks([float(k) for k in range(len(self.words))], labels, [])
        if self.logarithmic:
            return _log_ticks(low, high, most)
        return _linear_ticks(low, high, most)

    def norm(self) -> Normalize:
        """From values to places in a colour map; even on both sides of 0 where the values lie on both."""
        low, high = (self.low, self.high) if self.high > self.low else self.limits()
        if self.logarithmic:
            return LogNorm(low, high)
        reach = max(-low, high)
        return Normalize(-reach, reach) if self.has_both_signs else Normalize(low, high)

    @property
    def has_both_signs(self) -> bool:
        return not self.logarithmic and min(-self.low, self.high) > _BOTH_SIDES * max(-self.low, self.high)

    @property
    def colours(self) -> Colormap:
        """A colour map that all forms of colour vision can read, and that is even in lightness."""
        # The ends of both maps are cut off where they are too pale for a line on white or hardly differ from black.
        return matplotlib.colormaps["RdBu_r" if self.has_both_signs else "viridis"]


def scale_for(values: NDArray, logarithmic: bool | None = None, words: tuple[str, ...] = ()) -> Scale:
    """The scale that holds these values (all finite); without ``logarithmic`` the one along which they lie more evenly.

    Values that are not all positive are never on a logarithmic scale.
    """
    if words:
        return Scale(0.0, float(len(words) - 1), words=words)
    if not len(values):
        return Scale(0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if not low > 0.0:
        return Scale(low, high)
    if logarithmic is None:
        levels = np.unique(values)
        middle = float(np.median(levels if 2 * len(levels) < len(values) else values))
        uneven = abs((middle - low) / (high - low or 1.0) - 0.5)
        uneven_in_log = abs(np.log(middle / low) / (np.log(high / low) or 1.0) - 0.5)
        logarithmic = high > LOGARITHMIC * low and uneven_in_log < uneven
    return Scale(low, high, logarithmic)


def set_axis(axes: Axes, which: str, scale: Scale, length: float, limits: tuple[float, float] | None = None) -> float:
    """Give an axis its scale, limits and ticks.

    Parameters
    ----------
    axes : Axes
    which : {"x", "y"}
    scale : Scale
    length : float
        That the axis will have, about, mm.
    limits : (float, float), optional
        Those of the scale with margins if not given.

    Returns
    -------
    float
        In how many of the unit the labels are.
    """
    low, high = limits or scale.limits()
    axis = axes.xaxis if which == "x" else axes.yaxis
    if scale.logarithmic:
        axes.set(**{f"{which}scale": "log"})
    axes.set(**{f"{which}lim": (low, high)})
    ticks = scale.ticks(low, high, max(2, int(length / (10.0 if which == "x" else 5.5))))
    axis.set_major_locator(FixedLocator(ticks.places))
    axis.set_major_formatter(FixedFormatter(ticks.labels))
    axis.set_minor_locator(FixedLocator(ticks.minor))
    axis.set_minor_formatter(FixedFormatter([""] * len(ticks.minor)))
    if scale.words:
        axes.tick_params(axis="x" if which == "x" else "y", length=0.0)
        axis.labelpad = 4.0
        if which == "x" and sum(len(label) + 2 for label in ticks.labels) * 1.25 > length:
            axes.tick_params(axis="x", rotation=40.0)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
    return ticks.factor


def _linear_ticks(low: float, high: float, most: int) -> Ticks:
    places = np.asarray(MaxNLocator(nbins=most, steps=[1, 2, 5, 10]).tick_values(low, high))
    step = float(places[1] - places[0])
    places = places[(places >= low - 1e-9 * step) & (places <= high + 1e-9 * step)]
    largest = float(np.abs(places).max(initial=0.0)) or max(abs(low), abs(high))
    exponent = int(np.floor(np.log10(largest))) if largest > 0.0 else 0
    factor = 1.0 if largest == 0.0 or 1e-2 <= largest < _PLAIN[1] else 10.0**exponent
    digits = max(0, -int(np.floor(np.log10(step / factor) + 1e-9)))
    labels = [f"{place / factor + 0.0:.{digits}f}".replace("-", "−") for place in places]
    labels = ["0" + label[2:] if label.startswith("−0") and not float(label[1:]) else label for label in labels]
    return Ticks([float(p) for p in places], labels, [], factor)


def _log_ticks(low: float, high: float, most: int) -> Ticks:
    """Decades; 1, 2, 5 where there are few of them; and as on a linear axis where it is shorter than a factor of 3."""
    if high < 3.0 * low:
        return _linear_ticks(low, high, most)
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    inside = [(m, e) for e in range(first, last + 1) for m in range(1, 10) if low <= m * 10.0**e <= high]
    for multiples in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        major = [(m, e) for m, e in inside if m in multiples]
        if len(major) <= most:
            break
    else:
        every = -(-len(major) // most)
        phase = max(range(every), key=lambda k: sum(e % every == k for _, e in major))
        major = [(m, e) for m, e in major if e % every == phase]
    skipped = len({e for _, e in major}) < len({e for m, e in inside if m == 1})
    minor = [10.0**e for m, e in inside if m == 1] if skipped else [m * 10.0**e for m, e in inside]
    places = [m * 10.0**e for m, e in major]
    plain = min(places, default=1.0) >= _PLAIN[0] and max(places, default=1.0) < _PLAIN[1] / 5
    labels = [_number(m, e, plain) for m, e in major]
    return Ticks(places, labels, sorted(set(minor) - set(places)))


def _number(multiple: int, exponent: int, plain: bool) -> str:
    if plain:
        return f"{multiple * 10.0**exponent:g}"
    return f"$10^{{{exponent}}}$" if multiple == 1 else rf"${multiple}{{\times}}10^{{{exponent}}}$"
