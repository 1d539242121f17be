"""Reactions within a compartment, exchange with another, injected currents: what they keep, against closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from iontide import run
from iontide.analysis.audit.diagnostics import charge_balance, summary, warnings
from iontide.constants import FARADAY
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Compartment,
    Exchange,
    Impermeant,
    Injection,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Reaction,
    Recording,
    Simulation,
    Species,
)
from tests.support.models import AREA, CAPACITANCE, TEMPERATURE, VOLUME, by_name, closed_pair, ghk, ohmic, p1

# -- reactions --------------------------------------------------------------------------------------------------------

BUFFER = {"Ca": Species("Ca", 2), "B": Species("B", -2), "CaB": Species("CaB", 0), "Cl": Species("Cl", -1)}


def buffered(**changes: Any) -> Model:
    """Ca + B ⇌ CaB with K_d = 1/100 mM in a cell; its Ca, B and CaB do not leave, Cl does."""
    inside = {"Ca": 0.5, "B": 0.2, "CaB": 0.0, "Cl": 10.0}
    bath = {"Ca": 1.0, "B": 0.0, "CaB": 0.0, "Cl": 10.0}
    given: dict[str, Any] = {
        "reactions": (Reaction("buffer", "cell", {"Ca": 1, "B": 1}, {"CaB": 1}, 5.0, 0.05),),
        "recording": Recording("linear", 201),
        "simulation": Simulation(20.0, 1e-9),
        **changes,
    }
    return Model(
        title="buffer",
        species=BUFFER,
        compartments=by_name(
            [
                Compartment("cell", "finite", VOLUME, inside, (Impermeant("X", 1.0),)),
                Compartment("bath", "bath", None, bath),
            ]
        ),
        membranes=by_name(
            [Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, potential=0.0, pathways=(ghk("Cl", 1e-8),))]
        ),
        temperature=TEMPERATURE,
        **given,
    )


def test_a_buffer_relaxes_to_its_equilibrium_as_the_closed_form_says() -> None:
    trajectory = run(buffered())
    ca, b, bound = (trajectory.concentration("cell", name) for name in ("Ca", "B", "CaB"))
    # dx/dt = kf (a − x)(b − x) − kb x = kf (x − r1)(x − r2), x = CaB, r1 < r2.
    total, buffer, kd = 0.5, 0.2, 0.01
    half = total + buffer + kd
    root = np.sqrt(half**2 - 4.0 * total * buffer)
    r1, r2 = 0.5 * (half - root), 0.5 * (half + root)
    fall = np.exp(-5.0 * (r2 - r1) * trajectory.time)
    expected = r1 * r2 * (1.0 - fall) / (r2 - r1 * fall)
    np.testing.assert_allclose(bound, expected, rtol=1e-7, atol=1e-9)
    assert ca[-1] * b[-1] / bound[-1] == pytest.approx(kd, rel=1e-8)
    np.testing.assert_allclose(ca + bound, 0.5, rtol=1e-12)
    np.testing.assert_allclose(b + bound, 0.2, rtol=1e-12)
    assert np.max(np.abs(charge_balance(trajectory)["cell"])) < 1e-12


def test_a_buffer_that_conserves_is_not_warned_of() -> None:
    assert summary(run(buffered())).max_mass_drift < 1e-12


def test_stoichiometry_counts_as_a_power_and_as_a_number() -> None:
    # 2 Ca → 1 B with forward 0.1: d[Ca]/dt = −2 k [Ca]², so that 1/[Ca] grows by 2 k t.
    reaction = Reaction("pairs", "cell", {"Ca": 2}, {"CaB": 1}, 0.1, 0.0)
    trajectory = run(buffered(reactions=(reaction,)))
    ca = trajectory.concentration("cell", "Ca")
    np.testing.assert_allclose(1.0 / ca, 2.0 + 0.2 * trajectory.time, rtol=1e-8)
    np.testing.assert_allclose(trajectory.concentration("cell", "CaB"), 0.5 * (0.5 - ca), rtol=1e-7, atol=1e-10)


def test_a_rate_may_be_a_formula_over_what_is_there() -> None:
    # Michaelis and Menten written by hand: dC/dt = −C · 0.3 / (1 + C), so ln C + C falls by 0.3 t.
    reaction = Reaction("enzyme", "cell", {"Ca": 1}, {"CaB": 1}, parse_formula("0.3 /s / (1 + Ca / 1 mM)"), 0.0)
    trajectory = run(buffered(reactions=(reaction,)))
    ca = trajectory.concentration("cell", "Ca")
    np.testing.assert_allclose(np.log(ca) + ca, np.log(0.5) + 0.5 - 0.3 * trajectory.time, rtol=1e-7, atol=1e-8)


def test_a_reaction_in_a_cell_that_swells_conserves_amounts() -> None:
    model = buffered(simulation=Simulation(500.0, 1e-8))
    cell = replace(model.compartments["cell"], water="osmotic")
    plasma = replace(model.membranes["plasma"], water_permeability=1e-5, geometry="sphere")
    bath = replace(model.compartments["bath"], impermeants=(Impermeant("S", 0.0, concentration=5.0),))
    trajectory = run(replace(model, compartments={"cell": cell, "bath": bath}, membranes={"plasma": plasma}))
    w = trajectory.volume("cell")
    assert w.max() > 1.02 * w.min()
    bound, free = trajectory.amount("cell", "CaB"), trajectory.amount("cell", "Ca")
    np.testing.assert_allclose(bound + free, 0.5 * VOLUME, rtol=1e-12)
    assert np.max(np.abs(charge_balance(trajectory)["cell"])) < 1e-12
    ca, b = (trajectory.concentration("cell", name)[-1] for name in ("Ca", "B"))
    # It lags a little behind the water that still comes in and dilutes it.
    assert ca * b / (bound / w)[-1] == pytest.approx(0.01, rel=1e-3)


# -- exchange ---------------------------------------------------------------------------------------------------------


def rinsed(rate: Any, finite: bool = False) -> Model:
    """``closed_pair`` with its outer compartment rinsed by ``beyond``, neutral, without its membrane's pathways."""
    model = closed_pair()
    beyond = {"K": 20.0, "Na": 130.0, "Cl": 150.0}
    compartments = {
        "a": model.compartments["a"],
        "b": model.compartments["b"],
        "beyond": Compartment("beyond", "finite" if finite else "bath", 3 * VOLUME if finite else None, beyond),
    }
    return replace(
        model,
        compartments=compartments,
        membranes={"wall": replace(model.membranes["wall"], pathways=(), potential=-0.02)},
        exchanges=(Exchange("rinse", "b", "beyond", rate),),
        simulation=Simulation(50.0, 1e-9),
        recording=Recording("linear", 101),
    )


