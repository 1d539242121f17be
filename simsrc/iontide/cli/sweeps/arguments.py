"""The words of ``iontide sweep``; what they do, in ``sweeping`` and ``sweep_jobs``, is imported when a command runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..deferred import command

_SET_HELP = "use another value in place of the file's, as parameters.P_K='5e-8 m/s' or sweep.points=1000"
_SLURM_HELP = "as partition=short,time=1:00:00,mem=2G,cpus=1,elements=50"


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
    words = sweep.add_subparsers(title="what to do", metavar="WORD", required=True)

    def add(name: str, takes: str, told: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = words.add_parser(name, help=told)
        meant = {
            "FILE": "scenario file with [sweep], or a plan file that names a scenario (TOML)",
            "FOLDER": "folder of a sweep",
            "FILE|FOLDER": "scenario or plan file (TOML); or the folder of a sweep, for what is missing of it",
        }
        parser.add_argument("source", metavar=takes, help=meant[takes])
        parser.set_defaults(command=command("sweeps.jobs" if name in ("submit", "work") else "sweeps.commands", name))
        return parser

    def add_set(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--set", metavar="PATH=VALUE", type=setting, action="append", default=[], help=_SET_HELP)

    plan = add("plan", "FILE", "say how many points, how long, how much disk; and make the folder")
    _add_folder(plan)
    add_set(plan)
    plan.add_argument("--dry-run", action="store_true", help="only say it")
    plan.add_argument("--workers", metavar="N", type=int, help="processes that the time is told for")
    _add_telling(plan, "print it as JSON")

    run = add("run", "FILE", "compute all points; go on with it where its folder is there already")
    _add_folder(run)
    add_set(run)
    _add_where(run)
    run.add_argument("--dry-run", action="store_true", help="say how many points, how long, how much disk, and no more")
    _add_telling(run)

    submit = add("submit", "FILE|FOLDER", "submit what is missing to Slurm, as a job array and a job after it")
    submit.add_argument("--slurm", metavar="OPTIONS", default="", help=f"{_SLURM_HELP} (default: as the last time)")
    _add_folder(submit)
    add_set(submit)
    submit.add_argument(
        "--then",
        choices=("merge", "status", "nothing"),
        default="merge",
        help="what is done when all elements have ended (default: %(default)s)",
    )
    submit.add_argument("--failed", action="store_true", help="also the blocks with points that failed")
    submit.add_argument("--dry-run", action="store_true", help="write the batch script, but submit nothing")
    _add_telling(submit)

    work = add("work", "FOLDER", "compute one part of a sweep; what the elements of a job array call")
    work.add_argument("--part", metavar="I/N", required=True, help="as 3/8, the third of eight parts")
    work.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")

    status = add("status", "FOLDER", "say how far a sweep is, and what has failed")
    status.add_argument("--json", action="store_true", help="print it as JSON")

    resume = add("resume", "FOLDER", "compute what is missing")
    resume.add_argument("--failed", action="store_true", help="also the blocks with points that failed")
    _add_where(resume)
    _add_telling(resume)

    merge = add("merge", "FOLDER", "make one HDF5 file of all points, for xarray and others")
    merge.add_argument("-o", "--output", metavar="FILE", help="file (default: FOLDER.h5, beside the folder)")
    merge.add_argument("--virtual", action="store_true", help="leave the data in the folder, and only show them")
    merge.add_argument("--allow-missing", action="store_true", help="also of a sweep that is not finished")
    _add_telling(merge)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FOLDER", help="its folder (default: outputs/NAME.sweep)")


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", metavar="N", type=int, help="processes here (default: one for each processor)")
    places = parser.add_mutually_exclusive_group()
    places.add_argument("--scheduler", metavar="ADDRESS", help="on a Dask cluster: tcp://host:8786 or its file")
    places.add_argument(
        "--dask-jobs",
        metavar="OPTIONS",
        help=f"on Dask workers in jobs of Slurm, made for it: {_SLURM_HELP}",
    )


def _add_telling(parser: argparse.ArgumentParser, told: str = "print the outcome as JSON") -> None:
    parser.add_argument("--json", action="store_true", help=told)
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
