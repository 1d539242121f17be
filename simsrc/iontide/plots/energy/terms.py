"""The terms of an energy balance for figures: few enough to be distinguished, each with a name and a colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from numpy.typing import NDArray

from ...analysis.energy import Energetics, Power
from ...constants import BOLTZMANN
from ..drawing.names import name_label, species_label
from ..drawing.style import species_styles

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: Terms that are shown by name, at most; the smaller ones are added up as the rest.
MOST_TERMS = 7

#: Colours of terms that belong to no ion: power supplied to pumps, heat of pumps, stored energy, the rest.
FUEL, PUMP_HEAT, STORE, REST = "#4d4d4d", "#9c9c9c", "#c2a83e", "#b8b8b8"
_BY_KIND = {"water": "#88CCEE", "clamp": "#882255", "injection": "#882255", "resistance": "#AA4499", "bath": "#44AA99"}

#: How much lighter each further pathway of the same ion is.
_LIGHTER = 0.38


@dataclass(frozen=True)
class Term:
    """One term of the balance; power that comes in is positive.

    Attributes
    ----------
    name : str
        For data: ``K``, ``ATP of pump``.
    label : str
        As mathtext.
    colour : str
    values : array, shape (samples,)
        W.
    """

    name: str
    label: str
    colour: str
    values: NDArray


def is_rest(trajectory: Trajectory, power: float) -> bool:
    """Whether a power (W) counts as none: less than k T per second."""
    return not power > BOLTZMANN * float(trajectory.temperature[-1])


def terms_of(trajectory: Trajectory, energetics: Energetics) -> list[Term]:
    """Sources, then sinks (negative), then the power released from stored energy (negative if energy is stored).

    Pathways of one name in several membranes are added up.
    """
    colours = _Colours(trajectory)
    terms: dict[str, Term] = {}
    for powers, sign in ((energetics.sources, 1.0), (energetics.sinks, -1.0)):
        for power in powers:
            name, label = colours.names(power, sign)
            if name in terms:
                before = terms[name]
                terms[name] = Term(name, label, before.colour, before.values + sign * power.values)
            else:
                terms[name] = Term(name, label, colours.of(power, sign), sign * power.values)
    stored = -np.sum([np.broadcast_to(v, len(energetics.time)) for v in energetics.storing.values()], axis=0)
    return [*_largest(list(terms.values()), energetics.time), Term("stored", "stored", STORE, stored)]


def _mean(values: NDArray, time: NDArray) -> float:
    """Mean over time."""
    length = float(time[-1] - time[0])
    return float(np.trapezoid(values, time)) / length if length > 0.0 else float(values.mean())


def _largest(terms: Sequence[Term], time: NDArray) -> list[Term]:
    """The largest terms in their order, and the others as one."""
    size = {term.name: _mean(np.abs(np.nan_to_num(term.values)), time) for term in terms}
    whole = max(size.values(), default=0.0)
    largest = sorted(size, key=size.__getitem__, reverse=True)[:MOST_TERMS]
    largest = [name for name in largest if size[name] > 2e-3 * whole]
    rest = [term for term in terms if term.name not in largest]
    shown = [term for term in terms if term.name in largest]
    for sign in (1.0, -1.0):
        part = np.sum([np.maximum(sign * t.values, 0.0) for t in rest], axis=0) if rest else np.zeros(0)
        if len(part) and _mean(part, time) > 2e-3 * whole:
            name = "the rest, in" if sign > 0 else "the rest"
            shown.append(Term(name, name, REST, sign * part))
    return shown


class _Colours:
    def __init__(self, trajectory: Trajectory) -> None:
        self.model = trajectory.model
        self.ions = species_styles(self.model.species)
        labels = {p.label for m in self.model.membranes.values() for p in m.pathways}
        self.others = species_styles(sorted(labels - set(self.model.species)))
        self._used: dict[str, int] = {}

    def _moved(self, power: Power) -> list[str]:
        """Species that a pathway transports."""
        first, _, rest = power.path.partition(".")
        if first != "membranes":
            return []
        membrane, _, pathway = rest.partition(".")
        return next((list(p.stoichiometry) for p in self.model.membranes[membrane].pathways if p.name == pathway), [])

    def names(self, power: Power, sign: float) -> tuple[str, str]:
        """Name of a term without its membrane, for data and as mathtext."""
        name = power.label.rsplit(" (", 1)[0] if power.path.startswith("membranes.") else power.label
        if power.kind == "pathway" and name in self.model.species:
            return name, species_label(name, self.model.species[name].valence)
        if power.kind == "pump" and sign < 0:
            name = f"heat of {name}"
        return name, name_label(name)

    def of(self, power: Power, sign: float) -> str:
        if power.kind == "pump":
            return self._shade(FUEL if sign > 0 else PUMP_HEAT)
        moved = self._moved(power)
        if power.kind == "pathway" and len(moved) == 1:
            return self._shade(self.ions[moved[0]][0])
        if power.kind in _BY_KIND:
            return self._shade(_BY_KIND[power.kind])
        name, _ = self.names(power, sign)
        style = self.others.get(name) or species_styles([name])[name]
        return str(style[0])

    def _shade(self, colour: str) -> str:
        """The colour, lighter at each use."""
        times = self._used[colour] = self._used.get(colour, -1) + 1
        part = 1.0 - (1.0 - _LIGHTER) ** times
        r, g, b = (part + (1.0 - part) * channel for channel in to_rgb(colour))
        return str(to_hex((r, g, b)))
