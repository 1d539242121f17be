"""The figures of a run: every kind by one function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UsageError, did_you_mean
from .choices import RUN_KINDS, RunKind, TimeScale
from .drawing.style import DOUBLE_COLUMN, SINGLE_COLUMN, PaperFigure
from .energy.budget import budget_figure
from .energy.power import power
from .runs.contents import BY_MEMBRANE, Contents, run_sentence
from .runs.electrodes import electrodes
from .runs.layout import Page, compose

if TYPE_CHECKING:
    from ..simulation.trajectory import Trajectory

#: Figures of the whole model, of which no membrane can be chosen, with the reason.
_OF_THE_MODEL: dict[RunKind, str] = {
    "power": "power balances only over all membranes",
    "budget": "power balances only over all membranes",
    "electrodes": "it shows every electrode",
}


def run_figure(
    trajectory: Trajectory,
    kind: RunKind = "overview",
    membrane: str | None = None,
    time_axis: TimeScale = "linear",
    width_mm: float | None = None,
) -> PaperFigure:
    """Draw a run.

    Parameters
    ----------
    trajectory : Trajectory
    kind : {"overview", "potential", "concentrations", "volumes", "currents", "gates", "power", "budget", "electrodes"}
        What is shown; ``plots.choices.RUN_KINDS`` describes each.
    membrane : str, optional
        Only this one; for concentrations and volumes, the compartments at its sides. All by default.
    time_axis : {"linear", "log", "symlog"}
        The overview has a linear and a symlog one, whatever is given here; the budget has none.
    width_mm : float, optional
        183 for the overview and 89 for the others if not given.

    Returns
    -------
    PaperFigure
        Its ``data`` holds the numbers drawn, by columns.

    Raises
    ------
    UsageError
        There is no such kind, membrane or time axis; the run has nothing of this kind, or no samples; the width leaves
        no room.
    """
    check_kind(kind)
    if not len(trajectory):
        raise UsageError("the trajectory has no samples to draw")
    if membrane is not None and kind in _OF_THE_MODEL:
        raise UsageError(
            f"a figure of kind {kind} is of the whole model ({_OF_THE_MODEL[kind]}); leave out the membrane"
        )
    if width_mm is None:
        width_mm = DOUBLE_COLUMN if kind == "overview" else SINGLE_COLUMN
    if kind == "budget":
        return budget_figure(trajectory, width_mm)
    contents = _contents(trajectory, kind, membrane, time_axis)
    if not contents.panels:
        raise UsageError("the model has nothing of this kind to draw")
    # Only the overview says how the run ended, unless what is shown is cut short.
    failed = run_sentence(trajectory) if trajectory.status == "failed" and kind != "overview" else ""
    page = Page(
        contents.panels,
        contents.time_scales or (time_axis,),
        width_mm,
        contents.height,
        title=contents.title,
        caption=[sentence for sentence in (failed, *contents.notes) if sentence],
    )
    return compose(trajectory, page)


def _contents(trajectory: Trajectory, kind: RunKind, membrane: str | None, time_axis: TimeScale) -> Contents:
    if kind == "power":
        return power(trajectory, time_axis)
    if kind == "electrodes":
        return electrodes(trajectory)
    return BY_MEMBRANE[kind](trajectory, membrane)


def check_kind(kind: str) -> None:
    """Refuse a kind that no figure of a run has.

    Raises
    ------
    UsageError
        With the kinds that there are.
    """
    if kind not in RUN_KINDS:
        hint = did_you_mean(kind, RUN_KINDS)
        raise UsageError(f"there is no figure `{kind}` of a run{hint} (there are {', '.join(RUN_KINDS)})")
