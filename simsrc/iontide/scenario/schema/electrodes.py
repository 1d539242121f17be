"""The table of a scenario file for an electrode and its reference."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .fields import Concentration, JunctionDiffusion, Selectivity, Table, Time

Wire = Annotated[
    Literal["Ag/AgCl", "calomel", "hydrogen"] | None,
    Field(description="Metal whose electrode potential is part of the reading; none if not given"),
]


class ReferenceTable(Table):
    """A reference electrode: a wire in a solution, or behind a bridge."""

    noun: ClassVar[str] = "a reference"

    in_: Annotated[
        str | None, Field(alias="in", description="Compartment that it is in; the bath where none is given")
    ] = None
    bridge: Annotated[dict[str, Concentration], Field(description="Solution of its bridge; no bridge where empty")] = {}
    wire: Wire = None


class ElectrodeTable(Table):
    """An electrode at a membrane or in a solution, which draws no current."""

    noun: ClassVar[str] = "an electrode"

    on: Annotated[str | None, Field(description="Membrane whose potential it is to measure")] = None
    configuration: Annotated[
        Literal["whole-cell", "outside-out", "inside-out", "cell-attached", "sharp"],
        Field(
            description="Position of a pipette: whole-cell, outside-out: inside, with the solution of the inside; "
            "inside-out, cell-attached: outside of the patch, with the solution there; sharp: inside, with a junction"
        ),
    ] = "whole-cell"
    in_: Annotated[str | None, Field(alias="in", description="Compartment that it is in, instead of a membrane")] = None
    filling: Annotated[
        dict[str, Concentration],
        Field(description="Solution in the pipette; that of its side of the membrane where none is given"),
    ] = {}
    senses: Annotated[str | None, Field(description="Ion that its tip is selective for")] = None
    selectivity: Annotated[
        dict[str, Selectivity], Field(description="Selectivity coefficients of other ions, over mol/L")
    ] = {}
    wire: Wire = None
    reference: Annotated[ReferenceTable, Field(description="The reference electrode")] = ReferenceTable()
    zeroed_at: Time | None = None
    method: Annotated[
        Literal["nernst-planck", "henderson"], Field(description="How junction potentials are computed")
    ] = "nernst-planck"
    activity: Annotated[
        Literal["ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer"],
        Field(description="Activity model at junctions, wires and sensing tips"),
    ] = "ideal"
    diffusion_coefficients: Annotated[
        dict[str, JunctionDiffusion],
        Field(description="Of solutes at junctions, at 25 degC; of the ion library where none is given"),
    ] = {}
