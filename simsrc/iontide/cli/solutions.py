"""Solutions and permeabilities from the command line, e.g. ``"K=140 mM, Na=10 mM"``, and their activities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp

from ..errors import UsageError, suggestion
from ..formulas.units import Dimension, UnitError, parse_quantity, parse_unit
from ..physics.activity import ionic_strength, log_gamma, out_of_range
from ..physics.activity.models import ACTIVITY_MODELS
from ..physics.ions import Ion, find_ion, nearest_ions

#: Fraction of all charges in a solution that may be unbalanced without a warning.
UNBALANCED = 0.01


@dataclass(frozen=True)
class Solution:
    """One side of a membrane.

    Attributes
    ----------
    side : {"inside", "outside"}
    concentrations : mapping of str to float
        mol m⁻³.
    gamma : mapping of str to float
        Activity coefficients.
    ionic_strength : float
        mol m⁻³, of what is given.
    warnings : tuple of str
        The activity model is used beyond its range, or the charges do not balance.
    """

    side: str
    concentrations: Mapping[str, float]
    gamma: Mapping[str, float]
    ionic_strength: float
    warnings: tuple[str, ...] = ()

    @property
    def activities(self) -> dict[str, float]:
        """gamma c, mol m⁻³."""
        return {name: self.gamma[name] * c for name, c in self.concentrations.items()}


def ion_of(name: str) -> Ion:
    """An ion of the library, or by its valence alone, as ``+2``."""
    if name[:1] in ("+", "-") and name[1:].isdecimal():
        return Ion(name, int(name))
    ion = find_ion(name)
    if ion is None:
        hint = suggestion(nearest_ions(name)) or "; write its valence in its place, as +2 or -1"
        raise UsageError(f"there is no ion {name} in the library{hint}")
    return ion


def quantity_of(option: str, text: str, unit: str) -> float:
    """The value (SI) of a text that must have the dimension of a unit; a bare number only where the unit is ``1``."""
    value, dimension = _parsed(option, text)
    if dimension != parse_unit(unit)[1]:
        raise UsageError(f"{option}: must be a quantity in {unit}, e.g. {_EXAMPLES[unit]}, got {text.strip()!r}")
    return value


_EXAMPLES = {
    "mM": "'140 mM'",
    "K": "'37 degC' or '310.15 K'",
    "m/s": "'4e-8 m/s' or '4e-6 cm/s'",
    "m^2/s": "'6.5e-10 m^2/s'",
    "m": "'1 mm'",
    "s": "'10 min'",
    "V": "'-65 mV'",
    "1": "0.75",
}


def _parsed(option: str, text: str) -> tuple[float, Dimension]:
    try:
        return parse_quantity(text)
    except UnitError as error:
        raise UsageError(f"{option}: {error}") from error


def pairs_of(option: str, texts: Iterable[str]) -> dict[str, str]:
    """The text of each name in ``K=140 mM, Na=10 mM``, over all uses of an option."""
    texts_by_name: dict[str, str] = {}
    for part in (part for text in texts for part in text.split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise UsageError(
                f"{option}: {part.strip()!r} is not ION=VALUE; write ions and values as 'K=140 mM, Na=10 mM'"
            )
        if name in texts_by_name:
            raise UsageError(f"{option}: {name} is given twice; write it once")
        texts_by_name[name] = value
    return texts_by_name


def solution_of(
    side: str, written: Mapping[str, str], activity: str, gammas: Mapping[str, str], temperature: float
) -> Solution:
    """A solution of the command line, with the activity coefficients of a model and those given by the user."""
    ions = {name: ion_of(name) for name in written}
    concentrations = {name: quantity_of(f"--{side}", text, "mM") for name, text in written.items()}
    for name, c in concentrations.items():
        if c < 0.0:
            raise UsageError(f"--{side}: the concentration of {name} must be ≥ 0, got {c:g} mM")
    strength = float(ionic_strength(concentrations, {name: ion.valence for name, ion in ions.items()}))
    model, warnings = ACTIVITY_MODELS[activity], []
    for ion in ions.values():
        fault = model.missing(ion)
        if fault:
            raise UsageError(f"--activity {activity}: {fault}")
    if activity == "ideal":
        gamma = dict.fromkeys(ions, 1.0)
    else:
        logarithms = log_gamma(activity, ions, strength, temperature, concentrations)
        gamma = {name: exp(float(value)) for name, value in logarithms.items()}
        warnings = [f"{side}: {sentence}" for sentence in model.remarks(ions, temperature)]
        beyond = out_of_range(activity, strength, temperature)
        warnings += [f"{side}: {beyond}"] if beyond else []
        charges = [ions[name].valence * c for name, c in concentrations.items()]
        if abs(sum(charges)) > UNBALANCED * sum(map(abs, charges)):
            warnings.append(
                f"{side}: the charges do not balance, they add up to {sum(charges):+.4g} mM; the ionic strength, "
                f"{strength:.4g} mM, lacks the missing ions"
            )
    for name, text in gammas.items():
        if name not in ions:
            raise UsageError(f"--gamma-{side}: {name} is not in --{side}; give its concentration there")
        gamma[name] = quantity_of(f"--gamma-{side}", text, "1")
        if gamma[name] <= 0.0:
            raise UsageError(f"--gamma-{side}: must be greater than 0, got {text}")
    return Solution(side, concentrations, gamma, strength, tuple(warnings))


def permeabilities_of(texts: Iterable[str]) -> tuple[dict[str, float], bool]:
    """Permeabilities by ion, and whether they are in m s⁻¹ and not ratios only."""
    option, permeabilities, kinds = "--permeability", {}, set()
    for name, text in pairs_of(option, texts).items():
        value, dimension = _parsed(option, text)
        kinds.add(dimension.is_dimensionless)
        if not dimension.is_dimensionless:
            value = quantity_of(option, text, "m/s")
        if value < 0.0:
            raise UsageError(f"{option}: the permeability of {name} must be ≥ 0, got {text}")
        permeabilities[name] = value
    if len(kinds) > 1:
        raise UsageError(f"{option}: write all as ratios (K=1, Na=0.04) or all with a unit (K=4e-8 m/s)")
    return permeabilities, kinds == {False}
