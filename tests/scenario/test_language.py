"""Water, formulas of the state, gates, protocols of solutions and currents, exchange, reactions: from the file on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import scipy

import iontide
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.errors import ScenarioError
from iontide.formulas.formula import Formula
from iontide.formulas.units import Dimension
from iontide.model.model import Exchange, Gate, Injection, ParameterStep, Reaction
from iontide.scenario.checks.contents.reactions import constant_of_order, equation_of
from iontide.scenario.jsonschema import json_schema
from iontide.scenario.read import loads
from tests.support.paths import SCENARIO_FILES
from tests.support.scenario_text import CELL, changed, faults_of, model_of, run_of

WARM = 310.15
GATES = (("Na_transient", "m"), ("Na_transient", "h"), ("K_delayed", "n"))
E_HH = [-0.077, 0.050, -0.054387]


# -- water and geometry ---------------------------------------------------------------------------------------------

OSMOTIC = ('volume = "4 pL"', 'volume = "4 pL"\nwater = "osmotic"')
WET = ("permeability = {", 'water_permeability = "2e-5 m/s"\npermeability = {')


def test_water_of_a_membrane():
    model = model_of(
        OSMOTIC,
        WET,
        ('temperature = "37 degC"', 'temperature = "37 degC"\nwater_molar_volume = "18 cm^3/mol"'),
        more='reflection = { K = 0.9, A = "1/2" }\nwall = { elastic_modulus = "1 MPa", slack_volume = "3.5 pL" }\n',
    )
    plasma = model.membranes["plasma"]
    assert model.compartments["cell"].water == "osmotic"
    assert model.water_molar_volume == pytest.approx(18e-6, rel=1e-12)
    assert (plasma.water_permeability, plasma.reflection) == (2e-5, {"K": 0.9, "A": 0.5})
    assert (plasma.elastic_modulus, plasma.slack_volume) == (1e6, pytest.approx(3.5e-15, rel=1e-12))
    assert (plasma.geometry, plasma.length) == ("given", None)
    assert model_of().water_molar_volume == 1.8069e-5
    assert model_of().compartments["cell"].water == "fixed"


def test_areas_that_follow_the_volume():
    sphere = model_of(OSMOTIC, WET, ('"1000 um^2"', '"sphere"')).membranes["plasma"]
    assert sphere.geometry == "sphere"
    tube = model_of(OSMOTIC, WET, ('"1000 um^2"', '{ cylinder = { length = "25 um" } }')).membranes["plasma"]
    assert (tube.geometry, tube.length) == ("cylinder", pytest.approx(25e-6))
    at = run_of(OSMOTIC, WET, ('"1000 um^2"', '"sphere"'))
    assert at.area("plasma")[0] == pytest.approx(4 * np.pi * (3 * 4e-15 / (4 * np.pi)) ** (2 / 3), rel=1e-12)
    w = at.volume("cell")
    assert at.area("plasma")[-1] / at.area("plasma")[0] == pytest.approx((w[-1] / w[0]) ** (2 / 3), rel=1e-9)
    tube = run_of(OSMOTIC, WET, ('"1000 um^2"', '{ cylinder = { length = "25 um" } }'))
    assert tube.area("plasma")[0] == pytest.approx(2 * np.sqrt(np.pi * 25e-6 * 4e-15), rel=1e-12)


def test_a_tight_cell_comes_to_the_osmolarity_of_the_bath():
    """With nothing but water moving, w ends where the amount of solutes over w is the osmolarity outside."""
    tight = ('permeability = { K = "P_K" }', 'water_permeability = "2e-5 m/s"')
    bath = ('K = "4 mM", Na = "146 mM", Cl = "150 mM"', 'K = "4 mM", Na = "196 mM", Cl = "200 mM"')
    run = run_of(OSMOTIC, tight, bath)
    solutes = run.osmolarity("cell")[0] * run.volume("cell")[0]
    assert run.volume("cell")[-1] == pytest.approx(solutes / 400.0, rel=1e-7)
    rate = run.water_flux("plasma")[0] * 1e-9
    assert rate == pytest.approx(2e-5 * 1.8069e-5 * (400.0 - run.osmolarity("cell")[0]) * 1e-9, rel=1e-9)
    at_once = run_of(('volume = "4 pL"', 'volume = "4 pL"\nwater = "equilibrium"'), tight, bath)
    assert at_once.volume("cell")[0] == pytest.approx(solutes / 400.0, rel=1e-6)


def test_a_wall_holds_the_water_back():
    tight = ('permeability = { K = "P_K" }', 'water_permeability = "2e-5 m/s"')
    bath = ('K = "4 mM", Na = "146 mM", Cl = "150 mM"', 'K = "4 mM", Na = "46 mM", Cl = "50 mM"')
    run = run_of(OSMOTIC, tight, bath, more='wall = { elastic_modulus = "5 MPa", slack_volume = "4 pL" }\n')
    pressure = 5e6 * (run.volume("cell")[-1] / 4e-15 - 1.0)
    assert pressure > 1e5
    assert pressure == pytest.approx(R * WARM * (run.osmolarity("cell")[-1] - 100.0), rel=1e-6)


def test_faults_of_water(subtests):
    for pairs, more, message in [
        (
            [OSMOTIC],
            "",
            "compartments.cell.water: no membrane of cell is permeable to water; give one a water_permeability",
        ),
        (
            [("bath = true", 'bath = true\nwater = "osmotic"')],
            "",
            "compartments.bath.water: a bath has no volume that could change",
        ),
        ([('"1000 um^2"', '"spere"')], "", "membranes.plasma.area: no such parameter as spere; did you mean sphere?"),
        (
            [('"1000 um^2"', '{ cylinder = { lenght = "25 um" } }')],
            "",
            "membranes.plasma.area.cylinder.lenght: no such key; did you mean length?",
        ),
        ([('"1000 um^2"', '{ cone = { length = "25 um" } }')], "", "membranes.plasma.area.cone: no such key"),
        (
            [('inside = "cell"\noutside = "bath"', 'inside = "bath"\noutside = "cell"'), ('"1000 um^2"', '"sphere"')],
            "",
            "membranes.plasma.area: the area follows the volume of the inside, but bath is a bath",
        ),
        ([WET], "reflection = { K = 1.5 }", "membranes.plasma.reflection.K: must be ≤ 1, got 1.5"),
        ([WET], "reflection = { Kk = 0.5 }", "membranes.plasma.reflection.Kk: neither cell nor bath has Kk"),
        ([], "reflection = { K = 0.5 }", "membranes.plasma.reflection: has no effect without water_permeability"),
        (
            [WET],
            'wall = { elastic_modulus = "1 MPa", slack_volume = "4 pL" }',
            "membranes.plasma.wall: a wall needs an inside whose volume changes by osmosis, but cell has water = ",
        ),
    ]:
        with subtests.test(message=message):
            found = faults_of(*pairs, more=more)
            assert any(fault.startswith(message) for fault in found), found


# -- formulas of the state --------------------------------------------------------------------------------------------

LIBRARY_PUMP = """
[membranes.plasma.pathways.pump]
law = "na_k_atpase_sigmoidal"
rate = "1e-6 mol/m^2/s"
half = { Na_inside = "25 mM", K_outside = "5.5 mM" }
slope = { Na_inside = "3 mM", K_outside = "1 mM" }
"""

OWN_PUMP = """
[membranes.plasma.pathways.pump]
stoichiometry = { Na = 3, K = -2 }
driven_by = "ATP"
rate = "1e-6 mol/m^2/s / (1 + exp((25 mM - Na.inside) / 3 mM)) / (1 + exp((5.5 mM - K.outside) / 1 mM))"
"""

LEAKS = ('{ K = "P_K" }', '{ K = "P_K", Na = "2e-9 m/s", Cl = "1e-8 m/s" }')


def test_a_rate_of_its_own_does_as_the_library():
    pathway = model_of(more=OWN_PUMP).membranes["plasma"].pathways[-1]
    assert (pathway.law, pathway.driven_by, dict(pathway.stoichiometry)) == ("formula", "ATP", {"Na": 3, "K": -2})
    assert isinstance(pathway.arguments["rate"], Formula)
    own, library = run_of(LEAKS, more=OWN_PUMP), run_of(LEAKS, more=LIBRARY_PUMP)
    for ion in ("K", "Na", "Cl"):
        expected = library.concentration("cell", ion)[-1]
        assert own.concentration("cell", ion)[-1] == pytest.approx(expected, rel=1e-8)
    assert own.concentration("cell", "Na")[-1] != pytest.approx(10.0, abs=1e-3)


def test_a_conductance_by_its_current_and_reversal_potential():
    own = "\n[membranes.plasma.pathways.leak]\nstoichiometry = { K = 1 }\n"
    own += 'rate = "0.1 mS/cm^2 * (V - E.K) / 96485.33212 C/mol"\n'
    no_leak = ('permeability = { K = "P_K" }', "")
    ohmic = ('permeability = { K = "P_K" }', 'conductance = { K = "0.1 mS/cm^2" }')
    a, b = run_of(no_leak, more=own), run_of(ohmic)
    assert a.membrane_potential("plasma")[-1] == pytest.approx(b.membrane_potential("plasma")[-1], abs=1e-9)
    channel = '\n[membranes.plasma.pathways.leak]\nion = "K"\nconductance = "0.1 mS/cm^2"\n'
    c = run_of(no_leak, more=channel)
    np.testing.assert_allclose(c.membrane_potential("plasma"), b.membrane_potential("plasma"), atol=1e-12)


def test_every_name_of_a_membrane():
    names = "V, T, t, area, E.K, K.inside, K.outside, K.inside.activity, K.outside.activity, volume.inside"
    for name, unit in zip(names.split(", "), ["V", "K", "s", "m^2", "V", *4 * ["mol/m^3"], "m^3"], strict=True):
        model = model_of(('"P_K"', f'"P_K * {name} / 1 {unit}"'))
        assert not model.is_settled(model.membranes["plasma"].pathways[0].arguments[""])
        (fault,) = faults_of(('"P_K"', f'"P_K * {name}"'))
        assert "does not fit, a permeability is m/s" in fault


def test_a_parameter_of_time_and_what_is_made_of_it():
    model = model_of(('P_K = "4e-8 m/s"', 'P_0 = "4e-8 m/s"\nP_K = "P_0 * exp(-t / 10 s)"'))
    assert model.moving == {"P_K"}
    run = run_of(
        ('P_K = "4e-8 m/s"', 'P_0 = "4e-8 m/s"\nP_K = "P_0 * exp(-t / 10 s)"'),
        ('permeability = { K = "P_K" }', 'permeability = { K = "P_K", glucose = "0 m/s" }'),
        ('Cl = "10 mM" }', 'Cl = "10 mM", glucose = "0 mM" }'),
        ('Cl = "150 mM" }', 'Cl = "150 mM", glucose = "5 mM" }'),
        more="[species.glucose]\nvalence = 0\n",
    )
    np.testing.assert_allclose(run.parameter("P_K"), 4e-8 * np.exp(-run.time / 10.0), rtol=1e-12)


def test_faults_of_formulas(subtests):
    for pairs, more, message in [
        (
            [('"P_K" }', '"P_K * K.insde / 1 mM" }')],
            "",
            "permeability.K: no such name as K.insde; did you mean K.inside?",
        ),
        (
            [('"P_K" }', '"P_K * volume.outside / 1 pL" }')],
            "",
            "no such name as volume.outside; did you mean volume.inside?",
        ),
        ([('"P_K" }', '"P_K * exp(V)" }')], "", "exp takes a pure number, but `V` is"),
        (
            [('P_K = "4e-8 m/s"', 'P_K = "4e-8 m/s"\nV = "1 V"')],
            "",
            "parameters.V: V already means something in a formula",
        ),
        (
            [('P_K = "4e-8 m/s"', 'P_K = "4e-8 m/s"\nNa = 1')],
            "",
            "parameters.Na: Na already means something in a formula",
        ),
        ([('P_K = "4e-8 m/s"', 'P_K = "4e-8 m/s * V / 1 V"')], "", "parameters.P_K: no such parameter as V"),
        (
            [('"4 pL"', '"V_0"'), ('P_K = "4e-8 m/s"', 'P_K = "4e-8 m/s"\nV_0 = "4 pL + 1 pL/s * t"')],
            "",
            "compartments.cell.volume: this value must be constant during the run, but V_0 depends on time",
        ),
        (
            [],
            OWN_PUMP.replace("1e-6 mol/m^2/s", "1e-6 mol/m^2"),
            "pump.rate: mol/m^2 does not fit, a rate is mol/m^2/s",
        ),
        (
            [],
            OWN_PUMP.replace("stoichiometry = { Na = 3, K = -2 }", ""),
            "pump.law: missing; a pathway needs it, unless",
        ),
        ([], LIBRARY_PUMP + 'driven_by = "ATP"', "pump.driven_by: a law determines itself what drives it"),
        (
            [('Cl = "10 mM" }', 'Cl = "10 mM", Ca = "0 mM" }'), ('Cl = "150 mM" }', 'Cl = "150 mM", Ca = "0 mM" }')],
            OWN_PUMP.replace('"1e-6', '"E.Ca / 1 V * 1e-6'),
            "pump.rate: E.Ca has no value, as cell has no Ca",
        ),
    ]:
        with subtests.test(message=message):
            found = faults_of(*pairs, more=more)
            assert any(message in fault for fault in found), found


# -- gates ------------------------------------------------------------------------------------------------------------

CHANNEL = """
[membranes.plasma.pathways.Na_channel]
ion = "Na"
permeability = "1e-8 m/s * m^3 * h * s"
gates.m.steady = "alpha / (alpha + beta)"
gates.m.alpha = "1 /ms * linexp((V + 30 mV) / 10 mV)"
gates.m.beta = "4 /ms * exp(-(V + 55 mV) / 18 mV)"
gates.h = { alpha = "0.07 /ms", beta = "0.1 /ms", speed = "3^((T - 27 degC) / 10 K)", initial = 0.5 }
gates.s = { steady = "1 - h", time_constant = "20 ms + 1 ms * m" }
"""


def test_gates():
    pathway = model_of(more=CHANNEL).membranes["plasma"].pathways[-1]
    assert (pathway.law, dict(pathway.stoichiometry), list(pathway.arguments)) == ("ghk", {"Na": 1}, [""])
    m, h, s = pathway.gates
    assert not m.is_state
    assert isinstance(m.steady, Formula)
    assert h == Gate("h", alpha=70.0, beta=100.0, speed=h.speed, initial=0.5)
    assert isinstance(h.speed, Formula)
    assert s.is_state
    assert pathway.driven_by == ""


def test_a_gate_relaxes_by_its_exponential():
    run = run_of(('"100 s"', '"50 ms"'), more=CHANNEL)
    h = run.gate("plasma", "pathways.Na_channel", "h")
    speed = 3.0 ** ((WARM - 300.15) / 10.0)
    expected = 70.0 / 170.0 + (0.5 - 70.0 / 170.0) * np.exp(-170.0 * speed * run.time)
    np.testing.assert_allclose(h, expected, rtol=1e-6)


def test_faults_of_gates(subtests):
    for old, new, message in [
        ('alpha = "0.07 /ms", beta', "beta", "gates.h: a gate needs alpha and beta"),
        ('steady = "1 - h", ', "", "gates.s.time_constant: a time_constant applies only together with steady"),
        ('"20 ms + 1 ms * m"', '"20 mV"', "gates.s.time_constant: V does not fit, a time constant is s"),
        ('"1 - h"', '"1 - q"', "gates.s.steady: no such name as q"),
        ('"1 - h"', '"1 - s"', "gates.s: the gates depend on one another in a circle: s → s"),
        ("initial = 0.5", "initial = 1.5", "gates.h.initial: must be ≤ 1, got 1.5"),
        ('alpha = "0.07 /ms"', 'alpah = "0.07 /ms"', "gates.h.alpah: no such key; did you mean alpha?"),
        ("gates.m.", "gates.T.", "gates.T: T already means something in a formula"),
        ("gates.m.", "gates.P_K.", "gates.P_K: P_K is a parameter; choose another name"),
        ('ion = "Na"', 'ion = "Nax"', "Na_channel.ion: no such ion as Nax"),
        (
            'permeability = "1e-8 m/s * m^3 * h * s"',
            "",
            "Na_channel: a channel needs either a conductance or a permeability",
        ),
        (
            'ion = "Na"',
            'ion = "Na"\nstoichiometry = { Na = 1 }',
            "Na_channel.stoichiometry: a channel carries one ion and is passive",
        ),
        ('ion = "Na"', 'ion = "Na"\nlaw = "mass_action"', "Na_channel.ion: a channel has ion and no law"),
        ('ion = "Na"', 'ion = "Na"\nspeed = 3', "Na_channel.speed: no such key"),
    ]:
        with subtests.test(new=new):
            found = faults_of(more=changed(CHANNEL, (old, new)))
            assert any(message in fault for fault in found), found


# -- protocol ---------------------------------------------------------------------------------------------------------

RAMP = '\n[[protocol]]\nat = "20 s"\nramp = { "compartments.bath.K" = "40 mM", over = "30 s" }\n'
PULSE = (
    '\n[[protocol]]\nfrom = "20 s"\nto = "30 s"\ninject = { into = "cell", current = "2 pA", carried_by = "K" }\n'
    '\n[[protocol]]\nat = "60 s"\ninject = { into = "cell", current = "-1 pA" }\n'
)


def test_a_solution_is_ramped():
    model = model_of(more=RAMP)
    name = "compartments.bath.concentrations.K"
    assert model.parameters[name].value == 4.0
    assert model.parameters[name].dimension == Dimension(mol=1, m=-3)
    assert model.compartments["bath"].concentrations["K"] == Formula(name, None)
    assert model.protocol == (ParameterStep(20.0, None, {name: 40.0}, 30.0),)
    run = run_of(("4e-8 m/s", "4e-6 m/s"), more=RAMP)
    k = run.concentration("bath", "K")
    np.testing.assert_allclose(k, np.interp(run.time, [0.0, 20.0, 50.0, 100.0], [4.0, 4.0, 40.0, 40.0]), rtol=1e-9)
    e = R * WARM / F * np.log(40.0 / run.concentration("cell", "K")[-1])
    assert run.membrane_potential("plasma")[-1] == pytest.approx(e, abs=1e-8)


def test_a_solution_is_changed_for_a_while_and_a_parameter_ramped():
    more = '\n[[protocol]]\nfrom = "20 s"\nto = "30 s"\nset = { "compartments.bath.concentrations.K" = "40 mM" }\n'
    run = run_of(more=more)
    k = run.concentration("bath", "K")
    assert set(k[(run.time > 20) & (run.time < 30)]) == {40.0}
    assert set(k[(run.time < 20) | (run.time > 30)]) == {4.0}
    model = model_of(more='\n[[protocol]]\nat = "1 s"\nramp = { "parameters.P_K" = "8e-8 m/s", over = "5 s" }\n')
    assert model.protocol == (ParameterStep(1.0, None, {"P_K": 8e-8}, 5.0),)
    assert model.moving == {"P_K"}


def test_currents_are_injected_and_accounted_for():
    model = model_of(more=PULSE)
    first, second = model.injections
    name = "injections.injection_1.current"
    assert first == Injection("injection_1", "cell", "K", Formula(name, None))
    assert (second.carried_by, second.name) == (None, "injection_2")
    assert model.parameters[name].value == 0.0
    assert model.parameters[name].dimension == Dimension(A=1)
    assert model.protocol[0] == ParameterStep(20.0, 30.0, {name: 2e-12})
    closed = ('permeability = { K = "P_K" }', "")
    run = run_of(closed, more=PULSE)
    v, k = run.membrane_potential("plasma"), run.amount("cell", "K")
    capacity = 1e-9 * 0.01
    t = run.time
    charge = np.interp(t, [0, 20, 30, 60, 100], [0, 0, 20e-12, 20e-12, -20e-12])
    np.testing.assert_allclose(v, -0.07 + charge / capacity, atol=1e-9)
    assert k[-1] - k[0] == pytest.approx(20e-12 / F, rel=1e-5)


def test_faults_of_protocols(subtests):
    for more, message in [
        (RAMP.replace(', over = "30 s"', ""), "protocol.0.ramp.over: missing; a ramp needs the time that it takes"),
        (RAMP.replace('"30 s"', '"30 mM"'), "protocol.0.ramp.over: mol/m^3 does not fit, a duration is s"),
        (RAMP.replace('"30 s"', "30"), 'protocol.0.ramp.over: a duration needs a unit (as "30 s"), got 30'),
        (
            RAMP.replace('at = "20 s"', 'from = "20 s"\nto = "30 s"'),
            "protocol.0.from: a ramp has at instead of from and to",
        ),
        (RAMP.replace("bath.K", "bath.Kk"), "bath gives no concentration of Kk; did you mean K?"),
        (RAMP.replace("bath.K", "cell.K"), "cell is not a bath"),
        (RAMP.replace("bath.K", "bat.K"), "no such compartment as bat; did you mean bath?"),
        (RAMP.replace('"40 mM"', '"-40 mM"'), "must be ≥ 0, got -40 mM"),
        (RAMP.replace('"40 mM"', '"40 mV"'), "a concentration is mol/m^3"),
        (PULSE.replace('"cell"', '"cel"'), "protocol.0.inject.into: no such compartment as cel; did you mean cell?"),
        (PULSE.replace('"cell"', '"bath"'), "protocol.0.inject.into: bath is a grounded bath"),
        (PULSE.replace('"K"', '"Ca"'), "protocol.0.inject.carried_by: cell gives no concentration of Ca"),
        (PULSE.replace("2 pA", "2 pA/cm^2"), "does not fit, a current is A"),
        (PULSE.replace("current = ", "curent = "), "inject.curent: no such key; did you mean current?"),
        (
            RAMP.replace("compartments.bath.K", "parameters.P_K").replace("40 mM", "1e-8 m/s")
            + '\n[[protocol]]\nat = "3 s"\nset = { "parameters.P_K" = "P_K * t / 1 s" }',
            "protocol.1.set.parameters.P_K: no such parameter as t",
        ),
    ]:
        with subtests.test(message=message):
            found = faults_of(more=more)
            assert any(message in fault for fault in found), found


def test_what_moves_by_itself_is_not_set():
    of_time = ('P_K = "4e-8 m/s"', 'P_K = "4e-8 m/s * exp(-t / 1 s)"')
    step = '\n[[protocol]]\nat = "3 s"\nset = { "parameters.P_K" = "1e-8 m/s" }\n'
    assert faults_of(of_time, more=step) == [
        "protocol.0.set.parameters.P_K: P_K cannot be given another value: it depends on t"
    ]


# -- exchange and reactions -----------------------------------------------------------------------------------------

BUFFERED = """\
title = "A calcium buffer in a cytosol"

