"""Commands that are imported when they run, so that ``iontide --help`` waits for nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module


def command(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """The function of a name in a module of this package, imported when it is called."""
    return lambda arguments: getattr(import_module(f".{module}", __package__), name)(arguments)
