"""The quantities of a run, by name: ``plasma.V``, ``cell.Na``, ``plasma.E.K``.

The same names are used in result files, sweeps, recordings, data of figures and ``trajectory["plasma.V"]``. They are
the names used in formulas, preceded by the compartment or membrane to which the formula belongs.

=======================================  ==============================================================================
name                                     quantity
=======================================  ==============================================================================
``<membrane>.V``                         membrane potential, inside minus outside
``<membrane>.E.<ion>``                   reversal (Nernst) potential
``<membrane>.dE.<ion>``                  its activity correction, if a coefficient may differ from 1 on either side
``<membrane>.driving_force.<species>``   driving force Δmu~
``<membrane>.flux.<species>``            net flux; ``efflux``, ``influx`` and the Ussing ratios likewise
``<membrane>.current``                   current density of all ions; ``.current.<ion>`` of one
``<membrane>.<pathway>.current``         current density of a pathway
``<membrane>.<pathway>.<gate>``          gate of a channel
``<membrane>.area``, ``.water_flux``     area, volume flux of water
``<membrane>.zero_current_potential``    potential at which the net current would be 0
``<membrane>.slope_conductance``         dI/dV; ``.fractional_slope_conductance.<ion>`` the share of an ion
``<compartment>.<solute>``               concentration; ``.amount`` and ``.activity`` of it
``<compartment>.volume``                 solvent volume
``<compartment>.<tracer>.share``         share that is labelled; ``.amount`` of the label
``<membrane>.flux.<tracer>``             net flux of the label
``<injection>.injected_current``         injected current
``<clamp>.clamp_current``                current of a voltage clamp; ``.clamp_charge`` since the start
``<clamp>.clamp_rate``                   amount per time that an ion clamp brings in
=======================================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model.model import Injection, Model
from ..physics.mechanisms import UNIDIRECTIONAL

if TYPE_CHECKING:
    from .trajectory import Trajectory


@dataclass(frozen=True)
class Quantity:
    """One quantity over time.

    Attributes
    ----------
    name : str
        As in the table above.
    kind : str
        Kind of quantity: ``membrane_potential``, ``concentration`` …
    long_name, units : str
        Label and unit of an axis.
    scale : float
        Factor from SI to ``units``.
    compute : callable
        Function of a trajectory, or a part of one, that returns the values, SI.
    of : mapping of str to str
        Compartment, membrane, species … to which it belongs.
    """

    name: str
    kind: str
    long_name: str
    units: str
    scale: float
    compute: Callable[[Trajectory], NDArray]
    of: Mapping[str, str] = field(default_factory=dict)

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of its dataset in a file."""
        return {"units": self.units, "long_name": self.long_name, "quantity": self.kind, **self.of}

    def values(self, part: Trajectory) -> NDArray:
        """Values in ``units``, one per sample."""
        # A failed run may end at a state for which a law is undefined: the value is NaN, and the message explains it.
        with np.errstate(all="ignore"):
            return self.compute(part) * self.scale


def quantities_of(model: Model, groups: Iterable[str]) -> Iterator[Quantity]:
    """The quantities of some groups (keys of ``GROUPS``), in the order of ``GROUPS``, with unique names."""
    wanted = set(groups)
    builders = [build for group, build in GROUPS.items() if group in wanted]
    if {"concentrations", "amounts"} & wanted:
        builders.append(_volumes)
    return with_unique_names(quantity for build in builders for quantity in build(model))


def with_unique_names(quantities: Iterable[Quantity]) -> Iterator[Quantity]:
    """The quantities with unique names: a number is appended to a name that occurred before."""
    taken: set[str] = set()
    for quantity in quantities:
        name = unique_name(quantity.name, taken)
        taken.add(name)
        yield quantity if name == quantity.name else replace(quantity, name=name)


def unique_name(name: str, taken: set[str]) -> str:
    """The name as allowed in HDF5, with a number appended if it is already taken."""
    plain = name.replace("/", "_").replace("\0", "_")
    number, unique = 1, plain
    while unique in taken:
        number += 1
        unique = f"{plain}_{number}"
    return unique


