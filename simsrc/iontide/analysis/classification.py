"""What kind of end a state is, from its fluxes and forces: equilibrium, a steady state that is fed, or neither.

* Nernst equilibrium: every way through a membrane that lets something pass has no force on what it moves.
* Donnan equilibrium: the same, with charge that cannot pass, and so a potential.
* Steady state out of equilibrium: nothing changes, but fluxes go on; what feeds them is named, with its power.
* Not yet steady: a steady state exists, but the state is not at it.
* No steady state: a volume runs away, something is used up, or the system oscillates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..constants import GAS_CONSTANT
from ..formulas.display import duration_text, power_text
from ..numerics.period import period_of
from ..simulation.prepare import prepare
from ..simulation.trajectory import Trajectory
from .energy import energetics
from .steady import SteadyState, steady_after
from .steady_system import System, system_of

Kind = Literal["nernst", "donnan", "fed", "unsettled", "none"]

#: A force, in units of RT, below which a pathway is in equilibrium: the solver's tolerance, this many times.
FORCE_TOLERANCES = 1e3

#: How far from a steady state, relative to each state and in units of the tolerance, a run still counts as being there.
ARRIVED_TOLERANCES = 1e3

#: The share of all dissipation below which what is fed in is not worth naming.
WORTH_NAMING = 1e-3

#: The share of all dissipation below which what is fed in is rounding; and a power (W) that is nothing: one kT an hour.
ROUNDING, THERMAL = 1e-9, 1e-24

#: How far an amount must have to go, relative to itself, to be what a potential or a gate waits for.
FAR = 1e-3

BATHS = "the baths, which differ"

#: Potentials below this, V, are none; so many are told.
NO_POTENTIAL, MOST_POTENTIALS = 1e-6, 3


@dataclass(frozen=True)
class Verdict:
    """What can be said of the end of a run, or of a steady state.

    Attributes
    ----------
    kind : {"nernst", "donnan", "fed", "unsettled", "none"}
    sentence : str
        For a person.
    numbers : mapping of str to float
        What it rests on, units in the names.
    """

    kind: Kind
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)


def verdict_of(trajectory: Trajectory) -> Verdict:
    """The verdict of a run, from its last sample (and, of an oscillation, from the samples before it)."""
    run = trajectory.run
    if not len(trajectory):
        return Verdict("none", "no verdict: nothing was recorded")
    if run.status == "failed":
        used_up = re.search(r": (the [^:]* is used up)", run.message)
        return Verdict("none", f"no steady state: {used_up[1]}" if used_up else f"no verdict: {run.message}")
    period = _period(trajectory)
    if period is not None:
        sentence = f"no steady state: it oscillates, with a period of {duration_text(period)}"
        return Verdict("none", sentence, {"period_s": period})
    end = trajectory.part(slice(len(trajectory) - 1, None))
    prepared = prepare(run.model)
    system = system_of(run.model, prepared)
    if system is None:
        return verdict_of_state(end, run.model.simulation.relative_tolerance)
    found = steady_after(end)
    if found.status == "none":
        return Verdict("none", f"no steady state: {found.message}")
    away = np.abs(found.trajectory.states[0] - end.states[0])[system.active] / system.moved_by(end.states[0])
    tolerance = ARRIVED_TOLERANCES * run.model.simulation.relative_tolerance
    if away.max(initial=0.0) > tolerance:
        return _unsettled(found, system, away, end.states[0])
    return verdict_of_state(end, run.model.simulation.relative_tolerance)


def verdict_of_steady(found: SteadyState) -> Verdict:
    """The verdict of a steady state that was looked for."""
    if found.status == "none":
        return Verdict("none", f"no steady state: {found.message}")
    return verdict_of_state(found.trajectory, 1e-9)


def verdict_of_state(end: Trajectory, tolerance: float) -> Verdict:
    """The verdict of a state that is steady, a trajectory of one sample."""
    largest = max((abs(force) for _, force in _forces(end)), default=0.0)
    dissipated, fed = _powers(end)
    numbers = {"largest_force_RT": largest, "dissipation_W": dissipated}
    if not fed and largest <= FORCE_TOLERANCES * tolerance:
        potentials = {m: float(end.membrane_potential(m)[0]) for m in end.model.membranes}
        charged = [f"{1e3 * v:.4g} mV across {m}" for m, v in potentials.items() if abs(v) > NO_POTENTIAL]
        told = ", ".join(charged[:MOST_POTENTIALS]) + (", …" if len(charged) > MOST_POTENTIALS else "")
        name = "Donnan" if charged and _is_donnan(end) else "Nernst"
        sentence = f"{name} equilibrium: no force on anything that can pass" + (f", with {told}" if told else "")
        return Verdict("donnan" if name == "Donnan" else "nernst", sentence, numbers)
    named = sorted((f for f in fed.items() if abs(f[1]) > WORTH_NAMING * dissipated), key=lambda f: -abs(f[1]))
    told = ", ".join(f"{label} ({power_text(power)})" for label, power in named) or "nothing that can be named"
    numbers |= {f"power_of_{label.replace(' ', '_')}_W": power for label, power in named}
    return Verdict("fed", f"steady state out of equilibrium, fed by {told}", numbers)


def _forces(end: Trajectory) -> Iterator[tuple[str, float]]:
    """Passive pathways that let something pass, with the force on what a cycle moves, in units of RT."""
    thermal = GAS_CONSTANT * float(end.temperature[0])
    with np.errstate(all="ignore"):
        for name, m in end.model.membranes.items():
            for p in m.pathways:
                force = (
                    sum(count * float(end.driving_force(name, s)[0]) for s, count in p.stoichiometry.items()) / thermal
                )
                if not p.driven_by and np.isfinite(force) and float(end.pathway_cycles(name, p.name)[0]) != 0.0:
                    yield p.label, force


def _powers(end: Trajectory) -> tuple[float, dict[str, float]]:
    """What all that is passive dissipates (W), and what feeds it: pumps by their work on the ions, and the rest."""
    with np.errstate(all="ignore"):
        found = energetics(end)
    fed: dict[str, float] = {}
    for pump in found.pumps.values():
        fed[f"{pump.pathway.split('.')[-1]} of {pump.membrane}"] = float(pump.work[0])
    for source in found.sources:
        if source.kind == "bath":
            fed[BATHS] = fed.get(BATHS, 0.0) + float(source.values[0])
        elif source.kind == "injection":
            into = next(i.compartment for i in end.model.injections if source.path == f"injections.{i.name}")
            fed[f"the current into {into}"] = float(source.values[0])
        elif source.kind != "pump":
            fed[f"the {source.label}" if source.kind == "clamp" else source.label] = float(source.values[0])
    passive = [(sink.label, float(sink.values[0])) for sink in found.sinks if sink.kind != "pump"]
    dissipated = sum(power for _, power in passive if power > 0.0)
    for label, power in passive:
        if power < 0.0:
            fed[f"{label}, which is passive but runs uphill"] = -power
    least = max(THERMAL, ROUNDING * dissipated)
    return dissipated, {label: power for label, power in fed.items() if abs(power) > least}


def _is_donnan(end: Trajectory) -> bool:
    """Whether some membrane lets several ions pass, and charge is on one of its sides that cannot."""
    model = end.model
    for m in model.membranes.values():
        moved = {s for p in m.pathways if not p.driven_by for s in p.stoichiometry if model.species[s].valence}
        if len(moved) > 1 and any(_fixed_charge(end, c, moved) for c in (m.inside, m.outside)):
            return True
    return False


def _fixed_charge(end: Trajectory, compartment: str, moved: set[str]) -> bool:
    """Whether a finite compartment holds charge that does not pass: impermeants, or ions that no pathway takes."""
    c = end.model.compartments[compartment]
    if not c.is_finite:
        return False
    amounts = end.run.initial.impermeant_amounts
    if any(x.valence * amounts[c.name, x.name] != 0.0 for x in c.impermeants):
        return True
    kept = [s for s in c.concentrations if s not in moved and end.model.species[s].valence]
    return any(float(end.concentration(compartment, s)[0]) > 0.0 for s in kept)


def _unsettled(found: SteadyState, system: System, away: NDArray, y: NDArray) -> Verdict:
    """How far the state has to go that has furthest to go, in its own measure, and how long that takes."""
    names = [system.prepared.layout.names[i] for i in system.active]
    # Potentials and gates follow what is where: where that still moves, it is the reason.
    content = np.array([name.startswith(("amount", "volume")) for name in names])
    leading = np.where(content, away, 0.0)
    row = int(np.argmax(leading if leading.max() > FAR else away))
    place = int(system.active[row])
    name, gap = names[row], float(found.trajectory.states[0][place] - y[place])
    if name.startswith("potential"):
        told = f"{1e3 * gap:+.3g} mV"
    elif name.startswith("gate"):
        told = f"{gap:+.3g}"
    else:
        percent = 100.0 * gap / abs(y[place]) if y[place] else float("inf")
        told = f"{percent:+.3g} %" if abs(percent) < 100.0 else f"{percent:+.0f} %" if y[place] else "all the way"
    slowest = max((mode.time_constant for mode in found.modes), default=float("nan"))
    numbers = {"furthest": float(away.max()), "slowest_time_constant_s": slowest}
    sentence = f"not yet steady: the {name} has {told} to go, and the slowest time constant is {duration_text(slowest)}"
    return Verdict("unsettled", sentence, numbers)


def _period(trajectory: Trajectory) -> float | None:
    """Period (s) of an oscillation that goes on until the end of a run."""
    columns = (trajectory.potential(c) for c in trajectory.run.layout.potentials)
    return next((p for v in columns if (p := period_of(trajectory.time, v)) is not None), None)
