"""Check that the initial potentials of the membranes determine that of every compartment, without contradiction."""

from __future__ import annotations

from ....numerics.grouping import connected_groups
from ...schema.document import MembraneTable
from .draft import Draft

#: Largest difference between two ways to the same potential, V.
POTENTIAL_TOLERANCE = 1e-9


class Tied:
    """Compartments tied together by the differences of potential between them (a union-find with offsets)."""

    def __init__(self, names: list[str]) -> None:
        self._above: dict[str, tuple[str, float]] = {name: (name, 0.0) for name in names}

    def find(self, name: str) -> tuple[str, float]:
        """The head of the group, and the potential of ``name`` against it."""
        offset = 0.0
        while self._above[name][0] != name:
            name, step = self._above[name]
            offset += step
        return name, offset

    def tie(self, a: str, b: str, difference: float) -> float | None:
        """Tie the potential of ``a`` minus that of ``b``; returns it where it was tied already, else None."""
        (head_a, offset_a), (head_b, offset_b) = self.find(a), self.find(b)
        if head_a == head_b:
            return offset_a - offset_b
        self._above[head_a] = (head_b, difference + offset_b - offset_a)
        return None


def check_potentials(draft: Draft) -> None:
    """Report potentials that contradict one another, and membranes whose potential is not determined."""
    membranes = draft.membranes()
    valued, reached = Tied(draft.compartments()), Tied(draft.compartments())
    grounds = [name for name in draft.compartments() if draft.kind_of(name) == "bath"]
    for ground in grounds[1:]:
        valued.tie(ground, grounds[0], 0.0)
        reached.tie(ground, grounds[0], 0.0)
    for name, table in membranes.items():
        path = ("membranes", name, "potential")
        if not draft.has_capacitance(name):
            if table.potential is not None:
                message = "a membrane without capacitance is always at the potential at which no net current flows"
                draft.faults.add(path, f"{message}; leave potential out")
            continue
        if table.potential == "ghk":
            _check_ghk(draft, name, table)
        value = draft.value(*path)
        if value is not None:
            already = valued.tie(table.inside, table.outside, value)
            if already is not None and abs(already - value) > POTENTIAL_TOLERANCE:
                message = f"the potentials of the other membranes imply {1e3 * already:.6g} mV, got {table.potential}"
                draft.faults.add(path, f"{message}; leave it out here, or correct the others")
        if table.potential is not None or draft.faults.is_faulty(*path):
            reached.tie(table.inside, table.outside, 0.0)
    unknown = draft.faults.faulty_below("membranes") or set(membranes) != set(draft.document.membranes)
    if unknown or draft.faults.is_faulty("membranes"):
        return
    for name, table in membranes.items():
        if not draft.has_capacitance(name):
            continue
        if table.potential is None and reached.tie(table.inside, table.outside, 0.0) is None:
            message = "missing; it does not follow from the other membranes, so write potential = "
            draft.faults.add(("membranes", name, "potential"), f'{message}"-70 mV" or potential = "ghk"')


def is_ground(draft: Draft, compartment: str) -> bool:
    """Whether the potential of a compartment is set to 0 as no grounded bath is connected to it."""
    joins = [
        (table.inside, table.outside)
        for name, table in draft.membranes().items()
        if draft.has_capacitance(name) or _may_carry(draft, table)
    ]
    groups = connected_groups(draft.compartments(), [*joins, *draft.couplings()])
    (part,) = (group for group in groups if compartment in group)
    return part[-1] == compartment and all(draft.kind_of(name) != "bath" for name in part)


def _may_carry(draft: Draft, table: MembraneTable) -> bool:
    """Whether a pathway of a membrane may carry a current."""
    ions = [*table.permeability, *table.conductance]
    return bool(table.pathways) or any(_is_charged(draft, ion) for ion in ions)


def _check_ghk(draft: Draft, name: str, table: MembraneTable) -> None:
    """Report a membrane that should start where its net current is 0, but has no passive current."""
    path = ("membranes", name)
    passive = [(*path, key, ion) for key in ("permeability", "conductance") for ion in getattr(table, key)]
    if any(draft.faults.is_faulty_within(*path, key) for key in ("permeability", "conductance")):
        return
    if any(given.law is None for given in draft.document.membranes[name].pathways.values()):
        return  # the current of a channel or a custom rate is known only in the run
    values = [draft.value(*place) for place in passive]
    if None in values:
        return
    charged = [v for place, v in zip(passive, values, strict=True) if _is_charged(draft, str(place[-1]))]
    if not any(charged):
        message = '"ghk" needs an ion with a permeability or a conductance above 0'
        draft.faults.add((*path, "potential"), message)


def _is_charged(draft: Draft, ion: str) -> bool:
    return ion not in draft.species or draft.species[ion].valence != 0
