"""Potentials at the start of a run: as given, as roots of a net current, and what follows for every compartment.

All but the roots is arithmetic over any kind of number. How a root is obtained depends on the kind: over floats and
arrays it is computed (``ComputedRoots``); over expressions it is an unknown with an equation, so that the implicit
function theorem gives its derivatives (``analysis.parameter_derivatives``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, ScenarioError
from ..model.circuit import grounds
from ..model.model import Membrane, Model
from ..numerics.roots import damped_newton, rising_roots_in
from ..symbolic.expression import Expression
from .evaluation import Evaluation
from .states import Layout

#: Potentials between which a zero-current potential is searched for, V.
SEARCH_LIMIT = 2.0

#: Within that range: half-millivolt steps between ±0.2 V, where potentials of membranes are.
_GRID = np.concatenate([[-SEARCH_LIMIT], np.linspace(-0.2, 0.2, 801), [SEARCH_LIMIT]])

#: Potential (V) below which the last digits of a root no longer matter.
_SCALE = 1e-3

#: Most Newton steps for a floating part, the difference (V) that gives a slope, the most that a step moves (V), and a
#: step (V) so small that the part is at its root.
FLOAT_STEPS, FLOAT_PROBE, FLOAT_MOVE, FLOAT_SETTLED = 100, 1e-6, 0.1, 1e-10

#: Two ways round to the potential of a membrane may differ by this much, V.
CONTRADICTION = 1e-9

#: Net outward current density (A m⁻²) of a membrane, from the values of the model and a potential (V).
Current = Callable[[Mapping[str, Any], Any], Any]


class Roots(Protocol):
    """A way to obtain the potentials at which a net current is 0."""

    def of_membrane(self, membrane: Membrane, values: Mapping[str, Any], current: Current) -> Any:
        """Potential at which the net current of a membrane is 0, V."""

    def of_floating_parts(
        self, parts: Sequence[str], currents: Callable[[Sequence[Any]], list[Any]]
    ) -> Sequence[Any] | None:
        """Potentials of the floating parts, V, at which the net currents into them (A) are 0; None where none are."""


class ComputedRoots:
    """Roots as numbers, and in ``values`` a list of them in the order in which they were asked for.

    Parameters
    ----------
    cells : int
        Of many cells (values are arrays), how many; 0: one cell, whose values are floats.
    """

    def __init__(self, cells: int = 0) -> None:
        self.cells = cells
        self.values: list[Any] = []

    def of_membrane(self, membrane: Membrane, values: Mapping[str, Any], current: Current) -> Any:
        """As of ``Roots``: an array of many cells, NaN where there is not just one such potential.

        Raises
        ------
        ScenarioError
            One cell has none, or several.
        """
        columns = _Columns(values)

        def over(potential: NDArray) -> NDArray:
            with np.errstate(all="ignore"):
                net = np.asarray(current(columns, potential), dtype=float)
            return np.broadcast_to(net, (self.cells or 1, potential.shape[1]))

        roots = rising_roots_in(over, _GRID, _SCALE)
        if self.cells:
            root: Any = np.where(np.isfinite(roots).sum(axis=1) == 1, roots[:, 0], np.nan)
        else:
            root = _the_one_root(membrane, [float(v) for v in roots[0] if np.isfinite(v)])
        self.values.append(root)
        return root

    def of_floating_parts(
        self, parts: Sequence[str], currents: Callable[[Sequence[Any]], list[Any]]
    ) -> Sequence[Any] | None:
        """As of ``Roots``, by damped Newton steps; of one cell alone.

        The integrator solves for them again at every protocol step; here they are needed for gates to start from.
        """
        roots = damped_newton(
            lambda offsets: np.array([float(current) for current in currents(list(offsets))]),
            *(len(parts), FLOAT_PROBE, FLOAT_MOVE, FLOAT_SETTLED, FLOAT_STEPS),
        )
        self.values.extend(() if roots is None else roots)
        return None if roots is None else list(roots)


class _Columns(Mapping[str, Any]):
    """Values of many cells, each array as a column, to be broadcast against a row of potentials."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        return value[:, np.newaxis] if isinstance(value, np.ndarray) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _the_one_root(membrane: Membrane, roots: Sequence[float]) -> float:
    if len(roots) == 1:
        return roots[0]
    if roots:
        listed = ", ".join(f"{1e3 * v:.4g} mV" for v in roots)
        message = (
            f'"ghk" finds several potentials at which the net current of this membrane is 0: {listed}; '
            f'say which is meant, as potential = "{1e3 * roots[0]:.4g} mV"'
        )
    else:
        message = (
            f'"ghk" finds no potential between -{SEARCH_LIMIT:g} V and {SEARCH_LIMIT:g} V at which the net current '
            'of this membrane is 0; give a value, as potential = "-70 mV"'
        )
    raise ScenarioError("<model>", [Fault(0, f"membranes.{membrane.name}.potential", message)])


