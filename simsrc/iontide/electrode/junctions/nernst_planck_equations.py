"""The equations of a stationary junction at Chebyshev points, and their derivatives (see ``nernst_planck``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .chebyshev import Grid
from .closed_forms import henderson


@dataclass(frozen=True)
class LogGamma:
    """Natural logarithms of activity coefficients.

    Attributes
    ----------
    model : callable
        From ionic strengths (points,) and concentrations (ions, points) to ln γ (ions, points).
    by_strength : bool
        Whether the coefficients depend on the ionic strength alone.
    """

    model: Callable[[NDArray, NDArray], NDArray]
    by_strength: bool = True


@dataclass(frozen=True)
class Problem:
    """Two solutions in units in which the larger S = Σ z² c and the largest diffusion coefficient are 1.

    The unknowns are φ at all points but the first, then ln S at all points but the ends, less the straight line that
    joins what it is at the ends.
    """

    z: NDArray
    d: NDArray
    left: NDArray
    right: NDArray
    log_gamma: LogGamma | None

    @cached_property
    def ends(self) -> NDArray:
        """ln S of the two solutions."""
        return np.log(np.array([self.left @ self.z**2, self.right @ self.z**2]))

    @cached_property
    def henderson(self) -> float:
        """Henderson's potential."""
        a, b = (c * np.exp(self._log_gamma_at_end(c)) for c in (self.left, self.right))
        return float(henderson(self.z, self.d, a, b))

    @property
    def steepness(self) -> float:
        """Powers of e that the integrals run through on the straight lines of the guess."""
        return float(np.abs(self.z * self.henderson + self.ends[1] - self.ends[0]).max())

    def guess(self, grid: Grid) -> NDArray:
        """φ as a straight line to Henderson's potential, and ln S as one: exact where they mix linearly."""
        return np.concatenate([self.henderson * grid.points[1:], np.zeros(grid.intervals - 1)])

    def strength_logarithm(self, grid: Grid, unknowns: NDArray) -> NDArray:
        """ln S at every point."""
        line = self.ends[0] + (self.ends[1] - self.ends[0]) * grid.points
        line[1:-1] += unknowns[grid.intervals :]
        return line

    def mixed(self, grid: Grid, unknowns: NDArray) -> NDArray:
        """Concentrations where the two solutions mix linearly: a start for what the coefficients depend on."""
        strength = np.exp(self.strength_logarithm(grid, unknowns))
        low, high = strength[0], strength[-1]
        share = grid.points if abs(high - low) < 1e-9 * high else np.clip((strength - low) / (high - low), 0.0, 1.0)
        return self.left[:, None] * (1.0 - share) + self.right[:, None] * share

    def log_gamma_of(self, strength: NDArray, concentrations: NDArray) -> NDArray:
        """ln γ (ions, points) from S (points,) and concentrations (ions, points)."""
        assert self.log_gamma is not None
        return self.log_gamma.model(0.5 * strength, np.maximum(concentrations, 0.0))

    def log_gamma_slope(self, strength: NDArray, concentrations: NDArray) -> NDArray:
        """d ln γ / d ln S at constant proportions of the ions."""
        above, below = (self.log_gamma_of(strength * f, concentrations * f) for f in (1.0 + 1e-5, 1.0 - 1e-5))
        return (above - below) / 2e-5

    def _log_gamma_at_end(self, concentrations: NDArray) -> NDArray:
        if self.log_gamma is None:
            return np.zeros(len(self.z))
        return self.log_gamma_of(np.array([concentrations @ self.z**2]), concentrations[:, None])[:, 0]


class Expansion:
    """ln γ at every point for one composition, and its dependence on the ionic strength from there on."""

    def __init__(self, problem: Problem, strength: NDArray, concentrations: NDArray) -> None:
        held = concentrations.copy()
        held[:, 0], held[:, -1] = problem.left, problem.right
        self.logarithm = np.log(strength)
        self.value = problem.log_gamma_of(strength, held)
        self.slope = problem.log_gamma_slope(strength, held)

    def at(self, strength: NDArray) -> NDArray:
        """ln γ (ions, points)."""
        return self.value + self.slope * (np.log(strength) - self.logarithm)


