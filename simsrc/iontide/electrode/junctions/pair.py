"""Two solutions that meet: their ions, mobilities, concentrations and activity coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ...constants import ZERO_CELSIUS
from ...errors import UsageError, suggestion
from ...physics.activity import ACTIVITY_MODELS, ionic_strength, log_gamma, out_of_range
from ...physics.ions import Ion, find_ion, nearest_ions
from ...scenario.library.salts import ions_of_salt
from .nernst_planck_equations import LogGamma

#: Charge that may be missing and pass for rounding, as a part of all charges: in a recipe, and of doubles.
RECIPE_ROUNDING, DOUBLE_ROUNDING = 1e-3, 1e-9

#: Temperatures at which water is a solvent here, K.
TEMPERATURES = (250.0, 400.0)

#: The two sides.
SIDES = ("pipette", "bath")


@dataclass(frozen=True)
class SolutionPair:
    """A pipette's solution and the bath's.

    Attributes
    ----------
    ions : tuple of Ion
        Of both together, in an order that does not depend on how they were given; some may be neutral.
    pipette, bath : array, shape (ions,)
        mol m⁻³; each electroneutral.
    temperature : float
        K.
    activity : str
        Name of the activity model.
    warnings : tuple of str
        About rounded charges, ranges of the activity model, and missing parameters.
    """

    ions: tuple[Ion, ...]
    pipette: NDArray
    bath: NDArray
    temperature: float
    activity: str
    warnings: tuple[str, ...] = ()

    @property
    def ions_named(self) -> tuple[str, ...]:
        """Names of the ions."""
        return tuple(ion.name for ion in self.ions)

    @property
    def valences(self) -> NDArray:
        """Shape (ions,)."""
        return np.array([ion.valence for ion in self.ions], dtype=float)

    @property
    def diffusion_coefficients(self) -> NDArray:
        """m² s⁻¹ at 25 °C, shape (ions,)."""
        return np.array([ion.diffusion_coefficient or 0.0 for ion in self.ions])

    def side(self, name: str) -> NDArray:
        """Concentrations of ``pipette`` or ``bath``, mol m⁻³."""
        return self.pipette if name == "pipette" else self.bath

    @property
    def log_gamma(self) -> LogGamma | None:
        """The activity model over many compositions; None for ideal solutions."""
        if self.activity == "ideal":
            return None
        solutes = {ion.name: ion for ion in self.ions}

        def model(strength: NDArray, concentrations: NDArray) -> NDArray:
            given = dict(zip(solutes, concentrations, strict=True))
            logarithms = log_gamma(self.activity, solutes, strength, self.temperature, given)
            return np.array([np.broadcast_to(logarithms[name], strength.shape) for name in solutes], dtype=float)

        return LogGamma(model, by_strength=self.activity != "pitzer")

    def activities(self, side: str) -> NDArray:
        """γ c of one side, mol m⁻³, shape (ions,)."""
        c = self.side(side)
        if self.log_gamma is None:
            return c
        strength = np.array([0.5 * self.valences**2 @ c])
        return c * np.exp(self.log_gamma.model(strength, c[:, None])[:, 0])


def solution_pair(
    pipette: Mapping[str, float],
    bath: Mapping[str, float],
    temperature: float = 298.15,
    activity: str = "ideal",
    balance: str | None = None,
    ions: Mapping[str, Ion] | None = None,
) -> SolutionPair:
    """Two solutions as they were written, each made of ions and checked.

    Parameters
    ----------
    pipette, bath : mapping of str to float
        Ions or salts of ions of the library (``KCl``, ``K-gluconate``), each with its concentration, mol m⁻³.
    temperature : float
        K.
    activity : str
        Name of an activity model.
    balance : str, optional
        Ion that is given, on each side, the concentration at which the charges balance. Without it they must balance as
        they are; what is missing of them by less than a thousandth passes for rounding, and is given to the ion that
        there is most of.
    ions : mapping of str to Ion, optional
        Ions that the library lacks, or has otherwise.

    Raises
    ------
    UsageError
        Saying what, where, and what is allowed.
    """
    if activity not in ACTIVITY_MODELS:
        raise UsageError(f"there is no activity model {activity!r}; there are {', '.join(ACTIVITY_MODELS)}")
    low, high = TEMPERATURES
    if not low <= temperature <= high:
        hint = f"; {temperature:g} °C is {temperature + ZERO_CELSIUS:g} K" if -20 < temperature < 120 else ""
        raise UsageError(f"the temperature of water must be {low:g} to {high:g} K, got {temperature:g}{hint}")
    custom = dict(ions or {})
    sides = [_as_ions(side, given, custom) for side, given in zip(SIDES, (pipette, bath), strict=True)]
    every = sorted({ion.name: ion for side in sides for ion in side}.values(), key=lambda ion: ion.name)
    if balance is not None:
        balancing = _ion(balance, custom, "balance")
        if balancing.valence == 0:
            raise UsageError(f"balance: {balancing.name} has no charge, so it balances none")
        if balancing not in every:
            every = sorted([*every, balancing], key=lambda ion: ion.name)
    concentrations: list[NDArray] = []
    warnings: list[str] = []
    balancing_name = None if balance is None else _ion(balance, custom, "balance").name
    for name, given_ions in zip(SIDES, sides, strict=True):
        c = np.array([given_ions.get(ion, 0.0) for ion in every])
        c, remarks = _balanced(name, every, c, balancing_name)
        concentrations.append(c)
        warnings += remarks
    present = [k for k in range(len(every)) if any(c[k] > 0.0 for c in concentrations)]
    pipette_c, bath_c = (c[present] for c in concentrations)
    pair = SolutionPair(tuple(every[k] for k in present), pipette_c, bath_c, temperature, activity, tuple(warnings))
    _check_movement(pair)
    return replace(pair, warnings=(*pair.warnings, *_activity_warnings(pair)))


def _as_ions(side: str, given: Mapping[str, float], custom: Mapping[str, Ion]) -> dict[Ion, float]:
    """A solution by ion; salts taken apart."""
    amounts: dict[Ion, float] = {}
    for name, value in given.items():
        c = float(value)
        if not (isfinite(c) and c >= 0.0):
            raise UsageError(f"{side}: the concentration of {name} must be a number ≥ 0, got {value}")
        if name not in custom and find_ion(name) is None:
            salt = ions_of_salt(name)
            if salt is not None:
                for part, count in salt.items():
                    amounts[_ion(part, custom, side)] = amounts.get(_ion(part, custom, side), 0.0) + count * c
                continue
        ion = _ion(name, custom, side)
        amounts[ion] = amounts.get(ion, 0.0) + c
    if not amounts:
        raise UsageError(f"{side}: there is nothing in it")
    return amounts


def _ion(name: str, custom: Mapping[str, Ion], where: str) -> Ion:
    ion = custom.get(name) or find_ion(name)
    if ion is None:
        raise UsageError(
            f"{where}: {name} is neither an ion of the library nor a salt of two of them, as KCl or K-gluconate"
            + suggestion(nearest_ions(name))
        )
    return custom.get(ion.name, ion)


def _balanced(side: str, ions: list[Ion], c: NDArray, balance: str | None) -> tuple[NDArray, list[str]]:
    z = np.array([ion.valence for ion in ions], dtype=float)
    excess, every = float(z @ c), float(np.abs(z) @ c)
    if every == 0.0 and balance is None:
        raise UsageError(
            f"{side}: it holds no ion, and towards pure water a junction potential grows without limit; give its ions "
            "(water itself has H and OH, 1e-4 mM each)"
        )
    if abs(excess) <= DOUBLE_ROUNDING * every:
        return c, []
    if balance is None and abs(excess) > RECIPE_ROUNDING * every:
        sign = "lacks" if excess > 0.0 else "has too many"
        raise UsageError(
            f"{side}: the charges do not balance: {_sum(z, c, 1):+.6g} mM against {_sum(z, c, -1):+.6g} mM, so it "
            f"{sign} negative ones. Give what is missing, or name an ion whose concentration is to balance them, as "
            f"balance = {'Cl' if excess > 0.0 else 'Na'}"
        )
    # Of the ions, the one there is most of, so that it changes by the least part of itself.
    index = int(np.argmax(np.abs(z) * c)) if balance is None else [ion.name for ion in ions].index(balance)
    changed = c.copy()
    changed[index] -= excess / z[index]
    name = ions[index].name
    if changed[index] < 0.0:
        raise UsageError(
            f"{side}: {name} cannot balance the charges: the others come to {excess - z[index] * c[index]:+.6g} mM, "
            f"and it would have to be {changed[index]:.6g} mM"
        )
    return changed, [
        f"{side}: {name} taken as {changed[index]:.6g} mM, in place of {c[index]:.6g}, to balance the charges"
    ]


def _sum(z: NDArray, c: NDArray, sign: int) -> float:
    return float(z[z * sign > 0.0] @ c[z * sign > 0.0])


def _check_movement(pair: SolutionPair) -> None:
    for ion in pair.ions:
        if ion.valence and ion.diffusion_coefficient is None:
            raise UsageError(
                f"{ion.name} has no mobility in the library; give its diffusion coefficient at 25 °C, as "
                f"diffusion_coefficient = 5e-10 m^2/s; 0 holds it where it is"
            )
    mobile = (pair.valences != 0.0) & (pair.diffusion_coefficients > 0.0)
    for side in SIDES:
        if not (pair.side(side)[mobile] > 0.0).any():
            raise UsageError(f"{side}: none of its ions can move, so there is no junction potential")


def _activity_warnings(pair: SolutionPair) -> list[str]:
    if pair.activity == "ideal":
        return []
    model, warnings = ACTIVITY_MODELS[pair.activity], []
    for ion in pair.ions:
        fault = model.missing(ion)
        if fault:
            raise UsageError(f"{pair.activity}: {fault}")
    names = {ion.name: ion for ion in pair.ions}
    for side in SIDES:
        contents = dict(zip(names, pair.side(side).tolist(), strict=True))
        strength = float(ionic_strength(contents, {name: ion.valence for name, ion in names.items()}))
        beyond = out_of_range(pair.activity, strength, pair.temperature)
        warnings += [f"{side}: {beyond}"] if beyond else []
    return warnings + model.remarks(names, pair.temperature)
