"""``iontide nernst`` and ``iontide ghk`` as a user meets them: numbers, conventions, activities, refusals, haste."""

from __future__ import annotations

import json
import subprocess
import sys
from math import exp, log

import pytest

import iontide
from iontide.cli import arguments as choices
from iontide.cli import main
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.electrode.configurations import PLACEMENTS
from iontide.electrode.junctions.liquid_junction import METHODS
from iontide.physics.activity import ionic_strength, log_gamma
from iontide.physics.activity.models import ACTIVITY_MODELS
from iontide.physics.ghk_nernst import ghk_currents
from iontide.physics.ions import find_ion

INSIDE = {"K": 140.0, "Na": 10.0, "Cl": 150.0}
OUTSIDE = {"K": 4.0, "Na": 146.0, "Cl": 150.0}
SIDES = ("-i", "K=140 mM, Na=10 mM, Cl=150 mM", "-o", "K=4 mM, Na=0.146 M", "-o", "Cl=150 mM", "-t", "37 degC")
RATIOS = {"K": 1.0, "Na": 0.04, "Cl": 0.45}
WRITTEN = ("-p", "K=1, Na=0.04", "-p", "Cl=0.45")
BODY = 310.15


@pytest.fixture(autouse=True)
def deaf(monkeypatch):
    """A command listens for signals until the program ends, which here it does not."""
    monkeypatch.setattr("iontide.cli.signals.listen", lambda: None)


