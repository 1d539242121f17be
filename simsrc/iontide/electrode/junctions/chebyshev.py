"""Functions on 0 … 1 by their values at Chebyshev points of one panel or several: integrals, and values anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """Equal panels, side by side, with ``degree + 1`` Chebyshev points each; neighbours share the one between them."""

    panels: int
    degree: int

    @property
    def intervals(self) -> int:
        """One less than there are points."""
        return self.panels * self.degree

    @cached_property
    def points(self) -> NDArray:
        """Places of the points, from 0 to 1."""
        inner = _points(self.degree)[:-1]
        return np.append((np.arange(self.panels)[:, None] + inner).ravel() / self.panels, 1.0)

    @cached_property
    def from_start(self) -> NDArray:
        """Matrix from the values at the points to the integrals from 0 to each of the points."""
        return self._integrals(_integrals(self.degree), before=True)

    @cached_property
    def to_end(self) -> NDArray:
        """The same for the integrals from each point to 1, which are exact where they are small."""
        one = _integrals(self.degree)
        return self._integrals(one[-1] - one, before=False)

    def _integrals(self, one: NDArray, before: bool) -> NDArray:
        matrix = np.zeros((self.intervals + 1, self.intervals + 1))
        whole = _integrals(self.degree)[-1]
        for k in range(self.panels):
            there = slice(k * self.degree, (k + 1) * self.degree + 1)
            matrix[there, there] += one
            # The point that two panels share belongs to one of them.
            matrix[there.stop - 1 if before else there.start, there] -= one[-1 if before else 0]
            beyond = slice(there.stop - 1, None) if before else slice(0, there.start + 1)
            matrix[beyond, there] += whole
        return matrix / self.panels

    def read_off(self, values: NDArray, at: NDArray) -> NDArray:
        """Interpolation of values at the points (last axis) to any places on 0 … 1."""
        panel = np.minimum((at * self.panels).astype(int), self.panels - 1)
        result = np.empty((*values.shape[:-1], len(at)))
        for k in np.unique(panel):
            here = panel == k
            inside = np.clip(at[here] * self.panels - k, 0.0, 1.0)
            matrix = chebyshev.chebvander(2.0 * inside - 1.0, self.degree) @ _coefficients(self.degree)
            result[..., here] = values[..., k * self.degree : (k + 1) * self.degree + 1] @ matrix.T
        return result


@cache
def grid(panels: int, degree: int) -> Grid:
    """The grid with a number of panels and a degree; each is cached."""
    return Grid(panels, degree)


@cache
def _points(degree: int) -> NDArray:
    return 0.5 * (1.0 - np.cos(np.pi * np.arange(degree + 1) / degree))


@cache
def _integrals(degree: int) -> NDArray:
    """Matrix from the values at the points of one panel to the integrals from its start to each of them."""
    of_each = chebyshev.chebint(np.eye(degree + 1), lbnd=-1.0)  # a column: the integral of one polynomial
    return 0.5 * chebyshev.chebval(2.0 * _points(degree) - 1.0, of_each).T @ _coefficients(degree)


@cache
def _coefficients(degree: int) -> NDArray:
    """Matrix from the values at the points of one panel to the coefficients of the Chebyshev polynomials."""
    return np.linalg.inv(chebyshev.chebvander(2.0 * _points(degree) - 1.0, degree))
