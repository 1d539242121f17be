"""The errors of iontide, and the one form in which a fault of a scenario is reported.

The command line turns each class into its exit code (``exit_code``); from Python they are ordinary exceptions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .simulation.trajectory import Trajectory


class IontideError(Exception):
    """Base of all errors of iontide; the message is one or more sentences."""

    exit_code = 1


class UsageError(IontideError):
    """The call itself is wrong: an unknown option, a path that does not fit, an impossible combination."""

    exit_code = 2


class UnknownNameError(UsageError, LookupError):
    """There is nothing of that name; the message gives the nearest names, and all of them where they are few.

    Parameters
    ----------
    what : str
        Of what kind, and where: ``membrane``, ``species in cell`` …
    name : str
        As it was given.
    known : iterable of str
        The names that there are.
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        verb = "are" if len(names) > 1 else "is"
        super().__init__(f"there is no {what} {name}{did_you_mean(name, names)} (there {verb} {listed(names)})")


@dataclass(frozen=True, order=True)
class Fault:
    """One fault of a scenario: its place, what is wrong, and what is allowed.

    Attributes
    ----------
    line : int
        Line in the file, from 1; 0 if there is no file (a model built in Python, an override).
    path : str
        Dotted path of the key, as ``membranes.plasma.permeability.K``; empty for the file as a whole.
    message : str
        The rule, the value and what is allowed.
    """

    line: int
    path: str
    message: str

    def text(self, source: str) -> str:
        """The fault as one line of a report, which begins with ``source:line``."""
        place = f"{source}:{self.line}" if self.line else source
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ScenarioError(IontideError):
    """A scenario that cannot be run; carries all of its faults at once.

    Attributes
    ----------
    source : str
        Name of the file as the user gave it; ``<model>`` for a model built in Python.
    faults : tuple of Fault
        In the order of the file.
    """

    exit_code = 3

    def __init__(self, source: str, faults: list[Fault] | tuple[Fault, ...]) -> None:
        self.source = source
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(fault.text(source) for fault in self.faults))


class SolverError(IontideError):
    """The integrator failed; the message says what, where and when, and what to try.

    Attributes
    ----------
    trajectory : Trajectory or None
        What was computed up to then.
    """

    exit_code = 4

    def __init__(self, message: str, trajectory: Trajectory | None = None) -> None:
        self.trajectory = trajectory
        super().__init__(message)


class FileError(IontideError):
    """A file that cannot be read, written or trusted, or a disk that is full."""

    exit_code = 6


# -- names in messages ------------------------------------------------------------------------------------------------

#: Two spellings are alike from this similarity on: twice the letters that they share, over the letters of both.
CUTOFF = 0.6

#: So many letters of a name are compared: the comparison takes time in proportion to their square.
MOST_LETTERS = 80


def nearest(name: object, allowed: Iterable[str], most: int = 1) -> list[str]:
    """Names that are spelt like another one, whatever its case.

    Parameters
    ----------
    name : object
        What was written.
    allowed : iterable of str
    most : int
        Length of the result, at most.

    Returns
    -------
    list of str
        The most similar first; of equally similar ones the first in `allowed` is first. Empty if none is similar.
    """
    from difflib import SequenceMatcher  # slow to import, and needed only for an error

    wanted = str(name)[:MOST_LETTERS].casefold()
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    similarity: dict[str, tuple[float, float]] = {}
    for choice in allowed:
        matcher.set_seq1(choice.casefold())
        if matcher.real_quick_ratio() >= CUTOFF and matcher.quick_ratio() >= CUTOFF and matcher.ratio() >= CUTOFF:
            # Among names that differ in their case alone, the one written with the same case comes first.
            as_written = SequenceMatcher(None, str(name)[:MOST_LETTERS], choice, autojunk=False).ratio()
            similarity[choice] = matcher.ratio(), as_written
    return sorted(similarity, key=similarity.__getitem__, reverse=True)[: max(most, 0)]


def did_you_mean(name: object, allowed: Iterable[str]) -> str:
    """``; did you mean X?`` if an allowed name is spelt like this one, else an empty text."""
    return suggestion(nearest(name, allowed))


def suggestion(names: Iterable[str]) -> str:
    """``; did you mean X or Y?``, or an empty text if there are no names."""
    choices = " or ".join(names)
    return f"; did you mean {choices}?" if choices else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names with commas, the first `most` of them; ``none`` if there are none."""
    every = list(names)
    return (", ".join(every[:most]) + (", …" if len(every) > most else "")) or "none"
