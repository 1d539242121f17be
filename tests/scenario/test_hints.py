"""What a newcomer writes, and what the fault then says to write instead: salts, units, channels, paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from iontide.errors import FileError, ScenarioError, UsageError
from iontide.scenario.library.salts import instead_of_salt, ions_of_salt
from iontide.scenario.read import load, loads

CELL = """
title = "a cell"
[simulation]
duration = "1 s"
temperature = "37 degC"
[compartments.cell]
volume = "4 pL"
concentrations = { K = "130 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }
[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "146 mM", Cl = "150 mM" }
[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1200 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"
permeability = { K = "4e-8 m/s", Na = "1e-9 m/s", Cl = "1e-8 m/s" }
"""


def faults_of(*changes: tuple[str, str], more: str = "") -> list[str]:
    """The faults of the cell after changes, each as ``path: message``."""
    text = CELL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(ScenarioError) as caught:
        loads(text + more)
    return [f"{fault.path}: {fault.message}" for fault in caught.value.faults]


def test_a_salt_is_read_by_the_ion_library(subtests: pytest.Subtests) -> None:
    for salt, ions in [
        ("NaCl", {"Na": 1, "Cl": 1}),
        ("KCl", {"K": 1, "Cl": 1}),
        ("CaCl2", {"Ca": 1, "Cl": 2}),
        ("MgCl2", {"Mg": 1, "Cl": 2}),
        ("NaHCO3", {"Na": 1, "HCO3": 1}),
        ("K-gluconate", {"K": 1, "gluconate": 1}),
        ("K_gluconate", {"K": 1, "gluconate": 1}),
        ("Kgluconate", {"K": 1, "gluconate": 1}),
        ("KMeSO3", {"K": 1, "methanesulfonate": 1}),
        ("Na2SO4", {"Na": 2, "SO4": 1}),
        ("MgSO4", {"Mg": 1, "SO4": 1}),
        ("NaH2PO4", {"Na": 1, "H2PO4": 1}),
        ("K2HPO4", {"K": 2, "HPO4": 1}),
        ("Ca(NO3)2", {"Ca": 1, "NO3": 2}),
        ("TEACl", {"TEA": 1, "Cl": 1}),
        ("NMDG-Cl", {"NMDG": 1, "Cl": 1}),
        ("NH4Cl", {"NH4": 1, "Cl": 1}),
        ("Na2ATP", {"Na": 2, "ATP2": 1}),
        ("Na3GTP", {"Na": 3, "GTP3": 1}),
    ]:
        with subtests.test(salt=salt):
            assert ions_of_salt(salt) == ions
            assert list(ions_of_salt(salt) or ()) == list(ions)


def test_what_is_no_neutral_salt_is_none(subtests: pytest.Subtests) -> None:
    for name in ["Na", "K+", "CO2", "H2O", "glucose", "CaCl", "NaCl2", "sucrose", "", "K" * 500]:
        with subtests.test(name=name):
            assert ions_of_salt(name) is None


def test_a_salt_in_a_solution_is_one_fault_that_says_what_to_write() -> None:
    assert faults_of(('Na = "10 mM", Cl = "10 mM"', 'NaCl = "10 mM"')) == [
        'compartments.cell.concentrations.NaCl: NaCl is a salt: write Na = "10 mM" and Cl = "10 mM"'
    ]
    (fault,) = faults_of(('Na = "10 mM"', 'Na = "10 mM", CaCl2 = "2 mM"'))
    assert fault.endswith('CaCl2 is a salt: write Ca = "2 mM" and "2 * 2 mM" more of Cl')
    (fault,) = faults_of(('K = "130 mM"', 'K-gluconate = "130 mM"'))
    assert fault.endswith('K-gluconate is a salt: write K = "130 mM" and gluconate = "130 mM"')
    assert instead_of_salt("CaCl2", {"Ca": 1, "Cl": 2}, "a + b", ()).endswith('Ca = "a + b" and Cl = "2 * (a + b)"')
    assert instead_of_salt("NaCl", {"Na": 1, "Cl": 1}, 10, ()).endswith("write Na = … and Cl = …")
    assert instead_of_salt("HCl", {"H": 1, "Cl": 1}, 10, ()).startswith("HCl is not an ion: write H = …")


def test_what_is_said_to_be_written_in_place_of_a_salt_can_be_read() -> None:
    salts = '{ K = "4 mM", Na = "142 mM", Ca = "2 mM", Cl = "146 mM + 2 * 2 mM" }'
    model = loads(CELL.replace('{ K = "4 mM", Na = "146 mM", Cl = "150 mM" }', salts)).model
    assert model.compartments["bath"].concentrations["Ca"] == 2.0


def test_a_species_that_is_declared_is_no_salt() -> None:
    text = CELL.replace("bath = true\nconcentrations = { K", 'bath = true\nconcentrations = { NaCl = "1 mM", K')
    model = loads(text + "[species.NaCl]\nvalence = 0\n").model
    assert model.species["NaCl"].valence == 0


def test_ions_as_chemists_write_them() -> None:
    assert faults_of(('K = "130 mM"', '"K+" = "130 mM"')) == ["compartments.cell.concentrations.K+: write it as K"]
    assert faults_of(('Na = "10 mM"', 'Na = "10 mM", "HCO3-" = "1 mM"')) == [
        "compartments.cell.concentrations.HCO3-: write it as HCO3"
    ]
    (fault,) = faults_of(('Na = "10 mM"', 'Na = "10 mM", "5-HT" = "1 mM"'))
    assert fault.endswith("a name is a letter, then letters, digits or _")


def test_units_without_their_sign_of_a_power() -> None:
    assert faults_of(("1 uF/cm^2", "1 uF/cm2")) == [
        "membranes.plasma.specific_capacitance: no such name as cm2; did you mean the unit cm^2?"
    ]
    (fault,) = faults_of(('"1200 um^2"', '"1200 um2"'))
    assert "unit" in fault
    (fault,) = faults_of(("1 uF/cm^2", "1 uF/zz2"))
    assert "did you mean" not in fault


def test_degrees_celsius_are_not_coulomb() -> None:
    (fault,) = faults_of(("37 degC", "37 C"))
    assert "degrees Celsius are degC" in fault
    (fault,) = faults_of(("37 degC", "37 mV"))
    assert "degC" not in fault


CHANNEL = '[membranes.plasma.pathways.Kir]\nconductance = "1 mS/cm^2"\n'


def test_a_channel_without_its_ion_asks_for_that_and_not_for_a_law() -> None:
    told = "membranes.plasma.pathways.Kir.ion: missing; a pathway with a conductance and no law is a channel of one ion"
    assert faults_of(more=CHANNEL) == [f'{told} (as ion = "K")']
    first, second = sorted(faults_of(more=CHANNEL + 'stoichiometry = "K"\n'))
    assert first.startswith(told)
    assert second.endswith('stoichiometry: must be a table of counts (as { K = 1, Cl = 1 }), got "K"')
    (fault,) = faults_of(more="[membranes.plasma.pathways.x]\nstoichiometry = { K = 1 }\n")
    assert fault.startswith("membranes.plasma.pathways.x.law: missing")


def test_a_law_that_is_not_there_tells_where_all_are_listed() -> None:
    (fault,) = faults_of(more='[membranes.plasma.pathways.pump]\nlaw = "sodium_pump"\n')
    assert fault.endswith("iontide laws lists all)")


def test_set_leads_from_the_word_of_a_protocol_to_that_of_the_file() -> None:
    with pytest.raises(UsageError, match=r"did you mean compartments\.bath\.concentrations\.K\?"):
        loads(CELL, set={"compartments.bath.K": "5 mM"})
    loads(CELL, set={"compartments.cell.concentrations.K": "131 mM"})


def test_a_scenario_without_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text(CELL, encoding="utf-8")
    with pytest.raises(FileError, match=r"no such file; did you mean .*cell\.toml\?"):
        load(tmp_path / "cell")
    with pytest.raises(FileError, match=r"no such file\.$"):
        load(tmp_path / "other")
