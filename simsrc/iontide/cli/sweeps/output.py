"""Texts and progress display of ``iontide sweep``: for a plan, during a run, and for its result."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...formulas.display import size_text, waiting_time_text
from ..progress import LOG_INTERVAL, PATIENCE

if TYPE_CHECKING:
    from ...sweeps.plan.plan import Plan
    from ...sweeps.store.status_index import Index, Progress

#: Most failures, invalid shards, and values of a point that are listed.
MOST_FAILURES, MOST_FAULTS, MOST_VALUES = 3, 3, 6


def say(message: str) -> None:
    """Print a message to standard error."""
    print(message, file=sys.stderr, flush=True)


# -- before -----------------------------------------------------------------------------------------------------------


def plan_lines(plan: dict[str, Any]) -> Iterator[str]:
    """The lines that describe a plan, from ``commands.describe_plan``."""
    yield f"{plan['scenario']}: {plan['points']:,} points ({plan['design'].replace('_', ' ')})"
    for axis in plan["axes"]:
        yield f"  {axis['path']}: {_range(axis)}"
    if plan["excluded"]:
        yield f"  {plan['excluded']:,} of them are excluded by: {'; '.join(plan['constraints'])}"
    yield f"  outputs: {', '.join(plan['keep'])}"
    yield f"  {plan['blocks']:,} blocks of {plan['block']:,} points"
    if plan["seconds"] is not None:
        one = "" if plan["workers"] == 1 else f", {waiting_time_text(plan['seconds'])} on one"
        processes = "process" if plan["workers"] == 1 else "processes"
        share = waiting_time_text(plan["seconds"] / plan["workers"])
        failed = f", of which {plan['failed']:,} failed" if plan["failed"] else ""
        yield f"  about {share} on {plan['workers']} {processes} here{one}"
        yield f"    (estimated from {plan['tried']:,} points{failed})"
    yield f"  about {size_text(plan['bytes'])} in {plan['folder']}"
    yield from (f"  {remark}" for remark in plan["remarks"])


def _range(axis: Mapping[str, Any]) -> str:
    if "categories" in axis:
        return ", ".join(axis["categories"])
    unit = f" {axis['unit']}" if axis["unit"] else ""
    rule = {"values": "", "linear": ", evenly spaced", "log": ", evenly spaced in the logarithm"}.get(axis["rule"])
    how = f", {axis['rule'].replace('_', '-')}" if rule is None else f", {axis['values']:,} values{rule}"
    return f"{axis['from']:.6g} to {axis['to']:.6g}{unit}{how}"


def speed(rate: float) -> str:
    """A rate as text."""
    return f"{rate:,.0f} points/s" if rate >= 100 else f"{rate:.3g} points/s"


# -- meanwhile --------------------------------------------------------------------------------------------------------


class SweepDisplay:
    """Displays a ``Progress`` when called: a bar on a terminal, a line every 30 s in a log. Use it as a context."""

    def __init__(self, name: str, quiet: bool = False) -> None:
        self._name, self._quiet = name, quiet
        self._started = self._last_line = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> SweepDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._quiet or now - self._started < PATIENCE:
            return
        if sys.stderr.isatty():
            if self._bar is None:
                self._start_bar(progress.points)
            text = ", ".join(_speed(progress))
            self._bar.update(self._task, completed=progress.points - progress.missing, speed=text)
        elif now - self._last_line >= LOG_INTERVAL:
            self._last_line = now
            say(f"{self._name}: {progress_line(progress)}")

    def _start_bar(self, points: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn(self._name),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("sweep", total=points, speed="")
        self._bar.start()


def progress_line(progress: Progress) -> str:
    """``3,000 of 10,000 points (30.0 %), 2 failed, 512 points/s, 14 s left``."""
    there = progress.points - progress.missing
    share = f"{there:,} of {progress.points:,} points ({100 * there / max(1, progress.points):.1f} %)"
    failed = [f"{progress.failed:,} failed"] if progress.failed else []
    return ", ".join([share, *failed, *_speed(progress)])


def _speed(progress: Progress) -> list[str]:
    rate = [] if progress.rate is None else [speed(progress.rate)]
    return rate if not progress.remaining else [*rate, f"{waiting_time_text(progress.remaining)} left"]


# -- afterwards -------------------------------------------------------------------------------------------------------


def counts_text(index: Index) -> str:
    """``9,990 done (9,800 of them at a steady state), 8 failed, 2 excluded``."""
    counts = index.counts
    apart = [f"{counts[name]:,} {text}" for name, text in _ENDS.items() if counts[name] and counts[name] < index.done]
    done = f"{index.done:,} done" + (f" ({', '.join(apart)})" if apart else "")
    if index.done and index.done == counts["steady"]:
        done += ", all at a steady state"
    others = [f"{counts[name]:,} {name}" for name in ("failed", "excluded", "missing") if counts[name]]
    return ", ".join([done, *others])


_ENDS = {"steady": "of them at a steady state", "stopped": "stopped by an event"}


def failure_lines(plan: Plan, index: Index) -> Iterator[str]:
    """The first failed points, with their values and the reason; and invalid shards."""
    for point, message in list(index.failures.items())[:MOST_FAILURES]:
        yield f"point {point} ({_values(plan, point)}): {message}"
    more = index.counts["failed"] - MOST_FAILURES
    if more > 0:
        yield f"… and {more:,} more failed"
    yield from list(index.faults.values())[:MOST_FAULTS]
    if len(index.faults) > MOST_FAULTS:
        yield f"… and {len(index.faults) - MOST_FAULTS:,} more invalid shards"


def _values(plan: Plan, point: int) -> str:
    settings = plan.settings(point)
    texts = [f"{path} = {value}" for path, value in list(settings.items())[:MOST_VALUES]]
    return ", ".join(texts) + (", …" if len(settings) > MOST_VALUES else "")
