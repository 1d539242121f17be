"""What kind of end a state is, from its fluxes and forces: an equilibrium, a driven steady state, or neither.

* Nernst equilibrium: no pathway through a membrane that lets something pass has a force on what it moves.
* Donnan equilibrium: the same, with charge that cannot pass, and therefore a membrane potential.
* Driven steady state: nothing changes, but fluxes go on; the sentence names what drives them, with its power.
* Not converged: the state is not at the steady state that it is going to.
* No steady state: a volume diverges, something is used up, the system oscillates, or the run failed.

``classify_ends`` decides it for the ends of many runs at once. One run is an array of one end, with the distance to
the root that Newton's method finds; the points of a sweep have the distance of one linearised step over a long time in
its place. That alone differs between the two: a sweep does not search for a root at a million points, so what
oscillates or diverges is "not converged" there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..constants import GAS_CONSTANT
from ..formulas.display import duration_text, power_text
from ..numerics.period import period_of
from ..simulation.prepare import prepare
from ..simulation.trajectory import Trajectory
from .energy import power_terms
from .energy.terms import Power, Terms
from .steady import SteadyState, steady_after
from .steady_system import System, system_of

Kind = Literal["nernst_equilibrium", "donnan_equilibrium", "driven_steady_state", "not_converged", "no_steady_state"]

#: Every kind; arrays of kinds hold places in this tuple, and so do result files.
KINDS: tuple[Kind, ...] = get_args(Kind)
NERNST, DONNAN, DRIVEN, NOT_CONVERGED, NO_STEADY_STATE = range(len(KINDS))

#: A kind in a sentence or a legend.
KIND_NAMES: Mapping[str, str] = {
    kind: kind.replace("_", " ").replace("nernst", "Nernst").replace("donnan", "Donnan") for kind in KINDS
}

#: A force, in units of RT, below which a pathway is in equilibrium: the solver's tolerance, this many times.
FORCE_TOLERANCES = 1e3

#: How far from a steady state, relative to each state and in units of the tolerance, a run still counts as being there.
ARRIVED_TOLERANCES = 1e3

#: Fraction of the total dissipation below which a driver is not worth naming.
WORTH_NAMING = 1e-3

#: Fraction of the total dissipation below which a power is rounding; and a power (W) that is nothing: one kT an hour.
ROUNDING, THERMAL = 1e-9, 1e-24

#: How far an amount must have to go, relative to itself, to be what a potential or a gate waits for.
FAR = 1e-3

BATHS = "the baths, which differ"

#: Potentials below this, V, are none; a sentence mentions at most so many.
NO_POTENTIAL, MOST_POTENTIALS = 1e-6, 3


@dataclass(frozen=True)
class Classification:
    """The kinds of many ends, and what they rest on; every array has the shape (ends,).

    Attributes
    ----------
    kind : int array
        Places in ``KINDS``.
    largest_force : array
        Of all passive pathways that let something pass, in units of RT; NaN of an end that is not steady.
    dissipation : array
        Of all passive processes, W; NaN of an end that is not steady.
    drivers : sequence of (str, array)
        What supplies power, and how much, W; 0 where it is no more than rounding, or the end is not steady.
    """

    kind: NDArray[np.int64]
    largest_force: NDArray
    dissipation: NDArray
    drivers: list[tuple[str, NDArray]]


def classify_ends(
    ends: Trajectory, tolerance: float, distance: NDArray | float = 0.0, failed: NDArray | bool = False
) -> Classification:
    """Decide of what kind the ends of many runs are.

    Parameters
    ----------
    ends : Trajectory
        One sample for each end.
    tolerance : float
        Relative tolerance with which the ends were computed.
    distance : array, shape (ends,), or float
        How far each is from its steady state, relative to each state and in units of the tolerance.
    failed : bool array, shape (ends,), or bool
        Which runs came to no end.

    Returns
    -------
    Classification
    """
    count = len(ends)
    failed = np.broadcast_to(failed, count)
    rows = np.flatnonzero(~failed & (np.broadcast_to(distance, count) <= ARRIVED_TOLERANCES))
    kind = np.where(failed, NO_STEADY_STATE, NOT_CONVERGED)
    if not len(rows):
        return Classification(kind, np.full(count, np.nan), np.full(count, np.nan), [])
    steady = ends if len(rows) == count else ends.part(rows)
    largest = _largest_force(steady)
    dissipation, drivers = _powers(steady)
    driven = largest > FORCE_TOLERANCES * tolerance
    for _, power in drivers:
        driven |= power != 0.0
    kind[rows] = np.where(driven, DRIVEN, np.where(_has_potential(steady) & _is_donnan(steady), DONNAN, NERNST))

    def spread(values: NDArray, elsewhere: float) -> NDArray:
        every = np.full(count, elsewhere)
        every[rows] = values
        return every

    return Classification(
        kind, spread(largest, np.nan), spread(dissipation, np.nan), [(k, spread(v, 0.0)) for k, v in drivers]
    )


@dataclass(frozen=True)
class Verdict:
    """The kind of end of a run, or of a steady state, for a person.

    Attributes
    ----------
    kind : str
        One of ``KINDS``.
    sentence : str
        The kind, with the reason or what maintains it.
    numbers : mapping of str to float
        What it rests on, units in the names.
    """

    kind: Kind
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)


def verdict_of(trajectory: Trajectory) -> Verdict:
    """The verdict of a run, from its last sample (and, of an oscillation, from the samples before it).

    Examples
    --------
    >>> trajectory = iontide.run("scenarios/first_principles/donnan_equilibrium.toml")
    >>> iontide.verdict_of(trajectory).kind
    'donnan_equilibrium'
    """
    run = trajectory.run
    if not len(trajectory):
        return Verdict("no_steady_state", "no verdict: nothing was recorded")
    if run.status == "failed":
        used_up = re.search(r": (the [^:]* is used up)", run.message)
        sentence = f"no steady state: {used_up[1]}" if used_up else f"no verdict: {run.message}"
        return Verdict("no_steady_state", sentence)
    period = _period(trajectory)
    if period is not None:
        sentence = f"no steady state: it oscillates, with a period of {duration_text(period)}"
        return Verdict("no_steady_state", sentence, {"period_s": period})
    end = trajectory.part(slice(len(trajectory) - 1, None))
    tolerance = run.model.simulation.rtol
    system = system_of(run.model, prepare(run.model))
    if system is None:
        return _verdict_of_end(end, classify_ends(end, tolerance))
    root = steady_after(end)
    if root.status == "none":
        return Verdict("no_steady_state", f"no steady state: {root.message}")
    y = end.states[0]
    away = np.abs(root.trajectory.states[0] - y)[system.active] / system.moved_by(y)
    found = classify_ends(end, tolerance, float(away.max(initial=0.0)) / tolerance)
    if found.kind[0] == NOT_CONVERGED:
        return _not_converged(root, system, away, y)
    return _verdict_of_end(end, found)


def verdict_of_steady(found: SteadyState) -> Verdict:
    """The verdict of a steady state that was looked for."""
    if found.status == "none":
        return Verdict("no_steady_state", f"no steady state: {found.message}")
    return _verdict_of_end(found.trajectory, classify_ends(found.trajectory, 1e-9))


def _verdict_of_end(end: Trajectory, found: Classification) -> Verdict:
    """The verdict of a steady end, a trajectory of one sample."""
    kind = KINDS[int(found.kind[0])]
    dissipation = float(found.dissipation[0])
    numbers = {"largest_force_RT": float(found.largest_force[0]), "dissipation_W": dissipation}
    if kind != "driven_steady_state":
        potentials = {m: float(end.membrane_potential(m)[0]) for m in end.model.membranes}
        charged = [f"{1e3 * v:.4g} mV across {m}" for m, v in potentials.items() if abs(v) > NO_POTENTIAL]
        listed = ", ".join(charged[:MOST_POTENTIALS]) + (", …" if len(charged) > MOST_POTENTIALS else "")
        sentence = f"{KIND_NAMES[kind]}: no force on anything that can pass" + (f", with {listed}" if listed else "")
        return Verdict(kind, sentence, numbers)
    powers = [(label, float(power[0])) for label, power in found.drivers]
    named = sorted((p for p in powers if abs(p[1]) > WORTH_NAMING * dissipation), key=lambda p: -abs(p[1]))
    listed = ", ".join(f"{label} ({power_text(power)})" for label, power in named) or "nothing that can be named"
    for label, power in named:
        key = f"power_of_{label.replace(' ', '_')}_W"
        numbers[key] = numbers.get(key, 0.0) + power
    return Verdict(kind, f"{KIND_NAMES[kind]}, maintained by {listed}", numbers)


def _largest_force(ends: Trajectory) -> NDArray:
    """The largest force on what a cycle moves, of all passive pathways that let something pass, in units of RT."""
    largest = np.zeros(len(ends))
    with np.errstate(all="ignore"):
        thermal = GAS_CONSTANT * ends.temperature
        for name, m in ends.model.membranes.items():
            for p in m.pathways:
                if p.driven_by:
                    continue
                forces = (count * ends.driving_force(name, s) for s, count in p.stoichiometry.items())
                force = sum(forces, np.zeros(len(ends))) / thermal
                runs = np.isfinite(force) & (ends.pathway_cycles(name, p.name) != 0.0)
                largest = np.where(runs, np.maximum(largest, np.abs(force)), largest)
    return largest


def _powers(ends: Trajectory) -> tuple[NDArray, list[tuple[str, NDArray]]]:
    """What all that is passive dissipates (W), and what drives it: pumps by their work on the ions, and the rest."""
    with np.errstate(all="ignore"):
        terms = power_terms(ends)
    drivers = list(_supplies(terms))
    passive = [sink for sink in terms.sinks if sink.kind != "pump"]
    dissipation = np.zeros(len(ends))
    for sink in passive:
        dissipation = dissipation + np.where(sink.values > 0.0, sink.values, 0.0)
        uphill = np.where(sink.values < 0.0, -sink.values, 0.0)
        drivers.append((f"{sink.label}, which is passive but runs uphill", uphill))
    least = np.maximum(THERMAL, ROUNDING * dissipation)
    return dissipation, [(label, np.where(np.abs(power) > least, power, 0.0)) for label, power in drivers]


def _supplies(terms: Terms) -> Iterator[tuple[str, NDArray]]:
    """What supplies power to the membranes (W), each with a name for a sentence; all baths together are one."""
    for pump in terms.pumps.values():
        yield f"{pump.pathway.split('.')[-1]} of {pump.membrane}", pump.work
    baths = [source.values for source in terms.sources if source.kind == "bath"]
    if baths:
        yield BATHS, sum(baths[1:], baths[0])
    for source in terms.sources:
        if source.kind not in ("bath", "pump"):
            yield _name_of(source, terms), source.values


def _name_of(source: Power, terms: Terms) -> str:
    if source.kind == "injection":
        into = next(i.compartment for i in terms.model.injections if source.path == f"injections.{i.name}")
        return f"the current into {into}"
    return f"the {source.label}" if source.kind == "clamp" else source.label


def _has_potential(ends: Trajectory) -> NDArray:
    """Whether there is a potential across some membrane."""
    found = np.zeros(len(ends), dtype=bool)
    for name in ends.model.membranes:
        found |= np.abs(ends.membrane_potential(name)) > NO_POTENTIAL
    return found


def _is_donnan(ends: Trajectory) -> NDArray:
    """Whether some membrane lets several ions pass, and charge is on one of its sides that cannot."""
    model = ends.model
    found = np.zeros(len(ends), dtype=bool)
    for m in model.membranes.values():
        moved = {s for p in m.pathways if not p.driven_by for s in p.stoichiometry if model.species[s].valence}
        if len(moved) > 1:
            for side in (m.inside, m.outside):
                found |= _fixed_charge(ends, side, moved)
    return found


def _fixed_charge(ends: Trajectory, compartment: str, moved: set[str]) -> NDArray:
    """Whether a finite compartment holds charge that does not pass: impermeants, or ions that no pathway takes."""
    c, found = ends.model.compartments[compartment], np.zeros(len(ends), dtype=bool)
    if not c.is_finite:
        return found
    for impermeant in c.impermeants:
        found |= impermeant.valence * np.asarray(ends.evaluation.impermeant_amount(compartment, impermeant.name)) != 0.0
    for s in c.concentrations:
        if s not in moved and ends.model.species[s].valence:
            found |= ends.concentration(compartment, s) > 0.0
    return found


def _not_converged(found: SteadyState, system: System, away: NDArray, y: NDArray) -> Verdict:
    """How far the state has to go that has furthest to go, in its own measure, and how long that takes."""
    names = [system.prepared.layout.names[i] for i in system.active]
    # Potentials and gates follow what is where: where that still moves, it is the reason.
    content = np.array([name.startswith(("amount", "volume")) for name in names])
    leading = np.where(content, away, 0.0)
    row = int(np.argmax(leading if leading.max() > FAR else away))
    place = int(system.active[row])
    name, gap = names[row], float(found.trajectory.states[0][place] - y[place])
    if name.startswith("potential"):
        left = f"{1e3 * gap:+.3g} mV"
    elif name.startswith("gate"):
        left = f"{gap:+.3g}"
    else:
        percent = 100.0 * gap / abs(y[place]) if y[place] else float("inf")
        left = f"{percent:+.3g} %" if abs(percent) < 100.0 else f"{percent:+.0f} %" if y[place] else "all the way"
    slowest = max((mode.time_constant for mode in found.modes), default=float("nan"))
    numbers = {"furthest": float(away.max()), "slowest_time_constant_s": slowest}
    sentence = f"not converged: the {name} has {left} to go, and the slowest time constant is {duration_text(slowest)}"
    return Verdict("not_converged", sentence, numbers)


def _period(trajectory: Trajectory) -> float | None:
    """Period (s) of an oscillation that goes on until the end of a run."""
    columns = (trajectory.potential(c) for c in trajectory.run.layout.potentials)
    return next((p for v in columns if (p := period_of(trajectory.time, v)) is not None), None)
