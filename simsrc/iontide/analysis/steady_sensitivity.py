"""Exact derivatives of a steady state by its parameters, from the Jacobian and under its conservation laws.

At a steady state ``Q f(y, p) = 0`` and ``N M(p) y = T(p)`` (see ``steady_system``), so

    Q J dy/dp = − Q ∂f/∂p,    N M dy/dp = dT/dp − N dM/dp y

with T the conserved totals of the start, which depend on parameters where initial contents do. ∂f/∂p and dT/dp come
from the program of the equations itself (``parameter_derivatives``), so they are exact, and so is the result: no
parameter is varied. The implicit function theorem, as in Varma, Morbidelli & Wu 1999, Parametric Sensitivity in
Chemical Systems, chapter 2, doi:10.1017/CBO9780511721779; relative sensitivities are the control coefficients of Kacser
& Burns 1973, Symp Soc Exp Biol 27:65.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..equations.evaluation import Evaluation
from ..equations.invariants import stoichiometry_of
from ..errors import SolverError, UnknownNameError, UsageError
from ..formulas.display import quantity_text
from ..formulas.formula import Formula
from ..model.model import Model
from ..simulation.prepare import prepare
from ..symbolic.expression import Graph
from ..symbolic.forward_mode import assemble_quantities
from .parameter_derivatives import Dependence, path_of, ramps_moved_by
from .steady import SteadyState, steady_state
from .steady_system import System, system_of

#: A segment conserves a combination where less than this of its flows, relative to them, does not cancel.
CANCELLED = 1e-9


@dataclass(frozen=True)
class Sensitivities:
    """Derivatives of a steady state by its parameters.

    Attributes
    ----------
    steady : SteadyState
    parameters : tuple of str
    parameter_values : array, shape (parameters,)
        SI, as they hold at the end of the protocol.
    outputs : tuple of str
        ``plasma.V`` (V), ``cell.K`` (mol m⁻³), ``cell.volume`` (m³): the names of result files.
    output_values : array, shape (outputs,)
        SI.
    absolute : array, shape (outputs, parameters)
        ∂ output / ∂ parameter, SI.
    states : array, shape (states, parameters)
        ∂ y / ∂ parameter, in the order of the layout's names, SI; 0 for what clamps have supplied.
    """

    steady: SteadyState
    parameters: tuple[str, ...]
    parameter_values: NDArray
    outputs: tuple[str, ...]
    output_values: NDArray
    absolute: NDArray
    states: NDArray

    @property
    def scaled(self) -> NDArray:
        """p ∂o/∂p, shape (outputs, parameters), in the unit of the output: a hundredth of it is what +1 % changes."""
        return self.absolute * self.parameter_values

    @property
    def relative(self) -> NDArray:
        """Elasticities ∂ ln o / ∂ ln p, shape (outputs, parameters); NaN where the output is 0."""
        values = self.output_values[:, np.newaxis]
        return self.scaled / np.where(values == 0.0, np.nan, values)

    def of(self, output: str, parameter: str) -> float:
        """∂ output / ∂ parameter, SI."""
        return float(self.absolute[_place(self.outputs, output), _place(self.parameters, parameter)])

    def unit_of(self, output: str) -> tuple[str, float]:
        """The unit in which an output is printed, and how many of it make one of SI."""
        _place(self.outputs, output)
        model = self.steady.trajectory.model
        if output.endswith(".V") and output.removesuffix(".V") in model.membranes:
            return "mV", 1e3
        if output.endswith(".volume") and output.removesuffix(".volume") in model.compartments:
            return "pL", 1e15
        return "mM", 1.0

    def ranked(self, output: str) -> list[str]:
        """Parameters by how much a change by one part in a hundred of each moves an output, the strongest first."""
        size = np.abs(self.scaled[_place(self.outputs, output)])
        return [self.parameters[k] for k in np.argsort(-size, kind="stable")]


def _place(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise UnknownNameError("output or parameter", name, names)
    return names.index(name)


def steady_sensitivities(
    model: Model,
    parameters: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    start: NDArray | None = None,
    steady: SteadyState | None = None,
) -> Sensitivities:
    """Exact derivatives of a steady state by parameters.

    What is conserved on the way to it (closed totals, charge) is that of the start, and where the start depends on a
    parameter (an initial concentration, a volume, an impermeant) so do the totals. A parameter that the protocol
    sets, and that the setting still holds at its end, does not count for itself: its sensitivity is 0. The valence of
    an impermeant is a number of the model, not a quantity: nothing is differentiated by it.

    Parameters
    ----------
    model : Model
    parameters : sequence of str, optional
        By name; or quantities that are numbers, by path (``membranes.plasma.area``). All parameters that are numbers,
        if not given.
    outputs : sequence of str, optional
        As ``Sensitivities.outputs``. All potentials, and the concentrations and volumes that the model moves, if not
        given.
    start : array, shape (n,), optional
        As for ``steady_state``; the conserved totals are then those of this state, whatever the parameters.
    steady : SteadyState, optional
        Of this model and start, where it has been computed before.

    Returns
    -------
    Sensitivities

    Raises
    ------
    SolverError
        There is no steady state, or it is not locally unique (at a fold, say).
    UsageError
        There is no such parameter or output; or the run to the last protocol step changes a total that is conserved
        after it (a clamp or an injection brings some), so that this depends on more than the start.

    Examples
    --------
    >>> model = iontide.load("scenarios/cells_and_tissues/pump_leak_cell.toml").model
    >>> answer = iontide.steady_sensitivities(model, outputs=["cell.Na"])
    >>> dict(zip(answer.parameters, answer.relative[0].round(3).tolist()))  # elasticities
    {'pump_rate': -0.978, 'P_K': 0.978}
    """
    prepared = prepare(model)
    chosen = _all_parameters(model) if parameters is None else tuple(parameters)
    dependence = Dependence(model, prepared, chosen)
    end = steady_state(model, start) if steady is None else steady
    system = system_of(model, prepared)
    if end.status != "steady":
        raise SolverError(f"there is no steady state to differentiate: {end.message}")
    y = end.trajectory.states[0]
    states = np.zeros((len(y), len(chosen)))
    if system is not None:
        states[system.active] = _moved(system, dependence, y, start)
    names = tuple(_all_outputs(model, system)) if outputs is None else tuple(outputs)
    values, slopes = _outputs(model, dependence, system, y, states, names)
    last = prepared.values[-1]
    return Sensitivities(
        steady=end,
        parameters=chosen,
        parameter_values=np.array([last[path] for path in dependence.paths], dtype=float),
        outputs=names,
        output_values=values,
        absolute=slopes,
        states=states,
    )


def _all_parameters(model: Model) -> tuple[str, ...]:
    """Those that are numbers, each of which can be moved alone."""
    names = (name for name, p in model.parameters.items() if not isinstance(p.value, Formula))
    return tuple(name for name in names if not ramps_moved_by(model, [path_of(model, name)]))


def _moved(system: System, dependence: Dependence, y: NDArray, start: NDArray | None) -> NDArray:
    """dy/dp over the active states."""
    last = len(system.prepared.segments) - 1
    mass = dependence.constant_slopes(last)[1]
    if start is None:
        conserved = conserved_slopes(system, dependence)
    else:
        conserved = _held(system, np.einsum("ijp,j->ip", mass, start))
    missing = conserved - _held(system, np.einsum("ijp,j->ip", mass, y))
    moved = system.solve(y, -dependence.rate_slopes(last, system.time, y)[system.active], missing)
    if moved is None:
        raise SolverError("the steady state cannot be differentiated: it is not locally unique")
    return moved


def _held(system: System, moved: NDArray) -> NDArray:
    return system.conserved @ moved[system.active]


def conserved_slopes(system: System, dependence: Dependence) -> NDArray:
    """dT/dp of the conserved totals, shape (totals, directions), from the initial state.

    Raises
    ------
    UsageError
        Where a segment of the protocol does not conserve what the last one does.
    """
    prepared = system.prepared
    if not conserves_throughout(system):
        raise UsageError(
            "the run up to the last protocol step changes some of the totals that are conserved after it, so the end "
            "depends on all of that run; give a start= whose totals are to be held"
        )
    _, mass = dependence.constant_slopes(0)
    states = dependence.initial[1]
    assert prepared.program is not None
    assert prepared.problem is not None
    first = prepared.program.mass_matrix(prepared.problem.mass[0])
    return _held(system, first @ states + np.einsum("ijp,j->ip", mass, prepared.initial.y))


def conserves_throughout(system: System) -> bool:
    """Whether every segment of the protocol conserves what the last one does, so that it follows from the start."""
    prepared, conserved = system.prepared, system.conserved
    problem, program = prepared.problem, prepared.program
    assert problem is not None
    assert program is not None
    if len(prepared.segments) == 1 or not len(conserved):
        return True
    width = problem.constants.shape[1]
    for row in np.unique(np.concatenate([problem.constants, problem.mass], axis=1), axis=0):
        matrix, _ = stoichiometry_of(program.rates, row[:width], len(system.scales))
        rates = matrix[system.active]
        mass = program.mass_matrix(row[width:])[np.ix_(system.active, system.active)]
        left = np.abs(conserved @ rates) > CANCELLED * (np.abs(conserved) @ np.abs(rates))
        if left.any() or (conserved @ (mass - system.active_mass)).any():
            return False
    return True


def _all_outputs(model: Model, system: System | None) -> list[str]:
    names = [f"{m}.V" for m in model.membranes]
    if system is not None:
        names += [f"{c}.{s}" for c, s in system.prepared.layout.amounts]
        names += [f"{c.name}.volume" for c in model.compartments.values() if c.is_finite and c.water != "fixed"]
    return names


def _outputs(
    model: Model, dependence: Dependence, system: System | None, y: NDArray, states: NDArray, names: Sequence[str]
) -> tuple[NDArray, NDArray]:
    """Values and total derivatives of outputs: through the state, and directly."""
    prepared = dependence.prepared
    graph = Graph()
    time = 0.0 if system is None else system.time
    evaluation = Evaluation(model, prepared.layout, graph.input, lambda i: graph.input(f"state {i}"), time)
    known: dict[str, Callable[[], Any]] = {}
    for m in model.membranes.values():
        known[f"{m.name}.V"] = partial(evaluation.membrane_potential, m)
    for c in model.compartments.values():
        known |= {f"{c.name}.{s}": partial(evaluation.concentration, c.name, s) for s in c.concentrations}
        if c.is_finite:
            known[f"{c.name}.volume"] = partial(evaluation.volume, c.name)
    missing = [name for name in names if name not in known]
    if missing:
        raise UnknownNameError("output", missing[0], known)
    quantities = assemble_quantities(graph, [known[name]() for name in names])
    last = len(prepared.segments) - 1
    given = {**prepared.values[last], **{f"state {i}": float(value) for i, value in enumerate(y)}}
    slopes = dependence.value_slopes(last) | {f"state {i}": row for i, row in enumerate(states)}
    return quantities.values(given), quantities.slopes(given, slopes, dependence.directions)


def sensitivity_lines(result: Sensitivities, most: int = 10) -> list[str]:
    """Lines of a table: of each output the parameters that move it, the strongest first.

    Parameters
    ----------
    result : Sensitivities
    most : int
        Lines an output.
    """
    model = result.steady.trajectory.model
    lines = ["what +1 % of each parameter changes, conserved totals being those of the start; in brackets ∂ ln / ∂ ln"]
    width = max((len(name) for name in result.parameters), default=0)
    for k, output in enumerate(result.outputs):
        unit, scale = result.unit_of(output)
        lines += ["", f"{output} = {result.output_values[k] * scale:.6g} {unit}"]
        moving = [name for name in result.ranked(output) if result.scaled[k, result.parameters.index(name)] != 0.0]
        for name in moving[:most]:
            place = result.parameters.index(name)
            value = _value_text(model, name, float(result.parameter_values[place]))
            change = 0.01 * result.scaled[k, place] * scale
            lines.append(f"  {name:<{width}}  {change:+.4e} {unit}  ({result.relative[k, place]:+.4f})  at {value}")
        if not moving:
            lines.append("  nothing moves it")
        if len(moving) > most:
            lines.append(f"  and {len(moving) - most} that move it less")
    return lines


def _value_text(model: Model, name: str, value: float) -> str:
    if name not in model.parameters:
        return f"{value:.6g} (SI)"
    return quantity_text(value, model.parameters[name].dimension)
