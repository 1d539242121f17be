"""Formulas: Python's own eval is the oracle for arithmetic; units, dimensions, words by table."""

import copy
import math
import operator
import pickle
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from iontide.formulas.formula import (
    FLOAT_FUNCTIONS,
    Binary,
    Call,
    Compare,
    DimensionError,
    Formula,
    FormulaError,
    Name,
    Number,
    Unary,
    evaluate_float,
    fit_message,
    parse_formula,
)
from iontide.formulas.units import UNIT_NAMES, Dimension, UnitError, parse_quantity, parse_unit

SETTINGS = settings(deadline=60_000)  # a slow machine stalls; a text that hangs the parser takes longer

NAMES = {
    "V": ("V", -0.05),
    "T": ("K", 310.15),
    "x": ("mol/m^2/s", 2.0),
    "pump_max": ("mol/m^2", 3.0),
    "K_o": ("mol/m^3", 4.0),
    "P_K": ("m/s", 5.0),
    "Na.inside": ("mol/m^3", 10.0),
    "K.outside": ("mol/m^3", 4.0),
    "K.inside.activity": ("mol/m^3", 7.0),
    "E.K": ("V", -0.09),
    "m": ("1", 0.5),
    "h": ("1", 0.25),
    "n": ("1", 2.0),
}
VALUES = {name: value for name, (_, value) in NAMES.items()}


def dimension(name: str) -> Dimension:
    return parse_unit(NAMES[name][0])[1]


def value_of(text: str) -> float:
    return evaluate_float(parse_formula(text), VALUES)


# Arithmetic against Python itself.

ATOMS = st.one_of(st.integers(0, 9).map(str), st.sampled_from(["0.5", "1.5e1", "2.", ".25"]))
ARITHMETIC = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", " ** ", " - ", "-  "]), inner).map("".join),
        inner.map(lambda text: f"-{text}"),
        inner.map(lambda text: f"({text})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=8,
)


@SETTINGS
@given(ARITHMETIC, st.booleans())
def test_precedence_is_that_of_python(text, caret):
    try:
        # Floats throughout, as here: integers of Python would be exact where a double overflows.
        expected = eval(re.sub(r"(?<![\d.e])(\d+)(?![\d.e])", r"\1.0", text), {"min": min, "max": max})
    except ArithmeticError:
        reject()  # Python gives up where IEEE has an infinity: its own test below
    formula = parse_formula(text.replace("**", "^") if caret else text)
    if isinstance(expected, complex) or not math.isfinite(expected):
        with pytest.raises(FormulaError, match="is not finite"):
            evaluate_float(formula, {})
    else:
        assert evaluate_float(formula, {}) == expected


def test_values(subtests):
    for text, value in [
        ("-2^2", -4),
        ("2^-2", 0.25),
        ("2^3^2", 512),
        ("2^-1^2", 0.5),
        ("-2*-3", 6),
        ("8/4/2", 1),
        ("1 - 2 - 3", -4),
        ("+-+2", -2),
        ("max(1, 5, 3)", 5),
        ("abs(-3) + sqrt(4) + log(exp(1)) + tanh(0)", 6),
        ("where(1 < 2, 10, 20)", 10),
        ("where((2 <= 1), 10, 20)", 20),
        ("where(2 > 1, 10, 20)", 10),
        ("where(1 >= 2, 10, 20)", 20),
        ("where(2 == 2, 10, 20)", 10),
        ("where(2 != 2, 10, 20)", 20),
        ("where(V < 0 mV, E.K, V)", -0.09),
        ("linexp(0)", 1),
        ("1 / (1 + exp(1000))", 0),
        ("where(0 == 0, 1, 1/0)", 1),
        ("(T - 37 degC) / 10 K", 0),
        ("q10(3, 37 degC)", 1),
        ("q10(4, 27 degC) + q10(2, 47 degC)", 4.5),
        ("arrhenius(50 kJ/mol, 37 degC)", 1),
        ("50 % * 4", 2),
    ]:
        with subtests.test(text=text):
            assert value_of(text) == value


