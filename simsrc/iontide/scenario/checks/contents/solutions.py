"""Checks of the compartments: their species, their quantities, and whether their charges balance."""

from __future__ import annotations

from collections.abc import Mapping

from ....constants import FARADAY
from ....errors import did_you_mean, listed, suggestion
from ....model.model import Species
from ....physics.ions import find_ion, nearest_ions
from ...library.salts import instead_of_salt, ions_of_salt
from ...schema import quantity_kinds
from ...schema.document import CompartmentTable
from ..context.draft import Draft

#: Largest imbalance of charge that is taken for rounding of published numbers, as a fraction of all charge.
CHARGE_TOLERANCE = 1e-3

#: The same where the charge on the membranes is not known because of another fault.
BLIND_TOLERANCE = 0.1

#: The same for rounding of double precision alone.
ROUNDING = 1e-9

#: Highest membrane potential, V: it bounds the excess charge that the capacitance can hold.
HIGHEST_POTENTIAL = 0.2


def read_species(draft: Draft) -> None:
    """Determine valence and properties of every species in the compartments."""
    for name, table in draft.document.species.items():
        path = ("species", name)
        for key, kind in (
            ("diffusion_coefficient", quantity_kinds.DIFFUSION_COEFFICIENT),
            ("ion_size", quantity_kinds.ION_SIZE),
        ):
            draft.quantities.read((*path, key), getattr(table, key), kind, constant=True)
        if table.valence is None and find_ion(name) is None and not draft.faults.is_faulty(*path, "valence"):
            draft.faults.add(path, "is not in the ion library, so it needs a valence (as valence = 1)")
    for compartment in draft.compartments():
        for name in draft.document.compartments[compartment].concentrations:
            if name not in draft.species:
                _find_species(draft, compartment, name)


def _find_species(draft: Draft, compartment: str, name: str) -> None:
    if draft.faults.is_faulty("species", name, "valence"):
        return
    ion, table = find_ion(name), draft.document.species.get(name)
    if ion is None and table is None:
        path = ("compartments", compartment, "concentrations", name)
        if not draft.faults.is_faulty(*path):
            salt = ions_of_salt(name)
            if salt is not None:
                _report_salt(draft, compartment, name, salt)
                return
            meant = suggestion(nearest_ions(name, 1))
            other = f"(declare another species with [species.{name}] and its valence)"
            draft.faults.add(path, f"no such ion in the library{meant} {other}")
            draft.faults.mark(("species", name))
        return
    place = ("species", name)
    valence = table.valence if table and table.valence is not None else ion.valence if ion else 0
    diffusion = draft.value(*place, "diffusion_coefficient")
    size = draft.value(*place, "ion_size")
    draft.species[name] = Species(
        name,
        valence,
        diffusion if diffusion is not None else ion.diffusion_coefficient if ion else None,
        size if size is not None else ion.ion_size if ion else None,
        (table.source if table else None) or (ion.source if ion else ""),
        ion.truesdell_jones if ion else None,
    )


def _report_salt(draft: Draft, compartment: str, name: str, salt: Mapping[str, int]) -> None:
    """Report a salt with what to write instead; that its ions are missing is not another fault."""
    path, held = (
        ("compartments", compartment, "concentrations"),
        draft.document.compartments[compartment].concentrations,
    )
    draft.faults.add((*path, name), instead_of_salt(name, salt, held[name], held))
    draft.faults.mark(("species", name))
    for ion in salt.keys() - held.keys():
        draft.faults.mark((*path, ion))


def read_compartments(draft: Draft) -> None:
    """Read every quantity of every compartment, and report contradictions."""
    if not draft.document.compartments and not draft.faults.is_faulty_within("compartments"):
        draft.faults.add(("compartments",), "a scenario needs at least one compartment")
    for name in draft.compartments():
        _read_compartment(draft, name, draft.document.compartments[name])


