"""Preparation of a run: program, machine code, values of each segment, initial state.

A model is immutable, so its preparation is cached as long as the model exists, and a second run of the same model
begins without delay.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY
from ..equations.assembly import build_program
from ..equations.evaluation import Evaluation
from ..equations.initial_state import InitialState, complete_values, initial_state
from ..equations.states import ABSOLUTE_FRACTION, POTENTIAL_SCALE, Layout
from ..kernel.codegen.machine_code import MachineCode, compile_program
from ..kernel.layout.problem import NEVER, Problem, counts_of, options_of
from ..kernel.run import Table, table_of
from ..model.circuit import membranes_of
from ..model.model import Model, ParameterStep
from ..model.schedule import (
    Crossing,
    Segment,
    sample_count_limit,
    scheduled_samples,
    segments_of,
    still_counting,
    triggered_steps,
    values_of,
)
from ..symbolic.expression import where
from ..symbolic.tape import Program

#: Number of samples in one block.
BLOCK = 65_536

#: Sign of the crossings that count for an event; 0 for both.
_DIRECTIONS = {"rises": 1, "falls": -1, "passes": 0}

#: Row of ``Problem.watched`` for an event that no longer counts.
_NOT_WATCHED = (NEVER, 0)


@dataclass(frozen=True)
class Preparation:
    """Everything that a run of a model needs before its first step.

    Attributes
    ----------
    layout : Layout
    program : Program
    segments : tuple of Segment
    values : tuple of mapping
        Value (SI) of every settled quantity by path, for each segment.
    initial : InitialState
    problem : Problem or None
        Input of the integrator; None if the model has no state.
    table : Table or None
        Addresses by which the integrator accesses the problem.
    code : MachineCode or None
        Referenced here because ``problem`` contains only its addresses.
    samples : list of blocks or None
        The sample times (see ``schedule.scheduled_samples``) if they fit into one block.
    first : int
        Number of the segment that the problem begins with; above 0 after an event.
    triggered : sequence of ParameterStep
        Steps added to the protocol by events, as far as they still have an effect.
    """

    layout: Layout
    program: Program | None
    segments: tuple[Segment, ...]
    values: tuple[Mapping[str, float], ...]
    initial: InitialState
    problem: Problem | None
    table: Table | None
    code: MachineCode | None
    samples: list[tuple[NDArray, NDArray, NDArray]] | None
    first: int = 0
    triggered: Sequence[ParameterStep] = ()

    def sample_blocks(self, model: Model) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
        """Sample times, block by block."""
        if self.samples is not None:
            return iter(self.samples)
        return scheduled_samples(model.recording, list(self.segments), BLOCK, self.first)

    def at_end_of(self, segments: Sequence[Segment], values: Sequence[Mapping[str, float]]) -> Preparation:
        """Preparation with the last of these segments as the only one of the problem: the state of a run at its end."""
        assert self.problem is not None
        assert self.program is not None
        assert self.code is not None
        constants, mass = self.program.prepare_all(values[-1:])
        lengths = np.array([segments[-1].end - segments[-1].start])
        problem = self.problem._replace(constants=constants, mass=mass, lengths=lengths)
        return replace(self, segments=tuple(segments), values=tuple(values), problem=problem, table=None, samples=None)

    def after(self, model: Model, crossings: Sequence[Crossing], number: int, over: Collection[str]) -> Preparation:
        """Preparation of the rest of a run after events have changed its protocol.

        ``segments`` and ``values`` are those of the whole run; ``problem`` begins with the segment that the events
        start.

        Parameters
        ----------
        model : Model
        crossings : sequence of Crossing
            Events that occurred, all at the same time.
        number : int
            Number of the segment in which they occurred; it ends at that time.
        over : collection of str
            Names of the events that no longer count.
        """
        time = crossings[-1].time
        triggered = [*self.triggered, *triggered_steps(model, crossings)]
        if not model.ramped:  # else earlier steps determine where a ramp starts
            triggered = still_counting(triggered, time)
        # An event at the time of a protocol step starts no further segment: the step has started one.
        ended = number + 1 if self.segments[number].start < time else number
        past = (*self.segments[:number], replace(self.segments[number], end=time))[:ended]
        coming = [segment for segment in segments_of(model, triggered) if segment.start >= time]
        values = complete_values(model, coming, self.values[0], values_of(model, coming), self.initial)
        assert self.problem is not None
        assert self.program is not None
        assert self.code is not None
        constants, mass = self.program.prepare_all(values)
        watched = self.problem.watched.copy()
        for row, event in enumerate(model.events):
            if event.name in over:
                watched[row] = _NOT_WATCHED
        problem = self.problem._replace(
            mass=mass,
            constants=constants,
            lengths=np.array([s.end - s.start for s in coming]),
            watched=watched,
        )
        return replace(
            self,
            segments=(*past, *coming),
            values=(*self.values[:ended], *values),
            problem=problem,
            table=table_of(problem, self.code),
            samples=None,
            first=ended,
            triggered=triggered,
        )


_prepared: dict[int, tuple[weakref.ref[Model], Preparation]] = {}


def prepare(model: Model) -> Preparation:
    """Preparation of a run of a model; computed once for each model.

    Raises
    ------
    ScenarioError
        If there is no initial state.
    """
    key = id(model)
    cached = _prepared.get(key)
    if cached is None or cached[0]() is not model:
        reference = weakref.ref(model, partial(_forget, _prepared, key))
        cached = _prepared[key] = reference, _prepare(model)
    return cached[1]


def _forget(prepared: dict[int, Any], key: int, _: weakref.ref[Model]) -> None:
    """Drop the preparation of a deleted model (at exit the globals of this module may be deleted before the model)."""
    prepared.pop(key, None)


def _prepare(model: Model) -> Preparation:
    layout, program = build_program(model)
    segments = segments_of(model)
    settled = values_of(model, segments)
    initial = initial_state(model, layout, settled[0])
    values = complete_values(model, segments, settled[0], settled, initial)
    code = compile_program(program) if program else None
    few = model.recording.spacing != "steps" and sample_count_limit(model.recording, len(segments)) <= BLOCK
    problem = _problem(model, layout, program, code, segments, values, initial) if program and code else None
    return Preparation(
        layout=layout,
        program=program,
        segments=tuple(segments),
        values=tuple(values),
        initial=initial,
        problem=problem,
        table=table_of(problem, code) if problem and code else None,
        code=code,
        samples=list(scheduled_samples(model.recording, segments, BLOCK)) if few else None,
    )


def _problem(
    model: Model,
    layout: Layout,
    program: Program,
    code: MachineCode,
    segments: list[Segment],
    values: list[Mapping[str, float]],
    initial: InitialState,
) -> Problem:
    constants, mass = program.prepare_all(values)
    simulation = model.simulation
    algebraic = bool(layout.floats or layout.supplies)
    return Problem(
        code=np.array(code.addresses, dtype=np.int64),
        mass=mass,
        constants=constants,
        lengths=np.array([s.end - s.start for s in segments]),
        absolute=absolute_tolerances(model, layout, values[0], initial),
        options=options_of(simulation.rtol, simulation.stop_at_steady_state, simulation.max_steps),
        counts=counts_of(layout.nonnegative, algebraic, algebraic or not program.autonomous),
        watched=np.array([(_DIRECTIONS[e.direction], e.interrupts) for e in model.events], dtype=np.int64).reshape(
            -1, 2
        ),
    )


def absolute_tolerances(model: Model, layout: Layout, values: Mapping[str, Any], initial: InitialState) -> NDArray:
    """Absolute tolerance of each state: a fraction of its scale, which is derived from the values of the first segment.

    For a batch of cells (see ``initial_state``), one row per cell.
    """
    scales = _scales(model, layout, values, initial)
    if not scales:  # there are no states
        return np.zeros(initial.y.shape)
    return ABSOLUTE_FRACTION * model.simulation.rtol * np.stack(np.broadcast_arrays(*scales), axis=-1)


def _scales(model: Model, layout: Layout, values: Mapping[str, Any], initial: InitialState) -> list[Any]:
    """Scale of each state, from the initial values."""
    evaluation = Evaluation(model, layout, values.__getitem__, lambda i: initial.y[..., i], 0.0)
    capacities = (
        {c: sum(evaluation.capacity(m) for m, _ in membranes_of(model, c)) for c in layout.potentials}
        if layout.charges
        else {}
    )
    supplied = {}
    for clamp in model.clamps:
        # The charge of the membrane; without a capacitance, that of a monovalent ion at 1 µM in the volume.
        membrane = model.membranes[clamp.membrane]
        finite = [c for c in (membrane.inside, membrane.outside) if model.compartments[c].is_finite]
        carried = 1e-3 * FARADAY * evaluation.volume(finite[0]) if finite else 1e-12
        charged = POTENTIAL_SCALE * evaluation.capacity(membrane)
        supplied[clamp.name] = where(charged == 0.0, carried, charged)
    for ion_clamp in model.ion_clamps:
        amount = evaluation.amount(ion_clamp.compartment, ion_clamp.species)
        supplied[ion_clamp.name] = where(amount == 0.0, evaluation.volume(ion_clamp.compartment), amount)
    return layout.scales(values, capacities, supplied)
