"""Ohmic conductance of one ion, driven by its distance from the Nernst potential.

Source: Hodgkin & Huxley 1952, J Physiol 117:500, doi:10.1113/jphysiol.1952.sp004764 (eqs 3–6).
"""

from __future__ import annotations

from collections.abc import Mapping

from ...constants import FARADAY
from ...symbolic.expression import Number
from .sides import Sides


def ohmic(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Net outward flux ``J = g (V − E) / (z F)``, mol m⁻² s⁻¹; ``arguments[""]`` is g, S m⁻²."""
    (ion,) = stoichiometry
    scale = arguments[""] / (sides.valence[ion] * FARADAY)
    return scale * (sides.potential - sides.reversal_potential(ion))
