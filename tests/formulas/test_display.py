"""Numbers with a unit that fits their size."""

from __future__ import annotations

import pytest

from iontide.formulas.display import (
    duration_text,
    fitting_unit,
    power_text,
    quantity_text,
    size_text,
    waiting_time_text,
)
from iontide.formulas.units import DIMENSIONLESS, parse_unit


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0, "0 s"), (1e-12, "0.001 ns"), (1e-5, "10 us"), (0.5, "500 ms"), (1.2345, "1.23 s")],
        *[(59.99999, "1 min"), (90, "1.5 min"), (36000, "10 h"), (864e5, "1000 d"), (864e6, "10000 d")],
    ],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0.042, "0.042 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60.0, "1 min"), (3599.0, "59 min 59 s")],
        *[(3600.0, "1 h"), (18_660.0, "5 h 11 min"), (86_400.0, "1 d"), (1e6, "11 d 14 h")],
    ],
)
def test_waiting_times(seconds, text):
    assert waiting_time_text(seconds) == text


def test_units_with_a_prefix():
    assert fitting_unit(2.0, "A") == ("A", 1.0)
    assert fitting_unit(-3e-12, "W") == ("pW", 1e-12)
    assert fitting_unit(1e-30, "W") == fitting_unit(0.0, "W") == ("aW", 1e-18)
    assert [power_text(p) for p in (0.0, 1.26e-18, -4.2e-11, 3e-6)] == ["0 W", "1.26 aW", "-42 pW", "3 uW"]


def test_sizes():
    assert [size_text(n) for n in (7, 12_345, 3.2e9, 4e12)] == ["7 B", "12.3 kB", "3.2 GB", "4 TB"]


def test_quantities_in_their_lab_unit():
    assert quantity_text(-0.0701234567, parse_unit("V")[1]) == "-70.1235 mV"
    assert quantity_text(-0.0701234567, parse_unit("V")[1], 8) == "-70.123457 mV"
    assert quantity_text(0.25, DIMENSIONLESS) == "0.25"
    assert quantity_text(float("nan"), parse_unit("V")[1]) == "nan"
