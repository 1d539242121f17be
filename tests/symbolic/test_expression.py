"""Expression graph: plain evaluation of the same tree is the oracle, mpmath that of derivatives and of Bernoulli."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iontide.symbolic.differentiation import jacobian, reachable
from iontide.symbolic.expression import (
    Expression,
    Graph,
    absolute,
    bernoulli,
    bernoulli_slope_value,
    bernoulli_value,
    equal,
    exp,
    is_constant,
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
from iontide.symbolic.tape import Program, assemble

EPS = np.finfo(float).eps
DIGITS = 60

# A tree is a number, a leaf (kind, place), or (operator, tree, …). Leaves are states, inputs and the time.
Tree = Any
VARIABLES = [("state", 0), ("state", 1), ("state", 2), ("input", 0), ("input", 1), ("time", 0)]
BINARY = ("add", "sub", "mul", "div")
UNARY = ("neg", "exp", "log", "sqrt", "bernoulli", "linexp", "tanh", "abs", "two to the")
CHOOSING = ("less", "less_equal", "min", "max")
EXPONENTS = (-3, -1, 0, 1, 2, 3, 7, 0.5, 1.7, -0.3, 20)

numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5]) | st.floats(-8.0, 8.0).map(lambda x: round(x, 3))
trees = st.recursive(
    numbers | st.sampled_from(VARIABLES),
    lambda children: (
        st.tuples(st.sampled_from((*BINARY, *CHOOSING)), children, children)
        | st.tuples(st.just("where"), children, children, children)
        | st.tuples(st.sampled_from(UNARY), children)
        | st.tuples(st.just("pow"), children, st.sampled_from(EXPONENTS))
    ),
    max_leaves=14,
)
points = st.fixed_dictionaries(
    {leaf: st.floats(-3.0, 3.0).filter(lambda x: x == 0.0 or abs(x) > 1e-3) for leaf in VARIABLES}
)


def evaluate(tree: Tree, leaf: Callable[[Any], Any], apply: Callable[..., Any]) -> Any:
    """Evaluate a tree with given leaves and operators."""
    if not isinstance(tree, tuple) or tree[0] in ("state", "input", "time"):
        return leaf(tree)
    if tree[0] == "pow":
        return apply("pow", evaluate(tree[1], leaf, apply), tree[2])
    return apply(tree[0], *(evaluate(child, leaf, apply) for child in tree[1:]))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "tanh": tanh,
    "abs": absolute,
    "bernoulli": bernoulli,
    "linexp": linexp,
    "less": less,
    "less_equal": less_equal,
    "min": minimum,
    "max": maximum,
    "where": lambda a, b, c: where(less(0.0, a), b, c),
    "two to the": lambda a: 2.0**a,
}


def operate(op: str, a: Any, b: Any = None, c: Any = None) -> Any:
    """An operator by Python's own syntax, or by the functions of the module."""
    if op in FUNCTIONS:
        return FUNCTIONS[op](*(x for x in (a, b, c) if x is not None))
    return {
        "add": lambda: a + b,
        "sub": lambda: a - b,
        "mul": lambda: a * b,
        "div": lambda: a / b,
        "neg": lambda: -a,
        "pow": lambda: a**b,
    }[op]()


def mp_bernoulli(x: Any) -> Any:
    return mpmath.mpf(1) if x == 0 else x / mpmath.expm1(x)


def mp_bernoulli_slope(x: Any) -> Any:
    if abs(x) < mpmath.mpf(10) ** -6:  # the closed form cancels there
        return -mpmath.mpf(1) / 2 + x / 6 - x**3 / 180 + x**5 / 5040
    b = mp_bernoulli(x)
    return b * (1 - x - b) / x


MP_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "tanh": mpmath.tanh,
    "abs": abs,
    "pow": mpmath.power,
    "bernoulli": mp_bernoulli,
    "linexp": lambda x: mp_bernoulli(-x),
    "less": lambda a, b: mpmath.mpf(a < b),
    "less_equal": lambda a, b: mpmath.mpf(a <= b),
    "min": min,
    "max": max,
    "where": lambda a, b, c: b if a > 0 else c,
    "two to the": lambda a: mpmath.power(2, a),
}


def mp_operate(op: str, *args: Any) -> Any:
    return MP_FUNCTIONS[op](*args) if op in MP_FUNCTIONS else operate(op, *args)


