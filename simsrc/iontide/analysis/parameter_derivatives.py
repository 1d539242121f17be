"""Derivatives of all that a run starts from by chosen quantities: values, constants of the equations, initial state.

Every step from a parameter to a constant or to the initial state is built as a program and differentiated exactly
(``tangents``); where the initial state is itself a root (a ``"ghk"`` potential, a floating part), by the implicit
function theorem.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..equations.initial_potentials import ComputedRoots, Current
from ..equations.initial_state import start_of
from ..errors import UsageError, did_you_mean, listed
from ..formulas.formula import Formula
from ..model.model import Membrane, Model, Quantity, dependency_order
from ..simulation.prepare import Preparation
from ..symbolic.expression import FUNCTIONS, Expression, Graph
from ..symbolic.forward_mode import QuantityProgram, Slopes, assemble_quantities, tangents
from .steady_system import solve_rows


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
        """Derivatives of every quantity that the equations of a segment read, by path; zeros are left out."""
        return self._settled(segment) | self.initial[0]

    def _settled(self, segment: int) -> dict[str, NDArray]:
        settings = self.prepared.segments[segment].settings
        key = tuple(settings.items())
        if key not in self._of_settings:
            values = self.prepared.values[segment]
            self._of_settings[key] = _settled_slopes(self.model, self.paths, settings, values)
        return self._of_settings[key]

    def constant_slopes(self, segment: int) -> tuple[list[Slopes], NDArray]:
        """Derivatives of the constants of the tapes in a segment, and of the mass matrix, shape (n, n, directions)."""
        program = self.prepared.program
        assert program is not None
        values, slopes = self.prepared.values[segment], self.value_slopes(segment)
        given = np.array([values[path] for path in program.inputs], dtype=float)
        derivatives = tangents(
            program.prologue, 0.0, given, np.zeros(0), [slopes.get(path) for path in program.inputs], []
        )
        by_slot = {o.slot: derivatives[o.register] for o in program.prologue.outputs}
        mass = np.zeros((program.size, program.size, self.directions))
        for e, (row, column) in enumerate(zip(program.mass_rows, program.mass_columns, strict=True)):
            row_slopes = by_slot[program.constants + e]
            if row_slopes is not None:
                mass[row, column] += row_slopes
        return [by_slot[slot] for slot in range(program.constants)], mass

    def rate_slopes(self, segment: int, time: float, y: NDArray) -> NDArray:
        """∂f/∂p at a state, shape (n, directions)."""
        program, problem = self.prepared.program, self.prepared.problem
        assert program is not None
        assert problem is not None
        constants, _ = self.constant_slopes(segment)
        derivatives = tangents(program.rates, time, y, problem.constants[segment], [None] * program.size, constants)
        result = np.zeros((program.size, self.directions))
        for _, slot, register in program.rates.outputs:
            if derivatives[register] is not None:
                result[slot] = derivatives[register]
        return result

    @property
    def initial(self) -> tuple[dict[str, NDArray], NDArray]:
        """Derivatives of what is fixed at the start (volumes, concentrations …), by path, and of y, (n, directions)."""
        if self._start is None:
            self._start = _start_slopes(self.model, self.prepared, self._settled(0), self.directions)
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
    moved = set()
    for step in model.protocol:
        for name, value in step.settings.items() if step.over else ():
            if name in names or (isinstance(value, Formula) and value.names & names):
                moved.add(name)
    return moved


def _settled_slopes(
    model: Model, paths: Sequence[str], settings: Mapping[str, Quantity], values: Mapping[str, float]
) -> dict[str, NDArray]:
    """Derivatives of every settled quantity, by path; what a protocol sets depends on nothing."""
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
    dependent = {path: q for path, q in quantities.items() if isinstance(q, Expression)}
    seeds = {
        path: row
        for path, row in zip(paths, np.eye(len(paths)), strict=True)
        if path.removeprefix("parameters.") not in settings
    }
    slopes = assemble_quantities(graph, list(dependent.values())).slopes(values, seeds, len(paths))
    return {path: row for path, row in zip(dependent, slopes, strict=True) if row.any()}


class _Inputs(Mapping[str, Expression]):
    """Every value of a model as an input of a graph, by path."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __getitem__(self, path: str) -> Expression:
        return self._graph.input(path)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("the paths of a model are not enumerated here")

    def __len__(self) -> int:
        raise TypeError("the paths of a model are not enumerated here")


class _UnknownRoots:
    """Roots of net currents as inputs of a graph, each with the equation that it solves (see ``Roots``).

    Attributes
    ----------
    names : list of str
        Of the inputs, in the order in which they were asked for: that of ``ComputedRoots.values``.
    equations : list of number or Expression
        The net currents that are 0.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.names: list[str] = []
        self.equations: list[Any] = []

    def _unknown(self, name: str) -> Expression:
        self.names.append(name)
        return self._graph.input(name)

    def of_membrane(self, membrane: Membrane, values: Mapping[str, Any], current: Current) -> Expression:
        unknown = self._unknown(f"zero-current potential of {membrane.name}")
        self.equations.append(current(values, unknown))
        return unknown

    def of_floating_parts(
        self, parts: Sequence[str], currents: Callable[[Sequence[Any]], list[Any]]
    ) -> Sequence[Expression]:
        unknowns = [self._unknown(f"potential of the floating part of {part}") for part in parts]
        self.equations += currents(unknowns)
        return unknowns


def _start_slopes(
    model: Model, prepared: Preparation, settled: Mapping[str, NDArray], directions: int
) -> tuple[dict[str, NDArray], NDArray]:
    """Derivatives of the start of a run: of what holds from then on, by path, and of y, shape (n, directions).

    Parameters
    ----------
    model, prepared
    settled : mapping of str to array, shape (directions,)
        Derivatives of the settled values of the first segment, by path.
    directions : int
    """
    graph, computed = Graph(), ComputedRoots()
    start_of(model, prepared.layout, prepared.values[0], computed)
    unknown = _UnknownRoots(graph)
    start = start_of(model, prepared.layout, _Inputs(graph), unknown)
    values = ChainMap(dict(zip(unknown.names, computed.values, strict=True)), prepared.values[0])  # type: ignore[arg-type]
    slopes = dict(settled)
    if unknown.names:
        slopes |= _root_slopes(
            assemble_quantities(graph, unknown.equations), values, settled, unknown.names, directions
        )
    paths = list(start.constants)
    quantities = assemble_quantities(graph, [*start.constants.values(), *start.states])
    result = quantities.slopes(values, slopes, directions)
    constants = {path: row for path, row in zip(paths, result, strict=False) if row.any()}
    return constants, result[len(paths) :]


def _root_slopes(
    equations: QuantityProgram,
    values: Mapping[str, float],
    settled: Mapping[str, NDArray],
    names: Sequence[str],
    directions: int,
) -> dict[str, NDArray]:
    """Derivatives of roots x of g(x, p) = 0, by name: ``∂x/∂p = −(∂g/∂x)⁻¹ ∂g/∂p``."""
    none = np.zeros(len(names))
    extended = {name: np.concatenate([row, none]) for name, row in settled.items()}
    for name, unit in zip(names, np.eye(len(names)), strict=True):
        extended[name] = np.concatenate([np.zeros(directions), unit])
    slopes = equations.slopes(values, extended, directions + len(names))
    moved = solve_rows(slopes[:, directions:], -slopes[:, :directions])
    if moved is None:
        raise UsageError(
            "an initial potential at which no net current flows has no derivative: no current depends on it"
        )
    return dict(zip(names, moved, strict=True))
