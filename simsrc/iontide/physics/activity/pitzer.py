"""Pitzer's equations: activity coefficients of single ions in mixtures, and the osmotic coefficient.

Equations of Pitzer 1973, doi:10.1021/j100621a026, in the form of Harvie, Møller & Weare 1984,
doi:10.1016/0016-7037(84)90098-X (eqs. 2a–2e; HMW below), with the electrostatic part of unsymmetrical mixing of Pitzer
1975, doi:10.1007/BF00646562. The coefficient of a single ion cannot be measured: these are those of the unscaled
equations (no MacInnes convention); any neutral combination, hence every salt and every difference of two like ions
across a membrane at equal potential, is free of the choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import sqrt as float_sqrt
from typing import Any

from ...symbolic.expression import exp, log, maximum, sqrt
from .debye_hueckel import LN10, SMALLEST_IONIC_STRENGTH, debye_hueckel_A, guarded_root
from .pitzer_parameters import exponents, find_parameter
from .water import molality, permittivity_bradley_pitzer

#: Universal constant b of the Debye–Hückel term, kg^½ mol^-½.
B_UNIVERSAL = 1.2

#: C1 … C4 of J(x), Pitzer 1975, eq. 47.
J_CONSTANTS = (4.581, 0.7237, 0.0120, 0.528)


def osmotic_slope(temperature: Any) -> Any:
    """Debye–Hückel slope of the osmotic coefficient, ``A_phi = A ln 10 / 3``: 0.391 kg^½ mol^-½ at 25 °C.

    With the permittivity of Bradley and Pitzer, as the parameters were fitted (Malmberg and Maryott's gives 0.3921).
    """
    return (LN10 / 3.0) * debye_hueckel_A(temperature, permittivity_bradley_pitzer(temperature))


def _g(x: Any) -> Any:
    """g(x) = 2 (1 − (1 + x) e^−x) / x²; HMW eq. 5."""
    return 2.0 * (1.0 - (1.0 + x) * exp(-x)) / (x * x)


def _g_slope(x: Any) -> Any:
    """g'(x) = −2 (1 − (1 + x + x²/2) e^−x) / x² = ½ dg/d ln x, so that B' = β1 g'(α1 √I) / I; HMW eq. 5."""
    return -2.0 * (1.0 - (1.0 + x + 0.5 * x * x) * exp(-x)) / (x * x)


def mixing_integral(x: Any) -> tuple[Any, Any]:
    """J(x) and x J'(x) of unsymmetrical mixing, x > 0: ``J = x / (4 + C1 x^−C2 exp(−C3 x^C4))``; Pitzer 1975, eq. 47.

    Within 1.5 % of the integral for 0.1 ≤ x ≤ 100 (x = 6 A_phi z z' √I); below, J is less than 0.004, and 0 with x.
    """
    c1, c2, c3, c4 = J_CONSTANTS
    power = x**c4
    tail = c1 * x ** (-c2) * exp(-c3 * power)
    value = x / (4.0 + tail)
    return value, value * (1.0 + tail * (c2 + (c3 * c4) * power) / (4.0 + tail))


@dataclass
class _Solution:
    """Terms that all coefficients of one solution share."""

    valence: Mapping[str, float]
    molality: Mapping[str, Any]
    strength: Any  # never below SMALLEST_IONIC_STRENGTH
    root: Any  # guarded
    safe_root: Any  # of ``strength``
    slope: Any  # A_phi
    temperature: Any

    def __post_init__(self) -> None:
        self.cations = [name for name, z in self.valence.items() if z > 0]
        self.anions = [name for name, z in self.valence.items() if z < 0]
        self.charge = sum((abs(self.valence[n]) * self.molality[n] for n in self.cations + self.anions), start=0.0)
        self._electrostatic: dict[tuple[float, float], tuple[Any, Any]] = {}

    def parameter(self, kind: str, *names: str) -> Any:
        parameter = find_parameter(kind, *names)
        return parameter.at(self.temperature) if parameter else 0.0

    def second(self, cation: str, anion: str) -> tuple[Any, Any, Any]:
        """B, I B' and B_phi of a salt; HMW eqs. 4a–4c."""
        beta0, beta1, beta2 = (self.parameter(kind, cation, anion) for kind in ("beta0", "beta1", "beta2"))
        b, b_slope, b_phi = beta0, 0.0, beta0
        for beta, alpha in zip((beta1, beta2), exponents(self.valence[cation], self.valence[anion]), strict=True):
            if isinstance(beta, float) and beta == 0.0:
                continue
            x = alpha * self.safe_root
            b, b_slope, b_phi = b + beta * _g(x), b_slope + beta * _g_slope(x), b_phi + beta * exp(-x)
        return b, b_slope, b_phi

    def third(self, cation: str, anion: str) -> Any:
        """C = C_phi / (2 √|z z'|); HMW eq. 3."""
        product = abs(self.valence[cation] * self.valence[anion])
        return self.parameter("Cphi", cation, anion) * (0.5 / float_sqrt(product))

    def mixing(self, ion: str, other: str) -> tuple[Any, Any]:
        """Phi and I Phi' of two ions of one sign; HMW eqs. 6a–6c."""
        theta = self.parameter("theta", ion, other)
        first, second = sorted((abs(self.valence[ion]), abs(self.valence[other])))
        if first == second:
            return theta, 0.0
        if (first, second) not in self._electrostatic:
            products = first * second, first * first, second * second
            x = 6.0 * self.slope * self.safe_root
            (j, xj), (j1, xj1), (j2, xj2) = (mixing_integral(product * x) for product in products)
            value = products[0] / 4.0 * (j - 0.5 * j1 - 0.5 * j2) / self.strength
            slope = products[0] / 8.0 * (xj - 0.5 * xj1 - 0.5 * xj2) / self.strength - value
            self._electrostatic[first, second] = value, slope
        value, slope = self._electrostatic[first, second]
        return theta + value, slope

    def sums(self) -> tuple[Any, Any]:
        """Σ Σ m m' I B' + Σ m m' I Phi' over all pairs, and Σ Σ m m' C over the salts."""
        m, slopes, thirds = self.molality, 0.0, 0.0
        for c in self.cations:
            for a in self.anions:
                slopes = slopes + m[c] * m[a] * self.second(c, a)[1]
                thirds = thirds + m[c] * m[a] * self.third(c, a)
        for group in (self.cations, self.anions):
            for i, j in combinations(group, 2):
                slopes = slopes + m[i] * m[j] * self.mixing(i, j)[1]
        return slopes, thirds


def _solution(
    valence: Mapping[str, float], ionic_strength: Any, temperature: Any, concentrations: Mapping[str, Any]
) -> _Solution:
    strength = molality(ionic_strength, temperature)
    safe = maximum(strength, SMALLEST_IONIC_STRENGTH)
    molalities = {name: molality(concentrations[name], temperature) for name, z in valence.items() if z}
    return _Solution(
        valence, molalities, safe, guarded_root(strength), sqrt(safe), osmotic_slope(temperature), temperature
    )


def log_gamma(
    valence: Mapping[str, float], ionic_strength: Any, temperature: Any, concentrations: Mapping[str, Any]
) -> dict[str, Any]:
    """ln gamma of every ion of a mixture; up to about I = 6 mol kg⁻¹ (many single salts further).

    HMW eqs. 2b, 2c, for an ion i with the ions o of the other sign and k of the same sign::

        ln gamma_i = z² F + Σ_o m_o (2 B_io + Z C_io) + Σ_k m_k (2 Phi_ik + Σ_o m_o psi_iko)
                     + Σ_o<o' m_o m_o' psi_oo'i + |z| Σ_c Σ_a m_c m_a C_ca
        F = −A_phi (√I / (1 + 1.2 √I) + (2/1.2) ln(1 + 1.2 √I)) + Σ Σ m_c m_a B'_ca + Σ m m' Phi'
        Z = Σ |z| m

    Interactions that ``data/pitzer.csv`` does not list are 0 (see ``pitzer_parameters.missing_salts``). An uncharged
    species has ln gamma = 0. Below I = 1e-9 mol kg⁻¹ the I in B' and E-theta is held there: those terms are of the
    order of m and vanish.

    Parameters
    ----------
    valence : mapping of str to float
        By the name (or alias) of the ion library.
    ionic_strength : float, array or Expression
        mol m⁻³. Ions counted in it that are not in ``concentrations`` (impermeants) act through it alone, without
        the specific interaction that every known anion has: at 150 mol m⁻³ and 37 °C gamma of Na is 0.70 in a cell
        with mostly impermeant anions and 0.74 outside, of Ca 0.23 and 0.31. Across such a membrane prefer a model of
        I alone.
    temperature : float, array or Expression
        K.
    concentrations : mapping of str to float, array or Expression
        mol m⁻³, of every species in ``valence`` with a charge.

    Returns
    -------
    dict of str to float, array or Expression
    """
    s = _solution(valence, ionic_strength, temperature, concentrations)
    m = s.molality
    slopes, thirds = s.sums()
    denominator = 1.0 + B_UNIVERSAL * s.root
    field = -s.slope * (s.root / denominator + (2.0 / B_UNIVERSAL) * log(denominator)) + slopes / s.strength
    result: dict[str, Any] = {}
    for i, z in valence.items():
        if not z:
            result[i] = 0.0
            continue
        same, other = (s.cations, s.anions) if z > 0 else (s.anions, s.cations)
        total = float(z * z) * field + float(abs(z)) * thirds
        for o in other:
            cation, anion = (i, o) if z > 0 else (o, i)
            total = total + m[o] * (2.0 * s.second(cation, anion)[0] + s.charge * s.third(cation, anion))
        for k in same:
            if k != i:
                triples: Any = sum((m[o] * s.parameter("psi", i, k, o) for o in other), start=0.0)
                total = total + m[k] * (2.0 * s.mixing(i, k)[0] + triples)
        for o, p in combinations(other, 2):
            total = total + m[o] * m[p] * s.parameter("psi", o, p, i)
        result[i] = total
    return result


def osmotic_coefficient(
    valence: Mapping[str, float], ionic_strength: Any, temperature: Any, concentrations: Mapping[str, Any]
) -> Any:
    """Osmotic coefficient phi of a mixture of ions, molal scale: ``osmolality = phi Σ m``; HMW eq. 2a.

    ::

        (phi − 1) Σ m / 2 = −A_phi I^1.5 / (1 + 1.2 √I) + Σ Σ m_c m_a (B_phi + Z C)
                            + Σ m m' (Phi + I Phi' + Σ m psi)

    Consistent with ``log_gamma`` (Gibbs–Duhem) where the ionic strength is that of the ions in ``concentrations``.
    Parameters as there; 1 where there are no ions.
    """
    s = _solution(valence, ionic_strength, temperature, concentrations)
    m = s.molality
    total = -s.slope * s.root * s.root * s.root / (1.0 + B_UNIVERSAL * s.root)
    for c in s.cations:
        for a in s.anions:
            total = total + m[c] * m[a] * (s.second(c, a)[2] + s.charge * s.third(c, a))
    for same, other in ((s.cations, s.anions), (s.anions, s.cations)):
        for i, j in combinations(same, 2):
            value, slope = s.mixing(i, j)
            triples: Any = sum((m[o] * s.parameter("psi", i, j, o) for o in other), start=0.0)
            total = total + m[i] * m[j] * (value + slope + triples)
    amount: Any = sum(m.values(), start=0.0)
    return 1.0 + 2.0 * total / maximum(amount, SMALLEST_IONIC_STRENGTH)
