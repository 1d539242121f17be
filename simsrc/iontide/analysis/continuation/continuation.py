"""Follow a steady state along a parameter, past the folds where it turns back, and report where its stability changes.

The curve itself is ``arclength``'s. At every point the eigenvalues give whether it is stable; between two points, where
p turns back is a *fold* (a saddle-node: an eigenvalue passes through 0), where a complex pair crosses the imaginary
axis a *Hopf* point, and where a real one crosses without a fold a *branch* point, all located within the step
(Kuznetsov 2004, Elements of Applied Bifurcation Theory, chapter 10, doi:10.1007/978-1-4757-3978-7).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import IontideError, SolverError, UsageError
from ...model.model import Model
from ...simulation.run import Origin
from ...simulation.simulate import Integration
from ...simulation.trajectory import Trajectory
from ..audit.plausibility import HIGHEST_POTENTIAL
from ..steady import RUN_AWAY, SteadyState, steady_state
from .arclength import FIRST_STEP, FLAT, LEAST_STEP, MOST_STEP, SHARP, Curve, Point, step_between
from .bifurcations import events_between, unstable_modes
from .family import Family

#: Most points in one direction.
MOST_POINTS = 5000

#: Tolerance to which special points are located, in parts of the range.
LOCATED = 1e-8


@dataclass(frozen=True)
class SpecialPoint:
    """A point at which the stability of the steady state changes.

    Attributes
    ----------
    kind : {"fold", "hopf", "branch"}
    place : int
        Which point of the branch it is.
    value : float
        Of the parameter, SI.
    period : float or None
        Of the oscillation that is born or dies at a Hopf point, s.
    """

    kind: Literal["fold", "hopf", "branch"]
    place: int
    value: float
    period: float | None


@dataclass(frozen=True)
class Branch:
    """A curve of steady states, from one end to the other.

    Attributes
    ----------
    parameter : str
        Its name, or ``total:WHAT``.
    values : array, shape (points,)
        Of the parameter, SI; not monotone where there are folds.
    trajectory : Trajectory
        One sample a point, not a course in time: whatever can be read off a trajectory can be read off the branch.
    unstable_modes : array of int, shape (points,)
        How many disturbances grow; at a special point the one (or the pair) that is about to is not counted.
    special : tuple of SpecialPoint
        In the order of the points.
    ends : (str, str)
        Why the branch ends, at its first and at its last point.
    """

    parameter: str
    values: NDArray
    trajectory: Trajectory
    unstable_modes: NDArray
    special: tuple[SpecialPoint, ...]
    ends: tuple[str, str]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def states(self) -> NDArray:
        """SI, in the order of ``trajectory.run.layout.names``, shape (points, n)."""
        return self.trajectory.states

    @property
    def stable(self) -> NDArray:
        """Whether every small disturbance decays, shape (points,)."""
        return self.unstable_modes == 0

    def at(self, place: int) -> Trajectory:
        """One point as a trajectory of one sample."""
        place = range(len(self))[place]
        return self.trajectory.part(slice(place, place + 1))

    def with_origin(self, origin: Origin) -> Branch:
        """The same with the scenario file behind it, to be saved with the results."""
        run = replace(self.trajectory.run, origin=origin)
        return replace(self, trajectory=replace(self.trajectory, run=run))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the branch to an HDF5 file, whole or not at all; returns the path."""
        from ...storage import save_branch

        return save_branch(self, path)

    def crossings(self, value: float) -> list[int]:
        """Points before each passage of the parameter through a value: one for every steady state there."""
        side = self.values > value
        return [int(k) for k in np.flatnonzero(side[1:] != side[:-1])]


def continue_steady_state(
    model: Model, parameter: str, low: float, high: float, start: NDArray | None = None
) -> Branch:
    """Follow a steady state along a parameter, in both directions, until it leaves the range or ends.

    The conserved totals are at each value those of the start which the model has there; with ``total:WHAT`` one of
    them is itself varied, and all others stay.

    Parameters
    ----------
    model : Model
    parameter : str
        One of the model's parameters that is a number; or ``total:WHAT`` with WHAT as in ``SteadyState.conserved``,
        or its beginning: ``total:K``.
    low, high : float
        SI.
    start : array, shape (n,), optional
        State to start from, as for ``steady_state``; the conserved totals are then those of this state throughout.

    Returns
    -------
    Branch

    Raises
    ------
    UsageError
        There is no such parameter or total, or no range.
    SolverError
            There is no steady state to start from: neither at the model's value nor at the ends of the range.

    Examples
    --------
    >>> model = iontide.load("scenarios/published/duesterwald_2018.toml").model
    >>> branch = iontide.continue_steady_state(model, "g_KCC2", 0.18, 0.22)
    >>> bool(branch.stable.all()), branch.special
    (True, ())
    """
    if not (np.isfinite([low, high]).all() and low < high):
        raise UsageError(f"the range must go from a lower to a higher value, got {low:g} to {high:g}")
    family, curve, first = _first_point(model, parameter, low, high, start)
    down, down_end = _followed(curve, replace(first, tangent=-first.tangent))
    up, up_end = _followed(curve, first, closing=down_end == _CLOSED)
    points = [*reversed(down), first, *up]
    ends = (down_end, up_end)
    return _branch(family, points, ends)


