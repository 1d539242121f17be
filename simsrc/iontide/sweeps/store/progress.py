"""Rate and remaining time of a sweep, from the shards in its folder, for displays and ``status.json``."""

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

#: Least time between two scans of the folder, s, and the fraction of the time that scanning may take.
INTERVAL, SHARE = 1.0, 0.05

#: Time over which the rate is averaged, s.
WINDOW = 60.0


class Pace:
    """Recent rate in points per second.

    Parameters
    ----------
    now : float
        Time of the start, s.
    points : int
        Points that are done then.
    """

    def __init__(self, now: float, points: int) -> None:
        self._start = (now, points)
        self._grown: deque[tuple[float, int]] = deque()

    def record(self, now: float, points: int) -> None:
        """Record the number of points that are done at a time, s."""
        last = self._grown[-1] if self._grown else self._start
        if points > last[1]:
            self._grown.append((now, points))
            while len(self._grown) > 2 and self._grown[1][0] <= now - WINDOW:
                self._grown.popleft()

    @property
    def rate(self) -> float | None:
        """Points per second; None before the first.

        The first points, which include the start of the workers, count only until there are others.
        """
        if not self._grown:
            return None
        (began, before) = self._start if len(self._grown) == 1 else self._grown[0]
        now, after = self._grown[-1]
        return (after - before) / (now - began) if now > began else None


class Watch:
    """Scans the folder of a sweep from time to time, counts its points and updates ``status.json``.

    Parameters
    ----------
    store : Store
    show : callable
        Called with a ``Progress`` after every scan.
    clock : callable
        Returns the time, s.
    """

    def __init__(
        self, store: Store, show: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._show, self._clock = store, show, clock
        # Points of each block by status; all points of a missing block are missing.
        spans = np.array([store.plan.span(number) for number in range(store.plan.blocks)])
        self._counts = np.zeros((store.plan.blocks, len(STATUSES)), dtype=np.int64)
        self._counts[:, MISSING] = spans[:, 1] - spans[:, 0]
        self._due = 0.0
        self._pace: Pace | None = None

    def __call__(self) -> None:
        """Scan the folder if the last scan is long enough ago."""
        if self._clock() >= self._due:
            self.scan()

    def scan(self) -> Progress:
        """Scan the folder now."""
        began = self._clock()
        for number in np.flatnonzero(self._counts[:, MISSING]):
            head = self._store.head(int(number))
            if head is not None:
                self._counts[number] = head.counts
        progress = self._progress(began)
        # If the disk is full, writing the next shard reports it.
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
        self._pace.record(now, there)
        found = Index(self._store.plan.size, self._store.plan.blocks, counts, missing=(), faults={}, failures={})
        return progress_of(found, self._pace.rate)
