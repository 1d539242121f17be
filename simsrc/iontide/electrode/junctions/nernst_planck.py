"""The stationary Nernst–Planck junction: any number of ions of any valence, electroneutral, no current.

Every ion flows steadily, ``J = −D c d(ln γ c + z φ)/dx``, no current flows, and no point is charged. Of the distance x
across the junction a coordinate τ is made by ``dx = S dτ`` with ``S = Σ z² c``. In it φ is a straight line in an ideal
solution, whatever the ions, and everything else is smooth, so that a few Chebyshev points hold it to rounding.

Of φ and S at the points every concentration follows without further unknowns, for the fluxes are constant:

    γ c exp(z φ) = a_L (1 − w) + a_R exp(z Φ) w,    w = ∫_0^τ γ exp(z φ) S dτ' / ∫_0^1 γ exp(z φ) S dτ'

with a the activities of the two solutions and Φ = φ(1). What is solved for, by Newton's method, is that ``Σ z c = 0``
and ``Σ z² c = S`` at every point, and that no current flows. No order of the ions enters, no concentration can be
negative, and activity coefficients that follow the ionic strength S / 2 are part of the same equations. Those that
follow the whole composition are evaluated again for the solution, until it no longer changes.

Sources: Planck 1890, Ann Phys 275:161, doi:10.1002/andp.18902750202 (ions of one valence); Schlögl 1954, Z Phys Chem
(new series) 1:305 (any valences). The numerical method is particular to this module.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .chebyshev import Grid, grid
from .nernst_planck_equations import Expansion, LogGamma, Problem, State

#: Degrees that are tried on every panel, one after the other, until two agree.
DEGREES = (10, 16, 24, 36, 54)

#: Powers of e that one panel holds.
_PER_PANEL = 9.0

#: Two degrees that agree to this, in units of R T / F, are accurate enough: 1e-7 mV.
AGREED = 4e-9

#: Newton steps, halvings of one, and times that the coefficients are evaluated again, at most.
_MOST_STEPS, _MOST_HALVINGS, _MOST_ROUNDS = 40, 12, 60

#: Changes of φ and ln S that no longer matter; those that rounding alone may make; the longest step.
_TINY, _STALLED, _LONGEST = 1e-13, 1e-9, 2.0

#: Where Newton's method fails, the right-hand solution is reached from the left-hand one in steps of at least this.
_LEAST_STRIDE = 1e-3


class NotConverged(Exception):
    """Newton's method did not converge."""


@dataclass(frozen=True)
class Profile:
    """A stationary junction between x = 0 (left) and x = 1 (right).

    Attributes
    ----------
    position : array, shape (points,)
        x, from 0 to 1.
    phi : array, shape (points,)
        F φ / (R T); 0 at the left.
    concentrations : array, shape (ions, points)
        In the unit of the two solutions.
    """

    position: NDArray
    phi: NDArray
    concentrations: NDArray


@dataclass(frozen=True)
class Stationary:
    """A solved junction.

    Attributes
    ----------
    potential : float
        F (φ_right − φ_left) / (R T).
    error : float
        By how much it changed when the points were made more.
    fluxes : array, shape (ions,)
        J times the width of the junction, from left to right, m² s⁻¹ times the unit of concentration.
    """

    potential: float
    error: float
    fluxes: NDArray
    state: State
    unit: float
    order: NDArray | None = None

    def reordered(self, order: NDArray) -> Stationary:
        """The same with the ions in another order."""
        return replace(self, fluxes=self.fluxes[order], order=order)

    def profile(self, points: int = 201) -> Profile:
        """Concentrations and potential at a number of places, close together where they change fast."""
        state, at = self.state, np.linspace(0.0, 1.0, points)
        width = state.grid.from_start @ state.strength
        position = np.clip(state.grid.read_off(width / width[-1], at), 0.0, 1.0)
        position[-1] = 1.0
        concentrations = np.maximum(state.grid.read_off(state.concentrations, at), 0.0)
        concentrations[:, 0], concentrations[:, -1] = state.problem.left, state.problem.right
        ordered = concentrations if self.order is None else concentrations[self.order]
        return Profile(position, state.grid.read_off(state.phi, at), ordered * self.unit)


