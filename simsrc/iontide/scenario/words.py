"""What the tables of a scenario file are made of: kinds of values, and what any table is."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from . import kinds

Title = Annotated[str, Field(min_length=1)]
Volume = Annotated[str, kinds.VOLUME]
Concentration = Annotated[str, kinds.CONCENTRATION]
BalancedConcentration = Annotated[str, kinds.BALANCED_CONCENTRATION]
Amount = Annotated[str, kinds.AMOUNT]
MeanValence = Annotated[str | float, kinds.VALENCE]
ActivityCoefficient = Annotated[str | float, kinds.ACTIVITY_COEFFICIENT]
Length = Annotated[str, kinds.LENGTH]
Capacitance = Annotated[str, kinds.CAPACITANCE]
Potential = Annotated[str, kinds.POTENTIAL]
Permeability = Annotated[str, kinds.PERMEABILITY]
Conductance = Annotated[str, kinds.CONDUCTANCE]
Duration = Annotated[str, kinds.DURATION]
Interval = Annotated[str, kinds.INTERVAL]
Time = Annotated[str, kinds.TIME]
Temperature = Annotated[str, kinds.TEMPERATURE]
DiffusionCoefficient = Annotated[str, kinds.DIFFUSION_COEFFICIENT]
IonSize = Annotated[str, kinds.ION_SIZE]
WaterPermeability = Annotated[str, kinds.WATER_PERMEABILITY]
WaterMolarVolume = Annotated[str, kinds.WATER_MOLAR_VOLUME]
AtpFreeEnergy = Annotated[str, kinds.ATP_FREE_ENERGY]
Reflection = Annotated[str | float, kinds.REFLECTION]
ElasticModulus = Annotated[str, kinds.ELASTIC_MODULUS]
RateConstant = Annotated[str, kinds.RATE_CONSTANT]
Opening = Annotated[str, kinds.OPENING]
Steady = Annotated[str | float, kinds.STEADY]
TimeConstant = Annotated[str, kinds.TIME_CONSTANT]
Speed = Annotated[str | float, kinds.SPEED]
Initial = Annotated[str | float, kinds.INITIAL]
Supply = Annotated[str, kinds.SUPPLY]
Current = Annotated[str, kinds.CURRENT]
HeldPotential = Annotated[str, kinds.HELD]
Resistance = Annotated[str, kinds.RESISTANCE]
ReactionConstant = Annotated[str, kinds.REACTION_CONSTANT]
CrossSection = Annotated[str, kinds.CROSS_SECTION]
Tortuosity = Annotated[str | float, kinds.TORTUOSITY]
Share = Annotated[str | float, kinds.SHARE]
JunctionDiffusion = Annotated[str, kinds.JUNCTION_DIFFUSION]
Selectivity = Annotated[str | float, kinds.SELECTIVITY]
ParameterValue = Annotated[str | float, kinds.PARAMETER]


class Table(BaseModel):
    """A table of the file: no key but those listed, every value of exactly its type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    #: What a sentence calls such a table, with its article.
    noun: ClassVar[str] = "a table"
