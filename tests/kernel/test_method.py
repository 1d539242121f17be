"""Rodas5P: identities of its tableau, a dense twin of its step, and its order, measured through the machine code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
import scipy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from iontide.kernel.integrator import events
from iontide.kernel.layout.tableau import GAMMA, NODES, ORDER, STAGES, TIME_WEIGHTS, A, C, H
from iontide.symbolic.expression import Graph, exp
from iontide.symbolic.tape import Program, assemble
from tests.kernel.test_codegen import linear_program, run_step
from tests.support.models import p1
from tests.symbolic.test_tape import machine_linearised, system_of, systems

# -- the tableau, transformed back ------------------------------------------------------------------------------------
# Hairer & Wanner, Solving ODEs II, IV.7: with Γ = (γ_ij) and α = (α_ij) of the untransformed method,
# C = I/γ − Γ⁻¹, A = α Γ⁻¹, and the weights m of u are b Γ⁻¹.

BIG_GAMMA = np.linalg.inv(np.eye(STAGES) / GAMMA - C)
ALPHA = A @ BIG_GAMMA
BETA = ALPHA + BIG_GAMMA
WEIGHTS = (A[7] + np.eye(STAGES)[7]) @ BIG_GAMMA
EMBEDDED = A[7] @ BIG_GAMMA

#: A rooted tree is the tuple of the trees at its root.
RootedTree = tuple


@cache
def trees_of(order: int) -> tuple[RootedTree, ...]:
    """All rooted trees with so many nodes."""
    return tuple(sorted(set(forests(order - 1, order - 1)))) if order > 1 else ((),)


def forests(nodes: int, largest: int) -> Iterator[tuple]:
    """All multisets of trees with so many nodes in all, each tree of at most ``largest`` nodes."""
    if nodes == 0:
        yield ()
        return
    for first in range(min(nodes, largest), 0, -1):
        for tree in trees_of(first):
            for rest in forests(nodes - first, first):
                yield tuple(sorted((tree, *rest)))


def size_of(tree: RootedTree) -> int:
    return 1 + sum(map(size_of, tree))


def density(tree: RootedTree) -> int:
    """γ(t): the product of the sizes of all subtrees."""
    return size_of(tree) * int(np.prod([density(t) for t in tree], dtype=int))


def elementary_weight(tree: RootedTree) -> NDArray:
    """Φ_i(t) of every stage (IV.7, theorem 7.4): β where a node has one branch, α where it has more."""
    matrix = BETA if len(tree) == 1 else ALPHA
    result = np.ones(STAGES)
    for branch in tree:
        result = result * (matrix @ elementary_weight(branch))
    return result


TREES = [(order, tree) for order in range(1, 6) for tree in trees_of(order)]


def test_there_are_as_many_trees_as_there_should_be():
    assert [len(trees_of(order)) for order in range(1, 7)] == [1, 1, 2, 4, 9, 20]


@pytest.mark.parametrize(("order", "tree"), TREES)
def test_order_conditions(order, tree):
    """b Φ(t) = 1/γ(t) for every tree of order ≤ 5; the embedded weights for every tree of order ≤ 4."""
    assert WEIGHTS @ elementary_weight(tree) == pytest.approx(1 / density(tree), abs=2e-14)
    if order <= ORDER - 1:
        assert EMBEDDED @ elementary_weight(tree) == pytest.approx(1 / density(tree), abs=2e-14)


def test_embedded_method_is_not_of_order_5():
    """Else the difference would not be an error of order 4."""
    worst = max(abs(EMBEDDED @ elementary_weight(t) - 1 / density(t)) for t in trees_of(5))
    assert worst > 1e-4


@pytest.mark.parametrize("theta", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(("order", "tree"), [(o, t) for o, t in TREES if o <= 4])
def test_order_conditions_of_the_interpolant(order, tree, theta):
    """b(θ) Φ(t) = θ^ρ/γ(t) for every tree of order ρ ≤ 4, anywhere in the step."""
    bow = H[0] + theta * (H[1] + theta * H[2])
    weights = theta * WEIGHTS + theta * (1 - theta) * (bow @ BIG_GAMMA)
    assert weights @ elementary_weight(tree) == pytest.approx(theta**order / density(tree), abs=5e-13)


def test_rows():
    """c_i = Σ α_ij, the weights of ∂f/∂t are Σ γ_ij, the weights sum to 1, all is explicit but for the diagonal γ."""
    np.testing.assert_allclose(ALPHA.sum(axis=1), NODES, rtol=0, atol=1e-13)
    np.testing.assert_allclose(BIG_GAMMA.sum(axis=1), TIME_WEIGHTS, rtol=0, atol=1e-13)
    assert WEIGHTS.sum() == pytest.approx(1.0, abs=4e-14)
    np.testing.assert_array_equal(np.triu(A), 0.0)
    np.testing.assert_array_equal(np.triu(C), 0.0)
    np.testing.assert_allclose(np.diag(BIG_GAMMA), GAMMA, rtol=1e-14)


def test_stiffly_accurate():
    """The last stage is evaluated at y_new before its own increment: b_i = α_8i + γ_8i; so with the embedded method."""
    np.testing.assert_allclose(BETA[7], WEIGHTS, rtol=0, atol=1e-13)
    np.testing.assert_allclose(BETA[6], EMBEDDED, rtol=0, atol=1e-13)
    assert NODES[7] == NODES[6] == 1.0


def stability(z: complex, weights: NDArray) -> complex:
    """R(z) = 1 + z bᵀ (I − z β)⁻¹ 1."""
    return 1 + z * weights @ np.linalg.solve(np.eye(STAGES) - z * BETA, np.ones(STAGES))


def test_l_stable():
    for weights in (WEIGHTS, EMBEDDED):
        assert 1 - weights @ np.linalg.solve(BETA, np.ones(STAGES)) == pytest.approx(0.0, abs=1e-12)
        for y in 10.0 ** np.linspace(-3, 5, 400):
            assert abs(stability(1j * y, weights)) <= 1 + 1e-12


def test_stability_function_is_of_order_5():
    z = 0.02
    assert stability(z, WEIGHTS) - np.exp(z) == pytest.approx(0.0, abs=1e-3 * z**6 * 10)
    assert abs(stability(z, EMBEDDED) - np.exp(z)) < 1e-2 * z**5


# -- the step against its dense twin ----------------------------------------------------------------------------------


def dense_step(program: Program, y: NDArray, k: NDArray, mass: NDArray, t: float, h: float) -> tuple[NDArray, NDArray]:
    """One step, slow and obvious: the three lines of the docstring of ``tableau``, with a dense solve."""
    n = program.size
    arrays = program.linearised.run(t, y, k, {"f": n, "J": n * n, "f_t": n})
    m = program.mass_matrix(mass)
    w = m / (h * GAMMA) - arrays["J"].reshape(n, n)
    u = np.zeros((STAGES, n))
    for i in range(STAGES):
        f = program.evaluate_rates(t + NODES[i] * h, y + A[i] @ u, k)
        u[i] = np.linalg.solve(w, f + m @ (C[i] / h @ u) + h * TIME_WEIGHTS[i] * arrays["f_t"])
    return y + A[7] @ u + u[7], u


@settings(max_examples=30)
@given(systems(), st.floats(-6.0, -2.0))
def test_step_equals_its_dense_twin_on_any_model(system, exponent):
    """Several free potentials make the mass matrix a capacitance Laplacian: M enters the stages and W."""
    _, layout, program, y, k, mass = system
    h = 10.0**exponent
    with np.errstate(all="ignore"):
        want, want_u = dense_step(program, y, k, mass, 0.0, h)
    assume(np.all(np.isfinite(want)))
    got, got_u = run_step(program, y, k, mass, 0.0, h)
    amounts = len(layout.amounts)
    for part, least in ((slice(0, amounts), 0.0), (slice(amounts, None), 1e-3)):  # V: what cancels is not small
        if got[part].size:
            size = np.abs(want_u[:, part]).max() + np.abs(want[part]).max() + least
            np.testing.assert_allclose(got[part], want[part], rtol=1e-10, atol=1e-10 * size)
            np.testing.assert_allclose(got_u[:, part], want_u[:, part], rtol=1e-8, atol=1e-10 * size)


def test_step_equals_its_dense_twin_with_a_full_mass_matrix():
    n, rng = 5, np.random.default_rng(8)
    places = [(i, j) for i in range(n) for j in range(n)]
    program = linear_program(n, places, places)
    k, mass = program.prepare(
        {f"J {i} {j}": rng.normal() for i, j in places} | {f"M {i} {j}": rng.normal() + 3 * (i == j) for i, j in places}
    )
    y = rng.normal(size=n)
    want, want_u = dense_step(program, y, k, mass, 0.0, 0.1)
    got, got_u = run_step(program, y, k, mass, 0.0, 0.1)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(got_u, want_u, rtol=1e-11, atol=1e-12)


# -- the order, measured ----------------------------------------------------------------------------------------------


def march(
    program: Program, y: NDArray, k: NDArray, mass: NDArray, end: float, steps: int, start: float = 0.0
) -> NDArray:
    """The states after each of so many equal steps of machine code, shape (steps, n)."""
    states, h = np.empty((steps, len(y))), (end - start) / steps
    for i in range(steps):
        y = states[i] = run_step(program, y, k, mass, start + h * i, h)[0]
    return states


def measured_order(error_at: Callable[[int], float], steps: list[int]) -> float:
    """Slope of log error over log step size, fitted to all."""
    errors = [error_at(n) for n in steps]
    assert min(errors) > 1e-14, "so small that rounding blurs the order"
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0]


def order_against_fine_steps(
    program: Program, y: NDArray, k: NDArray, mass: NDArray, end: float, steps: list[int], row: int
) -> float:
    """Order in one state, from the largest error along the way (the end may hide errors), relative to its size."""
    fine = 4 * int(np.lcm.reduce(steps))
    exact = march(program, y, k, mass, end, fine)[:, row]

    def error(n: int) -> float:
        every = fine // n
        difference = march(program, y, k, mass, end, n)[:, row] - exact[every - 1 :: every]
        return np.abs(difference).max() / np.abs(exact).max()

    return measured_order(error, steps)


def test_order_on_p1_from_rest():
    """The charging of the membrane, nonlinear, from V = 0, where GHK is 0/0."""
    _, _, *ready = system_of(p1())
    assert order_against_fine_steps(*ready, 1e-3, [8, 12, 16, 24, 32], 3) == pytest.approx(5.0, abs=0.2)


def test_order_on_the_slow_time_scale():
    """Steps ten thousand times longer than the fast mode: stiffness costs no order."""
    _, _, program, y, k, mass = system_of(p1())
    start = march(program, y, k, mass, 0.1, 400)[-1]
    for row in range(3):
        assert order_against_fine_steps(program, start, k, mass, 1500.0, [48, 64, 96], row) >= 4.75
    assert order_against_fine_steps(program, start, k, mass, 1500.0, [16, 24, 32], 3) >= 4.8


def test_order_on_a_linear_system():
    """Against the matrix exponential, with a mass matrix. (The error constant is small there: order 5.8 shows.)"""
    rng = np.random.default_rng(4)
    n = 4
    places = [(i, j) for i in range(n) for j in range(n)]
    program = linear_program(n, places, places)
    slopes, masses = rng.normal(size=(n, n)) - 2 * np.eye(n), np.eye(n) + 0.2 * rng.normal(size=(n, n))
    k, mass = program.prepare(
        {f"J {i} {j}": slopes[i, j] for i, j in places} | {f"M {i} {j}": masses[i, j] for i, j in places}
    )
    y = rng.normal(size=n)

    def error(steps: int) -> float:
        exact = [scipy.linalg.expm(2.0 * (i + 1) / steps * np.linalg.solve(masses, slopes)) @ y for i in range(steps)]
        return np.abs(march(program, y, k, mass, 2.0, steps) - exact).max()

    assert measured_order(error, [8, 12, 16, 24, 32]) >= 4.8


def prothero_robinson() -> Program:
    """y' = λ (y − g(t)) + g'(t) with g = exp(−t) / (1 + t²); time appears, so ∂f/∂t must be right."""
    graph = Graph()
    t, y, rate = graph.time(), graph.state(0), graph.input("rate")
    below = 1.0 + t * t
    g = exp(-t) / below
    return assemble([rate * (y - g) - g - 2.0 * t * g / below], {(0, 0): graph.constant(1.0)})


def solution(t: NDArray | float) -> NDArray:
    return np.exp(-t) / (1 + t * t)


def prothero_robinson_error(rate: float, steps: int) -> float:
    program = prothero_robinson()
    k, mass = program.prepare({"rate": rate})
    times = 2.0 * np.arange(1, steps + 1) / steps
    return np.abs(march(program, np.array([1.0]), k, mass, 2.0, steps)[:, 0] - solution(times)).max()


def test_order_with_time_in_the_equations():
    order = measured_order(lambda n: prothero_robinson_error(-2.0, n), [16, 24, 32, 48, 64])
    assert order == pytest.approx(5.0, abs=0.2)


def test_order_on_a_stiff_problem_driven_in_time():
    """What Rodas5P was made for: order 4 however stiff (λ grows with 1/h here), where a plain method has 1 or 2."""
    order = measured_order(lambda n: prothero_robinson_error(-100.0 * n, n), [8, 12, 16, 24, 32])
    assert order >= 3.8


def test_order_with_an_algebraic_equation():
    """M singular, index 1: x' = −x z, 0 = z³ + z − x; stiffly accurate, so order 5 in both."""
    graph = Graph()
    x, z = graph.state(0), graph.state(1)
    program = assemble([-x * z, z * z * z + z - x], {(0, 0): graph.constant(1.0)})
    k, mass = program.prepare({})
    for row, steps in ((0, [16, 24, 32, 48]), (1, [64, 96, 128])):
        order = order_against_fine_steps(program, np.array([2.0, 1.0]), k, mass, 1.0, steps, row)
        assert order == pytest.approx(5.0, abs=0.2)


