"""Ctrl-C and termination, so that they end a command wherever they fall.

Python raises in whatever code happens to run. Where that is a destructor or a callback of a C library, the exception
is forgotten; so the signal is also noted, work that takes long asks ``check`` now and then, and what fell into a
destructor of Python is raised once more, a moment later.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

#: Seconds after which a signal that was lost is raised again.
MOMENT = 1e-3


class Stopped(BaseException):
    """A signal asked the command to end. Not an Exception, so that only the clean-up on the way out handles it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number
        self.word = "interrupted" if number == signal.SIGINT else "terminated"


_received: list[int] = []


def listen() -> None:
    """From now on SIGINT and SIGTERM raise ``Stopped``."""
    _received.clear()
    sys.unraisablehook = _unraisable
    signal.signal(signal.SIGALRM, lambda number, frame: check())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle)


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Have a ``Stopped`` that fell into a destructor raised again when that is over, instead of printing it."""
    if isinstance(unraisable.exc_value, Stopped):
        signal.setitimer(signal.ITIMER_REAL, MOMENT)
    else:
        sys.__unraisablehook__(unraisable)


def check() -> None:
    """Raise ``Stopped`` once more if a signal has come."""
    if _received:
        raise Stopped(_received[0])


def _handle(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    raise Stopped(number)
