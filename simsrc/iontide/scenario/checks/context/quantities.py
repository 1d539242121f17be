"""Quantities of the file converted to SI: their dimensions, ranges and values."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from ....errors import did_you_mean, listed, nearest, suggestion
from ....formulas.formula import FLOAT_FUNCTIONS, Formula, FormulaError, evaluate_float, fit_message, parse_formula
from ....formulas.units import (
    DIMENSIONLESS,
    NUMBER_PATTERN,
    Dimension,
    UnitError,
    format_quantity,
    parse_quantity,
    parse_unit,
)
from ....model.model import Parameter, Quantity, dependency_order
from ...schema.quantity_kinds import AREA, BALANCED_CONCENTRATION, POTENTIAL, TEMPERATURE, Kind, show
from ...text.faults import Faults
from ...text.key_lines import KeyPath

#: Names with a meaning in formulas, or keywords instead of a quantity, which no parameter may have.
_RESERVED = (
    frozenset(FLOAT_FUNCTIONS)
    | set(POTENTIAL.keywords)
    | set(BALANCED_CONCENTRATION.keywords)
    | set(AREA.keywords)
    | {"V", "T", "t", "E", "area", "volume", "potential"}
)

#: The only name besides parameters that the formula of a parameter may use.
_TIME = {"t": parse_quantity("1 s")[1]}

#: A number and text that must be its unit.
_PLAIN = re.compile(rf"\s*[+-]?{NUMBER_PATTERN}\s*[^\s()*+,-]+\s*")

#: A temperature probably meant to be in degrees Celsius.
_CELSIUS = re.compile(rf"\s*[+-]?{NUMBER_PATTERN}\s*C\s*")

_NOT_FINITE = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\b", re.IGNORECASE)


class Quantities:
    """The parameters of a file, and every quantity read with their help.

    Attributes
    ----------
    parameters : dict of str to Parameter
        Those without a fault, in the order of the file.
    quantities : dict of tuple to Quantity
        The quantity at each path: a float (SI) where the text is a constant, else a formula over parameters.
    values : dict of tuple to float
        Its value, SI, at time 0, before any protocol; absent where it depends on the state.
    kinds : dict of tuple to Kind
        Its kind.

    ``declared`` gives the dimensions that parameters must have, where the file's values are overridden.
    """

    def __init__(self, faults: Faults, declared: Mapping[str, Dimension] | None = None) -> None:
        self._declared = declared or {}
        self.parameters: dict[str, Parameter] = {}
        self.quantities: dict[KeyPath, Quantity] = {}
        self.values: dict[KeyPath, float] = {}
        self.kinds: dict[KeyPath, Kind] = {}
        self._faults = faults
        self._written: tuple[str, ...] = ()
        self._parameter_values: dict[str, float] = {"t": 0.0}

    def know_temperature(self, value: float | None) -> None:
        """Set the initial temperature ``T``, K, so that formulas over it and parameters alone have an initial value."""
        if value is not None:
            self._parameter_values["T"] = value

    def read_parameters(self, table: Mapping[str, str | float], species: Collection[str] = ()) -> None:
        """Read ``[parameters]``: formulas in any order, but not in a circle; none may have the name of a species."""
        self._written = tuple(table)
        parsed: dict[str, Quantity] = {}
        for name, raw in table.items():
            path = ("parameters", name)
            if self._faults.is_faulty(*path):
                continue
            if name in _RESERVED or name in species:
                self._faults.add(path, f"{name} already means something in a formula; choose another name")
                continue
            quantity = self._parse(path, raw, local=_TIME)
            if quantity is not None:
                parsed[name] = quantity
        for name in self._in_order(parsed):
            self._add_parameter(name, parsed[name])
        self.parameters = {name: self.parameters[name] for name in table if name in self.parameters}

    def read(
        self,
        path: KeyPath,
        raw: str | float | None,
        kind: Kind,
        dimension: Dimension | None = None,
        constant: bool = False,
        local: Mapping[str, Dimension] | None = None,
    ) -> float | None:
        """Read the quantity at a path.

        Parameters
        ----------
        path : tuple
        raw : str or float or None
            As written; None where the key is absent.
        kind : Kind
            What is expected.
        dimension : Dimension, optional
            Expected where the kind does not determine it.
        constant : bool
            Whether names are refused.
        local : mapping of str to Dimension, optional
            Names that a formula may use here besides parameters. One that does has no value before the run.

        Returns
        -------
        float or None
            Its value, SI; None where it is absent or faulty, depends on something faulty, or depends on the state.
        """
        if raw is None or self._faults.is_faulty(*path):
            return None
        quantity = self._parse(path, raw, constant, kind.keywords, local or {})
        if quantity is None:
            return None
        expected = kind.dimension or dimension
        message = self._misfit(quantity, raw, kind, expected, local or {}) if expected is not None else None
        if message is not None:
            self._faults.add(path, message)
            return None
        if isinstance(quantity, Formula) and not quantity.names <= self._parameter_values.keys():
            self.quantities[path] = quantity
            self.kinds[path] = kind
            return None
        value = self._evaluate(path, quantity)
        if value is None:
            return None
        rule = kind.range_fault(value)
        if rule is not None:
            self._faults.add(path, f"{rule}, got {self._described(raw, quantity, value, expected)}")
            return None
        self.quantities[path] = _settled(quantity, value)
        self.values[path] = value
        self.kinds[path] = kind
        return value

    def read_dimension(self, path: KeyPath, raw: str, local: Mapping[str, Dimension]) -> Dimension | None:
        """The dimension of a formula that may have any; None where it has a fault."""
        formula = self._parse(path, raw, local=local)
        if not isinstance(formula, Formula):
            return None
        try:
            return formula.dimension_of(lambda name: self._dimension(name, local))
        except FormulaError as error:
            self._faults.add(path, str(error))
            return None

    def _parse(
        self,
        path: KeyPath,
        raw: str | float,
        constant: bool = False,
        keywords: tuple[str, ...] = (),
        local: Mapping[str, Dimension] = MappingProxyType({}),
    ) -> Quantity | None:
        """A bare number as it is, text as a formula whose names are all known; None where that fails."""
        if not isinstance(raw, str):
            return float(raw)
        try:
            formula = parse_formula(raw)
        except (FormulaError, UnitError) as error:
            self._faults.add(path, _unit_message(raw) or str(error))
            return None
        if constant and formula.names:
            message = f"must be a number with its unit, not a formula over parameters, got {show(raw)}"
            self._faults.add(path, message)
            return None
        unknown = sorted(formula.names - set(self._written) - local.keys())
        unknown = [name for name in unknown if not self._faults.is_faulty("parameters", name)]
        if unknown:
            self._faults.add(path, self._unknown(unknown[0], keywords, local))
            return None
        if any(self._faults.is_faulty("parameters", name) for name in formula.names):
            self._faults.mark(path)
            return None
        return formula

    def _unknown(self, name: str, keywords: tuple[str, ...], local: Mapping[str, Dimension]) -> str:
        """The message about a name that is not defined where it is used."""
        if name == "T" and name not in local:
            return "the temperature T cannot be used here; use it in a rate or a permeability"
        near = did_you_mean(name, [*keywords, *self._written, *local])
        if not near:  # a gate of another pathway
            near = suggestion([other for other in local if other.endswith(f".{name}")][:1])
        every = f"parameters are {listed(self._written)}"
        if not near and (unit := _unit_meant(name)):
            return f"no such name as {name}{suggestion([f'the unit {unit}'])}"
        if len(local) <= len(_TIME) or nearest(name, [*keywords, *self._written]):
            return f"no such parameter as {name}{near} ({every})"
        if near:
            return f"no such name as {name}{near}"
        known = [other for other in local if not other.endswith(".activity")]
        return f"no such name as {name} ({every}; a formula here can also use {listed(known, most=24)})"

    def _misfit(
        self, quantity: Quantity, raw: str | float, kind: Kind, expected: Dimension, local: Mapping[str, Dimension]
    ) -> str | None:
        is_bare = not isinstance(quantity, Formula) or (quantity.is_constant and _is_number(raw))
        if is_bare and not expected.is_dimensionless:
            example = f'"{kind.example}"' if kind.unit else f"in {expected}"
            return f"{kind.noun} needs a unit (as {example}), got {show(raw)}"
        if not isinstance(quantity, Formula):
            return None
        message = fit_message(expected, quantity, lambda name: self._dimension(name, local), kind.noun)
        if message is not None and kind is TEMPERATURE and isinstance(raw, str) and _CELSIUS.fullmatch(raw):
            return f"{message}; degrees Celsius are degC (C is coulomb)"
        return message

    def _dimension(self, name: str, local: Mapping[str, Dimension]) -> Dimension:
        return self.parameters[name].dimension if name in self.parameters else local[name]

    def _evaluate(self, path: KeyPath, quantity: Quantity) -> float | None:
        if not isinstance(quantity, Formula):
            return quantity
        try:
            return evaluate_float(quantity, self._parameter_values)
        except FormulaError as error:
            self._faults.add(path, str(error))
            return None

    def _described(self, raw: str | float, quantity: Quantity, value: float, expected: Dimension | None) -> str:
        """The value as written, with the number that it evaluates to where that is not obvious."""
        if not isinstance(quantity, Formula) or quantity.is_constant or expected is None:
            return str(raw)
        return f"{format_quantity(value, expected)} from {show(raw)}"

    def _add_parameter(self, name: str, quantity: Quantity) -> None:
        path = ("parameters", name)
        dimension = DIMENSIONLESS
        if isinstance(quantity, Formula):
            if not quantity.names <= self.parameters.keys() | _TIME.keys():
                self._faults.mark(path)
                return
            try:
                dimension = quantity.dimension_of(lambda other: self._dimension(other, _TIME))
            except FormulaError as error:
                self._faults.add(path, str(error))
                return
        if dimension != self._declared.get(name, dimension):
            self._faults.add(path, f"{dimension} does not fit, this parameter is {self._declared[name]} in the file")
            return
        value = self._evaluate(path, quantity)
        if value is None:
            return
        self.parameters[name] = Parameter(name, _settled(quantity, value), dimension)
        self._parameter_values[name] = value

    def _in_order(self, parsed: dict[str, Quantity]) -> list[str]:
        """Names in the order of evaluation; those that form a circle are reported and left out."""
        while True:
            try:
                return dependency_order(parsed)
            except ValueError as error:
                _, _, circle = str(error).partition(": ")
                names = circle.split(" → ")
                first = min(names, key=self._written.index)
                self._faults.add(("parameters", first), str(error))
                for name in set(names):
                    self._faults.mark(("parameters", name))
                    del parsed[name]


def declared_dimensions(written: Mapping[str, Any]) -> dict[str, Dimension]:
    """The dimensions of the parameters of a file, before any is overridden; those with a fault are left out."""
    table = written.get("parameters")
    quantities = Quantities(Faults({}))
    if isinstance(table, dict):
        quantities.read_parameters({n: v for n, v in table.items() if isinstance(v, str | float | int)})
    return {name: parameter.dimension for name, parameter in quantities.parameters.items()}


def _unit_message(raw: str) -> str | None:
    """What is wrong with a number and its unit; None where the text is more than that."""
    if _NOT_FINITE.match(raw):
        return f"must be a finite number, got {show(raw)}"
    if not _PLAIN.fullmatch(raw):
        return None
    try:
        parse_quantity(raw)
    except UnitError as error:
        return str(error)
    return None


def _unit_meant(name: str) -> str:
    """The unit of which a name would be a power if it were written so: ``cm^2`` for ``cm2``; else empty."""
    match = re.fullmatch(r"([A-Za-z]+)([2-4])", name)
    if match is None:
        return ""
    try:
        parse_unit(match[1])
    except UnitError:
        return ""
    return f"{match[1]}^{match[2]}"


def _settled(quantity: Quantity, value: float) -> Quantity:
    """The value itself where it can never change, else the formula."""
    return value if isinstance(quantity, Formula) and quantity.is_constant else quantity


def _is_number(raw: str | float) -> bool:
    if not isinstance(raw, str):
        return True
    try:
        float(raw)
    except ValueError:
        return False
    return True
