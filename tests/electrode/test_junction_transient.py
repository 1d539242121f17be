"""The junction in time: closed forms, order of convergence, what must be conserved, and the same equations by Radau."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.electrode.junctions import transient as forming
from iontide.electrode.junctions.transient import form_junction
from iontide.electrode.junctions.transient_equations import FormingEquations, graded_widths
from iontide.errors import SolverError, UsageError
from iontide.physics.activity.debye_hueckel import VACUUM_PERMITTIVITY
from iontide.physics.activity.water import permittivity

K, NA, CL, MG, H = 1.9572e-9, 1.3344e-9, 2.0320e-9, 0.7063e-9, 9.3110e-9
ROOM = 298.15
RTF = R * ROOM / F
EPSILON = VACUUM_PERMITTIVITY * permittivity(ROOM)

#: Valences, diffusion coefficients, pipette, bath.
BI_IONIC = ([1, 1, -1], [NA, K, CL], [50.0, 0.0, 50.0], [0.0, 50.0, 50.0])
FIVE = ([1, 1, 2, -1, -1], [NA, K, MG, CL, 1.0e-9], [10.0, 140.0, 1.0, 12.0, 140.0], [145.0, 5.0, 2.0, 154.0, 0.0])
MAGNESIUM = ([2, 1, -1], [MG, NA, CL], [60.0, 0.0, 120.0], [0.0, 100.0, 100.0])
NOTHING_IN_COMMON = ([1, 1, -1, -1], [NA, K, CL, 2.08e-9], [100.0, 0.0, 100.0, 0.0], [0.0, 100.0, 0.0, 100.0])
SALT = ([1, -1], [NA, CL], [100.0, 100.0], [10.0, 10.0])


def salt(z, d, pipette, bath):
    """One salt on both sides, concentrations of the salt; and the potential between the two."""
    (zc, za), (dc, da) = z, d
    parts = np.array([-za, zc]) / np.gcd(zc, za)
    exact = (dc - da) / (zc * dc - za * da) * RTF * np.log(pipette / bath)
    return (z, d, pipette * parts, bath * parts), exact


# -- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "d", "pipette", "bath", "tolerance"),
    [
        ((1, -1), (NA, CL), 100.0, 10.0, 5e-6),
        ((1, -1), (NA, CL), 20.0, 200.0, 5e-6),
        ((1, -1), (H, CL), 100.0, 30.0, 5e-6),
        ((2, -1), (MG, CL), 100.0, 20.0, 5e-6),
        ((1, -2), (NA, 1.065e-9), 10.0, 100.0, 5e-6),
        ((1, -1), (NA, CL), 100.0, 0.1, 2e-4),
    ],
)
def test_stationary_potential_of_one_salt(z, d, pipette, bath, tolerance):
    problem, exact = salt(z, d, pipette, bath)
    found = form_junction(*problem)
    assert found.junction_potential[-1] == pytest.approx(exact, abs=tolerance)
    # Both ions lie on a straight line between the ends.
    x = found.position / 1e-3
    line = (1.0 - x[:, None]) * problem[2] + x[:, None] * problem[3]
    np.testing.assert_allclose(found.concentrations[-1], line, atol=2e-3 * max(pipette, bath))


def test_the_dilute_side_is_negative_where_the_anion_is_faster():
    found = form_junction(*SALT)
    assert -12.3e-3 < found.junction_potential[-1] < -12.2e-3
    assert (np.diff(found.potential[-1]) < 0.0).all()


def test_second_order_in_space():
    problem, exact = salt((1, -1), (NA, CL), 100.0, 10.0)
    stationary, early = [], []
    for cells in (80, 160, 320):
        found = form_junction(*problem, cells=cells, times=[1e-3, 1e4])
        early.append(found.junction_potential[1] - exact)
        stationary.append(found.junction_potential[2] - exact)
    for errors, at_last in ((stationary, 1e-6), (early, 2e-6)):
        orders = np.log2(np.divide(errors[:-1], errors[1:]))
        np.testing.assert_allclose(orders, 2.0, atol=0.12)
        assert abs(errors[-1]) < at_last


def test_free_diffusion_of_one_salt():
    """Before the ends are felt: erf of the salt's own coefficient, and the same potential at all times."""
    z, d = (2, -1), (MG, CL)
    problem, exact = salt(z, d, 100.0, 20.0)
    both = (z[0] - z[1]) * d[0] * d[1] / (z[0] * d[0] - z[1] * d[1])
    times = np.geomspace(1e-5, 1e-2, 7) * 1e-6 / both
    found = form_junction(*problem, times=times)
    np.testing.assert_allclose(found.junction_potential[1:], exact, atol=1.2e-5)
    share = 0.5 * (1.0 + scipy.special.erf((found.position - 0.5e-3) / np.sqrt(4.0 * both * found.time[1:, None])))
    expected = problem[2] + share[..., None] * np.subtract(problem[3], problem[2])
    np.testing.assert_allclose(found.concentrations[1:], expected, atol=0.3)


