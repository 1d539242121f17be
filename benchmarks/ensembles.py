"""Many runs side by side: runs per second and core at equal error, for iontide's lanes and its peers.

    python benchmarks/ensembles.py [--problem p1|p2] [--points 10000] [--repeats 5] [--json FILE]

10 000 variants of a cell, each permeability times 10^U(−½, ½), to the end state. The error of a solver at a tolerance
is the median over variants of the largest error along the transient, at 60 times; the time is that of a whole
ensemble to its ends alone, the fastest of the repeats. Peers get the equations as machine code and all parameters
marshalled; numbalsoda is driven by a compiled loop. iontide's time holds all that a sweep does between the table of
values and the arrays of ends (the prologue for each variant, the queue); its code is made before.
"""

from __future__ import annotations

import argparse
import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numba import carray, cfunc, njit
from numpy.typing import NDArray
from problems import (
    ABSOLUTE_FRACTION,
    AREA,
    CAPACITANCE,
    CONCENTRATION_UNIT,
    FARADAY,
    GAS_CONSTANT,
    INSIDE,
    OUTSIDE,
    P_K,
    POTENTIAL_UNIT,
    RELATIVE_PERMEABILITY,
    TEMPERATURE,
    VOLUME,
)
from problems import p1 as p1_problem

ERRORS = (1e-3, 1e-4, 1e-5)
TARGETS = {"numbalsoda LSODA": 50.0, "SciPy LSODA (solve_ivp)": 1000.0}
IONS = ("K", "Na", "Cl")

#: Variants on which errors are measured, and on which slow peers are timed.
FOR_ERRORS, FOR_SLOW = 60, 40


class Missing(Exception):
    """A peer is not installed."""


# -- the problems, by hand: K, Na, Cl (amounts), V, volume, all near 1 ------------------------------------------------

#: p: rates of the three permeabilities, pump, KCC2 and water; charge; F V / RT; outside K, Na, Cl; osmolarity outside;
#: impermeant amount; half saturation of Na; factor of K outside in the pump.
SIZE = 16


@njit(error_model="numpy")
def rates(t, y, p, f):
    w = y[4]
    k, na, cl = y[0] / w, y[1] / w, y[2] / w
    u = p[7] * y[3]
    b = u / np.expm1(u) if abs(u) > 1e-8 else 1.0 - 0.5 * u
    c = b + u
    pump = p[3] * (na / (na + p[13])) ** 3
    kcc = p[4] * (k * cl - p[8] * p[10])
    k_flux = p[0] * (c * k - b * p[8]) - 2.0 * pump + kcc
    na_flux = p[1] * (c * na - b * p[9]) + 3.0 * pump
    cl_flux = p[2] * (b * cl - c * p[10]) + kcc
    f[0] = -k_flux
    f[1] = -na_flux
    f[2] = -cl_flux
    f[3] = -p[6] * (k_flux + na_flux - cl_flux)
    f[4] = -p[5] * (p[11] - (y[0] + y[1] + y[2] + p[12]) / w)


@dataclass(frozen=True)
class Ensemble:
    """A problem and its variants.

    Attributes
    ----------
    title : str
    model : Model
    lengths, pumping : tuple of float
        Of the segments, s, and the factor of the pump in each.
    swells : bool
    """

    title: str
    model: Any
    lengths: tuple[float, ...]
    pumping: tuple[float, ...]
    swells: bool

    def factors(self, points: int) -> NDArray:
        """10^U(−½, ½) of each permeability."""
        return 10.0 ** np.random.default_rng(1).uniform(-0.5, 0.5, (points, 3))

    def parameters(self, factor: NDArray) -> NDArray:
        """Of the hand-written equations, for one variant, with the pump at its full rate; shape (SIZE,)."""
        per_second, unit = P_K * AREA / VOLUME, CONCENTRATION_UNIT
        p = np.zeros(SIZE)
        p[:3] = [per_second * RELATIVE_PERMEABILITY[ion] * x for ion, x in zip(IONS, factor, strict=True)]
        if self.swells:
            p[3] = 1.4e-6 * (OUTSIDE["K"] / (OUTSIDE["K"] + 1.5)) ** 2 * AREA / VOLUME / unit
            p[4] = 1e-10 * unit * AREA / VOLUME
            p[5] = 2e-5 * 18e-6 * unit * AREA / VOLUME
        p[6] = FARADAY * VOLUME * unit / (CAPACITANCE * AREA) / POTENTIAL_UNIT
        p[7] = FARADAY / (GAS_CONSTANT * TEMPERATURE) * POTENTIAL_UNIT
        p[8:11] = [OUTSIDE[ion] / unit for ion in IONS]
        p[11], p[12], p[13] = 300.0 / unit, 140.0 / unit, 10.0 / unit
        return p

    def start(self) -> NDArray:
        return np.array([*(INSIDE[ion] / CONCENTRATION_UNIT for ion in IONS), 0.0, 1.0])


