"""Equivalent conductivities of salts of two monovalent ions, as measured, and those at infinite dilution."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from math import sqrt

from ...constants import FARADAY, GAS_CONSTANT
from ...physics.ions import LIBRARY_TEMPERATURE

#: Of S cm² mol⁻¹.
_UNIT = 1e-4


@cache
def _measured() -> dict[tuple[str, str], list[tuple[float, float]]]:
    """By cation and anion: concentrations, mol m⁻³, and equivalent conductivities, S m² mol⁻¹, rising."""
    text = resources.files("iontide.physics").joinpath("data/conductivities.csv").read_text(encoding="utf-8")
    result: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        point = (1e3 * float(row["concentration_M"]), _UNIT * float(row["equivalent_conductivity"]))
        result.setdefault((row["cation"], row["anion"]), []).append(point)
    return {salt: sorted(points) for salt, points in result.items()}


def limiting_conductivity(diffusion_coefficients: tuple[float, float]) -> float:
    """Λ⁰ = F² (D₊ + D₋) / (R T) of two monovalent ions at 25 °C, S m² mol⁻¹."""
    return FARADAY**2 * sum(diffusion_coefficients) / (GAS_CONSTANT * LIBRARY_TEMPERATURE)


def equivalent_conductivity(
    cation: str, anion: str, concentration: float, diffusion_coefficients: tuple[float, float]
) -> float | None:
    """Λ of a salt at a concentration (mol m⁻³) and 25 °C, S m² mol⁻¹; None where nothing was measured.

    Between what was measured, and from there to the limiting value, Λ is linear in √c (Kohlrausch).
    """
    points = _measured().get((cation, anion))
    if points is None or not concentration <= points[-1][0]:
        return None
    low_c, low = 0.0, limiting_conductivity(diffusion_coefficients)
    for c, value in points:
        if concentration <= c:
            share = (sqrt(concentration) - sqrt(low_c)) / (sqrt(c) - sqrt(low_c))
            return low + share * (value - low)
        low_c, low = c, value
    return None