@pytest.mark.parametrize("problem", [BI_IONIC, FIVE, MAGNESIUM, NOTHING_IN_COMMON])
def test_free_diffusion_keeps_its_potential(problem):
    """What depends on x / √t only has one potential; at first it is that of the sharp step."""
    found = form_junction(*problem, times=np.geomspace(1e-5, 3e-3, 9) * 1e-6 / max(problem[1]))
    early = found.junction_potential[1:]
    np.testing.assert_allclose(early, early.mean(), atol=1e-6)
    z, d, left, right = map(np.asarray, problem)

    def current(u):
        x = z * u
        return z @ (d * (x / np.expm1(x) * left - x / -np.expm1(-x) * right))

    assert found.junction_potential[0] == pytest.approx(
        RTF * scipy.optimize.brentq(current, -9.0, 9.1, xtol=1e-15), rel=1e-12
    )
    # And one profile: at four times the time it stands twice as far from the middle.
    late = form_junction(*problem, times=np.array([1e-3, 4e-3]) * 1e-6 / max(problem[1]))
    middle = late.position - 0.5e-3
    near = np.abs(middle) < 0.2e-3
    for first, second in zip(late.concentrations[1].T, late.concentrations[2].T, strict=True):
        stretched = np.interp(2.0 * middle[near], middle, second)
        np.testing.assert_allclose(first[near], stretched, atol=4e-3 * max(first.max(), 1.0))


def test_two_salts_of_one_concentration():
    """Stationary, and there only, the potential is Henderson's."""
    found = form_junction(*BI_IONIC)
    assert found.junction_potential[-1] == pytest.approx(RTF * np.log((NA + CL) / (K + CL)), abs=1e-9)
    assert found.junction_potential[60] == pytest.approx(-4.3585e-3, abs=1e-7)


def by_shooting(problem):
    """The stationary potential: constant fluxes without current, found so that the far end is met."""
    z, d, left, right = (np.array(x, dtype=float) for x in problem)
    d = d / d.max()

    def across(kept):
        flux = np.append(kept, -(z[:-1] @ kept) / z[-1])

        def slopes(_, y):
            field = -(z @ (flux / d)) / (z**2 @ y[:-1])
            return np.append(-flux / d - z * y[:-1] * field, field)

        return scipy.integrate.solve_ivp(
            slopes, (0.0, 1.0), np.append(left, 0.0), rtol=1e-11, atol=1e-11, method="DOP853"
        ).y[:, -1]

    kept = scipy.optimize.fsolve(
        lambda kept: across(kept)[: len(kept)] - right[:-1], (d * (left - right))[:-1], xtol=1e-12
    )
    assert np.abs(across(kept)[:-1] - right).max() < 1e-7
    return RTF * across(kept)[-1]


@pytest.mark.parametrize(
    "problem",
    [FIVE, MAGNESIUM, ([3, 1, -2], [0.6e-9, K, 1.07e-9], [10.0, 0.0, 15.0], [0.0, 60.0, 30.0])],
)
def test_stationary_potential_of_many_ions(problem):
    found = form_junction(*problem)
    assert found.junction_potential[-1] == pytest.approx(by_shooting(problem), abs=2e-6)