def ensemble_of(name: str) -> Ensemble:
    if name == "p1":
        return Ensemble("P1, passive cell", p1_problem().model, (36_000.0,), (0.0,), False)
    from iontide.formulas.formula import parse_formula
    from iontide.model.model import Parameter, ParameterStep, Pathway

    base = p1_problem().model
    plasma = base.membranes["plasma"]
    saturation = {"half_saturation.Na_inside": 10.0, "half_saturation.K_outside": 1.5}
    pump = Pathway(
        "pathways.pump",
        "na_k_atpase_cubic",
        {"Na": 3, "K": -2},
        {"rate": parse_formula("pump_rate"), **saturation},
        driven_by="ATP",
    )
    kcc2 = Pathway("pathways.KCC2", "mass_action", {"K": 1, "Cl": 1}, {"rate": 1e-10})
    membrane = replace(plasma, pathways=(*plasma.pathways, pump, kcc2), water_permeability=2e-5)
    model = replace(
        base,
        title="P2",
        compartments={**base.compartments, "cell": replace(base.compartments["cell"], water="osmotic")},
        membranes={"plasma": membrane},
        parameters={"pump_rate": Parameter("pump_rate", 1.4e-6)},
        water_molar_volume=18e-6,
        protocol=(ParameterStep(10_000.0, 20_000.0, {"pump_rate": 0.0}),),
    )
    return Ensemble("P2, pump-leak cell that swells", model, (10_000.0, 10_000.0, 16_000.0), (1.0, 0.0, 1.0), True)


# -- iontide ----------------------------------------------------------------------------------------------------------


class Lanes:
    """iontide's lanes at a tolerance."""

    def __init__(self, ensemble: Ensemble, rtol: float) -> None:
        from iontide.model.model import Recording
        from iontide.sweeps.compute.batch_inputs import ModelBatch

        times = Recording("log", 60, 1e-3)
        simulation = replace(ensemble.model.simulation, rtol=rtol)
        self.model = replace(ensemble.model, simulation=simulation, recording=times)
        paths = [f"membranes.plasma.permeability.{ion}" for ion in IONS]
        self.batch_model = ModelBatch(self.model, paths)
        values = self.model.values()
        self.base = np.array([values[path] for path in paths])

    def queue(self, factors: NDArray, sampled: bool) -> tuple[Any, Any]:
        from iontide.kernel.batch_run import empty_queue
        from iontide.kernel.codegen.machine_code import compile_lanes
        from iontide.kernel.layout.problem import NONNEGATIVE

        prepared = self.batch_model.prepared
        problem = prepared.problem
        inputs = self.batch_model.inputs(self.base * factors)
        code = compile_lanes(prepared.program, int(problem.counts[NONNEGATIVE]))
        within, segment = np.zeros(0), np.zeros(0, dtype=int)
        if sampled:
            _, within, segment = next(iter(prepared.sample_blocks(self.model)))
        starts = (inputs.constants, inputs.mass, inputs.lengths, inputs.absolute, inputs.start)
        return empty_queue(code, problem, *starts, within, segment), code

    def run(self, factors: NDArray, sampled: bool = False) -> NDArray:
        """Ends, or samples, in the units and the order of the equations by hand."""
        from iontide.kernel.batch_run import integrate

        queue, code = self.queue(factors, sampled)
        integrate(queue, code)
        assert (queue.status == 0).all()
        return queue.samples if sampled else queue.end

    def scaled(self, states: NDArray) -> NDArray:
        layout = self.batch_model.prepared.layout
        places = [layout.amount_index["cell", ion] for ion in IONS] + [layout.potential_index["cell"]]
        amount = CONCENTRATION_UNIT * VOLUME
        found = states[..., places] / np.array([amount] * 3 + [POTENTIAL_UNIT])
        if layout.volumes:
            return np.concatenate([found, states[..., [layout.volume_index["cell"]]] / VOLUME], axis=-1)
        return np.concatenate([found, np.ones_like(found[..., :1])], axis=-1)

    def times(self, ensemble: Ensemble) -> list[NDArray]:
        """Sample times within each segment, s."""
        _, within, segment = next(iter(self.batch_model.prepared.sample_blocks(self.model)))
        return [within[segment == s] for s in range(len(ensemble.lengths))]


