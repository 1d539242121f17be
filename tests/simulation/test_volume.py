"""Volumes and areas that move: P2 against a twin written by hand, osmotic equilibrium, walls, neutral solutes.

The twins below know nothing of iontide: they are PHYSICS §4 and §5 typed again in plain floats, for SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from iontide import run
from iontide.analysis.audit.diagnostics import charge_balance, summary
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Compartment,
    Impermeant,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Recording,
    Simulation,
    Species,
)
from iontide.simulation.trajectory import Trajectory
from tests.support.models import (
    AREA,
    CAPACITANCE,
    P_K,
    TEMPERATURE,
    VOLUME,
    by_name,
    ghk,
    na_k_pump,
    p1,
    with_recording,
)
from tests.support.models import with_simulation as simulated

THERMAL = GAS_CONSTANT * TEMPERATURE / FARADAY  # V
WATER = 18e-6  # m³/mol


def p2(**changes: Any) -> Model:
    """Reference problem P2 of PERFORMANCE.md; ``changes`` go to the membrane."""
    model = p1()
    kcc2 = Pathway("pathways.KCC2", "mass_action", {"K": 1, "Cl": 1}, {"rate": 1e-10})
    plasma = model.membranes["plasma"]
    pathways = (*plasma.pathways, na_k_pump(parse_formula("pump_rate")), kcc2)
    cell = replace(model.compartments["cell"], water="osmotic")
    return replace(
        model,
        title="P2",
        compartments={**model.compartments, "cell": cell},
        membranes={"plasma": replace(plasma, pathways=pathways, water_permeability=2e-5, **changes)},
        parameters={"pump_rate": Parameter("pump_rate", 1.4e-6)},
        water_molar_volume=WATER,
        protocol=(ParameterStep(10_000.0, 20_000.0, {"pump_rate": 0.0}),),
        # Dense where it is fast: just after the start (2 ms) and after each step.
        recording=Recording(
            "list",
            times=tuple(
                sorted({0.0, *(float(s + t) for s in (0, 1e4, 2e4) for t in np.geomspace(1e-3, 9999.0, 60)), 36e3})
            ),
        ),
    )


def bernoulli(x: float) -> float:
    return x / math.expm1(x) if abs(x) > 1e-5 else 1.0 - x / 2.0 + x * x / 12.0


#: Sizes by which the twin's states are counted: K, Na, Cl (100 mM), volume, and potential (100 mV) or its charge.
CHARGE_SCALE = CAPACITANCE * AREA * 0.1
SIZES = np.array([100.0 * VOLUME] * 3 + [VOLUME])


def twin_p2(pump: float, sphere: bool) -> Callable[[float, NDArray], list[float]]:
    """P2 by hand: amounts, volume, and V (given area) or the charge Q = C A V (area of a sphere)."""
    sizes = [*SIZES, CHARGE_SCALE if sphere else 0.1]
    outside = {"K": 4.0, "Na": 146.0, "Cl": 150.0}
    p = {"K": P_K, "Na": 0.04 * P_K, "Cl": 0.45 * P_K}

    def rhs(_: float, scaled: NDArray) -> list[float]:
        k_n, na_n, cl_n, w, last = (float(y) * size for y, size in zip(scaled, sizes, strict=True))
        area = 4.0 * math.pi * (3.0 * w / (4.0 * math.pi)) ** (2.0 / 3.0) if sphere else AREA
        v = last / (CAPACITANCE * area) if sphere else last
        k, na, cl = k_n / w, na_n / w, cl_n / w
        x = v / THERMAL
        j_k = p["K"] * (bernoulli(-x) * k - bernoulli(x) * outside["K"])
        j_na = p["Na"] * (bernoulli(-x) * na - bernoulli(x) * outside["Na"])
        j_cl = p["Cl"] * (bernoulli(x) * cl - bernoulli(-x) * outside["Cl"])
        cycles = pump * (na / (na + 10.0)) ** 3 * (4.0 / (4.0 + 1.5)) ** 2
        kcc = 1e-10 * (k * cl - 4.0 * 150.0)
        j_k, j_na, j_cl = j_k - 2.0 * cycles + kcc, j_na + 3.0 * cycles, j_cl + kcc
        osmolarity_in = k + na + cl + 140.0 * VOLUME / w
        j_w = 2e-5 * WATER * (300.0 - osmolarity_in)
        current = FARADAY * (j_k + j_na - j_cl)
        rates = (-area * j_k, -area * j_na, -area * j_cl, -area * j_w)
        rates += (-area * current if sphere else -current / CAPACITANCE,)
        return [r / size for r, size in zip(rates, sizes, strict=True)]

    return rhs


def twin_states(trajectory: Trajectory, sphere: bool) -> NDArray:
    """What the twin has at every sample; SciPy starts again at each protocol step."""
    y = np.array([1.4, 0.1, 0.1, 1.0, 0.0])
    found = []
    for number, segment in enumerate(trajectory.run.segments):
        pump = 0.0 if number == 1 else 1.4e-6
        own = trajectory.time[trajectory.segment == number]
        result = scipy.integrate.solve_ivp(
            twin_p2(pump, sphere),
            (segment.start, segment.end),
            y,
            "LSODA",
            t_eval=own,
            rtol=1e-11,
            atol=1e-13,
        )
        assert result.success
        found.append(result.y.T)
        y = found[-1][-1]
    return np.concatenate(found)


def transient_error(trajectory: Trajectory, sphere: bool) -> float:
    """The error of PERFORMANCE.md: |y − y_ref| / (|y_ref| + 0.01 scale), the largest over samples and states."""
    assert trajectory.run.layout.amounts == (("cell", "K"), ("cell", "Na"), ("cell", "Cl"))
    mine = trajectory.states / np.array([*SIZES, CHARGE_SCALE if sphere else 0.1])
    theirs = twin_states(trajectory, sphere)
    return float(np.max(np.abs(mine - theirs) / (np.abs(theirs) + 0.01)))


# -- P2 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sphere", [False, True])
def test_p2_follows_its_twin_along_the_transient(sphere: bool) -> None:
    geometry = "sphere" if sphere else "given"
    trajectory = run(p2(geometry=geometry))
    assert trajectory.run.layout.charges is sphere
    assert transient_error(trajectory, sphere) < 1e-6
    tighter = run(simulated(p2(geometry=geometry), rtol=1e-9))
    assert transient_error(tighter, sphere) < 3e-8


def test_p2_swells_under_ouabain_and_recovers() -> None:
    trajectory = run(p2())
    volume = 1e15 * trajectory.volume("cell")  # pL
    at = {t: volume[np.searchsorted(trajectory.time, t)] for t in (0.0, 10_000.0, 20_000.0)}
    assert at[0.0] == pytest.approx(4.18879, abs=1e-5)
    assert at[10_000.0] == pytest.approx(4.13, abs=0.02)
    assert at[20_000.0] == pytest.approx(13.65, abs=0.01)
    assert volume[-1] == pytest.approx(at[10_000.0], rel=0.01)
    swelling = volume[trajectory.segment == 1]
    assert (np.diff(swelling) > 0).all()


@pytest.mark.parametrize("geometry", ["given", "sphere", "cylinder"])
def test_charge_is_exact_while_volume_and_area_move(geometry: str) -> None:
    changes = {"length": 25e-6} if geometry == "cylinder" else {}
    trajectory = run(p2(geometry=geometry, **changes))
    area, w = trajectory.area("plasma"), trajectory.volume("cell")
    expected = {
        "given": np.full(len(w), AREA),
        "sphere": 4.0 * np.pi * (3.0 * w / (4.0 * np.pi)) ** (2.0 / 3.0),
        "cylinder": 2.0 * np.pi * np.sqrt(w / (np.pi * 25e-6)) * 25e-6,
    }[geometry]
    np.testing.assert_allclose(area, expected, rtol=1e-13)
    assert bool(area.max() > 1.5 * area.min()) is (geometry != "given")
    # F Σ z n + … = C A V, every term by hand from the states; the sum of sizes is what it is relative to.
    k, na, cl = (trajectory.amount("cell", ion) for ion in ("K", "Na", "Cl"))
    fixed = trajectory.run.initial.residual_charge["cell"] - 140.0 * VOLUME
    stored = CAPACITANCE * area * trajectory.membrane_potential("plasma") / FARADAY
    whole = k + na + cl + 140.0 * VOLUME + np.abs(stored)
    assert np.max(np.abs(k + na - cl + fixed - stored) / whole) < 1e-12
    assert np.max(np.abs(charge_balance(trajectory)["cell"])) < 1e-12


# -- osmotic equilibrium ----------------------------------------------------------------------------------------------


def test_fast_water_tends_to_osmotic_equilibrium() -> None:
    def change(permeability: float | None) -> Trajectory:
        model = p2()
        cell = replace(model.compartments["cell"], water="equilibrium" if permeability is None else "osmotic")
        plasma = replace(model.membranes["plasma"], water_permeability=permeability)
        # 1 s and later: the first milliseconds charge the membrane faster than any water moves.
        times = tuple(float(t) for t in np.geomspace(1.0, 36_000.0, 50))
        return run(
            with_recording(
                replace(model, compartments={**model.compartments, "cell": cell}, membranes={"plasma": plasma}),
                "list",
                times=times,
            )
        )

    limit = change(None)
    np.testing.assert_allclose(limit.osmolarity("cell"), 300.0, rtol=1e-13)
    errors = [np.max(np.abs(change(pf).volume("cell") / limit.volume("cell") - 1.0)) for pf in (2e-4, 2e-3, 2e-2)]
    # The lag of the volume is inversely proportional to the permeability.
    assert errors[0] / errors[1] == pytest.approx(10.0, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(10.0, rel=0.05)
    assert errors[2] < 2e-5


def test_equilibrium_volume_conserves_charge_where_the_area_follows_it() -> None:
    model = p2(geometry="sphere")
    cell = replace(model.compartments["cell"], water="equilibrium")
    trajectory = run(replace(model, compartments={**model.compartments, "cell": cell}))
    assert trajectory.run.layout.charges
    assert not trajectory.run.layout.volumes
    assert summary(trajectory).max_charge_drift < 1e-12


def test_a_cell_with_impermeants_and_no_pump_swells_without_end() -> None:
    model = simulated(replace(p2(), protocol=(ParameterStep(0.0, None, {"pump_rate": 0.0}),)), duration=1e6)
    trajectory = run(with_recording(model, "log", points=200, first=100.0))
    volume = trajectory.volume("cell")
    assert (np.diff(volume[1:]) > 0).all()
    assert volume[-1] > 20.0 * volume[0]
    # There is no end to it: every doubling of the time adds as much as the one before, or more.
    doublings = np.diff(np.interp([1e6 / 8, 1e6 / 4, 1e6 / 2, 1e6], trajectory.time, volume))
    assert (np.diff(doublings) > 0).all()


# -- water alone ------------------------------------------------------------------------------------------------------

NEUTRAL = (Species("urea", 0), Species("sucrose", 0))


def bag(inside: dict[str, float], outside: dict[str, float], duration: float = 1e5, **changes: Any) -> Model:
    """A bag of neutral solutes in a bath of them; ``changes`` go to its membrane."""
    given: dict[str, Any] = {"potential": 0.0, "water_permeability": 1e-4, **changes}
    return Model(
        title="bag",
        species=by_name(NEUTRAL),
        compartments=by_name(
            [
                Compartment("cell", "finite", VOLUME, inside, water="osmotic"),
                Compartment("bath", "bath", None, outside),
            ]
        ),
        membranes=by_name([Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, **given)]),
        simulation=Simulation(duration),
        temperature=TEMPERATURE,
        water_molar_volume=WATER,
    )


def test_water_alone_shrinks_a_bag_as_its_closed_form_says() -> None:
    # dw/dt = k (n/w − c), k = A P_f v_w:  t = (w0 − w)/(k c) + n/(k c²) ln((n − c w0)/(n − c w)).
    trajectory = run(bag({"sucrose": 300.0}, {"sucrose": 600.0}, duration=300.0))
    w = trajectory.volume("cell")
    c, k = 600.0, AREA * 1e-4 * WATER
    sooner = w > 0.5001 * VOLUME
    assert sooner.sum() > 20
    w, n = w[sooner], 300.0 * VOLUME
    t = (VOLUME - w) / (k * c) + n / (k * c**2) * np.log((n - c * VOLUME) / (n - c * w))
    np.testing.assert_allclose(t, trajectory.time[sooner], rtol=1e-4, atol=1e-5)
    assert trajectory.volume("cell")[-1] / VOLUME == pytest.approx(0.5, rel=1e-6)


def test_a_solute_that_is_not_reflected_moves_no_water() -> None:
    outside = {"urea": 200.0, "sucrose": 300.0}
    inside = {"urea": 0.0, "sucrose": 300.0}
    for sigma in (0.0, 0.4, 1.0):
        trajectory = run(bag(inside, outside, 1e4, reflection={"urea": sigma}))
        # Nothing but water moves: sigma 200 + 300 = 300 (w0 / w), urea inside being none.
        assert trajectory.volume("cell")[-1] / VOLUME == pytest.approx(300.0 / (300.0 + 200.0 * sigma), rel=1e-7)
        assert trajectory.run.layout.amounts == ()
        first = trajectory.water_flux("plasma")[0]
        assert first == pytest.approx(1e-4 * WATER * sigma * 200.0, rel=1e-12, abs=1e-30)


def test_a_neutral_solute_enters_and_takes_water_with_it() -> None:
    # Urea outside: the bag first shrinks, then urea enters and the volume comes back to the sucrose's own.
    inside, outside = {"urea": 0.0, "sucrose": 300.0}, {"urea": 200.0, "sucrose": 300.0}
    trajectory = run(bag(inside, outside, pathways=(ghk("urea", 1e-8),)))
    w = trajectory.volume("cell") / VOLUME
    assert w.min() < 0.8
    assert w[-1] == pytest.approx(1.0, rel=1e-6)
    assert trajectory.concentration("cell", "urea")[-1] == pytest.approx(200.0, rel=1e-6)
    # Bath urea alone (no sucrose outside): nothing stops it, as in the classic haemolysis in urea.
    swollen = run(bag({"urea": 0.0, "sucrose": 300.0}, {"urea": 300.0, "sucrose": 0.0}, pathways=(ghk("urea", 1e-8),)))
    assert (np.diff(swollen.volume("cell")[5:]) > 0).all()
    assert swollen.volume("cell")[-1] > 5.0 * VOLUME


@pytest.mark.parametrize(("modulus", "slack"), [(1e6, 1.0), (5e6, 1.0), (2e6, 0.8), (1e6, 3.0)])
def test_the_pressure_of_a_wall_balances_the_osmotic_pressure(modulus: float, slack: float) -> None:
    inside, outside = {"sucrose": 500.0}, {"sucrose": 250.0}
    trajectory = run(bag(inside, outside, elastic_modulus=modulus, slack_volume=slack * VOLUME))
    # RT (500 / x − 250) = modulus (x / slack − 1) for x = w / w0: a quadratic; slack where x = 2 does not stretch it.
    rt = GAS_CONSTANT * TEMPERATURE
    a, b, c = modulus / slack, 250.0 * rt - modulus, -500.0 * rt
    x = 2.0 if slack >= 2.0 else (-b + math.sqrt(b * b - 4.0 * a * c)) / (2.0 * a)
    assert trajectory.volume("cell")[-1] / VOLUME == pytest.approx(x, rel=1e-7)
    assert trajectory.water_flux("plasma")[-1] == pytest.approx(0.0, abs=1e-7 * 1e-4 * WATER * 250.0)
    pressure = modulus * max(x / slack - 1.0, 0.0)
    assert rt * (trajectory.osmolarity("cell")[-1] - 250.0) == pytest.approx(pressure, rel=1e-6, abs=1.0)


def test_two_closed_compartments_share_their_water() -> None:
    model = bag({"sucrose": 300.0}, {"sucrose": 600.0}, 1e4)
    other = Compartment("bath", "finite", 2 * VOLUME, {"sucrose": 600.0}, water="osmotic")
    trajectory = run(replace(model, compartments={**model.compartments, "bath": other}))
    both = trajectory.volume("cell") + trajectory.volume("bath")
    np.testing.assert_allclose(both, 3 * VOLUME, rtol=1e-13)
    assert trajectory.volume("cell")[-1] == pytest.approx(3 * VOLUME * 300.0 / 1500.0, rel=1e-7)
    assert trajectory.potential("cell")[-1] == 0.0


def test_impermeants_count_in_the_osmolarity() -> None:
    # 100 mM of an uncharged impermeant more inside than in the bath beside it, in "equilibrium" from the start.
    model = bag({"sucrose": 200.0}, {"sucrose": 200.0}, 10.0)
    extra = (Impermeant("X", 0.0, concentration=100.0),)
    cell = replace(model.compartments["cell"], water="equilibrium", impermeants=extra)
    trajectory = run(replace(model, compartments={**model.compartments, "cell": cell}))
    np.testing.assert_allclose(trajectory.volume("cell"), 1.5 * VOLUME, rtol=1e-14)
    bath = replace(model.compartments["bath"], impermeants=extra)
    level = run(replace(model, compartments={"cell": cell, "bath": bath}))
    np.testing.assert_allclose(level.volume("cell"), VOLUME, rtol=1e-14)
