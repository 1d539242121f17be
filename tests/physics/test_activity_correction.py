"""ΔE, by which a Nernst potential of concentrations is wrong: closed forms, and where files and reports show it."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log

import h5py
import numpy as np
import pytest

import iontide
from iontide import storage
from iontide.analysis.audit.diagnostics import Audit
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.errors import FileError
from iontide.formulas.formula import parse_formula
from iontide.model.model import Parameter
from iontide.physics.activity import debye_hueckel_A, debye_hueckel_B
from iontide.physics.ions import find_ion
from iontide.reports.info import info
from iontide.reports.info_text import info_text
from iontide.simulation.simulate import simulate
from iontide.storage.recorded import recorded_quantities
from tests.support.models import p1, single_ion
from tests.support.models import with_recording as recorded
from tests.support.paths import SCENARIO_FILES

ROOM = 298.15


def by_concentrations(trajectory, membrane, species):
    """E_approx, V."""
    m = trajectory.model.membranes[membrane]
    inside, outside = (trajectory.concentration(c, species) for c in (m.inside, m.outside))
    return R * trajectory.temperature / (trajectory.model.species[species].valence * F) * np.log(outside / inside)


def corrections(model):
    """What of a model is written as a correction: (membrane, ion)."""
    columns = [c for c in recorded_quantities(model) if c.kind == "activity_correction"]
    assert all((c.units, c.scale) == ("mV", 1e3) for c in columns)
    return [(c.of["membrane"], c.of["species"]) for c in columns]


# -- constant coefficients ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def handbook():
    return iontide.run(SCENARIO_FILES["activities"])


@pytest.fixture(scope="module")
def saved(handbook, tmp_path_factory):
    return storage.save(handbook, tmp_path_factory.mktemp("saved") / "x.h5")


def test_constant_coefficients(handbook):
    """R T / F · ln(0.901 / 0.768) = 4.1035 mV once the coefficients are those of the handbook, 0 before."""
    found = handbook.activity_correction("plasma", "K")
    expected = R * ROOM / F * log(0.901 / 0.768)
    assert 1e3 * expected == pytest.approx(4.1035, abs=5e-5)
    assert np.all(found[handbook.segment == 0] == 0.0)
    np.testing.assert_allclose(found[handbook.segment == 1], expected, rtol=1e-14)
    difference = handbook.reversal_potential("plasma", "K") - by_concentrations(handbook, "plasma", "K")
    np.testing.assert_allclose(found, difference, atol=1e-16)


def test_it_stands_in_the_file_beside_the_reversal_potential(handbook, saved):
    with h5py.File(saved) as file:
        names = list(file["timeseries"])
        assert names[names.index("plasma.E.K") + 1] == "plasma.dE.K"
        dataset = file["timeseries/plasma.dE.K"]
        assert dataset.attrs["units"] == "mV"
        assert dataset.attrs["long_name"] == (
            "activity correction of the Nernst potential of K at plasma: by activities minus by concentrations"
        )
        assert np.array_equal(dataset[()], handbook.activity_correction("plasma", "K") * 1e3)


def test_the_largest_is_told(handbook, saved):
    expected = 1e3 * R * ROOM / F * log(0.901 / 0.768)
    found = json.loads(json.dumps(info(saved)))["largest_activity_corrections"]
    assert found == {"plasma.dE.K": pytest.approx(expected, rel=1e-12)}
    lines = info_text(info(saved)).splitlines()
    (head,) = [i for i, line in enumerate(lines) if "E, mV  largest dE (activities), mV  flux out" in line]
    assert lines[head + 1].split()[:3] == ["K", "-55.0559", "4.104"]
    assert len({len(line) for line in lines[head : head + 3]}) == 1


def test_the_largest_is_that_of_the_whole_run_and_keeps_its_sign():
    """Turned round, and ideal again before the end."""
    text = (SCENARIO_FILES["activities"]).read_text(encoding="utf-8")
    text = text.replace("= 0.768", "= X").replace("= 0.901", "= 0.768").replace("= X", "= 0.901")
    text += '\n[[protocol]]\nat = "80 ms"\nset = { "parameters.gamma_cell" = 1.0, "parameters.gamma_bath" = 1.0 }\n'
    trajectory = iontide.run(iontide.loads(text))
    assert trajectory.activity_correction("plasma", "K")[-1] == 0.0
    audit = Audit()
    for i in range(0, len(trajectory), 100):
        audit.add(trajectory.part(slice(i, i + 100)))
    expected = R * ROOM / F * log(0.768 / 0.901)
    assert audit.activity_corrections == {("plasma", "K"): pytest.approx(expected, rel=1e-14)}


# -- Debye–Hückel ---------------------------------------------------------------------------------------------------

CALCIUM = """
title = "CaCl2"
simulation = { duration = "1 h", temperature = "25 degC" }

[compartments.cell]
volume = "1 pL"
activity = "INSIDE"
concentrations = { Ca = "20 mM", Cl = "40 mM" }