# -- peers: from parameters (points, SIZE), times in each segment, to states (points, samples, 5) ---------------------

Peer = Callable[[Ensemble, NDArray, list[NDArray], float], NDArray]


def numbalsoda_lsoda(ensemble: Ensemble, parameters: NDArray, times: list[NDArray], rtol: float) -> NDArray:
    try:
        from numbalsoda import lsoda, lsoda_sig
    except ImportError as error:
        raise Missing from error
    if "numbalsoda" not in _compiled:

        @cfunc(lsoda_sig)
        def right_hand_side(t, y, f, p):
            rates(t, carray(y, (5,)), carray(p, (16,)), carray(f, (5,)))

        address = right_hand_side.address

        @njit
        def drive(parameters, pumping, start, flat, ends, rtol, atol):
            states = np.empty((parameters.shape[0], flat.shape[0], 5))
            for i in range(parameters.shape[0]):
                y, first = start.copy(), 0
                for s in range(pumping.shape[0]):
                    p = parameters[i].copy()
                    p[3] *= pumping[s]
                    found, _ = lsoda(address, y, flat[first : ends[s]], p, rtol, atol, 1_000_000)
                    states[i, first : ends[s]] = found
                    y = found[-1].copy()
                    first = ends[s]
            return states

        _compiled["numbalsoda"] = (right_hand_side, drive)
    flat = np.concatenate(times)
    ends = np.cumsum([len(t) for t in times])
    drive = _compiled["numbalsoda"][1]
    pumping = np.array(ensemble.pumping)
    return drive(parameters, pumping, ensemble.start(), flat, ends, rtol, ABSOLUTE_FRACTION * rtol)


def by_segments(ensemble: Ensemble, parameters: NDArray, times: list[NDArray], solve: Callable) -> NDArray:
    result = []
    for own in parameters:
        y, parts = ensemble.start(), []
        for within, pumping in zip(times, ensemble.pumping, strict=True):
            p = own.copy()
            p[3] *= pumping
            parts.append(solve(y, p, within))
            y = parts[-1][-1].copy()
        result.append(np.concatenate(parts))
    return np.array(result)


def scipy_lsoda(ensemble: Ensemble, parameters: NDArray, times: list[NDArray], rtol: float) -> NDArray:
    from scipy.integrate import solve_ivp

    def solve(y: NDArray, p: NDArray, within: NDArray) -> NDArray:
        def right_hand_side(t: float, y: NDArray) -> NDArray:
            f = np.empty(5)
            rates(t, y, p, f)
            return f

        atol = ABSOLUTE_FRACTION * rtol
        return solve_ivp(right_hand_side, (0.0, within[-1]), y, "LSODA", t_eval=within, rtol=rtol, atol=atol).y.T

    return by_segments(ensemble, parameters, times, solve)


def scikit_sundae(ensemble: Ensemble, parameters: NDArray, times: list[NDArray], rtol: float) -> NDArray:
    try:
        from sksundae.cvode import CVODE
    except ImportError as error:
        raise Missing from error

    def right_hand_side(t: float, y: NDArray, f: NDArray, data: list[NDArray]) -> None:
        rates(t, y, data[0], f)

    data = [np.zeros(SIZE)]
    atol = ABSOLUTE_FRACTION * rtol
    solver = CVODE(right_hand_side, userdata=data, rtol=rtol, atol=atol, max_num_steps=1_000_000)

    def solve(y: NDArray, p: NDArray, within: NDArray) -> NDArray:
        data[0] = p
        found = solver.solve(within, y).y  # of two times, it gives all its steps between them
        return found if len(within) > 2 else found[[0, -1]]

    return by_segments(ensemble, parameters, times, solve)


_compiled: dict[str, Any] = {}
PEERS: dict[str, tuple[Peer, bool]] = {
    "numbalsoda LSODA": (numbalsoda_lsoda, False),
    "CVODE, scikit-sundae": (scikit_sundae, True),
    "SciPy LSODA (solve_ivp)": (scipy_lsoda, True),
}

