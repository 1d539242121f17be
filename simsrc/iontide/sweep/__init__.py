"""Many variants of one scenario: plans, the engine, workers on one machine or many, and what they leave behind.

The package itself can be called: ``iontide.sweep(plan, folder)`` is ``api.sweep``. Python puts a package that was
imported at its name in the one around it, so that a function of the same name there would be lost at the first import.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that is a function too."""

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        """See ``api.sweep``."""
        from .api import sweep

        return sweep(*arguments, **more)


sys.modules[__name__].__class__ = _Callable
