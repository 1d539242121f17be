"""The arguments of ``iontide``; what a command does is imported only when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from .. import __version__
from ..plots.choices import RUN_KINDS, SWEEP_KINDS, TIME_SCALES
from .arguments import add_activity, add_json, add_scenario, add_verbosity, setting
from .deferred import command
from .electrodes.arguments import add_correct, add_junction
from .sweeps.arguments import add_sweep


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``iontide``."""
    parser = argparse.ArgumentParser(
        prog="iontide",
        description="Simulate concentrations, volumes, membrane potentials and currents in time, from a scenario file.",
        epilog="First run: iontide run scenarios/cells_and_tissues/pump_leak_cell.toml --plot",
    )
    parser.add_argument("--version", action="version", version=f"iontide {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    _add_run(commands)
    _add_steady_states(commands)
    add_sweep(commands, setting)
    _add_plot(commands)
    _add_inspection(commands)
    _add_calculators(commands)
    add_junction(commands)
    add_correct(commands)

    warmup = commands.add_parser("warmup", help="compile the integrators now, so that later runs and sweeps start fast")
    add_verbosity(warmup)
    warmup.set_defaults(command=command("commands", "warmup"))
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="simulate a scenario and write a result file")
    add_scenario(run)
    run.add_argument("-o", "--output", metavar="FILE", help="result file (default: outputs/NAME.h5)")
    run.add_argument("--rtol", metavar="NUMBER", help="relative tolerance of the solver, instead of the scenario's")
    run.add_argument("--plot", action="store_true", help="also draw the overview (PDF and PNG beside the result file)")
    run.add_argument("--dry-run", action="store_true", help="print the states, the duration and the number of samples")
    add_json(run)
    add_verbosity(run)
    run.set_defaults(command=command("run", "run"))


def _add_steady_states(commands: Any) -> None:
    steady = commands.add_parser("steady", help="find the steady state of a scenario and whether it is stable")
    add_scenario(steady)
    steady.add_argument(
        "--sensitivities", action="store_true", help="also rank the parameters by their effect on the steady state"
    )
    add_json(steady)
    steady.set_defaults(command=command("steady", "steady"))

    continuation = commands.add_parser(
        "continue", help="follow a steady state along a parameter, also around folds (continuation)"
    )
    add_scenario(continuation)
    continuation.add_argument(
        "--along",
        metavar="NAME",
        required=True,
        help="parameter to vary, e.g. parameters.pump_rate; or a conserved total, e.g. total:K",
    )
    continuation.add_argument(
        "--from", dest="low", metavar="VALUE", required=True, help="one end of the range, e.g. '0 mol/m^2/s'"
    )
    continuation.add_argument("--to", dest="high", metavar="VALUE", required=True, help="the other end of the range")
    continuation.add_argument("-o", "--output", metavar="FILE", help="file (default: outputs/NAME.along_PARAMETER.h5)")
    continuation.add_argument("--plot", action="store_true", help="also draw the branch (PDF and PNG beside the file)")
    add_json(continuation)
    add_verbosity(continuation)
    continuation.set_defaults(command=command("continuation", "continuation"))


def _add_inspection(commands: Any) -> None:
    info = commands.add_parser("info", help="summarise a result file: end state, fluxes, energy, warnings, provenance")
    info.add_argument("file", metavar="FILE", help="result file of run or continue (HDF5)")
    add_json(info)
    info.set_defaults(command=command("commands", "info"))

    validate = commands.add_parser("validate", help="check scenario files without running them")
    add_scenario(validate, nargs="+")
    add_json(validate)
    validate.set_defaults(command=command("commands", "validate"))

    laws = commands.add_parser("laws", help="list the rate laws and transporters of the library")
    laws.add_argument("name", metavar="NAME", nargs="*", help="law or transporter (default: all)")
    add_json(laws)
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
        help="Nernst potentials of ions between two solutions",
        epilog="Example: iontide nernst K --inside '140 mM' --outside '4 mM' --temperature '37 degC'",
    )
    nernst.add_argument(
        "ion", metavar="ION", nargs="*", help="ion, or a valence such as +2 (default: all ions on both sides)"
    )
    _add_solutions(nernst)
    nernst.set_defaults(command=command("calculators", "nernst"))

    ghk = commands.add_parser(
        "ghk",
        help="Goldman-Hodgkin-Katz potential, with the contribution of each ion",
        epilog="Example: iontide ghk --permeability 'K=1, Na=0.04' --inside 'K=140 mM, Na=10 mM' "
        "--outside 'K=4 mM, Na=146 mM' --temperature '37 degC'",
    )
    ghk.add_argument(
        *("-p", "--permeability"),
        metavar="ION=P",
        action="append",
        required=True,
        help="permeabilities, either all as ratios, e.g. 'K=1, Na=0.04', or all with a unit, e.g. 'K=4e-8 m/s' "
        "(repeatable)",
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
            help=f"concentrations {side}, e.g. 'K=140 mM, Na=10 mM', or '140 mM' of a single ION (repeatable)",
        )
    parser.add_argument("-t", "--temperature", metavar="T", required=True, help="e.g. '37 degC' or '310.15 K'")
    add_activity(parser)
    for side in ("inside", "outside"):
        parser.add_argument(
            f"--gamma-{side}",
            metavar="ION=GAMMA",
            action="append",
            default=[],
            help=f"activity coefficients {side}, instead of those of the model (repeatable)",
        )
    add_json(parser)


def _add_plot(commands: Any) -> None:
    plot = commands.add_parser(
        "plot",
        help="draw figures of a result file or of a sweep",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"kinds of a run:\n{_described(RUN_KINDS)}\n\nkinds of a sweep:\n{_described(SWEEP_KINDS)}",
    )
    plot.add_argument(
        "file",
        metavar="FILE",
        nargs="+",
        help="result file of run or continue (HDF5); folder or merged file of a sweep",
    )
    plot.add_argument(
        "-o", "--output", metavar="FIGURE", help="figure file: .pdf, .svg or .png (default: a PDF beside FILE)"
    )
    plot.add_argument(
        "--kind",
        choices=(*RUN_KINDS, *SWEEP_KINDS),
        metavar="KIND",
        help="what to draw, see below (default: the overview of a run; of a sweep, what fits its design)",
    )
    plot.add_argument(
        "--time", choices=TIME_SCALES, help="time axis (default: linear; the overview has linear and symlog)"
    )
    plot.add_argument("--membrane", metavar="NAME", help="runs: only this membrane")
    plot.add_argument("--quantity", metavar="NAME", action="append", help="sweeps: output to draw (repeatable)")
    for axis in ("x", "y"):
        plot.add_argument(f"--{axis}", metavar="PATH", help=f"sweeps: parameter along the {axis} axis")
    plot.add_argument("--by", metavar="PATH", help="sweeps: parameter that gives the colour of curves")
    plot.add_argument(
        "--at", metavar="PATH=VALUE", action="append", help="sweeps: value of another parameter (repeatable)"
    )
    plot.add_argument(
        "--width", metavar="MM", type=float, help="width in mm (default: 183 for the overview, 89 for the others)"
    )
    plot.set_defaults(command=command("plot", "plot"))


def _described(kinds: Mapping[Any, str]) -> str:
    width = max(map(len, kinds)) + 2
    return "\n".join(f"  {kind:<{width}}{description}" for kind, description in kinds.items())
