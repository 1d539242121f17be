"""Debye–Hückel: its constants A and B from the properties of water, and the extended law with a size for each ion.

All logarithms that leave this package are natural; A is given for base 10, as the tables give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log, pi
from math import sqrt as float_sqrt
from typing import Any

from ...constants import FARADAY, GAS_CONSTANT
from ...symbolic.expression import less, maximum, sqrt, where
from .water import density, molality, permittivity

#: Avogadro constant, mol⁻¹ (exact), and vacuum permittivity, F m⁻¹ (CODATA 2018).
AVOGADRO = 6.02214076e23
VACUUM_PERMITTIVITY = 8.8541878128e-12

#: Natural logarithm of 10.
LN10 = log(10.0)

#: Below this molal ionic strength the square root is replaced, mol kg⁻¹ (pure water has 1e-7 of H and OH).
SMALLEST_IONIC_STRENGTH = 1e-9


def ionic_strength(concentrations: Mapping[str, Any], valence: Mapping[str, float]) -> Any:
    """Ionic strength ``I = ½ Σ z² c``.

    Parameters
    ----------
    concentrations : mapping of str to float, array or Expression
        mol m⁻³. Whether impermeant ions are in it is for the caller to decide (a polyvalent one, with its mean
        valence, counts as z²: an overestimate where its charges are far apart).
    valence : mapping of str to float
        Of every species in ``concentrations``.

    Returns
    -------
    float, array or Expression
        mol m⁻³.
    """
    total: Any = 0.0
    for name, concentration in concentrations.items():
        z = valence[name]
        if z:
            total = total + 0.5 * z * z * concentration
    return total


def guarded_root(molal_ionic_strength: Any) -> Any:
    """√I, but with a finite slope at I = 0.

    The slope of √I is infinite at 0, and a solution without ions would put inf or NaN into the Jacobian. Below
    I0 = ``SMALLEST_IONIC_STRENGTH`` the value is ``(I / √I0)(3 − I/I0)/2``, which meets √I at I0 with the same slope,
    is 0 at I = 0 with slope 1.5/√I0, and departs from √I by less than 1e-5 mol^½ kg^-½ (ln gamma: 1e-5 z²). It is 0
    for I < 0, which only a rejected step of the solver sees. No branch divides by zero, also where it is not chosen.

    Parameters
    ----------
    molal_ionic_strength : float, array or Expression
        mol kg⁻¹.

    Returns
    -------
    float, array or Expression
        mol^½ kg^-½.
    """
    floor = SMALLEST_IONIC_STRENGTH
    positive = maximum(molal_ionic_strength, 0.0)
    below = positive * ((1.5 / float_sqrt(floor)) - (0.5 / float_sqrt(floor) / floor) * positive)
    return where(less(molal_ionic_strength, floor), below, sqrt(maximum(molal_ionic_strength, floor)))


def debye_hueckel_A(temperature: Any, relative_permittivity: Any = None) -> Any:
    """Limiting slope A of ``log10 gamma = −A z² √I``, I molal: 0.5108 kg^½ mol^-½ at 25 °C.

    ``A = F² B / (8 π N_A eps0 eps R T ln 10)``, with B of ``debye_hueckel_B``. Permittivity and density of water are
    those of ``water.permittivity`` and ``water.density`` (0 to 100 °C). Tables made with older permittivities
    (eps = 78.54 at 25 °C, A = 0.5085) are up to 0.7 % lower. On the molar scale ``A √I`` is the same number.

    Parameters
    ----------
    temperature : float, array or Expression
        K.
    relative_permittivity : float, array or Expression, optional
        In place of that of Malmberg and Maryott.

    Returns
    -------
    float, array or Expression
        kg^½ mol^-½, for base 10.

    References
    ----------
    Debye & Hückel 1923, Phys. Z. 24:185; Robinson & Stokes, Electrolyte Solutions, 1959, chapter 9.
    """
    eps = permittivity(temperature) if relative_permittivity is None else relative_permittivity
    factor = FARADAY**2 / (8.0 * pi * AVOGADRO * VACUUM_PERMITTIVITY * GAS_CONSTANT * LN10)
    return factor * debye_hueckel_B(temperature, eps) / (eps * temperature)


def debye_hueckel_B(temperature: Any, relative_permittivity: Any = None) -> Any:
    """Inverse Debye length over √I, ``B = F √(2 rho / (eps0 eps R T))``, I molal: 3.2865e9 at 25 °C.

    Parameters
    ----------
    temperature : float, array or Expression
        K.
    relative_permittivity : float, array or Expression, optional
        In place of that of Malmberg and Maryott.

    Returns
    -------
    float, array or Expression
        m⁻¹ kg^½ mol^-½ (times 1e-10: the table's 0.3287 per ångström).
    """
    eps = permittivity(temperature) if relative_permittivity is None else relative_permittivity
    factor = FARADAY * float_sqrt(2.0 / (VACUUM_PERMITTIVITY * GAS_CONSTANT))
    return factor * sqrt(density(temperature) / (eps * temperature))


def extended_law(valence: float, size: float, root: Any, a: Any, b: Any) -> Any:
    """Extended Debye–Hückel law, ``ln gamma = −ln 10 · A z² √I / (1 + B a √I)``; Kielland 1937, eq. 1.

    Parameters
    ----------
    valence : float
    size : float
        Ion size parameter a, m; 0 is the limiting law.
    root : float, array or Expression
        √I, mol^½ kg^-½.
    a, b : float, array or Expression
        A in kg^½ mol^-½ (base 10), B in m⁻¹ kg^½ mol^-½.

    Returns
    -------
    float, array or Expression
        ln gamma.
    """
    return (-LN10 * valence**2) * a * root / (1.0 + size * b * root)


def log_gamma(
    valence: Mapping[str, float], size: Mapping[str, float], ionic_strength: Any, temperature: Any
) -> dict[str, Any]:
    """ln gamma by the extended Debye–Hückel law, a size for each ion; up to I = 0.1 mol kg⁻¹.

    There it gives Kielland's single-ion values (to their rounding, with his A); mean coefficients of 1-1 and 2-1 salts
    are within 2.5 % of the measured ones (KCl at 0.1 mol kg⁻¹: 2.2 % low). An uncharged species has ln gamma = 0.

    Parameters
    ----------
    valence, size : mapping of str to float
        Signed charge number; ion size parameter, m (of the charged ones).
    ionic_strength : float, array or Expression
        mol m⁻³.
    temperature : float, array or Expression
        K.

    Returns
    -------
    dict of str to float, array or Expression

    References
    ----------
    Kielland 1937, J. Am. Chem. Soc. 59:1675, doi:10.1021/ja01288a032.
    """
    root = guarded_root(molality(ionic_strength, temperature))
    a, b = debye_hueckel_A(temperature), debye_hueckel_B(temperature)
    return {name: extended_law(z, size[name], root, a, b) if z else 0.0 for name, z in valence.items()}
