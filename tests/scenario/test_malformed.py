"""Every file of tests/malformed is told its faults, each at its line and path, and no others.

Each file opens with its faults: ``# expect: LINE: PATH: PART OF THE MESSAGE``.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from iontide.errors import Fault, FileError, ScenarioError
from iontide.scenario.read import MAX_SIZE, load, loads
from tests.support.paths import TESTS

MALFORMED = sorted((TESTS / "malformed").glob("*.toml"))


def expected_faults(text: str) -> list[tuple[int, str, str]]:
    """The faults that the first lines of a file announce."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"# expect: (\d+): ([^:]*): ?(.*)", line)
        if match is None:
            break
        found.append((int(match[1]), match[2], match[3]))
    return found


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_faults_of_a_file(path):
    expected = expected_faults(path.read_text(encoding="utf-8"))
    assert expected
    with pytest.raises(ScenarioError) as caught:
        load(path)
    faults = list(caught.value.faults)
    for line, place, part in expected:
        match = next((f for f in faults if (f.line, f.path) == (line, place) and part in f.message), None)
        assert match is not None, f"{line}: {place}: {part} is not among\n{caught.value}"
        faults.remove(match)
    assert not faults, f"not expected: {faults}"


def test_there_are_enough_of_them():
    assert len(MALFORMED) >= 65


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_no_jargon(path):
    with pytest.raises(ScenarioError) as caught:
        load(path)
    text = str(caught.value)
    for word in ("pydantic", "http", "validation error", "Input should", "NoneType", "dict", "tomllib"):
        assert re.search(rf"\b{word}\b", text) is None


def test_each_message_opens_with_file_and_line():
    path = MALFORMED[0]
    with pytest.raises(ScenarioError) as caught:
        load(path)
    fault = caught.value.faults[0]
    assert str(caught.value).splitlines()[0] == f"{path}:{fault.line}: {fault.path}: {fault.message}"


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileError, match="there is no such file"):
        load(tmp_path / "absent.toml")
    with pytest.raises(FileError, match="is a directory"):
        load(tmp_path)
    with pytest.raises(FileError, match="cannot be read"):
        load("a\0b")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (MAX_SIZE + 1))
    with pytest.raises(ScenarioError, match="larger than 1 MB"):
        load(large)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'title = "a"\n# \xe9\n')
    with pytest.raises(ScenarioError, match=r"latin\.toml:2: the file is not UTF-8 text: byte 0xe9"):
        load(latin)


def test_caps():
    text = VALID + "".join(f'\n[compartments.c{i}]\nvolume = "1 pL"' for i in range(201))
    with pytest.raises(ScenarioError, match="compartments: at most 200 of these in one scenario, got 203"):
        loads(text)
    text = VALID.replace("[compartments.bath]", "[compartments.bath]" + "".join(f"\nx{i} = 1" for i in range(201)))
    with pytest.raises(ScenarioError, match=r"compartments\.bath: at most 200 of these in one scenario, got 203"):
        loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + 2000 * "[",
        "x = " + 400 * "[" + 400 * "]",
        ".".join(300 * ["a"]) + " = 1",
        "x = " + 5000 * "9",
        "[parameters]\nx = " + 400 * "9",
        '[simulation]\nduration = "' + 5000 * "(" + '"',
        '[simulation]\nduration = "9**9**9 mV"',
        "[simulation]\nrtol = " + 400 * "9",
        "title = 1979-05-27T07:32:00Z",
        '[recording.times]\ntable = 1\nlist = 2\nspacing = "log"',
        '[membranes.m.pathways.p]\nlaw = "na_k_atpase_cubic"\nrate = [[1]]\nhalf_saturation = {}',
        '[[compartments]]\nvolume = "1 pL"',
        "compartments = 1\nmembranes = 2\nspecies = 3\nparameters = 4\nprotocol = 5\nrecording = 6",
        '"" = 1\n[compartments.""]\n[membranes.""]\n[species.""]\n[parameters]\n"" = 1',
        "\0",
        "\ufeff\ufeff",
        "",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_nasty_text_is_refused(text):
    with pytest.raises(ScenarioError):
        loads(text)


