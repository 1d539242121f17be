"""Every law and every transporter of the library from a scenario file to a run whose charge balances."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from functools import cache

import numpy as np
import pytest

import iontide
from iontide.analysis.audit.diagnostics import summary
from iontide.constants import FARADAY as F
from iontide.errors import ScenarioError
from iontide.formulas.units import parse_quantity
from iontide.physics.mechanisms import LAWS
from iontide.scenario.checks.contents.stoichiometry import written
from iontide.scenario.jsonschema import json_schema
from iontide.scenario.library.laws import LIBRARY, TABLES, either_way, rate_of_order
from iontide.scenario.library.transporters import TRANSPORTERS
from iontide.scenario.read import loads
from tests.support.scenario_text import misfit

VALENCES = {"Na": 1, "K": 1, "H": 1, "Cl": -1, "HCO3": -1, "Ca": 2, "glucose": 0, "lactate": -1, "glutamate": -1}

TEMPLATE = """\
title = "A cell with one transporter"

[simulation]
duration = "20 s"
temperature = "37 degC"

[species.glucose]
valence = 0

[compartments.cell]
volume = "4 pL"
concentrations = { Na = "12 mM", K = "135 mM", Cl = "8 mM", HCO3 = "15 mM", H = "63 nM", Ca = "100 nM", \
glucose = "1 mM", lactate = "1 mM", glutamate = "5 mM" }
impermeants = { A = { concentration = "balance", valence = -1.3 } }

[compartments.bath]
bath = true
concentrations = { Na = "145 mM", K = "4.5 mM", Cl = "115 mM", HCO3 = "24 mM", H = "40 nM", Ca = "1.5 mM", \
glucose = "5 mM", lactate = "1 mM", glutamate = "1 uM" }
impermeants = { B = { concentration = "balance", valence = -1 } }

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1256 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"
permeability = { Na = "1e-9 m/s", K = "4e-8 m/s", Cl = "1e-8 m/s" }