@SETTINGS
@given(st.floats(-1e3, 1e3))
def test_linexp_is_smooth_and_positive(x):
    value = FLOAT_FUNCTIONS["linexp"](x)
    assert value == pytest.approx(1 + x / 2 + x**2 / 12 if abs(x) < 1e-2 else x / -np.expm1(-np.longdouble(x)))
    assert value - FLOAT_FUNCTIONS["linexp"](-x) == pytest.approx(x, abs=1e-12)


@SETTINGS
@given(st.floats(), st.floats())
def test_float_functions_never_raise(a, b):
    for name, function in FLOAT_FUNCTIONS.items():
        count = {"where": 3, "q10": 3, "arrhenius": 3, "min": 2, "max": 2, "less": 2, "less_equal": 2, "equal": 2}.get(
            name, 1
        )
        value = function(*(a, b, b)[:count])
        assert isinstance(value, float)
        if math.isnan(a) or (count > 1 and math.isnan(b)):
            assert math.isnan(value)


def test_what_is_not_finite_is_named(subtests):
    for text, culprit in [
        ("9**9**9", "9**9**9"),
        ("1 + 1/0", "1/0"),
        ("2 * exp(1000)", "exp(1000)"),
        ("log(0) + 1", "log(0)"),
        ("sqrt(-1)", "sqrt(-1)"),
        ("(-8)^(1/3)", "(-8)^(1/3)"),
        ("0^-1", "0^-1"),
        ("where(0/0 < 1, 1, 2)", "0/0"),
        ("min(0/0, 1)", "0/0"),
    ]:
        with subtests.test(text=text):
            formula = parse_formula(text)
            with pytest.raises(FormulaError, match=re.escape(f"`{culprit}` is not finite")):
                evaluate_float(formula, {})
            with pytest.raises(FormulaError, match=re.escape(f"`{culprit}` is not finite")):
                formula.evaluate(VALUES.__getitem__, {})


# Units bind to numbers.


def test_the_unit_binding_rule(subtests):
    for text, value, unit in [
        ("100 mS/cm^2 * m^3 * h", 1000 * 0.125 * 0.25, "S/m^2"),
        ("100 mS/cm^2*m", 500, "S/m^2"),
        ("1 mM / m", 2, "mM"),
        ("1 mM/m", 1, "mM/m"),
        ("1 mM/ m", 2, "mM"),
        ("1 mM /m", 2, "mM"),
        ("1 mM/K_o", 0.25, "1"),
        ("8 mM/Na.inside", 0.8, "1"),
        ("2/K_o", 0.5, "1/mM"),
        ("2 /K_o", 0.5, "1/mM"),
        ("1/m", 2, "1"),
        ("1 /m", 1, "1/m"),
        ("1 /ms", 1000, "1/s"),
        ("600 /mM/s", 600, "/mM/s"),
        ("1 /ms * linexp((V + 50 mV) / 10 mV)", 1000, "1/s"),
        ("5 mol m^-2 s^-1", 5, "mol/m^2/s"),
        ("5 mol m^-2 s^-1 / h", 20, "mol/m^2/s"),
        ("5 mol·m⁻²·s⁻¹", 5, "mol/m^2/s"),
        ("0.04 * P_K", 0.2, "m/s"),
        ("5mM-2mM", 3, "mM"),
        ("1e-3 V", 1e-3, "V"),
        ("2 mM/min(1 mM, K_o)", 2, "1"),
        ("6 mM/(2 mM)", 3, "1"),
        ("6 mM/2", 3, "mM"),
        ("(5 mM)^2", 25, "mM^2"),
        ("5 mM^2", 5, "mM^2"),
        ("37 degC", 310.15, "K"),
        ("-5 degC", 268.15, "K"),
        ("- 5 °C", 268.15, "K"),
        ("3^((T - 27 degC)/10 K)", 3, "1"),
        ("4.18879 pL", 4.18879e-15, "m^3"),
        ("K_o*1\nmM", 4, "mM^2"),
    ]:
        with subtests.test(text=text):
            formula = parse_formula(text)
            assert formula.dimension_of(dimension) == parse_unit(unit)[1]
            assert evaluate_float(formula, VALUES) == pytest.approx(value, rel=1e-14)


