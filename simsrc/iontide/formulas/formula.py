"""The formulas of a scenario: numbers with units, names, arithmetic, a few functions; checked and evaluated.

`parser` has the grammar and turns text into a tree; this module computes the dimension and the value of the tree.
Neither uses ``eval``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, reduce
from typing import Any

from ..errors import did_you_mean
from .literals import FLOAT_FUNCTIONS, divide, power
from .parser import Binary, Call, Compare, FormulaError, Name, Node, Number, Unary, fold, parse_tree
from .units import DIMENSIONLESS, Dimension, lab_unit, parse_quantity, quoted

__all__ = [
    "FLOAT_FUNCTIONS",
    "Binary",
    "Call",
    "Compare",
    "DimensionError",
    "Formula",
    "FormulaError",
    "Name",
    "Node",
    "Number",
    "Unary",
    "evaluate_float",
    "fit_message",
    "parse_formula",
]


class DimensionError(FormulaError):
    """A formula in which the dimension of a term does not fit; the message names the term."""


def parse_formula(text: str) -> Formula:
    """Read a formula.

    Raises
    ------
    FormulaError
        The text does not follow the grammar (see `parser`); the message gives the column.
    """
    return Formula(text, parse_tree(text))


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}
# The arguments of the two factors of temperature, with their dimensions.
_REFERENCE = ("as its reference a temperature (as 25 degC)", parse_quantity("1 K")[1])
_TEMPERATURE_FACTORS = {
    "q10": (("as its factor a pure number", DIMENSIONLESS), _REFERENCE),
    "arrhenius": (
        ("as its activation energy an energy per mole (as 50 kJ/mol)", parse_quantity("1 J/mol")[1]),
        _REFERENCE,
    ),
}
_RELATIONS = {"+": "to which it is added", "-": "from which it is subtracted"}
_FLOAT_OPERATORS = {**_OPERATORS, "/": divide, "^": power}
# The comparison that is called, and whether with its operands swapped; != is equal with the branches swapped.
_COMPARISONS = {
    "<": ("less", False),
    "<=": ("less_equal", False),
    ">": ("less", True),
    ">=": ("less_equal", True),
    "==": ("equal", False),
    "!=": ("equal", False),
}


def _is_plain(value: Any) -> bool:
    return isinstance(value, float | int)


def _apply(table: Mapping[str, Callable], floats: Mapping[str, Callable], name: str, *operands: Any) -> Any:
    if all(_is_plain(operand) for operand in operands):
        return floats[name](*(float(operand) for operand in operands))
    return table[name](*operands)


def _value(node: Node, operands: list[Any], lookup: Callable[[str], Any], functions: Mapping[str, Callable]) -> Any:
    """Value of one node, given those of its operands."""
    match node:
        case Number():
            return node.value_si
        case Name():
            return lookup(node.dotted)
        case Unary():
            return -operands[0]
        case Binary():
            return _apply(_OPERATORS, _FLOAT_OPERATORS, node.operator, *operands)
        case Compare():
            name, swapped = _COMPARISONS[node.operator]
            return _apply(functions, FLOAT_FUNCTIONS, name, *(reversed(operands) if swapped else operands))
        case Call(function="where"):
            condition, a, b = operands
            if isinstance(node.arguments[0], Compare) and node.arguments[0].operator == "!=":
                a, b = b, a
            if _is_plain(condition):
                return FLOAT_FUNCTIONS["where"](condition, a, b)
            return functions["where"](condition, a, b)
        case Call(function="min" | "max"):
            return reduce(lambda a, b: _apply(functions, FLOAT_FUNCTIONS, node.function, a, b), operands)
        case Call():
            return _apply(functions, FLOAT_FUNCTIONS, node.function, *operands)


@dataclass(frozen=True)
class Formula:
    """A formula that has been read; equal to another, and hashed, by its text.

    Attributes
    ----------
    text : str
        As written.
    ast : Node
        Its tree.
    """

    text: str
    ast: Node = field(compare=False, repr=False)

    def __reduce__(self) -> tuple[Callable[[str], Formula], tuple[str]]:
        return parse_formula, (self.text,)  # a tree of 5000 terms is too deep for pickle

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that the formula refers to, dots included."""
        return _names(self.ast)

    @property
    def is_constant(self) -> bool:
        """Whether it refers to no name at all."""
        return not self.names

    def source(self, node: Node) -> str:
        """The text of a node, between backticks, for a message."""
        return quoted(self.text[slice(*node.place)])

    def dimension_of(self, lookup: Callable[[str], Dimension]) -> Dimension:
        """Dimension of the formula's value.

        Parameters
        ----------
        lookup : callable
            From a name to its dimension; its exceptions are passed on.

        Raises
        ------
        DimensionError
            Names the first term that does not fit.
        """
        return fold(self.ast, lambda node, operands: self._dimension(node, operands, lookup))

    def _dimension(self, node: Node, operands: list[Dimension], lookup: Callable[[str], Dimension]) -> Dimension:
        match node:
            case Number():
                return node.dimension
            case Name():
                return lookup(node.dotted)
            case Binary(operator="*"):
                return operands[0] * operands[1]
            case Binary(operator="/"):
                return operands[0] / operands[1]
            case Binary(operator="^"):
                return self._power_dimension(node, *operands)
            case Binary() | Compare():
                relation = _RELATIONS.get(node.operator, "with which it is compared")
                self._match((node.left, operands[0]), (node.right, operands[1]), relation)
                return operands[0] if isinstance(node, Binary) else DIMENSIONLESS
            case Call(function="min" | "max" | "where"):
                first, *others = list(zip(node.arguments, operands, strict=True))[node.function == "where" :]
                for other in others:
                    self._match(first, other, f"beside it in {node.function}")
                return first[1]
            case Call(function="exp" | "log" | "tanh" | "linexp") if not operands[0].is_dimensionless:
                argument = self.source(node.arguments[0])
                raise DimensionError(f"{node.function} takes a pure number, but {argument} is {operands[0]}")
            case Call(function="q10" | "arrhenius"):
                self._check_temperature_factor(node, operands)
                return DIMENSIONLESS
            case Call(function="sqrt"):
                return operands[0] ** Fraction(1, 2)
        return operands[0]

    def _match(self, first: tuple[Node, Dimension], other: tuple[Node, Dimension], relation: str) -> None:
        if first[1] != other[1]:
            raise DimensionError(
                f"the term {self.source(other[0])} is {other[1]}, but {self.source(first[0])} {relation} is {first[1]}"
            )

    def _check_temperature_factor(self, node: Call, operands: list[Dimension]) -> None:
        """``q10`` takes a pure number, ``arrhenius`` an energy per mole; both a temperature after it."""
        (first, due), (second, kelvin) = _TEMPERATURE_FACTORS[node.function]
        for argument, actual, what, expected in (
            (node.arguments[0], operands[0], first, due),
            (node.arguments[1], operands[1], second, kelvin),
        ):
            if actual != expected:
                message = f"{node.function} takes {what}, but {self.source(argument)} is {actual}"
                raise DimensionError(message)

    def _power_dimension(self, node: Binary, base: Dimension, exponent: Dimension) -> Dimension:
        quoted_exponent = self.source(node.right)
        if not exponent.is_dimensionless:
            raise DimensionError(f"the exponent {quoted_exponent} is {exponent}, it must be a pure number")
        if base.is_dimensionless:
            return base
        if not _names(node.right):
            value = _evaluate(self, node.right, lambda name: math.nan, FLOAT_FUNCTIONS)
            fraction = Fraction(value).limit_denominator(1000)
            if float(fraction) == value and abs(fraction) <= 100:
                return base**fraction
        raise DimensionError(
            f"{self.source(node.left)} is {base}, so its exponent {quoted_exponent} must be a constant such as 2 or 1/2"
        )

    def evaluate(self, lookup: Callable[[str], Any], functions: Mapping[str, Callable]) -> Any:
        """Value of the formula for names that are floats, arrays or symbolic expressions.

        An operation whose operands are all plain numbers (literals, floats from `lookup`) is done here in
        IEEE 754 doubles: each call of an operator or of `functions` has at least one object of the caller.

        Parameters
        ----------
        lookup : callable
            From a name to its value in SI: a float, or an object with unary minus and ``+ - * / **``, on
            either side of a float.
        functions : mapping of str to callable
            ``exp log sqrt tanh abs linexp`` of one argument; ``min max`` of two (more fold from the left);
            ``q10 arrhenius`` of two and, after them, the temperature;
            ``less equal less_equal`` of two: ``a > b`` is ``less(b, a)``, ``a >= b`` is ``less_equal(b, a)``;
            ``where(condition, a, b)``, whose condition is what one of those three returned; ``a != b`` is
            ``equal(a, b)`` with the branches swapped. Both branches are evaluated always.

        Raises
        ------
        FormulaError
            The value, or a plain number that is combined with an object, is not finite.
        """
        return _evaluate(self, self.ast, lookup, functions)