_CLOSED = "it closes upon itself"


def _first_point(
    model: Model, parameter: str, low: float, high: float, start: NDArray | None
) -> tuple[Family, Curve, Point]:
    """The first point: at the model's value, or where there is no steady state at an end of the range."""
    at_value = steady_state(model, start)
    reason = at_value.message
    tried = [at_value]
    if at_value.status != "steady" and not parameter.startswith("total:"):
        name = parameter.removeprefix("parameters.")
        for value in (low, high) if name in model.parameters else ():
            other = replace(model, parameters={**model.parameters, name: replace(model.parameters[name], value=value)})
            tried.append(steady_state(other, start))
    for steady in tried:
        if steady.status == "steady":
            family = Family(
                steady.trajectory.model, parameter, steady.conserved, steady.trajectory.states[0], start is not None
            )
            curve = Curve(family, low, high)
            point = _point_within(curve, steady)
            if point is not None:
                return family, curve, point
            reason = f"the steady state at {family.value:g} (SI) does not lead into the range"
    raise SolverError(f"there is no steady state to start from: {reason}")


def _point_within(curve: Curve, steady: SteadyState) -> Point | None:
    """The steady state as a point; where its value is outside of the range, followed to its nearer end."""
    value, y = curve.family.value, steady.trajectory.states[0]
    if curve.low <= value <= curve.high:
        return curve.point(value, y)
    end = curve.low if value < curve.low else curve.high
    way = Curve(curve.family, min(value, end), max(value, end))
    first = way.point(value, y)
    if first is None:
        return None
    if end < value:
        first = replace(first, tangent=-first.tangent)
    points, _ = _followed(way, first)
    last = points[-1] if points else first
    return curve.point(end, last.y) if last.value == end else None


def _followed(curve: Curve, first: Point, closing: bool = False) -> tuple[list[Point], str]:
    """The points after the first in one direction, and why there are no more."""
    points: list[Point] = []
    here, length = first, FIRST_STEP
    if closing:
        return points, _CLOSED
    layout = curve.family.base.prepared.layout
    names = layout.names
    potentials = {c: i for c, i in layout.potential_index.items() if not layout.holds_charge(c)}
    volumes = curve.family.base.volumes(first.y)
    while len(points) < MOST_POINTS:
        edge = curve.high if here.tangent[-1] > 0.0 else curve.low
        if here.value == edge and (here is first or _leaves(curve, here)):
            return points, "the end of the range"
        there, corrections = curve.step(here, length)
        if there is None or _angle(here, there) > SHARP:
            if length > LEAST_STEP:
                length = max(0.5 * length, LEAST_STEP)
                continue
            if there is None:
                return points, _lost(curve, here, names)
        if not curve.low <= there.value <= curve.high:
            edge = curve.high if there.value > curve.high else curve.low
            last = _at_edge(curve, here, there, edge)
            if last is not None:
                points.append(last)
                return points, "the end of the range"
            if length > LEAST_STEP:
                length = max(0.5 * length, LEAST_STEP)
                continue
            return points, "the end of the range"
        points.append(there)
        swollen = [c for c, v in curve.family.base.volumes(there.y).items() if v > RUN_AWAY * volumes[c]]
        if swollen:
            return points, f"the volume of {swollen[0]} grows without bound"
        charged = [c for c, i in potentials.items() if abs(there.y[i]) > HIGHEST_POTENTIAL]
        if charged:
            return (
                points,
                f"the potential of {charged[0]} passes {HIGHEST_POTENTIAL:g} V, which no membrane withstands",
            )
        if len(points) > 10 and _is_at(first, here, there):
            return points, _CLOSED
        if corrections <= 4 and _angle(here, there) < FLAT:
            length = min(1.5 * length, MOST_STEP)
        here = there
    return points, f"{MOST_POINTS} points were not enough"


