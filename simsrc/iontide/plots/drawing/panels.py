"""The panels of a figure: lines with their names and units, from a trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .names import name_label, species_label, symbol_label, unit_label
from .style import CURRENT_CONVENTION, ION_WIDTH, SOLID, TOTAL_WIDTH, species_styles

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: Concentrations, or volumes, whose ratio exceeds this are drawn on a logarithmic axis.
LINEAR_RANGE = 100.0

#: A logarithmic axis of concentrations reaches this far below its top; lower ones count as used up.
LOG_FLOOR = 1e-9

#: A volume changes if it varies by more than this part of itself; less may be the error of the run.
LEAST_SWELLING = 1e-6

#: Part of a linear time axis that is no wider than a line on it: what happens in it cannot be seen there.
HAIRLINE = 0.003

#: The linear axis leaves out the first moment if this reaches so many times further than all later ones.
_OUTSHINES = 2.5

#: Units with their size in SI, the largest first.
_CURRENT_UNITS = {"mA/cm^2": 1e1, "uA/cm^2": 1e-2, "nA/cm^2": 1e-5, "pA/cm^2": 1e-8}
_CLAMP_UNITS = {"mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12}
_CONCENTRATION_UNITS = {"mM": 1.0, "uM": 1e-3, "nM": 1e-6}
_VOLUME_UNITS = {"mL": 1e-6, "uL": 1e-9, "nL": 1e-12, "pL": 1e-15, "fL": 1e-18, "aL": 1e-21}


@dataclass(frozen=True)
class Curve:
    """One line of a panel.

    Attributes
    ----------
    label : str
        For the figure, as mathtext.
    column : str
        For the data beside it, with the unit.
    values : array, shape (samples,)
        In the unit of the panel; NaN where undefined.
    colour, dash, width
        As matplotlib takes them; the width in points.
    base : array, shape (samples,), or None
        Of a band: its edge towards zero, ``values`` being the other one; its width is what it shows.
    stepped : bool
        Whether a band stays as it is from each sample to the next.
    """

    label: str
    column: str
    values: NDArray
    colour: str = "black"
    dash: Any = SOLID
    width: float = ION_WIDTH
    base: NDArray | None = None
    stepped: bool = False

    @property
    def numbers(self) -> NDArray:
        """The numbers that the line, or the width of the band, shows."""
        return self.values if self.base is None else self.values - self.base

    @property
    def middle(self) -> NDArray:
        """Where the label points: the line, or the middle of the band."""
        return self.values if self.base is None else 0.5 * (self.values + self.base)


@dataclass(frozen=True)
class Panel:
    """Lines that share a vertical axis.

    Attributes
    ----------
    kind : str
        Which quantities the panel shows.
    place : str
        Of which membrane or compartment; empty where of several.
    axis_label : str
        With the unit.
    curves : tuple of Curve
        The first is drawn first, under the others.
    logarithmic : bool
    limits : tuple of float
        Ends of the vertical axis.
    settled : tuple of float or None
        The same without the first moments, where these alone would take up most of a linear time axis's panel.
    """

    kind: str
    place: str
    axis_label: str
    curves: tuple[Curve, ...]
    logarithmic: bool
    limits: tuple[float, float]
    settled: tuple[float, float] | None = None


def potential_panel(trajectory: Trajectory, membrane: str) -> Panel:
    """V of a membrane and the reversal potential of every ion that it moves, mV."""
    styles = species_styles(trajectory.model.species)
    curves = [
        Curve(
            symbol_label("V"),
            f"{membrane}.V (mV)",
            trajectory.membrane_potential(membrane) * 1e3,
            width=TOTAL_WIDTH,
        )
    ]
    for name in _charged(trajectory, membrane):
        reversal = trajectory.reversal_potential(membrane, name) * 1e3
        curves.append(Curve(symbol_label("E", name), f"{membrane}.E.{name} (mV)", reversal, *styles[name]))
    limits = linear_limits(curves, least=1e-3)
    return Panel("potential", membrane, "Potential (mV)", tuple(curves), False, limits)


def concentration_panel(trajectory: Trajectory, compartment: str) -> Panel:
    """Concentration of every species of a compartment; logarithmic where they are more than two decades apart."""
    species = trajectory.model.species
    styles = species_styles(species)
    names = [name for name in species if name in trajectory.model.compartments[compartment].concentrations]
    values = {name: trajectory.concentration(compartment, name) for name in names}
    shown = np.concatenate([c[np.isfinite(c) & (c > 0)] for c in values.values()] or [np.zeros(0)])
    top = shown.max(initial=0.0)
    bottom = max(shown.min(initial=top), top * LOG_FLOOR)
    logarithmic = bool(top > LINEAR_RANGE * bottom)
    unit, size = ("mM", 1.0) if logarithmic else _unit_for(top, _CONCENTRATION_UNITS)
    curves = [
        Curve(
            species_label(name, species[name].valence),
            f"{compartment}.{name} ({unit})",
            values[name] / size,
            *styles[name],
        )
        for name in names
    ]
    if logarithmic:
        margin = (top / bottom) ** 0.05
        limits = (bottom / size / margin, top / size * margin)
    else:
        limits = linear_limits(curves, least=1e-9 / size, zero=True)
        limits = (-0.03 * limits[1], limits[1])  # so that a line at 0 can be seen
    return Panel(
        "concentrations", compartment, f"Concentration ({unit_label(unit)})", tuple(curves), logarithmic, limits
    )


def changing_volumes(trajectory: Trajectory, compartments: Sequence[str]) -> list[str]:
    """Those of the compartments whose volume changes during the run."""

    def changes(compartment: str) -> bool:
        volume = trajectory.volume(compartment)
        volume = volume[np.isfinite(volume)]
        return bool(len(volume) and np.ptp(volume) > LEAST_SWELLING * np.max(np.abs(volume)))

    known = trajectory.model.compartments
    return [name for name in compartments if known[name].is_finite and changes(name)]


def volume_panel(trajectory: Trajectory, compartments: Sequence[str]) -> Panel:
    """Volumes of compartments, one line each; logarithmic where they are more than two decades apart."""
    styles = species_styles(trajectory.model.compartments)
    values = {name: trajectory.volume(name) for name in compartments}
    shown = np.concatenate([v[np.isfinite(v) & (v > 0)] for v in values.values()])
    top = shown.max(initial=0.0)
    bottom = shown.min(initial=top)
    logarithmic = bool(top > LINEAR_RANGE * bottom)
    unit, size = _unit_for(top, _VOLUME_UNITS)
    curves = [Curve(name_label(n), f"{n}.volume ({unit})", v / size, *styles[n]) for n, v in values.items()]
    if logarithmic:
        margin = (top / bottom) ** 0.05
        limits = (bottom / size / margin, top / size * margin)
    else:
        limits = linear_limits(curves, least=1e-9)
    place = compartments[0] if len(compartments) == 1 else ""
    return Panel("volumes", place, f"Volume ({unit_label(unit)})", tuple(curves), logarithmic, limits)


def current_panel(trajectory: Trajectory, membrane: str) -> Panel:
    """Current density of every ion that a membrane moves, by all its pathways, and their sum; inward is negative."""
    styles = species_styles(trajectory.model.species)
    parts = {name: trajectory.current_density(membrane, name) for name in _charged(trajectory, membrane)}
    total = trajectory.current_density(membrane)
    largest = max(float(np.max(np.abs(i[np.isfinite(i)]), initial=0.0)) for i in (total, *parts.values()))
    unit, size = _unit_for(largest, _CURRENT_UNITS)
    curves = [Curve("sum", f"{membrane}.current ({unit})", total / size, width=TOTAL_WIDTH)]
    for name, current in parts.items():
        curves.append(
            Curve(symbol_label("I", name), f"{membrane}.current.{name} ({unit})", current / size, *styles[name])
        )
    limits = linear_limits(curves, least=1e-9 / size, zero=True)
    label = f"I ({unit_label(unit)}),\n{CURRENT_CONVENTION}"
    later = trajectory.time >= HAIRLINE * trajectory.time[-1]
    settled = linear_limits([replace(c, values=c.values[later]) for c in curves], least=1e-9 / size, zero=True)
    if limits[1] - limits[0] < _OUTSHINES * (settled[1] - settled[0]):
        return Panel("currents", membrane, label, tuple(curves), False, limits)
    return Panel("currents", membrane, label, tuple(curves), False, limits, settled)


def clamp_panel(trajectory: Trajectory, clamps: Sequence[str]) -> Panel:
    """Current of voltage clamps into the inside of their membranes, one line each."""
    styles = species_styles(clamps)
    values = {name: trajectory.clamp_current(name) for name in clamps}
    largest = max(float(np.max(np.abs(i[np.isfinite(i)]), initial=0.0)) for i in values.values())
    unit, size = next(((unit, size) for unit, size in _CLAMP_UNITS.items() if largest >= size), ("pA", 1e-12))
    alone = len(clamps) == 1
    curves = tuple(
        Curve("clamp", f"{name}.clamp_current ({unit})", i / size, width=TOTAL_WIDTH)
        if alone
        else Curve(name_label(name), f"{name}.clamp_current ({unit})", i / size, *styles[name])
        for name, i in values.items()
    )
    limits = linear_limits(list(curves), least=1e-18 / size, zero=True)
    place = f"clamp of {clamps[0]}" if alone else "clamps"
    return Panel("clamps", place, f"I ({unit_label(unit)}),\ninto the inside", curves, False, limits)


def gate_panel(trajectory: Trajectory, membrane: str) -> Panel:
    """Every gate of the pathways of a membrane, 0 to 1; named with its pathway where two have one name."""
    gates = gates_of(trajectory, membrane)
    names = [gate for _, gate in gates]
    labels = [gate if names.count(gate) == 1 else f"{pathway}.{gate}" for pathway, gate in gates]
    styles = species_styles(labels)
    curves = tuple(
        Curve(
            name_label(label),
            f"{membrane}.{pathway}.{gate}",
            trajectory.gate(membrane, pathway, gate),
            *styles[label],
        )
        for label, (pathway, gate) in zip(labels, gates, strict=True)
    )
    return Panel("gates", membrane, "Gates", curves, False, (-0.03, 1.03))


def gates_of(trajectory: Trajectory, membrane: str) -> list[tuple[str, str]]:
    """The gates of a membrane, each as its pathway and its name."""
    return [(p.label, gate.name) for p in trajectory.model.membranes[membrane].pathways for gate in p.gates]


def linear_limits(curves: list[Curve], least: float, zero: bool = False) -> tuple[float, float]:
    """Ends of a linear axis that holds all curves, with a margin.

    Parameters
    ----------
    curves : list of Curve
    least : float
        Least length of the axis, in its unit; below it, what is seen would be rounding.
    zero : bool
        Whether 0 must be on the axis.
    """
    finite = [c.values[np.isfinite(c.values)] for c in curves]
    values = np.concatenate([*finite, np.zeros(1 if zero or not any(len(v) for v in finite) else 0)])
    low, high = float(values.min()), float(values.max())
    # A hundredth of the value: what is flatter is drawn flat, and tick labels stay short.
    least = max(least, 1e-2 * max(abs(low), abs(high)))
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def _charged(trajectory: Trajectory, membrane: str) -> list[str]:
    species = trajectory.model.species
    return [name for name in trajectory.ions(membrane) if species[name].valence]


def _unit_for(largest: float, units: dict[str, float]) -> tuple[str, float]:
    """The largest unit, with its size, in which the number is at least 0.1; that of usual currents if all is 0."""
    if not largest > 0:
        return ("uA/cm^2", units["uA/cm^2"]) if units is _CURRENT_UNITS else next(iter(units.items()))
    return next(((unit, size) for unit, size in units.items() if largest >= 0.1 * size), list(units.items())[-1])
