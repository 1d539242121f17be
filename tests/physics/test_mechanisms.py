"""The rate laws as functions: published steady states are theirs; their slopes on the tape are exact."""

from __future__ import annotations

import numpy as np
import pytest

from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.physics.mechanisms import LAWS, Sides
from iontide.scenario.library.laws import LIBRARY
from iontide.scenario.library.transporters import TRANSPORTERS
from iontide.symbolic.expression import Graph
from iontide.symbolic.tape import assemble
from tests.support.membrane_sides import (
    INSIDE,
    KCC,
    NA_K,
    OUTSIDE,
    VALENCE,
    T,
    sides_of,
)

# -- published steady states, by these laws ---------------------------------------------------------------------------


def ohmic(s, ion, conductance):
    return LAWS["ohmic"](s, {ion: 1}, {"": conductance})


def ghk(s, ion, permeability):
    return LAWS["ghk"](s, {ion: 1}, {"": permeability})


def balanced(*terms):
    return abs(sum(terms)) / max(map(abs, terms))


def test_duesterwald_2018_rests():
    """M1 of reference/homeostasis.csv: at its steady state each net flux is 0, KCC2 and the pump included."""
    inside, outside = {"Na": 14.00165, "K": 122.8733, "Cl": 5.164828}, {"Na": 145.0, "K": 3.5, "Cl": 119.0}
    s = sides_of(inside, outside, -72.58811e-3, 0.026725 * F / R)
    pump = LAWS["na_k_atpase_power"](s, NA_K, {"rate": 10.0 / F})
    kcc2 = LAWS["linear_force"](s, KCC, {"conductance": 0.2})
    assert balanced(ohmic(s, "Na", 0.2), 3 * pump) < 1e-6
    assert balanced(ohmic(s, "K", 0.7), -2 * pump, kcc2) < 2e-5
    assert balanced(ohmic(s, "Cl", 0.2), kcc2) < 2e-5


def test_kay_2017_rests():
    """M2: a pump at constant rate."""
    inside = {"Na": 16.70614255562738, "K": 133.2938574443726, "Cl": 3.8437313890113036}
    outside = {"Na": 147.0, "K": 3.0, "Cl": 150.0}
    s = sides_of(inside, outside, -94.13308434702192e-3, 0.02569 * F / R)
    pump = LAWS["na_k_atpase_constant"](s, NA_K, {"rate": 0.5e-2 / F})
    assert balanced(ohmic(s, "Na", 0.1), 3 * pump) < 1e-3
    assert balanced(ohmic(s, "K", 3.0), -2 * pump) < 1e-3


def test_vereninov_u937_rests():
    """M6: a linear pump and Na-Cl cotransport; all rates per minute and volume of cell water."""
    inside, outside = {"Na": 37.97964, "K": 147.0116, "Cl": 45.03215}, {"Na": 140.0, "K": 5.8, "Cl": 116.0}
    s = sides_of(inside, outside, -44.66623e-3, 0.0267 * F / R)
    pump = LAWS["na_k_atpase_linear"](s, NA_K, {"rate": 0.039})
    cotransport = LAWS["mass_action"](s, TRANSPORTERS["NCC"].stoichiometry, {"rate": 3e-5})
    assert balanced(ghk(s, "Na", 0.00382), 3 * pump, cotransport) < 1e-5
    assert balanced(ghk(s, "K", 0.022), -2 * pump) < 1e-5
    assert balanced(ghk(s, "Cl", 0.0091), cotransport) < 1e-5


@pytest.mark.parametrize(
    ("rate", "potential", "sodium", "potassium"),
    [
        (1e-8, -52.65095, 118.05019, 35.94981),
        (1e-7, -86.07462, 19.94111, 134.05889),
        (1e-6, -89.27985, 2.07100, 151.92900),
    ],
)
def test_gabbiani_and_cox_rest(rate, potential, sodium, potassium):
    """M7: three strengths of a linear pump."""
    s = sides_of({"Na": sodium, "K": potassium}, {"Na": 116.0, "K": 4.0}, potential * 1e-3, 0.0258 * F / R)
    pump = LAWS["na_k_atpase_linear"](s, NA_K, {"rate": rate})
    assert balanced(ghk(s, "Na", 5e-9), 3 * pump) < 1e-5
    assert balanced(ghk(s, "K", 5e-7), -2 * pump) < 1e-4