def _leaves(curve: Curve, here: Point) -> bool:
    return here.value in (curve.low, curve.high)


def _angle(one: Point, two: Point) -> float:
    """Between two tangents, rad, in the scales of the first."""
    size = one.member.system.moved_by(one.y)
    back = np.append(
        two.tangent[:-1] * two.member.system.moved_by(two.y) / size, two.tangent[-1] * two.scale / one.scale
    )
    cosine = float(one.tangent @ back / np.linalg.norm(back))
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _at_edge(curve: Curve, here: Point, beyond: Point, edge: float) -> Point | None:
    """The point at an end of the range, between two of which one is beyond it; its tangent points onward."""
    share = (edge - here.value) / (beyond.value - here.value)
    try:
        point = curve.point(edge, here.y + share * (beyond.y - here.y))
    except IontideError:
        return None
    if point is None or _angle(here, replace(point, tangent=_aligned(point, beyond))) > 2.0 * SHARP:
        return None
    return replace(point, tangent=_aligned(point, beyond))


def _aligned(point: Point, other: Point) -> NDArray:
    return point.tangent if point.tangent[-1] * other.tangent[-1] > 0.0 else -point.tangent


def _is_at(first: Point, here: Point, there: Point) -> bool:
    """Whether the curve, in its last step, has returned to its first point."""
    a, b = step_between(first, here), step_between(first, there)
    step = b - a
    share = float(np.clip(-a @ step / (step @ step), 0.0, 1.0))
    nearest = float(np.linalg.norm(a + share * step))
    return nearest < 0.1 * float(np.linalg.norm(step)) and first.tangent @ step > 0.0


def _lost(curve: Curve, here: Point, names: tuple[str, ...]) -> str:
    system = here.member.system
    amounts = range(system.prepared.layout.nonnegative)
    falling = dict(zip(system.active.tolist(), here.tangent[:-1].tolist(), strict=True))
    used = [names[i] for i in amounts if here.y[i] < 1e-6 * system.scales[i] and falling.get(i, 0.0) < 0.0]
    if used:
        return f"the {used[0]} goes to 0"
    return f"the curve cannot be followed beyond {here.value:g}"


def _branch(family: Family, points: list[Point], ends: tuple[str, str]) -> Branch:
    """All points with the special ones between them."""
    curve = Curve(family, min(p.value for p in points), max(p.value for p in points))
    points = _oriented(points)
    on_curve, counts = [points[0]], [unstable_modes(points[0].eigenvalues)]
    special: list[SpecialPoint] = []
    for before, after in pairwise(points):
        for event in events_between(curve, before, after, LOCATED * (curve.high - curve.low)):
            special.append(SpecialPoint(event.kind, len(on_curve), event.point.value, event.period))
            on_curve.append(event.point)
            counts.append(event.unstable)
        on_curve.append(after)
        counts.append(unstable_modes(after.eigenvalues))
    return Branch(
        parameter=family.name,
        values=np.array([p.value for p in on_curve]),
        trajectory=_as_trajectory(family, on_curve),
        unstable_modes=np.array(counts, dtype=int),
        special=tuple(special),
        ends=ends,
    )


def _oriented(points: list[Point]) -> list[Point]:
    """The points with tangents that all lead from the first to the last."""
    ahead = [step_between(one, two) for one, two in pairwise(points)]
    back = [step_between(points[-1], points[-2])] if len(points) > 1 else []
    forward = [float(p.tangent @ step) for p, step in zip(points, ahead, strict=False)]
    forward += [-float(points[-1].tangent @ step) for step in back]
    if not forward:
        return points
    return [p if sign > 0.0 else replace(p, tangent=-p.tangent) for p, sign in zip(points, forward, strict=True)]


def _as_trajectory(family: Family, points: list[Point]) -> Trajectory:
    """The points as samples, each with the values that hold there."""
    base = trajectory_along(family.model, np.array([p.y for p in points]))
    values = tuple(p.member.system.prepared.values[-1] for p in points)
    return replace(base, run=replace(base.run, values=values, status="steady"))


def trajectory_along(model: Model, states: NDArray) -> Trajectory:
    """Steady states as samples of one trajectory, each in a segment by itself, so that values may differ."""
    run = Integration(model).outcome()
    last, many = run.segments[-1], len(states)
    run = replace(
        run,
        segments=(last,) * many,
        values=(run.values[-1],) * many,
        status="steady",
        end_time=last.end,
        end_state=states[-1].copy() if many else run.end_state,
    )
    return Trajectory(run, np.full(many, last.end), np.arange(many), states)
