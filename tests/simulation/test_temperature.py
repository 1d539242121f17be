"""Temperature: factors of it in formulas, and a run in which it changes."""

from __future__ import annotations

import numpy as np
import pytest

import iontide
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.equations.assembly import build_program
from iontide.formulas.formula import parse_formula
from iontide.formulas.units import Dimension
from iontide.model.model import ParameterStep
from iontide.scenario.read import loads
from tests.scenario.test_language import CHANNEL, RINSED, WET
from tests.support.scenario_text import CELL, changed, faults_of, model_of, run_of

COLD = ('temperature = "37 degC"', 'temperature = "15 degC"')


def rates_of(model):
    return build_program(model)[1].rates


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("P_K * q10(1.4, 25 degC)", 1.4 ** ((288.15 - 298.15) / 10)),
        ("P_K * arrhenius(50 kJ/mol, 25 degC)", np.exp(50e3 / R * (1 / 298.15 - 1 / 288.15))),
        ("P_K / arrhenius(12 kcal/mol, 298.15 K)", np.exp(-12 * 4184 / R * (1 / 298.15 - 1 / 288.15))),
    ],
)
def test_a_permeability_with_a_factor_of_temperature(text, factor):
    warm = run_of(COLD, ('"P_K"', f'"{text}"'))
    plain = run_of(COLD, ('"P_K"', f'"{float(factor)!r} * P_K"'))
    np.testing.assert_allclose(warm.states, plain.states, rtol=1e-9)
    # A factor of a temperature that stays is no work for the inner loop: not one instruction more.
    assert len(rates_of(warm.model).instructions) == len(rates_of(plain.model).instructions)


def test_the_speed_of_a_gate():
    """Of Hodgkin & Huxley: 3 in 10 K, 1 at 6.3 °C."""
    with_q10 = CHANNEL.replace("3^((T - 27 degC) / 10 K)", "q10(3, 27 degC)")
    a, b = run_of(COLD, more=CHANNEL), run_of(COLD, more=with_q10)
    np.testing.assert_allclose(a.states, b.states, rtol=1e-12)
    speed = CHANNEL.replace('"3^((T - 27 degC) / 10 K)"', '"q10(3, 6.3 degC)"')
    run = run_of(('temperature = "37 degC"', 'temperature = "6.3 degC"'), ('"100 s"', '"50 ms"'), more=speed)
    h = run.gate("plasma", "pathways.Na_channel", "h")
    np.testing.assert_allclose(h, 70 / 170 + (0.5 - 70 / 170) * np.exp(-170 * run.time), rtol=1e-6)


def test_water_exchange_and_reactions_may_have_one_too():
    model = model_of(
        (WET[0], WET[1].replace("2e-5 m/s", "2e-5 m/s * q10(1.3, 25 degC)")),
        more=RINSED.replace("3e-2 /s", "3e-2 /s * q10(2, 27 degC)"),
    )
    run = iontide.run(model)
    expected = 150.0 - 140.0 * np.exp(-0.06 * run.time)
    np.testing.assert_allclose(run.concentration("ecs", "Cl"), expected, rtol=1e-6)
    assert run.water_flux("plasma")[0] == pytest.approx(1.3**1.2 * run_of(WET).water_flux("plasma")[0], rel=1e-9)


def test_the_range_of_what_has_a_factor_is_checked_at_the_start():
    (fault,) = faults_of(('"P_K"', '"P_K * (1 - q10(3, 25 degC))"'))
    assert fault.startswith("membranes.plasma.permeability.K: must be ≥ 0, got -")
    assert loads(changed(CELL, ('"P_K"', '"P_K * (1 - q10(3, 47 degC))"')))


# -- a temperature that changes ---------------------------------------------------------------------------------------

COOLED = '\n[[protocol]]\nfrom = "20 s"\nto = "60 s"\nset = { "simulation.temperature" = "15 degC" }\n'
WARMED = '\n[[protocol]]\nat = "20 s"\nramp = { "simulation.temperature" = "47 degC", over = "50 s" }\n'
FAST = ('"4e-8 m/s"', '"4e-6 m/s"')


def nernst(run):
    return R * run.temperature / F * np.log(run.concentration("bath", "K") / run.concentration("cell", "K"))


