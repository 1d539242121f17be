"""The step controller of Rodas5P: its numbers and its decisions, once for a single run and for a vector of lanes.

The decisions are functions of plain arithmetic, of comparisons and of ``choose``. numba compiles them
over one float (``integrator.control``), and the printer of the batch integrator calls them on its vectors, which
prints them for all lanes. A condition is a truth value or a mask; both branches of a choice are computed.

Step size control after Gustafsson (Hairer & Wanner, Solving ODEs II, IV.8, eq. 8.25), with the limits of RODAS. A
factor by which a step is divided is called ``shrink`` here.
"""

from __future__ import annotations

from typing import Any

from .status import NEGATIVE_AMOUNT, NON_FINITE, STEP_TOO_SMALL
from .tableau import ORDER

#: Safety factor, and how much a step may become smaller and larger from one to the next.
SAFETY, SHRINK_MOST, GROW_MOST = 0.9, 0.2, 6.0

#: The error of a step grows with its length to this power of its inverse.
EXPONENT = 1.0 / ORDER

#: Least error, in units of the tolerance, that the prediction from two steps reckons with.
LEAST_ERROR = 1e-2

#: Factors of a step that led to no number, and of one in which an amount became negative.
AFTER_NON_FINITE, AFTER_NEGATIVE = 0.25, 0.5

#: A step this near to all that is left of the segment ends it; one longer than that part of it is cut to the part.
NEARLY_ALL, AT_MOST_LEFT = 1.0 - 1e-12, 0.5

#: A step is too small when this part of it does not change the time, or when it is less than that part of a segment.
RESOLVED, SHORTEST = 0.01, 1e-25

#: First step: the trial step, and the step where nothing moves, in units of the segment's length; how far the state
#: may go, in tolerances, where its speed hardly changes; and the constant of the error of a decaying transient.
TRIAL_STEP, AT_REST, STRAIGHT, TRANSIENT = 1e-12, 1e-3, 0.1, 50.0

#: A step, in units of the segment's length, in which nothing moves but what is algebraic; and most Newton iterations.
INSTANT, MOST_ITERATIONS = 1e-30, 50

#: Last Newton step, in units of the tolerance, after which a state is consistent: the next is quadratically smaller.
CONSISTENT = 1e-3

#: A millionth of one particle, mol (far less than one molecule's volume, m³): an amount below 0 by less is set to 0.
NEGLIGIBLE_AMOUNT = 1e-30

#: For how long, in units of the time since the last protocol step, a steady state must not change.
STEADY_HORIZON = 1e6


def choose(condition: Any, a: Any, b: Any) -> Any:
    """The first where the condition holds, else the second."""
    return condition.choose(a, b)


def larger(a: Any, b: Any) -> Any:
    """The larger of two; b where one is NaN."""
    return choose(a > b, a, b)


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two; b where one is NaN."""
    return choose(a < b, a, b)


def bounded(shrink: Any) -> Any:
    """Within the limits from one step to the next."""
    return larger(smaller(shrink, 1.0 / SHRINK_MOST), 1.0 / GROW_MOST)


def fitted_step(wanted: Any, left: Any) -> Any:
    """The step to try, s: exactly all that is left of the segment, or no more than half of it."""
    return choose(wanted >= left * NEARLY_ALL, left, choose(wanted > AT_MOST_LEFT * left, AT_MOST_LEFT * left, wanted))


def time_after(time: Any, step: Any, left: Any, length: Any) -> Any:
    """Time within the segment after a fitted step: exactly its end, if the step is all that was left of it."""
    return choose(step >= left, length, time + step)


def is_too_small(time: Any, step: Any, length: Any) -> Any:
    """Whether a step is below the resolution of the time within its segment, or of the segment itself."""
    return (time + RESOLVED * step <= time) | (step < SHORTEST * length)


def transient_ratio(speed: Any, acceleration: Any) -> Any:
    """(h/τ)^5 for the step h in which a decaying transient errs by the tolerance (see ``first_step``).

    A transient of size A = speed · τ, in tolerances, and time constant τ = speed / acceleration errs by A (h/τ)^5 / 50.
    """
    return TRANSIENT / larger(speed * (speed / acceleration), 1.0)


def first_step(speed: Any, acceleration: Any, length: Any, root: Any) -> Any:
    """The first step of a segment, s: of the order of the fastest transient that matters.

    Parameters
    ----------
    speed, acceleration : number
        Norms of y' and y'' in units of the tolerance, s⁻¹ and s⁻².
    length : number
        Of the segment, s.
    root : number
        The fifth root of ``transient_ratio``.
    """
    shortest = TRIAL_STEP * length
    decaying = (speed / acceleration) * smaller(root, 1.0)
    straight = larger(STRAIGHT / speed, shortest)
    step = smaller(choose(acceleration <= speed / length, straight, decaying), length)
    step = choose(speed <= 0.0, AT_REST * length, step)
    return choose((speed < float("inf")) & (acceleration < float("inf")), step, shortest)


def retried_step(step: Any, shrink: Any, is_finite: Any, is_small: Any) -> Any:
    """The step after a rejected one: whether its error was a number, and small (so that an amount was negative)."""
    return choose(is_finite, choose(is_small, AFTER_NEGATIVE * step, step / shrink), AFTER_NON_FINITE * step)


def cause_of_rejection(is_finite: Any, is_small: Any) -> Any:
    """Why a step was rejected, as a status."""
    return choose(is_finite, choose(is_small, NEGATIVE_AMOUNT, STEP_TOO_SMALL), NON_FINITE)


def shrink_after(shrink: Any, predicted: Any, has_predecessor: Any, was_rejected: Any) -> Any:
    """What an accepted step is divided by for the next: by its error, by the trend, and not growing after a rejection.

    Parameters
    ----------
    shrink, predicted : number
        From the error of the step alone, and from how the error has changed since the step before; bounded.
    has_predecessor : condition
        Whether there is a step before in this segment.
    was_rejected : condition
        Whether the step was tried before at another length.
    """
    shrink = choose(has_predecessor, larger(shrink, predicted), shrink)
    return choose(was_rejected, larger(shrink, 1.0), shrink)
