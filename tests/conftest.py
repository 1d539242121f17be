"""Hypothesis profiles, chosen by ``HYPOTHESIS_PROFILE``: ``dev`` (default) looks at the same examples every time, so
that a change fails by its own fault; ``explore`` looks at others each time, ``ci`` at many.

The compiled integrator's disk cache is keyed by its own sources, so that the default folder serves the tests too.
"""

import os
import signal

import pytest
from hypothesis import HealthCheck, Phase, settings

# A failing example is not made smaller unless asked for: that can take minutes a test.
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=QUICK)
settings.register_profile("dev", settings.get_profile("explore"), derandomize=True)
settings.register_profile("ci", settings.get_profile("explore"), max_examples=300, print_blob=True, phases=tuple(Phase))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


#: Before anything of ours has listened.
_HANDLERS = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}


@pytest.fixture(autouse=True)
def own_signal_handlers() -> None:
    """A command that a test or a fixture called in this process listens for signals; the next test must not."""
    for number, handler in _HANDLERS.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)
