"""Plans of sweeps: every point from its number alone, the same whatever is asked for; and what is refused."""

from __future__ import annotations

import copy
import itertools
import json

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from iontide.errors import FileError, ScenarioError, UsageError
from iontide.formulas.units import parse_quantity
from iontide.model.serialization import run_id
from iontide.scenario.read import loads
from iontide.sweeps.plan.plan import Plan, load_plan

CELL = """\
title = "A pump-leak cell"

[parameters]
pump_rate = "1.4e-6 mol/m^2/s"
P_K = "4e-8 m/s"
P_Na = "0.04 * P_K"
K_bath = "4 mM"
swing = "1 mV * t / 1 s"

[simulation]
duration = "1 h"
temperature = "37 degC"

[compartments.cell]
volume = "4 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1.2 } }

[compartments.bath]
bath = true
concentrations = { K = "K_bath", Na = "146 mM", Cl = "146 mM + K_bath" }

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1256 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"
permeability = { K = "P_K", Na = "P_Na", Cl = "2e-8 m/s" }

[membranes.plasma.pathways.pump]
law = "na_k_atpase_cubic"
rate = "pump_rate"
half_saturation = { Na_inside = "10 mM", K_outside = "1.5 mM" }
"""

#: Five axes of all kinds, but for words.
SPREADS = {
    "parameters.pump_rate": {"log": ["1e-8 mol/m^2/s", "1e-4 mol/m^2/s"], "points": 41},
    "parameters.P_K": {"log_uniform": ["1e-8 m/s", "1e-7 m/s"]},
    "simulation.temperature": {"uniform": ["20 degC", "40 degC"]},
    "membranes.plasma.potential": {"normal": ["-70 mV", "5 mV"]},
    "parameters.K_bath": {"log_normal": ["4 mM", 1.5], "within": ["1 mM", "20 mM"]},
}
LEVELS = {
    "parameters.P_K": ["1e-8 m/s", "3e-8 m/s", "2e-8 m/s"],
    "simulation.temperature": {"linear": ["20 degC", "40 degC"], "points": 5},
    "compartments.cell.activity": ["ideal", "davies"],
}


