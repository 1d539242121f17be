"""Stationary junctions of random solutions: how long, and beside a general boundary-value solver.

Run it as ``python benchmarks/junctions.py``.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.integrate import solve_bvp

from iontide import ion_library
from iontide.electrode.junctions.nernst_planck import stationary_junction
from iontide.electrode.junctions.pair import SolutionPair, solution_pair


def random_pairs(count: int, most: int = 20) -> list[SolutionPair]:
    """Pairs of electroneutral solutions of 2 to ``most`` ions over six decades."""
    rng = np.random.default_rng(1)
    library = [ion for ion in ion_library().values() if ion.valence and ion.diffusion_coefficient]
    pairs = []
    while len(pairs) < count:
        ions = [library[k] for k in rng.choice(len(library), rng.integers(2, most + 1), replace=False)]
        z = np.array([ion.valence for ion in ions], dtype=float)
        if not ((z > 0).any() and (z < 0).any()):
            continue
        sides = []
        for _ in range(2):
            c = 10 ** rng.uniform(-3, 3, len(z))
            sums = [float(np.abs(z[z * s > 0]) @ c[z * s > 0]) for s in (1, -1)]
            for s, total in zip((1, -1), sums, strict=True):
                c[z * s > 0] *= np.sqrt(sums[0] * sums[1]) / total
            sides.append({ion.name: float(x) for ion, x in zip(ions, c, strict=True)})
        pairs.append(solution_pair(*sides))
    return pairs


def by_solve_bvp(pair: SolutionPair) -> float:
    """The same by SciPy's collocation: concentrations, potential and fluxes as one boundary-value problem."""
    z, d = pair.valences, pair.diffusion_coefficients / pair.diffusion_coefficients.max()
    unit = max(pair.pipette.max(), pair.bath.max())
    left, right, n = pair.pipette / unit, pair.bath / unit, len(z)

    def slopes(_: np.ndarray, y: np.ndarray, k: np.ndarray) -> np.ndarray:
        c = y[:n]
        phi = -(z @ k) / (z**2 @ c)
        return np.vstack([-k[:, None] - z[:, None] * c * phi, phi])

    def ends(a: np.ndarray, b: np.ndarray, k: np.ndarray) -> np.ndarray:
        # One concentration on the right follows from neutrality; no current flows in its place.
        return np.concatenate([a[:n] - left, [a[n]], (b[:n] - right)[:-1], [z @ (d * k)]])

    x = np.linspace(0.0, 1.0, 21)
    start = np.vstack([left[:, None] + (right - left)[:, None] * x, 0.0 * x])
    found = solve_bvp(slopes, ends, x, start, left - right, tol=1e-9, max_nodes=20000)
    return float(found.y[n, -1]) if found.status == 0 else np.nan


def main() -> None:
    pairs = random_pairs(1000)
    times, potentials = [], []
    for pair in pairs:
        began = time.perf_counter()
        solved = stationary_junction(pair.valences, pair.diffusion_coefficients, pair.pipette, pair.bath)
        times.append(1e3 * (time.perf_counter() - began))
        potentials.append(solved.potential)
    print(f"1000 random pairs, 2 to 20 ions: median {np.median(times):.2f} ms, longest {max(times):.1f} ms, all solved")
    few, spent, apart, failed = 40, 0.0, 0.0, 0
    for k, pair in enumerate(pairs[:few]):
        began = time.perf_counter()
        other = by_solve_bvp(pair)
        spent += 1e3 * (time.perf_counter() - began)
        if np.isnan(other):
            failed += 1
        else:
            apart = max(apart, abs(other - potentials[k]) * 25.69)
    ratio = spent / sum(times[:few])
    print(
        f"scipy.integrate.solve_bvp on {few} of them: {ratio:.0f} times as long, "
        f"{failed} not solved, {apart:.1e} mV apart"
    )


if __name__ == "__main__":
    main()
