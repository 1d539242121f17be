"""Constant-field (Goldman–Hodgkin–Katz) electrodiffusion; for z = 0 it is Fick's law.

Sources: Goldman 1943, J Gen Physiol 27:37, doi:10.1085/jgp.27.1.37; Hodgkin & Katz 1949, J Physiol 108:37,
doi:10.1113/jphysiol.1949.sp004310 (appendix). Written with the Bernoulli function B(x) = x / (exp(x) − 1), the form
has no 0/0 at V = 0, does not overflow, and gives both one-way fluxes, whose ratio obeys Ussing 1949,
doi:10.1111/j.1748-1716.1949.tb00633.x.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...symbolic.expression import Number, bernoulli
from .sides import Sides


def ghk_efflux_and_influx(
    sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]
) -> tuple[Number, Number]:
    """One-way fluxes of the one ion in ``stoichiometry``, mol m⁻² s⁻¹, both ≥ 0.

    ``efflux = P B(−z phi) a_in``, ``influx = P B(z phi) a_out``; ``arguments[""]`` is the permeability P, m s⁻¹.
    """
    (ion,) = stoichiometry
    permeability = arguments[""]
    x = sides.valence[ion] * sides.reduced_potential
    efflux = permeability * (bernoulli(-x) * sides.inside_activity[ion])
    influx = permeability * (bernoulli(x) * sides.outside_activity[ion])
    return efflux, influx


def ghk(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Net outward flux ``J = efflux − influx``, mol m⁻² s⁻¹."""
    efflux, influx = ghk_efflux_and_influx(sides, stoichiometry, arguments)
    return efflux - influx
