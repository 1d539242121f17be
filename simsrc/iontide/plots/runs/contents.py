"""What the figures of a run show: which panels, of which membranes and compartments, and the caption."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...analysis.classification import verdict_of
from ...errors import UsageError
from ..choices import RunKind, TimeScale
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

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: At most so many rows are legible on a page; membranes of an overview, where there is more than one.
MOST_ROWS, MOST_MEMBRANES = 6, 2

#: Height of the axes of a single row, of up to three rows, and of more, mm.
_ALONE, _TALL, _LOW = 42.0, 36.0, 27.0


@dataclass(frozen=True)
class Contents:
    """What a figure shows.

    Attributes
    ----------
    panels : sequence of Panel
        One a row.
    notes : sequence of str
        Sentences of the caption; empty ones are left out.
    row_height : float, optional
        Of the axes of one row, mm; by the number of rows if not given.
    title : str
    time_scales : sequence of {"linear", "log", "symlog"}
        One a column; the one that was asked for if empty.
    """

    panels: Sequence[Panel]
    notes: Sequence[str] = ()
    row_height: float | None = None
    title: str = ""
    time_scales: Sequence[TimeScale] = ()

    @property
    def height(self) -> float:
        """Height of the axes of one row, mm."""
        if self.row_height is not None:
            return self.row_height
        rows = len(self.panels)
        return _ALONE if rows == 1 else _TALL if rows <= 3 else _LOW


def potentials(trajectory: Trajectory, membrane: str | None) -> Contents:
    """Membrane potential with the reversal potential of every ion; one row a membrane."""
    names, note = _selection(trajectory, membrane)
    return Contents([potential_panel(trajectory, m) for m in names], [note])


def concentrations(trajectory: Trajectory, membrane: str | None) -> Contents:
    """Concentrations; one row a compartment (at the sides of the membrane, if given), baths only if theirs change."""
    names = _compartments(trajectory, membrane)
    shown = names[:MOST_ROWS]
    return Contents([concentration_panel(trajectory, c) for c in shown], [_left_out("compartment", shown, names)])


def volumes(trajectory: Trajectory, membrane: str | None) -> Contents:
    """Volumes of the compartments (at the sides of the membrane, if given) whose volume changes, in one panel."""
    names = changing_volumes(trajectory, _sides(trajectory, membrane))
    if not names:
        where = "in this run" if membrane is None else f"at the membrane `{membrane}` in this run"
        raise UsageError(f"no compartment changes its volume {where}: there are no volumes to draw")
    return Contents([volume_panel(trajectory, names)])


def currents(trajectory: Trajectory, membrane: str | None) -> Contents:
    """Current density of every ion and their sum, outward positive; one row a membrane, and one for voltage clamps."""
    clamps = _clamps(trajectory, membrane)
    names, note = _selection(trajectory, membrane, most=MOST_ROWS - bool(clamps))
    panels = [current_panel(trajectory, m) for m in names]
    return Contents([*panels, *([clamp_panel(trajectory, clamps)] if clamps else [])], [note])


def gates(trajectory: Trajectory, membrane: str | None) -> Contents:
    """Gates, 0 to 1; one row for each membrane that has any."""
    every = [m for m in trajectory.model.membranes if gates_of(trajectory, m)]
    names, note = _selection(trajectory, membrane, every)
    names = [m for m in names if m in every]
    if not names:
        where = "in this model" if membrane is None else f"on the membrane `{membrane}`"
        raise UsageError(f"no pathway {where} has a gate: there are none to draw")
    return Contents([gate_panel(trajectory, m) for m in names], [note])


def overview(trajectory: Trajectory, membrane: str | None) -> Contents:
    """Potentials, concentrations, volumes that change, and currents, each on a linear and on a symlog time axis.

    Of many membranes and compartments the first ones; the caption says which.
    """
    model = trajectory.model
    membranes, _ = _selection(trajectory, membrane)
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
    notes = [
        run_sentence(trajectory),
        _left_out("membrane", shown_membranes, list(model.membranes) if membrane is None else membranes),
        _left_out("compartment", shown_compartments, compartments),
    ]
    title = model.title or trajectory.run.origin.name
    return Contents(panels, notes, _TALL if len(panels) <= 3 else _LOW, title, ("linear", "symlog"))


#: The figures that show membranes and what lies at their sides; a membrane may be chosen.
BY_MEMBRANE: dict[RunKind, Callable[[Trajectory, str | None], Contents]] = {
    "overview": overview,
    "potential": potentials,
    "concentrations": concentrations,
    "volumes": volumes,
    "currents": currents,
    "gates": gates,
}


def run_sentence(trajectory: Trajectory) -> str:
    """How the run ended, in a sentence for a caption."""
    run = trajectory.run
    if run.status == "failed":
        return f"Failed: {run.message}."
    ended = {"steady": "Stopped at a steady state, at", "stopped": f"{run.message.capitalize()}, at"}
    verdict = verdict_of(trajectory).sentence
    how = ended.get(run.status, "Run complete, to")
    return f"{how} t = {time_text(run.end_time)} ({run.statistics.steps} steps). {verdict[:1].upper()}{verdict[1:]}."


def _selection(
    trajectory: Trajectory, membrane: str | None, names: Collection[str] | None = None, most: int = MOST_ROWS
) -> tuple[list[str], str]:
    """The membranes to draw: the chosen one, or the first ones of all (or of ``names``) and a sentence on the rest."""
    known = trajectory.model.membranes
    if membrane is not None:
        if membrane not in known:
            raise UsageError(f"there is no membrane `{membrane}`; there are {', '.join(known) or 'none'}")
        return [membrane], ""
    every = list(known if names is None else names)
    shown = every[:most]
    return shown, _left_out("membrane", shown, every)


def _left_out(kind: str, shown: list[str], names: list[str]) -> str:
    if len(shown) == len(names):
        return ""
    return f"Shown: {len(shown)} of {len(names)} {kind}s ({', '.join(shown)})."


def _compartments(trajectory: Trajectory, membrane: str | None) -> list[str]:
    """Compartments whose concentrations can change, all if none can; of one membrane, or of the model."""
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
    ((name,), _) = _selection(trajectory, membrane)
    return [model.membranes[name].inside, model.membranes[name].outside]
