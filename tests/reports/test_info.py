"""What ``iontide info`` tells of a file: the end of the run, in numbers and on a page; and quickly."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from iontide import storage
from iontide.errors import FileError, SolverError
from iontide.model.model import Pathway
from iontide.reports.info import info
from iontide.reports.info_text import info_text
from iontide.scenario.read import loads
from iontide.simulation.simulate import simulate
from tests.support.models import p1, single_ion, with_recording, with_simulation
from tests.support.storage_checks import enlarged, small_trajectory


@pytest.fixture(scope="module")
def trajectory():
    return small_trajectory()


@pytest.fixture(scope="module")
def saved(trajectory, tmp_path_factory):
    return storage.save(trajectory, tmp_path_factory.mktemp("saved") / "run.h5")


def test_the_numbers_are_those_of_the_last_sample(trajectory, saved):
    found = info(saved)
    values, units = found["quantities"], found["units"]
    assert units.keys() == values.keys()
    assert (units["plasma.V"], units["cell.K"], units["cell.volume"]) == ("mV", "mM", "pL")
    assert values["plasma.V"] == trajectory.membrane_potential("plasma")[-1] * 1e3
    assert values["plasma.E.K"] == trajectory.reversal_potential("plasma", "K")[-1] * 1e3
    assert values["plasma.flux.Na"] == trajectory.flux("plasma", "Na")[-1] * 1e6
    assert values["plasma.current.Cl"] == trajectory.current_density("plasma", "Cl")[-1] * 1e2
    assert values["plasma.current"] == trajectory.current_density("plasma")[-1] * 1e2
    assert values["cell.K"] == trajectory.concentration("cell", "K")[-1]
    assert values["cell.A"] == pytest.approx(140.0)
    assert values["cell.volume"] == pytest.approx(4.18879)
    assert "bath.volume" not in values
    assert (found["samples"], found["segments"], found["states"]) == (len(trajectory), 3, trajectory.run.layout.size)
    assert (found["first_time_s"], found["last_time_s"]) == (trajectory.time[0], trajectory.time[-1])
    assert found["statistics"]["steps"] == trajectory.statistics.steps
    assert found["overrides"] == trajectory.run.origin.overrides
    assert found["max_charge_drift"] < 1e-10


def test_it_is_json(saved):
    assert json.loads(json.dumps(info(saved), allow_nan=False)) == info(saved)


def test_the_page(saved):
    text = info_text(info(saved))
    lines = text.splitlines()
    assert lines[0] == "pump-leak"
    assert "ran to its end at t = 36000 s; 45 samples, 3 segment(s)" in lines[2]
    assert any(line.startswith("membrane plasma, cell | bath: V = ") for line in lines)
    assert any(line.split()[:2] == ["cell", f"{info(saved)['quantities']['cell.K']:.5g}"]
               for line in lines)  # fmt: skip
    assert "scenario: pump.toml, with parameters.pump_rate = 1 umol/m^2/s, with simulation.rtol = 1e-08" in lines
    assert "by iontide" in lines[-1]
    assert max(map(len, lines)) < 120
    assert not any(line != line.rstrip() for line in lines)


def test_a_failed_run_says_so_and_how_far_it_came(tmp_path):
    with pytest.raises(SolverError) as caught:
        simulate(with_simulation(p1(), max_steps=20))
    path = storage.save(caught.value.trajectory, tmp_path / "x.h5")
    lines = info_text(info(path)).splitlines()
    assert lines[2].startswith("FAILED at t = ")
    assert " of 36000 s; " in lines[2]
    assert "20 steps were not enough" in lines[3]


def test_what_is_undefined_is_null_and_said(tmp_path):
    trajectory = simulate(with_simulation(single_ion(1, outside=0.0), duration=10.0))
    path = storage.save(trajectory, tmp_path / "x.h5")
    assert info(path)["quantities"]["plasma.E.X"] is None
    assert re.search(r"^ +X +undefined ", info_text(info(path)), re.MULTILINE)
    assert any(line.startswith("warning: the reversal potential of X") for line in info_text(info(path)).splitlines())


def test_a_neutral_solute_has_a_flux_and_no_current(tmp_path):
    path = storage.save(simulate(with_recording(single_ion(0), points=5)), tmp_path / "x.h5")
    found = info(path)
    assert found["membranes"]["plasma"]["species"] == ["X"]
    assert "plasma.flux.X" in found["quantities"]
    assert not {"plasma.E.X", "plasma.current.X"} & found["quantities"].keys()
    assert found["quantities"]["plasma.current"] == 0.0


def test_a_state_that_is_not_finite_does_not_stop_it(trajectory, tmp_path):
    end = np.full_like(trajectory.run.end_state, np.nan)
    path = storage.save(replace(trajectory, run=replace(trajectory.run, end_state=end)), tmp_path / "x.h5")
    assert info(path)["quantities"]["plasma.V"] is None
    assert "V = undefined mV" in info_text(info(path))


def test_no_result_is_one_error(tmp_path):
    (tmp_path / "x.h5").write_text("no")
    with pytest.raises(FileError, match="this is not an HDF5 file"):
        info_text(info(tmp_path / "x.h5"))


def test_it_imports_nothing_slow(saved):
    code = (
        "import sys; from iontide.reports import info, info_text; info_text.info_text(info.info(sys.argv[1])); "
        "print({'numba', 'llvmlite', 'scipy', 'matplotlib', 'pydantic', 'rich', 'xarray'} & "
        "{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_its_time_does_not_grow_with_the_recording(trajectory, tmp_path):
    """No sample but the first and the last is read: those between may even be damaged."""
    large = enlarged(trajectory, 20_000)
    path = storage.save(large, tmp_path / "x.h5")
    with h5py.File(path) as file:
        chunk = file["state/states"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + 100] ^= 1
    path.write_bytes(data)
    assert info(path)["samples"] == 20_000
    with pytest.raises(FileError):
        storage.open_trajectory(path)


def test_the_current_of_a_pump_stands_below_the_sum_of_which_it_is_a_part(trajectory, saved):
    found = info(saved)
    assert found["membranes"]["plasma"]["pumps"] == ["pump"]
    current = found["quantities"]["plasma.pump.current"]
    assert current == trajectory.pathway_current_density("plasma", "pump")[-1] * 1e2
    lines = info_text(info(saved)).splitlines()
    (row,) = [k for k, line in enumerate(lines) if line.split()[:3] == ["of", "it", "pump"]]
    assert lines[row].split()[3] == f"{current:.5g}"
    assert lines[row - 1].split()[0] == "all"


def test_a_pump_without_a_current_is_not_listed_among_the_currents(tmp_path):
    model = single_ion(0)
    plasma = model.membranes["plasma"]
    pump = Pathway("pathways.pump", "formula", {"X": 1}, {"rate": 1e-9}, driven_by="ATP")
    pumped = replace(model, membranes={"plasma": replace(plasma, pathways=(*plasma.pathways, pump))})
    path = storage.save(simulate(with_recording(pumped, points=5)), tmp_path / "x.h5")
    assert info(path)["membranes"]["plasma"]["pumps"] == []
    assert "of it" not in info_text(info(path))


def test_a_passive_pathway_is_no_pump(tmp_path):
    path = storage.save(simulate(with_recording(single_ion(1), points=5)), tmp_path / "x.h5")
    assert info(path)["membranes"]["plasma"]["pumps"] == []
    assert "of it" not in info_text(info(path))
    assert info(path)["clamps"] == {}


CLAMPED = """
title = "clamped"
[simulation]
duration = "50 ms"
temperature = "20 degC"
[compartments.cell]
volume = "4 pL"
concentrations = { K = "140 mM", Na = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }
[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "145 mM" }
impermeants = { B = { concentration = "balance", valence = -1 } }
[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1200 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"
conductance = { K = "0.3 mS/cm^2", Na = "0.02 mS/cm^2" }
[[protocol]]
at = "10 ms"
clamp = { membrane = "plasma", potential = "-40 mV", carried_by = "K" }
[[protocol]]
at = "10 ms"
clamp = { compartment = "cell", ion = "Na", concentration = "12 mM" }
"""


def test_clamps_tell_what_they_bring_at_the_end_and_since_the_start(tmp_path):
    trajectory = simulate(loads(CLAMPED).model)
    path = storage.save(trajectory, tmp_path / "x.h5")
    assert info(path)["clamps"]["plasma"] == {"membrane": "plasma"}
    found = info(path)["quantities"]
    current = found["plasma.clamp_current"]
    assert current == pytest.approx(trajectory.clamp_current("plasma")[-1] * 1e12, rel=1e-9)
    assert found["plasma.clamp_charge"] == trajectory.clamp_supply("plasma")[-1] * 1e12
    # 0.3 mS/cm2 over the driving force of K and 0.02 over that of Na, and the charge of 30 mV besides.
    assert 50 < current < 400
    assert found["cell.Na.clamp_amount"] == trajectory.clamp_supply("cell.Na")[-1] * 1e15
    assert found["cell.Na.clamp_amount"] == pytest.approx(2.0 * 4e-15 * 1e15, rel=0.05)
    text = info_text(info(path))
    assert f"clamp of plasma: {current:.5g} pA at the end, " in text
    assert re.search(r"^clamp of Na in cell: supplies \S+ fmol/s at the end, \S+ fmol since the start$", text, re.M)
    assert json.loads(json.dumps(info(path), allow_nan=False)) == info(path)
