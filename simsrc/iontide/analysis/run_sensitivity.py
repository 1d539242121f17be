"""Derivatives of a whole run by its parameters: sensitivities integrated with the states, under the same error control.

With s = ∂y/∂p, differentiating ``M(p) y' = f(t, y, p)`` gives ``M s' + ∂M/∂p y' = J s + ∂f/∂p``: together with the
equations themselves a system of n (1 + parameters) states with the mass matrix ``[[M, 0], [∂M/∂p, M]]``, constant
between protocol steps, that the same integrator takes (Hindmarsh et al. 2005, ACM TOMS 31:363,
doi:10.1145/1089014.1089020, call it simultaneous corrector with full error control). Its right-hand sides are built by
symbolic differentiation and its Jacobian is exact. What a parameter does to a value, a slope or the start is computed
by ``parameter_derivatives``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..equations.assembly import build_equations
from ..equations.evaluation import Evaluation
from ..errors import SolverError, UnknownNameError, UsageError
from ..kernel.codegen.machine_code import MachineCode, compile_program
from ..kernel.layout import status
from ..kernel.layout.problem import CROSSING, JACOBIANS, REJECTED, SAMPLE, SEGMENT, STEPS, Problem, Samples, T
from ..kernel.run import Integrator, table_of
from ..model.model import Model
from ..simulation.prepare import Preparation, prepare
from ..simulation.run import Statistics
from ..simulation.simulate import BUDGET, Integration
from ..simulation.trajectory import Trajectory
from ..symbolic.differentiation import directional, reachable
from ..symbolic.expression import Expression, Graph
from ..symbolic.forward_mode import assemble_quantities
from ..symbolic.tape import Program, assemble
from .parameter_derivatives import Dependence
from .steady_system import system_of


@dataclass(frozen=True)
class TrajectorySensitivities:
    """A run, and how it answers to parameters at every sample.

    Attributes
    ----------
    trajectory : Trajectory
        The run itself, by the steps that the sensitivities too were content with.
    parameters : tuple of str
    states : array, shape (samples, n, parameters)
        ∂y/∂p, SI.
    value_slopes : tuple of mapping
        ∂/∂p of the quantities by path, shape (parameters,), for each segment.
    """

    trajectory: Trajectory
    parameters: tuple[str, ...]
    states: NDArray
    value_slopes: tuple[Mapping[str, NDArray], ...]

    def membrane_potential(self, membrane: str, parameter: str) -> NDArray:
        """∂V/∂p at every sample, V per SI unit of the parameter."""
        of_name = self.trajectory.model.membranes[membrane]
        return self._of(parameter, lambda evaluation: evaluation.membrane_potential(of_name))

    def concentration(self, compartment: str, species: str, parameter: str) -> NDArray:
        """∂c/∂p at every sample, mol m⁻³ per SI unit of the parameter."""
        return self._of(parameter, lambda evaluation: evaluation.concentration(compartment, species))

    def volume(self, compartment: str, parameter: str) -> NDArray:
        """∂w/∂p at every sample, m³ per SI unit of the parameter."""
        return self._of(parameter, lambda evaluation: evaluation.volume(compartment))

    def of_state(self, name: str, parameter: str) -> NDArray:
        """∂/∂p of a state by its name in the layout, SI."""
        names = self.trajectory.run.layout.names
        if name not in names:
            raise UnknownNameError("state", name, names)
        return self.states[:, names.index(name), self._place(parameter)]

    def _place(self, parameter: str) -> int:
        if parameter not in self.parameters:
            raise UnknownNameError("parameter", parameter, self.parameters)
        return self.parameters.index(parameter)

    def _of(self, parameter: str, quantity: Callable[[Evaluation], Any]) -> NDArray:
        """Derivative of a quantity, through the states and directly."""
        place = self._place(parameter)
        trajectory, graph = self.trajectory, Graph()
        inputs: dict[int, Expression] = {}
        given: dict[str, NDArray] = {}
        layout = trajectory.run.layout

        def state(i: int) -> Expression:
            node = graph.input(f"state {i}")
            inputs[node.index] = graph.input(f"slope of state {i}")
            given[f"state {i}"], given[f"slope of state {i}"] = trajectory.states[:, i], self.states[:, i, place]
            return node

        def value(path: str) -> Expression:
            node = graph.input(path)
            inputs[node.index] = graph.input(f"slope of {path}")
            slopes = [of_segment.get(path) for of_segment in self.value_slopes]
            column = np.array([0.0 if row is None else row[place] for row in slopes])
            given[path], given[f"slope of {path}"] = trajectory.value(path), column[trajectory.segment]
            return node

        within = graph.input("within")
        starts = np.array([s.start for s in trajectory.run.segments])
        given["within"] = trajectory.time - starts[trajectory.segment]
        evaluation = Evaluation(trajectory.model, layout, value, state, within)
        derivative = directional([graph.constant(0.0) + quantity(evaluation)], inputs)
        program = assemble_quantities(graph, derivative)
        columns = np.array([given[name] for name in program.inputs]).reshape(len(program.inputs), len(trajectory))
        result = program.tape.run(0.0, columns, np.zeros(0), {"f": 1})["f"][0]
        return np.broadcast_to(result, (len(trajectory),)).copy()


def trajectory_sensitivities(model: Model, parameters: Sequence[str]) -> TrajectorySensitivities:
    """Run a model together with its exact derivatives by parameters, all within the relative tolerance of the model.

    The start is differentiated too: amounts, ``"ghk"`` potentials, gates at rest, balancing impermeants. While a
    protocol sets a parameter to a number, the parameter itself does not count; the effects of what it did
    before remain. Times of protocol steps do not depend on parameters.

    Parameters
    ----------
    model : Model
    parameters : sequence of str
        By name; or quantities that are numbers, by path.

    Returns
    -------
    TrajectorySensitivities

    Raises
    ------
    UsageError
        There is no such parameter; a ramp depends on it; events interrupt the run, so that its very times would
        depend on parameters; or samples are to be taken at the steps of the solver.
    SolverError
            The integration failed.

    Examples
    --------
    >>> model = iontide.load("scenarios/first_principles/nernst_potassium.toml").model
    >>> course = iontide.trajectory_sensitivities(model, ["P_K"])
    >>> course.membrane_potential("plasma", "P_K").shape == course.trajectory.time.shape
    True
    """
    interrupting = [event.name for event in model.events if event.interrupts]
    if interrupting:
        raise UsageError(f"the event {interrupting[0]} interrupts the run, at a time that depends on parameters")
    if model.recording.spacing == "steps":
        raise UsageError("sensitivities are taken at recorded times: give the recording a spacing other than steps")
    prepared = prepare(model)
    dependence = Dependence(model, prepared, parameters)
    slopes = tuple(dependence.value_slopes(k) for k in range(len(prepared.segments)))
    if prepared.problem is None:
        trajectory = _as_it_is(model, prepared)
        return TrajectorySensitivities(
            trajectory, tuple(parameters), np.zeros((len(trajectory), 0, len(parameters))), slopes
        )
    return _Forward(model, prepared, dependence, tuple(parameters), slopes).run()


def _as_it_is(model: Model, prepared: Preparation) -> Trajectory:
    blocks = list(prepared.sample_blocks(model))
    time, _, segment = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return Trajectory(Integration(model).outcome(), time, segment, np.zeros((len(time), 0)))


class _Forward:
    """The enlarged system of one model, and its run."""

    def __init__(
        self,
        model: Model,
        prepared: Preparation,
        dependence: Dependence,
        parameters: tuple[str, ...],
        slopes: tuple[Mapping[str, NDArray], ...],
    ) -> None:
        self.model, self.prepared, self.dependence = model, prepared, dependence
        self.parameters, self.slopes = parameters, slopes

    def run(self) -> TrajectorySensitivities:
        prepared, n, many = self.prepared, self.prepared.layout.size, len(self.parameters)
        integrator = Integrator(table_of(self._problem, self._code), self._start)
        blocks = list(prepared.sample_blocks(self.model))
        time, within, segment = (np.concatenate(column) for column in zip(*blocks, strict=True))
        states = np.empty((len(time), n * (1 + many)))
        room = 64 * len(self.model.events) + 1024
        noted = np.zeros(room), np.zeros((room, 2), dtype=np.int64)
        samples = Samples(within, segment, states, np.zeros(2, dtype=np.int64), *noted)
        while True:
            integrator.progress.counters[CROSSING] = 0
            ended = integrator.advance(samples, BUDGET)
            if ended != status.PAUSED:
                break
        filled = int(integrator.progress.counters[SAMPLE])
        trajectory = self._trajectory(integrator, ended, time[:filled], segment[:filled], states[:filled, :n].copy())
        if ended < 0:
            raise SolverError(
                f"the sensitivities cannot be followed beyond t = {trajectory.run.end_time:.9g} s "
                f"(status {ended}); see whether the run alone can, and try a larger simulation.rtol",
                trajectory,
            )
        sensitivities = states[:filled, n:].reshape(filled, many, n).transpose(0, 2, 1).copy()
        return TrajectorySensitivities(trajectory, self.parameters, sensitivities, self.slopes)

    def _trajectory(
        self, integrator: Integrator, ended: int, time: NDArray, segment: NDArray, states: NDArray
    ) -> Trajectory:
        integration, progress = Integration(self.model), integrator.progress
        last = min(int(progress.counters[SEGMENT]), len(self.prepared.segments) - 1)
        reached = self.prepared.segments[last].start + float(progress.real[T])
        run = replace(
            integration.outcome(),
            status="failed" if ended < 0 else "steady" if ended == status.STEADY else "done",
            end_time=self.prepared.segments[-1].end if ended == status.DONE else reached,
            end_state=progress.y[: states.shape[1]].copy(),
            statistics=Statistics(*(int(progress.counters[k]) for k in (STEPS, REJECTED, JACOBIANS))),
        )
        return Trajectory(run, time, segment, states)

    @property
    def _start(self) -> NDArray:
        slopes = self.dependence.initial[1]
        return np.concatenate([self.prepared.initial.y, *slopes.T])

    @cached_property
    def _moving(self) -> list[str]:
        """Paths of what depends on some parameter in some segment."""
        return sorted(set().union(*self.slopes))

    @cached_property
    def _program(self) -> Program:
        """The enlarged equations."""
        layout, many = self.prepared.layout, len(self.parameters)
        n = layout.size
        rates, mass, watched = build_equations(self.model, layout)
        graph = rates[0].graph
        entries = list(mass.values())
        every = reachable([*rates, *entries])
        enlarged, enlarged_mass = list(rates), dict(mass)
        for k in range(many):
            first = n * (k + 1)
            along = {e.index: graph.state(first + e.value) for e in every if e.op == "state"}
            fixed = {
                e.index: graph.input(_slope_path(self.parameters[k], e.value))
                for e in every
                if e.op == "input" and e.value in self._moving
            }
            enlarged += directional(rates, along | fixed)
            for (row, column), entry in mass.items():
                enlarged_mass[first + row, first + column] = entry
            for (row, column), slope in zip(mass, directional(entries, fixed), strict=True):
                if slope.op != "const" or slope.value:
                    enlarged_mass[first + row, column] = slope
        return assemble(enlarged, enlarged_mass, watched)

    @cached_property
    def _code(self) -> MachineCode:
        return compile_program(self._program)

    @cached_property
    def _problem(self) -> Problem:
        prepared, problem = self.prepared, self.prepared.problem
        assert problem is not None
        program, code = self._program, self._code
        values = [
            {**base, **self._slope_values(of_segment)}
            for of_segment, base in zip(self.slopes, prepared.values, strict=True)
        ]
        constants, mass = program.prepare_all(values)
        return problem._replace(
            code=np.array(code.addresses, dtype=np.int64),
            mass=mass,
            constants=constants,
            absolute=np.concatenate([problem.absolute, *(problem.absolute * size for size in self._sizes)]),
        )

    def _slope_values(self, slopes: Mapping[str, NDArray]) -> dict[str, float]:
        none = np.zeros(len(self.parameters))
        return {
            _slope_path(name, path): float(slopes.get(path, none)[k])
            for k, name in enumerate(self.parameters)
            for path in self._moving
        }

    @cached_property
    def _sizes(self) -> list[float]:
        """What the absolute tolerance of ∂y/∂p is in units of that of y: 1/|p|, or where p is 0 by what it would do."""
        first = self.prepared.values[0]
        sizes = []
        for k, path in enumerate(self.dependence.paths):
            value = abs(first[path])
            sizes.append(1.0 / value if value else self._size_at_nothing(k))
        return sizes

    def _size_at_nothing(self, k: int) -> float:
        system = system_of(self.model, self.prepared)
        assert system is not None
        start = self.dependence.initial[1][:, k] / system.scales
        size = float(np.abs(start).max(initial=0.0))
        for segment, stretch in enumerate(self.prepared.segments):
            rates = self.dependence.rate_slopes(segment, 0.0, self.prepared.initial.y)[:, k]
            amounts = slice(0, self.prepared.layout.nonnegative)
            moved = np.abs(rates / system.scales)[amounts] * (stretch.end - stretch.start)
            size = max(size, float(moved.max(initial=0.0)))
        return size or 1.0


def _slope_path(parameter: str, path: str) -> str:
    return f"slope by {parameter} of {path}"
