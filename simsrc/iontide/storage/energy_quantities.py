"""The group ``energetics`` of a recording: powers, pump turnover, and stored free energy over time.

``<membrane>.<pathway>.power``, ``<membrane>.water.power``, ``<reaction or exchange>.power``,
``<clamp>.series_resistance.power``: power dissipated. Of a pump also ``<membrane>.<pump>.fuel``, ``.work``,
``.turnover`` and ``.efficiency``. ``<injection, source, clamp or bath>.power_in``: power that it supplies.
``power_in``, ``dissipation``: their sums. ``free_energy.chemical``, ``.electrical``, ``.elastic``: stored free energy.
``energy_residual``: residual of the energy balance.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.energy import Energetics, energetics
from ..model.model import Model
from ..simulation.quantities import Quantity
from ..simulation.trajectory import Trajectory

#: The latest part of a trajectory and its energetics, shared by all quantities of that part.
_latest: list[tuple[weakref.ref[Trajectory], Energetics]] = []


def energy_quantities(model: Model) -> Iterator[Quantity]:
    """The quantities of the group."""
    for m, membrane in model.membranes.items():
        for p in membrane.pathways:
            if p.stoichiometry:
                path, of = f"membranes.{m}.{p.name}", {"membrane": m, "pathway": p.name}
                yield _power(path, f"{m}.{p.label}", f"{p.label} of {m}", of)
                if p.driven_by:
                    yield from _pump(path, f"{m}.{p.label}", f"{p.label} of {m}", of)
        if membrane.water_permeability is not None:
            yield _power(f"membranes.{m}.water", f"{m}.water", f"water through {m}", {"membrane": m})
    for reaction in model.reactions:
        yield _power(f"reactions.{reaction.name}", reaction.name, f"the reaction {reaction.name}", {})
    for exchange in model.exchanges:
        yield _power(f"exchange.{exchange.name}", exchange.name, f"the exchange {exchange.name}", {})
    for clamp in model.clamps:
        if clamp.series_resistance is not None:
            name = f"{clamp.name}.series_resistance"
            yield _power(f"clamps.{clamp.name}.series_resistance", name, f"the resistance of {clamp.name}", {})
    for path, name in _external_sources(model):
        yield Quantity(
            f"{name}.power_in", "power_in", f"power supplied by {name}", "pW", 1e12, partial(_supplied, path), {}
        )
    for name, long_name in (
        ("power_in", "power supplied, all sources"),
        ("dissipation", "power dissipated, all: entropy production times temperature"),
    ):
        yield Quantity(name, name, long_name, "pW", 1e12, partial(_total, name), {})
    for kind in ("chemical", "electrical", "elastic"):
        long_name = f"free energy stored, {kind}"
        yield Quantity(
            f"free_energy.{kind}", "free_energy", long_name, "pJ", 1e12, partial(_stored, kind), {"kind": kind}
        )
    long_name = "power in minus dissipation minus change of what is stored"
    yield Quantity("energy_residual", "energy_residual", long_name, "pW", 1e12, partial(_total, "residual"), {})


def _external_sources(model: Model) -> Iterator[tuple[str, str]]:
    """Path and name of each source of power that is not a pump."""
    yield from ((f"injections.{i.name}", i.name) for i in model.injections)
    yield from ((f"sources.{f.name}", f.name) for f in model.sources)
    yield from ((f"clamps.{c.name}", c.name) for c in model.every_clamp)
    yield from ((f"compartments.{c.name}", c.name) for c in model.compartments.values() if not c.is_finite)


def _power(path: str, name: str, what: str, of: Mapping[str, str]) -> Quantity:
    long_name = f"power dissipated by {what}"
    return Quantity(f"{name}.power", "dissipated_power", long_name, "pW", 1e12, partial(_dissipated, path), of)


def _pump(path: str, name: str, what: str, of: Mapping[str, str]) -> Iterator[Quantity]:
    for key, long_name, units, scale in (
        ("fuel", "power that the fuel pays for", "pW", 1e12),
        ("work", "power delivered to the ions by", "pW", 1e12),
        ("turnover", "fuel turned over by", "amol/s", 1e18),
        ("efficiency", "work delivered over fuel spent by", "1", 1.0),
    ):
        compute = partial(_of_pump, path, key)
        yield Quantity(f"{name}.{key}", f"pump_{key}", f"{long_name} {what}", units, scale, compute, of)


def _of(part: Trajectory) -> Energetics:
    if not _latest or _latest[0][0]() is not part:
        _latest[:] = [(weakref.ref(part), energetics(part))]
    return _latest[0][1]


def _dissipated(path: str, part: Trajectory) -> NDArray:
    return next(p.values for p in _of(part).sinks if p.path == path)


def _supplied(path: str, part: Trajectory) -> NDArray:
    return next((p.values for p in _of(part).sources if p.path == path), np.zeros(len(part)))


def _of_pump(path: str, key: str, part: Trajectory) -> NDArray:
    value: Any = getattr(_of(part).pumps[path], key)
    return np.asarray(value)


def _total(key: str, part: Trajectory) -> NDArray:
    return np.asarray(getattr(_of(part), key))


def _stored(kind: str, part: Trajectory) -> NDArray:
    return _of(part).stored[kind]
