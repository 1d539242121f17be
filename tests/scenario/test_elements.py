"""What ions are made of, and reactions that would make one element of another."""

from __future__ import annotations

from iontide.scenario.library.elements import elements_left_over, elements_of


def test_a_formula_is_read(subtests):
    for name, atoms in [
        ("HCO3", {"H": 1, "C": 1, "O": 3}),
        ("H2PO4", {"H": 2, "P": 1, "O": 4}),
        ("SeCN", {"Se": 1, "C": 1, "N": 1}),
        ("FeIII", {"Fe": 1}),
        ("IO3", {"I": 1, "O": 3}),
        ("OCN", {"O": 1, "C": 1, "N": 1}),
        ("Co", {"Co": 1}),
    ]:
        with subtests.test(name=name):
            assert elements_of(name) == atoms


def test_what_is_no_formula_of_the_library_may_be_anything(subtests):
    for name in ["acetate", "TMA", "MES", "ATP4", "NMDG", "HEPES", "X", "CaB", "CO2"]:
        with subtests.test(name=name):
            assert elements_of(name) is None


def test_what_balances_and_what_does_not():
    assert elements_left_over({"H2PO4": 1}, {"HPO4": 1, "H": 1}) == {}
    assert elements_left_over({"HCO3": 1}, {"CO3": 1, "H": 1}) == {}
    assert elements_left_over({"H": 1, "OH": 1}, {}) == {}  # water is not written
    assert elements_left_over({"HCO3": 1, "H": 1}, {"CO2": 1}) == {}  # not in the library
    assert elements_left_over({"K": 1}, {"Na": 1}) == {"K": 1, "Na": -1}
    assert elements_left_over({"SO4": 1}, {"SO3": 1}) == {"O": 1}
