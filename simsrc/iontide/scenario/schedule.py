"""Checks of what happens when: duration, protocol, sample times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..formula import Formula, FormulaError, evaluate_float
from ..model import Quantity, dependency_order
from ..units import format_quantity
from . import kinds, places
from .draft import Draft
from .faults import did_you_mean, listed
from .kinds import Kind, show
from .lines import KeyPath
from .potentials import is_ground
from .schema import CompartmentTable, InjectionTable, ProtocolTable, TimesTable
from .solutions import holds

DURATION_PATH: KeyPath = ("simulation", "duration")
TIMES_PATH: KeyPath = ("recording", "times")


def read_simulation(draft: Draft) -> None:
    """Read duration and temperature."""
    table = draft.document.simulation
    draft.quantities.read(DURATION_PATH, table.duration, kinds.DURATION, constant=True)
    warmth = draft.quantities.read(("simulation", "temperature"), table.temperature, kinds.TEMPERATURE)
    draft.quantities.know_temperature(warmth)
    molar_volume = ("simulation", "water_molar_volume")
    draft.quantities.read(molar_volume, table.water_molar_volume, kinds.WATER_MOLAR_VOLUME)


def read_protocol(draft: Draft) -> None:
    """Read the times and the new values of every entry of the protocol."""
    for index, entry in enumerate(draft.document.protocol):
        path = ("protocol", index)
        if draft.faults.is_faulty(*path):
            continue
        _read_times(draft, path, entry)
        parts = {"set": bool(entry.set), "ramp": bool(entry.ramp), "inject": entry.inject is not None}
        if not any(parts.values()) and not any(draft.faults.is_faulty_within(*path, key) for key in parts):
            told = 'sets nothing; write as set = { "parameters.NAME" = … }, or give ramp = { … } or inject = { … }'
            draft.faults.add((*path, "set"), told)
        for target, raw in entry.set.items():
            _read_setting(draft, (*path, "set", target), target, raw)
        if entry.ramp:
            _read_ramp(draft, path, entry)
        if entry.inject is not None:
            read_injection(draft, path, entry.inject)


def _read_ramp(draft: Draft, path: KeyPath, entry: ProtocolTable) -> None:
    place = (*path, "ramp")
    for target, raw in entry.ramp.items():
        if target != "over":
            _read_setting(draft, (*place, target), target, raw)
    over = entry.ramp.get("over")
    if over is None and not draft.faults.is_faulty(*place, "over"):
        draft.faults.add((*place, "over"), 'missing; a ramp needs the time that it takes (as "30 s")')
    message = kinds.RAMP_TIME.written_fault(over) if over is not None else None
    if message is not None:
        draft.faults.add((*place, "over"), message)
    else:
        draft.quantities.read((*place, "over"), over, kinds.RAMP_TIME, constant=True)
    if not entry.ramp.keys() - {"over"} and not draft.faults.is_faulty_within(*place):
        draft.faults.add(place, 'names nothing that changes; write as ramp = { "parameters.NAME" = …, over = "30 s" }')
    for key, given in (("from", entry.from_), ("to", entry.to)):
        if given is not None:
            told = "a ramp begins at a time and stays where it leads: write at = …, and another ramp to come back"
            draft.faults.add((*path, key), told)
            return


def _read_times(draft: Draft, path: KeyPath, entry: ProtocolTable) -> None:
    given = {"at": entry.at, "from": entry.from_, "to": entry.to}
    for key, raw in given.items():
        value = draft.quantities.read((*path, key), raw, kinds.TIME, constant=True)
        _check_before_end(draft, (*path, key), raw, value)
    named = {key for key, raw in given.items() if raw is not None or draft.faults.is_faulty(*path, key)}
    if named not in ({"at"}, {"from", "to"}):
        written = " and ".join(key for key in given if key in named) or "none of them"
        told = f"an entry says at (a change for good), or from and to (for a while); this one says {written}"
        draft.faults.add(path, told, spoils=False)
    start, end = draft.value(*path, "from"), draft.value(*path, "to")
    if start is not None and end is not None and end <= start:
        draft.faults.add((*path, "to"), f"must be after from = {show(entry.from_)}, got {entry.to}")


def _check_before_end(draft: Draft, path: KeyPath, raw: str | None, value: float | None) -> None:
    duration = draft.value(*DURATION_PATH)
    if value is not None and duration is not None and value >= duration:
        end = draft.document.simulation.duration
        hint = "; for a change that stays write at = …" if path[-1] == "to" else ""
        draft.faults.add(path, f"must be before the end, {end}, got {raw}{hint}")


def _read_setting(draft: Draft, path: KeyPath, target: str, raw: str | float) -> None:
    if draft.faults.is_faulty(*path):
        return
    written = draft.document.parameters
    table, _, name = target.partition(".")
    solution = bath_target(draft, target)
    if solution is not None:
        _read_solution(draft, path, solution, raw)
    elif table == "parameters" and name in written:
        if not draft.faults.is_faulty("parameters", name):
            parameter = draft.quantities.parameters[name]
            kind = replace(kinds.PARAMETER, noun=f"the parameter {name}")
            draft.quantities.read(path, raw, kind, dimension=parameter.dimension)
    elif draft.faults.is_faulty("parameters", name) and table == "parameters":
        return
    elif table == "parameters" or not name:
        hint = f"; did you mean parameters.{target}?" if target in written else did_you_mean(name or target, written)
        every = listed(written)
        draft.faults.add(path, f"no such parameter as {name or target}{hint} (parameters are {every})")
    elif places.at(target.split(".")) is None:
        told = 'no such place; what changes is a parameter, as "parameters.NAME", or "compartments.BATH.ION"'
        draft.faults.add(path, told)
    else:
        draft.faults.add(
            path,
            "only a parameter can change: name this value in [parameters], write that name in its place, "
            'and set "parameters.NAME"',
        )


def bath_target(draft: Draft, target: str) -> tuple[str, str] | None:
    """Compartment and species of ``compartments.bath.concentrations.K`` or ``compartments.bath.K``; else None."""
    words = target.split(".")
    if len(words) == 4 and words[2] == "concentrations":
        del words[2]
    if len(words) != 3 or words[0] != "compartments" or words[2] in places.fields(CompartmentTable):
        return None
    return words[1], words[2]


def parameter_of(draft: Draft, target: str) -> str:
    """The parameter that a target of the protocol is; a bath's concentration is one by its dotted path."""
    solution = bath_target(draft, target)
    if solution is None:
        return target.removeprefix("parameters.")
    return "compartments.{}.concentrations.{}".format(*solution)


