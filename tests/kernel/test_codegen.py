"""Printed machine code: pieces, lanes, the Bernoulli polynomials, and the static sparse LU."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from iontide.kernel.codegen import machine_code, math_functions, step_printer, writer
from iontide.kernel.codegen.machine_code import compile_program
from iontide.kernel.codegen.math_functions import lambert_polynomials
from iontide.kernel.codegen.step_printer import Elimination, StepPrinter
from iontide.kernel.codegen.tape_printer import print_tape
from iontide.kernel.codegen.writer import Module
from iontide.kernel.layout import tableau
from iontide.kernel.layout.functions import FACTOR, RATES, SOLVE, STEP, linear_offsets, linear_size
from iontide.symbolic.expression import Graph
from iontide.symbolic.tape import Program, Tape, assemble
from tests.support.models import closed_pair, p1, pump_leak, series, single_ion
from tests.symbolic.test_tape import bernoulli_program, machine_linearised, machine_rates, pointer_call, system_of, zoo

EPS = np.finfo(float).eps


class Compiled:
    """LLVM text as callable functions."""

    def __init__(self, text: str) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        module = llvm.parse_assembly(text)
        module.verify()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2, jit=True
        )
        self.engine = llvm.create_mcjit_compiler(module, machine)
        self.engine.finalize_object()

    def __call__(self, name: str, *arrays: NDArray) -> None:
        pointer_call(self.engine.get_function_address(name), *arrays)


# -- a long tape in pieces --------------------------------------------------------------------------------------------


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that makes all printing go in pieces of so many instructions."""

    def set_chunk(size: int) -> None:
        monkeypatch.setattr(writer, "CHUNK", size)
        monkeypatch.setattr(machine_code, "_compiled", {})

    return set_chunk


def run_step(program: Program, y: NDArray, k: NDArray, mass: NDArray, t: float, h: float) -> tuple[NDArray, NDArray]:
    """One step by machine code: y at t + h, and the stage vectors u (8, n)."""
    code, n = compile_program(program), program.size
    f, jacobian, f_t = machine_linearised(program, t, y, k)
    linear = np.concatenate([f, jacobian.ravel(), f_t])
    u, stage, work = np.full((tableau.STAGES, n), np.nan), np.full(n, np.nan), np.full(code.work, np.nan)
    given = (np.array([t, h]), y.copy(), k.copy(), mass.copy(), linear)
    pointer_call(code.addresses[STEP], *given, u, stage, work)
    return stage, u


CASES = {"p1": p1, "pump_leak": pump_leak, "series": series, "closed_pair": closed_pair}


@pytest.mark.parametrize("size", [1, 2, 7, 30])
@pytest.mark.parametrize("name", [*CASES, "zoo"])
def test_pieces_change_nothing(in_pieces, name, size):
    """To rounding, as a fused multiply-add cannot reach over the border of a piece."""
    if name == "zoo":
        program, y = zoo(), np.array([1.3, 2.0, 0.7, 5.0, 0.0, 0.0])
        k, mass = program.prepare({"p": 0.6})
    else:
        _, _, program, y, k, mass = system_of(CASES[name]())
    whole = (machine_rates(program, 0.7, y, k), *machine_linearised(program, 0.7, y, k))
    step = run_step(program, y, k, mass, 0.7, 1e-3)
    in_pieces(size)
    pieces = (machine_rates(program, 0.7, y, k), *machine_linearised(program, 0.7, y, k))
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-13 * np.abs(a).max())
    for a, b in zip(step, run_step(program, y, k, mass, 0.7, 1e-3), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-11 * np.abs(a).max())


def test_pieces_are_made(in_pieces):
    in_pieces(7)
    program = system_of(p1()).program
    module = Module()
    work = print_tape(module, "linearised", program.linearised, linear_offsets(4))
    pieces = [part for part in module.parts if part.startswith("define internal void @linearised.")]
    assert len(pieces) == -(-len(program.linearised.instructions) // 7)
    assert work > 0


def test_step_number_by_number_and_vector_by_vector_agree(monkeypatch):
    for make in CASES.values():
        _, _, program, y, k, mass = system_of(make())
        results = []
        for limit in (0, 100):
            monkeypatch.setattr(step_printer, "REGISTER_LIMIT", limit)
            monkeypatch.setattr(machine_code, "_compiled", {})
            results.append(run_step(program, y, k, mass, 0.0, 1e-3))
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-11 * np.abs(a).max())


