"""How fast a sweep goes, and how much longer: looked at in the folder, whoever works on it, and told in status.json."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from ...errors import FileError
from ..compute.block import MISSING, STATUSES
from .status_index import Index, Progress, progress_of, write_status
from .store import Store

#: Seconds between two looks into the folder, at least, and what share of the time looking may take.
INTERVAL, SHARE = 1.0, 0.05

#: Seconds that count as of late.
WINDOW = 60.0


class Pace:
    """Points a second of late.

    Parameters
    ----------
    now : float
        When it begins, s.
    points : int
        That are there then.
    """

    def __init__(self, now: float, points: int) -> None:
        self._start = (now, points)
        self._grown: deque[tuple[float, int]] = deque()

    def note(self, now: float, points: int) -> None:
        """So many points are there at a time, s."""
        last = self._grown[-1] if self._grown else self._start
        if points > last[1]:
            self._grown.append((now, points))
            while len(self._grown) > 2 and self._grown[1][0] <= now - WINDOW:
                self._grown.popleft()

    @property
    def rate(self) -> float | None:
        """Points a second; None before any has come.

        What the first ones took, with the start of workers in it, counts only until there are others.
        """
        if not self._grown:
            return None
        (began, before) = self._start if len(self._grown) == 1 else self._grown[0]
        now, after = self._grown[-1]
        return (after - before) / (now - began) if now > began else None


class Watch:
    """Looks into the folder of a sweep now and then, counts its points, and keeps ``status.json`` up to date.

    Parameters
    ----------
    store : Store
    show : callable
        Called with a ``Progress`` after every look.
    clock : callable
        Says what time it is, s.
    """

    def __init__(
        self, store: Store, show: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._show, self._clock = store, show, clock
        # What the shards of blocks say of themselves, by status; of a block that is not there its size, as missing.
        spans = np.array([store.plan.span(number) for number in range(store.plan.blocks)])
        self._counts = np.zeros((store.plan.blocks, len(STATUSES)), dtype=np.int64)
        self._counts[:, MISSING] = spans[:, 1] - spans[:, 0]
        self._due = 0.0
        self._pace: Pace | None = None

    def __call__(self) -> None:
        """Look, if it is time to."""
        if self._clock() >= self._due:
            self.look()

    def look(self) -> Progress:
        """Look now."""
        began = self._clock()
        for number in np.flatnonzero(self._counts[:, MISSING]):
            head = self._store.head(int(number))
            if head is not None:
                self._counts[number] = head.counts
        progress = self._progress(began)
        # A folder without room for it is told of by who writes what matters.
        with contextlib.suppress(FileError):
            write_status(self._store.folder, progress)
        self._show(progress)
        now = self._clock()
        self._due = now + max(INTERVAL, (now - began) / SHARE)
        return progress

    def _progress(self, now: float) -> Progress:
        counts = dict(zip(STATUSES, map(int, self._counts.sum(axis=0)), strict=True))
        there = self._store.plan.size - counts[STATUSES[MISSING]]
        if self._pace is None:
            self._pace = Pace(now, there)
        self._pace.note(now, there)
        found = Index(self._store.plan.size, self._store.plan.blocks, counts, missing=(), faults={}, failures={})
        return progress_of(found, self._pace.rate)
