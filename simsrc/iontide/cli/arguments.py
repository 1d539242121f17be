"""Options that several commands share."""

from __future__ import annotations

import argparse

#: Models of activity coefficients, and methods for liquid junction potentials, by name; listed here because the modules
#: that hold them take long to import. A test compares the two.
ACTIVITY_MODELS = ("ideal", "debye_hueckel", "davies", "truesdell_jones", "pitzer")
JUNCTION_METHODS = ("nernst-planck", "henderson", "lewis-sargent")

#: Placements of a pipette for which a recording can be corrected.
CONFIGURATIONS = ("whole-cell", "outside-out", "inside-out", "cell-attached", "sharp")


def setting(text: str) -> tuple[str, str]:
    """Path and value of ``PATH=VALUE``."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not PATH=VALUE; write it as parameters.P_K='5e-8 m/s'")
    return path.strip(), value.strip()


def add_scenario(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """Add the scenario file (or several), and ``--set``."""
    parser.add_argument("scenario", metavar="SCENARIO", nargs=nargs, help="scenario file (TOML)")
    add_set(parser)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``."""
    parser.add_argument(
        "--set",
        metavar="PATH=VALUE",
        type=setting,
        action="append",
        default=[],
        help="replace a value of the scenario, e.g. parameters.P_K='5e-8 m/s' (repeatable)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Add ``--quiet`` and ``--verbose``."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help="print only errors")
    group.add_argument("-v", "--verbose", action="store_true", help="print more about the solver")


def add_activity(parser: argparse.ArgumentParser) -> None:
    """Add ``--activity``."""
    parser.add_argument(
        "--activity",
        choices=ACTIVITY_MODELS,
        default="ideal",
        help="model of the activity coefficients; they depend on all ions of a solution, so give them all "
        "(default: %(default)s)",
    )
