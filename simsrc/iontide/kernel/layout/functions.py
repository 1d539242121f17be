"""The printed functions of a program: their order in tables of addresses, and how their arrays are laid out."""

from __future__ import annotations

#: For one run: in the order of ``Problem.code``.
RUN_FUNCTIONS = ("rates", "linearised", "factor", "solve", "step", "crossings")

#: Places in ``Problem.code``.
RATES, LINEARISED, FACTOR, SOLVE, STEP, CROSSINGS = range(6)

#: Over lanes: in the order of ``Queue.code``.
LANE_FUNCTIONS = ("linearised", "step", "advance", "begin", "newton")

#: Places in ``Queue.code``.
LANE_LINEARISED, LANE_STEP, LANE_ADVANCE, LANE_BEGIN, LANE_NEWTON = range(5)

#: Places in the array ``clock`` of a function: time within the segment and length of the step, s.
TIME, STEP_LENGTH = 0, 1


def linear_offsets(states: int) -> dict[str, int]:
    """Where f, its Jacobian (row by row) and its derivative by time begin in the array ``linear``."""
    return {"f": 0, "J": states, "f_t": states + states * states}


def linear_size(states: int) -> int:
    """Numbers in the array ``linear``."""
    return states * (states + 2)
