"""Linear combinations of states that the equations conserve whatever the rates are, from the structure of the tape.

Each rate of change is a sum of fluxes, each times a number: ``f(y) = S r(y)``. The same fluxes occur in several rows
(what leaves one compartment enters another, and carries its charge along), so some combinations ``w`` of rows cancel:
``w S = 0``, and ``w M y`` is conserved. S is read off the tape: what is nonlinear is a flux, what leads from there to
the rows is S. Nothing is declared: closed totals, sums that reactions conserve, charge and closed water are all such
combinations.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY
from ..numerics.null_space import cancelling_combinations
from ..symbolic.tape import NUMPY_OPERATIONS, Tape

#: The flux that is always 1: constant terms.
_ONE = -1


def stoichiometry_of(tape: Tape, constants: NDArray, rows: int) -> tuple[NDArray, list[int]]:
    """S, shape (rows, fluxes), and the registers of the tape that hold the fluxes (−1: the number 1).

    Parameters
    ----------
    tape : Tape
        Of the rates.
    constants : array
        As the tape reads them.
    rows : int
    """
    numbers: dict[int, float] = {}
    forms: dict[int, dict[int, float]] = {}

    def form(i: int) -> dict[int, float]:
        return {_ONE: numbers[i]} if i in numbers else forms[i]

    for i, (op, a, b, value, c) in enumerate(tape.instructions):
        if op == "literal":
            numbers[i] = value
        elif op == "constant":
            numbers[i] = float(constants[a])
        elif op in ("state", "time"):
            forms[i] = {i: 1.0}
        elif all(r in numbers for r in (a, b, c) if r >= 0):
            with np.errstate(all="ignore"):
                numbers[i] = float(_number(op, [numbers[r] for r in (a, b, c) if r >= 0], value))
        elif op == "neg":
            forms[i] = _sum([(-1.0, form(a))])
        elif op in ("add", "sub"):
            forms[i] = _sum([(1.0, form(a)), (1.0 if op == "add" else -1.0, form(b))])
        elif op == "mul" and (a in numbers or b in numbers):
            number, other = (numbers[a], b) if a in numbers else (numbers[b], a)
            forms[i] = _sum([(number, form(other))])
        elif op == "div" and numbers.get(a) == 0.0:
            forms[i] = {}
        elif op == "div" and b in numbers:
            forms[i] = _sum([(1.0 / numbers[b] if numbers[b] else np.nan, form(a))])
        else:
            forms[i] = {i: 1.0}
        if forms.get(i) == {}:  # what a rate constant of 0 multiplies is the number 0, and so is its product with more
            numbers[i] = 0.0
    outputs = {o.slot: form(o.register) for o in tape.outputs if o.array == "f"}
    fluxes = sorted({flux for form_of_row in outputs.values() for flux in form_of_row})
    place = {flux: k for k, flux in enumerate(fluxes)}
    matrix = np.zeros((rows, len(fluxes)))
    for row, form_of_row in outputs.items():
        for flux, factor in form_of_row.items():
            matrix[row, place[flux]] = factor
    return matrix, fluxes


def _number(op: str, operands: list[float], value: float) -> float:
    if op == "where":
        return operands[1] if operands[0] else operands[2]
    return NUMPY_OPERATIONS[op](operands[0], operands[1] if len(operands) > 1 else None, value)


def _sum(terms: list[tuple[float, dict[int, float]]]) -> dict[int, float]:
    total: dict[int, float] = {}
    for factor, summand in terms:
        for flux, coefficient in summand.items():
            total[flux] = total.get(flux, 0.0) + factor * coefficient
    return {flux: coefficient for flux, coefficient in total.items() if coefficient}


def conserved_combinations(matrix: NDArray, currents: list[int], beside: Collection[int] = ()) -> NDArray:
    """All independent w with w S = 0, one a row, each with as few entries as elimination gives.

    Parameters
    ----------
    matrix : array, shape (rows, fluxes)
        S.
    currents : list of int
        Rows that are currents (A) and not amounts per time (mol s⁻¹); each is to be in one combination, if it can.
    beside : collection of int
        Rows that belong with the currents: amounts in compartments that have one. A combination with a current, a
        charge, is written in these as far as it can, and not as all the rest of the model against them.

    Returns
    -------
    array, shape (combinations, rows)
    """
    rows = len(matrix)
    if not rows:
        return np.zeros((0, 0))
    weights = np.ones(rows)
    weights[currents] = 1.0 / FARADAY  # now all rows are of like size, flux by flux
    scaled = matrix * weights[:, np.newaxis]
    largest = np.abs(scaled).max(axis=0, initial=0.0)
    scaled = scaled[:, largest > 0.0] / largest[largest > 0.0]
    order = sorted(range(rows), key=lambda i: (i not in currents, i in beside, i))
    return cancelling_combinations(scaled, order) * weights