def _potentials(model: Model) -> Iterator[Quantity]:
    for m in model.membranes:
        name = f"membrane potential of {m}, inside minus outside"
        compute = methodcaller("membrane_potential", m)
        yield Quantity(f"{m}.V", "membrane_potential", name, "mV", 1e3, compute, {"membrane": m})


def _concentrations(model: Model) -> Iterator[Quantity]:
    for c, s in _dissolved(model):
        name = f"concentration of {s} in {c}"
        compute = methodcaller("concentration", c, s)
        yield Quantity(f"{c}.{s}", "concentration", name, "mM", 1.0, compute, {"compartment": c, "species": s})
    for compartment in model.compartments.values():
        for x in compartment.impermeants if compartment.is_finite else ():
            c, s = compartment.name, x.name
            name = f"concentration of the impermeant {s} in {c}"
            of = {"compartment": c, "impermeant": s}
            yield Quantity(f"{c}.{s}", "concentration", name, "mM", 1.0, partial(_impermeant, c, s), of)


def _impermeant(compartment: str, name: str, part: Trajectory) -> NDArray:
    return part.run.initial.impermeant_amounts[compartment, name] / part.volume(compartment)


def _amounts(model: Model) -> Iterator[Quantity]:
    for c, s in _dissolved(model):
        if model.compartments[c].is_finite:
            of = {"compartment": c, "species": s}
            compute = methodcaller("amount", c, s)
            yield Quantity(f"{c}.{s}.amount", "amount", f"amount of {s} in {c}", "fmol", 1e15, compute, of)


def _activities(model: Model) -> Iterator[Quantity]:
    for c, s in _dissolved(model):
        of = {"compartment": c, "species": s}
        compute = methodcaller("activity", c, s)
        yield Quantity(f"{c}.{s}.activity", "activity", f"activity of {s} in {c}", "mM", 1.0, compute, of)


def _volumes(model: Model) -> Iterator[Quantity]:
    for c, compartment in model.compartments.items():
        if compartment.is_finite:
            compute = methodcaller("volume", c)
            yield Quantity(f"{c}.volume", "volume", f"solvent volume of {c}", "pL", 1e15, compute, {"compartment": c})
    for m, membrane in model.membranes.items():
        if membrane.geometry != "given":
            yield Quantity(f"{m}.area", "area", f"area of {m}", "um^2", 1e12, methodcaller("area", m), {"membrane": m})


def _gates(model: Model) -> Iterator[Quantity]:
    for m, membrane in model.membranes.items():
        for p in membrane.pathways:
            for g in p.gates:
                name = f"gate {g.name} of {p.label} in {m}"
                of = {"membrane": m, "pathway": p.name, "gate": g.name}
                compute = methodcaller("gate", m, p.name, g.name)
                yield Quantity(f"{m}.{p.label}.{g.name}", "gate", name, "1", 1.0, compute, of)


def _water_fluxes(model: Model) -> Iterator[Quantity]:
    for m, membrane in model.membranes.items():
        if membrane.water_permeability is not None:
            name = f"volume flux of water through {m}, positive outward"
            compute = methodcaller("water_flux", m)
            yield Quantity(f"{m}.water_flux", "water_flux", name, "um/s", 1e6, compute, {"membrane": m})


def _reversal_potentials(model: Model) -> Iterator[Quantity]:
    for m, s in _crossing(model):
        if model.species[s].valence:
            name = f"reversal (Nernst) potential of {s} at {m}"
            of = {"membrane": m, "species": s}
            compute = methodcaller("reversal_potential", m, s)
            yield Quantity(f"{m}.E.{s}", "reversal_potential", name, "mV", 1e3, compute, of)
    for m, s in _crossing(model):
        if model.has_activity_correction(m, s):
            name = f"activity correction of the Nernst potential of {s} at {m}: by activities minus by concentrations"
            of = {"membrane": m, "species": s}
            compute = methodcaller("activity_correction", m, s)
            yield Quantity(f"{m}.dE.{s}", "activity_correction", name, "mV", 1e3, compute, of)