[membranes.plasma.pathways.tested]
"""

QUANTITIES = {
    "conductance": "0.02 mS/cm^2",
    "free_energy": "-57 kJ/mol",
    "standard_free_energy": "-31 kJ/mol",
    "ATP": "5 mM",
    "ADP": "50 uM",
    "Pi": "5 mM",
    "half_saturation.H": "60 nM",
    "half_saturation.Ca": "200 nM",
}
RATES = {"na_k_atpase_linear": "1e-8 m/s", "linear_force": "1e-12 mol^2/J/m^2/s"}


def section(law, stoichiometry, choice=(), how=None):
    """The section of a pathway with values for everything that its law asks for."""
    lines = [f'law = "{law.name}"', how if how is not None else f"stoichiometry = {written(stoichiometry)}"]
    for argument, kind in {**law.kinds(stoichiometry), **dict(choice)}.items():
        if law.name == "mass_action":
            order = sum(map(abs, stoichiometry.values()))
            value = f"1e-{8 + 2 * order} mol/m^2/s/mM^{order}" if order > 1 else "1e-9 m/s"
        elif argument == "rate":
            value = RATES.get(law.name, "1e-7 mol/m^2/s")
        else:
            value = QUANTITIES.get(argument, kind.example)
        lines.append(f'{argument} = "{value}"')
    return "\n".join(lines) + "\n"


@cache
def model_of(text):
    return loads(TEMPLATE + text).model


@cache
def schema():
    return json.loads(json.dumps(json_schema()))


def check(text, stoichiometry, driven_by):
    """The file conforms to the JSON Schema, runs to its end, and moves ions and charge as it says."""
    assert misfit(tomllib.loads(TEMPLATE + text), schema(), schema()) is None
    model = model_of(text)
    pathway = model.membranes["plasma"].pathways[-1]
    assert (dict(pathway.stoichiometry), pathway.driven_by) == (dict(stoichiometry), driven_by)
    run = iontide.run(model)
    assert run.status == "done"
    assert summary(run).max_charge_drift < 1e-10
    cycles = run.pathway_cycles("plasma", "tested")
    assert np.isfinite(cycles).all()
    assert (cycles != 0).any()
    charge = sum(n * VALENCES[ion] for ion, n in stoichiometry.items())
    np.testing.assert_allclose(run.pathway_current_density("plasma", "tested"), charge * F * cycles, rtol=1e-14)
    force = sum(n * run.driving_force("plasma", ion) for ion, n in stoichiometry.items())
    if not driven_by:
        assert (cycles * force >= 0).all()
    return run


def cases():
    for law in LIBRARY.values():
        stoichiometry = law.stoichiometries[0] if law.stoichiometries else {"Na": 1, "HCO3": 2}
        for choice in law.choices or ({},):
            yield pytest.param(law, stoichiometry, tuple(choice.items()), id=f"{law.name}-{len(choice)}")


@pytest.mark.parametrize(("law", "stoichiometry", "choice"), [*cases()])
def test_every_law_runs(law, stoichiometry, choice):
    how = "" if law.stoichiometries else None
    check(section(law, stoichiometry, choice, how), stoichiometry, law.driven_by)


@pytest.mark.parametrize("transporter", TRANSPORTERS.values(), ids=lambda t: t.name)
def test_every_transporter_runs(transporter):
    law = LIBRARY["atpase_reversible" if transporter.driven_by else "mass_action"]
    choice = law.choices[0].items() if law.choices else ()
    text = section(law, transporter.stoichiometry, choice, f'transporter = "{transporter.name}"')
    check(text, transporter.stoichiometry, transporter.driven_by)


@pytest.mark.parametrize(
    ("law", "stoichiometry"),
    [(law, stoichiometry) for law in ("h_atpase", "pmca", "serca") for stoichiometry in LIBRARY[law].stoichiometries],
    ids=str,
)
def test_every_stoichiometry_of_a_pump_is_read(law, stoichiometry):
    assert dict(model_of(section(LIBRARY[law], stoichiometry)).membranes["plasma"].pathways[-1].stoichiometry) == dict(
        stoichiometry
    )


def test_every_law_has_a_function_and_every_function_a_law():
    assert {*LIBRARY, *(table.name for table in TABLES.values()), "formula"} == set(LAWS)


def test_every_law_says_what_drives_it_and_whether_it_is_thermodynamic():
    for law in LIBRARY.values():
        assert f"driven by {law.driven_by or 'nothing'}" in law.description, law.name
        assert ("not thermodynamic" in law.description) != law.is_thermodynamic, law.name
        assert re.search(r"\d{4}", law.source), law.name
        docstring = (LAWS[law.name].__doc__ or "") + (sys.modules[LAWS[law.name].__module__].__doc__ or "")
        assert re.search(r"driven by|Driven by", docstring), law.name
        assert "thermodynamic" in docstring, law.name


def test_every_transporter_has_a_source_and_a_charge_that_is_known():
    charges = {t.name: sum(n * VALENCES[i] for i, n in t.stoichiometry.items()) for t in TRANSPORTERS.values()}
    electroneutral = {"KCC", "NKCC", "NCC", "NHE", "AE", "NBCn1", "NDCBE", "GLUT", "MCT", "H_K_ATPase", "PMCA"}
    assert {name for name, charge in charges.items() if charge == 0} == electroneutral
    assert charges["NBCe1"] == charges["NBC"] == charges["NCX"] == charges["NCKX"] == -1
    assert (charges["SGLT1"], charges["SGLT2"], charges["Na_K_ATPase"], charges["CLC"]) == (2, 1, 1, -3)
    assert all(re.search(r"\d{4}", t.source) for t in TRANSPORTERS.values())


def test_a_declared_charge_that_agrees_is_no_fault():
    text = section(LIBRARY["na_k_atpase_constant"], {"Na": 3, "K": -2}, how="charge = 1")
    assert model_of(text).membranes["plasma"].pathways[-1].label == "tested"


def test_arguments_stand_in_the_order_of_the_law_whatever_that_of_the_file():
    """For the order decides whether two models share one program."""
    lines = section(LIBRARY["saturating"], {"K": 1, "Cl": 1}).splitlines()
    pathways = [
        model_of("\n".join(text)).membranes["plasma"].pathways[-1] for text in (lines, lines[:2] + lines[:1:-1])
    ]
    assert (
        list(pathways[0].arguments)
        == list(pathways[1].arguments)
        == ["rate", "half_saturation.K", "half_saturation.Cl"]
    )


@pytest.mark.parametrize("order", [*range(1, 21)])
def test_the_rate_of_mass_action_has_the_dimension_of_its_order(order):
    kind = rate_of_order(order)
    assert kind.dimension == parse_quantity("1 mol/m^2/s")[1] / parse_quantity("1 mM")[1] ** order
    assert parse_quantity(f"1 {kind.unit}")[0] == pytest.approx(1.0, rel=1e-15)
    if order == 2:
        assert kind.example == "1e-10 m^4/mol/s"


def test_either_way():
    assert either_way({"Ca": 1, "H": -2}) == ({"Ca": 1, "H": -2}, {"Ca": -1, "H": 2})


def test_a_pump_runs_backward_when_its_fuel_is_spent():
    """The reversible pump makes ATP from the gradients; the cubic one goes on as if nothing had happened."""
    pump = section(
        LIBRARY["na_k_atpase_reversible"], {"Na": 3, "K": -2}, LIBRARY["na_k_atpase_reversible"].choices[0].items()
    )
    with_parameter = 'title = "x"\n[parameters]\nG = "-57 kJ/mol"\n' + TEMPLATE.partition("\n")[2] + pump
    with_parameter = with_parameter.replace('free_energy = "-57 kJ/mol"', 'free_energy = "G"')
    protocol = '\n[[protocol]]\nat = "10 s"\nset = { "parameters.G" = "-30 kJ/mol" }\n'
    run = iontide.run(loads(with_parameter + protocol).model)
    cycles = run.pathway_cycles("plasma", "tested")
    assert (cycles[run.segment == 0] > 0).all()
    assert (cycles[run.segment == 1] < 0).all()
    assert summary(run).max_charge_drift < 1e-10


def test_schema_refuses_what_the_library_does_not_have():
    good = section(LIBRARY["mass_action"], {"K": 1, "Cl": 1})
    for old, new in (
        ("stoichiometry = { K = 1, Cl = 1 }", ""),
        ("stoichiometry = { K = 1, Cl = 1 }", 'stoichiometry = { K = 1, Cl = 1 }\ntransporter = "KCC"'),
        ("stoichiometry = { K = 1, Cl = 1 }", 'transporter = "KCCC"'),
        ("Cl = 1", "Cl = 1.5"),
        ("rate =", "rates ="),
    ):
        assert old in good
        text = TEMPLATE + good.replace(old, new)
        assert misfit(tomllib.loads(text), schema(), schema()) is not None
        with pytest.raises(ScenarioError):
            loads(text)
