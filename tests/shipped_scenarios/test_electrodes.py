"""The shipped scenarios of electrodes and cells, each against its closed form."""

from __future__ import annotations

import numpy as np
import pytest

import iontide
from iontide import electrode_reading, junction_potential
from iontide.constants import FARADAY, GAS_CONSTANT
from tests.support.paths import SCENARIO_FILES


def per_unit(kelvin: float) -> float:
    return GAS_CONSTANT * kelvin / FARADAY


def test_ion_selective_electrode() -> None:
    trajectory = iontide.run(SCENARIO_FILES["ion_selective_electrode"])
    reading = electrode_reading(trajectory, "K_electrode")
    for moment, k, cl in ((5, 100.0, 240.0), (15, 10.0, 150.0), (25, 1.0, 141.0), (35, 0.1, 140.1), (45, 0.01, 140.01)):
        at = int(np.flatnonzero(reading.time == moment)[0])
        sensed = per_unit(293.15) * np.log((k + 1e-4 * 140.0) / 100.0)
        bridge = junction_potential({"Li": 1e3, "acetate": 1e3}, {"K": k, "Na": 140.0, "Cl": cl}, 293.15)
        assert reading.measured[at] == pytest.approx(sensed + bridge, abs=1e-9)


def test_glass_electrode() -> None:
    reading = electrode_reading(iontide.run(SCENARIO_FILES["ph_glass_electrode"]), "glass")
    slope = per_unit(298.15) * np.log(10.0)
    assert 1e3 * slope == pytest.approx(59.16, abs=0.01)
    read = {moment: reading.measured[np.flatnonzero(reading.time == moment)[0]] for moment in (5, 15, 25, 35)}
    assert read[5] == 0.0
    at_7 = 1e-4 + 3.16e-13 * 100.0
    for moment, hydrogen in ((15, 0.1), (25, 1e-7), (35, 1e-10)):
        sensed = hydrogen + 3.16e-13 * 100.0
        assert read[moment] == pytest.approx(slope * np.log10(sensed / at_7), abs=1e-9)
    assert read[15] == pytest.approx(3 * slope, abs=1e-6)
    assert read[35] > -6 * slope + 6e-3  # the alkaline error


def test_concentration_cells() -> None:
    trajectory = iontide.run(SCENARIO_FILES["concentration_cell"])
    read = {e.name: electrode_reading(trajectory, e.name).measured[0] for e in trajectory.model.electrodes}
    na, cl = (trajectory.model.species[name].diffusion_coefficient for name in ("Na", "Cl"))
    assert na
    assert cl
    whole = per_unit(298.15) * np.log(10.0)
    assert read["with_transference"] == pytest.approx(-2.0 * na / (na + cl) * whole, abs=1e-9)
    assert read["with_bridge"] == pytest.approx(-whole, abs=1e-9)
    assert read["chloride"] - read["sodium"] == pytest.approx(2.0 * whole, abs=1e-9)


def test_oxygen_sensor() -> None:
    """Published for this cell: 63.72 and 208.53 mV, by a rounded constant (tests/reference/nernst.csv, N37 and N38)."""
    trajectory = iontide.run(SCENARIO_FILES["oxygen_sensor"])
    potential = trajectory.membrane_potential("zirconia")
    for at, share in ((0, 0.01), (-1, 1e-5)):
        assert potential[at] == pytest.approx(per_unit(973.15) / 4.0 * np.log(0.209 / share), abs=1e-8)
    assert 1e3 * potential[[0, -1]] == pytest.approx([63.72, 208.53], abs=0.02)
