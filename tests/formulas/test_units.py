"""Units: pint is the oracle over the whole table; exactness, wording, hostile text are checked too."""

import math
import re
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iontide.formulas.units import (
    DIMENSIONLESS,
    MAX_LENGTH,
    UNIT_NAMES,
    Dimension,
    UnitError,
    convert,
    format_quantity,
    lab_unit,
    parse_quantity,
    parse_unit,
)

SETTINGS = settings(deadline=60_000)  # a slow machine stalls; a text that hangs the parser takes longer

PINT_BASES = {
    "[mass]": "kg",
    "[length]": "m",
    "[time]": "s",
    "[current]": "A",
    "[temperature]": "K",
    "[substance]": "mol",
}
CELSIUS = {"degC", "°C"}
SCALED = sorted(UNIT_NAMES - CELSIUS)


@cache
def pint_registry() -> Any:
    import pint  # takes long to import

    return pint.UnitRegistry()


def pint_unit(name: str) -> Any:
    """Our unit in pint's words: the field's concentrations, and names that pint has for something else."""
    if name.endswith("Osm"):
        return pint_registry().Unit(f"{name.removesuffix('Osm')}mol / L")
    name = name.replace("\N{OHM SIGN}", "ohm").replace("\N{ANGSTROM SIGN}", "angstrom")
    return pint_registry().Unit({"d": "day", "h": "hour", "%": "percent", "Angstrom": "angstrom"}.get(name, name))


def check_against_pint(ours: tuple[float, Dimension], theirs: Any) -> None:
    base = pint_registry().Quantity(1.0, theirs).to_base_units()
    assert ours[0] == pytest.approx(base.magnitude, rel=1e-12)
    powers = {PINT_BASES[key]: int(power) for key, power in base.dimensionality.items()}
    assert ours[1] == Dimension(**powers)


def test_every_unit_agrees_with_pint(subtests):
    for name in SCALED:
        with subtests.test(name=name):
            check_against_pint(parse_unit(name), pint_unit(name))


FACTORS = st.lists(
    st.tuples(st.sampled_from("/.· "), st.sampled_from(SCALED), st.integers(-3, 3)), min_size=1, max_size=4
)


@SETTINGS
@given(st.booleans(), FACTORS)
def test_products_agree_with_pint(opens_with_slash, factors):
    text, expected = "/" if opens_with_slash else "", pint_registry().Unit("")
    for i, (separator, name, power) in enumerate(factors):
        divides = separator == "/" if i else opens_with_slash
        text += (separator if i else "") + (name if power == 1 else f"{name}^{power or 2}")
        expected *= pint_unit(name) ** ((power or 2) * (-1 if divides else 1))
    check_against_pint(parse_unit(text), expected)


def test_quantities_are_the_nearest_double(subtests):
    for text, value, unit in [
        ("145 mM", 145.0, "mol/m^3"),
        ("145mM", 145.0, "mol/m^3"),
        ("-70 mV", -0.07, "V"),
        ("+70 mV", 0.07, "V"),
        ("1 uF/cm^2", 0.01, "F/m^2"),
        ("1 µF/cm²", 0.01, "F/m^2"),
        ("1 μF cm⁻²", 0.01, "F/m^2"),
        ("4.18879 pL", 4.18879e-15, "m^3"),
        ("1256.637 um^2", 1256.637e-12, "m^2"),
        ("4e-6 cm/s", 4e-8, "m/s"),
        ("1.4e-6 mol/m^2/s", 1.4e-6, "mol/m^2/s"),
        ("1e-10 m^4/mol/s", 1e-10, "m^4/mol/s"),
        ("600 /mM/s", 600.0, "m^3/mol/s"),
        ("3e-2 /s", 0.03, "1/s"),
        ("37 degC", 310.15, "K"),
        ("-5 °C", 268.15, "K"),
        ("10 h", 36000.0, "s"),
        ("300 mOsm", 300.0, "mol/m^3"),
        ("50 %", 0.5, "1"),
        ("0.85", 0.85, "1"),
        (".5", 0.5, "1"),
        (" 3.  nS\n", 3e-9, "S"),
        ("0e9999 V", 0.0, "V"),
    ]:
        with subtests.test(text=text):
            assert parse_quantity(text) == (value, parse_unit(unit)[1])  # equal, not merely close


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9)


@SETTINGS
@given(NUMBERS, st.sampled_from(SCALED))
def test_a_literal_is_rounded_once(number, name):
    scale = Fraction(convert_exactly(name))
    expected = Fraction(number) * scale
    assume(not expected or abs(expected) >= Fraction(5e-324))
    assert parse_quantity(f"{number:e} {name}")[0] == float(expected)


def convert_exactly(name: str) -> Fraction:
    """The exact size of a unit, which is a short decimal: so it is the shortest one of its double."""
    return Fraction(repr(parse_unit(name)[0]))


SPOKEN = """V A C S F ohm J W N Pa kg K m mol s A/m^2 S/m^2 F/m^2 C/m^2 C/mol V/m V/s N/m J/mol J/mol/K
mol/m^3 mol/m^2/s mol/s m/s m^2 m^3 m^2/s m^4/mol/s 1/s m^3/mol/s V^2 S/m kg/m^3 ohm·m"""


def test_dimensions_are_spoken_in_the_terms_of_the_field(subtests):
    for unit in SPOKEN.split():
        with subtests.test(unit=unit):
            assert str(parse_unit(unit)[1]) == unit