@pytest.mark.parametrize("theta", [0.2, 0.5, 0.8])
def test_interpolant_is_of_order_4(theta):
    """Error within one step grows with h⁵; ``interpolate`` of the kernel, as plain Python."""
    _, _, program, y, k, mass = system_of(p1())

    def error(n: int) -> float:
        h = 1e-3 / n
        after, u = run_step(program, y, k, mass, 0.0, h)
        dense, out = np.vstack([y, after, H @ u]), np.empty(len(y))
        events.interpolate.py_func(dense, theta, 3, out[np.newaxis], 0)
        return abs(out[-1] - march(program, y, k, mass, theta * h, 16)[-1, -1])

    assert measured_order(error, [8, 12, 16, 24, 32]) == pytest.approx(5.0, abs=0.4)


def test_error_estimate_is_the_difference_of_orders_4_and_5():
    """u_8 falls with h⁵ on a smooth problem."""
    program = prothero_robinson()
    k, mass = program.prepare({"rate": -2.0})
    y = np.array([solution(0.3)])
    order = measured_order(lambda n: abs(run_step(program, y, k, mass, 0.3, 1.0 / n)[1][7, 0]), [16, 24, 32, 48])
    assert order == pytest.approx(5.0, abs=0.2)


def test_invariants_are_conserved_by_every_step():
    """Charge minus stored charge is linear in the state: a step conserves it to rounding."""
    model, _, program, y, k, mass = system_of(p1())
    plasma = model.membranes["plasma"]
    balance = np.array([1.0, 1.0, -1.0, -plasma.area * plasma.specific_capacitance / 96485.33212331001])
    for h in (1e-5, 1e-3, 0.1):
        after, _ = run_step(program, y, k, mass, 0.0, h)
        assert balance @ after == pytest.approx(balance @ y, abs=4e-15 * np.abs(y[:3]).sum())
    f, _, _ = machine_linearised(program, 0.0, y, k)
    assert balance[:3] @ f[:3] * 96485.33212331001 == pytest.approx(f[3], rel=1e-12)


