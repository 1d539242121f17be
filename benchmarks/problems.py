"""Two reference problems, each twice: as an iontide model, and by hand as a user of another solver would.

The hand-written side shares no code with iontide. Its state is scaled, so that one scalar tolerance fits all
of it (several solvers take no other): amounts in units of 100 mM times the volume, potential in 100 mV.

* ``p1``: a passive cell from V = 0 to its Donnan equilibrium; fast mode 2 ms, slow modes 500–1000 s, 10 h.
* ``pump_leak``: the same with a Na/K pump that stands still from 10 000 to 20 000 s; volume fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from iontide import (
    Compartment,
    Impermeant,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Recording,
    Simulation,
    Species,
    Trajectory,
)
from iontide.formulas.formula import parse_formula

# The common cell, SI: a sphere of radius 10 µm, 1 µF/cm², 37 °C. Concentrations in mol/m³ = mM.
RADIUS = 10e-6
AREA = 4.0 * math.pi * RADIUS**2
VOLUME = 4.0 / 3.0 * math.pi * RADIUS**3
CAPACITANCE = 0.01
TEMPERATURE = 310.15
P_K = 4e-8
PUMP_RATE = 1.4e-6
INSIDE = {"K": 140.0, "Na": 10.0, "Cl": 10.0}
OUTSIDE = {"K": 4.0, "Na": 146.0, "Cl": 150.0}
RELATIVE_PERMEABILITY = {"K": 1.0, "Na": 0.04, "Cl": 0.45}
FARADAY, GAS_CONSTANT = 96485.33212331001, 8.31446261815324  # exact, SI 2019, to the last double

#: Units of the hand-written state.
CONCENTRATION_UNIT, POTENTIAL_UNIT = 100.0, 0.1
UNITS = np.array([CONCENTRATION_UNIT * VOLUME] * 3 + [POTENTIAL_UNIT])

#: Weight, in those units, of the absolute part of the error (and of every solver's tolerance).
ABSOLUTE_FRACTION = 0.01


# -- the right-hand side by hand ----------------------------------------------------------------------
#
# y = K, Na, Cl, V; p = the numbers that do not change within a segment, see ``Problem.segments``.


def _bernoulli(u):
    """u / (exp(u) − 1)."""
    if abs(u) < 1e-5:
        return 1.0 - 0.5 * u + u * u / 12.0
    return u / math.expm1(u)


def _bernoulli_slope(u, b):
    """Its derivative, given its value b."""
    if abs(u) < 1e-2:
        v = u * u
        return -0.5 + u * (1.0 / 6.0 - v * (1.0 / 180.0 - v * (1.0 / 5040.0 - v / 151200.0)))
    return b * (1.0 - u - b) / u


def _rates(t, y, p, f):
    u = p[5] * y[3]
    b = bernoulli(u)
    c = b + u  # B(−u)
    saturation = y[1] / (y[1] + p[9])
    pump = p[3] * saturation * saturation * saturation
    k = p[0] * (c * y[0] - b * p[6])
    na = p[1] * (c * y[1] - b * p[7])
    cl = p[2] * (b * y[2] - c * p[8])
    f[0] = -k + 2.0 * pump
    f[1] = -na - 3.0 * pump
    f[2] = -cl
    f[3] = -p[4] * (k + na - cl + pump)


def _jacobian(t, y, p, j):
    u = p[5] * y[3]
    b = bernoulli(u)
    c = b + u
    db = bernoulli_slope(u, b) * p[5]
    dc = db + p[5]
    bound = y[1] + p[9]
    saturation = y[1] / bound
    pump = 3.0 * p[3] * saturation * saturation * p[9] / (bound * bound)
    k_v = p[0] * (dc * y[0] - db * p[6])
    na_v = p[1] * (dc * y[1] - db * p[7])
    cl_v = p[2] * (db * y[2] - dc * p[8])
    j[0, 0], j[0, 1], j[0, 2], j[0, 3] = -p[0] * c, 2.0 * pump, 0.0, -k_v
    j[1, 0], j[1, 1], j[1, 2], j[1, 3] = 0.0, -p[1] * c - 3.0 * pump, 0.0, -na_v
    j[2, 0], j[2, 1], j[2, 2], j[2, 3] = 0.0, 0.0, -p[2] * b, -cl_v
    j[3, 0], j[3, 1], j[3, 2] = -p[4] * p[0] * c, -p[4] * (p[1] * c + pump), p[4] * p[2] * b
    j[3, 3] = -p[4] * (k_v + na_v - cl_v)


# Python and machine code of the same text; the Python functions find these names when they are called.
bernoulli = njit(error_model="numpy")(_bernoulli)
bernoulli_slope = njit(error_model="numpy")(_bernoulli_slope)
#: ``rates(t, y, p, f)`` and ``jacobian(t, y, p, j)`` write into their last argument; compiled by numba.
rates = njit(error_model="numpy")(_rates)
jacobian = njit(error_model="numpy")(_jacobian)


def plain_rates(t: float, y: NDArray, p: NDArray) -> list[float]:
    """The right-hand side in plain Python, as it is written for SciPy most often."""
    k, na, cl, v = y.tolist()
    k_rate, na_rate, cl_rate, pump_rate, charge, phi, k_out, na_out, cl_out, half = p.tolist()
    u = phi * v
    b = _bernoulli(u)
    c = b + u
    pump = pump_rate * (na / (na + half)) ** 3
    k_flux = k_rate * (c * k - b * k_out)
    na_flux = na_rate * (c * na - b * na_out)
    cl_flux = cl_rate * (b * cl - c * cl_out)
    return [
        -k_flux + 2.0 * pump,
        -na_flux - 3.0 * pump,
        -cl_flux,
        -charge * (k_flux + na_flux - cl_flux + pump),
    ]


def _parameters(pump_rate: float) -> NDArray:
    per_second = P_K * AREA / VOLUME
    potassium = OUTSIDE["K"] / (OUTSIDE["K"] + 1.5)
    return np.array(
        [
            per_second * RELATIVE_PERMEABILITY["K"],
            per_second * RELATIVE_PERMEABILITY["Na"],
            per_second * RELATIVE_PERMEABILITY["Cl"],
            pump_rate * potassium**2 * AREA / VOLUME / CONCENTRATION_UNIT,
            FARADAY * VOLUME * CONCENTRATION_UNIT / (CAPACITANCE * AREA) / POTENTIAL_UNIT,
            FARADAY / (GAS_CONSTANT * TEMPERATURE) * POTENTIAL_UNIT,
            *(OUTSIDE[ion] / CONCENTRATION_UNIT for ion in ("K", "Na", "Cl")),
            10.0 / CONCENTRATION_UNIT,
        ]
    )


#: Initial state, parameters, times → states, shape (times, 4).
Solve = Callable[[NDArray, NDArray, NDArray], NDArray]


@dataclass(frozen=True)
class Problem:
    """One reference problem.

    Attributes
    ----------
    name, title : str
    model : Model
        For iontide; without a recording of its own.
    segments : tuple of (float, array)
        Duration, s, and parameters of the hand-written equations, for each stretch between protocol steps.
    """

    name: str
    title: str
    model: Model
    segments: tuple[tuple[float, NDArray], ...]

    @cached_property
    def y0(self) -> NDArray:
        """Initial state in the units of the hand-written equations."""
        return np.array([INSIDE[ion] / CONCENTRATION_UNIT for ion in ("K", "Na", "Cl")] + [0.0])

    def model_at(self, rtol: float, points: int = 100, spacing: str = "log") -> Model:
        """The model at a tolerance, recorded at t = 0 and at ``points`` times from 10 µs to the end."""
        first = 1e-5 if spacing == "log" else None
        return replace(
            self.model,
            simulation=replace(self.model.simulation, rtol=rtol),
            recording=Recording(spacing, points, first),  # type: ignore[arg-type]
        )

    def output_times(self, trajectory: Trajectory) -> list[NDArray]:
        """When a trajectory was sampled, s from the start of each segment: the times for other solvers."""
        starts = np.concatenate([[0.0], np.cumsum([length for length, _ in self.segments])])
        times = [trajectory.time[trajectory.segment == s] - starts[s] for s in range(len(self.segments))]
        for (length, _), within in zip(self.segments, times, strict=True):
            assert within[0] == 0.0
            assert abs(within[-1] - length) < 1e-9 * length
            within[-1] = length
        return times

    def scaled(self, trajectory: Trajectory) -> NDArray:
        """States of a trajectory in the units and the order of the hand-written equations."""
        layout = trajectory.run.layout
        order = [layout.amount_index["cell", ion] for ion in ("K", "Na", "Cl")]
        return trajectory.states[:, [*order, layout.potential_index["cell"]]] / UNITS

    def by_segments(self, solve: Solve, times: list[NDArray]) -> NDArray:
        """Chain ``solve(y0, parameters, times) -> states`` over the segments."""
        y, parts = self.y0, []
        for (_, p), within in zip(self.segments, times, strict=True):
            parts.append(solve(y, p, within))
            y = parts[-1][-1].copy()
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def reference(self, times: list[NDArray]) -> NDArray:
        """Solution by SciPy's Radau at rtol 1e-12, from output to output, so that nothing is interpolated."""
        from scipy.integrate import solve_ivp

        def solve(y: NDArray, p: NDArray, within: NDArray) -> NDArray:
            states = [y]
            for start, end in pairwise(within):
                solution = solve_ivp(
                    lambda t, y: _filled(rates, t, y, p, (4,)),
                    (0.0, end - start),
                    states[-1],
                    "Radau",
                    rtol=1e-12,
                    atol=1e-14,
                    jac=lambda t, y: _filled(jacobian, t, y, p, (4, 4)),
                )
                assert solution.success, solution.message
                states.append(solution.y[:, -1])
            return np.array(states)

        states = self.by_segments(solve, times)
        assert np.isfinite(states).all()
        return states