@dataclass
class Bounded:
    """A value in many digits and, to first order, how far floating-point arithmetic may be from it."""

    value: Any
    error: Any


def bounded_operate(op: str, a: Bounded, b: Any = None, c: Any = None) -> Bounded:
    """Running error analysis. ``assume`` drops what is not a number at the point, too large, or too close to call."""
    x, e = a.value, a.error
    if op in CHOOSING or op in ("where", "abs"):
        y = b.value if op in CHOOSING else mpmath.mpf(0)
        assume(abs(x - y) > 1e-6)
        if op == "where":
            return b if x > 0 else c
        errors = {"less": 0, "less_equal": 0, "abs": e}
        z = mp_operate(op, x, *([b.value] if op in CHOOSING else []))
        return Bounded(z, errors[op] if op in errors else e + b.error)
    if op in BINARY:
        y, d = b.value, b.error
        if op == "div":
            assume(abs(y) > 1e-6)
            z, grown = x / y, e / abs(y) + abs(x / y**2) * d
        elif op == "mul":
            z, grown = x * y, abs(y) * e + abs(x) * d
        else:
            z, grown = (x + y if op == "add" else x - y), e + d
    elif op == "pow":
        if isinstance(b, float) or b < 0 or b > 16:
            assume(x > 1e-3)
        z = mpmath.power(x, b)
        grown = e * abs(b * mpmath.power(x, b - 1)) if b and x else mpmath.mpf(0)
        grown += 8 * EPS * abs(z) * (1 + abs(b))
    else:
        if op in ("log", "sqrt"):
            assume(x > 1e-3)
        if op in ("exp", "bernoulli", "linexp", "two to the"):
            assume(abs(x) < 80)
        z = mp_operate(op, x)
        slope = {
            "neg": lambda: 1,
            "exp": lambda: z,
            "log": lambda: 1 / x,
            "sqrt": lambda: 1 / (2 * z),
            "bernoulli": lambda: mp_bernoulli_slope(x),
            "linexp": lambda: mp_bernoulli_slope(-x),
            "tanh": lambda: 1 - z * z,
            "two to the": lambda: z,
        }[op]()
        grown = abs(slope) * e
    assume(abs(z) < 1e30 and (abs(z) > 1e-30 or z == 0))
    return Bounded(z, grown + 4 * EPS * abs(z))


def reference(tree: Tree, at: dict) -> Bounded:
    """Value of the tree in many digits with its error bound."""

    def leaf(node: Any) -> Bounded:
        return Bounded(mpmath.mpf(at[node] if isinstance(node, tuple) else node), mpmath.mpf(0))

    with mpmath.workdps(DIGITS):
        return evaluate(tree, leaf, bounded_operate)


def draw_tree(tree: Tree, graph: Graph) -> Expression:
    """The tree as an expression; numbers stay plain floats for as long as they can."""

    def leaf(node: Any) -> Any:
        if not isinstance(node, tuple):
            return node
        kind, place = node
        if kind == "state":
            return graph.state(place)
        return graph.input(f"input {place}") if kind == "input" else graph.time()

    def apply(op: str, a: Any, *others: Any) -> Any:
        return operate(op, a if isinstance(a, Expression) else graph.constant(a), *others)

    node = evaluate(tree, leaf, apply)
    return node if isinstance(node, Expression) else graph.constant(node)


def program_of(tree: Tree) -> Program:
    """Three equations y' = (tree, tree · y_0, 0): the tree is an output and an argument of another."""
    graph = Graph()
    for place in range(3):
        graph.state(place)
    e = draw_tree(tree, graph)
    return assemble([e, e * graph.state(0), graph.constant(0.0)], {(0, 0): graph.constant(1.0)})


