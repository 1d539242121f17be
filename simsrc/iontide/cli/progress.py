"""Progress of a run: a bar on a terminal, a line every 30 s in a log, nothing for a short run."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from ..formulas.display import waiting_time_text
from . import signals

#: Seconds before anything is shown, and between two lines in a log.
PATIENCE, LOG_INTERVAL = 0.5, 30.0


class ProgressDisplay:
    """Called with the time reached and the duration (s); a context manager, which removes the bar at its end."""

    def __init__(self, name: str, quiet: bool = False) -> None:
        self.name, self.quiet = name, quiet
        self.started = time.monotonic()
        self.last_line = self.started
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, reached: float, duration: float) -> None:
        signals.check()
        now = time.monotonic()
        if self.quiet or now - self.started < PATIENCE:
            return
        if sys.stderr.isatty():
            if self.bar is None:
                self._start_bar(duration)
            self.bar.update(self.task, completed=reached)
        elif now - self.last_line >= LOG_INTERVAL:
            self.last_line = now
            elapsed = now - self.started
            remaining = ""
            if reached > 0:
                remaining = f", {waiting_time_text(elapsed * (duration / reached - 1.0))} left"
            share = 100 * reached / duration
            print(f"{self.name}: t = {reached:.6g} s of {duration:.6g} s ({share:.1f} %){remaining}", file=sys.stderr)

    def _start_bar(self, duration: float) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn(self.name),
            BarColumn(),
            TextColumn("t = {task.completed:.4g} of {task.total:.4g} s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task("run", total=duration)
        self.bar.start()
