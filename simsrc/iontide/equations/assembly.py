"""The equations of a model as expressions: ``M dy/dt = f(t, y)`` over the states of a ``Layout``.

Amounts:     dn/dt = Σ over membranes of ∓ A J, reactions, exchange, injection.
Tracers:     as amounts, of what is labelled (``tracer_fluxes``).
Volumes:     dw/dt = Σ over membranes of ∓ A J_w.
Potentials:  Σ over the membranes m of a compartment of C_m A_m d(psi_in − psi_out)/dt = − its net outward current;
the left-hand side is the mass matrix, a capacitance Laplacian over the graph of compartments. Where an area moves the
states are the charges ``Q = Σ C A V`` themselves. For the compartment that represents a floating part the row is the
sum over the part, in which the capacitances cancel: 0 = − the net current out of the part.
"""

from __future__ import annotations

from typing import Any

from ..constants import FARADAY
from ..formulas.formula import Formula
from ..model.fields import structure_in
from ..model.model import Exchange, Injection, Membrane, Model, Pathway, Quantity, Reaction, Source
from ..symbolic.expression import Expression, Graph
from ..symbolic.tape import Program, assemble
from .clamp_rows import Rows, add_clamps
from .evaluation import Evaluation
from .states import Layout, lay_out
from .tracer_fluxes import add_tracers

#: Programs by the structure of their model; a sweep or an interactive session runs few structures many times.
_programs: dict[tuple, Program] = {}
_MOST_PROGRAMS = 64


def build_program(model: Model) -> tuple[Layout, Program | None]:
    """State layout and tape of a model (None where it has no state).

    The tape depends on the model's structure, not on its numbers.
    """
    layout = lay_out(model)
    if not layout.size:
        return layout, None
    key = (layout.charges, structure_of(model))
    program = _programs.get(key)
    if program is None:
        equations = _Equations(model, layout)
        while len(_programs) >= _MOST_PROGRAMS:
            _programs.pop(next(iter(_programs)))
        program = _programs[key] = assemble(equations.rates, equations.mass, equations.watched)
    return layout, program


def build_equations(
    model: Model, layout: Layout
) -> tuple[list[Expression], dict[tuple[int, int], Expression], list[Expression]]:
    """Right-hand sides f, entries of M and what events watch, as expressions over one new graph."""
    equations = _Equations(model, layout)
    return equations.rates, equations.mass, equations.watched


def structure_of(model: Model) -> tuple:
    """Everything about a model but its numbers: two models of equal structure have the same tape."""

    def form(value: Quantity) -> str:
        """The part of a quantity that the tape depends on: the text of a formula, but no number."""
        return value.text if isinstance(value, Formula) and not model.is_settled(value) else ""

    ramped = tuple(name for name in model.parameters if name in model.ramped)
    capacitors = tuple(m.name for m in model.membranes.values() if m.has_capacitance)
    return structure_in(model, form), ramped, capacitors


class _Equations:
    """Rates and mass matrix, built part by part."""

    def __init__(self, model: Model, layout: Layout) -> None:
        self.model, self.layout = model, layout
        graph = self.graph = Graph()
        self.evaluation = Evaluation(model, layout, graph.input, graph.state, graph.time())
        self.rows = Rows(graph, layout)
        self.rates, self.mass = self.rows.rates, self.rows.mass
        for i in range(layout.size - len(layout.potentials)):
            self.mass[i, i] = graph.constant(1.0)
        for c in layout.potentials:
            if layout.holds_charge(c):
                self.mass[layout.potential_index[c], layout.potential_index[c]] = graph.constant(1.0)
        for membrane in model.membranes.values():
            if membrane.has_capacitance and not layout.charges:
                self._add_capacitance(membrane)
            for pathway in membrane.pathways:
                self._add_pathway(membrane, pathway)
            if membrane.water_permeability is not None:
                self._add_water(membrane)
        for reaction in model.reactions:
            self._add_reaction(reaction)
        for exchange in model.exchanges:
            self._add_exchange(exchange)
        for source in model.sources:
            self._add_source(source)
        for injection in model.injections:
            self._add_injection(injection)
        add_tracers(self.evaluation, self.rows.add)
        add_clamps(self.evaluation, self.rows)
        # A constant must be an expression too.
        self.watched = [self.graph.constant(0.0) + self.evaluation.beyond(event) for event in model.events]

    def _add_capacitance(self, membrane: Membrane) -> None:
        capacity = self.evaluation.capacity(membrane)
        ends = (membrane.inside, membrane.outside)
        for a in ends:
            if a in self.layout.floats:  # its row is the sum over its part, in which this capacitance cancels
                continue
            for b in ends:
                row, column = self.layout.potential_index.get(a), self.layout.potential_index.get(b)
                if row is not None and column is not None:
                    entry = capacity if a == b else -capacity
                    self.mass[row, column] = self.mass.get((row, column), self.graph.constant(0.0)) + entry

    def _add_pathway(self, membrane: Membrane, pathway: Pathway) -> None:
        per_second = self.evaluation.area(membrane) * self.evaluation.cycles(membrane, pathway)
        for name, count in pathway.stoichiometry.items():
            self._move(membrane.inside, membrane.outside, name, count * per_second)
        self.rows.carry(membrane.inside, membrane.outside, (FARADAY * self.evaluation.charge_of(pathway)) * per_second)
        for gate in pathway.gates:
            if gate.is_state:
                row = self.layout.gate_index[membrane.name, pathway.name, gate.name]
                self.rows.add(row, self.evaluation.gate_rate(membrane, pathway, gate))

    def _add_water(self, membrane: Membrane) -> None:
        flow = self.evaluation.area(membrane) * self.evaluation.water_flux(membrane)
        self.rows.add(self.layout.volume_index.get(membrane.inside), -flow)
        self.rows.add(self.layout.volume_index.get(membrane.outside), flow)

    def _add_reaction(self, reaction: Reaction) -> None:
        per_second = self.evaluation.volume(reaction.compartment) * self.evaluation.reaction_rate(reaction)
        for names, sign in ((reaction.reactants, -1), (reaction.products, 1)):
            for name, count in names.items():
                self.rows.add(self.layout.amount_index.get((reaction.compartment, name)), sign * count * per_second)

    def _add_exchange(self, exchange: Exchange) -> None:
        for name, leaving in self.evaluation.exchange_rates(exchange).items():
            self._move(exchange.inside, exchange.outside, name, leaving)
        self.rows.carry(exchange.inside, exchange.outside, self.evaluation.exchange_current(exchange))

    def _add_source(self, source: Source) -> None:
        per_second = self.evaluation.supply_rate(source)
        for name, count in source.stoichiometry.items():
            self.rows.add(self.layout.amount_index.get((source.compartment, name)), count * per_second)

    def _add_injection(self, injection: Injection) -> None:
        current = self.evaluation.injected_current(injection)
        self.rows.carry(injection.out_of, injection.compartment, current)
        if injection.carried_by is not None:
            entering = current / (FARADAY * self.model.species[injection.carried_by].valence)
            self._move(injection.out_of, injection.compartment, injection.carried_by, entering)

    def _move(self, source: str | None, target: str, name: str, amount: Any) -> None:
        """mol s⁻¹ of a species from one compartment, or from outside of the model, to another."""
        if source is not None:
            self.rows.add(self.layout.amount_index.get((source, name)), -amount)
        self.rows.add(self.layout.amount_index.get((target, name)), amount)
