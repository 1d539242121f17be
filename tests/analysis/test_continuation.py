"""Continuation: closed forms of branches, folds and Hopf points; published branches; the messages at their ends."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np
import pytest
import scipy

import iontide
from iontide.analysis.basins import basin_lines, basins
from iontide.analysis.classification import verdict_of
from iontide.analysis.continuation.continuation import continue_steady_state
from iontide.analysis.steady import steady_state
from iontide.analysis.steady_system import system_of
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.errors import SolverError, UsageError
from iontide.formulas.formula import parse_formula
from iontide.model.model import Compartment, Gate, Injection, Membrane, Model, Parameter, Pathway, Recording, Simulation
from iontide.scenario.read import load, loads
from iontide.simulation.prepare import prepare
from iontide.simulation.simulate import simulate
from tests.support.models import TEMPERATURE, K, by_name
from tests.support.paths import SCENARIO_FILES

UNIT = 0.01  # V: potentials of the cubic model are in tens of mV

#: A current whose I–V curve is N-shaped: C dv/dt = I + v − v³/3, time in ms.
CUBIC = "10 pF * 10 mV / (1 ms) * (I + potential / (10 mV) - (potential / (10 mV))^3 / 3)"


def cubic(pathways: tuple[Pathway, ...] = (), start: float = 0.0) -> Model:
    """One membrane with a current by the cubic, which a parameter I shifts."""
    return Model(
        species=by_name([K]),
        compartments=by_name(
            [
                Compartment("cell", "floating bath", None, {"K": 100.0}),
                Compartment("bath", "bath", None, {"K": 100.0}),
            ]
        ),
        membranes=by_name([Membrane("plasma", "cell", "bath", 1e-9, 0.01, start, pathways)]),
        simulation=Simulation(1.0),
        injections=(Injection("cubic", "cell", None, parse_formula(CUBIC)),),
        parameters=by_name([Parameter("I", -1.5)]),
        temperature=TEMPERATURE,
    )


def fitzhugh_nagumo(a: float, b: float, epsilon: float) -> Model:
    """The cubic with a recovery w, dw/dt = ε (v + a − b w), as a gate.

    FitzHugh 1961, Biophys J 1:445, doi:10.1016/S0006-3495(61)86902-6.
    """
    w = Gate("w", steady=parse_formula(f"(V / (10 mV) + {a}) / {b}"), time_constant=1e-3 / (epsilon * b))
    rate = parse_formula("10 pF * 10 mV / (1 ms) / (1e-9 m^2) / (96485.33212 C/mol) * w")
    model = cubic((Pathway("pathways.w", "formula", {"K": 1}, {"rate": rate}, gates=(w,)),))
    return replace(model, parameters=by_name([Parameter("I", 0.0)]))


def test_folds_of_a_bistable_membrane():
    """v − v³/3 + I = 0 has its folds at v = ∓1, I = ±2/3; between them lie three states, the middle one a saddle."""
    branch = continue_steady_state(cubic(), "I", -2.0, 2.0)
    assert [point.kind for point in branch.special] == ["fold", "fold"]
    assert [point.value for point in branch.special] == pytest.approx([2 / 3, -2 / 3], abs=1e-9)
    v = branch.trajectory.membrane_potential("plasma") / UNIT
    assert v**3 / 3 - v == pytest.approx(branch.values, abs=1e-9)
    assert v[[p.place for p in branch.special]] == pytest.approx([-1.0, 1.0], abs=1e-4)
    clear = np.abs(np.abs(v) - 1.0) > 1e-3
    assert (branch.stable == (np.abs(v) > 1.0))[clear].all()
    assert len(branch.crossings(0.1)) == 3
    assert branch.values[[0, -1]].tolist() == [-2.0, 2.0]
    assert list(branch.ends) == ["the end of the range"] * 2


KIR = """
title = "A cell with an inward rectifier"
[parameters]
K_bath = "20 mM"
[simulation]
duration = "10 s"
temperature = "37 degC"
[compartments.cell]
bath = "floating"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }
[compartments.bath]
bath = true
concentrations = { K = "K_bath", Na = "150 mM - K_bath", Cl = "150 mM" }
[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1000 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-48 mV"
conductance = { Na = "0.02 mS/cm^2" }
[membranes.plasma.pathways.Kir]
ion = "K"
conductance = "0.5 mS/cm^2 * sqrt(K.outside / 4 mM) / (1 + exp((V - E.K - 5 mV) / 6 mV))"
[membranes.plasma.pathways.leak]
ion = "K"
conductance = "0.01 mS/cm^2"
"""


def test_an_oscillation_is_told_with_its_period():
    """Between its Hopf points the model goes round: the period is that of its run, sampled finely."""
    model = fitzhugh_nagumo(0.7, 0.8, 0.08)
    model = replace(model, parameters=by_name([Parameter("I", 0.5)]))
    model = replace(
        model, simulation=replace(model.simulation, duration=1.0), recording=Recording("linear", points=8001)
    )
    period = verdict_of(simulate(model)).numbers["period_s"]
    assert 0.02 < period < 0.06
    found = steady_state(model)
    assert found.status == "none"
    assert found.message.startswith("it oscillates")
    assert found.message.endswith(f", with a period of {1e3 * period:.3g} ms")


def test_a_fold_is_found_from_wherever_the_range_begins():
    """Over two decades as over one: steps as long as the curve allows, not stalled by an old slope."""
    found = []
    for low in (0.5, 5.0):
        branch = continue_steady_state(loads(KIR).model, "K_bath", low, 60.0)
        assert len(branch.values) < 600
        (fold,) = [point for point in branch.special if point.kind == "fold"]
        found.append(fold.value)
    assert found[0] == pytest.approx(found[1], rel=1e-8)
    assert found[0] == pytest.approx(10.722542, abs=1e-6)


def test_a_branch_ends_where_no_membrane_withstands_the_potential():
    model = load(SCENARIO_FILES["huebel_dahlem_2014"]).model
    branch = continue_steady_state(model, "total:K", 60e-15, 330e-15)
    reached = [end for end in branch.ends if "which no membrane withstands" in end]
    assert len(reached) == 1
    assert np.abs(branch.trajectory.membrane_potential("plasma")).max() < 1.5


@pytest.mark.parametrize(("a", "b", "epsilon"), [(0.7, 0.8, 0.08), (0.7, 0.8, 0.5), (0.2, 0.5, 0.02)])
def test_hopf_points_of_fitzhugh_nagumo(a, b, epsilon):
    """Trace 0: v = ∓√(1 − ε b), and there the period is 2π/√(ε − ε² b²) ms."""
    branch = continue_steady_state(fitzhugh_nagumo(a, b, epsilon), "I", -2.0, 4.0)
    hopf = [point for point in branch.special if point.kind == "hopf"]
    assert [point.kind for point in branch.special] == ["hopf", "hopf"]
    v = np.sqrt(1.0 - epsilon * b) * np.array([-1.0, 1.0])
    assert [point.value for point in hopf] == pytest.approx(v**3 / 3 - v + (v + a) / b, abs=1e-6)
    period = 2e-3 * pi / np.sqrt(epsilon - (epsilon * b) ** 2)
    assert [point.period for point in hopf] == pytest.approx([period] * 2, rel=1e-5)
    between = (branch.values > hopf[0].value + 1e-6) & (branch.values < hopf[1].value - 1e-6)
    assert (branch.unstable_modes[between] == 2).all()


def parametric_solution(pump: float) -> tuple[float, float, float]:
    """V, Cl and volume/impermeant of Düsterwald's cell from the fluxes alone, at a pump rate, cycles / (Na_i/Na_o)³.

    With P = F p (Na_i/Na_o)³ and ohmic leaks g, at rest: Na: g_Na (V − E_Na) + 3 P = 0; K: g_K (V − E_K) − 2 P = k
    and Cl: g_Cl (V − E_Cl) = k, where KCC2 carries k = g_KCC2 (E_K − E_Cl). So E_K and E_Cl follow from V and P, and
    osmotic and charge balance, with impermeants of valence z in the cell, give V.
    """
    thermal = GAS_CONSTANT * (26.725e-3 * 96485.33212 / 8.314462618) / FARADAY
    na_o, k_o, cl_o, osmolarity, z = 145.0, 3.5, 119.0, 297.0, -0.85
    g_na, g_k, g_cl, g_kcc = 0.2, 0.7, 0.2, 0.2  # S/m²

    def state(v: float, p: float) -> tuple[float, float, float]:
        # [g_K + g_KCC, −g_KCC; −g_KCC, g_Cl + g_KCC] [E_K, E_Cl] = [g_K V − 2 P, g_Cl V]
        e_k, e_cl = np.linalg.solve([[g_k + g_kcc, -g_kcc], [-g_kcc, g_cl + g_kcc]], [g_k * v - 2.0 * p, g_cl * v])
        na = na_o * np.exp(-(v + 3.0 * p / g_na) / thermal)
        return na, k_o * np.exp(-e_k / thermal), cl_o * np.exp(e_cl / thermal)

    def excess(v: float, p: float) -> float:
        na, k, cl = state(v, p)
        return na + k - cl + z * (osmolarity - na - k - cl)

    def mismatch(ln_p: float) -> float:
        p = np.exp(ln_p)
        v = scipy.optimize.brentq(excess, -1.0, 0.5, args=(p,), xtol=1e-15)
        return float(np.log(FARADAY * pump * (state(v, p)[0] / na_o) ** 3 / p))

    p = np.exp(scipy.optimize.brentq(mismatch, np.log(1e-8), np.log(0.03), xtol=1e-14))
    v = scipy.optimize.brentq(excess, -1.0, 0.5, args=(p,), xtol=1e-15)
    return v, state(v, p)[2], p


def test_parametric_solution_of_duesterwald():
    """Along five decades of the pump rate V falls and then rises again; at every point it is the parametric solution.

    The parametric solution takes the cell for neutral; the charge of the membrane, a few µM, is all that is between.
    """
    model = iontide.load(SCENARIO_FILES["duesterwald_2018"]).model
    branch = continue_steady_state(model, "pump_rate", 1e-6, 1e-2)
    v = branch.trajectory.membrane_potential("plasma")
    chloride = branch.trajectory.concentration("cell", "Cl")
    for k in range(0, len(branch), 12):
        exact_v, exact_cl, _ = parametric_solution(branch.values[k])
        assert v[k] == pytest.approx(exact_v, abs=2e-5), branch.values[k]
        assert chloride[k] == pytest.approx(exact_cl, rel=1e-3)
    lowest = int(np.argmin(v))
    assert 0 < lowest < len(branch) - 1
    assert (np.diff(v[: lowest + 1]) < 0.0).all()
    assert (np.diff(v[lowest:]) > 0.0).all()
    assert branch.stable.all()
    # From the authors' program (homeostasis.csv): V at 10^-2 and 10^0 C/dm²/s over F.
    for pump, published in ((1e-2, -72.4195e-3), (1e0, -71.1256e-3)):
        assert np.interp(np.log(pump * 100 / 96485.33212), np.log(branch.values), v) == pytest.approx(
            published, abs=1e-5
        )


def test_every_point_is_the_steady_state_of_its_model():
    model = iontide.load(SCENARIO_FILES["pump_leak_cell"]).model
    branch = continue_steady_state(model, "pump_rate", 3e-7, 5e-6)
    for k in (0, len(branch) // 2, len(branch) - 1):
        value = replace(model.parameters["pump_rate"], value=float(branch.values[k]))
        alone = steady_state(replace(model, parameters={**model.parameters, "pump_rate": value}))
        assert branch.states[k] == pytest.approx(alone.trajectory.states[0], rel=1e-9)
        assert branch.at(k).membrane_potential("plasma") == pytest.approx(
            branch.trajectory.membrane_potential("plasma")[k]
        )
        assert branch.at(k).parameter("pump_rate")[0] == branch.values[k]


def huebel(pump_in_pause: float = 1.0) -> Model:
    """Hübel & Dahlem's neuron without its glial buffer: closed for K."""
    settings = {"parameters.buffering": "0 /ms", "parameters.pump_in_pause": pump_in_pause}
    return iontide.load(SCENARIO_FILES["huebel_dahlem_2014"], set=settings).model


def test_rest_saddle_and_depolarised_state_along_the_potassium_content():
    """One curve with two folds leads from rest by way of a saddle to the depolarised state; both ends find the same."""
    rest, depolarised = (steady_state(huebel(pause)) for pause in (1.0, 0.0))
    content = next(total.value for total in rest.conserved if total.what == "K in cell and space")
    reach = 60.0 * 720e-18  # 60 mM of the space
    branches = [
        continue_steady_state(huebel(pause), "total:K", content - reach, content + reach) for pause in (1.0, 0.0)
    ]
    for branch in branches:
        folds = [(p.value - content) / 720e-18 for p in branch.special if p.kind == "fold"]
        assert folds == pytest.approx([29.746864, -49.714046], abs=1e-5)
        v = branch.trajectory.membrane_potential("plasma")
        here = branch.crossings(content)
        assert len(here) == 3
        assert [int(branch.unstable_modes[k]) for k in here] == [0, 1, 0]
        assert v[here[0]] == pytest.approx(rest.trajectory.membrane_potential("plasma")[0], abs=1e-3)
        assert v[here[2]] == pytest.approx(depolarised.trajectory.membrane_potential("plasma")[0], abs=1e-3)
        assert sorted(p.kind for p in branch.special) == ["fold"] * 2 + ["hopf"] * 4
    one, two = (np.array([p.value for p in branch.special]) for branch in branches)
    assert one == pytest.approx(two, rel=1e-6)


def test_what_is_conserved_where_a_reaction_has_stopped():
    """A rate constant of 0 makes of B and KB two totals; a charge is written in the amounts beside its potential."""
    rest = steady_state(huebel())
    assert {"B in space", "KB in space", "K in cell and space", "charge of cell"} <= {t.what for t in rest.conserved}
    system = system_of(huebel(), prepare(huebel()))
    names = [system.prepared.layout.names[i] for i in system.active]
    charge = next(row for row in system.conserved if row[names.index("potential of cell")])
    assert {name for name, w in zip(names, charge, strict=True) if w and "space" in name} == set()
    with_buffer = iontide.load(SCENARIO_FILES["huebel_dahlem_2014"]).model
    assert "KB in space" not in {own.what for own in steady_state(with_buffer).conserved}


def test_a_real_start_lies_in_the_range_or_is_led_there():
    branch = continue_steady_state(cubic(), "I", 0.0, 0.5)  # the model's own value is -1.5
    assert branch.values.min() == 0.0
    assert branch.values.max() == 0.5


def test_refusals():
    model = iontide.load(SCENARIO_FILES["duesterwald_2018"]).model
    with pytest.raises(UsageError, match="names none of the conserved totals"):
        continue_steady_state(model, "total:K", 0.0, 1.0)
    with pytest.raises(UsageError, match="formula"):
        continue_steady_state(model, "initial_K", 1.0, 2.0)
    with pytest.raises(UsageError, match="lower to a higher"):
        continue_steady_state(model, "pump_rate", 2.0, 1.0)
    with pytest.raises(UsageError, match="did you mean pump_rate"):
        continue_steady_state(model, "pump_rat", 1.0, 2.0)
    swelling = iontide.load(SCENARIO_FILES["kay_2017"]).model
    name = next(n for n, p in swelling.parameters.items() if isinstance(p.value, float) and p.value > 0)
    own = swelling.parameters[name].value
    with pytest.raises(SolverError, match="no steady state to start from"):
        continue_steady_state(swelling, name, 0.99 * own, 1.01 * own)


# -- basins ----------------------------------------------------------------------------------------------------------


def test_one_end_whatever_the_chloride():
    """M1 from 1 to 90 mM Cl inside, K to match: one end (Düsterwald et al. 2018, Fig. 1B)."""
    starts = []
    for chloride in (1.0, 5.0, 15.0, 40.0, 90.0):
        settings = {"parameters.initial_Cl": f"{chloride} mM"}
        start = iontide.load(SCENARIO_FILES["duesterwald_2018"], set=settings).model
        starts.append(prepare(start).initial.y)
    model = iontide.load(SCENARIO_FILES["duesterwald_2018"]).model
    result = basins(model, np.array(starts))
    assert len(result.ends) == 1
    assert result.ends[0].starts == (0, 1, 2, 3, 4)
    assert float(result.ends[0].steady.trajectory.concentration("cell", "Cl")[0]) == pytest.approx(5.1648, abs=2e-4)
    assert not result.without


def test_random_starts_of_a_cell_that_has_one_end():
    model = iontide.load(SCENARIO_FILES["pump_leak_swelling"]).model
    result = basins(model, 10, seed=3)
    assert len(result.ends) == 1
    assert len(result.ends[0].starts) == 10
    assert np.array_equal(result.starts, basins(model, 10, seed=3).starts)


def test_two_ends_of_a_bistable_membrane():
    """At I = 0 the saddle is v = 0: what starts above ends at √3, what starts below at −√3."""
    model = replace(cubic(), parameters=by_name([Parameter("I", 0.0)]))
    result = basins(model, 20, seed=1)
    assert len(result.ends) == 2
    for end in result.ends:
        v = float(end.steady.trajectory.membrane_potential("plasma")[0]) / UNIT
        assert abs(v) == pytest.approx(np.sqrt(3.0), rel=1e-9)
        assert (np.sign(result.starts[list(end.starts), 0]) == np.sign(v)).all()
    assert basin_lines(result)[0] == "20 starts, 2 end(s)"


def test_two_ends_of_a_closed_neuron_with_conserved_totals():
    result = basins(huebel(), 100, seed=2)
    assert len(result.ends) == 2
    potentials = sorted(1e3 * float(end.steady.trajectory.membrane_potential("plasma")[0]) for end in result.ends)
    assert potentials == pytest.approx([-67.194, -23.113], abs=1e-2)


def test_starts_without_an_end_are_told_of():
    result = basins(iontide.load(SCENARIO_FILES["kay_2017"]).model, 2)
    assert not result.ends
    assert sum(result.without.values()) == 2
    assert "diverges" in next(iter(result.without))
