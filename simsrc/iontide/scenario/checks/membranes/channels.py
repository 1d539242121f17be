"""Checks of the gates of a pathway."""

from __future__ import annotations

from collections.abc import Mapping

from ....formulas.formula import FLOAT_FUNCTIONS, Formula, parse_formula
from ....formulas.units import Dimension
from ....model.model import dependency_order
from ...schema import quantity_kinds
from ...schema.document import GateTable, MembraneTable
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from ..context.names import EVERYWHERE, gate_names, gate_rates

#: Names that a gate may not have, as they have another meaning in formulas.
_TAKEN = frozenset(FLOAT_FUNCTIONS) | {
    "V",
    "T",
    "t",
    "E",
    "area",
    "volume",
    "inside",
    "outside",
    "alpha",
    "beta",
    "steady",
    "time_constant",
}

#: The combinations of keys that define a gate.
_COMBINATIONS = (
    {"alpha", "beta"},
    {"steady"},
    {"steady", "time_constant"},
    {"alpha", "beta", "steady"},
    {"alpha", "beta", "steady", "time_constant"},
)


def read_gates(
    draft: Draft, path: KeyPath, gates: Mapping[str, GateTable], around: Mapping[str, Dimension]
) -> dict[str, Dimension]:
    """Read the gates of the pathway at ``path``; returns them as names that its formulas may use.

    ``around``: the names that a formula on the membrane may use.
    """
    faults, names = draft.faults, gate_names(gates)
    names |= gate_names(map(str, faults.faulty_below(*path, "gates")))
    for gate, table in gates.items():
        place = (*path, "gates", gate)
        if faults.is_faulty(*place):
            continue
        if gate in _TAKEN or gate in draft.document.parameters:
            what = "is a parameter" if gate in draft.document.parameters else "already means something in a formula"
            faults.add(place, f"{gate} {what}; choose another name")
            continue
        _read_gate(draft, place, table, {**around, **names})
    return names


def is_state(table: GateTable) -> bool:
    """Whether a gate has a state, and is not instantaneous."""
    return table.time_constant is not None or (table.alpha is not None and table.steady is None)


def _read_gate(draft: Draft, place: KeyPath, table: GateTable, names: Mapping[str, Dimension]) -> None:
    faults, quantities = draft.faults, draft.quantities
    _check_combination(draft, place, table)
    rates = gate_rates() if table.alpha is not None and table.beta is not None else {}
    clash = next((name for name in rates if name in draft.document.parameters), None)
    if clash and (table.steady is not None or table.time_constant is not None):
        message = f"{clash} of this gate has the name of a parameter"
        faults.add((*place, clash), f"{message}; rename the parameter")
    quantities.read((*place, "alpha"), table.alpha, quantity_kinds.OPENING, local=names)
    quantities.read((*place, "beta"), table.beta, quantity_kinds.OPENING, local=names)
    quantities.read((*place, "steady"), table.steady, quantity_kinds.STEADY, local={**names, **rates})
    quantities.read(
        (*place, "time_constant"), table.time_constant, quantity_kinds.TIME_CONSTANT, local={**names, **rates}
    )
    quantities.read((*place, "speed"), table.speed, quantity_kinds.SPEED, local=EVERYWHERE)
    quantities.read((*place, "initial"), table.initial, quantity_kinds.INITIAL)
    for key in ("speed", "initial"):
        known = not any(faults.is_faulty(*place, k) for k in ("alpha", "beta", "steady", "time_constant"))
        if known and table.steady is not None and getattr(table, key) is not None and not is_state(table):
            faults.add((*place, key), f"a gate without time_constant is instantaneous and has no {key}; leave it out")


def _check_combination(draft: Draft, place: KeyPath, table: GateTable) -> None:
    keys = ("alpha", "beta", "steady", "time_constant")
    given = {k for k in keys if getattr(table, k) is not None or draft.faults.is_faulty(*place, k)}
    if given in _COMBINATIONS:
        return
    if "time_constant" in given and "steady" not in given:
        message = "a time_constant applies only together with steady"
        draft.faults.add((*place, "time_constant"), message)
        return
    got = " and ".join(key for key in keys if key in given) or "none of them"
    problem = "a gate needs alpha and beta, or steady and time_constant, or steady alone if it is instantaneous"
    draft.faults.add(place, f"{problem}, got {got}", spoils=False)


def check_circles(draft: Draft, membrane: str, table: MembraneTable) -> None:
    """Gates may depend on one another, but not in a circle, in which no steady value could be computed first."""
    path = ("membranes", membrane, "pathways")
    every = {f"{pathway}.{gate}" for pathway, given in table.pathways.items() for gate in given.gates}
    needs: dict[str, set[str]] = {}
    for pathway, given in table.pathways.items():
        for gate in given.gates:
            used = needs[f"{pathway}.{gate}"] = set()
            for key in ("alpha", "beta", "steady", "time_constant"):
                quantity = draft.quantities.quantities.get((*path, pathway, "gates", gate, key))
                if isinstance(quantity, Formula):
                    used |= {f"{pathway}.{name}" for name in quantity.names & given.gates.keys()}
                    used |= quantity.names & every
    try:
        _order(needs)
    except ValueError as error:
        circle = str(error).partition(": ")[2].split(" → ")
        pathway, _, gate = circle[0].partition(".")
        if all(name.startswith(f"{pathway}.") for name in circle):
            circle = [name.partition(".")[2] for name in circle]
        message = f"the gates depend on one another in a circle: {' → '.join(circle)}"
        draft.faults.add((*path, pathway, "gates", gate), message)


def _order(needs: Mapping[str, set[str]]) -> None:
    """Raise ValueError where names depend on one another in a circle."""
    dependency_order({name: parse_formula(" + ".join(sorted(used)) or "0") for name, used in needs.items()})
