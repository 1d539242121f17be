"""Result of a run: times and states, and quantities derived from them on request.

All numbers are SI, all arrays have one entry per sample. Derived quantities are computed in plain NumPy from the model
and the samples, by the same rate laws but not through the tape.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY
from ..equations.current_voltage import MembraneReadings
from ..equations.evaluation import Evaluation
from ..equations.tracer_fluxes import TracerReadings
from ..errors import UnknownNameError, UsageError
from ..model.model import Clamp, Compartment, IonClamp, Membrane, Model, Pathway, Species
from ..physics.electrochemical import driving_force, log_ratio, reversal_potential
from ..physics.mechanisms import UNIDIRECTIONAL
from ..symbolic.tape import Program
from .quantities import GROUPS, quantities_of
from .run import Run, Statistics
from .state_rates import state_rates

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Trajectory(MembraneReadings, TracerReadings):
    """A run and its samples.

    Attributes
    ----------
    run : Run
    time : array, shape (samples,)
        s. At a protocol step there are two samples of the same time, before and after it.
    segment : array of int, shape (samples,)
        Number of the segment between protocol steps to which a sample belongs.
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
        """``done`` (to the end), ``steady`` (at a steady state, as asked), ``stopped`` (by an event) or ``failed``."""
        return self.run.status

    @property
    def statistics(self) -> Statistics:
        return self.run.statistics

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        end = f"{self.time[-1]:g} s" if len(self) else "0 s"
        return f"<Trajectory {self.model.title!r}: {len(self)} samples to {end}, {self.status}>"

    def part(self, rows: slice | NDArray) -> Trajectory:
        """The same run with a selection of its samples (views, not copies, for a slice)."""
        return Trajectory(self.run, self.time[rows], self.segment[rows], self.states[rows])

    def __getitem__(self, name: str) -> NDArray:
        """A quantity by its name, SI, shape (samples,); the names are listed in ``simulation.quantities``.

        Powers and electrode potentials are computed by ``iontide.energetics`` and ``iontide.electrode_reading``.

        Raises
        ------
        UnknownNameError
            If there is no such quantity; the message lists similar names.

        Examples
        --------
        >>> trajectory["plasma.V"], trajectory["cell.Na"], trajectory["plasma.E.K"]
        """
        for quantity in quantities_of(self.model, GROUPS):
            if quantity.name == name:
                return np.asarray(quantity.compute(self))
        raise UnknownNameError("quantity", name, [q.name for q in quantities_of(self.model, GROUPS)])

    def value(self, path: str) -> NDArray:
        """A settled quantity of the model over time, SI, by its path; it changes only at protocol steps."""
        return _over_time(self.run, self._segments, path)

    def program_values(self, program: Program, most: int) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
        """Constants and mass matrix of the program for each sample, computed by its prologue, some samples at a time.

        Parameters
        ----------
        program : Program
            That of the model.
        most : int
            Maximum number of samples at a time.

        Yields
        ------
        rows : int array, shape (r,)
            Indices of at most ``most`` samples.
        constants, mass : array, shape (r or 1, …)
            Constants of the tapes and entries of the mass matrix: for each sample, or one set for all of them.
        """
        constants, mass = program.prepare_all(self.run.values)
        for number in np.unique(self.segment):
            of_segment = np.flatnonzero(self.segment == number)
            for first in range(0, len(of_segment), most):
                yield of_segment[first : first + most], constants[[number]], mass[[number]]

    @cached_property
    def _segments(self) -> tuple[NDArray, NDArray]:
        """The segments that contain samples, and for each sample the index of its segment among them."""
        return np.unique(self.segment, return_inverse=True)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The model evaluated at every sample, used by the methods below."""
        # The closure must not refer to this trajectory: a cycle would delay the release of parts of a long run.
        run, segments, states = self.run, self._segments, self.states
        settled: dict[str, Any] = {}

        def given(path: str) -> Any:
            if path not in settled:
                settled[path] = _over_time(run, segments, path)
            return settled[path]

        within = self.time - np.array([s.start for s in run.segments])[self.segment]
        return Evaluation(self.model, run.layout, given, lambda i: states[:, i], within)

    def event_times(self, event: str) -> NDArray:
        """Times at which an event occurred, s, shape (times,)."""
        times = self.run.crossing_times()
        if event not in times:
            raise UnknownNameError("event", event, times)
        return np.array(times[event])

    # -- compartments ---------------------------------------------------------------------------------------------

    def amount(self, compartment: str, species: str) -> NDArray:
        """Amount, mol; raises ``UsageError`` for a bath."""
        if not self._compartment_with(compartment, species).is_finite:
            raise UsageError(f"{compartment} is a bath: it has concentrations, but no amounts")
        return self._full(self.evaluation.amount(compartment, species))

    def volume(self, compartment: str) -> NDArray:
        """Solvent volume, m³; raises ``UsageError`` for a bath."""
        if not self.model.compartment(compartment).is_finite:
            raise UsageError(f"{compartment} is a bath: it has no volume")
        return self._full(self.evaluation.volume(compartment))

    def concentration(self, compartment: str, species: str) -> NDArray:
        """Concentration, mol m⁻³."""
        self._compartment_with(compartment, species)
        return self._full(self.evaluation.concentration(compartment, species))

    def activity_coefficient(self, compartment: str, species: str) -> NDArray:
        """Activity coefficient."""
        self._compartment_with(compartment, species)
        return self._full(self.evaluation.activity_coefficient(compartment, species))

    def activity(self, compartment: str, species: str) -> NDArray:
        """Activity as a concentration, a = gamma c, mol m⁻³."""
        return self.activity_coefficient(compartment, species) * self.concentration(compartment, species)

    def osmolarity(self, compartment: str) -> NDArray:
        """Concentration of all solutes including impermeants, mol m⁻³."""
        self.model.compartment(compartment)
        return self._full(self.evaluation.osmolarity(compartment))

    def potential(self, compartment: str) -> NDArray:
        """Potential relative to the ground, V."""
        self.model.compartment(compartment)
        return self._full(self.evaluation.potential(compartment))

    def parameter(self, name: str) -> NDArray:
        """Value of a parameter, SI."""
        if name not in self.model.parameters:
            raise UnknownNameError("parameter", name, self.model.parameters)
        return self._full(self.evaluation.parameter(name))

    @property
    def temperature(self) -> NDArray:
        """K."""
        return self._full(self.evaluation.temperature)

    # -- membranes ------------------------------------------------------------------------------------------------

    def membrane_potential(self, membrane: str) -> NDArray:
        """Membrane potential, inside minus outside, V."""
        return self._full(self.evaluation.membrane_potential(self.model.membrane(membrane)))

    def ions(self, membrane: str) -> list[str]:
        """Species that some pathway of the membrane moves, in the order of the model's species."""
        moved = {name for p in self.model.membrane(membrane).pathways for name in p.stoichiometry}
        return [name for name in self.model.species if name in moved]

    def reversal_potential(self, membrane: str, species: str) -> NDArray:
        """Nernst potential E = (R T / z F) ln(a_out / a_in), V; NaN where a concentration is 0.

        Raises
        ------
        ValueError
            For a neutral species.
        """
        return reversal_potential(self._valence(species), *self._activities(membrane, species), self.temperature)

    def activity_correction(self, membrane: str, species: str) -> NDArray:
        """ΔE = E_true − E_approx = (R T / z F) ln(gamma_out / gamma_in), V.

        The error of using concentrations instead of activities: E_true is ``reversal_potential``, E_approx the same
        with concentrations. ΔE depends on the concentrations only through the coefficients; it is 0 if these are equal.

        Raises
        ------
        ValueError
            For a neutral species.
        """
        valence, m = self._valence(species), self.model.membrane(membrane)
        inside, outside = (self.activity_coefficient(c, species) for c in (m.inside, m.outside))
        return reversal_potential(valence, inside, outside, self.temperature)

    def _valence(self, species: str) -> int:
        """Valence of an ion; raises ``ValueError`` for a neutral species, which has no reversal potential."""
        valence = self._species(species).valence
        if valence == 0:
            raise ValueError(f"{species} is neutral: it has no reversal potential")
        return valence

    def driving_force(self, membrane: str, species: str) -> NDArray:
        """Δmu~ = R T ln(a_in / a_out) + z F V, J mol⁻¹; positive drives outward. NaN where a concentration is 0."""
        inside, outside = self._activities(membrane, species)
        valence, outward = self._species(species).valence, log_ratio(outside, inside)
        return driving_force(valence, -outward, self.membrane_potential(membrane), self.temperature)

    def _activities(self, membrane: str, species: str) -> tuple[NDArray, NDArray]:
        """Inside and outside, mol m⁻³; both NaN where one of them is 0 or less."""
        m = self.model.membrane(membrane)
        inside, outside = self.activity(m.inside, species), self.activity(m.outside, species)
        defined = (inside > 0) & (outside > 0)
        return np.where(defined, inside, np.nan), np.where(defined, outside, np.nan)

    def pathway_cycles(self, membrane: str, pathway: str) -> NDArray:
        """Rate of a pathway, cycles outward, mol m⁻² s⁻¹; a cycle carries ``Pathway.stoichiometry``."""
        return self._full(self.evaluation.cycles(*self._pathway(membrane, pathway)))

    def gate(self, membrane: str, pathway: str, gate: str) -> NDArray:
        """Value of a gate, 0 to 1."""
        m, p = self._pathway(membrane, pathway)
        for g in p.gates:
            if g.name == gate:
                return self._full(self.evaluation.gate(m, p, g))
        raise UnknownNameError(f"gate of {p.label} in {membrane}", gate, [g.name for g in p.gates])

    def water_flux(self, membrane: str) -> NDArray:
        """Volume flux of water, positive outward, m s⁻¹; 0 if the membrane has no water permeability."""
        m = self.model.membrane(membrane)
        return self._full(0.0 if m.water_permeability is None else self.evaluation.water_flux(m))

    def pathway_current_density(self, membrane: str, pathway: str) -> NDArray:
        """Current density of one pathway, positive outward, A m⁻²."""
        m, p = self._pathway(membrane, pathway)
        return self._full(FARADAY * self.evaluation.charge_of(p) * self.evaluation.cycles(m, p))

    def flux(self, membrane: str, species: str) -> NDArray:
        """Net flux of a species through all pathways of a membrane, positive outward, mol m⁻² s⁻¹."""
        self._species(species)
        total = np.zeros(len(self))
        for p in self.model.membrane(membrane).pathways:
            if species in p.stoichiometry:
                total = total + p.stoichiometry[species] * self.pathway_cycles(membrane, p.name)
        return total

    def unidirectional_fluxes(self, membrane: str, species: str) -> tuple[NDArray, NDArray]:
        """Efflux and influx (both ≥ 0) through the electrodiffusive pathways of a species, mol m⁻² s⁻¹.

        Raises
        ------
        ValueError
            If the membrane has no pathway of the species whose law defines unidirectional fluxes.
        """
        m = self.model.membrane(membrane)
        pathways = [p for p in m.pathways if p.law in UNIDIRECTIONAL and species in p.stoichiometry]
        if not pathways:
            raise ValueError(f"{membrane} has no electrodiffusive pathway for {species}")
        sides = self.evaluation.sides(m)
        pairs = [UNIDIRECTIONAL[p.law](sides, p.stoichiometry, self.evaluation.arguments(m, p)) for p in pathways]
        efflux, influx = sum(e for e, _ in pairs), sum(i for _, i in pairs)
        return self._full(efflux), self._full(influx)

    def current_density(self, membrane: str, species: str | None = None) -> NDArray:
        """Current density of a species, or of all, positive outward, A m⁻²."""
        names = self.ions(membrane) if species is None else [species]
        total = np.zeros(len(self))
        for name in names:
            total = total + self._species(name).valence * FARADAY * self.flux(membrane, name)
        return total

    def clamp_current(self, clamp: str) -> NDArray:
        """Current of a voltage clamp into the inside of its membrane, A; 0 where it is off.

        It includes the capacitive current for a command that changes gradually. A step of the command transfers its
        charge instantaneously, which no sample of a current shows: see ``clamp_supply``.
        """
        self._clamp(clamp, self.model.clamps)
        return self._supply_rate(clamp)

    def clamp_supply(self, clamp: str) -> NDArray:
        """Supply of a clamp since the start: charge (C), or amount of the clamped ion (mol)."""
        self._clamp(clamp, self.model.every_clamp)
        return self.states[:, self.run.layout.supply_index[clamp]]

    def ion_clamp_rate(self, clamp: str) -> NDArray:
        """Rate at which an ion clamp supplies its ion, mol s⁻¹; 0 where it is off."""
        self._clamp(clamp, self.model.ion_clamps)
        return self._supply_rate(clamp)

    def _supply_rate(self, clamp: str) -> NDArray:
        return state_rates(self, self.run.layout.supply_index[clamp])

    def _clamp(self, name: str, clamps: Iterable[Clamp | IonClamp]) -> None:
        known = [clamp.name for clamp in clamps]
        if name not in known:
            raise UnknownNameError("clamp", name, known)

    def area(self, membrane: str) -> NDArray:
        """Area, m²."""
        return self._full(self.evaluation.area(self.model.membrane(membrane)))

    def _pathway(self, membrane: str, pathway: str) -> tuple[Membrane, Pathway]:
        m = self.model.membrane(membrane)
        for p in m.pathways:
            if pathway in (p.name, p.label):
                return m, p
        raise UnknownNameError(f"pathway of {membrane}", pathway, [p.label for p in m.pathways])

    def _compartment_with(self, compartment: str, species: str) -> Compartment:
        """A compartment that contains a species; raises ``UnknownNameError`` if it does not."""
        c = self.model.compartment(compartment)
        if species not in c.concentrations:
            raise UnknownNameError(f"species in {compartment}", species, c.concentrations)
        return c

    def _species(self, name: str) -> Species:
        if name not in self.model.species:
            raise UnknownNameError("species", name, self.model.species)
        return self.model.species[name]

    def _full(self, value: Any) -> NDArray:
        return np.broadcast_to(np.asarray(value, dtype=float), (len(self),)).copy()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the run to an HDF5 file, completely or not at all; returns the path."""
        from ..storage import save

        return save(self, path)


def _over_time(run: Run, segments: tuple[NDArray, NDArray], path: str) -> NDArray:
    """A settled quantity at samples, SI; ``segments`` are ``Trajectory._segments``."""
    numbers, index = segments
    return np.array([run.values[number][path] for number in numbers], dtype=float)[index]
