"""The words of the command line; what they do is in ``commands``, imported only when a command runs."""

from __future__ import annotations

import argparse
from typing import Any

from .. import __version__
from ..plots.choices import RUN_KINDS, SWEEP_KINDS, TIME_SCALES
from .deferred import command
from .electrodes.arguments import add_junction
from .sweeps.arguments import add_sweep

_SET_HELP = "use another value in place of the file's, as parameters.P_K='5e-8 m/s'; may be given again"


def _setting(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not PATH=VALUE, as parameters.P_K='5e-8 m/s'")
    return path.strip(), value.strip()


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``iontide``."""
    parser = argparse.ArgumentParser(
        prog="iontide",
        description="What ions, volumes and potentials do in time, from a scenario file.",
        epilog="A first run: iontide run scenarios/cells_and_tissues/pump_leak_cell.toml --plot",
    )
    parser.add_argument("--version", action="version", version=f"iontide {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    _add_run(commands)
    _add_steady_states(commands)
    add_sweep(commands, _setting)
    _add_plot(commands)
    _add_inspection(commands)
    _add_calculators(commands)
    add_junction(commands, _setting)

    warmup = commands.add_parser("warmup", help="compile the integrators now, so that no run or sweep waits for them")
    _add_volume(warmup)
    warmup.set_defaults(command=command("commands", "warmup"))
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="run a scenario and write its result file")
    run.add_argument("scenario", metavar="SCENARIO", help="scenario file (TOML)")
    run.add_argument("-o", "--output", metavar="FILE", help="result file (default: outputs/NAME.h5)")
    run.add_argument("--set", metavar="PATH=VALUE", type=_setting, action="append", default=[], help=_SET_HELP)
    run.add_argument("--rtol", metavar="NUMBER", help="relative tolerance in place of the file's")
    run.add_argument("--plot", action="store_true", help="draw the overview beside the result file (PDF and PNG)")
    run.add_argument("--dry-run", action="store_true", help="say what would be run and how large the file would be")
    run.add_argument("--json", action="store_true", help="print the outcome as JSON")
    _add_volume(run)
    run.set_defaults(command=command("commands", "run"))


def _add_steady_states(commands: Any) -> None:
    steady = commands.add_parser("steady", help="find where a scenario ends, without a result file")
    steady.add_argument("scenario", metavar="SCENARIO", help="scenario file (TOML)")
    steady.add_argument("--set", metavar="PATH=VALUE", type=_setting, action="append", default=[], help=_SET_HELP)
    steady.add_argument("--sensitivities", action="store_true", help="rank the parameters by what they do to it")
    steady.add_argument("--json", action="store_true", help="print it as JSON")
    steady.set_defaults(command=command("steady", "steady"))

    follow = commands.add_parser("continue", help="follow a steady state along a parameter, past folds")
    follow.add_argument("scenario", metavar="SCENARIO", help="scenario file (TOML)")
    follow.add_argument(
        "--along",
        metavar="NAME",
        required=True,
        help="a parameter, as parameters.pump_rate; or a total that is kept, as total:K",
    )
    follow.add_argument("--from", dest="low", metavar="VALUE", required=True, help="with its unit, as '0 mol/m^2/s'")
    follow.add_argument("--to", dest="high", metavar="VALUE", required=True, help="with its unit")
    follow.add_argument("-o", "--output", metavar="FILE", help="file (default: outputs/NAME.along_PARAMETER.h5)")
    follow.add_argument("--set", metavar="PATH=VALUE", type=_setting, action="append", default=[], help=_SET_HELP)
    follow.add_argument("--plot", action="store_true", help="draw the branch beside the file (PDF and PNG)")
    follow.add_argument("--json", action="store_true", help="print the outcome as JSON")
    _add_volume(follow)
    follow.set_defaults(command=command("continuation", "follow"))


def _add_inspection(commands: Any) -> None:
    info = commands.add_parser("info", help="tell what a result file holds")
    info.add_argument("file", metavar="FILE", help="result file (HDF5)")
    info.add_argument("--json", action="store_true", help="print it as JSON")
    info.set_defaults(command=command("commands", "info"))

    validate = commands.add_parser("validate", help="check scenario files without running them")
    validate.add_argument("scenario", metavar="SCENARIO", nargs="+", help="scenario file (TOML)")
    validate.add_argument("--set", metavar="PATH=VALUE", type=_setting, action="append", default=[], help=_SET_HELP)
    validate.add_argument("--json", action="store_true", help="print the faults as JSON")
    validate.set_defaults(command=command("commands", "validate"))

    laws = commands.add_parser("laws", help="list the rate laws and transporters of the library")
    laws.add_argument("name", metavar="NAME", nargs="*", help="only this law or transporter")
    laws.add_argument("--json", action="store_true", help="print them as JSON")
    laws.set_defaults(command=command("commands", "laws"))

    cite = commands.add_parser("cite", help="print the BibTeX entries of what a scenario or a run used")
    cite.add_argument("file", metavar="FILE", help="scenario file (TOML) or result file (HDF5)")
    cite.add_argument("--json", action="store_true", help="print them as JSON, each with what it was used for")
    cite.set_defaults(command=command("commands", "cite"))

    schema = commands.add_parser("schema", help="print the JSON Schema of scenario files, for editors")
    schema.set_defaults(command=command("commands", "schema"))


def _add_calculators(commands: Any) -> None:
    nernst = commands.add_parser(
        "nernst",
        help="Nernst potential of an ion between two solutions",
        epilog="iontide nernst K --inside '140 mM' --outside '4 mM' --temperature '37 degC'",
    )
    nernst.add_argument("ion", metavar="ION", nargs="*", help="ion, or its valence as +2 (default: all on both sides)")
    _add_solutions(nernst)
    nernst.set_defaults(command=command("calculators", "nernst"))

    ghk = commands.add_parser(
        "ghk",
        help="potential at which the Goldman-Hodgkin-Katz current is 0, with each ion's share in it",
        epilog="iontide ghk --permeability 'K=1, Na=0.04' --inside 'K=140 mM, Na=10 mM' --outside 'K=4 mM, Na=146 mM' "
        "--temperature '37 degC'",
    )
    ghk.add_argument(
        *("-p", "--permeability"),
        metavar="ION=P",
        action="append",
        required=True,
        help="ratios, as 'K=1, Na=0.04', or all with a unit, as 'K=4e-8 m/s'; may be given again",
    )
    _add_solutions(ghk)
    ghk.set_defaults(command=command("calculators", "ghk"))


def _add_solutions(parser: argparse.ArgumentParser) -> None:
    for side in ("inside", "outside"):
        parser.add_argument(
            *(f"-{side[0]}", f"--{side}"),
            metavar="ION=C",
            action="append",
            required=True,
            help=f"solution {side}, as 'K=140 mM, Na=10 mM' (of one ion also '140 mM'); may be given again",
        )
    parser.add_argument("-t", "--temperature", metavar="T", required=True, help="as '37 degC' or '310.15 K'")
    parser.add_argument(
        "--activity",
        choices=("ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer"),
        default="ideal",
        help="activity coefficients from the whole of each solution, so give it whole (default: %(default)s)",
    )
    for side in ("inside", "outside"):
        parser.add_argument(
            f"--gamma-{side}",
            metavar="ION=GAMMA",
            action="append",
            default=[],
            help=f"activity coefficients {side}, in place of the model's",
        )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _add_volume(parser: argparse.ArgumentParser) -> None:
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    loudness.add_argument("-v", "--verbose", action="store_true", help="say more")


def _add_plot(commands: Any) -> None:
    plot = commands.add_parser("plot", help="draw figures of a result file, or of a sweep")
    plot.add_argument("file", metavar="FILE", nargs="+", help="result file (HDF5); folder or merged file of a sweep")
    plot.add_argument(
        "-o", "--output", metavar="FIGURE", help="figure file, .pdf, .svg or .png (default: beside what is drawn)"
    )
    plot.add_argument(
        "--kind",
        choices=(*RUN_KINDS, *SWEEP_KINDS),
        metavar="KIND",
        help=f"of a run {', '.join(RUN_KINDS)} (default: overview); of a sweep {', '.join(SWEEP_KINDS)} (default: what "
        "suits its design)",
    )
    plot.add_argument(
        "--time",
        choices=TIME_SCALES,
        help="time axis (default: linear; the overview always shows linear and symlog)",
    )
    plot.add_argument("--membrane", metavar="NAME", help="of a run: only this membrane")
    plot.add_argument(
        "--quantity", metavar="NAME", action="append", help="of a sweep: what is kept; may be given again"
    )
    for axis in ("x", "y"):
        plot.add_argument(f"--{axis}", metavar="PATH", help=f"of a sweep: the parameter along the {axis} axis")
    plot.add_argument("--by", metavar="PATH", help="of a sweep: the parameter that colours curves")
    plot.add_argument(
        "--at",
        metavar="PATH=VALUE",
        action="append",
        help="of a sweep: where other parameters are held; may be given again",
    )
    plot.add_argument(
        "--width", metavar="MM", type=float, help="width in mm (default: 183 for the overview, 89 for the others)"
    )
    plot.set_defaults(command=command("commands", "plot"))
