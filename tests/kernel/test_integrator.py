"""Whole runs: against SciPy and closed forms, independent of the recording, exact at events, honest in failure."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.errors import SolverError
from iontide.formulas.formula import parse_formula
from iontide.kernel.build import cache, object_files
from iontide.model.model import Compartment, Membrane, Model, Parameter, ParameterStep, Pathway, Simulation, Species
from iontide.physics.mechanisms import LAWS
from iontide.simulation import prepare as prepare_module
from iontide.simulation import simulate as simulate_module
from iontide.simulation.simulate import simulate
from iontide.simulation.trajectory import Trajectory
from iontide.symbolic.expression import log
from tests.support.models import (
    AREA,
    CAPACITANCE,
    P_K,
    TEMPERATURE,
    VOLUME,
    by_name,
    closed_pair,
    ghk,
    p1,
    pump_leak,
    series,
    single_ion,
    with_recording,
    with_simulation,
)
from tests.support.paths import ROOT

VOLT = 0.1  # scale of a potential


def scales_of(model: Model, trajectory: Trajectory) -> NDArray:
    """Scales of the error metric: 100 mM · w for an amount, 100 mV for a potential."""
    layout = trajectory.run.layout
    amounts = [100.0 * model.compartments[c].volume for c, _ in layout.amounts]
    return np.array(amounts + [VOLT] * len(layout.potentials))


def error_of(states: NDArray, reference: NDArray, scales: NDArray) -> float:
    """The error metric of the benchmarks, over all samples and states."""
    return float((np.abs(states - reference) / (np.abs(reference) + 0.01 * scales)).max())


def radau(model: Model, times: NDArray, rtol: float = 1e-12) -> NDArray:
    """The independent reference: SciPy's Radau on the NumPy interpreter, segment by segment; shape (times, n)."""
    integration = simulate_module.Integration(model)
    program, n = integration.program, integration.layout.size
    scales = np.array([100.0 * model.compartments[c].volume for c, _ in integration.layout.amounts] + [VOLT])
    y, results = integration.initial.y / scales, []
    problem = integration.prepared.problem
    assert problem is not None
    for segment, k, mass in zip(integration.segments, problem.constants, problem.mass, strict=True):
        inverse = np.linalg.inv(program.mass_matrix(mass))

        def rates(t: float, x: NDArray, k: NDArray = k, inverse: NDArray = inverse) -> NDArray:
            return inverse @ program.evaluate_rates(t, x * scales, k) / scales

        def jacobian(t: float, x: NDArray, k: NDArray = k, inverse: NDArray = inverse) -> NDArray:
            return (inverse @ program.evaluate_jacobian(t, x * scales, k)) * scales / scales[:, np.newaxis]

        inside = times[(times >= segment.start) & (times < segment.end)]
        last = segment is integration.segments[-1]
        inside = np.append(inside, segment.end) - segment.start
        solution = scipy.integrate.solve_ivp(
            rates, (0.0, inside[-1]), y, "Radau", t_eval=inside, jac=jacobian, rtol=rtol, atol=rtol * 1e-2
        )
        assert solution.success
        assert solution.y.shape == (n, len(inside))
        assert np.all(np.isfinite(solution.y))
        y = solution.y[:, -1]
        results.append(solution.y.T if last else solution.y.T[:-1])
    return np.concatenate(results) * scales


def logarithmic(duration: float, points: int = 150) -> NDArray:
    return np.concatenate([[0.0], np.geomspace(1e-5, duration, points - 1)])


def at(model: Model, times: NDArray) -> Model:
    return with_recording(model, "list", times=tuple(times.tolist()))


# -- right ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def p1_reference() -> tuple[NDArray, NDArray]:
    times = logarithmic(36_000.0)
    return times, radau(p1(), times)


def test_the_reference_is_accurate(p1_reference):
    """Finite, charged to 1e-12, and itself at the closed-form Donnan potential."""
    _, states = p1_reference
    assert np.all(np.isfinite(states))
    charge = FARADAY * (states[:, 0] + states[:, 1] - states[:, 2] - 140.0 * VOLUME) - CAPACITANCE * AREA * states[:, 3]
    assert np.abs(charge).max() <= 1e-12 * FARADAY * 140.0 * VOLUME
    assert states[-1, 3] == pytest.approx(donnan_potential(), abs=1e-10)