def test_exchange_relaxes_exponentially() -> None:
    trajectory = run(rinsed(0.1))
    fall = np.exp(-0.1 * trajectory.time)
    for ion, start, goal in (("K", 5.0, 20.0), ("Na", 140.0, 130.0), ("Cl", 144.0, 150.0)):
        c = trajectory.concentration("b", ion)
        np.testing.assert_allclose(c, goal + (start - goal) * fall, rtol=1e-8)


def test_exchange_between_two_finite_compartments_conserves() -> None:
    trajectory = run(rinsed(0.1, finite=True))
    for ion, start, beyond in (("K", 5.0, 20.0), ("Na", 140.0, 130.0), ("Cl", 144.0, 150.0)):
        total = trajectory.amount("b", ion) + trajectory.amount("beyond", ion)
        np.testing.assert_allclose(total, total[0], rtol=1e-13)
        # 2 V and 3 V at a rate of 0.1 of 2 V: the difference falls with 0.1 (1 + 2/3).
        gap = trajectory.concentration("b", ion) - trajectory.concentration("beyond", ion)
        np.testing.assert_allclose(gap, (start - beyond) * np.exp(-0.1 * (5.0 / 3.0) * trajectory.time), rtol=1e-6)
    assert summary(trajectory).max_mass_drift < 1e-12


def test_exchange_may_start_and_stop() -> None:
    model = replace(
        rinsed(parse_formula("rate")),
        parameters={"rate": Parameter("rate", 0.0)},
        protocol=(ParameterStep(10.0, 20.0, {"rate": 0.2}),),
    )
    trajectory = run(model)
    k = trajectory.concentration("b", "K")
    rinsing = np.clip(trajectory.time - 10.0, 0.0, 10.0)
    np.testing.assert_allclose(k, 20.0 - 15.0 * np.exp(-0.2 * rinsing), rtol=1e-7)


def test_exchange_carries_the_charge_of_a_free_compartment() -> None:
    # A cell (not a ground) rinsed by the bath: what charge the solution carries, the membrane gets.
    model = p1()
    plasma = replace(model.membranes["plasma"], pathways=())
    trajectory = run(
        replace(
            model,
            membranes={"plasma": plasma},
            exchanges=(Exchange("rinse", "cell", "bath", 1e-7),),
            simulation=Simulation(1.0, 1e-9),
        )
    )
    moved = sum(
        z * (trajectory.amount("cell", ion) - trajectory.amount("cell", ion)[0])
        for ion, z in (("K", 1), ("Na", 1), ("Cl", -1))
    )
    v = trajectory.membrane_potential("plasma")
    np.testing.assert_allclose(v, FARADAY * moved / (CAPACITANCE * AREA), rtol=1e-6, atol=1e-9)
    assert v[-1] < -1e-4
    assert np.max(np.abs(charge_balance(trajectory)["cell"])) < 1e-12


# -- injection --------------------------------------------------------------------------------------------------------


