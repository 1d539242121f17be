"""Exact derivatives of expressions, and the nodes that an expression consists of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
            derivative = _by_chain_rule(e, slope)
            if derivative is not None:
                slope[e.index] = derivative
        for row, f in enumerate(functions):
            if f.index in slope and not is_constant(slope[f.index], 0.0):
                result[row, column] = slope[f.index]
    return result


def directional(functions: Sequence[Expression], along: Mapping[int, Expression]) -> list[Expression]:
    """Exact derivatives of functions along a direction in the numbers that they depend on.

    Parameters
    ----------
    functions : sequence of Expression
    along : mapping of int to Expression
        Derivative of each number (a state, an input; by the index of its node) along the direction; 0 for the others.

    Returns
    -------
    list of Expression
    """
    slope = dict(along)
    for e in reachable(functions):
        if e.index not in slope:
            derivative = _by_chain_rule(e, slope)
            if derivative is not None:
                slope[e.index] = derivative
    return [slope[f.index] if f.index in slope else f.graph.constant(0.0) for f in functions]


def _by_chain_rule(e: Expression, slope: Mapping[int, Expression]) -> Expression | None:
    """Derivative of a node from those of its arguments; None where it is 0 whatever they are."""
    if e.op in ("less", "less_equal", "equal"):  # steps: flat wherever they have a slope
        return None
    if not any(a.index in slope for a in e.args):
        return None
    total = zero = e.graph.constant(0.0)
    if e.op == "where":  # chosen, not multiplied by 0: what is not chosen may be infinite
        condition, a, b = e.args
        return where(condition, slope.get(a.index, zero), slope.get(b.index, zero))
    for argument, partial in zip(e.args, _local_derivatives(e), strict=True):
        if argument.index in slope:
            total = total + slope[argument.index] * partial
    return total


def reachable(roots: Iterable[Expression]) -> list[Expression]:
    """All nodes that the roots depend on, arguments before users."""
    nodes: dict[int, Expression] = {}
    stack = list(roots)
    while stack:
        e = stack.pop()
        if e.index not in nodes:
            nodes[e.index] = e
            stack.extend(e.args)
    return [nodes[i] for i in sorted(nodes)]
