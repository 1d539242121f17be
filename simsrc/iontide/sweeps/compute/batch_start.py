"""Many points of one model as arrays: what the integrator over lanes starts from.

All points are made at once by array arithmetic. Where a ramp depends on what varies, or a potential floats, each is
prepared like a model of its own, a millisecond each.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...equations.initial_state import complete_values, initial_state
from ...errors import IontideError
from ...formulas.formula import Formula
from ...model.model import Model, dependency_order
from ...model.schedule import segments_of, values_of
from ...simulation.prepare import Preparation, absolute_tolerances, prepare
from ...symbolic.expression import FUNCTIONS
from .model_variants import with_values


class Watched(Mapping[str, float]):
    """A mapping that remembers which of its keys were asked for."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values, self.asked = values, set[str]()

    def __getitem__(self, key: str) -> float:
        self.asked.add(key)
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values


@dataclass(frozen=True)
class Members:
    """Points of a population, those without a start left out.

    Attributes
    ----------
    rows : int array, shape (p,)
        Which of the points that were asked for are here.
    constants, mass : array, shape (p, segments, …)
    lengths : array, shape (p, segments)
    absolute, start : array, shape (p, n)
    values : sequence of mappings, one a segment
        By path: a number where it is the same for all, else an array of shape (p,).
    impermeants : mapping of (compartment, impermeant) to array or float
        Amounts, mol.
    faults : mapping of int to str
        By row: why a point has no start.
    """

    rows: NDArray
    constants: NDArray
    mass: NDArray
    lengths: NDArray
    absolute: NDArray
    start: NDArray
    values: Sequence[Mapping[str, Any]]
    impermeants: Mapping[tuple[str, str], Any]
    faults: Mapping[int, str]


