"""A model along one of its parameters, or along one of the totals that its equations conserve, as systems."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...formulas.formula import Formula
from ...model.model import Model
from ...simulation.prepare import prepare
from ..parameter_derivatives import path_of
from ..steady import ConservedTotal
from ..steady_sensitivity import conserves_throughout
from ..steady_system import System, system_of


@dataclass(frozen=True)
class Member:
    """The system at one value.

    Attributes
    ----------
    value : float
        SI.
    system : System
    totals : array, shape (totals,)
        ``N M y`` as it is to be.
    """

    value: float
    system: System
    totals: NDArray

    def residual(self, y: NDArray) -> tuple[NDArray, NDArray]:
        """f over the active states, and how far the totals are off."""
        system = self.system
        return system.rates(y)[0], system.conserved @ (system.active_mass @ y[system.active]) - self.totals


class Family:
    """A model along a parameter, with the conserved totals of the start at each value; or along one of these totals.

    Parameters
    ----------
    model : Model
    along : str
        A parameter by name, or ``total:WHAT`` with the ``what`` of one of ``SteadyState.conserved`` (or as much of its
        beginning as distinguishes it from the others).
    conserved : tuple of ConservedTotal
        Of the steady state that is followed.
    y : array, shape (n,)
        That state; totals that do not follow from the start alone are those of this state.
    is_given : bool
        Whether the totals are those of ``y`` in any case: it was reached from a start that was given.
    """

    def __init__(
        self, model: Model, along: str, conserved: tuple[ConservedTotal, ...], y: NDArray, is_given: bool = False
    ) -> None:
        self.model = model
        base = system_of(model, prepare(model))
        if base is None:
            raise UsageError("the model has no state that could be followed")
        self.base = base
        self._totals = base.conserved @ (base.active_mass @ y[base.active])
        self.total: int | None = None
        self.name, self._follows = along, False
        if along.startswith("total:"):
            self.total = _total_of(along.removeprefix("total:").strip(), conserved)
            self.name = f"total:{conserved[self.total].what}"
            self.value = conserved[self.total].value
            return
        path = path_of(model, along.removeprefix("parameters."))
        self.name = path.removeprefix("parameters.")
        if self.name not in model.parameters:
            raise UsageError(f"only parameters and totals can be followed, and {along} is neither: give it a name")
        if isinstance(model.parameters[self.name].value, Formula):
            raise UsageError(f"{self.name} is a formula over other parameters: follow one of these")
        if self.name in prepare(model).segments[-1].settings:
            raise UsageError(f"the protocol sets {self.name} until its end: another value would change nothing")
        self.value = float(prepare(model).values[-1][path])
        self._follows = not is_given and conserves_throughout(base)

    def at(self, value: float) -> Member:
        """The system at a value, SI.

        Raises
        ------
        ScenarioError, FormulaError
            The model is not defined there.
        """
        if self.total is not None:
            row = self.base.conserved[self.total] @ self.base.active_mass
            totals = self._totals.copy()
            totals[self.total] = value * np.abs(row).max()
            return Member(value, self.base, totals)
        parameter = self.model.parameters[self.name]
        model = replace(self.model, parameters={**self.model.parameters, self.name: replace(parameter, value=value)})
        prepared = prepare(model)
        system = system_of(model, prepared)
        assert system is not None
        # What is conserved depends on structure alone; to derive it again at every value would only cost time.
        system.__dict__["conserved"] = self.base.conserved
        totals = self._totals
        if self._follows:
            assert prepared.program is not None
            assert prepared.problem is not None
            first = prepared.program.mass_matrix(prepared.problem.mass[0])
            totals = system.conserved @ (first @ prepared.initial.y)[system.active]
        return Member(value, system, totals)


def _total_of(what: str, conserved: tuple[ConservedTotal, ...]) -> int:
    matches = [k for k, total in enumerate(conserved) if total.what == what]
    matches = matches or [k for k, total in enumerate(conserved) if total.what.split(" in ")[0] == what]
    matches = matches or [k for k, total in enumerate(conserved) if total.what.startswith(what)]
    if len(matches) != 1:
        known = "; ".join(total.what for total in conserved) or "nothing"
        raise UsageError(f"total:{what} names {'several' if matches else 'none'} of the conserved totals: {known}")
    return matches[0]
