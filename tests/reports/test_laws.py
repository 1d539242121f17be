"""``iontide laws``: the whole library, read off the tables that files are checked by, and told at once."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from iontide.cli import main
from iontide.errors import UsageError
from iontide.formulas.units import parse_unit
from iontide.physics.mechanisms import LAWS
from iontide.reports.laws import WIDTH, catalogue, catalogue_text
from iontide.scenario.library.laws import LIBRARY
from iontide.scenario.library.transporters import TRANSPORTERS


def test_every_law_and_transporter_is_told() -> None:
    found = catalogue()
    assert {law["name"] for law in found["laws"]} == set(LAWS)
    assert [t["name"] for t in found["transporters"]] == list(TRANSPORTERS)
    assert json.loads(json.dumps(found)) == found


def test_a_law_tells_formula_arguments_units_and_source() -> None:
    (law,) = catalogue(["na_k_atpase_cubic"])["laws"]
    assert "rate * (Na.inside / (Na.inside + K_Na))^3" in law["description"]
    assert law["arguments"] == {
        "rate": "mol/m^2/s",
        "half_saturation.Na_inside": "mol/m^3",
        "half_saturation.K_outside": "mol/m^3",
    }
    assert law["stoichiometry"] == [{"Na": 3, "K": -2}]
    assert "doi:10.1113/jphysiol.1973.sp010234" in law["source"]
    (reversible,) = catalogue(["na_k_atpase_reversible"])["laws"]
    assert reversible["choices"][0] == {"free_energy": "J/mol"}


def test_every_argument_has_a_unit_that_can_be_read_and_every_law_a_source() -> None:
    for law in catalogue()["laws"]:
        for unit in {**law["arguments"], **{k: v for group in law["choices"] for k, v in group.items()}}.values():
            parse_unit(unit.split(" for ")[0])
        assert law["name"] == "formula" or re.search(r"\d{4}", law["source"]), law["name"]


def test_the_page_is_plain_and_narrow() -> None:
    text = catalogue_text(catalogue())
    assert max(map(len, text.splitlines())) <= WIDTH
    assert not any(line != line.rstrip() for line in text.splitlines())
    for name in (*LIBRARY, *TRANSPORTERS):
        assert re.search(rf"^ *{name}\b", text, re.MULTILINE), name


def test_the_command_tells_what_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["laws", "glut", "KCC"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("glut\n")
    assert "takes rate (mol/m^2/s), half_saturation.glucose (mol/m^3)" in " ".join(told.split())
    assert "{ K = 1, Cl = 1 }" in told
    assert "mass_action" not in told
    assert main(["laws", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == catalogue()
    with pytest.raises(UsageError, match="no law or transporter na_k_atpas_cubic; did you mean na_k_atpase_cubic"):
        catalogue(["na_k_atpas_cubic"])
    assert main(["laws", "nonsense"]) == 2


def test_it_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'numba', 'llvmlite', 'pydantic', 'h5py', 'matplotlib', 'scipy', 'rich'}"
    code = f"import sys; from iontide.cli import main; main(['laws']); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