[simulation]
duration = "1 s"
temperature = "37 degC"

[species.B]
valence = -2

[species.CaB]
valence = 0

[compartments.cytosol]
volume = "1 pL"
concentrations = { Ca = "1 mM", B = "2 mM", CaB = "0 mM", K = "2 mM" }

[reactions.buffer]
in = "cytosol"
equation = "Ca + B <=> CaB"
forward = "600 /mM/s"
backward = "300 /s"
"""

RINSED = """

[compartments.ecs]
volume = "2 pL"
concentrations = { K = "10 mM", Cl = "10 mM" }

[exchange.perfusion]
between = ["ecs", "bath"]
rate = "3e-2 /s"
"""


def test_reaction_of_a_file():
    model = loads(BUFFERED).model
    assert model.reactions == (Reaction("buffer", "cytosol", {"Ca": 1, "B": 1}, {"CaB": 1}, 600.0, 300.0),)


def test_a_reaction_comes_to_its_equilibrium():
    run = iontide.run(loads(BUFFERED))
    ca, b, cab = (run.concentration("cytosol", x)[-1] for x in ("Ca", "B", "CaB"))
    assert ca * b / cab == pytest.approx(0.5, rel=1e-6)
    assert ca + cab == pytest.approx(1.0, rel=1e-9)
    assert b + cab == pytest.approx(2.0, rel=1e-9)


def test_equations(subtests):
    for text, sides in [
        ("Ca + B <=> CaB", ({"Ca": 1, "B": 1}, {"CaB": 1})),
        ("2 H + A<=>H2A", ({"H": 2, "A": 1}, {"H2A": 1})),
        ("2*H + H <=> X", ({"H": 3}, {"X": 1})),
        *((text, None) for text in ("", "A", "A <=>", "A <=> B <=> C", "A + <=> B", "0 A <=> B", "-A <=> B", "A -> B")),
    ]:
        with subtests.test(text=text):
            assert equation_of(text) == sides


def test_rate_constants_by_order():
    assert [constant_of_order(n).dimension for n in (1, 2, 3)] == [
        Dimension(s=-1),
        Dimension(m=3, mol=-1, s=-1),
        Dimension(m=6, mol=-2, s=-1),
    ]
    assert constant_of_order(8).dimension == Dimension(m=21, mol=-7, s=-1)


def test_exchange_rinses_with_its_rate():
    model = model_of(more=RINSED)
    assert model.exchanges == (Exchange("perfusion", "ecs", "bath", 0.03),)
    turned = model_of(more=RINSED.replace('["ecs", "bath"]', '["bath", "ecs"]'))
    assert turned.exchanges == model.exchanges
    run = run_of(more=RINSED)
    np.testing.assert_allclose(run.concentration("ecs", "Cl"), 150.0 - 140.0 * np.exp(-0.03 * run.time), rtol=1e-6)


def test_faults_of_reactions(subtests):
    for old, new, message in [
        ('"Ca + B <=> CaB"', '"Ca + B -> CaB"', 'reactions.buffer.equation: must be as "Ca + B <=> CaB"'),
        ('"Ca + B <=> CaB"', '"Ca <=> CaB"', "the charges do not balance: +2 on the left against 0 on the right"),
        ('"Ca + B <=> CaB"', '"Ca + Bb <=> CaB"', "cytosol gives no concentration of Bb; did you mean B?"),
        ('"600 /mM/s"', '"600 /s"', "reactions.buffer.forward: 1/s does not fit, a rate constant of order 2 is"),
        ('"600 /mM/s"', '"-600 /mM/s"', "reactions.buffer.forward: must be ≥ 0"),
        (
            'in = "cytosol"',
            'in = "cytosl"',
            "reactions.buffer.in: no such compartment as cytosl; did you mean cytosol?",
        ),
        ('in = "cytosol"\n', "", "reactions.buffer.in: missing; a reaction needs it"),
    ]:
        with subtests.test(new=new):
            found = faults_of((old, new), text=BUFFERED)
            assert any(message in fault for fault in found), found


def test_faults_of_exchange(subtests):
    for old, new, message in [
        ('["ecs", "bath"]', '["ecs"]', 'exchange.perfusion.between: must name two compartments, as ["ecs", "bath"]'),
        ('["ecs", "bath"]', '["esc", "bath"]', "exchange.perfusion.between.0: no such compartment as esc"),
        ('"3e-2 /s"', '"3e-2 s"', "exchange.perfusion.rate: s does not fit, a rate constant is"),
        ('["ecs", "bath"]', '"ecs"', "exchange.perfusion.between: must be a list"),
    ]:
        with subtests.test(new=new):
            found = faults_of(more=changed(RINSED, (old, new)))
            assert any(message in fault for fault in found), found


# -- all of it --------------------------------------------------------------------------------------------------------


@cache
def everything():
    more = OWN_PUMP + CHANNEL + RINSED + RAMP + PULSE
    return loads(changed(CELL, OSMOTIC, WET, LEAKS, ('"1000 um^2"', '"sphere"'), more=more))


def test_json_schema_knows_the_words():
    text = str(json_schema())
    for word in (
        "water",
        "osmotic",
        "cylinder",
        "reflection",
        "wall",
        "gates",
        "time_constant",
        "driven_by",
        "ramp",
        "inject",
        "exchange",
        "reactions",
        "equation",
        "water_molar_volume",
    ):
        assert f"'{word}'" in text


def test_a_model_goes_through_json_and_a_file(tmp_path):
    from iontide.model.serialization import model_from_json, model_to_json

    model = everything().model
    assert model_from_json(model_to_json(model)) == model
    run = iontide.run(everything())
    assert run.save(tmp_path / "all.h5") is None or (tmp_path / "all.h5").exists()


# -- the shipped scenarios --------------------------------------------------------------------------------------------


def hodgkin_huxley(t, y):
    """The equations of 1952 in mV and ms, written out by hand."""
    v, m, h, n = y

    def lin(x):
        return x / -np.expm1(-x) if abs(x) > 1e-9 else 1.0 + x / 2

    current = 10.0 if 10.0 <= t < 90.0 else 0.0
    leak = 0.3 * (v + 54.387)
    return [
        current - 120.0 * m**3 * h * (v - 50.0) - 36.0 * n**4 * (v + 77.0) - leak,
        lin((v + 40.0) / 10.0) * (1.0 - m) - 4.0 * np.exp(-(v + 65.0) / 18.0) * m,
        0.07 * np.exp(-(v + 65.0) / 20.0) * (1.0 - h) - h / (1.0 + np.exp(-(v + 35.0) / 10.0)),
        0.1 * lin((v + 55.0) / 10.0) * (1.0 - n) - 0.125 * np.exp(-(v + 65.0) / 80.0) * n,
    ]


def test_hodgkin_and_huxley_fire_as_their_equations():
    run = iontide.run(SCENARIO_FILES["hodgkin_huxley"])
    start = [-65.0, *(run.gate("plasma", f"pathways.{p}", g)[0] for p, g in GATES)]
    assert start[1:] == pytest.approx([0.052932, 0.596121, 0.317677], abs=1e-6)
    spikes: list[float] = []
    y, v = start, run.membrane_potential("plasma")
    for a, b in ((0.0, 10.0), (10.0, 90.0), (90.0, 100.0)):
        grid = np.linspace(a, b, round((b - a) / 0.01) + 1)
        found = scipy.integrate.solve_ivp(
            hodgkin_huxley, (a, b - 1e-12), y, "LSODA", rtol=1e-9, atol=1e-10, dense_output=True
        )
        y = found.y[:, -1]
        spikes += crossings(grid, found.sol(grid)[0])
    assert len(spikes) == 6
    np.testing.assert_allclose(crossings(1e3 * run.time, v), spikes, atol=0.02)
    # The electrode brought K in, the membrane let it out again; nothing else came or went.
    assert abs(run.concentration("cell", "K")[-1] - 400.0) < 0.01
    np.testing.assert_allclose([run.reversal_potential("plasma", x)[0] for x in ("K", "Na", "Cl")], E_HH, atol=1e-6)


def crossings(t, v):
    """Times at which v rises through 0, by a straight line between samples."""
    i = np.flatnonzero((v[:-1] < 0.0) & (v[1:] >= 0.0))
    return list(t[i] + (t[i + 1] - t[i]) * -v[i] / (v[i + 1] - v[i]))


def test_the_swelling_cell_swells_and_recovers():
    run = iontide.run(SCENARIO_FILES["pump_leak_swelling"])
    w, v = 1e15 * run.volume("cell"), 1e3 * run.membrane_potential("plasma")
    before, after = np.searchsorted(run.time, [10_000.0, 20_000.0])
    assert w[before] == pytest.approx(4.128742, abs=2e-6)
    assert w[after] == pytest.approx(13.645, abs=1e-3)
    assert w[-1] == pytest.approx(w[before], rel=1e-6)
    assert v[-1] == pytest.approx(v[before], abs=1e-5)
    assert w[after] == w.max()
    # Water keeps up with the salt where that is slow; at wash-out it lags by some 20 mM.
    osmolarity = run.osmolarity("cell")
    assert osmolarity[[before, -1]] == pytest.approx(300.0, rel=1e-6)
    assert 15.0 < np.max(300.0 - osmolarity[run.time > 20_000.0]) < 25.0


# -- together ---------------------------------------------------------------------------------------------------------


def test_a_channel_counts_in_the_resting_potential():
    resting = ('potential = "-70 mV"', 'potential = "ghk"')
    only = (
        '\n[membranes.plasma.pathways.K_leak]\nion = "K"\npermeability = "1e-8 m/s * n"\ngates.n = { steady = 0.5 }\n'
    )
    run = run_of(resting, ('permeability = { K = "P_K" }', ""), more=only)
    assert run.membrane_potential("plasma")[0] == pytest.approx(R * WARM / F * np.log(4.0 / 140.0), abs=1e-9)
    # A Na channel whose gates open at +20 mV holds the cell there as well: two rests, and neither is taken in silence.
    with pytest.raises(ScenarioError, match=r"several potentials .* is 0: -95\.02 mV, 20\.73 mV"):
        run_of(resting, ("4e-8 m/s", "1e-9 m/s"), more=CHANNEL)


def test_a_solution_made_of_time():
    run = run_of(
        ('P_K = "4e-8 m/s"', 'P_K = "4e-6 m/s"\nK_out = "4 mM + 1 mM/s * t"'), ('K = "4 mM", Na', 'K = "K_out", Na')
    )
    np.testing.assert_allclose(run.concentration("bath", "K"), 4.0 + run.time, rtol=1e-12)
    e = R * WARM / F * np.log(104.0 / run.concentration("cell", "K")[-1])
    assert run.membrane_potential("plasma")[-1] == pytest.approx(e, abs=1e-4)


def test_temperature_as_a_ramp():
    more = '\n[[protocol]]\nat = "0 s"\nramp = { "parameters.warm" = "320.15 K", over = "100 s" }\n'
    run = run_of(
        ('P_K = "4e-8 m/s"', 'P_K = "4e-6 m/s"\nwarm = "310.15 K"'),
        ('temperature = "37 degC"', 'temperature = "warm"'),
        more=more,
    )
    np.testing.assert_allclose(run.temperature, 310.15 + 0.1 * run.time, rtol=1e-9)


def test_a_sphere_in_osmotic_equilibrium_keeps_its_charge():
    at_once = ('volume = "4 pL"', 'volume = "4 pL"\nwater = "equilibrium"')
    run = run_of(at_once, LEAKS, ('"1000 um^2"', '"sphere"'), more=LIBRARY_PUMP)
    np.testing.assert_allclose(run.osmolarity("cell"), 300.0, rtol=1e-9)
    model = run.model
    charge = sum(model.species[x].valence * run.amount("cell", x) for x in ("K", "Na", "Cl"))
    charge = charge - run.run.initial.impermeant_amounts["cell", "A"]
    held = 0.01 * run.area("plasma") * run.membrane_potential("plasma") / F
    np.testing.assert_allclose(charge, held, atol=1e-9 * run.amount("cell", "K")[0])


def test_overrides_of_a_channel(subtests):
    for path, value, place in [
        ("membranes.plasma.pathways.Na_channel.gates.h.initial", 0.25, lambda m: m.gates[1].initial),
        ("membranes.plasma.pathways.Na_channel.gates.h.alpha", "0.25 /s", lambda m: m.gates[1].alpha),
        ("membranes.plasma.pathways.Na_channel.permeability", "0.25 m/s", lambda m: m.arguments[""]),
    ]:
        with subtests.test(path=path):
            model = loads(CELL + CHANNEL, set={path: value}).model
            assert place(model.membranes["plasma"].pathways[-1]) == 0.25


def test_overrides_of_a_protocol():
    model = loads(
        CELL + RAMP, set={"protocol.0.ramp.compartments.bath.K": "30 mM", "protocol.0.ramp.over": "3 s"}
    ).model
    assert model.protocol == (ParameterStep(20.0, None, {"compartments.bath.concentrations.K": 30.0}, 3.0),)
    assert loads(CELL, set={"membranes.plasma.area": "sphere"}).model.membranes["plasma"].geometry == "sphere"


def test_no_current_into_the_ground():
    closed = ("bath = true", 'bath = "floating"')
    (fault,) = faults_of(closed, more=PULSE[: PULSE.index("[[", 5)].replace('"cell"', '"bath"'))
    assert fault.startswith("protocol.0.inject.into: bath is the ground of a model without a grounded bath")
    assert len(model_of(closed, more=PULSE).injections) == 2
