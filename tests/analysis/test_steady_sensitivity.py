"""Sensitivities of steady states: against states solved anew, closed forms, and the identities they obey."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

import iontide
from iontide.analysis.parameter_derivatives import Dependence
from iontide.analysis.steady_sensitivity import Sensitivities, sensitivity_lines, steady_sensitivities
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.errors import SolverError, UnknownNameError, UsageError
from iontide.formulas.formula import parse_formula
from iontide.model.model import Compartment, Impermeant, Membrane, Model, Parameter, Simulation
from iontide.simulation.prepare import prepare
from iontide.symbolic.expression import (
    Graph,
    bernoulli,
    bernoulli_curvature_value,
    bernoulli_slope_value,
    maximum,
    tanh,
    where,
)
from iontide.symbolic.forward_mode import assemble_quantities
from tests.support.models import AREA, CAPACITANCE, NA, P_K, TEMPERATURE, VOLUME, K, by_name, ghk, pump_leak
from tests.support.paths import SCENARIO_FILES


def moved(model: Model, name: str, value: float) -> Model:
    return replace(model, parameters={**model.parameters, name: replace(model.parameters[name], value=value)})


def solved_anew(model: Model, result: Sensitivities, name: str, step: float) -> np.ndarray:
    """∂ outputs / ∂ a parameter by central differences of fourth order of steady states that are found anew."""
    value = model.parameters[name].value
    ends = [
        steady_sensitivities(moved(model, name, value * (1.0 + c * step)), [name], result.outputs).output_values
        for c in (-2, -1, 1, 2)
    ]
    return ((ends[0] - ends[3]) + 8.0 * (ends[2] - ends[1])) / (12.0 * step * value)


@pytest.mark.parametrize(
    ("scenario", "names", "step"),
    [
        ("pump_leak_cell", None, 1e-3),
        ("duesterwald_2018", None, 1e-3),
        ("vereninov_2014_u937", None, 1e-3),
        ("saetra_2020", ("pump_rate", "KCC2_rate", "leak_Na", "Ca_basal", "side"), 1.5e-3),
    ],
)
def test_steady_states_solved_anew(scenario, names, step):
    model = iontide.load(SCENARIO_FILES[scenario]).model
    result = steady_sensitivities(model, names)
    for k, name in enumerate(result.parameters):
        found = solved_anew(model, result, name, step)
        # A state solved anew is exact to some ulp of the largest number of its kind: V between two cells is their rest.
        kind = [name.split("_")[0] if name[:2] == "V_" or "volume" in name else "" for name in result.outputs]
        largest = np.array([np.abs(result.output_values[np.array(kind) == own]).max() for own in kind])
        rounding = 1e-12 * largest / (step * abs(result.parameter_values[k]))
        assert (np.abs(found - result.absolute[:, k]) < 1e-6 * np.abs(result.absolute[:, k]) + rounding).all(), name


def closed_cell() -> Model:
    """K and Na between two closed compartments, with totals that follow from parameters; V stays free."""
    return Model(
        species=by_name([K, NA]),
        compartments=by_name(
            [
                Compartment(
                    "cell",
                    "finite",
                    parse_formula("swelling * 4 pL"),
                    {"K": parse_formula("K_cell"), "Na": 10.0},
                    (Impermeant("A", -1.0),),
                ),
                Compartment(
                    "space",
                    "finite",
                    VOLUME / 3,
                    {"K": parse_formula("0.05 * K_cell"), "Na": parse_formula("Na_space")},
                    (Impermeant("A", -1.0),),
                ),
            ]
        ),
        membranes=by_name(
            [Membrane("plasma", "cell", "space", AREA, CAPACITANCE, "ghk", (ghk("K", P_K), ghk("Na", 0.1 * P_K)))]
        ),
        simulation=Simulation(3600.0),
        temperature=TEMPERATURE,
        parameters=by_name([Parameter("K_cell", 130.0), Parameter("Na_space", 140.0), Parameter("swelling", 1.0)]),
    )


def test_conserved_totals_follow_the_start():
    """In a closed system the end depends on a concentration at the start through the totals alone."""
    model = closed_cell()
    result = steady_sensitivities(model)
    for k, name in enumerate(result.parameters):
        assert solved_anew(model, result, name, 1e-3) == pytest.approx(result.absolute[:, k], rel=1e-6)
    held = steady_sensitivities(model, start=prepare(model).initial.y)
    assert (held.states[:, held.parameters.index("Na_space")] == 0.0).all()  # totals given: the start says no more


def test_ghk_potential_of_two_ions():
    """V = (R T / F) ln (K_o + r Na_o) / (K_i + r Na_i): ∂V/∂r in closed form, and V follows no common factor of P."""
    model = Model(
        species=by_name([K, NA]),
        compartments=by_name(
            [
                Compartment("cell", "floating bath", None, {"K": parse_formula("K_i"), "Na": 12.0}),
                Compartment("bath", "bath", None, {"K": 4.0, "Na": 145.0}),
            ]
        ),
        membranes=by_name(
            [
                Membrane(
                    "plasma",
                    "cell",
                    "bath",
                    AREA,
                    CAPACITANCE,
                    "ghk",
                    (ghk("K", parse_formula("P")), ghk("Na", parse_formula("P * r"))),
                )
            ]
        ),
        simulation=Simulation(10.0),
        temperature=parse_formula("warm"),
        parameters=by_name(
            [Parameter("P", P_K), Parameter("r", 0.05), Parameter("K_i", 140.0), Parameter("warm", TEMPERATURE)]
        ),
    )
    result = steady_sensitivities(model)
    scale, r = GAS_CONSTANT * TEMPERATURE / FARADAY, 0.05
    outside, inside = 4.0 + r * 145.0, 140.0 + r * 12.0
    assert result.output_values[0] == pytest.approx(scale * log(outside / inside), rel=1e-12)
    assert result.of("plasma.V", "r") == pytest.approx(scale * (145.0 / outside - 12.0 / inside), rel=1e-10)
    assert result.of("plasma.V", "K_i") == pytest.approx(-scale / inside, rel=1e-10)
    assert result.of("plasma.V", "warm") == pytest.approx(scale / TEMPERATURE * log(outside / inside), rel=1e-10)
    assert abs(result.of("plasma.V", "P")) * P_K < 1e-14
    assert result.ranked("plasma.V") == ["warm", "K_i", "r", "P"]


def test_what_a_protocol_still_holds_does_not_count_for_itself():
    model = pump_leak()
    on = steady_sensitivities(model)
    assert on.of("plasma.V", "pump_rate") != 0.0  # at the end the pump is as given
    held = replace(model, protocol=(replace(model.protocol[0], end=None),))
    assert not steady_sensitivities(held).absolute.any()


def test_a_quantity_by_its_path():
    """A membrane of twice the area with all its pathways changes nothing at rest; a conductance of nothing does."""
    model = pump_leak()
    result = steady_sensitivities(model, ["membranes.plasma.area", "membranes.plasma.permeability.Na"])
    assert np.abs(result.relative[:, 0]).max() < 1e-4  # the charge of the membrane alone
    assert result.of("plasma.V", "membranes.plasma.permeability.Na") > 0.0


def test_homogeneity():
    """All permeabilities and the pump together set the time alone: their elasticities add up to 0."""
    model = iontide.load(SCENARIO_FILES["pump_leak_cell"]).model
    result = steady_sensitivities(model)
    total = result.relative.sum(axis=1)
    assert np.abs(total).max() < 1e-9
    assert np.abs(result.relative).max() > 0.1


def test_initial_state_by_differences():
    """Amounts, a ghk potential, a balancing impermeant, gates: all that a start is made of."""
    for scenario, names in (
        ("hodgkin_huxley", None),
        ("pump_leak_swelling", None),
        ("gabbiani_cox_2010", None),
        ("saetra_2020", ("pump_rate", "leak_Na", "side")),
    ):
        model = iontide.load(SCENARIO_FILES[scenario]).model
        chosen = names or [n for n, p in model.parameters.items() if isinstance(p.value, float) and p.value]
        prepared = prepare(model)
        slopes = Dependence(model, prepared, chosen).initial[1]
        for k, name in enumerate(chosen):
            value, step = model.parameters[name].value, 1e-4
            up, down = (prepare(moved(model, name, value * (1.0 + s * step))).initial.y for s in (1, -1))
            found = (up - down) / (2.0 * step)
            assert found == pytest.approx(slopes[:, k] * value, rel=1e-6, abs=1e-8 * np.abs(prepared.initial.y).max())


def test_what_is_told():
    result = steady_sensitivities(iontide.load(SCENARIO_FILES["pump_leak_cell"]).model)
    lines = sensitivity_lines(result)
    assert lines[2].startswith("plasma.V = -74.6")
    assert "P_K" in lines[3]
    assert "mV" in lines[3]
    with pytest.raises(UnknownNameError, match=r"plasma\.V"):
        result.of("V", "P_K")


def test_refusals():
    model = pump_leak()
    with pytest.raises(UsageError, match="did you mean pump_rate"):
        steady_sensitivities(model, ["pump_rat"])
    with pytest.raises(UsageError, match="no output"):
        steady_sensitivities(model, outputs=["V_nothing"])
    with pytest.raises(SolverError, match="no steady state"):
        steady_sensitivities(iontide.load(SCENARIO_FILES["kay_2017"]).model)


def test_forward_mode_takes_the_branch_that_is_chosen():
    graph = Graph()
    x, zero = graph.input("x"), graph.constant(0.0)
    functions = [
        abs_of(x),
        maximum(x, zero),
        where(graph.constant(0.0) + (x * 0.0), 1.0 / x, x * x),  # what is not chosen is infinite
        bernoulli(x),
        tanh(x) ** 2.5,
    ]
    program = assemble_quantities(graph, functions)
    assert program.slopes({"x": -2.0}, {"x": np.ones(1)}, 1)[:3, 0] == pytest.approx([-1.0, 0.0, -4.0])
    assert program.slopes({"x": 0.0}, {"x": np.ones(1)}, 1)[3, 0] == -0.5
    t = np.tanh(0.7)
    assert program.slopes({"x": 0.7}, {"x": np.ones(1)}, 1)[4, 0] == pytest.approx(2.5 * t**1.5 * (1 - t * t))


def abs_of(x):
    from iontide.symbolic.expression import absolute

    return absolute(x)


@pytest.mark.parametrize("x", [0.0, 1e-9, -0.05, 0.31, -0.32, 1.0, -4.0, 20.0, -300.0])
def test_curvature_of_the_bernoulli_function(x):
    """Even; and by its own differential equation x B'' = −B − x B' − 2 B B' − …, tested by Richardson differences."""
    assert bernoulli_curvature_value(x) == bernoulli_curvature_value(-x)
    h = 1e-3
    near = [bernoulli_slope_value(x + c * h) for c in (-2, -1, 1, 2)]
    found = ((near[0] - near[3]) + 8.0 * (near[2] - near[1])) / (12.0 * h)
    assert bernoulli_curvature_value(x) == pytest.approx(found, rel=1e-9, abs=1e-12)
