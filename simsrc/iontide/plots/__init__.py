"""Figures of a run, ready for a paper.

Nothing here imports matplotlib until one of the names below is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .branch import branch_figure
    from .budget import budget_figure
    from .electrodes import electrode_figure
    from .figures import (
        concentration_figure,
        current_figure,
        gate_figure,
        overview_figure,
        potential_figure,
        volume_figure,
    )
    from .files import plot, write_figure, write_pair
    from .forming import forming_figure
    from .junctions import junction_figure, junction_table_figure
    from .power import power_figure
    from .ranking import sensitivity_figure

__all__ = [
    "branch_figure",
    "budget_figure",
    "concentration_figure",
    "current_figure",
    "electrode_figure",
    "forming_figure",
    "gate_figure",
    "junction_figure",
    "junction_table_figure",
    "overview_figure",
    "plot",
    "potential_figure",
    "power_figure",
    "sensitivity_figure",
    "volume_figure",
    "write_figure",
    "write_pair",
]

_HOMES = {name: "figures" for name in __all__ if name.endswith("_figure")} | {
    "branch_figure": "branch",
    "budget_figure": "budget",
    "electrode_figure": "electrodes",
    "forming_figure": "forming",
    "junction_figure": "junctions",
    "junction_table_figure": "junctions",
    "plot": "files",
    "power_figure": "power",
    "sensitivity_figure": "ranking",
    "write_figure": "files",
    "write_pair": "files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