def donnan_potential() -> float:
    """V at which K, Na and Cl are all at equilibrium and the cell's charge is that of its membrane.

    2 · 150 mM · sinh(−F V / R T) = 140 mM + C A V / (F w), solved by repetition.
    """
    v = 0.0
    for _ in range(100):
        charge = 140.0 + CAPACITANCE * AREA * v / (FARADAY * VOLUME)
        v = -np.arcsinh(charge / 300.0) * GAS_CONSTANT * TEMPERATURE / FARADAY
    return v


@pytest.mark.parametrize("rtol", [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10])
def test_p1_errs_by_less_than_the_tolerance(p1_reference, rtol):
    """Along the whole transient, from 10 µs to 10 h."""
    times, reference = p1_reference
    trajectory = simulate(with_simulation(at(p1(), times), rtol=rtol))
    np.testing.assert_array_equal(trajectory.time, times)
    assert error_of(trajectory.states, reference, scales_of(p1(), trajectory)) <= rtol
    if rtol == 1e-7:
        assert trajectory.statistics.steps < 200


def test_p1_ends_in_donnan_equilibrium():
    assert donnan_potential() == pytest.approx(-12.0590565e-3, abs=1e-10)
    v = simulate(p1()).membrane_potential("plasma")[-1]
    assert v == pytest.approx(donnan_potential(), abs=1e-9)


def test_a_pump_that_is_switched_against_the_reference():
    """Three segments, each begun anew, with samples soon after both steps."""
    model = replace(
        pump_leak(),
        protocol=(ParameterStep(100.0, 200.0, {"pump_rate": 0.0}),),
        simulation=Simulation(300.0, rtol=1e-7),
    )
    soon = np.geomspace(1e-4, 90.0, 15)
    times = np.concatenate([[0.0], soon, 100.0 + soon, 200.0 + soon, [300.0]])
    trajectory = simulate(at(model, times))
    wanted = np.isin(trajectory.time, times)
    np.testing.assert_array_equal(trajectory.time[wanted], times)
    error = error_of(trajectory.states[wanted], radau(model, times, 1e-11), scales_of(model, trajectory))
    assert error <= 1e-7


def test_two_membranes_in_series_against_the_reference():
    model = with_simulation(series(), duration=2000.0)
    times = logarithmic(2000.0, 60)
    trajectory = simulate(at(model, times))
    assert error_of(trajectory.states, radau(model, times, 1e-11), scales_of(model, trajectory)) <= 1e-7


@pytest.mark.parametrize("make", [pump_leak, series, closed_pair, lambda: single_ion(2), lambda: single_ion(-1)])
def test_a_smaller_tolerance_moves_the_answer_by_less_than_the_larger(make):
    model = with_recording(make(), "log", points=200, first=1e-4)
    strict = simulate(with_simulation(model, rtol=1e-11))
    for rtol in (1e-5, 1e-6, 1e-7, 1e-8):
        loose = simulate(with_simulation(model, rtol=rtol))
        assert error_of(loose.states, strict.states, scales_of(model, strict)) <= 2 * rtol


@pytest.mark.parametrize("valence", [-2, -1, 1, 2])
def test_one_ion_ends_at_its_nernst_potential(valence):
    trajectory = simulate(with_simulation(single_ion(valence), rtol=1e-9))
    nernst = GAS_CONSTANT * TEMPERATURE / (valence * FARADAY) * np.log(10.0 / trajectory.concentration("cell", "X")[-1])
    assert trajectory.membrane_potential("plasma")[-1] == pytest.approx(nernst, abs=1e-10)


