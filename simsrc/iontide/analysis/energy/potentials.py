"""Chemical potentials of solutes and water, measured from those of a bath.

Only differences of potential do work, so each species has a reference level: its potential in the first bath that
contains it. Then what a cell stores is the work that it could do against its bath; that bath itself gives no power, and
another bath gives the difference between its potential and that of the first. A species that is in no bath is measured
from 1 mM; where it reacts, from the level at which its reactions are in equilibrium with the rest at the start.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...constants import GAS_CONSTANT
from ...equations.evaluation import Evaluation
from ...physics.electrochemical import driving_force
from ...simulation.run import Run
from ...simulation.trajectory import Trajectory

#: Lower bound of an activity in a logarithm, mol m⁻³: dilution to nothing would dissipate without bound.
LEAST_ACTIVITY = 1e-12


class Levels:
    """Reference levels of the species of a run; the same for all of its samples.

    Attributes
    ----------
    model : Model
    bath : str or None
        The first bath of the model, from which water is measured.
    """

    def __init__(self, run: Run) -> None:
        self.model = run.model
        baths = [c for c in run.model.compartments.values() if not c.is_finite]
        self.bath = baths[0].name if baths else None
        # An osmolarity need not be defined where no water moves.
        self._water_moves = any(c.water != "fixed" for c in run.model.compartments.values())
        self._held: dict[str, str] = {}
        for bath in baths:
            for name in bath.concentrations:
                path = f"compartments.{bath.name}.concentrations.{name}"
                if any(values.get(path, 1.0) > LEAST_ACTIVITY for values in run.values):
                    self._held.setdefault(name, bath.name)
        self._settled = self._of_reactions(run)

    def of(self, evaluation: Evaluation, species: str) -> Any:
        """ln of the activity (mol m⁻³) at which the potential of a species is 0."""
        if species in self._held:
            return log_activity(evaluation, self._held[species], species)
        return self._settled.get(species, 0.0)

    def osmolarity(self, evaluation: Evaluation) -> Any:
        """Osmolarity from which the potential of water is measured, mol m⁻³; 0 without a bath or moving water."""
        return 0.0 if self.bath is None or not self._water_moves else evaluation.osmolarity(self.bath)

    def _of_reactions(self, run: Run) -> dict[str, float]:
        """Levels of the species that react and are in no bath: Σ nu x = ln K, as nearly as all reactions allow."""
        reactions = [r for r in run.model.reactions if not isinstance(r.backward, float) or r.backward > 0.0]
        free = sorted({s for r in reactions for s in (*r.reactants, *r.products)} - set(self._held))
        if not free:
            return {}
        evaluation = at_start(run)
        changes = [r.change for r in reactions]
        constants = []
        for reaction, change in zip(reactions, changes, strict=True):
            forward, backward = map(_first, evaluation.reaction_rates(reaction))
            affinity = np.log(forward / backward) if forward > 0.0 and backward > 0.0 else 0.0
            here = sum(nu * _first(log_activity(evaluation, reaction.compartment, s)) for s, nu in change.items())
            held = sum(nu * _first(self.of(evaluation, s)) for s, nu in change.items() if s in self._held)
            constants.append(affinity + here - held)
        rows = np.array([[change.get(s, 0) for s in free] for change in changes], dtype=float)
        levels = np.linalg.lstsq(rows, np.array(constants), rcond=None)[0]
        return dict(zip(free, map(float, levels), strict=True))


class Potentials:
    """The potentials of a model at the samples of an evaluation, J mol⁻¹, each an array or a number.

    Parameters
    ----------
    levels : Levels
    evaluation : Evaluation
    """

    def __init__(self, levels: Levels, evaluation: Evaluation) -> None:
        self.levels, self.evaluation, self.model = levels, evaluation, levels.model
        self._chemical: dict[tuple[str, str], Any] = {}

    @property
    def thermal(self) -> Any:
        """R T, J mol⁻¹."""
        return GAS_CONSTANT * self.evaluation.temperature

    def chemical(self, compartment: str, species: str) -> Any:
        """R T (ln a − level), J mol⁻¹: without the electric part."""
        key = (compartment, species)
        if key not in self._chemical:
            level = self.levels.of(self.evaluation, species)
            self._chemical[key] = self.thermal * (log_activity(self.evaluation, compartment, species) - level)
        return self._chemical[key]

    def difference(self, inside: str, outside: str, species: str) -> Any:
        """Δmu~ = mu~_inside − mu~_outside = R T ln(a_in / a_out) + z F V, J mol⁻¹."""
        logs = log_activity(self.evaluation, inside, species) - log_activity(self.evaluation, outside, species)
        across = self.evaluation.potential(inside) - self.evaluation.potential(outside)
        return driving_force(self.model.species[species].valence, logs, across, self.evaluation.temperature)

    def water(self, compartment: str) -> Any:
        """Potential of water by its volume, R T (osmolarity of the level − osmolarity), J m⁻³; without pressure."""
        return self.thermal * (self.levels.osmolarity(self.evaluation) - self.evaluation.osmolarity(compartment))


def log_activity(evaluation: Evaluation, compartment: str, species: str) -> Any:
    """ln of an activity, mol m⁻³, or of ``LEAST_ACTIVITY`` where it is lower."""
    activity = evaluation.activity_coefficient(compartment, species) * evaluation.concentration(compartment, species)
    return np.log(np.maximum(activity, LEAST_ACTIVITY))


def _first(value: Any) -> float:
    return float(np.asarray(value, dtype=float).flat[0])


def at_start(run: Run) -> Evaluation:
    """The model at the first moment of a run."""
    first = Trajectory(run, np.zeros(1), np.zeros(1, dtype=np.int32), np.asarray(run.initial.y)[np.newaxis])
    return first.evaluation
