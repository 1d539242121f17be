"""``iontide junction`` and ``iontide correct``, from words to files."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import iontide
from iontide.cli import main
from tests.support.electrode_cell import CELL

PIPETTE, BATH = "K-gluconate 130 mM, KCl 10 mM", "NaCl 140 mM, KCl 5 mM"
EXPECTED = iontide.junction_potential({"K-gluconate": 130, "KCl": 10}, {"NaCl": 140, "KCl": 5})

PATCH = """
[electrodes.patch]
on = "plasma"
filling = { K = "140 mM", gluconate = "130 mM", Cl = "10 mM" }
reference = { bridge = { K = "3 M", Cl = "3 M" } }
zeroed_at = "0 s"
"""
#: With an impermeant of which nobody knows how it moves.
SCENARIO = CELL.replace("gluconate = { concentration", "A = { concentration").replace("-1 }", "-1.2 }") + PATCH


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main([*words])
    out, err = capsys.readouterr()
    return code, out, err


def test_one_junction_as_json(capsys) -> None:
    code, out, _ = ran(capsys, "junction", "--pipette", PIPETTE, "--bath", BATH, "--json")
    found = json.loads(out)
    assert code == 0
    assert "bath relative to pipette" in found["convention"]
    assert found["junctions"][0]["LJP_mV"]["nernst-planck"] == pytest.approx(1e3 * EXPECTED, abs=1e-9)
    assert found["junctions"][0]["LJP_mV"]["lewis-sargent"] is None
    assert found["junctions"][0]["pipette"]["K"] == 140.0
    assert "CRC" in found["mobilities"]["K"]["source"]
    assert found["mobilities"]["Cl"]["valence"] == -1


def test_ions_and_salts_in_either_spelling(capsys) -> None:
    for pipette in ("K=140 mM; gluconate=130 mM; Cl=10 mM", "K-gluconate 0.13 M,KCl 10000 uM"):
        _, out, _ = ran(capsys, "junction", "--pipette", pipette, "--bath", f"mine: {BATH}", "--json")
        assert json.loads(out)["junctions"][0]["LJP_mV"]["nernst-planck"] == pytest.approx(1e3 * EXPECTED, abs=1e-9)


def test_a_table_of_several(capsys, tmp_path) -> None:
    words = ["junction", "--pipette", f"inner: {PIPETTE}", "--bath", f"control: {BATH}", "--bath", "low: KCl 1 mM"]
    code, out, err = ran(capsys, *words, "--plot", str(tmp_path / "table.png"))
    assert code == 0
    assert "inner | control" in out
    assert "inner | low" in out
    assert "none: lewis-sargent holds for one salt" in out
    assert not err
    assert (tmp_path / "table.png").stat().st_size > 5000
    assert (tmp_path / "table.csv").exists()


def test_a_junction_in_time(capsys, tmp_path) -> None:
    words = ["junction", "--pipette", "KCl 140 mM", "--bath", "NaCl 140 mM", "--width", "0.1 mm", "--json"]
    code, out, _ = ran(capsys, *words)
    found = json.loads(out)
    assert code == 0
    assert found["LJP_mV"][-1] == pytest.approx(found["stationary_mV"], abs=1e-3)
    code, out, _ = ran(capsys, *words[:-1], "--ends", "closed", "--plot", str(tmp_path / "in_time.pdf"))
    assert code == 0
    assert "as it forms" in out
    assert (tmp_path / "in_time.pdf").exists()


def test_solutions_by_name_from_a_scenario(capsys, tmp_path) -> None:
    (tmp_path / "cell.toml").write_text(SCENARIO)
    words = ["junction", "--scenario", str(tmp_path / "cell.toml"), "--pipette", "KCl 3 M", "--bath"]
    _, out, _ = ran(capsys, *words, "bath", "--json")
    expected = iontide.junction_potential({"KCl": 3000}, {"KCl": 5, "NaCl": 140})
    assert json.loads(out)["junctions"][0]["LJP_mV"]["nernst-planck"] == pytest.approx(1e3 * expected, abs=1e-9)
    code, _, err = ran(capsys, *words, "cell")
    assert code == 2
    assert "A has no mobility in the library; give its diffusion coefficient" in err
    code, _, _ = ran(capsys, *words, "cell", "--diffusion-coefficient", "A=0 m^2/s", "--valence", "A=-1")
    assert code == 2  # its mean valence is the scenario's, and with another one the charges do not balance
    code, _, err = ran(capsys, *words, "lumen")
    assert code == 2
    assert "nor a compartment (cell, bath)" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--pipette", "Kcl", "--bath", BATH], "'Kcl' is no salt or ion with its concentration"),
        (["--pipette", "NaX 10 mM", "--bath", BATH], "NaX is neither an ion of the library nor a salt"),
        (["--pipette", "NaCl 10", "--bath", BATH], "--pipette: "),
        (["--pipette", "NaCl 10 mV", "--bath", BATH], "must be a quantity in mM"),
        (["--pipette", "NaCl 10 mM, NaCl 5 mM", "--bath", BATH], "NaCl is given twice"),
        (["--pipette", "Na 10 mM", "--bath", BATH], "pipette: the charges do not balance"),
        (["--pipette", "K 1 mM, X 1 mM", "--bath", BATH, "--valence", "X=-1"], "X has no mobility"),
        (["--pipette", "K 1 mM, X 1 mM", "--bath", BATH, "--valence", "X=a"], "must be a whole number"),
        (["--pipette", PIPETTE, "--bath", BATH, "--diffusion-coefficient", "X=1e-9 m^2/s"], "give its --valence too"),
        (["--pipette", PIPETTE, "--bath", BATH, "--method", "lewis-sargent"], "lewis-sargent holds for one salt"),
        (["--pipette", PIPETTE, "--bath", BATH, "--bath", BATH, "--width", "1 mm"], "one pipette and one bath"),
        (["--pipette", PIPETTE, "--bath", BATH, "--activity", "pitzer"], "gluconate has no Pitzer parameters"),
    ],
)
def test_what_is_wrong_with_a_junction(capsys, words: list[str], told: str) -> None:
    code, _, err = ran(capsys, "junction", *words)
    assert code == 2
    assert told in err
    assert "Traceback" not in err


def write_csv(path: Path, header: str = "time (s),V (mV)") -> str:
    path.write_text(f"{header}\n1,-80\n30,-60\n")
    return str(path)


def corrected_mV(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", skiprows=1)[:, 2]


@pytest.mark.parametrize(
    ("configuration", "more", "expected"),
    [
        ("whole-cell", [], lambda v: v - 1e3 * EXPECTED),
        ("inside-out", [], lambda v: -v + 1e3 * EXPECTED),
        ("cell-attached", ["--resting", "-65 mV"], lambda v: -65.0 - v + 1e3 * EXPECTED),
        ("sharp", ["--cell", PIPETTE], lambda v: v - 1e3 * EXPECTED),
    ],
)
def test_a_recording_is_corrected_by_its_solutions(capsys, tmp_path, configuration, more, expected) -> None:
    recording = write_csv(tmp_path / "cell.csv")
    words = ["correct", recording, "--pipette", PIPETTE, "--bath", BATH, "--configuration", configuration, *more]
    code, out, err = ran(capsys, *words)
    assert code == 0, err
    assert out.strip() == str(tmp_path / "cell.corrected.csv")
    assert corrected_mV(tmp_path / "cell.corrected.csv") == pytest.approx(expected(np.array([-80.0, -60.0])), abs=1e-9)
    assert "bath relative to pipette" in err


def test_what_a_model_records_is_corrected_back(capsys, tmp_path) -> None:
    scenario = tmp_path / "cell.toml"
    scenario.write_text(SCENARIO)
    code, _, err = ran(capsys, "run", str(scenario), "-o", str(tmp_path / "run.h5"), "-q")
    assert code == 0, err
    code, _, err = ran(capsys, "correct", str(tmp_path / "run.h5"), "--scenario", str(scenario), "--electrode", "patch")
    assert code == 0, err
    true = iontide.open(tmp_path / "run.h5").membrane_potential("plasma")
    found = np.loadtxt(tmp_path / "run.corrected.csv", delimiter=",", skiprows=1)
    # On both sides of a step at one time the recording says which side it is; a correction takes the later one.
    once = np.append(np.diff(found[:, 0]) > 0.0, True)
    assert found[once, 2] == pytest.approx(1e3 * true[once], abs=1e-9)


def test_a_recording_from_another_program(capsys, tmp_path) -> None:
    with h5py.File(tmp_path / "rig.h5", "w") as file:
        file["sweep/t"] = np.array([0.0, 1.0])
        file["sweep/v"] = np.array([-0.080, -0.060])
    words = ["correct", str(tmp_path / "rig.h5"), "--pipette", PIPETTE, "--bath", BATH, "--configuration", "whole-cell"]
    code, _, err = ran(capsys, *words, "--time", "sweep/t", "--column", "sweep/v", "--unit", "V")
    assert code == 0, err
    expected = np.array([-80.0, -60.0]) - 1e3 * EXPECTED
    assert corrected_mV(tmp_path / "rig.corrected.csv") == pytest.approx(expected, abs=1e-9)
    code, _, err = ran(capsys, *words, "--time", "sweep/t", "--column", "sweep/w")
    assert code == 6
    assert "there is no dataset sweep/w" in err


def test_what_is_wrong_with_a_recording(capsys, tmp_path) -> None:
    good = ["--pipette", PIPETTE, "--bath", BATH, "--configuration", "whole-cell"]
    recording = write_csv(tmp_path / "cell.csv")
    (tmp_path / "cell.toml").write_text(SCENARIO)
    late = tmp_path / "late.csv"
    late.write_text("time (s),V (mV)\n1,-80\n300,-60\n")
    holes = tmp_path / "nan.csv"
    holes.write_text("time (s),V (mV)\n1,nan\n")
    cases = [
        ([str(tmp_path / "none.csv"), *good], 6, "there is no such file"),
        ([write_csv(tmp_path / "bare.csv", "t,V"), *good], 2, "has 0 columns with a unit of time"),
        ([recording, *good, "--column", "U (mV)"], 2, "no potential is called U (mV); there are V (mV)"),
        ([recording, *good[:4]], 2, "--configuration is missing"),
        ([recording, *good[:4], "--configuration", "sharp"], 2, "--cell is needed for --configuration sharp"),
        ([recording, *good, "--resting", "-65 mV"], 2, "--resting applies only to --configuration cell-attached"),
        ([recording, *good, "-o", recording], 2, "is the recording itself, which is not overwritten"),
        (
            [recording, "--scenario", str(tmp_path / "cell.toml"), "--bath", BATH],
            2,
            "--bath cannot be combined",
        ),
        ([str(late), "--scenario", str(tmp_path / "cell.toml")], 2, "a sample at 300 s, but the run is from 0 to 60 s"),
        (
            [recording, "--scenario", str(tmp_path / "cell.toml"), "--electrode", "x"],
            2,
            "no electrode x; there are patch",
        ),
        ([str(holes), *good], 2, "no finite number"),
    ]
    for words, code, told in cases:
        found, _, err = ran(capsys, "correct", *words)
        assert (found, told in err) == (code, True), err
        assert "Traceback" not in err
