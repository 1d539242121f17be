"""Exact derivatives by forward mode: of every register of a tape by its inputs.

Each number has a row of its derivatives, one for each direction, by the chain rule of its instruction: no
differences, no steps (Griewank & Walther 2008, Evaluating Derivatives, chapter 3, doi:10.1137/1.9780898717761).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .expression import Graph, bernoulli_curvature_value, bernoulli_slope_value
from .tape import Tape, tape_of

#: Derivatives of a number by each direction; None where all are 0.
Slopes = NDArray | None

#: Slope of each function of one number, from its argument, its value, and the number of the instruction.
_SLOPES: dict[str, Callable[[Any, Any, float], Any]] = {
    "exp": lambda a, v, number: v,
    "log": lambda a, v, number: 1.0 / a,
    "sqrt": lambda a, v, number: 0.5 / v,
    "pow": lambda a, v, number: number * np.power(a, number - 1.0),
    "tanh": lambda a, v, number: 1.0 - v * v,
    "abs": lambda a, v, number: -1.0 if a < 0.0 else 1.0,
    "bernoulli": lambda a, v, number: bernoulli_slope_value(a),
    "bernoulli_slope": lambda a, v, number: bernoulli_curvature_value(a),
}


def tangents(tape: Tape, time: float, y: NDArray, k: NDArray, y_slopes: list[Slopes], k_slopes: list[Slopes]) -> list:
    """Derivatives of every register of a tape at one point.

    Parameters
    ----------
    tape : Tape
    time : float
        s.
    y, k : array, shape (n,), (m,)
        What the tape reads.
    y_slopes, k_slopes : list of array, shape (directions,), or None
        Their derivatives.

    Returns
    -------
    list of array, shape (directions,), or None
        None where all are 0.
    """
    with np.errstate(all="ignore"):  # what is not chosen by a `where` may be anything
        values = tape.registers(time, y, k)
        slopes: list[Slopes] = []
        for i, (op, a, b, number, c) in enumerate(tape.instructions):
            if op == "state":
                slopes.append(y_slopes[a])
            elif op == "constant":
                slopes.append(k_slopes[a])
            elif op in ("time", "literal", "less", "less_equal", "equal"):
                slopes.append(None)
            elif op == "where":
                slopes.append(slopes[b] if values[a] else slopes[c])
            elif op in ("add", "sub"):
                slopes.append(_sum(slopes[a], slopes[b] if op == "add" else _times(-1.0, slopes[b])))
            elif op == "neg":
                slopes.append(_times(-1.0, slopes[a]))
            elif op == "mul":
                slopes.append(_sum(_times(values[b], slopes[a]), _times(values[a], slopes[b])))
            elif op == "div":
                by_numerator = np.float64(1.0) / values[b]
                slopes.append(_sum(_times(by_numerator, slopes[a]), _times(-values[i] * by_numerator, slopes[b])))
            else:
                inner = slopes[a]
                slopes.append(None if inner is None else _times(_SLOPES[op](values[a], values[i], number), inner))
        return slopes


def _sum(a: Slopes, b: Slopes) -> Slopes:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _times(factor: Any, slopes: Slopes) -> Slopes:
    """The factor may be infinite where nothing depends on it: 0 stays 0."""
    if slopes is None:
        return None
    return factor * slopes if np.isfinite(factor) else np.where(slopes == 0.0, 0.0, factor * slopes)


@dataclass(frozen=True)
class QuantityProgram:
    """Quantities as one program over named numbers.

    Attributes
    ----------
    tape : Tape
    inputs : tuple of str
        Names of the numbers that it reads.
    size : int
        How many quantities.
    """

    tape: Tape
    inputs: tuple[str, ...]
    size: int

    def values(self, given: Mapping[str, float]) -> NDArray:
        """The quantities, shape (size,)."""
        return self.tape.run(0.0, self._read(given), np.zeros(0), {"f": self.size})["f"]

    def slopes(self, given: Mapping[str, float], given_slopes: Mapping[str, NDArray], directions: int) -> NDArray:
        """Their derivatives, shape (size, directions); a name without derivatives depends on nothing."""
        input_slopes = [given_slopes.get(name) for name in self.inputs]
        registers = tangents(self.tape, 0.0, self._read(given), np.zeros(0), input_slopes, [])
        result = np.zeros((self.size, directions))
        for _, slot, register in self.tape.outputs:
            if registers[register] is not None:
                result[slot] = registers[register]
        return result

    def _read(self, given: Mapping[str, float]) -> NDArray:
        return np.array([given[name] for name in self.inputs], dtype=float)


def assemble_quantities(graph: Graph, quantities: Sequence[Any]) -> QuantityProgram:
    """Lay out quantities, expressions over inputs alone or plain numbers, as one program."""
    zero = graph.constant(0.0)
    tape, inputs = tape_of([zero + quantity for quantity in quantities])
    return QuantityProgram(tape, inputs, len(quantities))
