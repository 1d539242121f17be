"""Result files: one HDF5 file per run, written completely or not at all, and validated when read.

h5py takes a tenth of a second to import, so it is imported only when a file is read or written.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FileError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..analysis.continuation.continuation import Branch
    from ..simulation.run import Run
    from ..simulation.simulate import Integration, ProgressCallback
    from ..simulation.trajectory import Trajectory
    from .reader import Overview


#: First bytes of every HDF5 file.
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def save(trajectory: Trajectory, path: str | os.PathLike[str], *, started: datetime | None = None) -> Path:
    """Write a trajectory to an HDF5 file, completely or not at all; see ``saving.save``."""
    from . import saving

    return saving.save(trajectory, path, started=started)


def stream(
    integration: Integration,
    path: str | os.PathLike[str],
    progress: ProgressCallback | None = None,
) -> Run:
    """Integrate, writing the samples as they are computed; see ``saving.stream``."""
    from . import saving

    return saving.stream(integration, path, progress)


def check_target(path: str | os.PathLike[str]) -> None:
    """Check that a result may be written here: to a new file, or in place of an HDF5 file.

    Raises
    ------
    UsageError
        If the name does not end in .h5 or .hdf5.
    FileError
        If a file of another kind exists there; it is never overwritten.
    """
    target = Path(path)
    if target.suffix not in (".h5", ".hdf5"):
        raise UsageError(f"the name of a result file must end in .h5 or .hdf5, got {target}")
    try:
        with target.open("rb") as file:
            start = file.read(len(_SIGNATURE))
    except OSError:  # it does not exist or cannot be read: any fault is reported when it is written
        return
    if start and start != _SIGNATURE:
        raise FileError(f"{target} exists and is not a result file; nothing was written")


def open_trajectory(path: str | os.PathLike[str]) -> Trajectory:
    """Read a trajectory back, bit for bit; see ``reader.open_trajectory``.

    Examples
    --------
    >>> trajectory = iontide.run("scenarios/first_principles/nernst_potassium.toml")
    >>> path = trajectory.save("nernst.h5")
    >>> again = iontide.open(path)
    >>> bool((again.states == trajectory.states).all())
    True
    """
    from . import reader

    return reader.open_trajectory(path)


#: The public name: ``iontide.open``.
open = open_trajectory


def open_overview(path: str | os.PathLike[str]) -> Overview:
    """Read everything in a file except its samples; see ``reader.open_overview``."""
    from . import reader

    return reader.open_overview(path)


def save_branch(branch: Branch, path: str | os.PathLike[str]) -> Path:
    """Write a branch of steady states to an HDF5 file, completely or not at all; see ``branches.save_branch``."""
    from . import branches

    return branches.save_branch(branch, path)


def is_branch(path: str | os.PathLike[str]) -> bool:
    """Whether a file contains a branch of steady states; see ``branches.is_branch``."""
    from . import branches

    return branches.is_branch(path)


def open_branch(path: str | os.PathLike[str]) -> Branch:
    """Read a branch of steady states back, bit for bit; see ``branches.open_branch``.

    Examples
    --------
    >>> model = iontide.load("scenarios/published/duesterwald_2018.toml").model
    >>> path = iontide.continue_steady_state(model, "g_KCC2", 0.18, 0.22).save("branch.h5")
    >>> iontide.open_branch(path).parameter
    'g_KCC2'
    """
    from . import branches

    return branches.open_branch(path)


def read_arrays(path: str | os.PathLike[str], names: Sequence[str]) -> list[NDArray]:
    """Datasets of numbers from any HDF5 file; see ``foreign_arrays.read_arrays``."""
    from . import foreign_arrays

    return foreign_arrays.read_arrays(path, names)
