"""The Pitzer equations against thermodynamics: Gibbs–Duhem, one Gibbs energy, the integral J; and its parameters."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from iontide.physics.activity import ionic_strength, osmotic_coefficient
from iontide.physics.activity.pitzer import _g, _g_slope, log_gamma, mixing_integral, osmotic_slope
from iontide.physics.activity.pitzer_parameters import (
    SALT_PARAMETERS,
    Parameter,
    exponents,
    find_parameter,
    has_salt,
    missing_mixing,
    missing_salts,
    parameter_table,
)
from iontide.physics.activity.water import density
from iontide.physics.ions import ion_library

VALENCE = {"Na": 1, "K": 1, "Ca": 2, "Mg": 2, "H": 1, "Cl": -1, "SO4": -2, "HCO3": -1, "OH": -1}
T25 = 298.15


def at(molalities: dict[str, float], temperature: float = T25) -> tuple[dict[str, float], float]:
    """ln gamma, and phi, at molalities in mol kg⁻¹."""
    rho = density(temperature)
    concentrations = {name: m * rho for name, m in molalities.items()}
    valence = {name: VALENCE[name] for name in molalities}
    strength = ionic_strength(concentrations, valence)
    gammas = log_gamma(valence, strength, temperature, concentrations)
    return gammas, osmotic_coefficient(valence, strength, temperature, concentrations)


mixtures = st.lists(st.floats(0.01, 1.0), min_size=len(VALENCE), max_size=len(VALENCE))


@settings(max_examples=30, deadline=None)
@given(mixtures, st.floats(275.0, 370.0))
def test_gibbs_duhem(amounts: list[float], temperature: float) -> None:
    """Diluting a mixture of nine ions: d[(phi − 1) M] = Σ m d ln gamma."""
    base = dict(zip(VALENCE, amounts, strict=True))
    h = 1e-3

    def excess(s: float) -> float:
        return (at({k: m * s for k, m in base.items()}, temperature)[1] - 1.0) * s * sum(amounts)

    def logs(s: float) -> np.ndarray:
        return np.array(list(at({k: m * s for k, m in base.items()}, temperature)[0].values()))

    def slope(f):
        return (8 * (f(1 + h) - f(1 - h)) - (f(1 + 2 * h) - f(1 - 2 * h))) / (12 * h)

    assert slope(excess) == pytest.approx(float(np.dot(amounts, slope(logs))), rel=1e-8, abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(mixtures)
def test_coefficients_are_those_of_one_gibbs_energy(amounts: list[float]) -> None:
    """∂ ln gamma_i / ∂ m_j = ∂ ln gamma_j / ∂ m_i: holds only where every term of each is right."""
    base = dict(zip(VALENCE, amounts, strict=True))
    n = len(base)
    matrix = np.empty((n, n))
    for j, name in enumerate(base):
        h = 1e-3 * base[name]
        shifted = [np.array(list(at({**base, name: base[name] + k * h})[0].values())) for k in (-2, -1, 1, 2)]
        matrix[:, j] = (8 * (shifted[2] - shifted[1]) - (shifted[3] - shifted[0])) / (12 * h)
    assert matrix == pytest.approx(matrix.T, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("cation", "anion", "nu"), [("Na", "Cl", (1, 1)), ("Ca", "Cl", (1, 2)), ("Mg", "SO4", (1, 1))])
def test_mean_coefficient_from_the_osmotic_coefficient(cation: str, anion: str, nu: tuple[int, int]) -> None:
    """ln gamma± = phi − 1 + ∫ (phi − 1) / m dm: with r = √m, 2 ∫ (phi − 1) / r dr."""
    salt = {cation: float(nu[0]), anion: float(nu[1])}

    def phi(m: float) -> float:
        return at({name: n * m for name, n in salt.items()})[1]

    def mean(m: float) -> float:
        found = at({name: n * m for name, n in salt.items()})[0]
        return (nu[0] * found[cation] + nu[1] * found[anion]) / sum(nu)

    low, high = 1e-4, 1.0
    integral = 2 * scipy.integrate.quad(lambda r: (phi(r * r) - 1) / r, np.sqrt(low), np.sqrt(high), epsabs=1e-12)[0]
    assert mean(high) - mean(low) == pytest.approx(phi(high) - phi(low) + integral, abs=1e-9)


def test_osmotic_coefficient_of_sodium_chloride() -> None:
    """0.9355 at 1 mol kg⁻¹ and 0.9324 at 0.1 (Robinson & Stokes), and 1 without ions."""
    assert at({"Na": 1.0, "Cl": 1.0})[1] == pytest.approx(0.9355, abs=0.002)
    assert at({"Na": 0.1, "Cl": 0.1})[1] == pytest.approx(0.9324, abs=0.002)
    assert at({"Na": 0.0, "Cl": 0.0})[1] == 1.0


def test_g_and_its_slope() -> None:
    x = np.linspace(0.05, 20, 400)
    h = 1e-5 * x
    slope = (_g(x + h) - _g(x - h)) / (2 * h)
    assert _g_slope(x) == pytest.approx(0.5 * x * slope, rel=1e-6, abs=1e-9)
    assert _g(1e-3) == pytest.approx(1.0, abs=1e-3)


def test_the_mixing_integral() -> None:
    """J(x) = x/4 − 1 + (1/x) ∫ (1 − exp(−(x/y) e^−y)) y² dy, Pitzer 1975; and x J' is its slope."""
    for x in (0.1, 0.3, 1.0, 2.35, 3.0, 9.4, 30.0, 100.0):
        integral = scipy.integrate.quad(
            lambda y, x=x: -np.expm1(-(x / y) * np.exp(-y)) * y * y, 0, np.inf, limit=500, epsabs=1e-13
        )[0]
        assert mixing_integral(x)[0] == pytest.approx(x / 4 - 1 + integral / x, rel=0.015)
        h = 1e-4 * x
        slope = (mixing_integral(x + h)[0] - mixing_integral(x - h)[0]) / (2 * h)
        assert mixing_integral(x)[1] == pytest.approx(x * slope, rel=1e-6)


