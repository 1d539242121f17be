"""Charge and mass balance of a run over time, and the warnings that a user should read.

Plain NumPy from the model, the values and the states: nothing of the tape is used, for this is its audit.
``Audit`` processes a run in parts, so that a recording too long for the memory is audited as it streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...constants import FARADAY
from ...model.circuit import connected_parts, grounds, membranes_of
from ...model.model import Injection, Model
from ...physics.activity import out_of_range
from ...simulation.run import Run
from ...simulation.trajectory import Trajectory
from .conservation import Pool, closed_water, conserved_sums, exchange_pools
from .dissipation import Dissipation
from .plausibility import plausibility_warnings

#: Relative drift of charge or mass above which there is a warning.
DRIFT_LIMIT = 1e-10

#: Relative tolerance above which there is a warning that the run is a rough one.
LOOSE_TOLERANCE = 1e-4

#: Charge of the concentrations as given, relative to all charge of the compartment, below which it is rounding.
RESIDUAL_ROUNDING = 1e-6


#: A millionth of one particle, mol (and far less than a water molecule's room, m³): there is nothing.
NOTHING = 1e-30


@dataclass(frozen=True)
class MassBalance:
    """Balance of a total: of one species in the compartments that exchange it, or of a sum that reactions conserve.

    Attributes
    ----------
    what : str
        ``K``; where reactions turn species into one another ``CO2 + HCO3``.
    compartments : tuple of str
        Those whose amounts it is made of.
    sources : tuple of str
        What it is exchanged with: ``bath``, ``injection stimulus``, ``reaction hydration``. Empty where it is closed.
    relative_drift : array, shape (samples,), or None
        Change of the total since the start over all that is, or was, there; 0 to rounding. None where it is open.
    received : array, shape (samples,)
        Net amount received since the start, mol: from the sources, or from nowhere where there are none.
    """

    what: str
    compartments: tuple[str, ...]
    sources: tuple[str, ...]
    relative_drift: NDArray | None
    received: NDArray

    @property
    def is_open(self) -> bool:
        """Whether something may come in or go out, so that the total may change."""
        return bool(self.sources)

    @property
    def label(self) -> str:
        """``K in cell and vacuole``."""
        return f"{self.what} in {' and '.join(self.compartments)}"


@dataclass(frozen=True)
class Summary:
    """The largest drifts of charge and of mass, both relative; 0 where there is nothing to balance."""

    max_charge_drift: float
    max_mass_drift: float


def charge_balance(trajectory: Trajectory) -> dict[str, NDArray]:
    """Relative error of the charge of each finite compartment over time.

    The excess is ``Σ z n + Σ z_X X + residual − Σ ± C A V / F`` (mol of charges), over all charge that is there:
    the same sum with every term taken positive. A current that is injected without an ion to carry it is counted in;
    the compartments of ``unaccounted_charge`` are left out.

    Parameters
    ----------
    trajectory : Trajectory

    Returns
    -------
    dict of str to array, shape (samples,)
        By compartment; 0 to rounding in a sound run.
    """
    left_out = unaccounted_charge(trajectory.model)
    return {
        c.name: _charge_drift(trajectory, c.name)
        for c in trajectory.model.compartments.values()
        if c.is_finite and c.name not in left_out
    }


def _charge_drift(trajectory: Trajectory, compartment: str) -> NDArray:
    run, model = trajectory.run, trajectory.model
    excess = np.full(len(trajectory), run.initial.residual_charge[compartment])
    present = np.abs(excess)
    for name in model.compartments[compartment].concentrations:
        charge = model.species[name].valence * _amount(trajectory, compartment, name)
        excess, present = excess + charge, present + np.abs(charge)
    for impermeant in model.compartments[compartment].impermeants:
        fixed = impermeant.valence * run.initial.impermeant_amounts[compartment, impermeant.name]
        excess, present = excess + fixed, present + abs(fixed)
    for membrane, sign in membranes_of(model, compartment):
        capacity = trajectory.evaluation.capacity(membrane)
        charge = sign * capacity * trajectory.membrane_potential(membrane.name) / FARADAY
        excess, present = excess - charge, present + np.abs(charge)
    for injection, sign in _uncarried(model, compartment):
        charge = sign * _integral(trajectory, f"injections.{injection.name}.current") / FARADAY
        excess, present = excess + charge, present + np.abs(charge)
    for charge in _clamped_charges(trajectory, compartment):
        excess, present = excess + charge, present + np.abs(charge)
    return _ratio(excess, present)


def _clamped_charges(trajectory: Trajectory, compartment: str) -> Iterator[NDArray]:
    """Charge that each clamp has brought in since the start beside the ions, mol: without a carrier, or to offset one.

    What an ion clamp supplies comes with its counter-charge.
    """
    model, supplied = trajectory.model, trajectory.run.layout.supply_index
    for clamp in model.clamps:
        membrane = model.membranes[clamp.membrane]
        if clamp.carried_by is None and compartment in (membrane.inside, membrane.outside):
            sign = 1.0 if compartment == membrane.inside else -1.0
            yield sign * trajectory.states[:, supplied[clamp.name]] / FARADAY
    for held in model.ion_clamps:
        if held.compartment == compartment:
            yield -model.species[held.species].valence * trajectory.states[:, supplied[held.name]]


def _uncarried(model: Model, compartment: str) -> list[tuple[Injection, int]]:
    """Injections that change the potential of a compartment but not its ions (+1), or its ions alone (−1).

    The second are those of a part without a bath as its ground sees them: what comes in there leaves by the ground.
    """
    within = [i for i in model.injections if i.out_of is not None and i.carried_by is None]
    injections = [(i, 1) for i in within if i.compartment == compartment]
    injections += [(i, -1) for i in within if i.out_of == compartment]
    outer = [i for i in model.injections if i.out_of is None]
    if compartment not in grounds(model):
        return injections + [(i, 1) for i in outer if i.compartment == compartment and i.carried_by is None]
    (part,) = (part for part in connected_parts(model) if compartment in part)
    return injections + [
        (i, -1) for i in outer if i.compartment in part and (i.compartment != compartment or i.carried_by is not None)
    ]


def unaccounted_charge(model: Model) -> dict[str, str]:
    """Finite compartments whose charge cannot be balanced, each with the reason."""
    part_of = {name: number for number, part in enumerate(connected_parts(model)) for name in part}
    reasons = {}
    for c in model.compartments.values():
        if not c.is_finite:
            continue
        # What a rinse brings across parts of the model that nothing joins otherwise, the ground of each makes up for.
        across = (e for e in model.exchanges if part_of[e.inside] != part_of[e.outside])
        rinsed = any(part_of[c.name] in (part_of[e.inside], part_of[e.outside]) for e in across)
        if not all(model.is_settled(i.current) for i, _ in _uncarried(model, c.name)):
            reasons[c.name] = "a current that no ion carries, and that varies, flows into it"
        elif rinsed and c.name in grounds(model):
            reasons[c.name] = "it is the ground of a part of the model that is rinsed by another part"
    return reasons


def _integral(trajectory: Trajectory, path: str) -> NDArray:
    """Integral over time, since the start, of a quantity that changes at protocol steps only."""
    segments, values = trajectory.run.segments, [v[path] for v in trajectory.run.values]
    whole = [(s.end - s.start) * v for s, v in zip(segments, values, strict=True)]
    before = np.concatenate(([0.0], np.cumsum(whole)[:-1]))
    starts = np.array([s.start for s in segments])
    k = trajectory.segment
    return before[k] + (trajectory.time - starts[k]) * np.array(values)[k]


def mass_balance(trajectory: Trajectory) -> list[MassBalance]:
    """The balance of every total that a run conserves, and of every species that something supplies.

    A species with a bath within reach is open: its total may change, and what it received is information. A closed
    total must stay, and ``relative_drift`` is how far it does not. Where closed species react, sums of several are
    conserved; water in closed compartments is one more total.
    """
    run, balances = trajectory.run, []
    pools, reactions = exchange_pools(trajectory.model)
    for pool in pools:
        if pool.sources:
            balances.append(_balance(trajectory, {pool: 1}, pool.sources))
    closed = [pool for pool in pools if not pool.sources]
    for weights in conserved_sums(closed, reactions):
        balances.append(_balance(trajectory, weights, ()))
    for group in closed_water(trajectory.model):
        start = sum(run.values[0][f"compartments.{c}.volume"] for c in group)
        change = sum((trajectory.volume(c) for c in group), np.zeros(len(trajectory))) - start
        balances.append(MassBalance("water", group, (), _ratio(change, np.full(len(trajectory), start)), change))
    return balances


def _balance(trajectory: Trajectory, weights: Mapping[Pool, int], sources: tuple[str, ...]) -> MassBalance:
    received, before, present = np.zeros(len(trajectory)), 0.0, np.zeros(len(trajectory))
    for pool, weight in weights.items():
        for c in pool.compartments:
            amount, start = _amount(trajectory, c, pool.species), _initial_amount(trajectory.run, c, pool.species)
            received = received + weight * (amount - start)
            present = present + abs(weight) * np.abs(amount)
            before += abs(weight) * start
    # A conserved difference (X - Y) may start from nothing at all: then it is measured by what is there now.
    drift = None if sources else _ratio(received, np.maximum(before, present))
    terms = [f"{'-' if w < 0 else '+'} {abs(w) if abs(w) > 1 else ''}{p.species}" for p, w in weights.items()]
    what = " ".join(terms).removeprefix("+ ")
    compartments = dict.fromkeys(c for pool in weights for c in pool.compartments)
    return MassBalance(what, tuple(compartments), sources, drift, received)


def _amount(trajectory: Trajectory, compartment: str, species: str) -> NDArray:
    """mol; of a species that nothing moves, what was there at the start."""
    i = trajectory.run.layout.amount_index.get((compartment, species))
    if i is not None:
        return trajectory.states[:, i]
    return np.full(len(trajectory), _initial_amount(trajectory.run, compartment, species))


def _initial_amount(run: Run, compartment: str, species: str) -> float:
    i = run.layout.amount_index.get((compartment, species))
    if i is not None:
        return float(run.initial.y[i])
    path = f"compartments.{compartment}"
    return run.values[0][f"{path}.concentrations.{species}"] * run.values[0][f"{path}.volume"]


def _ratio(change: NDArray, whole: NDArray) -> NDArray:
    """change / whole; 0 where both are 0 (nothing there, nothing lost), infinite where only the whole is."""
    empty = whole < NOTHING
    return np.where(empty, np.where(np.abs(change) < NOTHING, 0.0, np.inf), change / np.where(empty, 1.0, whole))


@dataclass
class Audit:
    """Balances and warnings of a run, from the parts of it that were added so far."""

    charge: dict[str, float] = field(default_factory=dict)
    mass: dict[str, float] = field(default_factory=dict)
    undefined: dict[tuple[str, str], str] = field(default_factory=dict)
    non_finite: dict[str, float] = field(default_factory=dict)
    out_of_range: dict[str, str] = field(default_factory=dict)
    dissipation: Dissipation = field(default_factory=Dissipation)
    activity_corrections: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, part: Trajectory) -> tuple[dict[str, NDArray], list[MassBalance]]:
        """Add the next samples; returns their charge and mass balance."""
        # A state that is not finite, or far out of range, has a warning of its kind; NumPy need not warn as well.
        with np.errstate(all="ignore"):
            return self._add(part)

    def _add(self, part: Trajectory) -> tuple[dict[str, NDArray], list[MassBalance]]:
        charge, mass = charge_balance(part), mass_balance(part)
        for name, drift in charge.items():
            self.charge[name] = _worse(self.charge.get(name, 0.0), drift)
        for balance in mass:
            if balance.relative_drift is not None:
                self.mass[balance.label] = _worse(self.mass.get(balance.label, 0.0), balance.relative_drift)
        self._look_for_non_finite(part)
        self._look_for_undefined(part)
        self._look_out_of_range(part)
        self.dissipation.add(part)
        self._look_at_activity_corrections(part)
        return charge, mass

    def _look_for_non_finite(self, part: Trajectory) -> None:
        for name, column in zip(part.run.layout.names, part.states.T, strict=True):
            bad = ~np.isfinite(column)
            if name not in self.non_finite and bad.any():
                self.non_finite[name] = float(part.time[np.argmax(bad)])

    def _look_out_of_range(self, part: Trajectory) -> None:
        for c in part.model.compartments.values():
            if c.activity != "ideal" and c.name not in self.out_of_range and np.isfinite(part.states).all():
                strength = np.asarray(part.evaluation.ionic_strength(c.name), dtype=float)
                reason = out_of_range(c.activity, strength, part.temperature)
                if reason is not None:
                    self.out_of_range[c.name] = reason

    def _look_at_activity_corrections(self, part: Trajectory) -> None:
        """ΔE where it is largest, V with its sign, by membrane and ion, of those whose activity may matter."""
        for membrane in part.model.membranes:
            for name in part.ions(membrane):
                if part.model.has_activity_correction(membrane, name):
                    corrections = part.activity_correction(membrane, name)
                    corrections = np.append(
                        corrections[np.isfinite(corrections)], self.activity_corrections.get((membrane, name), 0.0)
                    )
                    self.activity_corrections[membrane, name] = float(corrections[np.argmax(np.abs(corrections))]) + 0.0

    def _look_for_undefined(self, part: Trajectory) -> None:
        for membrane in part.model.membranes.values():
            for name in part.ions(membrane.name):
                if part.model.species[name].valence == 0 or (membrane.name, name) in self.undefined:
                    continue
                for side in (membrane.inside, membrane.outside):
                    # A negative one is reported by the solver, NaN above.
                    if (part.concentration(side, name) == 0.0).any():
                        self.undefined[membrane.name, name] = side
                        break

    @property
    def summary(self) -> Summary:
        """Largest relative drifts so far."""
        # Not Python's max, which may lose a NaN.
        return Summary(float(np.max([0.0, *self.charge.values()])), float(np.max([0.0, *self.mass.values()])))

    def warnings(self, run: Run) -> list[str]:
        """Warnings, the most serious first; empty where all is well."""
        sentences = [
            f"the {name} is not a finite number from t = {time:g} s on" for name, time in self.non_finite.items()
        ]
        sentences += [
            f"the charge of {name} drifts by {drift:.2g} of all charge in it (at most {DRIFT_LIMIT:g} is expected)"
            for name, drift in self.charge.items()
            if not drift <= DRIFT_LIMIT
        ]
        sentences += [
            f"the total of {label} drifts by {drift:.2g} of itself (at most {DRIFT_LIMIT:g} is expected)"
            for label, drift in self.mass.items()
            if not drift <= DRIFT_LIMIT
        ]
        sentences += self.dissipation.warnings(run)
        sentences += [
            f"the charge of {name} is not checked: {reason}"
            for name, reason in sorted(unaccounted_charge(run.model).items())
        ]
        tolerance = run.model.simulation.rtol
        if tolerance > LOOSE_TOLERANCE:
            sentences.append(
                f"the relative tolerance of {tolerance:g} is loose: compare with a run at 1e-7 before relying on it"
            )
        sentences += [
            f"the reversal potential of {name} at {membrane} is undefined where its concentration in {side} is 0"
            for (membrane, name), side in self.undefined.items()
        ]
        sentences += [f"in {name}: {reason}" for name, reason in self.out_of_range.items()]
        sentences += plausibility_warnings(run.model)
        return sentences + _residual_charges(run)


def _worse(worst: float, drift: NDArray) -> float:
    """The larger of two sizes, NaN counting as the largest."""
    return float(np.max(np.abs(drift), initial=worst))


def _residual_charges(run: Run) -> list[str]:
    """Compartments whose concentrations as given do not balance; the charge that the membranes hold is left out."""
    sentences = []
    for name, residual in run.initial.residual_charge.items():
        compartment = run.model.compartments[name]
        charges = [run.model.species[s].valence * _initial_amount(run, name, s) for s in compartment.concentrations]
        charges += [i.valence * run.initial.impermeant_amounts[name, i.name] for i in compartment.impermeants]
        present = sum(map(abs, charges))
        if min(abs(residual), abs(sum(charges))) <= RESIDUAL_ROUNDING * present:
            continue
        micromolar = residual / run.values[0][f"compartments.{name}.initial_volume"] * 1e3
        sentences.append(
            f"a fixed charge of {micromolar:+.3g} uM ({abs(residual) / present:.2g} of all charge in it) was added to "
            f"{name} to make its charge exact at the start: its concentrations do not balance to the last digit"
        )
    return sentences


def warnings(trajectory: Trajectory) -> list[str]:
    """Warnings of a run, the most serious first."""
    audit = Audit()
    audit.add(trajectory)
    return audit.warnings(trajectory.run)


def summary(trajectory: Trajectory) -> Summary:
    """Largest relative drift of charge and of mass over all samples."""
    audit = Audit()
    audit.add(trajectory)
    return audit.summary
