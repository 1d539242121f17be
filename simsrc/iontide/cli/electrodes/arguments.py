"""The arguments of ``iontide junction`` and ``iontide correct``."""

from __future__ import annotations

import argparse
from typing import Any

from ..arguments import CONFIGURATIONS, JUNCTION_METHODS, add_activity, add_json, add_set
from ..deferred import command


def add_junction(commands: Any) -> None:
    """Add ``junction`` to the parser."""
    junction = commands.add_parser(
        "junction",
        help="liquid junction potential between two solutions (bath relative to pipette)",
        epilog="Example: iontide junction --pipette 'K-gluconate 130 mM, KCl 10 mM' --bath 'NaCl 140 mM, KCl 5 mM'",
    )
    for side in ("pipette", "bath"):
        junction.add_argument(
            f"--{side}",
            metavar="SOLUTION",
            action="append",
            required=True,
            help=f"solution in the {side}: salts or ions, e.g. 'NaCl 140 mM, K 5 mM, Cl 5 mM', with a name if you "
            "like, e.g. 'low Cl: NaCl 20 mM'; or the name of a compartment of --scenario (repeatable)",
        )
    junction.add_argument("--scenario", metavar="FILE", help="scenario whose compartments may be named as solutions")
    _add_method(junction, "all that apply")
    junction.add_argument(
        "--width", metavar="LENGTH", help="simulate how the junction forms from a step over this width, e.g. '1 mm'"
    )
    junction.add_argument(
        "--duration", metavar="T", help="with --width: time to simulate (default: until it is stationary)"
    )
    junction.add_argument(
        "--ends",
        choices=("held", "closed"),
        default="held",
        help="with --width: ends held at the two solutions, or closed, so that they mix (default: %(default)s)",
    )
    junction.add_argument(
        "--poisson",
        action="store_true",
        help="with --width: solve the Poisson equation instead of assuming electroneutrality; for widths of about 1 um",
    )
    junction.add_argument(
        "--plot",
        metavar="FIGURE",
        help="also draw the junction, or a table of several: .pdf, .svg or .png, with the numbers beside it (.csv)",
    )
    add_json(junction)
    junction.set_defaults(command=command("electrodes.junction", "junction"))


def add_correct(commands: Any) -> None:
    """Add ``correct`` to the parser."""
    correct = commands.add_parser(
        "correct",
        help="turn a recorded potential into a membrane potential (junction correction)",
        description="Turn a recorded potential into a membrane potential: either by --pipette, --bath and "
        "--configuration, or by --scenario, which simulates the electrode.",
        epilog="Example: iontide correct cell.csv --pipette 'K-gluconate 130 mM, KCl 10 mM' "
        "--bath 'NaCl 140 mM, KCl 5 mM' --configuration whole-cell",
    )
    correct.add_argument(
        "recording", metavar="RECORDING", help="CSV with units in its header, e.g. 'time (s),V (mV)'; or HDF5"
    )
    correct.add_argument("-o", "--output", metavar="FILE", help="CSV file (default: RECORDING.corrected.csv)")
    correct.add_argument("--column", metavar="NAME", help="column of the potential; of HDF5, its dataset")
    correct.add_argument("--time", metavar="NAME", help="column of the time; of HDF5, its dataset, in s")
    correct.add_argument(
        "--unit", metavar="UNIT", default="mV", help="HDF5: unit of the potential (default: %(default)s)"
    )
    correct.add_argument("--scenario", metavar="FILE", help="scenario of the experiment, with electrode and protocol")
    correct.add_argument("--electrode", metavar="NAME", help="electrode of the scenario (default: the only one)")
    add_set(correct)
    correct.add_argument("--pipette", metavar="SOLUTION", help="solution in the pipette, as in iontide junction")
    correct.add_argument("--bath", metavar="SOLUTION", help="bath solution in which the amplifier was zeroed")
    correct.add_argument("--configuration", choices=CONFIGURATIONS, help="placement of the pipette")
    correct.add_argument("--cell", metavar="SOLUTION", help="sharp electrode: solution in the cell")
    correct.add_argument("--resting", metavar="V", help="cell-attached patch: resting potential of the cell")
    _add_method(correct, "nernst-planck")
    add_json(correct)
    correct.set_defaults(command=command("electrodes.correct", "correct"))


def _add_method(parser: argparse.ArgumentParser, default: str) -> None:
    """Options of the junction potential between any two solutions."""
    parser.add_argument(
        "-t", "--temperature", metavar="T", default="25 degC", help="e.g. '37 degC' (default: %(default)s)"
    )
    parser.add_argument("--method", choices=JUNCTION_METHODS, help=f"method of calculation (default: {default})")
    add_activity(parser)
    parser.add_argument("--balance", metavar="ION", help="ion whose concentration is adjusted to balance the charges")
    parser.add_argument(
        "--diffusion-coefficient",
        metavar="ION=D",
        action="append",
        default=[],
        help="diffusion coefficients at 25 degC, e.g. 'gluconate=6.5e-10 m^2/s' (repeatable)",
    )
    parser.add_argument(
        "--valence",
        metavar="ION=Z",
        action="append",
        default=[],
        help="valences of ions that the library lacks, e.g. 'X=-2' (repeatable)",
    )
