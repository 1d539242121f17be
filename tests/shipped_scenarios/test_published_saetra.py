"""The electrodiffusive Pinsky-Rinzel model, as its scenario file, against its equations integrated by hand.

Sætra, Einevoll & Halnes 2020, PLoS Comput Biol 16:e1007661, and their program CINPLA/EDPRmodel. The twin below is that
program's equations, written anew: concentrations and gates by LSODA, potentials from the charges. It can take the
paper's flux between the layers (mean concentration in the drift) or that of the constant field, which is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

import iontide
from iontide.analysis.audit.diagnostics import mass_balance, summary
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.model.model import Recording
from iontide.simulation.trajectory import Trajectory
from tests.support.paths import SCENARIO_FILES

FILE = SCENARIO_FILES["saetra_2020"]

#: What the authors' program takes for F and R, C/mol and J/mol/K; T, K.
THEIR_F, THEIR_R, T = 9.648e4, 8.314, 309.14

#: Rest after 3600 s, mM, from a run of the authors' program (M10 of homeostasis.csv, printed to four decimals).
REST = {
    "soma": {"Na": 17.8317, "K": 99.0247, "Cl": 6.8564},
    "outside_soma": {"Na": 140.3291, "K": 4.2581, "Cl": 134.2872},
}
PLACES = ("soma", "outside_soma", "dendrite", "outside_dendrite")

# -- the twin: mM (mol/m³), V, s, m ---------------------------------------------------------------------------------

IONS = ("Na", "K", "Cl", "Ca")
VALENCE = (1, 1, -1, 2)
D = (1.33e-9, 1.96e-9, 2.03e-9, 0.71e-9)
INSIDE, OUTSIDE = (18.0, 99.0, 7.0, 0.01), (140.0, 4.3, 134.0, 1.1)
GATES = (0.0003, 0.999, 0.007, 0.006, 0.011, 1.0)
AREA, C_M, LENGTH = 616e-12, 3e-2, 667e-6
VOLUMES = (1437e-18, 718.5e-18) * 2
FREE = 0.01


def linexp(x: float) -> float:
    """x / (1 − exp(−x))."""
    return 1.0 if x == 0.0 else -x / math.expm1(-x)


class Twin:
    """The published equations; state: four concentrations in each of ``PLACES``, then n h s c q z."""

    def __init__(self, flux: str, f: float = FARADAY, r: float = GAS_CONSTANT) -> None:
        self.flux, self.f, self.rt_f = flux, f, r * T / f
        self.stimulus = 0.0
        held = -68e-3 * C_M * AREA / f
        mobile = [sum(z * c for z, c in zip(VALENCE, side, strict=True)) for side in (INSIDE, OUTSIDE)]
        #: Anions that stay, mM.
        self.fixed = [mobile[0] - held / VOLUMES[0], mobile[1] + held / VOLUMES[1]] * 2

    def charge(self, place: int, c: Sequence[float] | NDArray) -> float | NDArray:
        """C, of the concentrations in one compartment."""
        ions = sum(z * own for z, own in zip(VALENCE, c, strict=True))
        return self.f * VOLUMES[place] * (ions - self.fixed[place])

    def somatic(self, y: NDArray) -> NDArray:
        """Somatic membrane potential, V."""
        return np.asarray(self.charge(0, y[:4])) / (C_M * AREA)

    def between(self, a: Sequence[float], b: Sequence[float], v: float, tortuosity: float, inside: bool) -> list[float]:
        """mol/m²/s of each ion from the soma's layer to the dendrite's, at ``v`` volts between them."""
        fluxes = []
        for k, z in enumerate(VALENCE):
            free = FREE if inside and IONS[k] == "Ca" else 1.0
            p, x = D[k] / tortuosity**2 / LENGTH, z * v / self.rt_f
            if self.flux == "mean":
                fluxes.append(p * free * (a[k] - b[k] + 0.5 * x * (a[k] + b[k])))
            else:
                fluxes.append(p * free * (linexp(x) * a[k] - linexp(-x) * b[k]))
        return fluxes

    def layers(self, c: list[list[float]], v_s: float, v_d: float) -> tuple[list[float], list[float]]:
        """mol/s of each ion along the inside and the outside, at the potential where the two currents cancel."""

        def along(outside: float) -> tuple[list[float], list[float], float]:
            i = [2.0 * AREA * j for j in self.between(c[0], c[2], v_s + outside - v_d, 3.2, True)]
            e = [AREA * j for j in self.between(c[1], c[3], outside, 1.6, False)]
            return i, e, sum(z * (a + b) for z, a, b in zip(VALENCE, i, e, strict=True))

        outside, probe = 0.0, 1e-6
        for _ in range(20):
            slope = (along(outside + probe)[2] - along(outside - probe)[2]) / (2.0 * probe)
            step = along(outside)[2] / slope
            outside -= step
            if abs(step) < 1e-14:
                break
        return along(outside)[:2]

    def membrane(self, i: Sequence[float], e: Sequence[float], v: float) -> tuple[list[float], float, float]:
        """Leaks, pump and cotransport: mol/m²/s outward; and E_Na and E_K, V."""
        e_na, e_k, e_cl = (self.rt_f / z * math.log(o / n) for z, n, o in zip(VALENCE[:3], i, e, strict=False))
        pump = 1.87e-6 / (1.0 + math.exp((25.0 - i[0]) / 3.0)) / (1.0 + math.exp(3.5 - e[1]))
        k_cl = math.log(i[1] * i[2] / (e[1] * e[2]))
        kcc2 = 7.00e-7 * k_cl
        nkcc1 = 2.33e-7 / (1.0 + math.exp(16.0 - e[1])) * (k_cl + math.log(i[0] * i[2] / (e[0] * e[2])))
        exchange = 75.0 * (i[3] - 0.01) * VOLUMES[0] / AREA
        na = 0.247 * (v - e_na) / self.f + 3.0 * pump + nkcc1 - 2.0 * exchange
        k = 0.5 * (v - e_k) / self.f - 2.0 * pump + kcc2 + nkcc1
        cl = -1.0 * (v - e_cl) / self.f + kcc2 + 2.0 * nkcc1
        return [na, k, cl, exchange], e_na, e_k

    def rates(self, _: float, y: NDArray) -> list[float]:
        """d/dt of the state."""
        x = [float(value) for value in y]
        c = [x[4 * p : 4 * p + 4] for p in range(4)]
        n, h, s, gate_c, q, z = x[16:]
        v_s, v_d = (float(self.charge(p, c[p])) / (C_M * AREA) for p in (0, 2))
        along_i, along_e = self.layers(c, v_s, v_d)
        soma, e_na, e_k_s = self.membrane(c[0], c[1], v_s)
        dendrite, _, e_k_d = self.membrane(c[2], c[3], v_d)

        u, w = 1e3 * v_s, 1e3 * v_d
        alpha_m, beta_m = 1.28 * linexp((u + 46.9) / 4.0), 1.4 * linexp(-(u + 19.9) / 5.0)
        soma[0] += 300.0 * (alpha_m / (alpha_m + beta_m)) ** 2 * h * (v_s - e_na) / self.f
        soma[1] += 150.0 * n * (v_s - e_k_s) / self.f
        free = FREE * c[2][3]
        e_ca = 0.5 * self.rt_f * math.log(c[3][3] / free)
        chi = min((free - 99.8e-6) / 2.5e-4, 1.0)
        dendrite[1] += (8.0 * q + 150.0 * gate_c * chi) * (v_d - e_k_d) / self.f
        dendrite[3] += 118.0 * s * s * z * (v_d - e_ca) / (2.0 * self.f)

        closing = 2.0 * math.exp(-(w + 53.5) / 27.0)
        alpha_c = 0.0527 * math.exp((w + 50.0) / 11.0 - (w + 53.5) / 27.0) if w <= -10.0 else closing
        gates = [
            1e3 * (0.08 * linexp((u + 24.9) / 5.0) * (1.0 - n) - 0.25 * math.exp(-(u + 40.0) / 40.0) * n),
            1e3 * (0.128 * math.exp((-43.0 - u) / 18.0) * (1.0 - h) - 4.0 / (1.0 + math.exp(-(u + 20.0) / 5.0)) * h),
            1e3 * (1.6 / (1.0 + math.exp(-0.072 * (w - 5.0))) * (1.0 - s) - 0.1 * linexp(-(w + 8.9) / 5.0) * s),
            1e3 * (alpha_c * (1.0 - gate_c) - (closing - alpha_c) * gate_c),
            min(2e4 * (free - 99.8e-6), 10.0) * (1.0 - q) - q,
            1.0 / (1.0 + math.exp(w + 30.0)) - z,
        ]
        electrode = [0.0, self.stimulus / self.f, 0.0, 0.0]
        leaving = [
            [AREA * j + a - b for j, a, b in zip(soma, along_i, electrode, strict=True)],
            [-AREA * j + a + b for j, a, b in zip(soma, along_e, electrode, strict=True)],
            [AREA * j - a for j, a in zip(dendrite, along_i, strict=True)],
            [-AREA * j - a for j, a in zip(dendrite, along_e, strict=True)],
        ]
        return [-amount / VOLUMES[p] for p in range(4) for amount in leaving[p]] + gates

    def run(self, times: NDArray, stimulus: float = 0.0) -> NDArray:
        """States at ``times``; ``stimulus`` (A) from 10 s to the last of them."""
        y, parts = np.array([*INSIDE, *OUTSIDE, *INSIDE, *OUTSIDE, *GATES]), []
        last = float(times[-1])
        edges = [0.0, last] if stimulus == 0.0 else [0.0, 10.0, last]
        for k, (start, end) in enumerate(pairwise(edges)):
            self.stimulus = stimulus if k == 1 else 0.0
            own = times[(times >= start) & ((times < end) | (end == last))]
            at = own if end == last else np.append(own, end)
            found = scipy.integrate.solve_ivp(self.rates, (start, end), y, "LSODA", t_eval=at, rtol=1e-9, atol=1e-10)
            assert found.success
            y = found.y[:, -1]
            parts.append(found.y[:, : len(own)])
        return np.hstack(parts)


# -- the file -------------------------------------------------------------------------------------------------------

#: Everything electrical in the file, by which their molar fluxes come out where F is theirs.
ELECTRICAL = {
    "parameters.leak_Na": 0.247,
    "parameters.leak_K": 0.5,
    "parameters.leak_Cl": 1.0,
    "parameters.g_Na": 300.0,
    "parameters.g_DR": 150.0,
    "parameters.g_Ca": 118.0,
    "parameters.g_AHP": 8.0,
    "parameters.g_C": 150.0,
}


def with_their_constants() -> dict[str, str]:
    """Settings by which the file computes with the authors' F and R."""
    more = FARADAY / THEIR_F
    settings = {path: f"{value * more!r} S/m^2" for path, value in ELECTRICAL.items()}
    settings |= {f"membranes.{m}.specific_capacitance": f"{C_M * more!r} F/m^2" for m in ("somatic", "dendritic")}
    return settings | {"simulation.temperature": f"{T * THEIR_R / THEIR_F * FARADAY / GAS_CONSTANT!r} K"}


