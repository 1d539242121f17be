"""Gates: the squid axon of Hodgkin & Huxley, and P4 of PERFORMANCE.md, against twins written by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from iontide import run
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Compartment,
    Gate,
    Impermeant,
    Injection,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Recording,
    Simulation,
    Species,
)
from tests.support.models import by_name

#: Rates of Hodgkin & Huxley 1952 (rest at -65 mV), s⁻¹, as formulas and (below) by hand in mV and ms.
RATES = {
    "m": ("1000 /s * linexp((V + 40 mV) / 10 mV)", "4000 /s * exp(-(V + 65 mV) / 18 mV)"),
    "h": ("70 /s * exp(-(V + 65 mV) / 20 mV)", "1000 /s / (1 + exp(-(V + 35 mV) / 10 mV))"),
    "n": ("100 /s * linexp((V + 55 mV) / 10 mV)", "125 /s * exp(-(V + 65 mV) / 80 mV)"),
}


def by_hand(v: float) -> dict[str, tuple[float, float]]:
    """alpha and beta in 1/ms at v in mV, as everybody writes them, singular points and all."""
    return {
        "m": (0.1 * (v + 40.0) / -math.expm1(-(v + 40.0) / 10.0), 4.0 * math.exp(-(v + 65.0) / 18.0)),
        "h": (0.07 * math.exp(-(v + 65.0) / 20.0), 1.0 / (1.0 + math.exp(-(v + 35.0) / 10.0))),
        "n": (0.01 * (v + 55.0) / -math.expm1(-(v + 55.0) / 10.0), 0.125 * math.exp(-(v + 65.0) / 80.0)),
    }


def gate(name: str, initial: float | None = None) -> Gate:
    alpha, beta = RATES[name]
    return Gate(name, parse_formula(alpha), parse_formula(beta), initial=initial)


def channel(ion: str, conductance: str, *gates: Gate) -> Pathway:
    return Pathway(f"conductance.{ion}", "ohmic", {ion: 1}, {"": parse_formula(conductance)}, gates=gates)


AREA, VOLUME = 1e-9, 1e-9 / 3e5
T_HH = 279.45
THERMAL = GAS_CONSTANT * T_HH / FARADAY
#: Concentrations whose Nernst potentials are Hodgkin and Huxley's; the leak is carried by a third ion, Cl.
REVERSAL = {"Na": 0.050, "K": -0.077, "Cl": -0.0544}
OUTSIDE = {"Na": 440.0, "K": 20.0, "Cl": 460.0}


def inside_for(reversal: dict[str, float]) -> dict[str, float]:
    return {ion: OUTSIDE[ion] * math.exp((1 if ion == "Cl" else -1) * e / THERMAL) for ion, e in reversal.items()}


def squid(v: float, duration: float, **changes: Any) -> Model:
    """The squid axon with a volume so large that no concentration moves: ``injected`` A/m² step by the protocol."""
    c = inside_for(REVERSAL)
    return Model(
        title="squid axon",
        species=by_name([Species("Na", 1), Species("K", 1), Species("Cl", -1)]),
        compartments=by_name(
            [
                Compartment("axon", "finite", 1.0, c, (Impermeant("A", -1.0 if c["Na"] + c["K"] > c["Cl"] else 1.0),)),
                Compartment("sea", "bath", None, OUTSIDE),
            ]
        ),
        membranes=by_name(
            [
                Membrane(
                    "axolemma",
                    "axon",
                    "sea",
                    AREA,
                    0.01,
                    potential=v,
                    pathways=(
                        channel("Na", "120 mS/cm^2 * m^3 * h", gate("m"), gate("h")),
                        channel("K", "36 mS/cm^2 * n^4", gate("n")),
                        Pathway("conductance.Cl", "ohmic", {"Cl": 1}, {"": 3.0}),
                    ),
                )
            ]
        ),
        simulation=Simulation(duration, 1e-9),
        temperature=T_HH,
        parameters={"current": Parameter("current", 0.0)},
        injections=(Injection("electrode", "axon", None, parse_formula("current")),),
        recording=Recording("linear", 1001),
        **changes,
    )


def twin_squid(current: float) -> Callable[[float, NDArray], list[float]]:
    """mV, ms, µA/cm²."""

    def rhs(_: float, y: NDArray) -> list[float]:
        v, m, h, n = y
        ionic = 120.0 * m**3 * h * (v - 50.0) + 36.0 * n**4 * (v + 77.0) + 0.3 * (v + 54.4)
        rates = by_hand(v)
        gates = [rates[g][0] * (1.0 - x) - rates[g][1] * x for g, x in (("m", m), ("h", h), ("n", n))]
        return [current - ionic, *gates]

    return rhs


def test_gates_start_at_their_steady_values() -> None:
    trajectory = run(squid(-0.065, 1e-4))
    states = dict(zip(trajectory.run.layout.names, trajectory.states[0], strict=True))
    for name, ion in (("m", "Na"), ("h", "Na"), ("n", "K")):
        alpha, beta = by_hand(-65.0)[name]
        assert states[f"gate {name} of {ion} in axolemma"] == pytest.approx(alpha / (alpha + beta), rel=1e-13)
    assert states["gate m of Na in axolemma"] == pytest.approx(0.0529, abs=5e-5)
    assert states["gate h of Na in axolemma"] == pytest.approx(0.596, abs=5e-4)
    assert states["gate n of K in axolemma"] == pytest.approx(0.318, abs=5e-4)


def test_the_squid_axon_fires_as_its_twin_does() -> None:
    # 2 µA/cm² is too little for a spike, 10 µA/cm² fires again and again; both stepped on at 5 ms.
    for density, spikes in ((0.0, 0), (2.0, 0), (10.0, 3)):
        protocol = (ParameterStep(5e-3, None, {"current": density * 0.01 * AREA}),)
        trajectory = run(squid(-0.065, 50e-3, protocol=protocol))
        gates = [a / (a + b) for a, b in (by_hand(-65.0)[g] for g in "mhn")]
        y, found = np.array([-65.0, *gates]), []
        for number, (start, end) in enumerate(((0.0, 5.0), (5.0, 50.0))):
            times = np.clip(1e3 * trajectory.time[trajectory.segment == number], start, end)
            result = scipy.integrate.solve_ivp(
                twin_squid(density if number else 0.0),
                (start, end),
                y,
                "LSODA",
                t_eval=times,
                rtol=1e-11,
                atol=1e-11,
            )
            found.append(result.y.T)
            y = found[-1][-1]
        theirs = np.concatenate(found)
        mine = 1e3 * trajectory.membrane_potential("axolemma")
        # The volume is not infinite, but nearly: concentrations move by 1e-12 of themselves.
        assert np.max(np.abs(mine - theirs[:, 0])) < 1e-3
        index = trajectory.run.layout.gate_index
        columns = [
            trajectory.states[:, index["axolemma", f"conductance.{ion}", g]]
            for ion, g in (("Na", "m"), ("Na", "h"), ("K", "n"))
        ]
        np.testing.assert_allclose(np.array(columns).T, theirs[:, 1:], atol=1e-5)
        crossings = np.count_nonzero((mine[:-1] < 0.0) & (mine[1:] >= 0.0))
        assert crossings == spikes


@pytest.mark.parametrize("v", [-40.0, -55.0, -40.0 + 1e-9, -55.0 - 1e-12])
def test_removable_singularities_are_no_singularities(v: float) -> None:
    # At exactly −40 mV and −55 mV the rates of m and n are 0/0 as they are commonly written: the limits are 1 and 0.1.
    trajectory = run(squid(v * 1e-3, 1e-5))
    at = dict(zip(trajectory.run.layout.names, trajectory.states[0], strict=True))
    if abs(v + 40.0) < 1e-6:
        beta = 4.0 * math.exp(-25.0 / 18.0)
        assert at["gate m of Na in axolemma"] == pytest.approx(1.0 / (1.0 + beta), rel=1e-9)
    else:
        beta = 0.125 * math.exp(-10.0 / 80.0)
        assert at["gate n of K in axolemma"] == pytest.approx(0.1 / (0.1 + beta), rel=1e-9)
    assert trajectory.status == "done"
    assert np.isfinite(trajectory.states).all()
    assert trajectory.statistics.rejected <= 3


def clamp_free(own: Gate, v: float = -0.05, duration: float = 0.02) -> Model:
    """One K channel of negligible conductance with one gate, at a V that stays."""
    model = squid(v, duration)
    membrane = replace(
        model.membranes["axolemma"],
        pathways=(channel("K", "1e-9 S/m^2 * x", own),),
    )
    return replace(model, membranes={"axolemma": membrane})


def test_a_gate_with_a_time_constant_relaxes_exponentially() -> None:
    own = Gate("x", steady=parse_formula("1 / (1 + exp(-(V + 40 mV) / 5 mV))"), time_constant=0.004, initial=0.9)
    for speed in (1.0, 3.0):
        trajectory = run(clamp_free(replace(own, speed=speed)))
        x = trajectory.states[:, trajectory.run.layout.gate_index["axolemma", "conductance.K", "x"]]
        steady = 1.0 / (1.0 + math.exp(2.0))
        np.testing.assert_allclose(x, steady + (0.9 - steady) * np.exp(-speed * trajectory.time / 0.004), rtol=1e-8)


def test_a_steady_value_may_be_made_of_the_rates_and_a_speed_of_the_temperature() -> None:
    own = Gate(
        "x",
        alpha=parse_formula("30 /s"),
        beta=parse_formula("70 /s"),
        steady=parse_formula("alpha / (alpha + beta)"),
        time_constant=parse_formula("1 / (alpha + beta)"),
        speed=parse_formula("3 ^ ((T - 6.3 degC) / 10 K)"),
        initial=0.0,
    )
    trajectory = run(replace(clamp_free(own), temperature=T_HH + 10.0))
    x = trajectory.states[:, trajectory.run.layout.gate_index["axolemma", "conductance.K", "x"]]
    np.testing.assert_allclose(x, 0.3 * -np.expm1(-3.0 * 100.0 * trajectory.time), rtol=1e-8, atol=1e-10)


def test_an_instantaneous_gate_is_no_state_and_follows_the_potential() -> None:
    own = Gate("x", steady=parse_formula("1 / (1 + exp(-(V + 40 mV) / 5 mV))"))
    model = clamp_free(own)
    membrane = replace(model.membranes["axolemma"], pathways=(channel("K", "50 S/m^2 * x", own),))
    trajectory = run(replace(model, membranes={"axolemma": membrane}))
    assert trajectory.run.layout.gates == ()
    v = trajectory.membrane_potential("axolemma")
    x = 1.0 / (1.0 + np.exp(-(v + 0.04) / 0.005))
    current = trajectory.current_density("axolemma", "K")
    np.testing.assert_allclose(current, 50.0 * x * (v - REVERSAL["K"]), rtol=1e-8)
    assert v[-1] < v[0] - 1e-3


def test_a_slow_gate_that_is_made_fast_tends_to_the_instantaneous_one() -> None:
    steady = parse_formula("1 / (1 + exp(-(V + 40 mV) / 5 mV))")
    ends = []
    for tau in (None, 1e-4, 1e-6):
        own = Gate("x", steady=steady, time_constant=tau)
        model = clamp_free(own)
        membrane = replace(model.membranes["axolemma"], pathways=(channel("K", "50 S/m^2 * x", own),))
        ends.append(run(replace(model, membranes={"axolemma": membrane})).membrane_potential("axolemma"))
    assert np.max(np.abs(ends[2] - ends[0])) < 0.02 * np.max(np.abs(ends[1] - ends[0]))
    assert np.max(np.abs(ends[2] - ends[0])) < 1e-5
