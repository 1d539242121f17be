"""A plan: every point of a sweep by its number, and in which blocks the points are computed.

Nothing of a plan is drawn in advance: a point follows from its number, so that a plan of a hundred million points is as
small as one of ten, and the same on every worker.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, IontideError, ScenarioError
from ...formulas.display import size_text
from ...model.model import Model
from ...model.serialization import canonical_json, model_to_json
from ...scenario.read import Scenario, loads
from ...scenario.read_plan import SweepFile, read_sweep_file, sweep_of
from ...scenario.schema.sweep import MOST_IN_BLOCK
from ...scenario.sweeps.form import LISTED
from ...scenario.text.faults import Faults
from .axes import Axis
from .constraints import Constraint, excluded, read_constraints
from .designs import Drawn, Grid, Listed, Saltelli, Sobol, Together, design_of
from .outputs import bytes_per_point, check_keep
from .resolve import check_values, reference_of, resolve_axes, scenario_at, settings_of

#: Of ``plan.json``; another where a reader of the former could misunderstand it, or where its points would be others.
FORMAT, FORMAT_VERSION = "iontide sweep plan", 1

#: Points in a block are a multiple of the lanes of the engine, so that none runs empty.
_LANES = 16

#: Blocks that there should be at least, so that workers have something to share, if they have so many points each.
_BLOCKS_TO_SHARE, _POINTS_WORTH_A_BLOCK = 64, 256

#: Bytes of a shard that is written at ease, and of the largest; shards of which a folder holds many without pain.
_EASY_BYTES, _MOST_BYTES, _MANY_SHARDS = 4e6, 16e6, 10_000

#: Values are computed in stretches that begin at a multiple of this, so that each number of a column meets the same
#: instructions of the processor (body or tail of a vectorised loop) whatever stretch is asked for.
_ALIGNMENT = 64

#: Points by which a digest knows what a design draws.
_SHOWN = 64


@dataclass(frozen=True, eq=False)
class Plan:
    """All points of a sweep.

    Attributes
    ----------
    scenario : Scenario
        That is varied, with its overrides.
    axes : tuple of Axis
        Varied paths, in the order of the file.
    design : Grid, Together, Random, LatinHypercube, Sobol or Saltelli
    design_name : str
        As in the file.
    seed : int
    keep : tuple of str
    constraints : tuple of Constraint
    block : int
        Points in a block; the last may be shorter.
    bytes_per_point : int
        On disk, about.
    table : dict
        ``[sweep]`` as written, with what was set in it.
    """

    scenario: Scenario
    axes: tuple[Axis, ...]
    design: Listed | Drawn
    design_name: str
    seed: int
    keep: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    block: int
    bytes_per_point: int
    table: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Number of points, the excluded ones among them."""
        return self.design.size

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.size // self.block)

    def span(self, block: int) -> tuple[int, int]:
        """First point of a block, and the one after its last."""
        if not 0 <= block < self.blocks:
            raise IndexError(f"there is no block {block}; they are 0 to {self.blocks - 1}")
        return block * self.block, min((block + 1) * self.block, self.size)

    def values(self, start: int, stop: int) -> NDArray:
        """The values of points.

        Parameters
        ----------
        start, stop : int
            Points ``start`` to ``stop - 1``.

        Returns
        -------
        float64 array, shape (stop − start, axes)
            SI; of axes with words the place of the word.
        """
        first, aligned = self._aligned(start, stop)
        return aligned[start - first : stop - first].copy()

    def excluded(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Which points fail to meet a constraint, shape (stop − start,): they keep their numbers."""
        if not self.constraints:
            self._check(start, stop)
            return np.zeros(stop - start, dtype=bool)
        first, aligned = self._aligned(start, stop)
        return excluded(self.constraints, aligned)[start - first : stop - first]

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.size:
            raise IndexError(f"there are no points {start} to {stop - 1}; they are 0 to {self.size - 1}")

    def _aligned(self, start: int, stop: int) -> tuple[int, NDArray]:
        """The values of a stretch around the points that begins at a number of its own, and that number."""
        self._check(start, stop)
        first = start // _ALIGNMENT * _ALIGNMENT
        last = min(self.size, -(-stop // _ALIGNMENT) * _ALIGNMENT)
        found = np.empty((last - first, len(self.axes)))
        if isinstance(self.design, Grid | Together):
            places = self.design.places(first, last)
            for number, axis in enumerate(self.axes):
                found[:, number] = axis.at_level(places[:, number])
        else:
            shares = self.design.shares(first, last)
            for number, axis in enumerate(self.axes):
                found[:, number] = axis.at_share(np.ascontiguousarray(shares[:, number]))
        return first, found

    def settings(self, point: int) -> dict[str, str]:
        """What ``--set`` takes to run one point alone, by path."""
        return settings_of(self.axes, self.values(point, point + 1)[0])

    def scenario_of(self, point: int) -> Scenario:
        """The scenario of one point.

        Raises
        ------
        ScenarioError
            There is none with these values.
        """
        return scenario_at(self.scenario, self.settings(point))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that decides the results, in hexadecimal digits; no word or figure that does not is in it."""
        reference = reference_of(self.axes, self.design, self.scenario)
        identity = {
            "format": [FORMAT, FORMAT_VERSION],
            "model": _model_identity(reference.model),
            "axes": [axis.identity() for axis in self.axes],
            "design": self.design_name,
            "size": self.size,
            "seed": self.seed,
            # What is drawn belongs to the library that draws it: another version may draw something else.
            "shares": None
            if isinstance(self.design, Grid | Together)
            else hashlib.sha256(self.design.shares(0, min(self.size, _SHOWN)).tobytes()).hexdigest(),
            "where": [constraint.identity for constraint in self.constraints],
            "keep": list(self.keep),
            "block": self.block,
        }
        return hashlib.sha256(canonical_json(identity).encode("ascii")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """All that the plan is made of, fit for ``json.dumps``; no file but this is needed to have it back."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "digest": self.digest,
            "scenario": {
                "name": PurePath(self.scenario.source).name,
                "text": self.scenario.text,
                "overrides": dict(self.scenario.overrides),
            },
            "sweep": dict(self.table) | {"block": self.block},
        }

    @classmethod
    def from_json(cls, document: Any) -> Plan:
        """The plan that ``to_json`` made the document from.

        Raises
        ------
        FileError
            It is no such document, or was changed since.
        """
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise FileError("this is not the plan of a sweep of iontide.")
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            told = f"this plan is of format {str(version)[:20]}, this iontide reads format {FORMAT_VERSION}"
            raise FileError(f"{told}; go on with the iontide that made it.")
        try:
            written, table, digest = document["scenario"], document["sweep"], document["digest"]
            scenario = loads(str(written["text"]), str(written["name"]), dict(written["overrides"]))
            plan = _plan_of(sweep_of(scenario, table, scenario.source, {}), checking=False)
            same = plan.digest == digest
        except (KeyError, TypeError, ValueError, IontideError) as error:
            told = " ".join(str(error).split())[:300]
            raise FileError(f"this plan was changed after it was made, and cannot be read any more: {told}") from None
        if not same:
            raise FileError(
                "this plan was changed after it was made, or this version of iontide, NumPy or SciPy makes other "
                "points or another model of it: its digest does not agree. Make a new plan for a new sweep."
            )
        return plan

    def summary(self) -> dict[str, Any]:
        """Figures of the plan before anything runs, fit for ``json.dumps``."""
        return {
            "scenario": self.scenario.source,
            "title": self.scenario.model.title,
            "design": self.design_name,
            "seed": None if self.design_name in LISTED else self.seed,
            "points": self.size,
            "constraints": [constraint.text for constraint in self.constraints],
            "axes": [_figures(axis) for axis in self.axes],
            "keep": list(self.keep),
            "block": self.block,
            "blocks": self.blocks,
            "bytes_per_point": self.bytes_per_point,
            "bytes": self.size * self.bytes_per_point,
            "remarks": list(self._remarks()),
        }

    def _remarks(self) -> list[str]:
        found = []
        if self.constraints:
            found.append("points that do not meet the constraints are counted here, but not computed")
        drawn = self.design.samples if isinstance(self.design, Saltelli) else self.size
        if isinstance(self.design, Sobol | Saltelli) and drawn & (drawn - 1):
            near = 2 ** round(math.log2(drawn))
            key = "samples" if isinstance(self.design, Saltelli) else "points"
            found.append(f"Sobol points are even in powers of two; {key} = {near} would be better than {drawn}")
        return found


def load_plan(path: str | os.PathLike[str], set: Mapping[str, Any] | None = None, **sweep: Any) -> Plan:
    """Read a plan, from a scenario with ``[sweep]`` or from a plan file that names a scenario.

    Parameters
    ----------
    path : path-like
    set : mapping of str to value, optional
        Other values by dotted path, as for a run: of the scenario, or of the sweep (``sweep.points``).
    **sweep
        Keys of ``[sweep]`` that hold in the place of the file's: ``points=4096``, ``keep=["end"]``, ``vary={…}``.

    Raises
    ------
    FileError
        A file cannot be read.
    ScenarioError
        With all faults of the scenario, or of the plan.
    UsageError
        A path in ``set`` leads nowhere.
    """
    given = dict(set or {}) | {f"sweep.{key}": value for key, value in sweep.items() if value is not None}
    return _plan_of(read_sweep_file(os.fspath(path), given), checking=True)


def _plan_of(file: SweepFile, checking: bool) -> Plan:
    """The plan of a sweep, held against its scenario, or trusted to fit because it did before."""
    form, faults, model = file.form, file.faults, file.scenario.model
    axes = resolve_axes(form.axes, file.scenario, faults, form.design)
    for number, name in enumerate(form.keep if checking else ()):
        for told in check_keep(model, [name]):
            faults.add(("sweep", "keep", number), told)
    if len(axes) < len(form.axes):
        raise ScenarioError(file.source, faults.found)
    design = design_of(form.design, tuple(axis.levels for axis in form.axes), form.drawn, form.seed)
    constraints = read_constraints(form.where, axes, model, lambda k, told: faults.add(("sweep", "where", k), told))
    if checking:
        check_values(axes, design, constraints, file.scenario, faults, form.design)
    if faults.found:
        raise ScenarioError(file.source, faults.found)
    room = bytes_per_point(model, form.keep)
    if checking:
        _check_room(room, form.size, form.most_bytes, faults)
        if faults.found:
            raise ScenarioError(file.source, faults.found)
    return Plan(
        file.scenario,
        axes,
        design,
        form.design,
        form.seed,
        form.keep,
        constraints,
        form.block or block_size(form.size, room),
        room,
        file.table,
    )


def _check_room(bytes_per_point: int, size: int, most: float, faults: Faults) -> None:
    """Tell what would fill a disk that was not meant to be filled."""
    due = bytes_per_point * size
    if due > most:
        told = f"{size:,} points of {bytes_per_point:,} bytes each would take {size_text(due)} of disk"
        meant = math.ceil(due / 1e9)
        faults.add(
            ("sweep", "keep"),
            f"{told}, more than {size_text(most)}; keep less, or write disk_GB = {meant} if that is meant",
        )


def block_size(size: int, bytes_per_point: int) -> int:
    """How many points to compute and write together.

    Shards are of a few megabytes at most and not more than a folder bears, and yet there are enough blocks for many
    workers to share.

    Parameters
    ----------
    size : int
        Points of the plan.
    bytes_per_point : int
    """
    shared = max(_POINTS_WORTH_A_BLOCK, size / _BLOCKS_TO_SHARE)
    easy = min(shared, _EASY_BYTES / bytes_per_point)
    needed = min(size / _MANY_SHARDS, _MOST_BYTES / bytes_per_point)
    return max(_LANES, min(MOST_IN_BLOCK, math.ceil(max(easy, needed) / _LANES) * _LANES))


def _model_identity(model: Model) -> dict[str, Any]:
    """A model without what is only said of it."""
    document: dict[str, Any] = model_to_json(model)["model"]
    return {key: value for key, value in document.items() if key not in ("title", "description", "sources")}


def _figures(axis: Axis) -> dict[str, Any]:
    """What a summary says of an axis."""
    found: dict[str, Any] = {"path": axis.path, "rule": axis.rule, "unit": axis.unit}
    if axis.words:
        return found | {"words": list(axis.words)}
    low, high = axis.ends
    found |= {"from": float(axis.from_si(low)), "to": float(axis.from_si(high))}
    return found if axis.is_distribution else found | {"values": len(axis.levels)}
