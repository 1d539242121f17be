"""A small linear system over any kind of number."""

from __future__ import annotations

from typing import Any


def solve_linear(matrix: list[list[Any]], right: list[Any]) -> list[Any]:
    """Solve ``matrix x = right`` by elimination without pivoting, in place; for diagonally dominant matrices.

    Entries that are the float 0.0 are passed over, so that a sparse system of expressions stays small.
    """
    n = len(right)
    for p in range(n):
        for i in range(p + 1, n):
            if _is_zero(matrix[i][p]):
                continue
            multiple = matrix[i][p] / matrix[p][p]
            right[i] = right[i] - multiple * right[p]
            for j in range(p + 1, n):
                if not _is_zero(matrix[p][j]):
                    matrix[i][j] = matrix[i][j] - multiple * matrix[p][j]
    solution: list[Any] = [None] * n
    for i in range(n - 1, -1, -1):
        value = right[i]
        for j in range(i + 1, n):
            if not _is_zero(matrix[i][j]):
                value = value - matrix[i][j] * solution[j]
        solution[i] = value / matrix[i][i]
    return solution


def _is_zero(x: Any) -> bool:
    return isinstance(x, float) and x == 0.0
