"""The axes of a sweep held against the scenario that it varies: do the paths lead somewhere, do the values fit there?

What ``--set`` would say is asked by loading: the scenario with the values of some points of the plan, so chosen that
every axis comes to both of its ends and every word is met once.
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
from .designs import Drawn, Listed, Together

#: Shares of a distribution that a cut may leave, at least: beyond, its tail has too few digits.
_LEAST_LEFT = 1e-9


def resolve_axes(forms: tuple[AxisForm, ...], scenario: Scenario, faults: Faults, design: str) -> tuple[Axis, ...]:
    """Axes with their numbers in SI; those with a fault, which goes to ``faults``, are left out."""
    found = []
    for form in forms:
        place = place_of(form.path, design)
        axis = _axis(form, scenario, place, faults)
        if axis is None:
            continue
        if axis.within and axis.share_within() < _LEAST_LEFT:
            told = f"cuts off all but {axis.share_within():.2g} of this distribution; choose one that lies within"
            faults.add((*place, "within"), told)
            continue
        try:
            parse_quantity(written(axis.middle, axis.dimension))
        except UnitError:
            if not axis.words:
                faults.add(place, f"is measured in {axis.dimension}, in which no value can be written")
                continue
        found.append(axis)
    return tuple(found)


def place_of(path: str, design: str) -> KeyPath:
    """Where the file says what a path is varied over."""
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
    words = tuple(dict.fromkeys(texts))
    return Axis(form.path, "", words, "values", tuple(float(words.index(text)) for text in texts))


def _is_whole(path: str) -> bool:
    """Whether a whole number stands at the path."""
    keys = [int(word) if word.isdecimal() and len(word) < 9 else word for word in path.split(".")]
    return int in schema_lookup.alternatives(schema_lookup.at(keys))


def _factors(form: AxisForm, scenario: Scenario, place: KeyPath, faults: Faults) -> Axis | None:
    """An axis that is told by factors of the scenario's own value."""
    model = scenario.model
    own, dimension = model.values().get(form.path), _dimension(form.path, scenario)
    if own is None or dimension is None:
        told = "the scenario has no one value here that factors could multiply; give values with their units"
        faults.add((*place, "times"), told)
        return None
    if own == 0.0 or (own < 0.0 and form.rule.startswith("log")):
        told = f"the scenario's own value is {written(own, dimension)}, of which there are no such multiples"
        faults.add((*place, "times"), told)
        return None
    unit = "" if dimension.is_dimensionless else lab_unit(dimension)
    first, *rest = form.numbers
    numbers = [own * first, *(own * number for number in rest)]
    if form.rule == "log_normal":
        numbers[1] = form.numbers[1]  # a factor already
    elif form.rule == "normal":
        numbers[1] = abs(numbers[1])
    elif form.rule == "uniform":
        numbers.sort()
    ends = form.within and tuple(sorted(own * end for end in form.within))
    axis = Axis(form.path, unit, (), form.rule, tuple(numbers), dimension, form.points)
    return replace(axis, within=(ends[0], ends[1])) if ends else axis


def _dimension(path: str, scenario: Scenario) -> Dimension | None:
    """What the number at a path is measured in, where the model or the schema says so."""
    parameter = scenario.model.parameters.get(path.removeprefix("parameters."))
    if path.startswith("parameters.") and parameter is not None:
        return parameter.dimension
    choices = schema_lookup.alternatives(schema_lookup.at(path.split(".")))
    return next((choice.dimension for choice in choices if isinstance(choice, Kind)), None)


def settings_of(axes: tuple[Axis, ...], point: NDArray) -> dict[str, str]:
    """What to set for one point, by path, as ``--set`` takes it."""
    return {axis.path: axis.setting(float(value)) for axis, value in zip(axes, point, strict=True)}


def scenario_at(scenario: Scenario, settings: Mapping[str, Any]) -> Scenario:
    """The scenario with other values.

    Raises
    ------
    ScenarioError, UsageError
        As ``--set`` would.
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
    """Load the scenario at points where axes come to their ends; what is wrong there is told at the axis."""
    seen: set[bytes] = set()
    for number, point in _probes(axes, design):
        if point.tobytes() in seen or excluded(constraints, point[np.newaxis])[0]:
            continue
        seen.add(point.tobytes())
        try:
            scenario_at(scenario, settings_of(axes, point))
        except UsageError as error:
            for told in str(error).splitlines():
                path, _, message = told.removeprefix("--set ").partition(": ")
                faults.add(place_of(path, name), message)
        except ScenarioError as error:
            _tell(error, axes, number, point, faults, name)


def _tell(error: ScenarioError, axes: tuple[Axis, ...], number: int, point: NDArray, faults: Faults, name: str) -> None:
    """Faults of the scenario at a point, each at the axis that stands at its place, or else at the one at its end."""
    for fault in error.faults:
        message = fault.message.removesuffix(" (given with --set)")
        own = next((k for k, axis in enumerate(axes) if fault.path == axis.path), None)
        if own is not None:
            place = _place_of_value(axes[own], float(point[own]), name)
            faults.add(place, message)
        else:
            at = axes[number].spoken(float(point[number]))
            faults.add(place_of(axes[number].path, name), f"at {at}: {fault.path}: {message}")


def _place_of_value(axis: Axis, value: float, name: str) -> KeyPath:
    """Where in the file a value stands, as near as can be told."""
    place = place_of(axis.path, name)
    if axis.rule != "values":
        return place
    number = axis.numbers.index(value) if value in axis.numbers else 0
    return ("sweep", "rows", number, axis.path) if name == "list" else (*place, number)


def _probes(axes: tuple[Axis, ...], design: Listed | Drawn) -> Iterator[tuple[int, NDArray]]:
    """Points to be looked at, each with the axis for whose sake."""
    middles = np.array([axis.middle for axis in axes])
    if not isinstance(design, Together):
        for number, axis in enumerate(axes):
            for value in range(len(axis.words)) if axis.words else axis.ends:
                point = middles.copy()
                point[number] = value
                yield number, point
        return
    for number, axis in enumerate(axes):
        levels = axis.levels
        rows = np.unique(levels, return_index=True)[1] if axis.words else [np.argmin(levels), np.argmax(levels)]
        for row in rows:
            yield number, np.array([other.levels[row] for other in axes])


def reference_of(axes: tuple[Axis, ...], design: Listed | Drawn, scenario: Scenario) -> Scenario:
    """The scenario with every axis at a value that the file tells.

    What a plan varies is so replaced: its own value in the scenario has no part in any result. Where there is no such
    scenario, as where a constraint forbids that point, it is the scenario itself.
    """
    middle = np.array([axis.middle for axis in axes])
    if isinstance(design, Together):
        middle = np.array([axis.levels[design.size // 2] for axis in axes])
    try:
        return scenario_at(scenario, settings_of(axes, middle))
    except IontideError:
        return scenario
