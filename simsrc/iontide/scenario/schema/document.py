"""The scenario file as it is written: tables, keys and types; quantities are still text.

How the tables fit together is checked afterwards (``checks``). The keys and descriptions of this module are
what users see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from ..text.repeat_references import Along, Repeat
from . import quantity_kinds
from .electrodes import ElectrodeTable
from .events import EventTable
from .fields import (
    ActivityCoefficient,
    Amount,
    AtpFreeEnergy,
    BalancedConcentration,
    Capacitance,
    Concentration,
    Conductance,
    CrossSection,
    DiffusionCoefficient,
    Duration,
    ElasticModulus,
    Initial,
    IonSize,
    Length,
    MeanValence,
    Opening,
    ParameterValue,
    Permeability,
    Potential,
    RateConstant,
    ReactionConstant,
    Reflection,
    Share,
    Speed,
    Steady,
    Supply,
    Table,
    Temperature,
    TimeConstant,
    Title,
    Tortuosity,
    Volume,
    WaterMolarVolume,
    WaterPermeability,
)
from .protocol import ProtocolTable, RecordingTable
from .sweep import SweepTable


def _listed(value: Any) -> Any:
    """One source may be given without a list."""
    return [value] if isinstance(value, str) else value


def _no_number(value: Any) -> Any:
    """For Python 1 is True; in the file it is not."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise PydanticCustomError("literal_error", "a number")
    return value


#: Places where a value can have one of several forms (``*``: any name), with the names of the forms, outer before
#: inner.
FORMS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("recording", "times"): ("table", "list", "word"),
    ("membranes", "*", "area"): ("table", "word"),
    ("sweep", "vary", "*"): ("table", "list"),
    ("sweep", "vary", "*", "times"): ("table", "list"),
}


def _area_form(value: Any) -> str:
    """Whether an area is given as a shape in a table, or by a quantity or a keyword."""
    return "table" if isinstance(value, dict | Table) else "word"


class SimulationTable(Table):
    """Duration, temperature and accuracy of the run."""

    noun: ClassVar[str] = "[simulation]"

    duration: Duration
    temperature: Temperature
    rtol: Annotated[
        float, Field(ge=1e-12, le=1e-2, allow_inf_nan=False, description="Relative tolerance of the solver")
    ] = 1e-7
    stop_at_steady_state: Annotated[bool, Field(description="Stop at a steady state before the duration is over")] = (
        False
    )
    water_molar_volume: WaterMolarVolume | None = None
    atp_free_energy: AtpFreeEnergy | None = None
    max_steps: Annotated[int | None, Field(ge=1, le=10**15, description="Give up after so many steps")] = None


class SpeciesTable(Table):
    """An ion or a neutral solute; what is not given here comes from the ion library."""

    noun: ClassVar[str] = "a species"

    valence: Annotated[int | None, Field(ge=-8, le=8, description="Signed charge number; 0 is allowed")] = None
    diffusion_coefficient: DiffusionCoefficient | None = None
    ion_size: IonSize | None = None
    source: Annotated[str | None, Field(description="Where these numbers come from")] = None


class ImpermeantTable(Table):
    """A solute that crosses no membrane: either its concentration or its amount, and its mean valence."""

    noun: ClassVar[str] = "an impermeant"

    concentration: BalancedConcentration | None = None
    amount: Amount | None = None
    valence: MeanValence


class CompartmentTable(Table):
    """A well-stirred solution."""

    noun: ClassVar[str] = "a compartment"

    repeat: Repeat = None
    volume: Volume | None = None
    bath: Annotated[
        Literal[True, False, "floating"],
        BeforeValidator(_no_number),
        Field(description='true: fixed composition, potential 0; "floating": fixed composition, free potential'),
    ] = False
    water: Annotated[
        Literal["fixed", "osmotic", "equilibrium"],
        Field(
            description="fixed: constant volume; osmotic: it follows the water that crosses the membranes; "
            "equilibrium: it is always such that the osmolarity equals that of the neighbouring bath"
        ),
    ] = "fixed"
    concentrations: Annotated[
        dict[str, Concentration], Field(description="Initial concentration of each mobile species")
    ] = {}
    impermeants: Annotated[
        dict[str, ImpermeantTable], Field(description="Solutes that no membrane lets through, by name")
    ] = {}
    activity: Annotated[
        Literal["ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer"],
        Field(description="Activity model of the species for which no coefficient is given"),
    ] = "ideal"
    activity_coefficients: Annotated[
        dict[str, ActivityCoefficient],
        Field(description="Constant activity coefficients; 1 where none is given"),
    ] = {}


