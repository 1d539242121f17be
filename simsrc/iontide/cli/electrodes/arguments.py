"""The words of ``iontide junction`` and ``iontide correct``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..deferred import command


def add_junction(commands: Any, setting: Callable[[str], tuple[str, str]]) -> None:
    """Add the commands to the parser."""
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
            "it, as 'low Cl: …'; or the name of a compartment of --scenario; may be given again",
        )
    junction.add_argument("--scenario", metavar="FILE", help="scenario file whose compartments are solutions by name")
    _add_solutions(junction)
    junction.add_argument(
        "--width", metavar="LENGTH", help="follow the junction in time from a step, over this width, as '1 mm'"
    )
    junction.add_argument("--duration", metavar="T", help="of --width: for how long (default: until it is stationary)")
    junction.add_argument(
        "--ends",
        choices=("held", "closed"),
        default="held",
        help="of --width: held at the two solutions, or closed, so that they mix (default: %(default)s)",
    )
    junction.add_argument(
        "--poisson", action="store_true", help="of --width: with the charge that fields need; for widths of about 1 um"
    )
    junction.add_argument(
        "--plot",
        metavar="FIGURE",
        help="draw the junction, or a table of several; .pdf, .svg or .png, with the numbers beside it (.csv)",
    )
    junction.add_argument("--json", action="store_true", help="print the answer as JSON")
    junction.set_defaults(command=command("electrodes.junction", "junction"))
    _add_correct(commands, setting)


def _add_correct(commands: Any, setting: Callable[[str], tuple[str, str]]) -> None:
    correct = commands.add_parser(
        "correct",
        help="make a recording into a membrane potential, by a scenario's electrode or by solutions",
        epilog="iontide correct cell.csv --pipette 'K-gluconate 130 mM, KCl 10 mM' --bath 'NaCl 140 mM, KCl 5 mM' "
        "--configuration whole-cell",
    )
    correct.add_argument(
        "recording", metavar="RECORDING", help="CSV with units in its header, as 'time (s),V (mV)'; or HDF5"
    )
    correct.add_argument("-o", "--output", metavar="FILE", help="CSV file (default: RECORDING.corrected.csv)")
    correct.add_argument("--column", metavar="NAME", help="column of the potential; of HDF5, its dataset")
    correct.add_argument("--time", metavar="NAME", help="column of the time; of HDF5, its dataset, in s")
    correct.add_argument(
        "--unit", metavar="UNIT", default="mV", help="of HDF5: of the potential (default: %(default)s)"
    )
    correct.add_argument(
        "--scenario", metavar="FILE", help="scenario of the experiment, with its electrode and protocol"
    )
    correct.add_argument("--electrode", metavar="NAME", help="which of its electrodes")
    correct.add_argument(
        "--set", metavar="PATH=VALUE", type=setting, action="append", default=[], help="as in iontide run"
    )
    correct.add_argument("--pipette", metavar="SOLUTION", help="solution of the pipette, as in iontide junction")
    correct.add_argument("--bath", metavar="SOLUTION", help="solution in which it was zeroed")
    correct.add_argument(
        "--configuration",
        choices=("whole-cell", "outside-out", "inside-out", "cell-attached", "sharp"),
        help="where the pipette is",
    )
    correct.add_argument("--cell", metavar="SOLUTION", help="of a sharp electrode: solution in the cell")
    correct.add_argument("--resting", metavar="V", help="of a cell-attached patch: resting potential of the cell")
    _add_solutions(correct)
    correct.add_argument("--json", action="store_true", help="print the outcome as JSON")
    correct.set_defaults(command=command("electrodes.correct", "correct"))


def _add_solutions(parser: argparse.ArgumentParser) -> None:
    """What is asked of any two solutions."""
    parser.add_argument("-t", "--temperature", metavar="T", default="25 degC", help="default: %(default)s")
    parser.add_argument(
        "--method",
        choices=("nernst-planck", "henderson", "lewis-sargent"),
        help="only this one (default: all that apply)",
    )
    parser.add_argument(
        "--activity",
        choices=("ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer"),
        default="ideal",
        help="activity coefficients (default: %(default)s)",
    )
    parser.add_argument("--balance", metavar="ION", help="ion whose concentration is chosen so that charges balance")
    parser.add_argument(
        "--diffusion-coefficient",
        metavar="ION=D",
        action="append",
        default=[],
        help="at 25 degC, as 'gluconate=6.5e-10 m^2/s'; may be given again",
    )
    parser.add_argument(
        "--valence",
        metavar="ION=Z",
        action="append",
        default=[],
        help="of an ion that the library lacks, as 'X=-2'; may be given again",
    )
