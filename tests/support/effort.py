"""How much longer a larger task takes, measured so that a slow or busy machine does not matter."""

from __future__ import annotations

import time
from collections.abc import Callable


def grows_in_proportion(work: Callable[[int], object], small: int, large: int, slack: float = 4.0) -> bool:
    """Whether the processor time of ``work(size)`` grows with the size, not with its square.

    The larger task may take `slack` times as long as the smaller one in proportion to their sizes; 50 ms more are
    allowed, which are too short to measure. What else runs on the machine disturbs single measurements: one good pair
    out of ten is enough, as work that grows with the square has none.
    """
    for _ in range(10):
        of_small, of_large = (_seconds(work, size) for size in (small, large))
        if of_large <= slack * large / small * of_small + 0.05:
            return True
    return False


def _seconds(work: Callable[[int], object], size: int) -> float:
    """Processor time of this thread, in seconds."""
    start = time.thread_time()
    work(size)
    return time.thread_time() - start
