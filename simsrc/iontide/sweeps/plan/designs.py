"""Designs: the place or share on each axis of every point of a plan, computed from the number of the point.

``places(start, stop)`` of a listed design and ``shares(start, stop)`` of a sampling design give the same for a point
whatever range is requested. Shares are the middles of cells of a fine grid, so that they are exact and never 0 or 1.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

#: Points that share a random generator, or the table from which Sobol points are computed.
_CHUNK = 4096

#: Number of cells of an axis as a power of two: of random points, and of Sobol points.
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


class Zipped:
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
        first, last = start // _CHUNK, -(-stop // _CHUNK)
        drawn = [self._chunk(number) for number in range(first, last)] or [np.zeros((0, self.axes))]
        return np.concatenate(drawn)[start - first * _CHUNK : stop - first * _CHUNK]

    def _chunk(self, number: int) -> NDArray:
        generator = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, number, 0]))
        return middles_of_cells(generator.random((_CHUNK, self.axes)))


class LatinHypercube:
    """One point in each of as many slices as there are points, on every axis (scipy.stats.qmc).

    All its permutations are held in memory.

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
    """The Sobol sequence with linear matrix scrambling and a digital shift (scipy.stats.qmc), at any point.

    Point i is the exclusive or of the shift and a fixed column for each bit of the Gray code of i. The columns follow
    from the points 1, 2, 4, 8, … of SciPy's sequence.

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
        """The shift and a column for each bit of the number of a point, each of shape (axes,)."""
        from scipy.stats import qmc

        generator = np.random.default_rng(self._seed)
        sequence = qmc.Sobol(self.axes, scramble=True, bits=_SOBOL_BITS, seed=generator)

        def next_point() -> NDArray[np.uint32]:
            return (sequence.random(1)[0] * 2.0**_SOBOL_BITS).astype(np.uint32)

        shift = next_point()
        columns: list[NDArray[np.uint32]] = []
        # The table needs the points of one whole chunk.
        for bit in range(max(self.size - 1, _CHUNK - 1).bit_length()):
            sequence.fast_forward(2**bit - sequence.num_generated)
            # The Gray code of 2^bit has this bit and the one before it.
            before = columns[-1] if columns else np.zeros_like(shift)
            columns.append(next_point() ^ shift ^ before)
        return shift, columns

    @cached_property
    def _table(self) -> NDArray[np.uint32]:
        """The points of the first chunk without the shift, shape (chunk, axes)."""
        _, columns = self._columns
        numbers = np.arange(_CHUNK)
        gray = numbers ^ (numbers >> 1)
        table = np.zeros((_CHUNK, self.axes), dtype=np.uint32)
        for bit in range((_CHUNK - 1).bit_length()):
            table[(gray >> bit) & 1 == 1] ^= columns[bit]
        return table

    def shares(self, start: int, stop: int) -> NDArray:
        """Shares of the axes, shape (stop − start, axes)."""
        cells = np.empty((stop - start, self.axes), dtype=np.uint32)
        shift, columns = self._columns
        for number in range(start // _CHUNK, -(-stop // _CHUNK)):
            begin = number * _CHUNK
            low, high = max(start, begin), min(stop, begin + _CHUNK)
            gray, common = begin ^ (begin >> 1), shift.copy()
            for bit, column in enumerate(columns):
                if gray >> bit & 1:
                    common ^= column
            np.bitwise_xor(self._table[low - begin : high - begin], common, out=cells[low - start : high - start])
        return (cells + 0.5) * 2.0**-_SOBOL_BITS


class Saltelli:
    """Points for Sobol indices of first and total order (Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018).

    A base sample is a pair of points A and B, the two halves of a Sobol point with twice as many axes. In the plan it
    is d + 2 consecutive points: A, then for each axis A with the value of B on that axis, then B.

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
        """The numbers of the points of one part, in the order of the base samples.

        Parameters
        ----------
        part : str or int
            ``"A"``, ``"B"``, or the number of the axis on which the value is that of B.
        """
        row = {"A": 0, "B": self.axes + 1}[part] if isinstance(part, str) else range(self.axes)[part] + 1
        return slice(row, None, self.axes + 2)


Listed = Grid | Zipped
Drawn = Random | LatinHypercube | Sobol | Saltelli


def design_of(name: str, levels: tuple[int, ...], drawn: int, seed: int) -> Listed | Drawn:
    """The design with a name.

    Parameters
    ----------
    name : str
    levels : tuple of int
        Number of values of each axis; 0 for a distribution.
    drawn : int
        Number of sampled points, or of base samples.
    seed : int
    """
    if name == "grid":
        return Grid(levels)
    if name in ("zip", "list"):
        return Zipped(levels[0], len(levels))
    kinds: dict[str, type[Drawn]] = {
        "random": Random,
        "latin_hypercube": LatinHypercube,
        "sobol": Sobol,
        "saltelli": Saltelli,
    }
    return kinds[name](drawn, len(levels), seed)


def middles_of_cells(shares: NDArray) -> NDArray:
    """The middles of the cells that contain these shares."""
    cells = np.minimum(np.floor(shares * 2.0**_BITS), 2.0**_BITS - 1.0)
    return (cells + 0.5) * 2.0**-_BITS
