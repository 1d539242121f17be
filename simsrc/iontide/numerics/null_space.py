"""Combinations of rows that cancel: what a system of fluxes conserves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: A row is a combination of others where its singular value is below this, relative to the largest.
RANK_TOLERANCE = 1e-11

#: Entries of a combination below this, relative to its largest, are rounding.
ROUNDING = 1e-9


def cancelling_combinations(matrix: NDArray, order: Sequence[int]) -> NDArray:
    """All independent w with ``w matrix = 0``, in reduced echelon form, so that each has few entries.

    Parameters
    ----------
    matrix : array, shape (rows, columns)
        Its rows are of like size, column by column.
    order : sequence of int
        All rows. The first of them that can are to be in one combination each, and with the factor 1.

    Returns
    -------
    array, shape (combinations, rows)
    """
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=True)
    rank = int((sizes > RANK_TOLERANCE * sizes.max(initial=0.0)).sum())
    return _reduced(left[:, rank:].T.copy(), order)


def _reduced(basis: NDArray, order: Sequence[int]) -> NDArray:
    """The reduced echelon form of a basis, with pivots chosen in an order of columns."""
    done = 0
    for column in order:
        if done == len(basis):
            break
        pivot = done + int(np.argmax(np.abs(basis[done:, column])))
        if abs(basis[pivot, column]) < ROUNDING:
            continue
        basis[[done, pivot]] = basis[[pivot, done]]
        basis[done] /= basis[done, column]
        for other in range(len(basis)):
            if other != done:
                basis[other] -= basis[other, column] * basis[done]
        done += 1
    basis[np.abs(basis) < ROUNDING * np.abs(basis).max(axis=1, keepdims=True, initial=1e-300)] = 0.0
    return basis
