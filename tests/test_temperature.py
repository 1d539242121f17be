"""Temperature: factors of it in formulas, and a run in which it changes."""

from __future__ import annotations

import numpy as np
import pytest

import iontide
from iontide.constants import GAS_CONSTANT as R
from iontide.equations import build_program
from iontide.scenario.read import loads
from test_scenario_language import CELL, CHANNEL, RINSED, WET, changed, faults_of, model_of, run_of

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
