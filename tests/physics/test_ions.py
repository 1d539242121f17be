"""The ion library: its numbers against printed ones, its names without two meanings."""

import csv
import keyword
import math
import re
from dataclasses import FrozenInstanceError
from importlib import resources

import pytest

from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.physics.ions import Ion, find_ion, ion_library, nearest_ions

# Limiting equivalent conductivity (S cm² mol⁻¹) and D (1e-9 m² s⁻¹) at 25 °C of the CRC Handbook of Chemistry
# and Physics, "Ionic conductivity and diffusion at infinite dilution", via LJPcalc and pyEQL.
CRC = {
    "K": (1, 73.5, 1.957),
    "Na": (1, 50.11, 1.334),
    "Cl": (-1, 76.31, 2.032),
    "Ca": (2, 59.5, 0.792),
    "Mg": (2, 53.06, 0.706),
    "H": (1, 350.1, 9.311),
    "OH": (-1, 198.0, 5.273),
    "HCO3": (-1, 44.5, 1.185),
    "CO3": (-2, 69.3, 0.923),
    "NO3": (-1, 71.42, 1.902),
    "SO4": (-2, 80.0, 1.065),
    "Li": (1, 38.69, 1.029),
    "Zn": (2, 52.8, 0.703),
    "La": (3, 69.6, 0.619),
    "citrate": (-3, 70.2, 0.623),
    "ferricyanide": (-3, 100.9, 0.896),
    "ferrocyanide": (-4, 110.4, 0.735),
    "P2O7": (-4, 96.0, 0.639),
    "P3O10": (-5, 109.0, 0.581),
}

# What the sources have wrong and the library has right: valence and D (1e-9 m² s⁻¹), by CRC D or by
# D = R T λ / (|z| F²) with the valence of the ion.
CORRECTED = {
    "NH4": (1, 1.957),
    "HPO4": (-2, 0.759),
    "H2PO4": (-1, 0.959),
    "PO4": (-3, 0.824),
    "HSO3": (-1, 1.545),
    "SO3": (-2, 0.959),
    "Cu": (2, 0.714),
    "MoO4": (-2, 0.992),
    "malonate": (-2, 0.8455),
    "ethylmalonate": (-2, 0.6564),
    "cyclopropanedicarboxylate": (-2, 0.7110),
}


def diffusion_coefficient(valence: int, conductivity: float) -> float:
    """D = R T λ / (|z| F²) at 25 °C, m² s⁻¹, from λ in S cm² mol⁻¹ per equivalent (Nernst–Einstein)."""
    return GAS_CONSTANT * 298.15 * conductivity * 1e-4 / (abs(valence) * FARADAY**2)


def test_library_agrees_with_printed_conductivity_and_diffusion_coefficient(subtests):
    for name in CRC:
        with subtests.test(name=name):
            valence, conductivity, printed = CRC[name]
            ion = ion_library()[name]
            assert ion.valence == valence
            assert ion.diffusion_coefficient == pytest.approx(diffusion_coefficient(valence, conductivity), rel=1e-4)
            assert ion.diffusion_coefficient == pytest.approx(printed * 1e-9, rel=3e-3)


def test_errors_of_the_sources_are_corrected_and_the_note_says_so(subtests):
    for name in CORRECTED:
        with subtests.test(name=name):
            valence, printed = CORRECTED[name]
            ion = ion_library()[name]
            assert ion.valence == valence
            assert ion.diffusion_coefficient == pytest.approx(printed * 1e-9, rel=2e-3)
            assert ion.note or name == "NH4"  # its row is right; the wrong one, NH with z = 4, is not in the library


@pytest.mark.parametrize(
    ("name", "ion_size", "a0", "b"),
    [("K", 3.0, 3.5, 0.015), ("Na", 4.25, 4.08, 0.082), ("Cl", 3.0, 3.63, 0.017), ("SO4", 4.0, 5.0, -0.04)],
)
def test_activity_parameters_in_si(name, ion_size, a0, b):
    # Kielland 1937, doi:10.1021/ja01288a032 (Å); phreeqc.dat (a0 in Å)
    ion = ion_library()[name]
    assert ion.ion_size == pytest.approx(ion_size * 1e-10)
    assert ion.truesdell_jones == (pytest.approx(a0 * 1e-10), pytest.approx(b))


def test_mobility_is_that_of_nernst_and_einstein():
    # Limiting molar conductivity of K: z² F² u = 73.5e-4 S m² mol⁻¹
    mobility = ion_library()["K"].mobility
    assert mobility is not None
    assert mobility * FARADAY**2 == pytest.approx(73.5e-4, rel=1e-4)
    assert Ion("X", 1).mobility is None