def _read_solution(draft: Draft, path: KeyPath, solution: tuple[str, str], raw: str | float) -> None:
    """A new concentration of a bath."""
    compartment, ion = solution
    every = draft.document.compartments
    if draft.faults.is_faulty("compartments", compartment):
        return
    if compartment not in every:
        told = f"no such compartment as {compartment}{did_you_mean(compartment, every)}"
        draft.faults.add(path, f"{told} (compartments are {listed(every)})")
    elif not every[compartment].bath:
        told = f"{compartment} is no bath: what is in it follows the fluxes, and only a bath can be changed"
        draft.faults.add(path, f"{told} (or rinse it with an [exchange.NAME])")
    elif draft.faults.is_faulty("compartments", compartment, "concentrations", ion):
        return
    elif ion not in every[compartment].concentrations:
        held = every[compartment].concentrations
        told = f"{compartment} gives no concentration of {ion}{did_you_mean(ion, held)}"
        draft.faults.add(path, f"{told} (it holds {listed(held)})")
    else:
        message = kinds.CONCENTRATION.written_fault(raw)
        if message is not None:
            draft.faults.add(path, message)
        else:
            draft.quantities.read(path, raw, kinds.CONCENTRATION)


def read_injection(draft: Draft, path: KeyPath, table: InjectionTable) -> None:
    """Read a current into a compartment."""
    every, faults, place = draft.document.compartments, draft.faults, (*path, "inject")
    draft.quantities.read((*place, "current"), table.current, kinds.CURRENT)
    if faults.is_faulty(*place, "into") or faults.is_faulty("compartments", table.into):
        return
    if table.into not in every:
        told = f"no such compartment as {table.into}{did_you_mean(table.into, every)}"
        faults.add((*place, "into"), f"{told} (compartments are {listed(every)})")
        return
    if every[table.into].bath is True:
        faults.add((*place, "into"), f"{table.into} is a grounded bath: no current into it changes anything")
        return
    known = not faults.faulty_below("membranes") and set(draft.membranes()) == set(draft.document.membranes)
    if known and not any(table.into in (m.inside, m.outside) for m in draft.membranes().values()):
        faults.add((*place, "into"), f"{table.into} has no membrane that a current could charge")
    elif known and is_ground(draft, table.into):
        told = f"{table.into} is the ground of a model without a grounded bath, so that a current into it is lost"
        faults.add((*place, "into"), f"{told}; the compartment that the file names last is the ground")
    ion = table.carried_by
    if ion is None or faults.is_faulty(*place, "carried_by") or faults.is_faulty("species", ion):
        return
    held = every[table.into].concentrations
    if not holds(draft, table.into, ion):
        told = f"{table.into} gives no concentration of {ion}{did_you_mean(ion, held)}"
        faults.add((*place, "carried_by"), f"{told} (it holds {listed(held)})")
    elif ion in draft.species and draft.species[ion].valence == 0:
        faults.add((*place, "carried_by"), f"{ion} has no charge, so it carries no current")


