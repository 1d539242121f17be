"""Commands whose modules are imported when they run, so that ``iontide --help`` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module


def command(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """A function of a module of this package; the module is imported when the function is called."""
    return lambda arguments: getattr(import_module(f".{module}", __package__), name)(arguments)