def _driving_forces(model: Model) -> Iterator[Quantity]:
    for m, s in _crossing(model):
        name = f"driving force on {s} at {m}, positive outward"
        of = {"membrane": m, "species": s}
        compute = methodcaller("driving_force", m, s)
        yield Quantity(f"{m}.driving_force.{s}", "driving_force", name, "kJ/mol", 1e-3, compute, of)


def _fluxes(model: Model) -> Iterator[Quantity]:
    for m, s in _crossing(model):
        name = f"net flux of {s} through {m}, positive outward"
        of = {"membrane": m, "species": s}
        yield Quantity(f"{m}.flux.{s}", "flux", name, "umol/m^2/s", 1e6, methodcaller("flux", m, s), of)


def _unidirectional_fluxes(model: Model) -> Iterator[Quantity]:
    for m, s in _crossing_by_electrodiffusion(model):
        for side, way in enumerate(("efflux", "influx")):
            name = f"one-way {way} of {s} through {m}"
            of = {"membrane": m, "species": s}
            yield Quantity(f"{m}.{way}.{s}", way, name, "umol/m^2/s", 1e6, partial(_one_way, m, s, side), of)


def _one_way(membrane: str, species: str, side: int, part: Trajectory) -> NDArray:
    return part.unidirectional_fluxes(membrane, species)[side]


def _ussing_ratios(model: Model) -> Iterator[Quantity]:
    named = (
        ("ussing_ratio", "Ussing ratio, efflux over influx,"),
        ("ussing_ratio_expected", "Ussing ratio expected, exp(z F (V - E) / (R T)),"),
        ("ussing_ratio_quotient", "Ussing ratio over the one expected"),
    )
    for m, s in _crossing_by_electrodiffusion(model):
        of = {"membrane": m, "species": s}
        for which, (kind, meaning) in enumerate(named):
            compute = partial(_ussing, m, s, which)
            yield Quantity(f"{m}.{kind}.{s}", kind, f"{meaning} of {s} through {m}", "1", 1.0, compute, of)


def _ussing(membrane: str, species: str, which: int, part: Trajectory) -> NDArray:
    measured, expected = part.ussing_ratio(membrane, species)
    return (measured, expected, measured / expected)[which]


def _zero_current_potentials(model: Model) -> Iterator[Quantity]:
    for m in model.membranes:
        name = f"potential at which the net current of {m} would be 0, inside minus outside"
        compute = methodcaller("zero_current_potential", m)
        kind = "zero_current_potential"
        yield Quantity(f"{m}.{kind}", kind, name, "mV", 1e3, compute, {"membrane": m})


def _slope_conductances(model: Model) -> Iterator[Quantity]:
    for m in model.membranes:
        name = f"slope conductance of {m}, dI/dV at its potential"
        compute = methodcaller("slope_conductance", m)
        kind = "slope_conductance"
        yield Quantity(f"{m}.{kind}", kind, name, "mS/cm^2", 0.1, compute, {"membrane": m})
    for m, s in _crossing(model):
        if model.species[s].valence:
            name = f"share of {s} in the slope conductance of {m}"
            of, kind = {"membrane": m, "species": s}, "fractional_slope_conductance"
            yield Quantity(f"{m}.{kind}.{s}", kind, name, "1", 1.0, methodcaller(kind, m, s), of)


