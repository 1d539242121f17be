"""The potential that an electrode of a model records over a run, and its parts.

From the amplifier's one terminal to the other: the wire, the solution in the pipette, the junction at its tip (or the
membrane that senses an ion), the compartment, … the compartment of the reference, its junction, its bridge, its wire.

    V_measured = (ψ_tip − ψ_reference) + tip + wire − reference − offset
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..equations.evaluation import Evaluation
from ..errors import UsageError
from ..physics.activity import log_gamma
from ..physics.electrochemical import reversal_potential
from ..physics.ions import Ion, find_ion
from .configurations import PLACEMENTS
from .half_cells import HALF_CELLS, half_cell_potential
from .sensors import sensed_activity
from .series import junction_series

if TYPE_CHECKING:
    from ..model.electrodes import Electrode
    from ..simulation.run import Run
    from ..simulation.trajectory import Trajectory

#: A solution over time: concentrations of its solutes, mol m⁻³, shape (samples,) each.
Solution = Mapping[str, NDArray]


@dataclass(frozen=True)
class ElectrodeReading:
    """The potential that an electrode records; all arrays of shape (samples,), V.

    Attributes
    ----------
    time : array
        s.
    measured : array
        What the amplifier shows.
    membrane_potential : array or None
        What it is to measure; None where it is at no membrane.
    tip_junction : array
        LJP at the tip while recording: of what is around it relative to the filling; 0 where none is left.
    sensed : array
        Potential of a tip that senses an ion; 0 of others.
    bridge_junction : array
        LJP at the reference: of its compartment relative to its bridge.
    wires : array
        Of the electrode's wire less that of the reference's.
    offset : float
        What the amplifier subtracts.
    between : array
        Potential between the two compartments.
    """

    time: NDArray
    measured: NDArray
    membrane_potential: NDArray | None
    tip_junction: NDArray
    sensed: NDArray
    bridge_junction: NDArray
    wires: NDArray
    offset: float
    between: NDArray
    #: Of the membrane potential in what is read: 1 where the tip is inside of it, −1 outside.
    sign: int

    @property
    def error(self) -> NDArray:
        """The reading less the potential that is to be measured."""
        return self.measured - (self.between if self.membrane_potential is None else self.membrane_potential)

    @property
    def shift(self) -> NDArray:
        """The potential between the two compartments less the reading."""
        return self.between - self.measured

    @property
    def rest(self) -> NDArray:
        """The membrane potential less that potential, with its sign; 0 except for an intact cell."""
        assert self.membrane_potential is not None
        return self.membrane_potential - self.sign * self.between


def electrode_reading(trajectory: Trajectory, electrode: str) -> ElectrodeReading:
    """The potential that an electrode of the model records during a run.

    Parameters
    ----------
    trajectory : Trajectory
    electrode : str

    Raises
    ------
    UsageError
        The model has no such electrode.

    Examples
    --------
    >>> trajectory = iontide.run("scenarios/electrodes_and_industry/concentration_cell.toml")
    >>> reading = iontide.electrode_reading(trajectory, "with_bridge")
    >>> round(1e3 * float(abs(reading.measured[-1])), 2)  # mV: (R T / F) ln 10
    59.16
    """
    every = {e.name: e for e in trajectory.model.electrodes}
    if electrode not in every:
        raise UsageError(f"there is no electrode {electrode}; there are {', '.join(every) or 'none'}")
    e = every[electrode]
    place = PLACEMENTS[e.configuration]
    temperature = trajectory.temperature
    between = trajectory.potential(e.compartment) - trajectory.potential(e.reference.compartment)
    here, there = (
        _solution(trajectory.evaluation, c, len(trajectory)) for c in (e.compartment, e.reference.compartment)
    )
    tip, sensed, wire = _tip(trajectory.run, e, here, temperature, place.open_tip)
    bridge, reference_wire = _reference(trajectory.run, e, there, temperature)
    offset = _offset(trajectory.run, e)
    measured = between - tip + sensed + wire - (reference_wire - bridge) - offset
    true = None if e.membrane is None else trajectory.membrane_potential(e.membrane)
    return ElectrodeReading(
        trajectory.time, measured, true, tip, sensed, bridge, wire - reference_wire, offset, between, place.sign
    )


def _offset(run: Run, e: Electrode) -> float:
    """What the amplifier subtracts: the reading of the open pipette in the bath, of a sensor in its place."""
    if e.zeroed_at is None:
        return 0.0
    evaluation = _moment(run, e.zeroed_at)
    temperature = np.array([float(evaluation.temperature)])
    bath = _solution(evaluation, e.reference.compartment, 1)
    around = _solution(evaluation, e.compartment, 1) if e.senses is not None else bath
    tip, sensed, wire = _tip(run, e, around, temperature, True)
    bridge, reference_wire = _reference(run, e, bath, temperature)
    return float((-tip + sensed + wire - (reference_wire - bridge))[0])


def _moment(run: Run, time: float) -> Evaluation:
    """The model at a time; of what follows the state, only at the start."""
    index = max(k for k, s in enumerate(run.segments) if s.start <= time)
    values, start = run.values[index], run.segments[index].start
    return Evaluation(run.model, run.layout, values.__getitem__, lambda i: run.initial.y[i], time - start)


def _solution(evaluation: Evaluation, compartment: str, samples: int) -> Solution:
    c = evaluation.model.compartments[compartment]
    result = {name: evaluation.concentration(compartment, name) for name in c.concentrations}
    for impermeant in c.impermeants:
        result[impermeant.name] = evaluation.impermeant_concentration(compartment, impermeant.name)
    return {name: np.broadcast_to(np.asarray(value, dtype=float), (samples,)) for name, value in result.items()}


def solute_at(run: Run, e: Electrode, name: str) -> Ion:
    """A solute as a junction sees it: with the valence and the mobility that it has in the model."""
    model, library = run.model, find_ion(name)
    if name in model.species:
        species = model.species[name]
        valence: float = species.valence
        ion = Ion(name, species.valence, species.diffusion_coefficient, species.ion_size, species.truesdell_jones)
    else:
        impermeants = (i for c in model.compartments.values() for i in c.impermeants if i.name == name)
        valence = next((i.valence for i in impermeants), library.valence if library else 0.0)
        same = library is not None and library.valence == valence
        # The valence of an impermeant is a mean, which need not be whole.
        ion = library if same and library is not None else Ion(name, valence, 0.0)  # type: ignore[arg-type]
    given = e.diffusion_coefficients.get(name)
    if given is not None:
        return Ion(name, ion.valence, given, ion.ion_size, ion.truesdell_jones)
    return ion


def _junction(run: Run, e: Electrode, first: Mapping[str, float], second: Solution, temperature: NDArray) -> NDArray:
    """LJP of the second solution relative to the first."""
    ions = tuple(solute_at(run, e, name) for name in dict.fromkeys([*first, *second]))
    ions = tuple(ion for ion in ions if ion.valence)
    samples, nothing = len(temperature), np.zeros(len(temperature))
    left = np.tile([first.get(ion.name, 0.0) for ion in ions], (samples, 1))
    right = np.column_stack([second.get(ion.name, nothing) for ion in ions])
    return junction_series(ions, left, right, temperature, e.method, e.activity)


def _tip(
    run: Run, e: Electrode, around: Solution, temperature: NDArray, is_open: bool
) -> tuple[NDArray, NDArray, NDArray]:
    """LJP at the tip, potential of a sensing one, and that of the wire."""
    nothing = np.zeros(len(temperature))
    inside: Solution = {name: np.full(len(temperature), c) for name, c in e.filling.items()} or around
    tip = _junction(run, e, e.filling, around, temperature) if is_open and e.filling and e.senses is None else nothing
    sensed = nothing if e.senses is None else _sensed(run, e, around, temperature)
    return tip, sensed, _wire(run, e, e.wire, inside, temperature)


def _reference(run: Run, e: Electrode, around: Solution, temperature: NDArray) -> tuple[NDArray, NDArray]:
    """LJP of the reference's compartment relative to its bridge, and the potential of its wire."""
    bridge = e.reference.bridge
    inside: Solution = {name: np.full(len(temperature), c) for name, c in bridge.items()} or around
    junction = _junction(run, e, bridge, around, temperature) if bridge else np.zeros(len(temperature))
    return junction, _wire(run, e, e.reference.wire, inside, temperature)


