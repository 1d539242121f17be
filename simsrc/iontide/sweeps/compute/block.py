"""The results of some consecutive points of a plan: one row for each point, also for those that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Statuses of a point, in the order of their codes; ``missing`` occurs in an index only, never in a block.
STATUSES = ("missing", "done", "steady", "stopped", "failed", "excluded")
MISSING, DONE, STEADY, STOPPED, FAILED, EXCLUDED = range(len(STATUSES))


@dataclass(frozen=True)
class OutputValues:
    """The values of one output at many points.

    Attributes
    ----------
    values : array, shape (points, …)
        In ``unit``, as in a result file; NaN (or −1 for whole numbers) where there is no value.
    unit : str
        For example ``mV``; empty for a pure number.
    dimensions : tuple of str
        Of the axes after the first: ``()``, ``("time",)`` or ``("state",)``.
    categories : tuple of str
        What the codes of a categorical output stand for; empty for numbers.
    long_name : str
        For axes and legends.
    """

    values: NDArray
    unit: str = ""
    dimensions: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
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
    outputs : mapping of str to OutputValues
        By the name in the plan, such as ``end``, ``verdict``, ``max(plasma.V)``.
    coordinates : mapping of str to OutputValues
        Of the other axes of outputs, the same for all points: ``time`` (s), ``state`` (names, as categories).
    messages : mapping of int to str
        By the number of a point in the plan: why it failed.
    """

    start: int
    status: NDArray[np.int8]
    time: NDArray
    steps: NDArray
    outputs: Mapping[str, OutputValues]
    coordinates: Mapping[str, OutputValues] = field(default_factory=dict)
    messages: Mapping[int, str] = field(default_factory=dict)

    @property
    def stop(self) -> int:
        """Number of the point after the last."""
        return self.start + len(self.status)
