"""Messages for runs that failed: the fault, the state, the time, and what to try."""

from __future__ import annotations

from collections.abc import Sequence

from ..equations.states import Layout
from ..kernel.layout import status as ends
from ..model.model import Model


def failure_of(
    model: Model,
    layout: Layout,
    status: int,
    time: float,
    worst: int,
    at_a_step: bool = False,
    interruptions: int = 0,
    events: Sequence[str] = (),
) -> str:
    """Message for an integration that failed.

    Parameters
    ----------
    model, layout
        Those of the run.
    status : int
        As in ``kernel.layout.status``.
    time : float
        Time reached, s.
    worst : int
        Index of the state that limited the last step.
    at_a_step : bool
        Whether that was the time of a protocol step or the start.
    interruptions : int
        Number of interruptions by events.
    events : sequence of str
        Names of the last events that occurred.
    """
    name = layout.names[worst]
    at = f"at t = {time:.9g} s"
    if status == ends.NEGATIVE_AMOUNT and layout.supplies and at_a_step:
        return (
            f"the run stopped {at}: to reach its potential in one step, a clamp would have to remove more than "
            f"the {name}. Let another ion carry its current, or give it a series_resistance"
        )
    if status == ends.NEGATIVE_AMOUNT:
        return (
            f"the run stopped {at}: the {name} is used up and would become negative. "
            "Some pathway has a flux at zero concentration: check the laws of its pathways"
        )
    if status == ends.NON_FINITE:
        return (
            f"the run stopped {at}: the rate of change is not finite (first in the {name}). "
            "A value is outside of the range of a law: check for a concentration that reaches 0 with an ohmic "
            "conductance, or for an extreme parameter value"
        )
    if status == ends.TOO_MANY_STEPS:
        return (
            f"the run stopped {at}: {model.simulation.max_steps} steps were not enough; the {name} limits "
            "the step. Raise simulation.max_steps or simulation.rtol, or shorten simulation.duration"
        )
    if status == ends.TOO_MANY_EVENTS:
        names = ", ".join(dict.fromkeys(events))
        return (
            f"the run stopped {at}: events ({names}) occurred {interruptions} times, the last ones "
            "at the same time. If one reverses the effect of another, set their levels further apart"
        )
    if status == ends.NO_CONSISTENT_STATE:
        floating = ", ".join(layout.floats)
        what = (
            f"of {floating} at which no net current flows into it"
            if floating
            else "at which the equation of the clamp is satisfied"
        )
        return (
            f"the run stopped {at}: there is no potential {what}. Without a capacitance the potential is the "
            "one of zero net current: check for a part that no current can reach, and for a formula that is 0/0 at "
            "that potential (write x / (1 - exp(-x)) as linexp(x))"
        )
    return (
        f"the run stopped {at}: the step size became too small; the {name} changes fastest. "
        "It may diverge there: try a larger simulation.rtol, or check the laws of its pathways"
    )
