"""Bifurcations between two points of a curve of steady states: folds, Hopf points, branch points, located.

Where p turns back is a *fold*, where a complex pair of eigenvalues crosses the imaginary axis a *Hopf* point, where a
real one does without a fold a *branch* point (Kuznetsov 2004, Elements of Applied Bifurcation Theory, chapters 3 and
10, doi:10.1007/978-1-4757-3978-7). A step within which more happens than one of these is halved until it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .arclength import Curve, Point, step_between

Kind = Literal["fold", "hopf", "branch"]

#: Most halvings of a step until it contains one bifurcation.
MOST_HALVINGS = 16


@dataclass(frozen=True)
class Event:
    """A point at which the stability of a steady state changes.

    Attributes
    ----------
    kind : {"fold", "hopf", "branch"}
    point : Point
    period : float or None
        Of the oscillation at a Hopf point, s.
    unstable : int
        Modes that grow there, without those on the axis.
    """

    kind: Kind
    point: Point
    period: float | None
    unstable: int


def unstable_modes(eigenvalues: NDArray) -> int:
    """Number of modes that grow; a complex pair, of which one half is given, counts twice."""
    growing = eigenvalues[eigenvalues.real > 0.0]
    return int(len(growing) + np.count_nonzero(growing.imag))


def events_between(
    curve: Curve, before: Point, after: Point, tolerance: float, halvings: int = MOST_HALVINGS
) -> list[Event]:
    """Bifurcations within a step, in order, each located to a tolerance of p; tangents point from before to after."""
    earlier, later = before.eigenvalues, after.eigenvalues
    change = unstable_modes(later) - unstable_modes(earlier)
    turns = before.tangent[-1] * after.tangent[-1] < 0.0
    if not change and not turns:
        return []
    length = float(before.tangent @ step_between(before, after))
    event = None
    if turns and abs(change) == 1:
        event = _fold(curve, before, after, length, tolerance)
    elif not turns and abs(change) == 2:
        event = _hopf(curve, before, after, length, tolerance)
    elif not turns and abs(change) == 1:
        event = _branch(curve, before, after, length, tolerance)
    if event is not None:
        return [event]
    middle, _ = curve.step(before, 0.5 * length) if halvings else (None, 0)
    if middle is None:
        event = _fold(curve, before, after, length, tolerance) if turns else None
        return [] if event is None else [event]
    return [
        *events_between(curve, before, middle, tolerance, halvings - 1),
        *events_between(curve, middle, after, tolerance, halvings - 1),
    ]


def _fold(curve: Curve, before: Point, after: Point, length: float, tolerance: float) -> Event | None:
    point = located(curve, before, length, lambda p: float(p.tangent[-1]), float(after.tangent[-1]), tolerance)
    return None if point is None else Event("fold", point, None, _without(point.eigenvalues, _smallest_real))


def _branch(curve: Curve, before: Point, after: Point, length: float, tolerance: float) -> Event | None:
    def test(point: Point) -> float:
        return float(_smallest_real(point.eigenvalues).real)

    point = located(curve, before, length, test, test(after), tolerance)
    return None if point is None else Event("branch", point, None, _without(point.eigenvalues, _smallest_real))


def _hopf(curve: Curve, before: Point, after: Point, length: float, tolerance: float) -> Event | None:
    """The crossing of a pair that is complex before and after it; none where two real modes change sides."""
    grows = unstable_modes(after.eigenvalues) > unstable_modes(before.eigenvalues)
    start, end = _crossing_pair(before.eigenvalues, not grows), _crossing_pair(after.eigenvalues, grows)
    if start is None or end is None:
        return None

    def pair(eigenvalues: NDArray) -> complex:
        return _pair_between(eigenvalues, start, end)

    point = located(curve, before, length, lambda p: pair(p.eigenvalues).real, end.real, tolerance)
    if point is None or not pair(point.eigenvalues).imag:
        return None
    turning = pair(point.eigenvalues)
    if abs(turning.real) > 1e-4 * abs(turning.imag):  # the test has jumped from one pair to another
        return None
    return Event("hopf", point, 2.0 * pi / abs(turning.imag), _without(point.eigenvalues, pair))


def _crossing_pair(eigenvalues: NDArray, growing: bool) -> complex | None:
    """The complex pair nearest to the imaginary axis on one of its sides."""
    pairs = eigenvalues[(eigenvalues.imag != 0.0) & ((eigenvalues.real > 0.0) == growing)]
    return complex(pairs[np.argmin(np.abs(pairs.real) / np.abs(pairs.imag))]) if len(pairs) else None


def _pair_between(eigenvalues: NDArray, start: complex, end: complex) -> complex:
    """The complex pair nearest to one on the way between two."""
    pairs = eigenvalues[eigenvalues.imag != 0.0]
    if not len(pairs):
        return complex(np.nan)
    folded = pairs.real + 1j * np.abs(pairs.imag)
    ends = [complex(e.real, abs(e.imag)) for e in (start, end)]
    return complex(pairs[np.argmin(np.abs(folded - ends[0]) + np.abs(folded - ends[1]))])


def _smallest_real(eigenvalues: NDArray) -> complex:
    """The real eigenvalue nearest to 0."""
    real = eigenvalues[eigenvalues.imag == 0.0]
    return complex(real[np.argmin(np.abs(real))]) if len(real) else complex(np.nan)


def _without(eigenvalues: NDArray, chosen: Callable[[NDArray], complex]) -> int:
    """Number of modes that grow besides the chosen one."""
    return unstable_modes(eigenvalues[eigenvalues != chosen(eigenvalues)])


def located(
    curve: Curve, before: Point, length: float, test: Callable[[Point], float], at_end: float, tolerance: float
) -> Point | None:
    """The point within a step where a test passes through 0, by the Illinois rule, to a tolerance of p.

    The Illinois rule is the false position that halves the value of an end that stays (Dowell & Jarratt 1971, BIT
    11:168, doi:10.1007/BF01934364).
    """
    low, high, at_low, point = 0.0, length, test(before), None
    if not at_low * at_end < 0.0:
        return None
    last = (0.0, before.value)
    for _ in range(60):
        middle = low + (high - low) * min(max(at_low / (at_low - at_end), 0.01), 0.99)
        point, _ = curve.step(before, middle)
        if point is None:
            return None
        here = test(point)
        if here == 0.0 or high - low < 1e-10 * length:
            return point
        if abs(middle - last[0]) < 1e-6 * length and abs(point.value - last[1]) < tolerance:
            return point
        last = (middle, point.value)
        if here * at_end > 0.0:
            at_low *= 0.5
            high, at_end = middle, here
        else:
            at_end *= 0.5
            low, at_low = middle, here
    return point
