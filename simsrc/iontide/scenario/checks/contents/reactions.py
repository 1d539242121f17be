"""Checks of reactions within compartments, and of exchange between them."""

from __future__ import annotations

import re
from dataclasses import replace

from ....errors import did_you_mean
from ...library.elements import elements_left_over
from ...schema import quantity_kinds
from ...schema.document import ExchangeTable, ReactionTable
from ...schema.quantity_kinds import Kind, show
from ...text.key_lines import KeyPath
from ..context.draft import Draft
from ..context.names import EVERYWHERE, compartment_names
from ..context.references import names_compartment, names_pair
from .solutions import holds
from .stoichiometry import signed

_TERM = re.compile(r"\s*(?:([0-9]{1,3})\s+|([0-9]{1,3})\s*\*\s*)?([A-Za-z][A-Za-z0-9_]*)\s*")

#: Most molecules on one side of an equation, all counted.
MOST_MOLECULES = 8

Side = dict[str, int]


def equation_of(text: str) -> tuple[Side, Side] | None:
    """Reactants and products of ``2 H + A <=> H2A``; None where the text is not an equation."""
    halves = text.split("<=>")
    if len(halves) != 2:
        return None
    sides: list[Side] = []
    for half in halves:
        side: Side = {}
        for term in half.split("+"):
            match = _TERM.fullmatch(term)
            if match is None or match[1] in ("0", "00", "000") or match[2] in ("0", "00", "000"):
                return None
            side[match[3]] = side.get(match[3], 0) + int(match[1] or match[2] or 1)
        sides.append(side)
    return sides[0], sides[1]


def read_reactions(draft: Draft) -> None:
    """Read every reaction: its compartment, its equation and its rate constants."""
    for name, table in draft.document.reactions.items():
        if not draft.faults.is_faulty("reactions", name):
            _read_reaction(draft, ("reactions", name), table)


def _read_reaction(draft: Draft, path: KeyPath, table: ReactionTable) -> None:
    faults, every = draft.faults, draft.document.compartments
    place = (*path, "in")
    where: str | None = None
    if not names_compartment(draft, place, table.in_):
        pass
    elif every[table.in_].bath:
        faults.add(place, f"{table.in_} is a bath, whose composition is fixed, so a reaction there has no effect")
    else:
        where = table.in_
    if faults.is_faulty(*path, "equation"):
        return
    sides = equation_of(table.equation)
    if sides is None:
        message = 'must be as "Ca + B <=> CaB", or "2 H + A <=> H2A"'
        faults.add((*path, "equation"), f"{message}, got {show(table.equation)}")
        return
    _check_equation(draft, (*path, "equation"), where, sides)
    names = compartment_names(draft, where) if where is not None else None
    for key, side in (("forward", sides[0]), ("backward", sides[1])):
        if names is not None and not faults.is_faulty(*path, "equation"):
            kind = constant_of_order(sum(side.values()))
            draft.quantities.read((*path, key), getattr(table, key), kind, local=names)


def _check_equation(draft: Draft, place: KeyPath, where: str | None, sides: tuple[Side, Side]) -> None:
    faults = draft.faults
    for side in sides:
        if sum(side.values()) > MOST_MOLECULES:
            faults.add(place, f"at most {MOST_MOLECULES} molecules can react at once, got {sum(side.values())}")
            return
    if sides[0] == sides[1]:
        faults.add(place, "both sides are the same, so the reaction has no effect")
        return
    if where is None:
        return
    every = {ion: None for side in sides for ion in side}
    held = draft.document.compartments[where].concentrations
    for ion in every:
        if faults.is_faulty("compartments", where, "concentrations") or faults.is_faulty("species", ion):
            return
        if not holds(draft, where, ion):
            message = f"{where} gives no concentration of {ion}{did_you_mean(ion, held)}"
            faults.add(place, f'{message}; write {ion} = "0 mM" there if there is none at the start')
            return
    if every.keys() <= draft.species.keys():
        left, right = (sum(n * draft.species[ion].valence for ion, n in side.items()) for side in sides)
        if left != right:
            faults.add(
                place, f"the charges do not balance: {signed(left)} on the left against {signed(right)} on the right"
            )
            return
    if every.keys().isdisjoint(draft.document.species):  # a species that the file defines may have any composition
        over = elements_left_over(*sides)
        if over:
            message = ", ".join(
                f"{abs(n)} {symbol} too {'many' if n < 0 else 'few'}" for symbol, n in sorted(over.items())
            )
            faults.add(place, f"a reaction conserves every element: {message} on the right")


def constant_of_order(order: int) -> Kind:
    """The rate constant of a side with this number of molecules: mol m⁻³ s⁻¹ over (mol m⁻³) to that power."""
    if order == 1:
        return quantity_kinds.RATE_CONSTANT
    volume = f"m^{3 * (order - 1)}"
    unit = f"{volume}/mol{f'^{order - 1}' if order > 2 else ''}/s" if order <= 7 else f"mM/s/mM^{order}"
    example = "600 /mM/s" if order == 2 else f"600 {unit}"
    return replace(quantity_kinds.RATE_CONSTANT, noun=f"a rate constant of order {order}", unit=unit, example=example)


def read_exchange(draft: Draft) -> None:
    """Read every exchange between two compartments."""
    for name, table in draft.document.exchange.items():
        if not draft.faults.is_faulty("exchange", name):
            _read_exchange(draft, ("exchange", name), table)


def _read_exchange(draft: Draft, path: KeyPath, table: ExchangeTable) -> None:
    draft.quantities.read((*path, "rate"), table.rate, quantity_kinds.RATE_CONSTANT, local=EVERYWHERE)
    faults, every, place = draft.faults, draft.document.compartments, (*path, "between")
    if not names_pair(draft, place, table.between, '["ecs", "bath"]'):
        return
    a, b = table.between
    if all(every[c].bath for c in table.between):
        faults.add(place, f"{a} and {b} are both baths, so the exchange has no effect; one must be finite")
        return
    known = not any(faults.is_faulty_within("compartments", c, "concentrations") for c in table.between)
    if known and not every[a].concentrations.keys() & every[b].concentrations.keys():
        faults.add(place, f"{a} and {b} have no species in common that could be exchanged")


def rinsed(draft: Draft, table: ExchangeTable) -> tuple[str, str]:
    """The compartment that is rinsed, which is finite, and the one that rinses it."""
    a, b = table.between
    return (b, a) if draft.document.compartments[a].bath else (a, b)