def test_a_neutral_species_follows_its_exponential():
    model = with_recording(single_ion(0), "log", points=100, first=1e-2)
    trajectory = simulate(with_simulation(model, rtol=1e-9))
    exact = 10.0 + 90.0 * np.exp(-P_K * AREA / VOLUME * trajectory.time)
    np.testing.assert_allclose(trajectory.concentration("cell", "X"), exact, rtol=2e-9)
    np.testing.assert_array_equal(trajectory.membrane_potential("plasma"), 0.0)


def test_order_of_species_does_not_matter():
    model = with_recording(with_simulation(p1(), rtol=1e-9), "log", points=50, first=1e-4)
    names = ("Cl", "K", "Na")
    cell, bath, plasma = model.compartments["cell"], model.compartments["bath"], model.membranes["plasma"]
    other = replace(
        model,
        species={n: model.species[n] for n in names},
        compartments={
            "bath": replace(bath, concentrations={n: bath.concentrations[n] for n in names}),
            "cell": replace(cell, concentrations={n: cell.concentrations[n] for n in names}),
        },
        membranes={"plasma": replace(plasma, pathways=plasma.pathways[::-1])},
    )
    first, second = simulate(model), simulate(other)
    for name in names:
        a, b = first.concentration("cell", name), second.concentration("cell", name)
        np.testing.assert_allclose(b, a, rtol=1e-9)
    a, b = first.membrane_potential("plasma"), second.membrane_potential("plasma")
    np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-11)


def test_totals_and_charge_are_conserved_to_1e_10():
    """The invariants over a whole run of a closed system."""
    trajectory = simulate(closed_pair())
    for name in ("K", "Na", "Cl"):
        total = trajectory.amount("a", name) + trajectory.amount("b", name)
        np.testing.assert_allclose(total, total[0], rtol=1e-12)
    run = trajectory.run
    charge = sum(s.valence * trajectory.amount("a", s.name) for s in trajectory.model.species.values())
    charge = FARADAY * (charge - run.initial.impermeant_amounts["a", "A"] + run.initial.residual_charge["a"])
    stored = AREA * CAPACITANCE * trajectory.membrane_potential("wall")
    np.testing.assert_allclose(charge, stored, rtol=0, atol=1e-10 * FARADAY * trajectory.amount("a", "K")[0])


# -- independent of how it is recorded --------------------------------------------------------------------------------


def same_run(a: Trajectory, b: Trajectory) -> None:
    """Same steps and same end, bit for bit."""
    assert a.statistics == b.statistics
    assert a.run.end_time == b.run.end_time
    np.testing.assert_array_equal(a.run.end_state, b.run.end_state)


@pytest.mark.parametrize("make", [p1, pump_leak])
def test_steps_do_not_depend_on_the_samples(make):
    """Powers of two, so that the common times are the same numbers."""
    few = simulate(with_recording(make(), points=2**3 + 1))
    for power in (10, 17):
        many = simulate(with_recording(make(), points=2**power + 1))
        same_run(few, many)
        for time, segment, state in zip(few.time, few.segment, few.states, strict=True):
            (row,) = np.flatnonzero((many.time == time) & (many.segment == segment))
            np.testing.assert_array_equal(many.states[row], state)
    listed = simulate(at(make(), few.time[np.r_[True, np.diff(few.time) > 0]]))
    same_run(few, listed)
    np.testing.assert_array_equal(listed.states, few.states)
    for spacing, changes in (("steps", {}), ("log", {"points": 50, "first": 1e-6}), ("list", {"times": (5.0,)})):
        same_run(few, simulate(with_recording(make(), spacing, **changes)))


def test_every_step_is_recorded():
    trajectory = simulate(with_recording(pump_leak(), "steps"))
    statistics = trajectory.statistics
    assert len(trajectory) == statistics.steps + len(trajectory.run.segments)
    assert statistics.jacobians == statistics.steps
    assert np.all(np.diff(trajectory.time) >= 0)
    for number, segment in enumerate(trajectory.run.segments):
        times = trajectory.time[trajectory.segment == number]
        assert (times[0], times[-1]) == (segment.start, segment.end)
        assert np.all(np.diff(times) > 0)
    np.testing.assert_array_equal(trajectory.states[-1], trajectory.run.end_state)


