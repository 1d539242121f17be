"""What a scenario or a run rests on: the sources of its laws, ions, activity models, constants and methods.

Works offline: everything is read from the tables of the library, the model, and the scenario's own references.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from .. import __version__
from ..electrode.half_cells import HALF_CELLS
from ..errors import ScenarioError
from ..model.electrodes import Electrode
from ..model.model import Model
from ..physics.activity.models import ACTIVITY_MODELS
from ..physics.activity.pitzer_parameters import SALT_PARAMETERS, find_parameter
from ..physics.ions import find_ion
from ..scenario.library.laws import LIBRARY, TABLES
from ..scenario.library.transporters import TRANSPORTERS
from ..scenario.read import load, loads
from ..scenario.schema.document import Document
from ..storage import is_branch, open_branch, open_overview
from .bibliography import Reference, bibtex, joined, keys_of, library_keys, merge, parse_source, same

#: What every run uses.
CONSTANTS = Reference(
    authors="Tiesinga, Mohr, Newell & Taylor",
    year="2021",
    title="CODATA recommended values of the fundamental physical constants: 2018",
    journal="Rev Mod Phys",
    volume="93",
    pages="025010",
    doi="10.1103/RevModPhys.93.025010",
)
SOFTWARE = Reference(
    authors="{The iontide developers}",
    title="iontide: a time-domain simulator of ions, volumes and potentials across membranes",
    note=f"Version {__version__}, MIT licence",
)
INTEGRATOR = "Steinebach 2023, BIT Numer Math 63:27, doi:10.1007/s10543-023-00967-x"

#: Permittivity and density of water, on which the constants of Debye and Hückel rest.
WATER = (
    "Malmberg & Maryott 1956, J. Res. Natl. Bur. Stand. 56:1, doi:10.6028/jres.056.001; "
    "Kell 1975, J. Chem. Eng. Data 20:97, doi:10.1021/je60064a005"
)

#: How junction potentials are computed, by the ``method`` of an electrode; and the sign that is used throughout.
JUNCTION_METHODS = {
    "nernst-planck": "Planck 1890, Ann Phys 275:161, doi:10.1002/andp.18902750202; Schlögl 1954, Z Phys Chem 1:305",
    "henderson": "Henderson 1907, Z Phys Chem 59:118",
}
JUNCTION_SIGN = "Barry & Lynch 1991, J Membr Biol 121:101, doi:10.1007/BF01870526"
ION_SELECTIVE = "Guilbault et al. 1976, Pure Appl Chem 48:127, doi:10.1351/pac197648010127"

#: The short names by which the data files name their sources (``data/ions.csv``, ``data/pitzer.csv``).
DATA_SOURCES = {
    "LJPcalc": "github.com/swharden/LJPcalc, conductivities of the CRC Handbook of Chemistry and Physics",
    "UNSW": f"{JUNCTION_SIGN}; Ng & Barry 1995, J Neurosci Methods 56:37, doi:10.1016/0165-0270(94)00087-W",
    "pyEQL": "github.com/KingsburyLab/pyEQL, diffusion coefficients of the CRC Handbook of Chemistry and Physics",
    "Kielland": "Kielland 1937, J. Am. Chem. Soc. 59:1675, doi:10.1021/ja01288a032",
    "PHREEQC": "Parkhurst & Appelo 2013, doi:10.3133/tm6A43",
    "PHREEQC (pitzer.dat)": "Harvie, Møller & Weare 1984, Geochim Cosmochim Acta 48:723, "
    "doi:10.1016/0016-7037(84)90098-X; Appelo 2015, Appl Geochem 55:62, doi:10.1016/j.apgeochem.2014.11.007",
    "May2011": "May, Rowland, Hefter & Königsberger 2011, J. Chem. Eng. Data 56:5066, doi:10.1021/je2009329",
}


@dataclass(frozen=True)
class Citation:
    """A reference with its BibTeX key, and what it was used for."""

    key: str
    reference: Reference
    used_for: tuple[str, ...]


@dataclass(frozen=True)
class Citations:
    """What a scenario or a run cites.

    Attributes
    ----------
    file : str
    entries : tuple of Citation
        Each work once.
    remarks : tuple of str
        What the scenario says of its numbers that is no reference.
    """

    file: str
    entries: tuple[Citation, ...]
    remarks: tuple[str, ...]


def citations(path: str | os.PathLike[str]) -> Citations:
    """The references of a scenario file, of a result file, or of a branch of steady states.

    Raises
    ------
    FileError
        There is no such file, or it is damaged.
    ScenarioError
        A scenario has faults.
    """
    if Path(path).suffix.lower() in (".h5", ".hdf5"):
        run = (open_branch(path).trajectory if is_branch(path) else open_overview(path)).run
        document = None
        if run.origin.text:
            try:
                document = loads(run.origin.text, run.origin.name, run.origin.overrides).document
            except ScenarioError:  # of another version of the language: the model itself is still read
                document = None
        return cite_model(run.model, document, os.fspath(path))
    scenario = load(path)
    return cite_model(scenario.model, scenario.document, os.fspath(path))


def cite_model(model: Model, document: Document | None = None, file: str = "") -> Citations:
    """The references of a model, with those that only its scenario knows (names of transporters)."""
    uses: list[tuple[Reference, str]] = []
    remarks: list[str] = []
    for text, use in _sources(model, document):
        references, rest = parse_source(text)
        uses += [(reference, use) for reference in references]
        if use == "scenario" or use.startswith("properties"):
            remarks += [f"{use}: {remark}" for remark in rest]
    uses += [(CONSTANTS, "physical constants"), (SOFTWARE, "software")]
    library = _library()
    works = merge(reference for reference, _ in uses)
    # Where the source of a law is short, another mention of the same work in the library may say more.
    works = [next((joined(w, known) for known in library.values() if same(known, w)), w) for w in works]
    keys = keys_of(works, library)
    entries = tuple(
        Citation(key, work, tuple(dict.fromkeys(use for reference, use in uses if same(work, reference))))
        for key, work in zip(keys, works, strict=True)
    )
    return Citations(file, entries, tuple(dict.fromkeys(remarks)))


def citations_text(result: Citations) -> str:
    """All entries as BibTeX, each after a line that says what it was used for."""
    parts = [f"% What {result.file} uses, by iontide {__version__}."]
    parts += [f"% {_line('; '.join(c.used_for))}\n{bibtex(c.key, c.reference)}" for c in result.entries]
    if result.remarks:
        # An @ outside of an entry would begin one.
        parts.append("\n".join(f"% {_line(remark)}" for remark in result.remarks))
    return "\n\n".join(parts)


def citations_json(result: Citations) -> dict[str, Any]:
    """The same as plain values fit for JSON."""
    return {
        "file": result.file,
        "entries": [
            {
                "key": c.key,
                **{name: value.strip("{}") for name, value in vars(c.reference).items() if value},
                "used_for": list(c.used_for),
                "bibtex": bibtex(c.key, c.reference),
            }
            for c in result.entries
        ],
        "remarks": list(result.remarks),
    }


def _line(text: str) -> str:
    return " ".join(text.replace("@", "(at)").split())


def _sources(model: Model, document: Document | None) -> Iterator[tuple[str, str]]:
    """Source texts, each with what it was used for."""
    for text in model.references:
        yield text, "scenario"
    yield from _law_sources(model)
    if document is not None:
        yield from _transporter_sources(document)
    yield from _activity_sources(model)
    yield from _mobility_sources(model, document)
    for electrode in model.electrodes:
        yield from _electrode_sources(electrode)
    for species in model.species.values():
        if species.source and find_ion(species.name) is None:
            yield species.source, f"properties of {species.name}"
    yield INTEGRATOR, "integrator"


def _law_sources(model: Model) -> Iterator[tuple[str, str]]:
    tables = {law.name: law for law in TABLES.values()}
    for membrane in model.membranes.values():
        for pathway in membrane.pathways:
            law = tables.get(pathway.law) or LIBRARY.get(pathway.law)
            if law is not None:
                yield law.source, f"law {law.name}"


def _transporter_sources(document: Document) -> Iterator[tuple[str, str]]:
    for membrane in document.membranes.values():
        for pathway in membrane.pathways.values():
            transporter = TRANSPORTERS.get(pathway.transporter or "")
            if transporter is not None:
                yield transporter.source, f"transporter {transporter.name}"


def _activity_sources(model: Model) -> Iterator[tuple[str, str]]:
    used = {e.activity for e in model.electrodes if e.activity != "ideal"}
    for compartment in model.compartments.values():
        free = [s for s in compartment.concentrations if s not in compartment.activity_coefficients]
        charged = [s for s in free if model.species[s].valence]
        if compartment.activity != "ideal" and charged:
            used.add(compartment.activity)
            yield from _activity_parameters(compartment.activity, charged)
    for name in sorted(used):
        yield ACTIVITY_MODELS[name].source, f"activity model {name}"
        yield WATER, "permittivity and density of water"


def _activity_parameters(model: str, ions: list[str]) -> Iterator[tuple[str, str]]:
    if model == "debye_hueckel":
        yield DATA_SOURCES["Kielland"], f"ion sizes of {', '.join(ions)}"
    elif model == "truesdell_jones":
        yield DATA_SOURCES["PHREEQC"], f"Truesdell-Jones parameters of {', '.join(ions)}"
    elif model == "pitzer":
        for pair in combinations(ions, 2):
            parameters = (find_parameter(kind, *pair) for kind in (*SALT_PARAMETERS, "theta"))
            for short in sorted({parameter.source for parameter in parameters if parameter is not None}):
                name = "PHREEQC (pitzer.dat)" if short.startswith("PHREEQC") else short
                yield DATA_SOURCES[name], f"Pitzer parameters of {' and '.join(pair)}"


def _mobility_sources(model: Model, document: Document | None) -> Iterator[tuple[str, str]]:
    """Diffusion coefficients that come from the ion library: of electrodiffusion in a medium, and at junctions."""
    ions: dict[str, None] = {}
    for table in document.diffusion.values() if document is not None else ():
        held = [set(document.compartments[c].concentrations) for c in table.between] if document is not None else []
        moved = table.ions if table.ions is not None else sorted(set.intersection(*held))
        ions |= dict.fromkeys(ion for ion in moved if ion not in table.diffusion_coefficients)
    for electrode in model.electrodes:
        around = (
            model.compartments[c].concentrations for c in (electrode.compartment, electrode.reference.compartment)
        )
        solutes = [*electrode.filling, *electrode.reference.bridge, *(ion for held in around for ion in held)]
        if electrode.filling or electrode.reference.bridge:
            ions |= dict.fromkeys(ion for ion in solutes if ion not in electrode.diffusion_coefficients)
    given = document.species if document is not None else {}
    for name in ions:
        ion = find_ion(name)
        if ion is not None and (name not in given or given[name].diffusion_coefficient is None):
            for short in _short_names(ion.source):
                yield DATA_SOURCES[short], f"diffusion coefficient of {ion.name}"


def _short_names(source: str) -> Iterable[str]:
    """The data sources that ``ions.csv`` names for a diffusion coefficient."""
    mobility = next((part for part in source.split(";") if part.strip().startswith("D:")), "")
    # The table of UNSW was read by way of LJPcalc.
    return [name for name in ("UNSW", "LJPcalc", "pyEQL") if name in mobility][:1]


def _electrode_sources(electrode: Electrode) -> Iterator[tuple[str, str]]:
    use = f"electrode {electrode.name}"
    if electrode.filling or electrode.reference.bridge:
        yield JUNCTION_METHODS[electrode.method], f"junction potentials of {use}"
        yield JUNCTION_SIGN, "sign of junction potentials"
    if electrode.senses:
        yield ION_SELECTIVE, use
    for wire in (electrode.wire, electrode.reference.wire):
        if wire is not None:
            yield HALF_CELLS[wire].source, f"wire {wire}"


@cache
def _library() -> Mapping[str, Reference]:
    """Every work that the library can name, by its key."""
    texts = [law.source for law in LIBRARY.values()]
    texts += [law.source for law in TABLES.values()]
    texts += [transporter.source for transporter in TRANSPORTERS.values()]
    texts += [model.source for model in ACTIVITY_MODELS.values() if model.source]
    texts += [*DATA_SOURCES.values(), *JUNCTION_METHODS.values(), WATER, INTEGRATOR, JUNCTION_SIGN, ION_SELECTIVE]
    texts += [cell.source for cell in HALF_CELLS.values()]
    references = [reference for text in texts for reference in parse_source(text)[0]]
    return library_keys([*references, CONSTANTS])