def _currents(model: Model) -> Iterator[Quantity]:
    def density(name: str, what: str, compute: Callable[[Trajectory], NDArray], of: Mapping[str, str]) -> Quantity:
        long_name = f"current density of {what}, positive outward"
        return Quantity(name, "current_density", long_name, "uA/cm^2", 1e2, compute, of)

    for m in model.membranes:
        compute = methodcaller("current_density", m)
        yield density(f"{m}.current", f"all ions through {m}", compute, {"membrane": m})
    for m, s in _crossing(model):
        if model.species[s].valence:
            of = {"membrane": m, "species": s}
            yield density(f"{m}.current.{s}", f"{s} through {m}", methodcaller("current_density", m, s), of)
    for m, membrane in model.membranes.items():
        for p in membrane.pathways:
            charge = sum(count * model.species[s].valence for s, count in p.stoichiometry.items())
            # Pathways in the tables permeability and conductance carry one ion: its current is already listed.
            if charge and p.name.startswith("pathways."):
                of = {"membrane": m, "pathway": p.name}
                compute = methodcaller("pathway_current_density", m, p.name)
                yield density(f"{m}.{p.label}.current", f"{p.label} of {m}", compute, of)
    for injection in model.injections:
        name = f"current injected into {injection.compartment}, positive inward"
        of = {"injection": injection.name, "compartment": injection.compartment}
        injected = partial(_injected, injection)
        yield Quantity(f"{injection.name}.injected_current", "injected_current", name, "pA", 1e12, injected, of)
    yield from _clamps(model)


def _injected(injection: Injection, part: Trajectory) -> NDArray:
    return np.broadcast_to(part.evaluation.injected_current(injection), (len(part),))


def _clamps(model: Model) -> Iterator[Quantity]:
    for clamp in model.clamps:
        name = f"current of the voltage clamp of {clamp.membrane}, positive inward"
        of = {"clamp": clamp.name, "membrane": clamp.membrane}
        compute = methodcaller("clamp_current", clamp.name)
        yield Quantity(f"{clamp.name}.clamp_current", "clamp_current", name, "pA", 1e12, compute, of)
        name = f"charge brought in by the voltage clamp of {clamp.membrane} since the start"
        compute = methodcaller("clamp_supply", clamp.name)
        yield Quantity(f"{clamp.name}.clamp_charge", "clamp_charge", name, "pC", 1e12, compute, of)
    for ion_clamp in model.ion_clamps:
        name = f"{ion_clamp.species} brought into {ion_clamp.compartment} by its clamp, per time"
        of = {"clamp": ion_clamp.name, "compartment": ion_clamp.compartment, "species": ion_clamp.species}
        compute = methodcaller("ion_clamp_rate", ion_clamp.name)
        yield Quantity(f"{ion_clamp.name}.clamp_rate", "ion_clamp_rate", name, "fmol/s", 1e15, compute, of)


def _tracers(model: Model) -> Iterator[Quantity]:
    for t in model.tracers:
        for c, compartment in model.compartments.items():
            if not compartment.concentrations.keys() & set(t.of):
                continue
            of, label = {"compartment": c, "tracer": t.name}, f"{t.name} (on {', '.join(t.of)}) in {c}"
            compute = methodcaller("tracer_share", c, t.name)
            name = f"share labelled: {label}"
            yield Quantity(f"{c}.{t.name}.share", "tracer_share", name, "1", 1.0, compute, of)
            if compartment.is_finite:
                compute = methodcaller("tracer_amount", c, t.name)
                name = f"amount of {label}"
                yield Quantity(f"{c}.{t.name}.amount", "tracer_amount", name, "fmol", 1e15, compute, of)
        for m, membrane in model.membranes.items():
            if any(name in t.of for p in membrane.pathways for name in p.stoichiometry):
                of = {"membrane": m, "tracer": t.name}
                compute = methodcaller("tracer_flux", m, t.name)
                name = f"net flux of {t.name} through {m}, positive outward"
                yield Quantity(f"{m}.flux.{t.name}", "tracer_flux", name, "umol/m^2/s", 1e6, compute, of)


#: Quantities of each group of ``recording.quantities``, in the order of a result file. The groups ``energetics`` and
#: ``electrodes`` need packages above this one and are added in ``storage.recorded``.
GROUPS: Mapping[str, Callable[[Model], Iterator[Quantity]]] = {
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
    "zero_current_potentials": _zero_current_potentials,
    "slope_conductances": _slope_conductances,
    "tracers": _tracers,
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


def _crossing_by_electrodiffusion(model: Model) -> Iterator[tuple[str, str]]:
    for m, s in _crossing(model):
        if any(p.law in UNIDIRECTIONAL and s in p.stoichiometry for p in model.membranes[m].pathways):
            yield m, s