def test_pure_numbers_and_broken_powers():
    assert str(DIMENSIONLESS) == "a pure number"
    assert DIMENSIONLESS.is_dimensionless
    root = parse_unit("m")[1] ** Fraction(1, 2)
    assert str(root) == "m^(1/2)"
    assert root * root == parse_unit("m")[1]
    assert hash(root**2) == hash(parse_unit("m")[1])
    assert type((root**2).m) is int
    assert parse_unit("V")[1] / parse_unit("A")[1] == parse_unit("ohm")[1]


INTEGERS = st.integers(-4, 4)
DIMENSIONS = st.builds(Dimension, *6 * [INTEGERS]).filter(lambda dimension: not dimension.is_dimensionless)


@SETTINGS
@given(DIMENSIONS)
def test_what_a_dimension_prints_reads_as_itself(dimension):
    assert parse_unit(str(dimension)) == (1.0, dimension)


LAB_UNITS = "V m/s mol/m^3 m^3 m^2 F/m^2 S/m^2 s K A/m^2 S F A ohm mol m 1/s m^4/mol/s 1"
VALUES = st.floats(-1e280, 1e280).filter(lambda x: x == 0 or abs(x) > 1e-280)


@SETTINGS
@given(VALUES, st.sampled_from(LAB_UNITS.split()))
def test_formatting_round_trips_to_the_last_bit(value, unit):
    dimension = parse_unit(unit)[1]
    assert parse_quantity(format_quantity(value, dimension)) == (value, dimension)


def test_values_are_written_as_people_write_them(subtests):
    for value, unit, text in [
        (-0.07, "V", "-70 mV"),
        (145.0, "mol/m^3", "145 mM"),
        (4.18879e-15, "m^3", "4.18879 pL"),
        (1256.637e-12, "m^2", "1256.637 um^2"),
        (0.01, "F/m^2", "1 uF/cm^2"),
        (1000.0, "S/m^2", "100 mS/cm^2"),
        (310.15, "K", "310.15 K"),
        (4e-8, "m/s", "4e-8 m/s"),
        (0.03, "1/s", "0.03 /s"),
        (0.5, "1", "0.5"),
        (0.0, "s", "0 s"),
    ]:
        with subtests.test(value=value):
            assert format_quantity(value, parse_unit(unit)[1]) == text


def test_conversion_for_labels():
    assert convert(-0.07, "mV") == -70.0
    assert convert(310.15, "degC") == 37.0
    assert convert(3600.0, "h") == 1.0
    assert convert(2.0, "1/s") == 2.0
    assert math.isnan(convert(math.nan, "mV"))
    assert lab_unit(parse_unit("V")[1]) == "mV"
    with pytest.raises(UnitError, match="finite"):
        format_quantity(math.inf, DIMENSIONLESS)
    with pytest.raises(UnitError, match="too large"):
        convert(1e308, "nM")


def test_refusals_name_the_text_and_what_is_allowed(subtests):
    for text, message in [
        ("5 mv", "unknown unit `mv`; did you mean mV?"),
        ("5 Mm", "did you mean mM or mm?"),
        ("5 m2", "did you mean m^2?"),
        ("5 Cl", "unknown unit `Cl`"),
        ("5 xyzzy", "known are degC, m, "),
        ("20 degC/min", "degC cannot be combined"),
        ("5 mV degC", "degC cannot be combined"),
        ("-274 degC", "below absolute zero"),
        ("5 mM / s", "no space around /"),
        ("5 m^2mV", "cannot read `m^2mV`"),
        ("5 m^s", "cannot read `m^s`"),
        ("5 m^0", "the exponent in `m^0`"),
        ("5 m^999999999", "the exponent in"),
        ("5 m^2.5", "unknown unit `5`"),
        ("600/mM/s", "needs a space before the slash"),
        ("nan mV", "must begin with a decimal number"),
        ("inf", "must begin with a decimal number"),
        ("-nan", "must begin with a decimal number"),
        ("0x10 mV", "unknown unit"),
        ("1_000 mV", "unknown unit"),
        ("٣ mV", "must begin with a decimal number"),
        ("- 70 mV", "must begin with a decimal number"),
        ("mV", "must begin with a decimal number"),
        ("", "must begin with a decimal number"),
        ("9**9**9 mV", "unknown unit"),
        ("1e999 mV", "too large"),
        ("1e99999999999999999999 mV", "beyond the range"),
        ("1e-400 V", "too small"),
        ("1" * 10_000, f"at most {MAX_LENGTH} are read"),
        ("1 \x1b[31m", "�[31m"),
    ]:
        with subtests.test(text=text):
            with pytest.raises(UnitError, match=re.escape(message)) as caught:
                parse_quantity(text)
            assert "\n" not in str(caught.value)
            assert isinstance(caught.value, ValueError)


def test_units_that_are_none(subtests):
    for text in ["degC", "", "/", "m/", "/ s", "2 m", "m^^2", "m^--2", "m²³⁴", "m..s", "m//s", "m" * 300]:
        with subtests.test(text=text), pytest.raises(UnitError):
            parse_unit(text)


ALPHABET = st.sampled_from([*"0123456789.eE+-/^· ²⁻µ%", *SCALED, "degC", "nan", "\n"])


@SETTINGS
@given(st.one_of(st.text(max_size=250), st.lists(ALPHABET, max_size=12).map("".join)))
def test_any_text_parses_or_raises_a_unit_error(text):
    try:
        value, dimension = parse_quantity(text)
    except UnitError:
        return
    assert math.isfinite(value)
    assert isinstance(dimension, Dimension)
