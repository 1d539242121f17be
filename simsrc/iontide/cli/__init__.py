"""The command ``iontide``.

Machine text goes to standard output, everything else to standard error. Exit codes: 0 done, 2 usage, 3 bad scenario,
4 the solver could not go on, 6 file or disk, 130 and 143 on signals.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from ..errors import IontideError


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception, so that nothing but the clean-up on the way out handles it."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code and never raises."""
    from .parser import build_parser

    arguments = build_parser().parse_args(argv)
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
        return code
    except IontideError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Terminated:
        print("terminated", file=sys.stderr)
        return 143
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        print("there is not enough memory; record fewer points, or write to a file with `iontide run`", file=sys.stderr)
        return 4
    finally:
        signal.signal(signal.SIGTERM, previous)


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise Terminated
