"""A scenario file becomes the model that it describes, in SI; overrides; the JSON Schema."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib

import pytest

from iontide.errors import ScenarioError, UsageError
from iontide.formulas.formula import Formula
from iontide.formulas.units import Dimension
from iontide.model.model import Impermeant, ParameterStep, Recording, Simulation
from iontide.scenario.checks.context.potentials import Tied
from iontide.scenario.jsonschema import json_schema
from iontide.scenario.library.laws import LIBRARY, TABLES
from iontide.scenario.read import load, loads
from tests.support.scenario_text import misfit

SAMPLE = """\
title       = "A pump-leak cell"
description = "Look at V."
source      = "doi:10.1000/example"

[parameters]
P_Na      = "ratio * P_K"          # before what it needs
pump_rate = "1.4e-6 mol/m^2/s"
P_K       = "4e-6 cm/s"
ratio     = 0.04

[simulation]
duration    = "10 h"
temperature = "37 degC"

[species.K]
ion_size = "2 Angstrom"

[species.sugar]
valence = 0
source  = "made up"

[compartments.cell]
volume         = "4 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM", sugar = "1 mM" }
impermeants    = { A = { concentration = "balance", valence = -1.5 }, B = { amount = "1 fmol", valence = 0 } }

[compartments.bath]
bath                  = true
concentrations        = { K = "4 mM", Na = "146 mM", Cl = "0.15 M" }
activity_coefficients = { Cl = 0.75, K = "3/4" }

[membranes.plasma]
inside       = "cell"
outside      = "bath"
area         = "1256.5 um^2"
specific_capacitance  = "1 uF/cm^2"
potential    = "-70 mV"
permeability = { K = "P_K", Na = "P_Na" }
conductance  = { Cl = "0.1 mS/cm^2" }

[membranes.plasma.pathways.pump]
law             = "na_k_atpase_cubic"
rate            = "pump_rate"
half_saturation = { Na_inside = "10 mM", K_outside = "1.5 mM" }

[[protocol]]
from = "10000 s"
to   = "20000 s"
set  = { "parameters.pump_rate" = "0 mol/m^2/s", "parameters.ratio" = 0.05 }

[[protocol]]
at  = "5 h"
set = { "parameters.P_K" = "2 * ratio * 1e-7 m/s" }

