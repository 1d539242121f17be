"""What figures of a sweep are drawn from: the varied values, what became of each point, and the kept quantities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...analysis.classification import KIND_NAMES
from ...errors import UsageError
from ..drawing.names import unit_label
from ..drawing.scales import Scale, scale_for

#: What became of a point, as far as a figure goes, by its code: a point that was computed may still have no value.
FATES = ("computed", "failed", "missing", "excluded")
COMPUTED, FAILED, MISSING, EXCLUDED = range(len(FATES))


@dataclass(frozen=True)
class SweepColumn:
    """A varied value or a kept quantity of all points.

    Attributes
    ----------
    name : str
        The path of what is varied, or the name under which a quantity is kept.
    values : array, shape (points,) or (points, samples) or (points, states)
        In ``unit``, NaN where there is none; of words the place of each, −1 where there is none.
    unit : str
        As ``mV``; empty for pure numbers and words.
    words : tuple of str
        What whole numbers stand for; empty of numbers that are numbers.
    long_name : str
        For the label of an axis; made of the name where it is empty.
    dimension : str
        Of the second axis of ``values``: ``time``, ``state``, or empty where there is none.
    parts : tuple of str
        Names along a second axis that is no time, as of states.
    logarithmic : bool, optional
        Whether it is drawn on a logarithmic axis; by its values if not given.
    """

    name: str
    values: NDArray
    unit: str = ""
    words: tuple[str, ...] = ()
    long_name: str = ""
    dimension: str = ""
    parts: tuple[str, ...] = ()
    logarithmic: bool | None = None

    @property
    def there(self) -> NDArray:
        """Which points have a value."""
        return self.values >= 0 if self.words else np.isfinite(self.values)

    @property
    def labels(self) -> tuple[str, ...]:
        """Its words as a legend or an axis has them."""
        return tuple(KIND_NAMES.get(word, word) for word in self.words)

    @property
    def spoken(self) -> str:
        """How it is spoken of in a sentence."""
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
        """How an axis calls it: a phrase with a capital, a name as it is; nothing in it is read as mathematics."""
        spoken = self.spoken
        is_phrase = bool(self.long_name) or " " in spoken
        return (spoken[:1].upper() + spoken[1:] if is_phrase else spoken).replace("$", r"\$")

    @property
    def header(self) -> str:
        """Of its column of numbers beside the figure."""
        if self.words:
            return f"{self.name} ({'; '.join(f'{k} {word}' for k, word in enumerate(self.words))})"
        return f"{self.name} ({self.unit or '1'})"

    def label(self, factor: float = 1.0) -> str:
        """Its name with the unit, in which ``factor`` of ``unit`` is 1 on the axis."""
        power = "" if factor == 1.0 else f"$10^{{{round(np.log10(factor))}}}$"
        # Spaces at which no line is broken.
        unit = " ".join(part for part in (power, unit_label(self.unit)) if part).replace(" ", "\N{NO-BREAK SPACE}")
        return f"{self.text} ({unit})" if unit else self.text

    def scale(self) -> Scale:
        """Of an axis that holds all of its values."""
        return scale_for(self.values[self.there], self.logarithmic, self.labels)

    def of(self, chosen: NDArray) -> SweepColumn:
        """The same of some of the points."""
        return replace(self, values=self.values[chosen])


@dataclass(frozen=True)
class SweepPoints:
    """A sweep as figures see it.

    Attributes
    ----------
    title : str
    axes : tuple of SweepColumn
        What is varied.
    fate : int array, shape (points,)
        Codes of ``FATES``.
    kept : mapping of str to SweepColumn
        By name; only what a figure asks for is looked up.
    time : array, shape (samples,), optional
        Of kept trajectories, s.
    design : str
        As ``grid`` or ``saltelli``.
    """

    title: str
    axes: tuple[SweepColumn, ...]
    fate: NDArray
    kept: Mapping[str, SweepColumn] = field(default_factory=dict)
    time: NDArray | None = None
    design: str = ""

    def __len__(self) -> int:
        return len(self.fate)

    def of(self, chosen: NDArray) -> SweepPoints:
        """The same without what is kept, and of some of the points."""
        return replace(self, axes=tuple(a.of(chosen) for a in self.axes), fate=self.fate[chosen], kept={})

    def axis(self, name: str) -> SweepColumn:
        """What is varied at a path, of which the last words suffice.

        Raises
        ------
        UsageError
            Nothing, or more than one thing, is varied there.
        """
        found = [a for a in self.axes if a.name == name] or [a for a in self.axes if a.name.endswith(f".{name}")]
        if len(found) == 1:
            return found[0]
        told = ", ".join(a.name for a in (found or self.axes))
        if found:
            raise UsageError(f"`{name}` may be any of {told}; name one of them")
        raise UsageError(f"`{name}` is not varied in this sweep; varied are {told}")

    def scalar(self, name: str | None = None) -> SweepColumn:
        """A kept quantity with one value a point; the first number (else the first word) where none is named.

        One state of the end is named ``end[NAME]``.

        Raises
        ------
        UsageError
            It is not kept, or it is kept over time.
        """
        if name is None:
            return self._computed(self._first_scalar())
        base, bracket, part = name.partition("[")
        if name not in self.kept and bracket and part.endswith("]") and base in self.kept:
            return self._computed(_part(self.kept[base], part[:-1]))
        column = self._known(name)
        if column.dimension == "time":
            raise UsageError(
                f"{name} is kept over time: draw it as families, or keep a number of it, as its end or max"
            )
        if column.dimension:
            states = ", ".join(f"{name}[{part}]" for part in column.parts)
            raise UsageError(f"{name} is kept as many numbers a point; name one of {states}")
        return self._computed(column)

    def trajectory(self, name: str | None = None) -> SweepColumn:
        """A quantity that is kept over time; the first where none is named.

        Raises
        ------
        UsageError
            It is not kept, or not over time, or nothing is.
        """
        if name is None:
            over_time = [k for k, column in self.kept.items() if column.dimension == "time"]
            if not over_time or self.time is None:
                raise UsageError(
                    "no trajectories are kept in this sweep; keep one, as trajectory(plasma.V), to draw families"
                )
            return self.kept[over_time[0]]
        column = self._known(name)
        if column.dimension != "time" or self.time is None:
            over_time = [k for k, other in self.kept.items() if other.dimension == "time"]
            told = f"; over time are {', '.join(over_time)}" if over_time else f", as trajectory({name})"
            raise UsageError(f"{name} is not kept over time, as families need it{told}")
        return column

    def _known(self, name: str) -> SweepColumn:
        if name not in self.kept:
            raise UsageError(f"no quantity `{name}` is kept in this sweep; there are {', '.join(self.kept) or 'none'}")
        return self.kept[name]

    def _computed(self, column: SweepColumn) -> SweepColumn:
        """Without what may stand where a run came to no end, as the word for no verdict."""
        none = -1 if column.words else np.nan
        return replace(column, values=np.where(self.fate == COMPUTED, column.values, none))

    def _first_scalar(self) -> SweepColumn:
        plain = [column for column in self.kept.values() if not column.dimension]
        numbers = [column for column in plain if not column.words]
        if numbers or plain:
            return (numbers or plain)[0]
        states = [column for column in self.kept.values() if column.parts]
        if states:
            return _part(states[0], states[0].parts[0])
        raise UsageError("nothing with one value a point is kept in this sweep, as its end or a max: draw families")


def tell_points(points: SweepPoints, column: SweepColumn | None = None, marks: Mapping[int, str] | None = None) -> str:
    """How many points there are, and what became of those that are not drawn.

    Parameters
    ----------
    points : SweepPoints
    column : SweepColumn, optional
        Points that were computed and have no value in it are told of too.
    marks : mapping of int to str
        By the code of a fate, how such points are marked in the figure.
    """
    told = []
    for code in (FAILED, MISSING, EXCLUDED):
        count = int(np.count_nonzero(points.fate == code))
        mark = (marks or {}).get(code, "")
        if count:
            told.append(f"{count_text(count)} {FATES[code]}{f' ({mark})' if mark else ''}")
    if column is not None:
        there = column.there if column.values.ndim == 1 else column.there.any(axis=1)
        count = int(np.count_nonzero((points.fate == COMPUTED) & ~there))
        if count:
            told.append(f"{count_text(count)} without a value")
    many = f"{count_text(len(points))} point{'s' if len(points) != 1 else ''}"
    return f"{many}: {', '.join(told)}." if told else f"{many}."


def count_text(count: int) -> str:
    """A whole number, its thousands apart."""
    return f"{count:,}".replace(",", " ") if count >= 10_000 else str(count)


def require_values(points: SweepPoints, column: SweepColumn) -> None:
    """Refuse to draw a quantity that no point has.

    Raises
    ------
    UsageError
        With what became of the points instead.
    """
    if not column.there.any():
        raise UsageError(f"{column.name} has no value at any point ({tell_points(points, column).rstrip('.')})")


def numbers_beside(points: SweepPoints, *columns: SweepColumn) -> dict[str, NDArray]:
    """The columns of the numbers beside a figure: every axis, these quantities, and what became of each point."""
    fate = SweepColumn("point", points.fate, words=FATES)
    shown = {column.header: column for column in (*points.axes, *columns, fate)}
    return {
        header: np.where(c.there, c.values, np.nan) if c.words else np.asarray(c.values, dtype=float)
        for header, c in shown.items()
    }


def names_of(columns: Iterable[SweepColumn]) -> str:
    """As they are spoken of in a caption, which is plain text."""
    return ", ".join(c.spoken for c in columns)


def _part(column: SweepColumn, part: str) -> SweepColumn:
    if part not in column.parts:
        raise UsageError(f"{column.name} has no `{part}`; there are {', '.join(column.parts)}")
    values = column.values[:, column.parts.index(part)]
    unit = "" if column.unit == "1" else column.unit
    told = f"{part} at the end (SI)" if not unit else f"{part} at the end"
    return SweepColumn(f"{column.name}[{part}]", values, unit, long_name=told)
