"""The words of ``iontide junction``."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any


def add_junction(commands: Any) -> None:
    """Add the command to the parser."""
    junction = commands.add_parser(
        "junction",
        help="liquid junction potential between two solutions, bath relative to pipette",
        epilog="iontide junction --pipette 'K-gluconate 130 mM, KCl 10 mM' --bath 'NaCl 140 mM, KCl 5 mM'",
    )
    for side in ("pipette", "bath"):
        junction.add_argument(
            f"--{side}",
            metavar="SOLUTION",
            action="append",
            required=True,
            help=f"solution of the {side}: salts or ions, as 'NaCl 140 mM, K 5 mM, Cl 5 mM'; a name may stand before "
            "it, as 'low Cl: …'; may be given again",
        )
    junction.add_argument("-t", "--temperature", metavar="T", default="25 degC", help="default: %(default)s")
    junction.add_argument(
        "--method",
        choices=("nernst-planck", "henderson", "lewis-sargent"),
        help="only this one (default: all that apply)",
    )
    junction.add_argument(
        "--activity",
        choices=("ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer"),
        default="ideal",
        help="activity coefficients (default: %(default)s)",
    )
    junction.add_argument("--balance", metavar="ION", help="ion whose concentration is chosen so that charges balance")
    junction.add_argument(
        "--diffusion-coefficient",
        metavar="ION=D",
        action="append",
        default=[],
        help="at 25 degC, as 'gluconate=6.5e-10 m^2/s'; may be given again",
    )
    junction.add_argument(
        "--valence",
        metavar="ION=Z",
        action="append",
        default=[],
        help="of an ion that the library lacks, as 'X=-2'; may be given again",
    )
    junction.add_argument(
        "--plot",
        metavar="FIGURE",
        help="draw the junction, or a table of several; .pdf, .svg or .png, with the numbers beside it (.csv)",
    )
    junction.add_argument("--json", action="store_true", help="print the answer as JSON")
    junction.set_defaults(command=_junction)


def _junction(arguments: argparse.Namespace) -> int:
    command: int = import_module(f"{__package__}.junctions").junction(arguments)
    return command
