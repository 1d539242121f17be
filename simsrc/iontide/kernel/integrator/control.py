"""The step controller over one float: what numba must know to compile ``layout.step_control``."""

from __future__ import annotations

from numba.extending import overload, register_jitable

from ..layout import step_control


@overload(step_control.choose)
def _choose(condition, a, b):
    return lambda condition, a, b: a if condition else b


larger = register_jitable(step_control.larger)
smaller = register_jitable(step_control.smaller)
bounded = register_jitable(step_control.bounded)
fitted_step = register_jitable(step_control.fitted_step)
time_after = register_jitable(step_control.time_after)
is_too_small = register_jitable(step_control.is_too_small)
transient_ratio = register_jitable(step_control.transient_ratio)
first_step = register_jitable(step_control.first_step)
retried_step = register_jitable(step_control.retried_step)
cause_of_rejection = register_jitable(step_control.cause_of_rejection)
shrink_after = register_jitable(step_control.shrink_after)
