"""Relaxation near a steady state: eigenvalues of the linearised system, each with the states that it moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .steady_system import System

#: States that a mode moves by more than this, relative to the one that it moves most, are named, and the most that are.
NAMED_ABOVE, MOST_NAMED = 0.2, 4

#: Time constants this much below the largest are rounding.
LOST = 1e-14


@dataclass(frozen=True)
class Mode:
    """One way in which a disturbance dies away, or grows.

    Attributes
    ----------
    eigenvalue : complex
        s⁻¹.
    states : tuple of str
        The states that it moves most, relative to their size.
    """

    eigenvalue: complex
    states: tuple[str, ...]

    @property
    def time_constant(self) -> float:
        """−1 / Re λ, s: by which it falls to 1/e; negative where it grows."""
        return -1.0 / self.eigenvalue.real if self.eigenvalue.real else float("inf")


def modes_of(system: System, y: NDArray) -> tuple[Mode, ...]:
    """The modes at a steady state, growing ones first and then the slowest.

    What is conserved, and what follows at once, makes no mode; nor does one so fast that it is lost in rounding beside
    the slowest.
    """
    if not len(system.active):
        return ()
    relaxation = system.relaxation(y)
    if relaxation is None:
        return ()
    matrix, reachable = relaxation
    values, vectors = np.linalg.eig(matrix)
    names = [system.prepared.layout.names[i] for i in system.active]
    modes = []
    for k, value in enumerate(values):
        if abs(value) <= LOST * np.abs(values).max(initial=0.0) or value.imag > 0.0:  # one half of each pair is enough
            continue
        weight = np.abs(reachable @ vectors[:, k])
        order = np.argsort(-weight)[:MOST_NAMED]
        named = tuple(names[i] for i in order if weight[i] > NAMED_ABOVE * weight.max())
        modes.append(Mode(complex(-1.0 / value), named))
    return tuple(sorted(modes, key=lambda m: (m.eigenvalue.real < 0.0, abs(m.eigenvalue.real))))
