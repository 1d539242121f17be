"""PHYSICS §9 over random models built from everything that the language has, and the symmetries of such models.

Each test says what it leaves out and why its law would not hold there; ``test_…_can_fail`` show that the checks see a
fault. ``HYPOTHESIS_PROFILE=ci`` looks at more models, the ``slow`` mark is on the test that looks at many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import iontide
from iontide import storage
from iontide.constants import GAS_CONSTANT as R
from iontide.equations import assembly as equations
from iontide.equations.assembly import build_program
from iontide.equations.clamp_rows import Rows
from iontide.equations.evaluation import Evaluation
from iontide.equations.states import ABSOLUTE_FRACTION
from iontide.errors import ScenarioError, SolverError
from iontide.formulas.formula import Formula, parse_formula
from iontide.kernel.layout.problem import RELATIVE
from iontide.model.model import Model
from iontide.model.serialization import canonical_json, model_from_json, model_to_json
from iontide.simulation.prepare import prepare
from iontide.simulation.simulate import Integration
from iontide.simulation.trajectory import Trajectory
from tests.simulation.test_clamps import held_cell
from tests.simulation.test_volume import bag
from tests.support.models import closed_pair, series, single_ion, with_recording, with_simulation
from tests.support.plain_audit import charge_excess, free_energy, held, mass_excess, rates
from tests.support.random_models import DRIVES, models, turned

#: What the hypothesis profile asks for; each test takes its share, for a new structure costs a compilation.
EXAMPLES = settings().max_examples


def share(percent: int) -> Callable:
    return settings(max_examples=max(1, percent * EXAMPLES // 100), deadline=None)


def ended(model: Model) -> Trajectory:
    """A run to wherever it goes: it finishes, or stops and says what, where and when.

    One that has no start is left out: without a capacitance, a pump far stronger than all leaks.
    """
    try:
        return iontide.run(model)
    except ScenarioError as error:
        message, trajectory = str(error), None
    except SolverError as error:
        message, trajectory = str(error), error.trajectory
    if trajectory is None:
        assert re.search(r"compartments\.\w+: no potential is found for", message), message
        reject()
    assert re.match(r"the run stopped at t = [-+.e0-9]+ s: .*\b(in|of) \w+", message), message
    assert trajectory.status == "failed"
    return trajectory


def finished(model: Model) -> Trajectory:
    """A run that reaches its end; others are not looked at."""
    trajectory = ended(model)
    if trajectory.status == "failed":
        reject()
    return trajectory


#: Amount of one molecule, mol.
PARTICLE = 1.7e-24

# -- 1, 2: conservation; no negative amount, no NaN -----------------------------------------------------------------


def check_what_is_kept(trajectory: Trajectory) -> None:
    layout = trajectory.run.layout
    assert np.isfinite(trajectory.states).all()
    assert (trajectory.states[:, : layout.nonnegative] >= 0.0).all()
    np.testing.assert_array_equal(trajectory.states[-1], trajectory.run.end_state)
    assert (np.diff(trajectory.time) >= 0.0).all()
    # Of less than one particle the logarithm in a law is so steep that the linear algebra rounds the rest away.
    amounts = trajectory.states[:, : len(layout.amounts)]
    there = np.logical_and.accumulate((amounts > PARTICLE).all(axis=1))
    for excesses in (charge_excess(trajectory), mass_excess(trajectory)):
        for name, excess in excesses:
            assert np.abs(excess[there]).max(initial=0.0) < 1e-10, name


@given(models(features=8))
@share(80)
def test_a_run_keeps_charge_and_mass_or_stops_with_a_sentence(model):
    check_what_is_kept(ended(model))


@pytest.mark.slow
@given(models(features=12, most=4))
@share(400)
def test_many_runs_keep_charge_and_mass_or_stop_with_a_sentence(model):
    check_what_is_kept(ended(model))


@given(models(features=8), st.sampled_from(["steps", "list", "linear"]))
@share(20)
def test_however_it_is_recorded(model, spacing):
    times = (0.0, 1e-3, 77.0, 500.0, 1999.0)
    given = {"list": {"times": times}, "linear": {"points": 40}}.get(spacing, {})
    check_what_is_kept(ended(with_recording(model, spacing, **given)))


# -- 3: Ussing, and detailed balance at equilibrium -----------------------------------------------------------------


def check_ussing(trajectory: Trajectory) -> None:
    for m in trajectory.model.membranes.values():
        leaks = {x for p in m.pathways if p.law == "ghk" for x in p.stoichiometry}
        for x in leaks:
            efflux, influx = trajectory.unidirectional_fluxes(m.name, x)
            force = trajectory.driving_force(m.name, x) / (R * trajectory.temperature)
            there = (efflux > 1e-200) & (influx > 1e-200)
            ratio = np.log(efflux[there] / influx[there])
            np.testing.assert_allclose(ratio, force[there], rtol=1e-12, atol=1e-11)


@given(models())
@share(20)
def test_one_way_fluxes_obey_ussing_all_along(model):
    check_ussing(ended(model))


#: What a passive model may have; two solutions that are kept and differ drive something for ever.
PASSIVE = {*DRIVES, "floating bath"}


def consistent(model: Model) -> Model:
    """Mass action is by concentrations: where activities differ, its equilibrium is not that of the transport."""
    if not model.reactions:
        return model
    plain = {name: replace(c, activity_coefficients={}, activity="ideal") for name, c in model.compartments.items()}
    return replace(model, compartments=plain)


@given(models(without=PASSIVE).map(consistent))
@share(20)
def test_a_passive_model_ends_in_detailed_balance(model):
    """Every pathway as fast one way as the other: its cycle's driving force is 0, whatever its law."""
    trajectory = finished(with_simulation(model, duration=1e13, rtol=1e-9, stop_at_steady_state=True))
    assume(trajectory.status == "steady")
    end = trajectory.part(slice(-1, None))
    for m in model.membranes.values():
        for p in m.pathways:
            if p.gates:  # it may have shut, and then it equilibrates nothing
                continue
            force = sum(count * end.driving_force(m.name, x)[0] for x, count in p.stoichiometry.items())
            assert abs(force) < 1e-5 * R * end.temperature[0], (m.name, p.name)