def _wire(run: Run, e: Electrode, wire: str | None, solution: Solution, temperature: NDArray) -> NDArray:
    if wire is None:
        return np.zeros(len(temperature))
    ion = HALF_CELLS[wire].ion
    activity = _activities(run, e, solution, temperature)[ion]
    _refuse_nothing(e, activity, f"{ion} at its wire of {wire}")
    return np.asarray(half_cell_potential(wire, activity, temperature))


def _refuse_nothing(e: Electrode, activity: NDArray, what: str) -> None:
    """The potential of a metal or a sensing tip grows without limit as the activity that it follows goes to 0."""
    if not np.all(activity > 0.0):
        raise UsageError(f"the electrode {e.name} has no {what} at some time of the run, so that it reads nothing then")


def _sensed(run: Run, e: Electrode, around: Solution, temperature: NDArray) -> NDArray:
    assert e.senses is not None
    a = _activities(run, e, around, temperature)
    z = float(solute_at(run, e, e.senses).valence)
    others = [(float(solute_at(run, e, n).valence), k, a[n]) for n, k in e.selectivity.items() if n in a]
    sensed = sensed_activity(z, a.get(e.senses, np.zeros(len(temperature))), others)
    inner = {name: np.full(len(temperature), c) for name, c in e.filling.items()}
    behind = _activities(run, e, inner, temperature)[e.senses] if e.senses in inner else 1e3
    _refuse_nothing(e, sensed, f"{e.senses}, or what interferes with it,")
    return np.asarray(reversal_potential(z, behind, sensed, temperature))


def _activities(run: Run, e: Electrode, solution: Solution, temperature: NDArray) -> dict[str, NDArray]:
    """γ c of every ion of a solution, by the electrode's activity model."""
    if e.activity == "ideal":
        return dict(solution)
    solutes = {name: solute_at(run, e, name) for name in solution}
    strength = sum(0.5 * solutes[name].valence ** 2 * c for name, c in solution.items())
    logarithms = log_gamma(e.activity, solutes, strength, temperature, solution)
    return {name: np.exp(logarithms[name]) * c for name, c in solution.items()}
