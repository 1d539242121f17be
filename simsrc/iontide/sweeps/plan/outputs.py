"""The outputs of a sweep at each point: the end state, the verdict, quantities at the end or reduced over time.

``keep`` names quantities as result files do (``plasma.V``, ``cell.K``, ``cell.volume``, ``plasma.E.K``); a quantity
alone means its value at the end. Of an event there are ``count(spike)`` and ``first(spike)``.
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

#: Outputs that are not a quantity of a result file.
END, VERDICT, TIME_TO_STEADY = "end", "verdict", "time_to_steady"
SPECIAL_OUTPUTS = (END, VERDICT, TIME_TO_STEADY)

#: Of events.
COUNT, FIRST = "count", "first"


@dataclass(frozen=True)
class Output:
    """One output of a sweep: an entry of ``keep``.

    Attributes
    ----------
    name : str
        As written in the plan.
    column : Quantity or None
        The quantity; None for one of ``SPECIAL_OUTPUTS`` and for an event.
    reduction : str
        How it is reduced to one number (a key of ``REDUCTIONS``), or ``trajectory``; one of ``SPECIAL_OUTPUTS``; of an
        event ``count`` or ``first``.
    event : str
        The event that is counted, or of which the first time is reported; else empty.
    """

    name: str
    column: Quantity | None
    reduction: str
    event: str = ""

    @property
    def special(self) -> str:
        """Which of ``SPECIAL_OUTPUTS`` it is; empty for any other."""
        return self.reduction if self.column is None and not self.event else ""

    @property
    def over_time(self) -> bool:
        """Whether samples over the run are needed."""
        return self.column is not None and self.reduction != "end"

    @property
    def unit(self) -> str:
        """Unit of its values."""
        if self.reduction in ("time_of_max", "time_of_min", FIRST, TIME_TO_STEADY):
            return "s"
        return "" if self.column is None or self.column.units == "1" else self.column.units

    @property
    def long_name(self) -> str:
        """For axes and legends."""
        if self.event:
            return f"number of {self.event}" if self.reduction == COUNT else f"time of the first {self.event}"
        if self.column is None:
            names = {END: "state at the end", VERDICT: "verdict", TIME_TO_STEADY: "time to the steady state"}
            return names[self.special]
        return (
            self.column.long_name
            if self.reduction in ("end", "trajectory")
            else f"{self.reduction} of the {self.column.long_name}"
        )


def _mean(time: NDArray, values: NDArray) -> NDArray:
    """Mean over time by the trapezoidal rule."""
    span, there = np.diff(time, axis=1), np.isfinite(values)
    both = there[:, :-1] & there[:, 1:]
    middle = np.where(both, 0.5 * (values[:, :-1] + values[:, 1:]), 0.0)
    total = np.where(both, span, 0.0).sum(axis=1)
    return np.where(total > 0.0, (middle * span).sum(axis=1) / np.where(total > 0.0, total, 1.0), values[:, 0])


def _when(extreme: Callable[..., NDArray]) -> Callable[[NDArray, NDArray], NDArray]:
    def reduction(time: NDArray, values: NDArray) -> NDArray:
        none = np.isnan(values).all(axis=1)
        place = extreme(np.where(none[:, np.newaxis], 0.0, values), axis=1)
        return np.where(none, np.nan, np.take_along_axis(time, place[:, np.newaxis], axis=1)[:, 0])

    return reduction


def _last(_: NDArray, values: NDArray) -> NDArray:
    return values[:, -1]


#: From times and values, shape (points, samples), to one number for each point. The last sample is the end; samples
#: that a run did not reach are NaN.
REDUCTIONS: Mapping[str, Callable[[NDArray, NDArray], NDArray]] = {
    "end": _last,
    "max": lambda time, values: np.fmax.reduce(values, axis=1),
    "min": lambda time, values: np.fmin.reduce(values, axis=1),
    "range": lambda time, values: np.fmax.reduce(values, axis=1) - np.fmin.reduce(values, axis=1),
    "mean": _mean,
    "time_of_max": _when(np.nanargmax),
    "time_of_min": _when(np.nanargmin),
}

_OF_EVENT = re.compile(rf"({COUNT}|{FIRST})\((.*)\)")
_REDUCED = re.compile(rf"({'|'.join([*REDUCTIONS, 'trajectory'])})\((.*)\)")


def quantities_by_name(model: Model) -> dict[str, Quantity]:
    """Every quantity that can be an output of a sweep."""
    return {quantity.name: quantity for quantity in quantities_of(model, _GROUPS)}


def parse_outputs(model: Model, names: Iterable[str]) -> tuple[list[Output], list[str]]:
    """The outputs named in ``keep``, and a message for each entry that is wrong."""
    known = quantities_by_name(model)
    outputs: list[Output] = []
    faults: list[str] = []
    for name in names:
        reduced = _REDUCED.fullmatch(name.strip())
        reduction, quantity = (reduced[1], reduced[2].strip()) if reduced else ("end", name.strip())
        of_event = _OF_EVENT.fullmatch(name.strip())
        if name in {k.name for k in outputs}:
            faults.append(f"{name} is listed twice")
        elif of_event:
            events = [event.name for event in model.events]
            if of_event[2].strip() in events:
                outputs.append(Output(name, None, of_event[1], of_event[2].strip()))
            else:
                faults.append(f"{name}: there is no such event; there are {', '.join(events) or 'none'}")
        elif quantity in SPECIAL_OUTPUTS and not reduced:
            if quantity == TIME_TO_STEADY and not model.simulation.stop_at_steady_state:
                faults.append(
                    f"{name} needs runs that stop at a steady state: set simulation.stop_at_steady_state = true"
                )
            outputs.append(Output(name, None, quantity))
        elif quantity not in known:
            faults.append(_unknown(name, quantity, known))
        elif reduction != "end" and model.recording.spacing == "steps":
            faults.append(
                f'{name} needs samples at set times: recording.spacing is "steps"; use "linear", "log" or times'
            )
        else:
            outputs.append(Output(name, known[quantity], reduction))
    return outputs, faults


def _unknown(name: str, quantity: str, known: Mapping[str, Quantity]) -> str:
    hint = did_you_mean(quantity, [*known, *SPECIAL_OUTPUTS])
    some = ", ".join([*SPECIAL_OUTPUTS, *(k for k in known if "." in k)][:8])
    how = ", ".join([*REDUCTIONS, "trajectory"])
    return f"{name}: there is no such quantity{hint} (there are {some}, …, alone or within {how})"


def check_outputs(model: Model, names: Iterable[str]) -> Iterator[str]:
    """A message for each wrong entry of ``keep``."""
    yield from parse_outputs(model, names)[1]


def sample_count(model: Model) -> int:
    """How many samples a run has at most."""
    return sample_count_limit(model.recording, len(segments_of(model)))


def bytes_per_point(model: Model, names: Iterable[str]) -> int:
    """Approximate size of one point in the files of a sweep."""
    size = 40  # status, time, steps and their share of the overhead
    for output in parse_outputs(model, names)[0]:
        if output.reduction == "trajectory":
            size += 8 * sample_count(model)
        elif output.special == END:
            size += 8 * (sum(len(c.concentrations) + 1 for c in model.compartments.values()) + len(model.membranes))
        else:
            size += 8
    return size
