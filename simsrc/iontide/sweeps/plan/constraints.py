"""Constraints of a sweep: comparisons that a point must meet, or else it is left out."""

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
        Which axis each varied name stands for, those of the parameters below among them.
    parameters : mapping of str to float or Formula
        What the other names stand for, SI, over these and varied names.
    """

    text: str
    formula: Formula
    columns: Mapping[str, int]
    parameters: Mapping[str, float | Formula]

    @property
    def identity(self) -> str:
        """The comparison without its blanks and parentheses, and with its numbers in SI: for a digest."""
        return str(fold(self.formula.ast, _told_plainly))

    def met(self, values: NDArray) -> NDArray[np.bool_]:
        """Whether points meet it; one for which a side has no value, as the root of a negative number, does not.

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


def _told_plainly(node: Node, operands: list[str]) -> str:
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
    """A comparison over varied paths, by path, and parameters of the model, by name.

    Raises
    ------
    FormulaError
        It cannot be read, names what is not there or changes in a run, does not fit in its dimensions, or compares
        nothing that is varied.
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
            if axes[number].words:
                raise FormulaError(f"{name} is varied over words, which cannot be compared")
            columns[name], dimensions[name] = number, axes[number].dimension
        elif plain in model.parameters:
            value = model.parameters[plain].value
            if plain in model.moving or (isinstance(value, Formula) and "t" in value.names):
                raise FormulaError(f"{name} changes in the course of a run; name what does not")
            parameters[name], dimensions[name] = value, model.parameters[plain].dimension
            pending += sorted(value.names) if isinstance(value, Formula) else []
        else:
            raise FormulaError(_unknown(name, axes, model))
    if not columns:
        raise FormulaError("names nothing that is varied, so that it holds for all points or for none")
    formula.dimension_of(dimensions.__getitem__)
    constraint = Constraint(text, formula, columns, parameters)
    constraint.met(np.array([[axis.middle for axis in axes]]))
    return constraint


def _unknown(name: str, axes: tuple[Axis, ...], model: Model) -> str:
    paths = [axis.path for axis in axes]
    near = did_you_mean(name, [*model.parameters, *paths])
    return f"no such name as {name}{near} (parameters are {listed(model.parameters)}; varied are {listed(paths)})"


def excluded(constraints: tuple[Constraint, ...], values: NDArray) -> NDArray[np.bool_]:
    """Whether points fail to meet some constraint, shape (points,)."""
    out = np.zeros(len(values), dtype=bool)
    for constraint in constraints:
        out |= ~constraint.met(values)
    return out


Tell = Callable[[int, str], None]


def read_constraints(
    texts: tuple[str, ...], axes: tuple[Axis, ...], model: Model, tell: Tell
) -> tuple[Constraint, ...]:
    """All constraints of a sweep; what is wrong with one is told with its number."""
    found = []
    for number, text in enumerate(texts):
        try:
            found.append(read_constraint(text, axes, model))
        except FormulaError as error:
            tell(number, str(error))
    return tuple(found)