def stationary_junction(
    valences: NDArray,
    diffusion_coefficients: NDArray,
    left: NDArray,
    right: NDArray,
    log_gamma: LogGamma | None = None,
) -> Stationary:
    """Solve the stationary junction between two electroneutral solutions.

    Parameters
    ----------
    valences, diffusion_coefficients : array, shape (ions,)
        m² s⁻¹; only their ratios matter to the potential.
    left, right : array, shape (ions,)
        Concentrations, ≥ 0, in the unit that ``log_gamma`` takes; on both sides some ion that moves.
    log_gamma : LogGamma, optional
        An ideal solution where it is not given.

    Raises
    ------
    NotConverged
    """
    z = valences.astype(float)
    unit, fastest = max(left @ z**2, right @ z**2), diffusion_coefficients.max()
    coefficients = log_gamma and LogGamma(lambda i, c: log_gamma.model(unit * i, unit * c), log_gamma.by_strength)
    problem = Problem(z, diffusion_coefficients / fastest, left / unit, right / unit, coefficients)
    state, apart, reached = None, np.inf, np.nan
    panels = max(1, int(np.ceil(problem.steepness / _PER_PANEL)))
    for degree in DEGREES:
        mesh = grid(panels, degree)
        start = problem.guess(mesh) if state is None else _refined(state, mesh)
        try:
            state = _solve(problem, mesh, start)
        except NotConverged:
            # Few points may not hold a solution at all; the finest must.
            if degree != DEGREES[-1]:
                continue
            state = _solve_stepwise(problem, mesh)
        apart, reached = abs(state.phi[-1] - reached), float(state.phi[-1])
        if apart <= AGREED * max(1.0, abs(reached)):
            break
    assert state is not None
    if not apart < np.inf:
        raise NotConverged
    width = float((state.grid.from_start @ state.strength)[-1])
    return Stationary(reached, max(apart, 1e-14), state.fluxes * width * fastest * unit, state, unit)


def _refined(state: State, mesh: Grid) -> NDArray:
    """The unknowns of a state at other points."""
    old, n = state.grid, state.grid.intervals
    departure = np.concatenate([[0.0], state.unknowns[n:], [0.0]])
    return np.concatenate([old.read_off(state.phi, mesh.points)[1:], old.read_off(departure, mesh.points)[1:-1]])


def _solve(problem: Problem, mesh: Grid, unknowns: NDArray) -> State:
    if problem.log_gamma is None or problem.log_gamma.by_strength:
        return _newton(problem, mesh, unknowns, None)
    # Coefficients that follow the whole composition: each time as the composition before makes them, and from there
    # along the ionic strength.
    known, before = problem.mixed(mesh, unknowns), np.inf
    for _ in range(_MOST_ROUNDS):
        strength = np.exp(problem.strength_logarithm(mesh, unknowns))
        state = _newton(problem, mesh, unknowns, Expansion(problem, strength, known))
        change = float(np.abs(state.unknowns - unknowns).max())
        unknowns, known = state.unknowns, state.concentrations
        if change < _TINY or (change < _STALLED and change > 0.5 * before):
            return state
        before = change
    raise NotConverged


def _newton(problem: Problem, mesh: Grid, unknowns: NDArray, expansion: Expansion | None) -> State:
    """Newton's method; a step that does not help is halved."""
    state = State(problem, mesh, unknowns, expansion)
    for _ in range(_MOST_STEPS):
        if not np.isfinite(state.size):
            break
        try:
            step = np.linalg.solve(state.jacobian(), -state.residual)
        except np.linalg.LinAlgError:
            break
        size = float(np.abs(step).max())
        part = min(1.0, _LONGEST / max(size, 1e-300))
        for _ in range(_MOST_HALVINGS):
            trial = State(problem, mesh, state.unknowns + part * step, expansion)
            if trial.size < state.size:
                break
            part *= 0.5
        else:
            if size > _STALLED:
                break
            return state
        state = trial
        if part == 1.0 and size < _STALLED:
            return state
    raise NotConverged


def _solve_stepwise(problem: Problem, mesh: Grid) -> State:
    """Continuation of the right-hand solution from the left-hand one, each result the start of the next."""
    share, stride, unknowns = 0.0, 0.25, np.zeros(2 * mesh.intervals - 1)
    while True:
        ahead = min(1.0, share + stride)
        part = replace(problem, right=(1.0 - ahead) * problem.left + ahead * problem.right)
        try:
            state = _solve(part, mesh, unknowns)
        except NotConverged:
            stride *= 0.5
            if stride < _LEAST_STRIDE:
                raise
            continue
        if ahead == 1.0:
            return state
        unknowns, share, stride = state.unknowns, ahead, 1.5 * stride
