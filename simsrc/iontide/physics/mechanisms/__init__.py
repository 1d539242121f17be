"""Rate laws. Each is one small pure function with its formula, its source and its units.

A law gets the two *sides* of a membrane and its arguments and returns the rate of its cycle, mol m⁻² s⁻¹,
positive outward; what a cycle carries is the pathway's stoichiometry. Laws are called with expressions to build the
equations, and with arrays to recompute fluxes; so they use operators and the functions of
``iontide.symbolic.expression``. To add one: write the function in a
module below, enter it in ``scenario/library/laws.py``, and test it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType

from ...symbolic.expression import Number
from . import atp_cycles, carriers, coupled, formula, ghk, ohmic, pumps
from .sides import Sides, sides_of

__all__ = ["LAWS", "UNIDIRECTIONAL", "Sides", "sides_of"]

#: Laws that know both one-way fluxes: ``law(sides, stoichiometry, arguments) -> (efflux, influx)``.
UNIDIRECTIONAL: Mapping[str, Callable[[Sides, Mapping[str, int], Mapping[str, Number]], tuple[Number, Number]]] = {
    "ghk": ghk.ghk_efflux_and_influx,
}


def _laws_of(module: ModuleType) -> dict[str, Callable[[Sides, Mapping[str, int], Mapping[str, Number]], Number]]:
    """The rate laws of a module: its public functions of ``(sides, stoichiometry, arguments)``."""
    return {
        name: function
        for name, function in vars(module).items()
        if not name.startswith("_")
        and isinstance(function, FunctionType)
        and function.__code__.co_varnames[: function.__code__.co_argcount] == ("sides", "stoichiometry", "arguments")
        and function not in UNIDIRECTIONAL.values()
    }


#: Rate law by name: ``law(sides, stoichiometry, arguments) -> cycles``.
LAWS = {
    name: law
    for module in (ghk, ohmic, pumps, atp_cycles, coupled, carriers, formula)
    for name, law in _laws_of(module).items()
}
