"""Rate laws. Each is one small pure function with its formula, its source and its units.

A law gets the two *sides* of a membrane and its own arguments and returns the rate of its cycle, mol m⁻² s⁻¹,
positive outward; what a cycle carries is the pathway's stoichiometry. Laws are called with expressions to draw the
equations, and with arrays to recompute fluxes; so they use operators and the functions of ``iontide.expression``.
To add one: write the function, enter it in ``LAWS`` below and in ``scenario/laws.py``, and test it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .ghk import ghk_efflux_and_influx, ghk_flux
from .ohmic import ohmic_flux
from .pumps import na_k_atpase_cubic
from .sides import Sides, sides_of

__all__ = ["LAWS", "UNIDIRECTIONAL", "Sides", "sides_of"]

#: Rate law by name: ``law(sides, moves, arguments) -> cycles``.
LAWS: Mapping[str, Callable[[Sides, Mapping[str, int], Mapping[str, Any]], Any]] = {
    "ghk": ghk_flux,
    "ohmic": ohmic_flux,
    "na_k_atpase_cubic": na_k_atpase_cubic,
}

#: Laws that know both one-way fluxes: ``law(sides, moves, arguments) -> (efflux, influx)``.
UNIDIRECTIONAL: Mapping[str, Callable[[Sides, Mapping[str, int], Mapping[str, Any]], tuple[Any, Any]]] = {
    "ghk": ghk_efflux_and_influx,
}
