"""Rows of the array ``control``, one number a lane in each: where every run of the lanes stands."""

from __future__ import annotations

ROWS = (
    *("T", "STEP", "LENGTH", "LAST_STEP", "LAST_ROOT", "NEXT_SAMPLE", "BEFORE", "ACTIVE", "STEPS", "REJECTED"),
    *("CAUSE", "ATTENTION", "WATCH_STEADY", "RELATIVE", "MOST", "FIRST", "SIZE"),
)

#: Time within the segment, the step to try next, the segment's length; the last accepted step and the fifth root of
#: its error (0: none yet); the next sample's time; whether the step before was refused; whether there is a run in the
#: lane; steps accepted and refused.
T, STEP, LENGTH, LAST_STEP, LAST_ROOT, NEXT_SAMPLE, BEFORE, ACTIVE, STEPS, REJECTED = range(10)

#: Why the last step was refused (a status); what the lane needs (0: nothing); whether a steady state ends it; tolerance
#: and most steps; what ``begin`` and ``newton`` found.
CAUSE, ATTENTION, WATCH_STEADY, RELATIVE, MOST, FIRST, SIZE = range(10, 17)

#: Values of ATTENTION: samples are due; it may be steady; both; it is stuck; too many steps.
NOTHING_DUE, DUE, MAY_BE_STEADY, DUE_AND_STEADY, STUCK, EXHAUSTED = range(6)