@cache
def at_rest(theirs: bool = False) -> Trajectory:
    """The file without stimulus for an hour."""
    settings = with_their_constants() if theirs else {}
    quiet = {"parameters.stimulus": "0 pA", "simulation.duration": "3600 s"}
    return iontide.run(FILE, set=settings | quiet)


TIMES = np.linspace(0.0, 20.0, 200_001)


@cache
def fired(stimulus: str) -> Trajectory:
    """The file, seen every 0.1 ms until the stimulus ends (its last sample is of the time after it)."""
    model = iontide.load(FILE, set={"parameters.stimulus": stimulus}).model
    return iontide.run(replace(model, recording=Recording("linear", 300_001)))


def spike_times(time: NDArray, v: NDArray) -> NDArray:
    """Upward crossings of 0 mV, by straight lines between samples (alike for both)."""
    up = np.flatnonzero((v[:-1] < 0.0) & (v[1:] >= 0.0))
    return time[up] - v[up] * (time[up + 1] - time[up]) / (v[up + 1] - v[up])


@cache
def their_spikes(stimulus: float, flux: str) -> NDArray:
    twin = Twin(flux)
    return spike_times(TIMES, twin.somatic(twin.run(TIMES, stimulus)))


def charges(trajectory: Trajectory) -> dict[str, NDArray]:
    """C, of all that is in each compartment."""
    run, found = trajectory.run, {}
    for place, volume in zip(PLACES, VOLUMES, strict=True):
        ions = sum(z * trajectory.concentration(place, ion) for z, ion in zip(VALENCE, IONS, strict=True))
        fixed = run.initial.impermeant_amounts[place, "X"] - run.initial.residual_charge[place]
        found[place] = FARADAY * (volume * ions - fixed)
    return found