[recording]
times      = { spacing = "log", first = "1 ms", points = 400 }
quantities = ["potentials", "fluxes"]
"""


@pytest.fixture(scope="module")
def model():
    return loads(SAMPLE).model


def test_title_and_sources(model):
    assert (model.title, model.description, model.references) == (
        "A pump-leak cell",
        "Look at V.",
        ("doi:10.1000/example",),
    )


def test_simulation(model):
    assert model.simulation == Simulation(36000.0)
    assert model.temperature == 310.15


def test_species_come_from_the_file_and_from_the_library(model):
    assert list(model.species) == ["K", "Na", "Cl", "sugar"]
    assert model.species["Cl"].valence == -1
    assert model.species["Na"].diffusion_coefficient == pytest.approx(1.334e-9, rel=1e-3)
    assert model.species["K"].ion_size == 2e-10
    assert model.species["K"].diffusion_coefficient == pytest.approx(1.957e-9, rel=1e-3)
    assert (model.species["sugar"].valence, model.species["sugar"].source) == (0, "made up")


def test_compartments(model):
    cell, bath = model.compartments.values()
    assert (cell.kind, cell.volume) == ("finite", 4e-15)
    assert cell.concentrations == {"K": 140.0, "Na": 10.0, "Cl": 10.0, "sugar": 1.0}
    assert cell.impermeants == (Impermeant("A", -1.5), Impermeant("B", 0.0, amount=1e-15))
    assert cell.impermeants[0].balances
    assert (bath.kind, bath.volume) == ("bath", None)
    assert bath.concentrations["Cl"] == 150.0
    assert bath.activity_coefficients == {"Cl": 0.75, "K": 0.75}


def test_membrane_and_pathways(model):
    plasma = model.membranes["plasma"]
    assert (plasma.inside, plasma.outside) == ("cell", "bath")
    assert (plasma.area, plasma.specific_capacitance, plasma.potential) == (1.2565e-9, 0.01, -0.07)
    assert [(p.name, p.law, dict(p.stoichiometry)) for p in plasma.pathways] == [
        ("permeability.K", "ghk", {"K": 1}),
        ("permeability.Na", "ghk", {"Na": 1}),
        ("conductance.Cl", "ohmic", {"Cl": 1}),
        ("pathways.pump", "na_k_atpase_cubic", {"Na": 3, "K": -2}),
    ]
    assert plasma.pathways[2].arguments == {"": 1.0}
    pump = plasma.pathways[3].arguments
    assert list(pump) == ["rate", "half_saturation.Na_inside", "half_saturation.K_outside"]
    assert isinstance(pump["rate"], Formula)
    assert (pump["half_saturation.Na_inside"], pump["half_saturation.K_outside"]) == (10.0, 1.5)


def test_parameters_and_values(model):
    assert list(model.parameters) == ["P_Na", "pump_rate", "P_K", "ratio"]
    assert model.parameters["P_K"].value == 4e-8
    assert model.parameters["P_K"].dimension == Dimension(m=1, s=-1)
    assert model.parameters["P_Na"].dimension == Dimension(m=1, s=-1)
    values = model.values()
    assert values["membranes.plasma.permeability.Na"] == pytest.approx(1.6e-9, rel=1e-15)
    assert values["membranes.plasma.pathways.pump.rate"] == 1.4e-6
    assert values["membranes.plasma.pathways.pump.half_saturation.K_outside"] == 1.5
    assert values["membranes.plasma.conductance.Cl"] == 1.0
    assert model.values({"ratio": 1.0})["membranes.plasma.permeability.Na"] == 4e-8


def test_protocol_and_recording(model):
    first, second = model.protocol
    assert first == ParameterStep(10000.0, 20000.0, {"pump_rate": 0.0, "ratio": 0.05})
    assert (second.start, second.end) == (18000.0, None)
    assert model.parameter_values(second.settings)["P_K"] == pytest.approx(8e-9, rel=1e-15)
    assert model.recording == Recording("log", 400, 0.001, quantities=("potentials", "fluxes"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('times = "steps"', Recording("steps")),
        ('times = ["0 s", "1 min"]', Recording("list", 2, times=(0.0, 60.0))),
        ('times = { spacing = "linear", points = 11 }', Recording("linear", 11)),
        ("", Recording()),
    ],
)
def test_ways_of_giving_sample_times(written, expected):
    start = SAMPLE.index("times      =")
    assert loads(SAMPLE[:start] + written + "\n").model.recording == expected


def test_every_library_law_has_its_mechanism():
    from iontide.physics.mechanisms import LAWS

    assert {*LIBRARY, *(law.name for law in TABLES.values()), "formula"} == set(LAWS)


# --- several compartments ---

TWO = """\
title = "An organelle in a cell in a bath"

[simulation]
duration = "1 s"
temperature = "298.15 K"

[compartments.store]
volume = "0.1 pL"
concentrations = { K = "140 mM", Cl = "140 mM" }

[compartments.cell]
volume = "1 pL"
concentrations = { K = "140 mM", Cl = "140 mM" }

[compartments.bath]
bath = true
concentrations = { K = "4 mM", Cl = "4 mM" }

[compartments.alone]
volume = "1 pL"

[membranes.inner]
inside = "store"
outside = "cell"
area = "100 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "10 mV"

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1000 um^2"
specific_capacitance = "1 uF/cm^2"
permeability = { K = "4e-8 m/s" }

