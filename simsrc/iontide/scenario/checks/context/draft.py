"""The scenario that is being checked, which all checks share."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....model.model import Species
from ...schema.document import Document, MembraneTable
from ...text.faults import Faults
from .quantities import Quantities


@dataclass
class Draft:
    """A scenario that is being checked, before its Model is built.

    Attributes
    ----------
    document : Document
        Without structural faults; a faulty place may have a placeholder.
    faults : Faults
    quantities : Quantities
    species : dict of str to Species
        Those in any compartment, in the order of the file.
    """

    document: Document
    faults: Faults
    quantities: Quantities
    species: dict[str, Species] = field(default_factory=dict)

    def compartments(self) -> list[str]:
        """Names of the compartments without a fault of their own."""
        every = self.document.compartments
        return [name for name in every if not self.faults.is_faulty("compartments", name)]

    def membranes(self) -> dict[str, MembraneTable]:
        """The membranes whose two sides are known, by name."""
        known = self.compartments()
        return {
            name: membrane
            for name, membrane in self.document.membranes.items()
            if not any(self.faults.is_faulty("membranes", name, side) for side in ("inside", "outside"))
            and membrane.inside in known
            and membrane.outside in known
        }

    def has_capacitance(self, membrane: str) -> bool:
        """Whether the capacitance of a membrane is more than the number 0."""
        return self.quantities.quantities.get(("membranes", membrane, "specific_capacitance")) != 0.0

    def couplings(self) -> list[tuple[str, str]]:
        """Pairs of known compartments that electrodiffusion joins."""
        known = self.compartments()
        return [
            (table.between[0], table.between[1])
            for name, table in self.document.diffusion.items()
            if not self.faults.is_faulty_within("diffusion", name, "between") and set(table.between) <= set(known)
        ]

    def value(self, *path: str | int) -> float | None:
        """The value of the quantity at a path, SI; None where it is absent or faulty."""
        return self.quantities.values.get(path)

    def kind_of(self, compartment: str) -> str:
        """``finite``, ``bath`` or ``floating bath``."""
        bath = self.document.compartments[compartment].bath
        return {False: "finite", True: "bath", "floating": "floating bath"}[bath]
