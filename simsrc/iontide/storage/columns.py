"""What the time series of a result file hold: each quantity with its name, its unit and how it is computed.

Names: ``V_<membrane>``, ``<compartment>_<solute>``, ``amount_…``, ``activity_…``, ``volume_<compartment>``,
``E_<membrane>_<ion>``, ``dE_<membrane>_<ion>`` (its activity correction), ``driving_force_<membrane>_<species>``,
``flux_…``, ``efflux_…``, ``influx_…``, ``current_<membrane>`` (all ions), ``current_<membrane>_<ion>``,
``current_<membrane>_<pump>_pathway``, ``injection_<name>``, ``clamp_<name>``, ``clamp_<name>_charge``,
``area_<membrane>``, ``water_flux_<membrane>``, ``gate_<membrane>_<channel>_<gate>``, ``zero_current_V_<membrane>``,
``tracer_share_<compartment>_<tracer>``, ``tracer_amount_…``, ``tracer_flux_<membrane>_<tracer>``,
``slope_conductance_<membrane>``, ``vote_<membrane>_<ion>``, ``ussing_ratio_<membrane>_<species>`` with ``…_expected_…``
and ``…_quotient_…``; those of the group ``energetics`` are listed in ``energy_columns``. Where two would be the same,
the later one ends in ``_2``; the attributes of a dataset say what it is without its name. An activity correction stands
beside the reversal potential of every ion whose activity coefficient may differ from 1 on either side of the membrane
(``Model.has_activity_correction``): a model whose solutions are ideal has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from operator import methodcaller

import numpy as np
from numpy.typing import NDArray

from ..electrode.reading import electrode_reading
from ..model.model import Injection, Model
from ..physics.mechanisms import UNIDIRECTIONAL
from ..simulation.trajectory import Trajectory
from .energy_columns import energy_columns

#: Groups of quantities that are written where the scenario does not choose.
DEFAULT_GROUPS = (
    "potentials",
    "concentrations",
    "reversal_potentials",
    "fluxes",
    "currents",
    "gates",
    "water_fluxes",
    "tracers",
    "electrodes",
)


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
    makers = [make for group, make in _GROUPS.items() if group in wanted]
    if {"concentrations", "amounts"} & set(wanted):
        makers.append(_volumes)
    columns: list[Column] = []
    taken = {"time", "segment", "plot"}
    for make in makers:
        for column in make(model):
            name = unique_name(column.name, taken)
            taken.add(name)
            columns.append(replace(column, name=name))
    return columns


def unique_name(name: str, taken: set[str]) -> str:
    """The name as HDF5 can bear it, with a number behind it where it is taken."""
    plain = name.replace("/", "_").replace("\0", "_")
    number, unique = 1, plain
    while unique in taken:
        number += 1
        unique = f"{plain}_{number}"
    return unique


def _potentials(model: Model) -> Iterator[Column]:
    for m in model.membranes:
        name = f"membrane potential of {m}, inside minus outside"
        compute = methodcaller("membrane_potential", m)
        yield Column(f"V_{m}", "membrane_potential", name, "mV", 1e3, compute, {"membrane": m})


def _concentrations(model: Model) -> Iterator[Column]:
    for c, s in _dissolved(model):
        name = f"concentration of {s} in {c}"
        compute = methodcaller("concentration", c, s)
        yield Column(f"{c}_{s}", "concentration", name, "mM", 1.0, compute, {"compartment": c, "species": s})
    for compartment in model.compartments.values():
        for x in compartment.impermeants if compartment.is_finite else ():
            c, s = compartment.name, x.name
            name = f"concentration of the impermeant {s} in {c}"
            of = {"compartment": c, "impermeant": s}
            yield Column(f"{c}_{s}", "concentration", name, "mM", 1.0, partial(_impermeant, c, s), of)


def _impermeant(compartment: str, name: str, part: Trajectory) -> NDArray:
    return part.run.initial.impermeant_amounts[compartment, name] / part.volume(compartment)


def _amounts(model: Model) -> Iterator[Column]:
    for c, s in _dissolved(model):
        if model.compartments[c].is_finite:
            of = {"compartment": c, "species": s}
            compute = methodcaller("amount", c, s)
            yield Column(f"amount_{c}_{s}", "amount", f"amount of {s} in {c}", "fmol", 1e15, compute, of)


def _activities(model: Model) -> Iterator[Column]:
    for c, s in _dissolved(model):
        of = {"compartment": c, "species": s}
        compute = methodcaller("activity", c, s)
        yield Column(f"activity_{c}_{s}", "activity", f"activity of {s} in {c}", "mM", 1.0, compute, of)


def _volumes(model: Model) -> Iterator[Column]:
    for c, compartment in model.compartments.items():
        if compartment.is_finite:
            compute = methodcaller("volume", c)
            yield Column(f"volume_{c}", "volume", f"solvent volume of {c}", "pL", 1e15, compute, {"compartment": c})
    for m, membrane in model.membranes.items():
        if membrane.geometry != "given":
            yield Column(f"area_{m}", "area", f"area of {m}", "um^2", 1e12, methodcaller("area", m), {"membrane": m})


def _gates(model: Model) -> Iterator[Column]:
    for m, membrane in model.membranes.items():
        for p in membrane.pathways:
            for g in p.gates:
                name = f"gate {g.name} of {p.label} in {m}"
                of = {"membrane": m, "pathway": p.name, "gate": g.name}
                compute = methodcaller("gate", m, p.name, g.name)
                yield Column(f"gate_{m}_{p.label}_{g.name}", "gate", name, "1", 1.0, compute, of)


def _water_fluxes(model: Model) -> Iterator[Column]:
    for m, membrane in model.membranes.items():
        if membrane.water_permeability is not None:
            name = f"volume flux of water through {m}, positive outward"
            compute = methodcaller("water_flux", m)
            yield Column(f"water_flux_{m}", "water_flux", name, "um/s", 1e6, compute, {"membrane": m})


def _reversal_potentials(model: Model) -> Iterator[Column]:
    for m, s in _crossing(model):
        if model.species[s].valence:
            name = f"reversal (Nernst) potential of {s} at {m}"
            of = {"membrane": m, "species": s}
            compute = methodcaller("reversal_potential", m, s)
            yield Column(f"E_{m}_{s}", "reversal_potential", name, "mV", 1e3, compute, of)
    for m, s in _crossing(model):
        if model.has_activity_correction(m, s):
            name = f"activity correction of the Nernst potential of {s} at {m}: by activities minus by concentrations"
            of = {"membrane": m, "species": s}
            compute = methodcaller("activity_correction", m, s)
            yield Column(f"dE_{m}_{s}", "activity_correction", name, "mV", 1e3, compute, of)


def _driving_forces(model: Model) -> Iterator[Column]:
    for m, s in _crossing(model):
        name = f"driving force on {s} at {m}, positive outward"
        of = {"membrane": m, "species": s}
        compute = methodcaller("driving_force", m, s)
        yield Column(f"driving_force_{m}_{s}", "driving_force", name, "kJ/mol", 1e-3, compute, of)


def _fluxes(model: Model) -> Iterator[Column]:
    for m, s in _crossing(model):
        name = f"net flux of {s} through {m}, positive outward"
        of = {"membrane": m, "species": s}
        yield Column(f"flux_{m}_{s}", "flux", name, "umol/m^2/s", 1e6, methodcaller("flux", m, s), of)


def _unidirectional_fluxes(model: Model) -> Iterator[Column]:
    for m, s in _crossing(model):
        if any(p.law in UNIDIRECTIONAL and s in p.stoichiometry for p in model.membranes[m].pathways):
            for side, way in enumerate(("efflux", "influx")):
                name = f"one-way {way} of {s} through {m}"
                of = {"membrane": m, "species": s}
                yield Column(f"{way}_{m}_{s}", way, name, "umol/m^2/s", 1e6, partial(_one_way, m, s, side), of)


def _one_way(membrane: str, species: str, side: int, part: Trajectory) -> NDArray:
    return part.unidirectional_fluxes(membrane, species)[side]


def _ussing_ratios(model: Model) -> Iterator[Column]:
    named = (
        ("ussing_ratio", "Ussing ratio, efflux over influx,"),
        ("ussing_ratio_expected", "Ussing ratio expected, exp(z F (V - E) / (R T)),"),
        ("ussing_ratio_quotient", "Ussing ratio over the one expected"),
    )
    for m, s in _crossing(model):
        if any(p.law in UNIDIRECTIONAL and s in p.stoichiometry for p in model.membranes[m].pathways):
            of = {"membrane": m, "species": s}
            for which, (quantity, told) in enumerate(named):
                compute = partial(_ussing, m, s, which)
                yield Column(f"{quantity}_{m}_{s}", quantity, f"{told} of {s} through {m}", "1", 1.0, compute, of)


def _ussing(membrane: str, species: str, which: int, part: Trajectory) -> NDArray:
    measured, expected = part.ussing_ratio(membrane, species)
    return (measured, expected, measured / expected)[which]


def _zero_current_potentials(model: Model) -> Iterator[Column]:
    for m in model.membranes:
        name = f"potential at which the net current of {m} would be 0, inside minus outside"
        compute = methodcaller("zero_current_potential", m)
        yield Column(f"zero_current_V_{m}", "zero_current_potential", name, "mV", 1e3, compute, {"membrane": m})


def _votes(model: Model) -> Iterator[Column]:
    for m in model.membranes:
        name = f"slope conductance of {m}, dI/dV at its potential"
        compute = methodcaller("slope_conductance", m)
        yield Column(f"slope_conductance_{m}", "slope_conductance", name, "mS/cm^2", 0.1, compute, {"membrane": m})
    for m, s in _crossing(model):
        if model.species[s].valence:
            name = f"share of {s} in the slope conductance of {m}"
            of = {"membrane": m, "species": s}
            yield Column(f"vote_{m}_{s}", "vote", name, "1", 1.0, methodcaller("vote", m, s), of)


def _currents(model: Model) -> Iterator[Column]:
    def column(name: str, what: str, compute: Callable[[Trajectory], NDArray], of: Mapping[str, str]) -> Column:
        long_name = f"current density of {what}, positive outward"
        return Column(f"current_{name}", "current_density", long_name, "uA/cm^2", 1e2, compute, of)

    for m in model.membranes:
        yield column(m, f"all ions through {m}", methodcaller("current_density", m), {"membrane": m})
    for m, s in _crossing(model):
        if model.species[s].valence:
            of = {"membrane": m, "species": s}
            yield column(f"{m}_{s}", f"{s} through {m}", methodcaller("current_density", m, s), of)
    for m, membrane in model.membranes.items():
        for p in membrane.pathways:
            charge = sum(count * model.species[s].valence for s, count in p.stoichiometry.items())
            # The pathways of one ion (permeability, conductance) are told of by that ion.
            if charge and p.name.startswith("pathways."):
                of = {"membrane": m, "pathway": p.name}
                compute = methodcaller("pathway_current_density", m, p.name)
                yield column(f"{m}_{p.label}_pathway", f"{p.label} of {m}", compute, of)
    for injection in model.injections:
        name = f"current injected into {injection.compartment}, positive inward"
        of = {"injection": injection.name, "compartment": injection.compartment}
        compute_injected = partial(_injected, injection)
        yield Column(f"injection_{injection.name}", "injected_current", name, "pA", 1e12, compute_injected, of)

    for clamp in model.clamps:
        name = f"current of the voltage clamp of {clamp.membrane}, positive inward"
        of = {"clamp": clamp.name, "membrane": clamp.membrane}
        compute = methodcaller("clamp_current", clamp.name)
        yield Column(f"clamp_{clamp.name}", "clamp_current", name, "pA", 1e12, compute, of)
        name = f"charge brought in by the voltage clamp of {clamp.membrane} since the start"
        compute = methodcaller("clamp_supply", clamp.name)
        yield Column(f"clamp_{clamp.name}_charge", "clamp_charge", name, "pC", 1e12, compute, of)
    for held in model.ion_clamps:
        name = f"{held.species} brought into {held.compartment} by its clamp, per time"
        of = {"clamp": held.name, "compartment": held.compartment, "species": held.species}
        compute = methodcaller("ion_clamp_rate", held.name)
        yield Column(f"clamp_{held.name}", "ion_clamp_rate", name, "fmol/s", 1e15, compute, of)


def _energetics(model: Model) -> Iterator[Column]:
    return (Column(*fields) for fields in energy_columns(model))


def _injected(injection: Injection, part: Trajectory) -> NDArray:
    return np.broadcast_to(part.evaluation.injected_current(injection), (len(part),))


def _tracers(model: Model) -> Iterator[Column]:
    for t in model.tracers:
        for c, compartment in model.compartments.items():
            if not compartment.concentrations.keys() & set(t.of):
                continue
            of, label = {"compartment": c, "tracer": t.name}, f"{t.name} (on {', '.join(t.of)}) in {c}"
            compute = methodcaller("tracer_share", c, t.name)
            told = f"share labelled: {label}"
            yield Column(f"tracer_share_{c}_{t.name}", "tracer_share", told, "1", 1.0, compute, of)
            if compartment.is_finite:
                compute = methodcaller("tracer_amount", c, t.name)
                told = f"amount of {label}"
                yield Column(f"tracer_amount_{c}_{t.name}", "tracer_amount", told, "fmol", 1e15, compute, of)
        for m, membrane in model.membranes.items():
            if any(name in t.of for p in membrane.pathways for name in p.stoichiometry):
                of = {"membrane": m, "tracer": t.name}
                compute = methodcaller("tracer_flux", m, t.name)
                told = f"net flux of {t.name} through {m}, positive outward"
                yield Column(f"tracer_flux_{m}_{t.name}", "tracer_flux", told, "umol/m^2/s", 1e6, compute, of)


def _electrodes(model: Model) -> Iterator[Column]:
    for e in model.electrodes:
        of = {"electrode": e.name} | ({"membrane": e.membrane} if e.membrane else {})
        for quantity, said, attribute in (
            ("V_recorded", "what {} records", "measured"),
            (
                "LJP_tip",
                "junction potential at the tip of {}, of what is around it against its filling",
                "tip_junction",
            ),
            (
                "LJP_bridge",
                "junction potential at the reference of {}, of the bath against its bridge",
                "bridge_junction",
            ),
        ):
            compute = partial(_of_electrode, e.name, attribute)
            yield Column(f"{quantity}_{e.name}", quantity, said.format(e.name), "mV", 1e3, compute, of)


def _of_electrode(name: str, attribute: str, part: Trajectory) -> NDArray:
    found: NDArray = getattr(electrode_reading(part, name), attribute)
    return found


#: What each group of the scenario's ``recording.quantities`` stands for; the order is that of the file.
_GROUPS: dict[str, Callable[[Model], Iterator[Column]]] = {
    "potentials": _potentials,
    "concentrations": _concentrations,
    "amounts": _amounts,
    "activities": _activities,
    "reversal_potentials": _reversal_potentials,
    "driving_forces": _driving_forces,
    "fluxes": _fluxes,
    "unidirectional_fluxes": _unidirectional_fluxes,
    "ussing_ratios": _ussing_ratios,
    "currents": _currents,
    "gates": _gates,
    "water_fluxes": _water_fluxes,
    "energetics": _energetics,
    "zero_current_potentials": _zero_current_potentials,
    "votes": _votes,
    "tracers": _tracers,
    "electrodes": _electrodes,
}


def _dissolved(model: Model) -> Iterator[tuple[str, str]]:
    for compartment in model.compartments.values():
        for species in compartment.concentrations:
            yield compartment.name, species


def _crossing(model: Model) -> Iterator[tuple[str, str]]:
    for membrane in model.membranes.values():
        moved = {name for p in membrane.pathways for name in p.stoichiometry}
        for species in model.species:
            if species in moved:
                yield membrane.name, species
