"""Sides of a membrane for the tests of the rate laws, and random ones; nothing of it through the library's own code."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import assume
from hypothesis import strategies as st

from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.physics.mechanisms import Sides
from iontide.scenario.library.transporters import TRANSPORTERS

VALENCE = {"Na": 1, "K": 1, "H": 1, "Cl": -1, "HCO3": -1, "Ca": 2, "glucose": 0}
T = 310.15
NA_K = {"Na": 3, "K": -2}
KCC, NKCC = TRANSPORTERS["KCC"].stoichiometry, TRANSPORTERS["NKCC"].stoichiometry
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


def driving_force(s, stoichiometry):
    """Σ nu Δmu~, J mol⁻¹, written out once more."""
    return sum(
        n * (R * s.temperature * math.log(s.inside_activity[i] / s.outside_activity[i]) + VALENCE[i] * F * s.potential)
        for i, n in stoichiometry.items()
    )


def arguments_of(law, stoichiometry):
    """A value for every argument, near what a scenario would say."""
    known = {"rate": 2e-6, "conductance": 0.2, "free_energy": -55e3}
    return (
        known | {f"half_saturation.{ion}": 3.0 + 2.0 * i for i, ion in enumerate(stoichiometry)}
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


def at_equilibrium(s, stoichiometry):
    """The same sides with the outside of one ion such that Σ nu Δmu~ = 0."""
    ion, count = next(iter(stoichiometry.items()))
    factor = math.exp(driving_force(s, stoichiometry) / (R * s.temperature * count))
    assume(1e-40 < factor < 1e40)
    outside = {**s.outside, ion: s.outside[ion] * factor}
    return replace(s, outside=outside, outside_activity=outside)
