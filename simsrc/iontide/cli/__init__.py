"""The command ``iontide``.

Results go to standard output, messages to standard error. Exit codes: 0 done, 2 wrong usage, 3 faulty scenario,
4 the solver failed, 5 a sweep is not complete, 6 file or disk, 130 and 143 on signals.
"""

from __future__ import annotations

import os
import sys

from ..errors import IontideError
from . import signals


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    from .parser import build_parser

    arguments = build_parser().parse_args(argv)
    signals.listen()
    try:
        code: int = arguments.command(arguments)
        signals.check()
        sys.stdout.flush()
        return code
    except IontideError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except signals.Stopped as stop:
        print(f"{stop.reason}; no unfinished file is left", file=sys.stderr)
        return stop.exit_code
    except BrokenPipeError:
        # The reader of the output has closed it; Python would raise again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        print("there is not enough memory for so many samples; record fewer samples", file=sys.stderr)
        return 4
