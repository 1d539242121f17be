"""Basins of attraction: the steady states that a model reaches from many starts, and how many reach each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..equations.states import POTENTIAL_SCALE
from ..errors import UsageError
from ..model.model import Model
from ..simulation.prepare import prepare
from .steady import SteadyState, steady_state
from .steady_system import System, system_of

#: Two steady states are the same where no state differs by more than this, relative to it.
SAME = 1e-5

#: Factor within which random amounts and volumes are about those of the start, both ways; most trials for one start.
SPREAD, MOST_TRIALS = 5.0, 200

#: Most steps by which a random start is adjusted to the totals that it is to have, and their relative tolerance.
MOST_STEPS, TOTAL_TOLERANCE = 60, 1e-12


@dataclass(frozen=True)
class End:
    """A steady state, and the starts that reach it.

    Attributes
    ----------
    steady : SteadyState
    starts : tuple of int
        Rows of ``Basins.starts``.
    """

    steady: SteadyState
    starts: tuple[int, ...]


@dataclass(frozen=True)
class Basins:
    """The steady states that many starts reach.

    Attributes
    ----------
    starts : array, shape (starts, n)
        SI, in the order of the layout's names.
    ends : tuple of End
        The one with most starts first.
    without : mapping of str to int
        Why a start reached none, and how many for that reason.
    """

    starts: NDArray
    ends: tuple[End, ...]
    without: dict[str, int]


def basins(model: Model, starts: int | NDArray = 50, *, seed: int = 0, keep_totals: bool = True) -> Basins:
    """Find the steady states that many starts reach.

    Parameters
    ----------
    model : Model
        As it is after the last step of its protocol.
    starts : int or array, shape (starts, n)
        How many random ones, or the states themselves. A random start has amounts and volumes within a factor of 5
        about those of the initial state, gates from 0 to 1, and potentials within 100 mV; the same seed gives the same.
    seed : int
    keep_totals : bool
        Whether a random start has the same totals of all that the equations conserve. Otherwise only its charges are
        the same (without that potentials would be beyond all bounds), and ends may differ by what the starts hold.

    Returns
    -------
    Basins

    Raises
    ------
    UsageError
        There is no state, or no random start within the bounds has the totals.

    Examples
    --------
    >>> model = iontide.load("scenarios/cells_and_tissues/pump_leak_cell.toml").model
    >>> result = iontide.basins(model, 3)
    >>> [len(end.starts) for end in result.ends]  # one steady state, to which all starts lead
    [3]
    """
    prepared = prepare(model)
    system = system_of(model, prepared)
    if system is None:
        raise UsageError("the model has no state that could start anywhere")
    if isinstance(starts, int):
        random = np.random.default_rng(seed)
        chosen = np.array([_random_start(system, random, keep_totals) for _ in range(starts)])
    else:
        chosen = np.asarray(starts, dtype=float)
        if chosen.ndim != 2 or chosen.shape[1] != len(system.scales):
            raise UsageError(f"starts must be states of {len(system.scales)} numbers, one a row; got {chosen.shape}")
    reached: list[tuple[SteadyState, list[int]]] = []
    without: Counter[str] = Counter()
    for k, start in enumerate(chosen):
        steady = steady_state(model, start)
        if steady.status != "steady":
            without[steady.message] += 1
            continue
        y = steady.trajectory.states[0]
        for other, members in reached:
            if _distance(system, y, other.trajectory.states[0]) < SAME:
                members.append(k)
                break
        else:
            reached.append((steady, [k]))
    ends = sorted((End(steady, tuple(members)) for steady, members in reached), key=lambda end: -len(end.starts))
    return Basins(chosen, tuple(ends), dict(without))


def _distance(system: System, one: NDArray, two: NDArray) -> float:
    return float(np.abs((one - two)[system.active] / system.moved_by(two)).max(initial=0.0))


def _random_start(system: System, random: np.random.Generator, keep_totals: bool) -> NDArray:
    """A state with every amount positive and all that is to be conserved as in the initial state.

    Drawn at random, then adjusted to the conserved totals by least steps of the logarithms of amounts and volumes, so
    that these stay positive; gates and potentials stay as drawn, except where a charge depends on the latter.
    """
    prepared, active = system.prepared, system.active
    layout, y0 = prepared.layout, prepared.initial.y
    potentials = np.isin(active, list(layout.potential_index.values()))
    amounts = active < layout.nonnegative
    gates = ~amounts & ~potentials
    held = system.conserved @ system.active_mass
    if not keep_totals and len(held):
        held = held[(held[:, potentials] != 0.0).any(axis=1)]
    # A state that is conserved by itself stays, and so do amounts that add up to nothing.
    alone = [row != 0.0 for row in held if np.count_nonzero(row) == 1 or not (np.abs(row) @ np.abs(y0[active]))]
    fixed = np.any(alone, axis=0) if alone else np.zeros(len(active), dtype=bool)
    # 100 mV, or the charge that makes it.
    reach = system.scales[active] * (0.1 / POTENTIAL_SCALE)
    for _ in range(MOST_TRIALS):
        y = y0[active].copy()
        y[amounts] = np.where(y > 0.0, y, 1e-3 * system.scales[active])[amounts] * np.exp(
            np.log(SPREAD) * random.uniform(-1.0, 1.0, int(amounts.sum()))
        )
        y[gates] = random.uniform(0.0, 1.0, int(gates.sum()))
        y[potentials] = random.uniform(-1.0, 1.0, int(potentials.sum())) * reach[potentials]
        y[fixed] = y0[active][fixed]
        y = _adjusted(held, y0[active], y, amounts & ~fixed, np.where(potentials & ~fixed, reach, 0.0))
        off = np.abs(held @ (y0[active] - y)) > TOTAL_TOLERANCE * (np.abs(held) @ np.abs(y0[active]))
        if not off.any() and (np.abs(y[potentials]) < 2.0 * reach[potentials]).all():
            start = y0.copy()
            start[active] = y
            return start
    raise UsageError("no random start within the bounds has the totals of the model; give starts as an array of states")


def _adjusted(held: NDArray, target: NDArray, y: NDArray, amounts: NDArray, size: NDArray) -> NDArray:
    """The state near y with ``held y = held target``, by damped Newton steps of least size."""
    if not len(held):
        return y
    for _ in range(MOST_STEPS):
        weights = held * np.where(amounts, y, size)
        rows = np.abs(held) @ np.abs(target) + np.abs(weights).max(axis=1)
        rows[rows == 0.0] = 1.0
        step = np.linalg.lstsq(weights / rows[:, np.newaxis], held @ (target - y) / rows, rcond=None)[0]
        step *= min(1.0, 1.0 / max(float(np.abs(step[amounts]).max(initial=0.0)), 1e-300))
        y = np.where(amounts, y * np.exp(np.where(amounts, step, 0.0)), y + size * step)
        if np.abs(step).max() < 1e-14:
            break
    return y


def basin_lines(result: Basins) -> list[str]:
    """Lines of a table: each steady state with its potentials, and how many starts reach it."""
    many = len(result.starts)
    lines = [f"{many} starts, {len(result.ends)} end(s)"]
    for k, end in enumerate(result.ends, 1):
        trajectory = end.steady.trajectory
        potentials = ", ".join(
            f"{name} {1e3 * float(trajectory.membrane_potential(name)[0]):.5f} mV"
            for name in trajectory.model.membranes
        )
        lines.append(f"  end {k}: {len(end.starts)} of {many}: {potentials}")
    lines += [f"  none: {count} of {many}: {reason}" for reason, count in result.without.items()]
    return lines
