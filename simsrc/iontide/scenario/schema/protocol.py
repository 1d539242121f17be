"""The tables of a scenario file for what happens during a run, and for what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from ...model.protocol import RECORDING_GROUPS
from .fields import Concentration, Current, HeldPotential, Interval, ParameterValue, Resistance, Table, Time

# What may be recorded is listed once, in the model; a type checker cannot read a Literal made of it.
if TYPE_CHECKING:
    Group = str
else:
    Group = Literal[tuple(RECORDING_GROUPS)]


def _times_form(value: Any) -> str | None:
    """Which of the three ways of giving sample times a value is meant to be."""
    forms: dict[type, str] = {dict: "table", TimesTable: "table", list: "list", str: "word"}
    return forms.get(type(value))


class InjectionTable(Table):
    """A current into a compartment."""

    noun: ClassVar[str] = "an injection"

    into: Annotated[str, Field(description="Name of the compartment")]
    out_of: Annotated[
        str | None, Field(description="Compartment that the current is taken from; from outside where none is given")
    ] = None
    current: Current
    carried_by: Annotated[str | None, Field(description="Ion that carries it")] = None


class ClampTable(Table):
    """What is held: a membrane at a potential, or an ion in a compartment at a concentration."""

    noun: ClassVar[str] = "a clamp"

    membrane: Annotated[str | None, Field(description="Name of the membrane")] = None
    potential: HeldPotential | None = None
    carried_by: Annotated[
        str | None, Field(description="Ion that carries the current in; none: charge without an ion")
    ] = None
    series_resistance: Annotated[
        Resistance | None, Field(description="Resistance between the amplifier and the membrane; 0 where not given")
    ] = None
    compartment: Annotated[str | None, Field(description="Name of the compartment of an ion clamp")] = None
    ion: Annotated[str | None, Field(description="The ion that is held; it is added with its counter-charge")] = None
    concentration: Concentration | None = None


#: The values of one target of a table, one for each time.
TargetValues = list[ParameterValue]


class ValuesTable(Table):
    """Values by time, counted from when the entry begins; a key for each target besides the two here."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    noun: ClassVar[str] = "a table of values"
    __pydantic_extra__: dict[str, TargetValues]

    times: Annotated[list[Time], Field(description="When, after the entry begins")]
    between: Annotated[
        Literal["lines", "steps"],
        Field(description="lines: linear from each value to the next; steps: each holds until the next"),
    ] = "lines"


class ProtocolTable(Table):
    """A change of parameters at a time, for good (at) or for a while (from, to), once or repeatedly (every)."""

    noun: ClassVar[str] = "a protocol entry"

    at: Time | None = None
    from_: Annotated[Time | None, Field(alias="from")] = None
    to: Time | None = None
    every: Interval | None = None
    count: Annotated[
        int | None,
        Field(ge=1, le=100_000, description="Number of repeats, counting the first; until the end if not given"),
    ] = None
    set: Annotated[
        dict[str, ParameterValue],
        Field(description="New values", examples=[{"parameters.pump_rate": "0 mol/m^2/s"}]),
    ] = {}
    ramp: Annotated[
        dict[str, ParameterValue],
        Field(
            description="Values to be reached in a straight line, over a time",
            examples=[{"compartments.bath.K": "20 mM", "over": "30 s"}],
        ),
    ] = {}
    table: Annotated[ValuesTable | None, Field(description="Values by a table of times")] = None
    inject: Annotated[InjectionTable | None, Field(description="A current that is injected meanwhile")] = None
    clamp: Annotated[ClampTable | None, Field(description="What is held meanwhile")] = None


class TimesTable(Table):
    """Evenly spaced sample times."""

    noun: ClassVar[str] = "times"

    spacing: Annotated[Literal["linear", "log"], Field(description="Evenly in t, or evenly in log t")]
    points: Annotated[int, Field(ge=2, le=100_000_000, description="How many")]
    first: Time | None = None


Times = Annotated[
    Annotated[TimesTable, Tag("table")] | Annotated[list[Time], Tag("list")] | Annotated[Literal["steps"], Tag("word")],
    Discriminator(_times_form),
]


class RecordingTable(Table):
    """What is recorded, and when."""

    noun: ClassVar[str] = "[recording]"

    times: Annotated[Times | None, Field(description="Evenly spaced, a list of times, or every step")] = None
    quantities: Annotated[list[Group] | None, Field(description="Which quantities the result contains")] = None