QUANTITY_PARTS = st.sampled_from([*"0123456789.-/^· ", "1e3", "⁻²", *sorted(UNIT_NAMES)])
QUANTITIES = st.tuples(
    st.sampled_from(["1", "-2.5", "1e3", "0"]),
    st.sampled_from([" ", "", " /"]),
    st.sampled_from(sorted(UNIT_NAMES)),
    st.sampled_from(["", "^2", "⁻²", "/s", "·m^-3"]),
).map("".join)


@SETTINGS
@given(st.one_of(QUANTITIES, st.lists(QUANTITY_PARTS, max_size=8).map("".join)))
def test_a_quantity_means_the_same_in_a_formula(text):
    try:
        value, unit = parse_quantity(text)
        formula = parse_formula(text)
    except (UnitError, FormulaError):
        reject()
    assert formula.is_constant
    assert formula.dimension_of(dimension) == unit
    assert evaluate_float(formula, {}) == value


# Trees and formulas as values.


def test_the_tree():
    tree = parse_formula("where(V >= 5 mV, -K.inside.activity ** 2, x)").ast
    here: Any = (0, 0)
    volt = parse_unit("V")[1]
    pure = parse_unit("1")[1]
    assert tree == Call(
        "where",
        (
            Compare(">=", Name("V", here), Number(0.005, volt, "5 mV", here), here),
            Unary("-", Binary("^", Name("K.inside.activity", here), Number(2.0, pure, "2", here), here), here),
            Name("x", here),
        ),
        here,
    )


def test_formulas_are_values():
    formula = parse_formula("K.inside.activity * exp(V / E.K) + m")
    assert formula.names == {"K.inside.activity", "V", "E.K", "m"}
    assert not formula.is_constant
    assert parse_formula("2 * 3 mV").is_constant
    assert {formula: 1}[parse_formula(formula.text)] == 1
    with pytest.raises(AttributeError):
        formula.text = "x"  # type: ignore[misc]
    assert repr(parse_formula("1")) == "Formula(text='1')"


def test_long_sums_need_no_stack():
    formula = parse_formula("+".join(["x"] * 5000))
    assert evaluate_float(formula, VALUES) == 10_000
    assert formula.dimension_of(dimension) == dimension("x")
    assert formula.names == {"x"}
    twin = pickle.loads(pickle.dumps(copy.deepcopy(formula)))
    assert twin == formula
    assert hash(twin) == hash(formula)
    assert "(`V` is V, `x` is" in str(
        fit_message(dimension("V"), parse_formula("V * (" + "x+" * 4000 + "x)"), dimension)
    )


# Objects of the caller.


def test_arrays():
    functions: dict[str, Any] = {
        "exp": np.exp, "min": np.minimum, "where": np.where, "less": np.less, "equal": np.equal,
    }  # fmt: skip
    v = np.linspace(-2.0, 2.0, 5)
    values: dict[str, Any] = {"v": v, "a": 3.0}

    def evaluate(text: str) -> Any:
        return parse_formula(text).evaluate(values.__getitem__, functions)

    np.testing.assert_array_equal(evaluate("exp(-v^2) / a + exp(a)"), np.exp(-(v**2)) / 3 + math.exp(3))
    np.testing.assert_array_equal(evaluate("where(v > 1, a, 2 * v)"), np.where(v > 1, 3.0, 2 * v))
    np.testing.assert_array_equal(evaluate("where(v != 1, a, v)"), np.where(v != 1, 3.0, v))
    np.testing.assert_array_equal(evaluate("min(a, 1, v)"), np.minimum(1.0, v))
    np.testing.assert_array_equal(evaluate("where(a < 1, v, -v)"), -v)
    with pytest.raises(FormulaError, match=re.escape("`9^9^9` is not finite")):
        evaluate("9^9^9 * v")


