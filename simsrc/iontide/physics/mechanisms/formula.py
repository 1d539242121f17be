"""A rate that the scenario gives as a formula."""

from __future__ import annotations

from collections.abc import Mapping

from ...symbolic.expression import Number
from .sides import Sides


def formula(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles outward, mol m⁻² s⁻¹: ``arguments["rate"]``, the value of the scenario's formula."""
    return arguments["rate"]