VALID = """\
title = "A pump-leak cell"
source = ["doi:10.1000/example"]

[parameters]
pump_rate = "1.4e-6 mol/m^2/s"
P_K = "4e-8 m/s"
ratio = 0.04
P_Na = "ratio * P_K"

[simulation]
duration = "1 h"
temperature = "37 degC"
rtol = 1e-6

[species.glc]
valence = 0
diffusion_coefficient = "6.7e-10 m^2/s"

[compartments.cell]
volume = "4 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM", glc = "0 mM" }
impermeants = { A = { concentration = "balance", valence = -1.2 } }
activity_coefficients = { K = 0.75 }

[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "146 mM", Cl = "150 mM", glc = "5 mM" }

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1256 um^2"
capacitance = "1 uF/cm^2"
potential = "ghk"
permeability = { K = "P_K", Na = "P_Na", glc = "1e-9 m/s" }
conductance = { Cl = "0.1 mS/cm^2" }

[membranes.plasma.pathways.pump]
law = "na_k_atpase_cubic"
rate = "pump_rate"
half_saturation = { Na_inside = "10 mM", K_outside = "1.5 mM" }

[[protocol]]
from = "100 s"
to = "200 s"
set = { "parameters.pump_rate" = "0 mol/m^2/s" }

[[protocol]]
from = "300 s"
to = "310 s"
every = "60 s"
count = 10
inject = { into = "cell", current = "1 pA", carried_by = "K" }

[[protocol]]
at = "1000 s"
ramp = { "simulation.temperature" = "25 degC", over = "10 s" }

[[protocol]]
at = "2000 s"
[protocol.table]
times = ["0 s", "10 s"]
between = "steps"
"parameters.P_K" = ["1e-8 m/s", "ratio * 1e-7 m/s"]
"compartments.bath.K" = ["10 mM", "4 mM"]

[sources.meal]
into = "cell"
stoichiometry = { glc = 1 }
rate = "1e-18 mol/s * q10(2, 25 degC)"

[recording]
times = { spacing = "log", first = "1 ms", points = 400 }
quantities = ["potentials", "currents"]
"""

VALUES = [
    *(
        '"balance"',
        '"ghk"',
        '"0 mM"',
        '"-1 m/s"',
        '"P_K"',
        '"pump_rate * 2"',
        '"37 degC"',
        '"1e400 m"',
        '""',
        '"\\u0000"',
    ),
    *(
        "0",
        "-1",
        "1.5",
        "nan",
        "-inf",
        "true",
        "[]",
        "{}",
        "[1, 2]",
        '{ a = "1 s" }',
        "2024-01-01",
        "07:00:00",
    ),
    *(
        "9" * 400,
        '"9**9**9 mV"',
        '"exp(1 s)"',
        '"where(1 < 2, 1, 2)"',
        '"P_K.inside"',
        '"steps"',
        "'''a\nb'''",
    ),
]


@st.composite
def mangled(draw, valid=VALID):
    """A valid file with a few lines dropped, doubled, moved or given another value, key or word."""
    lines = valid.splitlines()
    words_known = sorted({word for line in lines for word in re.findall(r"[A-Za-z_]+", line)})
    for _ in range(draw(st.integers(1, 4))):
        i = draw(st.integers(0, len(lines) - 1))
        line = lines[i]
        what = draw(st.sampled_from(["drop", "double", "swap", "value", "inner", "word", "cut", "letter"]))
        if what == "drop":
            del lines[i]
        elif what == "double":
            lines.insert(draw(st.integers(0, len(lines))), line)
        elif what == "swap":
            j = draw(st.integers(0, len(lines) - 1))
            lines[i], lines[j] = lines[j], lines[i]
        elif what == "value" and "=" in line:
            lines[i] = line.split("=")[0] + "= " + draw(st.sampled_from(VALUES))
        elif what == "inner" and len(parts := re.split(r'("[^"]*")', line)) > 1:
            j = draw(st.sampled_from(range(1, len(parts), 2)))
            parts[j] = draw(st.sampled_from(VALUES))
            lines[i] = "".join(parts)
        elif what == "word" and (words := re.findall(r"[A-Za-z_]+", line)):
            lines[i] = line.replace(draw(st.sampled_from(words)), draw(st.sampled_from(words_known)), 1)
        elif what == "cut":
            lines[i] = line[: draw(st.integers(0, len(line)))]
        elif what == "letter":
            at = draw(st.integers(0, len(line)))
            lines[i] = line[:at] + draw(st.characters(codec="utf-8")) + line[at:]
    return "\n".join(lines)


