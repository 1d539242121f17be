"""Whether the integrator's compiled code is cached on disk: decided once, before numba sees it."""

from __future__ import annotations

import numba

from .cache import usable_cache_folder

FOLDER = usable_cache_folder()

#: Passed to every ``njit``; False where no folder can be written.
CACHE = FOLDER is not None

if FOLDER is not None:
    numba.config.CACHE_DIR = str(FOLDER)