def test_osmotic_slope() -> None:
    """A_phi = 0.391 at 25 °C and 0.461 at 100 °C (Bradley & Pitzer 1979; Archer & Wang: 0.3915)."""
    assert osmotic_slope(T25) == pytest.approx(0.3915, abs=2e-4)
    assert osmotic_slope(373.15) == pytest.approx(0.461, abs=1e-3)


def test_impermeants_act_through_the_ionic_strength_alone() -> None:
    valence, concentrations = {"K": 1, "Cl": -1}, {"K": 140.0, "Cl": 5.0}
    alone = log_gamma(valence, 72.5, T25, concentrations)
    crowded = log_gamma(valence, 140.0, T25, concentrations)
    assert crowded["K"] < alone["K"]


# The table


def test_the_table_names_ions_of_the_library_and_signs_that_fit() -> None:
    library = ion_library()
    assert parameter_table()
    for kind, names in parameter_table():
        assert names <= set(library)
        positive = sum(library[name].valence > 0 for name in names)
        assert len(names) == (3 if kind == "psi" else 2)
        assert positive in ((1,) if kind in SALT_PARAMETERS else (0, 2) if kind == "theta" else (1, 2))


def test_known_parameters() -> None:
    sodium_chloride = [find_parameter(kind, "Cl", "Na").value for kind in ("beta0", "beta1", "Cphi")]
    assert sodium_chloride == [0.07534, 0.2769, 0.00148]
    assert find_parameter("theta", "Na+", "K+").value == -0.012  # aliases of the ion library
    assert find_parameter("psi", "Ca", "Cl", "Na").value == -0.0148
    assert find_parameter("beta0", "Na", "K") is None


def test_exponents() -> None:
    assert [exponents(*z) for z in ((1, -1), (2, -1), (1, -2), (3, -1), (2, -2), (3, -2))] == [
        (2, 12),
        (2, 12),
        (2, 12),
        (2, 12),
        (1.4, 12),
        (2, 50),
    ]


def test_parameter_with_temperature() -> None:
    p = Parameter(1.0, (10.0, 0.1, 0.01, 1e-5, 100.0))
    t, t0 = 310.15, 298.15
    expected = 1 + 10 * (1 / t - 1 / t0) + 0.1 * np.log(t / t0) + 0.01 * (t - t0) + 1e-5 * (t**2 - t0**2)
    assert p.at(t) == pytest.approx(expected + 100 * (1 / t**2 - 1 / t0**2), rel=1e-14)
    assert p.at(t0) == 1.0


def test_bicarbonate_behaves_as_a_univalent_ion() -> None:
    """The later set of PHREEQC (beta2 = 6.84) gives 0.945 for NaHCO3 at 0.01 mol kg⁻¹: not this one."""
    found = at({"Na": 0.01, "HCO3": 0.01})[0]
    assert np.exp((found["Na"] + found["HCO3"]) / 2) == pytest.approx(0.90, abs=0.005)


def test_physiological_salts_are_all_there() -> None:
    inorganic = {"Na": 1, "K": 1, "Ca": 2, "Mg": 2, "Cl": -1, "HCO3": -1, "SO4": -2}
    assert missing_salts(inorganic) == []
    assert set(missing_mixing(inorganic)) == {("K", "Mg")}
    assert has_salt("Na", "HPO4")
    assert not has_salt("Ca", "HPO4")
    for a, b in combinations(("Na", "K"), 2):
        assert find_parameter("theta", a, b) is not None


def test_every_salt_is_physical_where_it_was_fitted() -> None:
    """Mean coefficients of all salts lie near those of their valence type (Davies) at I = 0.01 mol kg⁻¹."""
    library = ion_library()
    salts = [names for kind, names in parameter_table() if kind == "beta0"]
    assert salts
    for names in salts:
        cation, anion = sorted(names, key=lambda n: -library[n].valence)
        z, y = library[cation].valence, -library[anion].valence
        m = 0.01 / (0.5 * z * y * (z + y))  # ionic strength 0.01
        valence = {cation: z, anion: -y}
        rho = density(T25)
        found = log_gamma(valence, 0.01 * rho, T25, {cation: y * m * rho, anion: z * m * rho})
        mean = (y * found[cation] + z * found[anion]) / (y + z)
        davies = -1.1762 * z * y * (0.1 / 1.1 - 0.003)
        pairing = 2.0 if (z, y) == (2, 2) else 1.0  # 2-2 salts associate: lower than Davies
        assert mean == pytest.approx(davies, abs=0.02 * pairing * z * y), (cation, anion)
