"""Rows of the array ``control`` of the batch integrator, one number a lane in each: how far the run of a lane is."""

from __future__ import annotations

#: Time within the segment, the step to try next, the segment's length; the last accepted step and the fifth root of
#: its error (0: none yet); the next sample's time; whether the step before was rejected; whether there is a run in the
#: lane; steps accepted and rejected.
T, STEP, LENGTH, LAST_STEP, LAST_ROOT, NEXT_SAMPLE, AFTER_REJECTION, ACTIVE, STEPS, REJECTED = range(10)

#: Why the last step was rejected (a status); what the lane needs (0: nothing); whether a steady state ends it; relative
#: tolerance and most steps; the first step of the segment, from ``begin``, and the norm of ``move``, from ``newton``.
CAUSE, ATTENTION, WATCH_STEADY, RELATIVE, MOST_STEPS, FIRST_STEP, MOVE_NORM = range(10, 17)

#: How many rows there are.
ROWS = 17

#: Values of ATTENTION: samples are due; it may be steady; both; it is stuck; too many steps.
NOTHING_DUE, DUE, MAY_BE_STEADY, DUE_AND_STEADY, STUCK, EXHAUSTED = range(6)
