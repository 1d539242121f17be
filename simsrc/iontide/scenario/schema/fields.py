"""Types of values in the tables of a scenario file, and the base class of the tables."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from . import quantity_kinds

Title = Annotated[str, Field(min_length=1)]
Volume = Annotated[str, quantity_kinds.VOLUME]
Concentration = Annotated[str, quantity_kinds.CONCENTRATION]
BalancedConcentration = Annotated[str, quantity_kinds.BALANCED_CONCENTRATION]
Amount = Annotated[str, quantity_kinds.AMOUNT]
MeanValence = Annotated[str | float, quantity_kinds.VALENCE]
ActivityCoefficient = Annotated[str | float, quantity_kinds.ACTIVITY_COEFFICIENT]
Length = Annotated[str, quantity_kinds.LENGTH]
Capacitance = Annotated[str, quantity_kinds.CAPACITANCE]
Potential = Annotated[str, quantity_kinds.POTENTIAL]
Permeability = Annotated[str, quantity_kinds.PERMEABILITY]
Conductance = Annotated[str, quantity_kinds.CONDUCTANCE]
Duration = Annotated[str, quantity_kinds.DURATION]
Interval = Annotated[str, quantity_kinds.INTERVAL]
Time = Annotated[str, quantity_kinds.TIME]
Temperature = Annotated[str, quantity_kinds.TEMPERATURE]
DiffusionCoefficient = Annotated[str, quantity_kinds.DIFFUSION_COEFFICIENT]
IonSize = Annotated[str, quantity_kinds.ION_SIZE]
WaterPermeability = Annotated[str, quantity_kinds.WATER_PERMEABILITY]
WaterMolarVolume = Annotated[str, quantity_kinds.WATER_MOLAR_VOLUME]
AtpFreeEnergy = Annotated[str, quantity_kinds.ATP_FREE_ENERGY]
Reflection = Annotated[str | float, quantity_kinds.REFLECTION]
ElasticModulus = Annotated[str, quantity_kinds.ELASTIC_MODULUS]
RateConstant = Annotated[str, quantity_kinds.RATE_CONSTANT]
Opening = Annotated[str, quantity_kinds.OPENING]
Steady = Annotated[str | float, quantity_kinds.STEADY]
TimeConstant = Annotated[str, quantity_kinds.TIME_CONSTANT]
Speed = Annotated[str | float, quantity_kinds.SPEED]
Initial = Annotated[str | float, quantity_kinds.INITIAL]
Supply = Annotated[str, quantity_kinds.SUPPLY]
Current = Annotated[str, quantity_kinds.CURRENT]
HeldPotential = Annotated[str, quantity_kinds.HELD]
Resistance = Annotated[str, quantity_kinds.RESISTANCE]
ReactionConstant = Annotated[str, quantity_kinds.REACTION_CONSTANT]
CrossSection = Annotated[str, quantity_kinds.CROSS_SECTION]
Tortuosity = Annotated[str | float, quantity_kinds.TORTUOSITY]
Share = Annotated[str | float, quantity_kinds.SHARE]
JunctionDiffusion = Annotated[str, quantity_kinds.JUNCTION_DIFFUSION]
Selectivity = Annotated[str | float, quantity_kinds.SELECTIVITY]
ParameterValue = Annotated[str | float, quantity_kinds.PARAMETER]


class Table(BaseModel):
    """A table of the file: no key but those listed, every value of exactly its type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    #: Name of such a table in messages, with its article.
    noun: ClassVar[str] = "a table"
