"""Result files: one HDF5 file a run, written whole or not at all, and read with distrust.

h5py takes a tenth of a second to import: it is imported when a file is touched.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..simulate import Integration, ProgressCallback
    from ..trajectory import Run, Trajectory
    from .reader import Overview


def save(trajectory: Trajectory, path: str | os.PathLike[str], *, started: datetime | None = None) -> Path:
    """Write a trajectory to an HDF5 file, whole or not at all; see ``saving.save``."""
    from . import saving

    return saving.save(trajectory, path, started=started)


def stream(
    integration: Integration,
    path: str | os.PathLike[str],
    progress: ProgressCallback | None = None,
) -> Run:
    """Integrate, writing the samples as they come; see ``saving.stream``."""
    from . import saving

    return saving.stream(integration, path, progress)


def open_trajectory(path: str | os.PathLike[str]) -> Trajectory:
    """Read a trajectory back, bit for bit; see ``reader.open_trajectory``."""
    from . import reader

    return reader.open_trajectory(path)


def open_overview(path: str | os.PathLike[str]) -> Overview:
    """Read all of a file but its samples; see ``reader.open_overview``."""
    from . import reader

    return reader.open_overview(path)