def test_what_does_not_move_holds_a_donnan_potential():
    """Equilibrium about a fixed anion: each half uniform, no electrochemical difference of what moves."""
    left, right = np.array([100.0, 40.0, 60.0]), np.array([50.0, 50.0, 0.0])
    found = form_junction([1, -1, -1], [K, CL, 0.0], left, right, ends="closed")
    fixed, total = 60.0, 90.0  # of the anion on the left; of chloride on both sides
    chloride = scipy.optimize.brentq(lambda c: c * (c + fixed) - (total - c) ** 2, 0.0, total)
    assert found.junction_potential[-1] == pytest.approx(
        RTF * np.log((chloride + fixed) / (total - chloride)), abs=1e-9
    )
    np.testing.assert_allclose(found.concentrations[-1, :, 2], np.repeat([60.0, 0.0], 60), atol=1e-13)
    np.testing.assert_allclose(found.concentrations[-1, :, 1], np.repeat([chloride, total - chloride], 60), rtol=1e-5)


# -- what must hold ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["held", "closed"])
@pytest.mark.parametrize("problem", [SALT, FIVE, MAGNESIUM, NOTHING_IN_COMMON])
def test_no_cell_is_ever_charged(problem, ends):
    found = form_junction(*problem, ends=ends, cells=60)
    z = np.array(problem[0], dtype=float)
    assert np.abs(found.concentrations @ z / (found.concentrations @ np.abs(z))).max() < 1e-14
    assert found.concentrations.min() > -1e-13 * max(problem[2])


@pytest.mark.parametrize("poisson", [False, True])
@pytest.mark.parametrize("problem", [SALT, FIVE, MAGNESIUM, NOTHING_IN_COMMON])
def test_closed_ends_keep_all_amounts(problem, poisson):
    found = form_junction(*problem, ends="closed", poisson=poisson, width=1e-6, cells=60)
    amounts = np.einsum("c,sci->si", found.widths, found.concentrations)
    np.testing.assert_allclose(amounts, np.broadcast_to(amounts[0], amounts.shape), rtol=1e-12)
    np.testing.assert_allclose(amounts[0], 0.5e-6 * np.add(problem[2], problem[3]), rtol=1e-12)
    assert abs(found.junction_potential[-1]) < 1e-9
    np.testing.assert_array_equal(found.potential[:, 0], 0.0)
    mixed = np.add(problem[2], problem[3]) / 2.0
    np.testing.assert_allclose(found.concentrations[-1], np.broadcast_to(mixed, (60, len(mixed))), rtol=1e-6)


def test_rare_ions_keep_their_amounts_too():
    """Seven orders of magnitude between ions: each to rounding of its own."""
    z, d = [2, 1, 3, -3, -1, -1], [7.4e-10, 2.2e-11, 2.2e-10, 2.5e-10, 1.9e-11, 7.9e-10]
    pipette = np.array([0.0, 0.0, 173.0, 1.0, 2.0, 514.0])
    bath = np.array([3e-5, 3e-4, 0.1, 0.1, 0.0, 3.6e-4])
    found = form_junction(z, d, pipette, bath, ends="closed", cells=60)
    np.testing.assert_allclose(found.concentrations[-1].T @ found.widths, 0.5e-3 * (pipette + bath), rtol=1e-12)


def test_a_trace_diffuses_as_a_tracer():
    """A billionth of an ion among others that stay: its own coefficient, held to its own tolerance."""
    trace = 1e-7
    times = np.geomspace(0.01, 5.0, 20)
    found = form_junction([1, 1, -1], [NA, K, CL], [100.0, trace, 100.0 + trace], [100.0, 0.0, 100.0], times=times)
    x = (found.position - 0.5e-3) / np.sqrt(4.0 * K * found.time[1:, None])
    np.testing.assert_allclose(found.concentrations[1:, :, 1] / trace, 0.5 - 0.5 * scipy.special.erf(x), atol=3e-3)
    assert found.steps > 50


