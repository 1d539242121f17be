"""Pathways that gain energy from nothing: each must dissipate wherever it runs, or there is a warning.

A pathway that nothing drives (``Pathway.driven_by`` is empty) lives on its gradients alone, so the rate of its cycles
times their driving force, ``J Σ nu Δmu~`` (W m⁻²), is never negative. All such pathways are checked: formulas, whose
law may be anything, and the laws of the library, which dissipate unless a number of theirs is negative. Of a pump that
ATP pays for, ``−ΔG`` is added for each cycle: its law may not know where it must stall. Plain NumPy from the laws and
the samples, nothing of the tape. Reactions are left out: mass action dissipates by its form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...constants import GAS_CONSTANT
from ...model.model import Membrane, Pathway
from ...physics.mechanisms.atp_cycles import REVERSIBLE
from ...simulation.run import Run
from ...simulation.trajectory import Trajectory

#: Driving force over R T below which the sign of a rate is rounding: some 1e-14 in the laws of the library.
FORCE_ROUNDING = 1e-6

#: Driving force over R T below which a law may be right but for constants that were rounded (0.3 mV a charge).
SMALL_FORCE = 0.01


@dataclass(frozen=True)
class Worst:
    """The sample at which a pathway gained most: time (s), cycles outward (mol m⁻² s⁻¹), and Σ nu Δmu~ (J mol⁻¹).

    ``thermal`` is R T there, J mol⁻¹.
    """

    time: float
    rate: float
    force: float
    thermal: float

    @property
    def gain(self) -> float:
        """Power that comes from nothing, W m⁻², positive."""
        return -self.rate * self.force


@dataclass
class Uphill:
    """The check of one pathway from the samples so far.

    Attributes
    ----------
    scale : float
        Largest power so far, of either sign, W m⁻².
    first, last : float or None
        Times of the first and the last sample at which it ran uphill, s; None: there was none.
    unbroken : bool
        Whether it did all the while between these, but for moments without a driving force.
    paused : bool
        Whether it did not, at some sample after ``last``.
    ongoing : bool
        Whether it did at the latest sample.
    worst : Worst or None
    """

    scale: float = 0.0
    first: float | None = None
    last: float | None = None
    unbroken: bool = True
    paused: bool = False
    ongoing: bool = False
    worst: Worst | None = None

    def add(self, time: NDArray, rate: NDArray, force: NDArray, thermal: NDArray, tolerance: float) -> None:
        """Add the next samples; those whose power is not a finite number are left out.

        A power counts that is more than ``tolerance`` of the largest so far: of a gate, an error of the solver may be
        negative. It is measured by what came before, so that it does not matter in which parts a run is added.
        """
        if not len(time):
            return
        power = rate * force
        size = np.abs(power)
        size[~np.isfinite(size)] = 0.0
        before, self.scale = self.scale, max(self.scale, float(np.max(size)))
        self.ongoing = False
        if self.first is None and not (power < 0.0).any():
            return
        limit, strength = tolerance * np.maximum(np.maximum.accumulate(size), before), np.abs(force)
        uphill = (power < 0.0) & (size > limit) & (strength > FORCE_ROUNDING * thermal)
        downhill_or_off = ~uphill & ((power > limit) | (strength > SMALL_FORCE * thermal))
        places = np.flatnonzero(uphill)
        if not len(places):
            self.paused = self.paused or bool(downhill_or_off.any())
            return
        start = places[0] if self.first is None else 0
        if self.paused or downhill_or_off[start : places[-1]].any():
            self.unbroken = False
        self.paused = bool(downhill_or_off[places[-1] :].any())
        self.first = float(time[places[0]]) if self.first is None else self.first
        self.last, self.ongoing = float(time[places[-1]]), bool(uphill[-1])
        i = int(places[np.argmax(size[places])])
        worst = Worst(float(time[i]), float(rate[i]), float(force[i]), float(thermal[i]))
        if self.worst is None or worst.gain > self.worst.gain:
            self.worst = worst


@dataclass
class Dissipation:
    """Every passive pathway and pump of a run, by (membrane, pathway), as far as samples were added."""

    pathways: dict[tuple[str, str], Uphill] = field(default_factory=dict)

    def add(self, part: Trajectory) -> None:
        """Add the next samples."""
        tolerance = part.model.simulation.rtol
        thermal = GAS_CONSTANT * part.temperature
        for membrane in part.model.membranes.values():
            forces: dict[str, NDArray] = {}
            for pathway in membrane.pathways:
                if not pathway.stoichiometry or (pathway.driven_by and not _is_paid_by_atp(pathway)):
                    continue
                force = np.zeros(len(part))
                for name, count in pathway.stoichiometry.items():
                    if name not in forces:
                        forces[name] = part.driving_force(membrane.name, name)
                    force += count * forces[name]
                rate = part.pathway_cycles(membrane.name, pathway.name)
                if pathway.driven_by:  # whichever way it turns, it costs one ATP
                    paid = -part.evaluation.quantity("simulation.atp_free_energy", part.model.atp_free_energy)
                    rate, force = np.abs(rate), paid + np.sign(rate) * force
                known = self.pathways.setdefault((membrane.name, pathway.name), Uphill())
                known.add(part.time, rate, force, thermal, tolerance)

    def warnings(self, run: Run) -> Iterator[str]:
        """A sentence for each passive pathway that ran uphill, and each pump that did more than it was paid for."""
        tolerance = run.model.simulation.rtol
        for membrane in run.model.membranes.values():
            for pathway in membrane.pathways:
                known = self.pathways.get((membrane.name, pathway.name))
                # The largest power may have come later, and the gain be nothing beside it.
                if known is not None and known.worst is not None and known.worst.gain > tolerance * known.scale:
                    yield _sentence(membrane, pathway, known, known.worst)


def _is_paid_by_atp(pathway: Pathway) -> bool:
    """Whether one ATP pays for a cycle by a law that does not know how much that is."""
    return pathway.driven_by == "ATP" and pathway.law not in REVERSIBLE


def _sentence(membrane: Membrane, pathway: Pathway, known: Uphill, worst: Worst) -> str:
    if known.first == known.last:
        when = f"at t = {known.first:g} s"
    else:
        end = "the end" if known.ongoing else f"t = {known.last:g} s"
        when = f"from t = {known.first:g} s to {end}" + ("" if known.unbroken else ", at times")
    amount = (
        f"it carries {_carried(pathway, worst.rate)} at {abs(worst.rate) * 1e6:.3g} umol/m^2/s against a driving force "
        f"of {abs(worst.force) * 1e-3:.3g} kJ/mol, a gain of {worst.gain * 1e3:.3g} mW/m^2"
    )
    name = pathway.name.removeprefix("pathways.")
    if pathway.driven_by:
        return (
            f"{name} of {membrane.name} does more work than ATP pays for {when}: "
            f"at worst, at t = {worst.time:g} s, {abs(worst.force) * 1e-3:.3g} kJ/mol more; "
            "its law must slow down before it stalls, as na_k_atpase_reversible does, or ATP be worth more"
        )
    return (
        f"the pathway {name} of {membrane.name} is passive but runs uphill {when}: "
        f"at worst, at t = {worst.time:g} s, {amount}; {_advice(pathway, worst)}"
    )


def _carried(pathway: Pathway, rate: float) -> str:
    """``3 Na out and 2 K in``, ``K + Cl out``."""
    sign = 1 if rate > 0 else -1
    ways = []
    for way, direction in (("out", 1), ("in", -1)):
        ions = [
            f"{abs(count)} {name}" if abs(count) > 1 else name
            for name, count in pathway.stoichiometry.items()
            if count * sign * direction > 0
        ]
        if ions:
            ways.append(f"{' + '.join(ions)} {way}")
    return " and ".join(ways)


def _advice(pathway: Pathway, worst: Worst) -> str:
    if pathway.law in ("ghk", "ohmic"):
        number = "permeability" if pathway.law == "ghk" else "conductance"
        return f"its {number} is negative there, which no passive pathway has"
    advice = 'correct its law, or name what pays for it: driven_by = "ATP"'
    if abs(worst.force) < SMALL_FORCE * worst.thermal:
        advice += " (so small a force may come of a rounded constant: the law must stop where the driving force is 0)"
    return advice
