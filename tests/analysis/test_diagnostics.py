"""Charge and mass balance: sound runs pass, and each kind of damage to a run is seen."""

from dataclasses import replace
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iontide.analysis.audit.conservation import Pool, closed_water, conserved_sums, exchange_pools
from iontide.analysis.audit.diagnostics import DRIFT_LIMIT, Audit, charge_balance, mass_balance, summary, warnings
from iontide.constants import FARADAY
from iontide.equations.invariants import conserved_combinations, stoichiometry_of
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Compartment,
    Exchange,
    Impermeant,
    Injection,
    Membrane,
    Parameter,
    ParameterStep,
    Reaction,
    Species,
)
from iontide.scenario.read import load
from iontide.simulation.prepare import prepare
from iontide.simulation.simulate import simulate
from tests.support.models import closed_pair, p1, pump_leak, series, single_ion, with_recording, with_simulation
from tests.support.paths import SCENARIO_FILES


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
    message = "\n".join(warnings(changed(pair, "amount of K in a", factor)))
    assert "the charge of a drifts by" in message
    assert "the total of K in a and b drifts by" in message


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
    assert (potassium.what, potassium.compartments, potassium.sources) == ("K", ("cell",), ("bath",))
    lost = trajectory.amount("cell", "K")
    assert potassium.received == pytest.approx(lost - lost[0])


def pools_of(model):
    return [(p.species, p.compartments, p.sources) for p in exchange_pools(model)[0]]


def test_pools_are_joined_by_pathways_and_not_by_membranes():
    model = series()
    first = model.membranes["first"]
    model = replace(model, membranes=model.membranes | {"first": replace(first, pathways=first.pathways[:1])})
    assert ("K", ("middle",), ("left", "right")) in pools_of(model)
    assert ("Na", ("middle",), ("right",)) in pools_of(model)


def test_a_pool_reached_over_two_membranes_is_one():
    model = closed_pair()
    third = Compartment("c", "finite", 1e-15, dict(model.compartments["a"].concentrations), (Impermeant("A", -1.0),))
    wall = model.membranes["wall"]
    inner = Membrane("inner", "c", "a", 1e-10, 0.01, potential=0.0, pathways=wall.pathways)
    model = replace(
        model,
        compartments=model.compartments | {"c": third},
        membranes={"inner": inner, "wall": wall},
    )
    assert [c for _, c, _ in pools_of(model)] == [("a", "b", "c")] * 3


# -- reactions, rinsing, injected currents, water -------------------------------------------------------------------


def reacting(model, compartment, reactants, products, **more):
    """The model with neutral species, 1 mM of the reactants, and a reaction between them."""
    species = {name: Species(name, 0) for name in (*reactants, *products)}
    cell = model.compartments[compartment]
    held = {name: float(name in reactants) for name in species}
    return replace(
        model,
        species=model.species | species,
        compartments=model.compartments | {compartment: replace(cell, concentrations=cell.concentrations | held)},
        reactions=(Reaction("r", compartment, reactants, products, 1e-3, 1e-4),),
        **more,
    )


@pytest.mark.parametrize(
    ("reactants", "products", "kept"),
    [
        ({"X": 1}, {"Y": 1}, ["X + Y"]),
        ({"X": 1, "Y": 1}, {"XY": 1}, ["X + XY", "Y + XY"]),
        ({"X": 2}, {"D": 1}, ["X + 2D"]),
        ({"XY": 1}, {"X": 1, "Y": 1}, ["XY + X", "X - Y"]),
    ],
)
def test_what_reacts_is_kept_in_sums(reactants, products, kept):
    trajectory = simulate(with_recording(reacting(closed_pair(), "a", reactants, products), points=30))
    found = {b.what: b for b in mass_balance(trajectory)}
    assert [what for what in found if what not in ("K", "Na", "Cl")] == kept
    assert all(found[what].compartments == ("a",) for what in kept)
    assert summary(trajectory).max_mass_drift < 1e-12
    first = next(iter(reactants))
    assert trajectory.amount("a", first)[-1] < 0.99 * trajectory.amount("a", first)[0]  # it did react
    assert summary(changed(trajectory, f"amount of {first} in a", 1 + 1e-8)).max_mass_drift > DRIFT_LIMIT


def test_a_reaction_with_an_open_species_keeps_what_is_still_closed():
    pools = {name: Pool(name, ("cell",), ()) for name in ("H", "HCO3")}
    gas = Pool("CO2", ("cell",), ("bath",))
    (kept,) = conserved_sums(list(pools.values()), [{gas: -1, pools["H"]: 1, pools["HCO3"]: 1}])
    assert kept == {pools["H"]: 1, pools["HCO3"]: -1}
    assert conserved_sums([pools["H"]], [{gas: -1, pools["H"]: 1}]) == []