def _read_compartment(draft: Draft, name: str, table: CompartmentTable) -> None:
    path = ("compartments", name)
    bath_known = not draft.faults.is_faulty(*path, "bath")
    volume_path = (*path, "volume")
    if table.bath and table.volume is not None:
        draft.faults.add(volume_path, "a bath has no volume, as its composition is fixed; leave it out")
    elif bath_known and not table.bath and table.volume is None and not draft.faults.is_faulty(*volume_path):
        message = 'missing; a compartment needs a volume (as "4.2 pL"), unless bath = true'
        draft.faults.add(volume_path, message)
    draft.quantities.read(volume_path, table.volume, quantity_kinds.VOLUME)
    for ion, raw in table.concentrations.items():
        draft.quantities.read((*path, "concentrations", ion), raw, quantity_kinds.CONCENTRATION)
    for ion, coefficient in table.activity_coefficients.items():
        place = (*path, "activity_coefficients", ion)
        if not holds(draft, name, ion):
            draft.faults.add(place, f"{name} gives no concentration of {ion}")
        draft.quantities.read(place, coefficient, quantity_kinds.ACTIVITY_COEFFICIENT)
    if table.activity != "ideal" and not draft.faults.is_faulty(*path, "activity"):
        _check_activity(draft, name, table)
    _read_impermeants(draft, name, table)


def _check_activity(draft: Draft, name: str, table: CompartmentTable) -> None:
    """The activity model must have parameters for every species without a given coefficient."""
    from ....physics.activity import ACTIVITY_MODELS  # loads NumPy: only where it is asked for

    for ion in table.concentrations:
        if ion in draft.species and ion not in table.activity_coefficients:
            message = ACTIVITY_MODELS[table.activity].missing(draft.species[ion])
            if message is not None:
                place = ("compartments", name, "activity")
                draft.faults.add(place, f"{table.activity} cannot be used here: {message}", spoils=False)
                return


def _read_impermeants(draft: Draft, name: str, table: CompartmentTable) -> None:
    balancing: str | None = None
    for solute, given in table.impermeants.items():
        place = ("compartments", name, "impermeants", solute)
        if draft.faults.is_faulty(*place):
            continue
        draft.quantities.read((*place, "valence"), given.valence, quantity_kinds.VALENCE)
        if given.concentration is not None and given.amount is not None:
            draft.faults.add(place, "has both concentration and amount; give one of them")
        elif given.concentration is None and given.amount is None:
            if not any(draft.faults.is_faulty(*place, key) for key in ("concentration", "amount")):
                problem = 'needs concentration (as "140 mM", or "balance") or amount (as "5e-13 mol")'
                draft.faults.add(place, problem)
        elif given.amount is not None and table.bath:
            draft.faults.add((*place, "amount"), "a bath has no volume; give the concentration instead")
        elif given.concentration == "balance":
            if balancing is not None:
                message = (
                    f'{balancing} balances the charge already; write concentration = "balance" for one impermeant only'
                )
                draft.faults.add((*place, "concentration"), message)
            balancing = balancing or solute
        else:
            draft.quantities.read((*place, "concentration"), given.concentration, quantity_kinds.CONCENTRATION)
            draft.quantities.read((*place, "amount"), given.amount, quantity_kinds.AMOUNT)


def holds(draft: Draft, compartment: str, ion: str) -> bool:
    """Whether a compartment gives a concentration of a species, possibly a faulty one."""
    return ion in draft.document.compartments[compartment].concentrations or draft.faults.is_faulty(
        "compartments", compartment, "concentrations", ion
    )


def absent(draft: Draft, compartment: str, ion: str) -> str:
    """The message about a species whose concentration a compartment does not give."""
    table = draft.document.compartments[compartment]
    if ion in table.impermeants:
        return f"{ion} is an impermeant of {compartment}, which cannot be moved ({_held(table)})"
    near = did_you_mean(ion, table.concentrations)
    return f"{compartment} gives no concentration of {ion}{near} ({_held(table)})"


def _held(table: CompartmentTable) -> str:
    return f"it holds {listed(table.concentrations)}"


