"""The rate laws as functions: where they stop, which way they run, what they saturate at, and their exact slopes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.expression import Graph
from iontide.mechanisms import LAWS, Sides
from iontide.mechanisms.atp_cycles import free_energy_of_atp
from iontide.mechanisms.binding import hill, sigmoid
from iontide.scenario.laws import LIBRARY
from iontide.scenario.transporters import TRANSPORTERS
from iontide.tape import assemble

VALENCE = {"Na": 1, "K": 1, "H": 1, "Cl": -1, "HCO3": -1, "Ca": 2, "glucose": 0}
T = 310.15
NA_K = {"Na": 3, "K": -2}
KCC, NKCC = TRANSPORTERS["KCC"].moves, TRANSPORTERS["NKCC"].moves
PASSIVE = ["mass_action", "saturating", "linear_force", "log_ratio"]

#: A cell as physiologists know it; mM and V.
INSIDE = {"Na": 12.0, "K": 135.0, "Cl": 8.0, "HCO3": 15.0, "H": 6e-5, "Ca": 1e-4, "glucose": 1.0}
OUTSIDE = {"Na": 145.0, "K": 4.5, "Cl": 115.0, "HCO3": 24.0, "H": 4e-5, "Ca": 1.5, "glucose": 5.0}


def sides_of(inside=INSIDE, outside=OUTSIDE, potential=-0.07, temperature=T, gamma=1.0):
    """Sides with the same activity coefficient for every ion inside, and 1 outside."""
    activity = {ion: gamma * c for ion, c in inside.items()}
    return Sides(VALENCE, inside, outside, activity, outside, potential, temperature)


def swapped(s):
    """The same membrane seen from its other side."""
    return replace(
        s,
        inside=s.outside,
        outside=s.inside,
        inside_activity=s.outside_activity,
        outside_activity=s.inside_activity,
        potential=-s.potential,
    )


def driving_force(s, moves):
    """Σ nu Δmu~, J mol⁻¹, written out once more."""
    return sum(
        n * (R * s.temperature * math.log(s.inside_activity[i] / s.outside_activity[i]) + VALENCE[i] * F * s.potential)
        for i, n in moves.items()
    )


def arguments_of(law, moves):
    """A value for every argument, near what a scenario would say."""
    known = {"rate": 2e-6, "conductance": 0.2, "free_energy": -55e3}
    return (
        known | {f"half_saturation.{ion}": 3.0 + 2.0 * i for i, ion in enumerate(moves)}
        if law in [*PASSIVE, "atpase_reversible"]
        else known
    )


@st.composite
def moved(draw):
    """Any stoichiometry of one to four ions."""
    ions = draw(st.lists(st.sampled_from(sorted(VALENCE)), min_size=1, max_size=4, unique=True))
    counts = st.integers(-3, 3).filter(bool)
    return {ion: draw(counts) for ion in ions}


def concentrations():
    return st.fixed_dictionaries({ion: st.floats(-6.0, 3.0).map(lambda x: 10.0**x) for ion in VALENCE})


@st.composite
def any_sides(draw):
    """Any concentrations, potential, temperature; activities that are not concentrations."""
    inside, outside = draw(concentrations()), draw(concentrations())
    return sides_of(
        inside, outside, draw(st.floats(-0.15, 0.15)), draw(st.floats(275.0, 315.0)), draw(st.floats(0.3, 1.2))
    )


def at_equilibrium(s, moves):
    """The same sides with the outside of one ion such that Σ nu Δmu~ = 0."""
    ion, count = next(iter(moves.items()))
    factor = math.exp(driving_force(s, moves) / (R * s.temperature * count))
    assume(1e-40 < factor < 1e40)
    outside = {**s.outside, ion: s.outside[ion] * factor}
    return replace(s, outside=outside, outside_activity=outside)


# -- coupled passive transport ----------------------------------------------------------------------------------------


def strength(law, s, moves, arguments):
    """What the rate is a small difference of, where it is small."""
    if law in ("linear_force", "log_ratio"):
        scale = {"linear_force": arguments["rate"] * R * s.temperature, "log_ratio": arguments["rate"]}[law]
        return scale * sum(
            abs(n)
            * (abs(math.log(s.inside_activity[i] / s.outside_activity[i])) + abs(F * s.potential / R / 275.0) + 1)
            for i, n in moves.items()
        )
    half = {i: arguments[f"half_saturation.{i}"] if law == "saturating" else 1.0 for i in moves}
    force = math.exp(sum(n * VALENCE[i] for i, n in moves.items()) * F * s.potential / (2 * R * s.temperature))
    sides = [
        (s.inside_activity, s.outside_activity) if n > 0 else (s.outside_activity, s.inside_activity)
        for n in moves.values()
    ]
    taken = force * math.prod((a[i] / half[i]) ** abs(n) for (i, n), (a, _) in zip(moves.items(), sides, strict=True))
    released = (
        math.prod((b[i] / half[i]) ** abs(n) for (i, n), (_, b) in zip(moves.items(), sides, strict=True)) / force
    )
    return arguments["rate"] * (taken + released) / (1.0 + taken + released if law == "saturating" else 1.0)


@pytest.mark.parametrize("law", PASSIVE)
@given(s=any_sides(), moves=moved())
def test_a_passive_law_stops_exactly_at_equilibrium(law, s, moves):
    s = at_equilibrium(s, moves)
    arguments = arguments_of(law, moves)
    assert abs(LAWS[law](s, moves, arguments)) <= 2e-13 * strength(law, s, moves, arguments)


@pytest.mark.parametrize("law", PASSIVE)
@given(s=any_sides(), moves=moved())
def test_a_passive_law_dissipates(law, s, moves):
    force = driving_force(s, moves)
    assume(abs(force) > 1e-6 * R * s.temperature)
    flux = LAWS[law](s, moves, arguments_of(law, moves))
    assert flux * force > 0


@pytest.mark.parametrize("law", PASSIVE)
@given(s=any_sides(), moves=moved())
def test_inside_and_outside_are_only_names(law, s, moves):
    arguments = arguments_of(law, moves)
    flux = LAWS[law](s, moves, arguments)
    assert LAWS[law](swapped(s), moves, arguments) == pytest.approx(
        -flux, rel=1e-12, abs=1e-13 * strength(law, s, moves, arguments)
    )
    other_way = {ion: -count for ion, count in moves.items()}
    assert LAWS[law](s, other_way, arguments) == pytest.approx(
        -flux, rel=1e-12, abs=1e-13 * strength(law, s, moves, arguments)
    )


@given(s=any_sides())
def test_a_switched_law_is_passive_too(s):
    arguments = {"rate": 1e-6, "half.K_outside": 16.0, "slope.K_outside": 1.0}
    force = driving_force(s, NKCC)
    assume(abs(force) > 1e-6 * R * s.temperature)
    assert LAWS["nkcc1_sigmoidal"](s, NKCC, arguments) * force > 0


def test_mass_action_of_an_electroneutral_cotransporter():
    flux = LAWS["mass_action"](sides_of(), KCC, {"rate": 1e-10})
    assert flux == pytest.approx(1e-10 * (135.0 * 8.0 - 4.5 * 115.0), rel=1e-15)
    assert flux == LAWS["mass_action"](sides_of(potential=0.05), KCC, {"rate": 1e-10})


def test_mass_action_of_an_electrogenic_exchanger():
    """NCX: one way Na outside and Ca inside, the other Na inside and Ca outside, half of the field each."""
    moves = TRANSPORTERS["NCX"].moves
    half_field = math.exp(-0.07 * -1 * F / (2 * R * T))
    forward, backward = 145.0**3 * 1e-4 * half_field, 12.0**3 * 1.5 / half_field
    flux = LAWS["mass_action"](sides_of(), moves, {"rate": 1e-15})
    assert flux == pytest.approx(1e-15 * (forward - backward), rel=1e-13)


def test_mass_action_of_one_neutral_solute_is_its_permeability():
    assert LAWS["mass_action"](sides_of(), {"glucose": 1}, {"rate": 1e-8}) == pytest.approx(-4e-8, rel=1e-15)


def test_saturating_half_and_full():
    """Half the rate at the half saturation with nothing on the other side; all of it far above."""
    outside = {**OUTSIDE, "glucose": 0.0}
    for concentration, fraction in ((5.0, 0.5), (5e9, 1.0), (0.0, 0.0)):
        s = sides_of({**INSIDE, "glucose": concentration}, outside)
        flux = LAWS["saturating"](s, {"glucose": 1}, {"rate": 2.0, "half_saturation.glucose": 5.0})
        assert flux == pytest.approx(2.0 * fraction, rel=1e-8, abs=1e-300)


def test_linear_force_is_the_conductance_form_of_kcc2():
    """J = g (E_Cl − E_K) / F outward: what Düsterwald 2018 writes as g (E_K − E_Cl) / F inward."""
    s = sides_of()
    e_k, e_cl = s.reversal_potential("K"), s.reversal_potential("Cl")
    flux = LAWS["linear_force"](s, KCC, {"conductance": 0.2})
    assert flux == pytest.approx(-0.2 * (e_k - e_cl) / F, rel=1e-13)
    assert e_k < e_cl
    assert flux > 0  # KCC2 extrudes Cl
    assert LAWS["linear_force"](s, KCC, {"rate": 0.2 / F**2}) == pytest.approx(flux, rel=1e-13)


def test_logarithmic_laws_of_edpr():
    """Sætra et al. 2020, pump.py, at their initial concentrations."""
    s = sides_of({"Na": 18.0, "K": 99.0, "Cl": 7.0}, {"Na": 140.0, "K": 4.3, "Cl": 134.0})
    kcc2 = LAWS["log_ratio"](s, KCC, {"rate": 7.00e-7})
    assert kcc2 == pytest.approx(7.00e-7 * math.log(99.0 * 7.0 / (4.3 * 134.0)), rel=1e-13)
    nkcc1 = LAWS["nkcc1_sigmoidal"](s, NKCC, {"rate": 2.33e-7, "half.K_outside": 16.0, "slope.K_outside": 1.0})
    logs = math.log(99.0 * 7.0 / (4.3 * 134.0)) + math.log(18.0 * 7.0 / (140.0 * 134.0))
    assert nkcc1 == pytest.approx(2.33e-7 / (1 + math.exp(16 - 4.3)) * logs, rel=1e-13)
    pump = LAWS["na_k_atpase_sigmoidal"](
        s,
        NA_K,
        {
            "rate": 1.87e-6,
            "half.Na_inside": 25.0,
            "slope.Na_inside": 3.0,
            "half.K_outside": 3.5,
            "slope.K_outside": 1.0,
        },
    )
    assert pump == pytest.approx(1.87e-6 / (1 + math.exp((25 - 18) / 3)) / (1 + math.exp(3.5 - 4.3)), rel=1e-14)


# -- pumps ------------------------------------------------------------------------------------------------------------

SATURATING = {"rate": 1.0, "half_saturation.Na_inside": 12.0, "half_saturation.K_outside": 4.5}


@pytest.mark.parametrize(
    ("law", "arguments", "expected"),
    [
        ("na_k_atpase_constant", {"rate": 1.4e-6}, 1.4e-6),
        ("na_k_atpase_linear", {"rate": 1e-7}, 1e-7 * 12.0 / 3),
        ("na_k_atpase_power", {"rate": 1e-4}, 1e-4 * (12.0 / 145.0) ** 3),
        ("na_k_atpase_cubic", SATURATING, 1 / 8 / 4),
        ("na_k_atpase_hill", SATURATING | {"exponent.Na_inside": 1.5, "exponent.K_outside": 1.0}, 1 / 4),
        (
            "na_k_atpase_sigmoidal",
            {
                "rate": 1.0,
                "half.Na_inside": 12.0,
                "slope.Na_inside": 3.0,
                "half.K_outside": 4.5,
                "slope.K_outside": 1.0,
            },
            1 / 4,
        ),
    ],
)
def test_na_k_pumps_at_half_saturation(law, arguments, expected):
    assert LAWS[law](sides_of(), NA_K, arguments) == pytest.approx(expected, rel=1e-14)


def test_hill_with_the_exponents_of_independent_sites_is_not_cubic_but_like_it():
    """One bound site in place of three: the same limits, another way between."""
    arguments = SATURATING | {"exponent.Na_inside": 3.0, "exponent.K_outside": 2.0}
    full = sides_of({**INSIDE, "Na": 1e7}, {**OUTSIDE, "K": 1e7})
    for law in ("na_k_atpase_cubic", "na_k_atpase_hill"):
        assert LAWS[law](full, NA_K, arguments) == pytest.approx(1.0, rel=1e-5)
    assert LAWS["na_k_atpase_hill"](sides_of(), NA_K, arguments) > LAWS["na_k_atpase_cubic"](
        sides_of(), NA_K, arguments
    )


@pytest.mark.parametrize(
    ("law", "moves", "side"),
    [
        ("pmca", {"Ca": 1}, "inside"),
        ("pmca", {"Ca": 1, "H": -2}, "inside"),
        ("pmca", {"H": 2, "Ca": -1}, "outside"),
        ("serca", {"Ca": -2}, "outside"),
        ("serca", {"Ca": 2}, "inside"),
        ("h_atpase", {"H": 1}, "inside"),
        ("h_atpase", {"H": -2}, "outside"),
    ],
)
def test_pumps_of_one_ion_look_at_the_side_that_it_leaves(law, moves, side):
    ion = "H" if law == "h_atpase" else "Ca"
    half = {"inside": INSIDE, "outside": OUTSIDE}[side][ion]
    arguments = {"rate": 1e-7, f"half_saturation.{ion}": half, f"exponent.{ion}": 2.0}
    assert LAWS[law](sides_of(), moves, arguments) == pytest.approx(0.5e-7, rel=1e-13)
    arguments[f"half_saturation.{ion}"] = half / 3
    assert LAWS[law](sides_of(), moves, arguments) == pytest.approx(0.9e-7, rel=1e-13)


def test_pieces_neither_overflow_nor_divide_by_zero():
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert hill(np.array([0.0, 1e-3, 1e9]), 1.0, 10.0) == pytest.approx([0.0, 1e-30, 1.0], abs=1e-31)
        assert sigmoid(np.array([-1e6, 0.0, 1e6])) == pytest.approx([0.0, 0.5, 1.0], abs=1e-100)


# -- thermodynamic cycles ---------------------------------------------------------------------------------------------

REVERSIBLE = {"rate": 1e-6, "half_saturation.Na_inside": 10.0, "half_saturation.K_outside": 1.5}
FUEL = {"ATP": 5.0, "ADP": 0.05, "Pi": 5.0, "half_saturation.ATP": 0.5, "standard_free_energy": -31e3}


@given(s=any_sides())
def test_the_pump_stops_and_turns_at_the_free_energy_of_atp(s):
    work = driving_force(s, NA_K)
    law = LAWS["na_k_atpase_reversible"]
    full = law(s, NA_K, REVERSIBLE | {"free_energy": -1e6})
    assert abs(law(s, NA_K, REVERSIBLE | {"free_energy": work})) <= 1e-12 * full
    for affinity in (1.0, 1e3, 1e5):
        assert law(s, NA_K, REVERSIBLE | {"free_energy": work - affinity}) > 0
        assert law(s, NA_K, REVERSIBLE | {"free_energy": work + affinity}) < 0


@given(s=any_sides(), moves=moved(), free_energy=st.floats(-80e3, 0.0))
def test_any_reversible_pump_dissipates(s, moves, free_energy):
    """J (D − ΔG) ≥ 0: what ATP spends and the gradients spend is never less than 0 together."""
    affinity = driving_force(s, moves) - free_energy
    assume(abs(affinity) > 1e-6 * R * s.temperature)
    arguments = arguments_of("atpase_reversible", moves) | {"free_energy": free_energy}
    assert LAWS["atpase_reversible"](s, moves, arguments) * affinity > 0


@given(s=any_sides())
def test_far_from_equilibrium_it_is_the_cubic_law_and_in_deep_reversal_it_saturates(s):
    s = replace(s, inside_activity=s.inside, outside_activity=s.outside)
    law, cubic = LAWS["na_k_atpase_reversible"], LAWS["na_k_atpase_cubic"](s, NA_K, REVERSIBLE)
    assert law(s, NA_K, REVERSIBLE | {"free_energy": -5e5}) == pytest.approx(cubic, rel=1e-12)
    assert law(s, NA_K, REVERSIBLE | {"free_energy": 5e5}) == pytest.approx(-1e-6, rel=1e-6)


def test_reversal_potential_of_the_pump():
    """F V_rev = ΔG − R T ln(Na_i³ K_o² / (Na_o³ K_i²)): near −200 mV in a cell (Läuger 1991)."""
    free_energy = -57e3
    ratio = 12.0**3 * 4.5**2 / (145.0**3 * 135.0**2)
    reversal = (free_energy - R * T * math.log(ratio)) / F
    assert -0.25 < reversal < -0.15
    law, arguments = LAWS["na_k_atpase_reversible"], REVERSIBLE | {"free_energy": free_energy}
    at = [law(sides_of(potential=v), NA_K, arguments) for v in (reversal - 0.01, reversal, reversal + 0.01, -0.07, 0.0)]
    assert at[0] < 0 < at[2] < at[3] < at[4]  # depolarisation speeds it up
    assert abs(at[1]) < 1e-13 * at[4]


def test_fuel_as_concentrations():
    s = sides_of()
    free_energy = -31e3 + R * T * math.log(0.05e-3 * 5e-3 / 5e-3)
    assert free_energy_of_atp(s, FUEL) == pytest.approx(free_energy, rel=1e-14)
    assert free_energy_of_atp(s, {"free_energy": -5e4}) == -5e4
    law = LAWS["na_k_atpase_reversible"]
    loose = law(s, NA_K, REVERSIBLE | FUEL | {"half_saturation.ATP": 1e-12})
    assert loose == pytest.approx(law(s, NA_K, REVERSIBLE | {"free_energy": free_energy}), rel=1e-11)
    # It stops where the gradients are worth ΔG, however well ATP binds, and needs no logarithm of what is not there.
    balanced = REVERSIBLE | FUEL | {"standard_free_energy": driving_force(s, NA_K) - (free_energy + 31e3)}
    assert abs(law(s, NA_K, balanced)) < 1e-13 * law(s, NA_K, REVERSIBLE | FUEL)
    assert law(s, NA_K, REVERSIBLE | FUEL | {"ATP": 0.0}) < 0
    assert law(sides_of({**INSIDE, "Na": 0.0}), NA_K, REVERSIBLE | FUEL) < 0


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
    cotransport = LAWS["mass_action"](s, TRANSPORTERS["NCC"].moves, {"rate": 3e-5})
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
        for moves in law.stoichiometries or (KCC, TRANSPORTERS["NCX"].moves, TRANSPORTERS["SGLT1"].moves):
            for choice in law.choices or ({},):
                argument_kinds = law.kinds(moves) | choice
                yield pytest.param(law.name, moves, tuple(argument_kinds), id=f"{law.name}-{moves}-{len(choice)}")


VALUES = {"rate": 2e-6, "conductance": 0.2, "ATP": 5.0, "ADP": 0.05, "Pi": 5.0, "standard_free_energy": -31e3}
VALUES |= {"free_energy": -5.5e4, "half_saturation.ATP": 0.5, "half_saturation.H": 7e-5, "half_saturation.Ca": 2e-4}


def value_of(argument):
    """A value for an argument by its path."""
    by_stem = {"half_saturation": 8.0, "half": 20.0, "slope": 4.0, "exponent": 1.7}
    return VALUES[argument] if argument in VALUES else by_stem[argument.split(".")[0]]


@pytest.mark.parametrize(("law", "moves", "names"), [*cases()])
def test_slopes_of_the_tape_are_those_of_finite_differences(law, moves, names):
    """The derivatives by every concentration, by V and by T, and the value, against the law called with numbers."""
    ions = sorted(moves)
    arguments = {name: value_of(name) for name in names}
    y = np.array([*(INSIDE[i] for i in ions), *(OUTSIDE[i] for i in ions), -0.06, T])

    def called(y):
        n = len(ions)
        inside, outside = dict(zip(ions, y[:n], strict=True)), dict(zip(ions, y[n : 2 * n], strict=True))
        return LAWS[law](Sides(VALENCE, inside, outside, inside, outside, y[2 * n], y[2 * n + 1]), moves, arguments)

    graph = Graph()
    n = len(ions)
    states = [graph.state(i) for i in range(len(y))]
    inside, outside = dict(zip(ions, states, strict=False)), dict(zip(ions, states[n:], strict=False))
    sides = Sides(VALENCE, inside, outside, inside, outside, states[2 * n], states[2 * n + 1])
    drawn = LAWS[law](sides, moves, {name: graph.input(name) for name in names})
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


@pytest.mark.parametrize(("law", "moves", "names"), [*cases()])
def test_arrays_give_what_numbers_give(law, moves, names):
    potential = -0.06
    arguments = {name: value_of(name) for name in names}
    alone = LAWS[law](sides_of(potential=potential), moves, arguments)
    many = sides_of(
        {ion: np.full(3, c) for ion, c in INSIDE.items()},
        {ion: np.full(3, c) for ion, c in OUTSIDE.items()},
        np.full(3, potential),
    )
    arrays = {name: np.full(3, value) for name, value in arguments.items()}
    np.testing.assert_allclose(np.broadcast_to(LAWS[law](many, moves, arrays), 3), alone, rtol=1e-14)
