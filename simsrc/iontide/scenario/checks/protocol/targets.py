"""The quantities that a protocol can change, by their paths: parameters, solutions of baths, the temperature.

A quantity that is not a parameter becomes one where a protocol changes it, named by its path in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ....errors import did_you_mean, listed, suggestion
from ....formulas.units import Dimension
from ...schema import quantity_kinds, schema_lookup
from ...schema.document import CompartmentTable
from ...schema.protocol import ProtocolTable, ValuesTable
from ...schema.quantity_kinds import Kind
from ...text.faults import no_such
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from .recording import TEMPERATURE_PATH

#: Path of the temperature in a protocol.
TEMPERATURE = ".".join(map(str, TEMPERATURE_PATH))

_WHAT_CHANGES = (
    'a protocol can set a parameter, as "parameters.NAME", or "compartments.BATH.ION", or ' + f'"{TEMPERATURE}"'
)


def place_of(target: str) -> KeyPath | None:
    """Path in the file of the value that a target changes; None where it should be a parameter."""
    if target == TEMPERATURE:
        return TEMPERATURE_PATH
    keys = target.split(".")
    if len(keys) == 4 and keys[2] == "concentrations":
        del keys[2]
    if len(keys) != 3 or keys[0] != "compartments" or keys[2] in schema_lookup.fields(CompartmentTable):
        return None
    return ("compartments", keys[1], "concentrations", keys[2])


def kind_of_place(place: KeyPath) -> Kind:
    """The kind of quantity at a place that a protocol can change."""
    return quantity_kinds.TEMPERATURE if place == TEMPERATURE_PATH else quantity_kinds.CONCENTRATION


def parameter_of(target: str) -> str:
    """The parameter of a target; a quantity that is none in the file is named by its dotted path."""
    place = place_of(target)
    return target.removeprefix("parameters.") if place is None else ".".join(map(str, place))


def targets_of(entry: ProtocolTable) -> Iterator[tuple[str, str]]:
    """Every target of an entry, with the key of the table that names it."""
    yield from (("set", target) for target in entry.set)
    yield from (("ramp", target) for target in entry.ramp if target != "over")
    if entry.table is not None:
        yield from (("table", target) for target in values_in(entry.table))


def values_in(table: ValuesTable) -> dict[str, list[str | float]]:
    """The values of each target of a table."""
    return table.model_extra or {}


def changed_places(draft: Draft) -> dict[str, KeyPath]:
    """The places of the file whose values the protocol changes, by the parameters that represent them."""
    every = [target for entry in draft.document.protocol for _, target in targets_of(entry)]
    every += [target for event in draft.document.events for target in event.set]
    return {parameter_of(target): place for target in every if (place := place_of(target)) is not None}


def check_targets(draft: Draft, path: KeyPath, targets: Iterable[str]) -> None:
    """Report a target that another one of the same table names too, in another spelling."""
    first: dict[str, str] = {}
    for target in targets:
        other = first.setdefault(parameter_of(target), target)
        if other != target:
            draft.faults.add((*path, target), f"{other} is the same quantity; leave one of them out")


def read_setting(draft: Draft, path: KeyPath, target: str, raw: str | float) -> None:
    """Read a new value of a target."""
    if not draft.faults.is_faulty(*path) and is_sound(draft, path, target):
        read_value(draft, path, target, raw)


def read_value(draft: Draft, path: KeyPath, target: str, raw: str | float) -> None:
    """Read a new value of a valid target."""
    place = place_of(target)
    if place is None:
        name = parameter_of(target)
        kind, dimension = replace(quantity_kinds.PARAMETER, noun=f"the parameter {name}"), _dimension(draft, name)
        draft.quantities.read(path, raw, kind, dimension=dimension)
        return
    kind = kind_of_place(place)
    message = kind.written_fault(raw)
    if message is not None:
        draft.faults.add(path, message)
    else:
        draft.quantities.read(path, raw, kind)


def _dimension(draft: Draft, name: str) -> Dimension:
    return draft.quantities.parameters[name].dimension


def is_sound(draft: Draft, path: KeyPath, target: str) -> bool:
    """Whether a target can be changed; if not, a fault is added at ``path``, unless there is one elsewhere."""
    faults, written = draft.faults, draft.document.parameters
    table, _, name = target.partition(".")
    place = place_of(target)
    if place == TEMPERATURE_PATH:
        return not faults.is_faulty(*place)
    if place is not None:
        return _is_solution(draft, path, str(place[1]), str(place[3]))
    if table == "parameters" and (name in written or faults.is_faulty("parameters", name)):
        return not faults.is_faulty("parameters", name)
    if table == "parameters" or not name:
        if target in ("T", TEMPERATURE_PATH[1]):
            hint = suggestion([TEMPERATURE])
        elif target in written:
            hint = suggestion([f"parameters.{target}"])
        else:
            hint = did_you_mean(name or target, written)
        faults.add(path, f"no such parameter as {name or target}{hint} (parameters are {listed(written)})")
    elif schema_lookup.at(target.split(".")) is None:
        hint = did_you_mean(target, [TEMPERATURE])
        faults.add(path, f"no such path{hint or f'; {_WHAT_CHANGES}'}")
    else:
        message = 'name this value in [parameters], write that name here, and set "parameters.NAME"'
        faults.add(path, f"only a parameter, a solution of a bath, and the temperature can change: {message}")
    return False


def _is_solution(draft: Draft, path: KeyPath, compartment: str, ion: str) -> bool:
    """Whether this is a concentration of a bath; reports it if not."""
    faults, every = draft.faults, draft.document.compartments
    if faults.is_faulty("compartments", compartment):
        return False
    if compartment not in every:
        faults.add(path, no_such("compartment", compartment, every))
        return False
    held = every[compartment].concentrations
    if not every[compartment].bath:
        message = f"{compartment} is not a bath: its composition follows the fluxes, and only that of a bath can be set"
        faults.add(path, f"{message} (an [exchange.NAME] can rinse it)")
    elif not faults.is_faulty("compartments", compartment, "concentrations", ion) and ion not in held:
        message = f"{compartment} gives no concentration of {ion}{did_you_mean(ion, held)}"
        faults.add(path, f"{message} (it has {listed(held)})")
    else:
        return ion in held
    return False