LAYERS = """\
title = "A column of layers, and a cell in pieces"

[parameters]
D = "1e-9 m^2/s"

[simulation]
duration = "1 min"
temperature = "37 degC"

[compartments.layer]
repeat = 3
volume = ["1 pL", "2 pL", "{i} * 1 pL"]
concentrations = { K = "3 mM", Na = "150 mM", Cl = ["153 mM", "153 mM", "153 mM"] }

[compartments.dendrite]
repeat = ["1", "2", "3"]
volume = "1 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1.2 } }

[compartments.bath]
bath = true
concentrations = { K = "3 mM", Na = "150 mM", Cl = "153 mM" }

[membranes.plasma]
inside = "dendrite"
outside = "layer"
area = "100 um^2"
capacitance = "1 uF/cm^2"
potential = "-70 mV"
permeability = { K = ["1e-8 m/s", "2e-8 m/s", "3e-8 m/s"] }

[membranes.gap]
along = "dendrite"
area = "1 um^2"
capacitance = "0 uF/cm^2"
permeability = { K = "1e-6 m/s", Cl = "1e-6 m/s" }

[diffusion.depth]
along = "layer"
area = "100 um^2"
length = ["1 um", "2 um"]
diffusion_coefficients = { K = "D" }

[exchange.rinsing]
between = ["layer", "bath"]
rate = "1 /s"

[[protocol]]
at = "1 s"
inject = { into = "dendrite_2", current = "1 pA" }
"""


RIG = """\
title = "A cell with an organelle, clamped, watched and stimulated"

[parameters]
P_K = "4e-8 m/s"
held = "-60 mV"
level = "8 mM"

[simulation]
duration = "1 min"
temperature = "37 degC"

[compartments.cell]
volume = "1 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }

[compartments.store]
volume = "0.1 pL"
concentrations = { K = "140 mM", Cl = "140 mM" }

[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "146 mM", Cl = "150 mM" }

[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1000 um^2"
capacitance = "1 uF/cm^2"
potential = "held"
permeability = { K = "P_K", Na = "1e-9 m/s", Cl = "1e-8 m/s" }

[membranes.reticulum]
inside = "store"
outside = "cell"
area = "100 um^2"
capacitance = "0 uF/cm^2"
permeability = { K = "P_K", Cl = "1e-8 m/s" }

[[protocol]]
at = "1 s"
clamp = { membrane = "plasma", potential = "held", carried_by = "K", series_resistance = "10 Mohm" }

[[protocol]]
from = "2 s"
to = "3 s"
every = "2 s"
count = 3
[protocol.clamp]
membrane = "plasma"
potential = "held + 10 mV * tanh(t / 1 s)"
carried_by = "K"
series_resistance = "10 Mohm"

[[protocol]]
from = "4 s"
to = "5 s"
clamp = { compartment = "cell", ion = "Na", concentration = "level" }

[[protocol]]
from = "6 s"
to = "7 s"
inject = { into = "store", out_of = "cell", current = "1 pA", carried_by = "Cl" }

[[events]]
membrane = "plasma"
when = "V rises through held + 10 mV"
record = "spike"
once = true

[[events]]
compartment = "cell"
when = "Na passes through level"
set = { "parameters.P_K" = "1e-8 m/s", "compartments.bath.K" = "8 mM" }
for = "2 s"

[[events]]
when = "t rises through 50 s"
stop = true
"""


SWEPT = """\
title = "A bath, and a sweep over it"
simulation = { duration = "1 h", temperature = "37 degC" }
parameters = { salt = "150 mM", ratio = 0.04 }

[compartments.bath]
bath = true
concentrations = { K = "salt", Cl = "salt" }

[sweep]
design = "saltelli"
samples = 16
seed = 1
keep = ["end", "verdict"]
where = ["salt > 10 mM"]
block = 16

[sweep.vary]
"parameters.salt" = { log_uniform = ["1 mM", "1 M"] }
"parameters.ratio" = { log_normal = [0.04, 1.5], within = [0.01, 0.1] }
"compartments.bath.activity" = ["ideal", "davies"]
"simulation.duration" = { times = { linear = [0.5, 2], points = 4 } }
"""


@pytest.mark.parametrize("text", [VALID, LAYERS, RIG, SWEPT], ids=["valid", "layers", "rig", "swept"])
def test_the_valid_file_is_valid(text):
    assert text.splitlines()[0] == f'title = "{loads(text).model.title}"'


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(mangled(), mangled(LAYERS), mangled(RIG), mangled(SWEPT)))
def test_only_scenario_errors(text):
    faults: tuple[Fault, ...] = ()
    refused = False
    try:
        loads(text, "fuzz.toml")
    except ScenarioError as error:
        faults, refused = error.faults, True
    event(f"refused: {refused}")
    assert refused == bool(faults)
    count = len(text.splitlines()) + 1
    assert all(0 <= fault.line <= count and fault.message for fault in faults)
    assert len({(fault.line, fault.path) for fault in faults}) == len(faults)
