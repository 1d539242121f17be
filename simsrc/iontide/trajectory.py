"""What a run has produced: times and states, and on request everything that follows from them.

All numbers are SI, all arrays have one entry a sample. Derived quantities are computed in plain NumPy from the model
and the samples, by the same rate laws but not through the tape.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .constants import FARADAY, GAS_CONSTANT
from .initial import InitialState
from .layout import Layout
from .mechanisms import LAWS, UNIDIRECTIONAL, Sides, sides_of
from .model import Membrane, Model, Pathway, argument_path
from .schedule import Segment

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Statistics:
    """What a run cost: steps accepted, steps rejected, Jacobians evaluated (a step makes seven rate calls besides)."""

    steps: int = 0
    rejected: int = 0
    jacobians: int = 0


@dataclass(frozen=True)
class Origin:
    """The scenario file behind a run: its name and text as they were, and what ``--set`` changed.

    All empty for a model built in Python.
    """

    name: str = ""
    text: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run without its samples: what was run, how it ended, and the state it ended in.

    Attributes
    ----------
    model : Model
    layout : Layout
    segments : tuple of Segment
    values : tuple of mapping
        Value (SI) of every quantity by path, for each segment.
    initial : InitialState
    status : {"done", "steady", "failed"}
    message : str
        Why it failed; empty otherwise.
    end_time : float
        s.
    end_state : array, shape (n,)
        mol and V, unrounded: a run can go on from it.
    statistics : Statistics
    origin : Origin
    """

    model: Model
    layout: Layout
    segments: tuple[Segment, ...]
    values: tuple[Mapping[str, float], ...]
    initial: InitialState
    status: str
    message: str
    end_time: float
    end_state: NDArray
    statistics: Statistics
    origin: Origin


