"""The electrochemical potential of an ion across a membrane.

``Δmu~ = mu~_in − mu~_out = R T ln(a_in / a_out) + z F V``, positive outward, with V inside minus outside. It is 0 at
the Nernst potential ``E = (R T / z F) ln(a_out / a_in)`` (Nernst 1889, doi:10.1515/zpch-1889-0412), so that
``Δmu~ = z F (V − E)``.

What is computed from numbers takes the logarithm of the ratio (``log_ratio``), which is the more exact. Rate laws,
which run over expressions too, take a difference of logarithms, which neither over- nor underflows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constants import FARADAY, GAS_CONSTANT
from ..symbolic.expression import Number, log

#: A ratio between these is a number of full precision.
SMALLEST_RATIO, LARGEST_RATIO = 1e-290, 1e290


def thermal_potential(temperature: Number, valence: Number = 1) -> Any:
    """R T / (z F), V; 25.69 mV at 25 °C for z = 1.

    Parameters
    ----------
    temperature : float or array
        K.
    valence : float or array
        Not 0.
    """
    return GAS_CONSTANT * temperature / (valence * FARADAY)


def reversal_potential(valence: Number, inside: Number, outside: Number, temperature: Number) -> Any:
    """Nernst potential E = (R T / z F) ln(a_out / a_in), inside minus outside, V, of numbers.

    Parameters
    ----------
    valence : float or array
        z, not 0.
    inside, outside : float or array
        Activities in any unit, the same for both; greater than 0.
    temperature : float or array
        K.
    """
    return thermal_potential(temperature, valence) * log_ratio(outside, inside)


def reversal_potential_in_laws(valence: int, inside: Number, outside: Number, temperature: Number) -> Any:
    """The same to rounding, over any kind of number: what depends on no state is one factor of the tape."""
    return GAS_CONSTANT / (FARADAY * valence) * temperature * (log(outside) - log(inside))


def driving_force(valence: Number, log_ratio_inward: Number, potential: Number, temperature: Number) -> Any:
    """Δmu~ = R T ln(a_in / a_out) + z F V, J mol⁻¹; positive drives outward.

    Parameters
    ----------
    valence : float or array
        z.
    log_ratio_inward : float or array
        ln(a_in / a_out).
    potential : float or array
        Inside minus outside, V.
    temperature : float or array
        K.
    """
    return GAS_CONSTANT * temperature * log_ratio_inward + valence * FARADAY * potential


def log_ratio(above: Any, below: Any) -> Any:
    """ln(above / below) of positive numbers or arrays: of the ratio where that is a number of full precision."""
    with np.errstate(all="ignore"):
        ratio = np.asarray(above / below)
        full = (ratio > SMALLEST_RATIO) & (ratio < LARGEST_RATIO)
        return np.where(full, np.log(np.where(full, ratio, 1.0)), np.log(above) - np.log(below))[()]
