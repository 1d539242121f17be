"""Checks of electrodes: their place, their filling, and their reference."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import did_you_mean, listed, suggestion
from ...model.electrodes import Electrode, Reference
from ...physics.ions import Ion, find_ion, nearest_ions
from ..schema import quantity_kinds
from ..schema.electrodes import ElectrodeTable
from ..text.faults import no_such
from ..text.key_lines import KeyPath
from .contents.solutions import CHARGE_TOLERANCE, millimolar
from .context.draft import Draft
from .context.references import names_compartment

#: Side of the membrane on which the pipette is in each configuration, and the other side.
_SIDES = {"whole-cell": ("inside", "outside"), "outside-out": ("inside", "outside"), "sharp": ("inside", "outside")}
_SIDES |= {"inside-out": ("outside", "inside"), "cell-attached": ("outside", "inside")}

#: The ion whose activity a wire's potential follows.
_ION_OF_WIRE = {"Ag/AgCl": "Cl", "calomel": "Cl", "hydrogen": "H"}


def read_electrodes(draft: Draft) -> None:
    """Read every electrode."""
    for name, table in draft.document.electrodes.items():
        path: KeyPath = ("electrodes", name)
        if draft.faults.is_faulty(*path):
            continue
        _read_numbers(draft, path, table)
        if _check_place(draft, path, table):
            _check_solutes(draft, path, table)
            _check_activity(draft, path, table)
            _check_filling(draft, path, table)
            _check_wires(draft, path, table)
            _check_sensor(draft, path, table)
            _check_zero(draft, path, table)


def _read_numbers(draft: Draft, path: KeyPath, table: ElectrodeTable) -> None:
    read = draft.quantities.read
    for key, held in (("filling", table.filling), ("bridge", table.reference.bridge)):
        place = (*path, "filling") if key == "filling" else (*path, "reference", "bridge")
        for ion, raw in held.items():
            read((*place, ion), raw, quantity_kinds.CONCENTRATION)
        _check_charges(draft, place, held)
    for ion, coefficient in table.selectivity.items():
        read((*path, "selectivity", ion), coefficient, quantity_kinds.SELECTIVITY)
    for ion, raw in table.diffusion_coefficients.items():
        read((*path, "diffusion_coefficients", ion), raw, quantity_kinds.JUNCTION_DIFFUSION)
    read((*path, "zeroed_at"), table.zeroed_at, quantity_kinds.TIME)


def _check_place(draft: Draft, path: KeyPath, table: ElectrodeTable) -> bool:
    """Whether both compartments of an electrode are known."""
    faults = draft.faults
    if any(faults.is_faulty(*path, key) for key in ("on", "in")):
        return False
    if (table.on is None) == (table.in_ is None):
        message = "both" if table.on is not None else "neither"
        faults.add(path, f"an electrode needs a membrane or a compartment (on = …, or in = …), got {message}")
        return False
    if table.on is not None and table.on not in draft.document.membranes:
        if not faults.is_faulty("membranes", table.on):
            faults.add((*path, "on"), no_such("membrane", table.on, draft.document.membranes))
        return False
    if table.on is not None and table.on not in draft.membranes():
        return False
    if table.in_ is not None and not names_compartment(draft, (*path, "in"), table.in_):
        return False
    place = (*path, "reference", "in")
    if table.reference.in_ is not None:
        return names_compartment(draft, place, table.reference.in_)
    if _reference_of(draft, table) is None:
        faults.add(place, f"missing; name the compartment of the reference (compartments are {_compartments(draft)})")
        return False
    return True


def _compartments(draft: Draft) -> str:
    return listed(draft.document.compartments)


def _compartment_of(draft: Draft, table: ElectrodeTable) -> str:
    if table.in_ is not None:
        return table.in_
    side: str = getattr(draft.document.membranes[table.on or ""], _SIDES[table.configuration][0])
    return side


def _reference_of(draft: Draft, table: ElectrodeTable) -> str | None:
    """The compartment of the reference: as given, the other side of the membrane, or the only bath."""
    if table.reference.in_ is not None:
        return table.reference.in_
    if table.on is not None and table.configuration != "cell-attached":
        other: str = getattr(draft.document.membranes[table.on], _SIDES[table.configuration][1])
        return other
    compartment = _compartment_of(draft, table)
    baths = [c for c in draft.compartments() if draft.kind_of(c) == "bath" and (c != compartment or table.on is None)]
    return baths[0] if len(baths) == 1 else None


def _check_charges(draft: Draft, place: KeyPath, held: Mapping[str, str]) -> None:
    """The ions of a filling or a bridge must be known, and their charges balance."""
    total, size = 0.0, 0.0
    for ion in held:
        known = draft.species.get(ion) or find_ion(ion)
        if draft.faults.is_faulty(*place, ion):
            return
        if known is None:
            meant = suggestion(nearest_ions(ion, 1))
            draft.faults.add((*place, ion), f"no such ion in the library, nor a species of this file{meant}")
            return
        value = draft.value(*place, ion)
        if value is None:
            return
        total, size = total + known.valence * value, size + abs(known.valence) * value
    if held and size == 0.0:
        draft.faults.add(place, "has no ion, so it does not conduct")
    elif abs(total) > CHARGE_TOLERANCE * size:
        message = f"the charges do not balance: {millimolar(total)} of charge is left over"
        draft.faults.add(place, f"{message}; give the ions that carry {millimolar(-total)}")


def _check_solutes(draft: Draft, path: KeyPath, table: ElectrodeTable) -> None:
    """Every charged solute at a junction must have a mobility."""
    known: dict[str, str] = {}
    reference = _reference_of(draft, table)
    places = [reference] if table.reference.bridge or table.filling else []
    if table.filling and (table.configuration == "sharp" or table.in_ is not None) and table.senses is None:
        places.append(_compartment_of(draft, table))
    for place in places:
        held = draft.document.compartments[str(place)]
        known |= dict.fromkeys((*held.concentrations, *held.impermeants), f" of {place}")
    known |= dict.fromkeys((*table.filling, *table.reference.bridge), "")
    for solute in table.diffusion_coefficients:
        if solute not in known:
            message = f"{solute} is at no junction of this electrode{did_you_mean(solute, known)}"
            draft.faults.add((*path, "diffusion_coefficients", solute), message)
    for solute, where in known.items():
        species, library = draft.species.get(solute), find_ion(solute)
        if solute in table.diffusion_coefficients or draft.faults.is_faulty_within("species", solute):
            continue
        if species is not None:
            lacks = bool(species.valence) and species.diffusion_coefficient is None
        else:
            # An unknown ion of a filling has been reported already.
            unknown = library is None and bool(where)
            lacks = unknown or (library is not None and bool(library.valence) and not library.mobility)
        if lacks:
            draft.faults.add(
                path,
                f"{solute}{where} has no mobility in the library; give it, as diffusion_coefficients = "
                f'{{ {solute} = "5e-10 m^2/s" }}; "0 m^2/s" holds it where it is',
                spoils=False,
            )


def _check_activity(draft: Draft, path: KeyPath, table: ElectrodeTable) -> None:
    """The activity model must have parameters for every charged solute of the solutions at the electrode."""
    if table.activity == "ideal" or draft.faults.is_faulty(*path, "activity"):
        return
    from ...physics.activity import ACTIVITY_MODELS  # loads NumPy: only where it is asked for

    met = {*table.filling, *table.reference.bridge}
    for place in (_compartment_of(draft, table), str(_reference_of(draft, table))):
        held = draft.document.compartments[place]
        met |= {*held.concentrations, *held.impermeants}
    for solute in sorted(met):
        known = draft.species.get(solute) or find_ion(solute) or Ion(solute, 1)
        message = ACTIVITY_MODELS[table.activity].missing(known)
        if message is not None:
            draft.faults.add((*path, "activity"), f"{table.activity} cannot be used here: {message}")
            return


def _check_filling(draft: Draft, path: KeyPath, table: ElectrodeTable) -> None:
    """Outside of a patch, the pipette solution is the compartment there."""
    if table.on is not None and _SIDES[table.configuration][0] == "outside" and table.filling:
        where = _compartment_of(draft, table)
        message = (
            f"in the {table.configuration} configuration the pipette solution is {where}, the outside of {table.on}"
        )
        draft.faults.add((*path, "filling"), f"{message}; leave out filling")


def _check_wires(draft: Draft, path: KeyPath, table: ElectrodeTable) -> None:
    """A wire needs its ion, and both electrodes have a wire or neither."""
    reference = _reference_of(draft, table)
    for wire, place, solution, where in (
        (table.wire, (*path, "wire"), table.filling, _compartment_of(draft, table)),
        (table.reference.wire, (*path, "reference", "wire"), table.reference.bridge, reference),
    ):
        if wire is None:
            continue
        held = solution or draft.document.compartments[str(where)].concentrations
        if _ION_OF_WIRE[wire] not in held and not draft.faults.is_faulty("compartments", str(where), "concentrations"):
            holder = "its filling" if solution else where
            draft.faults.add(place, f"a wire of {wire} needs {_ION_OF_WIRE[wire]}, of which {holder} has none")
    if (table.wire is None) != (table.reference.wire is None) and not draft.faults.is_faulty_within(*path):
        missing = ("wire",) if table.wire is None else ("reference", "wire")
        draft.faults.add((*path, *missing), "missing; give the wires of both electrodes, or of neither")


def _check_sensor(draft: Draft, path: KeyPath, table: ElectrodeTable) -> None:
    faults = draft.faults
    if table.senses is None:
        for key in ("selectivity",):
            if getattr(table, key):
                faults.add((*path, key), "applies only to an electrode that senses an ion (senses = …)")
        if table.in_ is not None and not table.filling and table.wire is None:
            faults.add(path, "needs a filling, an ion that it senses, or a wire, got none of them", spoils=False)
        return
    held = draft.document.compartments[_compartment_of(draft, table)].concentrations
    if table.on is not None:
        faults.add((*path, "senses"), "an electrode that senses an ion is in a compartment, not on a membrane (in = …)")
        return
    for ion, place in [(table.senses, (*path, "senses")), *((j, (*path, "selectivity", j)) for j in table.selectivity)]:
        if ion not in held:
            faults.add(place, f"{table.in_} gives no concentration of {ion}{did_you_mean(ion, held)}")
        elif ion in draft.species and draft.species[ion].valence == 0:
            faults.add(place, f"{ion} has no charge, so no electrode can sense it")
    sensed = draft.species.get(table.senses)
    for ion in table.selectivity:
        if sensed and ion in draft.species and draft.species[ion].valence * sensed.valence < 0:
            faults.add((*path, "selectivity", ion), f"{ion} has the opposite charge of {table.senses}")


def _check_zero(draft: Draft, path: KeyPath, table: ElectrodeTable) -> None:
    at, duration = draft.value(*path, "zeroed_at"), draft.value("simulation", "duration")
    if at is None:
        return
    if duration is not None and at > duration:
        message = f"must be within the run, {draft.document.simulation.duration}, got {table.zeroed_at}"
        draft.faults.add((*path, "zeroed_at"), message)
    seen = _compartment_of(draft, table) if table.senses is not None else _reference_of(draft, table)
    if at > 0.0 and draft.kind_of(str(seen)) == "finite":
        message = (
            f'the composition of {seen} changes, so it is known in advance only at the start; write zeroed_at = "0 s"'
        )
        draft.faults.add((*path, "zeroed_at"), message)


def build_electrodes(draft: Draft) -> tuple[Electrode, ...]:
    """The electrodes of a draft without faults."""
    electrodes = []
    for name, table in draft.document.electrodes.items():
        path: KeyPath = ("electrodes", name)

        def values(*place: str, path: KeyPath = path) -> dict[str, float]:
            quantities = draft.quantities.values
            return {str(key[-1]): value for key, value in quantities.items() if key[:-1] == (*path, *place)}

        compartment, reference = _compartment_of(draft, table), str(_reference_of(draft, table))
        filling = values("filling")
        if not filling and table.on is not None:
            filling = _contents(draft, compartment)
        electrodes.append(
            Electrode(
                name,
                compartment,
                Reference(reference, values("reference", "bridge"), table.reference.wire),
                table.configuration if table.on is not None else "in-solution",
                table.on,
                filling,
                table.wire,
                table.senses,
                values("selectivity"),
                draft.value(*path, "zeroed_at"),
                table.method,
                table.activity,
                values("diffusion_coefficients"),
            )
        )
    return tuple(electrodes)


def _contents(draft: Draft, compartment: str) -> dict[str, float]:
    """Initial concentrations of the mobile species and of the impermeants of a compartment."""
    quantities = draft.quantities.values
    path = ("compartments", compartment)
    contents = {str(k[-1]): v for k, v in quantities.items() if k[:-1] == (*path, "concentrations")}
    charge = sum(draft.species[ion].valence * c for ion, c in contents.items())
    balancing: tuple[str, float] | None = None
    for solute, given in draft.document.compartments[compartment].impermeants.items():
        valence = draft.value(*path, "impermeants", solute, "valence") or 0.0
        c = draft.value(*path, "impermeants", solute, "concentration")
        amount, volume = draft.value(*path, "impermeants", solute, "amount"), draft.value(*path, "volume")
        if c is None and amount is not None and volume:
            c = amount / volume
        if given.concentration == "balance":
            balancing = (solute, valence)
        elif c is not None:
            contents[solute] = c
            charge += valence * c
    if balancing is not None and balancing[1]:
        contents[balancing[0]] = max(-charge / balancing[1], 0.0)
    return contents