class State:
    """The equations at one value of the unknowns.

    Attributes
    ----------
    phi, strength : array, shape (points,)
        F φ / (R T), and S.
    concentrations : array, shape (ions, points)
    fluxes : array, shape (ions,)
        Per τ, from left to right.
    residual : array, shape (2 intervals − 1,)
        At each inner point the charge, then what is missing from S, both over S; then the current.
    size : float
        The largest of the residual; infinite where something is not finite.
    """

    def __init__(self, problem: Problem, grid: Grid, unknowns: NDArray, expansion: Expansion | None) -> None:
        z = problem.z[:, None]
        self.problem, self.grid, self.unknowns = problem, grid, unknowns
        self.phi = np.concatenate([[0.0], unknowns[: grid.intervals]])
        with np.errstate(all="ignore"):  # what is not finite makes the size infinite
            self.strength = np.exp(problem.strength_logarithm(grid, unknowns))
            self.gamma, self.gamma_slope = self._coefficients(expansion)
            self.boltzmann = np.exp(z * self.phi) * self.gamma
            self.density = self.boltzmann * self.strength
            integral = self.density @ grid.from_start.T
            self.whole = integral[:, -1:]
            self.share, rest = integral / self.whole, self.density @ grid.to_end.T / self.whole
            self.a = (problem.left * self.gamma[:, 0])[:, None]
            self.b = (problem.right * self.gamma[:, -1] * np.exp(problem.z * self.phi[-1]))[:, None]
            self.concentrations = (self.a * rest + self.b * self.share) / self.boltzmann
            through = problem.d / self.whole[:, 0]
            self.fluxes = (self.a - self.b)[:, 0] * through
            self.scale = float(np.abs(problem.z) @ ((self.a + self.b)[:, 0] * through))
            charge, strength = ((z**power * self.concentrations).sum(axis=0) / self.strength for power in (1, 2))
            current = problem.z @ self.fluxes / self.scale
            self.residual = np.concatenate([charge[1:-1], strength[1:-1] - 1.0, [current]])
        self.size = float(np.abs(self.residual).max()) if np.isfinite(self.residual).all() else np.inf

    def _coefficients(self, expansion: Expansion | None) -> tuple[NDArray, NDArray]:
        """γ at every point, and d ln γ / d ln S."""
        problem, shape = self.problem, (len(self.problem.z), len(self.strength))
        if expansion is not None:
            return np.exp(expansion.at(self.strength)), expansion.slope
        if problem.log_gamma is None:
            return np.ones(shape), np.zeros(shape)
        nothing = np.zeros(shape)
        logarithms = problem.log_gamma_of(self.strength, nothing)
        return np.exp(logarithms), problem.log_gamma_slope(self.strength, nothing)

    def jacobian(self) -> NDArray:
        """Derivatives of the residual by the unknowns; the scale of the current is taken as constant."""
        n, z, inner = self.grid.intervals, self.problem.z[:, None], slice(1, -1)
        matrix = self.grid.from_start
        # Of w at a point by ln of the density at another: (Q_jl − w_j Q_Nl) f_l / W.
        weights = self.density / self.whole
        kernel = (matrix[inner] - self.share[:, inner, None] * matrix[-1]) * weights[:, None, :]
        by_strength, k = 1.0 + self.gamma_slope, np.arange(n - 1)
        strength = self.strength[inner]
        rows = []
        for power in (1, 2):
            factor = (z**power * (self.b - self.a) / self.boltzmann)[:, inner] / strength
            carried = factor[:, :, None] * kernel
            phi = np.tensordot(self.problem.z, carried, 1)
            log_s = np.einsum("ijl,il->jl", carried, by_strength)
            # The Boltzmann factor and S of the point itself, and the right-hand activity times exp(z Φ).
            phi[k, k + 1] -= (z ** (power + 1) * self.concentrations).sum(axis=0)[inner] / strength
            log_s[k, k + 1] -= (z**power * self.concentrations * by_strength).sum(axis=0)[inner] / strength
            phi[:, -1] += (z ** (power + 1) * self.b * self.share / self.boltzmann).sum(axis=0)[inner] / strength
            rows.append(np.hstack([phi[:, 1:], log_s[:, inner]]))
        through = -self.fluxes[:, None] * weights * matrix[-1]  # of the fluxes by ln of the density
        phi = self.problem.z**2 @ through
        phi[-1] -= (self.problem.z**2 * self.problem.d) @ (self.b / self.whole)[:, 0]
        log_s = self.problem.z @ (through * by_strength)
        rows.append(np.concatenate([phi[1:], log_s[inner]])[None, :] / self.scale)
        return np.vstack(rows)
