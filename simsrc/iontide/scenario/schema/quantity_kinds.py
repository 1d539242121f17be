"""What a number in a scenario file can be: its noun, its dimension, its range, and how one is written.

A ``Kind`` is at once the type of a field of the schema (pydantic calls it to validate what is in the file), the
source of that field's JSON Schema, and the rule against which the value is later checked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...formulas.units import DIMENSIONLESS, Dimension, parse_quantity

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

#: Format by which the JSON Schema distinguishes a quantity from other text.
QUANTITY = "quantity"


@dataclass(frozen=True)
class Kind:
    """One kind of quantity.

    Attributes
    ----------
    noun : str
        With its article: ``a volume``.
    unit : str or None
        The SI unit as a formula would write it; empty for a pure number, None where any dimension is allowed.
    example : str
        A value as it is written in a file.
    lowest, highest : float or None
        Bounds of the value, SI.
    lowest_allowed : bool
        Whether ``lowest`` itself is in range.
    keywords : tuple of str
        Texts that are allowed instead of a quantity.
    """

    noun: str
    unit: str | None
    example: str
    lowest: float | None = None
    lowest_allowed: bool = True
    highest: float | None = None
    keywords: tuple[str, ...] = ()

    @cached_property
    def dimension(self) -> Dimension | None:
        """The dimension that it must have; None where any is allowed."""
        if self.unit is None:
            return None
        return parse_quantity(f"1 {self.unit}")[1] if self.unit else DIMENSIONLESS

    def positive(self, noun: str, example: str) -> Kind:
        """The same dimension under another noun, greater than 0."""
        return replace(self, noun=noun, example=example, lowest=0.0, lowest_allowed=False)

    def range_fault(self, value: float) -> str | None:
        """The rule that a value (SI) breaks, or None."""
        if not math.isfinite(value):
            return "must be finite"
        if self.lowest is not None and (value < self.lowest or (value == self.lowest and not self.lowest_allowed)):
            return f"must be {'≥' if self.lowest_allowed else 'greater than'} {self.lowest:g}"
        if self.highest is not None and value > self.highest:
            return f"must be ≤ {self.highest:g}"
        return None

    def written_fault(self, value: object) -> str | None:
        """What is wrong with a value by its type alone, before its text is read; or None."""
        if isinstance(value, str):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            if self.unit == "":
                return f"{self.noun} is a number (as {self.example}), or a formula in quotes; this is {show(value)}"
            return f'{self.noun} is written in quotes, as "{self.example}"; this is {show(value)}'
        if self.unit:
            return f'{self.noun} needs a unit (as "{self.example}"), got {show(value)}'
        try:
            finite = math.isfinite(value)
        except OverflowError:
            finite = False
        return None if finite else f"{self.noun} must be finite, got {show(value)}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import PydanticCustomError, core_schema

        def accept(value: Any) -> Any:
            fault = self.written_fault(value)
            if fault is not None:
                # For pydantic the message is a template, so the sentence is passed as a value.
                raise PydanticCustomError("sentence", "{sentence}", {"sentence": fault})
            return value

        return core_schema.no_info_plain_validator_function(accept)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.schema()

    def schema(self) -> dict[str, Any]:
        """JSON Schema of a value of this kind."""
        keywords = "".join(f', or "{keyword}"' for keyword in self.keywords)
        unit = f"; SI unit {self.unit}" if self.unit else ""
        return {
            "type": "string" if self.unit else ["string", "number"],
            "description": f"{self.noun}: a number with its unit, or a formula{keywords}{unit}",
            "examples": [self.example, *self.keywords],
            "$comment": QUANTITY,
        }


def show(value: object) -> str:
    """A value of the file as it is written there, shortened where it is long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, dict):
        return "a table"
    elif isinstance(value, list):
        return "a list"
    elif isinstance(value, int):
        # str() refuses an integer of thousands of digits.
        text = str(value) if abs(value) < 10**40 else f"a number of {value.bit_length() * 3 // 10} digits"
    else:
        text = str(value)
    return text if len(text) <= 80 else text[:77] + "…"