def set_block(monkeypatch: pytest.MonkeyPatch, samples: int) -> None:
    """Hand samples over in blocks of so many; holds for models prepared from now on."""
    for module in (prepare_module, simulate_module):
        monkeypatch.setattr(module, "BLOCK", samples)


@pytest.mark.parametrize("spacing", ["linear", "log", "steps"])
def test_blocks_and_pauses_change_nothing(monkeypatch, spacing):
    model = with_recording(pump_leak(), spacing, points=40, first=1e-4 if spacing == "log" else None)
    whole = simulate(model)
    for block in (1, 2, 7, 39):
        for budget in (1, 5, 1000):
            set_block(monkeypatch, block)
            monkeypatch.setattr(simulate_module, "BUDGET", budget)
            other = simulate(replace(model))
            same_run(whole, other)
            np.testing.assert_array_equal(other.time, whole.time)
            np.testing.assert_array_equal(other.segment, whole.segment)
            np.testing.assert_array_equal(other.states, whole.states)


def test_many_samples_cross_the_borders_of_blocks(monkeypatch):
    model = with_recording(pump_leak(), points=300_000)
    pieces = simulate(model)
    set_block(monkeypatch, 1_000_000)
    whole = simulate(replace(model))
    assert len(whole) == 300_004
    np.testing.assert_array_equal(pieces.time, whole.time)
    np.testing.assert_array_equal(pieces.states, whole.states)


def test_progress_is_called_with_the_time_and_the_end(monkeypatch):
    monkeypatch.setattr(simulate_module, "BUDGET", 10)
    reported: list[tuple[float, float]] = []
    simulate(p1(), lambda time, end: reported.append((time, end)))
    times = [time for time, _ in reported]
    assert len(reported) > 5
    assert times == sorted(times)
    assert reported[-1] == (36_000.0, 36_000.0)


# -- repeatable -------------------------------------------------------------------------------------------------------


def fingerprint(trajectory: Trajectory) -> str:
    return hashlib.sha256(trajectory.time.tobytes() + trajectory.states.tobytes()).hexdigest()


def test_the_same_run_twice_is_the_same_to_the_last_bit():
    model = pump_leak()
    first = fingerprint(simulate(model))
    assert fingerprint(simulate(model)) == first  # prepared once, run twice
    assert fingerprint(simulate(pump_leak())) == first


