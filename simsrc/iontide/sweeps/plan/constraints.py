"""Constraints of a sweep: comparisons; points that do not satisfy them are excluded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import did_you_mean, listed
from ...formulas.formula import Formula, FormulaError
from ...formulas.parser import Call, Name, Node, Number, fold
from ...formulas.units import Dimension
from ...model.model import Model
from ...scenario.sweeps.form import condition
from ...symbolic.expression import FUNCTIONS
from .axes import Axis


@dataclass(frozen=True)
class Constraint:
    """One comparison.

    Attributes
    ----------
    text : str
        As written.
    formula : Formula
        1 where it holds, else 0.
    columns : mapping of str to int
        The axis of each varied name, also of those in the formulas of ``parameters``.
    parameters : mapping of str to float or Formula
        Values of the other names, SI, or formulas of these and varied names.
    """

    text: str
    formula: Formula
    columns: Mapping[str, int]
    parameters: Mapping[str, float | Formula]

    @property
    def identity(self) -> str:
        """The comparison in a canonical form with its numbers in SI, for the digest."""
        return str(fold(self.formula.ast, _canonical_text))

    def is_met(self, values: NDArray) -> NDArray[np.bool_]:
        """Whether points satisfy it; a point at which a side is not defined does not.

        Parameters
        ----------
        values : array, shape (points, axes)
            SI.
        """

        def lookup(name: str) -> Any:
            if name in self.columns:
                return np.ascontiguousarray(values[:, self.columns[name]])
            value = self.parameters[name]
            return value.evaluate(lookup, FUNCTIONS) if isinstance(value, Formula) else value

        with np.errstate(all="ignore"):
            return np.broadcast_to(self.formula.evaluate(lookup, FUNCTIONS), len(values)) == 1.0


def _canonical_text(node: Node, operands: list[str]) -> str:
    match node:
        case Number():
            return repr(node.value_si)
        case Name():
            return node.dotted.removeprefix("parameters.")
        case Call():
            return f"{node.function}({','.join(operands)})"
        case _:
            return f"({node.operator} {' '.join(operands)})"


def read_constraint(text: str, axes: tuple[Axis, ...], model: Model) -> Constraint:
    """Read a comparison of varied paths and parameters of the model.

    Raises
    ------
    FormulaError
        If it cannot be read, names something unknown or that changes during a run, is dimensionally inconsistent, or
        depends on nothing that is varied.
    """
    formula = condition(text)
    columns: dict[str, int] = {}
    parameters: dict[str, float | Formula] = {}
    dimensions: dict[str, Dimension] = {}
    varied = {axis.path: number for number, axis in enumerate(axes)}
    pending = sorted(formula.names)
    while pending:
        name = pending.pop()
        if name in dimensions:
            continue
        plain = name.removeprefix("parameters.")
        number = varied.get(name, varied.get(f"parameters.{plain}"))
        if number is not None:
            if axes[number].categories:
                raise FormulaError(f"{name} has no numbers, so that it cannot be compared")
            columns[name], dimensions[name] = number, axes[number].dimension
        elif plain in model.parameters:
            value = model.parameters[plain].value
            if plain in model.moving or (isinstance(value, Formula) and "t" in value.names):
                raise FormulaError(f"{name} changes during a run; a constraint needs quantities that do not")
            parameters[name], dimensions[name] = value, model.parameters[plain].dimension
            pending += sorted(value.names) if isinstance(value, Formula) else []
        else:
            raise FormulaError(_unknown(name, axes, model))
    if not columns:
        raise FormulaError("depends on nothing that is varied, so that it holds for all points or for none")
    formula.dimension_of(dimensions.__getitem__)
    constraint = Constraint(text, formula, columns, parameters)
    constraint.is_met(np.array([[axis.middle for axis in axes]]))
    return constraint


def _unknown(name: str, axes: tuple[Axis, ...], model: Model) -> str:
    paths = [axis.path for axis in axes]
    near = did_you_mean(name, [*model.parameters, *paths])
    return f"no such name as {name}{near} (parameters are {listed(model.parameters)}; varied are {listed(paths)})"


def excluded(constraints: tuple[Constraint, ...], values: NDArray) -> NDArray[np.bool_]:
    """Whether points fail to satisfy a constraint, shape (points,)."""
    out = np.zeros(len(values), dtype=bool)
    for constraint in constraints:
        out |= ~constraint.is_met(values)
    return out


def read_constraints(
    texts: tuple[str, ...], axes: tuple[Axis, ...], model: Model, report: Callable[[int, str], None]
) -> tuple[Constraint, ...]:
    """All constraints of a sweep; ``report`` is called with the number and the fault of each wrong one."""
    found = []
    for number, text in enumerate(texts):
        try:
            found.append(read_constraint(text, axes, model))
        except FormulaError as error:
            report(number, str(error))
    return tuple(found)