def _names(root: Node) -> frozenset[str]:
    return fold(root, lambda node, sets: frozenset({node.dotted} if isinstance(node, Name) else ()).union(*sets))


def _evaluate(formula: Formula, root: Node, lookup: Callable[[str], Any], functions: Mapping[str, Callable]) -> Any:
    culprit = root

    def combine(node: Node, operands: list[Any]) -> Any:
        nonlocal culprit
        infinite = [x for x in operands if _is_plain(x) and not math.isfinite(x)]
        if infinite and not all(_is_plain(x) for x in operands):
            raise FormulaError(f"{formula.source(culprit)} is not finite")
        value = _value(node, operands, lookup, functions)
        if not infinite and _is_plain(value) and not math.isfinite(value):
            culprit = node
        return value

    value = fold(root, combine)
    if _is_plain(value) and not math.isfinite(value):
        raise FormulaError(f"{formula.source(culprit)} is not finite")
    return value


def evaluate_float(formula: Formula, values: Mapping[str, float]) -> float:
    """Value of the formula in floats, in SI: finite, or an error.

    Raises
    ------
    FormulaError
        A name without a value, or a result that is not finite; the message quotes the term that was not finite first.
    """

    def lookup(name: str) -> float:
        if name in values:
            return values[name]
        raise FormulaError(f"no such name {quoted(name)}{did_you_mean(name, sorted(values))}")

    return float(formula.evaluate(lookup, FLOAT_FUNCTIONS))


