"""The steady-state equations of a model as a system to be solved: f(y) = 0 under their conservation laws.

Newton alone would meet a singular Jacobian wherever something is conserved (a charge, a closed total). So with N the
combinations that are conserved (``equations.invariants``) and Q a basis of what is left, the equations are ``Q f(y) =
0`` together with ``N M (y − y0) = 0``: as many as unknowns. What clamps have supplied is left out: nothing depends on
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..equations.evaluation import Evaluation
from ..equations.invariants import conserved_combinations, stoichiometry_of
from ..equations.states import ABSOLUTE_FRACTION
from ..kernel.codegen.direct import Direct
from ..model.model import Model
from ..simulation.prepare import Preparation

#: When equations are checked for a dependence on time: these times the duration after the end (no wave is at an
#: extremum at all).
LATER = (0.0, 0.0137, 0.3119, 1.0)

#: A change over the duration, relative to what the states do to a rate, that is none.
UNCHANGED = 1e-9


@dataclass(frozen=True)
class System:
    """A model with the values that hold at the end of its protocol.

    Attributes
    ----------
    model : Model
    prepared : Preparation
    scales : array, shape (n,)
        Natural size of each state.
    active : array of int
        Places of the states that take part: all but the supplies of clamps.
    mass : array, shape (n, n)
    """

    model: Model
    prepared: Preparation
    scales: NDArray
    active: NDArray
    mass: NDArray

    @cached_property
    def _direct(self) -> Direct:
        prepared = self.prepared
        assert prepared.code is not None
        assert prepared.problem is not None
        return Direct(prepared.code, prepared.problem.constants[-1])

    @property
    def time(self) -> float:
        """Time within the last segment at which it ends, s: what depends on time is evaluated there."""
        last = self.prepared.segments[-1]
        return last.end - last.start

    def rates(self, y: NDArray) -> tuple[NDArray, NDArray]:
        """f and ∂f/∂y over the active states, shapes (a,), (a, a)."""
        f, slopes, _ = self._direct(self.time, y)
        return f[self.active], slopes[np.ix_(self.active, self.active)]

    def follows_time(self, y: NDArray) -> bool:
        """Whether the equations depend on time at the end of the protocol, or within its duration after it."""
        length = self.model.simulation.duration
        for later in LATER:
            _, slopes, by_time = self._direct(self.time + later * length, y)
            by_states = np.abs(slopes[np.ix_(self.active, self.active)]) * self.moved_by(y)
            if (np.abs(by_time[self.active]) * length > UNCHANGED * by_states.max(axis=1, initial=0.0)).any():
                return True
        return False

    @cached_property
    def active_mass(self) -> NDArray:
        """M over the active states."""
        return self.mass[np.ix_(self.active, self.active)]

    @cached_property
    def stoichiometry(self) -> tuple[NDArray, list[int]]:
        """S over the active rows, and the registers of its fluxes."""
        prepared = self.prepared
        assert prepared.program is not None
        assert prepared.problem is not None
        matrix, fluxes = stoichiometry_of(prepared.program.rates, prepared.problem.constants[-1], len(self.scales))
        return matrix[self.active], fluxes

    @cached_property
    def currents(self) -> list[int]:
        """Active rows that are currents."""
        potentials = set(self.prepared.layout.potential_index.values())
        return [row for row, place in enumerate(self.active) if int(place) in potentials]

    @cached_property
    def conserved(self) -> NDArray:
        """Combinations w of rows that the equations conserve, shape (m, a): ``w M y`` never changes."""
        layout = self.prepared.layout
        beside = {i for (c, _), i in layout.amount_index.items() if c in layout.potential_index}
        rows = [row for row, place in enumerate(self.active) if int(place) in beside]
        return conserved_combinations(self.stoichiometry[0], self.currents, rows)

    def moved_by(self, y: NDArray) -> NDArray:
        """Size of each active state: itself, or where it is near nothing a hundredth of its natural size."""
        return np.abs(y[self.active]) + ABSOLUTE_FRACTION * self.scales[self.active]

    def newton_step(self, y: NDArray, start: NDArray) -> NDArray | None:
        """The Newton step from y on f = 0, with the conserved totals of ``start``, shape (a,); None: there is none."""
        f, slopes = self.rates(y)
        missing = self.conserved @ self.active_mass @ (start - y)[self.active]
        return self._solve(slopes, self.moved_by(y), -f, missing)

    def solve(self, y: NDArray, rates: NDArray, missing: NDArray) -> NDArray | None:
        """Solve ``Q J x = Q rates, N M x = missing`` at a state; columns are solved together; None where not unique."""
        _, slopes = self.rates(y)
        return self._solve(slopes, self.moved_by(y), rates, missing)

    def relaxation(self, y: NDArray) -> tuple[NDArray, NDArray] | None:
        """``K = −J⁻¹ M`` on the states that can be reached under the conservation laws, and a basis of these.

        An eigenvalue of K is −1/λ of a mode of ``M x' = J x``; 0 for what follows at once. The slow modes, which
        matter, are the large ones and so the exact ones.

        Returns
        -------
        (array, shape (r, r), array, shape (a, r)), or None
            The basis is in units of ``moved_by``. None where J cannot be inverted.
        """
        _, slopes = self.rates(y)
        size = self.moved_by(y)
        held = self.conserved @ self.active_mass * size
        reachable = np.eye(len(size))
        if len(held):
            reachable = _complement(held)
        upper = -(self.active_mass * size) @ reachable
        moved = self._solve(slopes, size, upper, np.zeros((len(held), reachable.shape[1])))
        return None if moved is None else (reachable.T @ (moved / size[:, np.newaxis]), reachable)

    def _solve(self, slopes: NDArray, size: NDArray, rates: NDArray, missing: NDArray) -> NDArray | None:
        """Solve ``Q J x = Q rates, N M x = missing``; None where that cannot be done."""
        if not (np.isfinite(slopes).all() and np.isfinite(rates).all() and np.isfinite(missing).all()):
            return None
        left, matrix = self.bordered(slopes, size)
        solution = solve_rows(matrix, np.concatenate([left @ rates, missing]))
        return None if solution is None else (solution.T * size).T

    def bordered(self, slopes: NDArray, size: NDArray) -> tuple[NDArray, NDArray]:
        """Q, shape (a − m, a), and the square matrix of ``Q J x, N M x`` for x in units of ``size``.

        Q is an orthonormal basis of what the conserved combinations leave of the rows, these being scaled to like size.
        """
        weighted = slopes * size
        largest = np.abs(weighted).max(axis=1, initial=0.0)
        by_row = 1.0 / np.where(largest > 0.0, largest, 1.0)
        left = np.eye(len(size))
        if len(self.conserved):
            conserved = self.conserved / by_row
            left = _complement(conserved).T
        left = left * by_row
        return left, np.concatenate([left @ weighted, self.conserved @ self.active_mass * size])

    def volumes(self, y: NDArray) -> dict[str, float]:
        """Volume of each finite compartment that takes up water, m³."""
        prepared = self.prepared
        evaluation = Evaluation(
            self.model, prepared.layout, prepared.values[-1].__getitem__, lambda i: float(y[i]), self.time
        )
        return {
            c.name: float(evaluation.volume(c.name))
            for c in self.model.compartments.values()
            if c.is_finite and c.water != "fixed"
        }


def _complement(rows: NDArray) -> NDArray:
    """An orthonormal basis, one vector a column, of all that is orthogonal to independent rows."""
    scaled = rows / np.abs(rows).max(axis=1, keepdims=True)
    return np.asarray(np.linalg.qr(scaled.T, mode="complete")[0][:, len(rows) :])


def solve_rows(matrix: NDArray, right: NDArray) -> NDArray | None:
    """Solve with every row scaled to like size; columns on the right are solved together; None where singular."""
    largest = np.abs(matrix).max(axis=1, initial=0.0)
    if not np.isfinite(largest).all() or (largest == 0.0).any():
        return None
    try:
        solution = np.linalg.solve(matrix / largest[:, np.newaxis], (right.T / largest).T)
    except np.linalg.LinAlgError:
        return None
    return solution if np.isfinite(solution).all() else None


def system_of(model: Model, prepared: Preparation) -> System | None:
    """The steady-state equations of a prepared model; None where it has no state."""
    layout, problem = prepared.layout, prepared.problem
    if problem is None or prepared.program is None:
        return None
    supplies = set(layout.supply_index.values())
    scales = problem.absolute / (ABSOLUTE_FRACTION * model.simulation.rtol)
    return System(
        model=model,
        prepared=prepared,
        scales=scales,
        active=np.array([i for i in range(layout.size) if i not in supplies], dtype=int),
        mass=prepared.program.mass_matrix(problem.mass[-1]),
    )