# -- lanes ------------------------------------------------------------------------------------------------------------


def in_lanes(tape: Tape, lanes: int, offsets: dict[str, int], t: NDArray, y: NDArray, k: NDArray, size: int) -> NDArray:
    module = Module(lanes)
    work = print_tape(module, "f", tape, offsets)
    compiled = Compiled(module.text())
    out = np.zeros((size, lanes))
    compiled("f", t, y, k, np.zeros((max(work, 1), lanes)), out)
    return out


@pytest.mark.parametrize("chunk", [25, 400])
@pytest.mark.parametrize("lanes", [2, 4, 16])
@pytest.mark.parametrize("name", ["pump_leak", "series", "divalent", "zoo"])
def test_lanes_equal_runs_of_one(monkeypatch, name, lanes, chunk):
    """Each lane has other states, constants and times; some are beyond the switch of the Bernoulli function."""
    monkeypatch.setattr(writer, "CHUNK", chunk)
    monkeypatch.setattr(machine_code, "_compiled", {})  # what is compiled in pieces here is nobody else's
    rng = np.random.default_rng(3)
    if name == "zoo":
        program = zoo()
        y = rng.uniform(0.1, 3.0, (6, lanes))
        y[0] = np.linspace(-12.0, 12.0, lanes)
        k = np.array([program.prepare({"p": p})[0] for p in rng.uniform(0.5, 2.0, lanes)]).T
    else:
        model = {"pump_leak": pump_leak, "series": series, "divalent": lambda: single_ion(2)}[name]()
        _, _, program, one, constants, _ = system_of(model)
        y = np.repeat(one[:, np.newaxis], lanes, axis=1) * rng.uniform(0.5, 1.5, (len(one), lanes))
        y[-1] = np.linspace(-0.4, 0.4, lanes)
        k = np.repeat(constants[:, np.newaxis], lanes, axis=1) * rng.uniform(0.9, 1.1, lanes)
    n = program.size
    offsets = linear_offsets(n)
    t = rng.uniform(0.1, 2.0, (1, lanes))
    y, k = np.ascontiguousarray(y), np.ascontiguousarray(k)
    rates = in_lanes(program.rates, lanes, {"f": 0}, t, y, k, n)
    linear = in_lanes(program.linearised, lanes, offsets, t, y, k, linear_size(n))
    for lane in range(lanes):
        values = np.ascontiguousarray(y[:, lane]), np.ascontiguousarray(k[:, lane])
        one_rates = machine_rates(program, t[0, lane], *values)
        one_linear = np.concatenate([a.ravel() for a in machine_linearised(program, t[0, lane], *values)])
        for got, want in ((rates[:, lane], one_rates), (linear[:, lane], one_linear)):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13 * np.abs(want).max())


@pytest.mark.parametrize("lanes", [4, 16])
def test_bernoulli_in_lanes_is_chosen_lane_by_lane(lanes):
    """Near and far arguments in one vector: each lane as it would be alone."""
    u = np.resize([0.0, -6.0, 6.5, -30.0, 1e-12, 5.9, 700.0, -700.0, 800.0], lanes)
    y = np.ascontiguousarray(np.vstack([u, np.zeros(lanes)]))
    got = in_lanes(bernoulli_program().rates, lanes, {"f": 0}, np.zeros((1, lanes)), y, np.zeros((1, lanes)), 2)
    for lane in range(lanes):
        want = machine_rates(bernoulli_program(), 0.0, np.ascontiguousarray(y[:, lane]), np.zeros(0))
        np.testing.assert_allclose(got[:, lane], want, rtol=1e-13)


# -- Lambert's continued fraction -------------------------------------------------------------------------------------


def polynomial(coefficients: list[float], s: Any) -> Any:
    """Σ c_i sⁱ."""
    return sum(c * s**i for i, c in enumerate(coefficients))


