"""What a protocol step is called in a figure: ``pump_rate = 0``, ``plasma held at −80 mV``, ``36 pA into cell (K)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...constants import ZERO_CELSIUS
from ...formulas.formula import Formula, FormulaError, evaluate_float
from ...formulas.units import DIMENSIONLESS, Dimension, lab_unit, parse_quantity, parse_unit
from .names import current_text, number_text, time_text, unit_label

if TYPE_CHECKING:
    from ...model.model import Clamp, Injection, IonClamp, Model, ParameterStep, Quantity

_MOLAR = parse_quantity("1 mol/m^3")[1]
_VOLT = parse_quantity("1 V")[1]


def step_text(model: Model, step: ParameterStep) -> str:
    """What a step changes, of several changes the first two; empty if it changes nothing worth a label."""
    values: Mapping[str, Quantity] = step.settings
    if any(isinstance(value, Formula) for value in values.values()):
        values = dict(model.parameter_values(step.settings))  # without what is made of time
    parts = [_setting(model, name, values.get(name), step.over) for name in step.settings]
    shown = [part for part in parts if part]
    return ", ".join(shown[:2]) + (", …" if len(shown) > 2 else "")


def _setting(model: Model, name: str, value: Quantity | None, over: float) -> str:
    """One parameter of a step; a value that varies in time is None."""
    number = None if value is None or isinstance(value, Formula) else float(value)
    match name.split("."):
        case ["clamps", *clamp, hold] if hold.startswith("hold_"):
            return _held(model, ".".join(clamp), int(hold.removeprefix("hold_"))) if number else ""
        case ["injections", injection, "current"]:
            injected = next((i for i in model.injections if i.name == injection), None)
            return f"{_injected(number)}{_way(injected) if injected else ''}"
        case ["simulation", "temperature"]:
            label, value_text = "T", None if number is None else f"{number_text(round(number - ZERO_CELSIUS, 9))} °C"
        case ["compartments", compartment, "concentrations", species]:
            label, value_text = f"{species} in {compartment}", _value_text(model, name, number)
        case _:
            label, value_text = name, _value_text(model, name, number)
    if value_text is None:
        return f"{label} changes"
    return f"{label} to {value_text} in {time_text(over)}" if over else f"{label} = {value_text}"


def _injected(current: float | None) -> str:
    if current is None:
        return "current"
    return current_text(current) if current else "no current"


def _held(model: Model, name: str, number: int) -> str:
    """What a clamp holds, and at which value if that is constant."""
    clamp = next((c for c in model.every_clamp if c.name == name), None)
    if clamp is None:
        return ""
    at = _constant(model, clamp.holds[number - 1].value)
    what, where, dimension = _clamped(clamp)
    return (
        f"{what} clamped{where}"
        if at is None
        else f"{what} held at {quantity_text(at, dimension, bare_zero=False)}{where}"
    )


def _clamped(clamp: Clamp | IonClamp) -> tuple[str, str, Dimension]:
    """What is held, its place if needed, and the dimension of the command."""
    compartment = getattr(clamp, "compartment", None)
    if compartment is None:
        return getattr(clamp, "membrane", ""), "", _VOLT
    return getattr(clamp, "species", ""), f" in {compartment}", _MOLAR


def _constant(model: Model, quantity: Quantity) -> float | None:
    """The value of a quantity that stays the same throughout a run, else None."""
    if not isinstance(quantity, Formula):
        return float(quantity)
    if model.changes(quantity) or not quantity.names <= model.parameters.keys():
        return None
    try:
        return evaluate_float(quantity, model.parameter_values())
    except FormulaError:
        return None


def _way(injection: Injection) -> str:
    """Source and target of an injected current, and the ion that carries it."""
    source = f" from {injection.out_of}" if injection.out_of else ""
    carrier = f" ({injection.carried_by})" if injection.carried_by else ""
    return f"{source} into {injection.compartment}{carrier}"


def _value_text(model: Model, name: str, value: float | None) -> str | None:
    if value is None:
        return None
    return quantity_text(value, model.parameters[name].dimension if name in model.parameters else DIMENSIONLESS)


def quantity_text(value: float, dimension: Dimension, bare_zero: bool = True) -> str:
    """A value to three digits in its lab unit, which 0 does not need."""
    if (value == 0 and bare_zero) or dimension.is_dimensionless:
        return number_text(value)
    unit = lab_unit(dimension)
    return f"{number_text(value / parse_unit(unit)[0])} {unit_label(unit)}"
