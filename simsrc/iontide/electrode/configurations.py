"""Where a pipette is, what is between its solution and the bath, and how a membrane potential follows from a reading.

Signs by Barry & Lynch 1991, doi:10.1007/BF01870526, and Neher 1992, doi:10.1016/0076-6879(92)07008-C, with LJP the
potential of the bath relative to the pipette and V_p what is read of a pipette that was zeroed in the bath:

    whole-cell, outside-out   V_m = V_p − LJP
    inside-out                V_m = −V_p + LJP
    cell-attached             V_m = V_cell − V_p + LJP     (V_m of the patch, V_cell the resting potential of the cell)
    sharp                     V_m = V_p − LJP + LJP'       (LJP': of the cell's inside relative to the pipette)

But for the sharp one no junction is left once the seal is made: the pipette's solution is that of one side of the
membrane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Placement:
    """Where the tip of an electrode is.

    Attributes
    ----------
    side : {"inside", "outside", ""}
        Of the membrane, whose potential it takes up; empty: it is in a solution.
    open_tip : bool
        Whether a junction remains between the pipette's solution and that around the tip.
    sign : int
        Of the membrane potential (inside minus outside) in what is read.
    has_rest : bool
        Whether the other side of the membrane is not the bath, so that its potential is added.
    """

    side: str
    open_tip: bool
    sign: int
    has_rest: bool = False


PLACEMENTS = {
    "whole-cell": Placement("inside", False, 1),
    "outside-out": Placement("inside", False, 1),
    "inside-out": Placement("outside", False, -1),
    "cell-attached": Placement("outside", False, -1, True),
    "sharp": Placement("inside", True, 1),
    "in-solution": Placement("", True, 1),
}


def corrected(configuration: str, measured: Any, junction: Any, inner: Any = 0.0, resting: Any = 0.0) -> Any:
    """Membrane potential from what was read, V, inside minus outside; also of arrays.

    Parameters
    ----------
    configuration : str
        A name in ``PLACEMENTS``, but for ``in-solution``.
    measured : float or array
        What is read of a pipette that was zeroed in the bath.
    junction : float or array
        LJP: bath relative to pipette.
    inner : float or array
        Of ``sharp``: the inside of the cell relative to the pipette.
    resting : float or array
        Of ``cell-attached``: resting potential of the cell.
    """
    place = PLACEMENTS[configuration]
    across = measured - junction + (inner if place.open_tip else 0.0)
    return place.sign * across + (resting if place.has_rest else 0.0)
