"""Repeated compartments come to what the same file says written out by hand, and to what diffusion in a row must be."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

import iontide
from iontide.errors import ScenarioError, UsageError
from iontide.scenario.edits.repeat import MOST_REPEATED, expand
from iontide.scenario.jsonschema import json_schema
from iontide.scenario.read import loads
from iontide.scenario.text.faults import Faults
from iontide.scenario.text.key_lines import key_lines
from tests.support.effort import grows_in_proportion
from tests.support.malformed import BASES, cases
from tests.support.paths import SCENARIO_FILES
from tests.support.scenario_text import misfit

HEAD = """\
title = "Layers"

[simulation]
duration = "1 h"
temperature = "37 degC"
"""

COLUMN = (
    HEAD
    + """
[compartments.layer]
repeat = 10
volume = "20 nL"
concentrations = { K = "where({i} == 5, 12 mM, 3 mM)", Na = "where({i} == 5, 136 mM, 145 mM)", Cl = "148 mM" }

[compartments.bath]
bath = true
concentrations = { K = "3 mM", Na = "145 mM", Cl = "148 mM" }

[diffusion.depth]
along = "layer"
area = "0.2 mm^2"
length = "100 um"
tortuosity = 1.6

[diffusion.surface]
between = ["layer_1", "bath"]
area = "0.2 mm^2"
length = "50 um"
tortuosity = 1.6
"""
)


def column_by_hand():
    """The same, every layer written out."""
    layers = [
        f'[compartments.layer_{i}]\nvolume = "20 nL"\n[compartments.layer_{i}.concentrations]\n'
        f'K = "{12 if i == 5 else 3} mM"\nNa = "{136 if i == 5 else 145} mM"\nCl = "148 mM"\n'
        for i in range(1, 11)
    ]
    bath = '[compartments.bath]\nbath = true\nconcentrations = { K = "3 mM", Na = "145 mM", Cl = "148 mM" }\n'
    joints = [
        f'[diffusion.depth_{i}]\nbetween = ["layer_{i}", "layer_{i + 1}"]\narea = "0.2 mm^2"\nlength = "100 um"\n'
        "tortuosity = 1.6\n"
        for i in range(1, 10)
    ]
    surface = '[diffusion.surface]\nbetween = ["layer_1", "bath"]\narea = "0.2 mm^2"\nlength = "50 um"\n'
    return HEAD + "\n".join([*layers, bath, *joints, surface]) + "tortuosity = 1.6\n"


def run(text, **settings):
    return iontide.run(loads(text, set=settings.get("set")).model)


def faults_of(text, settings=None):
    with pytest.raises(ScenarioError) as caught:
        loads(text, "x.toml", settings)
    return [(f.line, f.path, f.message) for f in caught.value.faults]


# -- the same as by hand --------------------------------------------------------------------------------------------


def test_a_column_is_that_written_by_hand():
    repeated, by_hand = loads(COLUMN), loads(column_by_hand())
    assert repeated.model == by_hand.model
    a, b = iontide.run(repeated.model), iontide.run(by_hand.model)
    assert np.array_equal(a.time, b.time)
    assert np.array_equal(a.states, b.states)
    # And it is no idle column: potassium has spread and gone out through the surface.
    k = np.array([a.concentration(f"layer_{i}", "K") for i in range(1, 11)])
    assert k[:, 0].sum() == pytest.approx(39.0, rel=1e-12)
    assert 3.1 < k[9].max() < 4.0
    assert np.all(np.diff(k.sum(axis=0)) < 0.0)


PAIRED = """
[compartments.soma]
repeat = ["a", "b"]
volume = "1 pL"
concentrations = { K = ["100 mM", "120 mM"], Cl = "10 mM", Ca = "1 uM", B = "1 mM", CaB = "0 mM" }
impermeants = { A = { concentration = "balance", valence = [-1, -2] } }

[compartments.space]
repeat = ["a", "b"]
volume = "{i} * 2 pL"
concentrations = { K = "3 mM", Cl = "3 mM" }

[compartments.bath]
bath = true
concentrations = { K = "3 mM", Cl = "3 mM" }

[species.B]
valence = -2
[species.CaB]
valence = 0

[membranes.plasma]
inside = "soma"
outside = "space"
area = ["100 um^2", "200 um^2"]
specific_capacitance = "1 uF/cm^2"
potential = "ghk"
permeability = { K = "{i} * 1e-8 m/s" }

[membranes.plasma.pathways.leak]
ion = "Cl"
conductance = ["0.1 mS/cm^2", "0.2 mS/cm^2 * m"]
gates.m = { steady = "1/2", time_constant = ["1 ms", "2 ms"] }

[membranes.cap]
inside = "soma_a"
outside = "bath"
area = "10 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"

