"""Electrodiffusion between two compartments of one medium: a membrane without capacitance, ``P = D / length``.

Its flux is that of the constant field ; a tortuosity λ divides D by λ²
(Nicholson & Phillips 1981, J Physiol 321:225, doi:10.1113/jphysiol.1981.sp013981).
"""

from __future__ import annotations

from ....errors import did_you_mean, listed
from ....formulas.formula import Formula, evaluate_float, parse_formula
from ....model.model import Membrane, Pathway, Quantity
from ...schema import quantity_kinds
from ...schema.document import DiffusionTable
from ...text.key_lines import KeyPath
from ..contents.solutions import holds
from ..context.draft import Draft
from ..context.references import names_pair


def read_diffusion(draft: Draft) -> None:
    """Read every electrodiffusive coupling."""
    for name, table in draft.document.diffusion.items():
        if not draft.faults.is_faulty("diffusion", name):
            _read(draft, ("diffusion", name), table)
            if name in draft.document.membranes:
                draft.faults.add(("diffusion", name), f"there is a membrane {name} already; choose another name")


def _read(draft: Draft, path: KeyPath, table: DiffusionTable) -> None:
    quantities, faults = draft.quantities, draft.faults
    quantities.read((*path, "area"), table.area, quantity_kinds.CROSS_SECTION)
    quantities.read((*path, "length"), table.length, quantity_kinds.LENGTH)
    quantities.read((*path, "tortuosity"), table.tortuosity, quantity_kinds.TORTUOSITY)
    for ion, raw in table.diffusion_coefficients.items():
        quantities.read((*path, "diffusion_coefficients", ion), raw, quantity_kinds.DIFFUSION_COEFFICIENT)
    place = (*path, "between")
    if not names_pair(draft, place, table.between, '["soma", "dendrite"]'):
        return
    a, b = table.between
    if draft.kind_of(a) == draft.kind_of(b) == "bath":
        faults.add(place, f"{a} and {b} are both grounded baths, so diffusion has no effect; one must be finite")
    elif not any(faults.is_faulty_within("compartments", c, "concentrations") for c in table.between):
        _check_ions(draft, path, table)


def _check_ions(draft: Draft, path: KeyPath, table: DiffusionTable) -> None:
    """Every ion that diffuses must be on both sides and have a diffusion coefficient."""
    a, b = table.between
    shared = [ion for ion in draft.document.compartments[a].concentrations if holds(draft, b, ion)]
    named = [((*path, "ions", i), ion) for i, ion in enumerate(table.ions or ())]
    named += [((*path, "diffusion_coefficients", ion), ion) for ion in table.diffusion_coefficients]
    for place, ion in named:
        if ion not in shared and not draft.faults.is_faulty(*place):
            message = f"{a} and {b} do not both give a concentration of {ion}{did_you_mean(ion, shared)}"
            draft.faults.add(place, f"{message} (both have {listed(shared)})")
    if table.ions is not None:
        left = [ion for ion in table.diffusion_coefficients if ion not in table.ions]
        for ion in left:
            message = f"{ion} is not among the ions that diffuse here ({listed(table.ions)})"
            draft.faults.add((*path, "diffusion_coefficients", ion), message)
    if not shared or table.ions == []:
        draft.faults.add((*path, "between"), f"{a} and {b} have no species in common that could diffuse")
    for ion in ions_of(draft, table):
        known = draft.species.get(ion)
        if known is not None and known.diffusion_coefficient is None and ion not in table.diffusion_coefficients:
            message = (
                f'no diffusion coefficient of {ion} is known; give diffusion_coefficients = {{ {ion} = "1e-9 m^2/s" }}'
            )
            draft.faults.add(path, f"{message}, or list in ions those that diffuse", spoils=False)


def ions_of(draft: Draft, table: DiffusionTable) -> list[str]:
    """Species that diffuse through a coupling."""
    a, b = table.between
    shared = [ion for ion in draft.document.compartments[a].concentrations if holds(draft, b, ion)]
    return shared if table.ions is None else [ion for ion in shared if ion in table.ions]


def coupling(draft: Draft, name: str, table: DiffusionTable) -> Membrane:
    """The membrane without capacitance that represents a coupling in the model."""
    path = ("diffusion", name)
    quantities = draft.quantities.quantities
    through = {key: quantities.get((*path, key), 1.0) for key in ("length", "tortuosity")}

    def permeability(ion: str) -> Quantity:
        given = quantities.get((*path, "diffusion_coefficients", ion))
        coefficient = given if given is not None else draft.species[ion].diffusion_coefficient
        assert coefficient is not None
        parts = (_text(coefficient, " m^2/s"), _text(through["length"], " m"), _text(through["tortuosity"], ""))
        formula = parse_formula("({}) / (({}) * ({})^2)".format(*parts))
        return evaluate_float(formula, {}) if formula.is_constant else formula

    pathways = tuple(
        Pathway(f"permeability.{ion}", "ghk", {ion: 1}, {"": permeability(ion)}) for ion in ions_of(draft, table)
    )
    inside, outside = table.between
    return Membrane(name, inside, outside, quantities[(*path, "area")], 0.0, None, pathways)


def _text(quantity: Quantity, unit: str) -> str:
    """A quantity as text for a formula."""
    return quantity.text if isinstance(quantity, Formula) else f"{quantity!r}{unit}"
