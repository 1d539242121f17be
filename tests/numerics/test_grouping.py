"""Groups by connection, and combinations of rows that cancel."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iontide.numerics.grouping import connected_groups
from iontide.numerics.null_space import cancelling_combinations

NAMES = "ABCDEFG"


def test_groups_in_the_order_of_the_names():
    joins = [("E", "B"), ("C",), ("D", "F", "B")]
    assert connected_groups("ABCDEF", joins) == [["A"], ["B", "D", "E", "F"], ["C"]]
    assert connected_groups("", []) == []


@given(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), max_size=6))
def test_groups_are_the_components_of_the_graph(joins):
    """By powers of the matrix that says what is joined to what."""
    reached = np.eye(len(NAMES), dtype=bool)
    for join in joins:
        for a in join:
            for b in join:
                reached[NAMES.index(a), NAMES.index(b)] = True
    reached = np.linalg.matrix_power(reached.astype(float), len(NAMES)) > 0.0
    groups = connected_groups(NAMES, joins)
    assert sorted(name for group in groups for name in group) == sorted(NAMES)
    for group in groups:
        for name in group:
            assert [other for other, there in zip(NAMES, reached[NAMES.index(name)], strict=True) if there] == group


@given(st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=6), st.randoms())
def test_combinations_are_all_that_cancel(rows, random):
    matrix, order = np.array(rows, dtype=float), list(range(len(rows)))
    random.shuffle(order)
    found = cancelling_combinations(matrix, order)
    assert len(found) == len(matrix) - np.linalg.matrix_rank(matrix)
    assert np.abs(found @ matrix).max(initial=0.0) < 1e-9 * np.abs(found).max(initial=1.0)
    for k, row in enumerate(found):  # the first in order that it has is in no other
        pivot = next(i for i in order if row[i])
        assert np.flatnonzero(found[:, pivot]).tolist() == [k]
        assert row[pivot] == 1.0


def test_nothing_cancels_and_all_does():
    assert cancelling_combinations(np.eye(3), [0, 1, 2]).shape == (0, 3)
    assert (cancelling_combinations(np.zeros((2, 0)), [0, 1]) == np.eye(2)).all()
