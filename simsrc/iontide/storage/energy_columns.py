"""The group ``energetics`` of a recording: every power over time, what pumps turn over, and what is stored.

``power_<membrane>_<pathway>``, ``power_<membrane>_water``, ``power_<reaction or exchange>``,
``power_<clamp>_series_resistance``: what is dissipated. Of a pump besides ``fuel_…``, ``work_…``, ``turnover_…``,
``efficiency_…``, each ``<membrane>_<pump>``. ``power_in_<injection, source, clamp or bath>``: what comes in so.
``power_in``, ``dissipation``: all of it. ``free_energy_chemical``, ``…_electrical``, ``…_elastic``: what is stored.
``energy_residual``: what the balance does not close to.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.energy import Energetics, energetics
from ..model.model import Model
from ..simulation.trajectory import Trajectory

#: The fields of a column: name, quantity, long name, units, how many of these make one of SI, how computed, of what.
Fields = tuple[str, str, str, str, float, Callable[[Trajectory], NDArray], Mapping[str, str]]

#: A part of a trajectory and its energetics, which all columns of that part share.
_latest: list[tuple[weakref.ref[Trajectory], Energetics]] = []


def energy_columns(model: Model) -> Iterator[Fields]:
    """The columns of the group, as fields of a ``Column``."""
    for m, membrane in model.membranes.items():
        for p in membrane.pathways:
            if p.stoichiometry:
                path, of = f"membranes.{m}.{p.name}", {"membrane": m, "pathway": p.name}
                yield _power(path, f"{m}_{p.label}", f"{p.label} of {m}", of)
                if p.driven_by:
                    yield from _pump(path, f"{m}_{p.label}", f"{p.label} of {m}", of)
        if membrane.water_permeability is not None:
            yield _power(f"membranes.{m}.water", f"{m}_water", f"water through {m}", {"membrane": m})
    for reaction in model.reactions:
        yield _power(f"reactions.{reaction.name}", reaction.name, f"the reaction {reaction.name}", {})
    for exchange in model.exchanges:
        yield _power(f"exchange.{exchange.name}", exchange.name, f"the exchange {exchange.name}", {})
    for clamp in model.clamps:
        if clamp.series_resistance is not None:
            name = f"{clamp.name}_series_resistance"
            yield _power(f"clamps.{clamp.name}.series_resistance", name, f"the resistance of {clamp.name}", {})
    for path, name in _rig(model):
        yield f"power_in_{name}", "power_in", f"power that {name} brings in", "pW", 1e12, partial(_in, path), {}
    for name, said in (
        ("power_in", "power that comes in, all"),
        ("dissipation", "power dissipated, all: entropy production times temperature"),
    ):
        yield name, name, said, "pW", 1e12, partial(_whole, name), {}
    for kind in ("chemical", "electrical", "elastic"):
        said = f"free energy stored, {kind}"
        yield f"free_energy_{kind}", "free_energy", said, "pJ", 1e12, partial(_stored, kind), {"kind": kind}
    said = "power in minus dissipation minus change of what is stored"
    yield "energy_residual", "energy_residual", said, "pW", 1e12, partial(_whole, "residual"), {}


def _rig(model: Model) -> Iterator[tuple[str, str]]:
    """Path and name of each source of power that is no pump."""
    yield from ((f"injections.{i.name}", i.name) for i in model.injections)
    yield from ((f"sources.{f.name}", f.name) for f in model.sources)
    yield from ((f"clamps.{c.name}", c.name) for c in model.every_clamp)
    yield from ((f"compartments.{c.name}", c.name) for c in model.compartments.values() if not c.is_finite)


def _power(path: str, name: str, what: str, of: Mapping[str, str]) -> Fields:
    said = f"power dissipated by {what}"
    return f"power_{name}", "dissipated_power", said, "pW", 1e12, partial(_out, path), of


def _pump(path: str, name: str, what: str, of: Mapping[str, str]) -> Iterator[Fields]:
    for key, said, units, scale in (
        ("fuel", "power that the fuel pays for", "pW", 1e12),
        ("work", "power delivered to the ions by", "pW", 1e12),
        ("turnover", "fuel turned over by", "amol/s", 1e18),
        ("efficiency", "work delivered over fuel spent by", "1", 1.0),
    ):
        yield f"{key}_{name}", f"pump_{key}", f"{said} {what}", units, scale, partial(_of_pump, path, key), of


def _of(part: Trajectory) -> Energetics:
    if not _latest or _latest[0][0]() is not part:
        _latest[:] = [(weakref.ref(part), energetics(part))]
    return _latest[0][1]


def _out(path: str, part: Trajectory) -> NDArray:
    return next(p.values for p in _of(part).sinks if p.path == path)


def _in(path: str, part: Trajectory) -> NDArray:
    return next((p.values for p in _of(part).sources if p.path == path), np.zeros(len(part)))


def _of_pump(path: str, key: str, part: Trajectory) -> NDArray:
    value: Any = getattr(_of(part).pumps[path], key)
    return np.asarray(value)


def _whole(key: str, part: Trajectory) -> NDArray:
    return np.asarray(getattr(_of(part), key))


def _stored(kind: str, part: Trajectory) -> NDArray:
    return _of(part).stored[kind]
