"""Power over time: sources stacked above zero, dissipation and storage below."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...analysis.energy import energetics
from ...errors import UsageError
from ...formulas.display import fitting_unit
from ..choices import TimeScale
from ..drawing.names import time_text, unit_label
from ..drawing.panels import HAIRLINE, Curve, Panel
from ..runs.contents import Contents
from .terms import Term, is_rest, terms_of

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: Height of the axes, mm.
_HEIGHT = 50.0

#: The first moment is cut off if it reaches so many times further than all later ones.
_OUTSHINES = 1.5

#: Spikes are drawn as means over this part of the time axis if they exceed these means by this factor.
_MEAN_OVER, _SPIKY = 1.0 / 120.0, 2.0


def power_panel(trajectory: Trajectory, averaged: bool = False, whole: bool = True) -> Panel:
    """All powers of a run as stacked bands; their sums above and below zero are equal at every moment.

    Parameters
    ----------
    trajectory : Trajectory
    averaged : bool
        Draw means over a part of the time axis each.
    whole : bool
        Show the first moments, however high they reach.
    """
    terms = terms_of(trajectory, energetics(trajectory))
    if averaged:
        terms = [replace(term, values=_means(term.values, trajectory.time)) for term in terms]
    envelope = _envelope(terms)
    top = float(np.max(envelope, initial=0.0))
    if is_rest(trajectory, top):
        raise UsageError("no power comes in and none is dissipated in this run: there is nothing to draw")
    later = envelope[trajectory.time >= HAIRLINE * trajectory.time[-1]]
    usual = float(np.max(later, initial=0.0))
    shown = usual if not whole and 0.0 < usual * _OUTSHINES < top else top
    unit, size = fitting_unit(0.5 * shown, "W")
    curves = []
    for sign in (1.0, -1.0):
        base = np.zeros(len(trajectory))
        for term in terms:
            part = sign * np.maximum(sign * np.nan_to_num(term.values), 0.0) / size
            if not np.max(np.abs(part), initial=0.0) * size > 1e-6 * top:
                continue
            way = "in" if sign > 0 else "out"
            # A term that goes both ways is named where it is larger.
            named = np.sum(np.abs(part)) * size >= 0.5 * np.nansum(np.abs(term.values))
            label = term.label if named else ""
            curves.append(
                Curve(label, f"{term.name}, {way} ({unit})", base + part, term.colour, base=base, stepped=averaged)
            )
            base = base + part
    limit = 1.06 * shown / size
    return Panel(
        "power", "", f"Power ({unit_label(unit)}),\nin above, out below zero", tuple(curves), False, (-limit, limit)
    )


def _envelope(terms: list[Term]) -> NDArray:
    """The sum of all power above zero, W."""
    return np.sum([np.maximum(np.nan_to_num(t.values), 0.0) for t in terms], axis=0)


def _is_spiky(trajectory: Trajectory) -> bool:
    """Whether power, after the first moments, has spikes too short to be seen on a linear time axis."""
    time = trajectory.time
    if not time[-1] > time[0]:
        return False
    envelope = _envelope(terms_of(trajectory, energetics(trajectory)))
    part = time >= HAIRLINE * time[-1]
    return bool(envelope[part].max() > _SPIKY * _means(envelope, time)[part].max())


def _means(values: NDArray, time: NDArray) -> NDArray:
    """The mean over time in the interval of each sample; the intervals divide the time axis evenly."""
    count = round(1.0 / _MEAN_OVER)
    edges = np.linspace(time[0], time[-1], count + 1)
    steps = 0.5 * (values[1:] + values[:-1]) * np.diff(time)
    integral = np.concatenate(([0.0], np.cumsum(np.nan_to_num(steps))))
    means = np.diff(np.interp(edges, time, integral)) / np.diff(edges)
    stretch = np.clip(((time - time[0]) / (time[-1] - time[0]) * count).astype(int), 0, count - 1)
    return means[stretch]


def power(trajectory: Trajectory, time_axis: TimeScale) -> Contents:
    """Power over time, stacked: above zero the sources and released energy, below the dissipation and stored energy."""
    linear = time_axis == "linear"
    averaged = linear and _is_spiky(trajectory)
    panel = power_panel(trajectory, averaged, whole=not linear)
    notes = []
    if max(float(np.max(np.abs(c.values), initial=0.0)) for c in panel.curves) > panel.limits[1]:
        notes.append("The first moments reach beyond the axis.")
    if averaged:
        notes.append(f"Means over {time_text(_MEAN_OVER * float(trajectory.time[-1]))} each.")
    return Contents([panel], notes, _HEIGHT)