def injection_parameter(draft: Draft, index: int) -> str:
    """The parameter that holds the current which an entry of the protocol injects."""
    number = 1 + sum(entry.inject is not None for entry in draft.document.protocol[:index])
    return f"injections.injection_{number}.current"


def start_key(entry: ProtocolTable) -> str:
    """Key that tells when an entry begins."""
    return "at" if entry.at is not None else "from"


def moving_parameters(draft: Draft) -> dict[str, str]:
    """Parameters that change between the steps of the protocol, each with why: by a ramp, by time, by another."""
    found = {
        parameter_of(draft, target): "ramped"
        for entry in draft.document.protocol
        for target in entry.ramp
        if target != "over"
    }
    while True:
        more = {
            name: "made of time" if "t" in p.value.names else f"made of {min(p.value.names & found.keys())}"
            for name, p in draft.quantities.parameters.items()
            if name not in found and isinstance(p.value, Formula) and p.value.names & (found.keys() | {"t"})
        }
        if not more:
            return found
        found |= more


#: Places below a membrane whose values may change at any time.
_MAY_MOVE = ("permeability", "conductance", "pathways", "water_permeability")


def _may_move(draft: Draft, place: KeyPath) -> bool:
    match place:
        case ("parameters", *_) | ("simulation", "temperature") | ("reactions" | "exchange", *_):
            return True
        case ("membranes", _, key, *_):
            return key in _MAY_MOVE
        case ("compartments", name, "concentrations", _):
            return bool(draft.document.compartments[str(name)].bath)
        case ("compartments", _, "activity_coefficients", _):
            return True
    return False


def check_moving(draft: Draft) -> None:
    """What moves between the steps of the protocol must not stand where a value holds from step to step."""
    moving = moving_parameters(draft)
    quantities = draft.quantities
    for place, quantity in quantities.quantities.items():
        used = sorted(quantity.names & moving.keys()) if isinstance(quantity, Formula) else []
        if isinstance(quantity, Formula) and place[0] == "protocol" and (used or "t" in quantity.names):
            what = f"{used[0]}, which is {moving[used[0]]}" if used else "t"
            draft.faults.add(place, f"a new value must be known when it is set, but it uses {what}")
        elif used and not _may_move(draft, place):
            told = f"this value cannot change in the run, but {used[0]} is {moving[used[0]]}"
            draft.faults.add(place, f"{told}; write a value of its own here")
    for index, entry in enumerate(draft.document.protocol):
        for key in ("set", "ramp"):
            for target in getattr(entry, key):
                _check_own_motion(draft, ("protocol", index, key, target), target, moving)


def _check_own_motion(draft: Draft, path: KeyPath, target: str, moving: Mapping[str, str]) -> None:
    """A parameter that moves by itself cannot be set, nor go in a straight line."""
    if target == "over" or draft.faults.is_faulty(*path):
        return
    name = parameter_of(draft, target)
    solution = bath_target(draft, target)
    if solution is not None:
        own = draft.quantities.quantities.get(("compartments", solution[0], "concentrations", solution[1]))
    else:
        own = draft.quantities.parameters[name].value
    if isinstance(own, Formula) and own.names & (moving.keys() | {"t"}):
        of = min(own.names & (moving.keys() | {"t"}))
        why = f"it is made of {of}" if of == "t" else f"it is made of {of}, which is {moving[of]}"
        draft.faults.add(path, f"{name} cannot be given another value: {why}")


