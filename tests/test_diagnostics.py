"""Charge and mass balance: sound runs pass, and each kind of damage to a run is seen."""

from dataclasses import replace

import numpy as np
import pytest

from iontide.constants import FARADAY
from iontide.diagnostics import (
    DRIFT_LIMIT,
    Audit,
    charge_balance,
    exchange_groups,
    mass_balance,
    summary,
    warnings,
)
from iontide.model import Compartment, Impermeant, Membrane
from iontide.simulate import simulate
from models import closed_pair, p1, pump_leak, series, single_ion, with_recording, with_simulation


@pytest.fixture(scope="module")
def pair():
    return simulate(with_recording(closed_pair(), points=50))


def changed(trajectory, name, factor):
    """The trajectory with one state multiplied in its second half."""
    states = trajectory.states.copy()
    states[len(states) // 2 :, trajectory.run.layout.names.index(name)] *= factor
    return replace(trajectory, states=states)


@pytest.mark.parametrize("make", [p1, pump_leak, series, closed_pair, lambda: single_ion(2), lambda: single_ion(0)])
def test_sound_runs_balance(make):
    trajectory = simulate(with_recording(make(), points=50))
    found = summary(trajectory)
    assert found.max_charge_drift < 1e-12
    assert found.max_mass_drift < 1e-12


def test_charge_balance_is_the_sum_it_says(pair):
    """Written out once more for one compartment."""
    initial, area, capacitance = pair.run.initial, pair.area("wall"), 0.01
    ions = pair.amount("a", "K") + pair.amount("a", "Na") - pair.amount("a", "Cl")
    fixed = -initial.impermeant_amounts["a", "A"] + initial.residual_charge["a"]
    stored = capacitance * area * pair.membrane_potential("wall") / FARADAY
    moved = changed(pair, "amount of K in a", 1.001)
    excess = 0.001 * pair.amount("a", "K")[-1]
    assert np.allclose(ions + fixed, stored, rtol=1e-9, atol=0)
    present = (ions + 2 * pair.amount("a", "Cl"))[-1] + initial.impermeant_amounts["a", "A"]
    assert charge_balance(moved)["a"][-1] == pytest.approx(excess / present, rel=2e-3)
    assert np.max(np.abs(charge_balance(moved)["a"][:20])) < 1e-12


def test_the_outside_of_a_membrane_counts_with_the_other_sign(pair):
    moved = changed(pair, "potential of a", 1.5)
    a, b = charge_balance(moved)["a"][-1], charge_balance(moved)["b"][-1]
    assert a * b < 0


@pytest.mark.parametrize("factor", [1 + 1e-9, 1 - 1e-9, 1.1])
def test_damage_to_an_amount_is_seen_in_both(pair, factor):
    found = summary(changed(pair, "amount of K in a", factor))
    assert found.max_charge_drift > DRIFT_LIMIT
    assert found.max_mass_drift > DRIFT_LIMIT
    told = "\n".join(warnings(changed(pair, "amount of K in a", factor)))
    assert "the charge of a drifts by" in told
    assert "the total of K in a and b drifts by" in told


def test_damage_to_a_potential_is_seen_in_the_charge(pair):
    found = summary(changed(pair, "potential of a", 1.01))
    assert found.max_charge_drift > 1e-9
    assert found.max_mass_drift < 1e-12


def test_closed_groups_tell_a_drift_and_open_ones_what_they_received(pair):
    assert all(not b.is_open and b.relative_drift is not None for b in mass_balance(pair))
    trajectory = simulate(with_recording(p1(), points=50))
    potassium, *_ = mass_balance(trajectory)
    assert potassium.is_open
    assert potassium.relative_drift is None
    assert (potassium.species, potassium.compartments, potassium.baths) == ("K", ("cell",), ("bath",))
    lost = trajectory.amount("cell", "K")
    assert potassium.received == pytest.approx(lost - lost[0])


def test_groups_are_joined_by_pathways_and_not_by_membranes():
    model = series()
    first = model.membranes["first"]
    model = replace(model, membranes=model.membranes | {"first": replace(first, pathways=first.pathways[:1])})
    groups = exchange_groups(model)
    assert ("K", ("left", "middle", "right")) in groups
    assert ("Na", ("middle", "right")) in groups


def test_a_group_reached_over_two_membranes_is_one():
    model = closed_pair()
    third = Compartment("c", "finite", 1e-15, dict(model.compartments["a"].concentrations), (Impermeant("A", -1.0),))
    wall = model.membranes["wall"]
    inner = Membrane("inner", "c", "a", 1e-10, 0.01, potential=0.0, pathways=wall.pathways)
    model = replace(
        model,
        compartments=model.compartments | {"c": third},
        membranes={"inner": inner, "wall": wall},
    )
    assert [c for _, c in exchange_groups(model)] == [("a", "b", "c")] * 3


def test_parts_say_the_same_as_the_whole(pair):
    audit = Audit()
    for i in range(0, len(pair), 7):
        audit.add(pair.part(slice(i, i + 7)))
    assert audit.summary == summary(pair)


def test_nothing_to_warn_of_in_a_balanced_run(pair):
    assert warnings(pair) == []


def test_residual_charge_is_told_in_micromolar():
    model = p1()
    plasma = replace(model.membranes["plasma"], potential=-0.07)
    trajectory = simulate(with_simulation(replace(model, membranes={"plasma": plasma}), duration=1.0))
    (told,) = warnings(trajectory)
    expected = 0.01 * trajectory.area("plasma")[0] * -0.07 / FARADAY / trajectory.volume("cell")[0] * 1e3
    assert told.startswith(f"a fixed charge of {expected:+.3g} uM (")
    assert "was added to cell" in told


def test_an_undefined_reversal_potential_is_told_once():
    trajectory = simulate(with_simulation(single_ion(0, inside=0.0), duration=10.0))
    assert warnings(trajectory) == []  # a neutral species has none anyway
    trajectory = simulate(with_simulation(single_ion(1, outside=0.0), duration=10.0))
    told = [w for w in warnings(trajectory) if "undefined" in w]
    assert told == ["the reversal potential of X at plasma is undefined where its concentration in bath is 0"]


def test_a_loose_tolerance_is_told():
    trajectory = simulate(with_simulation(closed_pair(), relative_tolerance=1e-3))
    assert [w for w in warnings(trajectory) if "relative tolerance of 0.001 is loose" in w]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_told_with_its_time(pair, bad):
    states = pair.states.copy()
    states[10:, 0] = bad
    told = warnings(replace(pair, states=states))
    assert told[0] == f"the amount of K in a is not a finite number from t = {pair.time[10]:g} s on"
    found = summary(replace(pair, states=states))
    assert not found.max_mass_drift <= DRIFT_LIMIT
