"""The parts of a model that only look on: electrodes, and what they are made of; immutable records in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: Metals with a potential of their own in a solution, by the name a scenario gives them (``electrode.half_cells``).
Wire = Literal["Ag/AgCl", "calomel", "hydrogen"]

#: Where a pipette is (``electrode.configurations``).
Configuration = Literal["whole-cell", "outside-out", "inside-out", "cell-attached", "sharp", "in-solution"]


@dataclass(frozen=True)
class Reference:
    """A reference electrode.

    Attributes
    ----------
    compartment : str
        In whose solution it is, or its bridge.
    bridge : mapping of str to float
        What fills its bridge, mol m⁻³; empty: the wire is in the compartment itself.
    wire : str or None
        None: its potential is not part of what is recorded.
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
        Whose potential it takes up.
    reference : Reference
    configuration : str
    membrane : str or None
        Whose potential it is to measure.
    filling : mapping of str to float
        Solution of a pipette, mol m⁻³.
    wire : str or None
    senses : str or None
        Ion that its tip is selective for, in the place of an open tip.
    selectivity : mapping of str to float
        Selectivity coefficients of other ions, by the Nikolsky–Eisenman equation over mol L⁻¹.
    zeroed_at : float or None
        s; the amplifier's offset has the electrode read 0 in the solution that the reference has then (one that senses
        an ion: in its own). None: no offset.
    method, activity : str
        How junction potentials are found, and where activity coefficients come from.
    diffusion_coefficients : mapping of str to float
        Of solutes at junctions, in the place of the library's, m² s⁻¹ at 25 °C.
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
