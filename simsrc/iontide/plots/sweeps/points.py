"""The data of a sweep for figures: varied values, the status of each point, and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...analysis.classification import KIND_NAMES
from ...errors import UsageError
from ..drawing.names import unit_label
from ..drawing.scales import Scale, scale_for

#: Statuses of a point in a figure, in the order of their codes; a computed point may still have no value.
STATUSES = ("computed", "failed", "missing", "excluded")
COMPUTED, FAILED, MISSING, EXCLUDED = range(len(STATUSES))


@dataclass(frozen=True)
class SweepColumn:
    """The values of a varied path or an output at all points.

    Attributes
    ----------
    name : str
        The varied path, or the name of the output.
    values : array, shape (points,) or (points, samples) or (points, states)
        In ``unit``, NaN where there is none; or codes of categories, −1 where there is none.
    unit : str
        For example ``mV``; empty for pure numbers and categories.
    categories : tuple of str
        What the codes of a categorical quantity stand for; empty for numbers.
    long_name : str
        For the label of an axis; if empty it is derived from the name.
    dimension : str
        Of the second axis of ``values``: ``time``, ``state``, or empty if there is none.
    parts : tuple of str
        Names along a second axis other than time, such as states.
    logarithmic : bool, optional
        Whether its axis is logarithmic; by default this depends on the values.
    """

    name: str
    values: NDArray
    unit: str = ""
    categories: tuple[str, ...] = ()
    long_name: str = ""
    dimension: str = ""
    parts: tuple[str, ...] = ()
    logarithmic: bool | None = None

    @property
    def has_value(self) -> NDArray:
        """Which points have a value."""
        return self.values >= 0 if self.categories else np.isfinite(self.values)

    @property
    def labels(self) -> tuple[str, ...]:
        """Its categories as in a legend or on an axis."""
        return tuple(KIND_NAMES.get(category, category) for category in self.categories)

    @property
    def description(self) -> str:
        """Its name in a sentence."""
        if self.long_name:
            return self.long_name
        group, *rest = self.name.split(".")
        if group == "parameters" and rest:
            return ".".join(rest)
        if group == "compartments" and len(rest) == 3 and rest[1] == "concentrations":
            return f"concentration of {rest[2]} in {rest[0]}"
        if group == "membranes" and len(rest) == 3 and rest[1] == "permeability":
            return f"permeability of {rest[0]} to {rest[2]}"
        if group in ("compartments", "membranes") and len(rest) == 2:
            return f"{rest[1].replace('_', ' ')} of {rest[0]}"
        return self.name

    @property
    def text(self) -> str:
        """Its name on an axis: a phrase begins with a capital, a path is unchanged; dollar signs are escaped."""
        description = self.description
        is_phrase = bool(self.long_name) or " " in description
        return (description[:1].upper() + description[1:] if is_phrase else description).replace("$", r"\$")

    @property
    def header(self) -> str:
        """The header of its column in the CSV file of a figure."""
        if self.categories:
            return f"{self.name} ({'; '.join(f'{k} {category}' for k, category in enumerate(self.categories))})"
        return f"{self.name} ({self.unit or '1'})"

    def label(self, factor: float = 1.0) -> str:
        """Its name with the unit on an axis on which 1 is ``factor`` of ``unit``."""
        power = "" if factor == 1.0 else f"$10^{{{round(np.log10(factor))}}}$"
        # Non-breaking spaces keep the unit together.
        unit = " ".join(part for part in (power, unit_label(self.unit)) if part).replace(" ", "\N{NO-BREAK SPACE}")
        return f"{self.text} ({unit})" if unit else self.text

    def scale(self) -> Scale:
        """The scale of an axis for all its values."""
        return scale_for(self.values[self.has_value], self.logarithmic, self.labels)

    def of(self, chosen: NDArray) -> SweepColumn:
        """The same for some of the points."""
        return replace(self, values=self.values[chosen])


@dataclass(frozen=True)
class SweepPoints:
    """The data of a sweep for figures.

    Attributes
    ----------
    title : str
    axes : tuple of SweepColumn
        Varied paths.
    status : int array, shape (points,)
        Codes of ``STATUSES``.
    outputs : mapping of str to SweepColumn
        By name; only the outputs that a figure needs are read.
    time : array, shape (samples,), optional
        Times of trajectories, s.
    design : str
        For example ``grid`` or ``saltelli``.
    """

    title: str
    axes: tuple[SweepColumn, ...]
    status: NDArray
    outputs: Mapping[str, SweepColumn] = field(default_factory=dict)
    time: NDArray | None = None
    design: str = ""

    def __len__(self) -> int:
        return len(self.status)

    def of(self, chosen: NDArray) -> SweepPoints:
        """Some of the points, without outputs."""
        return replace(self, axes=tuple(a.of(chosen) for a in self.axes), status=self.status[chosen], outputs={})

    def axis(self, name: str) -> SweepColumn:
        """The axis of a path, of which the last part suffices.

        Raises
        ------
        UsageError
            If no axis or more than one axis matches.
        """
        found = [a for a in self.axes if a.name == name] or [a for a in self.axes if a.name.endswith(f".{name}")]
        if len(found) == 1:
            return found[0]
        names = ", ".join(a.name for a in (found or self.axes))
        if found:
            raise UsageError(f"`{name}` is ambiguous; name one of {names}")
        raise UsageError(f"`{name}` is not varied in this sweep; varied are {names}")

    def scalar(self, name: str | None = None) -> SweepColumn:
        """An output with one value at each point; by default the first number, else the first categorical one.

        ``end[NAME]`` is one state of the end.

        Raises
        ------
        UsageError
            If there is no such output, or it is a trajectory.
        """
        if name is None:
            return self._computed(self._first_scalar())
        base, bracket, part = name.partition("[")
        if name not in self.outputs and bracket and part.endswith("]") and base in self.outputs:
            return self._computed(_part(self.outputs[base], part[:-1]))
        column = self._known(name)
        if column.dimension == "time":
            raise UsageError(
                f"{name} is a trajectory: draw it with --kind families, or name an output with one value at each point"
            )
        if column.dimension:
            states = ", ".join(f"{name}[{part}]" for part in column.parts)
            raise UsageError(f"{name} has many values at each point; name one of {states}")
        return self._computed(column)

    def trajectory(self, name: str | None = None) -> SweepColumn:
        """An output over time; by default the first.

        Raises
        ------
        UsageError
            If there is no such output, or it is no trajectory.
        """
        if name is None:
            over_time = [k for k, column in self.outputs.items() if column.dimension == "time"]
            if not over_time or self.time is None:
                raise UsageError(
                    "this sweep has no trajectories; families need one in sweep.keep, such as trajectory(plasma.V)"
                )
            return self.outputs[over_time[0]]
        column = self._known(name)
        if column.dimension != "time" or self.time is None:
            over_time = [k for k, other in self.outputs.items() if other.dimension == "time"]
            hint = f"name one of {', '.join(over_time)}" if over_time else f"add trajectory({name}) to sweep.keep"
            raise UsageError(f"{name} is no trajectory, which families need; {hint}")
        return column

    def _known(self, name: str) -> SweepColumn:
        if name not in self.outputs:
            raise UsageError(f"this sweep has no output `{name}`; it has {', '.join(self.outputs) or 'none'}")
        return self.outputs[name]

    def _computed(self, column: SweepColumn) -> SweepColumn:
        """Without values at points that were not computed, which failed points may have."""
        none = -1 if column.categories else np.nan
        return replace(column, values=np.where(self.status == COMPUTED, column.values, none))

    def _first_scalar(self) -> SweepColumn:
        plain = [column for column in self.outputs.values() if not column.dimension]
        numbers = [column for column in plain if not column.categories]
        if numbers or plain:
            return (numbers or plain)[0]
        states = [column for column in self.outputs.values() if column.parts]
        if states:
            return _part(states[0], states[0].parts[0])
        raise UsageError("this sweep has no output with one value at each point; draw it with --kind families")


def describe_points(
    points: SweepPoints, column: SweepColumn | None = None, marks: Mapping[int, str] | None = None
) -> str:
    """A sentence with the number of points, and of those that are not drawn.

    Parameters
    ----------
    points : SweepPoints
    column : SweepColumn, optional
        Computed points without a value in it are counted too.
    marks : mapping of int to str
        By status code, the mark of such points in the figure.
    """
    parts = []
    for code in (FAILED, MISSING, EXCLUDED):
        count = int(np.count_nonzero(points.status == code))
        mark = (marks or {}).get(code, "")
        if count:
            parts.append(f"{count_text(count)} {STATUSES[code]}{f' ({mark})' if mark else ''}")
    if column is not None:
        has_value = column.has_value if column.values.ndim == 1 else column.has_value.any(axis=1)
        count = int(np.count_nonzero((points.status == COMPUTED) & ~has_value))
        if count:
            parts.append(f"{count_text(count)} without a value")
    many = f"{count_text(len(points))} point{'s' if len(points) != 1 else ''}"
    return f"{many}: {', '.join(parts)}." if parts else f"{many}."


def count_text(count: int) -> str:
    """A whole number with separated thousands."""
    return f"{count:,}".replace(",", " ") if count >= 10_000 else str(count)


def require_values(points: SweepPoints, column: SweepColumn) -> None:
    """Refuse to draw a quantity without values.

    Raises
    ------
    UsageError
        With the number of points by status.
    """
    if not column.has_value.any():
        raise UsageError(f"{column.name} has no value at any point ({describe_points(points, column).rstrip('.')})")


def csv_columns(points: SweepPoints, *columns: SweepColumn) -> dict[str, NDArray]:
    """The columns of the CSV file of a figure: every axis, these quantities, and the status of each point."""
    status = SweepColumn("point", points.status, categories=STATUSES)
    shown = {column.header: column for column in (*points.axes, *columns, status)}
    return {
        header: np.where(c.has_value, c.values, np.nan) if c.categories else np.asarray(c.values, dtype=float)
        for header, c in shown.items()
    }


def names_of(columns: Iterable[SweepColumn]) -> str:
    """Their names in a caption."""
    return ", ".join(c.description for c in columns)


def _part(column: SweepColumn, part: str) -> SweepColumn:
    if part not in column.parts:
        raise UsageError(f"{column.name} has no `{part}`; there are {', '.join(column.parts)}")
    values = column.values[:, column.parts.index(part)]
    unit = "" if column.unit == "1" else column.unit
    long_name = f"{part} at the end (SI)" if not unit else f"{part} at the end"
    return SweepColumn(f"{column.name}[{part}]", values, unit, long_name=long_name)