def evaluated(tree: Tree, at: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """f, J and f_t of ``program_of(tree)`` by the interpreter."""
    program = program_of(tree)
    y = np.array([at["state", i] for i in range(3)])
    k, _ = program.prepare({f"input {i}": at["input", i] for i in range(2)})
    arrays = program.linearised.run(at["time", 0], y, k, {"f": 3, "J": 9, "f_t": 3})
    assert program.evaluate_rates(at["time", 0], y, k)[0] == arrays["f"][0]
    return arrays["f"], arrays["J"].reshape(3, 3), arrays["f_t"]


# -- the graph --------------------------------------------------------------------------------------------------------


def test_equal_subexpressions_are_one_node():
    g = Graph()
    x, y, p = g.state(0), g.state(1), g.input("p")
    assert g.state(0) is x
    assert g.input("p") is p
    assert g.constant(2.0) is g.constant(2)
    assert x + y is y + x
    assert x * y is y * x
    assert x - y is x + (-y)
    assert exp(x * y + 1.0) is exp(1 + y * x)
    assert bernoulli(-(x - y)) is bernoulli(y - x)
    assert g.constant(-0.0) is g.constant(0.0)
    count = len(g.nodes)
    _ = log(sqrt(x) / (p + y)), log(sqrt(x) / (y + p))
    grown = len(g.nodes)
    _ = log(sqrt(x) / (p + y))
    assert grown > count
    assert len(g.nodes) == grown


def test_different_expressions_are_different_nodes():
    g = Graph()
    x, y = g.state(0), g.state(1)
    different = [x, y, g.time(), g.input("0"), x + y, x - y, y - x, x * y, x / y, y / x, -x]
    different += [exp(x), log(x), sqrt(x), bernoulli(x), x**0.5, x**0.6]
    assert len({e.index for e in different}) == len(different)


def test_simplifications():
    g = Graph()
    x, y, p = g.state(0), g.state(1), g.input("p")
    assert x + 0 is x
    assert 0 + x is x
    assert x - 0 is x
    assert x * 1 is x
    assert 1.0 * x is x
    assert x / 1 is x
    negative = -x
    assert -negative is x
    assert x * -1 is -x
    assert -(x - y) is y - x
    assert is_constant(x - x, 0.0)
    assert is_constant(x * 0, 0.0)
    assert is_constant(0 / x, 0.0)
    assert is_constant(x**0, 1.0)
    assert x**1 is x
    assert 2.0 * (3.0 * x) is 6.0 * x
    assert -(2.0 * x) is -2.0 * x
    assert (-x) * y is -(x * y)
    assert (p * x) * y is p * (x * y)
    assert x * (p * y) is p * (x * y)
    assert x**4 is (x * x) * (x * x)
    assert x**-2 is 1.0 / (x * x)


def test_arguments_come_before_their_users():
    g = Graph()
    e = exp(g.state(0) * g.input("p")) / (1.0 + bernoulli(g.state(1)))
    for node in reachable([e]):
        assert all(a.index < node.index for a in node.args)


def test_varies_names_exactly_what_an_expression_depends_on():
    g = Graph()
    x, y, t, p = g.state(0), g.state(5), g.time(), g.input("p")
    assert (x * p).varies == 0b10
    assert (x * y + t).varies == 0b1000011
    assert (p / (p + 1)).varies == 0


@given(trees, points)
def test_tape_evaluates_to_what_the_tree_does(tree, at):
    want = reference(tree, at)
    got = evaluated(tree, at)[0][0]
    assert abs(got - want.value) <= 8 * want.error + 1e-290


X, Y, P, Q, T = VARIABLES[0], VARIABLES[1], VARIABLES[3], VARIABLES[4], VARIABLES[5]
#: Something of every form that a simplification looks for.
ATOMS: list[Tree] = [X, Y, P, T, 0.0, 1.0, -1.0, 2.5]
ATOMS += [
    ("neg", X),
    ("neg", P),
    ("sub", X, Y),
    ("sub", P, X),
    ("mul", P, X),
    ("mul", 2.5, X),
    ("mul", ("mul", P, X), Y),
]
ATOMS += [("mul", X, ("neg", Y)), ("div", X, P), ("div", P, X), ("div", 1.0, Q), ("neg", ("mul", P, X)), ("pow", X, 2)]


@pytest.mark.parametrize("op", [*BINARY, "min", "max"])
def test_every_operation_on_every_form(op):
    """No rule of simplification is left to chance: all pairs, values and derivatives."""
    at = dict(zip(VARIABLES, (0.7, -1.3, 0.2, 1.9, -0.6, 2.2), strict=True))
    for a in ATOMS:
        for b in ATOMS:
            if op == "div" and b == 0.0:
                continue
            f, slopes, by_time = evaluated((op, a, b), at)
            with mpmath.workdps(40):
                for leaf, got in [(None, f[0]), (X, slopes[0, 0]), (Y, slopes[0, 1]), (T, by_time[0])]:
                    step = mpmath.mpf(10) ** -15 if leaf else 0
                    ends = [
                        evaluate(
                            (op, a, b),
                            lambda node, s=s, leaf=leaf: mpmath.mpf(at.get(node, node)) + (s if node == leaf else 0),
                            mp_operate,
                        )
                        for s in (step, -step)
                    ]
                    want = (ends[0] - ends[1]) / (2 * step) if leaf else ends[0]
                    assert abs(got - want) <= 1e-14 * (1 + abs(want)) * 4, (op, a, b, leaf)


@given(trees, points)
def test_derivatives_are_those_of_the_tree(tree, at):
    want = reference(tree, at)
    assume(want.error < 1e-10 * max(1, abs(want.value)))
    _, slopes, by_time = evaluated(tree, at)
    with mpmath.workdps(DIGITS):
        for leaf, got in [(("state", i), slopes[0, i]) for i in range(3)] + [(("time", 0), by_time[0])]:
            step = mpmath.mpf(10) ** -20
            values = []
            for shift in (step, -step):
                moved = {name: mpmath.mpf(value) for name, value in at.items()}
                moved[leaf] += shift
                values.append(
                    evaluate(
                        tree,
                        lambda node, m=moved: m[node] if isinstance(node, tuple) else mpmath.mpf(node),
                        mp_operate,
                    )
                )
            slope = (values[0] - values[1]) / (2 * step)
            # The slope's rounding grows with the condition of the tree, which the bound of its value measures.
            size = 1 + abs(slope) + abs(want.value) + want.error / EPS
            assert abs(got - slope) <= 1e-10 * size**2


RULES = [(op, 0.7) for op in UNARY] + [("abs", -0.7)] + [("bernoulli", u) for u in (-30.0, 0.0)]


def slope_at(op: str, value: float, exponent: Any = None) -> float:
    g = Graph()
    program = assemble([operate(op, g.state(0), exponent)], {})
    k, _ = program.prepare({})
    return program.evaluate_jacobian(0.0, np.array([value]), k)[0, 0]


@pytest.mark.parametrize(("op", "value"), RULES)
def test_derivative_rule(op, value):
    """Each rule at one point, to rounding: a wrong rule cannot hide behind the tolerance of the random test."""
    with mpmath.workdps(60):
        h = mpmath.mpf(10) ** -20
        want = (mp_operate(op, value + h) - mp_operate(op, value - h)) / (2 * h)
    assert slope_at(op, value) == pytest.approx(float(want), rel=1e-14)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_derivative_of_a_power(exponent):
    want = exponent * 1.3 ** (exponent - 1)
    assert slope_at("pow", 1.3, exponent) == pytest.approx(want, rel=1e-14)


def test_jacobian_leaves_zeros_out():
    g = Graph()
    x, y, t = g.state(0), g.state(1), g.time()
    slopes = jacobian([x * x, y + t, g.input("p")], 3)
    assert set(slopes) == {(0, 0), (1, 1), (1, 3)}


@given(trees, points)
def test_what_depends_on_inputs_alone_is_hoisted(tree, at):
    """The prologue reads no state and no time, and the tapes compute nothing that does not vary."""
    reference(tree, at)  # only what has a value can be folded
    program = program_of(tree)
    loads = [i for i in program.prologue.instructions if i.op in ("state", "time", "constant")]
    assert all(i.op == "state" and 0 <= i.a < len(program.inputs) for i in loads)
    for tape in (program.rates, program.linearised):
        varies: list[bool] = []
        for i in tape.instructions:
            if i.op in ("state", "time", "constant", "literal"):
                varies.append(i.op in ("state", "time"))
            else:
                varies.append(any(varies[r] for r in (i.a, i.b, i.c) if r >= 0))
                assert varies[-1], f"{i.op} could be hoisted"


def test_constants_of_a_product_are_gathered_and_hoisted_whole():
    g = Graph()
    x, p, q = g.state(0), g.input("p"), g.input("q")
    program = assemble([exp((x * p) * (3.0 * q) / (p + q))], {})
    assert program.constants == 1
    assert [i.op for i in program.rates.instructions] == ["state", "constant", "mul", "exp"]
    k, _ = program.prepare({"p": 2.0, "q": 5.0})
    assert k[0] == pytest.approx(30.0 / 7.0, rel=1e-15)


def test_mass_must_not_depend_on_the_state():
    g = Graph()
    x = g.state(0)
    with pytest.raises(ValueError, match="mass matrix"):
        assemble([x], {(0, 0): x})


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the interpreter evaluates both branches
def test_what_is_not_chosen_does_not_matter():
    """Neither the value nor the slope of the branch that is not taken, even where it is not a number."""
    g = Graph()
    x = g.state(0)
    program = assemble([where(less(x, 1.0), x * x, log(1.0 - sqrt(2.0 - x)))], {})
    k = np.zeros(0)
    assert program.evaluate_rates(0.0, np.array([-7.0]), k) == 49.0
    assert program.evaluate_jacobian(0.0, np.array([-7.0]), k) == -14.0
    slope = program.evaluate_jacobian(0.0, np.array([1.5]), k)
    assert slope == pytest.approx(0.5 / np.sqrt(0.5) / (1 - np.sqrt(0.5)))


def test_where_with_a_known_condition_leaves_no_trace():
    g = Graph()
    x, y = g.state(0), g.state(1)
    assert where(g.constant(1.0), x, y) is x
    assert where(g.constant(0.0), x, y) is y
    assert where(less(x, y), x, x) is x
    assert is_constant(less(g.constant(1.0), g.constant(2.0)), 1.0)
    assert is_constant(less_equal(g.constant(2.0), g.constant(2.0)), 1.0)
    assert is_constant(equal(g.constant(1.0), g.constant(2.0)), 0.0)


def test_functions_compute_when_called_with_numbers():
    assert exp(1.0) == pytest.approx(math.e)
    assert log(2.0) == pytest.approx(math.log(2))
    assert sqrt(2.0) == pytest.approx(math.sqrt(2))
    assert (tanh(0.5), absolute(-2.0), linexp(0.0)) == (math.tanh(0.5), 2.0, 1.0)
    assert (minimum(1.0, 2.0), maximum(1.0, 2.0), where(less(1.0, 2.0), 3.0, 4.0)) == (1.0, 2.0, 3.0)
    np.testing.assert_allclose(bernoulli(np.array([0.0, 1.0])), [1.0, 1.0 / math.expm1(1.0)], rtol=2 * EPS)


# -- the Bernoulli function -------------------------------------------------------------------------------------------

MAGNITUDES = np.unique(
    np.concatenate(
        [
            10.0 ** np.linspace(-300, np.log10(700), 1500),
            10.0 ** np.linspace(-5, np.log10(700), 1500),
            np.nextafter([1e-4, 0.25, 1e-4, 0.25], [0, 0, 1, 1]),
            [1e-4, 0.25, 700.0],
        ]
    )
)
ARGUMENTS = np.concatenate([-MAGNITUDES[::-1], [0.0], MAGNITUDES])


def relative_errors(got: np.ndarray, exact: Callable[[Any], Any]) -> np.ndarray:
    with mpmath.workdps(50):
        want = [exact(mpmath.mpf(float(u))) for u in ARGUMENTS]
        return np.array([float(abs(g / w - 1)) for g, w in zip(map(mpmath.mpf, got.tolist()), want, strict=True)])


def test_bernoulli_value_is_good_to_a_few_ulp():
    errors = relative_errors(bernoulli_value(ARGUMENTS), mp_bernoulli)
    assert errors.max() <= 4 * EPS


def test_bernoulli_slope_value_is_good_to_a_few_ulp():
    """Relative to the slope itself; worst just above 0.25, where 1 − x − B loses three bits."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        slopes = bernoulli_slope_value(ARGUMENTS)
    errors = relative_errors(slopes, mp_bernoulli_slope)
    assert errors.max() <= 16 * EPS


def test_bernoulli_beyond_the_range_of_exp():
    far = np.array([745.0, 1e4, 1e150])
    np.testing.assert_array_equal(bernoulli_value(far), 0.0)
    np.testing.assert_array_equal(bernoulli_value(-far), far)
    np.testing.assert_array_equal(bernoulli_slope_value(far), 0.0)
    np.testing.assert_array_equal(bernoulli_slope_value(-far), -1.0)


def test_bernoulli_of_a_scalar_is_a_scalar():
    assert np.ndim(bernoulli_value(0.3)) == 0
    assert np.ndim(bernoulli_slope_value(0.3)) == 0


def test_a_node_without_a_rule_is_refused():
    g = Graph()
    with pytest.raises(NotImplementedError, match="gamma"):
        jacobian([g.node("gamma", (g.state(0),))], 1)
