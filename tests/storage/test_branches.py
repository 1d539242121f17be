"""Branches in files, figures and on the command line; the figure of sensitivities."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import iontide
from iontide.analysis.continuation.continuation import Branch, continue_steady_state
from iontide.analysis.steady_sensitivity import steady_sensitivities
from iontide.cli import main
from iontide.errors import FileError
from iontide.plots import branch_figure, sensitivity_figure
from tests.support.paths import SCENARIO_FILES

M1 = SCENARIO_FILES["duesterwald_2018"]
M4 = SCENARIO_FILES["huebel_dahlem_2014"]
CLOSED = {"parameters.buffering": "0 /ms", "parameters.pump_in_pause": 1}


@pytest.fixture(scope="module")
def along_potassium() -> Branch:
    return continue_steady_state(iontide.load(M4, set=CLOSED).model, "total:K", 2.4e-13, 3.2e-13)


@pytest.fixture(scope="module")
def along_pump() -> Branch:
    return continue_steady_state(iontide.load(M1).model, "pump_rate", 1e-5, 1e-3)


def test_a_branch_comes_back_to_the_bit(tmp_path, along_potassium, along_pump):
    for branch in (along_potassium, along_pump):
        path = branch.save(tmp_path / "branch.h5")
        again = iontide.open_branch(path)
        assert (again.parameter, again.special, again.ends) == (branch.parameter, branch.special, branch.ends)
        for name in ("values", "states", "unstable_modes"):
            assert np.array_equal(getattr(again, name), getattr(branch, name))
        one, two = branch.trajectory, again.trajectory
        assert np.array_equal(one.membrane_potential("plasma"), two.membrane_potential("plasma"))
        assert np.array_equal(one.pathway_cycles("plasma", "pump"), two.pathway_cycles("plasma", "pump"))
    assert np.array_equal(again.trajectory.parameter("pump_rate"), along_pump.values)


def test_what_a_file_holds(tmp_path, along_pump):
    with h5py.File(along_pump.save(tmp_path / "branch.h5")) as file:
        assert file.attrs["format"] == "iontide-branch"
        assert file["branch/plasma.V"].attrs["units"] == "mV"
        assert file["branch/plasma.V"].dims[0][0].name == "/branch/parameter"
        assert file["branch/plasma.V"][:] == pytest.approx(1e3 * along_pump.trajectory.membrane_potential("plasma"))
        assert "initial_Cl" not in " ".join(text.decode() for text in file["varying/paths"][:])


def test_files_that_are_none(tmp_path, along_pump):
    path = along_pump.save(tmp_path / "branch.h5")
    with pytest.raises(FileError, match="contains a branch of steady states, not a run"):
        iontide.open(path)
    damaged = path.read_bytes()
    path.write_bytes(damaged[: len(damaged) // 2])
    with pytest.raises(FileError, match="damaged"):
        iontide.open_branch(path)
    run = iontide.run(SCENARIO_FILES["nernst_potassium"]).save(tmp_path / "run.h5")
    with pytest.raises(FileError, match="contains a run, not a branch"):
        iontide.open_branch(run)


def test_stable_stretches_are_solid_and_unstable_ones_dashed(along_potassium):
    figure = branch_figure(along_potassium)
    axes = figure.axes[0]
    lines = [line for line in axes.get_lines() if line.get_label() != "_mark"]
    solid = [line for line in lines if line.get_linestyle() == "-"]
    dashed = [line for line in lines if line.get_linestyle() != "-"]
    assert solid
    assert dashed
    values = figure.data["total:K in cell and space (fmol)"]
    unstable = values[along_potassium.unstable_modes > 0]
    assert all(np.isin(line.get_xdata()[1:-1], unstable).all() for line in dashed)
    # Every stretch between two points is drawn once.
    assert sum(len(line.get_xdata()) - 1 for line in lines) == len(values) - 1
    marks = [line for line in axes.get_lines() if line.get_label() == "_mark"]
    assert len(marks) == len(along_potassium.special) == 6
    assert "fmol" in figure.axes[-1].get_xlabel()
    assert "unstable modes" in figure.data
    assert len(figure.axes) == 3  # V, the cell, the space; volumes are fixed


def test_decades_are_drawn_on_a_logarithmic_axis(along_pump):
    figure = branch_figure(along_pump)
    assert figure.axes[0].get_xscale() == "log"
    assert figure.axes[-1].get_xlabel() == "$pump\\_rate$ (mol m⁻² s⁻¹)"
    assert figure.axes[-1].get_ylabel().startswith("Volume")


def test_bars_of_sensitivities():
    result = steady_sensitivities(iontide.load(M1).model)
    figure = sensitivity_figure(result)
    assert len(figure.axes) == 5
    bars = figure.axes[0].patches
    ranked = result.ranked("plasma.V")
    place = result.parameters.index(ranked[0])
    assert bars[0].get_width() == pytest.approx(10.0 * result.scaled[0, place])  # mV for +1 %
    assert figure.axes[0].get_yticklabels()[0].get_text() == ranked[0]


def test_command(tmp_path, capsys):
    output = tmp_path / "branch.h5"
    options = ["--along", "total:K", "--from", "240 fmol", "--to", "320 fmol", "-o", str(output), "--plot"]
    settings = [word for path, value in CLOSED.items() for word in ("--set", f"{path}={value}")]
    assert main(["continue", str(M4), *options, *settings]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(output.with_suffix(suffix)) for suffix in (".h5", ".pdf", ".csv", ".png")]
    assert "fold at 303.494" in captured.err
    assert iontide.open_branch(output).trajectory.run.origin.overrides == {
        "parameters.buffering": "0 /ms",
        "parameters.pump_in_pause": "1",
    }


def test_the_output_of_continue_is_reported_and_plotted_again(tmp_path, capsys):
    output = tmp_path / "branch.h5"
    options = ["--from", "1e-5 mol/m^2/s", "--to", "1e-4 mol/m^2/s", "-o", str(output)]
    assert main(["continue", str(M1), "--along", "parameters.pump_rate", *options]) == 0
    written = capsys.readouterr().err.splitlines()
    assert main(["info", str(output)]) == 0
    reported = capsys.readouterr().out.splitlines()
    assert reported[0] == written[0].rpartition(" (")[0]
    assert reported[1:] == written[1:]
    assert main(["info", str(output), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ends"] == ["the end of the range"] * 2
    assert main(["plot", str(output)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(output.with_suffix(s)) for s in (".pdf", ".csv")]
    assert main(["plot", str(output), "--kind", "power"]) == 2
    assert "which has one figure" in capsys.readouterr().err


def test_command_as_json(tmp_path, capsys):
    options = ["--from", "1e-5 mol/m^2/s", "--to", "1e-3 mol/m^2/s", "-o", str(tmp_path / "b.h5"), "--json"]
    assert main(["continue", str(M1), "--along", "parameters.pump_rate", *options]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert reported["parameter"] == "pump_rate"
    assert reported["special"] == []
    assert reported["points"] > 20


def test_what_the_command_refuses(capsys):
    arguments = ["continue", str(M1), "--along", "parameters.pump_rate", "--from", "1 mM", "--to", "2 mM"]
    assert main(arguments) == 2
    assert "--from: pump_rate is in mol/m^2/s, got 1 mM" in capsys.readouterr().err
    assert main(["continue", str(M1), "--along", "pump", "--from", "1 mM", "--to", "2 mM"]) == 2
    assert "did you mean pump_rate" in capsys.readouterr().err