def test_what_rounding_leaves_of_charge_goes_to_the_most_abundant_ion():
    z, d, pipette, bath = FIVE
    almost = [*pipette[:-1], pipette[-1] * (1.0 + 5e-10)]
    found, exact = form_junction(z, d, almost, bath), form_junction(*FIVE)
    np.testing.assert_allclose(found.junction_potential, exact.junction_potential, atol=1e-10)
    assert np.abs(found.concentrations @ np.array(z, dtype=float)).max() < 1e-11


def test_steps_that_make_anything_negative_are_not_taken(monkeypatch):
    """Even where the error of a step would let them pass."""
    monkeypatch.setattr(forming, "LITTLE", 1e3)
    monkeypatch.setattr(forming, "LITTLE_POTENTIAL", 1e9)
    found = form_junction(*NOTHING_IN_COMMON)
    assert found.steps < 100
    assert found.concentrations.min() >= -1e-12 * 100.0


@pytest.mark.parametrize(("ends", "poisson"), [("held", False), ("closed", True)])
def test_swapped_sides_and_the_order_of_ions(ends, poisson):
    z, d, pipette, bath = FIVE
    options = {"ends": ends, "poisson": poisson, "width": 1e-6, "cells": 60}
    found, swapped = form_junction(*FIVE, **options), form_junction(z, d, bath, pipette, **options)
    np.testing.assert_allclose(swapped.junction_potential, -found.junction_potential, atol=1e-12)
    np.testing.assert_allclose(swapped.concentrations[:, ::-1], found.concentrations, atol=1e-9)
    order = [3, 0, 4, 2, 1]
    turned = form_junction(*(np.array(x)[order] for x in FIVE), **options)
    np.testing.assert_allclose(turned.junction_potential, found.junction_potential, atol=1e-12)
    np.testing.assert_allclose(turned.concentrations, found.concentrations[..., order], atol=1e-9)
    absent = form_junction([*z, -1], [*d, 1e-11], [*pipette, 0.0], [*bath, 0.0], **options)
    np.testing.assert_array_equal(absent.junction_potential, found.junction_potential)
    assert not absent.concentrations[..., 5].any()


@pytest.mark.parametrize("poisson", [False, True])
def test_one_solution_on_both_sides(poisson):
    found = form_junction(*FIVE[:3], FIVE[2], poisson=poisson)
    assert not found.junction_potential.any()
    assert not found.potential.any()
    np.testing.assert_allclose(found.concentrations, np.broadcast_to(FIVE[2], (121, 120, 5)), rtol=1e-15)


def test_the_shape_of_a_result():
    found = form_junction(*FIVE, width=2e-3, duration=100.0, cells=50)
    assert found.time.shape == found.junction_potential.shape == (121,)
    assert found.time[0] == 0.0
    np.testing.assert_allclose(found.time[[1, -1]], [1e-4, 100.0])
    assert found.concentrations.shape == (121, 50, 5)
    assert found.potential.shape == (121, 50)
    assert found.widths.sum() == pytest.approx(2e-3)
    np.testing.assert_allclose(found.position, np.cumsum(found.widths) - found.widths / 2.0)
    np.testing.assert_allclose(found.widths, found.widths[::-1])
    np.testing.assert_array_equal(found.concentrations[0, :25], np.broadcast_to(FIVE[2], (25, 5)))
    np.testing.assert_array_equal(found.concentrations[0, 25:], np.broadcast_to(FIVE[3], (25, 5)))
    assert found.steps > 50


def test_times_scale_with_the_square_of_the_width_and_potentials_with_temperature():
    one = form_junction(*FIVE, duration=10.0)
    other = form_junction(*FIVE, width=1e-2, duration=1000.0, temperature=310.15)
    np.testing.assert_allclose(other.time, 100.0 * one.time)
    np.testing.assert_allclose(other.junction_potential, one.junction_potential * 310.15 / ROOM, rtol=1e-9)
    np.testing.assert_allclose(other.concentrations, one.concentrations, atol=1e-9)


