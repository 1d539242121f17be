"""The Truesdell–Jones (WATEQ Debye–Hückel) equation, as in PHREEQC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .debye_hueckel import LN10, debye_hueckel_A, debye_hueckel_B, extended_law, guarded_root
from .water import molality


def log_gamma(
    valence: Mapping[str, float],
    parameters: Mapping[str, tuple[float, float]],
    ionic_strength: Any,
    temperature: Any,
) -> dict[str, Any]:
    """ln gamma by ``log10 gamma = −A z² √I / (1 + B a0 √I) + b I``; up to about 2 mol kg⁻¹ where chlorides dominate.

    Mean coefficients of the chlorides of Na, K, Mg and Ca are within 4 % of measured ones up to there. Where b is 0 (H,
    OH, Li, NH4, NO3 …) it is the extended Debye–Hückel law, good to about 0.1 mol kg⁻¹ (HCl at 2: 36 % low). a0 and b
    of PHREEQC describe free ions, beside explicit ion pairs: without those, sulfates come out too high (Na2SO4 at
    0.1 mol kg⁻¹ by 15 %, at 0.5 by 58 %).

    An uncharged species has ``log10 gamma = 0.1 I`` (Setschenow), as PHREEQC takes it, unless it has parameters:
    then b is taken in place of 0.1. a0 and b do not depend on temperature.

    Parameters
    ----------
    valence : mapping of str to float
    parameters : mapping of str to (float, float)
        a0, m, and b, kg mol⁻¹.
    ionic_strength : float, array or Expression
        mol m⁻³.
    temperature : float, array or Expression
        K.

    Returns
    -------
    dict of str to float, array or Expression

    References
    ----------
    Truesdell & Jones 1974, J. Res. U.S. Geol. Surv. 2:233; Parkhurst & Appelo 2013 (PHREEQC), doi:10.3133/tm6A43.
    """
    strength = molality(ionic_strength, temperature)
    root = guarded_root(strength)
    a, b = debye_hueckel_A(temperature), debye_hueckel_B(temperature)
    result: dict[str, Any] = {}
    for name, z in valence.items():
        if z:
            size, slope = parameters[name]
            result[name] = extended_law(z, size, root, a, b) + (LN10 * slope) * strength
        else:
            slope = parameters[name][1] if name in parameters else 0.1
            result[name] = (LN10 * slope) * strength
    return result
