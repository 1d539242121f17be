"""Warnings of passive pathways that run uphill, with the time and the amount; none of those that dissipate."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iontide
from iontide import storage
from iontide.analysis.audit import dissipation
from iontide.analysis.audit.diagnostics import Audit, warnings
from iontide.analysis.audit.dissipation import Dissipation
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.formulas.formula import parse_formula
from iontide.model.model import Compartment, Gate, Membrane, Model, Parameter, ParameterStep, Pathway, Simulation
from iontide.reports.info import info
from iontide.reports.info_text import info_text
from iontide.simulation.simulate import simulate
from iontide.simulation.trajectory import Trajectory
from tests.simulation.test_invariants import EXAMPLES, passive_models
from tests.support.effort import grows_in_proportion
from tests.support.models import AREA, CAPACITANCE, CL, NA, TEMPERATURE, K, by_name, ghk, p1, single_ion
from tests.support.models import with_recording as recorded
from tests.support.models import with_simulation as simulated
from tests.support.paths import SCENARIO_FILES

SHIPPED = [path for path in SCENARIO_FILES.values() if path.parent.name != "published"]
RT = R * TEMPERATURE
KCC = {"K": 1, "Cl": 1}


def held(*pathways, parameters=(), protocol=(), **concentrations):
    """Two solutions that are kept, so that the force on what crosses without charge changes at protocol steps only.

    100 mM K and 4 mM Cl inside, 4 mM and 150 mM outside, so that KCl is driven inward with R T ln(600/400).
    """
    inside, outside = {"K": 100.0, "Na": 20.0, "Cl": 4.0}, {"K": 4.0, "Na": 146.0, "Cl": 150.0}
    plasma = Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, potential=0.0, pathways=(ghk("K", 1e-8), *pathways))
    return Model(
        species=by_name([K, NA, CL]),
        compartments=by_name(
            [
                Compartment("cell", "floating bath", None, inside),
                Compartment("bath", "bath", None, outside | concentrations),
            ]
        ),
        membranes={"plasma": plasma},
        parameters=by_name(parameters),
        protocol=tuple(protocol),
        simulation=Simulation(duration=100.0),
        temperature=TEMPERATURE,
    )


def by_formula(rate, stoichiometry=KCC, name="pathways.kcc", **more):
    return Pathway(name, "formula", stoichiometry, {"rate": parse_formula(rate)}, **more)


def warnings_of(trajectory):
    """The sentences about pathways that run uphill."""
    return [sentence for sentence in warnings(trajectory) if "uphill" in sentence]


# -- warnings -------------------------------------------------------------------------------------------------------


def test_a_constant_efflux_against_its_gradient():
    """J = 1 µmol m⁻² s⁻¹ of KCl outward; Δmu = R T ln(100·4 / (4·150)) = −R T ln 1.5 = −1.046 kJ/mol."""
    trajectory = simulate(held(by_formula("1 umol/m^2/s")))
    force = RT * log(1.5)
    assert force == pytest.approx(1046, abs=1)
    assert warnings_of(trajectory) == [
        "the pathway kcc of plasma is passive but runs uphill from t = 0 s to the end: at worst, at t = 0 s, it "
        "carries K + Cl out at 1 umol/m^2/s against a driving force of 1.05 kJ/mol, a gain of 1.05 mW/m^2; "
        'correct its law, or name what pays for it: driven_by = "ATP"'
    ]
    found = Dissipation()
    found.add(trajectory)
    worst = found.pathways["plasma", "pathways.kcc"].worst
    assert worst.rate == pytest.approx(1e-6, rel=1e-14)
    assert worst.force == pytest.approx(-force, rel=1e-12)
    assert worst.gain == pytest.approx(1e-6 * force, rel=1e-12)


def test_a_charged_cycle_counts_its_charge():
    """Na/Ca exchange and its like: 3 Na out, 2 K in by a formula, at V = 0, where the step stands."""
    trajectory = simulate(held(by_formula("2 umol/m^2/s", {"Na": 3, "K": -2}, "pathways.pump")))
    (sentence,) = warnings_of(trajectory)
    v = trajectory.membrane_potential("plasma")
    force = RT * (3 * log(20 / 146) - 2 * log(100 / 4)) + F * v
    assert f"a driving force of {-force.min() * 1e-3:.3g} kJ/mol" in sentence
    assert f"a gain of {-2e-6 * force.min() * 1e3:.3g} mW/m^2" in sentence
    assert f"at worst, at t = {trajectory.time[np.argmin(force)]:g} s, it carries 3 Na out and 2 K in at 2 " in sentence


def test_the_other_way_round_and_what_pays_for_it_are_no_matter():
    assert warnings_of(simulate(held(by_formula("-1 umol/m^2/s")))) == []
    assert warnings_of(simulate(held(by_formula("1 umol/m^2/s", driven_by="ATP")))) == []


def stepped(*steps):
    """A constant efflux of KCl while K of the bath goes up and down: at 2 mM it runs downhill, at 4 mM uphill."""
    parameters = [Parameter("level", 2.0), Parameter("rate", 1e-6)]
    return held(by_formula("rate"), parameters=parameters, protocol=steps, K=parse_formula("level"))


def test_a_law_that_runs_uphill_after_a_step_is_told_of_from_there():
    trajectory = simulate(stepped(ParameterStep(37.5, None, {"level": 4.0})))
    (sentence,) = warnings_of(trajectory)
    assert "runs uphill from t = 37.5 s to the end: at worst, at t = 37.5 s, it carries K + Cl out" in sentence
    assert "against a driving force of 1.05 kJ/mol" in sentence


def test_to_when_and_whether_in_one_stretch():
    (once,) = warnings_of(simulate(stepped(ParameterStep(37.5, 62.5, {"level": 4.0}))))
    assert "runs uphill from t = 37.5 s to t = 62.5 s: at worst" in once
    pulses = (ParameterStep(10.0, 20.0, {"level": 4.0}), ParameterStep(30.0, 40.0, {"level": 5.0}))
    (twice,) = warnings_of(simulate(stepped(*pulses)))
    assert "runs uphill from t = 10 s to t = 40 s, at times: at worst, at t = 30 s" in twice
    again = ParameterStep(90.0, None, {"level": 4.0})
    (thrice,) = warnings_of(simulate(stepped(*pulses, again)))
    assert "runs uphill from t = 10 s to the end, at times: at worst, at t = 30 s" in thrice
    off = replace(stepped(*pulses), protocol=(ParameterStep(30.0, 40.0, {"rate": 0.0}),))
    off = replace(off, parameters=off.parameters | {"level": Parameter("level", 4.0)})
    assert "runs uphill from t = 0 s to the end, at times: at worst, at t = 0 s" in warnings_of(simulate(off))[0]
    trajectory = simulate(stepped(again))
    (last,) = warnings_of(trajectory.part(slice(0, np.flatnonzero(trajectory.segment)[0] + 1)))
    assert "runs uphill at t = 90 s: at worst" in last


SCENARIO = """
title = "KCC by a formula"
simulation = { duration = "1 h", temperature = "37 degC" }

