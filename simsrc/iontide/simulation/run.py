"""A run without its samples: model, origin, end, and statistics of the integration."""

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
    """Cost of a run: steps accepted, steps rejected, Jacobians evaluated (a step also evaluates the rates 7 times)."""

    steps: int = 0
    rejected: int = 0
    jacobians: int = 0


@dataclass(frozen=True)
class Origin:
    """The scenario file of a run: its name, its text, and the values changed by ``--set``.

    All empty for a model built in Python.
    """

    name: str = ""
    text: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run without its samples: model, values, initial state, end, and final state.

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
        Why it failed, or the event that stopped it; empty otherwise.
    end_time : float
        s.
    end_state : array, shape (n,)
        mol and V, unrounded: a run can be continued from it.
    statistics : Statistics
    origin : Origin
    crossings : tuple of Crossing
        Occurrences of events, in the order of time.
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
        """Times at which each event of the model occurred, s; an empty list if it did not."""
        return {e.name: [c.time for c in self.crossings if c.event == e.name] for e in self.model.events}