# -- rest -----------------------------------------------------------------------------------------------------------


def test_with_their_constants_it_rests_where_their_program_does() -> None:
    # All four decimals: the flux between the layers makes no difference at rest, where nearly nothing flows.
    for place, ions in REST.items():
        for ion, expected in ions.items():
            assert at_rest(True).concentration(place, ion)[-1] == pytest.approx(expected, abs=5.1e-5), (place, ion)


def test_with_the_constants_of_the_si_it_rests_a_little_off() -> None:
    for place, ions in REST.items():
        for ion, expected in ions.items():
            assert at_rest().concentration(place, ion)[-1] == pytest.approx(expected, abs=4e-4), (place, ion)
    assert abs(at_rest().concentration("outside_soma", "Na")[-1] - REST["outside_soma"]["Na"]) > 1e-4
    assert 1e3 * at_rest().membrane_potential("somatic")[-1] == pytest.approx(-67.6731, abs=1e-4)


@pytest.mark.parametrize("theirs", [False, True])
def test_every_concentration_at_rest_is_that_of_the_twin(theirs: bool) -> None:
    trajectory = at_rest(theirs)
    twin = Twin("mean", THEIR_F, THEIR_R) if theirs else Twin("ghk")
    y = twin.run(np.array([0.0, 3600.0]))[:, -1]
    for p, place in enumerate(PLACES):
        for k, ion in enumerate(IONS):
            assert trajectory.concentration(place, ion)[-1] == pytest.approx(y[4 * p + k], rel=2e-6), (place, ion)


