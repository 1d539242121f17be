"""What refers to something elsewhere in the file: valences to parameters, gates to gates of other pathways."""

from __future__ import annotations

import numpy as np
import pytest

import iontide
from iontide.errors import ScenarioError
from iontide.model.serialization import model_from_json, model_to_json
from iontide.scenario.jsonschema import json_schema
from iontide.scenario.read import loads

CELL = """\
title = "A cell in a bath"

[parameters]
mean_valence = -0.85
initial_Cl   = "10 mM"

[simulation]
duration    = "100 s"
temperature = "37 degC"

[compartments.cell]
volume         = "4 pL"
concentrations = { K = "initial_Cl - mean_valence * 150 mM - 10 mM", Na = "10 mM", Cl = "initial_Cl" }
impermeants    = { A = { concentration = "150 mM", valence = "mean_valence" } }

[compartments.bath]
bath           = true
concentrations = { K = "4 mM", Na = "146 mM", Cl = "150 mM" }

[membranes.plasma]
inside       = "cell"
outside      = "bath"
area         = "1000 um^2"
specific_capacitance  = "1 uF/cm^2"
potential    = "0 mV"
permeability = { K = "4e-8 m/s", Cl = "1e-8 m/s" }
"""

CHANNELS = """
[membranes.plasma.pathways.Na_transient]
ion         = "Na"
conductance = "120 mS/cm^2 * m^3 * h"
gates.m     = { steady = "1 / (1 + exp(-(V + 40 mV) / 5 mV))" }
gates.h     = { steady = "1 - K_delayed.n" }

[membranes.plasma.pathways.K_delayed]
ion         = "K"
conductance = "36 mS/cm^2 * n^4"
gates.n     = { alpha = "0.1 /ms * linexp((V + 55 mV) / 10 mV)", beta = "0.125 /ms * exp(-(V + 65 mV) / 80 mV)" }
"""


def test_a_valence_is_a_formula_over_parameters() -> None:
    (anion,) = loads(CELL).model.compartments["cell"].impermeants
    assert anion.valence == -0.85
    model = loads(CELL, set={"parameters.mean_valence": -1.2}).model
    assert model.compartments["cell"].impermeants[0].valence == -1.2
    assert model.values()["compartments.cell.concentrations.K"] == pytest.approx(180.0)
    model = loads(CELL, set={"compartments.cell.impermeants.A.valence": "2 * mean_valence + 0.85"}).model
    assert model.compartments["cell"].impermeants[0].valence == pytest.approx(-0.85)
    model = loads(CELL, set={"compartments.cell.impermeants.A.valence": "-0.85"}).model
    assert model.compartments["cell"].impermeants[0].valence == -0.85
    assert model_from_json(model_to_json(model)) == model


def test_the_run_is_that_of_the_number() -> None:
    by_name = iontide.run(loads(CELL, set={"parameters.mean_valence": -0.7}).model)
    text = CELL.replace('"mean_valence"', "-0.7").replace("mean_valence *", "-0.7 *")
    by_number = iontide.run(loads(text).model)
    np.testing.assert_array_equal(by_name.states, by_number.states)


def test_a_valence_balances_by_its_value() -> None:
    text = CELL.replace('concentration = "150 mM"', 'concentration = "balance"')
    run = iontide.run(loads(text).model)
    amount = run.run.initial.impermeant_amounts["cell", "A"]
    assert amount / 4e-15 == pytest.approx(150.0, rel=1e-9)
    with pytest.raises(ScenarioError, match="a solute of valence 0 cannot balance them"):
        loads(text.replace('"mean_valence" }', '"0 * mean_valence" }'))
    with pytest.raises(ScenarioError, match=r"valence 0\.85 cannot balance them"):
        loads(text.replace('"mean_valence" }', '"-mean_valence" }'))


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('set = { "parameters.mean_valence" = -1 }', "mean_valence is set by the protocol"),
        ('ramp = { "parameters.mean_valence" = -1, over = "5 s" }', "mean_valence is ramped"),
    ],
)
def test_a_valence_cannot_change_in_the_run(entry: str, told: str) -> None:
    for valence in ('"mean_valence"', '"doubled / 2"'):
        text = CELL.replace('"mean_valence"', valence).replace(
            "[simulation]", 'doubled = "2 * mean_valence"\n[simulation]'
        )
        with pytest.raises(ScenarioError) as caught:
            loads(text + f'\n[[protocol]]\nat = "50 s"\n{entry}\n')
        place = "compartments.cell.impermeants.A.valence"
        (fault,) = (f for f in caught.value.faults if f.path == place)
        assert (told if valence == '"mean_valence"' else "doubled depends on mean_valence") in fault.message


def test_the_json_schema_allows_both() -> None:
    valence = json_schema()["$defs"]["ImpermeantTable"]["properties"]["valence"]
    assert {"string", "number"} <= set(valence["anyOf"][0]["type"])


def test_a_gate_may_name_the_gate_of_another_pathway() -> None:
    run = iontide.run(loads(CELL + CHANNELS, set={"membranes.plasma.potential": "-60 mV"}).model)
    n = run.gate("plasma", "pathways.K_delayed", "n")
    assert np.ptp(n) > 0.01
    np.testing.assert_allclose(run.gate("plasma", "pathways.Na_transient", "h"), 1.0 - n, atol=1e-15)
    m, v = run.gate("plasma", "pathways.Na_transient", "m"), run.membrane_potential("plasma")
    current = run.pathway_cycles("plasma", "Na_transient") * iontide.constants.FARADAY
    expected = 1200.0 * m**3 * (1.0 - n) * (v - run.reversal_potential("plasma", "Na"))
    np.testing.assert_allclose(current, expected, rtol=1e-9)


def test_a_gate_shared_and_a_gate_of_ones_own_are_the_same_gate() -> None:
    """A copy of n within the Na channel does as n itself."""
    gate = CHANNELS[CHANNELS.index("gates.n") :]
    own = CHANNELS.replace("K_delayed.n", "n").replace("\n\n", "\n" + gate + "\n", 1)
    assert own.count("gates.n ") == 2
    first, second = (iontide.run(loads(CELL + text, set={"simulation.rtol": 1e-9}).model) for text in (CHANNELS, own))
    assert len(first.run.layout.gates) == 1
    assert len(second.run.layout.gates) == 2
    np.testing.assert_allclose(
        first.membrane_potential("plasma"), second.membrane_potential("plasma"), rtol=0.0, atol=1e-9
    )


def test_any_formula_on_the_membrane_may_name_a_gate() -> None:
    text = CELL.replace('Cl = "1e-8 m/s"', 'Cl = "1e-8 m/s * (1 - K_delayed.n)"') + CHANNELS
    run = iontide.run(loads(text).model)
    n = run.gate("plasma", "pathways.K_delayed", "n")[0]
    # At 0 mV the flux is P (c_in − c_out).
    assert run.pathway_cycles("plasma", "permeability.Cl")[0] == pytest.approx(1e-8 * (1.0 - n) * (10.0 - 150.0))
