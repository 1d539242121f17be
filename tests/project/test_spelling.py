"""Names that were misspelt, and lists of names."""

from __future__ import annotations

from iontide.errors import did_you_mean, listed, nearest, suggestion


def test_one_name_is_suggested_whatever_its_case():
    assert did_you_mean("Kk", ["Na", "K"]) == "; did you mean K?"
    assert did_you_mean("Area", ["area", "AREA"]) == "; did you mean area?"
    assert did_you_mean("zzz", ["area"]) == ""
    assert did_you_mean("", ["area"]) == did_you_mean("area", []) == ""


def test_the_most_similar_names_come_first_and_of_equally_similar_ones_the_first_given():
    assert nearest("sodum", ["sodium_in", "sodium", "potassium"], most=3) == ["sodium", "sodium_in"]
    assert nearest("layer_1x", ["layer_12", "layer_11"], most=2) == ["layer_12", "layer_11"]
    assert nearest("layer", ["layer"], most=0) == []
    assert nearest(3, ["30"]) == ["30"]  # not only texts: a key of a list is a number


def test_a_very_long_name_is_not_compared_in_full():
    assert nearest("a" * 10_000_000, ["b"]) == []


def test_texts_for_messages():
    assert suggestion(["mM", "mm"]) == "; did you mean mM or mm?"
    assert suggestion([]) == ""
    assert listed(["a", "b"]) == "a, b"
    assert listed("abc", most=2) == "a, b, …"
    assert listed([]) == "none"