[compartments.cell]
volume = "4 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }

[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "146 mM", Cl = "150 mM" }

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1200 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "ghk"
permeability = { K = "4e-8 m/s", Na = "2e-9 m/s", Cl = "2e-8 m/s" }

[membranes.plasma.pathways.kcc]
transporter = "KCC"
rate = "1e-10 m^4/mol/s * (FORCE)"
"""


def test_a_sign_error_in_a_formula(tmp_path):
    right, wrong = "K.inside * Cl.inside - K.outside * Cl.outside", "K.outside * Cl.outside - K.inside * Cl.inside"
    assert warnings_of(iontide.run(iontide.loads(SCENARIO.replace("FORCE", right)))) == []
    trajectory = iontide.run(iontide.loads(SCENARIO.replace("FORCE", wrong)))
    (sentence,) = warnings_of(trajectory)
    products = [trajectory.concentration(c, "K") * trajectory.concentration(c, "Cl") for c in ("cell", "bath")]
    power = -1e-10 * (products[0] - products[1]) * RT * np.log(products[0] / products[1])
    assert sentence.startswith("the pathway kcc of plasma is passive but runs uphill from t = 0 s to the end: ")
    assert np.any(np.abs(power) < 1e-7 * np.max(np.abs(power)))  # it passes by equilibrium, which is no pause
    assert f"at worst, at t = {trajectory.time[np.argmin(power)]:g} s, it carries K + Cl" in sentence
    assert f"a gain of {-power.min() * 1e3:.3g} mW/m^2" in sentence
    path = storage.save(trajectory, tmp_path / "x.h5")
    assert sentence in info(path)["warnings"]
    assert f"warning: {sentence}" in info_text(info(path)).splitlines()


def test_a_sum_for_a_product_is_uphill_for_a_while():
    """K + Cl in the place of K · Cl has the right sign at first, and stops elsewhere."""
    wrong = "100 mM * (K.inside + Cl.inside - K.outside - Cl.outside)"
    (sentence,) = warnings_of(iontide.run(iontide.loads(SCENARIO.replace("FORCE", wrong))))
    assert "kcc of plasma" in sentence


def test_a_negative_conductance_is_called_so():
    leak = Pathway("conductance.Na", "ohmic", {"Na": 1}, {"": -0.1})
    (sentence,) = warnings_of(simulate(held(leak)))
    assert sentence.startswith("the pathway conductance.Na of plasma is passive but runs uphill")
    assert sentence.endswith("; its conductance is negative there, which no passive pathway has")


def test_a_rounded_constant_is_thought_of():
    """26.7 mV for R T / F, 26.7269 mV: near equilibrium the law stops 0.09 mV beside the Nernst potential."""
    rate = "1e-5 mol/m^2/s * (V / 26.7 mV + log(K.inside / K.outside))"
    model = held(by_formula(rate, {"K": 1}, "pathways.leak"))
    # It starts where V is a little nearer to 0 than the Nernst potential, and is uphill from there on.
    plasma = replace(model.membranes["plasma"], potential=-RT / F * log(25.0) + 1e-5)
    (sentence,) = warnings_of(simulate(replace(model, membranes={"plasma": plasma})))
    assert sentence.endswith(
        "(so small a force may come of a rounded constant: the law must stop where the driving force is 0)"
    )
    (far,) = warnings_of(simulate(held(by_formula("1 umol/m^2/s"))))
    assert "rounded" not in far


def test_parts_say_the_same_as_the_whole():
    pulses = (ParameterStep(10.0, 20.0, {"level": 4.0}), ParameterStep(30.0, 40.0, {"level": 5.0}))
    for steps in (pulses, pulses[:1], (ParameterStep(30.0, 40.0, {"rate": 0.0}), *pulses), ()):
        whole_and_parts(simulate(recorded(stepped(*steps), points=100)))


def whole_and_parts(trajectory):
    for size in (1, 7, 50, 1000):
        audit = Audit()
        for i in range(0, len(trajectory), size):
            audit.add(trajectory.part(slice(i, i + size)))
            audit.add(trajectory.part(slice(i, i)))
        assert audit.warnings(trajectory.run) == warnings(trajectory)


# -- no warnings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_shipped_scenario_runs_uphill(path):
    assert warnings_of(iontide.run(path)) == []


def turned(trajectory, membrane, pathway):
    """The trajectory as if a permeability or conductance had been negative: same states, other fluxes."""
    key = f"membranes.{membrane}.{pathway}"
    values = tuple({**v, key: -v[key]} for v in trajectory.run.values)
    return replace(trajectory, run=replace(trajectory.run, values=values))


@given(passive_models(baths=(0, 1, 2)), st.data())
@settings(max_examples=24 * EXAMPLES // 100)
def test_no_random_passive_model_does_unless_a_sign_is_turned(model, data):
    trajectory = iontide.run(model)
    assert warnings_of(trajectory) == []
    ways = [(m.name, p) for m in model.membranes.values() for p in m.pathways]
    if not ways:
        return
    membrane, pathway = data.draw(st.sampled_from(ways))
    (ion,) = pathway.stoichiometry
    found = warnings_of(turned(trajectory, membrane, pathway.name))
    if np.max(np.abs(trajectory.driving_force(membrane, ion))) > 1.0:
        (sentence,) = found
        assert sentence.startswith(f"the pathway {pathway.name} of {membrane} is passive but runs uphill ")


PASSIVE = [
    Pathway("permeability.K", "ghk", {"K": 1}, {"": 1e-8}),
    Pathway("conductance.Cl", "ohmic", {"Cl": 1}, {"": 1.0}),
    Pathway("pathways.kcc", "mass_action", KCC, {"rate": 1e-10}),
    Pathway("pathways.swap", "mass_action", {"Na": 3, "K": -1}, {"rate": 1e-15}),
    Pathway("pathways.kcc", "saturating", KCC, {"rate": 1e-6, "half_saturation.K": 10.0, "half_saturation.Cl": 10.0}),
    Pathway("pathways.kcc", "linear_force", KCC, {"conductance": 1.0}),
    Pathway("pathways.swap", "log_ratio", {"Na": 2, "K": -1}, {"rate": 1e-7}),
    Pathway(
        "pathways.nkcc",
        "nkcc1_sigmoidal",
        {"Na": 1, "K": 1, "Cl": 2},
        {"rate": 1e-7, "half.K_outside": 16.0, "slope.K_outside": 1.0},
    ),
    by_formula("1e-10 m^4/mol/s * (K.inside.activity * Cl.inside.activity - K.outside.activity * Cl.outside.activity)"),
    by_formula("1e-5 mol/m^2/s * (V - E.K) / 25 mV", {"K": 1}),
]


def balanced(trajectory, pathway):
    """4000 times the end of a run, but for one ion, so that the pathway is at equilibrium to rounding."""
    ion, count = next(iter(pathway.stoichiometry.items()))
    i = trajectory.run.layout.amount_index["cell", ion]
    state = trajectory.states[-1:].copy()
    for _ in range(100):
        at = Trajectory(trajectory.run, np.zeros(1), np.zeros(1, dtype=np.int32), state.copy())
        force = sum(n * at.driving_force("plasma", name) for name, n in pathway.stoichiometry.items())
        state[0, i] *= np.exp(-force[0] / (count * RT))
    assert abs(force[0]) < 1e-10
    return Trajectory(trajectory.run, np.arange(4000.0), np.zeros(4000, dtype=np.int32), np.repeat(state, 4000, axis=0))


@pytest.fixture(scope="module")
def near_equilibrium():
    """For each law and activity model, 4000 states about its equilibrium, from 1e-17 to 1e-5 of themselves apart."""
    found = []
    for pathway in PASSIVE:
        for activity in ("ideal", "davies", "pitzer"):
            model = p1()
            plasma = replace(model.membranes["plasma"], pathways=(pathway,))
            compartments = {name: replace(c, activity=activity) for name, c in model.compartments.items()}
            model = replace(model, membranes={"plasma": plasma}, compartments=compartments)
            trajectory = balanced(simulate(simulated(model, duration=1e4)), pathway)
            rng = np.random.default_rng(1)
            shape = (4000, trajectory.run.layout.size)
            apart = 10.0 ** rng.uniform(-17, -5, (shape[0], 1)) * rng.standard_normal(shape)
            apart[0] = 0.0
            found.append(replace(trajectory, states=trajectory.states * (1.0 + apart)))
    return found


def test_rounding_near_equilibrium_is_no_alarm(near_equilibrium):
    for trajectory in near_equilibrium:
        assert warnings_of(trajectory) == [], trajectory.model


def test_rounding_throughout_a_run_is_no_alarm(near_equilibrium):
    """At equilibrium from the start there is nothing larger to measure by."""
    for trajectory in near_equilibrium:
        rng = np.random.default_rng(2)
        rounded = trajectory.states[0] * (1.0 + 1e-16 * rng.standard_normal(trajectory.states.shape))
        found = Dissipation()
        found.add(replace(trajectory, states=rounded))
        assert list(found.warnings(trajectory.run)) == []


def test_there_is_rounding_near_equilibrium(near_equilibrium, monkeypatch):
    """The limit is what keeps quiet, and it lies far above: a millionth of it would do."""
    monkeypatch.setattr(dissipation, "FORCE_ROUNDING", 0.0)
    quiet = [replace(t, run=replace(t.run, model=simulated(t.model, rtol=0.0))) for t in near_equilibrium]
    assert sum(len(warnings_of(t)) for t in quiet) > len(PASSIVE)
    monkeypatch.setattr(dissipation, "FORCE_ROUNDING", 1e-12)
    assert not any(warnings_of(t) for t in quiet)


@pytest.mark.parametrize(("inside", "outside"), [(0.0, 10.0), (100.0, 0.0)])
@pytest.mark.parametrize("valence", [-1, 0, 2])
def test_what_flows_into_nothing_flows_downhill(valence, inside, outside):
    assert warnings_of(simulate(simulated(single_ion(valence, inside, outside), duration=10.0))) == []


def test_samples_without_a_driving_force_are_passed_over():
    """Of KCl taken out of a bath without Cl no force is defined; after a step it is."""
    model = held(
        by_formula("1 umol/m^2/s"),
        parameters=[Parameter("level", 0.0)],
        protocol=[ParameterStep(50.0, None, {"level": 150.0})],
        Cl=parse_formula("level"),
    )
    (sentence,) = warnings_of(simulate(model))
    assert "from t = 50 s to the end" in sentence


def test_a_gate_that_is_negative_by_an_error_of_the_solver_is_no_alarm():
    gate = Gate("m", steady=parse_formula("0.5"), time_constant=parse_formula("10 s"), initial=0.5)
    channel = Pathway("pathways.channel", "ohmic", {"Na": 1}, {"": parse_formula("10 S/m^2 * m")}, gates=(gate,))
    trajectory = simulate(held(channel))
    states = trajectory.states.copy()
    column = trajectory.run.layout.names.index("gate m of channel in plasma")
    states[100:200, column] = -1e-9
    assert warnings_of(replace(trajectory, states=states)) == []
    states[:200, column] = -1e-9  # before it ever opened, when there is no measure yet
    assert warnings_of(replace(trajectory, states=states)) == []
    states = trajectory.states.copy()
    states[100:150, column] = -1e-9
    states[150:, column] = -1e-3
    (sentence,) = warnings_of(replace(trajectory, states=states))
    assert f"from t = {trajectory.time[150]:g} s to the end: at worst" in sentence


def test_states_that_are_no_numbers_do_not_hide_the_others():
    trajectory = simulate(held(by_formula("1 umol/m^2/s")))
    states = trajectory.states.copy()
    states[:10] = np.nan
    states[20:25] = np.inf
    (sentence,) = warnings_of(replace(trajectory, states=states))
    assert f"runs uphill from t = {trajectory.time[10]:g} s to the end: at worst" in sentence


def test_it_costs_in_proportion_to_the_samples():
    trajectory = simulate(recorded(p1(), points=1000))

    def audit(repeats: int) -> None:
        rows = np.repeat(np.arange(len(trajectory)), repeats)
        long = Trajectory(trajectory.run, trajectory.time[rows], trajectory.segment[rows], trajectory.states[rows])
        Dissipation().add(long)

    assert grows_in_proportion(audit, 50, 1000)


# -- pumps ----------------------------------------------------------------------------------------------------------


def test_a_pump_that_does_more_work_than_atp_pays_for_is_told_of():
    """3 Na out and 2 K in at 5 kJ/mol of ATP: the gradients and V ask for more, whatever the law says."""
    pump = by_formula("1e-6 umol/m^2/s", {"Na": 3, "K": -2}, "pathways.pump", driven_by="ATP")
    assert warnings(simulate(held(pump))) == []
    poor = simulate(replace(held(pump), atp_free_energy=-5e3))
    (sentence,) = [s for s in warnings(poor) if "ATP" in s]
    v = poor.membrane_potential("plasma")
    work = -(RT * (3 * log(20 / 146) - 2 * log(100 / 4)) + F * v)
    assert sentence.startswith("pump of plasma does more work than ATP pays for from t = 0 s")
    assert f"at worst, at t = {poor.time[np.argmax(work)]:g} s, {(work.max() - 5e3) * 1e-3:.3g} kJ/mol more" in sentence


def test_a_pump_that_turns_backward_still_pays():
    pump = by_formula("-2 umol/m^2/s", {"Na": 3, "K": -2}, "pathways.pump", driven_by="ATP")
    assert [s for s in warnings(simulate(replace(held(pump), atp_free_energy=-1e3))) if "ATP" in s] == []
