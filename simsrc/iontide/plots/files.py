"""Figures in files, complete or not at all, the same bytes every time, with the numbers beside them."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from .. import __version__
from ..errors import UsageError
from ..storage.csv_file import write_csv
from ..storage.replacing import replacing, write_all
from .choices import RunKind, TimeScale
from .drawing.style import PaperFigure, paper_style
from .figures import check_kind, run_figure

if TYPE_CHECKING:
    from ..simulation.trajectory import Trajectory

#: Dots per inch of a PNG.
RESOLUTION = 300

# The dates of each format are left out, so that equal figures are equal files.
_METADATA: dict[str, dict[str, Any]] = {
    ".pdf": {"CreationDate": None, "Creator": f"iontide {__version__}"},
    ".svg": {"Date": None, "Creator": f"iontide {__version__}"},
    ".png": {"Software": f"iontide {__version__}"},
}


def write_pair(figure: PaperFigure, beside: Path) -> list[Path]:
    """Write a figure as PDF and PNG next to a file, and its numbers once; returns the files, each once, in order."""
    files: dict[Path, None] = {}
    for suffix in (".pdf", ".png"):
        files |= dict.fromkeys(write_figure(figure, beside.with_suffix(suffix)))
    return list(files)


def write_figure(figure: Figure, path: str | os.PathLike[str], data: Mapping[str, NDArray] | None = None) -> list[Path]:
    """Write a figure, and its numbers as ``NAME.csv`` next to it.

    Parameters
    ----------
    figure : Figure
    path : path
        Ends in ``.pdf``, ``.svg`` or ``.png`` (300 dpi); missing folders are made.
    data : mapping of str to array, optional
        Columns by name with unit; the ``data`` of a ``PaperFigure`` if not given. Without data no CSV is written.

    Returns
    -------
    list of Path
        The files written, the figure first.

    Raises
    ------
    UsageError
        The path has another suffix.
    FileError
        The files cannot be written; older ones are then unchanged.
    """
    path = Path(path)
    suffix = checked_suffix(path)
    if data is None and isinstance(figure, PaperFigure):
        data = figure.data
    picture = io.BytesIO()
    with paper_style():
        figure.savefig(picture, format=suffix[1:], dpi=RESOLUTION, metadata=_METADATA[suffix])
    with replacing(path) as descriptor:
        write_all(descriptor, picture.getbuffer())
    written = [path]
    if data:
        written.append(write_csv(path.with_suffix(".csv"), data))
    return written


def plot(
    source: Trajectory | str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    kind: RunKind = "overview",
    *,
    time_axis: TimeScale = "linear",
    membrane: str | None = None,
    width_mm: float | None = None,
) -> list[Path]:
    """Draw a run, or the result file of one, into a file.

    Parameters
    ----------
    source : Trajectory or path
    output : path, optional
        Ends in ``.pdf``, ``.svg`` or ``.png``. Without it a PDF: next to the result file and named after it, or
        ``outputs/NAME.pdf`` for a trajectory that has no file; a kind other than the overview adds its name.
    kind : {"overview", "potential", "concentrations", "volumes", "currents", "gates", "power", "budget", "electrodes"}
    time_axis : {"linear", "log", "symlog"}
        The overview has both linear and symlog, whatever is given here.
    membrane : str, optional
        Only this one; for concentrations and volumes, the compartments at its sides. All by default.
    width_mm : float, optional
        183 for the overview and 89 for the others.

    Returns
    -------
    list of Path
        The figure and the numbers beside it.

    Raises
    ------
    UsageError
        The kind, suffix, membrane or time axis is unknown, the width leaves no room, or there is nothing to draw, e.g.
        no volume that changes.
    FileError
        A file cannot be read or written.

    Examples
    --------
    >>> trajectory = iontide.run("scenarios/first_principles/nernst_potassium.toml")
    >>> [path.name for path in iontide.plot(trajectory, "potential.pdf", kind="potential")]
    ['potential.pdf', 'potential.csv']
    """
    check_kind(kind)
    if width_mm is not None and not 50.0 <= width_mm <= 1000.0:
        raise UsageError(f"the width of a figure must be 50 to 1000 mm, got {width_mm:g}")
    if output is not None:
        checked_suffix(Path(output))  # before the work
    if isinstance(source, str | os.PathLike):
        from ..storage import open_trajectory

        trajectory = open_trajectory(source)
    else:
        trajectory = source
    target = Path(output) if output is not None else _default_output(source, trajectory, kind)
    return write_figure(run_figure(trajectory, kind, membrane, time_axis, width_mm), target)


def checked_suffix(path: Path) -> str:
    """The suffix of a figure file, in small letters.

    Raises
    ------
    UsageError
        It is not one that can be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        given = f"`{path.suffix}`" if path.suffix else "no suffix"
        raise UsageError(f"{path}: the name of a figure ends in {', '.join(_METADATA)}; got {given}")
    return suffix


def _default_output(source: object, trajectory: Trajectory, kind: RunKind) -> Path:
    addition = "" if kind == "overview" else f".{kind}"
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return path.with_name(f"{path.stem}{addition}.pdf")
    name = Path(trajectory.run.origin.name).stem or "figure"
    return Path("outputs") / f"{name}{addition}.pdf"
