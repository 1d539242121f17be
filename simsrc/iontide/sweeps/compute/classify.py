"""The verdict of many ends at once: which of them are at rest, and which of these are in equilibrium.

By the same measures as ``verdict``: how far the end is from the steady state that the linearised equations lead to, and
the forces on what can pass. What runs away or oscillates is "unsettled" here: to tell it from what is merely on its way
takes the Newton search of ``iontide steady``, which a sweep does not make for each point.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...analysis.classification import ARRIVED_TOLERANCES, FORCE_TOLERANCES
from ...constants import GAS_CONSTANT
from ...simulation.trajectory import Trajectory
from ..plan.outputs import VERDICTS

NERNST, DONNAN, FED, UNSETTLED, NONE = range(len(VERDICTS))

#: Potentials below this, V, are none.
_NO_POTENTIAL = 1e-6


def verdicts_of(ends: Trajectory, away: NDArray, failed: NDArray) -> NDArray[np.int64]:
    """Places in ``VERDICTS``, one for each sample of ``ends``, the last states of as many points.

    ``away`` is how far each is from a steady state, in tolerances; ``failed`` says which runs came to no end.
    """
    model, count = ends.model, len(ends)
    tolerance = model.simulation.relative_tolerance
    fed = np.zeros(count, dtype=bool)
    largest = np.zeros(count)
    charged = np.zeros(count, dtype=bool)
    with np.errstate(all="ignore"):
        thermal = GAS_CONSTANT * ends.temperature
        for name, m in model.membranes.items():
            charged |= np.abs(ends.membrane_potential(name)) > _NO_POTENTIAL
            for p in m.pathways:
                runs = ends.pathway_cycles(name, p.name) != 0.0
                if p.driven_by:
                    fed |= runs
                    continue
                force = sum(nu * ends.driving_force(name, s) for s, nu in p.stoichiometry.items()) / thermal
                largest = np.where(runs & np.isfinite(force), np.maximum(largest, np.abs(force)), largest)
        for injection in model.injections:
            fed |= np.broadcast_to(ends.evaluation.injected_current(injection), count) != 0.0
        for source in model.sources:
            fed |= np.broadcast_to(ends.evaluation.supply_rate(source), count) != 0.0
        for held in model.every_clamp:
            for k, hold in enumerate(held.holds, 1):
                active = ends.evaluation.quantity(f"clamps.{held.name}.hold_{k}.active", hold.active)
                fed |= np.broadcast_to(active, count) != 0.0
    fed |= largest > FORCE_TOLERANCES * tolerance
    fixed = any(i.valence for c in model.compartments.values() if c.is_finite for i in c.impermeants)
    rest = np.where(charged & fixed, DONNAN, NERNST)
    found = np.where(fed, FED, rest)
    found = np.where(away <= ARRIVED_TOLERANCES, found, UNSETTLED)
    return np.where(failed, NONE, found)