class CylinderTable(Table):
    """A cylinder of fixed length."""

    noun: ClassVar[str] = "a cylinder"

    length: Length


class ShapeTable(Table):
    """A membrane whose area follows the volume inside."""

    noun: ClassVar[str] = "a shape"

    cylinder: Annotated[CylinderTable, Field(description="A cylinder; its side is the area")]


Area = Annotated[
    Annotated[str, quantity_kinds.AREA, Tag("word")] | Annotated[ShapeTable, Tag("table")], Discriminator(_area_form)
]


class WallTable(Table):
    """A wall that, once stretched, exerts a pressure on the inside and on the organelles in it."""

    noun: ClassVar[str] = "a wall"

    elastic_modulus: ElasticModulus
    slack_volume: Volume


class GateTable(Table):
    """A gate: by alpha and beta, by steady and time_constant, or by steady alone (instantaneous)."""

    noun: ClassVar[str] = "a gate"

    alpha: Opening | None = None
    beta: Opening | None = None
    steady: Steady | None = None
    time_constant: TimeConstant | None = None
    speed: Speed | None = None
    initial: Initial | None = None


class PathwayTable(Table):
    """A pathway: by a law of the library and its arguments, as a channel of one ion, or by a custom rate."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    noun: ClassVar[str] = "a pathway"

    law: Annotated[str | None, Field(description="Name of a rate law of the library")] = None
    ion: Annotated[
        str | None, Field(description="The one ion that a channel lets through, by its conductance or permeability")
    ] = None
    stoichiometry: Annotated[
        dict[str, Annotated[int, Field(ge=-12, le=12)]] | None,
        Field(description="Ions that a cycle carries outward, each with its count; negative counts are inward"),
    ] = None
    transporter: Annotated[
        str | None, Field(description="Name of a transporter of the library, instead of stoichiometry")
    ] = None
    charge: Annotated[
        int | None, Field(description="Charge that a cycle carries outward, checked against its stoichiometry")
    ] = None
    driven_by: Annotated[
        str | None, Field(min_length=1, description='What drives a custom rate (as "ATP"); passive if not given')
    ] = None
    gates: Annotated[
        dict[str, GateTable], Field(description="Gates, whose values the formulas of this pathway may use")
    ] = {}


class MembraneTable(Table):
    """A membrane between two compartments; outward is from inside to outside."""

    noun: ClassVar[str] = "a membrane"

    inside: Annotated[str, Field(description="Name of the compartment on the inside")]
    outside: Annotated[str, Field(description="Name of the compartment on the outside")]
    along: Along = None
    area: Annotated[Area, Field(description="The area, or the shape by which it follows the volume inside")]
    specific_capacitance: Capacitance
    potential: Potential | None = None
    permeability: Annotated[
        dict[str, Permeability], Field(description="Permeabilities of Goldman-Hodgkin-Katz pathways, by ion")
    ] = {}
    conductance: Annotated[dict[str, Conductance], Field(description="Conductances of ohmic pathways, by ion")] = {}
    water_permeability: WaterPermeability | None = None
    reflection: Annotated[
        dict[str, Reflection], Field(description="Reflection coefficient of each solute; 1 where none is given")
    ] = {}
    wall: Annotated[WallTable | None, Field(description="An elastic wall")] = None
    pathways: Annotated[dict[str, PathwayTable], Field(description="Pumps, transporters and channels, by name")] = {}


class ReactionTable(Table):
    """A reversible reaction by mass action within a compartment."""

    noun: ClassVar[str] = "a reaction"

    in_: Annotated[str, Field(alias="in", description="Name of the compartment")]
    equation: Annotated[str, Field(description="The reaction", examples=["Ca + B <=> CaB"])]
    forward: ReactionConstant
    backward: ReactionConstant


class ExchangeTable(Table):
    """Exchange of solution between two compartments."""

    noun: ClassVar[str] = "an exchange"

    between: Annotated[
        list[str], Field(description="Names of the two compartments; the rate is of the volume of the first")
    ]
    rate: RateConstant


class SourceTable(Table):
    """A supply of species from outside of the model into a compartment, or a removal."""

    noun: ClassVar[str] = "a source"

    into: Annotated[str, Field(description="Name of the compartment")]
    stoichiometry: Annotated[
        dict[str, Annotated[int, Field(ge=-12, le=12)]],
        Field(description="Species supplied, each with its count; negative counts are removed"),
    ]
    rate: Supply


class TracerTable(Table):
    """A label on part of a species, which moves with it and does not affect the run."""

    noun: ClassVar[str] = "a tracer"

    of: Annotated[
        list[str],
        BeforeValidator(_listed),
        Field(description="The labelled species; a list where reactions pass the label on"),
    ]
    share: Annotated[
        dict[str, Share],
        Field(description="Labelled share: constant in a bath, initial elsewhere; 0 where none is given"),
    ] = {}


class DiffusionTable(Table):
    """Electrodiffusion between two compartments of one medium, by the constant field: P = D / length."""

    noun: ClassVar[str] = "a diffusion"

    between: Annotated[list[str], Field(description="Names of the two compartments")]
    along: Along = None
    area: Annotated[CrossSection, Field(description="Cross-section of the medium between them")]
    length: Annotated[Length, Field(description="Distance between them")]
    tortuosity: Annotated[
        Tortuosity | None, Field(description="Divides diffusion coefficients by its square; 1 where not given")
    ] = None
    ions: Annotated[list[str] | None, Field(description="Species that diffuse; all that both hold where not given")] = (
        None
    )
    diffusion_coefficients: Annotated[
        dict[str, DiffusionCoefficient],
        Field(description="Diffusion coefficients; those of the ion library, at 25 degC, where none is given"),
    ] = {}


class Document(Table):
    """A scenario file."""

    noun: ClassVar[str] = "a scenario"

    title: Annotated[Title, Field(description="What this scenario is, in one line")]
    description: Annotated[str, Field(description="What it shows")] = ""
    source: Annotated[list[str], BeforeValidator(_listed), Field(description="Where it comes from: a DOI")] = []
    parameters: Annotated[
        dict[str, ParameterValue],
        Field(description="Named values: a quantity, a pure number, or a formula"),
    ] = {}
    simulation: Annotated[SimulationTable, Field(description="Duration, temperature and accuracy of the run")]
    species: Annotated[
        dict[str, SpeciesTable], Field(description="Species that are not in the ion library, or differ from it")
    ] = {}
    compartments: Annotated[dict[str, CompartmentTable], Field(description="The solutions, by name")]
    membranes: Annotated[dict[str, MembraneTable], Field(description="Membranes between the solutions, by name")] = {}
    diffusion: Annotated[
        dict[str, DiffusionTable], Field(description="Electrodiffusion between compartments of one medium, by name")
    ] = {}
    reactions: Annotated[dict[str, ReactionTable], Field(description="Reactions within compartments, by name")] = {}
    exchange: Annotated[
        dict[str, ExchangeTable], Field(description="Exchange of solution between compartments, by name")
    ] = {}
    sources: Annotated[dict[str, SourceTable], Field(description="Supply into compartments from outside, by name")] = {}
    tracers: Annotated[
        dict[str, TracerTable], Field(description="Labels on part of a species, by name; they do not affect the run")
    ] = {}
    electrodes: Annotated[
        dict[str, ElectrodeTable], Field(description="Electrodes that record, by name; they draw no current")
    ] = {}
    protocol: Annotated[list[ProtocolTable], Field(description="What changes when")] = []
    events: Annotated[list[EventTable], Field(description="Conditions, and what happens when they are met")] = []
    recording: Annotated[RecordingTable, Field(description="What is recorded, and when")] = RecordingTable()
    sweep: Annotated[SweepTable | None, Field(description="What a sweep varies; ignored by a run")] = None
