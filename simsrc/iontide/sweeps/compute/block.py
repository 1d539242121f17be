"""What a worker makes of a stretch of a plan: one row a point, whatever became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: What became of a point, by its code: ``missing`` is never in a block, only in an index.
STATUSES = ("missing", "done", "steady", "stopped", "failed", "excluded")
MISSING, DONE, STEADY, STOPPED, FAILED, EXCLUDED = range(len(STATUSES))


@dataclass(frozen=True)
class Kept:
    """One kept quantity of many points.

    Attributes
    ----------
    values : array, shape (points, …)
        NaN (or −1 for whole numbers) where there is none. In the unit of ``unit``, as a result file has it.
    unit : str
        As ``mV``; empty for a pure number.
    dimensions : tuple of str
        Of the axes after the first: ``()``, ``("time",)`` or ``("state",)``.
    words : tuple of str
        What whole numbers stand for, as of a verdict; empty of numbers that are numbers.
    long_name : str
        For axes and for people.
    """

    values: NDArray
    unit: str = ""
    dimensions: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    long_name: str = ""


@dataclass(frozen=True)
class Block:
    """Points ``start`` to ``start + len(status)`` of a plan, computed.

    Attributes
    ----------
    start : int
    status : int8 array, shape (points,)
        Codes of ``STATUSES``.
    time : float64 array, shape (points,)
        Time reached, s.
    steps : int64 array, shape (points,)
        Accepted steps of the integrator.
    kept : mapping of str to Kept
        By the name it has in the plan, as ``end``, ``verdict``, ``max(plasma.V)``.
    coordinates : mapping of str to Kept
        What the other axes of kept values stand for, the same for all points: ``time`` (s), ``state`` (names as words).
    messages : mapping of int to str
        By the number of a point in the plan: why it failed, in one sentence.
    """

    start: int
    status: NDArray[np.int8]
    time: NDArray
    steps: NDArray
    kept: Mapping[str, Kept]
    coordinates: Mapping[str, Kept] = field(default_factory=dict)
    messages: Mapping[int, str] = field(default_factory=dict)

    @property
    def stop(self) -> int:
        """Number of the point after the last."""
        return self.start + len(self.status)