# -- 4: free energy -------------------------------------------------------------------------------------------------


def check_free_energy(trajectory: Trajectory) -> None:
    energy, size = free_energy(trajectory)
    lost = energy.max() - energy.min()
    assert (energy - np.minimum.accumulate(energy) <= 1e-5 * lost + 1e-13 * size).all()


@given(models(without={*PASSIVE, "activity model", "geometry", "reflection"}).map(consistent))
@share(20)
def test_free_energy_falls_all_along_in_a_passive_model(model):
    """In ideal solutions, without clamps, currents or pumps; see ``free_energy`` for what else must be left out."""
    check_free_energy(ended(with_recording(model, "steps")))


# -- 5: where it ends is the root of the steady-state equations -----------------------------------------------------


@given(models(without={"clamp", "ion clamp", "event"}), st.randoms(use_true_random=False))
@share(20)
def test_the_equations_are_those_summed_up_by_hand(model, random):
    """What the program says of any state is what plain sums over the laws say."""
    trajectory = ended(model)
    start = trajectory.run.initial.y
    y = np.array([v * random.uniform(0.5, 2.0) for v in start])
    _, program = build_program(model)
    assume(program is not None)
    constants, _ = program.prepare_all(trajectory.run.values)
    found, plain = program.evaluate_rates(0.0, y, constants[-1]), rates(trajectory, y)
    size = np.abs(rates(trajectory, start)) + np.abs(plain)
    np.testing.assert_allclose(found, plain, rtol=1e-9, atol=1e-12 * size.max())


def root_nearby(trajectory: Trajectory, random: Any) -> tuple[NDArray, NDArray]:
    """The steady state that has what the end has of all that is conserved, by Newton's method from nearby.

    What is conserved is found from the rates of random states: every sum of them that is always 0. Returns the end
    and the root, in units of the states.
    """
    end = trajectory.run.end_state
    n = len(end)
    problem = prepare(trajectory.model).problem
    scales = problem.absolute / (ABSOLUTE_FRACTION * problem.options[RELATIVE])
    unit = np.maximum(np.abs(end), 1e-3 * scales)

    def f(x: NDArray) -> NDArray:
        return rates(trajectory, unit * x)

    here = end / unit
    jitter = [np.array([random.uniform(0.8, 1.25) for _ in range(n)]) for _ in range(2 * n)]
    sample = np.array([f(here * j) for j in jitter]).T
    largest = np.abs(sample).max(axis=1)
    weight = 1.0 / np.where(largest > 0.0, largest, unit)
    u, s, _ = np.linalg.svd(sample * weight[:, None])
    rank = int((s > 1e-11 * s[0]).sum())
    kept = u[:, rank:].T * weight  # rows that no state moves

    def conserved(x: NDArray) -> NDArray:
        return kept @ held(trajectory, unit * x)

    goal = conserved(here)

    def residual(x: NDArray) -> NDArray:
        return np.concatenate((f(x) * weight, (conserved(x) - goal) * grain))

    grain = np.ones(len(goal))
    x = here * (1.0 + 0.01 * np.array([random.uniform(-1, 1) for _ in range(n)]))
    slopes = _slopes(conserved, here)
    grain = 1.0 / np.maximum(np.abs(slopes).max(axis=1), 1e-300) if len(goal) else grain
    for _ in range(30):
        jacobian = _slopes(residual, x)
        row = 1.0 / np.maximum(np.abs(jacobian).max(axis=1), 1e-300)
        move = np.linalg.lstsq(jacobian * row[:, None], -residual(x) * row, rcond=1e-15)[0]
        x = x + move * min(1.0, 0.2 / max(np.abs(move).max(), 1e-300))
        if np.abs(move).max() < 1e-8:
            break
    return here, x


