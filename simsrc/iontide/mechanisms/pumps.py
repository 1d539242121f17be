"""Pumps driven by ATP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .sides import Sides


def na_k_atpase_cubic(sides: Sides, moves: Mapping[str, int], arguments: Mapping[str, Any]) -> Any:
    """Cycles of the Na/K-ATPase, each 3 Na out and 2 K in, mol m⁻² s⁻¹.

    ``rate · (Na_i / (Na_i + h_Na))³ · (K_o / (K_o + h_K))²``: independent, equal binding sites for three Na inside
    and two K outside. It saturates, ignores the energy of ATP and the potential, and never runs backward: a
    convenient law, not a thermodynamic one. Source: Garay & Garrahan 1973, J Physiol 231:297,
    doi:10.1113/jphysiol.1973.sp010234 (Na sites); Läuger, Electrogenic Ion Pumps, 1991.

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half_saturation.Na_inside`` and ``half_saturation.K_outside`` (mol m⁻³).
    """
    sodium, potassium = sides.inside["Na"], sides.outside["K"]
    bound_sodium = sodium / (sodium + arguments["half_saturation.Na_inside"])
    bound_potassium = potassium / (potassium + arguments["half_saturation.K_outside"])
    return arguments["rate"] * (bound_sodium**3 * bound_potassium**2)