def test_a_neutral_solute_goes_its_own_way():
    z, d, pipette, bath = FIVE
    found = form_junction([*z, 0], [*d, 0.67e-9], [*pipette, 10.0], [*bath, 4.0], duration=30.0)
    alone = form_junction(*FIVE, duration=30.0)
    np.testing.assert_allclose(found.junction_potential, alone.junction_potential, atol=1e-11)
    x = (found.position - 0.5e-3) / np.sqrt(4.0 * 0.67e-9 * found.time[70:90, None])
    np.testing.assert_allclose(found.concentrations[70:90, :, 5], 7.0 - 3.0 * scipy.special.erf(x), atol=0.02)


def test_samples_do_not_change_the_steps():
    whole = form_junction(*FIVE, duration=300.0)
    few = form_junction(*FIVE, times=[3.0, 300.0])
    assert whole.steps == few.steps
    np.testing.assert_array_equal(whole.concentrations[-1], few.concentrations[-1])
    stopped = form_junction(*FIVE, times=[0.0, 3.0])  # there by a step of its own, not by interpolation
    np.testing.assert_allclose(stopped.concentrations[-1], few.concentrations[1], atol=1e-6)
    assert stopped.junction_potential[-1] == pytest.approx(few.junction_potential[1], abs=1e-9)


def test_the_tolerance_is_kept():
    reference = form_junction(*FIVE, rtol=1e-9, duration=300.0, cells=60)
    for rtol in (1e-4, 1e-6):
        found = form_junction(*FIVE, rtol=rtol, duration=300.0, cells=60)
        np.testing.assert_allclose(found.concentrations, reference.concentrations, rtol=0.0, atol=30.0 * rtol)
        np.testing.assert_allclose(found.junction_potential, reference.junction_potential, atol=rtol * RTF)


def test_coarse_steps_make_nothing_negative():
    """Where an interpolant would be negative, the sample is the end of a step of its own."""
    z, d = [-1, 1, 0, -1, -1, -2], [6.8e-11, 1.6e-11, 2.7e-11, 1.4e-11, 1.6e-11, 3.7e-11]
    pipette, bath = [0.0, 220.0, 40.0, 4.4, 212.2, 1.7], [0.0, 90.4, 1.3, 3.6, 0.0, 43.4]
    found = form_junction(z, d, pipette, bath, rtol=5e-3)
    assert (found.concentrations.min(axis=(0, 1)) >= -1e-12 * np.maximum(pipette, bath)).all()


# -- charge that separates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["held", "closed"])
def test_gauss_law(ends):
    found = form_junction(*FIVE, poisson=True, width=1e-7, ends=ends)
    field = -np.diff(found.potential, axis=1) / np.diff(found.position)
    if ends == "closed":
        field = np.pad(field, ((0, 0), (1, 1)))
    cells = slice(1, -1) if ends == "held" else slice(None)
    charge = F * (found.concentrations @ np.array(FIVE[0], dtype=float))[:, cells] * found.widths[cells]
    np.testing.assert_allclose(EPSILON * np.diff(field, axis=1), charge, atol=1e-9 * np.abs(charge).max())
    assert np.abs(charge).max() > 1e-5 * F * 1e-7


@pytest.mark.parametrize("problem", [FIVE, BI_IONIC, MAGNESIUM])
def test_a_micrometre_is_electroneutral_in_the_end(problem):
    found, neutral = (form_junction(*problem, poisson=poisson, width=1e-6) for poisson in (True, False))
    assert found.junction_potential[-1] == pytest.approx(neutral.junction_potential[-1], abs=1e-6)
    np.testing.assert_allclose(found.concentrations[-1], neutral.concentrations[-1], rtol=1e-3, atol=1e-6)
    # On the way too, as soon as the profile is far wider than the few nm of charge.
    late = found.time > 1e-5
    again = form_junction(*problem, times=found.time[late], width=1e-6)
    np.testing.assert_allclose(found.junction_potential[late], again.junction_potential[1:], atol=2e-4)


