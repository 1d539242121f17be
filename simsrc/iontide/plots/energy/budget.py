"""The energy budget at the end of a run: sources on the left, sinks on the right, their width being their power."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from ...analysis.energy import Energetics, energetics
from ...errors import UsageError
from ...formulas.display import fitting_unit
from ..drawing.line_labels import spread, text_width
from ..drawing.margins import check_room
from ..drawing.names import number_text, time_text, unit_label
from ..drawing.style import LABEL_SIZE, SINGLE_COLUMN, SMALL_SIZE, TEXT_GREY, PaperFigure, paper_style
from .terms import PUMP_HEAT, Term, is_rest, terms_of

if TYPE_CHECKING:
    from ...simulation.trajectory import Trajectory

#: Height of all flows together, of the gap between two nodes, of the page around; width of a node; mm.
_FLOWS, _GAP, _ABOVE, _BELOW, _NODE = 38.0, 2.2, 7.5, 4.0, 2.2

#: From one label to the next, mm (two lines each).
_PITCH = 5.4

#: Size of type, points.
_TYPE = SMALL_SIZE + 0.5

#: Part of all power below which a node is not drawn.
_LEAST = 2e-3


@dataclass
class _Node:
    """A source or sink: a bar of height ``size`` (mm), of which flows already take up ``used``."""

    name: str
    label: str
    colour: str
    power: float
    size: float
    top: float = 0.0
    used: float = field(default=0.0)

    def take(self, size: float) -> float:
        """The upper edge of the next flow at this node, mm."""
        at = self.top - self.used
        self.used += size
        return at


@dataclass(frozen=True)
class _Budget:
    """Sources and sinks, all of one sample, and the sum of the sources, W."""

    sources: list[Term]
    sinks: list[Term]
    whole: float

    def nodes(self, terms: list[Term]) -> list[_Node]:
        """A node for each term that is large enough to be seen, from the top down, centred at 0."""
        nodes = []
        for term in terms:
            power = abs(float(term.values[0]))
            if power > _LEAST * self.whole:
                nodes.append(_Node(term.name, term.label, term.colour, power, _FLOWS * power / self.whole))
        top = 0.5 * (sum(node.size for node in nodes) + _GAP * (len(nodes) - 1))
        for node in nodes:
            node.top = top
            top -= node.size + _GAP
        return nodes


def budget_figure(trajectory: Trajectory, width_mm: float = SINGLE_COLUMN) -> PaperFigure:
    """Draw the energy budget at the last sample: from the sources by the gradients of the ions to the sinks.

    Parameters
    ----------
    trajectory : Trajectory
    width_mm : float

    Returns
    -------
    PaperFigure
        Its ``data`` holds the powers, one a column.

    Raises
    ------
    UsageError
        There are no samples, or no power at the end.
    """
    if not len(trajectory):
        raise UsageError("the trajectory has no samples to draw")
    balance = energetics(trajectory)
    terms = terms_of(trajectory, _end(balance))
    sources = [t for t in terms if t.values[0] > 0.0]
    sinks = [t for t in terms if t.values[0] < 0.0]
    whole = float(sum(t.values[0] for t in sources))
    if is_rest(trajectory, whole):
        raise UsageError("the run has no power at its end, where it is at rest; draw the kind power instead")
    moment = time_text(float(trajectory.time[-1]))
    with paper_style():
        return _draw(_Budget(sources, sinks, whole), width_mm, f"Power at t = {moment}")


def _end(balance: Energetics) -> Energetics:
    """The last sample alone."""
    return replace(
        balance,
        time=balance.time[-1:],
        sources=tuple(replace(p, values=p.values[-1:]) for p in balance.sources),
        sinks=tuple(replace(p, values=p.values[-1:]) for p in balance.sinks),
        stored={k: v[-1:] for k, v in balance.stored.items()},
        storing={k: v[-1:] for k, v in balance.storing.items()},
    )


def _draw(budget: _Budget, width: float, title: str) -> PaperFigure:
    unit, scale = fitting_unit(budget.whole, "W")
    # Pumps with heat are last, so that this heat can pass below the gradients.
    pumps = {term.name.removeprefix("heat of ") for term in budget.sinks if term.name.startswith("heat of ")}
    sources = sorted(budget.sources, key=lambda term: term.name.partition(" of ")[2] in pumps)
    sinks = sorted(budget.sinks, key=lambda term: term.name.startswith("heat of "))
    left, right = budget.nodes(sources), budget.nodes(sinks)
    most = max(len(left), len(right))
    height = max(_FLOWS + _GAP * (most - 1), most * _PITCH) + 2.0
    figure = PaperFigure(width, height + _ABOVE + _BELOW)
    written = [
        [(node, f"{number_text(node.power / scale)} {unit_label(unit)}") for node in column] for column in (left, right)
    ]
    room = [
        max((text_width(figure, t, _TYPE) for node, number in side for t in (node.label, number)), default=0.0)
        for side in written
    ]
    start, end = room[0] + 4.0, width - room[1] - 4.0
    check_room(figure, end - start, 15.0)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0.0, width)
    axes.set_ylim(-0.5 * height - _BELOW, 0.5 * height + _ABOVE)
    _draw_flows(axes, left, right, start, end)
    for side, x, outward in ((written[0], start, -1), (written[1], end - _NODE, 1)):
        for node, _ in side:
            axes.add_patch(Rectangle((x, node.top - node.size), _NODE, node.size, color=node.colour, linewidth=0.0))
        _write(axes, side, x + (_NODE if outward > 0 else 0.0), outward, 0.5 * height)
    axes.text(1.0, 0.5 * height + _ABOVE - 1.5, title, fontsize=LABEL_SIZE, verticalalignment="top")
    figure.data = {f"{t.name} ({unit})": t.values / scale for t in (*budget.sources, *budget.sinks)}
    return figure


def _draw_flows(axes: Axes, left: list[_Node], right: list[_Node], start: float, end: float) -> None:
    """Flows from the sources to the gradients and on to the sinks; the heat of a pump passes by the gradients."""
    sinks = {node.name: node for node in right}
    direct = []
    for node in left:
        heat = sinks.get(f"heat of {node.name.partition(' of ')[2]}")
        if heat is not None:
            direct.append((node, heat, min(node.size, heat.size)))
    size = sum(node.size for node in left) - sum(part for _, _, part in direct)
    through = sum(node.size for node in right) - sum(part for _, _, part in direct)
    centre = start + 0.5 * (end - start)
    top = max((column[0].top for column in (left, right) if column), default=0.0)
    entry, exit_ = (_Node("", "", "", 0.0, s, top) for s in (size, through))
    straight = {id(node): part for node, _, part in direct}
    for node in left:
        part = node.size - straight.get(id(node), 0.0)
        if part > 1e-9:
            _flow(axes, (start + _NODE, node.take(part)), (centre - 0.5 * _NODE, entry.take(part)), part, node.colour)
    heats = {id(heat): part for _, heat, part in direct}
    for node in right:
        part = node.size - heats.get(id(node), 0.0)
        if part > 1e-9:
            _flow(axes, (centre + 0.5 * _NODE, exit_.take(part)), (end - _NODE, node.take(part)), part, node.colour)
    for node, heat, part in direct:
        _flow(axes, (start + _NODE, node.take(part)), (end - _NODE, heat.take(part)), part, PUMP_HEAT)
    if size > 1e-9:
        bar = max(size, through)
        axes.add_patch(Rectangle((centre - 0.5 * _NODE, entry.top - bar), _NODE, bar, color="black", linewidth=0.0))
        axes.text(centre, entry.top + 0.8, "gradients", fontsize=_TYPE, ha="center", va="bottom")


def _flow(axes: Axes, begin: tuple[float, float], end: tuple[float, float], size: float, colour: str) -> None:
    """A band between two upper edges, mm, that leaves and arrives level."""
    (x0, y0), (x1, y1) = begin, end
    middle = 0.5 * (x0 + x1)
    points = [
        *((x0, y0), (middle, y0), (middle, y1), (x1, y1)),
        *((x1, y1 - size), (middle, y1 - size), (middle, y0 - size), (x0, y0 - size)),
        (x0, y0),
    ]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    axes.add_patch(PathPatch(Path(points, codes), facecolor=colour, alpha=0.45, linewidth=0.0))


def _write(axes: Axes, side: list[tuple[_Node, str]], x: float, outward: int, limit: float) -> None:
    """Name and number beside each node, moved apart where they would overlap."""
    wanted = np.array([node.top - 0.5 * node.size for node, _ in side])
    places = spread(wanted, _PITCH, -limit, limit)
    for (node, number), y in zip(side, places, strict=True):
        at = x + outward * 1.4
        align = "left" if outward > 0 else "right"
        axes.text(at, y + 0.15, node.label, fontsize=_TYPE, ha=align, va="bottom", color="black")
        axes.text(at, y - 0.15, number, fontsize=SMALL_SIZE, ha=align, va="top", color=TEXT_GREY, parse_math=False)