[membranes.junction]
along = "soma"
area = "1 um^2"
specific_capacitance = "0 uF/cm^2"
permeability = { K = "1e-6 m/s" }

[diffusion.side]
between = ["space", "bath"]
area = "1 um^2"
length = ["1 um", "2 um"]
ions = ["K", "Cl"]

[reactions.buffer]
in = "soma"
equation = "Ca + B <=> CaB"
forward = "600 /mM/s"
backward = ["300 /s", "200 /s"]

[exchange.rinsing]
between = ["space", "bath"]
rate = "0.1 /s"
"""


def test_whatever_names_a_repeated_compartment_is_paired():
    model = loads(HEAD + PAIRED).model
    assert list(model.compartments) == ["soma_a", "soma_b", "space_a", "space_b", "bath"]
    sides = {m.name: (m.inside, m.outside) for m in model.membranes.values()}
    assert sides == {
        "plasma_a": ("soma_a", "space_a"),
        "plasma_b": ("soma_b", "space_b"),
        "cap": ("soma_a", "bath"),
        "junction_a": ("soma_a", "soma_b"),
        "side_a": ("space_a", "bath"),
        "side_b": ("space_b", "bath"),
    }
    assert [(r.name, r.compartment) for r in model.reactions] == [("buffer_a", "soma_a"), ("buffer_b", "soma_b")]
    assert [(e.name, e.inside) for e in model.exchanges] == [("rinsing_a", "space_a"), ("rinsing_b", "space_b")]
    assert [r.backward for r in model.reactions] == [300.0, 200.0]
    assert [model.compartments[f"soma_{x}"].concentrations["K"] for x in "ab"] == [100.0, 120.0]
    assert [model.compartments[f"soma_{x}"].impermeants[0].valence for x in "ab"] == [-1, -2]
    volumes = [model.compartments[f"space_{x}"].volume for x in "ab"]
    np.testing.assert_allclose(volumes, [2e-15, 4e-15], rtol=1e-12)
    a, b = model.membranes["plasma_a"], model.membranes["plasma_b"]
    np.testing.assert_allclose([a.area, b.area], [1e-10, 2e-10], rtol=1e-12)
    np.testing.assert_allclose([m.pathways[0].arguments[""] for m in (a, b)], [1e-8, 2e-8], rtol=1e-12)
    assert str(b.pathways[1].arguments[""].text) == "0.2 mS/cm^2 * m"
    assert [m.pathways[1].gates[0].time_constant for m in (a, b)] == [1e-3, 2e-3]


def test_sources_are_repeated_with_what_they_go_into():
    raw = tomllib.loads(
        '[compartments.layer]\nrepeat = 2\n[sources.release]\ninto = "layer"\n[sources.one]\ninto = "bath"'
    )
    expanded = expand(raw, Faults({}))
    assert expanded is not None
    assert expanded["sources"] == {
        "release_1": {"into": "layer_1"},
        "release_2": {"into": "layer_2"},
        "one": {"into": "bath"},
    }


def test_a_count_is_the_list_of_its_numbers():
    names = "[" + ", ".join(f'"{i}"' for i in range(1, 11)) + "]"
    assert loads(COLUMN.replace("repeat = 10", f"repeat = {names}")).model == loads(COLUMN).model


def test_one_piece_has_no_neighbour():
    model = loads(COLUMN.replace("repeat = 10", "repeat = 1").replace("== 5", "== 1")).model
    assert list(model.compartments) == ["layer_1", "bath"]
    assert list(model.membranes) == ["surface"]


def test_a_file_without_repetition_is_left_as_it_is():
    shipped = [path.read_text(encoding="utf-8") for path in SCENARIO_FILES.values()]
    for texts in (shipped, [case.text() for case in cases().values()]):
        seen = 0
        for text in texts:
            try:
                raw = tomllib.loads(text)
            except tomllib.TOMLDecodeError:
                continue
            if "repeat" not in text and "along" not in text:
                faults = Faults(key_lines(text))
                assert expand(raw, faults) is raw
                assert not faults.found
                seen += 1
        assert seen > 10


def test_expansion_leaves_the_file_as_it_is():
    raw, again = tomllib.loads(BASES["column"]), tomllib.loads(BASES["column"])
    expanded = expand(raw, Faults({}))
    assert raw == again
    assert expanded is not None
    assert expand(expanded, Faults({})) is expanded
    expanded["compartments"]["layer_1"]["concentrations"]["K"] = "changed"
    assert expanded["compartments"]["layer_2"]["concentrations"]["K"] == "3 mM"


# -- diffusion in a row ---------------------------------------------------------------------------------------------

D, LENGTH, AREA = 1e-9, 1e-3, 1e-8  # m²/s, m, m²: a rod, closed at both ends


def rod(pieces, initial, duration):
    values = ", ".join(f'"{value!r} mol/m^3"' for value in initial)
    text = f"""
