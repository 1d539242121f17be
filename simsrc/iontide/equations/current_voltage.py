"""The current of a membrane as a function of its potential alone, all else as it is at a moment of a run.

Concentrations, parameters, time and gates are held (a gate that follows at once, too); of the pathways each law is
built anew with V as its one variable, differentiated exactly, and computed in NumPy at all samples at once. From it
follow the potential at which the membrane's current would be 0, its slope conductance, and the share of each ion in
that, its *fractional slope conductance*.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..constants import FARADAY, GAS_CONSTANT
from ..errors import UnknownNameError
from ..model.model import Gate, Membrane, Model, Pathway
from ..numerics.roots import bracket_around, rising_roots
from ..symbolic.expression import Graph
from ..symbolic.tape import assemble
from .evaluation import Evaluation
from .states import Layout

#: First step (V) in the search for a zero-current potential, doubled up to this many times: to ± 2 V from V.
FIRST_STEP, DOUBLINGS = 1e-3, 11

#: Samples that are computed at once, so that their intermediate results take little room.
ROWS = 4096


class _HeldMembrane(Evaluation):
    """A membrane over expressions, with its potential as the one state; each number it needs is an input by name."""

    def __init__(self, model: Model, layout: Layout, membrane: Membrane) -> None:
        self.graph = Graph()
        potentials: dict[str, Any] = dict.fromkeys(model.compartments, 0.0)
        # Laws and formulas of a membrane know its potential only: the difference of these two.
        potentials[membrane.inside] = self.graph.state(0)
        super().__init__(
            model,
            layout,
            lambda path: self.graph.input(f"given {path}"),
            lambda i: self.graph.input(f"state {i}"),
            self.graph.input("within"),
            potentials=potentials,
        )
        self.gates: dict[str, tuple[Membrane, Pathway, Gate]] = {}

    def gate(self, membrane: Membrane, pathway: Pathway, gate: Gate) -> Any:
        """An input, whatever the gate follows: it is held."""
        name = f"gate {membrane.name}|{pathway.name}|{gate.name}"
        self.gates[name] = (membrane, pathway, gate)
        return self.graph.input(name)


class CurrentVoltage:
    """Current against potential of one membrane at every sample of a run.

    Parameters
    ----------
    evaluation : Evaluation
        The model over arrays of samples.
    membrane : Membrane
    samples : int
    """

    def __init__(self, evaluation: Evaluation, membrane: Membrane, samples: int) -> None:
        self.pathways = [
            p for p in membrane.pathways if any(evaluation.model.species[name].valence for name in p.stoichiometry)
        ]
        self._at, self._membrane, self._samples = evaluation, membrane, samples
        self._program = None
        if self.pathways:
            held = _HeldMembrane(evaluation.model, evaluation.layout, membrane)
            zero = held.graph.constant(0.0)
            self._program = assemble([zero + held.cycles(membrane, p) for p in self.pathways], {})
            self._inputs = [self._number(held, name) for name in self._program.inputs]
        self._slopes: NDArray | None = None

    def _number(self, held: _HeldMembrane, name: str) -> NDArray:
        """An input at every sample."""
        kind, _, rest = name.partition(" ")
        if kind == "gate":
            value = self._at.gate(*held.gates[name])
        elif kind == "state":
            value = self._at.state(int(rest))
        else:
            value = self._at.given(rest) if kind == "given" else self._at.within
        return np.broadcast_to(np.asarray(value, dtype=float), (self._samples,))

    def _cycles(self, constants: NDArray, potential: NDArray) -> tuple[NDArray, NDArray]:
        """Cycles outward of each pathway (mol m⁻² s⁻¹) at some samples, and their slopes by V; shape (pathways, …)."""
        assert self._program is not None
        n = len(self.pathways)
        result = self._program.linearised.run(0.0, potential[np.newaxis], constants, {"f": n, "J": n * n, "f_t": n})
        return result["f"], result["J"].reshape(n, n, -1)[:, 0]

    def _prepared(self, rows: slice) -> NDArray:
        assert self._program is not None
        inputs = np.array([values[rows] for values in self._inputs])
        lanes = inputs.shape[1:] or (len(range(*rows.indices(self._samples))),)
        inputs = inputs.reshape(len(self._inputs), *lanes)
        return self._program.prologue.run(0.0, inputs, np.zeros((0, *lanes)), {"k": self._program.constants})["k"]

    def _blocks(self) -> list[slice]:
        return [slice(first, min(first + ROWS, self._samples)) for first in range(0, self._samples, ROWS)]

    def slopes(self) -> NDArray:
        """Slope of each pathway's cycles by V, at the potential that there is, mol m⁻² s⁻¹ V⁻¹; (pathways, samples)."""
        if self._slopes is None:
            v = self._potential()
            self._slopes = np.zeros((len(self.pathways), self._samples))
            for rows in self._blocks() if self.pathways else ():
                self._slopes[:, rows] = self._cycles(self._prepared(rows), v[rows])[1]
        return self._slopes

    def conductance(self, species: str | None = None) -> NDArray:
        """Slope conductance dI/dV of one ion, or of all, S m⁻²."""
        total = np.zeros(self._samples)
        for p, slope in zip(self.pathways, self.slopes(), strict=True):
            total = total + FARADAY * self._charge(p, species) * slope
        return total

    def zero_current_potential(self) -> NDArray:
        """Potential at which the current passes through 0 from below, V; NaN where there is none."""
        charges = np.array([self._charge(p, None) for p in self.pathways], dtype=float)
        result = np.full(self._samples, np.nan)
        for rows in self._blocks() if charges.any() else ():
            constants = self._prepared(rows)

            def current(v: NDArray, constants: NDArray = constants) -> tuple[NDArray, NDArray]:
                cycles, slopes = self._cycles(constants, v)
                return charges @ cycles, charges @ slopes

            low, high = bracket_around(current, self._potential()[rows], FIRST_STEP, DOUBLINGS)
            result[rows] = rising_roots(current, low, high, 1e-3)
        return result

    def _charge(self, pathway: Pathway, species: str | None) -> int:
        valence = self._at.model.species
        return sum(n * valence[name].valence for name, n in pathway.stoichiometry.items() if species in (None, name))

    def _potential(self) -> NDArray:
        v = np.asarray(self._at.membrane_potential(self._membrane), dtype=float)
        return np.broadcast_to(v, (self._samples,))


