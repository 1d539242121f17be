"""What electrodes record beside the potential that they are to measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...electrode import electrode_reading
from ...electrode.junctions.liquid_junction import CONVENTION
from ...errors import UsageError
from ..drawing.names import symbol_label
from ..drawing.panels import Curve, Panel, linear_limits
from ..drawing.style import TOTAL_WIDTH, species_styles
from .contents import Contents

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: Electrodes of a page, at most; height of the axes, mm.
_MOST, _HEIGHT = 3, 32.0


def electrode_panels(trajectory: Trajectory, electrode: str) -> list[Panel]:
    """What an electrode records with the true membrane potential, and below it the junctions, mV."""
    reading = electrode_reading(trajectory, electrode)
    recorded_style, tip_style, bridge_style = species_styles(["recorded", "tip", "bridge"]).values()
    recorded = Curve(symbol_label("V", "rec"), f"{electrode}.V_recorded (mV)", 1e3 * reading.measured, *recorded_style)
    curves = [recorded]
    if reading.membrane_potential is not None:
        true = 1e3 * reading.membrane_potential
        curves.insert(0, Curve(symbol_label("V"), f"{electrode}.V_true (mV)", true, width=TOTAL_WIDTH))
    panels = [Panel("electrode", electrode, "Potential (mV)", tuple(curves), False, linear_limits(curves, 1e-3))]
    junctions = [
        Curve(symbol_label("LJP", where), f"{electrode}.LJP_{where} (mV)", 1e3 * values, *style)
        for where, values, style in (
            ("tip", reading.tip_junction, tip_style),
            ("bridge", reading.bridge_junction, bridge_style),
        )
        if np.any(values)
    ]
    if reading.membrane_potential is not None and np.any(reading.error):
        error = Curve(
            "error", f"{electrode}.V_recorded - {electrode}.V_true (mV)", 1e3 * reading.error, width=TOTAL_WIDTH
        )
        junctions.insert(0, error)
    if junctions:
        limits = linear_limits(junctions, 1e-3, zero=True)
        panels.append(Panel("junctions", electrode, "Error and\njunctions (mV)", tuple(junctions), False, limits))
    return panels


def electrodes(trajectory: Trajectory) -> Contents:
    """True and recorded potential of every electrode, and what makes the difference between them."""
    names = [e.name for e in trajectory.model.electrodes]
    if not names:
        raise UsageError("the model has no electrode: there is nothing recorded to draw")
    panels = [panel for name in names[:_MOST] for panel in electrode_panels(trajectory, name)]
    notes = [f"Rec: what the amplifier shows. LJP: {CONVENTION.replace('_', ' ')}."]
    if len(names) > _MOST:
        notes.append(f"Shown: {_MOST} of {len(names)} electrodes ({', '.join(names[:_MOST])}).")
    return Contents(panels, notes, _HEIGHT)
