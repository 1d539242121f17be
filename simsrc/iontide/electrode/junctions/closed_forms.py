"""Junction potentials by formulas: Henderson's, and that of Lewis and Sargent.

All are those of the right-hand solution relative to the left-hand one, in units of R T / F.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def henderson(valences: NDArray, mobilities: NDArray, left: NDArray, right: NDArray) -> NDArray:
    """Junction potential where the two solutions mix linearly.

    ``S ln(Σ z² m a_L / Σ z² m a_R)`` with ``S = Σ z m (a_R − a_L) / Σ z² m (a_R − a_L)``, written with the logarithmic
    mean of the two sums so that nothing is 0/0 where they are equal.

    Parameters
    ----------
    valences, mobilities : array, shape (ions,)
        Mobilities in any unit, m = D / (R T).
    left, right : array, shape (..., ions)
        Concentrations or activities, in one unit.

    Returns
    -------
    array, shape (...)
        F (φ_right − φ_left) / (R T); infinite where one side holds no ion that moves and the other does.

    References
    ----------
    Henderson 1907, Z Phys Chem 59:118; generalised by Barry & Lynch 1991,
    doi:10.1007/BF01870526, eq. 2.
    """
    charge, conductance = valences * mobilities, valences**2 * mobilities
    driven = (right - left) @ charge
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(driven == 0.0, 0.0, -driven / logarithmic_mean(left @ conductance, right @ conductance))


def logarithmic_mean(a: NDArray, b: NDArray) -> NDArray:
    """(a − b) / ln(a / b); a where the two are equal, 0 where one is 0."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    middle = 0.5 * (a + b)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.where(middle > 0.0, 0.5 * (a - b) / middle, 0.0)  # ln(a / b) = 2 artanh(half)
        close = np.where(np.abs(half) < 1e-8, middle * (1.0 - half * half / 3.0), middle * half / np.arctanh(half))
        mean = np.where(np.abs(half) < 0.5, close, (a - b) / (np.log(a) - np.log(b)))
    return np.where((a == 0.0) | (b == 0.0), 0.0, mean)


def lewis_sargent(common_valence: int, left: float, right: float) -> float:
    """Junction potential of two salts with one ion in common, of one concentration, from their conductivities.

    ``∓ ln(Λ_right / Λ_left)``: where they have the anion in common, ``ln(Λ_left / Λ_right)``.

    Parameters
    ----------
    common_valence : int
        +1 or −1.
    left, right : float
        Equivalent conductivities of the two salts at that concentration, in one unit.

    References
    ----------
    Lewis & Sargent 1909, J Am Chem Soc 31:363; MacInnes, The Principles of Electrochemistry
    (1939), ch. 13.
    """
    return float(-common_valence * np.log(left / right))