def injected(carried_by: str | None, current: Any = 1e-12, **changes: Any) -> Model:
    """P1's cell with nothing but an electrode: no pathway at all."""
    model = p1()
    given: dict[str, Any] = {"simulation": Simulation(0.1, 1e-9), "recording": Recording("linear", 11), **changes}
    return replace(
        model,
        membranes={"plasma": replace(model.membranes["plasma"], pathways=())},
        injections=(Injection("electrode", "cell", carried_by, current),),
        **given,
    )


@pytest.mark.parametrize(("ion", "valence"), [("K", 1), ("Cl", -1)])
def test_what_carries_a_current_arrives_with_its_charge(ion: str, valence: int) -> None:
    trajectory = run(injected(ion))
    charge = 1e-12 * trajectory.time
    np.testing.assert_allclose(
        trajectory.membrane_potential("plasma"), charge / (CAPACITANCE * AREA), rtol=1e-12, atol=1e-18
    )
    came = trajectory.amount("cell", ion) - trajectory.amount("cell", ion)[0]
    whole = trajectory.amount("cell", ion)[0]
    np.testing.assert_allclose(came, charge / (valence * FARADAY), atol=4e-16 * whole)
    assert np.max(np.abs(charge_balance(trajectory)["cell"])) < 1e-12


def test_a_current_carried_by_nothing_charges_the_membrane_alone() -> None:
    trajectory = run(injected(None))
    v = 1e-12 * trajectory.time / (CAPACITANCE * AREA)
    np.testing.assert_allclose(trajectory.membrane_potential("plasma"), v, rtol=1e-12, atol=1e-18)
    assert trajectory.run.layout.amounts == ()
    k, na, cl = (trajectory.amount("cell", ion) for ion in ("K", "Na", "Cl"))
    np.testing.assert_allclose(k + na - cl, (k + na - cl)[0], rtol=1e-15)


def test_a_pulse_of_current_relaxes_by_the_conductance() -> None:
    model = replace(
        injected("K", parse_formula("current"), parameters={"current": Parameter("current", 0.0)}),
        protocol=(ParameterStep(0.02, 0.05, {"current": 1e-11}),),
        recording=Recording("linear", 101),
    )
    cell = replace(model.compartments["cell"], volume=1.0)
    plasma = replace(model.membranes["plasma"], pathways=(ohmic("K", 2.0),), potential="ghk")
    trajectory = run(replace(model, compartments={**model.compartments, "cell": cell}, membranes={"plasma": plasma}))
    v = trajectory.membrane_potential("plasma")
    tau, rise = CAPACITANCE / 2.0, 1e-11 / (2.0 * AREA)
    up = -np.expm1(-np.clip(trajectory.time - 0.02, 0.0, 0.03) / tau)
    down = np.exp(-np.clip(trajectory.time - 0.05, 0.0, None) / tau)
    np.testing.assert_allclose(v, v[0] + rise * up * down, atol=1e-10)


@pytest.mark.parametrize("water", ["fixed", "osmotic"])
def test_an_injected_salt_moves_charge_and_matter_in_a_cell_whose_area_moves_too(water: str) -> None:
    model = injected("K", 1e-11, simulation=Simulation(10.0, 1e-8))
    plasma = replace(
        model.membranes["plasma"],
        geometry="sphere" if water == "osmotic" else "given",
        water_permeability=1e-5 if water == "osmotic" else None,
        pathways=p1().membranes["plasma"].pathways,
    )
    cell = replace(model.compartments["cell"], water=water)  # type: ignore[arg-type]
    model = replace(
        model,
        compartments={**model.compartments, "cell": cell},
        membranes={"plasma": plasma},
        injections=(*model.injections, Injection("other", "cell", "Cl", -1e-11)),
    )
    trajectory = run(model)
    assert trajectory.run.layout.charges is (water == "osmotic")
    assert np.max(np.abs(charge_balance(trajectory)["cell"])) < 1e-12


@pytest.mark.parametrize(
    ("inside", "outside", "unchecked"),
    [("b", "a", set()), ("a", "b", set()), ("b", "beyond", {"b"}), ("a", "beyond", {"b"})],
)
def test_a_rinse_leaves_unchecked_what_the_ground_makes_up_for_and_says_so(inside, outside, unchecked):
    # Within one part of a model its charge is known everywhere; from another part it comes by the ground, b.
    model = replace(rinsed(0.1), exchanges=(Exchange("rinse", inside, outside, 1e-3),))
    trajectory = run(model)
    balance = charge_balance(trajectory)
    assert set(balance) == {"a", "b"} - unchecked
    assert all(np.abs(drift).max() < 1e-12 for drift in balance.values())
    message = [w for w in warnings(trajectory) if "charge of" in w and "fixed charge" not in w]
    reason = "it is the ground of a part of the model that is rinsed by another part"
    assert message == [f"the charge of {name} is not checked: {reason}" for name in unchecked]