# -- charge ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trajectory", [at_rest, lambda: fired("48 pA")], ids=["rest", "48 pA"])
def test_outside_of_each_membrane_is_the_charge_that_is_missing_inside(trajectory) -> None:
    q = charges(trajectory())
    # Their own tests ask for 1e-18 C; what each compartment holds of either sign is 1e-8 C.
    assert np.max(np.abs(q["soma"] + q["outside_soma"])) < 1e-21
    assert np.max(np.abs(q["dendrite"] + q["outside_dendrite"])) < 1e-21
    np.testing.assert_allclose(
        q["soma"], C_M * AREA * trajectory().membrane_potential("somatic"), rtol=1e-6, atol=1e-21
    )
    assert summary(trajectory()).max_charge_drift < 1e-13
    assert summary(trajectory()).max_mass_drift < 1e-13


def test_the_electrode_moves_potassium_and_makes_none() -> None:
    trajectory = fired("27 pA")
    (potassium,) = (balance for balance in mass_balance(trajectory) if balance.what == "K")
    assert set(potassium.compartments) == set(PLACES)
    present = sum(v * trajectory.concentration(p, "K")[0] for p, v in zip(PLACES, VOLUMES, strict=True))
    assert np.max(np.abs(potassium.received)) < 1e-13 * present