TIME = Kind("a time", "s", "20 s", lowest=0.0)
DURATION = TIME.positive("a duration", "10 h")
TEMPERATURE = Kind("a temperature", "K", "37 degC", lowest=0.0, lowest_allowed=False)
VOLUME = Kind("a volume", "m^3", "4.2 pL", lowest=0.0, lowest_allowed=False)
AREA = Kind("an area", "m^2", "1256 um^2", lowest=0.0, lowest_allowed=False, keywords=("sphere",))
LENGTH = Kind("a length", "m", "25 um", lowest=0.0, lowest_allowed=False)
CROSS_SECTION = Kind("an area", "m^2", "616 um^2", lowest=0.0, lowest_allowed=False)
TORTUOSITY = Kind("a tortuosity", "", "1.6", lowest=1.0)
CAPACITANCE = Kind("a specific capacitance", "F/m^2", "1 uF/cm^2", lowest=0.0)
CONCENTRATION = Kind("a concentration", "mol/m^3", "140 mM", lowest=0.0)
BALANCED_CONCENTRATION = replace(CONCENTRATION, keywords=("balance",))
#: Valence of an impermeant: a mean over molecules, which need not be whole.
VALENCE = Kind("a valence", "", "-1", lowest=-1000.0, highest=1000.0)
AMOUNT = Kind("an amount", "mol", "5e-13 mol", lowest=0.0)
ACTIVITY_COEFFICIENT = Kind("an activity coefficient", "", "0.75", lowest=0.0, lowest_allowed=False, highest=20.0)
POTENTIAL = Kind("a potential", "V", "-70 mV", keywords=("ghk",))
PERMEABILITY = Kind("a permeability", "m/s", "4e-8 m/s", lowest=0.0)
CONDUCTANCE = Kind("a conductance", "S/m^2", "0.3 mS/cm^2", lowest=0.0)
RATE = Kind("a rate", "mol/m^2/s", "1.4e-6 mol/m^2/s", lowest=0.0)
WATER_PERMEABILITY = Kind("a water permeability", "m/s", "2e-5 m/s", lowest=0.0)
SHARE = Kind("a share", "", "1.0", lowest=0.0, highest=1.0)
WATER_MOLAR_VOLUME = Kind("a molar volume", "m^3/mol", "18.069 cm^3/mol", lowest=0.0, lowest_allowed=False)
ATP_FREE_ENERGY = Kind("the free energy of ATP hydrolysis", "J/mol", "-57 kJ/mol", highest=0.0)
REFLECTION = Kind("a reflection coefficient", "", "0.9", lowest=0.0, highest=1.0)
ELASTIC_MODULUS = Kind("an elastic modulus", "Pa", "1 MPa", lowest=0.0)
FORMULA_RATE = Kind("a rate", "mol/m^2/s", "1.4e-6 mol/m^2/s")
RATE_CONSTANT = Kind("a rate constant", "/s", "3e-2 /s", lowest=0.0)
OPENING = Kind("a rate of a gate", "/s", "0.1 /ms", lowest=0.0)
STEADY = Kind("a steady value", "", "0.5", lowest=0.0, highest=1.0)
TIME_CONSTANT = Kind("a time constant", "s", "5 ms", lowest=0.0, lowest_allowed=False)
SPEED = Kind("a speed", "", "3", lowest=0.0)
INITIAL = Kind("an initial value of a gate", "", "0.5", lowest=0.0, highest=1.0)
SUPPLY = Kind("a rate of supply", "mol/s", "1e-18 mol/s")
CURRENT = Kind("a current", "A", "36 pA")
INTERVAL = TIME.positive("an interval", "50 ms")
HELD = Kind("a potential", "V", "-60 mV")
RESISTANCE = Kind("a resistance", "ohm", "10 Mohm", lowest=0.0, lowest_allowed=False)
WATCHED = Kind("a level", None, "0 mV")
RAMP_TIME = Kind("a duration", "s", "30 s", lowest=0.0, lowest_allowed=False)
REACTION_CONSTANT = Kind("a rate constant", None, "300 /s", lowest=0.0)
DIFFUSION_COEFFICIENT = Kind("a diffusion coefficient", "m^2/s", "1.96e-9 m^2/s", lowest=0.0, lowest_allowed=False)
#: A solute that cannot move through a junction has 0.
JUNCTION_DIFFUSION = replace(DIFFUSION_COEFFICIENT, lowest_allowed=True)
SELECTIVITY = Kind("a selectivity coefficient", "", "1e-4", lowest=0.0)
ION_SIZE = Kind("an ion size", "m", "3e-10 m", lowest=0.0, lowest_allowed=False)
PARAMETER = Kind("a parameter", None, "1.4e-6 mol/m^2/s")
