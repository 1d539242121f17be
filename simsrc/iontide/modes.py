"""How a system settles near a steady state: eigenvalues of its linearisation, each with what it moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eig, qr

from .equilibration import System

#: States that a mode moves by more than this, relative to the one that it moves most, are named; so many at most.
NAMED_ABOVE, MOST_NAMED = 0.2, 4


@dataclass(frozen=True)
class Mode:
    """One way in which a disturbance dies away, or grows.

    Attributes
    ----------
    eigenvalue : complex
        s⁻¹.
    moves : tuple of str
        The states that it moves most, relative to their size.
    """

    eigenvalue: complex
    moves: tuple[str, ...]

    @property
    def time_constant(self) -> float:
        """−1 / Re λ, s: by which it falls to 1/e; negative where it grows."""
        return -1.0 / self.eigenvalue.real if self.eigenvalue.real else float("inf")


def modes_of(system: System, y: NDArray) -> tuple[Mode, ...]:
    """The modes at a steady state, the slowest first (growing ones before all).

    ``M x' = J x`` is looked at on the states that can be reached while all that is kept stays: there J is regular.
    Algebraic states follow at once; they make no mode.
    """
    if not len(system.active):
        return ()
    _, slopes = system.rates(y)
    size = system.moved_by(y)
    held = system.kept @ system.active_mass * size
    if len(held):
        held = held / np.abs(held).max(axis=1, keepdims=True)
        reachable = qr(held.T)[0][:, len(held) :]
    else:
        reachable = np.eye(len(size))
    weighted = system.left * system.row_scale
    a = weighted @ (slopes * size) @ reachable
    b = weighted @ (system.active_mass * size) @ reachable
    pairs, vectors = eig(a, b, homogeneous_eigvals=True)
    names = [system.prepared.layout.names[i] for i in system.active]
    modes = []
    for k in range(pairs.shape[1]):
        top, bottom = pairs[0, k], pairs[1, k]
        if abs(bottom) <= 1e-13 * abs(top):
            continue
        value = complex(top / bottom)
        if value.imag < 0.0:  # the other half of a pair
            continue
        weight = np.abs(reachable @ vectors[:, k])
        order = np.argsort(-weight)[:MOST_NAMED]
        named = tuple(names[i] for i in order if weight[i] > NAMED_ABOVE * weight.max())
        modes.append(Mode(value, named))
    return tuple(sorted(modes, key=lambda m: -m.eigenvalue.real))