# -- measuring --------------------------------------------------------------------------------------------------------


def median_error(states: NDArray, reference: NDArray) -> float:
    error = np.abs(states - reference) / (np.abs(reference) + ABSOLUTE_FRACTION)
    return float(np.median(error.max(axis=(1, 2))))


def fastest(work: Callable[[], object], repeats: int) -> float:
    best = math.inf
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def at_error(error: float, found: list[tuple[float, float]]) -> float:
    """Seconds a point at an error, by straight lines in log–log between tolerances; NaN beyond them."""
    points = sorted(found)
    for (e0, s0), (e1, s1) in pairwise(points):
        if e0 <= error <= e1:
            share = (math.log(error) - math.log(e0)) / (math.log(e1) - math.log(e0))
            return math.exp(math.log(s0) + share * (math.log(s1) - math.log(s0)))
    return math.nan


def two_threads(ensemble: Ensemble, rtol: float, factors: NDArray, repeats: int) -> float:
    """How many times faster two threads are than one, integration alone."""
    from iontide.kernel.batch_run import integrate

    lanes = Lanes(ensemble, rtol)
    half = len(factors) // 2

    def alone() -> float:
        queue, code = lanes.queue(factors, False)
        began = time.perf_counter()
        integrate(queue, code)
        return time.perf_counter() - began

    def together() -> float:
        queues = [lanes.queue(part, False) for part in (factors[:half], factors[half:])]
        threads = [threading.Thread(target=integrate, args=queue) for queue in queues]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    return min(alone() for _ in range(repeats)) / min(together() for _ in range(repeats))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", choices=("p1", "p2"), default="p1")
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    ensemble = ensemble_of(arguments.problem)
    factors = ensemble.factors(arguments.points)
    few = factors[:FOR_ERRORS]
    exact = Lanes(ensemble, 1e-12)
    times = exact.times(ensemble)
    reference = exact.scaled(exact.run(few, sampled=True))
    parameters = np.array([ensemble.parameters(f) for f in factors])
    by_hand = scipy_lsoda(ensemble, parameters[:3], times, 1e-11)
    apart = median_error(by_hand, reference[:3])
    assert apart < 1e-7, f"the equations by hand and iontide's differ: {apart:.1e}"
    ends = [np.array([0.0, length]) for length in ensemble.lengths]

    measured: dict[str, list[tuple[float, float]]] = {"iontide, lanes": []}
    for rtol in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6):
        lanes = Lanes(ensemble, rtol)
        error = median_error(lanes.scaled(lanes.run(few, sampled=True)), reference)
        seconds = fastest(lambda lanes=lanes: lanes.run(factors), arguments.repeats)
        measured["iontide, lanes"].append((error, seconds / len(factors)))
    for name, (peer, slow) in PEERS.items():
        own = parameters[: FOR_SLOW if slow else min(1000, len(parameters))]
        found = []
        try:
            for rtol in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
                error = median_error(peer(ensemble, parameters[:FOR_ERRORS], times, rtol), reference)
                work = lambda peer=peer, own=own, rtol=rtol: peer(ensemble, own, ends, rtol)  # noqa: E731
                found.append((error, fastest(work, 1 if slow else 3) / len(own)))
        except Missing:
            print(f"{name}: not installed")
            continue
        measured[name] = found

    print(f"\n{ensemble.title}: {len(factors)} variants, one core; {machine.description()}\n")
    print("| solver | " + " | ".join(f"runs/s at {e:g} | ÷" for e in ERRORS) + " | target |")
    print("| --- |" + " ---: | ---: |" * len(ERRORS) + " ---: |")
    for name, found in measured.items():
        cells = []
        for error in ERRORS:
            own, ours = at_error(error, found), at_error(error, measured["iontide, lanes"])
            cells += [f"{1.0 / own:,.0f}", f"{own / ours:.3g}"]
        target = f"≥ {TARGETS[name]:g}" if name in TARGETS else ""
        print(f"| {name} | " + " | ".join(cells) + f" | {target} |")
    speed_up = two_threads(ensemble, 1e-4, factors, arguments.repeats)
    print(f"\nTwo threads on two halves, integration alone: {speed_up:.2f} times as fast.")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(measured, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