class Population:
    """The points of one model, in which the quantities at ``paths`` vary.

    Raises
    ------
    ScenarioError
        The model itself has no initial state.
    """

    def __init__(self, model: Model, paths: Sequence[str]) -> None:
        self.model, self.paths = model, tuple(paths)
        self.prepared: Preparation = prepare(model)
        self._settled = values_of(model, segments_of(model))

    def members(self, points: NDArray) -> Members:
        """The points with these values (SI), shape (points, paths)."""
        every = np.arange(len(points))
        if self._protocol_varies or (not self._starts_are_one and self.prepared.layout.floats):
            return self._one_by_one(points, every)
        with np.errstate(all="ignore"):
            try:
                found, sound = self._all_at_once(points)
            except (IontideError, ValueError, ArithmeticError):
                return self._one_by_one(points, every)
            if sound.all():
                return found
            # What has no start is told of as a model of its own would be; the others are made once more, without it.
            faults = self._one_by_one(points, every[~sound]).faults
            found, _ = self._all_at_once(points[sound])
        return replace(found, rows=every[sound], faults=faults)

    # -- all at once --------------------------------------------------------------------------------------------------

    @cached_property
    def _touched(self) -> frozenset[str]:
        """Parameters that vary, or are made of such."""
        named = {path.removeprefix("parameters.") for path in self.paths if path.startswith("parameters.")}
        return self.model.made_of(named)

    @cached_property
    def _protocol_varies(self) -> bool:
        """Whether what is ramped, or made of time, may depend on what varies."""
        model = self.model
        slopes = any(s.slopes for s in self.prepared.segments)
        return bool(model.ramped & self._touched) or slopes

    @cached_property
    def _starts_are_one(self) -> bool:
        """Whether neither the initial state nor the tolerances depend on what varies."""
        model, prepared = self.model, self.prepared
        paths = {path for path, q in model.quantities() if isinstance(q, Formula) and q.names & self._touched}
        paths |= set(self.paths) | {f"parameters.{name}" for name in self._touched}
        watched = Watched(values_of(model, segments_of(model)[:1])[0])
        initial_state(model, prepared.layout, watched)
        complete = Watched(prepared.values[0])
        absolute_tolerances(model, prepared.layout, complete, prepared.initial)
        return not (watched.asked | complete.asked) & paths

    def _varied(self, settings: Mapping[str, Any], points: NDArray) -> dict[str, NDArray]:
        """Every settled quantity that varies, by path, in a segment with these settings."""
        model = self.model
        columns = dict(zip(self.paths, points.T, strict=True))
        chosen = {name: p.value for name, p in model.parameters.items()} | dict(settings)
        fixed = model.parameter_values(settings)
        known: dict[str, Any] = dict(fixed)
        varying: set[str] = set()
        for name in dependency_order(chosen):
            path, q = f"parameters.{name}", chosen[name]
            if name not in fixed:
                continue
            if path in columns and name not in settings:
                known[name] = columns[path]
            elif isinstance(q, Formula) and q.names & varying:
                known[name] = _column(q, known, len(points))
            else:
                continue
            varying.add(name)
        found = {f"parameters.{name}": known[name] for name in varying}
        for path, quantity in model.settled_quantities():
            if path in columns:
                if not path.startswith("parameters."):
                    found[path] = columns[path]
            elif isinstance(quantity, Formula) and quantity.names & varying and not path.startswith("parameters."):
                found[path] = _column(quantity, known, len(points))
        return found

    def _all_at_once(self, points: NDArray) -> tuple[Members, NDArray]:
        """Every point, and which of them have a start and finite values."""
        model, prepared, count = self.model, self.prepared, len(points)
        assert prepared.problem is not None
        assert prepared.program is not None
        varied = [self._varied(segment.settings, points) for segment in prepared.segments]
        values: list[Mapping[str, Any]] = [
            ChainMap(cast("dict[str, Any]", own), cast("dict[str, Any]", base))
            for own, base in zip(varied, self._settled, strict=True)
        ]
        initial = prepared.initial
        if not self._starts_are_one:
            initial = initial_state(model, prepared.layout, values[0], count)
        complete = complete_values(model, prepared.segments, values[0], values, initial)
        absolute = prepared.problem.absolute
        if not self._starts_are_one:
            absolute = absolute_tolerances(model, prepared.layout, complete[0], initial)
        constants, mass = [], []
        for own in complete:
            k, m = prepared.program.prepare_columns([own[path] for path in prepared.program.inputs], count)
            constants.append(k)
            mass.append(m)
        n = len(prepared.initial.y)
        start = np.broadcast_to(initial.y, (count, n))
        sound = np.isfinite(start).all(axis=1)
        made: list[Any] = [column for columns in varied for column in columns.values()]
        for column in (*made, *initial.impermeant_amounts.values()):
            sound &= np.asarray(np.isfinite(column))
        found = Members(
            rows=np.arange(count),
            constants=np.stack(constants, axis=1),
            mass=np.stack(mass, axis=1),
            lengths=np.broadcast_to(prepared.problem.lengths, (count, len(prepared.problem.lengths))),
            absolute=np.broadcast_to(absolute, (count, n)),
            start=start,
            values=complete,
            impermeants=initial.impermeant_amounts,
            faults={},
        )
        return found, sound

    # -- one by one ---------------------------------------------------------------------------------------------------

    def variant(self, point: NDArray) -> Model:
        """The model of one point."""
        return with_values(self.model, dict(zip(self.paths, map(float, point), strict=True)))

    def _one_by_one(self, points: NDArray, rows: Sequence[int] | NDArray) -> Members:
        found: list[Preparation] = []
        kept: list[int] = []
        faults: dict[int, str] = {}
        for row in rows:
            try:
                found.append(prepare(self.variant(points[row])))
                kept.append(int(row))
            except (IontideError, ValueError) as error:
                faults[int(row)] = " ".join(str(error).split())
        everyone = found or [self.prepared]
        problems = [p.problem for p in everyone if p.problem is not None]
        lengths, absolute, start = (np.stack(arrays) for arrays in zip(*map(_same_for_all, everyone), strict=True))
        there = slice(0, len(found))
        return Members(
            rows=np.array(kept, dtype=int),
            constants=np.stack([p.constants for p in problems])[there],
            mass=np.stack([p.mass for p in problems])[there],
            lengths=lengths[there],
            absolute=absolute[there],
            start=start[there],
            values=[Gathered([p.values[s] for p in found]) for s in range(len(self.prepared.segments))],
            impermeants={
                key: np.array([p.initial.impermeant_amounts[key] for p in found])
                for key in self.prepared.initial.impermeant_amounts
            },
            faults=faults,
        )


def _same_for_all(prepared: Preparation) -> tuple[NDArray, NDArray, NDArray]:
    """Lengths of the segments, tolerances and start."""
    assert prepared.problem is not None
    return prepared.problem.lengths, prepared.problem.absolute, prepared.initial.y


def _column(formula: Formula, known: Mapping[str, Any], count: int) -> NDArray:
    value = formula.evaluate(known.__getitem__, FUNCTIONS)
    return np.broadcast_to(np.asarray(value, dtype=float), (count,))


class Gathered(Mapping[str, NDArray]):
    """The values of many points in one segment: an array for each path."""

    def __init__(self, values: Sequence[Mapping[str, float]]) -> None:
        self._values = values

    def __getitem__(self, path: str) -> NDArray:
        return np.array([own[path] for own in self._values], dtype=float)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values[0])

    def __len__(self) -> int:
        return len(self._values[0])
