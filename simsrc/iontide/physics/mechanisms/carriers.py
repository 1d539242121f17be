"""Carriers of one solute: driven by nothing but its gradient, thermodynamic."""

from __future__ import annotations

from collections.abc import Mapping

from ...symbolic.expression import Number
from .binding import sites
from .sides import Sides


def glut(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Glucose outward, mol m⁻² s⁻¹, by a carrier that is alike from both sides: each one-way flux saturates.

    ``rate · (G_in / (G_in + h) − G_out / (G_out + h))``. Driven by nothing; thermodynamic. Source: Carruthers 1990,
    Physiol Rev 70:1135, doi:10.1152/physrev.1990.70.4.1135; as for the blood-brain barrier in Gruetter, Ugurbil &
    Seaquist 1998, J Neurochem 70:397, doi:10.1046/j.1471-4159.1998.70010397.x ("standard", without trans effects).

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half_saturation.glucose`` (mol m⁻³).
    """
    half = arguments["half_saturation.glucose"]
    inside, outside = sides.inside_activity["glucose"], sides.outside_activity["glucose"]
    return arguments["rate"] * (sites(inside, half) - sites(outside, half))
