"""A model with other values of some quantities: the model of one point of a sweep."""

from __future__ import annotations

from collections.abc import Mapping

from ...model.fields import with_changed
from ...model.model import Model, Quantity


def with_values(model: Model, values: Mapping[str, Quantity]) -> Model:
    """The model with other quantities at some of the paths of ``Model.quantities``.

    Raises
    ------
    KeyError
        For a path that the model does not have.
    """
    used: set[str] = set()

    def change(path: str, quantity: Quantity) -> Quantity:
        if path in values:
            used.add(path)
            return values[path]
        return quantity

    changed = with_changed(model, change)
    if len(used) < len(values):
        raise KeyError(", ".join(sorted(values.keys() - used)))
    return changed