def toml(value):
    """A value as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + " }"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def text_of(sweep, cell=CELL):
    return cell + "\n[sweep]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in sweep.items())


@pytest.fixture
def plan_of(tmp_path):
    """Load a plan whose [sweep] has these keys, over the cell above or another."""

    def make(cell=CELL, **sweep):
        file = tmp_path / "cell.toml"
        file.write_text(text_of(sweep, cell), encoding="utf-8")
        return load_plan(file)

    return make


def faults_of(plan_of, **sweep):
    with pytest.raises(ScenarioError) as caught:
        plan_of(**sweep)
    return {fault.path: fault for fault in caught.value.faults}


# -- points -----------------------------------------------------------------------------------------------------------

DESIGNS = {
    "grid": {"vary": LEVELS},
    "zip": {"vary": {path: {"linear": ["1e-8 m/s", "2e-8 m/s"], "points": 700} for path in ["parameters.P_K"]}},
    "random": {"vary": SPREADS, "design": "random", "points": 9000, "seed": 3},
    "latin_hypercube": {"vary": SPREADS, "design": "latin_hypercube", "points": 5000, "seed": 3},
    "sobol": {"vary": SPREADS, "design": "sobol", "points": 9000, "seed": 3},
    "saltelli": {"vary": SPREADS, "design": "saltelli", "samples": 1300, "seed": 3},
}


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    found = {}
    for name, sweep in DESIGNS.items():
        file = tmp_path_factory.mktemp("plans") / f"{name}.toml"
        file.write_text(text_of({**sweep, "where": ["P_K > 1.2e-8 m/s"]}), encoding="utf-8")
        found[name] = load_plan(file)
    return found


@pytest.mark.parametrize("name", DESIGNS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_point_is_the_same_in_every_stretch(plans, name, data):
    plan = plans[name]
    whole, out = plan.values(0, plan.size), plan.excluded(0, plan.size)
    start = data.draw(st.integers(0, plan.size))
    stop = data.draw(st.integers(start, min(plan.size, start + data.draw(st.sampled_from([0, 1, 7, 300, 6000])))))
    again = Plan.from_json(json.loads(json.dumps(plan.to_json()))) if data.draw(st.integers(0, 9)) == 0 else plan
    assert again.values(start, stop).tobytes() == whole[start:stop].tobytes()
    assert again.excluded(start, stop).tobytes() == out[start:stop].tobytes()


@pytest.mark.parametrize("name", DESIGNS)
def test_shape_and_range_of_values(plans, name):
    plan = plans[name]
    values = plan.values(0, plan.size)
    assert values.dtype == np.float64
    assert values.shape == (plan.size, len(plan.axes))
    assert values.flags.c_contiguous
    for number, axis in enumerate(plan.axes):
        least, largest = axis.ends
        column = values[:, number]
        assert np.isfinite(column).all()
        assert column.min() >= (0 if axis.categories else least)
        assert column.max() <= (len(axis.categories) - 1 if axis.categories else largest)
    assert 0 < plan.excluded(0, plan.size).sum() < plan.size
    assert plan.values(5, 5).shape == (0, len(plan.axes))
    for stretch in [(-1, 1), (2, 1), (0, plan.size + 1)]:
        with pytest.raises(IndexError):
            plan.values(*stretch)


def test_a_grid_has_every_value_with_every_other_the_last_axis_fastest(plan_of):
    plan = plan_of(vary=LEVELS)
    temperatures = [parse_quantity(f"{t} degC")[0] for t in (20, 25, 30, 35, 40)]
    expected = list(itertools.product([1e-8, 3e-8, 2e-8], temperatures, [0, 1]))
    assert plan.size == 30
    assert plan.values(0, 30).tolist() == [list(row) for row in expected]
    assert plan.axes[2].categories == ("ideal", "davies")
    assert plan.settings(29) == {
        "parameters.P_K": "2e-08 m/s",
        "simulation.temperature": "313.15 K",
        "compartments.cell.activity": "davies",
    }


def test_zip_goes_through_all_axes_at_once(plan_of):
    vary = {
        "parameters.P_K": ["1e-8 m/s", "3e-8 m/s", "1e-8 m/s"],
        "compartments.cell.activity": ["davies", "ideal", "davies"],
        "simulation.temperature": {"linear": ["30 degC", "20 degC"], "points": 3},
    }
    plan = plan_of(vary=vary, design="zip")
    assert plan.values(0, 3).tolist() == [[1e-8, 0, 303.15], [3e-8, 1, 298.15], [1e-8, 0, 293.15]]
    assert plan.axes[1].categories == ("davies", "ideal")


def test_a_list_has_its_points_one_by_one(plan_of):
    rows = [{"parameters.P_K": "1e-8 m/s", "compartments.cell.activity": "ideal"}]
    rows.append({"compartments.cell.activity": "davies", "parameters.P_K": "0.01 um/s"})
    plan = plan_of(rows=rows, design="list")
    assert [axis.path for axis in plan.axes] == list(rows[0])
    assert plan.values(0, 2).tolist() == [[1e-8, 0], [1e-8, 1]]


def test_a_point_is_the_scenario_with_its_settings_to_the_last_bit(plans):
    plan = plans["sobol"]
    for point in (0, 17, 8999):
        model = plan.scenario_of(point).model
        values = dict(model.quantities())
        pump, potassium, temperature, potential, bath = plan.values(point, point + 1)[0]
        assert model.parameters["pump_rate"].value == pump
        assert model.parameters["P_K"].value == potassium
        assert values["simulation.temperature"] == temperature
        assert values["membranes.plasma.potential"] == potential
        assert model.parameters["K_bath"].value == bath


def test_listed_values_are_equally_likely_where_a_design_draws(plan_of):
    plan = plan_of(vary=LEVELS, design="sobol", points=1024)
    values = plan.values(0, 1024)
    assert set(values[:, 0]) == {1e-8, 2e-8, 3e-8}
    assert np.bincount(values[:, 2].astype(int)).tolist() == [512, 512]


def test_a_list_with_a_formula_is_one_of_words(plan_of):
    plan = plan_of(vary={"membranes.plasma.permeability.Cl": ["1e-8 m/s", "2 * P_Na", "0 m/s"]})
    assert plan.axes[0].categories == ("1e-8 m/s", "2 * P_Na", "0 m/s")
    assert str(dict(plan.scenario_of(1).model.quantities())["membranes.plasma.permeability.Cl"].text) == "2 * P_Na"


def test_factors_multiply_what_the_scenario_says(plan_of):
    vary = {
        "parameters.P_K": {"times": [0.5, 1, 2]},
        "membranes.plasma.potential": {"times": {"linear": [0, 2], "points": 3}},
        "parameters.P_Na": {"times": {"log": [0.1, 10], "points": 3}},
    }
    plan = plan_of(vary=vary)
    assert plan.values(0, 27)[::9, 0] == pytest.approx([2e-8, 4e-8, 8e-8], rel=1e-15)
    assert plan.values(0, 9)[::3, 1] == pytest.approx([0.0, -0.07, -0.14], rel=1e-15)
    assert plan.values(0, 3)[:, 2] == pytest.approx([1.6e-10, 1.6e-9, 1.6e-8], rel=1e-15)
    assert [axis.unit for axis in plan.axes] == ["m/s", "mV", "m/s"]
    spread = {"log_normal": [1, 1.5], "within": [0.5, 2]}
    axis = plan_of(vary={"parameters.P_K": {"times": spread}}, design="random", points=9).axes[0]
    assert axis.numbers == (4e-8, 1.5)
    assert axis.within == (2e-8, 8e-8)
    axis = plan_of(
        vary={"membranes.plasma.potential": {"times": {"normal": [1, 0.1]}}}, design="random", points=9
    ).axes[0]
    assert axis.numbers == pytest.approx((-0.07, 0.007), rel=1e-15)
    faults = faults_of(plan_of, vary={"compartments.cell.impermeants.A.concentration": {"times": [1, 2]}})
    assert "no single value here" in faults["sweep.vary.compartments.cell.impermeants.A.concentration.times"].message


# -- constraints ------------------------------------------------------------------------------------------------------


def test_constraints_leave_points_out(plan_of):
    vary = {"parameters.P_K": ["1e-8 m/s", "4e-8 m/s"], "parameters.K_bath": ["1 mM", "5 mM", "9 mM"]}
    where = ["P_Na < 1e-9 m/s", "parameters.K_bath * 1 m/s > 1e8 * P_K * 1 mM"]
    plan = plan_of(vary=vary, where=where)
    assert plan.size == 6
    assert plan.excluded(0, 6).tolist() == [True, False, False, True, True, True]
    assert plan.excluded(1, 3).tolist() == [False, False]
    assert plan.values(0, 6).shape == (6, 2)
    assert "counted here" in plan.summary()["remarks"][0]


def test_a_constraint_over_a_path(plan_of):
    vary = {"simulation.temperature": {"linear": ["20 degC", "40 degC"], "points": 3}}
    plan = plan_of(vary=vary, where="simulation.temperature <= 30 degC")
    assert plan.excluded(0, 3).tolist() == [False, False, True]


def test_what_has_no_value_does_not_meet_a_constraint(plan_of):
    vary = {"parameters.K_bath": ["1 mM", "4 mM", "9 mM"]}
    plan = plan_of(vary=vary, where=["sqrt(K_bath - 2 mM) >= 0 * sqrt(K_bath)"])
    assert plan.excluded(0, 3).tolist() == [True, False, False]


def test_points_that_are_left_out_need_not_make_a_scenario(plan_of):
    vary = {"parameters.P_K": ["-1e-8 m/s", "1e-8 m/s"]}
    assert "must be ≥ 0" in str(faults_of(plan_of, vary=vary))
    assert plan_of(vary=vary, where="P_K > 0 m/s").excluded(0, 2).tolist() == [True, False]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("P_K", "a constraint must be a comparison"),
        ("P_K > ", "column 7 of `P_K >`: the comparison ends too early"),
        ("(P_K > 1 m/s", "the comparison ends too early"),
        ("P_K > 1 m/s), 1, 0) + where((1 < 2", "a constraint must be a comparison"),
        ("P_K > 1 m/s, 5, 6", "`,` does not belong here"),
        ("P_K > 1 mM", "the term `1 mM` is mol/m^3, but `P_K` with which it is compared is m/s"),
        ("P_KK > 1 m/s", "did you mean P_K?"),
        ("pump_rate > 0 mol/m^2/s", "depends on nothing that is varied"),
        ("swing * P_K > 0 V * 1 m/s", "changes during a run"),
        ("compartments.cell.activity > 1", "no numbers, so that it cannot be compared"),
    ],
)
def test_faults_of_constraints(plan_of, where, message):
    vary = {"parameters.P_K": ["1e-8 m/s", "2e-8 m/s"], "compartments.cell.activity": ["ideal", "davies"]}
    fault = faults_of(plan_of, vary=vary, where=[where])["sweep.where.0"]
    assert message in fault.message
    assert fault.line == CELL.count("\n") + 4


def test_a_column_is_counted_in_what_was_written(plan_of):
    fault = faults_of(plan_of, vary={"parameters.P_K": ["1e-8 m/s"]}, where=["P_K > $"])["sweep.where.0"]
    assert fault.message.startswith("column 7 of `P_K > $`: ")


# -- the digest, and the plan as a file -------------------------------------------------------------------------------

BASE = {
    "vary": {
        "parameters.P_K": {"linear": ["10 nm/s", "20 nm/s"], "points": 3},
        "parameters.K_bath": {"log_normal": ["4 mM", 1.5], "within": ["1 mM", "20 mM"]},
        "compartments.cell.activity": ["ideal", "davies"],
    },
    "design": "sobol",
    "points": 64,
    "keep": ["end", "verdict"],
    "where": ["P_K > 0 m/s"],
}

#: Sodium chloride that is brought into the cell.
SOURCE = """
[sources.salt]
into = "cell"
stoichiometry = {{ Na = 1, Cl = 1 }}
rate = "{}"
"""

SAME = {
    "title": (CELL.replace("A pump-leak cell", "Another title"), {}),
    "comments": ("# a comment\n" + CELL.replace("[simulation]", "\n[simulation]  # how long"), {}),
    "source": (CELL.replace("[parameters]", 'source = "doi:10.1000/x"\ndescription = "d"\n[parameters]', 1), {}),
    "other units of the same": (CELL.replace('"4 pL"', '"4e-15 m^3"'), {"where": ["(P_K)  >  0 um/s"]}),
    "units of an axis": (
        CELL,
        {"vary": BASE["vary"] | {"parameters.P_K": {"linear": ["0.01 um/s", "2e-8 m/s"], "points": 3}}},
    ),
    "own value of what is varied": (CELL.replace('"4e-8 m/s"', '"5e-8 m/s"').replace('"4 mM"', '"3 mM"'), {}),
    "default said": (CELL, {"seed": 0}),
}
OTHER = {
    "a number of the scenario": (CELL.replace('"-70 mV"', '"-71 mV"'), {}),
    "a formula of the scenario": (CELL.replace("0.04 * P_K", "0.05 * P_K"), {}),
    "a source": (CELL + SOURCE.format("1e-18 mol/s"), {}),
    "a seed": (CELL, {"seed": 1}),
    "points": (CELL, {"points": 65}),
    "a block": (CELL, {"block": 16}),
    "what is kept": (CELL, {"keep": ["end"]}),
    "a constraint": (CELL, {"where": ["P_K > 1e-12 m/s"]}),
    "a design": (CELL, {"design": "random"}),
    "an end": (CELL, {"vary": BASE["vary"] | {"parameters.P_K": {"linear": ["10 nm/s", "21 nm/s"], "points": 3}}}),
    "a number of steps": (
        CELL,
        {"vary": BASE["vary"] | {"parameters.P_K": {"linear": ["10 nm/s", "20 nm/s"], "points": 4}}},
    ),
    "a rule": (CELL, {"vary": BASE["vary"] | {"parameters.P_K": {"uniform": ["10 nm/s", "20 nm/s"]}}}),
    "a word": (CELL, {"vary": BASE["vary"] | {"compartments.cell.activity": ["ideal", "debye_hueckel"]}}),
    "an order": (CELL, {"vary": dict(reversed(BASE["vary"].items()))}),
    "a cut": (CELL, {"vary": BASE["vary"] | {"parameters.K_bath": {"log_normal": ["4 mM", 1.5]}}}),
}


@pytest.mark.parametrize("what", SAME)
def test_the_digest_stays(plan_of, what):
    cell, changes = SAME[what]
    first, second = plan_of(**BASE), plan_of(cell, **(BASE | changes))
    assert first.digest == second.digest
    assert first.values(0, 64).tobytes() == second.values(0, 64).tobytes()


@pytest.mark.parametrize("what", OTHER)
def test_the_digest_changes(plan_of, what):
    cell, changes = OTHER[what]
    assert plan_of(**BASE).digest != plan_of(cell, **(BASE | changes)).digest


def test_the_digest_depends_on_the_rate_of_a_source(plan_of):
    first, second = (plan_of(CELL + SOURCE.format(rate), **BASE) for rate in ("1e-18 mol/s", "2e-18 mol/s"))
    assert first.digest != second.digest


def test_a_plan_is_had_back_from_its_json(plan_of, tmp_path):
    plan = plan_of(**BASE)
    (tmp_path / "cell.toml").unlink()
    text = json.dumps(plan.to_json())
    assert str(tmp_path) not in text
    again = Plan.from_json(json.loads(text))
    assert again.digest == plan.digest
    assert (again.size, again.block, again.keep, again.axes) == (plan.size, plan.block, plan.keep, plan.axes)
    assert again.values(0, 64).tobytes() == plan.values(0, 64).tobytes()


def edited(document, *path, value):
    document = copy.deepcopy(document)
    here = document
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return document


def test_an_edited_plan_is_refused(plan_of):
    good = plan_of(**BASE).to_json()
    text = good["scenario"]["text"]
    for bad in (
        edited(good, "digest", value="0" * 64),
        edited(good, "sweep", "points", value=32),
        edited(good, "sweep", "block", value=16),
        edited(good, "sweep", "points", value="many"),
        edited(good, "sweep", "vary", value={}),
        edited(good, "sweep", value=None),
        edited(good, "scenario", "text", value=text.replace('"-70 mV"', '"-60 mV"')),
        edited(good, "scenario", "text", value="nonsense"),
        edited(good, "scenario", "overrides", value={"parameters.P": "1"}),
        edited(good, "scenario", value=[]),
        {key: value for key, value in good.items() if key != "digest"},
    ):
        with pytest.raises(FileError, match="this plan was changed after it was made"):
            Plan.from_json(bad)
    with pytest.raises(FileError, match="not a sweep plan"):
        Plan.from_json([])
    with pytest.raises(FileError, match="has format version 1"):
        Plan.from_json(edited(good, "format_version", value=1))


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_plan_file_names_its_scenario(plan_of, tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "cell.toml").write_text(text_of({"vary": LEVELS}), encoding="utf-8")
    plan_file = tmp_path / "below" / "plan.toml"
    plan_file.write_text(
        'scenario = "../cell.toml"\nset = { "parameters.K_bath" = "5 mM" }\n'
        '[sweep]\nvary = { "parameters.P_K" = ["1e-8 m/s"] }\n'
    )
    plan = load_plan(plan_file)
    assert plan.size == 1
    assert plan.scenario.model.parameters["K_bath"].value == 5.0
    plan = load_plan(plan_file, {"parameters.K_bath": "6 mM", "sweep.block": 16}, keep=["verdict"])
    assert plan.scenario.model.parameters["K_bath"].value == 6.0
    assert (plan.block, plan.keep) == (16, ("verdict",))
    plan_file.write_text('scenario = "../cell.toml"\nset = { "parameters.K_bat" = "5 mM" }\nsweeep = 1\n[sweep]\n')
    with pytest.raises(ScenarioError, match=r"plan\.toml:3: sweeep: no such key; did you mean sweep\?"):
        load_plan(plan_file)
    plan_file.write_text('scenario = "../cell.toml"\n[sweep]\n[set]\n"parameters.K_bat" = "5 mM"\n')
    with pytest.raises(ScenarioError, match=r"plan\.toml:4: set\.parameters\.K_bat: there is no parameter K_bat"):
        load_plan(plan_file)
    plan_file.write_text('scenario = "../cells.toml"\n[sweep]\n')
    with pytest.raises(FileError, match="there is no such file"):
        load_plan(plan_file)


def test_what_is_given_in_the_call_holds(plan_of, tmp_path):
    plan_of(vary=LEVELS)
    file = tmp_path / "cell.toml"
    assert load_plan(file, design="random", points=10, seed=4).size == 10
    with pytest.raises(UsageError, match=r"sweep\.pionts: no such key; did you mean points\?"):
        load_plan(file, pionts=10)
    file.write_text(CELL)
    with pytest.raises(ScenarioError, match=r"sweep: missing; a sweep needs it"):
        load_plan(file)
    assert load_plan(file, vary={"parameters.P_K": ("1e-8 m/s", "2e-8 m/s")}).size == 2


def test_a_run_takes_no_notice_of_a_sweep():
    with_sweep = loads(text_of({"vary": {"parameters.nowhere": ["1 mM"]}}))
    assert with_sweep.model == loads(CELL).model
    assert run_id(with_sweep.model) == run_id(loads(CELL).model)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "values", "below", "message"),
    [
        ("parameters.P_KK", ["1 m/s"], "", "there is no parameter P_KK; did you mean P_K?"),
        ("P_K", ["1 m/s"], "", "did you mean parameters.P_K?"),
        ("membranes.plasma.permeabilty.K", ["1 m/s"], "", "did you mean permeability?"),
        ("parameters.P_K", ["1 mM"], ".0", "this parameter is m/s in the file"),
        ("parameters.P_K", [1], ".0", "this parameter is m/s in the file"),
        ("membranes.plasma.permeability.Cl", ["1 m/s", "-1 m/s"], ".1", "must be ≥ 0, got -1.0 m/s"),
        (
            "membranes.plasma.permeability.Cl",
            ["1 m/s", "2 * P_KK"],
            ".1",
            "no such parameter as P_KK; did you mean P_K?",
        ),
        ("membranes.plasma.permeability.Cl", {"normal": ["1e-8 m/s", "1e-9 m/s"]}, None, ""),
        ("membranes.plasma.permeability.Cl", {"normal": ["1e-8 m/s", "2e-9 m/s"]}, "", "must be ≥ 0"),
        (
            "membranes.plasma.permeability.Cl",
            {"normal": ["1e-8 m/s", "2e-9 m/s"], "within": ["0 m/s", "1e-7 m/s"]},
            None,
            "",
        ),
        ("parameters.P_K", {"normal": ["1e-8 m/s", "1e-8 m/s"]}, "", "at -7.2"),
        (
            "parameters.P_K",
            {"normal": ["1 m/s", "1 mm/s"], "within": ["5 m/s", "6 m/s"]},
            ".within",
            "leaves only 0 of this distribution",
        ),
        ("compartments.cell.activity", ["ideal", "davis"], ".1", 'got "davis"; did you mean davies?'),
        (
            "compartments.bath.concentrations.Na",
            ["1 mM", "146 mM"],
            "",
            "at 1 mM: compartments.bath: the charges do not",
        ),
        ("simulation.duration", {"uniform": ["-1 s", "1 s"]}, "", "must be greater than 0, got -1.0 s"),
        ("simulation.rtol", {"log_uniform": [1e-8, 1e-3]}, None, ""),
        ("simulation.rtol", {"log_uniform": [1e-8, 1]}, "", "must be ≤ 0.01"),
        ("simulation.max_steps", [1000, 2000], None, ""),
        ("simulation.max_steps", {"uniform": [10, 1000]}, "", "is a whole number; give a list"),
    ],
)
def test_values_are_checked_as_set_checks_them(plan_of, path, values, below, message):
    design = {"design": "random", "points": 8} if isinstance(values, dict) else {}
    if below is None:
        assert plan_of(vary={path: values}, **design).size > 0
        return
    fault = faults_of(plan_of, vary={path: values}, **design)[f"sweep.vary.{path}{below}"]
    assert message in fault.message
    assert fault.line == CELL.count("\n") + 3


def test_all_faults_are_told_at_once_with_their_lines(tmp_path):
    file = tmp_path / "plan.toml"
    (tmp_path / "cell.toml").write_text(CELL)
    file.write_text(
        """\
