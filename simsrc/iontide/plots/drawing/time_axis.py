"""The time axis: linear in a fitting unit, logarithmic, or logarithmic from the first sample on with t = 0 shown.

Seven decades of time have no one unit, so the ticks of a logarithmic axis carry theirs: 1 ms, 1 s, 1 min, 1 h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ...errors import UsageError
from ...formulas.display import TIME_UNITS
from ..choices import TIME_SCALES, TimeScale
from .names import time_text, unit_label

#: Up to which span a linear axis is read in a unit, s.
_READ_IN = (("us", 1e-3), ("ms", 1.0), ("s", 180.0), ("min", 3 * 3600.0), ("h", 4 * 86400.0))

#: A logarithmic axis shows no more decades than this; earlier samples lie in its linear part.
_MOST_DECADES = 12.0

#: Part of a symlog axis that is linear.
_LINEAR_PART = 0.08

#: Where a decade is shorter than this, mm, it has minor ticks at 2 and 5 only.
_FULL_MINOR = 9.0

#: Least space between two tick labels, mm.
_CLEARANCE = 1.6


@dataclass(frozen=True)
class TimeAxis:
    """A time axis for given samples.

    Attributes
    ----------
    scale : {"linear", "log", "symlog"}
    unit : str
        What positions are measured in.
    threshold : float
        End of the linear part of a symlog axis, s; start of a log axis.
    end : float
        s.
    """

    scale: TimeScale
    unit: str
    threshold: float
    end: float

    @property
    def label(self) -> str:
        if self.scale == "linear":
            return f"Time ({unit_label(self.unit)})"
        if self.scale == "log":
            return "Time (log scale)"
        return f"Time (log scale; linear up to {time_text(self.threshold)})"

    def positions(self, time: NDArray) -> NDArray:
        """Times (s) in the unit of the axis."""
        return time / TIME_UNITS[self.unit]

    def fractions(self, time: NDArray) -> NDArray:
        """Places of times (s) along the axis, between 0 (left) and 1 (right)."""
        if self.scale == "linear":
            return np.asarray(time, dtype=float) / self.end
        log = np.log10(np.maximum(time, self.threshold) / self.threshold)
        decades = np.log10(self.end / self.threshold)
        if self.scale == "log":
            return log / decades
        linear = self._linear_decades
        return (np.minimum(time / self.threshold, 1.0) * linear + log) / (decades + linear)

    @property
    def _linear_decades(self) -> float:
        """Length of the linear part, in decades of the other."""
        return float(np.log10(self.end / self.threshold)) * _LINEAR_PART / (1 - _LINEAR_PART)

    def apply(self, axes: Axes) -> None:
        """Set scale and limits; ``set_ticks`` follows when the width of the axes is known."""
        if self.scale == "linear":
            axes.set_xlim(0.0, self.positions(np.array(self.end)).item())
        elif self.scale == "log":
            axes.set_xscale("log")
            axes.set_xlim(self.threshold, self.end)
        else:
            # Matplotlib's linscale is the length of the linear part in decades, times 1 − 1/base.
            axes.set_xscale("symlog", linthresh=self.threshold, linscale=self._linear_decades * 0.9)
            axes.set_xlim(0.0, self.end)

    def set_ticks(self, axes: Axes, width: float, text_width: Callable[[str], float]) -> None:
        """Place the ticks.

        Parameters
        ----------
        axes : Axes
        width : float
            Of the axes, mm.
        text_width : callable
            Width of a tick label, mm.
        """
        if self.scale == "linear":
            steps = [1, 2, 3, 6, 10] if self.unit in ("s", "min", "h") and self._whole_sixes() else [1, 2, 5, 10]
            axes.xaxis.set_major_locator(MaxNLocator(nbins=max(2, min(6, int(width / 9))), steps=steps))
            axes.xaxis.set_minor_locator(NullLocator())
            return
        decades = [t for t in _decade_starts() if self.threshold * (1 - 1e-9) <= t <= self.end * (1 + 1e-9)]
        major = [0.0, *decades] if self.scale == "symlog" else decades
        labels = self._labels(major, width, text_width)
        axes.xaxis.set_major_locator(FixedLocator(major))
        axes.xaxis.set_major_formatter(FixedFormatter(labels))
        room = width / max(1.0, float(np.log10(self.end / self.threshold)))
        multiples = range(2, 10) if room >= _FULL_MINOR else (2, 5)
        minor = [t for t in _between_decades(multiples) if self.threshold < t < self.end]
        axes.xaxis.set_minor_locator(FixedLocator(minor))
        axes.xaxis.set_minor_formatter(FixedFormatter([""] * len(minor)))

    def _whole_sixes(self) -> bool:
        """Whether the axis is long enough in minutes or hours for 6, 12, 18 … to read better than 5, 10, 15 …"""
        return self.unit != "s" and self.end / TIME_UNITS[self.unit] >= 12

    def _labels(self, ticks: list[float], width: float, text_width: Callable[[str], float]) -> list[str]:
        """A label for as many ticks as have room: 0 and whole units first, then tens, then hundreds."""
        texts = ["0" if t == 0 else time_text(t) for t in ticks]
        leading = [0 if t == 0 else len(text.split()[0]) for t, text in zip(ticks, texts, strict=True)]
        centres = self.fractions(np.array(ticks)) * width
        halves = [text_width(text) / 2 for text in texts]
        chosen: list[int] = []
        for digits in range(max(leading) + 1):
            for i, n in enumerate(leading):
                if n == digits and self._fits(i, chosen, centres, halves):
                    chosen.append(i)
        return [text if i in chosen else "" for i, text in enumerate(texts)]

    @staticmethod
    def _fits(i: int, chosen: list[int], centres: NDArray, halves: list[float]) -> bool:
        return all(abs(centres[i] - centres[j]) >= halves[i] + halves[j] + _CLEARANCE for j in chosen)


def time_axis_for(scale: TimeScale, time: NDArray) -> TimeAxis:
    """The axis of a given scale for samples at these times (s).

    Raises
    ------
    UsageError
        For an unknown scale.
    """
    if scale not in TIME_SCALES:
        raise UsageError(f"there is no time axis `{scale}`; there are {', '.join(TIME_SCALES)}")
    end = float(time[-1]) if time[-1] > 0 else 1.0
    later = time[time > 0]
    threshold = max(float(later[0]), end * 10**-_MOST_DECADES) if len(later) else end
    # Without a stretch between the first sample and the last there is nothing to spread.
    if scale == "linear" or not end > threshold * 1.5:
        unit = next((unit for unit, up_to in _READ_IN if end <= up_to), "d")
        return TimeAxis("linear", unit, threshold, end)
    return TimeAxis(scale, "s", threshold, end)


def _decade_starts() -> Iterator[float]:
    """1 ns, 10 ns, 100 ns, 1 µs … 10 s, 1 min, 10 min, 1 h, 10 h, 1 d, 10 d …"""
    sizes = [*TIME_UNITS.values(), 86400e8]
    for size, following in pairwise(sizes):
        value = size
        while value < following * (1 - 1e-9):
            yield value
            value *= 10


def _between_decades(multiples: Iterable[int]) -> Iterator[float]:
    """Whole multiples between the starts: 20 ms, 30 ms …"""
    for start, following in pairwise(_decade_starts()):
        for k in multiples:
            if k * start < following * (1 - 1e-9):
                yield k * start