def test_the_same_run_in_another_process_is_the_same_to_the_last_bit():
    code = (
        "from tests.support.models import pump_leak; from tests.kernel.test_integrator import fingerprint; "
        "from iontide.simulation.simulate import simulate; "
        "model = pump_leak(); print(fingerprint(simulate(model)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == fingerprint(simulate(pump_leak()))
    assert result.stderr == ""  # nothing is said at exit either


def test_one_compiled_integrator_serves_every_model():
    function = object_files.load()
    for model in (p1(), pump_leak(), series(), single_ion(0), with_recording(p1(), "steps")):
        simulate(model)
        assert object_files.load() is function


def test_a_run_from_the_object_file_needs_no_numba():
    code = (
        "import sys; from tests.support.models import p1; from iontide.simulation.simulate import simulate; "
        "from iontide.kernel.build import object_files; "
        "stored = not object_files.must_compile(); simulate(p1()); print(stored, 'numba' in sys.modules)"
    )
    simulate(p1())
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    stored, loaded = result.stdout.split()
    assert loaded == ("False" if stored == "True" else "True")
    assert stored == str(cache.usable_cache_folder() is not None)


# -- events -----------------------------------------------------------------------------------------------------------


def test_protocol_steps_are_hit_exactly_and_both_sides_recorded():
    trajectory = simulate(with_recording(pump_leak(), points=7))
    np.testing.assert_array_equal(
        trajectory.time, [0, 6000, 10_000, 10_000, 12_000, 18_000, 20_000, 20_000, 24_000, 30_000, 36_000]
    )
    np.testing.assert_array_equal(trajectory.segment, [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    for row in (2, 6):
        np.testing.assert_array_equal(trajectory.states[row], trajectory.states[row + 1])
    pump = trajectory.pathway_cycles("plasma", "pump")
    assert np.all((pump > 0) == (trajectory.segment != 1))


def test_a_sample_at_a_step_is_not_there_three_times():
    trajectory = simulate(at(pump_leak(), np.array([0.0, 10_000.0, 20_000.0, 36_000.0])))
    np.testing.assert_array_equal(trajectory.time, [0, 10_000, 10_000, 20_000, 20_000, 36_000])
    np.testing.assert_array_equal(trajectory.segment, [0, 0, 1, 1, 2, 2])


def test_what_comes_before_a_step_does_not_know_of_it():
    stopped = simulate(pump_leak())
    model = pump_leak()
    doubled = simulate(replace(model, protocol=(replace(model.protocol[0], settings={"pump_rate": 3e-6}),)))
    np.testing.assert_array_equal(stopped.time, doubled.time)
    before = stopped.segment == 0
    np.testing.assert_array_equal(stopped.states[before], doubled.states[before])
    soon = np.flatnonzero(stopped.segment == 1)[1]
    assert abs(stopped.states[soon, -1] - doubled.states[soon, -1]) > 1e-3


def test_a_step_to_the_same_value_is_only_a_restart():
    model = pump_leak()
    plain = simulate(with_simulation(replace(model, protocol=()), rtol=1e-9))
    same = (ParameterStep(10_000.0, 20_000.0, {"pump_rate": 1.4e-6}),)
    restarted = simulate(with_simulation(replace(model, protocol=same), rtol=1e-9))
    rows = np.isin(restarted.time, plain.time)
    assert error_of(restarted.states[rows], plain.states, scales_of(model, plain)) <= 1e-9
    assert restarted.statistics.steps > plain.statistics.steps


def test_a_restart_begins_at_the_pace_of_what_it_starts():
    """Not at that of the slow drift before it (which a dozen rejections would put right), nor crawling."""
    trajectory = simulate(with_recording(pump_leak(), "steps"))
    for number in range(3):
        times = trajectory.time[trajectory.segment == number]
        assert 1e-6 < times[1] - times[0] < 10e-3
    assert trajectory.statistics.rejected <= 6


def test_a_ramp_is_followed_exactly():
    """Fick's law with a permeability that grows in a straight line: time appears in the equations."""
    model = single_ion(0)
    plasma = model.membranes["plasma"]
    model = replace(
        model,
        membranes={"plasma": replace(plasma, pathways=(ghk("X", parse_formula("P")),))},
        parameters={"P": Parameter("P", P_K)},
        protocol=(ParameterStep(20.0, None, {"P": 5 * P_K}, over=60.0),),
        simulation=Simulation(200.0, rtol=1e-9),
    )
    trajectory = simulate(model)
    t = trajectory.time
    ramped = np.clip(t - 20.0, 0.0, 60.0)
    passed = P_K * (t + 4.0 * ramped**2 / 120.0 + 4.0 * np.clip(t - 80.0, 0.0, None))
    exact = 10.0 + 90.0 * np.exp(-AREA / VOLUME * passed)
    np.testing.assert_allclose(trajectory.concentration("cell", "X"), exact, rtol=2e-9)
    assert [s.start for s in trajectory.run.segments] == [0.0, 20.0, 80.0]


def awkward(model: Model) -> Model:
    """Times at which start + (end − start) is not end, to the last bit."""
    assert 4.52 + (52.49 - 4.52) != 52.49
    return replace(
        model,
        protocol=(ParameterStep(4.52, 52.49, {"pump_rate": 0.0}),),
        simulation=Simulation(100.0),
    )


@pytest.mark.parametrize("spacing", ["linear", "steps"])
@pytest.mark.parametrize("duration", [52.49, 100.0])
def test_time_is_exact_where_rounding_is_awkward(spacing, duration):
    model = with_simulation(awkward(pump_leak()), duration=duration)
    trajectory = simulate(with_recording(model, spacing, points=11))
    assert trajectory.run.end_time == trajectory.time[-1] == duration
    assert np.all(np.diff(trajectory.time) >= 0)
    for number, segment in enumerate(trajectory.run.segments):
        times = trajectory.time[trajectory.segment == number]
        assert (times[0], times[-1]) == (segment.start, segment.end)
        assert np.all(np.diff(times) > 0)


# -- steady state -----------------------------------------------------------------------------------------------------


def test_stops_at_a_steady_state_and_in_time():
    model = with_recording(with_simulation(p1(), duration=1e7), "log", points=2000, first=1.0)
    full = simulate(model)
    scales = scales_of(model, full)
    stopped = simulate(with_simulation(model, stop_at_steady_state=True))
    assert stopped.status == "steady"
    assert full.status == "done"
    assert error_of(stopped.run.end_state, full.run.end_state, scales) <= 2e-7
    distance = (np.abs(full.states - full.run.end_state) / (np.abs(full.run.end_state) + 0.01 * scales)).max(axis=1)
    there = full.time[np.flatnonzero(distance > 1e-7)[-1]]
    assert 0.8 * there <= stopped.run.end_time <= 2.0 * there
    np.testing.assert_array_equal(stopped.states[-1], stopped.run.end_state)
    assert stopped.time[-1] == stopped.run.end_time
    np.testing.assert_array_equal(stopped.states[:-1], full.states[: len(stopped) - 1])


def with_slow_sodium(permeability: float) -> Model:
    model = with_simulation(p1(), duration=1e15, stop_at_steady_state=True)
    plasma = model.membranes["plasma"]
    pathways = (ghk("K", P_K), ghk("Na", permeability), ghk("Cl", 0.45 * P_K))
    return replace(model, membranes={"plasma": replace(plasma, pathways=pathways)})


@pytest.mark.parametrize("permeability", [3e-11, 1e-13, 1e-15, 1e-17, 1e-19])
def test_does_not_stop_in_the_middle_of_a_slow_drift(permeability):
    """Charging in ms, K and Cl in 1000 s, Na in 1e5 … 3e13 s: it stops after the slowest, in the same equilibrium."""
    trajectory = simulate(with_slow_sodium(permeability))
    assert trajectory.status == "steady"
    time_constant = VOLUME / (AREA * permeability)
    assert trajectory.run.end_time > 3 * time_constant
    assert trajectory.run.end_state[-1] == pytest.approx(donnan_potential(), rel=1e-6)


def test_a_leak_too_slow_to_matter_ever_does_not_hold_it_up():
    """Na would take 3e20 s; the horizon of the question is a million times the time since the last step."""
    trajectory = simulate(with_slow_sodium(1e-26))
    assert trajectory.status == "steady"
    assert trajectory.run.end_time < 1e7


def test_does_not_stop_before_the_last_step_of_the_protocol():
    model = with_simulation(single_ion(1), duration=1e5, stop_at_steady_state=True)
    plasma = model.membranes["plasma"]
    model = replace(
        model,
        membranes={"plasma": replace(plasma, pathways=(ghk("X", parse_formula("P")),))},
        parameters={"P": Parameter("P", P_K)},
        protocol=(ParameterStep(5e4, None, {"P": 2 * P_K}),),
    )
    trajectory = simulate(model)
    assert trajectory.status == "steady"
    assert 5e4 < trajectory.run.end_time < 1e5


def test_a_run_that_is_not_asked_to_stop_does_not():
    assert simulate(p1()).run.end_time == 36_000.0


# -- failure ----------------------------------------------------------------------------------------------------------

NUMBERS = count()
LAW = Callable[[Any, Mapping[str, int], Mapping[str, Any]], Any]


@pytest.fixture
def cell_with_law(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Model]:
    """A model with one neutral species X (100 mM) between two bystanders, moved outward by a local law."""

    def build(law: LAW, **simulation: Any) -> Model:
        name = f"law {next(NUMBERS)}"  # a new one each time: programs are cached by structure, which has the law's name
        monkeypatch.setitem(LAWS, name, law)  # type: ignore[arg-type]
        species = [Species("A", 0), Species("X", 0), Species("Z", 0)]
        inside = {"A": 10.0, "X": 100.0, "Z": 10.0}
        pathways = (ghk("A", P_K), Pathway("pathways.leak", name, {"X": 1}, {"rate": 1e-6}), ghk("Z", P_K))
        return Model(
            species=by_name(species),
            compartments=by_name(
                [Compartment("cell", "finite", VOLUME, inside), Compartment("bath", "bath", None, dict(inside))]
            ),
            membranes=by_name([Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, 0.0, pathways)]),
            simulation=Simulation(**{"duration": 1000.0, **simulation}),
        )

    return build


def failure_of(model: Model) -> tuple[str, Trajectory]:
    with pytest.raises(SolverError) as caught:
        simulate(model)
    trajectory = caught.value.trajectory
    assert trajectory is not None
    assert trajectory.status == "failed"
    assert trajectory.run.message == str(caught.value)
    assert np.all(np.isfinite(trajectory.states))
    assert np.all(trajectory.states[:, :3] >= 0.0)
    assert np.all(np.diff(trajectory.time) > 0)
    assert trajectory.time[-1] == trajectory.run.end_time
    np.testing.assert_array_equal(trajectory.states[-1], trajectory.run.end_state)
    assert f"at t = {trajectory.run.end_time:.9g} s" in str(caught.value)
    return str(caught.value), trajectory


def concentration_leaves_at(rate: float) -> float:
    """mol m⁻³ s⁻¹ by which X falls at 1e-6 mol m⁻² s⁻¹ times ``rate``."""
    return 1e-6 * rate * AREA / VOLUME


def test_an_amount_that_would_become_negative(cell_with_law):
    """A constant rate: it ends at the moment at which nothing is left."""
    message, trajectory = failure_of(cell_with_law(lambda sides, stoichiometry, a: a["rate"]))
    assert "the amount of X in cell is used up" in message
    used_up = 100.0 / concentration_leaves_at(1.0)
    assert trajectory.run.end_time == pytest.approx(used_up, rel=1e-9)
    assert trajectory.run.end_time <= used_up * (1 + 1e-12)
    exact = 100.0 - concentration_leaves_at(1.0) * trajectory.time
    np.testing.assert_allclose(trajectory.concentration("cell", "X"), exact, rtol=0, atol=1e-6)


def test_too_many_steps():
    message, trajectory = failure_of(with_simulation(p1(), max_steps=20))
    assert "20 steps were not enough" in message
    assert "max_steps" in message
    statistics = trajectory.statistics
    assert statistics.steps + statistics.rejected == 20
    reference = simulate(with_recording(p1(), "steps"))
    np.testing.assert_array_equal(trajectory.run.end_state, reference.states[statistics.steps])


def test_steps_that_are_just_enough():
    needed = simulate(p1()).statistics
    most = needed.steps + needed.rejected
    assert simulate(with_simulation(p1(), max_steps=most)).status == "done"
    failure_of(with_simulation(p1(), max_steps=most - 1))


def not_a_number_below_half(sides: Any, stoichiometry: Any, a: Any) -> Any:
    """Smooth down to 50 mM, and not a number below."""
    return a["rate"] * (1.0 + 1e-3 * (sides.inside["X"] - 50.0) ** 2.5)


def test_a_law_that_becomes_nan(cell_with_law):
    message, trajectory = failure_of(cell_with_law(not_a_number_below_half))
    assert "not finite" in message
    assert trajectory.concentration("cell", "X")[-1] == pytest.approx(50.0, abs=1e-6)


def test_the_state_named_is_the_one_that_is_not_a_number(cell_with_law):
    message, _ = failure_of(cell_with_law(not_a_number_below_half))
    assert "amount of X in cell" in message


def test_a_law_that_is_nan_from_the_start(cell_with_law):
    model = cell_with_law(lambda sides, stoichiometry, a: a["rate"] * log(sides.inside["X"] - 200.0))
    message, trajectory = failure_of(model)
    assert "not finite" in message
    assert trajectory.run.end_time == 0.0
    assert len(trajectory) == 1


def test_a_step_that_becomes_too_small(cell_with_law):
    """dc/dt = + r c²/100 is infinite at the finite time 100 / (100 r)."""
    model = cell_with_law(lambda sides, stoichiometry, a: -a["rate"] * (sides.inside["X"] / 100.0) ** 2)
    message, trajectory = failure_of(model)
    assert "the step size became too small" in message
    assert "amount of X in cell" in message
    assert trajectory.run.end_time == pytest.approx(100.0 / concentration_leaves_at(1.0), rel=1e-6)


def test_failure_is_the_same_however_it_is_recorded(cell_with_law, monkeypatch):
    model = cell_with_law(lambda sides, stoichiometry, a: a["rate"])
    message, trajectory = failure_of(model)
    set_block(monkeypatch, 3)
    monkeypatch.setattr(simulate_module, "BUDGET", 4)
    for spacing in ("linear", "steps"):
        other_message, other = failure_of(with_recording(model, spacing))
        assert other_message == message
        same_run(other, trajectory)


# -- near zero --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rtol", [1e-3, 1e-5, 1e-7, 1e-9])
def test_a_species_that_is_washed_out_never_becomes_negative(rtol):
    """Down by a factor 1e188, between steps of the solver too; the steps do not shrink with the amount."""
    model = with_recording(single_ion(0, outside=0.0), points=20_001)
    trajectory = simulate(with_simulation(model, rtol=rtol))
    c = trajectory.concentration("cell", "X")
    assert np.all(c >= 0.0)
    exact = 100.0 * np.exp(-P_K * AREA / VOLUME * trajectory.time)
    assert np.abs(c - exact).max() <= 100.0 * rtol
    assert trajectory.statistics.steps + trajectory.statistics.rejected < 600


@pytest.mark.parametrize("rtol", [1e-4, 1e-7])
def test_an_ion_that_is_washed_out_never_becomes_negative(rtol):
    """K leaves a cell whose bath has none, in exchange for Na."""
    model = p1()
    bath = replace(model.compartments["bath"], concentrations={"K": 0.0, "Na": 150.0, "Cl": 150.0})
    model = replace(model, compartments={**model.compartments, "bath": bath})
    model = with_simulation(with_recording(model, points=20_001), duration=1e6, rtol=rtol)
    trajectory = simulate(model)
    assert np.all(trajectory.states[:, :3] >= 0.0)
    assert trajectory.concentration("cell", "K")[-1] <= 100 * rtol
    assert trajectory.statistics.steps + trajectory.statistics.rejected < 600


def test_a_species_that_starts_from_nothing():
    trajectory = simulate(with_simulation(single_ion(0, inside=0.0), rtol=1e-9))
    exact = 10.0 * -np.expm1(-P_K * AREA / VOLUME * trajectory.time)
    np.testing.assert_allclose(trajectory.concentration("cell", "X"), exact, rtol=0, atol=1e-8)


# -- nothing to integrate ---------------------------------------------------------------------------------------------


def test_a_model_without_states():
    """Two baths and a cell that nothing enters: every sample is empty, and the run is done."""
    model = p1()
    bath = model.compartments["bath"]
    baths = {"bath": bath, "other": replace(bath, name="other")}
    wall = replace(model.membranes["plasma"], inside="bath", outside="other")
    model = replace(model, compartments=baths, membranes={"plasma": wall})
    trajectory = simulate(with_recording(model, points=5))
    assert trajectory.states.shape == (5, 0)
    assert trajectory.status == "done"
    assert trajectory.run.end_time == 36_000.0


def test_what_decays_to_nothing_does_not_hold_up_the_run():
    """A solute that leaves for a bath without any falls below the smallest double, and the steps still grow."""
    model = single_ion(0, inside=100.0, outside=0.0)
    trajectory = simulate(with_simulation(model, duration=1e9))
    left = trajectory.amount("cell", "X")
    assert (left >= 0.0).all()
    assert left[-1] < 1e-60
    assert trajectory.statistics.steps + trajectory.statistics.rejected < 3000