def _slopes(function: Callable[[NDArray], NDArray], x: NDArray) -> NDArray:
    """Jacobian by differences."""
    here, columns = function(x), []
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = 1e-7
        columns.append((function(x + step) - here) / 1e-7)
    return np.array(columns).T


@given(
    models(without={"clamp", "ion clamp", "event", "protocol", "ramp", "warming", "source"}, features=5),
    st.randoms(use_true_random=False),
)
@share(20)
def test_the_end_is_the_root_of_the_steady_state_equations(model, random):
    """In and out of equilibrium; a source without a sink brings no steady state, and Newton's method is lost in the
    exponentials of potentials that no cell has.
    """
    trajectory = finished(with_simulation(model, duration=1e10, rtol=1e-10, stop_at_steady_state=True))
    assume(trajectory.status == "steady" and trajectory.run.layout.size)
    # What is used up to the last particle leaves no trace in the equations of how much of all else is where.
    assume((trajectory.run.end_state[: trajectory.run.layout.nonnegative] > PARTICLE).all())
    assume(all(abs(trajectory.membrane_potential(m)[-1]) < 0.3 for m in model.membranes))
    here, found = root_nearby(trajectory, random)
    np.testing.assert_allclose(found, here, rtol=1e-6, atol=1e-6)


# -- 6: tolerance ---------------------------------------------------------------------------------------------------


def in_tolerances(first: Trajectory, second: Trajectory, tolerance: float) -> NDArray:
    """Largest difference at each sample, in the tolerance times the size of a state: its own, or its natural one."""
    problem = prepare(first.model).problem
    natural = problem.absolute / (ABSOLUTE_FRACTION * problem.options[RELATIVE])
    apart = np.abs(first.states - second.states)
    return (apart / (tolerance * np.maximum(natural, np.abs(second.states)))).max(axis=1)


@given(models(without={"event"}, features=5), st.sampled_from([1e-5, 1e-6, 1e-7]))
@share(20)
def test_halving_the_tolerance_moves_no_answer_by_more_than_the_tolerance(model, tolerance):
    """Within a few tolerances, for the errors of steps add up; at the samples between two steps as at a step's end."""
    check_halving(model, tolerance)


def check_halving(model: Model, tolerance: float = 1e-6) -> None:
    given, half = (finished(with_simulation(model, rtol=t)) for t in (tolerance, tolerance / 2))
    assume(given.run.layout.size)
    apart = in_tolerances(given, half, tolerance)
    assert apart.max() < 5.0


# -- symmetries -----------------------------------------------------------------------------------------------------

TOLERANCE = 1e-9


def tight(model: Model) -> Trajectory:
    """The model, run so exactly that what rounding does to the steps does not show."""
    return finished(with_simulation(model, rtol=TOLERANCE))


def assert_same(first: Trajectory, second: Trajectory, turned_around: frozenset[str] = frozenset()) -> None:
    """The same concentrations, volumes and membrane potentials along the way; of some membranes the sides swapped."""
    np.testing.assert_array_equal(first.time, second.time)
    highest = max(np.abs(first.potential(c)).max() for c in first.model.compartments)  # V; a rinse may do anything
    for name, c in first.model.compartments.items():
        for x in c.concentrations:
            a, b = first.concentration(name, x), second.concentration(name, x)
            np.testing.assert_allclose(a, b, rtol=50 * TOLERANCE, atol=50 * TOLERANCE)
        if c.is_finite:
            np.testing.assert_allclose(first.volume(name), second.volume(name), rtol=50 * TOLERANCE)
    for m in first.model.membranes:
        sign = -1.0 if m in turned_around else 1.0
        a, b = first.membrane_potential(m), sign * second.membrane_potential(m)
        np.testing.assert_allclose(a, b, atol=50 * TOLERANCE * max(1.0, highest))
        for x in first.ions(m):
            a, b = first.flux(m, x), sign * second.flux(m, x)
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4 * np.abs(a).max() + 1e-20)


