"""Every case of tests/malformed gives its messages, each with its line and path, and no others."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from iontide.errors import Fault, FileError, ScenarioError
from iontide.scenario.read import MAX_SIZE, load, loads
from tests.support.malformed import BASES, cases

CASES = cases()
JARGON = re.compile(r"\b(?:pydantic|http|validation error|Input should|NoneType|dict|tomllib)\b")


@pytest.mark.parametrize("name", CASES)
def test_messages_of_a_case(name):
    case = CASES[name]
    with pytest.raises(ScenarioError) as caught:
        loads(case.text(), "case.toml")
    messages = [re.sub(r"^case\.toml: ?", "", line) for line in str(caught.value).splitlines()]
    assert case.expected
    assert len(messages) == len(case.expected), str(caught.value)
    for message, expected in zip(messages, case.expected, strict=True):
        pattern = ".+".join(map(re.escape, expected.split("[...]")))
        assert re.fullmatch(pattern, message), f"{message}\nis not\n{expected}"
        assert not JARGON.search(message)


def test_each_message_opens_with_file_and_line(tmp_path):
    path = tmp_path / "cell.toml"
    path.write_text(CASES["zero_area"].text(), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    (fault,) = caught.value.faults
    assert str(caught.value) == f"{path}:{fault.line}: {fault.path}: {fault.message}"


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
    valid = BASES["pump_leak"]
    text = valid + "".join(f'\n[compartments.c{i}]\nvolume = "1 pL"' for i in range(201))
    with pytest.raises(ScenarioError, match="compartments: at most 200 of these in one scenario, got 203"):
        loads(text)
    text = valid.replace("[compartments.bath]", "[compartments.bath]" + "".join(f"\nx{i} = 1" for i in range(201)))
    with pytest.raises(ScenarioError, match=r"compartments\.bath: at most 200 of these in one scenario, got 203"):
        loads(text)


def test_nasty_text_is_refused(subtests):
    for text in [
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
    ]:
        with subtests.test(text=text[:60]), pytest.raises(ScenarioError):
            loads(text)


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
def mangled(draw):
    """A valid file with a few lines dropped, doubled, moved or given another value, key or word."""
    lines = draw(st.sampled_from(list(BASES.values()))).splitlines()
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


def test_the_bases_are_valid():
    assert BASES
    for text in BASES.values():
        assert text.splitlines()[0] == f'title = "{loads(text).model.title}"'


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mangled())
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