[compartments.bath]
bath = true
activity = "OUTSIDE"
concentrations = { Ca = "1 mM", Cl = "2 mM" }

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "500 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "ghk"
permeability = { Ca = "1e-8 m/s", Cl = "5e-9 m/s" }
"""


def calcium(inside, outside):
    return iontide.run(iontide.loads(CALCIUM.replace("INSIDE", inside).replace("OUTSIDE", outside)))


def kielland(trajectory, compartment, ion, valence):
    """ln gamma = −ln 10 · A z² √I / (1 + B a √I), written out once more; molal I from ½ Σ z² c."""
    c = {x: trajectory.concentration(compartment, x) for x in ("Ca", "Cl")}
    strength = 0.5 * (4.0 * c["Ca"] + c["Cl"])
    root = np.sqrt(strength / 997.05)  # kg m⁻³, water at 25 °C
    a, b, size = debye_hueckel_A(ROOM), debye_hueckel_B(ROOM), find_ion(ion).ion_size
    return -log(10.0) * a * valence**2 * root / (1.0 + b * size * root)


@pytest.mark.parametrize("inside", ["debye_hueckel", "ideal"])
@pytest.mark.parametrize("outside", ["debye_hueckel", "ideal"])
def test_debye_hueckel(inside, outside):
    trajectory = calcium(inside, outside)
    models = {"cell": inside, "bath": outside}
    for ion, valence in (("Ca", 2), ("Cl", -1)):
        ln = {c: 0.0 if m == "ideal" else kielland(trajectory, c, ion, valence) for c, m in models.items()}
        expected = np.broadcast_to(R * ROOM / (valence * F) * (ln["bath"] - ln["cell"]), len(trajectory))
        found = trajectory.activity_correction("plasma", ion)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        difference = trajectory.reversal_potential("plasma", ion) - by_concentrations(trajectory, "plasma", ion)
        np.testing.assert_allclose(found, difference, atol=1e-15)
    if inside == "debye_hueckel":
        # The stronger solution has the smaller coefficient: E_Ca becomes less negative, E_Cl less positive.
        assert trajectory.activity_correction("plasma", "Ca")[0] > 5e-3
        assert trajectory.activity_correction("plasma", "Cl")[0] < -2e-3
        assert np.ptp(trajectory.activity_correction("plasma", "Ca")) > 1e-5
    expected_columns = [] if inside == outside == "ideal" else [("plasma", "Cl"), ("plasma", "Ca")]
    assert sorted(corrections(trajectory.model)) == sorted(expected_columns)


# -- where there is none --------------------------------------------------------------------------------------------


def test_ideal_solutions_have_none(tmp_path):
    trajectory = simulate(recorded(p1(), points=10))
    assert np.all(trajectory.activity_correction("plasma", "K") == 0.0)
    assert corrections(trajectory.model) == []
    path = storage.save(trajectory, tmp_path / "x.h5")
    with h5py.File(path) as file:
        assert not any(".dE." in name for name in file["timeseries"])
        assert "activity_correction" not in file["diagnostics"]
    assert info(path)["largest_activity_corrections"] == {}
    assert "dE" not in info_text(info(path))


def with_coefficients(model, **given):
    """Coefficients of K by compartment."""
    compartments = {
        name: replace(c, activity_coefficients={"K": given[name]} if name in given else {})
        for name, c in model.compartments.items()
    }
    return replace(model, compartments=compartments, parameters={"gamma": Parameter("gamma", 1.0)})


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"cell": 1.0, "bath": 1.0}, False),
        ({"cell": 0.9}, True),
        ({"bath": 0.9}, True),
        ({"bath": parse_formula("gamma")}, True),
    ],
)
def test_a_coefficient_that_is_the_number_one_is_none(given, written):
    assert corrections(with_coefficients(p1(), **given)) == ([("plasma", "K")] if written else [])


def test_equal_coefficients_make_none_to_look_at(tmp_path):
    trajectory = simulate(recorded(with_coefficients(p1(), cell=0.75, bath=0.75), points=10))
    path = storage.save(trajectory, tmp_path / "x.h5")
    assert info(path)["largest_activity_corrections"] == {"plasma.dE.K": 0.0}
    assert "dE" not in info_text(info(path))


def test_a_given_coefficient_goes_before_the_model_of_its_solution():
    model = with_coefficients(p1(), cell=1.0, bath=1.0)
    davies = {name: replace(c, activity="davies") for name, c in model.compartments.items()}
    assert corrections(replace(model, compartments=davies)) == [("plasma", "Na"), ("plasma", "Cl")]


def test_a_neutral_solute_has_none():
    trajectory = simulate(recorded(single_ion(0), points=5))
    with pytest.raises(ValueError, match="X is neutral"):
        trajectory.activity_correction("plasma", "X")
    davies = {name: replace(c, activity="davies") for name, c in trajectory.model.compartments.items()}
    assert corrections(replace(trajectory.model, compartments=davies)) == []


def test_a_file_whose_corrections_are_not_of_its_model_is_refused(saved, tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(saved.read_bytes())
    with h5py.File(path, "r+") as file:
        names = file["diagnostics/activity_correction/ions"]
        names[0] = b"Q"
    with pytest.raises(FileError, match="the activity corrections in the file do not match its model"):
        info(path)
