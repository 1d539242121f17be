"""Ctrl-C and termination: they end a command at any point.

Python raises the exception of a signal in the code that happens to run. In a destructor or a callback of a C library
the exception is lost; so the signal is also recorded, long work calls ``check`` now and then, and an exception lost in
a destructor is raised again a moment later.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

#: Seconds after which a signal that was lost is raised again.
MOMENT = 1e-3


class Stopped(BaseException):
    """A signal ends the command. Not an Exception, so that no handler of errors catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number
        self.reason = "interrupted" if number == signal.SIGINT else "terminated"


_received: list[int] = []


def listen() -> None:
    """Let SIGINT and SIGTERM raise ``Stopped`` from now on."""
    _received.clear()
    sys.unraisablehook = _unraisable
    signal.signal(signal.SIGALRM, lambda number, frame: check())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle)


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise a ``Stopped`` that was lost in a destructor again when that has ended, instead of printing it."""
    if isinstance(unraisable.exc_value, Stopped):
        signal.setitimer(signal.ITIMER_REAL, MOMENT)
    else:
        sys.__unraisablehook__(unraisable)


def check() -> None:
    """Raise ``Stopped`` if a signal has arrived."""
    if _received:
        raise Stopped(_received[0])


def _handle(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    raise Stopped(number)
