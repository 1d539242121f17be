"""Fewer points for the same picture: the samples of a long recording that can be seen at the width of a page."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Recordings up to this many samples are drawn whole.
WHOLE = 20_000

#: Columns of points across a panel: finer than a printed line is wide (75 mm at 400 to the inch).
COLUMNS = 1200


def visible_samples(position: NDArray, values: NDArray, columns: int = COLUMNS) -> NDArray:
    """Indices of samples whose line looks like the line of all samples.

    Per column of the page: the first, the last, the least and the greatest sample, so that no spike is lost, and
    one undefined sample, so that a gap stays a gap.

    Parameters
    ----------
    position : array, shape (samples,)
        Place of each sample along the axis *as drawn* (so its logarithm on a logarithmic axis), not decreasing.
    values : array, shape (samples,)
        NaN where undefined.
    columns : int
        Into how many columns the axis is cut.

    Returns
    -------
    array of int
        Ascending; all indices where there are no more than four a column.
    """
    n = len(position)
    span = position[-1] - position[0] if n else 0.0
    if n <= 4 * columns or not span > 0:
        return np.arange(n)
    column = np.minimum(((position - position[0]) * (columns / span)).astype(np.int64), columns - 1)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], n) - 1
    chosen = [starts, ends]
    lengths = np.diff(starts, append=n)
    for extreme in (np.fmin, np.fmax):  # these pass over NaN
        is_extreme = values == np.repeat(extreme.reduceat(values, starts), lengths)
        chosen.append(_first_of_each(column, is_extreme))
    chosen.append(_first_of_each(column, np.isnan(values)))
    return np.unique(np.concatenate(chosen))


def _first_of_each(column: NDArray, wanted: NDArray) -> NDArray:
    """Index of the first wanted sample in every column that has one."""
    at = np.flatnonzero(wanted)
    return at[np.diff(column[at], prepend=-1) > 0]