@given(models(without={"event"}, features=5))
@share(12)
def test_inside_and_outside_are_only_names(model):
    """Swapped, with all that has a sign; not where a wall, an area or the Na/K pump belongs to the inside, nor where a
    current that nothing can carry drives a potential beyond all that the tolerance was chosen for.
    """
    others = {name: turned(m) for name, m in model.membranes.items()}
    swapped = frozenset(name for name, m in others.items() if m is not None)
    assume(swapped)
    clamps = tuple(
        replace(c, holds=tuple(replace(h, value=minus(h.value)) for h in c.holds)) if c.membrane in swapped else c
        for c in model.clamps
    )
    membranes = {name: m or model.membranes[name] for name, m in others.items()}
    first = tight(model)
    assume(all(np.abs(first.membrane_potential(m)).max() < 1.0 for m in model.membranes))
    assert_same(first, tight(replace(model, membranes=membranes, clamps=clamps)), swapped)


def minus(quantity: Any) -> Any:
    return parse_formula(f"0 - ({quantity.text})") if isinstance(quantity, Formula) else -quantity


@given(models(without={"event"}, features=5))
@share(12)
def test_the_order_in_which_things_are_named_does_not_matter(model):
    """Not even where it chooses another compartment for the ground."""

    def backwards(mapping: Any) -> dict:
        return dict(reversed(mapping.items()))

    other = replace(
        model,
        species=backwards(model.species),
        compartments={
            name: replace(c, concentrations=backwards(c.concentrations), impermeants=c.impermeants[::-1])
            for name, c in backwards(model.compartments).items()
        },
        membranes={
            name: replace(
                m,
                pathways=tuple(replace(p, stoichiometry=backwards(p.stoichiometry)) for p in m.pathways[::-1]),
                reflection=backwards(m.reflection),
            )
            for name, m in backwards(model.membranes).items()
        },
        injections=model.injections[::-1],
        reactions=model.reactions[::-1],
    )
    assert_same(tight(model), tight(other))


@given(models(without={"event", "geometry"}, features=5), st.floats(0.05, 0.95))
@share(12)
def test_a_membrane_may_be_split_in_two(model, part):
    """Except one whose area is that of the whole compartment."""
    membranes = dict(model.membranes)
    whole = next(iter(membranes.values()))
    membranes[whole.name] = replace(whole, area=part * whole.area)
    membranes["rest"] = replace(whole, name="rest", area=(1.0 - part) * whole.area)
    first, second = tight(model), tight(replace(model, membranes=membranes))
    for x in first.ions(whole.name):
        np.testing.assert_array_equal(second.flux("rest", x), second.flux(whole.name, x))
    assert_same(first, second)


@given(models(features=10))
@share(12)
def test_a_model_and_its_results_are_kept_to_the_bit(tmp_path_factory, model):
    document = model_to_json(model)
    again = model_from_json(json.loads(canonical_json(document)))
    assert again == model
    assert canonical_json(model_to_json(again)) == canonical_json(document)
    trajectory, other = ended(model), ended(again)
    assert trajectory.status == other.status
    np.testing.assert_array_equal(trajectory.states, other.states)
    folder = tmp_path_factory.mktemp("results")
    storage.stream(Integration(model), folder / "streamed.h5")
    for path in (trajectory.save(folder / "saved.h5"), folder / "streamed.h5"):
        opened = iontide.open(path)
        assert opened.model == model
        assert (opened.status, opened.run.message) == (trajectory.status, trajectory.run.message)
        assert opened.run.crossings == trajectory.run.crossings
        for name in ("time", "segment", "states"):
            np.testing.assert_array_equal(getattr(opened, name), getattr(trajectory, name))


