"""Junction potentials of solutions that change in time: solved where they must be, and no more often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..physics.electrochemical import thermal_potential
from ..physics.ions import Ion
from .junctions.closed_forms import henderson
from .junctions.liquid_junction import junction_of
from .junctions.pair import SolutionPair

#: Up to this number of compositions, each is solved; of more, as many as the accuracy requires.
_ONE_BY_ONE = 24

#: Accuracy of what is interpolated between two solved ones, V.
_ACCURACY = 1e-8


def junction_series(
    ions: tuple[Ion, ...], pipette: NDArray, bath: NDArray, temperature: NDArray, method: str, activity: str
) -> NDArray:
    """Junction potential, bath relative to pipette, at every sample, V.

    Where there are many compositions, the difference of the stationary solution from Henderson's formula, which is
    small and changes smoothly, is computed at some of the samples and interpolated between them, by halving until that
    is accurate.

    Parameters
    ----------
    ions : tuple of Ion
        Also solutes that are no ions of the library; the valence need not be whole.
    pipette, bath : array, shape (samples, ions)
        mol m⁻³.
    temperature : array, shape (samples,)
        K.
    method, activity : str
    """
    every = np.column_stack([temperature, pipette, bath])
    distinct, back = np.unique(every, axis=0, return_inverse=True)
    n = len(ions)

    def pair(row: NDArray) -> SolutionPair:
        valences = np.array([ion.valence for ion in ions], dtype=float)
        sides = (_neutral(valences, row[1 : n + 1]), _neutral(valences, row[n + 1 :]))
        return SolutionPair(ions, *sides, float(row[0]), activity)

    if len(distinct) <= _ONE_BY_ONE or method != "nernst-planck":
        return np.array([junction_of(pair(row), method).potential for row in distinct])[back.reshape(-1)]
    pairs: dict[int, SolutionPair] = {}

    def quick(k: int) -> float:
        if k not in pairs:
            pairs[k] = pair(every[k])
        p = pairs[k]
        phi = henderson(p.valences, p.diffusion_coefficients, p.activities("pipette"), p.activities("bath"))
        return float(phi * thermal_potential(p.temperature))

    base = np.array([quick(k) for k in range(len(every))])
    known: dict[int, float] = {}

    def excess(k: int) -> float:
        if k not in known:
            known[k] = junction_of(pairs[k], method).potential - base[k]
        return known[k]

    # Where a composition jumps from one sample to the next, one side does not give the other.
    jumps = np.flatnonzero(np.abs(np.diff(base)) > 0.2 * np.ptp(base)) + 1
    spans = list(zip([0, *jumps], [*jumps - 1, len(every) - 1], strict=True))
    result = base.copy()
    while spans:
        low, high = spans.pop()
        middle = (low + high) // 2
        line = np.interp(np.arange(low, high + 1), [low, high], [excess(low), excess(high)])
        if high - low < 2 or abs(line[middle - low] - excess(middle)) <= _ACCURACY:
            result[low : high + 1] = base[low : high + 1] + line
        else:
            spans += [(low, middle), (middle, high)]
    return result


def _neutral(valences: NDArray, c: NDArray) -> NDArray:
    """A solution without its charge, which is what its membranes hold or what a recipe was rounded by."""
    excess = float(valences @ c)
    if excess == 0.0:
        return c
    most = int(np.argmax(np.abs(valences) * c))
    changed = c.copy()
    changed[most] -= excess / valences[most]
    return changed
