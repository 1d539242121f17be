"""What the time series of a result file hold: each quantity with its name, its unit and how it is computed.

Names: ``V_<membrane>``, ``<compartment>_<solute>``, ``amount_…``, ``activity_…``, ``volume_<compartment>``,
``E_<membrane>_<ion>``, ``driving_force_<membrane>_<species>``, ``flux_…``, ``efflux_…``, ``influx_…``,
``current_<membrane>`` (all ions), ``current_<membrane>_<ion>``, ``current_<membrane>_<pump>_pathway``. Where two
would be the same, the later one ends in ``_2``; the attributes of a dataset say what it is without its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..mechanisms import UNIDIRECTIONAL
from ..model import Model
from ..trajectory import Trajectory

#: Groups of quantities that are written where the scenario does not choose.
DEFAULT_GROUPS = ("potentials", "concentrations", "reversal_potentials", "fluxes", "currents")


@dataclass(frozen=True)
class Column:
    """One quantity over time.

    Attributes
    ----------
    name : str
        Of its dataset.
    quantity : str
        What it is: ``membrane_potential``, ``concentration`` …
    long_name, units : str
        As an axis says it.
    scale : float
        How many ``units`` make one of SI.
    compute : callable
        From a stretch of a trajectory to its values, SI.
    of : mapping of str to str
        Which compartment, membrane, species it belongs to.
    """

    name: str
    quantity: str
    long_name: str
    units: str
    scale: float
    compute: Callable[[Trajectory], NDArray]
    of: Mapping[str, str] = field(default_factory=dict)

    def values(self, part: Trajectory) -> NDArray:
        """Values in ``units``, one a sample."""
        # A failed run may end where a law has no value: that is in the file as NaN, and told of.
        with np.errstate(all="ignore"):
            return self.compute(part) * self.scale


def columns_of(model: Model) -> list[Column]:
    """The columns that the recording of a model asks for, in a fixed order, each under a name of its own.

    Raises
    ------
    ValueError
        For a group of quantities that does not exist.
    """
    wanted = DEFAULT_GROUPS if model.recording.quantities is None else model.recording.quantities
    for group in wanted:
        if group not in _GROUPS:
            raise ValueError(f"there is no group of quantities {group}; there are {', '.join(_GROUPS)}")
    columns: list[Column] = []
    taken = {"time", "segment", "plot"}
    for group, make in _GROUPS.items():
        if group not in wanted:
            continue
        for column in make(model):
            name = plain = column.name.replace("/", "_").replace("\0", "_")
            number = 1
            while name in taken:
                number += 1
                name = f"{plain}_{number}"
            taken.add(name)
            columns.append(replace(column, name=name))
    if wanted and {"concentrations", "amounts"} & set(wanted):
        columns += [c for c in _volumes(model) if c.name not in taken]
    return columns


def _potentials(model: Model) -> Iterator[Column]:
    for m in model.membranes:
        yield Column(
            f"V_{m}",
            "membrane_potential",
            f"membrane potential of {m}, inside minus outside",
            "mV",
            1e3,
            lambda t, m=m: t.membrane_potential(m),
            {"membrane": m},
        )


def _concentrations(model: Model) -> Iterator[Column]:
    for c, s in _dissolved(model):
        yield Column(
            f"{c}_{s}",
            "concentration",
            f"concentration of {s} in {c}",
            "mM",
            1.0,
            lambda t, c=c, s=s: t.concentration(c, s),
            {"compartment": c, "species": s},
        )
    for compartment in model.compartments.values():
        if compartment.is_finite:
            for x in compartment.impermeants:
                c, s = compartment.name, x.name
                yield Column(
                    f"{c}_{s}",
                    "concentration",
                    f"concentration of the impermeant {s} in {c}",
                    "mM",
                    1.0,
                    lambda t, c=c, s=s: t.run.initial.impermeant_amounts[c, s] / t.volume(c),
                    {"compartment": c, "impermeant": s},
                )


def _amounts(model: Model) -> Iterator[Column]:
    for c, s in _dissolved(model):
        if model.compartments[c].is_finite:
            yield Column(
                f"amount_{c}_{s}",
                "amount",
                f"amount of {s} in {c}",
                "fmol",
                1e15,
                lambda t, c=c, s=s: t.amount(c, s),
                {"compartment": c, "species": s},
            )


def _activities(model: Model) -> Iterator[Column]:
    for c, s in _dissolved(model):
        yield Column(
            f"activity_{c}_{s}",
            "activity",
            f"activity of {s} in {c}",
            "mM",
            1.0,
            lambda t, c=c, s=s: t.activity(c, s),
            {"compartment": c, "species": s},
        )


def _volumes(model: Model) -> Iterator[Column]:
    for compartment in model.compartments.values():
        if compartment.is_finite:
            c = compartment.name
            yield Column(
                f"volume_{c}",
                "volume",
                f"solvent volume of {c}",
                "pL",
                1e15,
                lambda t, c=c: t.volume(c),
                {"compartment": c},
            )


def _reversal_potentials(model: Model) -> Iterator[Column]:
    for m, s in _crossing(model):
        if model.species[s].valence:
            yield Column(
                f"E_{m}_{s}",
                "reversal_potential",
                f"reversal (Nernst) potential of {s} at {m}",
                "mV",
                1e3,
                lambda t, m=m, s=s: t.reversal_potential(m, s),
                {"membrane": m, "species": s},
            )


def _driving_forces(model: Model) -> Iterator[Column]:
    for m, s in _crossing(model):
        yield Column(
            f"driving_force_{m}_{s}",
            "driving_force",
            f"driving force on {s} at {m}, positive outward",
            "kJ/mol",
            1e-3,
            lambda t, m=m, s=s: t.driving_force(m, s),
            {"membrane": m, "species": s},
        )


def _fluxes(model: Model) -> Iterator[Column]:
    for m, s in _crossing(model):
        yield Column(
            f"flux_{m}_{s}",
            "flux",
            f"net flux of {s} through {m}, positive outward",
            "umol/m^2/s",
            1e6,
            lambda t, m=m, s=s: t.flux(m, s),
            {"membrane": m, "species": s},
        )


def _unidirectional_fluxes(model: Model) -> Iterator[Column]:
    for m, s in _crossing(model):
        if not any(p.law in UNIDIRECTIONAL and s in p.moves for p in model.membranes[m].pathways):
            continue
        for side, name in enumerate(("efflux", "influx")):
            yield Column(
                f"{name}_{m}_{s}",
                name,
                f"one-way {name} of {s} through {m}",
                "umol/m^2/s",
                1e6,
                lambda t, m=m, s=s, side=side: t.unidirectional_fluxes(m, s)[side],
                {"membrane": m, "species": s},
            )


def _currents(model: Model) -> Iterator[Column]:
    def column(name: str, what: str, compute: Callable[[Trajectory], NDArray], **of: str) -> Column:
        long_name = f"current density of {what}, positive outward"
        return Column(f"current_{name}", "current_density", long_name, "uA/cm^2", 1e2, compute, of)

    for m in model.membranes:
        yield column(m, f"all ions through {m}", lambda t, m=m: t.current_density(m), membrane=m)
    for m, s in _crossing(model):
        if model.species[s].valence:
            compute = lambda t, m=m, s=s: t.current_density(m, s)  # noqa: E731
            yield column(f"{m}_{s}", f"{s} through {m}", compute, membrane=m, species=s)
    for membrane in model.membranes.values():
        for p in membrane.pathways:
            # Those of one ion (permeability, conductance) are told of by the ion.
            if p.name.startswith("pathways.") and sum(n * model.species[s].valence for s, n in p.moves.items()):
                m, name = membrane.name, p.name
                compute = lambda t, m=m, name=name: t.pathway_current_density(m, name)  # noqa: E731
                yield column(f"{m}_{p.label}_pathway", f"{p.label} of {m}", compute, membrane=m, pathway=name)


_GROUPS: dict[str, Callable[[Model], Iterator[Column]]] = {
    "potentials": _potentials,
    "concentrations": _concentrations,
    "amounts": _amounts,
    "activities": _activities,
    "reversal_potentials": _reversal_potentials,
    "driving_forces": _driving_forces,
    "fluxes": _fluxes,
    "unidirectional_fluxes": _unidirectional_fluxes,
    "currents": _currents,
}


def _dissolved(model: Model) -> Iterator[tuple[str, str]]:
    for compartment in model.compartments.values():
        for species in compartment.concentrations:
            yield compartment.name, species


def _crossing(model: Model) -> Iterator[tuple[str, str]]:
    for membrane in model.membranes.values():
        moved = {name for p in membrane.pathways for name in p.moves}
        for species in model.species:
            if species in moved:
                yield membrane.name, species
