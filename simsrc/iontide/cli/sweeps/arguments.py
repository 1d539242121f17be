"""The command-line arguments of ``iontide sweep``; ``commands`` and ``jobs`` are imported when a command runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..deferred import command

_SET_HELP = "replace a value of the file, for example parameters.P_K='5e-8 m/s' or sweep.points=1000"
_SLURM_HELP = "for example partition=short,time=1:00:00,mem=2G,cpus=1,elements=50"


def add_sweep(commands: Any, setting: Callable[[str], tuple[str, str]]) -> None:
    """Add ``sweep`` to the commands of ``iontide``.

    Parameters
    ----------
    commands : the subparsers of a parser
    setting : callable
        Reads ``PATH=VALUE``.
    """
    sweep = commands.add_parser(
        "sweep",
        help="run a scenario at many values of its parameters, here or on a cluster",
        epilog="A first sweep: iontide sweep run scenarios/cells_and_tissues/pump_leak_sweep.toml",
    )
    actions = sweep.add_subparsers(title="actions", metavar="ACTION", required=True)

    def add(name: str, takes: str, help_text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = actions.add_parser(name, help=help_text)
        source_help = {
            "FILE": "scenario file with [sweep], or a plan file that names a scenario (TOML)",
            "FOLDER": "folder of a sweep",
            "FILE|FOLDER": "scenario or plan file (TOML), or the folder of a sweep, to submit what is missing",
        }
        parser.add_argument("source", metavar=takes, help=source_help[takes])
        parser.set_defaults(command=command("sweeps.jobs" if name in ("submit", "work") else "sweeps.commands", name))
        return parser

    def add_set(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--set", metavar="PATH=VALUE", type=setting, action="append", default=[], help=_SET_HELP)

    plan = add("plan", "FILE", "print the number of points and the estimated time and disk space, and make the folder")
    _add_folder(plan)
    add_set(plan)
    plan.add_argument("--dry-run", action="store_true", help="make no folder")
    plan.add_argument("--workers", metavar="N", type=int, help="number of processes for the estimated time")
    _add_output_options(plan, "print it as JSON")

    run = add("run", "FILE", "compute all points; continue if the folder exists")
    _add_folder(run)
    add_set(run)
    _add_where(run)
    run.add_argument(
        "--dry-run", action="store_true", help="only print the number of points and the estimated time and disk space"
    )
    _add_output_options(run)

    submit = add("submit", "FILE|FOLDER", "submit the missing blocks to Slurm, as a job array and a job after it")
    submit.add_argument(
        "--slurm", metavar="OPTIONS", default="", help=f"{_SLURM_HELP} (default: those of the last submission)"
    )
    _add_folder(submit)
    add_set(submit)
    submit.add_argument(
        "--then",
        choices=("merge", "status", "nothing"),
        default="merge",
        help="action of the job after the array (default: %(default)s)",
    )
    submit.add_argument("--failed", action="store_true", help="also recompute the blocks with failed points")
    submit.add_argument("--dry-run", action="store_true", help="write the batch script, but submit nothing")
    _add_output_options(submit)

    work = add("work", "FOLDER", "compute one part of a sweep, as an element of a job array")
    work.add_argument("--part", metavar="I/N", required=True, help="for example 3/8, the third of eight parts")
    work.add_argument("-q", "--quiet", action="store_true", help="print errors only")

    status = add("status", "FOLDER", "print the progress of a sweep and its failures")
    status.add_argument("--json", action="store_true", help="print it as JSON")

    resume = add("resume", "FOLDER", "compute the missing blocks")
    resume.add_argument("--failed", action="store_true", help="also recompute the blocks with failed points")
    _add_where(resume)
    _add_output_options(resume)

    merge = add("merge", "FOLDER", "merge all points into one HDF5 file, for xarray and others")
    merge.add_argument("-o", "--output", metavar="FILE", help="file (default: FOLDER.h5, beside the folder)")
    merge.add_argument("--virtual", action="store_true", help="leave the data in the folder and only refer to them")
    merge.add_argument("--allow-missing", action="store_true", help="merge a sweep that is not finished")
    _add_output_options(merge)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FOLDER", help="folder of the sweep (default: outputs/NAME.sweep)")


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", metavar="N", type=int, help="number of processes on this machine (default: one for each processor)"
    )
    places = parser.add_mutually_exclusive_group()
    places.add_argument(
        "--scheduler", metavar="ADDRESS", help="compute on a Dask cluster: tcp://host:8786 or a scheduler file"
    )
    places.add_argument(
        "--dask-jobs",
        metavar="OPTIONS",
        help=f"compute on Dask workers in new Slurm jobs: {_SLURM_HELP}",
    )


def _add_output_options(parser: argparse.ArgumentParser, help_text: str = "print the result as JSON") -> None:
    parser.add_argument("--json", action="store_true", help=help_text)
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