@pytest.fixture
def answer(capsys):
    """What a command prints as JSON; nothing goes elsewhere."""

    def ask(*words):
        assert main([*words, "--json"]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return json.loads(printed.out)

    return ask


def test_nernst_of_one_ion(answer):
    found = answer("nernst", "K", "--inside", "140 mM", "--outside", "4 mM", "--temperature", "37 degC")
    assert found["convention"] == "inside minus outside"
    assert found["temperature_K"] == BODY
    (ion,) = found["ions"].values()
    assert ion["E_mV"] == 1e3 * iontide.nernst_potential(1, 140.0, 4.0, BODY)
    assert ion["RT_over_zF_mV"] == pytest.approx(1e3 * R * BODY / F)
    assert ion["slope_per_decade_mV"] == pytest.approx(61.54, abs=0.005)
    assert ion["dE_mV"] == 0.0


def test_nernst_of_all_ions_and_of_a_valence(answer):
    found = answer("nernst", *SIDES)["ions"]
    assert list(found) == ["K", "Na", "Cl"]
    for name, ion in found.items():
        z = find_ion(name).valence
        assert ion["E_mV"] == 1e3 * iontide.nernst_potential(z, INSIDE[name], OUTSIDE[name], BODY)
    assert found["Cl"]["slope_per_decade_mV"] < 0.0
    assert list(answer("nernst", "Cl", "K", *SIDES)["ions"]) == ["Cl", "K"]
    (calcium,) = answer("nernst", "+2", "-i", "100 nM", "-o", "2 mM", "-t", "310.15 K")["ions"].values()
    assert calcium["E_mV"] == pytest.approx(1e3 * iontide.nernst_potential(2, 1e-4, 2.0, BODY), rel=1e-14)
    (anion,) = answer("nernst", "-1", "-i", "4 mM", "-o", "110 mM", "-t", "37 degC")["ions"].values()
    assert anion["E_mV"] == pytest.approx(-88.577, abs=1e-3)


@pytest.mark.parametrize("model", ["debye_hueckel", "davies", "truesdell_jones", "pitzer"])
def test_activities_from_the_whole_solution(model, capsys):
    assert main(["nernst", *SIDES, "--activity", model, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ions = {name: find_ion(name) for name in INSIDE}
    gamma = []
    for solution in (INSIDE, OUTSIDE):
        strength = ionic_strength(solution, {name: ion.valence for name, ion in ions.items()})
        gamma.append({n: exp(float(g)) for n, g in log_gamma(model, ions, strength, BODY, solution).items()})
    for name, ion in found["ions"].items():
        a, b = gamma[0][name], gamma[1][name]
        assert (ion["gamma_inside"], ion["gamma_outside"]) == pytest.approx((a, b))
        z = find_ion(name).valence
        assert ion["E_mV"] == pytest.approx(1e3 * iontide.nernst_potential(z, INSIDE[name], OUTSIDE[name], BODY, a, b))
        assert ion["dE_mV"] == pytest.approx(ion["E_mV"] - ion["E_by_concentrations_mV"], abs=1e-12)
    assert found["ionic_strength_mM"] == {"inside": pytest.approx(150.0), "outside": pytest.approx(150.0)}


def test_given_coefficients_and_a_page(capsys):
    words = ("nernst", "K", "-i", "140 mM", "-o", "4 mM", "-t", "37 degC")
    assert main([*words, "--gamma-inside", "0.7", "--gamma-outside", "K=0.8"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert printed.err == ""
    assert lines[0] == "Nernst potentials, inside minus outside, at 37 degC (310.15 K)"
    assert "dE, mV" in lines[1]
    assert float(lines[2].split()[-1]) == pytest.approx(1e3 * R * BODY / F * log(0.8 / 0.7), rel=1e-5)


def test_what_is_amiss_with_a_solution_is_told(capsys):
    assert main(["nernst", "-i", "K=2 M, Cl=2 M", "-o", "K=4 mM", "-t", "37 degC", "--activity", "davies"]) == 0
    told = capsys.readouterr().err
    assert "warning: inside: davies: the ionic strength is 2000 mM, beyond the 500 mM" in told
    assert "warning: outside: the charges do not balance, they add up to +4 mM" in told


def test_ghk(answer):
    found = answer("ghk", *WRITTEN, *SIDES)
    v = iontide.ghk_potential(RATIOS, INSIDE, OUTSIDE, BODY)
    assert found["V_mV"] == pytest.approx(1e3 * v, rel=1e-15)
    assert (found["convention"], found["dV_mV"]) == ("inside minus outside", 0.0)
    currents = ghk_currents(RATIOS, INSIDE, OUTSIDE, BODY, v)
    slope = sum(g for _, g in currents.values())
    for name, ion in found["ions"].items():
        assert ion["fractional_slope_conductance"] == pytest.approx(currents[name][1] / slope)
        assert ion["current_uA_per_cm2"] is None
    shares = [ion["current_share"] for ion in found["ions"].values()]
    assert sum(shares) == pytest.approx(0.0, abs=1e-14)
    assert sum(x for x in shares if x > 0) == pytest.approx(1.0)
    assert sum(ion["fractional_slope_conductance"] for ion in found["ions"].values()) == pytest.approx(1.0)
    with_units = answer("ghk", "-p", "K=4e-8 m/s, Na=0.16e-6 cm/s, Cl=1.8e-8 m/s", *SIDES)
    assert with_units["V_mV"] == pytest.approx(found["V_mV"], rel=1e-14)
    assert with_units["ions"]["K"]["current_uA_per_cm2"] == pytest.approx(4e-6 * currents["K"][0])


def test_ghk_on_a_page_and_with_activities(capsys):
    assert main(["ghk", *WRITTEN, *SIDES]) == 0
    lines = capsys.readouterr().out.splitlines()
    v = 1e3 * iontide.ghk_potential(RATIOS, INSIDE, OUTSIDE, BODY)
    assert lines[0].startswith(f"V = {v:.6g} mV, inside minus outside")
    assert [line.split()[0] for line in lines[2:]] == ["K", "Na", "Cl"]
    unlike = ("-i", "K=14 mM, Cl=14 mM", "-o", "K=4 mM, Na=146 mM, Cl=150 mM", "-t", "25 degC")
    assert main(["ghk", "-p", "K=1, Cl=0.5", *unlike, "--activity", "davies"]) == 0
    printed = capsys.readouterr().out
    assert "by concentrations" in printed
    assert "activities by davies, ionic strength 14 mM inside and 150 mM outside" in printed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nernst", "Kk", *SIDES], "must both give a concentration of Kk"),
        (["nernst", "-i", "Kk=1 mM", "-o", "Kk=1 mM", "-t", "37 degC"], "there is no ion Kk in the library; did you"),
        (
            ["nernst", "K", "-i", "140", "-o", "4 mM", "-t", "37 degC"],
            "--inside: must be a quantity in mM",
        ),
        (
            ["nernst", "K", "-i", "140 mM", "-o", "4 mM", "-t", "37"],
            "'310.15 K', got '37'",
        ),
        (
            ["nernst", "K", "-i", "140 mV", "-o", "4 mM", "-t", "37 degC"],
            "'140 mM', got '140 mV'",
        ),
        (["nernst", "K", "-i", "140 Mm", "-o", "4 mM", "-t", "37 degC"], "--inside: unknown unit `Mm`; did you mean"),
        (
            ["nernst", "K", "-i", "0 mM", "-o", "4 mM", "-t", "37 degC"],
            "K has no Nernst potential: its",
        ),
        (["nernst", "K", "-i", "-1 mM", "-o", "4 mM", "-t", "37 degC"], "concentration of K must be ≥ 0"),
        (["nernst", "-i", "K=1 mM", "-o", "Na=1 mM", "-t", "37 degC"], "--inside and --outside have no ion in common"),
        (["nernst", "-i", "K=1 mM, K=2 mM", "-o", "K=1 mM", "-t", "37 degC"], "--inside: K is given twice"),
        (["nernst", "K", *SIDES, "--gamma-inside", "-1"], "--gamma-inside: must be greater than 0"),
        (["nernst", "+0", "-i", "1 mM", "-o", "1 mM", "-t", "37 degC"], "+0 has no Nernst potential: it is uncharged"),
        (["ghk", "-p", "K=1, Na=1e-8 m/s", *SIDES], "write all as ratios"),
        (["ghk", "-p", "K=1, Ca=1", *SIDES], "--inside gives no concentration of Ca; write Ca=0 mM"),
        (["ghk", "-p", "K=1 mM", *SIDES], "--permeability: must be a quantity in m/s"),
        (["ghk", "-p", "K=0", *SIDES], "no ion passes"),
        (["ghk", "-p", "1", *SIDES], "--permeability: '1' is not ION=VALUE"),
    ],
)
def test_refusals(words, told, capsys):
    assert main(words) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("words", [("nernst", "K", *SIDES), ("ghk", *WRITTEN, *SIDES, "--activity", "davies")])
def test_no_slow_import(words):
    code = f"import sys\nfrom iontide.cli import main\nmain({list(words)!r})\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"numba", "llvmlite", "h5py", "scipy", "matplotlib", "pydantic"}


def test_the_choices_of_the_parser_are_those_of_the_library():
    """They are listed in the parser too, so that ``--help`` need not import the library."""
    assert (*ACTIVITY_MODELS,) == choices.ACTIVITY_MODELS
    assert choices.JUNCTION_METHODS == METHODS
    assert tuple(name for name in PLACEMENTS if name != "in-solution") == choices.CONFIGURATIONS
