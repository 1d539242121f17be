"""Protocol of a model: parameters, steps, injections, clamps, events, recording; immutable records in SI units."""

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
        SI; a formula may refer to parameters, in any order but not circularly.
    dimension : Dimension
        Physical dimension; a new value must have the same.
    """

    name: str
    value: Quantity = placed("")
    dimension: Dimension = DIMENSIONLESS


@dataclass(frozen=True)
class ParameterStep:
    """New values (SI) of the parameters in ``settings`` from ``start`` (s) to ``end`` (s; None: to the end of the run).

    With ``over`` (s) the values are reached by a linear ramp of that duration and then remain; a ramp is ended only by
    a later entry for the same parameters, so its ``end`` is None. If two steps overlap, the later entry of the protocol
    takes precedence.
    """

    start: float
    end: float | None
    settings: Mapping[str, Quantity]
    over: float = 0.0


@dataclass(frozen=True)
class Injection:
    """A current (A, positive inward) into a compartment, carried by a species.

    If ``carried_by`` is None, only the charge is accounted for, and the charge balance of the compartment shows the
    injected charge. The current (and its ion) comes from the compartment ``out_of``, or from outside of the model.
    """

    name: str
    compartment: str
    carried_by: str | None
    current: Quantity
    out_of: str | None = None


@dataclass(frozen=True)
class Hold:
    """Command of a clamp while ``active`` is 1 (not 0): a potential (V) or a concentration (mol m⁻³)."""

    active: Quantity
    value: Quantity


@dataclass(frozen=True)
class Clamp:
    """A voltage clamp: an amplifier that holds a membrane at a potential by a current into its inside.

    Attributes
    ----------
    name : str
    membrane : str
    holds : tuple of Hold
        Command potentials, inside minus outside; at most one is active at a time, and the clamp is off if none is.
    carried_by : str or None
        Ion that carries the current into the inside, and out of the outside if that is finite. None: the charge is
        carried by no ion.
    series_resistance : Quantity or None
        Ω between the amplifier and the membrane; None: an ideal clamp, with the membrane at the command potential.
    """

    name: str
    membrane: str
    holds: tuple[Hold, ...] = placed("")
    carried_by: str | None = None
    series_resistance: Quantity | None = None


@dataclass(frozen=True)
class IonClamp:
    """A clamp that holds the concentration of an ion in a finite compartment.

    The charge of the ion that it supplies or removes is compensated by a fixed charge in the compartment, so the
    potential is not affected.
    """

    name: str
    compartment: str
    species: str
    holds: tuple[Hold, ...] = placed("")


@dataclass(frozen=True)
class Event:
    """The crossing of a level by a value, and the action taken then.

    Attributes
    ----------
    name : str
    on : str
        Membrane or compartment whose quantities ``value`` and ``level`` may use besides the parameters; empty for none.
        A compartment with the same name as a membrane is written ``compartments.NAME``.
    value, level : Quantity
    direction : {"rises", "falls", "passes"}
        Whether upward crossings, downward crossings, or both count.
    action : {"record", "stop", "set"}
        Record the time; end the run; or set parameters, as the protocol does.
    settings : mapping of str to Quantity
        New values of parameters, SI.
    duration : float or None
        How long the new values apply, s; None: permanently.
    once : bool
        Whether only the first crossing counts.
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
        """Whether the integration must be interrupted at a crossing."""
        return self.action != "record" or self.once


#: Groups of quantities that a recording may contain, and whether it contains them by default.
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
    """When samples are taken, and of which quantities.

    ``linear``: ``points`` samples evenly from 0 to the end. ``log``: 0, then ``points`` samples from ``first`` (s)
    to the end, evenly in log t. ``list``: at ``times`` (s). ``steps``: at 0 and after every step of the solver.
    Both sides of every protocol step are recorded as well. The steps of the solver never depend on the recording.
    ``quantities``: keys of ``RECORDING_GROUPS``; None: the default ones.
    """

    spacing: Literal["linear", "log", "list", "steps"] = "linear"
    points: int = 501
    first: float | None = None
    times: tuple[float, ...] = ()
    quantities: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Simulation:
    """Settings of the integration: duration (s), relative tolerance, whether to stop at a steady state, step limit."""

    duration: float
    rtol: float = 1e-7
    stop_at_steady_state: bool = False
    max_steps: int = 10_000_000