def fit_message(
    expected: Dimension, formula: Formula, lookup: Callable[[str], Dimension], quantity: str = "this"
) -> str | None:
    """Why a formula does not fit where a dimension is expected, or None if it does.

    Parameters
    ----------
    quantity : str
        What is expected, with its article, as in ``a rate``.

    Returns
    -------
    str or None
        As ``mol/m^2 does not fit, a rate is mol/m^2/s (the term `pump_max` is mol/m^2)``, or the sentence of
        the `DimensionError` from within the formula.
    """
    try:
        actual = formula.dimension_of(lookup)
    except DimensionError as error:
        return str(error)
    if actual == expected:
        return None
    message = f"{actual} does not fit, {quantity} is {expected}"
    if isinstance(formula.ast, Number):
        hint = f" (give the number its unit, as in `{formula.text.strip()} {lab_unit(expected)}`)"
        return message + hint if actual.is_dimensionless else message
    terms = []
    for node in _factors(formula.ast):
        dimension = fold(node, lambda part, operands: formula._dimension(part, operands, lookup))
        if not dimension.is_dimensionless and (node is not formula.ast or isinstance(node, Name)):
            terms.append(f"{formula.source(node)} is {dimension}")
    if not terms:
        return message
    return f"{message} ({'the term ' if len(terms) == 1 else ''}{', '.join(terms[:4])})"


def _factors(root: Node) -> list[Node]:
    """The factors of a product; of a sum, of its first term, as all its terms have one dimension."""
    factors: list[Node] = []
    stack = [root]
    while stack:
        match stack.pop():
            case Binary(operator="*" | "/") as product:
                stack += [product.right, product.left]
            case Binary(operator="+" | "-") as total:
                stack.append(total.left)
            case Unary() as minus:
                stack.append(minus.operand)
            case factor:
                factors.append(factor)
    return factors