class MembraneReadings:
    """Currents of the membranes of a trajectory as functions of V, and ratios of one-way fluxes."""

    if TYPE_CHECKING:

        @property
        def evaluation(self) -> Evaluation: ...
        @property
        def model(self) -> Model: ...
        @property
        def temperature(self) -> NDArray: ...
        def __len__(self) -> int: ...
        def driving_force(self, membrane: str, species: str) -> NDArray: ...
        def unidirectional_fluxes(self, membrane: str, species: str) -> tuple[NDArray, NDArray]: ...

    @cached_property
    def _currents_by_voltage(self) -> dict[str, CurrentVoltage]:
        return {}

    def _current_voltage(self, membrane: str) -> CurrentVoltage:
        computed = self._currents_by_voltage
        if membrane not in computed:
            computed[membrane] = CurrentVoltage(self.evaluation, self.model.membrane(membrane), len(self))
        return computed[membrane]

    def zero_current_potential(self, membrane: str) -> NDArray:
        """Potential at which the net current of a membrane would be 0 with all else as it is, inside minus outside, V.

        All pathways count, pumps and formulas too, with concentrations, parameters and gates as they are at each
        sample; currents that an electrode injects do not. It is where the current turns from inward to outward as V
        rises; where there are several such, the first from V on, in the way the current would move V, in
        steps from 1 mV that double up to 2 V. NaN where there is none in that range, where the current does not
        depend on V at all, and where a law has no value.
        """
        with np.errstate(all="ignore"):
            return self._current_voltage(membrane).zero_current_potential()

    def slope_conductance(self, membrane: str, species: str | None = None) -> NDArray:
        """Slope conductance dI/dV of one species, or of a whole membrane, at the membrane potential, S m⁻².

        I is positive outward; concentrations, parameters and gates are held. The slope is exact, of every law. A pump
        whose rate does not depend on V adds nothing.
        """
        if species is not None and species not in self._at_membrane(membrane):
            raise UnknownNameError(f"ion that crosses {membrane}", species, sorted(self._at_membrane(membrane)))
        with np.errstate(all="ignore"):
            return self._current_voltage(membrane).conductance(species)

    def fractional_slope_conductance(self, membrane: str, species: str) -> NDArray:
        """Share of a species in the slope conductance of a membrane, –: how far V follows its reversal potential.

        The shares of all species of a membrane add up to 1. NaN where the slope conductance of the membrane is 0.
        """
        share, every = self.slope_conductance(membrane, species), self.slope_conductance(membrane)
        return np.where(every != 0.0, share / np.where(every != 0.0, every, 1.0), np.nan)

    def ussing_ratio(self, membrane: str, species: str) -> tuple[NDArray, NDArray]:
        """Ratio of the one-way fluxes, efflux / influx, and what Ussing's theorem expects, exp(z F (V − E) / (R T)), –.

        Of the electrodiffusive pathways together, the only ones whose law gives one-way fluxes (an ohmic law gives the
        net flux alone). At equilibrium both are 1. Ions that move in file through a pore, with a power of this ratio
        (Hodgkin & Keynes 1955, J Physiol 128:61), have no law here. NaN where a flux or a concentration is 0.

        Source: Ussing 1949, doi:10.1111/j.1748-1716.1949.tb00633.x.

        Raises
        ------
        ValueError
            As for ``unidirectional_fluxes``.
        """
        efflux, influx = self.unidirectional_fluxes(membrane, species)
        with np.errstate(all="ignore"):
            measured = np.where((efflux > 0.0) & (influx > 0.0), efflux / influx, np.nan)
            expected = np.exp(self.driving_force(membrane, species) / (GAS_CONSTANT * self.temperature))
        return measured, expected

    def _at_membrane(self, membrane: str) -> set[str]:
        return {name for p in self.model.membrane(membrane).pathways for name in p.stoichiometry}
