"""Hypothesis profiles: ``dev`` (default) is quick, ``ci`` looks harder; chosen by ``HYPOTHESIS_PROFILE``.

The compiled integrator's disk cache is keyed by its own sources, so that the default folder serves the tests too.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), max_examples=300, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
