"""Figures of runs, sweeps, junctions and steady states, ready for a paper.

Nothing here imports matplotlib until one of the names of ``__init__.pyi`` is asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
