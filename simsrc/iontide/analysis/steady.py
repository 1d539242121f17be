"""Steady states of a model without a run to them, what is conserved on the way, and how fast it settles.

Newton's method on the exact Jacobian, under all conservation laws of the equations, gives the root; integration in
rounds, each ten times as long as the one before, comes near enough that the root is the one in whose basin the start
is.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..formulas.display import duration_text
from ..formulas.formula import Formula
from ..kernel.codegen.machine_code import MachineCode
from ..kernel.layout import status as kernel_status
from ..kernel.layout.problem import RELATIVE, SAMPLE, Problem, Samples, T, options_of
from ..kernel.run import Integrator, table_of
from ..model.model import Model
from ..numerics.period import period_of
from ..simulation.prepare import Preparation, prepare
from ..simulation.run import Run
from ..simulation.simulate import Integration
from ..simulation.trajectory import Trajectory
from .stability import Mode, modes_of
from .steady_system import System, system_of

#: A root is where the system is going if it is no further away than this, relative to each state.
NEAR = 0.02

#: Steps of one round of integration after which a system does not come to rest.
MOST_STEPS = 300_000

#: Most Newton steps; the last one, relative to each state, after which it has converged.
MOST_NEWTON, CONVERGED = 40, 1e-11

#: An amount below this part of its natural size is 0.
NOTHING_LEFT = 1e-12

#: Rounds of integration, each ten times as long as the one before, and the first, in units of the run's duration.
ROUNDS, FIRST_ROUND = 10, 0.1

#: Growth of a volume since the start that is reported as running away.
RUN_AWAY = 1e3

#: Steps in which an oscillation is searched for.
WATCHED_STEPS = 20_000


@dataclass(frozen=True)
class ConservedTotal:
    """A total that the equations conserve.

    Attributes
    ----------
    what : str
        ``K in cell and ecs``, ``charge of cell``.
    value : float
        mol, C or m³.
    drift : float
        How far the steady state is off it, relative to all that makes it up; rounding.
    """

    what: str
    value: float
    drift: float


@dataclass(frozen=True)
class SteadyState:
    """The steady state of a model, or why there is none.

    Attributes
    ----------
    status : {"steady", "none"}
    message : str
        Why there is none; empty otherwise.
    trajectory : Trajectory
        The steady state (the last state reached, where there is none) as a trajectory of one sample: all that can be
        read off a trajectory can be read off this.
    residual : float
        How far the equations would still move a state, relative to it; rounding.
    conserved : tuple of ConservedTotal
        Derived from the equations, not declared.
    modes : tuple of Mode
        How the system settles, the slowest first; what is conserved, and what follows at once, are no modes.
    basin : str
        From where it was reached, and how.
    """

    status: str
    message: str
    trajectory: Trajectory
    residual: float
    conserved: tuple[ConservedTotal, ...]
    modes: tuple[Mode, ...]
    basin: str

    @property
    def is_stable(self) -> bool:
        """Whether every small disturbance decays."""
        return self.status == "steady" and all(mode.eigenvalue.real < 0.0 for mode in self.modes)


def steady_state(model: Model, start: NDArray | None = None) -> SteadyState:
    """Find the steady state that a model goes to when its protocol is over.

    Parameters
    ----------
    model : Model
        Where its protocol changes something, the run is integrated up to the last change.
    start : array, shape (n,), optional
        State (SI) to start from in place of that, in the order of ``layout.names``; what it holds of each conserved
        total is what the steady state will hold.

    Returns
    -------
    SteadyState

    Examples
    --------
    >>> model = iontide.load("scenarios/cells_and_tissues/pump_leak_cell.toml").model
    >>> rest = iontide.steady_state(model)
    >>> rest.is_stable, round(1e3 * float(rest.trajectory["plasma.V"][0]), 1)  # mV
    (True, -74.6)
    """
    run, y, origin = _at_last_segment(model) if start is None else (_run_of(model), np.array(start), "the given state")
    return _steady(run, prepare(model), y, origin)


def steady_after(end: Trajectory) -> SteadyState:
    """The steady state that a run goes to from its last sample, under the values that hold there.

    That need not be what holds at the end of the protocol: events change it, or stop the run before.
    """
    run, last = end.run, int(end.segment[-1])
    prepared = prepare(run.model)
    if prepared.problem is not None:
        past = (*run.segments[:last], replace(run.segments[last], end=float(end.time[-1])))
        run = replace(run, segments=past, values=run.values[: last + 1])
        prepared = prepared.at_end_of(run.segments, run.values)
    return _steady(run, prepared, np.array(end.states[-1]), "the end of the run")


def _steady(run: Run, prepared: Preparation, y: NDArray, origin: str) -> SteadyState:
    model = run.model
    system = system_of(model, prepared)
    if system is None:
        return _outcome(run, None, y, y, "", "the model has no state that could move")
    if system.follows_time(y):
        reason = "the equations follow the time: a parameter is made of t, or still ramps at the end of the protocol"
        return _outcome(run, system, y, y, reason, origin)
    root, how, reason = _settle(system, y)
    if root is None:
        return _outcome(run, system, y, y, reason, origin)
    return _outcome(run, system, root, y, "", f"{origin}, {how}")


def _run_of(model: Model) -> Run:
    return Integration(model).outcome()


def _at_last_segment(model: Model) -> tuple[Run, NDArray, str]:
    """The state in which the last stretch of the protocol begins."""
    integration = Integration(model)
    prepared = integration.prepared
    lasting = [event.name for event in model.events if event.settings and event.duration is None]
    note = f" (what the event {' or '.join(lasting)} sets permanently is left out)" if lasting else ""
    problem = prepared.problem
    first, last = prepared.segments[0], prepared.segments[-1]
    through = problem is not None and _reads_time(model)  # what depends on time is taken as where the run ends
    if problem is None or prepared.code is None or (last is first and not through):
        return integration.outcome(), np.array(prepared.initial.y), f"the initial state{note}"
    origin = (
        "the end of the protocol" if through else f"the state at the last step of the protocol, t = {last.start:g} s"
    )
    if not through:
        problem = problem._replace(
            lengths=problem.lengths[:-1], mass=problem.mass[:-1].copy(), constants=problem.constants[:-1].copy()
        )
    integrator = Integrator(table_of(problem, prepared.code), prepared.initial.y)
    _drive(integrator)
    return integration.outcome(), integrator.progress.y.copy(), f"{origin}{note}"


def _reads_time(model: Model) -> bool:
    """Whether a formula is made of the time itself."""
    return any(isinstance(q, Formula) and "t" in q.names for _, q in model.quantities())


def _drive(integrator: Integrator) -> int:
    """Integrate to the end, without a sample."""
    samples = _no_samples(len(integrator.progress.y))
    while True:
        integrator.progress.counters[SAMPLE:] = 0
        ended = integrator.advance(samples, 1_000_000)
        if ended not in (kernel_status.PAUSED, kernel_status.CROSSED):
            return ended


def _no_samples(size: int) -> Samples:
    none = np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros((0, size))
    noted = np.zeros(1024), np.zeros((1024, 2), dtype=np.int64)
    return Samples(*none, np.zeros(2, dtype=np.int64), *noted)


def _settle(system: System, start: NDArray) -> tuple[NDArray | None, str, str]:
    """The steady state that the system goes to from a state, how it was reached, and where there is none the reason.

    The state is followed by the integrator, whose steps grow without bound where nothing moves any more; so it is the
    one in whose basin the start is, and none of those that Newton's method alone might jump to. Each round is ten times
    as long as the one before; Newton takes over as soon as its root is where the system is going anyway.
    """
    y, unstable = start, False
    for number in range(ROUNDS):
        root = _newton(system, y, start)
        if root is not None and float(np.abs((root - y)[system.active] / system.moved_by(y)).max(initial=0.0)) < NEAR:
            if all(mode.eigenvalue.real < 0.0 for mode in modes_of(system, root)):
                return root, f"by Newton after {number} round(s) of integration" if number else "by Newton", ""
            unstable = True
        y, ended = _integrated(system, y, FIRST_ROUND * 10.0**number * system.model.simulation.duration)
        away = _run_away(system, y)
        if away:
            return None, "", away
        if ended < 0:
            names, amounts = system.prepared.layout.names, range(system.prepared.layout.nonnegative)
            used = [names[i] for i in amounts if not y[i] > 1e-6 * system.scales[i]]
            cause = f"the {used[0]} is used up" if used else "the equations cannot be followed any further"
            return None, "", f"{cause}: there is no steady state"
        if ended == kernel_status.PAUSED:
            break
    around = " around a steady state that is unstable" if unstable else ""
    period = _period(system, y)
    if period is not None:
        return None, "", f"it oscillates{around}, with a period of {duration_text(period)}"
    return None, "", f"it does not come to rest{around}: it oscillates, or moves ever more slowly"


def _period(system: System, y: NDArray) -> float | None:
    """Period (s) with which a potential oscillates from a state on; None where it does not."""
    layout = system.prepared.layout
    problem = _alone(system, system.model.simulation.duration * 10.0**ROUNDS)
    integrator = Integrator(table_of(problem, _code_of(system)), y)
    samples = _no_samples(len(y))
    times, states = [], []
    for _ in range(WATCHED_STEPS):
        integrator.progress.counters[SAMPLE:] = 0
        if integrator.advance(samples, 1) not in (kernel_status.PAUSED, kernel_status.CROSSED):
            break
        times.append(float(integrator.progress.real[T]))
        states.append(integrator.progress.y.copy())
    every = np.array(states)
    columns = [every[:, i] for c, i in layout.potential_index.items() if not layout.holds_charge(c)] if states else []
    return next((p for v in columns if (p := period_of(np.array(times), v)) is not None), None)


def _run_away(system: System, y: NDArray) -> str:
    """A sentence on a volume that has grown without bound since the beginning; empty where none has."""
    before = system.volumes(np.asarray(system.prepared.initial.y))
    for compartment, volume in system.volumes(y).items():
        if volume > RUN_AWAY * before[compartment]:
            return f"the volume of {compartment} diverges: nothing outside holds the water that follows what is inside"
    return ""


def _newton(system: System, y: NDArray, start: NDArray) -> NDArray | None:
    """The root near a state, by Newton steps cut short where an amount would become negative; None: there is none."""
    active = system.active
    amounts = active < system.prepared.layout.nonnegative
    small = 0
    for _ in range(MOST_NEWTON):
        step = system.newton_step(y, start)
        if step is None:
            return None
        inside, size = y[active], system.moved_by(y)
        # What is as good as gone may go; it must not hold up the rest.
        falling = amounts & (step < -NOTHING_LEFT * size)
        reach = float((0.9 * inside[falling] / -step[falling]).min(initial=1.0))
        change = float(np.abs(step / system.moved_by(y)).max(initial=0.0))
        y = y.copy()
        y[active] += min(1.0, reach, 1.0 / max(change, 1.0)) * step
        small = small + 1 if change < CONVERGED else 0
        if small == 2 or change == 0.0:
            break
        if change > 1e6:
            return None
    # Where rounding does not let the steps become smaller, the last ones are as small as they get.
    if change > 1e3 * CONVERGED or (amounts & (y[active] < -NOTHING_LEFT * system.moved_by(y))).any():
        return None
    places = active[amounts]
    y[places] = np.maximum(y[places], 0.0)
    return y


def _integrated(system: System, y: NDArray, duration: float) -> tuple[NDArray, int]:
    """The state after some time of the last segment, and how the integration ended (paused: it took too long)."""
    integrator = Integrator(table_of(_alone(system, duration), _code_of(system)), y)
    ended = _drive(integrator)
    return integrator.progress.y.copy(), kernel_status.PAUSED if ended == kernel_status.TOO_MANY_STEPS else ended


def _code_of(system: System) -> MachineCode:
    code = system.prepared.code
    assert code is not None
    return code


def _alone(system: System, duration: float) -> Problem:
    """The last segment by itself, to be integrated until nothing moves."""
    problem = system.prepared.problem
    assert problem is not None
    options = options_of(problem.options[RELATIVE], True, MOST_STEPS)  # stop where nothing moves
    return problem._replace(
        lengths=np.array([duration]),
        mass=problem.mass[-1:].copy(),
        constants=_constants_at_the_end(system),
        options=options,
    )


def _constants_at_the_end(system: System) -> NDArray:
    """Constants of the last segment, with the time counted from its end."""
    prepared = system.prepared
    assert prepared.program is not None
    assert prepared.problem is not None
    if not _reads_time(system.model):
        return prepared.problem.constants[-1:].copy()
    values = prepared.values[-1]
    return prepared.program.prepare_all([ChainMap({"segment.start": prepared.segments[-1].end}, dict(values))])[0]


def distance(system: System, y: NDArray, start: NDArray) -> float:
    """Size of the Newton step at a state, relative to each of its numbers."""
    step = system.newton_step(y, start)
    return float("nan") if step is None else float(np.abs(step / system.moved_by(y)).max(initial=0.0))


def _outcome(run: Run, system: System | None, y: NDArray, start: NDArray, message: str, basin: str) -> SteadyState:
    last = len(run.segments) - 1
    trajectory = Trajectory(run, np.array([run.segments[-1].end]), np.array([last]), y[np.newaxis])
    if system is None or message:
        return SteadyState("none" if message else "steady", message, trajectory, 0.0, (), (), basin)
    return SteadyState(
        status="steady",
        message="",
        trajectory=trajectory,
        residual=distance(system, y, start),
        conserved=tuple(_conserved(system, y, start)),
        modes=modes_of(system, y),
        basin=basin,
    )


def _conserved(system: System, y: NDArray, start: NDArray) -> list[ConservedTotal]:
    names = [system.prepared.layout.names[i] for i in system.active]
    totals = []
    for w in system.conserved @ system.active_mass:
        largest = np.abs(w).max()
        value = float(w @ start[system.active])
        present = float(np.abs(w) @ np.abs(y[system.active]))
        drift = float(w @ (y - start)[system.active]) / present if present else 0.0
        terms = [(w[i] / largest, names[i]) for i in np.flatnonzero(w)]
        totals.append(ConservedTotal(_label(terms), value / largest, drift))
    return totals


def _label(terms: list[tuple[float, str]]) -> str:
    """``K in cell and ecs`` where it is a plain total, the charge of what has a potential in it, else the sum."""
    charged = [name.split(" of ")[1] for _, name in terms if name.startswith(("potential of", "charge of"))]
    if charged:
        return f"charge of {' and '.join(charged)}"
    plain = [name.removeprefix("amount of ") for _, name in terms]
    species = {name.split(" in ")[0] for name in plain}
    if len(species) == 1 and all(abs(factor - terms[0][0]) < 1e-9 for factor, _ in terms):
        return f"{species.pop()} in {' and '.join(name.split(' in ')[1] for name in plain if ' in ' in name)}"
    parts = [f"{factor / terms[0][0]:+.4g} {name}" for (factor, _), name in zip(terms, plain, strict=True)]
    return " ".join(parts).replace("+1 ", "+ ").replace("-1 ", "- ").removeprefix("+ ")
