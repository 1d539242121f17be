"""The Davies equation: no parameter but the charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .debye_hueckel import LN10, debye_hueckel_A, guarded_root
from .water import molality


def log_gamma(valence: Mapping[str, float], ionic_strength: Any, temperature: Any) -> dict[str, Any]:
    """ln gamma by Davies: ``log10 gamma = −A z² (√I / (1 + √I) − 0.3 I)``; up to I = 0.5 mol kg⁻¹.

    All ions of one charge have one coefficient. For NaCl and KCl it is within 2 % of measured mean coefficients up to
    0.1 mol kg⁻¹, but 2 to 4 % too high at 0.2 and 8 to 13 % at 0.5; nitrates and sulfates are off by 30 % there. Beyond
    it rises without bound. An uncharged species has ln gamma = 0.

    Parameters
    ----------
    valence : mapping of str to float
    ionic_strength : float, array or Expression
        mol m⁻³.
    temperature : float, array or Expression
        K.

    Returns
    -------
    dict of str to float, array or Expression

    References
    ----------
    Davies 1938, J. Chem. Soc. 2093, doi:10.1039/jr9380002093 (with 0.2 I); Davies, Ion Association, 1962 (0.3 I).
    """
    strength = molality(ionic_strength, temperature)
    root = guarded_root(strength)
    shape = LN10 * debye_hueckel_A(temperature) * (root / (1.0 + root) - 0.3 * strength)
    return {name: -float(z * z) * shape if z else 0.0 for name, z in valence.items()}
