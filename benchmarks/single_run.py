"""Work–precision of single runs: achieved error along the transient against time, for iontide and its peers.

    python benchmarks/single_run.py [--problem p1|pump_leak] [--repeats 15] [--json FILE] [--plot FILE]

Every solver returns the state at the same output times. Compilation, imports and the making of solver objects
that can be used again are not timed. Rounds over all solvers and tolerances are interleaved, and the fastest
round of each counts, so that a busy machine hurts all alike.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numba import carray, cfunc
from numpy.typing import NDArray
from problems import ABSOLUTE_FRACTION, PROBLEMS, Problem, error_along, jacobian, plain_rates, rates

#: A run: returns the states at the output times, in a form that ``states_of`` understands.
Run = Callable[[], object]

#: Errors at which times are compared, and the target of the first (peer / iontide).
ERRORS = (5e-6, 1e-7)
TARGETS = {
    "numbalsoda LSODA": 3.0,
    "CVODE, from machine code": 10.0,
    "SciPy LSODA (solve_ivp)": 50.0,
}
#: Tolerances tried; each solver stops once it is more exact than the last of ERRORS by a factor of 4.
TOLERANCES = [10.0 ** (-q / 2) for q in range(5, 25)]

#: Seconds of one timed batch, at least.
BATCH = 2e-3


#: Callbacks that numba has compiled, by the solver that they are for.
_compiled: dict[str, Any] = {}


class Missing(Exception):
    """A peer is not installed."""


# -- the solvers: each makes, for a problem, output times and a tolerance, a run -------------------------


def iontide_whole(problem: Problem, times: list[NDArray], rtol: float, points: int) -> Run:
    from iontide.simulation.simulate import simulate

    model = problem.model_at(rtol, points)
    return lambda: simulate(model)


def iontide_integration(problem: Problem, times: list[NDArray], rtol: float, points: int) -> Run:
    from iontide.simulation.simulate import Integration

    model = problem.model_at(rtol, points)
    ready: list[Integration] = []

    def run() -> list:
        return list((ready.pop() if ready else Integration(model)).blocks())

    def prepare(count: int) -> None:
        ready[:] = [Integration(model) for _ in range(count)]

    run.prepare = prepare  # type: ignore[attr-defined]
    return run


def numbalsoda_lsoda(problem: Problem, times: list[NDArray], rtol: float, points: int) -> Run:
    try:
        from numbalsoda import lsoda, lsoda_sig
    except ImportError as error:
        raise Missing from error

    if "numbalsoda" not in _compiled:

        @cfunc(lsoda_sig)
        def right_hand_side(t, y, f, p):
            rates(t, carray(y, (4,)), carray(p, (10,)), carray(f, (4,)))

        _compiled["numbalsoda"] = right_hand_side
    address = _compiled["numbalsoda"].address

    def solve(y: NDArray, p: NDArray, within: NDArray) -> NDArray:
        states, success = lsoda(address, y, within, data=p, rtol=rtol, atol=ABSOLUTE_FRACTION * rtol, mxstep=1_000_000)
        return states if success else np.full_like(states, np.nan)

    return lambda: problem.by_segments(solve, times)


def cvode_machine_code(problem: Problem, times: list[NDArray], rtol: float, points: int) -> Run:
    from cvode import Cvode

    try:
        Cvode.load()
    except (ImportError, OSError) as error:
        raise Missing from error
    solver = Cvode(rtol, ABSOLUTE_FRACTION * rtol)
    return lambda: problem.by_segments(solver.solve, times)


def cvode_sundae(problem: Problem, times: list[NDArray], rtol: float, points: int) -> Run:
    try:
        from sksundae.cvode import CVODE
    except ImportError as error:
        raise Missing from error

    def right_hand_side(t: float, y: NDArray, f: NDArray, data: tuple[NDArray]) -> None:
        rates(t, y, data[0], f)

    def slopes(t: float, y: NDArray, f: NDArray, j: NDArray, data: tuple[NDArray]) -> None:
        jacobian(t, y, data[0], j)

    solvers = {
        id(p): CVODE(
            right_hand_side,
            userdata=(p,),
            jacfn=slopes,
            rtol=rtol,
            atol=ABSOLUTE_FRACTION * rtol,
            max_num_steps=1_000_000,
        )
        for _, p in problem.segments
    }

    def solve(y: NDArray, p: NDArray, within: NDArray) -> NDArray:
        return solvers[id(p)].solve(within, y).y

    return lambda: problem.by_segments(solve, times)


def scipy_ivp(method: str, compiled: bool = True) -> Callable[..., Run]:
    def make(problem: Problem, times: list[NDArray], rtol: float, points: int) -> Run:
        from scipy.integrate import solve_ivp

        def solve(y: NDArray, p: NDArray, within: NDArray) -> NDArray:
            if compiled:

                def right_hand_side(t: float, y: NDArray) -> NDArray:
                    f = np.empty(4)
                    rates(t, y, p, f)
                    return f

                def slopes(t: float, y: NDArray) -> NDArray:
                    j = np.empty((4, 4))
                    jacobian(t, y, p, j)
                    return j
            else:
                slopes = None  # type: ignore[assignment]

                def right_hand_side(t: float, y: NDArray) -> list[float]:  # type: ignore[misc]
                    return plain_rates(t, y, p)

            return solve_ivp(
                right_hand_side,
                (0.0, within[-1]),
                y,
                method,
                t_eval=within,
                rtol=rtol,
                atol=ABSOLUTE_FRACTION * rtol,
                jac=slopes,
            ).y.T

        return lambda: problem.by_segments(solve, times)

    return make


def scipy_odeint(problem: Problem, times: list[NDArray], rtol: float, points: int) -> Run:
    from scipy.integrate import odeint

    def right_hand_side(t: float, y: NDArray, p: NDArray) -> NDArray:
        f = np.empty(4)
        rates(t, y, p, f)
        return f

    def slopes(t: float, y: NDArray, p: NDArray) -> NDArray:
        j = np.empty((4, 4))
        jacobian(t, y, p, j)
        return j

    def solve(y: NDArray, p: NDArray, within: NDArray) -> NDArray:
        return odeint(
            right_hand_side,
            y,
            within,
            (p,),
            slopes,
            tfirst=True,
            rtol=rtol,
            atol=ABSOLUTE_FRACTION * rtol,
            mxstep=1_000_000,
        )

    return lambda: problem.by_segments(solve, times)


SOLVERS: dict[str, Callable[..., Run]] = {
    "iontide, model to arrays": iontide_whole,
    "iontide, integration alone": iontide_integration,
    "numbalsoda LSODA": numbalsoda_lsoda,
    "CVODE, from machine code": cvode_machine_code,
    "CVODE, scikit-sundae": cvode_sundae,
    "SciPy LSODA (odeint)": scipy_odeint,
    "SciPy LSODA (solve_ivp)": scipy_ivp("LSODA"),
    "SciPy BDF": scipy_ivp("BDF"),
    "SciPy Radau": scipy_ivp("Radau"),
    "SciPy LSODA, Python rhs": scipy_ivp("LSODA", compiled=False),
}


# -- measuring -------------------------------------------------------------------------------------------


class Point:
    """One solver at one tolerance."""

    def __init__(self, rtol: float, run: Run, error: float) -> None:
        self.rtol, self.run, self.error, self.seconds = rtol, run, error, math.inf
        began = time.perf_counter()
        self.run()
        self.batch = max(1, min(200, math.ceil(BATCH / (time.perf_counter() - began))))

    def measure(self) -> None:
        prepare = getattr(self.run, "prepare", None)
        if prepare:
            prepare(self.batch)
        run = self.run
        began = time.perf_counter()
        for _ in range(self.batch):
            run()
        self.seconds = min(self.seconds, (time.perf_counter() - began) / self.batch)


def states_of(problem: Problem, name: str, result: object) -> NDArray:
    """What a run returned as states in the units of the hand-written equations."""
    if name == "iontide, model to arrays":
        return problem.scaled(result)  # type: ignore[arg-type]
    return np.asarray(result)


def points_of(problem: Problem, name: str, times: list[NDArray], reference: NDArray, points: int) -> list[Point]:
    """One solver over the tolerances, each run once for its error."""
    made = []
    for rtol in TOLERANCES:
        run = SOLVERS[name](problem, times, rtol, points)
        if name == "iontide, integration alone":
            error = error_along(problem.scaled(iontide_whole(problem, times, rtol, points)()), reference)  # type: ignore[arg-type]
        else:
            error = error_along(states_of(problem, name, run()), reference)
        made.append(Point(rtol, run, error))
        if error < ERRORS[-1] / 4:
            break
    return made


def time_at(error: float, points: list[Point]) -> float:
    """Time at an achieved error, log–log between the points that no other beats; NaN outside their range."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.seconds, p.error)):
        if not best or point.error < best[-1].error:
            best.append(point)
    for a, b in pairwise(best):
        if b.error <= error <= a.error:
            share = math.log(error / a.error) / math.log(b.error / a.error)
            return math.exp(math.log(a.seconds) + share * math.log(b.seconds / a.seconds))
    if best and best[0].error < error:  # the cheapest run is better than asked for
        return best[0].seconds
    return math.nan


