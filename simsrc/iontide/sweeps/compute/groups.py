"""From the values of a point to its model: which axes are numbers of one model, and which ask for another one.

A path whose value is one number of the resolved model (a permeability, a pump rate, a bath) varies that number alone:
all its points share a program, and are run side by side. Any other path that ``--set`` takes (an activity model, a
tolerance, a duration, what a ``repeat`` fills in) makes a scenario of its own of each of its values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import IontideError
from ...formulas.formula import Formula
from ...model.model import Model
from ...scenario.read import Scenario, loads
from ...simulation.prepare import prepare
from .batch_start import Population
from .model_variants import with_values

#: Models that are kept at a time.
_MOST_KEPT = 64


@dataclass(frozen=True)
class Group:
    """Points of one model.

    Attributes
    ----------
    rows : int array, shape (p,)
    points : array, shape (p, paths)
        The numbers that vary, SI.
    population : Population or None
        None where there is no such model.
    fault : str
        Why there is none.
    """

    rows: NDArray
    points: NDArray
    population: Population | None
    fault: str = ""


class Structure:
    """The models of one plan.

    Attributes
    ----------
    base : Model
        The scenario's own.
    layout : Layout
        Of its states.
    """

    def __init__(self, plan: Any) -> None:
        self._plan = plan
        self._scenario: Scenario = plan.scenario
        self.base: Model = plan.scenario.model
        self.layout = prepare(self.base).layout
        paths = [self._number_of(k) for k in range(len(plan.axes))]
        self._numbers = [k for k, path in enumerate(paths) if path is not None]
        self._paths = [path for path in paths if path is not None]
        self._others = [k for k, path in enumerate(paths) if path is None]
        self._populations: dict[tuple[str, ...], Population | str] = {}

    def groups(self, values: NDArray, rows: NDArray) -> Iterator[Group]:
        """The points of these rows by model, in the order in which the models come first."""
        spoken = [tuple(self._text(k, values[row, k]) for k in self._others) for row in rows] if self._others else []
        keys = list(dict.fromkeys(spoken)) or [()]
        for key in keys:
            own = rows[[i for i, other in enumerate(spoken) if other == key]] if spoken else rows
            if not len(own):
                continue
            found = self._population(key)
            points = values[own][:, self._numbers]
            if isinstance(found, Population):
                yield Group(own, points, found)
            else:
                yield Group(own, points, None, found)

    def _population(self, key: tuple[str, ...]) -> Population | str:
        if key not in self._populations:
            while len(self._populations) >= _MOST_KEPT:
                self._populations.pop(next(iter(self._populations)))
            try:
                paths = [self._plan.axes[k].path for k in self._others]
                model = self._with(dict(zip(paths, key, strict=True))).model if key else self.base
                self._populations[key] = Population(model, self._paths)
            except (IontideError, ValueError) as error:
                self._populations[key] = " ".join(str(error).split())
        return self._populations[key]

    def _with(self, overrides: dict[str, Any]) -> Scenario:
        own = self._scenario
        return loads(own.text, own.source, {**own.overrides, **overrides})

    def _text(self, axis: int, value: float) -> str:
        """A value of an axis as a scenario file has it."""
        return self._plan.axes[axis].setting(value)

    def _number_of(self, axis: int) -> str | None:
        """The path of the one number of the model that an axis varies; None where it varies more, or something else."""
        own = self._plan.axes[axis]
        if own.words:
            return None
        base = dict(self.base.quantities())
        ends = self._plan.values(0, min(self._plan.size, 2))[:, axis].tolist()
        ends += self._plan.values(self._plan.size - 1, self._plan.size)[:, axis].tolist()
        for value in ends:
            try:
                model = self._with({own.path: self._text(axis, value)}).model
            except (IontideError, ValueError):
                continue
            changed = {path: q for path, q in model.quantities() if path not in base or base[path] != q}
            if not changed:
                continue
            if len(changed) > 1 or set(changed) - set(base):
                return None
            ((path, quantity),) = changed.items()
            if isinstance(quantity, Formula) or not np.isclose(quantity, value, rtol=1e-12, atol=0.0):
                return None
            return path if with_values(self.base, {path: quantity}) == model else None
        return own.path if own.path in base else None
