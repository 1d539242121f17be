"""Checks of the axes of a sweep against its scenario: whether the paths exist and the values are valid there.

The scenario is loaded with the values of some points of the plan, chosen so that both ends of every axis and every
category occur.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import IontideError, ScenarioError, UsageError
from ...formulas.units import Dimension, UnitError, lab_unit, parse_quantity
from ...scenario.read import Scenario, loads
from ...scenario.schema import schema_lookup
from ...scenario.schema.quantity_kinds import Kind
from ...scenario.sweeps.axis import AxisForm
from ...scenario.text.faults import Faults
from ...scenario.text.key_lines import KeyPath
from .axes import Axis, written
from .constraints import Constraint, excluded
from .designs import Drawn, Listed, Zipped

#: Least share of a distribution that a truncation may leave: in a smaller tail, values have too few digits.
_LEAST_LEFT = 1e-9


def resolve_axes(forms: tuple[AxisForm, ...], scenario: Scenario, faults: Faults, design: str) -> tuple[Axis, ...]:
    """Axes with their numbers in SI; faults are added to ``faults``, and their axes left out."""
    found = []
    for form in forms:
        place = place_of(form.path, design)
        axis = _axis(form, scenario, place, faults)
        if axis is None:
            continue
        if axis.within and axis.share_within() < _LEAST_LEFT:
            message = f"leaves only {axis.share_within():.2g} of this distribution; choose one inside these limits"
            faults.add((*place, "within"), message)
            continue
        try:
            parse_quantity(written(axis.middle, axis.dimension))
        except UnitError:
            if not axis.categories:
                faults.add(place, f"has the dimension {axis.dimension}, for which no value can be written")
                continue
        found.append(axis)
    return tuple(found)


def place_of(path: str, design: str) -> KeyPath:
    """The place in the file that defines the axis of a path."""
    return ("sweep", "rows", 0, path) if design == "list" else ("sweep", "vary", path)


def _axis(form: AxisForm, scenario: Scenario, place: KeyPath, faults: Faults) -> Axis | None:
    whole = _is_whole(form.path)
    if whole and form.rule != "values":
        faults.add(place, "is a whole number; give a list of values")
        return None
    if form.is_factor:
        return _factors(form, scenario, place, faults)
    if form.numbers and not whole:
        return Axis(form.path, form.unit, (), form.rule, form.numbers, form.dimension, form.points, form.within)
    texts = [str(value) for value in form.written]
    categories = tuple(dict.fromkeys(texts))
    return Axis(form.path, "", categories, "values", tuple(float(categories.index(text)) for text in texts))


def _is_whole(path: str) -> bool:
    """Whether the value at the path is a whole number."""
    keys = [int(key) if key.isdecimal() and len(key) < 9 else key for key in path.split(".")]
    return int in schema_lookup.alternatives(schema_lookup.at(keys))


def _factors(form: AxisForm, scenario: Scenario, place: KeyPath, faults: Faults) -> Axis | None:
    """An axis given by factors of the value in the scenario."""
    model = scenario.model
    value, dimension = model.values().get(form.path), _dimension(form.path, scenario)
    if value is None or dimension is None:
        message = "the scenario has no single value here that factors could multiply; give values with their units"
        faults.add((*place, "times"), message)
        return None
    if value == 0.0 or (value < 0.0 and form.rule.startswith("log")):
        message = f"the value in the scenario is {written(value, dimension)}, which has no such multiples"
        faults.add((*place, "times"), message)
        return None
    unit = "" if dimension.is_dimensionless else lab_unit(dimension)
    first, *rest = form.numbers
    numbers = [value * first, *(value * number for number in rest)]
    if form.rule == "log_normal":
        numbers[1] = form.numbers[1]  # a factor already
    elif form.rule == "normal":
        numbers[1] = abs(numbers[1])
    elif form.rule == "uniform":
        numbers.sort()
    ends = form.within and tuple(sorted(value * end for end in form.within))
    axis = Axis(form.path, unit, (), form.rule, tuple(numbers), dimension, form.points)
    return replace(axis, within=(ends[0], ends[1])) if ends else axis


def _dimension(path: str, scenario: Scenario) -> Dimension | None:
    """The dimension of the number at a path, if the model or the schema gives one."""
    parameter = scenario.model.parameters.get(path.removeprefix("parameters."))
    if path.startswith("parameters.") and parameter is not None:
        return parameter.dimension
    choices = schema_lookup.alternatives(schema_lookup.at(path.split(".")))
    return next((choice.dimension for choice in choices if isinstance(choice, Kind)), None)


def settings_of(axes: tuple[Axis, ...], point: NDArray) -> dict[str, str]:
    """The settings of one point by path, as for ``--set``."""
    return {axis.path: axis.setting(float(value)) for axis, value in zip(axes, point, strict=True)}


def scenario_at(scenario: Scenario, settings: Mapping[str, Any]) -> Scenario:
    """The scenario with other values.

    Raises
    ------
    ScenarioError, UsageError
        As for ``--set``.
    """
    return loads(scenario.text, scenario.source, {**scenario.overrides, **settings})


def check_values(
    axes: tuple[Axis, ...],
    design: Listed | Drawn,
    constraints: tuple[Constraint, ...],
    scenario: Scenario,
    faults: Faults,
    name: str,
) -> None:
    """Load the scenario at the ends of the axes; faults there are reported at the axis."""
    seen: set[bytes] = set()
    for number, point in _probes(axes, design):
        if point.tobytes() in seen or excluded(constraints, point[np.newaxis])[0]:
            continue
        seen.add(point.tobytes())
        try:
            scenario_at(scenario, settings_of(axes, point))
        except UsageError as error:
            for line in str(error).splitlines():
                path, _, message = line.removeprefix("--set ").partition(": ")
                faults.add(place_of(path, name), message)
        except ScenarioError as error:
            _report(error, axes, number, point, faults, name)


def _report(
    error: ScenarioError, axes: tuple[Axis, ...], number: int, point: NDArray, faults: Faults, name: str
) -> None:
    """Report each fault of the scenario at a point at the axis of its path, or else at the axis that is at its end."""
    for fault in error.faults:
        message = fault.message.removesuffix(" (given with --set)")
        faulty = next((k for k, axis in enumerate(axes) if fault.path == axis.path), None)
        if faulty is not None:
            place = _place_of_value(axes[faulty], float(point[faulty]), name)
            faults.add(place, message)
        else:
            at = axes[number].shown(float(point[number]))
            faults.add(place_of(axes[number].path, name), f"at {at}: {fault.path}: {message}")


def _place_of_value(axis: Axis, value: float, name: str) -> KeyPath:
    """The place of a value in the file, as exactly as known."""
    place = place_of(axis.path, name)
    if axis.rule != "values":
        return place
    number = axis.numbers.index(value) if value in axis.numbers else 0
    return ("sweep", "rows", number, axis.path) if name == "list" else (*place, number)


def _probes(axes: tuple[Axis, ...], design: Listed | Drawn) -> Iterator[tuple[int, NDArray]]:
    """Points to check, each with the number of the axis that it checks."""
    middles = np.array([axis.middle for axis in axes])
    if not isinstance(design, Zipped):
        for number, axis in enumerate(axes):
            for value in range(len(axis.categories)) if axis.categories else axis.ends:
                point = middles.copy()
                point[number] = value
                yield number, point
        return
    for number, axis in enumerate(axes):
        levels = axis.levels
        rows = np.unique(levels, return_index=True)[1] if axis.categories else [np.argmin(levels), np.argmax(levels)]
        for row in rows:
            yield number, np.array([other.levels[row] for other in axes])


def reference_of(axes: tuple[Axis, ...], design: Listed | Drawn, scenario: Scenario) -> Scenario:
    """The scenario with every axis at a value of the plan.

    The values of varied quantities in the scenario are so replaced, for they affect no result. If the scenario cannot
    be loaded with these values, it is the scenario itself.
    """
    middle = np.array([axis.middle for axis in axes])
    if isinstance(design, Zipped):
        middle = np.array([axis.levels[design.size // 2] for axis in axes])
    try:
        return scenario_at(scenario, settings_of(axes, middle))
    except IontideError:
        return scenario
