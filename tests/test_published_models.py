"""Published models of ion homeostasis, built in Python from their printed constants, against their printed outcomes.

Numbers: `reference/homeostasis.csv` of the project's notes (M1, M2, M6, M7); sources are named at each model. Where a
paper rounds RT/F, the temperature is the one that gives its value.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from iontide import run
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.diagnostics import summary
from iontide.model import Compartment, Impermeant, Membrane, Model, Parameter, Pathway, Recording, Simulation, Species
from iontide.trajectory import Trajectory
from models import by_name, ghk, ohmic, with_recording

IONS = by_name([Species("Na", 1), Species("K", 1), Species("Cl", -1)])
PUMPED = {"Na": 3, "K": -2}


def temperature_of(thermal_voltage: float) -> float:
    """K at which RT/F (V) is what a paper says."""
    return thermal_voltage * FARADAY / GAS_CONSTANT


def pump(law: str, rate: float) -> Pathway:
    return Pathway("pathways.pump", law, PUMPED, {"rate": rate}, driven_by="ATP")


def two(cell: Compartment, bath: Compartment, membrane: Membrane, rt_over_f: float, **changes: Any) -> Model:
    given: dict[str, Any] = {"simulation": Simulation(30_000.0, 1e-8), "recording": Recording("linear", 31), **changes}
    return Model(
        title="published",
        species=IONS,
        compartments=by_name([cell, bath]),
        membranes=by_name([membrane]),
        temperature=temperature_of(rt_over_f),
        parameters={"unused": Parameter("unused", 0.0)},
        **given,
    )


def end(trajectory: Trajectory) -> dict[str, float]:
    """Concentrations (mM), V (mV) and volume over its start, at the end; and the run is a sound one."""
    balance = summary(trajectory)
    assert balance.max_charge_drift < 1e-12
    volume = trajectory.volume("cell")
    found = {name: float(trajectory.concentration("cell", name)[-1]) for name in IONS}
    (fixed,) = trajectory.model.compartments["cell"].impermeants
    found["X"] = trajectory.run.initial.impermeant_amounts["cell", fixed.name] / float(volume[-1])
    found["V"] = 1e3 * float(trajectory.membrane_potential("plasma")[-1])
    found["w"] = float(volume[-1])
    return found


# -- M1: Düsterwald et al. 2018, eLife 7:e39575, plm_singlecomp_withkcc2.py ------

RADIUS, LENGTH = 5e-6, 25e-6
M1_VOLUME = math.pi * RADIUS**2 * LENGTH


def duesterwald(
    cl: float | None = None, pump_current: float = 10.0, kcc2: float = 0.2, z: float = -0.85, **changes: Any
) -> Model:
    """``cl`` mM at the start, K making up for it; ``pump_current`` F p in A/m²; KCC2 in S/m²; mean valence of X.

    With another ``z`` the same amount of X, as in the reference.
    """
    x = 154.962
    if cl is None:
        inside = {"Na": 14.002, "K": 122.873, "Cl": 5.163}
        inside["K"] = 5.163 - z * x - 14.002
    else:
        inside = {"Na": 14.002, "K": cl - z * x - 14.002, "Cl": cl}
    pathways = (
        ohmic("Na", 0.2),
        ohmic("K", 0.7),
        ohmic("Cl", 0.2),
        pump("na_k_atpase_power", pump_current / FARADAY),
        Pathway("pathways.KCC2", "linear_force", {"K": 1, "Cl": 1}, {"conductance": kcc2}),
    )
    cell = Compartment("cell", "finite", M1_VOLUME, inside, (Impermeant("X", z, concentration=x),), water="osmotic")
    bath = Compartment(
        "bath", "bath", None, {"Na": 145.0, "K": 3.5, "Cl": 119.0}, (Impermeant("X", -1.0, concentration=29.5),)
    )
    membrane = Membrane(
        "plasma",
        "cell",
        "bath",
        area=1.0,
        specific_capacitance=0.02,
        potential=0.0,
        pathways=pathways,
        geometry="cylinder",
        length=LENGTH,
        water_permeability=1.5e-4,
    )
    return two(cell, bath, membrane, 0.026725, water_molar_volume=1.8e-5, **changes)


def test_duesterwald_neuron_rests_where_the_paper_says() -> None:
    found = end(run(duesterwald()))
    # The paper's printed values, to its digits; our recomputation of its program, to ours.
    assert found["Na"] == pytest.approx(14.002, abs=1e-3)
    assert found["K"] == pytest.approx(122.873, abs=1e-3)
    assert found["Cl"] == pytest.approx(5.163, abs=3e-3)
    assert found["X"] == pytest.approx(154.962, abs=3e-3)
    recomputed = {"Na": 14.00165, "K": 122.8733, "Cl": 5.164828, "X": 154.9602, "V": -72.58811}
    for name, value in recomputed.items():
        assert found[name] == pytest.approx(value, rel=2e-6), name
    e_cl = 26.725 * math.log(found["Cl"] / 119.0)
    assert e_cl == pytest.approx(-83.84305, abs=1e-3)
    assert found["w"] / M1_VOLUME == pytest.approx(1.000012, abs=2e-6)


@pytest.mark.parametrize(
    ("cl", "course", "volumes", "potentials"),
    [
        (
            1.0,
            (1.5885, 3.1018, 4.4427, 5.1365, 5.1648),
            (0.97576, 0.98537, 0.99486, 0.99981, 1.00001),
            (-78.950, -75.256, -73.327, -72.615, -72.588),
        ),
        (
            15.0,
            (13.7407, 12.0923, 9.0087, 5.4009, 5.1649),
            (1.06141, 1.05162, 1.02809, 1.00170, 1.00001),
            (-66.608, -68.029, -69.882, -72.372, -72.588),
        ),
    ],
)
def test_duesterwald_neuron_forgets_where_it_began(
    cl: float, course: tuple[float, ...], volumes: tuple[float, ...], potentials: tuple[float, ...]
) -> None:
    times = (10.0, 60.0, 180.0, 600.0, 1800.0, 30_000.0)
    trajectory = run(with_recording(duesterwald(cl), "list", times=times))
    rows = np.searchsorted(trajectory.time, times[:5])
    np.testing.assert_allclose(trajectory.concentration("cell", "Cl")[rows], course, atol=1e-4)
    np.testing.assert_allclose(trajectory.volume("cell")[rows] / M1_VOLUME, volumes, atol=1.5e-5)
    np.testing.assert_allclose(1e3 * trajectory.membrane_potential("plasma")[rows], potentials, atol=1.5e-3)
    found = end(trajectory)
    assert found["Cl"] == pytest.approx(5.164828, rel=1e-6)
    assert found["V"] == pytest.approx(-72.58811, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"pump_current": 1.0}, {"Na": 28.6537, "K": 108.25, "Cl": 5.52, "X": 154.5762, "V": -72.4195, "w": 1.00248}),
        ({"pump_current": 100.0}, {"Na": 6.7748, "K": 130.0997, "Cl": 5.1586, "X": 154.9669, "V": -71.1256}),
        ({"kcc2": 0.0}, {"Cl": 8.6931, "V": -69.9284, "w": 1.02524}),
        ({"kcc2": 0.1}, {"Cl": 6.0648, "V": -71.7653, "w": 1.00632}),
        ({"kcc2": 0.4}, {"Cl": 4.4476, "V": -73.3553, "w": 0.99502}),
        ({"z": -0.6}, {"Na": 13.8389, "K": 99.1101, "Cl": 6.3109, "X": 177.7401, "V": -67.6202, "w": 0.87184}),
        ({"z": -1.0}, {"Na": 14.0687, "K": 134.4283, "Cl": 4.7497, "X": 143.7533, "V": -74.6652, "w": 1.07796}),
    ],
)
def test_duesterwald_neuron_with_other_pumps_and_anions(changes: dict[str, float], expected: dict[str, float]) -> None:
    found = end(run(duesterwald(**changes, simulation=Simulation(1e6, 1e-8))))  # type: ignore[arg-type]
    found["w"] /= 1.000012 * M1_VOLUME
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=2e-4 if name != "w" else 2e-5), name


# -- M2: Kay 2017, Front Cell Dev Biol 5:41, PLM_CD.m ------


def kay(capacitance: float = 0.01, **changes: Any) -> Model:
    radius = 5e-6
    inside = {"Na": 120.0, "K": 30.0, "Cl": 100.0}
    cell = Compartment(
        "cell",
        "finite",
        4.0 / 3.0 * math.pi * radius**3,
        inside,
        (Impermeant("X", -1.0, concentration=50.0),),
        water="equilibrium",
    )
    bath = Compartment("bath", "bath", None, {"Na": 147.0, "K": 3.0, "Cl": 150.0})
    pathways = (ohmic("Na", 0.1), ohmic("K", 3.0), ohmic("Cl", 2.0), pump("na_k_atpase_constant", 5e-3 / FARADAY))
    membrane = Membrane(
        "plasma",
        "cell",
        "bath",
        4.0 * math.pi * radius**2,
        capacitance,
        potential=0.0,
        pathways=pathways,
    )
    return two(cell, bath, membrane, 0.02569, **changes)


def kay_closed_form() -> dict[str, float]:
    """Keener & Sneyd: each ion in balance with the pump, neutral inside, 300 mM inside."""
    e_na, e_k = -3.0 * 5e-3 / 0.1, 2.0 * 5e-3 / 3.0  # g (V − E) = ∓ pump: V − E, V
    rt_f = 0.02569

    def inside(v: float) -> dict[str, float]:
        # V − E_Na = −3 p / g, E_Na = RT/F ln(Na_o / Na_i)
        na = 147.0 * math.exp((e_na - v) / rt_f)
        k = 3.0 * math.exp((e_k - v) / rt_f)
        cl = 150.0 * math.exp(v / rt_f)
        return {"Na": na, "K": k, "Cl": cl, "X": 300.0 - na - k - cl, "V": 1e3 * v}

    low, high = -0.2, 0.0
    for _ in range(200):
        v = 0.5 * (low + high)
        c = inside(v)
        # Charge: falls with V where there is a root that has a volume.
        if c["X"] < 0.0 or c["Na"] + c["K"] - c["Cl"] - c["X"] > 0.0:
            low = v
        else:
            high = v
    c = inside(v)
    return {**c, "w": 50.0 / c["X"]}


def test_kay_cell_rests_at_its_closed_form() -> None:
    printed = {
        "Na": 16.70614255562738,
        "K": 133.2938574443726,
        "Cl": 3.8437313890113036,
        "X": 146.1562686109887,
        "V": -94.13308434702192,
        "w": 0.3420995929574571,
    }
    # The closed form is neutral inside: the limit of little capacitance.
    model = kay(1e-7, simulation=Simulation(200_000.0, 1e-9))
    found = end(run(model))
    found["w"] /= model.compartments["cell"].volume  # type: ignore[operator]
    exact = kay_closed_form()
    for name, value in printed.items():
        assert exact[name] == pytest.approx(value, rel=1e-9), name
        assert found[name] == pytest.approx(value, rel=2e-7), name


def test_kay_cell_with_its_own_capacitance() -> None:
    model = kay(simulation=Simulation(200_000.0, 1e-9))
    trajectory = run(model)
    found = end(trajectory)
    # The charge on the membrane shifts the neutral closed form by tens of µM.
    assert found["V"] == pytest.approx(-94.13162, abs=2e-3)
    assert found["Na"] == pytest.approx(16.70519, abs=2e-3)
    assert found["K"] == pytest.approx(133.2863, abs=2e-2)
    np.testing.assert_allclose(trajectory.osmolarity("cell"), 300.0, rtol=1e-13)


def test_kay_volume_is_proportional_to_the_impermeant() -> None:
    model = kay(1e-7, simulation=Simulation(200_000.0, 1e-9))
    cell = model.compartments["cell"]
    volumes = []
    for x in (50.0, 25.0):
        inside = {**cell.concentrations, "Cl": 150.0 - x}
        other = replace(cell, concentrations=inside, impermeants=(Impermeant("X", -1.0, concentration=x),))
        volumes.append(end(run(replace(model, compartments={**model.compartments, "cell": other})))["w"])
    assert volumes[0] / volumes[1] == pytest.approx(2.0, rel=1e-6)


def test_kay_rest_does_not_depend_on_the_chloride_conductance_nor_on_a_common_factor() -> None:
    model = kay(1e-7, simulation=Simulation(200_000.0, 1e-9))
    base = end(run(model))
    plasma = model.membranes["plasma"]
    na, k, cl, pumped = plasma.pathways
    less = replace(plasma, pathways=(na, k, replace(cl, arguments={"": 0.5}), pumped))
    doubled = replace(
        plasma, pathways=(ohmic("Na", 0.2), ohmic("K", 6.0), cl, pump("na_k_atpase_constant", 1e-2 / FARADAY))
    )
    for membrane in (less, doubled):
        found = end(run(replace(model, membranes={"plasma": membrane})))
        for name, value in base.items():
            assert found[name] == pytest.approx(value, rel=1e-6), name


# -- M6: Vereninov et al. 2014, Cell Physiol Biochem 34:1812 (U937) ------


def test_vereninov_u937_rests_where_the_table_says() -> None:
    # Their rates are per cell water, 1/min; the rest does not depend on how the area goes with the volume.
    area, volume = 1e-9, 1e-15
    per_area = volume / area / 60.0
    osmolytes = Impermeant("B", (116.0 - 140.0 - 5.8) / 48.2, concentration=48.2)
    bath = Compartment("bath", "bath", None, {"Na": 140.0, "K": 5.8, "Cl": 116.0}, (osmolytes,))
    inside = {"Na": 40.0, "K": 145.0, "Cl": 45.0}
    cell = Compartment(
        "cell", "finite", volume, inside, (Impermeant("A", -1.75, concentration=80.0),), water="equilibrium"
    )
    pathways = (
        ghk("Na", 0.00382 * per_area),
        ghk("K", 0.022 * per_area),
        ghk("Cl", 0.0091 * per_area),
        pump("na_k_atpase_linear", 0.039 * per_area),
        Pathway("pathways.NC", "mass_action", {"Na": 1, "Cl": 1}, {"rate": 3e-5 * per_area}),
    )
    # The model is neutral inside: a capacitance so small that the membrane holds no charge to speak of.
    membrane = Membrane("plasma", "cell", "bath", area, 1e-8, potential=0.0, pathways=pathways)
    found = end(run(two(cell, bath, membrane, 0.0267, simulation=Simulation(1e6, 1e-8))))
    printed = {"Na": 38.0, "K": 147.0, "Cl": 45.0, "X": 80.0, "V": -44.7}
    recomputed = {"Na": 37.97964, "K": 147.0116, "Cl": 45.03215, "X": 79.97662, "V": -44.66623}
    for name, value in recomputed.items():
        assert found[name] == pytest.approx(printed[name], abs=0.05), name
        assert found[name] == pytest.approx(value, rel=2e-6), name
    assert 1e3 / found["X"] == pytest.approx(12.50365, rel=2e-6)


# -- M7: Gabbiani & Cox, Mathematics for Neuroscientists, NaKrest.m ------


@pytest.mark.parametrize(
    ("rate", "v", "na", "k", "cl", "w"),
    [
        (1e-6, -52.65095, 118.05019, 35.94981, 15.59199, 1.119877e-8),
        (1e-5, -86.07462, 19.94111, 134.05889, 4.26852, 1.035186e-8),
        (1e-4, -89.27985, 2.07100, 151.92900, 3.76984, 1.03175e-8),
    ],
)
def test_gabbiani_cox_cell_rests_on_the_curve(rate: float, v: float, na: float, k: float, cl: float, w: float) -> None:
    # cm/s and mL in the reference; X = 1.55e-6 mmol; 68 mM of the bath's 308 are something neutral.
    volume = 1e-14
    bath = Compartment(
        "bath", "bath", None, {"Na": 116.0, "K": 4.0, "Cl": 120.0}, (Impermeant("S", 0.0, concentration=68.0),)
    )
    inside = {"Na": 20.0, "K": 140.0, "Cl": 5.0}
    cell = Compartment("cell", "finite", volume, inside, (Impermeant("X", -1.0, amount=1.55e-12),), water="equilibrium")
    pathways = (
        ghk("Na", 5e-7 * 1e-2),
        ghk("K", 5e-5 * 1e-2),
        ghk("Cl", 1e-5 * 1e-2),
        pump("na_k_atpase_linear", rate * 1e-2),
    )
    membrane = Membrane("plasma", "cell", "bath", 2e-9, 1e-8, potential=0.0, pathways=pathways)
    found = end(run(two(cell, bath, membrane, 0.0258, simulation=Simulation(1e6, 1e-8))))
    expected = {"V": v, "Na": na, "K": k, "Cl": cl, "w": w * 1e-6}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=3e-6), name