def lambert_error(depth: int, most: float) -> float:
    """Relative error of 1 + s N(s)/D(s) as an approximation of x coth x for 0 < x ≤ most, in exact arithmetic."""
    numerator, denominator = lambert_polynomials(depth)
    worst = 0.0
    with mpmath.workdps(50):
        for i in range(1, 121):
            x = mpmath.mpf(most) * i / 120
            s = x * x
            h = polynomial(numerator, s) / polynomial(denominator, s)
            worst = max(worst, float(abs((1 + s * h) / (x * mpmath.coth(x)) - 1)))
    return worst


def test_lambert_polynomials_are_good_to_1e_16_up_to_the_switch():
    """The coefficients are rounded doubles; the fraction one step shorter would not do as well."""
    most = math_functions.NEAR_LIMIT / 2
    assert lambert_error(math_functions.LAMBERT_DEPTH, most) < 1e-16
    assert lambert_error(math_functions.LAMBERT_DEPTH - 4, most) > 1e-14


def test_lambert_polynomials_are_the_continued_fraction():
    for depth in (1, 2, 5, 12):
        numerator, denominator = lambert_polynomials(depth)
        with mpmath.workdps(30):
            for x in (0.3, 1.7, 3.0):
                s = mpmath.mpf(x) ** 2
                fraction = mpmath.mpf(2 * depth + 1)
                for k in range(depth - 1, 0, -1):
                    fraction = 2 * k + 1 + s / fraction
                value = polynomial(numerator, s) / polynomial(denominator, s)
                assert abs(value * fraction - 1) < 1e-15
        assert denominator[0] == 1.0


# -- the static LU ----------------------------------------------------------------------------------------------------


def linear_program(n: int, slopes: list[tuple[int, int]], masses: list[tuple[int, int]]) -> Program:
    """M y' = J y with the given patterns; the entries are inputs ``J i j`` and ``M i j``."""
    g = Graph()
    rates = [g.constant(0.0)] * n
    for i, j in slopes:
        rates[i] = rates[i] + g.input(f"J {i} {j}") * g.state(j)
    return assemble(rates, {(i, j): g.input(f"M {i} {j}") for i, j in masses})


@st.composite
def patterns(draw: Any) -> tuple[int, list[tuple[int, int]], list[tuple[int, int]], int]:
    n = draw(st.integers(1, 14))
    places = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    slopes = draw(st.lists(places, max_size=3 * n, unique=True))
    masses = draw(st.lists(places, max_size=n, unique=True))
    return n, slopes, sorted({*masses, *((i, i) for i in range(n))}), draw(st.integers(0, 2**32 - 1))


@settings(max_examples=60)
@given(patterns(), st.sampled_from([3, 400]), st.booleans())
def test_factor_and_solve_against_numpy(pattern, chunk, tables):
    """W = M/(h γ) − J on random patterns of both, diagonally dominant, printed whole, in pieces, or as loops."""
    n, slopes, masses, seed = pattern
    rng = np.random.default_rng(seed)
    program = linear_program(n, slopes, masses)
    values = {f"J {i} {j}": rng.uniform(-1, 1) for i, j in slopes}
    values |= {f"M {i} {j}": rng.uniform(1, 2) if i == j else rng.uniform(-0.5, 0.5) / n for i, j in masses}
    h = 0.1
    k, mass = program.prepare(values)
    matrix = np.zeros((n, n))
    for i, j in slopes:
        matrix[i, j] = values[f"J {i} {j}"]
    dense = program.mass_matrix(mass) / (h * tableau.GAMMA) - matrix
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK", chunk)
        patch.setattr(step_printer, "STRAIGHT_LIMIT", -1 if tables else 10**9)
        patch.setattr(machine_code, "_compiled", {})
        code = compile_program(program)
        f, jacobian, f_t = machine_linearised(program, 0.0, np.zeros(n), k)
        np.testing.assert_allclose(jacobian, matrix, rtol=1e-15)
        lu, b = np.full(code.factors, np.nan), rng.uniform(-1, 1, n)
        x = b.copy()
        linear = np.concatenate([f, jacobian.ravel(), f_t])
        pointer_call(code.addresses[FACTOR], np.array([0.0, h]), mass.copy(), linear, lu)
        pointer_call(code.addresses[SOLVE], lu, x)
    want = np.linalg.solve(dense, b)
    np.testing.assert_allclose(x, want, rtol=1e-11, atol=1e-12 * np.abs(want).max())


