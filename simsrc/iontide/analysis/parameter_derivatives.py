"""How all that a run starts from depends on chosen quantities: values, constants of the equations, the initial state.

Every step from a parameter to a constant or to the initial state is drawn as a program and differentiated exactly
(``tangents``); where the initial state is itself a root (a ``"ghk"`` potential, a floating part), by the implicit
function theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY
from ..equations.evaluation import Evaluation
from ..equations.initial_state import compartment_potentials, currents_into_parts
from ..equations.states import Layout
from ..errors import UsageError
from ..formulas.formula import Formula
from ..formulas.spelling import did_you_mean, listed
from ..model.circuit import membranes_of
from ..model.model import Compartment, Impermeant, Model, Quantity, dependency_order
from ..simulation.prepare import Preparation
from ..symbolic.expression import FUNCTIONS, Expression, Graph
from ..symbolic.forward_mode import Drawn, Slopes, drawn, tangents

#: Passes by which a volume in osmotic equilibrium and the impermeant that balances its charge settle (as ``initial``).
_PASSES = 4


class Dependence:
    """Derivatives, by each of the chosen quantities, of what a model is run with.

    Parameters
    ----------
    model : Model
    prepared : Preparation
        Of the model.
    names : sequence of str
        Parameters by name, or any quantities that are numbers by path (``membranes.plasma.area``).

    Raises
    ------
    UsageError
        There is no such quantity, or a ramp of the protocol starts or ends at what depends on it.
    """

    def __init__(self, model: Model, prepared: Preparation, names: Sequence[str]) -> None:
        self.model, self.prepared = model, prepared
        self.paths = tuple(path_of(model, name) for name in names)
        moved = sorted(ramps_moved_by(model, self.paths))
        if moved:
            raise UsageError(
                f"the protocol ramps {moved[0]}, from or to what depends on {names[0]}: not differentiated"
            )
        self._of_settings: dict[tuple, dict[str, NDArray]] = {}
        self._start: tuple[dict[str, NDArray], NDArray] | None = None

    @property
    def directions(self) -> int:
        return len(self.paths)

    def value_slopes(self, segment: int) -> dict[str, NDArray]:
        """Of every quantity that the equations of a segment read, by path; what depends on none is left out."""
        return self._settled(segment) | self.initial[0]

    def _settled(self, segment: int) -> dict[str, NDArray]:
        settings = self.prepared.segments[segment].settings
        key = tuple(settings.items())
        if key not in self._of_settings:
            values = self.prepared.values[segment]
            self._of_settings[key] = _settled_slopes(self.model, self.paths, settings, values)
        return self._of_settings[key]

    def constant_slopes(self, segment: int) -> tuple[list[Slopes], NDArray]:
        """Of the constants of the tapes in a segment, and of the mass matrix M, shape (n, n, directions)."""
        program = self.prepared.program
        assert program is not None
        values, slopes = self.prepared.values[segment], self.value_slopes(segment)
        given = np.array([values[path] for path in program.inputs], dtype=float)
        found = tangents(program.prologue, 0.0, given, np.zeros(0), [slopes.get(path) for path in program.inputs], [])
        by_slot = {o.slot: found[o.register] for o in program.prologue.outputs}
        mass = np.zeros((program.size, program.size, self.directions))
        for e, (row, column) in enumerate(zip(program.mass_rows, program.mass_columns, strict=True)):
            own = by_slot[program.constants + e]
            if own is not None:
                mass[row, column] += own
        return [by_slot[slot] for slot in range(program.constants)], mass

    def rate_slopes(self, segment: int, time: float, y: NDArray) -> NDArray:
        """∂f/∂p at a state, shape (n, directions)."""
        program, problem = self.prepared.program, self.prepared.problem
        assert program is not None
        assert problem is not None
        constants, _ = self.constant_slopes(segment)
        found = tangents(program.rates, time, y, problem.constants[segment], [None] * program.size, constants)
        result = np.zeros((program.size, self.directions))
        for _, slot, register in program.rates.outputs:
            if found[register] is not None:
                result[slot] = found[register]
        return result

    @property
    def initial(self) -> tuple[dict[str, NDArray], NDArray]:
        """Of what holds from the start (volumes, concentrations, impermeants), by path, and of y, (n, directions)."""
        if self._start is None:
            start = _Start(self.model, self.prepared, self._settled(0), self.directions)
            self._start = start.held, start.states
        return self._start


def path_of(model: Model, name: str) -> str:
    """Path of a parameter or other quantity.

    Raises
    ------
    UsageError
        There is none.
    """
    if name in model.parameters:
        return f"parameters.{name}"
    paths = [path for path, _ in model.settled_quantities()]
    if name in paths:
        return name
    hint = did_you_mean(name, [*model.parameters, *paths]) or f"; parameters are {listed(model.parameters)}"
    raise UsageError(f"there is no parameter {name}{hint}")


def ramps_moved_by(model: Model, paths: Sequence[str]) -> set[str]:
    """Parameters whose ramps in the protocol start or end at what depends on the quantities at these paths."""
    names = model.made_of({path.removeprefix("parameters.") for path in paths if path.startswith("parameters.")})
    found = set()
    for step in model.protocol:
        for name, value in step.settings.items() if step.over else ():
            if name in names or (isinstance(value, Formula) and value.names & names):
                found.add(name)
    return found


def _settled_slopes(
    model: Model, paths: Sequence[str], settings: Mapping[str, Quantity], values: Mapping[str, float]
) -> dict[str, NDArray]:
    """Of every settled quantity, by path. What a protocol sets has its own value: it does not depend on itself."""
    graph = Graph()
    chosen = {name: p.value for name, p in model.parameters.items()} | dict(settings)
    timed = model.moving - model.ramped
    parameters: dict[str, Any] = {}
    quantities: dict[str, Any] = {}
    for name in dependency_order(chosen):
        if name in timed:
            continue
        path, value = f"parameters.{name}", chosen[name]
        if isinstance(value, Formula) and (path not in paths or name in settings):
            parameters[name] = value.evaluate(parameters.__getitem__, FUNCTIONS)
        else:
            parameters[name] = graph.input(path)
        quantities[path] = parameters[name]
    for path, value in model.settled_quantities():
        if path in quantities:
            continue
        if path in paths:
            quantities[path] = graph.input(path)
        elif isinstance(value, Formula):
            quantities[path] = value.evaluate(parameters.__getitem__, FUNCTIONS)
    kept = {path: q for path, q in quantities.items() if isinstance(q, Expression)}
    seeds = {
        path: row
        for path, row in zip(paths, np.eye(len(paths)), strict=True)
        if path.removeprefix("parameters.") not in settings
    }
    slopes = drawn(graph, list(kept.values())).slopes(values, seeds, len(paths))
    return {path: row for path, row in zip(kept, slopes, strict=True) if row.any()}


class _Start:
    """Derivatives of the initial state, in the order in which ``initial`` finds it.

    Attributes
    ----------
    held : dict of str to array, shape (directions,)
        Of initial volumes, concentrations and amounts of impermeants, by path.
    states : array, shape (n, directions)
    """

    def __init__(self, model: Model, prepared: Preparation, settled: Mapping[str, NDArray], directions: int) -> None:
        self.model, self.layout, self.directions = model, prepared.layout, directions
        self._known = dict(prepared.values[0]) | {"segment.start": 0.0}
        self._known |= {f"parameters.{name}.slope": 0.0 for name in model.ramped}
        self._slopes = dict(settled)
        self.held: dict[str, NDArray] = {}
        self._hold_contents()
        self._find_potentials(prepared)
        for _ in range(_PASSES if any(c.water == "equilibrium" for c in model.compartments.values()) else 1):
            self._balance()
        self.states = self._draw(_initial_states).slopes(self._known, self._slopes, directions)

    def _hold(self, path: str, slopes: NDArray | None) -> None:
        if slopes is not None and slopes.any():
            self._slopes[path] = self.held[path] = slopes

    def _draw(
        self, quantities: Callable[[Evaluation, Graph], list], potentials: Mapping[str, Any] | None = None
    ) -> Drawn:
        """Quantities of the model at its start, over paths, and over ``potential of C`` of every compartment."""
        graph = Graph()
        layout, given = self.layout, graph.input

        def state(i: int) -> Expression:
            if i < len(layout.amounts):
                c, name = layout.amounts[i]
                return given(f"compartments.{c}.initial_concentrations.{name}") * given(
                    f"compartments.{c}.initial_volume"
                )
            return given(f"compartments.{layout.volumes[i - len(layout.amounts)]}.initial_volume")

        if potentials is None:
            potentials = {c: given(f"potential of {c}") for c in self.model.compartments}
        else:
            potentials = {c: given(f"potential of {c}") if v is None else v for c, v in potentials.items()}
        evaluation = Evaluation(self.model, layout, given, state, 0.0, potentials=potentials, starting_gates=True)
        return drawn(graph, quantities(evaluation, graph))

    def _hold_contents(self) -> None:
        for c in self.model.compartments.values():
            if not c.is_finite:
                continue
            path = f"compartments.{c.name}"
            self._hold(f"{path}.initial_volume", self._slopes.get(f"{path}.volume"))
            for name in c.concentrations:
                own = self._slopes.get(f"{path}.concentrations.{name}")
                self._hold(f"{path}.initial_concentrations.{name}", own)
            for impermeant in c.impermeants:
                given = f"{path}.impermeants.{impermeant.name}"
                amount = f"{path}.impermeant_amounts.{impermeant.name}"
                if impermeant.amount is not None:
                    self._hold(amount, self._slopes.get(f"{given}.amount"))
                elif impermeant.concentration is not None:
                    graph = Graph()
                    product = graph.input(f"{given}.concentration") * graph.input(f"{path}.initial_volume")
                    self._hold(amount, drawn(graph, [product]).slopes(self._known, self._slopes, self.directions)[0])

    # -- potentials -------------------------------------------------------------------------------------------------

    def _find_potentials(self, prepared: Preparation) -> None:
        """Of every compartment, and the potentials themselves."""
        model, layout = self.model, self.layout
        # While potentials are looked for, what is to balance the charge is not there yet.
        unbalanced = self._known | {
            f"compartments.{c.name}.impermeant_amounts.{i.name}": 0.0
            for c in model.compartments.values()
            for i in (c.impermeants if c.is_finite else ())
            if i.balances
        }
        evaluation = Evaluation(
            model, layout, prepared.values[0].__getitem__, lambda i: float(prepared.initial.y[i]), 0.0
        )
        membrane_slopes: dict[str, NDArray] = {}
        for m in model.membranes.values():
            if m.potential is None or not m.has_capacitance:
                continue
            if m.potential != "ghk":
                own = self._slopes.get(f"membranes.{m.name}.potential")
                membrane_slopes[m.name] = np.zeros(self.directions) if own is None else own
                continue
            alone: dict[str, Any] = dict.fromkeys(model.compartments, 0.0) | {m.inside: None}
            current = self._draw(lambda evaluation, graph, m=m: [evaluation.current_density(m)], alone)  # type: ignore[misc]
            here = unbalanced | {f"potential of {m.inside}": float(evaluation.membrane_potential(m))}
            membrane_slopes[m.name] = self._implicit(current, here, [m.inside])[0]
        slopes = {c: np.zeros(self.directions) for c in model.compartments}
        for d in range(self.directions):
            column = {name: float(row[d]) for name, row in membrane_slopes.items()}
            size = max(map(abs, column.values()), default=0.0)
            if size > 0.0:  # potentials add up, and so do their derivatives
                scaled = {name: value / size for name, value in column.items()}
                for c, value in compartment_potentials(model, layout, scaled).items():
                    slopes[c][d] = size * value
        for c, row in slopes.items():
            self._known[f"potential of {c}"] = unbalanced[f"potential of {c}"] = float(evaluation.potential(c))
            self._slopes[f"potential of {c}"] = row
        roots = list(layout.floats)
        if roots:
            currents = self._draw(lambda evaluation, graph: list(currents_into_parts(evaluation).values()))
            moved = self._implicit(currents, unbalanced, roots, layout)
            for c, root in layout.floating_part.items():
                self._slopes[f"potential of {c}"] = self._slopes[f"potential of {c}"] + moved[roots.index(root)]

    def _implicit(
        self, equations: Drawn, here: Mapping[str, float], unknown: Sequence[str], parts: Layout | None = None
    ) -> NDArray:
        """Of the potentials (of compartments, or of whole floating parts) that keep equations at 0."""
        extended = {name: np.concatenate([row, np.zeros(len(unknown))]) for name, row in self._slopes.items()}
        for k, root in enumerate(unknown):
            members = parts.floats[root] if parts else (root,)
            for c in members:
                row = extended.setdefault(f"potential of {c}", np.zeros(self.directions + len(unknown)))
                row[self.directions + k] = 1.0
        found = equations.slopes(here, extended, self.directions + len(unknown))
        return -np.linalg.solve(found[:, self.directions :], found[:, : self.directions])

    # -- what balances the charge -----------------------------------------------------------------------------------

    def _balance(self) -> None:
        for c in self.model.compartments.values():
            balancing = [i for i in c.impermeants if i.balances] if c.is_finite else []
            if balancing:
                own = balancing[-1]
                amount = self._draw(
                    lambda evaluation, graph, c=c, own=own: [  # type: ignore[misc]
                        _balancing_amount(evaluation, graph, c, own)
                    ]
                )
                slopes = amount.slopes(self._known, self._slopes, self.directions)[0]
                self._hold(f"compartments.{c.name}.impermeant_amounts.{own.name}", slopes)


def _stored_charge(evaluation: Evaluation, compartment: str) -> Any:
    """Σ ± C A V over the membranes of a compartment, C."""
    total: Any = 0.0
    for m, sign in membranes_of(evaluation.model, compartment):
        total = total + sign * (evaluation.capacity(m) * evaluation.membrane_potential(m))
    return total


def _balancing_amount(evaluation: Evaluation, graph: Graph, c: Compartment, own: Impermeant) -> Any:
    missing = _stored_charge(evaluation, c.name) / FARADAY
    for name in c.concentrations:
        missing = missing - evaluation.model.species[name].valence * evaluation.amount(c.name, name)
    for impermeant in c.impermeants:
        if not impermeant.balances:
            path = f"compartments.{c.name}.impermeant_amounts.{impermeant.name}"
            missing = missing - impermeant.valence * graph.input(path)
    return missing / own.valence


def _initial_states(evaluation: Evaluation, graph: Graph) -> list:
    layout, model = evaluation.layout, evaluation.model
    y: list[Any] = [evaluation.amount(c, name) for c, name in layout.amounts]
    y += [graph.input(f"compartments.{c}.initial_volume") for c in layout.volumes]
    for membrane_name, pathway_name, gate_name in layout.gates:
        membrane = model.membranes[membrane_name]
        pathway = next(p for p in membrane.pathways if p.name == pathway_name)
        y.append(evaluation.gate(membrane, pathway, next(g for g in pathway.gates if g.name == gate_name)))
    y += [0.0] * len(layout.supplies)
    y += [
        _stored_charge(evaluation, c) if layout.holds_charge(c) else evaluation.potential(c) for c in layout.potentials
    ]
    return y
