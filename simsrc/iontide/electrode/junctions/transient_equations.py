"""The forming junction in finite volumes: its cells, its equations of Nernst and Planck, and their derivatives.

Everything here is in units of the problem: the width of the junction, its largest concentration and its largest
diffusion coefficient are 1, and potentials are in R T / F. The flux of an ion over a face is that between two
compartments at the centres of the cells on both sides, as Goldman's with D / h for the permeability; u is the potential
on the right minus that on the left:

    J = D / h (B(z u) c_left − B(−z u) c_right),    B(x) = x / (exp(x) − 1)

(Scharfetter & Gummel 1969, IEEE Trans Electron Devices 16:64, doi:10.1109/T-ED.1969.16566). No current flows at any
time, so over every face the displacement current and the ionic current add up to 0:

    (ε̂ / h) du/dt = Σ z J,    ε̂ = ε R T / (F² c L²)

With ε̂ = 0 that is an algebraic equation for u, and what is neutral at first stays so. Otherwise Gauss's law holds for
good if it holds at first. Either way the charge of a cell is known from u, and one ion need not be an unknown: its
concentration is what the charge leaves for it. In exact numbers nothing changes by that. In floating point charge and
field agree to the last digits, however long the run, where nothing in the equations would pull them back together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...numerics.roots import rising_roots
from ...symbolic.expression import bernoulli_slope_value, bernoulli_value

#: Potential over a face, R T / F, beyond which none is searched for.
FARTHEST = 700.0

#: Distance from the middle, in widths of the junction, within which cells are of one size.
MIDDLE = 1e-3

#: Shares of the cells over that of the middle: those spread evenly, and those at both ends.
EVENLY, TO_ENDS = 2.0, 0.6

#: Distance from the ends within which cells are of one size: this at least.
NEAREST = 1e-3


def graded_widths(cells: int, dilution: float) -> NDArray:
    """Widths of cells that are narrow at the middle and, where one solution is dilute, at the ends.

    The density of cells falls with the inverse of the distance, so that a profile that spreads from the middle is held
    by as many cells at all times. Later the logarithm of a concentration changes fastest at the dilute end, over a
    distance of about the ratio of the two solutions.

    Parameters
    ----------
    cells : int
        Even.
    dilution : float
        Ratio of the dilute to the concentrated solution, 0 … 1.

    Returns
    -------
    array, shape (cells,)
        Symmetric; their sum is 1.
    """
    end = max(dilution, NEAREST)

    def number(x: NDArray) -> NDArray:
        """Cells between the left end and x ≤ 1/2, not normalised."""
        middle = np.arcsinh(0.5 / MIDDLE) - np.arcsinh((0.5 - x) / MIDDLE)
        ends = np.log1p(x / end) - np.log1p(-x / (1.0 + end))
        return middle + EVENLY * x + TO_ENDS * ends

    def density(x: NDArray) -> NDArray:
        return 1.0 / np.hypot(0.5 - x, MIDDLE) + EVENLY + TO_ENDS * (1.0 / (end + x) + 1.0 / (1.0 + end - x))

    whole = number(np.array(0.5))
    wanted = np.linspace(0.0, 1.0, cells // 2 + 1)[1:-1] * whole
    inner = rising_roots(
        lambda x: (number(x) - wanted, density(x)), np.zeros_like(wanted), np.full_like(wanted, 0.5), 1e-3
    )
    half = np.diff(np.concatenate([[0.0], inner, [0.5]]))
    return np.concatenate([half, half[::-1]])


class FormingEquations:
    """``M dy/dt = f(y)`` of all cells, with f and −∂f/∂y.

    The unknowns are ordered cell by cell: the potential over the face on its left, then the concentrations of all ions
    but one, each in units of its largest, without which a rare ion would have the rounding error of the others; at
    the far end one more face. Closed ends have no face. Arrays over faces have ``cells + 1`` rows all the same, with an
    infinite distance over the faces that are not there. Every ion must be somewhere.

    Attributes
    ----------
    mass : array, shape (unknowns,)
        The diagonal of M: widths of cells, and ε̂ / h of faces.
    band : int
        Diagonals on each side of the main one of ∂f/∂y; as many as there are ions.
    relaxation : float
        Time in which charge relaxes in the more conductive solution, ε̂ / Σ z² D c; infinite with ε̂ = 0.
    quickest : float
        Shortest time in which anything happens: that, or the time of diffusion through the narrowest cell.
    """

    def __init__(
        self,
        valences: NDArray,
        diffusion_coefficients: NDArray,
        pipette: NDArray,
        bath: NDArray,
        widths: NDArray,
        held: bool,
        permittivity: float,
    ) -> None:
        # Last, and no unknown, is the most abundant ion: what it must make up for is small beside it.
        charge = np.abs(valences) * np.array([pipette, bath])
        order = np.lexsort((charge.min(axis=0), charge.max(axis=0)))
        self._back = np.argsort(order)
        self._z, d, self._ends = valences[order], diffusion_coefficients[order], np.array([pipette, bath])[:, order]
        self._widths, self._permittivity, self._unit = widths, permittivity, self._ends.max(axis=0)[:-1]
        self._cells, self.band = len(widths), len(valences)
        per_distance = 2.0 / np.concatenate([[widths[0]], widths[:-1] + widths[1:], [widths[-1]]])
        if not held:
            per_distance[[0, -1]] = 0.0
        self._speed, self._field = per_distance[:, None] * d, permittivity * per_distance
        self._unknown = slice(0, self._cells * self.band + 1) if held else slice(1, self._cells * self.band)
        mass = np.empty((self._cells + 1, self.band))
        mass[:, 0], mass[:-1, 1:], mass[-1, 1:] = self._field, widths[:, None], 0.0
        self.mass = mass.ravel()[self._unknown]
        conductivity = float((self._ends @ (self._z**2 * d)).max())
        self.relaxation = permittivity / conductivity if permittivity > 0.0 else np.inf
        self.quickest = min(float(widths.min()) ** 2, self.relaxation)

    def start(self) -> NDArray:
        """Unknowns where two solutions touch in the middle; NaN for the potential there if none makes the current 0.

        Electroneutral, the potential over the middle is that of no current; else nothing is charged yet, and it is 0.
        """
        half = self._cells // 2
        padded = np.zeros((self._cells + 1, self.band))
        padded[:-1, 1:] = np.repeat(self._ends[:, :-1] / self._unit, half, axis=0)
        if self._permittivity == 0.0:
            left, right, speed = self._ends[:1], self._ends[1:], self._speed[half]

            def inward(u: NDArray) -> tuple[NDArray, NDArray]:
                """The current from right to left, which rises with u, and its slope."""
                forward, backward = self._weights(u)
                flux = speed * (forward * left - backward * right)
                return -flux @ self._z, -(speed * self._slopes(u, left, right)) @ self._z

            padded[half, 0] = rising_roots(inward, np.array([-FARTHEST]), np.array([FARTHEST]), 1.0)[0]
        return padded.ravel()[self._unknown]

    def read(self, y: NDArray) -> tuple[NDArray, NDArray]:
        """Potentials over all faces (..., cells + 1) and concentrations (..., cells, ions), ions in the given order."""
        u, concentrations = self._read(y)
        return u, concentrations[..., self._back]

    def _read(self, y: NDArray) -> tuple[NDArray, NDArray]:
        padded = np.zeros((*y.shape[:-1], (self._cells + 1) * self.band))
        padded[..., self._unknown] = y
        padded = padded.reshape(*y.shape[:-1], self._cells + 1, self.band)
        u, concentrations = padded[..., 0], np.empty((*y.shape[:-1], self._cells, self.band))
        concentrations[..., :-1] = padded[..., :-1, 1:] * self._unit
        charge = -(concentrations[..., :-1] @ self._z[:-1])
        if self._permittivity > 0.0:
            charge -= np.diff(self._field * u, axis=-1) / self._widths
        concentrations[..., -1] = charge / self._z[-1]
        return u, concentrations

    def _weights(self, u: NDArray) -> tuple[NDArray, NDArray]:
        """B(z u) and B(−z u), shape (faces, ions)."""
        x = u[:, None] * self._z
        size = np.abs(x)
        value = bernoulli_value(size)
        # B(−x) = B(x) + x; from |x| nothing cancels.
        return value + 0.5 * (size - x), value + 0.5 * (size + x)

    def _slopes(self, u: NDArray, left: NDArray, right: NDArray) -> NDArray:
        """d/du of B(z u) c_left − B(−z u) c_right."""
        x = u[:, None] * self._z
        slope = bernoulli_slope_value(np.abs(x))
        slope = np.where(x >= 0.0, slope, -1.0 - slope)
        return self._z * (slope * left - (1.0 + slope) * right)

    def _sides(self, concentrations: NDArray) -> tuple[NDArray, NDArray]:
        """Values on the left and on the right of every face."""
        return np.concatenate([self._ends[:1], concentrations]), np.concatenate([concentrations, self._ends[1:]])

    def rates(self, y: NDArray) -> NDArray:
        """f(y): what flows into every cell less what flows out, and the ionic current over every face."""
        u, concentrations = self._read(y)
        left, right = self._sides(concentrations)
        forward, backward = self._weights(u)
        flux = self._speed * (forward * left - backward * right)
        rates = np.zeros((self._cells + 1, self.band))
        rates[:, 0] = flux @ self._z
        rates[:-1, 1:] = (flux[:-1, :-1] - flux[1:, :-1]) / self._unit
        return rates.ravel()[self._unknown]

    def descent(self, y: NDArray) -> NDArray:
        """−∂f/∂y as LAPACK's general band with room for pivots: shape (3 band + 1, unknowns), ordered by column."""
        u, concentrations = self._read(y)
        left, right = self._sides(concentrations)
        forward, backward = self._weights(u)
        # Derivatives of the fluxes by what is on the left of the face, on its right, and by the potential over it.
        by_left, by_right = self._speed * forward, -self._speed * backward
        by_u = self._speed * self._slopes(u, left, right)
        n, main, ions, z = self.band, 2 * self.band, np.arange(self.band - 1), self._z[:-1] * self._unit
        # An entry is at (block of its column, place of the column in the block, 2 n + row − column).
        band = np.zeros((self._cells + 1, n, 3 * n + 1))
        # Rows of concentrations: f = J over the face on the left of the cell − J over that on its right.
        band[:-1, 1:, main] = by_left[1:, :-1] - by_right[:-1, :-1]
        band[:-2, 1:, main + n] = -by_left[1:-1, :-1]
        band[1:-1, 1:, main - n] = by_right[1:-1, :-1]
        band[:-1, 0, main + 1 : main + n] = -by_u[:-1, :-1] / self._unit
        band[1:, 0, main + 1 - n : main] = by_u[1:, :-1] / self._unit
        # Rows of faces: f = Σ z J, where the last ion makes up for the charge of the others.
        band[:-1, 1 + ions, main - 1 - ions] = z * (by_right[:-1, -1:] - by_right[:-1, :-1])
        band[:-1, 1 + ions, main - 1 - ions + n] = z * (by_left[1:, -1:] - by_left[1:, :-1])
        band[:, 0, main] = -(by_u @ self._z)
        if self._permittivity > 0.0:
            # It follows the field as well: z c = −(ε̂ / w) (u_right / h_right − u_left / h_left) − Σ z c of the others.
            last_left, last_right = by_left[1:, -1] / self._widths, by_right[:-1, -1] / self._widths
            band[1:, 0, main] += last_left * self._field[1:]
            band[:-1, 0, main] -= last_right * self._field[:-1]
            band[:-1, 0, main + n] = -last_left * self._field[:-1]
            band[1:, 0, main - n] = last_right * self._field[1:]
        return band.reshape(-1, 3 * n + 1)[self._unknown].T
