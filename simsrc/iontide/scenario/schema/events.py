"""The table of a scenario file for an event: a value that passes a level."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from .fields import Duration, ParameterValue, Table


class EventTable(Table):
    """A value that is monitored until it passes a level, and what happens then."""

    noun: ClassVar[str] = "an event"

    when: Annotated[
        str,
        Field(
            min_length=1,
            description="What passes what",
            examples=["V rises through 0 mV", "K.outside falls through 8 mM"],
        ),
    ]
    membrane: Annotated[
        str | None, Field(description="Membrane whose names it may use; the only one where none is given")
    ] = None
    compartment: Annotated[str | None, Field(description="Compartment whose names it may use")] = None
    record: Annotated[
        str | None, Field(pattern="^[A-Za-z][A-Za-z0-9_]*$", description="Name under which its times are recorded")
    ] = None
    stop: Annotated[bool, Field(description="End the run there")] = False
    set: Annotated[
        dict[str, ParameterValue],
        Field(description="New values from then on", examples=[{"parameters.pump_rate": "0 mol/m^2/s"}]),
    ] = {}
    for_: Annotated[Duration | None, Field(alias="for")] = None
    once: Annotated[bool, Field(description="Only the first time counts")] = False