[membranes.contact]
inside = "store"
outside = "bath"
area = "1 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-60 mV"
"""


def test_a_potential_may_follow_from_the_others():
    model = loads(TWO).model
    assert model.membranes["plasma"].potential is None
    assert model.compartments["alone"].kind == "finite"


def test_consistent_loop_and_ghk_in_a_loop():
    given = TWO.replace("permeability", 'potential = "-70 mV"\npermeability')
    assert loads(given).model.membranes["plasma"].potential == -0.07
    assert loads(given.replace('"-70 mV"', '"ghk"')).model.membranes["plasma"].potential == "ghk"
    with pytest.raises(ScenarioError, match=r"contact\.potential: the potentials of the other membranes imply -60 mV"):
        loads(given.replace('"-60 mV"', '"-60.001 mV"'))


def test_floating_bath_and_no_ground():
    floating = TWO.replace("bath = true", 'bath = "floating"')
    assert loads(floating).model.compartments["bath"].kind == "floating bath"


def test_tied_potentials():
    tied = Tied(["a", "b", "c", "d"])
    assert tied.tie("a", "b", 1.0) is None
    assert tied.tie("c", "d", 5.0) is None
    assert tied.tie("a", "c", 10.0) is None
    assert tied.tie("b", "d", 0.0) == pytest.approx(14.0)
    assert tied.tie("d", "b", 0.0) == pytest.approx(-14.0)


def test_charge_that_a_membrane_can_hold_is_no_fault():
    # 5 um^2 at 200 mV hold 1e-19 mol: 0.1 mM in 1 fL, far beyond the rounding of figures of 1 mM.
    text = TWO.replace('area = "100 um^2"', 'area = "5 um^2"').replace(
        'volume = "0.1 pL"\nconcentrations = { K = "140 mM", Cl = "140 mM" }',
        'volume = "1e-3 pL"\nconcentrations = { K = "1.09 mM", Cl = "1 mM" }',
    )
    assert loads(text).model.compartments["store"].concentrations["K"] == 1.09
    with pytest.raises(ScenarioError, match=r"compartments\.store: the charges do not balance"):
        loads(text.replace('"1.09 mM"', '"1.15 mM"'))
    with pytest.raises(ScenarioError, match=r"compartments\.store: the charges do not balance"):
        loads(text.replace('area = "5 um^2"', 'area = "2 um^2"'))


# --- overrides ---


def test_override_of_a_parameter():
    scenario = loads(SAMPLE, set={"parameters.pump_rate": "0 mol/m^2/s"})
    assert scenario.model.parameters["pump_rate"].value == 0.0
    assert scenario.overrides == {"parameters.pump_rate": "0 mol/m^2/s"}
    assert scenario.text == SAMPLE
    assert scenario.document.parameters["pump_rate"] == "0 mol/m^2/s"


def test_override_of_the_simulation(subtests):
    for path, value, attribute, expected in [
        ("simulation.rtol", 1e-9, "rtol", 1e-9),
        ("simulation.rtol", "1e-9", "rtol", 1e-9),
        ("simulation.max_steps", "1000", "max_steps", 1000),
        ("simulation.stop_at_steady_state", "true", "stop_at_steady_state", True),
        ("simulation.stop_at_steady_state", False, "stop_at_steady_state", False),
        ("simulation.duration", "20 h", "duration", 72000.0),
    ]:
        with subtests.test(path=path):
            assert getattr(loads(SAMPLE, set={path: value}).model.simulation, attribute) == expected


def test_overrides_of_other_places():
    model = loads(
        SAMPLE,
        set={
            "parameters.ratio": "0.5",
            "compartments.bath.bath": "floating",
            "compartments.cell.activity_coefficients.K": "0.7",
            "compartments.cell.impermeants.A.valence": "-2",
            "membranes.plasma.permeability.Cl": "1e-9 m/s",
            "membranes.plasma.pathways.pump.half_saturation.Na_inside": "11 mM",
            "protocol.1.at": "6 h",
            "protocol.0.set.parameters.ratio": 0.06,
            "recording.times": '["1 s", "2 s"]',
            "species.sugar.diffusion_coefficient": "6e-10 m^2/s",
            "title": "5",
        },
    ).model
    assert model.parameters["ratio"].value == 0.5
    assert model.compartments["bath"].kind == "floating bath"
    assert model.compartments["cell"].activity_coefficients == {"K": 0.7}
    assert model.compartments["cell"].impermeants[0].valence == -2
    assert model.membranes["plasma"].pathways[2].arguments == {"": 1e-9}
    assert model.membranes["plasma"].pathways[4].arguments["half_saturation.Na_inside"] == 11.0
    assert model.protocol[1].start == 21600.0
    assert model.protocol[0].settings["ratio"] == 0.06
    assert model.recording.times == (1.0, 2.0)
    assert model.species["sugar"].diffusion_coefficient == 6e-10
    assert model.title == "5"


def test_override_adds_a_table_that_the_schema_knows():
    start = SAMPLE.index("[recording]")
    assert loads(SAMPLE[:start], set={"recording.times": "steps"}).model.recording == Recording("steps")


def test_override_that_leads_nowhere(subtests):
    for path, message in [
        ("parameters.pump_rat", r"there is no parameter pump_rat; did you mean pump_rate\?"),
        ("simulation.rtoll", r"no such key; did you mean rtol\?"),
        ("P_K", r"no such key; did you mean parameters.P_K\?"),
        ("compartments.cel.volume", r"there is no compartment cel; did you mean cell\?"),
        ("membranes.plasma.pathways.pmp.rate", r"there is no pathway pmp; did you mean pump\?"),
        ("protocol.2.at", "there are 2 entries in protocol, counted from 0"),
        ("protocol.x.at", "there are 2 entries in protocol, counted from 0"),
        ("title.x", "title contains nothing"),
        ("simulation.rtol.x", "no such key"),
        ("", "no such key"),
        ("..", "no such key"),
    ]:
        with subtests.test(path=path), pytest.raises(UsageError, match=message):
            loads(SAMPLE, set={path: "1 s"})


def test_faults_of_overrides_have_no_line():
    with pytest.raises(ScenarioError) as caught:
        loads(SAMPLE, "x.toml", {"simulation.duration": "-1 s", "parameters.P_K": "4 m^2"})
    assert [(f.line, f.path) for f in caught.value.faults] == [
        (0, "parameters.P_K"),
        (0, "simulation.duration"),
    ]
    assert caught.value.faults[0].message == ("m^2 does not fit, this parameter is m/s in the file (given with --set)")
    assert str(caught.value).splitlines()[1] == (
        "x.toml: simulation.duration: must be greater than 0, got -1 s (given with --set)"
    )


def test_override_leaves_the_file_as_it_is():
    settings = {"parameters.ratio": 0.1}
    loads(SAMPLE, set=settings)
    assert settings == {"parameters.ratio": 0.1}
    assert loads(SAMPLE).model.parameters["ratio"].value == 0.04


def test_override_by_tables_is_copied():
    sides = {"Na_inside": "10 mM", "K_outside": "1 mM"}
    place = "membranes.plasma.pathways.pump.half_saturation"
    model = loads(SAMPLE, set={place: sides, f"{place}.K_outside": "2 mM"}).model
    assert model.membranes["plasma"].pathways[3].arguments["half_saturation.K_outside"] == 2.0
    assert sides["K_outside"] == "1 mM"


# --- files ---


def test_load_keeps_the_name_and_takes_a_byte_order_mark(tmp_path):
    path = tmp_path / "cell.toml"
    path.write_text("\ufeff" + SAMPLE, encoding="utf-8")
    scenario = load(path)
    assert scenario.source == str(path)
    assert scenario.model == loads(SAMPLE).model


def test_crlf_line_ends_give_the_same_lines():
    text = SAMPLE.replace('"37 degC"', '"37 degF"').replace("\n", "\r\n")
    with pytest.raises(ScenarioError) as caught:
        loads(text)
    assert caught.value.faults[0].line == 13


def test_reading_imports_no_array_library():
    code = "import sys, iontide.scenario.read; print(*{'numpy', 'scipy', 'numba', 'h5py'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# --- JSON Schema ---


def test_schema_accepts_the_samples():
    schema = json.loads(json.dumps(json_schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for text in (SAMPLE, TWO):
        assert misfit(tomllib.loads(text), schema, schema) is None


def test_schema_refuses(subtests):
    for old, new in [
        ("duration    =", "durations   ="),
        ('"4 pL"', "4"),
        ('"na_k_atpase_cubic"', '"na_k"'),
        ("points = 400", "points = 1"),
        ("bath                  = true", 'bath                  = "no"'),
        ("[membranes.plasma]", '[membranes."a b"]\n[membranes.plasma]'),
        ('K_outside = "1.5 mM"', 'X = "1 mM"'),
    ]:
        with subtests.test(new=new):
            schema = json_schema()
            assert old in SAMPLE
            assert misfit(tomllib.loads(SAMPLE.replace(old, new)), schema, schema) is not None


def test_schema_describes_every_key():
    schema = json_schema()
    tables = (schema, *schema["$defs"].values())
    keys = [pair for table in tables for pair in table.get("properties", {}).items()]
    assert keys
    for name, key in keys:
        assert "description" in key or "$ref" in key, name
        assert "null" not in json.dumps(key)