def test_the_potential_rises_as_charge_relaxes():
    """Where conductivity is one everywhere, φ = φ_∞ (1 − exp(−t/τ)), τ = ε / σ, whatever the profile does."""
    problem, exact = salt((1, -1), (NA, CL), 100.0, 99.9)
    tau = EPSILON * RTF / (F * 99.95 * (NA + CL))
    found = form_junction(*problem, poisson=True, width=1e-6, times=tau * np.geomspace(0.01, 30.0, 20))
    expected = -exact * np.expm1(-found.time / tau)
    np.testing.assert_allclose(found.junction_potential, expected, rtol=2e-3)


def test_the_first_rise_of_the_potential():
    """ε dφ/dt = F Σ z D (c_pipette − c_bath), the current of a sharp step."""
    z, d, pipette, bath = map(np.array, FIVE)
    slope = F / EPSILON * (z * d) @ (pipette - bath)
    found = form_junction(*FIVE, poisson=True, width=1e-6)
    assert found.junction_potential[0] == 0.0
    tau = EPSILON * RTF / (F * (z**2 * d) @ bath)
    assert found.time[1] == pytest.approx(tau / 10.0, rel=1e-6)
    first = form_junction(*FIVE, poisson=True, width=1e-6, times=[1e-4 * tau])
    assert first.junction_potential[1] == pytest.approx(slope * 1e-4 * tau, rel=1e-3)


# -- the same equations another way -----------------------------------------------------------------------------------


