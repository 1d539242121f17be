"""Liquid junction potentials of two solutions, of the bath relative to the pipette."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...errors import SolverError, UsageError
from ...physics.electrochemical import thermal_potential
from ...physics.ions import Ion
from .closed_forms import henderson, lewis_sargent
from .conductivity import equivalent_conductivity, limiting_conductivity
from .nernst_planck import NotConverged, Stationary, stationary_junction
from .pair import SolutionPair, solution_pair

#: The methods, by name.
METHODS = ("nernst-planck", "henderson", "lewis-sargent")

#: Stated with every result.
CONVENTION = "bath relative to pipette: V_measured = V_true + LJP"

#: Concentrations that Lewis and Sargent's formula takes for equal, as a part of themselves.
_EQUAL = 1e-6


@dataclass(frozen=True)
class JunctionProfile:
    """A stationary junction, from the pipette to the bath.

    Attributes
    ----------
    position : array, shape (points,)
        0 at the pipette's end, 1 at the bath's.
    concentrations : array, shape (ions, points)
        mol m⁻³.
    potential : array, shape (points,)
        V, against the pipette.
    """

    position: NDArray
    concentrations: NDArray
    potential: NDArray


@dataclass(frozen=True)
class Junction:
    """A liquid junction potential, and how it was computed.

    Attributes
    ----------
    potential : float
        V, bath relative to pipette.
    method : str
    pair : SolutionPair
    error : float
        V; what the method of solution may be off by, which a closed formula is not.
    warnings : tuple of str
    """

    potential: float
    method: str
    pair: SolutionPair = field(repr=False)
    error: float = 0.0
    warnings: tuple[str, ...] = ()
    stationary: Stationary | None = field(default=None, repr=False, compare=False)

    @property
    def ions(self) -> tuple[str, ...]:
        """Names of the ions of both solutions."""
        return self.pair.ions_named

    def profile(self, points: int = 201) -> JunctionProfile:
        """Concentrations and potential across the junction; of ``nernst-planck`` alone.

        Raises
        ------
        UsageError
            For a method that gives no profile.
        """
        result = self._solved.profile(points)
        volts = thermal_potential(self.pair.temperature) * result.phi
        return JunctionProfile(result.position, result.concentrations, volts)

    @property
    def fluxes(self) -> Mapping[str, float]:
        """Flux of each ion towards the bath, times the width of the junction, mol m⁻¹ s⁻¹ (with D at 25 °C)."""
        return dict(zip(self.ions, self._solved.fluxes.tolist(), strict=True))

    @property
    def _solved(self) -> Stationary:
        if self.stationary is None:
            raise UsageError(f"{self.method} gives no profile between the solutions; use nernst-planck")
        return self.stationary


def junction_potential(
    pipette: Mapping[str, float],
    bath: Mapping[str, float],
    temperature: float = 298.15,
    method: str = "nernst-planck",
    activity: str = "ideal",
    *,
    balance: str | None = None,
    ions: Mapping[str, Ion] | None = None,
) -> float:
    """Liquid junction potential of the bath relative to the pipette, V.

    A potential measured through it is ``V_measured = V_true + LJP`` (the sign of Barry & Lynch 1991,
    doi:10.1007/BF01870526). The parameters are those of ``junction``, which gives the profile and the conditions too.

    Examples
    --------
    >>> pipette, bath = {"K-gluconate": 130, "KCl": 10}, {"NaCl": 140, "KCl": 5}
    >>> round(1e3 * iontide.junction_potential(pipette, bath), 2)  # mV
    16.37
    """
    return junction(pipette, bath, temperature, method, activity, balance=balance, ions=ions).potential


def junction(
    pipette: Mapping[str, float],
    bath: Mapping[str, float],
    temperature: float = 298.15,
    method: str = "nernst-planck",
    activity: str = "ideal",
    *,
    balance: str | None = None,
    ions: Mapping[str, Ion] | None = None,
) -> Junction:
    """Solve a liquid junction between two solutions; the potential is that of the bath relative to the pipette.

    Mobilities are those of the ion library, at 25 °C: only their ratios matter, and these are taken to hold at other
    temperatures too.

    Parameters
    ----------
    pipette, bath : mapping of str to float
        Ions (``K``, ``gluconate``) or salts (``NaCl``, ``K-gluconate``) with their concentrations, mol m⁻³. What is
        charged and moves must be in it, buffers too, in the form in which it is charged.
    temperature : float
        K.
    method : {"nernst-planck", "henderson", "lewis-sargent"}
        The stationary Nernst–Planck equations, for any ions; Henderson's formula, where the solutions mix linearly;
        Lewis and Sargent's, for two salts of monovalent ions with one ion in common and of one concentration.
    activity : {"ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer"}
        Where the activity coefficients come from.
    balance : str, optional
        An ion whose concentration is chosen, on each side, so that the charges balance.
    ions : mapping of str to Ion, optional
        Ions that the library lacks, or has otherwise, by name.

    Returns
    -------
    Junction

    Raises
    ------
    UsageError
        No such ion, method or model; charges that do not balance; an ion without mobility; a solution without ions; a
        method that does not apply.
    SolverError
        The equations could not be solved.

    Examples
    --------
    >>> junction = iontide.junction({"K-gluconate": 130, "KCl": 10}, {"NaCl": 140, "KCl": 5}, method="henderson")
    >>> round(1e3 * junction.potential, 2), junction.ions  # mV
    (15.91, ('Cl', 'K', 'Na', 'gluconate'))
    """
    if method not in METHODS:
        raise UsageError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    pair = solution_pair(pipette, bath, temperature, activity, balance, ions)
    return junction_of(pair, method)


def junction_of(pair: SolutionPair, method: str = "nernst-planck") -> Junction:
    """The junction of two solutions that have been checked."""
    per_unit = thermal_potential(pair.temperature)
    z, d = pair.valences, pair.diffusion_coefficients
    if method == "henderson":
        phi = float(henderson(z, d, pair.activities("pipette"), pair.activities("bath")))
        return Junction(per_unit * phi, method, pair, warnings=pair.warnings)
    if method == "lewis-sargent":
        phi, remarks = _lewis_sargent(pair)
        return Junction(per_unit * phi, method, pair, warnings=(*pair.warnings, *remarks))
    # In one order whatever the order they were given in, so that not even the rounding differs.
    order = sorted(range(len(z)), key=lambda k: (z[k], d[k], pair.pipette[k], pair.bath[k]))
    if np.array_equal(pair.pipette, pair.bath):
        return Junction(0.0, method, pair, warnings=pair.warnings, stationary=_solve(pair, list(range(len(z)))))
    solved = _solve(pair, order)
    return Junction(per_unit * solved.potential, method, pair, per_unit * solved.error, pair.warnings, solved)


def _solve(pair: SolutionPair, order: list[int]) -> Stationary:
    """The stationary junction, with the ions in another order; it is returned in the given order."""
    ordered = SolutionPair(
        tuple(pair.ions[k] for k in order), pair.pipette[order], pair.bath[order], pair.temperature, pair.activity
    )
    z, d = ordered.valences, ordered.diffusion_coefficients
    try:
        return stationary_junction(z, d, ordered.pipette, ordered.bath, ordered.log_gamma).reordered(np.argsort(order))
    except NotConverged:
        raise SolverError(
            "the Nernst–Planck equations of this junction could not be solved"
            + (f" with activities by {pair.activity}: try ideal ones" if pair.activity != "ideal" else "")
        ) from None


def _lewis_sargent(pair: SolutionPair) -> tuple[float, list[str]]:
    """F LJP / (R T) and remarks, where the formula applies."""
    salts = []
    for side in ("pipette", "bath"):
        held = [(ion, c) for ion, c in zip(pair.ions, pair.side(side).tolist(), strict=True) if c > 0.0 and ion.valence]
        cations, anions = ([(i, c) for i, c in held if i.valence == z] for z in (1, -1))
        if len(held) != 2 or len(cations) != 1 or len(anions) != 1:
            raise UsageError(
                f"lewis-sargent holds for one salt of two monovalent ions on each side; {side} holds "
                f"{', '.join(i.name for i, _ in held)}"
            )
        salts.append((cations[0][0], anions[0][0], cations[0][1]))
    (cation, anion, c), (other_cation, other_anion, other_c) = salts
    if abs(c - other_c) > _EQUAL * c:
        raise UsageError(f"lewis-sargent holds for one concentration on both sides, not {c:g} and {other_c:g} mM")
    if cation != other_cation and anion != other_anion:
        raise UsageError(
            f"lewis-sargent holds for salts with one ion in common; {cation.name} {anion.name} and {other_cation.name} "
            f"{other_anion.name} have none"
        )
    coefficients = [(a.diffusion_coefficient or 0.0, b.diffusion_coefficient or 0.0) for a, b, _ in salts]
    measured = [equivalent_conductivity(a.name, b.name, c, d) for (a, b, _), d in zip(salts, coefficients, strict=True)]
    remarks = []
    if measured[0] is None or measured[1] is None:
        values = [limiting_conductivity(d) for d in coefficients]
        remarks = ["lewis-sargent: conductivities at infinite dilution, for none is listed at this concentration"]
    else:
        values = [value for value in measured if value is not None]
    common = -1 if anion == other_anion else 1
    return lewis_sargent(common, *values), remarks
