"""What a sweep keeps of each point: its end, its verdict, numbers drawn from a quantity over time, or all of that.

``keep`` names quantities as result files do (``plasma.V``, ``cell.K``, ``cell.volume``, ``plasma.E.K``); of one alone
the value at the end is kept.
Of an event its ``count(spike)`` and ``first(spike)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import did_you_mean
from ...model.model import Model
from ...model.schedule import sample_count_limit, segments_of
from ...simulation.quantities import Quantity, quantities_of

#: Groups of quantities that follow from a state alone.
_GROUPS = (
    *("potentials", "concentrations", "amounts", "activities", "gates", "reversal_potentials", "driving_forces"),
    *("fluxes", "currents", "water_fluxes"),
)

#: Words that stand for themselves.
END, VERDICT, TIME_TO_STEADY = "end", "verdict", "time_to_steady"
WORDS = (END, VERDICT, TIME_TO_STEADY)

#: Of events.
COUNT, FIRST = "count", "first"


@dataclass(frozen=True)
class Keep:
    """One entry of ``keep``.

    Attributes
    ----------
    name : str
        As the plan has it.
    column : Quantity or None
        The quantity; None for a word.
    draw : str
        How a number is drawn from it (a key of ``DRAWS``), or ``trajectory``, or the word itself; of an event
        ``count`` or ``first``.
    event : str
        The event that is counted, or whose first time is kept; else empty.
    """

    name: str
    column: Quantity | None
    draw: str
    event: str = ""

    @property
    def over_time(self) -> bool:
        """Whether samples along the way are needed."""
        return self.column is not None and self.draw != "end"

    @property
    def unit(self) -> str:
        """Of the kept values."""
        if self.draw in ("time_of_max", "time_of_min", FIRST) or self.name == TIME_TO_STEADY:
            return "s"
        return "" if self.column is None or self.column.units == "1" else self.column.units

    @property
    def long_name(self) -> str:
        """For axes and for people."""
        if self.event:
            return f"number of {self.event}" if self.draw == COUNT else f"time of the first {self.event}"
        if self.column is None:
            return {END: "state at the end", VERDICT: "verdict", TIME_TO_STEADY: "time to the steady state"}[self.name]
        return (
            self.column.long_name
            if self.draw in ("end", "trajectory")
            else f"{self.draw} of the {self.column.long_name}"
        )


def _mean(time: NDArray, values: NDArray) -> NDArray:
    """Over time, by trapezoids."""
    span, there = np.diff(time, axis=1), np.isfinite(values)
    both = there[:, :-1] & there[:, 1:]
    middle = np.where(both, 0.5 * (values[:, :-1] + values[:, 1:]), 0.0)
    total = np.where(both, span, 0.0).sum(axis=1)
    return np.where(total > 0.0, (middle * span).sum(axis=1) / np.where(total > 0.0, total, 1.0), values[:, 0])


def _when(extreme: Callable[..., NDArray]) -> Callable[[NDArray, NDArray], NDArray]:
    def draw(time: NDArray, values: NDArray) -> NDArray:
        none = np.isnan(values).all(axis=1)
        place = extreme(np.where(none[:, np.newaxis], 0.0, values), axis=1)
        return np.where(none, np.nan, np.take_along_axis(time, place[:, np.newaxis], axis=1)[:, 0])

    return draw


def _last(_: NDArray, values: NDArray) -> NDArray:
    return values[:, -1]


#: From times and values, shape (points, samples), the last sample being the end, to a number a point. Samples that a
#: run did not come to are NaN.
DRAWS: Mapping[str, Callable[[NDArray, NDArray], NDArray]] = {
    "end": _last,
    "max": lambda time, values: np.fmax.reduce(values, axis=1),
    "min": lambda time, values: np.fmin.reduce(values, axis=1),
    "range": lambda time, values: np.fmax.reduce(values, axis=1) - np.fmin.reduce(values, axis=1),
    "mean": _mean,
    "time_of_max": _when(np.nanargmax),
    "time_of_min": _when(np.nanargmin),
}

_OF_EVENT = re.compile(rf"({COUNT}|{FIRST})\((.*)\)")
_DRAWN = re.compile(rf"({'|'.join([*DRAWS, 'trajectory'])})\((.*)\)")


def quantities_by_name(model: Model) -> dict[str, Quantity]:
    """Every quantity that can be an output of a sweep."""
    return {quantity.name: quantity for quantity in quantities_of(model, _GROUPS)}


def parse_keep(model: Model, names: Iterable[str]) -> tuple[list[Keep], list[str]]:
    """The entries of ``keep``, and what is wrong with the others, a sentence each."""
    known = quantities_by_name(model)
    kept: list[Keep] = []
    faults: list[str] = []
    for name in names:
        drawn = _DRAWN.fullmatch(name.strip())
        draw, quantity = (drawn[1], drawn[2].strip()) if drawn else ("end", name.strip())
        of_event = _OF_EVENT.fullmatch(name.strip())
        if name in {k.name for k in kept}:
            faults.append(f"{name} is kept twice")
        elif of_event:
            events = [event.name for event in model.events]
            if of_event[2].strip() in events:
                kept.append(Keep(name, None, of_event[1], of_event[2].strip()))
            else:
                faults.append(f"{name}: there is no such event; there are {', '.join(events) or 'none'}")
        elif quantity in WORDS and not drawn:
            if quantity == TIME_TO_STEADY and not model.simulation.stop_at_steady_state:
                faults.append(
                    f"{name} needs runs that stop at a steady state: set simulation.stop_at_steady_state = true"
                )
            kept.append(Keep(name, None, quantity))
        elif quantity not in known:
            faults.append(_unknown(name, quantity, known))
        elif draw != "end" and model.recording.spacing == "steps":
            faults.append(
                f'{name} needs samples at set times: recording.spacing is "steps"; use "linear", "log" or times'
            )
        else:
            kept.append(Keep(name, known[quantity], draw))
    return kept, faults


def _unknown(name: str, quantity: str, known: Mapping[str, Quantity]) -> str:
    hint = did_you_mean(quantity, [*known, *WORDS])
    some = ", ".join([*WORDS, *(k for k in known if "." in k)][:8])
    how = ", ".join([*DRAWS, "trajectory"])
    return f"{name}: there is no such quantity{hint} (there are {some}, …, alone or within {how})"


def check_keep(model: Model, names: Iterable[str]) -> Iterator[str]:
    """What is wrong with the entries of ``keep``, a sentence each."""
    yield from parse_keep(model, names)[1]


def sample_count(model: Model) -> int:
    """How many samples a run has at most."""
    return sample_count_limit(model.recording, len(segments_of(model)))


def bytes_per_point(model: Model, names: Iterable[str]) -> int:
    """Room that one point takes in a sweep's files, about."""
    size = 40  # status, time, steps, and what goes with them
    for keep in parse_keep(model, names)[0]:
        if keep.draw == "trajectory":
            size += 8 * sample_count(model)
        elif keep.name == END:
            size += 8 * (sum(len(c.concentrations) + 1 for c in model.compartments.values()) + len(model.membranes))
        else:
            size += 8
    return size
