"""Provenance of a result: enough to reproduce it, and nothing that identifies the user or the owner of the machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from .. import __version__
from ..model.serialization import canonical_json, model_to_json, run_id_of_text
from ..simulation.run import Run
from .git_state import git_state

_PACKAGES = ("numpy", "numba", "llvmlite", "h5py")


@dataclass(frozen=True)
class Provenance:
    """Contents of the group ``provenance`` of a file.

    Attributes
    ----------
    run_id : str
        Hash of the resolved model.
    attributes : mapping of str to str
        Versions, commit, CPU, times (ISO 8601, UTC).
    texts : mapping of str to str
        The scenario as written and its name, overrides and resolved model as JSON.
    argv : tuple of str
        The command line.
    """

    run_id: str
    attributes: Mapping[str, str]
    texts: Mapping[str, str]
    argv: tuple[str, ...]


def provenance_of(run: Run, started: datetime | None = None) -> Provenance:
    """Collect the provenance of a run; best before it starts, because the working folder may change meanwhile.

    Parameters
    ----------
    run : Run
    started : datetime, optional
        When the run began, with its time zone.
    """
    model = canonical_json(model_to_json(run.model))
    attributes = surroundings()
    if started is not None:
        attributes["started"] = utc_text(started)
    if run.origin.text:
        written = run.origin.text.encode("utf-8", "surrogatepass")
        attributes["scenario_sha256"] = hashlib.sha256(written).hexdigest()
    texts = {
        "scenario": run.origin.text,
        "scenario_name": run.origin.name,
        "overrides": json.dumps(dict(run.origin.overrides), default=str),
        "model": model,
    }
    return Provenance(run_id_of_text(model), attributes, texts, tuple(sys.argv))


def surroundings() -> dict[str, str]:
    """Software and hardware used: versions, platform, CPU, and the commit of the working folder."""
    attributes = {
        "iontide": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
    }
    with contextlib.suppress(FileNotFoundError):  # the working folder may have been removed
        attributes |= {f"git_{key}": value for key, value in git_state(Path.cwd()).items()}
    return attributes


def finished(provenance: Provenance) -> Provenance:
    """The same provenance with the present time as the end of the run."""
    return replace(provenance, attributes={**provenance.attributes, "finished": utc_now()})


def utc_now() -> str:
    """The present time, ISO 8601, UTC, to the second."""
    return utc_text(datetime.now(UTC))


def utc_text(moment: datetime) -> str:
    """A moment, ISO 8601, UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def cpu_name() -> str:
    """Name of the processor: results are identical bit for bit only on the same type."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    """Version of an installed package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
