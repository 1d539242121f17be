"""``iontide plot``: figures of runs, branches of steady states and sweeps."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ..errors import UsageError


def plot(arguments: Namespace) -> int:
    """``iontide plot``."""
    if arguments.output and len(arguments.file) > 1:
        raise UsageError("-o names one figure, but there are several files; leave out -o, or plot one file at a time")
    for file in arguments.file:
        print(*_figures_of(file, arguments), sep="\n")
    return 0


def _figures_of(file: str, arguments: Namespace) -> list[Path]:
    from ..plots.choices import RUN_KINDS, SWEEP_KINDS
    from ..storage import is_branch
    from .sweeps.figures import draw_sweep, is_sweep

    if is_sweep(file):
        if arguments.membrane or arguments.kind in RUN_KINDS:
            option = "--membrane" if arguments.membrane else f"--kind {arguments.kind}"
            raise UsageError(
                f"{option} applies only to runs; {file} is a sweep, whose kinds are {', '.join(SWEEP_KINDS)}"
            )
        return draw_sweep(file, arguments)
    options = [f"--{name}" for name in ("quantity", "x", "y", "by", "at") if getattr(arguments, name)]
    options += [f"--kind {arguments.kind}"] if arguments.kind in SWEEP_KINDS else []
    what = "a branch of steady states" if is_branch(file) else "a run"
    if options:
        verb = "applies" if len(options) == 1 else "apply"
        raise UsageError(f"{' and '.join(options)} {verb} only to sweeps; {file} is {what}")
    if is_branch(file):
        from .continuation import draw_branch

        return draw_branch(file, arguments)
    from ..plots import plot as draw

    return draw(
        file,
        arguments.output,
        kind=arguments.kind or "overview",
        time_axis=arguments.time or "linear",
        membrane=arguments.membrane,
        width_mm=arguments.width,
    )