def _filled(function: Callable, t: float, y: NDArray, p: NDArray, shape: tuple[int, ...]) -> NDArray:
    result = np.empty(shape)
    function(t, y, p, result)
    return result


def error_along(states: NDArray, reference: NDArray) -> float:
    """Largest |y − y_ref| / (|y_ref| + 0.01 units) over all outputs and states; infinite if not finite."""
    if states.shape != reference.shape:
        return math.inf
    error = np.max(np.abs(states - reference) / (np.abs(reference) + ABSOLUTE_FRACTION))
    return float(error) if np.isfinite(error) else math.inf


def check_by_hand(problem: Problem) -> dict[str, float]:
    """Hold the equations by hand against mpmath at 40 digits: largest relative errors of rates and slopes."""
    import mpmath

    worst_rate = worst_slope = worst_plain = 0.0
    with mpmath.workdps(40):
        for _, p in problem.segments:
            q = [mpmath.mpf(float(x)) for x in p]
            for v in (-0.9, -0.12, -1e-3, -1e-7, 0.0, 1e-9, 1e-6, 2e-3, 0.3):
                y = [1.1, 0.4, 0.07, v]

                def rate(i, *y, q=q):
                    def b(u):
                        return u / mpmath.expm1(u) if u else mpmath.mpf(1)

                    u = q[5] * y[3]
                    k = q[0] * (b(-u) * y[0] - b(u) * q[6])
                    na = q[1] * (b(-u) * y[1] - b(u) * q[7])
                    cl = q[2] * (b(u) * y[2] - b(-u) * q[8])
                    pump = q[3] * (y[1] / (y[1] + q[9])) ** 3
                    return (-k + 2 * pump, -na - 3 * pump, -cl, -q[4] * (k + na - cl + pump))[i]

                exact_y = [mpmath.mpf(x) for x in y]
                f = _filled(rates, 0.0, np.array(y), p, (4,))
                j = _filled(jacobian, 0.0, np.array(y), p, (4, 4))
                plain = plain_rates(0.0, np.array(y), p)
                for i in range(4):
                    exact = rate(i, *exact_y)
                    worst_rate = max(worst_rate, abs(float((f[i] - exact) / exact)))
                    worst_plain = max(worst_plain, abs(float((plain[i] - exact) / exact)))
                    one = partial(rate, i)
                    row = [float(mpmath.diff(one, exact_y, d)) for d in np.eye(4, dtype=int)]
                    worst_slope = max(worst_slope, float(np.max(np.abs(j[i] - row)) / np.max(np.abs(row))))
    return {"rates": worst_rate, "Python rates": worst_plain, "Jacobian": worst_slope}


