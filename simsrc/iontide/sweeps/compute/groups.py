"""Which points of a plan share a model: axes that vary one number of it, and axes that need another model.

A path whose value is one number of the resolved model (a permeability, a pump rate, a bath) varies that number alone:
all its points share a program and are integrated in one batch. For any other path that ``--set`` takes (an activity
model, a tolerance, a duration, what a ``repeat`` fills in) each value needs a scenario of its own.
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
from .batch_inputs import ModelBatch
from .model_variants import with_values

#: Models that are cached at a time.
_MOST_CACHED = 64


@dataclass(frozen=True)
class Group:
    """Points of one model.

    Attributes
    ----------
    rows : int array, shape (p,)
    points : array, shape (p, paths)
        Values of the varying quantities, SI.
    batch_model : ModelBatch or None
        None where the model cannot be made.
    fault : str
        Why it cannot be made.
    """

    rows: NDArray
    points: NDArray
    batch_model: ModelBatch | None
    fault: str = ""


class ModelGroups:
    """The models of one plan, and which points belong to each.

    Attributes
    ----------
    base : Model
        That of the scenario itself.
    layout : Layout
        Of its states.
    """

    def __init__(self, plan: Any) -> None:
        self._plan = plan
        self._scenario: Scenario = plan.scenario
        self.base: Model = plan.scenario.model
        self.layout = prepare(self.base).layout
        paths = [self._number_path(k) for k in range(len(plan.axes))]
        self._numbers = [k for k, path in enumerate(paths) if path is not None]
        self._paths = [path for path in paths if path is not None]
        self._others = [k for k, path in enumerate(paths) if path is None]
        self._batches: dict[tuple[str, ...], ModelBatch | str] = {}

    def groups(self, values: NDArray, rows: NDArray) -> Iterator[Group]:
        """The points of these rows by model, in the order in which the models come first."""
        settings = [tuple(self._text(k, values[row, k]) for k in self._others) for row in rows] if self._others else []
        for key in list(dict.fromkeys(settings)) or [()]:
            members = rows[[i for i, other in enumerate(settings) if other == key]] if settings else rows
            if not len(members):
                continue
            batch = self._batch_model(key)
            points = values[members][:, self._numbers]
            if isinstance(batch, ModelBatch):
                yield Group(members, points, batch)
            else:
                yield Group(members, points, None, batch)

    def _batch_model(self, key: tuple[str, ...]) -> ModelBatch | str:
        if key not in self._batches:
            while len(self._batches) >= _MOST_CACHED:
                self._batches.pop(next(iter(self._batches)))
            try:
                paths = [self._plan.axes[k].path for k in self._others]
                model = self._with(dict(zip(paths, key, strict=True))).model if key else self.base
                self._batches[key] = ModelBatch(model, self._paths)
            except (IontideError, ValueError) as error:
                self._batches[key] = " ".join(str(error).split())
        return self._batches[key]

    def _with(self, overrides: dict[str, Any]) -> Scenario:
        scenario = self._scenario
        return loads(scenario.text, scenario.source, {**scenario.overrides, **overrides})

    def _text(self, axis: int, value: float) -> str:
        """A value of an axis as it is written in a scenario file."""
        return self._plan.axes[axis].setting(value)

    def _number_path(self, axis: int) -> str | None:
        """The path of the one number of the model that an axis varies; None where it varies anything else."""
        varied = self._plan.axes[axis]
        if varied.categories:
            return None
        base = dict(self.base.quantities())
        ends = self._plan.values(0, min(self._plan.size, 2))[:, axis].tolist()
        ends += self._plan.values(self._plan.size - 1, self._plan.size)[:, axis].tolist()
        for value in ends:
            try:
                model = self._with({varied.path: self._text(axis, value)}).model
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
        return varied.path if varied.path in base else None