@settings(max_examples=60)
@given(patterns())
def test_elimination_finds_all_fill_and_no_more(pattern):
    """The entries of L + U are those that a dense elimination of generic numbers makes non-zero."""
    n, slopes, masses, seed = pattern
    rng = np.random.default_rng(seed)
    dense = np.diag(rng.uniform(10, 20, n))
    for i, j in {*slopes, *masses}:
        dense[i, j] = rng.uniform(0.5, 1.0) + (10.0 if i == j else 0.0)
    entries = {*slopes, *masses}
    for p in range(n):
        for i in range(p + 1, n):
            dense[i, p] /= dense[p, p]
            dense[i, p + 1 :] -= dense[i, p] * dense[p, p + 1 :]
    assert set(Elimination(n, entries).entries) == set(zip(*map(list, np.nonzero(dense)), strict=True))


def test_a_sparse_system_stays_sparse():
    """Amounts first, potentials last: an arrow, whose elimination fills nothing."""
    for model in (p1(), series(), closed_pair()):
        program = system_of(model).program
        pattern = {divmod(o.slot, program.size) for o in program.linearised.outputs if o.array == "J"}
        pattern |= set(zip(program.mass_rows, program.mass_columns, strict=True))
        extra = set(step_printer.elimination_of(program).entries) - pattern
        finite = sum(c.is_finite for c in model.compartments.values())
        assert len(extra) <= (finite - 1) * program.size


def test_a_singular_matrix_shows_as_something_not_finite():
    program = linear_program(1, [(0, 0)], [(0, 0)])
    code = compile_program(program)
    k, mass = program.prepare({"J 0 0": 1.0, "M 0 0": 0.0})
    lu, x = np.zeros(code.factors), np.array([1.0])
    pointer_call(code.addresses[FACTOR], np.array([0.0, 1.0]), mass.copy(), np.array([0.0, 0.0, 0.0]), lu)
    pointer_call(code.addresses[SOLVE], lu, x)
    assert not np.isfinite(x[0])
    assert k.tolist() == [1.0]


# -- compiled once ----------------------------------------------------------------------------------------------------


def test_code_is_made_once_and_outlives_many_others(monkeypatch):
    monkeypatch.setattr(machine_code, "_compiled", {})
    monkeypatch.setattr(machine_code, "_MOST_COMPILED", 2)
    _, _, program, y, k, _ = system_of(p1())
    code = compile_program(program)
    assert compile_program(program) is code
    want = machine_rates(program, 0.0, y, k)
    others = [linear_program(n, [(0, 0)], [(i, i) for i in range(n)]) for n in range(1, 5)]
    for other in others:
        compile_program(other)
    assert len(machine_code._compiled) == 2
    out, work = np.zeros(4), np.zeros(code.work)  # the code itself is still held here
    pointer_call(code.addresses[RATES], np.zeros(2), y.copy(), k.copy(), work, out)
    np.testing.assert_array_equal(out, want)


def test_a_program_lives_as_long_as_its_code(monkeypatch):
    """Code is looked up by the identity of its program, which must not pass to another one."""
    monkeypatch.setattr(machine_code, "_compiled", {})
    program = linear_program(2, [(0, 1)], [(0, 0), (1, 1)])
    compile_program(program)
    reference = weakref.ref(program)
    del program
    gc.collect()
    assert reference() is not None


def test_step_printer_returns_how_much_work_it_needs():
    program = system_of(p1()).program
    module = Module()
    tape_work = print_tape(module, "rates", program.rates, {"f": 0})
    step = StepPrinter(module, program)
    assert step.print_all(tape_work) == len(step.elimination.entries) + 2 * 4 + 1 + tape_work
