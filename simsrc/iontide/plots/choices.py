"""Which figures there are and which time axes they may have; imports nothing, so that a parser can list them."""

from __future__ import annotations

from typing import Literal, get_args

RunKind = Literal[
    "overview", "potential", "concentrations", "volumes", "currents", "gates", "power", "budget", "electrodes"
]
SweepKind = Literal["curves", "map", "contours", "verdicts", "marginals", "families", "indices"]
TimeScale = Literal["linear", "log", "symlog"]

#: Figures of a run, with what each shows.
RUN_KINDS: dict[RunKind, str] = {
    "overview": "potentials, concentrations, volumes and currents on one page",
    "potential": "membrane potential and reversal potentials",
    "concentrations": "concentrations in each compartment",
    "volumes": "volumes that change",
    "currents": "current density of each ion, outward positive, and clamp currents",
    "gates": "gates of channels, 0 to 1",
    "power": "power that comes in and power that is dissipated, over time",
    "budget": "the same at the end of the run, from sources to sinks",
    "electrodes": "recorded and true potential of each electrode",
}

#: Figures of a sweep, with what each shows.
SWEEP_KINDS: dict[SweepKind, str] = {
    "curves": "quantities against one parameter",
    "map": "one quantity over two parameters, as colours",
    "contours": "the same as contour lines",
    "verdicts": "how the runs ended, over two parameters",
    "marginals": "one quantity against each parameter, over all values of the others",
    "families": "time courses, coloured by a parameter",
    "indices": "Sobol indices: how much of the variance each parameter explains",
}

TIME_SCALES: tuple[TimeScale, ...] = get_args(TimeScale)