def initial_potentials(
    model: Model,
    layout: Layout,
    values: Mapping[str, Any],
    roots: Roots,
    evaluation_at: Callable[[Mapping[str, Any], Mapping[str, Any]], Evaluation],
) -> dict[str, Any]:
    """Potential of every compartment at the start against its ground, V.

    Parameters
    ----------
    model, layout
    values : mapping of str to number, array or Expression
        By path.
    roots : Roots
    evaluation_at : callable
        The model at its start, from values and potentials of compartments.

    Raises
    ------
    ScenarioError
        Where a potential is asked for that does not exist, or does not follow from what is given.
    """

    def current_of(membrane: Membrane) -> Current:
        def current(given: Mapping[str, Any], potential: Any) -> Any:
            potentials = dict.fromkeys(model.compartments, 0.0) | {membrane.inside: potential}
            return evaluation_at(given, potentials).current_density(membrane)

        return current

    across = {
        m.name: roots.of_membrane(m, values, current_of(m))
        if m.potential == "ghk"
        else values[f"membranes.{m.name}.potential"]
        for m in model.membranes.values()
        if m.potential is not None and m.has_capacitance
    }
    potentials = _compartment_potentials(model, layout, across)
    if not layout.floats:
        return potentials

    def placed(offsets: Sequence[Any]) -> dict[str, Any]:
        offset = dict(zip(layout.floats, offsets, strict=True))
        return {c: v + offset.get(layout.floating_part.get(c, ""), 0.0) for c, v in potentials.items()}

    def currents(offsets: Sequence[Any]) -> list[Any]:
        totals = _currents_into_parts(evaluation_at(values, placed(offsets)))
        return [totals[part] for part in layout.floats]

    parts = list(layout.floats)
    offsets = roots.of_floating_parts(parts, currents)
    if offsets is None:
        message = (
            f"no potential is found for {', '.join(parts)} at which the net current into it is 0: without a "
            "capacitance that is what its potential is. Give a membrane beside it a capacitance, or see that an ion "
            "can cross one"
        )
        raise ScenarioError("<model>", [Fault(0, f"compartments.{parts[0]}", message)])
    return placed(offsets)


def _compartment_potentials(model: Model, layout: Layout, membrane_potentials: Mapping[str, Any]) -> dict[str, Any]:
    """Potential of each compartment against its ground, from the potentials of the membranes between, V.

    A floating part is put at 0; its potential is computed once those of the others are known.
    """
    potentials: dict[str, Any] = dict.fromkeys((*grounds(model), *layout.floats), 0.0)
    capacitive = [m for m in model.membranes.values() if m.has_capacitance]
    moved = True
    while moved:
        moved = False
        for m in capacitive:
            v = membrane_potentials.get(m.name)
            if v is None:
                continue
            if m.outside in potentials and m.inside not in potentials:
                potentials[m.inside] = potentials[m.outside] + v
                moved = True
            elif m.inside in potentials and m.outside not in potentials:
                potentials[m.outside] = potentials[m.inside] - v
                moved = True
    for m in capacitive:
        for c in (m.inside, m.outside):
            if c not in potentials:
                message = (
                    f"the initial potential of {c} does not follow from what is given; "
                    'write potential = "-70 mV" or potential = "ghk" on one of its membranes'
                )
                raise ScenarioError("<model>", [Fault(0, f"membranes.{m.name}", message)])
        potentials = _without_contradiction(m, membrane_potentials.get(m.name), potentials)
    for c in model.compartments:
        potentials.setdefault(c, 0.0)
    return potentials


def _without_contradiction(membrane: Membrane, v: Any, potentials: dict[str, Any]) -> dict[str, Any]:
    """The potentials, NaN in those cells of many where they contradict that of a membrane; an error in one cell."""
    actual = potentials[membrane.inside] - potentials[membrane.outside]
    if v is None or isinstance(v, Expression):  # there are no numbers to compare in an expression
        return potentials
    apart = np.abs(v - actual) > CONTRADICTION
    if isinstance(apart, np.ndarray):
        return {c: np.where(apart, np.nan, value) for c, value in potentials.items()}
    if apart:
        message = (
            f"its potential of {v * 1e3:.6g} mV contradicts the other membranes, by which it is "
            f"{actual * 1e3:.6g} mV; leave one of them out"
        )
        raise ScenarioError("<model>", [Fault(0, f"membranes.{membrane.name}.potential", message)])
    return potentials


def _currents_into_parts(evaluation: Evaluation) -> dict[str, Any]:
    """Net current into each floating part, A, by the compartment that represents it."""
    total: dict[str, Any] = dict.fromkeys(evaluation.layout.floats, 0.0)
    flows = [
        (m.inside, m.outside, evaluation.area(m) * evaluation.current_density(m))
        for m in evaluation.model.membranes.values()
    ]
    flows += [(i.out_of or "", i.compartment, evaluation.injected_current(i)) for i in evaluation.model.injections]
    flows += [(e.inside, e.outside, evaluation.exchange_current(e)) for e in evaluation.model.exchanges]
    for source, target, current in flows:
        for c, sign in ((source, -1.0), (target, 1.0)):
            if c in evaluation.layout.floating_part:
                part = evaluation.layout.floating_part[c]
                total[part] = total[part] + sign * current
    return total
