"""A plan: every point of a sweep by its number, and the blocks in which the points are computed.

A point is computed from its number, so that a plan of a hundred million points needs no more memory than one of ten,
and is the same on every worker.
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
from .designs import Drawn, Grid, Listed, Saltelli, Sobol, Zipped, design_of
from .outputs import bytes_per_point, check_outputs
from .resolve import check_values, reference_of, resolve_axes, scenario_at, settings_of

#: Of ``plan.json``; the version changes if a reader of the former could misunderstand it, or if points change.
FORMAT, FORMAT_VERSION = "iontide sweep plan", 2

#: The points of a block are a multiple of the SIMD lanes, so that no lane is idle.
_LANES = 16

#: Least number of blocks, for many workers to share, as long as a block has at least so many points.
_BLOCKS_TO_SHARE, _POINTS_WORTH_A_BLOCK = 64, 256

#: Usual and largest size of a shard, bytes, and number of shards that is no problem for a folder.
_USUAL_BYTES, _MOST_BYTES, _MANY_SHARDS = 4e6, 16e6, 10_000

#: Values are computed in ranges that begin at a multiple of this, so that the same instructions (body or tail of a
#: vectorised loop) compute a number of a column whatever range is requested.
_ALIGNMENT = 64

#: Points of a sampling design that enter the digest.
_IN_DIGEST = 64


@dataclass(frozen=True, eq=False)
class Plan:
    """All points of a sweep.

    Attributes
    ----------
    scenario : Scenario
        The scenario that is varied, with its overrides.
    axes : tuple of Axis
        Varied paths, in the order of the file.
    design : Grid, Together, Random, LatinHypercube, Sobol or Saltelli
    design_name : str
        Name in the file.
    seed : int
    keep : tuple of str
    constraints : tuple of Constraint
    block : int
        Points of a block; the last block may be shorter.
    bytes_per_point : int
        Approximate size on disk.
    table : dict
        ``[sweep]`` as written, with the settings applied.
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
        """Number of points, including excluded ones."""
        return self.design.size

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.size // self.block)

    def span(self, block: int) -> tuple[int, int]:
        """Number of the first point of a block, and of the point after its last."""
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
            SI; codes for axes with categories.
        """
        first, aligned = self._aligned(start, stop)
        return aligned[start - first : stop - first].copy()

    def excluded(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Which points fail to satisfy a constraint, shape (stop − start,)."""
        if not self.constraints:
            self._check(start, stop)
            return np.zeros(stop - start, dtype=bool)
        first, aligned = self._aligned(start, stop)
        return excluded(self.constraints, aligned)[start - first : stop - first]

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.size:
            raise IndexError(f"there are no points {start} to {stop - 1}; they are 0 to {self.size - 1}")

    def _aligned(self, start: int, stop: int) -> tuple[int, NDArray]:
        """First number and values of an aligned range that contains the points."""
        self._check(start, stop)
        first = start // _ALIGNMENT * _ALIGNMENT
        last = min(self.size, -(-stop // _ALIGNMENT) * _ALIGNMENT)
        found = np.empty((last - first, len(self.axes)))
        if isinstance(self.design, Grid | Zipped):
            places = self.design.places(first, last)
            for number, axis in enumerate(self.axes):
                found[:, number] = axis.at_level(places[:, number])
        else:
            shares = self.design.shares(first, last)
            for number, axis in enumerate(self.axes):
                found[:, number] = axis.at_share(np.ascontiguousarray(shares[:, number]))
        return first, found

    def settings(self, point: int) -> dict[str, str]:
        """The settings of one point by path, as for ``--set``."""
        return settings_of(self.axes, self.values(point, point + 1)[0])

    def scenario_of(self, point: int) -> Scenario:
        """The scenario of one point.

        Raises
        ------
        ScenarioError
            If the scenario is not valid with these values.
        """
        return scenario_at(self.scenario, self.settings(point))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that determines the results, and of nothing else, in hexadecimal digits."""
        reference = reference_of(self.axes, self.design, self.scenario)
        identity = {
            "format": [FORMAT, FORMAT_VERSION],
            "model": _model_identity(reference.model),
            "axes": [axis.identity() for axis in self.axes],
            "design": self.design_name,
            "size": self.size,
            "seed": self.seed,
            # Another version of the library may sample other points.
            "shares": None
            if isinstance(self.design, Grid | Zipped)
            else hashlib.sha256(self.design.shares(0, min(self.size, _IN_DIGEST)).tobytes()).hexdigest(),
            "where": [constraint.identity for constraint in self.constraints],
            "keep": list(self.keep),
            "block": self.block,
        }
        return hashlib.sha256(canonical_json(identity).encode("ascii")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The whole plan as a document for ``json.dumps``; ``from_json`` needs nothing else."""
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
        """The inverse of ``to_json``.

        Raises
        ------
        FileError
            If the document is no plan, or was changed.
        """
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise FileError("this is not a sweep plan of iontide.")
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            versions = f"this plan has format version {str(version)[:20]}, this iontide reads version {FORMAT_VERSION}"
            raise FileError(f"{versions}; use the version of iontide that made it.")
        try:
            written, table, digest = document["scenario"], document["sweep"], document["digest"]
            scenario = loads(str(written["text"]), str(written["name"]), dict(written["overrides"]))
            plan = _plan_of(sweep_of(scenario, table, scenario.source, {}), checking=False)
            same = plan.digest == digest
        except (KeyError, TypeError, ValueError, IontideError) as error:
            reason = " ".join(str(error).split())[:300]
            raise FileError(f"this plan was changed after it was made, and cannot be read: {reason}") from None
        if not same:
            raise FileError(
                "this plan was changed after it was made, or this version of iontide, NumPy or SciPy makes other "
                "points or another model of it: its digest does not agree. Make a new plan for a new sweep."
            )
        return plan

    def summary(self) -> dict[str, Any]:
        """A summary of the plan, for ``json.dumps``."""
        return {
            "scenario": self.scenario.source,
            "title": self.scenario.model.title,
            "design": self.design_name,
            "seed": None if self.design_name in LISTED else self.seed,
            "points": self.size,
            "constraints": [constraint.text for constraint in self.constraints],
            "axes": [_axis_summary(axis) for axis in self.axes],
            "keep": list(self.keep),
            "block": self.block,
            "blocks": self.blocks,
            "bytes_per_point": self.bytes_per_point,
            "bytes": self.size * self.bytes_per_point,
            "remarks": list(self._remarks()),
        }

    def _remarks(self) -> list[str]:
        remarks = []
        if self.constraints:
            remarks.append("excluded points are counted here, but not computed")
        number = self.design.samples if isinstance(self.design, Saltelli) else self.size
        if isinstance(self.design, Sobol | Saltelli) and number & (number - 1):
            near = 2 ** round(math.log2(number))
            key = "samples" if isinstance(self.design, Saltelli) else "points"
            message = f"Sobol points are evenly distributed if their number is a power of two: {key} = {near} is better"
            remarks.append(f"{message} than {number}")
        return remarks


def load_plan(path: str | os.PathLike[str], set: Mapping[str, Any] | None = None, **sweep: Any) -> Plan:
    """Read a plan, from a scenario with ``[sweep]`` or from a plan file that names a scenario.

    Parameters
    ----------
    path : path-like
    set : mapping of str to value, optional
        Values by dotted path that replace those of the scenario or of the sweep (``sweep.points``).
    **sweep
        Keys of ``[sweep]`` that replace those of the file: ``points=4096``, ``keep=["end"]``, ``vary={…}``.

    Raises
    ------
    FileError
        A file cannot be read.
    ScenarioError
        With all faults of the scenario, or of the plan.
    UsageError
        A path in ``set`` does not exist.
    """
    given = dict(set or {}) | {f"sweep.{key}": value for key, value in sweep.items() if value is not None}
    return _plan_of(read_sweep_file(os.fspath(path), given), checking=True)


def _plan_of(file: SweepFile, checking: bool) -> Plan:
    """The plan of a sweep, with or without a check against its scenario."""
    form, faults, model = file.form, file.faults, file.scenario.model
    axes = resolve_axes(form.axes, file.scenario, faults, form.design)
    for number, name in enumerate(form.keep if checking else ()):
        for message in check_outputs(model, [name]):
            faults.add(("sweep", "keep", number), message)
    if len(axes) < len(form.axes):
        raise ScenarioError(file.source, faults.found)
    design = design_of(form.design, tuple(axis.levels for axis in form.axes), form.drawn, form.seed)
    constraints = read_constraints(
        form.where, axes, model, lambda k, message: faults.add(("sweep", "where", k), message)
    )
    if checking:
        check_values(axes, design, constraints, file.scenario, faults, form.design)
    if faults.found:
        raise ScenarioError(file.source, faults.found)
    size = bytes_per_point(model, form.keep)
    if checking:
        _check_disk_space(size, form.size, form.most_bytes, faults)
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
        form.block or block_size(form.size, size),
        size,
        file.table,
    )


def _check_disk_space(bytes_per_point: int, size: int, most: float, faults: Faults) -> None:
    """Refuse results that would take more disk space than ``disk_GB``."""
    due = bytes_per_point * size
    if due > most:
        message = f"{size:,} points of {bytes_per_point:,} bytes each would take {size_text(due)} of disk"
        needed = math.ceil(due / 1e9)
        faults.add(
            ("sweep", "keep"),
            f"{message}, more than {size_text(most)}; list fewer outputs, or write disk_GB = {needed}",
        )


def block_size(size: int, bytes_per_point: int) -> int:
    """Number of points to compute and write together.

    Shards have a few megabytes at most and are not too many for a folder, and there are enough blocks for many workers.

    Parameters
    ----------
    size : int
        Points of the plan.
    bytes_per_point : int
    """
    for_sharing = max(_POINTS_WORTH_A_BLOCK, size / _BLOCKS_TO_SHARE)
    usual = min(for_sharing, _USUAL_BYTES / bytes_per_point)
    needed = min(size / _MANY_SHARDS, _MOST_BYTES / bytes_per_point)
    return max(_LANES, min(MOST_IN_BLOCK, math.ceil(max(usual, needed) / _LANES) * _LANES))


def _model_identity(model: Model) -> dict[str, Any]:
    """A model without its descriptive texts."""
    document: dict[str, Any] = model_to_json(model)["model"]
    return {key: value for key, value in document.items() if key not in ("title", "description", "references")}


def _axis_summary(axis: Axis) -> dict[str, Any]:
    """The summary of an axis."""
    summary: dict[str, Any] = {"path": axis.path, "rule": axis.rule, "unit": axis.unit}
    if axis.categories:
        return summary | {"categories": list(axis.categories)}
    low, high = axis.ends
    summary |= {"from": float(axis.from_si(low)), "to": float(axis.from_si(high))}
    return summary if axis.is_distribution else summary | {"values": len(axis.levels)}
