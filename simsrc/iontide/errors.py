"""Every error that iontide raises on purpose, and the one shape in which a fault of a file is told.

The command line turns each class into its exit code (``exit_code``); from Python they are ordinary exceptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .simulation.trajectory import Trajectory


class IontideError(Exception):
    """Base of all errors raised on purpose; the message is one or more whole sentences."""

    exit_code = 1


class UsageError(IontideError):
    """The call itself is wrong: an unknown option, a path that does not fit, an impossible combination."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with a scenario: where it stands, and what is wrong, with the value and what is allowed.

    Attributes
    ----------
    line : int
        Line in the file, from 1; 0 where there is no file (a model built in Python, an override).
    path : str
        Dotted path of the key, as ``membranes.plasma.permeability.K``; empty for the file as a whole.
    message : str
        The rule, the value, what is allowed.
    """

    line: int
    path: str
    message: str

    def text(self, source: str) -> str:
        """The fault as one line of a report, opened by ``source:line``."""
        place = f"{source}:{self.line}" if self.line else source
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ScenarioError(IontideError):
    """A scenario that cannot be run; carries all of its faults at once.

    Attributes
    ----------
    source : str
        Name of the file as the user gave it (or ``<model>`` for one built in Python).
    faults : tuple of Fault
        In the order of the file.
    """

    exit_code = 3

    def __init__(self, source: str, faults: list[Fault] | tuple[Fault, ...]) -> None:
        self.source = source
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(fault.text(source) for fault in self.faults))


class SolverError(IontideError):
    """The integrator could not go on; the message says what, where, when and what to try.

    Attributes
    ----------
    trajectory : Trajectory or None
        What was computed up to that moment.
    """

    exit_code = 4

    def __init__(self, message: str, trajectory: Trajectory | None = None) -> None:
        self.trajectory = trajectory
        super().__init__(message)


class FileError(IontideError):
    """A file that cannot be read, written or trusted, or a disk that is full."""

    exit_code = 6