def table(measured: dict[str, list[Point] | None]) -> str:
    """Times at equal error and their ratios, as Markdown."""
    whole, alone = (measured[name] for name in list(SOLVERS)[:2])
    assert whole is not None
    assert alone is not None
    lines = []
    for error in ERRORS:
        own, own_alone = time_at(error, whole), time_at(error, alone)
        wanted = error == ERRORS[0]
        lines += [
            f"At an achieved error of {error:g}:",
            "",
            "| solver | time | ÷ iontide, model to arrays | ÷ iontide, integration alone |"
            + (" target |" if wanted else ""),
            "| --- | ---: | ---: | ---: |" + (" ---: |" if wanted else ""),
        ]
        for name, points in measured.items():
            if points is None:
                lines.append(f"| {name} | not installed | | |" + (" |" if wanted else ""))
                continue
            seconds = time_at(error, points)
            target = f" ≥ {TARGETS[name]:g} |" if name in TARGETS else " |"
            lines.append(
                f"| {name} | {1e3 * seconds:.3g} ms | {seconds / own:.2g} | {seconds / own_alone:.2g} |"
                + (target if wanted else "")
            )
        lines.append("")
    return "\n".join(lines)


def draw(file: str, title: str, measured: dict[str, list[Point] | None]) -> None:
    """Work–precision figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    for i, (name, points) in enumerate(measured.items()):
        if not points:
            continue
        own = name.startswith("iontide")
        axes.loglog(
            [p.error for p in points],
            [1e3 * p.seconds for p in points],
            marker="o" if own else "s",
            ls="-" if i != 1 else "--",
            lw=2 if own else 1,
            ms=4 if own else 3,
            color="black" if own else f"C{i - 2}",
            label=name,
        )
    for error in ERRORS:
        axes.axvline(error, color="0.8", lw=0.8, zorder=0)
    axes.set(xlabel="achieved error along the transient", ylabel="time of one run / ms", title=title)
    axes.invert_xaxis()
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(file, dpi=200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", choices=list(PROBLEMS), default="p1")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (default: %(default)s)")
    parser.add_argument("--points", type=int, default=100, help="outputs (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write every measurement")
    parser.add_argument("--plot", metavar="FILE", help="draw the work–precision figure")
    arguments = parser.parse_args()

    problem = PROBLEMS[arguments.problem]()
    from iontide.simulation.simulate import simulate

    exact = simulate(problem.model_at(1e-12, arguments.points))
    times = problem.output_times(exact)
    reference = problem.reference(times)
    agreement = error_along(problem.scaled(exact), reference)
    print(f"{problem.title}; {sum(map(len, times))} outputs; {machine.description()}")
    print(f"iontide at rtol 1e-12 against the reference (SciPy Radau at 1e-12): {agreement:.1e}\n")
    assert agreement < 1e-8

    measured: dict[str, list[Point] | None] = {}
    for name in SOLVERS:
        try:
            measured[name] = points_of(problem, name, times, reference, arguments.points)
        except Missing:
            measured[name] = None
    for _ in range(arguments.repeats):
        for points in measured.values():
            for point in points or []:
                point.measure()
    print(table(measured))
    if arguments.json:
        content = {
            "problem": problem.name,
            "outputs": sum(map(len, times)),
            "machine": machine.description(),
            "reference_agreement": agreement,
            "solvers": {
                name: None
                if points is None
                else [{"rtol": p.rtol, "error": p.error, "seconds": p.seconds} for p in points]
                for name, points in measured.items()
            },
        }
        Path(arguments.json).write_text(json.dumps(content, indent=1) + "\n")
    if arguments.plot:
        draw(arguments.plot, problem.title, measured)


if __name__ == "__main__":
    main()
