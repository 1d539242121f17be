"""The balance of energy of a run: power in = dissipation + change of what is stored, at every sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...simulation.trajectory import Trajectory
from .potentials import Levels, Potentials
from .stored import KINDS, Storing, stored_energy
from .terms import Power, PumpPower, Terms

#: Part of the largest power of a run below which the rounding of opposite fluxes is more than 1e-9 of what is left.
ROUNDED = 1e-6


@dataclass(frozen=True)
class Energetics:
    """Energy over a run. All arrays have the shape (samples,).

    Attributes
    ----------
    time : array
        s.
    driving_forces : mapping of (membrane, species) to array
        Δmu~ = R T ln(a_in / a_out) + z F V, J mol⁻¹, positive outward; NaN where a concentration is 0.
    sources : tuple of Power
        What brings power in, W; negative where it takes power out. A pump's is what its fuel pays; a bath's, what it is
        worth beside the first bath, from which all is measured (that one gives 0, and is left out).
    sinks : tuple of Power
        What is dissipated, W: ``A J Σ nu Δmu~`` of a passive pathway, of a pump what its fuel pays but its ions do not
        get. Negative where something passive runs uphill, or a pump delivers more than its fuel is worth.
    pumps : mapping of str to PumpPower
        By path.
    stored : mapping of str to array
        Free energy, J: ``chemical`` (measured from the bath), ``electrical``, ``elastic``.
    storing : mapping of str to array
        Their rates of change, W, from the rates of the states.
    """

    time: NDArray
    driving_forces: Mapping[tuple[str, str], NDArray]
    sources: tuple[Power, ...]
    sinks: tuple[Power, ...]
    pumps: Mapping[str, PumpPower]
    stored: Mapping[str, NDArray]
    storing: Mapping[str, NDArray]

    @property
    def power_in(self) -> NDArray:
        """Sum of the sources, W."""
        return self._sum(power.values for power in self.sources)

    @property
    def dissipation(self) -> NDArray:
        """Entropy production times temperature, T sigma, W."""
        return self._sum(power.values for power in self.sinks)

    @property
    def free_energy(self) -> NDArray:
        """Sum of what is stored, J."""
        return self._sum(self.stored.values())

    @property
    def residual(self) -> NDArray:
        """Power in − dissipation − change of what is stored, W: 0 to rounding."""
        return self.power_in - self.dissipation - self._sum(self.storing.values())

    @property
    def throughput(self) -> NDArray:
        """The largest term of the balance, of either sign, W."""
        terms = [np.abs(p.values) for p in (*self.sources, *self.sinks)] + [np.abs(v) for v in self.storing.values()]
        return np.max([np.zeros(len(self.time)), *terms], axis=0)

    @property
    def closure(self) -> NDArray:
        """The residual relative to the largest term at the same sample, or to ``ROUNDED`` of that of all samples."""
        largest = self.throughput
        scale = np.maximum(largest, ROUNDED * np.max(largest, initial=0.0))
        return np.where(scale > 0.0, np.abs(self.residual) / np.where(scale > 0.0, scale, 1.0), 0.0)

    def _sum(self, arrays: Iterable[NDArray]) -> NDArray:
        return sum(arrays, np.zeros(len(self.time)))


def energetics(trajectory: Trajectory) -> Energetics:
    """Power that a run takes in, stores and dissipates, at every sample.

    Power in = dissipation + change of what is stored. That holds to rounding where the states obey their equations so;
    where a potential is algebraic (no capacitance), between the steps of the solver it does to the tolerance of the
    run.

    What is not negative by law is the dissipation of passive pathways, of reactions, and of water whose reflection
    coefficients are 1. An exchange that carries a charge may gain from the potential. A reaction without a way back
    dissipates what it lets go of. A reaction whose constants do not agree with the levels of the solutes (they depend
    on the state, or go round in a circle) is driven: what that takes is among the sources.

    Isothermal: where a protocol moves the temperature, what that does to the stored energy is counted among the
    sources as if it were work; so is what moves a bath, a capacitance or an activity coefficient. What a step of the
    protocol does at once is in no sample.

    Parameters
    ----------
    trajectory : Trajectory

    Returns
    -------
    Energetics

    Examples
    --------
    >>> trajectory = iontide.run("scenarios/cells_and_tissues/pump_leak_cell.toml")
    >>> energy = iontide.energetics(trajectory)
    >>> round(1e12 * float(energy.dissipation[-1]), 2)  # pW
    16.44
    >>> round(float(energy.pumps["membranes.plasma.pathways.pump"].efficiency[-1]), 3)
    0.704
    """
    with np.errstate(all="ignore"):  # the end of a failed run may be outside of the range of a law
        return _energetics(trajectory)


def power_terms(trajectory: Trajectory) -> Terms:
    """The sources and sinks of ``energetics`` without what is stored, which takes more to compute."""
    levels = Levels(trajectory.run)
    potentials = Potentials(levels, trajectory.evaluation)
    return Terms(trajectory, potentials, Storing(trajectory, levels, potentials))


def _energetics(trajectory: Trajectory) -> Energetics:
    terms = power_terms(trajectory)
    potentials, storing = terms.potentials, terms.storing
    full = np.zeros(len(trajectory))
    stored = stored_energy(potentials)
    return Energetics(
        time=trajectory.time,
        driving_forces={
            (m, s): trajectory.driving_force(m, s) for m in trajectory.model.membranes for s in trajectory.ions(m)
        },
        sources=tuple(p for p in terms.sources if p.kind != "bath" or p.values.any()),
        sinks=tuple(terms.sinks),
        pumps=terms.pumps,
        stored={kind: stored[kind] + full for kind in KINDS},
        storing={kind: storing.by_kind[kind] + full for kind in KINDS},
    )