def test_a_temperature_is_set_for_a_while():
    model = model_of(more=COOLED)
    assert model.temperature == parse_formula("simulation.temperature")
    assert model.parameters["simulation.temperature"].value == 310.15
    assert model.parameters["simulation.temperature"].dimension == Dimension(K=1)
    assert model.protocol == (ParameterStep(20.0, 60.0, {"simulation.temperature": 288.15}),)
    run = run_of(FAST, more=COOLED)
    during = (run.time > 20.0) & (run.time < 60.0)
    assert set(run.temperature[during]) == {288.15}
    assert set(run.temperature[(run.time < 20.0) | (run.time > 60.0)]) == {310.15}
    # K alone passes: V is its Nernst potential, at the temperature of the moment.
    settled = (run.time > 30.0) & (run.time < 59.0) | (run.time > 70.0)
    v = run.membrane_potential("plasma")
    np.testing.assert_allclose(v[settled], nernst(run)[settled], atol=1e-8)
    np.testing.assert_allclose(run.reversal_potential("plasma", "K"), nernst(run), rtol=1e-12)


def test_a_temperature_that_is_set_adds_nothing_to_the_inner_loop():
    plain, cooled = (rates_of(model_of(more=more)) for more in ("", COOLED))
    assert len(plain.instructions) == len(cooled.instructions)
    assert not any(i.op == "time" for i in cooled.instructions)
    assert any(i.op == "time" for i in rates_of(model_of(more=WARMED)).instructions)


@pytest.mark.parametrize("activity", ["ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer"])
def test_a_temperature_is_ramped(activity):
    """Slowly against the cell, which stays at equilibrium: RT/F, and the activity coefficients, follow."""
    own = ("concentrations = { K = ", f'activity = "{activity}"\nconcentrations = {{ K = ')
    run = run_of(FAST, own, more=WARMED)
    expected = np.interp(run.time, [0.0, 20.0, 70.0, 100.0], [310.15, 310.15, 320.15, 320.15])
    np.testing.assert_allclose(run.temperature, expected, rtol=1e-12)
    ratio = run.activity("bath", "K") / run.activity("cell", "K")
    rest = run.time > 75.0
    v = run.membrane_potential("plasma")
    np.testing.assert_allclose(v[rest], (R * run.temperature / F * np.log(ratio))[rest], atol=1e-8)
    made = ('temperature = "37 degC"', 'temperature = "warmth"')
    given = ("[parameters]", '[parameters]\nwarmth = "310.15 K + 0.2 K/s * max(0 s, min(t - 20 s, 50 s))"')
    again = run_of(FAST, own, made, given)
    np.testing.assert_allclose(again.states[-1], run.states[-1], rtol=1e-6)


def test_a_temperature_made_of_a_parameter():
    made = ('temperature = "37 degC"', 'temperature = "warmth"')
    given = ("[parameters]", '[parameters]\nwarmth = "37 degC"')
    other = COOLED.replace("simulation.temperature", "parameters.warmth")
    a, b = run_of(FAST, more=COOLED), run_of(FAST, made, given, more=other)
    np.testing.assert_array_equal(a.states, b.states)
    np.testing.assert_array_equal(a.states, run_of(FAST, made, given, more=COOLED).states)


def test_factors_of_temperature_follow_a_protocol():
    factor = ('"P_K"', '"P_K * q10(1.5, 37 degC)"')
    run = run_of(factor, more=COOLED)
    _, after = np.flatnonzero(run.time == 20.0)
    u = run.membrane_potential("plasma")[after] * F / (R * 288.15)
    ghk = u * (run.concentration("cell", "K")[after] - 4.0 * np.exp(-u)) / (1 - np.exp(-u))
    assert run.flux("plasma", "K")[after] == pytest.approx(4e-8 * 1.5**-2.2 * ghk, rel=1e-9)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            COOLED.replace('"15 degC"', '"0 K"'),
            "protocol.0.set.simulation.temperature: must be greater than 0, got 0 K",
        ),
        (COOLED.replace('"15 degC"', '"15 mV"'), "V does not fit, a temperature is K"),
        (COOLED.replace('"15 degC"', "15"), 'a temperature needs a unit (as "37 degC"), got 15'),
        (COOLED.replace("simulation.temperature", "T"), "no such parameter as T; did you mean simulation.temperature?"),
        (COOLED.replace("simulation.temp", "simulation.tmp"), "no such path; did you mean simulation.temperature?"),
        (COOLED.replace("simulation.temperature", "simulation.duration"), "a solution of a bath, and the temperature"),
        (COOLED.replace("simulation.temperature", "cell.K"), '"compartments.BATH.ION", or "simulation.temperature"'),
        (WARMED.replace('"47 degC"', '"-300 degC"'), "is below absolute zero"),
    ],
)
def test_faults_of_a_temperature(more, message):
    (fault,) = faults_of(more=more)
    assert message in fault


def test_what_a_temperature_makes_of_a_rate_is_checked():
    (fault,) = faults_of(('"P_K"', '"P_K * (1 - q10(3, 47 degC))"'), more=WARMED.replace("47", "57"))
    assert fault.startswith("protocol.0.ramp: makes membranes.plasma.permeability.K -")