# -- every law through the expression graph and the tape --------------------------------------------------------------


def cases():
    """Every law of the library with each choice of its arguments, and stoichiometries for it."""
    for law in LIBRARY.values():
        for stoichiometry in law.stoichiometries or (
            KCC,
            TRANSPORTERS["NCX"].stoichiometry,
            TRANSPORTERS["SGLT1"].stoichiometry,
        ):
            for choice in law.choices or ({},):
                argument_kinds = law.kinds(stoichiometry) | choice
                yield pytest.param(
                    law.name, stoichiometry, tuple(argument_kinds), id=f"{law.name}-{stoichiometry}-{len(choice)}"
                )


VALUES = {"rate": 2e-6, "conductance": 0.2, "ATP": 5.0, "ADP": 0.05, "Pi": 5.0, "standard_free_energy": -31e3}
VALUES |= {"free_energy": -5.5e4, "half_saturation.ATP": 0.5, "half_saturation.H": 7e-5, "half_saturation.Ca": 2e-4}


def value_of(argument):
    """A value for an argument by its path."""
    by_stem = {"half_saturation": 8.0, "half": 20.0, "slope": 4.0, "exponent": 1.7}
    return VALUES[argument] if argument in VALUES else by_stem[argument.split(".")[0]]


@pytest.mark.parametrize(("law", "stoichiometry", "names"), [*cases()])
def test_slopes_of_the_tape_are_those_of_finite_differences(law, stoichiometry, names):
    """The derivatives by every concentration, by V and by T, and the value, against the law called with numbers."""
    ions = sorted(stoichiometry)
    arguments = {name: value_of(name) for name in names}
    y = np.array([*(INSIDE[i] for i in ions), *(OUTSIDE[i] for i in ions), -0.06, T])

    def called(y):
        n = len(ions)
        inside, outside = dict(zip(ions, y[:n], strict=True)), dict(zip(ions, y[n : 2 * n], strict=True))
        return LAWS[law](
            Sides(VALENCE, inside, outside, inside, outside, y[2 * n], y[2 * n + 1]), stoichiometry, arguments
        )

    graph = Graph()
    n = len(ions)
    states = [graph.state(i) for i in range(len(y))]
    inside, outside = dict(zip(ions, states, strict=False)), dict(zip(ions, states[n:], strict=False))
    sides = Sides(VALENCE, inside, outside, inside, outside, states[2 * n], states[2 * n + 1])
    drawn = LAWS[law](sides, stoichiometry, {name: graph.input(name) for name in names})
    zero = graph.constant(0.0)
    program = assemble([drawn, *[zero] * (len(y) - 1)], {(i, i): graph.constant(1.0) for i in range(len(y))})
    inputs = np.array([arguments[name] for name in program.inputs])
    k = program.prologue.run(0.0, inputs, np.zeros(0), {"k": program.constants + len(y)})["k"]
    size = len(y)
    out = program.linearised.run(0.0, y, k, {"f": size, "J": size * size, "f_t": size})
    assert out["f"][0] == pytest.approx(called(y), rel=1e-12)
    for column in range(size):
        step = 1e-4 * y[column] * np.eye(size)[column]
        near = (called(y + step) - called(y - step)) / (2 * 1e-4 * y[column])
        far = (called(y + 2 * step) - called(y - 2 * step)) / (4 * 1e-4 * y[column])
        expected = (4 * near - far) / 3  # Richardson: an error of order 4
        resolution = 1e-9 * abs(called(y) / y[column])
        assert out["J"][column] == pytest.approx(expected, rel=1e-7, abs=resolution), column


@pytest.mark.parametrize(("law", "stoichiometry", "names"), [*cases()])
def test_arrays_give_what_numbers_give(law, stoichiometry, names):
    potential = -0.06
    arguments = {name: value_of(name) for name in names}
    alone = LAWS[law](sides_of(potential=potential), stoichiometry, arguments)
    many = sides_of(
        {ion: np.full(3, c) for ion, c in INSIDE.items()},
        {ion: np.full(3, c) for ion, c in OUTSIDE.items()},
        np.full(3, potential),
    )
    arrays = {name: np.full(3, value) for name, value in arguments.items()}
    np.testing.assert_allclose(np.broadcast_to(LAWS[law](many, stoichiometry, arrays), 3), alone, rtol=1e-14)
