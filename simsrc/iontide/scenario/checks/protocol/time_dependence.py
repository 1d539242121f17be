"""Checks of quantities that change between the steps of a protocol, and of all quantities at every step."""

from __future__ import annotations

from collections.abc import Mapping

from ....formulas.formula import Formula, FormulaError, evaluate_float
from ....formulas.units import format_quantity
from ....model.model import Quantity, dependency_order
from ...schema.quantity_kinds import Kind
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from .recording import TEMPERATURE_PATH
from .steps import intervals_of
from .targets import TEMPERATURE, parameter_of, place_of, targets_of


def variable_parameters(draft: Draft) -> dict[str, str]:
    """Parameters that change between the steps of the protocol, with the reason: a ramp, time, another parameter."""
    return _and_dependent(draft, {parameter_of(target): "is ramped" for target in _targets(draft, ramped=True)})


def changing_parameters(draft: Draft) -> dict[str, str]:
    """The same, and those that change at a step of the protocol."""
    reasons = {parameter_of(target): "is set by the protocol" for target in _targets(draft, ramped=False)}
    reasons |= {parameter_of(target): "is set by an event" for event in draft.document.events for target in event.set}
    return _and_dependent(draft, reasons | variable_parameters(draft))


def _targets(draft: Draft, ramped: bool) -> set[str]:
    """Targets that the protocol changes linearly in time; or those that it sets."""
    return {
        target
        for entry in draft.document.protocol
        for key, target in targets_of(entry)
        if (key == "ramp" or (key == "table" and entry.table is not None and entry.table.between == "lines")) == ramped
    }


def _and_dependent(draft: Draft, reasons: dict[str, str]) -> dict[str, str]:
    """These parameters, and those that depend on them or on time."""
    while True:
        more = {
            name: "depends on time" if "t" in p.value.names else f"depends on {min(p.value.names & reasons.keys())}"
            for name, p in draft.quantities.parameters.items()
            if name not in reasons and isinstance(p.value, Formula) and p.value.names & (reasons.keys() | {"t"})
        }
        if not more:
            return reasons
        reasons |= more


#: Places below a membrane whose values may change at any time.
_MAY_CHANGE = ("permeability", "conductance", "pathways", "water_permeability")


def _may_change(draft: Draft, place: KeyPath) -> bool:
    match place:
        case ("parameters", *_) | ("simulation", "temperature") | ("reactions" | "exchange" | "sources", *_):
            return True
        case ("protocol", _, "clamp", "potential" | "concentration") | ("events", _, "when", _):
            return True
        case ("membranes", _, key, *_):
            return key in _MAY_CHANGE
        case ("compartments", name, "concentrations", _):
            return bool(draft.document.compartments[str(name)].bath)
        case ("compartments", _, "activity_coefficients", _):
            return True
        case ("tracers", _, "share", name):
            return bool(draft.document.compartments[str(name)].bath)
    return False


def _is_fixed(place: KeyPath) -> bool:
    """Whether a value is part of the structure of the model, so that not even a step may change it."""
    return place[0] == "compartments" and place[2:3] == ("impermeants",) and place[-1] == "valence"


def check_variable(draft: Draft) -> None:
    """A quantity that changes between the steps must not be used where a value is constant from step to step."""
    variable, changing = variable_parameters(draft), changing_parameters(draft)
    quantities = draft.quantities
    for place, quantity in quantities.quantities.items():
        names = changing if _is_fixed(place) else variable
        used = sorted(quantity.names & names.keys()) if isinstance(quantity, Formula) else []
        is_new = place[0] in ("protocol", "events") and not _may_change(draft, place)
        if isinstance(quantity, Formula) and is_new and (used or "t" in quantity.names):
            what = f"{used[0]}, which {variable[used[0]]}" if used else "t"
            draft.faults.add(place, f"a new value must be known when it is set, but it uses {what}")
        elif used and not _may_change(draft, place):
            message = f"this value must be constant during the run, but {used[0]} {names[used[0]]}"
            draft.faults.add(place, f"{message}; write another value here")
    for index, entry in enumerate(draft.document.protocol):
        for key, target in targets_of(entry):
            _check_own_change(draft, ("protocol", index, key, target), target, variable)
    for index, event in enumerate(draft.document.events):
        for target in event.set:
            _check_own_change(draft, ("events", index, "set", target), target, variable)


