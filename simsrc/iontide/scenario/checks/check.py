"""All checks of the content of a file, each after those that it relies on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ...formulas.units import Dimension
from ...physics.ions import find_ion
from ..library.salts import instead_of_salt, ions_of_salt
from ..schema.document import Document
from ..sweeps.form import read_sweep
from ..text.faults import Faults
from .contents.reactions import read_exchange, read_reactions
from .contents.solutions import check_charges, read_compartments, read_species
from .contents.sources import read_sources
from .contents.tracers import read_tracers
from .context.draft import Draft
from .context.potentials import check_potentials
from .context.quantities import Quantities
from .electrodes import read_electrodes
from .membranes.diffusion import read_diffusion
from .membranes.pathways import read_membranes
from .membranes.water import check_water
from .protocol.conflicts import check_conflicts
from .protocol.entries import read_protocol
from .protocol.events import read_events
from .protocol.recording import read_recording, read_simulation
from .protocol.time_dependence import check_steps, check_variable

#: A name that is valid in a formula, a path and a dataset.
NAME_PATTERN = "[A-Za-z][A-Za-z0-9_]*"


#: Tables of processes within and between compartments, and of what observes them.
_BETWEEN = ("diffusion", "reactions", "exchange", "sources", "tracers", "electrodes")


def check(document: Document, faults: Faults, declared: Mapping[str, Dimension] | None = None) -> Draft:
    """Check a document, pruned of its structural faults; the new faults go to ``faults``.

    ``declared``: dimensions that parameters must have, where the file's values are overridden.

    Returns
    -------
    Draft
        From which, where there is no fault, the model is built.
    """
    draft = Draft(document, faults, Quantities(faults, declared))
    _check_names(document, faults)
    species = {ion for compartment in document.compartments.values() for ion in compartment.concentrations}
    draft.quantities.read_parameters(document.parameters, species)
    read_simulation(draft)
    read_species(draft)
    read_compartments(draft)
    read_membranes(draft)
    read_diffusion(draft)
    check_water(draft)
    check_charges(draft)
    check_potentials(draft)
    read_reactions(draft)
    read_exchange(draft)
    read_sources(draft)
    read_tracers(draft)
    read_protocol(draft)
    read_events(draft)
    read_electrodes(draft)
    read_recording(draft)
    if document.sweep is not None:
        read_sweep(document.sweep, faults)
    if not faults.found:
        check_variable(draft)
    if not faults.found:
        check_steps(draft)
        check_conflicts(draft)
    return draft


def _check_names(document: Document, faults: Faults) -> None:
    for table in ("parameters", "species", "compartments", "membranes", *_BETWEEN):
        _check_table((table,), getattr(document, table), faults)
    for name, compartment in document.compartments.items():
        _check_ions(("compartments", name, "concentrations"), compartment.concentrations, faults)
        _check_table(("compartments", name, "impermeants"), compartment.impermeants, faults)
    for name, electrode in document.electrodes.items():
        if isinstance(electrode.filling, dict):
            _check_ions(("electrodes", name, "filling"), electrode.filling, faults)
        _check_ions(("electrodes", name, "reference", "bridge"), electrode.reference.bridge, faults)
    for name, membrane in document.membranes.items():
        _check_table(("membranes", name, "pathways"), membrane.pathways, faults)
        for pathway, given in membrane.pathways.items():
            _check_table(("membranes", name, "pathways", pathway, "gates"), given.gates, faults)


def _check_ions(path: tuple[str, ...], held: Mapping[str, object], faults: Faults) -> None:
    """Report names of ions as chemists write them, ``K+`` or ``K-gluconate``, with the name to write."""
    for name in held:
        if re.fullmatch(NAME_PATTERN, name):
            continue
        ion, salt = find_ion(name), ions_of_salt(name)
        if ion is not None:
            faults.add((*path, name), f"write it as {ion.name}")
        elif salt is not None:
            faults.add((*path, name), instead_of_salt(name, salt, held[name], held))
        else:
            _check_table(path, [name], faults)
        for meant in {ion.name} if ion is not None else (salt or {}).keys():
            if meant not in held:  # its absence is not another fault
                faults.mark((*path, meant))


def _check_table(path: tuple[str, ...], names: Iterable[str], faults: Faults) -> None:
    for name in names:
        if not re.fullmatch(NAME_PATTERN, name):
            faults.add((*path, name), "a name is a letter, then letters, digits or _")