def _settings(draft: Draft, index: int, key: str) -> dict[str, Quantity]:
    """The new values of one entry by parameter; those of baths by their paths."""
    return {
        parameter_of(draft, target): draft.quantities.quantities["protocol", index, key, target]
        for target in getattr(draft.document.protocol[index], key)
        if target != "over"
    }


def check_steps(draft: Draft) -> None:
    """Whatever the protocol sets, every quantity must keep to its range. Only for a draft without faults."""
    changes: list[tuple[float, float | None, dict[str, Quantity], KeyPath]] = []
    for i, entry in enumerate(draft.document.protocol):
        start = draft.value("protocol", i, start_key(entry)) or 0.0
        if entry.set:
            changes.append(
                (start, draft.value("protocol", i, "to"), _settings(draft, i, "set"), ("protocol", i, "set"))
            )
        if entry.ramp:
            reached = start + (draft.value("protocol", i, "ramp", "over") or 0.0)
            changes.append((reached, None, _settings(draft, i, "ramp"), ("protocol", i, "ramp")))
    for moment in sorted({*(c[0] for c in changes), *(c[1] for c in changes if c[1] is not None)}):
        active: dict[str, Quantity] = {}
        latest: KeyPath = ()
        for start, end, setting, path in changes:
            if start <= moment and (end is None or moment < end):
                active |= setting
                latest = path
        if latest:
            _check_step(draft, latest, active, moment)


def _check_step(draft: Draft, path: KeyPath, active: Mapping[str, Quantity], moment: float) -> None:
    """Values of all formulas while these settings hold."""
    quantities = draft.quantities
    chosen = {name: p.value for name, p in quantities.parameters.items()} | dict(active)
    values: dict[str, float] = {"t": moment}
    place: KeyPath = ()
    try:
        for name in dependency_order(chosen):
            q = chosen[name]
            place = ("parameters", name)
            values[name] = evaluate_float(q, values) if isinstance(q, Formula) else q
        for place, quantity in quantities.quantities.items():
            quantity = active.get(".".join(map(str, place)), quantity)
            if isinstance(quantity, Formula) and place[0] != "protocol" and quantity.names <= values.keys():
                value = evaluate_float(quantity, values)
                rule = quantities.kinds[place].range_fault(value)
                if rule is not None:
                    came_to = _shown(value, quantities.kinds[place])
                    draft.faults.add(path, f"makes {'.'.join(map(str, place))} {came_to}: it {rule}")
                    return
    except FormulaError as error:
        draft.faults.add(path, f"with it {'.'.join(map(str, place))} has no value: {error}")
    except ValueError as error:
        draft.faults.add(path, f"with it {error}")


def _shown(value: float, kind: Kind) -> str:
    return format_quantity(value, kind.dimension) if kind.dimension else f"{value:.6g}"


def read_recording(draft: Draft) -> None:
    """Read the sample times."""
    times = draft.document.recording.times
    if isinstance(times, TimesTable):
        _read_spaced(draft, times)
    elif isinstance(times, list):
        _read_list(draft, times)


def _read_spaced(draft: Draft, times: TimesTable) -> None:
    path = (*TIMES_PATH, "first")
    if draft.faults.is_faulty(*TIMES_PATH, "spacing"):
        return
    if times.spacing == "linear":
        if times.first is not None:
            draft.faults.add(path, 'goes with spacing = "log" only; even spacing starts at 0')
        return
    first = draft.quantities.read(path, times.first, kinds.DURATION, constant=True)
    if times.first is None and not draft.faults.is_faulty(*path):
        draft.faults.add(path, 'missing; spacing = "log" needs the first time after 0 (as "1 ms")')
    _check_before_end(draft, path, times.first, first)


def _read_list(draft: Draft, times: list[str]) -> None:
    duration = draft.value(*DURATION_PATH)
    before: float | None = None
    if not times:
        draft.faults.add(TIMES_PATH, "is empty; name at least one time")
    for index, raw in enumerate(times):
        path = (*TIMES_PATH, index)
        value = draft.quantities.read(path, raw, kinds.TIME, constant=True)
        if value is None:
            continue
        if before is not None and value <= before:
            draft.faults.add(path, f"sample times must increase; {raw} comes after {times[index - 1]}")
        elif duration is not None and value > duration:
            end = draft.document.simulation.duration
            draft.faults.add(path, f"must not be after the end, {end}, got {raw}")
        before = value
