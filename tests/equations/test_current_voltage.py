"""Currents as functions of V at the samples of a run: zero-current potentials, votes, and Ussing ratios."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iontide
from iontide import storage
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.equations.evaluation import Evaluation
from iontide.errors import UnknownNameError
from iontide.formulas.formula import parse_formula
from iontide.model.model import Gate, Pathway
from iontide.reports.info import info
from iontide.reports.info_text import info_text
from iontide.simulation.simulate import simulate
from iontide.simulation.state_rates import state_rates
from tests.support.models import (
    CAPACITANCE,
    P_K,
    ghk,
    ohmic,
    p1,
    pump_leak,
    single_ion,
    with_recording,
    with_simulation,
)
from tests.support.paths import SCENARIO_FILES


def permeabilities(trajectory, membrane="plasma"):
    """Permeability by ion at every sample, m/s."""
    m = trajectory.model.membranes[membrane]
    n = len(trajectory)
    return {p.label: np.broadcast_to(trajectory.evaluation.arguments(m, p)[""], n) for p in m.pathways}


def solutions(trajectory, *compartments):
    return [{x: trajectory.activity(c, x) for x in ("K", "Na", "Cl")} for c in compartments]


@pytest.fixture(scope="module")
def towards_nernst():
    return iontide.run(SCENARIO_FILES["ghk_to_nernst"])


@pytest.fixture(scope="module")
def pumping():
    return iontide.run(SCENARIO_FILES["pump_leak_cell"])


def test_passive_monovalent_ions_have_the_closed_form(towards_nernst):
    for trajectory in (towards_nernst, simulate(with_recording(p1(), points=200))):
        found = trajectory.zero_current_potential("plasma")
        sides = solutions(trajectory, "cell", "bath")
        exact = iontide.ghk_potential(permeabilities(trajectory), *sides, trajectory.temperature)
        np.testing.assert_allclose(found, exact, rtol=1e-14, atol=1e-16)


def test_it_becomes_the_nernst_potential_of_the_ion_that_outvotes_the_others(towards_nernst):
    steps = np.flatnonzero(np.diff(towards_nernst.segment))
    last = [*steps, len(towards_nernst) - 1]
    distance = (towards_nernst.zero_current_potential("plasma") - towards_nernst.reversal_potential("plasma", "K"))[
        last
    ]
    np.testing.assert_allclose(distance[3:] / distance[2:-1], 0.1, rtol=0.02)
    assert distance[-1] < 6e-6
    vote = towards_nernst.fractional_slope_conductance("plasma", "K")[last]
    np.testing.assert_allclose((1.0 - vote[3:]) / (1.0 - vote[2:-1]), 0.1, rtol=0.02)
    assert 1.0 - vote[-1] < 1.1e-4


def test_with_a_pump_it_is_v_but_for_the_current_of_the_capacitance(pumping):
    """C dV/dt = −I, and I is g (V − V0) to first order: so V − V0 = −C (dV/dt) / g, with an error of second order."""
    v, v0 = pumping.membrane_potential("plasma"), pumping.zero_current_potential("plasma")
    rate = state_rates(pumping, pumping.run.layout.potential_index["cell"])
    lag = CAPACITANCE * rate / pumping.slope_conductance("plasma")
    assert np.abs(v0 - v).max() > 3e-3  # at the moment at which ouabain stops the pump
    np.testing.assert_allclose(v0 - v, lag, atol=2e-4)
    quiet = np.abs(lag) < 1e-6
    assert quiet.sum() > 800
    np.testing.assert_allclose((v0 - v)[quiet], lag[quiet], rtol=1e-4, atol=1e-14)
    assert abs(v0[-1] - v[-1]) < 1e-12
    # Without the pump's current it lies elsewhere: all pathways count.
    passive = iontide.ghk_potential(
        {"K": P_K, "Na": 0.04 * P_K, "Cl": 0.45 * P_K}, *solutions(pumping, "cell", "bath"), 310.15
    )
    assert passive[-1] - v0[-1] > 2e-3


def test_ohmic_pathways_are_a_weighted_mean():
    pathways = (ohmic("K", 3.0), ohmic("Na", 0.5), ohmic("Cl", 1.0))
    model = p1()
    plasma = replace(model.membranes["plasma"], pathways=pathways)
    trajectory = simulate(with_simulation(replace(model, membranes={"plasma": plasma}), duration=10.0))
    g = {"K": 3.0, "Na": 0.5, "Cl": 1.0}
    mean = sum(g[x] * trajectory.reversal_potential("plasma", x) for x in g) / 4.5
    np.testing.assert_allclose(trajectory.zero_current_potential("plasma"), mean, rtol=1e-13)
    np.testing.assert_allclose(trajectory.slope_conductance("plasma"), 4.5, rtol=1e-14)
    np.testing.assert_allclose(trajectory.fractional_slope_conductance("plasma", "Na"), 0.5 / 4.5, rtol=1e-14)
    with pytest.raises(ValueError, match="no electrodiffusive pathway"):
        trajectory.ussing_ratio("plasma", "K")


def at_potential(trajectory, membrane, shift):
    """The same samples with the inside of a membrane lifted by ``shift``, V."""
    at = trajectory.evaluation
    potentials = {c: at.potential(c) for c in trajectory.model.compartments}
    potentials[membrane.inside] = potentials[membrane.inside] + shift
    return Evaluation(at.model, at.layout, at.given, at.state, at.within, potentials=potentials)


@pytest.mark.parametrize(
    "name", ["pump_leak_swelling", "two_membranes_in_series", "activities", "hodgkin_huxley", "kay_2017"]
)
def test_slopes_and_roots_against_currents_recomputed(name):
    """Central differences of the current by the laws themselves; and no current at the potentials that are found."""
    trajectory = iontide.run(SCENARIO_FILES[name])
    for m in trajectory.model.membranes.values():
        g, h = trajectory.slope_conductance(m.name), 1e-5
        above, below = (at_potential(trajectory, m, d).current_density(m) for d in (h, -h))
        np.testing.assert_allclose(g, (above - below) / (2 * h), rtol=1e-6)
        parts = [trajectory.slope_conductance(m.name, x) for x in trajectory.ions(m.name)]
        np.testing.assert_allclose(sum(parts), g, rtol=1e-12)
        v0 = trajectory.zero_current_potential(m.name)
        there = at_potential(trajectory, m, v0 - trajectory.membrane_potential(m.name))
        left = np.abs(there.current_density(m))
        scale = g * R * trajectory.temperature / F  # of the one-way fluxes, whose difference this is
        assert np.all(left <= 1e-13 * scale)


def test_gates_that_follow_at_once_are_held():
    """A channel whose opening depends on V has the conductance of its gates as they are, not that of their curve."""
    gate = Gate("m", steady=parse_formula("1 / (1 + exp(-V / 5 mV))"))
    channel = Pathway("pathways.leak", "ohmic", {"K": 1}, {"": parse_formula("10 S/m^2 * m")}, gates=(gate,))
    model = p1()
    plasma = replace(model.membranes["plasma"], pathways=(*model.membranes["plasma"].pathways, channel))
    trajectory = simulate(with_simulation(replace(model, membranes={"plasma": plasma}), duration=1.0))
    m = trajectory.gate("plasma", "leak", "m")
    passive = simulate(with_simulation(model, duration=1.0))
    assert 0.0 < m[-1] < m[0]
    own = trajectory.slope_conductance("plasma", "K")[0] - passive.slope_conductance("plasma", "K")[0]
    assert own == pytest.approx(10.0 * m[0], rel=1e-12)


def test_no_current_no_potential():
    """Where nothing carries a current, or one that does not depend on V, no potential is singled out: NaN."""
    model = single_ion(0)
    trajectory = simulate(model)
    assert np.isnan(trajectory.zero_current_potential("plasma")).all()
    assert np.all(trajectory.slope_conductance("plasma") == 0.0)
    assert np.isnan(trajectory.fractional_slope_conductance("plasma", "X")).all()
    rate = Pathway("pathways.source", "formula", {"X": 1}, {"rate": 1e-9}, driven_by="light")
    model = single_ion(1)
    plasma = replace(model.membranes["plasma"], pathways=(rate,), potential=0.0)
    trajectory = simulate(with_simulation(replace(model, membranes={"plasma": plasma}), duration=1.0))
    assert np.isnan(trajectory.zero_current_potential("plasma")).all()
    # No permeability and no current: at rest anywhere.
    plasma = replace(plasma, pathways=(ghk("X", 0.0),))
    trajectory = simulate(with_simulation(replace(model, membranes={"plasma": plasma}), duration=1.0))
    assert np.isnan(trajectory.zero_current_potential("plasma")).all()
    with pytest.raises(UnknownNameError, match="no ion that crosses plasma Y"):
        trajectory.slope_conductance("plasma", "Y")


@settings(max_examples=15)
@given(valence=st.sampled_from([-2, -1, 1, 2, 3]), inside=st.floats(1.0, 200.0), outside=st.floats(1.0, 200.0))
def test_ussings_theorem_and_detailed_balance(valence, inside, outside):
    """The ratio is the one expected all the way, and 1 where a single ion has come to its equilibrium."""
    trajectory = simulate(with_recording(single_ion(valence, inside, outside), "log", first=1e-4, points=40))
    measured, expected = trajectory.ussing_ratio("plasma", "X")
    np.testing.assert_allclose(measured, expected, rtol=1e-13)
    v, e = trajectory.membrane_potential("plasma"), trajectory.reversal_potential("plasma", "X")
    np.testing.assert_allclose(expected, np.exp(valence * F * (v - e) / (R * 310.15)), rtol=1e-12)
    assert trajectory.unidirectional_fluxes("plasma", "X")[0][-1] > 0.0
    assert measured[-1] == pytest.approx(1.0, abs=1e-7 + 1e3 * trajectory.model.simulation.rtol)


def test_detailed_balance_at_a_donnan_equilibrium_to_rounding():
    """At V = E exactly both one-way fluxes are equal to the last digits, for every ion at once."""
    trajectory = iontide.run(SCENARIO_FILES["donnan_equilibrium"], set={"simulation.rtol": 1e-12})
    for ion in ("K", "Na", "Cl"):
        measured, expected = trajectory.ussing_ratio("plasma", ion)
        np.testing.assert_allclose(measured, expected, rtol=1e-13)
        assert measured[-1] == pytest.approx(1.0, abs=1e-11)


def test_detailed_balance_of_solutions_in_equilibrium():
    """Donnan ratios by construction, r^z for every ion: at the potential found from the currents each ratio is 1."""
    r = 7.3
    outside = {"K": 4.0, "Na": 146.0, "Cl": 150.0, "Ca": 2.0}
    inside = {"K": 4.0 * r, "Na": 146.0 * r, "Cl": 150.0 / r, "Ca": 2.0 * r * r}
    pathways = tuple(ghk(ion, p) for ion, p in {"K": 4e-8, "Na": 2e-9, "Cl": 2e-8, "Ca": 1e-9}.items())
    model = p1()
    model = replace(
        model,
        species=model.species | {"Ca": iontide.Species("Ca", 2)},
        compartments={
            "cell": iontide.Compartment("cell", "floating bath", None, inside),
            "bath": iontide.Compartment("bath", "bath", None, outside),
        },
        membranes={"plasma": replace(model.membranes["plasma"], pathways=pathways, potential="ghk")},
    )
    trajectory = simulate(with_simulation(model, duration=1.0))
    assert trajectory.zero_current_potential("plasma")[0] == pytest.approx(-R * 310.15 / F * np.log(r), rel=1e-14)
    for ion in inside:
        efflux, influx = trajectory.unidirectional_fluxes("plasma", ion)
        measured, expected = trajectory.ussing_ratio("plasma", ion)
        assert np.all(efflux > 0.0)
        np.testing.assert_allclose(efflux, influx, rtol=1e-14)
        np.testing.assert_allclose(measured, 1.0, rtol=1e-14)
        np.testing.assert_allclose(expected, 1.0, rtol=1e-14)


def test_without_a_concentration_there_is_no_ratio():
    trajectory = simulate(with_simulation(single_ion(1, inside=0.0), duration=1e-3))
    measured, expected = trajectory.ussing_ratio("plasma", "X")
    assert np.isnan(measured[0])
    assert np.isnan(expected[0])


def test_columns_and_report(tmp_path):
    model = with_recording(
        pump_leak(),
        points=20,
        quantities=("zero_current_potentials", "slope_conductances", "ussing_ratios", "unidirectional_fluxes"),
    )
    trajectory = simulate(model)
    path = storage.save(trajectory, tmp_path / "x.h5")
    with h5py.File(path) as file:
        series = file["timeseries"]
        np.testing.assert_array_equal(
            series["plasma.zero_current_potential"][:], 1e3 * trajectory.zero_current_potential("plasma")
        )
        assert series["plasma.zero_current_potential"].attrs["units"] == "mV"
        g = 0.1 * trajectory.slope_conductance("plasma")
        np.testing.assert_array_equal(series["plasma.slope_conductance"][:], g)
        shares = [series[f"plasma.fractional_slope_conductance.{x}"][:] for x in ("K", "Na", "Cl")]
        np.testing.assert_allclose(sum(shares), 1.0, rtol=1e-14)
        for ion in ("K", "Na", "Cl"):
            ratio = series[f"plasma.efflux.{ion}"][:] / series[f"plasma.influx.{ion}"][:]
            np.testing.assert_allclose(series[f"plasma.ussing_ratio.{ion}"][:], ratio, rtol=1e-14)
            np.testing.assert_allclose(series[f"plasma.ussing_ratio_quotient.{ion}"][:], 1.0, rtol=1e-12)
            assert series[f"plasma.ussing_ratio_expected.{ion}"].attrs["quantity"] == "ussing_ratio_expected"
    values = info(path)["quantities"]
    shares = {x: values[f"plasma.fractional_slope_conductance.{x}"] for x in ("K", "Na", "Cl")}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["K"] == trajectory.fractional_slope_conductance("plasma", "K")[-1]
    assert values["plasma.zero_current_potential"] == pytest.approx(values["plasma.V"], abs=1e-6)
    assert "share of g, %" in info_text(info(path))
    assert "no net current at" in info_text(info(path))


@pytest.mark.parametrize(("start", "end"), [(-0.09, -0.07), (-0.05, -0.07), (-0.03, 0.02), (0.05, 0.02)])
def test_of_several_the_one_that_the_current_leads_to(start, end):
    """A law with two stable potentials, -70 and 20 mV, and an unstable one at -40 mV between them."""
    law = parse_formula("1e-6 mol/m^2/s * (V + 70 mV) * (V + 40 mV) * (V - 20 mV) / 1000 mV / 10 mV / 10 mV")
    model = single_ion(1)
    pathway = Pathway("pathways.own", "formula", {"X": 1}, {"rate": law}, driven_by="light")
    plasma = replace(model.membranes["plasma"], pathways=(pathway,), potential=start)
    trajectory = simulate(with_simulation(replace(model, membranes={"plasma": plasma}), duration=1e-6))
    assert trajectory.zero_current_potential("plasma")[0] == pytest.approx(end, abs=1e-15)


def test_a_recording_in_blocks_is_the_same(pumping):
    rows = slice(100, 117)
    np.testing.assert_array_equal(
        pumping.part(rows).zero_current_potential("plasma"), pumping.zero_current_potential("plasma")[rows]
    )


def test_parameters_by_time_and_temperature_that_moves():
    """A permeability that follows time and temperature is taken as it is at each sample."""
    model = p1()
    law = parse_formula("4e-8 m/s * (1 + 0.5 * tanh(t / 10 s)) * q10(3, 37 degC)")
    plasma = replace(model.membranes["plasma"], pathways=(ghk("K", law), *model.membranes["plasma"].pathways[1:]))
    model = replace(model, membranes={"plasma": plasma})
    trajectory = simulate(with_simulation(model, duration=100.0))
    exact = iontide.ghk_potential(
        permeabilities(trajectory), *solutions(trajectory, "cell", "bath"), trajectory.temperature
    )
    np.testing.assert_allclose(trajectory.zero_current_potential("plasma"), exact, rtol=1e-13)
