"""Rows of the equations, and what clamps make of them.

An ideal voltage clamp holds ``V = V_c`` by a current I that is whatever it takes. With the raw row r of one side of
its membrane, ``M_r y' = f_r + I``, the current is eliminated from every other row in which it occurs (the other side,
the ion that carries it, the charge it has supplied), and row r becomes ``0 = V_c − V``. All of that is linear in y',
so that a jump of V at a protocol step moves the ion that carries its charge along with it: charge and mass stay exact.
A switch s (1 where the clamp is on) chooses between the two forms of the row within one program.
"""

from __future__ import annotations

from typing import Any

from ..constants import FARADAY
from ..model.circuit import capacitances_from_ground, grounds
from ..model.model import Clamp
from ..symbolic.expression import Expression, Graph
from .evaluation import Evaluation
from .states import Layout, carriers_of


class Rows:
    """Right-hand sides and mass matrix of ``M y' = f``, row by row.

    Attributes
    ----------
    rates : list of Expression
    mass : dict of (row, column) to Expression
    """

    def __init__(self, graph: Graph, layout: Layout) -> None:
        self.graph, self.layout = graph, layout
        self.rates: list[Expression] = [graph.constant(0.0)] * layout.size
        self.mass: dict[tuple[int, int], Expression] = {}

    def add(self, row: int | None, term: Any) -> None:
        """Add to a rate; what is no state (None) takes nothing."""
        if row is not None:
            self.rates[row] = self.rates[row] + term

    def carry(self, source: str | None, target: str | None, current: Any) -> None:
        """A current (A) from one compartment to another; None: from or to outside of the model."""
        for row, sign in self.signs(source, target).items():
            self.add(row, current if sign > 0 else -current)

    def signs(self, source: str | None, target: str | None) -> dict[int, int]:
        """Rows in which a current between two compartments occurs, with its sign there."""
        leaving, entering = (set(self._rows_of(c)) for c in (source, target))
        return dict.fromkeys(sorted(entering - leaving), 1) | dict.fromkeys(sorted(leaving - entering), -1)

    def _rows_of(self, compartment: str | None) -> list[int]:
        """Rows of the net current into a compartment: that of the compartment, and that of its floating part."""
        if compartment is None:
            return []
        both = {compartment, self.layout.floating_part.get(compartment, compartment)}
        return [self.layout.potential_index[c] for c in both if c in self.layout.potential_index]

    def subtract(self, row: int, other: int, factor: Any) -> None:
        """Subtract a multiple of another row."""
        self.rates[row] = self.rates[row] - factor * self.rates[other]
        for (r, column), entry in list(self.mass.items()):
            if r == other:
                self.mass[row, column] = self.mass.get((row, column), self.graph.constant(0.0)) - factor * entry

    def replace(self, row: int, switch: Any, rate: Any) -> None:
        """Put an algebraic equation, 0 = ``rate``, in the place of a row where the switch is 1 and not 0."""
        self.rates[row] = (1.0 - switch) * self.rates[row] + switch * rate
        for (r, column), entry in list(self.mass.items()):
            if r == row:
                self.mass[r, column] = (1.0 - switch) * entry


def add_clamps(evaluation: Evaluation, rows: Rows) -> None:
    """Let the clamps of a model act on its rows, which hold all the rest already.

    Raises
    ------
    ValueError
        Where ideal clamps hold membranes in a circle, or a membrane whose sides are both held.
    """
    ideal: list[tuple[Clamp, dict[int, float]]] = []
    for clamp in evaluation.model.clamps:
        factors = _factors_of_current(evaluation, rows, clamp)
        if clamp.series_resistance is None:
            ideal.append((clamp, factors))
            continue
        switch, potential = evaluation.held(clamp)
        across = potential - evaluation.membrane_potential(evaluation.model.membranes[clamp.membrane])
        current = switch * across / evaluation.given(f"clamps.{clamp.name}.series_resistance")
        for row, factor in factors.items():
            rows.add(row, factor * current)
    _hold_potentials(evaluation, rows, ideal)
    for held in evaluation.model.ion_clamps:
        switch, concentration = evaluation.held(held)
        row = rows.layout.amount_index[held.compartment, held.species]
        rows.subtract(rows.layout.supply_index[held.name], row, switch)
        missing = concentration * evaluation.volume(held.compartment) - evaluation.amount(
            held.compartment, held.species
        )
        rows.replace(row, switch, missing)


def _factors_of_current(evaluation: Evaluation, rows: Rows, clamp: Clamp) -> dict[int, float]:
    """Factor of the current of a clamp in each row in which it occurs: potentials, ions, and what was supplied."""
    membrane = evaluation.model.membranes[clamp.membrane]
    factors: dict[int, float] = {r: float(s) for r, s in rows.signs(membrane.outside, membrane.inside).items()}
    for compartment, ion, sign in carriers_of(evaluation.model, clamp):
        row = rows.layout.amount_index[compartment, ion]
        factors[row] = sign / (FARADAY * evaluation.model.species[ion].valence)
    return factors | {rows.layout.supply_index[clamp.name]: 1.0}


def _hold_potentials(evaluation: Evaluation, rows: Rows, clamps: list[tuple[Clamp, dict[int, float]]]) -> None:
    """Eliminate the currents of ideal clamps, then put V = V_c in the place of the rows that gave them."""
    layout = rows.layout
    floating = {layout.potential_index[c] for c in layout.floats}
    # Of two charges, the one away from the ground determines V; that on the other side need not depend on it.
    far = (
        capacitances_from_ground(evaluation.model, (*grounds(evaluation.model), *layout.floats))
        if layout.charges
        else {}
    )
    order = {r: (r in floating, -far.get(c, 0), r) for c, r in layout.potential_index.items()}
    waiting = [
        (clamp, factors, sorted(factors.keys() & order.keys(), key=order.__getitem__)) for clamp, factors in clamps
    ]
    held: list[tuple[Clamp, int]] = []
    while waiting:
        # A row gives the current of one clamp where no other that is yet to be eliminated occurs in it.
        ready = (
            (clamp, factors, row)
            for clamp, factors, of_potentials in waiting
            for row in of_potentials
            if row not in {r for _, r in held} and not any(row in other for c, other, _ in waiting if c is not clamp)
        )
        chosen = next(ready, None)
        if chosen is None:
            raise ValueError(f"the clamps of {' and '.join(c.membrane for c, _, _ in waiting)} hold one another")
        clamp, factors, row = chosen
        switch, _ = evaluation.held(clamp)
        for other, factor in factors.items():
            if other != row:
                rows.subtract(other, row, switch * (factor / factors[row]))
        held.append((clamp, row))
        waiting = [entry for entry in waiting if entry[0] is not clamp]
    for clamp, row in held:
        switch, potential = evaluation.held(clamp)
        across = potential - evaluation.membrane_potential(evaluation.model.membranes[clamp.membrane])
        rows.replace(row, switch, across)
