"""The activity models by name: what each needs, where it holds, and one function that calls any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import numpy as np

from ...constants import ZERO_CELSIUS
from ..ions import find_ion, ion_library
from . import davies, debye_hueckel, pitzer, pitzer_parameters, truesdell_jones
from .water import TEMPERATURE_RANGE


class Solute(Protocol):
    """What an activity model needs of a species; ``physics.ions.Ion`` has it."""

    @property
    def name(self) -> str: ...
    @property
    def valence(self) -> int: ...
    @property
    def ion_size(self) -> float | None: ...
    @property
    def truesdell_jones(self) -> tuple[float, float] | None: ...


@dataclass(frozen=True)
class ActivityModel:
    """A model of activity coefficients.

    Attributes
    ----------
    name : str
        As in a scenario.
    title : str
        As messages print it.
    max_ionic_strength : float
        Up to where it holds, mol m⁻³.
    temperatures : tuple of float
        Range, K.
    needs : {"", "ion_size", "truesdell_jones", "pitzer"}
        What every charged species must have.
    source : str
    """

    name: str
    title: str
    max_ionic_strength: float
    temperatures: tuple[float, float]
    needs: str
    source: str

    def missing(self, solute: Solute) -> str | None:
        """Why this model cannot be used for a species, as a sentence; None: it can."""
        if not solute.valence:
            return None
        if self.needs == "ion_size" and solute.ion_size is None:
            return (
                f"{solute.name} has no ion size: give its ion_size (Kielland's parameter, 2.5 to 11 Å), "
                "or use davies, which needs none"
            )
        if self.needs == "truesdell_jones" and solute.truesdell_jones is None:
            have = ", ".join(ion.name for ion in ion_library().values() if ion.truesdell_jones)
            return (
                f"{solute.name} has no Truesdell–Jones parameters a0 and b: give them, or use davies or "
                f"debye_hueckel; known are {have}"
            )
        if self.needs == "pitzer":
            ion = find_ion(solute.name)
            if ion is None or ion.name not in pitzer_parameters.listed_ions():
                return f"{solute.name} has no Pitzer parameters with any ion: use davies or debye_hueckel"
            if ion.valence != solute.valence:
                return (
                    f"{solute.name} has valence {solute.valence:+d}, and the Pitzer parameters of that name are those "
                    f"of valence {ion.valence:+d}: call the species something else"
                )
        return None

    def remarks(self, solutes: Mapping[str, Solute], temperature: float | None = None) -> list[str]:
        """Warnings about this model in a solution of these species, as sentences; often none.

        Parameters
        ----------
        solutes : mapping of str to Solute
        temperature : float, optional
            K; None: any.
        """
        if self.needs == "truesdell_jones":
            plain = [n for n, s in solutes.items() if s.valence and s.truesdell_jones and s.truesdell_jones[1] == 0.0]
            if plain:
                return [
                    f"truesdell_jones: b is 0 for {', '.join(plain)}: for these it is the extended Debye–Hückel law, "
                    "which holds to about 100 mM"
                ]
        if self.needs != "pitzer":
            return []
        valence = {name: solute.valence for name, solute in solutes.items()}
        warnings = []
        salts = pitzer_parameters.missing_salts(valence)
        if salts:
            warnings.append(f"pitzer: no parameters, hence no specific interaction, between {_pairs(salts)}")
        mixing = pitzer_parameters.missing_mixing(valence)
        if mixing:
            warnings.append(f"pitzer: no mixing parameter theta, taken as 0, between {_pairs(mixing)}")
        if temperature is None or abs(temperature - pitzer_parameters.REFERENCE_TEMPERATURE) > 0.5:
            fixed = pitzer_parameters.salts_without_temperature(valence)
            if fixed:
                warnings.append(f"pitzer: parameters known at 25 °C only, and held there, between {_pairs(fixed)}")
        return warnings


def _pairs(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(f"{a} and {b}" for a, b in pairs)


#: The models that compute activity coefficients, by name.
ACTIVITY_MODELS: Mapping[str, ActivityModel] = {
    model.name: model
    for model in (
        ActivityModel("ideal", "ideal solution (coefficients of 1)", inf, (0.0, inf), "", ""),
        ActivityModel(
            "debye_hueckel",
            "extended Debye–Hückel",
            100.0,
            TEMPERATURE_RANGE,
            "ion_size",
            "Kielland 1937, doi:10.1021/ja01288a032",
        ),
        ActivityModel("davies", "Davies", 500.0, TEMPERATURE_RANGE, "", "Davies 1962, Ion Association"),
        ActivityModel(
            "truesdell_jones",
            "Truesdell–Jones",
            2000.0,
            TEMPERATURE_RANGE,
            "truesdell_jones",
            "Truesdell & Jones 1974, J. Res. U.S. Geol. Surv. 2:233; doi:10.3133/tm6A43",
        ),
        ActivityModel(
            "pitzer",
            "Pitzer",
            6000.0,
            TEMPERATURE_RANGE,
            "pitzer",
            "Harvie, Møller & Weare 1984, doi:10.1016/0016-7037(84)90098-X",
        ),
    )
}


def log_gamma(
    model: str,
    solutes: Mapping[str, Solute],
    ionic_strength: Any,
    temperature: Any,
    concentrations: Mapping[str, Any],
) -> dict[str, Any]:
    """Natural logarithm of the activity coefficient of every species of one solution.

    ``a = gamma c`` with c per volume of solvent (molal scale; see ``water.molality``). Works on floats, on arrays
    (samples of a trajectory) and on expressions (the equations), with finite derivatives also at I = 0.

    Parameters
    ----------
    model : str
        A name in ``ACTIVITY_MODELS``.
    solutes : mapping of str to Solute
        By name; those of which ``ActivityModel.missing`` is None.
    ionic_strength : float, array or Expression
        mol m⁻³ (``debye_hueckel.ionic_strength``).
    temperature : float, array or Expression
        K.
    concentrations : mapping of str to float, array or Expression
        mol m⁻³, of every species; only ``pitzer`` reads them.

    Returns
    -------
    dict of str to float, array or Expression
        –

    Raises
    ------
    ValueError
        No such model, or a species lacks what the model needs.
    """
    if model not in ACTIVITY_MODELS:
        raise ValueError(f"there is no activity model {model}; there are {', '.join(ACTIVITY_MODELS)}")
    for solute in solutes.values():
        fault = ACTIVITY_MODELS[model].missing(solute)
        if fault:
            raise ValueError(f"{model}: {fault}")
    valence = {name: solute.valence for name, solute in solutes.items()}
    if model == "debye_hueckel":
        sizes = {name: s.ion_size for name, s in solutes.items() if s.ion_size is not None}
        return debye_hueckel.log_gamma(valence, sizes, ionic_strength, temperature)
    if model == "davies":
        return davies.log_gamma(valence, ionic_strength, temperature)
    if model == "truesdell_jones":
        parameters = {name: s.truesdell_jones for name, s in solutes.items() if s.truesdell_jones is not None}
        return truesdell_jones.log_gamma(valence, parameters, ionic_strength, temperature)
    if model == "pitzer":
        return pitzer.log_gamma(valence, ionic_strength, temperature, concentrations)
    return dict.fromkeys(solutes, 0.0)


def out_of_range(model: str, ionic_strength: Any, temperature: Any) -> str | None:
    """Whether and by how much a model was used where it does not hold, as a sentence; None: it holds.

    Parameters
    ----------
    model : str
        A name in ``ACTIVITY_MODELS``.
    ionic_strength : float or array
        mol m⁻³; of an array (a trajectory) the largest value counts.
    temperature : float or array
        K.

    Raises
    ------
    ValueError
        A value is negative or not finite.
    """
    described = ACTIVITY_MODELS[model]
    strength, kelvin = np.asarray(ionic_strength, dtype=float), np.asarray(temperature, dtype=float)
    if not (np.isfinite(strength).all() and np.isfinite(kelvin).all()):
        raise ValueError(f"{model}: ionic strength and temperature must be finite")
    if strength.min(initial=0.0) < 0.0:
        raise ValueError(f"{model}: ionic strength must be ≥ 0, got {strength.min():.6g} mol/m³")
    warnings = []
    if strength.max(initial=0.0) > described.max_ionic_strength:
        warnings.append(
            f"the ionic strength is {strength.max():.4g} mM, beyond the {described.max_ionic_strength:g} mM "
            f"up to which the {described.title} model holds"
        )
    low, high = described.temperatures
    for extreme, outside in ((kelvin.min(initial=inf), "below"), (kelvin.max(initial=-inf), "above")):
        if (extreme < low) if outside == "below" else (extreme > high):
            warnings.append(
                f"the temperature is {extreme - ZERO_CELSIUS:.4g} °C, {outside} the {low - ZERO_CELSIUS:g} to "
                f"{high - ZERO_CELSIUS:g} °C in which the {described.title} model holds"
            )
    return f"{model}: {'; '.join(warnings)}" if warnings else None
