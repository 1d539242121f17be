"""Checks of the membranes: their sides, and their pathways with the laws and arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ....errors import did_you_mean, listed
from ....formulas.formula import Formula
from ....formulas.units import Dimension
from ....physics.ions import find_ion
from ...library.laws import EVERY_ION, FORMULA, LIBRARY, TABLES, Law
from ...schema import quantity_kinds
from ...schema.document import MembraneTable, PathwayTable
from ...schema.quantity_kinds import Kind
from ...text.faults import no_such
from ...text.key_lines import KeyPath
from ..contents.solutions import holds
from ..contents.stoichiometry import check_charge, read_stoichiometry
from ..context.draft import Draft
from ..context.names import membrane_names
from .channels import check_circles, read_gates
from .water import read_area, read_water

_NO_LAW = (
    "missing; a pathway needs it, unless it gives its stoichiometry and its rate as a formula, or an ion with its "
    "conductance or permeability"
)


def read_membranes(draft: Draft) -> None:
    """Read every quantity of every membrane, and report contradictions."""
    for name, table in draft.document.membranes.items():
        path = ("membranes", name)
        if draft.faults.is_faulty(*path):
            continue
        _check_sides(draft, name, table)
        read_area(draft, name, table)
        _read_capacitance(draft, path, table.specific_capacitance)
        if table.potential != "ghk":
            draft.quantities.read((*path, "potential"), table.potential, quantity_kinds.POTENTIAL)
        read_water(draft, name, table)
        names = membrane_names(draft, name)
        for law in TABLES.values():
            for ion, raw in getattr(table, law.table).items():
                _check_ions(draft, name, (*path, law.table, ion), [ion])
                _read_formula(draft, name, (*path, law.table, ion), raw, law.kind, names)
        for ion in table.conductance:
            _check_reversal_potential(draft, name, (*path, "conductance", ion), ion)
        for pathway, given in table.pathways.items():
            if not draft.faults.is_faulty(*path, "pathways", pathway):
                _read_pathway(draft, name, pathway, given)
        check_circles(draft, name, table)


def _read_capacitance(draft: Draft, path: KeyPath, raw: str) -> None:
    """Exactly 0 is a membrane without capacitance; a value that depends on parameters must be greater than 0."""
    place = (*path, "specific_capacitance")
    value = draft.quantities.read(place, raw, quantity_kinds.CAPACITANCE)
    if value == 0.0 and isinstance(draft.quantities.quantities[place], Formula):
        message = "a capacitance that depends on parameters must be greater than 0"
        draft.faults.add(place, f'{message}; write "0 uF/cm^2" for a membrane without capacitance')


def _check_sides(draft: Draft, name: str, table: MembraneTable) -> None:
    path = ("membranes", name)
    every = draft.document.compartments
    for side in ("inside", "outside"):
        compartment = getattr(table, side)
        place = (*path, side)
        if compartment in every or draft.faults.is_faulty(*place):
            continue
        if draft.faults.is_faulty("compartments", compartment):
            draft.faults.mark(place)
        else:
            draft.faults.add(place, no_such("compartment", compartment, every))
    if name not in draft.membranes():
        return
    if table.inside == table.outside:
        message = f"must be another compartment than inside, got {table.outside} for both"
        draft.faults.add((*path, "outside"), message)
    elif draft.kind_of(table.inside) == draft.kind_of(table.outside) == "bath":
        message = f"{table.inside} and {table.outside} are both grounded baths, so its potential could not change"
        draft.faults.add(path, f'{message}; make one of them bath = "floating"', spoils=False)
        draft.faults.mark((*path, "potential"))


def _check_ions(draft: Draft, name: str, place: KeyPath, ions: Iterable[str]) -> None:
    """Both sides of a membrane must give a concentration of each ion that a pathway carries."""
    sides = _sides(draft, name)
    if not sides or draft.faults.is_faulty(*place):
        return
    for ion in ions:
        without = [side for side in sides if not holds(draft, side, ion)]
        if not without or draft.faults.is_faulty("species", ion):
            continue
        shared = [i for i in draft.document.compartments[sides[0]].concentrations if holds(draft, sides[1], i)]
        sees = f"(ions at this membrane are {listed(shared)})"
        known = ion in draft.document.species or find_ion(ion) is not None
        if not known:
            named = "" if place[-1] == ion else f" as {ion}"
            draft.faults.add(place, f"no such ion{named}{did_you_mean(ion, shared)} {sees}")
        elif len(without) == len(sides):
            message = f"neither {sides[0]} nor {sides[1]} gives a concentration of {ion}"
            draft.faults.add(place, f"{message}{did_you_mean(ion, shared)} {sees}")
        else:
            draft.faults.mark(place)
            draft.faults.add(
                ("compartments", without[0], "concentrations", ion),
                f"{without[0]} gives no concentration of {ion}, which crosses {name}; "
                f'write {ion} = "0 mM" if there is none',
            )


def _read_formula(
    draft: Draft, name: str, place: KeyPath, raw: Any, kind: Kind, names: Mapping[str, Dimension]
) -> None:
    """Read a quantity that may depend on the state, and check that every E in it has an initial value."""
    draft.quantities.read(place, raw, kind, local=names)
    quantity = draft.quantities.quantities.get(place)
    for used in sorted(quantity.names) if isinstance(quantity, Formula) else ():
        first, _, ion = used.partition(".")
        for side in _sides(draft, name) if first == "E" and ion else ():
            if draft.value("compartments", side, "concentrations", ion) == 0:
                message = f"{used} has no value, as {side} has no {ion}"
                draft.faults.add(place, f"{message}; its concentration must be greater than 0")
                return


def _check_reversal_potential(draft: Draft, name: str, place: KeyPath, ion: str) -> None:
    """An ohmic pathway needs a reversal potential: an ion with a charge, and some of it on both sides."""
    if draft.faults.is_faulty(*place) or ion not in draft.species:
        return
    if draft.species[ion].valence == 0:
        draft.faults.add(place, f"{ion} has no charge, so it has no conductance; give its permeability")
        return
    for side in _sides(draft, name):
        if draft.value("compartments", side, "concentrations", ion) == 0:
            message = f"a conductance needs a reversal potential, but {side} has no {ion}"
            draft.faults.add(place, f"{message}; its concentration must be greater than 0, or give a permeability")
            return


def _sides(draft: Draft, name: str) -> list[str]:
    """Compartments on the two sides of a membrane; empty where they are not known."""
    table = draft.membranes().get(name)
    if table is None:
        return []
    sides = [table.inside, table.outside]
    tables = any(draft.faults.is_faulty("compartments", side, "concentrations") for side in sides)
    return [] if tables else sides


def _read_pathway(draft: Draft, name: str, pathway: str, given: PathwayTable) -> None:
    path = ("membranes", name, "pathways", pathway)
    if draft.faults.is_faulty(*path, "law"):
        return
    names = membrane_names(draft, name, pathway)
    names |= read_gates(draft, path, given.gates, names)
    if given.law is not None and given.ion is not None:
        draft.faults.add((*path, "ion"), "a channel has ion and no law; leave out ion or law")
        return
    if given.law is None:
        if given.ion is not None or draft.faults.is_faulty(*path, "ion"):
            _read_channel(draft, name, path, given, names)
            return
        if not _gives_its_rate(draft, path, given):
            way = next((law.table for law in TABLES.values() if law.table in (given.model_extra or {})), None)
            if way is not None:
                message = f'missing; a pathway with a {way} and no law is a channel of one ion (as ion = "K")'
                draft.faults.add((*path, "ion"), message)
            else:
                draft.faults.add((*path, "law"), _NO_LAW)
            return
    elif given.driven_by is not None:
        draft.faults.add((*path, "driven_by"), "a law determines itself what drives it; leave out driven_by or law")
    law = LIBRARY.get(given.law) if given.law is not None else FORMULA
    if law is None:
        tables = next((t for t in TABLES.values() if t.name == given.law), None)
        hint = f"; write it as {tables.table} = {{ … }}" if tables else did_you_mean(given.law, LIBRARY)
        draft.faults.add(
            (*path, "law"), f"no such law as {given.law}{hint} (laws are {listed(LIBRARY)}; iontide laws lists all)"
        )
        return
    stoichiometry = read_stoichiometry(draft, path, given, law)
    if stoichiometry is not None:
        key = (
            "stoichiometry"
            if given.stoichiometry is not None
            else "transporter"
            if given.transporter is not None
            else "law"
        )
        for ion in stoichiometry:
            _check_ions(draft, name, (*path, key, ion) if key == "stoichiometry" else (*path, key), [ion])
        check_charge(draft, path, given, stoichiometry)
        _check_presence(draft, name, (*path, key), law, stoichiometry)
    required, known = law.kinds(stoichiometry), law.every_kind(stoichiometry)
    arguments = flattened(given.model_extra or {})
    for argument, raw in arguments.items():
        kind = known.get(argument)
        if kind is not None:
            _read_argument(draft, name, (*path, *argument.split(".")), raw, kind, names)
        elif stoichiometry is not None or not law.asks_by_ion:
            draft.faults.add((*path, *argument.split(".")), _unknown_argument(argument, law.name, known))
    _check_choice(draft, path, law, arguments)
    for argument, kind in required.items():
        _check_argument(draft, (*path, *argument.split(".")), law, kind, argument in arguments)


def _check_argument(draft: Draft, place: KeyPath, law: Law, kind: Kind, is_given: bool) -> None:
    if not is_given and not draft.faults.is_faulty_within(*place[:-1]):
        draft.faults.add(place, f'missing; {law.name} needs {kind.noun} (as "{kind.example}")')


def _check_choice(draft: Draft, path: KeyPath, law: Law, arguments: Mapping[str, Any]) -> None:
    """Of the alternative groups of arguments of a law, one must be given completely."""
    begun = [group for group in law.choices if any(argument in arguments for argument in group)]
    if len(begun) > 1:
        first, second = (next(argument for argument in group if argument in arguments) for group in begun[:2])
        draft.faults.add((*path, *second.split(".")), f"{law.name} takes either {first} or {second}, not both")
    elif begun:
        for argument, kind in begun[0].items():
            _check_argument(draft, (*path, *argument.split(".")), law, kind, argument in arguments)
    elif law.choices and not draft.faults.is_faulty_within(*path):
        ways = ", or ".join(
            " and ".join(f'{argument} (as "{kind.example}")' for argument, kind in group.items())
            for group in law.choices
        )
        draft.faults.add((*path, *next(iter(law.choices[0])).split(".")), f"missing; {law.name} needs {ways}")


def _check_presence(draft: Draft, name: str, place: KeyPath, law: Law, stoichiometry: Mapping[str, int]) -> None:
    """Some laws have a ratio or a logarithm of concentrations, which must then not be 0."""
    if draft.faults.is_faulty_within(*place):
        return
    for side, compartment in zip(("inside", "outside"), _sides(draft, name), strict=False):
        for ion in stoichiometry:
            needed = EVERY_ION in law.never_zero or f"{ion}.{side}" in law.never_zero
            if needed and draft.value("compartments", compartment, "concentrations", ion) == 0:
                message = f"{law.name} divides by the concentration of {ion}, but {compartment} has none"
                draft.faults.add(place, f"{message}; it must be greater than 0")
                return


def _gives_its_rate(draft: Draft, path: KeyPath, given: PathwayTable) -> bool:
    """Whether a pathway without a law gives its stoichiometry and its rate."""
    stoichiometry = any(
        getattr(given, key) is not None or draft.faults.is_faulty_within(*path, key)
        for key in ("stoichiometry", "transporter")
    )
    return stoichiometry and "rate" in (given.model_extra or {})


def _read_channel(draft: Draft, name: str, path: KeyPath, given: PathwayTable, names: Mapping[str, Dimension]) -> None:
    """A channel of one ion, with a conductance or a permeability."""
    ways = {law.table: law for law in TABLES.values()}
    extra = flattened(given.model_extra or {})
    for key in ("stoichiometry", "transporter", "charge", "driven_by"):
        if getattr(given, key) is not None:
            draft.faults.add((*path, key), f"a channel carries one ion and is passive; leave out {key}")
    for key in extra:
        if key not in ways:
            message = f"no such key{did_you_mean(key, ways)} (a channel has ion, {listed(ways)}, gates)"
            draft.faults.add((*path, *key.split(".")), message)
    given_ways = [key for key in ways if key in extra]
    if len(given_ways) != 1:
        got = "both" if given_ways else "neither"
        message = f"a channel needs either a conductance or a permeability, got {got}"
        draft.faults.add(path, message, spoils=False)
        return
    (way,) = given_ways
    if given.ion is not None:
        _check_ions(draft, name, (*path, "ion"), [given.ion])
        _read_argument(draft, name, (*path, way), extra[way], ways[way].kind, names)
        if way == "conductance":
            _check_reversal_potential(draft, name, (*path, "ion"), given.ion)


def _read_argument(
    draft: Draft, name: str, place: KeyPath, raw: Any, kind: Kind, names: Mapping[str, Dimension]
) -> None:
    message = kind.written_fault(raw)
    if message is not None:
        draft.faults.add(place, message)
    else:
        _read_formula(draft, name, place, raw, kind, names)


def _unknown_argument(argument: str, law: str, known: Mapping[str, Kind]) -> str:
    keys = [*known, "stoichiometry", "transporter", "charge", "gates"]
    message = f"{law} has law, " if law != FORMULA.name else "a pathway without a law has driven_by, "
    return f"no such key{did_you_mean(argument, keys)} ({message}{listed(keys)})"


def flattened(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The values of nested tables by dotted path: ``half_saturation.Na_inside``."""
    flat: dict[str, Any] = {}
    pending = [(above, table)]
    while pending:
        above, here = pending.pop()
        for key, value in here.items():
            if isinstance(value, dict) and value:
                pending.append((f"{above}{key}.", value))
            else:
                flat[f"{above}{key}"] = value
    return flat
