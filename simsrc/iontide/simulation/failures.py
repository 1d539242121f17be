"""Messages for runs that could not go on: what, where, when, and what to try."""

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
    """Why an integration ended before its time.

    Parameters
    ----------
    model, layout
        Of the run.
    status : int
        As in ``kernel.layout.status``.
    time : float
        That it reached, s.
    worst : int
        The state that limited the last step.
    at_a_step : bool
        Whether that was the moment of a protocol step, or the start.
    interruptions : int
        How often events have interrupted it.
    events : sequence of str
        The last ones that occurred.
    """
    name = layout.names[worst]
    at = f"at t = {time:.9g} s"
    if status == ends.NEGATIVE_AMOUNT and layout.supplies and at_a_step:
        return (
            f"the run stopped {at}: a clamp would have to take more of the {name} than there is to reach its "
            "potential at once. Give it another ion to carry its current, or a series_resistance"
        )
    if status == ends.NEGATIVE_AMOUNT:
        return (
            f"the run stopped {at}: the {name} is used up and would become negative. "
            "A pathway keeps moving what is no longer there: check the laws that move it"
        )
    if status == ends.NON_FINITE:
        return (
            f"the run stopped {at}: the rate of change is not finite (first in the {name}). "
            "A value has left the range of a law: check for a concentration that reaches 0 under an ohmic "
            "conductance, or for a parameter of extreme size"
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
            "with no time between them. Where one undoes what the other does, put their levels further apart"
        )
    if status == ends.NO_CONSISTENT_STATE:
        floating = ", ".join(layout.floats)
        what = f"of {floating} at which no net current flows into it" if floating else "that the clamp can hold"
        return (
            f"the run stopped {at}: there is no potential {what}. Without a capacitance the potential follows the "
            "currents at once: check for a part that no current can reach, and for a formula that is 0/0 at that very "
            "potential (write x / (1 - exp(-x)) as linexp(x))"
        )
    return (
        f"the run stopped {at}: the step became too small to go on; the {name} changes fastest. "
        "It may run away there; try a larger simulation.rtol, or check the laws that move it"
    )
