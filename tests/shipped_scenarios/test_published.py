"""The published models in scenarios/published, run as files, against printed outcomes and independent integrations.

Numbers: `reference/homeostasis.csv` of the project's notes (M1, M2, M4, M6, M7); each file names its source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

import iontide
from iontide.analysis.audit.diagnostics import summary
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.simulation.trajectory import Trajectory
from tests.support.paths import SCENARIO_FILES, SCENARIOS

FOLDER = SCENARIOS / "published"


def run(name: str, **settings: Any) -> Trajectory:
    """Run a file, with parameters (by their names) and other places (by dotted paths) set."""
    dotted = {key if "." in key or key == "protocol" else f"parameters.{key}": value for key, value in settings.items()}
    trajectory = iontide.run(SCENARIO_FILES[name], set=dotted)
    assert trajectory.status == "done"
    return trajectory


def end(trajectory: Trajectory, compartment: str = "cell") -> dict[str, float]:
    """Concentrations (mM), V (mV) and volume (m³) at the end; and the run is a sound one."""
    assert summary(trajectory).max_charge_drift < 1e-12
    c = trajectory.model.compartments[compartment]
    volume = float(trajectory.volume(compartment)[-1])
    found = {name: float(trajectory.concentration(compartment, name)[-1]) for name in c.concentrations}
    for fixed in c.impermeants:
        found[fixed.name] = trajectory.run.initial.impermeant_amounts[compartment, fixed.name] / volume
    return {**found, "V": 1e3 * float(trajectory.membrane_potential("plasma")[-1]), "w": volume}


def assert_close(found: Mapping[str, float], expected: Mapping[str, float], **tolerance: float) -> None:
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, **tolerance), name


# -- Düsterwald et al. 2018 -------------------------------------------------------------------------------------------

NEURON = math.pi * 5e-6**2 * 25e-6  # m³
RESTING_NEURON = {"Na": 14.00165, "K": 122.8733, "Cl": 5.164828, "X": 154.9602, "V": -72.58811}


def test_duesterwald_neuron_rests_where_the_paper_says() -> None:
    found = end(run("duesterwald_2018"))
    # The values printed in the paper's program, to its digits; our recomputation of it, to ours.
    assert_close(found, {"Na": 14.002, "K": 122.873}, abs=1e-3)
    assert_close(found, {"Cl": 5.163, "X": 154.962}, abs=3e-3)
    assert_close(found, RESTING_NEURON, rel=2e-6)
    assert 26.725 * math.log(found["Cl"] / 119.0) == pytest.approx(-83.84305, abs=1e-3)
    assert found["w"] / NEURON == pytest.approx(1.000012, abs=2e-6)


@pytest.mark.parametrize(
    ("cl", "course", "volumes", "potentials"),
    [
        (
            "1 mM",
            (1.5885, 3.1018, 4.4427, 5.1365, 5.1648),
            (0.97576, 0.98537, 0.99486, 0.99981, 1.00001),
            (-78.950, -75.256, -73.327, -72.615, -72.588),
        ),
        (
            "15 mM",
            (13.7407, 12.0923, 9.0087, 5.4009, 5.1649),
            (1.06141, 1.05162, 1.02809, 1.00170, 1.00001),
            (-66.608, -68.029, -69.882, -72.372, -72.588),
        ),
    ],
)
def test_duesterwald_neuron_forgets_where_it_began(
    cl: str, course: tuple[float, ...], volumes: tuple[float, ...], potentials: tuple[float, ...]
) -> None:
    trajectory = run("duesterwald_2018", initial_Cl=cl)
    rows = np.searchsorted(trajectory.time, np.array([10.0, 60.0, 180.0, 600.0, 1800.0]) - 1e-6)
    np.testing.assert_allclose(trajectory.concentration("cell", "Cl")[rows], course, atol=1e-4)
    np.testing.assert_allclose(trajectory.volume("cell")[rows] / NEURON, volumes, atol=1.5e-5)
    np.testing.assert_allclose(1e3 * trajectory.membrane_potential("plasma")[rows], potentials, atol=1.5e-3)
    assert_close(end(trajectory), RESTING_NEURON, rel=3e-6)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"pump_rate": "1e-2 C/dm^2/s / (96485.33212 C/mol)"},
            {"Na": 28.6537, "K": 108.25, "Cl": 5.52, "X": 154.5762, "V": -72.4195, "w": 1.00248},
        ),
        (
            {"pump_rate": "1 C/dm^2/s / (96485.33212 C/mol)"},
            {"Na": 6.7748, "K": 130.0997, "Cl": 5.1586, "X": 154.9669, "V": -71.1256, "w": 0.99996},
        ),
        ({"g_KCC2": "0 S/dm^2"}, {"Cl": 8.6931, "V": -69.9284, "w": 1.02524}),
        ({"g_KCC2": "0.001 S/dm^2"}, {"Cl": 6.0648, "V": -71.7653, "w": 1.00632}),
        ({"g_KCC2": "0.004 S/dm^2"}, {"Cl": 4.4476, "V": -73.3553, "w": 0.99502}),
        (
            {"impermeant_valence": -0.6},
            {"Na": 13.8389, "K": 99.1101, "Cl": 6.3109, "X": 177.7401, "V": -67.6202, "w": 0.87184},
        ),
        (
            {"impermeant_valence": -1},
            {"Na": 14.0687, "K": 134.4283, "Cl": 4.7497, "X": 143.7533, "V": -74.6652, "w": 1.07796},
        ),
    ],
)
def test_duesterwald_neuron_with_other_pumps_and_anions(settings: dict[str, Any], expected: dict[str, float]) -> None:
    found = end(run("duesterwald_2018", **settings, **{"simulation.duration": "1e6 s"}))
    found["w"] /= 1.000012 * NEURON
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=2e-4 if name != "w" else 2e-5), name


# -- Kay 2017 ---------------------------------------------------------------------------------------------------------

#: Until it rests, with the pump left on.
RESTING = {"simulation.duration": "200000 s", "simulation.rtol": 1e-9, "protocol": []}
NEUTRAL = {**RESTING, "capacitance": "1e-5 uF/cm^2"}


def kay_by_root(capacitance: float) -> dict[str, float]:
    """Keener & Sneyd: each ion in balance with the pump, 300 mM inside, and the charge that of the membrane."""
    rt_f, pump, radius = 0.02569, 5e-3, 5e-6  # V, A/m², m
    volume, area = 4.0 / 3.0 * math.pi * radius**3, 4.0 * math.pi * radius**2

    def inside(v: float) -> dict[str, float]:
        na, k = 147.0 * math.exp((-3.0 * pump / 0.1 - v) / rt_f), 3.0 * math.exp((2.0 * pump / 3.0 - v) / rt_f)
        cl = 150.0 * math.exp(v / rt_f)
        return {"Na": na, "K": k, "Cl": cl, "X": 300.0 - na - k - cl, "V": 1e3 * v}

    def excess(v: float) -> float:
        c = inside(v)
        held = capacitance * area * v / (FARADAY * volume) * c["X"] / 50.0
        return c["Na"] + c["K"] - c["Cl"] - c["X"] - held

    # Below −96.3 mV K alone would come to more than 300 mM.
    c = inside(scipy.optimize.brentq(excess, -0.0963, -0.08, xtol=1e-16, rtol=1e-14))
    return {**c, "w": volume * 50.0 / c["X"]}


def test_kay_cell_rests_at_its_closed_form() -> None:
    printed = {
        "Na": 16.70614255562738,
        "K": 133.2938574443726,
        "Cl": 3.8437313890113036,
        "X": 146.1562686109887,
        "V": -94.13308434702192,
    }
    closed_form = kay_by_root(0.0)
    assert_close(closed_form, printed, rel=1e-9)
    found = end(run("kay_2017", **NEUTRAL))
    assert_close(found, closed_form, rel=2e-7)
    assert found["w"] / (4.0 / 3.0 * math.pi * 5e-6**3) == pytest.approx(0.3420995929574571, rel=2e-7)


def test_kay_cell_with_its_own_capacitance() -> None:
    trajectory = run("kay_2017", **RESTING)
    found = end(trajectory)
    # The charge on the membrane shifts the neutral closed form by tens of µM.
    assert_close(found, kay_by_root(0.01), rel=2e-7)
    assert_close(found, {"V": -94.13162, "Na": 16.70519, "K": 133.2863, "Cl": 3.843951}, rel=2e-5)
    np.testing.assert_allclose(trajectory.osmolarity("cell"), 300.0, rtol=1e-13)


def test_kay_cell_as_it_stands_shrinks_to_rest_and_swells_without_its_pump() -> None:
    trajectory = run("kay_2017")
    off = np.searchsorted(trajectory.time, 5000.0) - 1
    volume = trajectory.volume("cell") / trajectory.volume("cell")[0]
    assert volume[off] == pytest.approx(0.34208, abs=1e-5)
    assert 1e3 * trajectory.membrane_potential("plasma")[off] == pytest.approx(-94.13, abs=2e-3)
    assert np.all(np.diff(volume[off + 5 :]) > 0.0)
    assert volume[-1] > 0.75


def test_kay_volume_is_proportional_to_the_impermeant() -> None:
    volumes = [end(run("kay_2017", **NEUTRAL, X=x))["w"] for x in ("50 mM", "25 mM")]
    assert volumes[0] / volumes[1] == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"membranes.plasma.conductance.Cl": "0.05 mS/cm^2"},
        {
            "membranes.plasma.conductance.Na": "0.02 mS/cm^2",
            "membranes.plasma.conductance.K": "0.6 mS/cm^2",
            "pump_rate": "1e-4 C/dm^2/s / (96485.33212 C/mol)",
        },
    ],
    ids=["chloride conductance", "common factor"],
)
def test_kay_rest_does_not_depend_on(settings: dict[str, str]) -> None:
    assert_close(end(run("kay_2017", **NEUTRAL, **settings)), kay_by_root(0.0), rel=1e-6)


# -- Vereninov et al. 2014 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [{}, {"Na": "38 mM", "K": "147 mM"}], ids=["loaded", "balanced"])
def test_vereninov_u937_rests_where_the_table_says(start: dict[str, str]) -> None:
    settings = {f"compartments.cell.concentrations.{ion}": value for ion, value in start.items()}
    found = end(run("vereninov_2014_u937", **settings))
    assert_close(found, {"Na": 38.0, "K": 147.0, "Cl": 45.0, "A": 80.0, "V": -44.7}, abs=0.05)
    recomputed = {"Na": 37.97964, "K": 147.0116, "Cl": 45.03215, "A": 79.97662, "V": -44.66623}
    assert_close(found, recomputed, rel=2e-6)
    assert 1e3 / found["A"] == pytest.approx(12.50365, rel=2e-6)  # mL of water per mmol


def test_vereninov_rates_are_per_cell_water() -> None:
    """Whatever the area and however the cell swells, dn/dt is cell water times what the paper writes."""
    trajectory = run("vereninov_2014_u937")
    c = {ion: trajectory.concentration("cell", ion) for ion in ("Na", "K", "Cl")}
    amount, volume = trajectory.amount("cell", "Na"), trajectory.volume("cell")
    u = trajectory.membrane_potential("plasma") / 0.0267
    i = slice(1, None)  # at the start V is 0
    e = np.exp(-u[i])
    leak = 0.00382 * u[i] * (c["Na"][i] - 140.0 * e) / (1.0 - e)
    efflux = leak + 0.039 * c["Na"][i] - 3e-5 * (140.0 * 116.0 - c["Na"][i] * c["Cl"][i])
    rate = np.gradient(amount, trajectory.time / 60.0)
    np.testing.assert_allclose(rate[100:-1], -(volume[i] * efflux)[99:-1], rtol=2e-3, atol=1e-20)
    wide = end(run("vereninov_2014_u937", **{"membranes.plasma.area": "3000 um^2"}))
    assert_close(wide, end(trajectory), rel=1e-6)


# -- Gabbiani & Cox 2010 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "v", "na", "k", "cl", "w"),
    [
        ("1e-6 cm/s", -52.65095, 118.05019, 35.94981, 15.59199, 1.119877e-8),
        ("1e-5 cm/s", -86.07462, 19.94111, 134.05889, 4.26852, 1.035186e-8),
        ("1e-4 cm/s", -89.27985, 2.07100, 151.92900, 3.76984, 1.03175e-8),
    ],
)
def test_gabbiani_cox_cell_rests_on_the_curve(rate: str, v: float, na: float, k: float, cl: float, w: float) -> None:
    found = end(run("gabbiani_cox_2010", **{"lambda": rate}))
    assert_close(found, {"V": v, "Na": na, "K": k, "Cl": cl, "w": w * 1e-6}, rel=1.5e-6)  # mL


# -- Hübel & Dahlem 2014 ----------------------------------------------------------------------------------------------

AT_REST = {"pump_in_pause": 1.0, "buffering": "0 /ms", "simulation.duration": "2000 s", "simulation.rtol": 1e-9}


def test_huebel_dahlem_neuron_rests_where_the_program_does() -> None:
    trajectory = run("huebel_dahlem_2014", **AT_REST)
    cell, space = end(trajectory), end(trajectory, "space")
    n = float(trajectory.gate("plasma", "pathways.K_gated", "n")[-1])
    found = {"V": cell["V"], "n": n} | {f"{x}_i": cell[x] for x in ("Na", "K", "Cl")}
    found |= {f"{x}_e": space[x] for x in ("Na", "K", "Cl")}
    published = {"V": -67.193253, "n": 0.069410823, "K_i": 129.25764, "Cl_i": 9.900239, "Na_i": 25.231485, "K_e": 4.0}
    assert_close(found, published, rel=1.1e-3)
    recomputed = {
        "V": -67.19388,
        "n": 0.06940731,
        "K_i": 129.2563,
        "Cl_i": 9.896561,
        "Na_i": 25.2291,
        "K_e": 4.003884,
        "Na_e": 125.3127,
        "Cl_e": 123.2826,
    }
    assert_close(found, recomputed, rel=1.2e-6)


def program_of_huebel_and_dahlem(s: int, times: NDArray) -> NDArray:
    """V (mV) and K_e (mM) by the equations of the program: ms, mM, µA/cm²; Na from neutrality, m and h at once."""

    def parts(y: NDArray) -> tuple[float, ...]:
        k, cl, dk = y[2:]
        na = 25.231485 + 129.25764 - k - 9.900239 + cl
        ratio = 2.16 / 0.72
        na_e, cl_e = 125.30555 + ratio * (25.231485 - na), 123.2716 + ratio * (9.900239 - cl)
        return k, cl, dk, na, na_e, cl_e, 4.0 + ratio * (129.25764 - k) + dk

    def rates(pump: float) -> Any:
        def of(_: float, y: NDArray) -> list[float]:
            v, n = y[:2]
            k, cl, dk, na, na_e, cl_e, k_e = parts(y)
            alpha, beta = (v + 30.0) / 10.0 / -math.expm1(-0.1 * (v + 30.0)), 4.0 * math.exp(-(v + 55.0) / 18.0)
            m, h = alpha / (alpha + beta), 1.0 - 1.0 / (1.0 + math.exp(-6.5 * (n - 0.35)))
            i_pump = pump * 6.8 / (1.0 + math.exp((25.0 - na) / 3.0)) / (1.0 + math.exp(5.5 - k_e))
            i_na = (0.0175 + 100.0 * m**3 * h) * (v - 26.64 * math.log(na_e / na)) + 3.0 * i_pump
            i_k = (0.05 + 40.0 * n**4) * (v - 26.64 * math.log(k_e / k)) - 2.0 * i_pump
            i_cl = 0.02 * (v + 26.64 * math.log(cl_e / cl))
            open_n, close_n = (v + 34.0) / 100.0 / -math.expm1(-0.1 * (v + 34.0)), 0.125 * math.exp(-(v + 44.0) / 80.0)
            taken = 5e-8 / (1.0 + math.exp((15.0 - k_e) / 1.09)) * k_e * (500.0 + dk) + 5e-8 * dk
            return [
                -(i_na + i_k + i_cl),
                3.0 * (open_n * (1.0 - n) - close_n * n),
                -9.55589e-5 / 2.16 * i_k,
                9.55589e-5 / 2.16 * i_cl,
                3e-5 * (4.0 - k_e) if s else -taken,
            ]

        return of

    y, found = np.array([-67.193253, 0.069410823, 129.25764, 9.900239, 0.0]), []
    for start, stop, pump in ((0.0, 2e4, 1.0), (2e4, 2.95e4, 0.0), (2.95e4, times[-1], 1.0)):
        within = times[(times > start) & (times <= stop)]
        result = scipy.integrate.solve_ivp(
            rates(pump), (start, stop), y, "LSODA", t_eval=np.union1d(within, stop), rtol=1e-8, atol=1e-9
        )
        assert result.success
        y = result.y[:, -1]
        found += [(z[0], parts(z)[-1]) for t, z in zip(result.t, result.y.T, strict=True) if t in within]
    return np.array(found)


#: Buffer or vessel, which of the program's two that is, and when the depolarised state ends, s.
REGULATIONS = [
    ({}, 0, 109.0),
    ({"buffering": "0 /ms", "exchange_rate": "3e-5 /ms"}, 1, 98.0),
]


@pytest.mark.parametrize(("settings", "s", "over"), REGULATIONS, ids=["glia", "vessel"])
def test_a_pause_of_the_pump_sets_off_a_spreading_depolarisation(settings: dict[str, str], s: int, over: float) -> None:
    trajectory = run("huebel_dahlem_2014", **settings)
    balance = summary(trajectory)
    assert balance.max_charge_drift < 1e-12
    assert balance.max_mass_drift < 1e-11
    t, v, k = trajectory.time, 1e3 * trajectory.membrane_potential("plasma"), trajectory.concentration("space", "K")
    plateau = (t > 31.0) & (t < 80.0)
    assert np.all(v[plateau] > -30.0)
    assert np.all(k[(t > 31.0) & (t < 55.0)] > 40.0)
    assert 65.0 < np.max(k) < 72.0
    # It recovers: hyperpolarised by a pump that is full of Na, then near rest with less K outside than before.
    assert t[np.flatnonzero(v > -40.0)[-1]] == pytest.approx(over, abs=0.5)
    assert np.min(v) < -110.0
    assert -77.0 < v[-1] < -74.0
    assert 2.8 < k[-1] < 3.2


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "s", "over"), REGULATIONS, ids=["glia", "vessel"])
def test_spreading_depolarisation_by_the_program(settings: dict[str, str], s: int, over: float) -> None:
    """By the equations of the program: before, in the pause, on the plateau, and after."""
    seconds = np.array([10.0, 19.0, 22.0, 40.0, 60.0, 80.0, 150.0, 200.0])
    expected = program_of_huebel_and_dahlem(s, 1e3 * seconds)
    trajectory = run("huebel_dahlem_2014", **settings, **{"simulation.rtol": 1e-9})
    rows = np.searchsorted(trajectory.time, seconds - 1e-6)
    v, k = 1e3 * trajectory.membrane_potential("plasma")[rows], trajectory.concentration("space", "K")[rows]
    np.testing.assert_allclose(v, expected[:, 0], atol=0.02)
    np.testing.assert_allclose(k, expected[:, 1], rtol=5e-4)


def test_without_glia_and_vessel_there_is_no_recovery_and_a_short_pause_is_weathered() -> None:
    left = run("huebel_dahlem_2014", buffering="0 /ms")
    assert 1e3 * left.membrane_potential("plasma")[-1] > -20.0
    assert left.concentration("space", "K")[-1] > 50.0
    short = run("huebel_dahlem_2014", **{"protocol.0.to": "28.5 s"})
    assert np.max(short.membrane_potential("plasma")) > 0.03  # it fires
    assert np.max(short.concentration("space", "K")) < 20.0
    late = short.time > 35.0
    assert np.all(short.membrane_potential("plasma")[late] < -0.06)


# -- Hodgkin-Huxley spikes with ions that move ------------------------------------------------------------------------


def spiking_by_hand(_: float, y: NDArray) -> list[float]:
    """The same by hand: mV, ms, mM, µA/cm²."""
    v, m, h, n, na, k, cl, na_o, k_o, cl_o = (float(x) for x in y)
    rt_f = 1e3 * GAS_CONSTANT * 279.45 / FARADAY
    pump = 12.0 * (na / (na + 10.0)) ** 3 * (k_o / (k_o + 1.5)) ** 2
    i_na = (120.0 * m**3 * h + 0.0175) * (v - rt_f * math.log(na_o / na)) + 3.0 * pump
    i_k = (36.0 * n**4 + 0.15) * (v - rt_f * math.log(k_o / k)) - 2.0 * pump
    i_cl = 0.15 * (v - rt_f * math.log(cl / cl_o))
    x, z = 0.1 * (v + 40.0), 0.1 * (v + 55.0)
    m_rate = (x / -math.expm1(-x)) * (1.0 - m) - 4.0 * math.exp(-(v + 65.0) / 18.0) * m
    h_rate = 0.07 * math.exp(-(v + 65.0) / 20.0) * (1.0 - h) - h / (1.0 + math.exp(-(v + 35.0) / 10.0))
    n_rate = 0.1 * (z / -math.expm1(-z)) * (1.0 - n) - 0.125 * math.exp(-(v + 65.0) / 80.0) * n
    per = 3000.0 / FARADAY * 1e-3  # µA/cm² to mM/ms
    return [
        *(15.0 - i_na - i_k - i_cl, m_rate, h_rate, n_rate),
        *(-per * i_na, -per * i_k, per * i_cl),
        2.0 * per * i_na - 2e-3 * (na_o - 140.0),
        2.0 * per * i_k - 2e-3 * (k_o - 4.0),
        -2.0 * per * i_cl - 2e-3 * (cl_o - 144.0),
    ]


def spike_times(time: NDArray, v: NDArray) -> NDArray:
    """Upward crossings of 0 mV, by straight lines between samples (alike for both)."""
    up = np.flatnonzero((v[:-1] < 0.0) & (v[1:] >= 0.0))
    return time[up] - v[up] * (time[up + 1] - time[up]) / (v[up + 1] - v[up])


def spikes_compared(trajectory: Trajectory) -> tuple[NDArray, NDArray, NDArray]:
    """Spike times (ms) of the run and of the integration by hand, and the states of the latter."""
    times = np.linspace(0.0, 1e3 * trajectory.time[-1], len(trajectory))
    y = [-65.0, 0.0529, 0.596, 0.318, 18.0, 120.0, 12.0, 140.0, 4.0, 144.0]
    result = scipy.integrate.solve_ivp(
        spiking_by_hand, (0.0, times[-1]), y, "LSODA", t_eval=times, rtol=1e-9, atol=1e-9
    )
    assert result.success
    mine = spike_times(times, 1e3 * trajectory.membrane_potential("plasma"))
    return mine, spike_times(times, result.y[0]), result.y


def test_hodgkin_huxley_cell_fires_when_it_should() -> None:
    half_second = {"simulation.duration": "0.5 s", "recording.times.points": 5001}
    trajectory = run("hodgkin_huxley_ion_dynamics", **half_second)
    mine, expected, theirs = spikes_compared(trajectory)
    assert len(mine) == len(expected) > 30
    assert np.max(np.abs(mine - expected)) < 1e-3
    for row, (place, ion) in zip(
        theirs[4:], [(c, s) for c in ("cell", "space") for s in ("Na", "K", "Cl")], strict=True
    ):
        np.testing.assert_allclose(trajectory.concentration(place, ion), row, rtol=1e-5)


def test_hodgkin_huxley_cell_has_719_spikes_in_ten_seconds() -> None:
    trajectory = run("hodgkin_huxley_ion_dynamics")
    assert len(spike_times(trajectory.time, trajectory.membrane_potential("plasma"))) == 719


@pytest.mark.slow
def test_hodgkin_huxley_cell_keeps_time_for_ten_seconds() -> None:
    mine, expected, _ = spikes_compared(run("hodgkin_huxley_ion_dynamics"))
    assert len(mine) == len(expected) == 719
    assert np.max(np.abs(mine - expected)) < 0.02
