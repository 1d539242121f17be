"""Exact derivatives of expressions, and which nodes an expression is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .expression import Expression, bernoulli_curvature, is_constant, less, power, where


def _local_derivatives(e: Expression) -> Iterable[Any]:
    """Partial derivative of a node by each of its arguments."""
    op, args = e.op, e.args
    if op == "add":
        return (1.0, 1.0)
    if op == "sub":
        return (1.0, -1.0)
    if op == "neg":
        return (-1.0,)
    if op == "mul":
        return (args[1], args[0])
    if op == "div":
        reciprocal = 1.0 / args[1]
        return (reciprocal, -e * reciprocal)
    if op == "exp":
        return (e,)
    if op == "log":
        return (1.0 / args[0],)
    if op == "sqrt":
        return (0.5 / e,)
    if op == "pow":
        return (e.value * power(args[0], e.value - 1.0),)
    if op == "bernoulli":
        return (e.graph.node("bernoulli_slope", args),)
    if op == "bernoulli_slope":
        return (bernoulli_curvature(args[0]),)
    if op == "tanh":
        return (1.0 - e * e,)
    if op == "abs":
        return (where(less(args[0], 0.0), -1.0, 1.0),)
    raise NotImplementedError(f"no derivative of {op}")


def jacobian(functions: Sequence[Expression], variables: int) -> dict[tuple[int, int], Expression]:
    """Exact derivatives ∂functions[i]/∂state j, zeros left out.

    Parameters
    ----------
    functions : sequence of Expression
    variables : int
        Number of states; column ``variables`` of the result is the derivative by time.

    Returns
    -------
    dict of (int, int) to Expression
        By row and column.
    """
    result: dict[tuple[int, int], Expression] = {}
    everything = reachable(functions)
    for column in range(variables + 1):
        bit = 1 if column == variables else 1 << (column + 1)
        slope: dict[int, Expression] = {}
        for e in everything:
            if not e.varies & bit:
                continue
            if e.op in ("state", "time"):
                slope[e.index] = e.graph.constant(1.0)
                continue
            total = zero = e.graph.constant(0.0)
            if e.op in ("less", "less_equal", "equal"):  # steps: flat wherever they have a slope
                continue
            if e.op == "where":  # chosen, not multiplied by 0: what is not chosen may be infinite
                condition, a, b = e.args
                slope[e.index] = where(condition, slope.get(a.index, zero), slope.get(b.index, zero))
                continue
            for argument, partial in zip(e.args, _local_derivatives(e), strict=True):
                if argument.index in slope:
                    total = total + slope[argument.index] * partial
            slope[e.index] = total
        for row, f in enumerate(functions):
            if f.index in slope and not is_constant(slope[f.index], 0.0):
                result[row, column] = slope[f.index]
    return result


def reachable(roots: Iterable[Expression]) -> list[Expression]:
    """All nodes that the roots are made of, arguments before users."""
    found: dict[int, Expression] = {}
    stack = list(roots)
    while stack:
        e = stack.pop()
        if e.index not in found:
            found[e.index] = e
            stack.extend(e.args)
    return [found[i] for i in sorted(found)]
