"""Plausibility warnings: printed by validate and by run, and none where nothing is wrong."""

from __future__ import annotations

import json

import pytest

from iontide.analysis.audit.diagnostics import warnings
from iontide.analysis.audit.plausibility import plausibility_warnings
from iontide.cli import main
from iontide.scenario.read import load, loads
from tests.simulation.test_temperature import COOLED, WARMED
from tests.support.paths import SCENARIO_FILES
from tests.support.scenario_text import CELL, changed, model_of, run_of

UNUSED = ("[parameters]", '[parameters]\nP_Na = "1e-9 m/s"\nx = "2 * y"\ny = 3')


@pytest.mark.parametrize("path", SCENARIO_FILES.values(), ids=lambda path: path.stem)
def test_the_shipped_scenarios_have_none(path):
    # The one that is no solution, but hot zirconia between gases.
    hot = ["a temperature of 973.15 K is hotter than any solution"] if path.stem == "oxygen_sensor" else []
    assert plausibility_warnings(load(path).model) == hot


@pytest.mark.parametrize(
    ("pairs", "more", "expected"),
    [
        ([], "", []),
        ([('"37 degC"', '"37 K"')], "", ["a temperature of 37 K is colder than any solution; is 37 degC meant?"]),
        ([('"37 degC"', '"200 K"')], "", ["a temperature of 200 K is colder than any solution"]),
        ([('"37 degC"', '"310 degC"')], "", ["a temperature of 583.15 K is hotter than any solution; is 310 K meant?"]),
        ([('"37 degC"', '"900 K"')], "", ["a temperature of 900 K is hotter than any solution"]),
        (
            [],
            COOLED.replace("15 degC", "15 K"),
            ["a temperature of 15 K is colder than any solution; is 15 degC meant?"],
        ),
        (
            [],
            WARMED.replace("47 degC", "310 degC"),
            ["a temperature of 583.15 K is hotter than any solution; is 310 K meant?"],
        ),
        (
            [('"-70 mV"', '"-70 V"')],
            "",
            ["the initial potential of plasma, -70 V, is more than a membrane withstands; is -70 mV meant?"],
        ),
        ([('"-70 mV"', '"ghk"')], "", []),
        (
            [],
            '[[protocol]]\nat = "1 s"\nclamp = { membrane = "plasma", potential = "-60 V" }',
            ["a potential at which plasma is held, -60 V, is more than a membrane withstands; is -60 mV meant?"],
        ),
        (
            [("[parameters]", '[parameters]\nheld = "-60 mV"\nlevel = "-50 mV"')],
            '[[protocol]]\nat = "1 s"\nclamp = { membrane = "plasma", potential = "held" }\n'
            '[[events]]\nwhen = "V rises through level"\nstop = true',
            [],
        ),
        ([UNUSED], "", ["nothing uses the parameters P_Na, x, y"]),
        ([UNUSED, ('"P_K" }', '"x * P_K" }')], "", ["nothing uses the parameter P_Na"]),
        (
            [UNUSED],
            '\n[[protocol]]\nat = "1 s"\nset = { "parameters.P_K" = "y * P_Na" }\n',
            ["nothing uses the parameter x"],
        ),
        (
            [UNUSED],
            '\n[[protocol]]\nat = "1 s"\nset = { "parameters.x" = "y" }\n',
            ["nothing uses the parameters P_Na, x, y"],
        ),
    ],
)
def test_warnings(pairs, more, expected):
    assert plausibility_warnings(model_of(*pairs, more=more)) == expected


def test_a_run_tells_them():
    assert "nothing uses the parameters P_Na, x, y" in warnings(run_of(UNUSED))


def test_validate_and_run_tell_them_on_standard_error(tmp_path, capsys):
    path = tmp_path / "cold.toml"
    path.write_text(changed(CELL, ('"37 degC"', '"37 K"')))
    assert main(["validate", str(path)]) == 0
    message = "warning: a temperature of 37 K is colder than any solution; is 37 degC meant?"
    assert capsys.readouterr().err.splitlines() == [f"{path}: no faults", f"{path}: {message}"]
    assert main(["validate", "--json", str(path)]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert report["warnings"] == [message.removeprefix("warning: ")]
    assert main(["run", str(path), "-o", str(tmp_path / "cold.h5")]) == 0
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('set = { "compartments.bath.K" = "20 mM" }', "from t = 60 s on the charges in bath do not balance: +16 mM"),
        (
            'ramp = { "compartments.bath.K" = "20 mM", over = "30 s" }',
            "from t = 90 s on the charges in bath do not balance: +16 mM",
        ),
        ('set = { "compartments.bath.K" = "20 mM", "compartments.bath.Na" = "130 mM" }', None),
        ('ramp = { "compartments.bath.K" = "20 mM", "compartments.bath.Na" = "130 mM", over = "30 s" }', None),
    ],
)
def test_a_bath_that_a_protocol_leaves_charged_is_told(entry: str, message: str | None) -> None:
    text = (SCENARIO_FILES["pump_leak_cell"]).read_text(encoding="utf-8")
    found = plausibility_warnings(loads(f'{text}\n[[protocol]]\nat = "1 min"\n{entry}\n').model)
    assert [message in sentence for sentence in found] == [True] if message else found == []
