"""Electrodes of a model, which record without acting on it: immutable records in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: Half-cells that have an electrode potential in a solution, by their name in a scenario (``electrode.half_cells``).
Wire = Literal["Ag/AgCl", "calomel", "hydrogen"]

#: Configuration of a pipette (``electrode.configurations``).
Configuration = Literal["whole-cell", "outside-out", "inside-out", "cell-attached", "sharp", "in-solution"]


@dataclass(frozen=True)
class Reference:
    """A reference electrode.

    Attributes
    ----------
    compartment : str
        Compartment whose solution contains the electrode or its bridge.
    bridge : mapping of str to float
        Solution in its bridge, mol m⁻³; empty: the wire is in the compartment itself.
    wire : str or None
        None: its potential is not part of the recorded one.
    """

    compartment: str
    bridge: Mapping[str, float] = field(default_factory=dict)
    wire: Wire | None = None


@dataclass(frozen=True)
class Electrode:
    """An electrode against a reference: what an amplifier records. It draws no current.

    Attributes
    ----------
    name : str
    compartment : str
        Compartment whose potential it measures.
    reference : Reference
    configuration : str
    membrane : str or None
        Membrane whose potential it is meant to measure.
    filling : mapping of str to float
        Solution of a pipette, mol m⁻³.
    wire : str or None
    senses : str or None
        Ion for which its tip is selective; None: an open tip.
    selectivity : mapping of str to float
        Selectivity coefficients of other ions, by the Nikolsky–Eisenman equation over mol L⁻¹.
    zeroed_at : float or None
        s; time at which the amplifier's offset is set so that the electrode reads 0 in the solution of the reference
        (an ion-selective electrode: in that of its compartment). None: no offset.
    method, activity : str
        Method for junction potentials, and activity model.
    diffusion_coefficients : mapping of str to float
        Of solutes at junctions, instead of those of the library, m² s⁻¹ at 25 °C.
    """

    name: str
    compartment: str
    reference: Reference
    configuration: Configuration = "in-solution"
    membrane: str | None = None
    filling: Mapping[str, float] = field(default_factory=dict)
    wire: Wire | None = None
    senses: str | None = None
    selectivity: Mapping[str, float] = field(default_factory=dict)
    zeroed_at: float | None = None
    method: str = "nernst-planck"
    activity: str = "ideal"
    diffusion_coefficients: Mapping[str, float] = field(default_factory=dict)