# -- the problems -------------------------------------------------------------------------------------


def _ghk(ion: str) -> Pathway:
    return Pathway(f"permeability.{ion}", "ghk", {ion: 1}, {"": P_K * RELATIVE_PERMEABILITY[ion]})


def _passive_cell() -> Model:
    membrane = Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, 0.0, tuple(_ghk(ion) for ion in ("K", "Na", "Cl")))
    return Model(
        title="P1",
        species={"K": Species("K", 1), "Na": Species("Na", 1), "Cl": Species("Cl", -1)},
        compartments={
            "cell": Compartment("cell", "finite", VOLUME, INSIDE, (Impermeant("A", -1.0, 140.0),)),
            "bath": Compartment("bath", "bath", None, OUTSIDE),
        },
        membranes={"plasma": membrane},
        simulation=Simulation(36_000.0),
        temperature=TEMPERATURE,
    )


def p1() -> Problem:
    """Passive cell to Donnan equilibrium."""
    return Problem("p1", "P1, passive cell to Donnan equilibrium", _passive_cell(), ((36_000.0, _parameters(0.0)),))


def pump_leak() -> Problem:
    """Pump-leak cell of fixed volume; ouabain from 10 000 to 20 000 s."""
    model = _passive_cell()
    plasma = model.membranes["plasma"]
    pump = Pathway(
        "pathways.pump",
        "na_k_atpase_cubic",
        {"Na": 3, "K": -2},
        {
            "rate": parse_formula("pump_rate"),
            "half_saturation.Na_inside": 10.0,
            "half_saturation.K_outside": 1.5,
        },
    )
    model = replace(
        model,
        title="pump-leak cell with ouabain",
        membranes={"plasma": replace(plasma, pathways=(*plasma.pathways, pump))},
        parameters={"pump_rate": Parameter("pump_rate", PUMP_RATE)},
        protocol=(ParameterStep(10_000.0, 20_000.0, {"pump_rate": 0.0}),),
    )
    working, stopped = _parameters(PUMP_RATE), _parameters(0.0)
    return Problem(
        "pump_leak",
        "pump-leak cell, fixed volume, ouabain from 10 000 to 20 000 s",
        model,
        ((10_000.0, working), (10_000.0, stopped), (16_000.0, working)),
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {"p1": p1, "pump_leak": pump_leak}
