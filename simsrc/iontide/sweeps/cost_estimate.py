"""Estimated time and disk space of a sweep, from a trial computation of some of its points."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from .compute.block import FAILED
from .compute.engine import Engine
from .plan.plan import Plan
from .store.shards import shard_bytes

#: Approximate duration of the trial, s, unless a single point takes longer.
SECONDS = 1.5

#: Where in the plan the trial points are, as fractions of its length: points may differ.
_PLACES = (1 / 6, 1 / 2, 5 / 6)

#: Points of the first trial (one for each SIMD lane), and the factor by which later ones are longer if it took little
#: time.
_FEW, _GROWTH = 16, 4


@dataclass(frozen=True)
class CostEstimate:
    """Expected time and disk space of a plan.

    Attributes
    ----------
    seconds : float
        Time of all points on one processor like this one.
    bytes : int
        Size of the shards on disk.
    tried : int
        Points that were computed in the trial.
    failed : int
        Of these, how many failed.
    """

    seconds: float
    bytes: int
    tried: int
    failed: int


def estimate_cost(plan: Plan) -> CostEstimate:
    """Compute some points of a plan without writing them, and extrapolate to all points."""
    engine = Engine(plan)
    engine.block(0, 1)  # compilation is not counted
    length = min(_FEW, plan.size, plan.block)
    trials = [_Trial(plan, engine, plan.size // 2, length)]
    # In a large batch a point takes less time than in a small one.
    while trials[0].seconds < SECONDS / _GROWTH / len(_PLACES) and length < min(plan.block, plan.size):
        length = min(_GROWTH * length, plan.block, plan.size)
        trials = [_Trial(plan, engine, int(fraction * plan.size) - length // 2, length) for fraction in _PLACES]
    tried = sum(trial.tried for trial in trials)
    return CostEstimate(
        seconds=sum(trial.seconds for trial in trials) / tried * plan.size,
        bytes=math.ceil(sum(trial.data for trial in trials) / tried * plan.size) + trials[0].overhead * plan.blocks,
        tried=tried,
        failed=sum(trial.failed for trial in trials),
    )


class _Trial:
    """A trial of some consecutive points: time (s), bytes of data, and overhead (bytes) for any number of points."""

    def __init__(self, plan: Plan, engine: Engine, start: int, length: int) -> None:
        start = max(0, min(start, plan.size - length))
        stop = min(plan.size, start + length)
        began = time.perf_counter()
        block = engine.block(start, stop)
        _, shard = shard_bytes(block, plan.digest)
        self.seconds = time.perf_counter() - began
        self.tried = stop - start
        columns = [block.status, block.time, block.steps, *(output.values for output in block.outputs.values())]
        self.data = sum(column.nbytes for column in columns)
        self.overhead = len(shard) - self.data
        self.failed = int(np.count_nonzero(block.status == FAILED))