@given(st.lists(st.lists(st.integers(-3, 3), min_size=5, max_size=5), max_size=4))
def test_conserved_sums_are_a_basis_of_the_null_space(matrix):
    pools = [Pool(name, ("c",), ()) for name in "ABCDE"]
    reactions = [{p: count for p, count in zip(pools, row, strict=True) if count} for row in matrix]
    sums = conserved_sums(pools, reactions)
    for weights in sums:
        assert all(sum(w * change.get(p, 0) for p, w in weights.items()) == 0 for change in reactions)
        assert np.gcd.reduce(list(weights.values())) == 1
    rank = np.linalg.matrix_rank(np.array(matrix)) if matrix else 0
    basis = np.array([[weights.get(p, 0) for p in pools] for weights in sums]).reshape(len(sums), 5)
    assert len(sums) == 5 - rank == np.linalg.matrix_rank(basis)
    assert [list(weights.items()) for weights in sums] == [
        list(weights.items()) for weights in sums_in_exact_arithmetic(pools, reactions)
    ]


def sums_in_exact_arithmetic(closed, reactions):
    """What ``conserved_sums`` is to find, by elimination over fractions: the independent check of its null space."""
    order = {pool: i for i, pool in enumerate(closed)}
    made = {pool for change in reactions for pool, count in change.items() if count > 0}
    columns = sorted(closed, key=lambda pool: (pool not in made, order[pool]))
    rows = [[Fraction(change.get(pool, 0)) for pool in columns] for change in reactions]
    pivots: list[int] = []
    for column in range(len(columns)):
        top = len(pivots)
        found = next((r for r in range(top, len(rows)) if rows[r][column]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        rows[top] = [value / rows[top][column] for value in rows[top]]
        for r in range(len(rows)):
            if r != top and rows[r][column]:
                rows[r] = [a - rows[r][column] * b for a, b in zip(rows[r], rows[top], strict=True)]
        pivots.append(column)
    sums = []
    for free in (i for i in range(len(columns)) if i not in pivots):
        weights = {columns[free]: Fraction(1)} | {columns[p]: -rows[r][free] for r, p in enumerate(pivots)}
        scale = lcm(*(w.denominator for w in weights.values()))
        whole = {pool: int(w * scale) for pool, w in weights.items() if w}
        ordered = sorted(whole, key=order.__getitem__)
        divisor = gcd(*whole.values()) * (1 if whole[ordered[0]] > 0 else -1)
        sums.append({pool: whole[pool] // divisor for pool in ordered})
    return sorted(sums, key=lambda weights: [order[pool] for pool in weights])


@pytest.mark.parametrize("name", sorted(SCENARIO_FILES))
def test_the_equations_conserve_what_the_model_says(name):
    """The totals of the audit, which come of the model, are among the combinations that cancel in the tape."""
    model = load(SCENARIO_FILES[name]).model
    prepared = prepare(model)
    if prepared.problem is None:
        return
    layout, constants = prepared.layout, prepared.problem.constants[-1]
    matrix, _ = stoichiometry_of(prepared.program.rates, constants, layout.size)
    pools, reactions = exchange_pools(model)
    totals = []
    for weights in conserved_sums([pool for pool in pools if not pool.sources], reactions):
        row = np.zeros(layout.size)
        for pool, weight in weights.items():
            for c in pool.compartments:
                if (c, pool.species) in layout.amount_index:
                    row[layout.amount_index[c, pool.species]] = weight
        totals.append(row)
    for group in closed_water(model):
        row = np.zeros(layout.size)
        row[[layout.volume_index[c] for c in group]] = 1.0
        totals.append(row)
    for row in totals:
        assert np.abs(row @ matrix).max(initial=0.0) <= 1e-14 * np.abs(matrix).max(initial=0.0)
    found = conserved_combinations(matrix, sorted(layout.potential_index.values()))
    if totals:
        assert np.linalg.matrix_rank(found) >= np.linalg.matrix_rank(np.array(totals))


def test_rinsing_opens_a_pool_and_keeps_the_charge():
    model = replace(p1(), exchanges=(Exchange("rinse", "cell", "bath", 1e-4),))
    trajectory = simulate(with_recording(model, points=30))
    assert all(b.sources == ("bath",) for b in mass_balance(trajectory))
    assert summary(trajectory).max_charge_drift < 1e-12


def stimulated(model, current, carried_by, compartment="a"):
    """With a pulse of ``current`` in the middle; it is a parameter, so that it is settled in each segment."""
    return replace(
        model,
        parameters={"i": Parameter("i", 0.0)},
        protocol=(ParameterStep(100.0, 200.0, {"i": current}),),
        injections=(Injection("stimulus", compartment, carried_by, parse_formula("i")),),
    )


@pytest.mark.parametrize("carried_by", ["K", None])
@pytest.mark.parametrize("compartment", ["a", "b"])
def test_an_injected_current_is_counted(carried_by, compartment):
    """In ``a``, whose potential is free, and in ``b``, the ground of a part without a bath."""
    model = with_simulation(stimulated(closed_pair(), 1e-13, carried_by, compartment), duration=400.0)
    trajectory = simulate(with_recording(model, points=50))
    assert summary(trajectory).max_charge_drift < 1e-12
    potassium, *_ = mass_balance(trajectory)
    assert potassium.sources == (("injection stimulus",) if carried_by else ())
    if carried_by:
        assert potassium.received[-1] == pytest.approx(1e-11 / FARADAY, rel=1e-6)
    assert summary(changed(trajectory, "amount of Na in a", 1 + 1e-8)).max_charge_drift > DRIFT_LIMIT


def test_a_varying_current_without_an_ion_is_said_to_be_unchecked():
    model = with_simulation(closed_pair(), duration=100.0)
    current = parse_formula("1e-13 A * exp(-t / 10 s)")
    model = replace(model, injections=(Injection("stimulus", "a", None, current),))
    trajectory = simulate(with_recording(model, points=20))
    assert charge_balance(trajectory) == {}
    assert warnings(trajectory) == [
        f"the charge of {name} is not checked: a current that no ion carries, and that varies, flows into it"
        for name in "ab"
    ]


def test_water_of_closed_compartments_is_kept():
    model = closed_pair()
    compartments = {name: replace(c, water="osmotic") for name, c in model.compartments.items()}
    wall = replace(model.membranes["wall"], water_permeability=1e-5)
    trajectory = simulate(
        with_recording(replace(model, compartments=compartments, membranes={"wall": wall}), points=30)
    )
    (water,) = [b for b in mass_balance(trajectory) if b.what == "water"]
    assert water.compartments == ("a", "b")
    assert np.ptp(trajectory.volume("a")) > 1e-3 * trajectory.volume("a")[0]
    assert summary(trajectory).max_mass_drift < 1e-12
    assert summary(changed(trajectory, "volume of a", 1 + 1e-8)).max_mass_drift > DRIFT_LIMIT


def test_a_swelling_sphere_keeps_its_charge():
    model = p1()
    cell = replace(model.compartments["cell"], water="osmotic")
    plasma = replace(model.membranes["plasma"], water_permeability=1e-5, geometry="sphere")
    model = replace(model, compartments=model.compartments | {"cell": cell}, membranes={"plasma": plasma})
    trajectory = simulate(with_recording(with_simulation(model, duration=1000.0), points=30))
    assert np.ptp(trajectory.area("plasma")) > 1e-3 * trajectory.area("plasma")[0]
    assert summary(trajectory).max_charge_drift < 1e-12
    assert [b.what for b in mass_balance(trajectory)] == ["K", "Na", "Cl"]


def test_parts_say_the_same_as_the_whole(pair):
    audit = Audit()
    for i in range(0, len(pair), 7):
        audit.add(pair.part(slice(i, i + 7)))
    assert audit.summary == summary(pair)


def test_nothing_to_warn_of_in_a_balanced_run(pair):
    assert warnings(pair) == []


def test_only_concentrations_that_do_not_balance_are_told_of():
    model = p1()
    plasma = replace(model.membranes["plasma"], potential=-0.07)
    model = with_simulation(replace(model, membranes={"plasma": plasma}), duration=1.0)
    trajectory = simulate(model)
    stored = 0.01 * trajectory.area("plasma")[0] * -0.07 / FARADAY
    assert trajectory.run.initial.residual_charge["cell"] == pytest.approx(stored, rel=1e-6)
    assert warnings(trajectory) == []  # the charge of a membrane is no slip
    cell = model.compartments["cell"]
    name, held = next(iter(cell.concentrations.items()))
    cell = replace(cell, concentrations={**cell.concentrations, name: held + 0.01})
    trajectory = simulate(replace(model, compartments={**model.compartments, "cell": cell}))
    (message,) = warnings(trajectory)
    expected = stored / trajectory.volume("cell")[0] * 1e3 - 10.0 * model.species[name].valence
    assert message.startswith(f"a fixed charge of {expected:+.3g} uM (")
    assert "was added to cell" in message


def test_an_undefined_reversal_potential_is_told_once():
    trajectory = simulate(with_simulation(single_ion(0, inside=0.0), duration=10.0))
    assert warnings(trajectory) == []  # a neutral species has none anyway
    trajectory = simulate(with_simulation(single_ion(1, outside=0.0), duration=10.0))
    sentences = [w for w in warnings(trajectory) if "undefined" in w]
    assert sentences == ["the reversal potential of X at plasma is undefined where its concentration in bath is 0"]


def test_a_loose_tolerance_is_told():
    trajectory = simulate(with_simulation(closed_pair(), rtol=1e-3))
    assert [w for w in warnings(trajectory) if "relative tolerance of 0.001 is loose" in w]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_told_with_its_time(pair, bad):
    states = pair.states.copy()
    states[10:, 0] = bad
    sentences = warnings(replace(pair, states=states))
    assert sentences[0] == f"the amount of K in a is not a finite number from t = {pair.time[10]:g} s on"
    found = summary(replace(pair, states=states))
    assert not found.max_mass_drift <= DRIFT_LIMIT
