"""Runs held against what can be written down: Nernst, GHK, Fick, Donnan, linear systems, published numbers.

The formulas here are written as a textbook has them, not as the simulator does: no Bernoulli function, no tape.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from math import asinh, exp, expm1, log, sqrt

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

import iontide
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.model.model import Compartment, Impermeant, Membrane, Model, Recording, Simulation, Species
from tests.support.models import (
    AREA,
    CAPACITANCE,
    P_K,
    TEMPERATURE,
    VOLUME,
    by_name,
    ghk,
    ohmic,
    single_ion,
    with_recording,
    with_simulation,
)
from tests.support.paths import REFERENCE

ZERO_CELSIUS = 273.15

#: What the hypothesis profile asks for; each test takes its share, for a run costs more than a call.
EXAMPLES = settings().max_examples
VALENCE = {"K": 1, "Na": 1, "Li": 1, "Cs": 1, "Cl": -1, "Ca": 2, "SO4": -2}


def nernst(valence, inside, outside, temperature=TEMPERATURE):
    """E = (R T / z F) ln(a_out / a_in), V."""
    return R * temperature / (valence * F) * log(outside / inside)


def ghk_voltage(permeability, inside, outside, temperature=TEMPERATURE):
    """The GHK voltage equation of monovalent ions, V."""
    above = sum(p * (outside if VALENCE[x] > 0 else inside)[x] for x, p in permeability.items())
    below = sum(p * (inside if VALENCE[x] > 0 else outside)[x] for x, p in permeability.items())
    return R * temperature / F * log(above / below)


def constant_field_current(potential, permeability, inside, outside, temperature=TEMPERATURE):
    """Net outward current density, A m⁻², by the formula of Hodgkin & Katz; 0/0 at V = 0."""
    total = 0.0
    for x, p in permeability.items():
        z = VALENCE[x]
        u = z * F * potential / (R * temperature)
        total += p * z * F * u * (inside[x] - outside[x] * exp(-u)) / -expm1(-u)
    return total


def between_baths(permeability, inside, outside, temperature=TEMPERATURE, gamma=(None, None), potential=0.0):
    """A membrane whose two solutions are held; only its potential is free."""
    species = [Species(x, VALENCE[x]) for x in permeability]
    return Model(
        species=by_name(species),
        compartments=by_name(
            [
                Compartment("cell", "floating bath", None, inside, (), gamma[0] or {}),
                Compartment("bath", "bath", None, outside, (), gamma[1] or {}),
            ]
        ),
        membranes=by_name(
            [
                Membrane(
                    "plasma",
                    "cell",
                    "bath",
                    AREA,
                    CAPACITANCE,
                    potential,
                    tuple(ghk(x, p) for x, p in permeability.items()),
                )
            ]
        ),
        simulation=Simulation(duration=1e6, stop_at_steady_state=True),
        temperature=temperature,
        recording=Recording("list", times=(0.0,)),
    )


def settled(model):
    """Where the membrane potential of a model settles, V."""
    trajectory = iontide.run(model)
    assert trajectory.status == "steady"
    return trajectory.membrane_potential("plasma")[-1]


# -- one ion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("celsius", [0.0, 6.3, 20.0, 37.0, 50.0])
@pytest.mark.parametrize("valence", [-2, -1, 1, 2])
def test_one_ion_charges_a_cell_to_its_nernst_potential(valence, celsius):
    temperature = celsius + ZERO_CELSIUS
    model = replace(single_ion(valence), temperature=temperature)
    trajectory = iontide.run(with_recording(model, "log", first=1e-6, points=60))
    v = trajectory.membrane_potential("plasma")
    # C A V charges have left the cell: the root of one equation in V says where that ends.
    moved = CAPACITANCE * AREA / (valence * F * VOLUME)
    expected = scipy.optimize.brentq(
        lambda x: x - nernst(valence, 100.0 + moved * x, 10.0, temperature), -0.2, 0.2, xtol=1e-15
    )
    assert v[-1] == pytest.approx(expected, abs=1e-9)
    assert v[-1] == pytest.approx(nernst(valence, 100.0, 10.0, temperature), abs=1e-5)
    assert trajectory.reversal_potential("plasma", "X")[-1] == pytest.approx(expected, abs=1e-9)
    assert trajectory.concentration("cell", "X")[-1] == pytest.approx(100.0 + moved * expected, rel=1e-10)
    assert np.all(np.diff(np.abs(v)) >= -1e-8)  # it goes there straight


@given(
    st.sampled_from([-2, -1, 1, 2]),
    st.floats(-4.0, 4.0),
    st.floats(250.0, 400.0),
    st.floats(0.2, 2.0),
    st.floats(0.2, 2.0),
)
@settings(max_examples=40 * EXAMPLES // 100)
def test_activity_coefficients_shift_the_nernst_potential_by_their_ratio_alone(
    valence, decades, temperature, gamma_in, gamma_out
):
    name = next(x for x, z in VALENCE.items() if z == valence)
    inside, outside = {name: 10.0}, {name: 10.0 * 10.0**decades}

    def end(gamma):
        return settled(between_baths({name: 1e-6}, inside, outside, temperature, gamma))

    true = end(({name: gamma_in}, {name: gamma_out}))
    approximate = end((None, None))
    assert approximate == pytest.approx(nernst(valence, 1.0, 10.0**decades, temperature), abs=1e-8)
    shift = R * temperature / (valence * F) * log(gamma_out / gamma_in)
    assert true - approximate == pytest.approx(shift, abs=2e-8)


def test_a_neutral_solute_follows_an_exponential():
    model = with_simulation(single_ion(0, inside=100.0, outside=10.0), duration=2_000.0, rtol=1e-9)
    trajectory = iontide.run(with_recording(model, points=101))
    exact = 10.0 + 90.0 * np.exp(-trajectory.time * P_K * AREA / VOLUME)
    np.testing.assert_allclose(trajectory.concentration("cell", "X"), exact, rtol=1e-9)
    np.testing.assert_allclose(trajectory.flux("plasma", "X"), P_K * (exact - 10.0), rtol=1e-7, atol=1e-9 * P_K * 100.0)
    assert np.all(trajectory.current_density("plasma") == 0.0)
    assert np.all(trajectory.membrane_potential("plasma") == 0.0)


# -- the GHK voltage equation ---------------------------------------------------------------------------------------

CONCENTRATION = st.floats(-2.0, 2.7).map(lambda x: 10.0**x)
PERMEABILITY = st.floats(-9.0, -5.0).map(lambda x: 10.0**x)


def solution_of(*ions):
    """A random concentration of each ion."""
    return st.fixed_dictionaries(dict.fromkeys(ions, CONCENTRATION))


MONOVALENT = ("K", "Na", "Cl")
WITH_DIVALENTS = ("K", "Na", "Cl", "Ca", "SO4")


@given(
    st.fixed_dictionaries(dict.fromkeys(MONOVALENT, PERMEABILITY)),
    solution_of(*MONOVALENT),
    solution_of(*MONOVALENT),
    st.floats(270.0, 320.0),
)
@settings(max_examples=60 * EXAMPLES // 100)
def test_held_solutions_run_to_the_ghk_voltage(permeability, inside, outside, temperature):
    model = between_baths(permeability, inside, outside, temperature)
    expected = ghk_voltage(permeability, inside, outside, temperature)
    assert settled(model) == pytest.approx(expected, abs=2e-8)
    at_once = iontide.run(replace(model, membranes=started_at_ghk(model)))
    assert at_once.membrane_potential("plasma")[0] == pytest.approx(expected, abs=1e-13)


@given(
    st.fixed_dictionaries(dict.fromkeys(WITH_DIVALENTS, PERMEABILITY)),
    solution_of(*WITH_DIVALENTS),
    solution_of(*WITH_DIVALENTS),
)
@settings(max_examples=40 * EXAMPLES // 100)
def test_with_divalent_ions_it_is_the_root_of_the_current(permeability, inside, outside):
    model = between_baths(permeability, inside, outside)

    def current(v):
        return constant_field_current(v, permeability, inside, outside)

    # The naive formula is 0/0 at 0, so the root is sought on either side of it.
    lower, upper = (1e-9, 1.0) if current(1e-9) < 0.0 else (-1.0, -1e-9)
    expected = (
        scipy.optimize.brentq(current, lower, upper, xtol=1e-16) if current(lower) * current(upper) < 0.0 else 0.0
    )
    at_once = iontide.run(replace(model, membranes=started_at_ghk(model)))
    assert at_once.membrane_potential("plasma")[0] == pytest.approx(expected, abs=2e-9)
    assert settled(model) == pytest.approx(expected, abs=2e-8)


@given(PERMEABILITY, PERMEABILITY, CONCENTRATION, CONCENTRATION)
@settings(max_examples=30 * EXAMPLES // 100)
def test_bi_ionic_calcium_against_potassium(p_k, p_ca, potassium, calcium):
    """K inside, Ca outside, nothing else: V = (RT/F) ln(√(4 P_Ca Ca / (P_K K) + 1/4) − 1/2)."""
    inside, outside = {"K": potassium, "Ca": 0.0}, {"K": 0.0, "Ca": calcium}
    model = between_baths({"K": p_k, "Ca": p_ca}, inside, outside)
    q = 4.0 * p_ca * calcium / (p_k * potassium)
    expected = R * TEMPERATURE / F * log(q / (sqrt(q + 0.25) + 0.5))  # the same, without cancellation
    trajectory = iontide.run(replace(model, membranes=started_at_ghk(model)))
    assert trajectory.membrane_potential("plasma")[0] == pytest.approx(expected, abs=1e-12)


def started_at_ghk(model):
    """Its membranes, from the potential at which no net current flows."""
    return {name: replace(m, potential="ghk") for name, m in model.membranes.items()}


# -- linear systems -------------------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=10 * EXAMPLES // 100)
def test_ohmic_membranes_between_held_solutions_are_an_rc_circuit(data):
    """bath | a | b | c and a second way from c to the bath: C dV/dt = −G V + g E, solved by expm."""
    number = st.floats(0.1, 1.0)
    ends = [("a", "bath"), ("b", "a"), ("b", "c"), ("c", "bath")]
    inside_out = {"a": -0.05, "b": 0.03, "c": 0.02}
    ions = ("K", "Cl")
    solutions = {name: data.draw(solution_of(*ions), label=name) for name in ("bath", "a", "b", "c")}
    area = [1e-9 * data.draw(number) for _ in ends]
    capacitance = [0.02 * data.draw(number) for _ in ends]
    conductance = [{x: 10.0 * data.draw(number) for x in ions} for _ in ends]
    membranes = []
    for i, (inside, outside) in enumerate(ends):
        start = inside_out.get(inside, 0.0) - inside_out.get(outside, 0.0) if i < 3 else None
        ways = tuple(ohmic(x, g) for x, g in conductance[i].items())
        membranes.append(Membrane(f"m{i}", inside, outside, area[i], capacitance[i], start, ways))
    kinds = {name: "bath" if name == "bath" else "floating bath" for name in solutions}
    model = Model(
        species=by_name([Species(x, VALENCE[x]) for x in ions]),
        compartments=by_name([Compartment(c, kinds[c], None, held) for c, held in solutions.items()]),
        membranes=by_name(membranes),
        simulation=Simulation(duration=0.05, rtol=1e-10),
        temperature=TEMPERATURE,
        recording=Recording("log", points=25, first=1e-6),
    )
    free = ["a", "b", "c"]
    incidence = np.array([[(c == i) - (c == o) for c in free] for i, o in ends], dtype=float)
    storage = incidence.T @ np.diag(np.multiply(capacitance, area)) @ incidence
    leak = incidence.T @ np.diag([a * sum(g.values()) for a, g in zip(area, conductance, strict=True)]) @ incidence
    battery = incidence.T @ [
        a * sum(g[x] * nernst(VALENCE[x], solutions[i][x], solutions[o][x]) for x in ions)
        for a, g, (i, o) in zip(area, conductance, ends, strict=True)
    ]
    rest = np.linalg.solve(leak, battery)
    decay = -np.linalg.solve(storage, leak)
    trajectory = iontide.run(model)
    start = np.array([inside_out[c] for c in free])
    for i, t in enumerate(trajectory.time):
        exact = rest + scipy.linalg.expm(decay * t) @ (start - rest)
        found = [trajectory.potential(c)[i] for c in free]
        np.testing.assert_allclose(found, exact, atol=1e-9)


@given(st.data())
@settings(max_examples=10 * EXAMPLES // 100)
def test_a_neutral_solute_in_a_chain_is_a_sum_of_exponentials(data):
    """Four finite compartments in a row, the last one beside a bath: w dc/dt = −L c + …, solved by expm."""
    number = st.floats(0.1, 1.0)
    volume = [1e-14 * data.draw(number) for _ in range(4)]
    start = [100.0 * data.draw(number) for _ in range(4)]
    permeability = [1e-6 * data.draw(number) for _ in range(4)]
    area = [1e-9 * data.draw(number) for _ in range(4)]
    held = 5.0
    names = ["c0", "c1", "c2", "c3", "bath"]
    compartments = [Compartment(names[i], "finite", volume[i], {"X": start[i]}) for i in range(4)]
    compartments.append(Compartment("bath", "bath", None, {"X": held}))
    membranes = [
        Membrane(f"m{i}", names[i], names[i + 1], area[i], CAPACITANCE, 0.0, (ghk("X", permeability[i]),))
        for i in range(4)
    ]
    model = Model(
        species=by_name([Species("X", 0)]),
        compartments=by_name(compartments),
        membranes=by_name(membranes),
        simulation=Simulation(duration=300.0, rtol=1e-10),
        temperature=TEMPERATURE,
        recording=Recording("linear", points=25),
    )
    incidence = np.eye(4) - np.eye(4, k=1)  # the last membrane ends at the bath
    exchange = incidence.T @ np.diag(np.multiply(permeability, area)) @ incidence
    decay = -np.diag(1.0 / np.array(volume)) @ exchange
    trajectory = iontide.run(model)
    for i, t in enumerate(trajectory.time):
        exact = held + scipy.linalg.expm(decay * t) @ (np.array(start) - held)
        found = [trajectory.concentration(c, "X")[i] for c in names[:4]]
        np.testing.assert_allclose(found, exact, rtol=1e-9)


# -- published numbers ----------------------------------------------------------------------------------------------


def rows(name):
    """The rows of a table of ``tests/reference``, by id."""
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return [pytest.param(row, id=row["id"]) for row in table]


def test_the_published_tables_are_whole():
    assert [len(rows(name)) for name in ("nernst", "ghk", "donnan")] == [35, 17, 7]


def held_to_publication(row, found, published, tolerance):
    """A value against the one printed, within its rounding; a row known to disagree must."""
    if not row[published]:
        assert row["status"] == "analytic-only"
        return
    distance = abs(found - float(row[published]))
    if row["status"] == "DISAGREES":
        assert distance > float(row[tolerance])
    else:
        assert row["status"] == "confirmed"
        assert distance <= float(row[tolerance])


@pytest.mark.parametrize("row", rows("nernst"))
def test_published_nernst_potentials(row):
    valence, temperature = int(row["z"]), float(row["T_C"]) + ZERO_CELSIUS
    inside, outside = {"X": float(row["c_in"])}, {"X": float(row["c_out"])}
    gamma = ({"X": float(row["gamma_in"] or 1.0)}, {"X": float(row["gamma_out"] or 1.0)})
    model = replace(
        between_baths({"K": 1e-5}, {"K": 1.0}, {"K": 1.0}, temperature),
        species=by_name([Species("X", valence)]),
        compartments=by_name(
            [
                Compartment("cell", "floating bath", None, inside, (), gamma[0]),
                Compartment("bath", "bath", None, outside, (), gamma[1]),
            ]
        ),
        membranes=by_name([Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, 0.0, (ghk("X", 1e-5),))]),
    )
    trajectory = iontide.run(model)
    found = 1e3 * trajectory.membrane_potential("plasma")[-1]
    assert found == pytest.approx(float(row["E_recomputed_mV"]), abs=1e-3)
    assert 1e3 * trajectory.reversal_potential("plasma", "X")[-1] == pytest.approx(found, abs=1e-5)
    held_to_publication(row, found, "E_published_mV", "published_rounding_mV")


def listed(text):
    """``K=1;Na=0.04`` as a mapping."""
    return {name: float(value) for name, value in (pair.split("=") for pair in text.split(";"))}


@pytest.mark.parametrize("row", rows("ghk"))
def test_published_ghk_voltages(row):
    permeability = {x: 1e-7 * p for x, p in listed(row["permeability_ratio"]).items()}
    inside, outside = listed(row["c_in_mM"]), listed(row["c_out_mM"])
    model = between_baths(permeability, inside, outside, float(row["T_C"]) + ZERO_CELSIUS)
    found = 1e3 * settled(model)
    assert found == pytest.approx(float(row["V_recomputed_mV"]), abs=1e-3)
    at_once = iontide.run(replace(model, membranes=started_at_ghk(model))).membrane_potential("plasma")[0]
    assert found == pytest.approx(1e3 * at_once, abs=1e-4)
    held_to_publication(row, found, "V_published_mV", "published_tol_mV")


def donnan_closed_form(fixed, salt, cation_valence, temperature):
    """V of fixed charges (mol m⁻³, signed) in a bath of a salt of Cl; charge of the membrane neglected."""
    if cation_valence == 1:
        return R * temperature / F * asinh(fixed / (2.0 * salt))
    chloride = cation_valence * salt

    def charge(ratio):  # ratio = exp(−F V / R T)
        return cation_valence * salt * ratio**cation_valence - chloride / ratio + fixed

    return -R * temperature / F * log(scipy.optimize.brentq(charge, 1e-6, 1e6, xtol=1e-15, rtol=1e-15))


@pytest.mark.parametrize("row", rows("donnan"))
def test_fixed_charge_in_an_infinite_bath(row):
    amount, _, valence = row["inside_fixed"].partition(" mM z=")
    temperature = float(row["T_C"]) + ZERO_CELSIUS
    cation, z = ("Ca", 2) if "CaCl2" in row["setup"] else ("Na", 1)
    salt = float(row["outside_or_total"].replace("CaCl2", "").replace("salt", "").replace("mM", ""))
    fixed = float(valence) * float(amount)
    inside = {cation: (salt * z - fixed) / z, "Cl": salt * z}  # neutral, and far from the end
    model = Model(
        species=by_name([Species(cation, z), Species("Cl", -1)]),
        compartments=by_name(
            [
                Compartment(
                    "cell",
                    "finite",
                    1e-12,
                    inside,
                    (Impermeant("X", float(valence), concentration=float(amount)),),
                ),
                Compartment("bath", "bath", None, {cation: salt, "Cl": salt * z}),
            ]
        ),
        # Of so little capacitance that the charge of the membrane does not count.
        membranes=by_name([Membrane("plasma", "cell", "bath", 1e-9, 1e-6, 0.0, (ghk(cation, 1e-6), ghk("Cl", 1e-6)))]),
        simulation=Simulation(duration=1e9, rtol=1e-9, stop_at_steady_state=True),
        temperature=temperature,
        recording=Recording("list", times=(0.0,)),
    )
    trajectory = iontide.run(model)
    assert trajectory.status == "steady"
    found = 1e3 * trajectory.membrane_potential("plasma")[-1]
    assert found == pytest.approx(float(row["value_recomputed"]), abs=2e-5)
    assert found == pytest.approx(1e3 * donnan_closed_form(fixed, salt, z, temperature), abs=1e-5)
    # D21: (c_out/c_in)^(1/z) is one number for all ions.
    ratios = [
        (trajectory.concentration("bath", x)[-1] / trajectory.concentration("cell", x)[-1]) ** (1.0 / v)
        for x, v in ((cation, z), ("Cl", -1))
    ]
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-6)


def test_a_reversal_potential_of_next_to_nothing_is_a_number():
    """Also where the ratio of the concentrations is none."""
    trajectory = iontide.run(single_ion(1, inside=1e-308, outside=1000.0))
    found = trajectory.reversal_potential("plasma", "X")[0]
    assert found == pytest.approx(R * TEMPERATURE / F * (np.log(1000.0) + 308 * np.log(10.0)), rel=1e-3)