def _check_own_change(draft: Draft, path: KeyPath, target: str, variable: Mapping[str, str]) -> None:
    """A parameter that changes by itself cannot be set or ramped."""
    if draft.faults.is_faulty(*path):
        return
    name, place = parameter_of(target), place_of(target)
    quantity = draft.quantities.quantities.get(place) if place else draft.quantities.parameters[name].value
    if isinstance(quantity, Formula) and quantity.names & (variable.keys() | {"t"}):
        of = min(quantity.names & (variable.keys() | {"t"}))
        why = f"it depends on {of}" if of == "t" else f"it depends on {of}, which {variable[of]}"
        draft.faults.add(path, f"{name} cannot be given another value: {why}")


def check_steps(draft: Draft) -> None:
    """Whatever the protocol sets, every quantity must be in its range. Only for a draft without faults."""
    intervals = [s for index in range(len(draft.document.protocol)) for s in intervals_of(draft, index)]
    changes: dict[float, list[int]] = {}
    for number, interval in enumerate(intervals):
        for moment in (interval.start, interval.end):
            if moment is not None:
                changes.setdefault(moment, []).append(number)
    formulas: dict[KeyPath, Quantity] = {
        place: quantity
        for place, quantity in draft.quantities.quantities.items()
        if isinstance(quantity, Formula) and place[0] not in ("protocol", "events")
    }
    for index, event in enumerate(draft.document.events):
        if event.set:
            path: KeyPath = ("events", index, "set")
            every = draft.quantities.quantities
            new_values = {parameter_of(target): every[(*path, target)] for target in event.set}
            _check_step(draft, path, new_values, 0.0, formulas)
    active: set[int] = set()
    seen: set[tuple[KeyPath, ...]] = set()
    for moment in sorted(changes):
        # Each interval begins and ends once.
        active ^= set(changes[moment])
        now = [intervals[number] for number in sorted(active)]
        together = tuple(interval.path for interval in now)
        if now and together not in seen:
            seen.add(together)
            settings = {name: value for interval in now for name, value in interval.settings.items()}
            _check_step(draft, now[-1].path, settings, moment, formulas)


def _check_step(
    draft: Draft,
    path: KeyPath,
    active: Mapping[str, Quantity],
    moment: float,
    formulas: dict[KeyPath, Quantity],
) -> None:
    """Check the values of all formulas with these settings."""
    quantities = draft.quantities
    chosen = {name: p.value for name, p in quantities.parameters.items()} | dict(active)
    values: dict[str, float] = {"t": moment}
    place: KeyPath = ()
    try:
        for name in dependency_order(chosen):
            q = chosen[name]
            place = ("parameters", name)
            values[name] = evaluate_float(q, values) if isinstance(q, Formula) else q
        place = TEMPERATURE_PATH
        warmth = active.get(TEMPERATURE, quantities.quantities[place])
        values["T"] = evaluate_float(warmth, values) if isinstance(warmth, Formula) else warmth
        changed: dict[KeyPath, Quantity] = {tuple(name.split(".")): value for name, value in active.items()}
        for place, quantity in (formulas | changed).items():
            if place in quantities.kinds and isinstance(quantity, Formula) and quantity.names <= values.keys():
                value = evaluate_float(quantity, values)
                rule = quantities.kinds[place].range_fault(value)
                if rule is not None:
                    shown = _shown(value, quantities.kinds[place])
                    draft.faults.add(path, f"makes {'.'.join(map(str, place))} {shown}: it {rule}")
                    return
    except FormulaError as error:
        draft.faults.add(path, f"with it {'.'.join(map(str, place))} has no value: {error}")
    except ValueError as error:
        draft.faults.add(path, f"with it {error}")


def _shown(value: float, kind: Kind) -> str:
    return format_quantity(value, kind.dimension) if kind.dimension else f"{value:.6g}"
