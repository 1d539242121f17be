"""The table ``[sweep]`` by itself: axes with their numbers in SI, the design, the number of points.

Whether the paths exist and the values are valid there is checked in ``iontide.sweeps``: it does not matter for a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ...formulas.formula import Call, Formula, FormulaError, parse_formula
from ...formulas.units import DIMENSIONLESS, quoted
from ..schema.quantity_kinds import show
from ..schema.sweep import MOST_POINTS, SpreadTable, SweepTable
from ..schema.sweep_messages import EXAMPLE, RULES
from ..text.faults import Faults
from ..text.key_lines import KeyPath
from .axis import AxisForm, read_rule, read_values

#: Designs that use listed values; all others sample.
LISTED = ("grid", "zip", "list")

#: Message for a constraint that is no comparison.
NO_COMPARISON = "a constraint must be a comparison, as in a < b"

#: Most numbers of a Latin hypercube, which holds them in memory.
MOST_IN_HYPERCUBE = 10**7


@dataclass(frozen=True)
class SweepForm:
    """A sweep as written, after the checks of its form.

    Attributes
    ----------
    design : str
    axes : tuple of AxisForm
    size : int
        Number of points, including excluded ones.
    drawn : int
        ``points``, or ``samples`` of a saltelli design; 0 for a design with listed values.
    seed : int
    keep, where : tuple of str
    block : int or None
        Points computed together, if given in the file.
    most_bytes : float
        Most disk space for the results.
    """

    design: str
    axes: tuple[AxisForm, ...]
    size: int
    drawn: int
    seed: int
    keep: tuple[str, ...]
    where: tuple[str, ...]
    block: int | None
    most_bytes: float


def read_sweep(table: SweepTable, faults: Faults) -> SweepForm | None:
    """Read a sweep and check its form; None if it has a fault."""
    before = len(faults.found)
    axes = _axes_of_rows(table, faults) if table.design == "list" else _axes(table, faults)
    _check_entries(table.keep, ("sweep", "keep"), faults)
    _check_entries(table.where, ("sweep", "where"), faults)
    for number, text in enumerate(table.where):
        place: KeyPath = ("sweep", "where", number)
        if not faults.is_faulty(*place):
            try:
                condition(text)
            except FormulaError as error:
                faults.add(place, str(error))
    drawn = _drawn(table, len(axes), faults)
    if faults.is_faulty_within("sweep") or len(faults.found) > before:
        return None
    size = _size(table.design, axes, drawn, faults)
    if size is None:
        return None
    return SweepForm(
        *(table.design, tuple(axes), size, drawn, table.seed or 0, tuple(table.keep), tuple(table.where), table.block),
        table.disk_GB * 1e9,
    )


def condition(text: str) -> Formula:
    """A comparison as a formula: 1 where it holds, else 0.

    Raises
    ------
    FormulaError
        If it cannot be read, or is no comparison.
    """
    opening = "where(("
    try:
        formula = parse_formula(f"{opening}{text}), 1, 0)")
    except FormulaError as error:
        # The column is counted in the text as written, without what was put around it.
        place, colon, what = str(error).partition(": ")
        if place.startswith("column ") and colon:
            column = max(1, int(place.split()[1]) - len(opening))
            place = f"column {min(column, len(text) + 1)} of {quoted(text)}"
            what = "the comparison ends too early" if column > len(text) else what
        message = what.replace("the condition of where is a comparison, as in V < 0 mV", NO_COMPARISON)
        raise FormulaError(f"{place}{colon}{message}") from None
    if not (isinstance(formula.ast, Call) and formula.ast.function == "where"):
        raise FormulaError(f"column 1 of {quoted(text)}: {NO_COMPARISON}")
    return formula


def _axes(table: SweepTable, faults: Faults) -> list[AxisForm]:
    """The axes without faults."""
    if table.rows is not None:
        faults.add(("sweep", "rows"), f'applies only to design = "list", not {show(table.design)}')
    if not table.vary and not faults.is_faulty_within("sweep", "vary"):
        faults.add(("sweep", "vary"), f"missing; name at least one path and its values ({EXAMPLE})")
    axes = []
    for path, written in table.vary.items():
        place: KeyPath = ("sweep", "vary", path)
        if faults.is_faulty_within(*place):
            continue
        if path.split(".")[0] == "sweep":
            faults.add(place, "keys of [sweep] cannot be varied")
            continue
        axis = _axis(path, written, place, faults)
        if axis is not None:
            _check_design(axis, table, place, faults)
            axes.append(axis)
    return axes


def _axis(path: str, written: object, place: KeyPath, faults: Faults) -> AxisForm | None:
    if isinstance(written, list):
        return read_values(path, written, _items(place, written), place, faults)
    assert isinstance(written, SpreadTable)
    times = getattr(written, "times", None)
    if times is None:
        return read_rule(path, written, place, faults)
    others = [rule for rule in (*RULES, "within", "points") if getattr(written, rule) is not None]
    if others:
        faults.add((*place, others[0]), f"cannot be given together with times; write times = {{ {others[0]} = … }}")
        return None
    below = (*place, "times")
    if isinstance(times, list):
        factors = read_values(path, times, _items(below, times), below, faults)
    else:
        factors = read_rule(path, times, below, faults)
    if factors is None:
        return None
    if not factors.is_numeric or factors.dimension != DIMENSIONLESS:
        faults.add(below, f"factors must be pure numbers (as times = [0.5, 1, 2]), got {show(factors.written[0])}")
        return None
    return replace(factors, is_factor=True)


def _items(place: KeyPath, written: list[str | float]) -> list[KeyPath]:
    """The place of each value of a list."""
    return [(*place, number) for number in range(len(written))]


def _check_design(axis: AxisForm, table: SweepTable, place: KeyPath, faults: Faults) -> None:
    """Check that the design can have such an axis."""
    if faults.is_faulty("sweep", "design"):
        return
    if table.design in LISTED and axis.levels == 0:
        message = f"a {table.design} needs values: a list, or linear or log with points"
        faults.add(place, f'{message}; {axis.rule} needs a design that samples, such as "sobol"')
    if table.design == "grid" and axis.rule == "values":
        seen: dict[object, int] = {}
        for number, value in enumerate(axis.numbers or axis.written):
            if value in seen:
                faults.add((*place, number), f"{show(axis.written[number])} is listed twice")
                return
            seen[value] = number


def _axes_of_rows(table: SweepTable, faults: Faults) -> list[AxisForm]:
    """The axes of points that are listed one by one."""
    place: KeyPath = ("sweep", "rows")
    if table.vary:
        faults.add(("sweep", "vary"), 'does not apply to design = "list"; give its points as rows')
    if faults.is_faulty_within(*place):
        return []
    if not table.rows:
        faults.add(place, 'missing; a list needs its points, as rows = [{ "parameters.P_K" = "1e-8 m/s" }, …]')
        return []
    paths = list(table.rows[0])
    for number, row in enumerate(table.rows):
        if set(row) != set(paths):
            missing = [path for path in paths if path not in row] or [path for path in row if path not in paths]
            which = "lacks" if len(row) <= len(paths) and set(row) < set(paths) else "differs from the first row in"
            faults.add((*place, number), f"{which} {missing[0]}; every row names the same paths")
            return []
    if not paths:
        faults.add((*place, 0), "names no path")
    columns = []
    for path in paths:
        places: list[KeyPath] = [(*place, number, path) for number in range(len(table.rows))]
        columns.append(read_values(path, [row[path] for row in table.rows], places, places[0], faults))
    return [column for column in columns if column is not None]


def _check_entries(entries: list[str], path: KeyPath, faults: Faults) -> None:
    for number, text in enumerate(entries):
        if not text.strip():
            faults.add((*path, number), "is empty")
        elif text in entries[:number]:
            faults.add((*path, number), f"{show(text)} is listed twice")
    if not entries and path[-1] == "keep" and not faults.is_faulty_within(*path):
        faults.add(path, 'is empty; name at least one output, such as "end"')


def _drawn(table: SweepTable, axes: int, faults: Faults) -> int:
    """Number of sampled points, or of base samples; reports keys that do not apply to the design."""
    if faults.is_faulty("sweep", "design"):
        return 0
    key = None if table.design in LISTED else "samples" if table.design == "saltelli" else "points"
    for other in ("points", "samples", "seed"):
        given, place = getattr(table, other), ("sweep", other)
        if given is None or other == key or faults.is_faulty(*place) or (other == "seed" and key):
            continue
        if key is None:
            of = "rows" if table.design == "list" else "axes"
            message = f"a {table.design} samples nothing; its points are those of its {of}"
        elif key == "samples":
            message = f"a saltelli design has samples, of d + 2 = {axes + 2} points each; write samples = {given}"
        else:
            message = f"applies only to a saltelli design; write points = {given}"
        faults.add(place, message)
    if key is None or faults.is_faulty("sweep", key):
        return 0
    number: int | None = getattr(table, key)
    other_given = getattr(table, "points" if key == "samples" else "samples")
    if number is None and other_given is None:
        faults.add(("sweep", key), f"missing; a {table.design} design needs {key} (as {key} = 4096)")
    return number or 0


def _size(design: str, axes: list[AxisForm], drawn: int, faults: Faults) -> int | None:
    """Number of points; None if there are too many, or the axes do not match."""
    levels = [axis.levels for axis in axes]
    place: KeyPath = ("sweep", "vary")
    if design == "list":
        return levels[0]
    if design == "zip":
        if len(set(levels)) > 1:
            counts = ", ".join(f"{axis.path} {axis.levels}" for axis in axes)
            faults.add(place, f"the axes of a zip must have the same number of values; {counts}")
            return None
        return levels[0]
    if design == "grid":
        size, how = math.prod(levels), " × ".join(map(str, levels))
    elif design == "saltelli":
        size, how, place = drawn * (len(axes) + 2), f"{drawn} × {len(axes) + 2}", ("sweep", "samples")
    else:
        size, how, place = drawn, "", ("sweep", "points")
    if size > MOST_POINTS:
        figure = f"{how} = {size:,}" if " × " in how else f"{size:,}"
        faults.add(place, f"{figure} points are more than one sweep may have, {MOST_POINTS:,}")
        return None
    if design == "latin_hypercube" and size * len(axes) > MOST_IN_HYPERCUBE:
        message = f"a Latin hypercube holds {MOST_IN_HYPERCUBE:,} numbers in memory at most, not {size * len(axes):,}"
        faults.add(place, f'{message}; design = "sobol" is as even and needs no memory')
        return None
    return size
