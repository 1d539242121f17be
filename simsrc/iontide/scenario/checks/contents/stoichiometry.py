"""The stoichiometry of a pathway: written out, by the name of a transporter, or that of its law."""

from __future__ import annotations

from collections.abc import Mapping

from ....errors import did_you_mean, listed
from ...library.laws import FORMULA, Law
from ...library.transporters import TRANSPORTERS
from ...schema.document import PathwayTable
from ...text.key_lines import KeyPath
from ..context.draft import Draft

#: Most ions that one cycle may carry, all counted.
MOST_IONS = 20


def stoichiometry_of(given: PathwayTable, law: Law) -> Mapping[str, int]:
    """Ions carried outward per cycle by a pathway without faults."""
    if given.stoichiometry is not None:
        return given.stoichiometry
    if given.transporter is not None:
        return TRANSPORTERS[given.transporter].stoichiometry
    return law.stoichiometries[0]


def read_stoichiometry(draft: Draft, path: KeyPath, given: PathwayTable, law: Law) -> Mapping[str, int] | None:
    """Ions carried outward per cycle; None where that is faulty or missing, which is then reported."""
    faults = draft.faults
    if any(faults.is_faulty_within(*path, key) for key in ("stoichiometry", "transporter")):
        return None
    if given.stoichiometry is not None and given.transporter is not None:
        faults.add((*path, "transporter"), "stoichiometry and transporter are both given; leave one of them out")
        return None
    if given.transporter is not None and not _is_known(draft, (*path, "transporter"), given.transporter, law):
        return None
    if given.stoichiometry is not None and not _are_sound(draft, (*path, "stoichiometry"), given.stoichiometry):
        return None
    if given.stoichiometry is None and given.transporter is None and not law.stoichiometries:
        message = (
            f'missing; {law.name} needs the ions that a cycle carries (as {{ K = 1, Cl = 1 }}), or transporter = "KCC"'
        )
        faults.add((*path, "stoichiometry"), message)
        return None
    stoichiometry = stoichiometry_of(given, law)
    if law.stoichiometries and stoichiometry not in law.stoichiometries:
        key = "stoichiometry" if given.stoichiometry is not None else "transporter"
        allowed = " or ".join(map(written, law.stoichiometries[:4]))
        faults.add((*path, key), f"{law.name} carries {allowed} per cycle, got {written(stoichiometry)}")
        return None
    return stoichiometry


def check_charge(draft: Draft, path: KeyPath, given: PathwayTable, stoichiometry: Mapping[str, int]) -> None:
    """The charge that a pathway declares must be that of its stoichiometry."""
    if (
        given.charge is None
        or draft.faults.is_faulty(*path, "charge")
        or not stoichiometry.keys() <= draft.species.keys()
    ):
        return
    charge = sum(count * draft.species[ion].valence for ion, count in stoichiometry.items())
    if charge != given.charge:
        terms = " ".join(f"{count:+d}·({draft.species[ion].valence:+d}) {ion}" for ion, count in stoichiometry.items())
        message = f"a cycle carries the charge {signed(charge)} outward ({terms}), not {signed(given.charge)}"
        draft.faults.add((*path, "charge"), message)


def written(stoichiometry: Mapping[str, int]) -> str:
    """As a scenario would write it: ``{ Na = 3, K = -2 }``."""
    return "{ " + ", ".join(f"{ion} = {count}" for ion, count in stoichiometry.items()) + " }"


def signed(charge: int) -> str:
    """A number of charges with its sign: ``+2``."""
    return f"{charge:+d}" if charge else "0"


def _is_known(draft: Draft, place: KeyPath, name: str, law: Law) -> bool:
    transporter = TRANSPORTERS.get(name)
    if transporter is None:
        hint, known = did_you_mean(name, TRANSPORTERS), listed(TRANSPORTERS, most=30)
        draft.faults.add(
            place, f"no such transporter as {name}{hint} (transporters are {known}; or write stoichiometry)"
        )
    elif transporter.driven_by != law.driven_by and law is not FORMULA:
        source, expected = transporter.driven_by or "nothing", law.driven_by or "nothing"
        draft.faults.add(place, f"{name} is driven by {source}, but the law {law.name} is driven by {expected}")
    else:
        return True
    return False


def _are_sound(draft: Draft, place: KeyPath, stoichiometry: Mapping[str, int]) -> bool:
    """Whether a cycle carries something, and no ion 0 times."""
    zero = [ion for ion, count in stoichiometry.items() if count == 0]
    for ion in zero:
        draft.faults.add((*place, ion), "must not be 0; leave out ions that a cycle does not carry")
    if not stoichiometry:
        draft.faults.add(
            place, "must name the ions that a cycle carries (as { K = 1, Cl = 1 }; negative counts are inward)"
        )
    elif (total := sum(map(abs, stoichiometry.values()))) > MOST_IONS:
        draft.faults.add(place, f"a cycle carries at most {MOST_IONS} ions, got {total}")
    else:
        return not zero
    return False
