"""The pocket calculators of the field: Nernst and Goldman–Hodgkin–Katz potentials of given solutions.

Potentials are inside minus outside, V; concentrations may be activities. A Nernst potential is that of one ion at
equilibrium (Nernst 1889, doi:10.1515/zpch-1889-0412); a GHK potential is that at which the constant-field currents of
several ions add up to 0 (Goldman 1943, doi:10.1085/jgp.27.1.37; Hodgkin & Katz 1949,
doi:10.1113/jphysiol.1949.sp004310; for ions of any valence Lewis 1979, J Physiol 286:417).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..constants import FARADAY, GAS_CONSTANT
from ..errors import UsageError
from ..numerics.roots import rising_roots
from ..symbolic.expression import bernoulli_slope_value, bernoulli_value
from .electrochemical import log_ratio, reversal_potential, thermal_potential
from .ions import library_ion

#: Reduced potential F V / (R T) beyond which none is searched for (18 V at 25 °C): exp would leave double precision.
FARTHEST = 700.0


def nernst_potential(
    valence: ArrayLike,
    inside: ArrayLike,
    outside: ArrayLike,
    temperature: ArrayLike,
    gamma_inside: ArrayLike = 1.0,
    gamma_outside: ArrayLike = 1.0,
) -> Any:
    """Nernst potential E = (R T / z F) ln(gamma_out c_out / (gamma_in c_in)), inside minus outside, V.

    Parameters
    ----------
    valence : float or array
        z, signed, not 0.
    inside, outside : float or array
        Concentrations in any unit, the same for both; greater than 0.
    temperature : float or array
        K.
    gamma_inside, gamma_outside : float or array
        Activity coefficients.

    Returns
    -------
    float or array
        A float where all are numbers.

    Raises
    ------
    UsageError
        A valence of 0, or anything else that is not greater than 0 and finite.

    Examples
    --------
    >>> round(1e3 * iontide.nernst_potential(1, inside=140.0, outside=4.0, temperature=310.15), 2)  # mV
    -95.02
    """
    z = np.asarray(valence, dtype=float)
    if not np.isfinite(z).all() or (z == 0.0).any():
        raise UsageError("the valence must not be 0: what has no charge has no Nernst potential")
    c_in, c_out = _positive("inside", inside), _positive("outside", outside)
    gamma_in, gamma_out = _positive("gamma_inside", gamma_inside), _positive("gamma_outside", gamma_outside)
    kelvin = _positive("temperature", temperature)
    e = reversal_potential(z, gamma_in * c_in, gamma_out * c_out, kelvin)
    return e if np.ndim(e) else float(e)


def ghk_potential(
    permeability: Mapping[str, ArrayLike],
    inside: Mapping[str, ArrayLike],
    outside: Mapping[str, ArrayLike],
    temperature: ArrayLike,
) -> Any:
    """Potential at which the GHK currents of all ions add up to 0, inside minus outside, V.

    Where every ion that passes is monovalent, ``(R T / F) ln((Σ_cat P c_out + Σ_an P c_in) / (Σ_cat P c_in +
    Σ_an P c_out))``; else the root of ``Σ z F J = 0``, which is one and no more because each ion's current grows
    with V. One ion alone gives its Nernst potential. What is neutral carries no current and counts for nothing. The
    order of the ions does not matter.

    Parameters
    ----------
    permeability : mapping of str to float or array
        By ion, as the library of ions names it; in any unit, for only the ratios count. 0: it does not pass.
    inside, outside : mapping of str to float or array
        Concentrations (or activities), in one unit; of every ion that passes. Others are ignored.
    temperature : float or array
        K.

    Returns
    -------
    float or array
        A float where all are numbers.

    Raises
    ------
    UsageError
        An ion that the library does not have, or without a concentration; a number that is negative or not finite;
        no ion that passes; or no potential at which the current is 0, because all ions pass in one direction only.

    Examples
    --------
    >>> inside, outside = {"K": 140.0, "Na": 10.0}, {"K": 4.0, "Na": 146.0}
    >>> round(1e3 * iontide.ghk_potential({"K": 1.0, "Na": 0.04}, inside, outside, 310.15), 2)  # mV
    -71.04
    """
    ions, kelvin = _passing(permeability, inside, outside), _positive("temperature", temperature)
    shape = np.broadcast_shapes(np.shape(kelvin), *(np.shape(x) for ion in ions.values() for x in ion))
    _refuse_no_potential(ions, shape)
    if len(ions) == 1:
        ((z, _, c_in, c_out),) = ions.values()
        phi = log_ratio(c_out, c_in) / z
    elif all(abs(z) == 1 for z, *_ in ions.values()):
        above: Any = 0.0
        below: Any = 0.0
        for z, p, c_in, c_out in ions.values():
            above = above + p * (c_out if z > 0 else c_in)
            below = below + p * (c_in if z > 0 else c_out)
        phi = log_ratio(above, below)
    else:
        phi = _root_of_current(ions, shape)
    v = np.broadcast_to(thermal_potential(kelvin) * phi, shape)
    return v.copy() if shape else float(v)


def ghk_currents(
    permeability: Mapping[str, ArrayLike],
    inside: Mapping[str, ArrayLike],
    outside: Mapping[str, ArrayLike],
    temperature: float,
    potential: float,
) -> dict[str, tuple[float, float]]:
    """Each ion's GHK current density z F J (A m⁻², positive outward) and slope conductance dI/dV (S m⁻²) at a voltage.

    Of the ions that pass, with permeabilities in m s⁻¹ and concentrations in mol m⁻³; neutral ones are left out. An
    ion's conductance over the sum of all is its fractional slope conductance: how far V follows its Nernst potential.

    Raises
    ------
    UsageError
        As for ``ghk_potential``.
    """
    per_volt = FARADAY / (GAS_CONSTANT * float(_positive("temperature", temperature)))
    result = {}
    for name, (z, p, c_in, c_out) in _passing(permeability, inside, outside).items():
        current, slope = _reduced_current(z, p, c_in, c_out, potential * per_volt)
        result[name] = (float(FARADAY * current), float(FARADAY * per_volt * slope))
    return result


def _positive(name: str, value: ArrayLike) -> Any:
    number = np.asarray(value, dtype=float)[()]
    if not (np.isfinite(number).all() and (number > 0.0).all()):
        raise UsageError(f"{name} must be greater than 0, got {number}")
    return number


def _passing(
    permeability: Mapping[str, ArrayLike], inside: Mapping[str, ArrayLike], outside: Mapping[str, ArrayLike]
) -> dict[str, tuple[int, Any, Any, Any]]:
    """Valence, permeability and concentrations of the charged ions that pass and are there, by name, sorted."""
    ions: dict[str, tuple[int, Any, Any, Any]] = {}
    for name in sorted(permeability):
        ion = library_ion(name)
        p = _not_negative(f"the permeability of {name}", permeability[name])
        if ion.valence == 0 or not np.any(p):
            continue
        sides = []
        for side, given in (("inside", inside), ("outside", outside)):
            if name not in given:
                raise UsageError(f"{side} lacks {name}, which has a permeability; 0 is a concentration, too")
            sides.append(_not_negative(f"the concentration of {name} {side}", given[name]))
        if np.any(sides[0]) or np.any(sides[1]):
            ions[name] = (ion.valence, p, *sides)
    if not ions:
        raise UsageError("no ion passes: the current is 0 at every potential, so none is singled out")
    most = max(float(np.max(p)) for _, p, _, _ in ions.values())
    return {name: (z, p / most, a, b) for name, (z, p, a, b) in ions.items()} if not 1e-100 < most < 1e100 else ions


def _not_negative(name: str, value: ArrayLike) -> Any:
    number = np.asarray(value, dtype=float)[()]
    if not (np.isfinite(number).all() and (number >= 0.0).all()):
        raise UsageError(f"{name} must be a number ≥ 0, got {number}")
    return number


def _refuse_no_potential(ions: Mapping[str, tuple[int, Any, Any, Any]], shape: tuple[int, ...]) -> None:
    """There is a potential where something can carry a current outward and something inward."""
    outward = np.zeros(shape, dtype=bool)
    inward = np.zeros(shape, dtype=bool)
    for z, p, c_in, c_out in ions.values():
        outward = outward | (p > 0.0) & ((c_in if z > 0 else c_out) > 0.0)
        inward = inward | (p > 0.0) & ((c_out if z > 0 else c_in) > 0.0)
    if not (outward & inward).all():
        names = ", ".join(ions)
        raise UsageError(
            f"there is no potential at which the current is 0: what passes ({names}) can carry it in one direction "
            "only, for it is on one side only"
        )


def _reduced_current(z: int, p: Any, c_in: Any, c_out: Any, phi: Any) -> tuple[NDArray, NDArray]:
    """z J and its slope by phi, of one ion."""
    x = z * phi
    current = z * p * (bernoulli_value(-x) * c_in - bernoulli_value(x) * c_out)
    slope = -(z**2) * p * (bernoulli_slope_value(-x) * c_in + bernoulli_slope_value(x) * c_out)
    return current, slope


def _root_of_current(ions: Mapping[str, tuple[int, Any, Any, Any]], shape: tuple[int, ...]) -> NDArray:
    def total(phi: NDArray) -> tuple[NDArray, NDArray]:
        parts = [_reduced_current(*ion, phi) for ion in ions.values()]
        return sum(c for c, _ in parts), sum(s for _, s in parts)  # type: ignore[return-value]

    # Between the Nernst potentials of all that passes; an ion on one side only has none, and puts no bound.
    low, high = np.full(shape, FARTHEST), np.full(shape, -FARTHEST)
    with np.errstate(all="ignore"):
        for z, p, c_in, c_out in ions.values():
            e = np.where((c_in > 0.0) | (c_out > 0.0), (np.log(c_out) - np.log(c_in)) / z, np.nan)
            e = np.where(p > 0.0, np.clip(e, -FARTHEST, FARTHEST), np.nan)
            low, high = np.fmin(low, e), np.fmax(high, e)
    phi = rising_roots(total, low - 1e-9 * (1.0 + np.abs(low)), high + 1e-9 * (1.0 + np.abs(high)), 1e-3)
    if np.isnan(phi).any():
        raise UsageError(f"there is no potential within ±{FARTHEST:g} R T / F at which the current is 0")
    return phi
