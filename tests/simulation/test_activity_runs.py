"""Activity models within a run: they follow the composition, and a run out of a model's range has a warning."""

from __future__ import annotations

import numpy as np
import pytest

import iontide
from iontide.analysis.audit.diagnostics import warnings
from iontide.model.model import ACTIVITY_MODEL_NAMES
from iontide.physics.activity import ACTIVITY_MODELS, ionic_strength, log_gamma
from iontide.physics.ions import find_ion

TEXT = """
title = "Two salts through one membrane"
simulation = { duration = "10 h", temperature = "25 degC" }

[compartments.cell]
activity = "MODEL"
volume = "1 pL"
concentrations = { K = "80 mM", Na = "5 mM", Cl = "85 mM" }

[compartments.bath]
bath = true
activity = "MODEL"
concentrations = { K = "4 mM", Na = "LEVEL mM", Cl = "TOTAL mM" }

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "500 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "ghk"
permeability = { K = "1e-8 m/s", Na = "1e-9 m/s", Cl = "5e-9 m/s" }
"""


def text(model: str, level: float = 20.0) -> str:
    return TEXT.replace("MODEL", model).replace("LEVEL", str(level)).replace("TOTAL", str(level + 4.0))


def test_names_are_those_of_the_library() -> None:
    assert tuple(ACTIVITY_MODELS) == ACTIVITY_MODEL_NAMES


@pytest.mark.parametrize("model", ["debye_hueckel", "davies", "truesdell_jones", "pitzer"])
def test_coefficients_follow_the_composition(model: str) -> None:
    trajectory = iontide.run(iontide.loads(text(model)))
    valence = {"K": 1, "Na": 1, "Cl": -1}
    c = {name: trajectory.concentration("cell", name) for name in valence}
    solutes = {name: find_ion(name) for name in valence}
    expected = log_gamma(model, solutes, ionic_strength(c, valence), 298.15, c)  # type: ignore[arg-type]
    for name in valence:
        got = trajectory.activity_coefficient("cell", name)
        np.testing.assert_allclose(got, np.exp(expected[name]), rtol=1e-13)
    assert np.ptp(trajectory.activity_coefficient("cell", "Cl")) > 0.005


@pytest.mark.parametrize("model", ["debye_hueckel", "davies", "truesdell_jones", "pitzer"])
def test_the_end_is_an_equilibrium_of_activities(model: str) -> None:
    trajectory = iontide.run(iontide.loads(text(model), set={"simulation.duration": "200 h"}))
    for name in ("K", "Na", "Cl"):
        efflux, influx = trajectory.unidirectional_fluxes("plasma", name)
        assert efflux[-1] == pytest.approx(influx[-1], rel=1e-6)
        assert trajectory.driving_force("plasma", name)[-1] == pytest.approx(0.0, abs=1e-2)


def test_the_tape_and_the_trajectory_agree() -> None:
    trajectory = iontide.run(iontide.loads(text("davies"), set={"recording.times": "steps"}))
    rate = np.gradient(trajectory.amount("cell", "K"), trajectory.time, edge_order=2)
    flux = -trajectory.flux("plasma", "K") * trajectory.area("plasma")
    middle = slice(len(rate) // 2, -2)
    np.testing.assert_allclose(rate[middle], flux[middle], rtol=0.05, atol=1e-3 * np.abs(flux).max())


def test_out_of_range_is_told() -> None:
    assert not any(
        "range" in message or "holds" in message for message in warnings(iontide.run(iontide.loads(text("davies"))))
    )
    sentences = warnings(iontide.run(iontide.loads(text("debye_hueckel", level=400.0))))
    assert any("bath" in sentence and "debye" in sentence.lower() for sentence in sentences)


def test_a_missing_parameter_is_a_fault_of_the_file() -> None:
    bad = (
        text("truesdell_jones")
        .replace("K = ", "X = ")
        .replace("[compartments.cell]", "[species.X]\nvalence = 1\n\n[compartments.cell]")
    )
    with pytest.raises(iontide.ScenarioError, match="X has no Truesdell"):
        iontide.loads(bad)
