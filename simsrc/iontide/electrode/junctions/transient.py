"""The liquid junction in time: two solutions that touch and diffuse into one another, no current flowing.

The equations are those of ``transient_equations``; they are integrated by Rodas5P (Steinebach 2023,
doi:10.1007/s10543-023-00967-x), whose steps conserve charge and amounts to rounding. Electroneutral solutions
were integrated by Cohen & Cooley 1965, Biophys J 5:145.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lapack

from ...constants import FARADAY, GAS_CONSTANT
from ...errors import SolverError, UsageError
from ...kernel.layout import tableau
from ...kernel.layout.step_control import GROW_MOST, SAFETY, SHRINK_MOST
from ...physics.activity.debye_hueckel import VACUUM_PERMITTIVITY
from ...physics.activity.water import TEMPERATURE_RANGE, permittivity
from ...physics.electrochemical import thermal_potential
from .transient_equations import FormingEquations, graded_widths

#: Charge of a solution, over that of all its ions without their signs, that is taken for rounding of its numbers.
ROUNDING_OF_CHARGE = 1e-9

#: Times the slowest ion takes to even out by a factor of e, after which a junction is taken for stationary.
LONG_AFTER = 15.0

#: Number of samples besides the first, and the first of these over the duration.
SAMPLES, EARLIEST = 120, 1e-6

#: Most attempts at a step.
MOST_STEPS = 50_000

#: The first step, in units of the shortest time in which something changes. The controller is that of the integrator.
FIRST_STEP = 1e-3

#: Below this share of its largest concentration an ion's errors count no less, and below 0 by so little is rounding.
LITTLE, ROUNDING = 1e-3, 1e-12

#: The potential over a face, in R T / F and times the number of faces, below which its errors count no less.
LITTLE_POTENTIAL = 0.1


@dataclass(frozen=True)
class FormingJunction:
    """A junction from the moment at which two solutions touch.

    Attributes
    ----------
    time : array, shape (samples,)
        s; the first is 0.
    position : array, shape (cells,)
        Centres of the cells, m; 0 is the end in the pipette's solution.
    concentrations : array, shape (samples, cells, ions)
        mol m⁻³. Where an ion is absent its concentration may be off 0, to both sides, by rounding of the most abundant
        one (1e-12 of it at most).
    potential : array, shape (samples, cells)
        V, against the pipette's end; where the ends are closed, against the first cell.
    junction_potential : array, shape (samples,)
        V, the bath's end minus the pipette's end; where the ends are closed, the last cell minus the first.
    widths : array, shape (cells,)
        m.
    steps : int
        How many steps in time were made.
    """

    time: NDArray
    position: NDArray
    concentrations: NDArray
    potential: NDArray
    junction_potential: NDArray
    widths: NDArray
    steps: int


def form_junction(
    valences: ArrayLike,
    diffusion_coefficients: ArrayLike,
    pipette: ArrayLike,
    bath: ArrayLike,
    *,
    temperature: float = 298.15,
    width: float = 1e-3,
    duration: float | None = None,
    times: ArrayLike | None = None,
    ends: str = "held",
    poisson: bool = False,
    cells: int = 120,
    rtol: float = 1e-6,
) -> FormingJunction:
    """Liquid junction in time, from a step in the middle on: concentrations and potential of ideal solutions.

    Each ion follows the equation of Nernst and Planck, and no current flows. At first the left half holds the pipette's
    solution and the right half that of the bath. Electroneutral, the first sample of the potential is that of the sharp
    step (the GHK potential with D for the permeabilities); at once after it the potential is that of free diffusion,
    constant until the profile reaches the ends. With ``poisson`` it rises from 0 as charge separates.

    The potential is off by an amount that falls with the square of ``cells``. With the default it is a few µV at most
    for solutions of like concentration, 15 µV where one is ten times the other, and 1.5 mV at a thousand times (NaCl,
    37 mV).

    Parameters
    ----------
    valences : array, shape (ions,)
        Signed; 0 for a neutral solute, which diffuses by itself.
    diffusion_coefficients : array, shape (ions,)
        m² s⁻¹; 0 for what does not move.
    pipette, bath : array, shape (ions,)
        Concentrations, mol m⁻³, ≥ 0. Each solution is electroneutral; what rounding leaves of charge is put on its most
        abundant ion.
    temperature : float
        K.
    width : float
        Length of the junction, m. Times scale with its square.
    duration : float, optional
        s. Where neither it nor ``times`` is given it is 15 width² / (π² D) with the smallest D that is not 0: by then
        the junction is stationary.
    times : array, shape (samples,), optional
        When to sample, s, rising; 0 is put before them if it is not the first. The run ends with the last. Not together
        with ``duration``. By default 0 and 120 times, each in one ratio to the one before, from 1e-6 of the duration on
        or, with ``poisson``, from a tenth of the time in which charge relaxes in the more conductive solution.
    ends : {"held", "closed"}
        Whether the ends stay at the two solutions, or nothing passes them.
    poisson : bool
        Whether charge may separate, by Gauss's law with the permittivity of water, as it does within a few nm. The
        middle cells are about 1e-4 ``width`` wide: for widths up to 1 µm or so.
    cells : int
        Even, ≥ 8. They are narrow in the middle, and at the ends where one solution is dilute.
    rtol : float
        Relative tolerance of one step, 1e-12 … 1e-2.

    Raises
    ------
    UsageError
        A number out of range, arrays that do not fit one another, a solution that is charged or holds no ion that
        moves, two solutions whose ions that move all go one way across the step.
    SolverError
        More steps needed than ``MOST_STEPS``.
    """
    z, d = _array("valences", valences), _array("diffusion_coefficients", diffusion_coefficients, least=0.0)
    left, right = _array("pipette", pipette, least=0.0), _array("bath", bath, least=0.0)
    if not len(z) == len(d) == len(left) == len(right):
        lengths = f"{len(z)}, {len(d)}, {len(left)} and {len(right)}"
        raise UsageError(f"valences, diffusion_coefficients, pipette and bath must be of one length, got {lengths}")
    if ends not in ("held", "closed"):
        raise UsageError(f"ends must be 'held' or 'closed', got {ends!r}")
    if isinstance(cells, bool) or not isinstance(cells, int | np.integer) or cells < 8 or cells % 2:
        raise UsageError(f"cells must be an even number of at least 8, got {cells!r}")
    kelvin, length = _positive("temperature", temperature), _positive("width", width)
    if not 1e-12 <= _positive("rtol", rtol) <= 1e-2:
        raise UsageError(f"rtol must be from 1e-12 to 1e-2, got {rtol!r}")
    if poisson and not TEMPERATURE_RANGE[0] <= kelvin <= TEMPERATURE_RANGE[1]:
        low, high = TEMPERATURE_RANGE
        raise UsageError(f"temperature must be from {low:g} to {high:g} K with poisson, got {kelvin:g}")
    left, right = _neutral("pipette", z, d, left), _neutral("bath", z, d, right)

    unit, fastest = max(left.max(), right.max()), d.max()
    second = length**2 / fastest
    screening = 0.0
    if poisson:
        epsilon = VACUUM_PERMITTIVITY * permittivity(kelvin)
        screening = epsilon * GAS_CONSTANT * kelvin / (FARADAY**2 * unit * length**2)
    strengths = np.array([left, right]) @ z**2
    widths = graded_widths(int(cells), float(strengths.min() / strengths.max()))
    present = left + right > 0.0
    equations = FormingEquations(
        z[present],
        d[present] / fastest,
        left[present] / unit,
        right[present] / unit,
        widths,
        held=ends == "held",
        permittivity=screening,
    )
    long_after = LONG_AFTER * length**2 / (np.pi**2 * d[present & (d > 0.0)].min())
    earliest = equations.relaxation * second / 10.0 if poisson else None
    at = _times(duration, times, long_after, earliest)

    states, steps = _follow(equations, at / second, rtol)
    u, result = equations.read(states)
    concentrations = np.zeros((len(at), len(widths), len(z)))
    concentrations[..., present] = result * unit
    concentrations[0] = np.repeat([left, right], len(widths) // 2, axis=0)  # to the last digit
    potential = np.cumsum(u, axis=1) * thermal_potential(kelvin)
    position = np.cumsum(widths) - 0.5 * widths
    return FormingJunction(
        time=at,
        position=position * length,
        concentrations=concentrations,
        potential=potential[:, :-1],
        junction_potential=potential[:, -1].copy(),
        widths=widths * length,
        steps=steps,
    )


def _array(name: str, given: ArrayLike, least: float = -np.inf) -> NDArray:
    try:
        array = np.array(given, dtype=float)
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be an array of numbers, got {given!r}") from None
    if array.ndim != 1 or not len(array):
        raise UsageError(f"{name} must be an array of one axis with at least one number, got shape {array.shape}")
    wrong = array[~(np.isfinite(array) & (array >= least))]
    if len(wrong):
        allowed = "finite" if least == -np.inf else f"finite and at least {least:g}"
        raise UsageError(f"{name} must be {allowed}, got {wrong[0]:g}")
    return array


def _positive(name: str, given: float) -> float:
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = np.nan
    if not (np.isfinite(value) and value > 0.0):
        raise UsageError(f"{name} must be a number greater than 0, got {given!r}")
    return value


def _neutral(name: str, z: NDArray, d: NDArray, solution: NDArray) -> NDArray:
    """The solution with its rounding of charge put on its most abundant ion."""
    each = np.abs(z) * solution
    if not each.any():
        raise UsageError(f"{name} must hold ions, got a solution without any")
    if not (each * d).any():
        raise UsageError(f"{name} must hold an ion that moves, got diffusion coefficients of 0 for all that it holds")
    charge = float(z @ solution)
    if abs(charge) > ROUNDING_OF_CHARGE * each.sum():
        raise UsageError(f"{name} must be electroneutral, got a charge of {charge:.6g} mol m⁻³")
    most = int(np.argmax(each))
    solution[most] -= charge / z[most]
    return solution


def _times(duration: float | None, times: ArrayLike | None, long_after: float, earliest: float | None) -> NDArray:
    """When to sample, s, from 0 on."""
    if times is None:
        last = long_after if duration is None else _positive("duration", duration)
        first = EARLIEST * last if earliest is None else min(earliest, EARLIEST * last)
        return np.concatenate([[0.0], np.geomspace(first, last, SAMPLES)])
    if duration is not None:
        raise UsageError("duration and times must not both be given: a run ends with the last of its times")
    at = _array("times", times, least=0.0)
    if not (np.diff(at) > 0.0).all() or at[-1] == 0.0:
        raise UsageError("times must rise, and the last must be greater than 0")
    return at if at[0] == 0.0 else np.concatenate([[0.0], at])


def _follow(equations: FormingEquations, times: NDArray, rtol: float) -> tuple[NDArray, int]:
    """Unknowns at rising times from 0 on, and how many steps were made; where the samples are does not change them."""
    y, end = equations.start(), float(times[-1])
    if not np.isfinite(y).all():
        raise UsageError("the ions of pipette and bath must be able to carry current both ways, got one way only")
    largest = np.abs(equations.read(y)[1]).max(axis=0)
    samples = np.empty((len(times), len(y)))
    samples[0] = y
    stages = np.empty((tableau.STAGES, len(y)))
    t, h, steps, next_sample = 0.0, FIRST_STEP * equations.quickest, 0, 1
    descent = equations.descent(y)
    for _ in range(MOST_STEPS):
        last = h >= end - t
        h = end - t if last else h
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            reached = _step(equations, y, h, descent, stages)
            error = _error(equations, y, reached, stages[-1], largest) / rtol
            negative = _negative(equations.read(reached)[1], largest)
        if not np.isfinite(error):
            h *= SHRINK_MOST
            continue
        factor = min(GROW_MOST, max(SHRINK_MOST, SAFETY * max(error, 1e-30) ** (-1.0 / tableau.ORDER)))
        if error > 1.0 or negative:
            h *= factor if error > 1.0 else 0.5
            continue
        ahead = end if last else t + h
        until = int(np.searchsorted(times, ahead, side="right"))
        if until > next_sample:
            theta = np.minimum((times[next_sample:until] - t) / h, 1.0)[:, None]
            k = tableau.H @ stages
            inner = (1.0 - theta) * (k[0] + theta * (k[1] + theta * k[2]))
            samples[next_sample:until] = (1.0 - theta) * y + theta * (reached + inner)
            for i in range(next_sample, until):
                if _negative(equations.read(samples[i])[1], largest):
                    # The interpolant of a coarse step is less exact than a shorter step.
                    samples[i] = _step(equations, y, times[i] - t, descent, stages)
            next_sample = until
        y, t, h, steps = reached, ahead, h * factor, steps + 1
        if last:
            return samples, steps
        descent = equations.descent(y)
    raise SolverError(
        f"the junction needs more than {MOST_STEPS} steps: at {t / end:.3g} of the duration the next would be "
        f"{h / end:.3g} of it; a larger rtol or fewer cells ask for fewer"
    )


def _step(equations: FormingEquations, y: NDArray, h: float, descent: NDArray, stages: NDArray) -> NDArray:
    """One step of Rodas5P; fills the stages, of which the last is the error."""
    n, mass = equations.band, equations.mass
    band = descent.copy(order="F")
    band[2 * n] += mass / (h * tableau.GAMMA)
    lu, pivots, _ = lapack.dgbtrf(band, n, n, overwrite_ab=True)
    at = y
    for i in range(tableau.STAGES):
        at = y + tableau.A[i, :i] @ stages[:i]
        right = equations.rates(at) + mass * ((tableau.C[i, :i] / h) @ stages[:i])
        stages[i], _ = lapack.dgbtrs(lu, n, n, right, pivots, overwrite_b=True)
    return at + stages[-1]


def _error(equations: FormingEquations, y: NDArray, reached: NDArray, error: NDArray, largest: NDArray) -> float:
    """The largest relative error of a step, each number's over its size or a small part of the largest of its kind.

    Every ion is weighed by its concentrations, the rarest like the most abundant. The largest error counts and not the
    mean, because early in a run all that happens is in a few cells.
    """
    (u, c), (u_next, c_next), (u_error, c_error) = (equations.read(x) for x in (y, reached, error))
    of_c = np.maximum(np.abs(c), np.abs(c_next)) + LITTLE * largest
    of_u = np.maximum(np.abs(u), np.abs(u_next)) + LITTLE_POTENTIAL / len(u)
    return max(float((np.abs(c_error) / of_c).max()), float((np.abs(u_error) / of_u).max()))


def _negative(concentrations: NDArray, largest: NDArray) -> bool:
    """Whether there is less than nothing of an ion somewhere, beyond rounding."""
    return bool((concentrations < -ROUNDING * largest).any())
