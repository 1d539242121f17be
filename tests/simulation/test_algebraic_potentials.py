"""Potentials without capacitance: roots of the net current at every moment, and the limit of ever less capacitance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

import iontide
from iontide import run
from iontide.analysis.audit.diagnostics import summary
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.equations import assembly as drawn
from iontide.errors import ScenarioError, SolverError
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Compartment,
    Exchange,
    Gate,
    Impermeant,
    Injection,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Recording,
    Simulation,
)
from iontide.scenario.read import loads
from iontide.simulation.simulate import simulate
from iontide.simulation.state_rates import state_rates
from iontide.simulation.trajectory import Trajectory
from tests.kernel.test_method import order_against_fine_steps
from tests.support.models import (
    AREA,
    CAPACITANCE,
    CL,
    NA,
    P_K,
    TEMPERATURE,
    VOLUME,
    K,
    by_name,
    ghk,
    na_k_pump,
    p1,
    pump_leak,
    with_simulation,
)
from tests.symbolic.test_tape import system_of

THERMAL = GAS_CONSTANT * TEMPERATURE / FARADAY
IONS = by_name([K, NA, CL])
BALANCED = (Impermeant("A", -1.0),)
BATH = {"K": 4.0, "Na": 146.0, "Cl": 150.0}
#: Permeabilities of the cell membrane of P1, m/s.
CELL = {"K": P_K, "Na": 0.04 * P_K, "Cl": 0.45 * P_K}
#: Diffusion coefficients, m²/s.
D = {"K": 1.96e-9, "Na": 1.33e-9, "Cl": 2.03e-9}


def through(permeabilities: dict[str, Any]) -> tuple[Pathway, ...]:
    return tuple(ghk(ion, p) for ion, p in permeabilities.items())


def steps_of(trajectory: Trajectory) -> NDArray:
    """The last sample before each protocol step; the next sample is at the same time."""
    return np.flatnonzero(np.diff(trajectory.time) == 0.0)


def away_from_steps(trajectory: Trajectory) -> NDArray:
    """Samples that are not on a protocol step (where it jumps, the limit of a capacitance is not uniform)."""
    at = steps_of(trajectory)
    keep = np.ones(len(trajectory), dtype=bool)
    keep[[*at, *(at + 1)]] = False
    return keep


def assert_in_proportion(differences: list[float], factor: float, floor: float = 0.0) -> None:
    """Each is ``factor`` times smaller than the one before (up to ``floor``, where rounding begins)."""
    for larger, smaller in pairwise(differences):
        assert smaller < floor or smaller == pytest.approx(larger / factor, rel=0.05)
    assert differences[0] > 1e3 * floor


# -- a pump-leak cell -----------------------------------------------------------------------------------------------

#: After the step of the pump, not on it.
LATER = Recording("list", times=(0.0, *(float(s + t) for s in (0, 10_000, 20_000) for t in np.geomspace(5, 9990, 40))))


def cell(capacitance: float = 0.0, tolerance: float = 1e-10, recording: Recording = LATER) -> Model:
    """The pump-leak cell of ``models``, ouabain from 10 000 to 20 000 s."""
    model = pump_leak()
    plasma = replace(
        model.membranes["plasma"],
        specific_capacitance=capacitance,
        potential="ghk" if capacitance else None,
    )
    return replace(model, membranes={"plasma": plasma}, simulation=Simulation(36_000.0, tolerance), recording=recording)


def bernoulli(x: float) -> float:
    return x / math.expm1(x) if abs(x) > 1e-9 else 1.0 - 0.5 * x


def zero_current_potential(inside: dict[str, float], outside: dict[str, float], pumped: float) -> float:
    """V at which the GHK currents of ``CELL`` and ``pumped`` (mol/m²/s of charge, outward) cancel; by bracketing."""

    def current(v: float) -> float:
        x = v / THERMAL
        fluxes = {
            ion: p * (bernoulli(-IONS[ion].valence * x) * inside[ion] - bernoulli(IONS[ion].valence * x) * outside[ion])
            for ion, p in CELL.items()
        }
        return pumped + sum(IONS[ion].valence * j for ion, j in fluxes.items())

    return scipy.optimize.brentq(current, -0.5, 0.5, xtol=1e-15, rtol=1e-14)


def off_the_voltage_equation(trajectory: Trajectory) -> float:
    """Largest distance (V) of the recorded potential from the GHK voltage equation, pump current included."""
    distances = []
    for i, v in enumerate(trajectory.membrane_potential("plasma")):
        inside = {ion: float(trajectory.concentration("cell", ion)[i]) for ion in CELL}
        rate = trajectory.run.values[trajectory.segment[i]]["parameters.pump_rate"]
        cycles = rate * (inside["Na"] / (inside["Na"] + 10.0)) ** 3 * (BATH["K"] / (BATH["K"] + 1.5)) ** 2
        distances.append(abs(v - zero_current_potential(inside, BATH, cycles)))
    return max(distances)


def test_the_potential_obeys_the_voltage_equation_at_every_step() -> None:
    trajectory = run(cell(recording=Recording("steps")))
    assert trajectory.run.layout.floats == {"cell": ("cell",)}
    assert off_the_voltage_equation(trajectory) < 1e-12
    assert summary(trajectory).max_charge_drift < 1e-14


@pytest.mark.parametrize(("tolerance", "far"), [(1e-5, 1e-6), (1e-7, 2e-8), (1e-9, 5e-10)])
def test_between_the_steps_it_does_to_the_tolerance(tolerance: float, far: float) -> None:
    assert off_the_voltage_equation(run(cell(tolerance=tolerance, recording=Recording("linear", 361)))) < far


def test_a_pump_whose_current_is_turned_round_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = drawn._Equations._add_pathway

    def turned(self: Any, membrane: Membrane, pathway: Pathway) -> None:
        draw(self, membrane, pathway)
        if pathway.label == "pump":
            current = (
                self.evaluation.area(membrane)
                * FARADAY
                * self.evaluation.charge_of(pathway)
                * self.evaluation.cycles(membrane, pathway)
            )
            self.rows.carry(membrane.inside, membrane.outside, -2.0 * current)

    monkeypatch.setattr(drawn._Equations, "_add_pathway", turned)
    monkeypatch.setattr(drawn, "_programs", {})
    trajectory = run(cell(recording=Recording("steps")))
    assert off_the_voltage_equation(trajectory) > 1e-3
    assert summary(trajectory).max_charge_drift > 1e-4


def test_it_is_the_limit_of_small_capacitances() -> None:
    limit = run(cell())
    keep = away_from_steps(limit)
    off_v, off_k = [], []
    for capacitance in (1e-2, 1e-4, 1e-6):
        trajectory = run(cell(capacitance))
        np.testing.assert_array_equal(trajectory.time, limit.time)
        off_v.append(np.max(np.abs(trajectory.membrane_potential("plasma") - limit.membrane_potential("plasma"))[keep]))
        off_k.append(np.max(np.abs(trajectory.concentration("cell", "K") / limit.concentration("cell", "K") - 1.0)))
    assert_in_proportion(off_v, 100.0, 1e-10)
    assert_in_proportion(off_k, 100.0, 1e-10)


# -- two layers -----------------------------------------------------------------------------------------------------

SIDE, LENGTH = 616e-12, 667e-6


def coupling(name: str, a: str, b: str, area: float, tortuosity: float, capacitance: float = 0.0) -> Membrane:
    """Electrodiffusion between two compartments of one medium."""
    start = 0.0 if capacitance else None
    p = {ion: d / LENGTH / tortuosity**2 for ion, d in D.items()}
    return Membrane(name, a, b, area, capacitance, start, through(p))


def layers(capacitance: float = 0.0, tolerance: float = 1e-10, duration: float = 1000.0, **changes: Any) -> Model:
    """Soma and dendrite, inside and outside, all finite and out of equilibrium; ``capacitance`` of couplings."""
    leak = {"K": 4e-8, "Cl": 1e-8}
    compartments = [
        Compartment("soma", "finite", 1437e-18, {"K": 120.0, "Na": 15.0, "Cl": 10.0}, BALANCED),
        Compartment("outside_soma", "finite", 718e-18, {"K": 12.0, "Na": 132.0, "Cl": 130.0}, BALANCED),
        Compartment("dendrite", "finite", 1437e-18, {"K": 110.0, "Na": 25.0, "Cl": 6.0}, BALANCED),
        Compartment("outside_dendrite", "finite", 718e-18, {"K": 4.0, "Na": 140.0, "Cl": 130.0}, BALANCED),
    ]
    membranes = [
        Membrane("somatic", "soma", "outside_soma", SIDE, 0.03, -0.06, through({**leak, "Na": 2e-9})),
        Membrane("dendritic", "dendrite", "outside_dendrite", SIDE, 0.03, -0.06, through({**leak, "Na": 8e-9})),
        coupling("inner", "soma", "dendrite", 2.0 * SIDE, 3.2, capacitance),
        coupling("outer", "outside_soma", "outside_dendrite", SIDE, 1.6, capacitance),
    ]
    given: dict[str, Any] = {"recording": Recording("log", points=100, first=1e-4), **changes}
    return Model(
        title="two layers",
        species=IONS,
        compartments=by_name(compartments),
        membranes=by_name(membranes),
        simulation=Simulation(duration, tolerance),
        temperature=TEMPERATURE,
        **given,
    )


def current_into_the_soma(trajectory: Trajectory) -> tuple[NDArray, NDArray]:
    """Net current (A) out of soma and its outside by the couplings, and what flows in the one alone."""
    inner = 2.0 * SIDE * trajectory.current_density("inner")
    return inner + SIDE * trajectory.current_density("outer"), inner


def test_what_flows_in_along_the_inside_flows_back_along_the_outside() -> None:
    trajectory = run(layers(recording=Recording("steps")))
    assert trajectory.run.layout.floats == {"outside_soma": ("soma", "outside_soma")}
    net, inner = current_into_the_soma(trajectory)
    assert np.max(np.abs(inner)) > 1e-11
    assert np.max(np.abs(net)) < 1e-9 * np.max(np.abs(inner))


def test_two_layers_keep_charge_and_mass_to_rounding() -> None:
    balance = summary(run(layers(duration=36_000.0)))
    assert balance.max_charge_drift < 1e-14
    assert balance.max_mass_drift < 1e-14


def test_couplings_are_the_limit_of_small_capacitances() -> None:
    limit = run(layers())
    later = limit.time > 1e-2
    off_v, off_k = [], []
    for capacitance in (1e-2, 1e-4, 1e-6):
        trajectory = run(layers(capacitance))
        off_v.append(np.max(np.abs(trajectory.potential("outside_soma") - limit.potential("outside_soma"))[later]))
        off_k.append(np.max(np.abs(trajectory.concentration("soma", "K") / limit.concentration("soma", "K") - 1.0)))
    assert_in_proportion(off_v, 100.0, 1e-12)
    assert_in_proportion(off_k, 100.0, 1e-10)


def test_a_coupling_counted_the_wrong_way_round_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = drawn._Equations._add_pathway

    def turned(self: Any, membrane: Membrane, pathway: Pathway) -> None:
        draw(self, membrane, pathway)
        if membrane.name == "outer":
            current = (
                self.evaluation.area(membrane)
                * FARADAY
                * self.evaluation.charge_of(pathway)
                * self.evaluation.cycles(membrane, pathway)
            )
            self.rows.carry(membrane.inside, membrane.outside, -2.0 * current)

    monkeypatch.setattr(drawn._Equations, "_add_pathway", turned)
    monkeypatch.setattr(drawn, "_programs", {})
    trajectory = run(layers(recording=Recording("steps")))
    net, inner = current_into_the_soma(trajectory)
    assert np.max(np.abs(net)) > 0.1 * np.max(np.abs(inner))
    assert summary(trajectory).max_charge_drift > 1e-6


# -- convergence ----------------------------------------------------------------------------------------------------


def test_the_error_follows_the_tolerance() -> None:
    exact = run(layers(tolerance=1e-12, duration=100.0)).states
    sizes = np.max(np.abs(exact), axis=0)
    tolerances = [1e-4 / 2**k for k in range(16)]
    # The last state is the algebraic one.
    errors = np.array([np.max(np.abs(run(layers(0.0, r, 100.0)).states - exact) / sizes, axis=0) for r in tolerances])
    # Samples between long steps are the ends of shorter ones, and better than asked for where the tolerance is loose.
    for of_state in (errors.max(axis=1), errors[:, -1]):
        assert 0.6 < np.polyfit(np.log(tolerances), np.log(of_state), 1)[0] < 1.15
        assert np.all(of_state < np.array(tolerances))


def test_equal_steps_converge_with_order_five_where_potentials_relax() -> None:
    _, layout, program, y, k, mass = system_of(layers())
    # Two of the potentials are differential, the last is algebraic.
    assert layout.names[-3:] == ("potential of soma", "potential of dendrite", "potential of outside_soma")
    for row in range(layout.size - 3, layout.size):
        order = order_against_fine_steps(program, y, k, mass, 5e-4, [8, 12, 16, 24], row)
        assert order == pytest.approx(5.0, abs=0.3), layout.names[row]


def test_equal_steps_converge_with_order_five_where_ions_do() -> None:
    _, layout, program, y, k, mass = system_of(stepped())
    for row in range(layout.size):
        order = order_against_fine_steps(program, y, k, mass, 500.0, [6, 8, 12, 16], row)
        assert order == pytest.approx(5.0, abs=0.2), layout.names[row]


# -- protocol steps -------------------------------------------------------------------------------------------------


def stepped(**changes: Any) -> Model:
    """P1 without capacitance, K of the bath from 4 to 40 mM between 100 and 200 s."""
    model = p1()
    bath = replace(model.compartments["bath"], concentrations={**BATH, "K": parse_formula("K_out")})
    plasma = replace(model.membranes["plasma"], specific_capacitance=0.0, potential=None)
    given: dict[str, Any] = {
        "parameters": {"K_out": Parameter("K_out", 4.0)},
        "protocol": (ParameterStep(100.0, 200.0, {"K_out": 40.0}),),
        "membranes": {"plasma": plasma},
        **changes,
    }
    return replace(
        model,
        compartments={**model.compartments, "bath": bath},
        simulation=Simulation(300.0, 1e-9),
        recording=Recording("linear", 31),
        **given,
    )


def test_a_step_makes_it_jump_and_both_sides_are_recorded() -> None:
    trajectory = run(stepped())
    v, at = trajectory.membrane_potential("plasma"), steps_of(trajectory)
    assert list(trajectory.time[at]) == [100.0, 200.0]
    assert v[at + 1] - v[at] == pytest.approx([0.0330, -0.0247], abs=1e-4)
    for i in (*at, *(at + 1)):
        inside = {ion: float(trajectory.concentration("cell", ion)[i]) for ion in CELL}
        outside = {**BATH, "K": 40.0 if trajectory.segment[i] == 1 else 4.0}
        assert v[i] == pytest.approx(zero_current_potential(inside, outside, 0.0), abs=1e-13)
    # No ion moves in no time.
    np.testing.assert_array_equal(trajectory.states[at, :-1], trajectory.states[at + 1, :-1])
    assert summary(trajectory).max_charge_drift < 1e-14


def test_an_injected_current_moves_it_at_once() -> None:
    current = Injection("electrode", "cell", "K", parse_formula("current"))
    given = {"parameters": {"K_out": Parameter("K_out", 4.0), "current": Parameter("current", 0.0)}}
    model = stepped(injections=(current,), protocol=(ParameterStep(100.0, 200.0, {"current": 1e-10}),), **given)
    trajectory = run(model)
    net = AREA * trajectory.current_density("plasma")
    np.testing.assert_allclose(net, np.where(trajectory.segment == 1, 1e-10, 0.0), rtol=0, atol=1e-18)
    at = steps_of(trajectory)
    assert np.all(np.abs(np.diff(trajectory.membrane_potential("plasma"))[at]) > 1e-3)
    assert summary(trajectory).max_charge_drift < 1e-14


def test_two_solutions_that_are_held_are_at_their_potential_all_along_a_ramp() -> None:
    # Nothing but one algebraic state: M is 0.
    model = stepped(protocol=(ParameterStep(50.0, None, {"K_out": 40.0}, over=200.0),))
    inside = {ion: float(q) for ion, q in model.compartments["cell"].concentrations.items()}
    held = Compartment("cell", "floating bath", None, inside, (Impermeant("A", -1.0, concentration=140.0),))
    trajectory = run(replace(model, compartments={**model.compartments, "cell": held}))
    assert trajectory.run.layout.names == ("potential of cell",)
    for i, v in enumerate(trajectory.membrane_potential("plasma")):
        outside = {**BATH, "K": float(trajectory.concentration("bath", "K")[i])}
        assert v == pytest.approx(zero_current_potential(inside, outside, 0.0), abs=2e-9)


# -- parts of two compartments --------------------------------------------------------------------------------------


def organelle(capacitance: float = 0.0, start: float | None = None, last: str = "organelle", **changes: Any) -> Model:
    """A cell with an organelle whose membrane has a capacitance; the plasma membrane has ``capacitance``."""
    inside = [
        Compartment("cell", "finite", VOLUME, {"K": 130.0, "Na": 15.0, "Cl": 15.0}, BALANCED),
        Compartment("organelle", "finite", 0.1 * VOLUME, {"K": 60.0, "Na": 60.0, "Cl": 40.0}, BALANCED),
    ]
    if last == "cell":
        inside.reverse()
    bath = Compartment("bath", "bath", None, {**BATH, "K": parse_formula("K_out")})
    inner = through({"K": P_K, "Na": 0.3 * P_K, "Cl": 0.1 * P_K})
    membranes = [
        Membrane("plasma", "cell", "bath", AREA, capacitance, start, through(CELL)),
        Membrane("inner", "organelle", "cell", 0.3 * AREA, CAPACITANCE, 0.03, inner),
    ]
    given: dict[str, Any] = {"recording": Recording("log", points=200, first=1e-4), **changes}
    return Model(
        title="organelle",
        species=IONS,
        compartments=by_name([*inside, bath]),
        membranes=by_name(membranes),
        simulation=Simulation(3600.0, 1e-10),
        temperature=TEMPERATURE,
        parameters={"K_out": Parameter("K_out", 4.0)},
        protocol=(ParameterStep(1000.0, 2000.0, {"K_out": 30.0}),),
        **given,
    )


def test_a_cell_and_its_organelle_float_together() -> None:
    limit = run(organelle())
    assert limit.run.layout.floats == {"organelle": ("cell", "organelle")}
    assert np.max(np.abs(limit.current_density("plasma"))) < 1e-9 * np.max(np.abs(limit.current_density("plasma", "K")))
    assert summary(limit).max_charge_drift < 1e-14
    # The plasma membrane jumps at a step, and takes the organelle along: the charge between them has to stay.
    at = steps_of(limit)
    plasma, inner = limit.membrane_potential("plasma"), limit.membrane_potential("inner")
    assert np.all(np.abs(plasma[at + 1] - plasma[at]) > 5e-3)
    assert np.max(np.abs(inner[at + 1] - inner[at])) < 1e-15
    keep = away_from_steps(limit)
    off: dict[str, list[float]] = {"plasma": [], "inner": []}
    for capacitance in (1e-2, 1e-4, 1e-6):
        trajectory = run(organelle(capacitance, float(plasma[0])))
        for name, differences in off.items():
            difference = np.abs(trajectory.membrane_potential(name) - limit.membrane_potential(name))
            differences.append(np.max(difference[keep]))
    for differences in off.values():
        assert_in_proportion(differences, 100.0, 1e-10)


def test_it_does_not_matter_which_compartment_stands_for_the_part() -> None:
    one, other = run(organelle()), run(organelle(last="cell"))
    assert other.run.layout.floats == {"cell": ("organelle", "cell")}
    for membrane in ("plasma", "inner"):
        off = one.membrane_potential(membrane) - other.membrane_potential(membrane)
        assert np.max(np.abs(off)) < 1e-10


# -- volumes that move ----------------------------------------------------------------------------------------------

WATER = 18e-6  # m³/mol
MOUTH = 1e-12  # m²


def swelling(capacitance: float = 0.0, start: float | None = None, recording: Recording | None = None) -> Model:
    """A sphere that swells into a cleft, which a mouth of no capacitance joins to the bath."""
    compartments = [
        Compartment("cell", "finite", VOLUME, {"K": 140.0, "Na": 10.0, "Cl": 10.0}, BALANCED, water="osmotic"),
        Compartment("cleft", "finite", 0.5 * VOLUME, {"K": 6.0, "Na": 130.0, "Cl": 106.0}, BALANCED, water="osmotic"),
        Compartment("bath", "bath", None, BATH),
    ]
    mouth = through({ion: d / 1e-6 for ion, d in D.items()})
    membranes = [
        Membrane(
            *("plasma", "cell", "cleft", AREA, CAPACITANCE, -0.06),
            pathways=through(CELL),
            geometry="sphere",
            water_permeability=2e-5,
        ),
        Membrane("mouth", "cleft", "bath", MOUTH, capacitance, start, mouth, water_permeability=1e-3),
    ]
    return Model(
        title="swelling",
        species=IONS,
        compartments=by_name(compartments),
        membranes=by_name(membranes),
        simulation=Simulation(2000.0, 1e-10),
        temperature=TEMPERATURE,
        water_molar_volume=WATER,
        recording=recording or Recording("log", points=200, first=1e-3),
    )


def test_where_areas_move_charge_stays() -> None:
    limit = run(swelling())
    layout = limit.run.layout
    assert layout.charges
    assert layout.names[-2:] == ("charge of cell", "potential of cleft")
    area = limit.area("plasma")
    assert area.max() / area.min() > 1.05
    assert summary(limit).max_charge_drift < 1e-14
    # The state of the cell is its charge, and the potential in the trajectory is what follows from it.
    charge = CAPACITANCE * area * limit.membrane_potential("plasma")
    np.testing.assert_allclose(limit.states[:, -2], charge, rtol=1e-12)
    off = []
    for capacitance in (10.0, 0.1, 1e-3):
        trajectory = run(swelling(capacitance, float(limit.potential("cleft")[0])))
        off.append(np.max(np.abs(trajectory.potential("cleft") - limit.potential("cleft"))))
    assert_in_proportion(off, 100.0, 1e-11)


def test_no_net_current_leaves_the_mouth() -> None:
    trajectory = run(swelling(recording=Recording("steps")))
    net = np.abs(MOUTH * trajectory.current_density("mouth"))
    assert net.max() < 1e-9 * np.max(np.abs(MOUTH * trajectory.current_density("mouth", "K")))


def test_gates_start_where_the_potential_does_and_a_rinse_counts_in_it() -> None:
    model = swelling()
    fixed = {name: replace(c, water="fixed") for name, c in model.compartments.items()}
    gate = Gate("g", steady=parse_formula("1 / (1 + exp(V / 1 mV))"), time_constant=1.0)
    mouth = replace(model.membranes["mouth"], water_permeability=None)
    gated = replace(mouth.pathways[0], arguments={"": parse_formula("g * 1e-3 m/s")}, gates=(gate,))
    plasma = replace(model.membranes["plasma"], geometry="given", water_permeability=None)
    membranes = {"plasma": plasma, "mouth": replace(mouth, pathways=(gated, *mouth.pathways[1:]))}
    rinse = Exchange("rinse", "cleft", "bath", 0.1)
    trajectory = run(replace(model, compartments=fixed, membranes=membranes, exchanges=(rinse,)))
    # Of the anions that stay in the cleft the rinse takes the counterions: a current, which the mouth lets back.
    carried = (
        FARADAY
        * 0.1
        * 0.5
        * VOLUME
        * sum(z * (c - BATH[i]) for i, z, c in zip(BATH, (1, 1, -1), (6, 130, 106), strict=True))
    )
    assert MOUTH * trajectory.current_density("mouth")[0] == pytest.approx(-carried, rel=1e-6)
    v = trajectory.membrane_potential("mouth")[0]
    assert trajectory.gate("mouth", gated.name, "g")[0] == pytest.approx(1.0 / (1.0 + math.exp(1e3 * v)), rel=1e-9)


# -- nothing conducts -----------------------------------------------------------------------------------------------


def plasma_of(*pathways: Pathway) -> dict[str, Membrane]:
    return {"plasma": replace(stepped().membranes["plasma"], pathways=pathways)}


def closing(name: str, over: float = 0.0) -> dict[str, Any]:
    """A permeability ``name`` that a protocol step, or a ramp, brings to 0 at 100 s."""
    given = {"K_out": Parameter("K_out", 4.0), name: Parameter(name, P_K)}
    return {"parameters": given, "protocol": (ParameterStep(100.0, None, {name: 0.0}, over=over),)}


@pytest.mark.parametrize(
    "pathways",
    [through({"K": 0.0, "Cl": 0.0}), (na_k_pump(1e-6),)],
    ids=["no permeability", "a pump alone"],
)
def test_a_start_at_which_nothing_conducts_is_told(pathways: tuple[Pathway, ...]) -> None:
    with pytest.raises(ScenarioError) as raised:
        run(stepped(membranes=plasma_of(*pathways)))
    (fault,) = raised.value.faults
    assert fault.path == "compartments.cell"
    assert fault.message == (
        "no potential is found for cell at which the net current into it is 0: without a capacitance that is what its "
        "potential is. Give a membrane beside it a capacitance, or see that an ion can cross one"
    )


@pytest.mark.parametrize(
    ("pathways", "over", "end"),
    [
        (lambda p: through({"K": p, "Cl": p}), 0.0, 100.0),
        (lambda p: (ghk("K", p), na_k_pump(1e-7)), 0.0, 100.0),
        (lambda p: through({"K": p, "Cl": p}), 50.0, 150.0),
    ],
    ids=["closed", "a pump alone", "closed in a ramp"],
)
def test_a_step_after_which_nothing_conducts_is_told(
    pathways: Callable[[Any], tuple[Pathway, ...]], over: float, end: float
) -> None:
    model = stepped(membranes=plasma_of(*pathways(parse_formula("P"))), **closing("P", over))
    with pytest.raises(SolverError) as raised:
        run(model)
    assert str(raised.value) == (
        f"the run stopped at t = {end:g} s: there is no potential of cell at which no net current flows into it. "
        "Without a capacitance the potential is the one of zero net current: check for a part that no current can "
        "reach, and for a formula that is 0/0 at that potential (write x / (1 - exp(-x)) as linexp(x))"
    )
    # What there was until then is kept.
    trajectory = raised.value.trajectory
    assert trajectory is not None
    assert trajectory.time[-1] == end
    assert np.all(np.isfinite(trajectory.states))


def test_what_carries_no_charge_needs_no_potential() -> None:
    kcc = Pathway("pathways.KCC2", "mass_action", {"K": 1, "Cl": 1}, {"rate": 1e-10})
    trajectory = run(stepped(membranes=plasma_of(kcc)))
    assert not trajectory.run.layout.potentials
    assert summary(trajectory).max_charge_drift < 1e-14


# -- in a file ------------------------------------------------------------------------------------------------------

WRITTEN = """
title = "Two layers of one medium, the one of them a cell without capacitance"