title = "A rod"
[parameters]
rod = "{LENGTH!r} m"
[simulation]
duration = "{duration!r} s"
temperature = "25 degC"
rtol = 1e-10
[species.sugar]
valence = 0
diffusion_coefficient = "{D!r} m^2/s"
[compartments.piece]
repeat = {pieces}
volume = "{AREA!r} m^2 * rod / {pieces}"
concentrations = {{ sugar = [{values}] }}
[diffusion.rod]
along = "piece"
area = "{AREA!r} m^2"
length = "rod / {pieces}"
"""
    trajectory = run(text)
    return np.array([trajectory.concentration(f"piece_{i + 1}", "sugar")[-1] for i in range(pieces)])


def test_a_neutral_solute_spreads_as_in_a_chain():
    """Sum over the modes cos(m π (k + 1/2) / n), each with the rate (4 D / h²) sin²(m π / 2 n)."""
    n, duration = 20, 100.0
    initial = np.where(np.arange(n) == 3, 10.0, 1.0)
    modes = np.cos(np.pi * np.outer(np.arange(n), np.arange(n) + 0.5) / n)
    weights = modes @ initial / (modes**2).sum(axis=1)
    rates = 4.0 * D * (n / LENGTH) ** 2 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2
    exact = (weights * np.exp(-rates * duration)) @ modes
    found = rod(n, initial.tolist(), duration)
    np.testing.assert_allclose(found, exact, rtol=1e-8)
    assert 1.5 < found.max() < 3.0
    assert np.all(found > 1.0)


def test_more_pieces_come_closer_to_the_diffusion_equation():
    """cos(π x / L) keeps its form and fades with D π² / L²; the error falls with the square of the pieces."""
    duration = 0.5 * LENGTH**2 / (np.pi**2 * D)
    errors = []
    for n in (10, 20, 40):
        form = np.cos(np.pi * (np.arange(n) + 0.5) / n)
        found = rod(n, (10.0 + 5.0 * form).tolist(), float(duration))
        errors.append(np.abs(found - 10.0 - 5.0 * np.exp(-0.5) * form).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2.0, atol=0.05)


# -- settings -------------------------------------------------------------------------------------------------------


def volumes(**settings):
    model = loads(COLUMN, set=settings["set"]).model
    return [c.volume for c in model.compartments.values() if c.name != "bath"]


def test_a_setting_holds_for_all_pieces_or_for_one():
    nl = pytest.approx
    assert volumes(set={"compartments.layer.volume": "3 nL"}) == nl([3e-12] * 10)
    assert volumes(set={"compartments.layer_3.volume": "4 nL"}) == nl([2e-11] * 2 + [4e-12] + [2e-11] * 7)
    both = {"compartments.layer_3.volume": "4 nL", "compartments.layer.volume": "3 nL"}
    assert volumes(set=both) == volumes(set=dict(reversed(both.items()))) == nl([3e-12] * 2 + [4e-12] + [3e-12] * 7)
    assert volumes(set={"compartments.layer.repeat": 5}) == volumes(set={"compartments.layer.repeat": "5"})
    assert volumes(set={"compartments.layer.repeat": "5", "compartments.layer_5.volume": "4 nL"}) == nl(
        [2e-11] * 4 + [4e-12]
    )
    each = '["1 nL", "2 nL", "3 nL", "4 nL", "5 nL"]'
    expected = nl([1e-12, 2e-12, 3e-12, 4e-12, 5e-12])
    assert volumes(set={"compartments.layer.repeat": 5, "compartments.layer.volume": each}) == expected
    assert volumes(set={"compartments.layer.repeat": 5, "compartments.layer.volume": tomllib.loads(f"x={each}")["x"]})


def test_settings_of_what_is_repeated_with_it():
    couplings = {"diffusion.depth.tortuosity": 2.0, "diffusion.depth_9.tortuosity": "1"}
    model = loads(COLUMN, set=couplings).model
    found = [model.membranes[f"depth_{i}"].pathways[0].arguments[""] for i in (1, 8, 9)]
    assert found[0] == found[1] == pytest.approx(found[2] / 4.0, rel=1e-12)
    text = BASES["column"].replace('{ K = ["1e-8 m/s", "2e-8 m/s", "3e-8 m/s"] }', '{ K = "1e-8 m/s" }')
    model = loads(text, set={"membranes.plasma_2.permeability.K": "5e-8 m/s"}).model
    assert [model.membranes[f"plasma_{i}"].pathways[0].arguments[""] for i in (1, 2, 3)] == [1e-8, 5e-8, 1e-8]
    # One element of a list, counted from 0 as elsewhere.
    model = loads(BASES["column"], set={"compartments.layer.volume.0": "7 pL"}).model
    assert model.compartments["layer_1"].volume == pytest.approx(7e-15)


def test_names_by_a_setting():
    names = loads(COLUMN, set={"compartments.layer.repeat": '["1", "deep"]'}).model.compartments
    assert list(names) == ["layer_1", "layer_deep", "bath"]


def test_settings_that_lead_nowhere(subtests):
    for path, message in [
        ("compartments.layer_11.volume", r"there is no compartment layer_11; did you mean layer_1\?"),
        ("compartments.layer_3.repeat", "there is no compartment layer_3"),
        ("compartments.layer_3.volum", r"no such key; did you mean volume\?"),
        ("compartments.layr.volume", r"there is no compartment layr; did you mean layer\?"),
        ("diffusion.depth_10.length", "there is no diffusion depth_10"),
    ]:
        with subtests.test(path=path), pytest.raises(UsageError, match=message):
            loads(COLUMN, set={path: "1 pL"})


def test_faults_of_settings_have_no_line():
    line = "must be greater than 0, got 0 pL (given with --set)"
    assert faults_of(COLUMN, {"compartments.layer.volume": "0 pL"}) == [(0, "compartments.layer.volume", line)]
    assert faults_of(COLUMN, {"compartments.layer_3.volume": "0 pL"}) == [(0, "compartments.layer_3.volume", line)]
    # A broken repetition is told before a piece is sought.
    broken = {"compartments.layer.repeat": 0, "compartments.layer_3.volume": "1 pL"}
    assert faults_of(COLUMN, broken) == [
        (0, "compartments.layer.repeat", "must be from 1 to 200, got 0 (given with --set)")
    ]


# -- faults and bounds ----------------------------------------------------------------------------------------------


def test_names_in_a_common_fault_are_those_of_the_file():
    text = COLUMN.replace("length", "ions = ['Ca']\nlength", 1)
    found = faults_of(text)
    assert [path for _, path, _ in found] == ["diffusion.depth.ions.0"]
    assert not any(f"layer_{i}" in found[0][2] for i in range(1, 11))


def test_faults_that_some_pieces_have_name_each():
    values = ", ".join(['"20 nL"'] * 8 + ['"-1 nL"', '"1 m"'])
    found = faults_of(COLUMN.replace('"20 nL"', f"[{values}]"))
    assert [path for _, path, _ in found] == ["compartments.layer_10.volume", "compartments.layer_9.volume"]


def test_bounds():
    text = COLUMN.replace("repeat = 10", "repeat = 200")
    with pytest.raises(ScenarioError, match="compartments: at most 200 of these in one scenario, got 201 with all"):
        loads(text)
    assert len(loads(COLUMN.replace("repeat = 10", "repeat = 199")).model.compartments) == 200
    rows = "".join(f'\n[reactions.r{i}]\nin = "layer"' for i in range(2))
    with pytest.raises(ScenarioError, match="reactions: at most 200 of these in one scenario, got 398 with all"):
        loads(COLUMN.replace("repeat = 10", "repeat = 199") + rows)
    table = ", ".join(f"x{i} = {{ {', '.join(f'y{j} = 1' for j in range(100))} }}" for i in range(100))
    with pytest.raises(ScenarioError, match=f"at most {MOST_REPEATED} can be repeated"):
        loads(COLUMN.replace("repeat = 10", "repeat = 199\nimpermeants = { " + table + " }"))


def test_many_layers_are_read_in_proportion():
    assert grows_in_proportion(lambda layers: loads(COLUMN.replace("repeat = 10", f"repeat = {layers}")), 19, 190)


# -- the JSON Schema ------------------------------------------------------------------------------------------------


def test_schema_knows_repetition():
    schema = json_schema()
    for text in (COLUMN, BASES["column"], HEAD + PAIRED, column_by_hand()):
        assert misfit(tomllib.loads(text), schema, schema) is None


def test_schema_refuses(subtests):
    for old, new in [
        ("repeat = 10", "repeat = 0"),
        ("repeat = 10", 'repeat = "10"'),
        ("repeat = 10", "repeat = [1, 2]"),
        ('along = "layer"', "along = 3"),
        ('along = "layer"', 'along = "layer"\nbetween = ["layer", "bath"]'),
        ('along = "layer"\n', ""),
        ('duration = "1 h"', 'duration = ["1 h"]'),
        ('volume = "20 nL"', "volume = [1, 2]"),
    ]:
        with subtests.test(new=new):
            schema = json_schema()
            assert old in COLUMN
            assert misfit(tomllib.loads(COLUMN.replace(old, new)), schema, schema) is not None