# -- interpolation near zero ------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), *[st.floats(-4, 4)] * 3), min_size=1, max_size=4),
    st.floats(0, 1),
)
def test_interpolation_never_makes_an_amount_negative(states, theta):
    """Whatever the polynomial: no amount below 0, and what is linear in all states is conserved (here their sum)."""
    dense = np.array([*zip(*states, strict=True)])
    dense = np.hstack([dense, -dense.sum(axis=1, keepdims=True)])  # a last state, free, so that the sum is 0
    out = np.empty(dense.shape[1])
    events.interpolate.py_func(dense, theta, dense.shape[1] - 1, out[np.newaxis], 0)
    assert np.all(out[:-1] >= 0.0)
    assert out.sum() == pytest.approx(0.0, abs=1e-13)
    plain = (1 - theta) * dense[0] + theta * dense[1]
    plain = plain + theta * (1 - theta) * (dense[2] + theta * (dense[3] + theta * dense[4]))
    if np.all(plain[:-1] >= 0.0):
        np.testing.assert_allclose(out, plain, rtol=0, atol=1e-13)


def test_interpolation_meets_the_ends_of_the_step():
    dense = np.random.default_rng(1).uniform(0.1, 1.0, (5, 3))
    for theta in (0.0, 1.0):
        out = np.empty(3)
        events.interpolate.py_func(dense, theta, 2, out[np.newaxis], 0)
        np.testing.assert_array_equal(out, dense[int(theta)])