[parameters]
tortuosity = 1.6

[simulation]
duration = "100 s"
temperature = "37 degC"

[compartments.cell]
volume = "1 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }

[compartments.cleft]
volume = "1 pL"
concentrations = { K = "5 mM", Na = "145 mM", Cl = "150 mM" }

[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "146 mM", Cl = "150 mM" }

[membranes.plasma]
inside = "cell"
outside = "cleft"
area = "1000 um^2"
specific_capacitance = "0 uF/cm^2"
permeability = { K = "4e-8 m/s", Na = "2e-9 m/s", Cl = "1e-8 m/s" }

[diffusion.mouth]
between = ["cleft", "bath"]
area = "2 um^2"
length = "10 um"
tortuosity = "tortuosity"
ions = ["K", "Na", "Cl"]
diffusion_coefficients = { K = "1.96e-9 m^2/s", Na = "1.33e-9 m^2/s", Cl = "2.03e-9 m^2/s" }

[[protocol]]
at = "50 s"
set = { "parameters.tortuosity" = 3.2 }
"""


def test_a_file_says_the_same() -> None:
    trajectory = run(iontide.loads(WRITTEN))
    layout = trajectory.run.layout
    assert layout.floats == {"cell": ("cell",), "cleft": ("cleft",)}
    for segment, tortuosity in ((0, 1.6), (1, 3.2)):
        for ion, d in D.items():
            permeability = trajectory.run.values[segment][f"membranes.mouth.permeability.{ion}"]
            assert permeability == pytest.approx(d / 10e-6 / tortuosity**2, rel=1e-14)
    for membrane in ("plasma", "mouth"):
        net = np.abs(trajectory.current_density(membrane))
        assert net.max() < 1e-6 * np.max(np.abs(trajectory.current_density(membrane, "K")))
    # What follows the net current of the mouth is a diffusion potential: it knows no tortuosity, and does not jump.
    (at,) = steps_of(trajectory)
    mouth = trajectory.membrane_potential("mouth")
    assert mouth[at + 1] == pytest.approx(mouth[at], rel=1e-6)
    assert summary(trajectory).max_charge_drift < 1e-14


def test_several_zero_current_potentials_are_not_chosen_among() -> None:
    """An inward rectifier beside a leak: an N-shaped current, at rest at two potentials."""
    text = """
