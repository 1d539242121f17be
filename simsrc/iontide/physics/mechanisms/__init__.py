"""Rate laws. Each is one small pure function with its formula, its source and its units.

A law gets the two *sides* of a membrane and its arguments and returns the rate of its cycle, mol m⁻² s⁻¹,
positive outward; what a cycle carries is the pathway's stoichiometry. Laws are called with expressions to build the
equations, and with arrays to recompute fluxes; so they use operators and the functions of
``iontide.symbolic.expression``. To add one: write the function, enter it in ``LAWS`` below and in
``scenario/library/laws.py``, and test it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...symbolic.expression import Number
from .atp_cycles import atpase_reversible, na_k_atpase_reversible
from .carriers import glut
from .coupled import linear_force, log_ratio, mass_action, nkcc1_sigmoidal, saturating
from .formula import formula_rate
from .ghk import ghk_efflux_and_influx, ghk_flux
from .ohmic import ohmic_flux
from .pumps import (
    na_k_atpase_constant,
    na_k_atpase_cubic,
    na_k_atpase_hill,
    na_k_atpase_linear,
    na_k_atpase_power,
    na_k_atpase_sigmoidal,
    single_ion_hill,
)
from .sides import Sides, sides_of

__all__ = ["LAWS", "UNIDIRECTIONAL", "Sides", "sides_of"]

#: Rate law by name: ``law(sides, moves, arguments) -> cycles``.
LAWS: Mapping[str, Callable[[Sides, Mapping[str, int], Mapping[str, Number]], Number]] = {
    "ghk": ghk_flux,
    "ohmic": ohmic_flux,
    "na_k_atpase_constant": na_k_atpase_constant,
    "na_k_atpase_linear": na_k_atpase_linear,
    "na_k_atpase_power": na_k_atpase_power,
    "na_k_atpase_cubic": na_k_atpase_cubic,
    "na_k_atpase_hill": na_k_atpase_hill,
    "na_k_atpase_sigmoidal": na_k_atpase_sigmoidal,
    "na_k_atpase_reversible": na_k_atpase_reversible,
    "h_atpase": single_ion_hill,
    "pmca": single_ion_hill,
    "serca": single_ion_hill,
    "atpase_reversible": atpase_reversible,
    "mass_action": mass_action,
    "saturating": saturating,
    "linear_force": linear_force,
    "log_ratio": log_ratio,
    "nkcc1_sigmoidal": nkcc1_sigmoidal,
    "glut": glut,
    "formula": formula_rate,
}

#: Laws that know both one-way fluxes: ``law(sides, moves, arguments) -> (efflux, influx)``.
UNIDIRECTIONAL: Mapping[str, Callable[[Sides, Mapping[str, int], Mapping[str, Number]], tuple[Number, Number]]] = {
    "ghk": ghk_efflux_and_influx,
}
