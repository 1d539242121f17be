"""How a call of the integrator ends. Negative: it cannot go on."""

DONE = 0
STEADY = 1
BUFFER_FULL = 2
PAUSED = 3
CROSSED = 4
STEP_TOO_SMALL = -1
NON_FINITE = -2
NEGATIVE_AMOUNT = -3
TOO_MANY_STEPS = -4
NO_CONSISTENT_STATE = -5
TOO_MANY_EVENTS = -6
