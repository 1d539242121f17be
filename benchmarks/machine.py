"""What kind of machine the numbers come from, in general terms, and what a fresh Python process needs."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def description() -> str:
    """Processor, cores, versions and date, in one line."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    versions = []
    for package in ("numpy", "scipy", "numba", "numbalsoda", "scikit-sundae"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    versions.insert(0, f"Python {platform.python_version()}")
    return f"{processor}, {os.cpu_count()} cores; {', '.join(versions)}; {date.today()}"
