"""``iontide cite``: every source that a model rests on, once, as BibTeX that a parser takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import iontide
from iontide.cli import main
from iontide.physics.activity.pitzer_parameters import parameter_table
from iontide.physics.ions import ion_library
from iontide.reports.bibliography import Reference, bibtex, keys_of, latex, library_keys, merge, parse_source
from iontide.reports.citations import DATA_SOURCES, Citations, citations, citations_text, cite_model
from iontide.scenario.library.laws import LIBRARY, TABLES
from iontide.scenario.library.transporters import TRANSPORTERS
from tests.support.paths import ROOT, SCENARIO_FILES

ENTRY = re.compile(r"@(article|book|misc)\{([a-z0-9_]+),\n((?:  \w+ = \{.*\},\n)+)\}")


def parsed(text: str) -> dict[str, dict[str, str]]:
    """The entries of a BibTeX text by key; what is outside of them must be comments."""
    entries = {}
    for match in ENTRY.finditer(text):
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", match[3], flags=re.MULTILINE))
        assert match[2] not in entries
        for value in fields.values():
            assert value.count("{") == value.count("}")
        entries[match[2]] = {"kind": match[1], **fields}
    rest = ENTRY.sub("", text)
    assert all(line.startswith("%") for line in rest.splitlines() if line.strip()), rest
    assert "@" not in rest
    return entries


def uses(found: Citations) -> dict[str, tuple[str, ...]]:
    return {entry.key: entry.used_for for entry in found.entries}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Garay & Garrahan 1973, J Physiol 231:297, doi:10.1113/jphysiol.1973.sp010234 (Na sites)",
            Reference("Garay & Garrahan", "1973", "", "J Physiol", "231", "297", "10.1113/jphysiol.1973.sp010234"),
        ),
        (
            "the form of Luo & Rudy 1994, doi:10.1161/01.RES.74.6.1071",
            Reference("Luo & Rudy", "1994", doi="10.1161/01.RES.74.6.1071"),
        ),
        ("after Läuger, Electrogenic Ion Pumps, 1991", Reference("Läuger", "1991", "Electrogenic Ion Pumps")),
        (
            "MacInnes, The Principles of Electrochemistry (1939), ch. 8",
            Reference("MacInnes", "1939", "The Principles of Electrochemistry", note="ch. 8"),
        ),
        (
            "Neher 1992, doi:10.1016/0076-6879(92)07008-C",
            Reference("Neher", "1992", doi="10.1016/0076-6879(92)07008-C"),
        ),
        (
            "Guilbault et al. 1976 (IUPAC), Pure Appl Chem 48:127, doi:10.1351/pac197648010127 (the equation)",
            Reference("Guilbault et al.", "1976", "", "Pure Appl Chem", "48", "127", "10.1351/pac197648010127"),
        ),
        (
            "https://github.com/CINPLA/EDPRmodel (the authors' program: every number and formula here)",
            Reference(url="https://github.com/CINPLA/EDPRmodel"),
        ),
        ("De Young & Keizer 1992", Reference("De Young & Keizer", "1992")),
    ],
)
def test_a_source_text_is_read_into_its_parts(text: str, expected: Reference) -> None:
    assert parse_source(text) == ([expected], [])


def test_a_text_of_several_references_is_taken_apart() -> None:
    references, remarks = parse_source("Nernst 1889, Z Phys Chem 4:129; the other numbers are ours; doi:10.3133/tm6A43")
    assert [(r.authors, r.doi) for r in references] == [("Nernst", ""), ("", "10.3133/tm6A43")]
    assert remarks == ["the other numbers are ours"]


def test_mentions_of_one_work_are_one_entry_with_all_its_fields() -> None:
    texts = (
        "Kay 2017, doi:10.3389/fcell.2017.00041",
        "Kay 2017, Front Cell Dev Biol 5:41",
        "Kay 2017, Front Cell Dev Biol 5:41, doi:10.3389/FCELL.2017.00041",
        "Kay 2017, J Physiol 1:2",
    )
    merged = merge(reference for text in texts for reference in parse_source(text)[0])
    assert [(r.journal, r.doi) for r in merged] == [
        ("Front Cell Dev Biol", "10.3389/fcell.2017.00041"),
        ("J Physiol", ""),
    ]


def test_a_key_does_not_depend_on_what_else_is_cited() -> None:
    first, second = (Reference("Hodgkin & Katz", "1949", doi=f"10.1/{n}") for n in (1, 2))
    reserved = library_keys([first])
    assert reserved == {"hodgkin1949": first}
    (alone,) = keys_of([second], reserved)
    assert keys_of([first, second], reserved) == ["hodgkin1949", alone]
    assert re.fullmatch("hodgkin1949_[0-9a-f]{4}", alone)
    assert sorted(library_keys([first, second])) != ["hodgkin1949", "hodgkin1949"]


def test_special_characters_are_escaped() -> None:
    assert (
        latex("Müller & Sætra_50 % #1 {x}") == r"M{\"u}ller \& S{\ae}tra\_50 \% \#1 \textbraceleft{}x\textbraceright{}"
    )
    assert latex("Čech, Ñ, Ångström") == r"{\v{C}}ech, {\~N}, {\AA}ngstr{\"o}m"
    entry = bibtex("k", Reference("Hübel & Dahlem et al.", "2014", title="100 % of it"))
    assert r"author = {H{\"u}bel and Dahlem and others}" in entry
    assert r"title = {{100 \% of it}}" in entry


def test_a_scenario_cannot_break_the_bibliography() -> None:
    text = SCENARIO_FILES["nernst_calcium"].read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("source"))
    for source in ("A { B & C} 2020, } @article{x, 1:2", "@book{y", "doi:10.1/a}b{c", "https://github.com/a}@b/c{"):
        scenario = iontide.loads(text.replace(line, f"source = '{source}'"))
        entries = parsed(citations_text(cite_model(scenario.model, scenario.document)))
        assert "goldman1943" in entries


def test_every_source_of_the_library_is_read() -> None:
    sources = [law.source for law in (*LIBRARY.values(), *TABLES.values())]
    sources += [transporter.source for transporter in TRANSPORTERS.values()]
    for source in sources:
        references, remarks = parse_source(source)
        assert references, source
        assert not remarks, source
        assert all(reference.authors and reference.year for reference in references if not reference.doi), source
        assert source.count("doi:") == sum(bool(reference.doi) for reference in references)


def test_every_source_of_the_data_files_is_known() -> None:
    header = "".join(
        (ROOT / f"simsrc/iontide/physics/data/{name}.csv").read_text("utf-8") for name in ("ions", "pitzer")
    )
    for text in DATA_SOURCES.values():
        assert all(doi in header for doi in re.findall(r"doi:([^\s;]+)", text))
    shorts = {parameter.source for parameter in parameter_table().values()}
    assert all(short in DATA_SOURCES or short.startswith("PHREEQC") for short in shorts)
    for ion in ion_library().values():
        mobility = next((part for part in ion.source.split(";") if part.strip().startswith("D:")), "")
        assert not mobility or any(short in mobility for short in ("UNSW", "LJPcalc", "pyEQL")), ion.name


@pytest.mark.parametrize("name", SCENARIO_FILES)
def test_every_scenario_gives_valid_bibtex(name: str) -> None:
    found = citations(SCENARIO_FILES[name])
    entries = parsed(citations_text(found))
    assert list(entries) == [entry.key for entry in found.entries]
    dois = [entry["doi"].lower() for entry in entries.values() if "doi" in entry]
    assert len(dois) == len(set(dois))
    assert {"iontide", "tiesinga2021", "steinebach2023"} <= entries.keys()
    assert all(entry.used_for for entry in found.entries)
    text = SCENARIO_FILES[name].read_text("utf-8")
    for doi in re.findall(r"^ .*?doi:([^\s\",]+)", text[: text.index("[simulation]")], flags=re.MULTILINE):
        assert doi.rstrip(".").lower() in dois


def test_what_a_model_uses_is_cited_and_nothing_else() -> None:
    found = uses(citations(SCENARIO_FILES["pump_leak_cell"]))
    assert "law na_k_atpase_cubic" in found["garay1973"]
    assert "law ghk" in found["goldman1943"]
    assert not any("diffusion" in use or "activity" in use for used in found.values() for use in used)
    found = uses(citations(SCENARIO_FILES["pump_leak_swelling"]))
    assert "transporter KCC" in found["payne1997"]
    found = uses(citations(SCENARIO_FILES["potassium_in_layers"]))
    assert "diffusion coefficient of K" in found["ljpcalc"]
    found = uses(citations(SCENARIO_FILES["concentration_cell"]))
    assert "wire Ag/AgCl" in found["bates1954"]
    assert "sign of junction potentials" in found["barry1991"]


def test_activity_models_bring_their_sources() -> None:
    text = SCENARIO_FILES["pump_leak_cell"].read_text("utf-8")
    for model, key in (("davies", "davies1962"), ("debye_hueckel", "kielland1937"), ("pitzer", "harvie1984")):
        scenario = iontide.loads(text.replace("[compartments.bath]", f'[compartments.bath]\nactivity = "{model}"'))
        found = uses(cite_model(scenario.model, scenario.document))
        assert f"activity model {model}" in found[key]
        assert "malmberg1956" in found


def test_a_result_cites_what_its_scenario_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.h5"
    settings = {"simulation.duration": "1 s", "protocol": []}
    iontide.run(SCENARIO_FILES["pump_leak_swelling"], set=settings).save(path)
    assert main(["cite", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    of_file = citations(SCENARIO_FILES["pump_leak_swelling"])
    assert [entry["key"] for entry in told["entries"]] == [entry.key for entry in of_file.entries]
    assert parsed("\n\n".join(entry["bibtex"] for entry in told["entries"])).keys() == uses(of_file).keys()


def test_a_model_without_a_file_is_cited(tmp_path: Path) -> None:
    model = iontide.load(SCENARIO_FILES["nernst_potassium"]).model
    path = tmp_path / "model.h5"
    iontide.run(model).save(path)
    assert "goldman1943" in uses(citations(path))


def test_what_is_no_scenario_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite", str(tmp_path / "none.toml")]) == 6
    (tmp_path / "faulty.toml").write_text("title = 1")
    assert main(["cite", str(tmp_path / "faulty.toml")]) == 3
    assert "faulty.toml" in capsys.readouterr().err