scenario = "cell.toml"
[sweep]
keep = ["end", "cell.Kk"]
where = ["P_K > 1 mM"]
[sweep.vary]
"parameters.P_K" = ["1e-8 m/s"]
"parameters.K_bath" = ["1 m"]
"membranes.plasma.area" = [
    "1000 um^2",
    "0 um^2",
]
"""
    )
    with pytest.raises(ScenarioError) as caught:
        load_plan(file)
    assert [(f.line, f.path) for f in caught.value.faults] == [
        (3, "sweep.keep.1"),
        (4, "sweep.where.0"),
        (7, "sweep.vary.parameters.K_bath.0"),
        (10, "sweep.vary.membranes.plasma.area.1"),
    ]
    assert all(line.startswith(f"{file}:") for line in str(caught.value).splitlines())
    assert "--set" not in str(caught.value)


def test_values_that_only_fit_together_are_checked_together(plan_of):
    vary = {
        "compartments.bath.concentrations.Na": ["146 mM", "10 mM"],
        "compartments.bath.concentrations.Cl": ["150 mM", "14 mM"],
    }
    assert plan_of(vary=vary, design="zip").size == 2
    assert "the charges do not balance" in str(faults_of(plan_of, vary=vary))


def test_absurd_plans_are_refused_with_the_figure(plan_of):
    axis = {"linear": ["1e-8 m/s", "2e-8 m/s"], "points": 20000}
    fault = faults_of(plan_of, vary={"parameters.P_K": axis, "parameters.P_Na": axis})["sweep.vary"]
    assert fault.message == "20000 × 20000 = 400,000,000 points are more than one sweep may have, 100,000,000"
    hypercube = {
        "design": "latin_hypercube",
        "points": 6 * 10**6,
        "vary": {"parameters.P_K": axis, "parameters.P_Na": axis},
    }
    assert "not 12,000,000" in faults_of(plan_of, **hypercube)["sweep.points"].message
    large = {"vary": {"parameters.P_K": axis}, "keep": ["end", "trajectory(plasma.V)"], "disk_GB": 0.01}
    message = faults_of(plan_of, **large)["sweep.keep"].message
    assert " of disk, more than 10 MB; list fewer outputs, or write disk_GB = " in message
    assert plan_of(**(large | {"disk_GB": int(message.rpartition("disk_GB = ")[2].split()[0])})).size == 20000


# -- blocks -----------------------------------------------------------------------------------------------------------


def test_blocks_part_the_plan(plan_of):
    plan = plan_of(vary=LEVELS, block=7)
    spans = [plan.span(block) for block in range(plan.blocks)]
    assert spans == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 30)]
    for block in (-1, 5):
        with pytest.raises(IndexError):
            plan.span(block)
    million = plan_of(vary=SPREADS, design="sobol", points=10**6)
    assert (million.block, million.blocks) == (15632, 64)


def test_a_summary_has_the_figures(plan_of):
    summary = json.loads(json.dumps(plan_of(vary=LEVELS | SPREADS, design="saltelli", samples=100).summary()))
    assert summary["points"] == 100 * (len(LEVELS | SPREADS) + 2)
    assert summary["bytes"] == summary["points"] * summary["bytes_per_point"]
    assert summary["remarks"] == [
        "Sobol points are evenly distributed if their number is a power of two: samples = 128 is better than 100"
    ]
    assert {"path": "simulation.temperature", "rule": "uniform", "unit": "degC", "from": 20.0, "to": 40.0} in summary[
        "axes"
    ]
    categories = {"path": "compartments.cell.activity", "rule": "values", "unit": "", "categories": ["ideal", "davies"]}
    assert categories in summary["axes"]


# -- whatever is written ----------------------------------------------------------------------------------------------

VALUES = st.sampled_from(
    [
        *(
            "1e-8 m/s",
            "0 m/s",
            "-1 m/s",
            "3 mM",
            "20 degC",
            "ideal",
            "2 * P_K",
            "1e300 m/s",
            "1e-300 m/s",
            "",
            "nan",
            "x",
        ),
        *(0, 1, -1, 2.5, True, 10**30, [], {}, ["1 mM"], {"log": [1, 2]}),
    ]
)
KEYS = ["linear", "log", "uniform", "log_uniform", "normal", "log_normal", "within", "points", "times", "x"]
AXES = st.one_of(
    VALUES,
    st.lists(VALUES, max_size=3),
    st.dictionaries(st.sampled_from(KEYS), st.one_of(VALUES, st.lists(VALUES, max_size=3)), max_size=3),
)
PATHS = [
    "parameters.P_K",
    "simulation.temperature",
    "compartments.cell.activity",
    "simulation.max_steps",
    "title",
    "x..y",
    "",
]
GIVEN = {
    "vary": st.dictionaries(st.sampled_from(PATHS), AXES, min_size=1, max_size=2),
    "design": st.sampled_from(["grid", "zip", "list", "random", "latin_hypercube", "sobol", "saltelli", "x"]),
    "points": st.sampled_from([1, 5, 0, 10**9, "1"]),
    "samples": st.sampled_from([3, 0]),
    "seed": st.sampled_from([0, -1, 2**63]),
    "rows": st.lists(st.dictionaries(st.sampled_from(PATHS), VALUES, max_size=2), max_size=2),
    "where": st.lists(st.sampled_from(["P_K > 0 m/s", "P_K", "1 < 2", "(", "title > 1", "P_K > 1/0"]), max_size=2),
    "keep": st.lists(st.sampled_from(["end", "verdict", "cell.K", "x", ""]), max_size=2),
    "block": st.sampled_from([1, 16, 0]),
}


@st.composite
def sweeps(draw):
    """A good sweep with an axis more or changed, and perhaps a key."""
    sweep = copy.deepcopy(draw(st.sampled_from(list(DESIGNS.values()))))
    for _ in range(draw(st.integers(0, 2))):
        sweep["vary"][draw(st.sampled_from(PATHS))] = draw(AXES)
    for key in draw(st.lists(st.sampled_from(list(GIVEN)), max_size=1)):
        sweep[key] = draw(GIVEN[key])
    return sweep


@settings(max_examples=300)
@given(sweep=sweeps())
def test_a_plan_is_told_its_faults_or_can_be_computed(tmp_path_factory, sweep):
    file = tmp_path_factory.getbasetemp() / "anything.toml"
    file.write_text(text_of(sweep), encoding="utf-8")
    faults = ()
    try:
        plan = load_plan(file)
    except ScenarioError as error:
        faults = error.faults
    event(f"refused: {bool(faults)}")
    if faults:
        assert all(fault.message and fault.line > 0 for fault in faults)
        return
    values = plan.values(0, min(plan.size, 100))
    assert np.isfinite(values).all()
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))).digest == plan.digest