@dataclass(frozen=True)
class Trajectory:
    """A run and its samples.

    Attributes
    ----------
    run : Run
    time : array, shape (samples,)
        s. Where a protocol step falls, both of its sides are there, at the same time.
    segment : array of int, shape (samples,)
        The stretch between protocol steps that a sample belongs to.
    states : array, shape (samples, n)
        Amounts (mol), then potentials (V), in the order of ``run.layout.names``.
    """

    run: Run
    time: NDArray
    segment: NDArray
    states: NDArray

    @property
    def model(self) -> Model:
        return self.run.model

    @property
    def status(self) -> str:
        """``done`` (to the end), ``steady`` (stopped at a steady state, as asked) or ``failed``."""
        return self.run.status

    @property
    def statistics(self) -> Statistics:
        return self.run.statistics

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        end = f"{self.time[-1]:g} s" if len(self) else "0 s"
        return f"<Trajectory {self.model.title!r}: {len(self)} samples to {end}, {self.status}>"

    def part(self, rows: slice) -> Trajectory:
        """The same run with a stretch of its samples (views, not copies)."""
        return Trajectory(self.run, self.time[rows], self.segment[rows], self.states[rows])

    def value(self, path: str) -> NDArray:
        """A quantity of the model over time, SI, by its path; it changes only at protocol steps."""
        return np.array([values[path] for values in self.run.values])[self.segment]

    # -- compartments ---------------------------------------------------------------------------------------------

    def amount(self, compartment: str, species: str) -> NDArray:
        """Amount, mol; raises ``KeyError`` for a bath, which has none."""
        i = self.run.layout.amount_index.get((compartment, species))
        if i is not None:
            return self.states[:, i]
        return self.concentration(compartment, species) * self.volume(compartment)

    def volume(self, compartment: str) -> NDArray:
        """Solvent volume, m³."""
        return self.value(f"compartments.{compartment}.volume")

    def concentration(self, compartment: str, species: str) -> NDArray:
        """Concentration, mol m⁻³."""
        i = self.run.layout.amount_index.get((compartment, species))
        if i is not None:
            return self.states[:, i] / self.volume(compartment)
        path = f"compartments.{compartment}.concentrations.{species}"
        if self.model.compartments[compartment].is_finite:  # its amount stays what it was at the start
            return np.full(len(self), self.run.values[0][path])
        return self.value(path)

    def activity_coefficient(self, compartment: str, species: str) -> NDArray:
        """Activity coefficient."""
        if species in self.model.compartments[compartment].activity_coefficients:
            return self.value(f"compartments.{compartment}.activity_coefficients.{species}")
        return np.ones(len(self))

    def activity(self, compartment: str, species: str) -> NDArray:
        """Activity as a concentration, a = gamma c, mol m⁻³."""
        return self.activity_coefficient(compartment, species) * self.concentration(compartment, species)

    def potential(self, compartment: str) -> NDArray:
        """Potential against the ground, V."""
        i = self.run.layout.potential_index.get(compartment)
        return np.zeros(len(self)) if i is None else self.states[:, i]

    # -- membranes ------------------------------------------------------------------------------------------------

    def membrane_potential(self, membrane: str) -> NDArray:
        """V = psi_inside − psi_outside, V."""
        m = self.model.membranes[membrane]
        return self.potential(m.inside) - self.potential(m.outside)

    def ions(self, membrane: str) -> list[str]:
        """Species that some pathway of the membrane moves, in the order of the model's species."""
        moved = {name for p in self.model.membranes[membrane].pathways for name in p.moves}
        return [name for name in self.model.species if name in moved]

    def reversal_potential(self, membrane: str, species: str) -> NDArray:
        """Nernst potential E = (R T / z F) ln(a_out / a_in), V; NaN where a concentration is 0, for there is none.

        Raises
        ------
        ValueError
            For a neutral species.
        """
        valence = self.model.species[species].valence
        if valence == 0:
            raise ValueError(f"{species} is neutral: it has no reversal potential")
        return self._log_ratio(membrane, species) * (
            GAS_CONSTANT * self.value("simulation.temperature") / (valence * FARADAY)
        )

    def driving_force(self, membrane: str, species: str) -> NDArray:
        """Δmu~ = R T ln(a_in / a_out) + z F V, J mol⁻¹; positive drives outward. NaN where a concentration is 0."""
        chemical = -GAS_CONSTANT * self.value("simulation.temperature") * self._log_ratio(membrane, species)
        return chemical + self.model.species[species].valence * FARADAY * self.membrane_potential(membrane)

    def _log_ratio(self, membrane: str, species: str) -> NDArray:
        """ln(a_out / a_in)."""
        m = self.model.membranes[membrane]
        inside, outside = self.activity(m.inside, species), self.activity(m.outside, species)
        defined = (inside > 0) & (outside > 0)
        return np.where(defined, np.log(np.where(defined, outside, 1.0) / np.where(defined, inside, 1.0)), np.nan)

    def pathway_cycles(self, membrane: str, pathway: str) -> NDArray:
        """Rate of a pathway, cycles outward, mol m⁻² s⁻¹; what a cycle carries is ``Pathway.moves``."""
        m, p = self._pathway(membrane, pathway)
        return self._full(LAWS[p.law](self._sides(m), p.moves, self._arguments(m, p)))

    def pathway_current_density(self, membrane: str, pathway: str) -> NDArray:
        """Current density of one pathway, positive outward, A m⁻²."""
        _, p = self._pathway(membrane, pathway)
        charge = sum(count * self.model.species[name].valence for name, count in p.moves.items())
        return FARADAY * charge * self.pathway_cycles(membrane, pathway)

    def flux(self, membrane: str, species: str) -> NDArray:
        """Net flux of a species through all pathways of a membrane, positive outward, mol m⁻² s⁻¹."""
        total = np.zeros(len(self))
        for p in self.model.membranes[membrane].pathways:
            if species in p.moves:
                total = total + p.moves[species] * self.pathway_cycles(membrane, p.name)
        return total

    def unidirectional_fluxes(self, membrane: str, species: str) -> tuple[NDArray, NDArray]:
        """Efflux and influx (both ≥ 0) through the electrodiffusive pathways of a species, mol m⁻² s⁻¹.

        Raises
        ------
        ValueError
            Where the membrane has no pathway for it whose law knows one-way fluxes.
        """
        m = self.model.membranes[membrane]
        own = [p for p in m.pathways if p.law in UNIDIRECTIONAL and species in p.moves]
        if not own:
            raise ValueError(f"{membrane} has no electrodiffusive pathway for {species}")
        sides = self._sides(m)
        pairs = [UNIDIRECTIONAL[p.law](sides, p.moves, self._arguments(m, p)) for p in own]
        efflux, influx = sum(e for e, _ in pairs), sum(i for _, i in pairs)
        return self._full(efflux), self._full(influx)

    def current_density(self, membrane: str, species: str | None = None) -> NDArray:
        """Current density of a species, or of all, positive outward, A m⁻²."""
        names = self.ions(membrane) if species is None else [species]
        total = np.zeros(len(self))
        for name in names:
            total = total + self.model.species[name].valence * FARADAY * self.flux(membrane, name)
        return total

    def area(self, membrane: str) -> NDArray:
        """Area, m²."""
        return self.value(f"membranes.{membrane}.area")

    def _pathway(self, membrane: str, pathway: str) -> tuple[Membrane, Pathway]:
        m = self.model.membranes[membrane]
        for p in m.pathways:
            if pathway in (p.name, p.label):
                return m, p
        known = ", ".join(p.name for p in m.pathways)
        raise KeyError(f"{membrane} has no pathway {pathway}; it has {known}")

    def _sides(self, membrane: Membrane) -> Sides:
        return sides_of(
            self.model,
            membrane,
            self.concentration,
            self.activity_coefficient,
            self.potential,
            self.value("simulation.temperature"),
        )

    def _arguments(self, membrane: Membrane, pathway: Pathway) -> dict[str, NDArray]:
        return {a: self.value(argument_path(membrane, pathway, a)) for a in pathway.arguments}

    def _full(self, value: Any) -> NDArray:
        return np.broadcast_to(np.asarray(value, dtype=float), (len(self),)).copy()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the run to an HDF5 file, whole or not at all; returns the path."""
        from .storage import save

        return save(self, path)