def check_charges(draft: Draft) -> None:
    """In every compartment the charges must balance, except for those on its membranes."""
    for name in draft.compartments():
        table = draft.document.compartments[name]
        charges = _charges(draft, name, table)
        if charges is None:
            continue
        allowance = _membrane_charge(draft, name)
        if allowance is None:
            allowance = BLIND_TOLERANCE * sum(map(abs, charges))
        balancing = next((s for s, i in table.impermeants.items() if i.concentration == "balance"), None)
        if balancing is not None:
            _check_balancing(draft, name, balancing, charges, allowance)
        elif abs(sum(charges)) > allowance + CHARGE_TOLERANCE * sum(map(abs, charges)):
            draft.faults.add(("compartments", name), _imbalance(draft, name, charges), spoils=False)


def _charges(draft: Draft, name: str, table: CompartmentTable) -> list[float] | None:
    """Charge of each solute but the balancing one, mol of charges per m³; None where one is unknown."""
    path = ("compartments", name)
    if draft.faults.is_faulty_within(*path):
        return None
    charges = []
    for ion in table.concentrations:
        concentration = draft.value(*path, "concentrations", ion)
        if concentration is None or ion not in draft.species:
            return None
        charges.append(draft.species[ion].valence * concentration)
    for solute, given in table.impermeants.items():
        if given.concentration == "balance":
            continue
        concentration = draft.value(*path, "impermeants", solute, "concentration")
        amount, volume = draft.value(*path, "impermeants", solute, "amount"), draft.value(*path, "volume")
        if concentration is None and amount is not None and volume is not None:
            concentration = amount / volume
        valence = draft.value(*path, "impermeants", solute, "valence")
        if concentration is None or valence is None:
            return None
        charges.append(valence * concentration)
    return charges


def _membrane_charge(draft: Draft, name: str) -> float | None:
    """The most charge that the membranes of a compartment hold, per m³ of it; None where that is unknown."""
    if draft.document.compartments[name].bath:
        return 0.0
    volume = draft.value("compartments", name, "volume")
    held = 0.0
    for membrane, table in draft.membranes().items():
        if name in (table.inside, table.outside):
            area = draft.value("membranes", membrane, "area")
            capacitance = draft.value("membranes", membrane, "specific_capacitance")
            if area is None or capacitance is None:
                return None
            held += capacitance * area * HIGHEST_POTENTIAL
    return None if volume is None else held / (FARADAY * volume)


def _check_balancing(draft: Draft, name: str, solute: str, charges: list[float], allowance: float) -> None:
    excess = sum(charges)
    place = ("compartments", name, "impermeants", solute)
    valence = draft.value(*place, "valence")
    if valence is None:
        return
    problem = f"the other charges of {name} sum to {millimolar(excess)}"
    if valence == 0:
        draft.faults.add((*place, "valence"), f"{problem}; a solute of valence 0 cannot balance them")
    elif excess * valence > (allowance + ROUNDING * sum(map(abs, charges))) * abs(valence):
        message = f"{problem}; valence {valence:g} cannot balance them, as the amount would be negative"
        draft.faults.add((*place, "valence"), message)


def _imbalance(draft: Draft, name: str, charges: list[float]) -> str:
    """The message about a compartment that is not neutral, with two ways to correct it."""
    excess = sum(charges)
    sign = -1 if excess > 0 else 1
    positive, negative = sum(c for c in charges if c > 0), sum(c for c in charges if c < 0)
    held, path = draft.document.compartments[name].impermeants, ("compartments", name, "impermeants")
    ready = next((s for s in held if (draft.value(*path, s, "valence") or 0.0) * sign > 0), None)
    if ready is not None:
        way = f'write concentration = "balance" for {ready}'
    else:
        free = next(letter for letter in ("A", "X", "impermeant") if letter not in held)
        way = f'write impermeants = {{ {free} = {{ concentration = "balance", valence = {sign} }} }}'
    return (
        f"the charges do not balance: {millimolar(positive)} against {millimolar(negative)}. "
        f"Declare the impermeant that carries {millimolar(-excess)}, or {way}"
    )


def millimolar(charge: float) -> str:
    """A signed charge concentration, with its unit: ``−140 mM``."""
    sign = "−" if charge < 0 else "+" if charge > 0 else ""
    return f"{sign}{abs(charge):.6g} mM"
