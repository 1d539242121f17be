"""The equations of a model as expressions: ``M dy/dt = f(t, y)`` over the states that ``layout`` chose (PHYSICS §5).

Amounts:     dn/dt = Σ over membranes of ∓ A J.
Potentials:  Σ over the membranes m of a compartment of C_m A_m d(psi_in − psi_out)/dt = − its net outward current;
the left-hand side is the mass matrix, a capacitance Laplacian over the graph of compartments.
"""

from __future__ import annotations

from .constants import FARADAY
from .expression import Expression, Graph
from .layout import Layout, lay_out
from .mechanisms import LAWS, Sides, sides_of
from .model import Membrane, Model, Pathway, argument_path
from .tape import Program, assemble


#: Programs by the structure of their model; a sweep or an interactive session runs few structures many times.
_programs: dict[tuple, Program] = {}
_MOST_PROGRAMS = 64


def build_program(model: Model) -> tuple[Layout, Program]:
    """State layout and tape of a model. The tape depends on the model's structure, not on its numbers."""
    layout = lay_out(model)
    key = structure_of(model)
    program = _programs.get(key)
    if program is None:
        equations = _Equations(model, layout)
        while len(_programs) >= _MOST_PROGRAMS:
            _programs.pop(next(iter(_programs)))
        program = _programs[key] = assemble(equations.rates, equations.mass)
    return layout, program


def structure_of(model: Model) -> tuple:
    """Everything about a model but its numbers: two models of equal structure have the same tape."""
    return (
        tuple((s.name, s.valence) for s in model.species.values()),
        tuple(
            (c.name, c.kind, tuple(c.concentrations), tuple(c.activity_coefficients))
            for c in model.compartments.values()
        ),
        tuple(
            (
                m.name,
                m.inside,
                m.outside,
                tuple((p.name, p.law, tuple(p.moves.items()), tuple(p.arguments)) for p in m.pathways),
            )
            for m in model.membranes.values()
        ),
    )


class _Equations:
    """Rates and mass matrix, drawn membrane by membrane."""

    def __init__(self, model: Model, layout: Layout) -> None:
        self.model, self.layout = model, layout
        self.graph = Graph()
        self.rates: list[Expression] = [self.graph.constant(0.0)] * layout.size
        self.mass: dict[tuple[int, int], Expression] = {}
        one = self.graph.constant(1.0)
        for i in range(len(layout.amounts)):
            self.mass[i, i] = one
        for membrane in model.membranes.values():
            self._add_capacitance(membrane)
            for pathway in membrane.pathways:
                self._add_pathway(membrane, pathway)

    def concentration(self, compartment: str, name: str) -> Expression:
        """mol m⁻³: amount over volume where the amount is a state, else the value given."""
        i = self.layout.amount_index.get((compartment, name))
        if i is None:
            return self.graph.input(f"compartments.{compartment}.concentrations.{name}")
        return self.graph.state(i) / self.graph.input(f"compartments.{compartment}.volume")

    def activity_coefficient(self, compartment: str, name: str) -> Expression | float:
        """1 where none is given, so that it leaves no trace in the tape."""
        if name in self.model.compartments[compartment].activity_coefficients:
            return self.graph.input(f"compartments.{compartment}.activity_coefficients.{name}")
        return 1.0

    def potential(self, compartment: str) -> Expression:
        """V against the ground."""
        i = self.layout.potential_index.get(compartment)
        return self.graph.constant(0.0) if i is None else self.graph.state(i)

    def sides(self, membrane: Membrane) -> Sides:
        """What the laws of this membrane see."""
        return sides_of(
            self.model,
            membrane,
            self.concentration,
            self.activity_coefficient,
            self.potential,
            self.graph.input("simulation.temperature"),
        )

    def _add_capacitance(self, membrane: Membrane) -> None:
        path = f"membranes.{membrane.name}"
        capacitance = self.graph.input(f"{path}.capacitance") * self.graph.input(f"{path}.area")
        ends = (membrane.inside, membrane.outside)
        for a in ends:
            for b in ends:
                row, column = self.layout.potential_index.get(a), self.layout.potential_index.get(b)
                if row is not None and column is not None:
                    entry = capacitance if a == b else -capacitance
                    self.mass[row, column] = self.mass.get((row, column), self.graph.constant(0.0)) + entry

    def _add_pathway(self, membrane: Membrane, pathway: Pathway) -> None:
        arguments = {
            argument: self.graph.input(argument_path(membrane, pathway, argument))
            for argument in pathway.arguments
        }
        cycles = LAWS[pathway.law](self.sides(membrane), pathway.moves, arguments)
        per_second = self.graph.input(f"membranes.{membrane.name}.area") * cycles
        for name, count in pathway.moves.items():
            self._add(self.layout.amount_index.get((membrane.inside, name)), -count * per_second)
            self._add(self.layout.amount_index.get((membrane.outside, name)), count * per_second)
        charge = sum(count * self.model.species[name].valence for name, count in pathway.moves.items())
        current = (FARADAY * charge) * per_second
        self._add(self.layout.potential_index.get(membrane.inside), -current)
        self._add(self.layout.potential_index.get(membrane.outside), current)

    def _add(self, row: int | None, term: Expression) -> None:
        if row is not None:
            self.rates[row] = self.rates[row] + term
