"""Designs: which places or shares of the axes the points of a plan take, each of them from its number alone.

``shares(start, stop)`` of a design that draws, ``places(start, stop)`` of one that does not, are the same whatever
stretch of the plan is asked for. Shares are the middles of cells of a fine grid, so never 0 or 1, and exact.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

#: Points that share a random generator, or a row of the table from which Sobol points are made.
_STRETCH = 4096

#: Cells on an axis, as a power of two: of what is drawn at random, and of Sobol points.
_BITS, _SOBOL_BITS = 52, 32


class Grid:
    """Every value with every other; the last axis changes fastest.

    Parameters
    ----------
    counts : tuple of int
        Values of each axis.
    """

    def __init__(self, counts: tuple[int, ...]) -> None:
        self.counts = counts
        self.size = math.prod(counts)

    def places(self, start: int, stop: int) -> NDArray[np.int64]:
        """Places on the axes, shape (stop − start, axes)."""
        return np.stack(np.unravel_index(np.arange(start, stop, dtype=np.int64), self.counts), axis=1)


class Together:
    """The first value of every axis, then the second of every axis, and so on.

    Parameters
    ----------
    size : int
        Values of each axis.
    axes : int
    """

    def __init__(self, size: int, axes: int) -> None:
        self.size = size
        self.axes = axes

    def places(self, start: int, stop: int) -> NDArray[np.int64]:
        """Places on the axes, shape (stop − start, axes)."""
        return np.repeat(np.arange(start, stop, dtype=np.int64)[:, np.newaxis], self.axes, axis=1)


class Random:
    """Independent points, by a counter-based generator (Philox; Salmon et al. 2011, doi:10.1145/2063384.2063405).

    Parameters
    ----------
    size, axes, seed : int
    """

    def __init__(self, size: int, axes: int, seed: int) -> None:
        self.size = size
        self.axes = axes
        self._key = np.random.SeedSequence(seed).generate_state(2, np.uint64)

    def shares(self, start: int, stop: int) -> NDArray:
        """Shares of the axes, shape (stop − start, axes)."""
        first, last = start // _STRETCH, -(-stop // _STRETCH)
        drawn = [self._stretch(number) for number in range(first, last)] or [np.zeros((0, self.axes))]
        return np.concatenate(drawn)[start - first * _STRETCH : stop - first * _STRETCH]

    def _stretch(self, number: int) -> NDArray:
        generator = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, number, 0]))
        return middles_of_cells(generator.random((_STRETCH, self.axes)))


class LatinHypercube:
    """One point in each of as many slices as there are points, on every axis (scipy.stats.qmc).

    Its permutations are held in memory, all at once.

    Parameters
    ----------
    size, axes, seed : int
    """

    def __init__(self, size: int, axes: int, seed: int) -> None:
        self.size = size
        self.axes = axes
        self._seed = seed

    @cached_property
    def _all(self) -> NDArray:
        from scipy.stats import qmc

        return middles_of_cells(qmc.LatinHypercube(self.axes, seed=np.random.default_rng(self._seed)).random(self.size))

    def shares(self, start: int, stop: int) -> NDArray:
        """Shares of the axes, shape (stop − start, axes)."""
        return self._all[start:stop]


class Sobol:
    """The Sobol sequence with linear matrix scrambling and a digital shift (scipy.stats.qmc), any point at once.

    Point i is the exclusive or of a fixed column for each bit of the Gray code of i, and of the shift; so the columns
    are the points 1, 2, 4, 8, … but for what they have in common. They are read off SciPy's sequence.

    Parameters
    ----------
    size, axes, seed : int
    """

    def __init__(self, size: int, axes: int, seed: int) -> None:
        self.size = size
        self.axes = axes
        self._seed = seed

    @cached_property
    def _columns(self) -> tuple[NDArray[np.uint32], list[NDArray[np.uint32]]]:
        """The shift, and a column for each bit of the number of a point; each shape (axes,)."""
        from scipy.stats import qmc

        generator = np.random.default_rng(self._seed)
        sequence = qmc.Sobol(self.axes, scramble=True, bits=_SOBOL_BITS, seed=generator)

        def next_point() -> NDArray[np.uint32]:
            return (sequence.random(1)[0] * 2.0**_SOBOL_BITS).astype(np.uint32)

        shift = next_point()
        columns: list[NDArray[np.uint32]] = []
        # The table below needs the points of one stretch, however few there are.
        for bit in range(max(self.size - 1, _STRETCH - 1).bit_length()):
            sequence.fast_forward(2**bit - sequence.num_generated)
            # The Gray code of 2^bit has this bit and the one before it.
            before = columns[-1] if columns else np.zeros_like(shift)
            columns.append(next_point() ^ shift ^ before)
        return shift, columns

    @cached_property
    def _table(self) -> NDArray[np.uint32]:
        """The points of the first stretch, without the shift; shape (stretch, axes)."""
        _, columns = self._columns
        numbers = np.arange(_STRETCH)
        gray = numbers ^ (numbers >> 1)
        table = np.zeros((_STRETCH, self.axes), dtype=np.uint32)
        for bit in range((_STRETCH - 1).bit_length()):
            table[(gray >> bit) & 1 == 1] ^= columns[bit]
        return table

    def shares(self, start: int, stop: int) -> NDArray:
        """Shares of the axes, shape (stop − start, axes)."""
        cells = np.empty((stop - start, self.axes), dtype=np.uint32)
        shift, columns = self._columns
        for number in range(start // _STRETCH, -(-stop // _STRETCH)):
            begin = number * _STRETCH
            low, high = max(start, begin), min(stop, begin + _STRETCH)
            gray, common = begin ^ (begin >> 1), shift.copy()
            for bit, column in enumerate(columns):
                if gray >> bit & 1:
                    common ^= column
            np.bitwise_xor(self._table[low - begin : high - begin], common, out=cells[low - start : high - start])
        return (cells + 0.5) * 2.0**-_SOBOL_BITS


class Saltelli:
    """Points for Sobol indices of first and total order (Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018).

    A base sample is a pair of points A and B, the two halves of a Sobol point of twice as many axes. In the plan it is
    d + 2 points one after the other: A, then for each axis A with the value of B on that axis, then B. So a stretch of
    the plan holds whole base samples, but for its ends.

    Parameters
    ----------
    samples, axes, seed : int
    """

    def __init__(self, samples: int, axes: int, seed: int) -> None:
        self.samples = samples
        self.axes = axes
        self.size = samples * (axes + 2)
        self._pairs = Sobol(samples, 2 * axes, seed)

    def shares(self, start: int, stop: int) -> NDArray:
        """Shares of the axes, shape (stop − start, axes)."""
        rows = self.axes + 2
        first, last = start // rows, -(-stop // rows)
        pairs = self._pairs.shares(first, last)
        a, b = pairs[:, : self.axes], pairs[:, self.axes :]
        points = np.repeat(a[:, np.newaxis], rows, axis=1)
        points[:, -1] = b
        for axis in range(self.axes):
            points[:, 1 + axis, axis] = b[:, axis]
        return points.reshape(-1, self.axes)[start - first * rows : stop - first * rows]

    def points_of(self, part: str | int) -> slice:
        """The numbers of the points of one part, in the order of base samples.

        Parameters
        ----------
        part : str or int
            ``"A"``, ``"B"``, or the number of the axis whose value is that of B.
        """
        row = {"A": 0, "B": self.axes + 1}[part] if isinstance(part, str) else range(self.axes)[part] + 1
        return slice(row, None, self.axes + 2)


Listed = Grid | Together
Drawn = Random | LatinHypercube | Sobol | Saltelli


def design_of(name: str, levels: tuple[int, ...], drawn: int, seed: int) -> Listed | Drawn:
    """The design of a name.

    Parameters
    ----------
    name : str
    levels : tuple of int
        How many values each axis has; 0 of a distribution.
    drawn : int
        Points that are drawn, or base samples.
    seed : int
    """
    if name == "grid":
        return Grid(levels)
    if name in ("zip", "list"):
        return Together(levels[0], len(levels))
    kinds: dict[str, type[Drawn]] = {
        "random": Random,
        "latin_hypercube": LatinHypercube,
        "sobol": Sobol,
        "saltelli": Saltelli,
    }
    return kinds[name](drawn, len(levels), seed)


def middles_of_cells(shares: NDArray) -> NDArray:
    """The middles of the cells in which shares from 0 to 1 lie."""
    cells = np.minimum(np.floor(shares * 2.0**_BITS), 2.0**_BITS - 1.0)
    return (cells + 0.5) * 2.0**-_BITS
