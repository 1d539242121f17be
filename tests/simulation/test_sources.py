"""What is brought into a compartment from outside of the model: equations, balances, the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import iontide
from iontide.analysis.audit.diagnostics import charge_balance, mass_balance, warnings
from iontide.equations.assembly import structure_of
from iontide.formulas.formula import Formula
from iontide.model.model import Source
from iontide.model.serialization import model_from_json, model_to_json
from iontide.scenario.jsonschema import json_schema
from iontide.scenario.read import loads
from iontide.storage import open_trajectory
from tests.support.scenario_text import CELL, changed, faults_of, model_of, run_of

SUGAR = ('Cl = "10 mM" }', 'Cl = "10 mM", glucose = "1 mM", lactate = "0 mM", H = "0.1 uM" }')
FEED = """
[sources.meal]
into = "cell"
stoichiometry = { glucose = 1 }
rate = "4e-17 mol/s"

[species.glucose]
valence = 0

[species.lactate]
valence = -1
"""
GLYCOLYSIS = """
[sources.glycolysis]
into = "cell"
stoichiometry = { glucose = -1, lactate = 2, H = 2 }
rate = "0.05 /s * glucose * volume"
"""


def test_a_source_of_a_file():
    model = model_of(SUGAR, more=FEED + GLYCOLYSIS)
    meal, glycolysis = model.sources
    assert meal == Source("meal", "cell", {"glucose": 1}, 4e-17)
    assert (glycolysis.compartment, dict(glycolysis.stoichiometry)) == ("cell", {"glucose": -1, "lactate": 2, "H": 2})
    assert isinstance(glycolysis.rate, Formula)
    assert dict(model.quantities())["sources.meal.rate"] == 4e-17


def test_a_constant_source_fills_its_compartment():
    run = run_of(SUGAR, more=FEED)
    np.testing.assert_allclose(run.amount("cell", "glucose"), 4e-15 + 4e-17 * run.time, rtol=1e-9)
    # Nothing else feels it: no charge comes in.
    plain = run_of(SUGAR, more=FEED.replace("4e-17", "0"))
    np.testing.assert_allclose(run.membrane_potential("plasma")[-1], plain.membrane_potential("plasma")[-1], atol=1e-9)


def test_what_is_brought_and_what_is_used_up_come_to_rest():
    """dg/dt = s − k g: to s / k with the time 1 / k, and two lactates for each glucose."""
    run = run_of(SUGAR, more=FEED + GLYCOLYSIS)
    expected = 8e-16 + (4e-15 - 8e-16) * np.exp(-0.05 * run.time)
    np.testing.assert_allclose(run.amount("cell", "glucose"), expected, rtol=1e-6)
    used = 4e-15 + 4e-17 * run.time - run.amount("cell", "glucose")
    np.testing.assert_allclose(run.amount("cell", "lactate"), 2 * used, atol=1e-24)
    assert max(np.abs(drift).max() for drift in charge_balance(run).values()) < 1e-12


def test_water_follows_what_is_brought():
    wet = (
        ('volume = "4 pL"', 'volume = "4 pL"\nwater = "osmotic"'),
        ("permeability = {", 'water_permeability = "2e-5 m/s"\npermeability = {'),
    )
    a, b = run_of(SUGAR, *wet, more=FEED), run_of(SUGAR, *wet, more=FEED.replace("4e-17", "0"))
    assert a.volume("cell")[-1] - b.volume("cell")[-1] == pytest.approx(4e-15 / 300, rel=0.1)


def test_the_balance_of_what_is_brought_names_its_source():
    run = run_of(SUGAR, more=FEED + GLYCOLYSIS)
    balances = {b.what: b for b in mass_balance(run)}
    assert balances["glucose"].sources == ("source meal", "source glycolysis")
    assert balances["lactate"].sources == ("source glycolysis",)
    assert balances["K"].sources == ("bath",)
    assert not [sentence for sentence in warnings(run) if "drifts" in sentence]


def test_its_rate_may_be_set_by_a_protocol_and_follow_temperature():
    named = FEED.replace('"4e-17 mol/s"', '"J * q10(2, 37 degC)"')
    parameter = ("[parameters]", '[parameters]\nJ = "4e-17 mol/s"')
    stop = '\n[[protocol]]\nat = "50 s"\nset = { "parameters.J" = "-1e-17 mol/s" }\n'
    run = run_of(SUGAR, parameter, more=named + stop)
    expected = np.interp(run.time, [0.0, 50.0, 100.0], [4e-15, 6e-15, 5.5e-15])
    np.testing.assert_allclose(run.amount("cell", "glucose"), expected, rtol=1e-8)


def test_a_source_goes_through_json_and_a_file(tmp_path):
    run = run_of(SUGAR, more=FEED + GLYCOLYSIS)
    assert model_from_json(model_to_json(run.model)) == run.model
    assert open_trajectory(run.save(tmp_path / "fed.h5")).model == run.model


def test_models_with_other_sources_are_of_other_structure():
    model = model_of(SUGAR, more=FEED + GLYCOLYSIS)
    meal, glycolysis = model.sources
    others = [
        model,
        replace(model, sources=(meal,)),
        replace(model, sources=(replace(meal, stoichiometry={"glucose": 2}), glycolysis)),
        replace(model, sources=(meal, replace(glycolysis, stoichiometry={"lactate": 1, "H": 1}))),
        replace(model, sources=(meal, replace(glycolysis, rate=1e-17))),
    ]
    assert len({structure_of(m) for m in others}) == len(others)
    assert structure_of(replace(model, sources=(replace(meal, rate=1.0), glycolysis))) == structure_of(model)


def test_a_model_refuses_a_source_that_cannot_be():
    model = model_of(SUGAR, more=FEED)
    for source, message in (
        (Source("x", "cell", {"K": 1}, 1.0), "its solutes have a net charge"),
        (Source("x", "bath", {"K": 1, "Cl": 1}, 1.0), "there is no finite bath with K in it"),
        (Source("x", "cell", {"Ca": 1}, 1.0), "there is no finite cell with Ca in it"),
        (Source("x", "nowhere", {"K": 1}, 1.0), "there is no finite nowhere with K in it"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(model, sources=(source,))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"cell"', '"cel"', "into: no such compartment as cel; did you mean cell?"),
        ('"cell"', '"bath"', "into: bath is a bath, whose composition is fixed"),
        ('into = "cell"\n', "", "into: missing; a source needs it"),
        (
            "glucose = 1 }",
            "glucos = 1 }",
            "stoichiometry.glucos: cell gives no concentration of glucos; did you mean glucose?",
        ),
        ("{ glucose = 1 }", "{}", "stoichiometry: must name the species supplied"),
        ("glucose = 1 }", "glucose = 0 }", "stoichiometry.glucose: must not be 0"),
        ("glucose = 1 }", "glucose = 0.5 }", "stoichiometry.glucose: must be a whole number"),
        (
            "glucose = 1 }",
            "K = 1 }",
            "stoichiometry: supplies a net charge of +1; add the counter-ion, or use inj",
        ),
        ("glucose = 1 }", "lactate = 2 }", "stoichiometry: supplies a net charge of -2"),
        ("mol/s", "mol/m^2/s", "rate: mol/m^2/s does not fit, a rate of supply is mol/s"),
        ('"4e-17 mol/s"', '"4e-17 mol/s * V / 1 V"', "rate: no such name as V"),
        ("rate =", "rat =", "rat: no such key; did you mean rate?"),
    ],
)
def test_faults_of_sources(old, new, message):
    found = faults_of(SUGAR, more=FEED.replace(old, new, 1))
    assert any(fault.startswith(f"sources.meal.{message}") for fault in found), found


def test_citations_are_not_sources():
    (fault,) = faults_of(('title = "A cell in a bath"\n', 'title = "A cell"\nsources = ["doi:10.1000/1"]\n'))
    assert fault == "sources: must be tables, as [sources.NAME], got a list; where a scenario comes from is its source"


def test_it_is_overridden_and_in_the_schema():
    text = changed(CELL, SUGAR, more=FEED)
    assert loads(text, set={"sources.meal.rate": "1e-17 mol/s"}).model.sources[0].rate == 1e-17
    with pytest.raises(iontide.UsageError, match="there is no source mael; did you mean meal"):
        loads(text, set={"sources.mael.rate": "1e-17 mol/s"})
    assert json_schema()["$defs"]["SourceTable"]["required"] == ["into", "stoichiometry", "rate"]
    assert json_schema()["properties"]["sources"]["maxProperties"] == 200
