"""How long a sweep takes and how much disk, from points of it that are computed and thrown away."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from .compute.block import FAILED
from .compute.engine import Engine
from .plan.plan import Plan
from .store.shards import shard_bytes

#: Seconds that the trial takes, about, unless a single point takes longer.
SECONDS = 1.5

#: Where in the plan the trial looks, as shares of it: points may differ.
_PLACES = (1 / 6, 1 / 2, 5 / 6)

#: Points of the first look, as many as there are lanes; and by what factor the next ones are longer, as long as they
#: take little time.
_FEW, _GROWTH = 16, 4


@dataclass(frozen=True)
class Forecast:
    """What is to be expected of a plan, from a trial.

    Attributes
    ----------
    seconds : float
        Of all points on one processor like this one.
    bytes : int
        Of the shards on disk.
    tried : int
        Points that were computed for it.
    failed : int
        Of these, how many failed.
    """

    seconds: float
    bytes: int
    tried: int
    failed: int


def forecast(plan: Plan) -> Forecast:
    """Compute some points here and there in a plan, write nothing, and reckon the rest from them."""
    engine = Engine(plan)
    engine.block(0, 1)  # what is compiled for the first one is not counted
    length = min(_FEW, plan.size, plan.block)
    trials = [_Trial(plan, engine, plan.size // 2, length)]
    # Many points side by side take less time each than few.
    while trials[0].seconds < SECONDS / _GROWTH / len(_PLACES) and length < min(plan.block, plan.size):
        length = min(_GROWTH * length, plan.block, plan.size)
        trials = [_Trial(plan, engine, int(share * plan.size) - length // 2, length) for share in _PLACES]
    tried = sum(trial.tried for trial in trials)
    return Forecast(
        seconds=sum(trial.seconds for trial in trials) / tried * plan.size,
        bytes=math.ceil(sum(trial.data for trial in trials) / tried * plan.size) + trials[0].overhead * plan.blocks,
        tried=tried,
        failed=sum(trial.failed for trial in trials),
    )


class _Trial:
    """A stretch of a plan, computed: seconds it took, and bytes, those that are the same for any length apart."""

    def __init__(self, plan: Plan, engine: Engine, start: int, length: int) -> None:
        start = max(0, min(start, plan.size - length))
        stop = min(plan.size, start + length)
        began = time.perf_counter()
        block = engine.block(start, stop)
        _, shard = shard_bytes(block, plan.digest)
        self.seconds = time.perf_counter() - began
        self.tried = stop - start
        columns = [block.status, block.time, block.steps, *(kept.values for kept in block.kept.values())]
        self.data = sum(column.nbytes for column in columns)
        self.overhead = len(shard) - self.data
        self.failed = int(np.count_nonzero(block.status == FAILED))