def by_radau(problem, found, ends, poisson, width):
    """All concentrations as unknowns, each face's potential by a root (or as one more unknown), by scipy's Radau."""
    z, d, left, right = (np.array(x, dtype=float) for x in problem)
    cells = len(found.widths)
    gaps = np.diff(found.position, prepend=0.0, append=width)
    faces = range(cells + 1) if ends == "held" else range(1, cells)

    def flux(u, f, c):
        x = np.where(z * u == 0.0, 1e-12, z * u)
        on_left, on_right = c[f - 1] if f else left, c[f] if f < cells else right
        return d / gaps[f] * (x / np.expm1(x) * on_left - x / -np.expm1(-x) * on_right)

    def rates(_, y):
        c = y[: cells * len(z)].reshape(cells, len(z))
        fluxes, du = np.zeros((cells + 1, len(z))), np.zeros(cells + 1)
        for f in faces:
            u = (
                y[cells * len(z) + f]
                if poisson
                else scipy.optimize.brentq(lambda u, f=f: z @ flux(u, f, c), -20.0, 20.1, xtol=1e-14)
            )
            fluxes[f] = flux(u, f, c)
            du[f] = z @ fluxes[f] * F * gaps[f] / (EPSILON * RTF)
        dc = (fluxes[:-1] - fluxes[1:]) / found.widths[:, None]
        return np.concatenate([dc.ravel(), du]) if poisson else dc.ravel()

    start = np.repeat([left, right], cells // 2, axis=0).ravel()
    start = np.concatenate([start, np.zeros(cells + 1)]) if poisson else start
    times = found.time[1:]
    way = scipy.integrate.solve_ivp(rates, (0.0, times[-1]), start, method="Radau", t_eval=times, rtol=1e-7, atol=1e-7)
    return way.y[: cells * len(z)].T.reshape(len(times), cells, len(z))


@pytest.mark.parametrize(
    ("problem", "ends", "poisson", "width"),
    [
        (MAGNESIUM, "held", False, 1e-3),
        (BI_IONIC, "closed", False, 1e-3),
        (MAGNESIUM, "held", True, 1e-8),
        (BI_IONIC, "closed", True, 1e-8),
    ],
)
def test_radau_finds_the_same(problem, ends, poisson, width):
    times = np.array([1e-3, 1e-2, 0.1, 0.3]) * width**2 / CL
    found = form_junction(*problem, ends=ends, poisson=poisson, width=width, cells=8, times=times, rtol=1e-8)
    expected = by_radau(problem, found, ends, poisson, width)
    np.testing.assert_allclose(found.concentrations[1:], expected, atol=3e-5)


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("screening", [0.0, 1e-3])
def test_the_derivatives(held, screening):
    z, d = np.array([1.0, 2.0, -1.0, 0.0, -2.0]), np.array([0.5, 0.3, 1.0, 0.2, 0.1])
    left, right = np.array([0.3, 0.1, 0.5, 0.2, 0.0]), np.array([0.1, 1e-3, 0.1, 0.2, 1e-3])
    equations = FormingEquations(z, d, left, right, graded_widths(8, 0.1), held, screening)
    y = equations.start() + 0.1 * np.random.default_rng(1).random(len(equations.mass))
    band, n, size = equations.descent(y), equations.band, len(y)
    found = np.zeros((size, size))
    for column in range(size):
        for row in range(max(0, column - n), min(size, column + n + 1)):
            found[row, column] = -band[2 * n + row - column, column]
    steps = 1e-6 * np.eye(size)
    by_differences = np.array([equations.rates(y + e) - equations.rates(y - e) for e in steps]).T / 2e-6
    np.testing.assert_allclose(found, by_differences, atol=1e-8 * np.abs(found).max())


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"valences": [1, 1, -1, -1]}, "must be of one length, got 4, 3, 3 and 3"),
        ({"valences": [[1, 1, -1]]}, r"valences must be an array of one axis .* got shape \(1, 3\)"),
        ({"valences": []}, r"got shape \(0,\)"),
        ({"valences": ["Na", "K", "Cl"]}, "valences must be an array of numbers"),
        ({"valences": [1, 1, np.nan]}, "valences must be finite, got nan"),
        (
            {"diffusion_coefficients": [NA, -K, CL]},
            "diffusion_coefficients must be finite and at least 0, got -1.9572e-09",
        ),
        ({"diffusion_coefficients": [0.0, K, 0.0]}, "pipette must hold an ion that moves"),
        ({"pipette": [50.0, np.inf, 50.0]}, "pipette must be finite and at least 0, got inf"),
        ({"pipette": [0.0, 0.0, 0.0]}, "pipette must hold ions, got a solution without any"),
        ({"bath": [0.0, 0.0, 0.0]}, "bath must hold ions"),
        ({"bath": [0.0, 50.0, 49.0]}, "bath must be electroneutral, got a charge of 1 mol"),
        ({"ends": "open"}, "ends must be 'held' or 'closed', got 'open'"),
        ({"cells": 7}, "cells must be an even number of at least 8, got 7"),
        ({"cells": 6}, "cells must be an even number of at least 8, got 6"),
        ({"cells": 120.0}, "cells must be an even number"),
        ({"width": 0.0}, "width must be a number greater than 0, got 0.0"),
        ({"temperature": -1.0}, "temperature must be a number greater than 0"),
        ({"temperature": 400.0, "poisson": True}, "temperature must be from 273.15 to 373.15 K with poisson, got 400"),
        ({"rtol": 0.1}, "rtol must be from 1e-12 to 1e-2, got 0.1"),
        ({"duration": "long"}, "duration must be a number greater than 0, got 'long'"),
        ({"duration": 1.0, "times": [0.0, 1.0]}, "duration and times must not both be given"),
        ({"times": [0.0, 2.0, 1.0]}, "times must rise"),
        ({"times": [0.0]}, "times must rise, and the last must be greater than 0"),
        ({"times": [-1.0, 1.0]}, "times must be finite and at least 0, got -1"),
    ],
)
def test_what_is_refused(change, message):
    names = ("valences", "diffusion_coefficients", "pipette", "bath")
    with pytest.raises(UsageError, match=message):
        form_junction(**dict(zip(names, BI_IONIC, strict=True)) | change)


def test_what_moves_one_way_only():
    """A cation that moves on the left and an anion that moves on the right: nothing can balance their current."""
    with pytest.raises(UsageError, match="carry current both ways"):
        form_junction([1, -1, 1, -1], [NA, 0.0, 0.0, CL], [10.0, 10.0, 0.0, 0.0], [0.0, 0.0, 10.0, 10.0])


def test_too_many_steps(monkeypatch):
    monkeypatch.setattr(forming, "MOST_STEPS", 20)
    with pytest.raises(SolverError, match=r"needs more than 20 steps: at .* of the duration"):
        form_junction(*BI_IONIC)
