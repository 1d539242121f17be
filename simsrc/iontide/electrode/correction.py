"""From a recording to a membrane potential: what an electrode adds is subtracted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .reading import electrode_reading

if TYPE_CHECKING:
    from ..simulation.trajectory import Trajectory


def correct_recording(trajectory: Trajectory, electrode: str, time: NDArray, recorded: NDArray) -> NDArray:
    """Membrane potential, inside minus outside, from what was recorded in an experiment that a model describes, V.

    The solutions of the model give what every junction and wire adds at each moment; the potential of
    its membrane is not used, except that of an intact cell behind a cell-attached patch.

    Parameters
    ----------
    trajectory : Trajectory
        A run of the model.
    electrode : str
        On a membrane.
    time : array, shape (samples,)
        s, within the run.
    recorded : array, shape (samples,)
        V.

    Raises
    ------
    UsageError
        No such electrode, one that is on no membrane, or a time outside of the run.
    """
    reading = electrode_reading(trajectory, electrode)
    if reading.membrane_potential is None:
        raise UsageError(f"{electrode} is on no membrane, so there is no membrane potential in what it records")
    first, last = float(reading.time[0]), float(reading.time[-1])
    outside = ~((time >= first) & (time <= last))
    if outside.any():
        raise UsageError(
            f"the recording has a sample at {float(time[outside][0]):g} s, but the run is from {first:g} to {last:g} s"
        )
    across = recorded + _at(reading.time, reading.shift, time)
    return reading.sign * across + _at(reading.time, reading.rest, time)


def _at(samples: NDArray, values: NDArray, time: NDArray) -> NDArray:
    """Values between samples; of two at one time, the one after the step."""
    low = np.clip(np.searchsorted(samples, time, side="right") - 1, 0, len(samples) - 1)
    high = np.minimum(low + 1, len(samples) - 1)
    span = samples[high] - samples[low]
    share = np.where(span > 0.0, (time - samples[low]) / np.where(span > 0.0, span, 1.0), 0.0)
    return np.asarray(values[low] + share * (values[high] - values[low]))
