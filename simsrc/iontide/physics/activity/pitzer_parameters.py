"""The Pitzer parameters of ``data/pitzer.csv``: looked up by the names of the ion library, with their temperatures."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from types import MappingProxyType
from typing import Any

from ...symbolic.expression import log
from ..ions import find_ion

#: Temperature at which the parameters are stated, K.
REFERENCE_TEMPERATURE = 298.15

#: Kinds of parameter between a cation and an anion.
SALT_PARAMETERS = ("beta0", "beta1", "beta2", "Cphi")


@dataclass(frozen=True)
class Parameter:
    """One interaction parameter.

    Attributes
    ----------
    value : float
        At 298.15 K; kg mol⁻¹ (kg² mol⁻² for Cphi and psi).
    slopes : tuple of float
        a1 … a5 of its dependence on temperature; empty: none is known.
    max_molality : float or None
        Upper end of the fit, mol kg⁻¹.
    source : str
        Short name, explained in the data file.
    """

    value: float
    slopes: tuple[float, ...] = ()
    max_molality: float | None = None
    source: str = ""

    def at(self, temperature: Any) -> Any:
        """Value at a temperature (K): ``v + a1 (1/T − 1/T0) + a2 ln(T/T0) + a3 (T − T0) + a4 (T² − T0²) + a5 (…)``.

        The last bracket is 1/T² − 1/T0². Form and coefficients of PHREEQC, doi:10.3133/tm6A43.
        """
        if not self.slopes:
            return self.value
        t, t0 = temperature, REFERENCE_TEMPERATURE
        forms = (
            lambda: 1.0 / t - 1.0 / t0,
            lambda: log(t / t0),
            lambda: t - t0,
            lambda: t * t - t0 * t0,
            lambda: 1.0 / (t * t) - 1.0 / (t0 * t0),
        )
        total: Any = self.value
        for slope, form in zip(self.slopes, forms, strict=True):
            if slope:
                total = total + slope * form()
        return total


@cache
def parameter_table() -> Mapping[tuple[str, frozenset[str]], Parameter]:
    """All parameters by kind and the set of the ions' names; read once."""
    from importlib import resources

    text = resources.files("iontide.physics").joinpath("data/pitzer.csv").read_text(encoding="utf-8")
    table: dict[tuple[str, frozenset[str]], Parameter] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        key = row["parameter"], frozenset(row["ions"].split())
        if key in table:
            raise ValueError(f"data/pitzer.csv: {row['parameter']} of {row['ions']} is given twice.")
        slopes = tuple(float(row[a] or 0.0) for a in ("a1", "a2", "a3", "a4", "a5"))
        maximum = row["max_molality"]
        table[key] = Parameter(
            value=float(row["value"]),
            slopes=slopes if any(slopes) else (),
            max_molality=float(maximum) if maximum else None,
            source=row["source"],
        )
    return MappingProxyType(table)


def library_name(name: str) -> str:
    """The name under which the table lists this ion (aliases of the ion library resolved)."""
    ion = find_ion(name)
    return ion.name if ion else name


def find_parameter(kind: str, *names: str) -> Parameter | None:
    """The parameter of this kind between these ions, or None; the order of the names does not matter."""
    return parameter_table().get((kind, frozenset(map(library_name, names))))


def exponents(valence: float, other: float) -> tuple[float, float]:
    """(alpha1, alpha2), kg^½ mol^-½: 2 and 12 where one ion is univalent, 1.4 and 12 for 2-2, 2 and 50 otherwise."""
    charges = {abs(valence), abs(other)}
    if 1 in charges:
        return 2.0, 12.0
    return (1.4, 12.0) if charges == {2} else (2.0, 50.0)


@cache
def listed_ions() -> frozenset[str]:
    """Names of the ions that have a salt in the table."""
    return frozenset(name for kind, names in parameter_table() if kind in SALT_PARAMETERS for name in names)


def has_salt(cation: str, anion: str) -> bool:
    """Whether any parameter of this salt is known."""
    return any(find_parameter(kind, cation, anion) for kind in SALT_PARAMETERS)


def salts_of(valence: Mapping[str, float]) -> list[tuple[str, str]]:
    """All pairs (cation, anion) of a solution."""
    cations, anions = [n for n, z in valence.items() if z > 0], [n for n, z in valence.items() if z < 0]
    return [(c, a) for c in cations for a in anions]


def missing_salts(valence: Mapping[str, float]) -> list[tuple[str, str]]:
    """Pairs (cation, anion) of a solution whose specific interaction is unknown, and is taken as 0."""
    return [pair for pair in salts_of(valence) if not has_salt(*pair)]


def salts_without_temperature(valence: Mapping[str, float]) -> list[tuple[str, str]]:
    """Pairs (cation, anion) of a solution whose parameters are known, but at 25 °C only (they are then held)."""
    known = [pair for pair in salts_of(valence) if has_salt(*pair)]
    result = {pair: [find_parameter(kind, *pair) for kind in SALT_PARAMETERS] for pair in known}
    return [pair for pair in known if not any(p and p.slopes for p in result[pair])]


def missing_mixing(valence: Mapping[str, float]) -> list[tuple[str, str]]:
    """Pairs of ions of one sign without theta, which is then 0 (the electrostatic part, E-theta, is always there)."""
    groups: Sequence[Sequence[str]] = (
        [n for n, z in valence.items() if z > 0],
        [n for n, z in valence.items() if z < 0],
    )
    return [pair for group in groups for pair in combinations(group, 2) if not find_parameter("theta", *pair)]