def test_an_electrode_that_takes_nothing_from_outside_would_be_seen() -> None:
    model = iontide.load(FILE).model
    alone = replace(model, injections=(replace(model.injections[0], out_of=None),), recording=Recording("linear", 31))
    q = charges(iontide.run(alone))
    total = sum(q.values())
    # Ten seconds of 27 pA, all of it against the last compartment, which is the ground.
    assert total[-1] == pytest.approx(27e-12 * 10.0, rel=1e-9)
    assert np.abs(q["soma"] + q["outside_soma"])[-1] < 1e-21


# -- spikes ---------------------------------------------------------------------------------------------------------


def test_it_fires_when_their_equations_do() -> None:
    mine = spike_times(fired("27 pA").time, fired("27 pA").membrane_potential("somatic"))
    theirs = their_spikes(27e-12, "mean")
    assert len(mine) == len(theirs) == 9
    # Their flux between the layers and ours put the first spike at one time, and the ninth 0.11 ms apart.
    assert mine[0] == pytest.approx(theirs[0], abs=1e-6)
    assert np.max(np.abs(mine - theirs)) < 2e-4
    # "About 1 Hz", says the caption of Fig. 6.
    assert np.mean(np.diff(mine)) == pytest.approx(1.1021, abs=1e-4)
    assert np.mean(np.diff(mine)) == pytest.approx(np.mean(np.diff(theirs)), rel=2e-5)


@pytest.mark.parametrize(
    ("coupling", "stimulus", "count", "window"),
    [(0.43, "31 pA", 18, (17.56, 17.60)), (2.0, "27 pA", 10, (10.01, 10.05))],
    ids=["weak", "strong"],
)
def test_from_rest_a_spike_is_where_figure_5_shows_one(
    coupling: float, stimulus: str, count: int, window: tuple[float, float]
) -> None:
    # Panels C and D show 40 ms each; at weak coupling that tells the fifteenth spike, of one every 0.7 s.
    rest = 1790.0
    model = iontide.load(FILE, set={"parameters.coupling": coupling, "parameters.stimulus": stimulus}).model
    later = tuple(replace(step, start=step.start + rest, end=(step.end or 0.0) + rest) for step in model.protocol)
    longer = replace(model.simulation, duration=rest + 30.0)
    trajectory = iontide.run(replace(model, protocol=later, simulation=longer))
    spikes = spike_times(trajectory.time, trajectory.membrane_potential("somatic")) - rest
    assert len(spikes) == count
    assert np.sum((spikes > window[0]) & (spikes < window[1])) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("stimulus", "count", "late"), [(27e-12, 9, 5e-6), (36e-12, 16, 3e-5), (48e-12, 25, 1e-4)])
def test_by_the_constant_field_the_twin_fires_when_it_does(stimulus: float, count: int, late: float) -> None:
    trajectory = fired(f"{1e12 * stimulus:g} pA")
    mine = spike_times(trajectory.time, trajectory.membrane_potential("somatic"))
    theirs = their_spikes(stimulus, "ghk")
    assert len(mine) == len(theirs) == count
    assert np.max(np.abs(mine - theirs)) < late


@pytest.mark.slow
def test_how_much_the_flux_between_the_layers_matters() -> None:
    for stimulus, least, most in ((27e-12, 5e-5, 2e-4), (48e-12, 1e-3, 1e-2)):
        off = np.abs(their_spikes(stimulus, "ghk") - their_spikes(stimulus, "mean"))
        # It grows from spike to spike.
        assert off[0] < 1e-7
        assert least < off.max() < most


def test_strong_stimulation_ends_in_depolarisation_block() -> None:
    trajectory = fired("48 pA")
    time = trajectory.time
    v = trajectory.membrane_potential("somatic")
    spikes = spike_times(time, v)
    assert len(spikes) == 25
    assert spikes[-1] < 16.0
    before = np.searchsorted(time, 19.9)
    assert trajectory.concentration("outside_soma", "K")[before] > 15.0
    assert -0.05 < v[before] < 0.0
