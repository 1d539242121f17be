"""Names of the compiled integrators: of their object files, and of the function in each."""

from __future__ import annotations

#: The integrators: of one run, and of many at once. Each is one function, stored in one file.
RUN, LANES = "integrator", "lanes"


def symbol(kind: str) -> str:
    """Name of an integrator's function in its object code."""
    return f"iontide_{kind}"
