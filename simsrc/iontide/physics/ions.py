"""The library of ions: valence, diffusion coefficient, ion size and activity parameters, by name.

The numbers, their sources and what was corrected in them are in ``data/ions.csv``. A scenario may define
any species that is not here.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from ..constants import GAS_CONSTANT, ZERO_CELSIUS
from ..errors import UsageError, nearest, suggestion

#: Temperature at which the diffusion coefficients of the library hold, K.
LIBRARY_TEMPERATURE = ZERO_CELSIUS + 25.0


@dataclass(frozen=True)
class Ion:
    """One ion in water at 25 °C and infinite dilution.

    Attributes
    ----------
    name : str
        As used in scenarios and formulas; case sensitive.
    valence : int
        Elementary charges, signed.
    diffusion_coefficient : float or None
        D at 298.15 K, m² s⁻¹; None where it is not known.
    ion_size : float or None
        Parameter a of the extended Debye–Hückel equation, m (Kielland 1937, doi:10.1021/ja01288a032).
    truesdell_jones : tuple of float or None
        (a0, b) of log10 γ = −A z² √I / (1 + B a0 √I) + b I, with a0 in m and b in kg mol⁻¹
        (Truesdell & Jones 1974; values of PHREEQC, doi:10.3133/tm6A43).
    description, source, note : str
        What it is; where each figure comes from; what was changed, and what to be careful about.
    """

    name: str
    valence: int
    diffusion_coefficient: float | None = None
    ion_size: float | None = None
    truesdell_jones: tuple[float, float] | None = None
    description: str = ""
    source: str = ""
    note: str = ""

    @property
    def mobility(self) -> float | None:
        """Absolute molar mobility u = D/(R T) at 298.15 K, mol m² s⁻¹ J⁻¹ (None without D).

        Drift velocity in m s⁻¹ under a force of 1 N mol⁻¹ (Einstein). It takes no account of the charge; the
        electric mobility, in m² V⁻¹ s⁻¹, is |z| F u.
        """
        if self.diffusion_coefficient is None:
            return None
        return self.diffusion_coefficient / (GAS_CONSTANT * LIBRARY_TEMPERATURE)


@cache
def _read() -> tuple[Mapping[str, Ion], Mapping[str, Ion]]:
    """The library by name, and by name or alias; read once."""
    from importlib import resources  # here: it costs more to import than the rest of the module

    text = resources.files(__package__).joinpath("data/ions.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    by_name: dict[str, Ion] = {}
    by_alias: dict[str, Ion] = {}
    for row in csv.DictReader(lines):
        a0, b = row["truesdell_jones_a0"], row["truesdell_jones_b"]
        ion = Ion(
            name=row["name"],
            valence=int(row["valence"]),
            diffusion_coefficient=_number(row["diffusion_coefficient_m2_s"]),
            ion_size=_number(row["ion_size_m"]),
            truesdell_jones=(float(a0), float(b)) if a0 else None,
            description=row["description"],
            source=row["source"],
            note=row["note"],
        )
        for spelling in (ion.name, *filter(None, row["aliases"].split(";"))):
            # A spelling that meant two ions would pick one in silence.
            if spelling in by_alias:
                other = by_alias[spelling].name
                raise ValueError(f"data/ions.csv: '{spelling}' names both {other} and {ion.name}.")
            by_alias[spelling] = ion
        by_name[ion.name] = ion
    return MappingProxyType(by_name), MappingProxyType(by_alias)


def _number(text: str) -> float | None:
    return float(text) if text else None


def ion_library() -> Mapping[str, Ion]:
    """All ions of the library by name, in the order of the file: the common ones first; read-only.

    Examples
    --------
    >>> list(iontide.ion_library())[:4]
    ['K', 'Na', 'Cl', 'Ca']
    """
    return _read()[0]


def find_ion(name: str) -> Ion | None:
    """The ion of this name or alias, or None; case sensitive, for ``Co`` is not ``CO``.

    Examples
    --------
    >>> ion = iontide.find_ion("potassium")
    >>> ion.name, ion.valence, ion.diffusion_coefficient  # m² s⁻¹
    ('K', 1, 1.9572e-09)
    """
    return _read()[1].get(name)


def library_ion(name: str) -> Ion:
    """The ion of this name or alias.

    Raises
    ------
    UsageError
        There is none.
    """
    ion = find_ion(name)
    if ion is None:
        raise UsageError(f"there is no ion {name} in the library{suggestion(nearest_ions(name))}")
    return ion


def nearest_ions(name: str, n: int = 3) -> list[str]:
    """Names of the ions spelt most like `name`, for "did you mean …?".

    Parameters
    ----------
    name : str
        What was written; its case does not matter, and aliases count.
    n : int
        Most names that are returned.

    Returns
    -------
    list of str
        Names (not aliases), the nearest first; at equal distance a name before an alias, then in the order of
        the library. Empty where nothing is near.
    """
    ions, spellings = _read()
    near = nearest(name, [*ions, *spellings], most=len(spellings))  # names first: they win over aliases
    return list(dict.fromkeys(spellings[spelling].name for spelling in near))[: max(n, 0)]
