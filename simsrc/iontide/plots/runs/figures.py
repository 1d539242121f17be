"""The figures of a run: which panels there are, and what is said of the run below them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ...analysis.classification import verdict_of
from ...errors import UsageError
from ..drawing.names import time_text
from ..drawing.panels import (
    Panel,
    changing_volumes,
    clamp_panel,
    concentration_panel,
    current_panel,
    gate_panel,
    gates_of,
    potential_panel,
    volume_panel,
)
from ..drawing.style import DOUBLE_COLUMN, SINGLE_COLUMN, PaperFigure
from ..drawing.time_axis import TimeScale
from .layout import Page, compose

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: At most so many rows are legible on a page; membranes of an overview, where there is more than one.
MOST_ROWS, MOST_MEMBRANES = 6, 2

#: Height of the axes where there are up to three rows and where there are more, mm.
TALL, LOW = 36.0, 27.0


def potential_figure(
    trajectory: Trajectory,
    membrane: str | None = None,
    time_axis: TimeScale = "linear",
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """Membrane potential over time with the reversal potential of every ion, mV; one row a membrane.

    Parameters
    ----------
    trajectory : Trajectory
    membrane : str, optional
        Only this one.
    time_axis : {"linear", "log", "symlog"}
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn.

    Raises
    ------
    UsageError
        There is no such membrane or time axis, or nothing to draw.
    """
    names, note = _selection("membrane", trajectory.model.membranes, membrane)
    return _figure(trajectory, [potential_panel(trajectory, m) for m in names], time_axis, width_mm, note)


def concentration_figure(
    trajectory: Trajectory,
    compartment: str | None = None,
    time_axis: TimeScale = "linear",
    width_mm: float = SINGLE_COLUMN,
    membrane: str | None = None,
) -> PaperFigure:
    """Concentrations over time; one row a compartment, baths only where theirs change.

    Parameters
    ----------
    trajectory : Trajectory
    compartment : str, optional
        Only this one.
    time_axis : {"linear", "log", "symlog"}
    width_mm : float
    membrane : str, optional
        Only the compartments at its sides.

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn.

    Raises
    ------
    UsageError
        There is no such compartment, membrane or time axis, or nothing to draw.
    """
    known = trajectory.model.compartments
    names, note = _selection("compartment", _compartments(trajectory, membrane), compartment, known)
    panels = [concentration_panel(trajectory, c) for c in names]
    return _figure(trajectory, panels, time_axis, width_mm, note)


def volume_figure(
    trajectory: Trajectory,
    membrane: str | None = None,
    time_axis: TimeScale = "linear",
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """Volumes over time of the compartments whose volume changes, in one panel.

    Parameters
    ----------
    trajectory : Trajectory
    membrane : str, optional
        Only the compartments at its sides.
    time_axis : {"linear", "log", "symlog"}
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn.

    Raises
    ------
    UsageError
        No volume changes, or there is no such membrane or time axis, or nothing to draw.
    """
    _require_samples(trajectory)
    names = changing_volumes(trajectory, _sides(trajectory, membrane))
    if not names:
        where = "in this run" if membrane is None else f"at the membrane `{membrane}` in this run"
        raise UsageError(f"no compartment changes its volume {where}: there are no volumes to draw")
    return _figure(trajectory, [volume_panel(trajectory, names)], time_axis, width_mm, "")


def current_figure(
    trajectory: Trajectory,
    membrane: str | None = None,
    time_axis: TimeScale = "linear",
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """Current density of every ion over time and their sum, outward positive; one row a membrane.

    Below them the currents of voltage clamps, where there are any. Parameters, result and errors as of
    `potential_figure`.
    """
    _require_samples(trajectory)
    clamps = _clamps(trajectory, membrane)
    names, note = _selection("membrane", trajectory.model.membranes, membrane, most=MOST_ROWS - bool(clamps))
    panels = [current_panel(trajectory, m) for m in names]
    if clamps:
        panels.append(clamp_panel(trajectory, clamps))
    return _figure(trajectory, panels, time_axis, width_mm, note)


def gate_figure(
    trajectory: Trajectory,
    membrane: str | None = None,
    time_axis: TimeScale = "linear",
    width_mm: float = SINGLE_COLUMN,
) -> PaperFigure:
    """Gates over time, 0 to 1; one row for each membrane that has any.

    Parameters and result as of `potential_figure`.

    Raises
    ------
    UsageError
        No pathway has a gate, or there is no such membrane or time axis, or nothing to draw.
    """
    every = trajectory.model.membranes
    names, note = _selection("membrane", [m for m in every if gates_of(trajectory, m)], membrane, every)
    names = [m for m in names if gates_of(trajectory, m)]
    if not names:
        where = "in this model" if membrane is None else f"on the membrane `{membrane}`"
        raise UsageError(f"no pathway {where} has a gate: there are none to draw")
    return _figure(trajectory, [gate_panel(trajectory, m) for m in names], time_axis, width_mm, note)


def overview_figure(
    trajectory: Trajectory, membrane: str | None = None, width_mm: float = DOUBLE_COLUMN
) -> PaperFigure:
    """Potentials, concentrations, volumes that change, and currents, each on a linear and on a symlog time axis.

    Of many membranes and compartments the first ones; the caption says which.

    Parameters
    ----------
    trajectory : Trajectory
    membrane : str, optional
        Only this one and the compartments at its sides.
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn.

    Raises
    ------
    UsageError
        There is no such membrane, or nothing to draw.
    """
    _require_samples(trajectory)
    model = trajectory.model
    membranes, _ = _selection("membrane", model.membranes, membrane)
    compartments = _compartments(trajectory, membrane)
    shown_membranes = membranes[:MOST_MEMBRANES]
    swelling = changing_volumes(trajectory, _sides(trajectory, membrane))
    clamps = _clamps(trajectory, membrane)
    room = MOST_ROWS - 2 * len(shown_membranes) - bool(swelling) - bool(clamps)
    shown_compartments = compartments[: max(1, room)]
    panels = [
        *(potential_panel(trajectory, m) for m in shown_membranes),
        *(concentration_panel(trajectory, c) for c in shown_compartments),
        *([volume_panel(trajectory, swelling)] if swelling else []),
        *(current_panel(trajectory, m) for m in shown_membranes),
        *([clamp_panel(trajectory, clamps)] if clamps else []),
    ]
    all_membranes = list(model.membranes) if membrane is None else membranes
    caption = [
        run_sentence(trajectory),
        _left_out("membrane", shown_membranes, all_membranes),
        _left_out("compartment", shown_compartments, compartments),
    ]
    page = Page(
        panels,
        ("linear", "symlog"),
        width_mm,
        TALL if len(panels) <= 3 else LOW,
        title=model.title or trajectory.run.origin.name,
        caption=[sentence for sentence in caption if sentence],
    )
    return compose(trajectory, page)


def run_sentence(trajectory: Trajectory) -> str:
    """How the run ended, in a sentence for a caption."""
    run = trajectory.run
    at = time_text(run.end_time)
    if run.status == "failed":
        return f"Failed: {run.message}."
    ended = {"steady": "Stopped at a steady state, at", "stopped": f"{run.message.capitalize()}, at"}
    verdict = verdict_of(trajectory).sentence
    told = f"{ended.get(run.status, 'Run complete, to')} t = {at} ({run.statistics.steps} steps)."
    return f"{told} {verdict[:1].upper()}{verdict[1:]}."


def _figure(
    trajectory: Trajectory, panels: Sequence[Panel], time_axis: TimeScale, width: float, note: str
) -> PaperFigure:
    _require_samples(trajectory)
    if not panels:
        raise UsageError("the model has nothing of this kind to draw")
    # A figure of its own carries no run status, unless what it shows is cut short.
    failed = run_sentence(trajectory) if trajectory.status == "failed" else ""
    page = Page(
        panels,
        (time_axis,),
        width,
        TALL + 6 if len(panels) == 1 else TALL if len(panels) <= 3 else LOW,
        caption=[sentence for sentence in (failed, note) if sentence],
    )
    return compose(trajectory, page)


def _require_samples(trajectory: Trajectory) -> None:
    if not len(trajectory):
        raise UsageError("the trajectory has no samples to draw")


def _selection(
    kind: str,
    names: Collection[str],
    wanted: str | None,
    known: Collection[str] | None = None,
    most: int = MOST_ROWS,
) -> tuple[list[str], str]:
    """The names to draw: the one wanted, or the first ones, and a sentence on what was left out."""
    if wanted is not None:
        if wanted not in (known or names):
            raise UsageError(f"there is no {kind} `{wanted}`; there are {', '.join(known or names) or 'none'}")
        return [wanted], ""
    shown = list(names)[:most]
    return shown, _left_out(kind, shown, list(names))


def _left_out(kind: str, shown: list[str], names: list[str]) -> str:
    if len(shown) == len(names):
        return ""
    return f"Shown: {len(shown)} of {len(names)} {kind}s ({', '.join(shown)})."


def _compartments(trajectory: Trajectory, membrane: str | None) -> list[str]:
    """Compartments whose concentrations can change, all where none can; of one membrane, or of the model."""
    model, run = trajectory.model, trajectory.run
    names = _sides(trajectory, membrane)

    def changes(compartment: str) -> bool:
        paths = [path for path in run.values[0] if path.startswith(f"compartments.{compartment}.concentrations.")]
        return any(values[path] != run.values[0][path] for values in run.values[1:] for path in paths)

    return [c for c in names if model.compartments[c].is_finite or changes(c)] or names


def _clamps(trajectory: Trajectory, membrane: str | None) -> list[str]:
    """The voltage clamps of a membrane, or of the model."""
    return [clamp.name for clamp in trajectory.model.clamps if membrane in (None, clamp.membrane)]


def _sides(trajectory: Trajectory, membrane: str | None) -> list[str]:
    """Compartments at the sides of a membrane, or all of the model."""
    model = trajectory.model
    if membrane is None:
        return list(model.compartments)
    ((name,), _) = _selection("membrane", model.membranes, membrane)
    return [model.membranes[name].inside, model.membranes[name].outside]
