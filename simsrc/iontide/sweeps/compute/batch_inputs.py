"""Many points of one model as arrays: initial states, constants and tolerances for the batch integrator.

All points are prepared at once by array arithmetic. Where a ramp depends on a varied quantity, or a potential floats,
each point is prepared as a separate model, which takes about a millisecond.
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


class RecordingMapping(Mapping[str, float]):
    """A mapping that records which of its keys were read."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values, self.read_keys = values, set[str]()

    def __getitem__(self, key: str) -> float:
        self.read_keys.add(key)
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values


@dataclass(frozen=True)
class BatchInputs:
    """Initial values of many points of one model; points that have no initial state are left out.

    Attributes
    ----------
    rows : int array, shape (p,)
        Which of the requested points these are.
    constants, mass : array, shape (p, segments, …)
    lengths : array, shape (p, segments)
    absolute, start : array, shape (p, n)
    values : sequence of mappings, one a segment
        By path: a number where it is the same for all points, else an array of shape (p,).
    impermeants : mapping of (compartment, impermeant) to array or float
        Amounts, mol.
    faults : mapping of int to str
        By row: why a point has no initial state.
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


class ModelBatch:
    """A model of which the quantities at ``paths`` vary from point to point.

    Raises
    ------
    ScenarioError
        The model itself has no initial state.
    """

    def __init__(self, model: Model, paths: Sequence[str]) -> None:
        self.model, self.paths = model, tuple(paths)
        self.prepared: Preparation = prepare(model)
        self._constant_values = values_of(model, segments_of(model))

    def inputs(self, points: NDArray) -> BatchInputs:
        """Initial values of the points with these values of the varied quantities (SI), shape (points, paths)."""
        every = np.arange(len(points))
        if self._protocol_varies or (not self._same_start and self.prepared.layout.floats):
            return self._one_by_one(points, every)
        with np.errstate(all="ignore"):
            try:
                inputs, is_sound = self._all_at_once(points)
            except (IontideError, ValueError, ArithmeticError):
                return self._one_by_one(points, every)
            if is_sound.all():
                return inputs
            # Points without an initial state get the message of a single run; the others are prepared again.
            faults = self._one_by_one(points, every[~is_sound]).faults
            inputs, _ = self._all_at_once(points[is_sound])
        return replace(inputs, rows=every[is_sound], faults=faults)

    # -- all at once --------------------------------------------------------------------------------------------------

    @cached_property
    def _varying_parameters(self) -> frozenset[str]:
        """Parameters that vary or depend on one that varies."""
        named = {path.removeprefix("parameters.") for path in self.paths if path.startswith("parameters.")}
        return self.model.made_of(named)

    @cached_property
    def _protocol_varies(self) -> bool:
        """Whether a ramp or a quantity that depends on time may depend on what varies."""
        model = self.model
        slopes = any(s.slopes for s in self.prepared.segments)
        return bool(model.ramped & self._varying_parameters) or slopes

    @cached_property
    def _same_start(self) -> bool:
        """Whether the initial state and the tolerances are the same for all points."""
        model, prepared = self.model, self.prepared
        paths = {
            path for path, q in model.quantities() if isinstance(q, Formula) and q.names & self._varying_parameters
        }
        paths |= set(self.paths) | {f"parameters.{name}" for name in self._varying_parameters}
        recorder = RecordingMapping(values_of(model, segments_of(model)[:1])[0])
        initial_state(model, prepared.layout, recorder)
        complete = RecordingMapping(prepared.values[0])
        absolute_tolerances(model, prepared.layout, complete, prepared.initial)
        return not (recorder.read_keys | complete.read_keys) & paths

    def _varied(self, settings: Mapping[str, Any], points: NDArray) -> dict[str, NDArray]:
        """Every varying quantity that is constant during a segment with these settings, by path."""
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
        columns_by_path = {f"parameters.{name}": known[name] for name in varying}
        for path, quantity in model.settled_quantities():
            if path in columns:
                if not path.startswith("parameters."):
                    columns_by_path[path] = columns[path]
            elif isinstance(quantity, Formula) and quantity.names & varying and not path.startswith("parameters."):
                columns_by_path[path] = _column(quantity, known, len(points))
        return columns_by_path

    def _all_at_once(self, points: NDArray) -> tuple[BatchInputs, NDArray]:
        """Initial values of every point, and which points have a finite initial state and finite values."""
        model, prepared, count = self.model, self.prepared, len(points)
        assert prepared.problem is not None
        assert prepared.program is not None
        varied = [self._varied(segment.settings, points) for segment in prepared.segments]
        values: list[Mapping[str, Any]] = [
            ChainMap(cast("dict[str, Any]", columns), cast("dict[str, Any]", base))
            for columns, base in zip(varied, self._constant_values, strict=True)
        ]
        initial = prepared.initial
        if not self._same_start:
            initial = initial_state(model, prepared.layout, values[0], count)
        complete = complete_values(model, prepared.segments, values[0], values, initial)
        absolute = prepared.problem.absolute
        if not self._same_start:
            absolute = absolute_tolerances(model, prepared.layout, complete[0], initial)
        constants, mass = [], []
        for segment_values in complete:
            k, m = prepared.program.prepare_columns([segment_values[path] for path in prepared.program.inputs], count)
            constants.append(k)
            mass.append(m)
        n = len(prepared.initial.y)
        start = np.broadcast_to(initial.y, (count, n))
        is_sound = np.isfinite(start).all(axis=1)
        varied_columns: list[Any] = [column for columns in varied for column in columns.values()]
        for column in (*varied_columns, *initial.impermeant_amounts.values()):
            is_sound &= np.asarray(np.isfinite(column))
        inputs = BatchInputs(
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
        return inputs, is_sound

    # -- one by one ---------------------------------------------------------------------------------------------------

    def variant(self, point: NDArray) -> Model:
        """The model of one point."""
        return with_values(self.model, dict(zip(self.paths, map(float, point), strict=True)))

    def _one_by_one(self, points: NDArray, rows: Sequence[int] | NDArray) -> BatchInputs:
        """The same from a preparation of each point by itself."""
        sound: list[Preparation] = []
        sound_rows: list[int] = []
        faults: dict[int, str] = {}
        for row in rows:
            try:
                sound.append(prepare(self.variant(points[row])))
                sound_rows.append(int(row))
            except (IontideError, ValueError) as error:
                faults[int(row)] = " ".join(str(error).split())
        preparations = sound or [self.prepared]  # for the shapes, where no point is sound
        problems = [p.problem for p in preparations if p.problem is not None]
        lengths, absolute, start = (np.stack(arrays) for arrays in zip(*map(_arrays_of, preparations), strict=True))
        part = slice(0, len(sound))
        return BatchInputs(
            rows=np.array(sound_rows, dtype=int),
            constants=np.stack([p.constants for p in problems])[part],
            mass=np.stack([p.mass for p in problems])[part],
            lengths=lengths[part],
            absolute=absolute[part],
            start=start[part],
            values=[StackedValues([p.values[s] for p in sound]) for s in range(len(self.prepared.segments))],
            impermeants={
                key: np.array([p.initial.impermeant_amounts[key] for p in sound])
                for key in self.prepared.initial.impermeant_amounts
            },
            faults=faults,
        )


def _arrays_of(prepared: Preparation) -> tuple[NDArray, NDArray, NDArray]:
    """Lengths of the segments, tolerances and initial state."""
    assert prepared.problem is not None
    return prepared.problem.lengths, prepared.problem.absolute, prepared.initial.y


def _column(formula: Formula, known: Mapping[str, Any], count: int) -> NDArray:
    value = formula.evaluate(known.__getitem__, FUNCTIONS)
    return np.broadcast_to(np.asarray(value, dtype=float), (count,))


class StackedValues(Mapping[str, NDArray]):
    """The values of many points in one segment, stacked: an array for each path."""

    def __init__(self, values: Sequence[Mapping[str, float]]) -> None:
        self._values = values

    def __getitem__(self, path: str) -> NDArray:
        return np.array([values[path] for values in self._values], dtype=float)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values[0])

    def __len__(self) -> int:
        return len(self._values[0])