def test_every_row_is_physical_and_says_where_it_comes_from():
    library = ion_library()
    assert library
    for name, ion in library.items():
        assert ion.name == name
        assert isinstance(ion.valence, int)
        assert 1 <= abs(ion.valence) <= 5
        assert ion.diffusion_coefficient is not None
        # From nucleotides to chloride and its like; only H and OH, which hop, are faster.
        assert 2.5e-10 < ion.diffusion_coefficient < (1e-8 if name in ("H", "OH") else 2.2e-9)
        assert ion.ion_size is None or 2.5e-10 <= ion.ion_size <= 9e-10
        if ion.truesdell_jones is not None:
            a0, b = ion.truesdell_jones
            assert 2.5e-10 <= a0 <= 9e-10
            assert math.isfinite(b)
            assert abs(b) < 0.3
        assert ion.description
        assert "D: " in ion.source
        assert ("CRC via" in ion.source) <= ("CRC" in ion.note)  # a D that was not computed is explained


def test_conductivities_quoted_in_the_source_give_the_diffusion_coefficients():
    computed = 0
    for ion in ion_library().values():
        if match := re.match(r"D: lambda_eq ([\d.]+)", ion.source):
            conductivity = float(match[1])
        elif match := re.match(r"D: u/u_K ([\d.]+)", ion.source):
            conductivity = 73.5 * float(match[1]) * abs(ion.valence)
        else:
            continue
        computed += 1
        expected = diffusion_coefficient(ion.valence, conductivity)
        assert ion.diffusion_coefficient == pytest.approx(expected, rel=1e-4), ion.name
    assert computed > 150


FORMULA_WORDS = "V T t E area volume potential inside outside activity where exp log sqrt tanh min max linexp"

# The names that scenarios from the literature will use, without looking them up.
USUAL = """
    K Na Cl Ca Mg H OH HCO3 CO3 NH4 Cs Rb Li Br I F NO3 SO4 HPO4 H2PO4 PO4 Ba Sr Mn Co Ni Zn Cd La Gd
    TMA TEA NMDG choline Tris gluconate aspartate glutamate methanesulfonate isethionate acetate lactate
    HEPES MES MOPS
"""

ALIASES = {
    "K": "K",
    "Ca2+": "Ca",
    "Cl-": "Cl",
    "HPO42-": "HPO4",
    "NH4 (Ammonium)": "NH4",
    "ammonium": "NH4",
    "Gluconate": "gluconate",
    "bicarbonate": "HCO3",
    "ATP4-": "ATP4",
    "Fe3+": "FeIII",
}

NEAREST = {
    "Kk": "K",
    "k": "K",
    "na": "Na",
    "CA": "Ca",
    "Potasium": "K",
    "cloride": "Cl",
    "glutamat": "glutamate",
    "hco3": "HCO3",
    "Mesylat": "methanesulfonate",
}


def test_names_can_stand_in_formulas():
    for name in ion_library():
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        assert not keyword.iskeyword(name)
        assert name not in FORMULA_WORDS.split()


def test_no_name_or_alias_means_two_ions():
    text = resources.files("iontide.physics").joinpath("data/ions.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert len(rows) == len(ion_library())
    seen = set()
    for row in rows:
        for spelling in (row["name"], *filter(None, row["aliases"].split(";"))):
            assert spelling == spelling.strip()
            assert spelling not in seen
            assert find_ion(spelling) is ion_library()[row["name"]]
            seen.add(spelling)


def test_the_usual_ions_are_there_under_their_usual_names():
    assert set(USUAL.split()) <= set(ion_library())


def test_aliases_lead_to_the_ion(subtests):
    for written in ALIASES:
        with subtests.test(written=written):
            assert find_ion(written) is ion_library()[ALIASES[written]]


def test_unknown_and_ambiguous_names_are_not_found(subtests):
    for written in ["", "k", "NH", "H2PO", "D", "ATP", "HPO4-", "K;K+", "Kk"]:
        with subtests.test(written=written):
            assert find_ion(written) is None


def test_nearest_names(subtests):
    for written in NEAREST:
        with subtests.test(written=written):
            assert nearest_ions(written)[0] == NEAREST[written]


def test_nearest_names_are_names_and_at_most_so_many():
    assert {"ATP2", "ATP3", "ATP4"} == set(nearest_ions("ATP"))
    assert nearest_ions("ATP", n=1) in (["ATP2"], ["ATP3"], ["ATP4"])
    assert nearest_ions("zzzzzz") == nearest_ions("") == nearest_ions("K", n=0) == []
    assert len(nearest_ions("a" * 1_000_000)) <= 3


def test_library_cannot_be_changed():
    library = ion_library()
    assert library is ion_library()
    with pytest.raises(TypeError):
        library["K"] = Ion("K", 2)  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        library["K"].valence = 2  # type: ignore[misc]
