"""Electrodes that answer to one ion, and cells whose potential is that of a difference in concentration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import log
from typing import Any

import numpy as np

from ..errors import UsageError
from ..physics.electrochemical import reversal_potential, thermal_potential
from ..physics.ions import library_ion
from .half_cells import STANDARD


def nikolsky_eisenman_potential(
    ion: str,
    activities: Mapping[str, Any],
    selectivity: Mapping[str, float] | None = None,
    temperature: Any = 298.15,
    inner: Any = STANDARD,
) -> Any:
    """Potential of an ion-selective membrane, its inner side against the sample, V.

    ``(R T / z_i F) ln((a_i + Σ_j K_ij a_j^(z_i / z_j)) / a_inner)``, activities over 1 mol L⁻¹. For ions of one valence
    it is the Goldman–Hodgkin–Katz potential with permeabilities in the proportion of the coefficients.

    Parameters
    ----------
    ion : str
        Primary ion, as the library names it.
    activities : mapping of str to float or array
        Of the sample, mol m⁻³; of all ions that are named otherwise.
    selectivity : mapping of str to float
        K_ij by interfering ion.
    temperature : float or array
        K.
    inner : float or array
        Activity of the primary ion behind the membrane, mol m⁻³; 1 mol L⁻¹ where it is not given.

    Raises
    ------
    UsageError
        An ion that the library does not have, that has no charge, another sign than the primary one, or no activity; a
        sample in which nothing answers.

    References
    ----------
    Nikolsky 1937; Eisenman, Rudin & Casby 1957, Science 126:831; Guilbault et al. 1976 (IUPAC),
    doi:10.1351/pac197648010127.
    """
    z, others = _valence(ion), []
    for other, coefficient in (selectivity or {}).items():
        if not (np.isfinite(coefficient) and coefficient >= 0.0):
            raise UsageError(f"the selectivity coefficient of {other} must be a number ≥ 0, got {coefficient}")
        if _valence(other) * z < 0:
            raise UsageError(f"{other} has the other sign of charge than {ion}, so it cannot interfere")
        others.append((_valence(other), coefficient, _activity(other, activities)))
    sensed = sensed_activity(z, _activity(ion, activities), others)
    if not np.all(sensed > 0.0):
        raise UsageError(f"there is nothing in the sample that an electrode for {ion} answers to")
    return reversal_potential(z, inner, sensed, temperature)


def sensed_activity(valence: float, primary: Any, others: Iterable[tuple[float, float, Any]]) -> Any:
    """a_i + Σ_j K_ij a_j^(z_i / z_j), of powers over mol L⁻¹, mol m⁻³.

    Parameters
    ----------
    valence : float
        Of the primary ion.
    primary : float or array
        Its activity, mol m⁻³.
    others : iterable of (valence, coefficient, activity)
    """
    total = primary / STANDARD
    for z, coefficient, activity in others:
        total = total + coefficient * (activity / STANDARD) ** (valence / z)
    return STANDARD * total


def nernst_slope(valence: float, temperature: float = 298.15) -> float:
    """Change of a potential with each decade of activity, (R T / z F) ln 10, V: 59.16 mV for a cation at 25 °C."""
    return float(thermal_potential(temperature, valence) * log(10.0))


def _valence(name: str) -> int:
    ion = library_ion(name)
    if ion.valence == 0:
        raise UsageError(f"{name} has no charge, so no electrode answers to it")
    return ion.valence


def _activity(name: str, activities: Mapping[str, Any]) -> Any:
    if name not in activities:
        raise UsageError(f"the sample gives no activity of {name}; 0 is one, too")
    value = np.asarray(activities[name], dtype=float)
    if not (np.isfinite(value).all() and (value >= 0.0).all()):
        raise UsageError(f"the activity of {name} must be a number ≥ 0, got {activities[name]}")
    return value[()]