@given(models(without={"event"}, features=5, always={"no capacitance"}))
@share(12)
def test_no_capacitance_is_the_limit_of_ever_less(model):
    """What a small capacitance changes is in proportion to it, once it is charged and while nothing jumps."""
    bare = [m for m in model.membranes.values() if not m.has_capacitance]
    assume(bare and not model.clamps)
    exact = tight(model)
    apart = []
    for capacitance in (1e-5, 1e-6):
        membranes = {m.name: replace(m, specific_capacitance=capacitance) for m in bare}
        starts = {
            name: replace(m, potential=float(exact.membrane_potential(name)[0]))
            for name, m in (model.membranes | membranes).items()
        }
        near = tight(replace(model, membranes=starts))
        ends = np.flatnonzero(np.diff(near.segment, append=-1))  # where each segment ends, before what comes jumps
        apart.append(
            max(np.abs((near.membrane_potential(m) - exact.membrane_potential(m))[ends]).max() for m in starts)
        )
    assert apart[1] < max(0.3 * apart[0], 1e-7)
    assert apart[1] < 1e-3


# -- that the checks can fail ---------------------------------------------------------------------------------------


def leaky_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part in a million of what crosses a membrane gets lost on the way."""
    move = equations._Equations._move

    def lossy(self: Any, source: Any, target: Any, name: str, amount: Any) -> None:
        move(self, source, target, name, amount)
        self.rows.add(self.layout.amount_index.get((target, name)), -1e-6 * amount)

    monkeypatch.setattr(equations._Equations, "_move", lossy)


def forgotten_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """The potential feels a thousandth less than the ions carry."""
    carry = Rows.carry
    monkeypatch.setattr(Rows, "carry", lambda self, source, target, i: carry(self, source, target, 0.999 * i))


def laws_that_see(monkeypatch: pytest.MonkeyPatch, see: Callable[[Any], Any]) -> None:
    """Laws that see other sides of a membrane than there are."""
    sides = Evaluation.sides
    monkeypatch.setattr(Evaluation, "sides", lambda self, membrane: see(sides(self, membrane)))


def fuller_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laws that see more inside than there is."""

    def more(sides):
        return {x: 1.1 * a for x, a in sides.inside_activity.items()}

    laws_that_see(monkeypatch, lambda sides: replace(sides, inside_activity=more(sides)))


def offset_potential(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laws that see a microvolt more than there is."""
    laws_that_see(monkeypatch, lambda sides: replace(sides, potential=sides.potential + 1e-6))


def warm_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laws that feel another temperature than there is."""
    laws_that_see(monkeypatch, lambda sides: replace(sides, temperature=1.001 * sides.temperature))


def uphill_water(monkeypatch: pytest.MonkeyPatch) -> None:
    """Water that goes where there is more of it."""
    flux = Evaluation.water_flux
    monkeypatch.setattr(Evaluation, "water_flux", lambda self, membrane: -0.1 * flux(self, membrane))


def counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousandth of what goes to one bath leaves twice."""
    move = equations._Equations._move

    def lopsided(self: Any, source: Any, target: Any, name: str, amount: Any) -> None:
        move(self, source, target, name, amount)
        if target == "right":
            self.rows.add(self.layout.amount_index.get((source, name)), -1e-3 * amount)

    monkeypatch.setattr(equations._Equations, "_move", lopsided)


def check_the_root(trajectory: Trajectory) -> None:
    here, found = root_nearby(trajectory, Random(1))
    np.testing.assert_allclose(found, here, rtol=1e-6, atol=1e-6)


def check_the_mirror(trajectory: Trajectory) -> None:
    model = trajectory.model
    membranes = {name: turned(m) for name, m in model.membranes.items()}
    assert_same(tight(model), tight(replace(model, membranes=membranes)), frozenset(membranes))


@pytest.mark.parametrize(
    ("fault", "build", "check"),
    [
        (leaky_amounts, closed_pair, check_what_is_kept),
        (forgotten_current, series, check_what_is_kept),
        (forgotten_current, lambda: held_cell("K"), check_what_is_kept),
        (fuller_inside, lambda: single_ion(0, 10.0, 10.0), check_free_energy),
        (warm_laws, closed_pair, check_ussing),
        (uphill_water, lambda: bag({"sucrose": 300.0}, {"sucrose": 600.0}, duration=300.0), check_free_energy),
        (counted_twice, series, check_the_root),
        (offset_potential, series, check_the_mirror),
    ],
)
def test_the_checks_can_fail(monkeypatch, fault, build, check):
    model = with_simulation(build(), stop_at_steady_state=check is check_the_root)
    check(ended(model))
    fault(monkeypatch)
    monkeypatch.setattr(equations, "_programs", {})
    # As another model, since what was prepared for it is kept.
    with pytest.raises(AssertionError):
        check(ended(replace(model, title="with a fault")))
