"""A plan of a sweep without a scenario, for tests of what is written and read: any size, and its blocks made up."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

import numpy as np

from iontide.errors import FileError
from iontide.sweeps.compute.block import DONE, EXCLUDED, FAILED, STEADY, Block, OutputValues
from iontide.sweeps.plan.designs import Grid

CATEGORIES = ("rests", "depolarises for good", "swells")


@dataclass(frozen=True)
class PlainAxis:
    path: str
    unit: str = ""
    categories: tuple[str, ...] = ()
    scale: float = 1.0

    def from_si(self, values):
        return values * self.scale


@dataclass(frozen=True)
class PlainPlan:
    """A grid of ``shape``: the first axis a permeability, the second (if any) a word, further ones plain numbers."""

    shape: tuple[int, ...] = (10,)
    block: int = 4
    keep: tuple[str, ...] = ("max(plasma.V)", "verdict")
    seed: int = 0
    design_name: str = "grid"

    @property
    def design(self):
        return Grid(self.shape) if self.design_name == "grid" else None

    @property
    def size(self):
        return int(np.prod(self.shape))

    @property
    def blocks(self):
        return -(-self.size // self.block)

    @property
    def axes(self):
        known = [
            PlainAxis("membranes.plasma.permeability.K", "cm/s", scale=100.0),
            PlainAxis("compartments.cell.activity", categories=("ideal", "davies", "debye hueckel")),
        ]
        return tuple([*known, *(PlainAxis(f"parameters.p{k}") for k in range(len(self.shape)))][: len(self.shape)])

    @property
    def digest(self):
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()

    def span(self, number):
        return number * self.block, min(self.size, (number + 1) * self.block)

    def values(self, start, stop):
        places = np.unravel_index(np.arange(start, stop), self.shape)
        columns = [
            places[k] % 3.0 if axis.categories else 1e-8 * (1.0 + places[k]) if k == 0 else 0.5 * places[k] + self.seed
            for k, axis in enumerate(self.axes)
        ]
        return np.stack(columns, axis=1)

    def excluded(self, start, stop):
        return np.arange(start, stop) % 7 == 6

    def to_json(self):
        return asdict(self) | {"digest": self.digest}

    @classmethod
    def from_json(cls, told):
        plan = cls(tuple(told["shape"]), told["block"], tuple(told["keep"]), told["seed"], told["design_name"])
        if told["digest"] != plan.digest:
            raise FileError("the plan is not the one of its digest")
        return plan


def stand_in():
    """Folders of sweeps hold plans of this kind, in this process."""
    from iontide.sweeps.store import store

    store.Plan = PlainPlan


def made_block(plan, number, scalars=0):
    """A block of a plan as an engine could have made it, the same whenever it is asked for."""
    start, stop = plan.span(number)
    points = np.arange(start, stop)
    rng = np.random.default_rng([plan.seed, number])
    status = np.where(points % 2, STEADY, DONE).astype(np.int8)
    status[points % 5 == 3] = FAILED
    status[plan.excluded(start, stop)] = EXCLUDED
    there = np.isin(status, (DONE, STEADY))
    verdict = np.where(there, points % 3, -1).astype(np.int8)
    outputs = {
        "max(plasma.V)": OutputValues(
            np.where(there, rng.normal(-70, 5, len(points)), np.nan), "mV", long_name="the highest V"
        ),
        "verdict": OutputValues(verdict, categories=CATEGORIES),
        "trajectory(plasma.V)": OutputValues(rng.normal(size=(len(points), 3)), "mV", ("time",)),
        "end": OutputValues(rng.normal(size=(len(points), 2)), "", ("state",)),
    }
    for k in range(scalars):
        outputs[f"scalar {k}"] = OutputValues(rng.normal(size=len(points)), "mM", long_name=f"made-up number {k}")
    outputs = {name: quantity for name, quantity in outputs.items() if name in plan.keep or name.startswith("scalar")}
    used = {dimension for quantity in outputs.values() for dimension in quantity.dimensions}
    coordinates = {
        "time": OutputValues(np.array([0.0, 1.0, 10.0]), "s", ("time",), long_name="time"),
        "state": OutputValues(np.arange(2), "", ("state",), ("cell.K", "cell µ"), "state of the model"),
    }
    return Block(
        start=start,
        status=status,
        time=np.where(there, 10.0, rng.random(len(points))),
        steps=rng.integers(5, 500, len(points)),
        outputs=outputs,
        coordinates={name: quantity for name, quantity in coordinates.items() if name in used},
        messages={int(p): f"point {p}: the step became too small at t = {p} s" for p in points[status == FAILED]},
    )


ALL = ("max(plasma.V)", "verdict", "trajectory(plasma.V)", "end")


def everything(**changes):
    """A plan that keeps quantities of every kind."""
    return replace(PlainPlan((5, 3), 4, ALL), **changes)


def differences(a, b):
    """Names of what is not the same bit for bit in two blocks."""

    def same(x, y):
        return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()

    found = [name for name in ("status", "time", "steps") if not same(getattr(a, name), getattr(b, name))]
    found += [] if (a.start, dict(a.messages)) == (b.start, dict(b.messages)) else ["start or messages"]
    for group in ("outputs", "coordinates"):
        one, other = getattr(a, group), getattr(b, group)
        found += [] if list(one) == list(other) else [group]
        for name in set(one) & set(other):
            texts = [(k.unit, tuple(k.dimensions), tuple(k.categories), k.long_name) for k in (one[name], other[name])]
            found += [] if same(one[name].values, other[name].values) and texts[0] == texts[1] else [name]
    return found
