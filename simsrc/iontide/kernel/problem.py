"""What goes into the integrator and comes out: tuples of C-contiguous arrays, so that it is compiled for one type only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Problem(NamedTuple):
    """What is integrated. ``segments`` s, ``states`` n, ``entries`` of M, ``m`` constants."""

    code: np.ndarray  # int64 (2,): addresses of rates and linearised
    mass_rows: np.ndarray  # int64 (entries,)
    mass_columns: np.ndarray  # int64 (entries,)
    mass: np.ndarray  # float64 (s, entries)
    constants: np.ndarray  # float64 (s, m)
    lengths: np.ndarray  # float64 (s,): duration of each segment
    absolute: np.ndarray  # float64 (n,): absolute tolerance
    options: np.ndarray  # float64 (3,): relative tolerance, whether to stop when steady, most steps
    counts: (
        np.ndarray
    )  # int64 (3,): states that must not be negative (the first ones), whether f depends on t, work


class Progress(NamedTuple):
    """Where the integration stands; changed in place, so that a later call goes on."""

    y: np.ndarray  # float64 (n,)
    real: (
        np.ndarray
    )  # float64 (6,): t, next h, and of the last accepted step: h while unsampled, error, h, h again
    count: np.ndarray  # int64 (8,): see the names below
    dense: np.ndarray  # float64 (5, n): y before and after the last step, k1, k2, k3


# Places in Progress.count
SEGMENT, PHASE, STEPS, REJECTED, RATES, JACOBIANS, WORST, SAMPLE = range(8)
# Phases
START, STEPPING = 0, 1


class Samples(NamedTuple):
    """Where samples go. ``times`` run from the start of their segment; in ``every step`` mode they are written too."""

    times: np.ndarray  # float64 (m,)
    segments: np.ndarray  # int64 (m,)
    states: np.ndarray  # float64 (m, n)
    mode: np.ndarray  # int64 (2,): whether every step is recorded; whether more samples follow this block
