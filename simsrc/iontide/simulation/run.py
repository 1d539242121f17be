"""A run without its samples: what was run, from which file, how it ended, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..equations.initial_state import InitialState
from ..equations.states import Layout
from ..model.model import Model
from ..model.schedule import Crossing, Segment


@dataclass(frozen=True)
class Statistics:
    """What a run cost: steps accepted, steps rejected, Jacobians evaluated (a step makes seven rate calls besides)."""

    steps: int = 0
    rejected: int = 0
    jacobians: int = 0


@dataclass(frozen=True)
class Origin:
    """The scenario file behind a run: its name and text as they were, and what ``--set`` changed.

    All empty for a model built in Python.
    """

    name: str = ""
    text: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run without its samples: what was run, how it ended, and the state it ended in.

    Attributes
    ----------
    model : Model
    layout : Layout
    segments : tuple of Segment
    values : tuple of mapping
        Value (SI) of every quantity by path, for each segment.
    initial : InitialState
    status : {"done", "steady", "stopped", "failed"}
    message : str
        Why it failed, or which event stopped it; empty otherwise.
    end_time : float
        s.
    end_state : array, shape (n,)
        mol and V, unrounded: a run can go on from it.
    statistics : Statistics
    origin : Origin
    crossings : tuple of Crossing
        What events came about, in time.
    """

    model: Model
    layout: Layout
    segments: tuple[Segment, ...]
    values: tuple[Mapping[str, float], ...]
    initial: InitialState
    status: str
    message: str
    end_time: float
    end_state: NDArray
    statistics: Statistics
    origin: Origin
    crossings: tuple[Crossing, ...] = ()

    def crossing_times(self) -> dict[str, list[float]]:
        """When each event of the model came about, s; none where it did not."""
        return {e.name: [c.time for c in self.crossings if c.event == e.name] for e in self.model.events}
