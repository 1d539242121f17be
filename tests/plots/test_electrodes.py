"""The figure of what electrodes record."""

from __future__ import annotations

import pytest

import iontide
from iontide.plots import plot, run_figure
from tests.support.electrode_cell import CELL

PIPETTE = """
[electrodes.patch]
on = "plasma"
filling = { K = "150 mM", Cl = "150 mM" }
reference = { bridge = { K = "3 M", Cl = "3 M" } }
zeroed_at = "0 s"
[electrodes.K_sensor]
in = "bath"
senses = "K"
reference = { in = "bath" }
"""


def test_the_numbers_drawn_are_those_of_the_reading(tmp_path) -> None:
    trajectory = iontide.run(iontide.loads(CELL + PIPETTE))
    figure = run_figure(trajectory, "electrodes")
    reading = iontide.electrode_reading(trajectory, "patch")
    data = figure.data
    assert data["patch.V_recorded (mV)"] == pytest.approx(1e3 * reading.measured)
    assert data["patch.V_true (mV)"] == pytest.approx(1e3 * trajectory.membrane_potential("plasma"))
    assert data["patch.V_recorded - patch.V_true (mV)"] == pytest.approx(1e3 * reading.error)
    assert data["patch.LJP_bridge (mV)"] == pytest.approx(1e3 * reading.bridge_junction)
    assert "patch.LJP_tip (mV)" not in data
    assert "K_sensor.V_recorded (mV)" in data
    for name in ("electrodes.pdf", "electrodes.png"):
        plot(trajectory, tmp_path / name, "electrodes")
        assert (tmp_path / name).stat().st_size > 5000


def test_there_must_be_an_electrode() -> None:
    trajectory = iontide.run(iontide.loads(CELL))
    with pytest.raises(iontide.UsageError, match="no electrode"):
        run_figure(trajectory, "electrodes")
    with pytest.raises(iontide.UsageError, match="leave out the membrane"):
        plot(trajectory, kind="electrodes", membrane="plasma")