title = "two rests"
[simulation]
duration = "1 s"
temperature = "37 degC"
[compartments.cell]
volume = "1 pL"
concentrations = { K = "140 mM", Na = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }
[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "146 mM" }
impermeants = { A = { concentration = "150 mM", valence = -1 } }
[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1000 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "ghk"
conductance = { K = "1 mS/cm^2 / (1 + exp((V + 70 mV) / 5 mV))", Na = "0.02 mS/cm^2" }
"""
    with pytest.raises(ScenarioError, match="several potentials at which the net current of this membrane is 0: -9"):
        run(loads(text).model)
    model = loads(text.replace('"ghk"', '"-80 mV"')).model
    assert run(model).status == "done"


def test_the_rates_of_an_algebraic_potential_are_its_slope_in_time() -> None:
    """A permeability that follows the time moves a potential that has no capacitance."""
    plasma = p1().membranes["plasma"]
    law = parse_formula("4e-8 m/s * (1 + 0.5 * tanh(t / 10 s))")
    bare = replace(plasma, specific_capacitance=0.0, pathways=(ghk("K", law), *plasma.pathways[1:]), potential=None)
    model = replace(p1(), membranes={"plasma": bare}, recording=Recording(points=2001))
    trajectory = simulate(with_simulation(model, duration=20.0, rtol=1e-10))
    index = trajectory.run.layout.potential_index["cell"]
    slope = np.gradient(trajectory.states[:, index], trajectory.time)
    np.testing.assert_allclose(state_rates(trajectory, index)[1:-1], slope[1:-1], rtol=1e-3)
    assert np.abs(slope).max() > 1e-4