class Symbol:
    """An object with operators and nothing else; its text shows what was done to it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __neg__(self) -> "Symbol":
        return Symbol(f"(-{self.text})")


def _spoken(other: Any) -> str:
    return other.text if isinstance(other, Symbol) else str(other)


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/"), ("pow", "**")):
    setattr(Symbol, f"__{_name}__", lambda a, b, s=_sign: Symbol(f"({_spoken(a)}{s}{_spoken(b)})"))
    setattr(Symbol, f"__r{_name}__", lambda a, b, s=_sign: Symbol(f"({_spoken(b)}{s}{_spoken(a)})"))


def test_factors_of_temperature_refer_to_it():
    formula = parse_formula("P_K * q10(1.4, 25 degC) * arrhenius(12 kcal/mol, 298.15 K)")
    assert formula.names == {"P_K", "T"}
    kelvin, energy = 310.15, 12 * 4184.0
    expected = 5.0 * 1.4 ** ((kelvin - 298.15) / 10) * math.exp(energy / 8.31446261815324 * (1 / 298.15 - 1 / kelvin))
    assert evaluate_float(formula, VALUES) == pytest.approx(expected, rel=1e-13)
    assert copy.deepcopy(formula) == pickle.loads(pickle.dumps(formula)) == formula


def test_factors_of_temperature_without_a_value(subtests):
    for text in ["q10(-2, 25 degC)", "arrhenius(50 kJ/mol, 0 K)", "q10(1e300, 0 K)"]:
        with subtests.test(text=text), pytest.raises(FormulaError, match="is not finite"):
            value_of(text)


def test_symbols_see_the_operators_and_functions_as_documented():
    functions = {
        name: lambda *operands, name=name: Symbol(f"{name}({','.join(map(_spoken, operands))})")
        for name in FLOAT_FUNCTIONS
    }

    def spoken(text: str) -> str:
        return parse_formula(text).evaluate(Symbol, functions).text

    assert spoken("a - 2 * 3^b") == "(a-(2.0*(3.0**b)))"
    assert spoken("-a.b / (1 + 1)") == "((-a.b)/2.0)"
    assert spoken("where(a > b, 1, c)") == "where(less(b,a),1.0,c)"
    assert spoken("where(a >= b, 1, c)") == "where(less_equal(b,a),1.0,c)"
    assert spoken("where(a <= b, 1, c)") == "where(less_equal(a,b),1.0,c)"
    assert spoken("where(a != b, 1, c)") == "where(equal(a,b),c,1.0)"
    assert spoken("max(1, 2, a, 3)") == "max(max(2.0,a),3.0)"
    assert spoken("q10(a, 1 K)") == "q10(a,1.0,T)"
    assert spoken("exp(1) * linexp(a)") == f"({math.e}*linexp(a))"


# Dimensions.


def test_the_term_that_does_not_fit_is_named(subtests):
    for text, message in [
        ("x + pump_max", "the term `pump_max` is mol/m^2, but `x` to which it is added is mol/m^2/s"),
        ("V - 1", "the term `1` is a pure number, but `V` from which it is subtracted is V"),
        ("V + 0", "the term `0` is a pure number, but `V` to which it is added is V"),
        ("exp(V + 30 mV)", "exp takes a pure number, but `V + 30 mV` is V"),
        ("log(K_o)", "log takes a pure number, but `K_o` is mol/m^3"),
        ("linexp(V)", "linexp takes a pure number, but `V` is V"),
        ("tanh(T)", "tanh takes a pure number, but `T` is K"),
        ("q10(2 mV, 25 degC)", "q10 takes as its factor a pure number, but `2 mV` is V"),
        ("q10(2, 25)", "q10 takes as its reference a temperature (as 25 degC), but `25` is a pure number"),
        (
            "arrhenius(5 kJ, T)",
            "arrhenius takes as its activation energy an energy per mole (as 50 kJ/mol), but `5 kJ` is J",
        ),
        ("arrhenius(5 J/mol, V)", "arrhenius takes as its reference a temperature (as 25 degC), but `V` is V"),
        ("2^V", "the exponent `V` is V, it must be a pure number"),
        ("V^n", "`V` is V, so its exponent `n` must be a constant such as 2 or 1/2"),
        ("V^0.123456789", "its exponent `0.123456789` must be a constant"),
        ("V^1e9", "its exponent `1e9` must be a constant"),
        ("min(V, T)", "the term `T` is K, but `V` beside it in min is V"),
        ("max(1 mV, V, 3)", "the term `3` is a pure number, but `1 mV` beside it in max is V"),
        ("where(V < 0, 1, 2)", "the term `0` is a pure number, but `V` with which it is compared is V"),
        ("where(n < 0, T, V)", "the term `V` is V, but `T` beside it in where is K"),
    ]:
        with subtests.test(text=text):
            formula = parse_formula(text)
            with pytest.raises(DimensionError, match=re.escape(message)):
                formula.dimension_of(dimension)
            assert message in str(fit_message(dimension("x"), formula, dimension, "a rate"))


def test_dimensions_that_fit(subtests):
    for text, unit in [
        ("sqrt(K_o * Na.inside)", "mM"),
        ("K_o^(1/2) * K_o^0.5", "mM"),
        ("K_o^-(6/4) * K_o^1.5", "1"),
        ("(K_o / 1 mM)^n", "1"),
        ("abs(-V)", "V"),
        ("min(V, E.K, 1 mV)", "V"),
        ("where(V < 0 mV, T, 1 K)", "K"),
        ("P_K * K_o + x", "mol/m^2/s"),
        ("pump_max * h / 1 s", "mol/m^2/s"),
    ]:
        with subtests.test(text=text):
            assert parse_formula(text).dimension_of(dimension) == parse_unit(unit)[1]


SIGMOID = "pump_max / (1 + exp((25 mM - Na.inside) / 3 mM)) / (1 + exp((5.5 mM - K.outside) / 1 mM))"


def test_what_a_misfit_sounds_like(subtests):
    for text, message in [
        (SIGMOID, "mol/m^2 does not fit, a rate is mol/m^2/s (the term `pump_max` is mol/m^2)"),
        ("pump_max", "mol/m^2 does not fit, a rate is mol/m^2/s (the term `pump_max` is mol/m^2)"),
        ("-V * T + V * T", "V·K does not fit, a rate is mol/m^2/s (`V` is V, `T` is K)"),
        ("5 mM", "mol/m^3 does not fit, a rate is mol/m^2/s"),
        ("5", "does not fit, a rate is mol/m^2/s (give the number its unit, as in `5 mol/m^2/s`)"),
        ("exp(1)", "a pure number does not fit, a rate is mol/m^2/s"),
        ("P_K * K_o", None),
    ]:
        with subtests.test(text=text):
            found = fit_message(dimension("x"), parse_formula(text), dimension, "a rate")
            assert found == message if message is None else str(found).endswith(message)


# Refusals.


def test_refusals_quote_the_place(subtests):
    for text, message in [
        ("", "the formula is empty"),
        ("1 +", "column 4 of `1 +`: the formula ends too early"),
        ("(1", "the formula ends too early"),
        ("1)", "column 2 of `1)`: `)` does not belong here"),
        ("()", "column 2 of `()`: `)` does not belong here"),
        ("a b", "column 3 of `a b`: an operator is missing before `b`"),
        ("2 (3)", "an operator is missing before `(`"),
        ("5 K_o", "an operator is missing before `K_o`"),
        ("5 min(1, 2)", "an operator is missing before `min`"),
        ("5 mv", "did you mean mV?"),
        ("5 mN m", "an operator is missing before `m`"),
        ("5 mM ^ 2", "write (5 mM)^… for a power of `5 mM`"),
        ("2 m**2", "write (2 m)**… for a power of `2 m`"),
        ("5 mM^2.5", "write (5 mM)^…"),
        ("20 degC/min", "degC cannot be combined"),
        ("1e999 mV", "too large"),
        ("gamma(1)", "unknown function `gamma` (functions are exp, log, sqrt"),
        ("sqr(1)", "unknown function `sqr`; did you mean sqrt?"),
        ("exp + 1", "`exp` is a function and needs its arguments in parentheses"),
        ("q10(2)", "q10 takes 2 arguments, not 1"),
        ("q10(2, 25 degC, 30 degC)", "q10 takes 2 arguments, not 3"),
        ("1 + q10", "`q10` is a function and needs its arguments in parentheses"),
        ("arhenius(1 J/mol, 1 K)", "unknown function `arhenius`; did you mean arrhenius?"),
        ("exp()", "`)` does not belong here"),
        ("exp(1, 2)", "exp takes 1 argument, not 2"),
        ("max(1)", "max takes 2 or more arguments, not 1"),
        ("where(1 < 2, 3)", "where takes 3 arguments, not 2"),
        ("where(x, 1, 2)", "the condition of where is a comparison, as in V < 0 mV"),
        ("where(1 < 2 < 3, 1, 2)", "a comparison is allowed only as the condition of where"),
        ("where(1 < 2, 1 < 2, 3)", "a comparison is allowed only as the condition of where"),
        ("x < 1", "a comparison is allowed only as the condition of where"),
        ("-(x < 1)", "a comparison is allowed only as the condition of where"),
        ("x = 1", "`=` has no meaning here; write =="),
        ("−70 mV", "`−` has no meaning here; write -"),
        ("().__class__", "`.` has no meaning here"),
        ("x.__class__", "`x.__class__` is not a name"),
        ("__import__('os')", "`__import__` is not a name"),
        ("_x", "`_x` is not a name"),
        ("x._y", "`x._y` is not a name"),
        ("x..y", "`x..y` is not a name"),
        ("K.inside(1)", "unknown function `K.inside`"),
        ("exp(1)(2)", "an operator is missing before `(`"),
        ("open('x')", "`'` has no meaning here"),
        ("lambda: 0", "`:` has no meaning here"),
        ("x[0]", "`[` has no meaning here"),
        ("{1}", "`{` has no meaning here"),
        ("1 if x else 2", "an operator is missing before `if`"),
        ("x @ x", "`@` has no meaning here"),
        ("7 // 2", "`/` does not belong here"),
        ("x; x", "`;` has no meaning here"),
        ("x\x00", "has no meaning here"),
        ("Ωx", "has no meaning here"),
        ("x" * 10_001, "at most 10000 are read"),
        ("(" * 5000 + ")" * 5000, "nests deeper than 100"),
        ("(" * 101 + "1" + ")" * 101, "nests deeper than 100"),
        ("-" * 9999 + "1", "nests deeper than 100"),
        ("2^" * 4999 + "1", "nests deeper than 100"),
        ("exp(" * 2000, "nests deeper than 100"),
        ("9" * 5000, "too long"),
    ]:
        with subtests.test(text=text):
            with pytest.raises(FormulaError, match=re.escape(message)) as caught:
                parse_formula(text)
            assert len(str(caught.value)) < 300
            assert isinstance(caught.value, ValueError)


def test_a_hundred_parentheses_are_read():
    assert value_of("(" * 100 + "1" + ")" * 100) == 1


def test_unknown_names_are_reported():
    with pytest.raises(FormulaError, match=re.escape("no such name `pump_mx`; did you mean pump_max?")):
        value_of("pump_mx + 1")
    with pytest.raises(KeyError):
        parse_formula("y").dimension_of(dimension)


WORDS = [*"+-*/^()<>=,. 0123456789eE_%·²", "**", "<=", "==", "where(", "exp(", "min(", "__class__", "1e308"]
WORDS += ["mM", "degC", "/ms", "cm^2", *NAMES]


@SETTINGS
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=25).map("".join)))
def test_any_text_gives_a_value_or_a_formula_error(text):
    try:
        formula = parse_formula(text)
        assert isinstance(formula, Formula)
        value = evaluate_float(formula, VALUES)
    except FormulaError:
        return
    assert math.isfinite(value)
    fit_message(dimension("V"), formula, lambda name: parse_unit(NAMES[name][0])[1])


def test_hostile_texts_are_refused_at_once(subtests):
    for text in [
        "(" * 10_000,
        "((1+" * 2500,
        "min(1," * 1600,
        "1/ " * 3333,
        "1 m/" * 2500,
        "x. " * 3333,
        "5 " + "m" * 9990,
    ]:
        with subtests.test(text=text), pytest.raises(FormulaError):
            parse_formula(text)


def test_operators_of_the_float_arithmetic_are_those_of_ieee():
    with np.errstate(all="ignore"):
        for symbol, function in (("/", operator.truediv), ("^", operator.pow)):
            for a in (-2.0, -1.0, -0.0, 0.0, 0.5, 2.0, 1e300):
                for b in (-3.0, -0.5, 0.0, 2.0, 3.0, 1e300):
                    expected = function(np.float64(a), np.float64(b))
                    formula = parse_formula(f"a {symbol} b")
                    if np.isfinite(expected):
                        assert evaluate_float(formula, {"a": a, "b": b}) == expected
                    else:
                        with pytest.raises(FormulaError):
                            evaluate_float(formula, {"a": a, "b": b})
