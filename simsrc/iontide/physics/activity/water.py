"""Liquid water at 1 bar: relative permittivity, density, and the molal scale.

Every function takes a float, an array or an expression. They hold from 0 to 100 °C (``TEMPERATURE_RANGE``).
"""

from __future__ import annotations

from typing import Any

from ...constants import ZERO_CELSIUS
from ...symbolic.expression import exp, log

#: Where the formulas of this module hold, K.
TEMPERATURE_RANGE = (ZERO_CELSIUS, ZERO_CELSIUS + 100.0)


def permittivity(temperature: Any) -> Any:
    """Relative permittivity of water by Malmberg and Maryott.

    ``87.740 − 0.40008 t + 9.398e-4 t² − 1.410e-6 t³`` with t in °C; 78.30 at 25 °C. 0 to 100 °C. Later measurements
    (``permittivity_bradley_pitzer``) are 0.1 % higher at 25 °C.

    Parameters
    ----------
    temperature : float, array or Expression
        K.

    Returns
    -------
    float, array or Expression
        –

    References
    ----------
    Malmberg & Maryott 1956, J. Res. Natl. Bur. Stand. 56:1, doi:10.6028/jres.056.001.
    """
    t = temperature - ZERO_CELSIUS
    return 87.740 + t * (-0.40008 + t * (9.398e-4 + t * -1.410e-6))


def permittivity_bradley_pitzer(temperature: Any) -> Any:
    """Relative permittivity of water at 1 bar by Bradley and Pitzer, with which the Pitzer parameters go.

    ``U1 exp(U2 T + U3 T²) + C ln((B + p)/(B + 1000))``, ``C = U4 + U5/(U6 + T)``, ``B = U7 + U8/T + U9 T``, p = 1 in
    bar; 78.38 at 25 °C. 0 to 350 °C where water is liquid.

    Parameters
    ----------
    temperature : float, array or Expression
        K.

    Returns
    -------
    float, array or Expression
        –

    References
    ----------
    Bradley & Pitzer 1979, J. Phys. Chem. 83:1599, doi:10.1021/j100475a009.
    """
    at_1000_bar = 342.79 * exp(temperature * (-5.0866e-3 + 9.4690e-7 * temperature))
    c = -2.0525 + 3115.9 / (temperature - 182.89)
    b = -8032.5 + 4.2142e6 / temperature + 2.1417 * temperature
    return at_1000_bar + c * log((b + 1.0) / (b + 1000.0))


def density(temperature: Any) -> Any:
    """Density of air-free water at 1 atm by Kell, 0 to 150 °C (997.045 kg m⁻³ at 25 °C).

    Parameters
    ----------
    temperature : float, array or Expression
        K.

    Returns
    -------
    float, array or Expression
        kg m⁻³.

    References
    ----------
    Kell 1975, J. Chem. Eng. Data 20:97, doi:10.1021/je60064a005.
    """
    t = temperature - ZERO_CELSIUS
    fifth = 105.56302e-9 + t * -280.54253e-12
    polynomial = 999.83952 + t * (16.945176 + t * (-7.9870401e-3 + t * (-46.170461e-6 + t * fifth)))
    return polynomial / (1.0 + 16.879850e-3 * t)


def molality(concentration: Any, temperature: Any) -> Any:
    """Molality ``m = c / rho`` of a solute (or molal ionic strength), with the density of pure water.

    The simulator's concentration is an amount per volume of *solvent*, for which this is exact. A
    concentration per volume of *solution*, as a chemist weighs it in, is then read as a molality that is too small by
    the volume of the salt, about V_salt c: NaCl 0.3 % at 150 mol m⁻³ and 2 % at 1000 mol m⁻³, KCl 0.4 % and 3 %. It
    changes ln gamma by less than 0.0005 in physiological solutions. On the same footing the molal activity coefficient
    is the one that ``a = gamma c`` asks for.

    Parameters
    ----------
    concentration : float, array or Expression
        mol m⁻³ of solvent.
    temperature : float, array or Expression
        K.

    Returns
    -------
    float, array or Expression
        mol kg⁻¹ of water.
    """
    return concentration / density(temperature)
