"""The tape three times over: in NumPy, as machine code, and in many digits with a bound on the rounding.

The third one, ``exactly``, is the oracle: it runs the instructions in mpmath and adds up what floating-point
arithmetic may do to them, so that "equal to rounding" is a number for every register and needs no tuned tolerance.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from iontide.equations import assembly as equations
from iontide.equations.assembly import build_program
from iontide.equations.states import Layout
from iontide.kernel.codegen.machine_code import compile_program
from iontide.kernel.layout.functions import LINEARISED, RATES
from iontide.model.model import Compartment, Membrane, Model, Simulation, Species
from iontide.simulation.simulate import Integration
from iontide.symbolic.expression import (
    Graph,
    absolute,
    bernoulli,
    equal,
    exp,
    less,
    less_equal,
    linexp,
    log,
    maximum,
    minimum,
    sqrt,
    tanh,
    where,
)
from iontide.symbolic.tape import Program, Tape, assemble
from tests.support.models import (
    AREA,
    CAPACITANCE,
    P_K,
    VOLUME,
    by_name,
    closed_pair,
    ghk,
    na_k_pump,
    ohmic,
    p1,
    pump_leak,
    series,
    single_ion,
)

EPS = np.finfo(float).eps
TINY = 1e-300
LOADS = ("state", "constant", "time", "literal")


# -- the oracle -------------------------------------------------------------------------------------------------------


def mp_bernoulli(x: Any) -> Any:
    return mpmath.mpf(1) if x == 0 else x / mpmath.expm1(x)


def mp_bernoulli_slope(x: Any) -> Any:
    if abs(x) < mpmath.mpf(10) ** -6:
        return -mpmath.mpf(1) / 2 + x / 6 - x**3 / 180 + x**5 / 5040
    b = mp_bernoulli(x)
    return b * (1 - x - b) / x


def exactly(
    tape: Tape, time: Any, y: Any, k: Any, constant_error: float = 0.0
) -> dict[tuple[str, int], tuple[Any, float]]:
    """Each output in many digits, with a first-order bound on the error of evaluating it in doubles.

    ``constant_error``: relative error of the constants from the prologue.
    """
    mp = mpmath.mpf
    values: list[tuple[Any, float]] = []
    for i in tape.instructions:
        if i.op in LOADS:
            load = {"state": y, "constant": k}[i.op][i.a] if i.op in ("state", "constant") else None
            v = mp(time if i.op == "time" else i.value if load is None else load)
            values.append((v, constant_error * float(abs(v)) if i.op == "constant" else 0.0))
            continue
        (x, e), (z, d), (w, c) = (values[r] if r >= 0 else (mp(0), 0.0) for r in (i.a, i.b, i.c))
        rounding = EPS
        if i.op in ("add", "sub"):
            v, grown = (x + z if i.op == "add" else x - z), e + d
        elif i.op == "mul":
            v, grown = x * z, float(abs(z)) * e + float(abs(x)) * d
        elif i.op == "div":
            v, grown = x / z, e / float(abs(z)) + float(abs(x / z / z)) * d
        elif i.op in ("neg", "abs"):
            v, grown, rounding = (-x if i.op == "neg" else abs(x)), e, 0.0
        elif i.op == "exp":
            v = mpmath.exp(x)
            grown = float(v) * e
        elif i.op == "log":
            v, grown = mpmath.log(x), e / float(abs(x))
        elif i.op == "sqrt":
            v = mpmath.sqrt(x)
            grown = e / float(2 * v)
        elif i.op == "tanh":
            v, grown = mpmath.tanh(x), e
        elif i.op == "pow":
            v = mpmath.power(x, i.value)
            grown = float(abs(i.value * v / x)) * e
        elif i.op in ("less", "less_equal", "equal"):
            v, rounding = mp({"less": x < z, "less_equal": x <= z, "equal": x == z}[i.op]), 0.0
            grown = 0.0 if e + d == 0.0 or abs(x - z) > 2 * (e + d) else 1.0
        elif i.op == "where":
            v, grown, rounding = (z, d, 0.0) if x else (w, c, 0.0)
            grown += e * float(abs(z - w))
        elif i.op == "bernoulli":
            # Machine code knows B(u) to rounding of the larger of B(u) and B(−u).
            v = mp_bernoulli(x)
            grown = float(abs(mp_bernoulli_slope(x))) * e + 4 * EPS * float(1 + abs(x))
        else:
            assert i.op == "bernoulli_slope"
            v = mp_bernoulli_slope(x)
            grown = 0.2 * e + 8 * EPS * float(1 + abs(x))  # |B''| ≤ 1/6
        values.append((v, grown + rounding * float(abs(v))))
    return {(o.array, o.slot): values[o.register] for o in tape.outputs}


# -- machine code, called as the kernel calls it ----------------------------------------------------------------------


def pointer_call(address: int, *arrays: NDArray) -> None:
    """``void f(double*, …)`` at an address."""
    assert all(a.dtype == np.float64 and a.flags.c_contiguous for a in arrays)
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))(address)(*[a.ctypes.data for a in arrays])


def machine_rates(program: Program, time: float, y: NDArray, k: NDArray) -> NDArray:
    """f by machine code."""
    code = compile_program(program)
    out, work = np.full(program.size, np.nan), np.full(code.work, np.nan)
    pointer_call(code.addresses[RATES], np.array([time, np.nan]), y.copy(), k.copy(), work, out)
    return out


def machine_linearised(program: Program, time: float, y: NDArray, k: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """f, J and f_t by machine code."""
    code, n = compile_program(program), program.size
    out, work = np.zeros(n + n * n + n), np.full(code.work, np.nan)
    pointer_call(code.addresses[LINEARISED], np.array([time, np.nan]), y.copy(), k.copy(), work, out)
    return out[:n], out[n : n + n * n].reshape(n, n), out[n + n * n :]


# -- random models ----------------------------------------------------------------------------------------------------

STRENGTHS = st.just(0.0) | st.floats(0.01, 10.0)


@st.composite
def models(draw: Any) -> Model:
    """1–4 finite compartments and up to two baths, 1–5 species of valence −2 … 2, membranes between any two."""
    finite = draw(st.integers(1, 4))
    baths = draw(st.integers(0 if finite > 1 else 1, 2))
    species = [Species(f"S{i}", draw(st.integers(-2, 2))) for i in range(draw(st.integers(1, 5)))]
    pump = draw(st.booleans())
    if pump:
        species += [Species("Na", 1), Species("K", 1)]
    compartments = []
    for i in range(finite + baths):
        concentrations = {s.name: draw(st.floats(0.1, 300.0)) for s in species}
        coefficients = {s.name: draw(st.floats(0.3, 1.5)) for s in species if draw(st.booleans())}
        kind = "finite" if i < finite else draw(st.sampled_from(["bath", "floating bath"]))
        volume = draw(st.floats(0.1, 10.0)) * VOLUME if i < finite else None
        compartments.append(Compartment(f"c{i}", kind, volume, concentrations, (), coefficients))
    membranes = []
    for m in range(draw(st.integers(1, 5))):
        inside = draw(st.integers(0, len(compartments) - 1)) if m else 0  # at least one is of a finite compartment
        outside = (inside + draw(st.integers(1, len(compartments) - 1))) % len(compartments)
        pathways = []
        for s in species:
            law = draw(st.sampled_from(["none", "ghk", "ohmic", "both"]))
            if law in ("ghk", "both"):
                pathways.append(ghk(s.name, draw(STRENGTHS) * P_K))
            if law in ("ohmic", "both") and s.valence:
                pathways.append(ohmic(s.name, draw(STRENGTHS)))
        if pump and draw(st.booleans()):
            pathways.append(na_k_pump(1e-6))
        a, b = f"c{inside}", f"c{outside}"
        area, capacitance = draw(st.floats(0.1, 3.0)) * AREA, draw(st.floats(0.1, 3.0)) * CAPACITANCE
        membranes.append(Membrane(f"m{m}", a, b, area, capacitance, 0.0, tuple(pathways)))
    return Model(by_name(species), by_name(compartments), by_name(membranes), Simulation(1.0))


POTENTIALS = st.sampled_from([0.0, 1e-12, 0.08, 0.16]) | st.floats(-0.4, 0.4)


class System(NamedTuple):
    """A model made ready to run: its program with constants, mass matrix entries, and a state."""

    model: Model
    layout: Layout
    program: Program
    y: NDArray
    k: NDArray
    mass: NDArray


def system_of(model: Model) -> System:
    """The model at its initial state."""
    integration = Integration(model)
    problem = integration.prepared.problem
    return System(
        model, integration.layout, integration.program, integration.initial.y, problem.constants[0], problem.mass[0]
    )


@st.composite
def systems(draw: Any) -> System:
    """A random model in a random state (amounts between 1 µM and 500 mM)."""
    system = system_of(draw(models()))
    layout = system.layout
    y = [draw(st.floats(1e-3, 500.0)) * system.model.compartments[c].volume for c, _ in layout.amounts]
    y += [draw(POTENTIALS) for _ in layout.potentials]
    return system._replace(y=np.array(y))


def check_against_the_oracle(program: Program, y: NDArray, k: NDArray, time: float = 0.0) -> None:
    n = program.size
    with mpmath.workdps(40):
        exact = exactly(program.linearised, time, y, k)
    sizes = {"f": n, "J": n * n, "f_t": n}
    interpreted = program.linearised.run(time, y, k, sizes)
    np.testing.assert_array_equal(interpreted["f"], program.evaluate_rates(time, y, k))
    machine = dict(zip(sizes, (a.ravel() for a in machine_linearised(program, time, y, k)), strict=True))
    rates = machine_rates(program, time, y, k)
    for name, size in sizes.items():
        for slot in range(size):
            want, bound = exact.get((name, slot), (mpmath.mpf(0), 0.0))
            for got in (interpreted[name][slot], machine[name][slot]) + ((rates[slot],) if name == "f" else ()):
                assert abs(got - want) <= 2 * bound + TINY, (name, slot)


@pytest.mark.parametrize("make", [p1, pump_leak, series, closed_pair])
def test_machine_code_equals_the_interpreter(make):
    system = system_of(make())
    check_against_the_oracle(system.program, system.y, system.k)


@settings(max_examples=40)
@given(systems())
def test_machine_code_equals_the_interpreter_on_any_model(system):
    """Rates, Jacobian and the derivative by time: each within its rounding of the exact value."""
    check_against_the_oracle(system.program, system.y, system.k)


@settings(max_examples=25)
@given(systems())
def test_jacobian_is_the_derivative_of_the_rates(system):
    """Central differences of the rates in 60 digits, where they have no error to speak of."""
    _, layout, program, y, k, _ = system
    n = program.size
    jacobian = program.evaluate_jacobian(0.0, y, k)
    with mpmath.workdps(60):
        exact = exactly(program.linearised, 0.0, y, k, constant_error=8 * EPS)
        for column in range(n):
            h = mpmath.mpf(10) ** -20 * (y[column] if column < len(layout.amounts) else 0.1)
            sides = []
            for shift in (h, -h):
                moved = [mpmath.mpf(v) for v in y]
                moved[column] += shift
                sides.append(exactly(program.rates, 0.0, moved, k))
            for row in range(n):
                slope = (sides[0]["f", row][0] - sides[1]["f", row][0]) / (2 * h)
                _, bound = exact.get(("J", row * n + column), (None, 0.0))
                assert abs(jacobian[row, column] - slope) <= 2 * bound + 1e-30 * abs(slope) + TINY, (row, column)


@settings(max_examples=40)
@given(systems())
def test_rates_are_those_of_the_laws_written_out(system):
    """f against the equations in plain floats, without graph or tape: signs, areas, valences."""
    model, layout, program, y, k, _ = system
    rates, gross = plain_rates(model, layout, y)
    np.testing.assert_array_less(np.abs(program.evaluate_rates(0.0, y, k) - rates), 1e-13 * gross + 1e-300)


def plain_rates(model: Model, layout: Layout, y: NDArray) -> tuple[NDArray, NDArray]:
    """dn/dt and the currents, summed pathway by pathway; and the same with all one-way terms positive."""
    faraday, gas, temperature = 96485.33212331001, 8.31446261815324, model.temperature
    rates, gross = np.zeros(len(y)), np.zeros(len(y))

    def concentration(c: str, s: str) -> float:
        if model.compartments[c].is_finite:
            i = layout.amount_index[c, s]
            return y[i] / model.compartments[c].volume
        return model.compartments[c].concentrations[s]

    def add(i: int | None, net: float, size: float) -> None:
        if i is not None:
            rates[i] += net
            gross[i] += size

    for m in model.membranes.values():
        v = sum(
            sign * y[layout.potential_index[c]]
            for c, sign in ((m.inside, 1), (m.outside, -1))
            if c in layout.potential_index
        )
        spread = sum(abs(y[layout.potential_index[c]]) for c in (m.inside, m.outside) if c in layout.potential_index)
        for p in m.pathways:
            if p.law == "na_k_atpase_cubic":
                na, potassium = concentration(m.inside, "Na"), concentration(m.outside, "K")
                cycles = p.arguments["rate"] * (na / (na + 10.0)) ** 3 * (potassium / (potassium + 1.5)) ** 2
                size = cycles
            else:
                (ion,) = p.stoichiometry
                z = model.species[ion].valence
                a_in, a_out = (
                    model.compartments[c].activity_coefficients.get(ion, 1.0) * concentration(c, ion)
                    for c in (m.inside, m.outside)
                )
                if p.law == "ghk":
                    x = z * faraday * v / (gas * temperature)
                    efflux = a_in * (1.0 if x == 0 else -x / np.expm1(-x))
                    influx = a_out * (1.0 if x == 0 else x / np.expm1(x))
                    cycles = p.arguments[""] * (efflux - influx)
                    size = p.arguments[""] * (efflux + influx) * (1.0 + abs(z) * faraday * spread / (gas * temperature))
                else:
                    nernst = gas * temperature / (z * faraday)
                    cycles = p.arguments[""] * (v - nernst * np.log(a_out / a_in)) / (z * faraday)
                    logs = abs(np.log(a_out)) + abs(np.log(a_in)) + 1.0
                    size = p.arguments[""] * (spread + abs(nernst) * logs) / (abs(z) * faraday)
            charge = sum(count * model.species[s].valence for s, count in p.stoichiometry.items())
            for s, count in p.stoichiometry.items():
                for c, sign in ((m.inside, -1), (m.outside, 1)):
                    net = sign * count * m.area * cycles
                    add(layout.amount_index.get((c, s)), net, abs(count) * m.area * size)
            for c, sign in ((m.inside, -1), (m.outside, 1)):
                net = sign * faraday * charge * m.area * cycles
                add(layout.potential_index.get(c), net, faraday * abs(charge) * m.area * size)
    return rates, gross


# -- the mass matrix --------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(systems())
def test_mass_matrix_is_the_capacitance_laplacian(system):
    """Its quadratic form is twice the stored energy; amounts have mass 1."""
    model, layout, program, y, _, entries = system
    mass = program.mass_matrix(entries)
    amounts = len(layout.amounts)
    np.testing.assert_array_equal(mass[:amounts], np.eye(program.size)[:amounts])
    np.testing.assert_array_equal(mass, mass.T)
    potential = dict.fromkeys(model.compartments, 0.0) | {c: y[i] for c, i in layout.potential_index.items()}
    energy = sum(
        m.area * m.specific_capacitance * (potential[m.inside] - potential[m.outside]) ** 2
        for m in model.membranes.values()
    )
    v = y[amounts:]
    size = np.abs(v) @ np.abs(mass[amounts:, amounts:]) @ np.abs(v) if len(v) else 0.0
    assert v @ mass[amounts:, amounts:] @ v == pytest.approx(energy, rel=1e-13, abs=1e-14 * size)
    if len(v):
        assert np.linalg.eigvalsh(mass[amounts:, amounts:]).min() > 0.0


# -- structure --------------------------------------------------------------------------------------------------------


def test_a_changed_number_never_changes_the_program(monkeypatch):
    model = pump_leak()
    program = build_program(model)[1]
    rate = replace(model.parameters["pump_rate"], value=1.0)
    other = replace(model, temperature=290.0, parameters={"pump_rate": rate})
    assert build_program(other)[1] is program
    assert compile_program(build_program(other)[1]) is compile_program(program)
    monkeypatch.setattr(equations, "_programs", {})
    assert build_program(other)[1] is not program
    assert build_program(other)[1] == program
    assert build_program(p1())[1] != program


def test_p1_is_small():
    """Of one GHK membrane three exponentials would be too many: |z| is 1 for all, so B is evaluated at ± one u."""
    program = build_program(p1())[1]
    assert program.size == 4
    assert program.autonomous
    roots = set()
    for i in program.linearised.instructions:
        if i.op.startswith("bernoulli"):
            argument = program.linearised.instructions[i.a]
            roots.add(argument.a if argument.op == "neg" else i.a)
    assert len(roots) == 1
    assert not any(i.op in ("div", "exp") for i in program.linearised.instructions)


def test_interpreter_works_lane_by_lane():
    _, _, program, y, k, _ = system_of(pump_leak())
    lanes = y[:, np.newaxis] * np.linspace(0.5, 1.5, 7)
    together = program.evaluate_jacobian(0.0, lanes, np.repeat(k[:, np.newaxis], 7, axis=1))
    assert together.shape == (4, 4, 7)
    for i in range(7):
        np.testing.assert_array_equal(together[..., i], program.evaluate_jacobian(0.0, lanes[:, i], k))


# -- operations one by one --------------------------------------------------------------------------------------------


@cache
def zoo() -> Program:
    """Every operation of the tape, and the time, in one program."""
    g = Graph()
    a, b, c, t, p = g.state(0), g.state(1), g.state(2), g.time(), g.input("p")
    return assemble(
        [
            exp(a / p) * t - log(b) + sqrt(c * b),
            b**1.7 / (c + t) + c**-2 - (-a),
            bernoulli(a * p) + bernoulli(-a) * b + exp(b * log(c)),
            t * t / b + g.constant(3.0) + tanh(a) * absolute(c - b),
            where(less(a, b), a * b, c) + where(less_equal(t, c), exp(a / p), log(b)) + maximum(a, minimum(b, c * c)),
            where(less(c, 0.0), log(-1.0 - c), a) + linexp(a / p) + 2.0 ** (a / p) + equal(a, b) * c,
        ],
        {(i, i): g.constant(1.0) for i in range(6)},
    )


@settings(max_examples=60)
@given(
    st.tuples(*[st.floats(0.01, 30.0)] * 4),
    st.floats(-30.0, 30.0),
    st.floats(0.1, 10.0),
)
def test_every_operation(positive, a, p):
    program = zoo()
    y = np.array([a, *positive[:3], 0.0, 0.0])
    with np.errstate(invalid="ignore"):  # the logarithm that is not chosen
        check_against_the_oracle(program, y, program.prepare({"p": p})[0], time=positive[3])


def test_the_zoo_has_every_operation():
    from iontide.symbolic.tape import NUMPY_OPERATIONS

    assert {i.op for i in zoo().linearised.instructions} == {*NUMPY_OPERATIONS, "where", *LOADS}
    assert not zoo().autonomous


# -- Bernoulli in machine code ----------------------------------------------------------------------------------------

MAGNITUDES = np.unique(
    np.concatenate([10.0 ** np.linspace(-300, 2.845, 1200), np.linspace(0.0, 12.0, 1201)[1:], [700.0]])
)
SWITCH = 6.0


@cache
def bernoulli_program() -> Program:
    g = Graph()
    u = g.state(0)
    return assemble([bernoulli(u), bernoulli(-u)], {})


def machine_bernoulli(u: float) -> tuple[float, float, float, float]:
    """B(u), B(−u), B'(u) and dB(−u)/du by machine code."""
    f, jacobian, _ = machine_linearised(bernoulli_program(), 0.0, np.array([u, 0.0]), np.zeros(0))
    return f[0], f[1], jacobian[0, 0], jacobian[1, 0]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_machine_bernoulli_against_mpmath(sign):
    """To rounding of the larger of B(u), B(−u) everywhere; of B(u) itself too, but for what g − x cancels near 6."""
    worst = dict.fromkeys(("of the larger", "relative", "slope", "slope relative"), 0.0)
    with mpmath.workdps(50):
        for u in sign * MAGNITUDES:
            x = mpmath.mpf(float(u))
            forward, backward, slope, slope_backward = machine_bernoulli(float(u))
            for got, want in ((forward, mp_bernoulli(x)), (backward, mp_bernoulli(-x))):
                error = float(abs(got - want))
                worst["of the larger"] = max(worst["of the larger"], error / float(1 + abs(x) / 2) / EPS)
                worst["relative"] = max(worst["relative"], error / float(want))
            for got, want in ((slope, mp_bernoulli_slope(x)), (slope_backward, -mp_bernoulli_slope(-x))):
                error = float(abs(got - want))
                worst["slope"] = max(worst["slope"], error / EPS)
                worst["slope relative"] = max(worst["slope relative"], error / float(abs(want)))
    assert worst["of the larger"] <= 2.0
    assert worst["relative"] <= 1e-13
    assert worst["slope"] <= 4.0
    assert worst["slope relative"] <= 1e-13


def test_machine_bernoulli_is_continuous_where_it_switches():
    for edge in (SWITCH, -SWITCH):
        below, above = machine_bernoulli(edge), machine_bernoulli(float(np.nextafter(edge, 2 * edge)))
        for a, b in zip(below, above, strict=True):
            assert abs(a - b) <= 16 * EPS * SWITCH


def test_machine_bernoulli_at_zero_and_far_out():
    assert machine_bernoulli(0.0) == (1.0, 1.0, -0.5, 0.5)
    for u in (710.0, 1e4, 1e300):
        assert machine_bernoulli(u) == (0.0, u, 0.0, 1.0)
        assert machine_bernoulli(-u) == (u, 0.0, -1.0, 0.0)
    assert all(np.isnan(v) for v in machine_bernoulli(np.nan))


def test_flux_of_one_ion_is_exact_from_rest_to_beyond_the_switch():
    """The same through the whole way of a GHK model: the flux of a divalent ion at 0 … 400 mV."""
    system = system_of(single_ion(2))
    for v in (0.0, 1e-300, -1e-9, 0.0801, -0.0802, 0.4):
        check_against_the_oracle(system.program, np.array([system.y[0], v]), system.k)
