"""The parts of a model that say what happens in a run, and when: plain immutable records in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..formulas.units import DIMENSIONLESS, Dimension
from .fields import Quantity, off_tape, placed


@dataclass(frozen=True)
class Parameter:
    """A named value that formulas refer to and that ``--set``, a protocol or a sweep may change.

    Attributes
    ----------
    name : str
    value : Quantity
        SI; a formula may refer to parameters, in any order but not in a circle.
    dimension : Dimension
        What it is measured in; a new value must be of the same dimension.
    """

    name: str
    value: Quantity = placed("")
    dimension: Dimension = DIMENSIONLESS


@dataclass(frozen=True)
class ParameterStep:
    """From ``start`` (s) to ``end`` (s; None: for good) the parameters in ``settings`` have other values (SI).

    With ``over`` (s) they go there in a straight line and then stay; such a ramp ends only where a later entry takes
    over, so its ``end`` is None. Where two overlap, the one that comes later in the protocol counts.
    """

    start: float
    end: float | None
    settings: Mapping[str, Quantity]
    over: float = 0.0


@dataclass(frozen=True)
class Injection:
    """A current (A, positive inward) into a compartment, carried by a species.

    Where ``carried_by`` is None nothing is accounted for but the charge: the compartment's charge balance then shows
    what came in. The current comes from the compartment ``out_of``, and the ion with it, or from outside of the model.
    """

    name: str
    compartment: str
    carried_by: str | None
    current: Quantity
    out_of: str | None = None


@dataclass(frozen=True)
class Hold:
    """What a clamp holds while ``active`` is 1 and not 0: a potential (V) or a concentration (mol m⁻³)."""

    active: Quantity
    value: Quantity


@dataclass(frozen=True)
class Clamp:
    """A voltage clamp: an amplifier that keeps a membrane at a potential by a current into its inside.

    Attributes
    ----------
    name : str
    membrane : str
    holds : tuple of Hold
        The potentials, inside minus outside, of which at most one is active at a time; the clamp is off where none is.
    carried_by : str or None
        Ion that carries the current in, and out of the outside where that is finite. None: charge comes and goes
        without an ion.
    series_resistance : Quantity or None
        Ω between the amplifier and the membrane; None: the clamp is ideal, and the membrane is at the potential.
    """

    name: str
    membrane: str
    holds: tuple[Hold, ...] = placed("")
    carried_by: str | None = None
    series_resistance: Quantity | None = None


@dataclass(frozen=True)
class IonClamp:
    """A clamp that keeps the concentration of an ion in a finite compartment.

    What it supplies or takes brings its counter-charge along, which stays in the compartment as a fixed charge: the
    potential does not feel it.
    """

    name: str
    compartment: str
    species: str
    holds: tuple[Hold, ...] = placed("")


@dataclass(frozen=True)
class Event:
    """What is watched for passing a level, and what happens then.

    Attributes
    ----------
    name : str
    on : str
        Membrane or compartment whose names ``value`` and ``level`` may use besides the parameters; empty for none. A
        compartment that bears the name of a membrane is ``compartments.NAME``.
    value, level : Quantity
    direction : {"rises", "falls", "passes"}
        Whether it counts upward alone, downward alone, or either way.
    action : {"record", "stop", "set"}
        Note the time; end the run there; or set parameters there, as the protocol does.
    settings : mapping of str to Quantity
        New values of parameters, SI.
    duration : float or None
        For how long they hold, s; None: for good.
    once : bool
        Whether only the first passing counts.
    """

    name: str
    on: str
    value: Quantity
    level: Quantity
    direction: Literal["rises", "falls", "passes"] = off_tape(default="passes")
    action: Literal["record", "stop", "set"] = off_tape(default="record")
    settings: Mapping[str, Quantity] = off_tape(default_factory=dict)
    duration: float | None = off_tape(default=None)
    once: bool = off_tape(default=False)

    @property
    def place(self) -> str:
        """``on`` as the name of a compartment."""
        return self.on.removeprefix("compartments.")

    @property
    def interrupts(self) -> bool:
        """Whether the integration must stop there."""
        return self.action != "record" or self.once


#: Groups of quantities that a recording may hold, and whether it holds them where nothing is said.
RECORDING_GROUPS = {
    "potentials": True,
    "concentrations": True,
    "amounts": False,
    "activities": False,
    "reversal_potentials": True,
    "driving_forces": False,
    "fluxes": True,
    "unidirectional_fluxes": False,
    "ussing_ratios": False,
    "currents": True,
    "gates": True,
    "water_fluxes": True,
    "energetics": False,
    "zero_current_potentials": False,
    "slope_conductances": False,
    "tracers": True,
    "electrodes": True,
}


@dataclass(frozen=True)
class Recording:
    """When samples are taken.

    ``linear``: ``points`` samples evenly from 0 to the end. ``log``: 0, then ``points`` samples from ``first`` (s)
    to the end, evenly in log t. ``list``: at ``times`` (s). ``steps``: at 0 and after every step of the solver.
    Both sides of every protocol step are recorded besides. The steps of the solver never depend on it.
    ``quantities``: keys of ``RECORDING_GROUPS``; the usual ones where None.
    """

    spacing: Literal["linear", "log", "list", "steps"] = "linear"
    points: int = 501
    first: float | None = None
    times: tuple[float, ...] = ()
    quantities: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Simulation:
    """How long and how exactly: duration (s), relative tolerance, whether to stop at a steady state."""

    duration: float
    rtol: float = 1e-7
    stop_at_steady_state: bool = False
    max_steps: int = 10_000_000
