"""A curve of steady states by pseudo-arclength: step along the tangent, then back to the curve, past folds as well.

With the parameter p an unknown beside the state y, the equations of the steady state (``steady_system``) leave a
curve; one more equation, ``t · (u − u₀) = s`` with u = (y, p) and t the tangent at u₀, gives how far along it, and the
whole is regular where p itself turns back (Keller 1977, in: Applications of Bifurcation Theory, ed. Rabinowitz, 359;
Allgower & Georg 2003, Introduction to Numerical Continuation Methods, chapters 2, 6, doi:10.1137/1.9780898719154).
Every state is measured by its size, and p by the range of the continuation, so that no unit matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import IontideError
from ..stability import modes_of
from ..steady import NOTHING_LEFT
from ..steady_system import solve_rows
from .family import Family, Member

#: Most Newton steps back to the curve, and the last one, relative to each state, after which it is there.
MOST_CORRECTIONS, ON_CURVE = 8, 1e-10

#: First, smallest and largest step along the curve.
FIRST_STEP, LEAST_STEP, MOST_STEP = 5e-3, 1e-8, 2.5e-2

#: Angles of the tangent, rad, above which a step is made again with half its length, below which the next is longer.
SHARP, FLAT = 0.25, 0.1

#: Change of p, in parts of its scale, by which its slope is computed at first.
PROBE = 1e-6


@dataclass(frozen=True)
class Point:
    """A point of the curve.

    Attributes
    ----------
    member : Member
    y : array, shape (n,)
    tangent : array, shape (a + 1,)
        Unit direction of the curve, of active states and last of p, in their scales there.
    scale : float
        Of p.
    by_value : array, shape (a,)
        ∂/∂p of the rows of the equations ``f``, and of the totals, per unit of p; shape (a + totals,).
    """

    member: Member
    y: NDArray
    tangent: NDArray
    scale: float
    by_value: NDArray

    @property
    def value(self) -> float:
        return self.member.value

    @property
    def eigenvalues(self) -> NDArray:
        """Eigenvalues of the linearised equations, s⁻¹; one of each complex pair."""
        return np.array([mode.eigenvalue for mode in modes_of(self.member.system, self.y)], dtype=complex)


class Curve:
    """The steady states of a family between two values of p.

    Parameters
    ----------
    family : Family
    low, high : float
        Range of p, SI.
    """

    def __init__(self, family: Family, low: float, high: float) -> None:
        self.family, self.low, self.high = family, low, high
        # A range of more than a decade is gone through in steps that are in proportion.
        self._decades = np.log(high / low) if low > 0.0 and high > 10.0 * low else 0.0

    def scale(self, value: float) -> float:
        """Scale by which a change of p at a value is measured."""
        return abs(value) * self._decades if self._decades else self.high - self.low

    def point(self, value: float, y: NDArray) -> Point | None:
        """The point of the curve at a value of p, near a state; its tangent leads upward."""
        scale = self.scale(value)
        member = self.family.at(value)
        slope = self._slope(member, y)
        row = np.zeros(len(member.system.active) + 1)
        row[-1] = 1.0
        return self._correct(member, y, slope, row, scale, (y, value, 0.0))[0]

    def step(self, point: Point, length: float) -> tuple[Point | None, int]:
        """The point of the curve at a length along the tangent, and how many corrections that took."""
        system = point.member.system
        size = system.moved_by(point.y)
        y = point.y.copy()
        y[system.active] += length * point.tangent[:-1] * size
        amounts = slice(0, system.prepared.layout.nonnegative)
        if (y[amounts] < -NOTHING_LEFT * system.scales[amounts]).any():
            return None, MOST_CORRECTIONS
        try:
            member = self.family.at(point.value + length * point.tangent[-1] * point.scale)
            base = (point.y, point.value, length)
            return self._correct(member, y, point.by_value, point.tangent, point.scale, base, size)
        except IontideError:
            return None, MOST_CORRECTIONS

    def _correct(
        self,
        member: Member,
        y: NDArray,
        slope: NDArray,
        row: NDArray,
        scale: float,
        base: tuple[NDArray, float, float],
        size: NDArray | None = None,
    ) -> tuple[Point | None, int]:
        """Newton on the equations together with ``row · (u − base) = length``, and how many steps it took."""
        system = member.system
        active = system.active
        amounts = active < system.prepared.layout.nonnegative
        size = system.moved_by(y) if size is None else size
        start, value, length = base
        for number in range(1, MOST_CORRECTIONS + 1):
            matrix, right = self._equations(member, y, slope, row, scale, size)
            if matrix is None:
                return None, number
            ahead = np.append((y - start)[active] / size, (member.value - value) / scale)
            right[-1] = length - row @ ahead
            move = solve_rows(matrix, right)
            if move is None or np.abs(move).max() > 1.0:
                return None, number
            y = y.copy()
            y[active] += move[:-1] * size
            if (y[active][amounts] < -NOTHING_LEFT * size[amounts]).any():
                return None, number
            if move[-1]:
                moved = self.family.at(member.value + move[-1] * scale)
                if abs(move[-1]) > PROBE:
                    slope = _difference(member, moved, y)
                member = moved
            if np.abs(move).max() < ON_CURVE:
                return self._finished(member, y, slope, row, scale, size), number
        return None, MOST_CORRECTIONS

    def _equations(
        self, member: Member, y: NDArray, slope: NDArray, row: NDArray, scale: float, size: NDArray
    ) -> tuple[NDArray | None, NDArray]:
        system = member.system
        f, jacobian = system.rates(y)
        off = system.conserved @ (system.active_mass @ y[system.active]) - member.totals
        if not (np.isfinite(f).all() and np.isfinite(jacobian).all()):
            return None, f
        left, inner = system.bordered(jacobian, size)
        a = len(f)
        column = np.concatenate([left @ slope[:a], slope[a:]]) * scale
        matrix = np.block([[inner, column[:, np.newaxis]], [row[np.newaxis, :-1], row[np.newaxis, -1:]]])
        return matrix, np.concatenate([-(left @ f), -off, [0.0]])

    def _finished(
        self, member: Member, y: NDArray, slope: NDArray, row: NDArray, scale: float, size: NDArray
    ) -> Point | None:
        """The point with the tangent there, in the direction of the row that led to it, in the scales there."""
        slope = self._slope(member, y)
        matrix, right = self._equations(member, y, slope, row, scale, size)
        if matrix is None:
            return None
        right[:] = 0.0
        right[-1] = 1.0
        along = solve_rows(matrix, right)
        if along is None:
            return None
        new_scale = self.scale(member.value)
        tangent = np.append(along[:-1] * size / member.system.moved_by(y), along[-1] * scale / new_scale)
        return Point(member, y, tangent / np.linalg.norm(tangent), new_scale, slope)

    def _slope(self, member: Member, y: NDArray) -> NDArray:
        """Slope of rates and totals with p, at one state: a tangent is only as good as this."""
        probe = PROBE * self.scale(member.value)
        other = self.family.at(member.value + (-probe if member.value + probe > self.high else probe))
        return _difference(member, other, y)


def _difference(member: Member, other: Member, y: NDArray) -> NDArray:
    """Slope of rates and totals between two values of p, at one state."""
    one, two = (np.concatenate(m.residual(y)) for m in (member, other))
    return (two - one) / (other.value - member.value)


def step_between(one: Point, two: Point) -> NDArray:
    """Difference of two points, in the scales of the first."""
    system = one.member.system
    ahead = (two.y - one.y)[system.active] / system.moved_by(one.y)
    return np.append(ahead, (two.value - one.value) / one.scale)
