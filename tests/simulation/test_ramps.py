"""Parameters that move: ramps, parameters made of time, and what is kept of a model between runs."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from iontide import run
from iontide.equations.assembly import build_program, structure_of
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Compartment,
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
    Species,
)
from iontide.model.schedule import segments_of
from iontide.simulation.prepare import prepare
from iontide.simulation.trajectory import Trajectory
from tests.support.models import (
    AREA,
    CAPACITANCE,
    VOLUME,
    by_name,
    ohmic,
    p1,
    pump_leak,
    with_recording,
    with_simulation,
)


def leaky(current: Any, parameters: dict[str, Any], protocol: tuple[ParameterStep, ...] = (), **changes: Any) -> Model:
    """An RC circuit: 1 S/m², 1 µF/cm² (10 ms), E_K = 0, so big that K stays; ``current`` is injected (A)."""
    given: dict[str, Any] = {"recording": Recording("linear", 401), "simulation": Simulation(0.2, 1e-9), **changes}
    return Model(
        title="RC circuit",
        species=by_name([Species("K", 1)]),
        compartments=by_name(
            [
                Compartment("cell", "finite", 1.0, {"K": 100.0}, (Impermeant("A", -1.0),)),
                Compartment("bath", "bath", None, {"K": 100.0}),
            ]
        ),
        membranes=by_name(
            [Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, potential=0.0, pathways=(ohmic("K", 1.0),))]
        ),
        parameters={name: Parameter(name, value) for name, value in parameters.items()},
        injections=(Injection("electrode", "cell", None, current),),
        protocol=protocol,
        **given,
    )


TAU = CAPACITANCE / 1.0
#: A, that hold the circuit at 10 mV.
HOLD = 0.01 * AREA


def circuit(drive: Callable[[float], float], trajectory: Trajectory) -> NDArray:
    """V of the circuit by SciPy, ``drive`` being the injected current over the conductance, V."""
    y, found = np.array([0.0]), []
    for number, segment in enumerate(trajectory.run.segments):
        own = trajectory.time[trajectory.segment == number]
        result = scipy.integrate.solve_ivp(
            lambda t, v: (drive(t) - v) / TAU,
            (segment.start, segment.end),
            y,
            "DOP853",
            t_eval=own,
            rtol=1e-12,
            atol=1e-15,
            max_step=2e-3,
        )
        found.append(result.y[0])
        y = result.y[:, -1]
    return np.concatenate(found)


def test_a_ramp_is_a_straight_line_to_the_last_bit_at_its_ends() -> None:
    model = leaky(parse_formula("i"), {"i": 0.0}, (ParameterStep(0.05, None, {"i": HOLD}, over=0.1),))
    trajectory = run(model)
    t, i = trajectory.time, trajectory.parameter("i")
    expected = HOLD * np.clip((t - 0.05) / 0.1, 0.0, 1.0)
    np.testing.assert_allclose(i, expected, rtol=1e-13, atol=1e-14 * HOLD)
    assert (i[t <= 0.05] == 0.0).all()
    assert (i[trajectory.segment == 2] == HOLD).all()
    # V of an RC circuit under a ramp of slope s: s (t − tau (1 − exp(−t / tau))).
    up = trajectory.segment == 1
    since = t[up] - 0.05
    v = 0.01 / 0.1 * (since - TAU * -np.expm1(-since / TAU))
    np.testing.assert_allclose(trajectory.membrane_potential("plasma")[up], v, atol=1e-10)


@pytest.mark.parametrize(("start", "over"), [(1000.1, 0.3), (0.1, 0.2), (0.7, 0.1), (123.4, 567.8), (1e5 / 3, 1e-3)])
def test_a_ramp_ends_however_its_times_are_rounded(start: float, over: float) -> None:
    model = replace(pump_leak(), protocol=(ParameterStep(start, None, {"pump_rate": 0.0}, over=over),))
    last = segments_of(model)[-1]
    assert last.settings == {"pump_rate": 0.0}
    assert not last.slopes


def test_two_ramps_one_after_the_other_then_a_step_and_back() -> None:
    protocol = (
        ParameterStep(0.02, None, {"i": HOLD}, over=0.03),
        ParameterStep(0.05, None, {"i": -HOLD}, over=0.05),
        ParameterStep(0.13, 0.15, {"i": 2 * HOLD}),
    )
    trajectory = run(leaky(parse_formula("i"), {"i": 0.0}, protocol))
    t, number = trajectory.time, trajectory.segment
    expected = np.interp(t, [0.0, 0.02, 0.05, 0.1, 0.2], np.array([0.0, 0.0, 1.0, -1.0, -1.0]) * HOLD)
    during = (t > 0.13) & (t < 0.15) | (np.isin(t, [0.13, 0.15]) & (number == 4))
    expected[during] = 2 * HOLD
    assert [(s.start, s.end) for s in trajectory.run.segments][4] == (0.13, 0.15)
    np.testing.assert_allclose(trajectory.parameter("i"), expected, rtol=1e-12, atol=1e-13 * HOLD)
    steps = [0.0, 0.02, 0.05, 0.1, 0.13, 0.15, 0.2]
    levels = [(0, 0), (0, 1), (1, -1), (-1, -1), (2, 2), (-1, -1)]

    def drive(time: float) -> float:
        # Within a segment SciPy asks for both of its ends: the ramps meet there, the step does not.
        k = next(k for k, s in enumerate(ends) if time <= s + 1e-15)
        a, b = levels[k]
        return 0.01 * (a + (b - a) * (time - steps[k]) / (steps[k + 1] - steps[k]))

    # Piecewise: SciPy starts anew in each.
    y, found = np.array([0.0]), []
    for k in range(6):
        ends = [s if j >= k else -1.0 for j, s in enumerate(steps[1:])]
        own = t[number == k]
        result = scipy.integrate.solve_ivp(
            lambda time, v: (drive(time) - v) / TAU, (steps[k], steps[k + 1]), y, "DOP853", t_eval=own, rtol=1e-12,
            atol=1e-15,
        )  # fmt: skip
        found.append(result.y[0])
        y = result.y[:, -1]
    np.testing.assert_allclose(trajectory.membrane_potential("plasma"), np.concatenate(found), atol=1e-9)


def test_a_ramp_takes_over_from_another_where_that_one_has_come_to() -> None:
    protocol = (
        ParameterStep(0.0, None, {"i": HOLD}, over=0.1),
        ParameterStep(0.05, None, {"i": 0.0}, over=0.1),
    )
    trajectory = run(leaky(parse_formula("i"), {"i": 0.0}, protocol))
    expected = np.interp(trajectory.time, [0.0, 0.05, 0.15, 0.2], np.array([0.0, 0.5, 0.0, 0.0]) * HOLD)
    np.testing.assert_allclose(trajectory.parameter("i"), expected, atol=1e-13 * HOLD)


@pytest.mark.parametrize("over", [0.0, 0.05])
def test_the_protocol_cannot_set_what_is_made_of_time(over: float) -> None:
    parameters = {"i": parse_formula(f"{HOLD!r} * t / 200 ms")}
    with pytest.raises(ValueError, match="the protocol sets i, which depends on time"):
        leaky(parse_formula("i"), parameters, (ParameterStep(0.1, None, {"i": 0.0}, over=over),))


def test_the_protocol_cannot_set_to_what_moves() -> None:
    protocol = (
        ParameterStep(0.0, None, {"i": HOLD}, over=0.2),
        ParameterStep(0.1, None, {"k": parse_formula("2 * i")}),
    )
    with pytest.raises(ValueError, match="the protocol sets k to a value that changes with time"):
        leaky(parse_formula("i + k"), {"i": 0.0, "k": 0.0}, protocol)


def test_what_is_made_of_a_ramped_parameter_moves_with_it() -> None:
    protocol = (ParameterStep(0.0, None, {"i": HOLD}, over=0.2),)
    parameters = {"i": 0.0, "twice": parse_formula("2 * i")}
    trajectory = run(leaky(parse_formula("twice - i"), parameters, protocol))
    np.testing.assert_allclose(trajectory.parameter("twice"), 2 * HOLD * trajectory.time / 0.2, atol=1e-13 * HOLD)
    v = 0.01 / 0.2 * (trajectory.time - TAU * -np.expm1(-trajectory.time / TAU))
    np.testing.assert_allclose(trajectory.membrane_potential("plasma"), v, atol=1e-10)


def test_a_ramp_and_a_curve_make_the_same_as_one_written_with_t() -> None:
    ramped = run(leaky(parse_formula("i"), {"i": 0.0}, (ParameterStep(0.0, None, {"i": HOLD}, over=0.2),)))
    written = run(leaky(parse_formula("i"), {"i": parse_formula(f"{HOLD!r} * t / 200 ms")}))
    np.testing.assert_allclose(written.parameter("i"), ramped.parameter("i"), rtol=1e-13)
    np.testing.assert_allclose(written.states, ramped.states, atol=1e-12)


def test_time_goes_on_over_protocol_steps() -> None:
    # A formula over t means the time of the run, not of the segment.
    wave = parse_formula(f"{HOLD!r} * tanh(t / 50 ms)")
    parameters = {"i": wave, "other": 0.0}
    protocol = (ParameterStep(0.07, 0.11, {"other": 1.0}),)
    trajectory = run(leaky(parse_formula("i"), parameters, protocol))
    np.testing.assert_allclose(trajectory.parameter("i"), HOLD * np.tanh(trajectory.time / 0.05), rtol=1e-12)
    v = circuit(lambda t: 0.01 * float(np.tanh(t / 0.05)), trajectory)
    np.testing.assert_allclose(trajectory.membrane_potential("plasma"), v, atol=1e-9)


def test_the_order_is_kept_where_the_equations_depend_on_time() -> None:
    # A sine by Taylor would not do: exp(−(t − t0)²) is smooth and has all derivatives.
    wave = parse_formula(f"{HOLD!r} * exp(-((t - 100 ms) / 20 ms)^2)")
    model = leaky(wave, {}, recording=Recording("linear", 41))
    reference = circuit(lambda t: 0.01 * float(np.exp(-(((t - 0.1) / 0.02) ** 2))), run(model))
    errors, steps = [], []
    for tolerance in (1e-5, 1e-7, 1e-9):
        trajectory = run(with_simulation(model, rtol=tolerance))
        errors.append(float(np.max(np.abs(trajectory.membrane_potential("plasma") - reference))))
        steps.append(trajectory.statistics.steps)
    # Order 5: an error that falls as the fifth power of the number of steps; with a missing ∂f/∂t it would be 1.
    order = np.log(errors[0] / errors[2]) / np.log(steps[2] / steps[0])
    assert order > 4.0
    assert errors[1] < 1e-6
    assert errors[2] < 1e-8


def test_a_ramped_pump_takes_its_cell_from_one_rest_to_the_other() -> None:
    fast = pump_leak()
    slow = replace(fast, protocol=(ParameterStep(10_000.0, None, {"pump_rate": 0.7e-6}, over=5_000.0),))
    step = replace(fast, protocol=(ParameterStep(10_000.0, None, {"pump_rate": 0.7e-6}),))
    a, b = run(with_simulation(slow, duration=1e5)), run(with_simulation(step, duration=1e5))
    np.testing.assert_allclose(a.run.end_state, b.run.end_state, rtol=1e-6)


# -- what is kept between runs ----------------------------------------------------------------------------------------


def program_of(model: Model) -> Any:
    return build_program(model)[1]


def test_models_of_equal_structure_share_their_program() -> None:
    model = pump_leak()
    other = replace(
        model,
        temperature=300.0,
        parameters={"pump_rate": Parameter("pump_rate", 2e-6)},
        protocol=(ParameterStep(5.0, 6.0, {"pump_rate": 1e-6}),),
        simulation=Simulation(77.0),
    )
    assert structure_of(other) == structure_of(model)
    assert program_of(other) is program_of(model)


def variant(kind: str) -> Model:
    """A model that differs from ``pump_leak`` in one thing that the tape must know of."""
    model = pump_leak()
    plasma, cell = model.membranes["plasma"], model.compartments["cell"]
    first, *rest = plasma.pathways
    changed: dict[str, Callable[[], Model]] = {
        "law": lambda: with_pathway(model, replace(first, law="ohmic"), rest),
        "stoichiometry": lambda: with_pathway(
            model, first, [*rest[:-1], replace(rest[-1], stoichiometry={"Na": 2, "K": -2})]
        ),
        "formula of V": lambda: with_pathway(model, replace(first, arguments={"": parse_formula("V * 1 m/s/V")}), rest),
        "other formula of V": lambda: with_pathway(
            model, replace(first, arguments={"": parse_formula("V * 2 m/s/V")}), rest
        ),
        "water": lambda: replace(model, compartments={**model.compartments, "cell": replace(cell, water="osmotic")}),
        "sphere": lambda: replace(model, membranes={"plasma": replace(plasma, geometry="sphere")}),
        "permeability to water": lambda: replace(
            model,
            membranes={"plasma": replace(plasma, water_permeability=1e-5)},
            compartments={**model.compartments, "cell": replace(cell, water="osmotic")},
        ),
        "ramp": lambda: replace(model, protocol=(ParameterStep(1.0, None, {"pump_rate": 0.0}, over=2.0),)),
        "time": lambda: replace(
            model, parameters={"pump_rate": Parameter("pump_rate", parse_formula("t * 1e-9"))}, protocol=()
        ),
        "other time": lambda: replace(
            model, parameters={"pump_rate": Parameter("pump_rate", parse_formula("t * 2e-9"))}, protocol=()
        ),
        "temperature": lambda: replace(model, temperature=parse_formula("310 K + t * 1e-3 K/s")),
        "gate": lambda: with_pathway(model, replace(first, gates=(Gate("m", 1.0, 1.0),)), rest),
        "gate at once": lambda: with_pathway(model, replace(first, gates=(Gate("m", steady=0.5),)), rest),
        "gate with a time": lambda: with_pathway(
            model, replace(first, gates=(Gate("m", steady=0.5, time_constant=1.0),)), rest
        ),
        "valence": lambda: replace(model, species={**model.species, "Cl": Species("Cl", -2)}),
    }
    return changed[kind]()


def with_pathway(model: Model, first: Pathway, rest: Any) -> Model:
    return replace(model, membranes={"plasma": replace(model.membranes["plasma"], pathways=(first, *rest))})


KINDS = (
    "law", "stoichiometry", "formula of V", "other formula of V", "water", "sphere", "permeability to water", "ramp",
    "time", "other time", "temperature", "gate", "gate at once", "gate with a time", "valence",
)  # fmt: skip


def test_models_of_other_structure_do_not_share_their_program() -> None:
    models = [pump_leak(), *map(variant, KINDS)]
    forms = [structure_of(m) for m in models]
    assert len(set(forms)) == len(forms)


def test_runs_are_repeatable_to_the_last_bit() -> None:
    model = with_recording(pump_leak(), "linear", points=101)
    first = run(model)
    assert prepare(model) is prepare(model)
    again, anew = run(model), run(replace(model))
    for other in (again, anew):
        assert np.array_equal(first.states, other.states)
        assert first.statistics == other.statistics


def test_a_model_that_was_changed_is_prepared_anew() -> None:
    model = with_recording(pump_leak(), "linear", points=11)
    before = run(model)
    other = replace(model, parameters={"pump_rate": Parameter("pump_rate", 0.0)})
    assert prepare(other) is not prepare(model)
    assert not np.array_equal(run(other).states[-1], before.states[-1])
    assert np.array_equal(run(model).states, before.states)


def test_preparations_go_when_their_models_do() -> None:
    from iontide.simulation.prepare import _prepared

    gc.collect()
    count = len(_prepared)
    # Short-lived models take each other's place in memory, and so their id: none may find what another left.
    ends = []
    for i in range(20):
        model = with_simulation(with_recording(p1(), "linear", points=3), duration=10.0 + i)
        ends.append(run(model).time[-1])
        del model
    assert ends == [10.0 + i for i in range(20)]
    gc.collect()
    assert len(_prepared) <= count + 1


def test_an_order_of_runs_does_not_matter() -> None:
    kinds = ("permeability to water", "ramp", "gate with a time", "time")
    plain = [run(with_simulation(variant(k), duration=100.0)).states for k in kinds]
    for k, states in reversed(list(zip(kinds, plain, strict=True))):
        assert np.array_equal(run(with_simulation(variant(k), duration=100.0)).states, states)


def test_the_scale_of_what_is_not_there_at_first_comes_from_the_bath() -> None:
    # 1 mM where nothing is known; a thousandth of 150 mM where a bath has it.
    model = p1()
    cell = model.compartments["cell"]
    empty = replace(cell, concentrations={**cell.concentrations, "Cl": 0.0}, impermeants=(Impermeant("A", -1.0),))
    prepared = prepare(replace(model, compartments={**model.compartments, "cell": empty}))
    place = prepared.layout.amount_index["cell", "Cl"]
    assert prepared.layout.scales(prepared.values[0])[place] == pytest.approx(0.15 * VOLUME)
